//! The gateway client against a scripted server: what it sends again, when, and where.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quinn::{Connection, Endpoint, RecvStream, SendStream, VarInt};
use tidegate::operator::certs;
use tidegate::server::identity::{Identity, Role, Scope, server_config};
use tidegate_client::{CallError, CallOptions, Client, ClientOptions, Loss, client_config};
use tidegate_protocol::batch::{Entries, Entry, finish_answers, push_answer, start_answers};
use tidegate_protocol::frame::{self, HEADER_BYTES, Header, Kind};
use tidegate_protocol::hello::{Hello, HelloRefused, ProgrammeName, Welcome};
use tidegate_protocol::refusal::{Later, Plain};
use tidegate_protocol::{Body, List, MemberKey, Prose, answer, code, decode, encode, operation};

const SERVER_MS: i64 = 1_800_000_000_000;

/// A server whose every word the test decides.
struct Scripted {
    endpoint: Endpoint,
    certs: tempfile::TempDir,
}

impl Scripted {
    fn new() -> Scripted {
        let certs = tempfile::tempdir().unwrap();
        certs::make(certs.path(), &Scope::All).unwrap();
        Scripted { endpoint: endpoint(certs.path()), certs }
    }

    fn address(&self) -> SocketAddr {
        self.endpoint.local_addr().unwrap()
    }

    fn options(&self) -> ClientOptions {
        let tls = client_config(self.certs.path(), "gateway").unwrap();
        ClientOptions { streams: 1, ..ClientOptions::new(vec![self.address()], "localhost", tls) }
    }

    /// Accepts a connection and reads its hello.
    async fn greet(&self) -> (Peer, Hello) {
        let connection = self.endpoint.accept().await.unwrap().await.unwrap();
        let (send, receive) = connection.accept_bi().await.unwrap();
        let mut peer = Peer { connection, send, receive };
        let (header, body) = peer.read().await;
        assert_eq!(header.kind, Kind::Hello);
        (peer, decode(&body).unwrap())
    }

    async fn welcome(&self) -> (Peer, Hello) {
        let (mut peer, hello) = self.greet().await;
        let programme = ProgrammeName { number: 7, version: 1, slug: "club".try_into().unwrap() };
        let welcome = Welcome {
            version: 1,
            server_ms: SERVER_MS,
            directory: [1; 16],
            lineage: 1,
            body_bytes_most: 1 << 20,
            entries_most: 256,
            in_flight_most: 64,
            deadline_ms_most: 60_000,
            ahead_ms_most: 5_000,
            programmes: List::cut([programme]),
        };
        peer.write(Kind::Welcome, 0, |out| encode(&welcome, out)).await;
        (peer, hello)
    }
}

fn endpoint(certs: &Path) -> Endpoint {
    let tls = quinn::crypto::rustls::QuicServerConfig::try_from(server_config(certs).unwrap()).unwrap();
    Endpoint::server(quinn::ServerConfig::with_crypto(Arc::new(tls)), "127.0.0.1:0".parse().unwrap()).unwrap()
}

struct Peer {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

impl Peer {
    async fn read(&mut self) -> (Header, Vec<u8>) {
        let mut head = [0; HEADER_BYTES];
        self.receive.read_exact(&mut head).await.unwrap();
        let header = Header::decode(&head).unwrap();
        let mut body = vec![0; header.length as usize];
        self.receive.read_exact(&mut body).await.unwrap();
        (header, body)
    }

    async fn write(&mut self, kind: Kind, correlation: u64, body: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        frame::write(&mut bytes, kind, 0, correlation, body);
        self.send.write_all(&bytes).await.unwrap();
    }

    async fn refuse(&mut self, reason: u16, retry_ms: u32, sentence: &str) {
        let sentence = Prose::cut(sentence);
        let refused =
            HelloRefused { reason, version_min: 2, version_max: 2, retry_ms, progress_per_mille: 420, sentence };
        self.write(Kind::HelloRefused, 0, |out| encode(&refused, out)).await;
    }

