//! What is asked and answered, in the model's words.

use tidegate_protocol::code::name;
use tidegate_protocol::{Decode, RequestId, decode};

use super::holds::Basket;

/// An order as a member sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The channel, perhaps one that nobody declared.
    pub channel: String,
    /// Its number there.
    pub number: String,
    /// When it was paid.
    pub paid_at_ms: i64,
    /// What was paid, where there are no lines.
    pub amount_minor: i64,
    /// The store.
    pub store: String,
    /// What was paid for bringing it, where there are lines.
    pub freight_minor: i64,
    /// Its lines; none if it is told without.
    pub lines: Option<Vec<Line>>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its category.
    pub category: String,
    /// How many.
    pub quantity: u32,
    /// What they cost.
    pub amount_minor: i64,
    /// What a coupon took off.
    pub coupon_minor: i64,
    /// What was paid in points.
    pub points_minor: i64,
}

/// An activity as a member sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Which, perhaps one that nobody declared.
    pub activity: String,
    /// Its key; empty if it has none.
    pub key: String,
    /// When it happened.
    pub happened_ms: i64,
    /// Its minutes, if they are told.
    pub minutes: Option<i64>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Become a member.
    Enrol,
    /// Today's check-in.
    CheckIn,
    /// An order's points.
    Order(Order),
    /// Something that the programme declares.
    Act(Act),
    /// A check-in that comes in late: when it happened.
    RecordCheckIn(i64),
    /// A missed day is made up for.
    MakeUp(i32),
    /// The zone of the member's days.
    SetZone(String),
    /// A tag, given or taken.
    SetTag(String, bool),
    /// An answer to a question of a quiz.
    Answer {
        /// The quiz's slug.
        quiz: String,
        /// The question's.
        question: String,
        /// One of its options.
        answer: String,
    },
    /// An order is said to be the member's own.
    Claim {
        /// The channel.
        channel: String,
        /// Its number there.
        number: String,
        /// Sixteen times this byte.
        proof: u8,
    },
    /// An order, and its proof, that nobody's member paid.
    Report(Order, u8),
    /// An order was received.
    Receive {
        /// The channel.
        channel: String,
        /// Its number there.
        number: String,
        /// When.
        happened_ms: i64,
    },
    /// How it stands with a claim.
    GetClaim {
        /// The channel.
        channel: String,
        /// The order's number there.
        number: String,
    },
    /// A new member says who invited it.
    Accept(u64),
    /// One of a right.
    UseRight(String),
    /// A birthday: month and day.
    SetBirthday(u8, u8),
    /// An offer of a campaign, both by number.
    Redeem(u32, u32),
    /// A checkout is held.
    Hold(Basket),
    /// What is held under an id is taken.
    Confirm(RequestId),
    /// Part of it.
    ConfirmPart(RequestId, Basket),
    /// What is held under an id is given back.
    Cancel(RequestId),
    /// What the member holds.
    GetHolds,
    /// What the member has.
    GetMember,
    /// The member's points, lot by lot.
    GetLots,
    /// Where the member stands.
    GetStanding,
    /// What is kept of the member beside its points.
    GetProfile,
    /// The questions of a quiz.
    GetQuiz(String),
    /// The first page of the member's statement.
    GetStatement,
    /// What a campaign, by number, offers.
    GetCampaign(u32),
    /// What became of an id.
    GetOutcome(RequestId),
}

impl Ask {
    /// The natural key, of what has one.
    pub(super) fn key(&self) -> Option<(String, String)> {
        match self {
            Ask::Order(order) | Ask::Report(order, _) => {
                Some((format!("order {}", order.channel), order.number.clone()))
            }
            Ask::Act(act) if !act.key.is_empty() => Some((format!("activity {}", act.activity), act.key.clone())),
            _ => None,
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The programme's number.
    pub programme: u32,
    /// Who asks.
    pub member: u64,
    /// Its id.
    pub id: RequestId,
    /// Its deadline, counted from the id's time.
    pub deadline_ms: u32,
    /// What it asks.
    pub ask: Ask,
}

/// What the engine answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The code.
    pub code: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Told {
    pub(super) fn read<T: Decode<()>>(&self) -> Result<T, String> {
        decode(&self.body).map_err(|error| format!("`{}` with a body that does not read: {error}", name(self.code)))
    }
}

/// What every answer is given against.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// The server's time.
    pub now_ms: i64,
    /// The epoch that fills.
    pub epoch: u64,
    /// The code with which changes are refused now, if they are.
    pub later: Option<u16>,
}

/// What a judgement finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request changed the state now.
    pub applied: bool,
    /// The epoch of the newest change that the answer reveals.
    pub reveals: u64,
}
