//! Putting a programme's version in force: between two requests, at a cut, with its text in the log.
//!
//! The activation is the first record of the epoch that begins with it, and raises every place's time to its instant:
//! no decision after it can carry an earlier time than the rules it was made by.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_protocol::{List, Malformed, Prose, Text, decode, encode, operator};

use super::Store;
use super::cut::Cut;
use super::members::Members;
use super::place::{Held, Journal, Tail, collect_held, lock_all};
use super::world::{Active, BlockPlace, World};
use super::{directory_place, member_place};
use crate::engine::{Block, CAMPAIGNS_BELOW, PlaceId, PlaceKind, QUOTAS_MOST, second_of};
use crate::planted::{Bug, planted};
use crate::programme::{Bundle, BundleFile, CELLS_MOST, Numbering, Programme, Span, compile, date};

/// As many as a server names to those who connect.
const PROGRAMMES_MOST: u32 = 1_024;

// What a programme may ask for, a redemption has room for.
const _: () = assert!(CELLS_MOST <= QUOTAS_MOST);

const COUNTS_OTHERWISE: &str = "[tiers] counts something else, or over another time, than the version in force: members stand by what was \
    counted so far of the new, which may be nothing";

/// The kind of an activation's record.
pub(super) const ACTIVATED: u8 = 96;

/// Why a bundle is not put in force.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// The bundle has errors.
    #[error("{0}")]
    Bundle(String),
    /// Another version is in force than the one to be replaced.
    #[error("version {in_force} is in force, and is not the one to be replaced; read it again and decide anew")]
    Version {
        /// The version in force; 0 if there is none.
        in_force: u32,
    },
    /// The bundle asks for more than the engine counts.
    #[error("{0}")]
    Bounds(String),
    /// What time did under the version before is not written down yet.
    #[error("what is due under the version in force is not all written down yet; try again in a moment")]
    Behind,
}

/// What an activation came to.
#[derive(Debug, Clone)]
pub struct Activated {
    /// The programme's number.
    pub programme: u32,
    /// Its version in force.
    pub version: u32,
    /// The answer may be told once this epoch is durable.
    pub epoch: u64,
    /// Warnings of the check.
    pub warnings: Vec<String>,
}

/// An activation as it stands in the log and in snapshots; the layout is frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationRecord {
    /// The instant from which the version is in force.
    pub now_ms: i64,
    /// The programme's number.
    pub programme: u32,
    /// Its version.
    pub version: u32,
    /// The bundle.
    pub files: List<operator::BundleFile, 64>,
    /// The numbers given so far, in their text form.
    pub numbering: Prose<{ 1 << 20 }>,
    /// Campaign numbers and the indices of their blocks.
    pub blocks: List<(u32, u32), 65535>,
}

impl ActivationRecord {
    /// Reads one; the layout is that of the wire's bodies.
    pub fn read(bytes: &[u8]) -> Result<ActivationRecord, Malformed> {
        let (now_ms, programme, version, files, numbering, blocks) = decode(bytes)?;
        Ok(ActivationRecord { now_ms, programme, version, files, numbering, blocks })
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let ActivationRecord { now_ms, programme, version, files, numbering, blocks } = self;
        encode(&(now_ms, programme, version, files, numbering, blocks), &mut bytes);
        bytes
    }
}

impl Active {
    /// The programme as a record that makes it anew.
    pub fn record(&self) -> ActivationRecord {
        let files = self.bundle.files().iter().map(|file| operator::BundleFile {
            name: Text::try_from(file.name.as_str()).expect("checked when it was activated"),
            contents: Prose::try_from(file.text.clone()).expect("a bundle is at most 1 MiB"),
        });
        let blocks = (0u32..).zip(&self.blocks);
        ActivationRecord {
            now_ms: self.activated_ms,
            programme: self.number,
            version: self.version,
            files: List::cut(files),
            numbering: Prose::try_from(self.numbering.to_text()).expect("checked when it was activated"),
            blocks: List::cut(blocks.filter_map(|(number, block)| Some((number, block.as_ref()?.id.index() as u32)))),
        }
    }
}

/// The files of a bundle from the wire or the log.
pub fn bundle(files: &[operator::BundleFile]) -> Result<Bundle, String> {
    let files = files
        .iter()
        .map(|file| BundleFile { name: file.name.as_str().to_owned(), text: file.contents.as_str().to_owned() });
    Bundle::from_files(files.collect()).map_err(|error| error.to_string())
}

