//! Whatever comes in wrong: each is a clear error or a typed refusal, nothing is lost, and the server is alive.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod disk_full;
mod disk_slow;
mod disk_small;
#[path = "../process/mod.rs"]
mod process;
mod raw;
mod slow_peers;
mod well;

use std::sync::Arc;

use process::{Site, shipped, tidegate, within_patience};
use quinn::crypto::rustls::QuicServerConfig;
use raw::{Batch, Raw, endpoint, hello};
use rustls::server::ServerSessionMemoryCache;
use tidegate::data::{self, Options, Seed};
use tidegate::operator::certs;
use tidegate::programme::Bundle;
use tidegate::server::clock::HandClock;
use tidegate::server::identity::{Scope, server_config};
use tidegate::server::{Node, SnapshotPolicy};
use tidegate::storage::{Disk, Storage};
use tidegate::store::Limits;
use tidegate_client::{Client, Loss, client_config};
use tidegate_protocol::batch::ENTRIES_MOST;
use tidegate_protocol::code::{answer, close, op};
use tidegate_protocol::frame::{BODY_BYTES_MOST, HEADER_BYTES, Header, Kind};
use tidegate_protocol::hello::{HelloRefused, VERSIONS};
use tidegate_protocol::operation::{CheckIn, Enrol, GetCampaign, GetMember};
use tidegate_protocol::refusal::Because;
use tidegate_protocol::{MemberKey, decode, encode};
use well::{enrol, is_well};

const MEMBER: u64 = 17;

/// A place for servers with the programme of daily check-ins.
fn checking_in() -> Site {
    Site::new(&[shipped("check-in")])
}

/// A programme `large` with a campaign `wide`: to ask for it is short, and the answer long.
fn wide() -> String {
    let mut bundle = String::from(
        "programme = \"large\"\nzone = \"Asia/Shanghai\"\ncurrency = \"CNY\"\n\
         brands = [\"house\"]\n[[tier]]\nslug = \"basic\"\nfrom = 0\n[campaign.wide]\n\
         window = { every = \"month\", from = \"1 00:00\", until = \"last 24:00\" }\n",
    );
    for offer in 0..200 {
        bundle.push_str(&format!("[[campaign.wide.offer]]\nsku = \"{offer:064}\"\nprice = {{ points = 1 }}\n"));
    }
    bundle
}

fn member(number: u64) -> MemberKey {
    MemberKey::from_number(number)
}

