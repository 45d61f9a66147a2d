//! Damage anywhere in a directory (I7): bits that flip, files that stand in another's place, files of an earlier time or of another
//! directory. Each is refused by name, or the state is the one that was written; never another.

use std::sync::Arc;

use tidegate::data::{self, OpenError, Opened, Recovery, Seed};
use tidegate::log::LogError;
use tidegate::snapshot::{Manifest, SnapshotError};
use tidegate::storage::{Memory, Storage};
use tidegate::store::SectionKind;

use super::SEED;
use super::recovery::{golden, lived, small};

/// Hash of the state that a server starts with on a directory, and what it found on the way to it.
fn state(memory: &Memory) -> Result<(String, Recovery), OpenError> {
    let Opened { store, recovery, .. } = data::open(Arc::new(memory.clone()), small(), None, &mut |_| {})?;
    assert!(store.books().balance(), "what is recovered balances");
    Ok((store.books().state_hash, recovery))
}

/// The same directory as if only this snapshot had been taken.
fn with_only(memory: &Memory, snapshot: &str) -> Memory {
    let memory = memory.process_restart();
    let mut manifest = Manifest::read(&memory).unwrap().unwrap();
    manifest.snapshots.retain(|entry| entry.path() == snapshot);
    assert_eq!(manifest.snapshots.len(), 1);
    manifest.write(&memory).unwrap();
    memory
}

/// What a server finds where other bytes stand in files' places; the directory stays as it is.
fn state_with(memory: &Memory, changes: &[(&str, Vec<u8>)]) -> Result<(String, Recovery), OpenError> {
    let changed = memory.process_restart();
    changes.iter().for_each(|(path, bytes)| changed.set_bytes(path, bytes.clone()));
    state(&changed)
}

fn bytes(memory: &Memory, path: &str) -> Vec<u8> {
    memory.bytes(path).unwrap()
}

/// Paths of what is not empty.
fn paths(memory: &Memory) -> Vec<String> {
    memory.paths().into_iter().filter(|path| end_of(&bytes(memory, path)) > 0).collect()
}

fn end_of(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// That a refusal says what is wrong with which file.
fn is_named(error: &OpenError) -> bool {
    match error {
        OpenError::Snapshot(
            SnapshotError::Damaged { .. } | SnapshotError::Manifest { .. } | SnapshotError::Io { .. },
        ) => true,
        OpenError::Log(error) => matches!(
            error,
            LogError::Damaged { .. }
                | LogError::OtherDirectory { .. }
                | LogError::SegmentMissing { .. }
                | LogError::EpochsMissing { .. }
                | LogError::Replay { .. }
        ),
        OpenError::LogTooShort { .. } => true,
        _ => false,
    }
}

#[test]
fn i7_a_flipped_bit_in_a_snapshot_is_found_and_never_gives_a_wrong_state() {
    let memory = golden();
    let (right, recovery) = state_with(&memory, &[]).unwrap();
    let newest = recovery.snapshot.unwrap().path();
    let snapshots: Vec<String> = paths(&memory).into_iter().filter(|path| path.starts_with("snapshots/")).collect();
    assert_eq!(snapshots.len(), 2);
    for path in &snapshots {
        // The older one is not read while the newer one reads well.
        let memory = if *path == newest { memory.process_restart() } else { with_only(&memory, path) };
        assert_eq!(state_with(&memory, &[]).unwrap().0, right);
        let whole = bytes(&memory, path);
        println!("{path}: {} bytes", whole.len());
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            match state_with(&memory, &[(path, damaged)]) {
                Ok((hash, Recovery { passed_over, .. })) => {
                    assert_eq!(hash, right, "{path}, byte {at}");
                    assert!(passed_over.iter().any(|said| said.contains(path.as_str())), "byte {at}: {passed_over:?}");
                }
                // The log does not begin early enough to do without it.
                Err(error) => assert!(*path != newest && is_named(&error), "{path}, byte {at}: {error}"),
            }
        }
    }
}

#[test]
fn i7_a_flipped_bit_in_the_manifest_is_refused() {
    let memory = golden();
    let whole = bytes(&memory, "MANIFEST");
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let refused = state_with(&memory, &[("MANIFEST", damaged)]).err();
            let named = matches!(&refused, Some(OpenError::Snapshot(SnapshotError::Manifest { .. })));
            assert!(named, "byte {at}, bit {bit}: {refused:?}");
        }
    }
}

