//! Files and sectors in another's place (I7): swapped, stale, played again under a new number, left over from an earlier use. Every
//! pair is tried; none gives another state than was written.

use super::*;

/// A log of several segments whose end is proven; how many there are.
fn closed() -> (Memory, u64) {
    let (memory, mut writer) = log_of(1..=60);
    writer.close_block().unwrap();
    let segments = scan_all(&memory, EXPECT).unwrap().1.segments;
    assert!(segments >= 6, "the script fills segments: {segments}");
    (memory, segments)
}

fn bytes(memory: &Memory, number: u64) -> Vec<u8> {
    memory.bytes(&segment(number)).unwrap()
}

#[test]
fn i7_a_segment_in_any_other_place_is_refused() {
    let (memory, segments) = closed();
    let mut refused = 0;
    for from in 1..=segments {
        // Up to the spare that would come next: an older segment played again as if it went on.
        for to in (1..=segments + 1).filter(|to| *to != from) {
            let moved = memory.power_loss(Loss::Kept);
            moved.set_bytes(&segment(to), bytes(&memory, from));
            let error = scan_all(&moved, EXPECT).expect_err("a copy of another segment");
            assert!(matches!(error, LogError::Damaged { offset: 32, .. }), "{from} as {to}: {error}");
            refused += 1;
            if from < to && to <= segments {
                moved.set_bytes(&segment(from), bytes(&memory, to));
                let error = scan_all(&moved, EXPECT).expect_err("two segments that were swapped");
                assert!(matches!(error, LogError::Damaged { offset: 32, .. }), "{from} and {to}: {error}");
                refused += 1;
            }
        }
    }
    println!("{refused} cases");
    assert!(refused >= 50, "{refused} cases");
}

#[test]
fn i7_a_segment_as_it_was_before_its_last_epochs_is_refused() {
    let (memory, segments) = closed();
    let mut refused = 0;
    for last in 1..=60 {
        let (earlier, _writer) = log_of(1..=last);
        for number in 1..=segments {
            // A spare then, or nothing yet, says no more than one that was lost.
            let Some(stale) = earlier.bytes(&segment(number)).filter(|bytes| end_of(bytes) > 0) else { continue };
            if stale == bytes(&memory, number) {
                continue;
            }
            let older = memory.power_loss(Loss::Kept);
            older.set_bytes(&segment(number), stale);
            match scan_all(&older, EXPECT) {
                Err(LogError::Damaged { .. }) => refused += 1,
                // Of the newest segment an earlier end is an end: only the log's head, kept elsewhere, can tell.
                Ok((epochs, _)) => assert!(number == segments && epochs == (1..=last).collect::<Vec<_>>(), "{number}"),
                Err(other) => panic!("segment {number} as after epoch {last}: {other}"),
            }
        }
    }
    println!("{refused} cases");
    assert!(refused >= 40, "{refused} cases");
    let head = scan_all(&memory, EXPECT).unwrap().1.head;
    let (earlier, _writer) = log_of(1..=59);
    let known = scan_all(&earlier, Expect { known: Some(head), ..EXPECT });
    assert!(matches!(known, Err(LogError::Damaged { .. })), "the head tells: {known:?}");
}

#[test]
fn i7_what_a_recycled_segment_held_before_is_never_read_as_new() {
    let (memory, segments) = closed();
    let newest = bytes(&memory, segments);
    let end = end_of(&newest).next_multiple_of(512);
    for number in 1..segments {
        let old = bytes(&memory, number);
        // Old blocks show through behind the end, where zeros were written; or from the very beginning of a spare.
        let recycled = memory.power_loss(Loss::Kept);
        recycled.set_bytes(&segment(segments), [&newest[..end], &old[end..]].concat());
        let error = scan_all(&recycled, EXPECT).expect_err("old blocks behind the end");
        assert!(matches!(error, LogError::Damaged { .. }), "{number} behind the end: {error}");
        let recycled = memory.power_loss(Loss::Kept);
        recycled.set_bytes(&segment(segments + 1), [&[0; 512], &old[512..]].concat());
        let error = scan_all(&recycled, EXPECT).expect_err("old blocks in a spare");
        assert!(matches!(error, LogError::Damaged { .. }), "{number} in a spare: {error}");
    }
}

#[test]
fn i7_a_sector_in_any_other_place_is_refused_or_changes_nothing() {
    let (memory, mut writer) = log_of(1..=24);
    writer.close_block().unwrap();
    let all = scan_all(&memory, EXPECT).unwrap().0;
    let places: Vec<(u64, usize)> = (1..=3)
        .flat_map(|number| (0..end_of(&bytes(&memory, number))).step_by(512).map(move |offset| (number, offset)))
        .collect();
    let (mut refused, mut harmless) = (0, 0);
    for &(from, source) in &places {
        let stray = bytes(&memory, from)[source..source + 512].to_vec();
        for &(to, target) in &places {
            let mut written = bytes(&memory, to);
            if written[target..target + 512] == stray[..] {
                continue;
            }
            written[target..target + 512].copy_from_slice(&stray);
            let moved = memory.power_loss(Loss::Kept);
            moved.set_bytes(&segment(to), written);
            match scan_all(&moved, EXPECT) {
                Err(LogError::Damaged { .. }) => refused += 1,
                // The closing block, which says nothing new.
                Ok((epochs, scanned)) => {
                    assert!(epochs == all && !scanned.closed, "{from}:{source} over {to}:{target}: {epochs:?}");
                    harmless += 1;
                }
                Err(other) => panic!("{from}:{source} over {to}:{target}: {other}"),
            }
        }
    }
    println!("{refused} refused, {harmless} harmless");
    assert!(refused > 1_000 && harmless < places.len(), "{refused} refused, {harmless} harmless");
}
