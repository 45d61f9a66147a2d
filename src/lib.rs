//! Tidegate: a points and campaign engine for membership programmes, atomic, exact and durable.

#[forbid(unsafe_code)]
pub mod data;
#[forbid(unsafe_code)]
pub mod engine;
#[forbid(unsafe_code)]
pub mod log;
#[forbid(unsafe_code)]
pub mod operator;
#[forbid(unsafe_code)]
pub mod planted;
#[forbid(unsafe_code)]
pub mod programme;
#[forbid(unsafe_code)]
pub mod server;
#[forbid(unsafe_code)]
pub mod snapshot;
#[forbid(unsafe_code)]
pub mod storage;
pub mod store;
#[forbid(unsafe_code)]
mod sync;
