//! Segments of the log: read, recovered, and gone on with.
//!
//! | offset | bytes | of an input |
//! |---:|---:|---|
//! | 0 | 1 | what is put right ([`mend`](crate::mend)) |
//! | 1 | 2 | bytes of segment 1 |
//! | 3 | … | these; zeros up to the segment's length follow by themselves, unless the length's top bit is set |
//! | … | … | segment 2, and so on |

use std::sync::Arc;

use tidegate::log::{
    Ahead, ChainHead, Expect, LogError, LogIdentity, LogOptions, PlaceId, PlaceTail, Reach, RecoveredEpoch, Retention,
    recover, scan,
};
use tidegate::storage::{Loss, Memory, Storage};

use crate::mend::{self, BODIES, CHAIN, HEADERS, PLACES, masked, u32_at};

/// A sector, which is the header of a segment.
const SECTOR: usize = 512;
/// The header of a block.
const HEAD: usize = 128;
/// A segment.
pub(crate) const SEGMENT: usize = 8192;
/// As short for the end of a file that was cut.
const CUT: u16 = 1 << 15;
const SEGMENTS_MOST: usize = 4;

pub(crate) const IDENTITY: LogIdentity = LogIdentity { directory: *b"tidegate-testlog", lineage: 3 };
const EXPECT: Expect = Expect { identity: IDENTITY, from_epoch: 1, known: None, reach: Reach::InUse };

/// Small enough that a few epochs fill a segment and some take several blocks.
pub(crate) fn options() -> LogOptions {
    LogOptions {
        segment_bytes: SEGMENT as u64,
        max_epoch_bytes: 3584,
        block_bytes: 1024,
        spares: 1,
        ahead: Ahead::Step,
        retention: Retention { bytes: 1 << 20, age_ms: None },
    }
}

pub(crate) fn path(number: usize) -> String {
    format!("log/{number:020}.log")
}

type Epoch = (u64, Vec<PlaceTail>);

/// Whatever stands in segments.
pub fn log(bytes: &[u8]) {
    let Some(memory) = laid_out(bytes) else { return };
    let (mut scanned_epochs, mut epochs) = (Vec::new(), Vec::new());
    let scanned = scan(&memory, EXPECT, &mut |epoch| note(&mut scanned_epochs, &epoch));
    let recovered = recover(Arc::new(memory.clone()), EXPECT, options(), &mut |epoch| note(&mut epochs, &epoch));
    assert_eq!(scanned_epochs, epochs, "a scan visits what a recovery visits");
    let (Ok(scanned), Ok(mut recovered)) = (scanned.as_ref(), recovered) else { return };
    assert_eq!(*scanned, recovered.scanned);
    for (epoch, tails) in &epochs {
        for tail in tails.iter().filter(|tail| !tail.records.is_empty()) {
            // The first of them, where a table names a place twice.
            let first = tails.iter().find(|other| other.place == tail.place).expect("it is there");
            let page = recovered.writer.pages().entry(*epoch, tail.place, 0, SEGMENT).expect("it was just read");
            assert!(page.is_none_or(|page| page.bytes == first.records), "a page is what the tail holds");
        }
    }
    goes_on(&memory, &mut recovered.writer, scanned.head, epochs);
}

/// An epoch more, then power loss: what was there and the new one come back.
fn goes_on(memory: &Memory, writer: &mut tidegate::log::LogWriter, head: ChainHead, mut epochs: Vec<Epoch>) {
    let Some(next) = head.epoch.checked_add(1) else { return };
    let tail = PlaceTail { place: PlaceId(7), first_sequence: 1, base_ms: -1, count: 1, records: vec![9; 600] };
    if writer.append(next, std::slice::from_ref(&tail)).and_then(|()| writer.sync()).is_err() {
        return;
    }
    epochs.push((next, vec![tail]));
    let mut again = Vec::new();
    let lost = memory.power_loss(Loss::Lost);
    let recovered = recover(Arc::new(lost), EXPECT, options(), &mut |epoch| note(&mut again, &epoch));
    assert!(recovered.is_ok(), "what was recovered once recovers again: {:?}", recovered.err());
    assert_eq!(again, epochs, "what was recovered and written comes back");
}

