//! Points live and expire at their instant (I9), in every decision and every view, whenever it is written down; and the books balance at
//! every step (I6).

use tidegate::store::Limits;
use tidegate_protocol::RequestId;
use tidegate_protocol::answer::{Granted, LotsView, OutcomeView, Recorded};
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::operation::{GetLots, GetOutcome};
use tidegate_protocol::refusal::NotEnoughPoints;

use super::asking::{ask_as, bundle, member};
use super::{Client, DAY_MS, NOON_MS, club, drain, hot, open, opened_with, options, snapshot};
use tidegate::storage::Loss;
use tidegate::store::{Later, Scope};

/// The club with terms for its points: sections, in place of those that it has.
pub(super) fn with_points(terms: &str) -> String {
    let own = |line: &&str| {
        !["check-in", "earning"].iter().any(|it| line.starts_with(it) && terms.contains(&format!("[{it}]")))
    };
    let rest: Vec<String> = club("club", "").lines().filter(own).map(str::to_owned).collect();
    format!("{}\n{terms}\n{}", rest.join("\n"), hot(9, 900, 900, 900))
}

/// 2026-03-20 24:00 in Shanghai, on a day whose 10:00 is `NOON_MS`.
const MIDNIGHT_MS: i64 = NOON_MS + 14 * 3_600_000;

impl Client<'_> {
    pub(super) fn lots(&mut self, number: u64) -> LotsView {
        self.ask(op::GET_LOTS, &GetLots { member: member(number) }).read()
    }

    /// Points, when they open, when they expire.
    fn listed(&mut self, number: u64) -> Vec<(i64, i64, i64)> {
        self.lots(number).lots.as_slice().iter().map(|lot| (lot.points, lot.opens_ms, lot.expires_ms)).collect()
    }
}

#[test]
fn i9_a_lot_is_spent_until_its_last_millisecond_and_gone_from_the_next() {
    let (memory, mut opened) = opened_with(
        &with_points("[points]\nexpires = \"1d from grant, to end of day\""),
        options(2, Limits::default()),
    );
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    for number in 1..=3 {
        client.enrol(number);
        client.order(number, &format!("{number}"), 50);
    }
    let expires_ms = MIDNIGHT_MS + DAY_MS;
    assert_eq!(client.listed(1), [(50, 0, expires_ms)]);
    client.now_ms = expires_ms - 1;
    assert_eq!(client.redeem(1, 1, 1).read::<Granted>().after, 40);
    client.now_ms = expires_ms;
    // Nobody wrote anything down yet, and what a read sees changes nothing.
    let before = store.books().state_hash;
    assert_eq!((client.member(2).balance, client.listed(2)), (0, vec![]));
    assert_eq!(store.books().state_hash, before);
    assert_eq!(store.books().programmes[0].live, 140, "a total names how far the sweep has come");
    assert_eq!(store.books().swept_through_s, Some((expires_ms / 1000) as u32));
    // A refusal sees it too.
    let told = client.redeem(1, 1, 1);
    assert_eq!((told.code, told.read::<NotEnoughPoints>().balance), (answer::NOT_ENOUGH_POINTS, 0));
    // What is earned now is a new lot, and starts from nothing.
    let told: Recorded = client.order(2, "again", 30).read();
    assert_eq!((told.before, told.after), (0, 30));
    // The third asks for nothing: the sweep writes it down.
    assert_eq!(
        (store.sweep(client.now_ms - 1, 9), store.sweep(client.now_ms, 9), store.sweep(client.now_ms, 9)),
        (0, 1, 0)
    );
    let books = store.books();
    let club = &books.programmes[0];
    assert_eq!(
        (club.issued, club.spent, club.expired, club.live, books.balance()),
        (180, 10, 140, 30, true),
        "{books:?}"
    );
    assert_eq!(client.member(3).earned, 50, "what was earned stays earned");
    drain(&mut opened);
    let again = open(&memory.power_loss(Loss::Lost), options(2, Limits::default()));
    assert_eq!(again.store.books().state_hash, books.state_hash);
}

