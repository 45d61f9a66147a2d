//! Claims of orders, reports and receipts: whose an order is, and what it brings to whom.

use tidegate_protocol::LedgerId;
use tidegate_protocol::answer::{ClaimView, ClaimWaits, ClaimWrong, OrderClaimed, OrderReported, ReceiptConfirmed};
use tidegate_protocol::code::answer;
use tidegate_protocol::refusal::{LimitReached, PaidInTheFuture};

use super::decide::{Change, Due, ordered, plain, with};
use super::judge::{Bench, due, expect};
use super::points::Later;
use super::referral::Deed;
use super::standing::{Counted, first_day, next_day};
use super::{Member, Order, Programme, Told, apply};
use crate::claims::Claims;
use crate::ladder::{Each, Measure};
use crate::multipliers::On;
use crate::rules::{AHEAD_MS, CHANNELS};

/// Who reports: no member.
pub const NOBODY: u64 = u64::MAX;

/// What is known of an order, or of a claim that waits for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    pub(super) known: bool,
    pub(super) amount_minor: i64,
    pub(super) base: i64,
    pub(super) given: i64,
    pub(super) paid_at_ms: i64,
    pub(super) proof: u8,
    pub(super) owner: Option<u64>,
    pub(super) claimant: Option<u64>,
    pub(super) claimed: bool,
    pub(super) until_ms: i64,
    /// The owner's points that wait for the receipt.
    pub(super) waiting: Option<Later>,
    pub(super) changed: u64,
}

/// What a claim meets.
pub(super) enum Met {
    Waits,
    Wrong,
    /// Its own order: what the claim is worth in all, and whether an invitation is met.
    Own {
        worth: i64,
        introduces: bool,
    },
}

/// An instant that has come by the second it is in.
fn whole(ms: i64) -> i64 {
    (ms + 999).div_euclid(1000) * 1000
}

fn key(channel: &str, number: &str) -> (String, String) {
    (channel.to_owned(), number.to_owned())
}

impl Claims {
    fn admits(&self, channel: &str) -> bool {
        self.channels.contains(&channel)
    }

    fn proves(&self, orders: u8, claims: u8) -> bool {
        !self.proof || (orders == claims && claims != 0)
    }
}

impl Programme {
    pub(super) fn kept(&self, channel: &str, number: &str, now_ms: i64) -> Option<&Kept> {
        self.kept.get(&key(channel, number)).filter(|kept| kept.until_ms > now_ms)
    }
}

