//! An epoch's payload: a table of its tails, then their bytes.
//!
//! | offset | bytes | field |
//! |---:|---:|---|
//! | 0 | 4 | count of tails |
//! | 4 + 32·i | 4 | place |
//! | +4 | 4 | count of records |
//! | +8 | 8 | sequence number of the first record |
//! | +16 | 8 | base time, ms since 1970 UTC (signed) |
//! | +24 | 4 | offset of the tail's bytes, from the start of the payload |
//! | +28 | 4 | length of the tail's bytes |
//! | 4 + 32·count | … | the tails' bytes, one behind the other in the order of the table, up to the end |

use super::block::{i64_at, u32_at, u64_at};
use super::{NUMBER_MOST, PlaceId, PlaceTail};

pub(super) const COUNT_BYTES: usize = 4;
pub(super) const ENTRY_BYTES: usize = 32;

/// One place's records in an epoch, as read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail<'a> {
    /// Whose records these are.
    pub place: PlaceId,
    /// The place's sequence number of the first record.
    pub first_sequence: u64,
    /// The instant from which the records count their times, in milliseconds since 1970 UTC.
    pub base_ms: i64,
    /// How many records there are.
    pub count: u32,
    /// The records.
    pub records: &'a [u8],
}

/// The tails of one epoch, in the order they were written.
#[derive(Debug, Clone)]
pub struct Tails<'a> {
    payload: &'a [u8],
    next: usize,
    count: usize,
}

impl<'a> Tails<'a> {
    /// Checks the whole table, so that reading it afterwards cannot fail. `Err` says what is wrong.
    pub(super) fn check(payload: &'a [u8]) -> Result<Tails<'a>, String> {
        let short = || format!("a table of tails that does not fit into its {} bytes", payload.len());
        let count = payload.get(..COUNT_BYTES).map(|bytes| u32_at(bytes, 0) as usize).ok_or_else(short)?;
        let mut end = count.checked_mul(ENTRY_BYTES).map(|bytes| bytes + COUNT_BYTES).ok_or_else(short)?;
        if end > payload.len() {
            return Err(short());
        }
        for index in 0..count {
            let entry = Entry::at(payload, index);
            if entry.offset as usize != end || entry.len as usize > payload.len() - end {
                return Err(format!("tail {index} at {} + {}, not behind the one before", entry.offset, entry.len));
            }
            entry.check_sequence()?;
            end += entry.len as usize;
        }
        if end != payload.len() {
            return Err(format!("{} bytes behind the last tail", payload.len() - end));
        }
        Ok(Tails { payload, next: 0, count })
    }
}

impl<'a> Iterator for Tails<'a> {
    type Item = Tail<'a>;

    fn next(&mut self) -> Option<Tail<'a>> {
        if self.next == self.count {
            return None;
        }
        let entry = Entry::at(self.payload, self.next);
        self.next += 1;
        Some(Tail {
            place: entry.place,
            first_sequence: entry.first_sequence,
            base_ms: entry.base_ms,
            count: entry.count,
            records: &self.payload[entry.offset as usize..][..entry.len as usize],
        })
    }
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) place: PlaceId,
    pub(super) count: u32,
    pub(super) first_sequence: u64,
    pub(super) base_ms: i64,
    pub(super) offset: u32,
    pub(super) len: u32,
}

impl Entry {
    /// The `index`-th line of a payload, which must reach that far.
    pub(super) fn at(payload: &[u8], index: usize) -> Entry {
        Entry::decode(&payload[COUNT_BYTES + index * ENTRY_BYTES..][..ENTRY_BYTES])
    }

    pub(super) fn decode(bytes: &[u8]) -> Entry {
        Entry {
            place: PlaceId(u32_at(bytes, 0)),
            count: u32_at(bytes, 4),
            first_sequence: u64_at(bytes, 8),
            base_ms: i64_at(bytes, 16),
            offset: u32_at(bytes, 24),
            len: u32_at(bytes, 28),
        }
    }

    /// Refuses a sequence that no place reaches: whoever numbers the records from it would have no room. `Err` says what is wrong.
    pub(super) fn check_sequence(&self) -> Result<(), String> {
        if self.first_sequence > NUMBER_MOST {
            return Err(format!("a tail from record {}, which no place reaches", self.first_sequence));
        }
        Ok(())
    }

    fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..4].copy_from_slice(&self.place.0.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.base_ms.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.offset.to_le_bytes());
        bytes[28..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }
}

/// The bytes of a payload of `tails` tails with `record_bytes` in all.
pub(super) fn payload_bytes(tails: usize, record_bytes: u64) -> u64 {
    (COUNT_BYTES + tails * ENTRY_BYTES) as u64 + record_bytes
}

/// Hands the payload out piece by piece. It must be below 4 GiB, which the options see to.
pub(super) fn encode(tails: &[PlaceTail], mut put: impl FnMut(&[u8])) {
    put(&(tails.len() as u32).to_le_bytes());
    let mut offset = payload_bytes(tails.len(), 0);
    for tail in tails {
        let entry = Entry {
            place: tail.place,
            count: tail.count,
            first_sequence: tail.first_sequence,
            base_ms: tail.base_ms,
            offset: offset as u32,
            len: tail.records.len() as u32,
        };
        put(&entry.encode());
        offset += tail.records.len() as u64;
    }
    for tail in tails {
        put(&tail.records);
    }
}
