//! The log by property: what was acknowledged is read back, whatever crashes, tears, flips or moves; what is damaged is refused by name.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use tidegate::log::{
    Ahead, ChainHead, Expect, LogError, LogIdentity, LogOptions, LogWriter, PlaceId, PlaceTail, Recovered, Scanned,
    recover, scan,
};
use tidegate::storage::{Disk, File, Loss, Memory, Storage};

const IDENTITY: LogIdentity = LogIdentity { directory: *b"tidegate-testlog", lineage: 3 };
const EXPECT: Expect = Expect { identity: IDENTITY, from_epoch: 1, known: None };

/// Small enough that a few epochs fill a segment and some take several blocks.
fn small() -> LogOptions {
    LogOptions {
        segment_bytes: 8192,
        max_epoch_bytes: 3584,
        block_bytes: 1024,
        spares: 1,
        ahead: Ahead::Step,
        archive_bytes: 1 << 20,
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
fn a_log_cut_at_every_byte_of_its_last_three_epochs_ends_with_the_last_whole_one() {
    for last in [4, 5, 6] {
        let (memory, _writer) = log_of(1..=last);
        let whole = memory.bytes(&segment(1)).unwrap();
        let ends: Vec<usize> =
            (1..=last).map(|epoch| end_of(&log_of(1..=epoch).0.bytes(&segment(1)).unwrap())).collect();
        assert!(ends.is_sorted(), "all of them stand in one segment: {ends:?}");
        for cut in ends[last as usize - 4]..whole.len() {
            let damaged = memory.power_loss(Loss::Kept);
            damaged.set_bytes(&segment(1), whole[..cut].to_vec());
            let (epochs, scanned) = scan_all(&damaged, EXPECT).unwrap();
            let expected = ends.iter().filter(|&&end| end <= cut).count() as u64;
            assert_eq!(epochs, (1..=expected).collect::<Vec<_>>(), "cut at {cut} of {last} epochs, ends {ends:?}");
            assert!(scanned.torn.is_some(), "a short file is reported, cut at {cut}");
            if cut % 61 == 0 {
                goes_on_after(&damaged, expected);
            }
        }
    }
}

/// A recovered log takes epochs again, and a later recovery finds old and new ones.
fn goes_on_after(memory: &Memory, last: u64) {
    let (_, mut recovered) = recover_all(memory, EXPECT).unwrap();
    for epoch in last + 1..last + 9 {
        write(&mut recovered.writer, epoch).unwrap();
    }
    for loss in [Loss::Lost, Loss::Kept] {
        let (epochs, recovered) = recover_all(&memory.power_loss(loss), EXPECT).unwrap();
        assert_eq!(epochs, (1..last + 9).collect::<Vec<_>>());
        assert_eq!(recovered.scanned.torn, None);
    }
}

/// Flips a bit of every byte of every segment in use. Calls `check` with the scan's result, and with segment and offset.
fn flip_everywhere(memory: &Memory, mut check: impl FnMut(Result<(Vec<u64>, Scanned), LogError>, u64, usize)) {
    for number in 1..=3 {
        let whole = memory.bytes(&segment(number)).unwrap();
        for offset in 0..end_of(&whole) {
            let damaged = memory.power_loss(Loss::Kept);
            let mut bytes = whole.clone();
            bytes[offset] ^= 1 << (offset % 8);
            damaged.set_bytes(&segment(number), bytes);
            check(scan_all(&damaged, EXPECT), number, offset);
        }
    }
}

#[test]
fn i7_a_flipped_bit_before_acknowledged_bytes_is_refused() {
    let (memory, mut writer) = log_of(1..=24);
    writer.close_block().unwrap();
    let (all, scanned) = scan_all(&memory, EXPECT).unwrap();
    assert_eq!((scanned.segments, all.len()), (3, 24), "the script takes three segments");
    let closing = end_of(&memory.bytes(&segment(3)).unwrap()).next_multiple_of(512) - 512;
    let (mut refused, mut kept, mut unclosed) = (0, 0, 0);
    flip_everywhere(&memory, |result, number, offset| match result {
        Ok((epochs, scanned)) => {
            assert_eq!(epochs, all, "segment {number}, byte {offset}");
            // Only padding, and the closing block itself, may be touched without a refusal.
            if number == 3 && offset >= closing {
                unclosed += 1;
                assert!(scanned.torn.is_some() && !scanned.closed, "byte {offset}");
            } else {
                kept += 1;
            }
        }
        Err(LogError::Damaged { .. } | LogError::OtherDirectory { .. }) => refused += 1,
        Err(other) => panic!("segment {number}, byte {offset}: {other}"),
    });
    assert!(refused > 10_000 && unclosed == 128, "{refused} refused, {kept} kept, {unclosed} unclosed");
}

#[test]
fn i7_a_flipped_bit_in_the_newest_epoch_is_cut_and_elsewhere_refused() {
    let (memory, _writer) = log_of(1..=24);
    let (all, _) = scan_all(&memory, EXPECT).unwrap();
    let mut cut = 0;
    flip_everywhere(&memory, |result, number, offset| match result {
        Ok((epochs, scanned)) if epochs == all => assert_eq!(scanned.torn, None, "segment {number}, byte {offset}"),
        Ok((epochs, scanned)) => {
            let torn = scanned.torn.unwrap();
            assert_eq!(epochs, all[..all.len() - 1], "segment {number}, byte {offset}");
            assert!(number == 3 && torn.offset <= offset as u64, "byte {offset} {torn:?}");
            cut += 1;
        }
        Err(LogError::Damaged { .. } | LogError::OtherDirectory { .. }) => {}
        Err(other) => panic!("segment {number}, byte {offset}: {other}"),
    });
    assert!(cut > 800, "the newest epoch is long: {cut}");
}

/// Creates, writes, closes, archives; notes what was acknowledged. Ends at the first error.
fn script(memory: &Memory, acked: &mut Vec<u64>, archived: &mut u64) -> Result<(), LogError> {
    let mut writer = create(memory)?;
    acked.push(0);
    for epoch in 1..=33 {
        write(&mut writer, epoch)?;
        acked.push(epoch);
        if epoch % 4 == 0 {
            writer.close_block()?;
        }
        if epoch == 25 || epoch == 32 {
            *archived = epoch - 3;
            let moved = writer.archive_before(*archived)?;
            assert_eq!(moved, if epoch == 25 { 2 } else { 1 }, "some move together");
        }
    }
    Ok(())
}

/// Whether everything acknowledged is there, nothing else than was attempted, and the log takes more; `Err` says what is not.
fn holds(remains: &Memory, acked: &[u64], from: u64) -> Result<(), String> {
    let Some(&newest) = acked.last() else { return Ok(()) };
    let expect = Expect { from_epoch: from.max(1), ..EXPECT };
    let (epochs, mut recovered) = recover_all(remains, expect).map_err(|error| error.to_string())?;
    let last = epochs.last().copied().unwrap_or(from.max(1) - 1);
    if epochs != (expect.from_epoch..=last).collect::<Vec<_>>() || last < newest || last > newest + 1 {
        return Err(format!("acknowledged up to {newest}, recovered {epochs:?}"));
    }
    for epoch in last + 1..=last + 3 {
        write(&mut recovered.writer, epoch).map_err(|error| error.to_string())?;
    }
    let (again, _) = recover_all(&remains.power_loss(Loss::Lost), expect).map_err(|error| error.to_string())?;
    if again != (expect.from_epoch..=last + 3).collect::<Vec<_>>() {
        return Err(format!("wrote {} to {} after a recovery, found {again:?}", last + 1, last + 3));
    }
    Ok(())
}

fn losses() -> impl Iterator<Item = Loss> {
    [Loss::Lost, Loss::Kept].into_iter().chain((0..6).map(|seed| Loss::Torn { seed }))
}

#[test]
fn i4_a_crash_at_every_storage_call_loses_nothing_acknowledged() {
    let counted = Memory::new();
    script(&counted, &mut Vec::new(), &mut 0).unwrap();
    assert!(counted.paths().iter().any(|path| path.starts_with("archive/")), "the script archives");
    for call in 1..=counted.calls() + 1 {
        let memory = Memory::new();
        memory.crash_at(call);
        let (mut acked, mut archived) = (Vec::new(), 0);
        assert_eq!(script(&memory, &mut acked, &mut archived).is_err(), call <= counted.calls());
        for loss in losses() {
            let remains = memory.power_loss(loss);
            if let Err(problem) = holds(&remains, &acked, archived) {
                panic!("crash at call {call}, {loss:?}: {problem}");
            }
            if acked.is_empty() {
                create(&memory.power_loss(loss)).unwrap_or_else(|error| panic!("call {call}, {loss:?}: {error}"));
            }
        }
        if let Err(problem) = holds(&memory.process_restart(), &acked, archived) {
            panic!("kill at call {call}: {problem}");
        }
    }
}

#[test]
fn i4_a_crash_within_recovery_after_a_crash_loses_nothing() {
    let counted = Memory::new();
    script(&counted, &mut Vec::new(), &mut 0).unwrap();
    for call in (20..counted.calls()).step_by(3) {
        let memory = Memory::new();
        memory.crash_at(call);
        let (mut acked, mut archived) = (Vec::new(), 0);
        script(&memory, &mut acked, &mut archived).unwrap_err();
        let expect = Expect { from_epoch: archived.max(1), ..EXPECT };
        for seed in 0..4 {
            for second in 1.. {
                let remains = memory.power_loss(Loss::Torn { seed });
                remains.crash_at(second);
                let mut floor = *acked.last().unwrap();
                let done = recover_and_write(&remains, expect, &mut floor).is_ok();
                for loss in [Loss::Lost, Loss::Kept, Loss::Torn { seed: seed + second }] {
                    let (epochs, _) = recover_all(&remains.power_loss(loss), expect)
                        .unwrap_or_else(|error| panic!("calls {call}, {second}, seed {seed}, {loss:?}: {error}"));
                    let last = epochs.last().copied().unwrap_or(expect.from_epoch - 1);
                    assert!(last >= floor, "calls {call}, {second}, seed {seed}, {loss:?}: {last} after {floor}");
                }
                if done {
                    break;
                }
            }
        }
    }
}

/// `floor` is the newest epoch that was told of: by a recovery that ended, or by a sync.
fn recover_and_write(memory: &Memory, expect: Expect, floor: &mut u64) -> Result<(), LogError> {
    let (_, mut recovered) = recover_all(memory, expect)?;
    *floor = recovered.scanned.head.epoch;
    for epoch in *floor + 1..*floor + 3 {
        write(&mut recovered.writer, epoch)?;
        *floor = epoch;
    }
    recovered.writer.close_block()
}

#[test]
fn a_planted_skipped_fsync_is_caught() {
    let caught = losses().filter(|&loss| {
        let memory = Memory::new();
        let mut writer = create(&memory).unwrap();
        memory.skip_fsync();
        (1..=5).for_each(|epoch| write(&mut writer, epoch).unwrap());
        holds(&memory.power_loss(loss), &[0, 1, 2, 3, 4, 5], 1).is_err()
    });
    let caught: Vec<Loss> = caught.collect();
    assert!(caught.contains(&Loss::Lost) && !caught.contains(&Loss::Kept), "caught by {caught:?}");
    assert!(caught.iter().any(|loss| matches!(loss, Loss::Torn { .. })), "caught by {caught:?}");
}

#[test]
fn a_failed_write_or_sync_poisons_the_log_and_what_it_left_is_never_half_believed() {
    let mut stages = std::collections::BTreeSet::new();
    // A third call is there where an epoch begins a segment.
    for (epoch, call) in (2..=14).flat_map(|epoch| [(epoch, 1), (epoch, 2), (epoch, 3)]) {
        let (memory, mut writer) = log_of(1..epoch);
        memory.fail_at(memory.calls() + call, io::ErrorKind::Other);
        let stage = match write(&mut writer, epoch) {
            Err(LogError::Poisoned { stage, .. }) => stage,
            result => {
                assert!(call == 3 && result.is_ok(), "epoch {epoch}, call {call}: {result:?}");
                continue;
            }
        };
        stages.insert((stage, call));
        let before = memory.calls();
        assert!(matches!(writer.append(99, &tails(99)), Err(LogError::Poisoned { .. })));
        assert!(matches!(writer.close_block(), Err(LogError::Poisoned { .. })));
        assert_eq!(memory.calls(), before, "a poisoned log touches nothing");
        // The page cache shows the epoch; the disk never got it. Once recovery has told of it, it must be on the disk.
        let restarted = memory.process_restart();
        let (told, recovered) = recover_all(&restarted, EXPECT).unwrap();
        let last = recovered.scanned.head.epoch;
        // Half a write may be a whole block and some padding.
        assert!(last == epoch || stage != "the sync of an epoch" && last == epoch - 1, "{last}");
        drop(recovered);
        let (kept, _) = recover_all(&restarted.power_loss(Loss::Lost), EXPECT).unwrap();
        assert_eq!(kept, told, "epoch {epoch}, call {call}");
    }
    let (header, block, sync) = ("the write of a segment header", "the write of an epoch", "the sync of an epoch");
    assert_eq!(Vec::from_iter(stages), [(sync, 2), (sync, 3), (header, 1), (block, 1), (block, 2)]);
}

#[test]
fn a_full_disk_stops_growth_not_the_log() {
    let memory = Memory::new();
    memory.set_capacity(2 * 8192 + 100);
    let mut writer = create(&memory).unwrap();
    let handle = writer.room_handle();
    let mut epoch = 0;
    let needed = loop {
        epoch += 1;
        let before = writer.room();
        match write(&mut writer, epoch) {
            Ok(()) => assert!(writer.room() < before, "nothing is added while the disk is full"),
            Err(LogError::NoRoom { needed, .. }) => break needed,
            Err(other) => panic!("{other}"),
        }
        assert_eq!(handle.load(Ordering::Acquire), writer.room());
    };
    assert!(writer.room() < needed);
    writer.close_block().unwrap();
    assert!(
        memory.paths().iter().all(|path| path.ends_with(".log")),
        "half a segment is not left: {:?}",
        memory.paths()
    );
    let (epochs, _) = scan_all(&memory, EXPECT).unwrap();
    assert_eq!(epochs, (1..epoch).collect::<Vec<_>>());
    memory.set_capacity(1 << 20);
    writer.allocate_ahead();
    assert!(writer.room() >= needed);
    write(&mut writer, epoch).unwrap();
    assert_eq!(scan_all(&memory, EXPECT).unwrap().0, (1..=epoch).collect::<Vec<_>>());
}

#[test]
fn a_log_on_a_full_disk_is_recovered_and_goes_on_when_there_is_room() {
    let (memory, writer) = log_of(1..=5);
    drop(writer);
    let mut bytes = memory.bytes(&segment(1)).unwrap();
    let end = end_of(&bytes);
    bytes[end - 1] ^= 1;
    memory.set_bytes(&segment(1), bytes);
    memory.lose(&segment(2));
    memory.set_capacity(8192);
    let (epochs, mut recovered) = recover_all(&memory, EXPECT).unwrap();
    assert_eq!((epochs, recovered.writer.room()), (vec![1, 2, 3, 4], 0));
    assert!(matches!(recovered.writer.append(5, &tails(5)), Err(LogError::NoRoom { .. })));
    memory.set_capacity(1 << 20);
    recovered.writer.allocate_ahead();
    write(&mut recovered.writer, 5).unwrap();
    assert_eq!(scan_all(&memory, EXPECT).unwrap().0, (1..=5).collect::<Vec<_>>());
}

#[test]
fn segments_that_were_moved_are_refused() {
    let (memory, _writer) = log_of(1..=30);
    let bytes = |number| memory.bytes(&segment(number)).unwrap();
    let refused = |change: &dyn Fn(&Memory)| {
        let damaged = memory.power_loss(Loss::Kept);
        change(&damaged);
        scan_all(&damaged, EXPECT).expect_err("what was moved is refused")
    };
    let swapped = refused(&|memory| {
        memory.set_bytes(&segment(1), bytes(2));
        memory.set_bytes(&segment(2), bytes(1));
    });
    assert!(matches!(swapped, LogError::Damaged { offset: 32, .. }), "{swapped}");
    let missing = refused(&|memory| memory.lose(&segment(2)));
    assert!(matches!(missing, LogError::SegmentMissing { .. }), "{missing}");
    let first = refused(&|memory| memory.lose(&segment(1)));
    assert!(matches!(first, LogError::EpochsMissing { needed: 1, .. }), "{first}");
    let stale = refused(&|memory| memory.set_bytes(&segment(3), bytes(1)));
    assert!(matches!(stale, LogError::Damaged { offset: 32, .. }), "{stale}");
    let emptied = refused(&|memory| memory.set_bytes(&segment(2), vec![0; 8192]));
    assert!(matches!(emptied, LogError::Damaged { .. }), "{emptied}");
    let other = Expect { identity: LogIdentity { directory: [7; 16], ..IDENTITY }, ..EXPECT };
    assert!(matches!(scan_all(&memory, other), Err(LogError::OtherDirectory { .. })));
    let older = Expect { identity: LogIdentity { lineage: 2, ..IDENTITY }, ..EXPECT };
    assert!(matches!(scan_all(&memory, older), Err(LogError::Damaged { offset: 12, .. })));
}

#[test]
fn blocks_that_were_lost_or_misdirected_are_refused() {
    let (memory, _writer) = log_of([1, 2, 4, 5, 7]);
    let whole = memory.bytes(&segment(1)).unwrap();
    for (from, to, why) in [(512, 1024, "over another"), (1024, 512, "back"), (1024, 4096, "far behind the end")] {
        let mut bytes = whole.clone();
        bytes.copy_within(from..from + 512, to);
        let damaged = memory.power_loss(Loss::Kept);
        damaged.set_bytes(&segment(1), bytes);
        let error = scan_all(&damaged, EXPECT).expect_err(why);
        assert!(matches!(error, LogError::Damaged { .. }), "{why}: {error}");
    }
    for lost in [512, 1024, 1536] {
        let mut bytes = whole.clone();
        bytes[lost..lost + 512].fill(0);
        let damaged = memory.power_loss(Loss::Kept);
        damaged.set_bytes(&segment(1), bytes);
        let error = scan_all(&damaged, EXPECT).expect_err("a lost write before later ones");
        assert!(matches!(error, LogError::Damaged { offset, .. } if offset == lost as u64), "{error}");
    }
}

#[test]
fn i7_a_closing_block_that_is_lost_before_an_epoch_is_refused() {
    let (memory, mut writer) = log_of(1..=3);
    writer.close_block().unwrap();
    let at = end_of(&memory.bytes(&segment(1)).unwrap()).next_multiple_of(512) - 512;
    write(&mut writer, 4).unwrap();
    for lost in [true, false] {
        let damaged = memory.power_loss(Loss::Kept);
        let mut bytes = memory.bytes(&segment(1)).unwrap();
        if lost {
            bytes[at..at + 512].fill(0)
        } else {
            bytes[at + 50] ^= 4
        }
        damaged.set_bytes(&segment(1), bytes);
        let error = scan_all(&damaged, EXPECT).unwrap_err();
        assert!(matches!(error, LogError::Damaged { offset, .. } if offset == at as u64), "{error}");
    }
}

#[test]
fn a_segment_of_another_past_is_refused() {
    let (memory, _writer) = log_of(1..=15);
    let refused = |other: &Memory| {
        let mixed = memory.power_loss(Loss::Kept);
        mixed.set_bytes(&segment(2), other.bytes(&segment(2)).unwrap());
        match scan_all(&mixed, EXPECT) {
            Err(LogError::Damaged { file, offset, .. }) => (file, offset),
            other => panic!("{other:?}"),
        }
    };
    let (fewer, _writer) = log_of((1..=15).map(|epoch| if epoch > 3 { epoch * 3 } else { epoch }));
    let (later, offset) = refused(&fewer);
    assert_eq!(later, segment(1), "epochs are missing at its end");
    assert_eq!(offset as usize, end_of(&memory.bytes(&segment(1)).unwrap()).next_multiple_of(512));
    let fatter = Memory::new();
    let mut writer = create(&fatter).unwrap();
    for epoch in 1..=4 {
        writer.append(epoch, &[PlaceTail { records: vec![1; 2500], ..tails(1)[0].clone() }]).unwrap();
        writer.sync().unwrap();
    }
    assert_eq!(refused(&fatter), (segment(2), 40), "it goes on from an epoch before the last");
    let other = Memory::new();
    let mut writer = create(&other).unwrap();
    for epoch in 1..=15 {
        let mut tails = tails(epoch);
        tails[0].records[0] ^= u8::from(epoch == 1);
        writer.append(epoch, &tails).unwrap();
        writer.sync().unwrap();
    }
    assert_eq!(refused(&other), (segment(2), 64), "the same epochs with another hash");
}

#[test]
fn bytes_behind_an_empty_segment_and_later_versions_are_refused() {
    let (memory, _writer) = log_of(1..=5);
    let damaged = memory.power_loss(Loss::Kept);
    damaged.set_bytes(&segment(3), vec![1; 8192]);
    let error = scan_all(&damaged, EXPECT).unwrap_err();
    assert!(matches!(&error, LogError::Damaged { file, .. } if *file == segment(2)), "{error}");
    let mut bytes = memory.bytes(&segment(1)).unwrap();
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..508]);
    bytes[508..512].copy_from_slice(&crc.to_le_bytes());
    memory.set_bytes(&segment(1), bytes);
    assert!(matches!(scan_all(&memory, EXPECT), Err(LogError::Version { found: 2, known: 1, .. })));
}

