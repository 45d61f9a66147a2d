//! A connection: its certificate, its `HELLO`, its streams.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quinn::VarInt;
use tidegate_protocol::code::close;
use tidegate_protocol::frame::{self, BODY_BYTES_MOST, HEADER_BYTES, Header, Kind};
use tidegate_protocol::hello::{Hello, HelloRefused, ProgrammeName, VERSIONS, Welcome};
use tidegate_protocol::{Encode, List, Prose, Text, batch, decode, encode};
use tokio::task::spawn_local;

use super::endpoint::{CONNECTIONS_MOST, Shared};
use super::fencing::Pass;
use super::identity::Identity;
use super::stream;
use super::traffic::Traffic;
use crate::engine::{AHEAD_MS_MOST, DEADLINE_MS_MOST};

/// How long a peer may take for the handshake, and again for its `HELLO`.
const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// Connections, handshakes included, beyond which a new address must prove itself.
const UNPROVEN_MOST: i64 = 64;
/// When to come back while the server drains: the next one says soon itself how far it is.
const DRAINING_MS: u32 = 50;
/// Frames in flight on a stream.
pub(super) const IN_FLIGHT_MOST: u16 = 256;

/// A connection that was welcomed.
pub(super) struct Peer {
    pub(super) connection: quinn::Connection,
    pub(super) identity: Identity,
    pub(super) pass: Rc<Pass>,
}

impl Peer {
    /// Ends the connection with a typed code.
    pub(super) fn close(&self, code: u32, reason: &str) {
        self.connection.close(VarInt::from_u32(code), reason.as_bytes());
    }
}

/// Serves a connection to its end.
pub(super) async fn serve(shared: Rc<Shared>, incoming: quinn::Incoming) {
    let traffic = Arc::clone(&shared.traffic);
    if !connected(&traffic, incoming, |connection| async move { greet(&shared, connection).await }).await {
        Traffic::add(&traffic.connections_refused, 1);
    }
}

/// Takes a connection in, if there is room for it, and hands it to `greet` once its handshake is done; whether it was.
pub(super) async fn connected<F: Future<Output = ()>>(
    traffic: &Traffic,
    incoming: quinn::Incoming,
    greet: impl FnOnce(quinn::Connection) -> F,
) -> bool {
    let open = traffic.connections_open.load(Ordering::Relaxed);
    if open >= CONNECTIONS_MOST {
        incoming.refuse();
        return false;
    }
    // Among many, an address must first show that it is real: handshakes are dear, and a made-up sender costs it nothing.
    if open >= UNPROVEN_MOST && !incoming.remote_address_validated() {
        let _ = incoming.retry();
        return true;
    }
    // From here on it counts, so that handshakes are bounded too.
    traffic.opened(1);
    let connection = handshake(incoming).await;
    let taken = connection.is_some();
    if let Some(connection) = connection {
        greet(connection).await;
    }
    traffic.opened(-1);
    taken
}

async fn handshake(incoming: quinn::Incoming) -> Option<quinn::Connection> {
    let connecting = incoming.accept().ok()?;
    let connection = tokio::time::timeout(HELLO_WITHIN, connecting).await.ok()?;
    connection.inspect_err(|error| tracing::info!(%error, "a handshake failed")).ok()
}

/// Hears the `HELLO` and serves what follows.
async fn greet(shared: &Rc<Shared>, connection: quinn::Connection) {
    let refused = |shared: &Shared| Traffic::add(&shared.traffic.connections_refused, 1);
    let welcomed = tokio::time::timeout(HELLO_WITHIN, welcome(shared, &connection)).await;
    match welcomed {
        Ok(Ok((peer, send, recv))) => {
            Traffic::add(&shared.traffic.connections, 1);
            streams(shared, Rc::new(peer), send, recv).await;
        }
        Ok(Err(())) => refused(shared),
        Err(_) => {
            refused(shared);
            connection.close(VarInt::from_u32(close::TIME_OUT), b"no HELLO in time");
        }
    }
}

