//! Local days and windows against a brute-force reading of the clock, quarter hour by quarter hour, through every
//! change of the offset.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;
use proptest::sample::select;
use tidegate::programme::{Bundle, BundleFile, Numbering, Span, Window, Zone, compile, date};

const STEP_MS: i64 = 15 * 60_000;
const DAY_MS: i64 = 86_400_000;

fn compiled_window(zone: &str, window: &str) -> (Window, Vec<String>) {
    let text = format!(
        "programme = \"p\"\nzone = \"{zone}\"\ncurrency = \"USD\"\nbrands = [\"b\"]\n[campaign.c]\nwindow = {{ {window} }}\n[[campaign.c.offer]]\nsku = \"S\"\nprice = {{ points = 1 }}\n"
    );
    let bundle = Bundle::from_files(vec![BundleFile { name: "programme.toml".to_owned(), text }]).unwrap();
    let compiled = compile(&bundle, &Numbering::default()).unwrap_or_else(|report| panic!("{report}"));
    let warnings = compiled.warnings.iter().map(|finding| finding.sentence.clone()).collect();
    (compiled.programme.campaigns[0].window.clone(), warnings)
}

fn window(zone: &str, text: &str) -> Window {
    compiled_window(zone, text).0
}

/// The instant a clock of fixed offset reads this, in ms.
fn at_offset(offset_hours: i8, reading: &str) -> i64 {
    let reading: DateTime = reading.parse().unwrap();
    jiff::tz::offset(offset_hours).to_timestamp(reading).unwrap().as_millisecond()
}

fn local_ms(reading: DateTime) -> i64 {
    Offset::UTC.to_timestamp(reading).unwrap().as_millisecond()
}

fn date_ms(year: i64, month: i64, day: i64) -> Option<i64> {
    Some(local_ms(Date::new(year as i16, month as i8, day as i8).ok()?.at(0, 0, 0, 0)))
}

/// What the clock of a zone reads at an instant, in ms since 1970-01-01 00:00 of that clock.
fn reads(zone: &TimeZone, ms: i64) -> i64 {
    let instant = Timestamp::from_millisecond(ms).unwrap();
    local_ms(zone.to_datetime(instant))
}

#[test]
fn a_month_opens_on_the_20th_at_10_and_closes_with_its_last_day() {
    let window = window("Asia/Shanghai", "every = \"month\", from = \"20 10:00\", until = \"last 24:00\"");
    for (opens, closes) in [
        ("2026-01-20T10:00", "2026-02-01T00:00"),
        ("2026-02-20T10:00", "2026-03-01T00:00"),
        ("2028-02-20T10:00", "2028-03-01T00:00"),
        ("2026-11-20T10:00", "2026-12-01T00:00"),
    ] {
        let (opens_ms, closes_ms) = (at_offset(8, opens), at_offset(8, closes));
        let period = (local_ms(opens.parse().unwrap()) / DAY_MS) as i32;
        assert_eq!(window.at(opens_ms), Span::Open { period, opens_ms, closes_ms });
        assert_eq!(window.at(closes_ms - 1), Span::Open { period, opens_ms, closes_ms });
        let Span::Between { next_opens_ms, closed_ms } = window.at(closes_ms) else { panic!("open at its close") };
        assert_eq!(closed_ms, closes_ms);
        assert!(matches!(window.at(opens_ms - 1), Span::Between { next_opens_ms, .. } if next_opens_ms == opens_ms));
        assert!(matches!(window.at(next_opens_ms), Span::Open { opens_ms, .. } if opens_ms == next_opens_ms));
    }
}

