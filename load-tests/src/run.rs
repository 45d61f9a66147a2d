//! One run from start to end: server, programme, members, load, books.

use std::cell::RefCell;
use std::future::Future;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use tidegate_client::client_config;
use tidegate_protocol::answer::CampaignView;
use tidegate_protocol::operator::SnapshotTaken;
use tokio::task::{JoinError, spawn_local};

use crate::bulk::Ids;
use crate::desk::{Desk, DeskError};
use crate::lane::{self, Lane, LaneError};
use crate::load::{ASKED, Live, Load, Plan, Tally};
use crate::members::{self, Audit};
use crate::options::Options;
use crate::pace::Pace;
use crate::report::{Books, Given, Machine, Report, Run, processor_seconds, stolen_seconds};
use crate::scenario::{Demand, Name, Scenario, TIERS};
use crate::server::{Server, ServerError};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Lane(#[from] LaneError),
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error("certificates: {0}")]
    Tls(#[from] tidegate_client::tls::TlsError),
    #[error("{0}")]
    Midnight(String),
    #[error("a task of the harness failed: {0}")]
    Task(#[from] JoinError),
}

/// A connection, its ids, its share of the members, and what it was told of them.
struct Hand {
    lane: Lane,
    ids: Ids,
    members: Range<u32>,
    told: Vec<u32>,
}

/// Runs everything and reports; the caller decides what a bad report means.
pub(crate) async fn run(options: &Options) -> Result<Report, RunError> {
    // Members and orders are of this run alone, also on a server that had others before.
    let slug = format!("{}-{}", options.scenario.as_str(), Timestamp::now().as_millisecond());
    let scenario = Scenario { name: options.scenario, slug, members: options.members, pieces: options.pieces };
    let scenario = Rc::new(scenario);
    scenario.check_time(Timestamp::now(), options.warm_up + options.duration).map_err(RunError::Midnight)?;
    let server = Server::start(options, &scenario.bundle(None))?;
    let mut report = on(&server, options, &scenario).await?;
    if let Err(error) = server.stop() {
        report.books.findings.push(error.to_string());
        report.ok = false;
    }
    Ok(report)
}

/// The same on a server that is there.
pub(crate) async fn on(server: &Server, options: &Options, scenario: &Rc<Scenario>) -> Result<Report, RunError> {
    let desk = Rc::new(Desk::open(server, scenario.clone()).await?);
    let mut hands = open(server, options).await?;
    say(&format!("enrolling {} members and giving them points", options.members));
    let began = Instant::now();
    let programme = desk.numbers.programme;
    hands = each(hands, |mut hand| {
        let scenario = scenario.clone();
        async move {
            members::prepare(&mut hand.lane, &mut hand.ids, &scenario, programme, hand.members.clone()).await?;
            Ok(hand)
        }
    })
    .await?;
    let prepared = began.elapsed();
    let mut runs = Vec::new();
    for rate in options.loads() {
        if options.settle > 0.0 {
            say(&format!("leaving the server alone for {} s", options.settle));
            tokio::time::sleep(Duration::from_secs_f64(options.settle)).await;
        }
        let (run, back) = load(server, options, scenario, &desk, hands, rate).await?;
        hands = back;
        runs.push(run);
    }
    say("comparing with the server's books");
    let books = books(&desk, scenario, hands, &runs).await;
    let books = books.unwrap_or_else(|error| Books::incomparable(&error, &runs));
    let last = runs.last().cloned().expect("there is at least one load");
    Ok(Report {
        scenario: options.scenario.as_str(),
        members: options.members,
        connections: options.connections,
        batch: options.batch,
        in_flight: options.in_flight,
        spread: format!("{:?}", options.spread).to_lowercase(),
        seed: options.seed,
        processor: server.processor,
        warm_up_s: options.warm_up,
        duration_s: options.duration,
        prepared_s: prepared.as_secs_f64(),
        prepared_ops_per_s: 2.0 * f64::from(options.members) / prepared.as_secs_f64(),
        ok: books.findings.is_empty() && runs.iter().all(|run| run.errors == 0),
        last,
        runs,
        books,
        machine: Machine::read(),
    })
}

/// Opens the lanes, and shares the members out among them.
async fn open(server: &Server, options: &Options) -> Result<Vec<Hand>, RunError> {
    let endpoint = lane::endpoint(client_config(&server.certs, "gateway")?, server.address)?;
    let instance = uuid::Uuid::now_v7().into_bytes();
    let lanes = u32::from(options.connections);
    let border = |index: u32| (u64::from(options.members) * u64::from(index) / u64::from(lanes)) as u32;
    let mut hands = Vec::new();
    for index in 0..lanes {
        let lane = Lane::open(&endpoint, server.address, instance).await?;
        let members = border(index)..border(index + 1);
        let seed = options.seed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(index));
        // Ids must differ from those of any run before on the same server.
        let ids = Ids::new(lane.welcome.server_ms, seed ^ Timestamp::now().as_nanosecond() as u64);
        hands.push(Hand { lane, ids, told: vec![0; members.len()], members });
    }
    Ok(hands)
}

