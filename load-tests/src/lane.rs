//! One connection with one long-lived stream: bytes out, frames in, and nothing between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::{Endpoint, EndpointConfig, RecvStream, SendStream, TransportConfig, VarInt};
use tidegate_client::transport;
use tidegate_protocol::frame::{self, BODY_BYTES_MOST, HEADER_BYTES, Header, Kind};
use tidegate_protocol::hello::{Hello, HelloRefused, VERSIONS, Welcome};
use tidegate_protocol::{Text, decode, encode};

/// A connection that did not come about, or went.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaneError {
    #[error("connecting to {0}: {1}")]
    Connect(SocketAddr, String),
    #[error("the server refused the hello: {0}")]
    Refused(String),
    #[error("the connection was lost: {0}")]
    Lost(String),
    #[error("the server sent something malformed: {0}")]
    Malformed(String),
    #[error("{0}")]
    Unexpected(String),
}

/// Room for frames under way; a whole frame always fits.
const ROOM: usize = 2 * (BODY_BYTES_MOST + HEADER_BYTES);
/// Below this much free room, what is left is moved to the front.
const ROOM_LOW: usize = 256 << 10;

/// See the module.
pub(crate) struct Lane {
    pub(crate) welcome: Welcome,
    pub(crate) frames: Frames,
    send: SendStream,
    /// Kept, since dropping the last handle closes it.
    _connection: quinn::Connection,
}

/// QUIC's settings for load: windows that never hold back what may be in flight.
fn settings() -> TransportConfig {
    let mut transport = transport::transport();
    transport
        .max_idle_timeout(Some(Duration::from_secs(30).try_into().expect("seconds fit")))
        .keep_alive_interval(Some(Duration::from_secs(5)))
        .receive_window(VarInt::from_u32(16 << 20))
        .stream_receive_window(VarInt::from_u32(8 << 20));
    transport
}

/// An endpoint for all lanes, connecting with this identity.
pub(crate) fn endpoint(tls: rustls::ClientConfig, server: SocketAddr) -> Result<Endpoint, LaneError> {
    let failed = |error: &dyn std::fmt::Display| LaneError::Connect(server, error.to_string());
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).map_err(|error| failed(&error))?;
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(settings()));
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let any: SocketAddr = any.parse().expect("an address");
    let mut endpoint = transport::endpoint(EndpointConfig::default(), None, any).map_err(|error| failed(&error))?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

impl Lane {
    /// Connects and says hello. Lanes of one harness share `instance` and session 1.
    pub(crate) async fn open(endpoint: &Endpoint, server: SocketAddr, instance: [u8; 16]) -> Result<Lane, LaneError> {
        let failed = |error: &dyn std::fmt::Display| LaneError::Connect(server, error.to_string());
        let connecting = endpoint.connect(server, "localhost").map_err(|error| failed(&error))?;
        let connection = connecting.await.map_err(|error| failed(&error))?;
        let (mut send, receive) = connection.open_bi().await.map_err(|error| failed(&error))?;
        let name = Text::try_from("load-tests").expect("short");
        let hello = Hello { version_min: VERSIONS.0, version_max: VERSIONS.1, instance, session: 1, name };
        let mut out = Vec::new();
        frame::write(&mut out, Kind::Hello, 0, 0, |out| encode(&hello, out));
        send.write_all(&out).await.map_err(|error| failed(&error))?;
        let mut frames = Frames { receive, bytes: vec![0; ROOM].into(), start: 0, end: 0 };
        let welcome = frames.greeted().await?;
        Ok(Lane { welcome, send, frames, _connection: connection })
    }

    /// Sends bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), LaneError> {
        self.send.write_all(bytes).await.map_err(|error| LaneError::Lost(in_full(&error)))
    }
}

/// An error with what is behind it: quinn's own sentences end with "connection lost".
fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What the server sends.
pub(crate) struct Frames {
    receive: RecvStream,
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Frames {
    async fn greeted(&mut self) -> Result<Welcome, LaneError> {
        let malformed = |error: &dyn std::fmt::Display| LaneError::Malformed(error.to_string());
        loop {
            self.read().await?;
            let Some((header, body)) = self.frame()? else { continue };
            match header.kind {
                Kind::Welcome => return decode(body).map_err(|error| malformed(&error)),
                Kind::HelloRefused => {
                    let refused: HelloRefused = decode(body).map_err(|error| malformed(&error))?;
                    return Err(LaneError::Refused(refused.sentence.as_str().into()));
                }
                other => return Err(LaneError::Malformed(format!("a frame {other:?} instead of a welcome"))),
            }
        }
    }

    /// Waits for more bytes. Can be dropped without losing any.
    pub(crate) async fn read(&mut self) -> Result<(), LaneError> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.bytes.len() - self.end < ROOM_LOW {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        match self.receive.read(&mut self.bytes[self.end..]).await {
            Ok(Some(read)) => self.end += read,
            Ok(None) => return Err(LaneError::Lost("the server finished the stream".into())),
            Err(error) => return Err(LaneError::Lost(in_full(&error))),
        }
        Ok(())
    }

    /// The next whole frame among the bytes read.
    #[inline]
    pub(crate) fn frame(&mut self) -> Result<Option<(Header, &[u8])>, LaneError> {
        let Some(head) = self.bytes[self.start..self.end].first_chunk() else { return Ok(None) };
        let header = Header::decode(head).map_err(|error| LaneError::Malformed(error.to_string()))?;
        let body = self.start + HEADER_BYTES;
        let next = body + header.length as usize;
        if next > self.end {
            return Ok(None);
        }
        self.start = next;
        Ok(Some((header, &self.bytes[body..next])))
    }
}
