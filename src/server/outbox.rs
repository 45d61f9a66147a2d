//! A stream's answers on their way out, in order, each held back until the promise to callers lets it be told: with fsync
//! once its epoch is durable (I4).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tidegate_protocol::frame::{FLAG_NOT_DURABLE, Kind};
use tokio::sync::Notify;

use crate::log::{Promise, Telling};
use crate::planted::{Bug, planted};

/// Bytes of answers that may wait here before no more is read of the stream. A frame is answered whole, so that there may be one frame's
/// more; and the writer may hold as much again. Far more than answers come to between two syncs.
const HELD_BYTES_MOST: usize = 2 << 20;

/// Where kind and flags stand in a frame.
const KIND_AT: usize = 4;
const FLAGS_AT: usize = 5;

/// What a frame waits for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waits {
    /// The epoch with which it is durable.
    pub epoch: u64,
    /// The epoch without which it is never told: that of versions, books and whatever else is not for telling early.
    pub at_least: u64,
}

impl Waits {
    /// For something that is told only when it is durable.
    pub fn durably(epoch: u64) -> Waits {
        Waits { epoch, at_least: epoch }
    }
}

/// A frame that waits, and where it ends, counted from the first byte ever put in.
#[derive(Debug, Clone, Copy)]
struct Mark {
    waits: Waits,
    end: u64,
}

/// Answers of one stream. Lives on its runtime's thread.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: RefCell<Vec<u8>>,
    /// A frame goes behind those before it, so that it waits for their epochs too: marks never fall.
    marks: RefCell<VecDeque<Mark>>,
    /// Bytes taken out so far.
    taken: Cell<u64>,
    /// Frames decided and not yet handed to the transport.
    in_flight: Cell<usize>,
    /// Told when there may be something to take.
    ready: Notify,
    /// Told when frames have gone.
    gone: Notify,
    /// Whether no more frames are to be read.
    ended: Cell<bool>,
    /// The close code with which the stream failed.
    failed: Cell<Option<u32>>,
    /// Whether it stands in the release queue.
    queued: Cell<bool>,
}

impl Outbox {
    /// Puts a frame in: `write` appends its bytes.
    pub fn put(&self, waits: Waits, write: impl FnOnce(&mut Vec<u8>)) {
        self.put_if(|bytes| {
            write(bytes);
            Some(waits)
        });
    }

    /// Puts a frame in, if `write` says what it waits for; else whatever it wrote it has taken back.
    pub fn put_if(&self, write: impl FnOnce(&mut Vec<u8>) -> Option<Waits>) {
        let mut bytes = self.bytes.borrow_mut();
        if let Some(Waits { epoch, at_least }) = write(&mut bytes) {
            let end = self.taken.get() + bytes.len() as u64;
            let mut marks = self.marks.borrow_mut();
            let newest = marks.back().map_or(Waits::default(), |mark| mark.waits);
            let waits = Waits { epoch: epoch.max(newest.epoch), at_least: at_least.max(newest.at_least) };
            marks.push_back(Mark { waits, end });
        }
    }

    /// Counts a frame that was read.
    pub fn frame_read(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
    }

    /// Frames read and not yet answered.
    pub fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Takes everything that may be told now, into `out`; what is told early says so.
    pub fn take(&self, promise: &mut Promise, durable: u64, now: Duration, out: &mut Vec<u8>) {
        let mut marks = self.marks.borrow_mut();
        let mut bytes = self.bytes.borrow_mut();
        let mut end = self.taken.get();
        let mut frames = 0;
        promise.made_durable(durable);
        while let Some(Mark { waits, end: frame_end }) = marks.front().copied() {
            if waits.at_least > durable {
                break;
            }
            let Some(telling) = promise.tell(waits.epoch, now) else { break };
            let frame = &mut bytes[(end - self.taken.get()) as usize..];
            let early = telling == Telling::Early && !planted(Bug::ForgottenFlag);
            if early && frame[KIND_AT] == Kind::Answers as u8 {
                frame[FLAGS_AT] |= FLAG_NOT_DURABLE;
            }
            marks.pop_front();
            end = frame_end;
            frames += 1;
        }
        let count = (end - self.taken.get()) as usize;
        if count == bytes.len() {
            std::mem::swap(&mut *bytes, out);
            bytes.clear();
        } else {
            out.extend_from_slice(&bytes[..count]);
            bytes.drain(..count);
        }
        self.taken.set(end);
        self.sent(frames);
    }

    fn sent(&self, frames: usize) {
        if frames > 0 {
            self.in_flight.set(self.in_flight.get().saturating_sub(frames));
            self.gone.notify_one();
        }
    }

    /// Whether anything waits for a later epoch than `durable`.
    fn waits(&self, durable: u64) -> bool {
        self.marks.borrow().back().is_some_and(|mark| mark.waits.epoch > durable)
    }

