//! `tidegate backup DIR`: a copy of a running server's data, made and brought up to date without stopping it.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;
use tidegate_client::{Answer, Client};
use tidegate_protocol::Body;
use tidegate_protocol::files::{ListFiles, READ_BYTES_MOST, ReadFile, kind};

use super::connect::{Connection, Failure, patient, refused};
use super::offline::Bar;
use super::{show, time};
use crate::data::{self, BackupOptions, Copied, Listing, Origin, StoredFile};
use crate::log::{ChainHead, ListedSegment};
use crate::snapshot::SnapshotEntry;
use crate::storage::Disk;
use crate::store::{HashKeys, Shape};

/// Copy a running server's data into a folder, or bring such a copy up to date.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate backup backup                     # the first time everything, then what is new; run it again and again
  tidegate backup backup --keep 30d          # any instant of the last 30 days can be restored
  tidegate verify backup                     # whether all of it is what was written
  tidegate restore backup data --until 2026-11-20T10:00:00+08:00

A run that was interrupted is gone on with by the next. Print the head of the chain and keep it elsewhere: with
`tidegate verify backup --head EPOCH:HASH` nobody can have changed the past before it without being found.

A backup holds everything that the server knows, and the secret keys of its hashes: guard it like the server.

Exit codes: 0 everything through the head shown is in the backup, checked; 1 it is not, and the reason is named; 2 wrong usage.")]
pub struct Backup {
    /// The folder: a backup made before, or one that does not exist or is empty.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Copy a snapshot if the newest in the backup is this much older: 90s, 10m, 1h, 1d. In between the log is enough.
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = time::duration)]
    snapshot_every: Duration,
    /// Drop what is not needed to restore any instant of this last span: 30d. Without it nothing is dropped.
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    keep: Option<Duration>,
    /// Copy no more than this in a second, so that the server's clients keep their share.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    mib_per_second: u32,
    #[command(flatten)]
    connection: Connection,
}

/// What was copied.
#[derive(Debug, Serialize)]
struct Done {
    directory: String,
    /// The head that everything is there through, as `verify --head` takes it.
    head: String,
    lineage: u16,
    copied_bytes: u64,
    segments: u64,
    snapshot: Option<String>,
    snapshots: usize,
    /// Since when any epoch can be restored.
    from_epoch: u64,
    dropped: u64,
    took_ms: u64,
}

impl Backup {
    /// Copies and prints.
    pub fn run(self) -> ExitCode {
        self.connection.run(async |client| self.copy(client).await, Done::text)
    }

    async fn copy(&self, client: &Client) -> Result<Done, Failure> {
        let began = Instant::now();
        let shown = self.directory.display().to_string();
        let input = |why: String| Failure::Input(format!("{shown}: {why}"));
        may_be_a_backup(&self.directory).map_err(input)?;
        let target = Disk::open(&self.directory).map_err(|error| input(error.to_string()))?;
        let bar = Bar::new();
        let bytes_per_second = f64::from(self.mib_per_second) * 1_048_576.0;
        let origin = Server { client, bytes_per_second, due: Cell::new(began) };
        let options =
            BackupOptions { snapshot_every: self.snapshot_every, keep: self.keep, now_ms: client.server_ms() };
        let copied = data::backup(&origin, &target, options, &mut |progress| bar.show(progress)).await;
        let copied = copied.map_err(|error| match error {
            data::BackupError::Origin(failure) => failure,
            error => input(error.to_string()),
        })?;
        Ok(Done::new(shown, &copied, began.elapsed()))
    }
}

