//! The manifest: what a data directory is, and which snapshots may be relied on. Replaced as a whole, by rename.
//!
//! | offset | size | field |
//! |---:|---:|---|
//! | 0 | 8 | magic `TGMANIF2` |
//! | 8 | 4 | length of what follows the first 16 bytes |
//! | 12 | 4 | CRC-32C of what follows |
//! | 16 | 16 | directory id |
//! | 32 | 2 | lineage |
//! | 34 | 4 | shards |
//! | 38 | 16 | hash key for members and requests |
//! | 54 | 16 | hash key for fingerprints |
//! | 70 | 1 | kind: 0 a directory to be served, 1 a backup |
//! | 71 | 8 | epoch of a head of the chain that was durable when the manifest was written; 0 if there was none |
//! | 79 | 32 | that head's hash |
//! | 111 | 1 | snapshots named |
//! | 112 | 72 each | first epoch, last epoch, bytes, members, taken at (ms): 8 bytes each; BLAKE3: 32 bytes; newest first |
//!
//! Version 1 (`TGMANIF1`), which is still read, has neither kind nor head: its snapshots are counted at byte 70 and begin at 71.

use super::{SNAPSHOT_FOLDER, SnapshotError};
use crate::log::{ChainHead, NUMBER_MOST};
use crate::storage::Storage;
use crate::store::{HashKeys, Shape};

const MAGIC: &[u8; 8] = b"TGMANIF2";
const MAGIC_V1: &[u8; 8] = b"TGMANIF1";
/// Where the two versions part.
const SHARED_BYTES: usize = 70;
const HEAD_BYTES: usize = 112;
const FILE: &str = "MANIFEST";
const FRESH: &str = "MANIFEST.new";
const ENTRY_BYTES: usize = 72;

/// A snapshot that may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// The first epoch that recovery reads from the log.
    pub first_epoch: u64,
    /// The last epoch that it must find there.
    pub last_epoch: u64,
    /// The file's size.
    pub bytes: u64,
    /// Members in it, about.
    pub members: u64,
    /// When it was taken.
    pub taken_ms: i64,
    /// BLAKE3 of the file.
    pub hash: [u8; 32],
}

impl SnapshotEntry {
    /// Its file.
    pub fn path(&self) -> String {
        path(self.first_epoch)
    }
}

/// The file of a snapshot, by its first epoch.
pub(super) fn path(first_epoch: u64) -> String {
    format!("{SNAPSHOT_FOLDER}/{first_epoch:020}.snap")
}

/// What a directory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryKind {
    /// To be served.
    Data,
    /// A copy, which is restored from and never served: two servers would go on from the same point.
    Backup,
}

/// What stands in the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The data directory's identity.
    pub directory: [u8; 16],
    /// What is fixed with it.
    pub shape: Shape,
    /// What it is for.
    pub kind: DirectoryKind,
    /// A head of the chain that was durable when the manifest was written: the log must reach it, and have its hash there.
    pub head: Option<ChainHead>,
    /// Newest first.
    pub snapshots: Vec<SnapshotEntry>,
}

impl Manifest {
    /// Reads a directory's manifest; `None` if it has none.
    pub fn read(storage: &dyn Storage) -> Result<Option<Manifest>, SnapshotError> {
        let names = storage.list("").map_err(SnapshotError::io("listing", "."))?;
        if !names.iter().any(|name| name == FILE) {
            return Ok(None);
        }
        let file = storage.open(FILE).map_err(SnapshotError::io("opening", FILE))?;
        let length = file.len().map_err(SnapshotError::io("reading", FILE))?;
        if length > 1 << 16 {
            return Err(damaged(0, format!("{length} bytes, at most 65536 are expected")));
        }
        let mut bytes = vec![0; length as usize];
        let read = file.read_at(0, &mut bytes).map_err(SnapshotError::io("reading", FILE))?;
        bytes.truncate(read);
        Manifest::decode(&bytes).map(Some)
    }

