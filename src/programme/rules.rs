//! What a compiled programme says: plain data the engine reads, integers and sorted tables only.

use std::collections::HashMap;

use super::{
    Activity, Benefit, BirthdayRules, CheckIn, ClaimRules, Currency, Earning, Giving, Ladder, Multipliers, Period,
    PointRules, Quiz, Referral, Right, RightCount, Tier, Window, Zone,
};

/// What gives points: the sources of lots.
pub mod source {
    /// Orders.
    pub const ORDERS: u16 = 1;
    /// Check-ins.
    pub const CHECK_IN: u16 = 2;
    /// The entry into a tier.
    pub const TIER: u16 = 3;
    /// Invitations.
    pub const REFERRAL: u16 = 4;
    /// Orders that members claim by their numbers.
    pub const CLAIM: u16 = 5;
    /// Points that had expired when they came back, and live on for a stated grace.
    pub const GRACE: u16 = 6;
    /// Rules that a file names, activities and benefits, have numbers from here on.
    pub const NAMED_FROM: u16 = 64;
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
    /// What it makes of members who claim orders by their numbers, if anything.
    pub claims: Option<ClaimRules>,
    /// What multiplies points.
    pub multipliers: Multipliers,
    /// What it makes of birthdays, if it keeps them.
    pub birthday: Option<BirthdayRules>,
    /// What raises members from tier to tier.
    pub ladder: Ladder,
    /// Tiers ascending by threshold; at least one, the first from 0.
    pub tiers: Vec<Tier>,
    /// What can be given beside points.
    pub rights: Vec<Right>,
    /// What members are given by the calendar.
    pub benefits: Vec<Benefit>,
    /// What members can be tagged with.
    pub tags: Vec<Tag>,
    /// What members do beside buying and checking in.
    pub activities: Vec<Activity>,
    /// What it makes of invitations, if anything.
    pub referral: Option<Referral>,
    /// The stores that quotas can be by.
    pub stores: Vec<Store>,
    /// How long what is held is.
    pub holds: HoldRules,
    /// How points pay part of an order, if they do.
    pub tender: Option<Tender>,
    /// What members are asked.
    pub quizzes: Vec<Quiz>,
    /// Campaigns in the order of the file.
    pub campaigns: Vec<Campaign>,
    /// How long orders stay unique, and how far ahead they may be dated.
    pub orders: OrderRules,
    /// The hash of the bundle it was compiled from.
    pub bundle_hash: [u8; 32],
    pub(super) campaign_index: ByNumber,
    pub(super) channel_index: HashMap<String, usize>,
    pub(super) activity_index: HashMap<String, usize>,
    /// By number of tier: its index.
    pub(super) tier_index: ByNumber,
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

    /// The index into `tiers` of what the ladder's count comes to.
    #[inline]
    pub fn tier_of(&self, count: i64) -> usize {
        self.tiers.iter().rposition(|tier| tier.from <= count).unwrap_or(0)
    }

    /// The index into `tiers` of a tier's number; `None` if the programme has it no longer.
    #[inline]
    pub fn tier_numbered(&self, number: u8) -> Option<usize> {
        self.tier_index.get(u32::from(number))
    }

    /// Whether a tier is nothing but what the points earned over a life come to.
    #[inline]
    pub fn has_plain_tiers(&self) -> bool {
        self.ladder.is_plain() && self.benefits.is_empty()
    }

    /// Whether a member that earns points can come to more than the next tier with them: an award, a benefit, a time for which a tier is held.
    pub fn gives_with_tiers(&self) -> bool {
        !self.has_plain_tiers() || self.tiers.iter().any(|tier| tier.entry.is_some())
    }

