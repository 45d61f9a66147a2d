//! The books: that the sums over members and quotas agree with what was issued, spent and granted (I6), and the hash of
//! the whole state. Both hold all places for as long as they take.
//!
//! Sums are modulo 2^64, here and in the totals they are compared with: no state, however forged, makes them fail, and what is
//! equal stays equal.

use std::collections::HashMap;

use super::place::lock_all;
use super::world::BlockPlace;
use super::{Store, packed};
use crate::engine::{Block, KeptOrder, KeyEntry, Member, NEVER_S, second_of};

/// One programme's books.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ProgrammeBooks {
    /// The programme's slug.
    pub programme: String,
    /// Members enrolled.
    pub members: u64,
    /// Points issued, from the totals.
    pub issued: i64,
    /// Points spent, from the totals.
    pub spent: i64,
    /// Points expired, from the totals: all that expired before `swept_through_s`.
    pub expired: i64,
    /// Points that open later.
    pub pending: i64,
    /// Points that are held.
    pub held: i64,
    /// The sum of all balances.
    pub live: i64,
    /// Grants over all campaigns, from the blocks' totals.
    pub granted: u64,
    /// What does not balance, in words; empty if all does.
    pub faults: Vec<String>,
}

/// All books and the hash of the state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Books {
    /// By programme number.
    pub programmes: Vec<ProgrammeBooks>,
    /// The second that the sweep has reached: what time was to do before it is counted as done. `None` if there is nothing left for time
    /// to do.
    pub swept_through_s: Option<u32>,
    /// BLAKE3 over all places: equal states have equal hashes, live and recovered alike.
    pub state_hash: String,
    /// The epoch of the last change that the books hold.
    pub epoch: u64,
}

impl Books {
    /// Whether everything balances.
    pub fn balance(&self) -> bool {
        self.programmes.iter().all(|books| books.faults.is_empty())
    }
}

