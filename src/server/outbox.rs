//! A stream's answers on their way out, in order, each held back until its epoch is durable (I4).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::Notify;

/// Answers of one stream. Lives on its runtime's thread.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: RefCell<Vec<u8>>,
    /// For each frame the epoch it waits for and where it ends, counted from the first byte ever put in. A frame goes
    /// behind those before it, so that it waits for their epochs too: marks never fall.
    marks: RefCell<VecDeque<(u64, u64)>>,
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
    pub fn put(&self, epoch: u64, write: impl FnOnce(&mut Vec<u8>)) {
        self.put_if(|bytes| {
            write(bytes);
            Some(epoch)
        });
    }

    /// Puts a frame in, if `write` gives it an epoch; else whatever it wrote it has taken back.
    pub fn put_if(&self, write: impl FnOnce(&mut Vec<u8>) -> Option<u64>) {
        let mut bytes = self.bytes.borrow_mut();
        if let Some(epoch) = write(&mut bytes) {
            let end = self.taken.get() + bytes.len() as u64;
            let mut marks = self.marks.borrow_mut();
            let newest = marks.back().map_or(0, |(newest, _)| *newest);
            marks.push_back((epoch.max(newest), end));
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

    /// Takes everything that is durable, into `out`.
    pub fn take(&self, durable: u64, out: &mut Vec<u8>) {
        let mut marks = self.marks.borrow_mut();
        let mut end = self.taken.get();
        let mut frames = 0;
        while let Some((_, frame_end)) = marks.front().copied().filter(|(epoch, _)| *epoch <= durable) {
            marks.pop_front();
            end = frame_end;
            frames += 1;
        }
        let count = (end - self.taken.get()) as usize;
        let mut bytes = self.bytes.borrow_mut();
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
        self.marks.borrow().back().is_some_and(|(newest, _)| *newest > durable)
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

    /// Waits until fewer than `most` frames are in flight; false if no more are to be read.
    pub async fn has_room(&self, most: usize) -> bool {
        while self.in_flight() >= most && !self.ended.get() {
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
    /// Lets the writer take what was put in: now, or when it is durable.
    pub fn hand_over(&self, outbox: &Rc<Outbox>, durable: u64) {
        if !outbox.waits(durable) {
            outbox.wake();
        } else if !outbox.queued.replace(true) {
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

    use super::*;

    /// Hands over a frame of one byte.
    fn put(queue: &ReleaseQueue, outbox: &Rc<Outbox>, byte: u8, epoch: u64, durable: u64) {
        outbox.frame_read();
        outbox.put(epoch, |out| out.push(byte));
        queue.hand_over(outbox, durable);
    }

    /// What the writer takes, if it was woken.
    fn taken(outbox: &Outbox, durable: u64) -> Option<Vec<u8>> {
        let ready = std::pin::pin!(outbox.ready());
        let woken = ready.poll(&mut Context::from_waker(Waker::noop())).is_ready();
        woken.then(|| {
            let mut out = Vec::new();
            outbox.take(durable, &mut out);
            out
        })
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
            outbox.take(9, &mut Vec::new());
            assert_eq!(room.poll(&mut context), Poll::Ready(true));
        }
        put(&queue, &outbox, b'b', 10, 9);
        let mut room = std::pin::pin!(outbox.has_room(1));
        assert!(room.as_mut().poll(&mut context).is_pending());
        outbox.end();
        assert_eq!(room.poll(&mut context), Poll::Ready(false), "what is under way is told to nobody");
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
        outbox.take(9, &mut Vec::new());
        assert_eq!((outbox.is_done(), outbox.failure()), (true, Some(6)));
    }
}
