//! `tidegate verify DIR`: whether a data directory would be recovered, exactly, and whether its books balance.
//!
//! Recovers in memory from each snapshot that the manifest names, and holds the results against each other: every
//! checksum, the chain of hashes, every record. Changes nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::offline::{self, Bar, OfflineError};
use super::show::{self, Table};
use crate::data::{self, OpenError, Recovery};
use crate::snapshot::Manifest;
use crate::store::{Books, Limits, ProgrammeBooks};

/// Check a data directory from its first byte to its last, without a server and without changing it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tidegate verify data && echo sound

Exit codes: 0 everything is there and balances (a torn tail, which a crash leaves and nobody was told of, is reported);
1 the fault is named; 2 wrong usage. While a server runs on the directory, verify refuses; ask `tidegate status --books`.")]
pub struct Verify {
    /// The data directory.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
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
    recovered: Vec<Recovered>,
    /// Whether a closing block proves the newest epoch.
    closed: bool,
    torn_tail: Option<Torn>,
    programmes: Vec<ProgrammeBooks>,
    faults: Vec<String>,
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
        match self.verify() {
            Ok(verified) => {
                if self.json {
                    show::say_json(&verified);
                } else {
                    show::say(&verified.text());
                }
                if verified.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
            }
            Err(error) => {
                if self.json {
                    show::say_json(&Refused { error: error.to_string() });
                } else {
                    eprintln!("error: {error}");
                }
                ExitCode::from(1)
            }
        }
    }

    fn verify(&self) -> Result<Verified, OfflineError> {
        let (storage, manifest) = offline::open(&self.directory)?;
        let mut verified = Verified {
            directory: self.directory.display().to_string(),
            id: show::hex(&manifest.directory),
            lineage: manifest.shape.lineage,
            shards: manifest.shape.shards,
            recovered: Vec::new(),
            closed: false,
            torn_tail: None,
            programmes: Vec::new(),
            faults: Vec::new(),
        };
        let bar = Bar::new();
        for way in ways(&manifest) {
            let from = way.snapshots.first().map_or("the log alone".to_owned(), |entry| entry.path());
            match data::inspect_from(&storage, &way, Limits::default(), &mut |progress| bar.show(progress)) {
                Ok((store, recovery)) if recovery.passed_over.is_empty() => {
                    verified.note(from, recovery, store.books())
                }
                // The log alone can stand in for a first snapshot; that file is a fault all the same.
                Ok((_, recovery)) => verified.faults.extend(recovery.passed_over),
                Err(OpenError::Snapshot(error)) => verified.faults.push(error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(verified)
    }
}

/// The manifest with each of its snapshots alone; as it is, if it names none.
fn ways(manifest: &Manifest) -> Vec<Manifest> {
    let with = |snapshots| Manifest { snapshots, ..manifest.clone() };
    let ways: Vec<Manifest> = manifest.snapshots.iter().map(|entry| with(vec![*entry])).collect();
    if ways.is_empty() { vec![with(Vec::new())] } else { ways }
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
        let mut books = Table::headed(["programme", "members", "issued", "spent", "live", "granted", "balances"]);
        for programme in &self.programmes {
            let figures = [programme.issued, programme.spent, programme.live].map(show::count);
            let [issued, spent, live] = figures;
            let balances = if programme.faults.is_empty() { "yes" } else { "NO" };
            let (members, granted) = (show::count(programme.members), show::count(programme.granted));
            books.row([programme.programme.clone(), members, issued, spent, live, granted, balances.into()]);
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
        let shape = format!("data directory {}, lineage {}, {} shards", self.id, self.lineage, self.shards);
        let books = if books.is_empty() { String::new() } else { format!("\n{books}") };
        format!("{}: {shape}\n{ways}{books}\n{end}{verdict}", self.directory)
    }
}
