//! Dry runs: what one says is what then comes of the request, and it changes nothing.

use tidegate_protocol::answer::WouldBe;
use tidegate_protocol::code::{Applied, answer, row};
use tidegate_protocol::operation::DryRun;
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
    for live in [said::live, claims::live] {
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
