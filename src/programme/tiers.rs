//! Tiers: from what count on a member is in one, what keeps it there, and what it gives.

use super::awards::{self, Award};
use super::compile::{amount_from_zero, wanted};
use super::ladder::{Ladder, Measure};
use super::reader::{Fields, MAX_POINTS, Value};
use super::rights::{self, Right};
use super::{Currency, Numbering, Title};

const TIERS_MOST: usize = 16;

/// A tier, reached by what the ladder counts.
#[derive(Debug, Clone)]
pub struct Tier {
    /// Its number, given once.
    pub number: u8,
    /// Its id.
    pub slug: String,
    /// Its name for people.
    pub title: Title,
    /// The count from which a member is in it: points, minor units, orders, growth.
    pub from: i64,
    /// The count that keeps a member in it.
    pub keep: i64,
    /// What is given to who enters it.
    pub entry: Option<Award>,
    /// The rights that members have as long as they are in it.
    pub rights: Vec<u16>,
}

/// All tiers, without what they give: one, `member`, if the file has none.
pub(super) fn read(
    value: Option<&Value>,
    ladder: &Ladder,
    currency: Option<&Currency>,
    numbering: &mut Numbering,
) -> Option<Vec<Tier>> {
    let Some(value) = value else {
        let title = Title { zh: "会员".to_owned(), en: "Member".to_owned() };
        let number = numbering.tier("member").ok()?;
        let slug = "member".to_owned();
        return Some(vec![Tier { number, slug, title, from: 0, keep: 0, entry: None, rights: Vec::new() }]);
    };
    let items = value.list()?;
    if items.is_empty() || items.len() > TIERS_MOST {
        value.error(format!("there are {} tiers", items.len()), format!("write 1 to {TIERS_MOST} [[tier]] sections"));
        return None;
    }
    let mut tiers: Vec<(Tier, Value)> = Vec::new();
    let mut whole = true;
    for item in items {
        let Some(tier) = tier(&item, ladder, currency, numbering) else {
            whole = false;
            continue;
        };
        if tiers.iter().any(|(earlier, _)| earlier.slug == tier.slug) {
            item.error(format!("the tier \"{}\" is there twice", tier.slug), "give each tier its own id");
            whole = false;
        }
        tiers.push((tier, item));
    }
    tiers.sort_by_key(|(tier, _)| tier.from);
    for pair in tiers.windows(2) {
        let [(lower, place), (upper, _)] = pair else { continue };
        if lower.from == upper.from {
            let sentence = format!(
                "the tier \"{}\" is never reached: \"{}\" also starts from {}",
                lower.slug, upper.slug, lower.from
            );
            place.warn(sentence, "give each tier its own `from`");
        }
    }
    if let Some((lowest, place)) = tiers.first()
        && whole
        && lowest.from != 0
    {
        place.error(
            format!("the lowest tier \"{}\" starts from {}", lowest.slug, lowest.from),
            "let it start from 0, for new members",
        );
        whole = false;
    }
    whole.then(|| tiers.into_iter().map(|(tier, _)| tier).collect())
}

fn tier(item: &Value, ladder: &Ladder, currency: Option<&Currency>, numbering: &mut Numbering) -> Option<Tier> {
    let fields = item.table(&["slug", "title", "from", "keep", "entry", "rights"])?;
    let slug = fields.need("slug", "slug = \"gold\"").and_then(|value| value.slug());
    let from = fields.need("from", &example(ladder, "from")).and_then(|value| count(&value, ladder, currency));
    let keep = fields.get("keep").map(|value| {
        if ladder.is_for_life() {
            let sentence = format!("`{}` is of a ladder that counts a period, this one counts a life", value.name);
            value.at_key().error(sentence, "leave it out, or write over = \"year\" in [tiers]");
            return None;
        }
        count(&value, ladder, currency)
    });
    let title = fields.title(slug.unwrap_or_default());
    let (slug, from, title) = (slug?, from?, title?);
    let keep = wanted(keep)?.unwrap_or(from);
    if keep > from {
        let place = fields.get("keep").unwrap_or_else(|| item.clone());
        place.error(format!("\"{slug}\" is harder to keep than to reach"), "let `keep` be no more than `from`");
        return None;
    }
    if ["points", "money"].contains(&slug) {
        item.error(format!("a tier cannot be called \"{slug}\""), "prices use that word; choose another id");
        return None;
    }
    match numbering.tier(slug) {
        Ok(number) => Some(Tier { number, slug: slug.to_owned(), title, from, keep, entry: None, rights: Vec::new() }),
        Err(_) => {
            item.error(
                "there are no numbers left for new tiers",
                "a programme has at most 255 over its life; take an old id again",
            );
            None
        }
    }
}

fn example(ladder: &Ladder, key: &str) -> String {
    match ladder.measure {
        Measure::Points if ladder.is_for_life() => format!("{key} = 5000, in points earned over a lifetime"),
        Measure::Points => format!("{key} = 5000, in points earned"),
        Measure::Spend => format!("{key} = \"5000\", an amount"),
        Measure::Orders => format!("{key} = 12, in orders"),
        Measure::Growth => format!("{key} = 5000, in growth"),
    }
}

/// What a ladder counts: an amount as text where it counts what was spent, else a whole number.
fn count(value: &Value, ladder: &Ladder, currency: Option<&Currency>) -> Option<i64> {
    if ladder.measure != Measure::Spend {
        return value.integer(0..=MAX_POINTS);
    }
    // Without a currency no amount can be read, which was said of it.
    amount_from_zero(value, currency?, "5000")
}

/// Reads what tiers give, once it is known what there is to give.
pub(super) fn awards(value: Option<&Value>, tiers: &mut [Tier], scope: &awards::Scope) -> Option<()> {
    let mut whole = true;
    for item in value.and_then(Value::list).unwrap_or_default() {
        let Some(fields) = item.fields() else { continue };
        let slug = fields.get("slug").and_then(|value| value.if_text()).unwrap_or_default();
        let Some(tier) = tiers.iter_mut().find(|tier| tier.slug == slug) else { continue };
        if let Some(value) = fields.get("entry") {
            tier.entry = value.table(&awards::KEYS).and_then(|fields| awards::award(&value, &fields, scope));
            whole &= tier.entry.is_some();
        }
        match rights_of(&fields, scope.rights) {
            Some(rights) => tier.rights = rights,
            None => whole = false,
        }
    }
    whole.then_some(())
}

/// `rights = ["ten-percent-off"]`.
fn rights_of(fields: &Fields, rights: &[Right]) -> Option<Vec<u16>> {
    let Some(value) = fields.get("rights") else { return Some(Vec::new()) };
    value.list()?.iter().map(|item| rights::named(item, rights)).collect()
}
