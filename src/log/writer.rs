//! The one writer of a log.
//!
//! At most one epoch is ever on its way to the disk: `append`, `sync`, and only then the next. That is what recovery builds upon: whatever
//! stands behind a torn epoch was written after its sync, and so proves that it was acknowledged.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::block::{self, Position};
use super::index::{Index, Indexed};
use super::reserve::Ready;
use super::segment::{self, HEADER_BYTES, SegmentHeader};
use super::spares::{Spare, Spares, usable};
use super::{ARCHIVE_FOLDER, ChainHead, LOG_FOLDER, LogError, LogIdentity, LogOptions, LogPages, PlaceTail};
use crate::planted::{Bug, planted};
use crate::storage::{File, SECTOR_BYTES, Storage};

/// What a writer did since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogCounters {
    /// Epochs made durable.
    pub epochs: u64,
    /// Blocks made durable, closing blocks included.
    pub blocks: u64,
    /// Bytes of those blocks, padding included.
    pub bytes: u64,
    /// Closing blocks among them.
    pub closing_blocks: u64,
    /// Calls of `fdatasync` for blocks: exactly `epochs + closing_blocks`.
    pub fdatasyncs: u64,
    /// Segments begun.
    pub segments: u64,
}

/// Writes epochs. See the [module](super).
pub struct LogWriter {
    identity: LogIdentity,
    options: LogOptions,
    head: ChainHead,
    /// The newest epoch has no closing block yet.
    open: bool,
    /// `None` after a recovery that must not go on in the last segment.
    current: Option<Current>,
    /// Written, not yet synced.
    pending: Option<Pending>,
    /// The newest time seen in any tail.
    newest_ms: i64,
    spares: Spares,
    room: Arc<AtomicU64>,
    pages: LogPages,
    buffer: Vec<u8>,
    counters: LogCounters,
    poison: Option<(&'static str, Arc<io::Error>)>,
}

/// The segment being written.
pub(super) struct Current {
    pub(super) number: u64,
    pub(super) file: Box<dyn File>,
    pub(super) len: u64,
    /// Where the next block goes.
    pub(super) position: u64,
    /// The last epoch before the segment.
    pub(super) previous: u64,
    /// The newest time in its first epoch.
    pub(super) made_ms: i64,
}

struct Pending {
    head: ChainHead,
    start: u64,
    blocks: u64,
    bytes: u64,
    closing: bool,
}

/// Where a recovered log goes on.
pub(super) struct Resume {
    pub(super) head: ChainHead,
    pub(super) open: bool,
    pub(super) current: Option<Current>,
    pub(super) spares: VecDeque<Spare>,
    pub(super) next_number: u64,
    /// The newest time in any tail, about.
    pub(super) newest_ms: i64,
    pub(super) index: Index,
}

impl LogWriter {
    /// Makes the log of a fresh data directory: the folders, the first segment with its header, the spares (if there is room). An
    /// interrupted creation is made anew; a log with epochs is refused.
    pub fn create(
        storage: Arc<dyn Storage>,
        identity: LogIdentity,
        options: LogOptions,
    ) -> Result<LogWriter, LogError> {
        options.check()?;
        prepare(&*storage)?;
        let resume = Resume {
            head: ChainHead::default(),
            open: false,
            current: None,
            spares: VecDeque::new(),
            next_number: 1,
            newest_ms: 0,
            index: Index::default(),
        };
        let (mut writer, made) = LogWriter::resume(storage, identity, options, resume);
        made.and_then(|()| writer.begin_first()).map_err(LogError::storage("make", segment::path(1)))?;
        writer.spares.fill();
        Ok(writer)
    }

    /// The first header is durable before there is any epoch, so that a log always says whose it is.
    fn begin_first(&mut self) -> io::Result<()> {
        let spare = self.spares.take().ok_or(io::ErrorKind::StorageFull)?;
        self.begin(spare)?;
        let current = self.current.as_ref().expect("a segment was begun");
        current.file.sync_all()?;
        self.pages.publish(self.head.epoch, current.number, self.indexed(current), None);
        Ok(())
    }

    /// A writer that goes on where a recovery ended. The second value tells why the first spare could not be made, where one was needed.
    pub(super) fn resume(
        storage: Arc<dyn Storage>,
        identity: LogIdentity,
        options: LogOptions,
        resume: Resume,
    ) -> (LogWriter, io::Result<()>) {
        let room = Arc::new(AtomicU64::new(resume.current.as_ref().map_or(0, |c| usable(c.len, c.position))));
        let (spares, made) = Spares::new(
            Arc::clone(&storage),
            options,
            Arc::clone(&room),
            resume.spares,
            resume.next_number,
            resume.current.is_none(),
        );
        let pages = LogPages::new(storage, Arc::new(RwLock::new(resume.index)), options.retention);
        let writer = LogWriter {
            identity,
            options,
            head: resume.head,
            open: resume.open,
            current: resume.current,
            pending: None,
            newest_ms: resume.newest_ms,
            spares,
            room,
            pages,
            buffer: Vec::new(),
            counters: LogCounters::default(),
            poison: None,
        };
        (writer, made)
    }

