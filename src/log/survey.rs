//! Which segments there are, before any block is read: names, headers, and where reading has to begin.

use super::segment::{self, HEADER_BYTES, NoHeader, SegmentHeader};
use super::{LOG_FOLDER, LogError, LogIdentity, archive};
use crate::storage::{File, Storage};

/// A file in `log/`.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: String,
    pub(super) file: Box<dyn File>,
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
}

/// All segments in `log/`, rising without a gap, each header checked against name and directory.
pub(super) fn survey(storage: &dyn Storage, identity: LogIdentity) -> Result<Vec<Segment>, LogError> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut lineage = 0;
    for number in archive::numbers(storage, LOG_FOLDER)? {
        if let Some(before) = segments.last()
            && before.number + 1 != number
        {
            return Err(LogError::SegmentMissing { file: segment::path(before.number + 1) });
        }
        let segment = open(storage, segment::path(number), number)?;
        match &segment.opening {
            Ok(header) if header.identity.directory != identity.directory => {
                return Err(LogError::OtherDirectory {
                    file: segment.path,
                    expected: hex(&identity.directory),
                    found: hex(&header.identity.directory),
                });
            }
            Ok(header) if header.number != number => {
                return Err(segment.damaged(32, format!("segment number {number}"), header.number.to_string()));
            }
            Ok(header) if !(lineage..=identity.lineage).contains(&header.identity.lineage) => {
                let expected = format!("a lineage from {lineage} to {}", identity.lineage);
                return Err(segment.damaged(12, expected, header.identity.lineage.to_string()));
            }
            Ok(header) => lineage = header.identity.lineage,
            Err(NoHeader::Version(found)) => {
                return Err(LogError::Version { file: segment.path, found: *found, known: segment::VERSION });
            }
            Err(NoHeader::Zero | NoHeader::Broken(_)) => {}
        }
        segments.push(segment);
    }
    Ok(segments)
}

pub(super) fn open(storage: &dyn Storage, path: String, number: u64) -> Result<Segment, LogError> {
    let file = storage.open(&path).map_err(LogError::storage("open", path.clone()))?;
    let mut bytes = [0; HEADER_BYTES as usize];
    let read = file.len().and_then(|len| Ok((len, file.read_at(0, &mut bytes)?)));
    let (len, count) = read.map_err(LogError::storage("read", path.clone()))?;
    Ok(Segment { number, path, file, len, opening: SegmentHeader::decode(&bytes[..count]) })
}

/// The index of the last segment that begins before the first epoch needed.
pub(super) fn first_needed(segments: &[Segment], from_epoch: u64) -> Result<usize, LogError> {
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

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
