//! Holds: a checkout's offers, rights and points are set aside together, and later confirmed, in whole or in part, or given back (I1, I2).
//!
//! Promises: all of a hold is there or nothing is; it ends once, whole; what is given back goes where it came from, also once the window is
//! closed. Who decides holds the member and the block of every campaign concerned.

use smallvec::SmallVec;
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{ConfirmPart, Hold as Asked, OfferCount};
use tidegate_protocol::{RequestId, Text};

use super::Context;
use super::counters::Counter;
use super::draft::{Asker, Draft};
use super::effect::{CELLS_HELD, Effect, NO_CELL};
use super::held::{HOLDS_MOST, HeldOffer, Hold};
use super::lots::{NEVER_S, second_of};
use super::member::Member;
use super::offer::{Tally, Wanted};
use super::part::{BlockPart, CellEnded, CellHeld, Change, MemberPart};
use super::quota::Block;
use super::redeem::enough;
use super::refusal::Refusal;
use super::tender::tender;
use crate::programme::RightCount;

/// What the offers of one hold cost in money together stays below this, so that it fits into an answer that is remembered.
pub const MONEY_BELOW: i64 = 1 << 40;

/// The blocks that a hold concerns, by the numbers of their campaigns.
pub type Blocks<'b> = [(u32, &'b Block)];

/// What an outcome changes in blocks, by the numbers of their campaigns, in the order in which it does.
pub type BlockChanges = Vec<(u32, BlockPart)>;

fn block<'b>(blocks: &Blocks<'b>, campaign: u32) -> &'b Block {
    blocks.iter().find(|(known, _)| *known == campaign).expect("whoever asks holds all blocks concerned").1
}

/// Gives back what is due in a block before anything else of it changes.
fn lapse(context: &Context<'_>, blocks: &Blocks<'_>, changes: &mut BlockChanges, campaign: u32) {
    let through_s = second_of(context.now_ms);
    if block(blocks, campaign).is_due(through_s) {
        changes.push((campaign, BlockPart::Lapsed { now_ms: context.now_ms, through_s }));
    }
}

/// Decides a hold.
pub fn hold(asker: Asker<'_>, blocks: &Blocks<'_>, body: &Asked) -> Result<BlockChanges, Refusal> {
    let Asker { context, member, .. } = asker;
    let programme = context.programme;
    let (store, due_s) = asks_for_something(context, body)?;
    if member.holds().len() >= HOLDS_MOST {
        return Err(Refusal::Plain(answer::TOO_MANY_HOLDS));
    }
    let (mut wanted, mut points, mut money_minor) = (Vec::new(), body.points, 0i64);
    let mut limits: Vec<(usize, Counter)> = Vec::new();
    for (at, OfferCount { campaign, offer, count }) in body.offers.as_slice().iter().enumerate() {
        let campaign = programme.campaign(*campaign).ok_or(Refusal::Plain(answer::NO_SUCH_CAMPAIGN))?;
        let one = Wanted::new(context, member, campaign, block(blocks, campaign.number), *offer, store)?;
        let sum = |sum: i64, price: i64| price.checked_mul(i64::from(*count)).and_then(|all| sum.checked_add(all));
        points = sum(points, one.price.points).ok_or(Refusal::Plain(answer::INVALID_AMOUNT))?;
        money_minor = sum(money_minor, one.price.money_minor)
            .filter(|sum| *sum < MONEY_BELOW)
            .ok_or(Refusal::Plain(answer::INVALID_AMOUNT))?;
        let mut fresh = SmallVec::<[Counter; 5]>::new();
        let used = |campaign, offer, period| {
            let same = |counter: &&(usize, Counter)| (counter.1.campaign, counter.1.offer) == (campaign, offer);
            let before = limits.iter().rev().find(same).map(|(_, counter)| counter.used);
            before.unwrap_or_else(|| member.used(campaign, offer, period))
        };
        one.limits(*count, used, |counter| fresh.push(counter))?;
        limits.extend(fresh.into_iter().map(|counter| (at, counter)));
        wanted.push((one, *count));
    }
    tender(context, body)?;
    enough(member, points)?;
    let rights = rights_held(context, member, body.rights.as_slice())?;

    let grace_s = u32::try_from(programme.holds.grace_ms / 1000).unwrap_or(NEVER_S);
    let mut draft = Draft::asked(asker, Change::Held { due_s, money_minor });
    draft.effect(Effect::HoldBegun { due_s, grace_s });
    let mut tallies: Vec<(u32, Tally)> = Vec::new();
    for (at, (one, count)) in wanted.iter().enumerate() {
        let campaign = u32::from(one.campaign());
        let tally = tally_of(&mut tallies, campaign, context.now_ms);
        let places = one.count(block(blocks, campaign), *count, tally)?;
        let slots: SmallVec<[u32; 8]> = places.iter().map(|place| tally.cells[usize::from(*place)].slot).collect();
        draft.offer_held(one, *count as u16, &slots);
        let own = limits.iter().filter(|(of, _)| *of == at);
        own.for_each(|(_, counter)| draft.limit_held(*counter));
    }
    rights.into_iter().for_each(|number| draft.effect(Effect::RightHeld { number }));
    if body.points > 0 {
        draft.effect(Effect::TenderHeld { points: body.points });
    }
    if points > 0 {
        draft.effect(Effect::PointsHeld { points });
    }
    draft.finish();
    let mut changes = BlockChanges::new();
    for (campaign, tally) in tallies {
        lapse(context, blocks, &mut changes, campaign);
        changes.extend(tally.held(context.now_ms, due_s).map(|part| (campaign, part)));
    }
    Ok(changes)
}

