//! Makes the change that an answer tells of, and holds the answer to it.

use std::collections::BTreeMap;
use std::rc::Rc;

use tidegate_protocol::answer::{CheckedIn, Enrolled, Granted, Recorded};
use tidegate_protocol::code::answer;

use super::decide::Change;
use super::judge::{Bench, due, expect};
use super::{Applied, Asked, CellName, Told};
use crate::rules::Rules;

/// Answers that a member's window holds.
const WINDOW: usize = 4;

impl Bench<'_> {
    /// Makes a change, and holds the answer to it.
    pub(super) fn apply(&mut self, asked: &Asked, told: &Told, change: &Change) -> Result<(), String> {
        let (programme, now) = (&mut *self.programme, self.now);
        let version = programme.version;
        let member = match change {
            Change::Enrol => programme.members.entry(asked.member).or_default(),
            _ => programme.members.get_mut(&asked.member).ok_or("a change of nobody")?,
        };
        let before = member.points.balance();
        let (tier, rules, clock) = (tier_of(&programme.rules, member.earned), &programme.rules, &programme.clock);
        member.points.slide(rules, clock, now.now_ms);
        let ledger = match change {
            Change::Enrol => {
                expect(told, answer::ENROLLED)?;
                let body: Enrolled = told.read()?;
                let tier =
                    programme.tiers.iter().position(|slug| *slug == programme.rules.tiers[0].0).map_or(0, |at| at + 1);
                due((body.version, usize::from(body.tier)), (version, tier))?;
                body.ledger
            }
            Change::CheckIn { day, streak, points } => {
                expect(told, answer::CHECKED_IN)?;
                let body: CheckedIn = told.read()?;
                (member.last_day, member.streak) = (Some(*day), *streak);
                member.streak_best = member.streak_best.max(*streak);
                let given = (*points, &rules.check_in_terms, "check-in");
                member.earned += member.points.give(rules, clock, now.now_ms, tier, given);
                due(
                    (body.version, body.day, body.streak, body.before, body.after),
                    (version, *day, *streak, before, member.points.balance()),
                )?;
                body.ledger
            }
            Change::Order { points } => {
                expect(told, answer::RECORDED)?;
                let body: Recorded = told.read()?;
                let given = (*points, &rules.order_terms, "orders");
                member.earned += member.points.give(rules, clock, now.now_ms, tier, given);
                due((body.version, body.before, body.after), (version, before, member.points.balance()))?;
                body.ledger
            }
            Change::Redeem { campaign, price, cells, limit } => {
                expect(told, answer::GRANTED)?;
                let body: Granted = told.read()?;
                member.points.spend(*price);
                if let Some((of, period, used)) = limit {
                    member.limits.insert((*campaign, *of), (*period, *used));
                }
                let counts: Vec<u64> = cells.iter().map(|cell| count_one(&mut programme.cells, *cell)).collect();
                *programme.granted.entry(*campaign).or_default() += 1;
                programme.block_changed.insert(*campaign, now.epoch);
                due(
                    (body.version, body.grant, body.before, body.after),
                    (version, counts[0], before, member.points.balance()),
                )?;
                body.ledger
            }
        };
        member.changed = now.epoch;
        member
            .applied
            .entry(asked.id)
            .or_default()
            .push(Rc::new(Applied { ask: asked.ask.clone(), told: told.clone() }));
        if !matches!(change, Change::Order { .. }) {
            if member.window.len() == WINDOW
                && let Some(smallest) = member.window.pop_first()
                && self.ample
            {
                member.mark = member.mark.max(smallest);
            }
            member.window.insert(asked.id);
            member.windowed.insert(asked.id);
        }
        let newest = self.entries.insert(ledger.place, ledger.sequence).unwrap_or(0);
        if ledger.sequence <= newest {
            return Err(format!("ledger entry {ledger:?} was given before, the newest there is {newest}"));
        }
        Ok(())
    }
}

fn tier_of(rules: &Rules, earned: i64) -> usize {
    rules.tiers.iter().rposition(|(_, from)| *from <= earned).unwrap_or(0)
}

fn count_one(cells: &mut BTreeMap<CellName, u64>, cell: CellName) -> u64 {
    let used = cells.entry(cell).or_default();
    *used += 1;
    *used
}
