//! Members' records of the first version, kinds 1 to 4: read and lifted to today's parts, never written.
//!
//! They have points without a source that never expire.

use tidegate_protocol::{MemberKey, RequestId};

use super::super::counters::Counter;
use super::super::effect::{Effect, Effects};
use super::super::lots::LotName;
use super::super::member::LedgerAt;
use super::super::part::{Change, MemberPart};
use super::{BadRecord, Fields};

pub const ENROLLED: u8 = 1;
const CHECKED_IN: u8 = 2;
const ORDERED: u8 = 3;
pub const REDEEMED: u8 = 4;

/// Flag: the record names a member that forgets.
const FORGETS: u8 = 1;
/// Flag: the redemption used a limit over all offers.
const LIMIT_OVER_ALL: u8 = 2;
/// Flag: the redemption used a limit of its offer.
const LIMIT_OF_OFFER: u8 = 4;

/// What a record says of its own kind: the change, its effects and the tier after.
type Said = (Change, Effects, u8);

pub fn read(fields: &mut Fields<'_>, base_ms: i64) -> Result<MemberPart, BadRecord> {
    let flags = fields.u8()?;
    let known = if fields.kind == REDEEMED { FORGETS | LIMIT_OVER_ALL | LIMIT_OF_OFFER } else { FORGETS };
    if flags & !known != 0 || flags & LIMIT_OVER_ALL != 0 && flags & LIMIT_OF_OFFER != 0 {
        return Err(BadRecord::Value(fields.kind));
    }
    let slot = fields.u32()?;
    let now_ms = base_ms.saturating_add(i64::from(fields.u32()?));
    let version = fields.u32()?;
    let id = RequestId(fields.take()?);
    let hash = fields.u64()?;
    let previous = LedgerAt { epoch: fields.u64()?, offset: fields.u32()? };
    let after = fields.i64()?;
    let forgets = if flags & FORGETS != 0 { Some(fields.u32()?) } else { None };
    let (change, effects, tier) = match fields.kind {
        ENROLLED => {
            let change = Change::Enrolled { programme: fields.u32()?, key: MemberKey(fields.take()?) };
            (change, Effects::new(), fields.u8()?)
        }
        CHECKED_IN => {
            let change = Change::CheckedIn { day: fields.i32()?, streak: fields.u16()? };
            (change, granted(fields)?, fields.u8()?)
        }
        ORDERED => {
            let change = Change::Ordered {
                channel: fields.u16()?,
                fingerprint: fields.take()?,
                paid_at_ms: fields.i64()?,
                amount_minor: fields.i64()?,
            };
            (change, granted(fields)?, fields.u8()?)
        }
        _ => redeemed(fields, flags)?,
    };
    let part = MemberPart { slot, forgets, now_ms, version, id, hash, previous, after, tier, change, effects };
    // Answers and outcomes tell what stood before.
    part.before().ok_or(BadRecord::Value(fields.kind))?;
    Ok(part)
}

fn granted(fields: &mut Fields<'_>) -> Result<Effects, BadRecord> {
    let points = fields.i64()?;
    if points < 0 {
        return Err(BadRecord::Value(fields.kind));
    }
    Ok(Effects::from_slice(&[Effect::Granted { points, name: LotName::PLAIN }]))
}

fn redeemed(fields: &mut Fields<'_>, flags: u8) -> Result<Said, BadRecord> {
    let (campaign, offer) = (fields.u16()?, fields.u16()?);
    let points = fields.i64()?;
    let limited = flags & (LIMIT_OVER_ALL | LIMIT_OF_OFFER) != 0;
    // Offers are numbered from 1; a limit of offer 0 would be read as one over all. Campaign 0 is no counter's.
    if points < 0 || offer == 0 && flags & LIMIT_OF_OFFER != 0 || campaign == 0 && limited {
        return Err(BadRecord::Value(fields.kind));
    }
    let change = Change::Redeemed { campaign, offer, grant: fields.u64()? };
    let mut effects = Effects::from_slice(&[Effect::Spent { points }]);
    if limited {
        let offer = if flags & LIMIT_OF_OFFER != 0 { offer } else { 0 };
        effects.push(Effect::Used(Counter { campaign, offer, period: fields.i32()?, used: fields.u32()? }));
    }
    Ok((change, effects, 0))
}
