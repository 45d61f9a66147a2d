//! A server with one shipped programme, spoken to over QUIC as a gateway does, whose clock the test moves.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tidegate::data::{self, Options, Seed};
use tidegate::operator::certs;
use tidegate::programme::Bundle;
use tidegate::server::clock::{Clock as _, HandClock};
use tidegate::server::identity::{Scope, server_config};
use tidegate::server::{Endpoint, Node, SnapshotPolicy};
use tidegate::storage::Memory;
use tidegate::store::Limits;
use tidegate_client::{CallOptions, Client, ClientOptions, client_config};
use tidegate_protocol::answer::{LotsView, MemberView};
use tidegate_protocol::operation::{CheckIn, Enrol, GetLots, GetMember, RecordOrder, Redeem};
use tidegate_protocol::{Body, MemberKey, Text};
use tokio::sync::Notify;

/// The server, the gateway, and the clock between them.
pub struct Stage {
    clock: Arc<HandClock>,
    zone: TimeZone,
    node: Arc<Node>,
    client: Client,
    drain: Arc<Notify>,
    server: Option<JoinHandle<()>>,
    _certs: tempfile::TempDir,
}

impl Stage {
    /// Opens with a bundle of `programmes/`, at a reading of its zone's clock such as `2026-01-05 12:00`.
    pub async fn open(bundle: &str, reading: &str) -> Stage {
        let bundle = Bundle::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("programmes").join(bundle)).unwrap();
        let certs = tempfile::tempdir().unwrap();
        certs::make(certs.path(), &Scope::All).unwrap();
        let limits = Limits { members: 1_000, orders: 10_000, answers: 4_000, ..Limits::default() };
        let options = Options { shards: 2, limits, ..Options::default() };
        let opened = data::open(Arc::new(Memory::new()), options, Some(Seed::random()), &mut |_| {}).unwrap();
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let clock = Arc::new(HandClock::at(instant_ms(&zone, reading)));
        let node = Node::start(opened, clock.clone(), SnapshotPolicy::default(), limits.undurable_bytes).unwrap();
        let activated = node.activate(bundle, 0, false).unwrap();
        node.log.watermark.wait(activated.epoch).unwrap();
        let (tell, told) = mpsc::channel();
        let (drain, tls) = (Arc::new(Notify::new()), server_config(certs.path()).unwrap());
        let (serving, drained) = (Arc::clone(&node), Arc::clone(&drain));
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let endpoint = Endpoint::bind("127.0.0.1:0".parse().unwrap(), tls, serving).unwrap();
                tell.send(endpoint.address().unwrap()).unwrap();
                endpoint.run(drained).await.unwrap();
            });
        });
        let tls = client_config(certs.path(), "gateway").unwrap();
        let client = Client::connect(ClientOptions::new(vec![told.recv().unwrap()], "localhost", tls)).await.unwrap();
        Stage { clock, zone, node, client, drain, server: Some(server), _certs: certs }
    }

    /// Moves the clock on to a reading, and lets the gateway learn of it as it learns of any time: by an answer.
    pub async fn at(&mut self, reading: &str) {
        self.clock.set(instant_ms(&self.zone, reading));
        self.client.get_member(1, GetMember { member: MemberKey::from_number(0) }, patient()).await.unwrap();
    }

    /// The instant of a reading, ms since 1970.
    pub fn instant_ms(&self, reading: &str) -> i64 {
        instant_ms(&self.zone, reading)
    }

    pub async fn enrol(&self, member: u64) -> Body {
        self.client.enrol(1, Enrol { member: MemberKey::from_number(member) }, patient()).await.unwrap().body
    }

    pub async fn check_in(&self, member: u64) -> Body {
        self.client.check_in(1, CheckIn { member: MemberKey::from_number(member) }, patient()).await.unwrap().body
    }

    /// An order of so many yuan, paid now.
    pub async fn order(&self, member: u64, number: &str, yuan: i64) -> Body {
        self.record(member, number, yuan, self.clock.now_ms()).await
    }

    /// The same, paid at a reading of the clock that has passed.
    pub async fn order_paid(&self, member: u64, number: &str, yuan: i64, reading: &str) -> Body {
        self.record(member, number, yuan, self.instant_ms(reading)).await
    }

    async fn record(&self, member: u64, number: &str, yuan: i64, paid_at_ms: i64) -> Body {
        let text = |text: &str| Text::try_from(text).unwrap();
        let order = RecordOrder {
            member: MemberKey::from_number(member),
            paid_at_ms,
            amount_minor: yuan * 100,
            brand: text("house"),
            channel: text("mall"),
            store: Text::default(),
            number: text(number),
        };
        self.client.record_order(1, order, patient()).await.unwrap().body
    }

    pub async fn redeem(&self, member: u64, campaign: u32, offer: u32) -> Body {
        let body = Redeem { member: MemberKey::from_number(member), campaign, offer };
        self.client.redeem(1, body, patient()).await.unwrap().body
    }

    pub async fn member(&self, member: u64) -> MemberView {
        let asked = GetMember { member: MemberKey::from_number(member) };
        let body = self.client.get_member(1, asked, patient()).await.unwrap().body;
        let Body::MemberView(view) = body else { panic!("{body:?}") };
        view
    }

    pub async fn lots(&self, member: u64) -> LotsView {
        let asked = GetLots { member: MemberKey::from_number(member) };
        let body = self.client.get_lots(1, asked, patient()).await.unwrap().body;
        let Body::LotsView(view) = body else { panic!("{body:?}") };
        view
    }

    /// Points and the instants at which they expire, in the order in which they are spent.
    pub async fn expiries(&self, member: u64) -> Vec<(i64, i64)> {
        self.lots(member).await.lots.as_slice().iter().map(|lot| (lot.points, lot.expires_ms)).collect()
    }

    /// Ends it; the books balance.
    pub async fn close(mut self) {
        let books = self.node.store.books();
        assert!(books.balance(), "{books:?}");
        self.drain.notify_one();
        self.node.drain();
        self.server.take().unwrap().join().unwrap();
        self.node.stop().unwrap();
    }
}

fn instant_ms(zone: &TimeZone, reading: &str) -> i64 {
    let reading: DateTime = reading.replace(' ', "T").parse().unwrap();
    zone.to_timestamp(reading).unwrap().as_millisecond()
}

fn patient() -> CallOptions {
    CallOptions { deadline: Duration::from_secs(30), ..CallOptions::default() }
}
