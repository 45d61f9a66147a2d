//! What the disk alone makes of a load: one epoch of so many KiB every millisecond, written and synced by the log, and nothing
//! else. Whoever asks at any instant waits at least as long as these figures say, however fast everything else is.
//!
//! `cargo bench --bench disk -- [SECONDS [KIB [DIR]]]`: 20 seconds, 64 KiB (half a million redemptions a second), and a
//! directory beside the build if nothing is said. The directory made in it is removed at the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate::log::{LogError, LogIdentity, LogOptions, LogWriter, PlaceId, PlaceTail};
use tidegate::storage::Disk;

/// How far apart epochs are cut under heavy load.
const APART: Duration = Duration::from_millis(1);
/// Who asks, asks evenly: one every so often.
const ASKED_EVERY: Duration = Duration::from_micros(20);
/// What counts as a stall, as in the server's `log_stalls`.
const STALL: Duration = Duration::from_millis(3);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |at: usize, otherwise: u64| {
        let given = arguments.get(at).map(|text| text.parse().unwrap_or_else(|_| usage(text)));
        given.unwrap_or(otherwise)
    };
    let (seconds, kib) = (number(0, 20), number(1, 64));
    if seconds == 0 || kib == 0 || kib > 16 << 10 {
        usage("seconds from 1, KiB from 1 to 16384");
    }
    let beside = arguments.get(2).map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let directory = tempfile::tempdir_in(beside).expect("a directory that can be written to");
    let disk = Disk::open(directory.path().join("data")).expect("an empty directory");
    let identity = LogIdentity { directory: *b"tidegate-diskalo", lineage: 0 };
    let mut writer = LogWriter::create(Arc::new(disk), identity, LogOptions::default()).expect("a log of its own");
    let records = vec![7; (kib << 10) as usize];
    let mut tail = [PlaceTail { place: PlaceId(0), first_sequence: 1, base_ms: 0, count: 1, records }];

    let (mut epochs, mut answers) = (Vec::new(), Vec::new());
    let (begin, end) = (Instant::now(), Duration::from_secs(seconds));
    let (mut asked, mut cut) = (Duration::ZERO, Duration::ZERO);
    for epoch in 1.. {
        // A disk that is slower than the load has no segment ready: that is a wait for the disk like any other.
        while let Err(LogError::NoRoom { .. }) = writer.append(epoch, &tail) {
            writer.allocate_ahead();
            std::thread::sleep(APART);
        }
        writer.sync().unwrap_or_else(|error| panic!("{error}"));
        tail[0].first_sequence += 1;
        let durable = begin.elapsed();
        epochs.push(durable - cut);
        // Who asked up to the cut is answered now; who asked later is in the next epoch.
        while asked <= cut {
            answers.push(durable - asked);
            asked += ASKED_EVERY;
        }
        std::thread::sleep((cut + APART).saturating_sub(durable));
        cut = begin.elapsed();
        if cut >= end {
            break;
        }
    }
    let stalled: Duration = epochs.iter().filter(|wait| **wait >= STALL).sum();
    println!(
        "{} epochs of {kib} KiB in {seconds} s, a millisecond apart; 4 segments of 64 MiB made ahead meanwhile",
        epochs.len()
    );
    println!("  an epoch's write and sync          {}", line(&mut epochs));
    println!("  from the question to the sync      {}", line(&mut answers));
    println!("  waits of 3 ms and longer: {:.2} % of the time", 100.0 * stalled.as_secs_f64() / seconds as f64);
}

fn line(waits: &mut [Duration]) -> String {
    waits.sort_unstable();
    let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    format!("p50 {:.2}, p99 {:.2}, p99.9 {:.2}, worst {:.2} ms", at(0.5), at(0.99), at(0.999), at(1.0))
}

fn usage(wrong: &str) -> ! {
    eprintln!("{wrong}: cargo bench --bench disk -- [SECONDS [KIB [DIR]]]");
    std::process::exit(2);
}
