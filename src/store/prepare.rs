//! Before any lock: a frame's entries become requests, each decoded and hashed, or refused alone.

use tidegate_protocol::answer::Cursor;
use tidegate_protocol::batch::{BadBatch, Entries, Entry, push_answer};
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::operation::{
    AcceptInvitation, AnswerQuestion, Cancel, CheckIn, ClaimOrder, Confirm, ConfirmPart, ConfirmReceipt, DryRun, Enrol,
    GetCampaign, GetClaim, GetHolds, GetLots, GetMember, GetOutcome, GetProfile, GetQuiz, GetQuotas, GetStanding,
    GetStatement, Hold, MakeUp, RecordActivity, RecordCheckIn, RecordOrder, RecordOrderLines, Redeem, ReportOrder,
    SetBirthday, SetTag, SetZone, UseRight,
};
use tidegate_protocol::refusal::{Because, Plain};
use tidegate_protocol::{Decode, Malformed, MemberKey, Prose, RequestId, Text, decode};

use super::Store;
use crate::engine::{NaturalKey, Request};

/// Which programmes a connection may use (I10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every one.
    All,
    /// Those with these slugs.
    Only(Vec<String>),
}

impl Scope {
    /// Whether a programme is within.
    pub fn admits(&self, slug: &str) -> bool {
        match self {
            Scope::All => true,
            Scope::Only(slugs) => slugs.iter().any(|own| own == slug),
        }
    }
}

/// What is asked, decoded.
#[derive(Debug)]
pub(super) enum Asked {
    Enrol,
    CheckIn,
    Redeem(Redeem),
    /// An activity without a key of its own.
    Act(Box<RecordActivity>),
    UseRight(Box<UseRight>),
    SetBirthday(SetBirthday),
    RecordCheckIn(RecordCheckIn),
    MakeUp(MakeUp),
    SetZone(Box<SetZone>),
    SetTag(Box<SetTag>),
    AnswerQuestion(Box<AnswerQuestion>),
    AcceptInvitation(Box<AcceptInvitation>),
    ClaimOrder(Box<ClaimOrder>, NaturalKey),
    ConfirmReceipt(Box<ConfirmReceipt>, NaturalKey),
    Hold(Box<Hold>),
    Confirm(RequestId),
    ConfirmPart(Box<ConfirmPart>),
    Cancel(RequestId),
    /// What happens once for ever by its key.
    Once(Box<Once>, NaturalKey),
    GetMember,
    GetClaim(NaturalKey),
    GetOutcome(RequestId),
    GetHolds,
    GetLots,
    GetStanding,
    GetProfile,
    GetStatement(Cursor),
}

/// What has a natural key.
#[derive(Debug)]
pub(super) enum Once {
    Order(RecordOrder),
    Lines(RecordOrderLines),
    Activity(RecordActivity),
}

impl Asked {
    /// Whether the member's window remembers what it is answered.
    pub(super) fn is_remembered(&self) -> bool {
        !matches!(
            self,
            Asked::Once(..)
                | Asked::GetMember
                | Asked::GetClaim(_)
                | Asked::GetOutcome(_)
                | Asked::GetHolds
                | Asked::GetLots
                | Asked::GetStanding
                | Asked::GetProfile
                | Asked::GetStatement(_)
        )
    }
}

/// A request on its way to its member's shard.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) index: u16,
    pub(super) shard: u32,
    /// The next request of this turn for the same shard, as a position in the turn; itself if it is the last.
    pub(super) next: u16,
    pub(super) programme: u32,
    pub(super) member_hash: u64,
    pub(super) request: Request,
    pub(super) asked: Asked,
    /// Whether only to say what it would be answered.
    pub(super) dry: bool,
}

/// A request that names no member.
#[derive(Debug)]
pub(super) struct Memberless {
    pub(super) index: u16,
    pub(super) programme: u32,
    pub(super) asked: AskedOfAll,
}

/// What is asked without a member.
#[derive(Debug)]
pub(super) enum AskedOfAll {
    Campaign(GetCampaign),
    Quotas(GetQuotas),
    Quiz(GetQuiz),
    /// An order that nobody's member paid.
    Report(Box<ReportOrder>, NaturalKey, Request),
}

/// What a frame holds, sorted by what it needs.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) requests: Vec<Prepared>,
    pub(super) memberless: Vec<Memberless>,
    /// Entries for operators: index, code, and where their body stands in the frame.
    pub(super) operator: Vec<(u16, u16, std::ops::Range<usize>)>,
}

impl Frame {
    pub(super) fn clear(&mut self) {
        self.requests.clear();
        self.memberless.clear();
        self.operator.clear();
    }
}

