//! Random ways of earning, as the model reads them and as the TOML that the engine compiles: rates, what of an order counts, caps,
//! and activities.

use std::fmt::Write as _;

use crate::dice::Dice;
use crate::ladder::Each;
use crate::rules::Rounding;
use crate::terms::Terms;

/// Points for so many minor units.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Points …
    pub points: i64,
    /// … for each of so many minor units, a multiple of a hundred.
    pub per_minor: i64,
    /// How to round.
    pub rounding: Rounding,
    /// Whether the points are rounded, or else the steps.
    pub of_points: bool,
}

/// How an amount comes to points.
#[derive(Debug, Clone)]
pub enum Tariff {
    /// By a rate.
    Rate(Rate),
    /// So many for each order.
    Fixed(i64),
    /// By steps: from so many minor units on, so many points.
    Steps(Vec<(i64, i64)>),
}

/// What a rate of its own is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A category of lines.
    Category,
    /// A store.
    Store,
    /// A channel.
    Channel,
    /// The brand.
    Brand,
}

/// A bound on what one rule gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// For each of these; none: at once.
    pub each: Option<Each>,
    /// The most.
    pub most: i64,
    /// Whether it counts how often, or else points.
    pub times: bool,
}

/// How much a rule gives at most, and which day that is counted for.
#[derive(Debug, Clone, Default)]
pub struct Caps {
    /// Each cap.
    pub all: Vec<Cap>,
    /// Whether the day is that of what happened, or else of its arrival.
    pub happened: bool,
}

/// Points for orders.
#[derive(Debug, Clone)]
pub struct Earning {
    /// In general.
    pub general: Tariff,
    /// Of their own: for what, its name, how.
    pub own: Vec<(Scope, &'static str, Tariff)>,
    /// Which goes before which.
    pub first: Vec<Scope>,
    /// Whether coupons, points and freight count beside what was paid.
    pub counts: (bool, bool, bool),
    /// Growth by amount.
    pub growth: Option<Rate>,
    /// Caps.
    pub caps: Caps,
}

/// An activity.
#[derive(Debug, Clone)]
pub struct Activity {
    /// Its slug.
    pub slug: &'static str,
    /// Points …
    pub points: i64,
    /// … for each so many minutes, if it is by minutes.
    pub per: Option<i64>,
    /// The least minutes.
    pub least: Option<i64>,
    /// Growth.
    pub growth: i64,
    /// How long ago it may have happened.
    pub late_ms: i64,
    /// Caps.
    pub caps: Caps,
    /// Terms of its points.
    pub terms: Terms,
}

/// Names of categories, stores and activities.
pub const CATEGORIES: [&str; 2] = ["tea", "cups"];
/// Stores.
pub const STORES: [&str; 2] = ["north", "south"];
/// Activities.
pub const ACTIVITIES: [&str; 2] = ["read", "watch"];
/// How far ahead an activity may be dated.
pub const ACTIVITY_AHEAD_MS: i64 = 600_000;

impl Rate {
    fn random(dice: &mut Dice) -> Rate {
        let rounding = *dice.one(&[Rounding::Down, Rounding::Up, Rounding::HalfUp, Rounding::HalfEven]);
        Rate { points: dice.between(1, 3), per_minor: 100 * dice.between(1, 4), rounding, of_points: dice.chance(50) }
    }

    /// Points for an amount: so many for each step, rounded where the rate says.
    pub fn points(&self, amount_minor: i64) -> i64 {
        let amount_minor = amount_minor.max(0);
        if self.of_points {
            self.rounding.divide(amount_minor * self.points, self.per_minor)
        } else {
            self.rounding.divide(amount_minor, self.per_minor) * self.points
        }
    }
}

impl Tariff {
    fn random(dice: &mut Dice) -> Tariff {
        match dice.below(6) {
            0 => Tariff::Fixed(dice.between(0, 40)),
            1 => Tariff::Steps(vec![(1_000, dice.between(0, 9)), (5_000, 20), (12_000, dice.between(20, 60))]),
            _ => Tariff::Rate(Rate::random(dice)),
        }
    }

    /// Points for an amount.
    pub fn points(&self, amount_minor: i64) -> i64 {
        match self {
            Tariff::Rate(rate) => rate.points(amount_minor),
            Tariff::Fixed(points) => {
                if amount_minor > 0 {
                    *points
                } else {
                    0
                }
            }
            Tariff::Steps(steps) => steps
                .iter()
                .filter(|(from, _)| *from <= amount_minor)
                .map(|(_, points)| *points)
                .next_back()
                .unwrap_or(0),
        }
    }

    fn to_toml(&self) -> String {
        match self {
            Tariff::Rate(rate) => {
                let round = if rate.of_points { "points" } else { "steps" };
                let Rate { points, per_minor, rounding, .. } = rate;
                let rounding = rounding.word();
                format!(
                    "points = {points}\nper = \"{}\"\nrounding = \"{rounding}\"\nround = \"{round}\"\n",
                    per_minor / 100
                )
            }
            Tariff::Fixed(points) => format!("points = {points}\neach = \"order\"\n"),
            Tariff::Steps(steps) => {
                let steps: Vec<_> = steps
                    .iter()
                    .map(|(from, points)| format!("{{ from = \"{}\", points = {points} }}", from / 100))
                    .collect();
                format!("steps = [{}]\n", steps.join(", "))
            }
        }
    }
}

impl Caps {
    /// Some, or none.
    pub fn random(dice: &mut Dice) -> Caps {
        let mut all = Vec::new();
        if dice.chance(40) {
            for each in [None, Some(Each::Day), Some(Each::Week), Some(Each::Month), Some(Each::Life)] {
                if dice.chance(25) {
                    all.push(Cap { each, most: dice.between(1, 80), times: false });
                }
                if each.is_some() && dice.chance(15) {
                    all.push(Cap { each, most: dice.between(1, 4), times: true });
                }
            }
        }
        Caps { all, happened: dice.chance(50) }
    }

