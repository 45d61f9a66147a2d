//! A campaign's offer for points: window, tier, limits, points and every quota, all or nothing (I1, I2).

use arrayvec::ArrayVec;
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::Redeem;
use tidegate_protocol::refusal::NotEnoughPoints;

use super::draft::{Asker, Draft};
use super::effect::Effect;
use super::lots::second_of;
use super::member::Member;
use super::offer::{Counting, Tally, Wanted};
use super::part::{CellUse, Change, QUOTAS_MOST};
use super::quota::{Block, CellName};
use super::refusal::Refusal;
use crate::programme::Campaign;

/// What a grant changes beside its member. Written where it stays, as a member's part is.
#[derive(Debug, Default)]
pub struct Counted {
    /// Until which second the time of something that is held was over, which is given back first.
    pub lapsed_s: Option<u32>,
    /// Slots and names of the cells that come to be, each empty, and what came over into them.
    pub opened: ArrayVec<(u32, CellName, u32), QUOTAS_MOST>,
    /// Every cell the unit counts in; of a redemption the offer's own first.
    pub cells: ArrayVec<CellUse, QUOTAS_MOST>,
}

/// Decides a redemption: every condition is evaluated against the same instant and state, before anything changes.
pub fn redeem(
    asker: Asker<'_>,
    campaign: &Campaign,
    block: &Block,
    body: &Redeem,
    counted: &mut Counted,
) -> Result<(), Refusal> {
    let Asker { context, member, .. } = asker;
    let wanted = Wanted::new(context, member, campaign, block, body.offer, 0)?;
    if wanted.price.money_minor > 0 {
        return Err(Refusal::Plain(answer::COSTS_MONEY));
    }
    let mut limits = ArrayVec::<Effect, { super::held::LIMITS_MOST }>::new();
    let used = |campaign, offer, period| member.used(campaign, offer, period);
    wanted.limits(1, used, |counter| limits.push(Effect::Used(counter)))?;
    let price = wanted.price.points;
    enough(member, price)?;
    let mut tally = Tally::at(context.now_ms);
    wanted.count(block, 1, &mut tally)?;
    counted.take(block, &tally.cells, context.now_ms);
    let change = Change::Redeemed {
        campaign: wanted.campaign(),
        offer: wanted.offer.number as u16,
        grant: u64::from(counted.cells[0].used),
    };
    let gives = wanted.offer.gives;
    let mut draft = Draft::asked(asker, change);
    draft.effect(Effect::Spent { points: price });
    limits.into_iter().for_each(|limit| draft.effect(limit));
    if gives.is_some_and(|right| !draft.right(right)) {
        return Err(Refusal::Plain(answer::TOO_MANY_LOTS));
    }
    draft.finish();
    Ok(())
}

/// Whether a member has so many points.
pub(super) fn enough(member: &Member, price: i64) -> Result<(), Refusal> {
    let balance = member.balance();
    if balance < price {
        let shortfall = price.saturating_sub(balance);
        return Err(Refusal::NotEnoughPoints(NotEnoughPoints { price, balance, shortfall }));
    }
    Ok(())
}

impl Counted {
    /// What is counted in each of the cells, one unit, and nothing else.
    pub(super) fn take(&mut self, block: &Block, counting: &[Counting], now_ms: i64) {
        let now_s = second_of(now_ms);
        self.lapsed_s = block.is_due(now_s).then_some(now_s);
        self.opened.clear();
        self.cells.clear();
        for cell in counting {
            if cell.fresh {
                self.opened.push((cell.slot, cell.name, cell.carried));
            }
            self.cells.push(CellUse { slot: cell.slot, used: cell.used + cell.added });
        }
    }
}
