//! `tidegate inspect DIR`: what stands in a data directory's files, for a person to look at. Changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::offline::{self, OfflineError};
use super::show::{self, Table};
use crate::data::OpenError;
use crate::engine::{PlaceId, read_record};
use crate::log::{self, BlockSummary, Expect, LogIdentity, Reach, SegmentSummary, Tail};
use crate::snapshot::{Manifest, SnapshotEntry, SnapshotReader};
use crate::storage::Storage;

/// Show the segments and snapshots of a data directory or a backup, the blocks of one segment, or the records of one epoch.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate inspect data
  tidegate inspect data --epoch 4711          # every record of that epoch, decoded
  tidegate inspect data --segment 12          # its blocks, and what stands behind the last whole one
  tidegate inspect data --snapshot 4700       # what is in it, up to the first damage
  tidegate inspect data --json | jq '.segments[] | select(.broken)'

inspect reads each file by itself and goes on past damage; whether the whole is sound, `tidegate verify` says.")]
pub struct Inspect {
    /// The data directory.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Print the tails and records of this epoch.
    #[arg(long, value_name = "N")]
    epoch: Option<u64>,
    /// Print the blocks of this segment.
    #[arg(long, value_name = "N", conflicts_with = "epoch")]
    segment: Option<u64>,
    /// Print what is in the snapshot with this first epoch.
    #[arg(long, value_name = "N", conflicts_with_all = ["epoch", "segment"])]
    snapshot: Option<u64>,
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

#[derive(Debug, Serialize)]
struct SegmentShown {
    #[serde(flatten)]
    segment: SegmentSummary,
    blocks_read: Vec<BlockSummary>,
}

/// Sections of one kind.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Sections {
    count: u64,
    bytes: u64,
}

/// A snapshot, read up to its end or its first damage.
#[derive(Debug, Serialize)]
struct SectionsShown {
    path: String,
    first_epoch: u64,
    last_epoch: u64,
    bytes: u64,
    sections: BTreeMap<String, Sections>,
    broken: Option<String>,
}

#[derive(Serialize)]
struct Refused {
    error: String,
}

impl Inspect {
    /// Reads and prints.
    pub fn run(self) -> ExitCode {
        let shown = offline::open(&self.directory).and_then(|(storage, manifest)| {
            match (self.epoch, self.segment, self.snapshot) {
                (Some(epoch), ..) => self.epoch(&*storage, &manifest, epoch),
                (_, Some(number), _) => self.segment(&*storage, number),
                (.., Some(first_epoch)) => self.snapshot(&*storage, &manifest, first_epoch),
                _ => self.overview(&*storage, &manifest),
            }
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

    fn refuse(&self, error: String) -> ExitCode {
        if self.json {
            show::say_json(&Refused { error })
        } else {
            eprintln!("{error}")
        }
        ExitCode::from(1)
    }

    fn segment(&self, storage: &dyn Storage, number: u64) -> Result<ExitCode, OfflineError> {
        let Some((segment, blocks)) = log::blocks(storage, number).map_err(OpenError::from)? else {
            return Ok(self.refuse(format!("there is no segment {number} in log/ or archive/")));
        };
        let broken = segment.broken.is_some();
        let shown = SegmentShown { segment, blocks_read: blocks };
        if self.json {
            show::say_json(&shown)
        } else {
            show::say(&shown.text())
        }
        Ok(if broken { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    fn snapshot(&self, storage: &dyn Storage, manifest: &Manifest, first_epoch: u64) -> Result<ExitCode, OfflineError> {
        let Some(entry) = manifest.snapshots.iter().find(|entry| entry.first_epoch == first_epoch) else {
            let known: Vec<String> = manifest.snapshots.iter().map(|entry| entry.first_epoch.to_string()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Ok(self.refuse(format!("the manifest names no snapshot {first_epoch}; it names {known}")));
        };
        let shown = SectionsShown::read(storage, entry);
        if self.json {
            show::say_json(&shown)
        } else {
            show::say(&shown.text())
        }
        Ok(if shown.broken.is_some() { ExitCode::from(1) } else { ExitCode::SUCCESS })
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
            return Ok(self.refuse(sentence));
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
            Some(explain(&it.path, *at, why))
        });
        let broken: String = broken.collect();
        let snapshots = if snapshots.is_empty() { "  no snapshot yet\n".to_owned() } else { snapshots.to_string() };
        let Overview { directory, id, lineage, shards, .. } = self;
        format!(
            "{directory}: data directory {id}, lineage {lineage}, {shards} shards\n\n{snapshots}\n{segments}{broken}"
        )
    }
}

/// What to say of a place where no whole block stands.
fn explain(path: &str, at: u64, why: &str) -> String {
    format!(
        "{path}: from byte {at} on no whole block stands: {why}. At the log's end a crash leaves that, and recovery \
         cuts it; anywhere else it is damage. `tidegate verify` tells them apart.\n"
    )
}

impl SegmentShown {
    fn text(&self) -> String {
        let mut table = Table::headed(["byte", "block", "epoch", "behind epoch", "piece", "body"]);
        for block in &self.blocks_read {
            let kind = if block.closing { "closing" } else { "epoch" };
            let piece = format!("{} of {}", block.piece + 1, block.pieces);
            let [offset, epoch, previous] = [block.offset, block.epoch, block.previous_epoch].map(show::count);
            table.row([offset, kind.into(), epoch, previous, piece, show::count(block.body_bytes)]);
        }
        let SegmentSummary { path, lineage, made_ms, spare, broken, used_bytes, bytes, .. } = &self.segment;
        let made = show::instant(*made_ms);
        let [used, bytes] = [*used_bytes, *bytes].map(show::count);
        let head = if *spare {
            format!("{path}: a spare of {bytes} bytes, not begun\n")
        } else {
            format!("{path}: lineage {lineage}, begun {made}, {used} of {bytes} bytes used\n")
        };
        let broken = broken.as_ref().map_or(String::new(), |(at, why)| explain(path, *at, why));
        format!("{head}{table}{broken}")
    }
}

impl SectionsShown {
    fn read(storage: &dyn Storage, entry: &SnapshotEntry) -> SectionsShown {
        let mut sections = BTreeMap::new();
        let mut read = || {
            let mut reader = SnapshotReader::open(storage, &entry.path())?;
            while let Some(section) = reader.next_section()? {
                let sections: &mut Sections = sections.entry(format!("{:?}", section.kind)).or_default();
                sections.count += 1;
                sections.bytes += section.body.len() as u64;
            }
            reader.is_the_one(entry)
        };
        let broken = read().err().map(|error| error.to_string());
        let SnapshotEntry { first_epoch, last_epoch, bytes, .. } = *entry;
        SectionsShown { path: entry.path(), first_epoch, last_epoch, bytes, sections, broken }
    }

    fn text(&self) -> String {
        let mut table = Table::headed(["section", "count", "bytes"]);
        for (kind, Sections { count, bytes }) in &self.sections {
            table.row([kind.clone(), show::count(*count), show::count(*bytes)]);
        }
        let SectionsShown { path, first_epoch, last_epoch, bytes, .. } = self;
        let broken =
            self.broken.as_ref().map_or("every byte is what was written\n".to_owned(), |why| format!("FAULT: {why}\n"));
        format!("{path}: {} bytes, epochs {first_epoch} to {last_epoch}\n{table}{broken}", show::count(*bytes))
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
