//! A disk that fails, at every call of the script: a write or a sync that is refused, a write that ends early, one that is told as done
//! and never made. The log stops at the first failure of its own and tells nothing any more; a snapshot that fails leaves the one
//! before; the next start has everything that was told (I4), or says what is gone (I7).

use std::io::ErrorKind;

use super::lying::{Lie, Lying};
use super::*;

/// What the disk may hold when the server is started again: the page cache, or what was synced.
fn survivors(memory: &Memory, seed: u64) -> [Memory; 3] {
    [memory.process_restart(), memory.power_loss(Loss::Lost), memory.power_loss(Loss::Torn { seed })]
}

/// How lives ended in which something failed.
#[derive(Debug, Default)]
struct Ends {
    /// The directory was not made.
    unmade: u32,
    /// The log failed.
    stopped: u32,
    /// It went on to the end.
    lived: u32,
}

impl Ends {
    /// Lives on a disk, and holds what is left of it to what was told.
    fn live(
        &mut self,
        memory: &Memory,
        storage: Arc<dyn Storage>,
        reference: &Reference,
        seed: u64,
    ) -> Result<(), String> {
        let mut history = life::History::default();
        match Life::upon(storage, Plant::Nothing) {
            Err(_) => self.unmade += 1,
            Ok(mut life) => {
                match life.drive_through(&reference.steps) {
                    Err(_) => self.stopped += 1,
                    Ok(()) => {
                        self.lived += 1;
                        if views(&life.opened.store, reference.end_ms) != reference.views {
                            return Err("it went on to another end".into());
                        }
                    }
                }
                history = life.history;
            }
        }
        survivors(memory, seed).iter().try_for_each(|survivor| check(survivor, &history, reference))
    }
}

#[test]
fn i4_nothing_told_is_lost_when_a_write_or_a_sync_fails_once() {
    let reference = reference();
    let mut ends = Ends::default();
    for call in 1..=reference.calls {
        let memory = Memory::new();
        memory.fail_at(call, ErrorKind::Other);
        let lived = ends.live(&memory, Arc::new(memory.clone()), &reference, call);
        lived.unwrap_or_else(|why| panic!("call {call} failed: {why}"));
    }
    println!("{} calls: {ends:?}", reference.calls);
    // An epoch's write or sync stops the log; a segment ahead, a snapshot, a manifest, the archive do not.
    assert!(ends.stopped >= 100 && ends.lived >= 100 && ends.unmade >= 5, "{ends:?}");
}

#[test]
fn i4_nothing_told_is_lost_when_a_write_ends_early() {
    let reference = reference();
    let mut ends = Ends::default();
    let writes = writes(&reference);
    for nth in 1..=writes {
        // None of it, some sectors and a part of one, or all of it.
        let eighths = [0, 3, 8][nth as usize % 3];
        let memory = Memory::new();
        let disk = Lying::on(&memory, nth, Lie::Short(eighths));
        let lived = ends.live(&memory, Arc::new(disk), &reference, nth);
        lived.unwrap_or_else(|why| panic!("of write {nth} {eighths} eighths were made: {why}"));
    }
    println!("{writes} writes: {ends:?}");
    assert!(ends.stopped >= 50 && ends.lived >= 10 && ends.unmade >= 1, "{ends:?}");
}

/// How many writes the script takes.
fn writes(reference: &Reference) -> u64 {
    let disk = Lying::on(&Memory::new(), 0, Lie::Forgotten);
    let mut life = Life::upon(Arc::new(disk.clone()), Plant::Nothing).unwrap();
    life.drive_through(&reference.steps).unwrap();
    disk.writes()
}

#[test]
fn i7_a_write_that_was_never_made_is_refused_or_changes_nothing() {
    let reference = reference();
    let (mut refused, mut harmless) = (0, 0);
    let writes = writes(&reference);
    for nth in 1..=writes {
        let memory = Memory::new();
        let disk = Lying::on(&memory, nth, Lie::Forgotten);
        let mut life = Life::upon(Arc::new(disk), Plant::Nothing).unwrap();
        life.drive_through(&reference.steps).unwrap();
        // At rest, so that the newest epoch too is proven.
        life.opened.flusher.close().unwrap();
        let told = life.opened.store.books().state_hash;
        let storage: Arc<dyn Storage> = Arc::new(memory.power_loss(Loss::Lost));
        match data::inspect(&storage, options().limits, &mut |_| {}) {
            Ok((store, ..)) => {
                assert_eq!(store.books().state_hash, told, "write {nth} was never made, and nobody says so");
                harmless += 1;
            }
            Err(_) => refused += 1,
        }
    }
    println!("{writes} writes: {refused} refused, {harmless} without harm");
    // What older snapshots have made needless can be lost without harm.
    assert!(refused >= 10, "{refused} refused, {harmless} without harm");
}
