//! A disk in memory that can lose power at any call.
//!
//! It keeps two images: the live one, which calls see, and the durable one, which is all that a power loss leaves for sure. Bytes move
//! from live to durable by `sync_data`/`sync_all` of their file, names by `sync_dir` of their folder. What was not synced when power
//! went may be lost, kept, or torn (see [`Loss`]): each sector and each change of a name for itself.
//!
//! Calls that change something are numbered from 1 ([`Memory::calls`]), so that a test can first count them and then crash at each.
//! Reads are not numbered: a crash at a read cannot be told from one at the next change.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{File, SECTOR_BYTES, Storage};

/// What a power loss does to bytes and names that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of them are gone.
    Lost,
    /// All of them survive.
    Kept,
    /// Each 512-byte sector, each file's length and each change of a name is lost or kept for itself, by this seed.
    Torn {
        /// The same seed on the same history gives the same remains.
        seed: u64,
    },
}

/// A data directory in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    world: Arc<Mutex<World>>,
}

impl Memory {
    /// An empty directory on a disk without bound.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// How many changing calls were made so far, those that failed included.
    pub fn calls(&self) -> u64 {
        self.world.lock().calls
    }

    /// From the `call`-th changing call on, nothing happens any more and every call fails, reads included.
    pub fn crash_at(&self, call: u64) {
        self.world.lock().crash_at = Some(call);
    }

    /// The `call`-th changing call fails once, with this kind of error. A write that fails leaves the first half of its bytes. A sync that
    /// fails does what ext4, XFS and Btrfs do: the bytes count as clean from then on, so that they are live, not durable, and no later
    /// sync brings them to the disk.
    pub fn fail_at(&self, call: u64, kind: io::ErrorKind) {
        self.world.lock().failures.insert(call, kind);
    }

    /// All files together may hold this many bytes; a write or `set_len` beyond fails with `StorageFull` and changes nothing.
    pub fn set_capacity(&self, bytes: u64) {
        self.world.lock().capacity = Some(bytes);
    }

    /// A planted bug: from now on `sync_data` and `sync_all` report success without making anything durable.
    pub fn skip_fsync(&self) {
        self.world.lock().skip_fsync = true;
    }

    /// Power is lost and comes back: a fresh storage, without faults, of what survived. This one stays as it is, so that several losses
    /// can be tried on one history.
    pub fn power_loss(&self, loss: Loss) -> Memory {
        let survivor = self.world.lock().survivor(loss);
        Memory { world: Arc::new(Mutex::new(survivor)) }
    }

    /// The process is killed and started again while the machine stays up: a fresh storage, without faults, with the same live image, in
    /// which what was not durable still is not.
    pub fn process_restart(&self) -> Memory {
        let mut world = self.world.lock().clone();
        (world.calls, world.crash_at, world.capacity, world.skip_fsync) = (0, None, None, false);
        world.failures.clear();
        Memory { world: Arc::new(Mutex::new(world)) }
    }

    /// The live bytes of a file, if it is there.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let world = self.world.lock();
        world.names.get(path).map(|&inode| world.inodes[inode].live.clone())
    }

    /// Replaces a file's bytes in both images, as damage or a meddler would; makes the file if it is not there. Not a call.
    pub fn set_bytes(&self, path: &str, bytes: Vec<u8>) {
        let mut world = self.world.lock();
        world.inodes.push(Inode { durable: bytes.clone(), live: bytes, dirty: BTreeSet::new() });
        let inode = world.inodes.len() - 1;
        world.names.insert(path.to_owned(), inode);
        world.durable_names.insert(path.to_owned(), inode);
    }

    /// Removes a name from both images. Not a call.
    pub fn lose(&self, path: &str) {
        let mut world = self.world.lock();
        world.names.remove(path);
        world.durable_names.remove(path);
    }

    /// The live paths of all files, sorted.
    pub fn paths(&self) -> Vec<String> {
        self.world.lock().names.keys().cloned().collect()
    }
}

#[derive(Debug, Clone, Default)]
struct World {
    calls: u64,
    crash_at: Option<u64>,
    failures: BTreeMap<u64, io::ErrorKind>,
    capacity: Option<u64>,
    skip_fsync: bool,
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    folders: BTreeSet<String>,
    durable_names: BTreeMap<String, usize>,
    durable_folders: BTreeSet<String>,
    /// Changes of names in the order they were made, as far as they are not durable.
    changes: Vec<NameChange>,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors that differ, or may differ, between the images.
    dirty: BTreeSet<u64>,
}

