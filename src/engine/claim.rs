//! Claims of orders by their numbers: before the order is known, or after; and orders that are made known without a member.
//!
//! Promises: an order's points are given to one member once, whoever claims it, however often, and whatever its record gave already. A
//! member has no more guesses than the programme allows; a guess tells it no more than that the order is not known to be its own, or
//! that an order of this number can be claimed no more.
//! Who decides holds the member and the order's shard of the directory.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{ClaimOrder, ReportOrder};
use tidegate_protocol::refusal::LimitReached;
use tidegate_protocol::{LedgerId, Proof};

use super::Context;
use super::admit::Request;
use super::counters::Counter;
use super::draft::{Asker, Draft, Given, counted};
use super::effect::Effect;
use super::kept::{KeptOrder, MemberSlot};
use super::keyed::{Known, NaturalKey, once_known};
use super::lots::second_of;
use super::member::Member;
use super::order::{Order, checked, named_channel, paid_in_time};
use super::part::{Change, DirectoryPart, Found, MemberPart};
use super::refusal::Refusal;
use crate::programme::{ClaimRules, Period};

/// What a report comes to.
pub struct Report {
    /// The directory's part.
    pub taken: DirectoryPart,
    /// What is kept of the order.
    pub kept: KeptOrder,
    /// The part of the member whose claim waited for it and is granted.
    pub granted: Option<MemberPart>,
    /// Whether a claim waited: 0 none did, 1 it is granted, 2 it is refused.
    pub waited: u8,
    /// Until when the order can be claimed.
    pub until_ms: i64,
}

/// How many guesses a member has used in the period of now, and how many it can.
pub fn guesses(context: &Context<'_>, member: &Member) -> (u32, u32) {
    let Some(rules) = &context.programme.claims else { return (0, 0) };
    (member.used(counted::CLAIM, 0, period(context, rules)), rules.guesses)
}

fn period(context: &Context<'_>, rules: &ClaimRules) -> i32 {
    rules.each.first_day(context.programme.zone.local_day(context.now_ms))
}

/// Whether an order that was paid then can be claimed now.
pub(super) fn can_be_claimed(context: &Context<'_>, rules: &ClaimRules, paid_at_ms: i64) -> bool {
    claimable_until_ms(rules, paid_at_ms) > context.now_ms
}

/// The instant from which an order that was paid then can be claimed no more.
fn claimable_until_ms(rules: &ClaimRules, paid_at_ms: i64) -> i64 {
    paid_at_ms.saturating_add(rules.within_ms)
}

/// The second until which that is kept.
pub(super) fn kept_until_s(rules: &ClaimRules, paid_at_ms: i64) -> u32 {
    let until_ms = claimable_until_ms(rules, paid_at_ms).saturating_add(999);
    second_of(until_ms)
}

/// Where a claim meets what is known.
enum Met {
    /// Nothing of it is known.
    Nothing,
    /// Another's claim waits, or the order is another's, or the proof is not its own.
    Wrong,
    /// It is the member's.
    Own(KeptOrder),
}

/// Decides a claim; gives what is kept of the order from now on, where that changes. `recorded` tells whether the order's number is
/// taken.
pub fn claim_order(
    asker: Asker<'_>,
    kept: Option<KeptOrder>,
    recorded: bool,
    key: NaturalKey,
    body: &ClaimOrder,
) -> Result<Option<KeptOrder>, Refusal> {
    let Asker { context, at, member, .. } = asker;
    let programme = context.programme;
    let rules = programme.claims.as_ref().ok_or(Refusal::Plain(answer::NO_CLAIMS))?;
    let channel = named_channel(context, &body.channel, &body.number)?;
    if !rules.admits(channel) {
        return Err(Refusal::Plain(answer::NO_CLAIMS));
    }
    let draft = |found| Draft::asked(asker, Change::Claimed { channel, fingerprint: key, found });
    match met(context, rules, at, member, kept, recorded, body.proof)? {
        Met::Own(kept) => {
            let found = Found::Own { paid_at_ms: kept.paid_at_ms, amount_minor: kept.amount_minor };
            let mut draft = draft(found);
            draft.claims(&kept, rules)?;
            draft.finish();
            let claimant = kept.claimant.filter(|claimant| *claimant != at);
            let kept = KeptOrder { owner: Some(at), claimant, claimed: true, ..kept };
            Ok(Some(kept))
        }
        Met::Wrong => {
            let used = guesses(context, member).0 + 1;
            let left = rules.guesses.saturating_sub(used).min(u32::from(u16::MAX)) as u16;
            let mut draft = draft(Found::Wrong { left });
            draft.count(Counter { campaign: counted::CLAIM, offer: 0, period: period(context, rules), used });
            draft.finish();
            Ok(None)
        }
        Met::Nothing => {
            let used = guesses(context, member).0 + 1;
            let until_s = second_of(context.now_ms.saturating_add(rules.wait_ms));
            let mut draft = draft(Found::Waits { until_s });
            draft.count(Counter { campaign: counted::CLAIM, offer: 0, period: period(context, rules), used });
            let programme = context.number as u16;
            let (claimant, proof) = (Some(at), body.proof);
            let kept = KeptOrder { key, proof, claimant, until_s, programme, channel, ..KeptOrder::FREE };
            draft.finish();
            Ok(Some(kept))
        }
    }
}