async fn streams(shared: &Rc<Shared>, peer: Rc<Peer>, send: quinn::SendStream, recv: quinn::RecvStream) {
    stream::serve(Rc::clone(shared), Rc::clone(&peer), send, recv);
    while let Ok((send, recv)) = peer.connection.accept_bi().await {
        stream::serve(Rc::clone(shared), Rc::clone(&peer), send, recv);
    }
    if peer.pass.is_shut_out() {
        Traffic::add(&shared.traffic.connections_fenced, 1);
    }
}

type Welcomed = (Peer, quinn::SendStream, quinn::RecvStream);

/// Reads and answers the `HELLO`; a refusal has been told when this fails.
async fn welcome(shared: &Shared, connection: &quinn::Connection) -> Result<Welcomed, ()> {
    let (mut send, mut recv) = connection.accept_bi().await.map_err(drop)?;
    let (correlation, hello) = hello(connection, &mut recv).await;
    match hello.and_then(|(identity, version, hello)| admit(shared, identity, version, &hello)) {
        Ok((identity, pass, welcome)) => {
            durable(shared).await?;
            tell(&mut send, Kind::Welcome, correlation, &welcome).await?;
            let peer = Peer { connection: connection.clone(), identity, pass };
            Ok((peer, send, recv))
        }
        Err(refused) => {
            refuse(connection, send, correlation, &refused).await;
            Err(())
        }
    }
}

/// Hears the `HELLO` of a peer that nothing can be done for yet, and refuses it: with what is wrong with it, or else with
/// `why`.
pub(super) async fn refuse_within(connection: &quinn::Connection, why: impl FnOnce() -> HelloRefused) {
    let refusing = async {
        let Ok((send, mut recv)) = connection.accept_bi().await else { return };
        let (correlation, hello) = hello(connection, &mut recv).await;
        let refused = hello.err().unwrap_or_else(why);
        refuse(connection, send, correlation, &refused).await;
    };
    if tokio::time::timeout(HELLO_WITHIN, refusing).await.is_err() {
        connection.close(VarInt::from_u32(close::TIME_OUT), b"no HELLO in time");
    }
}

async fn refuse(connection: &quinn::Connection, mut send: quinn::SendStream, correlation: u64, refused: &HelloRefused) {
    tracing::info!(reason = refused.sentence.as_str(), "HELLO refused");
    if tell(&mut send, Kind::HelloRefused, correlation, refused).await.is_err() {
        return;
    }
    let _ = send.finish();
    // The peer closes when it has read the refusal; a peer that does not is closed.
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.closed()).await;
    connection.close(VarInt::from_u32(close::HELLO), refused.sentence.as_str().as_bytes());
}

/// Who says hello, the version that both speak, and what was said; or what is wrong with it. With the frame's correlation.
async fn hello(
    connection: &quinn::Connection,
    recv: &mut quinn::RecvStream,
) -> (u64, Result<(Identity, u16, Hello), HelloRefused>) {
    let identity = match identity(connection) {
        Ok(identity) => identity,
        Err(sentence) => return (0, Err(refusal(HelloRefused::NO_ROLE, 0, sentence))),
    };
    match read_hello(recv).await {
        Ok((correlation, hello)) => (correlation, version(&hello).map(|version| (identity, version, hello))),
        Err(sentence) => (0, Err(refusal(HelloRefused::MALFORMED, 0, sentence))),
    }
}

fn version(hello: &Hello) -> Result<u16, HelloRefused> {
    let (ours_min, ours_max) = VERSIONS;
    let version = hello.version_max.min(ours_max);
    if version < hello.version_min.max(ours_min) {
        let (min, max) = (hello.version_min, hello.version_max);
        let sentence = format!("the client speaks versions {min} to {max}, this server {ours_min} to {ours_max}");
        return Err(refusal(HelloRefused::VERSION, 0, sentence));
    }
    Ok(version)
}

