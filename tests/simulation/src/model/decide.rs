//! The rules: what each request must come to, as the documents state them.

use std::collections::BTreeMap;

use tidegate_protocol::code::{answer, name};
use tidegate_protocol::refusal::{
    BirthdayLocked, Clock as ServerClock, LimitReached, NotEnoughPoints, NotOpen, NotReached, PaidInTheFuture, SoldOut,
    TierNotAdmitted,
};
use tidegate_protocol::{Decode, RequestId};

use super::claims::Met;
use super::holds::HeldOffer;
use super::judge::Bench;
use super::referral::Deed;
use super::standing::{Under, first_day};
use super::{Act, Ask, Asked, CellName, Line, Member, Order, Told};
use crate::calendar::{Now, Window};
use crate::earning::{ACTIVITY_AHEAD_MS, Earning, Scope};
use crate::ladder::Each;
use crate::multipliers::{Birthday, Given, On};
use crate::rules::{AHEAD_MS, BRAND, CHANNELS};
use crate::shop::{By, Campaign, For, Limit, Offer, Price, Quota, STORES};

/// How far an id may be ahead, and the longest deadline.
const ID_AHEAD_MS: i64 = 5_000;
pub(super) const DEADLINE_MS_MOST: i64 = 300_000;

/// Whether an answer's body says what is due.
type Fits = Box<dyn Fn(&Told) -> Result<(), String>>;

/// What the rules make of a request.
pub(super) enum Due {
    /// Exactly this code; the body is checked by a closure.
    Refusal(u16, Fits),
    /// One of these codes: the rules leave the engine a choice.
    OneOf(Vec<u16>),
    /// It is to be applied.
    Apply(Change),
}