    /// The keys of a rule's section; `happened` is the word for that clock, without one it has none.
    pub fn to_toml(&self, happened: Option<&str>) -> String {
        if self.all.is_empty() {
            return String::new();
        }
        let cap = |cap: &Cap| {
            let each = match cap.each {
                None => "event",
                Some(Each::Day) => "day",
                Some(Each::Week) => "week",
                Some(Each::Month) => "month",
                Some(_) => "life",
            };
            let of = if cap.times { "times" } else { "points" };
            format!("{{ {of} = {}, each = \"{each}\" }}", cap.most)
        };
        let caps: Vec<_> = self.all.iter().map(cap).collect();
        let clock = happened.map(|word| if self.happened { word } else { "arrival" });
        let clock = clock.map_or(String::new(), |clock| format!("clock = \"{clock}\"\n"));
        format!("cap = [{}]\n{clock}", caps.join(", "))
    }
}

impl Earning {
    /// Some.
    pub fn random(dice: &mut Dice) -> Earning {
        let mut own = Vec::new();
        let named = [
            (Scope::Category, CATEGORIES[0]),
            (Scope::Category, CATEGORIES[1]),
            (Scope::Store, STORES[0]),
            (Scope::Channel, "web"),
            (Scope::Brand, "house"),
        ];
        for (scope, name) in named {
            if dice.chance(25) {
                own.push((scope, name, Tariff::random(dice)));
            }
        }
        let mut first: Vec<Scope> = Vec::new();
        let mut left = vec![Scope::Category, Scope::Store, Scope::Channel, Scope::Brand];
        while !left.is_empty() {
            first.push(left.remove(dice.below(left.len() as u64) as usize));
        }
        Earning {
            general: Tariff::random(dice),
            own,
            first,
            counts: (dice.chance(30), dice.chance(30), dice.chance(30)),
            growth: dice.chance(60).then(|| Rate { of_points: true, ..Rate::random(dice) }),
            caps: Caps::random(dice),
        }
    }

    /// The sections of the file; `terms` are the keys of the general one's terms.
    pub fn to_toml(&self, terms: &str) -> String {
        let mut out = format!("[earning]\n{}{terms}{}", self.general.to_toml(), self.caps.to_toml(Some("paid")));
        let first: Vec<_> = self.first.iter().map(|scope| format!("\"{}\"", scope.word())).collect();
        let _ = writeln!(out, "first = [{}]", first.join(", "));
        let (coupon, points, freight) = self.counts;
        let parts = [("coupon", coupon), ("points", points), ("freight", freight)];
        let parts = parts.iter().filter(|(_, counts)| *counts).map(|(word, _)| format!(", \"{word}\""));
        let _ = writeln!(out, "counts = [\"paid\"{}]", parts.collect::<String>());
        if let Some(Rate { points, per_minor, rounding, .. }) = &self.growth {
            let rounding = rounding.word();
            let _ = writeln!(
                out,
                "growth = {{ value = {points}, per = \"{}\", rounding = \"{rounding}\" }}",
                per_minor / 100
            );
        }
        for (scope, name, tariff) in &self.own {
            let _ = write!(out, "[earning.{}.{name}]\n{}", scope.word(), tariff.to_toml());
        }
        out
    }
}

impl Scope {
    fn word(self) -> &'static str {
        match self {
            Scope::Category => "category",
            Scope::Store => "store",
            Scope::Channel => "channel",
            Scope::Brand => "brand",
        }
    }
}

impl Activity {
    /// Some of them.
    pub fn random(dice: &mut Dice, tiers: usize, campaign: &str) -> Vec<Activity> {
        let mut all = Vec::new();
        for slug in ACTIVITIES {
            if dice.chance(70) {
                all.push(Activity {
                    slug,
                    points: dice.between(0, 9),
                    per: dice.chance(40).then(|| dice.between(1, 5)),
                    least: dice.chance(50).then(|| dice.between(2, 6)),
                    growth: dice.between(0, 6),
                    late_ms: *dice.one(&[0, 3_600_000, 86_400_000, 172_800_000]),
                    caps: Caps::random(dice),
                    terms: Terms::random(dice, tiers, campaign),
                });
            }
        }
        all
    }

    /// Its section of the file.
    pub fn to_toml(&self, tiers: &[(&'static str, i64)]) -> String {
        let Activity { slug, points, growth, late_ms, .. } = self;
        let mut out = format!(
            "[activity.{slug}]\npoints = {points}\ngrowth = {growth}\nlate = \"{late_ms}ms\"\nahead = \"{ACTIVITY_AHEAD_MS}ms\"\n"
        );
        if let Some(per) = self.per {
            let _ = writeln!(out, "per = {{ minutes = {per} }}");
        }
        if let Some(least) = self.least {
            let _ = writeln!(out, "when = {{ minutes = {least} }}");
        }
        out + &self.terms.to_toml(tiers) + &self.caps.to_toml(Some("happened"))
    }
}
