//! Segments that recovery no longer needs: moved, kept within a budget of bytes, dropped oldest first.
//!
//! Only whole segments move, from the oldest up, each move durable before the next, so that `log/` never has a gap. The segment that
//! recovery would begin with stays, and so does everything behind it.

use super::index::Index;
use super::segment;
use super::{ARCHIVE_FOLDER, LOG_FOLDER, LogError};
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

/// Drops the oldest archived segments until the others fit into `budget_bytes`.
pub(super) fn drop_beyond(storage: &dyn Storage, index: &RwLock<Index>, budget_bytes: u64) -> Result<(), LogError> {
    let mut kept = 0;
    let mut dropped = false;
    for number in numbers(storage, ARCHIVE_FOLDER)?.into_iter().rev() {
        let path = segment::path_archived(number);
        let len = storage.open(&path).and_then(|file| file.len()).map_err(LogError::storage("read", path.clone()))?;
        kept += len;
        if kept > budget_bytes {
            let mut index = index.write();
            index.segments.remove(&number);
            storage.remove(&path).map_err(LogError::storage("remove", path))?;
            dropped = true;
        }
    }
    if dropped {
        storage.sync_dir(ARCHIVE_FOLDER).map_err(LogError::storage("sync", ARCHIVE_FOLDER))?;
    }
    Ok(())
}

/// The numbers of the segments in a folder, rising.
pub(super) fn numbers(storage: &dyn Storage, folder: &str) -> Result<Vec<u64>, LogError> {
    let names = storage.list(folder).map_err(LogError::storage("list", folder))?;
    Ok(names.iter().filter_map(|name| segment::number(name)).collect())
}
