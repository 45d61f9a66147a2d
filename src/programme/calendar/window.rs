//! Windows: when a campaign is open, as a sorted table of intervals with a hint where it was last looked up.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::civil::Date;

use super::zone::{FIRST_DAY, LAST_DAY, datetime, local_ms};
use super::{DAY_MS, Zone};

/// How many neighbours the exact search looks at on each side: 29 February is at most 8 years away, everything else is
/// nearer.
const NEIGHBOURS: i64 = 10;

/// The years the calendar knows; in others nothing opens.
const YEARS: std::ops::RangeInclusive<i16> = -9998..=9998;

/// Where an instant stands to a window. All instants in ms since the Unix epoch; intervals are half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Open now. The period is named by the local day on which the rule opens it, also where `starts` cuts its
    /// beginning off.
    Open {
        /// Days since 1970-01-01 of the local date on which it opens.
        period: i32,
        /// When it opened.
        opens_ms: i64,
        /// When it closes.
        closes_ms: i64,
    },
    /// It never was open yet.
    NotYet {
        /// When it opens first.
        opens_ms: i64,
    },
    /// Closed, and will open again.
    Between {
        /// When it opens next.
        next_opens_ms: i64,
        /// When it closed last.
        closed_ms: i64,
    },
    /// It never opens again.
    Ended {
        /// When it closed last; `i64::MIN` if it never opened at all.
        closed_ms: i64,
    },
}

/// A day of a month: a number, or the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::programme) enum MonthDay {
    Number(i8),
    Last,
}

/// A day in a month or a year with a time of it, `24:00` (the day's end) included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::programme) struct Moment {
    /// 1 to 12; 0 in a monthly rule.
    pub(in crate::programme) month: i8,
    pub(in crate::programme) day: MonthDay,
    /// ms since the day's 00:00 by the clock.
    pub(in crate::programme) time_ms: i64,
}

/// When a window opens and closes by the local clock. `until` at or before `from` means the one of the next day, week,
/// month or year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::programme) enum Rule {
    /// Clock readings, ms since 1970-01-01 00:00.
    Once { from_ms: i64, until_ms: i64 },
    /// ms since 00:00.
    Day { from_ms: i64, until_ms: i64 },
    /// ms since Monday 00:00.
    Week { from_ms: i64, until_ms: i64 },
    /// From a day the month lacks: no window that month. Until a day it lacks: to the month's end.
    Month { from: Moment, until: Moment },
    /// The same with 29 February.
    Year { from: Moment, until: Moment },
}

impl Rule {
    /// The number of the day, week, month or year a local day falls into.
    fn index_of(&self, day: i32) -> i64 {
        let date = datetime(i64::from(day) * DAY_MS).date();
        match self {
            Rule::Once { .. } => 0,
            Rule::Day { .. } => i64::from(day),
            Rule::Week { .. } => (i64::from(day) + 3).div_euclid(7),
            Rule::Month { .. } => i64::from(date.year()) * 12 + i64::from(date.month()) - 1,
            Rule::Year { .. } => i64::from(date.year()),
        }
    }

    /// The clock readings between which the window of day, week, month or year `index` is open; `None` if that one has
    /// none.
    fn readings(&self, index: i64) -> Option<(i64, i64)> {
        let wrap = |from: i64, until: i64, length: i64| if until <= from { until + length } else { until };
        match *self {
            Rule::Once { from_ms, until_ms } => (index == 0).then_some((from_ms, until_ms)),
            Rule::Day { from_ms, until_ms } => {
                let start = index.checked_mul(DAY_MS)?;
                Some((start + from_ms, start + wrap(from_ms, until_ms, DAY_MS)))
            }
            Rule::Week { from_ms, until_ms } => {
                let start = (7 * index - 3).checked_mul(DAY_MS)?;
                Some((start + from_ms, start + wrap(from_ms, until_ms, 7 * DAY_MS)))
            }
            Rule::Month { from, until } => {
                let next = i64::from(until <= from);
                Some((reading(index, from, false)?, reading(index + next, until, true)?))
            }
            Rule::Year { from, until } => {
                let next = i64::from(until <= from);
                let month = |year: i64, moment: Moment| year * 12 + i64::from(moment.month) - 1;
                Some((reading(month(index, from), from, false)?, reading(month(index + next, until), until, true)?))
            }
        }
    }
}

