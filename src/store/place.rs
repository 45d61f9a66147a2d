//! A place: state, its sequence and the tail of its log under one lock, and how an epoch ends over all of them.
//!
//! Promises: a part is applied, numbered and appended under the same lock that decided it; an outcome over several places is
//! in one epoch or in none (I1). Never: does I/O or waits while a place is locked.
//!
//! An epoch ends when its number is raised, and its tails are then collected place by place, with no more than one locked:
//!
//! - An outcome reads the epoch once, when it holds the locks of all its places. If it read the one that ended, it held them
//!   before the number was raised; whoever collects waits for each of them, and finds all its parts.
//! - If it was there after the collector, the lock told it of the new number. If it was there before, but read the new one,
//!   it puts the tail of the ended epoch aside and begins another.
//! - So along a place epochs never fall, and between threads that saw each other's outcomes neither: what is durable never
//!   lacks what it followed from.
//!
//! Holding all places at once to end an epoch would be simpler, and made those who decide wait for a thread that waited for
//! them; `docs/architecture.md` has what that cost.

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, TRIES, pause};

/// What was appended to a place since the last cut.
#[derive(Debug, Default, Clone)]
pub struct Tail {
    /// The instant that the records' times count from.
    pub base_ms: i64,
    /// The sequence of the first record.
    pub first_sequence: u64,
    /// Records in it.
    pub count: u32,
    /// The records, back to back.
    pub records: Vec<u8>,
}

/// The log's side of a place.
#[derive(Debug, Default)]
pub struct Journal {
    sequence: u64,
    last_ms: i64,
    last_epoch: u64,
    /// The newest record that recovery read for this place, if any.
    replayed: Option<u64>,
    /// The newest sequence that a section of this place was copied at, if any came.
    copied: Option<u64>,
    /// Bytes of records ever appended.
    appended_bytes: u64,
    /// What was appended in the epoch of the last change.
    tail: Tail,
    /// What was appended in the epoch before, if that has ended and was not collected before the next record came.
    aside: Tail,
}

impl Journal {
    /// The number of parts ever applied here.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The instant of the last change; decisions never run before it (I9).
    pub fn last_ms(&self) -> i64 {
        self.last_ms
    }

    /// The epoch of the last change; an answer that read this place waits for it (I4).
    pub fn last_epoch(&self) -> u64 {
        self.last_epoch
    }

    /// Bytes of records appended since the start.
    pub fn appended_bytes(&self) -> u64 {
        self.appended_bytes
    }

    /// Where the next record will stand in the tail of this epoch.
    pub fn next_offset(&mut self, epoch: u64) -> u32 {
        self.begin(epoch);
        self.tail.records.len() as u32
    }

    /// Makes the tail one of this epoch.
    fn begin(&mut self, epoch: u64) {
        assert!(epoch >= self.last_epoch, "epochs never fall along a place");
        if self.tail.count > 0 && self.last_epoch < epoch {
            assert_eq!(self.aside.count, 0, "an epoch is collected before the next one ends");
            std::mem::swap(&mut self.tail, &mut self.aside);
        }
    }

    /// Hands out the tail of the epoch that ended, if anything was appended in it, in exchange for an empty one.
    fn collect(&mut self, ended: u64, take: impl FnOnce(&mut Tail)) {
        let tail = match (self.aside.count, self.tail.count) {
            (0, 0) => return,
            (0, _) if self.last_epoch > ended => return,
            (0, _) => &mut self.tail,
            _ => &mut self.aside,
        };
        take(tail);
        tail.count = 0;
        assert!(tail.records.is_empty(), "whoever collects leaves an empty tail");
    }

    /// Appends the record that `write` adds, given the base of its times. Gives its sequence.
    pub fn append(&mut self, epoch: u64, now_ms: i64, write: impl FnOnce(&mut Vec<u8>, i64)) -> u64 {
        self.begin(epoch);
        if self.tail.count == 0 {
            self.tail.base_ms = now_ms;
            self.tail.first_sequence = self.sequence + 1;
        }
        let (base_ms, before) = (self.tail.base_ms, self.tail.records.len());
        write(&mut self.tail.records, base_ms);
        self.appended_bytes += (self.tail.records.len() - before) as u64;
        self.tail.count += 1;
        self.note(self.sequence + 1, now_ms, epoch);
        self.sequence
    }

    /// Whether recovery may apply a record: the first is known already or the next, every other follows the one before it. `Err`
    /// says what is wrong.
    pub fn follows(&self, sequence: u64) -> Result<(), String> {
        let next = self.sequence + 1;
        if sequence > next {
            return Err(format!("records {next} to {} of this place are missing", sequence - 1));
        }
        if sequence == 0 {
            return Err("records are numbered from 1".into());
        }
        if let Some(before) = self.replayed
            && sequence != before + 1
        {
            return Err(format!("it does not follow record {before} of this place, which came before it"));
        }
        Ok(())
    }