/// What a request changes when it is applied.
pub(super) enum Change {
    Enrol,
    CheckIn {
        day: i32,
        /// Whether the day before it was skipped by a change of the zone.
        skipped: bool,
        points: i64,
        /// Bonuses that come off later ones.
        owed: i64,
        happened_ms: i64,
        /// The right that it takes one of.
        card: Option<&'static str>,
        earns: bool,
    },
    Answer {
        quiz: &'static str,
        question: String,
        right: bool,
        place: u32,
        left: u32,
        points: i64,
    },
    SetZone(Option<&'static str>),
    SetTag(&'static str, bool),
    /// Points, what they are before anything multiplies them and for who claims the order, what counts of the amount, and growth.
    Order {
        order: Order,
        points: i64,
        base: i64,
        worth: i64,
        amount_minor: i64,
        growth: i64,
        introduces: bool,
    },
    Claim {
        channel: String,
        number: String,
        proof: u8,
        met: Met,
    },
    Report {
        order: Order,
        proof: u8,
        base: i64,
        amount_minor: i64,
    },
    Receive {
        channel: String,
        number: String,
        opens_ms: i64,
    },
    Act {
        slug: &'static str,
        points: i64,
        growth: i64,
        happened_ms: i64,
        introduces: bool,
    },
    Accept {
        inviter: u64,
        until_ms: i64,
    },
    UseRight {
        slug: &'static str,
    },
    SetBirthday(Birthday),
    Redeem {
        campaign: u32,
        price: i64,
        cells: Vec<(CellName, u64)>,
        limits: Vec<(u32, i32)>,
        gives: Option<(&'static str, u32)>,
    },
    Hold {
        until_ms: i64,
        points: i64,
        tender: i64,
        money_minor: i64,
        offers: Vec<HeldOffer>,
        rights: Vec<String>,
    },
    /// How many of each offer of the hold, and which rights.
    Confirm {
        id: RequestId,
        counts: Vec<u32>,
        tender: i64,
        rights: Vec<String>,
    },
    Cancel {
        id: RequestId,
    },
}

/// What an offer lacks.
pub(super) enum Lacks {
    /// The name of a store.
    Store,
    /// Units of the quota of this offer and tier.
    Units(u32, u32),
}

/// An offer as it is open to a member.
pub(super) struct Offered<'a> {
    campaign: &'a Campaign,
    offer: &'a Offer,
    tier: &'static str,
    pub(super) price: Price,
    pub(super) period: i32,
    closes_ms: i64,
}

pub(super) fn plain(code: u16) -> Due {
    Due::Refusal(code, Box::new(|_| Ok(())))
}

pub(super) fn with<T: Decode<()> + PartialEq + std::fmt::Debug + 'static>(
    code: u16,
    fits: impl Fn(&T) -> bool + 'static,
    due: String,
) -> Due {
    Due::Refusal(
        code,
        Box::new(move |told| {
            let body: T = told.read()?;
            if fits(&body) { Ok(()) } else { Err(format!("`{}` says {body:?}, but {due}", name(told.code))) }
        }),
    )
}

impl Bench<'_> {
    pub(super) fn refused_by_id(&self, asked: &Asked) -> Option<Due> {
        let (now_ms, minted_ms) = (self.now.now_ms, asked.id.time_ms());
        let clock =
            move |code| Some(with(code, move |body: &ServerClock| body.server_ms == now_ms, format!("it is {now_ms}")));
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

    pub(super) fn decide(&self, asked: &Asked) -> Due {
        let member = self.programme.members.get(&asked.member);
        match (&asked.ask, member) {
            (Ask::Enrol, None) if self.full => plain(answer::MEMBERS_FULL),
            (Ask::Enrol, None) => Due::Apply(Change::Enrol),
            (Ask::Enrol, Some(_)) => plain(answer::ALREADY_ENROLLED),
            (_, None) => plain(answer::NO_SUCH_MEMBER),
            (Ask::CheckIn, Some(member)) => self.check_in(member),
            (Ask::Redeem(campaign, offer), Some(member)) => self.redeem(member, *campaign, *offer),
            (Ask::Hold(basket), Some(member)) => self.hold(member, basket),
            (Ask::Confirm(id), Some(member)) => self.confirm(member, *id, None),
            (Ask::ConfirmPart(id, part), Some(member)) => self.confirm(member, *id, Some(part)),
            (Ask::Cancel(id), Some(member)) => self.cancel(member, *id),
            (Ask::Act(act), Some(_)) => self.decide_act(act, None),
            (Ask::SetBirthday(month, day), Some(member)) => self.set_birthday(member, *month, *day),
            (Ask::Answer { quiz, question, answer }, Some(_)) => self.answer(asked.member, quiz, question, answer),
            (Ask::Accept(inviter), Some(member)) => self.accept(asked.member, member, *inviter),
            (Ask::Claim { channel, number, proof }, Some(member)) => self.claim(member, channel, number, *proof),
            (Ask::Receive { channel, number, happened_ms }, Some(member)) => {
                self.receive(member, channel, number, *happened_ms)
            }
            (Ask::RecordCheckIn(happened_ms), Some(member)) => self.record_check_in(member, *happened_ms),
            (Ask::MakeUp(day), Some(member)) => self.make_up(member, *day),
            (Ask::SetZone(zone), Some(_)) => self.set_zone(zone),
            (Ask::SetTag(tag, on), Some(_)) => match self.programme.rules.tags.iter().find(|known| *known == tag) {
                Some(tag) => Due::Apply(Change::SetTag(tag, *on)),
                None => plain(answer::UNKNOWN_TAG),
            },
            (Ask::UseRight(slug), Some(member)) => {
                let declared = &self.programme.rules.standing.declared;
                let Some((slug, _)) = declared.iter().find(|(known, _)| known == slug) else {
                    return plain(answer::UNKNOWN_RIGHT);
                };
                let has = member.holdings.rights.iter().any(|right| right.slug == *slug);
                if has { Due::Apply(Change::UseRight { slug }) } else { plain(answer::NO_RIGHT_LEFT) }
            }
            _ => unreachable!("the other operations are judged elsewhere"),
        }
    }

    fn set_birthday(&self, member: &Member, month: u8, day: u8) -> Due {
        let Some((after, _)) = self.programme.rules.birthday else { return plain(answer::NO_BIRTHDAYS) };
        let days = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let known = usize::from(month).checked_sub(1).and_then(|at| days.get(at));
        if known.is_none_or(|days| !(1..=*days).contains(&day)) {
            return plain(answer::INVALID_DATE);
        }
        let clock = &self.programme.clock;
        let (today, year) = (clock.day(self.now.now_ms), clock.date(self.now.now_ms).year());
        let mut from_year = year;
        if let Some(before) = member.holdings.birthday {
            from_year += 1;
            let open = after.map(|days| before.said_on + days);
            if open.is_none_or(|open| today < open) {
                let until_ms = open.map_or(0, |open| clock.begins(open));
                let fits = move |body: &BirthdayLocked| body.until_ms == until_ms;
                return with(answer::BIRTHDAY_LOCKED, fits, format!("until {until_ms}"));
            }
        }
        Due::Apply(Change::SetBirthday(Birthday { date: (month as i8, day as i8), from_year, said_on: today }))
    }

    fn redeem(&self, member: &Member, campaign: u32, offer_number: u32) -> Due {
        let open = match self.offered(member, campaign, offer_number) {
            Ok(open) => open,
            Err(due) => return *due,
        };
        if open.price.1 > 0 {
            return plain(answer::COSTS_MONEY);
        }
        let limits = match self.limits(member, campaign, &open, offer_number, 1, |_| 0) {
            Ok(limits) => limits,
            Err(due) => return *due,
        };
        if let Some(due) = self.lacks_points(member, open.price.0) {
            return due;
        }
        let Offered { offer, price, closes_ms, .. } = open;
        match self.cells_of(&open, (campaign, offer_number), "", 1, &BTreeMap::new()) {
            Ok(cells) => Due::Apply(Change::Redeem { campaign, price: price.0, cells, limits, gives: offer.gives }),
            Err(Lacks::Store) => plain(answer::STORE_MISSING),
            Err(Lacks::Units(offer, tier)) => {
                let now_ms = self.now.now_ms;
                let fits = move |body: &SoldOut| {
                    (body.offer, u32::from(body.tier)) == (offer, tier) && i64::from(body.hold_ms) <= closes_ms - now_ms
                };
                with(answer::SOLD_OUT, fits, "that quota is not used up, or the answer is held too long".into())
            }
        }
    }

    /// Whether an offer is open to a member, and what it costs then.
    pub(super) fn offered(
        &self,
        member: &Member,
        campaign_number: u32,
        offer_number: u32,
    ) -> Result<Offered<'_>, Box<Due>> {
        let programme = &*self.programme;
        let refused = |due: Due| Err(Box::new(due));
        let Some(campaign) = programme.campaign(campaign_number) else {
            return refused(plain(answer::NO_SUCH_CAMPAIGN));
        };
        let Some(offer) = programme.offer(campaign_number, campaign, offer_number) else {
            return refused(plain(answer::NO_SUCH_OFFER));
        };
        let tier_at = member.holdings.tier_at(&programme.rules);
        let tier = programme.rules.tiers[tier_at].0;
        let ahead_ms = campaign.head_start.iter().find(|(of, _)| *of == tier).map_or(0, |(_, ms)| *ms);
        let closed = |code, opens_ms: i64| {
            let due = if opens_ms == 0 { 0 } else { opens_ms - ahead_ms };
            with(code, move |body: &NotOpen| body.opens_ms == due, format!("it opens at {due}"))
        };
        let now_ms = self.now.now_ms;
        let at = |ms| programme.clock.at(&campaign.window, ms);
        let (period, closes_ms) = match (at(now_ms), at(now_ms + ahead_ms)) {
            (Now::Open { period, closes_ms, .. }, _) => (period, closes_ms),
            (_, Now::Open { period, closes_ms, opens_ms }) if opens_ms > now_ms => (period, closes_ms),
            (Now::NotYet { opens_ms }, _) => return refused(closed(answer::NOT_YET_OPEN, opens_ms)),
            (Now::Closed { opens_ms }, _) => return refused(closed(answer::CLOSED, opens_ms)),
        };
        let price_of = |slug: &str| offer.prices.iter().find(|(tier, _)| *tier == slug).map(|(_, price)| *price);
        let Some(mut price) = price_of(tier) else {
            let next = programme.rules.tiers[tier_at + 1..].iter().find(|(slug, _)| price_of(slug).is_some());
            let benefits = &programme.benefits;
            let under = Under { rules: &programme.rules, clock: &programme.clock, benefits };
            let count = member.holdings.count_on(&under, programme.clock.day(self.now.now_ms));
            let missing = next.map_or(0, |(_, from)| from - count);
            let fits = move |body: &TierNotAdmitted| body.missing == missing;
            return refused(with(answer::TIER_NOT_ADMITTED, fits, format!("{missing} points are missing")));
        };
        if !campaign.tags.is_empty() && !campaign.tags.iter().any(|tag| member.tags.contains(tag)) {
            return refused(plain(answer::TAG_MISSING));
        }
        if let Some((_, own)) = offer.prices_for.iter().find(|(tag, _)| member.tags.contains(tag)) {
            price = *own;
        }
        Ok(Offered { campaign, offer, tier, price, period, closes_ms })
    }

