//! Members' records, kind 5: who and when, what happened, and the effects one by one.
//!
//! What is small as a rule is written short: seven bits a byte, the lowest first, the top bit set in all but the last (LEB128);
//! one more byte of zeros would be another writing of the same number, and is refused. A number that may be below zero goes
//! ahead as 0, -1, 1, -2, 2 … `docs/disk-format.md` has the tables. A change or an effect of a number that is not known is refused.

use tidegate_protocol::{MemberKey, RequestId};

use super::super::counters::Counter;
use super::super::days::Run;
use super::super::effect::{CELLS_HELD, EFFECTS_MOST, Effect, Effects, NO_CELL};
use super::super::hold::MONEY_BELOW;
use super::super::lots::LotName;
use super::super::member::LedgerAt;
use super::super::part::{Change, Found, MemberPart};
use super::super::pending::Pending;
use super::super::plans::Plan;
use super::super::rights::Right;
use super::{BadRecord, Fields, MEMBER, after_base, record};
use crate::programme::Birthday;

/// Flag: the record names a member that forgets.
const FORGETS: u8 = 1;
/// Flag: nobody asked, so that there is neither id nor hash.
const UNASKED: u8 = 2;

const ENROLLED: u8 = 1;
const CHECKED_IN: u8 = 2;
const ORDERED: u8 = 3;
const REDEEMED: u8 = 4;
const SETTLED: u8 = 5;
const ACTED: u8 = 6;
const ACTED_ONCE: u8 = 7;
const USED_RIGHT: u8 = 8;
const SAID_BIRTHDAY: u8 = 9;
const FILLED_IN: u8 = 10;
const CHANGED_ZONE: u8 = 11;
const TAGGED: u8 = 12;
const ANSWERED: u8 = 13;
const INVITED: u8 = 14;
const INTRODUCED: u8 = 15;
const CLAIMED: u8 = 16;
const CLAIM_GRANTED: u8 = 17;
const RECEIVED: u8 = 18;
const HELD: u8 = 19;
const CONFIRMED: u8 = 20;
const CANCELLED: u8 = 21;
const LAPSED: u8 = 22;

const FOUND_NOTHING: u8 = 0;
const FOUND_OWN: u8 = 1;
const FOUND_WRONG: u8 = 2;

const EFFECT_GRANTED: u8 = 1;
const EFFECT_PENDED: u8 = 2;
const EFFECT_OPENED: u8 = 3;
const EFFECT_EXPIRED: u8 = 4;
const EFFECT_SPENT: u8 = 5;
const EFFECT_SLID: u8 = 6;
const EFFECT_USED: u8 = 7;
const EFFECT_RIGHT_GIVEN: u8 = 8;
const EFFECT_RIGHT_USED: u8 = 9;
const EFFECT_RIGHTS_EXPIRED: u8 = 10;
const EFFECT_PLANNED: u8 = 11;
const EFFECT_PROGRESSED: u8 = 12;
const EFFECT_PROGRESS_FORGOTTEN: u8 = 13;
const EFFECT_BIRTHDAY: u8 = 14;
const EFFECT_RAN: u8 = 15;
const EFFECT_DAYS_KNOWN: u8 = 16;
const EFFECT_ZONE_SET: u8 = 17;
const EFFECT_TAGGED: u8 = 18;
const EFFECT_INVITED: u8 = 19;
const EFFECT_INVITED_UNTIL: u8 = 20;
const EFFECT_BONUS_OWED: u8 = 21;
const EFFECT_UNPENDED: u8 = 22;
const EFFECT_HOLD_BEGUN: u8 = 23;
const EFFECT_OFFER_HELD: u8 = 24;
const EFFECT_WINDOW_HELD: u8 = 25;
const EFFECT_CELLS_HELD: u8 = 26;
const EFFECT_LIMIT_HELD: u8 = 27;
const EFFECT_RIGHT_HELD: u8 = 28;
const EFFECT_TENDER_HELD: u8 = 29;
const EFFECT_POINTS_HELD: u8 = 30;
const EFFECT_HELD_SPENT: u8 = 31;
const EFFECT_HELD_RIGHT_USED: u8 = 32;
const EFFECT_HOLD_ENDED: u8 = 33;
const EFFECT_HELD_EXPIRED: u8 = 34;

