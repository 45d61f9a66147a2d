//! The script: 300 requests over all operations, with activations, snapshots and maintenance between them, the same from every seed.

use tidegate_protocol::code::op;
use tidegate_protocol::operation::{CheckIn, Enrol, GetCampaign, GetMember, GetOutcome, RecordOrder, Redeem};
use tidegate_protocol::{Encode, RequestId};

use crate::asking::{Dice, id, member, request, text};

/// Requests in a script.
pub const REQUESTS: usize = 300;

/// Keys that take part; not all enrol.
pub const MEMBERS: u64 = 12;

/// How long the programme remembers orders.
pub const REMEMBER_MS: i64 = 48 * HOUR_MS as i64;

const START_MS: i64 = 1_772_323_200_000;
const HOUR_MS: u64 = 3_600_000;

/// The programme all is about, as it begins.
pub const CLUB: &str = r#"
programme = "club"
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["mall", "web"]
earning = { points = 1, per = "1.00", rounding = "down" }
check-in = { points = 5, streak = [{ day = 2, bonus = 3 }], cycle = 7 }
orders = { remember = "2d" }
[[tier]]
slug = "basic"
from = 0
[[tier]]
slug = "gold"
from = 300
[campaign.daily]
window = { every = "day", from = "00:00", until = "24:00" }
per_member = { times = 1, each = "window", over = "all offers" }
quota = { each = "window", total = 5, by_tier = { basic = 3 } }
[[campaign.daily.offer]]
sku = "A"
price = { basic = { points = 5 }, gold = { points = 3 } }
quota = { each = "window", total = 4 }
[[campaign.daily.offer]]
sku = "B"
price = { gold = { points = 15 } }
"#;

/// What the second version has more: a campaign whose quotas do not stand beside those of the first.
pub const MORE: &str = r#"
[campaign.once]
window = { from = "2026-03-01 00:00", until = "2026-04-01 00:00" }
per_member = { times = 1, each = "window", over = "each offer" }
[[campaign.once.offer]]
sku = "C"
price = { points = 5 }
quota = { each = "window", total = 6 }
"#;

/// A second programme with members of the same keys.
pub const OTHER: &str = r#"
programme = "other"
zone = "Europe/Paris"
currency = "EUR"
brands = ["house"]
check-in = { points = 2 }
[campaign.gift]
window = { every = "week", from = "monday 08:00", until = "sunday 24:00" }
[[campaign.gift.offer]]
sku = "G"
price = { points = 2 }
quota = { each = "window", total = 3 }
"#;

/// One request.
#[derive(Debug, Clone)]
pub struct Ask {
    /// When it arrives.
    pub now_ms: i64,
    /// Its programme.
    pub programme: u32,
    /// Whose it is.
    pub member: u64,
    /// Its operation.
    pub op: u16,
    /// The campaign it is about; 0 if none.
    pub campaign: u32,
    /// The order it records.
    pub order: Option<RecordOrder>,
    /// Its id.
    pub id: RequestId,
    /// The batch that holds it.
    pub bytes: Vec<u8>,
}

/// One step.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a script is short, and most of its steps are requests")]
pub enum Step {
    /// A request.
    Ask(Ask),
    /// A programme's text comes in force.
    Activate { text: String, replaces: u32, now_ms: i64 },
    /// What is due is forgotten and folded.
    Maintain { now_ms: i64 },
    /// A snapshot is written, with requests between its sections.
    Snapshot { during: Vec<Ask>, now_ms: i64 },
    /// The snapshot is published once its last epoch is durable, and older log archived.
    Publish,
    /// The flusher makes an epoch durable.
    Turn,
}

/// Makes scripts.
struct Writer {
    dice: Dice,
    now_ms: i64,
    made: u64,
    asks: Vec<Ask>,
    enrolled: [bool; 2 * MEMBERS as usize],
}

/// The script of a seed.
pub fn script(seed: u64) -> Vec<Step> {
    let mut writer = Writer {
        dice: Dice(seed),
        now_ms: START_MS,
        made: 0,
        asks: Vec::new(),
        enrolled: [false; 2 * MEMBERS as usize],
    };
    let mut steps = vec![
        Step::Activate { text: CLUB.into(), replaces: 0, now_ms: START_MS },
        Step::Activate { text: OTHER.into(), replaces: 0, now_ms: START_MS },
        Step::Turn,
    ];
    while writer.asks.len() < REQUESTS {
        let at = writer.asks.len();
        let ask = writer.ask();
        steps.push(Step::Ask(ask));
        let now_ms = writer.now_ms;
        match at {
            150 => steps.push(Step::Activate { text: format!("{CLUB}{MORE}"), replaces: 1, now_ms }),
            220 => steps.push(Step::Activate { text: CLUB.replace("total = 5", "total = 2"), replaces: 2, now_ms }),
            _ if at % 45 == 44 => {
                let during = (0..3).map(|_| writer.ask()).collect();
                steps.push(Step::Snapshot { during, now_ms });
            }
            _ if at % 45 == 3 => steps.push(Step::Publish),
            _ if at % 25 == 24 => steps.push(Step::Maintain { now_ms }),
            _ => {}
        }
        if writer.dice.below(2) == 0 {
            steps.push(Step::Turn);
        }
    }
    steps.extend([Step::Turn, Step::Publish]);
    steps
}

