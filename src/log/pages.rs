//! Pages of single tails: what a statement of the ledger is read from.
//!
//! The index gives the segment and a start nearby; from there block headers are walked to the epoch, its table is read, and of its blocks only
//! those that hold the bytes asked for. Every block is checked before a byte of it is given out.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::block::{BlockHeader, HEADER_BYTES, Kind, NoBlock};
use super::epoch::{COUNT_BYTES, ENTRY_BYTES, Entry};
use super::index::{Index, Indexed};
use super::segment::{self, padded};
use super::{LogError, PlaceId, Retention, archive};
use crate::storage::{File, Storage};

/// A piece of one place's tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The place's sequence number of the tail's first record (not of this page's).
    pub first_sequence: u64,
    /// The instant from which the tail's records count their times, in milliseconds since 1970 UTC.
    pub base_ms: i64,
    /// The lineage that they were written in.
    pub lineage: u32,
    /// The bytes asked for.
    pub bytes: Vec<u8>,
}

/// A segment, for those who copy it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedSegment {
    /// Its number.
    pub number: u64,
    /// The length of its file.
    pub bytes: u64,
    /// How much of it may be read: what is durable, or all where that is not known.
    pub used_bytes: u64,
    /// The last epoch before it.
    pub previous_epoch: u64,
}

/// Reads single pages of durable epochs, in use or archived. Clones share their index.
#[derive(Clone)]
pub struct LogPages {
    shared: Arc<Shared>,
}

struct Shared {
    storage: Arc<dyn Storage>,
    index: Arc<RwLock<Index>>,
    retention: Retention,
    /// Held while segments move: one archiver at a time.
    archiving: Mutex<()>,
}

impl LogPages {
    pub(super) fn new(storage: Arc<dyn Storage>, index: Arc<RwLock<Index>>, retention: Retention) -> LogPages {
        LogPages { shared: Arc::new(Shared { storage, index, retention, archiving: Mutex::new(()) }) }
    }

    /// The bytes of `place`'s tail in `epoch` from `offset` on, at most `limit`. `None` if the epoch is not durable yet, is beyond the archive's
    /// retention, or has no such byte.
    pub fn entry(&self, epoch: u64, place: PlaceId, offset: u32, limit: usize) -> Result<Option<Page>, LogError> {
        let Some(mut segment) = self.open_segment_of(epoch)? else { return Ok(None) };
        let Some(first) = self.walk(&segment, epoch)? else { return Ok(None) };
        let Some(entry) = segment.find(first, place)? else { return Ok(None) };
        if offset >= entry.len {
            return Ok(None);
        }
        let len = limit.min((entry.len - offset) as usize);
        let bytes = segment.payload(first, u64::from(entry.offset) + u64::from(offset), len)?;
        let Entry { first_sequence, base_ms, .. } = entry;
        Ok(Some(Page { first_sequence, base_ms, lineage: first.lineage, bytes }))
    }

    /// Moves segments that hold only epochs below `epoch` into the archive. The number of segments moved. An error does not poison the
    /// log; call again later. May run beside the writer.
    pub fn archive_before(&self, epoch: u64) -> Result<usize, LogError> {
        let Shared { storage, index, archiving, .. } = &*self.shared;
        let _alone = archiving.lock();
        archive::move_before(&**storage, index, epoch)
    }

    /// Drops archived segments beyond the retention, the oldest first. While somebody copies them, only beyond twice its bytes. The number
    /// of segments dropped; errors as above.
    pub fn drop_archived(&self, now_ms: i64, are_copied: bool) -> Result<usize, LogError> {
        let Shared { storage, index, retention, archiving } = &*self.shared;
        let copied = Retention { bytes: retention.bytes.saturating_mul(2), age_ms: None };
        let _alone = archiving.lock();
        archive::drop_beyond(&**storage, index, if are_copied { copied } else { *retention }, now_ms)
    }

