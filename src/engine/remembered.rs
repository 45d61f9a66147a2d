//! An answer that changed state, remembered with its member so that a retry gets it again (I3).

use tidegate_protocol::{LedgerId, RequestId};

use super::admit::AHEAD_MS_MOST;
use super::effect::Effect;
use super::part::{Change, Found, MemberPart};

/// An answer that changed state, kept so that a retry gets it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Remembered {
    /// The request's id.
    pub id: RequestId,
    /// Keyed hash of code, programme and body.
    pub hash: u64,
    /// The entry's sequence in its place.
    pub sequence: u64,
    /// Points after.
    pub after: i64,
    /// Points added (or, negative, taken).
    pub change: i64,
    /// What else the answer says, by code: the tier; day and streak; the grant's number; what is left; the year.
    pub detail: u64,
    /// The programme's version that decided.
    pub version: u32,
    /// The answer's code.
    pub code: u16,
    /// The lineage of the entry's ledger id.
    pub lineage: u16,
}

impl Remembered {
    /// The answer that a part stands for; `None` where nobody asked by an id that a window holds.
    #[inline(always)]
    pub fn from_part(part: &MemberPart, sequence: u64, lineage: u16) -> Option<Remembered> {
        use tidegate_protocol::code::answer;
        if !part.is_remembered() {
            return None;
        }
        let (code, detail) = match part.change {
            Change::Enrolled { .. } => (answer::ENROLLED, u64::from(part.tier)),
            Change::CheckedIn { day, streak } | Change::FilledIn { day, streak } => {
                (answer::CHECKED_IN, u64::from(day as u32) << 32 | u64::from(streak))
            }
            Change::Ordered { .. }
            | Change::Settled
            | Change::Introduced { .. }
            | Change::ClaimGranted { .. }
            | Change::Lapsed { .. } => {
                return None;
            }
            Change::Held { due_s, money_minor } => (answer::HELD, held(part.id, due_s, money_minor)),
            Change::Confirmed { .. } => (
                answer::CONFIRMED,
                of_held(part, |effect| match effect {
                    Effect::HeldSpent { points, .. } => Some(*points),
                    _ => None,
                }),
            ),
            Change::Cancelled { .. } => (
                answer::CANCELLED,
                of_held(part, |effect| match effect {
                    Effect::HeldExpired { points, .. } => Some(*points),
                    _ => None,
                }),
            ),
            Change::Acted { .. } => (answer::ACTIVITY_RECORDED, u64::from(part.tier)),
            Change::SaidBirthday { from_year } => (answer::BIRTHDAY_SET, from_year as u16 as u64),
            Change::ChangedZone { .. } => (answer::ZONE_SET, 0),
            Change::Tagged { .. } => (answer::TAG_SET, 0),
            Change::Answered { right, left, place, .. } => {
                (answer::ANSWERED, u64::from(place) << 32 | u64::from(left) << 1 | u64::from(right))
            }
            Change::Claimed { found: Found::Own { .. }, .. } => (answer::ORDER_CLAIMED, u64::from(part.tier)),
            Change::Claimed { found: Found::Waits { until_s }, .. } => (answer::CLAIM_WAITS, u64::from(until_s)),
            Change::Claimed { found: Found::Wrong { left }, .. } => (answer::CLAIM_WRONG, u64::from(left)),
            Change::Received { opens_s, .. } => (answer::RECEIPT_CONFIRMED, u64::from(opens_s)),
            Change::Invited { until_s, .. } => (answer::INVITATION_ACCEPTED, u64::from(until_s)),
            Change::UsedRight { left, .. } => (answer::RIGHT_USED, u64::from(left)),
            Change::Redeemed { grant, .. } => (answer::GRANTED, grant),
        };
        let &MemberPart { id, hash, after, version, .. } = part;
        let change = part.delta();
        Some(Remembered { id, hash, sequence, after, change, detail, version, code, lineage })
    }

    /// Whether it can be given again: an answer that is remembered, whose points before are a number.
    pub fn can_be_given(&self) -> bool {
        use tidegate_protocol::code::answer;
        let code = matches!(
            self.code,
            answer::ENROLLED
                | answer::CHECKED_IN
                | answer::GRANTED
                | answer::ACTIVITY_RECORDED
                | answer::RIGHT_USED
                | answer::BIRTHDAY_SET
                | answer::ZONE_SET
                | answer::TAG_SET
                | answer::ANSWERED
                | answer::INVITATION_ACCEPTED
                | answer::ORDER_CLAIMED
                | answer::CLAIM_WAITS
                | answer::CLAIM_WRONG
                | answer::RECEIPT_CONFIRMED
                | answer::HELD
                | answer::CONFIRMED
                | answer::CANCELLED
        );
        code && self.after.checked_sub(self.change).is_some()
    }

