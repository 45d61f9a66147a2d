//! Operators who copy or check the data directory's files while it is served.

use tidegate_protocol::batch::push_answer;
use tidegate_protocol::code::answer;
use tidegate_protocol::files::{
    CheckFile, FileBytes, FileChecked, FilesView, ListFiles, READ_BYTES_MOST, ReadFile, SegmentFile, SnapshotFile, kind,
};
use tidegate_protocol::refusal::{Because, Plain};
use tidegate_protocol::{List, Prose};

use super::node::Node;
use crate::data::{CheckedFile, OpenError, StoredFile};
use crate::log::{ChainHead, LogError};
use crate::snapshot::SnapshotError;

pub(super) fn list(node: &Node, index: u16, body: &ListFiles, out: &mut Vec<u8>) {
    // The head first: whatever is listed afterwards holds it.
    let (_, head) = node.log.counters();
    let (snapshot, segments) = node.files.list(body.from_segment, || *node.snapshots().newest.lock());
    let shape = node.files.shape();
    let snapshots = snapshot.map(|entry| SnapshotFile {
        first_epoch: entry.first_epoch,
        last_epoch: entry.last_epoch,
        bytes: entry.bytes,
        members: entry.members,
        taken_ms: entry.taken_ms,
        hash: entry.hash,
    });
    let segments = segments.into_iter().map(|segment| SegmentFile {
        number: segment.number,
        bytes: segment.bytes,
        used_bytes: segment.used_bytes,
        previous_epoch: segment.previous_epoch,
    });
    let view = FilesView {
        directory: node.directory,
        lineage: u32::from(shape.lineage),
        shards: shape.shards,
        key_short: shape.keys.short,
        key_long: shape.keys.long,
        head_epoch: head.epoch,
        head_hash: head.hash,
        snapshots: List::cut(snapshots),
        segments: List::cut(segments),
    };
    push_answer(out, index, answer::FILES, &view);
}

pub(super) fn read(node: &Node, index: u16, body: &ReadFile, out: &mut Vec<u8>) {
    let read = stored(body.kind, body.number).map(|file| {
        let most = body.bytes.min(READ_BYTES_MOST) as usize;
        node.files.read(file, body.offset, most)
    });
    match read {
        Some(Ok(Some(bytes))) => {
            let bytes = bytes.try_into().expect("no more is read than a piece may have");
            push_answer(out, index, answer::FILE_BYTES, &FileBytes { bytes });
        }
        Some(Err(error)) => refuse(index, &error, out),
        None | Some(Ok(None)) => push_answer(out, index, answer::NO_SUCH_FILE, &Plain {}),
    }
}

pub(super) fn check(node: &Node, index: u16, body: &CheckFile, out: &mut Vec<u8>) {
    let known = (body.known_epoch > 0).then_some(ChainHead { epoch: body.known_epoch, hash: body.known_hash });
    // Behind this something may be on its way to the disk.
    let (_, head) = node.log.counters();
    let checked = stored(body.kind, body.number).map(|file| node.files.check(file, known, head.epoch));
    let checked = match checked {
        Some(Ok(Some(checked))) => checked,
        Some(Err(error)) => return refuse(index, &error, out),
        None | Some(Ok(None)) => return push_answer(out, index, answer::NO_SUCH_FILE, &Plain {}),
    };
    let body = match checked {
        CheckedFile::Snapshot(entry) => FileChecked {
            bytes: entry.bytes,
            epochs: 0,
            previous_epoch: entry.first_epoch,
            previous_hash: [0; 32],
            epoch: entry.last_epoch,
            hash: entry.hash,
            torn: Prose::default(),
        },
        CheckedFile::Segment(segment) => FileChecked {
            bytes: segment.bytes,
            epochs: segment.epochs,
            previous_epoch: segment.previous.epoch,
            previous_hash: segment.previous.hash,
            epoch: segment.head.epoch,
            hash: segment.head.hash,
            torn: Prose::cut(&segment.torn.unwrap_or_default()),
        },
    };
    push_answer(out, index, answer::FILE_CHECKED, &body);
}

fn stored(of_kind: u8, number: u64) -> Option<StoredFile> {
    match of_kind {
        kind::SNAPSHOT => Some(StoredFile::Snapshot(number)),
        kind::SEGMENT => Some(StoredFile::Segment(number)),
        _ => None,
    }
}

/// Damage is told apart from a storage that gives nothing: only the first will be the same tomorrow.
fn refuse(index: u16, error: &OpenError, out: &mut Vec<u8>) {
    let unreadable =
        matches!(error, OpenError::Log(LogError::Storage { .. }) | OpenError::Snapshot(SnapshotError::Io { .. }));
    let code = if unreadable { answer::FILE_UNREADABLE } else { answer::FILE_DAMAGED };
    push_answer(out, index, code, &Because { sentence: Prose::cut(&error.to_string()) });
}
