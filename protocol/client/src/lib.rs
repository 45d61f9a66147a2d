//! The client for gateways: many members' calls on a few long-lived QUIC streams.
//!
//! Promises:
//! - Concurrent calls share frames: a batch is whatever came since the last turn. There is no timer to wait for.
//! - A call's id and bytes are made once, before the first send. They are sent again, unchanged, after a reconnect (in a
//!   new session, so that the server has dropped the older copy) and after `busy` or `storage-full`, until an
//!   answer is final or the deadline has passed.
//! - Dropping a call's future cancels nothing: the request goes its way.
//! - A call ends by its deadline: with an answer, or with an error that says whether it can have been applied.
//! - What waits is bounded; beyond it a call is refused at once.
//!
//! Never: two ids for one call, an answer of an older session taken for a new one, 0-RTT.
//!
//! `table` decides (no network); `connection` carries frames; `driver` reconnects.

#![forbid(unsafe_code)]

mod clock;
mod connection;
mod driver;
mod error;
pub mod table;
pub mod tls;
pub mod transport;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidegate_protocol::batch::{Answers, BadBatch, push_entry};
use tidegate_protocol::hello::{Hello, VERSIONS, Welcome};
use tidegate_protocol::{Body, Encode, RequestId, Text, code, code::op, files, operation, operator};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

pub use error::{CallError, Close, Loss};
use table::{Finished, Limits, Reply, Request, Table};
pub use tls::client_config;

/// How to connect.
pub struct ClientOptions {
    /// The servers, tried in turn.
    pub addresses: Vec<SocketAddr>,
    /// The name in the server's certificate, for example `localhost`.
    pub server_name: String,
    /// The client's identity and whom it trusts: [`client_config`].
    pub tls: rustls::ClientConfig,
    /// Long-lived streams on the connection.
    pub streams: usize,
    /// What the operator sees for this client.
    pub name: Text,
    /// The most operations to put in a batch; the server may allow fewer.
    pub entries_most: u16,
    /// The most calls that may wait for an answer.
    pub queue_most: usize,
    /// How long the first connection may take, all tries together.
    pub connect_within: Duration,
}

impl ClientOptions {
    /// Two streams, batches as large as the server allows, at most 65,536 calls waiting, ten seconds to connect.
    pub fn new(addresses: Vec<SocketAddr>, server_name: &str, tls: rustls::ClientConfig) -> ClientOptions {
        ClientOptions {
            addresses,
            server_name: server_name.into(),
            tls,
            streams: 2,
            name: Text::default(),
            entries_most: u16::MAX,
            queue_most: 65_536,
            connect_within: Duration::from_secs(10),
        }
    }
}

/// How to make one call.
#[derive(Debug, Clone, Copy)]
pub struct CallOptions {
    /// How long the request may be applied, and the call may take; cut to what the server allows.
    pub deadline: Duration,
    /// The id, where the caller keeps ids of its own (to ask for outcomes after it was itself restarted).
    pub id: Option<RequestId>,
}

impl Default for CallOptions {
    fn default() -> CallOptions {
        CallOptions { deadline: Duration::from_secs(5), id: None }
    }
}

/// The final answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The request's id.
    pub id: RequestId,
    /// What became of it, [`code::answer`].
    pub code: u16,
    /// The data that goes with the code.
    pub body: Body,
    /// Whether the change was durable when the answer was sent; `false` only from a server told to trade safety for
    /// speed.
    pub durable: bool,
}

impl Answer {
    /// The code's name.
    pub fn name(&self) -> &'static str {
        code::name(self.code)
    }
}

type Waiter = oneshot::Sender<Result<Reply, CallError>>;

struct State {
    table: Table<Waiter>,
    clock: clock::Clock,
    welcome: Welcome,
    loss: Option<Loss>,
}

/// What calls, streams and the driver share.
struct Shared {
    state: Mutex<State>,
    options: (u16, usize),
    began: Instant,
    /// Something is queued, or may be sent again.
    work: Notify,
    /// The server drains, or a frame was answered while it does.
    drain: Notify,
    /// The next due time has come nearer.
    timer: Notify,
}

