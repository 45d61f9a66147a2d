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
mod check;
mod doorbell;
mod epoch;
mod error;
mod flusher;
mod index;
mod pace;
mod pages;
mod promise;
mod recovery;
mod reserve;
mod scan;
mod segment;
mod spares;
mod summary;
mod survey;
mod watermark;
mod writer;

pub use archive::Retention;
pub(crate) use archive::numbers;
pub(crate) use check::check_file;
pub use check::{CheckedSegment, check};
pub use doorbell::Doorbell;
pub use epoch::{Tail, Tails};
pub use error::LogError;
pub use flusher::{Flusher, LogState};
pub use pages::{ListedSegment, LogPages, Page};
pub use promise::{Durability, Promise, Telling};
pub use recovery::{ReadBack, Recovered, read_back, recover};
pub use scan::{EpochEnd, Expect, Reach, RecoveredEpoch, Scanned, TornTail, Visit, scan};
pub(crate) use segment::path;
pub use summary::{BlockSummary, SegmentSummary, blocks, summaries};
pub(crate) use survey::hex;
pub use survey::{SegmentBegin, begins};
pub use watermark::{LogFailed, Wake, Watermark};
pub use writer::{LogCounters, LogWriter};

use std::fmt;
use std::str::FromStr;

use crate::storage::SECTOR_BYTES;

/// The folder of the segments in use.
pub const LOG_FOLDER: &str = "log";
/// The folder of segments that recovery no longer needs.
pub const ARCHIVE_FOLDER: &str = "archive";

/// The highest number that a file is believed, of an epoch, a segment or a record. A start believes half of it for epochs and segments, so
/// that whatever counts on from there has room: a million a second take 73,000 years to it. For records the store's bound is lower
/// (`store/section.rs`).
pub(crate) const NUMBER_MOST: u64 = 1 << 62;

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

/// As commands show it and take it: the epoch, a colon, the hash as 64 hexadecimal digits.
impl fmt::Display for ChainHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, survey::hex(&self.hash))
    }
}

/// A text that is no head of the chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no head of the chain; write EPOCH:HASH with 64 hexadecimal digits, as `tidegate status` shows it as chain_head"
)]
pub struct NotAHead(String);

impl FromStr for ChainHead {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<ChainHead, NotAHead> {
        let read = || {
            let (epoch, digits) = text.split_once(':')?;
            let digits = Some(digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
            let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            let hash: Option<Vec<u8>> = pairs.iter().map(byte).collect();
            let epoch = epoch.parse().ok().filter(|&epoch| epoch > 0)?;
            let hash = rest.is_empty().then_some(hash?)?.try_into().ok()?;
            Some(ChainHead { epoch, hash })
        };
        read().ok_or_else(|| NotAHead(text.to_owned()))
    }
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
    /// The most bytes one epoch may take in the log, as [`LogOptions::epoch_bytes`] counts them.
    pub max_epoch_bytes: u64,
    /// The most bytes a block may take, header included: a multiple of 512, from 1 KiB to 1 MiB.
    pub block_bytes: u32,
    /// How many segments are held ready ahead of the current one.
    pub spares: usize,
    /// Who makes them.
    pub ahead: Ahead,
    /// Archived segments are dropped, oldest first, beyond this.
    pub retention: Retention,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions {
            segment_bytes: 64 << 20,
            // Above all that a store lets wait (24 MiB), with what a turn and an activation may add, and padding.
            max_epoch_bytes: 31 << 20,
            block_bytes: segment::BLOCK_BYTES_MAX,
            spares: 4,
            ahead: Ahead::Thread,
            retention: Retention { bytes: 4 << 30, age_ms: None },
        }
    }
}

impl LogOptions {
    /// The bytes an epoch takes in the log: `places` tails with `record_bytes` in all, with table, headers and padding.
    pub fn epoch_bytes(&self, places: usize, record_bytes: u64) -> u64 {
        block::blocks_bytes(epoch::payload_bytes(places, record_bytes), self.block_bytes)
    }

    fn check(&self) -> Result<(), LogError> {
        let problem = |problem: String| Err(LogError::Options { problem });
        if !segment::valid_block_bytes(self.block_bytes) {
            return problem(format!("block_bytes {} is no multiple of 512 from 1024 to 1048576", self.block_bytes));
        }
        if !self.segment_bytes.is_multiple_of(SECTOR_BYTES) {
            return problem(format!("segment_bytes {} is no multiple of 512", self.segment_bytes));
        }
        // Header and closing block are not the epochs'.
        if self.max_epoch_bytes > self.segment_bytes / 2 - SECTOR_BYTES.min(self.segment_bytes / 2) {
            return problem(format!(
                "segment_bytes {} is below twice max_epoch_bytes {} and 1024",
                self.segment_bytes, self.max_epoch_bytes
            ));
        }
        if self.max_epoch_bytes >= 1 << 30 || self.max_epoch_bytes / u64::from(self.block_bytes) >= 60_000 {
            return problem(format!(
                "max_epoch_bytes {} is not below 1 GiB and 60000 blocks of {}",
                self.max_epoch_bytes, self.block_bytes
            ));
        }
        Ok(())
    }
}
