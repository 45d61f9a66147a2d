//! What is said of members and asked of them: days that are filled in, zones, tags, invitations, quizzes; live and recovered alike (I5).

use tidegate::storage::Loss;
use tidegate_protocol::answer::{ProfileView, QuizView};
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{
    AcceptInvitation, AnswerQuestion, GetProfile, GetQuiz, MakeUp, RecordCheckIn, SetTag, SetZone,
};
use tidegate_protocol::operator::PublishQuestion;
use tidegate_protocol::{List, Prose};

use super::*;

/// A programme with something of everything that is said and asked.
fn club() -> String {
    let more = r#"
[right.card]
expires = "never"
[activity.read]
points = 2
[quiz.live]
attempts = 2
right = 3
took_part = 1
first = { places = 2, points = 4 }
[referral]
within = "7d"
until = "30d"
qualifies = { order = "20.00" }
from = { tags = ["koc"] }
per_inviter = { times = 3, each = "month" }
inviter = { points = 6 }
invitee = { right = "card" }
"#;
    let club = super::club("club", more);
    let club = club.replace("channels = [\"mall\"]", "channels = [\"mall\"]\ntags = [\"koc\"]");
    club.replace(
        "check-in = { points = 5 }",
        "check-in = { points = 5, streak = [{ day = 3, bonus = 4 }], late = \"3d\", \
         make_up = { within = \"7d\", card = \"card\", earns = true }, zones = [\"America/New_York\"] }",
    )
}

pub(super) fn question(number: u64, now_ms: i64) -> PublishQuestion {
    let text = asking::text;
    PublishQuestion {
        programme: text("club"),
        quiz: text("live"),
        question: text(&format!("q-{number}")),
        text: Prose::cut("A or B?"),
        options: List::cut([text("A"), text("B")]),
        right: text("B"),
        opens_ms: now_ms - 1,
        closes_ms: now_ms + DAY_MS,
    }
}

impl Client<'_> {
    pub(super) fn profile(&mut self, member: u64) -> ProfileView {
        self.ask(op::GET_PROFILE, &GetProfile { member: asking::member(member) }).read()
    }

    pub(super) fn quiz(&mut self) -> QuizView {
        self.ask(op::GET_QUIZ, &GetQuiz { quiz: asking::text("live") }).read()
    }
}

/// A directory whose members have something of it all, in snapshots and behind them.
pub(super) fn lived() -> Memory {
    let memory = Memory::new();
    let mut opened = open(&memory, options(2, Limits::default()));
    live(&mut opened, false);
    opened.flusher.close().unwrap();
    memory.power_loss(Loss::Kept)
}

/// `dry`: as [`Client::dry`] says.
pub(super) fn live(opened: &mut Opened, dry: bool) {
    let store = opened.store.clone();
    store.activate(bundle(&club()), 0, false, NOON_MS - DAY_MS).unwrap();
    let mut client = Client { dry, ..Client::new(&store) };
    for round in 0..4u64 {
        store.publish_question(&question(round, client.now_ms), client.now_ms).unwrap();
        for number in 0..4 + round {
            let member = asking::member(number);
            client.enrol(number);
            client.ask(op::SET_TAG, &SetTag { member, tag: asking::text("koc"), on: 1 });
            let inviter = asking::member(number / 2);
            client.ask(op::ACCEPT_INVITATION, &AcceptInvitation { member, inviter });
            if number % 3 == 1 {
                client.ask(op::SET_ZONE, &SetZone { member, zone: asking::text("America/New_York") });
            }
            client.check_in(number);
            let happened_ms = client.now_ms - DAY_MS;
            client.ask(op::RECORD_CHECK_IN, &RecordCheckIn { member, happened_ms });
            client.ask(op::MAKE_UP, &MakeUp { member, day: (client.now_ms / DAY_MS) as i32 - 2 });
            client.order(number, &format!("{round}-{number}"), 15 + number as i64 * 4);
            let [quiz, asked] = [asking::text("live"), asking::text(&format!("q-{round}"))];
            let answer = asking::text(if (number + round) % 2 == 0 { "A" } else { "B" });
            client.ask(op::ANSWER_QUESTION, &AnswerQuestion { member, quiz, question: asked, answer });
            drain(opened);
        }
        client.now_ms += 3 * DAY_MS;
        store.sweep(client.now_ms, 3);
        drain(opened);
        if (1..3).contains(&round) {
            snapshot(opened, |_| {});
        }
    }
}

#[test]
fn who_has_days_tags_invitations_and_answers_is_recovered_as_it_was() {
    let memory = lived();
    let opened = open(&memory, options(2, Limits::default()));
    assert!(opened.recovery.records > 0 && opened.recovery.snapshot.is_some());
    let live_on = Memory::new();
    let mut other = open(&live_on, options(2, Limits::default()));
    live(&mut other, false);
    let (books, live) = (opened.store.books(), other.store.books());
    assert!(books.balance(), "{books:?}");
    assert_eq!((books.state_hash, books.programmes), (live.state_hash, live.programmes));
    // There is something of it all.
    let mut client = Client { now_ms: NOON_MS + 11 * DAY_MS, ..Client::new(&opened.store) };
    let profiles: Vec<_> = (0..7).map(|member| client.profile(member)).collect();
    assert!(profiles.iter().any(|profile| !profile.runs.as_slice().is_empty()));
    assert!(profiles.iter().any(|profile| profile.invited == 2) && profiles.iter().any(|it| it.introduced > 0));
    assert!(profiles.iter().any(|profile| profile.zone.as_str() == "America/New_York"));
    assert_eq!(client.quiz().questions.as_slice().len(), 4);
    // A question goes on being closed, and its answer told.
    let member = asking::member(0);
    let [quiz, question, told] = ["live", "q-0", "B"].map(asking::text);
    let refused = client.ask(op::ANSWER_QUESTION, &AnswerQuestion { member, quiz, question, answer: told });
    assert_eq!(refused.code, answer::CLOSED);
}
