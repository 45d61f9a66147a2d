//! The names of `tidegate::sync`, over loom's locks and atomics.

use std::time::Duration;

pub use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub use loom::sync::{Condvar, MutexGuard};

/// Loom knows no time, and runs every order: once is enough.
pub const TRIES: usize = 1;

/// Lets others go on.
pub use loom::thread::yield_now as pause;

/// Loom's mutex without poisoning, as parking_lot has none.
#[derive(Debug, Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// A mutex around a value.
    pub fn new(value: T) -> Mutex<T> {
        Mutex(loom::sync::Mutex::new(value))
    }

    /// Locks it, if nobody holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }

    /// Locks it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a model that panics ends")
    }
}

/// Waits on a condition with the lock released; returns with it held again.
pub fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).expect("a model that panics ends")
}

/// Loom knows no time: every wait is over at once.
pub fn wait_for<'a, T>(_: &Condvar, guard: MutexGuard<'a, T>, _: Duration) -> MutexGuard<'a, T> {
    guard
}
