//! Orders that are claimed, and received: given once (I1, I3), kept as long as they can be claimed, live and recovered alike (I5).

use std::sync::{Barrier, Mutex};

use tidegate::engine::{KEPT_BYTES, PlaceId, PlaceKind};
use tidegate::storage::Loss;
use tidegate::store::{Section, SectionKind};
use tidegate_protocol::Proof;
use tidegate_protocol::answer::{ClaimView, OrderReported};
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{AcceptInvitation, ClaimOrder, ConfirmReceipt, GetClaim, ReportOrder};

use super::*;

fn club() -> String {
    let more = r#"
[claim]
channels = ["mall"]
within = "10d"
wait = "2d"
proof = "required"
guesses = { times = 4, each = "day" }
[multipliers]
stacking = "best"
rounding = "down"
[multipliers.by.claims]
factor = "3"
on = ["claims"]
clock = "paid"
[referral]
within = "7d"
until = "30d"
qualifies = { order = "20.00" }
per_inviter = { times = 10000, each = "month" }
inviter = { points = 6 }
invitee = { points = 2 }
"#;
    let pending =
        "rounding = \"down\", pending = \"1d from receipt, to end of day, or 6d from grant, to end of day\" }";
    super::club("club", more).replace("rounding = \"down\" }", pending)
}

impl Client<'_> {
    fn claim(&mut self, member: u64, number: &str, proof: u8) -> Told {
        let (member, proof) = (asking::member(member), Proof([proof; 16]));
        let [channel, number] = ["mall", number].map(asking::text);
        self.ask(op::CLAIM_ORDER, &ClaimOrder { member, channel, number, proof })
    }

    fn report(&mut self, number: &str, yuan: i64, proof: u8) -> Told {
        let body = ReportOrder {
            paid_at_ms: self.now_ms,
            amount_minor: yuan * 100,
            brand: asking::text("house"),
            channel: asking::text("mall"),
            store: asking::text(""),
            number: asking::text(number),
            proof: Proof([proof; 16]),
        };
        self.ask(op::REPORT_ORDER, &body)
    }

    fn received(&mut self, member: u64, number: &str) -> Told {
        let [channel, number] = ["mall", number].map(asking::text);
        let body = ConfirmReceipt { member: asking::member(member), happened_ms: self.now_ms, channel, number };
        self.ask(op::CONFIRM_RECEIPT, &body)
    }

    fn claim_view(&mut self, member: u64, number: &str) -> ClaimView {
        let [channel, number] = ["mall", number].map(asking::text);
        self.ask(op::GET_CLAIM, &GetClaim { member: asking::member(member), channel, number }).read()
    }
}

/// A directory with claims that waited, were granted, refused and wrong, orders that were received, and some of all that is forgotten.
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
    for number in 0..8 {
        client.enrol(number);
        let [member, inviter] = [number, number / 2].map(asking::member);
        client.ask(op::ACCEPT_INVITATION, &AcceptInvitation { member, inviter });
    }
    for round in 0..6u64 {
        for number in 0..8 {
            let order = |kind: &str| format!("{kind}-{round}-{number}");
            // Claims before and after the report, right and wrong.
            client.claim(number, &order("first"), number as u8 + 1);
            client.report(&order("first"), 20 + number as i64, if number % 4 == 3 { 99 } else { number as u8 + 1 });
            client.report(&order("then"), 10, 7);
            client.claim(number, &order("then"), if number % 2 == 0 { 7 } else { 8 });
            // Recorded, claimed on top, and received.
            client.order(number, &order("own"), 15);
            if number % 3 == 0 {
                client.claim(number, &order("own"), 0);
            }
            if number % 3 < 2 {
                client.received(number, &order("own"));
            }
            drain(opened);
        }
        client.now_ms += 3 * DAY_MS;
        store.sweep(client.now_ms, 3);
        store.maintain(client.now_ms);
        drain(opened);
        if (2..4).contains(&round) {
            let mut meanwhile = Client { now_ms: client.now_ms, ..Client::new(&store).numbered(round + 1) };
            snapshot(opened, |_| {
                let number = format!("meanwhile-{round}-{}", meanwhile.minted);
                meanwhile.report(&number, 9, 5);
                meanwhile.claim(5, &number, 5);
            });
        }
    }
}

