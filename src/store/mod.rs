//! The store: all state in memory, in places that are locked one by one, and the turn that takes a batch through them.
//!
//! Promises: what [`Store::execute`] answers was decided and applied atomically (I1) and is in the log's tails; its
//! answers may be told once the epoch it gives is durable (I4). Never: waits for I/O while deciding.

mod activate;
mod ahead;
mod books;
mod claim;
mod cut;
mod directory;
mod execute;
mod hold;
mod index;
mod keys;
mod look;
mod maintain;
mod members;
mod once;
mod packed;
mod pair;
mod place;
mod pool;
mod prefetch;
mod prepare;
mod quiz;
mod read;
mod replay;
mod section;
mod slots;
mod sweep;
mod table;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::engine::{Block, BlockPart, PlaceId, PlaceKind, write_block};
use directory::Directory;
use members::{Members, Shard};
use place::{Epochs, Held, Place};
use world::{BlockPlace, World};

pub use activate::{Activated, ActivationError, ActivationRecord, activations, bundle};
pub use books::{Books, ProgrammeBooks};
pub use cut::{Cut, PlaceTail};
pub use execute::{Executed, Later, Turn};
pub use keys::HashKeys;
pub use place::Tail;
pub use pool::WINDOW;
pub use prepare::Scope;
pub use quiz::PublishError;
pub use read::{OutcomeSearch, Search, Seen, StatementSearch};
pub use replay::{LoggedTail, ReplayError};
pub use section::{Section, SectionKind};
pub use world::Active;

/// What is fixed when a data directory is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Member shards and directory shards, each: a power of two, at most 65,536.
    pub shards: u32,
    /// The keys of the hashes.
    pub keys: HashKeys,
    /// Raised by every restore to an earlier point.
    pub lineage: u16,
}

/// What a server may hold; beyond it requests are refused with a hint (I8).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Members.
    pub members: u64,
    /// Orders remembered.
    pub orders: u64,
    /// Answers remembered, over all members.
    pub answers: u64,
    /// Bytes in the log's tails that are not durable yet.
    pub undurable_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { members: 20_000_000, orders: 100_000_000, answers: 1_000_000, undurable_bytes: 24 << 20 }
    }
}

/// All state.
#[derive(Debug)]
pub struct Store {
    shape: Shape,
    limits: Limits,
    epochs: Epochs,
    members: Box<[Place<Shard>]>,
    directory: Box<[Place<Directory>]>,
    programmes: Place<()>,
    world: ArcSwap<World>,
    /// Held by whoever ends an epoch, locks all places or changes how many there are: cut, activation, books.
    structure: Mutex<cut::Spare>,
    counts: Counts,
}

/// What is counted beside the state; a restart counts anew where it can.
#[derive(Debug, Default)]
struct Counts {
    members: AtomicU64,
    orders: AtomicU64,
    /// Bytes in tails that were not cut and written yet.
    undurable_bytes: AtomicU64,
    /// Answers by code.
    answers: AnswerCounts,
}

#[derive(Debug)]
struct AnswerCounts(Box<[AtomicU64]>);

impl Default for AnswerCounts {
    fn default() -> AnswerCounts {
        AnswerCounts((0..0x0600).map(|_| AtomicU64::new(0)).collect())
    }
}

impl AnswerCounts {
    fn count(&self, code: u16, more: u64) {
        if let Some(count) = self.0.get(usize::from(code)) {
            count.fetch_add(more, Ordering::Relaxed);
        }
    }
}

impl Store {
    /// An empty store whose first epoch is `first_epoch`.
    pub fn new(shape: Shape, limits: Limits, first_epoch: u64) -> Store {
        assert!(shape.shards.is_power_of_two() && shape.shards <= 1 << 16, "shards are a power of two up to 65,536");
        let world = Arc::new(World::default());
        let answers = limits.answers.div_ceil(u64::from(shape.shards)) as usize;
        let shard = |_| Place::new(Shard { world: Arc::clone(&world), members: Members::new(answers) });
        Store {
            shape,
            limits,
            epochs: Epochs::new(first_epoch),
            members: (0..shape.shards).map(shard).collect(),
            directory: (0..shape.shards).map(|_| Place::new(Directory::default())).collect(),
            programmes: Place::new(()),
            world: ArcSwap::new(world),
            structure: Mutex::new(cut::Spare::default()),
            counts: Counts::default(),
        }
    }

    /// What was fixed with the data directory.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The programmes in force, in the order of their numbers.
    pub fn programmes(&self) -> Vec<Arc<Active>> {
        self.world.load().programmes.clone()
    }

    /// Members enrolled.
    pub fn member_count(&self) -> u64 {
        self.counts.members.load(Ordering::Relaxed)
    }

    /// Orders in the directory.
    pub fn order_count(&self) -> u64 {
        self.counts.orders.load(Ordering::Relaxed)
    }

    /// Bytes in tails that are not durable yet.
    pub fn undurable_bytes(&self) -> u64 {
        self.counts.undurable_bytes.load(Ordering::Relaxed)
    }

    /// Answers given since the start, by code, those that were given.
    pub fn answers_given(&self) -> Vec<(u16, u64)> {
        let counts = self.counts.answers.0.iter().map(|count| count.load(Ordering::Relaxed));
        (0u16..).zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    fn member_shard(&self, hash: u64) -> usize {
        hash as usize & (self.members.len() - 1)
    }

    fn directory_shard(&self, key: &crate::engine::NaturalKey) -> usize {
        directory::shard_hash(key) as usize & (self.directory.len() - 1)
    }

    /// Makes a change of a block that is held, in an epoch that was read since.
    fn change_block(&self, held: &mut Held<Block>, epoch: u64, now_ms: i64, part: &BlockPart) {
        let from = held.journal.appended_bytes();
        held.state.apply(part);
        held.journal.append(epoch, now_ms, |out, base_ms| write_block(out, part, base_ms));
        let appended = held.journal.appended_bytes() - from;
        self.counts.undurable_bytes.fetch_add(appended, Ordering::Relaxed);
    }

    fn blocks(&self) -> Vec<Arc<BlockPlace>> {
        self.world.load().blocks.clone()
    }
}

fn member_place(shard: usize) -> PlaceId {
    PlaceId::new(PlaceKind::Members, shard)
}

fn directory_place(shard: usize) -> PlaceId {
    PlaceId::new(PlaceKind::Directory, shard)
}
