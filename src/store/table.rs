//! A table of a directory's shard: entries in slots, found by their natural keys.
//!
//! Promises: an entry stays in its slot; what comes from the log takes the slots that it took live. What is forgotten is still in its
//! slot until it is swept: whoever looks says which entries count.

use super::index::Index;
use super::slots::Slots;
use crate::engine::{KeptOrder, KeyEntry, NaturalKey};

/// Entries in a chunk: what a snapshot copies under one short lock.
pub const CHUNK: usize = 256;

/// What a table holds.
pub trait Keyed: Copy + Default + PartialEq {
    /// Its natural key.
    fn key(&self) -> &NaturalKey;
    /// Its programme's number; 0 in a free slot.
    fn programme(&self) -> u16;

    /// Whether it is what a free slot holds.
    fn is_free(&self) -> bool {
        self.programme() == 0
    }
}

impl Keyed for KeyEntry {
    fn key(&self) -> &NaturalKey {
        &self.key
    }

    fn programme(&self) -> u16 {
        self.programme
    }
}

impl Keyed for KeptOrder {
    fn key(&self) -> &NaturalKey {
        &self.key
    }

    fn programme(&self) -> u16 {
        self.programme
    }
}

/// Entries by slot and by key.
#[derive(Debug)]
pub struct Table<E> {
    slots: Slots<E, CHUNK>,
    /// By chunk, as far as they come from a snapshot: the place's sequence when it was copied.
    copied: Vec<u64>,
    index: Index,
    /// Slots that were free when they were put here; some may be taken again.
    free: Vec<u32>,
    live: usize,
}

impl<E> Default for Table<E> {
    fn default() -> Table<E> {
        let (slots, index) = (Slots::default(), Index::default());
        Table { slots, copied: Vec::new(), index, free: Vec::new(), live: 0 }
    }
}

/// The half of a fingerprint that finds it within its shard; the other half chose the shard.
fn within(key: &NaturalKey) -> u64 {
    u64::from_le_bytes(key[8..16].try_into().expect("eight bytes"))
}

impl<E: Keyed> Table<E> {
    /// Slots, free ones included.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Entries in slots, forgotten ones that are not swept yet included.
    pub fn live(&self) -> usize {
        self.live
    }

    /// The entry of a key that counts, and its slot. A key may come again once its first entry is forgotten: both can be here until the
    /// first is swept.
    pub fn find(&self, key: &NaturalKey, counts: impl Fn(&E) -> bool) -> Option<(u32, E)> {
        let is_it = |slot| self.slots[slot].key() == key && counts(&self.slots[slot]);
        self.index.find(within(key), is_it).map(|slot| (slot, self.slots[slot]))
    }

    /// Asks for the index's entry of a key ahead.
    pub fn expect(&self, key: &NaturalKey) {
        self.index.prefetch(within(key));
    }

    /// The slot that the next entry takes.
    pub fn free_slot(&mut self) -> u32 {
        while let Some(slot) = self.free.last() {
            if self.slots[*slot].is_free() {
                return *slot;
            }
            self.free.pop();
        }
        self.len() as u32
    }

    /// Puts an entry into its slot, in the place of what was there, unless the slot's chunk has it already.
    pub fn take(&mut self, slot: u32, entry: E, sequence: u64) {
        let copied = self.copied.get(slot as usize / CHUNK);
        if copied.is_none_or(|copied| sequence > *copied) {
            self.put(slot, entry);
        }
    }

    /// Makes sure that a slot is there; slots before it that are new are free.
    fn reserve(&mut self, slot: u32) {
        while self.len() <= slot as usize {
            let fresh = self.len() as u32;
            self.slots.push(E::default());
            if fresh != slot {
                self.free.push(fresh);
            }
        }
    }

    fn put(&mut self, slot: u32, entry: E) {
        self.reserve(slot);
        self.clear(slot);
        self.slots[slot] = entry;
        self.live += 1;
        self.index.insert(within(entry.key()), slot);
    }

    /// Empties a slot.
    fn clear(&mut self, slot: u32) {
        let entry = self.slots[slot];
        if entry.is_free() {
            return;
        }
        self.index.remove(within(entry.key()), slot);
        self.slots[slot] = E::default();
        self.live -= 1;
    }

    /// Frees the slots of a chunk's entries that do not count any more.
    pub fn sweep(&mut self, chunk: usize, counts: impl Fn(&E) -> bool) {
        let first = chunk * CHUNK;
        for slot in first..first + self.slots.chunk(chunk).len() {
            let slot = slot as u32;
            let entry = &self.slots[slot];
            if !entry.is_free() && !counts(entry) {
                self.clear(slot);
                self.free.push(slot);
            }
        }
    }

    /// Chunks, for a snapshot.
    pub fn chunks(&self) -> usize {
        self.slots.chunks()
    }

    /// The slots of a chunk.
    pub fn chunk(&self, number: usize) -> &[E] {
        self.slots.chunk(number)
    }

    /// Adds the next chunk as a snapshot holds it. `Err` if it cannot be the next.
    pub fn restore_chunk(&mut self, sequence: u64, entries: Vec<E>) -> Result<(), &'static str> {
        if entries.is_empty() || entries.len() > CHUNK || !self.len().is_multiple_of(CHUNK) {
            return Err("a chunk of orders that is empty, too long, or behind one that is not full");
        }
        let start = self.len() as u32;
        // All ahead, as members do.
        entries.iter().for_each(|entry| self.index.prefetch(within(entry.key())));
        for (at, entry) in entries.into_iter().enumerate() {
            let slot = start + at as u32;
            if entry.is_free() {
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
}
