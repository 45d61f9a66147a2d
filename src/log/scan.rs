//! Reading the log back, block by block, and judging what does not fit.
//!
//! *W* is the last whole epoch so far, *x* the byte behind its last block. The writer has one epoch on its way at a time and never writes
//! into a segment again after a torn tail, so of a crash only these remain:
//!
//! | | at *x* | behind it | verdict |
//! |---|---|---|---|
//! | A | zeros | zeros to the end, later segments are spares | clean end |
//! | B | broken block, or zeros | nothing, or blocks of one epoch that begins at *x* with previous epoch *W*, not all whole | torn tail: cut, reported |
//! | C | anything | a next segment whose header goes on exactly from *W* and its hash | the tail was cut by an earlier recovery: go on there |
//! | D | broken or zero segment header, no whole header later | as B, or a closing block of *W*, with *x* the segment's first block | torn begin of a segment: cut, reported |
//! | E | the file ends early | as B | torn tail: cut, reported |
//!
//! and everything else is damage, which refuses (with file, offset, expected, found):
//!
//! | | finding | why a crash cannot leave it |
//! |---|---|---|
//! | F | a whole block header behind *x* whose previous epoch is above *W* | it was written after the sync of the epoch that is broken now: that one was acknowledged |
//! | G | a closing block behind *x* that is not at *x* | the same; it proves the epoch it repeats, or what stood before it |
//! | H | a next segment whose header names another previous epoch or hash | the epochs between are lost, or the segment is another's, or an older one |
//! | I | a whole block at *x* that does not fit (epoch, hash, segment, offset) | stale, misdirected or edited |
//! | J | a segment missing between others; a number unlike the name; another directory; a higher lineage before a lower one; a number beyond 2^62 | files were moved or mixed |
//! | K | bytes in a segment behind a wholly empty one | segments are begun in order |
//! | L | the log ends before an epoch that a snapshot saw durable, or has another hash there | acknowledged epochs are gone, or the past was edited |

use super::block::{BlockHeader, HEADER_BYTES as BLOCK_HEADER_BYTES, Kind, MAGIC, NoBlock};
use super::index::{Index, Indexed};
use super::segment::{self, HEADER_BYTES, NoHeader, Reader, SegmentHeader, padded};
use super::survey::{Segment, first_needed, hex, look, survey};
use super::{ChainHead, LogError, LogIdentity, NUMBER_MOST, Tails, archive};
use crate::planted::{Bug, planted};
use crate::storage::{SECTOR_BYTES, Storage};

/// How far back a log is read, if it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The segments in use: all that a recovery needs.
    InUse,
    /// Those of the archive, too.
    Archived,
}

/// What the caller knows of the log before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expect {
    /// The directory's id must be in every segment; segments may have this lineage or a lower one.
    pub identity: LogIdentity,
    /// The first epoch that is needed, or [`Expect::OLDEST`]. Segments that end before it are not read.
    pub from_epoch: u64,
    /// A head that was seen durable: a log that ends before it, or has another hash there, is refused.
    pub known: Option<ChainHead>,
    /// Where to look for segments.
    pub reach: Reach,
}

impl Expect {
    /// As the first epoch: whichever is the oldest that there is.
    pub const OLDEST: u64 = 0;
}

/// One epoch, read back whole and checked.
#[derive(Debug, Clone)]
pub struct RecoveredEpoch<'a> {
    /// Its number.
    pub epoch: u64,
    /// The hash of its last block.
    pub hash: [u8; 32],
    /// The lineage it was written in.
    pub lineage: u32,
    /// Where it ends.
    pub end: EpochEnd,
    /// What each place added.
    pub tails: Tails<'a>,
    /// Bytes of log read so far, for a progress bar.
    pub done_bytes: u64,
    /// Bytes of log there are to read, at most.
    pub total_bytes: u64,
}

/// The byte behind an epoch's last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    /// The number of the segment.
    pub segment: u64,
    /// The byte in it.
    pub offset: u64,
}

/// Bytes behind the last whole epoch that were never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment's path.
    pub file: String,
    /// Where they begin.
    pub offset: u64,
    /// How many they are, up to the last that is not zero.
    pub bytes: u64,
    /// What is wrong with the first of them.
    pub reason: String,
}

/// What a scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scanned {
    /// The last whole epoch, and its hash.
    pub head: ChainHead,
    /// Whether a closing block proves that the last epoch was durable.
    pub closed: bool,
    /// What was cut, if anything.
    pub torn: Option<TornTail>,
    /// Epochs visited.
    pub epochs: u64,
    /// Bytes of log read.
    pub bytes: u64,
    /// Segments with a header; spares do not count.
    pub segments: u64,
    /// The highest number of a segment that is not empty.
    pub highest: u64,
}

