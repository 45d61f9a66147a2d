//! The cut: all places locked in order, their tails taken, the epoch raised, all unlocked again.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::place::{self, Tail, lock_all, take_tails};
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
        let mut members = lock_all(&self.members[..]);
        let mut directory = lock_all(&self.directory[..]);
        let mut quotas = lock_all(blocks.iter().map(|block| &block.place));
        let mut programmes = lock_all([&self.programmes]);
        let epoch = place::end_epoch(&self.epochs);
        take_tails(&mut programmes, |_, tail| spare.take(PlaceId::PROGRAMMES, tail, &mut tails));
        take_tails(&mut members, |at, tail| spare.take(member_place(at), tail, &mut tails));
        take_tails(&mut directory, |at, tail| spare.take(directory_place(at), tail, &mut tails));
        take_tails(&mut quotas, |at, tail| spare.take(blocks[at].id, tail, &mut tails));
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
