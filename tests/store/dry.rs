//! Dry runs: what one says is what then comes of the request, and it changes nothing.

use tidegate_protocol::answer::WouldBe;
use tidegate_protocol::code::{Applied, answer, row};
use tidegate_protocol::operation::{AnswerQuestion, DryRun};
use tidegate_protocol::{Encode, MemberKey, encode};

use super::*;

/// What a dry run of a request says; `None` of such as have none.
pub(super) fn would_be<T: Encode>(client: &mut Client<'_>, op: u16, body: &T) -> Option<WouldBe> {
    if op >= op::GET_MEMBER || op == op::CLAIM_ORDER || op == op::REPORT_ORDER {
        return None;
    }
    let mut bytes = Vec::new();
    encode(body, &mut bytes);
    let member = MemberKey(bytes[..16].try_into().unwrap());
    let dry = DryRun { member, code: op, body: bytes.try_into().unwrap() };
    // Its id plays no part: not even one that is none.
    let told = asking::ask(client.store, client.now_ms, &request(op::DRY_RUN, 1, RequestId([0; 16]), &dry));
    assert_eq!(told.code, answer::WOULD_BE);
    Some(told.read())
}

/// Holds what a dry run said against what came of it.
pub(super) fn compare(op: u16, would: &Option<WouldBe>, told: &Told) {
    let Some(would) = would else { return };
    assert_eq!(would.code, told.code, "of operation {op:#06x}");
    let applied = row(told.code).unwrap().applied == Applied::Yes;
    // Behind the entry in the ledger, which comes behind those of what is due.
    let from = if applied { 16 } else { 0 };
    match told.code {
        answer::ANSWERED => assert!(would.body.as_slice().is_empty(), "which answer is right is not told"),
        _ => assert_eq!(would.body.as_slice()[from..], told.body[from..], "of operation {op:#06x}"),
    }
}

#[test]
fn a_dry_run_says_what_comes_of_a_request_and_changes_nothing() {
    for live in [said::live, claims::live, holds::live] {
        let books = [false, true].map(|dry| {
            let mut opened = open(&Memory::new(), options(2, Limits::default()));
            live(&mut opened, dry);
            opened.store.books()
        });
        assert!(books[0].balance(), "{books:?}");
        assert_eq!(books[0].state_hash, books[1].state_hash);
    }
}

#[test]
fn a_dry_run_is_of_a_change_of_the_member_that_is_named() {
    let (_, opened) = opened_with(&club("club", &hot(1, 9, 9, 9)), options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    client.enrol(1);
    let mut ask = |code: u16, body: Vec<u8>| {
        let dry = DryRun { member: asking::member(1), code, body: body.try_into().unwrap() };
        client.ask(op::DRY_RUN, &dry).code
    };
    let bytes = |number: u64| asking::member(number).0.to_vec();
    assert_eq!(ask(op::CHECK_IN, bytes(1)), answer::WOULD_BE);
    assert_eq!(ask(op::CHECK_IN, bytes(2)), answer::NO_DRY_RUN, "another member");
    assert_eq!(ask(op::CHECK_IN, bytes(1)[..15].to_vec()), answer::MALFORMED_BODY);
    assert_eq!(ask(0x0040, bytes(1)), answer::UNKNOWN_OPERATION);
    for code in [op::GET_MEMBER, op::CLAIM_ORDER, op::REPORT_ORDER, op::DRY_RUN, op::GET_STATUS, u16::MAX] {
        assert_eq!(ask(code, bytes(1)), answer::NO_DRY_RUN, "{code:#06x}");
    }
    // Who may only look may ask, and hears of no limit of the server's.
    let dry = DryRun { member: asking::member(1), code: op::CHECK_IN, body: bytes(1).try_into().unwrap() };
    let asked = request(op::DRY_RUN, 1, client.mint(), &dry);
    let later = Some(tidegate::store::Later::NotAllowed);
    let told = asking::ask_as(&opened.store, NOON_MS, &asked, &tidegate::store::Scope::All, later);
    assert_eq!(told.read::<WouldBe>().code, answer::CHECKED_IN);
}

/// Also where no points fit any more, so that the right answer would be refused.
#[test]
fn a_dry_run_of_an_answer_does_not_tell_whether_it_is_right() {
    let quiz = "[quiz.live]\nright = 3\nexpires = \"never\"\n";
    let programme =
        club("club", quiz).replace("points = 5 }", "points = 5, expires = \"60 months from grant, to end of day\" }");
    let (_, mut opened) = opened_with(&programme, options(1, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    // A thousand lots: those of two days that end with the same are one.
    for _ in 0..1_001 {
        assert_eq!(client.check_in(1).code, answer::CHECKED_IN);
        client.now_ms += DAY_MS;
        drain(&mut opened);
    }
    store.publish_question(&said::question(0, client.now_ms), client.now_ms).unwrap();
    for option in ["A", "B"] {
        let [quiz, question, answer] = ["live", "q-0", option].map(asking::text);
        let body = AnswerQuestion { member: asking::member(1), quiz, question, answer };
        let would = would_be(&mut client, op::ANSWER_QUESTION, &body).unwrap();
        assert_eq!((would.code, would.body.as_slice().len()), (answer::ANSWERED, 0), "{option}");
    }
    let [quiz, question, right] = ["live", "q-0", "B"].map(asking::text);
    let told =
        client.ask(op::ANSWER_QUESTION, &AnswerQuestion { member: asking::member(1), quiz, question, answer: right });
    assert_eq!(told.code, answer::TOO_MANY_LOTS);
}
