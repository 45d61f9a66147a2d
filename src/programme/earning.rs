//! Points for orders: what of an order counts, and the rates: one in general, others for brands, channels, stores and categories.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::caps::{self, Giving};
use super::compile::{amount, choice, wanted};
use super::money::{Currency, Rate, Rounded, Rounding};
use super::reader::{Fields, MAX_POINTS, Value};
use super::terms::Lives;
use super::{Channel, source};

/// Rates of their own that a programme has at a time, over all scopes.
const RATES_MOST: usize = 4_096;
const STEPS_MOST: usize = 32;

/// What rates of their own are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Category,
    Store,
    Channel,
    Brand,
}

impl Scope {
    /// As files write them, in the order that holds where a file needs no other.
    pub(super) const WORDS: [(&str, Scope); 4] =
        [("category", Scope::Category), ("store", Scope::Store), ("channel", Scope::Channel), ("brand", Scope::Brand)];
}

/// Which parts of an order's amount count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// What was paid in money for the goods.
    pub paid: bool,
    /// What a coupon took off.
    pub coupon: bool,
    /// What was paid in points.
    pub points: bool,
    /// What was paid for bringing them.
    pub freight: bool,
}

/// How an order comes to points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tariff {
    /// So many for each step of amount.
    Rate(Rate),
    /// So many, whatever the amount; none for an amount of 0.
    Fixed(i64),
    /// Those of the highest step that the amount reaches: from this amount on, so many.
    Steps(Vec<(i64, i64)>),
}

impl Tariff {
    fn points(&self, amount_minor: i64) -> i64 {
        match self {
            Tariff::Rate(rate) => rate.points(amount_minor),
            Tariff::Fixed(points) => {
                if amount_minor > 0 {
                    *points
                } else {
                    0
                }
            }
            Tariff::Steps(steps) => {
                let reached = steps.partition_point(|(from, _)| *from <= amount_minor);
                reached.checked_sub(1).map_or(0, |at| steps[at].1)
            }
        }
    }
}

/// What a line of an order, or all of it, says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Sold<'a> {
    /// Of what kind it is; empty where nothing is said.
    pub category: &'a str,
    /// Where.
    pub store: &'a str,
    /// Through which channel.
    pub channel: &'a str,
    /// Of which brand.
    pub brand: &'a str,
    /// What of it counts, in minor units.
    pub amount_minor: i64,
}

/// Points for orders.
#[derive(Debug, Clone)]
pub struct Earning {
    /// How its points are given.
    pub giving: Giving,
    /// What of an order counts.
    pub counts: Counts,
    /// What the ladder counts for an order, where that is growth.
    pub(super) growth: Option<Rate>,
    /// The general one first, then those of their own.
    pub(super) tariffs: Vec<Tariff>,
    /// By scope: the rates of their own, by name.
    pub(super) own: [HashMap<String, usize>; 4],
    /// Which scope goes before which.
    pub(super) first: Vec<Scope>,
}

impl Earning {
    /// The points for an order: what counts of the lines of one rate is added up, then comes to points. An amount below zero earns
    /// nothing; what is beyond an i64 is its maximum.
    pub fn points<'a>(&self, sold: impl IntoIterator<Item = Sold<'a>>) -> i64 {
        if self.first.is_empty() {
            let all = sold.into_iter().fold(0i64, |sum, sold| sum.saturating_add(sold.amount_minor));
            return self.tariffs[0].points(all);
        }
        let mut sums: SmallVec<[(usize, i64); 4]> = SmallVec::new();
        for sold in sold {
            let at = self.tariff(&sold);
            match sums.iter_mut().find(|(known, _)| *known == at) {
                Some((_, sum)) => *sum = sum.saturating_add(sold.amount_minor),
                None => sums.push((at, sold.amount_minor)),
            }
        }
        sums.into_iter().fold(0, |points, (at, sum)| points.saturating_add(self.tariffs[at].points(sum)))
    }

    /// What the ladder counts for an amount, where that is growth.
    pub fn growth(&self, amount_minor: i64) -> i64 {
        self.growth.as_ref().map_or(0, |rate| rate.points(amount_minor))
    }

    fn tariff(&self, sold: &Sold<'_>) -> usize {
        let of = |scope: &Scope| {
            let name = match scope {
                Scope::Category => sold.category,
                Scope::Store => sold.store,
                Scope::Channel => sold.channel,
                Scope::Brand => sold.brand,
            };
            self.own[*scope as usize].get(name).copied()
        };
        self.first.iter().find_map(of).unwrap_or(0)
    }
}

