//! The small grammar inside texts: times of day, moments of weeks, months and years, date-times, durations.
//!
//! Each parser takes the whole text and gives `None` for anything else. Hours go to 24:00, the end of the day.

use jiff::civil::Date;

use super::calendar::{DAY_MS, Moment, MonthDay};

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Digits only, at most nine of them.
fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn two_digits(text: &str) -> Option<i64> {
    number(text).filter(|_| text.len() == 2)
}

/// `10:00`, `23:59:59`, `24:00`: ms since 00:00.
pub(super) fn time(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hour, minute) = (two_digits(parts.next()?)?, two_digits(parts.next()?)?);
    let second = parts.next().map_or(Some(0), two_digits)?;
    let within = hour < 24 && minute < 60 && second < 60 || (hour, minute, second) == (24, 0, 0);
    (within && parts.next().is_none()).then_some(((hour * 60 + minute) * 60 + second) * 1000)
}

/// `friday 10:00`: ms since Monday 00:00.
pub(super) fn week_moment(text: &str) -> Option<i64> {
    let (day, at) = text.split_once(' ')?;
    let day = WEEKDAYS.iter().position(|known| *known == day)?;
    Some(day as i64 * DAY_MS + time(at)?)
}

/// `20 10:00`, `last 24:00`.
pub(super) fn month_moment(text: &str) -> Option<Moment> {
    let (day, at) = text.split_once(' ')?;
    let day = match day {
        "last" => MonthDay::Last,
        _ if day.len() <= 2 => MonthDay::Number(number(day).filter(|day| (1..=31).contains(day))? as i8),
        _ => return None,
    };
    Some(Moment { month: 0, day, time_ms: time(at)? })
}

/// `12-01 00:00`, `02-last 24:00`.
pub(super) fn year_moment(text: &str) -> Option<Moment> {
    let (month, rest) = text.split_once('-')?;
    let month = two_digits(month).filter(|month| (1..=12).contains(month))? as i8;
    let moment = Moment { month, ..month_moment(rest)? };
    match moment.day {
        // 2024 was a leap year: every day that any year has.
        MonthDay::Number(day) => Date::new(2024, month, day).ok().map(|_| moment),
        MonthDay::Last => Some(moment),
    }
}

/// `2026-11-20 10:00`: ms since 1970-01-01 00:00 of the same clock. Years 1970 to 2999.
pub(super) fn date_time(text: &str) -> Option<i64> {
    let (date, at) = text.split_once(' ')?;
    let mut parts = date.split('-');
    let year = parts.next().filter(|year| year.len() == 4).and_then(number)?;
    let (month, day) = (two_digits(parts.next()?)?, two_digits(parts.next()?)?);
    if parts.next().is_some() || !(1970..=2999).contains(&year) {
        return None;
    }
    let date = Date::new(year as i16, month as i8, day as i8).ok()?;
    let days = date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24;
    Some(days * DAY_MS + time(at)?)
}

/// `180d`, `12h`, `30m`, `5s`, `500ms`: ms.
pub(super) fn duration(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        _ => return None,
    };
    Some(number(&text[..digits])? * unit)
}
