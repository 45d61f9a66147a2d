//! How often a member used what is limited.

/// How often a member used a limit in one window. Campaign 0 is an unused counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// The campaign's number.
    pub campaign: u16,
    /// The offer's number; 0 where the limit is over all offers.
    pub offer: u16,
    /// The local day on which the window opened.
    pub period: i32,
    /// How often it was used.
    pub used: u32,
}

impl Counter {
    fn counts(&self, campaign: u16, offer: u16) -> bool {
        (self.campaign, self.offer) == (campaign, offer)
    }
}

/// The first counters of a member; most have no more.
pub type FirstCounters = [Counter; 2];

/// How often the limit was used in the window that opened on `period`.
///
/// A counter of an earlier window counts nothing. A counter of a later one means that the calendar was changed backwards
/// by a new version: it counts, so that no limit is renewed by that.
pub fn used<'a>(counters: impl Iterator<Item = &'a Counter>, campaign: u16, offer: u16, period: i32) -> u32 {
    let mut counters = counters;
    counters
        .find(|counter| counter.counts(campaign, offer) && counter.period >= period)
        .map_or(0, |counter| counter.used)
}

/// Puts a counter in the place of its predecessor or into a free one; gives it back if there is neither.
pub fn put<'a>(counters: impl Iterator<Item = &'a mut Counter>, counter: Counter) -> Option<Counter> {
    let mut free = None;
    for known in counters {
        if known.counts(counter.campaign, counter.offer) {
            *known = counter;
            return None;
        }
        if known.campaign == 0 && free.is_none() {
            free = Some(known);
        }
    }
    match free {
        Some(free) => {
            *free = counter;
            None
        }
        None => Some(counter),
    }
}