/// What earning refers to.
pub(super) struct Named<'s> {
    pub(super) currency: &'s Currency,
    pub(super) channels: &'s [Channel],
    pub(super) brands: &'s [String],
}

const RATE_KEYS: [&str; 6] = ["points", "per", "rounding", "round", "each", "steps"];

/// The section `[earning]`.
pub(super) fn read(value: &Value, named: &Named, lives: &Lives) -> Option<Earning> {
    let others =
        ["category", "store", "channel", "brand", "first", "counts", "growth", "cap", "clock", "expires", "pending"];
    let known: Vec<&str> = RATE_KEYS.into_iter().chain(others).collect();
    let fields = value.table(&known)?;
    let terms = lives.order_terms(&fields);
    let general = tariff(&fields, named.currency);
    let giving = caps::giving(&fields, source::ORDERS, terms, Some("paid"));
    let counts = fields.get("counts").map_or(Some(Counts::PAID), |value| counts(&value));
    let growth = fields.get("growth").map(|value| growth(&value, named.currency));
    let (mut tariffs, mut own, mut whole) = (vec![general], <[HashMap<String, usize>; 4]>::default(), true);
    for (word, scope) in Scope::WORDS {
        for (name, value) in fields.get(word).map_or(Some(Vec::new()), |value| value.entries())? {
            if !is_declared(scope, name, &value, named) {
                whole = false;
                continue;
            }
            let other = value.table(&RATE_KEYS).and_then(|fields| tariff(&fields, named.currency));
            whole &= other.is_some();
            own[scope as usize].insert(name.to_owned(), tariffs.len());
            tariffs.push(other);
        }
    }
    // Channels are bounded by themselves.
    let rates = tariffs.len() - own[Scope::Channel as usize].len();
    if rates > RATES_MOST {
        let right = format!("a programme has at most {RATES_MOST} beside those of channels");
        value.error(format!("there are {rates} rates"), right);
        whole = false;
    }
    let first = first(&fields, &own);
    let tariffs = tariffs.into_iter().collect::<Option<Vec<_>>>().filter(|_| whole)?;
    let growth = wanted(growth)?;
    Some(Earning { giving: giving?, counts: counts?, growth, tariffs, own, first: first? })
}

/// Channels and brands are declared; stores and categories are whatever orders say.
fn is_declared(scope: Scope, name: &str, value: &Value, named: &Named) -> bool {
    let (kind, list, declared) = match scope {
        Scope::Channel => ("channel", "channels", named.channels.iter().any(|channel| channel.slug == name)),
        Scope::Brand => ("brand", "brands", named.brands.iter().any(|brand| brand == name)),
        Scope::Store | Scope::Category => return value.key_is_opaque(name),
    };
    if !declared {
        let right = format!("add it to `{list}`, or correct its name");
        value.at_key().error(format!("the {kind} \"{name}\" is not declared"), right);
    }
    declared
}

/// Which scope goes before which: to be stated where more than one is there.
fn first(fields: &Fields, own: &[HashMap<String, usize>; 4]) -> Option<Vec<Scope>> {
    let used: Vec<_> = Scope::WORDS.iter().filter(|(_, scope)| !own[*scope as usize].is_empty()).collect();
    let Some(value) = fields.get("first") else {
        if used.len() < 2 {
            return Some(used.into_iter().map(|(_, scope)| *scope).collect());
        }
        let words: Vec<String> = used.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        return fields
            .need("first", &format!("first = [{}]: where several rates fit, the first of these", words.join(", ")))
            .and(None);
    };
    let mut first = Vec::new();
    for item in value.list()? {
        let scope = choice(&item, &Scope::WORDS)?;
        if first.contains(&scope) {
            item.error("it is named twice", "name it once");
            return None;
        }
        first.push(scope);
    }
    if let Some((word, _)) = used.iter().find(|(_, scope)| !first.contains(scope)) {
        value.error(
            format!("`{}` does not name \"{word}\", which has rates", value.name),
            "name every scope that has rates",
        );
        return None;
    }
    Some(first)
}

impl Counts {
    const PAID: Counts = Counts { paid: true, coupon: false, points: false, freight: false };
}

