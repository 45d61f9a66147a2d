//! `tidegate serve`: recovers a data directory and serves it until it is told to go.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::time;
use crate::data::{self, Options, Progress, Recovery, Seed};
use crate::log::{Durability, LogOptions, Retention};
use crate::programme::Bundle;
use crate::server::clock::{Clock, SystemClock};
use crate::server::{Endpoint, Listener, Node, Processor, SnapshotPolicy, http, identity};
use crate::snapshot::Manifest;
use crate::storage::{Disk, Storage};
use crate::store::{ActivationError, Later, Limits};

/// Serve a data directory over QUIC.
///
/// A directory that does not exist is made. One that exists is recovered first: the newest snapshot, then the log; whoever
/// connects meanwhile is told how far that is. On SIGTERM or Ctrl-C the server takes a snapshot (a second signal does without),
/// refuses changes with `draining`, answers what it decided and ends with 0. On SIGHUP it reads its certificates again.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  tidegate certs certs
  tidegate serve --data data --certs certs --programme programmes/monthly-exchange
  tidegate serve --data data --certs certs --listen 0.0.0.0:4433 --snapshot-every 5m --processor 0

Exit codes: 0 after draining; 1 if it cannot start, or the log failed (a restart recovers); 2 for wrong usage.")]
pub struct Serve {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The certificates, as `tidegate certs` makes them.
    #[arg(long, value_name = "DIR", default_value = "certs")]
    certs: PathBuf,
    /// Where to listen for QUIC; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4433")]
    listen: SocketAddr,
    /// Where to serve /healthz, /readyz and /metrics; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4480")]
    http: SocketAddr,
    /// Programme bundles to put in force at the start, where they differ from what is in force; may be repeated.
    #[arg(long, value_name = "DIR")]
    programme: Vec<PathBuf>,
    /// Write the addresses here as JSON once the server is ready.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// Answers remembered for retries, over all members; 72 bytes each.
    #[arg(long, value_name = "N", default_value_t = Limits::default().answers)]
    remember_answers: u64,
    /// Members the server may hold.
    #[arg(long, value_name = "N", default_value_t = Limits::default().members)]
    max_members: u64,
    /// Orders the server may remember; one that can be claimed, or whose points wait for a receipt, counts twice.
    #[arg(long, value_name = "N", default_value_t = Limits::default().orders)]
    max_orders: u64,
    /// Shards of a new data directory, a power of two; one that exists keeps its own.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = power_of_two)]
    shards: u32,
    /// Take a snapshot this long after the one before, if anything changed: 90s, 10m, 1h.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time::duration)]
    snapshot_every: Duration,
    /// Take a snapshot after this much log.
    #[arg(long, value_name = "BYTES", default_value_t = SnapshotPolicy::default().log_bytes)]
    snapshot_log_bytes: u64,
    /// Keep at most this much of the older log in the archive.
    #[arg(long, value_name = "BYTES", default_value_t = LogOptions::default().retention.bytes)]
    archive_bytes: u64,
    /// Keep the older log no longer than this: 90s, 10m, 1h, 30d. However long, unless told otherwise.
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    archive_for: Option<Duration>,
    /// What an answer promises: `fsync`, that it is durable; `interval=50ms`, that a crash takes back no more than was answered
    /// within 50 ms. Such answers say so.
    #[arg(long, value_name = "PROMISE", default_value = "fsync", value_parser = durability)]
    durability: Durability,
    /// Go on although the clock is behind the newest record; time stands still until the clock has caught up.
    #[arg(long)]
    accept_clock: bool,
    /// The processor that the thread which decides has to itself, counted from 0: the server's other threads keep off it. For a
    /// machine with two processors or more that serves nothing else there; requests then wait less behind each other.
    #[arg(long, value_name = "N")]
    processor: Option<Processor>,
    /// Log lines as JSON.
    #[arg(long)]
    log_json: bool,
}

