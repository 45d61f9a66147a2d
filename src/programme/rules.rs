//! What a compiled programme says: plain data the engine reads, integers and sorted tables only.

use std::collections::HashMap;

use super::{Currency, Earning, LotTerms, Multipliers, PointRules, Window, Zone};

/// What gives points: the sources of lots.
pub mod source {
    /// Orders.
    pub const ORDERS: u16 = 1;
    /// Check-ins.
    pub const CHECK_IN: u16 = 2;

    /// The name of a source; lots of the first version's data have none.
    pub fn name(source: u16) -> &'static str {
        match source {
            ORDERS => "orders",
            CHECK_IN => "check-in",
            _ => "unnamed",
        }
    }
}

/// A name for people, in Chinese and English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// One programme's rules, in force from its activation until the next.
#[derive(Debug, Clone)]
pub struct Programme {
    /// The programme's id, as written in its file.
    pub slug: String,
    /// Its name for people.
    pub title: Title,
    /// The time zone of every day and window.
    pub zone: Zone,
    /// The one currency of its amounts.
    pub currency: Currency,
    /// The brands its orders may name; at least one.
    pub brands: Vec<String>,
    /// The channels its orders may name.
    pub channels: Vec<Channel>,
    /// How long points live.
    pub points: PointRules,
    /// Points for checking in, if it gives any.
    pub check_in: Option<CheckIn>,
    /// Points for order amounts, if it gives any.
    pub earning: Option<Earning>,
    /// What multiplies points.
    pub multipliers: Multipliers,
    /// Tiers ascending by threshold; at least one, the first from 0 points.
    pub tiers: Vec<Tier>,
    /// Campaigns in the order of the file.
    pub campaigns: Vec<Campaign>,
    /// How long orders stay unique, and how far ahead they may be dated.
    pub orders: OrderRules,
    /// The hash of the bundle it was compiled from.
    pub bundle_hash: [u8; 32],
    pub(super) campaign_index: ByNumber,
    pub(super) channel_index: HashMap<String, usize>,
}

impl Programme {
    /// The campaign with this number.
    #[inline]
    pub fn campaign(&self, number: u32) -> Option<&Campaign> {
        self.campaign_index.get(number).map(|index| &self.campaigns[index])
    }

    /// The campaign with this slug.
    pub fn campaign_by_slug(&self, slug: &str) -> Option<&Campaign> {
        self.campaigns.iter().find(|campaign| campaign.slug == slug)
    }

    /// The declared channel of this name, compared byte by byte.
    pub fn channel(&self, slug: &str) -> Option<&Channel> {
        self.channel_index.get(slug).map(|index| &self.channels[*index])
    }

    /// Whether this brand is declared, compared byte by byte.
    pub fn has_brand(&self, brand: &str) -> bool {
        self.brands.iter().any(|declared| declared == brand)
    }

    /// The index into `tiers` for so many points earned over a lifetime.
    #[inline]
    pub fn tier_of(&self, earned: i64) -> usize {
        self.tiers.iter().rposition(|tier| tier.from <= earned).unwrap_or(0)
    }
}

/// A channel orders come through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its number, given once.
    pub number: u16,
    /// Its name, opaque text of at most 64 bytes.
    pub slug: String,
}

/// A tier, reached by the points earned over a lifetime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Its number, given once.
    pub number: u8,
    /// Its id.
    pub slug: String,
    /// Its name for people.
    pub title: Title,
    /// The points earned over a lifetime from which a member is in it.
    pub from: i64,
}

/// Points for checking in on consecutive local days.
#[derive(Debug, Clone)]
pub struct CheckIn {
    /// How long its points live.
    pub terms: LotTerms,
    pub(super) base: i64,
    /// The bonus of a day of the streak, ascending by day.
    pub(super) bonuses: Vec<(u32, i64)>,
    pub(super) cycle: Option<u32>,
}

impl CheckIn {
    /// The points for the `streak`-th consecutive day, counted from 1; none for 0. With a cycle of n days the table
    /// starts again after the n-th, while the streak itself goes on.
    pub fn points(&self, streak: u32) -> i64 {
        if streak == 0 {
            return 0;
        }
        let day = self.cycle.map_or(streak, |cycle| (streak - 1) % cycle + 1);
        let bonus = self.bonuses.binary_search_by_key(&day, |(day, _)| *day).map_or(0, |index| self.bonuses[index].1);
        self.base.saturating_add(bonus)
    }
}

/// How long orders are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderRules {
    /// An order paid longer ago than this may be forgotten, and is then refused as too old.
    pub remember_ms: i64,
    /// An order may be dated at most this far ahead of its arrival.
    pub ahead_ms: i64,
}

/// A campaign: offers for points, within a window, within quotas and limits.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Its number, given once.
    pub number: u32,
    /// Its id.
    pub slug: String,
    /// Its name for people.
    pub title: Title,
    /// When it is open.
    pub window: Window,
    /// How often a member may redeem in one window.
    pub limit: Option<MemberLimit>,
    /// Quotas over all its offers, each for one window.
    pub quotas: Vec<Quota>,
    /// Its offers in the order of the file.
    pub offers: Vec<Offer>,
    /// The longest a gateway may keep "sold out" or "not yet open" without asking again.
    pub hold_answer_ms: i64,
    pub(super) offer_index: ByNumber,
}

impl Campaign {
    /// The offer with this number.
    #[inline]
    pub fn offer(&self, number: u32) -> Option<&Offer> {
        self.offer_index.get(number).map(|index| &self.offers[index])
    }

    /// The offer of this SKU, compared byte by byte.
    pub fn offer_by_sku(&self, sku: &str) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.sku == sku)
    }
}

/// How often a member may redeem in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberLimit {
    /// At most so many times; at least 1.
    pub times: u32,
    /// What is counted.
    pub over: LimitOver,
}

/// What a member's limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitOver {
    /// All redemptions in the campaign together.
    AllOffers,
    /// Each offer's redemptions by themselves.
    EachOffer,
}

/// A number of units that one window may grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The number of the tier it is for; `None` is shared by all.
    pub tier: Option<u8>,
    /// Units a window.
    pub total: u64,
}

/// Something a member gets for points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its number within the campaign, given once.
    pub number: u32,
    /// Its stock keeping unit, opaque text of at most 64 bytes.
    pub sku: String,
    /// Its name for people.
    pub title: Title,
    /// Its price in points by index of tier; `None`: the tier is not admitted.
    pub prices: Vec<Option<i64>>,
    /// Quotas of this offer, each for one window.
    pub quotas: Vec<Quota>,
}

/// Positions by number; numbers start at 1 and leave few holes, so a plain table does.
#[derive(Debug, Clone, Default)]
pub(super) struct ByNumber(Vec<u32>);

impl ByNumber {
    const NONE: u32 = u32::MAX;

    pub(super) fn new(numbers: impl Iterator<Item = u32>) -> ByNumber {
        let mut table = Vec::new();
        for (position, number) in numbers.enumerate() {
            let number = number as usize;
            if table.len() <= number {
                table.resize(number + 1, Self::NONE);
            }
            table[number] = position as u32;
        }
        ByNumber(table)
    }

    fn get(&self, number: u32) -> Option<usize> {
        self.0.get(number as usize).filter(|position| **position != Self::NONE).map(|position| *position as usize)
    }
}
