//! A place: state, its sequence and the tail of its log under one lock, and the cut over all of them.
//!
//! Promises: a part is applied, numbered and appended under the same lock that decided it; the cut takes the tails of
//! all places at one instant, so that an outcome over several places is in one epoch or in none (I1). Never: does I/O
//! or waits while a place is locked.

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};

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
    tail: Tail,
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

    /// Where the next record will stand in the tail.
    pub fn next_offset(&self) -> u32 {
        self.tail.records.len() as u32
    }

    /// Appends the record that `write` adds, given the base of its times. Gives its sequence.
    pub fn append(&mut self, epoch: u64, now_ms: i64, write: impl FnOnce(&mut Vec<u8>, i64)) -> u64 {
        if self.tail.count == 0 {
            self.tail.base_ms = now_ms;
            self.tail.first_sequence = self.sequence + 1;
        }
        let base_ms = self.tail.base_ms;
        write(&mut self.tail.records, base_ms);
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
}

/// The number of the epoch that is filling. Read under any place's lock, raised only under all of them.
#[derive(Debug)]
pub struct Epochs {
    filling: AtomicU64,
}

impl Epochs {
    /// Starts with `first` as the epoch that fills.
    pub fn new(first: u64) -> Epochs {
        Epochs { filling: AtomicU64::new(first) }
    }

    /// The epoch that fills: exact while a place is locked.
    pub fn filling(&self) -> u64 {
        self.filling.load(Ordering::Acquire)
    }

    /// Goes on with `epoch` as the one that fills, after recovery.
    pub fn resume(&self, epoch: u64) {
        self.filling.store(epoch, Ordering::Release);
    }

    fn next(&self) -> u64 {
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

/// Takes the tails of one kind's places that have any: `take(index, tail)` is handed each in exchange for an empty one.
pub fn take_tails<T>(held: &mut Locked<'_, T>, mut take: impl FnMut(usize, &mut Tail)) {
    for (index, place) in held.iter_mut().enumerate() {
        if place.journal.tail.count > 0 {
            take(index, &mut place.journal.tail);
            place.journal.tail.count = 0;
            assert!(place.journal.tail.records.is_empty(), "a cut leaves an empty tail");
        }
    }
}

/// Ends the epoch that fills and begins the next. The caller holds every place.
pub fn end_epoch(epochs: &Epochs) -> u64 {
    epochs.next()
}
