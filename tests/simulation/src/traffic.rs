//! A running server and its gateways: connections, sessions, frames decided and answers told, one small step at a time.
//!
//! Fencing, outboxes, the client's table and all of the store are the real ones; what is simulated is the bytes' way between
//! them, which may stall, be cut in the middle, or deliver a dead connection's frames late.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tidegate::log::{Durability, LogError};
use tidegate::server::outbox::Waits;
use tidegate::store::{Later, Scope, Search, Store, Turn};
use tidegate_protocol::RequestId;
use tidegate_protocol::batch::{self, Answers, Entries};
use tidegate_protocol::code::{answer, name};
use tidegate_protocol::frame::{FLAG_NOT_DURABLE, HEADER_BYTES, Header, Kind};

use crate::counts::Counts;
use crate::dice::Dice;
use crate::gateway::{End, Gateway, MEMBERS};
use crate::model::{Ask, Asked, Circumstances, Model, Told};
use crate::process::{Connection, Process};
use crate::rules::Rules;
use crate::trace::Trace;
use crate::wire;

/// What one frame of a gateway's, clearing away, and an activation may add to the log beyond the bound.
const BEYOND_BYTES: u64 = 4_096 + 3_072;

/// A request's name: programme, member, id.
type Key = (u32, u64, RequestId);

/// Everything but the log's writing end and the disk.
pub struct Traffic {
    /// What the rules make of it.
    pub model: Model,
    /// The model as it was at the end of earlier epochs that changed it.
    ends: BTreeMap<u64, Model>,
    /// The epoch in which the model last changed.
    changed_in: u64,
    /// The newest epoch that an answer waited for which was told as durable.
    pub promised: u64,
    /// The process.
    pub process: Process,
    /// Gateways outlive it.
    pub gateways: Vec<Gateway>,
    /// What was counted.
    pub counts: Counts,
    /// What happened.
    pub trace: Trace,
    /// The first thing that did not hold.
    pub failure: Option<String>,
    /// The machine's time: only goes forward.
    pub mono_ms: i64,
    /// How much may be undurable before changes are refused; room that must be left in the log.
    pub undurable_most: u64,
    /// Whether the disk has no room for another segment.
    pub disk_full: bool,
    /// Whether requests are being decided from inside a call of the flusher's.
    pub within: bool,
    /// Whether operators change rules.
    pub operators: bool,
    /// The rules that are in force, or will be.
    pub rules: Vec<Rules>,
    pub(crate) dice: Dice,
    next_connection: u64,
    /// Outcomes to be looked up in the log, and whether the id had changed the state when it was asked for.
    searches: Vec<(Asked, Search, bool)>,
    submitted: BTreeMap<Key, u32>,
    never: BTreeSet<Key>,
    /// Activations that an operator was not told of yet: the epoch that the answer waits for, and that of the record.
    pub operator: Vec<(u64, u64)>,
    applied_told: Vec<Key>,
}

impl Traffic {
    /// A server without programmes, and gateways that are not connected yet.
    pub fn new(
        mut dice: Dice,
        model: Model,
        process: Process,
        rules: Vec<Rules>,
        undurable_most: u64,
        trace: Trace,
    ) -> Traffic {
        let gateways = (0..3).map(|number| Gateway::new(number, dice.fork())).collect();
        Traffic {
            model,
            ends: BTreeMap::new(),
            changed_in: 0,
            promised: 0,
            process,
            gateways,
            counts: Counts::default(),
            trace,
            failure: None,
            mono_ms: 0,
            undurable_most,
            disk_full: false,
            within: false,
            operators: true,
            rules,
            dice,
            next_connection: 1,
            searches: Vec::new(),
            submitted: BTreeMap::new(),
            never: BTreeSet::new(),
            operator: Vec::new(),
            applied_told: Vec::new(),
        }
    }

    /// The server's time: never runs back.
    pub fn now_ms(&mut self) -> i64 {
        let process = &mut self.process;
        process.newest_ms = process.newest_ms.max(self.mono_ms + process.offset_ms);
        process.newest_ms
    }

