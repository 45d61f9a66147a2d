//! Enrolment: a key becomes a member.

use super::Context;
use super::admit::Request;
use super::draft::Draft;
use super::effect::{Effect, Effects};
use super::member::Member;
use super::part::{Change, MemberPart};

/// Decides the enrolment of a key that is no member yet, into the free slot `slot`.
pub fn enrol(context: &Context<'_>, slot: u32, request: &Request) -> MemberPart {
    let change = Change::Enrolled { programme: context.number, key: request.member };
    let member = Member::new(context.number, request.member);
    let mut draft = Draft::asked(context, slot, &member, request, change, Effects::new());
    if context.programme.check_in.as_ref().is_some_and(|rule| rule.reaches()) {
        // Before its first day nobody missed one.
        draft.effect(Effect::DaysKnown { after: context.programme.zone.local_day(context.now_ms) - 1 });
    }
    draft.enter();
    draft.finish()
}
