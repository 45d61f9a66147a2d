//! Holds, naively: what is held counts where it was taken as long as its time is not over, and is looked for wherever that matters.

use std::collections::BTreeMap;

use tidegate_protocol::RequestId;
use tidegate_protocol::answer::{Cancelled, Confirmed, Held as HeldBody, HoldsView};
use tidegate_protocol::code::answer;
use tidegate_protocol::refusal::{SoldOut, TenderRefused};

use super::decide::{Change, Due, Lacks, plain, with};
use super::judge::{Bench, due, expect};
use super::points::Lot;
use super::standing::{Holdings, Right};
use super::{Asked, CellName, Member, Programme, Told};
use crate::shop::STORES;

/// Holds of a member at a time.
const HOLDS_MOST: usize = 16;

/// What is asked to be held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basket {
    /// For how long; 0: as the programme says.
    pub for_ms: u32,
    /// The store; may be empty.
    pub store: String,
    /// Points that pay part of lines.
    pub points: i64,
    /// Categories and amounts.
    pub lines: Vec<(String, i64)>,
    /// Campaign, offer, and how many.
    pub offers: Vec<(u32, u32, u32)>,
    /// Rights.
    pub rights: Vec<String>,
}

/// What is held under an id.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) id: RequestId,
    pub(super) until_ms: i64,
    grace_ms: i64,
    tender: i64,
    lots: Vec<Lot>,
    offers: Vec<HeldOffer>,
    rights: Vec<Right>,
}

/// So many of an offer.
#[derive(Debug, Clone)]
pub(super) struct HeldOffer {
    campaign: u32,
    offer: u32,
    count: u32,
    price: (i64, i64),
    period: i32,
    cells: Vec<(CellName, u64)>,
    /// The limits that it counts in, and their periods.
    limits: Vec<(u32, i32)>,
}

impl Held {
    fn points(&self) -> i64 {
        self.lots.iter().map(|lot| lot.points).sum()
    }

    /// Units of a cell.
    fn units(&self, cell: CellName) -> u64 {
        let offers = self.offers.iter().filter(|offer| offer.cells.iter().any(|(of, _)| *of == cell));
        offers.map(|offer| u64::from(offer.count)).sum()
    }
}

impl Holdings {
    /// The first hold that is over by an instant.
    pub(super) fn next_over(&self, now_ms: i64) -> Option<i64> {
        self.held.iter().map(|held| held.until_ms).min().filter(|until_ms| *until_ms <= now_ms)
    }

    /// The oldest of those whose time is over at an instant gives back what it has.
    pub(super) fn over(&mut self, at_ms: i64) {
        let at = self.held.iter().position(|held| held.until_ms == at_ms).expect("it was found");
        let held = self.held.remove(at);
        self.give_back(held, at_ms);
    }

    /// What is left of a hold comes back at an instant; gives the points that do not.
    fn give_back(&mut self, held: Held, now_ms: i64) -> i64 {
        let mut gone = 0;
        // The seconds of a hold are whole ones.
        let now_ms = now_ms.div_euclid(1000) * 1000;
        for lot in held.lots {
            let expired = lot.expires_ms.is_some_and(|at| at <= now_ms);
            if expired && (held.grace_ms == 0 || lot.source == "grace") {
                gone += lot.points;
            } else if expired {
                let expires_ms = Some(now_ms + held.grace_ms);
                self.points.add(Lot { expires_ms, slides: false, source: "grace", ..lot });
            } else {
                self.points.add(lot);
            }
        }
        for right in held.rights.into_iter().filter(|right| right.expires_ms.is_none_or(|at| at > now_ms)) {
            self.put_right(right);
        }
        gone
    }
}

impl Programme {
    /// Units of a cell that are used at an instant, those that are held included.
    pub(super) fn used(&self, cell: CellName, now_ms: i64) -> u64 {
        self.cells.get(&cell).copied().unwrap_or(0) + self.held(now_ms, |held| held.units(cell))
    }

