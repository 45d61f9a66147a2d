//! Random multipliers of points, as the model reads them and as the TOML that the engine compiles.

use std::fmt::Write as _;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::calendar::{Clock, Now, Window};
use crate::dice::Dice;
use crate::ladder::Each;
use crate::rules::{CHANNELS, Rounding};

/// How several come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stacking {
    /// The largest.
    Best,
    /// Their sum, less one for each but the first.
    Add,
    /// Their product.
    Multiply,
}

/// One multiplier.
#[derive(Debug, Clone)]
pub struct Multiplier {
    /// In hundredths.
    pub factor: i64,
    /// Whether orders, check-ins and activities are multiplied.
    pub on: (bool, bool, bool),
    /// When it applies, if not always.
    pub window: Option<Window>,
    /// Around the member's birthday: a day, a week, a month.
    pub birthday: Option<Each>,
    /// Whether its window is held against the time of payment.
    pub paid: bool,
    /// Tiers, all if empty.
    pub tiers: Vec<&'static str>,
    /// The one channel, if it is not for all.
    pub channel: Option<&'static str>,
    /// Whether claims are multiplied too.
    pub claims: bool,
    /// Its group.
    pub group: Option<u64>,
}

/// A member's birthday: month and day, and the first year in which it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Birthday {
    /// Month and day.
    pub date: (i8, i8),
    /// The first year.
    pub from_year: i16,
    /// The local day on which it was said.
    pub said_on: i32,
}

impl Birthday {
    fn in_year(&self, year: i16, march: bool) -> Date {
        match Date::new(year, self.date.0, self.date.1) {
            Ok(date) => date,
            Err(_) if march => Date::constant(year, 3, 1),
            Err(_) => Date::constant(year, 2, 28),
        }
    }

    /// Whether a date is the birthday, in its week, or in its month.
    fn is_around(&self, around: Each, march: bool, date: Date) -> bool {
        let monday =
            |date: Date| date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).expect("a date");
        let years = (date.year() - 1..=date.year() + 1).filter(|year| *year >= self.from_year);
        years.map(|year| self.in_year(year, march)).any(|day| match around {
            Each::Day => day == date,
            Each::Week => monday(day) == monday(date),
            _ => (day.year(), day.month()) == (date.year(), date.month()),
        })
    }
}

/// All of a programme.
#[derive(Debug, Clone)]
pub struct Multipliers {
    /// How they stack.
    pub stacking: Stacking,
    /// How what comes of them is rounded.
    pub rounding: Rounding,
    /// Each.
    pub all: Vec<Multiplier>,
}

/// What is multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On<'a> {
    /// An order through a channel.
    Order(&'a str),
    /// A claim of such an order.
    Claim(&'a str),
    /// A check-in.
    CheckIn,
    /// An activity.
    Activity,
}

/// What points are given for; when it happened, and when it came in.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// What it is.
    pub on: On<'a>,
    /// The member's tier before.
    pub tier: &'a str,
    /// Its birthday, and whether 29 February is 1 March in other years.
    pub birthday: Option<(Birthday, bool)>,
    /// When it was paid.
    pub paid_ms: i64,
    /// When it came in.
    pub now_ms: i64,
}

