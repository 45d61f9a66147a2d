//! A data directory made from a copy, as it was at the end of one epoch.
//!
//! Promises: the state is exactly the one that a server had when that epoch was its newest, whole epochs only; the source is only read;
//! a directory that was not completely made has no manifest and is never opened. The lineage is raised, so that nothing told before is told again
//! for something else. Never: guesses which epoch was meant, or restores less than was asked for without a word.

use crate::engine::read_record;
use crate::log::{self, ARCHIVE_FOLDER, ChainHead, EpochEnd, Expect, LOG_FOLDER, LogError, LogIdentity, Reach, Tail};
use crate::log::{RecoveredEpoch, SegmentBegin};
use crate::snapshot::{
    DirectoryKind, Manifest, SNAPSHOT_FOLDER, SNAPSHOTS_KEPT, SnapshotEntry, SnapshotError, SnapshotReader,
};
use crate::storage::{File, Storage};
use crate::store::{Shape, activations};

use super::{OpenError, Progress};

/// Up to where a log is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All that there is.
    End,
    /// The end of this epoch.
    Epoch(u64),
    /// The last epoch before the first that holds a change decided after this instant, milliseconds since 1970.
    Instant(i64),
}

/// A state that can be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The last epoch in it, and its hash.
    pub head: ChainHead,
    /// The newest instant in that epoch.
    pub newest_ms: i64,
    /// The epoch behind it, if the log goes on.
    pub next_epoch: Option<u64>,
    /// The snapshots that go into it, newest first; without one the whole log is there.
    pub snapshots: Vec<SnapshotEntry>,
    /// Newer snapshots that are damaged and were passed over, in words.
    pub passed_over: Vec<String>,
    manifest: Manifest,
    segments: Vec<SegmentBegin>,
    end: EpochEnd,
}

/// Why nothing is restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The source cannot be read, or the target not be written.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A backup that never came to its end.
    #[error("this backup was never completed; run `tidegate backup` into it again")]
    Incomplete,
    /// Nothing was ever written.
    #[error("the log holds no epoch: there is nothing to restore")]
    Empty,
    /// The log ends before the epoch asked for.
    #[error(
        "the log ends with epoch {last}: epoch {asked} is not there; leave --until away to restore all that there is"
    )]
    Beyond {
        /// The last epoch there is.
        last: u64,
        /// The one asked for.
        asked: u64,
    },
    /// What is kept does not reach back that far.
    #[error("nothing that old can be restored: {why}")]
    TooOld {
        /// What there is.
        why: String,
    },
    /// The lineage that was asked for does not rise.
    #[error(
        "lineage {asked} does not lie above {source_lineage}, the source's: what was told before would be told again for something else"
    )]
    Lineage {
        /// The one asked for.
        asked: u16,
        /// The source's.
        source_lineage: u16,
    },
    /// There are no more lineages.
    #[error("the source has lineage 65535, the last that there is")]
    LastLineage,
}

impl From<LogError> for RestoreError {
    fn from(error: LogError) -> RestoreError {
        RestoreError::Open(error.into())
    }
}

impl From<SnapshotError> for RestoreError {
    fn from(error: SnapshotError) -> RestoreError {
        RestoreError::Open(error.into())
    }
}

/// Finds what would be restored. Changes nothing.
pub fn point(source: &dyn Storage, until: Until, progress: &mut dyn FnMut(Progress)) -> Result<Point, RestoreError> {
    let manifest = Manifest::read(source)?.ok_or(OpenError::NoManifest)?;
    if manifest.kind == DirectoryKind::Backup && manifest.head.is_none() {
        return Err(RestoreError::Incomplete);
    }
    let identity = LogIdentity { directory: manifest.directory, lineage: u32::from(manifest.shape.lineage) };
    let segments = log::begins(source, identity)?;
    let expect = Expect {
        identity,
        from_epoch: segments[search_from(&segments, until).ok_or(RestoreError::Empty)?].previous_epoch + 1,
        known: manifest.head,
        reach: Reach::Archived,
    };
    let mut found = search(source, expect, until, progress)?;
    if found.last.is_none() && expect.from_epoch > segments[0].previous_epoch + 1 {
        // A header may state an earlier time than stands before it.
        found = search(source, Expect { from_epoch: segments[0].previous_epoch + 1, ..expect }, until, progress)?;
    }
    let Some(Seen { head, end, newest_ms }) = found.last else {
        let oldest = segments[0].previous_epoch + 1;
        return Err(RestoreError::TooOld { why: format!("the log begins with epoch {oldest}, which is later") });
    };
    if let Until::Epoch(asked) = until
        && asked > head.epoch
        && found.next_epoch.is_none()
    {
        return Err(RestoreError::Beyond { last: head.epoch, asked });
    }
    let next_epoch = found.next_epoch;
    let (snapshots, passed_over) = snapshots(source, &manifest, (head.epoch, next_epoch), &segments)?;
    Ok(Point { head, newest_ms, next_epoch, snapshots, passed_over, manifest, segments, end })
}

