//! An epoch's payload.
use super::PlaceId;

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
}

impl<'a> Iterator for Tails<'a> {
    type Item = Tail<'a>;
    fn next(&mut self) -> Option<Tail<'a>> {
        let _ = (self.payload, self.next);
        unimplemented!()
    }
}

/// The bytes an epoch takes in the log: `places` tails with `record_bytes` in all.
pub fn encoded_bytes(places: usize, record_bytes: u64) -> u64 {
    let _ = (places, record_bytes);
    unimplemented!()
}
