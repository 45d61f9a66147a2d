//! Invitations: a new member says who invited it; once it qualifies, both have something of it, in one outcome over two members (I1).
//!
//! Promises: an invitation is rewarded once, however often the member qualifies; an inviter has no more of them than the programme
//! allows, and the invited member has its own all the same. Who decides holds both members.

use tidegate_protocol::MemberKey;
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::AcceptInvitation;

use super::Context;
use super::counters::Counter;
use super::draft::{Asker, Draft, counted};
use super::effect::Effect;
use super::lots::{NEVER_S, second_of};
use super::member::Member;
use super::part::{Change, MemberPart};
use super::plans::Plan;
use super::refusal::Refusal;
use crate::programme::{Deed, Qualifies, source};

/// What a member was invited by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// The member who invited it.
    pub inviter: MemberKey,
    /// The second until which it has to qualify; 0 once it has.
    pub until_s: u32,
    /// The second in which it accepted.
    pub since_s: u32,
}

/// What is to be known of who is said to have invited a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inviter {
    /// Whether its tier or a tag lets it invite.
    admitted: bool,
    /// Who invited it.
    invited_by: Option<MemberKey>,
}

impl Inviter {
    /// What is to be known of a member that was settled.
    pub fn of(context: &Context<'_>, member: &Member) -> Inviter {
        let programme = context.programme;
        let tier = programme.tier_numbered(member.tier).unwrap_or(0);
        let admitted = programme.referral.as_ref().is_some_and(|rule| rule.admits(tier, member.tags()));
        Inviter { admitted, invited_by: member.invitation().map(|invitation| invitation.inviter) }
    }
}

/// Whether what a member is about to ask could end with its inviter having something too, so that both must be held: `deed` tells whether
/// it asks for something of the kind that qualifies.
pub fn may_introduce(
    context: &Context<'_>,
    member: &Member,
    deed: impl FnOnce(Qualifies) -> bool,
) -> Option<MemberKey> {
    let rule = context.programme.referral.as_ref()?;
    let invitation = member.invitation().filter(|it| it.until_s > second_of(context.now_ms))?;
    deed(rule.qualifies).then_some(invitation.inviter)
}

/// Decides that a member was invited by another, who is none if it is no member.
pub fn accept_invitation(asker: Asker<'_>, inviter: Option<Inviter>, body: &AcceptInvitation) -> Result<(), Refusal> {
    let Asker { context, member, .. } = asker;
    let rule = context.programme.referral.as_ref().ok_or(Refusal::Plain(answer::NO_REFERRALS))?;
    if body.inviter == member.key {
        return Err(Refusal::Plain(answer::OWN_INVITATION));
    }
    let inviter = inviter.ok_or(Refusal::Plain(answer::NO_SUCH_INVITER))?;
    if member.plan_s(Plan::INVITABLE).is_none() {
        return Err(Refusal::Plain(answer::NOT_INVITABLE));
    }
    if inviter.invited_by == Some(member.key) {
        return Err(Refusal::Plain(answer::OWN_INVITATION));
    }
    if !inviter.admitted {
        return Err(Refusal::Plain(answer::INVITER_NOT_ADMITTED));
    }
    let until_s = second_of(context.now_ms.saturating_add(rule.until_ms)).min(NEVER_S - 1);
    let change = Change::Invited { inviter: body.inviter, until_s };
    let mut draft = Draft::asked(asker, change);
    draft.effect(Effect::Planned(Plan { what: Plan::INVITABLE, at_s: NEVER_S }));
    draft.effect(Effect::Invited { inviter: body.inviter });
    draft.effect(Effect::InvitedUntil { until_s });
    if rule.qualifies == Qualifies::AtOnce {
        draft.introduced();
    }
    draft.finish();
    Ok(())
}

/// The inviter's part of an outcome by which a member it invited has qualified.
pub fn introduce(context: &Context<'_>, slot: u32, inviter: &Member, invitee: MemberKey) -> MemberPart {
    let part = Draft::unasked(context, slot, inviter, context.now_ms, |draft| {
        draft.introduces(invitee);
        Some(())
    });
    part.expect("nothing here gives up")
}

/// How often an inviter has had something in the period of now, and how often it can.
pub fn introductions(context: &Context<'_>, member: &Member) -> (u32, u32) {
    let programme = context.programme;
    let Some(rule) = &programme.referral else { return (0, 0) };
    let tier = programme.tier_numbered(member.tier).unwrap_or(0);
    let period = rule.each.first_day(programme.zone.local_day(context.now_ms));
    (member.used(counted::INTRODUCED, 0, period), rule.times[tier])
}

impl Draft<'_> {
    /// A member has done something that may qualify it: since it was invited, and in time.
    pub(super) fn qualifies(&mut self, deed: Deed, happened_ms: i64) {
        let now_s = second_of(self.context.now_ms);
        let waits = self
            .member
            .invitation()
            .is_some_and(|invitation| invitation.until_s > now_s && second_of(happened_ms) >= invitation.since_s);
        if waits && self.context.programme.referral.as_ref().is_some_and(|rule| rule.is_met(deed)) {
            self.introduced();
        }
    }

    fn introduced(&mut self) {
        self.effect(Effect::InvitedUntil { until_s: 0 });
        if let Some(rule) = &self.context.programme.referral {
            self.award(&rule.invitee, source::REFERRAL);
        }
    }

    fn introduces(&mut self, invitee: MemberKey) {
        self.change(Change::Introduced { invitee });
        let programme = self.context.programme;
        let Some(rule) = &programme.referral else { return };
        let period = rule.each.first_day(programme.zone.local_day(self.at_ms));
        let used = self.used(counted::INTRODUCED, 0, period);
        if used < rule.times[self.tier] {
            self.count(Counter { campaign: counted::INTRODUCED, offer: 0, period, used: used + 1 });
            self.award(&rule.inviter, source::REFERRAL);
        }
    }
}
