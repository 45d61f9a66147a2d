//! What time does to members: lots expire and pending points open, each at its instant.
//!
//! Promises: whoever decides upon a member settles it first, so that every decision and every total holds from the
//! instant on, however late the entry of the ledger is written. An effect needs no rules: its instant and what it does
//! were fixed when the points were given.

use std::borrow::Cow;

use tidegate_protocol::RequestId;

use super::Context;
use super::effect::{Effect, Effects};
use super::grant::tier_number;
use super::lots::second_of;
use super::member::{LedgerAt, Member};
use super::part::{Change, MemberPart};

/// What is due to a member, all at once; `None` if nothing is.
///
/// Points that opened and have expired since do both. The second that the effects state is the newest of those that were
/// due: with a sweep behind it, the only one.
pub fn settle(context: &Context<'_>, slot: u32, member: &Member) -> Option<MemberPart> {
    let now_s = second_of(context.now_ms);
    if member.due_s() > now_s {
        return None;
    }
    let mut effects = Effects::new();
    let opening = || member.pending().take_while(|pending| pending.opens_s <= now_s);
    let opened: i64 = opening().map(|pending| pending.points).sum();
    let mut lots = Cow::Borrowed(member.lots());
    if let Some(last) = opening().last() {
        opening().for_each(|pending| lots.to_mut().add(pending.points, pending.name));
        effects.push(Effect::Opened { points: opened, through_s: last.opens_s });
    }
    let expired = lots.expiring(now_s);
    if let Some(last) = lots.iter().take_while(|lot| lot.name.expires_s <= now_s).last() {
        effects.push(Effect::Expired { points: expired, through_s: last.name.expires_s });
    }
    Some(MemberPart {
        slot,
        forgets: None,
        now_ms: context.now_ms,
        version: context.version,
        id: RequestId::default(),
        hash: 0,
        previous: LedgerAt::default(),
        after: member.balance() + opened - expired,
        tier: tier_number(context, member.earned + opened),
        change: Change::Settled,
        effects,
    })
}

/// A member as it is at an instant, for who only looks: what is due is done to a copy, and stays to be logged.
pub fn seen_at<'m>(context: &Context<'_>, slot: u32, member: &'m Member) -> Cow<'m, Member> {
    let mut seen = Cow::Borrowed(member);
    if let Some(part) = settle(context, slot, member) {
        let at = seen.newest();
        seen.to_mut().apply(&part, at);
    }
    seen
}
