//! A member's part in the making: effects are added one by one, each decided upon the member and upon those before it.
//!
//! What a rule earns is multiplied and capped here, and becomes a lot; what of it the ladder counts moves the member's tier, and
//! what that brings is part of the same outcome (I1). A draft changes nothing: it is handed over as a part, or dropped with a refusal.

use tidegate_protocol::code::answer;

use super::Context;
use super::admit::Request;
use super::counters::Counter;
use super::effect::Effect;
use super::kept::MemberSlot;
use super::lots::{LOTS_MOST, LotName, NEVER_S, second_of};
use super::member::Member;
use super::part::{Change, MemberPart};
use super::pending::Pending;
use super::plans::Plan;
use super::progress::VALUE_MOST;
use super::refusal::Refusal;
use super::rights::Right;
use crate::programme::{Award, Calendar, Cap, Giving, LotTerms, Measure, Most, Occasion, RightCount, source};

/// The most points that one outcome gives, so that sums over members and shards stay below 2^63.
const POINTS_MOST: i64 = 1_000_000_000_000;

/// Lots that awards bring a member to beyond what it can ask for: as many as an answer has room for.
const AWARDED_LOTS_MOST: usize = 24;

/// The most rights that a member has beside each other.
const RIGHTS_MOST: usize = 1_000;

/// And so many more, where they were held and paid for.
const PAID_RIGHTS_MOST: usize = 1_000;

/// Whose counters are no campaign's: numbers that no campaign is given.
pub(super) mod counted {
    /// The first of them.
    pub const FROM: u16 = 65_520;
    /// Claims of orders that were not granted at once, by the first day of their period.
    pub const CLAIM: u16 = 65_530;
    /// Invitations of which an inviter had something, by the first day of their period.
    pub const INTRODUCED: u16 = 65_531;
    /// Answers to questions, by 8 times the quiz's source and the question's lane, and the question's number.
    pub const QUIZ: u16 = 65_532;
    /// Benefits, by their source and the first day of their period.
    pub const BENEFIT: u16 = 65_533;
    /// Entries into tiers, by the tier's number and the first day of the period in which they give something once.
    pub const ENTRY: u16 = 65_534;
    /// Caps, by the rule's source and the kind of cap.
    pub const CAP: u16 = 65_535;
}

/// Under what a cap is counted on a day; `None` for one that counts nothing.
fn cap_counter(giving: &Giving, cap: &Cap, day: i32) -> Option<(u16, i32)> {
    Some((giving.source * 8 + cap.kind()?, cap.each?.first_day(day)))
}

/// What a member has used of a cap today.
pub fn cap_used(context: &Context<'_>, member: &Member, giving: &Giving, cap: &Cap) -> u32 {
    let today = context.programme.zone.local_day(context.now_ms);
    cap_counter(giving, cap, today).map_or(0, |(offer, period)| member.used(counted::CAP, offer, period))
}

/// What points are given for.
pub(super) struct Given {
    /// The channel's number; 0 where there is none.
    pub(super) channel: u16,
    /// When it happened, which can be before it is decided.
    pub(super) happened_ms: i64,
}

/// Who asks for something: a member that is settled, with its request; and where its part is to be written, by whoever decides.
///
/// A part is written where it stays: handed on by value, it was copied five times, which was a tenth of a check-in. It says
/// something only once the decision is made, and nothing if that is a refusal.
pub struct Asker<'a> {
    /// The rules and the instant.
    pub context: &'a Context<'a>,
    /// Where the member stands.
    pub at: MemberSlot,
    /// The member.
    pub member: &'a Member,
    /// What it asks.
    pub request: &'a Request,
    /// Its part; what it was before is of no matter.
    pub part: &'a mut MemberPart,
}

/// A part in the making.
pub(super) struct Draft<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) member: &'a Member,
    /// The instant from which its effects hold.
    pub(super) at_ms: i64,
    /// The index of the tier as it stands so far.
    pub(super) tier: usize,
    /// Whether anything came in that the tier may follow.
    moved: bool,
    part: &'a mut MemberPart,
}

