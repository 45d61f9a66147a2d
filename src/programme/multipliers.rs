//! Multipliers: points of a rule times two on a member day, times three in a campaign, times one and a half for a tier.
//!
//! What is multiplied are the points that the rule gives, after its own rounding; what comes of all multipliers together is rounded once.
//! How they stack is the programme's word, never the order of the file.

use super::birthday::{Around, Birthday, BirthdayRules};
use super::campaigns::admitted;
use super::compile::choice;
use super::reader::Value;
use super::windows::window;
use super::{Channel, Rounding, Span, Tier, Title, Window, Zone, source};

/// A factor of 1.
pub(super) const ONE: i64 = 100;
/// The largest factor, and the most multipliers: all of them multiplied are 10^32 hundredths of hundredths, which points that fit 64 bits
/// leave room for in 128.
const FACTOR_MOST: i64 = 100 * ONE;
const MULTIPLIERS_MOST: usize = 8;

/// How several multipliers come together, after each group gave its largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stacking {
    /// The largest alone.
    Best,
    /// What each adds to one: ×2 and ×3 are ×4.
    Add,
    /// All of them: ×2 and ×3 are ×6.
    Multiply,
}

/// Which instant of an order a multiplier's window is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadsClock {
    Paid,
    Arrival,
}

/// One multiplier.
#[derive(Debug, Clone)]
pub(super) struct Multiplier {
    pub(super) title: Title,
    /// In hundredths.
    pub(super) factor: i64,
    /// Always, if there is none.
    pub(super) window: Option<Window>,
    /// Around the member's birthday.
    pub(super) birthday: Option<Around>,
    pub(super) clock: ReadsClock,
    pub(super) sources: Vec<u16>,
    /// By index; all, if it is empty.
    pub(super) tiers: Vec<bool>,
    /// By number; all, if it is empty.
    pub(super) channels: Vec<u16>,
    /// Of those of one group only the largest counts.
    pub(super) group: Option<String>,
}

/// All multipliers of a programme.
#[derive(Debug, Clone)]
pub struct Multipliers {
    pub(super) stacking: Stacking,
    pub(super) rounding: Rounding,
    pub(super) all: Vec<Multiplier>,
}

/// What points are given for.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    /// The source, see [`source`]; [`source::NAMED_FROM`] for every activity.
    pub source: u16,
    /// The index of the member's tier before it.
    pub tier: usize,
    /// The channel's number; 0 where there is none.
    pub channel: u16,
    /// The member's birthday, if it is known.
    pub birthday: Option<Birthday>,
    /// When it happened: an order, when it was paid.
    pub happened_ms: i64,
    /// When it is decided.
    pub now_ms: i64,
}

/// What says which day it is, and whose.
#[derive(Debug, Clone, Copy)]
pub struct Calendar<'c> {
    /// The programme's zone.
    pub zone: &'c Zone,
    /// What it makes of birthdays.
    pub birthdays: Option<&'c BirthdayRules>,
}

impl Multipliers {
    /// Points of a rule, multiplied; what is beyond an i64 is its maximum.
    #[inline]
    pub fn points(&self, points: i64, occasion: &Occasion, calendar: &Calendar) -> i64 {
        if self.all.is_empty() || points == 0 { points } else { self.multiplied(points, occasion, calendar) }
    }

    fn multiplied(&self, points: i64, occasion: &Occasion, calendar: &Calendar) -> i64 {
        let due = || self.all.iter().enumerate().filter(|(_, it)| it.applies(occasion, calendar));
        // Of equal ones the first in the file, so that one of them counts.
        let rank = |at: usize, it: &Multiplier| (it.factor, std::cmp::Reverse(at));
        let counts = |(at, it): &(usize, &Multiplier)| {
            let better = |(other_at, other): (usize, &Multiplier)| {
                other.group == it.group && rank(other_at, other) > rank(*at, it)
            };
            it.group.is_none() || !due().any(better)
        };
        let factors = due().filter(counts).map(|(_, it)| it.factor);
        let one = i128::from(ONE);
        let (factor, parts) = match self.stacking {
            Stacking::Best => (i128::from(factors.max().unwrap_or(ONE)), one),
            Stacking::Add => (factors.fold(one, |sum, factor| sum + i128::from(factor) - one), one),
            Stacking::Multiply => {
                factors.fold((1, 1), |(factor, parts), next| (factor * i128::from(next), parts * one))
            }
        };
        let product = i128::from(points).checked_mul(factor).unwrap_or(i128::MAX);
        i64::try_from(self.rounding.divide(product, parts)).unwrap_or(i64::MAX)
    }
}

