//! The reserve: a few spares that one thread makes and another takes.
//!
//! Promises: while fewer than wanted are ready the maker does not sleep, but for a rest after a failure; numbers rise without
//! a gap; the room told to others is never more than there is; once stopped, the maker never sleeps again. Modelled with loom.

use std::collections::VecDeque;
use std::time::Duration;

use crate::sync::{AtomicBool, AtomicU64, Condvar, Mutex, Ordering, wait, wait_for};

/// Something kept ahead of need, which makes room.
pub(super) trait Ready {
    /// Bytes that it has room for.
    fn room(&self) -> u64;
}

/// What is ready, and the number of the next.
pub(super) struct Reserve<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
    stop: AtomicBool,
    wanted: usize,
}

struct State<T> {
    ready: VecDeque<T>,
    next_number: u64,
}

impl<T: Ready> Reserve<T> {
    /// Keeps `wanted`, and begins with those that are `ready`.
    pub(super) fn new(wanted: usize, ready: VecDeque<T>, next_number: u64) -> Reserve<T> {
        let state = Mutex::new(State { ready, next_number });
        Reserve { state, wake: Condvar::new(), stop: AtomicBool::new(false), wanted }
    }

    /// The one that was made first, if any is ready. Its room goes over to the caller.
    pub(super) fn take(&self, room: &AtomicU64) -> Option<T> {
        let mut state = self.state.lock();
        let taken = state.ready.pop_front()?;
        // Under the lock, so that the next is not counted before this one is taken away.
        room.fetch_sub(taken.room(), Ordering::AcqRel);
        drop(state);
        self.wake.notify_one();
        Some(taken)
    }

    /// Adds the one that was made under the number that was [missing](Reserve::missing). Only one thread makes.
    pub(super) fn put(&self, made: T, room: &AtomicU64) {
        let bytes = made.room();
        let mut state = self.state.lock();
        state.ready.push_back(made);
        state.next_number += 1;
        // Under the lock, so that it is not taken before it is counted.
        room.fetch_add(bytes, Ordering::AcqRel);
    }

    /// The number of the next, if one is missing.
    pub(super) fn missing(&self) -> Option<u64> {
        let state = self.state.lock();
        (state.ready.len() < self.wanted).then_some(state.next_number)
    }

    /// How many are ready.
    pub(super) fn len(&self) -> usize {
        self.state.lock().ready.len()
    }

    /// Sleeps until one is missing; after a failure, which says how long, that long at most. Whether the maker shall go on.
    pub(super) fn rest(&self, failed: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        if self.is_stopped() {
            return false;
        }
        if let Some(most) = failed {
            state = wait_for(&self.wake, state, most);
        } else {
            while state.ready.len() >= self.wanted && !self.is_stopped() {
                state = wait(&self.wake, state);
            }
        }
        drop(state);
        !self.is_stopped()
    }

    /// Ends a rest after a failure: there may be room now.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whether the maker shall end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Ends the maker, soon.
    pub(super) fn stop(&self) {
        // Under the lock, so that the maker cannot look at it and then sleep through the call.
        let state = self.state.lock();
        self.stop.store(true, Ordering::Release);
        drop(state);
        self.wake.notify_all();
    }
}
