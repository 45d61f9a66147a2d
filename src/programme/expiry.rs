//! How long points live: from when a lot can be spent, and from when it is expired, by the calendar of the zone.
//!
//! All of it is a matter of local days (I9): a lot of "12 months from grant, to end of month" that is given on 15 March ends
//! with March of the next year, whatever the clock did meanwhile. So most expiries are a table by the day of the grant,
//! made when the programme is compiled; a decision only looks it up.

use std::sync::Arc;

use super::calendar::{FIRST_DAY, LAST_DAY, MonthDay, date_of, day_of, months_after};
use super::{Span, Window, Zone};

/// Never, as an instant in whole seconds since 1970.
const NEVER_S: u32 = u32::MAX;

/// A length by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Days(i32),
    Months(i32),
}

/// What is waited for behind a length: its last day is the last of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndOf {
    Day,
    Month,
    Quarter,
    Year,
}

/// A length from some day on, up to the end of a day, month, quarter or year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rolling {
    pub(super) length: Length,
    pub(super) end_of: EndOf,
    ends_s: ByDay,
}

/// The same days of every year, at their ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dates {
    /// Month and day.
    pub(super) dates: Vec<(i8, MonthDay)>,
    /// Whole days that a lot has at least.
    pub(super) at_least: i32,
    ends_s: ByDay,
}

/// When lots of a rule expire.
#[derive(Debug, Clone)]
pub(super) enum Expiry {
    Never,
    /// So long after they were given.
    Rolling(Rolling),
    /// So long after the member's last activity.
    Sliding(Rolling),
    Dates(Dates),
    /// With a window of a campaign: the one that is open, or the next.
    Window {
        campaign: String,
        window: Box<Window>,
        at_least: i32,
    },
}

/// From when a lot can be spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opening {
    After(Rolling),
    /// So long after the order was received, and at the latest so long after they were given.
    Receipt {
        after: Rolling,
        latest: Rolling,
    },
    /// Not before this instant, as the file states it and in ms.
    At {
        local_ms: i64,
        instant_ms: i64,
    },
}

/// On which terms a rule gives points.
#[derive(Debug, Clone)]
pub struct LotTerms {
    pub(super) opening: Option<Opening>,
    /// One for all tiers, or one for each by its index.
    pub(super) expiry: Vec<Expiry>,
}

/// When a lot expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expires {
    /// From this second since 1970 on; `u32::MAX` for never.
    pub at_s: u32,
    /// Whether activity moves it.
    pub slides: bool,
}

impl LotTerms {
    /// Points that can be spent at once and for ever.
    pub(super) fn for_ever() -> LotTerms {
        LotTerms { opening: None, expiry: vec![Expiry::Never] }
    }

    /// The instant at which points given now can be spent; `None`: at once.
    pub fn opens_ms(&self, zone: &Zone, now_ms: i64) -> Option<i64> {
        let opens_ms = match self.opening.as_ref()? {
            Opening::After(rolling) | Opening::Receipt { latest: rolling, .. } => {
                i64::from(rolling.end_s(zone, now_ms)) * 1000
            }
            Opening::At { instant_ms, .. } => *instant_ms,
        };
        (opens_ms > now_ms).then_some(opens_ms)
    }

    /// The instant at which the points of an order that was received can be spent; `None` where they do not wait for that.
    pub fn opens_on_receipt_ms(&self, zone: &Zone, received_ms: i64) -> Option<i64> {
        match &self.opening {
            Some(Opening::Receipt { after, .. }) => Some(i64::from(after.end_s(zone, received_ms)) * 1000),
            _ => None,
        }
    }

    /// Whether points wait until the order is received.
    pub fn waits_for_receipt(&self) -> bool {
        matches!(self.opening, Some(Opening::Receipt { .. }))
    }

    /// When points expire that a member in the tier of this index can spend from `from_ms` on.
    #[inline]
    pub fn expires(&self, zone: &Zone, tier: usize, from_ms: i64) -> Expires {
        let expiry = self.expiry.get(tier).unwrap_or(&self.expiry[0]);
        Expires { at_s: expiry.at_s(zone, from_ms), slides: matches!(expiry, Expiry::Sliding(_)) }
    }
}