impl Store {
    /// Puts a bundle in force at `now_ms`, as the successor of version `replaces` (0: the programme is new).
    ///
    /// A dry run changes nothing.
    pub fn activate(
        &self,
        bundle: Bundle,
        replaces: u32,
        dry_run: bool,
        now_ms: i64,
    ) -> Result<Activated, ActivationError> {
        // What is due by now is decided by the rules that are in force by now, and who strays from them still is put right. Epochs are
        // cut meanwhile, and nobody waits.
        while self.sweep(now_ms, usize::MAX) > 0 {}
        let mut spare = self.structure.lock();
        let world = self.world.load_full();
        let slug = bundle.slug().map_err(|report| ActivationError::Bundle(report.to_string()))?;
        let before = world.programme_by_slug(&slug);
        let in_force = before.map_or(0, |active| active.version);
        if in_force != replaces {
            return Err(ActivationError::Version { in_force });
        }
        let numbering = before.map_or_else(Numbering::default, |active| active.numbering.clone());
        let compiled = compile(&bundle, &numbering).map_err(|report| ActivationError::Bundle(report.to_string()))?;
        check_bounds(&compiled.programme, &compiled.numbering, &bundle)?;
        let number = before.map_or(world.programmes.len() as u32 + 1, |active| active.number);
        if number > PROGRAMMES_MOST {
            let sentence = format!(
                "{PROGRAMMES_MOST} programmes are in force, as many as a server can have; put `{slug}` on another server"
            );
            return Err(ActivationError::Bounds(sentence));
        }
        if let Some(before) = before {
            check_windows(&compiled.programme, before, now_ms.max(self.latest_ms()))?;
        }
        let other = before.is_some_and(|before| !compiled.programme.ladder.counts_as(&before.programme.ladder));
        let other = other.then(|| COUNTS_OTHERWISE.to_owned());
        let warnings = compiled.warnings.iter().map(ToString::to_string).chain(other).collect();
        let version = in_force.checked_add(1).ok_or_else(|| {
            ActivationError::Bounds(format!("programme `{slug}` has as many versions as are counted; name it anew"))
        })?;
        let mut activated = Activated { programme: number, version, epoch: 0, warnings };
        if dry_run {
            return Ok(activated);
        }
        // What came meanwhile.
        while self.sweep(now_ms, usize::MAX) > 0 {}
        let mut blocks = before.map_or_else(Vec::new, |active| active.blocks.clone());
        let fresh = new_blocks(&mut blocks, &compiled.programme, number, world.blocks.len());

        let mut members = lock_all(&self.members[..]);
        let mut directory = lock_all(&self.directory[..]);
        let mut quotas = lock_all(world.blocks.iter().map(|block| &block.place));
        let mut programmes = lock_all([&self.programmes]);
        let latest_ms = latest(&members).max(latest(&directory)).max(latest(&quotas)).max(latest(&programmes));
        let now_ms = now_ms.max(latest_ms);
        let now_s = second_of(now_ms);
        let settled = |members: &Members| members.are_all_seen() && members.due_s() > now_s;
        if !members.iter().all(|shard| settled(&shard.state.members)) {
            return Err(ActivationError::Behind);
        }
        let ended = self.epochs.end();
        let mut tails = Vec::new();
        let mut take = |place, tail: &mut Tail| spare.take(place, tail, &mut tails);
        collect_held(&mut programmes, ended, |_, tail| take(PlaceId::PROGRAMMES, tail));
        collect_held(&mut members, ended, |at, tail| take(member_place(at), tail));
        collect_held(&mut directory, ended, |at, tail| take(directory_place(at), tail));
        collect_held(&mut quotas, ended, |at, tail| take(world.blocks[at].id, tail));

        let active = Active {
            number,
            version: activated.version,
            activated_ms: now_ms,
            programme: compiled.programme,
            bundle,
            numbering: compiled.numbering,
            blocks,
        };
        activated.epoch = if planted(Bug::EarlyActivation) { ended } else { ended + 1 };
        let bytes = active.record().to_bytes();
        let fresh_world = Arc::new(with(&world, active, fresh, activated.epoch));
        raise(&mut members, now_ms);
        raise(&mut directory, now_ms);
        raise(&mut quotas, now_ms);
        for shard in &mut members {
            shard.state.world = Arc::clone(&fresh_world);
            shard.state.members.look_again();
        }
        for block in &fresh_world.blocks[world.blocks.len()..] {
            block.place.lock().journal.note(0, now_ms, 0);
        }
        let journal = &mut programmes[0].journal;
        journal.append(activated.epoch, now_ms, |out, _| write_record(out, &bytes));
        self.counts.undurable_bytes.fetch_add(bytes.len() as u64 + RECORD_HEAD as u64, Ordering::Relaxed);
        self.world.store(fresh_world);
        spare.ended.push_back(Cut { epoch: ended, tails });
        Ok(activated)
    }
}

/// Bytes of an activation's record before its body: length `u32`, kind `u8`.
pub(super) const RECORD_HEAD: usize = 5;

fn write_record(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(&((body.len() + RECORD_HEAD) as u32).to_le_bytes());
    out.push(ACTIVATED);
    out.extend_from_slice(body);
}

/// The activations in a tail of the programmes' place; ends with the first that is none, in words.
pub fn activations(records: &[u8]) -> impl Iterator<Item = Result<ActivationRecord, String>> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let head = rest.first_chunk::<RECORD_HEAD>()?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let body = rest.get(RECORD_HEAD..length).ok_or_else(|| format!("{length} bytes stated, {} there", rest.len()));
        let read = body.and_then(|body| ActivationRecord::read(body).map_err(|error| error.to_string()));
        // A wrong length says nothing about where the next record begins.
        rest = if read.is_ok() { &rest[length..] } else { &[] };
        Some(read)
    })
}

