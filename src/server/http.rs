//! HTTP on loopback for those who watch: `/healthz`, `/readyz`, `/metrics`. On a thread of its own, so that a scrape
//! never waits in the way of requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use parking_lot::Mutex;
use tidegate_protocol::code;

use super::control::{Watched, figures};

/// What the server is at, for those who ask over HTTP, and for those who connect before it is ready.
pub struct Health {
    stage: Mutex<Stage>,
    began: Instant,
}

impl Default for Health {
    fn default() -> Health {
        Health { stage: Mutex::default(), began: Instant::now() }
    }
}

/// How far a server is that is not ready yet.
pub(super) struct Starting {
    /// About; the snapshot counts for the first half, the log for the second.
    pub(super) per_mille: u16,
    /// When to ask again.
    pub(super) retry_ms: u32,
    /// For a person.
    pub(super) sentence: String,
}

/// When to ask a starting server again: at the earliest, and at the latest.
const RETRY_MS: (u64, u64) = (10, 250);

#[derive(Default, Clone)]
enum Stage {
    #[default]
    Starting,
    Recovering {
        stage: &'static str,
        done_bytes: u64,
        total_bytes: u64,
    },
    Ready(Watched),
}

impl Health {
    /// Recovery has come this far.
    pub fn recovering(&self, progress: crate::data::Progress) {
        let crate::data::Progress { stage, done_bytes, total_bytes } = progress;
        *self.stage.lock() = Stage::Recovering { stage, done_bytes, total_bytes };
    }

    pub(super) fn ready(&self, watched: Watched) {
        *self.stage.lock() = Stage::Ready(watched);
    }

    /// How far it is.
    pub(super) fn starting(&self) -> Starting {
        let (per_mille, sentence) = match &*self.stage.lock() {
            Stage::Starting => (0, "it has just begun".to_owned()),
            Stage::Recovering { stage, done_bytes, total_bytes } => {
                let half = done_bytes * 500 / (*total_bytes).max(1);
                let before = if *stage == "log" { 500 } else { 0 };
                (before + half.min(500), format!("{stage}, {done_bytes} of {total_bytes} bytes"))
            }
            Stage::Ready(_) => (1000, "it is ready by now".to_owned()),
        };
        let elapsed_ms = self.began.elapsed().as_millis() as u64;
        // As long again as it took so far, in proportion; while that is not known, as long as it took.
        let left_ms = (elapsed_ms * (1000 - per_mille)).checked_div(per_mille).unwrap_or(elapsed_ms);
        let retry_ms = left_ms.clamp(RETRY_MS.0, RETRY_MS.1) as u32;
        Starting { per_mille: per_mille as u16, retry_ms, sentence }
    }

    fn healthz(&self) -> (StatusCode, String) {
        match &*self.stage.lock() {
            Stage::Ready((node, _)) if node.log.watermark.has_failed() => {
                (StatusCode::INTERNAL_SERVER_ERROR, "the log failed\n".into())
            }
            _ => (StatusCode::OK, "alive\n".into()),
        }
    }

    fn readyz(&self) -> (StatusCode, String) {
        let unready = StatusCode::SERVICE_UNAVAILABLE;
        let stage = self.stage.lock().clone();
        match &stage {
            Stage::Starting => (unready, "starting\n".into()),
            Stage::Recovering { .. } => {
                let Starting { per_mille, sentence, .. } = self.starting();
                (unready, format!("recovering: {sentence}, {per_mille} per mille\n"))
            }
            Stage::Ready((node, _)) if node.log.watermark.has_failed() => (unready, "the log failed\n".into()),
            Stage::Ready((node, _)) if node.is_draining() => (unready, "draining\n".into()),
            Stage::Ready(_) => (StatusCode::OK, "ready\n".into()),
        }
    }

    fn metrics(&self, exporter: &PrometheusHandle, recorder: &dyn metrics::Recorder) -> String {
        let Stage::Ready((node, traffic)) = self.stage.lock().clone() else { return String::new() };
        metrics::with_local_recorder(recorder, || {
            for (name, value) in figures(&node, &traffic) {
                metrics::gauge!(format!("tidegate_{name}")).set(value as f64);
            }
            for (code, count) in node.store.answers_given() {
                metrics::counter!("tidegate_answers_total", "code" => code::name(code)).absolute(count);
            }
        });
        exporter.render()
    }
}

/// Serves until the process ends. Refuses an address that is not loopback: nobody is asked who they are here.
pub fn serve(address: SocketAddr, health: Arc<Health>) -> std::io::Result<SocketAddr> {
    if !address.ip().is_loopback() {
        let sentence = format!("HTTP is for this machine only: {address} is not a loopback address, take 127.0.0.1");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, sentence));
    }
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("http".into()).spawn(move || {
        if let Err(error) = runtime.block_on(answer(listener, health)) {
            tracing::error!(%error, "HTTP ended");
        }
    })?;
    Ok(bound)
}

async fn answer(listener: std::net::TcpListener, health: Arc<Health>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let recorder = Arc::new(PrometheusBuilder::new().build_recorder());
    let exporter = recorder.handle();
    let (alive, ready) = (Arc::clone(&health), Arc::clone(&health));
    let router = Router::new()
        .route("/healthz", get(move || async move { alive.healthz() }))
        .route("/readyz", get(move || async move { ready.readyz() }))
        .route("/metrics", get(move || async move { health.metrics(&exporter, &*recorder) }));
    axum::serve(listener, router).await
}
