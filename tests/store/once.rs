//! At most once, for ever: ids, windows, marks, orders and their horizon; programmes apart; bounds.

use tidegate::storage::Loss;
use tidegate::store::{ActivationError, Later, Limits, Scope};
use tidegate_protocol::answer::{AlreadyRecorded, Recorded};
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::operation::{CheckIn, Enrol, GetOutcome, RecordOrder, Redeem};
use tidegate_protocol::refusal::{Stale, TooOld};

use super::asking::{self, DEADLINE_MS, ask, ask_as, id, ledger_has, member, request};
use super::{Client, DAY_MS, NOON_MS, bundle, club, drain, hot, open, opened_with, options, order};

#[test]
fn the_rows_of_the_table_hold_in_their_order() {
    let (_, opened) = opened_with(&club("club", &hot(9, 100, 100, 100)), options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    client.enrol(1);
    client.order(1, "1", 500);
    let first = client.mint();
    let body = Redeem { member: member(1), campaign: 1, offer: 1 };
    let told = client.ask_with(first, op::REDEEM, &body);
    assert_eq!(told.code, answer::GRANTED);
    // Row 1, also past the deadline.
    for now_ms in [NOON_MS, NOON_MS + 10 * i64::from(DEADLINE_MS)] {
        let again = ask(&opened.store, now_ms, &request(op::REDEEM, 1, first, &body));
        assert_eq!((again.code, &again.body), (told.code, &told.body));
    }
    // Row 2, for another body and for another operation.
    let other = Redeem { offer: 2, ..body };
    assert_eq!(client.ask_with(first, op::REDEEM, &other).code, answer::ID_CONFLICT);
    assert_eq!(client.ask_with(first, op::CHECK_IN, &CheckIn { member: member(1) }).code, answer::ID_CONFLICT);
    // Row 3: four newer answers push the first out.
    let newer: Vec<_> = (0..4).map(|_| client.redeem(1, 1, 1).code).collect();
    assert_eq!(newer, [answer::GRANTED; 4]);
    let stale = client.ask_with(first, op::REDEEM, &body);
    assert_eq!((stale.code, stale.read::<Stale>().mark), (answer::STALE, first));
    assert_eq!(client.member(1).mark, first);
    assert_eq!(client.ask_with(first, op::REDEEM, &other).code, answer::STALE);
    // Row 4 and 5; neither is remembered.
    let late = id(NOON_MS - i64::from(DEADLINE_MS) - 1, 99);
    assert_eq!(
        ask(&opened.store, NOON_MS, &request(op::CHECK_IN, 1, late, &CheckIn { member: member(1) })).code,
        answer::STALE
    );
    client.enrol(2);
    let late_of_another = request(op::CHECK_IN, 1, late, &CheckIn { member: member(2) });
    assert_eq!(ask(&opened.store, NOON_MS, &late_of_another).code, answer::EXPIRED);
    let ahead = request(op::CHECK_IN, 1, id(NOON_MS + 5_001, 1), &CheckIn { member: member(2) });
    assert_eq!(ask(&opened.store, NOON_MS, &ahead).code, answer::ID_AHEAD);
    // Row 6, of the very same bytes a moment later.
    assert_eq!(ask(&opened.store, NOON_MS + 1, &ahead).code, answer::CHECKED_IN);
    assert_eq!(client.member(1).balance, 500 - 50);
}

#[test]
fn a_refused_request_is_not_remembered_and_may_succeed_later() {
    let (_, opened) = opened_with(&club("club", &hot(1, 100, 100, 100)), options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    client.enrol(1);
    let id = client.mint();
    let body = Redeem { member: member(1), campaign: 1, offer: 1 };
    assert_eq!(client.ask_with(id, op::REDEEM, &body).code, answer::NOT_ENOUGH_POINTS);
    client.order(1, "1", 100);
    assert_eq!(client.ask_with(id, op::REDEEM, &body).code, answer::GRANTED);
    assert_eq!(client.ask_with(id, op::REDEEM, &body).code, answer::GRANTED);
    assert_eq!(client.member(1).balance, 90);
}

#[test]
fn a_full_pool_forgets_with_a_mark_and_the_ledger_still_knows() {
    let limits = Limits { answers: 8, ..Limits::default() };
    let (memory, mut opened) = opened_with(&club("club", ""), options(2, limits));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    let ids: Vec<_> = (0..100).map(|_| client.mint()).collect();
    for (number, id) in (0u64..).zip(&ids) {
        assert_eq!(client.ask_with(*id, op::ENROL, &Enrol { member: member(number) }).code, answer::ENROLLED);
    }
    drain(&mut opened);
    let count = |store: &tidegate::store::Store, opened: &super::Opened| {
        let (mut remembered, mut stale) = (0, 0);
        for (number, id) in (0u64..).zip(&ids) {
            let told = ask(store, NOON_MS, &request(op::ENROL, 1, *id, &Enrol { member: member(number) }));
            match told.code {
                answer::ENROLLED => remembered += 1,
                answer::STALE => {
                    stale += 1;
                    assert_eq!(told.read::<Stale>().mark, *id);
                    let body = GetOutcome { member: member(number), id: *id };
                    let search = ask(store, NOON_MS, &request(op::GET_OUTCOME, 1, ids[0], &body)).search.unwrap();
                    assert!(ledger_has(&opened.flusher.state().pages, &search));
                }
                code => panic!("{}", tidegate_protocol::code::name(code)),
            }
        }
        (remembered, stale)
    };
    assert_eq!(count(&store, &opened), (8, 92));
    let again = open(&memory.power_loss(Loss::Lost), options(2, limits));
    assert_eq!(count(&again.store, &again), (8, 92));
}

#[test]
fn an_order_is_recorded_once_for_ever() {
    let limits = Limits::default();
    let (memory, mut opened) = opened_with(&club("club", ""), options(2, limits));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    client.enrol(2);
    let paid = order(1, "N-1", 10, NOON_MS);
    let first: Recorded = client.ask(op::RECORD_ORDER, &paid).read();
    let again: AlreadyRecorded = client.ask(op::RECORD_ORDER, &paid).read();
    assert_eq!(first.ledger, again.ledger);
    // Other contents, and the same order for somebody else.
    for other in [order(1, "N-1", 11, NOON_MS), order(2, "N-1", 10, NOON_MS)] {
        assert_eq!(client.ask(op::RECORD_ORDER, &other).code, answer::KEY_CONFLICT);
    }
    // Beyond the horizon, before and after it is forgotten, in memory and on disk.
    client.now_ms += 31 * DAY_MS;
    assert_eq!(client.ask(op::RECORD_ORDER, &paid).code, answer::ALREADY_RECORDED);
    store.maintain(client.now_ms);
    assert_eq!(store.order_count(), 0);
    let too_old: TooOld = client.ask(op::RECORD_ORDER, &paid).read();
    assert!(too_old.after_ms >= NOON_MS);
    opened.flusher.turn().unwrap();
    // For ever: a programme that remembers longer brings nothing back.
    let longer = club("club", "").replace("30d", "300d");
    store.activate(bundle(&longer), 1, false, client.now_ms).unwrap();
    assert_eq!(client.ask(op::RECORD_ORDER, &paid).code, answer::TOO_OLD);
    drain(&mut opened);
    let reopened = open(&memory.power_loss(Loss::Lost), options(2, limits));
    let mut client = Client { now_ms: client.now_ms, ..Client::new(&reopened.store).numbered(7) };
    assert_eq!(client.ask(op::RECORD_ORDER, &paid).code, answer::TOO_OLD);
    assert_eq!(client.member(1).balance, 10);
}

#[test]
fn a_number_used_again_after_the_horizon_is_again_recorded_once() {
    let (memory, mut opened) = opened_with(&club("club", ""), options(1, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    for number in 0..50 {
        assert_eq!(client.order(1, &format!("N-{number}"), 10).code, answer::RECORDED);
    }
    client.now_ms += 31 * DAY_MS;
    store.maintain(client.now_ms);
    drain(&mut opened);
    // Recovered from the log, what is forgotten is in the directory until the first maintenance.
    let again = open(&memory.power_loss(Loss::Lost), options(1, Limits::default()));
    let mut client = Client { now_ms: client.now_ms, ..Client::new(&again.store).numbered(7) };
    for number in 0..50 {
        let number = format!("N-{number}");
        assert_eq!(client.order(1, &number, 20).code, answer::RECORDED);
        assert_eq!(client.order(1, &number, 20).code, answer::ALREADY_RECORDED);
    }
    again.store.maintain(client.now_ms);
    assert_eq!(client.order(1, "N-7", 20).code, answer::ALREADY_RECORDED);
    assert_eq!((client.member(1).balance, again.store.order_count()), (50 * 10 + 50 * 20, 50));
}

#[test]
fn an_order_past_its_deadline_is_looked_up_before_it_is_called_expired() {
    let (_, opened) = opened_with(&club("club", ""), options(2, Limits::default()));
    let store = &opened.store;
    let mut client = Client::new(store);
    client.enrol(1);
    let id = client.mint();
    let paid = order(1, "N-1", 10, NOON_MS);
    let first: Recorded = client.ask_with(id, op::RECORD_ORDER, &paid).read();
    let late = |now_ms: i64, order: &RecordOrder| ask(store, now_ms, &request(op::RECORD_ORDER, 1, id, order));
    // The very same bytes, whose first answer was lost; then other contents; then what nobody ever recorded.
    let late_ms = NOON_MS + i64::from(DEADLINE_MS) + 1;
    let again = late(late_ms, &paid);
    assert_eq!((again.code, again.read::<AlreadyRecorded>().ledger), (answer::ALREADY_RECORDED, first.ledger));
    assert_eq!(late(late_ms, &order(1, "N-1", 11, NOON_MS)).code, answer::KEY_CONFLICT);
    assert_eq!(late(late_ms, &order(1, "N-2", 10, NOON_MS)).code, answer::EXPIRED);
    assert_eq!(late(late_ms, &order(9, "N-3", 10, NOON_MS)).code, answer::EXPIRED);
    // Once it is forgotten, nobody knows.
    let forgotten_ms = NOON_MS + 31 * DAY_MS;
    store.maintain(forgotten_ms);
    assert_eq!(late(forgotten_ms, &paid).code, answer::TOO_OLD);
    assert_eq!(client.member(1).balance, 10);
}

#[test]
fn an_amount_beyond_all_sums_is_refused() {
    let (_, opened) = opened_with(&club("club", ""), options(1, Limits::default()));
    let mut client = Client::new(&opened.store);
    for number in 0..3 {
        client.enrol(number);
        let amount_minor = i64::MAX - number as i64;
        let huge = tidegate_protocol::operation::RecordOrder {
            amount_minor,
            ..order(number, &format!("{number}"), 0, NOON_MS)
        };
        assert_eq!(client.ask(op::RECORD_ORDER, &huge).code, answer::INVALID_AMOUNT);
    }
    assert!(opened.store.books().balance());
}

#[test]
fn a_programme_more_than_a_server_can_name_is_refused() {
    let plain =
        |number: u32| format!("programme = \"p{number}\"\nzone = \"UTC\"\ncurrency = \"CNY\"\nbrands = [\"house\"]\n");
    let (_, opened) = opened_with(&plain(1), options(1, Limits::default()));
    let new = |number, dry_run| opened.store.activate(bundle(&plain(number)), 0, dry_run, NOON_MS);
    for number in 2..=1024 {
        assert_eq!(new(number, false).unwrap().programme, number);
    }
    for dry_run in [true, false] {
        assert!(matches!(new(1025, dry_run), Err(ActivationError::Bounds(_))));
    }
    assert_eq!(opened.store.programmes().len(), 1024);
    let changed = bundle(&plain(7).replace("UTC", "Asia/Shanghai"));
    assert_eq!(opened.store.activate(changed, 1, false, NOON_MS).unwrap().version, 2, "those there still change");
}

#[test]
fn programmes_are_apart() {
    let (_, opened) = opened_with(&club("club", &hot(1, 9, 9, 9)), options(2, Limits::default()));
    opened.store.activate(bundle(&club("other", &hot(1, 9, 9, 9))), 0, false, NOON_MS).unwrap();
    let mut one = Client::new(&opened.store);
    let mut other = Client { programme: 2, ..Client::new(&opened.store) };
    // The same member, ids and order numbers, in both.
    for client in [&mut one, &mut other] {
        assert_eq!(client.enrol(1).code, answer::ENROLLED);
        assert_eq!(client.order(1, "N-1", 100).code, answer::RECORDED);
    }
    assert_eq!(one.redeem(1, 1, 1).code, answer::GRANTED);
    assert_eq!((one.member(1).balance, other.member(1).balance), (90, 100));
    assert_eq!((one.campaign(1).granted_ever, other.campaign(1).granted_ever), (1, 0));
    // A scope admits its own alone, whatever is asked.
    let scope = Scope::Only(vec!["other".into()]);
    let check_in = CheckIn { member: member(1) };
    let outcome = GetOutcome { member: member(1), id: id(NOON_MS, 1) };
    for programme in [1, 2] {
        let ids = id(NOON_MS, 1 << 50);
        let told =
            [request(op::CHECK_IN, programme, ids, &check_in), request(op::GET_OUTCOME, programme, ids, &outcome)]
                .map(|bytes| ask_as(&opened.store, NOON_MS, &bytes, &scope, None));
        assert_eq!(told[0].code == answer::NOT_ALLOWED, programme == 1);
        assert_eq!(told[1].code == answer::NOT_ALLOWED, programme == 1);
    }
    assert_eq!(one.member(1).streak, 0, "what was not allowed did nothing");
    let unknown = Client { programme: 3, ..Client::new(&opened.store) }.check_in(1);
    assert_eq!(unknown.code, answer::NO_SUCH_PROGRAMME);
}

#[test]
fn bounds_refuse_changes_and_leave_reads_and_repeats() {
    let limits = Limits { members: 3, orders: 2, undurable_bytes: 1 << 10, ..Limits::default() };
    let (_, mut opened) = opened_with(&club("club", ""), options(1, limits));
    drain(&mut opened);
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    let codes = [1, 2, 3, 4].map(|number| client.enrol(number).code);
    assert_eq!(codes, [answer::ENROLLED, answer::ENROLLED, answer::ENROLLED, answer::MEMBERS_FULL]);
    let codes = ["1", "2", "3", "1"].map(|number| client.order(1, number, 1).code);
    assert_eq!(codes, [answer::RECORDED, answer::RECORDED, answer::ORDERS_FULL, answer::ALREADY_RECORDED]);
    // Until the log caught up.
    let mut busy = 0;
    for member in (1..=3).cycle().take(30) {
        client.now_ms += DAY_MS;
        busy += usize::from(client.check_in(member).code == answer::BUSY);
    }
    assert!(busy > 0);
    assert_eq!(
        client.ask(op::GET_MEMBER, &tidegate_protocol::operation::GetMember { member: member(1) }).code,
        answer::MEMBER
    );
    assert!(opened.flusher.turn().unwrap() > 0);
    assert_eq!((client.check_in(1).code, store.undurable_bytes() > 0), (answer::CHECKED_IN, true));
    // And whatever else says that changes are to come later.
    for (later, code) in [(Later::Draining, answer::DRAINING), (Later::StorageFull, answer::STORAGE_FULL)] {
        let bytes = request(op::CHECK_IN, 1, client.mint(), &CheckIn { member: asking::member(2) });
        assert_eq!(ask_as(&store, client.now_ms, &bytes, &Scope::All, Some(later)).code, code);
    }
}