impl Bench<'_> {
    fn guesses(&self, member: &Member) -> (i64, i32) {
        let today = self.programme.clock.day(self.now.now_ms);
        let period = self.programme.rules.claims.as_ref().map_or(0, |rule| first_day(rule.each, today));
        (member.holdings.used(&Counted::Claims, period), period)
    }

    /// Whether an order's number is taken. Of one that may be forgotten, what is told says so.
    fn is_recorded(&self, channel: &str, number: &str) -> bool {
        let known = self.programme.recorded.get(&(format!("order {channel}"), number.to_owned()));
        known.is_some_and(|known| {
            known.happened_ms > self.programme.forgettable_ms || self.told == answer::NOT_CLAIMABLE
        })
    }

    pub(super) fn claim(&self, member: &Member, channel: &str, number: &str, proof: u8) -> Due {
        let (programme, now_ms, own) = (&*self.programme, self.now.now_ms, Some(self.member));
        let Some(rule) = &programme.rules.claims else { return plain(answer::NO_CLAIMS) };
        if number.is_empty() {
            return plain(answer::NO_ORDER_NUMBER);
        }
        if !CHANNELS.contains(&channel) {
            return plain(answer::UNKNOWN_CHANNEL);
        }
        if !rule.admits(channel) {
            return plain(answer::NO_CLAIMS);
        }
        let mine = programme.kept(channel, number, now_ms).is_some_and(|kept| kept.known && kept.owner == own);
        if rule.proof && proof == 0 && !mine {
            return plain(answer::PROOF_MISSING);
        }
        let kept = programme.kept(channel, number, now_ms);
        let recorded = self.is_recorded(channel, number);
        let open = |kept: &Kept| kept.paid_at_ms + rule.within_ms > now_ms;
        let apply =
            |met| Due::Apply(Change::Claim { channel: channel.to_owned(), number: number.to_owned(), proof, met });
        let is_own = |kept: &Kept, introduces: bool| {
            let given = self.given(On::Claim(channel), kept.paid_at_ms);
            apply(Met::Own { worth: self.multiplied(kept.base, &given), introduces })
        };
        match kept {
            Some(kept) if kept.known && kept.owner == own && kept.claimed => return plain(answer::ALREADY_CLAIMED),
            Some(kept) if kept.known && kept.owner == own && !open(kept) => return plain(answer::NOT_CLAIMABLE),
            Some(kept) if kept.known && kept.owner == own => return is_own(kept, false),
            Some(kept) if !kept.known && !recorded && kept.claimant == own => return plain(answer::ALREADY_CLAIMED),
            _ => {}
        }
        let (used, _) = self.guesses(member);
        if used >= i64::from(rule.times) {
            let again_ms = match rule.each {
                Each::Life => 0,
                each => programme.clock.begins(next_day(each, programme.clock.day(now_ms))),
            };
            let wanted = LimitReached { times: rule.times, used: used as u32, again_ms };
            return with(
                answer::LIMIT_REACHED,
                move |body: &LimitReached| *body == wanted,
                format!("{wanted:?} is due"),
            );
        }
        match kept {
            None if recorded => plain(answer::NOT_CLAIMABLE),
            None => apply(Met::Waits),
            Some(kept) if (!kept.known && recorded) || (kept.known && !open(kept)) => plain(answer::NOT_CLAIMABLE),
            Some(kept) if kept.known && kept.owner.is_none() && rule.proves(kept.proof, proof) => {
                is_own(kept, self.is_met(&Deed::Order(kept.amount_minor), kept.paid_at_ms))
            }
            Some(_) => apply(Met::Wrong),
        }
    }

    pub(super) fn decide_report(&self, order: &Order, proof: u8, horizon_ms: i64) -> Due {
        let rules = &self.programme.rules;
        let earning = match self.checked(order) {
            Ok(earning) => earning,
            Err(due) => return *due,
        };
        if !rules.claims.as_ref().is_some_and(|rule| rule.admits(&order.channel)) {
            return plain(answer::NO_CLAIMS);
        }
        if proof == 0 && rules.claims.as_ref().is_some_and(|rule| rule.proof) {
            return plain(answer::PROOF_MISSING);
        }
        if let Some(due) = self.paid_in_time(order, horizon_ms) {
            return due;
        }
        let (base, amount_minor) = ordered(earning, order);
        Due::Apply(Change::Report { order: order.clone(), proof, base, amount_minor })
    }

    pub(super) fn receive(&self, member: &Member, channel: &str, number: &str, happened_ms: i64) -> Due {
        let (programme, now_ms) = (&*self.programme, self.now.now_ms);
        if number.is_empty() {
            return plain(answer::NO_ORDER_NUMBER);
        }
        if programme.rules.earning.is_none() || !CHANNELS.contains(&channel) {
            return plain(answer::UNKNOWN_CHANNEL);
        }
        let until_ms = now_ms + AHEAD_MS;
        if happened_ms > until_ms {
            let fits = move |body: &PaidInTheFuture| body.until_ms == until_ms;
            return with(answer::IN_THE_FUTURE, fits, format!("{until_ms} is due"));
        }
        let kept = programme.kept(channel, number, now_ms);
        let kept = kept.filter(|kept| kept.known && kept.owner == Some(self.member));
        let waits = kept.and_then(|kept| Some((kept, kept.waiting.as_ref()?)));
        let waits = waits.filter(|(_, waiting)| member.holdings.points.has_later(waiting));
        let (Some((kept, waiting)), Some(length)) = (waits, programme.rules.order_terms.receipt) else {
            return plain(answer::NOTHING_PENDING);
        };
        let opens_ms = programme.clock.end_of(&length, happened_ms.max(kept.paid_at_ms)).min(waiting.opens_ms);
        Due::Apply(Change::Receive { channel: channel.to_owned(), number: number.to_owned(), opens_ms })
    }

    pub(super) fn claim_view(&self, told: &Told, channel: &str, number: &str) -> Result<(), String> {
        let Some(member) = self.programme.members.get(&self.member) else {
            return expect(told, answer::NO_SUCH_MEMBER);
        };
        expect(told, answer::CLAIM)?;
        let view: ClaimView = told.read()?;
        let own = Some(self.member);
        let (programme, now_ms) = (&*self.programme, self.now.now_ms);
        let kept = programme.kept(channel, number, now_ms);
        let rule = programme.rules.claims.as_ref().filter(|rule| rule.admits(channel));
        let open = |kept: &Kept| rule.is_some_and(|rule| kept.paid_at_ms + rule.within_ms > now_ms);
        let recorded = programme.recorded.get(&(format!("order {channel}"), number.to_owned()));
        let state = kept.map_or(0, |kept| match kept {
            Kept { known: false, claimant, .. } if *claimant == own => match recorded {
                None => 1,
                Some(known) if known.happened_ms > programme.forgettable_ms => 3,
                // Its key may be forgotten, or not yet.
                Some(_) => view.state.clamp(1, 3),
            },
            Kept { known: true, owner, claimed: true, .. } if *owner == own => 2,
            Kept { known: true, owner, .. } if *owner == own && open(kept) => 4,
            Kept { known: true, owner, claimant, .. } if *owner != own && *claimant == own => 3,
            _ => 0,
        });
        let until_ms = if state == 0 { 0 } else { kept.map_or(0, |kept| kept.until_ms) };
        let times = self.programme.rules.claims.as_ref().map_or(0, |rule| i64::from(rule.times));
        let used = if times == 0 { 0 } else { self.guesses(member).0 };
        due((view.state, view.until_ms, i64::from(view.guesses_left)), (state, until_ms, (times - used).max(0)))
    }

    /// What is kept of an order that its member paid just now, `given` points for it; and what a claim that waited for it brings.
    pub(super) fn keep(
        &mut self,
        order: &Order,
        base: i64,
        amount_minor: i64,
        given: i64,
        waiting: Option<Later>,
        worth: i64,
    ) {
        let (programme, now) = (&mut *self.programme, self.now);
        let rules = programme.rules.clone();
        let claims = rules.claims.as_ref().filter(|rule| rule.admits(&order.channel));
        let claimable_ms = claims.map_or(0, |rule| whole(order.paid_at_ms + rule.within_ms));
        let until_ms = claimable_ms.max(waiting.as_ref().map_or(0, |waiting| waiting.opens_ms));
        if until_ms <= now.now_ms {
            return;
        }
        let before = programme.kept(&order.channel, &order.number, now.now_ms).filter(|kept| !kept.known);
        let claimant = before.and_then(|kept| kept.claimant);
        let owner = Some(self.member);
        let own = claimant == owner && claims.is_some_and(|rule| order.paid_at_ms + rule.within_ms > now.now_ms);
        let kept = Kept {
            known: true,
            amount_minor,
            base,
            given,
            paid_at_ms: order.paid_at_ms,
            proof: 0,
            owner,
            claimant: claimant.filter(|_| claimant != owner),
            claimed: own,
            until_ms,
            waiting,
            changed: now.epoch,
        };
        programme.kept.insert(key(&order.channel, &order.number), kept);
        if let (true, Some(rule)) = (own, claims) {
            give(programme, self.member, rule, (worth - given).max(0), order.paid_at_ms, now.now_ms);
        }
    }

    pub(super) fn apply_claim(
        &mut self,
        told: &Told,
        (channel, number, proof): (&str, &str, u8),
        met: &Met,
        before: i64,
    ) -> Result<LedgerId, String> {
        let now = self.now;
        let rule = self.programme.rules.claims.clone().ok_or("no claims")?;
        let version = self.programme.version;
        let (used, period) = self.guesses(&self.programme.members[&self.member]);
        let programme = &mut *self.programme;
        let member = programme.members.get_mut(&self.member).ok_or("a claim of nobody")?;
        match met {
            Met::Own { worth, introduces } => {
                expect(told, answer::ORDER_CLAIMED)?;
                let body: OrderClaimed = told.read()?;
                let kept = programme.kept.get_mut(&key(channel, number)).ok_or("an order that nobody knows")?;
                let before_it = kept.clone();
                (kept.owner, kept.claimed, kept.changed) = (Some(self.member), true, now.epoch);
                kept.claimant = kept.claimant.filter(|claimant| *claimant != self.member);
                let extra = (worth - before_it.given).max(0);
                give(programme, self.member, &rule, extra, before_it.paid_at_ms, now.now_ms);
                if before_it.owner.is_none() {
                    counts(programme, self.member, &before_it, *introduces, now.now_ms);
                }
                let (under, held) = programme.of(self.member);
                held.stand(&under, now.now_ms);
                let balance = held.points.balance();
                due((body.version, body.before, body.after), (version, before, balance))?;
                Ok(body.ledger)
            }
            Met::Wrong => {
                expect(told, answer::CLAIM_WRONG)?;
                let body: ClaimWrong = told.read()?;
                member.holdings.set_used(Counted::Claims, period, used + 1);
                let left = i64::from(rule.times) - used - 1;
                due((body.version, i64::from(body.left)), (version, left))?;
                Ok(body.ledger)
            }
            Met::Waits => {
                expect(told, answer::CLAIM_WAITS)?;
                let body: ClaimWaits = told.read()?;
                member.holdings.set_used(Counted::Claims, period, used + 1);
                let until_ms = (now.now_ms + rule.wait_ms).div_euclid(1000) * 1000;
                let claimant = Some(self.member);
                let kept = Kept { proof, claimant, until_ms, changed: now.epoch, ..Kept::default() };
                programme.kept.insert(key(channel, number), kept);
                due((body.version, body.until_ms), (version, until_ms))?;
                Ok(body.ledger)
            }
        }
    }

    pub(super) fn apply_report(
        &mut self,
        told: &Told,
        order: &Order,
        proof: u8,
        base: i64,
        amount_minor: i64,
    ) -> Result<LedgerId, String> {
        expect(told, answer::ORDER_REPORTED)?;
        let body: OrderReported = told.read()?;
        let now = self.now;
        let rule = self.programme.rules.claims.clone().ok_or("no claims")?;
        let until_ms = order.paid_at_ms + rule.within_ms;
        let before = self.programme.kept(&order.channel, &order.number, now.now_ms).filter(|kept| !kept.known).cloned();
        let mut kept = Kept {
            known: true,
            amount_minor,
            base,
            paid_at_ms: order.paid_at_ms,
            proof,
            until_ms: whole(until_ms),
            changed: now.epoch,
            ..Kept::default()
        };
        let mut waited = 0;
        if let Some((before, claimant)) = before.and_then(|before| before.claimant.map(|claimant| (before, claimant))) {
            (waited, kept.claimant) = (2, Some(claimant));
            if rule.proves(proof, before.proof) && until_ms > now.now_ms {
                waited = 1;
                (kept.owner, kept.claimant, kept.claimed) = (Some(claimant), None, true);
            }
        }
        let version = self.programme.version;
        due((body.version, body.waited, body.until_ms), (version, waited, until_ms))?;
        if let (1, Some(owner)) = (waited, kept.owner) {
            let reporter = std::mem::replace(&mut self.member, owner);
            let (under, held) = self.programme.of(owner);
            held.settle(&under, now.now_ms);
            let given = self.given(On::Claim(&order.channel), order.paid_at_ms);
            let worth = self.multiplied(base, &given);
            let introduces = self.is_met(&Deed::Order(amount_minor), order.paid_at_ms);
            self.member = reporter;
            let programme = &mut *self.programme;
            give(programme, owner, &rule, worth, order.paid_at_ms, now.now_ms);
            counts(programme, owner, &kept, introduces, now.now_ms);
            let (under, held) = programme.of(owner);
            held.stand(&under, now.now_ms);
            programme.members.get_mut(&owner).ok_or("an owner that is nobody")?.changed = now.epoch;
            if introduces {
                programme.introduce(owner, now.now_ms, now.epoch);
            }
        }
        self.programme.kept.insert(key(&order.channel, &order.number), kept);
        Ok(body.ledger)
    }

    pub(super) fn apply_receipt(
        &mut self,
        told: &Told,
        (channel, number): (&str, &str),
        opens_ms: i64,
        before: i64,
    ) -> Result<LedgerId, String> {
        expect(told, answer::RECEIPT_CONFIRMED)?;
        let body: ReceiptConfirmed = told.read()?;
        let (programme, now) = (&mut *self.programme, self.now);
        let kept = programme.kept.get_mut(&key(channel, number)).ok_or("an order that nobody knows")?;
        let waiting = kept.waiting.clone().ok_or("an order that waits for nothing")?;
        if opens_ms < waiting.opens_ms {
            (kept.waiting, kept.changed) = (None, now.epoch);
        }
        let rules = programme.rules.clone();
        let (under, held) = programme.of(self.member);
        if opens_ms < waiting.opens_ms {
            let tier = held.tier_at(&rules);
            let from_ms = opens_ms.max(now.now_ms);
            let lot = held.points.lot_of(
                &rules,
                under.clock,
                from_ms,
                tier,
                (waiting.lot.points, &rules.order_terms, "orders"),
            );
            held.points.take_later(&waiting);
            if opens_ms > now.now_ms {
                held.points.add_later(Later { opens_ms, lot });
            } else {
                held.points.add(lot);
                held.earned += waiting.lot.points;
                held.progressed(&under, Measure::Points, now.now_ms, now.now_ms, waiting.lot.points);
                held.stand(&under, now.now_ms);
            }
        }
        let after = held.points.balance();
        due((body.version, body.opens_ms, body.before, body.after), (programme.version, opens_ms, before, after))?;
        Ok(body.ledger)
    }
}