/// Appends a member's part.
pub fn write(out: &mut Vec<u8>, part: &MemberPart, base_ms: i64) {
    assert!(part.effects.len() <= EFFECTS_MOST, "{} effects of one outcome", part.effects.len());
    let unasked = part.change.is_unasked();
    record(out, MEMBER, |out| {
        // What is of fixed width goes out in one piece: this is written a million times a second.
        let mut head = [0; 49];
        head[0] = if unasked { UNASKED } else { 0 } | if part.forgets.is_some() { FORGETS } else { 0 };
        head[1..5].copy_from_slice(&part.slot.to_le_bytes());
        head[5..9].copy_from_slice(&after_base(part.now_ms, base_ms));
        head[9..13].copy_from_slice(&part.version.to_le_bytes());
        head[13..29].copy_from_slice(&part.id.0);
        head[29..37].copy_from_slice(&part.hash.to_le_bytes());
        head[37..45].copy_from_slice(&part.previous.epoch.to_le_bytes());
        head[45..].copy_from_slice(&part.previous.offset.to_le_bytes());
        if unasked {
            out.extend_from_slice(&head[..13]);
            out.extend_from_slice(&head[37..]);
        } else {
            out.extend_from_slice(&head);
        }
        signed(out, part.after);
        out.push(part.tier);
        if let Some(slot) = part.forgets {
            out.extend_from_slice(&slot.to_le_bytes());
        }
        write_change(out, &part.change);
        out.push(part.effects.len() as u8);
        part.effects.iter().for_each(|effect| write_effect(out, effect));
    });
}

