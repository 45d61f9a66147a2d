//! The pool of remembered answers of one shard: bounded, shared by its members, forgetting the oldest first.
//!
//! Promises: a member has at most [`WINDOW`] answers; which member forgets to make room is chosen here, but named in
//! the outcome, so that recovery needs no policy. Its indices stand in no format and no hash.

use super::prefetch::prefetch;
use super::slots::Slots;
use crate::engine::Remembered;

/// The most answers remembered for one member.
pub const WINDOW: usize = 4;

/// No node.
pub const NONE: u32 = u32::MAX;

const CHUNK: usize = 128;

#[derive(Debug, Clone, Default)]
struct Node {
    answer: Remembered,
    /// The member's slot; [`NONE`] while the node is free.
    owner: u32,
    /// The member's answer before this one, or the next free node.
    older: u32,
}

/// The nodes of a shard.
#[derive(Debug, Default)]
pub struct Pool {
    slots: Slots<Node, CHUNK>,
    free: Option<u32>,
    live: usize,
    capacity: usize,
    hand: u32,
}

impl Pool {
    /// A pool that remembers `capacity` answers.
    pub fn new(capacity: usize) -> Pool {
        Pool { capacity: capacity.max(1), ..Pool::default() }
    }

    /// Whether nothing was ever remembered.
    pub fn is_fresh(&self) -> bool {
        self.slots.len() == 0
    }

    #[cfg(test)]
    fn live(&self) -> usize {
        self.live
    }

    fn node(&self, at: u32) -> &Node {
        &self.slots[at]
    }

    fn node_mut(&mut self, at: u32) -> &mut Node {
        &mut self.slots[at]
    }

    fn nodes(&self) -> u32 {
        self.slots.len() as u32
    }

    /// A member's answers from its `newest` node on, newest first.
    pub fn answers(&self, newest: u32) -> impl Iterator<Item = &Remembered> {
        let mut at = newest;
        std::iter::from_fn(move || {
            let node = (at != NONE).then(|| self.node(at))?;
            at = node.older;
            Some(&node.answer)
        })
    }

    /// Who must forget its smallest id, so that some member can have one more answer.
    pub fn room(&mut self) -> Option<u32> {
        if self.live < self.capacity {
            return None;
        }
        loop {
            let at = self.hand;
            self.hand = if at + 1 < self.nodes() { at + 1 } else { 0 };
            let owner = self.node(at).owner;
            if owner != NONE {
                return Some(owner);
            }
        }
    }

    /// The node that will be forgotten for the `nth` answer from now, if the pool is full.
    fn upcoming(&self, nth: u32) -> Option<&Node> {
        let (at, nodes) = (self.hand + nth, self.nodes());
        let at = if at < nodes { at } else { at.checked_sub(nodes)? };
        (self.live >= self.capacity && at < nodes).then(|| self.node(at))
    }

    /// Asks for it ahead.
    pub fn expect_victim(&self, nth: u32) {
        if let Some(node) = self.upcoming(nth) {
            prefetch(node);
        }
    }

    /// Asks for an answer ahead.
    pub fn expect_answer(&self, at: u32) {
        if at != NONE {
            prefetch(self.node(at));
        }
    }

    /// Asks for the one before an answer ahead, and gives its node.
    pub fn expect_older(&self, at: u32) -> u32 {
        let older = if at == NONE { NONE } else { self.node(at).older };
        self.expect_answer(older);
        older
    }

    /// Whose it is.
    pub fn victim(&self, nth: u32) -> Option<u32> {
        self.upcoming(nth).map(|node| node.owner).filter(|owner| *owner != NONE)
    }

    /// Adds an answer; gives the member's new newest node.
    #[inline(always)]
    pub fn remember(&mut self, owner: u32, newest: u32, answer: Remembered) -> u32 {
        let node = Node { answer, owner, older: newest };
        self.live += 1;
        if let Some(at) = self.free {
            let next = self.node(at).older;
            self.free = (next != NONE).then_some(next);
            *self.node_mut(at) = node;
            return at;
        }
        self.slots.push(node);
        self.nodes() - 1
    }

    /// Forgets the smallest id of a member; gives its new newest node and the id.
    pub fn forget(&mut self, newest: u32) -> (u32, Remembered) {
        let (mut at, mut before) = (newest, NONE);
        let (mut smallest, mut before_smallest) = (newest, NONE);
        while at != NONE {
            if self.node(at).answer.id < self.node(smallest).answer.id {
                (smallest, before_smallest) = (at, before);
            }
            (before, at) = (at, self.node(at).older);
        }
        let Node { answer, older, .. } = self.node(smallest).clone();
        let newest = if before_smallest == NONE { older } else { newest };
        if before_smallest != NONE {
            self.node_mut(before_smallest).older = older;
        }
        let next = self.free.unwrap_or(NONE);
        let node = self.node_mut(smallest);
        (node.owner, node.older) = (NONE, next);
        self.free = Some(smallest);
        self.live -= 1;
        (newest, answer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_protocol::RequestId;

    use super::*;

    fn answer(ms: i64) -> Remembered {
        let id = RequestId::mint(ms, [0; 10]);
        Remembered { id, hash: 0, sequence: 0, after: 0, change: 0, detail: 0, version: 0, code: 1, lineage: 0 }
    }

    proptest! {
        #[test]
        fn a_pool_holds_what_a_plain_list_holds(steps in prop::collection::vec((0u32..6, 0i64..1000), 1..300)) {
            let capacity = 8;
            let mut pool = Pool::new(capacity);
            let mut newest = [NONE; 6];
            let mut plain: [Vec<i64>; 6] = Default::default();
            for (slot, ms) in steps {
                let member = slot as usize;
                if plain[member].contains(&ms) {
                    continue;
                }
                let full = plain[member].len() >= WINDOW;
                if let Some(victim) = if full { Some(slot) } else { pool.room() } {
                    let victim = victim as usize;
                    let (rest, forgotten) = pool.forget(newest[victim]);
                    newest[victim] = rest;
                    let smallest = *plain[victim].iter().min().unwrap();
                    prop_assert_eq!(forgotten.id.time_ms(), smallest);
                    plain[victim].retain(|kept| *kept != smallest);
                }
                newest[member] = pool.remember(slot, newest[member], answer(ms));
                plain[member].insert(0, ms);
                prop_assert!(pool.live() <= capacity);
                for (member, expected) in plain.iter().enumerate() {
                    let kept: Vec<i64> = pool.answers(newest[member]).map(|kept| kept.id.time_ms()).collect();
                    prop_assert!(kept.len() <= WINDOW);
                    prop_assert_eq!(&kept, expected);
                }
            }
        }
    }
}