impl Multipliers {
    /// Some, or none.
    pub fn random(
        dice: &mut Dice,
        tiers: &[&'static str],
        birthdays: bool,
        window: &mut dyn FnMut(&mut Dice) -> Window,
    ) -> Option<Multipliers> {
        if dice.chance(50) {
            return None;
        }
        let count = dice.between(1, 4);
        let all = (0..count).map(|_| Multiplier {
            factor: *dice.one(&[150, 200, 300, 125, 101]),
            on: *dice.one(&[(true, true, false), (true, false, true), (false, true, false), (false, false, true)]),
            claims: dice.chance(50),
            window: dice.chance(60).then(|| window(dice)),
            birthday: (birthdays && dice.chance(40)).then(|| *dice.one(&[Each::Day, Each::Week, Each::Month])),
            paid: dice.chance(50),
            tiers: if dice.chance(30) { vec![*dice.one::<&'static str>(tiers)] } else { Vec::new() },
            channel: dice.chance(20).then(|| *dice.one(&CHANNELS)),
            group: dice.chance(40).then(|| dice.below(2)),
        });
        let all = all.collect();
        let stacking = *dice.one(&[Stacking::Best, Stacking::Add, Stacking::Multiply]);
        let rounding = *dice.one(&[Rounding::Down, Rounding::Up, Rounding::HalfUp, Rounding::HalfEven]);
        Some(Multipliers { stacking, rounding, all })
    }

    /// Points, multiplied.
    pub fn points(&self, points: i64, given: &Given<'_>, clock: &Clock) -> i64 {
        let due: Vec<&Multiplier> = self.all.iter().filter(|it| it.applies(given, clock)).collect();
        let mut factors: Vec<i64> = due.iter().filter(|it| it.group.is_none()).map(|it| it.factor).collect();
        for group in 0..2 {
            factors.extend(due.iter().filter(|it| it.group == Some(group)).map(|it| it.factor).max());
        }
        let (factor, parts) = match self.stacking {
            Stacking::Best => (factors.into_iter().max().unwrap_or(100), 100),
            Stacking::Add => (100 + factors.into_iter().map(|factor| factor - 100).sum::<i64>(), 100),
            Stacking::Multiply => (factors.iter().product(), 100i64.pow(factors.len() as u32)),
        };
        self.rounding.divide(points * factor, parts)
    }

    /// The sections of the file; `show` writes a window.
    pub fn to_toml(&self, show: impl Fn(&Window) -> String) -> String {
        let stacking = match self.stacking {
            Stacking::Best => "best",
            Stacking::Add => "add",
            Stacking::Multiply => "multiply",
        };
        let mut out = format!("[multipliers]\nstacking = \"{stacking}\"\nrounding = \"{}\"\n", self.rounding.word());
        for (at, it) in self.all.iter().enumerate() {
            let named = [
                ("\"orders\"", it.on.0),
                ("\"claims\"", it.claims),
                ("\"check-in\"", it.on.1),
                ("\"activities\"", it.on.2),
            ];
            let on: Vec<&str> = named.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
            let (whole, hundredths) = (it.factor / 100, it.factor % 100);
            let clock = if it.paid { "paid" } else { "arrival" };
            let _ = writeln!(
                out,
                "[multipliers.by.m{at}]\nfactor = \"{whole}.{hundredths:02}\"\nclock = \"{clock}\"\non = [{}]",
                on.join(", ")
            );
            if let Some(window) = &it.window {
                let _ = writeln!(out, "window = {}", show(window));
            }
            if let Some(around) = it.birthday {
                let around = match around {
                    Each::Day => "day",
                    Each::Week => "week",
                    _ => "month",
                };
                let _ = writeln!(out, "birthday = \"{around}\"");
            }
            if !it.tiers.is_empty() {
                let _ = writeln!(out, "tiers = [\"{}\"]", it.tiers.join("\", \""));
            }
            if let Some(channel) = it.channel {
                let _ = writeln!(out, "channels = [\"{channel}\"]");
            }
            if let Some(group) = it.group {
                let _ = writeln!(out, "group = \"g{group}\"");
            }
        }
        out
    }
}

impl Multiplier {
    fn applies(&self, given: &Given<'_>, clock: &Clock) -> bool {
        let at_ms = if self.paid { given.paid_ms } else { given.now_ms };
        let (on, through) = match given.on {
            On::Order(channel) => (self.on.0, Some(channel)),
            On::Claim(channel) => (self.claims, Some(channel)),
            On::CheckIn => (self.on.1, None),
            On::Activity => (self.on.2, None),
        };
        on && (self.tiers.is_empty() || self.tiers.contains(&given.tier))
            && self.channel.is_none_or(|channel| through == Some(channel))
            && self.window.as_ref().is_none_or(|window| matches!(clock.at(window, at_ms), Now::Open { .. }))
            && self.birthday.is_none_or(|around| {
                given.birthday.is_some_and(|(birthday, march)| birthday.is_around(around, march, clock.date(at_ms)))
            })
    }
}
