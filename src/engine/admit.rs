//! At most once (I3): what an id says about a request, before any rule is asked.
//!
//! | | finding | answer |
//! |---|---|---|
//! | 1 | id remembered, same hash | the first answer |
//! | 2 | id remembered, other hash | `id-conflict` |
//! | 3 | id at or below the member's mark | `stale`, with the mark |
//! | 4 | past the deadline | `expired` |
//! | 5 | id's time more than 5 s ahead | `id-ahead`, with the server's time |
//! | 6 | else | decide |
//!
//! Operations with a natural key have no rows 1 to 3: their key is their memory, and is asked before the rest.

use tidegate_protocol::code::answer;
use tidegate_protocol::refusal::{Clock, Stale};
use tidegate_protocol::{MemberKey, RequestId};

use super::refusal::Refusal;
use super::remembered::Remembered;
use crate::planted::{Bug, planted};

/// How far an id's time may be ahead of the server's.
pub const AHEAD_MS_MOST: i64 = 5_000;

/// The longest deadline, counted from the id's time.
pub const DEADLINE_MS_MOST: u32 = 300_000;

/// A request as a decision sees it, beside its operation.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Who asks.
    pub member: MemberKey,
    /// The request's id.
    pub id: RequestId,
    /// Milliseconds after the id's time.
    pub deadline_ms: u32,
    /// Keyed hash of code, programme and body.
    pub hash: u64,
}

/// Whether a request is to be decided.
#[derive(Debug)]
pub enum Admission<'a> {
    /// It was decided before; this is its answer.
    Repeat(&'a Remembered),
    /// It is refused for its id.
    Refused(Refusal),
    /// Decide it.
    Decide,
}

/// Judges a request by its id. `known` are the member's remembered answers (none for natural keys), `mark` the largest
/// id it has forgotten (zero for natural keys).
pub fn admit<'a>(
    request: &Request,
    known: impl Iterator<Item = &'a Remembered>,
    mark: RequestId,
    now_ms: i64,
) -> Admission<'a> {
    if planted(Bug::DeadlineFirst) && request.id.time_ms() + i64::from(request.deadline_ms) < now_ms {
        return Admission::Refused(Refusal::Expired(Clock { server_ms: now_ms }));
    }
    for answered in known {
        if answered.id == request.id && !planted(Bug::DroppedDeduplication) {
            return if answered.hash == request.hash {
                Admission::Repeat(answered)
            } else {
                Admission::Refused(Refusal::Plain(answer::ID_CONFLICT))
            };
        }
    }
    if !request.id.is_v7() {
        return Admission::Refused(Refusal::Plain(answer::ID_MALFORMED));
    }
    if request.id <= mark {
        return Admission::Refused(Refusal::Stale(Stale { mark }));
    }
    if request.deadline_ms > DEADLINE_MS_MOST {
        return Admission::Refused(Refusal::Plain(answer::DEADLINE_TOO_LONG));
    }
    let minted_ms = request.id.time_ms();
    if minted_ms + i64::from(request.deadline_ms) < now_ms {
        return Admission::Refused(Refusal::Expired(Clock { server_ms: now_ms }));
    }
    if minted_ms > now_ms + AHEAD_MS_MOST {
        return Admission::Refused(Refusal::IdAhead(Clock { server_ms: now_ms }));
    }
    Admission::Decide
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn request(minted_ms: i64, deadline_ms: u32) -> Request {
        Request { member: MemberKey::from_number(1), id: RequestId::mint(minted_ms, [7; 10]), deadline_ms, hash: 1 }
    }

    fn remembered(id: RequestId, hash: u64) -> Remembered {
        Remembered { id, hash, sequence: 1, after: 0, change: 0, detail: 0, version: 1, code: 1, lineage: 0 }
    }

    fn code(admission: &Admission<'_>) -> Option<u16> {
        match admission {
            Admission::Refused(refusal) => Some(refusal.code()),
            _ => None,
        }
    }

    #[test]
    fn a_remembered_id_gets_its_answer_even_below_the_mark_and_past_the_deadline() {
        let request = request(NOW_MS - 600_000, 1_000);
        let first = remembered(request.id, request.hash);
        let mark = RequestId::mint(NOW_MS, [0; 10]);
        assert!(matches!(admit(&request, [&first].into_iter(), mark, NOW_MS), Admission::Repeat(r) if *r == first));
    }

    #[test]
    fn the_same_id_with_another_body_is_refused() {
        let request = request(NOW_MS, 1_000);
        let first = remembered(request.id, request.hash + 1);
        let admission = admit(&request, [&first].into_iter(), RequestId::default(), NOW_MS);
        assert_eq!(code(&admission), Some(answer::ID_CONFLICT));
    }

    #[test]
    fn an_id_at_the_mark_is_stale_and_one_above_is_decided() {
        let at = request(NOW_MS, 1_000);
        assert_eq!(code(&admit(&at, [].into_iter(), at.id, NOW_MS)), Some(answer::STALE));
        let mut below = at.id;
        below.0[15] -= 1;
        assert!(matches!(admit(&at, [].into_iter(), below, NOW_MS), Admission::Decide));
    }

    #[test]
    fn a_deadline_holds_to_its_last_millisecond() {
        let late = request(NOW_MS - 1_000, 1_000);
        assert!(matches!(admit(&late, [].into_iter(), RequestId::default(), NOW_MS), Admission::Decide));
        let refused = admit(&late, [].into_iter(), RequestId::default(), NOW_MS + 1);
        assert_eq!(code(&refused), Some(answer::EXPIRED));
    }

    #[test]
    fn an_id_may_be_five_seconds_ahead_and_no_more() {
        let ahead = request(NOW_MS + AHEAD_MS_MOST, 1_000);
        assert!(matches!(admit(&ahead, [].into_iter(), RequestId::default(), NOW_MS), Admission::Decide));
        let refused = admit(&ahead, [].into_iter(), RequestId::default(), NOW_MS - 1);
        assert_eq!(code(&refused), Some(answer::ID_AHEAD));
    }

    #[test]
    fn an_id_that_is_no_uuid_v7_is_refused() {
        let mut malformed = request(NOW_MS, 1_000);
        malformed.id.0[6] = 0x40;
        let refused = admit(&malformed, [].into_iter(), RequestId::default(), NOW_MS);
        assert_eq!(code(&refused), Some(answer::ID_MALFORMED));
    }
}
