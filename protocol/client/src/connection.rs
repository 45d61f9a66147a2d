//! One connection: the hello, and then frames out and in on several streams until it is lost.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::{EndpointConfig, RecvStream, SendStream, VarInt};
use tidegate_protocol::batch::Answers;
use tidegate_protocol::frame::{self, FLAG_NOT_DURABLE, HEADER_BYTES, Header, Kind};
use tidegate_protocol::hello::{Hello, HelloRefused, Welcome};
use tidegate_protocol::{code::close, decode, encode};

use crate::error::{Loss, lost};
use crate::{Shared, transport};

/// How long a silent server is taken for alive.
const SILENCE: Duration = Duration::from_secs(15);
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// The round trip that is assumed before one was measured: a third of the time after which the first packet is sent again, to a
/// server that may just have come back.
const FIRST_RTT: Duration = Duration::from_millis(25);
/// How long answers are waited for after the server said that it is draining.
const DRAIN: Duration = Duration::from_secs(10);
/// Frames are joined into one write up to about this size.
const WRITE_BYTES: usize = 64 << 10;

/// A connection whose hello was welcomed.
pub(crate) struct Session {
    connection: quinn::Connection,
    first: (SendStream, Frames),
    pub(crate) welcome: Welcome,
}

/// QUIC's settings for a client of few long-lived streams.
pub(crate) fn quic(tls: rustls::ClientConfig) -> Result<quinn::ClientConfig, Loss> {
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).map_err(|error| Loss::Local(error.to_string()))?;
    let mut transport = transport::transport();
    transport
        .max_idle_timeout(Some(SILENCE.try_into().expect("seconds fit")))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(FIRST_RTT)
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .receive_window(VarInt::from_u32(16 << 20))
        .stream_receive_window(VarInt::from_u32(4 << 20));
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

impl Session {
    /// Connects, says hello and waits for the welcome.
    pub(crate) async fn open(
        config: quinn::ClientConfig,
        address: SocketAddr,
        server_name: &str,
        hello: &Hello,
    ) -> Result<Session, Loss> {
        let local = |error: &dyn std::fmt::Display| Loss::Local(format!("{address}: {error}"));
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let endpoint = transport::endpoint(EndpointConfig::default(), None, any).map_err(|error| local(&error))?;
        let connecting = endpoint.connect_with(config, address, server_name).map_err(|error| local(&error))?;
        let connection = connecting.await.map_err(lost)?;
        let (mut send, receive) = connection.open_bi().await.map_err(lost)?;
        let mut bytes = Vec::new();
        frame::write(&mut bytes, Kind::Hello, 0, 0, |out| encode(hello, out));
        send.write_all(&bytes).await?;
        let mut frames = Frames { stream: receive, bytes: Vec::new(), start: 0 };
        let (header, body) = frames.next().await?;
        let malformed = |error: &dyn std::fmt::Display| Loss::Malformed(error.to_string());
        let welcome = match header.kind {
            Kind::Welcome => decode::<Welcome>(body).map_err(|error| malformed(&error))?,
            Kind::HelloRefused => {
                let refused = decode::<HelloRefused>(body).map_err(|error| malformed(&error))?;
                return Err(Loss::Refused(Box::new(refused)));
            }
            other => return Err(Loss::Malformed(format!("the first frame is {other:?}, not a welcome"))),
        };
        Ok(Session { connection, first: (send, frames), welcome })
    }

    /// Carries frames both ways on `streams` streams until the connection is lost or drained.
    pub(crate) async fn run(self, streams: usize, shared: &Arc<Shared>) -> Loss {
        let Session { connection, first, .. } = self;
        let mut tasks = tokio::task::JoinSet::new();
        let mut halves = Some(first);
        for _ in 0..streams.max(1) {
            let (send, frames) = match halves.take() {
                Some(first) => first,
                None => match connection.open_bi().await {
                    Ok((send, stream)) => (send, Frames { stream, bytes: Vec::new(), start: 0 }),
                    Err(error) => return lost(error),
                },
            };
            tasks.spawn(write(send, shared.clone()));
            tasks.spawn(read(frames, shared.clone()));
        }
        let loss = tokio::select! {
            ended = tasks.join_next() => match ended {
                Some(Ok(loss)) => loss,
                _ => Loss::Ended,
            },
            () = shared.drained() => Loss::Draining,
        };
        // No old task may take requests from the table any more.
        tasks.shutdown().await;
        // A stream that fails often does so because the connection was closed, which says more.
        let loss = connection.close_reason().map_or(loss, lost);
        connection.close(VarInt::from_u32(close::DONE), b"");
        loss
    }
}

/// Writes whatever the table has, and waits for more.
async fn write(mut stream: SendStream, shared: Arc<Shared>) -> Loss {
    let mut bytes = Vec::new();
    loop {
        let woken = shared.work.notified();
        bytes.clear();
        shared.with(|state, _| while bytes.len() < WRITE_BYTES && state.table.next_frame(&mut bytes) {});
        if bytes.is_empty() {
            woken.await;
        } else if let Err(error) = stream.write_all(&bytes).await {
            return error.into();
        }
    }
}

/// Reads answers and hands them to the table.
async fn read(mut frames: Frames, shared: Arc<Shared>) -> Loss {
    loop {
        let (header, body) = match frames.next().await {
            Ok(frame) => frame,
            Err(loss) => return loss,
        };
        match header.kind {
            Kind::Answers => {
                let durable = header.flags & FLAG_NOT_DURABLE == 0;
                let taken = Answers::new(body).and_then(|answers| shared.answers(header.correlation, answers, durable));
                if let Err(error) = taken {
                    return Loss::Malformed(error.to_string());
                }
            }
            Kind::Draining => {
                shared.with(|state, _| state.table.drain());
                shared.drain.notify_one();
            }
            other => return Loss::Malformed(format!("a frame {other:?} where only answers are expected")),
        }
    }
}

impl Shared {
    /// Returns once the server has asked clients to go, and everything in flight is answered or took too long.
    async fn drained(&self) {
        loop {
            self.drain.notified().await;
            let wait = async {
                while !self.with(|state, _| state.table.is_drained()) {
                    self.drain.notified().await;
                }
            };
            if self.with(|state, _| state.table.is_draining()) {
                let _ = tokio::time::timeout(DRAIN, wait).await;
                return;
            }
        }
    }
}

/// The frames of a stream, one by one.
struct Frames {
    stream: RecvStream,
    bytes: Vec<u8>,
    /// Where the unread part of `bytes` begins.
    start: usize,
}

impl Frames {
    /// The next whole frame. A length beyond the limit is refused before anything is kept for it.
    async fn next(&mut self) -> Result<(Header, &[u8]), Loss> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let head = self.fill(HEADER_BYTES).await?;
        let head = self.bytes[..head].first_chunk().expect("a whole header was read");
        let header = Header::decode(head).map_err(|error| Loss::Malformed(error.to_string()))?;
        self.start = self.fill(HEADER_BYTES + header.length as usize).await?;
        Ok((header, &self.bytes[HEADER_BYTES..self.start]))
    }

    async fn fill(&mut self, length: usize) -> Result<usize, Loss> {
        while self.bytes.len() < length {
            let chunk = self.stream.read_chunk(WRITE_BYTES, true).await?.ok_or(Loss::Ended)?;
            self.bytes.extend_from_slice(&chunk.bytes);
        }
        Ok(length)
    }
}
