//! The reference model: what a programme's members have and what each request must come to, written naively from the
//! rules as the documents state them. Plain maps, one thread, no code of the engine's.
//!
//! [`Model::judge`] is given each request in the order of decision, together with what the engine answered. It works out
//! by itself what the answer must be, says what differs, and makes the change that the answer tells of. Where the rules
//! leave the engine a choice (which answers a full pool has forgotten, when an old order number is), it holds the choice to what
//! the rules allow.

mod apply;
mod ask;
mod claims;
mod days;
mod decide;
mod holds;
mod judge;
mod points;
mod quiz;
mod referral;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tidegate_protocol::answer::{Cursor, OutcomeView, StatementView};
use tidegate_protocol::code::answer;
use tidegate_protocol::{LedgerId, RequestId};

use crate::calendar::Clock;
use crate::rules::Rules;
use crate::shop::{By, Campaign, Offer};
pub use ask::{Act, Ask, Asked, Circumstances, Line, Order, Told, Verdict};
pub use claims::NOBODY;
use days::Days;
pub use holds::Basket;
use judge::{Bench, Judged, expect, tells_of};
use standing::{Holdings, Under};

const DAY_MS: i64 = 86_400_000;

/// A request that changed the state, and its answer.
#[derive(Debug)]
struct Applied {
    ask: Ask,
    told: Told,
}

#[derive(Debug, Clone, Default)]
struct Member {
    holdings: Holdings,
    days: Days,
    tags: BTreeSet<&'static str>,
    /// Who invited it, and until when it has to qualify; 0 once it has.
    invitation: Option<(u64, i64)>,
    /// When it accepted.
    invited_ms: i64,
    /// Every id of this member that ever changed the state, for ever.
    applied: BTreeMap<RequestId, Vec<Rc<Applied>>>,
    /// Those among them that are no orders: only these can be forgotten, or be a mark.
    windowed: BTreeSet<RequestId>,
    /// The sequences of its entries that it was told of.
    ledgers: BTreeSet<u64>,
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
    member: u64,
    ask: Rc<Ask>,
    happened_ms: i64,
    ledger: LedgerId,
    changed: u64,
}

/// Which units are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CellName {
    campaign: u32,
    /// 0 for all.
    offer: u32,
    /// 0 for all.
    tier: u32,
    /// Empty for all.
    store: &'static str,
    by: By,
    period: i32,
}

#[derive(Debug, Clone)]
struct Programme {
    rules: Rc<Rules>,
    clock: Clock,
    version: u32,
    activated: u64,
    campaigns: Vec<String>,
    offers: BTreeMap<u32, Vec<String>>,
    tiers: Vec<&'static str>,
    benefits: Vec<&'static str>,
    members: BTreeMap<u64, Member>,
    /// By natural key.
    recorded: BTreeMap<(String, String), Recording>,
    /// Orders paid at or before this instant may be forgotten.
    forgettable_ms: i64,
    cells: BTreeMap<CellName, u64>,
    /// Cells in which anything ever counted, and what came over into each.
    opened: BTreeMap<CellName, u64>,
    granted: BTreeMap<u32, u64>,
    /// What is known of orders, and of claims that wait for them, by channel and number.
    kept: BTreeMap<(String, String), claims::Kept>,
    /// Ids of reports that were applied.
    reported: BTreeSet<RequestId>,
    /// By slug.
    quizzes: BTreeMap<String, quiz::Quiz>,
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

    /// The epoch of the newest activation.
    pub fn activated(&self) -> u64 {
        self.programmes.iter().map(|it| it.activated).max().unwrap_or(0)
    }

    /// Programmes there are.
    pub fn programme_count(&self) -> u32 {
        self.programmes.len() as u32
    }

    /// Numbers of the campaigns ever named.
    pub fn campaigns(&self, programme: u32) -> u32 {
        self.programmes.get(programme as usize - 1).map_or(0, |it| it.campaigns.len() as u32)
    }

    /// The offers that there are: of which campaign, and which of it.
    pub fn offers(&self, programme: u32) -> Vec<(u32, u32)> {
        let Some(of) = self.programmes.get(programme as usize - 1) else { return Vec::new() };
        let campaigns = (1..).zip(&of.campaigns);
        let known = campaigns
            .filter_map(|(number, slug)| Some((number, of.rules.campaigns.iter().find(|it| it.slug == *slug)?)));
        known
            .flat_map(|(number, campaign)| (1..=campaign.offers.len() as u32).map(move |offer| (number, offer)))
            .collect()
    }

    /// Whether an id changed the state.
    pub fn has_applied(&self, programme: u32, member: u64, id: RequestId) -> bool {
        let Some(programme) = self.programmes.get(programme as usize - 1) else { return false };
        let applied = programme.members.get(&member).is_some_and(|member| member.applied.contains_key(&id));
        applied || (member == NOBODY && programme.reported.contains(&id))
    }

