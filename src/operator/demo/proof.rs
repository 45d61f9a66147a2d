//! The proof at the end: what was told, against what is there, against what the orders must come to.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tidegate_client::{Answer, Client};
use tidegate_protocol::answer::OutcomeView;
use tidegate_protocol::operation::{GetCampaign, GetMember, GetOutcome};
use tidegate_protocol::{Body, LedgerId, MemberKey, Text};

use super::Trouble;
use super::flood::{Counts, Told};
use super::orders::{Due, Order};
use super::programme::{CAMPAIGN, QUOTA, SLUG};
use super::replay::{self, patient};
use super::show::{self, Table};
use crate::operator::status::{self, Named};

/// The last grants before the kill that are looked up one by one.
pub const LOOKED_UP: usize = 1_000;

/// One thing that must hold.
#[derive(Debug, Serialize)]
pub struct Check {
    what: &'static str,
    expected: String,
    found: String,
    holds: bool,
}

/// All of them.
#[derive(Debug, Default, Serialize)]
pub struct Proof {
    checks: Vec<Check>,
    /// The hash of the whole state while the server still runs.
    #[serde(skip)]
    pub state_hash: String,
}

/// What the proof is about.
pub struct Case<'a> {
    /// Asks as a gateway.
    pub client: Client,
    /// Asks as an operator.
    pub operator: Client,
    /// The programme's number.
    pub programme: u32,
    /// The orders that were acknowledged.
    pub orders: Arc<Vec<Order>>,
    /// The entries they were acknowledged with.
    pub recorded: &'a [LedgerId],
    /// What each member must have.
    pub due: &'a BTreeMap<u64, Due>,
    /// Grants told before the kill.
    pub before_kill: usize,
}

impl Proof {
    /// Notes a check.
    pub fn check(&mut self, what: &'static str, expected: impl ToString, found: impl ToString) {
        let (expected, found) = (expected.to_string(), found.to_string());
        self.checks.push(Check { what, holds: expected == found, expected, found });
    }

    fn counted(&mut self, what: &'static str, expected: impl Into<i128>, found: impl Into<i128>) {
        self.check(what, show::count(expected), show::count(found));
    }