/// What members have of it, for a directory that every later version must open.
pub(super) fn shown(store: &Store) -> String {
    let mut client = Client { now_ms: NOON_MS + 18 * DAY_MS, ..Client::new(store) };
    let members: Vec<MemberView> = (0..8).map(|member| client.member(member)).collect();
    let orders = ["first", "then", "own"].map(|kind| {
        let claims = (0..6).flat_map(|round| (0..8).map(move |number| (round, number)));
        let claims = claims.map(|(round, number)| client.claim_view(number, &format!("{kind}-{round}-{number}")).state);
        claims.collect::<Vec<u8>>()
    });
    serde_json::to_string_pretty(&serde_json::json!({ "members": members, "claims": orders })).unwrap()
}

#[test]
fn forged_sections_of_what_is_kept_are_refused() {
    let mut opened = open(&Memory::new(), options(2, Limits::default()));
    live(&mut opened, false);
    let mut sections = Vec::new();
    let copied = opened.store.copy(|section| {
        sections.push(section);
        Ok(())
    });
    copied.unwrap();
    let at = sections.iter().position(|section| section.kind == SectionKind::Kept).unwrap();
    let first = (0..).find(|slot| sections[at].body[6 + slot * KEPT_BYTES + 90] != 0).unwrap() * KEPT_BYTES + 6;
    let state_of = |forge: &dyn Fn(&mut Vec<Section>)| {
        let mut forged = sections.clone();
        forge(&mut forged);
        let store = bytes::empty();
        forged.iter().try_for_each(|section| store.restore(section))
    };
    assert_eq!(state_of(&|_| {}), Ok(()));
    let byte = |offset: usize, value: u8| state_of(&|forged| forged[at].body[first + offset] = value);
    assert_eq!(byte(90, 9), Err("members, orders or quotas of a programme that is not there"));
    assert_eq!(byte(95, 1), Err("an order that nobody kept"));
    let other = sections[at].body[first] ^ 1;
    assert_eq!(byte(0, other), Err("members or orders of another shard"));
    assert_eq!(
        state_of(&|forged| forged.insert(at, forged[at].clone())),
        Err("a chunk of orders that is empty, too long, or behind one that is not full")
    );
    assert_eq!(state_of(&|forged| forged[at].body.truncate(first)), Err("an end in the middle of a field"));
    let place = PlaceId::new(PlaceKind::Members, 0);
    assert_eq!(state_of(&|forged| forged[at].place = place), Err("a section of another kind of place"));
}

#[test]
fn what_is_kept_of_orders_is_recovered_as_it_was() {
    let memory = lived();
    let opened = open(&memory, options(2, Limits::default()));
    assert!(opened.recovery.records > 0 && opened.recovery.snapshot.is_some());
    let live_on = Memory::new();
    let mut other = open(&live_on, options(2, Limits::default()));
    live(&mut other, false);
    let (books, live) = (opened.store.books(), other.store.books());
    assert!(books.balance(), "{books:?}");
    assert_eq!((&books.state_hash, &books.programmes), (&live.state_hash, &live.programmes));
    // What is forgotten is swept away by and by.
    let orders = [&opened, &other].map(|opened| {
        opened.store.maintain(NOON_MS + 18 * DAY_MS);
        opened.store.order_count()
    });
    assert_eq!((orders[0], opened.store.books().state_hash), (orders[1], live.state_hash));
    // There is something of it all.
    let mut client = Client { now_ms: NOON_MS + 18 * DAY_MS, ..Client::new(&opened.store) };
    let states = |client: &mut Client<'_>, kind: &str| {
        let mut states: Vec<u8> = (0..6)
            .flat_map(|round| (0..8).map(move |number| (round, number)))
            .map(|(round, number)| client.claim_view(number, &format!("{kind}-{round}-{number}")).state)
            .collect();
        states.sort_unstable();
        states.dedup();
        states
    };
    assert_eq!(states(&mut client, "first"), [0, 2, 3]);
    assert_eq!(states(&mut client, "then"), [0, 2]);
    assert_eq!(states(&mut client, "own"), [0, 2, 4]);
    // What was claimed stays claimed, and goes on being forgotten.
    assert_eq!(client.claim(0, "first-5-0", 1).code, answer::ALREADY_CLAIMED);
    assert_eq!(client.report("first-5-0", 20, 1).code, answer::KEY_CONFLICT);
}

