//! The QUIC server: who may connect, sessions, admission.

pub mod identity;
