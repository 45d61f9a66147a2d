//! Points for checking in on consecutive local days.

use super::caps::{self, Giving};
use super::reader::{MAX_POINTS, Value};
use super::source;
use super::terms::Lives;

/// Points for checking in on consecutive local days.
#[derive(Debug, Clone)]
pub struct CheckIn {
    /// How its points are given.
    pub giving: Giving,
    /// What the ladder counts for each, where that is growth.
    pub growth: i64,
    pub(super) base: i64,
    /// The bonus of a day of the streak, ascending by day.
    pub(super) bonuses: Vec<(u32, i64)>,
    pub(super) cycle: Option<u32>,
}

impl CheckIn {
    /// The points for the `streak`-th consecutive day, counted from 1; none for 0. With a cycle of n days the table
    /// starts again after the n-th, while the streak itself goes on.
    pub fn points(&self, streak: u32) -> i64 {
        if streak == 0 {
            return 0;
        }
        let day = self.cycle.map_or(streak, |cycle| (streak - 1) % cycle + 1);
        let bonus = self.bonuses.binary_search_by_key(&day, |(day, _)| *day).map_or(0, |index| self.bonuses[index].1);
        self.base.saturating_add(bonus)
    }
}

/// The section `[check-in]`.
pub(super) fn read(value: &Value, lives: &Lives) -> Option<CheckIn> {
    let fields = value.table(&["points", "streak", "cycle", "growth", "cap", "expires", "pending"])?;
    let giving = caps::giving(&fields, source::CHECK_IN, lives.terms(&fields), None);
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
    whole.then_some(CheckIn { giving: giving?, growth: growth?, base: base?, bonuses, cycle })
}

fn streak_bonus(item: &Value) -> Option<(u32, i64)> {
    let fields = item.table(&["day", "bonus"])?;
    let day = fields.need("day", "day = 7").and_then(|value| value.integer(1..=3660));
    let bonus = fields.need("bonus", "bonus = 10").and_then(|value| value.integer(0..=MAX_POINTS));
    Some((day? as u32, bonus?))
}
