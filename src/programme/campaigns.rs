//! Campaigns: when they are open and for whom, and their offers, read and held against each other.

use std::collections::HashSet;

use super::calendar::DAY_MS;
use super::compile::duration;
use super::reader::{Fields, Value};
use super::rules::ByNumber;
use super::windows::window;
use super::{Campaign, Currency, Numbering, Offer, Quota, Right, Store, Tag, Tier, Window, Zone};
use super::{limits, names, prices, quotas, rights};

/// Each has a window with a table of up to a quarter of a mebibyte.
const MAX_CAMPAIGNS: usize = 256;

const KEYS: [&str; 9] =
    ["title", "window", "tiers", "head_start", "tags", "per_member", "quota", "offer", "hold_answer"];
const DEFAULT_HOLD_ANSWER_MS: i64 = 1000;

/// What campaigns refer to.
pub(super) struct Scope<'s> {
    pub(super) zone: &'s Zone,
    /// `None` where it is wrong, which was said there.
    pub(super) currency: Option<&'s Currency>,
    pub(super) tiers: &'s [Tier],
    pub(super) rights: &'s [Right],
    pub(super) tags: &'s [Tag],
    pub(super) stores: &'s [Store],
    pub(super) numbering: &'s mut Numbering,
}

impl Scope<'_> {
    /// The index of a tier; unknown ones are reported.
    pub(super) fn tier(&self, value: &Value, slug: &str) -> Option<usize> {
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
    let fields = value.table(&KEYS)?;
    let good_slug = value.key_is_slug(slug);
    let title = fields.title(slug);
    let example = "window = { every = \"month\", from = \"20 10:00\", until = \"last 24:00\" }";
    let window = fields.need("window", example).and_then(|value| window(&value, scope.zone));
    let admitted =
        fields.get("tiers").map_or(Some(vec![true; scope.tiers.len()]), |value| admitted(&value, scope.tiers));
    let head_start = fields
        .get("head_start")
        .map_or(Some(Vec::new()), |value| head_start(&value, window.as_ref(), admitted.as_deref(), scope));
    let tags = fields.get("tags").map_or(Some(Vec::new()), |value| tags(&value, scope));
    let limits = fields.get("per_member").map_or(Some(Vec::new()), |value| limits::read(&value));
    let quotas = fields.get("quota").map_or(Some(Vec::new()), |value| quotas::read(&value, admitted.as_deref(), scope));
    let hold_answer = fields
        .get("hold_answer")
        .map_or(Some(DEFAULT_HOLD_ANSWER_MS), |value| duration(&value, (0, 60_000, "0s to 60s")));
    let number = scope.numbering.campaign(slug);
    if number.is_err() {
        value.error("there are no numbers left for new campaigns", "a programme has at most 1048576 over its life");
    }
    let offers = offers(&fields, slug, admitted.as_deref(), quotas.as_deref(), scope);
    let offers = offers.filter(|_| good_slug)?;
    let limits = limits.filter(|limits| limits::can_count(value, limits, &offers));
    Some(Campaign {
        number: number.ok()?,
        slug: slug.to_owned(),
        title: title?,
        window: window?,
        head_start_ms: head_start?,
        tags: tags?,
        limits: limits?,
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

/// The tags of which a member must have one: `tags = ["koc"]`.
fn tags(value: &Value, scope: &Scope) -> Option<Vec<u16>> {
    let mut tags = Vec::new();
    let mut whole = true;
    let items = value.list()?;
    for item in &items {
        match names::tag(item, scope.tags) {
            Some(tag) if !tags.contains(&tag) => tags.push(tag),
            Some(_) => {
                item.error("this tag is listed twice", "list it once");
                whole = false;
            }
            None => whole = false,
        }
    }
    if items.is_empty() {
        value.error("`tags` is empty", "name the tags of which a member must have one, or leave it out");
        whole = false;
    }
    whole.then_some(tags)
}

/// How much earlier windows open for some tiers: `head_start = { gold = "10m" }`, by index of tier.
fn head_start(value: &Value, window: Option<&Window>, admitted: Option<&[bool]>, scope: &Scope) -> Option<Vec<i64>> {
    let is_admitted = |tier: usize| admitted.is_none_or(|admitted| admitted[tier]);
    let pause_ms = window.and_then(Window::shortest_pause_ms).unwrap_or(i64::MAX);
    let mut earlier = vec![0; scope.tiers.len()];
    let mut whole = true;
    for (slug, value) in value.entries()? {
        let length = duration(&value, (1_000, 7 * DAY_MS, "1s to 7d"));
        let (Some(tier), Some(length)) = (scope.tier(&value, slug), length) else {
            whole = false;
            continue;
        };
        if length >= pause_ms {
            value.error(
                "the head start is as long as the window is closed, or longer",
                "write less than lies between two windows",
            );
            whole = false;
        }
        if !is_admitted(tier) {
            value.at_key().warn(
                format!("the head start of \"{slug}\" is of no use: that tier is not admitted"),
                "add it to `tiers`, or leave its head start out",
            );
        }
        earlier[tier] = length;
    }
    if (0..scope.tiers.len()).all(|tier| earlier[tier] > 0 || !is_admitted(tier)) {
        value.warn("every tier has a head start", "let the window itself open earlier");
    }
    if earlier.iter().all(|length| *length == 0) {
        earlier.clear();
    }
    whole.then_some(earlier)
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
        let shared = shared.unwrap_or_default();
        quotas::doubt(&item, &offer.quotas, shared, "the campaign's");
        whole &= quotas::fit(&item, &offer.quotas, shared);
        offers.push(offer);
    }
    if whole && offers.is_empty() {
        value.error("the campaign has no offers", format!("add {example}"));
        whole = false;
    }
    whole.then_some(offers)
}

fn offer(item: &Value, campaign: &str, admitted: Option<&[bool]>, scope: &mut Scope) -> Option<Offer> {
    let fields = item.table(&["sku", "title", "price", "price_for", "quota", "gives"])?;
    let sku = fields.need("sku", "sku = \"SET-0001\"").and_then(|value| value.opaque());
    let title = fields.title(sku.unwrap_or_default());
    let prices =
        fields.need("price", "price = { points = 1200 }").and_then(|value| prices::by_tier(&value, admitted, scope));
    let prices_for = fields.get("price_for").map_or(Some(Vec::new()), |value| prices::by_tag(&value, scope));
    // Who has no price here cannot use a quota here.
    let priced: Option<Vec<bool>> = prices.as_ref().map(|prices| prices.iter().map(Option::is_some).collect());
    let quotas = fields.get("quota").map_or(Some(Vec::new()), |value| quotas::read(&value, priced.as_deref(), scope));
    let gives = fields.get("gives").map_or(Some(None), |value| {
        let fields = value.table(&["right", "count"])?;
        fields.need("right", "right = \"ten-percent-off\"")?;
        rights::given(&fields, scope.rights)
    });
    let (sku, title, prices, prices_for, quotas, gives) = (sku?, title?, prices?, prices_for?, quotas?, gives?);
    let Ok(number) = scope.numbering.offer(campaign, sku) else {
        item.error("there are no numbers left for new offers", "a campaign has at most 1048576 over its life");
        return None;
    };
    Some(Offer { number, sku: sku.to_owned(), title, prices, prices_for, quotas, gives })
}
