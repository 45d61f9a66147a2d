//! The one writer of a log.
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::{ChainHead, LogError, LogIdentity, LogOptions, LogPages, PlaceTail};
use crate::storage::Storage;

/// What a writer did since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogCounters {
    /// Epochs made durable.
    pub epochs: u64,
    /// Blocks made durable, closing blocks included.
    pub blocks: u64,
    /// Bytes of those blocks, padding included.
    pub bytes: u64,
    /// Closing blocks among them.
    pub closing_blocks: u64,
    /// Calls of `fdatasync` for blocks: exactly `epochs + closing_blocks`.
    pub fdatasyncs: u64,
    /// Segments begun.
    pub segments: u64,
}

/// Writes epochs. See the [module](super).
pub struct LogWriter {
    _storage: Arc<dyn Storage>,
}

#[allow(unused_variables)]
impl LogWriter {
    /// Makes the log of a fresh data directory: the folders, the first segment with its header, the spares (if there is room). An
    /// interrupted creation is made anew; a log with epochs is refused.
    pub fn create(
        storage: Arc<dyn Storage>,
        identity: LogIdentity,
        options: LogOptions,
    ) -> Result<LogWriter, LogError> {
        unimplemented!()
    }
    /// Like [`LogWriter::create`], for a directory that begins with a restored snapshot: the log goes on behind `head`.
    pub fn create_after(
        storage: Arc<dyn Storage>,
        identity: LogIdentity,
        head: ChainHead,
        options: LogOptions,
    ) -> Result<LogWriter, LogError> {
        unimplemented!()
    }
    /// Writes all blocks of an epoch, without making them durable; `sync` must follow before anything else. `epoch` must be above the last.
    /// `NoRoom` and `EpochTooLarge` leave the log as it was; any other error poisons it.
    pub fn append(&mut self, epoch: u64, tails: &[PlaceTail]) -> Result<(), LogError> {
        unimplemented!()
    }
    /// Makes the appended epoch durable, with exactly one `fdatasync`.
    pub fn sync(&mut self) -> Result<(), LogError> {
        unimplemented!()
    }
    /// Writes a closing block and makes it durable, with one `fdatasync`: the proof that the newest epoch was durable before. Does nothing
    /// if the newest block is a closing block already, or there is no epoch.
    pub fn close_block(&mut self) -> Result<(), LogError> {
        unimplemented!()
    }
    /// Whether the newest epoch lacks its closing block.
    pub fn is_open(&self) -> bool {
        unimplemented!()
    }
    /// Bytes allocated and synced ahead that are still free.
    pub fn room(&self) -> u64 {
        unimplemented!()
    }
    /// The same number, for other threads.
    pub fn room_handle(&self) -> Arc<AtomicU64> {
        unimplemented!()
    }
    /// Tries to allocate what is missing ahead; a full disk is no error. With [`Ahead::Thread`](super::Ahead) it wakes the thread.
    pub fn allocate_ahead(&mut self) {
        unimplemented!()
    }
    /// The newest epoch written, and its hash.
    pub fn head(&self) -> ChainHead {
        unimplemented!()
    }
    /// What this writer did so far.
    pub fn counters(&self) -> LogCounters {
        unimplemented!()
    }
    /// Reads pages of durable epochs; from any thread.
    pub fn pages(&self) -> LogPages {
        unimplemented!()
    }
    /// Moves segments that hold only epochs below `epoch` into the archive, and drops the oldest archived ones beyond the budget. The number
    /// of segments moved. An error does not poison the log; call again later. [`LogPages::archive_before`] does the same from another thread.
    pub fn archive_before(&mut self, epoch: u64) -> Result<usize, LogError> {
        unimplemented!()
    }
}