impl<'a> Draft<'a> {
    /// The part of a member that asked for something and is granted it: at first with what any activity brings, that lots which
    /// slide expire later.
    #[inline(always)]
    pub(super) fn asked(asker: Asker<'a>, change: Change) -> Draft<'a> {
        let Asker { context, at, member, request, part } = asker;
        let mut draft = Draft::new(context, at.slot, member, context.now_ms, change, part);
        (draft.part.id, draft.part.hash) = (request.id, request.hash);
        if let Some(to_s) = context.programme.points.slides_to(&context.programme.zone, context.now_ms)
            && member.lots().would_slide(to_s)
        {
            draft.effect(Effect::Slid { to_s });
        }
        draft
    }

    /// The part of a member to whom time, or a new version of the rules, does something at an instant; `None` if `work` gives up.
    pub(super) fn unasked(
        context: &Context<'_>,
        slot: u32,
        member: &Member,
        at_ms: i64,
        work: impl FnOnce(&mut Draft<'_>) -> Option<()>,
    ) -> Option<MemberPart> {
        let mut part = MemberPart::default();
        let mut draft = Draft::new(context, slot, member, at_ms, Change::Settled, &mut part);
        work(&mut draft)?;
        draft.finish();
        Some(part)
    }

    #[inline(always)]
    fn new(
        context: &'a Context<'a>,
        slot: u32,
        member: &'a Member,
        at_ms: i64,
        change: Change,
        part: &'a mut MemberPart,
    ) -> Draft<'a> {
        // What is known only when it is finished, or applied, is left as it was.
        (part.slot, part.now_ms, part.version, part.change) = (slot, context.now_ms, context.version, change);
        part.effects.clear();
        part.forgets = None;
        let tier = context.programme.tier_numbered(member.tier).unwrap_or(0);
        Draft { context, member, at_ms, tier, moved: false, part }
    }

    /// Finishes the part, with whatever the tier has to follow.
    #[inline(always)]
    pub(super) fn finish(&mut self) {
        if self.moved && !self.stays() {
            self.stand();
        }
        self.part.after = self.member.balance() + self.part.delta();
        self.part.tier = self.context.programme.tiers[self.tier].number;
    }

    /// Finishes the part with one more effect.
    pub(super) fn with(mut self, effect: Effect) {
        self.effect(effect);
        self.finish();
    }

    /// Whether it would change anything.
    pub(super) fn changes(&self) -> bool {
        !self.part.effects.is_empty() || self.moved
    }

    /// Lets the tier follow, and benefits come with it.
    pub(super) fn moves(&mut self) {
        self.moved = true;
    }

    /// Says what happened to who did not ask.
    pub(super) fn change(&mut self, change: Change) {
        self.part.change = change;
    }

    /// The effects so far.
    pub(super) fn effects(&self) -> &[Effect] {
        &self.part.effects
    }

    /// Takes back all effects but the first so many.
    pub(super) fn forget_effects(&mut self, left: usize) {
        self.part.effects.truncate(left);
    }

    /// Adds an effect.
    #[inline(always)]
    pub(super) fn effect(&mut self, effect: Effect) {
        self.part.effects.push(effect);
    }

    /// Gives the points of a rule: multiplied by whatever applies, within the rule's caps, on the terms that it states.
    #[inline(always)]
    pub(super) fn earn(&mut self, points: i64, giving: &Giving, given: &Given) -> Result<(), Refusal> {
        self.earn_beyond(0, points, giving, given)
    }

    /// The same, but for so many that were given already.
    #[inline(always)]
    pub(super) fn earn_beyond(
        &mut self,
        already: i64,
        points: i64,
        giving: &Giving,
        given: &Given,
    ) -> Result<(), Refusal> {
        let programme = self.context.programme;
        let occasion = Occasion {
            source: giving.source.min(source::NAMED_FROM),
            tier: self.tier,
            channel: given.channel,
            birthday: self.member.birthday(),
            happened_ms: given.happened_ms,
            now_ms: self.context.now_ms,
        };
        let calendar = Calendar { zone: &programme.zone, birthdays: programme.birthday.as_ref() };
        let points = programme.multipliers.points(points, &occasion, &calendar);
        let points = if already == 0 { points } else { points.saturating_sub(already).max(0) };
        let points = if giving.caps.is_empty() { points } else { self.capped(points, giving, given) };
        if points == 0 {
            return Ok(());
        }
        self.grant(points, &giving.terms, giving.source, given.happened_ms, LOTS_MOST)
    }

    /// What caps leave of points, counted in each.
    fn capped(&mut self, points: i64, giving: &Giving, given: &Given) -> i64 {
        let day = self.context.programme.zone.local_day(giving.counts_at_ms(given.happened_ms, self.context.now_ms));
        let counter = |draft: &Draft<'_>, cap: &Cap| {
            let (offer, period) = cap_counter(giving, cap, day)?;
            Some(Counter { campaign: counted::CAP, offer, period, used: draft.used(counted::CAP, offer, period) })
        };
        let mut left = points;
        for cap in &giving.caps {
            let used = counter(self, cap).map_or(0, |counter| counter.used);
            match cap.most {
                Most::Points(most) => left = left.min(i64::from(most.saturating_sub(used))),
                Most::Times(most) if used >= most => left = 0,
                Most::Times(_) => {}
            }
        }
        for cap in giving.caps.iter().filter(|_| left > 0) {
            let Some(counter) = counter(self, cap) else { continue };
            let more = if matches!(cap.most, Most::Points(_)) { left as u32 } else { 1 };
            self.count(Counter { used: counter.used + more, ..counter });
        }
        left
    }

