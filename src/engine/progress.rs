//! Progress: what a ladder counts of a member, summed up by day or by period of the calendar.

/// What was counted for one day, or for the period that begins with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// What is counted: a number of the programme's.
    pub measure: u8,
    /// The local day.
    pub day: i32,
    /// How much.
    pub value: i64,
}

/// The most that a bucket is let grow to by a decision, so that sums of all there can be are numbers.
pub const VALUE_MOST: i64 = 1 << 52;

/// All that is counted of a member, by measure and day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress(Vec<Bucket>);

impl Progress {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Bucket> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What was counted for the days within.
    pub fn sum(&self, measure: u8, days: std::ops::RangeInclusive<i32>) -> i64 {
        let within = self.0.iter().filter(|bucket| bucket.measure == measure && days.contains(&bucket.day));
        within.fold(0, |sum, bucket| sum.saturating_add(bucket.value))
    }

    /// Adds to a bucket. `None`, with nothing done, if the sum is no number.
    pub fn add(&mut self, added: Bucket) -> Option<()> {
        let place = self.0.binary_search_by_key(&(added.measure, added.day), |bucket| (bucket.measure, bucket.day));
        match place {
            Ok(at) => self.0[at].value = self.0[at].value.checked_add(added.value)?,
            Err(at) => self.0.insert(at, added),
        }
        Some(())
    }

    /// Drops all of earlier days.
    pub fn forget_before(&mut self, from: i32) {
        self.0.retain(|bucket| bucket.day >= from);
    }
}