    pub(crate) fn fail(&mut self, why: String) {
        self.trace.note(|| format!("FAILED: {why}"));
        self.failure.get_or_insert(why);
    }

    /// Something small happens.
    pub fn step(&mut self) {
        if self.failure.is_some() {
            return;
        }
        self.mono_ms += *self.dice.one(&[0, 0, 0, 1, 3, 20]);
        let gateway = self.dice.below(self.gateways.len() as u64) as usize;
        if self.within && self.operators && self.dice.chance(1) {
            return match self.dice.below(4) {
                0 | 1 => self.change_rules(),
                2 => self.publish(),
                _ => self.maintain(),
            };
        }
        match self.dice.below(100) {
            0..22 => self.ask(gateway),
            22..42 => self.send(gateway),
            42..66 => self.decide(),
            66..80 => self.tell(),
            80..93 => self.receive(),
            93..95 => self.due(gateway),
            95 => self.lose(),
            _ => self.connect(gateway),
        }
    }

    fn ask(&mut self, gateway: usize) {
        let Traffic { model, gateways, mono_ms, .. } = self;
        let programmes = model.programme_count();
        if programmes == 0 || gateways[gateway].session == 0 {
            return;
        }
        let (campaigns, offers) = (|programme| model.campaigns(programme), |programme| model.offers(programme));
        let asked = gateways[gateway].ask(programmes, &campaigns, &offers, *mono_ms);
        if let Some(Asked { programme, member, id, .. }) = asked {
            let key = (programme, member, id);
            *self.submitted.entry(key).or_default() += 1;
            // Whoever asks again takes back what the first time was told.
            self.never.remove(&key);
        }
    }

    fn send(&mut self, gateway: usize) {
        let Some(connection) = self.gateways[gateway].connection else { return };
        if let (Some(frame), Some(connection)) =
            (self.gateways[gateway].frame(), self.process.connections.get_mut(&connection))
        {
            connection.up.push_back(frame);
        }
    }

    fn pick(&mut self, with: impl Fn(&Connection) -> bool) -> Option<u64> {
        let numbers: Vec<u64> =
            self.process.connections.iter().filter(|(_, it)| with(it)).map(|(number, _)| *number).collect();
        (!numbers.is_empty()).then(|| *self.dice.one(&numbers))
    }

    /// Why changes are refused, as a node says it.
    fn later(&self) -> Option<Later> {
        let Process { store, log, draining, .. } = &self.process;
        if *draining {
            return Some(Later::Draining);
        }
        if log.room() >= store.undurable_bytes() + self.undurable_most {
            return None;
        }
        Some(if self.disk_full { Later::StorageFull } else { Later::Busy })
    }