    /// The name of what counts now by something, in a window.
    fn period_of(&self, by: By, window: i32) -> i32 {
        let today = self.programme.clock.day(self.now.now_ms);
        match by {
            By::Window => window,
            By::Day => today,
            By::Week => first_day(Each::Week, today),
            By::Month => first_day(Each::Month, today),
            By::Life => 0,
        }
    }

    /// The limits in which so many more count, with their periods; `more` says how many count in one beside, by whose limit it is.
    pub(super) fn limits(
        &self,
        member: &Member,
        campaign: u32,
        open: &Offered<'_>,
        offer: u32,
        count: u32,
        more: impl Fn(u32) -> u32,
    ) -> Result<Vec<(u32, i32)>, Box<Due>> {
        let mut all = Vec::new();
        for Limit { times, by, each_offer } in &open.campaign.limits {
            let of = if *each_offer { offer } else { 0 } + 65_536 * *by as u32;
            let (times, period) = (*times, self.period_of(*by, open.period));
            let used = member.limit_used(campaign, of, period) + more(of);
            if used + count > times {
                let fits = move |body: &LimitReached| (body.times, body.used) == (times, used);
                return Err(Box::new(with(answer::LIMIT_REACHED, fits, format!("{used} of {times} are used"))));
            }
            all.push((of, period));
        }
        Ok(all)
    }

