//! Orders to points, each order once for ever by its natural key: the programme, the channel and the order's number.

use tidegate_protocol::LedgerId;
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::RecordOrder;
use tidegate_protocol::refusal::{KeyConflict, PaidInTheFuture, TooOld};

use super::Context;
use super::admit::{Admission, Request, admit};
use super::effect::Effects;
use super::grant::Given;
use super::member::Member;
use super::part::{Change, DirectoryPart, MemberPart};
use super::place::{PlaceId, PlaceKind};
use super::refusal::Refusal;
use crate::programme::source;

/// The keyed fingerprint of an order's natural key.
pub type OrderKey = [u8; 16];

/// What the directory keeps of an order: 40 bytes, since there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderEntry {
    /// The natural key's fingerprint.
    pub key: OrderKey,
    /// Keyed hash of the request's code, programme and body.
    pub hash: u64,
    /// The member shard in the top 16 bits, the entry's sequence there below.
    entry: u64,
    /// When it was paid, seconds since 1970, rounded up.
    paid_at_s: u32,
    /// The programme's number.
    pub programme: u16,
    /// The lineage of the ledger id.
    pub lineage: u16,
}

const _: () = assert!(size_of::<OrderEntry>() == 40);

impl Default for OrderEntry {
    fn default() -> OrderEntry {
        OrderEntry::FREE
    }
}

impl OrderEntry {
    /// What a free slot holds: no programme has number 0.
    pub const FREE: OrderEntry = OrderEntry { key: [0; 16], hash: 0, entry: 0, paid_at_s: 0, programme: 0, lineage: 0 };

    /// What to keep of an order whose ledger entry is `sequence` of member shard `shard`.
    pub fn new(key: OrderKey, hash: u64, programme: u32, paid_at_ms: i64, ledger: (u16, u16, u64)) -> OrderEntry {
        let (lineage, shard, sequence) = ledger;
        assert!(sequence < 1 << 48, "a shard has fewer than 2^48 entries");
        let paid_at_s = u32::try_from(paid_at_ms.div_euclid(1000) + i64::from(paid_at_ms.rem_euclid(1000) != 0));
        OrderEntry {
            key,
            hash,
            entry: u64::from(shard) << 48 | sequence,
            paid_at_s: paid_at_s.unwrap_or(if paid_at_ms < 0 { 0 } else { u32::MAX }),
            programme: programme as u16,
            lineage,
        }
    }

    /// The entry as it stands on disk, its fields in order.
    pub fn to_bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[0..16].copy_from_slice(&self.key);
        bytes[16..24].copy_from_slice(&self.hash.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.entry.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.paid_at_s.to_le_bytes());
        bytes[36..38].copy_from_slice(&self.programme.to_le_bytes());
        bytes[38..40].copy_from_slice(&self.lineage.to_le_bytes());
        bytes
    }

    /// Reads an entry from disk; every value is one.
    pub fn from_bytes(bytes: &[u8; 40]) -> OrderEntry {
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        OrderEntry {
            key: bytes[0..16].try_into().expect("sixteen bytes"),
            hash: long(16),
            entry: long(24),
            paid_at_s: u32::from_le_bytes(bytes[32..36].try_into().expect("four bytes")),
            programme: u16::from_le_bytes([bytes[36], bytes[37]]),
            lineage: u16::from_le_bytes([bytes[38], bytes[39]]),
        }
    }

    /// The ledger id of the order.
    pub fn ledger(&self) -> LedgerId {
        let place = PlaceId::new(PlaceKind::Members, (self.entry >> 48) as usize).to_u32();
        LedgerId { lineage: u32::from(self.lineage), place, sequence: self.entry & 0xffff_ffff_ffff }
    }

    /// The instant by which the order is forgotten: once a mark is at or above it. Whole seconds, not before it was paid.
    pub fn paid_at_ms(&self) -> i64 {
        i64::from(self.paid_at_s) * 1000
    }
}

