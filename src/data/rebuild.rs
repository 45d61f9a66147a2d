//! The state from the newest snapshot that reads well and the log behind it.
//!
//! Reading, checksums and the chain are one thread's; sections and tails are put back by a [`crew`](super::crew). With
//! and without workers the state is the same, and so is the fault that is told.

use std::sync::Arc;

use super::crew::{Crew, Piece, with_crew};
use super::{OpenError, Options, Progress, Recovery};
use crate::engine::{PlaceId, PlaceKind};
use crate::log::{self, LogError, LogIdentity, Reach, Scanned};
use crate::snapshot::{Manifest, SNAPSHOTS_KEPT, SnapshotEntry, SnapshotError, SnapshotReader};
use crate::storage::Storage;
use crate::store::{LoggedTail, Section, Store};

/// The state from the newest snapshot and the log behind it, as `read_log` reads it; with what that gives beside.
pub(super) fn rebuild<R>(
    storage: &dyn Storage,
    options: Options,
    manifest: &Manifest,
    progress: &mut dyn FnMut(Progress),
    read_log: impl FnOnce(log::Expect, &mut log::Visit<'_>) -> Result<(Scanned, R), LogError>,
) -> Result<(Arc<Store>, Recovery, R), OpenError> {
    let Loaded { store, snapshot, passed_over, newest_error } = load(storage, options, manifest, progress)?;
    let mut records = 0;
    let (read, fault) = with_crew(&store, options.workers, |crew| {
        read_log(expected(manifest, snapshot), &mut |epoch| {
            progress(Progress { stage: "log", done_bytes: epoch.done_bytes, total_bytes: epoch.total_bytes });
            records += hand_over(crew, &epoch)?;
            if crew.has_failed() { Err(LogError::Stopped) } else { Ok(()) }
        })
    });
    if let Some(Misfit { epoch, source }) = fault {
        return Err(LogError::Replay { epoch, source }.into());
    }
    let (scanned, beside) = match (read, newest_error) {
        // The log alone was to stand in for a snapshot that is damaged, and does not reach that far: the damage is what is wrong.
        (Err(LogError::EpochsMissing { .. }), Some(error)) => return Err(error.into()),
        (read, _) => read?,
    };
    let Scanned { head, closed, torn, epochs, bytes, .. } = scanned;
    if let Some(entry) = snapshot.filter(|entry| entry.last_epoch > head.epoch) {
        return Err(OpenError::LogTooShort { path: entry.path(), needed: entry.last_epoch, found: head.epoch });
    }
    if let Some(entry) = snapshot {
        store.caught_up().map_err(|what| OpenError::Apart { path: entry.path(), what })?;
    }
    // Half of what the log's reader believes, so that what is written from here on is read again.
    let epoch = next_epoch(head.epoch, manifest);
    if epoch > log::NUMBER_MOST / 2 {
        return Err(OpenError::EpochTooFar { epoch });
    }
    store.resume(epoch);
    let recovery = Recovery {
        created: false,
        snapshot,
        passed_over,
        epochs,
        records,
        log_bytes: bytes,
        last_epoch: head.epoch,
        closed,
        torn,
    };
    Ok((store, recovery, beside))
}

/// The epoch that fills first. Empty epochs are in no log, so that a snapshot may begin behind the log's end: what came
/// to fill an epoch before its first would be passed over by the next recovery.
fn next_epoch(newest: u64, manifest: &Manifest) -> u64 {
    manifest.snapshots.iter().map(|entry| entry.first_epoch).fold(newest + 1, u64::max)
}

fn expected(manifest: &Manifest, snapshot: Option<SnapshotEntry>) -> log::Expect {
    log::Expect {
        identity: LogIdentity { directory: manifest.directory, lineage: u32::from(manifest.shape.lineage) },
        from_epoch: snapshot.map_or(1, |entry| entry.first_epoch),
        known: manifest.head,
        reach: Reach::InUse,
    }
}

/// A tail of the log on its way to its place.
struct PlacedTail {
    epoch: u64,
    lineage: u16,
    place: PlaceId,
    first_sequence: u64,
    base_ms: i64,
    count: u32,
    records: Vec<u8>,
}

/// A record that does not fit the state.
struct Misfit {
    epoch: u64,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Piece for PlacedTail {
    type Fault = Misfit;

    fn place(&self) -> PlaceId {
        self.place
    }

    fn bytes(&self) -> usize {
        size_of::<PlacedTail>() + self.records.len()
    }

    fn put(&self, store: &Store) -> Result<(), Misfit> {
        let PlacedTail { epoch, lineage, place, first_sequence, base_ms, count, .. } = *self;
        let tail = LoggedTail { epoch, lineage, place, first_sequence, base_ms, count, records: &self.records };
        store.replay(&tail).map_err(|error| Misfit { epoch, source: Box::new(error) })
    }
}

/// Hands an epoch's tails over; gives how many records it held.
fn hand_over(crew: &mut Crew<'_, PlacedTail>, epoch: &log::RecoveredEpoch<'_>) -> Result<u64, LogError> {
    let mut records = 0;
    for tail in epoch.tails.clone() {
        let unknown = || LogError::Replay { epoch: epoch.epoch, source: "a place of unknown kind".into() };
        let piece = PlacedTail {
            epoch: epoch.epoch,
            // No segment has more than the directory, whose lineage is as wide.
            lineage: epoch.lineage as u16,
            place: PlaceId::from_u32(tail.place.0).ok_or_else(unknown)?,
            first_sequence: tail.first_sequence,
            base_ms: tail.base_ms,
            count: tail.count,
            records: tail.records.to_vec(),
        };
        records += u64::from(tail.count);
        // What is in force is read by every place, and raises the time of all.
        if piece.place.kind() == PlaceKind::Programmes { crew.put_alone(&piece) } else { crew.put(piece) }
    }
    Ok(records)
}

/// A store as the newest readable snapshot holds it.
struct Loaded {
    store: Arc<Store>,
    snapshot: Option<SnapshotEntry>,
    /// What is wrong with newer ones, in words.
    passed_over: Vec<String>,
    /// What is wrong with the newest.
    newest_error: Option<SnapshotError>,
}

/// Loads the newest snapshot that reads well. An older one with the longer log gives the same state, so that a damaged
/// file is passed over with a word, never guessed over.
fn load(
    storage: &dyn Storage,
    options: Options,
    manifest: &Manifest,
    progress: &mut dyn FnMut(Progress),
) -> Result<Loaded, OpenError> {
    let mut passed_over = Vec::new();
    let mut newest_error = None;
    for entry in &manifest.snapshots {
        let store = Arc::new(Store::new(manifest.shape, options.limits, 1));
        match load_one(storage, manifest, entry, &store, options.workers, progress) {
            Ok(()) => return Ok(Loaded { store, snapshot: Some(*entry), passed_over, newest_error }),
            Err(error) => {
                passed_over.push(error.to_string());
                newest_error.get_or_insert(error);
            }
        }
    }
    match newest_error {
        // With fewer snapshots than are kept the log mostly still begins with epoch 1.
        Some(error) if manifest.snapshots.len() >= SNAPSHOTS_KEPT => Err(error.into()),
        newest_error => {
            let store = Arc::new(Store::new(manifest.shape, options.limits, 1));
            Ok(Loaded { store, snapshot: None, passed_over, newest_error })
        }
    }
}

/// A section of a snapshot on its way to its place, and where it ends in the file.
struct PlacedSection {
    section: Section,
    end: u64,
}

impl Piece for PlacedSection {
    type Fault = (u64, &'static str);

    fn place(&self) -> PlaceId {
        self.section.place
    }

    fn bytes(&self) -> usize {
        size_of::<PlacedSection>() + self.section.body.len()
    }

    fn put(&self, store: &Store) -> Result<(), Self::Fault> {
        store.restore(&self.section).map_err(|why| (self.end, why))
    }
}

fn load_one(
    storage: &dyn Storage,
    manifest: &Manifest,
    entry: &SnapshotEntry,
    store: &Store,
    workers: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), SnapshotError> {
    let mut reader = SnapshotReader::open(storage, &entry.path())?;
    let head = reader.head();
    if head.directory != manifest.directory || head.first_epoch != entry.first_epoch {
        return Err(reader.misfit("it belongs to another data directory or another epoch than the manifest says"));
    }
    let (read, fault) = with_crew(store, workers, |crew| {
        while let Some(section) = reader.next_section()? {
            let alone = !matches!(section.place.kind(), PlaceKind::Members | PlaceKind::Directory);
            let piece = PlacedSection { section, end: reader.position() };
            if alone {
                crew.put_alone(&piece)
            } else {
                crew.put(piece)
            }
            if crew.has_failed() {
                break;
            }
            progress(Progress { stage: "snapshot", done_bytes: reader.position(), total_bytes: reader.length() });
        }
        Ok::<(), SnapshotError>(())
    });
    if let Some((end, why)) = fault {
        return Err(reader.misfit_at(end, why));
    }
    read?;
    store.restored().map_err(|why| reader.misfit(why))?;
    reader.is_the_one(entry)
}