/// The segment to begin with, so that the epoch looked for is among those that are read.
pub(super) fn search_from(segments: &[SegmentBegin], until: Until) -> Option<usize> {
    let begins_before = |segment: &SegmentBegin| match until {
        Until::End => true,
        Until::Epoch(epoch) => segment.previous_epoch < epoch,
        Until::Instant(ms) => segment.made_ms <= ms,
    };
    let last = segments.iter().rposition(begins_before).unwrap_or(0);
    // Instants may overlap a little where segments meet, and a segment need not hold an epoch: the one before it does that has less before it.
    let previous = segments.get(last)?.previous_epoch;
    Some(segments[..last].iter().rposition(|segment| segment.previous_epoch < previous).unwrap_or(0))
}

/// An epoch that was read.
#[derive(Clone, Copy)]
struct Seen {
    head: ChainHead,
    end: EpochEnd,
    newest_ms: i64,
}

/// How far a search came.
struct Found {
    last: Option<Seen>,
    /// The first epoch that is later than what was looked for.
    next_epoch: Option<u64>,
}

fn search(
    source: &dyn Storage,
    expect: Expect,
    until: Until,
    progress: &mut dyn FnMut(Progress),
) -> Result<Found, RestoreError> {
    let mut found = Found { last: None, next_epoch: None };
    let scanned = log::scan(source, expect, &mut |epoch| {
        progress(Progress { stage: "search", done_bytes: epoch.done_bytes, total_bytes: epoch.total_bytes });
        let seen = Seen {
            head: ChainHead { epoch: epoch.epoch, hash: epoch.hash },
            end: epoch.end,
            newest_ms: newest_ms(&epoch),
        };
        let is_later = match until {
            Until::End => false,
            Until::Epoch(until) => epoch.epoch > until,
            Until::Instant(until) => seen.newest_ms > until,
        };
        if is_later {
            found.next_epoch = Some(epoch.epoch);
            return Err(LogError::Stopped);
        }
        found.last = Some(seen);
        Ok(())
    });
    match scanned {
        Ok(_) | Err(LogError::Stopped) => Ok(found),
        Err(error) => Err(error.into()),
    }
}

/// The newest instant at which anything in an epoch was decided.
fn newest_ms(epoch: &RecoveredEpoch<'_>) -> i64 {
    epoch.tails.clone().map(|tail| newest_of(&tail)).max().unwrap_or(i64::MIN)
}

/// A record that cannot be read is told of by the recovery of what was restored.
fn newest_of(tail: &Tail<'_>) -> i64 {
    if tail.place.0 == crate::engine::PlaceId::PROGRAMMES.to_u32() {
        return activations(tail.records).flatten().map(|record| record.now_ms).max().unwrap_or(tail.base_ms);
    }
    let (mut rest, mut newest) = (tail.records, tail.base_ms);
    while let Ok((record, used)) = read_record(rest, tail.base_ms) {
        newest = newest.max(record.now_ms());
        rest = &rest[used..];
    }
    newest
}

/// The newest snapshots that hold nothing later than an epoch and read well; none if the whole log is there.
///
/// A snapshot holds all epochs before its first, and of those behind that what its sections saw, up to its last. One that was taken after a recovery
/// states as its last only what changed since.
fn snapshots(
    source: &dyn Storage,
    manifest: &Manifest,
    (epoch, next_epoch): (u64, Option<u64>),
    segments: &[SegmentBegin],
) -> Result<(Vec<SnapshotEntry>, Vec<String>), RestoreError> {
    let (mut good, mut passed_over) = (Vec::new(), Vec::new());
    let holds_nothing_later =
        |entry: &&SnapshotEntry| entry.last_epoch <= epoch && next_epoch.is_none_or(|next| entry.first_epoch <= next);
    for entry in manifest.snapshots.iter().filter(holds_nothing_later) {
        match SnapshotReader::check(source, entry) {
            Ok(()) => good.push(*entry),
            Err(error) => passed_over.push(error.to_string()),
        }
        if good.len() == SNAPSHOTS_KEPT {
            break;
        }
    }
    let oldest = segments.first().map_or(0, |segment| segment.previous_epoch);
    good.retain(|entry| oldest < entry.first_epoch);
    if good.is_empty() && oldest > 0 {
        let why = match manifest.snapshots.last().map(complete_at) {
            Some(first) if first > epoch => {
                format!("the oldest snapshot holds changes up to epoch {first}, and the log before it is gone")
            }
            _ => format!("the log begins behind epoch {oldest}, and no snapshot that reads well reaches it"),
        };
        return Err(RestoreError::TooOld { why });
    }
    Ok((good, passed_over))
}

