//! Quotas: how many units a campaign, or one offer of it, grants in each window, day, week or month, or in all; over everybody, by tier, or
//! by store.
//!
//! Promises that no two of a list count the very same thing, and that a redemption never counts in more cells than it has room for. Counts
//! nothing itself.

use std::collections::HashSet;
use std::mem::discriminant;

use super::campaigns::Scope;
use super::compile::choice;
use super::reader::{Fields, Value};
use super::{Each, ForStore, Quota};

/// The words for what a quota, or a limit, counts by.
pub(super) const EACH: [(&str, Each); 5] =
    [("window", Each::Window), ("day", Each::Day), ("week", Each::Week), ("month", Each::Month), ("life", Each::Life)];

/// In so many cells one redemption can count.
pub(crate) const CELLS_MOST: usize = 8;

/// Units beyond this are a mistake.
const MAX_UNITS: i64 = 1_000_000_000_000;

const TWO_TABLES: &str = "write two tables: quota = [{ … }, { … }]";

/// `quota = { each = "window", total = 5000, by_tier = { gold = 500 } }`, or a list of such.
pub(super) fn read(value: &Value, admitted: Option<&[bool]>, scope: &Scope) -> Option<Vec<Quota>> {
    let mut all: Vec<Quota> = Vec::new();
    let mut whole = true;
    for item in value.one_or_list()? {
        let Some(quotas) = table(&item, admitted, scope) else {
            whole = false;
            continue;
        };
        if quotas.iter().any(|quota| all.iter().any(|other| counted(other) == counted(quota))) {
            item.error("what this quota counts has a quota already", "keep one of them");
            whole = false;
        }
        all.extend(quotas);
    }
    if whole {
        doubt(value, &all, &all, "every store's");
    }
    whole.then_some(all)
}

/// What a quota counts: two that are equal in it would share one count.
fn counted(quota: &Quota) -> (Each, Option<u8>, ForStore) {
    (quota.each, quota.tier, quota.store)
}

/// What holds for all quotas of one table.
struct Kind {
    each: Each,
    /// For which stores the total is.
    store: ForStore,
    carried: bool,
}

fn table(value: &Value, admitted: Option<&[bool]>, scope: &Scope) -> Option<Vec<Quota>> {
    let fields = value.table(&["each", "total", "by_tier", "per", "by_store", "unsold"])?;
    let kind = kind(&fields, scope);
    let total = fields.get("total").map_or(Some(None), |value| units(&value).map(Some));
    let shared = total.flatten();
    let by_tier = named(&fields, "by_tier", shared, |value, slug| tier(value, slug, admitted, scope));
    let by_store = named(&fields, "by_store", shared, |value, slug| store(value, slug, scope));
    let (kind, total, by_tier, by_store) = (kind?, total?, by_tier?, by_store?);
    let total_needed = kind.store == ForStore::Each || by_tier.is_empty() && by_store.is_empty();
    if total.is_none() && total_needed {
        let example = if kind.store == ForStore::Each { "total = 50: so many at each store" } else { "total = 5000" };
        return fields.need("total", example).and(None);
    }
    let quota = |tier, store, total| Quota { tier, store, each: kind.each, total, carried: kind.carried };
    let mut quotas: Vec<Quota> = total.into_iter().map(|total| quota(None, kind.store, total)).collect();
    quotas.extend(by_tier.into_iter().map(|(tier, total)| quota(Some(tier), ForStore::All, total)));
    quotas.extend(by_store.into_iter().map(|(store, total)| quota(None, ForStore::One(store), total)));
    Some(quotas)
}

fn kind(fields: &Fields, scope: &Scope) -> Option<Kind> {
    let each = fields.need("each", "each = \"window\"").and_then(|value| choice(&value, &EACH));
    let store = fields.get("per").map_or(Some(ForStore::All), |value| per(&value, scope));
    let carried = fields.get("unsold").map_or(Some(false), |value| unsold(&value, fields, each));
    let by_store = fields.get("by_store");
    let mut whole = true;
    if let Some(value) = by_store.as_ref().filter(|_| fields.get("per").is_some()) {
        value.at_key().error("`by_store` stands beside `per`", TWO_TABLES);
        whole = false;
    }
    if let Some(value) = fields.get("by_tier").filter(|_| by_store.is_some() || fields.get("per").is_some()) {
        value.at_key().error("`by_tier` stands beside a quota by store", TWO_TABLES);
        whole = false;
    }
    let kind = Kind { each: each?, store: store?, carried: carried? };
    whole.then_some(kind)
}

/// `per = "store"`: the total is each store's.
fn per(value: &Value, scope: &Scope) -> Option<ForStore> {
    let store = choice(value, &[("store", ForStore::Each)])?;
    if scope.stores.is_empty() {
        value.error("the programme names no stores", "add them: stores = [\"sh-01\", \"sh-02\"]");
        return None;
    }
    Some(store)
}

