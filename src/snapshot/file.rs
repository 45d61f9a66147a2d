//! A snapshot's file: a head, sections, a foot.
//!
//! | offset | size | field of the head |
//! |---:|---:|---|
//! | 0 | 8 | magic `TGSNAPS1` |
//! | 8 | 16 | directory id |
//! | 24 | 4 | lineage |
//! | 28 | 8 | first epoch |
//! | 36 | 4 | CRC-32C of the 36 bytes before |
//!
//! | offset | size | field of a section (and of the foot, kind 255) |
//! |---:|---:|---|
//! | 0 | 1 | kind |
//! | 1 | 3 | zero |
//! | 4 | 4 | place |
//! | 8 | 8 | sequence of the place; in the foot: last epoch |
//! | 16 | 4 | length of the body; in the foot: 8 |
//! | 20 | 4 | CRC-32C of the body |
//! | 24 | 4 | CRC-32C of the 24 bytes before |
//! | 28 | | body; in the foot: sections before it, `u64` |

use super::{SnapshotEntry, SnapshotError};
use crate::engine::PlaceId;
use crate::storage::{File, SECTOR_BYTES, Storage};
use crate::store::{Section, SectionKind};

const MAGIC: &[u8; 8] = b"TGSNAPS1";
const HEAD_BYTES: usize = 40;
const SECTION_HEAD_BYTES: usize = 28;
const FOOT: u8 = 255;
/// Read at a time.
const BUFFER_BYTES: usize = 1 << 20;
/// Written at a time: small, so that no write of the log stands long behind it.
const WRITE_BYTES: usize = 256 << 10;
/// Written before a sync: what is left for later, the next sync of the log could have to wait for.
const SYNC_BYTES: u64 = 32 << 20;
/// A chunk of members with all their counters stays far below this; a programme's text does too.
const BODY_BYTES_MOST: u32 = 64 << 20;

/// Whose snapshot it is, and where the log goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotHead {
    /// The data directory's identity.
    pub directory: [u8; 16],
    /// Its lineage when the snapshot was taken.
    pub lineage: u32,
    /// The first epoch that recovery reads from the log.
    pub first_epoch: u64,
}

/// Writes a snapshot from front to back.
pub(super) struct SnapshotWriter {
    path: String,
    file: Box<dyn File>,
    buffer: Vec<u8>,
    written: u64,
    /// Of those, the ones that were synced already.
    synced: u64,
    sections: u64,
    hasher: blake3::Hasher,
}

impl SnapshotWriter {
    pub(super) fn create(storage: &dyn Storage, path: &str, head: SnapshotHead) -> Result<Self, SnapshotError> {
        let file = storage.create(path).map_err(SnapshotError::io("creating", path))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&head.directory);
        bytes.extend_from_slice(&head.lineage.to_le_bytes());
        bytes.extend_from_slice(&head.first_epoch.to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let hasher = blake3::Hasher::new();
        Ok(SnapshotWriter { path: path.into(), file, buffer: bytes, written: 0, synced: 0, sections: 0, hasher })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    pub(super) fn section(&mut self, section: &Section) -> Result<(), SnapshotError> {
        self.sections += 1;
        self.put(section.kind as u8, section.place.to_u32(), section.sequence, &section.body)
    }

    fn put(&mut self, kind: u8, place: u32, number: u64, body: &[u8]) -> Result<(), SnapshotError> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[kind, 0, 0, 0]);
        self.buffer.extend_from_slice(&place.to_le_bytes());
        self.buffer.extend_from_slice(&number.to_le_bytes());
        self.buffer.extend_from_slice(&(body.len() as u32).to_le_bytes());
        self.buffer.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
        let crc = crc32c::crc32c(&self.buffer[start..]);
        self.buffer.extend_from_slice(&crc.to_le_bytes());
        self.buffer.extend_from_slice(body);
        if self.buffer.len() < WRITE_BYTES {
            return Ok(());
        }
        // Whole sectors go past the page cache.
        self.flush(self.buffer.len() - self.buffer.len() % SECTOR_BYTES as usize)?;
        if self.written - self.synced >= SYNC_BYTES {
            self.file.sync_data().map_err(SnapshotError::io("syncing", &self.path))?;
            self.synced = self.written;
        }
        Ok(())
    }

    /// Writes so many bytes of the buffer.
    fn flush(&mut self, count: usize) -> Result<(), SnapshotError> {
        let bytes = &self.buffer[..count];
        self.hasher.update(bytes);
        self.file.write_at(self.written, bytes).map_err(SnapshotError::io("writing", &self.path))?;
        self.written += count as u64;
        self.buffer.drain(..count);
        Ok(())
    }

    /// Writes the foot and makes the file durable; gives its size and hash.
    pub(super) fn finish(mut self, last_epoch: u64) -> Result<(u64, [u8; 32]), SnapshotError> {
        let sections = self.sections.to_le_bytes();
        self.put(FOOT, 0, last_epoch, &sections)?;
        self.flush(self.buffer.len())?;
        self.file.sync_all().map_err(SnapshotError::io("syncing", &self.path))?;
        Ok((self.written, *self.hasher.finalize().as_bytes()))
    }
}