    /// What a tier or a benefit gives, so far as it can be counted: it was not asked for, and nobody is refused for it.
    pub(super) fn award(&mut self, award: &Award, source: u16) {
        if award.points > 0 {
            // Who has so many lots, or points, loses what is beyond: nobody can be refused for it.
            let _ = self.grant(award.points, &award.terms, source, self.at_ms, LOTS_MOST + AWARDED_LOTS_MOST);
        }
        if let Some(right) = award.right {
            self.right(right);
        }
    }

    /// Gives a right; `false`, with nothing done, if the member has too many.
    pub(super) fn right(&mut self, given: RightCount) -> bool {
        self.right_within(given, RIGHTS_MOST)
    }

    /// Gives a right that was paid for, though the member has as many as it can ask for.
    pub(super) fn right_beyond(&mut self, given: RightCount) -> bool {
        self.right_within(given, RIGHTS_MOST + PAID_RIGHTS_MOST)
    }

    fn right_within(&mut self, RightCount { right, count }: RightCount, most: usize) -> bool {
        let programme = self.context.programme;
        let rule = programme.right(right).expect("rules give rights that are declared");
        let expires_s = rule.terms.expires(&programme.zone, self.tier, self.at_ms).at_s;
        let fresh = self.part.effects.iter().filter(|effect| matches!(effect, Effect::RightGiven(_))).count();
        let known = self.member.rights().find(|known| (known.number, known.expires_s) == (right, expires_s));
        let room = known.map_or(self.member.rights().count() + fresh < most, |known| known.count < u32::MAX / 2);
        if room {
            self.effect(Effect::RightGiven(Right { number: right, count, expires_s }));
        }
        room
    }

    /// Points become a lot, or one that opens later.
    fn grant(
        &mut self,
        points: i64,
        terms: &LotTerms,
        source: u16,
        happened_ms: i64,
        lots_most: usize,
    ) -> Result<(), Refusal> {
        let (given, fresh) = self.given();
        let all = given.checked_add(points).filter(|all| *all <= POINTS_MOST);
        all.and_then(|all| self.member.room_for(all)).ok_or(Refusal::Plain(answer::INVALID_AMOUNT))?;
        let zone = &self.context.programme.zone;
        let opens_ms = terms.opens_ms(zone, self.at_ms);
        let expiry = terms.expires(zone, self.tier, opens_ms.unwrap_or(self.at_ms));
        let name = LotName { expires_s: expiry.at_s, source, slides: expiry.slides };
        let effect = match opens_ms {
            None => Effect::Granted { points, name },
            // Not before its instant: a second that has begun by then.
            Some(opens_ms) => {
                Effect::Pended(Pending { points, opens_s: second_of(opens_ms.saturating_add(999)), name })
            }
        };
        let known = || match effect {
            Effect::Pended(Pending { opens_s, name, .. }) => {
                self.member.pending().any(|pending| (pending.opens_s, pending.name) == (opens_s, name))
            }
            _ => self.member.lots().has(name),
        };
        if self.member.lot_count() + fresh >= lots_most && !known() {
            return Err(Refusal::Plain(answer::TOO_MANY_LOTS));
        }
        self.effect(effect);
        if opens_ms.is_none() {
            self.moved = true;
            self.progress(Measure::Points, happened_ms, points)?;
        }
        Ok(())
    }

    /// Points given so far, and by how many effects.
    fn given(&self) -> (i64, usize) {
        let given = self.part.effects.iter().filter_map(|effect| match effect {
            Effect::Granted { points, .. } | Effect::Pended(Pending { points, .. }) => Some(*points),
            _ => None,
        });
        given.fold((0, 0), |(sum, count), points| (sum + points, count + 1))
    }

    /// Points earned, those of this part included.
    pub(super) fn earned(&self) -> i64 {
        self.part.effects.iter().fold(self.member.earned, |earned, effect| match effect {
            Effect::Granted { points, .. } | Effect::Opened { points, .. } => earned + points,
            _ => earned,
        })
    }

    /// The ladder counts so much more of something, if that is what it counts and the day is still of interest.
    #[inline(always)]
    pub(super) fn progress(&mut self, measure: Measure, happened_ms: i64, value: i64) -> Result<(), Refusal> {
        let ladder = &self.context.programme.ladder;
        if ladder.measure != measure || ladder.is_plain() || value == 0 {
            return Ok(());
        }
        self.progressed(measure, happened_ms, value)
    }