impl Multiplier {
    fn applies(&self, occasion: &Occasion, calendar: &Calendar) -> bool {
        let at_ms = match self.clock {
            ReadsClock::Paid => occasion.happened_ms,
            ReadsClock::Arrival => occasion.now_ms,
        };
        self.sources.contains(&occasion.source)
            && (self.tiers.is_empty() || self.tiers[occasion.tier])
            && (self.channels.is_empty() || self.channels.contains(&occasion.channel))
            && self.window.as_ref().is_none_or(|window| matches!(window.at(at_ms), Span::Open { .. }))
            && self.birthday.is_none_or(|around| {
                let known = occasion.birthday.zip(calendar.birthdays);
                known.is_some_and(|(birthday, rules)| rules.is_around(around, birthday, calendar.zone.local_day(at_ms)))
            })
    }
}

/// What multipliers refer to.
pub(super) struct Scope<'s> {
    pub(super) zone: &'s Zone,
    pub(super) tiers: &'s [Tier],
    pub(super) channels: &'s [Channel],
    /// Whether the programme keeps birthdays.
    pub(super) birthdays: bool,
}

/// The section `[multipliers]`.
pub(super) fn read(value: Option<Value>, scope: &Scope) -> Option<Multipliers> {
    let Some(value) = value else {
        return Some(Multipliers { stacking: Stacking::Best, rounding: Rounding::Down, all: Vec::new() });
    };
    let fields = value.table(&["stacking", "rounding", "by"])?;
    let stackings = [("best", Stacking::Best), ("add", Stacking::Add), ("multiply", Stacking::Multiply)];
    let stacking = fields.need("stacking", "stacking = \"best\", \"add\" or \"multiply\"");
    let stacking = stacking.and_then(|value| choice(&value, &stackings));
    let rounding = fields.need("rounding", "rounding = \"down\"").and_then(|value| choice(&value, &Rounding::WORDS));
    let by = fields.need("by", "[multipliers.by.member-day] with factor, clock and on")?;
    let entries = by.entries()?;
    if entries.is_empty() || entries.len() > MULTIPLIERS_MOST {
        let right = format!("write 1 to {MULTIPLIERS_MOST}, or leave [multipliers] out");
        by.error(format!("there are {} multipliers", entries.len()), right);
        return None;
    }
    let all: Vec<_> = entries.iter().map(|(slug, value)| multiplier(slug, value, scope)).collect();
    let all = all.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Multipliers { stacking: stacking?, rounding: rounding?, all })
}

fn multiplier(slug: &str, value: &Value, scope: &Scope) -> Option<Multiplier> {
    let fields =
        value.table(&["title", "factor", "window", "birthday", "clock", "on", "tiers", "channels", "group"])?;
    let good_slug = value.key_is_slug(slug);
    let title = fields.title(slug);
    let factor = fields.need("factor", "factor = \"2\"").and_then(|value| factor(&value));
    let opens = fields.get("window").map_or(Some(None), |value| window(&value, scope.zone).map(Some));
    let around = [("day", Around::Day), ("week", Around::Week), ("month", Around::Month)];
    let birthday = fields.get("birthday").map_or(Some(None), |value| {
        if !scope.birthdays {
            let right = "add [birthday], which says what becomes of 29 February and of who says another";
            value.at_key().error("the programme keeps no birthdays", right);
            return None;
        }
        choice(&value, &around).map(Some)
    });
    let clocks = [("paid", ReadsClock::Paid), ("arrival", ReadsClock::Arrival)];
    let clock = fields.need("clock", "clock = \"paid\" (when an order was paid) or \"arrival\" (when it came in)");
    let clock = clock.and_then(|value| choice(&value, &clocks));
    let sources = fields.need("on", "on = [\"orders\", \"check-in\"]").and_then(|value| sources(&value));
    let tiers = fields.get("tiers").map_or(Some(Vec::new()), |value| admitted(&value, scope.tiers));
    let channels = fields.get("channels").map_or(Some(Vec::new()), |value| channels(&value, scope.channels));
    let group = fields.get("group").map_or(Some(None), |value| value.slug().map(|slug| Some(slug.to_owned())));
    let multiplier = Multiplier {
        title: title?,
        factor: factor?,
        window: opens?,
        birthday: birthday?,
        clock: clock?,
        sources: sources?,
        tiers: tiers?,
        channels: channels?,
        group: group?,
    };
    good_slug.then_some(multiplier)
}

