//! The event from its first certificate to its proof.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use tidegate_client::{CallOptions, Client, ClientOptions, client_config};
use tidegate_protocol::answer::CampaignView;
use tidegate_protocol::code::{self, answer};
use tidegate_protocol::operation::{Enrol, GetCampaign};
use tidegate_protocol::{Body, LedgerId, MemberKey, Text};
use tokio::time::sleep;

use super::flood::Flood;
use super::orders::{self, Due, Order};
use super::proof::{Case, Proof};
use super::screen::Screen;
use super::server::Server;
use super::show::{Table, count};
use super::{Trouble, programme, replay};
use crate::data;
use crate::operator::activate::{put_in_force, version_in_force};
use crate::operator::{certs, connect};
use crate::programme::{Bundle, BundleFile};
use crate::server::identity::Scope;
use crate::snapshot::Manifest;
use crate::storage::{Disk, Storage};
use crate::store::Limits;

/// How long the flood knocks before the window opens.
const KNOCKING_MS: i64 = 5_000;
/// So many grants are told when the server is killed.
const KILL_AT: usize = programme::QUOTA as usize * 2 / 5;
/// How long the server stays away, so that it can be seen.
const AWAY: Duration = Duration::from_millis(1_500);

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    figures: BTreeMap<&'static str, u64>,
    answers: BTreeMap<&'static str, u64>,
    proof: Proof,
    everything_held: bool,
}

impl Report {
    /// Whether everything held.
    pub fn holds(&self) -> bool {
        self.everything_held
    }

    /// The tables at the end.
    pub fn text(&self) -> String {
        let mut figures = Table::headed(["what was measured, client and server on this machine", ""]);
        for (name, figure) in &self.figures {
            figures.row([name.replace('_', " "), count(*figure)]);
        }
        let mut answers = Table::headed(["answers of the flood", ""]);
        for (name, number) in &self.answers {
            answers.row([(*name).to_owned(), count(*number)]);
        }
        let verdict = if self.holds() { "Everything held." } else { "NOT everything held: see above." };
        format!("\n{figures}\n{answers}\n{}\n{verdict}\n", self.proof.table())
    }
}

/// A programme with its orders recorded, ready for the event.
struct Stage<'a> {
    screen: &'a Screen,
    directory: &'a Path,
    server: Server,
    client: Client,
    operator: Client,
    programme: u32,
    figures: BTreeMap<&'static str, u64>,
}

/// Performs all of it.
pub async fn perform(directory: &Path, screen: &Screen) -> Result<Report, Trouble> {
    let mut stage = Stage::set(directory, screen).await?;
    let orders = Arc::new(orders::replayable(Timestamp::now()));
    let due = orders::due(&orders, programme::TIMES_MOST);
    stage.enrol(&due).await?;
    let recorded = stage.replay(&orders).await?;
    let view = stage.open_window().await?;
    let offer = view.offers.as_slice().first().map_or(0, |offer| offer.number);
    let flood = Flood::new(stage.client.clone(), stage.programme, view.number, offer);
    let before_kill = stage.event(&flood, &due, view.opens_ms).await?;

    screen.tell("The event is over. Comparing what was told with what is there…");
    let counts = flood.end();
    let case = Case {
        client: stage.client.clone(),
        operator: stage.operator.clone(),
        programme: stage.programme,
        orders,
        recorded: &recorded,
        due: &due,
        before_kill,
    };
    let mut proof = Proof::of(&case, &counts).await?;
    stage.end(&mut proof).await?;
    let mut figures = stage.figures;
    figures.insert("flood_answers", counts.answers.values().sum());
    figures.insert("flood_repeats_with_the_same_id", counts.repeats);
    figures.insert("flood_p50_us", counts.latency_us.value_at_quantile(0.5));
    figures.insert("flood_longest_us_the_outage_included", counts.latency_us.max());
    figures.insert("seconds_in_all", screen.elapsed().as_secs());
    let answers = counts.answers.iter().map(|(code, number)| (code::name(*code), *number)).collect();
    let everything_held = proof.holds();
    Ok(Report { figures, answers, proof, everything_held })
}

