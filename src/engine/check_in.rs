//! The check-in and its streak, counted in local days (I9): today's, one that comes in late, or a missed day that is made up for.
//!
//! Promises: a local day counts once, in whatever order days come in; nor do the bonuses of a streak depend on that order. A day that
//! fills a gap brings those that the days after it would have brought, had it come in time; what was given ahead comes off later ones.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{MakeUp, RecordCheckIn};
use tidegate_protocol::refusal::{AlreadyCheckedIn, DayOutOfReach, PaidInTheFuture, TooOld};

use super::Context;
use super::days::Run;
use super::draft::{Asker, Draft, Given};
use super::effect::Effect;
use super::member::Member;
use super::part::Change;
use super::refusal::Refusal;
use crate::programme::{CheckIn, Measure, Zone};

/// Runs are kept for so many days: longer than anything reaches back, zones counted in.
const KEPT_DAYS: i32 = 40;

/// A check-in may be dated so far ahead of its arrival.
const AHEAD_MS: i64 = 600_000;

/// A day on its way to be checked in.
#[derive(Clone, Copy)]
struct Asked<'a> {
    rule: &'a CheckIn,
    /// Which day.
    day: i32,
    /// When it counts as happened.
    happened_ms: i64,
    /// The right that it uses up.
    card: Option<u16>,
    /// Whether it gives points of its own.
    earns: bool,
}

/// Decides today's check-in.
///
/// A local day at or before the last one counts as checked in, so that a changed zone cannot repeat a day.
pub fn check_in(asker: Asker<'_>) -> Result<(), Refusal> {
    let Asker { context, member, .. } = asker;
    let rule = rule(context)?;
    let day = zone(context, member).local_day(context.now_ms);
    if member.last_day >= day {
        return Err(already(context, member, member.last_day));
    }
    let happened_ms = context.now_ms;
    decide(asker, Asked { rule, day, happened_ms, card: None, earns: true })
}

/// Decides a check-in that happened before it came in.
pub fn record_check_in(asker: Asker<'_>, body: &RecordCheckIn) -> Result<(), Refusal> {
    let Asker { context, member, .. } = asker;
    let (rule, now_ms) = (rule(context)?, context.now_ms);
    if body.happened_ms > now_ms + AHEAD_MS {
        return Err(Refusal::InTheFuture(PaidInTheFuture { until_ms: now_ms + AHEAD_MS }));
    }
    let after_ms = now_ms - rule.late_ms - 1;
    if body.happened_ms <= after_ms {
        return Err(Refusal::TooLate(TooOld { after_ms }));
    }
    let happened_ms = body.happened_ms.min(now_ms);
    let zone = zone(context, member);
    let (day, today) = (zone.local_day(happened_ms), zone.local_day(now_ms));
    let from = known_from(member);
    if day < from && day != today {
        return Err(Refusal::DayOutOfReach(DayOutOfReach { from, until: today }));
    }
    // What happens now is today's check-in; and a zone that has changed since the last one makes no day of before another.
    let changed = member.days().is_some_and(|days| days.former != days.zone);
    if (happened_ms == now_ms || changed) && member.last_day >= day {
        return Err(already(context, member, member.last_day));
    }
    decide(asker, Asked { rule, day, happened_ms, card: None, earns: true })
}

/// Decides that a day that was missed is made up for.
pub fn make_up(asker: Asker<'_>, body: &MakeUp) -> Result<(), Refusal> {
    let Asker { context, member, .. } = asker;
    let rule = rule(context)?;
    let make_up = rule.make_up.as_ref().ok_or(Refusal::Plain(answer::NO_MAKE_UP))?;
    let (day, today) = (body.day, zone(context, member).local_day(context.now_ms));
    let (from, until) = (known_from(member).max(today - make_up.within_days), today - 1);
    if !(from..=until).contains(&day) {
        return Err(Refusal::DayOutOfReach(DayOutOfReach { from, until }));
    }
    if is_checked(member, day) {
        return Err(already(context, member, day));
    }
    if member.right_count(make_up.card) == 0 {
        return Err(Refusal::Plain(answer::NO_RIGHT_LEFT));
    }
    let (happened_ms, card) = (context.now_ms, Some(make_up.card));
    decide(asker, Asked { rule, day, happened_ms, card, earns: make_up.earns })
}

/// The zone in which a member's days are counted.
pub fn zone<'a>(context: &'a Context<'_>, member: &Member) -> &'a Zone {
    context.programme.zone_of(member.days().map_or(0, |days| days.zone))
}

/// The earliest day of which it is known whether it was checked in.
pub fn known_from(member: &Member) -> i32 {
    match member.days().and_then(|days| days.after) {
        Some(after) => after.saturating_add(1),
        None if member.last_day == i32::MIN => i32::MIN,
        None => newest(member).first(),
    }
}

fn rule<'a>(context: &'a Context<'_>) -> Result<&'a CheckIn, Refusal> {
    context.programme.check_in.as_ref().ok_or(Refusal::Plain(answer::NO_CHECK_IN))
}

fn newest(member: &Member) -> Run {
    Run { last: member.last_day, days: member.streak }
}

