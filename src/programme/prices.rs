//! Prices: what an offer costs in points, in money, or in both; by tier, and for who has a tag.
//!
//! Promises that somebody has a price for every offer, and that each price is one that can be counted. Money is in the programme's currency;
//! who takes it, and how, is never said here.

use super::campaigns::Scope;
use super::compile::amount_from_zero;
use super::reader::{Fields, MAX_POINTS, Value};
use super::{Price, names};

/// Money of one redemption is counted in 40 bits.
const MONEY_MOST: i64 = (1 << 40) - 1;
const KEYS: [&str; 2] = ["points", "money"];

/// `{ points = 1200 }` for all admitted, or `{ basic = { points = 1200 }, gold = { money = "5.00" } }`; a tier without a
/// price is not admitted.
pub(super) fn by_tier(value: &Value, admitted: Option<&[bool]>, scope: &Scope) -> Option<Vec<Option<Price>>> {
    if !value.is_table() {
        return value.table(&KEYS).and(None);
    }
    let entries = value.entries()?;
    // A tier may be called "money": files of before there were prices in it must go on being read.
    if entries.iter().any(|(key, value)| *key == "points" || *key == "money" && !value.is_table()) {
        let price = price(&value.table(&KEYS)?, scope)?;
        let open = |tier: usize| admitted.is_none_or(|admitted| admitted[tier]);
        return Some((0..scope.tiers.len()).map(|tier| open(tier).then_some(price)).collect());
    }
    let mut prices = vec![None; scope.tiers.len()];
    let mut whole = true;
    for (slug, value) in &entries {
        let price = |value: &Value| price(&value.table(&KEYS)?, scope);
        let (Some(tier), Some(price)) = (scope.tier(value, slug), price(value)) else {
            whole = false;
            continue;
        };
        if admitted.is_some_and(|admitted| !admitted[tier]) {
            value.at_key().warn(
                format!("the price for \"{slug}\" is never asked: that tier is not admitted"),
                "add it to `tiers`, or leave its price out",
            );
            continue;
        }
        prices[tier] = Some(price);
    }
    if whole && prices.iter().all(Option::is_none) {
        value.error("no tier has a price", "write { points = 1200 }, or a price for at least one tier admitted");
        whole = false;
    }
    whole.then_some(prices)
}

/// `[{ tag = "koc", points = 500 }]`: the first of which the member has the tag takes the place of its tier's.
pub(super) fn by_tag(value: &Value, scope: &Scope) -> Option<Vec<(u16, Price)>> {
    let mut prices: Vec<(u16, Price)> = Vec::new();
    let mut whole = true;
    for item in value.list()? {
        let Some((tag, price)) = tagged(&item, scope) else {
            whole = false;
            continue;
        };
        if prices.iter().any(|(other, _)| *other == tag) {
            item.error("this tag has a price already", "keep one of them: only the first would ever be asked");
            whole = false;
        }
        prices.push((tag, price));
    }
    whole.then_some(prices)
}

fn tagged(item: &Value, scope: &Scope) -> Option<(u16, Price)> {
    let fields = item.table(&["tag", "points", "money"])?;
    let tag = fields.need("tag", "tag = \"koc\"").and_then(|value| names::tag(&value, scope.tags));
    let price = price(&fields, scope);
    Some((tag?, price?))
}

/// `points`, `money`, or both.
fn price(fields: &Fields, scope: &Scope) -> Option<Price> {
    let (points, money) = (fields.get("points"), fields.get("money"));
    if points.is_none() && money.is_none() {
        return fields.need("points", "points = 1200, or money = \"9.90\", or both").and(None);
    }
    let points = points.map_or(Some(0), |value| value.integer(0..=MAX_POINTS));
    let money_minor = money.map_or(Some(0), |value| minor(&value, scope));
    Some(Price { points: points?, money_minor: money_minor? })
}

fn minor(value: &Value, scope: &Scope) -> Option<i64> {
    // Without a currency no amount can be read, which was said of it.
    let currency = scope.currency?;
    let minor = amount_from_zero(value, currency, "9.90")?;
    if minor > MONEY_MOST {
        let sentence = format!("`{}` is more than can be counted", value.name);
        value.error(sentence, format!("write at most \"{}\"", currency.show(MONEY_MOST)));
        return None;
    }
    Some(minor)
}
