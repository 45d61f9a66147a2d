//! Damage is named, never guessed over (I7): bits that flip, blocks and segments that are lost, moved or of another past.

use super::*;

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
    println!("{refused} refused, {kept} kept, {unclosed} unclosed");
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
fn a_segment_whose_number_cannot_be_counted_on_from_is_refused_by_name() {
    let (memory, _writer) = log_of(1..=15);
    for (folder, number) in [("log", (1 << 62) + 1), ("log", u64::MAX), ("archive", u64::MAX)] {
        let strange = memory.power_loss(Loss::Kept);
        let path = format!("{folder}/{number:020}.log");
        strange.set_bytes(&path, vec![0; 8192]);
        for reach in [Reach::InUse, Reach::Archived] {
            match scan_all(&strange, Expect { reach, ..EXPECT }) {
                Err(LogError::NumberTooFar { file }) => assert_eq!(file, path),
                other => panic!("{path}: {other:?}"),
            }
        }
        // Whoever wants to know what is there is told.
        let summaries = tidegate::log::summaries(&strange).unwrap();
        assert!(summaries.iter().any(|summary| summary.path == path), "{summaries:?}");
    }
    // A log may be read up to there, and gone on with from half of it.
    let begun_at = |number: u64| {
        let begun = Memory::new();
        let mut header = memory.bytes(&segment(1)).unwrap()[..512].to_vec();
        header[32..40].copy_from_slice(&number.to_le_bytes());
        let crc = crc32c::crc32c(&header[..508]);
        header[508..].copy_from_slice(&crc.to_le_bytes());
        header.resize(8192, 0);
        begun.make_dir("log").unwrap();
        begun.make_dir("archive").unwrap();
        begun.set_bytes(&segment(number), header);
        begun
    };
    assert!(scan_all(&begun_at(1 << 62), EXPECT).is_ok());
    assert!(recover_all(&begun_at(1 << 61), EXPECT).is_ok());
    let beyond = begun_at((1 << 61) + 1);
    assert!(scan_all(&beyond, EXPECT).is_ok());
    let (before, paths) = (beyond.calls(), beyond.paths());
    match recover_all(&beyond, EXPECT) {
        Err(LogError::NumbersUsedUp { file }) => assert_eq!(file, segment((1 << 61) + 1)),
        other => panic!("{:?}", other.map(|(epochs, _)| epochs)),
    }
    assert_eq!((beyond.calls(), beyond.paths()), (before, paths), "nothing is changed before it is refused");
}

#[test]
fn a_tail_from_a_record_that_no_place_reaches_is_refused() {
    let memory = Memory::new();
    let mut writer = create(&memory).unwrap();
    let reached = PlaceTail { place: PlaceId(1), first_sequence: 1 << 62, ..tails(1)[0].clone() };
    let beyond = PlaceTail { place: PlaceId(2), first_sequence: (1 << 62) + 1, ..reached.clone() };
    for (epoch, tail) in [(1, reached), (2, beyond)] {
        writer.append(epoch, &[tail]).unwrap();
        writer.sync().unwrap();
    }
    assert!(writer.pages().entry(1, PlaceId(1), 0, 9).unwrap().is_some());
    let read = writer.pages().entry(2, PlaceId(2), 0, 9).map(|page| page.is_some());
    let scanned = scan(&memory, EXPECT, &mut |_| Ok(()));
    for error in [read.unwrap_err(), scanned.unwrap_err()] {
        assert!(matches!(&error, LogError::Damaged { found, .. } if found.contains("no place reaches")), "{error}");
    }
}
