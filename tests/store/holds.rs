//! Holds: all of a checkout is set aside, ends once, and goes back where it came from (I1, I2, I6).

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use tidegate_protocol::answer::{Cancelled, Confirmed, Granted, Held, HoldsView, LotsView, QuotasView, StandingView};
use tidegate_protocol::code::{answer, name};
use tidegate_protocol::operation::{
    Cancel, Confirm, ConfirmPart, GetHolds, GetLots, GetQuotas, GetStanding, Hold, OfferCount, UseRight,
};
use tidegate_protocol::refusal::{LimitReached, NotEnoughPoints, SoldOut};
use tidegate_protocol::{List, Text};

use super::*;

const MINUTE_MS: i64 = 60_000;

/// Two campaigns: `hot` with a limit of three a window over all offers and nine pieces of each, `cards` that gives rights.
const SHOP: &str = r#"
[right.card]
title = { zh = "卡", en = "card" }
expires = "1d from grant, to end of day"
[campaign.cards]
window = { every = "year", from = "01-01 00:00", until = "12-31 24:00" }
[[campaign.cards.offer]]
sku = "CARD"
price = { points = 1 }
gives = { right = "card" }
"#;

fn shop() -> String {
    club("club", &(hot(3, 15, 12, 9) + SHOP))
}

fn offers(all: &[(u32, u32, u32)]) -> List<OfferCount, 12> {
    List::cut(all.iter().map(|(campaign, offer, count)| OfferCount {
        campaign: *campaign,
        offer: *offer,
        count: *count,
    }))
}

fn texts(all: &[&str]) -> List<Text, 8> {
    List::cut(all.iter().map(|slug| asking::text(slug)))
}

impl Client<'_> {
    pub(super) fn hold(&mut self, member: u64, for_ms: u32, all: &[(u32, u32, u32)]) -> (RequestId, Told) {
        self.hold_with(member, for_ms, all, &[])
    }

    fn hold_with(&mut self, member: u64, for_ms: u32, all: &[(u32, u32, u32)], rights: &[&str]) -> (RequestId, Told) {
        let (offers, rights) = (offers(all), texts(rights));
        let (store, lines) = (Text::default(), List::default());
        let body = Hold { member: asking::member(member), for_ms, store, points: 0, lines, offers, rights };
        let id = self.mint();
        (id, self.ask_with(id, op::HOLD, &body))
    }

    /// Holds, which must succeed.
    fn held(&mut self, member: u64, for_ms: u32, all: &[(u32, u32, u32)]) -> RequestId {
        let (id, told) = self.hold(member, for_ms, all);
        assert_eq!(told.code, answer::HELD, "{}", name(told.code));
        id
    }

    pub(super) fn confirm(&mut self, member: u64, hold: RequestId) -> Told {
        self.ask(op::CONFIRM, &Confirm { member: asking::member(member), hold })
    }

    fn confirm_part(&mut self, member: u64, hold: RequestId, all: &[(u32, u32, u32)], rights: &[&str]) -> Told {
        let (offers, rights) = (offers(all), texts(rights));
        let body = ConfirmPart { member: asking::member(member), hold, points: 0, offers, rights };
        self.ask(op::CONFIRM_PART, &body)
    }

    pub(super) fn cancel(&mut self, member: u64, hold: RequestId) -> Told {
        self.ask(op::CANCEL, &Cancel { member: asking::member(member), hold })
    }

    fn holds(&mut self, member: u64) -> HoldsView {
        self.ask(op::GET_HOLDS, &GetHolds { member: asking::member(member) }).read()
    }

    fn cards(&mut self, member: u64) -> u32 {
        let standing: StandingView = self.ask(op::GET_STANDING, &GetStanding { member: asking::member(member) }).read();
        standing.rights.as_slice().iter().map(|right| right.count).sum()
    }

    fn expiries(&mut self, member: u64) -> Vec<(i64, i64)> {
        let lots: LotsView = self.ask(op::GET_LOTS, &GetLots { member: asking::member(member) }).read();
        lots.lots.as_slice().iter().map(|lot| (lot.points, lot.expires_ms)).collect()
    }

    /// Used, and held of that, of the quotas of campaign `hot`: of all, of basic members, of the two offers.
    fn quotas(&mut self) -> Vec<(u64, u64)> {
        let view: QuotasView = self.ask(op::GET_QUOTAS, &GetQuotas { campaign: 1, slug: Text::default() }).read();
        view.quotas.as_slice().iter().map(|quota| (quota.used, quota.held)).collect()
    }
}

