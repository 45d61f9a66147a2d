//! Epochs that end while others decide: an outcome over several places is in one of them, whole.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tidegate::engine::{BlockPart, Change, Record, read_record};
use tidegate::store::{Cut, Limits, Store};
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::operation::AcceptInvitation;

use super::{Client, asking, club, hot, opened_with, options};

const MEMBERS: u64 = 60;
const THREADS: u64 = 3;
const ROUNDS: u64 = 4_000;
const INVITED: u64 = 8_000;

/// Redemptions, orders and invitations of one epoch, as their members' shards tell and as blocks, directory and inviters' shards tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    redeemed: u64,
    granted: u64,
    ordered: u64,
    recorded: u64,
    qualified: u64,
    introduced: u64,
}

impl Counts {
    fn of(cut: &Cut) -> Counts {
        let mut counts = Counts::default();
        for place in &cut.tails {
            let mut rest = &place.tail.records[..];
            for _ in 0..place.tail.count {
                let (record, length) = read_record(rest, place.tail.base_ms).unwrap();
                rest = &rest[length..];
                match record {
                    Record::Member(part) => match part.change {
                        Change::Redeemed { .. } => counts.redeemed += 1,
                        Change::Ordered { .. } => counts.ordered += 1,
                        Change::Invited { .. } => counts.qualified += u64::from(part.introduces()),
                        Change::Introduced { .. } => counts.introduced += 1,
                        _ => {}
                    },
                    Record::Block(part) => counts.granted += u64::from(matches!(part, BlockPart::Granted { .. })),
                    Record::Directory(_) => counts.recorded += 1,
                }
            }
            assert!(rest.is_empty(), "{:?}: as many records as are counted", place.place);
        }
        counts
    }
}

/// Cuts until it is over, and once more.
fn cut_until(store: &Store, over: &AtomicBool) -> Vec<(u64, Counts)> {
    let mut cuts = Vec::new();
    let mut last = false;
    while !last {
        last = over.load(Ordering::Acquire);
        let cut = store.cut();
        cuts.push((cut.epoch, Counts::of(&cut)));
        store.made_durable(cut);
    }
    cuts
}

/// Now and then waits until an epoch has ended: whoever cuts comes to it, also where there is one processor.
fn let_cut(store: &Store, at: u64) {
    if at.is_multiple_of(200) {
        let filling = store.filling_epoch();
        while store.filling_epoch() == filling {
            thread::yield_now();
        }
    }
}

/// Redeems and orders for members of its own; gives how many outcomes wait for each epoch.
fn decide(store: &Store, number: u64) -> BTreeMap<u64, u64> {
    let mut client = Client::new(store).numbered(number);
    let mut told = BTreeMap::new();
    for at in 0..ROUNDS {
        let_cut(store, at);
        let member = at % (MEMBERS / THREADS) * THREADS + number - 1;
        let redeemed = client.redeem(member, 1, 1);
        let recorded = client.order(member, &format!("{number}-{at}"), 10);
        assert_eq!((redeemed.code, recorded.code), (answer::GRANTED, answer::RECORDED));
        *told.entry(redeemed.epoch).or_default() += 1;
        *told.entry(recorded.epoch).or_default() += 1;
    }
    told
}

