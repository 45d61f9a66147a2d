//! The log by property: what was acknowledged is read back, whatever crashes, tears, flips or moves; what is damaged is refused by name.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[path = "log/crash.rs"]
mod crash;
#[path = "log/damage.rs"]
mod damage;
#[path = "log/lost.rs"]
mod lost;
mod lying;
#[path = "log/moved.rs"]
mod moved;
#[path = "log/room.rs"]
mod room;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use tidegate::log::{
    Ahead, ChainHead, Expect, LogError, LogIdentity, LogOptions, LogWriter, PlaceId, PlaceTail, Reach, Recovered,
    Retention, Scanned, recover, scan,
};
use tidegate::storage::{Disk, File, Loss, Memory, Storage};

const IDENTITY: LogIdentity = LogIdentity { directory: *b"tidegate-testlog", lineage: 3 };
const EXPECT: Expect = Expect { identity: IDENTITY, from_epoch: 1, known: None, reach: Reach::InUse };

/// Small enough that a few epochs fill a segment and some take several blocks.
fn small() -> LogOptions {
    LogOptions {
        segment_bytes: 8192,
        max_epoch_bytes: 3584,
        block_bytes: 1024,
        spares: 1,
        ahead: Ahead::Step,
        retention: Retention { bytes: 1 << 20, age_ms: None },
    }
}

/// The tails of an epoch follow from its number: every third takes several blocks.
fn tails(epoch: u64) -> Vec<PlaceTail> {
    let long = if epoch.is_multiple_of(3) { 700 } else { 20 };
    (0..1 + epoch % 3)
        .map(|place| PlaceTail {
            place: PlaceId(place as u32 * 7),
            first_sequence: epoch * 100 + place,
            base_ms: 1_790_000_000_000 + epoch as i64,
            count: 2,
            records: (0..long + epoch as usize).map(|i| (i as u64 * 31 + epoch * 17 + place) as u8).collect(),
        })
        .collect()
}

type Epochs = Vec<(u64, Vec<PlaceTail>)>;

fn collect(into: &mut Epochs) -> impl FnMut(tidegate::log::RecoveredEpoch<'_>) -> Result<(), LogError> + '_ {
    |epoch| {
        let tails = epoch.tails.map(|tail| PlaceTail {
            place: tail.place,
            first_sequence: tail.first_sequence,
            base_ms: tail.base_ms,
            count: tail.count,
            records: tail.records.to_vec(),
        });
        into.push((epoch.epoch, tails.collect()));
        Ok(())
    }
}

fn scan_all(memory: &Memory, expect: Expect) -> Result<(Vec<u64>, Scanned), LogError> {
    let mut epochs = Epochs::new();
    let scanned = scan(memory, expect, &mut collect(&mut epochs))?;
    Ok((numbers(epochs), scanned))
}

fn recover_all(memory: &Memory, expect: Expect) -> Result<(Vec<u64>, Recovered), LogError> {
    let mut epochs = Epochs::new();
    let recovered = recover(Arc::new(memory.clone()), expect, small(), &mut collect(&mut epochs))?;
    Ok((numbers(epochs), recovered))
}

/// The numbers, once it is sure that every epoch is what was written under its number.
fn numbers(epochs: Epochs) -> Vec<u64> {
    epochs.iter().for_each(|(epoch, found)| assert_eq!(*found, tails(*epoch), "epoch {epoch} is not what was written"));
    epochs.into_iter().map(|(epoch, _)| epoch).collect()
}

fn create(memory: &Memory) -> Result<LogWriter, LogError> {
    LogWriter::create(Arc::new(memory.clone()), IDENTITY, small())
}

fn write(writer: &mut LogWriter, epoch: u64) -> Result<(), LogError> {
    writer.append(epoch, &tails(epoch))?;
    writer.sync()
}

fn log_of(epochs: impl IntoIterator<Item = u64>) -> (Memory, LogWriter) {
    let memory = Memory::new();
    let mut writer = create(&memory).unwrap();
    epochs.into_iter().for_each(|epoch| write(&mut writer, epoch).unwrap());
    (memory, writer)
}

fn segment(number: u64) -> String {
    format!("log/{number:020}.log")
}

/// The end of what is not zero.
fn end_of(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1)
}

#[test]
fn what_was_synced_is_read_back() {
    let (memory, mut writer) = log_of((1..60).filter(|epoch| epoch % 5 != 0));
    writer.close_block().unwrap();
    let (epochs, scanned) = scan_all(&memory, EXPECT).unwrap();
    assert_eq!(epochs, (1..60).filter(|epoch| epoch % 5 != 0).collect::<Vec<_>>());
    assert_eq!((scanned.head, scanned.closed, scanned.torn), (writer.head(), true, None));
    assert!(scanned.segments > 4, "the script fills segments: {}", scanned.segments);
    let (later, _) = scan_all(&memory, Expect { from_epoch: 41, ..EXPECT }).unwrap();
    assert_eq!(later, (41..60).filter(|epoch| epoch % 5 != 0).collect::<Vec<_>>());
}

#[test]
fn an_epoch_costs_one_write_and_one_fdatasync() {
    let (memory, mut writer) = log_of(1..2);
    let before = memory.calls();
    write(&mut writer, 2).unwrap();
    assert_eq!(memory.calls() - before, 2);
    writer.close_block().unwrap();
    assert_eq!(memory.calls() - before, 4);
    writer.close_block().unwrap();
    assert_eq!(memory.calls() - before, 4, "what is closed is not closed again");
    let counters = writer.counters();
    assert_eq!((counters.epochs, counters.closing_blocks, counters.fdatasyncs), (2, 1, 3));
    assert_eq!((counters.blocks, counters.bytes, counters.segments), (3, 3 * 512, 1));
}

