//! Group commit: cut, write, one `fdatasync`, publish; meanwhile the next epoch fills. Back to back while the load is light, a
//! millisecond apart while it is heavy.
//!
//! Promises: an epoch is published only after its `fdatasync`; an empty one without a write; one that fails ends
//! everything: the watermark tells it, and no fsync is ever tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::pace::Pace;
use super::{ChainHead, Doorbell, LogCounters, LogError, LogPages, LogWriter, PlaceTail, Watermark};
use crate::planted::{Bug, planted};
use crate::store::{Cut, Store};

/// How long nothing must have happened before the closing block is written.
const IDLE: Duration = Duration::from_millis(100);
/// From here on an epoch's wait for the disk counts as a stall: a disk that is well takes a tenth of it, and every answer waits as long.
const STALL: Duration = Duration::from_millis(3);

/// What others may know of the log while the flusher owns it.
pub struct LogState {
    /// The newest durable epoch.
    pub watermark: Watermark,
    /// Rung after every turn that appended.
    pub doorbell: Doorbell,
    /// Reads entries back.
    pub pages: LogPages,
    room: Arc<AtomicU64>,
    stop: AtomicBool,
    seen: Mutex<(LogCounters, ChainHead)>,
    stalls: AtomicU64,
    stalled_us: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl LogState {
    /// Bytes allocated ahead that are still free.
    pub fn room(&self) -> u64 {
        self.room.load(Ordering::Relaxed)
    }

    /// What was written so far, and the head of the chain.
    pub fn counters(&self) -> (LogCounters, ChainHead) {
        *self.seen.lock()
    }

    /// How many epochs waited three milliseconds or longer for the disk, and how long in all.
    pub fn stalls(&self) -> (u64, Duration) {
        (self.stalls.load(Ordering::Relaxed), Duration::from_micros(self.stalled_us.load(Ordering::Relaxed)))
    }

    /// Counts an epoch's wait for the disk.
    fn waited(&self, wait: Duration) {
        if wait >= STALL {
            self.stalls.fetch_add(1, Ordering::Relaxed);
            self.stalled_us.fetch_add(wait.as_micros() as u64, Ordering::Relaxed);
        }
    }

    /// Why the log failed, if it did.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// Tells that nothing will be durable any more, and why.
    fn fail(&self, why: String) {
        self.failure.lock().get_or_insert(why);
        self.watermark.fail();
    }

    /// Ends the flusher after everything appended is durable and the closing block written.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.doorbell.ring();
    }
}

/// Owns the writing end of the log.
pub struct Flusher {
    store: Arc<Store>,
    writer: LogWriter,
    state: Arc<LogState>,
    tails: Vec<PlaceTail>,
    waits_for_room: bool,
}

impl Flusher {
    /// A flusher over a log whose every epoch up to `durable` is durable.
    pub fn new(store: Arc<Store>, writer: LogWriter, durable: u64) -> Flusher {
        let state = LogState {
            watermark: Watermark::new(durable),
            doorbell: Doorbell::default(),
            pages: writer.pages(),
            room: writer.room_handle(),
            stop: AtomicBool::new(false),
            seen: Mutex::new((writer.counters(), writer.head())),
            stalls: AtomicU64::new(0),
            stalled_us: AtomicU64::new(0),
            failure: Mutex::new(None),
        };
        Flusher { store, writer, state: Arc::new(state), tails: Vec::new(), waits_for_room: false }
    }

    /// What others may know.
    pub fn state(&self) -> Arc<LogState> {
        Arc::clone(&self.state)
    }

    /// The most that one epoch may take.
    pub fn max_epoch_bytes(&self) -> u64 {
        self.writer.max_epoch_bytes()
    }

    /// The size of a segment: less on the disk, and nothing more can be allocated.
    pub fn segment_bytes(&self) -> u64 {
        self.writer.segment_bytes()
    }