#[tokio::test]
async fn a_wrong_programme_file_is_named_with_its_place_and_changes_nothing() {
    let site = checking_in();
    let wrong = site.bundle("bundle", "programme = \"club\"\nzone = \"Asia/Shanghia\"\n");
    let said = site.refused(&["--programme", wrong.to_str().unwrap()]);
    assert!(said.contains("programme.toml:2:") && said.contains("Asia/Shanghai"), "{said}");

    let server = site.serve(&[]);
    enrol(&server, MEMBER).await;
    let refused = server.ask(&["activate", wrong.to_str().unwrap(), "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    let named = told["answer"] == "bundle-refused" && told["error"].as_str().unwrap().contains("programme.toml:2:");
    assert!(named, "{told}");
    is_well(&server, MEMBER).await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let (site, other) = (checking_in(), checking_in());
    let server = site.serve(&[]);
    enrol(&server, MEMBER).await;
    // It trusts this server, but what it shows was signed by somebody else.
    std::fs::copy(site.certs().join("ca.pem"), other.certs().join("ca.pem")).unwrap();
    let loss = Client::connect(server.options(&other.certs(), "gateway")).await.map(drop).unwrap_err();
    assert!(loss.is_final() && matches!(loss, Loss::Transport(_)), "{loss}");
    // A server's certificate names no role.
    let loss = Client::connect(server.options(&site.certs(), "server")).await.map(drop).unwrap_err();
    assert!(loss.is_final(), "{loss}");
    let said = server.ask(&["status", "--as", "server"]);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    is_well(&server, MEMBER).await;
}

#[tokio::test]
async fn another_programmes_certificate_can_neither_see_nor_touch_this_one() {
    let (site, other) = (checking_in(), checking_in());
    // One authority, a gateway for `flash-sale` only.
    let narrow = other.path().join("narrow");
    certs::make(&narrow, &Scope::Only(vec!["flash-sale".into()])).unwrap();
    for name in ["ca.pem", "server.pem", "server.key"] {
        std::fs::copy(narrow.join(name), site.certs().join(name)).unwrap();
    }
    for name in ["gateway.pem", "gateway.key", "operator.pem", "operator.key"] {
        std::fs::copy(narrow.join(name), site.certs().join(format!("narrow-{name}"))).unwrap();
    }
    let flash = shipped("flash-sale");
    let server = site.serve(&["--programme", flash.to_str().unwrap()]);
    let (_raw, mut stream, welcome) = Raw::welcomed(server.address, &site.certs(), "narrow-gateway").await;
    let slugs: Vec<&str> = welcome.programmes.as_slice().iter().map(|known| known.slug.as_str()).collect();
    assert_eq!(slugs, ["flash-sale"]);
    let own = welcome.programmes.as_slice()[0].number;
    let foreign = 3 - own;
    let now = welcome.server_ms;
    let batch = Batch::default()
        .with(op::ENROL, foreign, now, &Enrol { member: member(MEMBER) })
        .with(op::GET_MEMBER, foreign, now, &GetMember { member: member(MEMBER) })
        .with(op::ENROL, own, now, &Enrol { member: member(MEMBER) })
        .with(op::TAKE_SNAPSHOT, 0, now, &tidegate_protocol::operator::TakeSnapshot {});
    let codes: Vec<u16> = stream.ask(&batch).await.into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [answer::NOT_ALLOWED, answer::NOT_ALLOWED, answer::ENROLLED, answer::NOT_ALLOWED]);
    let status = server.ask(&["status", "--books", "--json", "--as", "narrow-operator"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["figures"]["books_members_check-in"], 0, "{status}");
}

#[tokio::test]
async fn early_data_is_never_taken() {
    let site = checking_in();
    let server = site.serve(&[]);
    // A server that takes early data, so that it is known that this client offers it.
    let mut willing = server_config(&site.certs()).unwrap();
    (willing.max_early_data_size, willing.send_tls13_tickets) = (u32::MAX, 2);
    willing.session_storage = ServerSessionMemoryCache::new(16);
    let willing = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(willing).unwrap()));
    let willing = quinn::Endpoint::server(willing, "127.0.0.1:0".parse().unwrap()).unwrap();
    let willing_address = willing.local_addr().unwrap();
    tokio::spawn(async move {
        while let Some(incoming) = willing.accept().await {
            let connection = incoming.await.unwrap();
            let (mut send, _) = connection.accept_bi().await.unwrap();
            send.write_all(b"x").await.unwrap();
            connection.closed().await;
        }
    });
    for (address, takes) in [(willing_address, true), (server.address, false)] {
        let mut tls = client_config(&site.certs(), "gateway").unwrap();
        tls.enable_early_data = true;
        tls.resumption = rustls::client::Resumption::in_memory_sessions(16);
        let endpoint = endpoint(tls);
        let first = endpoint.connect(address, "localhost").unwrap().await.unwrap();
        let (mut send, mut receive) = first.open_bi().await.unwrap();
        let mut bytes = Vec::new();
        tidegate_protocol::frame::write(&mut bytes, Kind::Hello, 0, 0, |out| encode(&hello(VERSIONS), out));
        send.write_all(&bytes).await.unwrap();
        // Tickets come before the first answer.
        receive.read_exact(&mut [0]).await.unwrap();
        first.close(0u32.into(), b"");
        let second = endpoint.connect(address, "localhost").unwrap();
        assert_eq!(second.into_0rtt().is_ok(), takes, "{address}");
    }
    enrol(&server, MEMBER).await;
    is_well(&server, MEMBER).await;
}

#[tokio::test]
async fn an_unknown_protocol_version_is_told_those_that_are_known() {
    let site = checking_in();
    let server = site.serve(&[]);
    enrol(&server, MEMBER).await;
    let raw = Raw::connect(server.address, &site.certs(), "gateway").await;
    let mut stream = raw.stream().await;
    stream.write(Kind::Hello, 9, |out| encode(&hello((VERSIONS.1 + 1, u16::MAX)), out)).await;
    let (kind, body) = stream.read().await.unwrap();
    let refused: HelloRefused = decode(&body).unwrap();
    assert_eq!((kind, refused.reason), (Kind::HelloRefused, HelloRefused::VERSION));
    assert_eq!((refused.version_min, refused.version_max), VERSIONS);
    is_well(&server, MEMBER).await;
}