/// Points that a claim brings, within its caps.
fn give(programme: &mut Programme, owner: u64, rule: &Claims, points: i64, paid_at_ms: i64, now_ms: i64) {
    let (under, held) = programme.of(owner);
    let day = under.clock.day(if rule.caps.happened { paid_at_ms } else { now_ms });
    let points = held.capped("claim", points, &rule.caps, day);
    held.earn(&under, (points, &rule.terms, "claim"), paid_at_ms, now_ms);
}

/// An order that comes to a member counts as any that it pays.
fn counts(programme: &mut Programme, owner: u64, order: &Kept, introduces: bool, now_ms: i64) {
    let growth = programme.rules.earning.as_ref().and_then(|earning| earning.growth);
    let growth = growth.map_or(0, |rate| rate.points(order.amount_minor));
    let (under, held) = programme.of(owner);
    held.progressed(&under, Measure::Spend, order.paid_at_ms, now_ms, order.amount_minor);
    held.progressed(&under, Measure::Orders, order.paid_at_ms, now_ms, 1);
    held.progressed(&under, Measure::Growth, order.paid_at_ms, now_ms, growth);
    let Programme { rules, clock, benefits, members, .. } = programme;
    let under = super::standing::Under { rules, clock, benefits };
    apply::introduced_by(&under, members.get_mut(&owner).expect("it is a member"), introduces, now_ms);
}

impl Programme {
    /// A member's holdings, and the rules by which they move.
    fn of(&mut self, member: u64) -> (super::standing::Under<'_>, &mut super::standing::Holdings) {
        let Programme { rules, clock, benefits, members, .. } = self;
        let held = &mut members.get_mut(&member).expect("it is a member").holdings;
        (super::standing::Under { rules, clock, benefits }, held)
    }
}
