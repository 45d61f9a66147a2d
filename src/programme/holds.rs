//! Holds: how long what is held for a member stays held, and what becomes of what expires meanwhile.
//!
//! Promises lengths that are in order: what who holds says nothing of is never more than the most. What can be held is said elsewhere.

use super::HoldRules;
use super::compile::duration;
use super::reader::Value;

const SECOND_MS: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Of a programme that says nothing of it.
pub(super) const DEFAULT: HoldRules = HoldRules { for_ms: HOUR_MS / 4, most_ms: HOUR_MS, grace_ms: 0 };

/// The section `[holds]`.
pub(super) fn read(value: Option<Value>) -> Option<HoldRules> {
    let Some(value) = value else { return Some(DEFAULT) };
    let fields = value.table(&["for", "most", "grace"])?;
    let lengths = (SECOND_MS, 7 * DAY_MS, "1s to 7d");
    let for_ms = fields.get("for").map_or(Some(DEFAULT.for_ms), |value| duration(&value, lengths));
    let most = fields.get("most").map(|value| (duration(&value, lengths), value));
    let grace = (0, 366 * DAY_MS, "0s to 366d");
    let grace_ms = fields.get("grace").map_or(Some(DEFAULT.grace_ms), |value| duration(&value, grace));
    let for_ms = for_ms?;
    let most_ms = match most {
        None => DEFAULT.most_ms.max(for_ms),
        Some((most_ms, value)) => most_ms.filter(|most_ms| is_enough(&value, *most_ms, for_ms))?,
    };
    Some(HoldRules { for_ms, most_ms, grace_ms: grace_ms? })
}

fn is_enough(most: &Value, most_ms: i64, for_ms: i64) -> bool {
    if most_ms < for_ms {
        most.error("`most` is shorter than `for`", "let it be at least as long as `for`, which is 15m if left out");
    }
    most_ms >= for_ms
}
