//! The disk in memory, with a seam: whenever something is about to be written, synced or renamed, others get a turn.
//!
//! A write and its `fdatasync` are one call of the flusher's; on a real machine requests are decided meanwhile. Here they are
//! decided from inside the call, in the same thread, so that every interleaving follows from the seed.

use std::cell::RefCell;
use std::io;

use tidegate::storage::{File, Memory, Storage};

type Meanwhile = Box<dyn FnMut()>;

thread_local! {
    static MEANWHILE: RefCell<Option<Meanwhile>> = const { RefCell::new(None) };
}

/// Runs `work`; whenever it is about to change the disk, `meanwhile` runs first.
pub fn interleave<R>(meanwhile: impl FnMut() + 'static, work: impl FnOnce() -> R) -> R {
    MEANWHILE.with_borrow_mut(|slot| *slot = Some(Box::new(meanwhile)));
    let result = work();
    MEANWHILE.with_borrow_mut(|slot| *slot = None);
    result
}

fn seam() {
    // Taken out while it runs: what it does may touch the disk itself.
    if let Some(mut meanwhile) = MEANWHILE.with_borrow_mut(Option::take) {
        meanwhile();
        MEANWHILE.with_borrow_mut(|slot| *slot = Some(meanwhile));
    }
}

/// A [`Memory`] with a seam.
#[derive(Debug, Clone)]
pub struct Disk(pub Memory);

struct Opened(Box<dyn File>);

impl Storage for Disk {
    fn create(&self, path: &str) -> io::Result<Box<dyn File>> {
        seam();
        Ok(Box::new(Opened(self.0.create(path)?)))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn File>> {
        Ok(Box::new(Opened(self.0.open(path)?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        seam();
        self.0.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        seam();
        self.0.remove(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.0.list(folder)
    }

    fn make_dir(&self, folder: &str) -> io::Result<()> {
        self.0.make_dir(folder)
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        seam();
        self.0.sync_dir(folder)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.0.free_bytes()
    }
}

impl File for Opened {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        seam();
        self.0.write_at(offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        seam();
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        seam();
        self.0.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        seam();
        self.0.set_len(len)
    }
}
