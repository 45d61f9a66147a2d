//! Questions published while the programme runs, and answered by everybody at once.

use tidegate_protocol::Body;
use tidegate_protocol::answer::Answered;
use tidegate_protocol::code::answer;

use super::stage::Stage;

fn answered(body: Body) -> Answered {
    let Body::Answered(told) = body else { panic!("{body:?}") };
    told
}

/// The day's question is published during the live stream: one answer each, the first three right ones have more, and nobody sees the right
/// answer before it closes.
#[tokio::test]
async fn the_days_question_is_published_live_and_answered_once() {
    let mut stage = Stage::open("live-quiz", "2026-11-20 19:58").await;
    for member in 1..=6 {
        stage.enrol(member).await;
    }
    let early = stage.answer_answer(1, "daily", "2026-11-20", "A").await;
    assert_eq!(stage.refused(early), answer::NO_SUCH_QUESTION);
    let unknown = stage.answer_answer(1, "dayly", "2026-11-20", "A").await;
    assert_eq!(stage.refused(unknown), answer::NO_SUCH_QUIZ);

    // What an operator gets wrong is refused in words; a gateway may publish nothing.
    let daily = |right: &'static str, options: &'static [&'static str]| {
        ("daily", "2026-11-20", right, options, "2026-11-20 20:00", "2026-11-20 20:01")
    };
    for (wrong, why) in [
        (daily("C", &["A", "B"]), "none of the options"),
        (daily("A", &["A", "A"]), "there twice"),
        (daily("A", &["A"]), "2 to 16"),
        (("dayly", "q", "A", &["A", "B"][..], "2026-11-20 20:00", "2026-11-20 20:01"), "no quiz `dayly`"),
        (("daily", "q", "A", &["A", "B"][..], "2026-11-20 20:00", "2026-11-20 20:00"), "after it opens"),
        (("daily", "q", "A", &["A", "B"][..], "2026-11-20 19:00", "2026-11-20 19:30"), "before now"),
    ] {
        let refused = stage.publish(wrong).await;
        let Body::Because(because) = &refused.body else { panic!("{refused:?}") };
        assert!(because.sentence.as_str().contains(why), "{}", because.sentence.as_str());
    }
    assert_eq!(stage.publish_as_gateway(daily("A", &["A", "B"])).await.code, answer::NOT_ALLOWED);
    // Published with the wrong answer; nobody has answered it yet, so that it can be put right.
    assert_eq!(stage.publish(daily("A", &["A", "B"])).await.body.name(), "QuestionPublished");
    let Body::QuestionPublished(told) = stage.publish(daily("B", &["A", "B"])).await.body else { panic!("put right") };
    assert_eq!((told.number, told.changed), (1, 1));

    let Body::NotOpen(told) = stage.answer(1, "daily", "2026-11-20", "B").await else { panic!("two minutes early") };
    assert_eq!(told.opens_ms, stage.instant_ms("2026-11-20 20:00"));
    stage.at("2026-11-20 20:00").await;
    let told = answered(stage.answer(1, "daily", "2026-11-20", "B").await);
    assert_eq!((told.right, told.place, told.left, told.after), (1, 1, 0, 2 + 10 + 50));
    let told = answered(stage.answer(2, "daily", "2026-11-20", "A").await);
    assert_eq!((told.right, told.place, told.left, told.after), (0, 0, 0, 2), "wrong, and it took part");
    for (member, place, points) in [(3, 2, 62), (4, 3, 62), (5, 0, 12)] {
        let told = answered(stage.answer(member, "daily", "2026-11-20", "B").await);
        assert_eq!((told.place, told.after), (place, points), "three places and no more");
    }
    // Once is once.
    let again = stage.answer_answer(1, "daily", "2026-11-20", "A").await;
    assert_eq!(stage.refused(again), answer::ANSWERED_RIGHT);
    let Body::LimitReached(told) = stage.answer(2, "daily", "2026-11-20", "B").await else { panic!("another try") };
    assert_eq!((told.times, told.used), (1, 1));
    let none = stage.answer_answer(6, "daily", "2026-11-20", "b").await;
    assert_eq!(stage.refused(none), answer::NO_SUCH_OPTION);
    // It was answered: it can only be made to close at another time.
    let refused = stage.publish(daily("A", &["A", "B"])).await;
    let Body::Because(because) = &refused.body else { panic!("{refused:?}") };
    assert!(because.sentence.as_str().contains("answered already"));

    // Members see no right answer, operators and observers all that was answered.
    let question = stage.quiz("daily").await.questions.as_slice()[0].clone();
    assert_eq!((question.right.as_str(), question.places_left), ("", 0));
    let results = stage.results("daily").await.questions.as_slice()[0].clone();
    let options: Vec<_> =
        results.options.as_slice().iter().map(|it| (it.option.to_string(), it.right, it.times)).collect();
    assert_eq!((options, results.places_taken), (vec![("A".into(), 0, 1), ("B".into(), 1, 4)], 3));

    // Closed to the millisecond, unless it is made to stay open.
    stage.at("2026-11-20 20:00:59.999").await;
    let longer = ("daily", "2026-11-20", "B", &["A", "B"][..], "2026-11-20 20:00", "2026-11-20 20:02");
    assert_eq!(stage.publish(longer).await.body.name(), "QuestionPublished");
    stage.at("2026-11-20 20:01:59.999").await;
    answered(stage.answer(6, "daily", "2026-11-20", "A").await);
    stage.at("2026-11-20 20:02").await;
    let late = stage.answer_answer(2, "daily", "2026-11-20", "B").await;
    assert_eq!(stage.refused(late), answer::CLOSED);
    assert_eq!(stage.quiz("daily").await.questions.as_slice()[0].right.as_str(), "B", "now everybody may know");
    let again = ("daily", "2026-11-20", "B", &["A", "B"][..], "2026-11-20 20:00", "2026-11-20 22:00");
    let refused = stage.publish(again).await;
    let Body::Because(because) = &refused.body else { panic!("{refused:?}") };
    assert!(because.sentence.as_str().contains("it has closed"), "nobody answers once the answer is known");

    // A second question of the day: eighty points a day and no more.
    let second = ("daily", "2026-11-20-b", "A", &["A", "B"][..], "2026-11-20 21:00", "2026-11-20 21:01");
    stage.publish(second).await;
    stage.at("2026-11-20 21:00:30").await;
    let told = answered(stage.answer(1, "daily", "2026-11-20-b", "A").await);
    assert_eq!((told.before, told.after), (62, 80), "62 points, of which the day leaves 18");

    // The riddle, beside it: three tries, of which the right one is the last.
    let riddle = ("riddle", "w47", "42", &["6", "9", "42"][..], "2026-11-20 21:00", "2026-11-27 21:00");
    stage.publish(riddle).await;
    assert_eq!(answered(stage.answer(5, "riddle", "w47", "6").await).left, 2);
    let told = answered(stage.answer(5, "riddle", "w47", "42").await);
    assert_eq!((told.right, told.left, told.after), (1, 0, 12 + 30));
    let done = stage.answer_answer(5, "riddle", "w47", "9").await;
    assert_eq!(stage.refused(done), answer::ANSWERED_RIGHT);
    stage.close().await;
}
