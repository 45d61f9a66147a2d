//! A turn: one frame's requests, grouped by shard, each decided, applied and appended under its member's lock.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_protocol::answer::WouldBe;
use tidegate_protocol::batch::{ANSWER_HEAD_BYTES, BadBatch, push_answer};
use tidegate_protocol::code::answer;
use tidegate_protocol::refusal;
use tidegate_protocol::{Blob, RequestId};

use super::ahead::Ahead;
use super::members::{Members, Shard};
use super::place::{Held, Journal};
use super::prepare::{Asked, Frame, Memberless, Prepared, Scope};
use super::read::Search;
use super::world::{Active, BlockPlace, World};
use super::{Store, member_place};
use crate::engine::{
    self, Admission, Asker, Block, BlockPart, Context, Counted, Inviter, LedgerAt, Member, MemberPart, MemberSlot,
    Refusal, Remembered,
};
use crate::planted::{Bug, planted};

/// Why changes are refused before they are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    /// More is undurable than allowed.
    Busy,
    /// The log has no room.
    StorageFull,
    /// The server is going.
    Draining,
    /// The peer may only look.
    NotAllowed,
}

impl Later {
    pub(crate) fn refusal(self) -> Refusal {
        let (code, retry_ms) = match self {
            Later::NotAllowed => return Refusal::Plain(answer::NOT_ALLOWED),
            Later::Busy => (answer::BUSY, 5),
            Later::StorageFull => (answer::STORAGE_FULL, 1_000),
            Later::Draining => (answer::DRAINING, 500),
        };
        Refusal::Later(code, refusal::Later { retry_ms })
    }
}

/// What a turn works with again and again, so that it allocates nothing when warm.
#[derive(Debug, Default)]
pub struct Turn {
    pub(super) frame: Frame,
    /// By shard: the first and last request of the turn for it, as positions; both `u16::MAX` if there is none.
    ends: Vec<(u16, u16)>,
    /// Shards that have any, in the order of their first request.
    pub(super) touched: Vec<u32>,
    /// By request.
    pub(super) ahead: Vec<Ahead>,
}

/// What became of a frame.
#[derive(Debug)]
pub struct Executed {
    /// Entries in it.
    pub count: u16,
    /// The answers may be told once this epoch is durable.
    pub epoch: u64,
    /// What is to be looked up in the log before the frame can be answered.
    pub searches: Vec<Search>,
    /// Entries for operators, not touched here: index, code, and where their body stands.
    pub operator: Vec<(u16, u16, Range<usize>)>,
}

/// The state of one turn while it runs.
pub(super) struct Run<'a> {
    pub(super) store: &'a Store,
    pub(super) now_ms: i64,
    pub(super) later: Option<Later>,
    pub(super) out: &'a mut Vec<u8>,
    /// Where the frame's answers begin in `out`.
    pub(super) start: usize,
    pub(super) epoch: u64,
    pub(super) searches: Vec<Search>,
    /// Answers of one code that are not counted yet: counted one by one for all to see they cost a fiftieth of a check-in.
    pub(super) told: (u16, u64),
    /// The part of the request that is decided now, or of one before.
    pub(super) part: MemberPart,
    /// What it changes in a block.
    pub(super) counted: Counted,
    /// The epoch and the instant of an outcome that the inviter's part is missing of still.
    pub(super) introduced: Option<(u64, i64)>,
    /// Whether a large answer did not fit into the frame.
    pub(super) full: bool,
}

impl Store {
    /// Decides every request of a batch; the answers are appended to `out`, in any order.
    ///
    /// `later` refuses whatever would change state. Nothing is decided if the batch as such is bad.
    pub fn execute(
        &self,
        turn: &mut Turn,
        now_ms: i64,
        bytes: &[u8],
        scope: &Scope,
        later: Option<Later>,
        out: &mut Vec<u8>,
    ) -> Result<Executed, BadBatch> {
        let start = out.len();
        let count = self.prepare(bytes, scope, &mut turn.frame, out)?;
        turn.group(self.members.len());
        self.expect(turn);
        let later = later.or(self.busy());
        let mut run = Run {
            store: self,
            now_ms,
            later,
            out,
            start,
            epoch: 0,
            searches: Vec::new(),
            told: (0, 0),
            part: MemberPart::default(),
            counted: Counted::default(),
            introduced: None,
            full: false,
        };
        for shard in &turn.touched {
            run.shard(turn, *shard);
        }
        for Memberless { index, programme, asked } in &turn.frame.memberless {
            run.memberless(*index, *programme, asked);
        }
        run.count(0);
        let Run { mut epoch, searches, .. } = run;
        if planted(Bug::CutOffByOne) {
            epoch = epoch.saturating_sub(1);
        }
        Ok(Executed { count, epoch, searches, operator: std::mem::take(&mut turn.frame.operator) })
    }
}