impl Scanned {
    /// Refuses a log that no server could go on with: it believes half of what a reader does, so that what is written from there on is read again.
    pub fn leaves_room(&self) -> Result<(), LogError> {
        if self.highest > NUMBER_MOST / 2 {
            return Err(LogError::NumbersUsedUp { file: segment::path(self.highest) });
        }
        Ok(())
    }
}

/// The visitor of a recovery: gets each epoch from `from_epoch` on, in order.
pub type Visit<'v> = dyn FnMut(RecoveredEpoch<'_>) -> Result<(), LogError> + 'v;

/// Reads and checks the log without changing anything.
pub fn scan(storage: &dyn Storage, expect: Expect, visit: &mut Visit<'_>) -> Result<Scanned, LogError> {
    Ok(read(storage, expect, visit)?.scanned)
}

/// A scan, with what a writer needs to go on.
pub(super) struct Outcome {
    pub(super) scanned: Scanned,
    /// The last segment with a header.
    pub(super) last: Segment,
    pub(super) last_header: SegmentHeader,
    /// Where its newest epoch begins (0 if that is its first or it has none), and where its last whole block ends.
    pub(super) newest: u64,
    pub(super) end: u64,
    /// Wholly empty segments behind everything that was ever written, rising.
    pub(super) spares: Vec<Segment>,
    /// The newest base time of any tail that was read, or the time in the header of the last segment.
    pub(super) newest_ms: i64,
    pub(super) index: Index,
}

/// Where a segment's whole blocks end, and why.
pub(super) struct Stop {
    pub(super) at: u64,
    /// `None` if zeros or the end of the segment stand there.
    pub(super) reason: Option<String>,
}

pub(super) fn read(storage: &dyn Storage, expect: Expect, visit: &mut Visit<'_>) -> Result<Outcome, LogError> {
    let mut segments = survey(storage, expect.identity, expect.reach)?;
    let first = first_needed(&segments, expect.from_epoch)?;
    let mut scan = Scan::new(storage, expect, visit, &segments, first)?;
    let mut last = (first, Stop { at: 0, reason: None });
    for (index, segment) in segments.iter().enumerate().skip(first) {
        if let Ok(header) = &segment.opening {
            if index > first {
                scan.goes_on(&segments[last.0], &last.1, segment, header)?;
            }
            last = (index, scan.segment(segment, header)?);
        }
    }
    let (last, stop) = last;
    let spares_from = scan.judge_rest(&segments[last..], &stop)? + last;
    scan.reached_known(&segments[last], &stop)?;
    let spares = segments.split_off(spares_from);
    scan.scanned.highest = segments.last().map_or(0, |segment| segment.number);
    let last = segments.swap_remove(last);
    let last_header = *last.opening.as_ref().expect("the last segment read has a header");
    let Scan { scanned, mut index, newest, newest_ms, .. } = scan;
    let newest_ms = newest_ms.max(last_header.made_ms);
    index.durable = scanned.head.epoch;
    index_unread(storage, &segments, &mut index)?;
    Ok(Outcome { scanned, last, last_header, newest, end: stop.at, spares, newest_ms, index })
}

/// Lets pages be read from segments that recovery had no need to read.
fn index_unread(storage: &dyn Storage, segments: &[Segment], index: &mut Index) -> Result<(), LogError> {
    let mut add = |segment: &Segment| {
        if let Ok(header) = &segment.opening {
            index.segments.entry(segment.number).or_insert(Indexed::unread(segment, header));
        }
    };
    segments.iter().for_each(&mut add);
    for number in archive::numbers(storage, super::ARCHIVE_FOLDER)? {
        add(&look(storage, number, true)?);
    }
    Ok(())
}

pub(super) struct Scan<'a, 'v> {
    storage: &'a dyn Storage,
    expect: Expect,
    visit: &'a mut Visit<'v>,
    pub(super) scanned: Scanned,
    index: Index,
    newest: u64,
    newest_ms: i64,
    total_bytes: u64,
    /// An epoch of several pieces is put together here.
    payload: Vec<u8>,
}

