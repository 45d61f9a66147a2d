//! A full disk: changes are refused before they are decided, reads go on, and writing resumes by itself.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tidegate::data::{self, Options, Seed};
use tidegate::log::LogOptions;
use tidegate::operator::certs;
use tidegate::programme::Bundle;
use tidegate::server::clock::SystemClock;
use tidegate::server::identity::{Scope, server_config};
use tidegate::server::{Endpoint, Node, SnapshotPolicy};
use tidegate::storage::{Loss, Memory, Storage};
use tidegate::store::Limits;
use tidegate_client::{CallError, CallOptions, Client, ClientOptions, client_config};
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{Enrol, GetMember};
use tidegate_protocol::{Body, MemberKey};
use tokio::sync::Notify;

use super::process::shipped;

const SEGMENT_BYTES: u64 = 256 << 10;
pub const UNDURABLE_BYTES: u64 = 32 << 10;

/// A server in this process, on a storage that the test fills up, or slows down.
pub struct Small {
    pub storage: Memory,
    options: Options,
    pub certs: TempDir,
}

impl Small {
    pub fn new() -> Small {
        let certs = tempfile::tempdir().unwrap();
        certs::make(certs.path(), &Scope::All).unwrap();
        let log = LogOptions {
            segment_bytes: SEGMENT_BYTES,
            max_epoch_bytes: 96 << 10,
            block_bytes: 16 << 10,
            spares: 1,
            ..LogOptions::default()
        };
        let limits = Limits { undurable_bytes: UNDURABLE_BYTES, ..Limits::default() };
        Small {
            storage: Memory::new(),
            options: Options { shards: 4, limits, log, workers: 0, ..Options::default() },
            certs,
        }
    }

    /// The server's node, with the programme of daily check-ins in force.
    pub fn node_on(&self, storage: Arc<dyn Storage>) -> Arc<Node> {
        let opened = data::open(storage, self.options, Some(Seed::random()), &mut |_| {}).unwrap();
        let policy = SnapshotPolicy { every: Duration::from_secs(3600), log_bytes: u64::MAX };
        let node = Node::start(opened, Arc::new(SystemClock::default()), policy, UNDURABLE_BYTES).unwrap();
        let activated = node.activate(Bundle::read(&shipped("check-in")).unwrap(), 0, false).unwrap();
        node.log.watermark.wait(activated.epoch).unwrap();
        node
    }

    /// Who of the members survives a power loss now.
    pub fn surviving_members(&self) -> u64 {
        let storage: Arc<dyn Storage> = Arc::new(self.storage.power_loss(Loss::Lost));
        let (store, ..) = data::inspect(&storage, Limits::default(), &mut |_| {}).unwrap();
        assert!(store.books().balance());
        store.member_count()
    }

    async fn client(&self, address: std::net::SocketAddr) -> Client {
        let tls = client_config(self.certs.path(), "gateway").unwrap();
        Client::connect(ClientOptions::new(vec![address], "localhost", tls)).await.unwrap()
    }
}

/// A key spread over the shards.
fn member(number: u64) -> MemberKey {
    MemberKey::from_number(number)
}

async fn enrol(client: &Client, number: u64, deadline: Duration) -> Result<u16, CallError> {
    let options = CallOptions { deadline, id: None };
    client.enrol(1, Enrol { member: member(number) }, options).await.map(|answer| answer.code)
}

async fn is_there(client: &Client, number: u64) -> bool {
    let answer = client.get_member(1, GetMember { member: member(number) }, CallOptions::default()).await.unwrap();
    matches!(answer.body, Body::MemberView(_))
}

/// Enrols until the disk is full; gives how many were acknowledged.
async fn fill(client: &Client) -> u64 {
    let (mut acknowledged, mut refused) = (0, 0);
    loop {
        // Shorter than the hint of `storage-full`, so that the client gives it to us instead of waiting.
        match enrol(client, acknowledged + 1, Duration::from_millis(500)).await {
            Ok(answer::ENROLLED) => acknowledged += 1,
            Ok(answer::STORAGE_FULL) => return acknowledged,
            // Until it is known that the next segment is not merely late.
            Ok(answer::BUSY) | Err(CallError::Expired { .. }) => refused += 1,
            other => panic!("{other:?} after {acknowledged} members"),
        }
        assert!(acknowledged < 100_000 && refused < 1_000, "it is never told that the disk is full");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_changes_only_and_loses_nothing() {
    let small = Small::new();
    let node = small.node_on(Arc::new(small.storage.clone()));
    // Room for what is there, and no more.
    let there: usize = small.storage.paths().iter().map(|path| small.storage.bytes(path).unwrap().len()).sum();
    small.storage.set_capacity(there as u64);

    let tls = server_config(small.certs.path()).unwrap();
    let endpoint = Endpoint::bind("127.0.0.1:0".parse().unwrap(), tls, Arc::clone(&node)).unwrap();
    let (address, drain) = (endpoint.address().unwrap(), Arc::new(Notify::new()));
    let test = async {
        let client = small.client(address).await;
        let acknowledged = fill(&client).await;
        assert!(acknowledged > 100, "{acknowledged}");
        assert!(is_there(&client, 1).await && is_there(&client, acknowledged).await, "reads go on");
        assert!(!is_there(&client, acknowledged + 1).await, "what was refused was not decided");
        small.storage.set_capacity(u64::MAX);
        let resumed = enrol(&client, acknowledged + 1, Duration::from_secs(30)).await;
        assert_eq!(resumed, Ok(answer::ENROLLED), "writing resumes by itself");
        drain.notify_one();
        acknowledged + 1
    };
    let (served, acknowledged) = tokio::join!(endpoint.run(Arc::clone(&drain)), test);
    served.unwrap();
    node.stop().unwrap();
    drop(node);

    assert_eq!(
        small.surviving_members(),
        acknowledged,
        "every acknowledged member survives a power loss, and no other"
    );
}
