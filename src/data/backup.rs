//! A copy of a data directory, made while it is served, and brought up to date again and again.
//!
//! Promises: a backup whose manifest names a head holds everything through that head, checked; from it and its snapshots any epoch since the
//! oldest snapshot can be restored. A full segment is copied once, a file that was begun is gone on with, and an interrupted run leaves the
//! backup that was there before. Never: touches the origin, or goes on where the origin's log has a gap to what is here.

use std::time::Duration;

use super::restore::{Until, complete_at, never_begun, search_from};
use super::{OpenError, Progress, StoredFile};
use crate::log::{self, ARCHIVE_FOLDER, ChainHead, LOG_FOLDER, ListedSegment, LogError, LogIdentity};
use crate::snapshot::{
    DirectoryKind, Manifest, SNAPSHOT_FOLDER, SNAPSHOTS_KEPT, SnapshotEntry, SnapshotError, SnapshotReader,
};
use crate::storage::{File, Storage};
use crate::store::Shape;

/// What a backup is made of.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The data directory's identity.
    pub directory: [u8; 16],
    /// What is fixed with it.
    pub shape: Shape,
    /// A durable head; the segments listed hold it, unless there are more than fit into a list.
    pub head: ChainHead,
    /// The newest snapshot.
    pub snapshot: Option<SnapshotEntry>,
    /// The segments, rising.
    pub segments: Vec<ListedSegment>,
}

/// Where the files come from.
#[allow(async_fn_in_trait, reason = "a backup is made on one thread")]
pub trait Origin {
    /// Why it does not answer.
    type Error: std::error::Error;

    /// What there is to copy, from this segment on.
    async fn list(&self, from_segment: u64) -> Result<Listing, Self::Error>;

    /// Some bytes of a file from `offset` on, at most `most`; none where it ends. `None` if there is no such file any more.
    async fn read(&self, file: StoredFile, offset: u64, most: u64) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// How a backup is made.
#[derive(Debug, Clone, Copy)]
pub struct BackupOptions {
    /// A snapshot is copied if the newest in the backup was taken this long before it.
    pub snapshot_every: Duration,
    /// What is older goes, as long as any instant since can be restored; nothing goes, if nothing is said.
    pub keep: Option<Duration>,
    /// The origin's time.
    pub now_ms: i64,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The backup's manifest.
    pub manifest: Manifest,
    /// The head that it holds everything through.
    pub head: ChainHead,
    /// Bytes copied by this run.
    pub bytes: u64,
    /// Segments copied by it, the one that is still being written included.
    pub segments: u64,
    /// The snapshot copied by it.
    pub snapshot: Option<SnapshotEntry>,
    /// The first epoch whose end can be restored.
    pub from_epoch: u64,
    /// Files that were too old to keep.
    pub dropped: u64,
}

/// Why a backup is not made, or not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum BackupError<E: std::error::Error> {
    /// The origin does not answer, or refuses.
    #[error(transparent)]
    Origin(E),
    /// The backup's own storage, or a copy that is not sound.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A directory that is served.
    #[error("this is a data directory to be served, no backup; give another folder")]
    NotABackup,
    /// Another server's backup.
    #[error(
        "this backup is of data directory {here} in lineage {lineage_here}, the server has {there} in lineage {lineage_there}; give another folder"
    )]
    OtherDirectory {
        /// The backup's, as hex.
        here: String,
        /// Its lineage.
        lineage_here: u16,
        /// The server's, as hex.
        there: String,
        /// Its lineage.
        lineage_there: u16,
    },
    /// Segments between are gone.
    #[error(
        "the backup ends with segment {here}, and the server's log begins with segment {there}: what lay between was dropped from its archive; keep this backup, begin another in a new folder, and make backups more often than the archive forgets (serve --archive-bytes, --archive-for)"
    )]
    Gap {
        /// The last segment in the backup.
        here: u64,
        /// The first one that the server still has.
        there: u64,
    },
    /// A file that was listed is gone.
    #[error("the server has removed {0} meanwhile; run the backup again, it goes on where it was")]
    Gone(String),
    /// A copy is not what was written.
    #[error(
        "{why}; the copy is removed, run the backup again, and if it stays so, the server's own file is damaged: tidegate verify --online"
    )]
    Unsound {
        /// What is wrong.
        why: String,
    },
    /// Nothing was ever written.
    #[error("the server has written nothing yet: there is nothing to back up")]
    Empty,
    /// A server that has less than the backup: it was put back to an earlier state by other means than `tidegate restore`.
    #[error(
        "the server's log ends with epoch {there}, the backup has epoch {here}: the server was put back to an earlier state in the same lineage; keep this backup, and begin another in a new folder"
    )]
    PutBack {
        /// The backup's newest epoch.
        here: u64,
        /// The server's.
        there: u64,
    },
}

