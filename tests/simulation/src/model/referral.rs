//! Invitations: who may accept whose, and what both have of it.

use tidegate_protocol::code::answer;

use super::decide::{Change, Due, plain};
use super::judge::Bench;
use super::standing::{Counted, Under, What, first_day};
use super::{Member, Programme};
use crate::referral::{Qualifies, Referral};

/// What a member does that may qualify it.
pub(super) enum Deed<'a> {
    /// An order of which so much counts.
    Order(i64),
    /// An activity.
    Activity(&'a str),
}

impl Referral {
    fn admits(&self, tier: &str, member: &Member) -> bool {
        let all = self.tiers.is_empty() && self.tags.is_empty();
        all || self.tiers.contains(&tier) || self.tags.iter().any(|tag| member.tags.contains(tag))
    }
}

impl Bench<'_> {
    pub(super) fn accept(&self, key: u64, member: &Member, inviter_key: u64) -> Due {
        let programme = &*self.programme;
        let Some(rule) = &programme.rules.referral else { return plain(answer::NO_REFERRALS) };
        if inviter_key == key {
            return plain(answer::OWN_INVITATION);
        }
        let Some(inviter) = programme.members.get(&inviter_key) else { return plain(answer::NO_SUCH_INVITER) };
        if !member.holdings.plans.contains_key(&What::Invitable) {
            return plain(answer::NOT_INVITABLE);
        }
        if inviter.invitation.is_some_and(|(by, _)| by == key) {
            return plain(answer::OWN_INVITATION);
        }
        let mut seen = inviter.holdings.clone();
        seen.settle(&programme.under(), self.now.now_ms);
        if !rule.admits(seen.tier.expect("it is in a tier"), inviter) {
            return plain(answer::INVITER_NOT_ADMITTED);
        }
        let until_ms = (self.now.now_ms + rule.until_ms).div_euclid(1000) * 1000;
        Due::Apply(Change::Accept { inviter: inviter_key, until_ms })
    }

    /// Whether what a member does qualifies it now.
    pub(super) fn is_met(&self, deed: &Deed<'_>, happened_ms: i64) -> bool {
        let now_ms = self.now.now_ms.div_euclid(1000) * 1000;
        let member = &self.programme.members[&self.member];
        // In whole seconds.
        let since = happened_ms.div_euclid(1000) >= member.invited_ms.div_euclid(1000);
        let waits = since && member.invitation.is_some_and(|(_, until_ms)| until_ms > now_ms);
        let rule = self.programme.rules.referral.as_ref();
        waits
            && rule.is_some_and(|rule| match (rule.qualifies, deed) {
                (Qualifies::Order(least), Deed::Order(amount)) => *amount >= least,
                (Qualifies::Activity(slug), Deed::Activity(done)) => slug == *done,
                _ => false,
            })
    }
}

impl Programme {
    pub(super) fn under(&self) -> Under<'_> {
        Under { rules: &self.rules, clock: &self.clock, benefits: &self.benefits }
    }

    /// A member that somebody invited has qualified: what that one has of it.
    pub(super) fn introduce(&mut self, invitee: u64, now_ms: i64, epoch: u64) {
        let Programme { rules, clock, benefits, members, .. } = self;
        let under = Under { rules, clock, benefits };
        let (Some(rule), Some((inviter, _))) = (&rules.referral, members[&invitee].invitation) else { return };
        let member = members.get_mut(&inviter).expect("it was a member");
        member.changed = epoch;
        let held = &mut member.holdings;
        held.settle(&under, now_ms);
        let period = first_day(rule.each, clock.day(now_ms));
        let used = held.used(&Counted::Introduced, period);
        if used < i64::from(rule.times[held.tier_at(rules)]) {
            held.set_used(Counted::Introduced, period, used + 1);
            held.award(&under, &rule.inviter, "referral", now_ms);
        }
        held.stand(&under, now_ms);
    }
}
