//! Outcomes over two members: an invited member and its inviter, both held while they are decided, in one epoch (I1).
//!
//! Which member may be the second is known only after a look at the first: so first look, let go, lock both in the order of their shards,
//! and decide anew upon what is there then. An invitation never changes its inviter, so that the second is the right one still.

use tidegate_protocol::MemberKey;

use super::Store;
use super::execute::{MemberAt, Run};
use super::members::Shard;
use super::place::Held;
use super::prepare::{Asked, Once, Prepared};
use crate::engine::{self, Inviter};
use crate::programme::Qualifies;
use crate::sync::MutexGuard;

impl Run<'_> {
    /// The member beside the one who asks that this request could change, or must look at.
    #[inline(always)]
    pub(super) fn other_member(&self, held: &Held<Shard>, asked: &Prepared) -> Option<MemberKey> {
        let qualifies: fn(Qualifies) -> bool = match &asked.asked {
            Asked::AcceptInvitation(body) => return (body.inviter != body.member).then_some(body.inviter),
            Asked::ClaimOrder(..) => |rule| matches!(rule, Qualifies::Order(_)),
            Asked::Act(_) => |rule| matches!(rule, Qualifies::Activity(_)),
            Asked::Once(once, _) => match **once {
                Once::Activity(_) => |rule| matches!(rule, Qualifies::Activity(_)),
                Once::Order(_) | Once::Lines(_) => |rule| matches!(rule, Qualifies::Order(_)),
            },
            _ => return None,
        };
        let Held { state: Shard { world, members }, journal } = held;
        let active = world.programme(asked.programme)?;
        active.programme.referral.as_ref()?;
        let slot = members.find(asked.member_hash, asked.programme, asked.request.member)?;
        let context = active.context(self.now_ms.max(journal.last_ms()));
        engine::may_introduce(&context, members.member(slot), qualifies)
    }

    /// Decides a request with another member held beside its own.
    #[inline(never)]
    pub(super) fn pair(&mut self, asked: &Prepared, other: MemberKey) {
        let (store, now_ms) = (self.store, self.now_ms);
        let hash = store.shape.keys.member(asked.programme, other);
        let mut two = Two::lock(store, asked.shard as usize, Some(store.member_shard(hash)));
        let before = two.appended_bytes();
        self.now_ms = now_ms.max(two.last_ms());
        let inviter = self.inviter(two.other().0, asked, hash, other);
        self.introduced = None;
        self.request(&mut two.own, asked, inviter);
        if let Some((epoch, at_ms)) = self.introduced.take() {
            self.introduce(two.other(), asked.programme, asked.request.member, other, epoch, at_ms);
        }
        two.leave(self, before);
        self.now_ms = now_ms;
    }

    /// What is to be known of the other member; `None` if it is none.
    fn inviter(&self, held: &Held<Shard>, asked: &Prepared, hash: u64, other: MemberKey) -> Option<Inviter> {
        let Held { state: Shard { world, members }, journal } = held;
        let active = world.programme(asked.programme)?;
        let slot = members.find(hash, asked.programme, other)?;
        let context = active.context(self.now_ms.max(journal.last_ms()));
        let member = engine::seen_at(&context, slot, members.member(slot));
        Some(Inviter::of(&context, &member))
    }

    /// The inviter's part of an outcome that was decided at an instant, in its epoch.
    pub(super) fn introduce(
        &mut self,
        (held, shard): (&mut Held<Shard>, usize),
        programme: u32,
        invitee: MemberKey,
        inviter: MemberKey,
        epoch: u64,
        at_ms: i64,
    ) {
        let hash = self.store.shape.keys.member(programme, inviter);
        let Held { state: Shard { world, members }, journal } = held;
        let active = world.programme(programme).expect("programmes never go");
        // It was a member when it invited, and members never go; what a forged log says of it is no reason to fall.
        let Some(slot) = members.find(hash, programme, inviter) else { return };
        let context = active.context(at_ms.max(journal.last_ms()));
        let lineage = self.store.shape.lineage;
        let mut place = MemberAt { members, journal, shard };
        place.settle(&context, slot, epoch, lineage);
        let mut part = engine::introduce(&context, slot, place.members.member(slot), invitee);
        place.apply(lineage, &mut part, epoch, 0);
    }
}

/// A member's shard, and the one of another member beside it, which can be the same.
pub(super) struct Two<'a> {
    own: MutexGuard<'a, Held<Shard>>,
    own_shard: usize,
    beside: Option<(MutexGuard<'a, Held<Shard>>, usize)>,
}

impl<'a> Two<'a> {
    /// Locks them, in their order.
    pub(super) fn lock(store: &'a Store, own: usize, others: Option<usize>) -> Two<'a> {
        let lock = |shard: usize| store.members[shard].lock();
        let before = others.filter(|others| *others < own).map(|others| (lock(others), others));
        let held = lock(own);
        let beside = before.or_else(|| others.filter(|others| *others > own).map(|others| (lock(others), others)));
        Two { own: held, own_shard: own, beside }
    }

    /// The member's own shard.
    pub(super) fn own(&self) -> &Held<Shard> {
        &self.own
    }

    /// The other's shard, with its number.
    pub(super) fn other(&mut self) -> (&mut Held<Shard>, usize) {
        match &mut self.beside {
            Some((held, shard)) => (held, *shard),
            None => (&mut self.own, self.own_shard),
        }
    }

    /// Works upon the own shard's members.
    pub(super) fn own_at(&mut self, work: impl FnOnce(&mut MemberAt<'_>)) {
        let Held { state: Shard { members, .. }, journal } = &mut *self.own;
        work(&mut MemberAt { members, journal, shard: self.own_shard });
    }

    /// The instant of the last change in either.
    pub(super) fn last_ms(&self) -> i64 {
        let beside = self.beside.as_ref().map_or(i64::MIN, |(held, _)| held.journal.last_ms());
        self.own.journal.last_ms().max(beside)
    }

    /// Bytes appended to each so far.
    pub(super) fn appended_bytes(&self) -> (u64, u64) {
        let beside = self.beside.as_ref().map_or(0, |(held, _)| held.journal.appended_bytes());
        (self.own.journal.appended_bytes(), beside)
    }

    /// Both are left, see [`Run::leave`].
    pub(super) fn leave(self, run: &mut Run<'_>, before: (u64, u64)) {
        run.leave(&self.own, before.0);
        if let Some((held, _)) = &self.beside {
            run.leave(held, before.1);
        }
    }
}
