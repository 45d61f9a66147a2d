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

/// A log that was read and checked, and in which nothing was changed yet.
pub struct ReadBack {
    outcome: Outcome,
    expect: Expect,
    options: LogOptions,
}

/// Reads and checks the log, for a writer to go on behind it.
pub fn read_back(
    storage: &dyn Storage,
    expect: Expect,
    options: LogOptions,
    visit: &mut Visit<'_>,
) -> Result<ReadBack, LogError> {
    options.check()?;
    let outcome = scan::read(storage, expect, visit)?;
    outcome.scanned.leaves_room()?;
    Ok(ReadBack { outcome, expect, options })
}

impl ReadBack {
    /// What was found.
    pub fn scanned(&self) -> &Scanned {
        &self.outcome.scanned
    }

    /// Makes the last epoch durable beyond doubt, and opens the log for writing behind it. The newest epoch may lack the
    /// closing block ([`LogWriter::is_open`]).
    pub fn resume(self, storage: Arc<dyn Storage>) -> Result<LogWriter, LogError> {
        let ReadBack { outcome, expect, options } = self;
        make_durable(&*storage, &outcome)?;
        remove_unfinished(&*storage)?;
        let Outcome { scanned, last, last_header, end, spares, newest_ms, index, .. } = outcome;
        let spares = keep_spares(&*storage, spares, options.segment_bytes)?;
        let next_number = scanned.highest + 1 + spares.len() as u64;
        let same = scanned.torn.is_none()
            && last_header.identity == expect.identity
            && last_header.block_bytes == options.block_bytes
            && last.len == last_header.segment_bytes;
        let current = if same {
            let (file, previous) = (last.open(&*storage)?, last_header.previous.epoch);
            Some(Current {
                number: last.number,
                file,
                len: last.len,
                position: end,
                previous,
                made_ms: last_header.made_ms,
            })
        } else {
            None
        };
        let (head, open) = (scanned.head, !scanned.closed);
        let resume = Resume { head, open, current, spares, next_number, newest_ms, index };
        // Without room the writer refuses until there is some; reading the log must not fail for a full disk.
        let (mut writer, _) = LogWriter::resume(storage, expect.identity, options, resume);
        writer.allocate_ahead();
        Ok(writer)
    }
}

/// A recovered log.
pub struct Recovered {
    /// Goes on behind the last epoch.
    pub writer: LogWriter,
    /// What was found.
    pub scanned: Scanned,
}

/// Both steps at once, for a visitor that has done its work with each epoch when it returns.
pub fn recover(
    storage: Arc<dyn Storage>,
    expect: Expect,
    options: LogOptions,
    visit: &mut Visit<'_>,
) -> Result<Recovered, LogError> {
    let read = read_back(&*storage, expect, options, visit)?;
    let scanned = read.scanned().clone();
    Ok(Recovered { writer: read.resume(storage)?, scanned })
}

/// Writes the newest epoch again (and the segment's header, if that came with it), and syncs it and the names.
fn make_durable(storage: &dyn Storage, outcome: &Outcome) -> Result<(), LogError> {
    const STEP_BYTES: u64 = 1 << 20;
    let Outcome { last, newest, end, .. } = outcome;
    let file = last.open(storage)?;
    let mut bytes = Vec::new();
    let mut at = *newest;
    while at < *end {
        bytes.resize(STEP_BYTES.min(end - at) as usize, 0);
        let read = file.read_at(at, &mut bytes).map_err(LogError::storage("read", last.path.clone()))?;
        // A file that was cut within the padding of its last block is whole enough.
        if read == 0 {
            break;
        }
        file.write_at(at, &bytes[..read]).map_err(LogError::storage("write", last.path.clone()))?;
        at += read as u64;
    }
    file.sync_all().map_err(LogError::storage("sync", last.path.clone()))?;
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
    spares.iter().map(|spare| Ok(Spare { number: spare.number, file: spare.open(storage)?, len: spare.len })).collect()
}
