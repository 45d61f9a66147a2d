//! Random terms on which points are given, as the model reads them and as the texts that the engine compiles.

use crate::dice::Dice;

/// What a length is counted to the end of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOf {
    /// A day.
    Day,
    /// A month.
    Month,
    /// A quarter.
    Quarter,
    /// A year.
    Year,
}

/// A length, in days or else in months, and what it is counted to the end of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Days, if it is not months.
    pub days: Option<i64>,
    /// Months.
    pub months: i64,
    /// The end of it.
    pub end_of: EndOf,
}

/// When points expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// So long after they are given.
    After(Length),
    /// So long after the member's last activity.
    Sliding(Length),
    /// At the end of the next of these months and days that is so many days away at least.
    Dates(Vec<(i8, i8)>, i64),
    /// With a window of a campaign, at least so many days away.
    Campaign(String, i64),
}

/// The terms of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// One for all tiers or one for each; none: as the programme says.
    pub expires: Vec<Expiry>,
    /// How long points are pending, if they are.
    pub pending: Option<Length>,
    /// How long they wait after the receipt of an order, if that comes first.
    pub receipt: Option<Length>,
}

impl Length {
    fn random(dice: &mut Dice) -> Length {
        let days = dice.chance(70).then(|| dice.between(0, 3));
        let end_of = *dice.one(&[EndOf::Day, EndOf::Day, EndOf::Day, EndOf::Month, EndOf::Quarter, EndOf::Year]);
        Length { days, months: dice.between(0, 2), end_of }
    }

    /// The text of it, counted from something.
    pub fn to_text(self, from: &str) -> String {
        let long = match (self.days, self.months) {
            (Some(days), _) => format!("{days}d"),
            (None, 1) => "1 month".into(),
            (None, months) => format!("{months} months"),
        };
        let end = match self.end_of {
            EndOf::Day => "day",
            EndOf::Month => "month",
            EndOf::Quarter => "quarter",
            EndOf::Year => "year",
        };
        format!("{long} from {from}, to end of {end}")
    }
}

impl Expiry {
    /// What holds for all rules that say nothing.
    pub fn random_for_all(dice: &mut Dice, campaign: &str) -> Expiry {
        if dice.chance(30) { Expiry::Sliding(Length::random(dice)) } else { Expiry::random(dice, campaign) }
    }

    /// When rights expire: with no campaign.
    pub fn random_of_right(dice: &mut Dice) -> Expiry {
        match dice.below(4) {
            0 => Expiry::Never,
            _ => Expiry::After(Length::random(dice)),
        }
    }

    fn random(dice: &mut Dice, campaign: &str) -> Expiry {
        match dice.below(7) {
            0 | 1 => Expiry::Never,
            2..5 => Expiry::After(Length::random(dice)),
            5 => {
                let dates = (0..dice.between(1, 6)).map(|_| (dice.between(1, 12) as i8, dice.between(1, 28) as i8));
                Expiry::Dates(dates.collect(), *dice.one(&[0, 0, 1, 20]))
            }
            _ => Expiry::Campaign(campaign.into(), *dice.one(&[0, 0, 2])),
        }
    }

    /// The text of it.
    pub fn to_text(&self) -> String {
        let least = |days: &i64| if *days == 0 { String::new() } else { format!(", after at least {days}d") };
        match self {
            Expiry::Never => "never".into(),
            Expiry::After(length) => length.to_text("grant"),
            Expiry::Sliding(length) => length.to_text("last activity"),
            Expiry::Dates(dates, days) => {
                let dates: Vec<String> = dates.iter().map(|(month, day)| format!("{month:02}-{day:02}")).collect();
                format!("on {}{}", dates.join(" or "), least(days))
            }
            Expiry::Campaign(slug, days) => format!("with campaign {slug}{}", least(days)),
        }
    }
}

impl Terms {
    /// Terms of a rule in a programme of so many tiers.
    pub fn random(dice: &mut Dice, tiers: usize, campaign: &str) -> Terms {
        let expires = match dice.below(10) {
            0..6 => 0,
            6..9 => 1,
            _ => tiers,
        };
        let expires = (0..expires).map(|_| Expiry::random(dice, campaign)).collect();
        Terms { expires, pending: dice.chance(25).then(|| Length::random(dice)), receipt: None }
    }

    /// Terms of orders, whose points may wait for the receipt.
    pub fn random_of_orders(dice: &mut Dice, tiers: usize, campaign: &str) -> Terms {
        let mut terms = Terms::random(dice, tiers, campaign);
        if dice.chance(40) {
            let long = |days| Length { days: Some(days), months: 0, end_of: EndOf::Day };
            (terms.receipt, terms.pending) = (Some(long(dice.between(0, 1))), Some(long(dice.between(1, 4))));
        }
        terms
    }

    /// The keys of a rule's section.
    pub fn to_toml(&self, tiers: &[(&'static str, i64)]) -> String {
        let mut out = String::new();
        match &self.expires[..] {
            [] => {}
            [only] => out += &format!("expires = \"{}\"\n", only.to_text()),
            each => {
                let each: Vec<String> =
                    tiers.iter().zip(each).map(|((slug, _), it)| format!("{slug} = \"{}\"", it.to_text())).collect();
                out += &format!("expires = {{ {} }}\n", each.join(", "));
            }
        }
        if let Some(length) = self.pending {
            let receipt = self.receipt.map_or(String::new(), |receipt| receipt.to_text("receipt") + ", or ");
            out += &format!("pending = \"{receipt}{}\"\n", length.to_text("grant"));
        }
        out
    }
}
