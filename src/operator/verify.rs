//! `tidegate verify DIR`: whether a data directory or a backup would be recovered, exactly, and whether its books balance.
//!
//! Reads the whole chain, the archive too, and holds it against a head that was kept elsewhere. Recovers in memory from each
//! snapshot that the manifest names, and from the log alone where it is whole, and holds the results against each other: every
//! checksum, every record. Changes nothing. What can be said of a server that runs is `online`'s.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::connect::Connection;
use super::offline::{self, Bar, OfflineError};
use super::online;
use super::show::{self, Table};
use crate::data::{self, OpenError, Progress, Recovery};
use crate::log::{self, ChainHead, Expect, LogError, LogIdentity, Reach};
use crate::snapshot::{DirectoryKind, Manifest};
use crate::storage::Storage;
use crate::store::{Books, Limits, ProgrammeBooks};

/// Check a data directory or a backup from its first byte to its last, or the files of a running server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate verify data && echo sound                 # no server on it; nothing is changed
  tidegate verify backup --head 4711:9f86d081…       # the past up to epoch 4711 is the one that this head was told for
  tidegate verify --online                           # the files and the books of the server that runs

A head of the chain stands for everything before it. `tidegate status` and `tidegate backup` print it: kept elsewhere, it finds whoever
changes the past and all checksums with it.

Exit codes: 0 everything is there and balances (a torn tail, which a crash leaves and nobody was told of, is reported);
1 the fault is named; 2 wrong usage. While a server runs on the directory, only --online goes.")]
pub struct Verify {
    /// The data directory or backup.
    #[arg(value_name = "DIR", required_unless_present = "online", conflicts_with = "online")]
    directory: Option<PathBuf>,
    /// Have a running server check its files, one after the other, and its books.
    #[arg(long)]
    online: bool,
    /// A head of the chain that was told before: the log must reach it, and have its hash there.
    #[arg(long, value_name = "EPOCH:HASH")]
    head: Option<ChainHead>,
    #[command(flatten)]
    connection: Connection,
}

/// What one way of recovering came to.
#[derive(Debug, Serialize)]
struct Recovered {
    /// The snapshot's file, or `the log alone`.
    from: String,
    epochs: u64,
    records: u64,
    log_bytes: u64,
    last_epoch: u64,
    state_hash: String,
}

/// What is known of the directory.
#[derive(Debug, Serialize)]
struct Verified {
    directory: String,
    id: String,
    lineage: u16,
    shards: u32,
    chain: Chain,
    recovered: Vec<Recovered>,
    /// Whether a closing block proves the newest epoch.
    closed: bool,
    torn_tail: Option<Torn>,
    programmes: Vec<ProgrammeBooks>,
    faults: Vec<String>,
}

/// The log, read from its oldest segment to its end, the archive included.
#[derive(Debug, Default, Serialize)]
struct Chain {
    /// The first epoch that is there, and the segment that it is in.
    from_epoch: u64,
    first_segment: u64,
    epochs: u64,
    bytes: u64,
    head: String,
    /// The head asked for, if it was found.
    confirmed: Option<String>,
}

#[derive(Debug, Serialize)]
struct Torn {
    file: String,
    offset: u64,
    bytes: u64,
    reason: String,
}

#[derive(Serialize)]
struct Refused {
    error: String,
}

impl Verify {
    /// Checks and prints.
    pub fn run(self) -> ExitCode {
        let Some(directory) = &self.directory else { return online::verify(&self.connection, self.head) };
        let json = self.connection.json;
        match verify(directory, self.head) {
            Ok(verified) => {
                if json {
                    show::say_json(&verified);
                } else {
                    show::say(&verified.text());
                }
                if verified.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
            }
            Err(error) => {
                if json {
                    show::say_json(&Refused { error: error.to_string() });
                } else {
                    eprintln!("error: {error}");
                }
                ExitCode::from(1)
            }
        }
    }
}

