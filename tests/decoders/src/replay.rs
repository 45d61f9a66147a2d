//! Records of the log, applied to a state as recovery does.
//!
//! An input is tails, one behind the other:
//!
//! | offset | bytes | field |
//! |---:|---:|---|
//! | 0 | 1 | place: kind in the top two bits, index below |
//! | 1 | 1 | sequence of the first record, less the place's next one, plus 2; 255: far ahead |
//! | 2 | 2 | bytes of records |
//! | 4 | … | these; their count is that of those that read well, and one more if bytes are left |
//!
//! What can be replayed must stand in a snapshot and come back as the same state.

use std::cell::RefCell;
use std::sync::Arc;

use tidegate::engine::{PlaceId, PlaceKind, Record, read_record, write_block, write_directory, write_member};
use tidegate::store::{LoggedTail, Store};

use crate::state;

/// The base of all tails here.
pub(crate) const BASE_MS: i64 = state::NOW_MS;

thread_local! {
    static STORE: RefCell<Option<Arc<Store>>> = const { RefCell::new(None) };
}

/// Whatever stands in tails.
pub fn replay(mut bytes: &[u8]) {
    STORE.with_borrow_mut(|kept| {
        let store = kept.take().unwrap_or_else(state::store);
        let mut touched = false;
        while let Some((head, rest)) = bytes.split_first_chunk::<4>() {
            let (records, behind) = rest.split_at(rest.len().min(u16::from_le_bytes([head[2], head[3]]).into()));
            bytes = behind;
            touched |= tail(&store, head[0], head[1], records);
        }
        if touched {
            held_by_a_snapshot(&store);
        }
        *kept = (!touched).then_some(store);
    });
}

/// Replays one tail; gives whether it may have changed the state.
fn tail(store: &Store, place: u8, sequence: u8, records: &[u8]) -> bool {
    let kinds = [PlaceKind::Programmes, PlaceKind::Members, PlaceKind::Directory, PlaceKind::Block];
    let place = PlaceId::new(kinds[usize::from(place >> 6)], usize::from(place & 63));
    let next = next_sequence(place);
    let first_sequence = if sequence == 255 { 1 << 40 } else { (next + u64::from(sequence)).saturating_sub(2) };
    let count = count_of(records);
    let logged = LoggedTail { epoch: 9, lineage: 0, place, first_sequence, base_ms: BASE_MS, count, records };
    match store.replay(&logged) {
        Ok(()) => count > 0,
        Err(error) => error.sequence != first_sequence,
    }
}

/// The sequence that comes next in a place of the state that all inputs begin with.
fn next_sequence(place: PlaceId) -> u64 {
    let held = state::sections().iter().filter(|section| section.place == place).map(|section| section.sequence);
    held.max().unwrap_or(0) + 1
}

/// Records that read well; each gives its bytes back.
fn count_of(mut records: &[u8]) -> u32 {
    let mut count = 0;
    while !records.is_empty() {
        count += 1;
        let Ok((record, used)) = read_record(records, BASE_MS) else { break };
        let mut again = Vec::new();
        match &record {
            Record::Member(part) => write_member(&mut again, part, BASE_MS),
            Record::Block(part) => write_block(&mut again, part, BASE_MS),
            Record::Directory(part) => write_directory(&mut again, part, BASE_MS),
        }
        assert_eq!(read_record(&again, BASE_MS), Ok((record, again.len())), "what is written anew reads the same");
        let first_version = (1..=4).contains(&records[2]);
        assert!(first_version || again == records[..used], "a record that reads well writes the same");
        records = &records[used..];
    }
    count
}

fn held_by_a_snapshot(store: &Store) {
    let books = store.books();
    match state::restored(&state::copied(store)) {
        Ok(again) => assert_eq!(again.books().state_hash, books.state_hash, "a snapshot holds the state"),
        Err((section, why)) => panic!("section {section} of a state that was replayed is not taken back: {why}"),
    }
}
