//! The sweep: writes into the ledger what time did to members who did not ask for anything since.
//!
//! Promises: nobody waits for it. Every decision and every view settles its member first, so that lots expire and open at
//! their instant however far behind the sweep is; only the programmes' totals wait for it, and the books say how far it
//! has come. Never: holds a shard's lock for more than a handful of members.

use std::sync::atomic::Ordering;

use super::Store;
use super::execute::MemberAt;
use super::members::Shard;
use super::place::Held;
use super::world::{Active, World};
use crate::engine::{Member, NEVER_S, second_of, stands};

/// Members settled under one lock, and such that are not due after all looked at.
const AT_ONCE: usize = 32;
const LOOK_AT_ONCE: usize = 1_024;

/// The share of what may wait undurable that the sweep leaves to requests: three quarters.
const UNDURABLE_SHARE: u64 = 4;

fn programme_of<'w>(world: &'w World, member: &Member) -> &'w Active {
    world.programme(member.programme()).expect("a member's programme never goes")
}

impl Store {
    /// Settles members who are due at `now_ms`, at most `most` of them; gives how many it did. None are left, or must wait
    /// for the disk, once it is fewer.
    pub fn sweep(&self, now_ms: i64, most: usize) -> usize {
        let mut swept = 0;
        for shard in 0..self.members.len() {
            let mut from = Some(0);
            while let Some(slot) = from
                && swept < most
                && self.undurable_bytes() < self.limits.undurable_bytes / UNDURABLE_SHARE
            {
                let settled;
                (settled, from) = self.sweep_some(shard, slot, now_ms, AT_ONCE.min(most - swept));
                swept += settled;
            }
        }
        swept
    }

    /// The instant that the sweep has reached: what time was to do before it is written down.
    pub fn swept_through_ms(&self) -> i64 {
        let due_s = self.members.iter().map(|place| place.lock().state.members.due_s()).min().unwrap_or(NEVER_S);
        i64::from(due_s) * 1000
    }

    /// Settles some members of a shard from a slot on; gives how many, and where to go on.
    fn sweep_some(&self, shard: usize, mut from: u32, now_ms: i64, most: usize) -> (usize, Option<u32>) {
        let mut held = self.members[shard].lock();
        let Held { state: Shard { world, members }, journal } = &mut *held;
        let now_ms = now_ms.max(journal.last_ms());
        let (epoch, before) = (self.epochs.filling(), journal.appended_bytes());
        let mut swept = 0;
        while swept < most
            && let Some(slot) = members.due_from(&mut from, second_of(now_ms), LOOK_AT_ONCE, |member| {
                !stands(&programme_of(world, member).context(now_ms), member)
            })
        {
            let active = programme_of(world, members.member(slot));
            MemberAt { members, journal, shard }.settle(&active.context(now_ms), slot, epoch, self.shape.lineage);
            swept += 1;
        }
        let left = ((from as usize) < members.len()).then_some(from);
        let appended = held.journal.appended_bytes() - before;
        self.counts.undurable_bytes.fetch_add(appended, Ordering::Relaxed);
        (swept, left)
    }
}
