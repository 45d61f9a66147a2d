//! Snapshots: the state taken online, section by section, and published only when the log can complete it.
//!
//! Promises: a snapshot that the manifest names can be loaded, and with the log from its first epoch gives the state
//! exactly; the one before stays until then. Never: holds a place for longer than a copy of one chunk, or removes what
//! the manifest still names.

mod file;
mod manifest;
mod pace;

use std::sync::Arc;

use crate::log::ChainHead;
use crate::storage::Storage;
use crate::store::{ReplayError, Section, Store};

pub use file::{SnapshotHead, SnapshotReader};
pub use manifest::{DirectoryKind, Manifest, SnapshotEntry};
pub use pace::Pace;

/// The folder of snapshots.
pub const SNAPSHOT_FOLDER: &str = "snapshots";

/// How many snapshots are kept.
pub const SNAPSHOTS_KEPT: usize = 2;

/// A snapshot or manifest that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The storage refused.
    #[error("{what} `{path}`: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: String,
        /// What the storage said.
        source: std::io::Error,
    },
    /// The bytes are not what they should be.
    #[error(
        "`{path}` is damaged at byte {offset}: {why}; restore the directory from a backup, or remove the file only if another snapshot covers it"
    )]
    Damaged {
        /// The file.
        path: String,
        /// Where.
        offset: u64,
        /// What was expected and found.
        why: String,
    },
    /// The manifest is not what it should be.
    #[error(
        "`MANIFEST` is damaged at byte {offset}: {why}; it is only ever replaced as a whole, so that no crash leaves this: restore the directory from a backup, and keep this one"
    )]
    Manifest {
        /// Where.
        offset: u64,
        /// What was expected and found.
        why: String,
    },
    /// The log that would complete it failed.
    #[error("the log failed before epoch {0} was durable; the snapshot is not published")]
    LogFailed(u64),
    /// A record of the log does not fit.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl SnapshotError {
    pub(crate) fn io(what: &'static str, path: &str) -> impl FnOnce(std::io::Error) -> SnapshotError {
        let path = path.to_owned();
        move |source| SnapshotError::Io { what, path, source }
    }
}

/// A snapshot that is written and durable, but that nobody may rely on yet.
#[derive(Debug, Clone)]
pub struct Written {
    /// What the manifest will say of it.
    pub entry: SnapshotEntry,
}

/// Takes snapshots of one data directory. One at a time.
pub struct Snapshotter {
    storage: Arc<dyn Storage>,
    store: Arc<Store>,
    manifest: Manifest,
}

impl Snapshotter {
    /// For a directory whose manifest is read already.
    pub fn new(storage: Arc<dyn Storage>, store: Arc<Store>, manifest: Manifest) -> Snapshotter {
        Snapshotter { storage, store, manifest }
    }

    /// The manifest as it stands on disk.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Bytes that the disk still has; none if it cannot tell.
    pub fn free_bytes(&self) -> u64 {
        self.storage.free_bytes().unwrap_or(0)
    }

    /// Copies the state into a file and makes it durable. `progress` hears of bytes written after each section, and may take its time:
    /// no place is held then. If no epoch ended since the last one, gives that one again. Where it fails, nothing is left of it.
    pub fn write(&self, taken_ms: i64, mut progress: impl FnMut(u64)) -> Result<Written, SnapshotError> {
        loop {
            let programmes = self.store.programmes().len();
            let written = self.attempt(taken_ms, &mut progress)?;
            if self.store.programmes().len() == programmes {
                return Ok(written);
            }
            // Members of a programme that came meanwhile may stand in it, but not the programme.
            if !self.manifest.snapshots.contains(&written.entry) {
                let path = written.entry.path();
                self.storage.remove(&path).map_err(SnapshotError::io("removing", &path))?;
            }
        }
    }

    fn attempt(&self, taken_ms: i64, progress: impl FnMut(u64)) -> Result<Written, SnapshotError> {
        let first_epoch = self.store.filling_epoch();
        // Nothing was cut since that one: with the log behind it, it is as good, and its file must stay as it is.
        if let Some(entry) = self.manifest.snapshots.iter().find(|entry| entry.first_epoch == first_epoch) {
            return Ok(Written { entry: *entry });
        }
        let path = manifest::path(first_epoch);
        // A leftover of an attempt that was not published may stand in the way.
        if self.storage.list(SNAPSHOT_FOLDER).is_ok_and(|names| names.iter().any(|name| path.ends_with(name.as_str())))
        {
            self.storage.remove(&path).map_err(SnapshotError::io("removing", &path))?;
        }
        // On a full disk half a snapshot must not take the room that the log needs.
        self.write_into(&path, first_epoch, taken_ms, progress).inspect_err(|_| drop(self.storage.remove(&path)))
    }

