//! What operators run: the commands of the binary.

pub mod check;
