//! The store by property: never too many (I2), at most once for ever (I3), the same state live and recovered (I5), books that balance (I6),
//! programmes apart (I10), and bytes that are named and never panic on (I7).

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod asking;
#[path = "store/bytes.rs"]
mod bytes;
#[path = "store/claims.rs"]
mod claims;
#[path = "store/closing.rs"]
mod closing;
#[path = "store/cuts.rs"]
mod cuts;
#[path = "store/damage.rs"]
mod damage;
#[path = "store/dry.rs"]
mod dry;
#[path = "store/frames.rs"]
mod frames;
#[path = "store/full.rs"]
mod full;
#[path = "store/golden.rs"]
mod golden;
#[path = "store/holds.rs"]
mod holds;
#[path = "store/lots.rs"]
mod lots;
#[path = "store/once.rs"]
mod once;
#[path = "store/quotas.rs"]
mod quotas;
#[path = "store/recovery.rs"]
mod recovery;
#[path = "store/resting.rs"]
mod resting;
#[path = "store/said.rs"]
mod said;
#[path = "store/sections.rs"]
mod sections;
#[path = "store/standing.rs"]
mod standing;
#[path = "store/statement.rs"]
mod statement;

use std::sync::Arc;

use asking::{Told, bundle, id, request};
use tidegate::data::{self, Opened, Options, Seed};
use tidegate::log::{Ahead, LogOptions, Retention};
use tidegate::storage::Memory;
use tidegate::store::{HashKeys, Limits, Store};
use tidegate_protocol::answer::{CampaignView, MemberView};
use tidegate_protocol::code::op;
use tidegate_protocol::operation::{CheckIn, Enrol, GetCampaign, GetMember, RecordOrder, Redeem};
use tidegate_protocol::{Encode, RequestId};

/// 2026-03-20 10:00 in Shanghai.
const NOON_MS: i64 = 1_773_972_000_000;
const DAY_MS: i64 = 24 * 3_600_000;

const SEED: Seed = Seed { directory: *b"tidegate-storing", keys: HashKeys { short: [5; 16], long: [6; 16] } };

fn options(shards: u32, limits: Limits) -> Options {
    let log = LogOptions {
        segment_bytes: 1 << 22,
        max_epoch_bytes: 1 << 20,
        block_bytes: 1 << 16,
        spares: 1,
        ahead: Ahead::Step,
        retention: Retention { bytes: 1 << 30, age_ms: None },
    };
    Options { shards, limits, log, workers: 0, ..Options::default() }
}

fn open(memory: &Memory, options: Options) -> Opened {
    data::open(Arc::new(memory.clone()), options, Some(SEED), &mut |_| {}).unwrap()
}

/// A store with a programme in force as number 1.
fn opened_with(programme: &str, options: Options) -> (Memory, Opened) {
    let memory = Memory::new();
    let opened = open(&memory, options);
    opened.store.activate(bundle(programme), 0, false, NOON_MS - DAY_MS).unwrap();
    (memory, opened)
}

/// Takes a snapshot; between its sections, `meanwhile` goes on.
fn snapshot(opened: &mut Opened, mut meanwhile: impl FnMut(&Store)) {
    let written = opened.snapshotter.write(NOON_MS, |_| meanwhile(&opened.store)).unwrap();
    drain(opened);
    let log = opened.flusher.state();
    let oldest = opened.snapshotter.publish(written, log.watermark.durable(), log.counters().1, &[]).unwrap();
    log.pages.archive_before(oldest).unwrap();
}

/// Makes everything durable that was decided.
fn drain(opened: &mut Opened) {
    while opened.store.is_dirty() || opened.store.has_ended_epochs() {
        opened.flusher.turn().unwrap();
    }
}

/// A client of one store that mints an id for every request.
struct Client<'a> {
    store: &'a Store,
    programme: u32,
    now_ms: i64,
    minted: u64,
    /// Whether each request that changes a member is asked in a dry run before it is made, which must say what comes of it.
    dry: bool,
}

impl<'a> Client<'a> {
    fn new(store: &'a Store) -> Client<'a> {
        Client { store, programme: 1, now_ms: NOON_MS, minted: 0, dry: false }
    }

    /// Ids of different clients differ.
    fn numbered(self, number: u64) -> Client<'a> {
        Client { minted: number << 32, ..self }
    }

    fn mint(&mut self) -> RequestId {
        self.minted += 1;
        id(self.now_ms, self.minted)
    }

    fn ask<T: Encode>(&mut self, op: u16, body: &T) -> Told {
        let id = self.mint();
        self.ask_with(id, op, body)
    }

    fn ask_with<T: Encode>(&mut self, id: RequestId, op: u16, body: &T) -> Told {
        let would = self.dry.then(|| dry::would_be(self, op, body));
        let told = asking::ask(self.store, self.now_ms, &request(op, self.programme, id, body));
        if let Some(would) = would {
            dry::compare(op, &would, &told);
        }
        told
    }

    fn enrol(&mut self, member: u64) -> Told {
        self.ask(op::ENROL, &Enrol { member: asking::member(member) })
    }

    fn check_in(&mut self, member: u64) -> Told {
        self.ask(op::CHECK_IN, &CheckIn { member: asking::member(member) })
    }

    fn order(&mut self, member: u64, number: &str, yuan: i64) -> Told {
        let order = order(member, number, yuan, self.now_ms);
        self.ask(op::RECORD_ORDER, &order)
    }

    fn redeem(&mut self, member: u64, campaign: u32, offer: u32) -> Told {
        self.ask(op::REDEEM, &Redeem { member: asking::member(member), campaign, offer })
    }

    fn member(&mut self, member: u64) -> MemberView {
        self.ask(op::GET_MEMBER, &GetMember { member: asking::member(member) }).read()
    }

    fn campaign(&mut self, campaign: u32) -> CampaignView {
        self.ask(op::GET_CAMPAIGN, &GetCampaign { campaign, slug: asking::text("") }).read()
    }
}

fn order(member: u64, number: &str, yuan: i64, paid_at_ms: i64) -> RecordOrder {
    RecordOrder {
        member: asking::member(member),
        paid_at_ms,
        amount_minor: yuan * 100,
        brand: asking::text("house"),
        channel: asking::text("mall"),
        store: asking::text("S-1"),
        number: asking::text(number),
    }
}

/// A programme with orders, check-ins, and whatever campaigns are given.
fn club(slug: &str, campaigns: &str) -> String {
    format!(
        r#"
programme = "{slug}"
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["mall"]
earning = {{ points = 1, per = "1.00", rounding = "down" }}
check-in = {{ points = 5 }}
orders = {{ remember = "30d" }}
[[tier]]
slug = "basic"
from = 0
[[tier]]
slug = "gold"
from = 1000
{campaigns}
"#
    )
}

/// A hot offer with item, tier and period quotas: three cells count a basic member's redemption.
fn hot(times: u32, shared: u64, basic: u64, item: u64) -> String {
    format!(
        r#"
[campaign.hot]
window = {{ every = "month", from = "20 10:00", until = "last 24:00" }}
per_member = {{ times = {times}, each = "window", over = "all offers" }}
quota = {{ each = "window", total = {shared}, by_tier = {{ basic = {basic} }} }}
[[campaign.hot.offer]]
sku = "HOT"
price = {{ points = 10 }}
quota = {{ each = "window", total = {item} }}
[[campaign.hot.offer]]
sku = "WARM"
price = {{ points = 10 }}
quota = {{ each = "window", total = {item} }}
"#
    )
}
