//! Rights: what a member is given by name and number, to use once each (a free drink), or has as long as it is in a tier (a discount).

use super::expiry::LotTerms;
use super::reader::{Fields, Value};
use super::{Numbering, Title, terms};

/// Rights of a programme at a time.
const RIGHTS_MOST: usize = 256;
/// How many of one right are given at once.
const COUNT_MOST: i64 = 1_000;

/// A right that a programme declares.
#[derive(Debug, Clone)]
pub struct Right {
    /// Its number, given once.
    pub number: u16,
    /// Its id.
    pub slug: String,
    /// Its name for people.
    pub title: Title,
    /// When one that is given expires.
    pub terms: LotTerms,
}

/// So many of a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RightCount {
    /// The right's number.
    pub right: u16,
    /// How many.
    pub count: u32,
}

/// The sections `[right.ID]`.
pub(super) fn read(value: Option<Value>, scope: &terms::Scope, numbering: &mut Numbering) -> Option<Vec<Right>> {
    let Some(value) = value else { return Some(Vec::new()) };
    let entries = value.entries()?;
    if entries.len() > RIGHTS_MOST {
        value.error(format!("there are {} rights", entries.len()), format!("a programme has at most {RIGHTS_MOST}"));
        return None;
    }
    let read: Vec<_> = entries.iter().map(|(slug, value)| right(slug, value, scope, numbering)).collect();
    read.into_iter().collect()
}

fn right(slug: &str, value: &Value, scope: &terms::Scope, numbering: &mut Numbering) -> Option<Right> {
    let fields = value.table(&["title", "expires"])?;
    let good_slug = value.key_is_slug(slug);
    let title = fields.title(slug);
    let terms = terms::expires(&fields, scope);
    let Ok(number) = numbering.right(slug) else {
        value.error("there are no numbers left for new rights", "a programme has at most 65535 over its life");
        return None;
    };
    let right = Right { number, slug: slug.to_owned(), title: title?, terms: terms? };
    good_slug.then_some(right)
}

/// `right = "free-drink"` and, if there are several, `count = 2`, in a table that gives them.
pub(super) fn given(fields: &Fields, rights: &[Right]) -> Option<Option<RightCount>> {
    let count = fields.get("count").map_or(Some(1), |value| value.integer(1..=COUNT_MOST));
    let Some(value) = fields.get("right") else {
        if let Some(value) = fields.get("count") {
            value.at_key().error("`count` counts a right, and none is given", "add `right`, or leave it out");
            return None;
        }
        return Some(None);
    };
    let right = named(&value, rights)?;
    Some(Some(RightCount { right, count: count? as u32 }))
}

/// The number of the right that a text names.
pub(super) fn named(value: &Value, rights: &[Right]) -> Option<u16> {
    let slug = value.slug()?;
    let found = rights.iter().find(|right| right.slug == slug);
    if found.is_none() {
        let known: Vec<&str> = rights.iter().map(|right| right.slug.as_str()).collect();
        let right = if known.is_empty() {
            format!("add [right.{slug}]")
        } else {
            format!("the rights are: {}; or add [right.{slug}]", known.join(", "))
        };
        value.error(format!("there is no right \"{slug}\""), right);
    }
    found.map(|right| right.number)
}
