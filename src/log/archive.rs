//! Segments that recovery no longer needs: moved, kept for a time and within a budget of bytes, dropped oldest first.
//!
//! Only whole segments move or go, from the oldest up, each step durable before the next, so that neither folder ever has a gap, nor
//! both together. The segment that recovery would begin with stays, and so does everything behind it.

use super::index::Index;
use super::segment;
use super::{ARCHIVE_FOLDER, LOG_FOLDER, LogError, NUMBER_MOST};
use crate::storage::Storage;

use parking_lot::RwLock;

/// Moves what holds only epochs below `epoch`. The number of segments moved.
pub(super) fn move_before(storage: &dyn Storage, index: &RwLock<Index>, epoch: u64) -> Result<usize, LogError> {
    let stays = index.read().segments.iter().rev().find(|(_, s)| !s.archived && s.previous < epoch).map(|(&n, _)| n);
    let Some(stays) = stays else { return Ok(0) };
    let mut moved = 0;
    let moving: Vec<u64> = numbers(storage, LOG_FOLDER)?.into_iter().take_while(|&number| number < stays).collect();
    if !moving.is_empty() {
        // A move whose sync failed the last time must not be overtaken: a power loss could take it back, and keep those behind it.
        sync(storage)?;
    }
    for number in moving {
        let (from, to) = (segment::path(number), segment::path_archived(number));
        {
            // Readers find a segment by the index: name and index change together.
            let mut index = index.write();
            storage.rename(&from, &to).map_err(LogError::storage("archive", from))?;
            if let Some(segment) = index.segments.get_mut(&number) {
                segment.archived = true;
            }
        }
        sync(storage)?;
        moved += 1;
    }
    Ok(moved)
}

/// Makes moves durable.
fn sync(storage: &dyn Storage) -> Result<(), LogError> {
    [ARCHIVE_FOLDER, LOG_FOLDER]
        .into_iter()
        .try_for_each(|folder| storage.sync_dir(folder).map_err(LogError::storage("sync", folder)))
}

/// How much of the log is kept beyond what recovery needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The most bytes.
    pub bytes: u64,
    /// How long a segment is kept after its last epoch, milliseconds; however long, if nothing is said.
    pub age_ms: Option<i64>,
}

/// Drops the oldest archived segments until the others are within the retention. The number of segments dropped.
pub(super) fn drop_beyond(
    storage: &dyn Storage,
    index: &RwLock<Index>,
    retention: Retention,
    now_ms: i64,
) -> Result<usize, LogError> {
    let mut archived = numbers(storage, ARCHIVE_FOLDER)?;
    // A file that no log reaches is not ours to remove, nor a reason to keep the archive from being cut.
    archived.retain(|&number| number <= NUMBER_MOST);
    let mut kept = 0;
    let mut drops = archived.len();
    while drops > 0 {
        let number = archived[drops - 1];
        let path = segment::path_archived(number);
        let len = storage.open(&path).and_then(|file| file.len()).map_err(LogError::storage("read", path))?;
        kept += len;
        if kept > retention.bytes || is_older(&index.read(), number, retention.age_ms, now_ms) {
            break;
        }
        drops -= 1;
    }
    for &number in &archived[..drops] {
        let path = segment::path_archived(number);
        {
            // Readers find a segment by the index: name and index change together.
            let mut index = index.write();
            storage.remove(&path).map_err(LogError::storage("remove", path))?;
            index.segments.remove(&number);
        }
        // Each for itself, so that a power loss leaves no gap.
        storage.sync_dir(ARCHIVE_FOLDER).map_err(LogError::storage("sync", ARCHIVE_FOLDER))?;
    }
    Ok(drops)
}

/// Whether the last epoch of a segment is older than it may be: what follows it was begun then.
fn is_older(index: &Index, number: u64, age_ms: Option<i64>, now_ms: i64) -> bool {
    let ended_ms = index.segments.get(&(number + 1)).map(|next| next.made_ms);
    age_ms.zip(ended_ms).is_some_and(|(age_ms, ended_ms)| ended_ms < now_ms.saturating_sub(age_ms))
}

/// The numbers of the segments in a folder, rising; also of files that no log reaches.
pub(crate) fn numbers(storage: &dyn Storage, folder: &str) -> Result<Vec<u64>, LogError> {
    let names = storage.list(folder).map_err(LogError::storage("list", folder))?;
    Ok(names.iter().filter_map(|name| segment::number(name)).collect())
}

/// The same, for whoever counts on from them: refuses one that no log reaches, from which there would be no room.
pub(super) fn numbers_in_reach(storage: &dyn Storage, folder: &str) -> Result<Vec<u64>, LogError> {
    let numbers = numbers(storage, folder)?;
    match numbers.last() {
        Some(&number) if number > NUMBER_MOST => Err(LogError::NumberTooFar { file: segment::path_in(folder, number) }),
        _ => Ok(numbers),
    }
}