#[test]
fn a_torn_begin_of_a_segment_is_cut_and_its_number_left_behind() {
    let (memory, writer) = log_of(1..=5);
    drop(writer);
    let mut torn = vec![0; 8192];
    torn[700..900].fill(7);
    memory.set_bytes(&segment(2), torn);
    let (epochs, mut recovered) = recover_all(&memory, EXPECT).unwrap();
    let found = recovered.scanned.torn.unwrap();
    assert_eq!((epochs.len(), found.file, found.offset, found.bytes), (5, segment(2), 0, 900));
    write(&mut recovered.writer, 6).unwrap();
    assert!(memory.bytes(&segment(3)).unwrap()[..512].starts_with(b"TIDESEGM"));
    let (epochs, scanned) = scan_all(&memory, EXPECT).unwrap();
    assert_eq!((epochs.len(), scanned.torn), (6, None));
}

#[test]
fn a_head_seen_before_must_be_found_again() {
    let (memory, writer) = log_of(1..=10);
    let head = writer.head();
    let known = |known| scan_all(&memory, Expect { known: Some(known), ..EXPECT });
    assert_eq!(known(head).unwrap().0.len(), 10);
    for wrong in
        [ChainHead { epoch: 11, ..head }, ChainHead { hash: [1; 32], ..head }, ChainHead { epoch: 0, hash: [1; 32] }]
    {
        assert!(matches!(known(wrong), Err(LogError::Damaged { .. })), "{wrong:?}");
    }
}