#[test]
fn i7_a_flipped_bit_in_the_log_never_gives_a_wrong_state() {
    let memory = golden();
    let right = state_with(&memory, &[]).unwrap().0;
    let (mut refused, mut harmless) = (0, 0);
    for path in paths(&memory).iter().filter(|path| path.starts_with("log/")) {
        let whole = bytes(&memory, path);
        for at in 0..end_of(&whole) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            match state_with(&memory, &[(path, damaged)]) {
                // Padding, the closing block, or a segment that the newest snapshot does not need.
                Ok((hash, _)) => {
                    assert_eq!(hash, right, "{path}, byte {at}");
                    harmless += 1;
                }
                Err(error) => {
                    assert!(is_named(&error), "{path}, byte {at}: {error}");
                    refused += 1;
                }
            }
        }
    }
    println!("{refused} refused, {harmless} harmless");
    assert!(refused > 2_000, "{refused} refused, {harmless} harmless");
}

/// Puts bytes in a file's place: refused by name, or the state is right. Whether it was refused.
///
/// Where the whole of the log's newest segment is gone, its closing block is gone too: that is told as a torn begin of a segment.
fn refused_or_right(memory: &Memory, changes: &[(&str, Vec<u8>)], right: &str, what: &str) -> bool {
    let found = state_with(memory, changes);
    let newest = paths(memory).into_iter().rfind(|path| path.starts_with("log/")).unwrap();
    match &found {
        Ok((hash, recovery)) => {
            let torn =
                recovery.torn.as_ref().is_some_and(|torn| (torn.file.as_str(), torn.offset) == (newest.as_str(), 0));
            assert!(hash == right || torn, "{what}: {recovery:?}");
        }
        Err(error) => assert!(is_named(error), "{what}: {error}"),
    }
    found.is_err()
}

#[test]
fn i7_a_file_in_any_other_files_place_never_gives_a_wrong_state() {
    let memory = golden();
    let right = state_with(&memory, &[]).unwrap().0;
    let (mut refused, mut cases) = (0, 0);
    for from in paths(&memory) {
        for to in paths(&memory).into_iter().filter(|to| *to != from) {
            let copy = [(to.as_str(), bytes(&memory, &from))];
            let swap = [(to.as_str(), bytes(&memory, &from)), (from.as_str(), bytes(&memory, &to))];
            refused += u32::from(refused_or_right(&memory, &copy, &right, &format!("{from} as {to}")));
            refused += u32::from(refused_or_right(&memory, &swap, &right, &format!("{from} and {to} swapped")));
            cases += 2;
        }
    }
    println!("{refused} of {cases} refused");
    assert!(refused > 20 && refused < cases, "{refused} of {cases} refused");
}

#[test]
fn i7_a_file_that_is_missing_never_gives_a_wrong_state() {
    let memory = golden();
    let right = state_with(&memory, &[]).unwrap().0;
    for path in memory.paths() {
        let without = memory.process_restart();
        without.lose(&path);
        match state(&without) {
            Ok((hash, _)) => assert_eq!(hash, right, "{path}"),
            Err(OpenError::NoManifest) => assert_eq!(path, "MANIFEST"),
            Err(error) => assert!(is_named(&error), "{path}: {error}"),
        }
    }
}

#[test]
fn i7_a_file_of_an_earlier_time_never_gives_a_wrong_state() {
    let memory = golden();
    let right = state_with(&memory, &[]).unwrap().0;
    let newest = paths(&memory).into_iter().rfind(|path| path.starts_with("log/")).unwrap();
    let (mut refused, mut cases) = (0, 0);
    for rounds in 1..4 {
        let earlier = lived(SEED, rounds);
        for path in paths(&earlier) {
            // An earlier end of the log's newest segment is an end: only the log's head, kept elsewhere, can tell.
            if path == newest || memory.bytes(&path).as_ref() == Some(&bytes(&earlier, &path)) {
                continue;
            }
            let stale = [(path.as_str(), bytes(&earlier, &path))];
            refused += u32::from(refused_or_right(&memory, &stale, &right, &format!("{path} of round {rounds}")));
            cases += 1;
        }
    }
    println!("{refused} of {cases} refused");
    assert!(refused > 0 && cases >= 5, "{refused} of {cases} refused");
}

#[test]
fn i7_a_file_of_another_directory_never_gives_a_wrong_state() {
    let memory = golden();
    let right = state_with(&memory, &[]).unwrap().0;
    let other = lived(Seed { directory: *b"tidegate-another", ..SEED }, 4);
    let mut refused = Vec::new();
    for path in paths(&other) {
        let stray = [(path.as_str(), bytes(&other, &path))];
        if refused_or_right(&memory, &stray, &right, &path) {
            refused.push(path);
        }
    }
    assert!(
        refused.iter().any(|path| path == "MANIFEST") && refused.iter().any(|path| path.starts_with("log/")),
        "{refused:?}"
    );
}

