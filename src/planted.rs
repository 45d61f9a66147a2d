//! Bugs that tests plant, to see that they are found.
//!
//! Only the feature `planted` compiles them in, and even then a thread has none until [`plant`] is called on it. Without the
//! feature every site is `false` at compile time and costs nothing. The shipped binary is built without it.

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// An epoch is published before its write and sync, so that answers are told too early (I4).
    EarlyPublish,
    /// The sync of an epoch is left out (I4).
    SkippedFsync,
    /// Recovery takes a block whose checksum, or whose place in the chain, is wrong (I7).
    SkippedChecksum,
    /// A remembered id is decided again (I3).
    DroppedDeduplication,
    /// Answers wait for the cut before the one that holds what they reveal (I4).
    CutOffByOne,
    /// A snapshot stands in the manifest before the log is durable through its last epoch (I4).
    EarlyManifest,
    /// Now and then a grant gives its unit back (I2).
    UnitReturnedTwice,
    /// An activation is revealed before it is durable (I4).
    EarlyActivation,
    /// The deadline is judged before the remembered answer (I3).
    DeadlineFirst,
    /// An answer that is told early does not say so (I4).
    ForgottenFlag,
    /// With an interval everything is told early, however long the disk takes (I4).
    EndlessInterval,
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug on this thread, or digs it out.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this bug is planted here.
#[cfg(feature = "planted")]
pub fn planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether this bug is planted here: never, in a build without the feature.
#[cfg(not(feature = "planted"))]
#[inline(always)]
pub const fn planted(_bug: Bug) -> bool {
    false
}
