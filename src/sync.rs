//! The locks and atomics of everything hand-made, behind one name, so that loom can model the very same code.

use std::time::Duration;

pub use parking_lot::{Condvar, Mutex, MutexGuard};
pub use std::hint::spin_loop as pause;
pub use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How often a lock that is held is looked at again before waiting in line for it: a few tens of microseconds.
pub const TRIES: usize = 256;

/// Waits on a condition with the lock released; returns with it held again.
pub fn wait<'a, T>(condition: &Condvar, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(&mut guard);
    guard
}

/// Waits no longer than `most`; a wake-up may come early.
pub fn wait_for<'a, T>(condition: &Condvar, mut guard: MutexGuard<'a, T>, most: Duration) -> MutexGuard<'a, T> {
    condition.wait_for(&mut guard, most);
    guard
}
