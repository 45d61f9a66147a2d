//! From a log on the disk to a writer behind it.
//!
//! What was read may stand in the page cache only: the process before may have been killed between a write and its sync, or because a sync failed,
//! after which the kernel calls lost pages clean. So the newest epoch, the only one that can be in doubt, is written again in place, byte by
//! byte the same, and synced, before anything is told of it.
//!
//! A writer goes on in the same segment only if nothing but zeros stands behind the last block. Behind a torn tail it begins the next
//! segment, whose header names the last whole epoch and its hash: that makes the torn bytes harmless for every later recovery (case C of
//! [`scan`](super::scan)), without touching them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::scan::{self, Outcome};
use super::spares::Spare;
use super::survey::Segment;
use super::writer::{Current, Resume};
use super::{Expect, LOG_FOLDER, LogError, LogOptions, LogWriter, Scanned, Visit, segment};
use crate::storage::Storage;

/// A recovered log.
pub struct Recovered {
    /// Goes on behind the last epoch. Its newest epoch may lack the closing block ([`LogWriter::is_open`]).
    pub writer: LogWriter,
    /// What was found.
    pub scanned: Scanned,
}

/// Reads and checks the log, makes its last epoch durable beyond doubt, and opens it for writing behind it.
pub fn recover(
    storage: Arc<dyn Storage>,
    expect: Expect,
    options: LogOptions,
    visit: &mut Visit<'_>,
) -> Result<Recovered, LogError> {
    options.check()?;
    let outcome = scan::read(&*storage, expect, visit)?;
    make_durable(&*storage, &outcome)?;
    remove_unfinished(&*storage)?;
    let Outcome { scanned, last, last_header, end, spares, highest, index, .. } = outcome;
    let spares = keep_spares(&*storage, spares, options.segment_bytes)?;
    let next_number = highest + 1 + spares.len() as u64;
    let same = scanned.torn.is_none()
        && last_header.identity == expect.identity
        && last_header.block_bytes == options.block_bytes
        && last.len == last_header.segment_bytes;
    let current = same.then(|| Current {
        number: last.number,
        file: last.file,
        len: last.len,
        position: end,
        previous: last_header.previous.epoch,
    });
    let resume = Resume { head: scanned.head, open: !scanned.closed, current, spares, next_number, index };
    // Without room the writer refuses until there is some; reading the log must not fail for a full disk.
    let (mut writer, _) = LogWriter::resume(storage, expect.identity, options, resume);
    writer.allocate_ahead();
    Ok(Recovered { writer, scanned })
}

/// Writes the newest epoch again (and the segment's header, if that came with it), and syncs it and the names.
fn make_durable(storage: &dyn Storage, outcome: &Outcome) -> Result<(), LogError> {
    const STEP_BYTES: u64 = 1 << 20;
    let Outcome { last, newest, end, .. } = outcome;
    let mut bytes = Vec::new();
    let mut at = *newest;
    while at < *end {
        bytes.resize(STEP_BYTES.min(end - at) as usize, 0);
        let read = last.file.read_at(at, &mut bytes).map_err(LogError::storage("read", last.path.clone()))?;
        // A file that was cut within the padding of its last block is whole enough.
        if read == 0 {
            break;
        }
        last.file.write_at(at, &bytes[..read]).map_err(LogError::storage("write", last.path.clone()))?;
        at += read as u64;
    }
    last.file.sync_all().map_err(LogError::storage("sync", last.path.clone()))?;
    storage.sync_dir(LOG_FOLDER).map_err(LogError::storage("sync", LOG_FOLDER))
}

/// Segments whose allocation was interrupted.
fn remove_unfinished(storage: &dyn Storage) -> Result<(), LogError> {
    for name in storage.list(LOG_FOLDER).map_err(LogError::storage("list", LOG_FOLDER))? {
        if name.ends_with(".new") {
            let path = format!("{LOG_FOLDER}/{name}");
            storage.remove(&path).map_err(LogError::storage("remove", path))?;
        }
    }
    Ok(())
}

/// Spares of the right length are used; from the first other one on they are removed, from the newest down, so that there is never a gap.
fn keep_spares(storage: &dyn Storage, mut spares: Vec<Segment>, len: u64) -> Result<VecDeque<Spare>, LogError> {
    let good = spares.iter().take_while(|spare| spare.len == len).count();
    for spare in spares.drain(good..).rev() {
        storage.remove(&segment::path(spare.number)).map_err(LogError::storage("remove", spare.path))?;
        storage.sync_dir(LOG_FOLDER).map_err(LogError::storage("sync", LOG_FOLDER))?;
    }
    Ok(spares.into_iter().map(|Segment { number, file, len, .. }| Spare { number, file, len }).collect())
}
