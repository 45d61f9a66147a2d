//! Sections: the state as a snapshot holds it, copied piece by piece under short locks, and put back.
//!
//! A section carries its place's sequence at the instant of copying; replay skips what is in it already. The layouts
//! are frozen; `docs/disk-format.md` has the tables. Integers are little-endian.

use super::activate::ActivationRecord;
use super::directory::Directory;
use super::members::Totals;
use super::packed::{
    Fields, ReadMember, is_wide, read_block, read_first_member, read_member, read_questions, read_wide_block,
    write_block, write_member, write_questions, write_wide_block,
};
use super::place::Journal;
use super::table::Keyed;
use super::{Store, directory_place, member_place};
use crate::engine::{KeptOrder, KeyEntry, PlaceId, PlaceKind};

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SectionKind {
    /// One programme in force.
    Programme = 1,
    /// A campaign's quotas.
    Block = 2,
    /// What a member shard has beside its members, as the first version wrote it.
    FirstMembersHead = 3,
    /// A chunk of members, as the first version wrote it.
    FirstMembers = 4,
    /// What a directory shard has beside its orders.
    DirectoryHead = 5,
    /// A chunk of orders.
    Directory = 6,
    /// What a member shard has beside its members.
    MembersHead = 7,
    /// A chunk of members.
    Members = 8,
    /// A quiz's counts and questions.
    Quiz = 9,
    /// A chunk of what more is kept of orders.
    Kept = 10,
    /// A campaign's quotas, of any name, and what is held of them.
    WideBlock = 11,
}

/// The highest sequence that a section is believed: what an order's entry can name. A start believes half of that, so that whatever
/// counts on from it has room: a place that changes a million times a second takes two years to it.
const SEQUENCE_MOST: u64 = 1 << 47;

impl SectionKind {
    /// Reads a kind from disk.
    pub fn from_u8(value: u8) -> Option<SectionKind> {
        use SectionKind::*;
        let known = [
            Programme,
            Block,
            FirstMembersHead,
            FirstMembers,
            DirectoryHead,
            Directory,
            MembersHead,
            Members,
            Quiz,
            Kept,
            WideBlock,
        ];
        known.into_iter().find(|kind| *kind as u8 == value)
    }

    /// Whether a section of this kind can be of this place.
    fn is_of(self, place: PlaceId) -> bool {
        match self {
            SectionKind::Programme => place == PlaceId::PROGRAMMES,
            SectionKind::Block | SectionKind::Quiz | SectionKind::WideBlock => place.kind() == PlaceKind::Block,
            SectionKind::FirstMembersHead
            | SectionKind::FirstMembers
            | SectionKind::MembersHead
            | SectionKind::Members => place.kind() == PlaceKind::Members,
            SectionKind::DirectoryHead | SectionKind::Directory | SectionKind::Kept => {
                place.kind() == PlaceKind::Directory
            }
        }
    }
}

/// A piece of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it holds.
    pub kind: SectionKind,
    /// Its place.
    pub place: PlaceId,
    /// The place's sequence when it was copied.
    pub sequence: u64,
    /// Its bytes.
    pub body: Vec<u8>,
}

impl Store {
    /// Copies the whole state, section by section, in the order in which they are to be put back.
    ///
    /// Each section is of one instant, all together are not: the log from the epoch that was filling before the first
    /// makes them one state. Gives the epoch of the newest change in any of them: until it is durable, the copy holds
    /// what nobody was told.
    pub fn copy(&self, mut put: impl FnMut(Section) -> std::io::Result<()>) -> std::io::Result<u64> {
        let (world, sequence, mut newest) = {
            let held = self.programmes.lock();
            (self.world.load_full(), held.journal.sequence(), held.journal.last_epoch())
        };
        // Before the programmes that name them: a programme's blocks need not follow each other.
        for block in &world.blocks {
            let held = block.place.lock();
            let mut body = held.journal.last_ms().to_le_bytes().to_vec();
            body.extend_from_slice(&block.programme.to_le_bytes());
            body.extend_from_slice(&block.campaign.to_le_bytes());
            let kind = match &held.state {
                block if block.newest_question() > 0 => SectionKind::Quiz,
                block if is_wide(block) => SectionKind::WideBlock,
                _ => SectionKind::Block,
            };
            match kind {
                SectionKind::WideBlock => write_wide_block(&held.state, &mut body),
                _ => write_block(&held.state, &mut body),
            }
            if kind == SectionKind::Quiz {
                write_questions(&held.state, &mut body);
            }
            let sequence = held.journal.sequence();
            newest = newest.max(held.journal.last_epoch());
            drop(held);
            put(Section { kind, place: block.id, sequence, body })?;
        }
        for active in &world.programmes {
            let body = active.record().to_bytes();
            put(Section { kind: SectionKind::Programme, place: PlaceId::PROGRAMMES, sequence, body })?;
        }
        newest = newest.max(in_turns(self.members.len(), |shard, number| self.copy_members(shard, number, &mut put))?);
        newest =
            newest.max(in_turns(self.directory.len(), |shard, number| self.copy_directory(shard, number, &mut put))?);
        newest = newest.max(in_turns(self.directory.len(), |shard, number| self.copy_kept(shard, number, &mut put))?);
        // An activation raises the time of every place without a change in any of them.
        Ok(newest.max(self.world.load().epoch))
    }

