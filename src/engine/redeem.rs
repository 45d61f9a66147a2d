//! A campaign's offer for points: window, tier, limit, points and every quota, all or nothing (I1, I2).

use arrayvec::ArrayVec;
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::Redeem;
use tidegate_protocol::refusal::{LimitReached, NotEnoughPoints, NotOpen, SoldOut, TierNotAdmitted};

use super::Context;
use super::counters::Counter;
use super::draft::{Asker, Draft};
use super::effect::Effect;
use super::member::Member;
use super::part::{CellUse, Change, QUOTAS_MOST};
use super::quota::{Block, CellName};
use super::refusal::Refusal;
use super::standing::standing;
use crate::programme::{Campaign, LimitOver, Offer, Quota, Span};

/// What a grant changes beside its member. Written where it stays, as a member's part is.
#[derive(Debug, Default)]
pub struct Counted {
    /// Slots and names of the cells that come to be, each empty.
    pub opened: ArrayVec<(u32, CellName), QUOTAS_MOST>,
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
    let offer = campaign.offer(body.offer).ok_or(Refusal::Plain(answer::NO_SUCH_OFFER))?;
    let open = open_window(context, campaign)?;
    let (tier, price) = price(context, member, offer)?;
    let limit = limit(campaign, offer, member, &open)?;
    let balance = member.balance();
    if balance < price {
        let shortfall = price.saturating_sub(balance);
        return Err(Refusal::NotEnoughPoints(NotEnoughPoints { price, balance, shortfall }));
    }
    count(context, campaign, offer, tier, block, &open, counted)?;
    let change = Change::Redeemed {
        campaign: campaign.number as u16,
        offer: offer.number as u16,
        grant: u64::from(counted.cells[0].used),
    };
    let mut draft = Draft::asked(asker, change);
    draft.effect(Effect::Spent { points: price });
    if let Some(counter) = limit {
        draft.effect(Effect::Used(counter));
    }
    if offer.gives.is_some_and(|right| !draft.right(right)) {
        return Err(Refusal::Plain(answer::TOO_MANY_LOTS));
    }
    draft.finish();
    Ok(())
}

/// The window that is open now.
struct Open {
    period: i32,
    closes_ms: i64,
}

/// Milliseconds from now to `until_ms`, no longer than the campaign lets a gateway keep an answer.
fn hold_ms(context: &Context<'_>, campaign: &Campaign, until_ms: i64) -> u32 {
    let most = campaign.hold_answer_ms.clamp(0, i64::from(u32::MAX));
    until_ms.saturating_sub(context.now_ms).clamp(0, most) as u32
}

/// Changes with everything that could change a "no" which a gateway keeps: as yet only by activation.
fn campaign_epoch(context: &Context<'_>) -> u64 {
    u64::from(context.version)
}

fn open_window(context: &Context<'_>, campaign: &Campaign) -> Result<Open, Refusal> {
    let not_open = |opens_ms: i64| NotOpen {
        opens_ms,
        epoch: campaign_epoch(context),
        hold_ms: hold_ms(context, campaign, if opens_ms == 0 { i64::MAX } else { opens_ms }),
    };
    match campaign.window.at(context.now_ms) {
        Span::Open { period, closes_ms, .. } => Ok(Open { period, closes_ms }),
        Span::NotYet { opens_ms } => Err(Refusal::NotYetOpen(not_open(opens_ms))),
        Span::Between { next_opens_ms, .. } => Err(Refusal::Closed(not_open(next_opens_ms))),
        Span::Ended { .. } => Err(Refusal::Closed(not_open(0))),
    }
}

/// The member's tier as its number, and the offer's price for it.
fn price(context: &Context<'_>, member: &Member, offer: &Offer) -> Result<(u8, i64), Refusal> {
    let tiers = &context.programme.tiers;
    let at = context.programme.tier_numbered(member.tier).expect("a member that is settled is in a tier");
    if let Some(price) = offer.prices[at] {
        return Ok((tiers[at].number, price.points));
    }
    let next = (at + 1..tiers.len()).find(|tier| offer.prices[*tier].is_some());
    let count = standing(context, member).count;
    Err(Refusal::TierNotAdmitted(TierNotAdmitted {
        tier: tiers[at].number,
        admitted: next.map_or(0, |tier| tiers[tier].number),
        missing: next.map_or(0, |tier| tiers[tier].from.saturating_sub(count)),
    }))
}