    /// Grants of a campaign at an instant, those that are held included.
    pub(super) fn grants(&self, campaign: u32, now_ms: i64) -> u64 {
        let of_it = |offer: &&HeldOffer| offer.campaign == campaign;
        let units = |held: &Held| held.offers.iter().filter(of_it).map(|offer| u64::from(offer.count)).sum();
        self.granted.get(&campaign).copied().unwrap_or(0) + self.held(now_ms, units)
    }

    fn held(&self, now_ms: i64, units: impl Fn(&Held) -> u64) -> u64 {
        let holds = self.members.values().flat_map(|member| &member.holdings.held);
        holds.filter(|held| held.until_ms > now_ms).map(units).sum()
    }
}

impl Member {
    /// How often a limit is used in a window, with what is held.
    pub(super) fn limit_used(&self, campaign: u32, of: u32, period: i32) -> u32 {
        let seen = self.limits.get(&(campaign, of)).filter(|(seen, _)| *seen == period);
        let offers = self.holdings.held.iter().flat_map(|held| &held.offers);
        let held = offers.filter(|offer| offer.campaign == campaign && offer.limits.contains(&(of, period)));
        seen.map_or(0, |(_, used)| *used) + held.map(|offer| offer.count).sum::<u32>()
    }

    /// A limit is used so often more in a window. What a later one counts is not lost for it.
    pub(super) fn use_limit(&mut self, campaign: u32, of: u32, period: i32, times: u32) {
        let known = self.limits.entry((campaign, of)).or_insert((period, 0));
        match known.0 {
            seen if seen == period => known.1 += times,
            seen if seen < period => *known = (period, times),
            _ => {}
        }
    }

    /// What an answer tells of limits: the newest window of each, with what is held of it.
    pub(super) fn limits_told(&self) -> BTreeMap<(u32, u32), u32> {
        let mut told: BTreeMap<(u32, u32), (i32, u32)> = self.limits.clone();
        let offers = self.holdings.held.iter().flat_map(|held| &held.offers);
        for (offer, (of, period)) in offers.flat_map(|offer| offer.limits.iter().map(move |limit| (offer, *limit))) {
            let known = told.entry((offer.campaign, of)).or_insert((period, 0));
            match known.0 {
                seen if seen == period => known.1 += offer.count,
                seen if seen < period => *known = (period, offer.count),
                _ => {}
            }
        }
        told.into_iter().filter(|(_, (_, used))| *used > 0).map(|(of, (_, used))| (of, used)).collect()
    }
}

