//! Texts and lists whose lengths are checked by this code before anything is allocated.

use std::fmt;

use bincode::de::{BorrowDecoder, Decoder, read::Reader};
use bincode::enc::{Encoder, write::Writer};
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Serialize, Serializer};

/// A text that is longer than its place allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a text of {length} bytes, where at most {most} are allowed")]
pub struct TooLong {
    /// Bytes given.
    pub length: usize,
    /// Bytes allowed.
    pub most: usize,
}

/// An opaque name of at most 64 bytes of UTF-8 (SKU, store, channel, order number), compared byte by byte, held in place.
#[derive(Clone, Copy)]
pub struct Text {
    length: u8,
    bytes: [u8; Text::MOST],
}

impl Text {
    /// The most bytes a text holds.
    pub const MOST: usize = 64;

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("checked when it was made")
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl Default for Text {
    fn default() -> Text {
        Text { length: 0, bytes: [0; Text::MOST] }
    }
}

impl TryFrom<&str> for Text {
    type Error = TooLong;

    fn try_from(text: &str) -> Result<Text, TooLong> {
        if text.len() > Text::MOST {
            return Err(TooLong { length: text.len(), most: Text::MOST });
        }
        let mut bytes = [0; Text::MOST];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Text { length: text.len() as u8, bytes })
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl Encode for Text {
    fn encode<E: Encoder>(&self, to: &mut E) -> Result<(), EncodeError> {
        self.length.encode(to)?;
        to.writer().write(self.as_bytes())
    }
}

impl<C> Decode<C> for Text {
    fn decode<D: Decoder<Context = C>>(from: &mut D) -> Result<Text, DecodeError> {
        let length = u8::decode(from)?;
        if usize::from(length) > Text::MOST {
            return Err(DecodeError::OtherString(format!("a text of {length} bytes, at most 64 are allowed")));
        }
        let mut bytes = [0; Text::MOST];
        from.reader().read(&mut bytes[..usize::from(length)])?;
        std::str::from_utf8(&bytes[..usize::from(length)])
            .map_err(|inner| DecodeError::Utf8 { inner })
            .map(|_| Text { length, bytes })
    }
}

impl<'de, C> BorrowDecode<'de, C> for Text {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(from: &mut D) -> Result<Text, DecodeError> {
        Text::decode(from)
    }
}

/// A longer text, at most `MOST` bytes of UTF-8: a sentence, a file of a programme bundle.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Prose<const MOST: usize>(String);

impl<const MOST: usize> Prose<MOST> {
    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes as much of the text as fits, cut at a character.
    pub fn cut(text: &str) -> Prose<MOST> {
        let mut end = text.len().min(MOST);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Prose(text[..end].to_owned())
    }
}

impl<const MOST: usize> TryFrom<String> for Prose<MOST> {
    type Error = TooLong;

    fn try_from(text: String) -> Result<Prose<MOST>, TooLong> {
        if text.len() > MOST { Err(TooLong { length: text.len(), most: MOST }) } else { Ok(Prose(text)) }
    }
}

impl<const MOST: usize> fmt::Debug for Prose<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<const MOST: usize> Serialize for Prose<MOST> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<const MOST: usize> Encode for Prose<MOST> {
    fn encode<E: Encoder>(&self, to: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u32).encode(to)?;
        to.writer().write(self.0.as_bytes())
    }
}

impl<C, const MOST: usize> Decode<C> for Prose<MOST> {
    fn decode<D: Decoder<Context = C>>(from: &mut D) -> Result<Prose<MOST>, DecodeError> {
        let length = u32::decode(from)? as usize;
        if length > MOST {
            return Err(DecodeError::OtherString(format!("a text of {length} bytes, at most {MOST} are allowed")));
        }
        String::from_utf8(read_pieces(from, length)?)
            .map(Prose)
            .map_err(|error| DecodeError::Utf8 { inner: error.utf8_error() })
    }
}

impl<'de, C, const MOST: usize> BorrowDecode<'de, C> for Prose<MOST> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(from: &mut D) -> Result<Prose<MOST>, DecodeError> {
        Prose::decode(from)
    }
}

/// So many bytes, read piece by piece, so that a length that lies costs no more than the bytes that are really there.
pub(crate) fn read_pieces<D: Decoder>(from: &mut D, length: usize) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::new();
    let mut piece = [0; 1024];
    while bytes.len() < length {
        let take = (length - bytes.len()).min(piece.len());
        from.reader().read(&mut piece[..take])?;
        bytes.extend_from_slice(&piece[..take]);
    }
    Ok(bytes)
}

/// A list of at most `MOST` items: a `u16` count, then the items.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct List<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> Default for List<T, MOST> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<T, const MOST: usize> List<T, MOST> {
    /// The items.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// Takes the first `MOST` items.
    pub fn cut(items: impl IntoIterator<Item = T>) -> Self {
        List(items.into_iter().take(MOST).collect())
    }
}

impl<T, const MOST: usize> TryFrom<Vec<T>> for List<T, MOST> {
    type Error = TooLong;

    fn try_from(items: Vec<T>) -> Result<Self, TooLong> {
        if items.len() > MOST { Err(TooLong { length: items.len(), most: MOST }) } else { Ok(List(items)) }
    }
}

impl<T: Encode, const MOST: usize> Encode for List<T, MOST> {
    fn encode<E: Encoder>(&self, to: &mut E) -> Result<(), EncodeError> {
        const { assert!(MOST <= u16::MAX as usize) };
        (self.0.len() as u16).encode(to)?;
        self.0.iter().try_for_each(|item| item.encode(to))
    }
}

impl<C, T: Decode<C>, const MOST: usize> Decode<C> for List<T, MOST> {
    fn decode<D: Decoder<Context = C>>(from: &mut D) -> Result<Self, DecodeError> {
        let count = usize::from(u16::decode(from)?);
        if count > MOST {
            return Err(DecodeError::OtherString(format!("a list of {count} items, at most {MOST} are allowed")));
        }
        (0..count).map(|_| T::decode(from)).collect::<Result<Vec<T>, _>>().map(List)
    }
}

impl<'de, C, T: Decode<C>, const MOST: usize> BorrowDecode<'de, C> for List<T, MOST> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(from: &mut D) -> Result<Self, DecodeError> {
        List::decode(from)
    }
}
