//! A shard of members: slots in chunks, so that growth never copies a shard, an index by key, and the pool of answers.

use std::sync::Arc;

use tidegate_protocol::{MemberKey, RequestId};

use super::index::Index;
use super::pool::{NONE, Pool, WINDOW};
use super::prefetch::{prefetch, prefetch_at};
use super::slots::Slots;
use super::world::World;
use crate::engine::{Change, Effect, LedgerAt, Member, MemberPart, NEVER_S, Pending, Remembered};

/// Members in a chunk: what a snapshot copies under one short lock.
pub const CHUNK: usize = 128;

/// How finely a member's newest id is told from later ones: 2^32 ticks are two years of uptime.
const TICK_MS: i64 = 16;

/// A member shard as its place holds it.
#[derive(Debug)]
pub struct Shard {
    /// The programmes in force, the same in every shard.
    pub world: Arc<World>,
    /// The members.
    pub members: Members,
}

/// Points of one programme in one shard. Issued = spent + expired + pending + held + live, live being the sum of balances (I6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Members enrolled.
    pub members: u64,
    /// Points issued, those that are pending included.
    pub issued: i64,
    /// Points spent.
    pub spent: i64,
    /// Points expired, as far as the sweep has come.
    pub expired: i64,
    /// Points earned: issued and opened.
    pub earned: i64,
}

impl Totals {
    /// Counts one effect. Sums are modulo 2^64, as the books compare them.
    fn count(&mut self, effect: &Effect) {
        let add = |sum: &mut i64, points: i64| *sum = sum.wrapping_add(points);
        match *effect {
            Effect::Granted { points, .. } => {
                add(&mut self.issued, points);
                add(&mut self.earned, points);
            }
            Effect::Pended(Pending { points, .. }) => add(&mut self.issued, points),
            Effect::Unpended { points, .. } => add(&mut self.issued, points.wrapping_neg()),
            Effect::Opened { points, .. } => add(&mut self.earned, points),
            Effect::Expired { points, .. } | Effect::HeldExpired { points, .. } => add(&mut self.expired, points),
            Effect::Spent { points } | Effect::HeldSpent { points, .. } => add(&mut self.spent, points),
            _ => {}
        }
    }
}

/// The members of a shard.
#[derive(Debug)]
pub struct Members {
    slots: Slots<Member, CHUNK>,
    /// By chunk, as far as they come from a snapshot: the place's sequence when it was copied. Parts at or below it are in it already.
    copied: Vec<u64>,
    /// By chunk: the second before which time changes none of its members.
    due_s: Vec<u32>,
    /// Slots below this one were looked at since the rules last changed.
    seen: u32,
    index: Index,
    pool: Pool,
    /// When the first id was minted that this shard ever remembered.
    first_id_ms: i64,
    totals: Vec<Totals>,
    totals_sequence: u64,
}

/// The part of a member's hash that finds it within its shard: the low bits chose the shard.
fn within(hash: u64) -> u64 {
    hash.rotate_right(24)
}

