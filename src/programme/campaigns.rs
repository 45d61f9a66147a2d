//! Campaigns: their limits, quotas and offers, read and held against each other.

use std::collections::HashSet;

use super::compile::{choice, duration};
use super::reader::{Fields, MAX_POINTS, Value};
use super::rules::ByNumber;
use super::windows::window;
use super::{
    Campaign, Each, ForStore, LimitOver, MemberLimit, Numbering, Offer, Price, Quota, Right, Tier, Zone, rights,
};

/// Each has a window with a table of up to a quarter of a mebibyte.
const MAX_CAMPAIGNS: usize = 256;

/// Units beyond this are a mistake.
const MAX_UNITS: i64 = 1_000_000_000_000;
const DEFAULT_HOLD_ANSWER_MS: i64 = 1000;

/// What campaigns refer to.
pub(super) struct Scope<'s> {
    pub(super) zone: &'s Zone,
    pub(super) tiers: &'s [Tier],
    pub(super) rights: &'s [Right],
    pub(super) numbering: &'s mut Numbering,
}

impl Scope<'_> {
    /// The index of a tier; unknown ones are reported.
    fn tier(&self, value: &Value, slug: &str) -> Option<usize> {
        tier_index(value, slug, self.tiers)
    }
}

/// The index of a tier; unknown ones are reported at the key.
pub(super) fn tier_index(value: &Value, slug: &str, tiers: &[Tier]) -> Option<usize> {
    let found = tiers.iter().position(|tier| tier.slug == slug);
    if found.is_none() {
        let known: Vec<&str> = tiers.iter().map(|tier| tier.slug.as_str()).collect();
        value.at_key().error(format!("there is no tier \"{slug}\""), format!("the tiers are: {}", known.join(", ")));
    }
    found
}

/// All campaigns; `None` once one is wrong, after all were read.
pub(super) fn read(value: &Value, scope: &mut Scope) -> Option<Vec<Campaign>> {
    let entries = value.entries()?;
    if entries.len() > MAX_CAMPAIGNS {
        let right = format!("a programme has at most {MAX_CAMPAIGNS} at a time; leave out those that are over");
        value.error(format!("there are {} campaigns", entries.len()), right);
        return None;
    }
    let read: Vec<_> = entries.iter().map(|(slug, value)| campaign(slug, value, scope)).collect();
    read.into_iter().collect()
}

fn campaign(slug: &str, value: &Value, scope: &mut Scope) -> Option<Campaign> {
    let fields = value.table(&["title", "window", "tiers", "per_member", "quota", "offer", "hold_answer"])?;
    let good_slug = value.key_is_slug(slug);
    let title = fields.title(slug);
    let example = "window = { every = \"month\", from = \"20 10:00\", until = \"last 24:00\" }";
    let window = fields.need("window", example).and_then(|value| window(&value, scope.zone));
    let admitted =
        fields.get("tiers").map_or(Some(vec![true; scope.tiers.len()]), |value| admitted(&value, scope.tiers));
    let limit = fields.get("per_member").map_or(Some(None), |value| limit(&value).map(Some));
    let quotas = fields.get("quota").map_or(Some(Vec::new()), |value| quotas(&value, admitted.as_deref(), scope));
    let hold_answer = fields
        .get("hold_answer")
        .map_or(Some(DEFAULT_HOLD_ANSWER_MS), |value| duration(&value, (0, 60_000, "0s to 60s")));
    let number = scope.numbering.campaign(slug);
    if number.is_err() {
        value.error("there are no numbers left for new campaigns", "a programme has at most 1048576 over its life");
    }
    let offers = offers(&fields, slug, admitted.as_deref(), quotas.as_deref(), scope);
    let offers = offers.filter(|_| good_slug)?;
    Some(Campaign {
        number: number.ok()?,
        slug: slug.to_owned(),
        title: title?,
        window: window?,
        head_start_ms: Vec::new(),
        tags: Vec::new(),
        limits: limit?.into_iter().collect(),
        quotas: quotas?,
        hold_answer_ms: hold_answer?,
        offer_index: ByNumber::new(offers.iter().map(|offer| offer.number)),
        offers,
    })
}

/// Which tiers `tiers = ["gold"]` lets in, by index.
pub(super) fn admitted(value: &Value, tiers: &[Tier]) -> Option<Vec<bool>> {
    let mut admitted = vec![false; tiers.len()];
    for item in value.list()? {
        admitted[tier_index(&item, item.slug()?, tiers)?] = true;
    }
    if !admitted.contains(&true) {
        value.error("`tiers` is empty", "name the tiers admitted, or leave it out to admit all");
        return None;
    }
    Some(admitted)
}

fn each_window(fields: &Fields) -> Option<()> {
    fields.need("each", "each = \"window\"").and_then(|value| choice(&value, &[("window", ())]))
}

fn limit(value: &Value) -> Option<MemberLimit> {
    let fields = value.table(&["times", "each", "over"])?;
    let times = fields.need("times", "times = 1").and_then(|value| value.integer(1..=1_000_000));
    let each = each_window(&fields);
    let over = fields.need("over", "over = \"all offers\" or over = \"each offer\"").and_then(|value| {
        choice(&value, &[("all offers", LimitOver::AllOffers), ("each offer", LimitOver::EachOffer)])
    });
    each?;
    Some(MemberLimit { times: times? as u32, each: Each::Window, over: over? })
}

