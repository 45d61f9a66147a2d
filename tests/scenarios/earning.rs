//! What is earned: orders from every channel and with lines, and what members do beside buying.

use tidegate_protocol::Body;
use tidegate_protocol::code::answer;

use super::stage::{Sale, Stage};

/// Orders from all channels come to one balance, by stated rates on a stated base, each once.
#[tokio::test]
async fn orders_from_every_channel_by_stated_rates() {
    let mut stage = Stage::open("all-channels", "2026-11-11 00:00").await;
    stage.enrol(1).await;
    let balance = async |stage: &Stage| stage.member(1).await.balance;
    stage.sale(1, Sale { channel: "taobao", number: "1", ..Sale::of(&[("", 10_099)]) }).await;
    assert_eq!(balance(&stage).await, 100, "a point a yuan");
    stage.sale(1, Sale { channel: "douyin", number: "1", ..Sale::of(&[("", 10_099)]) }).await;
    assert_eq!(balance(&stage).await, 100 + 200, "the same number in another channel is another order");
    stage.sale(1, Sale { channel: "store", store: "flagship-sh", number: "1", ..Sale::of(&[("", 10_099)]) }).await;
    assert_eq!(balance(&stage).await, 300 + 151);
    // The store's rate goes before the channel's, a category's before both; lines of one rate are added up.
    let lines = [("", 5_050), ("", 5_049), ("gift-card", 100_000), ("subscription", 1)];
    stage.sale(1, Sale { channel: "douyin", store: "flagship-sh", number: "2", ..Sale::of(&lines) }).await;
    assert_eq!(balance(&stage).await, 451 + 151 + 88);
    // Neither a coupon nor points nor freight count.
    let sale = Sale {
        coupon_minor: 2_000,
        points_minor: 3_000,
        freight_minor: 1_000,
        number: "3",
        ..Sale::of(&[("", 15_000)])
    };
    stage.sale(1, sale).await;
    assert_eq!(balance(&stage).await, 690 + 100);
    // The children's brand by steps.
    for (number, minor, points) in [("4", 9_999, 0), ("5", 10_000, 50), ("6", 30_000, 200)] {
        let before = balance(&stage).await;
        stage.sale(1, Sale { brand: "house-kids", channel: "own-mall", number, ..Sale::of(&[("", minor)]) }).await;
        assert_eq!(balance(&stage).await - before, points);
    }
    // Two thousand points a day and no more; what goes beyond is cut, and the order recorded.
    let Body::Recorded(told) = stage.sale(1, Sale { number: "7", ..Sale::of(&[("", 500_000)]) }).await else {
        panic!("it is recorded")
    };
    assert_eq!((told.before, told.after), (1_040, 2_000));
    // The day is that on which it was paid: late orders of the day before have a cap of their own.
    stage.sale(1, Sale { paid_at: Some("2026-11-10 23:59:59"), number: "8", ..Sale::of(&[("", 10_000)]) }).await;
    assert_eq!(balance(&stage).await, 2_000, "a later day was counted already: it stands for the day before");

    // Out of order, twice, with other contents, from nowhere, and what does not add up.
    assert_eq!(stage.sale(1, Sale { number: "3", ..sale }).await.name(), "AlreadyRecorded");
    assert_eq!(stage.sale(1, Sale { number: "3", freight_minor: 0, ..sale }).await.name(), "KeyConflict");
    let nowhere = stage.sale_answer(1, Sale { channel: "tabao", number: "9", ..Sale::of(&[("", 1)]) }).await;
    assert_eq!(stage.refused(nowhere), answer::UNKNOWN_CHANNEL);
    let nobody = stage.sale_answer(1, Sale { brand: "hause", number: "9", ..Sale::of(&[("", 1)]) }).await;
    assert_eq!(stage.refused(nobody), answer::UNKNOWN_BRAND);
    let beyond = stage.sale_answer(1, Sale { coupon_minor: 2, number: "9", ..Sale::of(&[("", 1)]) }).await;
    assert_eq!(stage.refused(beyond), answer::INVALID_AMOUNT);
    let empty = stage.sale_answer(1, Sale { number: "9", ..Sale::of(&[]) }).await;
    assert_eq!(stage.refused(empty), answer::INVALID_AMOUNT);
    let early =
        stage.sale_answer(1, Sale { paid_at: Some("2026-11-11 00:11"), number: "9", ..Sale::of(&[("", 1)]) }).await;
    assert_eq!(stage.refused(early), answer::PAID_IN_THE_FUTURE);
    let old =
        stage.sale_answer(1, Sale { paid_at: Some("2026-08-01 00:00"), number: "9", ..Sale::of(&[("", 1)]) }).await;
    assert_eq!(stage.refused(old), answer::TOO_OLD);
    stage.at("2026-11-12 00:00").await;
    stage.sale(1, Sale { number: "10", ..Sale::of(&[("", 10_000)]) }).await;
    assert_eq!(balance(&stage).await, 2_100, "a new day");
    stage.close().await;
}

