//! Recovery's side of the store: records from the log, applied by the same code as live.
//!
//! What a snapshot holds already is skipped slot by slot. A record that cannot follow the state stops recovery (I7);
//! it never panics on what stands on disk.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Store;
use super::activate::{ACTIVATED, ActivationRecord, RECORD_HEAD, bundle, check_bounds, with};
use super::world::{Active, BlockPlace, World};
use crate::engine::{BadRecord, Block, Change, DirectoryPart, LedgerAt, PlaceId, PlaceKind, Record, read_record};
use crate::programme::{Numbering, compile};

const OTHERS_BLOCK: &str = "a block of another campaign";

/// A log that does not fit the state it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("epoch {epoch}, {place}, record {sequence} at offset {offset} of its tail: {why}")]
pub struct ReplayError {
    /// The epoch.
    pub epoch: u64,
    /// The place.
    pub place: String,
    /// The record's sequence.
    pub sequence: u64,
    /// Where it stands in the tail.
    pub offset: usize,
    /// What is wrong.
    pub why: String,
}

/// One place's tail as the log holds it.
#[derive(Debug, Clone, Copy)]
pub struct LoggedTail<'a> {
    /// The epoch.
    pub epoch: u64,
    /// The lineage it was written in.
    pub lineage: u16,
    /// The place.
    pub place: PlaceId,
    /// The sequence of the first record.
    pub first_sequence: u64,
    /// The instant that times count from.
    pub base_ms: i64,
    /// Records in it.
    pub count: u32,
    /// The records.
    pub records: &'a [u8],
}

impl Store {
    /// Applies one tail. Tails come in the order of their epochs, and within an epoch by place.
    pub fn replay(&self, tail: &LoggedTail<'_>) -> Result<(), ReplayError> {
        let mut offset = 0;
        let mut sequence = tail.first_sequence;
        let fault = |sequence, offset, why: String| ReplayError {
            epoch: tail.epoch,
            place: tail.place.to_string(),
            sequence,
            offset,
            why,
        };
        for _ in 0..tail.count {
            let used = self.replay_record(tail, sequence, offset).map_err(|why| fault(sequence, offset, why))?;
            offset += used;
            sequence += 1;
        }
        if offset != tail.records.len() {
            let why = format!("{} bytes are left behind the tail's last record", tail.records.len() - offset);
            return Err(fault(sequence, offset, why));
        }
        Ok(())
    }

