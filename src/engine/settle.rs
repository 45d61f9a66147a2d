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

/// Whether anything of a member is due.
pub fn is_due(member: &Member, now_ms: i64) -> bool {
    member.due_s() <= second_of(now_ms)
}

/// The next of what is due to a member, all of one instant; `None` once nothing is.
pub fn settle(context: &Context<'_>, slot: u32, member: &Member) -> Option<MemberPart> {
    if !is_due(member, context.now_ms) {
        return None;
    }
    let through_s = member.due_s();
    let mut effects = Effects::new();
    // What opens now and is expired already comes next: each effect is of lots as they stand.
    let expired = member.lots().expiring(through_s);
    if expired > 0 {
        effects.push(Effect::Expired { points: expired, through_s });
    }
    let opened: i64 = member.pending().take_while(|pending| pending.opens_s <= through_s).map(|it| it.points).sum();
    if opened > 0 {
        effects.push(Effect::Opened { points: opened, through_s });
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
    while let Some(part) = settle(context, slot, &seen) {
        let at = seen.newest();
        seen.to_mut().apply(&part, at);
    }
    seen
}