    /// Writes all blocks of an epoch, without making them durable; `sync` must follow before anything else. `epoch` must be above the last.
    /// `NoRoom` and `EpochTooLarge` leave the log as it was; any other error poisons it.
    pub fn append(&mut self, epoch: u64, tails: &[PlaceTail]) -> Result<(), LogError> {
        self.refuse_if_poisoned()?;
        assert!(self.pending.is_none(), "an epoch is synced before the next is appended");
        assert!(epoch > self.head.epoch, "epochs rise: {epoch} after {}", self.head.epoch);
        let records = tails.iter().map(|tail| tail.records.len() as u64).sum();
        let bytes = self.options.epoch_bytes(tails.len(), records);
        if bytes > self.options.max_epoch_bytes {
            return Err(LogError::EpochTooLarge { bytes, max: self.options.max_epoch_bytes });
        }
        self.newest_ms = tails.iter().map(|tail| tail.base_ms).fold(self.newest_ms, i64::max);
        // One sector more, so that a closing block always finds its place behind.
        let at = self.make_way(bytes + SECTOR_BYTES)?;
        let (hash, blocks) = block::encode_epoch(&mut self.buffer, at, self.options.block_bytes, epoch, tails);
        assert_eq!(self.buffer.len() as u64, bytes, "an epoch takes what was computed for it");
        self.pending =
            Some(Pending { head: ChainHead { epoch, hash }, start: at.offset, blocks, bytes, closing: false });
        self.write_buffer("the write of an epoch")
    }

    /// Makes the appended epoch durable, with exactly one `fdatasync`.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.refuse_if_poisoned()?;
        let pending = self.pending.take().expect("sync follows append");
        let current = self.current.as_ref().expect("what was appended stands in a segment");
        let synced = if planted(Bug::SkippedFsync) { Ok(()) } else { current.file.sync_data() };
        if let Err(error) = synced {
            return Err(self.poison("the sync of an epoch", error));
        }
        self.head = pending.head;
        self.open = !pending.closing;
        self.counters.blocks += pending.blocks;
        self.counters.bytes += pending.bytes;
        self.counters.fdatasyncs += 1;
        self.counters.epochs += u64::from(!pending.closing);
        self.counters.closing_blocks += u64::from(pending.closing);
        let (number, indexed) = (current.number, self.indexed(current));
        self.pages.publish(self.head.epoch, number, indexed, (!pending.closing).then_some(pending.start));
        if !self.spares.fill_themselves() {
            self.spares.fill();
        }
        Ok(())
    }

    /// Writes a closing block and makes it durable, with one `fdatasync`: the proof that the newest epoch was durable before. Does nothing
    /// if the newest block is a closing block already, or there is no epoch. `NoRoom` leaves the log as it was.
    pub fn close_block(&mut self) -> Result<(), LogError> {
        self.refuse_if_poisoned()?;
        assert!(self.pending.is_none(), "an epoch is synced before it is closed");
        if !self.open {
            return Ok(());
        }
        let at = self.make_way(SECTOR_BYTES)?;
        block::encode_closing(&mut self.buffer, at);
        self.pending =
            Some(Pending { head: self.head, start: at.offset, blocks: 1, bytes: SECTOR_BYTES, closing: true });
        self.write_buffer("the write of a closing block")?;
        self.sync()
    }

    /// Whether the newest epoch lacks its closing block.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The size of a segment.
    pub fn segment_bytes(&self) -> u64 {
        self.options.segment_bytes
    }

    /// The most that one epoch may take.
    pub fn max_epoch_bytes(&self) -> u64 {
        self.options.max_epoch_bytes
    }

    /// Bytes allocated and synced ahead that are still free. Two epochs find their place while they take no more than this together (and
    /// 512 bytes, if a closing block comes between), although the rest of a segment that an epoch does not fit into is left unused.
    pub fn room(&self) -> u64 {
        self.room.load(Ordering::Acquire)
    }

