//! Orders to points: what of an order counts, and what it comes to. Each order once for ever by its channel and number.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{OrderLine, RecordOrder, RecordOrderLines};
use tidegate_protocol::refusal::{PaidInTheFuture, TooOld};

use super::Context;
use super::admit::Request;
use super::draft::{Draft, Given};
use super::effect::Effects;
use super::keyed::NaturalKey;
use super::member::Member;
use super::part::{Change, MemberPart};
use super::refusal::Refusal;
use crate::programme::{Counts, Deed, Measure, Sold};

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

impl<'a> From<&'a RecordOrder> for Order<'a> {
    fn from(order: &'a RecordOrder) -> Order<'a> {
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
    fn sold(&self, counts: Counts) -> impl Iterator<Item = Sold<'a>> {
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

/// Decides an order whose key is new. `after_ms` is the instant at or before which it might be forgotten.
pub fn record_order(
    context: &Context<'_>,
    slot: u32,
    member: &Member,
    key: NaturalKey,
    request: &Request,
    order: &Order<'_>,
    after_ms: i64,
) -> Result<MemberPart, Refusal> {
    let programme = context.programme;
    let channel = checked_channel(context, order)?;
    let earning = programme.earning.as_ref().ok_or(Refusal::Plain(answer::NO_ORDERS))?;
    let until_ms = context.now_ms + programme.orders.ahead_ms;
    if order.paid_at_ms > until_ms {
        return Err(Refusal::PaidInTheFuture(PaidInTheFuture { until_ms }));
    }
    if order.paid_at_ms <= after_ms {
        return Err(Refusal::TooOld(TooOld { after_ms }));
    }
    let amount_minor = order.sold(earning.counts).map(|sold| sold.amount_minor).sum();
    let change = Change::Ordered { channel, fingerprint: key, paid_at_ms: order.paid_at_ms, amount_minor };
    let mut draft = Draft::asked(context, slot, member, request, change, Effects::new());
    let given = Given { channel, happened_ms: order.paid_at_ms };
    draft.earn(earning.points(order.sold(earning.counts)), &earning.giving, &given)?;
    let counts = match programme.ladder.measure {
        Measure::Points => 0,
        Measure::Spend => amount_minor,
        Measure::Orders => 1,
        Measure::Growth => earning.growth(amount_minor),
    };
    if programme.ladder.measure != Measure::Points {
        draft.progress(programme.ladder.measure, order.paid_at_ms, counts)?;
    }
    draft.qualifies(Deed::Order(amount_minor), order.paid_at_ms);
    Ok(draft.finish())
}

/// What is wrong with an order whatever the state: gives its channel's number.
fn checked_channel(context: &Context<'_>, order: &Order<'_>) -> Result<u16, Refusal> {
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
    let channel = programme.channel(order.channel);
    Ok(channel.ok_or(Refusal::Plain(answer::UNKNOWN_CHANNEL))?.number)
}
