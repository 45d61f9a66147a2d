//! Frames of one operation each, or of orders each with its claim, or of holds each with its confirmation: copies of a template in which only ids, members and a few bytes of the bodies are written.

use tidegate_protocol::batch::{self, ENTRY_HEAD_BYTES, REQUESTS_HEAD_BYTES};
use tidegate_protocol::code::op;
use tidegate_protocol::frame::{self, HEADER_BYTES, Kind};
use tidegate_protocol::operation::{
    AnswerQuestion, CheckIn, ClaimOrder, Confirm, Hold, OfferCount, RecordOrder, Redeem,
};
use tidegate_protocol::{Encode, List, MemberKey, Proof, RequestId, Text};

use crate::load::Numbers;
use crate::scenario::{BRAND, CHANNEL, CLAIMED, Name, QUESTION, QUIZ};

/// Milliseconds after its id's time within which a request may be applied.
pub(crate) const DEADLINE_MS: u32 = 30_000;
/// Where things stand in an entry: its id, and of its body the member and what follows it.
const ID_AT: usize = 16;
const MEMBER_AT: usize = ENTRY_HEAD_BYTES + 8;
const BEHIND_MEMBER: usize = ENTRY_HEAD_BYTES + 16;
/// Of a hold without a store, points and lines: behind time, store, points, two counts and the campaign.
const HELD_OFFER: usize = BEHIND_MEMBER + 4 + 1 + 8 + 2 + 2 + 4;
/// An order's number: so many hexadecimal digits, at the end of the body.
const NUMBER_DIGITS: usize = 16;
/// What stands behind it where it is claimed.
const PROOF_BYTES: usize = 16;

/// What of an entry is its own, beside id and member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    /// The offer's number.
    Offer(u32),
    /// Nothing.
    Nothing,
    /// The offer's number, where it is held.
    Held(u32),
    /// What was held.
    Confirm(RequestId),
    /// When the order was paid, and its number.
    Order { paid_at_ms: i64, number: u64 },
    /// The number of the order that is claimed.
    Claim { number: u64 },
    /// The answer: whether it is the right one.
    Answer(bool),
}

/// The template of a scenario's frames.
pub(crate) struct Template {
    bytes: Vec<u8>,
    /// Bytes of the first entry, and of the second: others are alike by turns.
    entry_bytes: [usize; 2],
}

fn text(text: &str) -> Text {
    Text::try_from(text).expect("short")
}

/// Appends an entry of a scenario's operation, with a body whose own bytes are still to be written.
fn push_blank(name: Name, nth: u16, numbers: &Numbers, out: &mut Vec<u8>) {
    fn push<T: Encode>(out: &mut Vec<u8>, code: u16, programme: u32, body: &T) {
        batch::push_entry(out, code, programme, DEADLINE_MS, RequestId::default(), body);
    }
    let (member, programme) = (MemberKey([0; 16]), numbers.programme);
    match name {
        Name::RedeemGranted | Name::FlashSale | Name::MonthOpening => {
            push(out, op::REDEEM, programme, &Redeem { member, campaign: numbers.campaign, offer: 0 });
        }
        Name::HoldConfirm if nth % 2 == 1 => {
            push(out, op::CONFIRM, programme, &Confirm { member, hold: RequestId::default() });
        }
        Name::HoldConfirm => {
            let (store, lines, rights) = (Text::default(), List::default(), List::default());
            let offers = List::cut([OfferCount { campaign: numbers.campaign, offer: 0, count: 1 }]);
            push(out, op::HOLD, programme, &Hold { member, for_ms: 0, store, points: 0, lines, offers, rights });
        }
        Name::CheckInMidnight => push(out, op::CHECK_IN, programme, &CheckIn { member }),
        Name::OrderClaims if nth % 2 == 1 => {
            let (channel, number) = (text(CLAIMED), text(&"0".repeat(NUMBER_DIGITS)));
            push(out, op::CLAIM_ORDER, programme, &ClaimOrder { member, channel, number, proof: Proof::default() });
        }
        Name::OrderStorm | Name::OrderClaims => {
            let channel = text(if name == Name::OrderClaims { CLAIMED } else { CHANNEL });
            let (brand, store) = (text(BRAND), Text::default());
            let number = text(&"0".repeat(NUMBER_DIGITS));
            let order = RecordOrder { member, paid_at_ms: 0, amount_minor: 100, brand, channel, store, number };
            push(out, op::RECORD_ORDER, programme, &order);
        }
        Name::Quiz => {
            let answer = AnswerQuestion { member, quiz: text(QUIZ), question: text(QUESTION), answer: text("A") };
            push(out, op::ANSWER_QUESTION, programme, &answer);
        }
    }
}