#[test]
fn i1_an_outcome_over_several_places_is_in_one_epoch_while_epochs_end() {
    let programme = club("club", &hot(1_000, 1 << 30, 1 << 30, 1 << 30));
    let (_memory, mut opened) = opened_with(&programme, options(4, Limits::default()));
    let mut client = Client::new(&opened.store);
    for member in 0..MEMBERS {
        assert_eq!(client.enrol(member).code, answer::ENROLLED);
        assert_eq!(client.order(member, &format!("first-{member}"), 100_000).code, answer::RECORDED);
    }
    super::drain(&mut opened);
    let (store, over) = (&opened.store, &AtomicBool::new(false));
    let (cuts, told) = thread::scope(|scope| {
        let cutting = scope.spawn(|| cut_until(store, over));
        let deciding: Vec<_> = (1..=THREADS).map(|number| scope.spawn(move || decide(store, number))).collect();
        let told: Vec<_> = deciding.into_iter().map(|thread| thread.join().unwrap()).collect();
        over.store(true, Ordering::Release);
        (cutting.join().unwrap(), told)
    });
    assert!(cuts.is_sorted_by_key(|(epoch, _)| *epoch));
    let (mut written, mut promised) = (0, 0);
    for (epoch, Counts { redeemed, granted, ordered, recorded, .. }) in &cuts {
        assert_eq!((redeemed, ordered), (granted, recorded), "epoch {epoch} holds outcomes whole");
        written += redeemed + ordered;
        // What a thread was told waits for the newest change of what it read, which may be another's: never for less than its own.
        promised += told.iter().filter_map(|told| told.get(epoch)).sum::<u64>();
        assert!(promised <= written, "by epoch {epoch}, {promised} are told, {written} are written");
    }
    assert_eq!((written, promised), (2 * ROUNDS * THREADS, 2 * ROUNDS * THREADS));
    let busy = cuts.iter().filter(|(_, counts)| *counts != Counts::default()).count();
    assert!(busy > 10, "{busy} epochs ended in the middle of it");
    assert_eq!(store.undurable_bytes(), 0, "what was counted was collected");
}

/// Enrols members of its own, each invited by another member, of whichever shard.
fn invite(store: &Store, number: u64) {
    let mut client = Client::new(store).numbered(number);
    for at in 0..INVITED {
        let_cut(store, at);
        let member = MEMBERS + at * THREADS + number;
        assert_eq!(client.enrol(member).code, answer::ENROLLED);
        let (member, inviter) = (asking::member(member), asking::member(at * 7 % MEMBERS));
        let told = client.ask(op::ACCEPT_INVITATION, &AcceptInvitation { member, inviter });
        assert_eq!(told.code, answer::INVITATION_ACCEPTED);
    }
}

#[test]
fn i1_an_outcome_over_two_members_is_in_one_epoch_while_epochs_end() {
    let referral = r#"
[referral]
within = "1d"
until = "1d"
qualifies = "at once"
per_inviter = { times = 100, each = "life" }
inviter = { points = 7 }
invitee = { points = 3 }
"#;
    let (_memory, mut opened) = opened_with(&club("club", referral), options(4, Limits::default()));
    let mut client = Client::new(&opened.store);
    for member in 0..MEMBERS {
        assert_eq!(client.enrol(member).code, answer::ENROLLED);
    }
    super::drain(&mut opened);
    let (store, over) = (&opened.store, &AtomicBool::new(false));
    let cuts = thread::scope(|scope| {
        let cutting = scope.spawn(|| cut_until(store, over));
        let inviting: Vec<_> = (1..=THREADS).map(|number| scope.spawn(move || invite(store, number))).collect();
        inviting.into_iter().for_each(|thread| thread.join().unwrap());
        over.store(true, Ordering::Release);
        cutting.join().unwrap()
    });
    for (epoch, counts) in &cuts {
        assert_eq!(counts.qualified, counts.introduced, "epoch {epoch} holds outcomes whole");
    }
    let all: u64 = cuts.iter().map(|(_, counts)| counts.introduced).sum();
    assert_eq!(all, INVITED * THREADS);
    let busy = cuts.iter().filter(|(_, counts)| counts.introduced > 0).count();
    assert!(busy > 10, "{busy} epochs ended in the middle of it");
    let books = store.books();
    assert!(books.balance(), "{books:?}");
    // An inviter of a hundred and more has something of a hundred.
    let given = (MEMBERS * (INVITED * THREADS / MEMBERS).min(100)) as i64 * 7;
    assert_eq!(books.programmes[0].issued, (INVITED * THREADS) as i64 * 3 + given);
}