    /// Copies section `number` of a shard: its head, or a chunk of members.
    fn copy_members(
        &self,
        shard: usize,
        number: usize,
        put: &mut impl FnMut(Section) -> std::io::Result<()>,
    ) -> std::io::Result<Copied> {
        let held = self.members[shard].lock();
        let members = &held.state.members;
        let sequence = held.journal.sequence();
        let chunks = members.chunks();
        let (kind, body) = if number == 0 {
            let mut body = held.journal.last_ms().to_le_bytes().to_vec();
            body.extend_from_slice(&(members.totals().len() as u32).to_le_bytes());
            for totals in members.totals() {
                body.extend_from_slice(&totals.members.to_le_bytes());
                body.extend_from_slice(&totals.issued.to_le_bytes());
                body.extend_from_slice(&totals.spent.to_le_bytes());
                body.extend_from_slice(&totals.expired.to_le_bytes());
                body.extend_from_slice(&totals.earned.to_le_bytes());
            }
            (SectionKind::MembersHead, body)
        } else {
            let mut body = vec![0; 2];
            let mut count = 0u16;
            for (member, answers) in members.chunk(number - 1) {
                write_member(member, &answers, &mut body);
                count += 1;
            }
            body[..2].copy_from_slice(&count.to_le_bytes());
            (SectionKind::Members, body)
        };
        let newest = held.journal.last_epoch();
        drop(held);
        put(Section { kind, place: member_place(shard), sequence, body })?;
        Ok(Copied { newest, chunks })
    }

    /// Copies section `number` of a shard: its head, or a chunk of orders.
    fn copy_directory(
        &self,
        shard: usize,
        number: usize,
        put: &mut impl FnMut(Section) -> std::io::Result<()>,
    ) -> std::io::Result<Copied> {
        let held = self.directory[shard].lock();
        let sequence = held.journal.sequence();
        let chunks = held.state.chunks();
        let (kind, body) = if number == 0 {
            let mut body = held.journal.last_ms().to_le_bytes().to_vec();
            let marks = held.state.marks();
            body.extend_from_slice(&(marks.len() as u32).to_le_bytes());
            body.extend(marks.iter().flat_map(|mark| mark.to_le_bytes()));
            (SectionKind::DirectoryHead, body)
        } else {
            let mut body = vec![0; 2];
            let mut count = 0u16;
            for entry in held.state.chunk(number - 1) {
                body.extend_from_slice(&entry.to_bytes());
                count += 1;
            }
            body[..2].copy_from_slice(&count.to_le_bytes());
            (SectionKind::Directory, body)
        };
        let newest = held.journal.last_epoch();
        drop(held);
        put(Section { kind, place: directory_place(shard), sequence, body })?;
        Ok(Copied { newest, chunks })
    }

    /// Copies chunk `number`, from 1, of what more is kept of a shard's orders; before the first there is nothing.
    fn copy_kept(
        &self,
        shard: usize,
        number: usize,
        put: &mut impl FnMut(Section) -> std::io::Result<()>,
    ) -> std::io::Result<Copied> {
        let held = self.directory[shard].lock();
        let (sequence, chunks, newest) = (held.journal.sequence(), held.state.kept_chunks(), held.journal.last_epoch());
        if number > 0 {
            let kept: Vec<KeptOrder> = held.state.kept_chunk(number - 1).collect();
            let mut body = held.state.kept_mark_s().to_le_bytes().to_vec();
            drop(held);
            body.extend_from_slice(&(kept.len() as u16).to_le_bytes());
            body.extend(kept.iter().flat_map(KeptOrder::to_bytes));
            put(Section { kind: SectionKind::Kept, place: directory_place(shard), sequence, body })?;
        }
        Ok(Copied { newest, chunks })
    }

