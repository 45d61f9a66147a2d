//! How long what is held for a checkout is, and how points pay part of an order.

use super::compile::{amount, amount_from, duration};
use super::reader::{Fields, MAX_POINTS, Value};
use super::{Currency, HoldRules, Tender};

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// Where a file says nothing.
pub(super) const DEFAULT: HoldRules = HoldRules { for_ms: 15 * MINUTE_MS, most_ms: 60 * MINUTE_MS, grace_ms: 0 };

/// The section `[holds]`.
pub(super) fn read(value: &Value) -> Option<HoldRules> {
    let fields = value.table(&["for", "most", "grace"])?;
    let bounds = (1_000, 7 * DAY_MS, "1s to 7d");
    let for_ms = fields.get("for").map_or(Some(DEFAULT.for_ms), |value| duration(&value, bounds));
    let most = fields.get("most").map(|value| (duration(&value, bounds), value));
    let grace = fields.get("grace").map_or(Some(0), |value| duration(&value, (0, 366 * DAY_MS, "0s to 366d")));
    let for_ms = for_ms?;
    let most_ms = match most {
        None => for_ms.max(DEFAULT.most_ms),
        Some((Some(most_ms), value)) if most_ms < for_ms => {
            value.error("`most` is shorter than `for`", "let it be at least as long");
            return None;
        }
        Some((most_ms, _)) => most_ms?,
    };
    Some(HoldRules { for_ms, most_ms, grace_ms: grace? })
}

/// The section `[tender]`.
pub(super) fn tender(value: &Value, currency: &Currency) -> Option<Tender> {
    let fields = value.table(&["points", "pays", "step", "least", "share", "from", "not"])?;
    let points = fields.need("points", "points = 100").and_then(|value| value.integer(1..=MAX_POINTS));
    let pays = fields.need("pays", "pays = \"1.00\": what so many points pay");
    let minor = pays.and_then(|value| amount(&value, currency, "1.00"));
    let share = fields.need("share", "share = \"50%\": the most of an order that points pay");
    let share = share.and_then(|value| percent(&value));
    let from = fields.get("from").map_or(Some(0), |value| amount_from(&value, currency, "50.00", 0));
    let not = fields.get("not").map_or(Some(Default::default()), |value| exclusions(&value));
    let (points, minor) = (points?, minor?);
    let step = fields.get("step").map_or(Some(points), |value| steps(&value, points, minor));
    let least = fields.get("least").map_or(step, |value| least(&value, step?));
    let (not_categories, not_skus) = not?;
    let (step, least) = (step?, least?);
    Some(Tender { points, minor, step, least, share: share?, from_minor: from?, not_categories, not_skus })
}

/// Every step pays a whole number of minor units, so that nothing is ever rounded.
fn steps(value: &Value, points: i64, minor: i64) -> Option<i64> {
    let step = value.integer(1..=MAX_POINTS)?;
    if (i128::from(step) * i128::from(minor)) % i128::from(points) != 0 {
        value.error(
            format!("{step} points do not pay a whole number of minor units"),
            format!("write a step that does, such as {points}"),
        );
        return None;
    }
    Some(step)
}

fn least(value: &Value, step: i64) -> Option<i64> {
    let least = value.integer(1..=MAX_POINTS)?;
    if least % step != 0 {
        value.error(format!("`least` is no multiple of the step of {step}"), format!("write {step}, or a multiple"));
        return None;
    }
    Some(least)
}

/// A share in hundredths of a percent.
fn percent(value: &Value) -> Option<u32> {
    let text = value.text("50%")?;
    let share = text.strip_suffix('%').and_then(|digits| {
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let fits = !whole.is_empty() && whole.len() <= 3 && part.len() <= 2 && plain(whole) && plain(part);
        let hundredths: u32 = fits.then(|| format!("{whole}{part:0<2}").parse().ok())??;
        (1..=10_000).contains(&hundredths).then_some(hundredths)
    });
    if share.is_none() {
        value
            .error(format!("`{}` is \"{text}\"", value.name), "write a share above 0% and up to 100%, such as \"50%\"");
    }
    share
}

/// `{ categories = ["gift-card"], skus = ["CARD-1"] }`.
fn exclusions(value: &Value) -> Option<(Vec<String>, Vec<String>)> {
    let fields = value.table(&["categories", "skus"])?;
    let names = |fields: &Fields, key| fields.get(key).map_or(Some(Vec::new()), |value| value.names());
    let (categories, skus) = (names(&fields, "categories"), names(&fields, "skus"));
    Some((categories?, skus?))
}