impl<'a, 'v> Scan<'a, 'v> {
    pub(super) fn new(
        storage: &'a dyn Storage,
        expect: Expect,
        visit: &'a mut Visit<'v>,
        segments: &[Segment],
        first: usize,
    ) -> Result<Self, LogError> {
        let header = segments[first].opening.as_ref().expect("the first segment needed has a header");
        let read = || segments[first..].iter().filter(|segment| segment.opening.is_ok());
        let scanned =
            Scanned { head: header.previous, segments: read().count() as u64, closed: true, ..Scanned::default() };
        let total_bytes = read().map(|segment| segment.len).sum();
        let (index, payload) = (Index::default(), Vec::new());
        let mut scan = Scan { storage, expect, visit, scanned, index, newest: 0, newest_ms: 0, total_bytes, payload };
        scan.check_known(&segments[first], 0)?;
        Ok(scan)
    }

    /// Case C or H: does a segment go on exactly from where the one before ended?
    fn goes_on(
        &self,
        before: &Segment,
        stop: &Stop,
        segment: &Segment,
        header: &SegmentHeader,
    ) -> Result<(), LogError> {
        let head = self.scanned.head;
        if header.previous == head {
            return Ok(());
        }
        if header.previous.epoch < head.epoch {
            let expected = format!("a segment that goes on from epoch {}", head.epoch);
            return Err(segment.damaged(
                40,
                expected,
                format!("one that goes on from epoch {}", header.previous.epoch),
            ));
        }
        if header.previous.epoch == head.epoch {
            return Err(segment.damaged(64, format!("hash {}", hex(&head.hash)), hex(&header.previous.hash)));
        }
        let found = stop.reason.clone().unwrap_or_else(|| "nothing more".to_owned());
        let expected =
            format!("epochs {} to {}, from which {} goes on", head.epoch + 1, header.previous.epoch, segment.path);
        Err(before.damaged(stop.at, expected, found))
    }

    /// Reads a segment up to its last whole block.
    pub(super) fn segment(&mut self, segment: &Segment, header: &SegmentHeader) -> Result<Stop, LogError> {
        let file = segment.open(self.storage)?;
        let mut reader = Reader::new(&*file, segment.len.min(header.segment_bytes));
        self.index.segments.insert(segment.number, Indexed::unread(segment, header));
        self.newest = 0;
        let mut at = HEADER_BYTES;
        let mut payload = std::mem::take(&mut self.payload);
        let before = self.scanned.bytes;
        let stop = loop {
            self.scanned.bytes = before + at;
            if at + SECTOR_BYTES > header.segment_bytes {
                break Stop { at, reason: None };
            }
            let block =
                match BlockHeader::decode(reader.get(at, BLOCK_HEADER_BYTES as u64).map_err(segment.read_error())?) {
                    Ok(block) => block,
                    Err(NoBlock::Zero) if reader.end() >= header.segment_bytes => break Stop { at, reason: None },
                    Err(NoBlock::Zero) => break Stop { at, reason: Some("a file that ends early".to_owned()) },
                    Err(NoBlock::Broken(found)) => break Stop { at, reason: Some(found) },
                };
            self.fits(segment, header, &block, at)?;
            if block.kind == Kind::Closing {
                self.scanned.closed = true;
                at += padded(0);
                continue;
            }
            match self.epoch(segment, header, &mut reader, block, &mut payload)? {
                Ok(end) => at = end,
                Err(reason) => break Stop { at, reason: Some(reason) },
            }
        };
        self.payload = payload;
        self.indexed(segment).end = stop.at;
        Ok(stop)
    }

    /// Case I: a whole block where one is due must be the one that is due.
    fn fits(&self, segment: &Segment, header: &SegmentHeader, block: &BlockHeader, at: u64) -> Result<(), LogError> {
        let head = self.scanned.head;
        let place = (block.segment, block.offset, block.start) == (segment.number, at, at);
        let chained =
            block.previous == head && block.lineage == header.identity.lineage || planted(Bug::SkippedChecksum);
        let sound = match block.kind {
            Kind::Epoch => block.epoch > head.epoch && block.piece == 0 && block.pieces > 0 && block.body_bytes > 0,
            Kind::Closing => {
                (block.epoch, block.piece, block.pieces, block.body_bytes, block.body_crc) == (head.epoch, 0, 1, 0, 0)
            }
        };
        if place && chained && sound {
            return Ok(());
        }
        let expected = format!("the block behind epoch {} with hash {}", head.epoch, hex(&head.hash));
        Err(segment.damaged(at, expected, describe(block)))
    }