/// Reads a snapshot from front to back, checking every byte.
pub struct SnapshotReader {
    path: String,
    file: Box<dyn File>,
    head: SnapshotHead,
    length: u64,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are taken.
    taken: usize,
    /// Where the buffer ends in the file.
    read: u64,
    sections: u64,
    hasher: blake3::Hasher,
    foot: Option<u64>,
}

impl SnapshotReader {
    /// Opens a snapshot and checks its head.
    pub fn open(storage: &dyn Storage, path: &str) -> Result<SnapshotReader, SnapshotError> {
        let file = storage.open(path).map_err(SnapshotError::io("opening", path))?;
        let length = file.len().map_err(SnapshotError::io("reading", path))?;
        let mut reader = SnapshotReader {
            path: path.into(),
            file,
            head: SnapshotHead { directory: [0; 16], lineage: 0, first_epoch: 0 },
            length,
            buffer: Vec::new(),
            taken: 0,
            read: 0,
            sections: 0,
            hasher: blake3::Hasher::new(),
            foot: None,
        };
        let head: [u8; HEAD_BYTES] = reader.take(HEAD_BYTES)?.try_into().expect("as many as asked for");
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
        if &head[..8] != MAGIC {
            return Err(reader.damaged("it does not begin with TGSNAPS1: no snapshot of this version".into()));
        }
        let crc = crc32c::crc32c(&head[..36]);
        if number(36) != crc {
            return Err(reader.damaged(format!("checksum {:08x} of the head expected, {crc:08x} found", number(36))));
        }
        reader.head = SnapshotHead {
            directory: head[8..24].try_into().expect("sixteen bytes"),
            lineage: number(24),
            first_epoch: u64::from_le_bytes(head[28..36].try_into().expect("eight bytes")),
        };
        Ok(reader)
    }

    /// Reads a whole snapshot, and holds it against what the manifest says of it.
    pub fn check(storage: &dyn Storage, entry: &SnapshotEntry) -> Result<(), SnapshotError> {
        SnapshotReader::check_file(storage, &entry.path(), entry)
    }

    /// The same for a file of any name.
    pub(crate) fn check_file(storage: &dyn Storage, path: &str, entry: &SnapshotEntry) -> Result<(), SnapshotError> {
        let mut reader = SnapshotReader::open(storage, path)?;
        while reader.next_section()?.is_some() {}
        reader.is_the_one(entry)
    }

    /// Whether this snapshot, read to its end, is the one that the manifest names.
    pub fn is_the_one(&self, entry: &SnapshotEntry) -> Result<(), SnapshotError> {
        let right = self.head.first_epoch == entry.first_epoch && self.foot() == Some((entry.last_epoch, entry.hash));
        if right { Ok(()) } else { Err(self.misfit("its epochs or its hash are not those in the manifest")) }
    }