    /// Whether anything waits here.
    pub fn is_empty(&self) -> bool {
        self.marks.borrow().is_empty()
    }

    /// Lets the writer look.
    pub fn wake(&self) {
        self.ready.notify_one();
    }

    /// Waits until the writer should look.
    pub async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Waits until fewer than `most` frames are in flight, and their answers have room; false if no more are to be read.
    pub async fn has_room(&self, most: usize) -> bool {
        // Short questions have long answers: whoever asks and does not read must not fill the memory with them (I8).
        let is_full = || self.in_flight() >= most || self.bytes.borrow().len() >= HELD_BYTES_MOST;
        while is_full() && !self.ended.get() {
            self.gone.notified().await;
        }
        !self.ended.get()
    }

    /// No more frames are to be read: none will come, or nobody tells their answers any more.
    pub fn end(&self) {
        self.ended.set(true);
        self.ready.notify_one();
        self.gone.notify_one();
    }

    /// The stream failed: what is under way is told, nothing more will come.
    pub fn fail(&self, code: u32) {
        self.failed.set(Some(code));
        self.end();
    }

    /// A frame that was read can have no answer: the stream fails.
    pub fn lose(&self, code: u32) {
        self.sent(1);
        self.fail(code);
    }

    /// The close code with which the stream failed.
    pub fn failure(&self) -> Option<u32> {
        self.failed.get()
    }

    /// Whether no more will come and nothing is under way.
    pub fn is_done(&self) -> bool {
        self.ended.get() && self.in_flight.get() == 0 && self.is_empty()
    }
}

/// The outboxes of a runtime that wait for an epoch: one queue, woken by the watermark.
#[derive(Debug, Default)]
pub struct ReleaseQueue {
    waiting: RefCell<Vec<Rc<Outbox>>>,
}

impl ReleaseQueue {
    /// Lets the writer take what was put in: now if it is durable or `early` answers may be told, and when it is durable.
    pub fn hand_over(&self, outbox: &Rc<Outbox>, durable: u64, early: bool) {
        let waits = outbox.waits(durable);
        if early || !waits {
            outbox.wake();
        }
        if waits && !outbox.queued.replace(true) {
            self.waiting.borrow_mut().push(Rc::clone(outbox));
        }
    }