impl Bench<'_> {
    pub(super) fn hold(&self, member: &Member, basket: &Basket) -> Due {
        let Basket { for_ms, store, points: tender, offers, rights, .. } = basket;
        let checkout = &self.programme.rules.checkout;
        let twice = |at: usize| offers[..at].iter().any(|it| (it.0, it.1) == (offers[at].0, offers[at].1));
        let none = (0..offers.len()).any(|at| offers[at].2 == 0 || twice(at));
        if none || offers.is_empty() && rights.is_empty() && *tender == 0 {
            return plain(answer::EMPTY_HOLD);
        }
        if offers.iter().any(|it| it.2 > 65_535) || *tender < 0 {
            return plain(answer::INVALID_AMOUNT);
        }
        let for_ms = if *for_ms == 0 { checkout.for_ms } else { i64::from(*for_ms) };
        if for_ms > checkout.most_ms {
            return plain(answer::HOLD_TOO_LONG);
        }
        if !store.is_empty() && !STORES.contains(&store.as_str()) {
            return plain(answer::UNKNOWN_STORE);
        }
        if member.holdings.held.len() >= HOLDS_MOST {
            return plain(answer::TOO_MANY_HOLDS);
        }
        let (mut wanted, mut points, mut money_minor) = (Vec::new(), *tender, 0);
        let mut limited: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        for (campaign, offer, count) in offers {
            let open = match self.offered(member, *campaign, *offer) {
                Ok(open) => open,
                Err(due) => return *due,
            };
            points += open.price.0 * i64::from(*count);
            money_minor += open.price.1 * i64::from(*count);
            let more = |of: u32| limited.get(&(*campaign, of)).copied().unwrap_or(0);
            let limits = match self.limits(member, *campaign, &open, *offer, *count, more) {
                Ok(limits) => limits,
                Err(due) => return *due,
            };
            limits.iter().for_each(|(of, _)| *limited.entry((*campaign, *of)).or_default() += count);
            wanted.push((open, limits));
        }
        if let Some(due) = self.tender(basket).or_else(|| self.lacks_points(member, points)) {
            return due;
        }
        let mut taken = member.holdings.clone();
        for slug in rights {
            let declared = &self.programme.rules.standing.declared;
            if !declared.iter().any(|(known, _)| known == slug) {
                return plain(answer::UNKNOWN_RIGHT);
            }
            if taken.use_right(slug).is_none() {
                return plain(answer::NO_RIGHT_LEFT);
            }
        }
        let (mut added, mut held) = (BTreeMap::<CellName, u64>::new(), Vec::new());
        for ((open, limits), (campaign, offer, count)) in wanted.into_iter().zip(offers) {
            let (campaign, offer, count) = (*campaign, *offer, *count);
            let cells = match self.cells_of(&open, (campaign, offer), store, count, &added) {
                Ok(cells) => cells,
                Err(Lacks::Store) => return plain(answer::STORE_MISSING),
                Err(Lacks::Units(of, tier)) => {
                    let fits = move |body: &SoldOut| (body.offer, u32::from(body.tier)) == (of, tier);
                    return with(answer::SOLD_OUT, fits, "that quota is not used up".into());
                }
            };
            cells.iter().for_each(|(cell, _)| *added.entry(*cell).or_default() += u64::from(count));
            held.push(HeldOffer { campaign, offer, count, price: open.price, period: open.period, cells, limits });
        }
        let until_ms = (self.now.now_ms + for_ms + 999).div_euclid(1000) * 1000;
        let (tender, offers, rights) = (*tender, held, rights.clone());
        Due::Apply(Change::Hold { until_ms, points, tender, money_minor, offers, rights })
    }

    /// Why points cannot pay so much, if they cannot.
    fn tender(&self, basket: &Basket) -> Option<Due> {
        let Basket { points, lines, .. } = basket;
        if *points == 0 && lines.is_empty() {
            return None;
        }
        let Some(rules) = &self.programme.rules.checkout.tender else { return Some(plain(answer::NO_TENDER)) };
        if lines.iter().any(|(_, amount)| *amount < 0) {
            return Some(plain(answer::INVALID_AMOUNT));
        }
        let all: i64 = lines.iter().map(|(_, amount)| amount).sum();
        let may = lines.iter().filter(|(category, _)| rules.not.is_none_or(|not| not != category));
        let share = may.map(|(_, amount)| amount).sum::<i64>() * rules.share / 100;
        // Step by step, as long as the next one still fits.
        let mut most = 0;
        while all >= rules.from_minor && (most + rules.step) * rules.minor / rules.points <= share {
            most += rules.step;
        }
        let most = if most < rules.least { 0 } else { most };
        let due = TenderRefused { least: rules.least, step: rules.step, most };
        let fits = (rules.least..=most).contains(points) && points % rules.step == 0;
        (!fits)
            .then(|| with(answer::TENDER_REFUSED, move |body: &TenderRefused| *body == due, format!("{due:?} is due")))
    }

    /// What a part of a hold comes to: by offer how many of it are taken, and which rights.
    pub(super) fn confirm(&self, member: &Member, id: RequestId, part: Option<&Basket>) -> Due {
        let Some(held) = member.holdings.held.iter().find(|held| held.id == id) else {
            return plain(answer::NO_SUCH_HOLD);
        };
        let mut counts: Vec<u32> = held.offers.iter().map(|offer| offer.count).collect();
        let mut tender = held.tender;
        let mut rights: Vec<String> = held.rights.iter().map(|right| right.slug.to_owned()).collect();
        if let Some(part) = part {
            let (all, mut left) = (std::mem::take(&mut counts), rights);
            counts = vec![0; all.len()];
            for (campaign, offer, count) in &part.offers {
                let at = held.offers.iter().position(|it| (it.campaign, it.offer) == (*campaign, *offer));
                match at {
                    Some(at) if counts[at] == 0 && (1..=all[at]).contains(count) => counts[at] = *count,
                    _ => return plain(answer::MORE_THAN_HELD),
                }
            }
            for slug in &part.rights {
                if !self.programme.rules.standing.declared.iter().any(|(known, _)| known == slug) {
                    return plain(answer::UNKNOWN_RIGHT);
                }
                let Some(at) = left.iter().position(|it| it == slug) else { return plain(answer::MORE_THAN_HELD) };
                left.remove(at);
            }
            let nothing = part.offers.is_empty() && part.rights.is_empty() && part.points == 0;
            if nothing || !(0..=held.tender).contains(&part.points) {
                return plain(answer::MORE_THAN_HELD);
            }
            (tender, rights) = (part.points, part.rights.clone());
        }
        Due::Apply(Change::Confirm { id, counts, tender, rights })
    }

    pub(super) fn cancel(&self, member: &Member, id: RequestId) -> Due {
        match member.holdings.held.iter().any(|held| held.id == id) {
            true => Due::Apply(Change::Cancel { id }),
            false => plain(answer::NO_SUCH_HOLD),
        }
    }

    pub(super) fn apply_hold(
        &mut self,
        asked: &Asked,
        told: &Told,
        change: &Change,
        before: i64,
    ) -> Result<tidegate_protocol::LedgerId, String> {
        let Change::Hold { until_ms, points, tender, money_minor, offers, rights } = change else {
            unreachable!("a hold")
        };
        expect(told, answer::HELD)?;
        let body: HeldBody = told.read()?;
        let (version, now) = (self.programme.version, self.now);
        for offer in offers {
            self.programme.block_changed.insert(offer.campaign, now.epoch);
        }
        let member = self.programme.members.get_mut(&asked.member).ok_or("a hold of nobody")?;
        for (cell, over) in offers.iter().flat_map(|offer| &offer.cells) {
            self.programme.opened.entry(*cell).or_insert(*over);
        }
        let limits = offers.iter().flat_map(|offer| offer.limits.iter().map(move |limit| (offer.campaign, *limit)));
        for (campaign, (of, period)) in limits {
            // From now on the window before is of no interest.
            member.use_limit(campaign, of, period, 0);
        }
        let holdings = &mut member.holdings;
        let lots = holdings.points.take(*points);
        let rights = rights.iter().map(|slug| holdings.take_right(slug).ok_or("a right that is not there"));
        let rights = rights.collect::<Result<Vec<_>, _>>()?;
        let grace_ms = self.programme.rules.checkout.grace_ms;
        holdings.held.push(Held {
            id: asked.id,
            until_ms: *until_ms,
            grace_ms,
            tender: *tender,
            lots,
            offers: offers.clone(),
            rights,
        });
        due(
            (body.version, body.until_ms, body.money_minor, body.before, body.after),
            (version, *until_ms, *money_minor, before, before - points),
        )?;
        Ok(body.ledger)
    }

    pub(super) fn apply_end(
        &mut self,
        asked: &Asked,
        told: &Told,
        change: &Change,
        before: i64,
    ) -> Result<tidegate_protocol::LedgerId, String> {
        let (version, now) = (self.programme.version, self.now);
        let programme = &mut *self.programme;
        let member = programme.members.get_mut(&asked.member).ok_or("a hold of nobody")?;
        let (Change::Confirm { id, .. } | Change::Cancel { id }) = change else { unreachable!("the end of one") };
        let at = member.holdings.held.iter().position(|held| held.id == *id).ok_or("no such hold")?;
        let mut held = member.holdings.held.remove(at);
        for offer in &held.offers {
            programme.block_changed.insert(offer.campaign, now.epoch);
        }
        let Change::Confirm { counts, tender, rights, .. } = change else {
            expect(told, answer::CANCELLED)?;
            let body: Cancelled = told.read()?;
            let gone = member.holdings.give_back(held, now.now_ms);
            let after = member.holdings.points.balance();
            due((body.version, body.gone, body.before, body.after), (version, gone, before, after))?;
            return Ok(body.ledger);
        };
        expect(told, answer::CONFIRMED)?;
        let body: Confirmed = told.read()?;
        let spent: i64 = held.offers.iter().zip(counts).map(|(offer, count)| offer.price.0 * i64::from(*count)).sum();
        let spent = spent + tender;
        let mut left = spent;
        for lot in &mut held.lots {
            let taken = left.min(lot.points);
            (left, lot.points) = (left - taken, lot.points - taken);
        }
        held.lots.retain(|lot| lot.points > 0);
        for slug in rights {
            let at = held.rights.iter().position(|right| right.slug == slug).ok_or("no such right is held")?;
            held.rights.remove(at);
        }
        let offers = held.offers.clone();
        member.holdings.give_back(held, now.now_ms);
        for (offer, count) in offers.iter().zip(counts).filter(|(_, count)| **count > 0) {
            let member = programme.members.get_mut(&asked.member).ok_or("a hold of nobody")?;
            for (of, period) in &offer.limits {
                member.use_limit(offer.campaign, *of, *period, *count);
            }
            for (cell, _) in &offer.cells {
                *programme.cells.entry(*cell).or_default() += u64::from(*count);
            }
            *programme.granted.entry(offer.campaign).or_default() += u64::from(*count);
            let gives = programme.campaign(offer.campaign);
            let gives = gives.and_then(|it| programme.offer(offer.campaign, it, offer.offer)).and_then(|it| it.gives);
            if let Some((right, each)) = gives {
                let under =
                    super::Under { rules: &programme.rules, clock: &programme.clock, benefits: &programme.benefits };
                let member = programme.members.get_mut(&asked.member).ok_or("a hold of nobody")?;
                member.holdings.give_right(&under, right, each * count, now.now_ms);
            }
        }
        let after = programme.members[&asked.member].holdings.points.balance();
        due((body.version, body.spent, body.before, body.after), (version, spent, before, after))?;
        Ok(body.ledger)
    }

    pub(super) fn holds_view(&self, key: u64, told: &Told) -> Result<(), String> {
        let Some(member) = self.programme.members.get(&key) else { return expect(told, answer::NO_SUCH_MEMBER) };
        expect(told, answer::HOLDS)?;
        let view: HoldsView = told.read()?;
        type Told = (RequestId, i64, i64, Vec<(u32, u32, u32, i32, i64, i64)>, usize);
        let told: Vec<Told> = view
            .holds
            .as_slice()
            .iter()
            .map(|hold| {
                let offers = hold.offers.as_slice().iter();
                let offers =
                    offers.map(|it| (it.campaign, it.offer, it.count, it.period, it.points, it.money_minor)).collect();
                (hold.hold, hold.until_ms, hold.points, offers, hold.rights.as_slice().len())
            })
            .collect();
        let held: Vec<Told> = member
            .holdings
            .held
            .iter()
            .map(|held| {
                let offers = held.offers.iter();
                let offers =
                    offers.map(|it| (it.campaign, it.offer, it.count, it.period, it.price.0, it.price.1)).collect();
                (held.id, held.until_ms, held.points(), offers, held.rights.len())
            })
            .collect();
        due(told, held)
    }
}
