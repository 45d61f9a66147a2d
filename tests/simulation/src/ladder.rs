//! Random ladders, what tiers and benefits give, and rights: as the model reads them and as the TOML that the engine compiles.

use std::fmt::Write as _;

use crate::dice::Dice;
use crate::terms::{EndOf, Expiry, Length, Terms};

/// What a ladder counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Points earned.
    Points = 1,
    /// What orders count, minor units.
    Spend = 2,
    /// Orders.
    Orders = 3,
    /// A value of its own.
    Growth = 4,
}

/// Over which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// All of it.
    Life,
    /// A calendar's month.
    Month,
    /// A calendar's year.
    Year,
    /// So many days back.
    Days(i32),
    /// So many months back.
    Months(i32),
}

/// A calendar's period in which something happens once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Each {
    /// A day.
    Day,
    /// From Monday on.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
    /// All there is.
    Life,
}

/// What raises members, and what becomes of who does not keep a tier.
#[derive(Debug, Clone)]
pub struct Ladder {
    /// What is counted.
    pub measure: Measure,
    /// Over which time.
    pub over: Over,
    /// Whether a day is that of payment, or else of arrival.
    pub paid: bool,
    /// How long a tier is held, if not for life.
    pub keeps: Length,
    /// Days of grace.
    pub grace: i32,
    /// Whether who falls, falls by one.
    pub by_one: bool,
    /// Whether a skipped tier's entry gives something.
    pub each_entry: bool,
    /// Once in which period.
    pub again: Each,
}

/// What is given at once: points, and so many of a right.
#[derive(Debug, Clone)]
pub struct Award {
    /// Points.
    pub points: i64,
    /// On which terms.
    pub terms: Terms,
    /// A right's slug, and how many.
    pub right: Option<(&'static str, u32)>,
}

/// What comes by the calendar.
#[derive(Debug, Clone)]
pub struct Benefit {
    /// Its slug.
    pub slug: &'static str,
    /// What it gives.
    pub award: Award,
    /// To whom; all if empty.
    pub tiers: Vec<&'static str>,
    /// When.
    pub when: When,
}

/// When a benefit comes.
#[derive(Debug, Clone)]
pub enum When {
    /// In every period, and whether in the first at once.
    Every(Each, bool),
    /// Once, so long after enrolment.
    After(Length),
}

/// All that has to do with tiers, but for the points from which they are reached.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The ladder.
    pub ladder: Ladder,
    /// What keeps each tier.
    pub keep: Vec<i64>,
    /// What each gives to who enters it.
    pub entry: Vec<Option<Award>>,
    /// What each gives as long as one is in it.
    pub rights: Vec<Vec<&'static str>>,
    /// Rights, and when they expire.
    pub declared: Vec<(&'static str, Expiry)>,
    /// Benefits.
    pub benefits: Vec<Benefit>,
}

/// Slugs of rights.
const RIGHTS: [&str; 2] = ["drink", "discount"];
const BENEFITS: [&str; 3] = ["monthly", "weekly", "stayed"];

impl Ladder {
    fn random(dice: &mut Dice) -> Ladder {
        let over = *dice.one(&[Over::Life, Over::Life, Over::Month, Over::Year, Over::Days(40), Over::Months(2)]);
        let end_of = match over {
            Over::Month => EndOf::Month,
            Over::Year => EndOf::Year,
            _ => *dice.one(&[EndOf::Day, EndOf::Day, EndOf::Month]),
        };
        let days = (!matches!(over, Over::Month | Over::Year) && dice.chance(70)).then(|| dice.between(0, 5));
        Ladder {
            measure: *dice.one(&[Measure::Points, Measure::Points, Measure::Spend, Measure::Orders, Measure::Growth]),
            over,
            paid: dice.chance(50),
            keeps: Length { days, months: dice.between(0, 1), end_of },
            grace: *dice.one(&[0, 0, 1, 9]),
            by_one: dice.chance(50),
            each_entry: dice.chance(50),
            again: *dice.one(&[Each::Life, Each::Month, Each::Year]),
        }
    }

    /// A ladder that says nothing: points over a life.
    fn plain() -> Ladder {
        Ladder {
            measure: Measure::Points,
            over: Over::Life,
            paid: true,
            keeps: Length { days: Some(0), months: 0, end_of: EndOf::Day },
            grace: 0,
            by_one: false,
            each_entry: true,
            again: Each::Life,
        }
    }

    /// From which count on the tier of this index is reached.
    pub fn from(&self, at: usize) -> i64 {
        let step = match self.measure {
            Measure::Points => 150,
            Measure::Spend => 20_000,
            Measure::Orders => 3,
            Measure::Growth => 40,
        };
        at as i64 * step
    }