fn latest<T>(places: &[impl std::ops::Deref<Target = Held<T>>]) -> i64 {
    places.iter().map(|place| place.journal.last_ms()).max().unwrap_or(i64::MIN)
}

fn raise<T>(places: &mut [impl std::ops::DerefMut<Target = Held<T>>], now_ms: i64) {
    for place in places {
        let journal: &mut Journal = &mut place.journal;
        journal.note(0, now_ms, 0);
    }
}

/// The world with a programme's new version.
pub(super) fn with(world: &World, active: Active, fresh: Vec<Arc<BlockPlace>>, epoch: u64) -> World {
    let mut programmes = world.programmes.clone();
    let at = active.number as usize - 1;
    let active = Arc::new(active);
    if at < programmes.len() {
        programmes[at] = active;
    } else {
        assert_eq!(at, programmes.len(), "numbers of programmes are given in order");
        programmes.push(active);
    }
    let mut blocks = world.blocks.clone();
    blocks.extend(fresh);
    World { programmes, blocks, epoch }
}

/// Gives every campaign and quiz without a block one, and gives those that are new.
fn new_blocks(
    blocks: &mut Vec<Option<Arc<BlockPlace>>>,
    programme: &Programme,
    number: u32,
    first: usize,
) -> Vec<Arc<BlockPlace>> {
    let mut fresh = Vec::new();
    for campaign in programme.block_numbers() {
        let at = campaign as usize;
        if blocks.len() <= at {
            blocks.resize(at + 1, None);
        }
        if blocks[at].is_none() {
            let id = PlaceId::new(PlaceKind::Block, first + fresh.len());
            let block = Arc::new(BlockPlace::new(id, number, campaign, Block::default()));
            blocks[at] = Some(Arc::clone(&block));
            fresh.push(block);
        }
    }
    fresh
}

/// Refuses a rule that opens a window again whose counts are folded: its quotas could be granted a second time (I2).
/// Windows later than the next one open on later days than any that was folded.
fn check_windows(programme: &Programme, before: &Active, now_ms: i64) -> Result<(), ActivationError> {
    for campaign in &programme.campaigns {
        let Some(block) = before.block(campaign.number) else { continue };
        let next = match campaign.window.at(now_ms) {
            Span::NotYet { opens_ms } | Span::Between { next_opens_ms: opens_ms, .. } => campaign.window.at(opens_ms),
            now => now,
        };
        let Span::Open { period, .. } = next else { continue };
        let folded = block.place.lock().state.folded_through();
        if period <= folded {
            let (slug, opened, folded) = (&campaign.slug, date(period), date(folded));
            let sentence = format!(
                "campaign `{slug}`: its window of {opened} would open again, but what the windows up to that of {folded} granted is no longer \
                 told apart; let the new rule begin with a later window, or write it as another campaign"
            );
            return Err(ActivationError::Bounds(sentence));
        }
    }
    Ok(())
}

/// What the layouts of members, cells and records can count. Replay asks too: what was put in force once must stay within.
pub(super) fn check_bounds(
    programme: &Programme,
    numbering: &Numbering,
    bundle: &Bundle,
) -> Result<(), ActivationError> {
    let (most, most_offers) = (u32::from(CAMPAIGNS_BELOW) - 1, u32::from(u16::MAX));
    for campaign in &programme.campaigns {
        let offers = campaign.offers.iter().map(|offer| offer.number).max().unwrap_or(0);
        if campaign.number > most || offers > most_offers {
            let slug = &campaign.slug;
            let sentence = format!(
                "campaign `{slug}` has number {} and offers up to {offers}; at most {most} campaigns, and {most_offers} offers of each, can be given over a programme's life",
                campaign.number
            );
            return Err(ActivationError::Bounds(sentence));
        }
        let lists = campaign.offers.iter().map(|offer| &offer.quotas).chain([&campaign.quotas]);
        for quotas in lists {
            let mut counted: Vec<_> = quotas.iter().map(|quota| (quota.tier, quota.store, quota.each)).collect();
            counted.sort_unstable();
            if counted.windows(2).any(|pair| pair[0] == pair[1]) {
                let sentence = format!("campaign `{}` states two quotas for the same thing; keep one", campaign.slug);
                return Err(ActivationError::Bounds(sentence));
            }
        }
    }
    if let Some(quiz) = programme.quizzes.iter().find(|quiz| quiz.number > most) {
        let sentence = format!(
            "quiz `{}` has number {}; at most {most} campaigns and quizzes can be given over a programme's life",
            quiz.slug, quiz.number
        );
        return Err(ActivationError::Bounds(sentence));
    }
    let long = bundle.files().iter().find(|file| file.name.len() > Text::MOST);
    if let Some(file) = long {
        let sentence = format!("the file name `{}` is longer than {} bytes; shorten it", file.name, Text::MOST);
        return Err(ActivationError::Bounds(sentence));
    }
    if numbering.to_text().len() > 1 << 20 {
        let sentence =
            "the programme has named more campaigns and offers over its life than its numbering can hold (1 MiB)";
        return Err(ActivationError::Bounds(sentence.into()));
    }
    Ok(())
}