    pub(super) fn lacks_points(&self, member: &Member, price: i64) -> Option<Due> {
        let balance = member.holdings.points.balance();
        let due = NotEnoughPoints { price, balance, shortfall: price - balance };
        let fits = move |body: &NotEnoughPoints| *body == due;
        (balance < price).then(|| with(answer::NOT_ENOUGH_POINTS, fits, format!("{due:?} is due")))
    }

    /// All cells in which so many more of an offer count, each with what comes over into it, where so many of each are `added` already; or
    /// the first that lacks something.
    pub(super) fn cells_of(
        &self,
        open: &Offered<'_>,
        (campaign, offer): (u32, u32),
        store: &str,
        count: u32,
        added: &BTreeMap<CellName, u64>,
    ) -> Result<Vec<(CellName, u64)>, Lacks> {
        let programme = &*self.programme;
        let own = CellName { campaign, offer, tier: 0, store: "", by: By::Window, period: open.period };
        let mut cells: Vec<(CellName, u64)> = vec![(own, 0)];
        for (number, quotas) in [(offer, &open.offer.quotas), (0, &open.campaign.quotas)] {
            for Quota { whom, by, total, carried } in quotas {
                let (tier, of_store) = match whom {
                    For::Tier(tier) if *tier != open.tier => continue,
                    For::Tier(tier) => (programme.tier_number(tier), ""),
                    For::All => (0, ""),
                    _ if store.is_empty() => return Err(Lacks::Store),
                    For::Store(of) if *of != store => continue,
                    For::EachStore | For::Store(_) => {
                        (0, *STORES.iter().find(|known| **known == store).expect("it is declared"))
                    }
                };
                let period = self.period_of(*by, open.period);
                let cell = CellName { campaign, offer: number, tier, store: of_store, by: *by, period };
                let over = if *carried { self.carried(cell, &open.campaign.window, *total) } else { 0 };
                let used = programme.used(cell, self.now.now_ms) + added.get(&cell).copied().unwrap_or(0);
                if used + u64::from(count) > total + over {
                    return Err(Lacks::Units(number, tier));
                }
                match cells.iter_mut().find(|(known, _)| *known == cell) {
                    Some((_, known)) => *known = over,
                    None => cells.push((cell, over)),
                }
            }
        }
        Ok(cells)
    }

