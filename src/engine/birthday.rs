//! A member says its birthday, or another one.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::SetBirthday;
use tidegate_protocol::refusal::BirthdayLocked;

use super::draft::{Asker, Draft};
use super::effect::Effect;
use super::part::Change;
use super::refusal::Refusal;

/// Decides what a member says of its birthday.
pub fn set_birthday(asker: Asker<'_>, body: &SetBirthday) -> Result<(), Refusal> {
    let Asker { context, member, .. } = asker;
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
    Draft::asked(asker, change).with(Effect::Birthday(said));
    Ok(())
}
