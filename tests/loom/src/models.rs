//! The models.

use std::collections::BTreeMap;
use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use crate::doorbell::Doorbell;
use crate::place::{Epochs, Place, collect};
use crate::reserve::{Ready, Reserve};
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::watermark::{LogFailed, Watermark};

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

/// Two places that one outcome changes: a member shard and a block.
struct Places {
    member: Place<u8>,
    block: Place<u8>,
    epochs: Epochs,
}

/// What was cut: by epoch and place, the outcomes.
type Cuts = BTreeMap<(u64, usize), Vec<u8>>;

impl Places {
    fn new() -> Places {
        Places { member: Place::new(0), block: Place::new(0), epochs: Epochs::new(1) }
    }

    /// As a redemption does: the block's lock nests in the member's; gives the epoch to wait for.
    fn decide(&self, outcome: u8) -> u64 {
        let mut member = self.member.lock();
        let mut block = self.block.lock();
        let epoch = self.epochs.filling();
        block.state += 1;
        block.journal.append(epoch, 0, |out, _| out.push(outcome));
        member.state += 1;
        member.journal.append(epoch, 0, |out, _| out.push(outcome));
        drop(block);
        assert_eq!(member.journal.last_epoch(), epoch, "a reply waits for the epoch of its own record");
        member.journal.last_epoch()
    }

    fn cut(&self, cuts: &mut Cuts) -> u64 {
        let epoch = self.epochs.end();
        let mut take = |place, tail: &mut crate::place::Tail| {
            cuts.insert((epoch, place), std::mem::take(&mut tail.records));
        };
        collect([&self.member], epoch, |_, tail| take(0, tail));
        collect([&self.block], epoch, |_, tail| take(1, tail));
        epoch
    }
}

#[test]
fn an_outcome_over_two_places_is_in_one_epoch() {
    model(|| {
        let places = Arc::new(Places::new());
        let deciders = [1, 2].map(|outcome| {
            let places = Arc::clone(&places);
            thread::spawn(move || places.decide(outcome))
        });
        let mut cuts = Cuts::new();
        let first = places.cut(&mut cuts);
        let epochs = deciders.map(|decider| decider.join().unwrap());
        let last = places.cut(&mut cuts);
        assert_eq!((first, last), (1, 2));
        for epoch in [first, last] {
            let tail = |place| cuts.get(&(epoch, place)).cloned().unwrap_or_default();
            assert_eq!(tail(0), tail(1), "epoch {epoch} holds the same outcomes of both places, in one order");
        }
        for (outcome, epoch) in [1, 2].into_iter().zip(epochs) {
            assert!(cuts[&(epoch, 0)].contains(&outcome), "outcome {outcome} is in the epoch its reply waits for");
        }
    });
}

#[test]
fn a_read_waits_for_the_epoch_of_what_it_saw() {
    model(|| {
        let places = Arc::new(Places::new());
        let decider = {
            let places = Arc::clone(&places);
            thread::spawn(move || places.decide(1))
        };
        let reader = {
            let places = Arc::clone(&places);
            thread::spawn(move || {
                let member = places.member.lock();
                (member.state, member.journal.last_epoch())
            })
        };
        let mut cuts = Cuts::new();
        places.cut(&mut cuts);
        let (seen, waits_for) = reader.join().unwrap();
        let decided = decider.join().unwrap();
        assert_eq!(waits_for, if seen == 0 { 0 } else { decided });
    });
}

/// What a disk holds, as waiters must find it.
#[derive(Default)]
struct Disk {
    written: AtomicU64,
}