fn power_of_two(text: &str) -> Result<u32, String> {
    let shards: u32 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    let right = shards.is_power_of_two() && shards <= 65_536;
    right.then_some(shards).ok_or_else(|| format!("{shards} is no power of two up to 65536; 64 suits most machines"))
}

/// The longest interval: what is not durable must fit into memory in any case.
const INTERVAL_MS_MOST: u64 = 10_000;

fn durability(text: &str) -> Result<Durability, String> {
    let wrong =
        || format!("`{text}` is no promise; write fsync, or interval=TIME from 1ms to 10s, for example interval=50ms");
    if text == "fsync" {
        return Ok(Durability::Fsync);
    }
    let time = text.strip_prefix("interval=").ok_or_else(wrong)?;
    let ms = match time.strip_suffix("ms") {
        Some(ms) => ms.parse::<u64>().ok(),
        None => time.strip_suffix('s').and_then(|s| s.parse::<u64>().ok()).and_then(|s| s.checked_mul(1000)),
    };
    let ms = ms.filter(|ms| (1..=INTERVAL_MS_MOST).contains(ms)).ok_or_else(wrong)?;
    Ok(Durability::Interval(Duration::from_millis(ms)))
}

/// How far the clock may be behind the newest record without an operator's word.
const CLOCK_BEHIND_MS_MOST: i64 = 1_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Serve {
    /// Runs until told to go.
    pub fn run(self) -> ExitCode {
        self.log_lines();
        match self.serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("tidegate serve: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn log_lines(&self) {
        let filter = tracing_subscriber::EnvFilter::try_from_default_env();
        let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,quinn=warn,quinn_proto=warn"));
        let colour = std::io::stderr().is_terminal();
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
        // A second server in one process keeps the first one's lines.
        let _ = if self.log_json { lines.json().try_init() } else { lines.with_target(false).try_init() };
    }

    fn serve(&self) -> Result<(), Failure> {
        let health = Arc::new(http::Health::default());
        let tls = identity::server_config(&self.certs)?;
        let bundles = self.programme.iter().map(|dir| Bundle::read(dir)).collect::<Result<Vec<_>, _>>()?;
        let storage: Arc<dyn Storage> = Arc::new(Disk::open(&self.data)?);
        let seed = Seed::random();
        let keys = Manifest::read(&*storage)?.map_or(seed.keys, |manifest| manifest.shape.keys);
        let http = http::serve(self.http, Arc::clone(&health))?;
        // A recovery has all processors. Then the thread that decides takes its own, and what it makes later keeps off it.
        let taken = Arc::new(OnceLock::new());
        let runtime = runtime(Arc::clone(&taken))?;
        let (node, served) = runtime.block_on(async {
            let listener = Listener::bind(self.listen, tls, keys)?;
            let (serve, known) = (self.clone(), Arc::clone(&health));
            let preparing = tokio::task::spawn_blocking(move || serve.prepare(storage, seed, bundles, &known));
            let node = tokio::select! {
                () = listener.starting(&health) => return Err("the endpoint was closed".into()),
                prepared = preparing => prepared.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?,
            };
            let served = match self.processor.as_ref().map_or(Ok(()), |processor| take(processor, &taken)) {
                Ok(()) => self.listen(listener.serve(Arc::clone(&node)), &node, http, &health).await,
                Err(refused) => Err(refused),
            };
            Ok::<_, Failure>((node, served))
        })?;
        node.drain();
        let stopped = node.stop();
        // The process ends: to give millions of members back one by one would only keep the next one waiting.
        std::mem::forget(node);
        served?;
        stopped?;
        tracing::info!("ended; everything is durable");
        Ok(())
    }

    /// Opens the data directory, and puts the bundles in force.
    fn prepare(
        &self,
        storage: Arc<dyn Storage>,
        seed: Seed,
        bundles: Vec<Bundle>,
        health: &http::Health,
    ) -> Result<Arc<Node>, Failure> {
        let node = self.open(storage, seed, Arc::new(SystemClock::default()), health)?;
        if let Err(error) = self.activate(&node, bundles) {
            node.drain();
            node.stop()?;
            return Err(error);
        }
        Ok(node)
    }

    fn open(
        &self,
        storage: Arc<dyn Storage>,
        seed: Seed,
        clock: Arc<SystemClock>,
        health: &http::Health,
    ) -> Result<Arc<Node>, Failure> {
        let limits = Limits {
            members: self.max_members,
            orders: self.max_orders,
            answers: self.remember_answers,
            ..Limits::default()
        };
        let age_ms = self.archive_for.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let retention = Retention { bytes: self.archive_bytes, age_ms };
        let log = LogOptions { retention, ..LogOptions::default() };
        let options = Options { shards: self.shards, limits, log, durability: self.durability, ..Options::default() };
        let started = Instant::now();
        let bar = bar();
        let opened = data::open(storage, options, Some(seed), &mut |progress| {
            show(&bar, progress);
            health.recovering(progress);
        })?;
        bar.finish_and_clear();
        let behind_ms = opened.store.latest_ms().saturating_sub(clock.now_ms());
        if behind_ms > CLOCK_BEHIND_MS_MOST && !self.accept_clock {
            let newest = opened.store.latest_ms();
            return Err(format!(
                "the clock is {behind_ms} ms behind the newest record (recorded at {newest} ms since 1970, the clock says {}); \
                 set the clock right, or pass --accept-clock to let time stand still until it has caught up",
                clock.now_ms()
            )
            .into());
        }
        clock.not_before(opened.store.latest_ms());
        tell(&opened.recovery, &opened.store, started.elapsed());
        let policy = SnapshotPolicy { every: self.snapshot_every, log_bytes: self.snapshot_log_bytes };
        Ok(Node::start(opened, clock, policy, limits.undurable_bytes)?)
    }

    /// Puts the bundles in force that differ from what is.
    fn activate(&self, node: &Node, bundles: Vec<Bundle>) -> Result<(), Failure> {
        for (bundle, dir) in bundles.into_iter().zip(&self.programme) {
            let slug = bundle.slug().map_err(|report| report.to_string())?;
            let programmes = node.store.programmes();
            let known = programmes.iter().find(|active| active.programme.slug == slug);
            if known.is_some_and(|active| active.programme.bundle_hash == bundle.hash()) {
                continue;
            }
            if node.later() == Some(Later::StorageFull) {
                let dir = dir.display();
                return Err(
                    format!("{dir}: there is no room to record this version; free space, and start again").into()
                );
            }
            let replaces = known.map_or(0, |active| active.version);
            let activated = node.activate(bundle, replaces, false).map_err(|error| refused(dir, &error))?;
            node.log.watermark.wait(activated.epoch)?;
            for warning in &activated.warnings {
                tracing::warn!(programme = slug, "{warning}");
            }
            tracing::info!(programme = slug, version = activated.version, "in force");
        }
        Ok(())
    }

    async fn listen(
        &self,
        endpoint: Endpoint,
        node: &Arc<Node>,
        http: SocketAddr,
        health: &http::Health,
    ) -> Result<(), Failure> {
        let quic = endpoint.address()?;
        endpoint.show(health);
        let drain = Arc::new(Notify::new());
        tokio::spawn(signals(Arc::clone(node), Arc::clone(&drain), endpoint.handle(), self.certs.clone()));
        tracing::info!(%quic, %http, "ready");
        if let Some(path) = &self.port_file {
            write_ports(path, quic, http)?;
        }
        Ok(endpoint.run(drain).await?)
    }
}

/// Takes the processor for this thread. It was there when the flags were read; an operator may have given it away meanwhile.
fn take(processor: &Processor, taken: &OnceLock<Processor>) -> Result<(), Failure> {
    let number = processor.number();
    processor.keep_to().map_err(|error| {
        format!("processor {number} cannot be taken for the thread that decides: {error}; start again, with one that this process may use")
    })?;
    let _ = taken.set(processor.clone());
    tracing::info!(processor = number, "taken for the thread that decides");
    Ok(())
}

/// The runtime of this thread. Threads that it makes for what takes time keep off the processor that was taken.
fn runtime(taken: Arc<OnceLock<Processor>>) -> std::io::Result<Runtime> {
    let keep_off = move || {
        if let Some(Err(error)) = taken.get().map(Processor::keep_off) {
            tracing::warn!(%error, "a thread does not keep off the processor that was taken");
        }
    };
    tokio::runtime::Builder::new_current_thread().enable_all().on_thread_start(keep_off).build()
}

fn refused(dir: &Path, error: &ActivationError) -> String {
    format!("{}: {error}", dir.display())
}

/// Written beside and renamed, so that whoever waits for the file reads it whole.
fn write_ports(path: &Path, quic: SocketAddr, http: SocketAddr) -> std::io::Result<()> {
    let text = serde_json::json!({ "quic": quic.to_string(), "http": http.to_string() }).to_string();
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(fresh, path)
}

/// SIGTERM and SIGINT take a snapshot and then drain; SIGHUP reads the certificates again.
///
/// The snapshot comes first, while everything is served: what is written after it is all that the next start has to replay,
/// and nobody waits for it. Whoever cannot wait sends the signal again.
async fn signals(node: Arc<Node>, drain: Arc<Notify>, endpoint: quinn::Endpoint, certs: PathBuf) {
    let streams = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = streams else {
        return tracing::error!("signals cannot be heard; end the server by its supervisor");
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => match identity::server_config(&certs).map(|tls| Endpoint::set_tls(&endpoint, tls)) {
                Ok(Ok(())) => tracing::info!("certificates read again"),
                Ok(Err(error)) => tracing::error!(%error, "the certificates stay as they were"),
                Err(error) => tracing::error!(%error, "the certificates stay as they were"),
            },
        }
    }
    tracing::info!("going: a snapshot first, then draining");
    node.hurry();
    tokio::select! {
        taken = node.take_snapshot() => match taken {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "no snapshot at the end; the log has everything"),
            Err(_) => tracing::warn!("no snapshot at the end; the log has everything"),
        },
        _ = terminate.recv() => tracing::warn!("no snapshot at the end; the log has everything"),
        _ = interrupt.recv() => tracing::warn!("no snapshot at the end; the log has everything"),
    }
    tracing::info!("draining");
    node.drain();
    drain.notify_one();
}

