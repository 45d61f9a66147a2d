//! A stream: frames in, decided at once; answers out, when they may be told.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use quinn::VarInt;
use tidegate_protocol::batch::{self, BadBatch};
use tidegate_protocol::code::{answer, close};
use tidegate_protocol::frame::{BODY_BYTES_MOST, BadHeader, HEADER_BYTES, Header, Kind};
use tidegate_protocol::refusal;
use tokio::time::Instant;

use super::connection::{IN_FLIGHT_MOST, Peer, spawn};
use super::endpoint::Shared;
use super::identity::Role;
use super::node::Node;
use super::outbox::{Outbox, Waits};
use super::traffic::Traffic;
use super::{control, outcome, statement};
use crate::log::{Durability, LogError};
use crate::store::{Executed, Later, Search};

/// Requests after which a stream lets others have a turn.
const TURN_REQUESTS: usize = 256;
/// How long a peer may leave its answers unread, or a frame unfinished from its first byte on.
const SLOW_MOST: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 64 << 10;
/// Frames that are completed at the same time, on all connections.
pub(super) const ASIDE_MOST: usize = 4;
/// No answer to an operator is longer.
const OPERATOR_ANSWER_BYTES_MOST: usize = 900 << 10;
/// When to come back with what did not fit into a frame of answers.
const BUSY_MS: u32 = 5;

/// Why a stream ends before its peer ended it.
enum Fault {
    Header(BadHeader),
    Batch(BadBatch),
    Kind(Kind),
    Fenced,
    Truncated,
    Unfinished,
}

/// Serves a stream in tasks of its own.
pub(super) fn serve(shared: Rc<Shared>, peer: Rc<Peer>, send: quinn::SendStream, recv: quinn::RecvStream) {
    let outbox = shared.outbox();
    let told = Rc::clone(&outbox);
    let writing = write(Rc::clone(&shared), Rc::clone(&peer), Rc::clone(&outbox), send);
    spawn(async move {
        writing.await;
        // The reader may be waiting for room that nobody makes any more.
        told.end();
    });
    spawn(async move {
        let (mut stream, mut recv) = (Stream { shared, peer, outbox }, recv);
        match stream.read(&mut recv).await {
            Ok(()) => stream.outbox.end(),
            Err(fault) => stream.fail(&fault, recv),
        }
    });
}

/// Hands answers to the transport as they may be told.
async fn write(shared: Rc<Shared>, peer: Rc<Peer>, outbox: Rc<Outbox>, mut send: quinn::SendStream) {
    let mut bytes = Vec::new();
    while !outbox.is_done() {
        outbox.ready().await;
        if shared.node.log.watermark.has_failed() {
            return;
        }
        shared.take(&outbox, &mut bytes);
        if bytes.is_empty() {
            continue;
        }
        match tokio::time::timeout(SLOW_MOST, send.write_all(&bytes)).await {
            Ok(Ok(())) => bytes.clear(),
            Ok(Err(_)) => return peer.close(close::DONE, "the peer reads no answers on a stream that it writes to"),
            Err(_) => {
                Traffic::add(&shared.traffic.peers_too_slow, 1);
                return peer.close(close::SLOW_READER, "answers were not read for 30 s");
            }
        }
    }
    // A peer that is told an error code learns it also where it waits for answers.
    let _ = match outbox.failure() {
        Some(code) => send.reset(VarInt::from_u32(code)),
        None => send.finish(),
    };
}

/// When the first bytes of an unfinished frame came.
#[derive(Default)]
struct Unfinished(Option<Instant>);

impl Unfinished {
    /// When the frame must be whole, however often a little more of it comes.
    fn due(&mut self, now: Instant) -> Instant {
        *self.0.get_or_insert(now) + SLOW_MOST
    }
}

/// A frame that is decided, and whose answers are not complete.
struct Open {
    correlation: u64,
    now_ms: i64,
    executed: Executed,
    answers: Vec<u8>,
}

struct Stream {
    shared: Rc<Shared>,
    peer: Rc<Peer>,
    outbox: Rc<Outbox>,
}