#[test]
fn a_log_goes_on_behind_a_restored_snapshot() {
    let (_, writer) = log_of(1..=10);
    let memory = Memory::new();
    let raised = LogIdentity { lineage: IDENTITY.lineage + 1, ..IDENTITY };
    let mut writer = LogWriter::create_after(Arc::new(memory.clone()), raised, writer.head(), small()).unwrap();
    write(&mut writer, 11).unwrap();
    let expect = Expect { identity: raised, from_epoch: 11, known: None };
    assert_eq!(scan_all(&memory, expect).unwrap().0, [11]);
    let before = scan_all(&memory, Expect { from_epoch: 10, ..expect });
    assert!(matches!(before, Err(LogError::EpochsMissing { needed: 10, first: 10 })));
    assert!(matches!(create(&memory), Err(LogError::NotEmpty { .. })));
}

#[test]
fn pages_are_read_from_segments_in_use_archived_and_recovered() {
    let (memory, mut writer) = log_of((1..=40).filter(|epoch| epoch % 7 != 0));
    assert!(writer.archive_before(20).unwrap() >= 1);
    let check = |writer: &LogWriter| {
        let pages = writer.pages();
        for epoch in 1..=40 {
            for tail in tails(epoch) {
                for (offset, limit) in [(0, usize::MAX), (5, 7), (19, 600), (tail.records.len() - 1, 9)] {
                    let page = pages.entry(epoch, tail.place, offset as u32, limit).unwrap();
                    if epoch % 7 == 0 {
                        assert_eq!(page, None);
                        continue;
                    }
                    let page = page.unwrap();
                    let end = tail.records.len().min(offset.saturating_add(limit));
                    assert_eq!(page.bytes, tail.records[offset..end], "epoch {epoch} {:?}", tail.place);
                    assert_eq!((page.first_sequence, page.base_ms), (tail.first_sequence, tail.base_ms));
                }
                assert_eq!(pages.entry(epoch, tail.place, tail.records.len() as u32, 1).unwrap(), None);
            }
            assert_eq!(pages.entry(epoch, PlaceId(5), 0, 1).unwrap(), None);
        }
        assert_eq!(pages.entry(41, PlaceId(0), 0, 1).unwrap(), None);
    };
    check(&writer);
    writer.append(41, &tails(41)).unwrap();
    assert_eq!(writer.pages().entry(41, PlaceId(0), 0, 1).unwrap(), None, "not durable yet");
    drop(writer);
    let remains = memory.power_loss(Loss::Lost);
    let (_, recovered) = recover_all(&remains, Expect { from_epoch: 30, ..EXPECT }).unwrap();
    check(&recovered.writer);
}

