//! A node: one open data directory at work, with its flusher and its housekeeping, apart from any network.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tidegate_protocol::operator::{PublishQuestion, QuestionPublished};
use tokio::sync::oneshot;

use super::clock::Clock;
use crate::data::{Files, Opened, Recovery};
use crate::log::{Durability, LogError, LogState};
use crate::programme::Bundle;
use crate::snapshot::{Pace, SnapshotEntry, SnapshotError, Snapshotter};
use crate::store::{Activated, ActivationError, Later, PublishError, Store};

/// When snapshots are taken by themselves.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotPolicy {
    /// So long after the one before, if anything changed.
    pub every: Duration,
    /// Or after so many bytes of log.
    pub log_bytes: u64,
}

impl Default for SnapshotPolicy {
    fn default() -> SnapshotPolicy {
        SnapshotPolicy { every: Duration::from_secs(600), log_bytes: 2 << 30 }
    }
}

/// A snapshot that was taken, and how long it took.
pub type Taken = Result<(SnapshotEntry, Duration), SnapshotError>;

enum Errand {
    Snapshot(oneshot::Sender<Taken>),
    Stop,
}

/// Store, log and housekeeping, running.
pub struct Node {
    /// The state.
    pub store: Arc<Store>,
    /// The log.
    pub log: Arc<LogState>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What opening found.
    pub recovery: Recovery,
    /// Its files, for those who copy them.
    pub files: Arc<Files>,
    /// The data directory's identity.
    pub directory: [u8; 16],
    /// When the node started.
    pub started: Instant,
    /// What callers may rely on.
    pub durability: Durability,
    undurable_bytes_most: u64,
    draining: AtomicBool,
    hurry: Arc<AtomicBool>,
    disk_full: Arc<AtomicBool>,
    clock_step_ms: Arc<AtomicI64>,
    snapshots: Arc<Snapshots>,
    errands: mpsc::Sender<Errand>,
    threads: Mutex<Threads>,
}

/// What is known of snapshots.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// Taken since the start.
    pub taken: AtomicU64,
    /// Failed since the start.
    pub failed: AtomicU64,
    /// Bytes written of the one under way.
    pub under_way_bytes: AtomicU64,
    /// Times that one rested, so that requests could go first, since the start.
    pub rests: AtomicU64,
    /// The newest.
    pub newest: Mutex<Option<SnapshotEntry>>,
}

struct Threads {
    flusher: Option<JoinHandle<Result<(), LogError>>>,
    housekeeping: Option<JoinHandle<()>>,
}

impl Node {
    /// Sets an open directory to work.
    pub fn start(
        opened: Opened,
        clock: Arc<dyn Clock>,
        policy: SnapshotPolicy,
        undurable_bytes_most: u64,
    ) -> std::io::Result<Arc<Node>> {
        let Opened { store, flusher, snapshotter, files, recovery, durability } = opened;
        // Or one slow sync under load would end in an epoch that fits nowhere.
        assert!(
            undurable_bytes_most + undurable_bytes_most / 4 <= flusher.max_epoch_bytes(),
            "what may wait, {undurable_bytes_most} bytes and a turn more, must fit one epoch"
        );
        let segment_bytes = flusher.segment_bytes();
        let log = flusher.state();
        let (errands, inbox) = mpsc::channel();
        let directory = snapshotter.manifest().directory;
        let newest = snapshotter.manifest().snapshots.first().copied();
        let snapshots = Arc::new(Snapshots { newest: Mutex::new(newest), ..Snapshots::default() });
        let clock_step_ms = Arc::new(AtomicI64::new(0));
        let disk_full = Arc::new(AtomicBool::new(snapshotter.free_bytes() < segment_bytes));
        let hurry = Arc::new(AtomicBool::new(false));
        let housekeeping = Housekeeping {
            hurry: Arc::clone(&hurry),
            store: Arc::clone(&store),
            log: Arc::clone(&log),
            clock: Arc::clone(&clock),
            clock_step_ms: Arc::clone(&clock_step_ms),
            disk_full: Arc::clone(&disk_full),
            segment_bytes,
            snapshots: Arc::clone(&snapshots),
            snapshotter,
            files: Arc::clone(&files),
            policy,
        };
        let flusher = std::thread::Builder::new().name("flusher".into()).spawn(move || {
            go_first();
            flusher.run()
        })?;
        let housekeeping =
            std::thread::Builder::new().name("housekeeping".into()).spawn(move || housekeeping.run(&inbox))?;
        Ok(Arc::new(Node {
            store,
            log,
            clock,
            recovery,
            files,
            directory,
            started: Instant::now(),
            durability,
            undurable_bytes_most,
            draining: AtomicBool::new(false),
            hurry,
            disk_full,
            clock_step_ms,
            snapshots,
            errands,
            threads: Mutex::new(Threads { flusher: Some(flusher), housekeeping: Some(housekeeping) }),
        }))
    }

