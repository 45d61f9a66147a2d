//! Claims of orders and their receipts, which hold a member and the order; and reports of orders, which hold a member only if its claim
//! waited.

use tidegate_protocol::answer::{AlreadyRecorded, ClaimView, OrderReported};
use tidegate_protocol::batch::push_answer;
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::ReportOrder;
use tidegate_protocol::{LedgerId, MemberKey};

use super::directory::Directory;
use super::directory_place;
use super::execute::{MemberAt, Run};
use super::members::Shard;
use super::pair::Two;
use super::place::Held;
use super::prepare::Prepared;
use super::world::Active;
use crate::engine::{
    self, Asker, Context, KeptOrder, Known, MemberPart, MemberSlot, NaturalKey, Refusal, Report, Request, second_of,
};
use crate::programme::Qualifies;

/// What the directory knows of an order.
pub(super) struct OrderKnown {
    /// What more is kept of it than its key.
    pub(super) kept: Option<KeptOrder>,
    /// Whether its number is taken.
    pub(super) recorded: bool,
}

/// The members beside an order that is reported: whose claim waits, and who invited that one and could have something of it too.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Beside {
    claimant: MemberSlot,
    inviter: Option<MemberKey>,
}

/// What a report is decided upon, beside its order's shard of the directory.
struct Asking<'r> {
    programme: u32,
    key: NaturalKey,
    request: &'r Request,
    body: &'r ReportOrder,
}

