//! Backups of the world, made while it goes on, interrupted, gone on with, damaged, and restored from.
//!
//! The oracle is the hash that the live state had at the end of an epoch: whatever is restored to that epoch must have it again.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tidegate::data::{self, BackupError, BackupOptions, Files, Listing, Origin, StoredFile, Until};
use tidegate::log::{ChainHead, LogState};
use tidegate::snapshot::SnapshotEntry;
use tidegate::storage::{Loss, Memory, Storage};
use tidegate::store::Limits;

use crate::dice::Dice;

/// What is known of the world's past, and what an operator has of it.
#[derive(Default)]
pub struct Backups {
    medium: Memory,
    /// The state's hash at the end of an epoch, while it was live.
    hashes: BTreeMap<u64, String>,
    /// The head of the last run that came to its end.
    complete: Option<ChainHead>,
    /// The first epoch that can be restored from it, as that run said; none, once a run that keeps less was interrupted.
    from_epoch: u64,
    /// Power was lost since: what was begun may not be what was written.
    torn: bool,
}

/// A server's files, as an operator's backup reads them.
pub struct Source<'a> {
    pub files: &'a Files,
    pub log: &'a LogState,
    pub directory: [u8; 16],
    pub snapshot: Option<SnapshotEntry>,
}

/// What an operator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// The run was interrupted.
    Interrupted,
    /// It came to its end.
    Completed(ChainHead),
}

impl Backups {
    /// Everything up to an epoch is durable, and this is the state.
    pub fn note(&mut self, epoch: u64, hash: String) {
        // Before the first there is nothing to restore.
        if epoch > 0 {
            self.hashes.insert(epoch, hash);
        }
    }

    /// Runs a backup, which may be interrupted by the way or by the medium.
    pub fn run(&mut self, source: &Source<'_>, dice: &mut Dice, now_ms: i64) -> Result<Did, String> {
        let every = Duration::from_millis(*dice.one(&[0, 0, 60_000, 86_400_000]));
        let keep = dice.chance(30).then(|| Duration::from_millis(*dice.one(&[0, 1, 3_600_000])));
        let options = BackupOptions { snapshot_every: every, keep, now_ms };
        let link = Link { source, left: Cell::new(dice.below(60)), piece: dice.between(500, 9_000) as u64 };
        let fails = dice.chance(20);
        if fails {
            self.medium.crash_at(self.medium.calls() + 1 + dice.below(40));
        }
        let result = ready(data::backup(&link, &self.medium, options, &mut |_| {}));
        if keep.is_some() && matches!(result, Err(BackupError::Open(_))) {
            // It may have been published, and have cut what was kept until then; no other error comes as late.
            self.from_epoch = u64::MAX;
        }
        let torn = fails.then(|| self.medium.power_loss(Loss::Torn { seed: dice.draw() }));
        if let Some(torn) = torn {
            (self.medium, self.torn) = (torn, true);
        }
        match result {
            Ok(copied) => {
                if link.source.log.counters().1.epoch < copied.head.epoch {
                    return Err(format!("a backup through {}, which the log never reached", copied.head));
                }
                (self.complete, self.torn) = (Some(copied.head), false);
                self.from_epoch = copied.from_epoch;
                Ok(Did::Completed(copied.head))
            }
            Err(BackupError::Origin(_) | BackupError::Empty) => Ok(Did::Interrupted),
            // Without power nothing can be written. A copy that was torn by it is found, and made again.
            Err(BackupError::Open(_)) if fails => Ok(Did::Interrupted),
            Err(BackupError::Unsound { .. }) if self.torn => Ok(Did::Interrupted),
            Err(error) => Err(format!("the backup: {error}")),
        }
    }

    /// Restores to an epoch whose state is known, from the backup or from any other directory.
    ///
    /// How many times that went well.
    pub fn restore(&self, from: Option<&Memory>, dice: &mut Dice) -> Result<u64, String> {
        let source = from.unwrap_or(&self.medium);
        let Some((&epoch, hash)) = self.hashes.iter().nth(dice.below(self.hashes.len().max(1) as u64) as usize) else {
            return Ok(0);
        };
        match restored(source, Until::Epoch(epoch)) {
            Ok((head, found)) if head.epoch == epoch && found == *hash => Ok(1),
            Ok((head, found)) => Err(format!("restored to epoch {epoch}: {head} with state {found}, it was {hash}")),
            // A backup may be older than that, or have been cut.
            Err(_) if from.is_none() && !self.promises(epoch) => Ok(0),
            Err(why) => Err(format!("epoch {epoch} cannot be restored: {why}")),
        }
    }

