//! Reading on which terms points are given: `expires` and `pending`, in `[points]` for all rules or in a rule for its own.

use super::calendar::{DAY_MS, MonthDay};
use super::campaigns::tier_index;
use super::expiry::{Dates, EndOf, Expiry, Length, LotTerms, Opening, Rolling};
use super::reader::{Fields, Value};
use super::{Campaign, Tier, Zone};
use super::{grammar, punctuation};

const EXPIRES: &str = "\"never\", \"12 months from grant, to end of month\", \"on 06-30 or 12-31, after at least 30d\", or \"with campaign ID\"";
const RIGHT_EXPIRES: &str =
    "\"never\", \"30d from grant, to end of day\", or \"on 06-30 or 12-31, after at least 30d\"";
const SLIDES: &str = "\"12 months from last activity, to end of month\"";
const RECEIPT: &str = "\"7d from receipt, to end of day, or 30d from grant, to end of day\"";
const PENDING: &str = "\"7d from grant, to end of day\" or \"until 2026-12-01 00:00\"";

/// The longest that points live or wait: lots count seconds up to the year 2106.
const DAYS_MOST: i64 = 18_300;
const MONTHS_MOST: i64 = 600;
/// 2100-01-01 00:00.
const UNTIL_MOST_MS: i64 = 4_102_444_800_000;
const DATES_MOST: usize = 12;

/// What terms refer to.
pub(super) struct Scope<'s> {
    pub(super) zone: &'s Zone,
    pub(super) tiers: &'s [Tier],
    pub(super) campaigns: &'s [Campaign],
}

/// How long points live where a rule does not say.
#[derive(Debug, Clone)]
pub struct PointRules {
    pub(super) expiry: Vec<Expiry>,
}

impl PointRules {
    /// The second from which lots that slide are expired, if there is activity now and nothing more; `None` where none slide.
    #[inline]
    pub fn slides_to(&self, zone: &Zone, now_ms: i64) -> Option<u32> {
        match &self.expiry[..] {
            [Expiry::Sliding(rolling)] => Some(rolling.end_s(zone, now_ms)),
            _ => None,
        }
    }
}

/// The section `[points]`.
pub(super) fn points(value: Option<Value>, scope: &Scope) -> Option<PointRules> {
    let Some(value) = value else { return Some(PointRules { expiry: LotTerms::for_ever().expiry }) };
    let fields = value.table(&["expires"])?;
    let value = fields.need("expires", "expires = \"12 months from grant, to end of month\"")?;
    if let Some((length, "last activity", end_of)) = value.if_text().and_then(rolling) {
        return Some(PointRules { expiry: vec![Expiry::Sliding(Rolling::new(length, end_of, scope.zone))] });
    }
    expiries(&value, scope, &format!("{EXPIRES}, or {SLIDES}")).map(|expiry| PointRules { expiry })
}

fn terms(fields: &Fields, points: Option<&PointRules>, scope: &Scope, of_orders: bool) -> Option<LotTerms> {
    let expiry = match fields.get("expires") {
        Some(value) => expiries(&value, scope, EXPIRES),
        None => points.map(|points| points.expiry.clone()),
    };
    let opening = fields.get("pending").map_or(Some(None), |value| opening(&value, scope.zone, of_orders).map(Some));
    Some(LotTerms { opening: opening?, expiry: expiry? })
}

/// What a rule needs to know of how long points live.
pub(super) struct Lives<'s> {
    pub(super) scope: Scope<'s>,
    /// `None` where `[points]` is wrong, which was said there.
    pub(super) points: Option<&'s PointRules>,
}

impl Lives<'_> {
    /// The terms of one rule: what it says itself, or else what holds for all.
    pub(super) fn terms(&self, fields: &Fields) -> Option<LotTerms> {
        terms(fields, self.points, &self.scope, false)
    }

    /// The same of the rule for orders, whose points can wait for the order's receipt.
    pub(super) fn order_terms(&self, fields: &Fields) -> Option<LotTerms> {
        terms(fields, self.points, &self.scope, true)
    }
}

