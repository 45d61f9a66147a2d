//! Reading the log back.
use std::sync::Arc;

use super::{ChainHead, LogError, LogIdentity, LogOptions, LogWriter, Tails};
use crate::storage::Storage;

/// What the caller knows of the log before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expect {
    /// The directory's id must be in every segment; segments may have this lineage or a lower one.
    pub identity: LogIdentity,
    /// The first epoch that is needed. Segments that end before it are not read.
    pub from_epoch: u64,
    /// A head that a snapshot or a backup has seen durable: a log that ends before it, or has another hash there, is refused.
    pub known: Option<ChainHead>,
}

/// One epoch, read back whole and checked.
#[derive(Debug, Clone)]
pub struct RecoveredEpoch<'a> {
    /// Its number.
    pub epoch: u64,
    /// The hash of its last block.
    pub hash: [u8; 32],
    /// What each place added.
    pub tails: Tails<'a>,
    /// Bytes of log read so far, for a progress bar.
    pub done_bytes: u64,
    /// Bytes of log there are to read, at most.
    pub total_bytes: u64,
}

/// Bytes behind the last whole epoch that were never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment's path.
    pub file: String,
    /// Where they begin.
    pub offset: u64,
    /// How many they are, up to the last that is not zero.
    pub bytes: u64,
    /// What is wrong with the first of them.
    pub reason: String,
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// The last whole epoch, and its hash.
    pub head: ChainHead,
    /// Whether a closing block proves that the last epoch was durable.
    pub closed: bool,
    /// What was cut, if anything.
    pub torn: Option<TornTail>,
    /// Epochs visited.
    pub epochs: u64,
    /// Bytes of log read.
    pub bytes: u64,
    /// Segments in log/ with a header, spares not counted.
    pub segments: u64,
}

/// A recovered log.
pub struct Recovered {
    /// Goes on behind the last epoch.
    pub writer: LogWriter,
    /// What was found.
    pub scanned: Scanned,
}

/// The visitor of a recovery: gets each epoch from `from_epoch` on, in order.
pub type Visit<'v> = dyn FnMut(RecoveredEpoch<'_>) -> Result<(), LogError> + 'v;

/// Reads and checks the log without changing anything.
#[allow(unused_variables)]
pub fn scan(storage: &Arc<dyn Storage>, expect: Expect, visit: &mut Visit<'_>) -> Result<Scanned, LogError> {
    unimplemented!()
}

/// Reads and checks the log, makes its last epoch durable beyond doubt, and opens it for writing behind it.
#[allow(unused_variables)]
pub fn recover(
    storage: Arc<dyn Storage>,
    expect: Expect,
    options: LogOptions,
    visit: &mut Visit<'_>,
) -> Result<Recovered, LogError> {
    unimplemented!()
}
