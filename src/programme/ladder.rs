//! The ladder: what raises members from tier to tier, for how long a tier is held, and what becomes of who does not keep it.

use std::ops::RangeInclusive;

use super::calendar::{Period, months_after};
use super::compile::choice;
use super::expiry::{EndOf, Length, Rolling};
use super::multipliers::ReadsClock;
use super::reader::Value;
use super::{Zone, terms};

/// The longest period that a ladder sums up day by day.
const DAYS_MOST: i32 = 1_098;
const MONTHS_MOST: i32 = 36;
const GRACE_DAYS_MOST: i64 = 365;

/// What a ladder counts. The numbers are disk format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Measure {
    /// Points earned.
    Points = 1,
    /// What orders count, in minor units.
    Spend = 2,
    /// Orders.
    Orders = 3,
    /// A value of its own, that rules give beside points.
    Growth = 4,
}

/// Over which time a ladder counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// All there ever was, or a period of the calendar.
    Period(Period),
    /// So long back from today.
    Last(Length),
}

/// What becomes of who does not keep its tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Falls {
    /// The tier that what is counted comes to.
    ToFit,
    /// The next tier down.
    ByOne,
}

/// What members stand on.
#[derive(Debug, Clone)]
pub struct Ladder {
    /// What it counts.
    pub measure: Measure,
    pub(super) over: Over,
    /// Which day something counts for.
    pub(super) clock: ReadsClock,
    /// How long a tier is held; `None` where it is held as long as the count lasts.
    pub(super) keeps: Option<Rolling>,
    pub(super) grace_days: i32,
    /// How far who does not keep its tier falls.
    pub falls: Falls,
    /// Whether who skips a tier has its entry's award too.
    pub each_entry: bool,
    /// Once in which period the award of an entry is given.
    pub again: Period,
}

impl Ladder {
    /// By points earned over a life: what a programme has that says nothing.
    pub(super) fn plain() -> Ladder {
        Ladder {
            measure: Measure::Points,
            over: Over::Period(Period::Life),
            clock: ReadsClock::Paid,
            keeps: None,
            grace_days: 0,
            falls: Falls::ToFit,
            each_entry: true,
            again: Period::Life,
        }
    }

    /// Whether what another ladder counted so far is what this one counts.
    pub fn counts_as(&self, other: &Ladder) -> bool {
        (self.measure, self.over) == (other.measure, other.over)
    }

    /// Whether it counts the points earned over a life, which every member has at hand.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.measure == Measure::Points && self.is_for_life()
    }

    /// Whether a tier is held as long as the count lasts.
    #[inline]
    pub fn is_for_life(&self) -> bool {
        self.over == Over::Period(Period::Life)
    }

    /// The local day for which something counts that happened at one instant and came in at another.
    pub fn day(&self, zone: &Zone, happened_ms: i64, now_ms: i64) -> i32 {
        zone.local_day(match self.clock {
            ReadsClock::Paid => happened_ms,
            ReadsClock::Arrival => now_ms,
        })
    }

    /// The day under which what counts for a day is summed up.
    pub fn bucket(&self, day: i32) -> i32 {
        match self.over {
            Over::Period(period) => period.first_day(day),
            Over::Last(_) => day,
        }
    }

    /// The days that count on a day, as they are summed up.
    pub fn counted_days(&self, today: i32) -> RangeInclusive<i32> {
        match self.over {
            // What was summed up by shorter periods, or from day to day, in an earlier version counts as well.
            Over::Period(Period::Life) => i32::MIN..=i32::MAX,
            Over::Period(period) => period.first_day(today)..=period.next_day(today).saturating_sub(1),
            Over::Last(Length::Days(days)) => today.saturating_sub(days - 1)..=i32::MAX,
            Over::Last(Length::Months(months)) => months_after(today, -months).saturating_add(1)..=i32::MAX,
        }
    }

    /// A day of the calendar's period before that of a day; `None` where the ladder does not count by the calendar.
    pub fn closed_day(&self, day: i32) -> Option<i32> {
        match self.over {
            Over::Period(Period::Life) | Over::Last(_) => None,
            Over::Period(period) => Some(period.first_day(day).saturating_sub(1)),
        }
    }

    /// The first day that is still of interest on a day: a closed period, as long as somebody may be in its grace.
    pub fn kept_from(&self, today: i32) -> i32 {
        match self.over {
            Over::Period(Period::Life) => i32::MIN,
            Over::Period(period) => period.first_day(period.first_day(today).saturating_sub(1)),
            Over::Last(_) => *self.counted_days(today).start(),
        }
    }

    /// The second until which a tier is held that was reached, or kept, at an instant; `None`: as long as the count lasts.
    pub fn holds_until_s(&self, zone: &Zone, at_ms: i64) -> Option<u32> {
        self.keeps.as_ref().map(|keeps| keeps.end_s(zone, at_ms))
    }

    /// The second until which who has not kept its tier at `until_s` can still do so; `None` without a grace.
    pub fn grace_until_s(&self, zone: &Zone, until_s: u32) -> Option<u32> {
        let last_day = zone.local_day(i64::from(until_s) * 1000 - 1);
        (self.grace_days > 0).then(|| super::expiry::end_s(zone, last_day.saturating_add(self.grace_days)))
    }
}

