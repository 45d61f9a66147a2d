//! Tidegate: a points and campaign engine.

pub mod operator;
pub mod server;
