//! When an answer may be told: the promise towards callers, as one rule that every outbox asks.
//!
//! | durability | an answer that waits for an epoch is told |
//! |---|---|
//! | fsync | once that epoch is durable (I4) |
//! | an interval | at once, marked as not durable, as long as less than the interval has passed since the oldest answer was told that a crash could still take back; else once its epoch is durable |
//!
//! Promises for an interval: at any instant, the answers that a crash would take back were told within one interval, from the
//! first of them to the last. When the disk is slower than that, answers are held back until the log has caught up: what is
//! lost is bounded, not how long an answer takes. Pure: it has no clock, and is fed with instants (of any origin, never
//! running back) and with epochs.

use std::collections::VecDeque;
use std::time::Duration;

use crate::planted::{Bug, planted};

/// What callers may rely on when they are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// What is told is durable.
    #[default]
    Fsync,
    /// What is told may be taken back by a crash, as much as was told within this time.
    Interval(Duration),
}

/// How an answer may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// It is durable.
    Durable,
    /// A crash could still take it back: it must say so.
    Early,
}

/// The rule, with what it must remember: what was told early and is not durable yet.
#[derive(Debug, Default)]
pub struct Promise {
    durability: Durability,
    durable: u64,
    /// When the first answer was told that waited for an epoch, and that epoch; both rise. An answer that was told later for
    /// an earlier epoch is durable by then, so that it needs no line of its own.
    early: VecDeque<(Duration, u64)>,
}

impl Promise {
    /// Nothing told yet.
    pub fn new(durability: Durability) -> Promise {
        Promise { durability, ..Promise::default() }
    }

    /// Every epoch up to this one is durable.
    pub fn made_durable(&mut self, epoch: u64) {
        self.durable = self.durable.max(epoch);
        while self.early.front().is_some_and(|(_, waits_for)| *waits_for <= self.durable) {
            self.early.pop_front();
        }
    }

    /// Whether and how an answer that waits for `epoch` may be told now; whoever asks tells it. `None` holds it back until
    /// more is durable: waiting alone never changes that.
    pub fn tell(&mut self, epoch: u64, now: Duration) -> Option<Telling> {
        if epoch <= self.durable {
            return Some(Telling::Durable);
        }
        let Durability::Interval(interval) = self.durability else { return None };
        let is_over = self.early.front().is_some_and(|(oldest, _)| now.saturating_sub(*oldest) >= interval);
        if is_over && !planted(Bug::EndlessInterval) {
            return None;
        }
        if self.early.back().is_none_or(|(_, newest)| *newest < epoch) {
            self.early.push_back((now, epoch));
        }
        Some(Telling::Early)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn within_50_ms() -> Promise {
        Promise::new(Durability::Interval(50 * MS))
    }

    #[test]
    fn i4_with_fsync_nothing_is_told_before_it_is_durable() {
        let mut promise = Promise::new(Durability::Fsync);
        assert_eq!(promise.tell(1, MS), None);
        promise.made_durable(1);
        assert_eq!(promise.tell(1, MS), Some(Telling::Durable));
        assert_eq!(promise.tell(2, 1_000 * MS), None);
    }

    #[test]
    fn what_is_durable_is_told_as_such_and_anything_else_as_early() {
        let mut promise = within_50_ms();
        assert_eq!(promise.tell(1, MS), Some(Telling::Early));
        promise.made_durable(1);
        assert_eq!(promise.tell(1, 2 * MS), Some(Telling::Durable));
    }

    #[test]
    fn a_log_that_is_behind_holds_answers_back_until_it_has_caught_up() {
        let mut promise = within_50_ms();
        assert_eq!(promise.tell(1, 10 * MS), Some(Telling::Early));
        assert_eq!(promise.tell(2, 30 * MS), Some(Telling::Early));
        assert_eq!(promise.tell(3, 59 * MS), Some(Telling::Early));
        assert_eq!(promise.tell(3, 60 * MS), None, "the first was told 50 ms ago");
        promise.made_durable(1);
        assert_eq!(promise.tell(3, 60 * MS), Some(Telling::Early), "the oldest that can be lost is of 30 ms");
        assert_eq!(promise.tell(4, 80 * MS), None);
        promise.made_durable(3);
        assert_eq!(promise.tell(4, 500 * MS), Some(Telling::Early));
    }

    #[test]
    fn an_interval_of_nothing_tells_one_instant_at_most() {
        let mut promise = Promise::new(Durability::Interval(Duration::ZERO));
        assert_eq!(promise.tell(1, MS), Some(Telling::Early));
        assert_eq!(promise.tell(1, MS), None);
    }

    proptest! {
        /// Against a list of all that was ever told, with epochs in any order.
        #[test]
        fn what_a_crash_takes_back_was_told_within_one_interval(
            interval in 1u64..60,
            steps in prop::collection::vec((0u64..20, 1u64..6, any::<bool>()), 1..400),
        ) {
            let mut promise = Promise::new(Durability::Interval(interval as u32 * MS));
            let (mut now, mut durable, mut told) = (Duration::ZERO, 0, Vec::new());
            for (wait, ahead, syncs) in steps {
                now += wait as u32 * MS;
                if syncs {
                    durable += ahead / 2;
                    promise.made_durable(durable);
                    continue;
                }
                let epoch = (durable + ahead).saturating_sub(1);
                let telling = promise.tell(epoch, now);
                prop_assert_eq!(telling == Some(Telling::Durable), epoch <= durable);
                let lost: Vec<Duration> =
                    told.iter().filter(|(_, epoch)| *epoch > durable).map(|(at, _)| *at).collect();
                let span = now - lost.first().copied().unwrap_or(now);
                match telling {
                    Some(Telling::Durable) => {}
                    Some(Telling::Early) => {
                        prop_assert!(lost.is_empty() || span < interval as u32 * MS, "{span:?} can be lost");
                        told.push((now, epoch));
                    }
                    None => prop_assert!(span >= interval as u32 * MS, "held back needlessly, at a span of {span:?}"),
                }
            }
        }
    }
}