/// What a gateway sees of a member and of the campaign.
fn seen(client: &mut Client<'_>) -> (i64, Vec<(u64, u64)>, Vec<u32>, u32) {
    let member = client.member(1);
    let limits = member.limits.as_slice().iter().map(|limit| limit.used).collect();
    (member.balance, client.quotas(), limits, client.cards(1))
}

/// A store with the shop in force and a member who has two cards and 500 points.
fn stocked() -> (Memory, Opened) {
    let (memory, opened) = opened_with(&shop(), options(2, Limits::default()));
    let mut client = Client::new(&opened.store).numbered(7);
    client.enrol(1);
    client.order(1, "1", 502);
    (0..2).for_each(|_| assert_eq!(client.redeem(1, 2, 1).code, answer::GRANTED));
    (memory, opened)
}

/// Books that balance, and the same state from the log alone.
fn recovered(memory: &Memory, opened: &mut Opened) {
    drain(opened);
    let books = opened.store.books();
    assert!(books.balance(), "{books:?}");
    let again = open(&memory.power_loss(tidegate::storage::Loss::Lost), options(2, Limits::default()));
    assert_eq!(again.store.books(), books);
}

#[test]
fn i1_a_checkout_is_held_whole_and_confirmed_whole() {
    let (memory, mut opened) = stocked();
    let mut client = Client::new(&opened.store);
    client.dry = true;
    assert_eq!(seen(&mut client), (500, vec![(0, 0); 4], vec![], 2));
    let (id, told) = client.hold_with(1, 0, &[(1, 1, 2), (2, 1, 1), (1, 2, 1)], &["card", "card"]);
    let held: Held = told.read();
    assert_eq!((held.until_ms, held.money_minor), (NOON_MS + 15 * MINUTE_MS, 0));
    assert_eq!((held.before, held.after), (500, 469));
    assert_eq!(seen(&mut client), (469, vec![(3, 3), (3, 3), (2, 2), (1, 1)], vec![3], 0));
    let view = client.holds(1);
    let [hold] = view.holds.as_slice() else { panic!("{view:?}") };
    assert_eq!((hold.hold, hold.points, hold.tender, hold.rights.as_slice().len()), (id, 31, 0, 2));
    let costs: Vec<_> = hold.offers.as_slice().iter().map(|it| (it.campaign, it.offer, it.count, it.points)).collect();
    assert_eq!(costs, [(1, 1, 2, 10), (2, 1, 1, 1), (1, 2, 1, 10)]);
    // What is held is of no use otherwise.
    let used = client.ask(op::USE_RIGHT, &UseRight { member: asking::member(1), right: asking::text("card") });
    assert_eq!(used.code, answer::NO_RIGHT_LEFT);

    let told = client.confirm(1, id);
    let confirmed: Confirmed = told.read();
    assert_eq!((confirmed.spent, confirmed.before, confirmed.after), (31, 469, 469));
    assert_eq!(seen(&mut client), (469, vec![(3, 0), (3, 0), (2, 0), (1, 0)], vec![3], 1), "a card is bought");
    assert_eq!(client.confirm(1, id).code, answer::NO_SUCH_HOLD);
    assert_eq!(client.cancel(1, id).code, answer::NO_SUCH_HOLD);
    recovered(&memory, &mut opened);
}