/// The member's counter after this redemption, where the campaign has a limit.
fn limit(campaign: &Campaign, offer: &Offer, member: &Member, open: &Open) -> Result<Option<Counter>, Refusal> {
    let Some(limit) = campaign.limits.first() else { return Ok(None) };
    let number = match limit.over {
        LimitOver::AllOffers => 0,
        LimitOver::EachOffer => offer.number as u16,
    };
    let used = member.used(campaign.number as u16, number, open.period);
    if used >= limit.times {
        let again_ms = next_opening_ms(campaign, open);
        return Err(Refusal::LimitReached(LimitReached { times: limit.times, used, again_ms }));
    }
    Ok(Some(Counter { campaign: campaign.number as u16, offer: number, period: open.period, used: used + 1 }))
}

/// When the window after this one opens; 0 if none does.
fn next_opening_ms(campaign: &Campaign, open: &Open) -> i64 {
    match campaign.window.at(open.closes_ms) {
        Span::Open { opens_ms, .. } | Span::NotYet { opens_ms } => opens_ms,
        Span::Between { next_opens_ms, .. } => next_opens_ms,
        Span::Ended { .. } => 0,
    }
}

/// Checks every quota, and only when none is used up counts the unit in all of their cells.
fn count(
    context: &Context<'_>,
    campaign: &Campaign,
    offer: &Offer,
    tier: u8,
    block: &Block,
    open: &Open,
    counted: &mut Counted,
) -> Result<(), Refusal> {
    let own = CellName { period: open.period, offer: offer.number as u16, tier: 0 };
    let sold_out = |name: CellName| {
        Refusal::SoldOut(SoldOut {
            offer: u32::from(name.offer),
            tier: name.tier,
            again_ms: next_opening_ms(campaign, open),
            epoch: campaign_epoch(context),
            hold_ms: hold_ms(context, campaign, open.closes_ms),
        })
    };
    // Grants are numbered by it, without a quota too: what cannot be counted is not granted.
    let counter = Counting::of(block, own);
    if counter.used() == u32::MAX {
        return Err(sold_out(own));
    }
    let mut counting = ArrayVec::<Counting, QUOTAS_MOST>::new();
    counting.push(counter);
    let of_offer = offer.quotas.iter().map(|quota| (own.offer, quota));
    for (number, quota) in of_offer.chain(campaign.quotas.iter().map(|quota| (0, quota))) {
        let Quota { tier: only, total, .. } = *quota;
        if only.is_some_and(|only| only != tier) {
            continue;
        }
        let name = CellName { offer: number, tier: only.unwrap_or(0), ..own };
        let cell = if name == own { counter } else { Counting::of(block, name) };
        if u64::from(cell.used()) >= total.min(u64::from(u32::MAX)) {
            return Err(sold_out(name));
        }
        if name != own {
            counting.push(cell);
        }
    }
    counted.one_more(block, &counting);
    Ok(())
}

/// A cell in which the grant counts: its slot and units used, if anything was granted yet.
#[derive(Clone, Copy)]
pub(super) struct Counting {
    name: CellName,
    found: Option<(u32, u32)>,
}

impl Counting {
    pub(super) fn of(block: &Block, name: CellName) -> Counting {
        Counting { name, found: block.find(name) }
    }

    pub(super) fn used(&self) -> u32 {
        self.found.map_or(0, |(_, used)| used)
    }
}

impl Counted {
    /// One unit more in each of the cells, and nothing else.
    pub(super) fn one_more(&mut self, block: &Block, counting: &[Counting]) {
        self.opened.clear();
        self.cells.clear();
        for Counting { name, found } in counting {
            let (slot, used) = found.unwrap_or_else(|| {
                let slot = block.free_slot(self.opened.len());
                self.opened.push((slot, *name));
                (slot, 0)
            });
            self.cells.push(CellUse { slot, used: used + 1 });
        }
    }
}
