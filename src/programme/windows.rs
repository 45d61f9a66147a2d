//! Reading windows, and what is doubtful about them.

use super::calendar::{Moment, MonthDay, Rule};
use super::compile::choice;
use super::reader::{Fields, Value};
use super::{Span, Window, Zone};
use super::{grammar, punctuation};

/// The window a campaign states.
pub(super) fn window(value: &Value, zone: &Zone) -> Option<Window> {
    let fields = value.table(&["every", "from", "until", "starts", "ends"])?;
    let rule = match fields.get("every") {
        None => once(&fields),
        Some(every) => {
            let kinds = [("day", Kind::Day), ("week", Kind::Week), ("month", Kind::Month), ("year", Kind::Year)];
            choice(&every, &kinds).and_then(|kind| repeated(kind, &fields))
        }
    };
    let example = "2026-12-31 24:00";
    let bound =
        |key: &str| fields.get(key).map_or(Some(None), |value| moment(&value, grammar::date_time, example).map(Some));
    let (starts, ends) = (bound("starts"), bound("ends"));
    let window = Window::new(rule?, starts?, ends?, zone);
    doubt(value, &window);
    Some(window)
}

#[derive(Clone, Copy)]
enum Kind {
    Day,
    Week,
    Month,
    Year,
}

fn once(fields: &Fields) -> Option<Rule> {
    let (from_ms, until_ms) = ends(fields, grammar::date_time, "2026-11-20 10:00", "2026-11-20 12:00");
    let (from_ms, until_ms) = (from_ms?, until_ms?);
    if until_ms <= from_ms {
        let until = fields.get("until")?;
        until.error("the window closes before it opens", "let `until` be later than `from`");
        return None;
    }
    for bound in ["starts", "ends"] {
        if let Some(value) = fields.get(bound) {
            value.error(
                format!("`{bound}` bounds a window that repeats, this one is open once"),
                "leave it out, or add `every`",
            );
        }
    }
    Some(Rule::Once { from_ms, until_ms })
}

fn repeated(kind: Kind, fields: &Fields) -> Option<Rule> {
    match kind {
        Kind::Day => {
            let (from, until) = ends(fields, grammar::time, "10:00", "24:00");
            Some(Rule::Day { from_ms: from?, until_ms: until? })
        }
        Kind::Week => {
            let (from, until) = ends(fields, grammar::week_moment, "friday 10:00", "sunday 24:00");
            Some(Rule::Week { from_ms: from?, until_ms: until? })
        }
        Kind::Month => {
            let (from, until) = ends(fields, grammar::month_moment, "20 10:00", "last 24:00");
            Some(Rule::Month { from: from?, until: until? })
        }
        Kind::Year => {
            let (from, until) = ends(fields, grammar::year_moment, "12-01 00:00", "12-31 24:00");
            Some(Rule::Year { from: from?, until: until? })
        }
    }
}

fn ends<T>(fields: &Fields, parse: fn(&str) -> Option<T>, from: &str, until: &str) -> (Option<T>, Option<T>) {
    let read = |key, example: &str| {
        fields.need(key, &format!("{key} = \"{example}\"")).and_then(|value| moment(&value, parse, example))
    };
    (read("from", from), read("until", until))
}

fn moment<T>(value: &Value, parse: fn(&str) -> Option<T>, example: &str) -> Option<T> {
    let text = value.text(example)?;
    let parsed = parse(text);
    if parsed.is_none() {
        let right = match punctuation::plainly(text) {
            Some(plain) => format!("write it with plain characters: \"{plain}\""),
            None => format!("write it like \"{example}\""),
        };
        value.error(format!("`{}` is \"{text}\"", value.name), right);
    }
    parsed
}

/// Warns of windows that are missing from some months or years, cut short, or never there.
fn doubt(value: &Value, window: &Window) {
    match *window.rule() {
        Rule::Month { from, until } => {
            if let Some(lacking) = lacking(from) {
                let sentence = format!("no window opens in {lacking}");
                value.warn(sentence, "open it on a day every month has, or on the \"last\"");
            }
            if let Some(lacking) = lacking(until) {
                value.warn(
                    format!("in {lacking} the window closes with the month"),
                    "write \"last 24:00\" if the month's end is meant",
                );
            }
        }
        Rule::Year { from, .. } if from.month == 2 && from.day == MonthDay::Number(29) => {
            value.warn("no window opens in years without a 29 February", "open it on another day, or on \"02-last\"");
        }
        _ => {}
    }
    if window.at(i64::MIN) == (Span::Ended { closed_ms: i64::MIN }) {
        value.warn("the window never opens", "correct its days, or its bounds");
    } else if let Some(day) = window.lost_to_the_clock() {
        let sentence = format!("no window opens on {day}: the clock jumps over all of it");
        value.warn(sentence, "take a time the zone's clock shows every day, or accept it");
    }
}

/// The months that lack a moment's day, in words.
fn lacking(moment: Moment) -> Option<&'static str> {
    match moment.day {
        MonthDay::Number(29) => Some("February of years with 28 days in it"),
        MonthDay::Number(30) => Some("February"),
        MonthDay::Number(31) => Some("months of fewer than 31 days"),
        _ => None,
    }
}
