//! Where epochs stand: every segment that may be read, and some offsets in each.
//!
//! Sparse: an offset is kept for the first epoch in every 64 KiB of a segment. A segment that nobody has read since the start
//! has none; the first page read in it walks its block headers and leaves some.

use std::collections::BTreeMap;

use super::segment::SegmentHeader;
use super::survey::Segment;

/// A point is kept once this many bytes lie behind the last.
const POINT_BYTES: u64 = 64 << 10;

/// All segments that hold durable epochs, by number.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The newest durable epoch.
    pub(super) durable: u64,
    pub(super) segments: BTreeMap<u64, Indexed>,
}

/// One segment.
#[derive(Debug, Clone)]
pub(super) struct Indexed {
    /// The last epoch before it.
    pub(super) previous: u64,
    /// The newest time in its first epoch.
    pub(super) made_ms: i64,
    /// Its length in bytes.
    pub(super) len: u64,
    /// Where its last durable block ends; its length where that is not known.
    pub(super) end: u64,
    pub(super) block_bytes: u32,
    pub(super) archived: bool,
    /// Epochs and where they start, both rising.
    points: Vec<(u64, u64)>,
}

impl Indexed {
    /// One that is being written, up to `end`.
    pub(super) fn current(previous: u64, made_ms: i64, len: u64, end: u64, block_bytes: u32) -> Indexed {
        Indexed { previous, made_ms, len, end, block_bytes, archived: false, points: Vec::new() }
    }

    /// One of which only the header was read.
    pub(super) fn unread(segment: &Segment, header: &SegmentHeader) -> Indexed {
        Indexed {
            previous: header.previous.epoch,
            made_ms: header.made_ms,
            len: segment.len,
            end: segment.len,
            block_bytes: header.block_bytes,
            archived: segment.archived,
            points: Vec::new(),
        }
    }

    /// Remembers where an epoch starts, if it is far enough behind the last one remembered.
    pub(super) fn note(&mut self, epoch: u64, offset: u64) {
        if self.points.last().is_none_or(|&(_, last)| offset >= last + POINT_BYTES) {
            self.points.push((epoch, offset));
        }
    }

    /// The nearest known start at or before an epoch.
    pub(super) fn nearest(&self, epoch: u64) -> Option<u64> {
        let after = self.points.partition_point(|&(noted, _)| noted <= epoch);
        after.checked_sub(1).map(|index| self.points[index].1)
    }

    /// Whether anything was noted.
    pub(super) fn is_known(&self) -> bool {
        !self.points.is_empty()
    }
}

impl Index {
    /// The segment in which an epoch stands, if it was written and is kept.
    pub(super) fn segment_of(&self, epoch: u64) -> Option<(u64, &Indexed)> {
        self.segments
            .iter()
            .rev()
            .find(|(_, segment)| segment.previous < epoch)
            .map(|(&number, segment)| (number, segment))
    }
}
