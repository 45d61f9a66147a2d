//! Tells the processor which memory will be wanted soon.
//!
//! Why: with a million members every request touches a handful of cache lines that are in no cache. Met one after the
//! other they cost most of a turn; asked for ahead, for a whole frame at once, they overlap (figures in
//! `docs/architecture.md`).

/// Asks for the cache lines of a value, which may begin anywhere in one. Changes nothing but time.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "the intrinsic takes a pointer; measured to be worth it, see above")]
pub fn prefetch<T>(value: &T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let at = std::ptr::from_ref(value).cast::<i8>();
    let last = size_of::<T>().saturating_sub(1);
    for offset in (0..last).step_by(LINE_BYTES).chain([last]) {
        // SAFETY: a prefetch reads and writes nothing the program can see and faults on no address; here every address is
        // within a value that is borrowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.add(offset)) };
    }
}

#[cfg(target_arch = "x86_64")]
const LINE_BYTES: usize = 64;

/// Asks for the cache line of an address, whatever is there, and for that of the 16 bytes before it.
#[cfg(target_arch = "x86_64")]
#[allow(
    unsafe_code,
    reason = "the intrinsic takes a pointer; without it a redemption from two lots took a tenth longer"
)]
pub fn prefetch_at(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    for at in [at.wrapping_sub(16), at] {
        // SAFETY: a prefetch reads and writes nothing the program can see and faults on no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
}

/// Elsewhere the processor is left to find out by itself.
#[cfg(not(target_arch = "x86_64"))]
pub fn prefetch_at(_at: *const u8) {}

/// Elsewhere the processor is left to find out by itself.
#[cfg(not(target_arch = "x86_64"))]
pub fn prefetch<T>(_value: &T) {}
