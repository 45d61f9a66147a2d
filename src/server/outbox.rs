//! A stream's answers on their way out, in order, each held back until its epoch is durable (I4).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::Notify;

/// Answers of one stream. Lives on its runtime's thread.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: RefCell<Vec<u8>>,
    /// For each frame its epoch and where it ends, counted from the first byte ever put in.
    marks: RefCell<VecDeque<(u64, u64)>>,
    /// Bytes taken out so far.
    taken: Cell<u64>,
    /// Frames decided and not yet handed to the transport.
    in_flight: Cell<usize>,
    /// Told when there may be something to take.
    ready: Notify,
    /// Told when frames have gone.
    gone: Notify,
    /// Whether no more will come.
    ended: Cell<bool>,
    /// The close code with which the stream failed.
    failed: Cell<Option<u32>>,
    /// Whether it stands in the release queue.
    queued: Cell<bool>,
}

impl Outbox {
    /// Puts a frame in: `write` appends its bytes.
    pub(super) fn put(&self, epoch: u64, write: impl FnOnce(&mut Vec<u8>)) {
        self.put_if(|bytes| {
            write(bytes);
            Some(epoch)
        });
    }

    /// Puts a frame in, if `write` gives it an epoch; else whatever it wrote it has taken back.
    pub(super) fn put_if(&self, write: impl FnOnce(&mut Vec<u8>) -> Option<u64>) {
        let mut bytes = self.bytes.borrow_mut();
        if let Some(epoch) = write(&mut bytes) {
            let end = self.taken.get() + bytes.len() as u64;
            self.marks.borrow_mut().push_back((epoch, end));
        }
    }

    /// Counts a frame that was read.
    pub(super) fn frame_read(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
    }

    /// Frames read and not yet answered.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Takes everything that is durable, into `out`.
    pub(super) fn take(&self, durable: u64, out: &mut Vec<u8>) {
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

    /// Whether anything waits here.
    pub(super) fn is_empty(&self) -> bool {
        self.marks.borrow().is_empty()
    }

    /// Lets the writer look.
    pub(super) fn wake(&self) {
        self.ready.notify_one();
    }

    /// Waits until the writer should look.
    pub(super) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Waits until frames have gone.
    pub(super) async fn gone(&self) {
        self.gone.notified().await;
    }

    /// No more frames will come.
    pub(super) fn end(&self) {
        self.ended.set(true);
        self.ready.notify_one();
    }

    /// The stream failed: what is under way is told, nothing more will come.
    pub(super) fn fail(&self, code: u32) {
        self.failed.set(Some(code));
        self.end();
    }

    /// The close code with which the stream failed.
    pub(super) fn failure(&self) -> Option<u32> {
        self.failed.get()
    }

    /// Whether no more will come and nothing is under way.
    pub(super) fn is_done(&self) -> bool {
        self.ended.get() && self.in_flight.get() == 0 && self.is_empty()
    }
}

/// The outboxes of a runtime that wait for an epoch: one queue, woken by the watermark.
#[derive(Debug, Default)]
pub(super) struct ReleaseQueue {
    waiting: RefCell<Vec<Rc<Outbox>>>,
}

impl ReleaseQueue {
    /// Adds an outbox that holds something not durable yet.
    pub(super) fn wait(&self, outbox: &Rc<Outbox>) {
        if !outbox.queued.replace(true) {
            self.waiting.borrow_mut().push(Rc::clone(outbox));
        }
    }

    /// Wakes the writers of all that wait; they take what is durable by now.
    pub(super) fn release(&self, durable: u64) {
        self.waiting.borrow_mut().retain(|outbox| {
            outbox.wake();
            let newest = outbox.marks.borrow().back().map_or(0, |(epoch, _)| *epoch);
            let waits = newest > durable;
            outbox.queued.set(waits);
            waits
        });
    }
}