#[test]
fn i2_what_is_cancelled_or_not_confirmed_is_given_back_where_it_came_from() {
    let (memory, mut opened) = stocked();
    let mut client = Client::new(&opened.store);
    client.dry = true;
    let before = seen(&mut client);
    let (id, told) = client.hold_with(1, 0, &[(1, 1, 2), (1, 2, 1)], &["card"]);
    assert_eq!(told.code, answer::HELD);
    let told = client.cancel(1, id);
    let cancelled: Cancelled = told.read();
    assert_eq!((cancelled.gone, cancelled.before, cancelled.after), (0, 470, 500));
    let (balance, quotas, limits, cards) = seen(&mut client);
    assert_eq!((balance, &quotas, cards), (before.0, &before.1, before.3));
    assert_eq!(limits, [0], "the limit of the window is not used");

    let (id, _) = client.hold_with(1, 0, &[(1, 1, 2), (1, 2, 1)], &["card", "card"]);
    for (all, rights) in [
        (&[][..], &[][..]),
        (&[(1, 1, 3)], &[]),
        (&[(1, 1, 0)], &[]),
        (&[(1, 1, 1), (1, 1, 1)], &[]),
        (&[(2, 1, 1)], &[]),
        (&[], &["card", "card", "card"]),
    ] {
        assert_eq!(client.confirm_part(1, id, all, rights).code, answer::MORE_THAN_HELD, "{all:?} {rights:?}");
    }
    assert_eq!(client.confirm_part(1, id, &[], &["none"]).code, answer::UNKNOWN_RIGHT);
    let told = client.confirm_part(1, id, &[(1, 1, 1)], &["card"]);
    let confirmed: Confirmed = told.read();
    assert_eq!((confirmed.spent, confirmed.before, confirmed.after), (10, 470, 490));
    assert_eq!(seen(&mut client), (490, vec![(1, 0), (1, 0), (1, 0), (0, 0)], vec![1], 1));
    assert!(client.holds(1).holds.as_slice().is_empty());
    recovered(&memory, &mut opened);
}

#[test]
fn i2_a_time_out_is_exact_and_seen_before_anything_is_written() {
    let (memory, mut opened) = stocked();
    let mut client = Client::new(&opened.store);
    client.enrol(2);
    client.order(2, "2", 50);
    let id = client.held(1, 90_500, &[(1, 1, 3)]);
    let until_ms = NOON_MS + 91_000;
    assert_eq!(client.holds(1).holds.as_slice()[0].until_ms, until_ms, "rounded up to a second");
    let dirty = |opened: &Opened| opened.store.books().epoch;
    drain(&mut opened);
    let epoch = dirty(&opened);
    let mut client = Client::new(&opened.store).numbered(3);
    client.now_ms = until_ms - 1;
    assert_eq!((client.member(1).balance, client.quotas()[2]), (470, (3, 3)));
    client.now_ms = until_ms;
    assert_eq!(seen(&mut client), (500, vec![(0, 0); 4], vec![0], 2));
    assert_eq!(client.campaign(1).granted_ever, 0);
    assert_eq!(dirty(&opened), epoch, "a look writes nothing");
    // The next grant is the first, and gives back what is due before it counts.
    let told = client.redeem(2, 1, 1);
    assert_eq!(told.read::<Granted>().grant, 1);
    assert_eq!(client.confirm(1, id).code, answer::NO_SUCH_HOLD);
    assert_eq!(client.quotas(), [(1, 0), (1, 0), (1, 0), (0, 0)]);
    recovered(&memory, &mut opened);
    // The statement tells of it, once it is written down.
    let mut client = Client::new(&opened.store).numbered(4);
    client.now_ms = until_ms + 1;
    client.check_in(1);
    let kinds = statement::kinds(&mut opened, 1);
    assert_eq!(kinds[..3], [2, 22, 19], "checked in, after the time was over for what was held");
}

