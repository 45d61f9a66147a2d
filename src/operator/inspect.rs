//! `tidegate inspect DIR`: what stands in a data directory's files, for a person to look at. Changes nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::offline::{self, OfflineError};
use super::show::{self, Table};
use crate::data::OpenError;
use crate::engine::{PlaceId, read_record};
use crate::log::{self, Expect, LogIdentity, Reach, SegmentSummary, Tail};
use crate::snapshot::Manifest;
use crate::storage::Storage;

/// Show the segments and snapshots of a data directory, or the records of one epoch.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate inspect data
  tidegate inspect data --epoch 4711          # every record of that epoch, decoded
  tidegate inspect data --json | jq '.segments[] | select(.broken)'

inspect reads each file by itself and goes on past damage; whether the whole is sound, `tidegate verify` says.")]
pub struct Inspect {
    /// The data directory.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Print the tails and records of this epoch.
    #[arg(long, value_name = "N")]
    epoch: Option<u64>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

/// A snapshot that the manifest names.
#[derive(Debug, Serialize)]
struct SnapshotShown {
    path: String,
    first_epoch: u64,
    last_epoch: u64,
    members: u64,
    bytes: u64,
    taken: String,
    blake3: String,
}

#[derive(Debug, Serialize)]
struct Overview {
    directory: String,
    id: String,
    lineage: u16,
    shards: u32,
    snapshots: Vec<SnapshotShown>,
    segments: Vec<SegmentSummary>,
}

/// One epoch, decoded as far as it can be.
#[derive(Debug, Serialize)]
struct EpochShown {
    epoch: u64,
    hash: String,
    tails: Vec<TailShown>,
    /// What is wrong with the log behind this epoch, if reading on failed.
    behind: Option<String>,
}

#[derive(Debug, Serialize)]
struct TailShown {
    place: String,
    first_sequence: u64,
    base: String,
    bytes: usize,
    records: Vec<String>,
}

#[derive(Serialize)]
struct Refused {
    error: String,
}

impl Inspect {
    /// Reads and prints.
    pub fn run(self) -> ExitCode {
        let shown = offline::open(&self.directory).and_then(|(storage, manifest)| match self.epoch {
            None => self.overview(&*storage, &manifest),
            Some(epoch) => self.epoch(&*storage, &manifest, epoch),
        });
        match shown {
            Ok(code) => code,
            Err(error) if self.json => {
                show::say_json(&Refused { error: error.to_string() });
                ExitCode::from(1)
            }
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(1)
            }
        }
    }

    fn overview(&self, storage: &dyn Storage, manifest: &Manifest) -> Result<ExitCode, OfflineError> {
        let snapshots = manifest.snapshots.iter().map(|entry| SnapshotShown {
            path: entry.path(),
            first_epoch: entry.first_epoch,
            last_epoch: entry.last_epoch,
            members: entry.members,
            bytes: entry.bytes,
            taken: show::instant(entry.taken_ms),
            blake3: show::hex(&entry.hash),
        });
        let overview = Overview {
            directory: self.directory.display().to_string(),
            id: show::hex(&manifest.directory),
            lineage: manifest.shape.lineage,
            shards: manifest.shape.shards,
            snapshots: snapshots.collect(),
            segments: log::summaries(storage).map_err(OpenError::from)?,
        };
        if self.json {
            show::say_json(&overview)
        } else {
            show::say(&overview.text())
        }
        Ok(ExitCode::SUCCESS)
    }