    /// The server reads a frame and decides it.
    fn decide(&mut self) {
        let Some(number) = self.pick(|connection| !connection.up.is_empty()) else { return };
        let now_ms = self.now_ms();
        let later = self.later();
        let before = self.before(self.process.store.filling_epoch());
        let applied_before = self.counts.applied;
        let connection = self.process.connections.get_mut(&number).expect("picked");
        let frame = connection.up.pop_front().expect("picked for it");
        if connection.pass.is_shut_out() {
            self.counts.fenced += 1;
            self.process.connections.remove(&number);
            return self.trace.note(|| format!("{number} is fenced"));
        }
        let header = Header::decode(frame.first_chunk().expect("a whole frame")).expect("a frame of a gateway's");
        let entries = Entries::new(&frame[HEADER_BYTES..]).expect("a batch");
        let asked: Vec<Asked> = entries.map(|entry| wire::asked(&entry.expect("an entry"))).collect();
        let sought = |asked: &Asked| matches!(asked.ask, Ask::GetOutcome(id) if self.model.has_applied(asked.programme, asked.member, id));
        let applied: Vec<bool> = asked.iter().map(sought).collect();
        let mut answers = Vec::new();
        let start = batch::start_answers(&mut answers);
        let Process { store, turn, .. } = &mut self.process;
        let code = later.or(store.busy()).map(|later| match later {
            Later::Draining => answer::DRAINING,
            Later::StorageFull => answer::STORAGE_FULL,
            _ => answer::BUSY,
        });
        let done =
            store.execute(turn, now_ms, &frame[HEADER_BYTES..], &Scope::All, later, &mut answers).expect("a batch");
        let epoch = store.filling_epoch();
        let undurable = store.undurable_bytes();
        if undurable > self.undurable_most + BEYOND_BYTES {
            return self.fail(format!("I8: {undurable} bytes wait for the disk"));
        }
        let told = done.count - done.searches.len() as u16;
        batch::finish_answers(&mut answers, start, now_ms, told);
        self.counts.decided += u64::from(done.count);
        self.counts.meanwhile += if self.within { u64::from(done.count) } else { 0 };
        let now = Circumstances { now_ms, epoch, later: code };
        self.judge(now, &asked, &answers, done.epoch);
        if self.counts.applied > applied_before {
            self.changed(epoch, before);
        }
        let connection = self.process.connections.get_mut(&number).expect("picked");
        connection.outbox.frame_read();
        for search in &done.searches {
            let at = usize::from(search.index());
            self.searches.push((asked[at].clone(), *search, applied[at]));
        }
        let before = connection.epochs.back().map_or(0, |(epoch, _)| *epoch);
        connection.epochs.push_back((done.epoch.max(before), self.model.activated()));
        let waits = Waits { epoch: done.epoch, at_least: self.process.store.programmes_epoch() };
        connection.outbox.put(waits, |out| {
            let header =
                Header { length: answers.len() as u32, kind: Kind::Answers, flags: 0, correlation: header.correlation };
            out.extend_from_slice(&header.encode());
            out.extend_from_slice(&answers);
        });
    }

    /// Holds a frame's answers, in the order of decision, against the model.
    fn judge(&mut self, now: Circumstances, asked: &[Asked], answers: &[u8], waits_for: u64) {
        let durable = self.process.log.watermark.durable();
        for told in Answers::new(answers).expect("answers") {
            let told = told.expect("an answer");
            let (asked, told) = (&asked[usize::from(told.index)], Told { code: told.code, body: told.body.to_vec() });
            *self.counts.answers.entry(name(told.code).to_owned()).or_default() += 1;
            self.trace.note(|| {
                format!("{asked:?} -> {} {:?} (epoch {waits_for}, durable {durable})", name(told.code), told.body)
            });
            let key = (asked.programme, asked.member, asked.id);
            match self.model.judge(now, asked, &told) {
                Err(why) => return self.fail(why),
                Ok(verdict) => {
                    self.counts.applied += u64::from(verdict.applied);
                    if verdict.applied && self.never.contains(&key) {
                        return self.fail(format!("{asked:?} was told to be never applied, and is"));
                    }
                    if verdict.reveals > waits_for.max(durable) {
                        return self.fail(format!(
                            "I4: the answer `{}` to {asked:?} reveals epoch {}, and waits for epoch {waits_for} only (durable is {durable})",
                            name(told.code),
                            verdict.reveals
                        ));
                    }
                }
            }
        }
    }

    /// The model as it is before a change in this epoch, if it did not change in it yet.
    pub fn before(&self, epoch: u64) -> Option<Model> {
        (epoch > self.changed_in).then(|| self.model.clone())
    }

    /// The model has changed in this epoch.
    pub fn changed(&mut self, epoch: u64, before: Option<Model>) {
        let Some(before) = before else { return };
        self.ends.insert(self.changed_in, before);
        self.changed_in = epoch;
        let durable = self.process.log.watermark.durable();
        // Of what is durable already only the newest can come back.
        if let Some(needed) = self.ends.range(..=durable).next_back().map(|(epoch, _)| *epoch) {
            self.ends = self.ends.split_off(&needed);
        }
    }