impl<E: std::error::Error> From<LogError> for BackupError<E> {
    fn from(error: LogError) -> Self {
        BackupError::Open(error.into())
    }
}

impl<E: std::error::Error> From<SnapshotError> for BackupError<E> {
    fn from(error: SnapshotError) -> Self {
        BackupError::Open(error.into())
    }
}

/// As many segments as an origin lists at once.
pub(crate) const LISTED_MOST: usize = 16_384;
/// As many as a manifest can name.
const SNAPSHOTS_MOST: usize = 255;

/// Makes a backup, or brings one up to date.
pub async fn backup<O: Origin>(
    origin: &O,
    target: &dyn Storage,
    options: BackupOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Copied, BackupError<O::Error>> {
    let known = Manifest::read(target)?;
    if known.as_ref().is_some_and(|manifest| manifest.kind != DirectoryKind::Backup) {
        return Err(BackupError::NotABackup);
    }
    let from = known.as_ref().map_or(Ok(0), |manifest| newest_segment(target, manifest))?;
    let listing = origin.list(from).await.map_err(BackupError::Origin)?;
    let manifest = match known {
        Some(manifest) => same(manifest, &listing)?,
        None => begin(target, &listing)?,
    };
    let mut run =
        Run { origin, target, manifest, done: Progress { stage: "snapshot", done_bytes: 0, total_bytes: 0 }, progress };
    let snapshot = run.snapshot(&listing, options.snapshot_every).await?;
    let (head, segments) = run.log(from).await?;
    let Run { mut manifest, done, .. } = run;
    manifest.snapshots.splice(0..0, snapshot);
    manifest.head = Some(head);
    let dropped = publish(target, &mut manifest, options)?;
    let from_epoch = restorable(target, &manifest)?;
    Ok(Copied { manifest, head, bytes: done.done_bytes, segments, snapshot, from_epoch, dropped })
}

/// The newest segment that is here: it may have been copied before it was full. 0 if there is none.
fn newest_segment(target: &dyn Storage, manifest: &Manifest) -> Result<u64, LogError> {
    let identity = LogIdentity { directory: manifest.directory, lineage: u32::from(manifest.shape.lineage) };
    Ok(log::begins(target, identity)?.last().map_or(0, |segment| segment.number))
}

/// The manifest of a backup that is to be brought up to date, if it is this origin's.
fn same<E: std::error::Error>(manifest: Manifest, listing: &Listing) -> Result<Manifest, BackupError<E>> {
    if (manifest.directory, manifest.shape) == (listing.directory, listing.shape) {
        return Ok(manifest);
    }
    Err(BackupError::OtherDirectory {
        here: log::hex(&manifest.directory),
        lineage_here: manifest.shape.lineage,
        there: log::hex(&listing.directory),
        lineage_there: listing.shape.lineage,
    })
}

/// The manifest comes first, without a head, so that an interrupted first run can be gone on with and is not taken for a backup.
fn begin<E: std::error::Error>(target: &dyn Storage, listing: &Listing) -> Result<Manifest, BackupError<E>> {
    for folder in [LOG_FOLDER, ARCHIVE_FOLDER, SNAPSHOT_FOLDER] {
        target.make_dir(folder).map_err(|error| OpenError::Folder(folder, error))?;
    }
    target.sync_dir("").map_err(|error| OpenError::Folder(".", error))?;
    let Listing { directory, shape, .. } = *listing;
    let manifest = Manifest { directory, shape, kind: DirectoryKind::Backup, head: None, snapshots: Vec::new() };
    manifest.write(target)?;
    Ok(manifest)
}

/// A run of a backup.
struct Run<'a, O> {
    origin: &'a O,
    target: &'a dyn Storage,
    manifest: Manifest,
    done: Progress,
    progress: &'a mut dyn FnMut(Progress),
}

