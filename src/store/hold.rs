//! Holds and their ends, which hold a member and the blocks of all campaigns concerned: in the order of the blocks' indices, whichever
//! campaigns come first.
//!
//! Promises: member and blocks change in one outcome, in one epoch (I1). What is held is looked up under the member's lock, so that the
//! blocks are the right ones.

use std::sync::Arc;

use tidegate_protocol::RequestId;
use tidegate_protocol::operation::Hold;

use super::execute::{MemberAt, Run};
use super::place::Held;
use super::prepare::{Asked, Prepared};
use super::world::{Active, BlockPlace, World};
use crate::engine::{self, Asker, Block, BlockChanges, Blocks, Context, Refusal};
use crate::sync::MutexGuard;

impl Run<'_> {
    /// Decides a hold, or the end of one.
    #[inline(never)]
    pub(super) fn holds(
        &mut self,
        place: &mut MemberAt<'_>,
        world: &World,
        active: &Active,
        context: &Context<'_>,
        slot: u32,
        asked: &Prepared,
    ) -> Result<(), Refusal> {
        let blocks = match &asked.asked {
            Asked::Hold(body) => blocks_of(active, body),
            Asked::Confirm(id) | Asked::Cancel(id) => blocks_held(active, place, slot, *id),
            Asked::ConfirmPart(body) => blocks_held(active, place, slot, body.hold),
            _ => unreachable!("nothing else holds"),
        };
        self.with_blocks(place, world, &blocks, context, slot, asked, |asker, blocks| match &asked.asked {
            Asked::Hold(body) => engine::hold(asker, blocks, body),
            Asked::Confirm(id) => engine::confirm(asker, blocks, *id, None),
            Asked::ConfirmPart(body) => engine::confirm(asker, blocks, body.hold, Some(body)),
            Asked::Cancel(id) => engine::cancel(asker, blocks, *id),
            _ => unreachable!("nothing else holds"),
        })
    }

    /// What changes the blocks of several campaigns as well as its member.
    #[inline(never)]
    #[allow(clippy::too_many_arguments, reason = "the blocks' locks nest in the member's, so that all is at hand")]
    fn with_blocks(
        &mut self,
        place: &mut MemberAt<'_>,
        world: &World,
        blocks: &[Arc<BlockPlace>],
        context: &Context<'_>,
        slot: u32,
        asked: &Prepared,
        decide: impl FnOnce(Asker<'_>, &Blocks<'_>) -> Result<BlockChanges, Refusal>,
    ) -> Result<(), Refusal> {
        let mut held: Vec<(&Arc<BlockPlace>, MutexGuard<'_, Held<Block>>)> =
            blocks.iter().map(|block| (block, block.place.lock())).collect();
        let last_ms = held.iter().map(|(_, held)| held.journal.last_ms()).max().unwrap_or(i64::MIN);
        let context = Context { now_ms: context.now_ms.max(last_ms), ..*context };
        let epoch = self.store.epochs.filling();
        let at = place.at(slot);
        let member = place.settled(&context, slot, epoch, self.store.shape.lineage, asked.dry);
        let (request, part) = (&asked.request, &mut self.part);
        let asker = Asker { context: &context, at, member: &member, request, part };
        let seen: Vec<(u32, &Block)> = held.iter().map(|(block, held)| (block.campaign, &held.state)).collect();
        let decided = decide(asker, &seen);
        drop(member);
        let newest = held.iter().map(|(_, held)| held.journal.last_epoch()).max().unwrap_or(0);
        self.epoch = self.epoch.max(newest).max(world.epoch);
        let changes = decided.inspect_err(|refusal| {
            held.iter().filter(|_| !asked.dry).for_each(|(block, _)| block.refused(refusal.code()));
        })?;
        for (campaign, part) in changes.iter().filter(|_| !asked.dry) {
            let of_it = held.iter_mut().find(|(block, _)| block.campaign == *campaign);
            let (_, held) = of_it.expect("only blocks that are held are changed");
            self.store.change_block(held, epoch, context.now_ms, part);
        }
        self.apply(place, epoch, asked);
        Ok(())
    }
}

/// The blocks of all campaigns that a hold names, in the order in which they are locked.
fn blocks_of(active: &Active, body: &Hold) -> Vec<Arc<BlockPlace>> {
    let campaigns = body.offers.as_slice().iter().map(|offer| offer.campaign);
    in_order(active, campaigns.filter(|number| active.programme.campaign(*number).is_some()))
}

/// The blocks of all campaigns of which a member holds offers under an id, in the order in which they are locked.
fn blocks_held(active: &Active, place: &MemberAt<'_>, slot: u32, id: RequestId) -> Vec<Arc<BlockPlace>> {
    let hold = place.members.member(slot).hold(id);
    let offers = hold.iter().flat_map(|(_, hold)| &hold.offers);
    in_order(active, offers.map(|offer| offer.campaign.into()))
}

fn in_order(active: &Active, campaigns: impl Iterator<Item = u32>) -> Vec<Arc<BlockPlace>> {
    let mut blocks: Vec<_> = campaigns.filter_map(|number| active.block(number).cloned()).collect();
    blocks.sort_unstable_by_key(|block| block.id);
    blocks.dedup_by_key(|block| block.id);
    blocks
}
