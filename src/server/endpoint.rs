//! One endpoint on one thread: accepts connections, releases answers when the watermark moves, drains and stops.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use quinn::{IdleTimeout, VarInt};
use tidegate_client::transport;
use tidegate_protocol::code::close;
use tidegate_protocol::frame::{self, Kind};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{LocalSet, spawn_local};

use super::connection;
use super::fencing::Sessions;
use super::node::Node;
use super::outbox::{Outbox, ReleaseQueue, Waits};
use super::traffic::Traffic;
use super::{reset, starting, stream};
use crate::log::Promise;
use crate::store::{HashKeys, Turn};

/// Streams that one connection may have open.
const STREAMS_MOST: u32 = 16;
/// Connections that may be open at once.
pub(super) const CONNECTIONS_MOST: i64 = 1024;
/// What a stream may send ahead of what is read of it: a whole frame fits.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
/// What a connection may.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// How long draining waits for answers to be read.
const DRAIN_MOST: Duration = Duration::from_secs(5);

/// How long the last words of closed connections may take. The next server cannot listen before that.
const CLOSE_MOST: Duration = Duration::from_millis(100);

/// What can end a server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The TLS configuration does not fit QUIC.
    #[error("the TLS configuration cannot be used for QUIC: {0}")]
    Tls(String),
    /// The log failed: what was not durable is answered to nobody.
    #[error("the log failed: {0}; a restart recovers everything that was acknowledged")]
    Log(String),
}

/// What the tasks of one endpoint share. Lives on its thread.
pub(super) struct Shared {
    pub(super) node: Arc<Node>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) sessions: Sessions,
    pub(super) queue: ReleaseQueue,
    pub(super) turn: RefCell<Turn>,
    /// Places for frames that are completed on other threads.
    pub(super) aside: Arc<Semaphore>,
    outboxes: RefCell<Vec<Weak<Outbox>>>,
    promise: RefCell<Promise>,
}

impl Shared {
    /// A new stream's outbox.
    pub(super) fn outbox(&self) -> Rc<Outbox> {
        let outbox = Rc::new(Outbox::default());
        let mut outboxes = self.outboxes.borrow_mut();
        outboxes.retain(|known| known.strong_count() > 0);
        outboxes.push(Rc::downgrade(&outbox));
        outbox
    }

    /// Takes from an outbox what may be told now.
    pub(super) fn take(&self, outbox: &Outbox, out: &mut Vec<u8>) {
        let durable = self.node.log.watermark.durable();
        outbox.take(&mut self.promise.borrow_mut(), durable, self.node.started.elapsed(), out);
    }

    fn open_outboxes(&self) -> Vec<Rc<Outbox>> {
        self.outboxes.borrow().iter().filter_map(Weak::upgrade).collect()
    }
}

/// A bound address, before there is a node behind it.
pub struct Listener {
    endpoint: quinn::Endpoint,
    traffic: Arc<Traffic>,
}