/// When an id was minted, in ticks since the first id of its shard; later ids never have smaller ticks.
fn tick(first_id_ms: i64, id: RequestId) -> u32 {
    let ticks = id.time_ms().saturating_sub(first_id_ms).max(0) / TICK_MS;
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// Remembers an answer of the member in a slot.
#[inline(always)]
fn remember(pool: &mut Pool, first_id_ms: &mut i64, slot: u32, member: &mut Member, answer: Remembered) {
    if pool.is_fresh() {
        *first_id_ms = answer.id.time_ms();
    }
    member.newest_tick = member.newest_tick.max(tick(*first_id_ms, answer.id));
    member.answers = pool.remember(slot, member.answers, answer);
    member.answers_held += 1;
}

/// Whether the member in a slot is the one of this key.
fn is_of(slots: &Slots<Member, CHUNK>, slot: u32, programme: u32, key: MemberKey) -> bool {
    let member = &slots[slot];
    member.key == key && member.programme() == programme
}

impl Members {
    /// No members yet; room for `answers` remembered answers.
    pub fn new(answers: usize) -> Members {
        Members {
            slots: Slots::default(),
            copied: Vec::new(),
            due_s: Vec::new(),
            seen: 0,
            index: Index::default(),
            pool: Pool::new(answers),
            first_id_ms: 0,
            totals: Vec::new(),
            totals_sequence: 0,
        }
    }

    /// How many members.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The slot that the next member takes.
    pub fn free_slot(&self) -> u32 {
        self.len() as u32
    }

    /// The member's slot, if it is enrolled.
    #[inline]
    pub fn find(&self, hash: u64, programme: u32, key: MemberKey) -> Option<u32> {
        self.index.find(within(hash), |slot| is_of(&self.slots, slot, programme, key))
    }

    /// Asks for the index's entry of a member ahead.
    pub fn expect_index(&self, hash: u64) {
        self.index.prefetch(within(hash));
    }

    /// Asks for a member ahead, once its index entry is at hand.
    pub fn expect_member(&self, hash: u64) {
        // Without a look at the key, which is what is not at hand yet: the hash is nearly always enough.
        if let Some(slot) = self.index.find(within(hash), |_| true) {
            prefetch(self.member(slot));
        }
    }

    /// Asks for the answer whose owner will forget for the `nth` that needs the pool's room.
    pub fn expect_oldest(&self, nth: u32) {
        self.pool.expect_victim(nth);
    }

    /// Asks for the points of the member of this hash, and for the member that will forget for it, once that and the oldest answers are at hand; gives its slot,
    /// or [`NONE`] if that cannot be told. A member with a full window forgets by itself; `nth` counts those that do not.
    pub fn expect_who_forgets(&self, hash: u64, nth: &mut u32) -> u32 {
        let slot = self.index.find(within(hash), |_| true);
        if let Some(slot) = slot {
            // Its points too, where they stand elsewhere.
            if let Some(lots) = self.member(slot).lots().many_at() {
                prefetch_at(lots);
            }
            if self.has_full_window(slot) {
                return slot;
            }
        }
        let owner = self.pool.victim(*nth).unwrap_or(NONE);
        *nth += 1;
        if owner != NONE {
            prefetch(self.member(owner));
        }
        owner
    }

    /// Asks for the newest of the answers among which the one to be forgotten is looked for, once that member is at hand; gives
    /// its node and how many there are.
    pub fn expect_newest(&self, slot: u32) -> (u32, u8) {
        let member = self.member(slot);
        self.pool.expect_answer(member.answers);
        (member.answers, member.answers_held)
    }

    /// Asks for the answer before one that is at hand, and gives its node.
    pub fn expect_older(&self, node: u32) -> u32 {
        self.pool.expect_older(node)
    }

    /// The member in a slot.
    pub fn member(&self, slot: u32) -> &Member {
        &self.slots[slot]
    }

    /// The answers remembered for a member, newest first.
    pub fn answers(&self, slot: u32) -> impl Iterator<Item = &Remembered> {
        self.pool.answers(self.member(slot).answers)
    }

    /// Those of a member's answers that can have an id: none, if it was minted after all of them. That spares most
    /// requests the way to the pool, which is a walk through cold memory.
    #[inline(always)]
    pub fn answers_like(&self, member: &Member, id: RequestId) -> impl Iterator<Item = &Remembered> {
        let later = tick(self.first_id_ms, id) > member.newest_tick;
        self.pool.answers(if later { NONE } else { member.answers })
    }

    /// Who forgets, so that the member in `slot` (or the new one to be there) can have one more answer.
    pub fn room_for_answer(&mut self, slot: u32) -> Option<u32> {
        let new = slot == self.free_slot();
        if !new && self.has_full_window(slot) { Some(slot) } else { self.pool.room() }
    }

    fn has_full_window(&self, slot: u32) -> bool {
        usize::from(self.member(slot).answers_held) >= WINDOW
    }

    /// Points by programme number.
    pub fn totals(&self) -> &[Totals] {
        &self.totals
    }

    /// Makes the change that a part states, but for slots whose chunk has it already. `hash` is that of a new member.
    pub fn apply(&mut self, part: &MemberPart, sequence: u64, at: LedgerAt, lineage: u16, hash: u64) {
        if let Some(victim) = part.forgets.filter(|slot| self.is_ahead(sequence, *slot)) {
            let member = &mut self.slots[victim];
            let (newest, forgotten) = self.pool.forget(member.answers);
            member.answers = newest;
            member.answers_held -= 1;
            member.forget(forgotten.id);
        }
        if self.is_ahead(sequence, part.slot) {
            if let Change::Enrolled { programme, key } = part.change {
                self.push(Member::new(programme, key), hash);
            }
            let member = &mut self.slots[part.slot];
            member.apply(part, at);
            let due = &mut self.due_s[part.slot as usize / CHUNK];
            *due = member.due_s().min(*due);
            if let Some(answer) = Remembered::from_part(part, sequence, lineage) {
                remember(&mut self.pool, &mut self.first_id_ms, part.slot, member, answer);
            }
        }
        if sequence > self.totals_sequence {
            self.total(part);
        }
    }

    /// Whether a part from the log fits: its slots are there, nobody enrols twice, and whoever is to forget remembers something. `hash`
    /// is that of a new member.
    pub fn takes(&self, part: &MemberPart, sequence: u64, hash: u64) -> bool {
        let len = self.len() as u32;
        let fits = match part.change {
            _ if !self.is_ahead(sequence, part.slot) => part.slot < len,
            Change::Enrolled { programme, key } => {
                let new = || u16::try_from(programme).is_ok() && Member::new(programme, key).takes(part);
                part.slot == len && new() && self.find(hash, programme, key).is_none()
            }
            _ if !part.is_remembered() => part.slot < len && self.member(part.slot).takes(part),
            _ => part.slot < len && self.member(part.slot).takes(part) && self.has_room(part),
        };
        let forgets = part.forgets.filter(|slot| self.is_ahead(sequence, *slot));
        fits && forgets.is_none_or(|slot| slot < len && self.member(slot).answers != NONE)
    }

    /// Whether the member can have the part's answer, once it forgot what the part says.
    fn has_room(&self, part: &MemberPart) -> bool {
        let held = usize::from(self.member(part.slot).answers_held);
        held - usize::from(held > 0 && part.forgets == Some(part.slot)) < WINDOW
    }

    /// Whether a part is newer than the copy of the slot's chunk.
    fn is_ahead(&self, sequence: u64, slot: u32) -> bool {
        self.copied.get(slot as usize / CHUNK).is_none_or(|copied| sequence > *copied)
    }

    fn push(&mut self, member: Member, hash: u64) {
        let slot = self.free_slot();
        self.put(member);
        self.index.insert(within(hash), slot);
    }

    fn put(&mut self, member: Member) {
        self.slots.push(member);
        self.due_s.resize(self.slots.chunks(), NEVER_S);
    }

    fn total(&mut self, part: &MemberPart) {
        let number = match part.change {
            Change::Enrolled { programme, .. } => programme,
            _ => self.member(part.slot).programme(),
        } as usize;
        if self.totals.len() <= number {
            self.totals.resize(number + 1, Totals::default());
        }
        let totals = &mut self.totals[number];
        if matches!(part.change, Change::Enrolled { .. }) {
            totals.members = totals.members.wrapping_add(1);
        }
        part.effects.iter().for_each(|effect| totals.count(effect));
    }

    /// Notes when time changes a member next.
    fn expect_due(&mut self, slot: u32, due_s: u32) {
        let due = &mut self.due_s[slot as usize / CHUNK];
        *due = due_s.min(*due);
    }

    /// The second before which time changes nobody here: all that was due before it is in the totals.
    pub fn due_s(&self) -> u32 {
        self.due_s.iter().copied().min().unwrap_or(NEVER_S)
    }

    /// Has every member looked at by the next sweep, whether or not it is due.
    pub fn look_again(&mut self) {
        self.seen = 0;
    }

    /// A member that enrolled under the rules in force stands as they say.
    pub fn enrolled(&mut self, slot: u32) {
        if slot == self.seen {
            self.seen += 1;
        }
    }

    /// Whether every member was looked at since.
    pub fn are_all_seen(&self) -> bool {
        self.seen as usize >= self.len()
    }

    /// A member that is due by a second, or strays from the rules, looked for from a slot on, and through at most so many members that
    /// do neither; moves the slot on to where it stopped, which is the end once none is left.
    ///
    /// A chunk that was looked through to its end is as late from then on as its first member is. Whether members stray is asked once
    /// of each, in the order of their slots, until [`Members::look_again`].
    pub fn due_from(
        &mut self,
        from: &mut u32,
        now_s: u32,
        most: usize,
        strays: impl Fn(&Member) -> bool,
    ) -> Option<u32> {
        let mut looked = 0;
        while (*from as usize) < self.len() && looked <= most {
            let (chunk, within) = (*from as usize / CHUNK, *from as usize % CHUNK);
            let (members, seen) = (self.slots.chunk(chunk), self.seen);
            let first = (chunk * CHUNK) as u32;
            if self.due_s[chunk] <= now_s || seen < first + members.len() as u32 {
                let due = |(at, member): (usize, &Member)| {
                    member.due_s() <= now_s || first + at as u32 >= seen && strays(member)
                };
                let found = members.iter().enumerate().skip(within).position(due).map(|at| within + at);
                let until = first + found.unwrap_or(members.len()) as u32;
                if *from <= seen {
                    self.seen = until.max(seen);
                }
                if let Some(at) = found {
                    *from = first + at as u32;
                    return Some(*from);
                }
                self.due_s[chunk] = members.iter().map(Member::due_s).min().unwrap_or(NEVER_S);
                looked += members.len();
            }
            *from = ((chunk + 1) * CHUNK) as u32;
        }
        None
    }

    /// Chunks, for a snapshot.
    pub fn chunks(&self) -> usize {
        self.slots.chunks()
    }

    /// The members of a chunk with their answers, oldest answer first.
    pub fn chunk(&self, number: usize) -> impl Iterator<Item = (&Member, Vec<&Remembered>)> {
        self.slots.chunk(number).iter().map(|member| {
            let mut answers: Vec<&Remembered> = self.pool.answers(member.answers).collect();
            answers.sort_unstable_by_key(|answer| answer.sequence);
            (member, answers)
        })
    }

    /// Adds the next chunk as a snapshot holds it, with its members' hashes. `Err` if it cannot be the next.
    pub fn restore_chunk(
        &mut self,
        sequence: u64,
        members: Vec<(Member, Vec<Remembered>)>,
        hashes: &[u64],
    ) -> Result<(), &'static str> {
        if members.is_empty() || members.len() > CHUNK || !self.len().is_multiple_of(CHUNK) {
            return Err("a chunk of members that is empty, too long, or behind one that is not full");
        }
        // They are copied by their sequence, and what comes from the log lies behind.
        let follow = |answers: &[Remembered]| {
            answers.is_sorted_by(|one, next| one.sequence < next.sequence)
                && answers.last().is_none_or(|last| last.sequence <= sequence)
        };
        if !members.iter().all(|(_, answers)| follow(answers)) {
            return Err("answers of a member that do not follow each other, or come from behind the section");
        }
        // All ahead: the index is larger than any cache, and one look-up behind the other was half of a recovery.
        hashes.iter().for_each(|hash| self.expect_index(*hash));
        for ((member, answers), hash) in members.into_iter().zip(hashes) {
            let slot = self.free_slot();
            let (programme, key, due_s) = (member.programme(), member.key, member.due_s());
            self.put(member);
            self.expect_due(slot, due_s);
            let Members { slots, index, .. } = self;
            if !index.insert_unless(within(*hash), slot, |other| is_of(slots, other, programme, key)) {
                return Err("a member that is there twice");
            }
            let Members { slots, pool, first_id_ms, .. } = self;
            for answer in answers {
                remember(pool, first_id_ms, slot, &mut slots[slot], answer);
            }
        }
        self.copied.resize(self.slots.chunks(), 0);
        *self.copied.last_mut().expect("a chunk is not empty") = sequence;
        Ok(())
    }

    /// Sets the totals as a snapshot holds them.
    pub fn restore_totals(&mut self, sequence: u64, totals: Vec<Totals>) {
        (self.totals, self.totals_sequence) = (totals, sequence);
    }

    /// Whether as many members are here as the totals count.
    pub fn are_all_here(&self) -> bool {
        self.totals.iter().fold(0u64, |sum, totals| sum.wrapping_add(totals.members)) == self.len() as u64
    }
}
