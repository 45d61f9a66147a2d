//! One seed's world: a disk, a server on it, gateways before it, and everything that can go wrong with them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tidegate::data::{self, Files, Opened, Options, Seed};
use tidegate::log::{Ahead, Durability, Flusher, LogOptions, Retention};
use tidegate::planted::{Bug, plant, planted};
use tidegate::snapshot::{Snapshotter, Written};
use tidegate::storage::{Loss, Memory, Storage};
use tidegate::store::{HashKeys, Limits};

use crate::backups::{Backups, Did, Source};
use crate::counts::Counts;
use crate::dice::Dice;
use crate::disk::{Disk, interleave};
use crate::gateway::MEMBERS;
use crate::model::Model;
use crate::process::Process;
use crate::rules::Rules;
use crate::trace::Trace;
use crate::traffic::{Traffic, look};

/// What can go wrong, so that shrinking can leave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, serde::Serialize)]
pub enum Fault {
    /// Power or process dies.
    Crash,
    /// A write or a sync fails.
    Io,
    /// The disk is full.
    Full,
    /// The wall clock jumps.
    Clock,
    /// The directory is damaged between two lives.
    Damage,
    /// The server is restarted as planned.
    Restart,
    /// Programmes change.
    Activate,
    /// Snapshots are taken.
    Snapshot,
    /// Backups are made and restored from.
    Backup,
}

/// Every fault.
pub const FAULTS: [Fault; 9] = [
    Fault::Crash,
    Fault::Io,
    Fault::Full,
    Fault::Clock,
    Fault::Damage,
    Fault::Restart,
    Fault::Activate,
    Fault::Snapshot,
    Fault::Backup,
];

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// Requests to be decided, at least.
    pub requests: u64,
    /// Faults left out.
    pub without: Vec<Fault>,
    /// A bug that is planted.
    pub bug: Option<Bug>,
    /// Whether the trace is printed.
    pub aloud: bool,
}

impl Plan {
    /// A seed with all faults.
    pub fn of(seed: u64) -> Plan {
        Plan { seed, requests: 1_000, without: Vec::new(), bug: None, aloud: false }
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The hash of everything that happened.
    pub trace: String,
    /// What was counted.
    pub counts: Counts,
    /// What did not hold.
    pub failure: Option<String>,
}

/// Runs a plan to its end, or to the first thing that does not hold.
pub fn run(plan: &Plan) -> Outcome {
    plant(plan.bug);
    let outcome = World::begin(plan).live(plan.requests);
    plant(None);
    outcome
}

const SEED: Seed = Seed { directory: *b"tidegate-a-world", keys: HashKeys { short: [9; 16], long: [8; 16] } };

/// What lives in one process beside the traffic.
struct Life {
    files: Arc<Files>,
    flusher: Flusher,
    snapshotter: Snapshotter,
    written: Option<Written>,
}

struct World {
    dice: Dice,
    without: Vec<Fault>,
    memory: Memory,
    options: Options,
    life: Life,
    traffic: Rc<RefCell<Traffic>>,
    backups: Backups,
    /// The wall clock minus the machine's.
    wall_ms: i64,
    full: bool,
}

/// Power or process is gone, or the log failed: nothing more can be done in this life.
#[derive(Debug)]
struct Over(String);

fn over(error: impl ToString) -> Over {
    Over(error.to_string())
}

/// Epochs fit, and what may wait does too.
const UNDURABLE_BYTES: u64 = 2_000;

fn options(dice: &mut Dice, ample: bool) -> Options {
    let shards = 1 << dice.below(3);
    let answers = if ample { 64 * MEMBERS * shards } else { 2 * MEMBERS };
    let log = LogOptions {
        segment_bytes: 16_384,
        max_epoch_bytes: 7_168,
        block_bytes: 1 << dice.between(10, 11),
        spares: 1,
        ahead: Ahead::Step,
        retention: Retention { bytes: 1 << 30, age_ms: None },
    };
    let members = if dice.chance(80) { 1_000 } else { MEMBERS + 2 };
    let limits = Limits { members, orders: 100_000, answers, undurable_bytes: UNDURABLE_BYTES };
    let interval = dice.chance(30).then(|| *dice.one(&[1, 20, 50, 500]));
    let durability = interval.map_or(Durability::Fsync, |ms| Durability::Interval(Duration::from_millis(ms)));
    // Nobody helps at recovery: everything is one thread's.
    Options { shards: shards as u32, limits, log, workers: 0, durability }
}

impl World {
    fn begin(plan: &Plan) -> World {
        let mut dice = Dice::new(plan.seed);
        // Somewhere in two years, so that every kind of date comes by, the changes of the clocks too.
        let start_ms = 1_767_225_600_000 + dice.between(0, 730 * 86_400_000);
        let ample = dice.chance(50);
        let options = options(&mut dice, ample);
        let memory = Memory::new();
        let opened =
            data::open(Arc::new(Disk(memory.clone())), options, Some(SEED), &mut |_| {}).expect("an empty disk");
        let rules = (0..1 + dice.below(2))
            .map(|number| Rules::random(&mut dice, &format!("club-{number}"), start_ms))
            .collect();
        let trace = Trace::new(plan.aloud);
        let (life, process) = split(opened, start_ms);
        let model = Model::new(ample, options.limits.members);
        let mut traffic = Traffic::new(dice.fork(), model, process, rules, UNDURABLE_BYTES, trace);
        traffic.operators = !plan.without.contains(&Fault::Activate);
        let traffic = Rc::new(RefCell::new(traffic));
        World {
            dice,
            without: plan.without.clone(),
            memory,
            options,
            life,
            traffic,
            backups: Backups::default(),
            wall_ms: start_ms,
            full: false,
        }
    }

