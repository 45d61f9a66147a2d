//! Many calls at once, each of which must be answered: enrolments, orders, and the questions of the proof.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate_client::{Answer, CallError, CallOptions, Client};
use tidegate_protocol::operation::RecordOrder;
use tidegate_protocol::{MemberKey, Text};
use tokio::task::JoinSet;

use super::Trouble;
use super::orders::Order;
use super::programme::{BRAND, CHANNEL};

/// Calls under way at once.
const AT_ONCE: usize = 1_024;

/// Asks `ask` of every item, many at once, and gives the answers in the items' order.
pub async fn all<T, F>(
    items: Arc<Vec<T>>,
    ask: impl Fn(Arc<Vec<T>>, usize) -> F + Clone + Send + 'static,
) -> Result<Vec<Answer>, Trouble>
where
    T: Send + Sync + 'static,
    F: Future<Output = Result<Answer, CallError>> + Send + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE.min(items.len()) {
        let (items, next, ask) = (Arc::clone(&items), Arc::clone(&next), ask.clone());
        workers.spawn(async move {
            let mut answers = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= items.len() {
                    return Ok::<_, CallError>(answers);
                }
                answers.push((at, ask(Arc::clone(&items), at).await?));
            }
        });
    }
    let mut found: Vec<Option<Answer>> = (0..items.len()).map(|_| None).collect();
    while let Some(worker) = workers.join_next().await {
        for (at, answer) in worker.expect("a worker neither panics nor is cancelled")? {
            found[at] = Some(answer);
        }
    }
    Ok(found.into_iter().map(|answer| answer.expect("every item was asked for")).collect())
}

/// How these calls are made.
pub fn patient() -> CallOptions {
    CallOptions { deadline: Duration::from_secs(30), id: None }
}

/// Records one order, under a new id.
pub async fn record(client: Client, programme: u32, orders: Arc<Vec<Order>>, at: usize) -> Result<Answer, CallError> {
    let order = &orders[at];
    let text = |text: &str| Text::try_from(text).expect("the file's names are short");
    let body = RecordOrder {
        member: MemberKey::from_number(order.member),
        paid_at_ms: order.paid_at_ms,
        amount_minor: order.amount_minor,
        brand: text(BRAND),
        channel: text(CHANNEL),
        store: text(&order.store),
        number: text(&order.number),
    };
    client.record_order(programme, body, patient()).await
}
