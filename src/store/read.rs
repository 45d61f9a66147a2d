//! Reads: what a member has, what a campaign offers, what became of a request. They write nothing.

use tidegate_protocol::answer::{
    BenefitView, CampaignView, CapView, HeldOfferView, HoldView, HoldsView, LimitUse, LotView, LotsView, MemberView,
    OfferView, OutcomeView, ProfileView, QuotaUse, QuotaView, QuotasView, RefusalCount, RightView, RunView,
    StandingView,
};
use tidegate_protocol::{LedgerId, List, MemberKey, Prose, RequestId, Text};

use super::members::Members;
use super::world::Active;
use crate::engine::{
    self, Block, CAMPAIGNS_BELOW, CellName, Context, DEADLINE_MS_MOST, HeldOffer, Hold, LedgerAt, LotName, Member,
    NEVER_S, PlaceId, Remembered, Right, second_of,
};
use crate::programme::{Campaign, Cap, Each, ForStore, Giving, Most, Period, Programme, Quota, Span, Store};

fn text(slug: &str) -> Text {
    Text::try_from(slug).unwrap_or_default()
}

pub(super) fn member_view(programme: &Programme, member: &Member) -> MemberView {
    let tier = &programme.tiers[programme.tier_numbered(member.tier).unwrap_or(0)];
    let limits = member.counters().filter(|counter| counter.campaign < CAMPAIGNS_BELOW).map(|counter| LimitUse {
        campaign: u32::from(counter.campaign),
        offer: engine::limit_offer(counter.offer),
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

/// An instant in whole seconds, as answers tell it; never is 0.
fn instant_ms(second: u32) -> i64 {
    if second == NEVER_S { 0 } else { i64::from(second) * 1000 }
}

/// Where a member stands that was settled.
pub(super) fn standing_view(context: &Context<'_>, member: &Member) -> StandingView {
    let programme = context.programme;
    let standing = engine::standing(context, member);
    let at = programme.tier_numbered(member.tier).unwrap_or(0);
    let (tier, next) = (&programme.tiers[at], programme.tiers.get(at + 1));
    let slug = |number: u16| programme.right(number).map_or(Text::default(), |right| text(&right.slug));
    let always = tier.rights.iter().map(|number| RightView { slug: slug(*number), count: 0, expires_ms: 0 });
    let counted = member.rights().map(|right| RightView {
        slug: slug(right.number),
        count: right.count,
        expires_ms: instant_ms(right.expires_s),
    });
    let benefits = member.plans().filter_map(|plan| {
        let benefit = programme.benefits.iter().find(|benefit| benefit.source == plan.what)?;
        Some(BenefitView { slug: text(&benefit.slug), due_ms: instant_ms(plan.at_s) })
    });
    StandingView {
        tier: tier.number,
        tier_slug: text(&tier.slug),
        measure: standing.measure as u8,
        count: standing.count,
        until_ms: standing.until_s.map_or(0, instant_ms),
        grace: u8::from(standing.grace),
        keep: tier.keep,
        next_tier: next.map_or(0, |next| next.number),
        next_slug: next.map_or(Text::default(), |next| text(&next.slug)),
        missing: next.map_or(0, |next| next.from.saturating_sub(standing.count)),
        birthday_month: member.birthday().map_or(0, |birthday| birthday.month),
        birthday_day: member.birthday().map_or(0, |birthday| birthday.day),
        birthday_from: member.birthday().map_or(0, |birthday| i32::from(birthday.from_year)),
        rights: List::cut(always.chain(counted)),
        benefits: List::cut(benefits),
        caps: List::cut(caps(context, member)),
    }
}

/// What is kept of a member beside its points, that was settled.
pub(super) fn profile_view(context: &Context<'_>, member: &Member) -> ProfileView {
    let programme = context.programme;
    let zone = engine::zone(context, member);
    let today = zone.local_day(context.now_ms);
    let rule = programme.check_in.as_ref();
    let back = rule.map_or(0, |rule| rule.reach_days());
    let card = rule.and_then(|rule| rule.make_up.as_ref()).map(|make_up| make_up.card);
    let reach = engine::known_from(member).max(today.saturating_sub(back));
    let (introduced, introduced_most) = engine::introductions(context, member);
    let runs = member.days().map_or(&[][..], |days| days.runs());
    let tag = |number: &u16| programme.tags.iter().find(|tag| tag.number == *number).map(|tag| text(&tag.slug));
    ProfileView {
        zone: text(zone.name()),
        today,
        checked_in: u8::from(member.last_day >= today),
        next_ms: zone.day_start_ms(today.max(member.last_day).saturating_add(1)),
        runs: List::cut(
            runs.iter()
                .rev()
                .filter(|run| run.last >= reach.saturating_sub(1))
                .map(|run| RunView { last: run.last, days: u32::from(run.days) }),
        ),
        reach,
        cards: card.map_or(0, |card| u32::try_from(member.right_count(card)).unwrap_or(u32::MAX)),
        tags: List::cut(member.tags().iter().filter_map(tag)),
        invited: member.invitation().map_or(0, |invitation| if invitation.until_s == 0 { 2 } else { 1 }),
        invited_by: member.invitation().map_or(MemberKey([0; 16]), |invitation| invitation.inviter),
        invited_until_ms: member.invitation().map_or(0, |invitation| i64::from(invitation.until_s) * 1000),
        introduced,
        introduced_most,
    }
}

fn caps(context: &Context<'_>, member: &Member) -> Vec<CapView> {
    let programme = context.programme;
    let view = |giving: &Giving, cap: &Cap| {
        let each = match cap.each? {
            Period::Day => 1,
            Period::Week => 2,
            Period::Month => 3,
            _ => 4,
        };
        let (of, most) = match cap.most {
            Most::Points(most) => (1, most),
            Most::Times(most) => (2, most),
        };
        let used = engine::cap_used(context, member, giving, cap);
        Some(CapView { rule: text(programme.source_name(giving.source)), each, of, most, used })
    };
    programme.givings().flat_map(|giving| giving.caps.iter().filter_map(move |cap| view(giving, cap))).collect()
}

/// A member's points, one by one.
pub(super) fn lots_view(programme: &Programme, member: &Member) -> LotsView {
    let lot = |points: i64, opens_s: u32, name: LotName| LotView {
        points,
        opens_ms: i64::from(opens_s) * 1000,
        expires_ms: instant_ms(name.expires_s),
        slides: u8::from(name.slides),
        source: text(programme.source_name(name.source)),
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

/// A page of a member's statement, to be read from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementSearch {
    /// The request to be answered, its place in the frame.
    pub index: u16,
    /// The programme's number.
    pub programme: u32,
    /// Whose statement.
    pub member: MemberKey,
    /// The member's place.
    pub place: PlaceId,
    /// The first entry.
    pub from: LedgerAt,
}

/// What only the log can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// What became of a request.
    Outcome(OutcomeSearch),
    /// A page of a statement.
    Statement(StatementSearch),
}

impl Search {
    /// The request to be answered, its place in the frame.
    pub fn index(&self) -> u16 {
        match self {
            Search::Outcome(search) => search.index,
            Search::Statement(search) => search.index,
        }
    }
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
    let now_s = second_of(now_ms);
    let shown = shown(&held.state, period);
    let offers = campaign.offers.iter().map(|offer| OfferView {
        number: offer.number,
        granted: u64::from(held.state.used(CellName::of_window(shown, offer.number as u16, 0), now_s)),
        sku: text(&offer.sku),
    });
    let view = CampaignView {
        number: campaign.number,
        version: active.version,
        epoch: engine::campaign_epoch(&active.context(now_ms), &held.state),
        state,
        period: period.unwrap_or(0),
        opens_ms,
        closes_ms,
        granted_ever: held.state.granted().wrapping_sub(held.state.lapsed_grants(now_s)),
        slug: text(&campaign.slug),
        quotas: List::cut(quotas(campaign, &held.state, shown, now_s)),
        offers: List::cut(offers),
        refusals: List::cut(block.refusals().map(|(code, count)| RefusalCount { code, count })),
    };
    (view, held.journal.last_epoch())
}

/// The window that is shown: the one that is open, or the last that had grants.
fn shown(block: &Block, open: Option<i32>) -> i32 {
    let newest = || Some(block.newest_period()).filter(|period| *period != i32::MIN);
    open.or_else(newest).unwrap_or(0)
}

/// Quotas of a window over all stores; others stand in [`quotas_view`].
fn quotas(campaign: &Campaign, block: &Block, period: i32, now_s: u32) -> Vec<QuotaUse> {
    let row = |offer: u32, quota: &Quota| {
        let tier = quota.tier.unwrap_or(0);
        let used = block.used(CellName::of_window(period, offer as u16, tier), now_s);
        QuotaUse { offer, tier, period, total: i64::try_from(quota.total).unwrap_or(i64::MAX), used: u64::from(used) }
    };
    let plain = |quota: &&Quota| quota.store == ForStore::All && quota.each == Each::Window;
    let shared = campaign.quotas.iter().filter(plain).map(|quota| row(0, quota));
    let offers = campaign.offers.iter();
    let own = offers.flat_map(|offer| offer.quotas.iter().filter(plain).map(move |quota| row(offer.number, quota)));
    shared.chain(own).collect()
}

/// A campaign's quotas of now, and the epoch of the last change that they reveal.
pub(super) fn quotas_view(active: &Active, campaign: &Campaign, now_ms: i64) -> (QuotasView, u64) {
    let block = active.block(campaign.number).expect("activation gives every campaign its block");
    let held = block.place.lock();
    let context = active.context(now_ms.max(held.journal.last_ms()));
    let period = match campaign.window.at(context.now_ms) {
        Span::Open { period, .. } => Some(period),
        _ => None,
    };
    let look = Look { context: &context, campaign, block: &held.state, window: shown(&held.state, period) };
    let shared = campaign.quotas.iter().flat_map(|quota| look.rows(0, quota));
    let offers = campaign.offers.iter();
    let own = offers.flat_map(|offer| offer.quotas.iter().flat_map(|quota| look.rows(offer.number as u16, quota)));
    let view = QuotasView {
        campaign: campaign.number,
        epoch: engine::campaign_epoch(&context, &held.state),
        quotas: List::cut(shared.chain(own)),
    };
    (view, held.journal.last_epoch())
}

/// What the rows of a campaign's quotas are read from.
struct Look<'a> {
    context: &'a Context<'a>,
    campaign: &'a Campaign,
    block: &'a Block,
    window: i32,
}

impl Look<'_> {
    /// A quota's row; of one that each store has by itself, every store's.
    fn rows(&self, offer: u16, quota: &Quota) -> Vec<QuotaView> {
        let stores = &self.context.programme.stores;
        match quota.store {
            ForStore::All => vec![self.row(offer, quota, None)],
            ForStore::Each => stores.iter().map(|store| self.row(offer, quota, Some(store))).collect(),
            ForStore::One(number) => {
                let store = stores.iter().find(|store| store.number == number);
                vec![self.row(offer, quota, store)]
            }
        }
    }

    fn row(&self, offer: u16, quota: &Quota, store: Option<&Store>) -> QuotaView {
        let Look { context, campaign, block, window } = *self;
        let (now_s, today) = (second_of(context.now_ms), context.programme.zone.local_day(context.now_ms));
        let (period, tier) = (quota.each.period(window, today), quota.tier.unwrap_or(0));
        let number = store.map_or(0, |store| store.number);
        let name = CellName { period, offer, store: number, tier, each: quota.each };
        let (used, held, came_over) = match block.find(name, now_s) {
            Some((slot, cell)) => (cell.used, block.held_beyond(slot, now_s), cell.carried),
            None if quota.carried => (0, 0, engine::carried(context, campaign, block, name, quota.total)),
            None => (0, 0, 0),
        };
        let over = if quota.carried { u64::from(came_over) } else { 0 };
        QuotaView {
            offer: offer.into(),
            tier,
            each: quota.each as u8,
            store: store.map_or(Text::default(), |store| text(&store.slug)),
            period,
            total: i64::try_from(quota.total.saturating_add(over)).unwrap_or(i64::MAX),
            used: used.into(),
            held,
        }
    }
}

/// What a member holds.
pub(super) fn holds_view(programme: &Programme, member: &Member) -> HoldsView {
    let offer = |held: &HeldOffer| HeldOfferView {
        campaign: held.campaign.into(),
        offer: held.offer.into(),
        count: held.count.into(),
        period: held.period,
        points: held.points,
        money_minor: held.money_minor,
    };
    let right = |right: &Right| programme.right(right.number).map_or(Text::default(), |right| text(&right.slug));
    let hold = |hold: &Hold| HoldView {
        hold: hold.id,
        until_ms: instant_ms(hold.due_s),
        points: hold.points(),
        tender: hold.tender,
        money_minor: hold.offers.iter().map(|held| held.money_minor.saturating_mul(held.count.into())).sum(),
        offers: List::cut(hold.offers.iter().map(offer)),
        rights: List::cut(hold.rights.iter().map(right)),
    };
    HoldsView { holds: List::cut(member.holds().iter().map(hold)) }
}