    fn live(mut self, requests: u64) -> Outcome {
        self.traffic.borrow_mut().put_in_force();
        let mut idle = 0;
        while idle < 400_000 {
            idle += 1;
            let traffic = self.traffic.borrow();
            let crashed = traffic.counts.crashes > 0 || !self.may(Fault::Crash);
            if traffic.failure.is_some() || traffic.counts.decided >= requests && crashed {
                break;
            }
            drop(traffic);
            if let Err(Over(why)) = self.step()
                && let Err(why) = self.crash(&why)
            {
                self.fail(why);
            }
        }
        if self.traffic.borrow().failure.is_none()
            && let Err(why) = self.heal()
        {
            self.fail(why);
        }
        let traffic = self.traffic.borrow();
        Outcome { trace: traffic.trace.hash(), counts: traffic.counts.clone(), failure: traffic.failure.clone() }
    }

    fn fail(&self, why: String) {
        let mut traffic = self.traffic.borrow_mut();
        traffic.trace.note(|| format!("FAILED: {why}"));
        traffic.failure.get_or_insert(why);
    }

    fn note(&self, line: impl FnOnce() -> String) {
        self.traffic.borrow_mut().trace.note(line);
    }

    fn may(&self, fault: Fault) -> bool {
        !self.without.contains(&fault)
    }

    fn step(&mut self) -> Result<(), Over> {
        match self.dice.below(1_000) {
            0..823 => self.traffic.borrow_mut().step(),
            823..830 => self.traffic.borrow_mut().publish(),
            830..950 => self.flush()?,
            950..962 if self.may(Fault::Snapshot) => self.snapshot()?,
            962..970 if self.may(Fault::Snapshot) => self.publish()?,
            970..976 => self.traffic.borrow_mut().maintain(),
            976..980 => {
                let ms = *self.dice.one(&[1_000, 60_000, 3_600_000, 20_000_000, 90_000_000]);
                self.traffic.borrow_mut().sleep(ms);
            }
            980..984 if self.may(Fault::Activate) => self.traffic.borrow_mut().change_rules(),
            984..987 if self.may(Fault::Clock) => {
                self.wall_ms += *self.dice.one(&[-3_600_000, -5_000, -10, 10, 5_000, 3_600_000]);
            }
            987..990 if self.may(Fault::Crash) => self.memory.crash_at(self.memory.calls() + 1 + self.dice.below(40)),
            990 if self.may(Fault::Io) => {
                self.memory.fail_at(self.memory.calls() + 1 + self.dice.below(20), std::io::ErrorKind::Other);
            }
            991..994 if self.may(Fault::Full) => self.fill_disk(),
            994 if self.may(Fault::Restart) => self.restart()?,
            995..997 if self.may(Fault::Backup) => self.backup()?,
            _ => {}
        }
        Ok(())
    }

