//! Room on the disk: full disks, the archive and its budget, and entries read again from wherever their segment is.

use super::*;

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
fn pages_are_read_from_segments_in_use_archived_and_recovered() {
    let (memory, mut writer) = log_of((1..=40).filter(|epoch| epoch % 7 != 0));
    assert!(writer.pages().archive_before(20).unwrap() >= 1);
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
    let options = LogOptions { retention: Retention { bytes: 8192, age_ms: None }, ..small() };
    let mut writer = LogWriter::create(Arc::new(memory.clone()), IDENTITY, options).unwrap();
    (1..=60).for_each(|epoch| write(&mut writer, epoch).unwrap());
    assert_eq!(writer.pages().archive_before(1).unwrap(), 0);
    assert!(writer.pages().archive_before(45).unwrap() > 2);
    assert_eq!(writer.pages().archive_before(45).unwrap(), 0);
    let archived = || memory.paths().iter().filter(|path| path.starts_with("archive/")).count();
    let all = archived();
    assert!(all > 2);
    assert_eq!(writer.pages().drop_archived(0, true).unwrap(), all - 2, "twice as much while somebody copies them");
    assert_eq!(writer.pages().drop_archived(0, false).unwrap(), 1);
    assert_eq!(archived(), 1);
    assert_eq!(scan_all(&memory, Expect { from_epoch: 45, ..EXPECT }).unwrap().0, (45..=60).collect::<Vec<_>>());
    assert_eq!(writer.pages().entry(1, PlaceId(0), 0, 9).unwrap(), None, "beyond retention");
    writer.pages().archive_before(u64::MAX).unwrap();
    assert!(scan_all(&memory, Expect { from_epoch: 61, ..EXPECT }).is_ok(), "the newest header stays");
}

#[test]
fn a_file_that_no_log_reaches_is_neither_counted_nor_removed_from_the_archive() {
    let memory = Memory::new();
    let options = LogOptions { retention: Retention { bytes: 8192, age_ms: None }, ..small() };
    let mut writer = LogWriter::create(Arc::new(memory.clone()), IDENTITY, options).unwrap();
    (1..=60).for_each(|epoch| write(&mut writer, epoch).unwrap());
    let strange = format!("archive/{:020}.log", u64::MAX);
    memory.set_bytes(&strange, vec![0; 1 << 16]);
    writer.pages().archive_before(45).unwrap();
    writer.pages().drop_archived(0, false).unwrap();
    let left: Vec<String> = memory.paths().into_iter().filter(|path| path.starts_with("archive/")).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.contains(&strange), "{left:?}");
}

#[test]
fn the_archive_forgets_what_is_too_old_the_oldest_first() {
    let memory = Memory::new();
    let options = LogOptions { retention: Retention { bytes: 1 << 30, age_ms: Some(20) }, ..small() };
    let mut writer = LogWriter::create(Arc::new(memory.clone()), IDENTITY, options).unwrap();
    // An epoch's time is its number, a millisecond each.
    (1..=60).for_each(|epoch| write(&mut writer, epoch).unwrap());
    writer.pages().archive_before(58).unwrap();
    let archived = || memory.paths().iter().filter(|path| path.starts_with("archive/")).count();
    let all = archived();
    let now_ms = |epoch: i64| 1_790_000_000_000 + epoch;
    assert_eq!(writer.pages().drop_archived(now_ms(21), false).unwrap(), 0, "nothing is that old");
    let dropped = writer.pages().drop_archived(now_ms(60), false).unwrap();
    assert!(0 < dropped && dropped < all, "{dropped} of {all}");
    // All that is younger is there, without a gap.
    let kept = scan_all(&memory, Expect { from_epoch: 40, reach: Reach::Archived, ..EXPECT }).unwrap().0;
    assert_eq!(kept, (40..=60).collect::<Vec<_>>());
    assert_eq!(writer.pages().drop_archived(now_ms(1_000), true).unwrap(), 0, "nothing goes while it is copied");
    assert_eq!(writer.pages().drop_archived(now_ms(1_000), false).unwrap(), all - dropped);
}