impl Run<'_> {
    /// What changes an order as well as its member.
    #[inline(never)]
    pub(super) fn with_order(
        &mut self,
        place: &mut MemberAt<'_>,
        context: &Context<'_>,
        slot: u32,
        asked: &Prepared,
        key: NaturalKey,
        decide: impl FnOnce(Asker<'_>, OrderKnown) -> Result<Option<KeptOrder>, Refusal>,
    ) -> Result<(), Refusal> {
        let mut held = self.store.directory[self.store.directory_shard(&key)].lock();
        let context = Context { now_ms: context.now_ms.max(held.journal.last_ms()), ..*context };
        self.epoch = self.epoch.max(held.journal.last_epoch());
        let epoch = self.store.epochs.filling();
        let order = OrderKnown {
            kept: held.state.find_kept(&key, second_of(context.now_ms)),
            recorded: held.state.find(&key).is_some(),
        };
        let at = place.at(slot);
        let member = place.settled(&context, slot, epoch, self.store.shape.lineage, asked.dry);
        let (request, part) = (&asked.request, &mut self.part);
        let kept = decide(Asker { context: &context, at, member: &member, request, part }, order)?;
        drop(member);
        if !asked.dry {
            self.store.room_for_order(&held.state, false, kept.as_ref())?;
            self.store.change_directory(&mut held, epoch, context.now_ms, None, kept.map(Box::new));
        }
        self.apply(place, epoch, asked);
        Ok(())
    }

    #[inline(never)]
    pub(super) fn get_claim(
        &mut self,
        place: &MemberAt<'_>,
        context: &Context<'_>,
        slot: Option<u32>,
        asked: &Prepared,
        key: NaturalKey,
    ) {
        let Some(slot) = slot else { return self.refuse(asked.index, &Refusal::Plain(answer::NO_SUCH_MEMBER)) };
        let member = engine::seen_at(context, slot, place.members.member(slot));
        let (used, times) = engine::guesses(context, &member);
        let held = self.store.directory[self.store.directory_shard(&key)].lock();
        self.epoch = self.epoch.max(held.journal.last_epoch());
        let context = Context { now_ms: context.now_ms.max(held.journal.last_ms()), ..*context };
        let kept = held.state.find_kept(&key, second_of(context.now_ms));
        let (at, recorded) = (place.at(slot), held.state.find(&key).is_some());
        let (state, until_s) = engine::claim_state(&context, at, kept, recorded);
        let (until_ms, guesses_left) = (i64::from(until_s) * 1000, times.saturating_sub(used));
        self.count(answer::CLAIM);
        push_answer(self.out, asked.index, answer::CLAIM, &ClaimView { state, until_ms, guesses_left });
    }

    /// An order that nobody's member paid. Whose claim waits for it is known only after a look: so first look, let go, lock the member,
    /// and who may have something of it beside, then the order; and look again whether they are the same still.
    #[inline(never)]
    pub(super) fn report(
        &mut self,
        index: u16,
        programme: u32,
        key: NaturalKey,
        request: &Request,
        body: &ReportOrder,
    ) {
        let asking = Asking { programme, key, request, body };
        let store = self.store;
        let directory = &store.directory[store.directory_shard(&key)];
        loop {
            let mut held = directory.lock();
            let Some(claimant) = self.waits(&held, &asking) else {
                // Who activates holds all places: as long as this one is held, no other version comes in force.
                let world = store.world.load_full();
                let active = world.programme(programme).expect("programmes never go");
                self.epoch = self.epoch.max(world.epoch);
                return self.reported(index, &asking, active, &mut held, None);
            };
            drop(held);
            let own = usize::from(claimant.shard);
            let inviter = self.inviter_of(&store.members[own].lock(), programme, claimant);
            let shard_of = |inviter| store.member_shard(store.shape.keys.member(programme, inviter));
            let mut two = Two::lock(store, own, inviter.map(shard_of));
            let mut held = directory.lock();
            let beside = Beside { claimant, inviter };
            let again = self.waits(&held, &asking).map(|claimant| Beside {
                claimant,
                inviter: if claimant == beside.claimant {
                    self.inviter_of(two.own(), programme, claimant)
                } else {
                    None
                },
            });
            if again != Some(beside) {
                continue;
            }
            let before = two.appended_bytes();
            let world = std::sync::Arc::clone(&two.own().state.world);
            let active = world.programme(programme).expect("programmes never go");
            self.reported(index, &asking, active, &mut held, Some((&mut two, beside)));
            drop(held);
            return two.leave(self, before);
        }
    }

    /// Whose claim waits for an order; `None` if none does that is a member here.
    fn waits(&self, held: &Held<Directory>, asking: &Asking<'_>) -> Option<MemberSlot> {
        let kept = held.state.find_kept(&asking.key, second_of(self.now_ms.max(held.journal.last_ms())))?;
        kept.claimant.filter(|at| !kept.known && usize::from(at.shard) < self.store.members.len())
    }

    /// Who could have something of it, if a member came to an order.
    fn inviter_of(&self, held: &Held<Shard>, programme: u32, at: MemberSlot) -> Option<MemberKey> {
        let Held { state: Shard { world, members }, journal } = held;
        let active = world.programme(programme)?;
        // What a forged log says of members is no reason to fall.
        let member = ((at.slot as usize) < members.len()).then(|| members.member(at.slot))?;
        let context = active.context(self.now_ms.max(journal.last_ms()));
        engine::may_introduce(&context, member, |rule| matches!(rule, Qualifies::Order(_)))
    }

    /// Decides a report with all that it needs held.
    fn reported(
        &mut self,
        index: u16,
        asking: &Asking<'_>,
        active: &Active,
        held: &mut Held<Directory>,
        beside: Option<(&mut Two<'_>, Beside)>,
    ) {
        let store = self.store;
        let lineage = store.shape.lineage;
        let epoch = store.epochs.filling();
        let mut now_ms = self.now_ms.max(held.journal.last_ms());
        self.epoch = self.epoch.max(held.journal.last_epoch());
        let kept = held.state.find_kept(&asking.key, second_of(now_ms));
        let entry = held.state.find(&asking.key);
        let mut beside = beside.filter(|(two, beside)| {
            let members = &two.own().state.members;
            let slot = beside.claimant.slot as usize;
            slot < members.len() && members.member(slot as u32).programme() == asking.programme
        });
        if let Some((two, _)) = &mut beside {
            now_ms = now_ms.max(two.last_ms());
        }
        // By then a claim may wait no more.
        let kept = kept.filter(|kept| kept.is_kept(second_of(now_ms)));
        let context = active.context(now_ms);
        if let Some((two, beside)) = beside.as_mut().filter(|_| entry.is_none() && self.later.is_none()) {
            two.own_at(|place| place.settle(&context, beside.claimant.slot, epoch, lineage));
        }
        let sequence = held.journal.sequence() + 1;
        let place = directory_place(store.directory_shard(&asking.key)).to_u32();
        let ledger = LedgerId { lineage: u32::from(lineage), place, sequence };
        let mark_ms = held.state.mark_ms(context.number);
        let known = Known { entry, mark_ms, slot: held.state.free_slot(), ledger };
        let claimant = beside.as_ref().map(|(two, at)| two.own().state.members.member(at.claimant.slot));
        let Asking { key, request, body, .. } = *asking;
        let report = match engine::report_order(&context, &known, kept, claimant, key, request, body) {
            Ok(Ok(report)) => report,
            Ok(Err(ledger)) => {
                self.count(answer::ALREADY_RECORDED);
                return push_answer(self.out, index, answer::ALREADY_RECORDED, &AlreadyRecorded { ledger });
            }
            Err(refusal) => return self.refuse(index, &refusal),
        };
        let room = match self.later {
            Some(later) => Err(later.refusal()),
            None => store.room_for_order(&held.state, true, Some(&report.kept)),
        };
        if let Err(refusal) = room {
            return self.refuse(index, &refusal);
        }
        let Report { taken, kept, granted, waited, until_ms } = report;
        store.change_directory(held, epoch, now_ms, Some(taken), Some(Box::new(kept)));
        self.epoch = self.epoch.max(epoch);
        let (version, code) = (context.version, answer::ORDER_REPORTED);
        self.count(code);
        push_answer(self.out, index, code, &OrderReported { ledger, version, waited, until_ms });
        if let Some(((two, beside), part)) = beside.zip(granted) {
            self.granted(two, beside, part, epoch);
        }
    }

    /// The part of the member whose claim waited, and of who invited it, if that has something of it too.
    fn granted(&mut self, two: &mut Two<'_>, beside: Beside, mut part: MemberPart, epoch: u64) {
        let (introduces, at_ms) = (part.introduces(), part.now_ms);
        let invitee = two.own().state.members.member(beside.claimant.slot);
        let (programme, invitee) = (invitee.programme(), invitee.key);
        two.own_at(|place| {
            place.apply(self.store.shape.lineage, &mut part, epoch, 0);
        });
        if let Some(inviter) = beside.inviter.filter(|_| introduces) {
            self.introduce(two.other(), programme, invitee, inviter, epoch, at_ms);
        }
    }
}