#[test]
fn a_day_february_lacks_opens_no_window_and_is_warned_of() {
    let (window, warnings) =
        compiled_window("Asia/Shanghai", "every = \"month\", from = \"30 10:00\", until = \"last 24:00\"");
    assert_eq!(warnings, ["no window opens in February"]);
    let february = at_offset(8, "2027-02-15T00:00");
    let expected =
        Span::Between { next_opens_ms: at_offset(8, "2027-03-30T10:00"), closed_ms: at_offset(8, "2027-02-01T00:00") };
    assert_eq!(window.at(february), expected);
    let warned = |text| compiled_window("Asia/Shanghai", text).1;
    assert_eq!(
        warned("every = \"month\", from = \"31 00:00\", until = \"last 24:00\""),
        ["no window opens in months of fewer than 31 days"]
    );
    assert_eq!(
        warned("every = \"month\", from = \"20 00:00\", until = \"29 24:00\""),
        ["in February of years with 28 days in it the window closes with the month"]
    );
    assert_eq!(
        warned("every = \"year\", from = \"02-29 00:00\", until = \"02-29 24:00\""),
        ["no window opens in years without a 29 February"]
    );
    assert_eq!(warned("every = \"month\", from = \"last 00:00\", until = \"last 24:00\""), [""; 0]);
}

#[test]
fn a_window_outside_its_bounds_never_opens_and_is_warned_of() {
    let bounded = "every = \"month\", from = \"20 10:00\", until = \"last 24:00\", starts = \"2027-01-01 00:00\", ends = \"2027-01-19 24:00\"";
    let (window, warnings) = compiled_window("Asia/Shanghai", bounded);
    assert_eq!(warnings, ["the window never opens"]);
    for ms in [i64::MIN, 0, at_offset(8, "2027-01-20T10:00"), i64::MAX] {
        assert_eq!(window.at(ms), Span::Ended { closed_ms: i64::MIN });
    }
}

#[test]
fn bounds_cut_windows_but_leave_their_period() {
    let bounded = "every = \"month\", from = \"20 10:00\", until = \"last 24:00\", starts = \"2026-11-23 00:00\", ends = \"2026-12-24 24:00\"";
    let window = window("Asia/Shanghai", bounded);
    let period = (local_ms("2026-11-20T00:00".parse().unwrap()) / DAY_MS) as i32;
    let opens_ms = at_offset(8, "2026-11-23T00:00");
    assert_eq!(window.at(i64::MIN), Span::NotYet { opens_ms });
    assert_eq!(window.at(opens_ms - 1), Span::NotYet { opens_ms });
    assert_eq!(window.at(opens_ms), Span::Open { period, opens_ms, closes_ms: at_offset(8, "2026-12-01T00:00") });
    let closed_ms = at_offset(8, "2026-12-25T00:00");
    assert_eq!(window.at(closed_ms), Span::Ended { closed_ms });
    assert_eq!(window.at(i64::MAX), Span::Ended { closed_ms });
}

#[test]
fn a_window_open_once_knows_before_during_and_after() {
    let window = window("America/New_York", "from = \"2026-11-20 10:00\", until = \"2026-11-20 24:00\"");
    let (opens_ms, closes_ms) = (at_offset(-5, "2026-11-20T10:00"), at_offset(-5, "2026-11-21T00:00"));
    assert_eq!(window.at(opens_ms - 1), Span::NotYet { opens_ms });
    assert!(matches!(window.at(opens_ms), Span::Open { .. }));
    assert_eq!(window.at(closes_ms), Span::Ended { closed_ms: closes_ms });
}

#[test]
fn a_jump_ahead_opens_at_the_jump_and_a_set_back_closes_at_the_second_showing() {
    let night = window("America/New_York", "every = \"day\", from = \"02:30\", until = \"06:00\"");
    let jump = at_offset(-5, "2026-03-08T02:00");
    assert!(matches!(night.at(jump), Span::Open { opens_ms, .. } if opens_ms == jump));
    let set_back = window("America/New_York", "every = \"day\", from = \"01:00\", until = \"01:30\"");
    let (opens, closes) = (at_offset(-4, "2026-11-01T01:00"), at_offset(-5, "2026-11-01T01:30"));
    assert!(
        matches!(set_back.at(opens), Span::Open { opens_ms, closes_ms, .. } if (opens_ms, closes_ms) == (opens, closes))
    );
    let before = window("America/New_York", "every = \"day\", from = \"00:00\", until = \"01:00\"");
    let first = at_offset(-4, "2026-11-01T01:00");
    assert!(matches!(before.at(first), Span::Between { closed_ms, .. } if closed_ms == first));
    let (_, warnings) = compiled_window("America/New_York", "every = \"day\", from = \"02:15\", until = \"02:45\"");
    assert_eq!(warnings, ["no window opens on 2020-03-08: the clock jumps over all of it"]);
}

