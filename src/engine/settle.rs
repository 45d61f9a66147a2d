//! What time does to members: lots and rights expire, pending points open, tiers are looked at, benefits come, each at its instant.
//!
//! Promises: whoever decides upon a member settles it first, so that every decision and every total holds from the
//! instant on, however late the entry of the ledger is written. Lots and rights need no rules: their instant and what it does
//! were fixed when they were given. What was planned is decided by the rules in force at its instant: no version is put in
//! force before what was due by then is settled.

use std::borrow::Cow;

use super::Context;
use super::draft::Draft;
use super::effect::Effect;
use super::hold::over;
use super::lots::{NEVER_S, second_of};
use super::member::Member;
use super::part::MemberPart;
use super::standing::stands;
use crate::programme::Measure;

/// The next of what is due to a member; `None` if nothing is. To be asked again, once it is applied, until there is none.
///
/// What a new version of the rules changes comes first, from its instant on; then what time does, in the order of the instants at which
/// plans are due, and at which points open where a tier could follow that gives something. What else opens and expires until then is one part, whose
/// effects state the newest second that was due: with a sweep behind it, the only one.
#[inline]
pub fn settle(context: &Context<'_>, slot: u32, member: &Member) -> Option<MemberPart> {
    if is_settled(context, member) { None } else { due(context, slot, member) }
}

/// Whether nothing is due to a member, as to nearly everybody who asks.
#[inline(always)]
pub fn is_settled(context: &Context<'_>, member: &Member) -> bool {
    let due_s = member.due_s();
    (due_s == NEVER_S || due_s > second_of(context.now_ms)) && stands(context, member)
}

#[inline(never)]
fn due(context: &Context<'_>, slot: u32, member: &Member) -> Option<MemberPart> {
    let now_s = second_of(context.now_ms);
    if !stands(context, member) {
        return Draft::unasked(context, slot, member, context.activated_ms, |draft| {
            draft.align();
            Some(())
        });
    }
    let plan = member.next_plan().filter(|plan| plan.at_s <= now_s);
    let hold = member.next_hold().filter(|(_, hold)| hold.due_s <= now_s);
    let hold_s = hold.map_or(now_s, |(_, hold)| hold.due_s);
    let mut through_s = plan.map_or(now_s, |plan| plan.at_s).min(hold_s);
    // Where points that open can bring something with them, they do so at their own instant.
    if context.programme.gives_with_tiers() {
        through_s = member.pending().next().map_or(through_s, |first| first.opens_s.min(through_s));
    }
    if let Some(part) = pass(context, slot, member, through_s) {
        return Some(part);
    }
    if let Some((at, hold)) = hold.filter(|(_, hold)| plan.is_none_or(|plan| hold.due_s <= plan.at_s)) {
        return over(context, slot, member, at, hold);
    }
    let plan = plan?;
    Draft::unasked(context, slot, member, i64::from(plan.at_s) * 1000, |draft| {
        draft.look(plan.what);
        Some(())
    })
}

/// What opens and expires by a second; `None` if nothing does.
fn pass(context: &Context<'_>, slot: u32, member: &Member, through_s: u32) -> Option<MemberPart> {
    let opening = || member.pending().take_while(|pending| pending.opens_s <= through_s);
    let opened: i64 = opening().map(|pending| pending.points).sum();
    let opened_s = opening().last().map(|last| last.opens_s);
    let at_ms = opened_s.map_or(context.now_ms, |opened_s| i64::from(opened_s) * 1000);
    Draft::unasked(context, slot, member, at_ms, |draft| {
        let mut lots = Cow::Borrowed(member.lots());
        if let Some(through_s) = opened_s {
            opening().for_each(|pending| lots.to_mut().add(pending.points, pending.name));
            draft.effect(Effect::Opened { points: opened, through_s });
        }
        let expired = lots.expiring(through_s);
        if let Some(last) = lots.iter().take_while(|lot| lot.name.expires_s <= through_s).last() {
            draft.effect(Effect::Expired { points: expired, through_s: last.name.expires_s });
        }
        let gone = || member.rights().take_while(|right| right.expires_s <= through_s);
        if let Some(last) = gone().last() {
            let count = gone().map(|right| u64::from(right.count)).sum();
            draft.effect(Effect::RightsExpired { count, through_s: last.expires_s });
        }
        if opened_s.is_some() {
            draft.moves();
            // Beyond what is counted it counts no more: nobody can be refused for what time does.
            let _ = draft.progress(Measure::Points, at_ms, opened);
        }
        draft.changes().then_some(())
    })
}

/// A member as it is at an instant, for who only looks: what is due is done to a copy, and stays to be logged.
#[inline(always)]
pub fn seen_at<'m>(context: &Context<'_>, slot: u32, member: &'m Member) -> Cow<'m, Member> {
    if is_settled(context, member) { Cow::Borrowed(member) } else { Cow::Owned(copied_at(context, slot, member)) }
}

#[inline(never)]
fn copied_at(context: &Context<'_>, slot: u32, member: &Member) -> Member {
    let mut copy = member.clone();
    while let Some(part) = settle(context, slot, &copy) {
        let at = copy.newest();
        copy.apply(&part, at);
    }
    copy
}
