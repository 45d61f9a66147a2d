//! Orders of which more is kept than their key: as long as they can be claimed, or their points wait for the receipt. A claim that
//! came before its order is kept in the same way.

use tidegate_protocol::Proof;

use super::keyed::NaturalKey;
use super::lots::{LotName, NEVER_S};
use super::pending::Pending;

/// A member by where it stands: members never go, nor move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberSlot {
    /// The member shard.
    pub shard: u16,
    /// The slot in it.
    pub slot: u32,
}

/// What is kept of an order, or of a claim that waits for one: 96 bytes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptOrder {
    /// The order's natural key.
    pub key: NaturalKey,
    /// What only its owner can tell: the order's own, or as long as that is not known the claim's.
    pub proof: Proof,
    /// What of it counts, minor units.
    pub amount_minor: i64,
    /// The points that it comes to, before anything multiplies them.
    pub base: i64,
    /// The points that were given for it when it was recorded.
    pub given: i64,
    /// When it was paid.
    pub paid_at_ms: i64,
    /// Whose it is; `None` as long as nobody has it.
    pub owner: Option<MemberSlot>,
    /// Who claimed it before it was known. Of a known order that is another's, this one was refused.
    pub claimant: Option<MemberSlot>,
    /// From this second on nothing of it is kept any more.
    pub until_s: u32,
    /// The owner's points that wait for the receipt, if any do; all that were given.
    pub waiting: Option<Waiting>,
    /// The programme's number.
    pub programme: u16,
    /// The channel's number.
    pub channel: u16,
    /// Whether the order is known.
    pub known: bool,
    /// Whether its owner has what a claim gives.
    pub claimed: bool,
}

/// As what the points of an order wait for its receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The second at which they open without a receipt.
    pub opens_s: u32,
    /// The lot that they will be.
    pub name: LotName,
}

const KNOWN: u8 = 1;
const CLAIMED: u8 = 2;
const WAITS: u8 = 4;

/// Bytes of an entry.
pub const KEPT_BYTES: usize = 96;

impl Default for KeptOrder {
    fn default() -> KeptOrder {
        KeptOrder::FREE
    }
}

impl KeptOrder {
    /// What a free slot holds: no programme has number 0.
    pub const FREE: KeptOrder = KeptOrder {
        key: [0; 16],
        proof: Proof([0; 16]),
        amount_minor: 0,
        base: 0,
        given: 0,
        paid_at_ms: 0,
        owner: None,
        claimant: None,
        until_s: 0,
        waiting: None,
        programme: 0,
        channel: 0,
        known: false,
        claimed: false,
    };

    /// Whether anything of it is kept at a second.
    pub fn is_kept(&self, now_s: u32) -> bool {
        self.programme != 0 && self.until_s > now_s
    }

    /// The points of its owner that wait for the receipt.
    pub fn pending(&self) -> Option<Pending> {
        self.waiting.map(|Waiting { opens_s, name }| Pending { points: self.given, opens_s, name })
    }

    /// The entry as it stands on disk, its fields in order; a member that there is none of has the largest numbers.
    pub fn to_bytes(&self) -> [u8; KEPT_BYTES] {
        let mut bytes = [0; KEPT_BYTES];
        bytes[0..16].copy_from_slice(&self.key);
        bytes[16..32].copy_from_slice(&self.proof.0);
        for (at, number) in [(32, self.amount_minor), (40, self.base), (48, self.given), (56, self.paid_at_ms)] {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        for (at, member) in [(64, self.owner), (70, self.claimant)] {
            let member = member.unwrap_or(MemberSlot { shard: u16::MAX, slot: u32::MAX });
            bytes[at..at + 4].copy_from_slice(&member.slot.to_le_bytes());
            bytes[at + 4..at + 6].copy_from_slice(&member.shard.to_le_bytes());
        }
        bytes[76..80].copy_from_slice(&self.until_s.to_le_bytes());
        if let Some(Waiting { opens_s, name }) = self.waiting {
            bytes[80..84].copy_from_slice(&opens_s.to_le_bytes());
            bytes[84..88].copy_from_slice(&name.expires_s.to_le_bytes());
            bytes[88..90].copy_from_slice(&name.mark().to_le_bytes());
        }
        bytes[90..92].copy_from_slice(&self.programme.to_le_bytes());
        bytes[92..94].copy_from_slice(&self.channel.to_le_bytes());
        let flags = [(KNOWN, self.known), (CLAIMED, self.claimed), (WAITS, self.waiting.is_some())];
        bytes[94] = flags.into_iter().filter(|(_, is)| *is).map(|(flag, _)| flag).sum();
        bytes
    }

    /// Reads an entry from disk; `None` if it is none that was ever written.
    pub fn from_bytes(bytes: &[u8; KEPT_BYTES]) -> Option<KeptOrder> {
        let long = |at: usize| i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let member = |at: usize| {
            let (slot, shard) = (word(at), half(at + 4));
            (slot != u32::MAX).then_some(MemberSlot { shard, slot })
        };
        let flags = bytes[94];
        let waits = flags & WAITS != 0;
        let read = KeptOrder {
            key: bytes[0..16].try_into().expect("sixteen bytes"),
            proof: Proof(bytes[16..32].try_into().expect("sixteen bytes")),
            amount_minor: long(32),
            base: long(40),
            given: long(48),
            paid_at_ms: long(56),
            owner: member(64),
            claimant: member(70),
            until_s: word(76),
            waiting: waits.then(|| Waiting { opens_s: word(80), name: LotName::of(word(84), half(88)) }),
            programme: half(90),
            channel: half(92),
            known: flags & KNOWN != 0,
            claimed: flags & CLAIMED != 0,
        };
        let counts = read.base >= 0 && read.given >= 0 && read.until_s != NEVER_S;
        (counts && (read.programme != 0 || read == KeptOrder::FREE) && read.to_bytes() == *bytes).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_from_its_bytes() {
        let some = KeptOrder {
            key: [1; 16],
            proof: Proof([2; 16]),
            amount_minor: -3,
            base: 4,
            given: 5,
            paid_at_ms: 6,
            owner: Some(MemberSlot { shard: u16::MAX, slot: 7 }),
            claimant: None,
            until_s: 8,
            waiting: Some(Waiting { opens_s: 9, name: LotName { expires_s: 10, source: 11, slides: true } }),
            programme: 12,
            channel: 13,
            known: true,
            claimed: false,
        };
        for kept in [some, KeptOrder::FREE, KeptOrder { waiting: None, owner: None, claimant: some.owner, ..some }] {
            assert_eq!(KeptOrder::from_bytes(&kept.to_bytes()), Some(kept));
        }
        let mut bytes = some.to_bytes();
        for (at, value) in [(95, 1), (94, 8), (47, 0x80), (55, 0x80)] {
            let before = std::mem::replace(&mut bytes[at], value);
            assert_eq!(KeptOrder::from_bytes(&bytes), None, "byte {at}");
            bytes[at] = before;
        }
        assert!(some.is_kept(7) && !some.is_kept(8) && !KeptOrder::FREE.is_kept(0));
    }
}
