//! `tidegate restore BACKUP DIR`: a data directory from a backup, as it was at an epoch or an instant.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;

use super::offline::{self, Bar, OfflineError};
use super::show::{self, Table};
use super::time;
use crate::data::{self, OpenError, Point, RestoreError, Until};
use crate::storage::{Disk, Storage};
use crate::store::{Books, Limits};

/// Make a data directory from a backup, as it was at the end of an epoch or at an instant.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate restore backup data                                        # everything the backup holds
  tidegate restore backup data --until 2026-11-20T10:03:00+08:00      # before a mistake
  tidegate restore backup data --until 4711 --dry-run                 # what epoch 4711 was

BACKUP is a backup, or the data directory of a server that is stopped; it is only read. Whole epochs are restored: with an
instant the last one before the first that holds a later change. The lineage is raised, so that gateways see that the past has
changed; what was answered after that point is gone. Afterwards: tidegate serve --data DIR.

Exit codes: 0 it is restored and its books balance; 1 the reason is named: DIR is no data directory then, or its books do not balance;
2 wrong usage.")]
pub struct Restore {
    /// The backup.
    #[arg(value_name = "BACKUP")]
    source: PathBuf,
    /// The data directory to make: it must not exist, or be empty.
    #[arg(value_name = "DIR")]
    target: PathBuf,
    /// The last epoch, as a number, or the last instant, with its offset: 2026-11-20T10:00:00+08:00.
    #[arg(long, value_name = "EPOCH|TIME", value_parser = until)]
    until: Option<Until>,
    /// The lineage of what is restored. Give the one of the server that it replaces and one more, if that is above the backup's.
    #[arg(long, value_name = "N")]
    lineage: Option<u16>,
    /// Only say what would be restored.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

fn until(text: &str) -> Result<Until, String> {
    if let Ok(epoch) = text.parse() {
        return Ok(Until::Epoch(epoch));
    }
    time::instant_ms(text).map(Until::Instant).map_err(|why| format!("{why}; or write the number of an epoch"))
}

/// Why nothing is restored.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Offline(#[from] OfflineError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error("{0} is not empty: nothing is restored over what is there; give a directory that does not exist yet")]
    NotEmpty(String),
    #[error("{0} cannot be looked into: {1}")]
    Target(String, std::io::Error),
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        RestoreError::from(error).into()
    }
}

/// What was restored, or would be.
#[derive(Debug, Serialize)]
struct Restored {
    source: String,
    target: String,
    dry_run: bool,
    epoch: u64,
    newest: String,
    head: String,
    /// Whether the backup goes on behind it.
    more: bool,
    snapshots: Vec<String>,
    passed_over: Vec<String>,
    #[serde(flatten)]
    made: Option<Made>,
}

/// What stands in the new directory.
#[derive(Debug, Serialize)]
struct Made {
    lineage: u16,
    epochs: u64,
    records: u64,
    books: Books,
}

#[derive(Serialize)]
struct Refused {
    error: String,
}

impl Restore {
    /// Restores and prints.
    pub fn run(self) -> ExitCode {
        match self.restore() {
            Ok(restored) => {
                if self.json {
                    show::say_json(&restored)
                } else {
                    show::say(&restored.text())
                }
                let balanced = restored.made.as_ref().is_none_or(|made| made.books.balance());
                if balanced { ExitCode::SUCCESS } else { ExitCode::from(1) }
            }
            Err(error) => {
                let error = error.to_string();
                if self.json {
                    show::say_json(&Refused { error })
                } else {
                    eprintln!("error: {error}")
                }
                ExitCode::from(1)
            }
        }
    }

    fn restore(&self) -> Result<Restored, Failure> {
        is_empty(&self.target)?;
        let (source, _) = offline::open(&self.source)?;
        let bar = Bar::new();
        let mut progress = |progress| bar.show(progress);
        let point = data::point(&*source, self.until.unwrap_or(Until::End), &mut progress)?;
        let mut restored = Restored {
            source: self.source.display().to_string(),
            target: self.target.display().to_string(),
            dry_run: self.dry_run,
            epoch: point.head.epoch,
            newest: show::instant(point.newest_ms),
            head: point.head.to_string(),
            more: point.next_epoch.is_some(),
            snapshots: point.snapshots.iter().map(|entry| entry.path()).collect(),
            passed_over: point.passed_over.clone(),
            made: None,
        };
        // Whatever is wrong with the wish is said before anything is made.
        let lineage = point.lineage(self.lineage)?;
        if !self.dry_run {
            let disk = Disk::open(&self.target).map_err(OfflineError::from)?;
            restored.made = Some(make(&*source, disk, &point, lineage, &mut progress)?);
        }
        Ok(restored)
    }
}

/// Copies, then recovers what was copied, as a server would.
fn make(
    source: &dyn Storage,
    target: Disk,
    point: &Point,
    lineage: u16,
    progress: &mut dyn FnMut(data::Progress),
) -> Result<Made, Failure> {
    let manifest = data::restore(source, &target, point, lineage, progress)?;
    let target: Arc<dyn Storage> = Arc::new(target);
    let recovered = data::inspect(&target, Limits::default(), progress);
    // What cannot be recovered is no data directory.
    let (store, _, recovery) = recovered.inspect_err(|_| drop(target.remove("MANIFEST")))?;
    let (epochs, records) = (recovery.epochs, recovery.records);
    Ok(Made { lineage: manifest.shape.lineage, epochs, records, books: store.books() })
}

/// Refuses a directory with anything in it, before anything is made there.
fn is_empty(target: &Path) -> Result<(), Failure> {
    let shown = || target.display().to_string();
    let is_lock = |entry: std::io::Result<std::fs::DirEntry>| entry.is_ok_and(|entry| entry.file_name() == "LOCK");
    match std::fs::read_dir(target) {
        Ok(mut entries) => {
            if entries.all(is_lock) {
                Ok(())
            } else {
                Err(Failure::NotEmpty(shown()))
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::Target(shown(), error)),
    }
}

impl Restored {
    fn text(&self) -> String {
        let mut table = Table::default();
        table.pair("through epoch", show::count(self.epoch));
        table.pair("newest change", self.newest.clone());
        table.pair("goes on behind it", if self.more { "yes" } else { "no" });
        table.pair("head of the chain", self.head.clone());
        table.pair("from", if self.snapshots.is_empty() { "the log alone".into() } else { self.snapshots.join(", ") });
        let passed: String = self.passed_over.iter().map(|why| format!("passed over: {why}\n")).collect();
        let Some(made) = &self.made else {
            return format!("{} would give:\n{table}{passed}", self.source);
        };
        table.pair("lineage", made.lineage.to_string());
        table.pair("records replayed", show::count(made.records));
        table.pair("state", made.books.state_hash.clone());
        let faults = made.books.programmes.iter().flat_map(|books| books.faults.iter().map(move |it| (books, it)));
        let faults: String =
            faults.map(|(books, fault)| format!("FAULT: programme {}: {fault}\n", books.programme)).collect();
        let verdict = if faults.is_empty() { "The books balance.\n" } else { "" };
        format!("{} is restored from {}:\n{table}{passed}{faults}{verdict}", self.target, self.source)
    }
}
