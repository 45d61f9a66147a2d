//! What is only looked at in a turn: members, campaigns and quizzes as they are, and what is to be looked up in the log.
//!
//! Promises: nothing changes; what is due to a member is done to a copy. What is revealed of a place, the answer waits for (I4). Never:
//! gives more than a frame has room for: whoever asks for too much at once is asked to come again.

use std::sync::Arc;

use tidegate_protocol::answer::Cursor;
use tidegate_protocol::batch::push_answer;
use tidegate_protocol::code::answer;
use tidegate_protocol::frame::BODY_BYTES_MOST;
use tidegate_protocol::operation::{GetCampaign, GetQuotas};
use tidegate_protocol::{Encode, RequestId, Text};

use super::execute::{Later, MemberAt, Run};
use super::prepare::{AskedOfAll, Prepared};
use super::read::{Search, Seen, StatementSearch};
use super::world::Active;
use super::{member_place, quiz, read};
use crate::engine::{self, Context, LedgerAt, Refusal};
use crate::programme::Campaign;

/// The answers of a frame may come to this many bytes with one that can be large: a campaign's, or a member's lots. As much as
/// is left of the longest frame is enough for all that are not, for outcomes and for operators' answers, which come later.
const WITH_LARGE_BYTES_MOST: usize = BODY_BYTES_MOST / 8 * 5;