#[tokio::test]
async fn an_unknown_or_malformed_operation_fails_only_itself() {
    let site = checking_in();
    let server = site.serve(&[]);
    enrol(&server, MEMBER).await;
    let (_raw, mut stream, welcome) = Raw::welcomed(server.address, &site.certs(), "gateway").await;
    let (programme, now) = (welcome.programmes.as_slice()[0].number, welcome.server_ms);
    let batch = Batch::default()
        .with(op::ENROL, programme, now, &Enrol { member: member(1) })
        .with(0x7fff, programme, now, &Enrol { member: member(2) })
        .with(op::CHECK_IN, programme, now, &0u8)
        .with(op::CHECK_IN, 4_000, now, &CheckIn { member: member(1) })
        .with(op::CHECK_IN, programme, now - 1_000_000, &CheckIn { member: member(1) })
        .with(op::CHECK_IN, programme, now + 1_000_000, &CheckIn { member: member(1) })
        .with(op::CHECK_IN, programme, now, &CheckIn { member: member(1) });
    let answers = stream.ask(&batch).await;
    let codes: Vec<u16> = answers.iter().map(|(code, _)| *code).collect();
    let expected = [
        answer::ENROLLED,
        answer::UNKNOWN_OPERATION,
        answer::MALFORMED_BODY,
        answer::NO_SUCH_PROGRAMME,
        answer::EXPIRED,
        answer::ID_AHEAD,
        answer::CHECKED_IN,
    ];
    assert_eq!(codes, expected);
    let because: Because = decode(&answers[2].1).unwrap();
    assert!(!because.sentence.as_str().is_empty());
    is_well(&server, MEMBER).await;
}

#[tokio::test]
async fn answers_that_do_not_fit_one_frame_are_put_off() {
    let site = checking_in();
    let bundle = site.bundle("bundle", &wide());
    let server = site.serve(&["--programme", bundle.to_str().unwrap()]);
    enrol(&server, MEMBER).await;
    let (_raw, mut stream, welcome) = Raw::welcomed(server.address, &site.certs(), "gateway").await;
    let known = welcome.programmes.as_slice();
    let number = |slug| known.iter().find(|known| known.slug.as_str() == slug).unwrap().number;
    let (large, small, now) = (number("large"), number("check-in"), welcome.server_ms);
    let wide = GetCampaign { campaign: 0, slug: "wide".try_into().unwrap() };
    let mut batch = Batch::default().with(op::ENROL, small, now, &Enrol { member: member(1) });
    for _ in 0..ENTRIES_MOST - 2 {
        batch = batch.with(op::GET_CAMPAIGN, large, now, &wide);
    }
    let batch = batch.with(op::ENROL, small, now, &Enrol { member: member(2) });
    let codes: Vec<u16> = stream.ask(&batch).await.into_iter().map(|(code, _)| code).collect();
    let count = |wanted| codes.iter().filter(|code| **code == wanted).count();
    let (told, put_off) = (count(answer::CAMPAIGN), count(answer::BUSY));
    assert!(told > 10 && put_off > 10 && told + put_off == ENTRIES_MOST - 2, "{told} told, {put_off} put off");
    assert_eq!(count(answer::ENROLLED), 2, "changes are made whatever else is asked for");
    is_well(&server, MEMBER).await;
}

