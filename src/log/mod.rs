//! The write-ahead log: every change of state, in epochs, each whole or absent.
//!
//! An epoch holds one tail of records for each place that changed. [`LogWriter`] cuts it into checksummed blocks, chained by BLAKE3, and
//! writes them into a segment that was allocated, filled with zeros and synced ahead; [`LogWriter::sync`] makes the epoch durable with
//! exactly one `fdatasync`. [`recover`] reads the log back, [`scan`] only reads it, [`LogPages`] serves single pages of it.
//!
//! Promises:
//! - an epoch whose `sync` succeeded is visited by every later recovery, whole, once, in order, on a disk that honours flush;
//! - bytes that were never acknowledged (a torn tail) are cut and reported; damage before acknowledged bytes is refused with segment, offset,
//!   what was expected and what was found;
//! - after an error of a write or sync the writer is poisoned and refuses everything; an fsync is never tried again;
//! - nothing is allocated by a length that was not checked.
//!
//! It never looks into records, has no clock, and knows nothing of members or campaigns. `docs/disk-format.md` has the bytes.

mod archive;
mod block;
mod doorbell;
mod epoch;
mod error;
mod flusher;
mod pages;
mod recovery;
mod segment;
mod spares;
mod watermark;
mod writer;

pub use doorbell::Doorbell;
pub use epoch::{Tail, Tails, encoded_bytes};
pub use error::LogError;
pub use flusher::{Flusher, LogState};
pub use pages::{LogPages, Page};
pub use recovery::{Expect, Recovered, RecoveredEpoch, Scanned, TornTail, Visit, recover, scan};
pub use watermark::{LogFailed, Wake, Watermark};
pub use writer::{LogCounters, LogWriter};

/// The folder of the segments in use.
pub const LOG_FOLDER: &str = "log";
/// The folder of segments that recovery no longer needs.
pub const ARCHIVE_FOLDER: &str = "archive";

/// The number of a place of state (a member shard, a quota block, …), fixed for the life of a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceId(pub u32);

/// What one place adds to an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceTail {
    /// Whose records these are.
    pub place: PlaceId,
    /// The place's sequence number of the first record; the others follow without a gap.
    pub first_sequence: u64,
    /// The instant, in milliseconds since 1970 UTC, from which the records count their times.
    pub base_ms: i64,
    /// How many records there are.
    pub count: u32,
    /// The records, one behind the other, as the store encodes them.
    pub records: Vec<u8>,
}

/// Whose log it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogIdentity {
    /// The random id of the data directory.
    pub directory: [u8; 16],
    /// How often the data was restored to an earlier point.
    pub lineage: u32,
}

/// The end of the hash chain: the newest epoch and the hash of its last block, which stands for everything before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChainHead {
    /// The newest epoch that was written; 0 before the first.
    pub epoch: u64,
    /// BLAKE3 of that epoch's last block; zeros before the first.
    pub hash: [u8; 32],
}

/// How the segments ahead are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// By a thread of their own: for the real disk.
    Thread,
    /// At the end of each `sync` and in [`LogWriter::allocate_ahead`], by the calling thread: for tests that must repeat exactly.
    Step,
}

/// Sizes of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Length of a segment, a multiple of 512 bytes and at least twice `max_epoch_bytes`.
    pub segment_bytes: u64,
    /// The most bytes one epoch may take in the log, as [`encoded_bytes`] counts them.
    pub max_epoch_bytes: u64,
    /// How many segments are held ready ahead of the current one.
    pub spares: usize,
    /// Who makes them.
    pub ahead: Ahead,
    /// Archived segments are dropped, oldest first, beyond this many bytes.
    pub archive_bytes: u64,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions {
            segment_bytes: 64 << 20,
            max_epoch_bytes: 16 << 20,
            spares: 2,
            ahead: Ahead::Thread,
            archive_bytes: 4 << 30,
        }
    }
}
