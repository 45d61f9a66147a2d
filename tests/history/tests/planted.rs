//! A server with a bug planted, and one without: the histories of the one are rejected, those of the other taken.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::sync::Arc;
use std::time::Duration;

use tidegate::data::{self, Options, Seed};
use tidegate::log::LogOptions;
use tidegate::operator::certs;
use tidegate::planted::{Bug, plant};
use tidegate::programme::{Bundle, BundleFile};
use tidegate::server::clock::SystemClock;
use tidegate::server::identity::{Scope, server_config};
use tidegate::server::{Endpoint, Node, SnapshotPolicy};
use tidegate::storage::Memory;
use tidegate::store::Limits;
use tidegate_client::{CallOptions, Client, ClientOptions, client_config};
use tidegate_history::{Recorder, Rules, Session, Totals, check_members, check_quota, wander};
use tidegate_protocol::operation::GetCampaign;
use tidegate_protocol::{Body, Text};
use tokio::sync::Notify;

const QUOTA: u64 = 60;
const UNDURABLE_BYTES: u64 = 256 << 10;
const RULES: Rules = Rules { check_in: 5, price: 10, times: 3 };
const BUNDLE: &str = include_str!("../history.toml");

/// Plays traffic against a server in this process, in whose thread this bug is planted; what is wrong with its history.
async fn played(bug: Option<Bug>) -> Result<(), String> {
    let certs = tempfile::tempdir().unwrap();
    certs::make(certs.path(), &Scope::All).unwrap();
    let limits = Limits { undurable_bytes: UNDURABLE_BYTES, ..Limits::default() };
    let log =
        LogOptions { segment_bytes: 1 << 22, max_epoch_bytes: 1 << 20, block_bytes: 1 << 16, ..LogOptions::default() };
    let options = Options { shards: 4, limits, log, ..Options::default() };
    let opened = data::open(Arc::new(Memory::new()), options, Some(Seed::random()), &mut |_| {}).unwrap();
    let policy = SnapshotPolicy { every: Duration::from_secs(3600), log_bytes: u64::MAX };
    let node = Node::start(opened, Arc::new(SystemClock::default()), policy, UNDURABLE_BYTES).unwrap();
    let file = BundleFile { name: "programme.toml".into(), text: BUNDLE.into() };
    let activated = node.activate(Bundle::from_files(vec![file]).unwrap(), 0, false).unwrap();
    node.log.watermark.wait(activated.epoch).unwrap();
    let tls = server_config(certs.path()).unwrap();
    let endpoint = Endpoint::bind("127.0.0.1:0".parse().unwrap(), tls, Arc::clone(&node)).unwrap();
    let (address, drain) = (endpoint.address().unwrap(), Arc::new(Notify::new()));
    plant(bug);
    let test = async {
        let tls = client_config(certs.path(), "gateway").unwrap();
        let client = Client::connect(ClientOptions::new(vec![address], "localhost", tls)).await.unwrap();
        let recorder = Recorder::default();
        let session = Session {
            recorder: recorder.clone(),
            programme: client.programme("history").unwrap(),
            paid_at_ms: client.server_ms() - 1_000,
            impatient: true,
            client: client.clone(),
        };
        let wandering = (0..8).map(|seed| tokio::spawn(wander(session.clone(), seed, 40, 200)));
        for task in wandering.collect::<Vec<_>>() {
            task.await.map_err(|error| error.to_string())?;
        }
        let get = GetCampaign { campaign: 1, slug: Text::default() };
        let Body::CampaignView(view) =
            client.get_campaign(session.programme, get, CallOptions::default()).await.unwrap().body
        else {
            panic!("a campaign's view")
        };
        let events = recorder.events();
        check_members(&RULES, &events).map_err(|rejected| rejected.to_string())?;
        check_quota(&events, Totals { quota: QUOTA, granted: view.granted_ever })
    };
    let ended = async {
        let result = test.await;
        drain.notify_one();
        result
    };
    let (served, result) = tokio::join!(endpoint.run(Arc::clone(&drain)), ended);
    plant(None);
    served.unwrap();
    node.stop().unwrap();
    result
}

#[tokio::test]
async fn a_server_without_a_bug_is_linearizable_and_exact() {
    played(None).await.unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test]
async fn canary_a_unit_returned_twice_is_rejected_from_outside() {
    let why = played(Some(Bug::UnitReturnedTwice)).await.expect_err("more is granted than there is");
    println!("{why}");
}

#[tokio::test]
async fn canary_a_dropped_deduplication_is_rejected_from_outside() {
    let why = played(Some(Bug::DroppedDeduplication)).await.expect_err("what is sent twice is applied twice");
    println!("{why}");
}
