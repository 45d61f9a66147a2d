//! Birthdays: when a member has one, by the calendar of the programme's zone, and how often it may say another.

use super::calendar::{MonthDay, Period, date_of, day_of};
use super::compile::choice;
use super::reader::Value;
use super::terms;

/// A member's birthday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Birthday {
    /// From 1 to 12.
    pub month: u8,
    /// A day that the month has in some year.
    pub day: u8,
    /// The first year in which it counts.
    pub from_year: i16,
    /// The local day on which it was said.
    pub said_on: i32,
}

/// What counts as a birthday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    Day,
    /// From Monday to Sunday.
    Week,
    Month,
}

/// What a programme makes of birthdays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BirthdayRules {
    /// Whole days after which another birthday can be said; `None`: never.
    pub change_after_days: Option<i32>,
    /// Whether who was born on 29 February has the birthday of other years on 1 March, or else on 28 February.
    pub(super) leap_on_march_first: bool,
}

impl BirthdayRules {
    /// What a member says of its birthday on a local day; `None` if there is no such date. One that is said in the place of another
    /// counts from the next year on, so that nobody has two in a year.
    pub fn said(&self, month: u8, day: u8, before: Option<Birthday>, today: i32) -> Option<Birthday> {
        // 2024 was a leap year: every day that any year has.
        jiff::civil::Date::new(2024, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        let year = date_of(today).year();
        let from_year = if before.is_some() { year.saturating_add(1) } else { year };
        Some(Birthday { month, day, from_year, said_on: today })
    }

    /// Whether a local day is the birthday, or in its week or month.
    pub(super) fn is_around(&self, around: Around, birthday: Birthday, day: i32) -> bool {
        let date = date_of(day);
        let counts = |year: i16| year >= birthday.from_year;
        match around {
            Around::Day => counts(date.year()) && self.in_year(birthday, date.year()) == day,
            Around::Month => {
                counts(date.year()) && date_of(self.in_year(birthday, date.year())).month() == date.month()
            }
            Around::Week => {
                let week = Period::Week.first_day(day);
                // A week may reach into another year.
                let years = date.year().saturating_sub(1)..=date.year().saturating_add(1);
                years
                    .into_iter()
                    .any(|year| counts(year) && Period::Week.first_day(self.in_year(birthday, year)) == week)
            }
        }
    }

    /// The local day of the birthday in a year.
    fn in_year(&self, birthday: Birthday, year: i16) -> i32 {
        let (month, day) = (birthday.month as i8, birthday.day as i8);
        let last = day_of(year, month, MonthDay::Number(day));
        let lacking = date_of(last).day() != day;
        if lacking && self.leap_on_march_first { last.saturating_add(1) } else { last }
    }
}

/// The section `[birthday]`.
pub(super) fn read(value: &Value) -> Option<BirthdayRules> {
    let fields = value.table(&["change", "leap_day"])?;
    let change = fields.need("change", "change = \"never\", or change = \"after 365d\"").and_then(|value| {
        let text = value.text("never")?;
        let days = text.strip_prefix("after ").and_then(terms::days).filter(|days| *days >= 1);
        if text != "never" && days.is_none() {
            value.error(format!("`{}` is \"{text}\"", value.name), "write \"never\", or so many days: \"after 365d\"");
            return None;
        }
        Some(days)
    });
    let leap_day =
        fields.need("leap_day", "leap_day = \"02-28\" or leap_day = \"03-01\": for who was born on 29 February");
    let leap_day = leap_day.and_then(|value| choice(&value, &[("02-28", false), ("03-01", true)]));
    Some(BirthdayRules { change_after_days: change?, leap_on_march_first: leap_day? })
}

#[cfg(test)]
mod tests {
    use super::super::calendar::day_number;
    use super::*;

    fn day(text: &str) -> i32 {
        day_number(text.parse().unwrap())
    }

    fn around(rules: BirthdayRules, (month, of_day): (u8, u8), around: Around, on: &str) -> bool {
        rules.is_around(around, Birthday { month, day: of_day, from_year: 2020, said_on: 0 }, day(on))
    }

    #[test]
    fn the_twenty_ninth_of_february_has_its_day_in_every_year() {
        let rules = |leap_on_march_first| BirthdayRules { change_after_days: None, leap_on_march_first };
        let leap = (2, 29);
        let on = |first, date| around(rules(first), leap, Around::Day, date);
        assert!(on(false, "2026-02-28") && !on(false, "2026-03-01") && on(false, "2028-02-29"));
        assert!(!on(true, "2026-02-28") && on(true, "2026-03-01") && on(true, "2028-02-29") && !on(true, "2028-03-01"));
        assert!(around(rules(true), leap, Around::Month, "2026-03-31"), "the month of its day");
        assert!(around(rules(false), leap, Around::Month, "2026-02-01"));
    }

    #[test]
    fn a_week_reaches_from_monday_to_sunday_and_into_another_year() {
        let rules = BirthdayRules { change_after_days: None, leap_on_march_first: false };
        // 2027-01-01 is a Friday.
        let week = |date| around(rules, (1, 1), Around::Week, date);
        assert_eq!(["2026-12-27", "2026-12-28", "2027-01-03", "2027-01-04"].map(week), [false, true, true, false]);
        let month = |date| around(rules, (1, 1), Around::Month, date);
        assert_eq!(["2026-12-31", "2027-01-31", "2027-02-01"].map(month), [false, true, false]);
    }

    #[test]
    fn another_birthday_counts_from_the_next_year_on() {
        let rules = BirthdayRules { change_after_days: Some(365), leap_on_march_first: false };
        let first = rules.said(6, 18, None, day("2026-06-01")).unwrap();
        assert!(rules.is_around(Around::Day, first, day("2026-06-18")));
        let other = rules.said(8, 1, Some(first), day("2027-07-01")).unwrap();
        assert!(!rules.is_around(Around::Day, other, day("2027-08-01")));
        assert!(rules.is_around(Around::Day, other, day("2028-08-01")));
        let none = [(2, 30), (0, 1), (13, 1), (4, 31), (1, 0), (255, 255)];
        assert!(none.into_iter().all(|(month, day)| rules.said(month, day, None, 20_000).is_none()));
    }
}
