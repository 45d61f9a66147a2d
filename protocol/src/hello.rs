//! The first words on a connection: versions, limits, time, identity, fencing.

use serde::Serialize;

use crate::{Decode, Encode, List, Prose, RequestId, Text};

/// The protocol versions this crate speaks, first and last.
pub const VERSIONS: (u16, u16) = (1, 1);

/// `HELLO`: the client's first frame.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Hello {
    /// The lowest version the client speaks.
    pub version_min: u16,
    /// The highest.
    pub version_max: u16,
    /// The client's instance, for instance one gateway process: 16 random bytes kept for its life.
    pub instance: [u8; 16],
    /// Counts up with every reconnect that resends. A session is welcomed only after all lower ones of its instance
    /// have been shut out; connections of one session live side by side.
    pub session: u64,
    /// What the operator sees for it.
    pub name: Text,
}

/// `WELCOME`: the server's answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Welcome {
    /// The version that both speak from here on.
    pub version: u16,
    /// The server's time, milliseconds since 1970: mint ids from it, never from the client's own clock.
    pub server_ms: i64,
    /// The data directory's identity; it changes only with the data.
    pub directory: [u8; 16],
    /// Raised by every restore to an earlier point.
    pub lineage: u32,
    /// The longest body of a frame, bytes.
    pub body_bytes_most: u32,
    /// The most entries in a batch.
    pub entries_most: u16,
    /// The most frames in flight on a stream; more of them wait unread.
    pub in_flight_most: u16,
    /// The longest deadline, milliseconds after an id's time.
    pub deadline_ms_most: u32,
    /// How far an id's time may be ahead of the server's, milliseconds.
    pub ahead_ms_most: u32,
    /// Every programme this certificate may use.
    pub programmes: List<ProgrammeName, 1024>,
}

/// A programme's number, for the entries of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ProgrammeName {
    /// Stands in every entry.
    pub number: u32,
    /// The version in force.
    pub version: u32,
    /// The programme's slug.
    pub slug: Text,
}

/// Why a `HELLO` was refused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct HelloRefused {
    /// [`HelloRefused::VERSION`] and so on.
    pub reason: u16,
    /// The lowest version the server speaks.
    pub version_min: u16,
    /// The highest.
    pub version_max: u16,
    /// How long to wait before another try, milliseconds; 0 where trying again is of no use.
    pub retry_ms: u32,
    /// With [`HelloRefused::STARTING`] how far recovery is, about, per mille; else 0.
    pub progress_per_mille: u16,
    /// The reason for a person.
    pub sentence: Prose<512>,
}

impl HelloRefused {
    /// No version in common.
    pub const VERSION: u16 = 1;
    /// A higher session of this instance is here.
    pub const FENCED: u16 = 2;
    /// The server is going.
    pub const DRAINING: u16 = 3;
    /// The server is still recovering; it says how far it is, and when to come back.
    pub const STARTING: u16 = 4;
    /// The first frame was not a `HELLO`, or did not decode.
    pub const MALFORMED: u16 = 5;
    /// The certificate has no role here.
    pub const NO_ROLE: u16 = 6;
}

/// An id that nothing has.
pub const NO_ID: RequestId = RequestId([0; 16]);
