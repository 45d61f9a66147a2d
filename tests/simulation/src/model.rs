//! The reference model: what a programme's members have and what each request must come to, written naively from the
//! rules as the documents state them. Plain maps, one thread, no code of the engine's.
//!
//! [`Model::judge`] is given each request in the order of decision, together with what the engine answered. It works out
//! by itself what the answer must be, says what differs, and makes the change that the answer tells of. Where the rules
//! leave the engine a choice (which answers a full pool has forgotten, when an old order number is), it holds the choice to what
//! the rules allow.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tidegate_protocol::answer::{
    AlreadyRecorded, CampaignView, CheckedIn, Enrolled, Granted, MemberView, OutcomeView, Recorded,
};
use tidegate_protocol::code::{answer, name};
use tidegate_protocol::refusal::{
    AlreadyCheckedIn, Clock as ServerClock, KeyConflict, LimitReached, NotEnoughPoints, NotOpen, PaidInTheFuture, SoldOut, Stale,
    TierNotAdmitted, TooOld,
};
use tidegate_protocol::{Decode, LedgerId, RequestId, decode};

use crate::calendar::{Clock, Now};
use crate::rules::{AHEAD_MS, Campaign, Offer, Quotas, Rate, Rounding, Rules};

/// Answers that a member's window holds.
const WINDOW: usize = 4;
/// How far an id may be ahead, and the longest deadline.
const ID_AHEAD_MS: i64 = 5_000;
const DEADLINE_MS_MOST: i64 = 300_000;
const DAY_MS: i64 = 86_400_000;

/// An order as a member sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The channel, perhaps one that nobody declared.
    pub channel: String,
    /// Its number there.
    pub number: String,
    /// When it was paid.
    pub paid_at_ms: i64,
    /// What was paid.
    pub amount_minor: i64,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Become a member.
    Enrol,
    /// Today's check-in.
    CheckIn,
    /// An order's points.
    Order(Order),
    /// An offer of a campaign, both by number.
    Redeem(u32, u32),
    /// What the member has.
    GetMember,
    /// What a campaign, by number, offers.
    GetCampaign(u32),
    /// What became of an id.
    GetOutcome(RequestId),
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The programme's number.
    pub programme: u32,
    /// Who asks.
    pub member: u64,
    /// Its id.
    pub id: RequestId,
    /// Its deadline, counted from the id's time.
    pub deadline_ms: u32,
    /// What it asks.
    pub ask: Ask,
}

/// What the engine answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The code.
    pub code: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Told {
    fn read<T: Decode<()>>(&self) -> Result<T, String> {
        decode(&self.body).map_err(|error| format!("`{}` with a body that does not read: {error}", name(self.code)))
    }
}

/// What every answer is given against.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// The server's time.
    pub now_ms: i64,
    /// The epoch that fills.
    pub epoch: u64,
    /// The code with which changes are refused now, if they are.
    pub later: Option<u16>,
}

/// What a judgement finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request changed the state now.
    pub applied: bool,
    /// The epoch of the newest change that the answer reveals.
    pub reveals: u64,
}

/// A request that changed the state, and its answer.
#[derive(Debug)]
struct Applied {
    ask: Ask,
    told: Told,
}

#[derive(Debug, Clone, Default)]
struct Member {
    balance: i64,
    earned: i64,
    streak: u32,
    streak_best: u32,
    last_day: Option<i32>,
    /// Every id of this member that ever changed the state, for ever.
    applied: BTreeMap<RequestId, Vec<Rc<Applied>>>,
    /// Those among them that are no orders: only these can be forgotten, or be a mark.
    windowed: BTreeSet<RequestId>,
    /// The ids that are remembered for sure while no pool is full.
    window: BTreeSet<RequestId>,
    /// The largest mark that was seen.
    mark: RequestId,
    /// By campaign and offer (0: all): window and uses.
    limits: BTreeMap<(u32, u32), (i32, u32)>,
    changed: u64,
}

#[derive(Debug, Clone)]
struct Recording {
    programme_ask: Rc<(u64, Order)>,
    ledger: LedgerId,
    changed: u64,
}

/// A quota's units in one window: campaign, offer (0: all), tier (0: all), window.
type CellName = (u32, u32, u32, i32);