    /// Makes one epoch durable. The bytes of records in it; an epoch with none is not written.
    pub fn turn(&mut self) -> Result<u64, LogError> {
        let mut cut = self.store.cut();
        let bytes = cut.bytes();
        if planted(Bug::EarlyPublish) {
            self.state.watermark.publish(cut.epoch);
        }
        let result = if cut.tails.is_empty() { Ok(()) } else { self.write(&mut cut) };
        if let Err(error) = result {
            self.state.fail(error.to_string());
            return Err(error);
        }
        let epoch = cut.epoch;
        self.store.made_durable(cut);
        *self.state.seen.lock() = (self.writer.counters(), self.writer.head());
        if !planted(Bug::EarlyPublish) {
            self.state.watermark.publish(epoch);
        }
        Ok(bytes)
    }

    fn write(&mut self, cut: &mut Cut) -> Result<(), LogError> {
        self.tails.extend(cut.tails.iter_mut().map(|cut| PlaceTail {
            place: super::PlaceId(cut.place.to_u32()),
            first_sequence: cut.tail.first_sequence,
            base_ms: cut.tail.base_ms,
            count: cut.tail.count,
            records: std::mem::take(&mut cut.tail.records),
        }));
        let began = Instant::now();
        let written = self.append(cut.epoch).and_then(|()| self.writer.sync());
        self.state.waited(began.elapsed());
        for (cut, tail) in cut.tails.iter_mut().zip(self.tails.drain(..)) {
            cut.tail.records = tail.records;
        }
        written
    }

    /// Appends; with a full disk what was decided waits here until there is room. New changes are refused meanwhile.
    fn append(&mut self, epoch: u64) -> Result<(), LogError> {
        loop {
            match self.writer.append(epoch, &self.tails) {
                Err(LogError::NoRoom { .. }) if self.waits_for_room && !self.state.stop.load(Ordering::Acquire) => {
                    self.writer.allocate_ahead();
                    std::thread::sleep(IDLE);
                }
                appended => return appended,
            }
        }
    }

    /// Writes the closing block behind the newest epoch, if it has none.
    pub fn close(&mut self) -> Result<(), LogError> {
        if self.writer.is_open() {
            self.writer.close_block()?;
            *self.state.seen.lock() = (self.writer.counters(), self.writer.head());
        }
        Ok(())
    }

    /// A closing block only proves what is durable already: where it finds no room it can wait.
    fn close_if_room(&mut self) -> Result<(), LogError> {
        match self.close() {
            Err(LogError::NoRoom { .. }) => {
                self.writer.allocate_ahead();
                Ok(())
            }
            closed => closed,
        }
    }

    /// Tries to allocate ahead, where no thread does it.
    pub fn allocate_ahead(&mut self) {
        self.writer.allocate_ahead();
    }

    /// Runs until [`LogState::stop`] or a failure, which everyone who waits is told of, even of a panic.
    pub fn run(mut self) -> Result<(), LogError> {
        let state = Arc::clone(&self.state);
        let _told = TellsOfPanic(Arc::clone(&state));
        self.work().inspect_err(|error| state.fail(error.to_string()))
    }

    fn work(&mut self) -> Result<(), LogError> {
        self.waits_for_room = true;
        let mut pace = Pace::new(Instant::now());
        loop {
            while self.store.is_dirty() || self.store.has_ended_epochs() {
                let cut = Instant::now();
                let bytes = self.turn()?;
                if let Some(wait) = pace.wait(cut, bytes, Instant::now()) {
                    std::thread::sleep(wait);
                }
            }
            if self.state.stop.load(Ordering::Acquire) {
                return self.close_if_room();
            }
            if self.writer.is_open() {
                if !self.state.doorbell.listen_for(IDLE) {
                    self.close_if_room()?;
                }
            } else {
                self.state.doorbell.listen();
            }
        }
    }
}

/// A flusher that panics would leave everyone waiting for an epoch that never comes.
struct TellsOfPanic(Arc<LogState>);

impl Drop for TellsOfPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("the flusher panicked; its last words are on standard error".to_owned());
        }
    }
}