    /// What comes over into a window's cell: fixed by the first that counted in it.
    fn carried(&self, cell: CellName, window: &Window, total: u64) -> u64 {
        let programme = &*self.programme;
        if let Some(over) = programme.opened.get(&cell) {
            return *over;
        }
        let earlier = programme
            .opened
            .iter()
            .filter(|(it, _)| **it == CellName { period: it.period, ..cell } && it.period < cell.period);
        let Some((before, over)) = earlier.max_by_key(|(it, _)| it.period) else { return 0 };
        let left = (total + over).saturating_sub(programme.used(*before, self.now.now_ms));
        let (mut between, mut at_ms) = (0, programme.clock.begins(before.period));
        loop {
            match programme.clock.at(window, at_ms) {
                Now::Open { period, .. } if period >= cell.period => break,
                Now::Open { period, closes_ms, .. } => {
                    between += u64::from(period > before.period);
                    at_ms = closes_ms;
                }
                Now::NotYet { opens_ms } | Now::Closed { opens_ms } if opens_ms > 0 => at_ms = opens_ms,
                _ => break,
            }
        }
        left + between * total
    }

    pub(super) fn decide_order(&self, order: &Order, horizon_ms: i64) -> Due {
        let earning = match self.checked(order) {
            Ok(earning) => earning,
            Err(due) => return *due,
        };
        if let Some(due) = self.paid_in_time(order, horizon_ms) {
            return due;
        }
        let (base, amount_minor) = ordered(earning, order);
        let growth = earning.growth.as_ref().map_or(0, |rate| rate.points(amount_minor));
        let points = self.multiplied(base, &self.given(On::Order(&order.channel), order.paid_at_ms));
        let worth = self.multiplied(base, &self.given(On::Claim(&order.channel), order.paid_at_ms));
        let introduces = self.is_met(&Deed::Order(amount_minor), order.paid_at_ms);
        Due::Apply(Change::Order { order: order.clone(), points, base, worth, amount_minor, growth, introduces })
    }

    /// What is wrong with an order whatever the state, or how orders earn.
    pub(super) fn checked(&self, order: &Order) -> Result<&Earning, Box<Due>> {
        let rules = &self.programme.rules;
        if order.number.is_empty() {
            return Err(Box::new(plain(answer::NO_ORDER_NUMBER)));
        }
        let line_is_wrong = |line: &Line| {
            line.quantity == 0
                || line.coupon_minor < 0
                || line.points_minor < 0
                || line.coupon_minor + line.points_minor > line.amount_minor
        };
        let wrong = match &order.lines {
            None => order.amount_minor < 0,
            Some(lines) => lines.is_empty() || order.freight_minor < 0 || lines.iter().any(line_is_wrong),
        };
        if wrong {
            return Err(Box::new(plain(answer::INVALID_AMOUNT)));
        }
        let declared = rules.earning.is_some() && CHANNELS.contains(&order.channel.as_str());
        if !declared {
            return Err(Box::new(plain(answer::UNKNOWN_CHANNEL)));
        }
        rules.earning.as_ref().ok_or_else(|| Box::new(plain(answer::NO_ORDERS)))
    }

    /// When an order can have been paid.
    pub(super) fn paid_in_time(&self, order: &Order, horizon_ms: i64) -> Option<Due> {
        let until_ms = self.now.now_ms + AHEAD_MS;
        if order.paid_at_ms > until_ms {
            return Some(with(
                answer::PAID_IN_THE_FUTURE,
                move |body: &PaidInTheFuture| body.until_ms == until_ms,
                format!("{until_ms} is due"),
            ));
        }
        (order.paid_at_ms <= horizon_ms).then(|| plain(answer::TOO_OLD))
    }

