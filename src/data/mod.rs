//! A data directory, open: the store as it was, and the log where it ended.
//!
//! Promises: what is opened holds every acknowledged change, exactly once, or it is not opened and the error says which
//! file is wrong and how. Opening changes nothing that an earlier state could still need.

mod backup;
mod crew;
mod files;
mod rebuild;
mod restore;

use std::sync::Arc;

use crate::log::{self, Durability, Flusher, LogError, LogIdentity, LogOptions, LogWriter, TornTail};
use crate::snapshot::{DirectoryKind, Manifest, SNAPSHOT_FOLDER, SnapshotEntry, SnapshotError, Snapshotter};
use crate::storage::Storage;
use crate::store::{HashKeys, Limits, Shape, Store};
use rebuild::rebuild;

pub use backup::{BackupError, BackupOptions, Copied, Listing, Origin, backup};
pub use files::{CheckedFile, Files, StoredFile};
pub use restore::{Point, RestoreError, Until, point, restore};

/// How a directory is made and opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Shards of a new directory; one that exists keeps its own.
    pub shards: u32,
    /// What the store may hold.
    pub limits: Limits,
    /// Sizes of the log.
    pub log: LogOptions,
    /// Threads that put state back at recovery, beside the one that reads; with 0 that one does it all.
    pub workers: usize,
    /// What whoever is answered may rely on.
    pub durability: Durability,
}

impl Default for Options {
    fn default() -> Options {
        // On a single core threads only take turns.
        let workers =
            std::thread::available_parallelism().map_or(0, |cores| if cores.get() > 1 { cores.get() } else { 0 });
        Options {
            shards: 64,
            limits: Limits::default(),
            log: LogOptions::default(),
            workers,
            durability: Durability::Fsync,
        }
    }
}

/// Why a directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Snapshot or manifest.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log ends before what a snapshot needs.
    #[error(
        "the log ends with epoch {found}, but snapshot `{path}` needs it through epoch {needed}: acknowledged data is missing; restore from a backup"
    )]
    LogTooShort {
        /// The snapshot.
        path: String,
        /// The last epoch it needs.
        needed: u64,
        /// The last epoch found.
        found: u64,
    },
    /// A snapshot that its log does not lead to: no server wrote it so.
    #[error(
        "snapshot `{path}` has {what}, which the log that it asks for does not lead to: it was altered; restore from a backup"
    )]
    Apart {
        /// The snapshot.
        path: String,
        /// What it has.
        what: &'static str,
    },
    /// Files that state numbers which could not be counted on from.
    #[error("the next epoch would be {epoch}, which no server reaches: the files were altered; restore from a backup")]
    EpochTooFar {
        /// It would fill next.
        epoch: u64,
    },
    /// A folder cannot be made.
    #[error("making the folder `{0}`: {1}")]
    Folder(&'static str, std::io::Error),
    /// A backup was to be served.
    #[error(
        "this is a backup: it is restored from and never served, or two servers would go on from the same point; make a data directory of it with `tidegate restore`"
    )]
    Backup,
    /// A directory without a manifest, where one was expected.
    #[error("there is no manifest: this is no data directory of Tidegate, or it was never completely made")]
    NoManifest,
}

/// How far opening has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// `snapshot` or `log`.
    pub stage: &'static str,
    /// Bytes done.
    pub done_bytes: u64,
    /// Bytes there are.
    pub total_bytes: u64,
}

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Whether the directory was made just now.
    pub created: bool,
    /// The snapshot that was loaded, if there was one.
    pub snapshot: Option<SnapshotEntry>,
    /// Newer snapshots that are damaged and were passed over, in words.
    pub passed_over: Vec<String>,
    /// Epochs replayed.
    pub epochs: u64,
    /// Records replayed, those included that the snapshot held already.
    pub records: u64,
    /// Bytes of log read.
    pub log_bytes: u64,
    /// The last epoch.
    pub last_epoch: u64,
    /// Whether a closing block proves that the last epoch was acknowledged whole.
    pub closed: bool,
    /// What was cut off the log's end.
    pub torn: Option<TornTail>,
}

/// An open data directory, its flusher not yet running.
pub struct Opened {
    /// The state.
    pub store: Arc<Store>,
    /// The log's writing end.
    pub flusher: Flusher,
    /// Takes snapshots.
    pub snapshotter: Snapshotter,
    /// Gives out files while the directory is served.
    pub files: Arc<Files>,
    /// What was found.
    pub recovery: Recovery,
    /// What whoever is answered may rely on.
    pub durability: Durability,
}

/// The random parts of a new directory: its id and the keys of its hashes.
#[derive(Debug, Clone, Copy)]
pub struct Seed {
    /// The id.
    pub directory: [u8; 16],
    /// The keys.
    pub keys: HashKeys,
}