impl<O: Origin> Run<'_, O> {
    /// Copies the newest snapshot, if it is so much newer than what is here.
    async fn snapshot(
        &mut self,
        listing: &Listing,
        every: Duration,
    ) -> Result<Option<SnapshotEntry>, BackupError<O::Error>> {
        let Some(entry) = listing.snapshot else { return Ok(None) };
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        let fresh = |newest: &SnapshotEntry| {
            newest.first_epoch < entry.first_epoch && newest.taken_ms.saturating_add(every_ms) <= entry.taken_ms
        };
        // Where no more can be named the log is enough.
        let full = self.manifest.snapshots.len() >= SNAPSHOTS_MOST;
        if full || !self.manifest.snapshots.first().is_none_or(fresh) {
            return Ok(None);
        }
        self.begin("snapshot", entry.bytes);
        let path = entry.path();
        let part = self.copy(StoredFile::Snapshot(entry.first_epoch), &path, entry.bytes, entry.bytes).await?;
        let checked = SnapshotReader::check_file(self.target, &part, &entry);
        self.settle(&part, &path, checked.map_err(|error| error.to_string()))?;
        Ok(Some(entry))
    }

    /// Copies the segments from one on; each is checked, and must go on where the one before ended. The head behind the last, and how many
    /// they were.
    async fn log(&mut self, from: u64) -> Result<(ChainHead, u64), BackupError<O::Error>> {
        // Listed anew: a snapshot may have taken long to copy.
        let mut listing = self.origin.list(from).await.map_err(BackupError::Origin)?;
        let wanted = listing.head;
        if wanted.epoch == 0 {
            return Err(BackupError::Empty);
        }
        if let Some(here) = self.manifest.head.filter(|here| here.epoch > wanted.epoch) {
            return Err(BackupError::PutBack { here: here.epoch, there: wanted.epoch });
        }
        self.begin("log", listing.segments.iter().map(|segment| segment.used_bytes).sum());
        let mut end = match from.checked_sub(1) {
            Some(before) => {
                log::check(self.target, self.identity(), before, None, u64::MAX)?.map(|checked| checked.head)
            }
            None => None,
        };
        let (mut next, mut copied) = (from, 0);
        while let Some(first) = listing.segments.first() {
            if from > 0 && next == from && first.number > next {
                return Err(BackupError::Gap { here: next, there: first.number });
            }
            let is_last = listing.segments.len() < LISTED_MOST;
            let end_of_list = if is_last { wanted.epoch } else { 0 };
            let ends = listing.segments.iter().skip(1).map(|next| next.previous_epoch).chain([end_of_list]);
            for (segment, last_epoch) in listing.segments.iter().zip(ends) {
                // In a new backup the first one is whichever there is.
                let expected = if next == 0 { segment.number } else { next };
                (expected..segment.number).try_for_each(|number| never_begun(self.target, number))?;
                next = segment.number + 1;
                end = Some(self.segment(segment, end, last_epoch, wanted).await?);
                copied += 1;
            }
            if is_last {
                break;
            }
            listing = self.origin.list(next).await.map_err(BackupError::Origin)?;
        }
        match end {
            Some(end) if end.epoch >= wanted.epoch => Ok((end, copied)),
            Some(end) => Err(BackupError::Unsound {
                why: format!("the segments end with epoch {}, the log with epoch {}", end.epoch, wanted.epoch),
            }),
            None => Err(BackupError::Gone("the log".into())),
        }
    }

    /// Copies a segment that goes on from `end` and must hold everything through `last_epoch`, and have the hash of the head `known`, if that is
    /// in it.
    async fn segment(
        &mut self,
        segment: &ListedSegment,
        end: Option<ChainHead>,
        last_epoch: u64,
        known: ChainHead,
    ) -> Result<ChainHead, BackupError<O::Error>> {
        let path = log::path(segment.number);
        let stored = StoredFile::Segment(segment.number);
        let part = self.copy(stored, &path, segment.used_bytes, segment.bytes).await?;
        // What is here already must be in it, and what was asked for too.
        let check = |known| log::check_file(self.target, self.identity(), &part, segment.number, known);
        let checked = match check(self.manifest.head).and_then(|_| check(Some(known))) {
            Err(error) => Err(error.to_string()),
            Ok(None) => Err(format!("{path} has no header")),
            Ok(Some(checked)) if end.is_some_and(|end| end != checked.previous) => {
                let end = end.unwrap_or_default();
                Err(format!("{path} goes on from {}, the segment before it ends with {end}", checked.previous))
            }
            Ok(Some(checked)) if checked.head.epoch < last_epoch => {
                Err(format!("{path} ends with epoch {}, where it must hold epoch {last_epoch}", checked.head.epoch))
            }
            Ok(Some(checked)) => Ok(checked.head),
        };
        self.settle(&part, &path, checked)
    }

    fn identity(&self) -> LogIdentity {
        let Manifest { directory, shape, .. } = self.manifest;
        LogIdentity { directory, lineage: u32::from(shape.lineage) }
    }

    fn begin(&mut self, stage: &'static str, bytes: u64) {
        self.done.stage = stage;
        self.done.total_bytes = self.done.done_bytes + bytes;
    }

    /// Copies `used` bytes of a file, going on with what an interrupted run has left, and lets zeros follow up to `length`. The name that the
    /// copy has until it is settled.
    async fn copy(
        &mut self,
        from: StoredFile,
        path: &str,
        used: u64,
        length: u64,
    ) -> Result<String, BackupError<O::Error>> {
        let part = format!("{}.part", path.rsplit_once('.').map_or(path, |(stem, _)| stem));
        let (folder, name) = part.split_once('/').expect("every file is in a folder");
        let names = self.target.list(folder).map_err(LogError::storage("list", folder))?;
        let is_there = names.iter().any(|other| other == name);
        let opened = if is_there { self.target.open(&part) } else { self.target.create(&part) };
        let file: Box<dyn File> = opened.map_err(LogError::storage("open", &*part))?;
        let there = file.len().map_err(LogError::storage("read", &*part))?;
        // One that has its full length was complete once; how much of that was copied is not known.
        let mut at = if there < length { there.min(used) } else { 0 };
        self.done.total_bytes -= at;
        while at < used {
            let read = self.origin.read(from, at, used - at).await.map_err(BackupError::Origin)?;
            let bytes = read
                .filter(|bytes| !bytes.is_empty())
                .ok_or_else(|| BackupError::Gone(format!("{path} from byte {at} on")))?;
            file.write_at(at, &bytes).map_err(LogError::storage("write", &*part))?;
            at += bytes.len() as u64;
            self.done.done_bytes += bytes.len() as u64;
            (self.progress)(self.done);
        }
        file.set_len(length).map_err(LogError::storage("size", &*part))?;
        file.sync_all().map_err(LogError::storage("sync", &*part))?;
        Ok(part)
    }

    /// Gives a copy its name if it is sound, and only then: what had that name before was. One that is not is taken away, so that the next run
    /// makes another.
    fn settle<T>(&self, part: &str, path: &str, checked: Result<T, String>) -> Result<T, BackupError<O::Error>> {
        let folder = path.split_once('/').map_or("", |(folder, _)| folder);
        let sound = match checked {
            Ok(sound) => sound,
            Err(why) => {
                self.target.remove(part).map_err(LogError::storage("remove", part))?;
                return Err(BackupError::Unsound { why });
            }
        };
        self.target.rename(part, path).map_err(LogError::storage("rename", part))?;
        self.target.sync_dir(folder).map_err(LogError::storage("sync", folder))?;
        Ok(sound)
    }
}

