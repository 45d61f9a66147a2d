//! What a member's points are, one by one: when they expire, how old they are, what gave them.

use crate::calendar::{Clock, Now};
use crate::rules::Rules;
use crate::terms::{Expiry, Terms};

/// Points of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lot {
    pub(super) points: i64,
    pub(super) expires_ms: Option<i64>,
    pub(super) slides: bool,
    pub(super) source: &'static str,
}

/// Points that open later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Later {
    pub(super) opens_ms: i64,
    pub(super) lot: Lot,
}

/// All points of a member. Lots stand in the order in which they came to be, not in that in which they are spent.
#[derive(Debug, Clone, Default)]
pub(super) struct Points {
    lots: Vec<Lot>,
    later: Vec<Later>,
}

impl Lot {
    fn is_like(&self, other: &Lot) -> bool {
        (self.expires_ms, self.slides, self.source) == (other.expires_ms, other.slides, other.source)
    }

    fn due(&self) -> i64 {
        self.expires_ms.unwrap_or(i64::MAX)
    }
}

impl Points {
    pub(super) fn balance(&self) -> i64 {
        self.lots.iter().map(|lot| lot.points).sum()
    }

    /// In the order in which they are spent: sorting keeps the age of what expires together.
    pub(super) fn spent_in_order(&self) -> Vec<&Lot> {
        let mut lots: Vec<&Lot> = self.lots.iter().collect();
        lots.sort_by_key(|lot| lot.due());
        lots
    }

    pub(super) fn later(&self) -> Vec<&Later> {
        let mut later: Vec<&Later> = self.later.iter().collect();
        later.sort_by_key(|later| later.opens_ms);
        later
    }

    pub(super) fn add(&mut self, lot: Lot) {
        match self.lots.iter_mut().find(|known| known.is_like(&lot)) {
            Some(same) => same.points += lot.points,
            None if lot.points > 0 => self.lots.push(lot),
            None => {}
        }
    }

    pub(super) fn add_later(&mut self, later: Later) {
        match self.later.iter_mut().find(|known| known.opens_ms == later.opens_ms && known.lot.is_like(&later.lot)) {
            Some(same) => same.lot.points += later.lot.points,
            None if later.lot.points > 0 => self.later.push(later),
            None => {}
        }
    }

    /// What time has done by an instant; gives the points that opened.
    pub(super) fn settle(&mut self, now_ms: i64) -> i64 {
        let mut opened = 0;
        let mut due: Vec<Later> = self.later.iter().filter(|later| later.opens_ms <= now_ms).cloned().collect();
        due.sort_by_key(|later| later.opens_ms);
        self.later.retain(|later| later.opens_ms > now_ms);
        for Later { opens_ms, lot } in due {
            // What had expired by then is no lot that these could join.
            self.lots.retain(|lot| lot.due() > opens_ms);
            opened += lot.points;
            self.add(lot);
        }
        self.lots.retain(|lot| lot.due() > now_ms);
        opened
    }

    pub(super) fn spend(&mut self, mut points: i64) {
        while points > 0 {
            let first = (0..self.lots.len()).min_by_key(|at| self.lots[*at].due()).expect("no more than there is");
            let taken = points.min(self.lots[first].points);
            self.lots[first].points -= taken;
            points -= taken;
            self.lots.retain(|lot| lot.points > 0);
        }
    }

    /// Takes points out, of those that are spent first.
    pub(super) fn take(&mut self, points: i64) -> Vec<Lot> {
        let (mut left, mut taken) = (points, Vec::new());
        for lot in self.spent_in_order() {
            let some = left.min(lot.points);
            left -= some;
            if some > 0 {
                taken.push(Lot { points: some, ..lot.clone() });
            }
        }
        self.spend(points);
        taken
    }

