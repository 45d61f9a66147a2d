//! The names of places: what holds state and is locked, numbered and logged as one.

use std::fmt;

/// What a place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PlaceKind {
    /// The programmes in force; one place.
    Programmes = 0,
    /// A shard of members.
    Members = 1,
    /// A shard of the directory of order keys.
    Directory = 2,
    /// One campaign's quotas.
    Block = 3,
}

/// A place: its kind in the top byte, its index below. Part of the disk format and of ledger ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceId(u32);

impl PlaceId {
    /// The place of the programmes.
    pub const PROGRAMMES: PlaceId = PlaceId(0);

    /// Names a place; an index has 24 bits.
    pub fn new(kind: PlaceKind, index: usize) -> PlaceId {
        assert!(index < 1 << 24, "places of one kind are bounded well below 2^24");
        PlaceId((kind as u32) << 24 | index as u32)
    }

    /// Reads a name from disk; `None` if its kind is unknown.
    pub fn from_u32(value: u32) -> Option<PlaceId> {
        (value >> 24 <= PlaceKind::Block as u32).then_some(PlaceId(value))
    }

    /// The name as it stands on disk.
    pub fn to_u32(self) -> u32 {
        self.0
    }

    /// What the place holds.
    pub fn kind(self) -> PlaceKind {
        match self.0 >> 24 {
            0 => PlaceKind::Programmes,
            1 => PlaceKind::Members,
            2 => PlaceKind::Directory,
            _ => PlaceKind::Block,
        }
    }

    /// Which of its kind it is.
    pub fn index(self) -> usize {
        (self.0 & 0x00ff_ffff) as usize
    }
}

impl fmt::Display for PlaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            PlaceKind::Programmes => write!(f, "programmes"),
            PlaceKind::Members => write!(f, "members/{}", self.index()),
            PlaceKind::Directory => write!(f, "directory/{}", self.index()),
            PlaceKind::Block => write!(f, "block/{}", self.index()),
        }
    }
}

impl fmt::Debug for PlaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
