//! What an offer asks of a member before it is granted or held: its window, the member's tier and tags, its price, limits and quotas.
//!
//! Promises: every condition is evaluated against the same instant and state; nothing is counted before all are met. A refusal says which
//! condition failed, and how long a gateway may keep the answer.

use arrayvec::ArrayVec;
use smallvec::SmallVec;
use tidegate_protocol::code::answer;
use tidegate_protocol::refusal::{LimitReached, NotOpen, SoldOut, TierNotAdmitted};

use super::Context;
use super::counters::Counter;
use super::lots::second_of;
use super::member::Member;
use super::part::QUOTAS_MOST;
use super::quota::{Block, CellName};
use super::refusal::Refusal;
use super::standing::standing;
use crate::programme::{Campaign, Each, ForStore, LimitOver, MemberLimit, Offer, Period, Price, Quota, Span};

/// A limit's counter is named by its offer, and from this bit on by what it counts by.
const EACH_SHIFT: u32 = 13;

/// A limit's counter as an answer tells whose it is: the offer's number, and 65,536 more for each number of what it counts by.
pub fn limit_offer(counter: u16) -> u32 {
    let number = u32::from(counter) & ((1 << EACH_SHIFT) - 1);
    match Each::numbered((counter >> EACH_SHIFT) as u8) {
        Some(each) if each != Each::Window => number | (each as u32) << 16,
        // A campaign whose limits are all of windows numbers its offers as high as it likes.
        _ => u32::from(counter),
    }
}

/// The window in which something counts now.
#[derive(Debug, Clone, Copy)]
struct Open {
    period: i32,
    closes_ms: i64,
}

/// An offer that a member may have, as far as it alone is concerned.
pub(super) struct Wanted<'a> {
    context: &'a Context<'a>,
    campaign: &'a Campaign,
    pub(super) offer: &'a Offer,
    /// The store's number; 0 where none is named.
    store: u16,
    /// The number of the member's tier.
    tier: u8,
    pub(super) price: Price,
    open: Open,
}

