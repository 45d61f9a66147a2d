//! Frames, as a server and as a client reads them: a stream of them from the first byte to the first that breaks the rules.
//!
//! A server also decides whatever decodes, on a small state; its answers must read well.

use std::cell::RefCell;
use std::sync::Arc;

use tidegate::store::{Scope, Store, Turn};
use tidegate_protocol::batch::{self, Answers, Entries};
use tidegate_protocol::code::{self, op};
use tidegate_protocol::files::{CheckFile, ListFiles, ReadFile};
use tidegate_protocol::frame::{HEADER_BYTES, Header, Kind};
use tidegate_protocol::hello::{Hello, HelloRefused, Welcome};
use tidegate_protocol::operation::{
    AcceptInvitation, AnswerQuestion, CheckIn, ClaimOrder, ConfirmReceipt, DryRun, Enrol, GetCampaign, GetClaim,
    GetLots, GetMember, GetOutcome, GetProfile, GetQuiz, GetStanding, GetStatement, MakeUp, RecordActivity,
    RecordCheckIn, RecordOrder, RecordOrderLines, Redeem, ReportOrder, SetBirthday, SetTag, SetZone, UseRight,
};
use tidegate_protocol::operator::{Activate, GetResults, GetStatus, PublishQuestion, TakeSnapshot};
use tidegate_protocol::{Body, Decode, Encode, decode, encode};

use crate::state;

/// What a gateway sends.
pub fn requests(bytes: &[u8]) {
    for (kind, body) in frames(bytes) {
        match kind {
            Kind::Hello => same::<Hello>(body),
            Kind::Requests => batch_of_requests(body),
            // A server fails the stream.
            _ => return,
        }
    }
}

/// What a server sends.
pub fn answers(bytes: &[u8]) {
    for (kind, body) in frames(bytes) {
        match kind {
            Kind::Welcome => same::<Welcome>(body),
            Kind::HelloRefused => same::<HelloRefused>(body),
            Kind::Answers => drop(batch_of_answers(body)),
            Kind::Draining => {}
            _ => return,
        }
    }
}

/// The frames that stand one behind the other, each with its body; the last may be cut short and is left out.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = (Kind, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let header = Header::decode(head).ok()?;
        assert_eq!(header.encode(), *head, "a header that decodes encodes to the same");
        let (body, rest) = rest.split_at_checked(header.length as usize)?;
        bytes = rest;
        Some((header.kind, body))
    })
}

/// Bytes are refused, or are a value that gives the same bytes back.
fn same<T: Encode + Decode<()>>(bytes: &[u8]) {
    if let Ok(value) = decode::<T>(bytes) {
        let mut again = Vec::new();
        encode(&value, &mut again);
        assert_eq!(again, bytes, "a body that decodes encodes to the same");
    }
}

fn batch_of_requests(body: &[u8]) {
    for entry in Entries::new(body).into_iter().flatten() {
        let Ok(entry) = entry else { break };
        match entry.code {
            op::ENROL => same::<Enrol>(entry.body),
            op::CHECK_IN => same::<CheckIn>(entry.body),
            op::RECORD_ORDER => same::<RecordOrder>(entry.body),
            op::REDEEM => same::<Redeem>(entry.body),
            op::GET_MEMBER => same::<GetMember>(entry.body),
            op::GET_CAMPAIGN => same::<GetCampaign>(entry.body),
            op::GET_OUTCOME => same::<GetOutcome>(entry.body),
            op::RECORD_ORDER_LINES => same::<RecordOrderLines>(entry.body),
            op::RECORD_ACTIVITY => same::<RecordActivity>(entry.body),
            op::SET_BIRTHDAY => same::<SetBirthday>(entry.body),
            op::USE_RIGHT => same::<UseRight>(entry.body),
            op::RECORD_CHECK_IN => same::<RecordCheckIn>(entry.body),
            op::MAKE_UP => same::<MakeUp>(entry.body),
            op::SET_ZONE => same::<SetZone>(entry.body),
            op::SET_TAG => same::<SetTag>(entry.body),
            op::GET_PROFILE => same::<GetProfile>(entry.body),
            op::ANSWER_QUESTION => same::<AnswerQuestion>(entry.body),
            op::GET_QUIZ => same::<GetQuiz>(entry.body),
            op::PUBLISH_QUESTION => same::<PublishQuestion>(entry.body),
            op::GET_RESULTS => same::<GetResults>(entry.body),
            op::ACCEPT_INVITATION => same::<AcceptInvitation>(entry.body),
            op::CLAIM_ORDER => same::<ClaimOrder>(entry.body),
            op::REPORT_ORDER => same::<ReportOrder>(entry.body),
            op::CONFIRM_RECEIPT => same::<ConfirmReceipt>(entry.body),
            op::GET_CLAIM => same::<GetClaim>(entry.body),
            op::DRY_RUN => same::<DryRun>(entry.body),
            op::GET_STATEMENT => same::<GetStatement>(entry.body),
            op::GET_LOTS => same::<GetLots>(entry.body),
            op::GET_STANDING => same::<GetStanding>(entry.body),
            op::GET_STATUS => same::<GetStatus>(entry.body),
            op::TAKE_SNAPSHOT => same::<TakeSnapshot>(entry.body),
            op::ACTIVATE => same::<Activate>(entry.body),
            op::LIST_FILES => same::<ListFiles>(entry.body),
            op::READ_FILE => same::<ReadFile>(entry.body),
            op::CHECK_FILE => same::<CheckFile>(entry.body),
            _ => {}
        }
    }
    STORE.with_borrow_mut(|kept| {
        let store = kept.take().unwrap_or_else(state::store);
        decided(&store, body);
        // One that a batch has changed is not used again: else a finding would depend on what ran before it.
        *kept = (!store.is_dirty()).then_some(store);
    });
}

thread_local! {
    static STORE: RefCell<Option<Arc<Store>>> = const { RefCell::new(None) };
}

/// Decides a batch: each entry has its answer, and each answer reads well.
fn decided(store: &Store, body: &[u8]) {
    let mut out = Vec::new();
    let start = batch::start_answers(&mut out);
    match store.execute(&mut Turn::default(), state::NOW_MS, body, &Scope::All, None, &mut out) {
        Ok(executed) => {
            let elsewhere = executed.searches.len() + executed.operator.len();
            let answered = executed.count - elsewhere as u16;
            batch::finish_answers(&mut out, start, state::NOW_MS, answered);
            assert_eq!(batch_of_answers(&out), usize::from(answered), "each entry has its answer");
            assert!(store.books().balance(), "{:?}", store.books());
        }
        Err(_) => assert!(!store.is_dirty(), "a bad batch changes nothing"),
    }
}

/// How many of a batch's answers read well, up to the first that does not.
fn batch_of_answers(body: &[u8]) -> usize {
    let mut well = 0;
    for answer in Answers::new(body).into_iter().flatten() {
        let Ok(answer) = answer else { break };
        match Body::decode(answer.code, answer.body) {
            Ok(body) => {
                let mut again = Vec::new();
                body.encode(&mut again);
                assert_eq!(again, answer.body, "an answer that decodes encodes to the same");
                well += 1;
            }
            Err(_) => assert!(code::row(answer.code).is_some(), "only a known answer can be malformed"),
        }
    }
    well
}