    /// Why changes are refused now, if they are.
    pub fn later(&self) -> Option<Later> {
        if self.is_draining() {
            return Some(Later::Draining);
        }
        // What is decided must fit; what is decided while this frame runs is bounded too.
        if self.log.room() >= self.store.undurable_bytes() + self.undurable_bytes_most {
            return None;
        }
        // With room on the disk the next segment is only not ready yet.
        Some(if self.disk_full.load(Ordering::Relaxed) { Later::StorageFull } else { Later::Busy })
    }

    /// Puts a programme's version in force. Waits a moment for what is due to be written down; not for a thread that serves.
    pub fn activate(&self, bundle: Bundle, replaces: u32, dry_run: bool) -> Result<Activated, ActivationError> {
        for _ in 0..BEHIND_TRIES {
            match self.store.activate(bundle.clone(), replaces, dry_run, self.clock.now_ms()) {
                Err(ActivationError::Behind) => {
                    self.log.doorbell.ring();
                    std::thread::sleep(BEHIND_PAUSE);
                }
                Err(error) => return Err(error),
                Ok(activated) => {
                    self.log.doorbell.ring();
                    return Ok(activated);
                }
            }
        }
        Err(ActivationError::Behind)
    }

    /// Publishes a question of a quiz.
    pub fn publish_question(&self, body: &PublishQuestion) -> Result<(QuestionPublished, u64), PublishError> {
        let published = self.store.publish_question(body, self.clock.now_ms());
        self.log.doorbell.ring();
        published
    }

    /// Refuses changes from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether changes are refused because the server is going.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// The step of the wall clock that is not followed, milliseconds; 0 if there was none.
    pub fn clock_step_ms(&self) -> i64 {
        self.clock_step_ms.load(Ordering::Relaxed)
    }

    /// What is known of snapshots.
    pub fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Asks for a snapshot; the answer comes when it is published, or failed, or the node stopped.
    pub fn take_snapshot(&self) -> oneshot::Receiver<Taken> {
        let (reply, answer) = oneshot::channel();
        // If housekeeping is gone the sender is dropped, and the receiver told so.
        let _ = self.errands.send(Errand::Snapshot(reply));
        answer
    }

    /// Snapshots are taken at full speed from now on, whoever has to wait: the node is about to go.
    pub fn hurry(&self) {
        self.hurry.store(true, Ordering::Release);
    }

    /// Ends housekeeping, makes everything durable, writes the closing block. The log's error, if it failed.
    pub fn stop(&self) -> Result<(), LogError> {
        self.hurry();
        let _ = self.errands.send(Errand::Stop);
        let mut threads = self.threads.lock();
        if let Some(thread) = threads.housekeeping.take() {
            thread.join().expect("housekeeping does not panic");
        }
        self.log.stop();
        match threads.flusher.take() {
            Some(thread) => thread.join().expect("the flusher does not panic"),
            None => Ok(()),
        }
    }
}

/// Lets this thread go before the others, where the process has the right to. Everybody waits for the flusher, and it needs a processor for
/// a small part of the time; the threads that decide run on for as long as they can.
fn go_first() {
    const NICE: i32 = -10;
    // Linux takes it for the thread that asks, not for the process.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::info!(%error, "no right to let the flusher go first (CAP_SYS_NICE, or a limit of nice of {NICE}); it waits for its turn");
    }
}

struct Housekeeping {
    hurry: Arc<AtomicBool>,
    store: Arc<Store>,
    log: Arc<LogState>,
    clock: Arc<dyn Clock>,
    clock_step_ms: Arc<AtomicI64>,
    disk_full: Arc<AtomicBool>,
    segment_bytes: u64,
    snapshots: Arc<Snapshots>,
    snapshotter: Snapshotter,
    files: Arc<Files>,
    policy: SnapshotPolicy,
}

/// How often, and after which pause, an activation is tried again that waits for what is due to be written down.
const BEHIND_TRIES: u32 = 200;
const BEHIND_PAUSE: Duration = Duration::from_millis(10);
/// How often it looks at the clock and the disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Members swept in one go; and how much longer than it took the sweep rests, so that requests go first.
const SWEEP_AT_ONCE: usize = 1_024;
const SWEEP_RESTS: u32 = 3;
/// How often what time makes needless is cleared away.
const MAINTAIN_EVERY: Duration = Duration::from_secs(60);

