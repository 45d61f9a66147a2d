//! A member's days: in which zone they are counted, and the days in a row that ended before the newest, so that a day between them
//! can still be filled in.
//!
//! Kept are only runs that something can still reach: who never missed a day has none. What came before they were kept is
//! not known, and no day before it is filled in, so that none is checked in twice.

/// Days in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The last of them.
    pub last: i32,
    /// How many.
    pub days: u16,
}

impl Run {
    /// The first of them.
    pub fn first(self) -> i32 {
        self.last.saturating_sub(i32::from(self.days)).saturating_add(1)
    }
}

/// What is kept of a member's days beside its newest run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Days {
    /// The zone's number; 0 for the programme's.
    pub zone: u16,
    /// The zone in which the last check-in was counted.
    pub former: u16,
    /// Nothing is known of this day and those before it; `None`: of those before the newest run.
    pub after: Option<i32>,
    /// Bonuses that were given for days which, with a gap filled in, do not bring them: later ones are set off against them.
    pub owed: i64,
    runs: Vec<Run>,
}

impl Days {
    /// The runs before the newest, ascending.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Adds a run, in the place of those that it has come to include.
    pub fn add(&mut self, run: Run) {
        self.forget_within(run);
        let behind = self.runs.partition_point(|known| known.last < run.last);
        self.runs.insert(behind, run);
    }

    /// Drops the runs that lie within another.
    pub fn forget_within(&mut self, run: Run) {
        self.runs.retain(|known| known.last < run.first() || known.last > run.last);
    }

    /// From now on nothing is known of this day and those before it. A run that ends with it is kept: the day after continues it.
    pub fn forget_through(&mut self, after: i32) {
        self.after = Some(self.after.map_or(after, |known| known.max(after)));
        self.runs.retain(|run| run.last >= after);
    }
}
