//! Days, months and periods by number: local days are counted from 1970-01-01, whatever the clock does between them.

use jiff::civil::Date;

use super::{DAY_MS, MonthDay, reading};

/// The date of a local day.
pub(in crate::programme) fn date_of(day: i32) -> Date {
    reading(i64::from(day) * DAY_MS).date()
}

/// The local day of a date.
pub(in crate::programme) fn day_number(date: Date) -> i32 {
    (date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24) as i32
}

/// A day of a year; one that the month lacks is its last.
pub(in crate::programme) fn day_of(year: i16, month: i8, day: MonthDay) -> i32 {
    let first = Date::new(year.clamp(-9_998, 9_998), month, 1).expect("a month of a year that the calendar knows");
    let last = first.days_in_month();
    let day = match day {
        MonthDay::Last => last,
        MonthDay::Number(day) => day.min(last),
    };
    day_number(first) + i32::from(day) - 1
}

/// The same day so many months later; one that the month lacks is its last.
pub(in crate::programme) fn months_after(day: i32, months: i32) -> i32 {
    let date = date_of(day);
    let month = i32::from(date.year()) * 12 + i32::from(date.month()) - 1 + months;
    let year = i16::try_from(month.div_euclid(12)).unwrap_or(i16::MAX);
    day_of(year, month.rem_euclid(12) as i8 + 1, MonthDay::Number(date.day()))
}

/// What a limit, a benefit or a ladder counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A local day.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
    /// Three of them, from January, April, July or October.
    Quarter,
    /// A year of the calendar.
    Year,
    /// All there is.
    Life,
}

impl Period {
    /// The first local day of the period that a day is in: its name, wherever it is counted. That of a life is 0.
    pub fn first_day(self, day: i32) -> i32 {
        match self {
            Period::Day => day,
            // 1970-01-01 was a Thursday.
            Period::Week => day - (day + 3).rem_euclid(7),
            Period::Month | Period::Quarter | Period::Year => {
                let date = date_of(day);
                let month = match self {
                    Period::Month => date.month(),
                    Period::Quarter => (date.month() - 1) / 3 * 3 + 1,
                    _ => 1,
                };
                day_of(date.year(), month, MonthDay::Number(1))
            }
            Period::Life => 0,
        }
    }

    /// The first local day of the next period.
    pub fn next_day(self, day: i32) -> i32 {
        let first = self.first_day(day);
        match self {
            Period::Day => first.saturating_add(1),
            Period::Week => first.saturating_add(7),
            Period::Month => months_after(first, 1),
            Period::Quarter => months_after(first, 3),
            Period::Year => months_after(first, 12),
            Period::Life => i32::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> i32 {
        day_number(text.parse().unwrap())
    }

    #[test]
    fn a_period_begins_and_the_next_follows() {
        use Period::*;
        let begins =
            |date| [Day, Week, Month, Quarter, Year].map(|period| super::super::date(period.first_day(day(date))));
        assert_eq!(begins("2026-11-29"), ["2026-11-29", "2026-11-23", "2026-11-01", "2026-10-01", "2026-01-01"]);
        assert_eq!(begins("1969-12-31"), ["1969-12-31", "1969-12-29", "1969-12-01", "1969-10-01", "1969-01-01"]);
        for period in [Day, Week, Month, Quarter, Year] {
            for date in ["2026-01-01", "2026-12-31", "2027-02-28", "2028-02-29"] {
                let next = period.next_day(day(date));
                assert_eq!((period.first_day(next), period.first_day(next - 1)), (next, period.first_day(day(date))));
            }
        }
        assert_eq!((Life.first_day(day("2026-01-01")), Life.next_day(0)), (0, i32::MAX));
    }
}
