//! Holds what the engine answered to what the rules make of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use tidegate_protocol::RequestId;
use tidegate_protocol::answer::{
    ActivityRecorded, AlreadyRecorded, CampaignView, LotsView, MemberView, OrderReported, OutcomeView, Recorded,
    StandingView,
};
use tidegate_protocol::code::{answer, name};
use tidegate_protocol::refusal::{KeyConflict, Stale, TooOld};

use super::decide::{DEADLINE_MS_MOST, Due, plain};
use super::points::Lot;
use super::standing::{Counted, Under, What, first_day};
use super::{Applied, Ask, Asked, CellName, Circumstances, DAY_MS, Member, Programme, Recording, Told, Verdict};
use crate::calendar::Now;
use crate::ladder::{Each, Over};
use crate::shop::By;

pub(super) type Judged = Result<Verdict, String>;

pub(super) fn expect(told: &Told, code: u16) -> Result<(), String> {
    if told.code == code {
        Ok(())
    } else {
        Err(format!("answered `{}` where `{}` is due", name(told.code), name(code)))
    }
}

/// One programme while a request is judged.
pub(super) struct Bench<'a> {
    pub(super) programme: &'a mut Programme,
    pub(super) entries: &'a mut BTreeMap<u32, u64>,
    pub(super) now: Circumstances,
    /// Who asks.
    pub(super) member: u64,
    pub(super) ample: bool,
    pub(super) full: bool,
    /// The code that is told.
    pub(super) told: u16,
}