#[derive(Debug, Clone)]
struct NameChange {
    change: Change,
    /// Folders whose `sync_dir` is still missing.
    unsynced: Vec<String>,
}

#[derive(Debug, Clone)]
enum Change {
    Folder(String),
    Create(String, usize),
    Remove(String, usize),
    Rename(String, String, usize),
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, usize>, folders: &mut BTreeSet<String>) {
        match self {
            Change::Folder(folder) => {
                folders.insert(folder.clone());
            }
            Change::Create(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            // Changes survive one by one: a name may by then belong to another file, which stays.
            Change::Remove(path, inode) => {
                if names.get(path) == Some(inode) {
                    names.remove(path);
                }
            }
            Change::Rename(from, to, inode) => {
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
        }
    }
}

/// What a numbered call shall do.
enum Verdict {
    Proceed,
    Fail(io::Error),
}

impl World {
    /// Numbers a changing call. `Err` if power is gone.
    fn call(&mut self) -> io::Result<Verdict> {
        self.calls += 1;
        self.alive()?;
        Ok(match self.failures.remove(&self.calls) {
            Some(kind) => Verdict::Fail(io::Error::new(kind, format!("planted at call {}", self.calls))),
            None => Verdict::Proceed,
        })
    }

    /// A changing call that does nothing when it fails.
    fn plain_call(&mut self) -> io::Result<()> {
        match self.call()? {
            Verdict::Proceed => Ok(()),
            Verdict::Fail(error) => Err(error),
        }
    }

    fn alive(&self) -> io::Result<()> {
        match self.crash_at {
            Some(call) if self.calls >= call => Err(io::Error::other(format!("power was lost at call {call}"))),
            _ => Ok(()),
        }
    }

    fn change(&mut self, change: Change, mut unsynced: Vec<String>) {
        unsynced.dedup();
        change.apply(&mut self.names, &mut self.folders);
        self.changes.push(NameChange { change, unsynced });
    }

    fn inode(&self, path: &str) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| not_found(path))
    }

    fn has_folder(&self, folder: &str) -> io::Result<()> {
        if folder.is_empty() || self.folders.contains(folder) { Ok(()) } else { Err(not_found(folder)) }
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().map(|&inode| self.inodes[inode].live.len() as u64).sum()
    }

    fn reserve(&self, growth: u64) -> io::Result<()> {
        match self.capacity {
            Some(capacity) if self.used_bytes() + growth > capacity => {
                Err(io::Error::new(io::ErrorKind::StorageFull, "the disk in memory is full"))
            }
            _ => Ok(()),
        }
    }

    fn survivor(&self, loss: Loss) -> World {
        let mut coin = Coin::new(loss);
        let (mut names, mut folders) = (self.durable_names.clone(), self.durable_folders.clone());
        for pending in &self.changes {
            if coin.keep() {
                pending.change.apply(&mut names, &mut folders);
            }
        }
        // A file in a folder that never became durable cannot be reached.
        names.retain(|path, _| folder_of(path).is_empty() || folders.contains(folder_of(path)));
        let mut inodes = Vec::new();
        for inode in names.values_mut() {
            let bytes = self.inodes[*inode].survivor(&mut coin);
            inodes.push(Inode { live: bytes.clone(), durable: bytes, dirty: BTreeSet::new() });
            *inode = inodes.len() - 1;
        }
        World {
            inodes,
            durable_names: names.clone(),
            names,
            durable_folders: folders.clone(),
            folders,
            ..World::default()
        }
    }
}

impl Inode {
    fn touch(&mut self, from: u64, to: u64) {
        if from < to {
            self.dirty.extend(from / SECTOR_BYTES..=(to - 1) / SECTOR_BYTES);
        }
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let (old, end) = (self.live.len() as u64, offset + bytes.len() as u64);
        if end > old {
            self.live.resize(end as usize, 0);
        }
        self.live[offset as usize..end as usize].copy_from_slice(bytes);
        self.touch(offset.min(old), end);
    }

    fn set_len(&mut self, len: u64) {
        let old = self.live.len() as u64;
        self.live.resize(len as usize, 0);
        self.touch(old.min(len), old.max(len));
    }

    fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            copy_sector(&self.live, &mut self.durable, sector);
        }
    }

    fn survivor(&self, coin: &mut Coin) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        if self.live.len() != bytes.len() && coin.keep() {
            bytes.resize(self.live.len(), 0);
        }
        for &sector in &self.dirty {
            if coin.keep() {
                copy_sector(&self.live, &mut bytes, sector);
            }
        }
        bytes
    }
}

