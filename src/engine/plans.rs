//! Plans: instants at which the rules look at a member again, to see whether it keeps its tier, or to give it a benefit.
//!
//! A plan states only when and what for. What comes of it is decided then, by the rules that are in force then.

use super::lots::NEVER_S;

/// An instant at which the rules look at a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What for: [`Plan::REVIEW`], [`Plan::GRACE`], [`Plan::INVITABLE`], or the number of a benefit.
    pub what: u16,
    /// The second; [`NEVER_S`] takes the plan back.
    pub at_s: u32,
}

impl Plan {
    /// The tier has been held as long as it was to be.
    pub const REVIEW: u16 = 1;
    /// The grace is over in which a tier that was not kept can still be.
    pub const GRACE: u16 = 2;
    /// The time is over in which a new member can say who invited it.
    pub const INVITABLE: u16 = 3;
}

/// All plans of a member, by their instant, then by what they are for: one for each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plans(Vec<Plan>);

impl Plans {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Plan> {
        self.0.iter()
    }

    /// The first; `None` if there are none.
    pub fn first(&self) -> Option<Plan> {
        self.0.first().copied()
    }

    /// When the rules look for this; `None` if they do not.
    pub fn at_s(&self, what: u16) -> Option<u32> {
        self.0.iter().find(|plan| plan.what == what).map(|plan| plan.at_s)
    }

    /// Sets a plan in the place of its predecessor, or takes that back.
    pub fn set(&mut self, plan: Plan) {
        self.0.retain(|known| known.what != plan.what);
        if plan.at_s != NEVER_S {
            let behind = self.0.partition_point(|known| (known.at_s, known.what) < (plan.at_s, plan.what));
            self.0.insert(behind, plan);
        }
    }
}
