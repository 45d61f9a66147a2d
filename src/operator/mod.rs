//! The commands of the one binary, and what operators watch.

pub mod certs;