/// Refuses a folder with other things in it, before anything is made there. What a first run leaves that ended before its manifest is none.
fn may_be_a_backup(directory: &Path) -> Result<(), String> {
    if directory.join("MANIFEST").is_file() {
        return Ok(());
    }
    let is_ours = |entry: std::fs::DirEntry| {
        let is_empty = std::fs::read_dir(entry.path()).is_ok_and(|mut entries| entries.next().is_none());
        let name = entry.file_name();
        name == "LOCK"
            || name == "MANIFEST.new"
            || is_empty && ["log", "archive", "snapshots"].iter().any(|&of| name == of)
    };
    match std::fs::read_dir(directory).map(|mut entries| entries.all(|entry| entry.is_ok_and(is_ours))) {
        Ok(true) => Ok(()),
        Ok(false) => Err("it is no backup, and not empty; give a backup, or a folder that does not exist yet".into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// A running server, as the origin of a backup.
struct Server<'a> {
    client: &'a Client,
    bytes_per_second: f64,
    /// When the next piece may be asked for.
    due: Cell<Instant>,
}

impl Server<'_> {
    /// Waits until so many bytes more may be read. A pause is not made up for.
    async fn keep_pace(&self, bytes: u64) {
        let due = self.due.get().max(Instant::now());
        self.due.set(due + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second));
        tokio::time::sleep_until(due.into()).await;
    }
}

impl Origin for Server<'_> {
    type Error = Failure;

    async fn list(&self, from_segment: u64) -> Result<Listing, Failure> {
        let answer = self.client.list_files(ListFiles { from_segment }, patient()).await?;
        let Answer { body: Body::FilesView(view), .. } = answer else { return refused(answer) };
        let keys = HashKeys { short: view.key_short, long: view.key_long };
        let lineage = u16::try_from(view.lineage);
        let lineage = lineage.map_err(|_| Failure::Input(format!("the server states lineage {}", view.lineage)))?;
        let snapshot = view.snapshots.as_slice().first().map(|file| SnapshotEntry {
            first_epoch: file.first_epoch,
            last_epoch: file.last_epoch,
            bytes: file.bytes,
            members: file.members,
            taken_ms: file.taken_ms,
            hash: file.hash,
        });
        let segments = view.segments.as_slice().iter().map(|file| ListedSegment {
            number: file.number,
            bytes: file.bytes,
            used_bytes: file.used_bytes,
            previous_epoch: file.previous_epoch,
        });
        Ok(Listing {
            directory: view.directory,
            shape: Shape { shards: view.shards, keys, lineage },
            head: ChainHead { epoch: view.head_epoch, hash: view.head_hash },
            snapshot,
            segments: segments.collect(),
        })
    }

    async fn read(&self, file: StoredFile, offset: u64, most: u64) -> Result<Option<Vec<u8>>, Failure> {
        let (kind, number) = match file {
            StoredFile::Snapshot(number) => (kind::SNAPSHOT, number),
            StoredFile::Segment(number) => (kind::SEGMENT, number),
        };
        let bytes = most.min(u64::from(READ_BYTES_MOST)) as u32;
        self.keep_pace(u64::from(bytes)).await;
        let answer = self.client.read_file(ReadFile { kind, number, offset, bytes }, patient()).await?;
        match answer.body {
            Body::FileBytes(piece) => Ok(Some(piece.bytes.as_slice().to_vec())),
            _ if answer.code == tidegate_protocol::code::answer::NO_SUCH_FILE => Ok(None),
            _ => refused(answer),
        }
    }
}

impl Done {
    fn new(directory: String, copied: &Copied, took: Duration) -> Done {
        Done {
            directory,
            head: copied.head.to_string(),
            lineage: copied.manifest.shape.lineage,
            copied_bytes: copied.bytes,
            segments: copied.segments,
            snapshot: copied.snapshot.map(|entry| entry.path()),
            snapshots: copied.manifest.snapshots.len(),
            from_epoch: copied.from_epoch,
            dropped: copied.dropped,
            took_ms: took.as_millis() as u64,
        }
    }

    fn text(&self) -> String {
        let snapshot = self.snapshot.as_ref().map_or(String::new(), |path| format!(", {path}"));
        let dropped = if self.dropped > 0 { format!("{} old files dropped\n", self.dropped) } else { String::new() };
        format!(
            "{}: {} bytes copied in {} ms: {} segments of the log{snapshot}\n{dropped}any epoch from {} on can be restored\nhead of the chain: {}\n",
            self.directory,
            show::count(self.copied_bytes),
            show::count(self.took_ms),
            show::count(self.segments),
            show::count(self.from_epoch),
            self.head,
        )
    }
}