impl Stream {
    async fn read(&mut self, recv: &mut quinn::RecvStream) -> Result<(), Fault> {
        let mut buffer = vec![0; READ_BYTES];
        let (mut start, mut end) = (0, 0);
        let mut requests = 0;
        let mut unfinished = Unfinished::default();
        loop {
            while let Some((header, total)) = next_frame(&buffer[start..end]).map_err(Fault::Header)? {
                if !self.outbox.has_room(usize::from(IN_FLIGHT_MOST)).await {
                    return Ok(());
                }
                let body = &buffer[start + HEADER_BYTES..start + total];
                let (count, open) = self.frame(header, body)?;
                if let Some(open) = open {
                    self.complete(open, body).await;
                }
                requests += count;
                start += total;
                unfinished = Unfinished::default();
                if requests >= TURN_REQUESTS {
                    requests = 0;
                    tokio::task::yield_now().await;
                }
            }
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
            if end == buffer.len() {
                buffer.resize((buffer.len() * 2).min(HEADER_BYTES + BODY_BYTES_MOST), 0);
            }
            let read = recv.read(&mut buffer[end..]);
            let read = if end == 0 {
                read.await
            } else {
                // A frame has begun: it must come to its end.
                let due = unfinished.due(Instant::now());
                tokio::time::timeout_at(due, read).await.map_err(|_| Fault::Unfinished)?
            };
            match read {
                Ok(Some(count)) => end += count,
                Ok(None) if end == 0 => return Ok(()),
                Ok(None) => return Err(Fault::Truncated),
                Err(_) => return Ok(()),
            }
            requests = 0;
        }
    }

    /// Decides a frame; gives how many requests it held, and the frame if it is to be completed.
    fn frame(&mut self, header: Header, body: &[u8]) -> Result<(usize, Option<Open>), Fault> {
        if self.peer.pass.is_shut_out() {
            return Err(Fault::Fenced);
        }
        if header.kind != Kind::Requests {
            return Err(Fault::Kind(header.kind));
        }
        let node = &self.shared.node;
        let now_ms = node.clock.now_ms();
        let observer = (self.peer.identity.role == Role::Observer).then_some(Later::NotAllowed);
        let later = observer.or_else(|| node.later());
        let mut turn = self.shared.turn.borrow_mut();
        let mut executed = None;
        let durable = node.log.watermark.durable();
        let mut answers = Vec::new();
        let mut bad = None;
        self.outbox.put_if(|out| {
            let start = open_answers(out);
            match node.store.execute(&mut turn, now_ms, body, &self.peer.identity.programmes, later, out) {
                Ok(mut done) => {
                    let epoch = done.epoch;
                    refuse_operators(self.peer.identity.role, &mut done, out);
                    if done.searches.is_empty() && done.operator.is_empty() {
                        close_answers(out, start, header.correlation, now_ms, done.count);
                        executed = Some(done);
                        // Every answer names a version, or follows from one.
                        return Some(Waits { epoch, at_least: node.store.programmes_epoch() });
                    }
                    answers = out.split_off(start);
                    executed = Some(done);
                    None
                }
                Err(error) => {
                    out.truncate(start);
                    bad = Some(error);
                    None
                }
            }
        });
        drop(turn);
        let Some(executed) = executed else { return Err(Fault::Batch(bad.expect("one or the other"))) };
        self.outbox.frame_read();
        let count = usize::from(executed.count);
        Traffic::add(&self.shared.traffic.frames, 1);
        Traffic::add(&self.shared.traffic.requests, count as u64);
        if executed.epoch > durable {
            node.log.doorbell.ring();
        }
        if executed.searches.is_empty() && executed.operator.is_empty() {
            self.hand_over();
            return Ok((count, None));
        }
        Ok((count, Some(Open { correlation: header.correlation, now_ms, executed, answers })))
    }

    fn hand_over(&self) {
        let node = &self.shared.node;
        let early = node.durability != Durability::Fsync;
        self.shared.queue.hand_over(&self.outbox, node.log.watermark.durable(), early);
    }

