//! Slots in chunks, so that growth never copies a shard.
//!
//! Promises: a value stays where it is; the way to it is one pointer a chunk, and those of a million members fit into a
//! processor's second cache. Never: gives a chunk back, or shows a slot that nothing was put into.

use std::ops::{Index, IndexMut};

/// Values by slot, [`len`](Slots::len) of them, in chunks of `CHUNK`.
#[derive(Debug)]
pub struct Slots<T, const CHUNK: usize> {
    chunks: Vec<Box<[T; CHUNK]>>,
    len: usize,
}

impl<T, const CHUNK: usize> Default for Slots<T, CHUNK> {
    fn default() -> Slots<T, CHUNK> {
        Slots { chunks: Vec::new(), len: 0 }
    }
}

impl<T: Default, const CHUNK: usize> Slots<T, CHUNK> {
    /// Puts a value into the next slot.
    pub fn push(&mut self, value: T) {
        if self.len.is_multiple_of(CHUNK) {
            // Not by way of the stack, which a chunk may not fit.
            let chunk: Vec<T> = std::iter::repeat_with(T::default).take(CHUNK).collect();
            self.chunks.push(chunk.try_into().ok().expect("as many as a chunk has"));
        }
        let slot = self.len as u32;
        self.len += 1;
        self[slot] = value;
    }
}

impl<T, const CHUNK: usize> Slots<T, CHUNK> {
    /// How many values there are: the next goes into the slot of this number.
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many chunks they take.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The values of a chunk.
    pub fn chunk(&self, number: usize) -> &[T] {
        &self.chunks[number][..CHUNK.min(self.len - number * CHUNK)]
    }
}

impl<T, const CHUNK: usize> Index<u32> for Slots<T, CHUNK> {
    type Output = T;

    fn index(&self, slot: u32) -> &T {
        let slot = slot as usize;
        assert!(slot < self.len, "slot {slot} of {}", self.len);
        &self.chunks[slot / CHUNK][slot % CHUNK]
    }
}

impl<T, const CHUNK: usize> IndexMut<u32> for Slots<T, CHUNK> {
    fn index_mut(&mut self, slot: u32) -> &mut T {
        let slot = slot as usize;
        assert!(slot < self.len, "slot {slot} of {}", self.len);
        &mut self.chunks[slot / CHUNK][slot % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_in_their_slots_and_chunks() {
        let mut slots = Slots::<u32, 4>::default();
        assert_eq!((slots.len(), slots.chunks()), (0, 0));
        (0..10).for_each(|value| slots.push(value));
        slots[3] = 33;
        assert_eq!((slots.len(), slots.chunks()), (10, 3));
        assert_eq!([slots.chunk(0), slots.chunk(1), slots.chunk(2)], [&[0, 1, 2, 33][..], &[4, 5, 6, 7], &[8, 9]]);
        assert_eq!((0..10).map(|slot| slots[slot]).sum::<u32>(), 45 + 30);
    }

    #[test]
    #[should_panic(expected = "slot 1 of 1")]
    fn a_slot_that_nothing_was_put_into_is_not_shown() {
        let mut slots = Slots::<u32, 4>::default();
        slots.push(7);
        let _ = slots[1];
    }
}
