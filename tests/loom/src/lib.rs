//! Loom models of what is hand-made: the cut, the epoch, the watermark and its waiters, the doorbell, the reserve of spares.
//!
//! The modules under test are the very sources of `tidegate`; only their locks and atomics are loom's. Every model runs all
//! interleavings of up to three threads with at most three preemptions; a lost wake-up shows as a deadlock.

#![forbid(unsafe_code)]

#[allow(dead_code, reason = "a part of it is modelled")]
#[path = "../../../src/log/doorbell.rs"]
pub mod doorbell;
#[allow(dead_code, reason = "a part of it is modelled")]
#[path = "../../../src/store/place.rs"]
pub mod place;
#[allow(dead_code, reason = "a part of it is modelled")]
#[path = "../../../src/log/reserve.rs"]
mod reserve;
pub mod sync;
#[allow(dead_code, reason = "a part of it is modelled")]
#[path = "../../../src/log/watermark.rs"]
pub mod watermark;

#[cfg(test)]
mod models;
