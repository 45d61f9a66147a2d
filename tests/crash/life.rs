//! A server's life without its network: the script driven over a store, a flusher and snapshots, and what its callers were told.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tidegate::data::{self, Opened, Options, Seed};
use tidegate::log::{Ahead, LogOptions, Retention};
use tidegate::snapshot::Written;
use tidegate::storage::{Memory, Storage};
use tidegate::store::{HashKeys, Limits, Store};
use tidegate_protocol::answer::{CampaignView, MemberView};
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::operation::{GetCampaign, GetMember};

use crate::asking::{Told, ask, bundle, id, member, request, text};
use crate::script::{Ask, MEMBERS, Step};

/// What every directory here is made from.
pub const SEED: Seed = Seed { directory: *b"tidegate-crashes", keys: HashKeys { short: [3; 16], long: [4; 16] } };

/// Small, so that segments rotate and members share too few answers.
pub fn options() -> Options {
    let log = LogOptions {
        segment_bytes: 8_192,
        max_epoch_bytes: 3_584,
        block_bytes: 1024,
        spares: 1,
        ahead: Ahead::Step,
        retention: Retention { bytes: 1 << 20, age_ms: None },
    };
    let limits = Limits { members: 1_000, orders: 1_000, answers: 24, undurable_bytes: 1 << 20 };
    Options { shards: 2, limits, log, workers: 0, ..Options::default() }
}

/// A bug planted into the way answers and manifests are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// None.
    Nothing,
    /// Answers are told before their epoch is durable.
    EarlyReply,
    /// A manifest names its snapshot before the snapshot's last epoch is durable.
    EarlyManifest,
    /// Syncs of files do nothing.
    SkippedFsync,
}

/// An answer to a request of the script.
#[derive(Debug, Clone)]
pub struct Answered {
    /// How many steps had been taken, the request's own included.
    pub steps: usize,
    /// The request.
    pub ask: Ask,
    /// The answer.
    pub told: Told,
    /// Whether this very request changed the state.
    pub changed: bool,
}

/// What happened until power was lost.
#[derive(Debug, Default)]
pub struct History {
    /// Every answer, in order.
    pub answered: Vec<Answered>,
    /// Steps that were begun.
    pub begun: usize,
    /// Steps that a state must hold that belies nothing told.
    pub promised: usize,
    /// Answers not told yet: their epoch and what they reveal.
    waiting: Vec<(u64, usize)>,
    /// Steps up to the last change of a member, a campaign or an order.
    last: BTreeMap<String, usize>,
    ledger: HashSet<Vec<u8>>,
}

impl History {
    fn note(&mut self, steps: usize, ask: &Ask, told: Told) {
        let applied = [answer::ENROLLED, answer::CHECKED_IN, answer::RECORDED, answer::GRANTED].contains(&told.code);
        // Every such answer begins with the sixteen bytes of its ledger id.
        let changed = applied && self.ledger.insert(told.body[..16].to_vec());
        let mut places = vec![format!("member {} {}", ask.programme, ask.member)];
        if ask.campaign != 0 {
            places.push(format!("campaign {} {}", ask.programme, ask.campaign));
        }
        if let Some(order) = &ask.order {
            places.push(format!("order {} {} {}", ask.programme, order.channel, order.number));
        }
        if changed {
            self.last.extend(places.iter().map(|place| (place.clone(), steps)));
        }
        let reveals = places.iter().filter_map(|place| self.last.get(place)).max().copied().unwrap_or(0);
        self.waiting.push((told.epoch, reveals));
        self.answered.push(Answered { steps, ask: ask.clone(), told, changed });
    }

    fn tell(&mut self, durable: u64) {
        let promised = &mut self.promised;
        self.waiting.retain(|(epoch, reveals)| {
            if *epoch <= durable {
                *promised = (*promised).max(*reveals);
            }
            *epoch > durable
        });
    }
}

/// A running server.
pub struct Life {
    /// Its store, log and snapshots.
    pub opened: Opened,
    /// What it told.
    pub history: History,
    written: Option<Written>,
    /// The epoch that filled when the last snapshot was begun.
    due: Option<u64>,
    plant: Plant,
}

/// Power was lost, or the log failed.
#[derive(Debug)]
pub struct Lost(pub String);

fn lost(error: impl ToString) -> Lost {
    Lost(error.to_string())
}

impl Life {
    /// Opens a directory.
    pub fn begin(memory: &Memory, plant: Plant) -> Result<Life, Lost> {
        let life = Life::upon(Arc::new(memory.clone()), plant)?;
        if plant == Plant::SkippedFsync {
            memory.skip_fsync();
        }
        Ok(life)
    }

    /// Opens a directory, whatever it stands on.
    pub fn upon(storage: Arc<dyn Storage>, plant: Plant) -> Result<Life, Lost> {
        let opened = data::open(storage, options(), Some(SEED), &mut |_| {}).map_err(lost)?;
        Ok(Life { opened, history: History::default(), written: None, due: None, plant })
    }

    /// Takes the steps from the `from`-th on; `after` hears of each.
    pub fn drive(&mut self, steps: &[Step], from: usize, mut after: impl FnMut(&Store)) -> Result<(), Lost> {
        for (number, step) in (1..).zip(steps).skip(from) {
            self.history.begun = number;
            self.step(number, step)?;
            self.tell();
            after(&self.opened.store);
        }
        Ok(())
    }