/// What a claim meets; a refusal where it is none that can be decided.
fn met(
    context: &Context<'_>,
    rules: &ClaimRules,
    at: MemberSlot,
    member: &Member,
    kept: Option<KeptOrder>,
    recorded: bool,
    proof: Proof,
) -> Result<Met, Refusal> {
    let open = |kept: &KeptOrder| can_be_claimed(context, rules, kept.paid_at_ms);
    // What proves nothing can never be the owner's, unless the order was recorded for it.
    let own = |kept: &KeptOrder| kept.known && kept.owner == Some(at);
    if rules.proof && proof == Proof::default() && !kept.as_ref().is_some_and(own) {
        return Err(Refusal::Plain(answer::PROOF_MISSING));
    }
    match kept {
        Some(kept) if own(&kept) => {
            return match kept.claimed {
                true => Err(Refusal::Plain(answer::ALREADY_CLAIMED)),
                false if !open(&kept) => Err(Refusal::Plain(answer::NOT_CLAIMABLE)),
                false => Ok(Met::Own(kept)),
            };
        }
        Some(kept) if !kept.known && !recorded && kept.claimant == Some(at) => {
            return Err(Refusal::Plain(answer::ALREADY_CLAIMED));
        }
        _ => {}
    }
    let (used, times) = guesses(context, member);
    if used >= times {
        let zone = &context.programme.zone;
        let again_ms = match rules.each {
            Period::Life => 0,
            each => zone.day_start_ms(each.next_day(zone.local_day(context.now_ms))),
        };
        return Err(Refusal::LimitReached(LimitReached { times, used, again_ms }));
    }
    match kept {
        None if recorded => Err(Refusal::Plain(answer::NOT_CLAIMABLE)),
        None => Ok(Met::Nothing),
        Some(kept) if !kept.known && recorded || kept.known && !open(&kept) => {
            Err(Refusal::Plain(answer::NOT_CLAIMABLE))
        }
        Some(kept) if kept.known && kept.owner.is_none() && proves(rules, kept.proof, proof) => Ok(Met::Own(kept)),
        Some(_) => Ok(Met::Wrong),
    }
}

/// Whether a claim's proof is the order's, if one is asked for. Of zeros it is none.
fn proves(rules: &ClaimRules, orders: Proof, claims: Proof) -> bool {
    !rules.proof || orders == claims && claims != Proof::default()
}

/// How it stands with a member's claim of an order: as `claim` numbers it, and the second until which that is kept. `recorded` tells
/// whether the order's number is taken.
pub fn claim_state(context: &Context<'_>, at: MemberSlot, kept: Option<KeptOrder>, recorded: bool) -> (u8, u32) {
    let Some(kept) = kept else { return (0, 0) };
    let rules = context.programme.claims.as_ref().filter(|rules| rules.admits(kept.channel));
    let open = rules.is_some_and(|rules| can_be_claimed(context, rules, kept.paid_at_ms));
    let (owns, claims) = (kept.owner == Some(at), kept.claimant == Some(at));
    let state = match (kept.known, owns, claims) {
        (false, _, true) if !recorded => 1,
        (true, true, _) if kept.claimed => 2,
        (true, true, _) if open => 4,
        // Also where its order came, and nothing more is kept of that.
        (_, false, true) => 3,
        _ => return (0, 0),
    };
    (state, kept.until_s)
}

