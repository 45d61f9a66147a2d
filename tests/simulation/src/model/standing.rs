//! What a member has of points, rights and tiers, and what time and the rules do to it: instant by instant, in their order.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::holds::Held;
use super::points::Points;
use crate::calendar::Clock;
use crate::earning::Caps;
use crate::ladder::{Award, Each, Measure, Over, When};
use crate::multipliers::Birthday;
use crate::rules::Rules;
use crate::terms::Terms;

/// What the rules look at a member for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Review,
    Grace,
    Invitable,
    Benefit(&'static str),
}

/// What is counted once, or up to a bound, in a period.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    Entry(&'static str),
    Benefit(&'static str),
    Introduced,
    Claims,
    Cap(&'static str, Each, bool),
}

/// So many of a right that expire together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) slug: &'static str,
    pub(super) count: u32,
    pub(super) expires_ms: Option<i64>,
}

/// All that time and the rules can change.
#[derive(Debug, Clone, Default)]
pub(super) struct Holdings {
    pub(super) points: Points,
    pub(super) earned: i64,
    pub(super) tier: Option<&'static str>,
    pub(super) plans: BTreeMap<What, i64>,
    /// By measure and day.
    progress: BTreeMap<(Measure, i32), i64>,
    /// In the order in which they came to be.
    pub(super) rights: Vec<Right>,
    counts: BTreeMap<Counted, (i32, i64)>,
    pub(super) birthday: Option<Birthday>,
    /// What it holds, the oldest first.
    pub(super) held: Vec<Held>,
}

/// The rules by which a member's holdings move, at an instant.
#[derive(Clone, Copy)]
pub(super) struct Under<'r> {
    pub(super) rules: &'r Rules,
    pub(super) clock: &'r Clock,
    /// Benefits in the order in which they first appeared: what is due at one instant comes in it.
    pub(super) benefits: &'r [&'static str],
}

fn days(date: Date) -> i32 {
    Date::constant(1970, 1, 1).until(date).expect("days between dates").get_days()
}

fn date(day: i32) -> Date {
    Date::constant(1970, 1, 1).checked_add(i64::from(day).days()).expect("a date")
}

/// The first day of the period that a day is in.
pub(super) fn first_day(each: Each, day: i32) -> i32 {
    let mut first = date(day);
    let begins = |date: Date| match each {
        Each::Day => true,
        Each::Week => date.weekday() == Weekday::Monday,
        Each::Month => date.day() == 1,
        Each::Year => date.day_of_year() == 1,
        Each::Life => unreachable!("a life has no first day"),
    };
    if each == Each::Life {
        return 0;
    }
    while !begins(first) {
        first = first.yesterday().expect("a date");
    }
    days(first)
}

pub(super) fn next_day(each: Each, day: i32) -> i32 {
    let mut next = day + 1;
    while first_day(each, next) != next {
        next += 1;
    }
    next
}

impl Under<'_> {
    fn period(&self) -> Option<Each> {
        match self.rules.standing.ladder.over {
            Over::Life => Some(Each::Life),
            Over::Month => Some(Each::Month),
            Over::Year => Some(Each::Year),
            Over::Days(_) | Over::Months(_) => None,
        }
    }

    /// The first and the last day that count on a day.
    fn counted(&self, today: i32) -> (i32, i32) {
        match (self.period(), self.rules.standing.ladder.over) {
            (Some(Each::Life), _) => (i32::MIN, i32::MAX),
            (Some(each), _) => (first_day(each, today), next_day(each, today) - 1),
            (None, Over::Days(back)) => (today - back + 1, i32::MAX),
            (None, Over::Months(back)) => (days(date(today).checked_sub(back.months()).expect("a date")) + 1, i32::MAX),
            _ => unreachable!("all others are periods"),
        }
    }

    /// The first day that is of interest on a day.
    fn kept_from(&self, today: i32) -> i32 {
        match self.period() {
            Some(Each::Life) => i32::MIN,
            Some(each) => first_day(each, first_day(each, today) - 1),
            None => self.counted(today).0,
        }
    }

    fn for_life(&self) -> bool {
        self.rules.standing.ladder.over == Over::Life
    }

    fn tier_of(&self, count: i64) -> usize {
        self.rules.tiers.iter().rposition(|(_, from)| *from <= count).unwrap_or(0)
    }
}

impl Holdings {
    /// The index of the member's tier.
    pub(super) fn tier_at(&self, rules: &Rules) -> usize {
        rules.tiers.iter().position(|(slug, _)| Some(*slug) == self.tier).unwrap_or(0)
    }

    fn set_tier(&mut self, under: &Under<'_>, at: usize) {
        self.tier = Some(under.rules.tiers[at].0);
    }

