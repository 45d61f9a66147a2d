//! A shard of the directory: the keys of orders, unique over all members, and what more is kept of some of the orders.
//!
//! An order paid at or before its programme's mark counts as absent, and so does what was kept until the shard's own mark, whether or
//! not the slot is reused yet: what is swept away is no change of state and is not logged.

use super::table::Table;
use crate::engine::{DirectoryPart, KeptOrder, KeyEntry, NaturalKey};

/// The orders of a shard.
#[derive(Debug, Default)]
pub struct Directory {
    keys: Table<KeyEntry>,
    kept: Table<KeptOrder>,
    /// By programme number: orders paid at or before are forgotten.
    marks: Vec<i64>,
    marks_sequence: u64,
    /// What was kept until this second or before is forgotten.
    kept_mark_s: u32,
}

/// The hash whose low bits choose the shard of a fingerprint.
pub fn shard_hash(key: &NaturalKey) -> u64 {
    u64::from_le_bytes(key[0..8].try_into().expect("eight bytes"))
}

/// The instant at or before which a programme's orders are forgotten.
fn mark_ms(marks: &[i64], programme: u32) -> i64 {
    marks.get(programme as usize).copied().unwrap_or(i64::MIN)
}

fn is_remembered(marks: &[i64], entry: &KeyEntry) -> bool {
    entry.programme != 0 && entry.happened_ms() > mark_ms(marks, u32::from(entry.programme))
}

impl Directory {
    /// What it holds, forgotten entries that are not swept yet included: orders, and what is kept of some of them.
    pub fn live(&self) -> usize {
        self.keys.live() + self.kept.live()
    }

    /// The instant at or before which a programme's orders are forgotten.
    pub fn mark_ms(&self, programme: u32) -> i64 {
        mark_ms(&self.marks, programme)
    }

    /// The remembered order of a key.
    pub fn find(&self, key: &NaturalKey) -> Option<KeyEntry> {
        self.keys.find(key, |entry| is_remembered(&self.marks, entry)).map(|(_, entry)| entry)
    }

    /// Asks for what finds the order of a key ahead.
    pub fn expect(&self, key: &NaturalKey) {
        self.keys.expect(key);
    }

    /// What more is kept at a second of the order of a key.
    pub fn find_kept(&self, key: &NaturalKey, now_s: u32) -> Option<KeptOrder> {
        if self.kept.live() == 0 {
            return None;
        }
        let now_s = now_s.max(self.kept_mark_s);
        self.kept.find(key, |kept| kept.is_kept(now_s)).map(|(_, kept)| kept)
    }

    /// The slot that the next order takes.
    pub fn free_slot(&mut self) -> u32 {
        self.keys.free_slot()
    }

    /// Whether something was kept before of the order of a key, and its slot is still there.
    pub fn has_kept_slot(&self, key: &NaturalKey) -> bool {
        self.slot_before(key).is_some()
    }

    /// The slot in which something more is kept of the order of a key: that of what was kept of it before, if it is still there.
    pub fn kept_slot(&mut self, key: &NaturalKey) -> u32 {
        self.slot_before(key).unwrap_or_else(|| self.kept.free_slot())
    }

    /// Of one that counts and one that is forgotten, which a recovery can leave beside each other, the one that counts: two never do.
    fn slot_before(&self, key: &NaturalKey) -> Option<u32> {
        let counts = self.kept.find(key, |kept| kept.is_kept(self.kept_mark_s));
        counts.or_else(|| self.kept.find(key, |_| true)).map(|(slot, _)| slot)
    }

    /// Whether a part from the log fits: slots are taken one behind the other.
    pub fn takes(&self, part: &DirectoryPart) -> bool {
        match part {
            DirectoryPart::Taken { slot, entry, .. } => *slot as usize <= self.keys.len() && entry.programme != 0,
            DirectoryPart::Kept { slot, kept, .. } => *slot as usize <= self.kept.len() && kept.programme != 0,
            DirectoryPart::Forgot { .. } | DirectoryPart::KeptForgot { .. } => true,
        }
    }

