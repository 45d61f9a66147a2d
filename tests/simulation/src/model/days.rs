//! The days on which a member checked in, as a plain set of them, and what one more comes to.

use std::collections::BTreeSet;

use tidegate_protocol::MemberKey;
use tidegate_protocol::answer::ProfileView;
use tidegate_protocol::code::answer;
use tidegate_protocol::refusal::{AlreadyCheckedIn, DayOutOfReach, PaidInTheFuture, TooOld};

use super::decide::{Change, Due, plain, with};
use super::judge::{Bench, due, expect};
use super::{DAY_MS, Member, Told};
use crate::calendar::Clock;
use crate::multipliers::On;
use crate::rules::{AHEAD_MS, CheckIn};

/// A member's days.
#[derive(Debug, Clone, Default)]
pub(super) struct Days {
    /// All that count, those that a changed zone skipped among them.
    checked: BTreeSet<i32>,
    /// The zone, where it is not the programme's; and that of the last check-in.
    pub(super) zone: Option<&'static str>,
    former: Option<&'static str>,
    /// On this day and before it nothing can be filled in; not yet stated if there is none.
    after: Option<i32>,
    best: u32,
    /// Bonuses given for more than the days in a row that there are, by how they stand today.
    owed: i64,
}

/// How many days in a row end with a day.
fn run(checked: &BTreeSet<i32>, last: i32) -> u32 {
    (0..).take_while(|back| checked.contains(&(last - back))).count() as u32
}

/// How many begin with it.
fn run_from(checked: &BTreeSet<i32>, first: i32) -> u32 {
    (0..).take_while(|on| checked.contains(&(first + on))).count() as u32
}

impl Days {
    pub(super) fn last(&self) -> Option<i32> {
        self.checked.last().copied()
    }

    pub(super) fn streak(&self) -> u32 {
        self.last().map_or(0, |last| run(&self.checked, last))
    }

    pub(super) fn best(&self) -> u32 {
        self.best
    }

    fn known_from(&self) -> i32 {
        match (self.after, self.last()) {
            (Some(after), _) => after + 1,
            (None, None) => i32::MIN,
            (None, Some(last)) => last - self.streak() as i32 + 1,
        }
    }

    /// A new member, on its first day.
    pub(super) fn enrolled(&mut self, rule: Option<&CheckIn>, today: i32) {
        if rule.is_some_and(CheckIn::reaches) {
            self.after = Some(today - 1);
        }
    }

    pub(super) fn owe(&mut self, owed: i64) {
        self.owed = owed;
    }

    pub(super) fn set_zone(&mut self, zone: Option<&'static str>) {
        self.zone = zone;
    }

    /// A day counts, and perhaps one that was skipped before it.
    pub(super) fn check(&mut self, rule: &CheckIn, day: i32, skipped: bool) {
        let forward = self.last().is_none_or(|last| day > last);
        if forward {
            if self.after.is_none() && rule.reaches() {
                self.after = Some(self.last().map_or(day - 1, |last| last - self.streak() as i32));
            }
            self.former = self.zone;
        }
        self.checked.insert(day);
        if skipped {
            self.checked.insert(day - 1);
        }
        let last = day + run_from(&self.checked, day) as i32 - 1;
        self.best = self.best.max(run(&self.checked, last));
    }
}

impl CheckIn {
    /// Whether another day than today's can be checked in.
    fn reaches(&self) -> bool {
        self.late_ms > 0 || self.make_up.is_some()
    }

    /// What so many days in a row bring beside the points of each.
    fn bonuses(&self, days: u32) -> i64 {
        let of_table = |day: u32| self.cycle.map_or(day, |cycle| (day - 1) % cycle + 1);
        let bonus =
            |day| self.streak.iter().filter(|(of, _)| *of == of_table(day)).map(|(_, bonus)| bonus).sum::<i64>();
        (1..=days).map(bonus).sum()
    }
}

/// A day on its way.
struct Asked {
    day: i32,
    happened_ms: i64,
    card: Option<&'static str>,
    earns: bool,
}