/// Decides a report, or finds that it came before. `claimant` is the member whose claim is kept, if one waits.
pub fn report_order(
    context: &Context<'_>,
    known: &Known,
    kept: Option<KeptOrder>,
    claimant: Option<&Member>,
    key: NaturalKey,
    request: &Request,
    body: &ReportOrder,
) -> Result<Result<Report, LedgerId>, Refusal> {
    let order = Order::from(body);
    let after_ms = match once_known(context, known, request, order.paid_at_ms, false)? {
        Ok(after_ms) => after_ms,
        Err(before) => return Ok(Err(before)),
    };
    let programme = context.programme;
    let (channel, earning) = checked(context, &order)?;
    let rules = programme.claims.as_ref().filter(|rules| rules.admits(channel));
    let rules = rules.ok_or(Refusal::Plain(answer::NO_CLAIMS))?;
    if rules.proof && body.proof == Proof::default() {
        return Err(Refusal::Plain(answer::PROOF_MISSING));
    }
    paid_in_time(context, &order, after_ms)?;
    let amount_minor = order.amount_minor(earning.counts);
    let mut kept_now = KeptOrder {
        key,
        proof: body.proof,
        amount_minor,
        base: earning.points(order.sold(earning.counts)).max(0),
        paid_at_ms: order.paid_at_ms,
        until_s: kept_until_s(rules, order.paid_at_ms),
        programme: context.number as u16,
        channel,
        known: true,
        ..KeptOrder::FREE
    };
    let until_ms = claimable_until_ms(rules, order.paid_at_ms);
    let mut waited = 0;
    let mut granted = None;
    if let Some((kept, claimant)) = kept.filter(|kept| !kept.known).zip(claimant)
        && let Some(at) = kept.claimant
    {
        waited = 2;
        kept_now.claimant = Some(at);
        if proves(rules, body.proof, kept.proof) && until_ms > context.now_ms {
            granted = grant(context, at, claimant, rules, &kept_now);
        }
        if granted.is_some() {
            waited = 1;
            kept_now = KeptOrder { owner: Some(at), claimant: None, claimed: true, ..kept_now };
        }
    }
    let entry = known.taken(key, request.hash, context.number, order.paid_at_ms);
    let taken = DirectoryPart::Taken { now_ms: context.now_ms, slot: known.slot, entry };
    Ok(Ok(Report { taken, kept: kept_now, granted, waited, until_ms }))
}

/// The part of a member whose claim waited; `None` if its points cannot be given, so that the claim is refused.
fn grant(
    context: &Context<'_>,
    at: MemberSlot,
    member: &Member,
    rules: &ClaimRules,
    kept: &KeptOrder,
) -> Option<MemberPart> {
    Draft::unasked(context, at.slot, member, context.now_ms, |draft| {
        draft.change(Change::ClaimGranted {
            channel: kept.channel,
            fingerprint: kept.key,
            paid_at_ms: kept.paid_at_ms,
            amount_minor: kept.amount_minor,
        });
        draft.claims(kept, rules).ok()
    })
}

impl Draft<'_> {
    /// Gives what a claim of an order brings beyond what its record gave; and where nobody recorded it, what any order brings.
    fn claims(&mut self, kept: &KeptOrder, rules: &ClaimRules) -> Result<(), Refusal> {
        let given = Given { channel: kept.channel, happened_ms: kept.paid_at_ms };
        self.earn_beyond(kept.given, kept.base, &rules.giving, &given)?;
        if kept.owner.is_none() {
            self.ordered(kept.amount_minor, kept.paid_at_ms)?;
        }
        Ok(())
    }

    /// Does something whole or not at all: what a refusal leaves of it is taken back. Whether it was done.
    pub(super) fn or_nothing(&mut self, work: impl FnOnce(&mut Self) -> Result<(), Refusal>) -> bool {
        let before = self.effects().len();
        let done = work(self).is_ok();
        if !done {
            self.forget_effects(before);
        }
        done
    }

    /// Points given so far by a source.
    pub(super) fn given_by(&self, source: u16) -> i64 {
        self.effects().iter().fold(0, |sum, effect| match effect {
            Effect::Granted { points, name } if name.source == source => sum + points,
            Effect::Pended(pending) if pending.name.source == source => sum + pending.points,
            _ => sum,
        })
    }
}
