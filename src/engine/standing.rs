//! Where a member stands: the tier that the ladder's count comes to, what its entry gives, when it is looked at again, and what becomes
//! of who does not keep it. And benefits, which come with a tier.
//!
//! Promises: a tier is reached with the outcome that reaches it, and is left at its instant, by the rules in force then. What an
//! entry gives, it gives once for each tier and period that the ladder states, however often the tier is left and reached again.

use super::Context;
use super::counters::Counter;
use super::draft::{Draft, counted};
use super::lots::{NEVER_S, second_of};
use super::member::Member;
use super::plans::Plan;
use crate::programme::{Due, Falls, Ladder, Measure, Period, source};

/// Whether a member stands as the rules say that are in force. It does after every outcome; only a new version can change that, from its
/// instant on, for who had no outcome since.
#[inline]
pub fn stands(context: &Context<'_>, member: &Member) -> bool {
    let programme = context.programme;
    let Some(tier) = programme.tier_numbered(member.tier) else { return false };
    if programme.has_plain_tiers() {
        programme.tier_of(member.earned) == tier && !is_planned(member)
    } else {
        // What is counted later for a day of before, or less as days go by, is no matter of the version.
        member.stood_under() == Some(context.version) || stood(context, member, tier)
    }
}

/// Whether a member who had no outcome under the version stands right as of its instant.
fn stood(context: &Context<'_>, member: &Member, tier: usize) -> bool {
    let (programme, ladder) = (context.programme, &context.programme.ladder);
    let since = programme.zone.local_day(context.activated_ms);
    let count = match ladder.is_plain() {
        true => member.earned,
        false => member.counted(ladder.measure as u8, ladder.counted_days(since)),
    };
    let reached = programme.tier_of(count);
    let for_life = ladder.is_for_life();
    (if for_life { reached == tier } else { reached <= tier })
        && is_planned(member) == (!for_life && tier > 0)
        && has_benefits(context, member, tier)
}

/// Whether the rules will look at the member's tier.
fn is_planned(member: &Member) -> bool {
    member.plan_s(Plan::REVIEW).is_some() || member.plan_s(Plan::GRACE).is_some()
}

fn has_benefits(context: &Context<'_>, member: &Member, tier: usize) -> bool {
    context.programme.benefits.iter().all(|benefit| {
        let Due::Each { period, .. } = benefit.when else { return true };
        match member.plan_s(benefit.source) {
            None => !benefit.admits(tier),
            Some(at_s) => at_s <= next_s(context, period, context.activated_ms),
        }
    })
}

/// The second with which the next period begins.
fn next_s(context: &Context<'_>, period: Period, at_ms: i64) -> u32 {
    let zone = &context.programme.zone;
    second_of(zone.day_start_ms(period.next_day(zone.local_day(at_ms))).saturating_add(999))
}

/// The second until which a tier is held that is kept at the end of `until_ms`: as if it were reached in the moment before.
fn held_on(ladder: &Ladder, context: &Context<'_>, until_ms: i64) -> u32 {
    let zone = &context.programme.zone;
    let from = |at_ms: i64| ladder.holds_until_s(zone, at_ms).unwrap_or(NEVER_S);
    let until_s = from(until_ms - 1);
    if i64::from(until_s) * 1000 > until_ms { until_s } else { from(until_ms) }
}