fn quotas(value: &Value, admitted: Option<&[bool]>, scope: &Scope) -> Option<Vec<Quota>> {
    let fields = value.table(&["each", "total", "by_tier"])?;
    let mut whole = each_window(&fields).is_some();
    let mut quotas = Vec::new();
    let mut shared = None;
    if let Some(value) = fields.get("total") {
        match units(&value) {
            Some(total) => shared = Some(total),
            None => whole = false,
        }
        quotas.extend(shared.map(|total| quota(None, total)));
    }
    for (slug, value) in fields.get("by_tier").map_or(Some(Vec::new()), |value| value.entries())? {
        let (Some(tier), Some(total)) = (scope.tier(&value, slug), units(&value)) else {
            whole = false;
            continue;
        };
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
        quotas.push(quota(Some(scope.tiers[tier].number), total));
    }
    if whole && quotas.is_empty() {
        fields.need("total", "total = 5000");
        whole = false;
    }
    whole.then_some(quotas)
}

fn quota(tier: Option<u8>, total: u64) -> Quota {
    Quota { tier, store: ForStore::All, each: Each::Window, total, carried: false }
}

fn units(value: &Value) -> Option<u64> {
    let total = value.integer(0..=MAX_UNITS)?;
    if total == 0 {
        value.warn(format!("`{}` is 0: sold out from the start", value.name), "write how many there are");
    }
    Some(total as u64)
}

fn offers(
    fields: &Fields,
    campaign: &str,
    admitted: Option<&[bool]>,
    shared: Option<&[Quota]>,
    scope: &mut Scope,
) -> Option<Vec<Offer>> {
    let example = format!("[[campaign.{campaign}.offer]] with sku and price");
    let mut skus = HashSet::new();
    let mut offers = Vec::new();
    let mut whole = true;
    let value = fields.need("offer", &example)?;
    for item in value.list()? {
        let Some(offer) = offer(&item, campaign, admitted, scope) else {
            whole = false;
            continue;
        };
        if !skus.insert(offer.sku.clone()) {
            item.error(format!("the sku \"{}\" is in this campaign twice", offer.sku), "give each offer its own sku");
            whole = false;
        }
        for quota in &offer.quotas {
            let above =
                shared.into_iter().flatten().find(|above| above.tier == quota.tier && above.total < quota.total);
            if let Some(above) = above {
                let sentence = format!("the quota of {} is more than the campaign's {}", quota.total, above.total);
                item.warn(sentence, "it can never be used up; lower it, or raise the campaign's");
            }
        }
        offers.push(offer);
    }
    if whole && offers.is_empty() {
        value.error("the campaign has no offers", format!("add {example}"));
        whole = false;
    }
    whole.then_some(offers)
}

fn offer(item: &Value, campaign: &str, admitted: Option<&[bool]>, scope: &mut Scope) -> Option<Offer> {
    let fields = item.table(&["sku", "title", "price", "quota", "gives"])?;
    let sku = fields.need("sku", "sku = \"SET-0001\"").and_then(|value| value.opaque());
    let title = fields.title(sku.unwrap_or_default());
    let prices = fields.need("price", "price = { points = 1200 }").and_then(|value| prices(&value, admitted, scope));
    // Who has no price here cannot use a quota here.
    let priced: Option<Vec<bool>> = prices.as_ref().map(|prices| prices.iter().map(Option::is_some).collect());
    let quotas = fields.get("quota").map_or(Some(Vec::new()), |value| quotas(&value, priced.as_deref(), scope));
    let gives = fields.get("gives").map_or(Some(None), |value| {
        let fields = value.table(&["right", "count"])?;
        fields.need("right", "right = \"ten-percent-off\"")?;
        rights::given(&fields, scope.rights)
    });
    let (sku, title, prices, quotas, gives) = (sku?, title?, prices?, quotas?, gives?);
    let Ok(number) = scope.numbering.offer(campaign, sku) else {
        item.error("there are no numbers left for new offers", "a campaign has at most 1048576 over its life");
        return None;
    };
    Some(Offer { number, sku: sku.to_owned(), title, prices, prices_for: Vec::new(), quotas, gives })
}

/// `{ points = 1200 }` for all admitted, or `{ basic = { points = 1200 }, gold = { points = 800 } }`; a tier without a
/// price is not admitted.
fn prices(value: &Value, admitted: Option<&[bool]>, scope: &Scope) -> Option<Vec<Option<Price>>> {
    if !value.is_table() {
        return value.table(&["points"]).and(None);
    }
    let entries = value.entries()?;
    if entries.iter().any(|(key, _)| *key == "points") {
        let points = price(value)?;
        let open = |tier: usize| admitted.is_none_or(|admitted| admitted[tier]);
        return Some((0..scope.tiers.len()).map(|tier| open(tier).then_some(points)).collect());
    }
    let mut prices = vec![None; scope.tiers.len()];
    let mut whole = true;
    for (slug, value) in &entries {
        let (Some(tier), Some(points)) = (scope.tier(value, slug), price(value)) else {
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
        prices[tier] = Some(points);
    }
    if whole && prices.iter().all(Option::is_none) {
        value.error("no tier has a price", "write { points = 1200 }, or a price for at least one tier admitted");
        whole = false;
    }
    whole.then_some(prices)
}

fn price(value: &Value) -> Option<Price> {
    let points = value.table(&["points"])?.need("points", "points = 1200")?.integer(0..=MAX_POINTS)?;
    Some(Price { points, money_minor: 0 })
}