fn runs(member: &Member) -> &[Run] {
    member.days().map_or(&[], |days| days.runs())
}

/// Whether a day is in one of the member's runs, as far as they are known.
fn is_checked(member: &Member, day: i32) -> bool {
    let has_any = member.last_day != i32::MIN;
    let all = runs(member).iter().copied().chain(has_any.then(|| newest(member)));
    all.into_iter().any(|run| (run.first()..=run.last).contains(&day))
}

fn already(context: &Context<'_>, member: &Member, day: i32) -> Refusal {
    let next_ms = zone(context, member).day_start_ms(member.last_day.saturating_add(1));
    Refusal::AlreadyCheckedIn(AlreadyCheckedIn { day, streak: u32::from(member.streak), next_ms })
}

#[inline(always)]
fn decide(asker: Asker<'_>, asked: Asked<'_>) -> Result<(), Refusal> {
    let Asker { context, member, .. } = asker;
    let Asked { rule, day, happened_ms, card, earns } = asked;
    let is_newest = day > member.last_day;
    if !is_newest && is_checked(member, day) {
        return Err(already(context, member, day));
    }
    let mut draft = Draft::asked(asker, Change::Settled);
    let bonus = if is_newest { draft.day_after(asked) } else { draft.day_between(asked) };
    if let Some(number) = card {
        draft.effect(Effect::RightUsed { number });
    }
    // What was given ahead, for days that have got another place in a streak, comes off the bonuses that follow.
    let before = member.days().map_or(0, |days| days.owed);
    let due = bonus.saturating_sub(before);
    let owed = due.min(0).saturating_neg();
    if owed != before {
        draft.effect(Effect::BonusOwed { points: owed });
    }
    if earns {
        let given = Given { channel: 0, happened_ms };
        draft.earn(rule.base_points().saturating_add(due.max(0)), &rule.giving, &given)?;
        draft.progress(Measure::Growth, happened_ms, rule.growth)?;
    }
    draft.finish();
    Ok(())
}

impl Draft<'_> {
    /// A day after all that were checked in; gives the bonuses of the streak.
    #[inline(always)]
    fn day_after(&mut self, asked: Asked<'_>) -> i64 {
        let Asked { rule, day, .. } = asked;
        let member = self.member;
        let (last, before) = (member.last_day, member.streak);
        let streak = match () {
            () if last == day - 1 => before.saturating_add(1),
            () if self.skipped_a_date(asked) => before.saturating_add(2),
            () => 1,
        };
        self.change(Change::CheckedIn { day, streak });
        let known = member.days().is_some_and(|days| days.after.is_some());
        if !known && rule.reaches() {
            let after = if last == i32::MIN { day - 1 } else { last.saturating_sub(i32::from(before)) };
            self.effect(Effect::DaysKnown { after });
        }
        if streak == 1 && last != i32::MIN && (known || rule.reaches()) {
            self.effect(Effect::Ran(newest(member)));
        }
        if runs(member).first().is_some_and(|run| run.last < day - KEPT_DAYS) {
            self.effect(Effect::DaysKnown { after: day - KEPT_DAYS });
        }
        let from = if streak == 1 { 1 } else { before.saturating_add(1) };
        bonuses(rule, from, streak)
    }

    /// Whether the member's zone has changed since its last check-in so that a date was skipped, and in the former zone it is the day
    /// after it still: who travels loses no streak.
    fn skipped_a_date(&self, asked: Asked<'_>) -> bool {
        let Asked { day, happened_ms, .. } = asked;
        let Draft { context, member, .. } = *self;
        let programme = context.programme;
        let former = member.days().filter(|days| days.former != days.zone).map(|days| days.former);
        former.is_some_and(|former| {
            let there = programme.zone_of(former).local_day(context.now_ms);
            member.last_day == day - 2 && there == day - 1 && happened_ms == context.now_ms
        })
    }

    /// A day between, or before, days that were checked in: runs beside it become one. Gives the bonuses that it brings.
    fn day_between(&mut self, asked: Asked<'_>) -> i64 {
        let Asked { rule, day, .. } = asked;
        let member = self.member;
        let before = runs(member).iter().find(|run| run.last == day - 1).map_or(0, |run| run.days);
        let newest = newest(member);
        let behind = match newest.first() == day + 1 {
            true => Some(newest),
            false => runs(member).iter().copied().find(|run| run.first() == day + 1),
        };
        let after = behind.map_or(0, |run| run.days);
        let days = before.saturating_add(1).saturating_add(after);
        if behind == Some(newest) {
            self.change(Change::FilledIn { day, streak: days });
        } else {
            self.change(Change::FilledIn { day, streak: member.streak });
            let last = behind.map_or(day, |run| run.last);
            self.effect(Effect::Ran(Run { last, days }));
        }
        bonuses(rule, before.saturating_add(1), days).saturating_sub(bonuses(rule, 1, after))
    }
}

/// The bonuses of the days of a streak from one to another.
fn bonuses(rule: &CheckIn, from: u16, through: u16) -> i64 {
    (from..=through).fold(0, |sum, day| rule.bonus(u32::from(day)).saturating_add(sum))
}
