//! What stands in the log's segments, one by one, for a person to look at. Unlike a recovery it goes on past damage:
//! each segment is read by itself, up to the first place where no whole block stands, and that place is explained.

use super::block::{BlockHeader, HEADER_BYTES as BLOCK_HEADER_BYTES, Kind, NoBlock};
use super::check::find;
use super::segment::{self, HEADER_BYTES, NoHeader, Reader, padded};
use super::survey::{Segment, look};
use super::{ARCHIVE_FOLDER, LOG_FOLDER, LogError, archive};
use crate::storage::Storage;

/// What one segment holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SegmentSummary {
    /// Its file.
    pub path: String,
    /// Its number.
    pub number: u64,
    /// Its length.
    pub bytes: u64,
    /// Allocated ahead, not yet in use.
    pub spare: bool,
    /// The lineage it was written in.
    pub lineage: u32,
    /// The newest time in its first epoch, milliseconds since 1970.
    pub made_ms: i64,
    /// The last epoch written before it.
    pub previous_epoch: u64,
    /// The first epoch in it.
    pub first_epoch: Option<u64>,
    /// The last epoch in it that is whole.
    pub last_epoch: Option<u64>,
    /// Epochs in it.
    pub epochs: u64,
    /// Blocks of these epochs.
    pub blocks: u64,
    /// Closing blocks.
    pub closing_blocks: u64,
    /// Where its last whole block ends.
    pub used_bytes: u64,
    /// Where no whole block stands although bytes do, and what is wrong there. A crash leaves that at the log's end;
    /// `verify` tells it from damage.
    pub broken: Option<(u64, String)>,
}

/// One block of a segment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BlockSummary {
    /// Where it begins.
    pub offset: u64,
    /// Whether it is a closing block.
    pub closing: bool,
    /// Its epoch.
    pub epoch: u64,
    /// The last epoch that was durable before it was written.
    pub previous_epoch: u64,
    /// Which piece of its epoch it is, from 0.
    pub piece: u16,
    /// How many there are.
    pub pieces: u16,
    /// Bytes of its body.
    pub body_bytes: u32,
}

/// One segment, in use or archived, and its blocks up to the first place where none stands. `None` if there is no such segment.
pub fn blocks(storage: &dyn Storage, number: u64) -> Result<Option<(SegmentSummary, Vec<BlockSummary>)>, LogError> {
    let Some(segment) = find(storage, number)? else { return Ok(None) };
    let mut blocks = Vec::new();
    let summary = summarize(storage, &segment, &mut |header| {
        blocks.push(BlockSummary {
            offset: header.offset,
            closing: header.kind == Kind::Closing,
            epoch: header.epoch,
            previous_epoch: header.previous.epoch,
            piece: header.piece,
            pieces: header.pieces,
            body_bytes: header.body_bytes,
        });
    })?;
    Ok(Some((summary, blocks)))
}

/// All segments: the archived ones, then those in use, each rising.
pub fn summaries(storage: &dyn Storage) -> Result<Vec<SegmentSummary>, LogError> {
    let mut summaries = Vec::new();
    for (folder, archived) in [(ARCHIVE_FOLDER, true), (LOG_FOLDER, false)] {
        for number in archive::numbers(storage, folder)? {
            summaries.push(summarize(storage, &look(storage, number, archived)?, &mut |_| {})?);
        }
    }
    Ok(summaries)
}

fn summarize(
    storage: &dyn Storage,
    segment: &Segment,
    visit: &mut dyn FnMut(&BlockHeader),
) -> Result<SegmentSummary, LogError> {
    let mut summary = SegmentSummary {
        path: segment.path.clone(),
        number: segment.number,
        bytes: segment.len,
        spare: false,
        lineage: 0,
        made_ms: 0,
        previous_epoch: 0,
        first_epoch: None,
        last_epoch: None,
        epochs: 0,
        blocks: 0,
        closing_blocks: 0,
        used_bytes: 0,
        broken: None,
    };
    match &segment.opening {
        Ok(header) => {
            summary.lineage = header.identity.lineage;
            summary.made_ms = header.made_ms;
            summary.previous_epoch = header.previous.epoch;
            walk(storage, segment, &mut summary, visit)?;
        }
        Err(NoHeader::Zero) => summary.spare = true,
        Err(NoHeader::Version(version)) => summary.broken = Some((8, format!("format version {version}"))),
        Err(NoHeader::Broken(why)) => summary.broken = Some((0, why.clone())),
    }
    Ok(summary)
}

/// Goes from block to block.
fn walk(
    storage: &dyn Storage,
    segment: &Segment,
    summary: &mut SegmentSummary,
    visit: &mut dyn FnMut(&BlockHeader),
) -> Result<(), LogError> {
    let file = segment.open(storage)?;
    let mut reader = Reader::new(&*file, segment.len);
    let mut at = HEADER_BYTES;
    while at + padded(0) <= segment.len {
        match block(&mut reader, segment, at)? {
            Ok(header) => {
                summary.note(&header);
                visit(&header);
                at += padded(u64::from(header.body_bytes));
            }
            Err(NoBlock::Zero) => break,
            Err(NoBlock::Broken(why)) => {
                summary.broken = Some((at, why));
                break;
            }
        }
    }
    summary.used_bytes = at;
    Ok(())
}

/// The block at an offset, its body checked.
fn block(reader: &mut Reader<'_>, segment: &Segment, at: u64) -> Result<Result<BlockHeader, NoBlock>, LogError> {
    let head = reader.get(at, BLOCK_HEADER_BYTES as u64).map_err(segment.read_error())?;
    let header = match BlockHeader::decode(head) {
        Ok(header) => header,
        Err(no_block) => return Ok(Err(no_block)),
    };
    let broken = |why: String| Ok(Err(NoBlock::Broken(why)));
    if (header.segment, header.offset) != (segment.number, at) {
        return broken(format!("a block made for segment {} offset {}", header.segment, header.offset));
    }
    if header.body_bytes > segment::BLOCK_BYTES_MAX {
        return broken(format!("a block that states {} bytes of body", header.body_bytes));
    }
    let whole = reader.get(at, BLOCK_HEADER_BYTES as u64 + u64::from(header.body_bytes));
    let crc = crc32c::crc32c(&whole.map_err(segment.read_error())?[BLOCK_HEADER_BYTES..]);
    if crc != header.body_crc {
        return broken(format!(
            "block {} of {} of epoch {}: a body with checksum {crc:08x} instead of {:08x}",
            header.piece, header.pieces, header.epoch, header.body_crc
        ));
    }
    Ok(Ok(header))
}

impl SegmentSummary {
    fn note(&mut self, header: &BlockHeader) {
        if header.kind == Kind::Closing {
            self.closing_blocks += 1;
            return;
        }
        self.blocks += 1;
        if header.piece == 0 {
            self.first_epoch.get_or_insert(header.epoch);
        }
        if header.piece + 1 == header.pieces {
            self.last_epoch = Some(header.epoch);
            self.epochs += 1;
        }
    }
}