#[test]
fn i7_a_damaged_page_is_refused() {
    let (memory, writer) = log_of(1..=4);
    let mut bytes = memory.bytes(&segment(1)).unwrap();
    bytes[512 + 128 + 4 + 32 * 2 + 3] ^= 1;
    // The open file of the writer is another by now; pages open by name.
    memory.set_bytes(&segment(1), bytes);
    let error = writer.pages().entry(1, PlaceId(0), 0, 9).unwrap_err();
    assert!(matches!(error, LogError::Damaged { offset: 512, .. }), "{error}");
    assert!(writer.pages().entry(2, PlaceId(0), 0, 9).unwrap().is_some());
}

#[test]
fn the_archive_keeps_within_its_budget_and_the_log_what_recovery_needs() {
    let memory = Memory::new();
    let options = LogOptions { archive_bytes: 2 * 8192, ..small() };
    let mut writer = LogWriter::create(Arc::new(memory.clone()), IDENTITY, options).unwrap();
    (1..=60).for_each(|epoch| write(&mut writer, epoch).unwrap());
    assert_eq!(writer.archive_before(1).unwrap(), 0);
    assert!(writer.archive_before(45).unwrap() > 2);
    assert_eq!(writer.archive_before(45).unwrap(), 0);
    let archived = memory.paths().iter().filter(|path| path.starts_with("archive/")).count();
    assert_eq!(archived, 2);
    assert_eq!(scan_all(&memory, Expect { from_epoch: 45, ..EXPECT }).unwrap().0, (45..=60).collect::<Vec<_>>());
    assert_eq!(writer.pages().entry(1, PlaceId(0), 0, 9).unwrap(), None, "beyond retention");
    writer.archive_before(u64::MAX).unwrap();
    assert!(scan_all(&memory, Expect { from_epoch: 61, ..EXPECT }).is_ok(), "the newest header stays");
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
