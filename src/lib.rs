//! Tidegate: a points and campaign engine.

pub mod log;
pub mod storage;