/// The first epoch at whose end a snapshot, with the log behind it, gives the state.
pub(super) fn complete_at(entry: &SnapshotEntry) -> u64 {
    entry.last_epoch.max(entry.first_epoch - 1)
}

impl Point {
    /// The lineage of what is restored: the source's and one more, or another one above it.
    pub fn lineage(&self, asked: Option<u16>) -> Result<u16, RestoreError> {
        let source_lineage = self.manifest.shape.lineage;
        match asked {
            Some(asked) if asked <= source_lineage => Err(RestoreError::Lineage { asked, source_lineage }),
            Some(asked) => Ok(asked),
            None => source_lineage.checked_add(1).ok_or(RestoreError::LastLineage),
        }
    }
}

/// Makes a data directory of a [`lineage`](Point::lineage) in `target`, which is empty.
pub fn restore(
    source: &dyn Storage,
    target: &dyn Storage,
    point: &Point,
    lineage: u16,
    progress: &mut dyn FnMut(Progress),
) -> Result<Manifest, RestoreError> {
    for folder in [LOG_FOLDER, ARCHIVE_FOLDER, SNAPSHOT_FOLDER] {
        target.make_dir(folder).map_err(|error| OpenError::Folder(folder, error))?;
    }
    target.sync_dir("").map_err(|error| OpenError::Folder(".", error))?;
    let segments = || point.segments.iter().filter(|segment| segment.number <= point.end.segment);
    let used = |segment: &SegmentBegin| {
        if segment.number == point.end.segment { point.end.offset } else { segment.bytes }
    };
    let snapshots_bytes: u64 = point.snapshots.iter().map(|entry| entry.bytes).sum();
    let total_bytes = segments().map(used).sum::<u64>() + snapshots_bytes;
    let mut done_bytes = 0;
    let mut copied = |bytes| {
        done_bytes += bytes;
        progress(Progress { stage: "copy", done_bytes, total_bytes });
    };
    for entry in &point.snapshots {
        let path = entry.path();
        copy(source, &path, entry.bytes, target, &path, entry.bytes, &mut copied)?;
    }
    let mut next = segments().next().map_or(1, |segment| segment.number);
    for segment in segments() {
        (next..segment.number).try_for_each(|number| never_begun(target, number))?;
        next = segment.number + 1;
        let path = log::path(segment.number);
        copy(source, &segment.path, used(segment), target, &path, segment.bytes, &mut copied)?;
    }
    for folder in [LOG_FOLDER, SNAPSHOT_FOLDER] {
        target.sync_dir(folder).map_err(LogError::storage("sync", folder))?;
    }
    let manifest = Manifest {
        shape: Shape { lineage, ..point.manifest.shape },
        kind: DirectoryKind::Data,
        head: Some(point.head),
        snapshots: point.snapshots.clone(),
        ..point.manifest.clone()
    };
    // Last: a directory without a manifest was never completely made.
    manifest.write(target)?;
    Ok(manifest)
}

/// Takes the number of a segment whose beginning a crash has torn: it holds nothing, the one behind it goes on where the one before it ended, and
/// only the numbers must be without a gap.
pub(super) fn never_begun(target: &dyn Storage, number: u64) -> Result<(), LogError> {
    let path = log::path(number);
    match target.create(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        created => drop(created.map_err(LogError::storage("create", path))?),
    }
    // Before the one behind it, so that a power loss leaves no gap.
    target.sync_dir(LOG_FOLDER).map_err(LogError::storage("sync", LOG_FOLDER))
}

/// Copies the first `used` bytes of a file, and lets zeros follow up to `length`.
fn copy(
    source: &dyn Storage,
    from: &str,
    used: u64,
    target: &dyn Storage,
    to: &str,
    length: u64,
    copied: &mut dyn FnMut(u64),
) -> Result<(), RestoreError> {
    const STEP_BYTES: u64 = 4 << 20;
    let read_from = source.open(from).map_err(LogError::storage("open", from))?;
    let file: Box<dyn File> = target.create(to).map_err(LogError::storage("create", to))?;
    let mut bytes = vec![0; STEP_BYTES.min(used) as usize];
    let mut at = 0;
    while at < used {
        let step = STEP_BYTES.min(used - at) as usize;
        let count = read_from.read_at(at, &mut bytes[..step]).map_err(LogError::storage("read", from))?;
        if count == 0 {
            break;
        }
        file.write_at(at, &bytes[..count]).map_err(LogError::storage("write", to))?;
        at += count as u64;
        copied(count as u64);
    }
    file.set_len(length).map_err(LogError::storage("size", to))?;
    file.sync_all().map_err(LogError::storage("sync", to))?;
    Ok(())
}
