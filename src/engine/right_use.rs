//! The use of a right: one of those that expire first.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::UseRight;

use super::Context;
use super::admit::Request;
use super::draft::Draft;
use super::effect::{Effect, Effects};
use super::member::Member;
use super::part::{Change, MemberPart};
use super::refusal::Refusal;

/// Decides the use of a right.
pub fn use_right(
    context: &Context<'_>,
    slot: u32,
    member: &Member,
    request: &Request,
    body: &UseRight,
) -> Result<MemberPart, Refusal> {
    let right = context.programme.right_by_slug(body.right.as_str());
    let number = right.ok_or(Refusal::Plain(answer::UNKNOWN_RIGHT))?.number;
    let count = member.right_count(number);
    let left = count.checked_sub(1).ok_or(Refusal::Plain(answer::NO_RIGHT_LEFT))?;
    let change = Change::UsedRight { number, left: u32::try_from(left).unwrap_or(u32::MAX) };
    let effects = Effects::from_slice(&[Effect::RightUsed { number }]);
    Ok(Draft::asked(context, slot, member, request, change, effects).finish())
}
