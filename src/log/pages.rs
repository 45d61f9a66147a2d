//! Pages of single tails.
use super::{LogError, PlaceId};

/// A piece of one place's tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The place's sequence number of the tail's first record (not of this page's).
    pub first_sequence: u64,
    /// The instant from which the tail's records count their times, in milliseconds since 1970 UTC.
    pub base_ms: i64,
    /// The bytes asked for.
    pub bytes: Vec<u8>,
}

/// Reads single pages of durable epochs, in use or archived. Clones share their index.
#[derive(Clone)]
pub struct LogPages {}

#[allow(unused_variables)]
impl LogPages {
    /// The bytes of `place`'s tail in `epoch` from `offset` on, at most `limit`. `None` if the epoch is not durable yet, is beyond the archive's
    /// retention, or has no such byte.
    pub fn entry(&self, epoch: u64, place: PlaceId, offset: u32, limit: usize) -> Result<Option<Page>, LogError> {
        unimplemented!()
    }
    /// See [`LogWriter::archive_before`](super::LogWriter::archive_before); may run beside the writer.
    pub fn archive_before(&self, epoch: u64) -> Result<usize, LogError> {
        unimplemented!()
    }
}
