//! How often a member may redeem, and how many units there are: by window, day, week, month or once for all, by tier and by store.

use super::campaigns::Scope;
use super::compile::choice;
use super::reader::{Fields, Value};
use super::{Each, ForStore, LimitOver, MemberLimit, Quota};

/// Units beyond this are a mistake.
const MAX_UNITS: i64 = 1_000_000_000_000;
/// Limits of a campaign: each is counted with a member.
const LIMITS_MOST: usize = 5;
/// Offers are numbered no higher where limits count by anything but windows: the rest of a counter's name says by what.
const OFFERS_OF_LIMITS: u32 = (1 << 13) - 1;
/// Cells in which one grant can count, the offer's own among them.
const CELLS_MOST: usize = 8;

const EACH: [(&str, Each); 5] =
    [("window", Each::Window), ("day", Each::Day), ("week", Each::Week), ("month", Each::Month), ("life", Each::Life)];

fn each(fields: &Fields) -> Option<Each> {
    fields.need("each", "each = \"window\"").and_then(|value| choice(&value, &EACH))
}

/// One table, or a list of them.
fn tables<'v>(value: &Value<'v>) -> Option<Vec<Value<'v>>> {
    if value.is_table() { Some(vec![value.clone()]) } else { value.list() }
}

/// `{ times = 1, each = "window", over = "all offers" }`, or several.
pub(super) fn limits(value: &Value) -> Option<Vec<MemberLimit>> {
    let mut limits: Vec<MemberLimit> = Vec::new();
    let mut whole = true;
    for item in tables(value)? {
        let Some(limit) = limit(&item) else {
            whole = false;
            continue;
        };
        if limits.iter().any(|known| (known.each, known.over) == (limit.each, limit.over)) {
            item.error("this limit counts what another one counts", "keep the lower of the two");
            whole = false;
        }
        limits.push(limit);
    }
    if limits.len() > LIMITS_MOST {
        value.error(format!("there are {} limits", limits.len()), format!("a campaign has at most {LIMITS_MOST}"));
        whole = false;
    }
    whole.then_some(limits)
}

fn limit(value: &Value) -> Option<MemberLimit> {
    let fields = value.table(&["times", "each", "over"])?;
    let times = fields.need("times", "times = 1").and_then(|value| value.integer(1..=1_000_000));
    let each = each(&fields);
    let over = fields.need("over", "over = \"all offers\" or over = \"each offer\"").and_then(|value| {
        choice(&value, &[("all offers", LimitOver::AllOffers), ("each offer", LimitOver::EachOffer)])
    });
    Some(MemberLimit { times: times? as u32, each: each?, over: over? })
}

/// Whether offers of these numbers can be told apart by these limits.
pub(super) fn can_be_counted(value: &Value, limits: &[MemberLimit], highest: u32) -> bool {
    let fits = highest <= OFFERS_OF_LIMITS || limits.iter().all(|limit| limit.each == Each::Window);
    if !fits {
        value.error(
            format!(
                "an offer has number {highest}, and limits by day, week, month or life tell {OFFERS_OF_LIMITS} apart"
            ),
            "limit each window, or begin a new campaign",
        );
    }
    fits
}

/// `{ each = "window", total = 5000, by_tier = { gold = 500 } }`, or several.
pub(super) fn quotas(value: &Value, admitted: Option<&[bool]>, scope: &Scope) -> Option<Vec<Quota>> {
    let mut quotas: Vec<Quota> = Vec::new();
    let mut whole = true;
    for item in tables(value)? {
        let Some(read) = quota(&item, admitted, scope) else {
            whole = false;
            continue;
        };
        let same =
            |one: &Quota| quotas.iter().any(|it| (it.tier, it.store, it.each) == (one.tier, one.store, one.each));
        if read.iter().any(same) {
            item.error("this quota counts what another one counts", "keep the lower of the two");
            whole = false;
        }
        quotas.extend(read);
    }
    whole.then_some(quotas)
}