    /// The segments from a number on that hold durable epochs, rising.
    pub fn segments(&self, from: u64) -> Vec<ListedSegment> {
        let index = self.shared.index.read();
        let listed = index.segments.range(from..).map(|(&number, segment)| ListedSegment {
            number,
            bytes: segment.len,
            used_bytes: segment.end,
            previous_epoch: segment.previous,
        });
        listed.collect()
    }

    /// Bytes of a segment, from `offset` until `bytes` is full or what is durable of it ends; how many they are. `None` if there is no such
    /// segment.
    pub fn read_segment(&self, number: u64, offset: u64, bytes: &mut [u8]) -> Result<Option<usize>, LogError> {
        let (path, file, end) = {
            // Opened under the lock, so that the file cannot be moved between look-up and opening.
            let index = self.shared.index.read();
            let Some(indexed) = index.segments.get(&number) else { return Ok(None) };
            let path = if indexed.archived { segment::path_archived(number) } else { segment::path(number) };
            let file = self.shared.storage.open(&path).map_err(LogError::storage("open", path.clone()))?;
            (path, file, indexed.end)
        };
        let count = (bytes.len() as u64).min(end.saturating_sub(offset)) as usize;
        file.read_at(offset, &mut bytes[..count]).map(Some).map_err(LogError::storage("read", path))
    }

    /// Makes an epoch (or a segment without one) readable.
    pub(super) fn publish(&self, durable: u64, number: u64, segment: Indexed, start: Option<u64>) {
        let mut index = self.shared.index.write();
        index.durable = durable;
        let end = segment.end;
        let segment = index.segments.entry(number).or_insert(segment);
        segment.end = end;
        if let Some(start) = start {
            segment.note(durable, start);
        }
    }

    fn open_segment_of(&self, epoch: u64) -> Result<Option<OpenSegment>, LogError> {
        // Opened under the lock, so that the file cannot be moved between look-up and opening.
        let index = self.shared.index.read();
        if epoch > index.durable {
            return Ok(None);
        }
        let Some((number, indexed)) = index.segment_of(epoch) else { return Ok(None) };
        let path = if indexed.archived { segment::path_archived(number) } else { segment::path(number) };
        let file = self.shared.storage.open(&path).map_err(LogError::storage("open", path.clone()))?;
        Ok(Some(OpenSegment {
            number,
            path,
            file,
            len: indexed.len,
            block_bytes: u64::from(indexed.block_bytes),
            from: indexed.nearest(epoch).unwrap_or(segment::HEADER_BYTES),
            known: indexed.is_known(),
            body: Vec::new(),
            body_of: None,
        }))
    }

    /// Goes from block to block to the first one of an epoch. `None` if the epoch was empty.
    fn walk(&self, segment: &OpenSegment, epoch: u64) -> Result<Option<BlockHeader>, LogError> {
        let mut at = segment.from;
        let mut seen = (!segment.known).then(Vec::new);
        let found = loop {
            if at + padded(0) > segment.len {
                break None;
            }
            match segment.header(at)? {
                None => break None,
                Some(header) if header.kind == Kind::Epoch && header.epoch >= epoch => {
                    break (header.epoch == epoch).then_some(header);
                }
                Some(header) => {
                    if let Some(seen) = &mut seen
                        && header.kind == Kind::Epoch
                        && header.piece == 0
                    {
                        seen.push((header.epoch, at));
                    }
                    at += padded(u64::from(header.body_bytes));
                }
            }
        };
        if let Some(seen) = seen
            && let Some(indexed) = self.shared.index.write().segments.get_mut(&segment.number)
            && !indexed.is_known()
        {
            seen.into_iter().for_each(|(epoch, at)| indexed.note(epoch, at));
        }
        Ok(found)
    }
}

/// A segment open for one question.
struct OpenSegment {
    number: u64,
    path: String,
    file: Box<dyn File>,
    len: u64,
    block_bytes: u64,
    /// Where the walk begins.
    from: u64,
    /// Whether the index knew any start in it.
    known: bool,
    /// The block body read last, and the block's offset.
    body: Vec<u8>,
    body_of: Option<u64>,
}