fn identity(connection: &quinn::Connection) -> Result<Identity, String> {
    let presented = connection.peer_identity().ok_or("no client certificate was presented")?;
    let chain = presented
        .downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>()
        .map_err(|_| "the client certificate is of an unknown kind")?;
    let leaf = chain.first().ok_or("the client certificate is empty")?;
    Identity::from_certificate(leaf).map_err(|error| error.to_string())
}

async fn read_hello(recv: &mut quinn::RecvStream) -> Result<(u64, Hello), String> {
    let mut header = [0; HEADER_BYTES];
    recv.read_exact(&mut header).await.map_err(|error| error.to_string())?;
    let header = Header::decode(&header).map_err(|error| error.to_string())?;
    if header.kind != Kind::Hello || header.length > 4096 {
        return Err("the first frame must be a HELLO of at most 4096 bytes".into());
    }
    let mut body = vec![0; header.length as usize];
    recv.read_exact(&mut body).await.map_err(|error| error.to_string())?;
    let hello = decode::<Hello>(&body).map_err(|error| error.to_string())?;
    Ok((header.correlation, hello))
}

async fn tell<T: Encode>(send: &mut quinn::SendStream, kind: Kind, correlation: u64, body: &T) -> Result<(), ()> {
    let mut bytes = Vec::new();
    frame::write(&mut bytes, kind, 0, correlation, |out| encode(body, out));
    send.write_all(&bytes).await.map_err(drop)
}

/// Waits until the versions that a `WELCOME` tells are durable (I4).
async fn durable(shared: &Shared) -> Result<(), ()> {
    let (epoch, watermark) = (shared.node.store.programmes_epoch(), &shared.node.log.watermark);
    while watermark.durable() < epoch {
        if watermark.has_failed() {
            return Err(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

pub(super) fn refusal(reason: u16, retry_ms: u32, sentence: String) -> HelloRefused {
    let (version_min, version_max) = VERSIONS;
    let sentence = Prose::cut(&sentence);
    HelloRefused { reason, version_min, version_max, retry_ms, progress_per_mille: 0, sentence }
}

fn admit(
    shared: &Shared,
    identity: Identity,
    version: u16,
    hello: &Hello,
) -> Result<(Identity, Rc<Pass>, Welcome), HelloRefused> {
    if shared.node.is_draining() {
        return Err(refusal(HelloRefused::DRAINING, DRAINING_MS, "the server is going; come back in a moment".into()));
    }
    let pass = shared.sessions.admit(hello.instance, hello.session).map_err(|in_force| {
        let sentence = format!("session {} is below session {in_force}, which is in force", hello.session);
        refusal(HelloRefused::FENCED, 0, sentence)
    })?;
    let programmes = shared.node.store.programmes();
    let admitted = programmes.iter().filter(|active| identity.programmes.admits(&active.programme.slug));
    let name = |active: &Arc<crate::store::Active>| ProgrammeName {
        number: active.number,
        version: active.version,
        slug: Text::try_from(active.programme.slug.as_str()).unwrap_or_default(),
    };
    let welcome = Welcome {
        version,
        server_ms: shared.node.clock.now_ms(),
        directory: shared.node.directory,
        lineage: u32::from(shared.node.store.shape().lineage),
        body_bytes_most: BODY_BYTES_MOST as u32,
        entries_most: batch::ENTRIES_MOST as u16,
        in_flight_most: IN_FLIGHT_MOST,
        deadline_ms_most: DEADLINE_MS_MOST,
        ahead_ms_most: AHEAD_MS_MOST as u32,
        programmes: List::cut(admitted.map(name)),
    };
    Ok((identity, pass, welcome))
}

/// Runs a task of a connection on its thread.
pub(super) fn spawn(task: impl Future<Output = ()> + 'static) {
    drop(spawn_local(task));
}