    /// The disk gets full, or has room again.
    fn fill_disk(&mut self) {
        self.full = !self.full;
        let used: u64 =
            self.memory.paths().iter().filter_map(|path| self.memory.bytes(path)).map(|bytes| bytes.len() as u64).sum();
        self.memory.set_capacity(if self.full { used + self.dice.below(20_000) } else { u64::MAX });
        let free = self.life.snapshotter.free_bytes();
        self.traffic.borrow_mut().disk_full = free < self.life.flusher.segment_bytes();
        self.note(|| format!("the disk is {}", if free < u64::MAX / 2 { "nearly full" } else { "roomy" }));
    }

    /// Runs something that touches the disk; requests are decided whenever it does.
    fn meanwhile<R>(&mut self, work: impl FnOnce(&mut Life) -> R) -> R {
        let traffic = Rc::clone(&self.traffic);
        // Now and then the disk is slow.
        let slow = self.dice.chance(3);
        let mut left = self.dice.below(if slow { 400 } else { 30 });
        let each = 1 + self.dice.below(if slow { 100 } else { 5 });
        let life = &mut self.life;
        let meanwhile = move || {
            let mut traffic = traffic.borrow_mut();
            traffic.within = true;
            for _ in 0..each.min(left) {
                traffic.step();
                left -= 1;
            }
            traffic.within = false;
        };
        interleave(meanwhile, || work(life))
    }

    fn flush(&mut self) -> Result<(), Over> {
        let bytes = self.meanwhile(|life| {
            let bytes = life.flusher.turn()?;
            life.flusher.allocate_ahead();
            Ok(bytes)
        });
        let bytes = bytes.map_err(|error: tidegate::log::LogError| over(error))?;
        let mut traffic = self.traffic.borrow_mut();
        traffic.counts.epochs += u64::from(bytes > 0);
        traffic.trace.note(|| format!("flushed {bytes} bytes"));
        drop(traffic);
        if self.dice.chance(10) {
            self.life.flusher.close().map_err(over)?;
        }
        // What only the log knows can be read once nothing waits.
        let waits = self.traffic.borrow().has_searches();
        if waits {
            self.drain_log()?;
            self.traffic.borrow_mut().search();
        }
        Ok(())
    }

