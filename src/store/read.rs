//! Reads: what a member has, what a campaign offers, what became of a request. They write nothing.

use tidegate_protocol::answer::{
    CampaignView, LimitUse, LotView, LotsView, MemberView, OfferView, OutcomeView, QuotaUse, RefusalCount,
};
use tidegate_protocol::{LedgerId, List, Prose, RequestId, Text};

use super::members::Members;
use super::world::Active;
use crate::engine::{Block, CellName, DEADLINE_MS_MOST, LedgerAt, LotName, Member, NEVER_S, PlaceId, Remembered};
use crate::programme::{Campaign, Programme, Quota, Span, source};

fn text(slug: &str) -> Text {
    Text::try_from(slug).unwrap_or_default()
}

pub(super) fn member_view(programme: &Programme, member: &Member) -> MemberView {
    let tier = &programme.tiers[programme.tier_of(member.earned)];
    let limits = member.counters().map(|counter| LimitUse {
        campaign: u32::from(counter.campaign),
        offer: u32::from(counter.offer),
        period: counter.period,
        used: counter.used,
    });
    MemberView {
        balance: member.balance(),
        earned: member.earned,
        tier: tier.number,
        tier_slug: text(&tier.slug),
        streak: u32::from(member.streak),
        streak_best: u32::from(member.streak_best),
        last_day: member.last_day,
        mark: member.mark,
        limits: List::cut(limits),
    }
}

/// A member's points, one by one.
pub(super) fn lots_view(member: &Member) -> LotsView {
    let lot = |points: i64, opens_s: u32, name: LotName| LotView {
        points,
        opens_ms: i64::from(opens_s) * 1000,
        expires_ms: if name.expires_s == NEVER_S { 0 } else { i64::from(name.expires_s) * 1000 },
        slides: u8::from(name.slides),
        source: text(source::name(name.source)),
    };
    let open = member.lots().iter().map(|it| lot(it.points, 0, it.name));
    let pending = member.pending().map(|it| lot(it.points, it.opens_s, it.name));
    LotsView {
        balance: member.balance(),
        pending: member.pending().map(|pending| pending.points).sum(),
        lots: List::cut(open.chain(pending)),
    }
}

/// What is to be looked up in the log: an entry of a member's, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeSearch {
    /// The request to be answered, its place in the frame.
    pub index: u16,
    /// The id that is sought.
    pub id: RequestId,
    /// The member's place.
    pub place: PlaceId,
    /// The member's slot there.
    pub slot: u32,
    /// The member's newest entry, where the search begins.
    pub newest: LedgerAt,
    /// The answer if no entry has the id: [`OutcomeView::NEVER`] or [`OutcomeView::NOT_YET`].
    pub otherwise: u8,
}

/// What memory knows of an outcome.
#[derive(Debug)]
pub enum Seen {
    /// All there is to say.
    Known(OutcomeView),
    /// Only the log can tell.
    Search(OutcomeSearch),
}

/// The outcome as an answer tells it.
pub(super) fn applied(answer: &Remembered, place: PlaceId) -> OutcomeView {
    let mut bytes = Vec::new();
    answer.answer(place.to_u32(), 0, &mut bytes);
    let body = &bytes[tidegate_protocol::batch::ANSWER_HEAD_BYTES..];
    let ledger = LedgerId { lineage: u32::from(answer.lineage), place: place.to_u32(), sequence: answer.sequence };
    OutcomeView { state: OutcomeView::APPLIED, code: answer.code, ledger, answer: hexadecimal(body) }
}

fn hexadecimal(bytes: &[u8]) -> Prose<512> {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Prose::cut(&digits)
}

/// Looks an id up among a member's remembered answers.
///
/// An id not remembered may stand in the log. If it does not, it can be `never` only once its longest deadline is
/// past: an order, which takes no mark, could still come.
pub(super) fn outcome(members: &Members, slot: u32, id: RequestId, now_ms: i64, place: PlaceId, index: u16) -> Seen {
    if let Some(answer) = members.answers(slot).find(|answer| answer.id == id) {
        return Seen::Known(applied(answer, place));
    }
    let past = id.time_ms().saturating_add(i64::from(DEADLINE_MS_MOST)) < now_ms;
    let otherwise = if past { OutcomeView::NEVER } else { OutcomeView::NOT_YET };
    let newest = members.member(slot).newest();
    Seen::Search(OutcomeSearch { index, id, place, slot, newest, otherwise })
}

/// A campaign's view, and the epoch of the last change that it reveals.
pub(super) fn campaign_view(active: &Active, campaign: &Campaign, now_ms: i64) -> (CampaignView, u64) {
    let block = active.block(campaign.number).expect("activation gives every campaign its block");
    let held = block.place.lock();
    let now_ms = now_ms.max(held.journal.last_ms());
    let (state, period, opens_ms, closes_ms) = match campaign.window.at(now_ms) {
        Span::NotYet { opens_ms } => (0, None, opens_ms, 0),
        Span::Open { period, opens_ms, closes_ms } => (1, Some(period), opens_ms, closes_ms),
        Span::Between { next_opens_ms, closed_ms } => (2, None, next_opens_ms, closed_ms),
        Span::Ended { closed_ms } => (3, None, 0, closed_ms),
    };
    let newest = held.state.cells().iter().flatten().map(|cell| cell.name.period).max();
    let shown = period.or(newest).unwrap_or(0);
    let offers = campaign.offers.iter().map(|offer| OfferView {
        number: offer.number,
        granted: u64::from(held.state.used(CellName { period: shown, offer: offer.number as u16, tier: 0 })),
        sku: text(&offer.sku),
    });
    let view = CampaignView {
        number: campaign.number,
        version: active.version,
        epoch: u64::from(active.version),
        state,
        period: period.unwrap_or(0),
        opens_ms,
        closes_ms,
        granted_ever: held.state.granted(),
        slug: text(&campaign.slug),
        quotas: List::cut(quotas(campaign, &held.state, shown)),
        offers: List::cut(offers),
        refusals: List::cut(block.refusals().map(|(code, count)| RefusalCount { code, count })),
    };
    (view, held.journal.last_epoch())
}

fn quotas(campaign: &Campaign, block: &Block, period: i32) -> Vec<QuotaUse> {
    let row = |offer: u32, quota: &Quota| {
        let tier = quota.tier.unwrap_or(0);
        let used = block.used(CellName { period, offer: offer as u16, tier });
        QuotaUse { offer, tier, period, total: i64::try_from(quota.total).unwrap_or(i64::MAX), used: u64::from(used) }
    };
    let shared = campaign.quotas.iter().map(|quota| row(0, quota));
    let own = campaign.offers.iter().flat_map(|offer| offer.quotas.iter().map(move |quota| row(offer.number, quota)));
    shared.chain(own).collect()
}