    /// Reads the epoch whose first block is `first`. The inner value is where it ends, or why it is torn.
    fn epoch(
        &mut self,
        segment: &Segment,
        header: &SegmentHeader,
        reader: &mut Reader<'_>,
        first: BlockHeader,
        payload: &mut Vec<u8>,
    ) -> Result<Result<u64, String>, LogError> {
        payload.clear();
        let mut hash = first.previous.hash;
        let mut at = first.offset;
        for piece in 0..first.pieces {
            let bytes = reader.get(at, BLOCK_HEADER_BYTES as u64).map_err(segment.read_error())?;
            let block = match BlockHeader::decode(bytes) {
                Ok(block) => block,
                Err(NoBlock::Zero) => return Ok(Err(format!("zeros for block {piece} of epoch {}", first.epoch))),
                Err(NoBlock::Broken(found)) => return Ok(Err(found)),
            };
            let full = header.block_bytes - BLOCK_HEADER_BYTES as u32;
            let last = piece + 1 == first.pieces;
            let due = BlockHeader {
                offset: at,
                piece,
                previous: ChainHead { epoch: first.previous.epoch, hash },
                body_bytes: block.body_bytes,
                body_crc: block.body_crc,
                ..first
            };
            let len_fits = if last { (1..=full).contains(&block.body_bytes) } else { block.body_bytes == full };
            if block != due || !len_fits || at + padded(block.body_bytes.into()) > header.segment_bytes {
                let expected = format!("block {piece} of epoch {}", first.epoch);
                return Err(segment.damaged(at, expected, describe(&block)));
            }
            let len = BLOCK_HEADER_BYTES as u64 + u64::from(block.body_bytes);
            let whole = reader.get(at, len).map_err(segment.read_error())?;
            if (whole.len() as u64) < len {
                return Ok(Err("a file that ends within a block".to_owned()));
            }
            let crc = crc32c::crc32c(&whole[BLOCK_HEADER_BYTES..]);
            if crc != block.body_crc && !planted(Bug::SkippedChecksum) {
                return Ok(Err(format!("a body with checksum {crc:08x} instead of {:08x}", block.body_crc)));
            }
            hash = *blake3::hash(whole).as_bytes();
            at += padded(block.body_bytes.into());
            if first.pieces == 1 {
                let payload = &whole[BLOCK_HEADER_BYTES..];
                self.whole_epoch(segment, &first, hash, at, payload)?;
                return Ok(Ok(at));
            }
            payload.extend_from_slice(&whole[BLOCK_HEADER_BYTES..]);
        }
        self.whole_epoch(segment, &first, hash, at, payload)?;
        Ok(Ok(at))
    }

    fn whole_epoch(
        &mut self,
        segment: &Segment,
        first: &BlockHeader,
        hash: [u8; 32],
        end: u64,
        payload: &[u8],
    ) -> Result<(), LogError> {
        let tails = Tails::check(payload)
            .map_err(|found| segment.damaged(first.offset, "a table of tails that fits its payload", found))?;
        if self.expect.known.is_some_and(|known| (self.scanned.head.epoch + 1..first.epoch).contains(&known.epoch)) {
            return Err(segment.damaged(first.offset, "an epoch that was seen durable before", describe(first)));
        }
        self.newest_ms = tails.clone().map(|tail| tail.base_ms).fold(self.newest_ms, i64::max);
        self.scanned.head = ChainHead { epoch: first.epoch, hash };
        self.scanned.closed = false;
        self.newest = if first.offset == HEADER_BYTES { 0 } else { first.offset };
        self.indexed(segment).note(first.epoch, first.offset);
        self.check_known(segment, first.offset)?;
        if first.epoch < self.expect.from_epoch {
            return Ok(());
        }
        self.scanned.epochs += 1;
        let (done_bytes, total_bytes) = (self.scanned.bytes, self.total_bytes);
        let end = EpochEnd { segment: segment.number, offset: end };
        let BlockHeader { epoch, lineage, .. } = *first;
        (self.visit)(RecoveredEpoch { epoch, hash, lineage, end, tails, done_bytes, total_bytes })
    }

    fn indexed(&mut self, segment: &Segment) -> &mut Indexed {
        self.index.segments.get_mut(&segment.number).expect("inserted at its start")
    }

    /// Case L, the hash.
    fn check_known(&mut self, segment: &Segment, at: u64) -> Result<(), LogError> {
        match self.expect.known {
            Some(known) if known.epoch == self.scanned.head.epoch && known.hash != self.scanned.head.hash => {
                let expected = format!("epoch {} with hash {}, as it was seen before", known.epoch, hex(&known.hash));
                Err(segment.damaged(at, expected, hex(&self.scanned.head.hash)))
            }
            _ => Ok(()),
        }
    }