#[tokio::test]
async fn broken_frames_fail_their_stream_and_no_other() {
    let site = checking_in();
    let server = site.serve(&[]);
    enrol(&server, MEMBER).await;
    let (raw, mut good, welcome) = Raw::welcomed(server.address, &site.certs(), "gateway").await;
    let (programme, now) = (welcome.programmes.as_slice()[0].number, welcome.server_ms);
    let header = |length| Header { length, kind: Kind::Requests, flags: 0, correlation: 1 }.encode().to_vec();
    let whole = |batch: &Batch| {
        let mut bytes = Vec::new();
        tidegate_protocol::frame::write(&mut bytes, Kind::Requests, 0, 1, |out| batch.put(out));
        bytes
    };
    let enrol = Batch::default().with(op::ENROL, programme, now, &Enrol { member: member(99) });
    let mut more_than_there_is = whole(&enrol);
    more_than_there_is[HEADER_BYTES] = 2;
    let mut reserved = header(4);
    reserved[6] = 1;
    let mut truncated = whole(&enrol);
    truncated.truncate(truncated.len() - 1);
    let cases: [(&str, Vec<u8>, u32); 6] = [
        ("a frame longer than allowed", header(BODY_BYTES_MOST as u32 + 1), close::OVERSIZED),
        ("garbage", vec![0xa5; 4096], close::MALFORMED),
        ("reserved bits", reserved, close::MALFORMED),
        ("a batch that states more entries than there are", more_than_there_is, close::MALFORMED),
        (
            "a second hello",
            [Header { kind: Kind::Hello, ..Header::decode(header(0).first_chunk().unwrap()).unwrap() }.encode()]
                .concat(),
            close::MALFORMED,
        ),
        ("a truncated frame", truncated, close::MALFORMED),
    ];
    for (case, bytes, code) in cases {
        let mut stream = raw.stream().await;
        stream.send.write_all(&bytes).await.unwrap();
        // A stream that goes on would be waited for; only its end shows that the last frame is cut.
        let _ = stream.send.finish();
        let failed = stream.failure().await;
        assert!(failed == code || (case == "garbage" && failed == close::OVERSIZED), "{case}: {failed}");
        let read = Batch::default().with(op::GET_MEMBER, programme, now, &GetMember { member: member(99) });
        let (code, _) = good.ask(&read).await.remove(0);
        assert_eq!(code, answer::NO_SUCH_MEMBER, "after {case}: nothing of it was applied, other streams go on");
    }
    // Not even a connection.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in [1, 21, 64, 1_200] {
        socket.send_to(&vec![0xc5; length], server.address).unwrap();
    }
    is_well(&server, MEMBER).await;
}

#[tokio::test]
async fn a_first_frame_that_is_no_hello_is_refused() {
    let site = checking_in();
    let server = site.serve(&[]);
    enrol(&server, MEMBER).await;
    for bytes in
        [vec![0xff; 64], Header { length: 4, kind: Kind::Requests, flags: 0, correlation: 0 }.encode().to_vec()]
    {
        let raw = Raw::connect(server.address, &site.certs(), "gateway").await;
        let mut stream = raw.stream().await;
        stream.send.write_all(&bytes).await.unwrap();
        let (kind, body) = stream.read().await.unwrap();
        let refused: HelloRefused = decode(&body).unwrap();
        assert_eq!((kind, refused.reason), (Kind::HelloRefused, HelloRefused::MALFORMED));
    }
    is_well(&server, MEMBER).await;
}

#[tokio::test]
async fn a_data_directory_in_use_is_refused_with_its_holder() {
    let site = checking_in();
    let mut server = site.serve(&[]);
    enrol(&server, MEMBER).await;
    let holder = format!("in use by process {}", server.id());
    let said = site.refused(&[]);
    assert!(said.contains(&holder), "{said}");
    let data = site.data();
    for command in ["verify", "inspect"] {
        let output = within_patience(tidegate(&[command]).arg(&data));
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&holder), "{command}: {said}");
    }
    is_well(&server, MEMBER).await;
    server.kill();
    let output = within_patience(tidegate(&["verify"]).arg(&data));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test]
