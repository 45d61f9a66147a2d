//! Points that a member has but cannot spend yet: each opens at an instant, and is a lot from then on.

use super::lots::LotName;

/// Points that open at an instant. Those that open together as lots of one name are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// How many; more than none.
    pub points: i64,
    /// From this second on they are a lot.
    pub opens_s: u32,
    /// The lot that they will be.
    pub name: LotName,
}

/// All pending points of a member, by the instant at which they open, then by age.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PendingPoints(Vec<Pending>);

impl PendingPoints {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.0.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The second at which the first open; `None` if there are none.
    pub fn due_s(&self) -> Option<u32> {
        self.0.first().map(|first| first.opens_s)
    }

    /// All points that are pending.
    pub fn points(&self) -> i64 {
        self.0.iter().map(|pending| pending.points).sum()
    }

    /// Adds points; whoever does sees to it that the sum of all is a number.
    pub fn add(&mut self, added: Pending) {
        assert!(added.points >= 0, "points that come in are not taken");
        if added.points == 0 {
            return;
        }
        let behind = self.0.partition_point(|pending| pending.opens_s <= added.opens_s);
        let mut before = self.0[..behind].iter_mut().rev().take_while(|pending| pending.opens_s == added.opens_s);
        match before.find(|pending| pending.name == added.name) {
            Some(same) => same.points += added.points,
            None => self.0.insert(behind, added),
        }
    }

    /// Takes points back from those at a place in this order; `None`, with nothing done, if there are not so many.
    pub fn take(&mut self, points: i64, at: usize) -> Option<()> {
        let known = self.0.get_mut(at).filter(|known| (0..=known.points).contains(&points))?;
        known.points -= points;
        if known.points == 0 {
            self.0.remove(at);
        }
        Some(())
    }

    /// Takes out those that open by a second.
    pub fn open(&mut self, through_s: u32) -> Vec<Pending> {
        let count = self.0.partition_point(|pending| pending.opens_s <= through_s);
        self.0.drain(..count).collect()
    }
}
