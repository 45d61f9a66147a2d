//! What time makes needless: orders beyond the remembered horizon, what more was kept of some, and quota cells of windows long closed.
//!
//! Both are logged as outcomes and done in small steps, so that nobody waits for them.

use std::sync::atomic::Ordering;

use super::place::Held;
use super::world::Active;
use super::{Store, quiz};
use crate::engine::{Block, BlockPart, CellName, DirectoryPart, second_of};
use crate::programme::Span;

/// How long a closed window's cells are kept before they go into the campaign's totals.
const FOLD_AFTER_MS: i64 = 7 * 24 * 3_600_000;

/// An order's key is forgotten in steps of an hour of its `paid_at`, so that marks are few.
const MARK_STEP_MS: i64 = 3_600_000;

impl Store {
    /// Forgets and folds what is due at `now_ms`. Called every minute or so.
    pub fn maintain(&self, now_ms: i64) {
        for active in self.programmes() {
            self.forget_orders(&active, now_ms);
        }
        self.forget_kept(now_ms);
        for at in 0..self.programmes().len() {
            // No activation comes between: it refuses to open again what is folded, and must know all that is.
            let _structure = self.structure.lock();
            self.fold_cells(&self.programmes()[at], now_ms);
        }
    }

    fn forget_orders(&self, active: &Active, now_ms: i64) {
        let horizon_ms = now_ms - active.programme.orders.remember_ms;
        let through_ms = horizon_ms - horizon_ms.rem_euclid(MARK_STEP_MS);
        for place in &self.directory {
            let mut chunk = 0;
            loop {
                let mut held = place.lock();
                if chunk >= held.state.chunks() {
                    break;
                }
                let due = through_ms > held.state.mark_ms(active.number)
                    && held.state.has_older(chunk, active.number, through_ms);
                if due {
                    let now_ms = now_ms.max(held.journal.last_ms());
                    let part = DirectoryPart::Forgot { now_ms, programme: active.number, through_ms };
                    self.change_directory(&mut held, self.epochs.filling(), now_ms, Some(part), None);
                    chunk = 0;
                }
                let before = held.state.live();
                held.state.sweep(chunk);
                let swept = (before - held.state.live()) as u64;
                self.counts.orders.fetch_sub(swept, Ordering::Relaxed);
                chunk += 1;
            }
        }
    }

    /// Forgets what was kept of orders until now.
    fn forget_kept(&self, now_ms: i64) {
        let through_s = second_of(now_ms - now_ms.rem_euclid(MARK_STEP_MS));
        for place in &self.directory {
            let mut chunk = 0;
            loop {
                let mut held = place.lock();
                if chunk >= held.state.kept_chunks() {
                    break;
                }
                if through_s > held.state.kept_mark_s() && held.state.has_kept_until(chunk, through_s) {
                    let now_ms = now_ms.max(held.journal.last_ms());
                    let part = DirectoryPart::KeptForgot { now_ms, through_s };
                    let epoch = self.epochs.filling();
                    self.change_directory(&mut held, epoch, now_ms, Some(part), None);
                    chunk = 0;
                }
                let before = held.state.live();
                held.state.sweep_kept(chunk);
                let swept = (before - held.state.live()) as u64;
                self.counts.orders.fetch_sub(swept, Ordering::Relaxed);
                chunk += 1;
            }
        }
    }

    fn fold_cells(&self, active: &Active, now_ms: i64) {
        for block in active.blocks.iter().flatten() {
            if active.programme.quizzes.iter().any(|quiz| quiz.number == block.campaign) {
                self.fold_questions(&mut block.place.lock(), now_ms);
                continue;
            }
            let closed_before =
                match active.programme.campaign(block.campaign).map(|it| it.window.at(now_ms - FOLD_AFTER_MS)) {
                    // Whatever opened before the window that was open, or next to open, a week ago is long closed.
                    Some(Span::Open { period, .. }) => period,
                    Some(Span::Between { next_opens_ms, .. }) => active.programme.zone.local_day(next_opens_ms),
                    Some(Span::Ended { .. }) => i32::MAX,
                    Some(Span::NotYet { .. }) | None => continue,
                };
            let mut held = block.place.lock();
            self.lapse(&mut held, now_ms);
            // The newest window's cells stay: a later version may open it again, and its units are still used then.
            let fold_before = closed_before.min(held.state.newest_period());
            let due: Vec<u32> = (0u32..)
                .zip(held.state.cells())
                .filter(|(_, cell)| cell.is_some_and(|cell| is_over(cell.name, fold_before)))
                .map(|(slot, _)| slot)
                .filter(|slot| !held.state.holds_any(*slot))
                // What it left may come on top in the next.
                .filter(|slot| !held.state.is_newest(*slot))
                .take(256)
                .collect();
            let now_ms = now_ms.max(held.journal.last_ms());
            let epoch = self.epochs.filling();
            for slot in due {
                self.change_block(&mut held, epoch, now_ms, &BlockPart::Folded { now_ms, slot });
            }
        }
    }

    /// Gives back what is held no longer.
    fn lapse(&self, held: &mut Held<Block>, now_ms: i64) {
        let now_ms = now_ms.max(held.journal.last_ms());
        let through_s = second_of(now_ms);
        if held.state.is_due(through_s) {
            self.change_block(held, self.epochs.filling(), now_ms, &BlockPart::Lapsed { now_ms, through_s });
        }
    }

    fn fold_questions(&self, held: &mut Held<Block>, now_ms: i64) {
        let now_ms = now_ms.max(held.journal.last_ms());
        let (due, forgotten) = quiz::needless(&held.state, now_ms);
        let folded = due.into_iter().map(|slot| BlockPart::Folded { now_ms, slot });
        let forgotten = forgotten.map(|number| BlockPart::QuestionForgotten { now_ms, number });
        let epoch = self.epochs.filling();
        for part in folded.chain(forgotten) {
            self.change_block(held, epoch, now_ms, &part);
        }
    }
}

/// Whether what a cell counts was over before a day.
fn is_over(name: CellName, day: i32) -> bool {
    name.period < name.each.period(day, day)
}
