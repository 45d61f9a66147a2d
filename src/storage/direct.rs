//! Writes of whole sectors, past the page cache.
//!
//! The log writes every byte once and reads almost none of them again: in the page cache each costs a copy, a page taken and a page
//! written back, and pushes out what others need. Measured beside the same log without it: half of the processor time of a write with
//! its `fdatasync`, and two thirds of its time (`docs/architecture.md`).
//!
//! Never needed: where a file system refuses, the caller writes as usual.

use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::SECTOR_BYTES;

/// What the memory of a direct write starts at a multiple of: a page satisfies every device.
const ALIGN_BYTES: usize = 4096;
/// The most that one call writes.
const CALL_BYTES: usize = 1 << 20;

/// What the files of one directory share: memory to write from, and whether the file system takes direct writes at all.
#[derive(Debug, Default)]
pub(super) struct Lane {
    buffers: Mutex<Vec<Vec<u8>>>,
    refused: AtomicBool,
}

/// A second handle of a file, for direct writes.
pub(super) struct Direct {
    file: fs::File,
    lane: Arc<Lane>,
}

impl Direct {
    /// `None` where the file system knows no direct writes.
    pub(super) fn open(path: &Path, lane: &Arc<Lane>) -> Option<Direct> {
        if lane.refused.load(Ordering::Relaxed) {
            return None;
        }
        let flags = rustix::fs::OFlags::DIRECT.bits() as i32;
        match fs::OpenOptions::new().write(true).custom_flags(flags).open(path) {
            Ok(file) => Some(Direct { file, lane: Arc::clone(lane) }),
            Err(error) => {
                // Anything else may pass, and this file is written as usual.
                let unknown = matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported);
                lane.refused.fetch_or(unknown, Ordering::Relaxed);
                None
            }
        }
    }

    /// Writes all of `bytes`, or says `false` and has written nothing that must stay: the caller then writes as usual.
    pub(super) fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<bool> {
        let whole = |count: u64| count.is_multiple_of(SECTOR_BYTES);
        if !whole(offset) || !whole(bytes.len() as u64) || self.lane.refused.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let mut buffer = self.lane.buffers.lock().pop().unwrap_or_else(|| vec![0; CALL_BYTES + ALIGN_BYTES]);
        let written = self.write_from(&mut buffer, offset, bytes);
        self.lane.buffers.lock().push(buffer);
        match written {
            // Sectors of another size, or none such here.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.lane.refused.store(true, Ordering::Relaxed);
                Ok(false)
            }
            written => written.map(|()| true),
        }
    }

    fn write_from(&self, buffer: &mut [u8], offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = buffer.as_ptr().align_offset(ALIGN_BYTES);
        let mut at = offset;
        for piece in bytes.chunks(CALL_BYTES) {
            let aligned = &mut buffer[start..start + piece.len()];
            aligned.copy_from_slice(piece);
            self.file.write_all_at(aligned, at)?;
            at += piece.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Disk, Storage};
    use super::*;

    fn pattern(len: usize, seed: u8) -> Vec<u8> {
        (0..len).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect()
    }

    fn write_and_read(disk: &Disk) {
        let file = disk.create("file").unwrap();
        let (sectors, odd, large) = (pattern(1024, 1), pattern(700, 2), pattern(2 * CALL_BYTES + 512, 3));
        file.write_at(512, &sectors).unwrap();
        file.write_at(1100, &odd).unwrap();
        file.write_at(4096, &large).unwrap();
        file.sync_data().unwrap();
        let mut expected = vec![0; 4096 + large.len()];
        expected[512..1536].copy_from_slice(&sectors);
        expected[1100..1800].copy_from_slice(&odd);
        expected[4096..].copy_from_slice(&large);
        let mut found = vec![0; expected.len() + 1];
        assert_eq!(disk.open("file").unwrap().read_at(0, &mut found).unwrap(), expected.len());
        assert!(found[..expected.len()] == expected[..], "what is read is what was written last");
        // Over what the page cache has now.
        file.write_at(512, &pattern(512, 9)).unwrap();
        assert_eq!(file.read_at(512, &mut found[..512]).unwrap(), 512);
        assert_eq!(found[..512], pattern(512, 9));
    }

    #[test]
    fn direct_and_usual_writes_make_one_file() {
        let folder = tempfile::tempdir().unwrap();
        write_and_read(&Disk::open(folder.path()).unwrap());
    }

    #[test]
    fn a_file_system_that_refuses_is_written_as_usual() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        disk.lane().refused.store(true, Ordering::Relaxed);
        write_and_read(&disk);
    }

    #[test]
    fn what_is_not_whole_sectors_is_left_to_the_caller() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"").unwrap();
        let Some(direct) = Direct::open(&path, &Arc::default()) else { return };
        assert!(!direct.write_at(1, &[0; 512]).unwrap());
        assert!(!direct.write_at(0, &[0; 511]).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    }
}
