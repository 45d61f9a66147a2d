//! Every file of the committed corpus through its decoder, on the stable toolchain: no panic, bounded memory, and what decodes
//! encodes to the same. What fuzzing finds is put there, so that it stays found.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use peak_alloc::PeakAlloc;
use tidegate_decoders::{TARGETS, seeds};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One at a time, so that the peak is that of one input.
static ALONE: Mutex<()> = Mutex::new(());

/// What one input may take beside what is there, whatever it says about lengths: the log's reader and a snapshot's have
/// buffers of 2 and 1 MiB, and a recovery may have two of them, a compiled programme its tables.
const BYTES_MOST: usize = 16 << 20;

/// All files of a target, by name.
fn files(target: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = seeds::corpus().join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.map(|file| file.unwrap().path()).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn replay(target: &str) {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let files = files(target);
    assert!(files.len() >= 4, "{target} has a corpus: {} files", files.len());
    // Once, so that what is kept for all inputs is there.
    tidegate_decoders::run(target, files.values().next().unwrap());
    for (path, bytes) in &files {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let passed = std::panic::catch_unwind(|| tidegate_decoders::run(target, bytes));
        let taken = MEMORY.peak_usage().saturating_sub(before);
        assert!(passed.is_ok(), "{} does not pass", path.display());
        assert!(taken <= BYTES_MOST, "{} takes {taken} bytes", path.display());
    }
}

macro_rules! targets {
    ($($test:ident: $target:literal;)*) => {
        $(#[test]
        fn $test() {
            replay($target);
        })*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$($target),*];
            assert_eq!(replayed, TARGETS.map(|(name, _)| name));
        }
    };
}

targets! {
    frames_of_gateways: "requests";
    frames_of_servers: "answers";
    segments_of_the_log: "log";
    records_of_the_log: "replay";
    snapshot_files: "snapshot";
    manifests: "manifest";
    programme_bundles: "bundle";
}

#[test]
fn every_seed_passes_and_stands_in_the_corpus() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    for seed in seeds::all() {
        tidegate_decoders::run(seed.target, &seed.bytes);
        let path = seeds::corpus().join(seed.target).join(&seed.name);
        let there = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(there == seed.bytes, "{}: `cargo run -p tidegate-decoders` writes it anew", path.display());
    }
}
