//! Never too many, and never a false "sold out".

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tidegate::store::{Limits, Store};
use tidegate_protocol::answer::Granted;
use tidegate_protocol::code::{answer, name};
use tidegate_protocol::refusal::SoldOut;

use super::{Client, DAY_MS, NOON_MS, club, drain, hot, open, opened_with, options, snapshot};

/// What one thread was told: grant numbers, and for refusals which quota was used up.
#[derive(Default)]
struct Tally {
    granted: Vec<u64>,
    sold_out: Vec<(u32, u8)>,
    other: Vec<u16>,
}

/// `members` of each tier flood one offer from four threads, each as often as it may and twice more, while epochs are cut; gives the grants
/// of basic and gold members.
fn flood(members: u64, shared: u64, basic: u64, item: u64) -> (u64, u64) {
    let (memory, mut opened) = opened_with(&club("club", &hot(1, shared, basic, item)), options(8, Limits::default()));
    let mut client = Client::new(&opened.store);
    for member in 0..2 * members {
        assert_eq!(client.enrol(member).code, answer::ENROLLED);
        let yuan = if member < members { 500 } else { 5000 };
        assert_eq!(client.order(member, &format!("{member}"), yuan).code, answer::RECORDED);
    }
    let over = AtomicBool::new(false);
    let store = &opened.store;
    let flusher = &mut opened.flusher;
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let over = &over;
        let turning = scope.spawn(move || {
            while !over.load(Ordering::Acquire) {
                flusher.turn().unwrap();
            }
            flusher.turn().unwrap();
        });
        let threads: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn(move || {
                    let mut client = Client::new(store).numbered(number + 1);
                    let mut tally = Tally::default();
                    for round in 0..3 {
                        for at in 0..2 * members {
                            // Every thread asks for everybody, each in an order of its own.
                            let member = (at * 7 + number * 13 + round) % (2 * members);
                            let told = client.redeem(member, 1, 1);
                            match told.code {
                                answer::GRANTED => tally.granted.push(told.read::<Granted>().grant),
                                answer::SOLD_OUT => {
                                    let why: SoldOut = told.read();
                                    tally.sold_out.push((why.offer, why.tier));
                                }
                                code => tally.other.push(code),
                            }
                        }
                    }
                    tally
                })
            })
            .collect();
        let tallies = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        over.store(true, Ordering::Release);
        turning.join().unwrap();
        tallies
    });
    for code in tallies.iter().flat_map(|tally| &tally.other) {
        assert_eq!(*code, answer::LIMIT_REACHED, "{}", name(*code));
    }
    let mut grants: Vec<u64> = tallies.iter().flat_map(|tally| tally.granted.clone()).collect();
    grants.sort_unstable();
    assert_eq!(grants, (1..=grants.len() as u64).collect::<Vec<_>>(), "grants are numbered without a gap");
    let mut client = Client::new(store).numbered(9);
    let used = |client: &mut Client<'_>, members: std::ops::Range<u64>| {
        members
            .map(|member| {
                client.member(member).limits.as_slice().iter().map(|limit| u64::from(limit.used)).sum::<u64>()
            })
            .sum()
    };
    let (of_basic, of_gold): (u64, u64) = (used(&mut client, 0..members), used(&mut client, members..2 * members));
    assert_eq!(of_basic + of_gold, grants.len() as u64);
    // No false "sold out": whatever quota was named is used up at the end, as no unit ever comes back.
    let refused: std::collections::BTreeSet<(u32, u8)> =
        tallies.iter().flat_map(|tally| tally.sold_out.clone()).collect();
    let view = client.campaign(1);
    for (offer, tier) in refused {
        let row = view.quotas.as_slice().iter().find(|row| (row.offer, row.tier) == (offer, tier)).unwrap();
        assert_eq!(row.used as i64, row.total, "quota ({offer}, {tier}) was refused as used up");
    }
    assert_eq!(view.granted_ever, grants.len() as u64);
    let books = store.books();
    assert!(books.balance(), "{books:?}");
    let again = open(&memory.power_loss(tidegate::storage::Loss::Lost), options(8, Limits::default()));
    assert_eq!(again.store.books().state_hash, books.state_hash);
    (of_basic, of_gold)
}

#[test]
fn grants_are_exactly_the_item_quota() {
    let (basic, gold) = flood(200, 10_000, 10_000, 150);
    assert_eq!(basic + gold, 150);
}

#[test]
fn grants_are_exactly_the_tier_quota_where_it_binds() {
    assert_eq!(flood(200, 10_000, 50, 10_000), (50, 200));
}

