//! The cut: the epoch raised, and the tails of the one that ended collected from all places.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::place::{Tail, collect};
use super::{Store, directory_place, member_place};
use crate::engine::PlaceId;

/// What whoever cuts needs beside the places.
#[derive(Debug, Default)]
pub(super) struct Spare {
    /// Empty buffers for the tails, so that a cut allocates nothing when warm: small ones, and large ones for hot places.
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
    /// Epochs that an activation ended, oldest first: they go to the log before any later one.
    pub(super) ended: VecDeque<Cut>,
}

/// One place's tail of an epoch.
#[derive(Debug, Clone)]
pub struct PlaceTail {
    /// Whose it is.
    pub place: PlaceId,
    /// What was appended.
    pub tail: Tail,
}

/// An epoch that is complete: what is to be written.
#[derive(Debug)]
pub struct Cut {
    /// Its number.
    pub epoch: u64,
    /// The tails of the places that changed, by place.
    pub tails: Vec<PlaceTail>,
}

impl Cut {
    /// Bytes of records in it.
    pub fn bytes(&self) -> u64 {
        self.tails.iter().map(|tail| tail.tail.records.len() as u64).sum()
    }
}

/// A buffer that grew beyond this is large.
const SMALL_BYTES: usize = 16 << 10;
/// What a large buffer may keep when it is used again. To give back more than that every time, and take it again, showed as page faults
/// in the middle of a decision.
const LARGE_BYTES: usize = 1 << 20;

impl Spare {
    /// Takes a tail, and leaves an empty buffer that has about the room that the one before turned out to need.
    pub(super) fn take(&mut self, place: PlaceId, tail: &mut Tail, tails: &mut Vec<PlaceTail>) {
        let buffers = if tail.records.capacity() > SMALL_BYTES { &mut self.large } else { &mut self.small };
        let empty = Tail { records: buffers.pop().unwrap_or_default(), ..Tail::default() };
        tails.push(PlaceTail { place, tail: std::mem::replace(tail, empty) });
    }

    fn give_back(&mut self, mut records: Vec<u8>) {
        records.clear();
        records.shrink_to(LARGE_BYTES);
        let buffers = if records.capacity() > SMALL_BYTES { &mut self.large } else { &mut self.small };
        buffers.push(records);
    }
}

impl Store {
    /// Ends the epoch that fills; what is decided from now on belongs to the next. Epochs that an activation ended come
    /// first, one a call.
    pub fn cut(&self) -> Cut {
        let mut spare = self.structure.lock();
        if let Some(ended) = spare.ended.pop_front() {
            return ended;
        }
        let blocks = self.blocks();
        let mut tails = Vec::with_capacity(64);
        let epoch = self.epochs.end();
        let mut take = |place, tail: &mut Tail| spare.take(place, tail, &mut tails);
        collect([&self.programmes], epoch, |_, tail| take(PlaceId::PROGRAMMES, tail));
        collect(self.members.iter(), epoch, |at, tail| take(member_place(at), tail));
        collect(self.directory.iter(), epoch, |at, tail| take(directory_place(at), tail));
        collect(blocks.iter().map(|block| &block.place), epoch, |at, tail| take(blocks[at].id, tail));
        tails.sort_unstable_by_key(|tail| tail.place);
        Cut { epoch, tails }
    }

    /// Takes a cut back once it is durable: its buffers are used again, its bytes count as undurable no more.
    pub fn made_durable(&self, cut: Cut) {
        self.counts.undurable_bytes.fetch_sub(cut.bytes(), Ordering::Relaxed);
        let mut spare = self.structure.lock();
        cut.tails.into_iter().for_each(|place| spare.give_back(place.tail.records));
    }

    /// The epoch that fills. What is durable is always before it.
    pub fn filling_epoch(&self) -> u64 {
        self.epochs.filling()
    }

    /// Whether anything waits for the next cut.
    pub fn is_dirty(&self) -> bool {
        self.undurable_bytes() > 0
    }

    /// Whether an activation ended an epoch that is not handed out yet.
    pub fn has_ended_epochs(&self) -> bool {
        !self.structure.lock().ended.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use crate::store::place::{Place, collect};

    /// Appends a byte to a place that is not locked.
    fn append(place: &Place<()>, epoch: u64, byte: u8) {
        place.lock().journal.append(epoch, 0, |out, _| out.push(byte));
    }

    fn collected(places: &[Place<()>], ended: u64) -> Vec<(usize, u64, Vec<u8>)> {
        let mut tails = Vec::new();
        collect(places.iter(), ended, |at, tail| {
            tails.push((at, tail.first_sequence, std::mem::take(&mut tail.records)));
        });
        tails
    }

    #[test]
    fn what_comes_before_the_collector_does_not_end_up_in_the_epoch_that_ended() {
        let places = [Place::default(), Place::default(), Place::default()];
        append(&places[0], 1, b'a');
        append(&places[1], 1, b'b');
        // Epoch 1 has ended, and nothing is collected yet.
        append(&places[1], 2, b'c');
        append(&places[2], 2, b'd');
        assert_eq!(places[1].lock().journal.next_offset(2), 1, "behind the first record of its own epoch");
        assert_eq!(collected(&places, 1), [(0, 1, vec![b'a']), (1, 1, vec![b'b'])]);
        assert_eq!(collected(&places, 1), [], "once");
        assert_eq!(collected(&places, 2), [(1, 2, vec![b'c']), (2, 1, vec![b'd'])]);
        assert_eq!(places[1].lock().journal.appended_bytes(), 2);
    }

    #[test]
    fn a_place_that_is_locked_is_collected_when_it_is_let_go() {
        let places = [Place::default(), Place::default()];
        append(&places[0], 1, b'a');
        append(&places[1], 1, b'b');
        let held = places[0].lock();
        std::thread::scope(|scope| {
            let collecting = scope.spawn(|| collected(&places, 1));
            // Long enough, mostly, that it also waits in line; else it comes to both in their order. The outcome is the same.
            std::thread::sleep(std::time::Duration::from_millis(5));
            drop(held);
            let mut collected = collecting.join().expect("it comes to an end");
            collected.sort_unstable();
            assert_eq!(collected, [(0, 1, vec![b'a']), (1, 1, vec![b'b'])]);
        });
    }

    #[test]
    #[should_panic(expected = "epochs never fall along a place")]
    fn an_epoch_that_was_read_too_early_is_noticed() {
        let place = Place::default();
        append(&place, 2, b'a');
        append(&place, 1, b'b');
    }
}
