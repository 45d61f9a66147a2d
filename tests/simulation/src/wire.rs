//! Requests and answers between the model's words and the bytes that gateways and servers exchange.

use tidegate_protocol::answer::Cursor;
use tidegate_protocol::batch::{Entry, push_entry};
use tidegate_protocol::code::op;
use tidegate_protocol::operation::{
    AcceptInvitation, AnswerQuestion, Cancel, CheckIn, ClaimOrder, Confirm, ConfirmPart, ConfirmReceipt, Enrol, Field,
    GetCampaign, GetClaim, GetHolds, GetLots, GetMember, GetOutcome, GetProfile, GetQuiz, GetStanding, GetStatement,
    Hold, MakeUp, OfferCount, OrderLine, RecordActivity, RecordCheckIn, RecordOrder, RecordOrderLines, Redeem,
    ReportOrder, SetBirthday, SetTag, SetZone, TenderLine, UseRight,
};
use tidegate_protocol::{List, MemberKey, Proof, Text, decode};

use crate::model::{Act, Ask, Asked, Basket, Line, NOBODY, Order};
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
            let Order { channel, number, paid_at_ms, amount_minor, store, freight_minor, lines } = order;
            let (paid_at_ms, amount_minor, freight_minor) = (*paid_at_ms, *amount_minor, *freight_minor);
            let (brand, channel, store, number) = (text(BRAND), text(channel), text(store), text(number));
            match lines {
                None => {
                    let body = RecordOrder { member, paid_at_ms, amount_minor, brand, channel, store, number };
                    push_entry(out, op::RECORD_ORDER, programme, deadline_ms, id, &body);
                }
                Some(lines) => {
                    let lines = List::cut(lines.iter().map(|line| OrderLine {
                        sku: text("SKU"),
                        category: text(&line.category),
                        quantity: line.quantity,
                        amount_minor: line.amount_minor,
                        coupon_minor: line.coupon_minor,
                        points_minor: line.points_minor,
                    }));
                    let body =
                        RecordOrderLines { member, paid_at_ms, freight_minor, brand, channel, store, number, lines };
                    push_entry(out, op::RECORD_ORDER_LINES, programme, deadline_ms, id, &body);
                }
            }
        }
        Ask::Act(Act { activity, key, happened_ms, minutes }) => {
            let fields = minutes.iter().map(|value| Field { name: text("minutes"), value: *value });
            let (activity, key, fields) = (text(activity), text(key), List::cut(fields));
            let body = RecordActivity { member, happened_ms: *happened_ms, activity, key, fields };
            push_entry(out, op::RECORD_ACTIVITY, programme, deadline_ms, id, &body);
        }
        Ask::SetBirthday(month, day) => {
            let body = SetBirthday { member, month: *month, day: *day };
            push_entry(out, op::SET_BIRTHDAY, programme, deadline_ms, id, &body);
        }
        Ask::Answer { quiz, question, answer } => {
            let body = AnswerQuestion { member, quiz: text(quiz), question: text(question), answer: text(answer) };
            push_entry(out, op::ANSWER_QUESTION, programme, deadline_ms, id, &body);
        }
        Ask::GetQuiz(quiz) => {
            push_entry(out, op::GET_QUIZ, programme, deadline_ms, id, &GetQuiz { quiz: text(quiz) });
        }
        Ask::Accept(inviter) => {
            let body = AcceptInvitation { member, inviter: MemberKey::from_number(*inviter) };
            push_entry(out, op::ACCEPT_INVITATION, programme, deadline_ms, id, &body);
        }
        Ask::Claim { channel, number, proof } => {
            let (channel, number, proof) = (text(channel), text(number), Proof([*proof; 16]));
            push_entry(
                out,
                op::CLAIM_ORDER,
                programme,
                deadline_ms,
                id,
                &ClaimOrder { member, channel, number, proof },
            );
        }
        Ask::Report(Order { channel, number, paid_at_ms, amount_minor, store, .. }, proof) => {
            let [brand, channel, store, number] = [BRAND, channel, store, number].map(text);
            let (paid_at_ms, amount_minor, proof) = (*paid_at_ms, *amount_minor, Proof([*proof; 16]));
            let body = ReportOrder { paid_at_ms, amount_minor, brand, channel, store, number, proof };
            push_entry(out, op::REPORT_ORDER, programme, deadline_ms, id, &body);
        }
        Ask::Receive { channel, number, happened_ms } => {
            let (happened_ms, channel, number) = (*happened_ms, text(channel), text(number));
            let body = ConfirmReceipt { member, happened_ms, channel, number };
            push_entry(out, op::CONFIRM_RECEIPT, programme, deadline_ms, id, &body);
        }
        Ask::GetClaim { channel, number } => {
            let body = GetClaim { member, channel: text(channel), number: text(number) };
            push_entry(out, op::GET_CLAIM, programme, deadline_ms, id, &body);
        }
        Ask::RecordCheckIn(happened_ms) => {
            let body = RecordCheckIn { member, happened_ms: *happened_ms };
            push_entry(out, op::RECORD_CHECK_IN, programme, deadline_ms, id, &body);
        }
        Ask::MakeUp(day) => push_entry(out, op::MAKE_UP, programme, deadline_ms, id, &MakeUp { member, day: *day }),
        Ask::SetZone(zone) => {
            push_entry(out, op::SET_ZONE, programme, deadline_ms, id, &SetZone { member, zone: text(zone) });
        }
        Ask::SetTag(tag, on) => {
            let body = SetTag { member, tag: text(tag), on: u8::from(*on) };
            push_entry(out, op::SET_TAG, programme, deadline_ms, id, &body);
        }
        Ask::GetStatement => {
            let body = GetStatement { member, from: Cursor::default() };
            push_entry(out, op::GET_STATEMENT, programme, deadline_ms, id, &body);
        }
        Ask::GetProfile => push_entry(out, op::GET_PROFILE, programme, deadline_ms, id, &GetProfile { member }),
        Ask::UseRight(right) => {
            push_entry(out, op::USE_RIGHT, programme, deadline_ms, id, &UseRight { member, right: text(right) });
        }
        Ask::Redeem(campaign, offer) => {
            let body = Redeem { member, campaign: *campaign, offer: *offer };
            push_entry(out, op::REDEEM, programme, deadline_ms, id, &body);
        }
        Ask::Hold(Basket { for_ms, store, points, lines, offers, rights }) => {
            let (offers, rights) = (counts(offers), List::cut(rights.iter().map(|slug| text(slug))));
            let line = |(category, amount_minor): &(String, i64)| TenderLine {
                sku: text(""),
                category: text(category),
                amount_minor: *amount_minor,
            };
            let (store, lines) = (text(store), List::cut(lines.iter().map(line)));
            let body = Hold { member, for_ms: *for_ms, store, points: *points, lines, offers, rights };
            push_entry(out, op::HOLD, programme, deadline_ms, id, &body);
        }
        Ask::Confirm(hold) => {
            push_entry(out, op::CONFIRM, programme, deadline_ms, id, &Confirm { member, hold: *hold });
        }
        Ask::ConfirmPart(hold, Basket { points, offers, rights, .. }) => {
            let (offers, rights) = (counts(offers), List::cut(rights.iter().map(|slug| text(slug))));
            let body = ConfirmPart { member, hold: *hold, points: *points, offers, rights };
            push_entry(out, op::CONFIRM_PART, programme, deadline_ms, id, &body);
        }
        Ask::Cancel(hold) => push_entry(out, op::CANCEL, programme, deadline_ms, id, &Cancel { member, hold: *hold }),
        Ask::GetHolds => push_entry(out, op::GET_HOLDS, programme, deadline_ms, id, &GetHolds { member }),
        Ask::GetMember => push_entry(out, op::GET_MEMBER, programme, deadline_ms, id, &GetMember { member }),
        Ask::GetStanding => push_entry(out, op::GET_STANDING, programme, deadline_ms, id, &GetStanding { member }),
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