fn write_change(out: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Enrolled { programme, key } => {
            out.push(ENROLLED);
            out.extend_from_slice(&programme.to_le_bytes());
            out.extend_from_slice(&key.0);
        }
        Change::CheckedIn { day, streak } => {
            let mut fixed = [CHECKED_IN; 7];
            fixed[1..5].copy_from_slice(&day.to_le_bytes());
            fixed[5..].copy_from_slice(&streak.to_le_bytes());
            out.extend_from_slice(&fixed);
        }
        Change::FilledIn { day, streak } => {
            out.push(FILLED_IN);
            out.extend_from_slice(&day.to_le_bytes());
            out.extend_from_slice(&streak.to_le_bytes());
        }
        Change::ChangedZone { zone } => {
            out.push(CHANGED_ZONE);
            out.extend_from_slice(&zone.to_le_bytes());
        }
        Change::Tagged { number, on } => {
            out.push(TAGGED);
            out.extend_from_slice(&number.to_le_bytes());
            out.push(u8::from(*on));
        }
        Change::Answered { quiz, question, option, right, left, place } => {
            out.push(ANSWERED);
            out.extend_from_slice(&quiz.to_le_bytes());
            out.extend_from_slice(&question.to_le_bytes());
            out.extend_from_slice(&[*option, u8::from(*right)]);
            out.extend_from_slice(&left.to_le_bytes());
            short(out, u64::from(*place));
        }
        Change::Invited { inviter, until_s } => {
            out.push(INVITED);
            out.extend_from_slice(&inviter.0);
            out.extend_from_slice(&until_s.to_le_bytes());
        }
        Change::Introduced { invitee } => {
            out.push(INTRODUCED);
            out.extend_from_slice(&invitee.0);
        }
        Change::Claimed { channel, fingerprint, found } => {
            out.push(CLAIMED);
            out.extend_from_slice(&channel.to_le_bytes());
            out.extend_from_slice(fingerprint);
            write_found(out, found);
        }
        Change::ClaimGranted { channel, fingerprint, paid_at_ms, amount_minor } => {
            out.push(CLAIM_GRANTED);
            out.extend_from_slice(&channel.to_le_bytes());
            out.extend_from_slice(fingerprint);
            out.extend_from_slice(&paid_at_ms.to_le_bytes());
            out.extend_from_slice(&amount_minor.to_le_bytes());
        }
        Change::Received { channel, fingerprint, happened_ms, opens_s } => {
            out.push(RECEIVED);
            out.extend_from_slice(&channel.to_le_bytes());
            out.extend_from_slice(fingerprint);
            out.extend_from_slice(&happened_ms.to_le_bytes());
            out.extend_from_slice(&opens_s.to_le_bytes());
        }
        Change::Ordered { channel, fingerprint, paid_at_ms, amount_minor } => {
            let mut fixed = [ORDERED; 35];
            fixed[1..3].copy_from_slice(&channel.to_le_bytes());
            fixed[3..19].copy_from_slice(fingerprint);
            fixed[19..27].copy_from_slice(&paid_at_ms.to_le_bytes());
            fixed[27..].copy_from_slice(&amount_minor.to_le_bytes());
            out.extend_from_slice(&fixed);
        }
        Change::Redeemed { campaign, offer, grant } => {
            let ([one, two], [three, four]) = (campaign.to_le_bytes(), offer.to_le_bytes());
            out.extend_from_slice(&[REDEEMED, one, two, three, four]);
            short(out, *grant);
        }
        Change::Settled => out.push(SETTLED),
        Change::Held { due_s, money_minor } => {
            out.push(HELD);
            out.extend_from_slice(&due_s.to_le_bytes());
            short(out, *money_minor as u64);
        }
        Change::Confirmed { hold } => named_hold(out, CONFIRMED, *hold),
        Change::Cancelled { hold } => named_hold(out, CANCELLED, *hold),
        Change::Lapsed { hold } => named_hold(out, LAPSED, *hold),
        Change::Acted { activity, happened_ms, fingerprint } => {
            out.push(if fingerprint.is_some() { ACTED_ONCE } else { ACTED });
            out.extend_from_slice(&activity.to_le_bytes());
            out.extend_from_slice(&happened_ms.to_le_bytes());
            out.extend_from_slice(fingerprint.as_ref().map_or(&[][..], |bytes| &bytes[..]));
        }
        Change::SaidBirthday { from_year } => {
            out.push(SAID_BIRTHDAY);
            out.extend_from_slice(&from_year.to_le_bytes());
        }
        Change::UsedRight { number, left } => {
            out.push(USED_RIGHT);
            out.extend_from_slice(&number.to_le_bytes());
            short(out, u64::from(*left));
        }
    }
}

fn named_hold(out: &mut Vec<u8>, kind: u8, hold: RequestId) {
    out.push(kind);
    out.extend_from_slice(&hold.0);
}

fn write_found(out: &mut Vec<u8>, found: &Found) {
    match found {
        Found::Waits { until_s } => {
            out.push(FOUND_NOTHING);
            out.extend_from_slice(&until_s.to_le_bytes());
        }
        Found::Own { paid_at_ms, amount_minor } => {
            out.push(FOUND_OWN);
            out.extend_from_slice(&paid_at_ms.to_le_bytes());
            out.extend_from_slice(&amount_minor.to_le_bytes());
        }
        Found::Wrong { left } => {
            out.push(FOUND_WRONG);
            out.extend_from_slice(&left.to_le_bytes());
        }
    }
}

fn read_found(fields: &mut Fields<'_>) -> Result<Found, BadRecord> {
    Ok(match fields.u8()? {
        FOUND_NOTHING => Found::Waits { until_s: fields.u32()? },
        FOUND_OWN => Found::Own { paid_at_ms: fields.i64()?, amount_minor: fields.i64()? },
        FOUND_WRONG => Found::Wrong { left: fields.u16()? },
        _ => return Err(BadRecord::Value(fields.kind)),
    })
}