/// `2`, `1.5`, `1.25`: hundredths, above one.
fn factor(value: &Value) -> Option<i64> {
    let text = value.amount_text("2")?;
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let hundredths = match rest.len() {
        1 => rest.parse::<i64>().ok().map(|tenths| tenths * 10),
        2 => rest.parse::<i64>().ok(),
        _ => None,
    };
    let factor =
        hundredths.filter(|_| digits(whole) && digits(rest)).and_then(|it| Some(whole.parse::<i64>().ok()? * ONE + it));
    let factor = factor.filter(|factor| (ONE + 1..=FACTOR_MOST).contains(factor));
    if factor.is_none() {
        let right = "write a number above 1 up to 100 with at most two digits after the point, such as \"1.5\"";
        value.error(format!("`{}` is \"{text}\"", value.name), right);
    }
    factor
}

/// What can be multiplied; all activities together.
const ON: [(&str, u16); 4] = [
    ("orders", source::ORDERS),
    ("claims", source::CLAIM),
    ("check-in", source::CHECK_IN),
    ("activities", source::NAMED_FROM),
];

fn sources(value: &Value) -> Option<Vec<u16>> {
    let mut sources = Vec::new();
    for item in value.list()? {
        sources.push(choice(&item, &ON)?);
    }
    if sources.is_empty() {
        value.error("`on` is empty", "name what is multiplied: \"orders\", \"claims\", \"check-in\", \"activities\"");
        return None;
    }
    Some(sources)
}

fn channels(value: &Value, declared: &[Channel]) -> Option<Vec<u16>> {
    let mut numbers = Vec::new();
    for item in value.list()? {
        let name = item.opaque()?;
        let Some(channel) = declared.iter().find(|channel| channel.slug == name) else {
            item.error(format!("the channel \"{name}\" is not declared"), "add it to `channels`, or correct its name");
            return None;
        };
        numbers.push(channel.number);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(factor: i64, group: Option<&str>, tiers: Vec<bool>) -> Multiplier {
        Multiplier {
            title: Title { zh: String::new(), en: String::new() },
            factor,
            window: None,
            birthday: None,
            clock: ReadsClock::Paid,
            sources: vec![source::ORDERS],
            tiers,
            channels: Vec::new(),
            group: group.map(str::to_owned),
        }
    }

    fn points(stacking: Stacking, rounding: Rounding, all: Vec<Multiplier>, points: i64) -> i64 {
        let occasion =
            Occasion { source: source::ORDERS, tier: 0, channel: 1, birthday: None, happened_ms: 0, now_ms: 0 };
        let zone = Zone::new("Asia/Shanghai").unwrap();
        let calendar = Calendar { zone: &zone, birthdays: None };
        Multipliers { stacking, rounding, all }.points(points, &occasion, &calendar)
    }

    #[test]
    fn multipliers_stack_as_the_programme_says() {
        let both = || vec![times(200, None, vec![]), times(300, None, vec![]), times(900, None, vec![false])];
        let each = [Stacking::Best, Stacking::Add, Stacking::Multiply];
        assert_eq!(each.map(|stacking| points(stacking, Rounding::Down, both(), 10)), [30, 40, 60]);
        // Of a group the largest alone, also where two are as large.
        let grouped = || {
            let day = Some("day");
            vec![times(200, day, vec![]), times(300, day, vec![]), times(300, day, vec![]), times(150, None, vec![])]
        };
        assert_eq!(each.map(|stacking| points(stacking, Rounding::Down, grouped(), 10)), [30, 35, 45]);
        assert_eq!(each.map(|stacking| points(stacking, Rounding::Down, Vec::new(), 10)), [10; 3]);
    }

    #[test]
    fn what_comes_of_all_is_rounded_once() {
        let half = || vec![times(150, None, vec![]), times(150, None, vec![])];
        let modes = [Rounding::Down, Rounding::Up, Rounding::HalfUp, Rounding::HalfEven];
        assert_eq!(modes.map(|mode| points(Stacking::Multiply, mode, half(), 1)), [2, 3, 2, 2]);
        assert_eq!(modes.map(|mode| points(Stacking::Best, mode, half(), 3)), [4, 5, 5, 4]);
        let most = || vec![times(FACTOR_MOST, None, vec![]); MULTIPLIERS_MOST];
        for stacking in [Stacking::Best, Stacking::Add, Stacking::Multiply] {
            assert_eq!(points(stacking, Rounding::Up, most(), i64::MAX), i64::MAX);
        }
    }
}
