//! What a gateway is told when it did not go: which condition failed, and what is needed to act on it.

use serde::Serialize;

use crate::{Decode, Encode, LedgerId, Prose, RequestId, Text};

/// A refusal that needs no more words than its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Plain {}

/// Code `already-checked-in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct AlreadyCheckedIn {
    /// The local day, days since 1970-01-01.
    pub day: i32,
    /// The days in a row.
    pub streak: u32,
    /// When the next local day begins.
    pub next_ms: i64,
}

/// Codes `not-yet-open` and `closed`. A gateway may answer so itself until `hold_ms` has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct NotOpen {
    /// When the next window opens; 0 if never again.
    pub opens_ms: i64,
    /// The campaign's epoch.
    pub epoch: u64,
    /// How long this answer holds, milliseconds.
    pub hold_ms: u32,
}

/// Code `tier-not-admitted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct TierNotAdmitted {
    /// The member's tier.
    pub tier: u8,
    /// The next tier up that is admitted; 0 if none.
    pub admitted: u8,
    /// What the ladder's count lacks for it: points, or minor units, orders, growth.
    pub missing: i64,
}

/// Code `not-enough-points`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct NotEnoughPoints {
    /// The offer's price for this member.
    pub price: i64,
    /// What the member has.
    pub balance: i64,
    /// What is missing.
    pub shortfall: i64,
}

/// Code `limit-reached`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct LimitReached {
    /// How often the window allows.
    pub times: u32,
    /// How often it was used.
    pub used: u32,
    /// When the next window opens; 0 if never again.
    pub again_ms: i64,
}

/// Code `sold-out`. A gateway may answer so itself until `hold_ms` has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct SoldOut {
    /// The offer whose quota is used up; 0 if it is one over all offers.
    pub offer: u32,
    /// The tier whose quota is used up; 0 if the tiers share it.
    pub tier: u8,
    /// When the next window opens; 0 if never again.
    pub again_ms: i64,
    /// The campaign's epoch.
    pub epoch: u64,
    /// How long this answer holds, milliseconds.
    pub hold_ms: u32,
}

/// Code `field-missing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct FieldMissing {
    /// The field's name.
    pub field: Text,
}

/// Code `not-reached`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct NotReached {
    /// The field's name.
    pub field: Text,
    /// What it is said to be.
    pub told: i64,
    /// The least that counts.
    pub least: i64,
}

/// Code `birthday-locked`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct BirthdayLocked {
    /// When another can be said; 0 if never.
    pub until_ms: i64,
}

/// Code `day-out-of-reach`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct DayOutOfReach {
    /// The earliest local day within reach, days since 1970-01-01.
    pub from: i32,
    /// The latest; before `from` if there is none.
    pub until: i32,
}

/// Codes `too-old`: it happened before the remembered horizon, so that it cannot be told from a repeat; and `too-late`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct TooOld {
    /// Only what happened after this instant can still be recorded.
    pub after_ms: i64,
}

/// Codes `paid-in-the-future` and `in-the-future`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct PaidInTheFuture {
    /// What happened up to this instant can be recorded.
    pub until_ms: i64,
}

/// Code `key-conflict`: this order or activity was recorded with other contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct KeyConflict {
    /// The entry of the first time.
    pub ledger: LedgerId,
}

/// Code `tender-refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct TenderRefused {
    /// The least points that can be paid.
    pub least: i64,
    /// In what steps.
    pub step: i64,
    /// The most points that can pay part of these lines; 0: none can.
    pub most: i64,
}

/// Code `stale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Stale {
    /// The member's mark: the largest id forgotten.
    pub mark: RequestId,
}

/// Codes `expired` and `id-ahead`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Clock {
    /// The server's time, milliseconds since 1970.
    pub server_ms: i64,
}

/// Codes `busy`, `draining`, `storage-full`, `members-full`, `orders-full`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Later {
    /// When to come back, milliseconds from now.
    pub retry_ms: u32,
}

/// Codes of malformed or forbidden requests, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Because {
    /// What is wrong and what would be right.
    pub sentence: Prose<4096>,
}
