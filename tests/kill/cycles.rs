//! Kills of a real server under full load, and what must be there afterwards (I3, I4, I6).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_client::{Answer, CallOptions, Client};
use tidegate_protocol::operation::{Enrol, GetCampaign, GetMember, RecordOrder, Redeem};
use tidegate_protocol::operator::GetStatus;
use tidegate_protocol::{Body, LedgerId, MemberKey, Text};

use crate::process::{Site, tidegate, within_patience};

const MEMBERS: u64 = 2_000;
const CALLERS: u64 = 192;
const POINTS: i64 = 1_000_000;

const BUNDLE: &str = r#"
programme = "killed"
title = { zh = "断电", en = "Killed" }
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
quota = { each = "window", total = 1000000000 }

[[campaign.sale.offer]]
sku = "HOT"
title = { zh = "热门", en = "Hot" }
price = { points = 1 }
quota = { each = "window", total = 1000000000, by_tier = { member = 1000000000 } }
"#;

fn calmly() -> CallOptions {
    CallOptions { deadline: Duration::from_secs(120), id: None }
}

/// What the callers were told.
#[derive(Default)]
struct Told {
    grants: HashMap<u64, u64>,
    entries: HashSet<LedgerId>,
    orders: u64,
}

impl Told {
    fn entry(&mut self, ledger: LedgerId) {
        assert!(self.entries.insert(ledger), "entry {ledger} was told for two requests");
    }
}

fn order(member: u64, number: u64, paid_at_ms: i64) -> RecordOrder {
    let text = |text: &str| Text::try_from(text).unwrap();
    RecordOrder {
        member: MemberKey::from_number(member),
        paid_at_ms,
        amount_minor: 100 * POINTS,
        brand: text("house"),
        channel: text("mall"),
        store: Text::default(),
        number: text(&number.to_string()),
    }
}

async fn enrolled(client: &Client, programme: u32, member: u64) {
    let enrol = Enrol { member: MemberKey::from_number(member) };
    let answer = client.enrol(programme, enrol, calmly()).await.unwrap();
    assert_eq!(answer.name(), "enrolled");
    let order = order(member, member, client.server_ms() - 1_000);
    assert_eq!(client.record_order(programme, order, calmly()).await.unwrap().name(), "recorded");
}

fn ledger(answer: &Answer) -> LedgerId {
    match &answer.body {
        Body::Granted(granted) => granted.ledger,
        Body::Recorded(recorded) => recorded.ledger,
        Body::AlreadyRecorded(before) => before.ledger,
        other => panic!("{} is no grant and no order", other.name()),
    }
}

/// Redeems and orders until told to stop; every third request is sent twice at once, as impatient members do.
async fn caller(client: Client, programme: u32, at: u64, stop: Arc<AtomicBool>, told: Arc<Mutex<Told>>) {
    let mut turn = at;
    while !stop.load(Ordering::Relaxed) {
        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let member = (turn >> 40) % MEMBERS;
        if turn >> 36 & 7 == 0 {
            let number = MEMBERS + (turn >> 8);
            let order = order(member, number, client.server_ms() - 1_000);
            let (first, again) = tokio::join!(
                client.record_order(programme, order, calmly()),
                client.record_order(programme, order, calmly())
            );
            let (first, again) = (first.unwrap(), again.unwrap());
            assert_eq!(ledger(&first), ledger(&again), "an order has one entry, however often it is sent");
            let mut told = told.lock().unwrap();
            told.entry(ledger(&first));
            told.orders += 1;
            *told.grants.entry(member).or_default() += 0;
            continue;
        }
        let redeem = Redeem { member: MemberKey::from_number(member), campaign: 1, offer: 1 };
        let options = CallOptions { id: Some(client.mint()), ..calmly() };
        let answer = client.redeem(programme, redeem, options).await.unwrap();
        assert_eq!(answer.name(), "granted");
        if turn.is_multiple_of(3) {
            let again = client.redeem(programme, redeem, options).await.unwrap();
            // The window may have forgotten it by now; what it says must never be another grant.
            assert!(again == answer || again.name() == "stale", "{} after {}", again.name(), answer.name());
        }
        let mut told = told.lock().unwrap();
        told.entry(ledger(&answer));
        *told.grants.entry(member).or_default() += 1;
    }
}