    /// Makes the change that a part states, unless its slot's chunk has it already.
    pub fn apply(&mut self, part: &DirectoryPart, sequence: u64) {
        match part {
            DirectoryPart::Taken { slot, entry, .. } => self.keys.take(*slot, *entry, sequence),
            DirectoryPart::Kept { slot, kept, .. } => self.kept.take(*slot, **kept, sequence),
            DirectoryPart::Forgot { programme, through_ms, .. } => {
                if sequence > self.marks_sequence {
                    let number = *programme as usize;
                    if self.marks.len() <= number {
                        self.marks.resize(number + 1, i64::MIN);
                    }
                    self.marks[number] = self.marks[number].max(*through_ms);
                }
            }
            DirectoryPart::KeptForgot { through_s, .. } => self.raise_kept_mark(*through_s),
        }
    }

    /// Frees the slots of a chunk's forgotten orders.
    pub fn sweep(&mut self, chunk: usize) {
        let Directory { keys, marks, .. } = self;
        keys.sweep(chunk, |entry| is_remembered(marks, entry));
    }

    /// Frees the slots of a chunk of which nothing is kept any more.
    pub fn sweep_kept(&mut self, chunk: usize) {
        let mark_s = self.kept_mark_s;
        self.kept.sweep(chunk, |kept| kept.is_kept(mark_s));
    }

    /// Whether a programme has an order paid at or before an instant that is still remembered, in a chunk.
    pub fn has_older(&self, chunk: usize, programme: u32, through_ms: i64) -> bool {
        self.keys.chunk(chunk).iter().any(|entry| {
            u32::from(entry.programme) == programme
                && entry.happened_ms() <= through_ms
                && is_remembered(&self.marks, entry)
        })
    }

    /// Whether anything in a chunk was kept until a second and is not forgotten yet.
    pub fn has_kept_until(&self, chunk: usize, through_s: u32) -> bool {
        let mut due = self.kept.chunk(chunk).iter().filter(|kept| !kept.is_kept(through_s));
        due.any(|kept| kept.is_kept(self.kept_mark_s))
    }

    /// Chunks of orders.
    pub fn chunks(&self) -> usize {
        self.keys.chunks()
    }

    /// Chunks of what more is kept.
    pub fn kept_chunks(&self) -> usize {
        self.kept.chunks()
    }

    /// The slots of a chunk; forgotten orders count as free.
    pub fn chunk(&self, number: usize) -> impl Iterator<Item = KeyEntry> {
        let or_free = |entry: &KeyEntry| if is_remembered(&self.marks, entry) { *entry } else { KeyEntry::FREE };
        self.keys.chunk(number).iter().map(or_free)
    }

    /// The slots of a chunk; what is kept no more counts as free.
    pub fn kept_chunk(&self, number: usize) -> impl Iterator<Item = KeptOrder> {
        let or_free = |kept: &KeptOrder| if kept.is_kept(self.kept_mark_s) { *kept } else { KeptOrder::FREE };
        self.kept.chunk(number).iter().map(or_free)
    }

    /// The marks by programme number, for a snapshot.
    pub fn marks(&self) -> &[i64] {
        &self.marks
    }

    /// The second until which what was kept is forgotten.
    pub fn kept_mark_s(&self) -> u32 {
        self.kept_mark_s
    }

    /// Forgets what was kept until a second.
    pub fn raise_kept_mark(&mut self, through_s: u32) {
        self.kept_mark_s = self.kept_mark_s.max(through_s);
    }

    /// Adds the next chunk as a snapshot holds it. `Err` if it cannot be the next.
    pub fn restore_chunk(&mut self, sequence: u64, entries: Vec<KeyEntry>) -> Result<(), &'static str> {
        self.keys.restore_chunk(sequence, entries)
    }

    /// The same of what more is kept.
    pub fn restore_kept(&mut self, sequence: u64, kept: Vec<KeptOrder>) -> Result<(), &'static str> {
        self.kept.restore_chunk(sequence, kept)
    }

    /// Sets the marks as a snapshot holds them.
    pub fn restore_marks(&mut self, sequence: u64, marks: Vec<i64>) {
        (self.marks, self.marks_sequence) = (marks, sequence);
    }
}
