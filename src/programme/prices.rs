//! Prices: points, money or both; by tier, and for who has a tag.

use super::campaigns::Scope;
use super::compile::amount_from;
use super::reader::{Fields, MAX_POINTS, Value};
use super::{Price, Tag};

/// Money beyond this is a mistake, and more than an answer has room for.
pub(super) const MONEY_BELOW: i64 = 1 << 40;

/// `{ points = 1200 }` for all admitted, or `{ basic = { points = 1200 }, gold = { points = 800, money = "9.90" } }`; a tier without a
/// price is not admitted.
pub(super) fn prices(value: &Value, admitted: Option<&[bool]>, scope: &Scope) -> Option<Vec<Option<Price>>> {
    if !value.is_table() {
        return value.table(&["points", "money"]).and(None);
    }
    let entries = value.entries()?;
    // A tier may be called "money".
    if entries.iter().any(|(key, value)| *key == "points" || *key == "money" && !value.is_table()) {
        let price = price(value, scope)?;
        let open = |tier: usize| admitted.is_none_or(|admitted| admitted[tier]);
        return Some((0..scope.tiers.len()).map(|tier| open(tier).then_some(price)).collect());
    }
    let mut prices = vec![None; scope.tiers.len()];
    let mut whole = true;
    for (slug, value) in &entries {
        let (Some(tier), Some(price)) = (scope.tier(value, slug), price(value, scope)) else {
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

fn price(value: &Value, scope: &Scope) -> Option<Price> {
    of(&value.table(&["points", "money"])?, scope)
}

fn of(fields: &Fields, scope: &Scope) -> Option<Price> {
    let points = fields.get("points").map_or(Some(0), |value| value.integer(0..=MAX_POINTS));
    let money = fields.get("money").map_or(Some(0), |value| money(&value, scope));
    if fields.get("points").is_none() && fields.get("money").is_none() {
        fields.need("points", "points = 1200, money = \"9.90\", or both");
        return None;
    }
    Some(Price { points: points?, money_minor: money? })
}

fn money(value: &Value, scope: &Scope) -> Option<i64> {
    // What is wrong with the currency is said where it stands.
    let money = amount_from(value, scope.currency?, "9.90", 0)?;
    if money >= MONEY_BELOW {
        value.error("nothing costs so much money", format!("write an amount below {MONEY_BELOW} minor units"));
        return None;
    }
    Some(money)
}

/// `[{ tag = "koc", points = 500 }]`: the first that a member has.
pub(super) fn for_tags(value: &Value, scope: &Scope) -> Option<Vec<(u16, Price)>> {
    let read = value.list()?.into_iter().map(|item| {
        let fields = item.table(&["tag", "points", "money"])?;
        let tag = fields.need("tag", "tag = \"koc\"").and_then(|value| tag(&value, value.opaque()?, scope.tags));
        let price = of(&fields, scope);
        Some((tag?, price?))
    });
    read.collect::<Vec<_>>().into_iter().collect()
}

/// The number of a tag; unknown ones are reported.
pub(super) fn tag(value: &Value, slug: &str, declared: &[Tag]) -> Option<u16> {
    let found = declared.iter().find(|tag| tag.slug == slug);
    if found.is_none() {
        value.error(format!("the tag \"{slug}\" is not declared"), "add it to the programme's `tags`");
    }
    found.map(|tag| tag.number)
}