impl Template {
    pub(crate) fn new(name: Name, batch: u16, numbers: &Numbers) -> Template {
        let mut bytes = Vec::new();
        frame::write(&mut bytes, Kind::Requests, 0, 0, |out| {
            let start = batch::start_requests(out);
            for nth in 0..batch {
                push_blank(name, nth, numbers, out);
            }
            batch::finish_requests(out, start, batch);
        });
        let entry_bytes = [0, 1].map(|nth| {
            let mut entry = Vec::new();
            push_blank(name, nth, numbers, &mut entry);
            entry.len()
        });
        Template { bytes, entry_bytes }
    }

    /// Bytes of a frame.
    pub(crate) fn frame_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a frame; `next` gives each entry's id, member and what is its own.
    pub(crate) fn append(
        &self,
        out: &mut Vec<u8>,
        correlation: u64,
        mut next: impl FnMut() -> (RequestId, MemberKey, Own),
    ) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let frame = &mut out[start..];
        frame[8..16].copy_from_slice(&correlation.to_le_bytes());
        let mut rest = &mut frame[HEADER_BYTES + REQUESTS_HEAD_BYTES..];
        for nth in 0.. {
            let Some((entry, behind)) = rest.split_at_mut_checked(self.entry_bytes[nth % 2]) else { break };
            rest = behind;
            let (id, member, own) = next();
            entry[ID_AT..ID_AT + 16].copy_from_slice(&id.0);
            entry[MEMBER_AT..MEMBER_AT + 8].copy_from_slice(&member.0[8..]);
            match own {
                Own::Nothing => {}
                Own::Offer(offer) => entry[BEHIND_MEMBER + 4..BEHIND_MEMBER + 8].copy_from_slice(&offer.to_le_bytes()),
                Own::Held(offer) => entry[HELD_OFFER..HELD_OFFER + 4].copy_from_slice(&offer.to_le_bytes()),
                Own::Confirm(hold) => entry[BEHIND_MEMBER..BEHIND_MEMBER + 16].copy_from_slice(&hold.0),
                Own::Answer(right) => *entry.last_mut().expect("an entry has bytes") = if right { b'B' } else { b'A' },
                Own::Order { paid_at_ms, number } => {
                    entry[BEHIND_MEMBER..BEHIND_MEMBER + 8].copy_from_slice(&paid_at_ms.to_le_bytes());
                    let at = entry.len() - NUMBER_DIGITS;
                    write_number(&mut entry[at..], number);
                }
                Own::Claim { number } => {
                    let at = entry.len() - PROOF_BYTES - NUMBER_DIGITS;
                    write_number(&mut entry[at..at + NUMBER_DIGITS], number);
                }
            }
        }
    }
}

