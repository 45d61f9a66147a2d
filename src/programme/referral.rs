//! Invitations: who may invite whom, what an invited member must do, and what both have of it.

use super::activities::Activity;
use super::awards::{self, Award};
use super::calendar::Period;
use super::campaigns::{admitted, tier_index};
use super::compile::{amount, choice, duration, wanted};
use super::reader::Value;
use super::{Currency, Tag, Tier, names};

const DAY_MS: i64 = 86_400_000;
const TIMES_MOST: i64 = 1_000_000;

/// What an invited member must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qualifies {
    /// Accept the invitation.
    AtOnce,
    /// An order of which so much counts, in minor units.
    Order(i64),
    /// An activity, by its number among the sources of points.
    Activity(u16),
}

/// What a member does that may qualify it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// An order of which so much counts, in minor units.
    Order(i64),
    /// An activity, by its number.
    Activity(u16),
}

/// What a programme makes of invitations.
#[derive(Debug, Clone)]
pub struct Referral {
    /// How long after it enrolled a member may say who invited it.
    pub within_ms: i64,
    /// How long after that it has to qualify.
    pub until_ms: i64,
    /// What it must do.
    pub qualifies: Qualifies,
    /// By index of tier: who may invite; and numbers of tags that let whoever has one.
    tiers: Vec<bool>,
    tags: Vec<u16>,
    /// What the inviter has of it.
    pub inviter: Award,
    /// What the invited member has of it.
    pub invitee: Award,
    /// How often an inviter has something of it, in each of which period.
    pub each: Period,
    /// By index of the inviter's tier.
    pub times: Vec<u32>,
}

impl Referral {
    /// Whether a member of this tier, with these tags, may invite.
    pub fn admits(&self, tier: usize, tags: &[u16]) -> bool {
        let all = self.tiers.is_empty() && self.tags.is_empty();
        all || self.tiers.get(tier).is_some_and(|admitted| *admitted) || tags.iter().any(|tag| self.tags.contains(tag))
    }

    /// Whether what an invited member did qualifies it.
    pub fn is_met(&self, deed: Deed) -> bool {
        match (self.qualifies, deed) {
            (Qualifies::Order(least), Deed::Order(amount)) => amount >= least,
            (Qualifies::Activity(wanted), Deed::Activity(done)) => wanted == done,
            _ => false,
        }
    }

    pub(super) fn tiers_and_tags(&self) -> (&[bool], &[u16]) {
        (&self.tiers, &self.tags)
    }
}

/// What the section refers to.
pub(super) struct Scope<'s> {
    pub(super) currency: Option<&'s Currency>,
    pub(super) tiers: &'s [Tier],
    pub(super) tags: &'s [Tag],
    pub(super) activities: &'s [Activity],
    /// Whether orders are recorded.
    pub(super) has_orders: bool,
    pub(super) awards: awards::Scope<'s>,
}

/// The section `[referral]`.
pub(super) fn read(value: &Value, scope: &Scope) -> Option<Referral> {
    let fields = value.table(&["within", "until", "qualifies", "from", "inviter", "invitee", "per_inviter"])?;
    let days = |key, example| {
        let bounds = (60_000, 366 * DAY_MS, "1m to 366d");
        fields.need(key, example).and_then(|value| duration(&value, bounds))
    };
    let within_ms = days("within", "within = \"7d\": how long after it enrolled a member may say who invited it");
    let until_ms = days("until", "until = \"30d\": how long after that it has to qualify");
    let qualifies = fields.need("qualifies", "qualifies = { order = \"99.00\" }, { activity = \"ID\" } or \"at once\"");
    let qualifies = qualifies.and_then(|value| read_qualifies(&value, scope));
    let from = wanted(fields.get("from").map(|value| from(&value, scope)));
    let award = |key: &str, example| {
        let value = fields.need(key, example)?;
        let fields = value.table(&awards::KEYS)?;
        awards::award(&value, &fields, &scope.awards)
    };
    let inviter = award("inviter", "inviter = { points = 200 }");
    let invitee = award("invitee", "invitee = { points = 100 }");
    let per_inviter = fields.need("per_inviter", "per_inviter = { times = 10, each = \"month\" }");
    let per_inviter = per_inviter.and_then(|value| read_per_inviter(&value, scope.tiers));
    let (tiers, tags) = from?.unwrap_or_default();
    let (times, each) = per_inviter?;
    Some(Referral {
        within_ms: within_ms?,
        until_ms: until_ms?,
        qualifies: qualifies?,
        tiers,
        tags,
        inviter: inviter?,
        invitee: invitee?,
        each,
        times,
    })
}

