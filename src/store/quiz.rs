//! Questions of quizzes: published while the programme runs, without a new version of it, and what they were answered.
//!
//! Promises: a question that somebody answered stays what it is, but for when it closes; and no two questions that are open at a time
//! count a member's answers in one place.

use tidegate_protocol::answer::{QuestionView, QuizView};
use tidegate_protocol::operator::{OptionResult, PublishQuestion, QuestionPublished, QuestionResults, ResultsView};
use tidegate_protocol::{List, Text};

use super::Store;
use super::world::Active;
use crate::engine::{Block, BlockPart, CellName, LANES, OPTIONS, QUESTIONS_MOST, Question};
use crate::programme::Quiz;

/// A question is open for at most so long.
const OPEN_MS_MOST: i64 = 366 * 86_400_000;
/// A question is known for so long after it closed; and what it was answered, for half of that.
const KEPT_MS: i64 = 60 * 86_400_000;

/// Why a question is not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no such programme, or no such quiz in it.
    #[error("there is no quiz `{quiz}` in programme `{programme}`; its file declares it as [quiz.{quiz}]")]
    NoQuiz {
        /// The programme's slug.
        programme: String,
        /// The quiz's.
        quiz: String,
    },
    /// What is wrong with the question itself.
    #[error("{0}")]
    Question(String),
}

fn wrong<T>(sentence: impl Into<String>) -> Result<T, PublishError> {
    Err(PublishError::Question(sentence.into()))
}

impl Store {
    /// Publishes a question, or changes one, at `now_ms`. The answer may be told once the epoch beside it is durable.
    pub fn publish_question(
        &self,
        body: &PublishQuestion,
        now_ms: i64,
    ) -> Result<(QuestionPublished, u64), PublishError> {
        // No activation comes between: the quiz is one of the version in force.
        let _structure = self.structure.lock();
        let world = self.world.load_full();
        let no_quiz = || PublishError::NoQuiz { programme: body.programme.to_string(), quiz: body.quiz.to_string() };
        let active = world.programme_by_slug(body.programme.as_str()).ok_or_else(no_quiz)?;
        let quiz = active.programme.quiz(body.quiz.as_str()).ok_or_else(no_quiz)?;
        let block = active.block(quiz.number).expect("activation gives every quiz its block");
        let mut held = block.place.lock();
        let now_ms = now_ms.max(held.journal.last_ms());
        let right = checked(body)?;
        let known = held.state.question(body.question.as_str()).cloned();
        let (number, lane) = match &known {
            Some(known) => {
                if known.closes_ms <= now_ms {
                    return wrong(
                        "it has closed, and its right answer may be known; publish another under an id of its own",
                    );
                }
                changed(&held.state, known, body, right)?;
                (known.number, lane(&held.state, body, Some(known))?)
            }
            None if body.closes_ms <= now_ms => return wrong("it would close before now; let it close later"),
            None if held.state.questions().len() >= QUESTIONS_MOST => {
                return wrong(format!(
                    "the quiz has {QUESTIONS_MOST} questions, as many as are kept; they go 60 days after they closed"
                ));
            }
            None if held.state.newest_question() >= i32::MAX as u32 - 1 => {
                return wrong("the quiz has had as many questions as are counted; declare another");
            }
            None => (held.state.newest_question() + 1, lane(&held.state, body, None)?),
        };
        let question = Question {
            number,
            lane,
            slug: body.question,
            text: body.text.clone(),
            options: body.options.clone(),
            right,
            opens_ms: body.opens_ms,
            // Not before now: whoever answered in time was right to.
            closes_ms: body.closes_ms.max(now_ms),
        };
        let part = BlockPart::Published { now_ms, question: Box::new(question) };
        let epoch = self.epochs.filling();
        self.change_block(&mut held, epoch, now_ms, &part);
        Ok((QuestionPublished { number, changed: u8::from(known.is_some()) }, epoch.max(world.epoch)))
    }

    /// What a quiz's questions were answered, and the epoch of the newest change that this reveals; `None` if there is no such quiz.
    pub fn quiz_results(&self, programme: &str, quiz: &str) -> Option<(ResultsView, u64)> {
        let world = self.world.load_full();
        let active = world.programme_by_slug(programme)?;
        let quiz = active.programme.quiz(quiz)?;
        let held = active.block(quiz.number).expect("activation gives every quiz its block").place.lock();
        let questions = held.state.questions().iter().rev().map(|question| results(&held.state, question));
        Some((ResultsView { questions: List::cut(questions) }, held.journal.last_epoch().max(world.epoch)))
    }
}