impl Writer {
    fn ask(&mut self) -> Ask {
        let quick = self.dice.below(2) == 0;
        let passes = if quick { self.dice.below(4_000) } else { self.dice.below(3 * HOUR_MS) };
        self.now_ms += passes as i64;
        let programme = if self.dice.below(6) == 0 { 2 } else { 1 };
        let member = self.dice.below(MEMBERS);
        let at = (programme - 1) as usize * MEMBERS as usize + member as usize;
        let ask = if !self.enrolled[at] && self.dice.below(10) > 0 {
            self.enrolled[at] = true;
            self.fresh(programme, member, op::ENROL, 0, &Enrol { member: self::member(member) })
        } else {
            self.other(programme, member)
        };
        self.asks.push(ask.clone());
        ask
    }

    fn other(&mut self, programme: u32, who: u64) -> Ask {
        let member = self::member(who);
        match self.dice.below(100) {
            0..4 => self.fresh(programme, who, op::ENROL, 0, &Enrol { member }),
            4..24 => self.fresh(programme, who, op::CHECK_IN, 0, &CheckIn { member }),
            24..46 => self.order(programme, who),
            46..76 => {
                let campaign = 1 + u32::from(self.dice.below(5) == 0);
                let offer = 1 + u32::from(self.dice.below(4) == 0);
                self.fresh(programme, who, op::REDEEM, campaign, &Redeem { member, campaign, offer })
            }
            76..86 => self.again(),
            86..90 => self.conflict(),
            90..94 => self.fresh(programme, who, op::GET_MEMBER, 0, &GetMember { member }),
            94..97 => {
                let body = GetCampaign { campaign: 1, slug: text("") };
                self.fresh(programme, who, op::GET_CAMPAIGN, 1, &body)
            }
            _ => {
                let before = self.before();
                let body = GetOutcome { member: self::member(before.member), id: before.id };
                self.fresh(before.programme, before.member, op::GET_OUTCOME, 0, &body)
            }
        }
    }

    fn fresh<T: Encode>(&mut self, programme: u32, member: u64, op: u16, campaign: u32, body: &T) -> Ask {
        self.made += 1;
        let id = id(self.now_ms, self.made);
        let bytes = request(op, programme, id, body);
        Ask { now_ms: self.now_ms, programme, member, op, campaign, order: None, id, bytes }
    }

    fn before(&mut self) -> Ask {
        let far = if self.dice.below(3) == 0 { 150 } else { 8 };
        let back = 1 + self.dice.below(self.asks.len().min(far) as u64) as usize;
        self.asks[self.asks.len() - back].clone()
    }

    /// A retry: the same bytes again.
    fn again(&mut self) -> Ask {
        Ask { now_ms: self.now_ms, ..self.before() }
    }

    /// An id used again for something else.
    fn conflict(&mut self) -> Ask {
        let before = self.before();
        let body = Redeem { member: member(before.member), campaign: 1, offer: 2 };
        let bytes = request(op::REDEEM, before.programme, before.id, &body);
        Ask { now_ms: self.now_ms, op: op::REDEEM, campaign: 1, order: None, bytes, ..before }
    }

    /// A new order, one recorded before, one with other contents, or one paid long ago.
    fn order(&mut self, programme: u32, member: u64) -> Ask {
        let known: Vec<(u64, RecordOrder)> =
            self.asks.iter().rev().filter_map(|ask| Some((ask.member, ask.order?))).take(12).collect();
        let fresh = RecordOrder {
            member: self::member(member),
            paid_at_ms: self.now_ms - self.dice.below(HOUR_MS) as i64,
            amount_minor: self.dice.below(20_000) as i64,
            brand: text("house"),
            channel: text(if self.dice.below(2) == 0 { "mall" } else { "web" }),
            store: text(""),
            number: text(&format!("N-{}", self.made)),
        };
        let old = (!known.is_empty()).then(|| known[self.dice.below(known.len() as u64) as usize]);
        let (member, order) = match (self.dice.below(10), old) {
            (0..2, Some(old)) => old,
            (2..4, Some((member, order))) => (member, RecordOrder { amount_minor: order.amount_minor + 100, ..order }),
            // Its number again, for a payment of today: new once the first is forgotten.
            (4, Some((member, order))) => (member, RecordOrder { paid_at_ms: self.now_ms, ..order }),
            (5, _) => (member, RecordOrder { paid_at_ms: self.now_ms - 3 * 24 * HOUR_MS as i64, ..fresh }),
            _ => (member, fresh),
        };
        Ask { order: Some(order), ..self.fresh(programme, member, op::RECORD_ORDER, 0, &order) }
    }
}