    /// Case L, the end.
    fn reached_known(&self, last: &Segment, stop: &Stop) -> Result<(), LogError> {
        match self.expect.known {
            Some(known) if known.epoch > self.scanned.head.epoch => {
                let expected = format!("epoch {}, which was seen durable", known.epoch);
                let found = stop.reason.clone().unwrap_or_else(|| "the end of the log".to_owned());
                Err(last.damaged(stop.at, expected, found))
            }
            _ => Ok(()),
        }
    }

    /// Judges everything behind the last whole block: the rest of its segment and the segments behind it, none of which has a header.
    /// How many of these segments are in use; the others are spares.
    fn judge_rest(&mut self, segments: &[Segment], stop: &Stop) -> Result<usize, LogError> {
        let mut used = 1;
        let mut empty: Option<&Segment> = None;
        for (index, segment) in segments.iter().enumerate() {
            let from = if index == 0 { stop.at } else { 0 };
            let end = self.remains(segment, from)?;
            let truncated = index == 0 && stop.reason.is_some();
            if index > 0 {
                match (end, empty) {
                    (None, None) => empty = Some(segment),
                    (None, Some(_)) => {}
                    (Some(_), None) => used = index + 1,
                    (Some(_), Some(empty)) => {
                        let expected = format!("blocks, since {} behind it has bytes", segment.path);
                        return Err(empty.damaged(0, expected, "zeros"));
                    }
                }
            }
            if (end.is_some() || truncated) && self.scanned.torn.is_none() {
                let reason = match (&stop.reason, &segment.opening) {
                    (Some(reason), _) if index == 0 => reason.clone(),
                    (_, Err(NoHeader::Broken(reason))) => reason.clone(),
                    _ => "zeros before bytes that were written".to_owned(),
                };
                let bytes = end.unwrap_or(from) - from;
                self.scanned.torn = Some(TornTail { file: segment.path.clone(), offset: from, bytes, reason });
            }
        }
        Ok(used)
    }

    /// The end of what is not zero from `from` on, if anything; refuses if a block there proves that acknowledged bytes are damaged.
    fn remains(&self, segment: &Segment, from: u64) -> Result<Option<u64>, LogError> {
        const ZEROS: [u8; SECTOR_BYTES as usize] = [0; SECTOR_BYTES as usize];
        let file = segment.open(self.storage)?;
        let mut reader = Reader::new(&*file, segment.len);
        let start = from.max(HEADER_BYTES);
        let mut end = None;
        let mut at = from;
        while at < segment.len {
            let sector = reader.get(at, SECTOR_BYTES).map_err(segment.read_error())?;
            if *sector != ZEROS[..sector.len()] {
                let zeros = sector.iter().rev().take_while(|&&b| b == 0).count();
                end = Some(at + (sector.len() - zeros) as u64);
                if at >= HEADER_BYTES
                    && sector.starts_with(MAGIC)
                    && let Ok(block) = BlockHeader::decode(sector)
                {
                    self.torn_or_damage(segment, start, at, &block)?;
                }
            }
            at += SECTOR_BYTES;
        }
        Ok(end)
    }

    /// Cases F and G: may this whole header stand behind the end of the log, as part of the one write that was on its way?
    fn torn_or_damage(&self, segment: &Segment, start: u64, at: u64, block: &BlockHeader) -> Result<(), LogError> {
        let last = self.scanned.head.epoch;
        let placed = (block.segment, block.offset, block.start) == (segment.number, at, start);
        let on_its_way = match block.kind {
            Kind::Epoch => block.previous.epoch == last && block.epoch > last,
            // Where a segment begins with a closing block, its header came with it, and one may survive without the other.
            Kind::Closing => segment.opening.is_err() && at == start && block.previous == self.scanned.head,
        };
        if placed && on_its_way {
            return Ok(());
        }
        let expected = if block.previous.epoch > last {
            format!(
                "epochs {} to {}, which were durable before a block at {at} was written",
                last + 1,
                block.previous.epoch
            )
        } else {
            format!("blocks of the one epoch that follows {last}")
        };
        Err(segment.damaged(start, expected, format!("at byte {at} {}", describe(block))))
    }
}

fn describe(block: &BlockHeader) -> String {
    let kind = match block.kind {
        Kind::Epoch => "block",
        Kind::Closing => "closing block",
    };
    format!(
        "{kind} {} of {} of epoch {}, behind epoch {} with hash {}, made for segment {} offset {}",
        block.piece,
        block.pieces,
        block.epoch,
        block.previous.epoch,
        hex(&block.previous.hash),
        block.segment,
        block.offset
    )
}
