//! The crew that puts state back at recovery: one thread reads and checks, the others apply, several places at a time.
//!
//! Promises: pieces of one place are put in the order in which they are handed over; what is put alone sees everything
//! before it and nothing behind; of several faults the one that was handed over first is told, however many workers there
//! are. What waits is bounded: a few batches for each worker. Never: lets a worker touch another's place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use crate::engine::PlaceId;
use crate::store::Store;

/// What is put back into one place.
pub(super) trait Piece: Send {
    /// What can be wrong with it.
    type Fault: Send;

    fn place(&self) -> PlaceId;

    fn bytes(&self) -> usize;

    fn put(&self, store: &Store) -> Result<(), Self::Fault>;
}

/// Bytes after which a worker gets what was handed over for it.
const BATCH_BYTES: usize = 256 << 10;
/// Batches that wait for a worker.
const BATCHES_WAITING: usize = 4;

/// A piece with its number in the order of handing over.
type Numbered<P> = (u64, P);

enum Errand<P> {
    Put(Vec<Numbered<P>>),
    /// Dropped once everything before it is put.
    Meet {
        _dropped: mpsc::Sender<()>,
    },
}

/// A worker, as the reading thread sees it.
struct Lane<P> {
    batch: Vec<Numbered<P>>,
    bytes: usize,
    queue: SyncSender<Errand<P>>,
}

impl<P> Lane<P> {
    /// A worker that is gone has panicked, which its scope tells.
    fn send(&mut self) {
        if !self.batch.is_empty() {
            let _ = self.queue.send(Errand::Put(std::mem::take(&mut self.batch)));
            self.bytes = 0;
        }
    }
}

/// Workers, and the first fault found on the reading thread itself.
pub(super) struct Crew<'a, P: Piece> {
    store: &'a Store,
    lanes: Vec<Lane<P>>,
    handed: u64,
    failed: &'a AtomicBool,
    fault: Option<Numbered<P::Fault>>,
}