impl Store {
    /// Whether more is undurable than allowed, so that changes are refused.
    pub fn busy(&self) -> Option<Later> {
        (self.undurable_bytes() > self.limits.undurable_bytes).then_some(Later::Busy)
    }
}

impl Turn {
    /// The requests of a touched shard, in their order, each with its position.
    pub(super) fn chain(&self, shard: u32, mut each: impl FnMut(usize, &Prepared)) {
        let mut at = self.ends[shard as usize].0;
        loop {
            let prepared = &self.frame.requests[usize::from(at)];
            each(usize::from(at), prepared);
            if prepared.next == at {
                return;
            }
            at = prepared.next;
        }
    }

    /// Chains the requests of each shard, in their order.
    fn group(&mut self, shards: usize) {
        for shard in self.touched.drain(..) {
            self.ends[shard as usize] = (u16::MAX, u16::MAX);
        }
        self.ends.resize(shards, (u16::MAX, u16::MAX));
        for at in 0..self.frame.requests.len() {
            let shard = self.frame.requests[at].shard;
            let (first, last) = &mut self.ends[shard as usize];
            let at = at as u16;
            self.frame.requests[usize::from(at)].next = at;
            if *first == u16::MAX {
                *first = at;
                self.touched.push(shard);
            } else {
                self.frame.requests[usize::from(*last)].next = at;
            }
            *last = at;
        }
    }
}

