//! The daily check-in and its streak, counted in local days of the programme's zone (I9).

use tidegate_protocol::code::answer;
use tidegate_protocol::refusal::AlreadyCheckedIn;

use super::Context;
use super::admit::Request;
use super::draft::{Draft, Given};
use super::effect::Effects;
use super::member::Member;
use super::part::{Change, MemberPart};
use super::refusal::Refusal;
use crate::programme::Measure;

/// Decides a member's check-in.
///
/// A local day at or before the last one counts as checked in, so that a changed zone cannot repeat a day.
pub fn check_in(context: &Context<'_>, slot: u32, member: &Member, request: &Request) -> Result<MemberPart, Refusal> {
    let programme = context.programme;
    let rule = programme.check_in.as_ref().ok_or(Refusal::Plain(answer::NO_CHECK_IN))?;
    let day = programme.zone.local_day(context.now_ms);
    if member.last_day >= day {
        let next_ms = programme.zone.day_start_ms(member.last_day.saturating_add(1));
        let streak = u32::from(member.streak);
        return Err(Refusal::AlreadyCheckedIn(AlreadyCheckedIn { day: member.last_day, streak, next_ms }));
    }
    let streak = if member.last_day == day - 1 { member.streak.saturating_add(1) } else { 1 };
    let change = Change::CheckedIn { day, streak };
    let mut draft = Draft::asked(context, slot, member, request, change, Effects::new());
    let given = Given { channel: 0, happened_ms: context.now_ms };
    draft.earn(rule.points(u32::from(streak)), &rule.giving, &given)?;
    draft.progress(Measure::Growth, context.now_ms, rule.growth)?;
    Ok(draft.finish())
}
