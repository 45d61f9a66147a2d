//! The locks and atomics of everything hand-made, behind one name, so that loom can model the very same code.

pub use parking_lot::{Condvar, Mutex, MutexGuard};
pub use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Waits on a condition with the lock released; returns with it held again.
pub fn wait<'a, T>(condition: &Condvar, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(&mut guard);
    guard
}
