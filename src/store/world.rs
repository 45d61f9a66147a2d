//! The programmes in force and the quota blocks of their campaigns: what every decision reads beside its members.
//!
//! A world never changes; activation puts a new one in its place under the locks of all places, so that no decision
//! sees half of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::place::Place;
use crate::engine::{Block, Context, PlaceId};
use crate::programme::{Bundle, Numbering, Programme};

/// One campaign's quotas, and how often it refused.
#[derive(Debug)]
pub struct BlockPlace {
    /// Its quotas.
    pub place: Place<Block>,
    /// Its name.
    pub id: PlaceId,
    /// The programme's number.
    pub programme: u32,
    /// The campaign's number.
    pub campaign: u32,
    refusals: [AtomicU64; BlockPlace::REASONS],
}

impl BlockPlace {
    const FIRST_REASON: u16 = 0x0100;
    const REASONS: usize = 64;

    /// A block with the quotas of a campaign.
    pub fn new(id: PlaceId, programme: u32, campaign: u32, block: Block) -> BlockPlace {
        BlockPlace {
            place: Place::new(block),
            id,
            programme,
            campaign,
            refusals: [const { AtomicU64::new(0) }; Self::REASONS],
        }
    }

    /// Counts a refusal; a restart forgets these counts.
    pub fn refused(&self, code: u16) {
        if let Some(count) = self.refusals.get(usize::from(code.wrapping_sub(Self::FIRST_REASON))) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Refusals by code, those that happened.
    pub fn refusals(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        let counts = self.refusals.iter().map(|count| count.load(Ordering::Relaxed));
        (Self::FIRST_REASON..).zip(counts).filter(|(_, count)| *count > 0)
    }
}

/// A programme in force.
#[derive(Debug)]
pub struct Active {
    /// Its number, given once and never reused.
    pub number: u32,
    /// Its version, counted up by every activation.
    pub version: u32,
    /// When the version came in force, milliseconds since 1970.
    pub activated_ms: i64,
    /// The compiled rules.
    pub programme: Programme,
    /// The text they were compiled from.
    pub bundle: Bundle,
    /// The numbers given so far.
    pub numbering: Numbering,
    /// By campaign number.
    pub blocks: Vec<Option<Arc<BlockPlace>>>,
}

impl Active {
    /// What decisions are given of it.
    #[inline]
    pub fn context(&self, now_ms: i64) -> Context<'_> {
        let Active { programme, number, version, activated_ms, .. } = self;
        Context { programme, number: *number, version: *version, activated_ms: *activated_ms, now_ms }
    }

    /// The block of a campaign.
    pub fn block(&self, campaign: u32) -> Option<&Arc<BlockPlace>> {
        self.blocks.get(campaign as usize)?.as_ref()
    }
}

/// Everything in force at one instant.
#[derive(Debug, Default)]
pub struct World {
    /// By number, less one.
    pub programmes: Vec<Arc<Active>>,
    /// By index in their ids, all that ever were.
    pub blocks: Vec<Arc<BlockPlace>>,
    /// The epoch of the newest activation.
    pub epoch: u64,
}

impl World {
    /// A programme by its number.
    pub fn programme(&self, number: u32) -> Option<&Arc<Active>> {
        self.programmes.get((number as usize).wrapping_sub(1))
    }

    /// A programme by its slug.
    pub fn programme_by_slug(&self, slug: &str) -> Option<&Arc<Active>> {
        self.programmes.iter().find(|active| active.programme.slug == slug)
    }
}