    /// Replaces the manifest: new file, fsync, rename, fsync of the directory.
    pub fn write(&self, storage: &dyn Storage) -> Result<(), SnapshotError> {
        let names = storage.list("").map_err(SnapshotError::io("listing", "."))?;
        if names.iter().any(|name| name == FRESH) {
            storage.remove(FRESH).map_err(SnapshotError::io("removing", FRESH))?;
        }
        let file = storage.create(FRESH).map_err(SnapshotError::io("creating", FRESH))?;
        file.write_at(0, &self.encode()).map_err(SnapshotError::io("writing", FRESH))?;
        file.sync_all().map_err(SnapshotError::io("syncing", FRESH))?;
        storage.rename(FRESH, FILE).map_err(SnapshotError::io("renaming", FRESH))?;
        storage.sync_dir("").map_err(SnapshotError::io("syncing", "."))
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; 16];
        bytes.extend_from_slice(&self.directory);
        bytes.extend_from_slice(&self.shape.lineage.to_le_bytes());
        bytes.extend_from_slice(&self.shape.shards.to_le_bytes());
        bytes.extend_from_slice(&self.shape.keys.short);
        bytes.extend_from_slice(&self.shape.keys.long);
        bytes.push(match self.kind {
            DirectoryKind::Data => 0,
            DirectoryKind::Backup => 1,
        });
        let head = self.head.unwrap_or_default();
        bytes.extend_from_slice(&head.epoch.to_le_bytes());
        bytes.extend_from_slice(&head.hash);
        bytes.push(u8::try_from(self.snapshots.len()).expect("a manifest names at most 255 snapshots"));
        for entry in &self.snapshots {
            bytes.extend_from_slice(&entry.first_epoch.to_le_bytes());
            bytes.extend_from_slice(&entry.last_epoch.to_le_bytes());
            bytes.extend_from_slice(&entry.bytes.to_le_bytes());
            bytes.extend_from_slice(&entry.members.to_le_bytes());
            bytes.extend_from_slice(&entry.taken_ms.to_le_bytes());
            bytes.extend_from_slice(&entry.hash);
        }
        let (length, crc) = ((bytes.len() - 16) as u32, crc32c::crc32c(&bytes[16..]));
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Manifest, SnapshotError> {
        let ends = || damaged(bytes.len(), "it ends before its first snapshot".into());
        let magic = bytes.first_chunk().ok_or_else(ends)?;
        let (count_at, version_2) = match magic {
            MAGIC => (HEAD_BYTES - 1, true),
            MAGIC_V1 => (SHARED_BYTES, false),
            _ => return Err(damaged(0, "it begins neither with TGMANIF2 nor with TGMANIF1".into())),
        };
        let (head, entries) = bytes.split_at_checked(count_at + 1).ok_or_else(ends)?;
        let field = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
        if field(8) as usize != bytes.len() - 16 {
            return Err(damaged(8, format!("it states {} bytes, {} are there", field(8), bytes.len() - 16)));
        }
        let crc = crc32c::crc32c(&bytes[16..]);
        if field(12) != crc {
            return Err(damaged(12, format!("checksum {:08x} expected, {crc:08x} found", field(12))));
        }
        let shards = field(34);
        if !shards.is_power_of_two() || shards > 1 << 16 {
            return Err(damaged(34, format!("{shards} shards: a power of two up to 65536 is expected")));
        }
        let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
        if entries.len() != usize::from(head[count_at]) || !rest.is_empty() {
            return Err(damaged(count_at, format!("{} snapshots stated, {} there", head[count_at], entries.len())));
        }
        for (number, entry) in entries.iter().map(entry).enumerate() {
            // The first epoch is 1, and what is read counts on from each of them.
            if entry.first_epoch == 0 || entry.first_epoch.max(entry.last_epoch) > NUMBER_MOST {
                let why =
                    format!("a snapshot of epochs {} to {}, which no log has", entry.first_epoch, entry.last_epoch);
                return Err(damaged(count_at + 1 + number * ENTRY_BYTES, why));
            }
        }
        let (kind, chain) = if version_2 { kind_and_head(head)? } else { (DirectoryKind::Data, None) };
        let key = |at: usize| head[at..at + 16].try_into().expect("sixteen bytes");
        Ok(Manifest {
            directory: key(16),
            shape: Shape {
                shards,
                keys: HashKeys { short: key(38), long: key(54) },
                lineage: u16::from_le_bytes([head[32], head[33]]),
            },
            kind,
            head: chain,
            snapshots: entries.iter().map(entry).collect(),
        })
    }
}

