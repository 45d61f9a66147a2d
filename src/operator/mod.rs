//! What operators run: the commands of the binary.

pub mod certs;
pub mod check;
pub mod serve;