impl Listener {
    /// Binds; must be called within the runtime that everything after runs on. `keys` are the data directory's.
    pub fn bind(address: SocketAddr, tls: rustls::ServerConfig, keys: HashKeys) -> Result<Listener, ServeError> {
        let config = configuration(tls)?;
        let failed = |source| ServeError::Bind { address, source };
        let endpoint = transport::endpoint(reset::endpoint_config(keys), Some(config), address).map_err(failed)?;
        Ok(Listener { endpoint, traffic: Arc::new(Traffic::default()) })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// Tells whoever connects that the server is starting, until this is dropped.
    pub async fn starting(&self, health: &Arc<super::http::Health>) {
        starting::answer(&self.endpoint, &self.traffic, health).await;
    }

    /// Puts a node behind it.
    pub fn serve(self, node: Arc<Node>) -> Endpoint {
        let Listener { endpoint, traffic } = self;
        Endpoint { endpoint, node, traffic }
    }
}

/// A bound endpoint.
pub struct Endpoint {
    endpoint: quinn::Endpoint,
    node: Arc<Node>,
    traffic: Arc<Traffic>,
}

impl Endpoint {
    /// Binds for a node that is there; must be called within the runtime that [`Endpoint::run`] runs on.
    pub fn bind(address: SocketAddr, tls: rustls::ServerConfig, node: Arc<Node>) -> Result<Endpoint, ServeError> {
        Ok(Listener::bind(address, tls, node.store.shape().keys)?.serve(node))
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// What passes through it.
    pub fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    /// Makes the endpoint and what it knows visible to those who watch over HTTP.
    pub fn show(&self, health: &super::http::Health) {
        health.ready((Arc::clone(&self.node), Arc::clone(&self.traffic)));
    }

    /// Trusts and presents other certificates from the next connection on.
    pub fn set_tls(endpoint: &quinn::Endpoint, tls: rustls::ServerConfig) -> Result<(), ServeError> {
        endpoint.set_server_config(Some(configuration(tls)?));
        Ok(())
    }

    /// A handle for [`Endpoint::set_tls`].
    pub fn handle(&self) -> quinn::Endpoint {
        self.endpoint.clone()
    }

    /// Serves until `drain` is told, then drains: changes are refused, what was decided is answered. The node is left
    /// running. Fails at once if the log does.
    pub async fn run(self, drain: Arc<Notify>) -> Result<(), ServeError> {
        let Endpoint { endpoint, node, traffic } = self;
        let moved = Arc::new(Notify::new());
        let wake = Arc::clone(&moved);
        node.log.watermark.on_move(Box::new(move || wake.notify_one()));
        let promise = RefCell::new(Promise::new(node.durability));
        let shared = Rc::new(Shared {
            node,
            traffic,
            sessions: Sessions::default(),
            queue: ReleaseQueue::default(),
            turn: RefCell::default(),
            aside: Arc::new(Semaphore::new(stream::ASIDE_MOST)),
            outboxes: RefCell::default(),
            promise,
        });
        let local = LocalSet::new();
        let served = local.run_until(async {
            let accepting = spawn_local(accept(endpoint.clone(), Rc::clone(&shared)));
            let failed = release(&shared, &moved);
            tokio::pin!(failed);
            tokio::select! {
                () = &mut failed => {}
                () = drain.notified() => {
                    tokio::select! {
                        () = &mut failed => {}
                        () = drained(&shared) => {}
                    }
                }
            }
            accepting.abort();
            let log = &shared.node.log;
            let (code, result) = match log.failure() {
                Some(failure) => (close::LOG_FAILED, Err(ServeError::Log(failure))),
                None => (close::DRAINING, Ok(())),
            };
            endpoint.close(VarInt::from_u32(code), b"");
            let _ = tokio::time::timeout(CLOSE_MOST, endpoint.wait_idle()).await;
            result
        });
        served.await
    }
}

fn configuration(tls: rustls::ServerConfig) -> Result<quinn::ServerConfig, ServeError> {
    let crypto =
        quinn::crypto::rustls::QuicServerConfig::try_from(tls).map_err(|error| ServeError::Tls(error.to_string()))?;
    let mut transport = transport::transport();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_MOST))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(u64::from(CONNECTION_WINDOW_BYTES))
        .datagram_receive_buffer_size(None)
        .initial_rtt(Duration::from_millis(10))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(30_000))))
        .keep_alive_interval(Some(Duration::from_secs(10)));
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport))
        .max_incoming(256)
        .incoming_buffer_size(1 << 16)
        .incoming_buffer_size_total(8 << 20);
    Ok(config)
}

async fn accept(endpoint: quinn::Endpoint, shared: Rc<Shared>) {
    while let Some(incoming) = endpoint.accept().await {
        spawn_local(connection::serve(Rc::clone(&shared), incoming));
    }
}

/// Releases answers whenever the watermark moves; ends only if the log failed.
async fn release(shared: &Shared, moved: &Notify) {
    let watermark = &shared.node.log.watermark;
    loop {
        moved.notified().await;
        shared.queue.release(watermark.durable());
        if watermark.has_failed() {
            return;
        }
    }
}

/// Tells every stream that the server is going, and waits until all that was decided has been handed over.
async fn drained(shared: &Shared) {
    for outbox in shared.open_outboxes() {
        outbox.frame_read();
        outbox.put(Waits::default(), |out| frame::write(out, Kind::Draining, 0, 0, |_| {}));
        outbox.wake();
    }
    let all_gone = async {
        while shared.open_outboxes().iter().any(|outbox| outbox.in_flight() > 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = tokio::time::timeout(DRAIN_MOST, all_gone).await;
    // Handed to the transport is not yet on the way.
    tokio::time::sleep(Duration::from_millis(50)).await;
}
