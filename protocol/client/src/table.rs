//! The requests under way: what is queued, what is in flight, what waits for a hint, and what an answer means. No
//! network, no clock: time comes in as milliseconds that only go forward.
//!
//! A request's id and bytes are made once and kept until it is finished; every send carries them unchanged.
//!
//! | state | becomes | when |
//! |---|---|---|
//! | queued | in flight | the next frame takes it |
//! | in flight | finished | its answer is final |
//! | in flight | waiting | its answer says: the same id again, after a hint |
//! | in flight | queued, doubtful | the connection is lost |
//! | waiting | queued | the hint's time has come |
//! | any | finished | its deadline has passed: `Unknown` if in flight or doubtful, else `Expired` |
//!
//! Doubtful means that an earlier send has no answer. A refusal of a later send says nothing about it.

use std::collections::{BTreeSet, HashMap, VecDeque};

use tidegate_protocol::batch::{self, Answers, BadBatch};
use tidegate_protocol::code::{Next, answer, row};
use tidegate_protocol::frame::{self, Kind};
use tidegate_protocol::refusal::{Clock, Later};
use tidegate_protocol::{RequestId, decode};

use crate::error::CallError;

/// The shortest and longest wait that a hint may ask for.
const HINT_MS: (u64, u64) = (1, 60_000);

/// A final answer, not yet decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its code.
    pub code: u16,
    /// Its bytes.
    pub body: Vec<u8>,
    /// Whether what it tells of is durable.
    pub durable: bool,
}

/// A finished request: who waits for it, and what it came to.
pub type Finished<W> = (W, Result<Reply, CallError>);

/// What the server allows, and what this client was told to hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Entries of a batch.
    pub entries_most: usize,
    /// Bytes of a frame's body.
    pub body_bytes_most: usize,
    /// Frames without an answer, on one stream.
    pub in_flight_most: usize,
    /// How far an id's time may be ahead of the server's.
    pub ahead_ms_most: i64,
    /// Requests that are held.
    pub queue_most: usize,
}

/// A request as it is handed in: an entry of a batch, complete.
pub struct Request<W> {
    /// Its id.
    pub id: RequestId,
    /// Its bytes.
    pub entry: Vec<u8>,
    /// When it is too late for it, in the caller's time.
    pub deadline_ms: u64,
    /// Who is told what it came to.
    pub waiter: W,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Queued,
    InFlight,
    Waiting,
}

struct Pending<W> {
    request: Request<W>,
    state: State,
    doubtful: bool,
}

type Ticket = u64;

/// See the module.
pub struct Table<W> {
    limits: Limits,
    pending: HashMap<Ticket, Pending<W>>,
    queue: VecDeque<Ticket>,
    /// The tickets of a frame in flight, by entry; `None` once answered.
    frames: HashMap<u64, Vec<Option<Ticket>>>,
    /// Deadlines, and the ends of waits.
    timers: BTreeSet<(u64, Ticket)>,
    next_ticket: Ticket,
    next_correlation: u64,
    draining: bool,
}

impl<W> Table<W> {
    /// An empty table.
    pub fn new(limits: Limits) -> Table<W> {
        Table {
            limits,
            pending: HashMap::new(),
            queue: VecDeque::new(),
            frames: HashMap::new(),
            timers: BTreeSet::new(),
            next_ticket: 0,
            next_correlation: 1,
            draining: false,
        }
    }

