//! What is said of a member that gives no points: the zone of its days, and its tags.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{SetTag, SetZone};

use super::Context;
use super::admit::Request;
use super::draft::Draft;
use super::effect::{Effect, Effects};
use super::member::Member;
use super::part::{Change, MemberPart};
use super::refusal::Refusal;

/// Decides in which zone a member's days are counted from now on.
pub fn set_zone(
    context: &Context<'_>,
    slot: u32,
    member: &Member,
    request: &Request,
    body: &SetZone,
) -> Result<MemberPart, Refusal> {
    let programme = context.programme;
    let rule = programme.check_in.as_ref().ok_or(Refusal::Plain(answer::NO_CHECK_IN))?;
    let name = body.zone.as_str();
    let zone = match rule.zones.iter().find(|(_, zone)| zone.name() == name) {
        Some((number, _)) => *number,
        None if name == programme.zone.name() => 0,
        None => return Err(Refusal::Plain(answer::UNKNOWN_ZONE)),
    };
    let effects = Effects::from_slice(&[Effect::ZoneSet { zone }]);
    Ok(Draft::asked(context, slot, member, request, Change::ChangedZone { zone }, effects).finish())
}

/// Decides that a member has a tag, or has it no longer.
pub fn set_tag(
    context: &Context<'_>,
    slot: u32,
    member: &Member,
    request: &Request,
    body: &SetTag,
) -> Result<MemberPart, Refusal> {
    let tag = context.programme.tags.iter().find(|tag| tag.slug == body.tag.as_str());
    let number = tag.ok_or(Refusal::Plain(answer::UNKNOWN_TAG))?.number;
    let on = body.on != 0;
    let effects = Effects::from_slice(&[Effect::Tagged { number, on }]);
    Ok(Draft::asked(context, slot, member, request, Change::Tagged { number, on }, effects).finish())
}
