//! Outcomes over two members: an invited member and its inviter, both held while they are decided, in one epoch (I1).
//!
//! Which member may be the second is known only after a look at the first: so first look, let go, lock both in the order of their shards,
//! and decide anew upon what is there then. An invitation never changes its inviter, so that the second is the right one still.

use tidegate_protocol::MemberKey;

use super::execute::{MemberAt, Run};
use super::members::Shard;
use super::place::Held;
use super::prepare::{Asked, Once, Prepared};
use crate::engine::{self, Inviter};
use crate::programme::Qualifies;

impl Run<'_> {
    /// The member beside the one who asks that this request could change, or must look at.
    #[inline(always)]
    pub(super) fn other_member(&self, held: &Held<Shard>, asked: &Prepared) -> Option<MemberKey> {
        let qualifies: fn(Qualifies) -> bool = match &asked.asked {
            Asked::AcceptInvitation(body) => return (body.inviter != body.member).then_some(body.inviter),
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
        let (own, others) = (asked.shard as usize, store.member_shard(hash));
        let (mut held, mut beside) = match own.cmp(&others) {
            std::cmp::Ordering::Less => {
                let held = store.members[own].lock();
                (held, Some(store.members[others].lock()))
            }
            std::cmp::Ordering::Equal => (store.members[own].lock(), None),
            std::cmp::Ordering::Greater => {
                let beside = store.members[others].lock();
                (store.members[own].lock(), Some(beside))
            }
        };
        let before = held.journal.appended_bytes();
        let before_beside = beside.as_ref().map_or(0, |beside| beside.journal.appended_bytes());
        if let Some(beside) = &beside {
            self.now_ms = now_ms.max(beside.journal.last_ms());
        }
        let inviter = self.inviter(beside.as_deref().unwrap_or(&held), asked, hash, other);
        self.introduced = None;
        self.request(&mut held, asked, inviter);
        if let Some((epoch, at_ms)) = self.introduced.take() {
            let place = beside.as_deref_mut().unwrap_or(&mut held);
            self.introduce(place, asked, others, (hash, other), epoch, at_ms);
        }
        self.leave(&held, before);
        if let Some(beside) = &beside {
            self.leave(beside, before_beside);
        }
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
    fn introduce(
        &mut self,
        held: &mut Held<Shard>,
        asked: &Prepared,
        shard: usize,
        (hash, other): (u64, MemberKey),
        epoch: u64,
        at_ms: i64,
    ) {
        let Held { state: Shard { world, members }, journal } = held;
        let active = world.programme(asked.programme).expect("programmes never go");
        // It was a member when it invited, and members never go; what a forged log says of it is no reason to fall.
        let Some(slot) = members.find(hash, asked.programme, other) else { return };
        let context = active.context(at_ms.max(journal.last_ms()));
        let lineage = self.store.shape.lineage;
        let mut place = MemberAt { members, journal, shard };
        place.settle(&context, slot, epoch, lineage);
        let mut part = engine::introduce(&context, slot, place.members.member(slot), asked.request.member);
        place.apply(lineage, &mut part, epoch, 0);
    }
}