/// Does the same for all, at the same time; the order is kept.
async fn each<I, O, F>(items: Vec<I>, task: impl Fn(I) -> F) -> Result<Vec<O>, RunError>
where
    O: 'static,
    F: Future<Output = Result<O, RunError>> + 'static,
{
    let tasks: Vec<_> = items.into_iter().map(|item| spawn_local(task(item))).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await??);
    }
    Ok(done)
}

/// One measured load.
async fn load(
    server: &Server,
    options: &Options,
    scenario: &Rc<Scenario>,
    desk: &Rc<Desk>,
    hands: Vec<Hand>,
    rate: Option<f64>,
) -> Result<(Run, Vec<Hand>), RunError> {
    if scenario.opens_late() {
        desk.open_window().await?;
    }
    if scenario.name == Name::Quiz {
        desk.publish_question().await?;
    }
    let begin = Instant::now() + Duration::from_millis(10);
    let measure = begin + Duration::from_secs_f64(options.warm_up);
    let plan = Rc::new(Plan {
        batch: options.batch,
        in_flight: options.in_flight.into(),
        rate,
        lanes: hands.len(),
        begin,
        measure,
        end: measure + Duration::from_secs_f64(options.duration),
        patience: Duration::from_secs_f64(options.patience),
        spread: options.spread,
        seed: options.seed,
        order_numbers: (Timestamp::now().as_millisecond() as u64 & 0xff_ffff) << 16,
    });
    let live = Rc::new(Live::default());
    let bar = spawn_local(show(live.clone(), plan.clone(), scenario.name.as_str()));
    let given = spawn_local(given(server.pid(), desk.clone(), plan.clone()));
    let taking = options.snapshot.then(|| spawn_local(snapshot(desk.clone(), live.clone(), plan.clone())));
    let indexed: Vec<(usize, Hand)> = hands.into_iter().enumerate().collect();
    let numbers = Rc::new(desk.numbers.clone());
    let total = Rc::new(RefCell::new(Tally::new()));
    let hands = each(indexed, |(index, mut hand)| {
        let told = std::mem::take(&mut hand.told);
        let (scenario, numbers, plan) = (scenario.clone(), numbers.clone(), plan.clone());
        let mut load = Load::new(scenario, numbers, plan, index, hand.members.clone(), told, live.clone());
        let total = total.clone();
        async move {
            load.run(&mut hand.lane, &mut hand.ids).await;
            total.borrow_mut().add(&load.tally);
            hand.told = load.told;
            Ok(hand)
        }
    })
    .await?;
    bar.abort();
    let given = given.await?;
    let taken = match taking {
        Some(taking) => Some(taking.await??),
        None => None,
    };
    let run = Run::new(scenario, rate, &total.borrow(), plan.end - plan.measure, given, taken);
    Ok((run, hands))
}

