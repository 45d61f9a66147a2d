//! Keeps a connection: tries the addresses in turn, waits longer after each failure, and raises the session each time, so
//! that the server drops what an older connection left undecided before the same requests come again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_protocol::hello::Hello;
use tokio::time::{Instant, sleep, timeout};

use crate::Shared;
use crate::connection::Session;
use crate::error::Loss;

/// Waits between two tries: from the first to the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));
/// How long one try may take: from the first to the longest. A server that was away when a try began hears of it only when
/// that try's packets are sent again, ever more seldom; a new try is heard sooner.
const TRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));

/// What it takes to connect.
pub(crate) struct Driver {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) server_name: String,
    pub(crate) config: quinn::ClientConfig,
    pub(crate) streams: usize,
    pub(crate) hello: Hello,
    pub(crate) next_address: usize,
}

impl Driver {
    /// Tries until a server says welcome, at most `most`; a refusal that no other try can change ends it at once.
    pub(crate) async fn connect(&mut self, most: Duration) -> Result<Session, Loss> {
        let (end, mut wait, mut within) = (Instant::now() + most, BACKOFF.0, TRY.0);
        loop {
            let loss = match self.attempt(within).await {
                Ok(session) => return Ok(session),
                Err(loss) => loss,
            };
            let pause = loss.retry_ms().map_or(wait, Duration::from_millis);
            if loss.is_final() || Instant::now() + pause > end {
                return Err(loss);
            }
            sleep(pause).await;
            wait = (wait * 2).min(BACKOFF.1);
            within = (within * 2).min(TRY.1);
        }
    }

    async fn attempt(&mut self, within: Duration) -> Result<Session, Loss> {
        let address = self.addresses[self.next_address % self.addresses.len()];
        self.next_address += 1;
        self.hello.session += 1;
        let opening = Session::open(self.config.clone(), address, &self.server_name, &self.hello);
        timeout(within, opening).await.unwrap_or(Err(Loss::TimedOut(within.as_millis() as u64)))
    }

    /// Runs the first session, and others after it, for as long as the client lives.
    pub(crate) async fn run(mut self, mut session: Session, shared: Arc<Shared>) {
        loop {
            let loss = session.run(self.streams, &shared).await;
            if !matches!(loss, Loss::Draining | Loss::Closed(crate::Close::Draining)) {
                // The same server first, unless it asked to go elsewhere: it may be back before its standby is up.
                self.next_address = self.next_address.wrapping_sub(1);
            }
            shared.lost(loss);
            session = loop {
                match self.connect(BACKOFF.1).await {
                    Ok(session) => break session,
                    Err(loss) => {
                        let last_word = loss.is_final();
                        shared.lost(loss);
                        sleep(if last_word { BACKOFF.1 } else { BACKOFF.0 }).await;
                    }
                }
            };
            shared.welcomed(&session.welcome);
        }
    }
}

/// Ends waits and passes deadlines, connected or not.
pub(crate) async fn keep_time(shared: Arc<Shared>) {
    loop {
        let sooner = shared.timer.notified();
        match shared.due() {
            Some(next) => {
                let _ = timeout(next, sooner).await;
            }
            None => sooner.await,
        }
    }
}
