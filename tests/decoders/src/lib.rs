//! Every decoder, and what must hold for any bytes at all: no panic, and whatever decodes encodes to the same again.
//!
//! One function a target, each over plain bytes. The fuzz targets (`fuzz/`) call them with what libFuzzer makes up; the tests
//! of this package call them with every file of the committed corpus (`fuzz/corpus/`), on the stable toolchain. Inputs for files
//! with checksums begin with a byte that says which checksums are put right before decoding (`mend`): else no
//! change would ever get behind them.
//!
//! A target panics when something does not hold; it has no other result.

#![forbid(unsafe_code)]

mod bundle;
mod log;
mod manifest;
mod mend;
mod replay;
pub mod seeds;
mod snapshot;
mod state;
mod wire;

/// What a target does with bytes: it panics if something does not hold.
pub type Target = fn(&[u8]);

/// Every target, by its name, which is that of its corpus.
pub const TARGETS: [(&str, Target); 7] = [
    ("requests", wire::requests),
    ("answers", wire::answers),
    ("log", log::log),
    ("replay", replay::replay),
    ("snapshot", snapshot::snapshot),
    ("manifest", manifest::manifest),
    ("bundle", bundle::bundle),
];

/// Runs the target of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target's name");
    target(bytes);
}