    /// The channel of this number, if it is still declared.
    pub fn channel_numbered(&self, number: u16) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.number == number)
    }

    /// The activity with this slug.
    pub fn activity(&self, slug: &str) -> Option<&Activity> {
        self.activity_index.get(slug).map(|index| &self.activities[*index])
    }

    /// The declared store of this name, compared byte by byte.
    pub fn store(&self, slug: &str) -> Option<&Store> {
        self.stores.iter().find(|store| store.slug == slug)
    }

    /// The zone of a number in which members' days can be counted; the programme's own, if it allows it no longer.
    pub fn zone_of(&self, number: u16) -> &Zone {
        let zones = self.check_in.iter().flat_map(|rule| &rule.zones);
        zones.into_iter().find(|(known, _)| *known == number).map_or(&self.zone, |(_, zone)| zone)
    }

    /// The quiz with this slug.
    pub fn quiz(&self, slug: &str) -> Option<&Quiz> {
        self.quizzes.iter().find(|quiz| quiz.slug == slug)
    }

    /// How each rule gives its points: orders, claims, check-ins, activities, quizzes.
    pub fn givings(&self) -> impl Iterator<Item = &Giving> {
        let orders = self.earning.iter().map(|rule| &rule.giving);
        let check_in = self.check_in.iter().map(|rule| &rule.giving);
        let activities = self.activities.iter().map(|rule| &rule.giving);
        let claims = self.claims.iter().map(|rule| &rule.giving);
        orders.chain(claims).chain(check_in).chain(activities).chain(self.quizzes.iter().map(|rule| &rule.giving))
    }

    /// The numbers of all that counts in a block of its own: campaigns and quizzes.
    pub fn block_numbers(&self) -> impl Iterator<Item = u32> {
        let quizzes = self.quizzes.iter().map(|quiz| quiz.number);
        self.campaigns.iter().map(|campaign| campaign.number).chain(quizzes)
    }

    /// The right with this slug.
    pub fn right_by_slug(&self, slug: &str) -> Option<&Right> {
        self.rights.iter().find(|right| right.slug == slug)
    }

    /// The right with this number, if it is still declared.
    pub fn right(&self, number: u16) -> Option<&Right> {
        self.rights.iter().find(|right| right.number == number)
    }

    /// The name of a source of points, as files and answers have it. Lots of the first version's data have none, nor has a rule that the
    /// programme no longer names.
    pub fn source_name(&self, source: u16) -> &str {
        match source {
            source::ORDERS => "orders",
            source::CHECK_IN => "check-in",
            source::TIER => "tier",
            source::REFERRAL => "referral",
            source::CLAIM => "claim",
            source::GRACE => "grace",
            _ => {
                let activity = self.activities.iter().find(|it| it.source == source).map(|it| it.slug.as_str());
                let benefit = || self.benefits.iter().find(|it| it.source == source).map(|it| it.slug.as_str());
                let quiz = || self.quizzes.iter().find(|it| it.giving.source == source).map(|it| it.slug.as_str());
                activity.or_else(benefit).or_else(quiz).unwrap_or("unnamed")
            }
        }
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

/// What a member can be tagged with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its number, given once.
    pub number: u16,
    /// Its name, opaque text of at most 64 bytes.
    pub slug: String,
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
    /// By index of tier: how much earlier each window opens for it; empty where it does for nobody.
    pub head_start_ms: Vec<i64>,
    /// Numbers of the tags of which a member must have one; none where it need not.
    pub tags: Vec<u16>,
    /// How often a member may redeem: all of them hold.
    pub limits: Vec<MemberLimit>,
    /// Quotas over all its offers.
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

/// What a limit, or a quota, counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Each {
    /// A window of the campaign.
    Window = 0,
    /// A local day.
    Day = 1,
    /// From Monday to Sunday.
    Week = 2,
    /// A month of the calendar.
    Month = 3,
    /// All there is.
    Life = 4,
}

impl Each {
    /// All of them, by their numbers.
    pub const ALL: [Each; 5] = [Each::Window, Each::Day, Each::Week, Each::Month, Each::Life];

    /// The one of a number; `None` if there is none.
    pub fn numbered(number: u8) -> Option<Each> {
        Each::ALL.into_iter().find(|each| *each as u8 == number)
    }

    /// The first day of the period that a local day is in, in a window that is named by a day: the name of what is counted then.
    pub fn period(self, window: i32, day: i32) -> i32 {
        match self {
            Each::Window => window,
            Each::Day => Period::Day.first_day(day),
            Each::Week => Period::Week.first_day(day),
            Each::Month => Period::Month.first_day(day),
            Each::Life => Period::Life.first_day(day),
        }
    }
}

/// How often a member may redeem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberLimit {
    /// At most so many times; at least 1.
    pub times: u32,
    /// In what.
    pub each: Each,
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

/// A number of units that may be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The number of the tier it is for; `None` is shared by all.
    pub tier: Option<u8>,
    /// For which stores.
    pub store: ForStore,
    /// In what.
    pub each: Each,
    /// How many units.
    pub total: u64,
    /// Whether what is left at the end of a window comes on top in the next. Only of one for each window.
    pub carried: bool,
}

/// Which stores a quota is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ForStore {
    /// All together, and who names none.
    All,
    /// Each of them by itself.
    Each,
    /// One, by its number.
    One(u16),
}

/// A store that quotas can be by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Its number, given once.
    pub number: u16,
    /// Its name, opaque text of at most 64 bytes.
    pub slug: String,
}

/// What an offer costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// Points.
    pub points: i64,
    /// Money, minor units.
    pub money_minor: i64,
}

/// How long what is held is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldRules {
    /// So long, where who holds says nothing else.
    pub for_ms: i64,
    /// At most so long.
    pub most_ms: i64,
    /// What expired while it was held can be spent for so long after that: 0 not at all.
    pub grace_ms: i64,
}

/// How points pay part of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tender {
    /// So many points …
    pub points: i64,
    /// … pay so much, minor units.
    pub minor: i64,
    /// Points are paid in steps of so many.
    pub step: i64,
    /// At least so many.
    pub least: i64,
    /// At most this share of what they can pay for, in hundredths of a percent.
    pub share: u32,
    /// Only where that comes to so much, minor units.
    pub from_minor: i64,
    /// Categories that they do not pay for.
    pub not_categories: Vec<String>,
    /// SKUs that they do not pay for.
    pub not_skus: Vec<String>,
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
    /// Its price by index of tier; `None`: the tier is not admitted.
    pub prices: Vec<Option<Price>>,
    /// Its price for who has a tag, by that one's number: the first that fits, whatever the tier's is. Who is not admitted has none.
    pub prices_for: Vec<(u16, Price)>,
    /// Quotas of this offer.
    pub quotas: Vec<Quota>,
    /// The right that it gives, if it is one.
    pub gives: Option<RightCount>,
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
