//! Tidegate: a points and campaign engine.

pub mod programme;