impl Shared {
    /// Runs `change` under the lock, with the time.
    fn with<T>(&self, change: impl FnOnce(&mut State, u64) -> T) -> T {
        let now_ms = self.began.elapsed().as_millis() as u64;
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), now_ms)
    }

    fn submit(&self, request: Request<Waiter>) {
        let (sooner, refused) = self.with(|state, _| {
            let sooner = state.table.next_due_ms().is_none_or(|due| request.deadline_ms < due);
            (sooner, state.table.submit(request).err())
        });
        finish(refused);
        self.work.notify_one();
        if sooner {
            self.timer.notify_one();
        }
    }

    fn answers(&self, correlation: u64, answers: Answers<'_>, durable: bool) -> Result<(), BadBatch> {
        let mut finished = Vec::new();
        let taken = self.with(|state, now_ms| {
            state.clock.read(answers.server_ms, now_ms as i64);
            state.table.answers(correlation, answers, durable, now_ms, &mut finished)
        });
        finish(finished);
        self.work.notify_one();
        self.timer.notify_one();
        self.drain.notify_one();
        taken
    }

    /// Does what is due; returns how long until the next is.
    fn due(&self) -> Option<Duration> {
        let mut finished = Vec::new();
        let next = self.with(|state, now_ms| {
            state.table.due(now_ms, &mut finished);
            state.table.next_due_ms().map(|due| Duration::from_millis(due.saturating_sub(now_ms).max(1)))
        });
        finish(finished);
        self.work.notify_one();
        next
    }

    fn lost(&self, loss: Loss) {
        self.with(|state, _| {
            state.table.disconnected();
            state.loss = Some(loss);
        });
    }

    fn welcomed(&self, welcome: &Welcome) {
        self.with(|state, now_ms| {
            state.clock.reset();
            state.clock.read(welcome.server_ms, now_ms as i64);
            state.table.set_limits(limits(welcome, self.options));
            state.welcome = welcome.clone();
        });
        self.work.notify_one();
    }
}

fn finish(finished: impl IntoIterator<Item = Finished<Waiter>>) {
    for (waiter, result) in finished {
        // Nobody may be waiting any more: a dropped call cancels nothing.
        let _ = waiter.send(result);
    }
}

fn limits(welcome: &Welcome, (entries_most, queue_most): (u16, usize)) -> Limits {
    Limits {
        entries_most: welcome.entries_most.min(entries_most).max(1).into(),
        body_bytes_most: welcome.body_bytes_most as usize,
        in_flight_most: welcome.in_flight_most.max(1).into(),
        ahead_ms_most: welcome.ahead_ms_most.into(),
        queue_most,
    }
}

/// A connected client; clones share the connection, which ends with the last of them.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    _tasks: Arc<Tasks>,
}

