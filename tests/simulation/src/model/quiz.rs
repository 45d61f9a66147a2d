//! Quizzes: their questions with everybody's answers beside them.

use std::collections::BTreeMap;

use tidegate_protocol::answer::QuizView;
use tidegate_protocol::code::answer;
use tidegate_protocol::operator::{PublishQuestion, QuestionPublished};
use tidegate_protocol::refusal::{LimitReached, NotOpen};

use super::decide::{Change, Due, plain, with};
use super::judge::{Bench, due, expect};
use super::{DAY_MS, Model, Told};
use crate::multipliers::On;

/// How long after it closed what a question was answered is known for sure, and how long it is.
const COUNTED_MS: i64 = 30 * DAY_MS;
const KEPT_MS: i64 = 60 * DAY_MS;

/// A question.
#[derive(Debug, Clone)]
pub(super) struct Question {
    number: u32,
    options: Vec<String>,
    right: String,
    opens_ms: i64,
    closes_ms: i64,
    /// By member: how often, and whether right.
    pub(super) answers: BTreeMap<u64, (u32, bool)>,
    pub(super) places_taken: u32,
}

/// A quiz's questions by their slugs.
#[derive(Debug, Clone, Default)]
pub(super) struct Quiz {
    pub(super) questions: BTreeMap<String, Question>,
    newest: u32,
    /// The epoch of its newest change.
    pub(super) changed: u64,
}

impl Model {
    /// Whether a question can be published so; the change is made if it was.
    pub fn publish(
        &mut self,
        programme: u32,
        body: &PublishQuestion,
        now_ms: i64,
        epoch: u64,
        published: Result<QuestionPublished, String>,
    ) -> Result<bool, String> {
        let programme = &mut self.programmes[programme as usize - 1];
        let declared = programme.rules.quizzes.iter().any(|quiz| quiz.slug == body.quiz.as_str());
        let options: Vec<String> = body.options.as_slice().iter().map(|option| option.to_string()).collect();
        let quiz = programme.quizzes.entry(body.quiz.to_string()).or_default();
        let known = quiz.questions.get(body.question.as_str());
        let old = |for_ms: i64| known.is_some_and(|known| known.closes_ms <= now_ms - for_ms);
        let same = known.is_some_and(|known| {
            let same = known.options == options && known.right == body.right.as_str();
            known.answers.is_empty() || (same && known.opens_ms == body.opens_ms)
        });
        let good = declared && options.len() >= 2 && body.opens_ms < body.closes_ms;
        let fits = match known {
            Some(known) => same && known.closes_ms > now_ms,
            None => body.closes_ms > now_ms,
        };
        let reused = old(KEPT_MS) && body.closes_ms > now_ms;
        // A lane is taken where eight others are open beside, or for a known one where any other was published.
        let others = quiz.questions.iter().filter(|(slug, _)| slug.as_str() != body.question.as_str());
        let beside = others.filter(|(_, other)| known.is_some() || other.closes_ms > body.opens_ms).count();
        let full = beside >= if known.is_some() { 1 } else { 8 };
        let told = match published {
            Err(why) if good && fits && full && why.contains("would be open beside") => return Ok(false),
            Err(_) if !good || !fits => return Ok(false),
            Err(why) => return Err(format!("{body:?} is refused: {why}")),
            Ok(told) => told,
        };
        let fresh = known.is_none() || told.changed == 0;
        if !good || !(fits || (reused && told.changed == 0)) || (known.is_some() && fresh && !old(KEPT_MS)) {
            return Err(format!("{body:?} is published: {told:?}"));
        }
        let number = if fresh { quiz.newest + 1 } else { known.map_or(0, |known| known.number) };
        due((told.number, told.changed), (number, u8::from(!fresh)))?;
        let (answers, places_taken) = match known.filter(|_| !fresh) {
            Some(known) => (known.answers.clone(), known.places_taken),
            None => Default::default(),
        };
        quiz.newest = quiz.newest.max(number);
        let question = Question {
            number,
            options,
            right: body.right.to_string(),
            opens_ms: body.opens_ms,
            closes_ms: body.closes_ms.max(now_ms),
            answers,
            places_taken,
        };
        quiz.questions.insert(body.question.to_string(), question);
        quiz.changed = epoch;
        Ok(true)
    }
}