    /// What the ladder counts on a day.
    pub(super) fn count_on(&self, under: &Under<'_>, day: i32) -> i64 {
        let measure = under.rules.standing.ladder.measure;
        if under.for_life() && measure == Measure::Points {
            return self.earned;
        }
        let (from, through) = under.counted(day);
        let within = self.progress.iter().filter(|((of, day), _)| *of == measure && (from..=through).contains(day));
        within.map(|(_, value)| *value).sum()
    }

    /// How often something was used in a period; what a later one counts, counts here too.
    pub(super) fn used(&self, what: &Counted, period: i32) -> i64 {
        self.counts.get(what).filter(|(of, _)| *of >= period).map_or(0, |(_, used)| *used)
    }

    pub(super) fn set_used(&mut self, what: Counted, period: i32, used: i64) {
        let later = self.counts.get(&what).map_or(period, |(of, _)| period.max(*of));
        self.counts.insert(what, (later, used));
    }

    /// What time has done by an instant.
    pub(super) fn settle(&mut self, under: &Under<'_>, now_ms: i64) {
        loop {
            let opens_ms = self.points.later().first().map(|later| later.opens_ms).filter(|at| *at <= now_ms);
            let rank = |what: &What| match what {
                What::Benefit(slug) => under.benefits.iter().position(|known| known == slug),
                _ => None,
            };
            let plan = self.plans.iter().map(|(what, at)| (*at, rank(what), *what)).min();
            let plan = plan.map(|(at, _, what)| (at, what)).filter(|(at, _)| *at <= now_ms);
            let over = self.next_over(now_ms);
            match (opens_ms, plan) {
                (Some(opens_ms), plan)
                    if over.is_none_or(|over| opens_ms <= over) && plan.is_none_or(|(at, _)| opens_ms <= at) =>
                {
                    self.open(under, opens_ms)
                }
                (_, plan) if over.is_some_and(|over| plan.is_none_or(|(at, _)| over <= at)) => {
                    let over = over.expect("it is there");
                    self.expire(over);
                    self.over(over);
                }
                (_, Some((at, what))) => {
                    self.expire(at);
                    self.look(under, what, at);
                }
                _ => break,
            }
        }
        self.expire(now_ms);
    }

    fn expire(&mut self, now_ms: i64) {
        self.points.settle(now_ms);
        self.rights.retain(|right| right.expires_ms.is_none_or(|at| at > now_ms));
    }

    fn open(&mut self, under: &Under<'_>, at_ms: i64) {
        let opened = self.points.settle(at_ms);
        self.expire(at_ms);
        self.earned += opened;
        self.progressed(under, Measure::Points, at_ms, at_ms, opened);
        self.stand(under, at_ms);
    }

    /// The ladder counts something more.
    pub(super) fn progressed(
        &mut self,
        under: &Under<'_>,
        measure: Measure,
        happened_ms: i64,
        now_ms: i64,
        value: i64,
    ) {
        let ladder = &under.rules.standing.ladder;
        let plain = ladder.measure == Measure::Points && under.for_life();
        if ladder.measure != measure || plain || value == 0 {
            return;
        }
        let today = under.clock.day(now_ms);
        let day = if ladder.paid { under.clock.day(happened_ms).min(today) } else { today };
        let day = under.period().map_or(day, |each| first_day(each, day));
        let from = under.kept_from(today);
        if day >= from {
            *self.progress.entry((measure, day)).or_default() += value;
            self.progress.retain(|(_, day), _| *day >= from);
        }
    }

    /// The tier follows what is counted, and benefits the tier.
    pub(super) fn stand(&mut self, under: &Under<'_>, at_ms: i64) {
        let (standing, today) = (&under.rules.standing, under.clock.day(at_ms));
        loop {
            let (tier, count) = (self.tier_at(under.rules), self.count_on(under, today));
            let reached = under.tier_of(count);
            if reached > tier {
                self.set_tier(under, reached);
                self.hold(under, at_ms);
                for at in tier + 1..=reached {
                    if standing.ladder.each_entry || at == reached {
                        self.enter(under, at, at_ms);
                    }
                }
                continue;
            }
            if under.for_life() {
                self.set_tier(under, reached);
            } else if self.plans.contains_key(&What::Grace)
                && (count >= standing.keep[tier] || self.closed(under, today) >= standing.keep[tier])
            {
                self.hold(under, at_ms);
            }
            if !self.benefits(under, at_ms) {
                return;
            }
        }
    }

    /// The tier is held from an instant on.
    fn hold(&mut self, under: &Under<'_>, at_ms: i64) {
        self.plans.remove(&What::Grace);
        self.plans.remove(&What::Review);
        if !under.for_life() {
            self.plans.insert(What::Review, under.clock.end_of(&under.rules.standing.ladder.keeps, at_ms));
        }
    }