    /// Completes a frame elsewhere, where reading the log or walking the members makes nobody wait. A stream is not read
    /// on before there is a place for its frame: what waits is bounded, and takes nothing from those who decide.
    async fn complete(&self, open: Open, body: &[u8]) {
        let place = Arc::clone(&self.shared.aside).acquire_owned().await;
        let Open { correlation, now_ms, executed, mut answers } = open;
        let Executed { count, epoch, searches, operator } = executed;
        let operator: Vec<(u16, u16, Vec<u8>)> =
            operator.into_iter().map(|(index, code, range)| (index, code, body[range].to_vec())).collect();
        let (node, traffic) = (Arc::clone(&self.shared.node), Arc::clone(&self.shared.traffic));
        let role = self.peer.identity.role;
        let stream =
            Stream { shared: Rc::clone(&self.shared), peer: Rc::clone(&self.peer), outbox: Rc::clone(&self.outbox) };
        let completed = tokio::task::spawn_blocking(move || {
            let (_place, mut epoch) = (place, epoch);
            // The entries that a search begins with must be in the log before they can be read there.
            if node.log.watermark.wait(epoch).is_err() {
                return None;
            }
            for search in &searches {
                // As much again is left for all outcomes of a frame.
                let long = matches!(search, Search::Statement(_));
                if long && answers.len() + 2 * STATEMENT_BYTES_MOST > BODY_BYTES_MOST {
                    batch::push_answer(
                        &mut answers,
                        search.index(),
                        answer::BUSY,
                        &refusal::Later { retry_ms: BUSY_MS },
                    );
                    continue;
                }
                looked_up(&node, search, &mut answers)
                    .inspect_err(|error| tracing::error!(%error, "what was asked for cannot be read from the log"))
                    .ok()?;
            }
            for (index, code, body) in &operator {
                // Before it is done: a change whose answer does not fit would be told to nobody.
                if answers.len() + OPERATOR_ANSWER_BYTES_MOST > BODY_BYTES_MOST {
                    batch::push_answer(&mut answers, *index, answer::BUSY, &refusal::Later { retry_ms: BUSY_MS });
                    continue;
                }
                let needs = control::answer(&node, &traffic, role, *index, *code, body, &mut answers);
                epoch = epoch.max(needs);
            }
            Some((answers, epoch))
        });
        spawn(async move {
            // A search that failed leaves the frame without an answer; the stream fails, and the client asks again.
            let Ok(Some((answers, epoch))) = completed.await else {
                Traffic::add(&stream.shared.traffic.streams_failed, 1);
                return stream.outbox.lose(close::LOG_FAILED);
            };
            stream.outbox.put(Waits::durably(epoch), |out| {
                let start = out.len();
                out.extend_from_slice(&answers);
                close_answers(out, start, correlation, now_ms, count);
            });
            stream.hand_over();
        });
    }

    /// Fails the stream with a typed code; a peer that is shut out loses its connection.
    fn fail(&self, fault: &Fault, mut recv: quinn::RecvStream) {
        Traffic::add(&self.shared.traffic.streams_failed, 1);
        if matches!(fault, Fault::Unfinished) {
            Traffic::add(&self.shared.traffic.peers_too_slow, 1);
        }
        let (code, sentence) = match fault {
            Fault::Header(error @ BadHeader::Oversized(_)) => (close::OVERSIZED, error.to_string()),
            Fault::Header(error) => (close::MALFORMED, error.to_string()),
            Fault::Batch(error) => (close::MALFORMED, error.to_string()),
            Fault::Kind(kind) => (close::MALFORMED, format!("a frame of kind {kind:?} is not for servers here")),
            Fault::Fenced => (close::FENCED, "a higher session of this instance has come".into()),
            Fault::Truncated => (close::MALFORMED, "the stream ends in the middle of a frame".into()),
            Fault::Unfinished => (close::TIME_OUT, "a frame was begun and not finished".into()),
        };
        tracing::info!(peer = self.peer.identity.name, sentence, "a stream failed");
        if matches!(fault, Fault::Fenced) {
            return self.peer.close(code, &sentence);
        }
        let _ = recv.stop(VarInt::from_u32(code));
        self.outbox.fail(code);
    }
}