#[test]
fn options_that_cannot_work_are_refused() {
    for wrong in [
        LogOptions { segment_bytes: 8000, ..small() },
        LogOptions { max_epoch_bytes: 4096, ..small() },
        LogOptions { block_bytes: 512, ..small() },
        LogOptions { block_bytes: 2 << 20, ..small() },
        LogOptions { segment_bytes: 0, max_epoch_bytes: 1, ..small() },
    ] {
        let error = LogWriter::create(Arc::new(Memory::new()), IDENTITY, wrong).err().unwrap();
        assert!(matches!(error, LogError::Options { .. }), "{wrong:?}: {error}");
    }
    let (_, mut writer) = log_of(1..2);
    let large = PlaceTail { records: vec![0; 4000], ..tails(1)[0].clone() };
    assert!(matches!(writer.append(2, &[large]), Err(LogError::EpochTooLarge { .. })));
    write(&mut writer, 2).unwrap();
}

#[test]
fn the_bytes_of_version_1_stay_what_they_are() {
    let memory = Memory::new();
    let options = LogOptions { segment_bytes: 4096, max_epoch_bytes: 1536, ..small() };
    let mut writer = LogWriter::create(Arc::new(memory.clone()), IDENTITY, options).unwrap();
    write(&mut writer, 2).unwrap();
    let long = PlaceTail { records: (0..=255).cycle().take(1000).collect(), ..tails(1)[0].clone() };
    writer.append(5, &[long]).unwrap();
    writer.sync().unwrap();
    writer.close_block().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/log-segment-v1.bin");
    let golden = std::fs::read(path).unwrap();
    let written = memory.bytes(&segment(1)).unwrap();
    let first = written.iter().zip(&golden).position(|(a, b)| a != b);
    assert!(written == golden, "the segment differs from {path} from byte {first:?} on; a released layout is frozen");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_cut_or_refused_without_panic(
        patches in prop::collection::vec((0_usize..8192, prop::collection::vec(any::<u8>(), 1..300)), 1..4),
        len in 0_usize..9000,
        which in 1_u64..=3,
    ) {
        let (memory, _writer) = log_of(1..=24);
        let mut bytes = memory.bytes(&segment(which)).unwrap();
        for (at, patch) in patches {
            let end = (at + patch.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&patch[..end - at]);
        }
        bytes.resize(len, 0);
        memory.set_bytes(&segment(which), bytes);
        if let Ok((epochs, scanned)) = scan_all(&memory, EXPECT) {
            prop_assert_eq!(&epochs, &(1..=epochs.len() as u64).collect::<Vec<_>>());
            prop_assert!(epochs.len() == 24 || scanned.torn.is_some());
        }
    }
}

#[test]
fn a_log_on_the_real_disk_makes_its_segments_ahead_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let options = LogOptions { ahead: Ahead::Thread, ..small() };
    {
        let disk = Disk::open(directory.path()).unwrap();
        let mut writer = LogWriter::create(Arc::new(disk), IDENTITY, options).unwrap();
        for epoch in 1..=30 {
            while writer.room() < 2 * options.max_epoch_bytes {
                std::thread::yield_now();
            }
            write(&mut writer, epoch).unwrap();
        }
    }
    let disk = Disk::open(directory.path()).unwrap();
    let error = Disk::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
    let mut epochs = Epochs::new();
    let recovered = recover(Arc::new(disk), EXPECT, options, &mut collect(&mut epochs)).unwrap();
    assert_eq!(numbers(epochs), (1..=30).collect::<Vec<_>>());
    let page = recovered.writer.pages().entry(3, PlaceId(0), 0, 10).unwrap().unwrap();
    assert_eq!(page.bytes, tails(3)[0].records[..10]);
}

#[test]
fn the_real_disk_does_what_the_one_in_memory_does() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path().join("data")).unwrap();
    for storage in [&disk as &dyn Storage, &Memory::new()] {
        assert_eq!(storage.create("a/x").err().unwrap().kind(), io::ErrorKind::NotFound);
        storage.make_dir("a").unwrap();
        storage.make_dir("a").unwrap();
        let file: Box<dyn File> = storage.create("a/x").unwrap();
        assert_eq!(storage.create("a/x").err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        file.write_at(3, b"abc").unwrap();
        file.sync_data().unwrap();
        file.set_len(8).unwrap();
        file.sync_all().unwrap();
        storage.rename("a/x", "y").unwrap();
        storage.sync_dir("a").unwrap();
        storage.sync_dir("").unwrap();
        let mut bytes = [9; 10];
        assert_eq!(storage.open("y").unwrap().read_at(2, &mut bytes).unwrap(), 6);
        assert_eq!(bytes, *b"\0abc\0\0\x09\x09\x09\x09");
        assert_eq!((file.len().unwrap(), file.read_at(100, &mut bytes).unwrap()), (8, 0));
        assert_eq!(storage.list("").unwrap(), ["a", "y"]);
        assert!(storage.list("a").unwrap().is_empty() && storage.list("b").is_err() && storage.open("a/x").is_err());
        assert!(storage.free_bytes().unwrap() > 0);
        storage.remove("y").unwrap();
        assert!(storage.remove("y").is_err());
        assert_eq!(file.read_at(3, &mut bytes[..3]).unwrap(), 3, "open files stay valid");
    }
}