/// Interaction earns points: check-in after check-in, articles, the group, the live stream; each within its caps.
#[tokio::test]
async fn interaction_earns_points_within_its_caps() {
    // A Monday.
    let mut stage = Stage::open("community", "2026-06-01 08:00").await;
    stage.enrol(1).await;
    assert_eq!(stage.member(1).await.balance, 20, "the gift for joining");
    stage.check_in(1).await;
    for day in 2..=7 {
        stage.at(&format!("2026-06-0{day} 08:00")).await;
        stage.check_in(1).await;
    }
    let view = stage.member(1).await;
    assert_eq!((view.streak, view.balance), (7, 20 + 7 * 2 + 3 + 10));

    // Sunday. Five articles a day; half a minute is none, and one event is told twice.
    let read =
        async |stage: &Stage, key: &str, seconds: i64| stage.act(1, "read-article", key, &[("seconds", seconds)]).await;
    let Body::NotReached(told) = read(&stage, "a-0", 30).await else { panic!("read for half a minute") };
    assert_eq!((told.field.as_str(), told.told, told.least), ("seconds", 30, 60));
    for number in 1..=6 {
        let Body::ActivityRecorded(_) = read(&stage, &format!("a-{number}"), 75).await else { panic!("it counts") };
    }
    assert_eq!(read(&stage, "a-6", 75).await.name(), "AlreadyRecorded");
    assert_eq!(read(&stage, "a-6", 76).await.name(), "KeyConflict");
    assert_eq!(stage.member(1).await.balance, 47 + 5 * 3);
    let Body::FieldMissing(told) = stage.act(1, "read-article", "a-7", &[]).await else { panic!("no seconds") };
    assert_eq!(told.field.as_str(), "seconds");
    let unknown = stage.act_answer(1, "read-articles", "a-7", &[("seconds", 75)]).await;
    assert_eq!(stage.refused(unknown), answer::UNKNOWN_ACTIVITY);

    // The group, once a day and three times a week, without a key: its id is its key.
    for day in ["2026-06-08", "2026-06-09", "2026-06-10", "2026-06-11"] {
        stage.at(&format!("{day} 20:00")).await;
        stage.act(1, "group-chat", "", &[]).await;
        stage.act(1, "group-chat", "", &[]).await;
    }
    assert_eq!(stage.member(1).await.balance, 62 + 3 * 5);
    let caps = stage.standing(1).await.caps.as_slice().to_vec();
    let week = caps.iter().find(|cap| (cap.rule.as_str(), cap.each) == ("group-chat", 2)).unwrap();
    assert_eq!((week.most, week.used, week.of), (3, 3, 2));

    // The live stream by the ten minutes, forty points a month.
    let Body::NotReached(_) = stage.act(1, "live-stream", "l-1", &[("minutes", 14)]).await else { panic!("too short") };
    stage.act(1, "live-stream", "l-1", &[("minutes", 39)]).await;
    assert_eq!(stage.member(1).await.balance, 77 + 12);
    stage.act(1, "live-stream", "l-2", &[("minutes", 90)]).await;
    assert_eq!(stage.member(1).await.balance, 89 + 28, "36 points, of which the month leaves 28");
    stage.close().await;
}