/// The section `[tiers]`.
pub(super) fn read(value: Option<Value>, zone: &Zone) -> Option<Ladder> {
    let Some(value) = value else { return Some(Ladder::plain()) };
    let fields = value.table(&["by", "over", "clock", "keeps", "grace", "falls", "skipped", "again"])?;
    let measures = [
        ("points", Measure::Points),
        ("spend", Measure::Spend),
        ("orders", Measure::Orders),
        ("growth", Measure::Growth),
    ];
    let by = fields.need("by", "by = \"points\", \"spend\", \"orders\" or \"growth\"");
    let measure = by.and_then(|value| choice(&value, &measures));
    let over = fields.need("over", "over = \"life\", \"year\", \"quarter\", \"month\", \"12 months\" or \"365d\"");
    let over = over.and_then(|value| over_text(&value));
    let clock = fields.get("clock").map_or(Some(ReadsClock::Paid), |value| {
        choice(&value, &[("paid", ReadsClock::Paid), ("arrival", ReadsClock::Arrival)])
    });
    let skipped =
        fields.get("skipped").map_or(Some(true), |value| choice(&value, &[("each", true), ("only the top", false)]));
    let again = fields.get("again").map_or(Some(Period::Life), |value| {
        let periods = [
            ("never", Period::Life),
            ("each year", Period::Year),
            ("each quarter", Period::Quarter),
            ("each month", Period::Month),
        ];
        choice(&value, &periods)
    });
    let (over, clock) = (over?, clock?);
    let ladder = Ladder { measure: measure?, over, clock, each_entry: skipped?, again: again?, ..Ladder::plain() };
    if ladder.is_for_life() {
        for key in ["keeps", "grace", "falls"] {
            if let Some(value) = fields.get(key) {
                let sentence = format!("`{}` is of a ladder that counts a period, this one counts a life", value.name);
                value.at_key().error(sentence, "leave it out, or write over = \"year\"");
                return None;
            }
        }
        return Some(ladder);
    }
    let example = "keeps = \"12 months from entry, to end of year\": this year and the next";
    let keeps = fields.need("keeps", example);
    let keeps = keeps.and_then(|value| {
        let keeps = terms::length_from(&value, "entry", "12 months from entry, to end of year", zone)?;
        ends_with(&value, &keeps, over).then_some(keeps)
    });
    let falls = fields.need("falls", "falls = \"to fit\" or falls = \"by one\"");
    let falls = falls.and_then(|value| choice(&value, &[("to fit", Falls::ToFit), ("by one", Falls::ByOne)]));
    let grace_days = fields.get("grace").map_or(Some(0), |value| grace(&value, over));
    Some(Ladder { keeps: Some(keeps?), falls: falls?, grace_days: grace_days?, ..ladder })
}

fn over_text(value: &Value) -> Option<Over> {
    let text = value.text("12 months")?;
    let over = match text {
        "life" => Over::Period(Period::Life),
        "year" => Over::Period(Period::Year),
        "quarter" => Over::Period(Period::Quarter),
        "month" => Over::Period(Period::Month),
        _ => {
            let length = terms::length(text).filter(|length| match length {
                Length::Days(days) => (1..=DAYS_MOST).contains(days),
                Length::Months(months) => (1..=MONTHS_MOST).contains(months),
            });
            let Some(length) = length else {
                let right = format!(
                    "write \"life\", \"year\", \"quarter\", \"month\", or how far back: \"12 months\" (to {MONTHS_MOST}), \"365d\" (to {DAYS_MOST}d)"
                );
                value.error(format!("`{}` is \"{text}\"", value.name), right);
                return None;
            };
            Over::Last(length)
        }
    };
    Some(over)
}

/// A tier that is counted by periods of the calendar is held to the end of one: what it is kept by is then whole.
fn ends_with(value: &Value, keeps: &Rolling, over: Over) -> bool {
    let wanted = match over {
        Over::Period(Period::Month) => EndOf::Month,
        Over::Period(Period::Quarter) => EndOf::Quarter,
        Over::Period(Period::Year) => EndOf::Year,
        _ => return true,
    };
    let word = match wanted {
        EndOf::Month => "month",
        EndOf::Quarter => "quarter",
        _ => "year",
    };
    if keeps.end_of != wanted {
        let sentence = format!("the ladder counts by {word}, and `{}` ends within one", value.name);
        value.error(sentence, format!("let it end with the {word}: \", to end of {word}\""));
    }
    keeps.end_of == wanted
}

/// Days of grace: within one period of the calendar, so that the closed one is the one before.
fn grace(value: &Value, over: Over) -> Option<i32> {
    let most = match over {
        Over::Period(Period::Month) => 27,
        Over::Period(Period::Quarter) => 89,
        _ => GRACE_DAYS_MOST - 1,
    };
    let text = value.text("30d")?;
    let days = super::grammar::duration(text).filter(|_| text.ends_with('d')).map(|ms| ms / super::calendar::DAY_MS);
    let days = days.filter(|days| (1..=most).contains(days));
    if days.is_none() {
        value.error(format!("`{}` is \"{text}\"", value.name), format!("write \"1d\" to \"{most}d\""));
    }
    days.map(|days| days as i32)
}
