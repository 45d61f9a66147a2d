//! The small grammar inside texts: times of day, moments of weeks, months and years, date-times, durations.
//!
//! Each parser takes the whole text and gives `None` for anything else. Hours go to 24:00, the end of the day.

use jiff::civil::Date;

use super::calendar::{DAY_MS, Moment, MonthDay};

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Digits only, at most nine of them.
pub(super) fn number(text: &str) -> Option<i64> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_to_24_00_and_no_further() {
        assert_eq!(
            ["00:00", "10:00", "23:59:59", "24:00"].map(time),
            [0, 36_000_000, 86_399_000, 86_400_000].map(Some)
        );
        let near = ["", "10", "1:00", "10:0", "24:01", "24:00:01", "25:00", "10:60", "10:00:60"];
        for wrong in near.into_iter().chain(["10:00:00:00", "+1:00", "10:00 ", "１0:00"]) {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn moments_name_a_day_that_exists() {
        let day = MonthDay::Number;
        assert_eq!(month_moment("20 10:00"), Some(Moment { month: 0, day: day(20), time_ms: 36_000_000 }));
        assert_eq!(month_moment("last 24:00"), Some(Moment { month: 0, day: MonthDay::Last, time_ms: DAY_MS }));
        assert_eq!(year_moment("02-29 00:00"), Some(Moment { month: 2, day: day(29), time_ms: 0 }));
        assert_eq!(year_moment("02-last 24:00"), Some(Moment { month: 2, day: MonthDay::Last, time_ms: DAY_MS }));
        assert_eq!(week_moment("sunday 24:00"), Some(7 * DAY_MS));
        assert_eq!(["0 10:00", "32 10:00", "020 10:00", "20", "20  10:00", "Last 24:00"].map(month_moment), [None; 6]);
        assert_eq!(["02-30 00:00", "00-01 00:00", "13-01 00:00", "1-01 00:00"].map(year_moment), [None; 4]);
        assert_eq!(["Sunday 10:00", "sun 10:00", "10:00"].map(week_moment), [None; 3]);
    }

    #[test]
    fn date_times_are_days_and_ms_of_the_clock() {
        assert_eq!(date_time("1970-01-01 00:00"), Some(0));
        assert_eq!(date_time("2020-01-01 24:00"), Some(18_263 * DAY_MS));
        let wrong = ["2026-02-29 00:00", "26-02-01 00:00", "2026-2-1 00:00", "2026-02-01", "3000-01-01 00:00"];
        assert_eq!(wrong.map(date_time), [None; 5]);
        assert_eq!(date_time("2026-02-01T00:00"), None);
    }

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let lengths = [500, 5000, 1_800_000, 43_200_000, 180 * DAY_MS].map(Some);
        assert_eq!(["500ms", "5s", "30m", "12h", "180d"].map(duration), lengths);
        assert_eq!(["", "5", "d", "5 d", "-5d", "5.5h", "5w", "9999999999d"].map(duration), [None; 8]);
    }
}
