//! The checker itself: it takes what may be, and rejects every bug that is planted by editing a history.

use tidegate_history::{Ask, Event, NEVER, Rules, Seen, Totals, check_members, check_quota};

const RULES: Rules = Rules { check_in: 5, price: 10, times: 2 };

fn event(began: u64, ended: u64, ask: Ask, seen: Seen) -> Event {
    Event { member: 1, ask, seen, began, ended }
}

fn order(number: u8) -> Ask {
    Ask::Order { number, points: 30 }
}

fn recorded(before: i64) -> Seen {
    Seen::Recorded { before, after: before + 30 }
}

fn granted(before: i64, grant: u64) -> Seen {
    Seen::Granted { before, after: before - 10, grant }
}

fn view(balance: i64, earned: i64, used: u32) -> Seen {
    Seen::View { balance, earned, used, last_day: None }
}

/// Enrolled, an order beside a redemption that comes after it, reads between and beside them.
fn sound() -> Vec<Event> {
    vec![
        event(0, 1, Ask::Enrol, Seen::Enrolled),
        event(2, 9, Ask::Redeem, granted(30, 1)),
        event(3, 8, order(1), recorded(0)),
        event(4, 7, Ask::Get, view(30, 30, 0)),
        event(10, 11, Ask::Get, view(20, 30, 1)),
        event(12, 13, Ask::Redeem, granted(20, 2)),
        event(14, 15, Ask::Redeem, Seen::LimitReached { used: 2 }),
        event(16, 17, Ask::Get, view(10, 30, 2)),
    ]
}

fn accepted(events: &[Event]) -> bool {
    check_members(&RULES, events).is_ok()
}

#[test]
fn a_sound_history_is_taken_whatever_the_order_of_its_events() {
    assert!(accepted(&sound()));
    let mut backwards = sound();
    backwards.reverse();
    assert!(accepted(&backwards));
    assert!(accepted(&[]));
}

#[test]
fn a_stale_read_is_rejected() {
    let mut events = sound();
    // What was true before the redemption, read after it was told.
    events[4].seen = view(30, 30, 0);
    assert!(!accepted(&events));
    // Beside it, it may be.
    (events[4].began, events[4].ended) = (5, 6);
    assert!(accepted(&events));
}

#[test]
fn a_lost_update_is_rejected() {
    let mut events = sound();
    // Both redemptions began from the same balance: one of them was written over.
    events[5].seen = granted(30, 2);
    events[7].seen = view(20, 30, 2);
    assert!(!accepted(&events));
    // An order that was told and is not there.
    let mut events = sound();
    events[7].seen = view(-20, 0, 2);
    assert!(!accepted(&events));
}

#[test]
fn an_order_recorded_twice_and_a_limit_passed_are_rejected() {
    let mut events = sound();
    events.push(event(18, 19, order(1), recorded(10)));
    assert!(!accepted(&events));
    events.pop();
    events.push(event(18, 19, order(1), Seen::AlreadyRecorded));
    assert!(accepted(&events));
    events.push(event(20, 21, Ask::Redeem, granted(10, 3)));
    assert!(!accepted(&events));
}

#[test]
fn a_call_without_an_answer_may_have_happened_or_not_but_only_after_it_began() {
    let unknown = |began| event(began, NEVER, order(2), Seen::Unknown);
    let seen = |balance, earned| event(20, 21, Ask::Get, view(balance, earned, 2));
    let with = |more: &[Event]| accepted(&[sound(), more.to_vec()].concat());
    assert!(with(&[unknown(18)]));
    assert!(with(&[unknown(18), seen(10, 30)]), "it did not happen");
    assert!(with(&[unknown(18), seen(40, 60)]), "it did");
    assert!(!with(&[seen(40, 60), unknown(22)]), "it had not begun");
    assert!(!with(&[unknown(18), seen(40, 60), event(22, 23, Ask::Get, view(10, 30, 2))]), "what happened stays");
    assert!(!with(&[unknown(18), seen(70, 90)]), "it happens once");
}

#[test]
fn members_are_apart() {
    let mut events = sound();
    events.extend(sound().into_iter().map(|event| Event { member: 2, ..event }));
    assert!(accepted(&events));
    events[12].seen = view(0, 0, 0);
    let rejected = check_members(&RULES, &events).map_err(|rejected| (rejected.member, rejected.events.len()));
    assert_eq!(rejected, Err((2, 8)));
}

fn totals(quota: u64, granted: u64) -> Totals {
    Totals { quota, granted }
}

#[test]
fn quotas_are_exact() {
    let events = sound();
    assert_eq!(check_quota(&events, totals(2, 2)), Ok(()));
    assert_eq!(check_quota(&events, totals(9, 2)), Ok(()), "demand did not suffice");
    assert!(check_quota(&events, totals(1, 1)).is_err(), "one too many");
    assert!(check_quota(&events, totals(9, 1)).is_err(), "a grant is not counted");
    assert!(check_quota(&events, totals(9, 3)).is_err(), "one is counted that nobody asked for");
    let mut again = sound();
    again[5].seen = granted(20, 1);
    assert!(check_quota(&again, totals(9, 2)).is_err(), "a number given twice");
    let mut swapped = sound();
    (swapped[1].seen, swapped[5].seen) = (granted(30, 2), granted(20, 1));
    assert!(check_quota(&swapped, totals(9, 2)).is_err(), "numbers fall");
}

#[test]
fn sold_out_is_only_told_when_it_is() {
    let sold_out = |began, ended| event(began, ended, Ask::Redeem, Seen::SoldOut);
    let with = |more: &[Event], totals| check_quota(&[sound(), more.to_vec()].concat(), totals);
    assert_eq!(with(&[sold_out(18, 19)], totals(2, 2)), Ok(()));
    assert!(with(&[sold_out(18, 19)], totals(3, 2)).is_err(), "a unit is free");
    assert!(with(&[sold_out(6, 11)], totals(2, 2)).is_err(), "the second had not been asked for");
    let unknown = event(5, NEVER, Ask::Redeem, Seen::Unknown);
    assert_eq!(with(&[unknown, sold_out(18, 19)], totals(3, 3)), Ok(()), "who had no answer may have it");
    assert!(with(&[unknown, sold_out(18, 19)], totals(3, 2)).is_err(), "then it is granted");
}