fn tally_of(tallies: &mut Vec<(u32, Tally)>, campaign: u32, now_ms: i64) -> &mut Tally {
    let at = tallies.iter().position(|(known, _)| *known == campaign).unwrap_or_else(|| {
        tallies.push((campaign, Tally::at(now_ms)));
        tallies.len() - 1
    });
    &mut tallies[at].1
}

/// What is wrong with a hold whatever the state: gives its store's number, and the second until which it holds.
fn asks_for_something(context: &Context<'_>, body: &Asked) -> Result<(u16, u32), Refusal> {
    let programme = context.programme;
    let offers = body.offers.as_slice();
    let twice = |at: usize, one: &OfferCount| {
        offers[..at].iter().any(|before| (before.campaign, before.offer) == (one.campaign, one.offer))
    };
    let empty = offers.is_empty() && body.rights.as_slice().is_empty() && body.points == 0;
    if empty || offers.iter().enumerate().any(|(at, one)| one.count == 0 || twice(at, one)) {
        return Err(Refusal::Plain(answer::EMPTY_HOLD));
    }
    if body.points < 0 || offers.iter().any(|one| one.count > u32::from(u16::MAX)) {
        return Err(Refusal::Plain(answer::INVALID_AMOUNT));
    }
    let for_ms = if body.for_ms == 0 { programme.holds.for_ms } else { i64::from(body.for_ms) };
    if for_ms > programme.holds.most_ms {
        return Err(Refusal::Plain(answer::HOLD_TOO_LONG));
    }
    let store = match body.store.as_str() {
        "" => 0,
        slug => programme.store(slug).ok_or(Refusal::Plain(answer::UNKNOWN_STORE))?.number,
    };
    Ok((store, second_of(context.now_ms.saturating_add(for_ms).saturating_add(999))))
}