    /// Answers the next frame, each entry as `by` says.
    async fn answer(&mut self, by: impl Fn(&Entry<'_>, u16, &mut Vec<u8>)) -> Vec<u8> {
        let (header, body) = self.read().await;
        let entries: Vec<Entry<'_>> = Entries::new(&body).unwrap().map(Result::unwrap).collect();
        let count = entries.len() as u16;
        self.write(Kind::Answers, header.correlation, |out| {
            let start = start_answers(out);
            for (index, entry) in entries.iter().enumerate() {
                by(entry, index as u16, out);
            }
            finish_answers(out, start, SERVER_MS, count);
        })
        .await;
        body
    }
}

fn granted(entry: &Entry<'_>, index: u16, out: &mut Vec<u8>) {
    let redeem: operation::Redeem = decode(entry.body).unwrap();
    let before = i64::from(redeem.offer);
    let body = answer::Granted { ledger: Default::default(), version: 1, grant: 1, before, after: 0 };
    push_answer(out, index, code::answer::GRANTED, &body);
}

fn busy(_: &Entry<'_>, index: u16, out: &mut Vec<u8>) {
    push_answer(out, index, code::answer::BUSY, &Later { retry_ms: 5 });
}

fn redeem(offer: u32) -> operation::Redeem {
    operation::Redeem { member: MemberKey::from_number(1), campaign: 1, offer }
}

/// The points before that a grant tells of; the scripted server puts the offer's number there.
fn told(body: &Body) -> i64 {
    match body {
        Body::Granted(granted) => granted.before,
        other => panic!("not granted: {other:?}"),
    }
}

#[tokio::test]
async fn concurrent_calls_share_a_frame_and_get_their_own_answers() {
    let server = Scripted::new();
    let (client, (mut peer, hello)) = tokio::join!(Client::connect(server.options()), server.welcome());
    let client = client.unwrap();
    let der = peer.connection.peer_identity().unwrap().downcast::<Vec<rustls::pki_types::CertificateDer>>().unwrap();
    assert_eq!(Identity::from_certificate(&der[0]).unwrap().role, Role::Gateway);
    assert_eq!((hello.version_min, hello.session), (1, 1));
    assert_eq!((client.programme("club"), client.programme("other")), (Some(7), None));

    let options = CallOptions::default();
    let calls = async {
        tokio::join!(
            client.redeem(7, redeem(1), options),
            client.redeem(7, redeem(2), options),
            client.redeem(7, redeem(3), options)
        )
    };
    let ((a, b, c), body) = tokio::join!(calls, peer.answer(granted));
    assert_eq!(Entries::new(&body).unwrap().left(), 3);
    let answers = [a, b, c].map(Result::unwrap);
    assert_eq!(answers.each_ref().map(|answer| told(&answer.body)), [1, 2, 3]);
    assert!(answers.iter().all(|answer| answer.durable && (answer.id.time_ms() - SERVER_MS) < 60_000));
}

#[tokio::test]
async fn busy_and_a_lost_connection_send_the_same_bytes_again() {
    let server = Scripted::new();
    let (client, (mut peer, first)) = tokio::join!(Client::connect(server.options()), server.welcome());
    let client = client.unwrap();
    let options = CallOptions { deadline: Duration::from_secs(30), id: None };
    let script = async {
        let bytes = peer.answer(busy).await;
        let (_, again) = peer.read().await;
        peer.connection.close(VarInt::from_u32(code::close::LOG_FAILED), b"");
        let (mut peer, second) = server.welcome().await;
        let last = peer.answer(granted).await;
        (bytes, again, last, second, peer)
    };
    let (answer, (bytes, again, last, second, _peer)) = tokio::join!(client.redeem(7, redeem(9), options), script);
    assert_eq!(told(&answer.unwrap().body), 9);
    assert!(bytes == again && again == last, "id and bytes are the same each time");
    assert_eq!((second.instance, second.session), (first.instance, first.session + 1));
    assert!(matches!(client.last_loss(), Some(Loss::Closed(tidegate_client::Close::LogFailed))));
}

#[tokio::test]
async fn draining_moves_on_to_the_next_address() {
    let (server, other) = (Scripted::new(), Scripted::new());
    let standby = Scripted { endpoint: endpoint(server.certs.path()), certs: other.certs };
    let mut options = server.options();
    options.addresses.push(standby.address());
    let (client, (mut peer, _)) = tokio::join!(Client::connect(options), server.welcome());
    let client = client.unwrap();
    let script = async {
        peer.answer(granted).await;
        peer.write(Kind::Draining, 0, |_| {}).await;
        let (mut peer, hello) = standby.welcome().await;
        peer.answer(granted).await;
        (hello, peer)
    };
    let calls = async {
        let first = client.redeem(7, redeem(1), CallOptions::default()).await;
        while client.last_loss().is_none() {
            tokio::task::yield_now().await;
        }
        (first, client.redeem(7, redeem(2), CallOptions::default()).await)
    };
    let ((first, second), (hello, _peer)) = tokio::join!(calls, script);
    assert_eq!((told(&first.unwrap().body), told(&second.unwrap().body), hello.session), (1, 2, 2));
}

#[tokio::test]
async fn a_dropped_call_goes_its_way() {
    let server = Scripted::new();
    let (client, (mut peer, _)) = tokio::join!(Client::connect(server.options()), server.welcome());
    let client = client.unwrap();
    {
        let call = client.redeem(7, redeem(4), CallOptions::default());
        tokio::pin!(call);
        let polled_once = tokio::time::timeout(Duration::ZERO, call).await;
        assert!(polled_once.is_err());
    }
    let body = peer.answer(granted).await;
    assert_eq!(Entries::new(&body).unwrap().left(), 1);
}

#[tokio::test]
async fn an_unanswered_call_is_unknown_and_names_its_id() {
    let server = Scripted::new();
    let (client, (mut peer, _)) = tokio::join!(Client::connect(server.options()), server.welcome());
    let client = client.unwrap();
    let (id, options) = (client.mint(), CallOptions { deadline: Duration::from_secs(1), id: None });
    let options = CallOptions { id: Some(id), ..options };
    let (answer, _) = tokio::join!(client.redeem(7, redeem(1), options), peer.read());
    assert_eq!(answer, Err(CallError::Unknown { id }));
}

#[tokio::test]
async fn what_cannot_succeed_ends_at_once_and_says_why() {
    let server = Scripted::new();
    let refuse = async {
        let (mut peer, _) = server.greet().await;
        peer.refuse(HelloRefused::VERSION, 0, "speak version 2").await;
        peer
    };
    let (client, _peer) = tokio::join!(Client::connect(server.options()), refuse);
    let loss = client.err().unwrap();
    assert!(loss.is_final() && loss.to_string().contains("speak version 2"), "{loss}");

    let stranger = Scripted::new();
    let tls = client_config(stranger.certs.path(), "gateway").unwrap();
    let options = ClientOptions { tls, ..server.options() };
    let refuse = async { server.endpoint.accept().await.unwrap().await.err() };
    let (client, refused) = tokio::join!(Client::connect(options), refuse);
    assert!(client.err().unwrap().is_final() && refused.is_some());
}

#[tokio::test]
async fn a_call_is_held_while_the_server_starts_and_sent_when_it_is_ready() {
    let server = Scripted::new();
    let (client, (mut peer, _)) = tokio::join!(Client::connect(server.options()), server.welcome());
    let client = client.unwrap();
    let options = CallOptions { deadline: Duration::from_secs(30), id: None };
    let call = tokio::spawn(async move { client.redeem(7, redeem(3), options).await });
    let sent = peer.read().await.1;
    peer.connection.close(0u32.into(), b"");
    let mut sessions = Vec::new();
    for _ in 0..5 {
        let (mut peer, hello) = server.greet().await;
        peer.refuse(HelloRefused::STARTING, 5, "the server is recovering its data").await;
        sessions.push(hello.session);
        peer.connection.closed().await;
    }
    let (mut peer, hello) = server.welcome().await;
    assert!(sessions.is_sorted_by(|a, b| a < b) && sessions[4] < hello.session, "{sessions:?}");
    assert_eq!(peer.answer(granted).await, sent, "the same bytes");
    assert_eq!(told(&call.await.unwrap().unwrap().body), 3);
}

#[tokio::test]
async fn a_call_ends_by_its_deadline_while_the_server_starts() {
    let server = Scripted::new();
    let (client, (peer, _)) = tokio::join!(Client::connect(server.options()), server.welcome());
    let client = client.unwrap();
    peer.connection.close(0u32.into(), b"");
    let starting = async {
        loop {
            let (mut peer, _) = server.greet().await;
            peer.refuse(HelloRefused::STARTING, 5, "the server is recovering its data").await;
        }
    };
    let options = CallOptions { deadline: Duration::from_millis(200), id: None };
    tokio::select! {
        answer = client.redeem(7, redeem(3), options) => {
            assert!(matches!(answer, Err(CallError::Expired { .. } | CallError::Unknown { .. })), "{answer:?}");
        }
        () = starting => unreachable!("it starts for ever"),
    }
}

#[tokio::test]
async fn an_answer_that_does_not_decode_is_told_from_a_refusal() {
    let server = Scripted::new();
    let (client, (mut peer, _)) = tokio::join!(Client::connect(server.options()), server.welcome());
    let client = client.unwrap();
    let broken = |_: &Entry<'_>, index, out: &mut Vec<u8>| push_answer(out, index, code::answer::GRANTED, &Plain {});
    let (answer, _) = tokio::join!(client.redeem(7, redeem(1), CallOptions::default()), peer.answer(broken));
    assert!(matches!(answer, Err(CallError::Malformed { .. })));
}
