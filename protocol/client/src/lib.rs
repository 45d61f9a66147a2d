//! The client for gateways.

pub mod tls;