    /// Queues a request, or hands it back with the reason.
    pub fn submit(&mut self, request: Request<W>) -> Result<(), Finished<W>> {
        if self.pending.len() >= self.limits.queue_most {
            return Err((request.waiter, Err(CallError::QueueFull(self.pending.len()))));
        }
        let (length, most) = (request.entry.len(), self.limits.body_bytes_most - batch::REQUESTS_HEAD_BYTES);
        if length > most {
            return Err((request.waiter, Err(CallError::TooLong { length, most })));
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.timers.insert((request.deadline_ms, ticket));
        self.queue.push_back(ticket);
        self.pending.insert(ticket, Pending { request, state: State::Queued, doubtful: false });
        Ok(())
    }

    /// Appends one frame of whatever is queued; `false` if nothing is, or no more may be in flight.
    pub fn next_frame(&mut self, out: &mut Vec<u8>) -> bool {
        if self.draining || self.frames.len() >= self.limits.in_flight_most {
            return false;
        }
        let (start, correlation) = (out.len(), self.next_correlation);
        let mut tickets = Vec::new();
        frame::write(out, Kind::Requests, 0, correlation, |out| {
            let body = batch::start_requests(out);
            while tickets.len() < self.limits.entries_most {
                let Some(ticket) = self.queue.pop_front() else { break };
                let Some(pending) = self.pending.get_mut(&ticket) else { continue };
                if out.len() - body + pending.request.entry.len() > self.limits.body_bytes_most {
                    self.queue.push_front(ticket);
                    break;
                }
                out.extend_from_slice(&pending.request.entry);
                pending.state = State::InFlight;
                tickets.push(Some(ticket));
            }
            batch::finish_requests(out, body, tickets.len() as u16);
        });
        if tickets.is_empty() {
            out.truncate(start);
            return false;
        }
        self.next_correlation += 1;
        self.frames.insert(correlation, tickets);
        true
    }

    /// Takes the answers of a frame. Those of a frame of an earlier session are passed over.
    pub fn answers(
        &mut self,
        correlation: u64,
        answers: Answers<'_>,
        durable: bool,
        now_ms: u64,
        finished: &mut Vec<Finished<W>>,
    ) -> Result<(), BadBatch> {
        let server_ms = answers.server_ms;
        let Some(mut tickets) = self.frames.remove(&correlation) else { return Ok(()) };
        for answer in answers {
            let answer = answer?;
            let slot = tickets.get_mut(usize::from(answer.index)).ok_or(BadBatch::Length)?;
            let Some(ticket) = slot.take() else { continue };
            let reply = Reply { code: answer.code, body: answer.body.to_vec(), durable };
            finished.extend(self.answer(ticket, reply, server_ms, now_ms));
        }
        if tickets.iter().any(Option::is_some) {
            self.frames.insert(correlation, tickets);
        }
        Ok(())
    }

    fn answer(&mut self, ticket: Ticket, reply: Reply, server_ms: i64, now_ms: u64) -> Option<Finished<W>> {
        let pending = self.pending.get_mut(&ticket)?;
        let again = row(reply.code).is_some_and(|row| row.next == Next::SameId);
        if !again {
            // `expired` too, even if an earlier send has no answer: the server asks what it remembers, ids and order
            // keys alike, before it judges the deadline, so that its "never applied" is said of every send.
            return self.finish(ticket, Ok(reply));
        }
        if reply.code == answer::DRAINING {
            self.draining = true;
            pending.state = State::Queued;
            self.queue.push_back(ticket);
            return None;
        }
        let again_ms = now_ms + hint_ms(&reply, pending.request.id, server_ms, self.limits.ahead_ms_most);
        if again_ms < pending.request.deadline_ms {
            pending.state = State::Waiting;
            self.timers.insert((again_ms, ticket));
            return None;
        }
        // The hint lies beyond the deadline, so that this answer is the last word on this send.
        let unknown = CallError::Unknown { id: pending.request.id };
        let last = if pending.doubtful { Err(unknown) } else { Ok(reply) };
        self.finish(ticket, last)
    }

    fn finish(&mut self, ticket: Ticket, result: Result<Reply, CallError>) -> Option<Finished<W>> {
        let pending = self.pending.remove(&ticket)?;
        self.timers.remove(&(pending.request.deadline_ms, ticket));
        Some((pending.request.waiter, result))
    }

    /// Does what time asks for: ends waits and passes deadlines.
    pub fn due(&mut self, now_ms: u64, finished: &mut Vec<Finished<W>>) {
        while let Some(&(at, ticket)) = self.timers.first().filter(|(at, _)| *at <= now_ms) {
            self.timers.remove(&(at, ticket));
            let Some(pending) = self.pending.get_mut(&ticket) else { continue };
            let id = pending.request.id;
            if pending.request.deadline_ms <= now_ms {
                let sent = pending.state == State::InFlight || pending.doubtful;
                let error = if sent { CallError::Unknown { id } } else { CallError::Expired { id } };
                finished.extend(self.finish(ticket, Err(error)));
            } else if pending.state == State::Waiting {
                pending.state = State::Queued;
                self.queue.push_back(ticket);
            }
        }
        // Tickets of finished requests are left in the queue until it is read; without a connection nobody reads it.
        if self.queue.len() > 2 * self.pending.len() + 64 {
            self.queue.retain(|ticket| self.pending.contains_key(ticket));
        }
    }

    /// When [`Table::due`] has something to do next.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The connection is lost: what was in flight is queued again, before what was never sent, and is doubtful.
    pub fn disconnected(&mut self) {
        self.draining = false;
        let mut lost: Vec<Ticket> = self.frames.drain().flat_map(|(_, tickets)| tickets).flatten().collect();
        lost.sort_unstable_by(|a, b| b.cmp(a));
        for ticket in lost {
            let Some(pending) = self.pending.get_mut(&ticket) else { continue };
            pending.state = State::Queued;
            pending.doubtful = true;
            self.queue.push_front(ticket);
        }
    }

    /// A new connection: the server may allow something else now.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The server asked for nothing new to be sent.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether the server asked for nothing new to be sent.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Whether the server asked for nothing new to be sent, and everything sent is answered.
    pub fn is_drained(&self) -> bool {
        self.draining && self.frames.is_empty()
    }
}

/// How long to wait before the same id is sent again.
fn hint_ms(reply: &Reply, id: RequestId, server_ms: i64, ahead_ms_most: i64) -> u64 {
    let hint = if reply.code == answer::ID_AHEAD {
        let server_ms = decode::<Clock>(&reply.body).map_or(server_ms, |clock| clock.server_ms);
        u64::try_from(id.time_ms() - ahead_ms_most - server_ms).unwrap_or(0)
    } else {
        decode::<Later>(&reply.body).map_or(0, |later| later.retry_ms.into())
    };
    hint.clamp(HINT_MS.0, HINT_MS.1)
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::batch::{Entries, finish_answers, push_answer, push_entry, start_answers};
    use tidegate_protocol::code::op;
    use tidegate_protocol::frame::{HEADER_BYTES, Header};
    use tidegate_protocol::refusal::Plain;
    use tidegate_protocol::{Encode, MemberKey, operation::GetMember};

    use super::*;

    const LIMITS: Limits =
        Limits { entries_most: 4, body_bytes_most: 1 << 20, in_flight_most: 2, ahead_ms_most: 5_000, queue_most: 8 };
    /// The server's time at 0 of the table's.
    const SERVER_MS: i64 = 1_700_000_000_000;

    fn id(number: u8) -> RequestId {
        RequestId::mint(SERVER_MS, [number; 10])
    }

    fn request(number: u8, deadline_ms: u64) -> Request<u8> {
        let mut entry = Vec::new();
        let body = GetMember { member: MemberKey::from_number(number.into()) };
        push_entry(&mut entry, op::GET_MEMBER, 1, deadline_ms as u32, id(number), &body);
        Request { id: id(number), entry, deadline_ms, waiter: number }
    }

    /// The next frame: its correlation, its ids, its bytes behind the header.
    fn sent(table: &mut Table<u8>) -> Option<(u64, Vec<RequestId>, Vec<u8>)> {
        let mut bytes = Vec::new();
        if !table.next_frame(&mut bytes) {
            assert!(bytes.is_empty());
            return None;
        }
        let header = Header::decode(bytes.first_chunk().unwrap()).unwrap();
        let body = bytes.split_off(HEADER_BYTES);
        assert_eq!(header.length as usize, body.len());
        let ids = Entries::new(&body).unwrap().map(|entry| entry.unwrap().id).collect();
        Some((header.correlation, ids, body))
    }

    fn answer<T: Encode>(
        table: &mut Table<u8>,
        correlation: u64,
        now_ms: u64,
        answers: &[(u16, u16, &T)],
    ) -> Vec<(u8, Result<u16, CallError>)> {
        let mut body = Vec::new();
        start_answers(&mut body);
        for (index, code, answer) in answers {
            push_answer(&mut body, *index, *code, *answer);
        }
        finish_answers(&mut body, 0, SERVER_MS + now_ms as i64, answers.len() as u16);
        let mut finished = Vec::new();
        table.answers(correlation, Answers::new(&body).unwrap(), true, now_ms, &mut finished).unwrap();
        codes(finished)
    }

    fn codes(finished: Vec<Finished<u8>>) -> Vec<(u8, Result<u16, CallError>)> {
        finished.into_iter().map(|(waiter, result)| (waiter, result.map(|reply| reply.code))).collect()
    }

    fn due(table: &mut Table<u8>, now_ms: u64) -> Vec<(u8, Result<u16, CallError>)> {
        let mut finished = Vec::new();
        table.due(now_ms, &mut finished);
        codes(finished)
    }

    fn table(requests: u8, deadline_ms: u64) -> Table<u8> {
        let mut table = Table::new(LIMITS);
        for number in 0..requests {
            assert!(table.submit(request(number, deadline_ms)).is_ok());
        }
        table
    }

    #[test]
    fn what_came_shares_a_frame_up_to_the_bounds() {
        let mut table = table(7, 1_000);
        let (first, ids, _) = sent(&mut table).unwrap();
        assert_eq!(ids, [0, 1, 2, 3].map(id));
        let (second, ids, _) = sent(&mut table).unwrap();
        assert_eq!(ids, [4, 5, 6].map(id));
        assert!(table.submit(request(7, 1_000)).is_ok());
        assert!(sent(&mut table).is_none(), "two frames are in flight");
        let refused = table.submit(request(8, 1_000));
        assert_eq!(refused.unwrap_err(), (8, Err(CallError::QueueFull(8))));

        // Answers in any order and in two parts.
        let done =
            answer(&mut table, second, 5, &[(2, answer::NO_SUCH_MEMBER, &Plain {}), (0, answer::MEMBER, &Plain {})]);
        assert_eq!(done, [(6, Ok(answer::NO_SUCH_MEMBER)), (4, Ok(answer::MEMBER))]);
        assert!(sent(&mut table).is_none());
        answer(&mut table, second, 5, &[(1, answer::MEMBER, &Plain {})]);
        assert_eq!(sent(&mut table).unwrap().1, [id(7)]);
        assert_eq!(answer(&mut table, first, 5, &[(0, answer::MEMBER, &Plain {})]).len(), 1);
    }

    #[test]
    fn busy_sends_the_same_bytes_after_the_hint() {
        let mut table = table(1, 1_000);
        let (correlation, _, bytes) = sent(&mut table).unwrap();
        assert_eq!(answer(&mut table, correlation, 10, &[(0, answer::BUSY, &Later { retry_ms: 40 })]), []);
        assert_eq!(due(&mut table, 49), []);
        assert!(sent(&mut table).is_none());
        assert_eq!(table.next_due_ms(), Some(50));
        assert_eq!(due(&mut table, 50), []);
        let (again, _, same) = sent(&mut table).unwrap();
        assert!(again > correlation && same == bytes);
        assert_eq!(answer(&mut table, again, 60, &[(0, answer::MEMBER, &Plain {})]), [(0, Ok(answer::MEMBER))]);
        assert_eq!(table.next_due_ms(), None);
    }

    #[test]
    fn a_hint_beyond_the_deadline_is_the_answer() {
        let mut table = table(1, 1_000);
        let (correlation, ..) = sent(&mut table).unwrap();
        let busy = answer(&mut table, correlation, 10, &[(0, answer::BUSY, &Later { retry_ms: 2_000 })]);
        assert_eq!(busy, [(0, Ok(answer::BUSY))]);
    }

    #[test]
    fn an_id_ahead_waits_until_it_is_not() {
        let mut table = table(1, 60_000);
        let (correlation, ..) = sent(&mut table).unwrap();
        let clock = Clock { server_ms: SERVER_MS - 5_700 };
        assert_eq!(answer(&mut table, correlation, 10, &[(0, answer::ID_AHEAD, &clock)]), []);
        assert_eq!(table.next_due_ms(), Some(710));
    }

    #[test]
    fn a_lost_connection_sends_the_same_bytes_first_and_passes_over_old_answers() {
        let mut table = table(3, 1_000);
        let (old, ids, bytes) = sent(&mut table).unwrap();
        assert!(table.submit(request(3, 1_000)).is_ok());
        table.disconnected();
        let (new, again, same) = sent(&mut table).unwrap();
        assert_eq!(again[..3], ids);
        assert_eq!(same[4..bytes.len()], bytes[4..]);
        let refused = |index| (index, answer::NO_SUCH_MEMBER, &Plain {});
        assert_eq!(answer(&mut table, old, 5, &[refused(0)]), [], "an answer of the older session");
        assert_eq!(answer(&mut table, new, 5, &[refused(0)]), [(0, Ok(answer::NO_SUCH_MEMBER))]);
    }

    #[test]
    fn a_deadline_says_whether_it_can_have_been_applied() {
        let mut table = table(6, 1_000);
        let (first, ..) = sent(&mut table).unwrap();
        let later = Later { retry_ms: 500 };
        answer(&mut table, first, 10, &[(0, answer::BUSY, &later), (1, answer::BUSY, &later)]);
        let mut done = due(&mut table, 1_000);
        done.sort_by_key(|(waiter, _)| *waiter);
        let expired = |n| (n, Err(CallError::Expired { id: id(n) }));
        let unknown = |n| (n, Err(CallError::Unknown { id: id(n) }));
        assert_eq!(done, [expired(0), expired(1), unknown(2), unknown(3), expired(4), expired(5)]);
        assert!(sent(&mut table).is_none());
    }

    #[test]
    fn a_refusal_after_a_lost_send_is_no_proof() {
        let mut table = table(1, 1_000);
        sent(&mut table).unwrap();
        table.disconnected();
        let (again, ..) = sent(&mut table).unwrap();
        let busy = answer(&mut table, again, 10, &[(0, answer::BUSY, &Later { retry_ms: 2_000 })]);
        assert_eq!(busy, [(0, Err(CallError::Unknown { id: id(0) }))]);
    }

    #[test]
    fn draining_holds_everything_for_the_next_connection() {
        let mut table = table(5, 1_000);
        let (first, ..) = sent(&mut table).unwrap();
        let draining = Later { retry_ms: 100 };
        assert_eq!(answer(&mut table, first, 10, &[(1, answer::DRAINING, &draining)]), []);
        assert!(sent(&mut table).is_none() && table.is_draining() && !table.is_drained());
        let rest = [0, 2, 3].map(|index| (index, answer::MEMBER, &Plain {}));
        assert_eq!(answer(&mut table, first, 10, &rest).len(), 3);
        assert!(table.is_drained());
        table.disconnected();
        assert_eq!(sent(&mut table).unwrap().1, [4, 1].map(id));
    }

    #[test]
    fn a_request_beyond_the_frame_is_refused() {
        let mut table = Table::new(Limits { body_bytes_most: 40, ..LIMITS });
        let refused = table.submit(request(0, 1_000));
        assert_eq!(refused.unwrap_err(), (0, Err(CallError::TooLong { length: 48, most: 36 })));
    }

    #[test]
    fn a_dead_connection_does_not_grow_the_queue() {
        let mut table = Table::new(LIMITS);
        for round in 0..1_000 {
            assert!(table.submit(request(1, round + 1)).is_ok());
            due(&mut table, round + 1);
        }
        assert!(table.queue.len() <= 65 && table.timers.is_empty());
    }
}