/// Community actions from registering to staying, told late or too late.
#[tokio::test]
async fn community_actions_and_staying_for_thirty_days() {
    let mut stage = Stage::open("community", "2026-06-01 10:00").await;
    stage.enrol(1).await;
    stage.act(1, "register", "p-1", &[]).await;
    stage.act(1, "register", "p-2", &[]).await;
    assert_eq!(stage.member(1).await.balance, 20 + 30, "once in a life");
    let due = stage.standing(1).await.benefits.as_slice().to_vec();
    let stayed_ms = stage.instant_ms("2026-07-02 00:00");
    assert_eq!((due[0].slug.as_str(), due[0].due_ms), ("stayed-30-days", stayed_ms));

    // Read on Wednesday, told on Friday: it counts for Wednesday. Two days and no more.
    stage.at("2026-06-05 10:00").await;
    let at = |stage: &Stage, reading: &str| stage.instant_ms(reading);
    let late = at(&stage, "2026-06-03 10:00");
    let Body::ActivityRecorded(_) = stage.acted(1, "read-article", "a-1", late, &[("seconds", 60)]).await.body else {
        panic!("two days ago")
    };
    let too_late = stage.acted(1, "read-article", "a-2", late - 1, &[("seconds", 60)]).await;
    assert_eq!(stage.refused(too_late), answer::TOO_LATE);
    let ahead = stage.acted(1, "read-article", "a-3", at(&stage, "2026-06-05 10:10:01"), &[("seconds", 60)]).await;
    assert_eq!(stage.refused(ahead), answer::IN_THE_FUTURE);
    assert_eq!(stage.member(1).await.balance, 53);

    // The joining gift expires with its thirtieth day, in the moment in which thirty days are stayed.
    stage.at("2026-07-01 23:59:59.999").await;
    assert_eq!(stage.member(1).await.balance, 53);
    stage.at("2026-07-02 00:00").await;
    let year_end_ms = stage.instant_ms("2027-01-01 00:00");
    assert_eq!(stage.expiries(1).await, [(30, year_end_ms), (3, year_end_ms), (100, year_end_ms)]);
    stage.at("2026-09-01 00:00").await;
    assert_eq!(stage.member(1).await.balance, 133, "once");
    stage.close().await;
}

/// What a radar sees: read for four minutes, passed on to two friends; opened and left is nothing.
#[tokio::test]
async fn behaviour_counts_from_its_thresholds_on() {
    let mut stage = Stage::open("behaviour-radar", "2026-04-13 09:00").await;
    stage.enrol(1).await;
    let Body::NotReached(_) = stage.act(1, "content-read", "c-1", &[("seconds", 239)]).await else { panic!("left") };
    stage.act(1, "content-read", "c-1", &[("seconds", 240)]).await;
    assert_eq!(stage.member(1).await.balance, 8);
    let fields = |seconds: i64, friends: i64| [("seconds", seconds), ("friends", friends)];
    let Body::NotReached(told) = stage.act(1, "content-forwarded", "c-1", &fields(300, 1)).await else {
        panic!("to one friend")
    };
    assert_eq!((told.field.as_str(), told.least), ("friends", 2));
    stage.act(1, "content-forwarded", "c-1", &fields(300, 5)).await;
    assert_eq!(stage.member(1).await.balance, 8 + 20, "for every two friends");
    stage.act(1, "content-forwarded", "c-2", &fields(300, 40)).await;
    assert_eq!(stage.member(1).await.balance, 28 + 30, "at most thirty at once");
    stage.act(1, "content-forwarded", "c-3", &fields(300, 40)).await;
    assert_eq!(stage.member(1).await.balance, 58 + 10, "and sixty a week");
    stage.at("2026-04-20 00:00").await;
    stage.act(1, "content-forwarded", "c-4", &fields(300, 4)).await;
    assert_eq!(stage.member(1).await.balance, 68 + 20, "a new week");
    stage.close().await;
}