#[test]
fn grants_are_exactly_the_period_quota_where_it_binds() {
    let (basic, gold) = flood(200, 120, 60, 10_000);
    assert_eq!(basic + gold, 120);
    assert!(basic <= 60);
}

#[test]
fn grants_are_the_demand_where_no_quota_binds() {
    assert_eq!(flood(200, 10_000, 10_000, 10_000), (200, 200));
}

#[test]
fn a_raised_quota_grants_the_difference_and_a_cut_one_is_sold_out() {
    let programme = |item| club("club", &hot(1, 1_000, 1_000, item));
    let (_, opened) = opened_with(&programme(5), options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    for member in 0..20 {
        client.enrol(member);
        client.check_in(member);
        client.order(member, &format!("{member}"), 100);
    }
    let granted = |client: &mut Client<'_>| (0..20).filter(|m| client.redeem(*m, 1, 1).code == answer::GRANTED).count();
    assert_eq!(granted(&mut client), 5);
    opened.store.activate(super::bundle(&programme(8)), 1, false, NOON_MS).unwrap();
    assert_eq!(granted(&mut client), 3);
    opened.store.activate(super::bundle(&programme(4)), 2, false, NOON_MS).unwrap();
    assert_eq!(granted(&mut client), 0);
    assert_eq!(client.campaign(1).granted_ever, 8);
}

#[test]
fn folding_the_cells_of_closed_windows_keeps_what_was_ever_granted() {
    let daily = r#"
[campaign.daily]
window = { every = "day", from = "00:00", until = "24:00" }
[[campaign.daily.offer]]
sku = "D"
price = { points = 1 }
quota = { each = "window", total = 2 }
"#;
    let (memory, mut opened) = opened_with(&club("club", daily), options(2, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    client.order(1, "1", 100);
    for day in 0..20 {
        client.now_ms = NOON_MS + day * DAY_MS;
        assert_eq!(
            [1, 2, 3].map(|_| client.redeem(1, 1, 1).code),
            [answer::GRANTED, answer::GRANTED, answer::SOLD_OUT]
        );
        let before = opened.store.undurable_bytes();
        store.maintain(client.now_ms);
        let folds = store.undurable_bytes() > before;
        assert_eq!(folds, day > 7, "a window's cells are folded once it closed a week ago: day {day}");
        opened.flusher.turn().unwrap();
        assert_eq!(client.campaign(1).granted_ever, 2 * (day as u64 + 1));
        assert!(store.books().balance());
    }
    let again = open(&memory.power_loss(tidegate::storage::Loss::Lost), options(2, Limits::default()));
    assert_eq!(Client::new(&again.store).campaign(1).granted_ever, 40);
    assert_eq!(again.store.books().state_hash, store.books().state_hash);
}

/// Sells a campaign of two units out in `window`, closes it for weeks, and opens it again as `extended`, live and recovered.
fn a_window_opened_again_is_still_sold_out(window: &str, extended: &str) {
    let programme = |window| {
        let campaign = format!(
            r#"
[campaign.short]
window = {window}
[[campaign.short.offer]]
sku = "S"
price = {{ points = 1 }}
quota = {{ each = "window", total = 2 }}
"#
        );
        club("club", &campaign)
    };
    let (memory, mut opened) = opened_with(&programme(window), options(2, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    client.order(1, "1", 100);
    let sold = [1, 2, 3].map(|_| client.redeem(1, 1, 1).code);
    assert_eq!(sold, [answer::GRANTED, answer::GRANTED, answer::SOLD_OUT]);
    for day in 0..60 {
        store.maintain(NOON_MS + day * DAY_MS);
    }
    client.now_ms = NOON_MS + 60 * DAY_MS;
    assert_eq!(client.redeem(1, 1, 1).code, answer::CLOSED);
    store.activate(super::bundle(&programme(extended)), 1, false, client.now_ms).unwrap();
    assert_eq!(client.redeem(1, 1, 1).code, answer::SOLD_OUT, "{extended}");
    drain(&mut opened);
    let again = open(&memory.power_loss(tidegate::storage::Loss::Lost), options(2, Limits::default()));
    let mut client = Client { now_ms: client.now_ms, ..Client::new(&again.store).numbered(2) };
    assert_eq!(client.redeem(1, 1, 1).code, answer::SOLD_OUT, "{extended}");
    assert_eq!(client.campaign(1).granted_ever, 2);
    assert!(again.store.books().balance());
}

#[test]
fn a_window_that_is_extended_after_weeks_finds_what_it_granted() {
    a_window_opened_again_is_still_sold_out(
        r#"{ from = "2026-03-20 00:00", until = "2026-03-22 00:00" }"#,
        r#"{ from = "2026-03-20 00:00", until = "2026-06-30 00:00" }"#,
    );
    a_window_opened_again_is_still_sold_out(
        r#"{ every = "year", from = "03-20 00:00", until = "03-22 00:00" }"#,
        r#"{ every = "year", from = "03-20 00:00", until = "06-30 00:00" }"#,
    );
    a_window_opened_again_is_still_sold_out(
        r#"{ every = "year", from = "03-20 00:00", until = "06-30 00:00", ends = "2026-03-25 00:00" }"#,
        r#"{ every = "year", from = "03-20 00:00", until = "06-30 00:00", ends = "2026-06-25 00:00" }"#,
    );
}

/// What the cells of long closed windows counted is no longer told apart: none of those windows may open again (I2).
#[test]
fn i2_a_version_that_opens_a_folded_window_again_is_refused() {
    let programme = |window: &str| {
        let campaign = format!(
            r#"
[campaign.sale]
window = {window}
[[campaign.sale.offer]]
sku = "S"
price = {{ points = 1 }}
quota = {{ each = "window", total = 1 }}
"#
        );
        club("club", &campaign)
    };
    let daily = r#"{ every = "day", from = "00:00", until = "24:00" }"#;
    let (memory, mut opened) = opened_with(&programme(daily), options(2, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    client.order(1, "1", 100);
    for day in 0..20 {
        client.now_ms = NOON_MS + day * DAY_MS;
        assert_eq!(client.redeem(1, 1, 1).code, answer::GRANTED);
        store.maintain(client.now_ms);
        drain(&mut opened);
    }
    // 8 April is the newest window, those to 31 March are folded.
    let tries = [
        (r#"{ from = "2026-03-25 00:00", until = "2026-06-30 00:00" }"#, false),
        (r#"{ every = "year", from = "03-31 00:00", until = "06-30 00:00" }"#, false),
        (r#"{ every = "year", from = "03-31 00:00", until = "06-30 00:00", starts = "2026-05-01 00:00" }"#, false),
        (r#"{ from = "2026-04-01 00:00", until = "2026-06-30 00:00" }"#, true),
        (r#"{ every = "month", from = "8 10:00", until = "last 24:00" }"#, true),
        (daily, true),
    ];
    let check = |store: &Store| {
        for (window, taken) in tries {
            let told = store.activate(super::bundle(&programme(window)), 1, true, client.now_ms);
            assert_eq!(told.is_ok(), taken, "{window}: {told:?}");
            let named = |error: tidegate::store::ActivationError| {
                let text = error.to_string();
                assert!(text.contains("`sale`") && text.contains("2026-03-31 granted"), "{text}");
            };
            let _ = told.map_err(named);
        }
    };
    check(&store);
    snapshot(&mut opened, |_| {});
    drop(opened);
    check(&open(&memory.power_loss(tidegate::storage::Loss::Lost), options(2, Limits::default())).store);
}

#[test]
fn a_redemption_takes_at_most_128_bytes_of_log() {
    const MEMBERS: u64 = 2_000;
    // A full pool: every redemption names somebody who forgets, so that no record is shorter for it.
    let limits = Limits { answers: 64, ..Limits::default() };
    let (_, mut opened) = opened_with(&club("club", &hot(1, 10_000, 10_000, 10_000)), options(64, limits));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    for member in 0..MEMBERS {
        client.enrol(member);
        client.order(member, &format!("{member}"), 100);
        if member % 500 == 0 {
            opened.flusher.turn().unwrap();
        }
    }
    drain(&mut opened);
    let before = opened.flusher.state().counters().0;
    for member in 0..MEMBERS {
        assert_eq!(client.redeem(member, 1, 1).code, answer::GRANTED);
    }
    assert!(opened.flusher.turn().unwrap() > 0);
    let after = opened.flusher.state().counters().0;
    assert_eq!(after.epochs - before.epochs, 1);
    assert_eq!(client.campaign(1).quotas.as_slice().iter().filter(|row| row.used == MEMBERS).count(), 3);
    let each = (after.bytes - before.bytes) as f64 / MEMBERS as f64;
    println!("{each:.1} bytes of log a redemption");
    assert!(each <= 128.0, "{each:.1} bytes of log a redemption");
}