/// Until when something that is given can be used: the key `expires`, which says it here or nowhere.
pub(super) fn expires(fields: &Fields, scope: &Scope) -> Option<LotTerms> {
    let value = fields.need("expires", "expires = \"30d from grant, to end of day\", or expires = \"never\"")?;
    if value.if_text().is_some_and(|text| text.starts_with("with campaign ")) {
        value.error(
            format!("`{}` follows a campaign, which only points can", value.name),
            format!("write {RIGHT_EXPIRES}"),
        );
        return None;
    }
    expiries(&value, scope, RIGHT_EXPIRES).map(|expiry| LotTerms { opening: None, expiry })
}

/// A length from something on, up to the end of a day, month, quarter or year.
pub(super) fn length_from(value: &Value, origin: &str, example: &str, zone: &Zone) -> Option<Rolling> {
    let text = value.text(example)?;
    match rolling(text) {
        Some((length, from, end_of)) if from == origin => Some(Rolling::new(length, end_of, zone)),
        _ => wrong(value, text, &format!("\"{example}\"")),
    }
}

/// One expiry, or a table with one for each tier.
fn expiries(value: &Value, scope: &Scope, known: &str) -> Option<Vec<Expiry>> {
    if !value.is_table() {
        return expiry(value, scope, known).map(|expiry| vec![expiry]);
    }
    let mut by_tier = vec![None; scope.tiers.len()];
    let mut whole = true;
    for (slug, value) in value.entries()? {
        let Some(at) = tier_index(&value, slug, scope.tiers) else {
            whole = false;
            continue;
        };
        by_tier[at] = expiry(&value, scope, known);
        whole &= by_tier[at].is_some();
    }
    for (tier, expiry) in scope.tiers.iter().zip(&by_tier) {
        if whole && expiry.is_none() {
            let sentence = format!("`{}` says nothing of the tier \"{}\"", value.name, tier.slug);
            value.error(sentence, "give every tier its own, or write one text for all");
            whole = false;
        }
    }
    by_tier.into_iter().collect::<Option<Vec<_>>>().filter(|_| whole)
}

fn expiry(value: &Value, scope: &Scope, known: &str) -> Option<Expiry> {
    let text = value.text("12 months from grant, to end of month")?;
    if text == "never" {
        return Some(Expiry::Never);
    }
    if let Some((length, origin, end_of)) = rolling(text) {
        if origin == "grant" {
            return Some(Expiry::Rolling(Rolling::new(length, end_of, scope.zone)));
        }
        if origin == "last activity" {
            let right = "write it once, as the text of `expires` in [points]: all points of a member slide together";
            value.error(format!("`{}` slides with activity here", value.name), right);
            return None;
        }
    }
    if let Some((dates, at_least)) = text.strip_prefix("on ").and_then(dates) {
        return Some(Expiry::Dates(Dates::new(dates, at_least, scope.zone)));
    }
    if let Some((slug, at_least)) = text.strip_prefix("with campaign ").and_then(at_least) {
        return with_campaign(value, scope, slug, at_least);
    }
    wrong(value, text, known)
}

fn with_campaign(value: &Value, scope: &Scope, slug: &str, at_least: i32) -> Option<Expiry> {
    let Some(campaign) = scope.campaigns.iter().find(|campaign| campaign.slug == slug) else {
        let known: Vec<&str> = scope.campaigns.iter().map(|campaign| campaign.slug.as_str()).collect();
        let right =
            if known.is_empty() { "add it".to_owned() } else { format!("the campaigns are: {}", known.join(", ")) };
        value.error(format!("there is no campaign \"{slug}\""), right);
        return None;
    };
    let window = Box::new(campaign.window.clone());
    Some(Expiry::Window { campaign: slug.to_owned(), window, at_least })
}

fn opening(value: &Value, zone: &Zone, of_orders: bool) -> Option<Opening> {
    let text = value.text("7d from grant, to end of day")?;
    if let Some((after, latest)) = receipt(text) {
        if !of_orders {
            value.error("only the points of orders can wait for a receipt", format!("write {PENDING}"));
            return None;
        }
        let rolling = |(length, end_of)| Rolling::new(length, end_of, zone);
        return Some(Opening::Receipt { after: rolling(after), latest: rolling(latest) });
    }
    if let Some((length, "grant", end_of)) = rolling(text) {
        return Some(Opening::After(Rolling::new(length, end_of, zone)));
    }
    let until = text.strip_prefix("until ").and_then(grammar::date_time).filter(|until_ms| *until_ms <= UNTIL_MOST_MS);
    if let Some(local_ms) = until {
        return Some(Opening::At { local_ms, instant_ms: zone.begins(local_ms) });
    }
    wrong(value, text, &if of_orders { format!("{PENDING}, or {RECEIPT}") } else { PENDING.to_owned() })
}

