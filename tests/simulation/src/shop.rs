//! Random campaigns, and what is held for a checkout: as the model reads them and as the TOML that the engine compiles.

use std::fmt::Write as _;

use crate::calendar::Window;
use crate::dice::Dice;
use crate::rules::window_toml;

/// Stores that quotas are by.
pub const STORES: [&str; 2] = ["s-1", "s-2"];

/// What a limit or a quota counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// Each window.
    Window,
    /// Each day.
    Day,
    /// Each week.
    Week,
    /// Each month.
    Month,
    /// For good.
    Life,
}

impl By {
    fn random(dice: &mut Dice) -> By {
        *dice.one(&[By::Window, By::Window, By::Window, By::Day, By::Week, By::Month, By::Life])
    }

    fn word(self) -> &'static str {
        match self {
            By::Window => "window",
            By::Day => "day",
            By::Week => "week",
            By::Month => "month",
            By::Life => "life",
        }
    }
}

/// How often a member may redeem.
#[derive(Debug, Clone)]
pub struct Limit {
    /// So often.
    pub times: u32,
    /// In each of this.
    pub by: By,
    /// Whether each offer counts by itself.
    pub each_offer: bool,
}

/// For whom units are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum For {
    /// All.
    All,
    /// Members of a tier.
    Tier(&'static str),
    /// Each store by itself.
    EachStore,
    /// A store.
    Store(&'static str),
}

/// Units that may be granted.
#[derive(Debug, Clone)]
pub struct Quota {
    /// For whom.
    pub whom: For,
    /// In each of this.
    pub by: By,
    /// So many.
    pub total: u64,
    /// Whether what a window leaves comes on top in the next.
    pub carried: bool,
}

/// Points and money.
pub type Price = (i64, i64);

/// What a campaign offers.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Its SKU.
    pub sku: String,
    /// Its price for each tier that may have it.
    pub prices: Vec<(&'static str, Price)>,
    /// For who has a tag.
    pub prices_for: Vec<(&'static str, Price)>,
    /// Its own quotas.
    pub quotas: Vec<Quota>,
    /// A right that it gives, and how many.
    pub gives: Option<(&'static str, u32)>,
}

/// A campaign.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Its slug.
    pub slug: String,
    /// When it is open.
    pub window: Window,
    /// How much earlier to a tier.
    pub head_start: Vec<(&'static str, i64)>,
    /// Of which a member must have one, if any are.
    pub tags: Vec<&'static str>,
    /// How often a member may redeem.
    pub limits: Vec<Limit>,
    /// Quotas over all offers.
    pub quotas: Vec<Quota>,
    /// Its offers.
    pub offers: Vec<Offer>,
}

/// What is held for a checkout, and what points pay of it.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// For how long, where nothing is said.
    pub for_ms: i64,
    /// At most.
    pub most_ms: i64,
    /// What expired meanwhile lives for so long more.
    pub grace_ms: i64,
    /// Points as payment.
    pub tender: Option<Tender>,
}

/// Points as payment.
#[derive(Debug, Clone)]
pub struct Tender {
    /// So many …
    pub points: i64,
    /// … pay so much.
    pub minor: i64,
    /// In steps of so many.
    pub step: i64,
    /// At least.
    pub least: i64,
    /// Percent.
    pub share: i64,
    /// What the order must come to.
    pub from_minor: i64,
    /// A category that they do not pay for.
    pub not: Option<&'static str>,
}

impl Checkout {
    /// Some.
    pub fn random(dice: &mut Dice, categories: &[&'static str]) -> Checkout {
        let (points, minor, step) = *dice.one(&[(1, 1, 1), (2, 10, 4), (3, 7, 6)]);
        let tender = dice.chance(70).then(|| Tender {
            points,
            minor,
            step,
            least: step * dice.between(1, 2),
            share: *dice.one(&[30, 50, 100]),
            from_minor: *dice.one(&[0, 0, 50]),
            not: dice.chance(50).then(|| *dice.one(categories)),
        });
        let grace_ms = *dice.one(&[0, 5_000, 90_000_000]);
        Checkout { for_ms: *dice.one(&[1_000, 900_000]), most_ms: *dice.one(&[900_000, 7_200_000]), grace_ms, tender }
    }

    /// Its sections of the file.
    pub fn to_toml(&self) -> String {
        let Checkout { for_ms, most_ms, grace_ms, tender } = self;
        let mut out = format!("[holds]\nfor = \"{for_ms}ms\"\nmost = \"{most_ms}ms\"\ngrace = \"{grace_ms}ms\"\n");
        if let Some(Tender { points, minor, step, least, share, from_minor, not }) = tender {
            let (pays, from) = (money(*minor), money(*from_minor));
            let _ = writeln!(out, "[tender]\npoints = {points}\npays = \"{pays}\"\nstep = {step}\nleast = {least}");
            let _ = writeln!(out, "share = \"{share}%\"\nfrom = \"{from}\"");
            let not = not.map_or(String::new(), |category| format!("not = {{ categories = [\"{category}\"] }}\n"));
            out += &not;
        }
        out
    }
}

fn money(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

impl Campaign {
    /// Its sections of the file.
    pub fn write(&self, out: &mut String) {
        let _ = writeln!(out, "[campaign.{}]\nwindow = {}", self.slug, window_toml(&self.window));
        if !self.tags.is_empty() {
            let _ = writeln!(out, "tags = [\"{}\"]", self.tags.join("\", \""));
        }
        if !self.head_start.is_empty() {
            let starts: Vec<_> = self.head_start.iter().map(|(tier, ms)| format!("{tier} = \"{ms}ms\"")).collect();
            let _ = writeln!(out, "head_start = {{ {} }}", starts.join(", "));
        }
        let limits: Vec<String> = self.limits.iter().map(Limit::to_toml).collect();
        match &limits[..] {
            [] => {}
            [one] => drop(writeln!(out, "per_member = {one}")),
            all => drop(writeln!(out, "per_member = [{}]", all.join(", "))),
        }
        out.push_str(&quotas_toml(&self.quotas));
        for offer in &self.offers {
            let price = |(points, minor): &Price| match (points, minor) {
                (points, 0) => format!("points = {points}"),
                (0, minor) => format!("money = \"{}\"", money(*minor)),
                (points, minor) => format!("points = {points}, money = \"{}\"", money(*minor)),
            };
            let prices: Vec<_> =
                offer.prices.iter().map(|(tier, of)| format!("{tier} = {{ {} }}", price(of))).collect();
            let _ = writeln!(out, "[[campaign.{}.offer]]\nsku = \"{}\"", self.slug, offer.sku);
            let _ = writeln!(out, "price = {{ {} }}", prices.join(", "));
            let tags: Vec<_> =
                offer.prices_for.iter().map(|(tag, of)| format!("{{ tag = \"{tag}\", {} }}", price(of))).collect();
            if !tags.is_empty() {
                let _ = writeln!(out, "price_for = [{}]", tags.join(", "));
            }
            out.push_str(&quotas_toml(&offer.quotas));
            if let Some((right, count)) = offer.gives {
                let _ = writeln!(out, "gives = {{ right = \"{right}\", count = {count} }}");
            }
        }
    }
}

impl Limit {
    fn to_toml(&self) -> String {
        let over = if self.each_offer { "each offer" } else { "all offers" };
        format!("{{ times = {}, each = \"{}\", over = \"{over}\" }}", self.times, self.by.word())
    }
}

fn quotas_toml(quotas: &[Quota]) -> String {
    let one = |Quota { whom, by, total, carried }: &Quota| {
        let whom = match whom {
            For::All => format!("total = {total}"),
            For::Tier(tier) => format!("by_tier = {{ {tier} = {total} }}"),
            For::EachStore => format!("total = {total}, per = \"store\""),
            For::Store(store) => format!("by_store = {{ {store} = {total} }}"),
        };
        let unsold = if *carried { ", unsold = \"carried\"" } else { "" };
        format!("{{ each = \"{}\", {whom}{unsold} }}", by.word())
    };
    let all: Vec<String> = quotas.iter().map(one).collect();
    if all.is_empty() { String::new() } else { format!("quota = [{}]\n", all.join(", ")) }
}

/// Up to three, each of something else.
pub fn limits(dice: &mut Dice) -> Vec<Limit> {
    let few = *dice.one(&[0, 0, 1, 1, 1, 2, 3]);
    let mut limits: Vec<Limit> = Vec::new();
    for _ in 0..few {
        let limit = Limit { times: 1 + dice.below(4) as u32, by: By::random(dice), each_offer: dice.chance(50) };
        if limits.iter().all(|known| (known.by, known.each_offer) != (limit.by, limit.each_offer)) {
            limits.push(limit);
        }
    }
    limits
}

/// At least the lowest tier has a price, so that most redemptions are decided.
pub fn prices(dice: &mut Dice, tiers: &[(&'static str, i64)]) -> Vec<(&'static str, Price)> {
    let first = tiers.iter().take(1).map(|(slug, _)| *slug);
    let rest: Vec<&'static str> = tiers.iter().skip(1).filter(|_| dice.chance(75)).map(|(slug, _)| *slug).collect();
    let money = dice.chance(15);
    first.chain(rest).map(|slug| (slug, price(dice, money))).collect()
}

fn price(dice: &mut Dice, money: bool) -> Price {
    (dice.between(0, 12), if money { dice.between(1, 990) } else { 0 })
}

/// Of tags that are declared.
pub fn prices_for(dice: &mut Dice, tags: &[&'static str]) -> Vec<(&'static str, Price)> {
    let some: Vec<&'static str> = tags.iter().filter(|_| dice.chance(15)).copied().collect();
    some.into_iter().map(|tag| (tag, price(dice, false))).collect()
}

/// Up to four, each of something else.
pub fn quotas(dice: &mut Dice, tiers: &[(&'static str, i64)]) -> Vec<Quota> {
    let few = *dice.one(&[0, 1, 1, 2, 2, 3]);
    let mut quotas: Vec<Quota> = Vec::new();
    for _ in 0..few {
        let whom = match dice.below(12) {
            0..3 => For::Tier(dice.one(tiers).0),
            3 => For::EachStore,
            4 => For::Store(dice.one::<&str>(&STORES)),
            _ => For::All,
        };
        let by = By::random(dice);
        let carried = whom == For::All && by == By::Window && dice.chance(30);
        let quota = Quota { whom, by, total: 1 + dice.below(if by == By::Life { 60 } else { 14 }), carried };
        if quotas.iter().all(|known| (&known.whom, known.by) != (&quota.whom, quota.by)) {
            quotas.push(quota);
        }
    }
    quotas
}

/// To some tiers, if there are several, and the window is closed for longer.
pub fn head_start(dice: &mut Dice, window: &Window, tiers: &[(&'static str, i64)]) -> Vec<(&'static str, i64)> {
    let always = match window {
        Window::Day { from, until } => from == until || (*from, *until) == (0, 24),
        Window::Month { day, from } => (*day, *from) == (1, 0),
        _ => false,
    };
    if always {
        return Vec::new();
    }
    let some: Vec<&'static str> = tiers.iter().skip(1).filter(|_| dice.chance(40)).map(|(slug, _)| *slug).collect();
    some.into_iter().map(|slug| (slug, *dice.one(&[1_000, 600_000, 7_200_000]))).collect()
}
