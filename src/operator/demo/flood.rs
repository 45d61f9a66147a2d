//! The flood: every member at once, impatient, over the client that gateways use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tidegate_client::{Answer, CallError, CallOptions, Client};
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::Redeem;
use tidegate_protocol::{Body, LedgerId, MemberKey, RequestId};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Long enough to outlive a server that is killed and started again.
const PATIENT: Duration = Duration::from_secs(50);

/// A grant, as it was told.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// To whom.
    pub member: u64,
    /// For which request.
    pub id: RequestId,
    /// Its entry.
    pub ledger: LedgerId,
    /// Which grant of the offer it is.
    pub grant: u64,
}

/// What has come back so far.
pub struct Counts {
    /// Grants, in the order in which they were told.
    pub told: Vec<Told>,
    /// Answers by code.
    pub answers: BTreeMap<u16, u64>,
    /// Requests sent a second time with the same id, on purpose.
    pub repeats: u64,
    /// Repeats whose grant was another than the first answer's.
    pub contradicted: u64,
    /// Calls that ended without an answer.
    pub unanswered: u64,
    /// Latencies, microseconds: of all, and since the last look.
    pub latency_us: Histogram<u64>,
    recent_us: Histogram<u64>,
}

/// What came back since the last look.
pub struct Recent {
    /// Answers.
    pub answers: u64,
    /// Microseconds that half of them took at most.
    pub p50_us: u64,
    /// Microseconds that 99 of 100 took at most.
    pub p99_us: u64,
}

/// An event under way.
pub struct Flood {
    client: Client,
    programme: u32,
    campaign: u32,
    offer: u32,
    counts: Mutex<Counts>,
}

/// What a member does next.
enum Next {
    /// It was granted, and wants more.
    Again,
    /// The window is closed: knock again.
    Knock,
    /// No further request can be granted.
    Stop,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 120_000_000, 3).expect("these bounds are allowed")
}

impl Flood {
    /// Ready to begin.
    pub fn new(client: Client, programme: u32, campaign: u32, offer: u32) -> Arc<Flood> {
        let counts = Counts {
            told: Vec::new(),
            answers: BTreeMap::new(),
            repeats: 0,
            contradicted: 0,
            unanswered: 0,
            latency_us: histogram(),
            recent_us: histogram(),
        };
        Arc::new(Flood { client, programme, campaign, offer, counts: Mutex::new(counts) })
    }

    /// What has come back so far.
    pub fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that came back, once every member has stopped.
    pub fn end(self: Arc<Self>) -> Counts {
        let flood = Arc::into_inner(self).expect("members that have stopped hold nothing");
        flood.counts.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came back since this was last asked.
    pub fn recent(&self) -> Recent {
        let mut counts = self.counts();
        let recent = &counts.recent_us;
        let quantile = |q| recent.value_at_quantile(q);
        let found = Recent { answers: recent.len(), p50_us: quantile(0.5), p99_us: quantile(0.99) };
        counts.recent_us.reset();
        found
    }

    /// Lets every member loose. The set ends when no member can be granted anything more; dropping it ends the flood.
    pub fn begin(self: &Arc<Self>, members: impl Iterator<Item = u64>) -> JoinSet<()> {
        members.map(|member| Arc::clone(self).insist(member)).collect()
    }

    /// One member: knocks until the window opens, and redeems until it cannot.
    async fn insist(self: Arc<Self>, member: u64) {
        let mut dice = Dice(member);
        sleep(dice.between(0, 1_000)).await;
        loop {
            match self.redeem(member, dice.one_in(4)).await {
                Next::Again => sleep(dice.between(100, 300)).await,
                Next::Knock => sleep(dice.between(300, 700)).await,
                Next::Stop => return,
            }
        }
    }

    /// One request; an impatient member sends it twice, with the same id.
    async fn redeem(&self, member: u64, impatient: bool) -> Next {
        let id = self.client.mint();
        let first = self.call(member, id);
        let repeat = async {
            if impatient {
                sleep(Duration::from_millis(2)).await;
                Some(self.call(member, id).await)
            } else {
                None
            }
        };
        let (first, repeat) = tokio::join!(first, repeat);
        let mut counts = self.counts();
        counts.repeats += u64::from(repeat.is_some());
        let (first, repeat) = (counts.answered(first), repeat.and_then(|repeat| counts.answered(repeat)));
        let grants = [&first, &repeat].map(|answer| answer.as_ref().and_then(|it| grant(member, it)));
        // Just before the opening the first of two may be refused and the second granted; never two grants.
        if let [Some(one), Some(other)] = grants
            && (one.ledger, one.grant) != (other.ledger, other.grant)
        {
            counts.contradicted += 1;
        }
        if let [Some(told), _] | [_, Some(told)] = grants {
            counts.told.push(told);
            return Next::Again;
        }
        match repeat.or(first).map(|answer| answer.code) {
            Some(answer::CLOSED | answer::NOT_YET_OPEN) => Next::Knock,
            _ => Next::Stop,
        }
    }

    async fn call(&self, member: u64, id: RequestId) -> (Duration, Result<Answer, CallError>) {
        let body = Redeem { member: MemberKey::from_number(member), campaign: self.campaign, offer: self.offer };
        let began = Instant::now();
        let result = self.client.redeem(self.programme, body, CallOptions { deadline: PATIENT, id: Some(id) }).await;
        (began.elapsed(), result)
    }
}

impl Counts {
    fn answered(&mut self, (took, result): (Duration, Result<Answer, CallError>)) -> Option<Answer> {
        let Ok(answer) = result else {
            self.unanswered += 1;
            return None;
        };
        *self.answers.entry(answer.code).or_default() += 1;
        let took_us = took.as_micros() as u64;
        self.latency_us.saturating_record(took_us);
        self.recent_us.saturating_record(took_us);
        Some(answer)
    }
}

fn grant(member: u64, answer: &Answer) -> Option<Told> {
    match answer.body {
        Body::Granted(granted) => Some(Told { member, id: answer.id, ledger: granted.ledger, grant: granted.grant }),
        _ => None,
    }
}

/// Numbers spread well enough for pauses; the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn between(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(from_ms + self.next() % (to_ms - from_ms))
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.next().is_multiple_of(count)
    }
}
