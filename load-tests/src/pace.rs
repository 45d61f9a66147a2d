//! How fast the processor goes while a load is measured. The host of a virtual machine may slow all processors down together (its
//! power, its heat, its other guests) without taking them away: no other figure shows it, every program takes several times as
//! long meanwhile, and what waits shows in the tail of the latencies.
//!
//! A thread of its own does the same [`STEPS`] of arithmetic two hundred times a second, which is some 20 us and 0.4 % of a
//! processor, and reads what each cost it in processor time: waiting for a processor does not count, and the arithmetic
//! touches no memory.

use std::hint::black_box;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How far apart the pieces are.
const APART: Duration = Duration::from_millis(5);
/// What a piece is.
const STEPS: u32 = 8_000;

/// The thread that measures, until it is asked.
pub(crate) struct Pace {
    end: Sender<()>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Pace {
    /// Starts measuring; `None` if there is no thread to be had.
    pub(crate) fn start() -> Option<Pace> {
        let (end, ended) = channel();
        let measure = move || {
            let mut costs = vec![piece()];
            while ended.recv_timeout(APART) == Err(RecvTimeoutError::Timeout) {
                costs.push(piece());
            }
            costs
        };
        let thread = std::thread::Builder::new().name("pace".into()).spawn(measure).ok()?;
        Some(Pace { end, thread })
    }

    /// Ends it. The part of the time in which the processor went at less than half its speed.
    pub(crate) fn slowed(self) -> Option<f64> {
        // Nobody to tell is a thread that is at its end already.
        let _ = self.end.send(());
        slowed(self.thread.join().expect("it does sums"))
    }
}

/// The part of the pieces that cost more than twice what a quick one does. The quickest tenth is the measure: it is what the
/// processor can do, even if it is slowed down for most of the time.
fn slowed(mut costs: Vec<Duration>) -> Option<f64> {
    costs.sort_unstable();
    let quick = *costs.get(costs.len() / 10)?;
    let slow = costs.iter().filter(|cost| **cost > 2 * quick).count();
    Some(slow as f64 / costs.len() as f64)
}

/// The processor time of one piece.
fn piece() -> Duration {
    let before = used();
    // Each step needs the one before: how many a processor does at once is not what is asked.
    let mut sum = black_box(1_u64);
    for _ in 0..STEPS {
        sum ^= sum << 13;
        sum ^= sum >> 7;
        sum ^= sum << 17;
    }
    black_box(sum);
    used().saturating_sub(before)
}

/// The processor time of this thread so far.
fn used() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().expect("a clock that starts at nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_costs_twice_a_quick_piece_is_slow() {
        let of = |costs: &[u64]| slowed(costs.iter().map(|us| Duration::from_micros(*us)).collect());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[20, 21, 22, 40]), Some(0.0));
        assert_eq!(of(&[20, 41, 20, 200]), Some(0.5));
        assert_eq!(of(&[200, 200, 200, 20, 200, 200, 200, 200, 20, 200]), Some(0.8), "slow for most of the time");
    }

    #[test]
    fn it_measures_until_it_is_asked() {
        let pace = Pace::start().unwrap();
        std::thread::sleep(20 * APART);
        assert!(pace.slowed().is_some_and(|part| (0.0..=1.0).contains(&part)));
    }

    #[test]
    fn a_piece_costs_something() {
        assert!(piece() > Duration::ZERO);
    }
}