impl Bench<'_> {
    pub(super) fn judge(&mut self, asked: &Asked, told: &Told) -> Judged {
        let member_changed = self.programme.members.get(&asked.member).map_or(0, |member| member.changed);
        let mut reveals = self.programme.activated.max(member_changed);
        match &asked.ask {
            Ask::GetMember => self.member(asked.member, told)?,
            Ask::GetLots => self.lots(asked.member, told)?,
            Ask::GetHolds => self.holds_view(asked.member, told)?,
            Ask::GetStanding => self.standing(asked.member, told)?,
            // What there is comes from the log, and is judged there.
            Ask::GetStatement => expect(told, answer::NO_SUCH_MEMBER)?,
            Ask::GetProfile => self.profile(asked.member, told)?,
            Ask::GetClaim { channel, number } => {
                self.claim_view(told, channel, number)?;
                let looked = told.code == answer::CLAIM;
                reveals = reveals.max(if looked { self.kept_changed(channel, number) } else { 0 });
            }
            Ask::GetOutcome(id) => self.outcome(asked.member, *id, told)?,
            Ask::GetQuiz(slug) => {
                self.quiz(slug, told)?;
                let changed = self.programme.quizzes.get(slug).map_or(0, |quiz| quiz.changed);
                return Ok(Verdict { applied: false, reveals: self.programme.activated.max(changed) });
            }
            Ask::GetCampaign(number) => {
                self.campaign(*number, told)?;
                let changed = self.programme.block_changed.get(number).copied().unwrap_or(0);
                return Ok(Verdict { applied: false, reveals: self.programme.activated.max(changed) });
            }
            _ if asked.ask.key().is_some() => return self.once(asked, told, reveals),
            Ask::Order(_) | Ask::Report(..) => unreachable!("orders have a key"),
            _ => {
                if let Ask::Redeem(campaign, _) = asked.ask {
                    let looked = told.code == answer::SOLD_OUT;
                    let changed = self.programme.block_changed.get(&campaign).copied().unwrap_or(0);
                    reveals = reveals.max(if looked { changed } else { 0 });
                }
                if let Ask::Hold(basket) = &asked.ask {
                    let looked = told.code == answer::SOLD_OUT;
                    let changed = basket.offers.iter().filter_map(|it| self.programme.block_changed.get(&it.0)).max();
                    reveals = reveals.max(changed.copied().filter(|_| looked).unwrap_or(0));
                }
                if let Ask::Answer { quiz, .. } = &asked.ask {
                    let tells = [answer::NO_SUCH_QUESTION, answer::CLOSED, answer::NOT_YET_OPEN];
                    let changed = self.programme.quizzes.get(quiz).map_or(0, |quiz| quiz.changed);
                    reveals = reveals.max(if tells.contains(&told.code) { changed } else { 0 });
                }
                if let Ask::Claim { channel, number, .. } | Ask::Receive { channel, number, .. } = &asked.ask {
                    let looked = [answer::ALREADY_CLAIMED, answer::NOT_CLAIMABLE].contains(&told.code);
                    reveals = reveals.max(if looked { self.kept_changed(channel, number) } else { 0 });
                }
                return self.windowed(asked, told, reveals);
            }
        }
        Ok(Verdict { applied: false, reveals })
    }

    /// When what is kept of an order changed last, as far as it still is.
    fn kept_changed(&self, channel: &str, number: &str) -> u64 {
        self.programme.kept(channel, number, self.now.now_ms).map_or(0, |kept| kept.changed)
    }

    /// An operation that is remembered by its id.
    fn windowed(&mut self, asked: &Asked, told: &Told, reveals: u64) -> Judged {
        let unchanged = Ok(Verdict { applied: false, reveals });
        let stale = |member: &Member| -> Result<RequestId, String> {
            let mark = told.read::<Stale>()?.mark;
            if mark < asked.id || !member.windowed.contains(&mark) || mark < member.mark {
                return Err(format!(
                    "`stale` with mark {mark}, which is below the id, no id that was applied, or fell"
                ));
            }
            Ok(mark)
        };
        if let Some(member) = self.programme.members.get_mut(&asked.member) {
            let first = member.applied.get(&asked.id).and_then(|of| of.iter().find(|it| it.ask.key().is_none()));
            if let Some(first) = first.cloned() {
                let same = first.ask == asked.ask;
                if told.code == answer::STALE {
                    let forgotten = !member.window.contains(&asked.id);
                    member.mark = stale(member)?;
                    return if self.ample && !forgotten {
                        Err("`stale` for an id that is remembered".into())
                    } else {
                        unchanged
                    };
                }
                return match same {
                    true if *told == first.told => unchanged,
                    true => Err(format!(
                        "a retry is answered `{}`, it was `{}` first: {told:?}",
                        name(told.code),
                        name(first.told.code)
                    )),
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
            Due::OneOf(codes) if codes.contains(&told.code) => unchanged,
            Due::OneOf(codes) => Err(format!("`{}` is told, one of {codes:x?} is due", name(told.code))),
            Due::Apply(change) => {
                self.apply(asked, told, &change)?;
                Ok(Verdict { applied: true, reveals: self.now.epoch })
            }
        }
    }

    /// An operation with a natural key.
    fn once(&mut self, asked: &Asked, told: &Told, mut reveals: u64) -> Judged {
        let unchanged = |reveals| Ok(Verdict { applied: false, reveals });
        let refused = self.refused_by_id(asked);
        let reports = matches!(asked.ask, Ask::Report(..));
        if !reports && !self.programme.members.contains_key(&asked.member) {
            let due = refused.unwrap_or_else(|| plain(answer::NO_SUCH_MEMBER));
            let Due::Refusal(code, fits) = due else { unreachable!("it is a refusal") };
            return expect(told, code).and_then(|()| fits(told)).and(unchanged(0));
        }
        let key = asked.ask.key().expect("it has one");
        let happened_ms = match &asked.ask {
            Ask::Order(order) | Ask::Report(order, _) => order.paid_at_ms,
            Ask::Act(act) => act.happened_ms,
            _ => unreachable!("only these have a key"),
        };
        let horizon_ms = self.now.now_ms - self.programme.rules.remember_days * DAY_MS;
        if let Some(known) = self.programme.recorded.get(&key) {
            let same = known.member == asked.member && *known.ask == asked.ask;
            let ledger = match told.code {
                answer::ALREADY_RECORDED if same => Some(told.read::<AlreadyRecorded>()?.ledger),
                answer::KEY_CONFLICT if !same => Some(told.read::<KeyConflict>()?.ledger),
                _ => None,
            };
            if let Some(ledger) = ledger {
                let fits = ledger == known.ledger;
                reveals = reveals.max(known.changed);
                return if fits {
                    unchanged(reveals)
                } else {
                    Err(format!("it was entry {:?}, not {ledger:?}", known.ledger))
                };
            }
            // An entry keeps whole seconds, rounded up.
            if known.happened_ms > self.programme.forgettable_ms {
                return Err(format!("what is remembered is answered `{}`", name(told.code)));
            }
            if same && [answer::RECORDED, answer::ACTIVITY_RECORDED, answer::ORDER_REPORTED].contains(&told.code) {
                return Err("it is recorded a second time".into());
            }
        }
        let may_be_forgotten = happened_ms <= self.programme.forgettable_ms;
        if told.code == answer::TOO_OLD && (may_be_forgotten || happened_ms <= horizon_ms) {
            let after_ms = told.read::<TooOld>()?.after_ms;
            let fits = after_ms >= happened_ms && after_ms >= horizon_ms;
            return if fits {
                unchanged(reveals)
            } else {
                Err(format!("`too-old` after {after_ms}, happened at {happened_ms}"))
            };
        }
        let due = refused.unwrap_or_else(|| match &asked.ask {
            Ask::Order(order) => self.decide_order(order, horizon_ms),
            Ask::Report(order, proof) => self.decide_report(order, *proof, horizon_ms),
            Ask::Act(act) => self.decide_act(act, Some(horizon_ms)),
            _ => unreachable!("only these have a key"),
        });
        match due {
            Due::Refusal(code, fits) => expect(told, code).and_then(|()| fits(told)).and(unchanged(reveals)),
            Due::OneOf(_) => unreachable!("what has a key leaves no choice"),
            Due::Apply(_) if self.now.later.is_some_and(|later| later == told.code) => unchanged(reveals),
            Due::Apply(_) if self.now.later.is_some() => {
                Err(format!("`{}` while changes are refused", name(told.code)))
            }
            Due::Apply(change) => {
                self.apply(asked, told, &change)?;
                let ledger = match told.code {
                    answer::RECORDED => told.read::<Recorded>()?.ledger,
                    answer::ORDER_REPORTED => told.read::<OrderReported>()?.ledger,
                    _ => told.read::<ActivityRecorded>()?.ledger,
                };
                let (member, ask, changed) = (asked.member, Rc::new(asked.ask.clone()), self.now.epoch);
                self.programme.recorded.insert(key, Recording { member, ask, happened_ms, ledger, changed });
                Ok(Verdict { applied: true, reveals: self.now.epoch })
            }
        }
    }

    fn member(&mut self, key: u64, told: &Told) -> Result<(), String> {
        let programme = &mut *self.programme;
        let Some(member) = programme.members.get(&key) else { return expect(told, answer::NO_SUCH_MEMBER) };
        expect(told, answer::MEMBER)?;
        let view: MemberView = told.read()?;
        let due_view = (
            member.holdings.points.balance(),
            member.holdings.earned,
            member.holdings.tier.expect("it is in a tier"),
            member.days.streak(),
            member.days.best(),
            member.days.last().unwrap_or(i32::MIN),
        );
        due(
            (view.balance, view.earned, view.tier_slug.as_str(), view.streak, view.streak_best, view.last_day),
            due_view,
        )?;
        // What is used no more is of no interest.
        let limits = view.limits.as_slice().iter().filter(|it| it.used > 0);
        let limits: BTreeMap<(u32, u32), u32> = limits.map(|it| ((it.campaign, it.offer), it.used)).collect();
        due(&limits, &member.limits_told())?;
        let known = view.mark == RequestId::default() || member.windowed.contains(&view.mark);
        if !known || view.mark < member.mark || (self.ample && view.mark != member.mark) {
            return Err(format!("the mark is {}, known is {}", view.mark, member.mark));
        }
        programme.members.get_mut(&key).expect("it is there").mark = view.mark;
        Ok(())
    }

    fn lots(&self, key: u64, told: &Told) -> Result<(), String> {
        let Some(member) = self.programme.members.get(&key) else { return expect(told, answer::NO_SUCH_MEMBER) };
        expect(told, answer::LOTS)?;
        let view: LotsView = told.read()?;
        let lot = |lot: &Lot, opens_ms: i64| {
            let source = self.source_name(lot.source);
            (lot.points, opens_ms, lot.expires_ms.unwrap_or(0), lot.slides, source)
        };
        let open = member.holdings.points.spent_in_order().into_iter().map(|it| lot(it, 0));
        let later = member.holdings.points.later();
        let pending: i64 = later.iter().map(|it| it.lot.points).sum();
        let lots: Vec<_> = open.chain(later.into_iter().map(|it| lot(&it.lot, it.opens_ms))).collect();
        let told = view.lots.as_slice().iter();
        let told = told.map(|it| (it.points, it.opens_ms, it.expires_ms, it.slides == 1, it.source.as_str())).collect();
        due((view.balance, view.pending, told), (member.holdings.points.balance(), pending, lots))
    }

    /// A rule that the programme names no longer has no name.
    fn source_name(&self, source: &'static str) -> &'static str {
        let rules = &self.programme.rules;
        let named = ["orders", "check-in", "tier", "referral", "claim", "grace"].contains(&source)
            || rules.activities.iter().any(|it| it.slug == source)
            || rules.quizzes.iter().any(|it| it.slug == source)
            || rules.standing.benefits.iter().any(|it| it.slug == source);
        if named { source } else { "unnamed" }
    }

    fn standing(&self, key: u64, told: &Told) -> Result<(), String> {
        let programme = &*self.programme;
        let Some(member) = programme.members.get(&key) else { return expect(told, answer::NO_SUCH_MEMBER) };
        expect(told, answer::STANDING)?;
        let view: StandingView = told.read()?;
        let (rules, clock, held) = (&programme.rules, &programme.clock, &member.holdings);
        let (standing, today) = (&rules.standing, clock.day(self.now.now_ms));
        let under = Under { rules, clock, benefits: &programme.benefits };
        let (at, count) = (held.tier_at(rules), held.count_on(&under, today));
        let (review, grace) = (held.plans.get(&What::Review), held.plans.get(&What::Grace));
        let until_ms = grace.or(review).copied().unwrap_or(0);
        due(
            (view.tier_slug.as_str(), view.measure, view.count, view.until_ms, view.grace == 1),
            (rules.tiers[at].0, standing.ladder.measure as u8, count, until_ms, grace.is_some()),
        )?;
        let birthday =
            held.birthday.map_or((0, 0, 0), |it| (it.date.0 as u8, it.date.1 as u8, i32::from(it.from_year)));
        due((view.birthday_month, view.birthday_day, view.birthday_from), birthday)?;
        let keep = if standing.ladder.over == Over::Life { rules.tiers[at].1 } else { standing.keep[at] };
        let next = rules.tiers.get(at + 1).map_or(("", 0), |(slug, from)| (*slug, from - count));
        due((view.keep, view.next_slug.as_str(), view.missing), (keep, next.0, next.1))?;
        let declared = |slug: &'static str| {
            if standing.declared.iter().any(|(known, _)| *known == slug) { slug } else { "" }
        };
        let always = standing.rights[at].iter().map(|slug| (*slug, 0, 0));
        let counted = held.rights_in_order().into_iter();
        let counted = counted.map(|it| (declared(it.slug), it.count, it.expires_ms.unwrap_or(0)));
        let rights: Vec<_> = always.chain(counted).collect();
        let told_rights = view.rights.as_slice().iter();
        due(told_rights.map(|it| (it.slug.as_str(), it.count, it.expires_ms)).collect::<Vec<_>>(), rights)?;
        let known = |slug: &str| standing.benefits.iter().any(|benefit| benefit.slug == slug);
        let plans = held.plans.iter().filter_map(|(what, at)| match what {
            What::Benefit(slug) if known(slug) => Some((*slug, *at)),
            _ => None,
        });
        let told_benefits: BTreeMap<_, _> =
            view.benefits.as_slice().iter().map(|it| (it.slug.as_str(), it.due_ms)).collect();
        due(told_benefits, plans.collect())?;
        let orders = rules.earning.iter().map(|it| ("orders", &it.caps));
        let check_in = rules.check_in.iter().map(|it| ("check-in", &it.caps));
        let claims = rules.claims.iter().map(|it| ("claim", &it.caps));
        let all = orders.chain(claims).chain(check_in).chain(rules.activities.iter().map(|it| (it.slug, &it.caps)));
        let all = all.chain(rules.quizzes.iter().map(|it| (it.slug, &it.caps)));
        let used = all.flat_map(|(rule, caps)| {
            caps.all.iter().filter_map(move |cap| {
                let each = cap.each?;
                let used = held.used(&Counted::Cap(rule, each, cap.times), first_day(each, today));
                Some((rule, each, cap.times, cap.most, used))
            })
        });
        let each = |each: u8| [Each::Day, Each::Week, Each::Month, Each::Life][usize::from(each) - 1];
        let told_caps = view.caps.as_slice().iter();
        let told_caps =
            told_caps.map(|it| (it.rule.as_str(), each(it.each), it.of == 2, i64::from(it.most), i64::from(it.used)));
        due(told_caps.collect::<Vec<_>>(), used.collect())
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
        due(view.granted_ever, programme.grants(number, self.now.now_ms))?;
        if state == 1 {
            for row in view.quotas.as_slice() {
                let (campaign, offer, tier, period) = (number, row.offer, u32::from(row.tier), row.period);
                let cell = CellName { campaign, offer, tier, store: "", by: By::Window, period };
                due((row.period, row.used), (period, programme.used(cell, self.now.now_ms)))?;
            }
        }
        Ok(())
    }
}

/// Whether an outcome is that of one of these.
pub(super) fn tells_of(view: &OutcomeView, applied: &[Rc<Applied>]) -> Result<(), String> {
    let digits = |told: &Told| told.body.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let told = |it: &Rc<Applied>| view.code == it.told.code && view.answer.as_str() == digits(&it.told);
    let fits = view.state == OutcomeView::APPLIED && applied.iter().any(told);
    if fits { Ok(()) } else { Err(format!("the outcome is {view:?}, of {applied:?}")) }
}

pub(super) fn due<T: PartialEq + std::fmt::Debug>(told: T, due: T) -> Result<(), String> {
    if told == due { Ok(()) } else { Err(format!("{told:?} is told, {due:?} is due")) }
}
