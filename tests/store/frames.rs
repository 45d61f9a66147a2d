//! A frame comes to what its requests come to one by one: nothing that one of them leaves behind is seen by the next.

use tidegate::engine::{PlaceId, PlaceKind};
use tidegate::store::{Limits, Scope, Turn};
use tidegate_protocol::batch::{self, Answers};
use tidegate_protocol::code::{answer, name};
use tidegate_protocol::operation::DryRun;
use tidegate_protocol::{MemberKey, encode};

use super::asking::Dice;
use super::*;

const REQUESTS: usize = 3_000;
const MEMBERS: u64 = 12;

/// The code and the body of an answer.
type Answered = (u16, Vec<u8>);

/// Appends a request to a frame, under an id.
type Asked = Box<dyn Fn(&mut Vec<u8>, RequestId)>;

fn asked<T: Encode + 'static>(op: u16, dry: bool, body: T) -> Asked {
    let mut bytes = Vec::new();
    encode(&body, &mut bytes);
    let member = MemberKey(bytes[..16].try_into().unwrap());
    let run = DryRun { member, code: op, body: bytes.try_into().unwrap() };
    Box::new(move |frame, id| match dry {
        true => batch::push_entry(frame, op::DRY_RUN, 1, asking::DEADLINE_MS, id, &run),
        false => batch::push_entry(frame, op, 1, asking::DEADLINE_MS, id, &body),
    })
}

/// Anything that is decided under a member's lock, a third of what changes it in a dry run.
fn anything(dice: &mut Dice, number: usize) -> Asked {
    let member = asking::member(dice.below(MEMBERS));
    let (what, dry) = (dice.below(6), dice.below(3) == 0);
    match what {
        0 => asked(op::ENROL, dry, Enrol { member }),
        1 => asked(op::CHECK_IN, dry, CheckIn { member }),
        2 => asked(op::GET_MEMBER, false, GetMember { member }),
        3 => {
            let paid = order(dice.below(MEMBERS), &format!("{}", dice.below(number as u64 + 1)), 30, NOON_MS);
            asked(op::RECORD_ORDER, dry, paid)
        }
        _ => asked(op::REDEEM, dry, Redeem { member, campaign: 1, offer: 1 }),
    }
}

/// What is told of requests that come so many to a frame, by their number; the state that they lead to, and the members' entries in the
/// ledger.
fn told(requests: &[Asked], to_a_frame: usize) -> (Vec<Answered>, String, Vec<u8>) {
    // Few answers are remembered, so that somebody forgets for most requests.
    let limits = Limits { answers: 16, ..Limits::default() };
    let (_, mut opened) = opened_with(&club("club", &hot(1, 500, 400, 300)), options(1, limits));
    let (mut turn, mut told) = (Turn::default(), Vec::new());
    let (mut number, mut epoch) = (0, 0);
    for frame in requests.chunks(to_a_frame) {
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        let start = batch::start_requests(&mut bytes);
        for asked in frame {
            number += 1;
            asked(&mut bytes, id(NOON_MS, number));
        }
        batch::finish_requests(&mut bytes, start, frame.len() as u16);
        let start = batch::start_answers(&mut out);
        epoch = opened.store.execute(&mut turn, NOON_MS, &bytes, &Scope::All, None, &mut out).unwrap().epoch;
        batch::finish_answers(&mut out, start, NOON_MS, frame.len() as u16);
        let mut answers: Vec<_> = Answers::new(&out).unwrap().map(Result::unwrap).collect();
        answers.sort_unstable_by_key(|answer| answer.index);
        told.extend(answers.iter().map(|answer| (answer.code, answer.body.to_vec())));
    }
    drain(&mut opened);
    let books = opened.store.books();
    assert!(books.balance());
    let members = tidegate::log::PlaceId(PlaceId::new(PlaceKind::Members, 0).to_u32());
    let page = opened.flusher.state().pages.entry(epoch, members, 0, 1 << 20).unwrap();
    (told, books.state_hash, page.unwrap().bytes)
}

#[test]
fn a_frame_comes_to_what_its_requests_come_to_one_by_one() {
    let mut dice = Dice(7);
    let requests: Vec<Asked> = (0..REQUESTS).map(|number| anything(&mut dice, number)).collect();
    let (single, state, entries) = told(&requests, 1);
    let (together, state_together, entries_together) = told(&requests, 100);
    for (number, (one, many)) in single.iter().zip(&together).enumerate() {
        assert_eq!(one, many, "request {number}, which was answered {:?} by itself", name(one.0));
    }
    assert_eq!(state, state_together);
    assert!(entries.len() > 20_000 && entries == entries_together, "{} bytes of entries", entries.len());
    for code in [answer::ENROLLED, answer::CHECKED_IN, answer::RECORDED, answer::GRANTED, answer::WOULD_BE] {
        assert!(single.iter().filter(|(told, _)| *told == code).count() > 5, "{:?}", name(code));
    }
}
