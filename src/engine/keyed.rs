//! What happens once for ever by a key of its own, whatever the request's id: an order in its channel, an activity with a number.

use tidegate_protocol::LedgerId;
use tidegate_protocol::answer::{ActivityRecorded, Recorded};
use tidegate_protocol::batch::push_answer;
use tidegate_protocol::code::answer;
use tidegate_protocol::refusal::{KeyConflict, TooOld};

use super::Context;
use super::admit::{Admission, Request, admit};
use super::kept::KeptOrder;
use super::part::{Change, DirectoryPart, MemberPart};
use super::place::{PlaceId, PlaceKind};
use super::refusal::Refusal;

/// The keyed fingerprint of a natural key.
pub type NaturalKey = [u8; 16];

/// What the directory keeps of a key: 40 bytes, since there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyEntry {
    /// The natural key's fingerprint.
    pub key: NaturalKey,
    /// Keyed hash of the request's code, programme and body.
    pub hash: u64,
    /// The shard in the top 16 bits, the entry's sequence there below; and the bit between them, if the entry is the directory's own.
    entry: u64,
    /// When it happened, seconds since 1970, rounded up.
    happened_s: u32,
    /// The programme's number.
    pub programme: u16,
    /// The lineage of the ledger id.
    pub lineage: u16,
}

const _: () = assert!(size_of::<KeyEntry>() == 40);

/// The bit of an entry that says that it is the directory's own.
const DIRECTORYS: u64 = 1 << 47;

impl Default for KeyEntry {
    fn default() -> KeyEntry {
        KeyEntry::FREE
    }
}

impl KeyEntry {
    /// What a free slot holds: no programme has number 0.
    pub const FREE: KeyEntry = KeyEntry { key: [0; 16], hash: 0, entry: 0, happened_s: 0, programme: 0, lineage: 0 };

    /// What to keep of a key whose ledger entry is a member shard's, or where there is no member a directory shard's.
    pub fn new(key: NaturalKey, hash: u64, programme: u32, happened_ms: i64, ledger: LedgerId) -> KeyEntry {
        let LedgerId { lineage, place, sequence } = ledger;
        let place = PlaceId::from_u32(place).expect("a place of this store");
        assert!(sequence < DIRECTORYS, "a shard has fewer than 2^47 entries");
        let own = if place.kind() == PlaceKind::Directory { DIRECTORYS } else { 0 };
        let happened_s = u32::try_from(happened_ms.div_euclid(1000) + i64::from(happened_ms.rem_euclid(1000) != 0));
        KeyEntry {
            key,
            hash,
            entry: (place.index() as u64) << 48 | own | sequence,
            happened_s: happened_s.unwrap_or(if happened_ms < 0 { 0 } else { u32::MAX }),
            programme: programme as u16,
            lineage: lineage as u16,
        }
    }

    /// The entry as it stands on disk, its fields in order.
    pub fn to_bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[0..16].copy_from_slice(&self.key);
        bytes[16..24].copy_from_slice(&self.hash.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.entry.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.happened_s.to_le_bytes());
        bytes[36..38].copy_from_slice(&self.programme.to_le_bytes());
        bytes[38..40].copy_from_slice(&self.lineage.to_le_bytes());
        bytes
    }

    /// Reads an entry from disk; every value is one.
    pub fn from_bytes(bytes: &[u8; 40]) -> KeyEntry {
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        KeyEntry {
            key: bytes[0..16].try_into().expect("sixteen bytes"),
            hash: long(16),
            entry: long(24),
            happened_s: u32::from_le_bytes(bytes[32..36].try_into().expect("four bytes")),
            programme: u16::from_le_bytes([bytes[36], bytes[37]]),
            lineage: u16::from_le_bytes([bytes[38], bytes[39]]),
        }
    }

    /// The ledger id of what happened.
    pub fn ledger(&self) -> LedgerId {
        let kind = if self.entry & DIRECTORYS == 0 { PlaceKind::Members } else { PlaceKind::Directory };
        let place = PlaceId::new(kind, (self.entry >> 48) as usize).to_u32();
        LedgerId { lineage: u32::from(self.lineage), place, sequence: self.entry & (DIRECTORYS - 1) }
    }

    /// The instant by which the key is forgotten: once a mark is at or above it. Whole seconds, not before it happened.
    pub fn happened_ms(&self) -> i64 {
        i64::from(self.happened_s) * 1000
    }
}

