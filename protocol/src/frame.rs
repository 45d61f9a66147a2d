//! Frames: what travels on a stream.
//!
//! | offset | size | field | |
//! |---:|---:|---|---|
//! | 0 | 4 | length | bytes of the body, at most the limit that `WELCOME` states (1 MiB) |
//! | 4 | 1 | kind | [`Kind`] |
//! | 5 | 1 | flags | bit 0, on `ANSWERS` only: the answers were sent before they were durable |
//! | 6 | 2 | zero | |
//! | 8 | 8 | correlation | of the client's choosing, below 2^63; its `ANSWERS` frame carries it back |
//! | 16 | length | body | |
//!
//! A frame that breaks these rules fails its stream with [`crate::code::close`].

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 16;

/// The longest body a frame may have.
pub const BODY_BYTES_MOST: usize = 1 << 20;

/// Flag on `ANSWERS`: sent before the changes it tells of were durable (for a server that is allowed to; without the flag they were durable).
pub const FLAG_NOT_DURABLE: u8 = 1;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Client to server, first of all: [`crate::hello::Hello`].
    Hello = 1,
    /// Server to client: [`crate::hello::Welcome`].
    Welcome = 2,
    /// Server to client, then the connection ends: [`crate::hello::HelloRefused`].
    HelloRefused = 3,
    /// Client to server: a batch of requests, see [`crate::batch`].
    Requests = 4,
    /// Server to client: their answers, see [`crate::batch`].
    Answers = 5,
    /// Server to client, no body, correlation 0: the server is going; send what is new elsewhere or after a reconnect.
    Draining = 6,
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the body.
    pub length: u32,
    /// What the body is.
    pub kind: Kind,
    /// See the table.
    pub flags: u8,
    /// Ties answers to requests.
    pub correlation: u64,
}

/// A header that breaks the rules; the stream cannot go on, since the next frame's start is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// The kind is none of [`Kind`].
    #[error("frame kind {0} is unknown; this protocol has kinds 1 to 6")]
    Kind(u8),
    /// The body would be longer than allowed.
    #[error("a frame of {0} bytes; at most {BODY_BYTES_MOST} are allowed")]
    Oversized(u32),
    /// Reserved bits are set, or the correlation is 2^63 or more.
    #[error("reserved bytes of the frame header are not zero")]
    Reserved,
}

impl Header {
    /// The header's bytes.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4] = self.kind as u8;
        bytes[5] = self.flags;
        bytes[8..16].copy_from_slice(&self.correlation.to_le_bytes());
        bytes
    }

    /// Reads and checks a header.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Header, BadHeader> {
        let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let correlation = u64::from_le_bytes(bytes[8..16].try_into().expect("eight bytes"));
        let kind = match bytes[4] {
            1 => Kind::Hello,
            2 => Kind::Welcome,
            3 => Kind::HelloRefused,
            4 => Kind::Requests,
            5 => Kind::Answers,
            6 => Kind::Draining,
            other => return Err(BadHeader::Kind(other)),
        };
        if length as usize > BODY_BYTES_MOST {
            return Err(BadHeader::Oversized(length));
        }
        let flags_allowed = if kind == Kind::Answers { FLAG_NOT_DURABLE } else { 0 };
        if bytes[5] & !flags_allowed != 0 || bytes[6..8] != [0, 0] || correlation >> 63 != 0 {
            return Err(BadHeader::Reserved);
        }
        Ok(Header { length, kind, flags: bytes[5], correlation })
    }
}

/// Appends a whole frame to `out`; `body` writes the body behind a header whose length is filled in afterwards.
pub fn write(out: &mut Vec<u8>, kind: Kind, flags: u8, correlation: u64, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    body(out);
    let length = (out.len() - start - HEADER_BYTES) as u32;
    out[start..start + HEADER_BYTES].copy_from_slice(&Header { length, kind, flags, correlation }.encode());
}
