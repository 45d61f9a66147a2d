//! Caps: how much one rule gives a member in a day, a week, a month, a life, or at once.
//!
//! A cap counts what is given, after everything that multiplies it. What would go beyond one is cut, not refused: what happened is
//! recorded all the same.

use super::LotTerms;
use super::calendar::Period;
use super::compile::choice;
use super::multipliers::ReadsClock;
use super::reader::{Fields, Value};

/// Points that a cap counts; a member's counter has 32 bits.
const POINTS_MOST: i64 = 1_000_000_000;
const TIMES_MOST: i64 = 1_000_000;

/// What a cap bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    /// Points given.
    Points(u32),
    /// How often any are.
    Times(u32),
}

/// One cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// For each of these; `None`: whatever happens once.
    pub each: Option<Period>,
    /// No more than this.
    pub most: Most,
}

impl Cap {
    /// What tells the counters of one rule's caps apart, from 0 to 7; only of a cap for each of a period.
    pub fn kind(&self) -> Option<u16> {
        let period = match self.each? {
            Period::Day => 0,
            Period::Week => 1,
            Period::Month => 2,
            _ => 3,
        };
        Some(2 * period + u16::from(matches!(self.most, Most::Times(_))))
    }
}

/// How the points of a rule are given.
#[derive(Debug, Clone)]
pub struct Giving {
    /// The rule's number among the sources of points.
    pub source: u16,
    /// When they can be spent, and when they expire.
    pub terms: LotTerms,
    /// How much of them at most.
    pub caps: Vec<Cap>,
    /// Which day caps count for.
    pub(super) clock: ReadsClock,
}

impl Giving {
    /// The instant whose day caps count for.
    pub fn counts_at_ms(&self, happened_ms: i64, now_ms: i64) -> i64 {
        match self.clock {
            ReadsClock::Paid => happened_ms,
            ReadsClock::Arrival => now_ms,
        }
    }
}

/// `cap = [{ points = 50, each = "day" }, { times = 3, each = "week" }]`, and the `clock` that tells the day.
///
/// `happened` is the word for the clock of what happened; without one there is no choice, as it happens when it comes in.
pub(super) fn giving(fields: &Fields, source: u16, terms: Option<LotTerms>, happened: Option<&str>) -> Option<Giving> {
    let clock = happened.and_then(|word| fields.get("clock").map(|value| (word, value)));
    let stated =
        clock.map(|(word, value)| choice(&value, &[(word, ReadsClock::Paid), ("arrival", ReadsClock::Arrival)]));
    let caps = fields.get("cap").map_or(Some(Vec::new()), |value| caps(&value));
    let caps = caps?;
    let by_period = caps.iter().any(|cap| !matches!(cap.each, None | Some(Period::Life)));
    let clock = match (stated, happened) {
        (Some(clock), _) => clock?,
        (None, Some(word)) if by_period => {
            let example =
                format!("clock = \"{word}\" or clock = \"arrival\": which of them tells the day that a cap counts for");
            return fields.need("clock", &example).and(None);
        }
        (None, _) => ReadsClock::Paid,
    };
    Some(Giving { source, terms: terms?, caps, clock })
}

fn caps(value: &Value) -> Option<Vec<Cap>> {
    let mut caps: Vec<Cap> = Vec::new();
    let mut whole = true;
    for item in value.list()? {
        let Some(cap) = cap(&item) else {
            whole = false;
            continue;
        };
        let same = |other: &&Cap| {
            other.each == cap.each && matches!(other.most, Most::Times(_)) == matches!(cap.most, Most::Times(_))
        };
        if caps.iter().any(|other| same(&other)) {
            item.error("this cap is there twice", "keep one of them");
            whole = false;
        }
        caps.push(cap);
    }
    whole.then_some(caps)
}

fn cap(item: &Value) -> Option<Cap> {
    let fields = item.table(&["points", "times", "each"])?;
    let periods = [
        ("event", None),
        ("day", Some(Period::Day)),
        ("week", Some(Period::Week)),
        ("month", Some(Period::Month)),
        ("life", Some(Period::Life)),
    ];
    let each = fields.need("each", "each = \"day\", \"week\", \"month\", \"life\" or \"event\"");
    let each = each.and_then(|value| choice(&value, &periods));
    let most = match (fields.get("points"), fields.get("times")) {
        (Some(points), None) => Most::Points(points.integer(1..=POINTS_MOST)? as u32),
        (None, Some(times)) if each == Some(None) => {
            times.at_key().error("an event happens once", "write points = 50, each = \"event\"");
            return None;
        }
        (None, Some(times)) => Most::Times(times.integer(1..=TIMES_MOST)? as u32),
        _ => {
            item.error(
                "a cap bounds either points or times",
                "write { points = 50, each = \"day\" } or { times = 3, each = \"day\" }",
            );
            return None;
        }
    };
    Some(Cap { each: each?, most })
}