    /// A connection's writer hands over what may be told.
    fn tell(&mut self) {
        let durable = self.process.log.watermark.durable();
        for (_, stands_in) in self.operator.extract_if(.., |(waits_for, _)| *waits_for <= durable) {
            self.promised = self.promised.max(stands_in);
        }
        let Some(number) = self.pick(|connection| !connection.epochs.is_empty()) else { return };
        let now = Duration::from_millis(self.mono_ms as u64);
        let Process { connections, promise, .. } = &mut self.process;
        let connection = connections.get_mut(&number).expect("picked");
        let mut bytes = Vec::new();
        connection.outbox.take(promise, durable, now, &mut bytes);
        let mut told = Vec::new();
        let mut rest = &bytes[..];
        while let Some(head) = rest.first_chunk::<HEADER_BYTES>() {
            let header = Header::decode(head).expect("a frame of the server's");
            let length = HEADER_BYTES + header.length as usize;
            connection.down.push_back(rest[..length].to_vec());
            rest = &rest[length..];
            told.push((header.flags, connection.epochs.pop_front().expect("an epoch a frame")));
        }
        let held = connection.epochs.front().copied();
        for (flags, (epoch, versions)) in told {
            self.told(flags, epoch, versions, durable);
        }
        if let Some((epoch, versions)) = held {
            self.held(epoch, versions, durable);
        }
    }

    /// Holds a frame that was told to what it says of itself.
    fn told(&mut self, flags: u8, epoch: u64, versions: u64, durable: u64) {
        let says_early = flags & FLAG_NOT_DURABLE != 0;
        if says_early != (epoch > durable) {
            let says = if says_early { "not durable" } else { "durable" };
            return self.fail(format!("I4: told as {says} was what waited for epoch {epoch}, with {durable} durable"));
        }
        if versions > durable {
            return self.fail(format!("I4: versions of epoch {versions} were told, with {durable} durable"));
        }
        if says_early {
            self.counts.early += 1;
            self.process.early.push((self.mono_ms, epoch));
        } else {
            self.promised = self.promised.max(epoch);
        }
    }

    /// Holds a frame that was not told to the reasons there are for that.
    fn held(&mut self, epoch: u64, versions: u64, durable: u64) {
        let oldest = self.process.early.iter().find(|(_, epoch)| *epoch > durable);
        let may_be_told = epoch <= durable
            || match self.process.durability {
                Durability::Fsync => false,
                Durability::Interval(interval) => {
                    oldest.is_none_or(|(at, _)| self.mono_ms - at < interval.as_millis() as i64)
                }
            };
        if may_be_told && versions <= durable {
            return self.fail(format!("held back without a reason is what waits for epoch {epoch}"));
        }
        self.counts.held_back += u64::from(oldest.is_some());
    }

    /// Whether a recovery through epoch `last` keeps what was promised: all that was told as durable; and of what was told
    /// early it takes back no more than was told within one interval.
    pub fn is_kept(&mut self, last: u64) -> Result<(), String> {
        let promised = self.promised;
        if last < promised {
            return Err(format!("answers that waited for epoch {promised} were told, recovered is epoch {last}"));
        }
        let lost = self.process.early.iter().filter(|(_, epoch)| *epoch > last).map(|(at, _)| *at);
        let lost: Vec<i64> = lost.collect();
        let (Some(first), Some(newest)) = (lost.first(), lost.last()) else { return Ok(()) };
        self.counts.taken_back += lost.len() as u64;
        match self.process.durability {
            Durability::Interval(interval) if newest - first < interval.as_millis() as i64 => Ok(()),
            durability => Err(format!(
                "with {durability:?} answers were taken back that were told from {first} to {newest} ms, recovered is epoch {last}"
            )),
        }
    }

    fn receive(&mut self) {
        let Some(number) = self.pick(|connection| !connection.down.is_empty() && !connection.given_up) else { return };
        let connection = self.process.connections.get_mut(&number).expect("picked");
        let (gateway, frame) = (connection.gateway, connection.down.pop_front().expect("picked for it"));
        let ended = self.gateways[gateway].receive(&frame, self.mono_ms);
        self.ended(ended);
    }