#[test]
fn i2_what_is_held_counts_against_every_quota_and_limit() {
    let (_memory, opened) = stocked();
    let mut client = Client::new(&opened.store);
    for member in 2..6 {
        client.enrol(member);
        client.order(member, &format!("{member}"), 100);
    }
    let (_, told) = client.hold(1, 0, &[(1, 1, 2), (1, 2, 2)]);
    let why: LimitReached = told.read();
    assert_eq!((told.code, why.times, why.used), (answer::LIMIT_REACHED, 3, 2), "two offers count in one limit");
    for member in 2..5 {
        client.held(member, 60_000, &[(1, 1, 3)]);
    }
    let told = client.redeem(1, 1, 1);
    let why: SoldOut = told.read();
    assert_eq!((told.code, why.offer, why.tier), (answer::SOLD_OUT, 1, 0));
    assert!(why.hold_ms <= 1_000);
    client.now_ms += 59_900;
    let told = client.redeem(1, 1, 1);
    let why: SoldOut = told.read();
    assert_eq!(why.hold_ms, 100, "no longer than until the first of what is held is over");
    let epoch = why.epoch;
    // The tier's twelve bind three more pieces of another offer.
    let (_, told) = client.hold(5, 0, &[(1, 2, 3)]);
    assert_eq!(told.code, answer::HELD);
    assert_eq!(client.redeem(1, 1, 2).read::<SoldOut>().tier, 1);
    client.now_ms += 100;
    assert_eq!(client.redeem(1, 1, 1).read::<Granted>().grant, 1);
    assert_ne!(client.campaign(1).epoch, epoch, "what a gateway keeps is no longer true");
}

#[test]
fn i1_a_hold_that_lacks_anything_holds_nothing() {
    let (_memory, opened) = stocked();
    let mut client = Client::new(&opened.store);
    let before = (seen(&mut client), opened.store.books().state_hash);
    let mut refused = |all: &[(u32, u32, u32)], rights: &[&str], for_ms: u32| {
        client.dry = true;
        client.hold_with(1, for_ms, all, rights).1
    };
    let told = refused(&[(1, 1, 1), (2, 1, 491)], &[], 0);
    let why: NotEnoughPoints = told.read();
    assert_eq!((told.code, why.price, why.shortfall), (answer::NOT_ENOUGH_POINTS, 501, 1));
    for (all, rights, for_ms, code) in [
        (&[][..], &[][..], 0, answer::EMPTY_HOLD),
        (&[(1, 1, 0)], &[], 0, answer::EMPTY_HOLD),
        (&[(1, 1, 1), (1, 1, 1)], &[], 0, answer::EMPTY_HOLD),
        (&[(1, 1, 65_536)], &[], 0, answer::INVALID_AMOUNT),
        (&[(2, 1, 1), (9, 1, 1)], &[], 0, answer::NO_SUCH_CAMPAIGN),
        (&[(2, 1, 1), (1, 9, 1)], &[], 0, answer::NO_SUCH_OFFER),
        (&[(1, 1, 1)], &["card", "card", "card"], 0, answer::NO_RIGHT_LEFT),
        (&[(1, 1, 1)], &["none"], 0, answer::UNKNOWN_RIGHT),
        (&[(1, 1, 1)], &[], 3_600_001, answer::HOLD_TOO_LONG),
        (&[(1, 1, 1), (1, 2, 3)], &[], 0, answer::LIMIT_REACHED),
    ] {
        assert_eq!(refused(all, rights, for_ms).code, code, "{all:?} {rights:?}");
    }
    let nobody = client.hold(99, 0, &[(1, 1, 1)]).1;
    assert_eq!(nobody.code, answer::NO_SUCH_MEMBER);
    assert_eq!((seen(&mut client), opened.store.books().state_hash), before);
    client.now_ms += 12 * DAY_MS;
    assert_eq!(client.hold(1, 0, &[(2, 1, 1), (1, 1, 1)]).1.code, answer::CLOSED);
    client.dry = false;
    for _ in 0..16 {
        client.held(1, 0, &[(2, 1, 1)]);
    }
    assert_eq!(client.hold(1, 0, &[(2, 1, 1)]).1.code, answer::TOO_MANY_HOLDS);
    assert_eq!(client.holds(1).holds.as_slice().len(), 16);
}

