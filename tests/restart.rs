//! I3, I4: a planned restart under load. Calls are held while the next server starts, and every one is answered; a server
//! that is still recovering says so.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod process;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use process::Site;
use tidegate::data::Progress;
use tidegate::operator::certs;
use tidegate::server::http::Health;
use tidegate::server::{Listener, identity};
use tidegate::store::{HashKeys, Scope};
use tidegate_client::{CallOptions, Client, ClientOptions, Loss, client_config};
use tidegate_protocol::hello::HelloRefused;
use tidegate_protocol::operation::{Enrol, GetCampaign, RecordOrder, Redeem};
use tidegate_protocol::operator::GetStatus;
use tidegate_protocol::{Body, MemberKey, Text};
use tokio::task::LocalSet;

const RESTARTS: u64 = 5;
const CLIENTS: usize = 3;
const CALLERS: u64 = 32;
const MEMBERS: u64 = 512;

const BUNDLE: &str = r#"
programme = "restarted"
title = { zh = "重启", en = "Restarted" }
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["mall"]

[earning]
points = 1
per = "1.00"
rounding = "down"

[campaign.sale]
title = { zh = "促销", en = "Sale" }
window = { every = "year", from = "01-01 00:00", until = "12-31 24:00" }
per_member = { times = 1000000, each = "window", over = "all offers" }

[[campaign.sale.offer]]
sku = "HOT"
title = { zh = "热门", en = "Hot" }
price = { points = 1 }
quota = { each = "window", total = 1000000000 }
"#;

fn in_thirty_seconds() -> CallOptions {
    CallOptions { deadline: Duration::from_secs(30), id: None }
}

async fn enrolled(client: &Client, programme: u32, member: u64) {
    let text = |text: &str| Text::try_from(text).unwrap();
    let key = MemberKey::from_number(member);
    let enrol = client.enrol(programme, Enrol { member: key }, in_thirty_seconds()).await.unwrap();
    assert_eq!(enrol.name(), "enrolled");
    let order = RecordOrder {
        member: key,
        paid_at_ms: client.server_ms() - 1_000,
        amount_minor: 100_000_000,
        brand: text("house"),
        channel: text("mall"),
        store: Text::default(),
        number: text(&member.to_string()),
    };
    assert_eq!(client.record_order(programme, order, in_thirty_seconds()).await.unwrap().name(), "recorded");
}

/// Redeems until told to stop; every call must be granted. Gives the ledger ids.
async fn caller(
    client: Client,
    at: u64,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
) -> Vec<tidegate_protocol::LedgerId> {
    let programme = client.programme("restarted").unwrap();
    let mut told = Vec::new();
    let mut member = at;
    while !stop.load(Ordering::Relaxed) {
        // Members of its own, so that nobody's later grants make a held call stale.
        member = (member + CALLERS) % MEMBERS;
        let redeem = Redeem { member: MemberKey::from_number(member), campaign: 1, offer: 1 };
        let answer = client.redeem(programme, redeem, in_thirty_seconds()).await.unwrap();
        let Body::Granted(granted) = answer.body else { panic!("{} is no grant", answer.name()) };
        assert!(answer.durable);
        told.push(granted.ledger);
        answered.fetch_add(1, Ordering::Relaxed);
    }
    told
}

#[tokio::test]
async fn planned_restarts_under_load_answer_every_call_that_has_time() {
    let site = Arc::new(Site::with(&[BUNDLE]));
    let mut server = site.serve(&[]);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(site.client("gateway").await);
    }
    let programme = clients[0].programme("restarted").unwrap();
    for member in 0..MEMBERS {
        enrolled(&clients[0], programme, member).await;
    }
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|at| {
            let client = clients[at as usize % CLIENTS].clone();
            tokio::spawn(caller(client, at, Arc::clone(&stop), Arc::clone(&answered)))
        })
        .collect();
    for _ in 0..RESTARTS {
        // A restart counts only under load.
        let before = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) < before + 1_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let again = Arc::clone(&site);
        server = tokio::task::spawn_blocking(move || {
            assert!(server.stop().success(), "a planned end is a good end");
            again.serve(&[])
        })
        .await
        .unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let mut told = HashSet::new();
    let mut grants = 0;
    for caller in callers {
        let ledgers = caller.await.unwrap();
        grants += ledgers.len();
        told.extend(ledgers);
    }
    assert_eq!(told.len(), grants, "no grant was told for two calls");
    let campaign = GetCampaign { campaign: 1, slug: Text::default() };
    let answer = clients[0].get_campaign(programme, campaign, in_thirty_seconds()).await.unwrap();
    let Body::CampaignView(view) = answer.body else { panic!("a campaign's view") };
    assert_eq!(view.granted_ever, grants as u64, "no call was granted twice");
    let operator = site.client("operator").await;
    let Body::StatusView(status) = operator.status(GetStatus { books: 1 }, in_thirty_seconds()).await.unwrap().body
    else {
        panic!("a status")
    };
    let fact = |name: &str| status.facts.as_slice().iter().find(|f| f.name.as_str() == name).unwrap();
    assert_eq!(fact("books_balance").value.as_str(), "yes");
    let _still_running = &server;
}

/// The hello's refusal of a listener without a node, to a client of these certificates.
async fn refused(address: SocketAddr, certs: &std::path::Path) -> Loss {
    let tls = client_config(certs, "gateway").unwrap();
    let options = ClientOptions {
        connect_within: Duration::from_millis(100),
        ..ClientOptions::new(vec![address], "localhost", tls)
    };
    Client::connect(options).await.err().unwrap()
}

#[tokio::test]
async fn a_server_that_recovers_says_how_far_it_is_to_those_it_knows() {
    let certs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for certs in &certs {
        certs::make(certs.path(), &Scope::All).unwrap();
    }
    let [own, strange] = certs;
    let work = async {
        let keys = HashKeys { short: [1; 16], long: [2; 16] };
        let tls = identity::server_config(own.path()).unwrap();
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), tls, keys).unwrap();
        let (address, health) = (listener.address().unwrap(), Arc::new(Health::default()));
        health.recovering(Progress { stage: "log", done_bytes: 300, total_bytes: 1_000 });
        let asked = async {
            let Loss::Refused(refused) = refused(address, own.path()).await else { panic!("no refusal") };
            let HelloRefused { reason, retry_ms, progress_per_mille, sentence, .. } = *refused;
            assert_eq!((reason, progress_per_mille), (HelloRefused::STARTING, 650));
            assert!((1..=250).contains(&retry_ms), "{retry_ms}");
            assert!(sentence.as_str().contains("log, 300 of 1000 bytes"), "{}", sentence.as_str());
            let stranger = self::refused(address, strange.path()).await;
            assert!(!matches!(stranger, Loss::Refused(_)) && stranger.is_final(), "{stranger}");
        };
        tokio::select! {
            () = listener.starting(&health) => unreachable!("it answers until it is dropped"),
            () = asked => {}
        }
    };
    LocalSet::new().run_until(work).await;
}
