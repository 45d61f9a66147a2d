//! A whole server and its gateways, stepped by one seed in one thread, over a disk, a network and clocks that fail, held
//! against a naive model of the rules.
//!
//! What is real: the store and its rules, the log and its flusher, snapshots, recovery, outboxes, fencing, the client's
//! table of calls. What is simulated: the disk ([`tidegate::storage::Memory`]), the way of the bytes, the clocks, and who runs
//! when. The same seed gives the same trace, byte by byte.

#![forbid(unsafe_code)]

pub mod asking;
mod backups;
pub mod calendar;
pub mod claims;
mod counts;
pub mod dice;
mod disk;
pub mod earning;
pub mod gateway;
pub mod holds;
pub mod ladder;
pub mod model;
pub mod multipliers;
mod operators;
mod process;
pub mod quizzes;
pub mod referral;
pub mod rules;
pub mod shop;
mod shrink;
pub mod terms;
mod trace;
mod traffic;
mod wire;
mod world;

pub use counts::Counts;
pub use shrink::shrink;
pub use wire::entry;
pub use world::{FAULTS, Fault, Outcome, Plan, run};