/// A hold belongs to the window in which it was taken: confirmed after that closed it is granted there, cancelled it is given back there.
#[test]
fn i2_a_hold_outlives_its_window_and_stays_in_it() {
    let campaign = "[campaign.day]\nwindow = { every = \"day\", from = \"09:00\", until = \"11:00\" }\n\
        per_member = { times = 2, each = \"window\", over = \"all offers\" }\n\
        [[campaign.day.offer]]\nsku = \"S\"\nprice = { points = 10 }\nquota = { each = \"window\", total = 3 }\n";
    let (memory, mut opened) = opened_with(&club("club", campaign), options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    for member in 1..4 {
        client.enrol(member);
        client.order(member, &format!("{member}"), 100);
    }
    // A minute before the end.
    client.now_ms = NOON_MS + 59 * MINUTE_MS;
    let (one, two) = (client.held(1, 0, &[(1, 1, 1)]), client.held(2, 0, &[(1, 1, 2)]));
    client.now_ms += MINUTE_MS;
    assert_eq!(client.redeem(3, 1, 1).code, answer::CLOSED);
    assert_eq!(client.confirm(1, one).code, answer::CONFIRMED);
    assert_eq!(client.cancel(2, two).code, answer::CANCELLED);
    assert_eq!(client.quotas(), [(1, 0)], "of the window that closed");
    client.now_ms = NOON_MS + DAY_MS;
    assert_eq!(client.quotas(), [(0, 0)]);
    assert_eq!(client.redeem(1, 1, 1).read::<Granted>().grant, 1, "of the new window");
    client.held(2, 0, &[(1, 1, 2)]);
    assert_eq!(client.redeem(3, 1, 1).code, answer::SOLD_OUT);
    recovered(&memory, &mut opened);
}

/// What is held does not expire; what has expired when it comes back goes.
#[test]
fn i6_points_that_expired_while_they_were_held_go_when_they_come_back() {
    let points = "points = { expires = \"1d from grant, to end of day\" }\n";
    let programme = club("club", &hot(9, 99, 99, 99)).replacen("[[tier]]", &format!("{points}[[tier]]"), 1);
    for confirm in [true, false] {
        let (memory, mut opened) = opened_with(&programme, options(2, Limits::default()));
        let mut client = Client::new(&opened.store);
        client.enrol(1);
        client.order(1, "1", 20);
        client.now_ms += DAY_MS;
        client.order(1, "2", 20);
        // The end of tomorrow.
        let expires_ms = NOON_MS + 14 * 60 * MINUTE_MS + DAY_MS;
        assert_eq!(client.expiries(1), [(20, expires_ms), (20, expires_ms + DAY_MS)]);
        client.now_ms = expires_ms - MINUTE_MS;
        let id = client.held(1, 900_000, &[(1, 1, 3)]);
        assert_eq!(client.expiries(1), [(10, expires_ms + DAY_MS)]);
        client.now_ms = expires_ms;
        let told = if confirm { client.confirm(1, id) } else { client.cancel(1, id) };
        if confirm {
            assert_eq!(told.read::<Confirmed>().spent, 30, "though twenty of them would have expired");
            assert_eq!(client.member(1).balance, 10);
        } else {
            let cancelled: Cancelled = told.read();
            assert_eq!((cancelled.gone, cancelled.before, cancelled.after), (20, 10, 20));
            assert_eq!(client.expiries(1), [(20, expires_ms + DAY_MS)]);
        }
        let books = opened.store.books();
        let expired = if confirm { 0 } else { 20 };
        assert_eq!((books.programmes[0].expired, books.programmes[0].held), (expired, 0));
        recovered(&memory, &mut opened);
    }
}

/// Cards live until the end of tomorrow.
#[test]
fn i6_a_right_that_expired_while_it_was_held_goes_when_it_comes_back() {
    let (memory, mut opened) = stocked();
    let mut client = Client::new(&opened.store);
    client.now_ms += 14 * 60 * MINUTE_MS + DAY_MS - 1;
    let (first, told) = client.hold_with(1, 3_600_000, &[], &["card"]);
    assert_eq!((told.code, client.cards(1)), (answer::HELD, 1));
    client.now_ms += 1;
    assert_eq!(client.cards(1), 0, "the other one has expired");
    assert_eq!(client.cancel(1, first).code, answer::CANCELLED);
    assert_eq!(client.cards(1), 0);
    recovered(&memory, &mut opened);
}

/// Four threads hold, confirm, cancel and let time out what there is too little of, while epochs are cut; what they were told and what the
/// cells count must agree, and every unit that is free can be had.
#[test]
fn i2_holds_are_exact_under_concurrency() {
    const MEMBERS: u64 = 120;
    let (memory, mut opened) = opened_with(&club("club", &hot(40, 30, 25, 20)), options(8, Limits::default()));
    let mut client = Client::new(&opened.store);
    for member in 0..MEMBERS {
        client.enrol(member);
        client.order(member, &format!("{member}"), if member.is_multiple_of(2) { 400 } else { 4_000 });
    }
    let (over, clock) = (AtomicBool::new(false), AtomicI64::new(NOON_MS));
    let (store, flusher) = (&opened.store, &mut opened.flusher);
    let granted: u64 = thread::scope(|scope| {
        let over = &over;
        let turning = scope.spawn(move || {
            while !over.load(Ordering::Acquire) {
                flusher.turn().unwrap();
            }
            flusher.turn().unwrap();
        });
        let clock = &clock;
        let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || storm(store, clock, number, MEMBERS))).collect();
        let granted: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Release);
        turning.join().unwrap();
        granted.into_iter().map(Result::unwrap).sum()
    });
    let mut client = Client::new(store).numbered(99);
    client.now_ms = NOON_MS + 10 * MINUTE_MS;
    let quotas = client.quotas();
    assert_eq!(quotas[0], (granted, 0), "what is confirmed is used, and nothing is held any more");
    assert_eq!(quotas[2].0 + quotas[3].0, granted);
    assert!(granted <= 30 && quotas[1].0 <= 25 && quotas[2].0 <= 20 && quotas[3].0 <= 20, "{quotas:?}");
    // Every unit that is free can be had, by members that no tier's quota binds.
    let mut fresh = 0;
    for member in (1..MEMBERS).step_by(2) {
        for offer in [1, 2] {
            fresh += u64::from(client.redeem(member, 1, offer).code == answer::GRANTED);
        }
    }
    assert_eq!(client.quotas()[0].0, 30);
    assert_eq!(granted + fresh, 30);
    drain(&mut opened);
    let books = opened.store.books();
    assert!(books.balance(), "{books:?}");
    let again = open(&memory.power_loss(tidegate::storage::Loss::Lost), options(8, Limits::default()));
    assert_eq!(again.store.books().state_hash, books.state_hash);
}

