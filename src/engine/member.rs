//! A member: points, tier, streak, what was used of limits, and where its remembered answers stand.
//!
//! The layout is tuned for bytes, since there are millions of members: 136 each. What few members have stands behind one
//! pointer. Members are not aligned to cache lines: that was tried, and was no better.

use tidegate_protocol::{MemberKey, RequestId};

use super::counters::{self, Counter, FirstCounters};
use super::days::{Days, Run};
use super::effect::{Effect, NO_CELL};
use super::held::{HOLDS_MOST, HeldLimit, HeldOffer, Hold};
use super::lots::{Lot, Lots, NEVER_S, second_of};
use super::part::{Change, MemberPart};
use super::pending::{Pending, PendingPoints};
use super::plans::{Plan, Plans};
use super::progress::{Bucket, Progress};
use super::referral::Invitation;
use super::rights::{Right, Rights};
use crate::programme::Birthday;

/// Where an entry of the ledger stands: the epoch that holds it, and its offset in the tail of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerAt {
    /// 0 where there is none.
    pub epoch: u64,
    /// Bytes from the start of the tail.
    pub offset: u32,
}

/// What few members have.
#[derive(Debug, Clone, Default)]
struct More {
    counters: Vec<Counter>,
    pending: PendingPoints,
    rights: Rights,
    plans: Plans,
    progress: Progress,
    birthday: Option<Birthday>,
    days: Days,
    /// Numbers of tags, ascending.
    tags: Vec<u16>,
    invitation: Option<Invitation>,
    /// What it holds, the oldest first.
    holds: Vec<Hold>,
    /// The programme's version that the newest part was decided by; 0 where there was none yet.
    version: u32,
}

impl More {
    fn due_s(&self) -> u32 {
        let plan_s = self.plans.first().map(|plan| plan.at_s);
        let due = [self.pending.due_s(), self.rights.due_s(), plan_s, self.holds.iter().map(|hold| hold.due_s).min()];
        due.into_iter().flatten().min().unwrap_or(NEVER_S)
    }

    /// The longest of its lists.
    fn longest(&self) -> usize {
        // Counters stand in the member itself too.
        let lists = [
            self.counters.len() + FirstCounters::default().len(),
            self.pending.count(),
            self.rights.iter().count(),
            self.plans.iter().count(),
            self.days.runs().len(),
            self.tags.len(),
            self.holds.len(),
        ];
        lists.into_iter().fold(self.progress.len(), usize::max)
    }
}

/// A member as it stands in its slot.
#[derive(Debug, Clone)]
pub struct Member {
    /// The brand's key for it.
    pub key: MemberKey,
    /// The largest request id that is forgotten.
    pub mark: RequestId,
    lots: Lots,
    /// Points earned over its life; decides the tier.
    pub earned: i64,
    newest_epoch: u64,
    counters: FirstCounters,
    more: Option<Box<More>>,
    newest_offset: u32,
    /// Where its newest remembered answer stands in its shard's pool; in no format and no hash.
    pub answers: u32,
    /// The local day of the last check-in; `i32::MIN` before the first.
    pub last_day: i32,
    /// The newest tick in which any of its remembered ids was minted, as its shard counts ticks; in no format and no hash.
    pub newest_tick: u32,
    programme: u16,
    /// Days in a row, up to `last_day`.
    pub streak: u16,
    /// The longest streak.
    pub streak_best: u16,
    /// The tier's number, as of the last change; decisions derive it anew from `earned`.
    pub tier: u8,
    /// How many answers are remembered for it; in no format and no hash.
    pub answers_held: u8,
}

const _: () = assert!(size_of::<Member>() == 136);

impl Default for Member {
    /// Nobody: of no programme.
    fn default() -> Member {
        Member::new(0, MemberKey([0; 16]))
    }
}

/// An effect that cannot come upon the state it is said to come upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit;

impl Member {
    /// A member as enrolment makes it.
    pub fn new(programme: u32, key: MemberKey) -> Member {
        Member {
            key,
            mark: RequestId::default(),
            lots: Lots::default(),
            earned: 0,
            newest_epoch: 0,
            newest_offset: 0,
            answers: u32::MAX,
            counters: FirstCounters::default(),
            more: None,
            last_day: i32::MIN,
            newest_tick: 0,
            programme: u16::try_from(programme).expect("programmes are numbered from 1, one by one"),
            streak: 0,
            streak_best: 0,
            tier: 0,
            answers_held: 0,
        }
    }