    fn epoch(&self, storage: &dyn Storage, manifest: &Manifest, epoch: u64) -> Result<ExitCode, OfflineError> {
        let identity = LogIdentity { directory: manifest.directory, lineage: u32::from(manifest.shape.lineage) };
        let mut found = None;
        let scanned = log::scan(
            storage,
            Expect { identity, from_epoch: epoch, known: None, reach: Reach::Archived },
            &mut |read| {
                if read.epoch == epoch {
                    let tails = read.tails.map(|tail| TailShown::new(&tail)).collect();
                    found = Some(EpochShown { epoch, hash: show::hex(&read.hash), tails, behind: None });
                }
                Ok(())
            },
        );
        let Some(mut shown) = found else {
            let last = scanned.map_err(OpenError::from)?.head.epoch;
            let sentence = if epoch > last {
                format!("there is no epoch {epoch}: the log ends with epoch {last}")
            } else {
                format!("nothing changed in epoch {epoch}: an empty epoch is not written")
            };
            if self.json {
                show::say_json(&Refused { error: sentence })
            } else {
                eprintln!("{sentence}")
            }
            return Ok(ExitCode::from(1));
        };
        shown.behind = scanned.err().map(|error| error.to_string());
        if self.json {
            show::say_json(&shown)
        } else {
            show::say(&shown.text())
        }
        Ok(if shown.behind.is_none() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

impl TailShown {
    fn new(tail: &Tail<'_>) -> TailShown {
        let place = PlaceId::from_u32(tail.place.0);
        let records = if place == Some(PlaceId::PROGRAMMES) { activations(tail) } else { records(tail) };
        TailShown {
            place: place.map_or_else(|| format!("unknown place {:08x}", tail.place.0), |place| place.to_string()),
            first_sequence: tail.first_sequence,
            base: show::instant(tail.base_ms),
            bytes: tail.records.len(),
            records,
        }
    }
}

/// Each record decoded; ends with the first that is none.
fn records(tail: &Tail<'_>) -> Vec<String> {
    let mut records = Vec::new();
    let mut rest = tail.records;
    while !rest.is_empty() {
        match read_record(rest, tail.base_ms) {
            Ok((record, used)) => {
                records.push(format!("{record:?}"));
                rest = &rest[used..];
            }
            Err(error) => {
                records.push(format!("{} bytes that are no record: {error}", rest.len()));
                break;
            }
        }
    }
    records
}

/// Activations carry whole bundles: their numbers and sizes say enough.
fn activations(tail: &Tail<'_>) -> Vec<String> {
    crate::store::activations(tail.records)
        .map(|read| match read {
            Ok(record) => format!(
                "Activation {{ programme: {}, version: {}, now_ms: {}, files: {:?} }}",
                record.programme,
                record.version,
                record.now_ms,
                record
                    .files
                    .as_slice()
                    .iter()
                    .map(|file| format!("{} ({} bytes)", file.name, file.contents.as_str().len()))
                    .collect::<Vec<_>>()
            ),
            Err(why) => format!("no activation: {why}"),
        })
        .collect()
}

impl Overview {
    fn text(&self) -> String {
        let mut snapshots = Table::headed(["snapshot", "first epoch", "last epoch", "members", "bytes", "taken"]);
        for it in &self.snapshots {
            let [first, last, members, bytes] = [it.first_epoch, it.last_epoch, it.members, it.bytes].map(show::count);
            snapshots.row([it.path.clone(), first, last, members, bytes, it.taken.clone()]);
        }
        let names = ["segment", "first epoch", "last epoch", "epochs", "blocks", "closing", "used", "bytes"];
        let mut segments = Table::headed(names);
        let optional = |epoch: Option<u64>| epoch.map_or("-".to_owned(), show::count);
        for it in &self.segments {
            let path = if it.spare { format!("{} (spare)", it.path) } else { it.path.clone() };
            let [epochs, blocks, closing, used, bytes] =
                [it.epochs, it.blocks, it.closing_blocks, it.used_bytes, it.bytes].map(show::count);
            let (first, last) = (optional(it.first_epoch), optional(it.last_epoch));
            segments.row([path, first, last, epochs, blocks, closing, used, bytes]);
        }
        let broken = self.segments.iter().filter_map(|it| {
            let (at, why) = it.broken.as_ref()?;
            Some(format!(
                "{}: from byte {at} on no whole block stands: {why}. At the log's end a crash leaves that, and recovery \
                 cuts it; anywhere else it is damage. `tidegate verify` tells them apart.\n",
                it.path
            ))
        });
        let broken: String = broken.collect();
        let snapshots = if snapshots.is_empty() { "  no snapshot yet\n".to_owned() } else { snapshots.to_string() };
        let Overview { directory, id, lineage, shards, .. } = self;
        format!(
            "{directory}: data directory {id}, lineage {lineage}, {shards} shards\n\n{snapshots}\n{segments}{broken}"
        )
    }
}

impl EpochShown {
    fn text(&self) -> String {
        let mut text = format!("epoch {}, hash {}\n", self.epoch, self.hash);
        for tail in &self.tails {
            let TailShown { place, first_sequence, base, bytes, records } = tail;
            let count = records.len();
            text +=
                &format!("\n{place}: {count} records, {bytes} bytes, from sequence {first_sequence}, base {base}\n");
            let numbered = records.iter().zip(*first_sequence..);
            text.extend(numbered.map(|(record, sequence)| format!("  {sequence}: {record}\n")));
        }
        if let Some(behind) = &self.behind {
            text += &format!("\nBehind this epoch the log cannot be read on: {behind}\n");
        }
        text
    }
}