    fn write_into(
        &self,
        path: &str,
        first_epoch: u64,
        taken_ms: i64,
        mut progress: impl FnMut(u64),
    ) -> Result<Written, SnapshotError> {
        let head = SnapshotHead {
            directory: self.manifest.directory,
            lineage: u32::from(self.manifest.shape.lineage),
            first_epoch,
        };
        let mut writer = file::SnapshotWriter::create(&*self.storage, path, head)?;
        let copied = self.store.copy(|section: Section| {
            let written = writer.section(&section);
            progress(writer.bytes());
            written.map_err(|error| std::io::Error::other(error.to_string()))
        });
        let last_epoch = copied.map_err(SnapshotError::io("copying into", path))?;
        let (bytes, hash) = writer.finish(last_epoch)?;
        self.storage.sync_dir(SNAPSHOT_FOLDER).map_err(SnapshotError::io("syncing", SNAPSHOT_FOLDER))?;
        let members = self.store.member_count();
        Ok(Written { entry: SnapshotEntry { first_epoch, last_epoch, bytes, hash, members, taken_ms } })
    }

    /// Names a snapshot in the manifest, once the log is `durable` through its last epoch, with the `head` that the chain has by then. Gives
    /// the first epoch that recovery may still need; older log can be archived. `copied` are first epochs of snapshots that somebody
    /// is reading: their files stay.
    pub fn publish(
        &mut self,
        written: Written,
        durable: u64,
        head: ChainHead,
        copied: &[u64],
    ) -> Result<u64, SnapshotError> {
        assert!(
            durable >= written.entry.last_epoch,
            "a snapshot is published when the log is durable through its last epoch"
        );
        let mut manifest = self.manifest.clone();
        if !manifest.snapshots.contains(&written.entry) {
            manifest.snapshots.insert(0, written.entry);
            manifest.snapshots.truncate(SNAPSHOTS_KEPT);
            manifest.head = (head.epoch > 0).then_some(head);
            manifest.write(&*self.storage).inspect_err(|_| self.remove_leftovers(copied))?;
            self.manifest = manifest;
        }
        self.remove_unnamed(copied)?;
        // With a single snapshot the whole log stays, so that damage to that one file costs nothing.
        let oldest = self.manifest.snapshots.get(SNAPSHOTS_KEPT - 1);
        Ok(oldest.map_or(0, |oldest| oldest.first_epoch))
    }

    /// Removes, as far as it can, files of snapshots that nobody may rely on and nobody copies: those of a process that was killed, and what
    /// could not be named. What the manifest on the disk names stays, damaged or not, and also where it is ahead of this one: it may
    /// have been renamed before its folder could not be synced.
    pub fn remove_leftovers(&self, copied: &[u64]) {
        let Ok(Some(standing)) = Manifest::read(&*self.storage) else { return };
        // What cannot be removed now is tried again with the next one.
        let _ = self.remove_all_but(standing.snapshots.iter().chain(&self.manifest.snapshots), copied);
    }

    /// Removes snapshot files that the manifest does not name and nobody copies.
    fn remove_unnamed(&self, copied: &[u64]) -> Result<(), SnapshotError> {
        self.remove_all_but(self.manifest.snapshots.iter(), copied)
    }

    fn remove_all_but<'a>(
        &self,
        named: impl Iterator<Item = &'a SnapshotEntry>,
        copied: &[u64],
    ) -> Result<(), SnapshotError> {
        let names = self.storage.list(SNAPSHOT_FOLDER).map_err(SnapshotError::io("listing", SNAPSHOT_FOLDER))?;
        let named = named.map(|entry| entry.first_epoch);
        let stay: Vec<String> = named.chain(copied.iter().copied()).map(manifest::path).collect();
        for name in names {
            let path = format!("{SNAPSHOT_FOLDER}/{name}");
            if !stay.contains(&path) {
                self.storage.remove(&path).map_err(SnapshotError::io("removing", &path))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{self, Opened, Options, Seed};
    use crate::storage::Memory;

    fn open(storage: &Memory) -> Opened {
        data::open(Arc::new(storage.clone()), Options::default(), Some(Seed::random()), &mut |_| {}).unwrap()
    }

    #[test]
    fn a_snapshot_of_what_is_published_already_never_takes_the_published_one_away() {
        let storage = Memory::new();
        let mut snapshotter = open(&storage).snapshotter;
        let first = snapshotter.write(1, |_| {}).unwrap();
        snapshotter.publish(first.clone(), first.entry.last_epoch, ChainHead::default(), &[]).unwrap();
        let (calls, bytes) = (storage.calls(), storage.bytes(&first.entry.path()));
        let again = snapshotter.write(2, |_| {}).unwrap();
        assert_eq!((again.entry, storage.calls()), (first.entry, calls), "nothing is written, nothing removed");
        snapshotter.publish(again, first.entry.last_epoch, ChainHead::default(), &[]).unwrap();
        assert_eq!(snapshotter.manifest().snapshots, [first.entry]);
        assert!(bytes.is_some() && storage.bytes(&first.entry.path()) == bytes);
        assert_eq!(open(&storage).recovery.snapshot, Some(first.entry));
    }
}