#[test]
fn an_epoch_that_cannot_be_counted_on_from_is_refused_before_anything_is_written() {
    // A snapshot may begin behind the log's end, and what is written then begins there.
    let begins_at = |epoch: u64| {
        let memory = golden();
        let mut manifest = Manifest::read(&memory).unwrap().unwrap();
        manifest.snapshots[1].first_epoch = epoch;
        manifest.write(&memory).unwrap();
        memory
    };
    assert!(state(&begins_at(1 << 61)).is_ok());
    let beyond = begins_at((1 << 61) + 1);
    let files =
        |memory: &Memory| memory.paths().into_iter().map(|path| (memory.bytes(&path), path)).collect::<Vec<_>>();
    let before = files(&beyond);
    let refused = state(&beyond).unwrap_err();
    assert!(matches!(refused, OpenError::EpochTooFar { epoch } if epoch == (1 << 61) + 1), "{refused}");
    assert!(files(&beyond) == before, "a file was written, made or removed");
}

#[test]
fn a_log_that_no_server_goes_on_with_is_not_called_sound() {
    let begins_at = |number: u64| {
        let memory = Memory::new();
        drop(data::open(Arc::new(memory.clone()), small(), Some(SEED), &mut |_| {}).unwrap());
        let logs: Vec<String> = memory.paths().into_iter().filter(|path| path.starts_with("log/")).collect();
        let mut header = bytes(&memory, &logs[0])[..512].to_vec();
        logs.iter().for_each(|path| memory.remove(path).unwrap());
        header[32..40].copy_from_slice(&number.to_le_bytes());
        let crc = crc32c::crc32c(&header[..508]);
        header[508..].copy_from_slice(&crc.to_le_bytes());
        header.resize(8192, 0);
        memory.set_bytes(&format!("log/{number:020}.log"), header);
        memory
    };
    let looked_at = |memory: &Memory| {
        let storage: Arc<dyn Storage> = Arc::new(memory.clone());
        data::inspect(&storage, small().limits, &mut |_| {}).map(|_| ())
    };
    assert!(looked_at(&begins_at(1 << 61)).is_ok() && state(&begins_at(1 << 61)).is_ok());
    let beyond = begins_at((1 << 61) + 1);
    let refusals = [looked_at(&beyond), state(&beyond).map(|_| ())].map(Result::unwrap_err);
    assert!(
        refusals.iter().all(|refused| matches!(refused, OpenError::Log(LogError::NumbersUsedUp { .. }))),
        "{refusals:?}"
    );
}

#[test]
fn i7_a_snapshot_from_behind_what_its_log_leads_to_is_refused() {
    use SectionKind::{DirectoryHead, Members, MembersHead};
    for kind in [MembersHead, Members, DirectoryHead] {
        a_section_from_behind_is_refused(kind);
    }
}

fn a_section_from_behind_is_refused(kind: SectionKind) {
    let memory = golden();
    // The older one: behind it the log has something of every place.
    let older = Manifest::read(&memory).unwrap().unwrap().snapshots[1].path();
    let memory = with_only(&memory, &older);
    let mut file = bytes(&memory, &older);
    // The first section of that kind, with every checksum made right again. Behind the head of 40 bytes, sections have heads of 28.
    let mut at = 40;
    while file[at] != kind as u8 {
        at += 28 + u32::from_le_bytes(file[at + 16..at + 20].try_into().unwrap()) as usize;
    }
    file[at + 8..at + 16].copy_from_slice(&(1u64 << 40).to_le_bytes());
    let crc = crc32c::crc32c(&file[at..at + 24]);
    file[at + 24..at + 28].copy_from_slice(&crc.to_le_bytes());
    let mut manifest = Manifest::read(&memory).unwrap().unwrap();
    manifest.snapshots[0].hash = *blake3::hash(&file).as_bytes();
    manifest.write(&memory).unwrap();
    memory.set_bytes(&older, file);
    let refused = state(&memory).err().unwrap_or_else(|| panic!("{kind:?}: taken"));
    let (OpenError::Apart { path, what }, because) = (&refused, "a section from behind the end of its place") else {
        panic!("{kind:?}: {refused}");
    };
    assert_eq!((path, *what), (&older, because), "{kind:?}");
}