    /// A count, as the file writes it.
    pub fn show(&self, count: i64) -> String {
        match self.measure {
            Measure::Spend => format!("\"{}.{:02}\"", count / 100, count % 100),
            _ => count.to_string(),
        }
    }
}

impl Award {
    /// Some.
    pub fn random(dice: &mut Dice, tiers: usize, campaign: &str, rights: &[&'static str]) -> Award {
        let right = (!rights.is_empty() && dice.chance(50)).then(|| (*dice.one(rights), dice.between(1, 2) as u32));
        let points = if right.is_some() && dice.chance(40) { 0 } else { dice.between(1, 60) };
        Award { points, terms: Terms::random(dice, tiers, campaign), right }
    }

    /// The keys of its table.
    pub fn to_toml(&self, tiers: &[(&'static str, i64)]) -> String {
        let mut out = String::new();
        if self.points > 0 {
            let _ = writeln!(out, "points = {}", self.points);
        }
        out += &self.terms.to_toml(tiers);
        if let Some((right, count)) = self.right {
            let _ = writeln!(out, "right = \"{right}\"\ncount = {count}");
        }
        out
    }
}

impl Standing {
    /// Some, for so many tiers.
    pub fn random(dice: &mut Dice, tiers: &[&'static str], campaign: &str) -> Standing {
        let ladder = if dice.chance(40) { Ladder::plain() } else { Ladder::random(dice) };
        let declared: Vec<&'static str> = RIGHTS.iter().copied().filter(|_| dice.chance(60)).collect();
        let keep = (0..tiers.len()).map(|at| if dice.chance(50) { ladder.from(at) } else { ladder.from(at) / 2 });
        let keep = keep.collect();
        let award = |dice: &mut Dice, chance: u64| {
            dice.chance(chance).then(|| Award::random(dice, tiers.len(), campaign, &declared))
        };
        let entry = tiers.iter().map(|_| award(dice, 35)).collect();
        let benefits = BENEFITS.iter().filter_map(|slug| {
            let award = award(dice, 25)?;
            let when = match *slug {
                "monthly" => When::Every(*dice.one(&[Each::Month, Each::Week]), dice.chance(50)),
                "weekly" => When::Every(Each::Week, dice.chance(50)),
                _ => When::After(Length { days: Some(dice.between(0, 4)), months: 0, end_of: EndOf::Day }),
            };
            let tiers = if dice.chance(50) { vec![*dice.one(tiers)] } else { Vec::new() };
            Some(Benefit { slug, award, tiers, when })
        });
        let benefits = benefits.collect();
        let some = |dice: &mut Dice| declared.iter().copied().filter(|_| dice.chance(30)).collect();
        let rights = tiers.iter().map(|_| some(dice)).collect();
        let declared = declared.iter().map(|slug| (*slug, Expiry::random_of_right(dice))).collect();
        Standing { ladder, keep, entry, rights, declared, benefits }
    }

    /// The sections of the file, `[[tier]]` among them.
    pub fn to_toml(&self, tiers: &[(&'static str, i64)]) -> String {
        let Ladder { measure, over, paid, keeps, grace, by_one, each_entry, again } = &self.ladder;
        let by = match measure {
            Measure::Points => "points",
            Measure::Spend => "spend",
            Measure::Orders => "orders",
            Measure::Growth => "growth",
        };
        let over_text = match over {
            Over::Life => "life".to_owned(),
            Over::Month => "month".to_owned(),
            Over::Year => "year".to_owned(),
            Over::Days(days) => format!("{days}d"),
            Over::Months(months) => format!("{months} months"),
        };
        let clock = if *paid { "paid" } else { "arrival" };
        let skipped = if *each_entry { "each" } else { "only the top" };
        let again = match again {
            Each::Month => "each month",
            Each::Year => "each year",
            _ => "never",
        };
        let mut out = format!(
            "[tiers]\nby = \"{by}\"\nover = \"{over_text}\"\nclock = \"{clock}\"\nskipped = \"{skipped}\"\nagain = \"{again}\"\n"
        );
        let held = *over != Over::Life;
        if held {
            let falls = if *by_one { "by one" } else { "to fit" };
            let _ = writeln!(out, "keeps = \"{}\"\nfalls = \"{falls}\"", keeps.to_text("entry"));
            if *grace > 0 {
                let _ = writeln!(out, "grace = \"{grace}d\"");
            }
        }
        for (at, (slug, from)) in tiers.iter().enumerate() {
            let from = self.ladder.show(*from);
            let _ = writeln!(out, "[[tier]]\nslug = \"{slug}\"\nfrom = {from}");
            if held {
                let _ = writeln!(out, "keep = {}", self.ladder.show(self.keep[at]));
            }
            if !self.rights[at].is_empty() {
                let _ = writeln!(out, "rights = [\"{}\"]", self.rights[at].join("\", \""));
            }
            if let Some(award) = &self.entry[at] {
                let _ = write!(out, "[tier.entry]\n{}", award.to_toml(tiers));
            }
        }
        for (slug, expires) in &self.declared {
            let _ = writeln!(out, "[right.{slug}]\nexpires = \"{}\"", expires.to_text());
        }
        for benefit in &self.benefits {
            let _ = write!(out, "[benefit.{}]\n{}", benefit.slug, benefit.award.to_toml(tiers));
            if !benefit.tiers.is_empty() {
                let _ = writeln!(out, "tiers = [\"{}\"]", benefit.tiers.join("\", \""));
            }
            match &benefit.when {
                When::Every(each, at_once) => {
                    let each = if *each == Each::Week { "week" } else { "month" };
                    let first = if *at_once { "at once" } else { "next" };
                    let _ = writeln!(out, "each = \"{each}\"\nfirst = \"{first}\"");
                }
                When::After(length) => {
                    let _ = writeln!(out, "after = \"{}\"", length.to_text("enrolment"));
                }
            }
        }
        out
    }
}