async fn a_clock_behind_the_last_record_stops_the_start_until_an_operator_accepts_it() {
    const HOUR_MS: i64 = 3_600_000;
    let site = checking_in();
    let now_ms = jiff::Timestamp::now().as_millisecond();
    {
        let storage = Arc::new(Disk::open(site.data()).unwrap());
        let opened = data::open(storage, Options::default(), Some(Seed::random()), &mut |_| {}).unwrap();
        let clock = Arc::new(HandClock::at(now_ms + HOUR_MS));
        let node = Node::start(opened, clock, SnapshotPolicy::default(), 1 << 20).unwrap();
        let activated = node.activate(Bundle::read(&shipped("check-in")).unwrap(), 0, false).unwrap();
        node.log.watermark.wait(activated.epoch).unwrap();
        node.stop().unwrap();
    }
    let said = site.refused(&[]);
    assert!(said.contains("behind the newest record") && said.contains("--accept-clock"), "{said}");
    let output = within_patience(tidegate(&["verify"]).arg(site.data()));
    assert_eq!(output.status.code(), Some(0), "nothing is lost: {output:?}");

    let mut server = site.serve(&["--accept-clock"]);
    enrol(&server, MEMBER).await;
    is_well(&server, MEMBER).await;
    server.kill();
    // Time stood still: nothing is later than what was there before the clock was set back.
    let storage: Arc<dyn Storage> = Arc::new(Disk::open(site.data()).unwrap());
    let (store, ..) = data::inspect(&storage, Limits::default(), &mut |_| {}).unwrap();
    assert_eq!((store.latest_ms(), store.member_count()), (now_ms + HOUR_MS, 2));
}

#[tokio::test]
async fn a_peer_of_a_killed_server_is_told_at_its_next_packet() {
    let site = checking_in();
    let mut server = site.serve(&[]);
    enrol(&server, MEMBER).await;
    let (raw, mut stream, welcome) = Raw::welcomed(server.address, &site.certs(), "gateway").await;
    server.kill();
    let again = site.serve(&[]);
    let read = Batch::default().with(op::GET_MEMBER, 1, welcome.server_ms, &GetMember { member: member(MEMBER) });
    stream.write(Kind::Requests, 1, |out| read.put(out)).await;
    let told = raw.connection.closed().await;
    assert!(matches!(told, quinn::ConnectionError::Reset), "{told}");
    is_well(&again, MEMBER).await;
}

#[tokio::test]
async fn damage_before_acknowledged_data_is_named_and_stops_the_start() {
    let site = checking_in();
    let mut server = site.serve(&[]);
    enrol(&server, MEMBER).await;
    is_well(&server, MEMBER).await;
    server.kill();
    let segment = site.data().join("log/00000000000000000001.log");
    let sound = std::fs::read(&segment).unwrap();
    // The body of the first block: behind the segment's header of 512 bytes and the block's of 128.
    let mut damaged = sound.clone();
    damaged[512 + 128 + 40] ^= 1;
    std::fs::write(&segment, &damaged).unwrap();

    let named = "log/00000000000000000001.log is damaged at byte 512";
    let verified = within_patience(tidegate(&["verify"]).arg(site.data()));
    assert_eq!(verified.status.code(), Some(1));
    let said = String::from_utf8(verified.stderr).unwrap();
    assert!(said.contains(named) && said.contains("expected") && said.contains("found"), "{said}");
    let refused = site.refused(&[]);
    assert!(refused.contains(named), "{refused}");
    let inspected = within_patience(tidegate(&["inspect", "--json"]).arg(site.data()));
    let inspected: serde_json::Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(inspected["segments"][0]["broken"][0], 512, "{inspected}");

    std::fs::write(&segment, &sound).unwrap();
    is_well(&site.serve(&[]), MEMBER).await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_a_fault_to_verify_and_passed_over_at_the_start() {
    let site = checking_in();
    let mut server = site.serve(&[]);
    enrol(&server, MEMBER).await;
    assert_eq!(server.ask(&["snapshot"]).status.code(), Some(0));
    is_well(&server, MEMBER).await;
    assert_eq!(server.ask(&["snapshot"]).status.code(), Some(0));
    server.kill();
    let verified = within_patience(tidegate(&["verify", "--json"]).arg(site.data()));
    let sound: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((verified.status.code(), sound["recovered"].as_array().unwrap().len()), (Some(0), 3), "{sound}");
    let newest = site.data().join(sound["recovered"][0]["from"].as_str().unwrap());
    let mut bytes = std::fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&newest, bytes).unwrap();

    let verified = within_patience(tidegate(&["verify", "--json"]).arg(site.data()));
    let found: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified.status.code(), Some(1), "{found}");
    assert!(found["faults"][0].as_str().unwrap().contains("is damaged at byte"), "{found}");
    assert_eq!(
        found["recovered"][0]["state_hash"], sound["recovered"][0]["state_hash"],
        "the older one leads there too"
    );
    is_well(&site.serve(&[]), MEMBER).await;
}
