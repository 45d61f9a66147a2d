//! The receipt of an order: points that wait for it open at their time, which can be sooner than without one.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::ConfirmReceipt;
use tidegate_protocol::refusal::PaidInTheFuture;

use super::draft::{Asker, Draft};
use super::effect::Effect;
use super::kept::KeptOrder;
use super::keyed::NaturalKey;
use super::lots::{LOTS_MOST, LotName, second_of};
use super::order::named_channel;
use super::part::Change;
use super::pending::Pending;
use super::refusal::Refusal;
use crate::programme::Measure;

/// Decides that a member received an order of which this is kept; gives what is kept of it from now on, where that changes.
pub fn confirm_receipt(
    asker: Asker<'_>,
    kept: Option<KeptOrder>,
    key: NaturalKey,
    body: &ConfirmReceipt,
) -> Result<Option<KeptOrder>, Refusal> {
    let Asker { context, at, member, .. } = asker;
    let programme = context.programme;
    let channel = named_channel(context, &body.channel, &body.number)?;
    let until_ms = context.now_ms + programme.orders.ahead_ms;
    if body.happened_ms > until_ms {
        return Err(Refusal::InTheFuture(PaidInTheFuture { until_ms }));
    }
    let kept = kept.filter(|kept| kept.known && kept.owner == Some(at));
    let waits = kept.and_then(|kept| Some((kept, kept.pending()?)));
    let (kept, pending) = waits.ok_or(Refusal::Plain(answer::NOTHING_PENDING))?;
    let is_it = |known: &Pending| (known.opens_s, known.name) == (pending.opens_s, pending.name);
    let terms = programme.earning.as_ref().map(|earning| &earning.giving.terms);
    // Nothing is received before it is paid for.
    let happened_ms = body.happened_ms.max(kept.paid_at_ms);
    let opens = terms.and_then(|terms| Some((terms, terms.opens_on_receipt_ms(&programme.zone, happened_ms)?)));
    let opens = opens.filter(|_| member.pending().any(|known| is_it(known) && known.points >= pending.points));
    let (terms, opens_ms) = opens.ok_or(Refusal::Plain(answer::NOTHING_PENDING))?;
    let opens_s = second_of(opens_ms.saturating_add(999)).min(pending.opens_s);
    let change = Change::Received { channel, fingerprint: key, happened_ms: body.happened_ms, opens_s };
    let mut draft = Draft::asked(asker, change);
    if opens_s < pending.opens_s {
        let from_ms = (i64::from(opens_s) * 1000).max(context.now_ms);
        let expiry = terms.expires(&programme.zone, draft.tier, from_ms);
        let name = LotName { expires_s: expiry.at_s, source: pending.name.source, slides: expiry.slides };
        draft.opens(pending, Pending { opens_s, name, ..pending })?;
    }
    // One that came too late to matter can be said again.
    let moved = opens_s < pending.opens_s;
    draft.finish();
    Ok(moved.then_some(KeptOrder { waiting: None, ..kept }))
}

impl Draft<'_> {
    /// Pending points open at another time, which can have come.
    fn opens(&mut self, before: Pending, then: Pending) -> Result<(), Refusal> {
        let is_like =
            |other: Pending| move |known: &Pending| (known.opens_s, known.name) == (other.opens_s, other.name);
        let at = self.member.pending().position(|known| is_like(before)(known));
        let at = at.and_then(|at| u16::try_from(at).ok()).ok_or(Refusal::Plain(answer::NOTHING_PENDING))?;
        let waits = then.opens_s > second_of(self.context.now_ms);
        let known = match waits {
            true => self.member.pending().any(|known| is_like(then)(known)),
            false => self.member.lots().has(then.name),
        };
        let all = self.member.pending().any(|known| *known == before);
        if self.member.lot_count() + usize::from(!known) - usize::from(all) > LOTS_MOST {
            return Err(Refusal::Plain(answer::TOO_MANY_LOTS));
        }
        self.effect(Effect::Unpended { points: before.points, at });
        if waits {
            self.effect(Effect::Pended(then));
            return Ok(());
        }
        self.effect(Effect::Granted { points: then.points, name: then.name });
        self.moves();
        self.progress(Measure::Points, self.context.now_ms, then.points)
    }
}