impl Bench<'_> {
    pub(super) fn answer(&self, member: u64, quiz: &str, question: &str, answered: &str) -> Due {
        let programme = &*self.programme;
        let Some(rule) = programme.rules.quizzes.iter().find(|known| known.slug == quiz) else {
            return plain(answer::NO_SUCH_QUIZ);
        };
        let now_ms = self.now.now_ms;
        let known = programme.quizzes.get(quiz).and_then(|quiz| quiz.questions.get(question));
        let Some(known) = known else { return plain(answer::NO_SUCH_QUESTION) };
        if now_ms < known.opens_ms {
            let opens_ms = known.opens_ms;
            let fits = move |body: &NotOpen| (body.opens_ms, body.hold_ms) == (opens_ms, 0);
            return with(answer::NOT_YET_OPEN, fits, format!("it opens at {opens_ms}"));
        }
        if now_ms >= known.closes_ms {
            // It may be known no longer.
            let forgotten = known.closes_ms <= now_ms - KEPT_MS;
            return Due::OneOf(if forgotten {
                vec![answer::CLOSED, answer::NO_SUCH_QUESTION]
            } else {
                vec![answer::CLOSED]
            });
        }
        if !known.options.iter().any(|option| option == answered) {
            return plain(answer::NO_SUCH_OPTION);
        }
        let (times, was_right) = known.answers.get(&member).copied().unwrap_or((0, false));
        if was_right {
            return plain(answer::ANSWERED_RIGHT);
        }
        if times >= rule.attempts {
            let is = LimitReached { times: rule.attempts, used: times, again_ms: 0 };
            return with(answer::LIMIT_REACHED, move |body: &LimitReached| *body == is, format!("{is:?}"));
        }
        let right = known.right == answered;
        let first = rule.first.filter(|(places, _)| right && known.places_taken < *places);
        let points = if times == 0 { rule.took_part } else { 0 }
            + if right { rule.right } else { 0 }
            + first.map_or(0, |(_, points)| points);
        let given = self.given(On::Activity, now_ms);
        Due::Apply(Change::Answer {
            quiz: rule.slug,
            question: question.to_owned(),
            right,
            place: first.map_or(0, |_| known.places_taken + 1),
            left: if right { 0 } else { rule.attempts - times - 1 },
            points: self.multiplied(points, &given),
        })
    }

    pub(super) fn quiz(&self, slug: &str, told: &Told) -> Result<(), String> {
        let programme = &*self.programme;
        let Some(rule) = programme.rules.quizzes.iter().find(|known| known.slug == slug) else {
            return expect(told, answer::NO_SUCH_QUIZ);
        };
        expect(told, answer::QUIZ)?;
        let view: QuizView = told.read()?;
        let (now_ms, places) = (self.now.now_ms, rule.first.map_or(0, |(places, _)| places));
        due((view.attempts, view.places), (rule.attempts, places))?;
        let none = Quiz::default();
        let quiz = programme.quizzes.get(slug).unwrap_or(&none);
        let lasting = |question: &&Question| question.closes_ms > now_ms - KEPT_MS;
        let told: Vec<_> = view.questions.as_slice().iter().collect();
        let mut known = 0;
        for question in &told {
            let Some(is) = quiz.questions.get(question.slug.as_str()) else {
                return Err(format!("{question:?} was never published"));
            };
            known += usize::from(lasting(&is));
            let right = if now_ms >= is.closes_ms { is.right.as_str() } else { "" };
            due((question.opens_ms, question.closes_ms, question.right.as_str()), (is.opens_ms, is.closes_ms, right))?;
            let options: Vec<_> = question.options.as_slice().iter().map(|option| option.to_string()).collect();
            due(&options, &is.options)?;
            if is.closes_ms > now_ms - COUNTED_MS {
                due(question.places_left, places.saturating_sub(is.places_taken))?;
            }
        }
        due(known, quiz.questions.values().filter(lasting).count())
    }
}