impl Run<'_> {
    #[inline(never)]
    pub(super) fn get_member(&mut self, place: &MemberAt<'_>, context: &Context<'_>, slot: Option<u32>, index: u16) {
        let Some(slot) = slot else { return self.refuse(index, &Refusal::Plain(answer::NO_SUCH_MEMBER)) };
        self.count(answer::MEMBER);
        let member = engine::seen_at(context, slot, place.members.member(slot));
        let view = read::member_view(context.programme, &member);
        push_answer(self.out, index, answer::MEMBER, &view);
    }

    #[inline(never)]
    pub(super) fn get_outcome(
        &mut self,
        place: &MemberAt<'_>,
        slot: Option<u32>,
        id: RequestId,
        now_ms: i64,
        index: u16,
    ) {
        let Some(slot) = slot else { return self.refuse(index, &Refusal::Plain(answer::NO_SUCH_MEMBER)) };
        let id_of_place = member_place(place.shard);
        match read::outcome(place.members, slot, id, now_ms, id_of_place, index) {
            Seen::Known(view) => {
                self.count(answer::OUTCOME);
                push_answer(self.out, index, answer::OUTCOME, &view);
            }
            Seen::Search(search) => self.searches.push(Search::Outcome(search)),
        }
    }

    pub(super) fn memberless(&mut self, index: u16, programme: u32, asked: &AskedOfAll) {
        if self.full && !matches!(asked, AskedOfAll::Report(..)) {
            // One that was too large is not made in vain again.
            return self.refuse(index, &Later::Busy.refusal());
        }
        let world = Arc::clone(&self.store.world.load());
        let Some(active) = world.programme(programme) else { return };
        // Also that there is no such campaign is told of this version.
        self.epoch = self.epoch.max(world.epoch);
        match asked {
            AskedOfAll::Report(body, key, request) => self.report(index, programme, *key, request, body),
            AskedOfAll::Campaign(body) => self.campaign(index, active, body),
            AskedOfAll::Quotas(body) => self.quotas(index, active, body),
            AskedOfAll::Quiz(body) => match active.programme.quiz(body.quiz.as_str()) {
                None => self.refuse(index, &Refusal::Plain(answer::NO_SUCH_QUIZ)),
                Some(quiz) => {
                    let (view, epoch) = quiz::quiz_view(active, quiz, self.now_ms);
                    if self.large(index, answer::QUIZ, &view) {
                        self.epoch = self.epoch.max(epoch);
                    }
                }
            },
        }
    }

    fn campaign(&mut self, index: u16, active: &Active, body: &GetCampaign) {
        let Some(campaign) = campaign_of(active, body.campaign, &body.slug) else {
            return self.refuse(index, &Refusal::Plain(answer::NO_SUCH_CAMPAIGN));
        };
        let (view, epoch) = read::campaign_view(active, campaign, self.now_ms);
        if self.large(index, answer::CAMPAIGN, &view) {
            self.epoch = self.epoch.max(epoch);
        }
    }

    fn quotas(&mut self, index: u16, active: &Active, body: &GetQuotas) {
        let Some(campaign) = campaign_of(active, body.campaign, &body.slug) else {
            return self.refuse(index, &Refusal::Plain(answer::NO_SUCH_CAMPAIGN));
        };
        let (view, epoch) = read::quotas_view(active, campaign, self.now_ms);
        if self.large(index, answer::QUOTAS, &view) {
            self.epoch = self.epoch.max(epoch);
        }
    }

    #[inline(never)]
    pub(super) fn get_lots(&mut self, place: &MemberAt<'_>, context: &Context<'_>, slot: Option<u32>, index: u16) {
        let Some(slot) = slot else { return self.refuse(index, &Refusal::Plain(answer::NO_SUCH_MEMBER)) };
        let member = engine::seen_at(context, slot, place.members.member(slot));
        self.large(index, answer::LOTS, &read::lots_view(context.programme, &member));
    }

    #[inline(never)]
    pub(super) fn get_holds(&mut self, place: &MemberAt<'_>, context: &Context<'_>, slot: Option<u32>, index: u16) {
        let Some(slot) = slot else { return self.refuse(index, &Refusal::Plain(answer::NO_SUCH_MEMBER)) };
        let member = engine::seen_at(context, slot, place.members.member(slot));
        self.large(index, answer::HOLDS, &read::holds_view(context.programme, &member));
    }

    #[inline(never)]
    pub(super) fn get_standing(&mut self, place: &MemberAt<'_>, context: &Context<'_>, slot: Option<u32>, index: u16) {
        let Some(slot) = slot else { return self.refuse(index, &Refusal::Plain(answer::NO_SUCH_MEMBER)) };
        let member = engine::seen_at(context, slot, place.members.member(slot));
        self.large(index, answer::STANDING, &read::standing_view(context, &member));
    }

    #[inline(never)]
    pub(super) fn get_profile(&mut self, place: &MemberAt<'_>, context: &Context<'_>, slot: Option<u32>, index: u16) {
        let Some(slot) = slot else { return self.refuse(index, &Refusal::Plain(answer::NO_SUCH_MEMBER)) };
        let member = engine::seen_at(context, slot, place.members.member(slot));
        self.large(index, answer::PROFILE, &read::profile_view(context, &member));
    }

    #[inline(never)]
    pub(super) fn get_statement(&mut self, place: &MemberAt<'_>, slot: Option<u32>, asked: &Prepared, from: Cursor) {
        let Some(slot) = slot else { return self.refuse(asked.index, &Refusal::Plain(answer::NO_SUCH_MEMBER)) };
        let (programme, member) = (asked.programme, asked.request.member);
        let seal = || self.store.shape.keys.cursor(programme, member, from.epoch, from.offset);
        let first = from == Cursor::default();
        if !first && from.seal != seal() {
            return self.refuse(asked.index, &Refusal::Plain(answer::NO_SUCH_PAGE));
        }
        let newest = place.members.member(slot).newest();
        let from = if first { newest } else { LedgerAt { epoch: from.epoch, offset: from.offset } };
        let (index, place) = (asked.index, member_place(place.shard));
        self.searches.push(Search::Statement(StatementSearch { index, programme, member, place, from }));
    }

    /// Gives an answer that may be large, or asks to come again if the frame has too many of them.
    fn large<T: Encode>(&mut self, index: u16, code: u16, view: &T) -> bool {
        let before = self.out.len();
        push_answer(self.out, index, code, view);
        if self.out.len() - self.start > WITH_LARGE_BYTES_MOST {
            self.out.truncate(before);
            self.full = true;
            self.refuse(index, &Later::Busy.refusal());
            return false;
        }
        self.count(code);
        true
    }
}

/// A campaign by its number, or where that is 0 by its slug.
fn campaign_of<'a>(active: &'a Active, number: u32, slug: &Text) -> Option<&'a Campaign> {
    match number {
        0 => active.programme.campaign_by_slug(slug.as_str()),
        number => active.programme.campaign(number),
    }
}
