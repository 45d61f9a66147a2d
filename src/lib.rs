//! Tidegate: a points and campaign engine for membership programmes, atomic, exact and durable.

pub mod engine;
pub mod operator;
pub mod programme;
pub mod store;
mod sync;