/// Makes the manifest name what is here, and then removes what is too old. How many files that were.
fn publish<E: std::error::Error>(
    target: &dyn Storage,
    manifest: &mut Manifest,
    options: BackupOptions,
) -> Result<u64, BackupError<E>> {
    // Without a snapshot from before it all of the log is wanted.
    let mut cut = false;
    if let Some(keep) = options.keep {
        let oldest_ms = options.now_ms.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        // Two from before that instant stay: what came after it is restored from there, and the newer may have been under way then.
        let younger = manifest.snapshots.partition_point(|entry| entry.taken_ms > oldest_ms);
        cut = manifest.snapshots.len() >= younger + SNAPSHOTS_KEPT;
        manifest.snapshots.truncate(younger + SNAPSHOTS_KEPT);
    }
    manifest.write(target)?;
    let named: Vec<String> = manifest.snapshots.iter().map(SnapshotEntry::path).collect();
    let mut dropped = 0;
    for name in target.list(SNAPSHOT_FOLDER).map_err(LogError::storage("list", SNAPSHOT_FOLDER))? {
        let path = format!("{SNAPSHOT_FOLDER}/{name}");
        if !named.contains(&path) {
            target.remove(&path).map_err(LogError::storage("remove", path))?;
            dropped += 1;
        }
    }
    if let Some(oldest) = manifest.snapshots.last().filter(|_| cut) {
        dropped += drop_segments(target, manifest, complete_at(oldest))?;
    }
    Ok(dropped)
}

