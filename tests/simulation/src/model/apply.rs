//! Makes the change that an answer tells of, and holds the answer to it.

use std::rc::Rc;

use tidegate_protocol::LedgerId;
use tidegate_protocol::answer::{
    ActivityRecorded, Answered, BirthdaySet, CheckedIn, Enrolled, Granted, InvitationAccepted, Recorded, RightUsed,
    TagSet, ZoneSet,
};
use tidegate_protocol::code::answer;

use super::claims::Met;
use super::decide::Change;
use super::judge::{Bench, due, expect};
use super::points::{Later, Points};
use super::standing::{Under, What};
use super::{Applied, Asked, Member, Told};
use crate::ladder::Measure;
use crate::referral::Qualifies;

/// Answers that a member's window holds.
const WINDOW: usize = 4;

impl Bench<'_> {
    /// Makes a change, and holds the answer to it.
    pub(super) fn apply(&mut self, asked: &Asked, told: &Told, change: &Change) -> Result<(), String> {
        if let Change::Report { order, proof, base, amount_minor } = change {
            let ledger = self.apply_report(told, order, *proof, *base, *amount_minor)?;
            self.programme.reported.insert(asked.id);
            return self.enter(ledger);
        }
        let (programme, now) = (&mut *self.programme, self.now);
        let version = programme.version;
        let member = match change {
            Change::Enrol => programme.members.entry(asked.member).or_default(),
            _ => programme.members.get_mut(&asked.member).ok_or("a change of nobody")?,
        };
        let held = &mut member.holdings;
        let before = held.points.balance();
        let (rules, clock) = (&*programme.rules, &programme.clock);
        let under = Under { rules, clock, benefits: &programme.benefits };
        held.points.slide(rules, clock, now.now_ms);
        let mut introduced = false;
        let ledger = match change {
            Change::Enrol => {
                expect(told, answer::ENROLLED)?;
                let body: Enrolled = told.read()?;
                held.enrolled(&under, now.now_ms);
                member.days.enrolled(rules.check_in.as_ref(), clock.day(now.now_ms));
                let tier = programme.tiers.iter().position(|slug| Some(*slug) == held.tier).map_or(0, |at| at + 1);
                due((body.version, usize::from(body.tier)), (version, tier))?;
                body.ledger
            }
            Change::CheckIn { day, skipped, points, owed, happened_ms, card, earns } => {
                expect(told, answer::CHECKED_IN)?;
                let body: CheckedIn = told.read()?;
                let rule = rules.check_in.as_ref().ok_or("no check-in")?;
                member.days.check(rule, *day, *skipped);
                member.days.owe(*owed);
                if let Some(card) = card {
                    held.use_right(card).ok_or("a card that is not there")?;
                }
                if *earns {
                    let points = held.capped("check-in", *points, &rule.caps, clock.day(*happened_ms));
                    held.earn(&under, (points, &rules.check_in_terms, "check-in"), *happened_ms, now.now_ms);
                    held.progressed(&under, Measure::Growth, *happened_ms, now.now_ms, rule.growth);
                    held.stand(&under, now.now_ms);
                }
                due(
                    (body.version, body.day, body.streak, body.before, body.after),
                    (version, *day, member.days.streak(), before, held.points.balance()),
                )?;
                body.ledger
            }
            Change::Order { order, points, base, worth, amount_minor, growth, introduces } => {
                let paid_at_ms = &order.paid_at_ms;
                expect(told, answer::RECORDED)?;
                let body: Recorded = told.read()?;
                let rule = rules.earning.as_ref().ok_or("no earning")?;
                let day = clock.day(if rule.caps.happened { *paid_at_ms } else { now.now_ms });
                let points = held.capped("orders", *points, &rule.caps, day);
                let opens_ms = Points::opens_ms(&rules.order_terms, clock, now.now_ms).filter(|_| points > 0);
                let tier_at = held.tier_at(rules);
                let waiting = opens_ms.filter(|_| rules.order_terms.receipt.is_some()).map(|opens_ms| {
                    let of = (points, &rules.order_terms, "orders");
                    Later { opens_ms, lot: held.points.lot_of(rules, clock, opens_ms, tier_at, of) }
                });
                held.earn(&under, (points, &rules.order_terms, "orders"), *paid_at_ms, now.now_ms);
                self.keep(order, *base, *amount_minor, points, waiting, *worth);
                let programme = &mut *self.programme;
                let (rules, clock) = (&*programme.rules, &programme.clock);
                let under = Under { rules, clock, benefits: &programme.benefits };
                let member = programme.members.get_mut(&asked.member).ok_or("an order of nobody")?;
                let held = &mut member.holdings;
                held.progressed(&under, Measure::Spend, *paid_at_ms, now.now_ms, *amount_minor);
                held.progressed(&under, Measure::Orders, *paid_at_ms, now.now_ms, 1);
                held.progressed(&under, Measure::Growth, *paid_at_ms, now.now_ms, *growth);
                introduced = *introduces;
                introduced_by(&under, member, introduced, now.now_ms);
                let held = &mut member.holdings;
                held.stand(&under, now.now_ms);
                due((body.version, body.before, body.after), (version, before, held.points.balance()))?;
                body.ledger
            }
            Change::Act { slug, points, growth, happened_ms, introduces } => {
                expect(told, answer::ACTIVITY_RECORDED)?;
                let body: ActivityRecorded = told.read()?;
                let rule = rules.activities.iter().find(|it| it.slug == *slug).ok_or("no activity")?;
                let day = clock.day(if rule.caps.happened { *happened_ms } else { now.now_ms });
                let points = held.capped(slug, *points, &rule.caps, day);
                held.earn(&under, (points, &rule.terms, slug), *happened_ms, now.now_ms);
                held.progressed(&under, Measure::Growth, *happened_ms, now.now_ms, *growth);
                introduced = *introduces;
                introduced_by(&under, member, introduced, now.now_ms);
                let held = &mut member.holdings;
                held.stand(&under, now.now_ms);
                due((body.version, body.before, body.after), (version, before, held.points.balance()))?;
                body.ledger
            }
            Change::Answer { quiz, question, right, place, left, points } => {
                expect(told, answer::ANSWERED)?;
                let body: Answered = told.read()?;
                let rule = rules.quizzes.iter().find(|it| it.slug == *quiz).ok_or("no quiz")?;
                let points = held.capped(quiz, *points, &rule.caps, clock.day(now.now_ms));
                held.earn(&under, (points, &rule.terms, quiz), now.now_ms, now.now_ms);
                held.stand(&under, now.now_ms);
                let known = programme.quizzes.get_mut(*quiz).ok_or("no questions")?;
                known.changed = now.epoch;
                let known = known.questions.get_mut(question).ok_or("no question")?;
                let answers = known.answers.entry(asked.member).or_default();
                *answers = (answers.0 + 1, *right);
                known.places_taken += u32::from(*place > 0);
                due(
                    (body.version, body.right == 1, body.place, body.left, body.before, body.after),
                    (version, *right, *place, *left, before, held.points.balance()),
                )?;
                body.ledger
            }
            Change::Accept { inviter, until_ms } => {
                expect(told, answer::INVITATION_ACCEPTED)?;
                let body: InvitationAccepted = told.read()?;
                held.plans.remove(&What::Invitable);
                member.invitation = Some((*inviter, *until_ms));
                member.invited_ms = now.now_ms;
                let rule = rules.referral.as_ref().ok_or("no referrals")?;
                introduced = rule.qualifies == Qualifies::AtOnce;
                introduced_by(&under, member, introduced, now.now_ms);
                let held = &mut member.holdings;
                if introduced {
                    held.stand(&under, now.now_ms);
                }
                due(
                    (body.version, body.until_ms, body.before, body.after),
                    (version, *until_ms, before, held.points.balance()),
                )?;
                body.ledger
            }
            Change::Claim { channel, number, proof, met } => {
                introduced = matches!(met, Met::Own { introduces: true, .. });
                self.apply_claim(told, (channel, number, *proof), met, before)?
            }
            Change::Receive { channel, number, opens_ms } => {
                self.apply_receipt(told, (channel, number), *opens_ms, before)?
            }
            Change::Report { .. } => unreachable!("nobody's member reports"),
            Change::SetZone(zone) => {
                expect(told, answer::ZONE_SET)?;
                let body: ZoneSet = told.read()?;
                member.days.set_zone(*zone);
                due(body.version, version)?;
                body.ledger
            }
            Change::SetTag(tag, on) => {
                expect(told, answer::TAG_SET)?;
                let body: TagSet = told.read()?;
                if *on {
                    member.tags.insert(tag)
                } else {
                    member.tags.remove(tag)
                };
                due(body.version, version)?;
                body.ledger
            }
            Change::SetBirthday(birthday) => {
                expect(told, answer::BIRTHDAY_SET)?;
                let body: BirthdaySet = told.read()?;
                held.birthday = Some(*birthday);
                due((body.version, body.from_year), (version, i32::from(birthday.from_year)))?;
                body.ledger
            }
            Change::UseRight { slug } => {
                expect(told, answer::RIGHT_USED)?;
                let body: RightUsed = told.read()?;
                let left = held.use_right(slug).ok_or("a right that is not there")?;
                due((body.version, body.left), (version, left))?;
                body.ledger
            }
            Change::Redeem { campaign, price, cells, limits, gives } => {
                expect(told, answer::GRANTED)?;
                let body: Granted = told.read()?;
                held.points.spend(*price);
                if let Some((right, count)) = gives {
                    held.give_right(&under, right, *count, now.now_ms);
                }
                for (of, period) in limits {
                    member.use_limit(*campaign, *of, *period, 1);
                }
                for (cell, over) in cells {
                    *programme.cells.entry(*cell).or_default() += 1;
                    programme.opened.entry(*cell).or_insert(*over);
                }
                let count = programme.used(cells[0].0, now.now_ms);
                *programme.granted.entry(*campaign).or_default() += 1;
                programme.block_changed.insert(*campaign, now.epoch);
                let after = programme.members[&asked.member].holdings.points.balance();
                due((body.version, body.grant, body.before, body.after), (version, count, before, after))?;
                body.ledger
            }
            Change::Hold { .. } => self.apply_hold(asked, told, change, before)?,
            Change::Confirm { .. } | Change::Cancel { .. } => self.apply_end(asked, told, change, before)?,
        };
        let programme = &mut *self.programme;
        let member = programme.members.get_mut(&asked.member).ok_or("a change of nobody")?;
        member.changed = now.epoch;
        member.ledgers.insert(ledger.sequence);
        member
            .applied
            .entry(asked.id)
            .or_default()
            .push(Rc::new(Applied { ask: asked.ask.clone(), told: told.clone() }));
        if asked.ask.key().is_none() {
            if member.window.len() == WINDOW
                && let Some(smallest) = member.window.pop_first()
                && self.ample
            {
                member.mark = member.mark.max(smallest);
            }
            member.window.insert(asked.id);
            member.windowed.insert(asked.id);
        }
        if introduced {
            programme.introduce(asked.member, now.now_ms, now.epoch);
        }
        self.enter(ledger)
    }

    /// Each entry of a place comes behind the one before.
    fn enter(&mut self, ledger: LedgerId) -> Result<(), String> {
        let newest = self.entries.insert(ledger.place, ledger.sequence).unwrap_or(0);
        if ledger.sequence <= newest {
            return Err(format!("ledger entry {ledger:?} was given before, the newest there is {newest}"));
        }
        Ok(())
    }
}

/// What an invited member has of having qualified.
pub(super) fn introduced_by(under: &Under<'_>, member: &mut Member, introduced: bool, now_ms: i64) {
    if let (true, Some(rule), Some((inviter, _))) = (introduced, &under.rules.referral, member.invitation) {
        member.invitation = Some((inviter, 0));
        member.holdings.award(under, &rule.invitee, "referral", now_ms);
    }
}
