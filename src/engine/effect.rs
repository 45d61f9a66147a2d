//! Effects: what an outcome does to a member, one by one, so that applying it needs no rules.
//!
//! A part says what happened (its change) and what came of it (its effects). Every operation is made of the same few
//! effects; a new one needs a new effect only where it touches something that none touched before.

use smallvec::SmallVec;

use super::counters::Counter;
use super::lots::LotName;
use super::pending::Pending;

/// The most effects of one outcome on one member.
pub const EFFECTS_MOST: usize = 16;

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
}

impl Effect {
    /// Points that the balance rises by, or falls by where it is below zero.
    pub fn delta(&self) -> i64 {
        match *self {
            Effect::Granted { points, .. } | Effect::Opened { points, .. } => points,
            Effect::Expired { points, .. } | Effect::Spent { points } => -points,
            Effect::Pended(_) | Effect::Slid { .. } | Effect::Used(_) => 0,
        }
    }
}