#[derive(Debug, Clone)]
struct Programme {
    rules: Rc<Rules>,
    clock: Clock,
    version: u32,
    activated: u64,
    campaigns: Vec<String>,
    offers: BTreeMap<u32, Vec<String>>,
    tiers: Vec<&'static str>,
    members: BTreeMap<u64, Member>,
    orders: BTreeMap<(String, String), Recording>,
    /// Orders paid at or before this instant may be forgotten.
    forgettable_ms: i64,
    cells: BTreeMap<CellName, u64>,
    granted: BTreeMap<u32, u64>,
    block_changed: BTreeMap<u32, u64>,
}

/// The state of all programmes.
#[derive(Debug, Clone, Default)]
pub struct Model {
    programmes: Vec<Programme>,
    /// The newest ledger entry of each place.
    entries: BTreeMap<u32, u64>,
    /// Whether the pools are so large that a member forgets only its own fifth answer.
    pub ample: bool,
    members_most: u64,
}

type Judged = Result<Verdict, String>;

/// What the rules make of a request.
enum Due {
    /// Exactly this code; the body is checked by a closure.
    Refusal(u16, Box<dyn Fn(&Told) -> Result<(), String>>),
    /// It is to be applied.
    Apply(Change),
}

/// What a request changes when it is applied.
enum Change {
    Enrol,
    CheckIn { day: i32, streak: u32, points: i64 },
    Order { points: i64 },
    Redeem { campaign: u32, price: i64, cells: Vec<CellName>, limit: Option<(u32, i32, u32)> },
}

fn plain(code: u16) -> Due {
    Due::Refusal(code, Box::new(|_| Ok(())))
}

fn with<T: Decode<()> + PartialEq + std::fmt::Debug + 'static>(code: u16, fits: impl Fn(&T) -> bool + 'static, due: String) -> Due {
    Due::Refusal(
        code,
        Box::new(move |told| {
            let body: T = told.read()?;
            if fits(&body) { Ok(()) } else { Err(format!("`{}` says {body:?}, but {due}", name(told.code))) }
        }),
    )
}

impl Model {
    /// No programmes; a store that takes so many members.
    pub fn new(ample: bool, members_most: u64) -> Model {
        Model { ample, members_most, ..Model::default() }
    }

    /// The rules of a programme in force.
    pub fn rules(&self, programme: u32) -> Option<Rc<Rules>> {
        Some(Rc::clone(&self.programmes.get(programme as usize - 1)?.rules))
    }

    /// The version of a programme in force; 0 if there is none.
    pub fn version(&self, programme: u32) -> u32 {
        self.programmes.get(programme as usize - 1).map_or(0, |it| it.version)
    }

    /// Programmes there are.
    pub fn programme_count(&self) -> u32 {
        self.programmes.len() as u32
    }

    /// Numbers of the campaigns ever named.
    pub fn campaigns(&self, programme: u32) -> u32 {
        self.programmes.get(programme as usize - 1).map_or(0, |it| it.campaigns.len() as u32)
    }

    /// Whether an id changed the state.
    pub fn has_applied(&self, programme: u32, member: u64, id: RequestId) -> bool {
        let member = self.programmes.get(programme as usize - 1).and_then(|it| it.members.get(&member));
        member.is_some_and(|member| member.applied.contains_key(&id))
    }

    /// Puts rules in force, with the epoch that the activation stands in.
    pub fn activate(&mut self, programme: u32, rules: Rules, epoch: u64) {
        let at = programme as usize - 1;
        if at == self.programmes.len() {
            self.programmes.push(Programme {
                clock: Clock::of(rules.zone),
                rules: Rc::new(rules.clone()),
                version: 0,
                activated: 0,
                campaigns: Vec::new(),
                offers: BTreeMap::new(),
                tiers: Vec::new(),
                members: BTreeMap::new(),
                orders: BTreeMap::new(),
                forgettable_ms: i64::MIN,
                cells: BTreeMap::new(),
                granted: BTreeMap::new(),
                block_changed: BTreeMap::new(),
            });
        }
        let programme = &mut self.programmes[at];
        for (slug, _) in &rules.tiers {
            number_of(&mut programme.tiers, *slug);
        }
        for campaign in &rules.campaigns {
            let number = number_of(&mut programme.campaigns, campaign.slug.clone());
            let offers = programme.offers.entry(number).or_default();
            campaign.offers.iter().for_each(|offer| {
                number_of(offers, offer.sku.clone());
            });
        }
        (programme.version, programme.activated) = (programme.version + 1, epoch);
        programme.rules = Rc::new(rules);
    }