/// One thread's part of the storm; gives how many units it was granted.
fn storm(store: &Store, clock: &AtomicI64, number: u64, members: u64) -> u64 {
    let mut client = Client::new(store).numbered(number + 1);
    let mut dice = asking::Dice(number);
    let (mut granted, mut holds) = (0, Vec::new());
    for round in 0..600 {
        client.now_ms = clock.fetch_add(125, Ordering::Relaxed);
        let member = dice.below(members);
        let offer = 1 + dice.below(2) as u32;
        match dice.below(6) {
            0 => granted += u64::from(round > 400 && client.redeem(member, 1, offer).code == answer::GRANTED),
            1..4 => {
                let count = 1 + dice.below(3) as u32;
                let (id, told) = client.hold(member, 1_000 + dice.below(30_000) as u32, &[(1, offer, count)]);
                match told.code {
                    answer::HELD => holds.push((member, id, u64::from(count))),
                    code => assert!([answer::SOLD_OUT, answer::TOO_MANY_HOLDS].contains(&code), "{}", name(code)),
                }
            }
            _ if holds.is_empty() => {}
            4 if round > 300 && granted < 6 => {
                let (member, id, count) = holds.swap_remove(dice.below(holds.len() as u64) as usize);
                let told = client.confirm(member, id);
                assert!([answer::CONFIRMED, answer::NO_SUCH_HOLD].contains(&told.code), "{}", name(told.code));
                granted += if told.code == answer::CONFIRMED { count } else { 0 };
            }
            _ => {
                let (member, id, _) = holds.swap_remove(dice.below(holds.len() as u64) as usize);
                let told = client.cancel(member, id);
                assert!([answer::CANCELLED, answer::NO_SUCH_HOLD].contains(&told.code), "{}", name(told.code));
            }
        }
    }
    granted
}