fn quota(value: &Value, admitted: Option<&[bool]>, scope: &Scope) -> Option<Vec<Quota>> {
    let fields = value.table(&["each", "total", "by_tier", "per", "by_store", "unsold"])?;
    let each = each(&fields);
    let per = fields.get("per").map_or(Some(ForStore::All), |value| choice(&value, &[("store", ForStore::Each)]));
    let unsold =
        fields.get("unsold").map_or(Some(false), |value| choice(&value, &[("dropped", false), ("carried", true)]));
    let total = fields.get("total").map(|value| units(&value));
    let tiers =
        fields.get("by_tier").map_or(Some(Vec::new()), |value| by_tier(&value, total.flatten(), admitted, scope));
    let stores = fields.get("by_store").map_or(Some(Vec::new()), |value| by_store(&value, scope));
    let (each, per, carried, tiers, stores) = (each?, per?, unsold?, tiers?, stores?);
    let total = match total {
        Some(total) => Some(total?),
        None => None,
    };
    if per == ForStore::Each && scope.stores.is_empty() {
        fields.get("per")?.error("the programme declares no stores", "add `stores = [\"store-1\"]` at the top");
        return None;
    }
    let single = tiers.is_empty() && stores.is_empty() && per == ForStore::All;
    if !stores.is_empty() && (per != ForStore::All || !tiers.is_empty()) || per != ForStore::All && !tiers.is_empty() {
        value.error("a quota is by tier or by store", "write a list of two quotas, one of each");
        return None;
    }
    if carried && !(single && each == Each::Window) {
        let unsold = fields.get("unsold")?;
        unsold.error("only a quota for each window, over all tiers and stores, carries over", "leave `unsold` out");
        return None;
    }
    let quota = |tier, store, total| Quota { tier, store, each, total, carried };
    let mut quotas: Vec<Quota> = total.map(|total| quota(None, per, total)).into_iter().collect();
    quotas.extend(tiers.into_iter().map(|(tier, total)| quota(Some(tier), ForStore::All, total)));
    quotas.extend(stores.into_iter().map(|(store, total)| quota(None, ForStore::One(store), total)));
    if quotas.is_empty() {
        fields.need("total", "total = 5000");
        return None;
    }
    Some(quotas)
}

fn by_tier(value: &Value, shared: Option<u64>, admitted: Option<&[bool]>, scope: &Scope) -> Option<Vec<(u8, u64)>> {
    let read = value.entries()?.into_iter().map(|(slug, value)| {
        let (tier, total) = (scope.tier(&value, slug), units(&value));
        let (tier, total) = (tier?, total?);
        if shared.is_some_and(|shared| total > shared) {
            value.warn(
                format!("the quota of {total} for \"{slug}\" is more than the total"),
                "it can never be used up; lower it, or raise the total",
            );
        }
        if admitted.is_some_and(|admitted| !admitted[tier]) {
            value.at_key().warn(
                format!("the tier \"{slug}\" is not admitted here"),
                "give it a price and add it to `tiers`, or leave its quota out",
            );
        }
        Some((scope.tiers[tier].number, total))
    });
    read.collect::<Vec<_>>().into_iter().collect()
}

fn by_store(value: &Value, scope: &Scope) -> Option<Vec<(u16, u64)>> {
    let read = value.entries()?.into_iter().map(|(slug, value)| {
        let store = scope.stores.iter().find(|store| store.slug == slug);
        if store.is_none() {
            value.at_key().error(format!("the store \"{slug}\" is not declared"), "add it to the programme's `stores`");
        }
        let total = units(&value);
        Some((store?.number, total?))
    });
    read.collect::<Vec<_>>().into_iter().collect()
}

fn units(value: &Value) -> Option<u64> {
    let total = value.integer(0..=MAX_UNITS)?;
    if total == 0 {
        value.warn(format!("`{}` is 0: sold out from the start", value.name), "write how many there are");
    }
    Some(total as u64)
}

/// Whether one grant of an offer counts in no more cells than there is room for: its own, and one of each quota that can apply with others.
pub(super) fn fit(item: &Value, of_offer: &[Quota], of_campaign: &[Quota]) -> bool {
    let cells = |quotas: &[Quota]| -> usize {
        let by_each = Each::ALL.map(|each| {
            let of = || quotas.iter().filter(move |quota| quota.each == each);
            // Of those by tier a member is in one, of those by store an order is of one.
            let shared = of().filter(|quota| quota.tier.is_none() && quota.store == ForStore::All).count();
            let by_tier = usize::from(of().any(|quota| quota.tier.is_some()));
            let by_store = usize::from(of().any(|quota| quota.store != ForStore::All));
            shared + by_tier + by_store
        });
        by_each.iter().sum()
    };
    let own = of_offer.iter().any(|it| (it.tier, it.store, it.each) == (None, ForStore::All, Each::Window));
    let all = cells(of_offer) + cells(of_campaign) + usize::from(!own);
    if all > CELLS_MOST {
        item.error(
            format!("one of this offer counts in up to {all} quotas at once"),
            format!("state at most {CELLS_MOST}, the offer's own count in each window among them"),
        );
    }
    all <= CELLS_MOST
}