    #[inline(never)]
    fn progressed(&mut self, measure: Measure, happened_ms: i64, value: i64) -> Result<(), Refusal> {
        let (ladder, zone) = (&self.context.programme.ladder, &self.context.programme.zone);
        let today = zone.local_day(self.at_ms);
        // What is dated ahead counts for today.
        let day = ladder.bucket(ladder.day(zone, happened_ms, self.at_ms).min(today));
        let from = ladder.kept_from(today);
        if day < from {
            return Ok(());
        }
        let measure = measure as u8;
        let known = self.member.counted(measure, day..=day);
        let same = self.part.effects.iter_mut().find_map(|effect| match effect {
            Effect::Progressed { measure: of, day: on, value, .. } if (*of, *on) == (measure, day) => Some(value),
            _ => None,
        });
        let before = known + same.as_ref().map_or(0, |value| **value);
        before.checked_add(value).filter(|sum| *sum <= VALUE_MOST).ok_or(Refusal::Plain(answer::INVALID_AMOUNT))?;
        match same {
            Some(known) => *known += value,
            None => self.effect(Effect::Progressed { measure, day, value }),
        }
        let old = self.member.progress().any(|bucket| bucket.day < from);
        if old && !self.part.effects.contains(&Effect::ProgressForgotten { from }) {
            self.effect(Effect::ProgressForgotten { from });
        }
        self.moved = true;
        Ok(())
    }

    /// What is counted for the days within, this part included.
    pub(super) fn counted(&self, measure: Measure, days: std::ops::RangeInclusive<i32>) -> i64 {
        let measure = measure as u8;
        let fresh = self.part.effects.iter().map(|effect| match effect {
            Effect::Progressed { measure: of, day, value, .. } if *of == measure && days.contains(day) => *value,
            _ => 0,
        });
        let fresh: i64 = fresh.sum();
        self.member.counted(measure, days).saturating_add(fresh)
    }

    /// How often a limit was used in the window that opened on `period`, this part included.
    pub(super) fn used(&self, campaign: u16, offer: u16, period: i32) -> u32 {
        let fresh = self.part.effects.iter().rev().find_map(|effect| match effect {
            Effect::Used(counter) | Effect::LimitHeld(counter)
                if (counter.campaign, counter.offer) == (campaign, offer) =>
            {
                Some(counter)
            }
            _ => None,
        });
        match fresh {
            Some(counter) if counter.period >= period => counter.used,
            Some(_) => 0,
            None => self.member.used(campaign, offer, period),
        }
    }

    /// How often a limit was used in just this period, this part included; `None` if it counts for another by now.
    pub(super) fn used_in(&self, campaign: u16, offer: u16, period: i32) -> Option<u32> {
        let is_it = |counter: &&Counter| (counter.campaign, counter.offer) == (campaign, offer);
        let fresh = self.part.effects.iter().rev().find_map(|effect| match effect {
            Effect::Used(counter) if is_it(&counter) => Some(counter),
            _ => None,
        });
        let counter = fresh.or_else(|| self.member.counters().find(is_it));
        counter.filter(|counter| counter.period == period).map(|counter| counter.used)
    }

    /// Sets a counter. One of a later window stands for it, if there is one: it counts here too.
    pub(super) fn count(&mut self, counter: Counter) {
        self.effect(Effect::Used(self.standing_counter(counter)));
    }

    /// The counter that stands for one: of a later window, if there is one.
    pub(super) fn standing_counter(&self, counter: Counter) -> Counter {
        let later = self.member.counters().find(|known| {
            (known.campaign, known.offer) == (counter.campaign, counter.offer) && known.period > counter.period
        });
        let period = later.map_or(counter.period, |later| later.period);
        Counter { period, ..counter }
    }

    /// When the rules look at the member for this, this part included.
    pub(super) fn plan_s(&self, what: u16) -> Option<u32> {
        let fresh = self.part.effects.iter().rev().find_map(|effect| match effect {
            Effect::Planned(plan) if plan.what == what => Some(plan.at_s),
            _ => None,
        });
        fresh.map_or_else(|| self.member.plan_s(what), |at_s| (at_s != NEVER_S).then_some(at_s))
    }

    /// Sets a plan, or with [`NEVER_S`] takes it back if there is one.
    pub(super) fn plan(&mut self, what: u16, at_s: u32) {
        if self.plan_s(what) != (at_s != NEVER_S).then_some(at_s) {
            self.effect(Effect::Planned(Plan { what, at_s }));
        }
    }
}