/// What a round of cycles came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Changes that were acknowledged, and found again.
    pub acknowledged: u64,
}

/// Kills a server so many times, each while it answers under full load, and checks the books at the end. `killed` is told of each.
pub async fn round(kills: u64, seed: u64, mut killed: impl FnMut()) -> Round {
    let site = Site::with(&[BUNDLE]);
    let mut server = site.serve(&["--snapshot-every", "2s"]);
    let client = site.client("gateway").await;
    let programme = client.programme("killed").unwrap();
    let next = Arc::new(AtomicU64::new(0));
    let enrolling = (0..64).map(|_| {
        let (client, next) = (client.clone(), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let member = next.fetch_add(1, Ordering::Relaxed);
                if member >= MEMBERS {
                    return;
                }
                enrolled(&client, programme, member).await;
            }
        })
    });
    for task in enrolling.collect::<Vec<_>>() {
        task.await.unwrap();
    }

    let (stop, told) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Told::default())));
    let callers = (0..CALLERS)
        .map(|at| {
            let (at, stop, told) = (seed * CALLERS + at, Arc::clone(&stop), Arc::clone(&told));
            tokio::spawn(caller(client.clone(), programme, at, stop, told))
        })
        .collect::<Vec<_>>();
    for kill in 0..kills {
        let before = told.lock().unwrap().entries.len();
        tokio::time::sleep(Duration::from_millis(200 + (seed + kill) * 37 % 300)).await;
        // A kill counts only under load: wait until this server has answered a good deal.
        while told.lock().unwrap().entries.len() < before + 2_000 {
            assert!(!callers.iter().any(|caller| caller.is_finished()), "a caller has found something wrong");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill();
        killed();
        server = site.serve(&["--snapshot-every", "2s"]);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    for task in callers {
        task.await.unwrap();
    }
    let told = std::mem::take(&mut *told.lock().unwrap());
    verify(&site, &client, programme, &told).await;
    // The last one too, and then every way to the state: each snapshot with its log.
    server.kill();
    let verified = within_patience(tidegate(&["verify"]).arg(site.data()));
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    Round { acknowledged: told.entries.len() as u64 }
}

async fn verify(site: &Site, client: &Client, programme: u32, told: &Told) {
    let granted: u64 = told.grants.values().sum();
    let campaign = GetCampaign { campaign: 1, slug: Text::default() };
    let Body::CampaignView(view) = client.get_campaign(programme, campaign, calmly()).await.unwrap().body else {
        panic!("a campaign's view")
    };
    assert_eq!(view.granted_ever, granted, "grants in the books are the grants told");
    let mut balances = 0;
    for member in 0..MEMBERS {
        let get = GetMember { member: MemberKey::from_number(member) };
        let Body::MemberView(view) = client.get_member(programme, get, calmly()).await.unwrap().body else {
            panic!("a member's view")
        };
        let grants = told.grants.get(&member).copied().unwrap_or(0);
        let used = view.limits.as_slice().first().map_or(0, |limit| u64::from(limit.used));
        assert_eq!(used, grants, "member {member}");
        assert_eq!(view.earned - view.balance, grants as i64, "member {member} paid for what it got");
        balances += view.balance;
    }
    let issued = (MEMBERS + told.orders) as i64 * POINTS;
    assert_eq!(balances, issued - granted as i64, "every order counts once");

    let operator = site.client("operator").await;
    let Body::StatusView(status) = operator.status(GetStatus { books: 1 }, calmly()).await.unwrap().body else {
        panic!("a status")
    };
    let figure = |name: &str| status.figures.as_slice().iter().find(|f| f.name.as_str() == name).unwrap().value;
    let fact = |name: &str| status.facts.as_slice().iter().find(|f| f.name.as_str() == name).unwrap();
    assert_eq!(fact("books_balance").value.as_str(), "yes");
    assert_eq!(figure("log_fdatasyncs"), figure("log_epochs") + figure("log_closing_blocks"));
}
