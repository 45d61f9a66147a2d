//! What can be said of the files of a server that runs: it reads them itself, one after the other, and its books.
//!
//! Each file is read by itself; that each segment goes on exactly where the one before ended is compared here. The state in memory is compared with
//! itself only (its books): whether the files give that state is for `verify` of a backup, or of the directory of a server that is stopped.

use std::process::ExitCode;

use serde::Serialize;
use tidegate_client::{Answer, Client};
use tidegate_protocol::Body;
use tidegate_protocol::files::{CheckFile, FileChecked, FilesView, ListFiles, kind};

use super::connect::{Connection, Failure, most_patient, patient, refused, tell};
use super::offline::Bar;
use super::show;
use super::status;
use crate::data::Progress;
use crate::log::ChainHead;

/// What was found.
#[derive(Debug, Serialize)]
struct Found {
    files: u64,
    bytes: u64,
    epochs: u64,
    from_epoch: u64,
    head: String,
    confirmed: Option<String>,
    state_hash: String,
    faults: Vec<String>,
}

/// Has a server check its files and its books.
pub(super) fn verify(connection: &Connection, head: Option<ChainHead>) -> ExitCode {
    let json = connection.json;
    let found = connection.ask(async |client| check(client, head).await);
    match found {
        Ok(found) => {
            if json {
                show::say_json(&found)
            } else {
                show::say(&found.text())
            }
            if found.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(failure) => tell(json, &failure),
    }
}

async fn check(client: &Client, head: Option<ChainHead>) -> Result<Found, Failure> {
    let bar = Bar::new();
    let view = list(client, 0).await?;
    let mut walk = Walk::new(client, head);
    let snapshots = view.snapshots.as_slice().iter().map(|file| (kind::SNAPSHOT, file.first_epoch, file.bytes));
    let segments = view.segments.as_slice().iter().map(|file| (kind::SEGMENT, file.number, file.used_bytes));
    let files: Vec<(u8, u64, u64)> = snapshots.chain(segments).collect();
    let total_bytes = files.iter().map(|(.., bytes)| bytes).sum();
    let mut done_bytes = 0;
    for (of_kind, number, bytes) in files {
        walk.check(of_kind, number).await?;
        done_bytes += bytes;
        bar.show(Progress { stage: "files", done_bytes, total_bytes });
    }
    let mut found = walk.ends(&view);
    let books = status::named(client, true).await?;
    found.state_hash = books.facts.get("state_hash").cloned().unwrap_or_default();
    found.faults.extend(books.facts.iter().filter(|(name, _)| name.starts_with("fault_")).map(|(_, why)| why.clone()));
    Ok(found)
}

async fn list(client: &Client, from_segment: u64) -> Result<FilesView, Failure> {
    let answer = client.list_files(ListFiles { from_segment }, patient()).await?;
    match answer {
        Answer { body: Body::FilesView(view), .. } => Ok(view),
        answer => refused(answer),
    }
}

/// Goes from file to file.
struct Walk<'a> {
    client: &'a Client,
    known: Option<ChainHead>,
    end: Option<ChainHead>,
    /// What stands behind the last whole block of the segment before.
    torn: String,
    found: Found,
}

impl Walk<'_> {
    fn new(client: &Client, known: Option<ChainHead>) -> Walk<'_> {
        let found = Found {
            files: 0,
            bytes: 0,
            epochs: 0,
            from_epoch: 0,
            head: String::new(),
            confirmed: None,
            state_hash: String::new(),
            faults: Vec::new(),
        };
        Walk { client, known, end: None, torn: String::new(), found }
    }

    async fn check(&mut self, of_kind: u8, number: u64) -> Result<(), Failure> {
        let known = self.known.unwrap_or_default();
        let body = CheckFile { kind: of_kind, number, known_epoch: known.epoch, known_hash: known.hash };
        let answer = self.client.check_file(body, most_patient(self.client)).await?;
        self.found.files += 1;
        match answer.body {
            Body::FileChecked(checked) => {
                self.found.bytes += checked.bytes;
                if of_kind == kind::SEGMENT {
                    self.segment(number, &checked);
                }
                Ok(())
            }
            Body::Because(because) if answer.code == tidegate_protocol::code::answer::FILE_DAMAGED => {
                self.found.faults.push(because.sentence.as_str().to_owned());
                // Nothing is known of where the next one must go on.
                self.end = None;
                Ok(())
            }
            _ => refused(answer),
        }
    }

    fn segment(&mut self, number: u64, checked: &FileChecked) {
        let previous = ChainHead { epoch: checked.previous_epoch, hash: checked.previous_hash };
        match self.end {
            Some(end) if end != previous => self.found.faults.push(format!(
                "segment {number} goes on from {previous}, the one before it ends with {end}: epochs between are lost, or the past was edited. {}",
                self.torn
            )),
            _ => {}
        }
        if self.found.from_epoch == 0 {
            self.found.from_epoch = previous.epoch + 1;
        }
        if let Some(known) = self.known.filter(|known| previous.epoch <= known.epoch && known.epoch <= checked.epoch) {
            self.found.confirmed = Some(known.to_string());
        }
        self.found.epochs += checked.epochs;
        self.torn = checked.torn.as_str().to_owned();
        self.end = Some(ChainHead { epoch: checked.epoch, hash: checked.hash });
    }

    /// The log must reach the head that the server has in memory, and the one that was asked for.
    fn ends(self, view: &FilesView) -> Found {
        let Walk { known, end, mut found, .. } = self;
        found.head = end.map_or_else(String::new, |end| end.to_string());
        if end.is_some_and(|end| end.epoch < view.head_epoch) {
            found
                .faults
                .push(format!("the files end with {}, the server has written epoch {}", found.head, view.head_epoch));
        }
        if let Some(known) = known.filter(|_| found.confirmed.is_none() && found.faults.is_empty()) {
            let from = found.from_epoch;
            found.faults.push(format!("{known} is not in the log, which holds epochs from {from} on: {}", found.head));
        }
        found
    }
}

impl Found {
    fn text(&self) -> String {
        let [files, bytes, epochs, from] = [self.files, self.bytes, self.epochs, self.from_epoch].map(show::count);
        let confirmed = self.confirmed.as_ref();
        let confirmed =
            confirmed.map_or(String::new(), |head| format!("The past up to {head} is the one that was told.\n"));
        let verdict = match self.faults.as_slice() {
            [] => "Sound, and the books balance.\n".to_owned(),
            faults => faults.iter().map(|fault| format!("FAULT: {fault}\n")).collect(),
        };
        format!(
            "{files} files, {bytes} bytes; {epochs} epochs from {from} on, head {}\n{confirmed}state {}\n{verdict}",
            self.head, self.state_hash
        )
    }
}
