//! The files of a running server's data directory, for operators who copy or check them.
//!
//! A file is named by its kind and a number: a snapshot by its first epoch, a segment of the log by its own. Only what is published or
//! durable is listed and read. What was listed stays for a minute after it was last listed, read or checked.

use serde::Serialize;

use crate::{Blob, Decode, Encode, List, Prose};

/// The kinds of file.
pub mod kind {
    /// A snapshot, by its first epoch.
    pub const SNAPSHOT: u8 = 1;
    /// A segment of the log, by its number.
    pub const SEGMENT: u8 = 2;
}

/// The most bytes of a file that are read at once.
pub const READ_BYTES_MOST: u32 = 512 << 10;

/// Which files there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ListFiles {
    /// The first segment of the log that is wanted; 0 for all that there are.
    pub from_segment: u64,
}

/// Code `files`: the data directory's identity, the chain's head, and what can be copied.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct FilesView {
    /// The data directory's id.
    pub directory: [u8; 16],
    /// Its lineage.
    pub lineage: u32,
    /// Its shards.
    pub shards: u32,
    /// Its key for hashes of members and requests: a secret.
    pub key_short: [u8; 16],
    /// Its key for fingerprints of orders: a secret.
    pub key_long: [u8; 16],
    /// The newest durable epoch that was written; the segments listed hold it.
    pub head_epoch: u64,
    /// The chain's hash there.
    pub head_hash: [u8; 32],
    /// The newest snapshot, if there is one.
    pub snapshots: List<SnapshotFile, 16>,
    /// The segments, rising: the first 16,384 of those wanted.
    pub segments: List<SegmentFile, 16384>,
}

/// A published snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct SnapshotFile {
    /// The first epoch that recovery reads from the log behind it; its number.
    pub first_epoch: u64,
    /// The last epoch that it needs there.
    pub last_epoch: u64,
    /// The file's length.
    pub bytes: u64,
    /// Members in it, about.
    pub members: u64,
    /// When it was taken, milliseconds since 1970.
    pub taken_ms: i64,
    /// BLAKE3 of the file.
    pub hash: [u8; 32],
}

/// A segment that holds durable epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct SegmentFile {
    /// Its number.
    pub number: u64,
    /// The file's length.
    pub bytes: u64,
    /// How much of it can be read; what follows belongs to no epoch.
    pub used_bytes: u64,
    /// The last epoch before it.
    pub previous_epoch: u64,
}

/// Read a piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ReadFile {
    /// [`kind`].
    pub kind: u8,
    /// Its number.
    pub number: u64,
    /// From this byte on.
    pub offset: u64,
    /// So many bytes, at most [`READ_BYTES_MOST`].
    pub bytes: u32,
}

/// Code `file-bytes`: fewer than asked for where the file, or what is durable of it, ends.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct FileBytes {
    /// The bytes.
    pub bytes: Blob<{ READ_BYTES_MOST as usize }>,
}

/// Have the server read one of its files from front to back and check every byte of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct CheckFile {
    /// [`kind`].
    pub kind: u8,
    /// Its number.
    pub number: u64,
    /// A head of the chain that was seen durable, to be compared if its epoch stands in this segment; 0 for none.
    pub known_epoch: u64,
    /// That head's hash.
    pub known_hash: [u8; 32],
}

/// Code `file-checked`: every checksum and the chain within the file are right.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct FileChecked {
    /// Bytes read.
    pub bytes: u64,
    /// Epochs read; 0 for a snapshot.
    pub epochs: u64,
    /// The last epoch before the segment; a snapshot's first epoch.
    pub previous_epoch: u64,
    /// The chain's hash there; zeros for a snapshot.
    pub previous_hash: [u8; 32],
    /// The last epoch in the segment that is durable; a snapshot's last epoch.
    pub epoch: u64,
    /// The chain's hash there; the snapshot's hash.
    pub hash: [u8; 32],
    /// What is wrong behind that epoch, if bytes stand there that are no block: an earlier recovery has cut there, if the next segment goes on
    /// exactly from `epoch` and `hash`; else it is damage.
    pub torn: Prose<512>,
}
