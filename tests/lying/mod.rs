//! A disk in memory on which one write does not do what it says: it is told as done and never made, or ends early.
//!
//! Writes alone are counted, of all files together. [`Memory::fail_at`] plants errors at any call, and leaves half of a write; what a
//! disk does that lies, or stops at another byte, is here.

#![allow(dead_code, reason = "each test uses its part")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate::storage::{File, Memory, Storage};

/// What becomes of the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// It is told as done; the old bytes stay, whatever is synced later.
    Forgotten,
    /// It fails; so many eighths of its bytes are there.
    Short(usize),
}

/// A [`Memory`] whose `nth` write goes wrong; 0 for none.
#[derive(Debug, Clone)]
pub struct Lying {
    memory: Memory,
    writes: Arc<AtomicU64>,
    nth: u64,
    lie: Lie,
}

impl Lying {
    pub fn on(memory: &Memory, nth: u64, lie: Lie) -> Lying {
        Lying { memory: memory.clone(), writes: Arc::default(), nth, lie }
    }

    /// Writes so far.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    fn opened(&self, file: io::Result<Box<dyn File>>) -> io::Result<Box<dyn File>> {
        Ok(Box::new(Opened { file: file?, disk: self.clone() }))
    }
}

struct Opened {
    file: Box<dyn File>,
    disk: Lying,
}

impl Storage for Lying {
    fn create(&self, path: &str) -> io::Result<Box<dyn File>> {
        self.opened(self.memory.create(path))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn File>> {
        self.opened(self.memory.open(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.memory.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.memory.remove(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.memory.list(folder)
    }

    fn make_dir(&self, folder: &str) -> io::Result<()> {
        self.memory.make_dir(folder)
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        self.memory.sync_dir(folder)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.memory.free_bytes()
    }
}

impl File for Opened {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let Lying { writes, nth, lie, .. } = &self.disk;
        let number = writes.fetch_add(1, Ordering::Relaxed) + 1;
        if number != *nth {
            return self.file.write_at(offset, bytes);
        }
        match lie {
            Lie::Forgotten => Ok(()),
            Lie::Short(eighths) => {
                self.file.write_at(offset, &bytes[..bytes.len() * eighths / 8])?;
                Err(io::Error::other(format!("write {number} ended early")))
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}
