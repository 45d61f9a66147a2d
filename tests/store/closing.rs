//! The flusher when nothing more comes: a closing block that finds no room waits, one that fails is told to whoever waits.

use std::io::ErrorKind;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidegate::data::Opened;
use tidegate::log::{LogError, LogState};
use tidegate::store::{Limits, Store};
use tidegate_protocol::code::answer;

use super::{Client, club, drain, hot, open, opened_with, options};

/// A hang shows as a failure, not as a wait.
const PATIENCE: Duration = Duration::from_secs(60);

type Running = (Arc<Store>, Arc<LogState>, JoinHandle<Result<(), LogError>>);

fn run(opened: Opened) -> Running {
    let Opened { store, flusher, .. } = opened;
    let log = flusher.state();
    (store, log, std::thread::spawn(move || flusher.run()))
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not in a minute: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_closing_block_that_fails_is_told_to_whoever_waits() {
    let (memory, mut opened) = opened_with(&club("club", &hot(1, 10, 10, 10)), options(4, Limits::default()));
    drain(&mut opened);
    let next = memory.calls();
    (next..next + 3).for_each(|call| memory.fail_at(call, ErrorKind::Other));
    let (_store, log, thread) = run(opened);
    assert!(thread.join().unwrap().is_err());
    assert!(log.watermark.has_failed() && log.failure().is_some());
    assert!(log.watermark.wait(u64::MAX).is_err(), "nobody waits for ever");
}

#[test]
fn a_closing_block_without_room_waits_and_writing_goes_on_by_itself() {
    let (memory, mut opened) = opened_with(&club("club", &hot(1, 10, 10, 10)), options(4, Limits::default()));
    drain(&mut opened);
    Client::new(&opened.store).enrol(1);
    drain(&mut opened);
    drop(opened);
    // The newest epoch is torn, so that the log may not go on in its segment; and there is no other.
    let segments: Vec<String> = memory.paths().into_iter().filter(|path| path.starts_with("log/")).collect();
    let mut bytes = memory.bytes(&segments[0]).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[last] ^= 1;
    memory.set_bytes(&segments[0], bytes);
    segments[1..].iter().for_each(|path| memory.lose(path));
    let there: usize = memory.paths().iter().map(|path| memory.bytes(path).unwrap().len()).sum();
    memory.set_capacity(there as u64);

    let opened = open(&memory, options(4, Limits::default()));
    assert_eq!(opened.recovery.torn.as_ref().map(|torn| torn.file.as_str()), Some(segments[0].as_str()));
    let (store, log, thread) = run(opened);
    assert_eq!(log.room(), 0);
    // Long enough for the closing block to be tried.
    std::thread::sleep(Duration::from_millis(300));
    assert!(!thread.is_finished() && log.failure().is_none(), "a full disk does not end the flusher");
    memory.set_capacity(u64::MAX);
    wait_until("there is room again", || log.room() > 0);
    let told = Client::new(&store).enrol(2);
    assert_eq!(told.code, answer::ENROLLED);
    log.doorbell.ring();
    wait_until("the change is durable", || log.watermark.durable() >= told.epoch);
    log.stop();
    thread.join().unwrap().unwrap();
}
