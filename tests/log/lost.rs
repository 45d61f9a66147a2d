//! Writes that are told as done and never made (I7): damage where anything stands behind them, and what cannot be known where nothing
//! does.

use super::lying::{Lie, Lying};
use super::*;

/// Writes 24 epochs, and closes; gives the writes made before the last epoch and in all.
fn script(disk: &Lying, close: bool) -> (u64, u64) {
    let mut writer = LogWriter::create(Arc::new(disk.clone()), IDENTITY, small()).unwrap();
    (1..24).for_each(|epoch| write(&mut writer, epoch).unwrap());
    let before = disk.writes();
    write(&mut writer, 24).unwrap();
    if close {
        writer.close_block().unwrap();
    }
    (before, disk.writes())
}

/// What a scan finds after the `nth` write was lost.
fn after_losing(nth: u64, close: bool) -> Result<(Vec<u64>, Scanned), LogError> {
    let memory = Memory::new();
    script(&Lying::on(&memory, nth, Lie::Forgotten), close);
    scan_all(&memory.power_loss(Loss::Lost), EXPECT)
}

#[test]
fn i7_a_lost_write_is_refused_once_the_log_is_closed() {
    let writes = script(&Lying::on(&Memory::new(), 0, Lie::Forgotten), true).1;
    let (mut refused, mut harmless) = (0, 0);
    for nth in 1..=writes {
        match after_losing(nth, true) {
            Err(LogError::Damaged { .. } | LogError::SegmentMissing { .. } | LogError::EpochsMissing { .. }) => {
                refused += 1
            }
            // Zeros of a segment ahead, over which blocks were written later; or the closing block itself.
            Ok((epochs, _)) => {
                assert_eq!(epochs, (1..=24).collect::<Vec<_>>(), "write {nth} was lost");
                harmless += 1;
            }
            Err(other) => panic!("write {nth} was lost: {other}"),
        }
    }
    // An epoch each, and the headers of the segments.
    println!("{writes} writes: {refused} refused, {harmless} harmless");
    assert!(refused >= 24, "{refused} refused, {harmless} harmless of {writes} writes");
}

#[test]
fn a_lost_write_of_the_newest_epoch_is_an_end_and_of_any_other_refused() {
    let (before, writes) = script(&Lying::on(&Memory::new(), 0, Lie::Forgotten), false);
    let mut ends = 0;
    for nth in 1..=writes {
        match after_losing(nth, false) {
            Err(_) => assert!(nth <= before, "of the newest epoch nothing proves anything"),
            Ok((epochs, _)) if epochs.len() == 24 => {}
            Ok((epochs, _)) => {
                assert!(nth > before && epochs == (1..=23).collect::<Vec<_>>(), "write {nth} was lost: {epochs:?}");
                ends += 1;
            }
        }
    }
    assert!(ends > 0, "one disk cannot tell a write that was lost from one that never came");
}

#[test]
fn i7_a_lost_sector_is_refused_once_the_log_is_closed() {
    let (memory, mut writer) = log_of(1..=24);
    writer.close_block().unwrap();
    let all = scan_all(&memory, EXPECT).unwrap().0;
    let (mut refused, mut padding, mut unclosed) = (0, 0, 0);
    for number in 1..=3 {
        let whole = memory.bytes(&segment(number)).unwrap();
        let end = end_of(&whole);
        for sector in (0..end).step_by(512) {
            let mut bytes = whole.clone();
            bytes[sector..sector + 512].fill(0);
            if bytes == whole {
                padding += 1;
                continue;
            }
            let damaged = memory.power_loss(Loss::Kept);
            damaged.set_bytes(&segment(number), bytes);
            match scan_all(&damaged, EXPECT) {
                Err(LogError::Damaged { .. }) => refused += 1,
                Ok((epochs, scanned)) => {
                    assert!(
                        epochs == all && !scanned.closed && number == 3 && sector + 512 >= end,
                        "{number}:{sector}"
                    );
                    unclosed += 1;
                }
                Err(other) => panic!("{number}:{sector}: {other}"),
            }
        }
    }
    println!("{refused} refused, {unclosed} unclosed, {padding} zeros already");
    assert!(refused > 30 && unclosed == 1, "{refused} refused, {unclosed} unclosed, {padding} zeros already");
}
