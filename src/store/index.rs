//! From a hash to a slot: open addressing with linear probing over eight-byte entries, so that a look-up is one cache
//! line, which can be asked for ahead, and growth never looks at what the slots hold.
//!
//! hashbrown's table was measured first: it takes two lines that nobody can ask for ahead, which cost a third of a turn.
//! Growth is by a quarter, so that between 64 and 80 of 100 entries are in use; by an eighth it left more holes in the
//! heap than it saved.

use super::prefetch::prefetch;

/// The tag of a hash in the upper half, the slot plus one in the lower; 0 is empty.
type Entry = u64;

/// The slots of a shard by their hashes, in several tables, so that growth moves a part of them only.
#[derive(Debug, Default)]
pub struct Index {
    tables: [Table; TABLES],
}

const TABLES: usize = 4;

#[derive(Debug, Default)]
struct Table {
    entries: Vec<Entry>,
    len: usize,
}

fn entry(tag: u32, slot: u32) -> Entry {
    u64::from(tag) << 32 | (u64::from(slot) + 1)
}

fn tag(entry: Entry) -> u32 {
    (entry >> 32) as u32
}

fn slot(entry: Entry) -> u32 {
    (entry as u32).wrapping_sub(1)
}

impl Index {
    fn table(&self, hash: u64) -> (&Table, u32) {
        (&self.tables[hash as usize % TABLES], (hash >> 32) as u32)
    }

    /// The slot with this hash for which `is` holds.
    pub fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let (table, wanted) = self.table(hash);
        table.probe(wanted).find(|(_, found)| tag(*found) == wanted && is(slot(*found))).map(|(_, found)| slot(found))
    }

    /// Adds a slot that is not there yet.
    pub fn insert(&mut self, hash: u64, slot: u32) {
        self.insert_unless(hash, slot, |_| false);
    }

    /// Adds a slot, unless `is` holds for one that is there with the same hash; tells whether it was added. Looks only where it has to
    /// look for an empty entry anyway.
    pub fn insert_unless(&mut self, hash: u64, slot: u32, is: impl FnMut(u32) -> bool) -> bool {
        let table = &mut self.tables[hash as usize % TABLES];
        if (table.len + 1) * 5 > table.entries.len() * 4 {
            table.grow();
        }
        table.put_unless(entry((hash >> 32) as u32, slot), is)
    }

    /// Removes a slot, if it is there.
    pub fn remove(&mut self, hash: u64, gone: u32) {
        let table = &mut self.tables[hash as usize % TABLES];
        let wanted = entry((hash >> 32) as u32, gone);
        let at = table.probe(tag(wanted)).find(|(_, found)| *found == wanted);
        if let Some((at, _)) = at {
            table.close(at);
        }
    }

    /// Asks for the entry of a hash ahead.
    pub fn prefetch(&self, hash: u64) {
        let (table, wanted) = self.table(hash);
        if let Some(entry) = table.entries.get(table.home(wanted)) {
            prefetch(entry);
        }
    }
}

impl Table {
    /// Where a tag belongs: the tags are spread over the entries in their order.
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.entries.len() as u64) >> 32) as usize
    }

    fn next(&self, at: usize) -> usize {
        if at + 1 == self.entries.len() { 0 } else { at + 1 }
    }

    /// The entries from a tag's home to the next empty one; there always is one.
    fn probe(&self, tag: u32) -> impl Iterator<Item = (usize, Entry)> {
        let mut at = self.home(tag);
        std::iter::from_fn(move || {
            let found = (at, *self.entries.get(at)?);
            at = self.next(at);
            (found.1 != 0).then_some(found)
        })
    }

    fn put(&mut self, entry: Entry) {
        self.put_unless(entry, |_| false);
    }

    fn put_unless(&mut self, entry: Entry, mut is: impl FnMut(u32) -> bool) -> bool {
        let mut at = self.home(tag(entry));
        while self.entries[at] != 0 {
            if tag(self.entries[at]) == tag(entry) && is(slot(self.entries[at])) {
                return false;
            }
            at = self.next(at);
        }
        self.entries[at] = entry;
        self.len += 1;
        true
    }

    fn grow(&mut self) {
        let room = (self.entries.len() * 5 / 4).max(self.entries.len() + 8);
        let old = std::mem::replace(&mut self.entries, written_zeros(room));
        self.len = 0;
        for entry in old.into_iter().filter(|entry| *entry != 0) {
            self.put(entry);
        }
    }

    /// Empties an entry and moves those behind it up, so that no probe ends before what it looks for (Knuth, The Art of
    /// Computer Programming, volume 3, 6.4, algorithm R).
    fn close(&mut self, mut hole: usize) {
        let mut at = hole;
        loop {
            at = self.next(at);
            let entry = self.entries[at];
            if entry == 0 {
                break;
            }
            let home = self.home(tag(entry));
            // Whether the home lies cyclically behind the hole and not behind `at`: then the entry stays.
            let stays = if hole <= at { hole < home && home <= at } else { hole < home || home <= at };
            if !stays {
                self.entries[hole] = entry;
                hole = at;
            }
        }
        self.entries[hole] = 0;
        self.len -= 1;
    }
}

/// Zeros that were written, where `vec![0; count]` would only ask for them. A page that is looked at before it is written to is
/// mapped twice, and the second time interrupts every other core of the process: a quarter of the time that a snapshot of
/// 10 million members took to be put back by two threads.
fn written_zeros(count: usize) -> Vec<Entry> {
    let mut zeros = Vec::with_capacity(count);
    // Or the compiler sees that it may ask after all.
    zeros.resize(count, std::hint::black_box(0));
    zeros
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_index_holds_what_a_map_holds(steps in prop::collection::vec((any::<bool>(), 0u32..400), 1..2000)) {
            // Few tags, so that many entries share a home and probes wrap around.
            let hash = |slot: u32| u64::from(slot % 37) << 58 | u64::from(slot % 3);
            let (mut index, mut plain) = (Index::default(), HashMap::new());
            for (adds, slot) in steps {
                if adds && !plain.contains_key(&slot) {
                    index.insert(hash(slot), slot);
                    plain.insert(slot, ());
                } else if !adds {
                    index.remove(hash(slot), slot);
                    plain.remove(&slot);
                }
            }
            for slot in 0..400 {
                let found = index.find(hash(slot), |at| at == slot);
                prop_assert_eq!(found, plain.contains_key(&slot).then_some(slot));
            }
        }
    }
}