#[test]
fn a_window_around_the_clock_closes_where_the_next_opens() {
    let window = window("America/New_York", "every = \"day\", from = \"01:30\", until = \"01:30\"");
    let first_showing = at_offset(-4, "2026-11-01T01:30");
    assert!(matches!(window.at(first_showing - 1), Span::Open { closes_ms, .. } if closes_ms == first_showing));
    assert!(matches!(window.at(first_showing), Span::Open { opens_ms, .. } if opens_ms == first_showing));
}

#[test]
fn local_days_follow_the_clock_and_never_go_back() {
    let zones = [
        "America/New_York",
        "Asia/Shanghai",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "Asia/Beirut",
        "America/Nuuk",
        "Pacific/Apia",
    ];
    for name in zones {
        let (zone, clock) = (Zone::new(name).unwrap(), TimeZone::get(name).unwrap());
        // Apia skipped 2011-12-30; 2026 lies in the table; 2045 to 2047 lead out of it.
        for (from, until) in [
            ("2011-12-01", "2012-02-01"),
            ("2019-12-25", "2020-01-05"),
            ("2026-01-01", "2027-01-01"),
            ("2045-12-20", "2046-12-31"),
        ] {
            let (from, until) = (at_offset(0, &format!("{from}T00:00")), at_offset(0, &format!("{until}T00:00")));
            let mut latest = i32::MIN;
            for ms in (from..until).step_by(STEP_MS as usize) {
                latest = latest.max(reads(&clock, ms).div_euclid(DAY_MS) as i32);
                let day = zone.local_day(ms);
                assert_eq!(day, latest, "{name} at {}", zone.show(ms));
                assert!(zone.day_start_ms(day) <= ms && ms < zone.day_start_ms(day + 1), "{name} at {}", zone.show(ms));
            }
        }
    }
}

#[test]
fn a_date_the_zone_skipped_is_an_empty_day() {
    let apia = Zone::new("Pacific/Apia").unwrap();
    let skipped = (date_ms(2011, 12, 30).unwrap() / DAY_MS) as i32;
    assert_eq!(apia.day_start_ms(skipped), apia.day_start_ms(skipped + 1));
    assert_eq!(apia.local_day(apia.day_start_ms(skipped)), skipped + 1);
}

#[test]
fn no_instant_is_beyond_the_calendar() {
    let zone = Zone::new("America/New_York").unwrap();
    let every = [
        "every = \"day\", from = \"00:00\", until = \"24:00\"",
        "every = \"year\", from = \"02-29 00:00\", until = \"02-29 24:00\"",
        "every = \"year\", from = \"01-01 00:00\", until = \"01-01 00:00\"",
        "every = \"month\", from = \"1 00:00\", until = \"last 24:00\"",
        "every = \"week\", from = \"monday 00:00\", until = \"sunday 24:00\"",
        "from = \"2999-12-31 00:00\", until = \"2999-12-31 24:00\"",
    ];
    let extremes = [i64::MIN, i64::MIN + 1, -400_000_000_000_000, 0, 400_000_000_000_000, i64::MAX - 1, i64::MAX];
    for text in every {
        let window = window("America/New_York", text);
        for ms in extremes {
            if let Span::Open { opens_ms, closes_ms, .. } = window.at(ms) {
                assert!(opens_ms <= ms && ms < closes_ms);
            }
        }
    }
    assert!(extremes.windows(2).all(|pair| zone.local_day(pair[0]) <= zone.local_day(pair[1])));
    assert!(zone.day_start_ms(i32::MIN) < zone.day_start_ms(i32::MAX));
    assert!(!zone.show(i64::MIN).is_empty());
    assert_eq!(zone.show(at_offset(-5, "2026-11-20T10:00")), "2026-11-20 10:00:00 -05:00");
    assert_eq!(
        Zone::new("Mars/Olympus").unwrap_err().to_string(),
        "there is no time zone \"Mars/Olympus\"; give an IANA name such as \"Asia/Shanghai\" or \"America/New_York\""
    );
}

