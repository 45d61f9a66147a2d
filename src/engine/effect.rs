//! Effects: what an outcome does to a member, one by one, so that applying it needs no rules.
//!
//! A part says what happened (its change) and what came of it (its effects). Every operation is made of the same few
//! effects; a new one needs a new effect only where it touches something that none touched before.

use smallvec::SmallVec;
use tidegate_protocol::MemberKey;

use super::counters::Counter;
use super::days::Run;
use super::lots::LotName;
use super::pending::Pending;
use super::plans::Plan;
use super::rights::Right;
use crate::programme::Birthday;

/// The most effects of one outcome on one member: who rises through all tiers of a ladder and comes to every benefit has fewer.
pub const EFFECTS_MOST: usize = 160;

/// Cells that one effect names.
pub const CELLS_HELD: usize = 3;

/// Where an offer counts in no more cells.
pub const NO_CELL: u32 = u32::MAX;

/// The effects of an outcome, in the order in which they come.
pub type Effects = SmallVec<[Effect; 2]>;

/// One effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Points came in: what is owed is paid, the rest is a lot. They count as earned.
    Granted {
        /// How many.
        points: i64,
        /// The lot's name.
        name: LotName,
    },
    /// Points came in that open later. They count as earned when they open.
    Pended(Pending),
    /// Pending points were taken back: some of those that stand at a place in the order in which they open.
    Unpended {
        /// How many.
        points: i64,
        /// The place, from 0.
        at: u16,
    },
    /// Pending points became lots: all that opened by a second.
    Opened {
        /// How many.
        points: i64,
        /// The second.
        through_s: u32,
    },
    /// Lots expired: all that were due by a second.
    Expired {
        /// How many points.
        points: i64,
        /// The second.
        through_s: u32,
    },
    /// Points were spent, from the lots that expire first.
    Spent {
        /// How many.
        points: i64,
    },
    /// Lots that slide expire later now.
    Slid {
        /// From this second on.
        to_s: u32,
    },
    /// A limit was used: its counter, after.
    Used(Counter),
    /// Rights were given.
    RightGiven(Right),
    /// One of a right was used, of those that expire first.
    RightUsed {
        /// The right's number.
        number: u16,
    },
    /// Rights expired: all that were due by a second.
    RightsExpired {
        /// How many.
        count: u64,
        /// The second.
        through_s: u32,
    },
    /// The rules look at the member again at an instant, or no longer.
    Planned(Plan),
    /// The ladder counts so much more for a day.
    Progressed {
        /// What is counted: a number of the programme's.
        measure: u8,
        /// The local day.
        day: i32,
        /// How much more.
        value: i64,
    },
    /// The member's birthday was said.
    Birthday(Birthday),
    /// Days in a row that are not the newest: runs within are part of it.
    Ran(Run),
    /// Nothing is known of this local day and those before it: runs that ended before are forgotten.
    DaysKnown {
        /// The day.
        after: i32,
    },
    /// So much of a streak's bonuses was given ahead, and is set off against later ones.
    BonusOwed {
        /// Points, before anything multiplies them.
        points: i64,
    },
    /// The member's days are counted in another zone.
    ZoneSet {
        /// Its number; 0 for the programme's.
        zone: u16,
    },
    /// A tag was given, or taken.
    Tagged {
        /// Its number.
        number: u16,
        /// Whether the member has it now.
        on: bool,
    },
    /// Who invited the member is known.
    Invited {
        /// Who did.
        inviter: MemberKey,
    },
    /// Until when the invited member has to qualify.
    InvitedUntil {
        /// The second; 0: it has qualified.
        until_s: u32,
    },
    /// Something is held until a second, under the id of the part's request. What follows is held with it.
    HoldBegun {
        /// The second.
        due_s: u32,
        /// What has expired when it comes back lives for so many seconds more.
        grace_s: u32,
    },
    /// An offer is held.
    OfferHeld {
        /// The campaign's number.
        campaign: u16,
        /// The offer's number.
        offer: u16,
        /// How many.
        count: u16,
        /// Points that one costs.
        points: i64,
    },
    /// The window of the offer held last, and what one costs beside.
    WindowHeld {
        /// The local day on which it opened.
        period: i32,
        /// Money, minor units.
        money_minor: i64,
    },
    /// The offer held last counts in these cells.
    CellsHeld {
        /// Their slots; 2^32 - 1 where there are fewer.
        slots: [u32; CELLS_HELD],
    },
    /// The offer held last counts in a limit: its counter, after.
    LimitHeld(Counter),
    /// One of a right is held, of those that expire first.
    RightHeld {
        /// The right's number.
        number: u16,
    },
    /// So many of the points that are held next pay part of an order.
    TenderHeld {
        /// How many.
        points: i64,
    },
    /// Points are held, from the lots that expire first.
    PointsHeld {
        /// How many.
        points: i64,
    },
    /// Points that were held are spent, of those that expire first.
    HeldSpent {
        /// The hold's place among the member's, from 0.
        at: u16,
        /// How many.
        points: i64,
    },
    /// One of a right that was held is used.
    HeldRightUsed {
        /// The hold's place among the member's, from 0.
        at: u16,
        /// The right's number.
        number: u16,
    },
    /// Points that were held have expired by a second, and do not come back.
    HeldExpired {
        /// The hold's place among the member's, from 0.
        at: u16,
        /// The second.
        through_s: u32,
        /// How many.
        points: i64,
    },
    /// A hold ends, and what is left of it comes back.
    HoldEnded {
        /// Its place among the member's, from 0.
        at: u16,
        /// The second at which it does.
        through_s: u32,
        /// Points that come back.
        back: i64,
    },
    /// What a ladder counted for days before this one is of interest no longer.
    ProgressForgotten {
        /// The first local day that still is.
        from: i32,
    },
}

/// A part is handed on by value a million times a second.
const _: () = assert!(size_of::<Effect>() == 24);

impl Effect {
    /// Points that the balance rises by, or falls by where it is below zero.
    pub fn delta(&self) -> i64 {
        match *self {
            Effect::Granted { points, .. } | Effect::Opened { points, .. } => points,
            Effect::HoldEnded { back, .. } => back,
            Effect::Expired { points, .. } | Effect::Spent { points } | Effect::PointsHeld { points } => -points,
            _ => 0,
        }
    }
}
