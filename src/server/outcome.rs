//! What became of a request that memory has forgotten: the member's entries in the log, newest first, each naming the
//! one before.

use tidegate_protocol::answer::OutcomeView;
use tidegate_protocol::batch::ANSWER_HEAD_BYTES;
use tidegate_protocol::{LedgerId, Prose};

use crate::engine::{self, AHEAD_MS_MOST, LedgerAt, MemberPart, Record, Remembered, answer_once, read_record};
use crate::log::{LogError, LogPages, PlaceId};
use crate::store::OutcomeSearch;

/// The most entries that one search reads; a member with more within one deadline is no member.
const ENTRIES_MOST: usize = 10_000;
/// No record of a member is longer.
pub(super) const RECORD_BYTES_MOST: usize = 4_096;

/// Looks an id up in the log. Reads the disk: not for a thread that serves. The member's newest entry is durable.
pub fn search(pages: &LogPages, search: &OutcomeSearch) -> Result<OutcomeView, LogError> {
    let place = PlaceId(search.place.to_u32());
    let mut at = search.newest;
    for _ in 0..ENTRIES_MOST {
        if at.epoch == 0 {
            return Ok(unapplied(search.otherwise));
        }
        let Some(page) = pages.entry(at.epoch, place, at.offset, RECORD_BYTES_MOST)? else {
            return Ok(unapplied(OutcomeView::BEYOND_RETENTION));
        };
        let Ok((Record::Member(part), _)) = read_record(&page.bytes, page.base_ms) else {
            return Ok(unapplied(OutcomeView::BEYOND_RETENTION));
        };
        // What nobody asked for has no id, and is no outcome of anything.
        if part.id == search.id && !part.change.is_unasked() {
            let sequence = sequence(pages, place, at)?;
            return Ok(sequence.map_or(unapplied(OutcomeView::BEYOND_RETENTION), |sequence| {
                // No segment has more than the directory, whose lineage is as wide.
                applied(&part, sequence, page.lineage as u16, search.place)
            }));
        }
        // An id is never decided more than this before its own time, so that no older entry can have it.
        if part.now_ms.saturating_add(AHEAD_MS_MOST) < search.id.time_ms() {
            return Ok(unapplied(search.otherwise));
        }
        at = part.previous;
    }
    Ok(unapplied(OutcomeView::BEYOND_RETENTION))
}

fn unapplied(state: u8) -> OutcomeView {
    OutcomeView { state, code: 0, ledger: LedgerId::default(), answer: Prose::default() }
}

/// The sequence of the record at an offset: the tail's first, and one more for each record before it.
pub(super) fn sequence(pages: &LogPages, place: PlaceId, at: LedgerAt) -> Result<Option<u64>, LogError> {
    let Some(page) = pages.entry(at.epoch, place, 0, at.offset as usize)? else { return Ok(None) };
    let (mut rest, mut sequence) = (&page.bytes[..], page.first_sequence);
    while let Some(head) = rest.first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*head));
        match rest.get(length..).filter(|_| length > 0) {
            Some(behind) => rest = behind,
            None => return Ok(None),
        }
        sequence += 1;
    }
    Ok(Some(sequence))
}

fn applied(part: &MemberPart, sequence: u64, lineage: u16, place: engine::PlaceId) -> OutcomeView {
    let ledger = LedgerId { lineage: u32::from(lineage), place: place.to_u32(), sequence };
    let mut bytes = Vec::new();
    let code = match Remembered::from_part(part, sequence, lineage) {
        Some(remembered) => {
            remembered.answer(place.to_u32(), 0, &mut bytes);
            remembered.code
        }
        None => answer_once(part, lineage, place, sequence, 0, &mut bytes),
    };
    let digits: String = bytes[ANSWER_HEAD_BYTES..].iter().map(|byte| format!("{byte:02x}")).collect();
    OutcomeView { state: OutcomeView::APPLIED, code, ledger, answer: Prose::cut(&digits) }
}
