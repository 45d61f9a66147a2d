//! Server time (I9): boot wall time plus the monotonic clock, slewed gently towards the wall clock.
//!
//! Promises: never runs back, not even behind the newest record of the directory: time stands still there until the clock
//! has caught up. A step of the wall clock by more than a second is reported and not followed; a restart,
//! which is an operator's word, follows it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where decisions get their time from.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// Called about once a second: lets the clock follow the wall. Gives the step it refuses to follow, milliseconds.
    fn discipline(&self) -> i64 {
        0
    }
}

/// The most by which time is slewed in one call of [`Clock::discipline`].
const SLEW_US_MOST: i64 = 500;
/// The step of the wall clock that is not followed.
const STEP_US: i64 = 1_000_000;

/// The clock of a server.
#[derive(Debug)]
pub struct SystemClock {
    boot: Instant,
    boot_us: i64,
    slewed_us: AtomicI64,
    /// The newest time that was told, or that a record has.
    newest_ms: AtomicI64,
}

fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock {
            boot: Instant::now(),
            boot_us: wall_us(),
            slewed_us: AtomicI64::new(0),
            newest_ms: AtomicI64::new(i64::MIN),
        }
    }
}

impl SystemClock {
    /// Stands still at the newest record's time until it has caught up: ids minted and deadlines counted from it then go
    /// with decisions, which are never made before that time.
    pub fn not_before(&self, newest_ms: i64) {
        self.newest_ms.fetch_max(newest_ms, Ordering::Relaxed);
    }

    fn now_us(&self) -> i64 {
        self.boot_us + self.boot.elapsed().as_micros() as i64 + self.slewed_us.load(Ordering::Relaxed)
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let now_ms = self.now_us() / 1000;
        // Slewing back may pass a whole millisecond.
        now_ms.max(self.newest_ms.fetch_max(now_ms, Ordering::Relaxed))
    }

    fn discipline(&self) -> i64 {
        let behind_us = wall_us() - self.now_us();
        if behind_us.abs() > STEP_US {
            return behind_us / 1000;
        }
        self.slewed_us.fetch_add(behind_us.clamp(-SLEW_US_MOST, SLEW_US_MOST), Ordering::Relaxed);
        0
    }
}

/// A clock that tests move by hand.
#[derive(Debug)]
pub struct HandClock(AtomicI64);

impl HandClock {
    /// Stands still at an instant.
    pub fn at(now_ms: i64) -> HandClock {
        HandClock(AtomicI64::new(now_ms))
    }

    /// Moves to an instant.
    pub fn set(&self, now_ms: i64) {
        self.0.store(now_ms, Ordering::Release);
    }
}

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_at_the_newest_record_until_it_is_caught_up() {
        let clock = SystemClock::default();
        let now_ms = clock.now_ms();
        clock.not_before(now_ms + 3_600_000);
        assert_eq!(clock.now_ms(), now_ms + 3_600_000);
        clock.not_before(now_ms - 3_600_000);
        assert_eq!(clock.now_ms(), now_ms + 3_600_000, "what was told is not taken back");
    }

    #[test]
    fn time_never_runs_back_while_it_is_slewed() {
        let clock = SystemClock::default();
        let told = clock.now_ms();
        clock.slewed_us.fetch_sub(5_000_000, Ordering::Relaxed);
        assert!(clock.now_ms() >= told);
    }
}