/// Runs `lead` with `workers` threads behind it; with none it puts every piece itself. Gives what `lead` gave, and the first
/// fault of a piece, which came before whatever else `lead` met.
pub(super) fn with_crew<P: Piece, T>(
    store: &Store,
    workers: usize,
    lead: impl FnOnce(&mut Crew<'_, P>) -> T,
) -> (T, Option<P::Fault>) {
    let failed = &AtomicBool::new(false);
    thread::scope(|scope| {
        let hire = |number| {
            let (queue, errands) = mpsc::sync_channel(BATCHES_WAITING);
            let worker = thread::Builder::new().name(format!("recovery-{number}"));
            // Where the system gives no more threads, those that are there do.
            let worker = worker.spawn_scoped(scope, move || work(store, &errands, failed)).ok()?;
            Some((Lane { batch: Vec::new(), bytes: 0, queue }, worker))
        };
        let (lanes, hired): (Vec<_>, Vec<_>) = (0..workers).map_while(hire).unzip();
        let mut crew = Crew { store, lanes, handed: 0, failed, fault: None };
        let led = lead(&mut crew);
        crew.lanes.iter_mut().for_each(Lane::send);
        let Crew { lanes, fault, .. } = crew;
        drop(lanes);
        let found =
            hired.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        let first = found.flatten().chain(fault).min_by_key(|(number, _)| *number);
        (led, first.map(|(_, fault)| fault))
    })
}

impl<P: Piece> Crew<'_, P> {
    /// Has a piece put, behind all others of its place.
    pub(super) fn put(&mut self, piece: P) {
        if self.lanes.is_empty() {
            return self.put_here(&piece);
        }
        self.handed += 1;
        let place = piece.place();
        // Shards of members and of orders by turns, so that neither kind is one worker's.
        let at = (place.kind() as usize + place.index()) % self.lanes.len();
        let lane = &mut self.lanes[at];
        lane.bytes += piece.bytes();
        lane.batch.push((self.handed, piece));
        if lane.bytes >= BATCH_BYTES {
            lane.send();
        }
    }

    /// Puts a piece that concerns all places, when everything before it is put.
    pub(super) fn put_alone(&mut self, piece: &P) {
        let (done, all_done) = mpsc::channel();
        for lane in &mut self.lanes {
            lane.send();
            let _ = lane.queue.send(Errand::Meet { _dropped: done.clone() });
        }
        drop(done);
        // Nothing is ever sent: it ends when the last worker has dropped its end.
        let _ = all_done.recv();
        self.put_here(piece);
    }

    fn put_here(&mut self, piece: &P) {
        self.handed += 1;
        if self.has_failed() {
            return;
        }
        if let Err(fault) = piece.put(self.store) {
            self.failed.store(true, Ordering::Relaxed);
            self.fault = Some((self.handed, fault));
        }
    }

    /// Whether a piece did not fit: nothing more needs to be handed over.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Puts what comes, up to the first fault.
fn work<P: Piece>(store: &Store, errands: &Receiver<Errand<P>>, failed: &AtomicBool) -> Option<Numbered<P::Fault>> {
    let mut fault = None;
    for errand in errands {
        let Errand::Put(pieces) = errand else { continue };
        for (number, piece) in pieces {
            if fault.is_none()
                && let Err(why) = piece.put(store)
            {
                failed.store(true, Ordering::Relaxed);
                fault = Some((number, why));
            }
        }
    }
    fault
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::engine::PlaceKind;
    use crate::store::{HashKeys, Limits, Shape};

    /// What was put, place by place; and what stood there when a piece was put alone.
    #[derive(Default)]
    struct Seen {
        put: Mutex<Vec<(PlaceId, u64)>>,
        alone: Mutex<Vec<(u64, usize)>>,
    }

    struct Noted<'a> {
        seen: &'a Seen,
        place: PlaceId,
        value: u64,
        fits: bool,
    }

    impl Piece for Noted<'_> {
        type Fault = u64;

        fn place(&self) -> PlaceId {
            self.place
        }

        /// So large that most go to their worker at once.
        fn bytes(&self) -> usize {
            BATCH_BYTES / 2
        }

        fn put(&self, _: &Store) -> Result<(), u64> {
            let mut put = self.seen.put.lock();
            if self.place == PlaceId::PROGRAMMES {
                self.seen.alone.lock().push((self.value, put.len()));
            }
            put.push((self.place, self.value));
            if self.fits { Ok(()) } else { Err(self.value) }
        }
    }

    /// Hands a thousand pieces over; those that are in `misfits` do not fit, every hundredth is put alone.
    fn hand_over(workers: usize, misfits: &[u64]) -> (Seen, Option<u64>) {
        let (seen, keys) = (Seen::default(), HashKeys { short: [0; 16], long: [0; 16] });
        let store = Store::new(Shape { shards: 1, keys, lineage: 0 }, Limits::default(), 1);
        let ((), fault) = with_crew(&store, workers, |crew| {
            for value in 0..1_000 {
                let alone = value % 100 == 99;
                let member = PlaceId::new(PlaceKind::Members, value as usize * 7 % 13);
                let place = if alone { PlaceId::PROGRAMMES } else { member };
                let piece = Noted { seen: &seen, place, value, fits: !misfits.contains(&value) };
                if alone { crew.put_alone(&piece) } else { crew.put(piece) }
            }
        });
        (seen, fault)
    }

    #[test]
    fn pieces_of_a_place_are_put_in_their_order_and_what_is_put_alone_has_all_before_it() {
        for workers in 0..5 {
            let (seen, fault) = hand_over(workers, &[]);
            let (put, alone) = (seen.put.into_inner(), seen.alone.into_inner());
            assert_eq!((put.len(), fault), (1_000, None), "{workers} workers");
            for index in 0..13 {
                let place = PlaceId::new(PlaceKind::Members, index);
                let values: Vec<u64> = put.iter().filter(|(of, _)| *of == place).map(|(_, value)| *value).collect();
                assert!(values.is_sorted(), "{workers} workers, {place}: {values:?}");
            }
            assert!(alone.iter().all(|(value, before)| *value == *before as u64), "{workers} workers: {alone:?}");
        }
    }

    #[test]
    fn the_fault_that_was_handed_over_first_is_told_however_many_workers_there_are() {
        for misfits in [vec![500], vec![731, 502, 730], vec![299, 298], vec![999], vec![300, 299]] {
            for workers in 0..5 {
                let (_, fault) = hand_over(workers, &misfits);
                assert_eq!(fault, misfits.iter().min().copied(), "{workers} workers, {misfits:?}");
            }
        }
    }
}