impl<'a> Wanted<'a> {
    /// Whether the offer is open to the member: its window, tier and tags, and what it costs then.
    #[inline(always)]
    pub(super) fn new(
        context: &'a Context<'a>,
        member: &Member,
        campaign: &'a Campaign,
        block: &Block,
        offer: u32,
        store: u16,
    ) -> Result<Wanted<'a>, Refusal> {
        let offer = campaign.offer(offer).ok_or(Refusal::Plain(answer::NO_SUCH_OFFER))?;
        let at = context.programme.tier_numbered(member.tier).expect("a member that is settled is in a tier");
        let open = open_window(context, campaign, block, at)?;
        let price = price_of(context, member, campaign, offer, at)?;
        Ok(Wanted { context, campaign, offer, store, tier: context.programme.tiers[at].number, price, open })
    }

    /// The campaign's number.
    pub(super) fn campaign(&self) -> u16 {
        self.campaign.number as u16
    }

    /// The local day on which the window opened.
    pub(super) fn period(&self) -> i32 {
        self.open.period
    }

    /// The first day of the period that counts now.
    fn period_of(&self, each: Each) -> i32 {
        match each {
            Each::Window => self.open.period,
            each => each.period(self.open.period, self.context.programme.zone.local_day(self.context.now_ms)),
        }
    }

    /// The counters of the limits in which so many more count, as they will be; `used` says how they are. The first that has no room
    /// refuses.
    #[inline(always)]
    pub(super) fn limits(
        &self,
        units: u32,
        used: impl Fn(u16, u16, i32) -> u32,
        mut count: impl FnMut(Counter),
    ) -> Result<(), Refusal> {
        for limit in &self.campaign.limits {
            let MemberLimit { times, each, over } = *limit;
            let number = match over {
                LimitOver::AllOffers => 0,
                LimitOver::EachOffer => self.offer.number as u16,
            };
            let (offer, period) = (number | (each as u16) << EACH_SHIFT, self.period_of(each));
            let used = used(self.campaign(), offer, period);
            if used.checked_add(units).is_none_or(|used| used > times) {
                let again_ms = self.again_ms(each);
                return Err(Refusal::LimitReached(LimitReached { times, used, again_ms }));
            }
            count(Counter { campaign: self.campaign(), offer, period, used: used + units });
        }
        Ok(())
    }

    /// When the next of what is counted so begins, and the campaign is open then; 0 if never.
    fn again_ms(&self, each: Each) -> i64 {
        let (zone, today) =
            (&self.context.programme.zone, || self.context.programme.zone.local_day(self.context.now_ms));
        let from_ms = match each {
            Each::Window => self.open.closes_ms,
            Each::Day => zone.day_start_ms(Period::Day.next_day(today())),
            Each::Week => zone.day_start_ms(Period::Week.next_day(today())),
            Each::Month => zone.day_start_ms(Period::Month.next_day(today())),
            Each::Life => return 0,
        };
        match self.campaign.window.at(from_ms) {
            Span::Open { opens_ms, .. } => opens_ms.max(from_ms),
            Span::NotYet { opens_ms } => opens_ms,
            Span::Between { next_opens_ms, .. } => next_opens_ms,
            Span::Ended { .. } => 0,
        }
    }

    /// Counts so many units in the offer's own cell and in those of all quotas that apply, unless one of them has no room; gives the
    /// places of these cells in the tally, the offer's own first.
    #[inline(always)]
    pub(super) fn count(
        &self,
        block: &Block,
        units: u32,
        tally: &mut Tally,
    ) -> Result<ArrayVec<u16, QUOTAS_MOST>, Refusal> {
        let own = CellName::of_window(self.open.period, self.offer.number as u16, 0);
        let mut places = ArrayVec::<u16, QUOTAS_MOST>::new();
        // Grants are numbered by it, without a quota too: what cannot be counted is not granted.
        let counter = tally.place(block, own, || 0);
        if tally.cells[counter].room(u64::from(u32::MAX)) < u64::from(units) {
            return Err(self.sold_out(block, own));
        }
        places.push(counter as u16);
        let of_offer = self.offer.quotas.iter().map(|quota| (own.offer, quota));
        for (number, quota) in of_offer.chain(self.campaign.quotas.iter().map(|quota| (0, quota))) {
            let Some(name) = self.cell(number, quota)? else { continue };
            let place = tally.place(block, name, || self.carried(block, name, quota));
            let cell = &tally.cells[place];
            let total = quota.total.saturating_add(if quota.carried { u64::from(cell.carried) } else { 0 });
            if cell.room(total) < u64::from(units) {
                return Err(self.sold_out(block, name));
            }
            if !places.contains(&(place as u16)) {
                places.push(place as u16);
            }
        }
        places.iter().for_each(|place| tally.cells[usize::from(*place)].added += units);
        Ok(places)
    }

    /// The cell of a quota, if it applies.
    #[inline(always)]
    fn cell(&self, offer: u16, quota: &Quota) -> Result<Option<CellName>, Refusal> {
        if quota.tier.is_some_and(|only| only != self.tier) {
            return Ok(None);
        }
        let store = match quota.store {
            ForStore::All => 0,
            _ if self.store == 0 => return Err(Refusal::Plain(answer::STORE_MISSING)),
            ForStore::One(only) if only != self.store => return Ok(None),
            ForStore::Each | ForStore::One(_) => self.store,
        };
        let (tier, period) = (quota.tier.unwrap_or(0), self.period_of(quota.each));
        Ok(Some(CellName { period, offer, store, tier, each: quota.each }))
    }

    fn carried(&self, block: &Block, name: CellName, quota: &Quota) -> u32 {
        if quota.carried { carried(self.context, self.campaign, block, name, quota.total) } else { 0 }
    }

    #[inline(never)]
    fn sold_out(&self, block: &Block, name: CellName) -> Refusal {
        let again_ms = self.again_ms(name.each);
        // By then units that are held may be free again.
        let due_ms = block.due_s().map_or(i64::MAX, |due_s| i64::from(due_s) * 1000);
        let until_ms = if again_ms == 0 { self.open.closes_ms } else { self.open.closes_ms.min(again_ms) };
        Refusal::SoldOut(SoldOut {
            offer: u32::from(name.offer),
            tier: name.tier,
            again_ms,
            epoch: campaign_epoch(self.context, block),
            hold_ms: hold_ms(self.context, self.campaign, until_ms.min(due_ms)),
        })
    }
}

/// Units that came over into a window from those before it: what was left of the newest of which anything was granted, and all of those
/// between. Before the first grant ever there are none.
pub fn carried(context: &Context<'_>, campaign: &Campaign, block: &Block, name: CellName, total: u64) -> u32 {
    let now_s = second_of(context.now_ms);
    let Some(before) = block.before(name) else { return 0 };
    let left = block
        .find(before, now_s)
        .map_or(0, |(_, cell)| total.saturating_add(u64::from(cell.carried)).saturating_sub(u64::from(cell.used)));
    let between = campaign.window.count_between(before.period, name.period);
    let all = left.saturating_add(total.saturating_mul(between));
    u32::try_from(all).unwrap_or(u32::MAX)
}

/// Cells in which something is to be counted, each once.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) cells: SmallVec<[Counting; QUOTAS_MOST]>,
    now_s: u32,
    fresh: usize,
}

/// A cell in which something is to be counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counting {
    pub(super) name: CellName,
    pub(super) slot: u32,
    /// Whether it is yet to be opened.
    pub(super) fresh: bool,
    /// Units used before.
    pub(super) used: u32,
    /// Units that came over from the window before.
    pub(super) carried: u32,
    /// Units that are counted now.
    pub(super) added: u32,
}

impl Counting {
    /// How many more units fit below a total.
    fn room(&self, total: u64) -> u64 {
        total.min(u64::from(u32::MAX)).saturating_sub(u64::from(self.used) + u64::from(self.added))
    }
}