#[test]
fn what_time_did_is_the_same_from_log_and_snapshot_at_any_point_of_the_sweep() {
    let terms = "[points]\nexpires = \"1d from grant, to end of day\"\n[check-in]\npoints = 5\npending = \"0d from grant, to end of day\"";
    let text = with_points(terms);
    let (memory, mut opened) = opened_with(&text, options(2, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    for number in 0..600 {
        client.enrol(number);
        client.check_in(number);
        client.order(number, &format!("{number}"), 1 + number as i64 % 7);
    }
    client.now_ms = MIDNIGHT_MS + DAY_MS;
    assert_eq!(store.sweep(client.now_ms, 100), 100);
    let mut number = 0;
    snapshot(&mut opened, |store| {
        let mut client = Client { now_ms: MIDNIGHT_MS + DAY_MS, ..Client::new(store).numbered(7) };
        client.redeem(number, 1, 1);
        store.sweep(client.now_ms, 3);
        number += 20;
    });
    let books = store.books();
    assert!(books.balance(), "{books:?}");
    drain(&mut opened);
    let hash = store.books().state_hash;
    let again = open(&memory.power_loss(Loss::Lost), options(2, Limits::default()));
    assert!(again.recovery.snapshot.is_some());
    assert_eq!(again.store.books().state_hash, hash);
    // All of it, by the sweep alone: two entries for each who has both.
    while again.store.sweep(client.now_ms, 64) > 0 {}
    let books = again.store.books();
    assert!(books.balance(), "{books:?}");
    let club = &books.programmes[0];
    // Check-ins opened at the first midnight, and expire a day after that.
    assert_eq!((club.pending, club.live + club.spent), (0, 600 * 5));
    assert_eq!(books.swept_through_s.map(i64::from), Some((MIDNIGHT_MS + 2 * DAY_MS) / 1000));
}

#[test]
fn pending_points_are_in_no_balance_until_they_open() {
    let terms = "[earning]\npoints = 1\nper = \"1.00\"\nrounding = \"down\"\npending = \"7d from grant, to end of day\"\nexpires = \"30d from grant, to end of day\"";
    let text = with_points(terms);
    let (_memory, opened) = opened_with(&text, options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    client.enrol(1);
    let told: Recorded = client.order(1, "1", 2_000).read();
    assert_eq!((told.before, told.after, told.tier), (0, 0, 1));
    let (opens_ms, expires_ms) = (MIDNIGHT_MS + 7 * DAY_MS, MIDNIGHT_MS + 38 * DAY_MS);
    assert_eq!(client.listed(1), [(2_000, opens_ms, expires_ms)]);
    assert_eq!((client.member(1).balance, client.member(1).earned, client.lots(1).pending), (0, 0, 2_000));
    client.now_ms = opens_ms - 1;
    assert_eq!(client.redeem(1, 1, 1).code, answer::NOT_ENOUGH_POINTS);
    client.now_ms = opens_ms;
    let view = client.member(1);
    assert_eq!((view.balance, view.earned, view.tier), (2_000, 2_000, 2), "earned, and gold by it");
    assert_eq!(client.listed(1), [(2_000, 0, expires_ms)]);
    client.now_ms = expires_ms;
    assert_eq!((client.member(1).balance, client.member(1).earned), (0, 2_000));
    assert_eq!(opened.store.sweep(client.now_ms, 9), 1);
    assert!(opened.store.books().balance());
}

#[test]
fn lots_are_spent_in_the_order_of_their_expiry_across_sources() {
    let terms = "[points]\nexpires = \"1 month from grant, to end of month\"\n[check-in]\npoints = 5\nexpires = \"3d from grant, to end of day\"";
    let text = with_points(terms);
    let (_memory, opened) = opened_with(&text, options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    client.enrol(1);
    client.order(1, "1", 12);
    client.check_in(1);
    client.now_ms += DAY_MS;
    client.check_in(1);
    let (soon_ms, april_ms) = (MIDNIGHT_MS + 3 * DAY_MS, MIDNIGHT_MS + 41 * DAY_MS);
    assert_eq!(client.listed(1), [(5, 0, soon_ms), (5, 0, soon_ms + DAY_MS), (12, 0, april_ms)]);
    let sources: Vec<String> = client.lots(1).lots.as_slice().iter().map(|lot| lot.source.to_string()).collect();
    assert_eq!(sources, ["check-in", "check-in", "orders"]);
    client.redeem(1, 1, 1);
    assert_eq!(client.listed(1), [(12, 0, april_ms)]);
}

#[test]
fn activity_moves_what_slides_and_nothing_else() {
    let terms =
        "[points]\nexpires = \"30d from last activity, to end of day\"\n[check-in]\npoints = 5\nexpires = \"never\"";
    let text = with_points(terms);
    let (_memory, opened) = opened_with(&text, options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    client.enrol(1);
    client.order(1, "1", 12);
    assert_eq!(client.listed(1), [(12, 0, MIDNIGHT_MS + 30 * DAY_MS)]);
    client.now_ms += 5 * DAY_MS;
    client.check_in(1);
    assert_eq!(client.listed(1), [(12, 0, MIDNIGHT_MS + 35 * DAY_MS), (5, 0, 0)]);
    // Looking, and what is refused, is no activity.
    client.now_ms += 5 * DAY_MS;
    assert_eq!(client.redeem(1, 1, 9).code, answer::NO_SUCH_OFFER);
    assert_eq!(client.listed(1)[0].2, MIDNIGHT_MS + 35 * DAY_MS);
    client.redeem(1, 1, 1);
    assert_eq!(client.listed(1), [(2, 0, MIDNIGHT_MS + 40 * DAY_MS), (5, 0, 0)]);
    client.now_ms = MIDNIGHT_MS + 40 * DAY_MS;
    assert_eq!(client.listed(1), [(5, 0, 0)]);
}

#[test]
fn lots_keep_the_instant_they_were_given_when_the_rules_change() {
    let first = with_points("[points]\nexpires = \"1d from grant, to end of day\"");
    let (_memory, opened) = opened_with(&first, options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    client.enrol(1);
    client.order(1, "1", 12);
    let second = with_points("[points]\nexpires = \"never\"");
    opened.store.activate(bundle(&second), 1, false, NOON_MS).unwrap();
    client.order(1, "2", 7);
    assert_eq!(client.listed(1), [(12, 0, MIDNIGHT_MS + DAY_MS), (7, 0, 0)]);
    client.now_ms = MIDNIGHT_MS + DAY_MS;
    assert_eq!(client.member(1).balance, 7);
}

#[test]
fn i8_a_member_has_a_bounded_number_of_lots() {
    let terms = "[points]\nexpires = \"3000d from grant, to end of day\"";
    let (_memory, mut opened) = opened_with(&with_points(terms), options(2, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    for _ in 0..1_000 {
        assert_eq!(client.check_in(1).code, answer::CHECKED_IN);
        client.now_ms += DAY_MS;
        // An epoch lasts no weeks.
        drain(&mut opened);
    }
    // 2028-12-21, when the offer is open again.
    client.now_ms += 7 * DAY_MS;
    assert_eq!(client.check_in(1).code, answer::TOO_MANY_LOTS);
    assert_eq!((client.lots(1).lots.as_slice().len(), client.member(1).balance), (1_000, 5_000));
    assert_eq!(client.redeem(1, 1, 1).code, answer::GRANTED);
    assert_eq!(client.check_in(1).code, answer::CHECKED_IN);
    assert_eq!((client.lots(1).lots.as_slice().len(), client.member(1).balance), (999, 4_995));
}

#[test]
fn i8_what_may_wait_undurable_bounds_the_sweep_and_a_full_server_still_sees_what_expired() {
    let terms = "[points]\nexpires = \"1d from grant, to end of day\"";
    let limits = Limits { undurable_bytes: 1 << 16, ..Limits::default() };
    let (_memory, mut opened) = opened_with(&with_points(terms), options(2, limits));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    for number in 0..2_000 {
        client.enrol(number);
        client.check_in(number);
        drain(&mut opened);
    }
    client.now_ms = MIDNIGHT_MS + DAY_MS;
    let swept = store.sweep(client.now_ms, 2_000);
    assert!((100..1_000).contains(&swept), "{swept} were swept");
    assert!(store.undurable_bytes() < 1 << 15, "most of what may wait is left to requests");
    let told = ask_as(
        &store,
        client.now_ms,
        &super::asking::request(
            op::GET_LOTS,
            1,
            super::asking::id(client.now_ms, 1),
            &GetLots { member: member(1_999) },
        ),
        &Scope::All,
        Some(Later::StorageFull),
    );
    assert_eq!((told.code, told.read::<LotsView>().balance), (answer::LOTS, 0));
    assert_eq!(store.sweep(client.now_ms, 2_000), 0, "it waits for the disk");
    drain(&mut opened);
    while store.sweep(client.now_ms, 2_000) > 0 {
        drain(&mut opened);
    }
    assert_eq!((store.books().programmes[0].live, store.books().balance()), (0, true));
}

#[test]
fn i3_what_nobody_asked_for_is_no_outcome_of_any_id() {
    let terms = "[points]\nexpires = \"1d from grant, to end of day\"";
    let (_memory, mut opened) = opened_with(&with_points(terms), options(2, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    client.check_in(1);
    client.now_ms = MIDNIGHT_MS + DAY_MS;
    assert_eq!(store.sweep(client.now_ms, 9), 1);
    drain(&mut opened);
    // The entry of what expired has no id, or that of zeros.
    let zeros = GetOutcome { member: member(1), id: RequestId::default() };
    let search = client.ask(op::GET_OUTCOME, &zeros).search.unwrap();
    let view = tidegate::server::outcome::search(&opened.flusher.state().pages, &search).unwrap();
    assert_eq!(view.state, OutcomeView::NEVER);
}

/// Points of many terms that come due together, as after a day without a server, are one entry.
#[test]
fn i8_however_much_is_due_it_is_one_entry() {
    let terms = "[earning]\npoints = 1\nper = \"1.00\"\nrounding = \"down\"\npending = \"1d from grant, to end of day\"\nexpires = \"1d from grant, to end of day\"\n[points]\nexpires = \"2d from grant, to end of day\"";
    let (_memory, mut opened) = opened_with(&with_points(terms), options(1, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    for day in 0..9 {
        client.order(1, &format!("{day}"), 3);
        client.check_in(1);
        client.now_ms += DAY_MS;
        drain(&mut opened);
    }
    assert!(store.books().balance());
    client.now_ms += 30 * DAY_MS;
    assert_eq!(client.listed(1), vec![]);
    assert_eq!((store.sweep(client.now_ms, 9), store.sweep(client.now_ms, 9)), (1, 0));
    let books = store.books();
    let club = &books.programmes[0];
    assert!(books.balance(), "{books:?}");
    assert_eq!((club.live, club.pending, club.expired), (0, 0, 9 * 3 + 9 * 5));
    assert_eq!(books.swept_through_s, None);
}
