//! The names things go by: a member's key, a request's id, an entry of the ledger; and what proves whose an order is.

use std::fmt;
use std::str::FromStr;

use bincode::de::read::Reader;
use bincode::de::{BorrowDecoder, Decoder};
use bincode::error::DecodeError;
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Serialize, Serializer};

/// A member, by 16 bytes of the brand's choosing: a number, a UUID, or a keyed hash of something longer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
#[repr(align(8))]
pub struct MemberKey(pub [u8; 16]);

/// Reads sixteen bytes in one piece, and to where a processor can take them up again in one: as an array they stood one byte behind
/// the result's tag, were handed on in odd pieces, and every piece waited for the one before, fifteen nanoseconds in all.
macro_rules! sixteen_bytes {
    ($($name:ident),+) => {$(
        impl<C> Decode<C> for $name {
            #[inline(always)]
            fn decode<D: Decoder<Context = C>>(from: &mut D) -> Result<$name, DecodeError> {
                let mut bytes = [0; 16];
                from.reader().read(&mut bytes)?;
                Ok($name(bytes))
            }
        }

        impl<'de, C> BorrowDecode<'de, C> for $name {
            fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(from: &mut D) -> Result<$name, DecodeError> {
                $name::decode(from)
            }
        }
    )+};
}

sixteen_bytes!(MemberKey, Proof, RequestId);

/// A text that names no member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a member key: write a decimal number, or 32 hexadecimal digits (dashes are passed over)")]
pub struct NotAKey(String);

impl MemberKey {
    /// The key of a numbered member: the number, big-endian, in the last eight bytes.
    pub fn from_number(number: u64) -> MemberKey {
        MemberKey(u128::from(number).to_be_bytes())
    }
}

impl FromStr for MemberKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<MemberKey, NotAKey> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        if digits.len() == 32 {
            let value = u128::from_str_radix(&digits, 16).map_err(|_| NotAKey(text.into()))?;
            return Ok(MemberKey(value.to_be_bytes()));
        }
        text.parse().map(MemberKey::from_number).map_err(|_| NotAKey(text.into()))
    }
}

impl fmt::Display for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        match u64::try_from(value) {
            Ok(number) => write!(f, "{number}"),
            Err(_) => write!(f, "{value:032x}"),
        }
    }
}

impl fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for MemberKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What only the owner of an order can tell, as 16 bytes of the brand's making: a keyed hash of a phone number's end, say.
#[derive(Clone, Copy, PartialEq, Eq, Default, Encode)]
#[repr(align(8))]
pub struct Proof(pub [u8; 16]);

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl Serialize for Proof {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{self:?}"))
    }
}

/// A request's id: a UUIDv7 (RFC 9562) minted from the server's clock, unique for its member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode)]
#[repr(align(8))]
pub struct RequestId(pub [u8; 16]);

impl RequestId {
    /// Makes an id from the server's time and 74 random bits (the ten bytes; six bits are overwritten).
    pub fn mint(server_ms: i64, random: [u8; 10]) -> RequestId {
        let ms = u64::try_from(server_ms).unwrap_or(0);
        RequestId(uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid().into_bytes())
    }

    /// Whether version and variant are those of a UUIDv7.
    pub fn is_v7(self) -> bool {
        self.0[6] >> 4 == 7 && self.0[8] >> 6 == 0b10
    }

    /// The time the id was minted at, milliseconds since 1970.
    pub fn time_ms(self) -> i64 {
        let b = self.0;
        i64::from_be_bytes([0, 0, b[0], b[1], b[2], b[3], b[4], b[5]])
    }
}

impl FromStr for RequestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<RequestId, uuid::Error> {
        text.parse::<uuid::Uuid>().map(|id| RequestId(id.into_bytes()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&uuid::Uuid::from_bytes(self.0), f)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// An entry of the ledger: unique for ever, known when the request is decided.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
pub struct LedgerId {
    /// Raised by every restore to an earlier point, so that no id is told twice for two things.
    pub lineage: u32,
    /// The place that holds the entry.
    pub place: u32,
    /// The entry's number in its place, from 1.
    pub sequence: u64,
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.lineage, self.place, self.sequence)
    }
}

impl fmt::Debug for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for LedgerId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
