//! The one module that knows bincode. Everything else encodes and decodes bodies through these two functions, so that
//! another implementation can take its place and prove itself against the golden vectors.

use bincode::config::{Configuration, Fixint, LittleEndian, NoLimit};

pub use bincode::{Decode, Encode};

const CONFIG: Configuration<LittleEndian, Fixint, NoLimit> = bincode::config::standard().with_fixed_int_encoding();

/// Bytes that are not the body they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end early, hold a value that its type does not have, or a length beyond its bound.
    #[error("the body does not decode: {0}")]
    Body(String),
    /// The body is followed by bytes that belong to nothing.
    #[error("{0} bytes are left behind the body; it must end with its last field")]
    Trailing(usize),
}

/// Appends the bytes of `value` to `out`.
pub fn encode<T: Encode>(value: &T, out: &mut Vec<u8>) {
    bincode::encode_into_std_write(value, out, CONFIG).expect("writing to memory cannot fail");
}

/// Reads one value that fills `bytes` exactly.
///
/// Allocates no more than a bounded list or text asks for, each checked against its bound before.
pub fn decode<T: Decode<()>>(bytes: &[u8]) -> Result<T, Malformed> {
    let (value, used) =
        bincode::decode_from_slice::<T, _>(bytes, CONFIG).map_err(|error| Malformed::Body(error.to_string()))?;
    if used == bytes.len() { Ok(value) } else { Err(Malformed::Trailing(bytes.len() - used)) }
}