/// A snapshot between holds and their ends: what is held is in it, and goes on.
#[test]
fn i5_what_is_held_is_the_same_after_a_snapshot() {
    let (memory, mut opened) = stocked();
    let mut client = Client::new(&opened.store);
    let (id, _) = client.hold_with(1, 0, &[(1, 1, 2), (2, 1, 3)], &["card"]);
    client.held(1, 120_000, &[(1, 2, 1)]);
    snapshot(&mut opened, |_| {});
    let before = opened.store.books();
    let again = open(&memory.power_loss(tidegate::storage::Loss::Lost), options(2, Limits::default()));
    assert_eq!(again.store.books(), before);
    let mut client = Client::new(&again.store).numbered(5);
    client.now_ms += 2 * MINUTE_MS;
    assert_eq!(client.quotas(), [(2, 2), (2, 2), (2, 2), (0, 0)]);
    let told = client.confirm_part(1, id, &[(1, 1, 2), (2, 1, 1)], &[]);
    assert_eq!(told.read::<Confirmed>().spent, 21);
    assert_eq!((client.member(1).balance, client.cards(1)), (479, 3));
    assert!(again.store.books().balance());
}

/// Who maintains gives back what is due, folds what is over, and leaves what is held.
#[test]
fn i8_what_is_held_of_a_cell_keeps_it_and_what_is_due_is_written_down() {
    let (memory, mut opened) = stocked();
    let mut client = Client::new(&opened.store);
    client.held(1, 0, &[(1, 1, 3)]);
    opened.store.maintain(NOON_MS + 15 * MINUTE_MS);
    let view = opened.store.books();
    assert_eq!(view.programmes[0].granted, 2, "only the cards: nothing of the hot offer is granted");
    recovered(&memory, &mut opened);
    let mut client = Client::new(&opened.store).numbered(2);
    client.now_ms = NOON_MS + 16 * MINUTE_MS;
    assert_eq!(client.member(1).balance, 500, "a look settles a copy");
    opened.store.sweep(client.now_ms, usize::MAX);
    assert_eq!(opened.store.books().programmes[0].held, 0);
}

/// A shop whose quotas and limits count by everything, with what is held in all states: confirmed, cancelled, over, and held still, before and
/// behind a snapshot.
pub(super) fn lived() -> Memory {
    let memory = Memory::new();
    let mut opened = open(&memory, options(2, Limits::default()));
    live(&mut opened, false);
    opened.flusher.close().unwrap();
    memory.power_loss(tidegate::storage::Loss::Kept)
}