impl Expiry {
    fn at_s(&self, zone: &Zone, from_ms: i64) -> u32 {
        match self {
            Expiry::Never => NEVER_S,
            Expiry::Rolling(rolling) | Expiry::Sliding(rolling) => rolling.end_s(zone, from_ms),
            Expiry::Dates(dates) => dates.ends_s.get(zone.local_day(from_ms), |day| end_s(zone, dates.last_day(day))),
            Expiry::Window { window, at_least, .. } => {
                let from_ms = match at_least {
                    0 => from_ms,
                    // The last millisecond of the day that leaves so many whole ones.
                    days => zone.day_start_ms(zone.local_day(from_ms).saturating_add(*days + 1)) - 1,
                };
                closes_s(window, from_ms)
            }
        }
    }
}

/// The end of the window that is open at an instant, or else of the next.
fn closes_s(window: &Window, from_ms: i64) -> u32 {
    let closes_ms = match window.at(from_ms) {
        Span::Open { closes_ms, .. } => closes_ms,
        Span::NotYet { opens_ms } | Span::Between { next_opens_ms: opens_ms, .. } => match window.at(opens_ms) {
            Span::Open { closes_ms, .. } => closes_ms,
            _ => return NEVER_S,
        },
        Span::Ended { .. } => return NEVER_S,
    };
    seconds(closes_ms)
}

impl Rolling {
    pub(super) fn new(length: Length, end_of: EndOf, zone: &Zone) -> Rolling {
        let mut rolling = Rolling { length, end_of, ends_s: ByDay::default() };
        if zone.takes_table() {
            rolling.ends_s = ByDay::new(|day| end_s(zone, rolling.last_day(day)));
        }
        rolling
    }

    /// The second that ends what begins at an instant.
    #[inline]
    pub fn end_s(&self, zone: &Zone, from_ms: i64) -> u32 {
        self.ends_s.get(zone.local_day(from_ms), |day| end_s(zone, self.last_day(day)))
    }

    /// The last day of what begins on a day. A month that lacks the day gives its last.
    fn last_day(&self, day: i32) -> i32 {
        let last = match self.length {
            Length::Days(days) => day.saturating_add(days),
            Length::Months(months) => months_after(day, months),
        };
        let date = date_of(last);
        let month_end = |month: i8| day_of(date.year(), month, MonthDay::Last);
        match self.end_of {
            EndOf::Day => last,
            EndOf::Month => month_end(date.month()),
            EndOf::Quarter => month_end((date.month() + 2) / 3 * 3),
            EndOf::Year => month_end(12),
        }
    }
}

impl Dates {
    pub(super) fn new(dates: Vec<(i8, MonthDay)>, at_least: i32, zone: &Zone) -> Dates {
        let mut dates = Dates { dates, at_least, ends_s: ByDay::default() };
        // All that the table can need, as there are thousands of days to it.
        let years = date_of(FIRST_DAY).year()..=date_of(LAST_DAY + at_least).year() + 1;
        let mut days: Vec<i32> = years.flat_map(|year| dates.of_year(year)).collect();
        days.sort_unstable();
        let next = |day: i32| days.get(days.partition_point(|known| *known < day + at_least));
        if !zone.takes_table() {
            return dates;
        }
        dates.ends_s = ByDay::new(|day| end_s(zone, next(day).copied().unwrap_or_else(|| dates.last_day(day))));
        dates
    }

    /// The first of the dates that leaves a lot its days.
    fn last_day(&self, day: i32) -> i32 {
        let earliest = day.saturating_add(self.at_least);
        let year = date_of(earliest).year();
        let next = self.of_year(year).chain(self.of_year(year.saturating_add(1)));
        next.filter(|day| *day >= earliest).min().unwrap_or(earliest)
    }

    fn of_year(&self, year: i16) -> impl Iterator<Item = i32> {
        self.dates.iter().map(move |(month, day)| day_of(year, *month, *day))
    }
}

/// An instant for every local day of the calendar's tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct ByDay(Arc<[u32]>);

impl ByDay {
    fn new(of_day: impl Fn(i32) -> u32) -> ByDay {
        ByDay((FIRST_DAY..=LAST_DAY).map(of_day).collect())
    }