/// What is wrong with a question whatever is there already; gives the index of the right option.
fn checked(body: &PublishQuestion) -> Result<u8, PublishError> {
    let options = body.options.as_slice();
    if body.question.as_str().is_empty() {
        return wrong("the question has no id; give it one, such as its date");
    }
    if !OPTIONS.contains(&options.len()) {
        return wrong(format!("there are {} options; a question has 2 to 16", options.len()));
    }
    if let Some(twice) = (1..options.len()).find(|at| options[..*at].contains(&options[*at])) {
        return wrong(format!("option `{}` is there twice", options[twice]));
    }
    let Some(right) = options.iter().position(|option| *option == body.right) else {
        return wrong(format!("the right answer `{}` is none of the options", body.right));
    };
    if body.opens_ms >= body.closes_ms || body.closes_ms.saturating_sub(body.opens_ms) > OPEN_MS_MOST {
        return wrong("it must close after it opens, and within 366 days");
    }
    Ok(right as u8)
}

/// Whether a question that is there can become this one.
fn changed(block: &Block, known: &Question, body: &PublishQuestion, right: u8) -> Result<(), PublishError> {
    let same = (known.text == body.text, known.options == body.options, known.right == right);
    if block.is_answered(known) && (same, known.opens_ms) != ((true, true, true), body.opens_ms) {
        return wrong(format!(
            "question `{}` was answered already: only when it closes can still be changed",
            body.question
        ));
    }
    Ok(())
}

/// The lowest lane in which a question comes after all others. One that is known keeps its own.
fn lane(block: &Block, body: &PublishQuestion, known: Option<&Question>) -> Result<u8, PublishError> {
    let number = known.map_or(u32::MAX, |known| known.number);
    let fits = |lane: &u8| {
        let mut others = block.questions().iter().filter(|other| other.lane == *lane && other.number != number);
        others.all(|other| match other.number < number {
            true => other.closes_ms <= body.opens_ms,
            false => body.closes_ms <= other.opens_ms,
        })
    };
    let found = match known {
        // Of its followers none is forgotten: else members may have counters of later questions in its lane.
        Some(known) => {
            let followers = block.questions().iter().filter(|other| other.number > known.number).count();
            let all = followers as u32 == block.newest_question() - known.number;
            Some(known.lane).filter(fits).filter(|_| all)
        }
        None => (0..LANES).find(fits),
    };
    match found {
        Some(lane) => Ok(lane),
        None => wrong(format!(
            "it would be open beside {LANES} others, or beside or before one that was published later; let it open later, close earlier, or publish it under another id"
        )),
    }
}

fn results(block: &Block, question: &Question) -> QuestionResults {
    let used = |offer| block.used(CellName::of_window(question.period(), offer, 0), 0);
    let options = question.options.as_slice().iter().enumerate().map(|(at, option)| OptionResult {
        option: *option,
        right: u8::from(at == usize::from(question.right)),
        times: used(Question::offer(at)),
    });
    QuestionResults {
        number: question.number,
        question: question.slug,
        text: question.text.clone(),
        opens_ms: question.opens_ms,
        closes_ms: question.closes_ms,
        places_taken: used(0),
        options: List::cut(options),
    }
}

/// A quiz's questions as members may see them, and the epoch of the newest change that this reveals.
pub(super) fn quiz_view(active: &Active, quiz: &Quiz, now_ms: i64) -> (QuizView, u64) {
    let held = active.block(quiz.number).expect("activation gives every quiz its block").place.lock();
    let now_ms = now_ms.max(held.journal.last_ms());
    let places = quiz.first.map_or(0, |first| first.places);
    let view = |question: &Question| {
        let taken = held.state.used(CellName::of_window(question.period(), 0, 0), 0);
        let over = now_ms >= question.closes_ms;
        let right = question.options.as_slice().get(usize::from(question.right)).filter(|_| over);
        QuestionView {
            slug: question.slug,
            text: question.text.clone(),
            options: question.options.clone(),
            opens_ms: question.opens_ms,
            closes_ms: question.closes_ms,
            places_left: places.saturating_sub(taken),
            right: right.copied().unwrap_or_default(),
        }
    };
    let view = QuizView {
        slug: Text::try_from(quiz.slug.as_str()).unwrap_or_default(),
        attempts: quiz.attempts,
        places,
        questions: List::cut(held.state.questions().iter().rev().map(view)),
    };
    (view, held.journal.last_epoch())
}

/// What of a quiz time has made needless at an instant: cells of questions that closed long ago, as slots, and the oldest question whose
/// cells are all gone.
pub(super) fn needless(block: &Block, now_ms: i64) -> (Vec<u32>, Option<u32>) {
    let closed = |question: &&Question, for_ms: i64| question.closes_ms <= now_ms.saturating_sub(for_ms);
    let old: Vec<i32> = block.questions().iter().filter(|it| closed(it, KEPT_MS / 2)).map(Question::period).collect();
    let due = (0u32..).zip(block.cells());
    let due = due.filter(|(_, cell)| cell.is_some_and(|cell| old.contains(&cell.name.period)));
    let due: Vec<u32> = due.map(|(slot, _)| slot).take(256).collect();
    let forgotten = block.questions().iter().find(|it| closed(it, KEPT_MS) && !block.is_answered(it));
    (due, forgotten.map(|question| question.number))
}