fn note(into: &mut Vec<Epoch>, epoch: &RecoveredEpoch<'_>) -> Result<(), LogError> {
    let tails = epoch.tails.clone().map(|tail| PlaceTail {
        place: tail.place,
        first_sequence: tail.first_sequence,
        base_ms: tail.base_ms,
        count: tail.count,
        records: tail.records.to_vec(),
    });
    into.push((epoch.epoch, tails.collect()));
    Ok(())
}

/// The input's segments as files, mended.
fn laid_out(bytes: &[u8]) -> Option<Memory> {
    let (mask, mut rest) = masked(bytes)?;
    let mut segments = Vec::new();
    while let Some((len, behind)) = rest.split_first_chunk::<2>().filter(|_| segments.len() < SEGMENTS_MOST) {
        let len = u16::from_le_bytes(*len);
        let (segment, behind) = behind.split_at(usize::from(len & !CUT).min(behind.len()).min(SEGMENT));
        let mut segment = segment.to_vec();
        if len & CUT == 0 {
            segment.resize(SEGMENT, 0);
        }
        segments.push(segment);
        rest = behind;
    }
    let memory = Memory::new();
    for folder in ["log", "archive"] {
        memory.make_dir(folder).ok()?;
    }
    memory.sync_dir("").ok()?;
    let mut chain = ([0; 32], 0);
    for (at, segment) in segments.iter_mut().enumerate() {
        mend_segment(mask, segment, at as u64 + 1, &mut chain);
        memory.set_bytes(&path(at + 1), std::mem::take(segment));
    }
    Some(memory)
}

/// `chain` is the hash before the segment's first block, and the epoch before it.
fn mend_segment(mask: u8, bytes: &mut [u8], number: u64, chain: &mut ([u8; 32], u64)) {
    if bytes.len() < SECTOR || bytes[..8] != *b"TIDESEGM" {
        return;
    }
    if mask & PLACES != 0 {
        bytes[12..16].copy_from_slice(&IDENTITY.lineage.to_le_bytes());
        bytes[16..32].copy_from_slice(&IDENTITY.directory);
        bytes[32..40].copy_from_slice(&number.to_le_bytes());
    }
    if mask & CHAIN != 0 {
        bytes[40..48].copy_from_slice(&chain.1.to_le_bytes());
        bytes[64..96].copy_from_slice(&chain.0);
    }
    if mask & HEADERS != 0 {
        mend::crc(bytes, 0, 508, 508);
    }
    let (mut at, mut start, mut open) = (SECTOR, SECTOR, 0u16);
    let mut before = chain.1;
    while at + HEAD <= bytes.len() && bytes[at..at + 8] == *b"TIDEBLCK" {
        let block = &mut bytes[at..];
        let body = (u32_at(block, 60) as usize).min(block.len() - HEAD);
        let closing = block[10] == 2;
        if open == 0 {
            (start, before) = (at, chain.1);
            open = if closing { 1 } else { u16::from_le_bytes([block[58], block[59]]).max(1) };
        }
        open -= 1;
        if mask & PLACES != 0 {
            block[12..16].copy_from_slice(&IDENTITY.lineage.to_le_bytes());
            block[16..24].copy_from_slice(&number.to_le_bytes());
            block[24..32].copy_from_slice(&(at as u64).to_le_bytes());
            block[32..40].copy_from_slice(&(start as u64).to_le_bytes());
        }
        if mask & CHAIN != 0 {
            block[48..56].copy_from_slice(&before.to_le_bytes());
            block[64..96].copy_from_slice(&chain.0);
        }
        if mask & BODIES != 0 && !closing {
            mend::crc(block, HEAD, HEAD + body, 96);
        }
        if mask & HEADERS != 0 {
            mend::crc(block, 0, 124, 124);
        }
        if !closing {
            let epoch = u64::from_le_bytes(block[40..48].try_into().expect("eight bytes"));
            *chain = (*blake3::hash(&block[..HEAD + body]).as_bytes(), epoch);
        }
        at += (HEAD + body).next_multiple_of(SECTOR);
    }
}
