//! The QUIC server: who may connect, what is read, what is told and when.
//!
//! Promises: a frame is decided where its bytes arrive, on the thread that read it, and answered once its epoch is
//! durable (or as the operator chose to promise less); whatever a peer sends or does not read is bounded (I8). Never: awaits, or touches the disk, while deciding.

pub mod clock;
mod connection;
mod control;
mod endpoint;
pub mod fencing;
mod files;
pub mod http;
pub mod identity;
mod node;
pub mod outbox;
pub mod outcome;
mod processor;
mod reset;
mod starting;
pub mod statement;
mod stream;
mod traffic;

pub use endpoint::{Endpoint, Listener, ServeError};
pub use node::{Node, SnapshotPolicy, Snapshots, Taken};
pub use processor::{Processor, ProcessorError};
pub use traffic::Traffic;