    /// An activity; with a key it may be forgotten if it happened at or before the horizon.
    pub(super) fn decide_act(&self, act: &Act, horizon_ms: Option<i64>) -> Due {
        let rules = &self.programme.rules;
        let Some(activity) = rules.activities.iter().find(|activity| activity.slug == act.activity) else {
            return plain(answer::UNKNOWN_ACTIVITY);
        };
        let until_ms = self.now.now_ms + ACTIVITY_AHEAD_MS;
        if act.happened_ms > until_ms {
            return with(
                answer::IN_THE_FUTURE,
                move |body: &PaidInTheFuture| body.until_ms == until_ms,
                format!("{until_ms} is due"),
            );
        }
        if horizon_ms.is_some_and(|horizon_ms| act.happened_ms <= horizon_ms) {
            return plain(answer::TOO_OLD);
        }
        if act.happened_ms < self.now.now_ms - activity.late_ms {
            return plain(answer::TOO_LATE);
        }
        if act.minutes.is_none() && (activity.per.is_some() || activity.least.is_some()) {
            return plain(answer::FIELD_MISSING);
        }
        let minutes = act.minutes.unwrap_or(0);
        if let Some(least) = activity.least.filter(|least| minutes < *least) {
            let fits = move |body: &NotReached| (body.told, body.least) == (minutes, least);
            return with(answer::NOT_REACHED, fits, format!("{minutes} of {least}"));
        }
        let points = activity.per.map_or(activity.points, |per| activity.points * (minutes.max(0) / per));
        let given = self.given(On::Activity, act.happened_ms);
        Due::Apply(Change::Act {
            slug: activity.slug,
            points: self.multiplied(points, &given),
            growth: activity.growth,
            happened_ms: act.happened_ms,
            introduces: self.is_met(&Deed::Activity(activity.slug), act.happened_ms),
        })
    }

    pub(super) fn given<'a>(&'a self, on: On<'a>, paid_ms: i64) -> Given<'a> {
        let held = &self.programme.members[&self.member].holdings;
        let tier = held.tier.expect("it is in a tier");
        let birthday = held.birthday.zip(self.programme.rules.birthday.map(|(_, march)| march));
        Given { on, tier, birthday, paid_ms, now_ms: self.now.now_ms }
    }

    pub(super) fn multiplied(&self, points: i64, given: &Given<'_>) -> i64 {
        let multipliers = self.programme.rules.multipliers.as_ref();
        multipliers.map_or(points, |it| it.points(points, given, &self.programme.clock))
    }
}

/// The points for an order, and what counts of it.
pub(super) fn ordered(earning: &Earning, order: &Order) -> (i64, i64) {
    let (coupon, points, freight) = earning.counts;
    let mut parts: Vec<(&str, i64)> = Vec::new();
    match &order.lines {
        None => parts.push(("", order.amount_minor)),
        Some(lines) => {
            for line in lines {
                let paid = line.amount_minor - line.coupon_minor - line.points_minor;
                let more = if coupon { line.coupon_minor } else { 0 } + if points { line.points_minor } else { 0 };
                parts.push((&line.category, paid + more));
            }
            if freight && order.freight_minor > 0 {
                parts.push(("", order.freight_minor));
            }
        }
    }
    let tariff_of = |category: &str| {
        let fits = |scope: &Scope| {
            let name = match scope {
                Scope::Category => category,
                Scope::Store => &order.store,
                Scope::Channel => &order.channel,
                Scope::Brand => BRAND,
            };
            earning.own.iter().position(|(of, known, _)| of == scope && *known == name)
        };
        earning.first.iter().find_map(fits)
    };
    let mut sums: BTreeMap<Option<usize>, i64> = BTreeMap::new();
    for (category, amount) in &parts {
        *sums.entry(tariff_of(category)).or_default() += amount;
    }
    let worth = |(at, sum): (&Option<usize>, &i64)| at.map_or(&earning.general, |at| &earning.own[at].2).points(*sum);
    (sums.iter().map(worth).sum(), parts.iter().map(|(_, amount)| amount).sum())
}
