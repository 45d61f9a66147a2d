//! Points for checking in on consecutive local days, and how far a day that was missed, or comes in late, can be reached.

use super::caps::{self, Giving};
use super::compile::{duration, wanted};
use super::reader::{MAX_POINTS, Value};
use super::rights::{self, Right};
use super::terms::{self, Lives};
use super::{Numbering, Period, Zone, source};

const DAY_MS: i64 = 86_400_000;
/// How far back a day can be reached; the engine keeps runs longer than that.
const REACH_DAYS_MOST: i32 = 31;
/// Zones that members can have.
const ZONES_MOST: usize = 64;

/// Points for checking in on consecutive local days.
#[derive(Debug, Clone)]
pub struct CheckIn {
    /// How its points are given.
    pub giving: Giving,
    /// What the ladder counts for each, where that is growth.
    pub growth: i64,
    /// How long after it happened a check-in may come in.
    pub late_ms: i64,
    /// How a day that was missed is made up for, if it can be.
    pub make_up: Option<MakeUpRule>,
    /// The zones beside the programme's in which a member's days can be counted, with their numbers.
    pub zones: Vec<(u16, Zone)>,
    pub(super) base: i64,
    /// The bonus of a day of the streak, ascending by day.
    pub(super) bonuses: Vec<(u32, i64)>,
    pub(super) cycle: Option<u32>,
}

/// How a day that was missed is made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MakeUpRule {
    /// How many days back.
    pub within_days: i32,
    /// The right of which each takes one.
    pub card: u16,
    /// Whether the day gives the points of a check-in, or only counts for the streak.
    pub earns: bool,
}

impl CheckIn {
    /// The points for each check-in.
    pub fn base_points(&self) -> i64 {
        self.base
    }

    /// What the `streak`-th consecutive day, counted from 1, gives beyond them; nothing for 0. With a cycle of n days the table
    /// starts again after the n-th, while the streak itself goes on.
    pub fn bonus(&self, streak: u32) -> i64 {
        if streak == 0 {
            return 0;
        }
        let day = self.cycle.map_or(streak, |cycle| (streak - 1) % cycle + 1);
        self.bonuses.binary_search_by_key(&day, |(day, _)| *day).map_or(0, |index| self.bonuses[index].1)
    }

    /// Whether any day but today's can be checked in, so that the days between are to be known.
    pub fn reaches(&self) -> bool {
        self.late_ms > 0 || self.make_up.is_some()
    }

    /// How many days back one can be.
    pub fn reach_days(&self) -> i32 {
        let late = self.late_ms.div_euclid(DAY_MS) as i32 + i32::from(self.late_ms % DAY_MS > 0);
        late.max(self.make_up.map_or(0, |make_up| make_up.within_days))
    }
}

/// What the section refers to.
pub(super) struct Scope<'s> {
    pub(super) lives: &'s Lives<'s>,
    pub(super) rights: &'s [Right],
    pub(super) zone: &'s Zone,
    pub(super) numbering: &'s mut Numbering,
}