impl Store {
    /// Takes a frame apart. Nothing is decided if the batch as such is bad.
    pub(super) fn prepare(
        &self,
        bytes: &[u8],
        scope: &Scope,
        frame: &mut Frame,
        out: &mut Vec<u8>,
    ) -> Result<u16, BadBatch> {
        frame.clear();
        let entries = Entries::new(bytes)?;
        let count = entries.left();
        let world = self.world.load();
        let mut refused = Vec::new();
        for (index, entry) in (0u16..).zip(entries) {
            let entry = entry?;
            if entry.code >= op::GET_STATUS {
                let start = entry.body.as_ptr() as usize - bytes.as_ptr() as usize;
                frame.operator.push((index, entry.code, start..start + entry.body.len()));
                continue;
            }
            match world.programme(entry.programme) {
                None => refused.push((index, answer::NO_SUCH_PROGRAMME)),
                Some(active) if !scope.admits(&active.programme.slug) => refused.push((index, answer::NOT_ALLOWED)),
                Some(_) => self.prepare_entry(index, &entry, frame, out),
            }
        }
        for (index, code) in refused {
            self.counts.answers.count(code, 1);
            push_answer(out, index, code, &Plain {});
        }
        Ok(count)
    }

    fn prepare_entry(&self, index: u16, entry: &Entry<'_>, frame: &mut Frame, out: &mut Vec<u8>) {
        let prepared = match entry.code {
            op::GET_CAMPAIGN | op::GET_QUOTAS | op::GET_QUIZ | op::REPORT_ORDER => {
                self.asked_of_all(entry).map(|asked| {
                    frame.memberless.push(Memberless { index, programme: entry.programme, asked });
                })
            }
            op::DRY_RUN => self.asked_dry(entry).map(|(DryRun { member, code, body }, asked)| {
                let entry = Entry { code, body: body.as_slice(), ..*entry };
                frame.requests.push(Prepared { dry: true, ..self.prepared(index, &entry, member, asked) });
            }),
            code => self.asked(code, entry.programme, entry.body).map(|(member, asked)| {
                frame.requests.push(self.prepared(index, entry, member, asked));
            }),
        };
        let Err(bad) = prepared else { return };
        let (code, sentence) = match bad {
            Bad::Plain(code) => (code, None),
            Bad::Body(sentence) => (answer::MALFORMED_BODY, Some(sentence)),
        };
        self.counts.answers.count(code, 1);
        match sentence {
            None => push_answer(out, index, code, &Plain {}),
            Some(sentence) => push_answer(out, index, code, &Because { sentence: Prose::cut(&sentence) }),
        }
    }

    /// What an operation on a member asks for, and of whom.
    #[inline(always)]
    fn asked(&self, code: u16, programme: u32, bytes: &[u8]) -> Result<(MemberKey, Asked), Bad> {
        let keys = self.shape.keys;
        let order = |channel: &Text, number: &Text| keys.order(programme, channel.as_str(), number.as_str());
        match code {
            op::ENROL => body(bytes, |body: Enrol| (body.member, Asked::Enrol)),
            op::CHECK_IN => body(bytes, |body: CheckIn| (body.member, Asked::CheckIn)),
            op::RECORD_ORDER => body(bytes, |body: RecordOrder| {
                let key = order(&body.channel, &body.number);
                (body.member, Asked::Once(Box::new(Once::Order(body)), key))
            }),
            op::RECORD_ORDER_LINES => body(bytes, |body: RecordOrderLines| {
                let key = order(&body.channel, &body.number);
                (body.member, Asked::Once(Box::new(Once::Lines(body)), key))
            }),
            op::RECORD_ACTIVITY => body(bytes, |body: RecordActivity| match body.key.as_str() {
                "" => (body.member, Asked::Act(Box::new(body))),
                key => {
                    let key = keys.activity(programme, body.activity.as_str(), key);
                    (body.member, Asked::Once(Box::new(Once::Activity(body)), key))
                }
            }),
            op::CLAIM_ORDER => body(bytes, |body: ClaimOrder| {
                let key = order(&body.channel, &body.number);
                (body.member, Asked::ClaimOrder(Box::new(body), key))
            }),
            op::CONFIRM_RECEIPT => body(bytes, |body: ConfirmReceipt| {
                let key = order(&body.channel, &body.number);
                (body.member, Asked::ConfirmReceipt(Box::new(body), key))
            }),
            op::SET_BIRTHDAY => body(bytes, |body: SetBirthday| (body.member, Asked::SetBirthday(body))),
            op::USE_RIGHT => body(bytes, |body: UseRight| (body.member, Asked::UseRight(Box::new(body)))),
            op::RECORD_CHECK_IN => body(bytes, |body: RecordCheckIn| (body.member, Asked::RecordCheckIn(body))),
            op::MAKE_UP => body(bytes, |body: MakeUp| (body.member, Asked::MakeUp(body))),
            op::SET_ZONE => body(bytes, |body: SetZone| (body.member, Asked::SetZone(Box::new(body)))),
            op::SET_TAG => body(bytes, |body: SetTag| (body.member, Asked::SetTag(Box::new(body)))),
            op::ANSWER_QUESTION => {
                body(bytes, |body: AnswerQuestion| (body.member, Asked::AnswerQuestion(Box::new(body))))
            }
            op::ACCEPT_INVITATION => {
                body(bytes, |body: AcceptInvitation| (body.member, Asked::AcceptInvitation(Box::new(body))))
            }
            op::HOLD => body(bytes, |body: Hold| (body.member, Asked::Hold(Box::new(body)))),
            op::CONFIRM => body(bytes, |body: Confirm| (body.member, Asked::Confirm(body.hold))),
            op::CONFIRM_PART => body(bytes, |body: ConfirmPart| (body.member, Asked::ConfirmPart(Box::new(body)))),
            op::CANCEL => body(bytes, |body: Cancel| (body.member, Asked::Cancel(body.hold))),
            op::GET_HOLDS => body(bytes, |body: GetHolds| (body.member, Asked::GetHolds)),
            op::REDEEM => body(bytes, |body: Redeem| (body.member, Asked::Redeem(body))),
            op::GET_MEMBER => body(bytes, |body: GetMember| (body.member, Asked::GetMember)),
            op::GET_OUTCOME => body(bytes, |body: GetOutcome| (body.member, Asked::GetOutcome(body.id))),
            op::GET_LOTS => body(bytes, |body: GetLots| (body.member, Asked::GetLots)),
            op::GET_STANDING => body(bytes, |body: GetStanding| (body.member, Asked::GetStanding)),
            op::GET_STATEMENT => body(bytes, |body: GetStatement| (body.member, Asked::GetStatement(body.from))),
            op::GET_PROFILE => body(bytes, |body: GetProfile| (body.member, Asked::GetProfile)),
            op::GET_CLAIM => body(bytes, |body: GetClaim| {
                let key = order(&body.channel, &body.number);
                (body.member, Asked::GetClaim(key))
            }),
            _ => Err(Bad::Plain(answer::UNKNOWN_OPERATION)),
        }
    }