/// `counts = ["paid", "freight"]`.
fn counts(value: &Value) -> Option<Counts> {
    let mut counts = Counts { paid: false, coupon: false, points: false, freight: false };
    for item in value.list()? {
        match item.text("paid")? {
            "paid" => counts.paid = true,
            "coupon" => counts.coupon = true,
            "points" => counts.points = true,
            "freight" => counts.freight = true,
            other => {
                let right = "write \"paid\" (money for goods), \"coupon\" (what a coupon took off), \"points\" (what was paid in points) or \"freight\"";
                item.error(format!("\"{other}\" is no part of an order's amount"), right);
                return None;
            }
        }
    }
    if !counts.paid {
        value.error(
            format!("`{}` leaves out \"paid\"", value.name),
            "what was paid in money always counts: add \"paid\"",
        );
        return None;
    }
    Some(counts)
}

/// A rate by amount, a number of points for each order, or steps.
fn tariff(fields: &Fields, currency: &Currency) -> Option<Tariff> {
    let example = currency.show(10_i64.pow(currency.minor_digits().into()));
    if let Some(value) = fields.get("steps") {
        for key in ["points", "per", "rounding", "round", "each"] {
            if let Some(value) = fields.get(key) {
                value.at_key().error("steps say by themselves how many points there are", format!("leave `{key}` out"));
                return None;
            }
        }
        return steps(&value, currency, &example);
    }
    if let Some(each) = fields.get("each") {
        choice(&each, &[("order", ())])?;
        for key in ["per", "rounding", "round"] {
            if let Some(value) = fields.get(key) {
                value.at_key().error(
                    "points for each order do not depend on its amount",
                    format!("leave `{key}` out, or `each`"),
                );
                return None;
            }
        }
        return fields.need("points", "points = 50")?.integer(0..=MAX_POINTS).map(Tariff::Fixed);
    }
    rate(fields, currency, &example).map(Tariff::Rate)
}

fn steps(value: &Value, currency: &Currency, example: &str) -> Option<Tariff> {
    let mut steps: Vec<(i64, i64)> = Vec::new();
    let mut whole = true;
    for item in value.list()? {
        let fields = item.table(&["from", "points"])?;
        let from =
            fields.need("from", &format!("from = \"{example}\"")).and_then(|value| amount(&value, currency, example));
        let points = fields.need("points", "points = 10").and_then(|value| value.integer(0..=MAX_POINTS));
        let (Some(from), Some(points)) = (from, points) else {
            whole = false;
            continue;
        };
        if steps.last().is_some_and(|(before, _)| *before >= from) {
            item.error("the steps do not rise", "write them from the smallest amount to the largest, each once");
            whole = false;
        }
        steps.push((from, points));
    }
    if whole && (steps.is_empty() || steps.len() > STEPS_MOST) {
        value.error(format!("there are {} steps", steps.len()), format!("write 1 to {STEPS_MOST}"));
        whole = false;
    }
    whole.then_some(Tariff::Steps(steps))
}

fn rate(fields: &Fields, currency: &Currency, example: &str) -> Option<Rate> {
    let points = fields.need("points", "points = 1").and_then(|value| value.integer(0..=MAX_POINTS));
    let per_minor =
        fields.need("per", &format!("per = \"{example}\"")).and_then(|value| amount(&value, currency, example));
    let rounding = fields.need("rounding", "rounding = \"down\"").and_then(|value| choice(&value, &Rounding::WORDS));
    let rounded = match fields.get("round") {
        Some(value) => choice(&value, &[("steps", Rounded::Steps), ("points", Rounded::Points)]),
        None if points.is_none_or(|points| points <= 1) => Some(Rounded::Steps),
        None => {
            let example = "round = \"steps\" (whole steps count, then times the points) or round = \"points\" (in proportion, then rounded)";
            fields.need("round", example).and(None)
        }
    };
    Some(Rate { points: points?, per_minor: per_minor?, rounding: rounding?, rounded: rounded? })
}

/// `growth = { value = 1, per = "1.00", rounding = "down" }`.
fn growth(value: &Value, currency: &Currency) -> Option<Rate> {
    let example = currency.show(10_i64.pow(currency.minor_digits().into()));
    let fields = value.table(&["value", "per", "rounding"])?;
    let worth = fields.need("value", "value = 1").and_then(|value| value.integer(1..=MAX_POINTS));
    let per_minor =
        fields.need("per", &format!("per = \"{example}\"")).and_then(|value| amount(&value, currency, &example));
    let rounding = fields.need("rounding", "rounding = \"down\"").and_then(|value| choice(&value, &Rounding::WORDS));
    Some(Rate { points: worth?, per_minor: per_minor?, rounding: rounding?, rounded: Rounded::Points })
}