impl Run<'_> {
    /// Decides the requests of a shard, in their order, under its lock; but for such as could change a member of another shard too.
    fn shard(&mut self, turn: &Turn, shard: u32) {
        let store = self.store;
        let (mut at, last) = turn.ends[shard as usize];
        loop {
            let mut held = store.members[shard as usize].lock();
            let before = held.journal.appended_bytes();
            let alone = loop {
                let asked = &turn.frame.requests[usize::from(at)];
                if let Some(other) = self.other_member(&held, asked) {
                    break Some((asked, other));
                }
                self.request(&mut held, asked, None);
                if at == last {
                    break None;
                }
                at = asked.next;
            };
            self.leave(&held, before);
            drop(held);
            let Some((asked, other)) = alone else { return };
            self.pair(asked, other);
            if at == last {
                return;
            }
            at = asked.next;
        }
    }

    /// A shard is left: answers wait for what they revealed of it. Under the lock: a cut must not take back bytes that are not counted yet.
    pub(super) fn leave(&mut self, held: &Held<Shard>, before: u64) {
        self.epoch = self.epoch.max(held.journal.last_epoch()).max(held.state.world.epoch);
        let appended = held.journal.appended_bytes() - before;
        if appended > 0 {
            self.store.counts.undurable_bytes.fetch_add(appended, Ordering::Relaxed);
        }
    }

    /// Counts an answer.
    #[inline(always)]
    pub(super) fn count(&mut self, code: u16) {
        if code != self.told.0 {
            let (before, count) = std::mem::replace(&mut self.told, (code, 0));
            self.store.counts.answers.count(before, count);
        }
        self.told.1 += 1;
    }

    /// Refuses a request; of one that only asks what it would be, says so.
    pub(super) fn refuse_asked(&mut self, asked: &Prepared, refusal: &Refusal) {
        if !asked.dry {
            return self.refuse(asked.index, refusal);
        }
        let mut told = Vec::new();
        refusal.answer(asked.index, &mut told);
        // That points do not fit would tell which answer has any.
        let answers = matches!(asked.asked, Asked::AnswerQuestion(_));
        let tells = answers && [answer::TOO_MANY_LOTS, answer::INVALID_AMOUNT].contains(&refusal.code());
        self.would_be(asked, if tells { answer::ANSWERED } else { refusal.code() }, &told);
    }

    /// Says what a request would be answered; `told` is that answer, as it would stand in the frame.
    pub(super) fn would_be(&mut self, asked: &Prepared, code: u16, told: &[u8]) {
        // Which answer is right is told to nobody who does not answer.
        let body = if code == answer::ANSWERED { &[][..] } else { &told[ANSWER_HEAD_BYTES..] };
        let body = Blob::try_from(body.to_vec()).expect("answers that change a member are short");
        self.count(answer::WOULD_BE);
        push_answer(self.out, asked.index, answer::WOULD_BE, &WouldBe { code, body });
    }

    pub(super) fn refuse(&mut self, index: u16, refusal: &Refusal) {
        self.count(refusal.code());
        refusal.answer(index, self.out);
    }

    #[inline(always)]
    pub(super) fn request(&mut self, held: &mut Held<Shard>, asked: &Prepared, inviter: Option<Inviter>) {
        let Held { state: Shard { world, members }, journal } = held;
        let now_ms = self.now_ms.max(journal.last_ms());
        // The programme was there when the frame was prepared, and programmes never go.
        let Some(active) = world.programme(asked.programme) else { return };
        let context = active.context(now_ms);
        let mut place = MemberAt { members, journal, shard: asked.shard as usize };
        let slot = place.members.find(asked.member_hash, asked.programme, asked.request.member);
        match &asked.asked {
            Asked::GetMember => self.get_member(&place, &context, slot, asked.index),
            Asked::GetHolds => self.get_holds(&place, &context, slot, asked.index),
            Asked::GetLots => self.get_lots(&place, &context, slot, asked.index),
            Asked::GetStanding => self.get_standing(&place, &context, slot, asked.index),
            Asked::GetProfile => self.get_profile(&place, &context, slot, asked.index),
            Asked::GetStatement(from) => self.get_statement(&place, slot, asked, *from),
            Asked::GetOutcome(id) => self.get_outcome(&place, slot, *id, now_ms, asked.index),
            Asked::GetClaim(key) => self.get_claim(&place, &context, slot, asked, *key),
            Asked::Once(once, key) => self.once(&mut place, &context, slot, asked, once, *key),
            Asked::Enrol
            | Asked::CheckIn
            | Asked::Redeem(_)
            | Asked::Act(_)
            | Asked::UseRight(_)
            | Asked::SetBirthday(_)
            | Asked::RecordCheckIn(_)
            | Asked::MakeUp(_)
            | Asked::SetZone(_)
            | Asked::SetTag(_)
            | Asked::AnswerQuestion(_)
            | Asked::AcceptInvitation(_)
            | Asked::ClaimOrder(..)
            | Asked::ConfirmReceipt(..)
            | Asked::Hold(_)
            | Asked::Confirm(_)
            | Asked::ConfirmPart(_)
            | Asked::Cancel(_) => {
                self.remembered_request(&mut place, world, active, &context, slot, asked, inviter);
            }
        }
    }

    /// An operation that the member's window remembers.
    #[allow(
        clippy::too_many_arguments,
        reason = "what one lock holds is taken apart, and every operation needs some of it"
    )]
    fn remembered_request(
        &mut self,
        place: &mut MemberAt<'_>,
        world: &World,
        active: &Active,
        context: &Context<'_>,
        slot: Option<u32>,
        asked: &Prepared,
        inviter: Option<Inviter>,
    ) {
        if !asked.dry && !self.admitted(place, slot, context.now_ms, asked) {
            return;
        }
        let decided = match (&asked.asked, slot) {
            (Asked::Enrol, None) => self.enrol(place, context, asked),
            (Asked::Enrol, Some(_)) => Err(Refusal::Plain(answer::ALREADY_ENROLLED)),
            (_, None) => Err(Refusal::Plain(answer::NO_SUCH_MEMBER)),
            (Asked::Redeem(body), Some(slot)) => match context.programme.campaign(body.campaign) {
                None => Err(Refusal::Plain(answer::NO_SUCH_CAMPAIGN)),
                Some(campaign) => {
                    let block = active.block(campaign.number).expect("activation gives every campaign its block");
                    self.counted(place, world, block, context, slot, asked, |asker, block, counted| {
                        engine::redeem(asker, campaign, block, body, counted)
                    })
                }
            },
            (Asked::AnswerQuestion(body), Some(slot)) => match context.programme.quiz(body.quiz.as_str()) {
                None => Err(Refusal::Plain(answer::NO_SUCH_QUIZ)),
                Some(quiz) => {
                    let block = active.block(quiz.number).expect("activation gives every quiz its block");
                    self.counted(place, world, block, context, slot, asked, |asker, block, counted| {
                        engine::answer_question(asker, quiz, block, body, counted)
                    })
                }
            },
            (Asked::ClaimOrder(body, key), Some(slot)) => {
                self.with_order(place, context, slot, asked, *key, |asker, order| {
                    engine::claim_order(asker, order.kept, order.recorded, *key, body)
                })
            }
            (Asked::ConfirmReceipt(body, key), Some(slot)) => {
                self.with_order(place, context, slot, asked, *key, |asker, order| {
                    engine::confirm_receipt(asker, order.kept, *key, body)
                })
            }
            (Asked::Hold(_) | Asked::Confirm(_) | Asked::ConfirmPart(_) | Asked::Cancel(_), Some(slot)) => {
                self.holds(place, world, active, context, slot, asked)
            }
            (_, Some(slot)) => {
                let (at, epoch) = (place.at(slot), self.store.epochs.filling());
                let member = place.settled(context, slot, epoch, self.store.shape.lineage, asked.dry);
                let asker = Asker { context, at, member: &member, request: &asked.request, part: &mut self.part };
                let decided = match &asked.asked {
                    Asked::Act(body) => engine::record_activity(asker, None, body),
                    Asked::SetBirthday(body) => engine::set_birthday(asker, body),
                    Asked::AcceptInvitation(body) => engine::accept_invitation(asker, inviter, body),
                    Asked::RecordCheckIn(body) => engine::record_check_in(asker, body),
                    Asked::MakeUp(body) => engine::make_up(asker, body),
                    Asked::SetZone(body) => engine::set_zone(asker, body),
                    Asked::SetTag(body) => engine::set_tag(asker, body),
                    Asked::UseRight(body) => engine::use_right(asker, body),
                    _ => engine::check_in(asker),
                };
                drop(member);
                decided.map(|()| self.apply(place, epoch, asked))
            }
        };
        if let Err(refusal) = decided {
            self.refuse_asked(asked, &refusal);
        }
    }

    /// Whether a request is to be decided: else it was answered.
    #[inline(always)]
    fn admitted(&mut self, place: &MemberAt<'_>, slot: Option<u32>, now_ms: i64, asked: &Prepared) -> bool {
        let request = &asked.request;
        let member = slot.map(|slot| place.members.member(slot));
        let known = member.into_iter().flat_map(|member| place.members.answers_like(member, request.id));
        let mark = member.map_or(RequestId::default(), |member| member.mark);
        match engine::admit(request, known, mark, now_ms) {
            Admission::Repeat(answer) => {
                self.count(answer.code);
                answer.answer(member_place(place.shard).to_u32(), asked.index, self.out);
                return false;
            }
            Admission::Refused(refusal) => {
                self.refuse(asked.index, &refusal);
                return false;
            }
            Admission::Decide => {}
        }
        if let Some(later) = self.later {
            self.refuse(asked.index, &later.refusal());
        }
        self.later.is_none()
    }

    fn enrol(&mut self, place: &mut MemberAt<'_>, context: &Context<'_>, asked: &Prepared) -> Result<(), Refusal> {
        let (count, most) = (&self.store.counts.members, self.store.limits.members);
        let room = if asked.dry { count.load(Ordering::Relaxed) < most } else { one_more(count, most) };
        if !room {
            let retry = refusal::Later { retry_ms: 60_000 };
            return Err(Refusal::Later(answer::MEMBERS_FULL, retry));
        }
        let at = place.at(place.members.free_slot());
        engine::enrol(context, at, &asked.request, &mut self.part);
        self.apply(place, self.store.epochs.filling(), asked);
        if !asked.dry {
            place.members.enrolled(at.slot);
        }
        Ok(())
    }

    /// What counts in a block as well as with its member.
    #[allow(clippy::too_many_arguments, reason = "the block's lock nests in the member's, so that all is at hand")]
    #[inline(always)]
    fn counted(
        &mut self,
        place: &mut MemberAt<'_>,
        world: &World,
        block: &BlockPlace,
        context: &Context<'_>,
        slot: u32,
        asked: &Prepared,
        decide: impl FnOnce(Asker<'_>, &Block, &mut Counted) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut held = block.place.lock();
        let context = Context { now_ms: context.now_ms.max(held.journal.last_ms()), ..*context };
        let epoch = self.store.epochs.filling();
        let at = place.at(slot);
        let member = place.settled(&context, slot, epoch, self.store.shape.lineage, asked.dry);
        let (request, part) = (&asked.request, &mut self.part);
        let asker = Asker { context: &context, at, member: &member, request, part };
        let decided = decide(asker, &held.state, &mut self.counted);
        drop(member);
        // A refusal for the quota reveals the block as well as the member.
        self.epoch = self.epoch.max(held.journal.last_epoch()).max(world.epoch);
        if let Err(refusal) = decided {
            if !asked.dry {
                block.refused(refusal.code());
            }
            return Err(refusal);
        }
        if !asked.dry {
            let (now_ms, Counted { lapsed_s, opened, cells }) = (context.now_ms, &mut self.counted);
            if let Some(through_s) = lapsed_s.take() {
                self.store.change_block(&mut held, epoch, now_ms, &BlockPart::Lapsed { now_ms, through_s });
            }
            for (slot, name, carried) in opened.drain(..) {
                let part = BlockPart::Opened { now_ms, slot, name, carried };
                self.store.change_block(&mut held, epoch, now_ms, &part);
            }
            let granted = BlockPart::Granted { now_ms, cells: std::mem::take(cells) };
            self.store.change_block(&mut held, epoch, now_ms, &granted);
        }
        self.apply(place, epoch, asked);
        Ok(())
    }

    /// Applies the part that was decided, appends it, and answers with what a retry will get; or of a request that only asks what it
    /// would be, says that. `epoch` was read with all places of the outcome locked.
    pub(super) fn apply(&mut self, place: &mut MemberAt<'_>, epoch: u64, asked: &Prepared) {
        if asked.dry {
            return self.dry(place, asked);
        }
        let part = &mut self.part;
        part.forgets = place.members.room_for_answer(part.slot);
        self.introduced = part.introduces().then_some((epoch, part.now_ms));
        place.apply(self.store.shape.lineage, part, epoch, asked.member_hash);
        let answer = place.members.answers(part.slot).next().expect("what has no key is remembered");
        answer.answer(member_place(place.shard).to_u32(), asked.index, self.out);
        self.count(answer.code);
    }

    #[inline(never)]
    fn dry(&mut self, place: &MemberAt<'_>, asked: &Prepared) {
        let (sequence, lineage) = (place.journal.sequence() + 1, self.store.shape.lineage);
        // What is told in relation to the id is told as if that were new.
        self.part.id = RequestId::mint(self.part.now_ms, [0; 10]);
        let answer = Remembered::from_part(&self.part, sequence, lineage).expect("what has no key is remembered");
        let mut told = Vec::new();
        answer.answer(member_place(place.shard).to_u32(), asked.index, &mut told);
        self.would_be(asked, answer.code, &told);
    }
}

