//! What passes through the server, counted; and who is connected.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Counts since the start, readable from any thread.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Connections welcomed.
    pub connections: AtomicU64,
    /// Connections open now, those that only begin included.
    pub connections_open: AtomicI64,
    /// Connections refused: certificate, handshake, `HELLO`, or too many.
    pub connections_refused: AtomicU64,
    /// Connections shut out by a higher session.
    pub connections_fenced: AtomicU64,
    /// Streams failed for what they sent.
    pub streams_failed: AtomicU64,
    /// Peers closed for not reading their answers, and streams failed for not finishing a frame.
    pub peers_too_slow: AtomicU64,
    /// Frames of requests.
    pub frames: AtomicU64,
    /// Requests in them.
    pub requests: AtomicU64,
}

impl Traffic {
    pub(super) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn opened(&self, by: i64) {
        self.connections_open.fetch_add(by, Ordering::Relaxed);
    }
}