#[test]
fn what_is_kept_no_more_makes_room() {
    let (_, opened) = opened_with(&club(), options(2, Limits { orders: 6, ..Limits::default() }));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    (0..3).for_each(|member| drop(client.enrol(member)));
    // A key and what is kept of it each: two orders and a half.
    assert_eq!(client.report("1", 30, 1).code, answer::ORDER_REPORTED);
    assert_eq!(client.order(0, "2", 30).code, answer::RECORDED);
    assert_eq!(client.claim(1, "3", 3).code, answer::CLAIM_WAITS);
    assert_eq!(store.order_count(), 5);
    for told in [client.report("4", 30, 1), client.order(0, "4", 30)] {
        assert_eq!(told.code, answer::ORDERS_FULL);
        assert_eq!(store.order_count(), 5, "nothing is counted of what is refused");
    }
    // What waited becomes the order's.
    assert_eq!(client.report("3", 30, 3).read::<OrderReported>().waited, 1);
    assert_eq!(client.claim(2, "5", 3).code, answer::ORDERS_FULL);
    assert_eq!((store.order_count(), client.member(1).balance), (6, 90));
    client.now_ms += 11 * DAY_MS;
    store.maintain(client.now_ms);
    assert_eq!(store.order_count(), 3, "their keys alone");
    assert_eq!(client.claim(2, "1", 1).code, answer::NOT_CLAIMABLE);
    assert_eq!(client.claim(2, "5", 3).code, answer::CLAIM_WAITS);
}

/// After a recovery what is forgotten can still be in its slot, beside what is kept now of the same order.
#[test]
fn an_order_is_claimed_once_behind_a_recovery_that_swept_nothing() {
    let memory = Memory::new();
    let mut opened = open(&memory, options(1, Limits::default()));
    opened.store.activate(bundle(&club()), 0, false, NOON_MS - DAY_MS).unwrap();
    let mut client = Client::new(&opened.store);
    (0..3).for_each(|member| drop(client.enrol(member)));
    // Two claims lapse, and the slot of the second is the first to be taken again: by the order of the first.
    client.claim(0, "K", 1);
    client.claim(0, "L", 1);
    client.now_ms += 3 * DAY_MS;
    opened.store.maintain(client.now_ms);
    assert_eq!(client.report("K", 20, 1).code, answer::ORDER_REPORTED);
    let now_ms = client.now_ms;
    drain(&mut opened);
    opened.flusher.close().unwrap();
    let opened = open(&memory.power_loss(Loss::Kept), options(1, Limits::default()));
    let mut client = Client { now_ms, ..Client::new(&opened.store).numbered(1) };
    assert_eq!(client.claim(1, "K", 1).code, answer::ORDER_CLAIMED);
    for member in [1, 2, 1, 2] {
        assert_ne!(client.claim(member, "K", 1).code, answer::ORDER_CLAIMED);
    }
    assert_eq!((client.member(1).balance, client.member(2).balance), (60, 0));
    let hash = opened.store.books().state_hash;
    opened.store.maintain(now_ms);
    assert_eq!(opened.store.books().state_hash, hash, "sweeping changes nothing");
}

/// An order that its member pays is never refused for the sake of its claim, and a claim is granted no later than the rules say.
#[test]
fn an_order_is_recorded_whatever_becomes_of_its_claim() {
    let capped = club().replace("within = \"10d\"", "within = \"1d\"");
    let (_, opened) = opened_with(&capped, options(1, Limits::default()));
    let mut client = Client::new(&opened.store);
    client.enrol(1);
    client.claim(1, "late", 1);
    client.now_ms += DAY_MS + DAY_MS / 2;
    let mut late = order(1, "late", 20, NOON_MS);
    assert_eq!(client.ask(op::RECORD_ORDER, &late).code, answer::RECORDED);
    assert_eq!((client.member(1).balance, client.claim_view(1, "late").state), (0, 0), "a day has passed");
    // So many points that three times as many cannot be counted.
    client.claim(1, "huge", 1);
    (late.number, late.paid_at_ms) = (asking::text("huge"), client.now_ms);
    late.amount_minor = 40_000_000_000_000;
    assert_eq!(client.ask(op::RECORD_ORDER, &late).code, answer::RECORDED);
    assert_eq!(client.claim_view(1, "huge").state, 4, "it can be claimed another time");
    assert!(opened.store.books().balance());
}