    /// The programme's number.
    pub fn programme(&self) -> u32 {
        u32::from(self.programme)
    }

    /// Points that can be spent; below zero what is owed.
    pub fn balance(&self) -> i64 {
        self.lots.balance()
    }

    /// Its points, lot by lot.
    pub fn lots(&self) -> &Lots {
        &self.lots
    }

    /// Puts its points back, as a snapshot states them.
    pub fn set_lots(&mut self, lots: Lots) {
        self.lots = lots;
    }

    /// Points that open later, in the order in which they do.
    pub fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.more.iter().flat_map(|more| more.pending.iter())
    }

    /// Puts its pending points back, as a snapshot states them; `None` if they are more than can be counted.
    pub fn set_pending(&mut self, pending: Vec<Pending>) -> Option<()> {
        let sum = pending
            .iter()
            .try_fold(0i64, |sum, pending| sum.checked_add(pending.points).filter(|_| pending.points >= 0));
        self.room_for(sum?)?;
        for pending in pending {
            self.more.get_or_insert_default().pending.add(pending);
        }
        Some(())
    }

    /// What it holds, the oldest first.
    pub fn holds(&self) -> &[Hold] {
        self.more.as_ref().map_or(&[], |more| &more.holds)
    }

    /// What it holds under an id, with its place.
    pub fn hold(&self, id: RequestId) -> Option<(u16, &Hold)> {
        (0u16..).zip(self.holds()).find(|(_, hold)| hold.id == id)
    }

    /// The hold that is over first, with its place.
    pub fn next_hold(&self) -> Option<(u16, &Hold)> {
        (0u16..).zip(self.holds()).min_by_key(|(at, hold)| (hold.due_s, *at))
    }

    /// Puts a hold back, as a snapshot states it; `None` if its points cannot be, or there are too many.
    pub fn push_hold(&mut self, hold: Hold) -> Option<()> {
        let sum = hold.lots.iter().try_fold(0i64, |sum, lot| sum.checked_add(lot.points).filter(|_| lot.points > 0))?;
        self.room_for(sum)?;
        let more = self.more.get_or_insert_default();
        let fits = more.holds.len() < HOLDS_MOST && (0..=sum).contains(&hold.tender);
        fits.then(|| more.holds.push(hold))
    }

    /// Whether so many more points can come in: what it has, earned and has pending stays a number, also once all of it
    /// has opened.
    pub fn room_for(&self, points: i64) -> Option<()> {
        let pending = self.more.as_ref().map_or(0, |more| more.pending.points()).checked_add(points)?;
        // What is held can come back.
        let pending = self.holds().iter().try_fold(pending, |sum, hold| sum.checked_add(hold.points()))?;
        (points >= 0 && self.balance().checked_add(pending).is_some() && self.earned.checked_add(pending).is_some())
            .then_some(())
    }

    /// How many lots it has, pending ones included.
    pub fn lot_count(&self) -> usize {
        let held: usize = self.holds().iter().map(|hold| hold.lots.len()).sum();
        self.lots.count() + held + self.more.as_ref().map_or(0, |more| more.pending.count())
    }

    /// The second at which time alone changes it next; [`NEVER_S`] if it does not.
    #[inline]
    pub fn due_s(&self) -> u32 {
        self.lots.due_s().min(self.more.as_ref().map_or(NEVER_S, |more| more.due_s()))
    }

    /// Rights that can be used, each once, in the order in which they expire.
    pub fn rights(&self) -> impl Iterator<Item = &Right> {
        self.more.iter().flat_map(|more| more.rights.iter())
    }

    /// How many of a right it has.
    pub fn right_count(&self, number: u16) -> u64 {
        self.more.as_ref().map_or(0, |more| more.rights.count(number))
    }

    /// Puts a right back, as a snapshot states it; `None` if they are none, or more than can be counted.
    pub fn push_right(&mut self, right: Right) -> Option<()> {
        self.more.get_or_insert_default().rights.add(right)
    }

    /// The version of the rules by which its newest part was decided; `None` if it has nothing that a ladder or the calendar counts.
    pub fn stood_under(&self) -> Option<u32> {
        self.more.as_ref().map(|more| more.version).filter(|version| *version != 0)
    }

    /// Puts that back, as a snapshot states it.
    pub fn set_stood_under(&mut self, version: u32) {
        self.more.get_or_insert_default().version = version;
    }

    /// Its birthday, if it was said.
    pub fn birthday(&self) -> Option<Birthday> {
        self.more.as_ref()?.birthday
    }

    /// Sets its birthday.
    pub fn set_birthday(&mut self, birthday: Birthday) {
        self.more.get_or_insert_default().birthday = Some(birthday);
    }

    /// What is kept of its days beside the newest run; `None` if there is nothing.
    pub fn days(&self) -> Option<&Days> {
        self.more.as_ref().map(|more| &more.days)
    }

    /// The same, to change it.
    pub fn days_mut(&mut self) -> &mut Days {
        &mut self.more.get_or_insert_default().days
    }

    /// Who invited it, if anybody did.
    pub fn invitation(&self) -> Option<Invitation> {
        self.more.as_ref()?.invitation
    }

    /// Says who invited it.
    pub fn set_invitation(&mut self, invitation: Invitation) {
        self.more.get_or_insert_default().invitation = Some(invitation);
    }

    /// Numbers of its tags, ascending.
    pub fn tags(&self) -> &[u16] {
        self.more.as_ref().map_or(&[], |more| &more.tags)
    }

    /// Gives a tag, or takes it.
    pub fn set_tag(&mut self, number: u16, on: bool) {
        let tags = &mut self.more.get_or_insert_default().tags;
        match (tags.binary_search(&number), on) {
            (Err(at), true) => tags.insert(at, number),
            (Ok(at), false) => drop(tags.remove(at)),
            _ => {}
        }
    }

    /// When the rules look at it again.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.more.iter().flat_map(|more| more.plans.iter())
    }

    /// The first of its plans.
    pub fn next_plan(&self) -> Option<Plan> {
        self.more.as_ref()?.plans.first()
    }

    /// When the rules look at it for this; `None` if they do not.
    pub fn plan_s(&self, what: u16) -> Option<u32> {
        self.more.as_ref()?.plans.at_s(what)
    }

    /// Sets a plan, or takes it back.
    pub fn set_plan(&mut self, plan: Plan) {
        self.more.get_or_insert_default().plans.set(plan);
    }

    /// What ladders count of it.
    pub fn progress(&self) -> impl Iterator<Item = &Bucket> {
        self.more.iter().flat_map(|more| more.progress.iter())
    }

    /// What was counted for the days within.
    pub fn counted(&self, measure: u8, days: std::ops::RangeInclusive<i32>) -> i64 {
        self.more.as_ref().map_or(0, |more| more.progress.sum(measure, days))
    }

    /// Adds to what is counted; `None` if the sum is no number.
    pub fn add_progress(&mut self, bucket: Bucket) -> Option<()> {
        self.more.get_or_insert_default().progress.add(bucket)
    }

    /// All counters in use.
    pub fn counters(&self) -> impl Iterator<Item = &Counter> {
        let more = self.more.iter().flat_map(|more| &more.counters);
        self.counters.iter().chain(more).filter(|counter| counter.campaign != 0)
    }

    /// How often a limit was used in the window that opened on `period`. What a later window counts, counts here too: the calendar was
    /// changed backwards, and no limit is renewed by that.
    pub fn used(&self, campaign: u16, offer: u16, period: i32) -> u32 {
        counters::used(self.counters(), campaign, offer, period)
    }

    /// Sets a counter, in the place of its predecessor.
    pub fn set_counter(&mut self, counter: Counter) {
        let more = self.more.iter_mut().flat_map(|more| &mut more.counters);
        if let Some(counter) = counters::put(self.counters.iter_mut().chain(more), counter) {
            self.more.get_or_insert_default().counters.push(counter);
        }
    }

    /// Adds a counter that has no predecessor, without looking for one.
    pub fn push_counter(&mut self, counter: Counter) {
        match self.counters.iter_mut().find(|known| known.campaign == 0) {
            Some(free) => *free = counter,
            None => self.more.get_or_insert_default().counters.push(counter),
        }
    }

    /// Makes the change that a part states. `at` is where the part stands in the log.
    pub fn apply(&mut self, part: &MemberPart, at: LedgerAt) {
        self.make(part).expect("a part is decided, or checked, upon the state that it changes");
        (self.newest_epoch, self.newest_offset) = (at.epoch, at.offset);
    }

    /// Whether a part from the log can come upon this state.
    pub fn takes(&self, part: &MemberPart) -> bool {
        self.clone().make(part).is_ok()
    }

    #[inline(always)]
    fn make(&mut self, part: &MemberPart) -> Result<(), Misfit> {
        match part.change {
            Change::CheckedIn { day, streak } => {
                self.last_day = day;
                self.set_streak(streak);
                if let Some(more) = &mut self.more {
                    more.days.former = more.days.zone;
                }
            }
            Change::FilledIn { streak, .. } => {
                self.set_streak(streak);
                let newest = Run { last: self.last_day, days: streak };
                self.days_mut().forget_within(newest);
            }
            _ => {}
        }
        for effect in &part.effects {
            self.effect(effect, part.id)?;
        }
        if let (Change::Invited { .. }, Some(more)) = (part.change, &mut self.more)
            && let Some(invitation) = &mut more.invitation
        {
            invitation.since_s = second_of(part.now_ms);
        }
        if part.tier != 0 {
            self.tier = part.tier;
        }
        if let Some(more) = &mut self.more {
            more.version = part.version;
        }
        // What a snapshot counts in two bytes; decisions keep far below.
        let longest = self.more.as_ref().map_or(0, |more| more.longest());
        let countable = self.lots.places().max(longest) <= usize::from(u16::MAX);
        let whole = self.holds().iter().all(Hold::is_whole);
        if self.balance() == part.after && countable && whole { Ok(()) } else { Err(Misfit) }
    }

    fn set_streak(&mut self, streak: u16) {
        self.streak = streak;
        self.streak_best = self.streak_best.max(streak);
    }

    fn effect(&mut self, effect: &Effect, id: RequestId) -> Result<(), Misfit> {
        match *effect {
            Effect::Granted { points, name } => {
                self.room_for(points).ok_or(Misfit)?;
                self.earned += points;
                self.lots.add(points, name);
            }
            Effect::Pended(pending) => {
                self.room_for(pending.points).ok_or(Misfit)?;
                self.more.get_or_insert_default().pending.add(pending);
            }
            Effect::Unpended { points, at } => {
                self.more.as_mut().and_then(|more| more.pending.take(points, at.into())).ok_or(Misfit)?;
            }
            Effect::Opened { points, through_s } => {
                let opened = self.more.as_mut().map(|more| more.pending.open(through_s)).unwrap_or_default();
                if opened.iter().map(|pending| pending.points).sum::<i64>() != points {
                    return Err(Misfit);
                }
                for pending in opened {
                    self.earned += pending.points;
                    self.lots.add(pending.points, pending.name);
                }
            }
            Effect::Expired { points, through_s } => {
                if self.lots.expire(through_s) != points {
                    return Err(Misfit);
                }
            }
            Effect::Spent { points } => {
                if !(0..=self.balance().max(0)).contains(&points) {
                    return Err(Misfit);
                }
                self.lots.spend(points);
            }
            Effect::Slid { to_s } => self.lots.slide(to_s),
            Effect::Used(counter) => self.set_counter(counter),
            Effect::RightGiven(right) => self.push_right(right).ok_or(Misfit)?,
            Effect::RightUsed { number } => {
                self.more.as_mut().and_then(|more| more.rights.take(number)).ok_or(Misfit)?;
            }
            Effect::RightsExpired { count, through_s } => {
                let gone = self.more.as_mut().map_or(0, |more| more.rights.expire(through_s));
                if gone != count {
                    return Err(Misfit);
                }
            }
            Effect::Planned(plan) => self.set_plan(plan),
            Effect::Progressed { measure, day, value } => {
                self.add_progress(Bucket { measure, day, value }).ok_or(Misfit)?;
            }
            Effect::Birthday(birthday) => self.set_birthday(birthday),
            Effect::Ran(run) => {
                self.days_mut().add(run);
                self.streak_best = self.streak_best.max(run.days);
            }
            Effect::DaysKnown { after } => self.days_mut().forget_through(after),
            Effect::BonusOwed { points } => self.days_mut().owed = points,
            Effect::ZoneSet { zone } => self.days_mut().zone = zone,
            Effect::Invited { inviter } => self.set_invitation(Invitation { inviter, until_s: 0, since_s: 0 }),
            Effect::InvitedUntil { until_s } => {
                let invitation = self.more.as_mut().and_then(|more| more.invitation.as_mut()).ok_or(Misfit)?;
                invitation.until_s = until_s;
            }
            Effect::Tagged { number, on } => self.set_tag(number, on),
            Effect::ProgressForgotten { from } => {
                if let Some(more) = &mut self.more {
                    more.progress.forget_before(from);
                }
            }
            _ => return self.hold_effect(effect, id),
        }
        Ok(())
    }

    /// An effect on what is held.
    #[inline(never)]
    fn hold_effect(&mut self, effect: &Effect, id: RequestId) -> Result<(), Misfit> {
        match *effect {
            Effect::HoldBegun { due_s, grace_s } => {
                let hold = Hold { id, due_s, grace_s, ..Hold::default() };
                let known = self.hold(id).is_some();
                self.push_hold(hold).filter(|()| !known).ok_or(Misfit)?;
            }
            Effect::OfferHeld { campaign, offer, count, points } => {
                let held = HeldOffer::new(campaign, offer, count, points);
                self.newest_hold()?.offers.push(held);
            }
            Effect::WindowHeld { period, money_minor } => {
                let held = self.newest_held_offer()?;
                (held.period, held.money_minor) = (period, money_minor);
            }
            Effect::CellsHeld { slots } => {
                let slots = slots.into_iter().filter(|slot| *slot != NO_CELL);
                let cells = &mut self.newest_held_offer()?.cells;
                slots.into_iter().try_for_each(|slot| cells.try_push(slot).map_err(|_| Misfit))?;
            }
            Effect::LimitHeld(counter) => {
                let limit = HeldLimit { offer: counter.offer, period: counter.period };
                self.newest_held_offer()?.limits.try_push(limit).map_err(|_| Misfit)?;
                self.set_counter(counter);
            }
            Effect::RightHeld { number } => {
                let right = self.more.as_mut().and_then(|more| more.rights.take_first(number)).ok_or(Misfit)?;
                self.newest_hold()?.rights.push(right);
            }
            Effect::TenderHeld { points } => self.newest_hold()?.tender = points,
            Effect::PointsHeld { points } => {
                if !(0..=self.balance().max(0)).contains(&points) {
                    return Err(Misfit);
                }
                let before: Vec<_> = self.lots.iter().collect();
                self.lots.spend(points);
                let mut left = points;
                let taken = before.into_iter().map_while(|lot| {
                    let taken = lot.points.min(left);
                    left -= taken;
                    (taken > 0).then_some(Lot { points: taken, ..lot })
                });
                let lots = taken.collect();
                let hold = self.newest_hold()?;
                hold.lots = lots;
                if !(0..=points).contains(&hold.tender) {
                    return Err(Misfit);
                }
            }
            Effect::HeldSpent { at, points } => self.hold_at(at)?.take(points).ok_or(Misfit)?,
            Effect::HeldRightUsed { at, number } => self.hold_at(at)?.take_right(number).ok_or(Misfit)?,
            Effect::HeldExpired { at, through_s, points } => {
                let hold = self.hold_at(at)?;
                if hold.expire(through_s) != points {
                    return Err(Misfit);
                }
            }
            Effect::HoldEnded { at, through_s, back } => {
                let hold = self.hold_at(at)?;
                let came = hold.back(through_s);
                if (came.back, came.gone) != (back, 0) {
                    return Err(Misfit);
                }
                let rights = std::mem::take(&mut hold.rights);
                self.more.as_mut().ok_or(Misfit)?.holds.remove(usize::from(at));
                came.lots.into_iter().for_each(|lot| self.lots.add(lot.points, lot.name));
                for right in rights.into_iter().filter(|right| right.expires_s > through_s) {
                    self.push_right(right).ok_or(Misfit)?;
                }
            }
            _ => unreachable!("the member's other effects are made where they are named"),
        }
        Ok(())
    }

    fn hold_at(&mut self, at: u16) -> Result<&mut Hold, Misfit> {
        self.more.as_mut().and_then(|more| more.holds.get_mut(usize::from(at))).ok_or(Misfit)
    }

    fn newest_hold(&mut self) -> Result<&mut Hold, Misfit> {
        self.more.as_mut().and_then(|more| more.holds.last_mut()).ok_or(Misfit)
    }

    fn newest_held_offer(&mut self) -> Result<&mut HeldOffer, Misfit> {
        self.newest_hold()?.offers.last_mut().ok_or(Misfit)
    }

    /// Its newest entry in the ledger.
    pub fn newest(&self) -> LedgerAt {
        LedgerAt { epoch: self.newest_epoch, offset: self.newest_offset }
    }

    /// Sets its newest entry, as a snapshot states it.
    pub fn set_newest(&mut self, at: LedgerAt) {
        (self.newest_epoch, self.newest_offset) = (at.epoch, at.offset);
    }

    /// Raises the mark to an id that is no longer remembered.
    pub fn forget(&mut self, id: RequestId) {
        self.mark = self.mark.max(id);
    }
}
