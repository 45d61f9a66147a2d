//! Refusals: which condition failed, and what is needed to act on it. A refusal changes nothing and is not remembered.

use tidegate_protocol::batch::push_answer;
use tidegate_protocol::code::answer;
use tidegate_protocol::refusal as wire;

/// Why a request was not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A refusal that its code says in full.
    Plain(u16),
    /// See [`wire::AlreadyCheckedIn`].
    AlreadyCheckedIn(wire::AlreadyCheckedIn),
    /// The campaign's first window is still to come.
    NotYetOpen(wire::NotOpen),
    /// The campaign's window is closed.
    Closed(wire::NotOpen),
    /// See [`wire::TierNotAdmitted`].
    TierNotAdmitted(wire::TierNotAdmitted),
    /// See [`wire::NotEnoughPoints`].
    NotEnoughPoints(wire::NotEnoughPoints),
    /// See [`wire::LimitReached`].
    LimitReached(wire::LimitReached),
    /// See [`wire::SoldOut`].
    SoldOut(wire::SoldOut),
    /// See [`wire::TooOld`].
    TooOld(wire::TooOld),
    /// See [`wire::PaidInTheFuture`].
    PaidInTheFuture(wire::PaidInTheFuture),
    /// An activity that happened longer ago than allowed.
    TooLate(wire::TooOld),
    /// An activity that happened later than now.
    InTheFuture(wire::PaidInTheFuture),
    /// See [`wire::FieldMissing`].
    FieldMissing(wire::FieldMissing),
    /// See [`wire::NotReached`].
    NotReached(wire::NotReached),
    /// See [`wire::BirthdayLocked`].
    BirthdayLocked(wire::BirthdayLocked),
    /// See [`wire::DayOutOfReach`].
    DayOutOfReach(wire::DayOutOfReach),
    /// See [`wire::TenderRefused`].
    TenderRefused(wire::TenderRefused),
    /// See [`wire::KeyConflict`].
    KeyConflict(wire::KeyConflict),
    /// See [`wire::Stale`].
    Stale(wire::Stale),
    /// The deadline has passed.
    Expired(wire::Clock),
    /// The id's time is too far ahead.
    IdAhead(wire::Clock),
    /// Come back later: the code says why.
    Later(u16, wire::Later),
}

impl Refusal {
    /// The answer's code.
    pub fn code(&self) -> u16 {
        match self {
            Refusal::Plain(code) | Refusal::Later(code, _) => *code,
            Refusal::AlreadyCheckedIn(_) => answer::ALREADY_CHECKED_IN,
            Refusal::NotYetOpen(_) => answer::NOT_YET_OPEN,
            Refusal::Closed(_) => answer::CLOSED,
            Refusal::TierNotAdmitted(_) => answer::TIER_NOT_ADMITTED,
            Refusal::NotEnoughPoints(_) => answer::NOT_ENOUGH_POINTS,
            Refusal::LimitReached(_) => answer::LIMIT_REACHED,
            Refusal::SoldOut(_) => answer::SOLD_OUT,
            Refusal::TooOld(_) => answer::TOO_OLD,
            Refusal::PaidInTheFuture(_) => answer::PAID_IN_THE_FUTURE,
            Refusal::TooLate(_) => answer::TOO_LATE,
            Refusal::InTheFuture(_) => answer::IN_THE_FUTURE,
            Refusal::FieldMissing(_) => answer::FIELD_MISSING,
            Refusal::NotReached(_) => answer::NOT_REACHED,
            Refusal::BirthdayLocked(_) => answer::BIRTHDAY_LOCKED,
            Refusal::DayOutOfReach(_) => answer::DAY_OUT_OF_REACH,
            Refusal::TenderRefused(_) => answer::TENDER_REFUSED,
            Refusal::KeyConflict(_) => answer::KEY_CONFLICT,
            Refusal::Stale(_) => answer::STALE,
            Refusal::Expired(_) => answer::EXPIRED,
            Refusal::IdAhead(_) => answer::ID_AHEAD,
        }
    }

    /// Appends the answer.
    pub fn answer(&self, index: u16, out: &mut Vec<u8>) {
        let code = self.code();
        match self {
            Refusal::Plain(_) => push_answer(out, index, code, &wire::Plain {}),
            Refusal::AlreadyCheckedIn(body) => push_answer(out, index, code, body),
            Refusal::NotYetOpen(body) | Refusal::Closed(body) => push_answer(out, index, code, body),
            Refusal::TierNotAdmitted(body) => push_answer(out, index, code, body),
            Refusal::NotEnoughPoints(body) => push_answer(out, index, code, body),
            Refusal::LimitReached(body) => push_answer(out, index, code, body),
            Refusal::SoldOut(body) => push_answer(out, index, code, body),
            Refusal::TooOld(body) | Refusal::TooLate(body) => push_answer(out, index, code, body),
            Refusal::PaidInTheFuture(body) | Refusal::InTheFuture(body) => push_answer(out, index, code, body),
            Refusal::FieldMissing(body) => push_answer(out, index, code, body),
            Refusal::NotReached(body) => push_answer(out, index, code, body),
            Refusal::BirthdayLocked(body) => push_answer(out, index, code, body),
            Refusal::DayOutOfReach(body) => push_answer(out, index, code, body),
            Refusal::TenderRefused(body) => push_answer(out, index, code, body),
            Refusal::KeyConflict(body) => push_answer(out, index, code, body),
            Refusal::Stale(body) => push_answer(out, index, code, body),
            Refusal::Expired(body) | Refusal::IdAhead(body) => push_answer(out, index, code, body),
            Refusal::Later(_, body) => push_answer(out, index, code, body),
        }
    }
}
