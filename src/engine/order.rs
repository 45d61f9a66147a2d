//! Orders to points: what of an order counts, and what it comes to. Each order once for ever by its channel and number.

use tidegate_protocol::Text;
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{OrderLine, RecordOrder, RecordOrderLines, ReportOrder};
use tidegate_protocol::refusal::{PaidInTheFuture, TooOld};

use super::Context;
use super::claim::{can_be_claimed, kept_until_s};
use super::draft::{Asker, Draft, Given};
use super::effect::Effect;
use super::kept::{KeptOrder, Waiting};
use super::keyed::NaturalKey;
use super::lots::{NEVER_S, second_of};
use super::part::Change;
use super::pending::Pending;
use super::refusal::Refusal;
use crate::programme::{ClaimRules, Counts, Deed, Earning, Measure, Sold, source};

/// An order, with lines or without.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// When it was paid, milliseconds since 1970.
    pub paid_at_ms: i64,
    brand: &'a str,
    channel: &'a str,
    store: &'a str,
    number: &'a str,
    /// What was paid in all, where there are no lines.
    amount_minor: i64,
    lines: Option<&'a [OrderLine]>,
    freight_minor: i64,
}

/// Of orders without lines one is like the other.
macro_rules! without_lines {
    ($body:ty) => {
        impl<'a> From<&'a $body> for Order<'a> {
            fn from(order: &'a $body) -> Order<'a> {
                Order {
                    paid_at_ms: order.paid_at_ms,
                    brand: order.brand.as_str(),
                    channel: order.channel.as_str(),
                    store: order.store.as_str(),
                    number: order.number.as_str(),
                    amount_minor: order.amount_minor,
                    lines: None,
                    freight_minor: 0,
                }
            }
        }
    };
}

without_lines!(RecordOrder);
without_lines!(ReportOrder);

impl<'a> From<&'a RecordOrderLines> for Order<'a> {
    fn from(order: &'a RecordOrderLines) -> Order<'a> {
        Order {
            paid_at_ms: order.paid_at_ms,
            brand: order.brand.as_str(),
            channel: order.channel.as_str(),
            store: order.store.as_str(),
            number: order.number.as_str(),
            amount_minor: 0,
            lines: Some(order.lines.as_slice()),
            freight_minor: order.freight_minor,
        }
    }
}

impl<'a> Order<'a> {
    /// What counts of it, line by line; what was paid for bringing it stands by itself.
    pub(super) fn sold(&self, counts: Counts) -> impl Iterator<Item = Sold<'a>> {
        let Order { brand, channel, store, .. } = *self;
        let whole = move |amount_minor| Sold { category: "", store, channel, brand, amount_minor };
        let plain = self.lines.is_none().then(|| whole(self.amount_minor));
        let lines = self.lines.unwrap_or_default().iter().map(move |line| {
            let paid = line.amount_minor - line.coupon_minor - line.points_minor;
            let parts = [(counts.paid, paid), (counts.coupon, line.coupon_minor), (counts.points, line.points_minor)];
            let amount_minor = parts.into_iter().filter(|(counts, _)| *counts).map(|(_, part)| part).sum();
            Sold { category: line.category.as_str(), ..whole(amount_minor) }
        });
        let freight = (counts.freight && self.freight_minor > 0).then(|| whole(self.freight_minor));
        plain.into_iter().chain(lines).chain(freight)
    }

    /// What counts of it in all, minor units.
    pub(super) fn amount_minor(&self, counts: Counts) -> i64 {
        self.sold(counts).map(|sold| sold.amount_minor).sum()
    }

    /// Whether its amounts can be: none below zero, no share above its line, and a sum that is a number.
    fn adds_up(&self) -> bool {
        let line = |line: &OrderLine| {
            let shares = line.coupon_minor.checked_add(line.points_minor)?;
            let fits =
                line.quantity > 0 && line.coupon_minor >= 0 && line.points_minor >= 0 && shares <= line.amount_minor;
            fits.then_some(line.amount_minor)
        };
        let lines = self.lines.unwrap_or_default().iter().try_fold(0i64, |sum, it| sum.checked_add(line(it)?));
        let sum = lines.and_then(|sum| sum.checked_add(self.freight_minor));
        self.amount_minor >= 0 && self.freight_minor >= 0 && sum.is_some() && self.lines.is_none_or(|it| !it.is_empty())
    }
}

/// Decides an order whose key is new. `after_ms` is the instant at or before which it might be forgotten; `kept` what is kept of it
/// already, which can only be a claim that came before it. Gives what is kept of it from now on, if anything is.
pub fn record_order(
    asker: Asker<'_>,
    kept: Option<KeptOrder>,
    key: NaturalKey,
    order: &Order<'_>,
    after_ms: i64,
) -> Result<Option<Box<KeptOrder>>, Refusal> {
    let Asker { context, at, .. } = asker;
    let programme = context.programme;
    let (channel, earning) = checked(context, order)?;
    paid_in_time(context, order, after_ms)?;
    let amount_minor = order.amount_minor(earning.counts);
    let change = Change::Ordered { channel, fingerprint: key, paid_at_ms: order.paid_at_ms, amount_minor };
    let mut draft = Draft::asked(asker, change);
    let given = Given { channel, happened_ms: order.paid_at_ms };
    let base = earning.points(order.sold(earning.counts));
    draft.earn(base, &earning.giving, &given)?;
    let claims = programme.claims.as_ref().filter(|rules| rules.admits(channel));
    let keeps = claims.is_some() || earning.giving.terms.waits_for_receipt();
    let now = keeps.then(|| {
        let now = KeptOrder { key, amount_minor, base: base.max(0), paid_at_ms: order.paid_at_ms, ..KeptOrder::FREE };
        let now = KeptOrder { programme: context.number as u16, channel, owner: Some(at), known: true, ..now };
        draft.keeps(now, kept, claims, earning, &given)
    });
    let now = now.flatten();
    draft.ordered(amount_minor, order.paid_at_ms)?;
    draft.finish();
    Ok(now)
}

