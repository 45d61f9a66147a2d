//! A disk without room for a snapshot, or for the manifest that would name it: the one before stands, the log goes on, nothing is left
//! lying about, and the next attempt succeeds when there is room.

use std::io::ErrorKind;

use tidegate::data::Opened;
use tidegate::snapshot::{SnapshotError, Written};
use tidegate::storage::{Loss, Memory};
use tidegate::store::Limits;
use tidegate_protocol::code::answer;

use super::{Client, DAY_MS, NOON_MS, club, drain, hot, open, opened_with, options, snapshot};

fn used(memory: &Memory) -> u64 {
    memory.paths().iter().map(|path| memory.bytes(path).unwrap().len() as u64).sum()
}

fn attempt(opened: &mut Opened) -> Result<Written, SnapshotError> {
    let written = opened.snapshotter.write(NOON_MS, |_| {})?;
    drain(opened);
    let log = opened.flusher.state();
    opened.snapshotter.publish(written.clone(), log.watermark.durable(), log.counters().1, &[])?;
    Ok(written)
}

fn is_full(error: &SnapshotError) -> bool {
    // What fails while the state is copied is told as it was heard of.
    matches!(error, SnapshotError::Io { source, .. }
        if source.kind() == ErrorKind::StorageFull || source.to_string().contains("the disk in memory is full"))
}

#[test]
fn a_disk_without_room_for_a_snapshot_or_its_manifest_keeps_the_one_before() {
    let (memory, mut opened) = opened_with(&club("club", &hot(1, 90, 90, 90)), options(2, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    (0..40).for_each(|member| drop(client.enrol(member)));
    drain(&mut opened);
    snapshot(&mut opened, |_| {});
    let (stood, before) = (opened.snapshotter.manifest().snapshots[0], used(&memory));

    let mut failed = (0, 0);
    for room in (0..).step_by(97) {
        memory.set_capacity(before + room);
        client.now_ms += DAY_MS;
        assert_eq!(client.check_in(0).code, answer::CHECKED_IN, "the log has its room");
        drain(&mut opened);
        let Err(error) = attempt(&mut opened) else { break };
        assert!(is_full(&error), "{room} bytes of room: {error}");
        let SnapshotError::Io { path, .. } = &error else { unreachable!("it is full") };
        if path.starts_with("MANIFEST") {
            failed.1 += 1
        } else {
            failed.0 += 1
        }
        // What failed takes no room from the log, and none from the next attempt.
        let left: Vec<String> = memory.paths().into_iter().filter(|path| path.starts_with("snapshots/")).collect();
        assert_eq!(left, [stood.path()], "{room} bytes of room");
        let again = open(&memory.power_loss(Loss::Lost), options(2, Limits::default()));
        assert_eq!(again.store.books().state_hash, store.books().state_hash);
        assert_eq!(again.recovery.snapshot, Some(stood));
    }
    println!("it failed {failed:?} times");
    assert!(failed.0 >= 10 && failed.1 >= 1, "it failed {failed:?} times: in the file, and in the manifest");

    memory.set_capacity(u64::MAX);
    client.enrol(1_000);
    drain(&mut opened);
    let taken = attempt(&mut opened).unwrap().entry;
    let again = open(&memory.power_loss(Loss::Lost), options(2, Limits::default()));
    assert_eq!((again.recovery.snapshot, again.store.books().state_hash), (Some(taken), store.books().state_hash));
}

#[test]
fn what_a_killed_process_left_of_a_snapshot_goes_at_the_next_start_and_what_is_named_stays() {
    let (memory, mut opened) = opened_with(&club("club", ""), options(2, Limits::default()));
    Client::new(&opened.store).enrol(1);
    drain(&mut opened);
    snapshot(&mut opened, |_| {});
    let stood = opened.snapshotter.manifest().snapshots[0].path();
    assert_eq!(Client::new(&opened.store).numbered(2).check_in(1).code, answer::CHECKED_IN);
    drain(&mut opened);
    let unnamed = opened.snapshotter.write(NOON_MS, |_| {}).unwrap().entry.path();
    let killed = memory.process_restart();
    // Damaged, so that it is passed over: it may still be wanted by whoever finds out why.
    let mut bytes = killed.bytes(&stood).unwrap();
    bytes[50] ^= 1;
    killed.set_bytes(&stood, bytes);
    assert!(killed.bytes(&unnamed).is_some());
    let again = open(&killed, options(2, Limits::default()));
    assert_eq!(again.recovery.passed_over.len(), 1);
    assert_eq!(again.store.books().state_hash, opened.store.books().state_hash);
    assert!(killed.bytes(&unnamed).is_none() && killed.bytes(&stood).is_some());
}