    /// Whether all of them hold.
    pub fn holds(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.holds)
    }

    /// A table of them.
    pub fn table(&self) -> Table {
        let mut table = Table::headed(["what must hold", "expected", "found", ""]);
        for check in &self.checks {
            let verdict = if check.holds { "holds" } else { "FAILS" };
            table.row([check.what.into(), check.expected.clone(), check.found.clone(), verdict.into()]);
        }
        table
    }

    /// Asks the server for everything that was told, and compares.
    pub async fn of(case: &Case<'_>, counts: &Counts) -> Result<Proof, Trouble> {
        let mut proof = Proof::default();
        proof.grants(case, counts).await?;
        proof.orders(case).await?;
        proof.members(case, &counts.told).await?;
        proof.outcomes(case, &counts.told).await?;
        proof.books(case, &counts.told).await?;
        Ok(proof)
    }

    /// Never too many, never too few, none twice.
    async fn grants(&mut self, case: &Case<'_>, counts: &Counts) -> Result<(), Trouble> {
        let demand: u64 = case.due.values().map(|due| due.redemptions).sum();
        let granted = QUOTA.min(demand);
        let slug = Text::try_from(CAMPAIGN).expect("it is short");
        let answer = case.client.get_campaign(case.programme, GetCampaign { campaign: 0, slug }, patient()).await?;
        let Body::CampaignView(view) = &answer.body else { return Err(Trouble::answer("get-campaign", &answer)) };
        let used = view.quotas.as_slice().first().map_or(0, |quota| quota.used);
        self.counted("grants told = min(quota, eligible demand)", granted, counts.told.len() as u64);
        self.counted("grants by the campaign's own count", granted, view.granted_ever);
        self.counted("quota used", granted, used);
        let numbers: HashSet<u64> = counts.told.iter().map(|told| told.grant).collect();
        let numbers = numbers.into_iter().filter(|number| (1..=granted).contains(number)).count();
        self.counted("grant numbers from 1 on, each told once", granted, numbers as u64);
        let entries: HashSet<LedgerId> = counts.told.iter().map(|told| told.ledger).collect();
        self.counted("ledger entries of grants, all different", granted, entries.len() as u64);
        self.counted("repeats of an id that got another grant", 0, counts.contradicted);
        self.counted("requests left without an answer", 0, counts.unanswered);
        Ok(())
    }

    /// Every acknowledged order is there: sent once more under a new id, it is known by the entry it was told.
    async fn orders(&mut self, case: &Case<'_>) -> Result<(), Trouble> {
        let (client, programme) = (case.client.clone(), case.programme);
        let ask = move |orders, at| replay::record(client.clone(), programme, orders, at);
        let answers = replay::all(Arc::clone(&case.orders), ask).await?;
        let known = |(answer, ledger): &(&Answer, &LedgerId)| matches!(&answer.body, Body::AlreadyRecorded(known) if known.ledger == **ledger);
        let there = answers.iter().zip(case.recorded).filter(known).count();
        self.counted("acknowledged orders that are there", case.orders.len() as u64, there as u64);
        Ok(())
    }

    /// Every balance is what the orders and the grants come to.
    async fn members(&mut self, case: &Case<'_>, told: &[Told]) -> Result<(), Trouble> {
        let keys: Arc<Vec<u64>> = Arc::new(case.due.keys().copied().collect());
        let (client, programme) = (case.client.clone(), case.programme);
        let ask = move |keys: Arc<Vec<u64>>, at: usize| {
            let (client, member) = (client.clone(), MemberKey::from_number(keys[at]));
            async move { client.get_member(programme, GetMember { member }, patient()).await }
        };
        let answers = replay::all(Arc::clone(&keys), ask).await?;
        let mut grants: BTreeMap<u64, u64> = BTreeMap::new();
        for told in told {
            *grants.entry(told.member).or_default() += 1;
        }
        let right = keys.iter().zip(&answers).filter(|(key, answer)| {
            let (due, grants) = (case.due[key], grants.get(key).copied().unwrap_or(0));
            let Body::MemberView(view) = &answer.body else { return false };
            let spent = due.tier().price * grants as i64;
            let limit: u64 = view.limits.as_slice().iter().map(|limit| u64::from(limit.used)).sum();
            view.earned == due.earned
                && view.balance == due.earned - spent
                && view.tier_slug.as_str() == due.tier().slug
                && limit == grants
        });
        let right = right.count();
        self.counted("balances, tiers and limits as computed from the file", keys.len() as u64, right as u64);
        Ok(())
    }

    /// The grants told last before the kill are there one by one, with the answer that was told.
    async fn outcomes(&mut self, case: &Case<'_>, told: &[Told]) -> Result<(), Trouble> {
        let from = case.before_kill.saturating_sub(LOOKED_UP);
        let told: Arc<Vec<Told>> = Arc::new(told[from..case.before_kill].to_vec());
        let (client, programme) = (case.client.clone(), case.programme);
        let ask = move |told: Arc<Vec<Told>>, at: usize| {
            let (client, told) = (client.clone(), told[at]);
            let body = GetOutcome { member: MemberKey::from_number(told.member), id: told.id };
            async move { client.outcome(programme, body, patient()).await }
        };
        let answers = replay::all(Arc::clone(&told), ask).await?;
        let applied = told.iter().zip(&answers).filter(|(told, answer)| {
            matches!(&answer.body, Body::OutcomeView(view) if view.state == OutcomeView::APPLIED && view.ledger == told.ledger)
        });
        let applied = applied.count();
        self.counted("last grants before the kill that are in the ledger", told.len() as u64, applied as u64);
        Ok(())
    }

    /// The books balance, with the sums that the file gives.
    async fn books(&mut self, case: &Case<'_>, told: &[Told]) -> Result<(), Trouble> {
        let mut named = self.at_rest(case).await?;
        let mut figure = |name: &str| named.figures.remove(name).unwrap_or(-1);
        let earned: i64 = case.due.values().map(|due| due.earned).sum();
        let spent: i64 = told.iter().map(|told| case.due[&told.member].tier().price).sum();
        self.counted("points issued", earned, figure(&format!("books_issued_{SLUG}")));
        self.counted("points spent", spent, figure(&format!("books_spent_{SLUG}")));
        self.counted("points live", earned - spent, figure(&format!("books_live_{SLUG}")));
        let blocks = figure("log_epochs") + figure("log_closing_blocks");
        self.counted("fdatasyncs = non-empty epochs + closing blocks", blocks, figure("log_fdatasyncs"));
        let mut fact = |name: &str| named.facts.remove(name).unwrap_or_else(|| "not told".into());
        self.check("books balance", "yes", fact("books_balance"));
        self.state_hash = fact("state_hash");
        Ok(())
    }

    /// The status once the log is at rest: two looks that find the same.
    async fn at_rest(&self, case: &Case<'_>) -> Result<Named, Trouble> {
        let mut before = status::named(&case.operator, true).await?;
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = status::named(&case.operator, true).await?;
            let rest =
                |named: &Named| (named.figures.get("log_fdatasyncs").copied(), named.facts.get("state_hash").cloned());
            if rest(&before) == rest(&now) {
                return Ok(now);
            }
            before = now;
        }
    }
}