    /// Puts rules in force at an instant, with the epoch that the activation stands in. What was due by then is done by the rules before.
    pub fn activate(&mut self, programme: u32, rules: Rules, now_ms: i64, epoch: u64) {
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
                benefits: Vec::new(),
                members: BTreeMap::new(),
                recorded: BTreeMap::new(),
                forgettable_ms: i64::MIN,
                cells: BTreeMap::new(),
                opened: BTreeMap::new(),
                granted: BTreeMap::new(),
                kept: BTreeMap::new(),
                reported: BTreeSet::new(),
                quizzes: BTreeMap::new(),
                block_changed: BTreeMap::new(),
            });
        }
        let programme = &mut self.programmes[at];
        for (slug, _) in &rules.tiers {
            number_of(&mut programme.tiers, *slug);
        }
        for benefit in &rules.standing.benefits {
            number_of(&mut programme.benefits, benefit.slug);
        }
        for campaign in &rules.campaigns {
            let number = number_of(&mut programme.campaigns, campaign.slug.clone());
            let offers = programme.offers.entry(number).or_default();
            campaign.offers.iter().for_each(|offer| {
                number_of(offers, offer.sku.clone());
            });
        }
        for quiz in &rules.quizzes {
            // They are numbered with the campaigns.
            number_of(&mut programme.campaigns, format!("quiz/{}", quiz.slug));
        }
        (programme.version, programme.activated) = (programme.version + 1, epoch);
        let (before, after) = (std::mem::replace(&mut programme.rules, Rc::new(rules)), Rc::clone(&programme.rules));
        for member in programme.members.values_mut() {
            let (clock, benefits) = (&programme.clock, &programme.benefits[..]);
            member.holdings.settle(&Under { rules: &before, clock, benefits }, now_ms);
            member.holdings.align(&Under { rules: &after, clock, benefits }, now_ms);
        }
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

    /// Judges the first page of a statement: its entries follow from one another, and all that the member was told of as applied and
    /// that is as new as they are stands among them.
    pub fn judge_statement(&self, asked: &Asked, view: &StatementView) -> Result<(), String> {
        let entries = view.entries.as_slice();
        for pair in entries.windows(2) {
            let (newer, older) = (&pair[0], &pair[1]);
            if newer.before != older.after
                || newer.ledger.sequence <= older.ledger.sequence
                || newer.at_ms < older.at_ms
            {
                return Err("a statement whose entries do not follow from one another".into());
            }
        }
        let (Some(oldest), ended) = (entries.last(), view.next == Cursor::default()) else {
            return Err("a statement of a member without an entry".into());
        };
        if ended && view.beyond == 0 && (oldest.kind, oldest.before) != (1, 0) {
            return Err("a statement that ends before the member enrolled".into());
        }
        let member = self.programmes.get(asked.programme as usize - 1).and_then(|it| it.members.get(&asked.member));
        let Some(member) = member else { return Err("a statement of nobody".into()) };
        let newest = entries.first().map_or(0, |entry| entry.ledger.sequence);
        let told = member.ledgers.range(oldest.ledger.sequence..=newest);
        let stands = |sequence: &&u64| entries.iter().any(|entry| entry.ledger.sequence == **sequence);
        match told.clone().find(|sequence| !stands(sequence)) {
            Some(lacking) => Err(format!("a statement that lacks entry {lacking}")),
            None => Ok(()),
        }
    }

    /// Judges an answer, and makes the change it tells of.
    pub fn judge(&mut self, now: Circumstances, asked: &Asked, told: &Told) -> Judged {
        let full = self.programmes.iter().map(|it| it.members.len() as u64).sum::<u64>() >= self.members_most;
        let Some(programme) = self.programmes.get_mut(asked.programme as usize - 1) else {
            return expect(told, answer::NO_SUCH_PROGRAMME).map(|()| Verdict { applied: false, reveals: 0 });
        };
        // What time did is only seen, unless something changes: the clock may be set back before the next start, as long as nothing
        // stands in the log that is later.
        let before = programme.members.get(&asked.member).map(|member| member.holdings.clone());
        let Programme { rules, clock, benefits, .. } = programme;
        if let Some(member) = programme.members.get_mut(&asked.member) {
            member.holdings.settle(&Under { rules, clock, benefits }, now.now_ms);
        }
        let mut bench = Bench {
            programme,
            entries: &mut self.entries,
            now,
            member: asked.member,
            ample: self.ample,
            full,
            told: told.code,
        };
        let judged = bench.judge(asked, told);
        if let (Some(member), Some(before)) = (programme.members.get_mut(&asked.member), before)
            && !matches!(judged, Ok(Verdict { applied: true, .. }))
        {
            member.holdings = before;
        }
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

impl Programme {
    fn campaign(&self, number: u32) -> Option<&Campaign> {
        let slug = self.campaigns.get((number as usize).checked_sub(1)?)?;
        self.rules.campaigns.iter().find(|campaign| campaign.slug == *slug)
    }

    fn offer<'a>(&self, campaign_number: u32, campaign: &'a Campaign, number: u32) -> Option<&'a Offer> {
        let sku = self.offers.get(&campaign_number)?.get((number as usize).checked_sub(1)?)?;
        campaign.offers.iter().find(|offer| offer.sku == *sku)
    }

    fn tier_number(&self, slug: &str) -> u32 {
        self.tiers.iter().position(|known| *known == slug).map_or(0, |at| at as u32 + 1)
    }
}