/// A repeating rule as a file states it and, apart from the engine, as clock readings of its occurrence in a day, week,
/// month or year.
#[derive(Debug, Clone)]
struct Stated {
    every: &'static str,
    /// Month (1 to 12), day or weekday (from 0), quarter hour of the day (up to 96); what the rule does not need is
    /// ignored.
    from: (i64, i64, i64),
    until: (i64, i64, i64),
}

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl Stated {
    fn text(&self) -> String {
        let moment = |(month, day, quarter): (i64, i64, i64)| {
            let time = format!("{:02}:{:02}", quarter / 4, quarter % 4 * 15);
            match self.every {
                "day" => time,
                "week" => format!("{} {time}", WEEKDAYS[day as usize % 7]),
                "month" => format!("{} {time}", day + 1),
                _ => format!("{month:02}-{:02} {time}", day + 1),
            }
        };
        format!("every = \"{}\", from = \"{}\", until = \"{}\"", self.every, moment(self.from), moment(self.until))
    }

    /// The clock readings of all occurrences that begin from two years before 1 January of a year to two years after.
    fn occurrences(&self, year: i64) -> Vec<(i64, i64)> {
        let quarter = |moment: (i64, i64, i64)| moment.2 * STEP_MS;
        let days = (date_ms(year - 2, 1, 1).unwrap() / DAY_MS..date_ms(year + 2, 1, 1).unwrap() / DAY_MS)
            .map(|day| day * DAY_MS);
        let one_later = |at: i64, length: i64, wraps: bool| if wraps { at + length } else { at };
        let until_end = |year: i64, month: i64, moment: (i64, i64, i64)| {
            let (year, month) = (year + (month - 1) / 12, (month - 1) % 12 + 1);
            date_ms(year, month, moment.1 + 1)
                .map(|day| day + quarter(moment))
                .unwrap_or_else(|| date_ms(year + month / 12, month % 12 + 1, 1).unwrap())
        };
        match self.every {
            "day" => {
                let wraps = self.until.2 <= self.from.2;
                days.map(|day| (day + quarter(self.from), one_later(day + quarter(self.until), DAY_MS, wraps)))
                    .collect()
            }
            "week" => {
                let within = |moment: (i64, i64, i64)| moment.1 % 7 * DAY_MS + quarter(moment);
                let (from, until) = (within(self.from), within(self.until));
                // 1970-01-05 was a Monday.
                let mondays = days.filter(|day| (day / DAY_MS - 4).rem_euclid(7) == 0);
                mondays.map(|day| (day + from, one_later(day + until, 7 * DAY_MS, until <= from))).collect()
            }
            "month" => {
                let wraps = i64::from((self.until.1, self.until.2) <= (self.from.1, self.from.2));
                let months = (year - 2..year + 2).flat_map(|year| (1..=12).map(move |month| (year, month)));
                let occurrence = |(year, month)| {
                    Some((
                        date_ms(year, month, self.from.1 + 1)? + quarter(self.from),
                        until_end(year, month + wraps, self.until),
                    ))
                };
                months.filter_map(occurrence).collect()
            }
            _ => {
                let wraps = i64::from(self.until <= self.from);
                let occurrence = |year| {
                    Some((
                        date_ms(year, self.from.0, self.from.1 + 1)? + quarter(self.from),
                        until_end(year + wraps, self.until.0, self.until),
                    ))
                };
                (year - 2..year + 2).filter_map(occurrence).collect()
            }
        }
    }
}

