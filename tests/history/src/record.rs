//! Notes what clients ask and are told, while they do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_client::{CallError, CallOptions, Client};
use tidegate_protocol::operation::{CheckIn, Enrol, GetMember, RecordOrder, Redeem};
use tidegate_protocol::{Body, MemberKey, Text};

use crate::{Ask, Event, NEVER, Seen};

/// The events of one history. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    /// One for every begin and every end, so that their order is that of real time.
    ticks: Arc<AtomicU64>,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Recorder {
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A gateway's programme, on which calls are made and noted.
#[derive(Clone)]
pub struct Session {
    /// Where calls are noted.
    pub recorder: Recorder,
    /// Who calls.
    pub client: Client,
    /// The programme.
    pub programme: u32,
    /// When all orders were paid: one that differs in this is another order.
    pub paid_at_ms: i64,
    /// Whether every request is sent twice at once, under one id, as impatient members do.
    pub impatient: bool,
}

/// Minor units of an order for one point.
const MINOR_PER_POINT: i64 = 100;

impl Session {
    /// Makes a call and notes it; gives what was told.
    ///
    /// # Panics
    /// On an answer that the rules of the history do not have.
    pub async fn ask(&self, number: u64, ask: Ask, options: CallOptions) -> Seen {
        let recorder = &self.recorder;
        let options = CallOptions { id: Some(options.id.unwrap_or_else(|| self.client.mint())), ..options };
        let began = recorder.tick();
        let seen = if self.impatient {
            let (first, again) = tokio::join!(self.call(number, ask, options), self.call(number, ask, options));
            one(first, again)
        } else {
            self.call(number, ask, options).await
        };
        let ended = recorder.tick();
        let ended = if seen == Seen::Unknown { NEVER } else { ended };
        let event = Event { member: number, ask, seen, began, ended };
        recorder.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        seen
    }

    async fn call(&self, number: u64, ask: Ask, options: CallOptions) -> Seen {
        let (client, programme, member) = (&self.client, self.programme, MemberKey::from_number(number));
        let told = match ask {
            Ask::Enrol => client.enrol(programme, Enrol { member }, options).await,
            Ask::CheckIn => client.check_in(programme, CheckIn { member }, options).await,
            Ask::Order { number: order, points } => {
                let order = self.order(member, number, order, points);
                client.record_order(programme, order, options).await
            }
            Ask::Redeem => client.redeem(programme, Redeem { member, campaign: 1, offer: 1 }, options).await,
            Ask::Get => client.get_member(programme, GetMember { member }, options).await,
        };
        match told {
            Ok(answer) => seen(answer.name(), &answer.body),
            Err(CallError::Expired { .. }) => Seen::Never,
            Err(CallError::Unknown { .. }) => Seen::Unknown,
            Err(other) => panic!("{ask:?} of member {number}: {other}"),
        }
    }

    fn order(&self, member: MemberKey, number: u64, order: u8, points: i64) -> RecordOrder {
        let text = |text: &str| Text::try_from(text).expect("a short text");
        RecordOrder {
            member,
            paid_at_ms: self.paid_at_ms,
            amount_minor: points * MINOR_PER_POINT,
            brand: text("house"),
            channel: text("mall"),
            store: Text::default(),
            number: text(&format!("{number}-{order}")),
        }
    }
}

/// What two sends of one request came to: what was applied is told to both, a refusal does not bind the other.
fn one(first: Seen, again: Seen) -> Seen {
    let applied =
        |seen| matches!(seen, Seen::Enrolled | Seen::CheckedIn { .. } | Seen::Recorded { .. } | Seen::Granted { .. });
    match (applied(first), applied(again)) {
        (true, true) => {
            assert_eq!(first, again, "one request was applied twice, or told two answers");
            first
        }
        (true, false) => first,
        (false, true) => again,
        _ if first == Seen::Unknown || again == Seen::Never => first,
        _ => again,
    }
}

/// What an answer says.
///
/// # Panics
/// On one that the rules of the history do not have.
fn seen(name: &str, body: &Body) -> Seen {
    match body {
        Body::Enrolled(_) => Seen::Enrolled,
        Body::CheckedIn(told) => Seen::CheckedIn { day: told.day, before: told.before, after: told.after },
        Body::AlreadyCheckedIn(told) => Seen::AlreadyCheckedIn { day: told.day },
        Body::Recorded(told) => Seen::Recorded { before: told.before, after: told.after },
        Body::AlreadyRecorded(_) => Seen::AlreadyRecorded,
        Body::Granted(told) => Seen::Granted { before: told.before, after: told.after, grant: told.grant },
        Body::NotEnoughPoints(told) => Seen::NotEnough { balance: told.balance },
        Body::LimitReached(told) => Seen::LimitReached { used: told.used },
        Body::SoldOut(_) => Seen::SoldOut,
        Body::MemberView(view) => Seen::View {
            balance: view.balance,
            earned: view.earned,
            used: view.limits.as_slice().iter().map(|limit| limit.used).sum(),
            last_day: (view.last_day != i32::MIN).then_some(view.last_day),
        },
        Body::Plain(_) if name == "already-enrolled" => Seen::AlreadyEnrolled,
        Body::Plain(_) if name == "no-such-member" => Seen::NoMember,
        _ if matches!(name, "expired" | "busy" | "storage-full" | "draining") => Seen::Never,
        other => panic!("{name}: {other:?} is not in the rules of a history"),
    }
}
