//! A peer that writes what it likes on a real connection.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, ReadExactError, RecvStream, SendStream};
use tidegate_client::client_config;
use tidegate_protocol::batch::{Answers, finish_requests, push_entry, start_requests};
use tidegate_protocol::frame::{self, HEADER_BYTES, Header, Kind};
use tidegate_protocol::hello::{Hello, VERSIONS, Welcome};
use tidegate_protocol::{Encode, RequestId, decode, encode};

const PATIENCE: Duration = Duration::from_secs(20);

/// One bidirectional stream.
pub struct Stream {
    pub send: SendStream,
    pub receive: RecvStream,
}

/// A connection, before its hello.
pub struct Raw {
    pub connection: Connection,
    _endpoint: Endpoint,
}

pub fn hello(versions: (u16, u16)) -> Hello {
    let instance = uuid::Uuid::new_v4().into_bytes();
    Hello { version_min: versions.0, version_max: versions.1, instance, session: 1, name: Default::default() }
}

pub fn endpoint(tls: rustls::ClientConfig) -> Endpoint {
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let tls = QuicClientConfig::try_from(tls).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(tls)));
    endpoint
}

impl Raw {
    pub async fn connect(address: SocketAddr, certs: &Path, identity: &str) -> Raw {
        let endpoint = endpoint(client_config(certs, identity).unwrap());
        let connection = endpoint.connect(address, "localhost").unwrap().await.unwrap();
        Raw { connection, _endpoint: endpoint }
    }

    pub async fn stream(&self) -> Stream {
        let (send, receive) = self.connection.open_bi().await.unwrap();
        Stream { send, receive }
    }

    /// Connects and says hello; gives the welcome and its stream.
    pub async fn welcomed(address: SocketAddr, certs: &Path, identity: &str) -> (Raw, Stream, Welcome) {
        let raw = Raw::connect(address, certs, identity).await;
        let mut stream = raw.stream().await;
        stream.write(Kind::Hello, 0, |out| encode(&hello(VERSIONS), out)).await;
        let (kind, body) = stream.read().await.unwrap();
        assert_eq!(kind, Kind::Welcome);
        (raw, stream, decode(&body).unwrap())
    }
}

impl Stream {
    pub async fn write(&mut self, kind: Kind, correlation: u64, body: impl FnOnce(&mut Vec<u8>)) {
        Stream::write_to(&mut self.send, kind, correlation, body).await;
    }

    /// The same, for whoever has the sending half only.
    pub async fn write_to(send: &mut SendStream, kind: Kind, correlation: u64, body: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        frame::write(&mut bytes, kind, 0, correlation, body);
        send.write_all(&bytes).await.unwrap();
    }

    /// The next frame, or how the stream ended.
    pub async fn read(&mut self) -> Result<(Kind, Vec<u8>), ReadExactError> {
        let read = Stream::read_from(&mut self.receive);
        tokio::time::timeout(PATIENCE, read).await.expect("the server neither answers nor ends the stream")
    }

    /// The same, for whoever has the receiving half only, and waits for as long as it takes.
    pub async fn read_from(receive: &mut RecvStream) -> Result<(Kind, Vec<u8>), ReadExactError> {
        let mut head = [0; HEADER_BYTES];
        receive.read_exact(&mut head).await?;
        let header = Header::decode(&head).unwrap();
        let mut body = vec![0; header.length as usize];
        receive.read_exact(&mut body).await?;
        Ok((header.kind, body))
    }

    /// Sends a batch and gives the answers, in the order of the entries: code and body.
    pub async fn ask(&mut self, batch: &Batch) -> Vec<(u16, Vec<u8>)> {
        self.write(Kind::Requests, 7, |out| batch.put(out)).await;
        let (kind, body) = self.read().await.unwrap();
        assert_eq!(kind, Kind::Answers);
        let mut answers: Vec<_> = Answers::new(&body).unwrap().map(Result::unwrap).collect();
        answers.sort_by_key(|answer| answer.index);
        assert_eq!(answers.len(), usize::from(batch.count), "each entry has its answer");
        answers.iter().map(|answer| (answer.code, answer.body.to_vec())).collect()
    }

    /// The code that the server ends this stream with.
    pub async fn failure(&mut self) -> u32 {
        match self.read().await {
            Err(ReadExactError::ReadError(quinn::ReadError::Reset(code))) => code.into_inner() as u32,
            other => panic!("the stream is not reset: {other:?}"),
        }
    }
}

/// A batch in the making.
#[derive(Default)]
pub struct Batch {
    entries: Vec<u8>,
    count: u16,
}

impl Batch {
    pub fn with<T: Encode>(mut self, code: u16, programme: u32, server_ms: i64, body: &T) -> Batch {
        let random = *uuid::Uuid::new_v4().into_bytes().first_chunk().unwrap();
        push_entry(&mut self.entries, code, programme, 5_000, RequestId::mint(server_ms, random), body);
        self.count += 1;
        self
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        let start = start_requests(out);
        out.extend_from_slice(&self.entries);
        finish_requests(out, start, self.count);
    }
}
