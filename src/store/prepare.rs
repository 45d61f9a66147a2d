//! Before any lock: a frame's entries become requests, each decoded and hashed, or refused alone.

use tidegate_protocol::answer::Cursor;
use tidegate_protocol::batch::{BadBatch, Entries, Entry, push_answer};
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::operation::{
    AcceptInvitation, AnswerQuestion, CheckIn, Enrol, GetCampaign, GetLots, GetMember, GetOutcome, GetProfile, GetQuiz,
    GetStanding, GetStatement, MakeUp, RecordActivity, RecordCheckIn, RecordOrder, RecordOrderLines, Redeem,
    SetBirthday, SetTag, SetZone, UseRight,
};
use tidegate_protocol::refusal::{Because, Plain};
use tidegate_protocol::{Decode, MemberKey, Prose, RequestId, decode};

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
    /// What happens once for ever by its key.
    Once(Box<Once>, NaturalKey),
    GetMember,
    GetOutcome(RequestId),
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
                | Asked::GetOutcome(_)
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
    Quiz(GetQuiz),
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
            self.counts.answers.count(code);
            push_answer(out, index, code, &Plain {});
        }
        Ok(count)
    }

    fn prepare_entry(&self, index: u16, entry: &Entry<'_>, frame: &mut Frame, out: &mut Vec<u8>) {
        let keys = self.shape.keys;
        let asked = match entry.code {
            op::ENROL => body(entry, |body: Enrol| (body.member, Asked::Enrol)),
            op::CHECK_IN => body(entry, |body: CheckIn| (body.member, Asked::CheckIn)),
            op::RECORD_ORDER => body(entry, |body: RecordOrder| {
                let key = keys.order(entry.programme, body.channel.as_str(), body.number.as_str());
                (body.member, Asked::Once(Box::new(Once::Order(body)), key))
            }),
            op::RECORD_ORDER_LINES => body(entry, |body: RecordOrderLines| {
                let key = keys.order(entry.programme, body.channel.as_str(), body.number.as_str());
                (body.member, Asked::Once(Box::new(Once::Lines(body)), key))
            }),
            op::RECORD_ACTIVITY => body(entry, |body: RecordActivity| match body.key.as_str() {
                "" => (body.member, Asked::Act(Box::new(body))),
                key => {
                    let key = keys.activity(entry.programme, body.activity.as_str(), key);
                    (body.member, Asked::Once(Box::new(Once::Activity(body)), key))
                }
            }),
            op::SET_BIRTHDAY => body(entry, |body: SetBirthday| (body.member, Asked::SetBirthday(body))),
            op::USE_RIGHT => body(entry, |body: UseRight| (body.member, Asked::UseRight(Box::new(body)))),
            op::RECORD_CHECK_IN => body(entry, |body: RecordCheckIn| (body.member, Asked::RecordCheckIn(body))),
            op::MAKE_UP => body(entry, |body: MakeUp| (body.member, Asked::MakeUp(body))),
            op::SET_ZONE => body(entry, |body: SetZone| (body.member, Asked::SetZone(Box::new(body)))),
            op::SET_TAG => body(entry, |body: SetTag| (body.member, Asked::SetTag(Box::new(body)))),
            op::ANSWER_QUESTION => {
                body(entry, |body: AnswerQuestion| (body.member, Asked::AnswerQuestion(Box::new(body))))
            }
            op::ACCEPT_INVITATION => {
                body(entry, |body: AcceptInvitation| (body.member, Asked::AcceptInvitation(Box::new(body))))
            }
            op::REDEEM => body(entry, |body: Redeem| (body.member, Asked::Redeem(body))),
            op::GET_MEMBER => body(entry, |body: GetMember| (body.member, Asked::GetMember)),
            op::GET_OUTCOME => body(entry, |body: GetOutcome| (body.member, Asked::GetOutcome(body.id))),
            op::GET_LOTS => body(entry, |body: GetLots| (body.member, Asked::GetLots)),
            op::GET_STANDING => body(entry, |body: GetStanding| (body.member, Asked::GetStanding)),
            op::GET_STATEMENT => body(entry, |body: GetStatement| (body.member, Asked::GetStatement(body.from))),
            op::GET_PROFILE => body(entry, |body: GetProfile| (body.member, Asked::GetProfile)),
            op::GET_CAMPAIGN | op::GET_QUIZ => {
                let asked = match entry.code {
                    op::GET_CAMPAIGN => decode(entry.body).map(AskedOfAll::Campaign),
                    _ => decode(entry.body).map(AskedOfAll::Quiz),
                };
                match asked {
                    Ok(asked) => {
                        return frame.memberless.push(Memberless { index, programme: entry.programme, asked });
                    }
                    Err(error) => Err(error.to_string()),
                }
            }
            _ => {
                self.counts.answers.count(answer::UNKNOWN_OPERATION);
                return push_answer(out, index, answer::UNKNOWN_OPERATION, &Plain {});
            }
        };
        match asked {
            Ok((member, asked)) => frame.requests.push(self.prepared(index, entry, member, asked)),
            Err(sentence) => {
                self.counts.answers.count(answer::MALFORMED_BODY);
                let because = Because { sentence: Prose::cut(&sentence) };
                push_answer(out, index, answer::MALFORMED_BODY, &because);
            }
        }
    }

    fn prepared(&self, index: u16, entry: &Entry<'_>, member: MemberKey, asked: Asked) -> Prepared {
        let member_hash = self.shape.keys.member(entry.programme, member);
        let hash = self.shape.keys.request(entry.code, entry.programme, entry.body);
        Prepared {
            index,
            shard: self.member_shard(member_hash) as u32,
            next: 0,
            programme: entry.programme,
            member_hash,
            request: Request { member, id: entry.id, deadline_ms: entry.deadline_ms, hash },
            asked,
        }
    }
}

fn body<T: Decode<()>>(
    entry: &Entry<'_>,
    asked: impl FnOnce(T) -> (MemberKey, Asked),
) -> Result<(MemberKey, Asked), String> {
    decode(entry.body).map(asked).map_err(|error| error.to_string())
}