    /// Time makes old order numbers forgettable.
    pub fn maintain(&mut self, now_ms: i64) {
        for programme in &mut self.programmes {
            let horizon_ms = now_ms - programme.rules.remember_days * DAY_MS;
            programme.forgettable_ms = programme.forgettable_ms.max(horizon_ms);
        }
    }

    /// Judges an outcome that was looked up in the log after it was asked for; `applied` then, or not.
    pub fn judge_search(&self, asked: &Asked, view: &OutcomeView, applied: bool) -> Result<(), String> {
        let Ask::GetOutcome(id) = asked.ask else { unreachable!("only outcomes are looked up") };
        let member = self.programmes.get(asked.programme as usize - 1).and_then(|it| it.members.get(&asked.member));
        let known = member.and_then(|member| member.applied.get(&id));
        match (view.state, known) {
            (OutcomeView::APPLIED, Some(known)) => tells_of(view, known),
            (OutcomeView::NOT_YET, _) | (OutcomeView::NEVER, None) if !applied => Ok(()),
            _ => Err(format!("the outcome is {view:?}, of {known:?}")),
        }
    }

    /// Judges an answer, and makes the change it tells of.
    pub fn judge(&mut self, now: Circumstances, asked: &Asked, told: &Told) -> Judged {
        let full = self.programmes.iter().map(|it| it.members.len() as u64).sum::<u64>() >= self.members_most;
        let Some(programme) = self.programmes.get_mut(asked.programme as usize - 1) else {
            return expect(told, answer::NO_SUCH_PROGRAMME).map(|()| Verdict { applied: false, reveals: 0 });
        };
        let mut bench = Bench { programme, entries: &mut self.entries, now, ample: self.ample, full };
        let judged = bench.judge(asked, told);
        judged.map_err(|why| format!("{why}\n  asked {asked:?}\n  at {} in epoch {}", now.now_ms, now.epoch))
    }
}

/// The number that a name has, given at its first appearance, from 1.
fn number_of<T: PartialEq>(names: &mut Vec<T>, name: T) -> u32 {
    if let Some(at) = names.iter().position(|known| *known == name) {
        return at as u32 + 1;
    }
    names.push(name);
    names.len() as u32
}

fn expect(told: &Told, code: u16) -> Result<(), String> {
    if told.code == code { Ok(()) } else { Err(format!("answered `{}` where `{}` is due", name(told.code), name(code))) }
}

/// One programme while a request is judged.
struct Bench<'a> {
    programme: &'a mut Programme,
    entries: &'a mut BTreeMap<u32, u64>,
    now: Circumstances,
    ample: bool,
    full: bool,
}