#[test]
fn a_waiter_is_released_by_its_epoch_and_never_before() {
    model(|| {
        let watermark = Arc::new(Watermark::new(0));
        let disk = Arc::new(Disk::default());
        let waiters = [1, 2].map(|epoch| {
            let (watermark, disk) = (Arc::clone(&watermark), Arc::clone(&disk));
            thread::spawn(move || {
                assert_eq!(watermark.wait(epoch), Ok(()));
                assert!(disk.written.load(Ordering::Relaxed) >= epoch, "released before epoch {epoch} was written");
            })
        });
        for epoch in [1, 2] {
            disk.written.store(epoch, Ordering::Relaxed);
            watermark.publish(epoch);
        }
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

#[test]
fn a_failure_wakes_every_waiter() {
    model(|| {
        let watermark = Arc::new(Watermark::new(0));
        let waiters = [1, 2].map(|epoch| {
            let watermark = Arc::clone(&watermark);
            thread::spawn(move || watermark.wait(epoch))
        });
        watermark.publish(1);
        watermark.fail();
        let [first, second] = waiters.map(|waiter| waiter.join().unwrap());
        // The first may have come when the log had failed already: its epoch is durable all the same.
        assert_eq!((first, second), (Ok(()), Err(LogFailed)));
    });
}

#[test]
fn a_wake_is_called_after_every_publication() {
    model(|| {
        let watermark = Arc::new(Watermark::new(0));
        let seen = Arc::new(AtomicU64::new(0));
        let publisher = {
            let watermark = Arc::clone(&watermark);
            thread::spawn(move || watermark.publish(1))
        };
        let added = {
            let (watermark, seen) = (Arc::clone(&watermark), Arc::clone(&seen));
            thread::spawn(move || {
                let wake = Arc::clone(&seen);
                watermark.on_move(Box::new(move || wake.store(1, Ordering::Release)));
                watermark.durable()
            })
        };
        publisher.join().unwrap();
        let durable = added.join().unwrap();
        assert!(durable == 1 || seen.load(Ordering::Acquire) == 1, "a publication was neither seen nor heard");
    });
}

#[test]
fn no_ring_is_lost() {
    model(|| {
        let bell = Arc::new(Doorbell::default());
        let work = Arc::new(AtomicU64::new(0));
        let ringers = [1, 2].map(|_| {
            let (bell, work) = (Arc::clone(&bell), Arc::clone(&work));
            thread::spawn(move || {
                work.fetch_add(1, Ordering::Relaxed);
                bell.ring();
            })
        });
        while work.load(Ordering::Relaxed) < 2 {
            bell.listen();
        }
        ringers.into_iter().for_each(|ringer| ringer.join().unwrap());
    });
}

#[test]
fn no_ring_is_lost_between_a_wait_that_ends_and_the_next() {
    model(|| {
        let bell = Arc::new(Doorbell::default());
        let work = Arc::new(AtomicU64::new(0));
        let ringer = {
            let (bell, work) = (Arc::clone(&bell), Arc::clone(&work));
            thread::spawn(move || {
                work.store(1, Ordering::Relaxed);
                bell.ring();
            })
        };
        // As an idle flusher: a while with a limit, and when nothing rang, without one.
        if !bell.listen_for(Duration::ZERO) {
            bell.listen();
        }
        assert_eq!(work.load(Ordering::Relaxed), 1, "what rang is seen");
        ringer.join().unwrap();
    });
}

#[test]
fn what_is_decided_is_written_and_then_told() {
    model(|| {
        let places = Arc::new(Places::new());
        let bell = Arc::new(Doorbell::default());
        let watermark = Arc::new(Watermark::new(0));
        let disk = Arc::new(Mutex::new(Vec::new()));
        let deciders = [1u8, 2].map(|outcome| {
            let (places, bell) = (Arc::clone(&places), Arc::clone(&bell));
            let (watermark, disk) = (Arc::clone(&watermark), Arc::clone(&disk));
            thread::spawn(move || {
                let epoch = places.decide(outcome);
                bell.ring();
                assert_eq!(watermark.wait(epoch), Ok(()));
                assert!(disk.lock().contains(&outcome), "outcome {outcome} was told before it was written");
            })
        });
        let mut written = 0;
        while written < 2 {
            bell.listen();
            let mut cuts = Cuts::new();
            let epoch = places.cut(&mut cuts);
            let outcomes = cuts.remove(&(epoch, 0)).unwrap_or_default();
            written += outcomes.len();
            disk.lock().extend(outcomes);
            watermark.publish(epoch);
        }
        deciders.into_iter().for_each(|decider| decider.join().unwrap());
    });
}

/// A spare with room for ten bytes.
struct Ten(u64);

impl Ready for Ten {
    fn room(&self) -> u64 {
        10
    }
}

fn make(reserve: &Reserve<Ten>, room: &AtomicU64) {
    while reserve.rest(None) {
        if let Some(number) = reserve.missing() {
            reserve.put(Ten(number), room);
        }
    }
}

#[test]
fn a_spare_that_is_taken_is_made_again_and_counted_once() {
    model(|| {
        let reserve = Arc::new(Reserve::new(1, [Ten(1)].into(), 2));
        let room = Arc::new(AtomicU64::new(10));
        let maker = {
            let (reserve, room) = (Arc::clone(&reserve), Arc::clone(&room));
            thread::spawn(move || make(&reserve, &room))
        };
        let decider = {
            let room = Arc::clone(&room);
            thread::spawn(move || {
                let told = room.load(Ordering::Acquire);
                assert!(told <= 10, "more room than there is: {told}");
            })
        };
        let mut taken = Vec::new();
        while taken.len() < 2 {
            match reserve.take(&room) {
                Some(Ten(number)) => taken.push(number),
                None => thread::yield_now(),
            }
        }
        assert_eq!(taken, [1, 2], "numbers rise without a gap");
        decider.join().unwrap();
        reserve.stop();
        maker.join().unwrap();
        assert_eq!(room.load(Ordering::Acquire), reserve.len() as u64 * 10);
    });
}

#[test]
fn a_maker_that_rests_hears_the_stop() {
    model(|| {
        let reserve = Arc::new(Reserve::new(1, [Ten(1)].into(), 2));
        let room = Arc::new(AtomicU64::new(10));
        let maker = {
            let (reserve, room) = (Arc::clone(&reserve), Arc::clone(&room));
            thread::spawn(move || make(&reserve, &room))
        };
        let taker = {
            let (reserve, room) = (Arc::clone(&reserve), Arc::clone(&room));
            thread::spawn(move || reserve.take(&room).is_some())
        };
        reserve.stop();
        maker.join().unwrap();
        assert!(taker.join().unwrap(), "what is ready is there for the taking");
    });
}