    /// Notes the head of the place, or its whole, as a snapshot holds it. `Err` if that came before.
    pub fn head(&mut self, sequence: u64, last_ms: i64) -> Result<(), &'static str> {
        if self.copied.replace(sequence).is_some() {
            return Err("the head of a place that has one already");
        }
        self.note(sequence, last_ms, 0);
        Ok(())
    }

    /// Notes a chunk of the place as a snapshot holds it. `Err` if its head did not come.
    pub fn chunk(&mut self, sequence: u64) -> Result<(), &'static str> {
        let copied = self.copied.as_mut().ok_or("a chunk before the head of its shard")?;
        *copied = sequence.max(*copied);
        Ok(())
    }

    /// Whether a snapshot's head of the place came.
    pub fn has_head(&self) -> bool {
        self.copied.is_some()
    }

    /// Whether the place stands, at the end of a recovery, where the last record of the log led it, if the log had one, and as far as any
    /// of its sections.
    pub fn is_level(&self) -> bool {
        self.copied.is_none_or(|copied| copied <= self.sequence)
            && self.replayed.is_none_or(|replayed| replayed == self.sequence)
    }

    /// Notes that recovery is done with a record.
    pub fn replayed(&mut self, sequence: u64) {
        self.replayed = Some(sequence);
    }

    /// Notes a part that was applied from the log or a snapshot.
    pub fn note(&mut self, sequence: u64, now_ms: i64, epoch: u64) {
        self.sequence = self.sequence.max(sequence);
        self.last_ms = self.last_ms.max(now_ms);
        self.last_epoch = self.last_epoch.max(epoch);
    }
}

/// A place's state and its journal, as its lock holds them.
#[derive(Debug, Default)]
pub struct Held<T> {
    /// What the place is about.
    pub state: T,
    /// Its numbers and its tail.
    pub journal: Journal,
}

/// A place. Aligned so that two places never share a pair of cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Place<T> {
    held: Mutex<Held<T>>,
}

impl<T> Place<T> {
    /// A place with nothing logged yet.
    pub fn new(state: T) -> Place<T> {
        Place { held: Mutex::new(Held { state, journal: Journal::default() }) }
    }

    /// Locks it. Order over several: members, directory, blocks, programmes, each by index.
    pub fn lock(&self) -> MutexGuard<'_, Held<T>> {
        self.held.lock()
    }

    /// Hands out what was appended here in the epoch that ended; false, with nothing done, if the place is locked.
    fn try_collect(&self, ended: u64, take: impl FnOnce(&mut Tail)) -> bool {
        let Some(mut held) = self.held.try_lock() else { return false };
        held.journal.collect(ended, take);
        true
    }
}

/// The number of the epoch that is filling.
#[derive(Debug)]
pub struct Epochs {
    filling: AtomicU64,
}

impl Epochs {
    /// Starts with `first` as the epoch that fills.
    pub fn new(first: u64) -> Epochs {
        Epochs { filling: AtomicU64::new(first) }
    }

    /// The epoch that fills. An outcome reads it once, with all its places locked: it may be raised at any moment.
    pub fn filling(&self) -> u64 {
        self.filling.load(Ordering::Acquire)
    }

    /// Goes on with `epoch` as the one that fills, after recovery.
    pub fn resume(&self, epoch: u64) {
        self.filling.store(epoch, Ordering::Release);
    }

    /// Ends the epoch that fills and begins the next. One thread at a time does, and collects what the ended one holds
    /// before the next time.
    pub fn end(&self) -> u64 {
        let ended = self.filling.load(Ordering::Relaxed);
        self.filling.store(ended + 1, Ordering::Release);
        ended
    }
}

/// All places of one kind, locked. Holding the guards of every kind is holding the instant.
pub type Locked<'a, T> = Vec<MutexGuard<'a, Held<T>>>;

/// Locks all places of one kind, in their order.
pub fn lock_all<'a, T: 'a>(places: impl IntoIterator<Item = &'a Place<T>>) -> Locked<'a, T> {
    places.into_iter().map(Place::lock).collect()
}

/// Collects the epoch that ended from all places of one kind: `take(index, tail)` is handed each tail that has anything, in
/// exchange for an empty one; those of places that are locked at the moment last.
pub fn collect<'a, T: 'a>(
    places: impl IntoIterator<Item = &'a Place<T>>,
    ended: u64,
    mut take: impl FnMut(usize, &mut Tail),
) {
    let mut left: Vec<(usize, &Place<T>)> = Vec::new();
    for (index, place) in places.into_iter().enumerate() {
        if !place.try_collect(ended, |tail| take(index, tail)) {
            left.push((index, place));
        }
    }
    // A turn leaves a place after a microsecond. To wait in line for its lock may be to give the processor away for as long
    // as other threads like.
    for _ in 0..TRIES {
        left.retain(|(index, place)| !place.try_collect(ended, |tail| take(*index, tail)));
        if left.is_empty() {
            return;
        }
        pause();
    }
    for (index, place) in left {
        place.lock().journal.collect(ended, |tail| take(index, tail));
    }
}

/// The same from places that the caller holds.
pub fn collect_held<T>(held: &mut Locked<'_, T>, ended: u64, mut take: impl FnMut(usize, &mut Tail)) {
    for (index, place) in held.iter_mut().enumerate() {
        place.journal.collect(ended, |tail| take(index, tail));
    }
}