impl Store {
    /// Walks all places at one instant.
    pub fn books(&self) -> Books {
        let _structure = self.structure.lock();
        let world = self.world.load_full();
        let members = lock_all(&self.members[..]);
        let directory = lock_all(&self.directory[..]);
        let quotas = lock_all(world.blocks.iter().map(|block| &block.place));
        let programmes = self.programmes.lock();

        let mut sums: Vec<ProgrammeBooks> = world
            .programmes
            .iter()
            .map(|active| ProgrammeBooks {
                programme: active.programme.slug.clone(),
                members: 0,
                issued: 0,
                spent: 0,
                expired: 0,
                pending: 0,
                held: 0,
                live: 0,
                granted: 0,
                faults: Vec::new(),
            })
            .collect();
        let (mut earned, mut counted) = (vec![0i64; sums.len()], vec![0i64; sums.len()]);
        let mut enrolled = vec![0u64; sums.len()];
        let now_ms = members.iter().map(|shard| shard.journal.last_ms());
        let now_ms = quotas.iter().map(|block| block.journal.last_ms()).chain(now_ms).max().unwrap_or(0);
        let mut units = Units { now_s: second_of(now_ms), ..Units::default() };
        let mut hasher = blake3::Hasher::new();
        let mut bytes = Vec::new();
        let mut epoch = programmes.journal.last_epoch();
        let swept_through_s =
            members.iter().map(|shard| shard.state.members.due_s()).min().filter(|due_s| *due_s != NEVER_S);
        for active in &world.programmes {
            hasher.update(&active.record().to_bytes());
        }
        for shard in &members {
            epoch = epoch.max(shard.journal.last_epoch());
            for (number, totals) in shard.state.members.totals().iter().enumerate().skip(1) {
                let books = &mut sums[number - 1];
                books.members = books.members.wrapping_add(totals.members);
                books.issued = books.issued.wrapping_add(totals.issued);
                books.spent = books.spent.wrapping_add(totals.spent);
                books.expired = books.expired.wrapping_add(totals.expired);
                counted[number - 1] = counted[number - 1].wrapping_add(totals.earned);
            }
            for chunk in 0..shard.state.members.chunks() {
                for (member, answers) in shard.state.members.chunk(chunk) {
                    let at = member.programme() as usize - 1;
                    sums[at].live = sums[at].live.wrapping_add(member.balance());
                    let pending = member.pending().fold(0i64, |sum, pending| sum.wrapping_add(pending.points));
                    sums[at].pending = sums[at].pending.wrapping_add(pending);
                    let held = member.holds().iter().fold(0i64, |sum, hold| sum.wrapping_add(hold.points()));
                    sums[at].held = sums[at].held.wrapping_add(held);
                    units.add(member);
                    earned[at] = earned[at].wrapping_add(member.earned);
                    enrolled[at] += 1;
                    let lots = member.lots().iter().fold(0i64, |sum, lot| sum.wrapping_add(lot.points));
                    if lots != member.balance().max(0) {
                        let sentence =
                            format!("member {} has {} points, {lots} in its lots", member.key, member.balance());
                        sums[at].faults.push(sentence);
                    }
                    packed::write_member(member, &answers, &mut bytes);
                }
                hasher.update(&bytes);
                bytes.clear();
            }
            hash_journal(&mut hasher, shard.journal.sequence(), shard.journal.last_ms());
        }
        for shard in &directory {
            epoch = epoch.max(shard.journal.last_epoch());
            for chunk in 0..shard.state.chunks() {
                for entry in shard.state.chunk(chunk).filter(|entry| *entry != KeyEntry::FREE) {
                    hasher.update(&entry.to_bytes());
                }
            }
            for chunk in 0..shard.state.kept_chunks() {
                for kept in shard.state.kept_chunk(chunk).filter(|kept| *kept != KeptOrder::FREE) {
                    hasher.update(&kept.to_bytes());
                }
            }
            for mark in shard.state.marks() {
                hasher.update(&mark.to_le_bytes());
            }
            hash_journal(&mut hasher, shard.journal.sequence(), shard.journal.last_ms());
        }
        for (block, held) in world.blocks.iter().zip(&quotas) {
            epoch = epoch.max(held.journal.last_epoch());
            let books = &mut sums[block.programme as usize - 1];
            books.granted = books.granted.wrapping_add(held.state.granted());
            let counted = held.state.counted();
            if counted != held.state.granted() {
                let granted = held.state.granted();
                books.faults.push(format!("campaign {}: {granted} granted, {counted} in its cells", block.campaign));
            }
            units.compare(block, &held.state, &mut books.faults);
            match packed::is_wide(&held.state) {
                true => packed::write_wide_block(&held.state, &mut bytes),
                false => packed::write_block(&held.state, &mut bytes),
            }
            if held.state.newest_question() > 0 {
                packed::write_questions(&held.state, &mut bytes);
            }
            hasher.update(&bytes);
            bytes.clear();
            hash_journal(&mut hasher, held.journal.sequence(), held.journal.last_ms());
        }
        for (at, books) in sums.iter_mut().enumerate() {
            let ProgrammeBooks { issued, spent, expired, pending, held, live, .. } = *books;
            let gone = spent.wrapping_add(expired);
            if issued != gone.wrapping_add(pending).wrapping_add(held).wrapping_add(live) {
                let sentence = format!(
                    "issued {issued} is not spent {spent} + expired {expired} + pending {pending} + held {held} + live {live}"
                );
                books.faults.push(sentence);
            }
            let faults = &mut books.faults;
            if earned[at] != counted[at] {
                faults.push(format!("{} points earned are counted, members earned {}", counted[at], earned[at]));
            }
            if enrolled[at] != books.members {
                faults.push(format!("{} members counted, {} there", books.members, enrolled[at]));
            }
        }
        Books { programmes: sums, swept_through_s, state_hash: hasher.finalize().to_hex().to_string(), epoch }
    }
}

/// Units that members hold: what blocks know of them must be the same, as far as their time is not over. What is over each of them writes down
/// when it is next changed.
#[derive(Default)]
struct Units {
    now_s: u32,
    /// By programme, campaign, second and slot.
    held: HashMap<(u32, u32, u32, u32), u64>,
}

impl Units {
    fn add(&mut self, member: &Member) {
        for hold in member.holds().iter().filter(|hold| hold.due_s > self.now_s) {
            for offer in &hold.offers {
                for slot in &offer.cells {
                    let name = (member.programme(), u32::from(offer.campaign), hold.due_s, *slot);
                    *self.held.entry(name).or_default() += u64::from(offer.count);
                }
            }
        }
    }

    fn compare(&mut self, block: &BlockPlace, state: &Block, faults: &mut Vec<String>) {
        let BlockPlace { programme, campaign, .. } = *block;
        for ((due_s, slot), units) in state.held().filter(|((due_s, _), _)| *due_s > self.now_s) {
            let held = self.held.remove(&(programme, campaign, due_s, slot)).unwrap_or(0);
            if held != u64::from(units) {
                faults.push(format!("campaign {campaign}: {units} held of cell {slot}, {held} by its members"));
            }
        }
        self.held.retain(|(of, at, _, slot), units| {
            let unknown = (*of, *at) == (programme, campaign);
            if unknown {
                faults.push(format!("campaign {campaign}: members hold {units} of cell {slot}, it holds none"));
            }
            !unknown
        });
    }
}

fn hash_journal(hasher: &mut blake3::Hasher, sequence: u64, last_ms: i64) {
    hasher.update(&sequence.to_le_bytes());
    hasher.update(&last_ms.to_le_bytes());
}
