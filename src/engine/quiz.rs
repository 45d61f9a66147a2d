//! An answer to a quiz's question: its window, the member's attempts, whether it is right, and whether it is among the first (I1, I2).

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::AnswerQuestion;
use tidegate_protocol::refusal::{LimitReached, NotOpen};

use super::Context;
use super::counters::Counter;
use super::draft::{Asker, Draft, Given, counted};
use super::effect::Effect;
use super::lots::second_of;
use super::member::Member;
use super::offer::Tally;
use super::part::Change;
use super::question::{LANES, Question};
use super::quota::{Block, CellName};
use super::redeem::Counted;
use super::refusal::Refusal;
use crate::programme::Quiz;

/// In a member's counter: it has answered right.
const RIGHT: u32 = 1 << 31;

/// Decides an answer. It stands once it is given: another attempt is another answer, and after the right one there is none.
pub fn answer_question(
    asker: Asker<'_>,
    quiz: &Quiz,
    block: &Block,
    body: &AnswerQuestion,
    cells: &mut Counted,
) -> Result<(), Refusal> {
    let Asker { context, member, .. } = asker;
    let question = block.question(body.question.as_str()).ok_or(Refusal::Plain(answer::NO_SUCH_QUESTION))?;
    open(context, question)?;
    let options = question.options.as_slice();
    let option = options.iter().position(|option| *option == body.answer);
    let option = option.ok_or(Refusal::Plain(answer::NO_SUCH_OPTION))?;
    let before = attempts(member, quiz, question);
    if before & RIGHT != 0 {
        return Err(Refusal::Plain(answer::ANSWERED_RIGHT));
    }
    if before >= quiz.attempts {
        return Err(Refusal::LimitReached(LimitReached { times: quiz.attempts, used: before, again_ms: 0 }));
    }
    let right = option == usize::from(question.right);
    let mut tally = Tally::at(context.now_ms);
    let own = tally.place(block, named(question, Question::offer(option)), || 0);
    if tally.cells[own].used == u32::MAX {
        // What cannot be counted does not happen.
        return Err(Refusal::Plain(answer::INVALID_AMOUNT));
    }
    let taken = block.used(named(question, 0), second_of(context.now_ms));
    let first = quiz.first.filter(|first| right && taken < first.places);
    let place = first.map_or(0, |_| taken + 1);
    if first.is_some() {
        tally.place(block, named(question, 0), || 0);
    }
    tally.cells.iter_mut().for_each(|cell| cell.added = 1);
    let points = if before == 0 { quiz.took_part } else { 0 }
        + if right { quiz.right } else { 0 }
        + first.map_or(0, |first| first.points);

    let used = (before + 1) | if right { RIGHT } else { 0 };
    let (campaign, offer, period) = (counted::QUIZ, counter(quiz, question), question.period());
    let left = if right { 0 } else { quiz.attempts - before - 1 };
    let (quiz_source, number, option) = (quiz.giving.source, question.number, option as u8);
    let change = Change::Answered { quiz: quiz_source, question: number, option, right, left: left as u16, place };
    let mut draft = Draft::asked(asker, change);
    draft.effect(Effect::Used(Counter { campaign, offer, period, used }));
    draft.earn(points, &quiz.giving, &Given { channel: 0, happened_ms: context.now_ms })?;
    cells.take(block, &tally.cells, context.now_ms);
    draft.finish();
    Ok(())
}

/// How often a member has answered a question, and in the top bit whether right.
fn attempts(member: &Member, quiz: &Quiz, question: &Question) -> u32 {
    member.used(counted::QUIZ, counter(quiz, question), question.period())
}

fn counter(quiz: &Quiz, question: &Question) -> u16 {
    quiz.giving.source * u16::from(LANES) + u16::from(question.lane)
}

fn named(question: &Question, offer: u16) -> CellName {
    CellName::of_window(question.period(), offer, 0)
}

fn open(context: &Context<'_>, question: &Question) -> Result<(), Refusal> {
    // An operator may change when it opens or closes at any time: no gateway keeps the answer.
    let not_open = |opens_ms| NotOpen { opens_ms, epoch: u64::from(context.version), hold_ms: 0 };
    match context.now_ms {
        now_ms if now_ms < question.opens_ms => Err(Refusal::NotYetOpen(not_open(question.opens_ms))),
        now_ms if now_ms >= question.closes_ms => Err(Refusal::Closed(not_open(0))),
        _ => Ok(()),
    }
}
