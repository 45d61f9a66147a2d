//! The wire of Tidegate, byte by byte: what a client in any language needs, and nothing else.
//!
//! Pure: no I/O, no async, no clock. Every integer is little-endian and stays below 2^63 where it is unsigned.
//!
//! # A connection
//! QUIC with TLS 1.3, ALPN `tidegate/1`, a client certificate, 0-RTT off. The client opens a few long-lived
//! bidirectional streams and pipelines frames on them. The first frame of the first stream is `HELLO`; the server
//! answers `WELCOME` or `HELLO-REFUSED`. Only then may further streams be opened, which begin with requests at once.
//!
//! # A frame ([`frame`])
//! A fixed header of 16 bytes, then a body whose length the header states; a length above the limit is refused before
//! anything is allocated.
//!
//! # Hello ([`hello`])
//! States versions, the client's instance and session (fencing: a higher session of an instance shuts out the lower
//! ones), and in return limits, the server's time, the data directory's identity and the programmes' numbers.
//!
//! # Batches ([`batch`])
//! A `REQUESTS` frame is a count and that many entries; the `ANSWERS` frame with the same correlation carries one
//! answer for each, in any order, named by the entry's index. Each body is decoded alone: an unknown operation or a
//! malformed body fails only itself.
//!
//! # Bodies ([`operation`], [`answer`], [`refusal`], [`operator`], [`files`])
//! bincode 2 in its fixed-width little-endian configuration: fields in order, no padding, no tags. Beyond integers
//! there are only these: [`Text`] is a `u8` length (at most 64) and UTF-8; [`Prose`] is a `u32` length and UTF-8;
//! [`Blob`] is a `u32` length and bytes; [`List`] is a `u16` count and its items. Trailing bytes are refused.
//!
//! A released layout is frozen for ever: a change is a new code.
//!
//! # Codes ([`code`])
//! The table of every operation and every answer: applied or not, retry or not, with the same id or a new one, and the
//! hint its body carries.

#![forbid(unsafe_code)]

pub mod answer;
pub mod batch;
mod blob;
mod body;
pub mod code;
mod codec;
pub mod files;
pub mod frame;
pub mod hello;
mod id;
pub mod operation;
pub mod operator;
pub mod refusal;
mod text;

pub use blob::Blob;
pub use body::Body;
pub use codec::{Decode, Encode, Malformed, decode, encode};
pub use id::{LedgerId, MemberKey, NotAKey, Proof, RequestId};
pub use text::{List, Prose, Text, TooLong};

/// The protocol's name in the TLS handshake.
pub const ALPN: &[u8] = b"tidegate/1";