impl Draft<'_> {
    /// What is kept of an order that its member pays now, whose points are given: as long as it can be claimed, or they wait for the
    /// receipt. A claim of the member's own that waited for it is granted with it, if it can be; another's is refused.
    fn keeps(
        &mut self,
        now: KeptOrder,
        kept: Option<KeptOrder>,
        claims: Option<&ClaimRules>,
        earning: &Earning,
        given: &Given,
    ) -> Option<Box<KeptOrder>> {
        let receipt = earning.giving.terms.waits_for_receipt();
        let points = self.given_by(source::ORDERS);
        let waiting = self.effects().iter().find_map(|effect| match effect {
            Effect::Pended(Pending { opens_s, name, .. }) if receipt && name.source == source::ORDERS => {
                Some(Waiting { opens_s: *opens_s, name: *name })
            }
            _ => None,
        });
        let claimable_s = claims.map_or(0, |rules| kept_until_s(rules, now.paid_at_ms));
        let until_s = claimable_s.max(waiting.map_or(0, |waiting| waiting.opens_s)).min(NEVER_S - 1);
        if until_s <= second_of(self.context.now_ms) {
            return None;
        }
        let claimant = kept.filter(|kept| !kept.known).and_then(|kept| kept.claimant);
        let own = claimant == now.owner;
        let claimed = match claims.filter(|rules| own && can_be_claimed(self.context, rules, now.paid_at_ms)) {
            // Who cannot have it now is not refused its order for that, and can claim it later.
            Some(rules) => self.or_nothing(|draft| draft.earn_beyond(points, now.base, &rules.giving, given)),
            None => false,
        };
        let claimant = claimant.filter(|_| !own);
        Some(Box::new(KeptOrder { given: points, waiting, until_s, claimant, claimed, ..now }))
    }

    /// What an order brings beside its own points: the ladder counts it, and an invited member may qualify.
    pub(super) fn ordered(&mut self, amount_minor: i64, paid_at_ms: i64) -> Result<(), Refusal> {
        let programme = self.context.programme;
        let counts = match programme.ladder.measure {
            Measure::Points => 0,
            Measure::Spend => amount_minor,
            Measure::Orders => 1,
            Measure::Growth => programme.earning.as_ref().map_or(0, |earning| earning.growth(amount_minor)),
        };
        if programme.ladder.measure != Measure::Points {
            self.progress(programme.ladder.measure, paid_at_ms, counts)?;
        }
        self.qualifies(Deed::Order(amount_minor), paid_at_ms);
        Ok(())
    }
}

/// When an order can have been paid.
pub(super) fn paid_in_time(context: &Context<'_>, order: &Order<'_>, after_ms: i64) -> Result<(), Refusal> {
    let until_ms = context.now_ms + context.programme.orders.ahead_ms;
    if order.paid_at_ms > until_ms {
        return Err(Refusal::PaidInTheFuture(PaidInTheFuture { until_ms }));
    }
    if order.paid_at_ms <= after_ms {
        return Err(Refusal::TooOld(TooOld { after_ms }));
    }
    Ok(())
}

/// The channel's number of an order that is only named.
pub(super) fn named_channel(context: &Context<'_>, channel: &Text, number: &Text) -> Result<u16, Refusal> {
    if number.as_str().is_empty() {
        return Err(Refusal::Plain(answer::NO_ORDER_NUMBER));
    }
    let channel = context.programme.channel(channel.as_str());
    Ok(channel.ok_or(Refusal::Plain(answer::UNKNOWN_CHANNEL))?.number)
}

/// What is wrong with an order whatever the state: gives its channel's number, and how orders earn.
pub(super) fn checked<'p>(context: &Context<'p>, order: &Order<'_>) -> Result<(u16, &'p Earning), Refusal> {
    let programme = context.programme;
    if order.number.is_empty() {
        return Err(Refusal::Plain(answer::NO_ORDER_NUMBER));
    }
    if !programme.has_brand(order.brand) {
        return Err(Refusal::Plain(answer::UNKNOWN_BRAND));
    }
    if !order.adds_up() {
        return Err(Refusal::Plain(answer::INVALID_AMOUNT));
    }
    let channel = programme.channel(order.channel).ok_or(Refusal::Plain(answer::UNKNOWN_CHANNEL))?.number;
    Ok((channel, programme.earning.as_ref().ok_or(Refusal::Plain(answer::NO_ORDERS))?))
}