/// `7d from receipt, to end of day, or 30d from grant, to end of day`: what is waited for after the receipt, and at the latest.
fn receipt(text: &str) -> Option<((Length, EndOf), (Length, EndOf))> {
    let (after, latest) = text.split_once(", or ")?;
    match (rolling(after)?, rolling(latest)?) {
        ((after, "receipt", after_end), (latest, "grant", latest_end)) => {
            Some(((after, after_end), (latest, latest_end)))
        }
        _ => None,
    }
}

fn wrong<T>(value: &Value, text: &str, known: &str) -> Option<T> {
    let right = match punctuation::plainly(text) {
        Some(plain) => format!("write it with plain characters: \"{plain}\""),
        None => format!("write {known}"),
    };
    value.error(format!("`{}` is \"{text}\"", value.name), right);
    None
}

/// `12 months from grant, to end of month`: the length, where it begins, and what is waited for.
fn rolling(text: &str) -> Option<(Length, &str, EndOf)> {
    let (long, rest) = text.split_once(" from ")?;
    let (origin, end) = rest.split_once(", to end of ")?;
    let end_of = match end {
        "day" => EndOf::Day,
        "month" => EndOf::Month,
        "quarter" => EndOf::Quarter,
        "year" => EndOf::Year,
        _ => return None,
    };
    Some((length(long)?, origin, end_of))
}

/// `30d`, `1 month`, `12 months`, `1 year`, `2 years`.
pub(super) fn length(text: &str) -> Option<Length> {
    let months = |months: i64| (months <= MONTHS_MOST).then_some(Length::Months(months as i32));
    let Some((count, unit)) = text.split_once(' ') else { return days(text).map(Length::Days) };
    let count = grammar::number(count)?;
    match (unit, count) {
        ("month", 1) | ("months", 0 | 2..) => months(count),
        ("year", 1) | ("years", 0 | 2..) => months(count * 12),
        _ => None,
    }
}

pub(super) fn days(text: &str) -> Option<i32> {
    let days = grammar::duration(text).filter(|_| text.ends_with('d'))? / DAY_MS;
    (days <= DAYS_MOST).then_some(days as i32)
}

/// A text, and the `, after at least 30d` behind it.
fn at_least(text: &str) -> Option<(&str, i32)> {
    match text.split_once(", after at least ") {
        Some((before, least)) => Some((before, days(least)?)),
        None => Some((text, 0)),
    }
}

/// `06-30 or 12-31, after at least 30d`.
fn dates(text: &str) -> Option<(Vec<(i8, MonthDay)>, i32)> {
    let (listed, at_least) = at_least(text)?;
    let date = |text: &str| {
        let moment = grammar::year_moment(&format!("{text} 24:00"))?;
        Some((moment.month, moment.day))
    };
    let dates = listed.split(" or ").map(date).collect::<Option<Vec<_>>>()?;
    (dates.len() <= DATES_MOST).then_some((dates, at_least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_a_number_and_a_unit_that_agree() {
        let good = [("30d", Length::Days(30)), ("1 month", Length::Months(1)), ("2 years", Length::Months(24))];
        assert!(good.into_iter().all(|(text, meant)| length(text) == Some(meant)));
        for wrong in ["1 months", "2 month", "30 d", "30h", "1month", "18301d", "601 months", "-1 months", "", "d"] {
            assert_eq!(length(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn dates_are_days_that_years_have() {
        let both = Some((vec![(6, MonthDay::Number(30)), (12, MonthDay::Last)], 30));
        assert_eq!(dates("06-30 or 12-last, after at least 30d"), both);
        for wrong in ["06-31", "6-30", "06-30 and 12-31", "06-30, after at least 30", ""] {
            assert_eq!(dates(wrong), None, "{wrong}");
        }
    }
}
