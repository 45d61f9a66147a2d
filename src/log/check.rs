//! One segment of a log, read by itself: for a log that is being written, for a copy of it, or for one that is longer than anybody
//! wants to read at once. The caller holds the ends of one against the beginning of the next.

use super::segment::NoHeader;
use super::survey::{Segment, belongs, look, look_at};
use super::{ARCHIVE_FOLDER, ChainHead, Expect, LOG_FOLDER, LogError, LogIdentity, Reach, archive, scan::Scan};
use crate::storage::Storage;

/// A segment whose checksums and chain are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedSegment {
    /// Its file.
    pub path: String,
    /// The chain before it.
    pub previous: ChainHead,
    /// The chain behind it, or where reading was told to end.
    pub head: ChainHead,
    /// Epochs read.
    pub epochs: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What stands behind its last whole block, if that is no block and not nothing. An earlier recovery has cut there if the next segment
    /// goes on exactly from `head`; else it is damage, or the torn tail of a log that ends here.
    pub torn: Option<String>,
}

/// Reads a segment, in use or archived, up to its last whole block, or through an epoch. `None` if there is no such segment, or if it is a spare.
///
/// A head that was seen durable must have the same hash here, if its epoch stands in this segment.
pub fn check(
    storage: &dyn Storage,
    identity: LogIdentity,
    number: u64,
    known: Option<ChainHead>,
    through: u64,
) -> Result<Option<CheckedSegment>, LogError> {
    match find(storage, number)? {
        Some(segment) => check_segment(storage, identity, &segment, known, through),
        None => Ok(None),
    }
}

/// The same for a file of any name.
pub(crate) fn check_file(
    storage: &dyn Storage,
    identity: LogIdentity,
    path: &str,
    number: u64,
    known: Option<ChainHead>,
) -> Result<Option<CheckedSegment>, LogError> {
    let segment = look_at(storage, path.to_owned(), number, false)?;
    check_segment(storage, identity, &segment, known, u64::MAX)
}

fn check_segment(
    storage: &dyn Storage,
    identity: LogIdentity,
    segment: &Segment,
    known: Option<ChainHead>,
    through: u64,
) -> Result<Option<CheckedSegment>, LogError> {
    belongs(segment, identity, 0)?;
    let header = match &segment.opening {
        Ok(header) => *header,
        Err(NoHeader::Zero) => return Ok(None),
        Err(NoHeader::Version(_)) => unreachable!("a version that is not known belongs nowhere"),
        Err(NoHeader::Broken(found)) => return Err(segment.damaged(0, "the header of a segment", found)),
    };
    let mut checked = CheckedSegment {
        path: segment.path.clone(),
        previous: header.previous,
        head: header.previous,
        epochs: 0,
        bytes: 0,
        torn: None,
    };
    let expect = Expect { identity, from_epoch: Expect::OLDEST, known, reach: Reach::Archived };
    let mut visit = |epoch: super::RecoveredEpoch<'_>| {
        // What stands behind it may be on its way to the disk just now.
        if epoch.epoch >= through { Err(LogError::Stopped) } else { Ok(()) }
    };
    let mut scan = Scan::new(storage, expect, &mut visit, std::slice::from_ref(segment), 0)?;
    if header.previous.epoch < through {
        checked.torn = match scan.segment(segment, &header) {
            Ok(stop) => stop.reason.map(|reason| format!("{} from byte {} on: {reason}", segment.path, stop.at)),
            Err(LogError::Stopped) => None,
            Err(error) => return Err(error),
        };
    }
    (checked.head, checked.epochs, checked.bytes) = (scan.scanned.head, scan.scanned.epochs, scan.scanned.bytes);
    Ok(Some(checked))
}

/// A segment by its number, wherever it is: it may be moved meanwhile.
pub(super) fn find(storage: &dyn Storage, number: u64) -> Result<Option<Segment>, LogError> {
    for (folder, archived) in [(LOG_FOLDER, false), (ARCHIVE_FOLDER, true)] {
        if archive::numbers(storage, folder)?.contains(&number) {
            match look(storage, number, archived) {
                Err(LogError::Storage { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                found => return found.map(Some),
            }
        }
    }
    Ok(None)
}