    /// Puts a section back. `Err` names what is wrong with its bytes.
    pub fn restore(&self, section: &Section) -> Result<(), &'static str> {
        if !section.kind.is_of(section.place) {
            return Err("a section of another kind of place");
        }
        if section.sequence > SEQUENCE_MOST {
            return Err("a sequence that no place reaches");
        }
        let mut fields = Fields(&section.body);
        let (sequence, at) = (section.sequence, section.place.index());
        match section.kind {
            SectionKind::Programme => {
                let record = ActivationRecord::read(&section.body).map_err(|_| "a programme that does not decode")?;
                if record.programme as usize != self.world.load().programmes.len() + 1 {
                    return Err("a programme that is there already, or before those that it follows");
                }
                let blocks = self.blocks().len();
                self.put_in_force(&record, sequence, 0)?;
                // Blocks come first: a fresh one would let its quotas be granted again.
                return if self.blocks().len() == blocks { Ok(()) } else { Err("a campaign whose block is missing") };
            }
            SectionKind::Block | SectionKind::Quiz | SectionKind::WideBlock => {
                let last_ms = fields.i64()?;
                let (programme, campaign) = (fields.u32()?, fields.u32()?);
                let mut block = match section.kind {
                    SectionKind::WideBlock => read_wide_block(&mut fields)?,
                    _ => read_block(&mut fields)?,
                };
                if section.kind == SectionKind::Quiz {
                    read_questions(&mut fields, &mut block)?;
                }
                self.put_block(at, programme, campaign, block, sequence, last_ms)?;
            }
            SectionKind::MembersHead | SectionKind::FirstMembersHead => {
                let last_ms = fields.i64()?;
                let count = fields.u32()?;
                let totals = (0..count).map(|_| read_totals(&mut fields, section.kind));
                let totals = totals.collect::<Result<Vec<_>, &'static str>>()?;
                // Numbered from 1; the first is nobody's.
                if totals.len() > self.world.load().programmes.len() + 1 {
                    return Err(NO_PROGRAMME);
                }
                let mut held = self.members.get(at).ok_or(NO_SHARD)?.lock();
                held.journal.head(sequence, last_ms)?;
                held.state.members.restore_totals(sequence, totals);
            }
            SectionKind::Members => self.restore_members(at, sequence, &mut fields, read_member)?,
            SectionKind::FirstMembers => self.restore_members(at, sequence, &mut fields, read_first_member)?,
            SectionKind::DirectoryHead => {
                let last_ms = fields.i64()?;
                let count = fields.u32()?;
                let marks = (0..count).map(|_| fields.i64()).collect::<Result<Vec<_>, _>>()?;
                if marks.len() > self.world.load().programmes.len() + 1 {
                    return Err(NO_PROGRAMME);
                }
                let mut held = self.directory.get(at).ok_or(NO_SHARD)?.lock();
                held.journal.head(sequence, last_ms)?;
                held.state.restore_marks(sequence, marks);
            }
            SectionKind::Directory => self.restore_orders(at, sequence, &mut fields)?,
            SectionKind::Kept => self.restore_kept(at, sequence, &mut fields)?,
        }
        if fields.0.is_empty() { Ok(()) } else { Err("bytes behind its last field") }
    }

    /// Checks what no section can know alone, once the last is put back.
    pub fn restored(&self) -> Result<(), &'static str> {
        let world = self.world.load();
        let known = |programme: u32| (1..=world.programmes.len()).contains(&(programme as usize));
        let members = self.members.iter().all(|place| place.lock().journal.has_head());
        let directory = self.directory.iter().all(|place| place.lock().journal.has_head());
        match (world.blocks.iter().all(|block| known(block.programme)), members && directory) {
            (true, true) => Ok(()),
            (true, false) => Err("an end before the heads of all shards"),
            (false, _) => Err(NO_PROGRAMME),
        }
    }

    /// Checks, once the log behind a snapshot is replayed, that it led every place as far as each of its sections was: what is
    /// copied from behind its place would swallow the next changes. And that every member who was counted is there.
    pub fn caught_up(&self) -> Result<(), &'static str> {
        let (mut all_here, mut level, mut newest) = (true, true, 0);
        let mut look = |journal: &Journal| {
            level &= journal.is_level();
            newest = journal.sequence().max(newest);
        };
        for place in &self.members {
            let held = place.lock();
            look(&held.journal);
            all_here &= held.state.members.are_all_here();
        }
        self.directory.iter().for_each(|place| look(&place.lock().journal));
        self.blocks().iter().for_each(|block| look(&block.place.lock().journal));
        look(&self.programmes.lock().journal);
        // What is behind is told first: it makes the count of members wrong too.
        match (level, all_here) {
            (false, _) => Err("a section from behind the end of its place"),
            (true, false) => Err("other members than are counted"),
            // A section may reach so far; what counts on from here has room for as much again.
            (true, true) if newest > SEQUENCE_MOST / 2 => Err("a sequence that no place reaches"),
            (true, true) => Ok(()),
        }
    }

    fn restore_members(
        &self,
        at: usize,
        sequence: u64,
        fields: &mut Fields<'_>,
        read: fn(&mut Fields<'_>) -> ReadMember,
    ) -> Result<(), &'static str> {
        let count = fields.u16()?;
        let members = (0..count).map(|_| read(fields)).collect::<Result<Vec<_>, _>>()?;
        let programmes = self.world.load().programmes.len();
        if members.iter().any(|(member, _)| member.programme() as usize > programmes) {
            return Err(NO_PROGRAMME);
        }
        let keys = self.shape.keys;
        let hashes: Vec<u64> = members.iter().map(|(member, _)| keys.member(member.programme(), member.key)).collect();
        let shard = self.members.get(at).ok_or(NO_SHARD)?;
        if hashes.iter().any(|hash| self.member_shard(*hash) != at) {
            return Err(OTHER_SHARD);
        }
        let mut held = shard.lock();
        held.journal.chunk(sequence)?;
        held.state.members.restore_chunk(sequence, members, &hashes)?;
        drop(held);
        self.counts.members.fetch_add(u64::from(count), std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    fn restore_orders(&self, at: usize, sequence: u64, fields: &mut Fields<'_>) -> Result<(), &'static str> {
        let count = fields.u16()?;
        let entries = (0..count).map(|_| fields.take().map(|bytes| KeyEntry::from_bytes(&bytes)));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        self.restore_entries(at, sequence, entries, Directory::restore_chunk)
    }

    fn restore_kept(&self, at: usize, sequence: u64, fields: &mut Fields<'_>) -> Result<(), &'static str> {
        let (mark_s, count) = (fields.u32()?, fields.u16()?);
        let kept = (0..count).map(|_| KeptOrder::from_bytes(&fields.take()?).ok_or("an order that nobody kept"));
        let kept = kept.collect::<Result<Vec<_>, _>>()?;
        self.restore_entries(at, sequence, kept, |directory, sequence, kept| {
            directory.raise_kept_mark(mark_s);
            directory.restore_kept(sequence, kept)
        })
    }

    /// Puts a chunk of a directory's table back, if all its entries can be of this shard.
    fn restore_entries<E: Keyed>(
        &self,
        at: usize,
        sequence: u64,
        entries: Vec<E>,
        restore: impl FnOnce(&mut Directory, u64, Vec<E>) -> Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        // An entry of programme 0 is a free slot, and has nothing else in it.
        let taken = || entries.iter().filter(|entry| **entry != E::default());
        let (live, programmes) = (taken().count() as u64, self.world.load().programmes.len());
        if taken().any(|entry| !(1..=programmes).contains(&entry.programme().into())) {
            return Err(NO_PROGRAMME);
        }
        let shard = self.directory.get(at).ok_or(NO_SHARD)?;
        if taken().any(|entry| self.directory_shard(entry.key()) != at) {
            return Err(OTHER_SHARD);
        }
        let mut held = shard.lock();
        held.journal.chunk(sequence)?;
        restore(&mut held.state, sequence, entries)?;
        drop(held);
        self.counts.orders.fetch_add(live, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }
}

/// Totals as either version wrote them. Of the first's points none expired, and all were earned.
fn read_totals(fields: &mut Fields<'_>, kind: SectionKind) -> Result<Totals, &'static str> {
    let (members, issued, spent) = (fields.u64()?, fields.i64()?, fields.i64()?);
    let (expired, earned) = if kind == SectionKind::MembersHead { (fields.i64()?, fields.i64()?) } else { (0, issued) };
    Ok(Totals { members, issued, spent, expired, earned })
}

/// One section of a shard, copied.
struct Copied {
    /// The epoch of the shard's newest change.
    newest: u64,
    /// Chunks in the shard at that instant.
    chunks: usize,
}

/// Copies the sections of all shards, one of each by turns, so that a recovery can put back several shards at a time and
/// hold little of each. Gives the epoch of the newest change.
///
/// Of a shard as many chunks are copied as there were with its head: what grows meanwhile is the log's, however fast.
fn in_turns(shards: usize, mut copy: impl FnMut(usize, usize) -> std::io::Result<Copied>) -> std::io::Result<u64> {
    let (mut left, mut newest) = (Vec::with_capacity(shards), 0);
    for shard in 0..shards {
        let head = copy(shard, 0)?;
        newest = newest.max(head.newest);
        left.push((shard, head.chunks));
    }
    for number in 1.. {
        left.retain(|(_, chunks)| *chunks >= number);
        if left.is_empty() {
            break;
        }
        for (shard, _) in &left {
            newest = newest.max(copy(*shard, number)?.newest);
        }
    }
    Ok(newest)
}

const NO_PROGRAMME: &str = "members, orders or quotas of a programme that is not there";
const NO_SHARD: &str = "a shard that this data directory does not have";
/// Nobody would find them there: they could enrol, or be recorded, once more.
const OTHER_SHARD: &str = "members or orders of another shard";
