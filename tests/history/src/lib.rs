//! Histories: what concurrent clients asked and were told, and when; and whether a server that decides one request after the other
//! can have told it.
//!
//! [`Recorder`] notes calls as they begin and end. [`check_members`] looks for an order of each member's events that the rules allow and real
//! time does not forbid (linearizability, by the search of Wing and Gong). [`check_quota`] holds grants and "sold out" against the
//! quota, over all members. A call without an answer may have happened or not.
//!
//! The model is the checker's own: it shares no rule with the engine.

#![forbid(unsafe_code)]

mod check;
mod model;
mod quota;
mod record;
mod traffic;

pub use check::{NotLinearizable, check_member, check_members};
pub use model::{Rules, State};
pub use quota::{Totals, check_quota};
pub use record::{Recorder, Session};
pub use traffic::{Dice, wander};

/// What a member asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// To be enrolled.
    Enrol,
    /// To be checked in for today.
    CheckIn,
    /// To have an order recorded: its number, below 64, and what it is worth in points.
    Order {
        /// The number.
        number: u8,
        /// The points.
        points: i64,
    },
    /// The offer.
    Redeem,
    /// What it has.
    Get,
}

/// What it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    /// Enrolled by this request.
    Enrolled,
    /// Enrolled by another.
    AlreadyEnrolled,
    /// Checked in by this request.
    CheckedIn {
        /// The local day.
        day: i32,
        /// Points before.
        before: i64,
        /// Points after.
        after: i64,
    },
    /// Checked in on this day before.
    AlreadyCheckedIn {
        /// The local day.
        day: i32,
    },
    /// Recorded by this request.
    Recorded {
        /// Points before.
        before: i64,
        /// Points after.
        after: i64,
    },
    /// Recorded before.
    AlreadyRecorded,
    /// Granted by this request.
    Granted {
        /// Points before.
        before: i64,
        /// Points after.
        after: i64,
        /// The number of the grant in its campaign, from 1.
        grant: u64,
    },
    /// Too few points.
    NotEnough {
        /// Those it has.
        balance: i64,
    },
    /// As often as it may.
    LimitReached {
        /// How often it did.
        used: u32,
    },
    /// Nothing is left.
    SoldOut,
    /// No member of this key.
    NoMember,
    /// What it has.
    View {
        /// Points.
        balance: i64,
        /// Points it ever earned.
        earned: i64,
        /// Redemptions that count towards its limit.
        used: u32,
        /// The last local day it checked in; `None` if it never did.
        last_day: Option<i32>,
    },
    /// Refused without a look at the member (too busy, past its deadline): it did not happen, and never will.
    Never,
    /// No answer: it may have happened, or may yet, or not.
    Unknown,
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Whose.
    pub member: u64,
    /// What was asked.
    pub ask: Ask,
    /// What was told.
    pub seen: Seen,
    /// When it began: no two events share an instant.
    pub began: u64,
    /// When its answer came; never, if there was none.
    pub ended: u64,
}

/// An end that never came.
pub const NEVER: u64 = u64::MAX;
