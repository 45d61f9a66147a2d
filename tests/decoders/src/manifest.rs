//! Manifests: read, and written again.
//!
//! An input is a byte that says what is put right ([`mend`](crate::mend)) and the file.

use tidegate::snapshot::{Manifest, SnapshotError};
use tidegate::storage::Memory;

use crate::mend::{self, BODIES, CHAIN, masked};

const PATH: &str = "MANIFEST";

/// Whatever stands in a manifest.
pub fn manifest(bytes: &[u8]) {
    let Some((mask, file)) = masked(bytes) else { return };
    let mut file = file.to_vec();
    let length = file.len();
    if length >= 16 {
        if mask & CHAIN != 0 {
            file[8..12].copy_from_slice(&((length - 16) as u32).to_le_bytes());
        }
        if mask & BODIES != 0 {
            mend::crc(&mut file, 16, length, 12);
        }
    }
    let memory = Memory::new();
    memory.set_bytes(PATH, file.clone());
    match Manifest::read(&memory) {
        Ok(Some(manifest)) => {
            let again = Memory::new();
            manifest.write(&again).expect("a manifest is written to memory");
            assert_eq!(Manifest::read(&again).ok().flatten(), Some(manifest), "what is written reads the same");
            // What version 1 says is written as version 2 says it.
            if !file.starts_with(b"TGMANIF1") {
                assert_eq!(again.bytes(PATH), Some(file), "a manifest that reads well writes the same");
            }
        }
        Ok(None) => panic!("the manifest is there"),
        Err(SnapshotError::Manifest { offset, why }) => {
            assert!(offset <= length as u64 && !why.is_empty(), "{offset}, {why}");
        }
        Err(other) => panic!("{other}"),
    }
}
