//! The doorbell: whoever decides rings it, the flusher sleeps until it rings.
//!
//! Promises: a ring after the flusher last looked is never lost; while the flusher is awake, ringing is one atomic
//! exchange. Modelled with loom.

use std::time::Duration;

use crate::sync::{AtomicBool, Condvar, Mutex, Ordering, wait, wait_for};

/// Rung by many, heard by one.
#[derive(Debug)]
pub struct Doorbell {
    rung: AtomicBool,
    asleep: Mutex<()>,
    bell: Condvar,
}

impl Default for Doorbell {
    fn default() -> Doorbell {
        Doorbell { rung: AtomicBool::new(false), asleep: Mutex::new(()), bell: Condvar::new() }
    }
}

impl Doorbell {
    /// Rings.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // The listener looks at `rung` under this lock before it sleeps, so it either sees the ring or hears it.
            drop(self.asleep.lock());
            self.bell.notify_one();
        }
    }

    /// Whether it rang since it was last heard; hears it.
    pub fn hear(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }

    /// Sleeps until it rings; hears it.
    pub fn listen(&self) {
        let mut guard = self.asleep.lock();
        while !self.hear() {
            guard = wait(&self.bell, guard);
        }
    }

    /// Sleeps until it rings, but no longer than `most`; hears it. Whether it rang.
    pub fn listen_for(&self, most: Duration) -> bool {
        let guard = self.asleep.lock();
        if self.hear() {
            return true;
        }
        drop(wait_for(&self.bell, guard, most));
        self.hear()
    }
}