    /// Any activity moves what slides.
    pub(super) fn slide(&mut self, rules: &Rules, clock: &Clock, now_ms: i64) {
        let Some(Expiry::Sliding(length)) = &rules.points else { return };
        let to_ms = clock.end_of(length, now_ms);
        let lots: Vec<Lot> = self.spent_in_order().into_iter().cloned().collect();
        if lots.iter().any(|lot| lot.slides && lot.due() < to_ms) {
            self.lots.clear();
            for mut lot in lots {
                lot.expires_ms = if lot.slides { Some(lot.due().max(to_ms)) } else { lot.expires_ms };
                self.add(lot);
            }
        }
    }

    /// The lot that points of a rule are which can be spent from an instant on.
    pub(super) fn lot_of(
        &self,
        rules: &Rules,
        clock: &Clock,
        from_ms: i64,
        tier: usize,
        (points, terms, source): (i64, &Terms, &'static str),
    ) -> Lot {
        let own = if terms.expires.len() == 1 { terms.expires.first() } else { terms.expires.get(tier) };
        let expiry = own.or(rules.points.as_ref()).unwrap_or(&Expiry::Never);
        let expires_ms = expires(expiry, rules, clock, from_ms);
        Lot { points, expires_ms, slides: matches!(expiry, Expiry::Sliding(_)), source }
    }

    /// Whether so many points wait for that instant as lots of that kind.
    pub(super) fn has_later(&self, wanted: &Later) -> bool {
        self.like(wanted).is_some_and(|known| known.lot.points >= wanted.lot.points)
    }

    fn like(&self, wanted: &Later) -> Option<&Later> {
        self.later.iter().find(|known| known.opens_ms == wanted.opens_ms && known.lot.is_like(&wanted.lot))
    }

    /// So many of them wait no longer.
    pub(super) fn take_later(&mut self, taken: &Later) {
        let is_it = |known: &Later| known.opens_ms == taken.opens_ms && known.lot.is_like(&taken.lot);
        let known = self.later.iter_mut().find(|known| is_it(known)).expect("no more than there is");
        known.lot.points -= taken.lot.points;
        self.later.retain(|known| known.lot.points > 0);
    }

    /// When points of terms open that are given now; `None` if at once.
    pub(super) fn opens_ms(terms: &Terms, clock: &Clock, now_ms: i64) -> Option<i64> {
        terms.pending.map(|length| clock.end_of(&length, now_ms)).filter(|opens_ms| *opens_ms > now_ms)
    }

    /// Points of a rule; gives those that can be spent at once.
    pub(super) fn give(
        &mut self,
        rules: &Rules,
        clock: &Clock,
        now_ms: i64,
        tier: usize,
        (points, terms, source): (i64, &Terms, &'static str),
    ) -> i64 {
        let opens_ms = Points::opens_ms(terms, clock, now_ms);
        let from_ms = opens_ms.unwrap_or(now_ms);
        let lot = self.lot_of(rules, clock, from_ms, tier, (points, terms, source));
        match opens_ms {
            Some(opens_ms) => {
                self.add_later(Later { opens_ms, lot });
                0
            }
            None => {
                self.add(lot);
                points
            }
        }
    }
}

pub(super) fn expires(expiry: &Expiry, rules: &Rules, clock: &Clock, from_ms: i64) -> Option<i64> {
    match expiry {
        Expiry::Never => None,
        Expiry::After(length) | Expiry::Sliding(length) => Some(clock.end_of(length, from_ms)),
        Expiry::Dates(dates, at_least) => Some(clock.next_of(dates, *at_least, from_ms)),
        Expiry::Campaign(slug, at_least) => {
            let campaign =
                rules.campaigns.iter().find(|campaign| campaign.slug == *slug).expect("a campaign that is there");
            let from_ms = if *at_least == 0 { from_ms } else { clock.ends(clock.day(from_ms) + *at_least as i32) - 1 };
            match clock.at(&campaign.window, from_ms) {
                Now::Open { closes_ms, .. } => Some(closes_ms),
                Now::NotYet { opens_ms } | Now::Closed { opens_ms } if opens_ms != 0 => {
                    match clock.at(&campaign.window, opens_ms) {
                        Now::Open { closes_ms, .. } => Some(closes_ms),
                        _ => None,
                    }
                }
                _ => None,
            }
        }
    }
}