    /// Appends the answer as it was given the first time.
    pub fn answer(&self, place: u32, index: u16, out: &mut Vec<u8>) {
        use tidegate_protocol::answer::{
            ActivityRecorded, Answered, BirthdaySet, Cancelled, CheckedIn, ClaimWaits, ClaimWrong, Confirmed, Enrolled,
            Granted, Held, InvitationAccepted, OrderClaimed, ReceiptConfirmed, RightUsed, TagSet, ZoneSet,
        };
        use tidegate_protocol::{batch::push_answer, code::answer};
        let ledger = LedgerId { lineage: u32::from(self.lineage), place, sequence: self.sequence };
        let (version, after, before) = (self.version, self.after, self.after - self.change);
        match self.code {
            answer::ENROLLED => {
                push_answer(out, index, self.code, &Enrolled { ledger, version, tier: self.detail as u8 })
            }
            answer::CHECKED_IN => {
                let (day, streak) = ((self.detail >> 32) as u32 as i32, self.detail as u32);
                push_answer(out, index, self.code, &CheckedIn { ledger, version, day, streak, before, after });
            }
            answer::ACTIVITY_RECORDED => {
                let tier = self.detail as u8;
                push_answer(out, index, self.code, &ActivityRecorded { ledger, version, tier, before, after });
            }
            answer::BIRTHDAY_SET => {
                let from_year = i32::from(self.detail as u16 as i16);
                push_answer(out, index, self.code, &BirthdaySet { ledger, version, from_year });
            }
            answer::ANSWERED => {
                let (right, left) = ((self.detail & 1) as u8, (self.detail >> 1) as u16);
                let (left, place) = (u32::from(left), (self.detail >> 32) as u32);
                push_answer(out, index, self.code, &Answered { ledger, version, right, place, left, before, after });
            }
            answer::INVITATION_ACCEPTED => {
                let until_ms = i64::from(self.detail as u32) * 1000;
                push_answer(out, index, self.code, &InvitationAccepted { ledger, version, until_ms, before, after });
            }
            answer::ORDER_CLAIMED => {
                let tier = self.detail as u8;
                push_answer(out, index, self.code, &OrderClaimed { ledger, version, tier, before, after });
            }
            answer::CLAIM_WAITS => {
                let until_ms = i64::from(self.detail as u32) * 1000;
                push_answer(out, index, self.code, &ClaimWaits { ledger, version, until_ms });
            }
            answer::CLAIM_WRONG => {
                push_answer(out, index, self.code, &ClaimWrong { ledger, version, left: self.detail as u32 });
            }
            answer::RECEIPT_CONFIRMED => {
                let opens_ms = i64::from(self.detail as u32) * 1000;
                push_answer(out, index, self.code, &ReceiptConfirmed { ledger, version, opens_ms, before, after });
            }
            answer::HELD => {
                let (until_ms, money_minor) = held_until_ms(self.id, self.detail);
                push_answer(out, index, self.code, &Held { ledger, version, until_ms, money_minor, before, after });
            }
            answer::CONFIRMED => {
                let spent = self.detail as i64;
                push_answer(out, index, self.code, &Confirmed { ledger, version, spent, before, after });
            }
            answer::CANCELLED => {
                let gone = self.detail as i64;
                push_answer(out, index, self.code, &Cancelled { ledger, version, gone, before, after });
            }
            answer::ZONE_SET => push_answer(out, index, self.code, &ZoneSet { ledger, version }),
            answer::TAG_SET => push_answer(out, index, self.code, &TagSet { ledger, version }),
            answer::RIGHT_USED => {
                push_answer(out, index, self.code, &RightUsed { ledger, version, left: self.detail as u32 });
            }
            _ => {
                assert_eq!(self.code, answer::GRANTED, "only these answers are remembered");
                push_answer(out, index, self.code, &Granted { ledger, version, grant: self.detail, before, after });
            }
        }
    }
}

/// An id may be so many seconds ahead of the clock, and more than what is held is held for: seconds are counted from before it.
const AHEAD_S: i64 = AHEAD_MS_MOST / 1000 + 1;

/// The second until which something is held, from shortly before the id on, above what it costs in money: 24 and 40 bits.
fn held(id: RequestId, due_s: u32, money_minor: i64) -> u64 {
    let from_s = id.time_ms().div_euclid(1000) - AHEAD_S;
    let seconds = (i64::from(due_s) - from_s).clamp(0, (1 << 24) - 1) as u64;
    seconds << 40 | money_minor as u64 & ((1 << 40) - 1)
}

fn held_until_ms(id: RequestId, detail: u64) -> (i64, i64) {
    let until_s = id.time_ms().div_euclid(1000) - AHEAD_S + (detail >> 40) as i64;
    (until_s * 1000, (detail & ((1 << 40) - 1)) as i64)
}

/// What the effects of an outcome say of what was held.
fn of_held(part: &MemberPart, told: impl Fn(&Effect) -> Option<i64>) -> u64 {
    part.effects.iter().find_map(told).unwrap_or(0) as u64
}

const _: () = assert!(size_of::<Remembered>() == 64);