/// Counts one more, unless that would be beyond the limit.
pub(super) fn one_more(count: &AtomicU64, limit: u64) -> bool {
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < limit).then_some(count + 1)).is_ok()
}

/// A member shard while it is locked, taken apart so that rules can be read while members change.
pub(super) struct MemberAt<'a> {
    pub(super) members: &'a mut Members,
    pub(super) journal: &'a mut Journal,
    pub(super) shard: usize,
}

impl MemberAt<'_> {
    /// Where the member in a slot stands.
    pub(super) fn at(&self, slot: u32) -> MemberSlot {
        MemberSlot { shard: self.shard as u16, slot }
    }

    /// Applies and appends a part; `hash` is that of a new member.
    #[inline(always)]
    pub(super) fn apply(&mut self, lineage: u16, part: &mut MemberPart, epoch: u64, hash: u64) {
        let new = part.slot == self.members.free_slot();
        part.previous = if new { LedgerAt::default() } else { self.members.member(part.slot).newest() };
        let at = LedgerAt { epoch, offset: self.journal.next_offset(epoch) };
        let sequence = self.journal.sequence() + 1;
        self.members.apply(part, sequence, at, lineage, hash);
        self.journal.append(epoch, part.now_ms, |out, base_ms| engine::write_member(out, part, base_ms));
    }

    /// The member as it is, once time did what it was to do to it; to a copy, for who only looks.
    #[inline(always)]
    pub(super) fn settled(
        &mut self,
        context: &Context<'_>,
        slot: u32,
        epoch: u64,
        lineage: u16,
        dry: bool,
    ) -> Cow<'_, Member> {
        if dry {
            return engine::seen_at(context, slot, self.members.member(slot));
        }
        if !engine::is_settled(context, self.members.member(slot)) {
            self.settle(context, slot, epoch, lineage);
        }
        Cow::Borrowed(self.members.member(slot))
    }

    /// Does what time was to do to a member by now, so that what is decided next is decided upon the member as it is.
    #[inline(never)]
    pub(super) fn settle(&mut self, context: &Context<'_>, slot: u32, epoch: u64, lineage: u16) {
        while let Some(mut part) = engine::settle(context, slot, self.members.member(slot)) {
            self.apply(lineage, &mut part, epoch, 0);
        }
    }
}
