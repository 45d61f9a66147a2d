//! Where bytes survive: the few file operations that log, snapshots and manifest need.
//!
//! Two implementations stand behind the traits: [`Disk`], the real disk, and [`Memory`], which keeps a live and a durable
//! image apart and can lose power at any call. Everything that must survive a crash is written against [`Storage`], so
//! that every crash point can be tried in a test.
//!
//! What the traits promise is what POSIX and an honest disk promise, and no more:
//! - written bytes survive a power loss after `sync_data` of their file, in units of 512-byte sectors before it;
//! - a name that was created, renamed or removed survives after `sync_dir` of its folder; a rename is atomic, and needs the
//!   `sync_dir` of both folders if they differ.
//!
//! Nothing here is async, buffers, retries, or knows what the bytes mean.

mod direct;
mod disk;
mod memory;

use std::io;

pub use disk::{Disk, DiskError};
pub use memory::{Loss, Memory};

/// The unit in which a disk writes: bytes of one sector change together, bytes of different sectors need not.
pub const SECTOR_BYTES: u64 = 512;

/// A data directory. Paths are relative to it, parts separated by `/`, at most one folder deep; `""` is the directory itself.
pub trait Storage: Send + Sync + 'static {
    /// Makes a new empty file, open for reading and writing. `AlreadyExists` if the name is taken.
    fn create(&self, path: &str) -> io::Result<Box<dyn File>>;

    /// Opens an existing file for reading and writing. `NotFound` if there is none.
    fn open(&self, path: &str) -> io::Result<Box<dyn File>>;

    /// Gives a file another name, in one step; a file that had that name is replaced. Open files stay valid.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Open files stay valid.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// The names in a folder, sorted, without the folder's own name in front. `NotFound` if there is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Makes a folder in the data directory; nothing to do if it is there. Durable after `sync_dir("")`.
    fn make_dir(&self, folder: &str) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, folder: &str) -> io::Result<()>;

    /// Bytes that can still be written before the disk is full.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// An open file. Positions are given with each call, so that a file can be shared between threads.
#[allow(clippy::len_without_is_empty, reason = "a file is never asked whether it is empty")]
pub trait File: Send + Sync {
    /// Reads until `buf` is full or the file ends; the number of bytes read.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes`, growing the file if needed. After an error any part of them may have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the file's bytes durable, and its length as far as they need it (`fdatasync`). After an error nothing is known of the
    /// bytes written since the last success, and a second call proves nothing.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes bytes and all metadata durable (`fsync`). Errors as for [`File::sync_data`].
    fn sync_all(&self) -> io::Result<()>;

    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Cuts the file, or grows it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
}
