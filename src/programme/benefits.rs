//! Benefits: what members are given by the calendar, without asking: each month in some tiers, or once so long after they enrolled.

use super::awards::{self, Award};
use super::calendar::Period;
use super::campaigns::admitted;
use super::compile::choice;
use super::expiry::Rolling;
use super::reader::Value;
use super::{Numbering, Tier, Title, Zone, terms};

/// Benefits of a programme at a time: all of them may be due in one outcome.
const BENEFITS_MOST: usize = 8;

/// One benefit.
#[derive(Debug, Clone)]
pub struct Benefit {
    /// Its number among the sources of points, given once.
    pub source: u16,
    /// Its id.
    pub slug: String,
    /// Its name for people.
    pub title: Title,
    /// What it gives.
    pub award: Award,
    /// By index of tier; all, if it is empty.
    pub(super) tiers: Vec<bool>,
    /// When.
    pub when: Due,
}

/// When a benefit is given.
#[derive(Debug, Clone)]
pub enum Due {
    /// At the beginning of every such period.
    Each {
        /// The period.
        period: Period,
        /// Whether who comes to it in the middle of a period has it for that one too.
        at_once: bool,
    },
    /// Once, so long after the member enrolled.
    After(Rolling),
}

impl Benefit {
    /// Whether members of the tier of this index have it.
    pub fn admits(&self, tier: usize) -> bool {
        self.tiers.is_empty() || self.tiers[tier]
    }
}

/// What benefits refer to.
pub(super) struct Scope<'s> {
    pub(super) zone: &'s Zone,
    pub(super) tiers: &'s [Tier],
    pub(super) awards: awards::Scope<'s>,
    pub(super) numbering: &'s mut Numbering,
}

/// The sections `[benefit.ID]`.
pub(super) fn read(value: Option<Value>, scope: &mut Scope) -> Option<Vec<Benefit>> {
    let Some(value) = value else { return Some(Vec::new()) };
    let entries = value.entries()?;
    if entries.len() > BENEFITS_MOST {
        value
            .error(format!("there are {} benefits", entries.len()), format!("a programme has at most {BENEFITS_MOST}"));
        return None;
    }
    let read: Vec<_> = entries.iter().map(|(slug, value)| benefit(slug, value, scope)).collect();
    read.into_iter().collect()
}

fn benefit(slug: &str, value: &Value, scope: &mut Scope) -> Option<Benefit> {
    let known: Vec<&str> = ["title", "tiers", "each", "first", "after"].into_iter().chain(awards::KEYS).collect();
    let fields = value.table(&known)?;
    let good_slug = value.key_is_slug(slug);
    let title = fields.title(slug);
    let award = awards::award(value, &fields, &scope.awards);
    let tiers = fields.get("tiers").map_or(Some(Vec::new()), |value| admitted(&value, scope.tiers));
    let when = match (fields.get("each"), fields.get("after")) {
        (Some(each), None) => {
            let periods = [
                ("month", Period::Month),
                ("week", Period::Week),
                ("quarter", Period::Quarter),
                ("year", Period::Year),
            ];
            let period = choice(&each, &periods);
            let example = "first = \"at once\" (in the period in which a member comes to it) or first = \"next\"";
            let first = fields.need("first", example);
            let at_once = first.and_then(|value| choice(&value, &[("at once", true), ("next", false)]));
            period.zip(at_once).map(|(period, at_once)| Due::Each { period, at_once })
        }
        (None, Some(after)) => {
            let origin = "30d from enrolment, to end of day";
            terms::length_from(&after, "enrolment", origin, scope.zone).map(Due::After)
        }
        _ => {
            let right = "write each = \"month\" with `first`, or after = \"30d from enrolment, to end of day\"";
            value.error(format!("`{}` does not say when it is given, or says it twice", value.name), right);
            None
        }
    };
    let Ok(source) = scope.numbering.rule(&format!("benefit/{slug}")) else {
        value.error("there are no numbers left for new benefits", "a programme names at most 8000 rules over its life");
        return None;
    };
    let (title, award, tiers, when) = (title?, award?, tiers?, when?);
    good_slug.then_some(Benefit { source, slug: slug.to_owned(), title, award, tiers, when })
}