/// Has a snapshot taken after a third of the measured time.
async fn snapshot(desk: Rc<Desk>, live: Rc<Live>, plan: Rc<Plan>) -> Result<SnapshotTaken, DeskError> {
    tokio::time::sleep_until((plan.measure + (plan.end - plan.measure) / 3).into()).await;
    let asked = Some(Instant::now());
    live.snapshot.set((asked, None));
    let taken = desk.snapshot().await;
    live.snapshot.set((asked, Some(Instant::now())));
    taken
}

/// Processor and disk within the measured time.
async fn given(server: Option<u32>, desk: Rc<Desk>, plan: Rc<Plan>) -> Given {
    let read = async || {
        let own = processor_seconds("self").unwrap_or(0.0);
        let seconds = [server.and_then(|pid| processor_seconds(&pid.to_string())), stolen_seconds()];
        // What the server cannot tell is left out: a question about the machine is no reason to end a run.
        (own, seconds, desk.stalled_s().await.ok())
    };
    tokio::time::sleep_until(plan.measure.into()).await;
    let (began, before, pace) = (Instant::now(), read().await, Pace::start());
    tokio::time::sleep_until(plan.end.into()).await;
    let slowed = pace.map(Pace::slowed);
    let (seconds, after) = (began.elapsed().as_secs_f64(), read().await);
    let part = |after: Option<f64>, before| after.zip(before).map(|(after, before)| (after - before) / seconds);
    Given {
        harness: (after.0 - before.0) / seconds,
        server: part(after.1[0], before.1[0]),
        stolen: part(after.1[1], before.1[1]),
        slowed,
        stalled: part(after.2, before.2),
    }
}

/// Shows progress on a terminal; silent elsewhere.
async fn show(live: Rc<Live>, plan: Rc<Plan>, name: &'static str) {
    let whole = plan.end.saturating_duration_since(plan.begin);
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {msg}").expect("the template is good");
    let bar = ProgressBar::new(whole.as_millis() as u64).with_style(style).with_prefix(name);
    let (mut answers, mut at) = (0, Instant::now());
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let (now, seen) = (Instant::now(), live.answers.get());
        let rate = (seen - answers) as f64 / now.duration_since(at).as_secs_f64();
        (answers, at) = (seen, now);
        bar.set_position(now.saturating_duration_since(plan.begin).as_millis() as u64);
        bar.set_message(format!("{rate:.0}/s, {} granted, {} us", live.granted.get(), live.latency_us.get()));
    }
}

/// A line about what goes on, for people who watch.
fn say(line: &str) {
    use std::io::IsTerminal;
    if std::io::stderr().is_terminal() {
        eprintln!("{line}");
    }
}

/// What the answers told, set beside what the server's books say.
async fn books(desk: &Desk, scenario: &Rc<Scenario>, hands: Vec<Hand>, runs: &[Run]) -> Result<Books, RunError> {
    let mut demand: Demand = vec![[0; TIERS.len()]; scenario.offers() as usize];
    let mut told = 0;
    for hand in &hands {
        for (member, tally) in hand.members.clone().zip(&hand.told) {
            told += u64::from(tally & !ASKED);
            demand[scenario.offer(member) as usize][scenario.tier(member)] += u64::from(tally >> 31);
        }
    }
    let numbers = Rc::new(desk.numbers.clone());
    let audits = each(hands, |mut hand| {
        let (scenario, numbers) = (scenario.clone(), numbers.clone());
        async move {
            let members = hand.members.clone();
            Ok(members::audit(&mut hand.lane, &mut hand.ids, &scenario, &numbers, members, &hand.told).await?)
        }
    })
    .await?;
    let mut audit = Audit::default();
    audits.into_iter().for_each(|one| audit.add(one));
    let view = desk.campaign().await?;
    let expected = scenario.expected(&demand).unwrap_or(told);
    // What is no redemption has no campaign's books: the members' own are compared.
    let granted = if scenario.redeems() { view.granted_ever } else { audit.used };
    let mut findings = findings(&view, told, granted, expected, &audit, runs);
    if scenario.name == Name::Quiz {
        let (places, answers) = desk.question_results().await?;
        let due = scenario.pieces.min(audit.right);
        if (places, audit.first_places, answers) != (due, due, told) {
            findings.push(format!(
                "{} answered right and {told} in all; of {} places {places} are taken, {} members have what they bring, and {answers} answers are counted",
                audit.right, scenario.pieces, audit.first_places
            ));
        }
    }
    Ok(Books { told, granted, expected, audit, findings })
}

