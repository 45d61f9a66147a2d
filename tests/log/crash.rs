//! What a crash may take and what it may not: power loss at every storage call, in recovery too; errors that poison the log.

use super::*;

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
            let moved = writer.pages().archive_before(*archived)?;
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
    println!("{} calls", counted.calls());
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
fn a_log_cut_at_every_byte_of_its_last_three_epochs_ends_with_the_last_whole_one() {
    let mut cuts = 0;
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
            cuts += 1;
            if cut % 61 == 0 {
                goes_on_after(&damaged, expected);
            }
        }
    }
    println!("{cuts} cuts");
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

/// Behind a torn tail the next segment is begun, here with a closing block: header and block are on their way together.
#[test]
fn i4_a_crash_in_a_closing_block_that_begins_a_segment_loses_nothing() {
    let (torn, _writer) = log_of(1..=5);
    let mut bytes = torn.bytes(&segment(1)).unwrap();
    let end = end_of(&bytes).next_multiple_of(512);
    bytes[end..end + 512].fill(7);
    torn.set_bytes(&segment(1), bytes);
    let mut parted = 0;
    for call in 1..=3 {
        let memory = torn.power_loss(Loss::Kept);
        let (_, mut recovered) = recover_all(&memory, EXPECT).unwrap();
        assert!(recovered.scanned.torn.is_some() && recovered.writer.is_open());
        memory.crash_at(memory.calls() + call);
        assert!(recovered.writer.close_block().is_err(), "header, block, sync");
        for loss in (0..32).map(|seed| Loss::Torn { seed }).chain([Loss::Lost, Loss::Kept]) {
            let remains = memory.power_loss(loss);
            let begun = remains.bytes(&segment(2)).unwrap();
            parted += u64::from(end_of(&begun[..512]) == 0 && end_of(&begun) > 512);
            holds(&remains, &[5], 1).unwrap_or_else(|problem| panic!("crash at call {call}, {loss:?}: {problem}"));
        }
    }
    assert!(parted > 0, "a block survives without its header");
}

/// A move that is not durable must not be overtaken by the next: taken back alone, it would stand before a gap.
#[test]
fn i4_a_crash_after_a_failed_sync_of_the_archive_leaves_no_gap() {
    for failing in 2..=5 {
        let (memory, writer) = log_of(1..=33);
        memory.fail_at(memory.calls() + failing, io::ErrorKind::Other);
        assert!(writer.pages().archive_before(14).is_err(), "call {failing} is one of its moves");
        memory.crash_at(memory.calls() + 6);
        let _ = writer.pages().archive_before(30);
        for loss in losses() {
            let remains = memory.power_loss(loss);
            holds(&remains, &[33], 30).unwrap_or_else(|problem| panic!("call {failing}, {loss:?}: {problem}"));
        }
    }
}
