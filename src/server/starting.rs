//! Before the server is ready: whoever connects is checked as always, and then refused with `starting`, how far recovery is,
//! and when to come back.
//!
//! Promises: nothing is said to a peer without a good certificate; connections are bounded as later. Never: reads more of a
//! peer than its `HELLO`.

use std::sync::Arc;

use tidegate_protocol::hello::HelloRefused;

use super::connection;
use super::http::Health;
use super::traffic::Traffic;

/// Answers everybody that the server is starting, until it is dropped; refusals under way then go their way.
pub(super) async fn answer(endpoint: &quinn::Endpoint, traffic: &Arc<Traffic>, health: &Arc<Health>) {
    while let Some(incoming) = endpoint.accept().await {
        let (traffic, health) = (Arc::clone(traffic), Arc::clone(health));
        tokio::spawn(async move {
            let greeted = connection::connected(&traffic, incoming, |connection| async move {
                connection::refuse_within(&connection, || refusal(&health)).await;
            });
            greeted.await;
            Traffic::add(&traffic.connections_refused, 1);
        });
    }
}

fn refusal(health: &Health) -> HelloRefused {
    let starting = health.starting();
    let sentence = format!("the server is recovering its data: {}", starting.sentence);
    let refused = connection::refusal(HelloRefused::STARTING, starting.retry_ms, sentence);
    HelloRefused { progress_per_mille: starting.per_mille, ..refused }
}
