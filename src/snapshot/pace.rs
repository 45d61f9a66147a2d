//! How a snapshot keeps out of the way of those who decide: while the log is written it works a little and rests a lot.
//!
//! Copying takes a core and writing takes the disk, which every answer waits for. At full speed beside half of the maximal load, a
//! snapshot of ten million members put the p99 of answers from 7 to 350 ms; figures in `docs/architecture.md`.
//!
//! Never rests while nothing is written to the log: then nobody waits.

use std::time::{Duration, Instant};

/// So long it works before it looks up.
const STRETCH: Duration = Duration::from_micros(300);
/// It rests so many times as long as it worked: on a slow disk it takes no larger share than on a fast one.
const RESTS: u32 = 14;
/// But never longer: one slow write says little.
const REST_MOST: Duration = Duration::from_millis(50);

/// The pace of one snapshot.
pub struct Pace {
    stretch_began: Instant,
    log_bytes: u64,
}

impl Pace {
    /// A snapshot begins, with so many bytes written to the log so far.
    pub fn new(now: Instant, log_bytes: u64) -> Pace {
        Pace { stretch_began: now, log_bytes }
    }

    /// How long to rest now, if at all, with so many bytes written to the log so far.
    pub fn rest(&mut self, now: Instant, log_bytes: u64) -> Option<Duration> {
        let worked = now.saturating_duration_since(self.stretch_began);
        if worked < STRETCH {
            return None;
        }
        self.stretch_began = now;
        let written = std::mem::replace(&mut self.log_bytes, log_bytes) != log_bytes;
        written.then(|| (worked * RESTS).min(REST_MOST))
    }

    /// It works on from now: how late it woke is no work.
    pub fn rested(&mut self, now: Instant) {
        self.stretch_began = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Duration = Duration::from_micros(1);

    #[test]
    fn it_rests_most_of_the_time_while_the_log_is_written() {
        let begin = Instant::now();
        let (mut pace, mut now, mut worked, mut log_bytes) = (Pace::new(begin, 0), begin, Duration::ZERO, 0);
        for section in 0..10_000 {
            let took = (40 + section % 50) * US;
            (now, worked, log_bytes) = (now + took, worked + took, log_bytes + 100);
            if let Some(rest) = pace.rest(now, log_bytes) {
                now += rest;
                pace.rested(now);
            }
        }
        let rested = (now - begin).saturating_sub(worked).as_secs_f64() / worked.as_secs_f64();
        assert!((f64::from(RESTS) - 0.1..=f64::from(RESTS)).contains(&rested), "{rested}");
    }

    #[test]
    fn nobody_is_waited_for_where_nothing_is_written() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, 7);
        assert!((1..1000).all(|at| pace.rest(begin + at * 100 * US, 7).is_none()));
    }

    #[test]
    fn whoever_wakes_late_rests_no_longer_for_it() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, 0);
        assert!(pace.rest(begin + 400 * US, 1).is_some());
        let late = begin + 90_000 * US;
        pace.rested(late);
        assert_eq!(pace.rest(late + 100 * US, 2), None);
    }

    #[test]
    fn a_slow_write_is_no_reason_for_a_long_rest() {
        let begin = Instant::now();
        assert_eq!(Pace::new(begin, 0).rest(begin + 200_000 * US, 1), Some(REST_MOST));
    }
}