/// No page of a statement is larger.
const STATEMENT_BYTES_MOST: usize = 1 << 18;

/// Answers from the log.
fn looked_up(node: &Node, search: &Search, answers: &mut Vec<u8>) -> Result<(), LogError> {
    match search {
        Search::Outcome(search) => {
            let view = outcome::search(&node.log.pages, search)?;
            batch::push_answer(answers, search.index, answer::OUTCOME, &view);
        }
        Search::Statement(search) => {
            let programmes = node.store.programmes();
            let active = &programmes[search.programme as usize - 1];
            let keys = node.store.shape().keys;
            let view = statement::page(&node.log.pages, &keys, &active.programme, search)?;
            batch::push_answer(answers, search.index, answer::STATEMENT, &view);
        }
    }
    Ok(())
}

/// Answers what a role may not ask for, so that it takes no place of what is completed elsewhere.
fn refuse_operators(role: Role, executed: &mut Executed, out: &mut Vec<u8>) {
    executed.operator.retain(|(index, code, _)| match control::refusal(role, *code) {
        None => true,
        Some(refused) => {
            batch::push_answer(out, *index, refused, &refusal::Plain {});
            false
        }
    });
}

/// The first frame in `bytes`, if it is whole: its header and its length, header included.
fn next_frame(bytes: &[u8]) -> Result<Option<(Header, usize)>, BadHeader> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let header = Header::decode(header)?;
    let total = HEADER_BYTES + header.length as usize;
    Ok((bytes.len() >= total).then_some((header, total)))
}

/// Makes room for the heads of an `ANSWERS` frame; gives where it starts.
fn open_answers(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    batch::start_answers(out);
    start
}

/// Fills the heads in.
fn close_answers(out: &mut [u8], start: usize, correlation: u64, now_ms: i64, count: u16) {
    let length = (out.len() - start - HEADER_BYTES) as u32;
    batch::finish_answers(out, start + HEADER_BYTES, now_ms, count);
    let header = Header { length, kind: Kind::Answers, flags: 0, correlation };
    out[start..start + HEADER_BYTES].copy_from_slice(&header.encode());
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::batch::Answers;
    use tidegate_protocol::code::op;

    use super::*;

    #[test]
    fn a_frame_that_trickles_in_is_due_when_it_was_at_its_first_byte() {
        let (mut unfinished, began) = (Unfinished::default(), Instant::now());
        let due = unfinished.due(began);
        assert_eq!(unfinished.due(began + SLOW_MOST / 2), due);
        assert_eq!(unfinished.due(began + SLOW_MOST * 2), due);
    }

    /// What of a frame for operators is left to complete for a role, and the codes that it is refused with.
    fn left_and_refused(role: Role) -> (Vec<u16>, Vec<u16>) {
        let operator = vec![(0, op::GET_STATUS, 0..1), (1, op::ACTIVATE, 1..9), (2, 0x7fff, 9..9)];
        let mut executed = Executed { count: 3, epoch: 0, searches: Vec::new(), operator };
        let mut out = Vec::new();
        batch::start_answers(&mut out);
        refuse_operators(role, &mut executed, &mut out);
        let left: Vec<u16> = executed.operator.iter().map(|(index, ..)| *index).collect();
        batch::finish_answers(&mut out, 0, 0, 3 - left.len() as u16);
        let refused = Answers::new(&out).expect("a head").map(|answer| answer.expect("an answer").code);
        (left, refused.collect())
    }

    #[test]
    fn what_a_role_may_not_ask_for_is_refused_before_it_is_kept_for_later() {
        let (no, unknown) = (answer::NOT_ALLOWED, answer::UNKNOWN_OPERATION);
        assert_eq!(left_and_refused(Role::Gateway), (vec![], vec![no, no, unknown]));
        assert_eq!(left_and_refused(Role::Observer), (vec![0], vec![no, unknown]));
        assert_eq!(left_and_refused(Role::Operator), (vec![0, 1], vec![unknown]));
    }
}
