//! Local days and windows, read naively off the clock of a zone: every date around is tried.
//!
//! Written from `docs/programmes.md`, sharing nothing with the engine's calendar. It leaves out what that calendar is
//! tried with elsewhere: windows that begin or end where a clock jumps.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::terms::{EndOf, Length};

/// When a campaign is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Open once.
    Once {
        /// From this reading of the clock …
        from: DateTime,
        /// … until this one.
        until: DateTime,
    },
    /// Open every day from an hour until an hour; 24 is the end of the day, less than `from` is the next day's.
    Day {
        /// The hour it opens.
        from: i8,
        /// The hour it closes.
        until: i8,
    },
    /// Open every week, from Friday at an hour until the end of Sunday.
    Week {
        /// The hour it opens on Friday.
        from: i8,
    },
    /// Open every month, from a day at an hour until the end of the month's last day.
    Month {
        /// The day, at most 28.
        day: i8,
        /// The hour.
        from: i8,
    },
    /// Open every year, from a date until the end of another.
    Year {
        /// Month and day on which it opens, at 00:00.
        from: (i8, i8),
        /// Month and day at the end of which it closes.
        until: (i8, i8),
    },
}

/// What a window is at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Now {
    /// Open; named by the local day on which it opened.
    Open {
        /// Days since 1970-01-01.
        period: i32,
        /// When it opened.
        opens_ms: i64,
        /// When it closes.
        closes_ms: i64,
    },
    /// Not open, and never was.
    NotYet {
        /// When it opens.
        opens_ms: i64,
    },
    /// Closed.
    Closed {
        /// When it opens next; 0 if never again.
        opens_ms: i64,
    },
}

/// The clock of an IANA zone.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// The clock of a zone that is known to exist.
    pub fn of(zone: &str) -> Clock {
        Clock { zone: TimeZone::get(zone).expect("a zone that exists") }
    }

    /// What the clock's calendar shows.
    pub fn date(&self, ms: i64) -> Date {
        self.zone.to_datetime(Timestamp::from_millisecond(ms).expect("an instant")).date()
    }

    /// The local day as days since 1970-01-01.
    pub fn day(&self, ms: i64) -> i32 {
        days(self.date(ms))
    }

    /// When a local day begins.
    pub fn begins(&self, day: i32) -> i64 {
        let date = Date::constant(1970, 1, 1).checked_add(i64::from(day).days()).expect("a date");
        self.instant(date.to_datetime(Time::midnight()))
    }

    /// The end of the local day `day`.
    pub fn ends(&self, day: i32) -> i64 {
        self.begins(day + 1)
    }

    /// The end of a length that begins at an instant: day by day until the day that ends it.
    pub fn end_of(&self, length: &Length, from_ms: i64) -> i64 {
        let from = self.date(from_ms);
        let long = length.days.map_or(length.months.months(), |days| days.days());
        let mut date = from.checked_add(long).expect("a date");
        let ends = |date: Date| {
            let next = date.tomorrow().expect("a date");
            match length.end_of {
                EndOf::Day => true,
                EndOf::Month => next.day() == 1,
                EndOf::Quarter => next.day() == 1 && [1, 4, 7, 10].contains(&next.month()),
                EndOf::Year => next.day() == 1 && next.month() == 1,
            }
        };
        while !ends(date) {
            date = date.tomorrow().expect("a date");
        }
        self.ends(days(date))
    }

    /// The end of the next of these months and days that is so many days away at least.
    pub fn next_of(&self, dates: &[(i8, i8)], at_least: i64, from_ms: i64) -> i64 {
        let mut date = self.date(from_ms).checked_add(at_least.days()).expect("a date");
        while !dates.contains(&(date.month(), date.day())) {
            date = date.tomorrow().expect("a date");
        }
        self.ends(days(date))
    }

    fn instant(&self, reading: DateTime) -> i64 {
        self.zone.to_timestamp(reading).expect("an instant").as_millisecond()
    }

    /// What a window is at `now_ms`.
    pub fn at(&self, window: &Window, now_ms: i64) -> Now {
        let spans = self.spans(window, self.date(now_ms));
        if let Some((period, opens_ms, closes_ms)) =
            spans.iter().find(|(_, from, until)| (*from..*until).contains(&now_ms))
        {
            return Now::Open { period: *period, opens_ms: *opens_ms, closes_ms: *closes_ms };
        }
        let next = spans.iter().map(|(_, from, _)| *from).filter(|from| *from > now_ms).min();
        match (next, spans.iter().any(|(_, _, until)| *until <= now_ms)) {
            (Some(opens_ms), false) => Now::NotYet { opens_ms },
            (opens_ms, _) => Now::Closed { opens_ms: opens_ms.unwrap_or(0) },
        }
    }

    /// The windows around a date: local day of opening, from, until.
    fn spans(&self, window: &Window, around: Date) -> Vec<(i32, i64, i64)> {
        let span = |from: DateTime, until: DateTime| (days(from.date()), self.instant(from), self.instant(until));
        let hour = |date: Date, hour: i8| match hour {
            24 => date.tomorrow().expect("a date").to_datetime(Time::midnight()),
            hour => date.at(hour, 0, 0, 0),
        };
        let near = |steps: i64, step: &dyn Fn(i64) -> Option<(DateTime, DateTime)>| {
            (-steps..=steps).filter_map(step).map(|(from, until)| span(from, until)).collect()
        };
        match *window {
            Window::Once { from, until } => vec![span(from, until)],
            Window::Day { from, until } => near(2, &|step| {
                let date = around.checked_add(step.days()).ok()?;
                let ends = if until <= from { date.tomorrow().ok()? } else { date };
                Some((hour(date, from), hour(ends, until)))
            }),
            Window::Week { from } => near(15, &|step| {
                let date = around.checked_add(step.days()).ok()?;
                let friday = date.weekday() == jiff::civil::Weekday::Friday;
                friday.then(|| (hour(date, from), hour(date.checked_add(2.days()).expect("a date"), 24)))
            }),
            Window::Month { day, from } => near(2, &|step| {
                let first = around.first_of_month().checked_add(step.months()).ok()?;
                let date = Date::new(first.year(), first.month(), day).ok()?;
                Some((hour(date, from), hour(date.last_of_month(), 24)))
            }),
            Window::Year { from, until } => near(2, &|step| {
                let year = around.year() + step as i16;
                let date = |(month, day): (i8, i8)| Date::new(year, month, day).ok();
                Some((hour(date(from)?, 0), hour(date(until)?, 24)))
            }),
        }
    }
}

fn days(date: Date) -> i32 {
    let since = Date::constant(1970, 1, 1).until(date).expect("days between dates");
    since.get_days()
}