/// The tasks behind a client; they end with it.
struct Tasks([JoinHandle<()>; 2]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Client {
    /// Connects to one of the servers.
    ///
    /// # Errors
    /// The last loss, once `connect_within` is over; at once where no other try can change it (a certificate that is not
    /// accepted, no version in common).
    pub async fn connect(options: ClientOptions) -> Result<Client, Loss> {
        if options.addresses.is_empty() {
            return Err(Loss::Local("no address of a server was given".into()));
        }
        let hello = Hello {
            version_min: VERSIONS.0,
            version_max: VERSIONS.1,
            instance: uuid::Uuid::now_v7().into_bytes(),
            session: 0,
            name: options.name,
        };
        let mut driver = driver::Driver {
            addresses: options.addresses,
            server_name: options.server_name,
            config: connection::quic(options.tls)?,
            streams: options.streams,
            hello,
            next_address: 0,
        };
        let session = driver.connect(options.connect_within).await?;
        let bounds = (options.entries_most, options.queue_most);
        let welcome = session.welcome.clone();
        let state = State {
            table: Table::new(limits(&welcome, bounds)),
            clock: clock::Clock::default(),
            welcome: welcome.clone(),
            loss: None,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            options: bounds,
            began: Instant::now(),
            work: Notify::new(),
            drain: Notify::new(),
            timer: Notify::new(),
        });
        shared.welcomed(&welcome);
        let tasks =
            [tokio::spawn(driver.run(session, shared.clone())), tokio::spawn(driver::keep_time(shared.clone()))];
        Ok(Client { shared, _tasks: Arc::new(Tasks(tasks)) })
    }

    /// What the server said on the newest connection: limits, identity, programmes.
    pub fn welcome(&self) -> Welcome {
        self.shared.with(|state, _| state.welcome.clone())
    }

    /// The number of a programme this client may use.
    pub fn programme(&self, slug: &str) -> Option<u32> {
        let named = |state: &mut State, _| {
            let programmes = state.welcome.programmes.as_slice();
            programmes.iter().find(|programme| programme.slug.as_str() == slug).map(|programme| programme.number)
        };
        self.shared.with(named)
    }

    /// Why the last connection that ended did so.
    pub fn last_loss(&self) -> Option<Loss> {
        self.shared.with(|state, _| state.loss.clone())
    }

    /// The server's time, milliseconds since 1970, as well as it can be told.
    pub fn server_ms(&self) -> i64 {
        self.shared.with(|state, now_ms| state.clock.server_ms(now_ms as i64))
    }

    /// Makes an id for a request.
    pub fn mint(&self) -> RequestId {
        let random = uuid::Uuid::now_v7().into_bytes();
        RequestId::mint(self.server_ms(), *random.last_chunk().expect("sixteen bytes have a last ten"))
    }

    /// Sends any operation. The request is under way once this is first polled, whether or not it is polled again.
    pub async fn call<T: Encode>(
        &self,
        code: u16,
        programme: u32,
        body: &T,
        options: CallOptions,
    ) -> Result<Answer, CallError> {
        let id = options.id.unwrap_or_else(|| self.mint());
        let (now_ms, server_ms, most) = self
            .shared
            .with(|state, now_ms| (now_ms, state.clock.server_ms(now_ms as i64), state.welcome.deadline_ms_most));
        let allowed_ms = u32::try_from(options.deadline.as_millis()).unwrap_or(u32::MAX).min(most);
        let mut entry = Vec::new();
        push_entry(&mut entry, code, programme, allowed_ms, id, body);
        let (waiter, answer) = oneshot::channel();
        // The deadline counts from the id's time, which lies in the past for an id the caller kept.
        let left_ms = id.time_ms().saturating_add(allowed_ms.into()).saturating_sub(server_ms);
        let left_ms = u64::try_from(left_ms).unwrap_or(0).min(allowed_ms.into());
        let deadline_ms = now_ms + left_ms;
        self.shared.submit(Request { id, entry, deadline_ms, waiter });
        let reply = answer.await.unwrap_or(Err(CallError::Closed { id }))?;
        let body = Body::decode(reply.code, &reply.body).map_err(|malformed| CallError::Malformed { id, malformed })?;
        Ok(Answer { id, code: reply.code, body, durable: reply.durable })
    }
}

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident: $code:ident $body:ty $(, $programme:ident)?;)*) => {
        impl Client {
            $($(#[$doc])*
            pub async fn $name(
                &self,
                $($programme: u32,)?
                body: $body,
                options: CallOptions,
            ) -> Result<Answer, CallError> {
                self.call(op::$code, calls!(@programme $($programme)?), &body, options).await
            })*
        }
    };
    (@programme) => { 0 };
    (@programme $programme:ident) => { $programme };
}

