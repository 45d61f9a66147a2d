//! Points that pay part of an order: how many can, of which lines.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{Hold, TenderLine};
use tidegate_protocol::refusal::TenderRefused;

use super::Context;
use super::refusal::Refusal;
use crate::programme::Tender;

/// Whether points can pay what a hold says that they do.
pub(super) fn tender(context: &Context<'_>, body: &Hold) -> Result<(), Refusal> {
    if body.points == 0 && body.lines.as_slice().is_empty() {
        return Ok(());
    }
    let rules = context.programme.tender.as_ref().ok_or(Refusal::Plain(answer::NO_TENDER))?;
    let most = most(rules, body.lines.as_slice()).ok_or(Refusal::Plain(answer::INVALID_AMOUNT))?;
    let fits = body.points >= rules.least && body.points <= most && body.points % rules.step == 0;
    if !fits {
        let Tender { least, step, .. } = *rules;
        return Err(Refusal::TenderRefused(TenderRefused { least, step, most }));
    }
    Ok(())
}

/// The most points that can pay part of these lines; 0 if none can. `None` if their amounts cannot be.
///
/// Their share of what they may pay for is rounded down to whole steps, so that it is never exceeded.
fn most(rules: &Tender, lines: &[TenderLine]) -> Option<i64> {
    let (mut all, mut may) = (0i64, 0i64);
    for line in lines {
        all = all.checked_add(line.amount_minor).filter(|_| line.amount_minor >= 0)?;
        let is = |names: &[String], name: &str| names.iter().any(|known| known == name);
        if !is(&rules.not_categories, line.category.as_str()) && !is(&rules.not_skus, line.sku.as_str()) {
            may += line.amount_minor;
        }
    }
    if all < rules.from_minor {
        return Some(0);
    }
    let share = i128::from(may) * i128::from(rules.share) / 10_000;
    let steps = share * i128::from(rules.points) / (i128::from(rules.minor) * i128::from(rules.step));
    let most = i64::try_from(steps * i128::from(rules.step)).ok()?;
    Some(if most < rules.least { 0 } else { most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_pay_whole_steps_of_their_share_of_what_they_may_pay_for() {
        let rules = Tender {
            points: 100,
            minor: 100,
            step: 50,
            least: 200,
            share: 5_000,
            from_minor: 1_000,
            not_categories: vec!["card".into()],
            not_skus: vec!["X".into()],
        };
        let line = |sku: &str, category: &str, amount_minor| TenderLine {
            sku: sku.try_into().unwrap_or_default(),
            category: category.try_into().unwrap_or_default(),
            amount_minor,
        };
        let most = |lines: &[TenderLine]| most(&rules, lines);
        assert_eq!(most(&[line("A", "tea", 1_199)]), Some(550), "599 of 1,199, in steps of 50");
        assert_eq!(most(&[line("A", "tea", 999)]), Some(0), "below what the order must come to");
        assert_eq!(most(&[line("A", "tea", 399), line("X", "tea", 5_000)]), Some(0), "below the least");
        assert_eq!(most(&[line("A", "tea", 400), line("B", "card", 5_000)]), Some(200));
        assert_eq!(most(&[line("A", "tea", i64::MAX), line("B", "tea", 1)]), None);
        assert_eq!(most(&[line("A", "tea", -1)]), None);
    }
}