    fn replay_record(&self, tail: &LoggedTail<'_>, sequence: u64, offset: usize) -> Result<usize, String> {
        let bytes = &tail.records[offset..];
        if tail.place == PlaceId::PROGRAMMES {
            return self.replay_activation(bytes, sequence, tail.epoch);
        }
        let (record, used) = read_record(bytes, tail.base_ms).map_err(|error: BadRecord| error.to_string())?;
        let at = LedgerAt { epoch: tail.epoch, offset: offset as u32 };
        let now_ms = record.now_ms();
        match (tail.place.kind(), record) {
            (PlaceKind::Members, Record::Member(part)) => {
                let place = self.members.get(tail.place.index()).ok_or("no such shard")?;
                let mut held = place.lock();
                held.journal.follows(sequence)?;
                let mut hash = 0;
                if let Change::Enrolled { programme, key } = part.change {
                    held.state.world.programme(programme).ok_or("it enrols into a programme that is not there")?;
                    hash = self.shape.keys.member(programme, key);
                    if self.member_shard(hash) != tail.place.index() {
                        return Err("it enrols a member of another shard".into());
                    }
                }
                let members = &mut held.state.members;
                if !members.takes(&part, sequence, hash) {
                    return Err(
                        "it names a slot, points or an answer that are not there, or a member that is there already"
                            .into(),
                    );
                }
                let before = members.len();
                members.apply(&part, sequence, at, tail.lineage, hash);
                if matches!(part.change, Change::Enrolled { .. }) {
                    let fresh = (members.len() - before) as u64;
                    self.counts.members.fetch_add(fresh, Ordering::Relaxed);
                }
                held.journal.note(sequence, now_ms, tail.epoch);
                held.journal.replayed(sequence);
            }
            (PlaceKind::Directory, Record::Directory(part)) => {
                let place = self.directory.get(tail.place.index()).ok_or("no such shard")?;
                let mut held = place.lock();
                held.journal.follows(sequence)?;
                let (programme, shard) = match &part {
                    DirectoryPart::Forgot { programme, .. } => (*programme, tail.place.index()),
                    DirectoryPart::Taken { entry, .. } => (entry.programme.into(), self.directory_shard(&entry.key)),
                    DirectoryPart::Kept { kept, .. } => (kept.programme.into(), self.directory_shard(&kept.key)),
                    DirectoryPart::KeptForgot { .. } => (0, tail.place.index()),
                };
                let known = programme == 0 || self.world.load().programme(programme).is_some();
                known.then_some(()).ok_or("it is of a programme that is not there")?;
                if shard != tail.place.index() {
                    return Err("it takes an order of another shard".into());
                }
                if !held.state.takes(&part) {
                    return Err("it names a slot that is not there".into());
                }
                let before = held.state.live();
                held.state.apply(&part, sequence);
                let fresh = held.state.live().saturating_sub(before) as u64;
                self.counts.orders.fetch_add(fresh, Ordering::Relaxed);
                held.journal.note(sequence, now_ms, tail.epoch);
                held.journal.replayed(sequence);
            }
            (PlaceKind::Block, Record::Block(part)) => {
                let world = self.world.load();
                let block = world.blocks.get(tail.place.index()).ok_or("no such block")?;
                let mut held = block.place.lock();
                held.journal.follows(sequence)?;
                if sequence > held.journal.sequence() {
                    if !held.state.takes(&part) {
                        return Err("it does not fit the cells that are open".into());
                    }
                    held.state.apply(&part);
                }
                held.journal.note(sequence, now_ms, tail.epoch);
                held.journal.replayed(sequence);
            }
            (kind, _) => return Err(format!("a record of another kind of place than {kind:?}")),
        }
        Ok(used)
    }

    fn replay_activation(&self, bytes: &[u8], sequence: u64, epoch: u64) -> Result<usize, String> {
        let head = bytes.split_first_chunk::<RECORD_HEAD>().ok_or("an end in the middle of a record")?.0;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if head[4] != ACTIVATED {
            return Err(BadRecord::Kind(head[4]).to_string());
        }
        let body = bytes.get(RECORD_HEAD..length).ok_or("an end in the middle of a record")?;
        self.programmes.lock().journal.follows(sequence)?;
        if sequence > self.programmes.lock().journal.sequence() {
            let record = ActivationRecord::read(body).map_err(|error| error.to_string())?;
            self.put_in_force(&record, sequence, epoch)?;
            self.raise_all(record.now_ms);
        }
        self.programmes.lock().journal.replayed(sequence);
        Ok(length)
    }