/// What version 1 does not have.
fn kind_and_head(bytes: &[u8]) -> Result<(DirectoryKind, Option<ChainHead>), SnapshotError> {
    let kind = match bytes[SHARED_BYTES] {
        0 => DirectoryKind::Data,
        1 => DirectoryKind::Backup,
        other => return Err(damaged(SHARED_BYTES, format!("directory kind {other}: 0 or 1 is expected"))),
    };
    let epoch = u64::from_le_bytes(bytes[SHARED_BYTES + 1..SHARED_BYTES + 9].try_into().expect("eight bytes"));
    let hash = bytes[SHARED_BYTES + 9..SHARED_BYTES + 41].try_into().expect("thirty-two bytes");
    if epoch > NUMBER_MOST {
        return Err(damaged(SHARED_BYTES + 1, format!("a head of epoch {epoch}, which no log reaches")));
    }
    if epoch == 0 && hash != [0; 32] {
        return Err(damaged(SHARED_BYTES + 9, "the hash of a head without an epoch".into()));
    }
    Ok((kind, (epoch > 0).then_some(ChainHead { epoch, hash })))
}

fn entry(bytes: &[u8; ENTRY_BYTES]) -> SnapshotEntry {
    let field = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    SnapshotEntry {
        first_epoch: field(0),
        last_epoch: field(8),
        bytes: field(16),
        members: field(24),
        taken_ms: field(32) as i64,
        hash: bytes[40..72].try_into().expect("thirty-two bytes"),
    }
}

fn damaged(offset: usize, why: String) -> SnapshotError {
    SnapshotError::Manifest { offset: offset as u64, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let keys = HashKeys { short: [2; 16], long: [3; 16] };
        let entry =
            SnapshotEntry { first_epoch: 4, last_epoch: 9, bytes: 100, members: 7, taken_ms: -1, hash: [5; 32] };
        Manifest {
            directory: [1; 16],
            shape: Shape { shards: 64, keys, lineage: 2 },
            kind: DirectoryKind::Backup,
            head: Some(ChainHead { epoch: 11, hash: [6; 32] }),
            snapshots: vec![entry, SnapshotEntry { first_epoch: 1, ..entry }],
        }
    }

    #[test]
    fn a_manifest_reads_back() {
        assert_eq!(Manifest::decode(&manifest().encode()).unwrap(), manifest());
    }

    #[test]
    fn epochs_that_no_log_has_are_refused() {
        let with = |change: fn(&mut Manifest)| {
            let mut forged = manifest();
            change(&mut forged);
            Manifest::decode(&forged.encode())
        };
        assert!(with(|forged| forged.snapshots[1].first_epoch = 0).is_err());
        assert!(with(|forged| forged.snapshots[0].first_epoch = NUMBER_MOST + 1).is_err());
        assert!(with(|forged| forged.snapshots[0].last_epoch = u64::MAX).is_err());
        assert!(with(|forged| forged.head = Some(ChainHead { epoch: u64::MAX, hash: [6; 32] })).is_err());
        assert!(with(|forged| forged.snapshots[0].last_epoch = NUMBER_MOST).is_ok());
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_named() {
        let bytes = manifest().encode();
        for at in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(Manifest::decode(&flipped).is_err(), "bit {bit} of byte {at}");
            }
        }
    }
}