/// Whether what is left of a window comes on top in the next: only of a total over everybody, as every other is named by what it is for.
fn unsold(value: &Value, fields: &Fields, each: Option<Each>) -> Option<bool> {
    let carried = choice(value, &[("carried", true), ("dropped", false)])?;
    if !carried {
        return Some(false);
    }
    if each.is_some_and(|each| each != Each::Window) {
        value.error("only what a window leaves is carried to the next", "write each = \"window\", or leave it out");
        return None;
    }
    if ["by_tier", "per", "by_store"].iter().any(|key| fields.get(key).is_some()) {
        value.error("only what is left of a total over all is carried", TWO_TABLES);
        return None;
    }
    Some(true)
}

/// How many units each has that a table names: `{ gold = 500 }`.
fn named<T>(
    fields: &Fields,
    key: &str,
    shared: Option<u64>,
    find: impl Fn(&Value, &str) -> Option<T>,
) -> Option<Vec<(T, u64)>> {
    let mut named = Vec::new();
    let mut whole = true;
    for (slug, value) in fields.get(key).map_or(Some(Vec::new()), |value| value.entries())? {
        let (Some(found), Some(total)) = (find(&value, slug), units(&value)) else {
            whole = false;
            continue;
        };
        if shared.is_some_and(|shared| total > shared) {
            value.warn(
                format!("the quota of {total} for \"{slug}\" is more than the total"),
                "it can never be used up; lower it, or raise the total",
            );
        }
        named.push((found, total));
    }
    whole.then_some(named)
}

/// The number of a tier, with a warning where it is not admitted.
fn tier(value: &Value, slug: &str, admitted: Option<&[bool]>, scope: &Scope) -> Option<u8> {
    let tier = scope.tier(value, slug)?;
    if admitted.is_some_and(|admitted| !admitted[tier]) {
        value.at_key().warn(
            format!("the tier \"{slug}\" is not admitted here"),
            "give it a price and add it to `tiers`, or leave its quota out",
        );
    }
    Some(scope.tiers[tier].number)
}

/// The number of a store.
fn store(value: &Value, slug: &str, scope: &Scope) -> Option<u16> {
    let found = scope.stores.iter().find(|store| store.slug == slug);
    if found.is_none() {
        value.at_key().error(format!("there is no store \"{slug}\""), "add it to the programme's `stores`");
    }
    found.map(|store| store.number)
}

fn units(value: &Value) -> Option<u64> {
    let total = value.integer(0..=MAX_UNITS)?;
    if total == 0 {
        value.warn(format!("`{}` is 0: sold out from the start", value.name), "write how many there are");
    }
    Some(total as u64)
}

/// Warns of quotas that are larger than one of those above them for the same: all of them hold, and none takes another's place.
pub(super) fn doubt(place: &Value, quotas: &[Quota], above: &[Quota], whose: &str) {
    for quota in quotas {
        if let Some(above) = above.iter().find(|above| bounds(above, quota)) {
            let sentence = format!("the quota of {} is more than {whose} {}", quota.total, above.total);
            place.warn(sentence, format!("it can never be used up; lower it, or raise {whose}"));
        }
    }
}

/// Whether a quota never comes to its total because of another.
fn bounds(above: &Quota, quota: &Quota) -> bool {
    let of_each_store = Quota { store: ForStore::Each, ..*quota };
    let same = counted(above) == counted(quota);
    let each_store = matches!(quota.store, ForStore::One(_)) && counted(above) == counted(&of_each_store);
    // What is carried to a window can come to any number.
    (same || each_store) && !above.carried && above.total < quota.total
}

/// Whether one redemption of an offer always counts in so few cells as it has room for; reported where it does not.
pub(super) fn fit(item: &Value, quotas: &[Quota], shared: &[Quota]) -> bool {
    // The offer's own cell is there with and without a quota for it.
    let own = Quota { tier: None, store: ForStore::All, each: Each::Window, total: 0, carried: false };
    let cells = at_once(quotas.iter().chain([&own])) + at_once(shared.iter());
    if cells > CELLS_MOST {
        item.error(
            format!(
                "one redemption of this offer can count in {cells} cells: its own, and one for each quota that applies"
            ),
            format!("leave quotas of it, or of the campaign, out: {CELLS_MOST} cells are the most"),
        );
    }
    cells <= CELLS_MOST
}

/// How many quotas of a list can apply to one redemption: a member is in one tier, and redeems in one store.
fn at_once<'q>(quotas: impl Iterator<Item = &'q Quota>) -> usize {
    let kinds: HashSet<_> =
        quotas.map(|quota| (quota.each, quota.tier.is_some(), discriminant(&quota.store))).collect();
    kinds.len()
}
