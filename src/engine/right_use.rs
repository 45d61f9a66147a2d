//! The use of a right: one of those that expire first.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::UseRight;

use super::draft::{Asker, Draft};
use super::effect::Effect;
use super::part::Change;
use super::refusal::Refusal;

/// Decides the use of a right.
pub fn use_right(asker: Asker<'_>, body: &UseRight) -> Result<(), Refusal> {
    let right = asker.context.programme.right_by_slug(body.right.as_str());
    let number = right.ok_or(Refusal::Plain(answer::UNKNOWN_RIGHT))?.number;
    let count = asker.member.right_count(number);
    let left = count.checked_sub(1).ok_or(Refusal::Plain(answer::NO_RIGHT_LEFT))?;
    let change = Change::UsedRight { number, left: u32::try_from(left).unwrap_or(u32::MAX) };
    Draft::asked(asker, change).with(Effect::RightUsed { number });
    Ok(())
}