    fn due(&mut self, gateway: usize) {
        let ended = self.gateways[gateway].due(self.mono_ms);
        self.ended(ended);
    }

    fn ended(&mut self, ended: Vec<(Asked, End)>) {
        for (asked, end) in ended {
            let key = (asked.programme, asked.member, asked.id);
            let applied = self.model.has_applied(key.0, key.1, key.2);
            match end {
                End::Applied | End::AppliedEarly if !applied => {
                    return self.fail(format!("{asked:?} was told to be applied, and is not"));
                }
                End::Applied => self.applied_told.push(key),
                // Sent once, so that what its caller was told is the last word.
                End::Never if self.submitted.get(&key) == Some(&1) => {
                    if applied {
                        return self.fail(format!("{asked:?} is applied, and was told to be never"));
                    }
                    self.never.insert(key);
                }
                End::AppliedEarly | End::Never | End::Open => {}
            }
        }
    }

    /// A connection breaks: its gateway notices; the server may get what was on its way, or nothing any more.
    fn lose(&mut self) {
        let Some(number) = self.pick(|connection| !connection.given_up) else { return };
        self.counts.lost += 1;
        let late = self.dice.chance(50);
        let connection = self.process.connections.get_mut(&number).expect("picked");
        connection.given_up = true;
        let gateway = connection.gateway;
        if !late {
            self.process.connections.remove(&number);
        }
        if self.gateways[gateway].connection == Some(number) {
            self.gateways[gateway].disconnected();
        }
        self.trace.note(|| {
            format!(
                "{number} is lost, {}",
                if late { "what is under way may still come" } else { "with all under way" }
            )
        });
    }