impl Tally {
    /// Nothing counted yet, at an instant.
    pub(super) fn at(now_ms: i64) -> Tally {
        Tally { now_s: second_of(now_ms), ..Tally::default() }
    }

    /// The place of a cell here; of one that is yet to be opened, `carried` says what came over into it.
    #[inline(always)]
    pub(super) fn place(&mut self, block: &Block, name: CellName, carried: impl FnOnce() -> u32) -> usize {
        if let Some(known) = self.cells.iter().position(|cell| cell.name == name) {
            if self.cells[known].fresh && self.cells[known].carried == 0 {
                self.cells[known].carried = carried();
            }
            return known;
        }
        let counting = match block.find(name, self.now_s) {
            Some((slot, cell)) => {
                Counting { name, slot, fresh: false, used: cell.used, carried: cell.carried, added: 0 }
            }
            None => {
                self.fresh += 1;
                let slot = block.free_slot(self.fresh - 1);
                Counting { name, slot, fresh: true, used: 0, carried: carried(), added: 0 }
            }
        };
        self.cells.push(counting);
        self.cells.len() - 1
    }
}

/// Milliseconds from now to `until_ms`, no longer than the campaign lets a gateway keep an answer.
fn hold_ms(context: &Context<'_>, campaign: &Campaign, until_ms: i64) -> u32 {
    let most = campaign.hold_answer_ms.clamp(0, i64::from(u32::MAX));
    until_ms.saturating_sub(context.now_ms).clamp(0, most) as u32
}

/// Changes with everything that could change a "no" which a gateway keeps: an activation, or units that were given back.
pub fn campaign_epoch(context: &Context<'_>, block: &Block) -> u64 {
    u64::from(context.version) | block.returns() << 32
}

/// The window that is open to a tier. To some it opens earlier than to others.
#[inline(always)]
fn open_window(context: &Context<'_>, campaign: &Campaign, block: &Block, tier: usize) -> Result<Open, Refusal> {
    match campaign.window.at(context.now_ms) {
        Span::Open { period, closes_ms, .. } => Ok(Open { period, closes_ms }),
        closed => not_open(context, campaign, block, tier, closed),
    }
}

#[inline(never)]
fn not_open(
    context: &Context<'_>,
    campaign: &Campaign,
    block: &Block,
    tier: usize,
    closed: Span,
) -> Result<Open, Refusal> {
    let ahead = |tier: usize| campaign.head_start_ms.get(tier).copied().unwrap_or(0);
    let (own_ms, most_ms) = (ahead(tier), campaign.head_start_ms.iter().copied().max().unwrap_or(0));
    if own_ms > 0
        && let Span::Open { period, closes_ms, .. } = campaign.window.at(context.now_ms.saturating_add(own_ms))
    {
        return Ok(Open { period, closes_ms });
    }
    let refused = |opens_ms: i64| {
        // A gateway may not know the tier: it keeps the answer until it opens to the first of them.
        let (own_opens_ms, until_ms) = match opens_ms {
            0 => (0, i64::MAX),
            _ => (opens_ms - own_ms, opens_ms - most_ms),
        };
        NotOpen {
            opens_ms: own_opens_ms,
            epoch: campaign_epoch(context, block),
            hold_ms: hold_ms(context, campaign, until_ms),
        }
    };
    Err(match closed {
        Span::NotYet { opens_ms } => Refusal::NotYetOpen(refused(opens_ms)),
        Span::Between { next_opens_ms, .. } => Refusal::Closed(refused(next_opens_ms)),
        Span::Open { .. } | Span::Ended { .. } => Refusal::Closed(refused(0)),
    })
}

#[inline(never)]
fn not_admitted(context: &Context<'_>, member: &Member, offer: &Offer, at: usize) -> Refusal {
    let tiers = &context.programme.tiers;
    let next = (at + 1..tiers.len()).find(|tier| offer.prices[*tier].is_some());
    let count = standing(context, member).count;
    Refusal::TierNotAdmitted(TierNotAdmitted {
        tier: tiers[at].number,
        admitted: next.map_or(0, |tier| tiers[tier].number),
        missing: next.map_or(0, |tier| tiers[tier].from.saturating_sub(count)),
    })
}

/// What the offer costs the member, if its tier and tags let it have one.
#[inline(always)]
fn price_of(
    context: &Context<'_>,
    member: &Member,
    campaign: &Campaign,
    offer: &Offer,
    at: usize,
) -> Result<Price, Refusal> {
    let Some(price) = offer.prices[at] else { return Err(not_admitted(context, member, offer, at)) };
    let has = |tag: &u16| member.tags().binary_search(tag).is_ok();
    if !campaign.tags.is_empty() && !campaign.tags.iter().any(has) {
        return Err(Refusal::Plain(answer::TAG_MISSING));
    }
    Ok(offer.prices_for.iter().find(|(tag, _)| has(tag)).map_or(price, |(_, price)| *price))
}
