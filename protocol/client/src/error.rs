//! What can go wrong: for one call, and for a connection.

use tidegate_protocol::hello::HelloRefused;
use tidegate_protocol::{Malformed, RequestId, code::close};

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// More calls are waiting than the client was told to hold. Nothing was sent.
    #[error("{0} calls are waiting already; slow down, or give the client a longer queue")]
    QueueFull(usize),
    /// The request is longer than a frame may be. Nothing was sent.
    #[error("the request has {length} bytes; the server takes at most {most} in a frame")]
    TooLong {
        /// Its bytes, as an entry of a batch.
        length: usize,
        /// The most that are allowed.
        most: usize,
    },
    /// The deadline passed before the request could be sent, or after refusals that changed nothing: it was not applied,
    /// and never will be.
    #[error("request {id} was not applied within its deadline, and never will be")]
    Expired {
        /// Its id.
        id: RequestId,
    },
    /// The deadline passed after the request was sent and before its answer came: it was applied, or never will be. Ask
    /// for the outcome of its id.
    #[error("request {id} was sent, and no answer came within its deadline: ask for its outcome")]
    Unknown {
        /// Its id.
        id: RequestId,
    },
    /// An answer came whose body is not what its code says: the request may have been applied.
    #[error("the answer to request {id} does not decode: {malformed}")]
    Malformed {
        /// The request's id.
        id: RequestId,
        /// What is wrong.
        malformed: Malformed,
    },
    /// The client was dropped while the call was waiting; like [`CallError::Unknown`].
    #[error("the client was closed before request {id} was answered: ask for its outcome")]
    Closed {
        /// Its id.
        id: RequestId,
    },
}

/// Why a connection ended, or did not begin.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Loss {
    /// The server closed the connection or a stream.
    #[error("the server closed: {0}")]
    Closed(Close),
    /// The server refused the hello.
    #[error("the server refused the hello (reason {}): {}", .0.reason, .0.sentence.as_str())]
    Refused(Box<HelloRefused>),
    /// TLS or QUIC failed, or the peer fell silent.
    #[error("{0}")]
    Transport(#[from] quinn::ConnectionError),
    /// The server sent what this protocol does not have.
    #[error("the server sent something malformed: {0}")]
    Malformed(String),
    /// The server asked clients to go elsewhere.
    #[error("the server is draining")]
    Draining,
    /// The stream ended without a reason.
    #[error("the stream ended")]
    Ended,
    /// No socket, a wrong server name, an address that cannot be connected to.
    #[error("{0}")]
    Local(String),
    /// Nothing was heard within the time set for connecting.
    #[error("no connection within {0} ms")]
    TimedOut(u64),
}

impl Loss {
    /// Whether another try of the same client can never succeed.
    pub fn is_final(&self) -> bool {
        use HelloRefused as H;
        match self {
            Loss::Refused(refused) => [H::VERSION, H::FENCED, H::MALFORMED, H::NO_ROLE].contains(&refused.reason),
            // A certificate that one side does not accept: the TLS alerts are in this range of QUIC's codes.
            Loss::Transport(quinn::ConnectionError::TransportError(error)) => is_tls(error.code),
            Loss::Transport(quinn::ConnectionError::ConnectionClosed(close)) => is_tls(close.error_code),
            _ => false,
        }
    }

    /// How long the server asked to wait before another try, milliseconds.
    pub(crate) fn retry_ms(&self) -> Option<u64> {
        match self {
            Loss::Refused(refused) if refused.retry_ms > 0 => Some(refused.retry_ms.into()),
            _ => None,
        }
    }
}

fn is_tls(code: quinn::TransportErrorCode) -> bool {
    (0x100..0x200).contains(&u64::from(code))
}

/// The server's close code, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Close {
    /// Nothing is wrong.
    #[error("it is done")]
    Done,
    /// This client broke the rules of frames or batches.
    #[error("a frame or batch was malformed")]
    Malformed,
    /// This client sent too long a frame.
    #[error("a frame was longer than allowed")]
    Oversized,
    /// The handshake went wrong.
    #[error("the hello went wrong")]
    Hello,
    /// A higher session of this instance has come.
    #[error("a higher session of this instance has come")]
    Fenced,
    /// The server is going.
    #[error("it is draining")]
    Draining,
    /// The server's log failed.
    #[error("its log failed; it must be restarted")]
    LogFailed,
    /// This client did not read its answers.
    #[error("this client does not read its answers")]
    SlowReader,
    /// Too many streams or connections.
    #[error("too many streams or connections")]
    TooMany,
    /// This client took too long.
    #[error("a frame or handshake was not completed in time")]
    TimeOut,
    /// A code that this crate does not know.
    #[error("code {0}, which this client does not know")]
    Other(u64),
}

impl From<quinn::VarInt> for Close {
    fn from(code: quinn::VarInt) -> Close {
        match u32::try_from(code.into_inner()) {
            Ok(close::DONE) => Close::Done,
            Ok(close::MALFORMED) => Close::Malformed,
            Ok(close::OVERSIZED) => Close::Oversized,
            Ok(close::HELLO) => Close::Hello,
            Ok(close::FENCED) => Close::Fenced,
            Ok(close::DRAINING) => Close::Draining,
            Ok(close::LOG_FAILED) => Close::LogFailed,
            Ok(close::SLOW_READER) => Close::SlowReader,
            Ok(close::TOO_MANY) => Close::TooMany,
            Ok(close::TIME_OUT) => Close::TimeOut,
            _ => Close::Other(code.into_inner()),
        }
    }
}

/// Gives a connection's own word on why it ended, where it has one.
pub(crate) fn lost(error: quinn::ConnectionError) -> Loss {
    match error {
        quinn::ConnectionError::ApplicationClosed(close) => Loss::Closed(close.error_code.into()),
        other => Loss::Transport(other),
    }
}

impl From<quinn::ReadError> for Loss {
    fn from(error: quinn::ReadError) -> Loss {
        match error {
            quinn::ReadError::Reset(code) => Loss::Closed(code.into()),
            quinn::ReadError::ConnectionLost(error) => lost(error),
            other => Loss::Local(other.to_string()),
        }
    }
}

impl From<quinn::WriteError> for Loss {
    fn from(error: quinn::WriteError) -> Loss {
        match error {
            quinn::WriteError::Stopped(code) => Loss::Closed(code.into()),
            quinn::WriteError::ConnectionLost(error) => lost(error),
            other => Loss::Local(other.to_string()),
        }
    }
}