    /// Puts a programme in force as a record states it.
    pub(super) fn put_in_force(
        &self,
        record: &ActivationRecord,
        sequence: u64,
        epoch: u64,
    ) -> Result<(), &'static str> {
        let world = self.world.load_full();
        if record.programme == 0 || record.programme as usize > world.programmes.len() + 1 {
            return Err("a programme's number out of order");
        }
        // Not the bound for new ones: whatever was put in force once is read again.
        if record.programme > u32::from(u16::MAX) {
            return Err("more programmes than members can name");
        }
        let bundle = bundle(record.files.as_slice()).map_err(|_| "a bundle that is none")?;
        let numbering = Numbering::from_text(record.numbering.as_str()).map_err(|_| "a numbering that is none")?;
        let compiled = compile(&bundle, &numbering).map_err(|_| "a bundle that this version does not compile")?;
        check_bounds(&compiled.programme, &compiled.numbering, &bundle)
            .map_err(|_| "a bundle beyond what is counted")?;
        let named = world.programme_by_slug(&compiled.programme.slug).map(|active| active.number);
        let numbered = world.programmes.get(record.programme as usize - 1).map(|active| active.number);
        if named != numbered {
            return Err("a programme of another's slug");
        }
        let mut indices: Vec<(u32, u32)> = record.blocks.as_slice().to_vec();
        indices.sort_unstable_by_key(|(_, index)| *index);
        let (mut blocks, mut fresh) = (Vec::new(), Vec::new());
        for (campaign, index) in indices {
            if campaign > u32::from(u16::MAX) {
                return Err("a campaign's number beyond all that are given");
            }
            let (at, index) = (campaign as usize, index as usize);
            let known = world.blocks.get(index).cloned();
            let block = match known {
                Some(block) if (block.programme, block.campaign) == (record.programme, campaign) => block,
                Some(_) => return Err(OTHERS_BLOCK),
                None if index == world.blocks.len() + fresh.len() => {
                    let id = PlaceId::new(PlaceKind::Block, index);
                    let block = Arc::new(BlockPlace::new(id, record.programme, campaign, Block::default()));
                    fresh.push(Arc::clone(&block));
                    block
                }
                None => return Err("a block out of order"),
            };
            if blocks.len() <= at {
                blocks.resize(at + 1, None);
            }
            blocks[at] = Some(block);
        }
        let has_block = |number: u32| blocks.get(number as usize).is_some_and(Option::is_some);
        if !compiled.programme.block_numbers().all(has_block) {
            return Err("a campaign or a quiz without its block");
        }
        let active = Active {
            number: record.programme,
            version: record.version,
            activated_ms: record.now_ms,
            programme: compiled.programme,
            bundle,
            numbering: compiled.numbering,
            blocks,
        };
        self.set_world(with(&world, active, fresh, epoch));
        self.programmes.lock().journal.note(sequence, record.now_ms, epoch);
        Ok(())
    }

    /// Puts a block back as a snapshot holds it; one that no programme names yet waits for its activation.
    pub(super) fn put_block(
        &self,
        index: usize,
        programme: u32,
        campaign: u32,
        block: Block,
        sequence: u64,
        last_ms: i64,
    ) -> Result<(), &'static str> {
        let world = self.world.load_full();
        let known = match world.blocks.get(index) {
            Some(known) if (known.programme, known.campaign) == (programme, campaign) => Arc::clone(known),
            Some(_) => return Err(OTHERS_BLOCK),
            None if index == world.blocks.len() => {
                let id = PlaceId::new(PlaceKind::Block, index);
                let fresh = Arc::new(BlockPlace::new(id, programme, campaign, Block::default()));
                let mut blocks = world.blocks.clone();
                blocks.push(Arc::clone(&fresh));
                self.set_world(World { programmes: world.programmes.clone(), blocks, epoch: world.epoch });
                fresh
            }
            None => return Err("a block out of order"),
        };
        let mut held = known.place.lock();
        held.journal.head(sequence, last_ms)?;
        held.state = block;
        Ok(())
    }

    fn set_world(&self, world: World) {
        let world = Arc::new(world);
        for shard in &self.members {
            shard.lock().state.world = Arc::clone(&world);
        }
        self.world.store(world);
    }

    fn raise_all(&self, now_ms: i64) {
        for shard in &self.members {
            shard.lock().journal.note(0, now_ms, 0);
        }
        for shard in &self.directory {
            shard.lock().journal.note(0, now_ms, 0);
        }
        for block in &self.world.load().blocks {
            block.place.lock().journal.note(0, now_ms, 0);
        }
    }

    /// Goes on after recovery: `epoch` is the first that fills.
    pub fn resume(&self, epoch: u64) {
        self.epochs.resume(epoch);
    }

    /// The epoch of the newest change of the programmes in force.
    pub fn programmes_epoch(&self) -> u64 {
        self.programmes.lock().journal.last_epoch()
    }

    /// The instant of the newest change, over all places; `i64::MIN` if there was none.
    pub fn latest_ms(&self) -> i64 {
        let members = self.members.iter().map(|place| place.lock().journal.last_ms());
        let directory = self.directory.iter().map(|place| place.lock().journal.last_ms());
        let blocks = self.blocks();
        let quotas = blocks.iter().map(|block| block.place.lock().journal.last_ms());
        let programmes = self.programmes.lock().journal.last_ms();
        let latest = members.chain(directory).chain(quotas).fold(programmes, i64::max);
        if latest == 0 { i64::MIN } else { latest }
    }
}