fn verify(directory: &Path, head: Option<ChainHead>) -> Result<Verified, OfflineError> {
    let (storage, manifest) = offline::open(directory)?;
    if manifest.kind == DirectoryKind::Backup && manifest.head.is_none() {
        return Err(OfflineError::Incomplete);
    }
    let bar = Bar::new();
    let mut verified = Verified {
        directory: directory.display().to_string(),
        id: show::hex(&manifest.directory),
        lineage: manifest.shape.lineage,
        shards: manifest.shape.shards,
        chain: chain(&*storage, &manifest, head, &mut |progress| bar.show(progress))?,
        recovered: Vec::new(),
        closed: false,
        torn_tail: None,
        programmes: Vec::new(),
        faults: Vec::new(),
    };
    let numbers = log::numbers(&*storage, log::LOG_FOLDER).map_err(OpenError::from)?;
    let log_is_whole = verified.chain.from_epoch == 1 && numbers.first() == Some(&verified.chain.first_segment);
    for way in ways(&manifest, log_is_whole) {
        let from = way.snapshots.first().map_or("the log alone".to_owned(), |entry| entry.path());
        match data::inspect_from(&storage, &way, Limits::default(), &mut |progress| bar.show(progress)) {
            Ok((store, recovery)) if recovery.passed_over.is_empty() => verified.note(from, recovery, store.books()),
            // The log alone can stand in for a first snapshot; that file is a fault all the same.
            Ok((_, recovery)) => verified.faults.extend(recovery.passed_over),
            Err(OpenError::Snapshot(error)) => verified.faults.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(verified)
}

/// Reads the whole chain. With a head that was told before it must be this one; it was told of a past that may since have been restored, so that
/// its epoch must stand in the log, and not only be below its end.
fn chain(
    storage: &dyn Storage,
    manifest: &Manifest,
    head: Option<ChainHead>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Chain, OfflineError> {
    let identity = LogIdentity { directory: manifest.directory, lineage: u32::from(manifest.shape.lineage) };
    let begins = log::begins(storage, identity).map_err(OpenError::from)?;
    let before = begins.first().map_or(0, |segment| segment.previous_epoch);
    if let Some(head) = head.filter(|head| head.epoch < before) {
        return Err(OpenError::from(LogError::EpochsMissing { needed: head.epoch, first: before }).into());
    }
    let known = head.or(manifest.head);
    let expect = Expect { identity, from_epoch: Expect::OLDEST, known, reach: Reach::Archived };
    let scanned = log::scan(storage, expect, &mut |epoch| {
        progress(Progress { stage: "chain", done_bytes: epoch.done_bytes, total_bytes: epoch.total_bytes });
        Ok(())
    });
    let scanned = scanned.map_err(OpenError::from)?;
    let confirmed = head.map(|head| head.to_string());
    let (epochs, bytes, head) = (scanned.epochs, scanned.bytes, scanned.head.to_string());
    let first_segment = begins.first().map_or(0, |segment| segment.number);
    Ok(Chain { from_epoch: before + 1, first_segment, epochs, bytes, head, confirmed })
}

/// The manifest with each of its snapshots alone; and without any, if the log in use is whole.
fn ways(manifest: &Manifest, log_is_whole: bool) -> Vec<Manifest> {
    let with = |snapshots| Manifest { snapshots, ..manifest.clone() };
    let mut ways: Vec<Manifest> = manifest.snapshots.iter().map(|entry| with(vec![*entry])).collect();
    if ways.is_empty() || log_is_whole {
        ways.push(with(Vec::new()));
    }
    ways
}

impl Verified {
    fn note(&mut self, from: String, recovery: Recovery, books: Books) {
        if let Some(first) = self.recovered.first() {
            if first.state_hash != books.state_hash {
                self.faults.push(format!(
                    "{from} with its log gives the state {}, {} gives {}: one of them is not what was written",
                    books.state_hash, first.from, first.state_hash
                ));
            }
        } else {
            let unbalanced = books.programmes.iter().flat_map(|books| books.faults.iter().map(move |it| (books, it)));
            self.faults.extend(unbalanced.map(|(books, fault)| format!("programme {}: {fault}", books.programme)));
            self.programmes = books.programmes;
            self.closed = recovery.closed;
            self.torn_tail = recovery.torn.map(|torn| Torn {
                file: torn.file,
                offset: torn.offset,
                bytes: torn.bytes,
                reason: torn.reason,
            });
        }
        self.recovered.push(Recovered {
            from,
            epochs: recovery.epochs,
            records: recovery.records,
            log_bytes: recovery.log_bytes,
            last_epoch: recovery.last_epoch,
            state_hash: books.state_hash,
        });
    }

    fn text(&self) -> String {
        let mut ways = Table::headed(["recovered from", "epochs", "records", "log bytes", "last epoch", "state"]);
        for way in &self.recovered {
            let figures = [way.epochs, way.records, way.log_bytes, way.last_epoch].map(show::count);
            let [epochs, records, bytes, last] = figures;
            ways.row([way.from.clone(), epochs, records, bytes, last, format!("{}…", &way.state_hash[..16])]);
        }
        let mut books = Table::headed([
            "programme",
            "members",
            "issued",
            "spent",
            "expired",
            "pending",
            "live",
            "granted",
            "balances",
        ]);
        for programme in &self.programmes {
            let ProgrammeBooks { issued, spent, expired, pending, live, .. } = *programme;
            let [issued, spent, expired, pending, live] = [issued, spent, expired, pending, live].map(show::count);
            let balances = if programme.faults.is_empty() { "yes" } else { "NO" };
            let (members, granted) = (show::count(programme.members), show::count(programme.granted));
            let name = programme.programme.clone();
            books.row([name, members, issued, spent, expired, pending, live, granted, balances.into()]);
        }
        let end = match &self.torn_tail {
            Some(torn) => format!(
                "The log ends in a torn tail: {} bytes at byte {} of {} ({}). Nothing in it was acknowledged; the next start cuts it.\n",
                torn.bytes, torn.offset, torn.file, torn.reason
            ),
            None if self.closed => "The log ends with a closing block: its newest epoch was durable.\n".into(),
            None => "The log ends clean, without a closing block: the server was killed.\n".into(),
        };
        let verdict = match self.faults.as_slice() {
            [] => "Sound.\n".to_owned(),
            faults => faults.iter().map(|fault| format!("FAULT: {fault}\n")).collect(),
        };
        let Chain { from_epoch, epochs, bytes, head, confirmed, .. } = &self.chain;
        let [from_epoch, epochs, bytes] = [*from_epoch, *epochs, *bytes].map(show::count);
        let confirmed = confirmed
            .as_ref()
            .map_or(String::new(), |head| format!("The past up to {head} is the one that was told.\n"));
        let chain = format!("chain: {epochs} epochs from {from_epoch} on, {bytes} bytes, head {head}\n{confirmed}");
        let shape = format!("data directory {}, lineage {}, {} shards", self.id, self.lineage, self.shards);
        let books = if books.is_empty() { String::new() } else { format!("\n{books}") };
        format!("{}: {shape}\n{chain}{ways}{books}\n{end}{verdict}", self.directory)
    }
}