/// The numbers of rights that are to be held, if the member has them.
fn rights_held(context: &Context<'_>, member: &Member, slugs: &[Text]) -> Result<Vec<u16>, Refusal> {
    let mut numbers: Vec<u16> = Vec::new();
    for slug in slugs {
        let right = context.programme.right_by_slug(slug.as_str());
        let number = right.ok_or(Refusal::Plain(answer::UNKNOWN_RIGHT))?.number;
        let taken = numbers.iter().filter(|known| **known == number).count() as u64;
        if member.right_count(number) <= taken {
            return Err(Refusal::Plain(answer::NO_RIGHT_LEFT));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

impl Tally {
    /// The parts by which what was counted is held until a second.
    fn held(self, now_ms: i64, due_s: u32) -> impl Iterator<Item = BlockPart> {
        let fresh = self.cells.clone().into_iter().filter(|cell| cell.fresh);
        let opened = fresh.map(move |cell| BlockPart::Opened {
            now_ms,
            slot: cell.slot,
            name: cell.name,
            carried: cell.carried,
        });
        let cells =
            self.cells.iter().map(|cell| CellHeld { slot: cell.slot, used: cell.used + cell.added, units: cell.added });
        opened.chain([BlockPart::Held { now_ms, due_s, cells: cells.collect() }])
    }
}

impl Draft<'_> {
    fn offer_held(&mut self, wanted: &Wanted<'_>, count: u16, slots: &[u32]) {
        let (campaign, offer, period) = (wanted.campaign(), wanted.offer.number as u16, wanted.period());
        self.effect(Effect::OfferHeld { campaign, offer, count, points: wanted.price.points });
        self.effect(Effect::WindowHeld { period, money_minor: wanted.price.money_minor });
        for few in slots.chunks(CELLS_HELD) {
            let mut slots = [NO_CELL; CELLS_HELD];
            slots[..few.len()].copy_from_slice(few);
            self.effect(Effect::CellsHeld { slots });
        }
    }

    /// A limit is used by the offer held last. A counter of a later window stands for it, if there is one.
    fn limit_held(&mut self, counter: Counter) {
        self.effect(Effect::LimitHeld(self.standing_counter(counter)));
    }

    /// A hold ends, and all that was not taken of it comes back: its limits, as far as they count still.
    fn end(&mut self, at: u16, hold: &Hold, left: impl Fn(usize, &HeldOffer) -> u16, spent: i64, through_s: u32) {
        for (nth, offer) in hold.offers.iter().enumerate() {
            let left = u32::from(left(nth, offer));
            for limit in offer.limits.iter().filter(|_| left > 0) {
                let used = self.used_in(offer.campaign, limit.offer, limit.period);
                if let Some(used) = used {
                    let (campaign, used) = (offer.campaign, used.saturating_sub(left));
                    self.effect(Effect::Used(Counter { campaign, offer: limit.offer, period: limit.period, used }));
                }
            }
        }
        let mut rest = hold.clone();
        rest.take(spent).expect("no more is spent than is held");
        let came = rest.back(through_s);
        if came.gone > 0 {
            self.effect(Effect::HeldExpired { at, through_s, points: came.gone });
        }
        self.effect(Effect::HoldEnded { at, through_s, back: came.back });
    }
}

/// What is taken of a hold.
struct Taken {
    /// By offer of the hold.
    counts: Vec<u16>,
    tender: i64,
    /// Numbers of rights.
    rights: Vec<u16>,
}

impl Taken {
    fn all(hold: &Hold) -> Taken {
        Taken {
            counts: hold.offers.iter().map(|offer| offer.count).collect(),
            tender: hold.tender,
            rights: hold.rights.iter().map(|right| right.number).collect(),
        }
    }

    fn nothing(hold: &Hold) -> Taken {
        Taken { counts: vec![0; hold.offers.len()], tender: 0, rights: Vec::new() }
    }

    /// What a part of it comes to; a refusal where the hold has not so much, or none of it is taken.
    fn part(context: &Context<'_>, hold: &Hold, body: &ConfirmPart) -> Result<Taken, Refusal> {
        let more = Refusal::Plain(answer::MORE_THAN_HELD);
        let mut taken = Taken::nothing(hold);
        for one in body.offers.as_slice() {
            let is_it = |held: &HeldOffer| (held.campaign.into(), held.offer.into()) == (one.campaign, one.offer);
            let at = hold.offers.iter().position(is_it).ok_or(more)?;
            if taken.counts[at] != 0 || one.count == 0 || one.count > hold.offers[at].count.into() {
                return Err(more);
            }
            taken.counts[at] = one.count as u16;
        }
        for slug in body.rights.as_slice() {
            let right = context.programme.right_by_slug(slug.as_str());
            let number = right.ok_or(Refusal::Plain(answer::UNKNOWN_RIGHT))?.number;
            let of_it = |numbers: &mut dyn Iterator<Item = u16>| numbers.filter(|it| *it == number).count();
            let (held, before) = (hold.rights.iter().map(|right| right.number), taken.rights.iter().copied());
            if of_it(&mut before.into_iter()) >= of_it(&mut held.into_iter()) {
                return Err(more);
            }
            taken.rights.push(number);
        }
        if !(0..=hold.tender).contains(&body.points) {
            return Err(more);
        }
        taken.tender = body.points;
        let nothing = body.offers.as_slice().is_empty() && taken.rights.is_empty() && taken.tender == 0;
        if nothing { Err(more) } else { Ok(taken) }
    }

    /// Points that it comes to.
    fn points(&self, hold: &Hold) -> i64 {
        let offers = hold.offers.iter().zip(&self.counts).map(|(offer, count)| offer.points * i64::from(*count));
        offers.sum::<i64>() + self.tender
    }
}

/// Decides that a member takes what it holds under an id: all of it, or the part that is stated.
pub fn confirm(
    asker: Asker<'_>,
    blocks: &Blocks<'_>,
    id: RequestId,
    part: Option<&ConfirmPart>,
) -> Result<BlockChanges, Refusal> {
    let Asker { context, member, .. } = asker;
    let (at, hold) = member.hold(id).ok_or(Refusal::Plain(answer::NO_SUCH_HOLD))?;
    let taken = match part {
        None => Taken::all(hold),
        Some(part) => Taken::part(context, hold, part)?,
    };
    let spent = taken.points(hold);
    let mut draft = Draft::asked(asker, Change::Confirmed { hold: id });
    if spent > 0 {
        draft.effect(Effect::HeldSpent { at, points: spent });
    }
    taken.rights.iter().for_each(|number| draft.effect(Effect::HeldRightUsed { at, number: *number }));
    draft.end(at, hold, |nth, offer| offer.count - taken.counts[nth], spent, second_of(context.now_ms));
    for (offer, count) in hold.offers.iter().zip(&taken.counts).filter(|(_, count)| **count > 0) {
        let campaign = context.programme.campaign(offer.campaign.into());
        let gives = campaign.and_then(|campaign| campaign.offer(offer.offer.into())).and_then(|offer| offer.gives);
        if let Some(RightCount { right, count: each }) = gives {
            // It is paid for: nobody is refused for having many rights.
            draft.right_beyond(RightCount { right, count: each.saturating_mul(u32::from(*count)) });
        }
    }
    draft.finish();
    Ok(ended(context, blocks, hold, &taken))
}

/// Decides that what a member holds under an id is given back.
pub fn cancel(asker: Asker<'_>, blocks: &Blocks<'_>, id: RequestId) -> Result<BlockChanges, Refusal> {
    let Asker { context, member, .. } = asker;
    let (at, hold) = member.hold(id).ok_or(Refusal::Plain(answer::NO_SUCH_HOLD))?;
    let mut draft = Draft::asked(asker, Change::Cancelled { hold: id });
    draft.end(at, hold, |_, offer| offer.count, 0, second_of(context.now_ms));
    draft.finish();
    Ok(ended(context, blocks, hold, &Taken::nothing(hold)))
}

/// What the end of a hold changes in blocks.
fn ended(context: &Context<'_>, blocks: &Blocks<'_>, hold: &Hold, taken: &Taken) -> BlockChanges {
    let mut cells: Vec<(u32, Vec<CellEnded>)> = Vec::new();
    for (offer, confirmed) in hold.offers.iter().zip(&taken.counts) {
        let campaign = u32::from(offer.campaign);
        let (confirmed, returned) = (u32::from(*confirmed), u32::from(offer.count - confirmed));
        let of = cells.iter().position(|(known, _)| *known == campaign).unwrap_or_else(|| {
            cells.push((campaign, Vec::new()));
            cells.len() - 1
        });
        for slot in &offer.cells {
            match cells[of].1.iter_mut().find(|cell| cell.slot == *slot) {
                Some(cell) => (cell.confirmed, cell.returned) = (cell.confirmed + confirmed, cell.returned + returned),
                None => cells[of].1.push(CellEnded { slot: *slot, confirmed, returned }),
            }
        }
    }
    let mut changes = BlockChanges::new();
    for (campaign, cells) in cells {
        let ended = BlockPart::Ended { now_ms: context.now_ms, due_s: hold.due_s, cells };
        // What a forged log says that a member holds is no reason to fall.
        if blocks.iter().any(|(known, block)| *known == campaign && block.takes(&ended)) {
            lapse(context, blocks, &mut changes, campaign);
            changes.push((campaign, ended));
        }
    }
    changes
}

/// The part of a member whose hold is over, which gives back all of it. Of the blocks nobody needs to be told: they know the second.
pub(super) fn over(context: &Context<'_>, slot: u32, member: &Member, at: u16, hold: &Hold) -> Option<MemberPart> {
    Draft::unasked(context, slot, member, i64::from(hold.due_s) * 1000, |draft| {
        draft.change(Change::Lapsed { hold: hold.id });
        draft.end(at, hold, |_, offer| offer.count, 0, hold.due_s);
        Some(())
    })
}