impl Bench<'_> {
    fn judge(&mut self, asked: &Asked, told: &Told) -> Judged {
        let member_changed = self.programme.members.get(&asked.member).map_or(0, |member| member.changed);
        let mut reveals = self.programme.activated.max(member_changed);
        match &asked.ask {
            Ask::GetMember => self.member(asked.member, told)?,
            Ask::GetOutcome(id) => self.outcome(asked.member, *id, told)?,
            Ask::GetCampaign(number) => {
                self.campaign(*number, told)?;
                let changed = self.programme.block_changed.get(number).copied().unwrap_or(0);
                return Ok(Verdict { applied: false, reveals: self.programme.activated.max(changed) });
            }
            Ask::Order(order) => return self.order(asked, order, told, reveals),
            Ask::Enrol | Ask::CheckIn | Ask::Redeem(..) => {
                if let Ask::Redeem(campaign, _) = asked.ask {
                    let looked = told.code == answer::SOLD_OUT;
                    let changed = self.programme.block_changed.get(&campaign).copied().unwrap_or(0);
                    reveals = reveals.max(if looked { changed } else { 0 });
                }
                return self.windowed(asked, told, reveals);
            }
        }
        Ok(Verdict { applied: false, reveals })
    }

    /// An operation that is remembered by its id.
    fn windowed(&mut self, asked: &Asked, told: &Told, reveals: u64) -> Judged {
        let unchanged = Ok(Verdict { applied: false, reveals });
        let stale = |member: &Member| -> Result<RequestId, String> {
            let mark = told.read::<Stale>()?.mark;
            if mark < asked.id || !member.windowed.contains(&mark) || mark < member.mark {
                return Err(format!("`stale` with mark {mark}, which is below the id, no id that was applied, or fell"));
            }
            Ok(mark)
        };
        if let Some(member) = self.programme.members.get_mut(&asked.member) {
            let first = member.applied.get(&asked.id).and_then(|of| of.iter().find(|it| !matches!(it.ask, Ask::Order(_))));
            if let Some(first) = first.cloned() {
                let same = first.ask == asked.ask;
                if told.code == answer::STALE {
                    let forgotten = !member.window.contains(&asked.id);
                    member.mark = stale(member)?;
                    return if self.ample && !forgotten { Err("`stale` for an id that is remembered".into()) } else { unchanged };
                }
                return match same {
                    true if *told == first.told => unchanged,
                    true => Err(format!("a retry is answered `{}`, it was `{}` first: {told:?}", name(told.code), name(first.told.code))),
                    false => expect(told, answer::ID_CONFLICT).and(unchanged),
                };
            }
            if told.code == answer::STALE && asked.id.is_v7() {
                member.mark = stale(member)?;
                return unchanged;
            }
            if asked.id.is_v7() && asked.id <= member.mark {
                return Err(format!("`{}` for an id at or below the mark {}", name(told.code), member.mark));
            }
        }
        let due = match self.refused_by_id(asked) {
            Some(due) => due,
            None => match self.now.later {
                Some(code) => plain(code),
                None => self.decide(asked),
            },
        };
        match due {
            Due::Refusal(code, fits) => expect(told, code).and_then(|()| fits(told)).and(unchanged),
            Due::Apply(change) => {
                self.apply(asked, told, &change)?;
                Ok(Verdict { applied: true, reveals: self.now.epoch })
            }
        }
    }

    fn refused_by_id(&self, asked: &Asked) -> Option<Due> {
        let (now_ms, minted_ms) = (self.now.now_ms, asked.id.time_ms());
        let clock = move |code| Some(with(code, move |body: &ServerClock| body.server_ms == now_ms, format!("it is {now_ms}")));
        if !asked.id.is_v7() {
            return Some(plain(answer::ID_MALFORMED));
        }
        if i64::from(asked.deadline_ms) > DEADLINE_MS_MOST {
            return Some(plain(answer::DEADLINE_TOO_LONG));
        }
        if minted_ms + i64::from(asked.deadline_ms) < now_ms {
            return clock(answer::EXPIRED);
        }
        if minted_ms > now_ms + ID_AHEAD_MS {
            return clock(answer::ID_AHEAD);
        }
        None
    }

    fn decide(&self, asked: &Asked) -> Due {
        let member = self.programme.members.get(&asked.member);
        match (&asked.ask, member) {
            (Ask::Enrol, None) if self.full => plain(answer::MEMBERS_FULL),
            (Ask::Enrol, None) => Due::Apply(Change::Enrol),
            (Ask::Enrol, Some(_)) => plain(answer::ALREADY_ENROLLED),
            (_, None) => plain(answer::NO_SUCH_MEMBER),
            (Ask::CheckIn, Some(member)) => self.check_in(member),
            (Ask::Redeem(campaign, offer), Some(member)) => self.redeem(member, *campaign, *offer),
            _ => unreachable!("the other operations are judged elsewhere"),
        }
    }

    fn check_in(&self, member: &Member) -> Due {
        let Some(rule) = &self.programme.rules.check_in else { return plain(answer::NO_CHECK_IN) };
        let day = self.programme.clock.day(self.now.now_ms);
        if let Some(last) = member.last_day.filter(|last| *last >= day) {
            let (streak, next_ms) = (member.streak, self.programme.clock.begins(last + 1));
            let due = AlreadyCheckedIn { day: last, streak, next_ms };
            return with(answer::ALREADY_CHECKED_IN, move |body: &AlreadyCheckedIn| *body == due, format!("{due:?} is due"));
        }
        let streak = if member.last_day == Some(day - 1) { member.streak + 1 } else { 1 };
        let of_table = rule.cycle.map_or(streak, |cycle| (streak - 1) % cycle + 1);
        let bonus: i64 = rule.streak.iter().filter(|(day, _)| *day == of_table).map(|(_, bonus)| bonus).sum();
        Due::Apply(Change::CheckIn { day, streak, points: rule.points + bonus })
    }

    fn redeem(&self, member: &Member, campaign_number: u32, offer_number: u32) -> Due {
        let programme = &*self.programme;
        let Some(campaign) = programme.campaign(campaign_number) else { return plain(answer::NO_SUCH_CAMPAIGN) };
        let Some(offer) = programme.offer(campaign_number, campaign, offer_number) else { return plain(answer::NO_SUCH_OFFER) };
        let closed = |code, due: i64| with(code, move |body: &NotOpen| body.opens_ms == due, format!("it opens at {due}"));
        let (period, closes_ms) = match programme.clock.at(&campaign.window, self.now.now_ms) {
            Now::Open { period, closes_ms, .. } => (period, closes_ms),
            Now::NotYet { opens_ms } => return closed(answer::NOT_YET_OPEN, opens_ms),
            Now::Closed { opens_ms } => return closed(answer::CLOSED, opens_ms),
        };
        let (tier_at, tier) = programme.tier(member.earned);
        let price_of = |slug: &str| offer.prices.iter().find(|(tier, _)| *tier == slug).map(|(_, price)| *price);
        let Some(price) = price_of(tier) else {
            let next = programme.rules.tiers[tier_at + 1..].iter().find(|(slug, _)| price_of(slug).is_some());
            let missing = next.map_or(0, |(_, from)| from - member.earned);
            let fits = move |body: &TierNotAdmitted| body.missing == missing;
            return with(answer::TIER_NOT_ADMITTED, fits, format!("{missing} points are missing"));
        };
        let limit = match campaign.limit {
            None => None,
            Some((times, each_offer)) => {
                let of = if each_offer { offer_number } else { 0 };
                let seen = member.limits.get(&(campaign_number, of)).filter(|(seen, _)| *seen == period);
                let used = seen.map_or(0, |(_, used)| *used);
                if used >= times {
                    let fits = move |body: &LimitReached| (body.times, body.used) == (times, used);
                    return with(answer::LIMIT_REACHED, fits, format!("{used} of {times} are used"));
                }
                Some((of, period, used + 1))
            }
        };
        if member.balance < price {
            let due = NotEnoughPoints { price, balance: member.balance, shortfall: price - member.balance };
            return with(answer::NOT_ENOUGH_POINTS, move |body: &NotEnoughPoints| *body == due, format!("{due:?} is due"));
        }
        self.count(campaign_number, campaign, offer_number, offer, tier, period, closes_ms, Change::Redeem { campaign: campaign_number, price, cells: Vec::new(), limit })
    }

    /// All quotas that apply, or one of those that are used up.
    #[allow(clippy::too_many_arguments, reason = "it is one decision, cut where the page ends")]
    fn count(&self, campaign_number: u32, campaign: &Campaign, offer_number: u32, offer: &Offer, tier: &str, period: i32, closes_ms: i64, change: Change) -> Due {
        let programme = &*self.programme;
        let mut cells: Vec<CellName> = vec![(campaign_number, offer_number, 0, period)];
        let mut used_up = Vec::new();
        for (number, quotas) in [(offer_number, &offer.quotas), (0, &campaign.quotas)] {
            for (of_tier, total) in quotas.that_apply(tier) {
                let of_tier = of_tier.map_or(0, |slug| programme.tier_number(slug));
                let cell = (campaign_number, number, of_tier, period);
                if programme.cells.get(&cell).copied().unwrap_or(0) >= total {
                    used_up.push((number, of_tier));
                }
                if !cells.contains(&cell) {
                    cells.push(cell);
                }
            }
        }
        if !used_up.is_empty() {
            let now_ms = self.now.now_ms;
            let fits = move |body: &SoldOut| {
                used_up.contains(&(body.offer, u32::from(body.tier))) && i64::from(body.hold_ms) <= closes_ms - now_ms
            };
            return with(answer::SOLD_OUT, fits, "that quota is not used up, or the answer is held too long".into());
        }
        let Change::Redeem { campaign, price, limit, .. } = change else { unreachable!("only redemptions are counted") };
        Due::Apply(Change::Redeem { campaign, price, cells, limit })
    }

    /// An operation with a natural key.
    fn order(&mut self, asked: &Asked, order: &Order, told: &Told, mut reveals: u64) -> Judged {
        let unchanged = |reveals| Ok(Verdict { applied: false, reveals });
        let refused = self.refused_by_id(asked);
        let Some(member) = self.programme.members.get(&asked.member) else {
            let due = refused.unwrap_or_else(|| plain(answer::NO_SUCH_MEMBER));
            let Due::Refusal(code, fits) = due else { unreachable!("it is a refusal") };
            return expect(told, code).and_then(|()| fits(told)).and(unchanged(0));
        };
        let earned = member.earned;
        let key = (order.channel.clone(), order.number.clone());
        let horizon_ms = self.now.now_ms - self.programme.rules.remember_days * DAY_MS;
        let mut forgotten = false;
        if let Some(known) = self.programme.orders.get(&key) {
            let same = *known.programme_ask == (asked.member, order.clone());
            let ledger = match told.code {
                answer::ALREADY_RECORDED if same => Some(told.read::<AlreadyRecorded>()?.ledger),
                answer::KEY_CONFLICT if !same => Some(told.read::<KeyConflict>()?.ledger),
                _ => None,
            };
            if let Some(ledger) = ledger {
                let fits = ledger == known.ledger;
                reveals = reveals.max(known.changed);
                return if fits { unchanged(reveals) } else { Err(format!("the order was entry {:?}, not {ledger:?}", known.ledger)) };
            }
            // An entry keeps whole seconds, rounded up.
            forgotten = known.programme_ask.1.paid_at_ms <= self.programme.forgettable_ms;
            if !forgotten {
                return Err(format!("an order that is remembered is answered `{}`", name(told.code)));
            }
            if same && told.code == answer::RECORDED {
                return Err("an order is recorded a second time".into());
            }
        }
        let may_be_forgotten = order.paid_at_ms <= self.programme.forgettable_ms;
        if told.code == answer::TOO_OLD && (may_be_forgotten || order.paid_at_ms <= horizon_ms) {
            let after_ms = told.read::<TooOld>()?.after_ms;
            let fits = after_ms >= order.paid_at_ms && after_ms >= horizon_ms;
            return if fits { unchanged(reveals) } else { Err(format!("`too-old` after {after_ms}, paid at {}", order.paid_at_ms)) };
        }
        let due = refused.unwrap_or_else(|| self.decide_order(order, horizon_ms, earned));
        match due {
            Due::Refusal(code, fits) => expect(told, code).and_then(|()| fits(told)).and(unchanged(reveals)),
            Due::Apply(_) if self.now.later.is_some_and(|later| later == told.code) => unchanged(reveals),
            Due::Apply(_) if self.now.later.is_some() => Err(format!("`{}` while changes are refused", name(told.code))),
            Due::Apply(change) => {
                let _ = forgotten;
                self.apply(asked, told, &change)?;
                let ledger = told.read::<Recorded>()?.ledger;
                let recording = Recording { programme_ask: Rc::new((asked.member, order.clone())), ledger, changed: self.now.epoch };
                self.programme.orders.insert(key, recording);
                Ok(Verdict { applied: true, reveals: self.now.epoch })
            }
        }
    }

    fn decide_order(&self, order: &Order, horizon_ms: i64, _earned: i64) -> Due {
        let rules = &self.programme.rules;
        if order.number.is_empty() {
            return plain(answer::NO_ORDER_NUMBER);
        }
        if order.amount_minor < 0 {
            return plain(answer::INVALID_AMOUNT);
        }
        let declared = rules.earning.is_some() && crate::rules::CHANNELS.contains(&order.channel.as_str());
        if !declared {
            return plain(answer::UNKNOWN_CHANNEL);
        }
        let Some(rate) = &rules.earning else { return plain(answer::NO_ORDERS) };
        let until_ms = self.now.now_ms + AHEAD_MS;
        if order.paid_at_ms > until_ms {
            return with(answer::PAID_IN_THE_FUTURE, move |body: &PaidInTheFuture| body.until_ms == until_ms, format!("{until_ms} is due"));
        }
        if order.paid_at_ms <= horizon_ms {
            return plain(answer::TOO_OLD);
        }
        let rate = rules.web.as_ref().filter(|_| order.channel == "web").unwrap_or(rate);
        Due::Apply(Change::Order { points: points(rate, order.amount_minor) })
    }

    /// Makes a change, and holds the answer to it.
    fn apply(&mut self, asked: &Asked, told: &Told, change: &Change) -> Result<(), String> {
        let (programme, now) = (&mut *self.programme, self.now);
        let version = programme.version;
        let member = match change {
            Change::Enrol => programme.members.entry(asked.member).or_default(),
            _ => programme.members.get_mut(&asked.member).ok_or("a change of nobody")?,
        };
        let before = member.balance;
        let ledger = match change {
            Change::Enrol => {
                expect(told, answer::ENROLLED)?;
                let body: Enrolled = told.read()?;
                let tier = programme.tiers.iter().position(|slug| *slug == programme.rules.tiers[0].0).map_or(0, |at| at + 1);
                due((body.version, usize::from(body.tier)), (version, tier))?;
                body.ledger
            }
            Change::CheckIn { day, streak, points } => {
                expect(told, answer::CHECKED_IN)?;
                let body: CheckedIn = told.read()?;
                (member.last_day, member.streak) = (Some(*day), *streak);
                member.streak_best = member.streak_best.max(*streak);
                (member.balance, member.earned) = (before + points, member.earned + points);
                due((body.version, body.day, body.streak, body.before, body.after), (version, *day, *streak, before, member.balance))?;
                body.ledger
            }
            Change::Order { points } => {
                expect(told, answer::RECORDED)?;
                let body: Recorded = told.read()?;
                (member.balance, member.earned) = (before + points, member.earned + points);
                due((body.version, body.before, body.after), (version, before, member.balance))?;
                body.ledger
            }
            Change::Redeem { campaign, price, cells, limit } => {
                expect(told, answer::GRANTED)?;
                let body: Granted = told.read()?;
                member.balance -= price;
                if let Some((of, period, used)) = limit {
                    member.limits.insert((*campaign, *of), (*period, *used));
                }
                let counts: Vec<u64> = cells.iter().map(|cell| count_one(&mut programme.cells, *cell)).collect();
                *programme.granted.entry(*campaign).or_default() += 1;
                programme.block_changed.insert(*campaign, now.epoch);
                due((body.version, body.grant, body.before, body.after), (version, counts[0], before, member.balance))?;
                body.ledger
            }
        };
        member.changed = now.epoch;
        member.applied.entry(asked.id).or_default().push(Rc::new(Applied { ask: asked.ask.clone(), told: told.clone() }));
        if !matches!(change, Change::Order { .. }) {
            if member.window.len() == WINDOW
                && let Some(smallest) = member.window.pop_first()
                && self.ample
            {
                member.mark = member.mark.max(smallest);
            }
            member.window.insert(asked.id);
            member.windowed.insert(asked.id);
        }
        let newest = self.entries.insert(ledger.place, ledger.sequence).unwrap_or(0);
        if ledger.sequence <= newest {
            return Err(format!("ledger entry {ledger:?} was given before, the newest there is {newest}"));
        }
        Ok(())
    }

    fn member(&mut self, key: u64, told: &Told) -> Result<(), String> {
        let programme = &mut *self.programme;
        let Some(member) = programme.members.get(&key) else { return expect(told, answer::NO_SUCH_MEMBER) };
        expect(told, answer::MEMBER)?;
        let view: MemberView = told.read()?;
        let (_, tier) = programme.tier(member.earned);
        let due_view = (member.balance, member.earned, tier, member.streak, member.streak_best, member.last_day.unwrap_or(i32::MIN));
        due((view.balance, view.earned, view.tier_slug.as_str(), view.streak, view.streak_best, view.last_day), due_view)?;
        let limits: BTreeMap<(u32, u32), (i32, u32)> =
            view.limits.as_slice().iter().map(|it| ((it.campaign, it.offer), (it.period, it.used))).collect();
        due(&limits, &member.limits)?;
        let known = view.mark == RequestId::default() || member.windowed.contains(&view.mark);
        if !known || view.mark < member.mark || (self.ample && view.mark != member.mark) {
            return Err(format!("the mark is {}, known is {}", view.mark, member.mark));
        }
        programme.members.get_mut(&key).expect("it is there").mark = view.mark;
        Ok(())
    }

    fn outcome(&self, key: u64, id: RequestId, told: &Told) -> Result<(), String> {
        let Some(member) = self.programme.members.get(&key) else { return expect(told, answer::NO_SUCH_MEMBER) };
        expect(told, answer::OUTCOME)?;
        let view: OutcomeView = told.read()?;
        match member.applied.get(&id) {
            Some(applied) => tells_of(&view, applied),
            None => {
                let past = id.time_ms() + DEADLINE_MS_MOST < self.now.now_ms;
                due(view.state, if past { OutcomeView::NEVER } else { OutcomeView::NOT_YET })
            }
        }
    }

    fn campaign(&self, number: u32, told: &Told) -> Result<(), String> {
        let programme = &*self.programme;
        let Some(campaign) = programme.campaign(number) else { return expect(told, answer::NO_SUCH_CAMPAIGN) };
        expect(told, answer::CAMPAIGN)?;
        let view: CampaignView = told.read()?;
        let (state, period, opens_ms) = match programme.clock.at(&campaign.window, self.now.now_ms) {
            Now::Open { period, opens_ms, .. } => (1, period, opens_ms),
            Now::NotYet { opens_ms } => (0, 0, opens_ms),
            Now::Closed { opens_ms } => (if opens_ms == 0 { 3 } else { 2 }, 0, opens_ms),
        };
        due((view.state, view.period, view.opens_ms), (state, period, opens_ms))?;
        due(view.granted_ever, programme.granted.get(&number).copied().unwrap_or(0))?;
        if state == 1 {
            for row in view.quotas.as_slice() {
                let cell = (number, row.offer, u32::from(row.tier), row.period);
                due((row.period, row.used), (period, programme.cells.get(&cell).copied().unwrap_or(0)))?;
            }
        }
        Ok(())
    }
}

