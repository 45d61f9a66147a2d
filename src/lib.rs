//! Tidegate: a points and campaign engine for membership programmes, atomic, exact and durable.

pub mod data;
pub mod engine;
pub mod log;
pub mod operator;
pub mod planted;
pub mod programme;
pub mod server;
pub mod snapshot;
pub mod storage;
pub mod store;
mod sync;