calls! {
    /// Makes a member of a key.
    enrol: ENROL operation::Enrol, programme;
    /// Checks a member in for today.
    check_in: CHECK_IN operation::CheckIn, programme;
    /// Records a paid order.
    record_order: RECORD_ORDER operation::RecordOrder, programme;
    /// Records a paid order with its lines.
    record_order_lines: RECORD_ORDER_LINES operation::RecordOrderLines, programme;
    /// Records something that a member did.
    record_activity: RECORD_ACTIVITY operation::RecordActivity, programme;
    /// Uses one of a member's right.
    use_right: USE_RIGHT operation::UseRight, programme;
    /// Says a member's birthday.
    set_birthday: SET_BIRTHDAY operation::SetBirthday, programme;
    /// Records a check-in that comes in late.
    record_check_in: RECORD_CHECK_IN operation::RecordCheckIn, programme;
    /// Makes up for a day that a member missed.
    make_up: MAKE_UP operation::MakeUp, programme;
    /// Says in which zone a member's days are counted.
    set_zone: SET_ZONE operation::SetZone, programme;
    /// Gives a member a tag, or takes it.
    set_tag: SET_TAG operation::SetTag, programme;
    /// Answers a question of a quiz.
    answer_question: ANSWER_QUESTION operation::AnswerQuestion, programme;
    /// Says who invited a new member.
    accept_invitation: ACCEPT_INVITATION operation::AcceptInvitation, programme;
    /// Says that an order is a member's, by its number.
    claim_order: CLAIM_ORDER operation::ClaimOrder, programme;
    /// Makes an order known that can be claimed.
    report_order: REPORT_ORDER operation::ReportOrder, programme;
    /// Says that a member has received an order.
    confirm_receipt: CONFIRM_RECEIPT operation::ConfirmReceipt, programme;
    /// Redeems points for a campaign's offer.
    redeem: REDEEM operation::Redeem, programme;
    /// Sets offers, rights and points aside for a checkout.
    hold: HOLD operation::Hold, programme;
    /// Takes all that is held under an id.
    confirm: CONFIRM operation::Confirm, programme;
    /// Takes part of what is held under an id, and gives the rest back.
    confirm_part: CONFIRM_PART operation::ConfirmPart, programme;
    /// Gives back what is held under an id.
    cancel: CANCEL operation::Cancel, programme;
    /// What a member holds.
    get_holds: GET_HOLDS operation::GetHolds, programme;
    /// A campaign's quotas, and what is left of them.
    get_quotas: GET_QUOTAS operation::GetQuotas, programme;
    /// What a member has.
    get_member: GET_MEMBER operation::GetMember, programme;
    /// What a campaign offers, and what is left.
    get_campaign: GET_CAMPAIGN operation::GetCampaign, programme;
    /// What became of an earlier request.
    outcome: GET_OUTCOME operation::GetOutcome, programme;
    /// A member's points, lot by lot.
    get_lots: GET_LOTS operation::GetLots, programme;
    /// Where a member stands, and what it may do.
    get_standing: GET_STANDING operation::GetStanding, programme;
    /// What is kept of a member beside its points.
    get_profile: GET_PROFILE operation::GetProfile, programme;
    /// The questions of a quiz.
    get_quiz: GET_QUIZ operation::GetQuiz, programme;
    /// A page of a member's statement.
    get_statement: GET_STATEMENT operation::GetStatement, programme;
    /// How it stands with a member's claim of an order.
    get_claim: GET_CLAIM operation::GetClaim, programme;
    /// What a request would be answered if it came now.
    dry_run: DRY_RUN operation::DryRun, programme;
    /// The state of the server.
    status: GET_STATUS operator::GetStatus;
    /// Takes a snapshot.
    take_snapshot: TAKE_SNAPSHOT operator::TakeSnapshot;
    /// Puts a programme bundle in force.
    activate: ACTIVATE operator::Activate;
    /// Which files the data directory has.
    list_files: LIST_FILES files::ListFiles;
    /// Reads a piece of one of them.
    read_file: READ_FILE files::ReadFile;
    /// Has the server check one of them.
    check_file: CHECK_FILE files::CheckFile;
    /// Publishes a question of a quiz, or changes one.
    publish_question: PUBLISH_QUESTION operator::PublishQuestion;
    /// What a quiz's questions were answered.
    results: GET_RESULTS operator::GetResults;
}
