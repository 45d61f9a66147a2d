//! How fast the processor goes while a load is measured. The host of a virtual machine may slow all processors down together (its
//! power, its heat, its other guests) without taking them away: no other figure shows it, every program takes several times as
//! long meanwhile, and what waits shows in the tail of the latencies.
//!
//! A thread of its own does the same arithmetic two hundred times a second, which is some 20 us and 0.4 % of a processor, and
//! reads what it cost in processor time: waiting for a processor does not count, and the arithmetic touches no memory. What the
//! kernel does in between for others, such as a packet that comes in, would count; therefore a piece has [`PARTS`] parts, and
//! costs what the quickest of them does. It sees the processors that the harness may use: not the one that its own server
//! decides on, nor another machine's.

use std::hint::black_box;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How far apart the pieces are.
const APART: Duration = Duration::from_millis(5);
/// The parts of a piece: an interrupt falls into one of them, a processor that is slow is slow in all.
const PARTS: usize = 4;
/// What a part is.
const STEPS: u32 = 2_000;

/// What the quickest part of a piece cost in processor time, and how long it was since the one before.
type Piece = (Duration, Duration);

/// The thread that measures, until it is asked.
pub(crate) struct Pace {
    end: Sender<()>,
    thread: JoinHandle<Vec<Piece>>,
}

impl Pace {
    /// Starts measuring; `None` if there is no thread to be had.
    pub(crate) fn start() -> Option<Pace> {
        let (end, ended) = channel();
        let measure = move || {
            let (mut pieces, mut from) = (Vec::new(), Instant::now());
            loop {
                let cost = piece();
                let now = Instant::now();
                pieces.push((cost, now - from));
                from = now;
                if ended.recv_timeout(APART) != Err(RecvTimeoutError::Timeout) {
                    return pieces;
                }
            }
        };
        let thread = std::thread::Builder::new().name("pace".into()).spawn(measure).ok()?;
        Some(Pace { end, thread })
    }

    /// Ends it. The part of the time in which the processor went at less than half its speed.
    pub(crate) fn slowed(self) -> f64 {
        slowed(&self.end())
    }

    fn end(self) -> Vec<Piece> {
        // Nobody to tell is a thread that is at its end already.
        let _ = self.end.send(());
        self.thread.join().expect("it does sums")
    }
}

/// The part of the time before pieces that cost more than twice what a quick one does. The quickest tenth is the measure: it is what
/// the processor can do, unless it is slowed down for nine tenths of the run.
fn slowed(pieces: &[Piece]) -> f64 {
    let mut costs: Vec<Duration> = pieces.iter().map(|(cost, _)| *cost).collect();
    costs.sort_unstable();
    let quick = costs[costs.len() / 10];
    let time = |slower: Duration| -> Duration {
        pieces.iter().filter(|(cost, _)| *cost > slower).map(|(_, since)| *since).sum()
    };
    time(2 * quick).div_duration_f64(time(Duration::ZERO))
}

/// What the quickest part of a piece cost.
fn piece() -> Duration {
    quickest([(); PARTS].map(|()| part()))
}

fn quickest(parts: [Duration; PARTS]) -> Duration {
    parts.into_iter().min().expect("a piece has parts")
}

/// The processor time of one part.
fn part() -> Duration {
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
        let of = |costs: &[u64]| {
            let pieces: Vec<Piece> = costs.iter().map(|us| (Duration::from_micros(*us), APART)).collect();
            slowed(&pieces)
        };
        assert_eq!(of(&[20]), 0.0);
        assert_eq!(of(&[20, 21, 22, 40]), 0.0);
        assert_eq!(of(&[20, 41, 20, 200]), 0.5);
        assert_eq!(of(&[200, 200, 200, 20, 200, 200, 200, 200, 20, 200]), 0.8, "slow for most of the time");
    }

    #[test]
    fn what_falls_into_one_part_does_not_count() {
        assert_eq!(quickest([5, 60, 6, 5].map(Duration::from_micros)), Duration::from_micros(5));
        assert_eq!(quickest([50, 60, 55, 80].map(Duration::from_micros)), Duration::from_micros(50), "slow in all");
    }

    #[test]
    fn a_slow_piece_counts_by_the_time_since_the_one_before() {
        let (quick, slow) = (Duration::from_micros(20), Duration::from_micros(200));
        assert_eq!(slowed(&[(quick, APART), (slow, 3 * APART), (quick, APART), (quick, APART)]), 0.5);
    }

    #[test]
    fn it_measures_until_it_is_asked() {
        let (pace, begin) = (Pace::start().unwrap(), Instant::now());
        // However slow the machine is: a second piece is done at some time.
        std::thread::sleep(100 * APART);
        let pieces = pace.end();
        let measured: Duration = pieces.iter().map(|(_, since)| *since).sum();
        assert!(pieces.len() > 1 && measured <= begin.elapsed() + APART, "{pieces:?}");
        assert!(pieces.iter().all(|(cost, _)| *cost > Duration::from_micros(1)), "2,000 steps take longer: {pieces:?}");
    }
}
