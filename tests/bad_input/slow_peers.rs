//! Peers that are slow on purpose: one says no hello, one begins its hello and one a frame and never ends it, one asks for a great deal
//! and never reads the answers. Each is ended with its code; others are served meanwhile, and memory is bounded (I8).

use std::time::Duration;

use quinn::{ConnectionError, ReadError, ReadExactError, SendStream};
use tidegate_protocol::code::{close, op};
use tidegate_protocol::encode;
use tidegate_protocol::frame::{self, Header, Kind};
use tidegate_protocol::hello::VERSIONS;
use tidegate_protocol::operation::GetCampaign;

use super::process::Server;
use super::raw::{Batch, Raw, Stream, hello};
use super::well::{enrol, is_well};
use super::{ENTRIES_MOST, MEMBER, checking_in, wide};

/// A hang shows as a failure, not as a wait: twice what a slow peer has.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between one byte and the next.
const DRIP: Duration = Duration::from_millis(250);
/// Connections that never read, with as many streams as one may have.
const DEAF: usize = 2;
const STREAMS: usize = 16;
/// What all of them together may make a server hold: for each stream two frames of answers more than it may have, for each connection
/// what the transport buffers in both directions.
const BYTES_MOST: u64 = (DEAF * (STREAMS * (6 << 20) + (24 << 20))) as u64;

async fn within_patience<T>(what: &str, waits: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, waits).await.unwrap_or_else(|_| panic!("{what} is never ended"))
}

/// The code that a connection is closed with.
async fn closed(what: &str, raw: &Raw) -> u32 {
    match within_patience(what, raw.connection.closed()).await {
        ConnectionError::ApplicationClosed(close) => close.error_code.into_inner() as u32,
        other => panic!("{what}: {other}"),
    }
}

/// Sends a byte now and then, until nobody takes it.
async fn drip(mut send: SendStream, bytes: Vec<u8>) {
    for byte in bytes {
        if send.write_all(&[byte]).await.is_err() {
            return;
        }
        tokio::time::sleep(DRIP).await;
    }
}

async fn says_nothing(server: &Server, certs: &std::path::Path) {
    let raw = Raw::connect(server.address, certs, "gateway").await;
    assert_eq!(closed("a peer without a hello", &raw).await, close::TIME_OUT);
}

async fn drips_its_hello(server: &Server, certs: &std::path::Path) {
    let raw = Raw::connect(server.address, certs, "gateway").await;
    let stream = raw.stream().await;
    let mut bytes = Vec::new();
    frame::write(&mut bytes, Kind::Hello, 0, 0, |out| encode(&hello(VERSIONS), out));
    let dripping = tokio::spawn(drip(stream.send, bytes));
    assert_eq!(closed("a peer that drips its hello", &raw).await, close::TIME_OUT);
    dripping.abort();
}

async fn drips_a_frame(server: &Server, certs: &std::path::Path) {
    let (raw, _first, _) = Raw::welcomed(server.address, certs, "gateway").await;
    let Stream { send, mut receive } = raw.stream().await;
    let header = Header { length: 1 << 20, kind: Kind::Requests, flags: 0, correlation: 1 }.encode();
    let dripping = tokio::spawn(drip(send, [&header[..], &[0; 4_096]].concat()));
    let ended = within_patience("a frame that drips in", Stream::read_from(&mut receive)).await;
    let Err(ReadExactError::ReadError(ReadError::Reset(code))) = ended else { panic!("{ended:?}") };
    assert_eq!(code.into_inner() as u32, close::TIME_OUT);
    dripping.abort();
}

/// Asks on all streams for as much as can be asked for, and reads nothing.
async fn never_reads(server: &Server, certs: &std::path::Path) {
    let (raw, first, welcome) = Raw::welcomed(server.address, certs, "gateway").await;
    let known = welcome.programmes.as_slice();
    let now = welcome.server_ms;
    let large = known.iter().find(|known| known.slug.as_str() == "large").unwrap().number;
    let mut streams = vec![first];
    while streams.len() < STREAMS {
        streams.push(raw.stream().await);
    }
    let mut asking = Vec::new();
    for Stream { mut send, receive } in streams {
        asking.push(tokio::spawn(async move {
            let _unread = receive;
            let wide = GetCampaign { campaign: 0, slug: "wide".try_into().unwrap() };
            let batch =
                (0..ENTRIES_MOST).fold(Batch::default(), |batch, _| batch.with(op::GET_CAMPAIGN, large, now, &wide));
            let mut bytes = Vec::new();
            frame::write(&mut bytes, Kind::Requests, 0, 1, |out| batch.put(out));
            while send.write_all(&bytes).await.is_ok() {}
        }));
    }
    assert_eq!(closed("a peer that reads no answers", &raw).await, close::SLOW_READER);
    for task in asking {
        task.await.unwrap();
    }
}

/// Others are served for as long as this runs; gives the most memory that the server had.
async fn watched(server: &Server, done: &tokio::sync::Notify) -> u64 {
    let mut most = 0;
    let ended = done.notified();
    tokio::pin!(ended);
    loop {
        most = most.max(server.resident_bytes());
        tokio::select! {
            () = &mut ended => return most,
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
}

#[tokio::test]
async fn i8_slow_peers_are_ended_while_others_are_served_within_bounded_memory() {
    let site = checking_in();
    let bundle = site.bundle("bundle", &wide());
    let server = site.serve(&["--programme", bundle.to_str().unwrap()]);
    let certs = site.certs();
    enrol(&server, MEMBER).await;
    is_well(&server, MEMBER).await;
    let before = server.resident_bytes();
    let done = tokio::sync::Notify::new();
    let slow = async {
        let deaf = || async { tokio::join!(never_reads(&server, &certs), never_reads(&server, &certs)) };
        tokio::join!(
            says_nothing(&server, &certs),
            drips_its_hello(&server, &certs),
            drips_a_frame(&server, &certs),
            deaf()
        );
        done.notify_one();
    };
    let others = async {
        for _ in 0..20 {
            is_well(&server, MEMBER).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let (most, (), ()) = tokio::join!(watched(&server, &done), slow, others);
    let more = most.saturating_sub(before);
    println!("{} MiB before, {} MiB more at most", before >> 20, more >> 20);
    assert!(more <= BYTES_MOST, "{more} bytes more, at most {BYTES_MOST} are expected");

    let status = server.ask(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let figure = |name: &str| status["figures"][name].as_u64().unwrap();
    assert_eq!(figure("peers_too_slow"), 1 + DEAF as u64, "{status}");
    assert_eq!(figure("connections_refused"), 2, "{status}");
    is_well(&server, MEMBER).await;
}
