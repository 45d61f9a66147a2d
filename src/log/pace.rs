//! How far apart epochs are cut.
//!
//! Under light load the flusher goes back to back, and a request waits for one `fdatasync` and nothing else. Under heavy load that would
//! be three thousand epochs a second, each with interrupts, wake-ups and cold caches whatever it holds; then they are cut [`APART`] from
//! each other, and what comes within that time waits for it. The processor time saved is what keeps queues short: figures in
//! `docs/architecture.md`.
//!
//! Never waits after an epoch that held little, and never longer than [`APART`].

use std::time::{Duration, Instant};

/// The time between two cuts under heavy load.
const APART: Duration = Duration::from_millis(1);
/// Heavy is that many bytes of records, or more: about 130,000 redemptions a second.
const HEAVY_BYTES_PER_MS: u128 = 16 << 10;

/// The pace of one flusher.
pub(super) struct Pace {
    last_cut: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Pace {
        Pace { last_cut: now }
    }

    /// An epoch cut at `cut` held so many bytes of records and is durable at `now`: how long to wait for the next cut.
    pub(super) fn wait(&mut self, cut: Instant, bytes: u64, now: Instant) -> Option<Duration> {
        let filled_us = cut.saturating_duration_since(self.last_cut).as_micros();
        self.last_cut = cut;
        let heavy = bytes > 0 && u128::from(bytes) * 1000 >= HEAVY_BYTES_PER_MS * filled_us;
        let wait = APART.saturating_sub(now.saturating_duration_since(cut));
        (heavy && !wait.is_zero()).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Duration = Duration::from_micros(1);

    #[test]
    fn light_load_never_waits() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin);
        for turn in 1..50 {
            let cut = begin + 300 * turn * US;
            assert_eq!(pace.wait(cut, 4_000, cut + 150 * US), None, "13 KB a millisecond");
        }
    }

    #[test]
    fn under_heavy_load_cuts_are_a_millisecond_apart() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin);
        let cut = begin + 300 * US;
        assert_eq!(pace.wait(cut, 60_000, cut + 150 * US), Some(850 * US));
        // At that pace the same load is still heavy, and half of it is too; a quarter is not.
        assert_eq!(pace.wait(cut + 1000 * US, 60_000, cut + 1150 * US), Some(850 * US));
        assert_eq!(pace.wait(cut + 2000 * US, 30_000, cut + 2150 * US), Some(850 * US));
        assert_eq!(pace.wait(cut + 3000 * US, 15_000, cut + 3150 * US), None);
    }

    #[test]
    fn a_slow_disk_is_pace_enough() {
        let begin = Instant::now();
        let cut = begin + 2000 * US;
        assert_eq!(Pace::new(begin).wait(cut, 1 << 20, cut + 1500 * US), None);
    }

    #[test]
    fn an_empty_epoch_is_never_heavy() {
        let begin = Instant::now();
        assert_eq!(Pace::new(begin).wait(begin, 0, begin), None);
    }
}
