//! Snapshot files: read to the end, put back, copied out again.
//!
//! An input is a byte that says what is put right ([`mend`](crate::mend)) and the file.

use tidegate::snapshot::{SnapshotError, SnapshotReader};
use tidegate::storage::Memory;
use tidegate::store::Section;

use crate::mend::{self, BODIES, CHAIN, HEADERS, masked, u32_at};
use crate::state;

const PATH: &str = "snapshots/00000000000000000001.snap";
const HEAD: usize = 40;
const SECTION_HEAD: usize = 28;
const FOOT: u8 = 255;

/// Whatever stands in a snapshot's file.
pub fn snapshot(bytes: &[u8]) {
    let Some((mask, file)) = masked(bytes) else { return };
    let mut file = file.to_vec();
    mend_file(mask, &mut file);
    let length = file.len();
    let memory = Memory::new();
    memory.set_bytes(PATH, file);
    let sections = match read(&memory) {
        Ok(sections) => sections,
        Err(SnapshotError::Damaged { path, offset, why }) => {
            assert!(path == PATH && offset <= length as u64 && !why.is_empty(), "{path}, {offset}, {why}");
            return;
        }
        Err(other) => panic!("{other}"),
    };
    // Whoever reads it has every section, or a state that does not take one of them.
    let Ok(store) = state::restored(&sections) else { return };
    let books = store.books();
    if store.caught_up().is_ok() {
        // Of another store, so that what is compared below stays as it was put back.
        state::live_on(&state::restored(&sections).expect("the same sections"));
    }
    // Sections of one place that are of different instants make a state only with the log behind them.
    let of_one_instant = |section: &Section| {
        let others = sections.iter().filter(|other| other.place == section.place);
        others.map(|other| other.sequence).all(|sequence| sequence == section.sequence)
    };
    if !sections.iter().all(of_one_instant) {
        return;
    }
    let again = state::restored(&state::copied(&store));
    match again {
        Ok(again) => assert_eq!(again.books(), books, "what a snapshot gives, another snapshot holds"),
        Err((section, why)) => panic!("section {section} of a state that was put back is not taken again: {why}"),
    }
}

fn read(memory: &Memory) -> Result<Vec<Section>, SnapshotError> {
    let mut reader = SnapshotReader::open(memory, PATH)?;
    let mut sections = Vec::new();
    while let Some(section) = reader.next_section()? {
        sections.push(section);
    }
    assert!(reader.foot().is_some() && reader.position() == reader.length(), "the foot ends the file");
    Ok(sections)
}

fn mend_file(mask: u8, file: &mut [u8]) {
    if file.len() < HEAD {
        return;
    }
    if mask & HEADERS != 0 {
        mend::crc(file, 0, 36, 36);
    }
    let (mut at, mut sections) = (HEAD, 0u64);
    while at + SECTION_HEAD <= file.len() {
        let section = &mut file[at..];
        let mut body = (u32_at(section, 16) as usize).min(section.len() - SECTION_HEAD);
        let foot = section[0] == FOOT;
        if foot && mask & CHAIN != 0 && section.len() >= SECTION_HEAD + 8 {
            body = 8;
            section[SECTION_HEAD..SECTION_HEAD + 8].copy_from_slice(&sections.to_le_bytes());
        }
        if mask & CHAIN != 0 {
            section[16..20].copy_from_slice(&(body as u32).to_le_bytes());
        }
        if mask & BODIES != 0 {
            mend::crc(section, SECTION_HEAD, SECTION_HEAD + body, 20);
        }
        if mask & HEADERS != 0 {
            mend::crc(section, 0, 24, 24);
        }
        at += SECTION_HEAD + body;
        sections += 1;
        if foot {
            break;
        }
    }
}