    /// Its head.
    pub fn head(&self) -> SnapshotHead {
        self.head
    }

    /// Its size.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes taken so far.
    pub fn position(&self) -> u64 {
        self.read - (self.buffer.len() - self.taken) as u64
    }

    /// The last epoch and the hash of the file, once all sections are read.
    pub fn foot(&self) -> Option<(u64, [u8; 32])> {
        Some((self.foot?, *self.hasher.finalize().as_bytes()))
    }

    /// The next section; `None` after the last.
    pub fn next_section(&mut self) -> Result<Option<Section>, SnapshotError> {
        let head: [u8; SECTION_HEAD_BYTES] = self.take(SECTION_HEAD_BYTES)?.try_into().expect("as many as asked for");
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
        let crc = crc32c::crc32c(&head[..24]);
        if number(24) != crc || head[1..4] != [0; 3] || number(16) > BODY_BYTES_MOST {
            return Err(
                self.damaged(format!("checksum {:08x} of a section's head expected, {crc:08x} found", number(24)))
            );
        }
        let sequence = u64::from_le_bytes(head[8..16].try_into().expect("eight bytes"));
        let body = self.take(number(16) as usize)?.to_vec();
        let crc = crc32c::crc32c(&body);
        if number(20) != crc {
            return Err(self.damaged(format!("checksum {:08x} of a section expected, {crc:08x} found", number(20))));
        }
        if head[0] == FOOT {
            if body != self.sections.to_le_bytes() || self.position() != self.length {
                return Err(self.damaged(format!("the foot does not end the file after {} sections", self.sections)));
            }
            self.foot = Some(sequence);
            return Ok(None);
        }
        self.sections += 1;
        let kind = SectionKind::from_u8(head[0]);
        let kind = kind.ok_or_else(|| self.damaged(format!("section kind {} is unknown to this version", head[0])))?;
        let place = PlaceId::from_u32(number(4));
        let place = place.ok_or_else(|| self.damaged(format!("place {:08x} is unknown to this version", number(4))))?;
        Ok(Some(Section { kind, place, sequence, body }))
    }

    /// The next `count` bytes, checked to be in the file before anything is allocated.
    fn take(&mut self, count: usize) -> Result<&[u8], SnapshotError> {
        let left = self.length - self.position();
        if count as u64 > left {
            return Err(self.damaged(format!("{count} more bytes expected, {left} left in the file")));
        }
        if self.buffer.len() - self.taken < count {
            self.buffer.drain(..self.taken);
            self.taken = 0;
            let start = self.buffer.len();
            let more = (BUFFER_BYTES.max(count - start) as u64).min(self.length - self.read) as usize;
            self.buffer.resize(start + more, 0);
            let mut filled = start;
            while filled < self.buffer.len() {
                let read = self.file.read_at(self.read, &mut self.buffer[filled..]);
                let read = read.map_err(SnapshotError::io("reading", &self.path))?;
                if read == 0 {
                    return Err(self.damaged("the file became shorter while it was read".into()));
                }
                filled += read;
                self.read += read as u64;
            }
            self.hasher.update(&self.buffer[start..]);
        }
        self.taken += count;
        Ok(&self.buffer[self.taken - count..self.taken])
    }

    fn damaged(&self, why: String) -> SnapshotError {
        self.damaged_at(self.position(), why)
    }

    fn damaged_at(&self, offset: u64, why: String) -> SnapshotError {
        SnapshotError::Damaged { path: self.path.clone(), offset, why }
    }

    /// What is wrong with a section that reads well but cannot be put back.
    pub fn misfit(&self, why: &str) -> SnapshotError {
        self.damaged(why.into())
    }

    /// The same of a section that ended at `offset`.
    pub fn misfit_at(&self, offset: u64, why: &str) -> SnapshotError {
        self.damaged_at(offset, why.into())
    }
}
