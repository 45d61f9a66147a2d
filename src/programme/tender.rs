//! Tender: points as part of what an order is paid with, by a stated rate and within stated bounds.
//!
//! Promises that whatever is paid in whole steps pays a whole number of minor units, so that nothing is ever rounded. Which orders there are,
//! and what else pays them, is never said here.

use super::compile::{amount, amount_from_zero};
use super::reader::Value;
use super::{Currency, Tender};

/// Points of a rate, and of its steps.
const POINTS_MOST: i64 = 1_000_000_000;
/// Minor units of a rate.
const MINOR_MOST: i64 = (1 << 40) - 1;
/// Hundredths of a percent.
const WHOLE: u32 = 10_000;

/// The section `[tender]`.
pub(super) fn read(value: &Value, currency: Option<&Currency>) -> Option<Tender> {
    let fields = value.table(&["points", "pays", "step", "least", "share", "from", "not"])?;
    let points = fields.need("points", "points = 100, with pays = \"1.00\": so many points pay so much");
    let points = points.and_then(|value| value.integer(1..=POINTS_MOST));
    let pays = fields.need("pays", "pays = \"1.00\", with points = 100: so many points pay so much");
    let minor = pays.and_then(|value| minor(&value, currency?));
    let share = fields.need("share", "share = \"50%\": at most so much of what they can pay for");
    let share = share.and_then(|value| share_of(&value));
    let from = fields.get("from").map_or(Some(0), |value| amount_from_zero(&value, currency?, "50.00"));
    let not = fields.get("not").map_or(Some(Default::default()), |value| not(&value));
    let (points, minor) = (points?, minor?);
    let step = fields.get("step").map_or(Some(points), |value| step(&value, points, minor))?;
    let least = fields.get("least").map_or(Some(step), |value| least(&value, step));
    let (not_categories, not_skus) = not?;
    Some(Tender { points, minor, step, least: least?, share: share?, from_minor: from?, not_categories, not_skus })
}

fn minor(value: &Value, currency: &Currency) -> Option<i64> {
    let minor = amount(value, currency, "1.00")?;
    if minor > MINOR_MOST {
        let right = format!("write at most \"{}\"", currency.show(MINOR_MOST));
        value.error(format!("`{}` is more than can be counted", value.name), right);
        return None;
    }
    Some(minor)
}

/// Points that pay a whole number of minor units, however often they are taken.
fn step(value: &Value, points: i64, minor: i64) -> Option<i64> {
    let step = value.integer(1..=POINTS_MOST)?;
    let whole = points / common(points, minor);
    if step % whole != 0 {
        let sentence = format!("{step} points do not pay a whole number of the currency's smallest units");
        value.error(sentence, format!("write {whole}, or a multiple of it"));
        return None;
    }
    Some(step)
}

fn least(value: &Value, step: i64) -> Option<i64> {
    let least = value.integer(1..=POINTS_MOST)?;
    if least % step != 0 {
        let sentence = format!("{least} points cannot be paid in steps of {step}");
        value.error(sentence, format!("write {step}, or a multiple of it"));
        return None;
    }
    Some(least)
}

/// The largest number that divides both.
fn common(mut one: i64, mut other: i64) -> i64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// `"50%"`, `"12.5%"`, `"33.33%"`: hundredths of a percent.
fn share_of(value: &Value) -> Option<u32> {
    let text = value.text("50%")?;
    let share = hundredths(text).filter(|share| (1..=WHOLE).contains(share));
    if share.is_none() {
        let right = "write a percentage above 0% and at most 100%, with at most two digits after the point: \"50%\"";
        value.error(format!("`{}` is \"{text}\"", value.name), right);
    }
    share
}

fn hundredths(text: &str) -> Option<u32> {
    let digits = text.strip_suffix('%')?;
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain =
        |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole, 3) || !plain(rest, 2) {
        return None;
    }
    Some(whole.parse::<u32>().ok()? * 100 + format!("{rest:0<2}").parse::<u32>().ok()?)
}

/// `{ categories = ["gift-card"], skus = ["X"] }`: what points do not pay for.
fn not(value: &Value) -> Option<(Vec<String>, Vec<String>)> {
    let fields = value.table(&["categories", "skus"])?;
    let names = |key| fields.get(key).map_or(Some(Vec::new()), |value| value.names());
    let (categories, skus) = (names("categories"), names("skus"));
    let (categories, skus) = (categories?, skus?);
    if categories.is_empty() && skus.is_empty() {
        value.error("`not` names nothing", "name `categories` or `skus`, or leave it out");
        return None;
    }
    Some((categories, skus))
}
