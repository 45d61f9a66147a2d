//! Requests and answers between the model's words and the bytes that gateways and servers exchange.

use tidegate_protocol::batch::{Entry, push_entry};
use tidegate_protocol::code::op;
use tidegate_protocol::operation::{CheckIn, Enrol, GetCampaign, GetLots, GetMember, GetOutcome, RecordOrder, Redeem};
use tidegate_protocol::{MemberKey, Text, decode};

use crate::model::{Ask, Asked, Order};
use crate::rules::BRAND;

fn text(text: &str) -> Text {
    Text::try_from(text).expect("short texts")
}

/// The entry of a batch that asks this.
pub fn entry(asked: &Asked) -> Vec<u8> {
    let mut bytes = Vec::new();
    let member = MemberKey::from_number(asked.member);
    let Asked { programme, deadline_ms, id, .. } = *asked;
    let out = &mut bytes;
    match &asked.ask {
        Ask::Enrol => push_entry(out, op::ENROL, programme, deadline_ms, id, &Enrol { member }),
        Ask::CheckIn => push_entry(out, op::CHECK_IN, programme, deadline_ms, id, &CheckIn { member }),
        Ask::Order(order) => {
            let Order { channel, number, paid_at_ms, amount_minor } = order;
            let (paid_at_ms, amount_minor) = (*paid_at_ms, *amount_minor);
            let (brand, channel, store, number) = (text(BRAND), text(channel), text(""), text(number));
            let body = RecordOrder { member, paid_at_ms, amount_minor, brand, channel, store, number };
            push_entry(out, op::RECORD_ORDER, programme, deadline_ms, id, &body);
        }
        Ask::Redeem(campaign, offer) => {
            let body = Redeem { member, campaign: *campaign, offer: *offer };
            push_entry(out, op::REDEEM, programme, deadline_ms, id, &body);
        }
        Ask::GetMember => push_entry(out, op::GET_MEMBER, programme, deadline_ms, id, &GetMember { member }),
        Ask::GetLots => push_entry(out, op::GET_LOTS, programme, deadline_ms, id, &GetLots { member }),
        Ask::GetCampaign(campaign) => {
            let body = GetCampaign { campaign: *campaign, slug: text("") };
            push_entry(out, op::GET_CAMPAIGN, programme, deadline_ms, id, &body);
        }
        Ask::GetOutcome(of) => {
            push_entry(out, op::GET_OUTCOME, programme, deadline_ms, id, &GetOutcome { member, id: *of });
        }
    }
    bytes
}

/// What an entry asks.
pub fn asked(entry: &Entry<'_>) -> Asked {
    let number = |member: MemberKey| u128::from_be_bytes(member.0) as u64;
    let read = "entries here are made here";
    let (member, ask) = match entry.code {
        op::ENROL => (number(decode::<Enrol>(entry.body).expect(read).member), Ask::Enrol),
        op::CHECK_IN => (number(decode::<CheckIn>(entry.body).expect(read).member), Ask::CheckIn),
        op::RECORD_ORDER => {
            let RecordOrder { member, paid_at_ms, amount_minor, channel, number: order, .. } =
                decode(entry.body).expect(read);
            let (channel, order) = (channel.as_str().to_owned(), order.as_str().to_owned());
            (number(member), Ask::Order(Order { channel, number: order, paid_at_ms, amount_minor }))
        }
        op::REDEEM => {
            let Redeem { member, campaign, offer } = decode(entry.body).expect(read);
            (number(member), Ask::Redeem(campaign, offer))
        }
        op::GET_MEMBER => (number(decode::<GetMember>(entry.body).expect(read).member), Ask::GetMember),
        op::GET_LOTS => (number(decode::<GetLots>(entry.body).expect(read).member), Ask::GetLots),
        op::GET_CAMPAIGN => (0, Ask::GetCampaign(decode::<GetCampaign>(entry.body).expect(read).campaign)),
        op::GET_OUTCOME => {
            let GetOutcome { member, id } = decode(entry.body).expect(read);
            (number(member), Ask::GetOutcome(id))
        }
        code => unreachable!("nobody asks {code:#06x}"),
    };
    Asked { programme: entry.programme, member, id: entry.id, deadline_ms: entry.deadline_ms, ask }
}