fn whole_shop() -> String {
    let campaign = r#"
[campaign.all]
window = { every = "month", from = "20 10:00", until = "last 24:00" }
per_member = [{ times = 9, each = "day", over = "each offer" }, { times = 40, each = "life", over = "all offers" }]
quota = [{ each = "day", total = 30, per = "store" }, { each = "life", total = 500 }]
[[campaign.all.offer]]
sku = "CUP"
price = { points = 5, money = "9.90" }
quota = [{ each = "window", total = 60, unsold = "carried" }, { each = "week", total = 50 }]
[[campaign.all.offer]]
sku = "TEA"
price = { points = 3 }
"#;
    let top = "stores = [\"s-1\", \"s-2\"]\nholds = { most = \"3h\", grace = \"2d\" }\n\
               tender = { points = 100, pays = \"1.00\", step = 10, share = \"50%\" }\n\
               points = { expires = \"3d from grant, to end of day\" }\n[[tier]]";
    club("club", &(hot(60, 290, 280, 270) + SHOP + campaign)).replacen("[[tier]]", top, 1)
}

pub(super) fn live(opened: &mut Opened, dry: bool) {
    let store = opened.store.clone();
    store.activate(bundle(&whole_shop()), 0, false, NOON_MS - DAY_MS).unwrap();
    let mut client = Client { dry, ..Client::new(&store) };
    for number in 0..8 {
        client.enrol(number);
        client.order(number, &format!("{number}"), 900);
        (0..3).for_each(|_| drop(client.redeem(number, 2, 1)));
    }
    for round in 0..14u64 {
        for number in 0..8 {
            let body = Hold {
                member: asking::member(number),
                for_ms: [0, 60_000, 7_200_000][(round % 3) as usize],
                store: asking::text(if number % 2 == 0 { "s-1" } else { "s-2" }),
                points: if number % 4 == 0 { 200 } else { 0 },
                lines: List::cut((number % 4 == 0).then(|| tidegate_protocol::operation::TenderLine {
                    sku: asking::text("SKU"),
                    category: asking::text("tea"),
                    amount_minor: 900,
                })),
                offers: offers(&[(3, 1, 1 + (number % 2) as u32), (1, 1, 1), (3, 2, 1)]),
                rights: texts(if number == 5 { &["card"] } else { &[] }),
            };
            let id = client.mint();
            client.ask_with(id, op::HOLD, &body);
            match (round + number) % 5 {
                0 => drop(client.confirm(number, id)),
                1 => drop(client.confirm_part(number, id, &[(3, 1, 1)], &[])),
                2 => drop(client.cancel(number, id)),
                _ => {}
            }
        }
        client.now_ms += if round == 9 { 2 * DAY_MS } else { 20 * MINUTE_MS };
        if round == 6 {
            snapshot(opened, |_| {});
            store.maintain(client.now_ms);
        }
        if round % 4 == 1 {
            store.sweep(client.now_ms, 3);
            client.order(round % 8, &format!("more-{round}"), 200);
        }
    }
    drain(opened);
}

/// All that a gateway sees of it.
pub(super) fn shown(store: &Store) -> String {
    let mut client = Client { now_ms: NOON_MS + 2 * DAY_MS + 250 * MINUTE_MS, ..Client::new(store) };
    let members: Vec<_> = (0..8).map(|member| (client.member(member), client.holds(member))).collect();
    let lots: Vec<LotsView> =
        (0..8).map(|member| client.ask(op::GET_LOTS, &GetLots { member: asking::member(member) }).read()).collect();
    let quotas: Vec<QuotasView> =
        [1, 3].map(|campaign| client.ask(op::GET_QUOTAS, &GetQuotas { campaign, slug: Text::default() }).read()).into();
    serde_json::to_string_pretty(&serde_json::json!({ "members": members, "lots": lots, "quotas": quotas })).unwrap()
}