fn stated() -> impl Strategy<Value = Stated> {
    // Days and hours around which clocks change are as likely as all others together.
    let quarter = || prop_oneof![0..=96_i64, 4..14_i64];
    let day = || prop_oneof![0..28_i64, 0..9_i64, 28..31_i64];
    let moment = move || (prop_oneof![1..=12_i64, select(vec![3, 4, 10, 11])], day(), quarter());
    (select(vec!["day", "week", "month", "year"]), moment(), moment())
        .prop_map(|(every, from, until)| Stated { every, from, until })
        .prop_filter("a yearly date that some year has", |stated| {
            stated.every != "year"
                || [stated.from, stated.until].iter().all(|(month, day, _)| date_ms(2024, *month, day + 1).is_some())
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Open from the first to the last quarter hour at which the clock reads a time inside, closed at every other; also
    /// beyond the tables.
    #[test]
    fn a_window_is_open_exactly_while_the_clock_reads_within_it(
        stated in stated(),
        zone in select(vec!["America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "Africa/Cairo", "America/Nuuk"]),
        year in prop_oneof![2021..2044_i64, select(vec![2000, 2019, 2020, 2044, 2045, 2046, 2050])],
    ) {
        let window = window(zone, &stated.text());
        let clock = TimeZone::get(zone).unwrap();
        let occurrences = stated.occurrences(year);
        let (from, until) = (date_ms(year, 1, 1).unwrap() - 40 * DAY_MS, date_ms(year + 1, 1, 1).unwrap() + 40 * DAY_MS);
        let instants: Vec<(i64, i64)> = (from..until).step_by(STEP_MS as usize).map(|ms| (ms, reads(&clock, ms))).collect();
        // First and last instant at which the clock reads within each occurrence, by a plain walk; then each closes
        // where the next opens.
        let mut shown: Vec<Option<(i64, i64)>> = vec![None; occurrences.len()];
        for (ms, reading) in &instants {
            let near = occurrences.partition_point(|(opens, _)| opens <= reading);
            for index in near.saturating_sub(2)..near {
                if *reading < occurrences[index].1 {
                    let first = shown[index].map_or(*ms, |(first, _)| first);
                    shown[index] = Some((first, ms + STEP_MS));
                }
            }
        }
        let mut seen = 0;
        for (ms, _) in &instants {
            let holding = (0..shown.len()).rev().find(|index| shown[*index].is_some_and(|(first, last)| (first..last).contains(ms)));
            match (window.at(*ms), holding) {
                (Span::Open { period, opens_ms, closes_ms }, Some(index)) => {
                    prop_assert_eq!(i64::from(period), occurrences[index].0.div_euclid(DAY_MS));
                    prop_assert!(opens_ms <= *ms && *ms < closes_ms);
                    seen += 1;
                }
                (Span::Between { next_opens_ms, closed_ms }, None) => prop_assert!(closed_ms <= *ms && *ms < next_opens_ms),
                (span, holding) => prop_assert!(false, "{:?} at {} but by the clock {:?}: {}", span, ms, holding.map(|index| occurrences[index]), stated.text()),
            }
        }
        prop_assert!(seen > 0 || occurrences.iter().all(|(opens, closes)| closes <= opens || *opens > until || *closes < from));
    }

    /// The hint of the last look-up never changes an answer.
    #[test]
    fn what_was_asked_before_changes_no_answer(stated in stated(), order in proptest::collection::vec(1_500_000_000_000..2_500_000_000_000_i64, 1..200)) {
        let asked = window("America/New_York", &stated.text());
        let fresh = asked.clone();
        for ms in order {
            prop_assert_eq!(asked.at(ms), fresh.clone().at(ms));
        }
    }
}

#[test]
fn days_are_named_by_their_dates() {
    assert_eq!([0, -1, 20_777].map(date), ["1970-01-01", "1969-12-31", "2026-11-20"]);
    assert!(date(i32::MIN).starts_with('-') && date(i32::MAX).starts_with('9'), "far off, the calendar's ends");
}