/// What the directory knows when an order is decided.
pub struct Known {
    /// The entry of its key, if it is remembered.
    pub entry: Option<OrderEntry>,
    /// Orders paid at or before this instant are forgotten.
    pub mark_ms: i64,
    /// A free slot in the directory's shard.
    pub slot: u32,
    /// The sequence that the member's entry will have, with lineage and shard.
    pub ledger: (u16, u16, u64),
}

/// What an order comes to.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is matched where it is made, and a box would be an allocation a request"
)]
pub enum Ordered {
    /// It is new: the member's part and the directory's.
    New(MemberPart, DirectoryPart),
    /// It was recorded before, with the same contents.
    Before(LedgerId),
}

/// Decides an order. `key` is the fingerprint of its natural key: while it is remembered it answers, whatever the
/// request's id and deadline.
pub fn record_order(
    context: &Context<'_>,
    slot: u32,
    member: &Member,
    known: &Known,
    key: OrderKey,
    request: &Request,
    order: &RecordOrder,
) -> Result<Ordered, Refusal> {
    let programme = context.programme;
    if let Some(entry) = known.entry {
        let ledger = entry.ledger();
        let same = entry.hash == request.hash;
        return if same { Ok(Ordered::Before(ledger)) } else { Err(Refusal::KeyConflict(KeyConflict { ledger })) };
    }
    let after_ms = known.mark_ms.max(context.now_ms - programme.orders.remember_ms);
    if let Admission::Refused(refusal) = admit(request, std::iter::empty(), Default::default(), context.now_ms) {
        // Of an order that may have been recorded and forgotten nobody can say that it was not applied.
        let forgotten = order.paid_at_ms <= known.mark_ms;
        return Err(if forgotten { Refusal::TooOld(TooOld { after_ms }) } else { refusal });
    }
    let channel = checked_channel(context, order)?;
    let earning = programme.earning.as_ref().ok_or(Refusal::Plain(answer::NO_ORDERS))?;
    let until_ms = context.now_ms + programme.orders.ahead_ms;
    if order.paid_at_ms > until_ms {
        return Err(Refusal::PaidInTheFuture(PaidInTheFuture { until_ms }));
    }
    if order.paid_at_ms <= after_ms {
        return Err(Refusal::TooOld(TooOld { after_ms }));
    }
    let change =
        Change::Ordered { channel, fingerprint: key, paid_at_ms: order.paid_at_ms, amount_minor: order.amount_minor };
    let mut part = MemberPart::of(context, slot, member, request, change, Effects::new());
    let given = Given { source: source::ORDERS, channel, happened_ms: order.paid_at_ms };
    part.grant(context, member, earning.points(channel, order.amount_minor), &earning.terms, &given)?;
    let entry = OrderEntry::new(key, request.hash, context.number, order.paid_at_ms, known.ledger);
    Ok(Ordered::New(part, DirectoryPart::Taken { now_ms: context.now_ms, slot: known.slot, entry }))
}

/// What is wrong with an order whatever the state: gives its channel's number.
fn checked_channel(context: &Context<'_>, order: &RecordOrder) -> Result<u16, Refusal> {
    let programme = context.programme;
    if order.number.as_bytes().is_empty() {
        return Err(Refusal::Plain(answer::NO_ORDER_NUMBER));
    }
    let brand = order.brand.as_str();
    let declared = if brand.is_empty() { programme.brands.is_empty() } else { programme.has_brand(brand) };
    if !declared {
        return Err(Refusal::Plain(answer::UNKNOWN_BRAND));
    }
    if order.amount_minor < 0 {
        return Err(Refusal::Plain(answer::INVALID_AMOUNT));
    }
    let channel = programme.channel(order.channel.as_str());
    Ok(channel.ok_or(Refusal::Plain(answer::UNKNOWN_CHANNEL))?.number)
}