    /// Makes everything durable that is decided.
    fn drain_log(&mut self) -> Result<(), Over> {
        let store = Arc::clone(&self.traffic.borrow().process.store);
        while store.is_dirty() || store.has_ended_epochs() {
            self.life.flusher.turn().map_err(over)?;
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<(), Over> {
        let now_ms = self.traffic.borrow_mut().now_ms();
        // One at a time: what was written and not published is written over.
        self.life.written = None;
        let written = self.meanwhile(|life| life.snapshotter.write(now_ms, |_| {}));
        match written {
            Ok(written) => {
                self.note(|| {
                    format!(
                        "wrote {}, epochs {} to {}",
                        written.entry.path(),
                        written.entry.first_epoch,
                        written.entry.last_epoch
                    )
                });
                self.life.written = Some(written);
                if planted(Bug::EarlyManifest) {
                    return self.publish();
                }
                Ok(())
            }
            // A snapshot that fails leaves the one before; a server without power fails with the next epoch.
            Err(error) => {
                self.note(|| format!("no snapshot: {error}"));
                Ok(())
            }
        }
    }

    fn publish(&mut self) -> Result<(), Over> {
        let Some(written) = self.life.written.take() else { return Ok(()) };
        let state = self.life.flusher.state();
        let last = written.entry.last_epoch;
        let mut durable = state.watermark.durable();
        if planted(Bug::EarlyManifest) {
            durable = u64::MAX;
        }
        if durable < last {
            self.life.written = Some(written);
            return Ok(());
        }
        let head = state.counters().1;
        let copied = self.life.files.copied().unwrap_or_default();
        let published = self.meanwhile(|life| life.snapshotter.publish(written, durable, head, &copied));
        match published {
            Ok(oldest) => {
                self.traffic.borrow_mut().counts.snapshots += 1;
                let archived = state.pages.archive_before(oldest);
                self.note(|| format!("published; archived {archived:?} before {oldest}"));
            }
            Err(error) => self.note(|| format!("not published: {error}")),
        }
        Ok(())
    }

    /// An operator's backup, or a piece of one; now and then it is restored from.
    fn backup(&mut self) -> Result<(), Over> {
        let now_ms = self.traffic.borrow_mut().now_ms();
        let log = self.life.flusher.state();
        let manifest = self.life.snapshotter.manifest();
        let (directory, snapshot) = (manifest.directory, manifest.snapshots.first().copied());
        let source = Source { files: &self.life.files, log: &log, directory, snapshot };
        let ran = self.backups.run(&source, &mut self.dice, now_ms);
        self.note(|| format!("backup: {ran:?}"));
        let proved = ran.and_then(|did| {
            let mut traffic = self.traffic.borrow_mut();
            traffic.counts.backups += u64::from(did != Did::Interrupted);
            match self.dice.below(4) {
                // Whatever became of this run, the last complete one stands.
                0 => self.backups.restore_all()?,
                1 => traffic.counts.restores += self.backups.restore(None, &mut self.dice)?,
                2 => traffic.counts.refused += u64::from(self.backups.damage(&mut self.dice)?),
                _ => {}
            }
            Ok(())
        });
        if let Err(why) = proved {
            self.fail(why);
        }
        Ok(())
    }

    /// A planned restart: drain, everything durable, a snapshot, and another process.
    fn restart(&mut self) -> Result<(), Over> {
        self.traffic.borrow_mut().drain();
        for _ in 0..60 {
            self.traffic.borrow_mut().step();
        }
        self.drain_log()?;
        self.snapshot()?;
        self.drain_log()?;
        self.publish()?;
        self.life.flusher.close().map_err(over)?;
        let hash = self.traffic.borrow().process.store.books().state_hash;
        let durable = self.life.flusher.state().watermark.durable();
        let survivor = self.memory.power_loss(Loss::Lost);
        self.traffic.borrow_mut().counts.restarts += 1;
        let again = self.recover(survivor, &format!("restarted after epoch {durable}"));
        let again = again.and_then(|now| {
            if now == hash { Ok(()) } else { Err(format!("the state was {hash} before the restart, {now} after it")) }
        });
        if let Err(why) = again {
            self.fail(why);
        }
        Ok(())
    }

    /// Power is lost, or the process dies.
    fn crash(&mut self, why: &str) -> Result<(), String> {
        self.traffic.borrow_mut().counts.crashes += 1;
        let survivor = match self.dice.below(6) {
            0 => self.memory.power_loss(Loss::Lost),
            1 => self.memory.power_loss(Loss::Kept),
            2 => self.memory.process_restart(),
            _ => self.memory.power_loss(Loss::Torn { seed: self.dice.draw() }),
        };
        let why = format!("crashed: {why}");
        self.note(|| why.clone());
        if self.may(Fault::Damage) && self.dice.chance(60) {
            for _ in 0..4 {
                self.damage(&survivor)?;
            }
        }
        self.recover(survivor, &why).map(drop)
    }

    /// Recovers from what survives; gives the hash of the state that came back, before anything new is put in force.
    fn recover(&mut self, mut survivor: Memory, after: &str) -> Result<String, String> {
        if self.may(Fault::Crash) && self.dice.chance(30) {
            // Power is lost again while it recovers.
            survivor.crash_at(1 + self.dice.below(12));
            if data::open(Arc::new(Disk(survivor.clone())), self.options, None, &mut |_| {}).is_err() {
                self.traffic.borrow_mut().counts.crashes_in_recovery += 1;
            }
            survivor = survivor.power_loss(Loss::Torn { seed: self.dice.draw() });
        }
        self.note(|| format!("what survives: {}", survivor.paths().join(" ")));
        let storage: Arc<dyn Storage> = Arc::new(Disk(survivor.clone()));
        let (looked, ..) = data::inspect(&storage, self.options.limits, &mut |_| {})
            .map_err(|error| format!("{after}; it does not read: {error}"))?;
        let opened = data::open(storage, self.options, None, &mut |_| {})
            .map_err(|error| format!("{after}; it does not open: {error}"))?;
        let books = opened.store.books();
        if books.state_hash != looked.books().state_hash || !books.balance() {
            return Err(format!("{after}; what is read is not what is opened, or the books do not balance: {books:?}"));
        }
        let last = opened.recovery.last_epoch;
        self.backups.note(last, books.state_hash.clone());
        if self.may(Fault::Backup) && self.dice.chance(20) {
            let restored = self.backups.restore(Some(&survivor), &mut self.dice);
            self.traffic.borrow_mut().counts.restores += restored.map_err(|error| format!("{after}; {error}"))?;
        }
        self.note(|| format!("recovered through epoch {last}, state {}", books.state_hash));
        self.memory = survivor;
        self.full = false;
        let (life, process) = split(opened, self.wall_ms);
        self.life = life;
        let mut traffic = self.traffic.borrow_mut();
        traffic.disk_full = false;
        traffic.is_kept(last).map_err(|why| format!("I4: {after}; {why}"))?;
        let model = traffic.as_of(last).ok_or_else(|| format!("nothing is known of epoch {last}"))?;
        traffic.restarted(process, model, last);
        traffic.look_at_all();
        traffic.put_in_force();
        Ok(books.state_hash)
    }

    /// A copy of the directory is damaged: it is refused, or what it gives is right.
    fn damage(&mut self, survivor: &Memory) -> Result<(), String> {
        let copy = survivor.process_restart();
        let paths: Vec<String> = copy.paths().into_iter().filter(|path| !path.ends_with(".new")).collect();
        let path = self.dice.one(&paths).clone();
        let mut bytes = copy.bytes(&path).unwrap_or_default();
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if end == 0 {
            return Ok(());
        }
        let at = self.dice.below(end as u64) as usize;
        let cut = self.dice.chance(20);
        let sector = at - at % 512..(at - at % 512 + 512).min(bytes.len());
        match self.dice.below(5) {
            _ if cut => bytes.truncate(at),
            0..2 => bytes[at] ^= 1 << self.dice.below(8),
            2 => bytes[sector].fill(0),
            3 => {
                // A write that went elsewhere: what stands in one place is what belongs into another.
                let other = self.dice.below(end as u64 / 512) as usize * 512;
                let stray = bytes[other..(other + sector.len()).min(bytes.len())].to_vec();
                bytes[sector.start..sector.start + stray.len()].copy_from_slice(&stray);
            }
            _ => {
                // An older file under a newer's name, or the other way round.
                let folder = path.split('/').next().unwrap_or_default();
                let alike: Vec<&String> = paths.iter().filter(|other| other.starts_with(folder)).collect();
                let other = copy.bytes(alike[self.dice.below(alike.len() as u64) as usize]).unwrap_or_default();
                // A spare in the newest segment's place would be a log that ends with the one before: only its head, kept
                // elsewhere, could tell.
                bytes = if other.iter().all(|byte| *byte == 0) { bytes } else { other };
            }
        }
        if copy.bytes(&path).as_ref() == Some(&bytes) {
            return Ok(());
        }
        copy.set_bytes(&path, bytes);
        let storage: Arc<dyn Storage> = Arc::new(copy);
        let recovered = data::inspect(&storage, self.options.limits, &mut |_| {});
        let Ok((store, _, recovery)) = recovered else {
            self.traffic.borrow_mut().counts.refused += 1;
            return Ok(());
        };
        let mut traffic = self.traffic.borrow_mut();
        traffic.counts.survived += 1;
        let (last, promised) = (recovery.last_epoch, traffic.promised);
        // Of the newest epoch, with nothing behind it, damage cannot be told from a write that never came; a file that is cut
        // loses what it loses, and is read up to the last whole epoch.
        if traffic.lost_between(last, promised) > 1 && !cut {
            return Err(format!(
                "I7: `{path}` damaged at {at}: epoch {promised} was told, {last} is recovered without a word"
            ));
        }
        let Some(model) = traffic.as_of(last) else { return Ok(()) };
        let now_ms = traffic.now_ms();
        let right = look(&store, &mut model.clone(), now_ms);
        right.map_err(|why| format!("I7: `{path}` damaged at {at}: a wrong state is recovered: {why}"))
    }

    /// Faults are over: everything must come to rest, and be as the model has it, live and recovered.
    fn heal(&mut self) -> Result<(), String> {
        self.without = FAULTS.to_vec();
        self.memory.set_capacity(u64::MAX);
        let calm = self.memory.process_restart();
        self.crash_into(calm)?;
        for _ in 0..400 {
            if self.step().is_err() {
                return Err("the log failed although nothing was done to it".into());
            }
        }
        self.traffic.borrow_mut().look_at_all();
        match self.restart() {
            Err(Over(why)) => Err(why),
            Ok(()) => Ok(()),
        }
    }

    fn crash_into(&mut self, survivor: Memory) -> Result<(), String> {
        self.recover(survivor, "faults are over").map(drop)
    }
}

fn split(opened: Opened, offset_ms: i64) -> (Life, Process) {
    let Opened { store, flusher, snapshotter, files, durability, .. } = opened;
    let process = Process::new(store, flusher.state(), offset_ms, durability);
    (Life { files, flusher, snapshotter, written: None }, process)
}
