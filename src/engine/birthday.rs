//! A member says its birthday, or another one.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::SetBirthday;
use tidegate_protocol::refusal::BirthdayLocked;

use super::Context;
use super::admit::Request;
use super::draft::Draft;
use super::effect::{Effect, Effects};
use super::member::Member;
use super::part::{Change, MemberPart};
use super::refusal::Refusal;

/// Decides what a member says of its birthday.
pub fn set_birthday(
    context: &Context<'_>,
    slot: u32,
    member: &Member,
    request: &Request,
    body: &SetBirthday,
) -> Result<MemberPart, Refusal> {
    let programme = context.programme;
    let rules = programme.birthday.as_ref().ok_or(Refusal::Plain(answer::NO_BIRTHDAYS))?;
    let today = programme.zone.local_day(context.now_ms);
    let before = member.birthday();
    let said = rules.said(body.month, body.day, before, today).ok_or(Refusal::Plain(answer::INVALID_DATE))?;
    if let Some(before) = before {
        let open = rules.change_after_days.map(|days| before.said_on.saturating_add(days));
        if open.is_none_or(|open| today < open) {
            let until_ms = open.map_or(0, |open| programme.zone.day_start_ms(open));
            return Err(Refusal::BirthdayLocked(BirthdayLocked { until_ms }));
        }
    }
    let change = Change::SaidBirthday { from_year: said.from_year };
    let effects = Effects::from_slice(&[Effect::Birthday(said)]);
    Ok(Draft::asked(context, slot, member, request, change, effects).finish())
}