/// Copies what both images have of a sector.
fn copy_sector(from: &[u8], to: &mut [u8], sector: u64) {
    let start = (sector * SECTOR_BYTES) as usize;
    let end = (start + SECTOR_BYTES as usize).min(from.len()).min(to.len());
    if start < end {
        to[start..end].copy_from_slice(&from[start..end]);
    }
}

/// Decides for each unsynced thing whether it survives.
struct Coin {
    loss: Loss,
    state: u64,
}

impl Coin {
    fn new(loss: Loss) -> Coin {
        Coin { loss, state: if let Loss::Torn { seed } = loss { seed } else { 0 } }
    }

    fn keep(&mut self) -> bool {
        match self.loss {
            Loss::Lost => false,
            Loss::Kept => true,
            Loss::Torn { .. } => {
                // splitmix64
                self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = self.state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                (z ^ (z >> 31)) & 1 == 1
            }
        }
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn not_found(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no {path:?} in memory"))
}

impl Storage for Memory {
    fn create(&self, path: &str) -> io::Result<Box<dyn File>> {
        let mut world = self.world.lock();
        world.plain_call()?;
        world.has_folder(folder_of(path))?;
        if world.names.contains_key(path) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{path:?} is there already")));
        }
        world.inodes.push(Inode::default());
        let inode = world.inodes.len() - 1;
        world.change(Change::Create(path.to_owned(), inode), vec![folder_of(path).to_owned()]);
        Ok(Box::new(OpenFile { world: Arc::clone(&self.world), inode }))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn File>> {
        let world = self.world.lock();
        world.alive()?;
        Ok(Box::new(OpenFile { world: Arc::clone(&self.world), inode: world.inode(path)? }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        world.plain_call()?;
        world.has_folder(folder_of(to))?;
        let inode = world.inode(from)?;
        let folders = vec![folder_of(from).to_owned(), folder_of(to).to_owned()];
        world.change(Change::Rename(from.to_owned(), to.to_owned(), inode), folders);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        world.plain_call()?;
        let inode = world.inode(path)?;
        world.change(Change::Remove(path.to_owned(), inode), vec![folder_of(path).to_owned()]);
        Ok(())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let world = self.world.lock();
        world.alive()?;
        world.has_folder(folder)?;
        let files = world.names.keys().filter(|path| folder_of(path) == folder);
        let mut names: Vec<String> =
            files.map(|path| path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name).to_owned()).collect();
        if folder.is_empty() {
            names.extend(world.folders.iter().cloned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn make_dir(&self, folder: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        world.plain_call()?;
        if !world.folders.contains(folder) {
            world.change(Change::Folder(folder.to_owned()), vec![String::new()]);
        }
        Ok(())
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        world.plain_call()?;
        world.has_folder(folder)?;
        for mut pending in std::mem::take(&mut world.changes) {
            pending.unsynced.retain(|unsynced| unsynced != folder);
            if pending.unsynced.is_empty() {
                let World { durable_names, durable_folders, .. } = &mut *world;
                pending.change.apply(durable_names, durable_folders);
            } else {
                world.changes.push(pending);
            }
        }
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let world = self.world.lock();
        world.alive()?;
        Ok(world.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(world.used_bytes())))
    }
}

struct OpenFile {
    world: Arc<Mutex<World>>,
    inode: usize,
}

impl OpenFile {
    fn sync(&self) -> io::Result<()> {
        let mut world = self.world.lock();
        match world.call()? {
            Verdict::Proceed if world.skip_fsync => {}
            Verdict::Proceed => world.inodes[self.inode].sync(),
            Verdict::Fail(error) => {
                world.inodes[self.inode].dirty.clear();
                return Err(error);
            }
        }
        Ok(())
    }
}

impl File for OpenFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let world = self.world.lock();
        world.alive()?;
        let live = &world.inodes[self.inode].live;
        let start = (offset as usize).min(live.len());
        let count = buf.len().min(live.len() - start);
        buf[..count].copy_from_slice(&live[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world.lock();
        let verdict = world.call()?;
        let end = offset + bytes.len() as u64;
        world.reserve(end.saturating_sub(world.inodes[self.inode].live.len() as u64))?;
        match verdict {
            Verdict::Proceed => world.inodes[self.inode].write(offset, bytes),
            Verdict::Fail(error) => {
                world.inodes[self.inode].write(offset, &bytes[..bytes.len() / 2]);
                return Err(error);
            }
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn len(&self) -> io::Result<u64> {
        let world = self.world.lock();
        world.alive()?;
        Ok(world.inodes[self.inode].live.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut world = self.world.lock();
        world.plain_call()?;
        world.reserve(len.saturating_sub(world.inodes[self.inode].live.len() as u64))?;
        world.inodes[self.inode].set_len(len);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds() -> impl Iterator<Item = Loss> {
        (0..64).map(|seed| Loss::Torn { seed })
    }

    #[test]
    fn bytes_survive_by_sync_and_else_by_the_sector() {
        let memory = Memory::new();
        let file = memory.create("a").unwrap();
        memory.sync_dir("").unwrap();
        file.write_at(0, &[1; 1024]).unwrap();
        file.sync_data().unwrap();
        file.write_at(256, &[2; 1024]).unwrap();
        let after = |loss| memory.power_loss(loss).bytes("a").unwrap();
        assert_eq!(after(Loss::Lost), [1; 1024]);
        assert_eq!(after(Loss::Kept), memory.bytes("a").unwrap());
        let mut seen = BTreeSet::new();
        for loss in seeds() {
            let bytes = after(loss);
            assert_eq!(bytes[..256], [1; 256], "a sector that was written in part keeps the rest");
            assert!(bytes[256..512].windows(2).all(|pair| pair[0] == pair[1]), "a sector is not torn inside");
            seen.insert((bytes[256], bytes[512], bytes.len(), bytes.get(1024).copied()));
        }
        assert_eq!(seen.len(), 12, "two sectors, and a third that may lie behind the old end: {seen:?}");
    }

    #[test]
    fn names_survive_by_sync_dir_and_else_one_by_one() {
        let memory = Memory::new();
        memory.make_dir("log").unwrap();
        memory.create("log/a").unwrap();
        memory.create("b").unwrap();
        assert!(memory.power_loss(Loss::Lost).paths().is_empty());
        memory.sync_dir("log").unwrap();
        assert!(memory.power_loss(Loss::Lost).paths().is_empty(), "the folder itself is not durable");
        memory.sync_dir("").unwrap();
        assert_eq!(memory.power_loss(Loss::Lost).paths(), ["b", "log/a"]);
        memory.rename("b", "log/b").unwrap();
        memory.remove("log/a").unwrap();
        memory.sync_dir("").unwrap();
        assert_eq!(memory.power_loss(Loss::Lost).paths(), ["b", "log/a"], "a rename needs both folders");
        let seen: BTreeSet<Vec<String>> = seeds().map(|loss| memory.power_loss(loss).paths()).collect();
        assert_eq!(seen.len(), 4, "a rename is atomic, and apart from a removal: {seen:?}");
        memory.sync_dir("log").unwrap();
        assert_eq!(memory.power_loss(Loss::Lost).paths(), ["log/b"]);
    }

    #[test]
    fn a_failed_sync_leaves_bytes_that_no_later_one_saves() {
        let memory = Memory::new();
        let file = memory.create("a").unwrap();
        memory.sync_dir("").unwrap();
        file.write_at(0, b"old").unwrap();
        file.sync_data().unwrap();
        file.write_at(0, b"new").unwrap();
        memory.fail_at(memory.calls() + 1, io::ErrorKind::Other);
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        assert_eq!(memory.process_restart().bytes("a").unwrap(), b"new");
        assert_eq!(memory.power_loss(Loss::Kept).bytes("a").unwrap(), b"old");
        file.write_at(0, b"new").unwrap();
        file.sync_data().unwrap();
        assert_eq!(memory.power_loss(Loss::Lost).bytes("a").unwrap(), b"new");
    }

    #[test]
    fn planted_faults_happen_where_they_were_planted() {
        let memory = Memory::new();
        memory.fail_at(2, io::ErrorKind::Other);
        let file = memory.create("a").unwrap();
        assert!(file.write_at(0, b"abcd").is_err());
        assert_eq!(memory.bytes("a").unwrap(), b"ab", "half of a failed write is there");
        memory.set_capacity(4);
        assert_eq!(file.write_at(0, b"abcde").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!((memory.bytes("a").unwrap(), memory.free_bytes().unwrap()), (b"ab".to_vec(), 2));
        memory.skip_fsync();
        file.sync_all().unwrap();
        memory.sync_dir("").unwrap();
        assert_eq!(memory.power_loss(Loss::Lost).bytes("a").unwrap(), b"");
        memory.crash_at(memory.calls() + 2);
        file.write_at(0, b"x").unwrap();
        assert!(file.write_at(0, b"y").is_err() && file.len().is_err() && memory.open("a").is_err());
    }
}