    fn connect(&mut self, gateway: usize) {
        if self.gateways[gateway].connection.is_some() {
            return;
        }
        let now_ms = self.now_ms();
        let asking = &mut self.gateways[gateway];
        asking.session += 1;
        let pass = self.process.sessions.admit(asking.instance, asking.session);
        let pass = pass.expect("a session higher than all before is admitted");
        let number = self.next_connection;
        self.next_connection += 1;
        asking.welcomed(number, now_ms, self.mono_ms);
        let connection = Connection {
            gateway,
            pass,
            outbox: Rc::default(),
            epochs: VecDeque::new(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            given_up: false,
        };
        self.process.connections.insert(number, connection);
        let session = self.gateways[gateway].session;
        self.trace.note(|| format!("{number} is gateway {gateway}, session {session}"));
    }

    /// Outcomes that only the log knows; their entries must be durable.
    pub fn search(&mut self) {
        for (asked, search, applied) in std::mem::take(&mut self.searches) {
            let Process { log, .. } = &self.process;
            let search = match search {
                Search::Outcome(search) => search,
                Search::Statement(search) => {
                    let active = &self.process.store.programmes()[asked.programme as usize - 1];
                    let keys = self.process.store.shape().keys;
                    let page = tidegate::server::statement::page(&log.pages, &keys, &active.programme, &search);
                    match page {
                        Ok(view) => match self.model.judge_statement(&asked, &view) {
                            Ok(()) => continue,
                            Err(why) => return self.fail(format!("{why}\n  asked {asked:?}: {view:?}")),
                        },
                        Err(LogError::Storage { .. }) => return self.trace.note(|| "the log cannot be read".into()),
                        Err(error) => return self.fail(format!("a statement cannot be read: {error}")),
                    }
                }
            };
            let view = match tidegate::server::outcome::search(&log.pages, &search) {
                Ok(view) => view,
                // Without power nothing can be read; the stream fails, and whoever asked asks again.
                Err(LogError::Storage { .. }) => return self.trace.note(|| "the log cannot be read".into()),
                Err(error) => return self.fail(format!("an outcome cannot be looked up: {error}")),
            };
            self.trace.note(|| format!("{asked:?} -> outcome {view:?}"));
            // It is told as of when it was asked: what came later may have applied it, or let its time pass.
            if let Err(why) = self.model.judge_search(&asked, &view, applied) {
                return self.fail(format!("{why}\n  asked {asked:?}"));
            }
        }
    }

    /// Asks about everybody and everything, against the model.
    pub fn look_at_all(&mut self) {
        let now_ms = self.now_ms();
        let store = Arc::clone(&self.process.store);
        if let Err(why) = look(&store, &mut self.model, now_ms) {
            self.fail(why);
        }
    }

    /// Whether something waits for the log.
    pub fn has_searches(&self) -> bool {
        !self.searches.is_empty()
    }

    /// Whether the server takes changes.
    pub fn has_room(&self) -> bool {
        self.later().is_none() && self.process.store.busy().is_none()
    }

    /// How many epochs that changed something stand behind `last`, up to `promised`.
    pub fn lost_between(&self, last: u64, promised: u64) -> usize {
        let changed = self.ends.keys().copied().chain([self.changed_in]);
        changed.filter(|epoch| *epoch > last && *epoch <= promised).count()
    }

    /// The model as it was at the end of an epoch, if that is known.
    pub fn as_of(&self, epoch: u64) -> Option<Model> {
        if epoch >= self.changed_in {
            return Some(self.model.clone());
        }
        self.ends.range(..=epoch).next_back().map(|(_, model)| model.clone())
    }

    /// The server goes: nothing new is decided, everything decided is told.
    pub fn drain(&mut self) {
        self.process.draining = true;
    }

    /// Another process has recovered the model's state; every connection of the one before is gone.
    pub fn restarted(&mut self, process: Process, model: Model, durable: u64) {
        self.process = process;
        self.model = model;
        self.ends.clear();
        self.changed_in = durable;
        self.searches.clear();
        self.operator.clear();
        self.gateways.iter_mut().for_each(Gateway::disconnected);
        for (programme, member, id) in &self.applied_told {
            if !self.model.has_applied(*programme, *member, *id) {
                let why = format!("I4: {programme}/{member} was told that {id} is applied, and it is lost");
                return self.fail(why);
            }
        }
    }

    /// Lets the machine's time pass to where something may be due again.
    pub fn sleep(&mut self, ms: i64) {
        self.mono_ms += ms;
        self.trace.note(|| format!("{ms} ms pass"));
    }
}

/// Asks a store about everybody and everything, and holds it against a model.
pub fn look(store: &Store, model: &mut Model, now_ms: i64) -> Result<(), String> {
    let id = RequestId::mint(now_ms, [0; 10]);
    let mut all = Vec::new();
    for programme in 1..=model.programme_count() {
        let members = (0..MEMBERS).flat_map(|member| [(member, Ask::GetMember), (member, Ask::GetLots)]);
        let campaigns = (1..=model.campaigns(programme)).map(|number| (0, Ask::GetCampaign(number)));
        all.extend(members.chain(campaigns).map(|(member, ask)| Asked {
            programme,
            member,
            id,
            deadline_ms: 1_000,
            ask,
        }));
    }
    let mut turn = Turn::default();
    for chunk in all.chunks(8) {
        let mut bytes = Vec::new();
        let start = batch::start_requests(&mut bytes);
        chunk.iter().for_each(|asked| bytes.extend(wire::entry(asked)));
        batch::finish_requests(&mut bytes, start, chunk.len() as u16);
        let mut answers = Vec::new();
        let start = batch::start_answers(&mut answers);
        let done = store.execute(&mut turn, now_ms, &bytes, &Scope::All, None, &mut answers).expect("a batch");
        batch::finish_answers(&mut answers, start, now_ms, done.count);
        let now = Circumstances { now_ms, epoch: store.filling_epoch(), later: None };
        for told in Answers::new(&answers).expect("answers") {
            let told = told.expect("an answer");
            model.judge(now, &chunk[usize::from(told.index)], &Told { code: told.code, body: told.body.to_vec() })?;
        }
    }
    Ok(())
}