/// The section `[check-in]`.
pub(super) fn read(value: &Value, scope: &mut Scope) -> Option<CheckIn> {
    let known = ["points", "streak", "cycle", "growth", "late", "make_up", "zones", "cap", "expires", "pending"];
    let fields = value.table(&known)?;
    let giving = caps::giving(&fields, source::CHECK_IN, scope.lives.terms(&fields), None);
    let bounds = (0, i64::from(REACH_DAYS_MOST) * DAY_MS, "0s to 31d");
    let late_ms = fields.get("late").map_or(Some(0), |value| duration(&value, bounds));
    let make_up = wanted(fields.get("make_up").map(|value| make_up(&value, scope.rights)));
    let zones = fields.get("zones").map_or(Some(Vec::new()), |value| zones(&value, scope));
    let base = fields.need("points", "points = 1").and_then(|value| value.integer(0..=MAX_POINTS));
    let growth = fields.get("growth").map_or(Some(0), |value| value.integer(0..=MAX_POINTS));
    let cycle = match fields.get("cycle") {
        Some(value) => Some(value.integer(1..=3660)? as u32),
        None => None,
    };
    let mut bonuses = Vec::new();
    let mut whole = true;
    for item in fields.get("streak").map_or(Some(Vec::new()), |value| value.list())? {
        let Some((day, bonus)) = streak_bonus(&item) else {
            whole = false;
            continue;
        };
        if bonuses.iter().any(|(earlier, _)| *earlier == day) {
            item.error(format!("day {day} of the streak is there twice"), "give each day one bonus");
            whole = false;
        }
        if let Some(cycle) = cycle
            && day > cycle
        {
            item.warn(
                format!("day {day} is never reached: the table starts again after {cycle} days"),
                "take a day within the cycle, or a longer cycle",
            );
        }
        bonuses.push((day, bonus));
    }
    bonuses.sort_unstable();
    let (giving, growth, base, late_ms) = (giving?, growth?, base?, late_ms?);
    let (make_up, zones) = (make_up?, zones?);
    let by_period = giving.caps.iter().any(|cap| !matches!(cap.each, None | Some(Period::Life)));
    if by_period && (late_ms > 0 || make_up.is_some_and(|make_up| make_up.earns)) {
        value.warn(
            "a day that comes in late, or is made up for, counts within the cap of the newest period that was counted",
            "bound what is given with `each = \"event\"`, or leave the cap out",
        );
    }
    whole.then_some(CheckIn { giving, growth, late_ms, make_up, zones, base, bonuses, cycle })
}

fn make_up(value: &Value, rights: &[Right]) -> Option<MakeUpRule> {
    let fields = value.table(&["within", "card", "earns"])?;
    let within = fields.need("within", "within = \"7d\"").and_then(|value| {
        let days = value.text("7d").and_then(terms::days).filter(|days| (1..=REACH_DAYS_MOST).contains(days));
        if days.is_none() {
            value.error(format!("`{}` is no number of days", value.name), "write \"1d\" to \"31d\"");
        }
        days
    });
    let card = fields.need("card", "card = \"make-up-card\", a right of [right.make-up-card]");
    let card = card.and_then(|value| rights::named(&value, rights));
    let earns = fields.need("earns", "earns = true, or earns = false: whether the day gives a check-in's points");
    let earns = earns.and_then(|value| value.boolean());
    Some(MakeUpRule { within_days: within?, card: card?, earns: earns? })
}

/// The zones that members can have, with their numbers.
fn zones(value: &Value, scope: &mut Scope) -> Option<Vec<(u16, Zone)>> {
    let items = value.list()?;
    if items.len() > ZONES_MOST {
        value.error(format!("there are {} zones", items.len()), format!("a programme allows at most {ZONES_MOST}"));
        return None;
    }
    let mut zones: Vec<(u16, Zone)> = Vec::new();
    let mut whole = true;
    for item in items {
        let zone = item.text("America/New_York").and_then(|name| {
            let zone = Zone::new(name);
            if zone.is_err() {
                let right = "write an IANA name, such as \"Asia/Shanghai\" or \"America/New_York\"";
                item.error(format!("there is no time zone \"{name}\""), right);
            }
            zone.ok()
        });
        let Some(zone) = zone else {
            whole = false;
            continue;
        };
        if zone == *scope.zone || zones.iter().any(|(_, known)| *known == zone) {
            item.error(
                format!("\"{}\" is there already", zone.name()),
                "list each once; the programme's own is always allowed",
            );
            whole = false;
            continue;
        }
        let Ok(number) = scope.numbering.rule(&format!("zone/{}", zone.name())) else {
            item.error("there are no numbers left for new zones", "a programme names at most 8000 rules over its life");
            return None;
        };
        zones.push((number, zone));
    }
    whole.then_some(zones)
}

fn streak_bonus(item: &Value) -> Option<(u32, i64)> {
    let fields = item.table(&["day", "bonus"])?;
    let day = fields.need("day", "day = 7").and_then(|value| value.integer(1..=3660));
    let bonus = fields.need("bonus", "bonus = 10").and_then(|value| value.integer(0..=MAX_POINTS));
    Some((day? as u32, bonus?))
}
