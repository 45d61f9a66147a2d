//! A member's statement: its entries in the log, the newest first, each naming the one before; a page of them at a time.
//!
//! Promises: it reads the member's entries and nothing else of the log; whoever asks sees only whose cursor it was given. Never: says that
//! there is nothing more where only the log's retention ends.

use tidegate_protocol::answer::{Cursor, StatementEntry, StatementPoints, StatementView};
use tidegate_protocol::{LedgerId, List, Text};

use super::outcome::{RECORD_BYTES_MOST, sequence};
use crate::engine::{Change, Effect, LedgerAt, LotName, MemberPart, NEVER_S, Pending, Record, read_record};
use crate::log::{LogError, LogPages, PlaceId};
use crate::programme::Programme;
use crate::store::{HashKeys, StatementSearch};

/// Entries of a page.
pub const ENTRIES_MOST: usize = 32;

/// Reads a page. Reads the disk: not for a thread that serves. The member's newest entry is durable.
pub fn page(
    pages: &LogPages,
    keys: &HashKeys,
    programme: &Programme,
    search: &StatementSearch,
) -> Result<StatementView, LogError> {
    let place = PlaceId(search.place.to_u32());
    let (mut entries, mut at, mut beyond) = (Vec::new(), search.from, false);
    while at.epoch != 0 && entries.len() < ENTRIES_MOST {
        let page = pages.entry(at.epoch, place, at.offset, RECORD_BYTES_MOST)?;
        let read = page.as_ref().and_then(|page| read_record(&page.bytes, page.base_ms).ok());
        let (Some(page), Some((Record::Member(part), _))) = (&page, read) else {
            beyond = true;
            break;
        };
        let Some(sequence) = sequence(pages, place, at)? else {
            beyond = true;
            break;
        };
        let ledger = LedgerId { lineage: page.lineage, place: search.place.to_u32(), sequence };
        entries.push(entry(programme, &part, ledger));
        at = part.previous;
    }
    let next = if at.epoch == 0 || beyond { Cursor::default() } else { cursor(keys, search, at) };
    Ok(StatementView { entries: List::cut(entries), next, beyond: beyond.into() })
}

fn cursor(keys: &HashKeys, search: &StatementSearch, at: LedgerAt) -> Cursor {
    let seal = keys.cursor(search.programme, search.member, at.epoch, at.offset);
    Cursor { epoch: at.epoch, offset: at.offset, seal }
}

fn entry(programme: &Programme, part: &MemberPart, ledger: LedgerId) -> StatementEntry {
    let (kind, about) = what(programme, &part.change);
    StatementEntry {
        ledger,
        at_ms: part.now_ms,
        version: part.version,
        kind,
        about: Text::try_from(about.as_str()).unwrap_or_default(),
        before: part.before().unwrap_or(part.after),
        after: part.after,
        tier: part.tier,
        points: List::cut(part.effects.iter().filter_map(|effect| points(programme, effect))),
    }
}

/// The kind of a change, as the disk format numbers it, and what it was about.
fn what(programme: &Programme, change: &Change) -> (u8, String) {
    let source = |number: u16| programme.source_name(number).to_owned();
    let of_channel = |number| programme.channel_numbered(number).map_or(String::new(), |known| known.slug.clone());
    match change {
        Change::Enrolled { .. } => (1, String::new()),
        Change::CheckedIn { day, .. } => (2, crate::programme::date(*day)),
        Change::Ordered { channel, .. } => (3, of_channel(*channel)),
        Change::Redeemed { campaign, offer, .. } => {
            let campaign = programme.campaign(u32::from(*campaign));
            let offer = campaign.and_then(|campaign| campaign.offer(u32::from(*offer)));
            (4, offer.map_or(String::new(), |offer| offer.sku.clone()))
        }
        Change::Settled => (5, String::new()),
        Change::Acted { activity, fingerprint, .. } => (if fingerprint.is_some() { 7 } else { 6 }, source(*activity)),
        Change::UsedRight { number, .. } => {
            (8, programme.right(*number).map_or(String::new(), |right| right.slug.clone()))
        }
        Change::SaidBirthday { .. } => (9, String::new()),
        Change::FilledIn { day, .. } => (10, crate::programme::date(*day)),
        Change::ChangedZone { zone } => (11, programme.zone_of(*zone).name().to_owned()),
        Change::Tagged { number, .. } => {
            let tag = programme.tags.iter().find(|tag| tag.number == *number);
            (12, tag.map_or(String::new(), |tag| tag.slug.clone()))
        }
        Change::Answered { quiz, .. } => (13, source(*quiz)),
        Change::Invited { .. } => (14, String::new()),
        Change::Introduced { .. } => (15, String::new()),
        Change::Claimed { channel, .. } => (16, of_channel(*channel)),
        Change::ClaimGranted { channel, .. } => (17, of_channel(*channel)),
        Change::Received { channel, .. } => (18, of_channel(*channel)),
        Change::Held { .. } => (19, String::new()),
        Change::Confirmed { .. } => (20, String::new()),
        Change::Cancelled { .. } => (21, String::new()),
        Change::Lapsed { .. } => (22, String::new()),
    }
}

/// What an effect does to points; `None` for all that do nothing to them.
fn points(programme: &Programme, effect: &Effect) -> Option<StatementPoints> {
    let instant_ms = |second: u32| if second == NEVER_S { 0 } else { i64::from(second) * 1000 };
    let lot = |kind, points, opens_s: u32, name: LotName| StatementPoints {
        kind,
        points,
        opens_ms: i64::from(opens_s) * 1000,
        expires_ms: instant_ms(name.expires_s),
        source: Text::try_from(programme.source_name(name.source)).unwrap_or_default(),
    };
    let plain = |kind, points, at_s| StatementPoints {
        kind,
        points,
        opens_ms: 0,
        expires_ms: instant_ms(at_s),
        source: Text::default(),
    };
    Some(match *effect {
        Effect::Granted { points, name } => lot(1, points, 0, name),
        Effect::Pended(Pending { points, opens_s, name }) => lot(2, points, opens_s, name),
        Effect::Unpended { points, .. } => plain(22, points, NEVER_S),
        Effect::Opened { points, through_s } => plain(3, points, through_s),
        Effect::Expired { points, through_s } => plain(4, points, through_s),
        Effect::Spent { points } => plain(5, points, NEVER_S),
        Effect::PointsHeld { points } => plain(30, points, NEVER_S),
        Effect::HeldSpent { points, .. } => plain(31, points, NEVER_S),
        Effect::HoldEnded { back, .. } if back > 0 => plain(33, back, NEVER_S),
        Effect::HeldExpired { points, through_s, .. } => plain(34, points, through_s),
        _ => return None,
    })
}
