//! Activities: what members do beside buying and checking in (read an article, watch a live stream), declared by name, with numeric
//! fields, and worth points from some of them on.

use super::caps::{self, Giving};
use super::compile::{duration, wanted};
use super::reader::{MAX_POINTS, Value};
use super::terms::Lives;
use super::{Numbering, Title};

const ACTIVITIES_MOST: usize = 1_024;
/// As many fields as a request carries.
const FIELDS_MOST: usize = 8;
const DAY_MS: i64 = 86_400_000;
const FIELD_MOST: i64 = 1_000_000_000_000;

/// What a field must come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// The field's name.
    pub field: String,
    /// The least that counts.
    pub least: i64,
}

/// An activity that a programme declares.
#[derive(Debug, Clone)]
pub struct Activity {
    /// Its number among the sources of points, given once.
    pub source: u16,
    /// Its id.
    pub slug: String,
    /// Its name for people.
    pub title: Title,
    /// How its points are given.
    pub giving: Giving,
    /// What must be reached for it to count.
    pub when: Vec<Threshold>,
    /// What the ladder counts for it, where that is growth.
    pub growth: i64,
    /// How long ago it may have happened.
    pub late_ms: i64,
    /// How far ahead it may be dated.
    pub ahead_ms: i64,
    points: i64,
    /// The points are for each so many of a field.
    per: Option<(String, i64)>,
}

impl Activity {
    /// The points for what was done; `field` tells the value of a field, 0 where nothing is said of it.
    pub fn points(&self, field: impl Fn(&str) -> i64) -> i64 {
        let steps = self.per.as_ref().map_or(1, |(name, step)| field(name).max(0) / step);
        self.points.saturating_mul(steps)
    }

    /// The names of all fields that are read.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let when = self.when.iter().map(|threshold| threshold.field.as_str());
        when.chain(self.per.iter().map(|(name, _)| name.as_str()))
    }

    pub(super) fn rate(&self) -> (i64, Option<&(String, i64)>) {
        (self.points, self.per.as_ref())
    }
}

/// The sections `[activity.ID]`.
pub(super) fn read(value: Option<Value>, lives: &Lives, numbering: &mut Numbering) -> Option<Vec<Activity>> {
    let Some(value) = value else { return Some(Vec::new()) };
    let entries = value.entries()?;
    if entries.len() > ACTIVITIES_MOST {
        let right = format!("a programme has at most {ACTIVITIES_MOST}");
        value.error(format!("there are {} activities", entries.len()), right);
        return None;
    }
    let read: Vec<_> = entries.iter().map(|(slug, value)| activity(slug, value, lives, numbering)).collect();
    read.into_iter().collect()
}

fn activity(slug: &str, value: &Value, lives: &Lives, numbering: &mut Numbering) -> Option<Activity> {
    let fields = value
        .table(&["title", "points", "per", "when", "growth", "late", "ahead", "cap", "clock", "expires", "pending"])?;
    let good_slug = value.key_is_slug(slug);
    let title = fields.title(slug);
    let points = fields.need("points", "points = 5").and_then(|value| value.integer(0..=MAX_POINTS));
    let per = fields.get("per").map(|value| {
        let steps = thresholds(&value, "per = { minutes = 10 }", 1)?;
        if let [step] = &steps[..] {
            return Some((step.field.clone(), step.least));
        }
        value.error("points are for so many of one field", "name one: per = { minutes = 10 }");
        None
    });
    let when =
        fields.get("when").map_or(Some(Vec::new()), |value| thresholds(&value, "when = { minutes = 4 }", i64::MIN));
    let growth = fields.get("growth").map_or(Some(0), |value| value.integer(0..=MAX_POINTS));
    let late_ms = fields.get("late").map_or(Some(DAY_MS), |value| duration(&value, (0, 366 * DAY_MS, "0s to 366d")));
    let ahead_ms = fields.get("ahead").map_or(Some(600_000), |value| duration(&value, (0, DAY_MS, "0s to 1d")));
    let Ok(source) = numbering.rule(&format!("activity/{slug}")) else {
        value.error(
            "there are no numbers left for new activities",
            "a programme names at most 8000 rules over its life",
        );
        return None;
    };
    let giving = caps::giving(&fields, source, lives.terms(&fields), Some("happened"));
    let per = wanted(per)?;
    let activity = Activity {
        source,
        slug: slug.to_owned(),
        title: title?,
        giving: giving?,
        when: when?,
        growth: growth?,
        late_ms: late_ms?,
        ahead_ms: ahead_ms?,
        points: points?,
        per,
    };
    if activity.fields().collect::<std::collections::BTreeSet<_>>().len() > FIELDS_MOST {
        value.error(
            format!("the activity reads more than {FIELDS_MOST} fields"),
            format!("a request carries at most {FIELDS_MOST}"),
        );
        return None;
    }
    good_slug.then_some(activity)
}

/// A table of fields and whole numbers.
fn thresholds(value: &Value, example: &str, least: i64) -> Option<Vec<Threshold>> {
    let least = least.max(-FIELD_MOST);
    let mut read = Vec::new();
    for (name, item) in value.entries()? {
        let good = item.key_is_slug(name);
        let number = item.integer(least..=FIELD_MOST);
        read.push(Threshold { field: name.to_owned(), least: number.filter(|_| good)? });
    }
    if read.is_empty() {
        value.error(format!("`{}` is empty", value.name), format!("write {example}"));
        return None;
    }
    Some(read)
}
