//! The watermark: the newest durable epoch, and whoever waits for it.
//!
//! Promises: what waits for an epoch is woken once that epoch is published, never before, and never sleeps through it;
//! after a failure nothing is published any more and every waiter is told. Modelled with loom.

use crate::sync::{AtomicBool, AtomicU64, Condvar, Mutex, Ordering, wait};

/// Something to be woken after every publication, such as a runtime's queue of answers.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// The log failed: nothing that was not durable before will ever be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log failed; what was not durable before is not told to anyone")]
pub struct LogFailed;

/// The newest durable epoch.
pub struct Watermark {
    durable: AtomicU64,
    failed: AtomicBool,
    wakes: Mutex<Vec<Wake>>,
    moved: Condvar,
}

impl Watermark {
    /// Everything up to `durable` is durable already.
    pub fn new(durable: u64) -> Watermark {
        Watermark {
            durable: AtomicU64::new(durable),
            failed: AtomicBool::new(false),
            wakes: Mutex::new(Vec::new()),
            moved: Condvar::new(),
        }
    }

    /// The newest durable epoch.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Whether the log failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Tells that every epoch up to this one is durable. Only the flusher calls it, after the `fdatasync`.
    pub fn publish(&self, epoch: u64) {
        assert!(epoch > self.durable(), "epochs are published in order");
        self.durable.store(epoch, Ordering::Release);
        self.wake();
    }

    /// Tells that nothing will be published any more.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.wake();
    }

    /// Adds something to be woken after every publication and on failure.
    pub fn on_move(&self, wake: Wake) {
        self.wakes.lock().push(wake);
    }

    /// Blocks until an epoch is durable.
    pub fn wait(&self, epoch: u64) -> Result<(), LogFailed> {
        let mut guard = self.wakes.lock();
        while self.durable() < epoch {
            if self.has_failed() {
                return Err(LogFailed);
            }
            guard = wait(&self.moved, guard);
        }
        Ok(())
    }

    /// The lock makes sure that a waiter which saw the old epoch sleeps already, and hears this.
    fn wake(&self) {
        let wakes = self.wakes.lock();
        self.moved.notify_all();
        wakes.iter().for_each(|wake| wake());
    }
}

impl std::fmt::Debug for Watermark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watermark").field("durable", &self.durable()).field("failed", &self.has_failed()).finish()
    }
}