/// The clock reading of a moment in a month, numbered `year * 12 + month - 1`. A day the month lacks is none, or its
/// end.
fn reading(month: i64, moment: Moment, to_end: bool) -> Option<i64> {
    let year = i16::try_from(month.div_euclid(12)).ok().filter(|year| YEARS.contains(year))?;
    let first = Date::new(year, month.rem_euclid(12) as i8 + 1, 1).ok()?;
    let start = |day: i8| Some(local_ms(Date::new(year, first.month(), day).ok()?.at(0, 0, 0, 0)));
    let last = first.days_in_month();
    match moment.day {
        MonthDay::Last => Some(start(last)? + moment.time_ms),
        MonthDay::Number(day) if day <= last => Some(start(day)? + moment.time_ms),
        MonthDay::Number(_) if to_end => Some(start(last)? + DAY_MS),
        MonthDay::Number(_) => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interval {
    opens_ms: i64,
    closes_ms: i64,
    period: i32,
}

/// When a campaign is open: once, or each day, week, month or year, in the programme's zone.
pub struct Window {
    rule: Rule,
    /// Clock readings outside which it never opens.
    starts_ms: Option<i64>,
    ends_ms: Option<i64>,
    zone: Zone,
    /// Every interval of 2020 through 2045, ascending, disjoint.
    table: Arc<[Interval]>,
    /// Whether no interval lies before the table, and none after.
    whole_before: bool,
    whole_after: bool,
    /// The index found last: a guess that saves a search, never a part of the result.
    hint: AtomicU32,
}

impl Window {
    pub(in crate::programme) fn new(rule: Rule, starts_ms: Option<i64>, ends_ms: Option<i64>, zone: &Zone) -> Window {
        let once = matches!(rule, Rule::Once { .. });
        let mut window = Window {
            rule,
            starts_ms,
            ends_ms,
            zone: zone.clone(),
            table: Arc::from([]),
            whole_before: once || starts_ms.is_some_and(|ms| ms >= i64::from(FIRST_DAY) * DAY_MS),
            whole_after: once || ends_ms.is_some_and(|ms| ms <= i64::from(LAST_DAY) * DAY_MS),
            hint: AtomicU32::new(0),
        };
        let indices = rule.index_of(FIRST_DAY) - 1..=rule.index_of(LAST_DAY) + 1;
        window.table = indices.filter_map(|index| window.interval(index)).collect();
        window
    }

    /// Where an instant stands to this window.
    #[inline]
    pub fn at(&self, now_ms: i64) -> Span {
        let hint = self.hint.load(Ordering::Relaxed) as usize;
        if let Some(current) = self.table.get(hint)
            && current.opens_ms <= now_ms
        {
            match self.table.get(hint + 1) {
                Some(next) if now_ms < next.opens_ms => return Self::span(current, Some(next), now_ms),
                None if self.whole_after => return Self::span(current, None, now_ms),
                _ => {}
            }
        }
        self.find(now_ms)
    }

    /// How many windows open on a day between two, neither included; of the years that the table covers.
    pub fn count_between(&self, after: i32, before: i32) -> u64 {
        let from = self.table.partition_point(|interval| interval.period <= after);
        let until = self.table.partition_point(|interval| interval.period < before);
        until.saturating_sub(from) as u64
    }

    /// The rule it was made from.
    pub(in crate::programme) fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The shortest time for which it is closed between two openings, within the years of the table; `None` where it opens once at most.
    pub(in crate::programme) fn shortest_pause_ms(&self) -> Option<i64> {
        self.table.windows(2).map(|pair| pair[1].opens_ms - pair[0].closes_ms).min()
    }

    /// Its bounds, as clock readings.
    pub(in crate::programme) fn bounds_ms(&self) -> (Option<i64>, Option<i64>) {
        (self.starts_ms, self.ends_ms)
    }

    /// The first local date of the table's years whose window is lost, as the clock jumps over all of it.
    pub(in crate::programme) fn lost_to_the_clock(&self) -> Option<Date> {
        let mut indices = self.rule.index_of(FIRST_DAY)..=self.rule.index_of(LAST_DAY);
        let lost = indices.find_map(|index| {
            let (from, until) = self.rule.readings(index)?;
            let bounded = self.starts_ms.is_some_and(|ms| until <= ms) || self.ends_ms.is_some_and(|ms| from >= ms);
            (!bounded && from < until && self.zone.begins(from) >= self.zone.ends(until)).then_some(from)
        });
        lost.map(|from| datetime(from).date())
    }

    fn find(&self, now_ms: i64) -> Span {
        let Some(first) = self.table.first() else {
            return if self.whole_before && self.whole_after {
                Span::Ended { closed_ms: i64::MIN }
            } else {
                self.exact(now_ms)
            };
        };
        if now_ms < first.opens_ms {
            return if self.whole_before { Span::NotYet { opens_ms: first.opens_ms } } else { self.exact(now_ms) };
        }
        let index = self.table.partition_point(|interval| interval.opens_ms <= now_ms) - 1;
        let next = self.table.get(index + 1);
        if next.is_none() && !self.whole_after {
            return self.exact(now_ms);
        }
        self.hint.store(index as u32, Ordering::Relaxed);
        Self::span(&self.table[index], next, now_ms)
    }

    #[inline]
    fn span(current: &Interval, next: Option<&Interval>, now_ms: i64) -> Span {
        let Interval { opens_ms, closes_ms, period } = *current;
        match next {
            _ if now_ms < closes_ms => Span::Open { period, opens_ms, closes_ms },
            Some(next) => Span::Between { next_opens_ms: next.opens_ms, closed_ms: closes_ms },
            None => Span::Ended { closed_ms: closes_ms },
        }
    }

    /// The answer without the table, for years it does not cover.
    fn exact(&self, now_ms: i64) -> Span {
        let day_of = |reading: i64| datetime(reading).date();
        let index_at = |reading: i64| self.rule.index_of((local_ms(day_of(reading).at(0, 0, 0, 0)) / DAY_MS) as i32);
        let mut around = self.rule.index_of(self.zone.local_day(now_ms));
        around = self.ends_ms.map_or(around, |ms| around.min(index_at(ms)));
        around = self.starts_ms.map_or(around, |ms| around.max(index_at(ms)));
        let near = || (around - NEIGHBOURS..=around + NEIGHBOURS).filter_map(|index| self.interval(index));
        let current = near().take_while(|interval| interval.opens_ms <= now_ms).last();
        let next = near().find(|interval| interval.opens_ms > now_ms);
        match (current, next) {
            (Some(current), next) => Self::span(&current, next.as_ref(), now_ms),
            (None, Some(next)) => Span::NotYet { opens_ms: next.opens_ms },
            (None, None) => Span::Ended { closed_ms: i64::MIN },
        }
    }

    /// The interval of day, week, month or year `index`; `None` if that one has none, by the rule, its bounds, or a
    /// jump of the clock over all of it.
    fn interval(&self, index: i64) -> Option<Interval> {
        let (from, until) = self.rule.readings(index)?;
        let period = i32::try_from(from.div_euclid(DAY_MS)).ok()?;
        let mut opens_ms = self.zone.begins(from);
        let mut closes_ms = self.zone.ends(until);
        if let Some((next, _)) = self.rule.readings(index + 1) {
            // Around the clock, on a day it is set back: a window closes where the next opens.
            closes_ms = closes_ms.min(self.zone.begins(next));
        }
        opens_ms = self.starts_ms.map_or(opens_ms, |ms| opens_ms.max(self.zone.begins(ms)));
        closes_ms = self.ends_ms.map_or(closes_ms, |ms| closes_ms.min(self.zone.ends(ms)));
        (opens_ms < closes_ms).then_some(Interval { opens_ms, closes_ms, period })
    }
}

impl Clone for Window {
    fn clone(&self) -> Window {
        Window {
            rule: self.rule,
            starts_ms: self.starts_ms,
            ends_ms: self.ends_ms,
            zone: self.zone.clone(),
            table: self.table.clone(),
            whole_before: self.whole_before,
            whole_after: self.whole_after,
            hint: AtomicU32::new(self.hint.load(Ordering::Relaxed)),
        }
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Window");
        shown.field("rule", &self.rule).field("starts_ms", &self.starts_ms).field("ends_ms", &self.ends_ms);
        shown.field("zone", &self.zone).finish_non_exhaustive()
    }
}
