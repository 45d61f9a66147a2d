//! Enrolment: a key becomes a member.

use super::Context;
use super::admit::Request;
use super::member::LedgerAt;
use super::part::{Change, MemberPart};

/// Decides the enrolment of a key that is no member yet, into the free slot `slot`.
pub fn enrol(context: &Context<'_>, slot: u32, request: &Request) -> MemberPart {
    let tier = context.programme.tiers[context.programme.tier_of(0)].number;
    MemberPart {
        slot,
        forgets: None,
        now_ms: context.now_ms,
        version: context.version,
        id: request.id,
        hash: request.hash,
        previous: LedgerAt::default(),
        after: 0,
        change: Change::Enrolled { programme: context.number, key: request.member, tier },
    }
}
