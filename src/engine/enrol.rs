//! Enrolment: a key becomes a member.

use super::Context;
use super::admit::Request;
use super::draft::{Asker, Draft};
use super::effect::Effect;
use super::kept::MemberSlot;
use super::member::Member;
use super::part::{Change, MemberPart};

/// Decides the enrolment of a key that is no member yet, into the free slot `at`.
pub fn enrol(context: &Context<'_>, at: MemberSlot, request: &Request, part: &mut MemberPart) {
    let change = Change::Enrolled { programme: context.number, key: request.member };
    let member = Member::new(context.number, request.member);
    let mut draft = Draft::asked(Asker { context, at, member: &member, request, part }, change);
    if context.programme.check_in.as_ref().is_some_and(|rule| rule.reaches()) {
        // Before its first day nobody missed one.
        draft.effect(Effect::DaysKnown { after: context.programme.zone.local_day(context.now_ms) - 1 });
    }
    draft.enter();
    draft.finish();
}