impl Bench<'_> {
    fn clock_of(&self, zone: Option<&'static str>) -> Clock {
        let allowed = self.programme.rules.check_in.iter().flat_map(|rule| &rule.zones);
        match zone.filter(|zone| allowed.into_iter().any(|known| known == zone)) {
            Some(zone) => Clock::of(zone),
            None => self.programme.clock.clone(),
        }
    }

    fn already(&self, member: &Member, day: i32) -> Due {
        let days = &member.days;
        let next_ms = self.clock_of(days.zone).begins(days.last().expect("it checked in") + 1);
        let is = AlreadyCheckedIn { day, streak: days.streak(), next_ms };
        with(answer::ALREADY_CHECKED_IN, move |body: &AlreadyCheckedIn| *body == is, format!("{is:?} is due"))
    }

    pub(super) fn check_in(&self, member: &Member) -> Due {
        let Some(rule) = &self.programme.rules.check_in else { return plain(answer::NO_CHECK_IN) };
        let (days, now_ms) = (&member.days, self.now.now_ms);
        let day = self.clock_of(days.zone).day(now_ms);
        if let Some(last) = days.last().filter(|last| *last >= day) {
            return self.already(member, last);
        }
        let there = self.clock_of(days.former).day(now_ms);
        let skipped = days.former != days.zone && days.last() == Some(day - 2) && there == day - 1;
        self.counted(member, rule, &Asked { day, happened_ms: now_ms, card: None, earns: true }, skipped)
    }

    pub(super) fn record_check_in(&self, member: &Member, happened_ms: i64) -> Due {
        let Some(rule) = &self.programme.rules.check_in else { return plain(answer::NO_CHECK_IN) };
        let now_ms = self.now.now_ms;
        if happened_ms > now_ms + AHEAD_MS {
            let until_ms = now_ms + AHEAD_MS;
            let fits = move |body: &PaidInTheFuture| body.until_ms == until_ms;
            return with(answer::IN_THE_FUTURE, fits, format!("{until_ms} is due"));
        }
        if happened_ms < now_ms - rule.late_ms {
            let after_ms = now_ms - rule.late_ms - 1;
            return with(answer::TOO_LATE, move |body: &TooOld| body.after_ms == after_ms, format!("{after_ms}"));
        }
        let happened_ms = happened_ms.min(now_ms);
        let clock = self.clock_of(member.days.zone);
        let (day, today, from) = (clock.day(happened_ms), clock.day(now_ms), member.days.known_from());
        if day < from && day != today {
            return out_of_reach(from, today);
        }
        let last = member.days.last().filter(|last| *last >= day);
        let changed = member.days.former != member.days.zone;
        if let Some(last) = last.filter(|_| happened_ms == now_ms || changed) {
            return self.already(member, last);
        }
        if member.days.checked.contains(&day) {
            return self.already(member, day);
        }
        let asked = Asked { day, happened_ms, card: None, earns: true };
        // It may have come in at once.
        let there = self.clock_of(member.days.former).day(now_ms);
        let skipped = member.days.former != member.days.zone
            && member.days.last() == Some(day - 2)
            && there == day - 1
            && happened_ms == now_ms;
        self.counted(member, rule, &asked, skipped)
    }

    pub(super) fn make_up(&self, member: &Member, day: i32) -> Due {
        let Some(rule) = &self.programme.rules.check_in else { return plain(answer::NO_CHECK_IN) };
        let Some((within, card, earns)) = rule.make_up else { return plain(answer::NO_MAKE_UP) };
        let now_ms = self.now.now_ms;
        let today = self.clock_of(member.days.zone).day(now_ms);
        let (from, until) = (member.days.known_from().max(today - within), today - 1);
        if day < from || day > until {
            return out_of_reach(from, until);
        }
        if member.days.checked.contains(&day) {
            return self.already(member, day);
        }
        if !member.holdings.rights.iter().any(|right| right.slug == card) {
            return plain(answer::NO_RIGHT_LEFT);
        }
        let asked = Asked { day, happened_ms: now_ms, card: Some(card), earns };
        let there = self.clock_of(member.days.former).day(now_ms);
        let skipped = member.days.former != member.days.zone && member.days.last() == Some(day - 2) && there == day - 1;
        self.counted(member, rule, &asked, skipped)
    }

    fn counted(&self, member: &Member, rule: &CheckIn, asked: &Asked, skipped: bool) -> Due {
        let Asked { day, happened_ms, card, earns } = *asked;
        let checked = &member.days.checked;
        let before = run(checked, if skipped { day - 2 } else { day - 1 });
        let after = run_from(checked, day + 1);
        let all = before + after + if skipped { 2 } else { 1 };
        let more = rule.bonuses(all) - rule.bonuses(before) - rule.bonuses(after);
        let due = more - member.days.owed;
        let given = self.given(On::CheckIn, happened_ms);
        let points = if earns { self.multiplied(rule.points + due.max(0), &given) } else { 0 };
        Due::Apply(Change::CheckIn { day, skipped, points, owed: (-due).max(0), happened_ms, card, earns })
    }

    pub(super) fn set_zone(&self, zone: &str) -> Due {
        let Some(rule) = &self.programme.rules.check_in else { return plain(answer::NO_CHECK_IN) };
        match rule.zones.iter().find(|known| **known == zone) {
            Some(zone) => Due::Apply(Change::SetZone(Some(zone))),
            None if zone == self.programme.rules.zone => Due::Apply(Change::SetZone(None)),
            None => plain(answer::UNKNOWN_ZONE),
        }
    }

    pub(super) fn profile(&self, key: u64, told: &Told) -> Result<(), String> {
        let Some(member) = self.programme.members.get(&key) else { return expect(told, answer::NO_SUCH_MEMBER) };
        expect(told, answer::PROFILE)?;
        let view: ProfileView = told.read()?;
        let (days, rules) = (&member.days, &self.programme.rules);
        let clock = self.clock_of(days.zone);
        let today = clock.day(self.now.now_ms);
        let name = |zone: Option<&'static str>| {
            let allowed = rules.check_in.iter().flat_map(|rule| &rule.zones);
            zone.filter(|zone| allowed.into_iter().any(|known| known == zone)).unwrap_or(rules.zone)
        };
        let next = days.last().map_or(today, |last| last.max(today)) + 1;
        let here = (name(days.zone).to_owned(), today, days.last().is_some_and(|last| last >= today));
        due((view.zone.as_str().to_owned(), view.today, view.checked_in == 1), here)?;
        due(view.next_ms, clock.begins(next))?;
        let late = rules.check_in.as_ref().map_or(0, |rule| (rule.late_ms + DAY_MS - 1) / DAY_MS) as i32;
        let made_up = rules.check_in.as_ref().and_then(|rule| rule.make_up);
        let back = late.max(made_up.map_or(0, |(within, ..)| within));
        due(view.reach, days.known_from().max(today - back))?;
        let cards = made_up.map_or(0, |(_, card, _)| {
            member.holdings.rights.iter().filter(|right| right.slug == card).map(|right| right.count).sum()
        });
        due(view.cards, cards)?;
        for told in view.runs.as_slice() {
            let next = days.checked.contains(&(told.last + 1));
            due((told.days, next), (run(&days.checked, told.last), false))?;
        }
        let (invited_by, until_ms) = member.invitation.unwrap_or((0, 0));
        let invited_by = member.invitation.map_or(MemberKey([0; 16]), |_| MemberKey::from_number(invited_by));
        let invited = member.invitation.map_or(0, |(_, until_ms)| if until_ms == 0 { 2 } else { 1 });
        due((view.invited, view.invited_by, view.invited_until_ms), (invited, invited_by, until_ms))?;
        let tags: Vec<&str> = view.tags.as_slice().iter().map(|tag| tag.as_str()).collect();
        let has: Vec<&str> = member.tags.iter().copied().filter(|tag| rules.tags.contains(tag)).collect();
        due(tags.iter().copied().collect::<BTreeSet<_>>(), has.into_iter().collect())
    }
}

fn out_of_reach(from: i32, until: i32) -> Due {
    let is = DayOutOfReach { from, until };
    with(answer::DAY_OUT_OF_REACH, move |body: &DayOutOfReach| *body == is, format!("{is:?} is due"))
}