impl<'a> Stage<'a> {
    /// Certificates, programmes, a server, connections.
    async fn set(directory: &'a Path, screen: &'a Screen) -> Result<Stage<'a>, Trouble> {
        certs::make(&directory.join("certs"), &Scope::All)?;
        let bundles = programme::write_all(&directory.join("programmes"));
        let bundles = bundles.map_err(Trouble::file(&directory.join("programmes")))?;
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::start(directory, &bundles, free).await?;
        let (id, address) = (server.id(), server.address);
        screen.tell(&format!("A server with {} programmes runs as process {id} on {address}.", bundles.len()));
        let client = connect(directory, address, "gateway").await?;
        let operator = connect(directory, address, "operator").await?;
        let programme = connect::programme(&client, programme::SLUG)?;
        let figures = BTreeMap::new();
        Ok(Stage { screen, directory, server, client, operator, programme, figures })
    }

    async fn enrol(&mut self, due: &BTreeMap<u64, Due>) -> Result<(), Trouble> {
        let members: Arc<Vec<u64>> = Arc::new(due.keys().copied().collect());
        let (client, programme) = (self.client.clone(), self.programme);
        let ask = move |members: Arc<Vec<u64>>, at: usize| {
            let (client, member) = (client.clone(), MemberKey::from_number(members[at]));
            async move { client.enrol(programme, Enrol { member }, replay::patient()).await }
        };
        let answers = replay::all(Arc::clone(&members), ask).await?;
        if let Some(answer) = answers.iter().find(|answer| answer.code != answer::ENROLLED) {
            return Err(Trouble::answer("enrol", answer));
        }
        self.figures.insert("members", members.len() as u64);
        Ok(())
    }

    /// Records all orders; gives the entries they were acknowledged with.
    async fn replay(&mut self, orders: &Arc<Vec<Order>>) -> Result<Vec<LedgerId>, Trouble> {
        let (client, programme) = (self.client.clone(), self.programme);
        let began = Instant::now();
        let ask = move |orders, at| replay::record(client.clone(), programme, orders, at);
        let answers = replay::all(Arc::clone(orders), ask).await?;
        let rate = orders.len() as f64 / began.elapsed().as_secs_f64();
        let entries = answers.iter().map(|answer| match &answer.body {
            Body::Recorded(recorded) => Ok(recorded.ledger),
            _ => Err(Trouble::answer("record-order", answer)),
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let (orders, members) = (count(orders.len() as u64), count(self.figures["members"]));
        self.screen.tell(&format!(
            "{members} households are enrolled, and {orders} of their real orders recorded, each durable: {} a second.",
            count(rate as u64)
        ));
        self.figures.insert("orders_recorded", entries.len() as u64);
        self.figures.insert("orders_a_second", rate as u64);
        Ok(entries)
    }

    /// Moves the monthly window, so that it opens while we watch: an operator's change between two requests.
    async fn open_window(&mut self) -> Result<CampaignView, Trouble> {
        let opens_s = (self.client.server_ms() + KNOCKING_MS) / 1_000 + 1;
        let opens = Timestamp::from_second(opens_s).expect("the present is within the calendar");
        let files = vec![BundleFile { name: "programme.toml".into(), text: programme::opening_at(opens) }];
        let bundle = Bundle::from_files(files).expect("one small file is a bundle");
        let version = version_in_force(&self.operator, programme::SLUG);
        let answer = put_in_force(&self.operator, &bundle, version, false).await?;
        let Body::Activated(activated) = &answer.body else { return Err(Trouble::answer("activate", &answer)) };
        let view = campaign(&self.client, self.programme, replay::patient()).await?;
        let local = opens.in_tz(programme::ZONE).map(|it| it.strftime("%H:%M:%S").to_string()).unwrap_or_default();
        self.screen.tell(&format!(
            "The monthly window opens on the 20th at 10:00. Version {} of the programme, in force between two requests, \
             moves it: it opens at {local} in New York, in {} s.",
            activated.version,
            KNOCKING_MS / 1_000
        ));
        Ok(view)
    }

    /// The flood, the kill, the restart, the end. Gives how many grants were told before the kill.
    async fn event(&mut self, flood: &Arc<Flood>, due: &BTreeMap<u64, Due>, opens_ms: i64) -> Result<usize, Trouble> {
        let demand: u64 = due.values().map(|due| due.redemptions).sum();
        self.screen.tell(&format!(
            "The flood begins: all members at once, impatient, for {} units; they can pay for {}.",
            count(programme::QUOTA),
            count(demand)
        ));
        let mut members = flood.begin(due.keys().copied());
        let (mut before_kill, mut left) = (None, programme::QUOTA);
        let mut looked = Instant::now();
        while !members.is_empty() {
            while members.try_join_next().is_some() {}
            if before_kill.is_none() && flood.counts().told.len() >= KILL_AT {
                before_kill = Some(self.kill_and_restart(flood).await?);
                flood.recent();
                looked = Instant::now();
            }
            if looked.elapsed() >= self.screen.every() {
                let brief = CallOptions { deadline: Duration::from_secs(1), id: None };
                if let Ok(view) = campaign(&self.client, self.programme, brief).await {
                    left = quota_left(&view);
                }
                self.show(flood, looked.elapsed(), left, opens_ms);
                looked = Instant::now();
            }
            sleep(Duration::from_millis(20)).await;
        }
        self.screen.clear();
        before_kill.ok_or_else(|| Trouble::Server(format!("the event ended before {KILL_AT} grants, without a kill")))
    }

    fn show(&mut self, flood: &Flood, since: Duration, left: u64, opens_ms: i64) {
        let recent = flood.recent();
        let rate = (recent.answers as f64 / since.as_secs_f64()) as u64;
        let to_opening_ms = opens_ms - self.client.server_ms();
        let window =
            if to_opening_ms > 0 { format!("opens in {:.1} s", to_opening_ms as f64 / 1e3) } else { "open".to_owned() };
        self.screen.now(format!(
            "window {window:<14}  {:>7} answers/s   p50 {:>5.1} ms   p99 {:>5.1} ms   quota left {:>7}",
            count(rate),
            recent.p50_us as f64 / 1e3,
            recent.p99_us as f64 / 1e3,
            count(left)
        ));
        let best = self.figures.entry("flood_best_answers_a_second").or_default();
        *best = rate.max(*best);
        let worst = self.figures.entry("flood_worst_p99_us_while_the_server_was_up").or_default();
        *worst = recent.p99_us.max(*worst);
    }

    /// SIGKILL in the middle of the flood, and a restart on the same directory. The flood goes on by itself.
    async fn kill_and_restart(&mut self, flood: &Flood) -> Result<usize, Trouble> {
        self.server.kill();
        let told = flood.counts().told.len();
        self.screen.clear();
        self.screen
            .tell(&format!("SIGKILL, in the middle of the flood, after {} grants were told.", count(told as u64)));
        sleep(AWAY).await;
        let killed = Instant::now();
        // Without any bundle: recovery needs no file, the programmes stand in the log.
        self.server = Server::start(self.directory, &[], self.server.address).await?;
        let (ready, id) = (killed.elapsed(), self.server.id());
        let recovered = self.server.said("recovered").unwrap_or_default();
        let field = |name: &str| recovered[name].as_u64().unwrap_or_default();
        self.screen.tell(&format!(
            "Process {id} recovered in {} ms: {} records of {} epochs, {} bytes of log, through epoch {}.",
            ready.as_millis(),
            count(field("records")),
            count(field("epochs")),
            count(field("log_bytes")),
            count(field("last_epoch"))
        ));
        match self.server.said("a torn tail") {
            Some(torn) => self.screen.tell(&format!(
                "The write that the kill tore was cut off: {} bytes that nobody had been told of.",
                count(torn["bytes"].as_u64().unwrap_or_default())
            )),
            None => self.screen.tell("The log ended between two writes: nothing was torn."),
        }
        self.figures.insert("recovery_ms_with_process_start", ready.as_millis() as u64);
        self.figures.insert("recovery_records", field("records"));
        self.resumed(flood).await;
        Ok(told)
    }

    /// Waits until the client has found the server again and the first new grant is told.
    async fn resumed(&mut self, flood: &Flood) {
        // What the killed server had still sent was told long ago: whatever comes now is new.
        let (began, told) = (Instant::now(), flood.counts().told.len());
        while flood.counts().told.len() == told && began.elapsed() < Duration::from_secs(20) {
            sleep(Duration::from_millis(5)).await;
        }
        // What waited through the outage is answered first; it is told as the longest latency, not as the server's.
        sleep(Duration::from_millis(300)).await;
        self.screen.tell("The client has reconnected and sent again what was unanswered, under the same ids.");
    }

    /// Drains the server, and reads its directory without it.
    async fn end(&mut self, proof: &mut Proof) -> Result<(), Trouble> {
        let status = self.server.drain().await?;
        proof.check("exit code of the server after SIGTERM", 0, status.code().unwrap_or(-1));
        let path = self.directory.join("data");
        let damaged = |error: &dyn std::fmt::Display| Trouble::Server(format!("its directory: {error}"));
        let storage: Arc<dyn Storage> = Arc::new(Disk::open(&path).map_err(|error| damaged(&error))?);
        let manifest = Manifest::read(&*storage).map_err(|error| damaged(&error))?;
        let manifest = manifest.ok_or_else(|| damaged(&"it has no manifest"))?;
        let inspected = data::inspect_from(&storage, &manifest, Limits::default(), &mut |_| {});
        let (store, _) = inspected.map_err(|error| damaged(&error))?;
        let hash = store.books().state_hash;
        proof.check("state read back from disk = state in memory", proof.state_hash[..16].to_owned(), &hash[..16]);
        Ok(())
    }
}

async fn connect(directory: &Path, address: SocketAddr, identity: &str) -> Result<Client, Trouble> {
    let tls = client_config(&directory.join("certs"), identity).map_err(connect::Failure::from)?;
    let mut options = ClientOptions::new(vec![address], "localhost", tls);
    options.name = Text::try_from("tidegate demo").expect("it is short");
    let welcomed = Client::connect(options).await;
    welcomed.map_err(|loss| Trouble::Server(format!("no connection as {identity}: {loss}")))
}

async fn campaign(client: &Client, programme: u32, options: CallOptions) -> Result<CampaignView, Trouble> {
    let slug = Text::try_from(programme::CAMPAIGN).expect("it is short");
    let answer = client.get_campaign(programme, GetCampaign { campaign: 0, slug }, options).await?;
    match answer.body {
        Body::CampaignView(view) => Ok(view),
        _ => Err(Trouble::answer("get-campaign", &answer)),
    }
}

fn quota_left(view: &CampaignView) -> u64 {
    let quota = view.quotas.as_slice().first();
    quota.map_or(0, |quota| quota.total.unsigned_abs().saturating_sub(quota.used))
}
