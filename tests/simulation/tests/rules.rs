//! The rules alone, without faults: a million random operations against random programmes, decided by the engine and by the model, and no
//! difference between them.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::sync::Arc;

use tidegate::data::{self, Opened, Options, Seed};
use tidegate::log::{Ahead, LogOptions, Retention};
use tidegate::programme::{Bundle, BundleFile};
use tidegate::storage::Memory;
use tidegate::store::{ActivationError, HashKeys, Limits, Scope, Turn};
use tidegate_protocol::answer::WouldBe;
use tidegate_protocol::batch::{self, Answers, Entries, Entry};
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::operation::DryRun;
use tidegate_protocol::{MemberKey, RequestId, decode};
use tidegate_simulation::dice::Dice;
use tidegate_simulation::model::{Ask, Asked, Circumstances, Model, Told};
use tidegate_simulation::rules::Rules;
use tidegate_simulation::{asking, claims, entry, holds, quizzes};

const WORLDS: u64 = 100;
const OPERATIONS: u64 = 10_000;
const MEMBERS: u64 = 24;
/// 2026-03-07 00:00 UTC: New York changes its clock on the next day, the others within the months to come.
const START_MS: i64 = 1_772_841_600_000;

struct World {
    opened: Opened,
    model: Model,
    rules: Rules,
    dice: Dice,
    turn: Turn,
    now_ms: i64,
    minted: u64,
    asked: Vec<Asked>,
    held: Vec<holds::Held>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice::new(seed);
        let limits = Limits { members: MEMBERS - 2, answers: 4_096, ..Limits::default() };
        let log = LogOptions {
            segment_bytes: 1 << 22,
            max_epoch_bytes: 1 << 20,
            block_bytes: 1 << 16,
            spares: 1,
            ahead: Ahead::Step,
            retention: Retention { bytes: 0, age_ms: None },
        };
        let options = Options { shards: 2, limits, log, workers: 0, ..Options::default() };
        let seed = Seed { directory: [1; 16], keys: HashKeys { short: [2; 16], long: [3; 16] } };
        let opened = data::open(Arc::new(Memory::new()), options, Some(seed), &mut |_| {}).unwrap();
        let rules = Rules::random(&mut dice, "club", START_MS);
        let model = Model::new(true, limits.members);
        let mut world = World {
            opened,
            model,
            rules,
            dice,
            turn: Turn::default(),
            now_ms: START_MS,
            minted: 0,
            asked: Vec::new(),
            held: Vec::new(),
        };
        world.activate(world.rules.clone());
        world
    }

    fn activate(&mut self, rules: Rules) {
        let file = BundleFile { name: "programme.toml".into(), text: rules.to_toml() };
        let bundle = Bundle::from_files(vec![file]).unwrap();
        let store = &self.opened.store;
        let (replaces, stands_in) = (self.model.version(1), store.filling_epoch() + 1);
        match store.activate(bundle, replaces, false, self.now_ms) {
            Ok(_) => {
                self.model.activate(1, rules.clone(), self.now_ms, stands_in);
                self.rules = rules;
            }
            // What was due is to be written down before, and the disk is behind.
            Err(ActivationError::Behind) => {
                self.drain();
                self.activate(rules);
            }
            // A window whose counts are folded is not to open again.
            Err(error) => assert!(error.to_string().contains("told apart"), "{error}\n{}", rules.to_toml()),
        }
    }

    fn drain(&mut self) {
        while self.opened.store.is_dirty() || self.opened.store.has_ended_epochs() {
            self.opened.flusher.turn().unwrap();
        }
    }

    fn pass(&mut self) {
        self.now_ms += match self.dice.below(100) {
            0..90 => self.dice.between(0, 20_000),
            90..97 => self.dice.between(0, 7_200_000),
            _ => self.dice.between(0, 90_000_000),
        };
        match self.dice.below(400) {
            0 => {
                let mut rules = self.rules.clone();
                rules.change(&mut self.dice, self.now_ms);
                self.activate(rules);
            }
            1..4 => {
                self.opened.store.sweep(self.now_ms, self.dice.between(0, 9) as usize);
                self.opened.store.maintain(self.now_ms);
                self.model.maintain(self.now_ms);
            }
            4..10 => self.drain(),
            10..16 => self.publish(),
            _ => {}
        }
    }

    fn publish(&mut self) {
        let body = quizzes::question(&mut self.dice, "club", self.now_ms);
        let epoch = self.opened.store.filling_epoch();
        let published = self.opened.store.publish_question(&body, self.now_ms);
        let published = published.map(|(published, _)| published).map_err(|error| error.to_string());
        self.model.publish(1, &body, self.now_ms, epoch, published).unwrap();
    }

    fn ask(&mut self) -> Asked {
        self.minted += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.minted.to_be_bytes());
        let id = RequestId::mint(self.now_ms, random);
        let mut member = self.dice.below(MEMBERS);
        let ask = match self.dice.below(51) {
            0 => Ask::Enrol,
            1..6 => Ask::CheckIn,
            6..11 => Ask::Order(asking::order(&mut self.dice, self.now_ms, 4_000)),
            20..23 => Ask::Act(asking::act(&mut self.dice, self.now_ms, 2_000)),
            25 if self.dice.chance(20) => asking::birthday(&mut self.dice),
            23 => Ask::UseRight(asking::right(&mut self.dice)),
            24..26 => Ask::GetStanding,
            33..35 => Ask::Accept(self.dice.below(MEMBERS + 1)),
            35..41 => {
                let last = &self.asked[self.asked.len().saturating_sub(24)..];
                let (of, ask) = claims::ask(&mut self.dice, self.now_ms, member, last);
                member = of;
                ask
            }
            41..51 => {
                let (of, ask) = holds::ask(&mut self.dice, member, &self.model.offers(1), &self.held);
                member = of;
                ask
            }
            29..33 => quizzes::ask(&mut self.dice),
            26..29 => asking::days(&mut self.dice, self.now_ms),
            11..16 => Ask::Redeem(
                1 + self.dice.below(u64::from(self.model.campaigns(1))) as u32,
                1 + self.dice.below(2) as u32,
            ),
            16..18 => Ask::GetLots,
            18 => Ask::GetMember,
            _ if !self.asked.is_empty() => return self.dice.one(&self.asked).clone(),
            _ => Ask::Enrol,
        };
        let asked = Asked { programme: 1, member, id, deadline_ms: 300_000, ask };
        if self.asked.len() == 64 {
            self.asked.remove(0);
        }
        self.asked.push(asked.clone());
        asked
    }

    /// What a dry run says of a request that is new, now and then: the code that it is then answered, whatever it is.
    fn would_be(&mut self, asked: &Asked) -> Option<u16> {
        let bytes = self.frame(&entry(asked));
        let Entry { code, body, .. } = Entries::new(&bytes).unwrap().next().unwrap().unwrap();
        let dryable = code < op::GET_MEMBER && code != op::CLAIM_ORDER && code != op::REPORT_ORDER;
        if !dryable || asked.id.time_ms() != self.now_ms || !self.dice.chance(20) {
            return None;
        }
        let (member, body) = (MemberKey::from_number(asked.member), body.to_vec().try_into().unwrap());
        let mut dry = Vec::new();
        batch::push_entry(&mut dry, op::DRY_RUN, 1, 0, RequestId([0; 16]), &DryRun { member, code, body });
        let (bytes, mut answers) = (self.frame(&dry), Vec::new());
        let start = batch::start_answers(&mut answers);
        let done = self.opened.store.execute(&mut self.turn, self.now_ms, &bytes, &Scope::All, None, &mut answers);
        batch::finish_answers(&mut answers, start, self.now_ms, done.unwrap().count);
        let told = Answers::new(&answers).unwrap().next().unwrap().unwrap();
        assert_eq!(told.code, answer::WOULD_BE);
        Some(decode::<WouldBe>(told.body).unwrap().code)
    }

    /// A frame of one entry.
    fn frame(&self, entry: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let start = batch::start_requests(&mut bytes);
        bytes.extend_from_slice(entry);
        batch::finish_requests(&mut bytes, start, 1);
        bytes
    }

    fn step(&mut self) -> Result<bool, String> {
        self.pass();
        let asked = self.ask();
        let would = self.would_be(&asked);
        let (bytes, mut answers) = (self.frame(&entry(&asked)), Vec::new());
        let start = batch::start_answers(&mut answers);
        let epoch = self.opened.store.filling_epoch();
        let done = self.opened.store.execute(&mut self.turn, self.now_ms, &bytes, &Scope::All, None, &mut answers);
        let done = done.unwrap();
        batch::finish_answers(&mut answers, start, self.now_ms, done.count);
        let told = Answers::new(&answers).unwrap().next().unwrap().unwrap();
        let told = Told { code: told.code, body: told.body.to_vec() };
        if let Some(would) = would.filter(|would| *would != told.code) {
            return Err(format!("{asked:?} is answered {:#06x}, and was to be {would:#06x}", told.code));
        }
        match &asked.ask {
            Ask::Hold(_) if told.code == answer::HELD => holds::remember(&mut self.held, &asked),
            // What is over is rarely asked for again.
            Ask::Confirm(id) | Ask::ConfirmPart(id, _) | Ask::Cancel(id) if self.dice.chance(80) => {
                self.held.retain(|(_, known, _)| known != id);
            }
            _ => {}
        }
        let now = Circumstances { now_ms: self.now_ms, epoch, later: None };
        let verdict = self.model.judge(now, &asked, &told)?;
        if verdict.reveals > done.epoch {
            return Err(format!("{asked:?} reveals epoch {}, and may be told at {}", verdict.reveals, done.epoch));
        }
        Ok(verdict.applied)
    }
}

#[test]
fn a_million_random_operations_come_to_what_the_model_says() {
    let mut applied = 0;
    for seed in 0..WORLDS {
        let mut world = World::new(seed);
        for operation in 0..OPERATIONS {
            let step = world.step().unwrap_or_else(|why| panic!("world {seed}, operation {operation}: {why}"));
            applied += u64::from(step);
        }
        world.drain();
        let books = world.opened.store.books();
        assert!(books.balance(), "world {seed}: {books:?}");
    }
    assert!(applied > WORLDS * OPERATIONS / 6, "only {applied} operations changed anything");
}
