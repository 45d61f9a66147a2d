//! Segments: their names, their header, and how they are read.
//!
//! | offset | bytes | field |
//! |---:|---:|---|
//! | 0 | 8 | magic `TIDESEGM` |
//! | 8 | 4 | format version, 1 |
//! | 12 | 4 | lineage |
//! | 16 | 16 | data directory id |
//! | 32 | 8 | segment number, as in the file's name |
//! | 40 | 8 | previous epoch: the last one written before this segment |
//! | 48 | 8 | made at: the newest time in its first epoch, ms since 1970 UTC (signed) |
//! | 56 | 8 | length of the segment |
//! | 64 | 32 | chain hash at its start |
//! | 96 | 4 | block bytes: the most a block takes, header included |
//! | 100 | 408 | zeros |
//! | 508 | 4 | CRC-32C of the bytes before |
//!
//! Integers are little-endian. A header of zeros is a spare: allocated ahead, not yet in use.

use std::io;

use super::block::{HEADER_BYTES as BLOCK_HEADER_BYTES, bytes_at, i64_at, u32_at, u64_at};
use super::{ARCHIVE_FOLDER, ChainHead, LOG_FOLDER, LogIdentity, NUMBER_MOST};
use crate::storage::{File, SECTOR_BYTES};

/// Length of the header; the first block stands behind it.
pub(super) const HEADER_BYTES: u64 = SECTOR_BYTES;
pub(super) const VERSION: u32 = 1;
/// The most a block may take in any log.
pub(super) const BLOCK_BYTES_MAX: u32 = 1 << 20;

const MAGIC: &[u8; 8] = b"TIDESEGM";
const CRC_AT: usize = 508;

pub(crate) fn path(number: u64) -> String {
    path_in(LOG_FOLDER, number)
}

pub(super) fn path_in(folder: &str, number: u64) -> String {
    format!("{folder}/{number:020}.log")
}

/// The name while it is being allocated.
pub(super) fn path_new(number: u64) -> String {
    format!("{LOG_FOLDER}/{number:020}.new")
}

pub(super) fn path_archived(number: u64) -> String {
    path_in(ARCHIVE_FOLDER, number)
}

/// The number in a segment's name; `None` for any other name.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) identity: LogIdentity,
    pub(super) number: u64,
    /// The chain before the segment's first block.
    pub(super) previous: ChainHead,
    pub(super) made_ms: i64,
    pub(super) segment_bytes: u64,
    pub(super) block_bytes: u32,
}

/// Why 512 bytes are no segment header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoHeader {
    /// All zeros: a spare, or never written.
    Zero,
    /// Whole, but of another format version.
    Version(u32),
    /// Not what any writer wrote.
    Broken(String),
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES as usize] {
        let mut bytes = [0; HEADER_BYTES as usize];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.identity.lineage.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.identity.directory);
        bytes[32..40].copy_from_slice(&self.number.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.previous.epoch.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.made_ms.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.segment_bytes.to_le_bytes());
        bytes[64..96].copy_from_slice(&self.previous.hash);
        bytes[96..100].copy_from_slice(&self.block_bytes.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Checks everything that can be checked without knowing the log.
    pub(super) fn decode(bytes: &[u8]) -> Result<SegmentHeader, NoHeader> {
        let broken = |why: String| Err(NoHeader::Broken(why));
        if bytes.iter().all(|&b| b == 0) {
            return Err(NoHeader::Zero);
        }
        if bytes.len() < HEADER_BYTES as usize {
            return broken(format!("a file that ends within its header, after {} bytes", bytes.len()));
        }
        if &bytes[..8] != MAGIC {
            return broken("bytes without the segment's magic".to_owned());
        }
        let (crc, stored) = (crc32c::crc32c(&bytes[..CRC_AT]), u32_at(bytes, CRC_AT));
        if crc != stored {
            return broken(format!("a segment header with checksum {stored:08x} over bytes of checksum {crc:08x}"));
        }
        if u32_at(bytes, 8) != VERSION {
            return Err(NoHeader::Version(u32_at(bytes, 8)));
        }
        let header = SegmentHeader {
            identity: LogIdentity { directory: bytes_at(bytes, 16), lineage: u32_at(bytes, 12) },
            number: u64_at(bytes, 32),
            previous: ChainHead { epoch: u64_at(bytes, 40), hash: bytes_at(bytes, 64) },
            made_ms: i64_at(bytes, 48),
            segment_bytes: u64_at(bytes, 56),
            block_bytes: u32_at(bytes, 96),
        };
        if !valid_block_bytes(header.block_bytes)
            || header.previous.epoch > NUMBER_MOST
            || bytes[100..CRC_AT].iter().any(|&b| b != 0)
        {
            return broken("a segment header with values that version 1 does not have".to_owned());
        }
        Ok(header)
    }
}

/// Block sizes that a log may have: whole sectors, with room for a body.
pub(super) fn valid_block_bytes(bytes: u32) -> bool {
    (1024..=BLOCK_BYTES_MAX).contains(&bytes) && u64::from(bytes).is_multiple_of(SECTOR_BYTES)
}

/// How far a block with this much body reaches, padding included.
pub(super) fn padded(body_bytes: u64) -> u64 {
    (BLOCK_HEADER_BYTES as u64 + body_bytes).next_multiple_of(SECTOR_BYTES)
}

/// Reads a segment from front to back in large steps.
pub(super) struct Reader<'f> {
    file: &'f dyn File,
    /// Bytes from here on do not count.
    end: u64,
    at: u64,
    window: Vec<u8>,
}

/// A few blocks of the largest size, so that most reads are served from memory.
const WINDOW_BYTES: u64 = 2 << 20;

impl<'f> Reader<'f> {
    pub(super) fn new(file: &'f dyn File, end: u64) -> Reader<'f> {
        Reader { file, end, at: 0, window: Vec::new() }
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The bytes at `offset`: `len` of them, or fewer where the file ends. `len` must be checked before: it is allocated.
    pub(super) fn get(&mut self, offset: u64, len: u64) -> io::Result<&[u8]> {
        let wanted_end = offset.saturating_add(len).min(self.end).max(offset);
        if offset < self.at || wanted_end > self.at + self.window.len() as u64 {
            let fill = len.max(WINDOW_BYTES).min(self.end.saturating_sub(offset));
            self.window.resize(fill as usize, 0);
            let count = self.file.read_at(offset, &mut self.window)?;
            self.window.truncate(count);
            self.at = offset;
        }
        let from = (offset - self.at) as usize;
        let to = ((wanted_end - self.at) as usize).min(self.window.len());
        Ok(&self.window[from.min(to)..to])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_the_number_that_gives_the_name() {
        for number in [0, 1, 4_711, NUMBER_MOST, u64::MAX] {
            assert_eq!(super::number(&path(number)[LOG_FOLDER.len() + 1..]), Some(number));
        }
        for name in ["18446744073709551616.log", "1.log", "0000000000000000000a.log", "LOCK"] {
            assert_eq!(super::number(name), None, "{name}");
        }
    }
}