    /// The tier that was held until an instant is held on.
    fn hold_on(&mut self, under: &Under<'_>, until_ms: i64) {
        self.hold(under, until_ms - 1);
        if self.plans[&What::Review] <= until_ms {
            self.hold(under, until_ms);
        }
    }

    /// What the entry into a tier gives.
    pub(super) fn enter(&mut self, under: &Under<'_>, at: usize, at_ms: i64) {
        let standing = &under.rules.standing;
        let Some(award) = &standing.entry[at] else { return };
        let what = Counted::Entry(under.rules.tiers[at].0);
        let period = first_day(standing.ladder.again, under.clock.day(at_ms));
        if self.used(&what, period) == 0 {
            self.set_used(what, period, 1);
            self.award(under, award, "tier", at_ms);
        }
    }

    /// A new member.
    pub(super) fn enrolled(&mut self, under: &Under<'_>, at_ms: i64) {
        self.set_tier(under, 0);
        self.enter(under, 0, at_ms);
        for benefit in &under.rules.standing.benefits {
            if let When::After(length) = &benefit.when {
                self.plans.insert(What::Benefit(benefit.slug), under.clock.end_of(length, at_ms));
            }
        }
        if let Some(referral) = &under.rules.referral {
            self.plans.insert(What::Invitable, (at_ms + referral.within_ms).div_euclid(1000) * 1000);
        }
        self.stand(under, at_ms);
    }

    pub(super) fn award(&mut self, under: &Under<'_>, award: &Award, source: &'static str, at_ms: i64) {
        if award.points > 0 {
            self.earn(under, (award.points, &award.terms, source), at_ms, at_ms);
        }
        if let Some((slug, count)) = award.right {
            self.give_right(under, slug, count, at_ms);
        }
    }

