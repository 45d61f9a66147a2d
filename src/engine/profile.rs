//! What is said of a member that gives no points: the zone of its days, and its tags.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{SetTag, SetZone};

use super::draft::{Asker, Draft};
use super::effect::Effect;
use super::part::Change;
use super::refusal::Refusal;

/// Decides in which zone a member's days are counted from now on.
pub fn set_zone(asker: Asker<'_>, body: &SetZone) -> Result<(), Refusal> {
    let programme = asker.context.programme;
    let rule = programme.check_in.as_ref().ok_or(Refusal::Plain(answer::NO_CHECK_IN))?;
    let name = body.zone.as_str();
    let zone = match rule.zones.iter().find(|(_, zone)| zone.name() == name) {
        Some((number, _)) => *number,
        None if name == programme.zone.name() => 0,
        None => return Err(Refusal::Plain(answer::UNKNOWN_ZONE)),
    };
    Draft::asked(asker, Change::ChangedZone { zone }).with(Effect::ZoneSet { zone });
    Ok(())
}

/// Decides that a member has a tag, or has it no longer.
pub fn set_tag(asker: Asker<'_>, body: &SetTag) -> Result<(), Refusal> {
    let tag = asker.context.programme.tags.iter().find(|tag| tag.slug == body.tag.as_str());
    let number = tag.ok_or(Refusal::Plain(answer::UNKNOWN_TAG))?.number;
    let on = body.on != 0;
    Draft::asked(asker, Change::Tagged { number, on }).with(Effect::Tagged { number, on });
    Ok(())
}