fn counts(offers: &[(u32, u32, u32)]) -> List<OfferCount, 12> {
    let offers = offers.iter().map(|(campaign, offer, count)| (*campaign, *offer, *count));
    List::cut(offers.map(|(campaign, offer, count)| OfferCount { campaign, offer, count }))
}

fn basket(points: i64, offers: &List<OfferCount, 12>, rights: &List<Text, 8>) -> Basket {
    Basket {
        for_ms: 0,
        store: String::new(),
        points,
        lines: Vec::new(),
        offers: offers.as_slice().iter().map(|it| (it.campaign, it.offer, it.count)).collect(),
        rights: rights.as_slice().iter().map(|slug| slug.as_str().to_owned()).collect(),
    }
}

/// What an entry asks.
pub fn asked(entry: &Entry<'_>) -> Asked {
    let number = |member: MemberKey| u128::from_be_bytes(member.0) as u64;
    let read = "entries here are made here";
    let (member, ask) = match entry.code {
        op::ENROL => (number(decode::<Enrol>(entry.body).expect(read).member), Ask::Enrol),
        op::CHECK_IN => (number(decode::<CheckIn>(entry.body).expect(read).member), Ask::CheckIn),
        op::RECORD_ORDER => {
            let RecordOrder { member, paid_at_ms, amount_minor, channel, store, number: order, .. } =
                decode(entry.body).expect(read);
            let [channel, store, order] = [channel, store, order].map(|text| text.as_str().to_owned());
            let order =
                Order { channel, number: order, paid_at_ms, amount_minor, store, freight_minor: 0, lines: None };
            (number(member), Ask::Order(order))
        }
        op::RECORD_ORDER_LINES => {
            let body: RecordOrderLines = decode(entry.body).expect(read);
            let RecordOrderLines { member, paid_at_ms, freight_minor, channel, store, number: order, lines, .. } = body;
            let [channel, store, order] = [channel, store, order].map(|text| text.as_str().to_owned());
            let lines = lines.as_slice().iter().map(|line| Line {
                category: line.category.as_str().to_owned(),
                quantity: line.quantity,
                amount_minor: line.amount_minor,
                coupon_minor: line.coupon_minor,
                points_minor: line.points_minor,
            });
            let lines = Some(lines.collect());
            let order = Order { channel, number: order, paid_at_ms, amount_minor: 0, store, freight_minor, lines };
            (number(member), Ask::Order(order))
        }
        op::RECORD_ACTIVITY => {
            let RecordActivity { member, happened_ms, activity, key, fields } = decode(entry.body).expect(read);
            let [activity, key] = [activity, key].map(|text| text.as_str().to_owned());
            let minutes = fields.as_slice().first().map(|field| field.value);
            (number(member), Ask::Act(Act { activity, key, happened_ms, minutes }))
        }
        op::SET_BIRTHDAY => {
            let SetBirthday { member, month, day } = decode(entry.body).expect(read);
            (number(member), Ask::SetBirthday(month, day))
        }
        op::ANSWER_QUESTION => {
            let AnswerQuestion { member, quiz, question, answer } = decode(entry.body).expect(read);
            let [quiz, question, answer] = [quiz, question, answer].map(|text| text.as_str().to_owned());
            (number(member), Ask::Answer { quiz, question, answer })
        }
        op::GET_QUIZ => {
            let GetQuiz { quiz } = decode(entry.body).expect(read);
            (0, Ask::GetQuiz(quiz.as_str().to_owned()))
        }
        op::ACCEPT_INVITATION => {
            let AcceptInvitation { member, inviter } = decode(entry.body).expect(read);
            (number(member), Ask::Accept(number(inviter)))
        }
        op::CLAIM_ORDER => {
            let ClaimOrder { member, channel, number: order, proof } = decode(entry.body).expect(read);
            let [channel, order] = [channel, order].map(|text| text.as_str().to_owned());
            (number(member), Ask::Claim { channel, number: order, proof: proof.0[0] })
        }
        op::REPORT_ORDER => {
            let ReportOrder { paid_at_ms, amount_minor, channel, store, number: order, proof, .. } =
                decode(entry.body).expect(read);
            let [channel, store, order] = [channel, store, order].map(|text| text.as_str().to_owned());
            let order =
                Order { channel, number: order, paid_at_ms, amount_minor, store, freight_minor: 0, lines: None };
            (NOBODY, Ask::Report(order, proof.0[0]))
        }
        op::CONFIRM_RECEIPT => {
            let ConfirmReceipt { member, happened_ms, channel, number: order } = decode(entry.body).expect(read);
            let [channel, order] = [channel, order].map(|text| text.as_str().to_owned());
            (number(member), Ask::Receive { channel, number: order, happened_ms })
        }
        op::GET_CLAIM => {
            let GetClaim { member, channel, number: order } = decode(entry.body).expect(read);
            let [channel, order] = [channel, order].map(|text| text.as_str().to_owned());
            (number(member), Ask::GetClaim { channel, number: order })
        }
        op::RECORD_CHECK_IN => {
            let RecordCheckIn { member, happened_ms } = decode(entry.body).expect(read);
            (number(member), Ask::RecordCheckIn(happened_ms))
        }
        op::MAKE_UP => {
            let MakeUp { member, day } = decode(entry.body).expect(read);
            (number(member), Ask::MakeUp(day))
        }
        op::SET_ZONE => {
            let SetZone { member, zone } = decode(entry.body).expect(read);
            (number(member), Ask::SetZone(zone.as_str().to_owned()))
        }
        op::SET_TAG => {
            let SetTag { member, tag, on } = decode(entry.body).expect(read);
            (number(member), Ask::SetTag(tag.as_str().to_owned(), on != 0))
        }
        op::GET_STATEMENT => (number(decode::<GetStatement>(entry.body).expect(read).member), Ask::GetStatement),
        op::GET_PROFILE => (number(decode::<GetProfile>(entry.body).expect(read).member), Ask::GetProfile),
        op::USE_RIGHT => {
            let UseRight { member, right } = decode(entry.body).expect(read);
            (number(member), Ask::UseRight(right.as_str().to_owned()))
        }
        op::REDEEM => {
            let Redeem { member, campaign, offer } = decode(entry.body).expect(read);
            (number(member), Ask::Redeem(campaign, offer))
        }
        op::HOLD => {
            let Hold { member, for_ms, store, points, lines, offers, rights } = decode(entry.body).expect(read);
            let lines = lines.as_slice().iter().map(|it| (it.category.as_str().to_owned(), it.amount_minor)).collect();
            let store = store.as_str().to_owned();
            (number(member), Ask::Hold(Basket { for_ms, store, lines, ..basket(points, &offers, &rights) }))
        }
        op::CONFIRM => {
            let Confirm { member, hold } = decode(entry.body).expect(read);
            (number(member), Ask::Confirm(hold))
        }
        op::CONFIRM_PART => {
            let ConfirmPart { member, hold, points, offers, rights } = decode(entry.body).expect(read);
            (number(member), Ask::ConfirmPart(hold, basket(points, &offers, &rights)))
        }
        op::CANCEL => {
            let Cancel { member, hold } = decode(entry.body).expect(read);
            (number(member), Ask::Cancel(hold))
        }
        op::GET_HOLDS => (number(decode::<GetHolds>(entry.body).expect(read).member), Ask::GetHolds),
        op::GET_MEMBER => (number(decode::<GetMember>(entry.body).expect(read).member), Ask::GetMember),
        op::GET_STANDING => (number(decode::<GetStanding>(entry.body).expect(read).member), Ask::GetStanding),
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