    /// Takes all steps, whatever becomes of snapshots: one that fails leaves the one before, and the server goes on. Ends when the log
    /// fails; nothing is told from then on.
    pub fn drive_through(&mut self, steps: &[Step]) -> Result<(), Lost> {
        let log = self.opened.flusher.state();
        for (number, step) in (1..).zip(steps) {
            self.history.begun = number;
            let done = self.step(number, step);
            if log.watermark.has_failed() {
                return Err(Lost(log.failure().expect("a failure says why")));
            }
            let snapshots = matches!(step, Step::Snapshot { .. } | Step::Publish);
            assert!(done.is_ok() || snapshots, "step {number} failed, and the log did not: {done:?}");
            self.tell();
        }
        Ok(())
    }

    fn tell(&mut self) {
        let durable = self.opened.flusher.state().watermark.durable();
        self.history.tell(if self.plant == Plant::EarlyReply { u64::MAX } else { durable });
    }

    fn step(&mut self, number: usize, step: &Step) -> Result<(), Lost> {
        match step {
            Step::Ask(request) => {
                let told = ask(&self.opened.store, request.now_ms, &request.bytes);
                self.history.note(number, request, told);
            }
            Step::Activate { text, replaces, now_ms } => {
                let activated = self.opened.store.activate(bundle(text), *replaces, false, *now_ms);
                self.history.waiting.push((activated.map_err(lost)?.epoch, number));
            }
            Step::Maintain { now_ms } => self.opened.store.maintain(*now_ms),
            Step::Snapshot { during, now_ms } => {
                self.snapshot(number, during, *now_ms)?;
                if self.plant == Plant::EarlyManifest {
                    self.publish()?;
                }
            }
            Step::Publish => self.publish()?,
            Step::Turn => drop(self.opened.flusher.turn().map_err(lost)?),
        }
        Ok(())
    }

    fn snapshot(&mut self, number: usize, during: &[Ask], now_ms: i64) -> Result<(), Lost> {
        let Opened { store, snapshotter, .. } = &self.opened;
        self.due = Some(store.filling_epoch());
        let history = RefCell::new(&mut self.history);
        // One request between sections that stand well apart.
        let (mut sections, mut left) = (0, during.iter());
        let written = snapshotter.write(now_ms, |_| {
            sections += 1;
            if sections % 3 == 0
                && let Some(request) = left.next()
            {
                history.borrow_mut().note(number, request, ask(store, request.now_ms, &request.bytes));
            }
        });
        left.for_each(|request| history.borrow_mut().note(number, request, ask(store, request.now_ms, &request.bytes)));
        self.written = Some(written.map_err(lost)?);
        Ok(())
    }

    fn publish(&mut self) -> Result<(), Lost> {
        let Some(due) = self.due.take() else { return Ok(()) };
        let Opened { flusher, snapshotter, .. } = &mut self.opened;
        let state = flusher.state();
        // Also where there is no snapshot to publish: which epochs there are must not hang on it.
        while self.plant != Plant::EarlyManifest && state.watermark.durable() < due {
            flusher.turn().map_err(lost)?;
        }
        let Some(written) = self.written.take() else { return Ok(()) };
        let durable = if self.plant == Plant::EarlyManifest { u64::MAX } else { state.watermark.durable() };
        let oldest = snapshotter.publish(written, durable, state.counters().1, &[]).map_err(lost)?;
        state.pages.archive_before(oldest).map_err(lost)?;
        Ok(())
    }
}

/// What every member has and every campaign granted, in words.
pub fn views(store: &Store, now_ms: i64) -> Vec<String> {
    let mut views = Vec::new();
    for programme in [1, 2] {
        for number in 0..MEMBERS {
            let body = GetMember { member: member(number) };
            let told = ask(store, now_ms, &request(op::GET_MEMBER, programme, id(now_ms, 0), &body));
            if told.code == answer::MEMBER {
                let MemberView { balance, earned, streak, last_day, limits, .. } = told.read();
                views.push(format!("{programme}/{number}: {balance} {earned} {streak} {last_day} {limits:?}"));
            }
        }
        for campaign in [1, 2] {
            let body = GetCampaign { campaign, slug: text("") };
            let told = ask(store, now_ms, &request(op::GET_CAMPAIGN, programme, id(now_ms, 0), &body));
            if told.code == answer::CAMPAIGN {
                let view: CampaignView = told.read();
                views.push(format!("{programme}: campaign {campaign} granted {}", view.granted_ever));
            }
        }
    }
    views
}

/// The balance that each member's last answer states, of those that a state of so many steps holds.
pub fn balances(history: &History, steps: usize) -> BTreeMap<(u32, u64), i64> {
    let mut balances = BTreeMap::new();
    for answered in history.answered.iter().filter(|answered| answered.changed && answered.steps <= steps) {
        let after = match answered.told.code {
            answer::ENROLLED => 0,
            // Points after are the last field of all three.
            _ => i64::from_le_bytes(*answered.told.body.last_chunk().unwrap()),
        };
        balances.insert((answered.ask.programme, answered.ask.member), after);
    }
    balances
}