fn write_effect(out: &mut Vec<u8>, effect: &Effect) {
    match effect {
        Effect::Granted { points, name } => {
            counted(out, EFFECT_GRANTED, *points);
            write_name(out, *name);
        }
        Effect::Pended(Pending { points, opens_s, name }) => {
            counted(out, EFFECT_PENDED, *points);
            out.extend_from_slice(&opens_s.to_le_bytes());
            write_name(out, *name);
        }
        Effect::Unpended { points, at } => {
            counted(out, EFFECT_UNPENDED, *points);
            out.extend_from_slice(&at.to_le_bytes());
        }
        Effect::Opened { points, through_s } => {
            counted(out, EFFECT_OPENED, *points);
            out.extend_from_slice(&through_s.to_le_bytes());
        }
        Effect::Expired { points, through_s } => {
            counted(out, EFFECT_EXPIRED, *points);
            out.extend_from_slice(&through_s.to_le_bytes());
        }
        Effect::Spent { points } => counted(out, EFFECT_SPENT, *points),
        Effect::Slid { to_s } => {
            out.push(EFFECT_SLID);
            out.extend_from_slice(&to_s.to_le_bytes());
        }
        Effect::Used(counter) => write_counter(out, EFFECT_USED, counter),
        Effect::RightGiven(Right { number, count, expires_s }) => {
            out.push(EFFECT_RIGHT_GIVEN);
            out.extend_from_slice(&number.to_le_bytes());
            short(out, u64::from(*count));
            out.extend_from_slice(&expires_s.to_le_bytes());
        }
        Effect::RightUsed { number } => {
            out.push(EFFECT_RIGHT_USED);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Effect::RightsExpired { count, through_s } => {
            out.push(EFFECT_RIGHTS_EXPIRED);
            short(out, *count);
            out.extend_from_slice(&through_s.to_le_bytes());
        }
        Effect::Planned(Plan { what, at_s }) => {
            out.push(EFFECT_PLANNED);
            out.extend_from_slice(&what.to_le_bytes());
            out.extend_from_slice(&at_s.to_le_bytes());
        }
        Effect::Progressed { measure, day, value } => {
            out.extend_from_slice(&[EFFECT_PROGRESSED, *measure]);
            out.extend_from_slice(&day.to_le_bytes());
            signed(out, *value);
        }
        Effect::Birthday(Birthday { month, day, from_year, said_on }) => {
            out.extend_from_slice(&[EFFECT_BIRTHDAY, *month, *day]);
            out.extend_from_slice(&from_year.to_le_bytes());
            out.extend_from_slice(&said_on.to_le_bytes());
        }
        Effect::Ran(Run { last, days }) => {
            out.push(EFFECT_RAN);
            out.extend_from_slice(&last.to_le_bytes());
            out.extend_from_slice(&days.to_le_bytes());
        }
        Effect::DaysKnown { after } => {
            out.push(EFFECT_DAYS_KNOWN);
            out.extend_from_slice(&after.to_le_bytes());
        }
        Effect::BonusOwed { points } => counted(out, EFFECT_BONUS_OWED, *points),
        Effect::ZoneSet { zone } => {
            out.push(EFFECT_ZONE_SET);
            out.extend_from_slice(&zone.to_le_bytes());
        }
        Effect::Tagged { number, on } => {
            out.push(EFFECT_TAGGED);
            out.extend_from_slice(&number.to_le_bytes());
            out.push(u8::from(*on));
        }
        Effect::Invited { inviter } => {
            out.push(EFFECT_INVITED);
            out.extend_from_slice(&inviter.0);
        }
        Effect::InvitedUntil { until_s } => {
            out.push(EFFECT_INVITED_UNTIL);
            out.extend_from_slice(&until_s.to_le_bytes());
        }
        Effect::ProgressForgotten { from } => {
            out.push(EFFECT_PROGRESS_FORGOTTEN);
            out.extend_from_slice(&from.to_le_bytes());
        }
        _ => write_held(out, effect),
    }
}

/// Effects on what is held.
fn write_held(out: &mut Vec<u8>, effect: &Effect) {
    match effect {
        Effect::HoldBegun { due_s, grace_s } => {
            out.push(EFFECT_HOLD_BEGUN);
            out.extend_from_slice(&due_s.to_le_bytes());
            short(out, u64::from(*grace_s));
        }
        Effect::OfferHeld { campaign, offer, count, points } => {
            out.push(EFFECT_OFFER_HELD);
            out.extend_from_slice(&campaign.to_le_bytes());
            out.extend_from_slice(&offer.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
            short(out, *points as u64);
        }
        Effect::WindowHeld { period, money_minor } => {
            out.push(EFFECT_WINDOW_HELD);
            out.extend_from_slice(&period.to_le_bytes());
            short(out, *money_minor as u64);
        }
        Effect::CellsHeld { slots } => {
            let slots = || slots.iter().filter(|slot| **slot != NO_CELL);
            out.extend_from_slice(&[EFFECT_CELLS_HELD, slots().count() as u8]);
            slots().for_each(|slot| out.extend_from_slice(&slot.to_le_bytes()));
        }
        Effect::LimitHeld(counter) => write_counter(out, EFFECT_LIMIT_HELD, counter),
        Effect::RightHeld { number } => {
            out.push(EFFECT_RIGHT_HELD);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Effect::TenderHeld { points } => counted(out, EFFECT_TENDER_HELD, *points),
        Effect::PointsHeld { points } => counted(out, EFFECT_POINTS_HELD, *points),
        Effect::HeldSpent { at, points } => {
            out.push(EFFECT_HELD_SPENT);
            out.extend_from_slice(&at.to_le_bytes());
            short(out, *points as u64);
        }
        Effect::HeldRightUsed { at, number } => {
            out.push(EFFECT_HELD_RIGHT_USED);
            out.extend_from_slice(&at.to_le_bytes());
            out.extend_from_slice(&number.to_le_bytes());
        }
        Effect::HoldEnded { at, through_s, back: points } | Effect::HeldExpired { at, through_s, points } => {
            let ended = matches!(effect, Effect::HoldEnded { .. });
            out.push(if ended { EFFECT_HOLD_ENDED } else { EFFECT_HELD_EXPIRED });
            out.extend_from_slice(&at.to_le_bytes());
            out.extend_from_slice(&through_s.to_le_bytes());
            short(out, *points as u64);
        }
        _ => unreachable!("the other effects are written where they are named"),
    }
}

#[inline(always)]
fn write_counter(out: &mut Vec<u8>, kind: u8, counter: &Counter) {
    let mut fixed = [kind; 9];
    fixed[1..3].copy_from_slice(&counter.campaign.to_le_bytes());
    fixed[3..5].copy_from_slice(&counter.offer.to_le_bytes());
    fixed[5..].copy_from_slice(&counter.period.to_le_bytes());
    out.extend_from_slice(&fixed);
    short(out, u64::from(counter.used));
}

fn counted(out: &mut Vec<u8>, kind: u8, points: i64) {
    out.push(kind);
    short(out, points as u64);
}

/// What may be below zero.
fn signed(out: &mut Vec<u8>, number: i64) {
    short(out, (number << 1 ^ number >> 63) as u64);
}

#[inline(always)]
fn short(out: &mut Vec<u8>, number: u64) {
    if number < 0x80 {
        return out.push(number as u8);
    }
    longer(out, number);
}

fn longer(out: &mut Vec<u8>, mut number: u64) {
    let (mut bytes, mut length) = ([0; 10], 0);
    while number >= 0x80 {
        bytes[length] = number as u8 | 0x80;
        number >>= 7;
        length += 1;
    }
    bytes[length] = number as u8;
    // All of them, of which the rest is taken back: so many are copied without a call.
    let before = out.len();
    out.extend_from_slice(&bytes);
    out.truncate(before + length + 1);
}

fn write_name(out: &mut Vec<u8>, name: LotName) {
    let mut fixed = [0; 6];
    fixed[..4].copy_from_slice(&name.expires_s.to_le_bytes());
    fixed[4..].copy_from_slice(&name.mark().to_le_bytes());
    out.extend_from_slice(&fixed);
}

pub(super) fn read(fields: &mut Fields<'_>, base_ms: i64) -> Result<MemberPart, BadRecord> {
    let flags = fields.u8()?;
    if flags & !(FORGETS | UNASKED) != 0 {
        return Err(BadRecord::Value(fields.kind));
    }
    let unasked = flags & UNASKED != 0;
    let slot = fields.u32()?;
    let now_ms = base_ms.saturating_add(i64::from(fields.u32()?));
    let version = fields.u32()?;
    let (id, hash) = if unasked { Default::default() } else { (RequestId(fields.take()?), fields.u64()?) };
    let previous = LedgerAt { epoch: fields.u64()?, offset: fields.u32()? };
    let (after, tier) = (read_signed(fields)?, fields.u8()?);
    let forgets = if flags & FORGETS != 0 { Some(fields.u32()?) } else { None };
    let change = read_change(fields)?;
    let count = usize::from(fields.u8()?);
    if count > EFFECTS_MOST || unasked != change.is_unasked() {
        return Err(BadRecord::Value(fields.kind));
    }
    let effects = (0..count).map(|_| read_effect(fields)).collect::<Result<Effects, _>>()?;
    let part = MemberPart { slot, forgets, now_ms, version, id, hash, previous, after, tier, change, effects };
    // Answers and outcomes tell what stood before.
    part.before().ok_or(BadRecord::Value(fields.kind))?;
    Ok(part)
}

fn read_change(fields: &mut Fields<'_>) -> Result<Change, BadRecord> {
    Ok(match fields.u8()? {
        ENROLLED => Change::Enrolled { programme: fields.u32()?, key: MemberKey(fields.take()?) },
        CHECKED_IN => Change::CheckedIn { day: fields.i32()?, streak: fields.u16()? },
        ORDERED => Change::Ordered {
            channel: fields.u16()?,
            fingerprint: fields.take()?,
            paid_at_ms: fields.i64()?,
            amount_minor: fields.i64()?,
        },
        REDEEMED => Change::Redeemed { campaign: fields.u16()?, offer: fields.u16()?, grant: read_short(fields)? },
        SETTLED => Change::Settled,
        HELD => {
            let due_s = fields.u32()?;
            let money_minor = points(fields).ok().filter(|money| *money < MONEY_BELOW);
            Change::Held { due_s, money_minor: money_minor.ok_or(BadRecord::Value(fields.kind))? }
        }
        CONFIRMED => Change::Confirmed { hold: RequestId(fields.take()?) },
        CANCELLED => Change::Cancelled { hold: RequestId(fields.take()?) },
        LAPSED => Change::Lapsed { hold: RequestId(fields.take()?) },
        FILLED_IN => Change::FilledIn { day: fields.i32()?, streak: fields.u16()? },
        ANSWERED => {
            let (quiz, question, option) = (fields.u16()?, fields.u32()?, fields.u8()?);
            let (right, left, place) = (flag(fields)?, fields.u16()?, read_short(fields)?);
            let place = u32::try_from(place).map_err(|_| BadRecord::Value(fields.kind))?;
            Change::Answered { quiz, question, option, right, left, place }
        }
        INVITED => Change::Invited { inviter: MemberKey(fields.take()?), until_s: fields.u32()? },
        CLAIMED => Change::Claimed { channel: fields.u16()?, fingerprint: fields.take()?, found: read_found(fields)? },
        CLAIM_GRANTED => Change::ClaimGranted {
            channel: fields.u16()?,
            fingerprint: fields.take()?,
            paid_at_ms: fields.i64()?,
            amount_minor: fields.i64()?,
        },
        RECEIVED => Change::Received {
            channel: fields.u16()?,
            fingerprint: fields.take()?,
            happened_ms: fields.i64()?,
            opens_s: fields.u32()?,
        },
        INTRODUCED => Change::Introduced { invitee: MemberKey(fields.take()?) },
        CHANGED_ZONE => Change::ChangedZone { zone: fields.u16()? },
        TAGGED => Change::Tagged { number: fields.u16()?, on: flag(fields)? },
        kind @ (ACTED | ACTED_ONCE) => Change::Acted {
            activity: fields.u16()?,
            happened_ms: fields.i64()?,
            fingerprint: if kind == ACTED_ONCE { Some(fields.take()?) } else { None },
        },
        SAID_BIRTHDAY => Change::SaidBirthday { from_year: i16::from_le_bytes(fields.take()?) },
        USED_RIGHT => {
            let (number, left) = (fields.u16()?, read_short(fields)?);
            Change::UsedRight { number, left: u32::try_from(left).map_err(|_| BadRecord::Value(fields.kind))? }
        }
        _ => return Err(BadRecord::Value(fields.kind)),
    })
}

fn read_effect(fields: &mut Fields<'_>) -> Result<Effect, BadRecord> {
    Ok(match fields.u8()? {
        EFFECT_GRANTED => Effect::Granted { points: points(fields)?, name: name(fields)? },
        EFFECT_PENDED => {
            Effect::Pended(Pending { points: points(fields)?, opens_s: fields.u32()?, name: name(fields)? })
        }
        EFFECT_UNPENDED => Effect::Unpended { points: points(fields)?, at: fields.u16()? },
        EFFECT_OPENED => Effect::Opened { points: points(fields)?, through_s: fields.u32()? },
        EFFECT_EXPIRED => Effect::Expired { points: points(fields)?, through_s: fields.u32()? },
        EFFECT_SPENT => Effect::Spent { points: points(fields)? },
        EFFECT_SLID => Effect::Slid { to_s: fields.u32()? },
        EFFECT_USED => Effect::Used(read_counter(fields)?),
        EFFECT_RIGHT_GIVEN => {
            let (number, count) = (fields.u16()?, read_short(fields)?);
            let count = u32::try_from(count).map_err(|_| BadRecord::Value(fields.kind))?;
            Effect::RightGiven(Right { number, count, expires_s: fields.u32()? })
        }
        EFFECT_RIGHT_USED => Effect::RightUsed { number: fields.u16()? },
        EFFECT_RIGHTS_EXPIRED => Effect::RightsExpired { count: read_short(fields)?, through_s: fields.u32()? },
        EFFECT_PLANNED => Effect::Planned(Plan { what: fields.u16()?, at_s: fields.u32()? }),
        EFFECT_PROGRESSED => {
            Effect::Progressed { measure: fields.u8()?, day: fields.i32()?, value: read_signed(fields)? }
        }
        EFFECT_BIRTHDAY => Effect::Birthday(Birthday {
            month: fields.u8()?,
            day: fields.u8()?,
            from_year: i16::from_le_bytes(fields.take()?),
            said_on: fields.i32()?,
        }),
        EFFECT_RAN => Effect::Ran(Run { last: fields.i32()?, days: fields.u16()? }),
        EFFECT_DAYS_KNOWN => Effect::DaysKnown { after: fields.i32()? },
        EFFECT_BONUS_OWED => Effect::BonusOwed { points: points(fields)? },
        EFFECT_ZONE_SET => Effect::ZoneSet { zone: fields.u16()? },
        EFFECT_TAGGED => Effect::Tagged { number: fields.u16()?, on: flag(fields)? },
        EFFECT_INVITED => Effect::Invited { inviter: MemberKey(fields.take()?) },
        EFFECT_INVITED_UNTIL => Effect::InvitedUntil { until_s: fields.u32()? },
        EFFECT_PROGRESS_FORGOTTEN => Effect::ProgressForgotten { from: fields.i32()? },
        kind => return read_held(kind, fields),
    })
}

fn read_held(kind: u8, fields: &mut Fields<'_>) -> Result<Effect, BadRecord> {
    Ok(match kind {
        EFFECT_HOLD_BEGUN => {
            let (due_s, grace_s) = (fields.u32()?, read_short(fields)?);
            let grace_s = u32::try_from(grace_s).map_err(|_| BadRecord::Value(fields.kind))?;
            Effect::HoldBegun { due_s, grace_s }
        }
        EFFECT_OFFER_HELD => Effect::OfferHeld {
            campaign: fields.u16()?,
            offer: fields.u16()?,
            count: fields.u16()?,
            points: points(fields)?,
        },
        EFFECT_WINDOW_HELD => Effect::WindowHeld { period: fields.i32()?, money_minor: points(fields)? },
        EFFECT_CELLS_HELD => {
            let count = usize::from(fields.u8()?);
            let mut slots = [NO_CELL; CELLS_HELD];
            let places = slots.get_mut(..count).ok_or(BadRecord::Value(fields.kind))?;
            for slot in places {
                *slot = fields.u32()?;
                if *slot == NO_CELL {
                    return Err(BadRecord::Value(fields.kind));
                }
            }
            Effect::CellsHeld { slots }
        }
        EFFECT_LIMIT_HELD => Effect::LimitHeld(read_counter(fields)?),
        EFFECT_RIGHT_HELD => Effect::RightHeld { number: fields.u16()? },
        EFFECT_TENDER_HELD => Effect::TenderHeld { points: points(fields)? },
        EFFECT_POINTS_HELD => Effect::PointsHeld { points: points(fields)? },
        EFFECT_HELD_SPENT => Effect::HeldSpent { at: fields.u16()?, points: points(fields)? },
        EFFECT_HELD_RIGHT_USED => Effect::HeldRightUsed { at: fields.u16()?, number: fields.u16()? },
        EFFECT_HOLD_ENDED => Effect::HoldEnded { at: fields.u16()?, through_s: fields.u32()?, back: points(fields)? },
        EFFECT_HELD_EXPIRED => {
            Effect::HeldExpired { at: fields.u16()?, through_s: fields.u32()?, points: points(fields)? }
        }
        _ => return Err(BadRecord::Value(fields.kind)),
    })
}

fn read_counter(fields: &mut Fields<'_>) -> Result<Counter, BadRecord> {
    let (campaign, offer) = (fields.u16()?, fields.u16()?);
    // It stands for a counter that is free.
    if campaign == 0 {
        return Err(BadRecord::Value(fields.kind));
    }
    let (period, used) = (fields.i32()?, read_short(fields)?);
    let used = u32::try_from(used).map_err(|_| BadRecord::Value(fields.kind))?;
    Ok(Counter { campaign, offer, period, used })
}

fn flag(fields: &mut Fields<'_>) -> Result<bool, BadRecord> {
    match fields.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(BadRecord::Value(fields.kind)),
    }
}

fn points(fields: &mut Fields<'_>) -> Result<i64, BadRecord> {
    i64::try_from(read_short(fields)?).map_err(|_| BadRecord::Value(fields.kind))
}

fn read_signed(fields: &mut Fields<'_>) -> Result<i64, BadRecord> {
    let number = read_short(fields)?;
    Ok((number >> 1) as i64 ^ -((number & 1) as i64))
}

fn read_short(fields: &mut Fields<'_>) -> Result<u64, BadRecord> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = fields.u8()?;
        let bits = u64::from(byte & 0x7f);
        let fits = bits << shift >> shift == bits;
        number |= bits << shift;
        if !fits || byte == 0 && shift > 0 {
            break;
        }
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(BadRecord::Value(fields.kind))
}

fn name(fields: &mut Fields<'_>) -> Result<LotName, BadRecord> {
    Ok(LotName::of(fields.u32()?, fields.u16()?))
}