    /// The operation within a dry run: one that changes the member that is named, and whose answer is no guess that does not count.
    #[inline(never)]
    fn asked_dry(&self, entry: &Entry<'_>) -> Result<(DryRun, Asked), Bad> {
        let dry: DryRun = decode(entry.body).map_err(Bad::body)?;
        let guesses = matches!(dry.code, op::CLAIM_ORDER | op::REPORT_ORDER | op::DRY_RUN);
        if guesses || dry.code >= op::GET_MEMBER {
            return Err(Bad::Plain(answer::NO_DRY_RUN));
        }
        let (member, asked) = self.asked(dry.code, entry.programme, dry.body.as_slice())?;
        if member != dry.member {
            return Err(Bad::Plain(answer::NO_DRY_RUN));
        }
        Ok((dry, asked))
    }

    /// What names no member.
    fn asked_of_all(&self, entry: &Entry<'_>) -> Result<AskedOfAll, Bad> {
        match entry.code {
            op::GET_CAMPAIGN => decode(entry.body).map(AskedOfAll::Campaign).map_err(Bad::body),
            op::GET_QUOTAS => decode(entry.body).map(AskedOfAll::Quotas).map_err(Bad::body),
            op::GET_QUIZ => decode(entry.body).map(AskedOfAll::Quiz).map_err(Bad::body),
            _ => {
                let body: ReportOrder = decode(entry.body).map_err(Bad::body)?;
                let key = self.shape.keys.order(entry.programme, body.channel.as_str(), body.number.as_str());
                Ok(AskedOfAll::Report(Box::new(body), key, self.request(entry, MemberKey([0; 16]))))
            }
        }
    }

    fn request(&self, entry: &Entry<'_>, member: MemberKey) -> Request {
        let hash = self.shape.keys.request(entry.code, entry.programme, entry.body);
        Request { member, id: entry.id, deadline_ms: entry.deadline_ms, hash }
    }

    fn prepared(&self, index: u16, entry: &Entry<'_>, member: MemberKey, asked: Asked) -> Prepared {
        let member_hash = self.shape.keys.member(entry.programme, member);
        Prepared {
            index,
            shard: self.member_shard(member_hash) as u32,
            next: 0,
            programme: entry.programme,
            member_hash,
            request: self.request(entry, member),
            asked,
            dry: false,
        }
    }
}

/// Why an entry becomes no request.
enum Bad {
    /// For what the code says in full.
    Plain(u16),
    /// Its body is malformed, in words.
    Body(String),
}

impl Bad {
    fn body(error: Malformed) -> Bad {
        Bad::Body(error.to_string())
    }
}

#[inline(always)]
fn body<T: Decode<()>>(bytes: &[u8], asked: impl FnOnce(T) -> (MemberKey, Asked)) -> Result<(MemberKey, Asked), Bad> {
    decode(bytes).map(asked).map_err(Bad::body)
}
