//! What can go wrong with the log, in words for the one who has to act on it.

use std::io;
use std::sync::Arc;

/// Why the log refuses.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A write or a sync failed earlier (or just now): what is on the disk is not known, nothing may be acknowledged any more.
    #[error(
        "the log is poisoned: {stage} failed ({source}); nothing is acknowledged any more, restart the server once the disk is well"
    )]
    Poisoned {
        /// What was being done.
        stage: &'static str,
        /// What the storage said.
        source: Arc<io::Error>,
    },
    /// A storage call that does not touch acknowledged data failed.
    #[error("cannot {action} {path}: {source}")]
    Storage {
        /// What was being done.
        action: &'static str,
        /// The file or folder, relative to the data directory.
        path: String,
        /// What the storage said.
        source: io::Error,
    },
    /// There is no allocated room for this epoch. Nothing was written; it may be tried again when there is.
    #[error("the log has no room: an epoch needs {needed} bytes, {room} are allocated ahead; free disk space")]
    NoRoom {
        /// Bytes the epoch takes.
        needed: u64,
        /// Bytes allocated ahead.
        room: u64,
    },
    /// An epoch above the bound of [`LogOptions`](super::LogOptions).
    #[error("an epoch of {bytes} bytes is more than the {max} bytes this log takes at once")]
    EpochTooLarge {
        /// Bytes the epoch takes.
        bytes: u64,
        /// The bound.
        max: u64,
    },
    /// Bytes that were acknowledged, or may have been, are not what was written.
    #[error(
        "{file} is damaged at byte {offset}: expected {expected}, found {found}; acknowledged data would be lost by going on, restore from a backup"
    )]
    Damaged {
        /// The segment's path.
        file: String,
        /// Where the damage begins, in bytes from the start of the file.
        offset: u64,
        /// What should stand there.
        expected: String,
        /// What stands there, or what proves that something else did.
        found: String,
    },
    /// A segment that must be there is not.
    #[error("{file} is missing: segments before and after it are there; put it back from the archive or a backup")]
    SegmentMissing {
        /// The segment's path.
        file: String,
    },
    /// A segment whose number no log reaches.
    #[error("{file} has a number that no log reaches; take it out of its folder, it is not of this log")]
    NumberTooFar {
        /// The segment's path.
        file: String,
    },
    /// The log's last segment, read and found sound, has a number too near to those that no log reaches to go on from there.
    #[error("{file} ends the log with a number that no server reaches: the files were altered; restore from a backup")]
    NumbersUsedUp {
        /// The segment's path.
        file: String,
    },
    /// The log does not reach back as far as it has to.
    #[error(
        "the log begins behind epoch {first}, but epoch {needed} is needed; put older segments back into log/, or use a newer snapshot"
    )]
    EpochsMissing {
        /// The first epoch that recovery needs.
        needed: u64,
        /// The epoch before the first that the log may have.
        first: u64,
    },
    /// A segment of another data directory.
    #[error("{file} belongs to data directory {found}, not to {expected}; take it out of log/")]
    OtherDirectory {
        /// The segment's path.
        file: String,
        /// The id of this data directory, as hex.
        expected: String,
        /// The id in the segment, as hex.
        found: String,
    },
    /// A format of a later release.
    #[error("{file} has format version {found}, this release reads version {known}; use the release that wrote it")]
    Version {
        /// The segment's path.
        file: String,
        /// The version in the file.
        found: u32,
        /// The version this code knows.
        known: u32,
    },
    /// A new log was to be made where one is.
    #[error("{file} holds epochs already; a new log needs a data directory without one")]
    NotEmpty {
        /// The segment's path.
        file: String,
    },
    /// The options contradict each other.
    #[error("the log cannot work with these sizes: {problem}")]
    Options {
        /// Which, and what would be right.
        problem: String,
    },
    /// The visitor of a recovery could not take an epoch.
    #[error("epoch {epoch} cannot be replayed: {source}")]
    Replay {
        /// Which epoch.
        epoch: u64,
        /// What the visitor said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The visitor of a recovery asked for no more epochs; it knows why.
    #[error("the log was not read to its end")]
    Stopped,
}

impl LogError {
    /// For `map_err` on a storage call.
    pub(crate) fn storage(action: &'static str, path: impl Into<String>) -> impl FnOnce(io::Error) -> LogError {
        let path = path.into();
        move |source| LogError::Storage { action, path, source }
    }
}