/// The first epoch whose end can be restored: where the whole log is here the first of all, else where the oldest snapshot is complete.
fn restorable<E: std::error::Error>(target: &dyn Storage, manifest: &Manifest) -> Result<u64, BackupError<E>> {
    let identity = LogIdentity { directory: manifest.directory, lineage: u32::from(manifest.shape.lineage) };
    let whole = log::begins(target, identity)?.first().is_some_and(|segment| segment.previous_epoch == 0);
    Ok(if whole { 1 } else { manifest.snapshots.last().map_or(1, complete_at) })
}

/// Removes the segments that nobody needs to restore an epoch or a later one, from the oldest up. The epoch itself stays in the log, although a
/// snapshot may hold it: the head of the chain there is found with it.
fn drop_segments<E: std::error::Error>(
    target: &dyn Storage,
    manifest: &Manifest,
    epoch: u64,
) -> Result<u64, BackupError<E>> {
    let identity = LogIdentity { directory: manifest.directory, lineage: u32::from(manifest.shape.lineage) };
    let begins = log::begins(target, identity)?;
    let first = search_from(&begins, Until::Epoch(epoch)).unwrap_or(0);
    let numbers = log::numbers(target, LOG_FOLDER)?;
    let old = numbers.iter().take_while(|&&number| begins.get(first).is_some_and(|first| number < first.number));
    for &number in old.clone() {
        let path = log::path(number);
        target.remove(&path).map_err(LogError::storage("remove", path))?;
        target.sync_dir(LOG_FOLDER).map_err(LogError::storage("sync", LOG_FOLDER))?;
    }
    Ok(old.count() as u64)
}
