//! What a run did, in numbers: whoever reads them sees that it tried what it should.

use std::collections::BTreeMap;

/// Counts of a run, to see that it tried what it should.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Requests decided.
    pub decided: u64,
    /// Of these, those that changed the state.
    pub applied: u64,
    /// Requests decided from inside a write, a sync or a snapshot.
    pub meanwhile: u64,
    /// Frames refused for their session.
    pub fenced: u64,
    /// Connections lost.
    pub lost: u64,
    /// Frames told before they were durable, as the durability allows.
    pub early: u64,
    /// Of these, those that a crash took back.
    pub taken_back: u64,
    /// Frames held back because the interval was over.
    pub held_back: u64,
    /// Epochs written.
    pub epochs: u64,
    /// Snapshots published.
    pub snapshots: u64,
    /// Crashes, of power or process.
    pub crashes: u64,
    /// Crashes within recovery.
    pub crashes_in_recovery: u64,
    /// Planned restarts.
    pub restarts: u64,
    /// Activations.
    pub activations: u64,
    /// Damaged directories that were refused.
    pub refused: u64,
    /// Damaged directories that were recovered rightly all the same.
    pub survived: u64,
    /// Backups that came to their end.
    pub backups: u64,
    /// Directories restored to an epoch whose state was known.
    pub restores: u64,
    /// Answers by code.
    pub answers: BTreeMap<String, u64>,
}

impl Counts {
    /// Adds another run's.
    pub fn add(&mut self, other: &Counts) {
        let Counts {
            decided, applied, meanwhile, fenced, lost, early, taken_back, held_back, epochs, snapshots, ..
        } = other;
        let Counts { crashes, crashes_in_recovery, restarts, activations, refused, survived, .. } = other;
        let Counts { backups, restores, answers, .. } = other;
        self.decided += decided;
        self.applied += applied;
        self.meanwhile += meanwhile;
        self.fenced += fenced;
        self.lost += lost;
        self.early += early;
        self.taken_back += taken_back;
        self.held_back += held_back;
        self.epochs += epochs;
        self.snapshots += snapshots;
        self.crashes += crashes;
        self.crashes_in_recovery += crashes_in_recovery;
        self.restarts += restarts;
        self.activations += activations;
        self.refused += refused;
        self.survived += survived;
        self.backups += backups;
        self.restores += restores;
        for (answer, count) in answers {
            *self.answers.entry(answer.clone()).or_default() += count;
        }
    }
}
