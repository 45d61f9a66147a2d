//! A shard of the directory: the keys of orders, unique over all members, remembered by when they were paid.
//!
//! An order paid at or before its programme's mark counts as absent, whether or not its slot is reused yet: what is
//! swept away is no change of state and is not logged.

use super::index::Index;
use super::slots::Slots;
use crate::engine::{DirectoryPart, KeyEntry, NaturalKey};

/// Orders in a chunk: what a snapshot copies under one short lock.
pub const CHUNK: usize = 256;

/// The orders of a shard.
#[derive(Debug, Default)]
pub struct Directory {
    /// Programme 0 marks a free one.
    slots: Slots<KeyEntry, CHUNK>,
    /// By chunk, as far as they come from a snapshot: the place's sequence when it was copied.
    copied: Vec<u64>,
    index: Index,
    /// Slots that were free when they were put here; some may be taken again.
    free: Vec<u32>,
    /// By programme number: orders paid at or before are forgotten.
    marks: Vec<i64>,
    marks_sequence: u64,
    live: usize,
}

/// The half of a fingerprint that finds it within its shard; the other half chose the shard.
fn within(key: &NaturalKey) -> u64 {
    u64::from_le_bytes(key[8..16].try_into().expect("eight bytes"))
}

/// The hash whose low bits choose the shard of a fingerprint.
pub fn shard_hash(key: &NaturalKey) -> u64 {
    u64::from_le_bytes(key[0..8].try_into().expect("eight bytes"))
}

const FREE: KeyEntry = KeyEntry::FREE;

impl Directory {
    /// Slots, free ones included.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    fn entry(&self, slot: u32) -> &KeyEntry {
        &self.slots[slot]
    }

    /// Orders in slots, forgotten ones that are not swept yet included.
    pub fn live(&self) -> usize {
        self.live
    }

    /// The instant at or before which a programme's orders are forgotten.
    pub fn mark_ms(&self, programme: u32) -> i64 {
        self.marks.get(programme as usize).copied().unwrap_or(i64::MIN)
    }

    /// The remembered order of a key.
    pub fn find(&self, key: &NaturalKey) -> Option<KeyEntry> {
        // A number may be used again once its first order is forgotten: both can be here until the first is swept.
        let is_it = |slot| self.entry(slot).key == *key && self.is_remembered(self.entry(slot));
        self.index.find(within(key), is_it).map(|slot| *self.entry(slot))
    }

    fn is_remembered(&self, entry: &KeyEntry) -> bool {
        entry.programme != 0 && entry.happened_ms() > self.mark_ms(u32::from(entry.programme))
    }

    /// The slot that the next order takes.
    pub fn free_slot(&mut self) -> u32 {
        while let Some(slot) = self.free.last() {
            if self.entry(*slot).programme == 0 {
                return *slot;
            }
            self.free.pop();
        }
        self.len() as u32
    }

    /// Whether a part from the log fits: slots are taken one behind the other.
    pub fn takes(&self, part: &DirectoryPart) -> bool {
        match part {
            DirectoryPart::Taken { slot, entry, .. } => *slot as usize <= self.len() && entry.programme != 0,
            DirectoryPart::Forgot { .. } => true,
        }
    }

    /// Makes the change that a part states, unless its slot's chunk has it already.
    pub fn apply(&mut self, part: &DirectoryPart, sequence: u64) {
        match part {
            DirectoryPart::Taken { slot, entry, .. } => {
                let copied = self.copied.get(*slot as usize / CHUNK);
                if copied.is_none_or(|copied| sequence > *copied) {
                    self.put(*slot, *entry);
                }
            }
            DirectoryPart::Forgot { programme, through_ms, .. } => {
                if sequence > self.marks_sequence {
                    let number = *programme as usize;
                    if self.marks.len() <= number {
                        self.marks.resize(number + 1, i64::MIN);
                    }
                    self.marks[number] = self.marks[number].max(*through_ms);
                }
            }
        }
    }

    /// Makes sure that a slot is there; slots before it that are new are free.
    fn reserve(&mut self, slot: u32) {
        while self.len() <= slot as usize {
            let fresh = self.len() as u32;
            self.slots.push(FREE);
            if fresh != slot {
                self.free.push(fresh);
            }
        }
    }

    fn put(&mut self, slot: u32, entry: KeyEntry) {
        self.reserve(slot);
        self.clear(slot);
        self.slots[slot] = entry;
        self.live += 1;
        self.index.insert(within(&entry.key), slot);
    }

    /// Empties a slot.
    fn clear(&mut self, slot: u32) {
        let entry = *self.entry(slot);
        if entry.programme == 0 {
            return;
        }
        self.index.remove(within(&entry.key), slot);
        self.slots[slot] = FREE;
        self.live -= 1;
    }

    /// Frees the slots of a chunk's forgotten orders.
    pub fn sweep(&mut self, chunk: usize) {
        let first = chunk * CHUNK;
        for slot in first..first + self.slots.chunk(chunk).len() {
            let slot = slot as u32;
            let entry = *self.entry(slot);
            if entry.programme != 0 && !self.is_remembered(&entry) {
                self.clear(slot);
                self.free.push(slot);
            }
        }
    }

    /// Whether a programme has an order paid at or before an instant that is still remembered, in a chunk.
    pub fn has_older(&self, chunk: usize, programme: u32, through_ms: i64) -> bool {
        self.slots.chunk(chunk).iter().any(|entry| {
            u32::from(entry.programme) == programme && entry.happened_ms() <= through_ms && self.is_remembered(entry)
        })
    }

    /// Chunks, for a snapshot.
    pub fn chunks(&self) -> usize {
        self.slots.chunks()
    }

    /// The slots of a chunk; forgotten orders count as free.
    pub fn chunk(&self, number: usize) -> impl Iterator<Item = KeyEntry> {
        self.slots.chunk(number).iter().map(|entry| if self.is_remembered(entry) { *entry } else { FREE })
    }

    /// The marks by programme number, for a snapshot.
    pub fn marks(&self) -> &[i64] {
        &self.marks
    }

    /// Adds the next chunk as a snapshot holds it. `Err` if it cannot be the next.
    pub fn restore_chunk(&mut self, sequence: u64, entries: Vec<KeyEntry>) -> Result<(), &'static str> {
        if entries.is_empty() || entries.len() > CHUNK || !self.len().is_multiple_of(CHUNK) {
            return Err("a chunk of orders that is empty, too long, or behind one that is not full");
        }
        let start = self.len() as u32;
        // All ahead, as members do.
        entries.iter().for_each(|entry| self.index.prefetch(within(&entry.key)));
        for (at, entry) in entries.into_iter().enumerate() {
            let slot = start + at as u32;
            if entry.programme == 0 {
                self.reserve(slot);
                self.free.push(slot);
            } else {
                self.put(slot, entry);
            }
        }
        self.copied.resize(self.slots.chunks(), 0);
        *self.copied.last_mut().expect("a chunk is not empty") = sequence;
        Ok(())
    }

    /// Sets the marks as a snapshot holds them.
    pub fn restore_marks(&mut self, sequence: u64, marks: Vec<i64>) {
        (self.marks, self.marks_sequence) = (marks, sequence);
    }
}