    /// Whether the last complete run said that this epoch can be restored.
    fn promises(&self, epoch: u64) -> bool {
        self.complete.is_some_and(|head| (self.from_epoch..=head.epoch).contains(&epoch))
    }

    /// Restores everything that the last complete run holds.
    pub fn restore_all(&self) -> Result<(), String> {
        let Some(complete) = self.complete else { return Ok(()) };
        let (head, found) = restored(&self.medium, Until::End)
            .map_err(|why| format!("the backup: {why}; it holds {}", self.medium.paths().join(" ")))?;
        let known = self.hashes.get(&head.epoch);
        if head.epoch < complete.epoch || known.is_some_and(|known| *known != found) {
            return Err(format!("the backup gives {head} with state {found}; it was {complete} with {known:?}"));
        }
        Ok(())
    }

    /// A copy of the backup is damaged: it is refused, or what it gives is right.
    pub fn damage(&self, dice: &mut Dice) -> Result<bool, String> {
        let copy = self.medium.process_restart();
        let paths = copy.paths();
        if paths.is_empty() {
            return Ok(false);
        }
        let path = dice.one(&paths).clone();
        let mut bytes = copy.bytes(&path).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(false);
        }
        let at = dice.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << dice.below(8);
        copy.set_bytes(&path, bytes);
        let Ok((head, found)) = restored(&copy, Until::End) else { return Ok(true) };
        match (self.complete, self.hashes.get(&head.epoch)) {
            (Some(complete), _) if head.epoch < complete.epoch => {
                Err(format!("`{path}` of the backup damaged at {at}: only {head} is restored, without a word"))
            }
            (_, Some(known)) if *known != found => {
                Err(format!("`{path}` of the backup damaged at {at}: {head} with state {found}, it was {known}"))
            }
            _ => Ok(false),
        }
    }
}

/// The head and the state's hash of what is restored into an empty directory.
fn restored(source: &Memory, until: Until) -> Result<(ChainHead, String), String> {
    let why = |error: &dyn std::fmt::Display| error.to_string();
    let point = data::point(source, until, &mut |_| {}).map_err(|error| why(&error))?;
    let target = Memory::new();
    let lineage = point.lineage(None).map_err(|error| why(&error))?;
    data::restore(source, &target, &point, lineage, &mut |_| {}).map_err(|error| why(&error))?;
    let target: Arc<dyn Storage> = Arc::new(target);
    let (store, manifest, _) = data::inspect(&target, Limits::default(), &mut |_| {}).map_err(|error| why(&error))?;
    assert!(manifest.shape.lineage > 0, "what is restored is of another lineage");
    let books = store.books();
    if books.balance() { Ok((point.head, books.state_hash)) } else { Err(format!("{books:?}")) }
}

/// The way from the server to the backup, which breaks after some pieces.
struct Link<'a> {
    source: &'a Source<'a>,
    left: Cell<u64>,
    piece: u64,
}

fn interrupted() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the connection is lost")
}

impl Link<'_> {
    fn goes_on(&self) -> io::Result<()> {
        let left = self.left.get().checked_sub(1).ok_or_else(interrupted)?;
        self.left.set(left);
        Ok(())
    }
}

impl Origin for Link<'_> {
    type Error = io::Error;

    async fn list(&self, from_segment: u64) -> io::Result<Listing> {
        self.goes_on()?;
        let Source { files, log, directory, snapshot } = *self.source;
        let (_, head) = log.counters();
        let (snapshot, segments) = files.list(from_segment, || snapshot);
        Ok(Listing { directory, shape: files.shape(), head, snapshot, segments })
    }

    async fn read(&self, file: StoredFile, offset: u64, most: u64) -> io::Result<Option<Vec<u8>>> {
        self.goes_on()?;
        self.source.files.read(file, offset, most.min(self.piece) as usize).map_err(|_| interrupted())
    }
}

/// What a future gives that never waits.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing in it waits"),
    }
}