fn read_qualifies(value: &Value, scope: &Scope) -> Option<Qualifies> {
    if value.if_text().is_some() {
        return choice(value, &[("at once", Qualifies::AtOnce)]);
    }
    let fields = value.table(&["order", "activity"])?;
    match (fields.get("order"), fields.get("activity")) {
        (Some(order), None) if !scope.has_orders => {
            order.error(
                "no orders are recorded, so that nobody qualifies",
                "add [earning], or let something else qualify",
            );
            None
        }
        (Some(order), None) => amount(&order, scope.currency?, "99.00").map(Qualifies::Order),
        (None, Some(activity)) => {
            let slug = activity.slug()?;
            let found = scope.activities.iter().find(|known| known.slug == slug);
            if found.is_none() {
                activity.error(format!("there is no activity \"{slug}\""), format!("add [activity.{slug}]"));
            }
            found.map(|activity| Qualifies::Activity(activity.source))
        }
        _ => {
            value.error(
                "it is not said what qualifies, or twice",
                "write { order = \"99.00\" } or { activity = \"ID\" }",
            );
            None
        }
    }
}

/// Who may invite: `{ tiers = ["gold"], tags = ["koc"] }`.
fn from(value: &Value, scope: &Scope) -> Option<(Vec<bool>, Vec<u16>)> {
    let fields = value.table(&["tiers", "tags"])?;
    let tiers = fields.get("tiers").map_or(Some(Vec::new()), |value| admitted(&value, scope.tiers));
    let tags = fields.get("tags").map_or(Some(Vec::new()), |value| value.list())?;
    let tags: Vec<_> = tags.iter().map(|item| names::tag(item, scope.tags)).collect();
    let tags = tags.into_iter().collect::<Option<Vec<_>>>();
    let (tiers, tags) = (tiers?, tags?);
    if tiers.is_empty() && tags.is_empty() {
        value.error("`from` names nobody", "name `tiers` or `tags`, or leave it out: then everybody may invite");
        return None;
    }
    Some((tiers, tags))
}

/// `{ times = 10, each = "month" }`, or `times = { basic = 3, gold = 10 }` by the inviter's tier; a tier that is left out has none.
fn read_per_inviter(value: &Value, tiers: &[Tier]) -> Option<(Vec<u32>, Period)> {
    let fields = value.table(&["times", "each"])?;
    let periods = [
        ("month", Period::Month),
        ("day", Period::Day),
        ("week", Period::Week),
        ("year", Period::Year),
        ("life", Period::Life),
    ];
    let each = fields.need("each", "each = \"month\"").and_then(|value| choice(&value, &periods));
    let times = fields.need("times", "times = 10, or times = { basic = 3, gold = 10 }").and_then(|value| {
        if !value.is_table() {
            return value.integer(1..=TIMES_MOST).map(|times| vec![times as u32; tiers.len()]);
        }
        let mut by_tier = vec![0; tiers.len()];
        for (slug, times) in value.entries()? {
            by_tier[tier_index(&times, slug, tiers)?] = times.integer(0..=TIMES_MOST)? as u32;
        }
        Some(by_tier)
    });
    let times = times?;
    if times.iter().all(|times| *times == 0) {
        value.error("no inviter ever has anything of it", "name how often: times = 10");
        return None;
    }
    Some((times, each?))
}