/// Whoever claims at once, before, while and after the orders come: each order's points are given once, and no claim that waits is forgotten.
#[test]
fn of_many_who_claim_at_once_one_has_the_points() {
    const MEMBERS: u64 = 6;
    const ORDERS: u64 = 4_000;
    let programme = club().replace("times = 4", "times = 1000").replace("proof = \"required\"", "proof = \"none\"");
    let (_, opened) = opened_with(&programme, options(4, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    (0..MEMBERS).for_each(|number| drop(client.enrol(number)));
    for number in 0..MEMBERS {
        let [member, inviter] = [number, (number + 1) % MEMBERS].map(asking::member);
        client.ask(op::ACCEPT_INVITATION, &AcceptInvitation { member, inviter });
    }
    let (together, waiting) = (Barrier::new(2), Mutex::new(Vec::new()));
    let granted: u64 = std::thread::scope(|scope| {
        let (store, together, waiting) = (&store, &together, &waiting);
        scope.spawn(move || {
            let mut client = Client::new(store).numbered(1);
            for number in 0..ORDERS {
                together.wait();
                client.report(&number.to_string(), 20, 1);
            }
        });
        let claiming = scope.spawn(move || {
            let mut client = Client::new(store).numbered(2);
            let mut granted = 0;
            for number in 0..ORDERS {
                together.wait();
                // A little later with each, and again from the start.
                (0..number % 64).for_each(|_| std::hint::spin_loop());
                let told = client.claim(number % MEMBERS, &number.to_string(), 1);
                granted += u64::from(told.code == answer::ORDER_CLAIMED);
                if told.code == answer::CLAIM_WAITS {
                    waiting.lock().unwrap().push((number % MEMBERS, number));
                }
                if number % 16 == 0 {
                    // Another wants it too, and time passes for who has no guesses left.
                    client.claim((number + 1) % MEMBERS, &number.to_string(), 1);
                }
            }
            granted
        });
        claiming.join().unwrap()
    });
    let waiting = waiting.into_inner().unwrap();
    assert!(granted > 20 && waiting.len() > 20, "{granted} granted at once, {} waited", waiting.len());
    for (member, number) in &waiting {
        assert_eq!(client.claim_view(*member, &number.to_string()).state, 2, "it waited for {number}");
    }
    let books = store.books();
    assert!(books.balance(), "{books:?}");
    let mut owned = 0;
    for number in 0..ORDERS {
        let owners = (0..MEMBERS).filter(|member| client.claim_view(*member, &number.to_string()).state == 2).count();
        assert!(owners <= 1, "{number} is given to {owners}");
        owned += owners as i64;
    }
    // Sixty points an order; and what each has of being invited, and of who invited it.
    let balances: i64 = (0..MEMBERS).map(|member| client.member(member).balance).sum();
    assert_eq!(balances, 60 * owned + MEMBERS as i64 * (6 + 2));
}

/// A member says who invited it in the very moment in which its order comes: both have something of it, or neither.
#[test]
fn an_invitation_in_the_moment_of_a_report_counts_for_both_or_neither() {
    const MEMBERS: u64 = 3_000;
    let (_, opened) = opened_with(&club(), options(4, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    (0..=MEMBERS).for_each(|number| drop(client.enrol(number)));
    (1..=MEMBERS).for_each(|number| drop(client.claim(number, &number.to_string(), 1)));
    let together = Barrier::new(2);
    std::thread::scope(|scope| {
        let (store, together) = (&store, &together);
        scope.spawn(move || {
            let mut client = Client::new(store).numbered(1);
            for number in 1..=MEMBERS {
                together.wait();
                client.report(&number.to_string(), 20, 1);
            }
        });
        scope.spawn(move || {
            let mut client = Client::new(store).numbered(2);
            for number in 1..=MEMBERS {
                let [member, inviter] = [number, 0].map(asking::member);
                together.wait();
                (0..number % 512).for_each(|_| std::hint::spin_loop());
                client.ask(op::ACCEPT_INVITATION, &AcceptInvitation { member, inviter });
            }
        });
    });
    let qualified = (1..=MEMBERS).filter(|number| client.profile(*number).invited == 2).count() as i64;
    assert!((1..MEMBERS as i64).contains(&qualified), "{qualified} of them qualified");
    assert_eq!(client.member(0).balance, 6 * qualified);
}