/// The digits of an order's number.
fn write_number(digits: &mut [u8], number: u64) {
    for (at, digit) in digits.iter_mut().enumerate() {
        let nibble = number >> (4 * (NUMBER_DIGITS - 1 - at)) & 0xf;
        *digit = b"0123456789abcdef"[nibble as usize];
    }
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::batch::Entries;
    use tidegate_protocol::decode;
    use tidegate_protocol::frame::Header;

    use super::*;
    use crate::load::key;

    /// The bodies of a patched frame of three, each of its own.
    fn patched(name: Name, own: Own) -> Vec<(u16, Vec<u8>)> {
        patched_by_turns(name, [own, own])
    }

    /// The same, of two own by turns.
    fn patched_by_turns(name: Name, owns: [Own; 2]) -> Vec<(u16, Vec<u8>)> {
        let numbers = Numbers { programme: 9, campaign: 4, offers: vec![70, 71] };
        let template = Template::new(name, 3, &numbers);
        let (mut out, mut member) = (vec![0xee; 5], 40);
        template.append(&mut out, 0x1234, || {
            member += 1;
            let own = owns[(member as usize + 1) % 2];
            (RequestId::mint(1_700_000_000_000, [member as u8; 10]), key(member), own)
        });
        let header = Header::decode(out[5..].first_chunk().unwrap()).unwrap();
        assert_eq!((header.kind, header.correlation), (Kind::Requests, 0x1234));
        let body = &out[5 + HEADER_BYTES..];
        assert_eq!(header.length as usize, body.len());
        let entries = Entries::new(body).unwrap().map(Result::unwrap).zip([41, 42, 43]);
        let checked = entries.map(|(entry, member)| {
            assert_eq!((entry.programme, entry.deadline_ms), (9, DEADLINE_MS));
            assert_eq!(entry.id, RequestId::mint(1_700_000_000_000, [member as u8; 10]));
            (entry.code, entry.body.to_vec())
        });
        checked.collect()
    }

    #[test]
    fn a_patched_template_is_what_the_codec_would_write() {
        for ((code, body), member) in patched(Name::RedeemGranted, Own::Offer(71)).into_iter().zip(41..) {
            let redeem = Redeem { member: key(member), campaign: 4, offer: 71 };
            assert_eq!((code, decode::<Redeem>(&body).unwrap()), (op::REDEEM, redeem));
        }
        for ((code, body), member) in patched(Name::CheckInMidnight, Own::Nothing).into_iter().zip(41..) {
            assert_eq!((code, decode::<CheckIn>(&body).unwrap()), (op::CHECK_IN, CheckIn { member: key(member) }));
        }
        let own = Own::Order { paid_at_ms: 1_700_000_000_123, number: 0x0123_4567_89ab_cdef };
        for ((code, body), member) in patched(Name::OrderStorm, own).into_iter().zip(41..) {
            let order = decode::<RecordOrder>(&body).unwrap();
            assert_eq!((code, order.member, order.paid_at_ms), (op::RECORD_ORDER, key(member), 1_700_000_000_123));
            assert_eq!((order.number.as_str(), order.channel.as_str()), ("0123456789abcdef", CHANNEL));
        }
        let claims = patched(Name::OrderClaims, Own::Claim { number: 0xfedc_ba98_7654_3210 });
        let (code, body) = &claims[1];
        let claim = decode::<ClaimOrder>(body).unwrap();
        assert_eq!((*code, claim.member, claim.proof), (op::CLAIM_ORDER, key(42), Proof::default()));
        assert_eq!((claim.number.as_str(), claim.channel.as_str()), ("fedcba9876543210", CLAIMED));
        assert_eq!((claims[0].0, claims[2].0), (op::RECORD_ORDER, op::RECORD_ORDER));
        let id = RequestId::mint(1_700_000_000_000, [7; 10]);
        let holds = patched_by_turns(Name::HoldConfirm, [Own::Held(71), Own::Confirm(id)]);
        let hold = decode::<Hold>(&holds[0].1).unwrap();
        assert_eq!((holds[0].0, hold.member), (op::HOLD, key(41)));
        assert_eq!(hold.offers.as_slice(), [OfferCount { campaign: 4, offer: 71, count: 1 }]);
        let (code, body) = &holds[1];
        assert_eq!((*code, decode::<Confirm>(body).unwrap()), (op::CONFIRM, Confirm { member: key(42), hold: id }));
        for (right, option) in [(true, "B"), (false, "A")] {
            for ((code, body), member) in patched(Name::Quiz, Own::Answer(right)).into_iter().zip(41..) {
                let answer = decode::<AnswerQuestion>(&body).unwrap();
                assert_eq!((code, answer.member, answer.answer.as_str()), (op::ANSWER_QUESTION, key(member), option));
            }
        }
    }
}