impl Draft<'_> {
    /// What a new member comes to: the first tier's entry, and what is due some time after.
    pub(super) fn enter(&mut self) {
        self.entry(0);
        let programme = self.context.programme;
        for benefit in &programme.benefits {
            if let Due::After(rolling) = &benefit.when {
                self.plan(benefit.source, rolling.end_s(&programme.zone, self.at_ms));
            }
        }
        if let Some(referral) = &programme.referral {
            self.plan(Plan::INVITABLE, second_of(self.at_ms.saturating_add(referral.within_ms)));
        }
        self.moves();
    }

    /// Whether the tier has nothing to follow, as after nearly everything that gives points.
    #[inline(always)]
    pub(super) fn stays(&self) -> bool {
        let programme = self.context.programme;
        programme.has_plain_tiers() && programme.tier_of(self.earned()) == self.tier
    }

    /// Lets the tier follow what is counted, and benefits the tier, until nothing moves any more: a tier's entry may give points that
    /// lead to the next.
    #[inline(never)]
    pub(super) fn stand(&mut self) {
        let ladder = &self.context.programme.ladder;
        loop {
            let count = self.count_now();
            let reached = self.context.programme.tier_of(count);
            if reached > self.tier {
                self.rise(reached);
                continue;
            }
            if ladder.is_for_life() {
                self.tier = reached;
            } else if self.plan_s(Plan::GRACE).is_some() && self.is_kept(count) {
                self.hold(ladder.holds_until_s(&self.context.programme.zone, self.at_ms));
            }
            if !self.benefits() {
                return;
            }
        }
    }

    /// Brings a member to where the rules put it that are in force since `at_ms`.
    pub(super) fn align(&mut self) {
        let ladder = &self.context.programme.ladder;
        if ladder.is_for_life() || self.tier == 0 {
            self.hold(None);
        } else if self.plan_s(Plan::REVIEW).is_none() && self.plan_s(Plan::GRACE).is_none() {
            self.hold(ladder.holds_until_s(&self.context.programme.zone, self.at_ms));
        }
        for benefit in &self.context.programme.benefits {
            let planned_s = self.plan_s(benefit.source);
            if let Due::Each { period, .. } = benefit.when
                && planned_s.is_some_and(|at_s| at_s > next_s(self.context, period, self.at_ms))
            {
                // Of longer periods in an earlier version.
                self.plan(benefit.source, NEVER_S);
            }
        }
        self.moves();
    }

    /// Does what was planned for this instant.
    pub(super) fn look(&mut self, what: u16) {
        let programme = self.context.programme;
        self.plan(what, NEVER_S);
        let last_day = programme.zone.local_day(self.at_ms - 1);
        match what {
            Plan::REVIEW if self.tier > 0 && !programme.ladder.is_for_life() => {
                let count = self.count_on(last_day);
                let until_s = (self.at_ms / 1000) as u32;
                if count >= programme.tiers[self.tier].keep {
                    self.hold(Some(held_on(&programme.ladder, self.context, self.at_ms)));
                } else if let Some(grace_s) = programme.ladder.grace_until_s(&programme.zone, until_s) {
                    self.plan(Plan::GRACE, grace_s);
                } else {
                    self.fall(count);
                }
            }
            Plan::GRACE if self.tier > 0 && !programme.ladder.is_for_life() => {
                let closed = self.closed_count(last_day).unwrap_or(0);
                self.fall(self.count_on(last_day).max(closed));
            }
            Plan::REVIEW | Plan::GRACE | Plan::INVITABLE => {}
            _ => self.benefit(what),
        }
        self.moves();
    }

    fn today(&self) -> i32 {
        self.context.programme.zone.local_day(self.at_ms)
    }

    /// Whether what is counted now keeps the tier in its grace; or what is counted of the period that closed with it, and was late.
    fn is_kept(&self, count: i64) -> bool {
        let keep = self.context.programme.tiers[self.tier].keep;
        count >= keep || self.closed_count(self.today()).is_some_and(|closed| closed >= keep)
    }

    /// What is counted of the calendar's period before that of a day; `None` where a ladder looks so far back from each day.
    fn closed_count(&self, day: i32) -> Option<i64> {
        self.context.programme.ladder.closed_day(day).map(|closed| self.count_on(closed))
    }

    /// What the ladder counts now.
    fn count_now(&self) -> i64 {
        if self.context.programme.ladder.is_plain() { self.earned() } else { self.count_on(self.today()) }
    }

    /// What a ladder counts on a day that does not just look at the points earned.
    fn count_on(&self, day: i32) -> i64 {
        let ladder = &self.context.programme.ladder;
        self.counted(ladder.measure, ladder.counted_days(day))
    }

    fn rise(&mut self, to: usize) {
        let ladder = &self.context.programme.ladder;
        let from = std::mem::replace(&mut self.tier, to);
        self.hold(ladder.holds_until_s(&self.context.programme.zone, self.at_ms));
        let first = if ladder.each_entry { from + 1 } else { to };
        for entered in first..=to {
            self.entry(entered);
        }
    }

    fn fall(&mut self, count: i64) {
        let programme = self.context.programme;
        let one_down = self.tier - 1;
        self.tier = match programme.ladder.falls {
            Falls::ByOne => one_down,
            Falls::ToFit => programme.tiers[..=one_down].iter().rposition(|tier| tier.keep <= count).unwrap_or(0),
        };
        let until_s = (self.tier > 0).then(|| held_on(&programme.ladder, self.context, self.at_ms));
        self.hold(until_s);
    }

    /// The tier is held until then; `None`: nothing is to be looked at.
    fn hold(&mut self, until_s: Option<u32>) {
        self.plan(Plan::GRACE, NEVER_S);
        self.plan(Plan::REVIEW, until_s.unwrap_or(NEVER_S));
    }

    /// What the entry into a tier gives, unless it did so in this period.
    fn entry(&mut self, tier: usize) {
        let programme = self.context.programme;
        let tier = &programme.tiers[tier];
        let Some(award) = &tier.entry else { return };
        let (offer, period) = (u16::from(tier.number), programme.ladder.again.first_day(self.today()));
        if self.used(counted::ENTRY, offer, period) == 0 {
            self.count(Counter { campaign: counted::ENTRY, offer, period, used: 1 });
            self.award(award, source::TIER);
        }
    }

    /// Plans every benefit of the tier that is not planned yet, and gives those that begin at once; whether there were any.
    fn benefits(&mut self) -> bool {
        let programme = self.context.programme;
        let mut any = false;
        for benefit in &programme.benefits {
            let Due::Each { period, at_once } = benefit.when else { continue };
            if !benefit.admits(self.tier) || self.plan_s(benefit.source).is_some() {
                continue;
            }
            if at_once {
                self.once(benefit, period.first_day(self.today()));
            }
            any = self.plan_next(benefit.source, period);
        }
        any
    }

    /// Gives the benefit of this number, which is due, and plans when it is next.
    fn benefit(&mut self, number: u16) {
        let programme = self.context.programme;
        let Some(benefit) = programme.benefits.iter().find(|it| it.source == number) else { return };
        if !benefit.admits(self.tier) {
            return;
        }
        match benefit.when {
            Due::After(_) => self.award(&benefit.award, number),
            Due::Each { period, .. } => {
                self.once(benefit, period.first_day(self.today()));
                self.plan_next(number, period);
            }
        }
    }

    /// Plans a benefit for the next period; `false` if there is none that is counted.
    fn plan_next(&mut self, number: u16, period: Period) -> bool {
        let next_s = next_s(self.context, period, self.at_ms);
        let later = i64::from(next_s) * 1000 > self.at_ms;
        if later {
            self.plan(number, next_s);
        }
        later
    }

    fn once(&mut self, benefit: &crate::programme::Benefit, period: i32) {
        let offer = benefit.source;
        if self.used(counted::BENEFIT, offer, period) == 0 {
            self.count(Counter { campaign: counted::BENEFIT, offer, period, used: 1 });
            self.award(&benefit.award, benefit.source);
        }
    }
}

/// How far a member is with what the ladder counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What is counted.
    pub measure: Measure,
    /// How much of it counts today.
    pub count: i64,
    /// The second until which the tier is held; `None`: as long as the count lasts.
    pub until_s: Option<u32>,
    /// Whether that is the end of a grace.
    pub grace: bool,
}

/// How far a member is that was settled.
pub fn standing(context: &Context<'_>, member: &Member) -> Standing {
    let ladder = &context.programme.ladder;
    let today = context.programme.zone.local_day(context.now_ms);
    let count = if ladder.is_plain() {
        member.earned
    } else {
        member.counted(ladder.measure as u8, ladder.counted_days(today))
    };
    let grace_s = member.plan_s(Plan::GRACE);
    let until_s = grace_s.or(member.plan_s(Plan::REVIEW));
    Standing { measure: ladder.measure, count, until_s, grace: grace_s.is_some() }
}