/// Everything that is not as it must be.
fn findings(view: &CampaignView, told: u64, granted: u64, expected: u64, audit: &Audit, runs: &[Run]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut must = |holds: bool, finding: String| {
        if !holds {
            findings.push(finding);
        }
    };
    must(told == granted, format!("{told} grants were told, {granted} are in the books"));
    must(granted == expected, format!("{granted} were granted; min(quota, eligible demand) is {expected}"));
    must(audit.used == told, format!("{told} grants were told, the members' limits count {}", audit.used));
    let first = audit.first.clone().unwrap_or_default();
    must(audit.wrong == 0, format!("{} of {} members differ; the first: {first}", audit.wrong, audit.members));
    for quota in view.quotas.as_slice() {
        let (offer, tier) = (quota.offer, quota.tier);
        let within = quota.total < 0 || quota.used <= quota.total as u64;
        must(within, format!("the quota of offer {offer}, tier {tier}: {} of {} are used", quota.used, quota.total));
    }
    for run in runs {
        must(
            run.errors == 0,
            format!("{} errors at rate {:?}: {:?} {:?}", run.errors, run.rate, run.answers, run.lost),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tidegate::operator::certs;
    use tidegate::server::identity::Scope;

    use super::*;
    use crate::fake::{self, Lie};

    #[derive(Parser)]
    #[command(args_override_self = true)]
    struct Flags {
        #[command(flatten)]
        options: Options,
    }

    /// Runs against a server that lies like this.
    fn report(lie: Lie, flags: &str) -> Report {
        let directory = tempfile::tempdir().unwrap();
        certs::make(directory.path(), &Scope::All).unwrap();
        let flags = ["load-tests", "--duration", "0.4"].into_iter().chain(flags.split(' '));
        let mut options = Flags::parse_from(flags).options;
        options.server = Some(fake::start(directory.path(), lie));
        options.certs = Some(directory.path().to_owned());
        (options.connections, options.warm_up) = (3, 0.1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(tokio::task::LocalSet::new().run_until(run(&options))).unwrap()
    }

    fn answered(report: &Report, name: &str) -> u64 {
        report.last.answers.get(name).copied().unwrap_or(0)
    }

    #[test]
    fn redeem_granted_is_all_grants_and_the_books_balance() {
        for flags in ["--max --members 5000", "--rate 20000 --members 5000 --batch 1 --spread skewed"] {
            let report = report(Lie::None, flags);
            assert!(report.ok, "{}", report.text());
            assert_eq!(report.books.audit.members, 5_000);
            assert_eq!(report.books.told, answered(&report, "granted"));
            assert!(report.last.granted_per_s > 0.0 && report.last.latency.p50_us > 0.0);
        }
    }

    #[test]
    fn rates_are_run_one_after_another_on_the_same_books() {
        let report = report(Lie::None, "--rates 5000,10000 --members 2000");
        assert!(report.ok && report.runs.len() == 2, "{}", report.text());
        let all: u64 = report.runs.iter().map(|run| run.answers["granted"]).sum();
        assert_eq!(report.books.granted, all);
    }

    #[test]
    fn a_flash_sale_grants_every_piece_and_no_more() {
        let report = report(Lie::None, "--scenario flash-sale --max --members 3000 --pieces 700");
        assert!(report.ok, "{}", report.text());
        assert_eq!((report.books.expected, answered(&report, "granted")), (700, 700));
    }

    #[test]
    fn a_month_opening_refuses_before_and_fills_every_quota_after() {
        let report = report(Lie::None, "--scenario month-opening --rate 20000 --members 2400 --duration 4");
        assert!(report.ok, "{}", report.text());
        assert!(answered(&report, "not-yet-open") > 0);
        assert_eq!(report.books.expected, 600, "a quarter of the members");
    }

    #[test]
    fn a_check_in_storm_grants_each_member_one() {
        let report = report(Lie::None, "--scenario check-in-midnight --max --members 3000");
        assert!(report.ok, "{}", report.text());
        assert_eq!((report.books.expected, answered(&report, "checked-in")), (3_000, 3_000));
        assert!(answered(&report, "already-checked-in") > 0);
    }

    #[test]
    fn an_order_storm_counts_each_order_once() {
        let report = report(Lie::None, "--scenario order-storm --max --members 3000");
        assert!(report.ok, "{}", report.text());
        let [recorded, again] = ["recorded", "already-recorded"].map(|name| answered(&report, name));
        assert!(again > 0 && recorded > 10 * again, "{recorded}, {again}");
        assert_eq!(report.books.granted, recorded);
    }

    #[test]
    fn claims_come_to_three_times_the_points_once() {
        let report = report(Lie::None, "--scenario order-claims --max --members 3000");
        assert!(report.ok, "{}", report.text());
        let names = ["recorded", "already-recorded", "order-claimed", "already-claimed"];
        let [recorded, again, claimed, claimed_again] = names.map(|name| answered(&report, name));
        assert!(again > 0 && (recorded, again) == (claimed, claimed_again), "{}", report.text());
        assert_eq!(report.books.granted, claimed);
    }

    #[test]
    fn a_quiz_counts_each_answer_and_fills_every_first_place() {
        let report = report(Lie::None, "--scenario quiz --max --members 3000 --pieces 70");
        assert!(report.ok, "{}", report.text());
        assert_eq!((report.books.expected, answered(&report, "answered")), (3_000, 3_000));
        assert_eq!((report.books.audit.right, report.books.audit.first_places), (1_500, 70));
    }

    #[test]
    fn lies_about_check_ins_and_first_places_are_found() {
        for (lie, flags) in
            [(Lie::TakesTwice, "check-in-midnight"), (Lie::OneTooMany, "quiz"), (Lie::TakesTwice, "order-claims")]
        {
            let report = report(lie, &format!("--scenario {flags} --max --members 3000 --pieces 70"));
            assert!(!report.ok && !report.books.findings.is_empty(), "{lie:?}: {}", report.text());
        }
    }

    #[test]
    fn latencies_during_a_snapshot_are_told_apart() {
        let report = report(Lie::None, "--rate 20000 --members 2000 --snapshot");
        assert!(report.ok, "{}", report.text());
        let during = report.last.during_snapshot.as_ref().unwrap();
        let all = report.last.answers["granted"];
        assert!((1..all).contains(&during.answers), "{} of {all}", during.answers);
        assert!(report.text().contains("during a snapshot of 2000 members"), "{}", report.text());
    }

    #[test]
    fn what_is_refused_for_the_moment_is_prepared_later() {
        let report = report(Lie::FullAtFirst, "--max --members 3000");
        assert!(report.ok, "{}", report.text());
    }

    #[test]
    fn what_is_never_answered_is_an_error() {
        let report = report(Lie::LosesAFrame, "--max --members 3000 --patience 0.5");
        assert_eq!((report.ok, report.last.unanswered), (false, 64), "{}", report.text());
    }

    #[test]
    fn every_lie_is_found() {
        let lies = [Lie::ForgetsAGrant, Lie::OneTooMany, Lie::OneTooFew, Lie::TakesTwice];
        for lie in lies {
            let report = report(lie, "--scenario flash-sale --max --members 3000 --pieces 700");
            assert!(!report.ok && !report.books.findings.is_empty(), "{lie:?}: {}", report.text());
        }
    }
}
