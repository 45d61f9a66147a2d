//! The check-in and its streak, counted in local days (I9): today's, one that comes in late, or a missed day that is made up for.
//!
//! Promises: a local day counts once, in whatever order days come in; nor do the bonuses of a streak depend on that order. A day that
//! fills a gap brings those that the days after it would have brought, had it come in time; what was given ahead comes off later ones.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{MakeUp, RecordCheckIn};
use tidegate_protocol::refusal::{AlreadyCheckedIn, DayOutOfReach, PaidInTheFuture, TooOld};

use super::Context;
use super::admit::Request;
use super::days::Run;
use super::draft::{Draft, Given};
use super::effect::{Effect, Effects};
use super::member::Member;
use super::part::{Change, MemberPart};
use super::refusal::Refusal;
use crate::programme::{CheckIn, Measure, Zone};

/// Runs are kept for so many days: longer than anything reaches back, zones counted in.
const KEPT_DAYS: i32 = 40;

/// A check-in may be dated so far ahead of its arrival.
const AHEAD_MS: i64 = 600_000;

/// A day on its way to be checked in.
struct Asked<'a> {
    context: &'a Context<'a>,
    slot: u32,
    member: &'a Member,
    request: &'a Request,
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

/// What a day comes to.
struct Counted {
    change: Change,
    effects: Effects,
    /// Bonuses of the streak.
    bonus: i64,
}

/// Decides today's check-in.
///
/// A local day at or before the last one counts as checked in, so that a changed zone cannot repeat a day.
pub fn check_in(context: &Context<'_>, slot: u32, member: &Member, request: &Request) -> Result<MemberPart, Refusal> {
    let rule = rule(context)?;
    let day = zone(context, member).local_day(context.now_ms);
    if member.last_day >= day {
        return Err(already(context, member, member.last_day));
    }
    let happened_ms = context.now_ms;
    Asked { context, slot, member, request, rule, day, happened_ms, card: None, earns: true }.decide()
}

/// Decides a check-in that happened before it came in.
pub fn record_check_in(
    context: &Context<'_>,
    slot: u32,
    member: &Member,
    request: &Request,
    body: &RecordCheckIn,
) -> Result<MemberPart, Refusal> {
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
    Asked { context, slot, member, request, rule, day, happened_ms, card: None, earns: true }.decide()
}

/// Decides that a day that was missed is made up for.
pub fn make_up(
    context: &Context<'_>,
    slot: u32,
    member: &Member,
    request: &Request,
    body: &MakeUp,
) -> Result<MemberPart, Refusal> {
    let rule = rule(context)?;
    let make_up = rule.make_up.as_ref().ok_or(Refusal::Plain(answer::NO_MAKE_UP))?;
    let (day, today) = (body.day, zone(context, member).local_day(context.now_ms));
    let (from, until) = (known_from(member).max(today - make_up.within_days), today - 1);
    if !(from..=until).contains(&day) {
        return Err(Refusal::DayOutOfReach(DayOutOfReach { from, until }));
    }
    let asked = Asked {
        context,
        slot,
        member,
        request,
        rule,
        day,
        happened_ms: context.now_ms,
        card: Some(make_up.card),
        earns: make_up.earns,
    };
    if is_checked(member, day) {
        return Err(already(context, member, day));
    }
    if member.right_count(make_up.card) == 0 {
        return Err(Refusal::Plain(answer::NO_RIGHT_LEFT));
    }
    asked.decide()
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

impl Asked<'_> {
    fn decide(self) -> Result<MemberPart, Refusal> {
        let Asked { context, slot, member, request, rule, day, happened_ms, card, earns } = self;
        if is_checked(member, day) {
            return Err(already(context, member, day));
        }
        let Counted { change, mut effects, bonus } = if day > member.last_day { self.on() } else { self.between() };
        effects.extend(card.map(|number| Effect::RightUsed { number }));
        // What was given ahead, for days that have got another place in a streak, comes off the bonuses that follow.
        let before = member.days().map_or(0, |days| days.owed);
        let due = bonus.saturating_sub(before);
        let owed = due.min(0).saturating_neg();
        if owed != before {
            effects.push(Effect::BonusOwed { points: owed });
        }
        let mut draft = Draft::asked(context, slot, member, request, change, effects);
        if earns {
            let given = Given { channel: 0, happened_ms };
            draft.earn(rule.base_points().saturating_add(due.max(0)), &rule.giving, &given)?;
            draft.progress(Measure::Growth, happened_ms, rule.growth)?;
        }
        Ok(draft.finish())
    }

    /// A day after all that were checked in.
    fn on(&self) -> Counted {
        let Asked { member, rule, day, .. } = *self;
        let (last, before) = (member.last_day, member.streak);
        let continued = last == day - 1;
        let streak = match () {
            () if continued => before.saturating_add(1),
            () if self.skipped_a_date() => before.saturating_add(2),
            () => 1,
        };
        let mut effects = Effects::new();
        let known = member.days().is_some_and(|days| days.after.is_some());
        if !known && rule.reaches() {
            let after = if last == i32::MIN { day - 1 } else { last.saturating_sub(i32::from(before)) };
            effects.push(Effect::DaysKnown { after });
        }
        if streak == 1 && last != i32::MIN && (known || rule.reaches()) {
            effects.push(Effect::Ran(newest(member)));
        }
        if runs(member).first().is_some_and(|run| run.last < day - KEPT_DAYS) {
            effects.push(Effect::DaysKnown { after: day - KEPT_DAYS });
        }
        let from = if streak == 1 { 1 } else { before.saturating_add(1) };
        Counted { change: Change::CheckedIn { day, streak }, effects, bonus: bonuses(rule, from, streak) }
    }

    /// Whether the member's zone has changed since its last check-in so that a date was skipped, and in the former zone it is the day
    /// after it still: who travels loses no streak.
    fn skipped_a_date(&self) -> bool {
        let Asked { context, member, day, .. } = *self;
        let programme = context.programme;
        let former = member.days().filter(|days| days.former != days.zone).map(|days| days.former);
        former.is_some_and(|former| {
            let there = programme.zone_of(former).local_day(context.now_ms);
            member.last_day == day - 2 && there == day - 1 && self.happened_ms == context.now_ms
        })
    }

    /// A day between, or before, days that were checked in: runs beside it become one.
    fn between(&self) -> Counted {
        let Asked { member, rule, day, .. } = *self;
        let before = runs(member).iter().find(|run| run.last == day - 1).map_or(0, |run| run.days);
        let newest = newest(member);
        let behind = match newest.first() == day + 1 {
            true => Some(newest),
            false => runs(member).iter().copied().find(|run| run.first() == day + 1),
        };
        let after = behind.map_or(0, |run| run.days);
        let days = before.saturating_add(1).saturating_add(after);
        let bonus = bonuses(rule, before.saturating_add(1), days).saturating_sub(bonuses(rule, 1, after));
        let (streak, effects) = match behind {
            Some(run) if run == newest => (days, Effects::new()),
            _ => {
                let last = behind.map_or(day, |run| run.last);
                (member.streak, Effects::from_slice(&[Effect::Ran(Run { last, days })]))
            }
        };
        Counted { change: Change::FilledIn { day, streak }, effects, bonus }
    }
}

/// The bonuses of the days of a streak from one to another.
fn bonuses(rule: &CheckIn, from: u16, through: u16) -> i64 {
    (from..=through).fold(0, |sum, day| rule.bonus(u32::from(day)).saturating_add(sum))
}