    /// The same number, for other threads.
    pub fn room_handle(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.room)
    }

    /// Tries to allocate what is missing ahead; a full disk is no error. With [`Ahead::Thread`](super::Ahead) it wakes the thread.
    pub fn allocate_ahead(&mut self) {
        self.spares.fill();
    }

    /// The newest durable epoch, and its hash.
    pub fn head(&self) -> ChainHead {
        self.head
    }

    /// What this writer did so far.
    pub fn counters(&self) -> LogCounters {
        self.counters
    }

    /// Reads pages of durable epochs; from any thread.
    pub fn pages(&self) -> LogPages {
        self.pages.clone()
    }

    /// Finds the place for so many bytes, in the next segment if the current one has too few.
    fn make_way(&mut self, bytes: u64) -> Result<Position, LogError> {
        if self.current.as_ref().is_none_or(|current| current.position + bytes > current.len) {
            let Some(spare) = self.spares.take() else {
                return Err(LogError::NoRoom { needed: bytes, room: self.room() });
            };
            if let Err(error) = self.begin(spare) {
                return Err(self.poison("the write of a segment header", error));
            }
        }
        let current = self.current.as_ref().expect("a segment was begun");
        Ok(Position {
            lineage: self.identity.lineage,
            segment: current.number,
            offset: current.position,
            previous: self.head,
        })
    }

    /// Makes a spare the current segment. Its header becomes durable with its first block.
    fn begin(&mut self, spare: Spare) -> io::Result<()> {
        let header = SegmentHeader {
            identity: self.identity,
            number: spare.number,
            previous: self.head,
            made_ms: self.newest_ms,
            segment_bytes: spare.len,
            block_bytes: self.options.block_bytes,
        };
        spare.file.write_at(0, &header.encode())?;
        let left = self.current.as_ref().map_or(0, |old| usable(old.len, old.position));
        // In this order, so that it never says more than there is.
        self.room.fetch_sub(left, Ordering::AcqRel);
        self.room.fetch_add(spare.room(), Ordering::AcqRel);
        self.counters.segments += 1;
        let Spare { number, file, len } = spare;
        let (previous, made_ms) = (self.head.epoch, self.newest_ms);
        self.current = Some(Current { number, file, len, position: HEADER_BYTES, previous, made_ms });
        Ok(())
    }

    fn write_buffer(&mut self, stage: &'static str) -> Result<(), LogError> {
        let current = self.current.as_mut().expect("way was made");
        if let Err(error) = current.file.write_at(current.position, &self.buffer) {
            return Err(self.poison(stage, error));
        }
        let before = usable(current.len, current.position);
        current.position += self.buffer.len() as u64;
        self.room.fetch_sub(before - usable(current.len, current.position), Ordering::AcqRel);
        Ok(())
    }

    fn indexed(&self, current: &Current) -> Indexed {
        let Current { previous, made_ms, len, position, .. } = *current;
        Indexed::current(previous, made_ms, len, position, self.options.block_bytes)
    }

    fn refuse_if_poisoned(&self) -> Result<(), LogError> {
        match &self.poison {
            Some((stage, source)) => Err(LogError::Poisoned { stage, source: Arc::clone(source) }),
            None => Ok(()),
        }
    }

    fn poison(&mut self, stage: &'static str, error: io::Error) -> LogError {
        let source = Arc::new(error);
        self.poison = Some((stage, Arc::clone(&source)));
        LogError::Poisoned { stage, source }
    }
}

/// Makes the folders, and clears what an interrupted creation left. Refuses if there is an epoch.
fn prepare(storage: &dyn Storage) -> Result<(), LogError> {
    for folder in [LOG_FOLDER, ARCHIVE_FOLDER] {
        storage.make_dir(folder).map_err(LogError::storage("make the folder", folder))?;
    }
    storage.sync_dir("").map_err(LogError::storage("sync", "the data directory"))?;
    for folder in [ARCHIVE_FOLDER, LOG_FOLDER] {
        let mut names = storage.list(folder).map_err(LogError::storage("list", folder))?;
        names.retain(|name| segment::number(name).is_some());
        for name in &names {
            let path = format!("{folder}/{name}");
            let mut first = [0; SECTOR_BYTES as usize];
            let read = storage.open(&path).and_then(|file| file.read_at(HEADER_BYTES, &mut first));
            read.map_err(LogError::storage("read", path.clone()))?;
            if folder == ARCHIVE_FOLDER || first.iter().any(|&b| b != 0) {
                return Err(LogError::NotEmpty { file: path });
            }
        }
        // From the newest down, so that what is left never has a gap.
        for name in names.iter().rev() {
            let path = format!("{folder}/{name}");
            storage.remove(&path).map_err(LogError::storage("remove", path))?;
            storage.sync_dir(folder).map_err(LogError::storage("sync", folder))?;
        }
    }
    Ok(())
}