fn bar() -> ProgressBar {
    // Hidden by itself where standard error is no terminal.
    let style =
        ProgressStyle::with_template("{msg:>9} [{bar:40}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    ProgressBar::new(0).with_style(style.expect("the template is right"))
}

fn show(bar: &ProgressBar, progress: Progress) {
    if bar.message() != progress.stage {
        bar.set_message(progress.stage);
    }
    bar.set_length(progress.total_bytes);
    bar.set_position(progress.done_bytes);
}

/// Says what recovery found.
fn tell(recovery: &Recovery, store: &crate::store::Store, took: Duration) {
    for passed in &recovery.passed_over {
        tracing::error!("a snapshot was passed over: {passed}");
    }
    if let Some(torn) = &recovery.torn {
        tracing::warn!(
            file = torn.file,
            offset = torn.offset,
            bytes = torn.bytes,
            reason = torn.reason,
            "a torn tail was cut; nothing in it was acknowledged"
        );
    }
    if recovery.created {
        return tracing::info!("a new data directory was made");
    }
    tracing::info!(
        members = store.member_count(),
        snapshot_epoch = recovery.snapshot.map_or(0, |entry| entry.first_epoch),
        epochs = recovery.epochs,
        records = recovery.records,
        log_bytes = recovery.log_bytes,
        last_epoch = recovery.last_epoch,
        took_ms = took.as_millis() as u64,
        "recovered"
    );
}