impl Seed {
    /// A new one from the system's randomness.
    pub fn random() -> Seed {
        let fresh = || uuid::Uuid::new_v4().into_bytes();
        // A v4 UUID fixes six bits; two of them hashed give keys without a pattern.
        let key = || blake3::hash(&[fresh(), fresh()].concat()).as_bytes()[..16].try_into().expect("sixteen bytes");
        Seed { directory: fresh(), keys: HashKeys { short: key(), long: key() } }
    }
}

/// Opens a directory, making it from `seed` if it has no manifest.
pub fn open(
    storage: Arc<dyn Storage>,
    options: Options,
    seed: Option<Seed>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Opened, OpenError> {
    match (Manifest::read(&*storage)?, seed) {
        (Some(Manifest { kind: DirectoryKind::Backup, .. }), _) => Err(OpenError::Backup),
        (Some(manifest), _) => recover(storage, options, manifest, progress),
        (None, Some(seed)) => create(storage, options, seed),
        (None, None) => Err(OpenError::NoManifest),
    }
}

fn create(storage: Arc<dyn Storage>, options: Options, seed: Seed) -> Result<Opened, OpenError> {
    for folder in [log::LOG_FOLDER, log::ARCHIVE_FOLDER, SNAPSHOT_FOLDER] {
        storage.make_dir(folder).map_err(|error| OpenError::Folder(folder, error))?;
    }
    storage.sync_dir("").map_err(|error| OpenError::Folder(".", error))?;
    let shape = Shape { shards: options.shards, keys: seed.keys, lineage: 0 };
    let (directory, kind) = (seed.directory, DirectoryKind::Data);
    let manifest = Manifest { directory, shape, kind, head: None, snapshots: Vec::new() };
    let identity = LogIdentity { directory: seed.directory, lineage: 0 };
    let writer = LogWriter::create(Arc::clone(&storage), identity, options.log)?;
    // Last, so that a directory with a manifest is complete.
    manifest.write(&*storage)?;
    let store = Arc::new(Store::new(shape, options.limits, 1));
    let recovery = Recovery {
        created: true,
        snapshot: None,
        passed_over: Vec::new(),
        epochs: 0,
        records: 0,
        log_bytes: 0,
        last_epoch: 0,
        closed: true,
        torn: None,
    };
    Ok(Opened {
        files: Arc::new(Files::new(Arc::clone(&storage), &manifest, writer.pages())),
        flusher: Flusher::new(Arc::clone(&store), writer, 0),
        snapshotter: Snapshotter::new(storage, Arc::clone(&store), manifest),
        store,
        recovery,
        durability: options.durability,
    })
}

fn recover(
    storage: Arc<dyn Storage>,
    options: Options,
    mut manifest: Manifest,
    progress: &mut dyn FnMut(Progress),
) -> Result<Opened, OpenError> {
    let (store, recovery, read) = rebuild(&*storage, options, &manifest, progress, |expect, visit| {
        let read = log::read_back(&*storage, expect, options.log, visit)?;
        Ok((read.scanned().clone(), read))
    })?;
    // Only now: a log that does not fit is left as it is.
    let writer = read.resume(Arc::clone(&storage))?;
    // What is damaged takes no good one's place.
    manifest.snapshots.drain(..recovery.passed_over.len());
    let files = Arc::new(Files::new(Arc::clone(&storage), &manifest, writer.pages()));
    let snapshotter = Snapshotter::new(storage, Arc::clone(&store), manifest);
    // A process that was killed in the middle of one left a file, which takes the room of the next.
    snapshotter.remove_leftovers(&[]);
    Ok(Opened {
        flusher: Flusher::new(Arc::clone(&store), writer, recovery.last_epoch),
        snapshotter,
        files,
        store,
        recovery,
        durability: options.durability,
    })
}

/// Reads a directory as recovery would, and changes nothing in it. Gives the store and what was found.
pub fn inspect(
    storage: &Arc<dyn Storage>,
    limits: Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Arc<Store>, Manifest, Recovery), OpenError> {
    let manifest = Manifest::read(&**storage)?.ok_or(OpenError::NoManifest)?;
    let (store, recovery) = inspect_from(storage, &manifest, limits, progress)?;
    Ok((store, manifest, recovery))
}

/// As [`inspect`], by a manifest that need not name all snapshots: so that each can be tried by itself.
pub fn inspect_from(
    storage: &Arc<dyn Storage>,
    manifest: &Manifest,
    limits: Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Arc<Store>, Recovery), OpenError> {
    let options = Options { limits, ..Options::default() };
    let scan = |expect, visit: &mut log::Visit<'_>| {
        let scanned = log::scan(&**storage, expect, visit)?;
        // A state that no server can go on from is not sound.
        scanned.leaves_room()?;
        Ok((scanned, ()))
    };
    let (store, recovery, ()) = rebuild(&**storage, options, manifest, progress, scan)?;
    Ok((store, recovery))
}
