//! The real disk: one data directory, held by one process.
//!
//! The directory is locked for as long as a [`Disk`] lives (`flock` on its file `LOCK`, which carries the holder's process id),
//! so two servers can never write one log. The kernel drops the lock with the process, however it ends.

use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::direct::{Direct, Lane};
use super::{File, Storage};

const LOCK: &str = "LOCK";

/// Why a data directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Another process has it.
    #[error(
        "the data directory {directory} is in use by process {holder}; stop that process, or give another data directory"
    )]
    InUse {
        /// The directory asked for.
        directory: String,
        /// The process id that its holder wrote into `LOCK`, or "unknown".
        holder: String,
    },
    /// The directory cannot be opened or locked at all.
    #[error(
        "the data directory {directory} cannot be used: {source}; it must be a folder this user may read and write"
    )]
    Unusable {
        /// The directory asked for.
        directory: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A locked data directory on the real disk.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    lane: Arc<Lane>,
    /// Open for the sake of its lock.
    _lock: fs::File,
}

impl Disk {
    /// Takes the directory, making it if it is not there. Fails at once if another process holds it.
    pub fn open(directory: impl AsRef<Path>) -> Result<Disk, DiskError> {
        let root = directory.as_ref().to_path_buf();
        let directory = root.display().to_string();
        match Self::lock(&root) {
            Ok(Ok(lock)) => Ok(Disk { root, lane: Arc::default(), _lock: lock }),
            Ok(Err(holder)) => Err(DiskError::InUse { directory, holder }),
            Err(source) => Err(DiskError::Unusable { directory, source }),
        }
    }

    /// The directory this storage stands on.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The locked file, or who holds it.
    fn lock(root: &Path) -> io::Result<Result<fs::File, String>> {
        fs::create_dir_all(root)?;
        let mut file =
            fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(root.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Whoever put a flood of bytes there: a process id is short.
                (&file).take(20).read_to_string(&mut holder)?;
                let known = !holder.is_empty() && holder.bytes().all(|b| b.is_ascii_digit());
                return Ok(Err(if known { holder } else { "unknown".to_owned() }));
            }
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(Ok(file))
    }

    #[cfg(test)]
    pub(super) fn lane(&self) -> &Lane {
        &self.lane
    }

    fn open_with(&self, path: &str, options: &mut fs::OpenOptions) -> io::Result<Box<dyn File>> {
        let path = self.at(path);
        let file = options.read(true).write(true).open(&path)?;
        Ok(Box::new(OpenFile { direct: Direct::open(&path, &self.lane), file }))
    }

    fn at(&self, path: &str) -> PathBuf {
        assert!(
            path.split('/').count() <= 2 && path.split('/').all(|part| part != ".." && part != "."),
            "a storage path is a name in the data directory or in one folder of it: {path:?}"
        );
        self.root.join(path)
    }
}

impl Storage for Disk {
    fn create(&self, path: &str) -> io::Result<Box<dyn File>> {
        self.open_with(path, fs::OpenOptions::new().create_new(true))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn File>> {
        self.open_with(path, &mut fs::OpenOptions::new())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.at(path))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.at(folder))? {
            // A name that is no UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string()
                && !(folder.is_empty() && name == LOCK)
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn make_dir(&self, folder: &str) -> io::Result<()> {
        match fs::create_dir(self.at(folder)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.at(folder).is_dir() => Ok(()),
            result => result,
        }
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        fs::File::open(self.at(folder))?.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let status = rustix::fs::statvfs(&self.root)?;
        Ok(status.f_bavail.saturating_mul(status.f_frsize))
    }
}

struct OpenFile {
    file: fs::File,
    direct: Option<Direct>,
}

impl File for OpenFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.file.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match &self.direct {
            Some(direct) if direct.write_at(offset, bytes)? => Ok(()),
            _ => self.file.write_all_at(bytes, offset),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}
