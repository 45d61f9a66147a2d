//! Which segments there are, before any block is read: names, headers, and where reading has to begin.

use super::segment::{self, HEADER_BYTES, NoHeader, SegmentHeader};
use super::{ARCHIVE_FOLDER, Expect, LOG_FOLDER, LogError, LogIdentity, Reach, archive};
use crate::storage::{File, Storage};

/// A segment's file, closed: there may be more of them than a process may have open.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: String,
    pub(super) archived: bool,
    pub(super) len: u64,
    /// Its header, or why it has none.
    pub(super) opening: Result<SegmentHeader, NoHeader>,
}

impl Segment {
    pub(super) fn damaged(&self, offset: u64, expected: impl Into<String>, found: impl Into<String>) -> LogError {
        LogError::Damaged { file: self.path.clone(), offset, expected: expected.into(), found: found.into() }
    }

    pub(super) fn read_error(&self) -> impl FnOnce(std::io::Error) -> LogError + use<> {
        LogError::storage("read", self.path.clone())
    }

    pub(super) fn open(&self, storage: &dyn Storage) -> Result<Box<dyn File>, LogError> {
        storage.open(&self.path).map_err(LogError::storage("open", self.path.clone()))
    }
}

/// All segments within reach, rising without a gap, each header checked against name and directory.
pub(super) fn survey(storage: &dyn Storage, identity: LogIdentity, reach: Reach) -> Result<Vec<Segment>, LogError> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut lineage = 0;
    // Listed whatever the reach: a number that no log reaches is better told now than behind a long recovery.
    let mut archived = archive::numbers_in_reach(storage, ARCHIVE_FOLDER)?;
    if reach == Reach::InUse {
        archived.clear();
    }
    let in_use = archive::numbers_in_reach(storage, LOG_FOLDER)?;
    let numbers = archived.into_iter().map(|number| (number, true)).chain(in_use.into_iter().map(|n| (n, false)));
    for (number, archived) in numbers {
        if let Some(before) = segments.last()
            && before.number + 1 != number
        {
            return Err(LogError::SegmentMissing { file: segment::path(before.number + 1) });
        }
        let segment = look(storage, number, archived)?;
        belongs(&segment, identity, lineage)?;
        if let Ok(header) = &segment.opening {
            lineage = header.identity.lineage;
        }
        segments.push(segment);
    }
    Ok(segments)
}

/// What a segment begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentBegin {
    /// Its file.
    pub path: String,
    /// Its number.
    pub number: u64,
    /// Its length.
    pub bytes: u64,
    /// The last epoch before it.
    pub previous_epoch: u64,
    /// The newest time in its first epoch, and so, about, in all before it; milliseconds since 1970.
    pub made_ms: i64,
}

/// All segments that were begun, the archived ones first, by their headers alone.
pub fn begins(storage: &dyn Storage, identity: LogIdentity) -> Result<Vec<SegmentBegin>, LogError> {
    let begin = |segment: Segment| {
        let header = segment.opening.ok()?;
        let (previous_epoch, made_ms) = (header.previous.epoch, header.made_ms);
        Some(SegmentBegin { path: segment.path, number: segment.number, bytes: segment.len, previous_epoch, made_ms })
    };
    Ok(survey(storage, identity, Reach::Archived)?.into_iter().filter_map(begin).collect())
}

/// Whether a header, if there is one, is this directory's, this segment's, and of a lineage from `lineage` to the directory's.
pub(super) fn belongs(segment: &Segment, identity: LogIdentity, lineage: u32) -> Result<(), LogError> {
    match &segment.opening {
        Ok(header) if header.identity.directory != identity.directory => Err(LogError::OtherDirectory {
            file: segment.path.clone(),
            expected: hex(&identity.directory),
            found: hex(&header.identity.directory),
        }),
        Ok(header) if header.number != segment.number => {
            Err(segment.damaged(32, format!("segment number {}", segment.number), header.number.to_string()))
        }
        Ok(header) if !(lineage..=identity.lineage).contains(&header.identity.lineage) => {
            let expected = format!("a lineage from {lineage} to {}", identity.lineage);
            Err(segment.damaged(12, expected, header.identity.lineage.to_string()))
        }
        Err(NoHeader::Version(found)) => {
            Err(LogError::Version { file: segment.path.clone(), found: *found, known: segment::VERSION })
        }
        Ok(_) | Err(NoHeader::Zero | NoHeader::Broken(_)) => Ok(()),
    }
}

/// Reads a segment's header.
pub(super) fn look(storage: &dyn Storage, number: u64, archived: bool) -> Result<Segment, LogError> {
    let path = if archived { segment::path_archived(number) } else { segment::path(number) };
    look_at(storage, path, number, archived)
}

/// The same for a file of any name.
pub(super) fn look_at(storage: &dyn Storage, path: String, number: u64, archived: bool) -> Result<Segment, LogError> {
    let file = storage.open(&path).map_err(LogError::storage("open", path.clone()))?;
    let mut bytes = [0; HEADER_BYTES as usize];
    let read = file.len().and_then(|len| Ok((len, file.read_at(0, &mut bytes)?)));
    let (len, count) = read.map_err(LogError::storage("read", path.clone()))?;
    Ok(Segment { number, path, archived, len, opening: SegmentHeader::decode(&bytes[..count]) })
}

/// The index of the last segment that begins before the first epoch needed.
pub(super) fn first_needed(segments: &[Segment], from_epoch: u64) -> Result<usize, LogError> {
    if from_epoch == Expect::OLDEST && segments.first().is_some_and(|segment| segment.opening.is_ok()) {
        return Ok(0);
    }
    let needed = from_epoch.max(1);
    let before = |s: &Segment| s.opening.as_ref().is_ok_and(|header| header.previous.epoch < needed);
    if let Some(index) = segments.iter().rposition(before) {
        return Ok(index);
    }
    match segments.first() {
        None => Err(LogError::SegmentMissing { file: segment::path(1) }),
        Some(Segment { opening: Ok(header), .. }) => {
            Err(LogError::EpochsMissing { needed, first: header.previous.epoch })
        }
        Some(segment) => {
            let found = match &segment.opening {
                Err(NoHeader::Broken(found)) => found.clone(),
                _ => "zeros".to_owned(),
            };
            Err(segment.damaged(0, "the header of the log's first segment", found))
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