    /// Points of a rule, which the ladder may count.
    pub(super) fn earn(
        &mut self,
        under: &Under<'_>,
        given: (i64, &Terms, &'static str),
        happened_ms: i64,
        now_ms: i64,
    ) {
        let tier = self.tier_at(under.rules);
        let granted = self.points.give(under.rules, under.clock, now_ms, tier, given);
        self.earned += granted;
        self.progressed(under, Measure::Points, happened_ms, now_ms, granted);
    }

    /// So many of a right.
    pub(super) fn give_right(&mut self, under: &Under<'_>, slug: &'static str, count: u32, at_ms: i64) {
        let (_, expiry) = under.rules.standing.declared.iter().find(|(of, _)| *of == slug).expect("it is declared");
        let expires_ms = super::points::expires(expiry, under.rules, under.clock, at_ms);
        self.put_right(Right { slug, count, expires_ms });
    }

    pub(super) fn put_right(&mut self, right: Right) {
        let is_like = |known: &&mut Right| (known.slug, known.expires_ms) == (right.slug, right.expires_ms);
        match self.rights.iter_mut().find(is_like) {
            Some(same) => same.count += right.count,
            None => self.rights.push(right),
        }
    }

    /// Takes one of a right, and gives it.
    pub(super) fn take_right(&mut self, slug: &str) -> Option<Right> {
        let first = self.rights_in_order().into_iter().find(|right| right.slug == slug)?.clone();
        self.use_right(slug)?;
        Some(Right { count: 1, ..first })
    }

    /// Rights in the order in which they expire.
    pub(super) fn rights_in_order(&self) -> Vec<&Right> {
        let mut rights: Vec<&Right> = self.rights.iter().collect();
        rights.sort_by_key(|right| right.expires_ms.unwrap_or(i64::MAX));
        rights
    }

    /// Takes one of a right; how many are left, if there was one.
    pub(super) fn use_right(&mut self, slug: &str) -> Option<u32> {
        let first = self.rights_in_order().into_iter().find(|right| right.slug == slug)?.clone();
        let at = self.rights.iter().position(|right| *right == first).expect("it was found");
        self.rights[at].count -= 1;
        self.rights.retain(|right| right.count > 0);
        Some(self.rights.iter().filter(|right| right.slug == slug).map(|right| right.count).sum())
    }

    /// Benefits of the tier that are not planned yet; whether there were any.
    fn benefits(&mut self, under: &Under<'_>, at_ms: i64) -> bool {
        let mut any = false;
        for benefit in &under.rules.standing.benefits {
            let When::Every(each, at_once) = benefit.when else { continue };
            let admitted = benefit.tiers.is_empty() || benefit.tiers.contains(&self.tier.expect("it is in a tier"));
            if admitted && !self.plans.contains_key(&What::Benefit(benefit.slug)) {
                if at_once {
                    self.once(under, benefit.slug, &benefit.award, each, at_ms);
                }
                let next = under.clock.begins(next_day(each, under.clock.day(at_ms)));
                self.plans.insert(What::Benefit(benefit.slug), next);
                any = true;
            }
        }
        any
    }

    fn once(&mut self, under: &Under<'_>, slug: &'static str, award: &Award, each: Each, at_ms: i64) {
        let (what, period) = (Counted::Benefit(slug), first_day(each, under.clock.day(at_ms)));
        if self.used(&what, period) == 0 {
            self.set_used(what, period, 1);
            self.award(under, award, slug, at_ms);
        }
    }

    /// What was planned for an instant.
    fn look(&mut self, under: &Under<'_>, what: What, at_ms: i64) {
        self.plans.remove(&what);
        let (ladder, last_day) = (&under.rules.standing.ladder, under.clock.day(at_ms - 1));
        let tier = self.tier_at(under.rules);
        let held = tier > 0 && !under.for_life();
        match what {
            What::Review if held => {
                let count = self.count_on(under, last_day);
                if count >= under.rules.standing.keep[tier] {
                    self.hold_on(under, at_ms);
                } else if ladder.grace > 0 {
                    self.plans.insert(What::Grace, under.clock.ends(last_day + ladder.grace));
                } else {
                    self.fall(under, count, at_ms);
                }
            }
            What::Grace if held => {
                let count = self.count_on(under, last_day).max(self.closed(under, last_day));
                self.fall(under, count, at_ms);
            }
            What::Benefit(slug) => {
                let benefit = under.rules.standing.benefits.iter().find(|benefit| benefit.slug == slug);
                let tier = self.tier.expect("it is in a tier");
                if let Some(benefit) = benefit.filter(|it| it.tiers.is_empty() || it.tiers.contains(&tier)) {
                    match &benefit.when {
                        When::After(_) => self.award(under, &benefit.award, slug, at_ms),
                        When::Every(each, _) => {
                            self.once(under, slug, &benefit.award, *each, at_ms);
                            let next = under.clock.begins(next_day(*each, under.clock.day(at_ms)));
                            self.plans.insert(what, next);
                        }
                    }
                }
            }
            _ => {}
        }
        self.stand(under, at_ms);
    }

    /// What is counted of the calendar's period before that of a day, if it is counted so.
    fn closed(&self, under: &Under<'_>, day: i32) -> i64 {
        match under.period() {
            None | Some(Each::Life) => 0,
            Some(each) => self.count_on(under, first_day(each, day) - 1),
        }
    }

    fn fall(&mut self, under: &Under<'_>, count: i64, at_ms: i64) {
        let one_down = self.tier_at(under.rules) - 1;
        let keep = &under.rules.standing.keep;
        let fits = (0..=one_down).rev().find(|at| keep[*at] <= count).unwrap_or(0);
        let to = if under.rules.standing.ladder.by_one { one_down } else { fits };
        self.set_tier(under, to);
        if to > 0 {
            self.hold_on(under, at_ms);
        } else {
            self.plans.remove(&What::Review);
            self.plans.remove(&What::Grace);
        }
    }

    /// A new version is in force from an instant on.
    pub(super) fn align(&mut self, under: &Under<'_>, at_ms: i64) {
        let known = under.rules.tiers.iter().any(|(slug, _)| Some(*slug) == self.tier);
        if !known {
            self.set_tier(under, 0);
        }
        if under.for_life() || self.tier_at(under.rules) == 0 {
            self.plans.remove(&What::Review);
            self.plans.remove(&What::Grace);
        } else if !self.plans.contains_key(&What::Review) && !self.plans.contains_key(&What::Grace) {
            self.hold(under, at_ms);
        }
        for benefit in &under.rules.standing.benefits {
            if let When::Every(each, _) = benefit.when {
                let next = under.clock.begins(next_day(each, under.clock.day(at_ms)));
                let what = What::Benefit(benefit.slug);
                if self.plans.get(&what).is_some_and(|at| *at > next) {
                    self.plans.remove(&what);
                }
            }
        }
        self.stand(under, at_ms);
    }

    /// What caps leave of points, counted in each.
    pub(super) fn capped(&mut self, rule: &'static str, points: i64, caps: &Caps, day: i32) -> i64 {
        let mut left = points;
        for cap in &caps.all {
            let used = cap.each.map_or(0, |each| self.used(&Counted::Cap(rule, each, cap.times), first_day(each, day)));
            let room = match cap.times {
                true if used >= cap.most => 0,
                true => left,
                false => (cap.most - used).max(0),
            };
            left = left.min(room);
        }
        for cap in caps.all.iter().filter(|_| left > 0) {
            let Some(each) = cap.each else { continue };
            let (what, period) = (Counted::Cap(rule, each, cap.times), first_day(each, day));
            let used = self.used(&what, period) + if cap.times { 1 } else { left };
            self.set_used(what, period, used);
        }
        left
    }
}