    #[inline]
    fn get(&self, day: i32, exactly: impl FnOnce(i32) -> u32) -> u32 {
        let at = usize::try_from(i64::from(day) - i64::from(FIRST_DAY)).ok();
        at.and_then(|at| self.0.get(at)).copied().unwrap_or_else(|| exactly(day))
    }
}

/// The instant at which a local day is over.
pub(super) fn end_s(zone: &Zone, day: i32) -> u32 {
    seconds(zone.day_start_ms(day.saturating_add(1)))
}

/// An instant in whole seconds, the first at or after it.
fn seconds(ms: i64) -> u32 {
    ms.saturating_add(999).div_euclid(1000).clamp(0, i64::from(NEVER_S)) as u32
}

#[cfg(test)]
mod tests {
    use super::super::calendar::{DAY_MS, day_number};
    use super::*;

    /// Midnight at the beginning of a date, in a zone that never changes its clock, as a local day.
    fn day(text: &str) -> i32 {
        day_number(text.parse().unwrap())
    }

    fn rolling(length: Length, end_of: EndOf) -> Rolling {
        Rolling::new(length, end_of, &Zone::new("Asia/Shanghai").unwrap())
    }

    #[test]
    fn a_length_ends_with_its_day_month_quarter_or_year() {
        let last = |length, end_of, from| super::super::date(rolling(length, end_of).last_day(day(from)));
        assert_eq!(last(Length::Days(30), EndOf::Day, "2026-03-15"), "2026-04-14");
        assert_eq!(last(Length::Months(12), EndOf::Month, "2026-03-15"), "2027-03-31");
        assert_eq!(last(Length::Months(1), EndOf::Day, "2027-01-31"), "2027-02-28");
        assert_eq!(last(Length::Months(1), EndOf::Day, "2028-01-31"), "2028-02-29");
        assert_eq!(last(Length::Months(0), EndOf::Quarter, "2026-04-01"), "2026-06-30");
        assert_eq!(last(Length::Months(3), EndOf::Quarter, "2026-10-05"), "2027-03-31");
        assert_eq!(last(Length::Months(24), EndOf::Year, "2026-02-28"), "2028-12-31");
        assert_eq!(last(Length::Months(-1), EndOf::Day, "2026-03-31"), "2026-02-28");
    }

    #[test]
    fn the_end_of_a_day_is_when_the_zone_says() {
        let new_york = Zone::new("America/New_York").unwrap();
        let rolling = Rolling::new(Length::Days(1), EndOf::Day, &new_york);
        // 2026-03-08 has 23 hours: the end of it is 28 hours behind the UTC midnight before it.
        let noon_before_ms = i64::from(day("2026-03-07")) * DAY_MS + 17 * 3_600_000;
        assert_eq!(
            i64::from(rolling.end_s(&new_york, noon_before_ms)),
            i64::from(day("2026-03-09")) * 86_400 + 4 * 3_600
        );
        // The table and the calendar agree, within the table's years and beyond.
        for from in [day("2019-06-01"), day("2026-11-01"), day("2046-07-01")] {
            let exactly = end_s(&new_york, from + 1);
            assert_eq!(rolling.end_s(&new_york, new_york.day_start_ms(from)), exactly);
        }
    }

    #[test]
    fn dates_leave_a_lot_the_days_it_has_at_least() {
        let zone = Zone::new("Asia/Shanghai").unwrap();
        let twice = vec![(6, MonthDay::Number(30)), (12, MonthDay::Last)];
        let last = |at_least, from| {
            let dates = Dates::new(twice.clone(), at_least, &zone);
            super::super::date(dates.last_day(day(from)))
        };
        assert_eq!([last(0, "2026-06-30"), last(0, "2026-07-01")], ["2026-06-30", "2026-12-31"]);
        assert_eq!([last(90, "2026-04-01"), last(90, "2026-04-02")], ["2026-06-30", "2026-12-31"]);
        assert_eq!(last(300, "2026-12-31"), "2027-12-31");
        let leap = Dates::new(vec![(2, MonthDay::Number(29))], 0, &zone);
        assert_eq!(super::super::date(leap.last_day(day("2027-01-01"))), "2027-02-28");
    }
}