/// Whether an outcome is that of one of these.
fn tells_of(view: &OutcomeView, applied: &[Rc<Applied>]) -> Result<(), String> {
    let digits = |told: &Told| told.body.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let told = |it: &Rc<Applied>| view.code == it.told.code && view.answer.as_str() == digits(&it.told);
    let fits = view.state == OutcomeView::APPLIED && applied.iter().any(told);
    if fits { Ok(()) } else { Err(format!("the outcome is {view:?}, of {applied:?}")) }
}

fn due<T: PartialEq + std::fmt::Debug>(told: T, due: T) -> Result<(), String> {
    if told == due { Ok(()) } else { Err(format!("{told:?} is told, {due:?} is due")) }
}

fn count_one(cells: &mut BTreeMap<CellName, u64>, cell: CellName) -> u64 {
    let used = cells.entry(cell).or_default();
    *used += 1;
    *used
}

impl Programme {
    fn campaign(&self, number: u32) -> Option<&Campaign> {
        let slug = self.campaigns.get((number as usize).checked_sub(1)?)?;
        self.rules.campaigns.iter().find(|campaign| campaign.slug == *slug)
    }

    fn offer<'a>(&self, campaign_number: u32, campaign: &'a Campaign, number: u32) -> Option<&'a Offer> {
        let sku = self.offers.get(&campaign_number)?.get((number as usize).checked_sub(1)?)?;
        campaign.offers.iter().find(|offer| offer.sku == *sku)
    }

    fn tier(&self, earned: i64) -> (usize, &'static str) {
        let at = self.rules.tiers.iter().rposition(|(_, from)| *from <= earned).unwrap_or(0);
        (at, self.rules.tiers[at].0)
    }

    fn tier_number(&self, slug: &str) -> u32 {
        self.tiers.iter().position(|known| *known == slug).map_or(0, |at| at as u32 + 1)
    }
}

impl Quotas {
    /// Those that count a unit for a member of this tier.
    fn that_apply(&self, tier: &str) -> Vec<(Option<&'static str>, u64)> {
        let total = self.total.map(|total| (None, total));
        let own = self.by_tier.iter().filter(|(of, _)| *of == tier).map(|(of, total)| (Some(*of), *total));
        total.into_iter().chain(own).collect()
    }
}

/// Points for an amount: so many for each step, rounded where the rate says.
fn points(rate: &Rate, amount_minor: i64) -> i64 {
    let round = |amount: i64, step: i64| {
        let (whole, rest) = (amount / step, amount % step);
        let up = match rate.rounding {
            Rounding::Down => false,
            Rounding::Up => rest > 0,
            Rounding::HalfUp => 2 * rest >= step,
            Rounding::HalfEven => 2 * rest > step || (2 * rest == step && whole % 2 == 1),
        };
        whole + i64::from(up)
    };
    if rate.of_points { round(amount_minor * rate.points, rate.per_minor) } else { round(amount_minor, rate.per_minor) * rate.points }
}
