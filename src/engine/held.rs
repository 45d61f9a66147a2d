//! What a member holds: offers, rights and points that are set aside for a checkout, by the request that asked for them.
//!
//! | what of it | while it is held | confirmed | cancelled, or the time over |
//! |---|---|---|---|
//! | points | in no lot, and do not expire | spent, of those that expire first | lots again, as they were; what has expired meanwhile goes, or lives on for the grace that was stated when it was held |
//! | rights | of no use, and do not expire | used | rights again; what has expired meanwhile goes |
//! | units of quotas | used, in the cells of the window in which they were held | granted | free again in those cells |
//! | limits | used | used | not used, as long as the period is the same |
//!
//! Promises: all of one hold ends together and once. Never: needs the rules for that; whatever they say by then, what was held ends as it was
//! meant when it was.

use arrayvec::ArrayVec;
use tidegate_protocol::RequestId;

use super::lots::{Lot, LotName};
use super::part::QUOTAS_MOST;
use super::rights::Right;
use crate::programme::source;

/// The most holds of a member at a time: as many as an answer tells.
pub const HOLDS_MOST: usize = 16;

/// The most limits that one offer counts in.
pub const LIMITS_MOST: usize = 5;

/// What is held under one id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hold {
    /// The id of the request that held it.
    pub id: RequestId,
    /// From this second on its time is over.
    pub due_s: u32,
    /// What has expired when it comes back lives for so many seconds more; 0: it goes.
    pub grace_s: u32,
    /// How many of the points pay part of an order.
    pub tender: i64,
    /// The points, in the order in which they are spent.
    pub lots: Vec<Lot>,
    /// The offers.
    pub offers: Vec<HeldOffer>,
    /// The rights, in the order in which they were taken.
    pub rights: Vec<Right>,
}

/// So many of an offer, as it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldOffer {
    /// The campaign's number.
    pub campaign: u16,
    /// The offer's number.
    pub offer: u16,
    /// How many.
    pub count: u16,
    /// The local day on which their window opened.
    pub period: i32,
    /// Points that one costs.
    pub points: i64,
    /// Money that one costs, minor units.
    pub money_minor: i64,
    /// The slots of the cells in which they count.
    pub cells: ArrayVec<u32, QUOTAS_MOST>,
    /// The limits in which they count.
    pub limits: ArrayVec<HeldLimit, LIMITS_MOST>,
}

/// A limit in which an offer counts that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldLimit {
    /// The offer's part of the counter's name.
    pub offer: u16,
    /// The counter's period.
    pub period: i32,
}

/// What becomes of points that are held no longer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Back {
    /// They are lots again.
    pub lots: Vec<Lot>,
    /// How many of them that are.
    pub back: i64,
    /// How many have expired.
    pub gone: i64,
}

impl HeldOffer {
    /// An offer that costs no money, of no window, and counts nowhere yet.
    pub fn new(campaign: u16, offer: u16, count: u16, points: i64) -> HeldOffer {
        let (cells, limits) = (ArrayVec::new(), ArrayVec::new());
        HeldOffer { campaign, offer, count, period: 0, points, money_minor: 0, cells, limits }
    }
}

impl Hold {
    /// Whether it can be: its points are what its offers and its share of an order cost.
    pub fn is_whole(&self) -> bool {
        let cost = |sum: i64, offer: &HeldOffer| offer.points.checked_mul(offer.count.into())?.checked_add(sum);
        let held = self.lots.iter().try_fold(0i64, |sum, lot| sum.checked_add(lot.points).filter(|_| lot.points > 0));
        let money = self.offers.iter().all(|offer| offer.money_minor >= 0 && offer.points >= 0 && offer.count > 0);
        held.is_some() && money && self.tender >= 0 && self.offers.iter().try_fold(self.tender, cost) == held
    }

    /// Points that are held.
    pub fn points(&self) -> i64 {
        self.lots.iter().map(|lot| lot.points).sum()
    }

    /// What becomes of the points when they come back at a second. What lived on once does not a second time, so that nobody keeps
    /// points alive by holding them.
    pub fn back(&self, through_s: u32) -> Back {
        let mut back = Back::default();
        for lot in &self.lots {
            let name = match lot.name.expires_s <= through_s {
                true if Hold::goes(lot, self.grace_s, through_s) => {
                    back.gone += lot.points;
                    continue;
                }
                true => {
                    LotName { expires_s: through_s.saturating_add(self.grace_s), source: source::GRACE, slides: false }
                }
                false => lot.name,
            };
            back.back += lot.points;
            back.lots.push(Lot { name, ..*lot });
        }
        back
    }

    /// Takes points out, of those that expire first; `None` if there are not so many.
    pub fn take(&mut self, points: i64) -> Option<()> {
        if !(0..=self.points()).contains(&points) {
            return None;
        }
        let mut left = points;
        self.lots.retain_mut(|lot| {
            let taken = left.min(lot.points);
            (left, lot.points) = (left - taken, lot.points - taken);
            lot.points > 0
        });
        Some(())
    }

    /// Drops what does not come back at a second; gives how many points that are.
    pub fn expire(&mut self, through_s: u32) -> i64 {
        let grace_s = self.grace_s;
        let goes = |lot: &Lot| Hold::goes(lot, grace_s, through_s);
        let gone = self.lots.iter().filter(|lot| goes(lot)).map(|lot| lot.points).sum();
        self.lots.retain(|lot| !goes(lot));
        gone
    }

    /// Whether a lot has expired by a second, and lives on no longer.
    fn goes(lot: &Lot, grace_s: u32, through_s: u32) -> bool {
        lot.name.expires_s <= through_s && (grace_s == 0 || lot.name.source == source::GRACE)
    }

    /// Takes a right out, the first of its number; `None` if there is none.
    pub fn take_right(&mut self, number: u16) -> Option<()> {
        let at = self.rights.iter().position(|right| right.number == number)?;
        self.rights.remove(at);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lot(points: i64, expires_s: u32, source: u16) -> Lot {
        Lot { points, name: LotName { expires_s, source, slides: true } }
    }

    #[test]
    fn what_expired_meanwhile_goes_or_lives_on_once() {
        let lots = vec![lot(5, 100, 1), lot(3, 100, source::GRACE), lot(7, 200, 2)];
        let mut hold = Hold { lots, ..Hold::default() };
        let back = hold.back(99);
        assert_eq!((back.back, back.gone, &back.lots), (15, 0, &hold.lots));
        let back = hold.back(100);
        assert_eq!((back.back, back.gone, back.lots), (7, 8, vec![lot(7, 200, 2)]));
        hold.grace_s = 60;
        let back = hold.back(150);
        let graced = Lot { points: 5, name: LotName { expires_s: 210, source: source::GRACE, slides: false } };
        assert_eq!((back.back, back.gone, back.lots), (12, 3, vec![graced, lot(7, 200, 2)]));
    }

    #[test]
    fn points_are_taken_of_those_that_expire_first() {
        let mut hold = Hold { lots: vec![lot(5, 100, 1), lot(7, 200, 2)], ..Hold::default() };
        assert_eq!(hold.take(13), None);
        assert_eq!(hold.take(6), Some(()));
        assert_eq!(hold.lots, [lot(6, 200, 2)]);
        assert_eq!((hold.take(6), hold.points(), hold.take(1)), (Some(()), 0, None));
    }
}