impl Housekeeping {
    fn run(mut self, inbox: &mpsc::Receiver<Errand>) {
        let (mut maintained, mut cleared, mut taken) = (Instant::now(), Instant::now(), Instant::now());
        let (mut looked, mut wait) = (Instant::now(), LOOK_EVERY);
        let mut log_bytes = self.log.counters().0.bytes;
        loop {
            match inbox.recv_timeout(wait.min(LOOK_EVERY.saturating_sub(looked.elapsed()))) {
                Ok(Errand::Snapshot(reply)) => {
                    let result = self.snapshot();
                    (taken, log_bytes) = (Instant::now(), self.log.counters().0.bytes);
                    let _ = reply.send(result);
                }
                Ok(Errand::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            wait = self.sweep();
            if looked.elapsed() < LOOK_EVERY {
                continue;
            }
            self.look();
            looked = Instant::now();
            // Clearing away is a change too, and finds no room on a full disk.
            if maintained.elapsed() >= MAINTAIN_EVERY && !self.disk_full.load(Ordering::Relaxed) {
                self.store.maintain(self.clock.now_ms());
                self.log.doorbell.ring();
                maintained = Instant::now();
            }
            if cleared.elapsed() >= MAINTAIN_EVERY {
                self.drop_archived();
                cleared = Instant::now();
            }
            let grown = self.log.counters().0.bytes - log_bytes;
            if grown > 0 && (grown >= self.policy.log_bytes || taken.elapsed() >= self.policy.every) {
                if let Err(error) = self.snapshot() {
                    tracing::error!(%error, "the snapshot failed; the one before stands");
                }
                (taken, log_bytes) = (Instant::now(), self.log.counters().0.bytes);
            }
        }
    }

    /// Writes down what time did to some of those it is due for; gives how long to rest before the next.
    fn sweep(&self) -> Duration {
        // An entry is a change too, and finds no room on a full disk.
        if self.disk_full.load(Ordering::Relaxed) {
            return LOOK_EVERY;
        }
        let started = Instant::now();
        let swept = self.store.sweep(self.clock.now_ms(), SWEEP_AT_ONCE);
        if swept == 0 {
            return LOOK_EVERY;
        }
        self.log.doorbell.ring();
        started.elapsed() * SWEEP_RESTS
    }

    /// What must be known at every second, also while a snapshot takes its time.
    fn look(&self) {
        self.discipline();
        self.disk_full.store(self.snapshotter.free_bytes() < self.segment_bytes, Ordering::Relaxed);
    }

    fn discipline(&self) {
        let step_ms = self.clock.discipline();
        if self.clock_step_ms.swap(step_ms, Ordering::Relaxed) == 0 && step_ms != 0 {
            tracing::warn!(step_ms, "the wall clock stepped; server time does not follow, restart to follow it");
        }
    }

    fn snapshot(&mut self) -> Taken {
        let started = Instant::now();
        let result = self.write_and_publish();
        self.snapshots.under_way_bytes.store(0, Ordering::Relaxed);
        match result {
            Ok(entry) => {
                self.snapshots.taken.fetch_add(1, Ordering::Relaxed);
                *self.snapshots.newest.lock() = Some(entry);
                tracing::info!(members = entry.members, bytes = entry.bytes, "snapshot published");
                Ok((entry, started.elapsed()))
            }
            Err(error) => {
                self.snapshots.failed.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    fn write_and_publish(&mut self) -> Result<SnapshotEntry, SnapshotError> {
        let log_bytes = || self.log.counters().0.bytes;
        let (mut pace, mut looked) = (Pace::new(Instant::now(), log_bytes()), Instant::now());
        let written = self.snapshotter.write(self.clock.now_ms(), |bytes| {
            self.snapshots.under_way_bytes.store(bytes, Ordering::Relaxed);
            if let Some(rest) = pace.rest(Instant::now(), log_bytes())
                && !self.hurry.load(Ordering::Acquire)
            {
                self.snapshots.rests.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(rest);
                pace.rested(Instant::now());
            }
            if looked.elapsed() >= LOOK_EVERY {
                self.look();
                looked = Instant::now();
            }
        })?;
        let entry = written.entry;
        let failed = |_| SnapshotError::LogFailed(entry.last_epoch);
        self.log.watermark.wait(entry.last_epoch).map_err(failed)?;
        let copied = self.files.copied().unwrap_or_default();
        let (durable, head) = (self.log.watermark.durable(), self.log.counters().1);
        let needed = self.snapshotter.publish(written, durable, head, &copied)?;
        match self.log.pages.archive_before(needed) {
            Ok(0) => {}
            Ok(segments) => tracing::info!(segments, "segments of the log went into the archive"),
            Err(error) => {
                tracing::warn!(%error, "segments of the log could not be archived; the next snapshot tries again")
            }
        }
        self.drop_archived();
        Ok(entry)
    }

    fn drop_archived(&self) {
        // Where the disk is full, nobody's copy counts more than the changes that are refused.
        let are_copied = self.files.copied().is_some() && !self.disk_full.load(Ordering::Relaxed);
        match self.log.pages.drop_archived(self.clock.now_ms(), are_copied) {
            Ok(0) => {}
            Ok(segments) => tracing::info!(segments, "the archive's oldest segments were dropped"),
            Err(error) => tracing::warn!(%error, "the archive could not be cut; it will be tried again"),
        }
    }
}
