//! What is in memory while one process lives, its connections with it: all of it is gone with a crash.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use tidegate::log::{Durability, LogState, Promise};
use tidegate::server::fencing::{Pass, Sessions};
use tidegate::server::outbox::Outbox;
use tidegate::store::{Store, Turn};

/// One connection, as both ends and the way between them see it.
pub(crate) struct Connection {
    pub(crate) gateway: usize,
    pub(crate) pass: Rc<Pass>,
    pub(crate) outbox: Rc<Outbox>,
    /// Of the frames in the outbox, the epoch that each waits for, with those before it, and that of the versions it names.
    pub(crate) epochs: VecDeque<(u64, u64)>,
    pub(crate) up: VecDeque<Vec<u8>>,
    pub(crate) down: VecDeque<Vec<u8>>,
    /// Whether its gateway gave it up: what is on its way up may still arrive.
    pub(crate) given_up: bool,
}

/// What is in memory while one process lives.
pub struct Process {
    /// The state.
    pub store: Arc<Store>,
    /// The log.
    pub log: Arc<LogState>,
    pub(crate) sessions: Sessions,
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) turn: Turn,
    pub(crate) durability: Durability,
    pub(crate) promise: Promise,
    /// What was told before it was durable: when, and the epoch it waited for.
    pub(crate) early: Vec<(i64, u64)>,
    /// Server time minus the machine's.
    pub(crate) offset_ms: i64,
    pub(crate) newest_ms: i64,
    pub(crate) draining: bool,
}

impl Process {
    /// A process that has just recovered.
    pub fn new(store: Arc<Store>, log: Arc<LogState>, offset_ms: i64, durability: Durability) -> Process {
        let newest_ms = store.latest_ms();
        Process {
            store,
            log,
            sessions: Sessions::default(),
            connections: BTreeMap::new(),
            turn: Turn::default(),
            durability,
            promise: Promise::new(durability),
            early: Vec::new(),
            offset_ms,
            newest_ms,
            draining: false,
        }
    }
}
