//! Bytes whose length is checked by this code before anything is allocated.

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::{Encoder, write::Writer};
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Serialize, Serializer};

use crate::TooLong;
use crate::text::read_pieces;

/// Opaque bytes, at most `MOST`: a `u32` length, then the bytes. Shown as hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Blob<const MOST: usize>(Vec<u8>);

impl<const MOST: usize> Blob<MOST> {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl<const MOST: usize> TryFrom<Vec<u8>> for Blob<MOST> {
    type Error = TooLong;

    fn try_from(bytes: Vec<u8>) -> Result<Blob<MOST>, TooLong> {
        if bytes.len() > MOST { Err(TooLong { length: bytes.len(), most: MOST }) } else { Ok(Blob(bytes)) }
    }
}

impl<const MOST: usize> Serialize for Blob<MOST> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        to.serialize_str(&digits)
    }
}

impl<const MOST: usize> Encode for Blob<MOST> {
    fn encode<E: Encoder>(&self, to: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u32).encode(to)?;
        to.writer().write(&self.0)
    }
}

impl<C, const MOST: usize> Decode<C> for Blob<MOST> {
    fn decode<D: Decoder<Context = C>>(from: &mut D) -> Result<Blob<MOST>, DecodeError> {
        let length = u32::decode(from)? as usize;
        if length > MOST {
            return Err(DecodeError::OtherString(format!("{length} bytes, at most {MOST} are allowed")));
        }
        read_pieces(from, length).map(Blob)
    }
}

impl<'de, C, const MOST: usize> BorrowDecode<'de, C> for Blob<MOST> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(from: &mut D) -> Result<Blob<MOST>, DecodeError> {
        Blob::decode(from)
    }
}
