//! Puts checksums right, so that changed bytes get behind them.
//!
//! The first byte of an input says which. A fuzzer that had to find a CRC-32C and a BLAKE3 chain by chance would test nothing else;
//! one that could never leave a wrong one would not test the checks.

/// Checksums of headers.
pub(crate) const HEADERS: u8 = 1;
/// Checksums of bodies.
pub(crate) const BODIES: u8 = 2;
/// What ties pieces together: the chain of hashes, counts, lengths.
pub(crate) const CHAIN: u8 = 4;
/// Where a piece says that it stands.
pub(crate) const PLACES: u8 = 8;

/// Everything.
pub(crate) const ALL: u8 = HEADERS | BODIES | CHAIN | PLACES;

/// The mask and the bytes that it is about.
pub(crate) fn masked(bytes: &[u8]) -> Option<(u8, &[u8])> {
    bytes.split_first().map(|(mask, rest)| (*mask, rest))
}

/// Writes the CRC-32C of `from..to` to the four bytes at `at`.
pub(crate) fn crc(bytes: &mut [u8], from: usize, to: usize, at: usize) {
    let crc = crc32c::crc32c(&bytes[from..to]);
    bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
}

/// The `u32` at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
