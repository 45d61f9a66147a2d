//! Segments made ahead of need: created, filled with zeros, synced, and only then given their name.
//!
//! Syncing into a file whose blocks are written already costs half of what it costs in one that grows. A full disk shows here first, while
//! what was decided still has room; then the room just does not grow, and making one is tried again.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::reserve::{Ready, Reserve};
use super::segment::{self, HEADER_BYTES};
use super::{Ahead, LOG_FOLDER, LogOptions};
use crate::storage::{File, SECTOR_BYTES, Storage};

/// Zeros are written in steps, so that none stands long before the log's own writes.
const FILL_BYTES: u64 = 256 << 10;
/// So much is written before a sync. Each sync is a commit of the file system's journal, which the log's own writes can meet (they change
/// the time in their file's inode): a sync after every step made 300 a second of them, and put the p99 of answers from 2.8 to 5.1 ms
/// (medians of four, interleaved, at 450,000 requests a second). None at all would leave one large flush for the end.
const SYNC_BYTES: u64 = 4 << 20;
/// After a step the thread rests, as long as two spares are ready: then there is time.
const REST: Duration = Duration::from_micros(1500);
/// After a failure the thread waits this long before the next try.
const RETRY: Duration = Duration::from_millis(200);

/// A segment ready for use.
pub(super) struct Spare {
    pub(super) number: u64,
    pub(super) file: Box<dyn File>,
    pub(super) len: u64,
}

impl Ready for Spare {
    fn room(&self) -> u64 {
        usable(self.len, HEADER_BYTES)
    }
}

/// The bytes epochs may still take in a segment: one sector stays for a closing block.
pub(super) fn usable(len: u64, position: u64) -> u64 {
    len.saturating_sub(position + SECTOR_BYTES)
}

/// The spares of one log, and whoever makes them.
pub(super) struct Spares {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    storage: Arc<dyn Storage>,
    options: LogOptions,
    room: Arc<AtomicU64>,
    reserve: Reserve<Spare>,
}

impl Spares {
    /// Goes on with the spares that are there; the next one made gets the number `next_number`. Adds their room to `room`. With `one_now`
    /// the first is made before this returns; what goes wrong then is given back.
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        options: LogOptions,
        room: Arc<AtomicU64>,
        ready: VecDeque<Spare>,
        next_number: u64,
        one_now: bool,
    ) -> (Spares, io::Result<()>) {
        room.fetch_add(ready.iter().map(Spare::room).sum(), Ordering::AcqRel);
        let enough = !one_now || !ready.is_empty();
        let reserve = Reserve::new(options.spares, ready, next_number);
        let shared = Arc::new(Shared { storage, options, room, reserve });
        let made = if enough { Ok(()) } else { shared.make(next_number) };
        let thread = (options.ahead == Ahead::Thread).then(|| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("log-spares".to_owned())
                .spawn(move || shared.run())
                .expect("a process that starts can start one more thread")
        });
        (Spares { shared, thread }, made)
    }

    /// The next segment, if one is ready. Its room goes over to the caller.
    pub(super) fn take(&mut self) -> Option<Spare> {
        self.shared.reserve.take(&self.shared.room)
    }

    /// Has a thread of its own, which is woken by `take` and else left to its own pace.
    pub(super) fn fill_themselves(&self) -> bool {
        self.thread.is_some()
    }

    /// Makes what is missing, or wakes the thread that does. Failures show in the room only.
    pub(super) fn fill(&mut self) {
        if self.thread.is_some() {
            self.shared.reserve.wake();
            return;
        }
        while let Some(number) = self.shared.reserve.missing() {
            if self.shared.make(number).is_err() {
                break;
            }
        }
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        self.shared.reserve.stop();
        if let Some(thread) = self.thread.take() {
            // A panic there has said so already, and costs only the room ahead.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut failed = None;
        while self.reserve.rest(failed) {
            failed = self.reserve.missing().and_then(|number| self.make(number).err()).map(|_| RETRY);
        }
    }

    /// Makes the spare with this number. Only one thread ever does.
    fn make(&self, number: u64) -> io::Result<()> {
        let len = self.options.segment_bytes;
        match self.allocate(number, len) {
            Ok(file) => {
                self.reserve.put(Spare { number, file, len }, &self.room);
                Ok(())
            }
            Err(error) => {
                // Half a spare must not take the room that others need.
                let _ = self.storage.remove(&segment::path_new(number));
                Err(error)
            }
        }
    }

    fn allocate(&self, number: u64, len: u64) -> io::Result<Box<dyn File>> {
        if self.storage.free_bytes()? < len {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let path = segment::path_new(number);
        let file = match self.storage.create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.storage.remove(&path)?;
                self.storage.create(&path)?
            }
            result => result?,
        };
        let zeros = vec![0; FILL_BYTES.min(len) as usize];
        let mut offset = 0;
        while offset < len {
            if self.reserve.is_stopped() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let step = FILL_BYTES.min(len - offset);
            file.write_at(offset, &zeros[..step as usize])?;
            offset += step;
            if offset.is_multiple_of(SYNC_BYTES) {
                file.sync_data()?;
            }
            if self.options.ahead == Ahead::Thread && self.reserve.len() >= 2 {
                std::thread::sleep(REST);
            }
        }
        file.sync_all()?;
        self.storage.rename(&path, &segment::path(number))?;
        self.storage.sync_dir(LOG_FOLDER)?;
        Ok(file)
    }
}
