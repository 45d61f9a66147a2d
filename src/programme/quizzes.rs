//! Quizzes: what a right answer, the first right ones and taking part are worth. The questions are published while the programme runs.

use super::caps::{self, Giving};
use super::compile::wanted;
use super::reader::{MAX_POINTS, Value};
use super::terms::Lives;
use super::{Numbering, Title};

/// Quizzes of a programme at a time.
const QUIZZES_MOST: usize = 16;
const ATTEMPTS_MOST: i64 = 1_000;
const PLACES_MOST: i64 = 1_000_000_000;

/// A quiz that a programme declares.
#[derive(Debug, Clone)]
pub struct Quiz {
    /// The number of its block among those of campaigns, given once.
    pub number: u32,
    /// Its id.
    pub slug: String,
    /// Its name for people.
    pub title: Title,
    /// How its points are given.
    pub giving: Giving,
    /// How often a member may answer one question.
    pub attempts: u32,
    /// Points for the right answer.
    pub right: i64,
    /// Points for the first answer to a question, right or wrong.
    pub took_part: i64,
    /// What the first right ones have beside.
    pub first: Option<First>,
}

/// What the first who answer a question right have beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First {
    /// So many.
    pub places: u32,
    /// Points for each.
    pub points: i64,
}

/// The sections `[quiz.ID]`.
pub(super) fn read(value: Option<Value>, lives: &Lives, numbering: &mut Numbering) -> Option<Vec<Quiz>> {
    let Some(value) = value else { return Some(Vec::new()) };
    let entries = value.entries()?;
    if entries.len() > QUIZZES_MOST {
        value.error(format!("there are {} quizzes", entries.len()), format!("a programme has at most {QUIZZES_MOST}"));
        return None;
    }
    let read: Vec<_> = entries.iter().map(|(slug, value)| quiz(slug, value, lives, numbering)).collect();
    read.into_iter().collect()
}

fn quiz(slug: &str, value: &Value, lives: &Lives, numbering: &mut Numbering) -> Option<Quiz> {
    let fields = value.table(&["title", "attempts", "right", "took_part", "first", "cap", "expires", "pending"])?;
    let good_slug = value.key_is_slug(slug);
    let title = fields.title(slug);
    let attempts = fields.get("attempts").map_or(Some(1), |value| value.integer(1..=ATTEMPTS_MOST));
    let right = fields.need("right", "right = 10").and_then(|value| value.integer(0..=MAX_POINTS));
    let took_part = fields.get("took_part").map_or(Some(0), |value| value.integer(0..=MAX_POINTS));
    let first = wanted(fields.get("first").map(|value| first(&value)));
    // Its block is a campaign's like any other: no campaign's id has a slash.
    let name = format!("quiz/{slug}");
    let (Ok(number), Ok(source)) = (numbering.campaign(&name), numbering.rule(&name)) else {
        value.error("there are no numbers left for new quizzes", "a programme names at most 8000 rules over its life");
        return None;
    };
    let giving = caps::giving(&fields, source, lives.terms(&fields), None);
    let quiz = Quiz {
        number,
        slug: slug.to_owned(),
        title: title?,
        giving: giving?,
        attempts: attempts? as u32,
        right: right?,
        took_part: took_part?,
        first: first?,
    };
    good_slug.then_some(quiz)
}

fn first(value: &Value) -> Option<First> {
    let fields = value.table(&["places", "points"])?;
    let places = fields.need("places", "places = 100").and_then(|value| value.integer(1..=PLACES_MOST));
    let points = fields.need("points", "points = 50").and_then(|value| value.integer(1..=MAX_POINTS));
    Some(First { places: places? as u32, points: points? })
}
