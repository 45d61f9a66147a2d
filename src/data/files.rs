//! The files of an open directory, for those who copy or check them while it is served.
//!
//! Promises: only what is durable and published is given out; what was listed stays for a minute after anything was last asked for, the
//! archive up to twice its budget. Never: waits for those who decide, or makes them wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::OpenError;
use crate::log::{self, ChainHead, CheckedSegment, ListedSegment, LogIdentity, LogPages};
use crate::snapshot::{Manifest, SnapshotEntry, SnapshotError, SnapshotReader};
use crate::storage::Storage;
use crate::store::Shape;

/// How long what was listed stays after the last question.
const STAYS: Duration = Duration::from_secs(60);
/// More snapshots than this are not kept for those who copy, however many there are of them.
const COPIED_MOST: usize = 4;

/// A file that can be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredFile {
    /// A snapshot that was listed, by its first epoch.
    Snapshot(u64),
    /// A segment of the log, by its number.
    Segment(u64),
}

/// What a check found that every byte of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckedFile {
    /// A snapshot.
    Snapshot(SnapshotEntry),
    /// A segment.
    Segment(CheckedSegment),
}

/// Gives out the files of one directory.
pub struct Files {
    storage: Arc<dyn Storage>,
    directory: [u8; 16],
    shape: Shape,
    pages: LogPages,
    lease: Mutex<Lease>,
}

/// What is kept for those who copy.
#[derive(Default)]
struct Lease {
    until: Option<Instant>,
    /// The newest listed first.
    snapshots: Vec<SnapshotEntry>,
}

impl Lease {
    fn renew(&mut self) {
        self.until = Some(Instant::now() + STAYS);
    }

    fn is_live(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

impl Files {
    pub(super) fn new(storage: Arc<dyn Storage>, manifest: &Manifest, pages: LogPages) -> Files {
        let Manifest { directory, shape, .. } = *manifest;
        Files { storage, directory, shape, pages, lease: Mutex::default() }
    }

    /// What is fixed with the directory.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The segments from a number on; they, and the snapshot that `newest` gives, stay from now on.
    pub fn list(
        &self,
        from_segment: u64,
        newest: impl FnOnce() -> Option<SnapshotEntry>,
    ) -> (Option<SnapshotEntry>, Vec<ListedSegment>) {
        let mut lease = self.lease.lock();
        if !lease.is_live() {
            lease.snapshots.clear();
        }
        lease.renew();
        // Asked for under the lock: once it is known to be copied, nobody removes it.
        let newest = newest();
        if let Some(entry) = newest.filter(|entry| !lease.snapshots.contains(entry)) {
            lease.snapshots.insert(0, entry);
            lease.snapshots.truncate(COPIED_MOST);
        }
        (newest, self.pages.segments(from_segment))
    }

    /// First epochs of the snapshots that are kept for those who copy; `None` if nobody does.
    pub fn copied(&self) -> Option<Vec<u64>> {
        let lease = self.lease.lock();
        lease.is_live().then(|| lease.snapshots.iter().map(|entry| entry.first_epoch).collect())
    }

    /// At most `most` bytes of a file from `offset` on; fewer where it ends. `None` if there is no such file.
    pub fn read(&self, file: StoredFile, offset: u64, most: usize) -> Result<Option<Vec<u8>>, OpenError> {
        let mut bytes = vec![0; most];
        let count = match self.find(file) {
            None => None,
            Some(Found::Segment(number)) => self.pages.read_segment(number, offset, &mut bytes)?,
            Some(Found::Snapshot(entry)) => {
                let path = entry.path();
                let read = self.storage.open(&path).and_then(|file| file.read_at(offset, &mut bytes));
                Some(read.map_err(SnapshotError::io("reading", &path))?)
            }
        };
        Ok(count.map(|count| {
            bytes.truncate(count);
            bytes
        }))
    }

    /// Reads a file from front to back, a segment through the durable epoch `through`. `None` if there is no such file.
    pub fn check(
        &self,
        file: StoredFile,
        known: Option<ChainHead>,
        through: u64,
    ) -> Result<Option<CheckedFile>, OpenError> {
        match self.find(file) {
            None => Ok(None),
            Some(Found::Segment(number)) => {
                let identity = LogIdentity { directory: self.directory, lineage: u32::from(self.shape.lineage) };
                let checked = log::check(&*self.storage, identity, number, known, through)?;
                Ok(checked.map(CheckedFile::Segment))
            }
            Some(Found::Snapshot(entry)) => {
                SnapshotReader::check(&*self.storage, &entry)?;
                Ok(Some(CheckedFile::Snapshot(entry)))
            }
        }
    }

    /// Keeps what was listed for another minute. A segment may still turn out not to be there.
    fn find(&self, file: StoredFile) -> Option<Found> {
        let mut lease = self.lease.lock();
        lease.renew();
        match file {
            StoredFile::Segment(number) => Some(Found::Segment(number)),
            StoredFile::Snapshot(first) => {
                lease.snapshots.iter().find(|entry| entry.first_epoch == first).copied().map(Found::Snapshot)
            }
        }
    }
}

/// A file that somebody may ask for.
enum Found {
    Snapshot(SnapshotEntry),
    Segment(u64),
}