    /// Wakes the writers of all that wait; they take what is durable by now.
    pub fn release(&self, durable: u64) {
        self.waiting.borrow_mut().retain(|outbox| {
            outbox.wake();
            let waits = outbox.waits(durable);
            outbox.queued.set(waits);
            waits
        });
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use tidegate_protocol::frame;

    use super::*;
    use crate::log::Durability;

    fn answers(out: &mut Vec<u8>, byte: u8) {
        frame::write(out, Kind::Answers, 0, 0, |out| out.push(byte));
    }

    /// Hands over a frame with a body of one byte.
    fn put(queue: &ReleaseQueue, outbox: &Rc<Outbox>, byte: u8, epoch: u64, durable: u64) {
        outbox.frame_read();
        outbox.put(Waits { epoch, at_least: 0 }, |out| answers(out, byte));
        queue.hand_over(outbox, durable, false);
    }

    fn take(outbox: &Outbox, promise: &mut Promise, durable: u64, now_ms: u64) -> Vec<u8> {
        let mut out = Vec::new();
        outbox.take(promise, durable, Duration::from_millis(now_ms), &mut out);
        out
    }

    /// The bodies of the frames that the writer takes, if it was woken.
    fn taken(outbox: &Outbox, durable: u64) -> Option<Vec<u8>> {
        let ready = std::pin::pin!(outbox.ready());
        let woken = ready.poll(&mut Context::from_waker(Waker::noop())).is_ready();
        woken.then(|| {
            let out = take(outbox, &mut Promise::default(), durable, 0);
            out.chunks(FRAME_BYTES).map(|frame| *frame.last().expect("a body")).collect()
        })
    }

    const FRAME_BYTES: usize = frame::HEADER_BYTES + 1;

    #[test]
    fn with_an_interval_answers_go_early_and_say_so_until_the_log_is_behind() {
        let (outbox, mut promise) = (Outbox::default(), Promise::new(Durability::Interval(Duration::from_millis(50))));
        let put = |waits, kind| outbox.put(waits, |out| frame::write(out, kind, 0, 0, |out| out.push(1)));
        let flags = |bytes: &[u8]| bytes.chunks(FRAME_BYTES).map(|frame| frame[FLAGS_AT]).collect::<Vec<_>>();
        put(Waits { epoch: 8, at_least: 0 }, Kind::Answers);
        put(Waits { epoch: 9, at_least: 8 }, Kind::Answers);
        put(Waits { epoch: 0, at_least: 0 }, Kind::Draining);
        assert_eq!(flags(&take(&outbox, &mut promise, 8, 10)), [0, FLAG_NOT_DURABLE, 0]);
        put(Waits { epoch: 10, at_least: 0 }, Kind::Answers);
        assert!(take(&outbox, &mut promise, 8, 60).is_empty(), "the one before could be lost for 50 ms");
        assert_eq!(flags(&take(&outbox, &mut promise, 9, 60)), [FLAG_NOT_DURABLE]);
        put(Waits::durably(11), Kind::Answers);
        put(Waits { epoch: 11, at_least: 0 }, Kind::Answers);
        assert!(
            take(&outbox, &mut promise, 10, 61).is_empty(),
            "books are told when they are durable, and nothing before them"
        );
        assert_eq!(flags(&take(&outbox, &mut promise, 11, 61)), [0, 0]);
    }

    #[test]
    fn a_frame_of_an_earlier_epoch_behind_a_later_one_is_released_with_it() {
        let (queue, outbox) = (ReleaseQueue::default(), Rc::new(Outbox::default()));
        put(&queue, &outbox, b'a', 10, 8);
        put(&queue, &outbox, b'b', 9, 8);
        queue.release(9);
        assert_eq!(taken(&outbox, 9), Some(vec![]), "the second does not overtake the first");
        queue.release(10);
        assert_eq!(taken(&outbox, 10), Some(b"ab".to_vec()));
        assert_eq!(outbox.in_flight(), 0);
        queue.release(11);
        assert_eq!(taken(&outbox, 11), None, "nothing waits any more");
    }

    #[test]
    fn a_frame_that_waits_for_nothing_goes_behind_those_that_wait() {
        let (queue, outbox) = (ReleaseQueue::default(), Rc::new(Outbox::default()));
        put(&queue, &outbox, b'a', 9, 8);
        put(&queue, &outbox, b'b', 0, 8);
        assert_eq!(taken(&outbox, 8), None);
        queue.release(9);
        assert_eq!(taken(&outbox, 9), Some(b"ab".to_vec()));
    }

    #[test]
    fn what_is_durable_already_goes_at_once() {
        let (queue, outbox) = (ReleaseQueue::default(), Rc::new(Outbox::default()));
        put(&queue, &outbox, b'a', 8, 8);
        assert_eq!(taken(&outbox, 8), Some(b"a".to_vec()));
    }

    #[test]
    fn a_reader_that_waits_for_room_is_let_go_when_frames_go_or_the_stream_ends() {
        let (queue, outbox) = (ReleaseQueue::default(), Rc::new(Outbox::default()));
        let mut context = Context::from_waker(Waker::noop());
        put(&queue, &outbox, b'a', 9, 8);
        {
            let mut room = std::pin::pin!(outbox.has_room(1));
            assert!(room.as_mut().poll(&mut context).is_pending());
            take(&outbox, &mut Promise::default(), 9, 0);
            assert_eq!(room.poll(&mut context), Poll::Ready(true));
        }
        put(&queue, &outbox, b'b', 10, 9);
        let mut room = std::pin::pin!(outbox.has_room(1));
        assert!(room.as_mut().poll(&mut context).is_pending());
        outbox.end();
        assert_eq!(room.poll(&mut context), Poll::Ready(false), "what is under way is told to nobody");
    }

    #[test]
    fn i8_a_reader_waits_while_long_answers_pile_up() {
        let (queue, outbox) = (ReleaseQueue::default(), Rc::new(Outbox::default()));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            assert_eq!(std::pin::pin!(outbox.has_room(9)).poll(&mut context), Poll::Ready(true));
            outbox.frame_read();
            let long = vec![b'a'; HELD_BYTES_MOST / 2];
            outbox.put(Waits { epoch: 9, at_least: 0 }, |out| {
                frame::write(out, Kind::Answers, 0, 0, |out| out.extend_from_slice(&long));
            });
            queue.hand_over(&outbox, 8, false);
        }
        let mut room = std::pin::pin!(outbox.has_room(9));
        assert!(room.as_mut().poll(&mut context).is_pending());
        take(&outbox, &mut Promise::default(), 9, 0);
        assert_eq!(room.poll(&mut context), Poll::Ready(true));
    }

    #[test]
    fn a_frame_without_an_answer_fails_the_stream_once_the_others_are_told() {
        let (queue, outbox) = (ReleaseQueue::default(), Rc::new(Outbox::default()));
        outbox.frame_read();
        put(&queue, &outbox, b'a', 9, 8);
        outbox.lose(6);
        assert!(!outbox.is_done(), "what is under way is told");
        let room = std::pin::pin!(outbox.has_room(9));
        assert_eq!(room.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(false), "nothing more is read");
        take(&outbox, &mut Promise::default(), 9, 0);
        assert_eq!((outbox.is_done(), outbox.failure()), (true, Some(6)));
    }
}
