//! A slow disk: whoever asks waits or is told to come back, nobody is told anything that a power loss could still take back, and what
//! waits is bounded (I4, I8).

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tidegate::server::Endpoint;
use tidegate::server::identity::server_config;
use tidegate::storage::{File, Memory, Storage};
use tidegate_protocol::batch::Answers;
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::frame::Kind;
use tidegate_protocol::operation::Enrol;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};

use super::disk_full::{Small, UNDURABLE_BYTES};
use super::member;
use super::raw::{Batch, Raw, Stream};

/// Frames of a round, and enrolments in each: far more than may wait for the disk.
const FRAMES: u64 = 40;
const ENTRIES: u64 = 100;
const ROUNDS: u64 = 10;
/// What one frame may add beyond the bound: it is decided as a whole.
const FRAME_BYTES_MOST: u64 = ENTRIES * 256;

/// Where syncs of the log wait until they are let through.
#[derive(Default)]
struct Gate {
    state: Mutex<AtGate>,
    moved: Condvar,
}

#[derive(Default)]
struct AtGate {
    closed: bool,
    waits: bool,
    passes: u32,
}

impl Gate {
    fn wait(&self) {
        let mut state = self.state.lock();
        state.waits = true;
        while state.closed && state.passes == 0 {
            self.moved.wait(&mut state);
        }
        state.passes = state.passes.saturating_sub(1);
        state.waits = false;
    }

    fn set_closed(&self, closed: bool) {
        self.state.lock().closed = closed;
        self.moved.notify_all();
    }

    /// Lets the sync through that waits, if one does.
    fn let_one_through(&self) {
        let mut state = self.state.lock();
        if state.waits && state.passes == 0 {
            state.passes = 1;
            self.moved.notify_all();
        }
    }
}

/// A disk with a gate before `fdatasync`.
struct Gated(Memory, Arc<Gate>);

struct Opened(Box<dyn File>, Arc<Gate>);

impl Gated {
    fn opened(&self, file: io::Result<Box<dyn File>>) -> io::Result<Box<dyn File>> {
        Ok(Box::new(Opened(file?, Arc::clone(&self.1))))
    }
}

impl Storage for Gated {
    fn create(&self, path: &str) -> io::Result<Box<dyn File>> {
        self.opened(self.0.create(path))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn File>> {
        self.opened(self.0.open(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.0.remove(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.0.list(folder)
    }

    fn make_dir(&self, folder: &str) -> io::Result<()> {
        self.0.make_dir(folder)
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        self.0.sync_dir(folder)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.0.free_bytes()
    }
}

impl File for Opened {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.1.wait();
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

/// What was told so far.
#[derive(Default)]
struct Told {
    frames: u64,
    enrolled: u64,
    busy: u64,
}

/// Reads answers for as long as there are any to come.
async fn hear(mut receive: quinn::RecvStream, told: Rc<RefCell<Told>>) {
    while let Ok((kind, body)) = Stream::read_from(&mut receive).await {
        if kind != Kind::Answers {
            continue;
        }
        let mut told = told.borrow_mut();
        told.frames += 1;
        for answer in Answers::new(&body).unwrap().map(Result::unwrap) {
            match answer.code {
                answer::ENROLLED => told.enrolled += 1,
                answer::BUSY => told.busy += 1,
                code => panic!("{}", tidegate_protocol::code::name(code)),
            }
        }
    }
}

#[tokio::test]
async fn i4_a_slow_disk_holds_answers_back_and_refuses_more_than_may_wait() {
    let (small, gate) = (Small::new(), Arc::new(Gate::default()));
    let node = small.node_on(Arc::new(Gated(small.storage.clone(), Arc::clone(&gate))));
    let tls = server_config(small.certs.path()).unwrap();
    let endpoint = Endpoint::bind("127.0.0.1:0".parse().unwrap(), tls, Arc::clone(&node)).unwrap();
    let (address, traffic, drain) = (endpoint.address().unwrap(), endpoint.traffic(), Arc::new(Notify::new()));
    let test = async {
        let (_raw, mut stream, welcome) = Raw::welcomed(address, small.certs.path(), "gateway").await;
        let programme = welcome.programmes.as_slice()[0].number;
        let told = Rc::new(RefCell::new(Told::default()));
        let hearing = spawn_local(hear(stream.receive, Rc::clone(&told)));
        for round in 0..ROUNDS {
            gate.set_closed(true);
            for frame in 0..FRAMES {
                let batch = (0..ENTRIES).fold(Batch::default(), |batch, entry| {
                    let number = 1 + (round * FRAMES + frame) * ENTRIES + entry;
                    batch.with(op::ENROL, programme, node.clock.now_ms(), &Enrol { member: member(number) })
                });
                Stream::write_to(&mut stream.send, Kind::Requests, frame, |out| batch.put(out)).await;
            }
            let asked = (round + 1) * FRAMES;
            while told.borrow().frames < asked {
                // The answers that are here, before the power loss that they are held to.
                let acknowledged = told.borrow().enrolled;
                assert!(acknowledged <= small.surviving_members(), "told too early");
                let waits = node.store.undurable_bytes();
                assert!(waits <= UNDURABLE_BYTES + FRAME_BYTES_MOST, "{waits} bytes wait");
                let decided = traffic.frames.load(std::sync::atomic::Ordering::Relaxed) >= asked;
                if decided {
                    gate.let_one_through();
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        gate.set_closed(false);
        drain.notify_one();
        hearing.abort();
        told
    };
    let served = async { tokio::join!(endpoint.run(Arc::clone(&drain)), test) };
    let (served, told) = LocalSet::new().run_until(served).await;
    served.unwrap();
    node.stop().unwrap();
    let (stalls, stalled) = node.log.stalls();
    assert!(stalls >= 1 && stalled >= Duration::from_millis(3), "the disk was waited for: {stalls} times, {stalled:?}");
    let Told { enrolled, busy, .. } = *told.borrow();
    println!("{enrolled} enrolled, {busy} told to come back");
    assert!(enrolled > 1_000 && busy > 1_000, "{enrolled} enrolled, {busy} told to come back");
    assert_eq!(small.surviving_members(), enrolled, "all that was told, and nothing that was refused");
}