impl OpenSegment {
    /// The block header at an offset; `None` where nothing was written.
    fn header(&self, at: u64) -> Result<Option<BlockHeader>, LogError> {
        let mut bytes = [0; HEADER_BYTES];
        let count = self.file.read_at(at, &mut bytes).map_err(LogError::storage("read", self.path.clone()))?;
        match BlockHeader::decode(&bytes[..count]) {
            Ok(header) if header.segment == self.number && header.offset == at => Ok(Some(header)),
            Ok(header) => Err(self.damaged(
                at,
                "a block of this place",
                format!("a block of segment {}, offset {}", header.segment, header.offset),
            )),
            Err(NoBlock::Zero) => Ok(None),
            Err(NoBlock::Broken(found)) => Err(self.damaged(at, "a block", found)),
        }
    }

    /// The line of a place in the table of an epoch.
    fn find(&mut self, first: BlockHeader, place: PlaceId) -> Result<Option<Entry>, LogError> {
        let count = self.payload(first, 0, COUNT_BYTES)?;
        let count = u32::from_le_bytes(count.try_into().expect("as many bytes as asked for")) as usize;
        let table = self.payload(first, COUNT_BYTES as u64, count.saturating_mul(ENTRY_BYTES))?;
        let found = table.chunks_exact(ENTRY_BYTES).map(Entry::decode).find(|entry| entry.place == place);
        let checked = found.map_or(Ok(()), |entry| entry.check_sequence());
        checked.map_err(|found| self.damaged(first.offset, "a table of tails that a place can have", found))?;
        Ok(found)
    }

    /// Bytes of an epoch's payload, wherever its blocks are.
    fn payload(&mut self, first: BlockHeader, mut offset: u64, len: usize) -> Result<Vec<u8>, LogError> {
        let body_max = self.block_bytes - HEADER_BYTES as u64;
        let end = offset.saturating_add(len as u64);
        if end > u64::from(first.pieces) * body_max {
            return Err(self.damaged(
                first.offset,
                "a table of tails within its epoch",
                format!("a tail up to byte {end}"),
            ));
        }
        let mut bytes = Vec::with_capacity(len);
        while offset < end {
            self.load(first, (offset / body_max) as u16)?;
            let from = (offset % body_max) as usize;
            let to = (from as u64 + (end - offset)).min(self.body.len() as u64) as usize;
            if from >= to {
                return Err(self.damaged(
                    first.offset,
                    "a table of tails within its epoch",
                    format!("a tail up to byte {end}"),
                ));
            }
            bytes.extend_from_slice(&self.body[from..to]);
            offset += (to - from) as u64;
        }
        Ok(bytes)
    }

    /// Reads and checks the body of a piece, unless it is the one read last.
    fn load(&mut self, first: BlockHeader, piece: u16) -> Result<(), LogError> {
        let at = first.offset + u64::from(piece) * self.block_bytes;
        if self.body_of == Some(at) {
            return Ok(());
        }
        let header = if piece == 0 { Some(first) } else { self.header(at)? };
        let body_max = self.block_bytes - HEADER_BYTES as u64;
        let header = header
            .filter(|h| h.epoch == first.epoch && h.piece == piece && u64::from(h.body_bytes) <= body_max)
            .ok_or_else(|| {
                self.damaged(at, &format!("block {piece} of epoch {}", first.epoch), "another".to_owned())
            })?;
        self.body_of = None;
        self.body.resize(header.body_bytes as usize, 0);
        let read = self.file.read_at(at + HEADER_BYTES as u64, &mut self.body);
        let count = read.map_err(LogError::storage("read", self.path.clone()))?;
        let crc = crc32c::crc32c(&self.body[..count]);
        if count < self.body.len() || crc != header.body_crc {
            let expected = format!("a body of {} bytes with checksum {:08x}", header.body_bytes, header.body_crc);
            return Err(self.damaged(at, &expected, format!("{count} bytes with checksum {crc:08x}")));
        }
        self.body_of = Some(at);
        Ok(())
    }

    fn damaged(&self, offset: u64, expected: &str, found: String) -> LogError {
        LogError::Damaged { file: self.path.clone(), offset, expected: expected.to_owned(), found }
    }
}