/// What the directory knows when something with a key is decided.
pub struct Known {
    /// The entry of its key, if it is remembered.
    pub entry: Option<KeyEntry>,
    /// What happened at or before this instant is forgotten.
    pub mark_ms: i64,
    /// A free slot in the directory's shard.
    pub slot: u32,
    /// The entry that it will have in the ledger.
    pub ledger: LedgerId,
}

impl Known {
    /// What is kept of the key from now on.
    pub(super) fn taken(&self, key: NaturalKey, hash: u64, programme: u32, happened_ms: i64) -> KeyEntry {
        KeyEntry::new(key, hash, programme, happened_ms, self.ledger)
    }
}

/// What something with a key comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Keyed {
    /// It is new: the directory's part, and what more is kept of it, beside the member's part.
    New(DirectoryPart, Option<Box<KeptOrder>>),
    /// It was recorded before, with the same contents.
    Before(LedgerId),
}

/// Decides what happens once for its key. While the key is remembered it answers, whatever the request's id and deadline; else
/// `decide` is given the instant at or before which the key could be forgotten. Of a `dry` one id and deadline play no part.
pub fn once(
    context: &Context<'_>,
    known: &Known,
    key: NaturalKey,
    request: &Request,
    happened_ms: i64,
    dry: bool,
    decide: impl FnOnce(i64) -> Result<Option<Box<KeptOrder>>, Refusal>,
) -> Result<Keyed, Refusal> {
    let after_ms = match once_known(context, known, request, happened_ms, dry)? {
        Ok(after_ms) => after_ms,
        Err(before) => return Ok(Keyed::Before(before)),
    };
    let kept = decide(after_ms)?;
    let entry = known.taken(key, request.hash, context.number, happened_ms);
    Ok(Keyed::New(DirectoryPart::Taken { now_ms: context.now_ms, slot: known.slot, entry }, kept))
}

/// The instant at or before which a key that is new could be forgotten; or the entry that it had before.
pub(super) fn once_known(
    context: &Context<'_>,
    known: &Known,
    request: &Request,
    happened_ms: i64,
    dry: bool,
) -> Result<Result<i64, LedgerId>, Refusal> {
    if let Some(entry) = known.entry {
        let ledger = entry.ledger();
        let same = entry.hash == request.hash;
        return if same { Ok(Err(ledger)) } else { Err(Refusal::KeyConflict(KeyConflict { ledger })) };
    }
    let after_ms = known.mark_ms.max(context.now_ms - context.programme.orders.remember_ms);
    if !dry && let Admission::Refused(refusal) = admit(request, std::iter::empty(), Default::default(), context.now_ms)
    {
        // Of what may have been recorded and forgotten nobody can say that it was not applied.
        let forgotten = happened_ms <= known.mark_ms;
        return Err(if forgotten { Refusal::TooOld(TooOld { after_ms }) } else { refusal });
    }
    Ok(Ok(after_ms))
}

/// Appends the answer that a part with a natural key stands for; gives its code.
pub fn answer_once(
    part: &MemberPart,
    lineage: u16,
    place: PlaceId,
    sequence: u64,
    index: u16,
    out: &mut Vec<u8>,
) -> u16 {
    let ledger = LedgerId { lineage: u32::from(lineage), place: place.to_u32(), sequence };
    let MemberPart { version, tier, after, .. } = *part;
    let before = part.before().expect("a part was decided upon a number, or read as one");
    match part.change {
        Change::Acted { .. } => {
            let body = ActivityRecorded { ledger, version, tier, before, after };
            push_answer(out, index, answer::ACTIVITY_RECORDED, &body);
            answer::ACTIVITY_RECORDED
        }
        _ => {
            let body = Recorded { ledger, version, tier, before, after };
            push_answer(out, index, answer::RECORDED, &body);
            answer::RECORDED
        }
    }
}
