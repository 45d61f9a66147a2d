//! Random quizzes and their questions, as the model reads them and as the engine is told.

use std::fmt::Write as _;

use tidegate_protocol::operator::PublishQuestion;
use tidegate_protocol::{List, Prose, Text};

use crate::dice::Dice;
use crate::earning::Caps;
use crate::model::Ask;
use crate::terms::Terms;

/// Slugs of quizzes.
pub const QUIZZES: [&str; 2] = ["live", "trivia"];

/// What can be answered.
const OPTIONS: [&str; 4] = ["A", "B", "C", "丁"];

/// What a quiz is worth.
#[derive(Debug, Clone)]
pub struct Quiz {
    /// Its slug.
    pub slug: &'static str,
    /// Answers of a member to one question.
    pub attempts: u32,
    /// Points for the right one.
    pub right: i64,
    /// Points for the first one.
    pub took_part: i64,
    /// How many of the first right ones have how many points beside.
    pub first: Option<(u32, i64)>,
    /// Caps.
    pub caps: Caps,
    /// On which terms it gives points.
    pub terms: Terms,
}

impl Quiz {
    /// Some.
    pub fn random(dice: &mut Dice, tiers: usize, campaign: &str) -> Vec<Quiz> {
        let slugs: Vec<&'static str> = QUIZZES.into_iter().filter(|_| dice.chance(70)).collect();
        let one = |slug| Quiz {
            slug,
            attempts: dice.between(1, 3) as u32,
            right: dice.between(0, 9),
            took_part: dice.between(0, 3),
            first: dice.chance(60).then(|| (dice.between(1, 4) as u32, dice.between(1, 20))),
            caps: Caps::random(dice),
            terms: Terms::random(dice, tiers, campaign),
        };
        slugs.into_iter().map(one).collect()
    }

    /// Its section of the file.
    pub fn to_toml(&self, tiers: &[(&'static str, i64)]) -> String {
        let Quiz { slug, attempts, right, took_part, first, caps, terms } = self;
        let mut out = format!("[quiz.{slug}]\nattempts = {attempts}\nright = {right}\ntook_part = {took_part}\n");
        if let Some((places, points)) = first {
            let _ = writeln!(out, "first = {{ places = {places}, points = {points} }}");
        }
        out + &terms.to_toml(tiers) + &caps.to_toml(None)
    }
}

fn text(text: &str) -> Text {
    Text::try_from(text).expect("short texts")
}

/// A question that an operator publishes, perhaps one that is there already, now and then a wrong one.
pub fn question(dice: &mut Dice, programme: &str, now_ms: i64) -> PublishQuestion {
    let count = if dice.chance(4) { 1 } else { dice.between(2, 4) as usize };
    let options = &OPTIONS[..count];
    let opens_ms = now_ms + dice.between(-3_600_000, 7_200_000);
    let open_ms = *dice.one(&[-1, 60_000, 3_600_000, 40_000_000, 200_000_000]);
    PublishQuestion {
        programme: text(programme),
        quiz: text(dice.one::<&str>(&QUIZZES)),
        question: text(&question_slug(dice)),
        text: Prose::cut("which?"),
        options: List::cut(options.iter().map(|option| text(option))),
        right: text(dice.one::<&str>(options)),
        opens_ms,
        closes_ms: opens_ms + open_ms,
    }
}

fn question_slug(dice: &mut Dice) -> String {
    format!("q-{}", dice.below(14))
}

/// An answer to a question, or a look at those of a quiz.
pub fn ask(dice: &mut Dice) -> Ask {
    let quiz = if dice.chance(3) { "nothing" } else { *dice.one(&QUIZZES) }.to_owned();
    if dice.chance(15) {
        return Ask::GetQuiz(quiz);
    }
    let answer = if dice.chance(3) { "E" } else { *dice.one(&OPTIONS[..3]) };
    Ask::Answer { quiz, question: question_slug(dice), answer: answer.to_owned() }
}
