//! What happens once for ever by a key of its own: an order in its channel, an activity with a number. The directory remembers it.

use std::sync::atomic::Ordering;

use tidegate_protocol::answer::AlreadyRecorded;
use tidegate_protocol::batch::push_answer;
use tidegate_protocol::code::answer;
use tidegate_protocol::{LedgerId, refusal};

use super::directory::Directory;
use super::execute::{MemberAt, Run, one_more};
use super::place::Held;
use super::prepare::{Once, Prepared};
use super::{Store, member_place};
use crate::engine::{
    self, Admission, Asker, Context, DirectoryPart, KeptOrder, Keyed, Known, NaturalKey, Refusal, second_of,
    write_directory,
};

impl Run<'_> {
    /// An operation with a natural key.
    #[inline(never)]
    pub(super) fn once(
        &mut self,
        place: &mut MemberAt<'_>,
        context: &Context<'_>,
        slot: Option<u32>,
        asked: &Prepared,
        once: &Once,
        key: NaturalKey,
    ) {
        let Some(slot) = slot else {
            // Members never go: nothing of this one was ever recorded, so that the deadline can be judged at once.
            let refusal = match engine::admit(&asked.request, std::iter::empty(), Default::default(), context.now_ms) {
                Admission::Refused(refusal) if !asked.dry => refusal,
                _ => Refusal::Plain(answer::NO_SUCH_MEMBER),
            };
            return self.refuse_asked(asked, &refusal);
        };
        let shard = self.store.directory_shard(&key);
        let mut held = self.store.directory[shard].lock();
        let context = Context { now_ms: context.now_ms.max(held.journal.last_ms()), ..*context };
        self.epoch = self.epoch.max(held.journal.last_epoch());
        let (epoch, entry) = (self.store.epochs.filling(), held.state.find(&key));
        if entry.is_none() && self.later.is_none() && !asked.dry {
            place.settle(&context, slot, epoch, self.store.shape.lineage);
        }
        // Its entry comes behind those of what was due.
        let sequence = place.journal.sequence() + 1;
        let known = Known {
            entry,
            mark_ms: held.state.mark_ms(context.number),
            slot: held.state.free_slot(),
            ledger: LedgerId {
                lineage: u32::from(self.store.shape.lineage),
                place: member_place(place.shard).to_u32(),
                sequence,
            },
        };
        let member = engine::seen_at(&context, slot, place.members.member(slot));
        let (at, request, part) = (place.at(slot), &asked.request, &mut self.part);
        let asker = Asker { context: &context, at, member: &member, request, part };
        let kept = held.state.find_kept(&key, second_of(context.now_ms));
        let decided = decide(asker, &known, kept, key, asked.dry, once);
        drop(member);
        let (taken, kept) = match decided {
            Ok(Keyed::New(taken, kept)) => (taken, kept),
            Ok(Keyed::Before(ledger)) => return self.already_recorded(asked, ledger),
            Err(refusal) => return self.refuse_asked(asked, &refusal),
        };
        let (lineage, id) = (self.store.shape.lineage, member_place(place.shard));
        if asked.dry {
            if !self.store.has_room_for_order(&held.state, true, kept.as_deref()) {
                return self.refuse_asked(asked, &ORDERS_FULL);
            }
            let mut told = Vec::new();
            let code = engine::answer_once(&self.part, lineage, id, sequence, asked.index, &mut told);
            return self.would_be(asked, code, &told);
        }
        if let Some(later) = self.later {
            return self.refuse(asked.index, &later.refusal());
        }
        if let Err(refusal) = self.store.room_for_order(&held.state, true, kept.as_deref()) {
            return self.refuse(asked.index, &refusal);
        }
        self.store.change_directory(&mut held, epoch, context.now_ms, Some(taken), kept);
        let code = engine::answer_once(&self.part, lineage, id, sequence, asked.index, self.out);
        self.count(code);
        self.introduced = self.part.introduces().then_some((epoch, self.part.now_ms));
        place.apply(lineage, &mut self.part, epoch, asked.member_hash);
    }

    fn already_recorded(&mut self, asked: &Prepared, ledger: LedgerId) {
        let (code, body) = (answer::ALREADY_RECORDED, AlreadyRecorded { ledger });
        if asked.dry {
            let mut told = Vec::new();
            push_answer(&mut told, asked.index, code, &body);
            return self.would_be(asked, code, &told);
        }
        self.count(code);
        push_answer(self.out, asked.index, code, &body);
    }
}

fn decide(
    asker: Asker<'_>,
    known: &Known,
    kept: Option<KeptOrder>,
    key: NaturalKey,
    dry: bool,
    once: &Once,
) -> Result<Keyed, Refusal> {
    let Asker { context, request, .. } = asker;
    let order = match once {
        Once::Order(body) => engine::Order::from(body),
        Once::Lines(body) => engine::Order::from(body),
        Once::Activity(body) => {
            return engine::once(context, known, key, request, body.happened_ms, dry, |after_ms| {
                engine::record_activity(asker, Some((key, after_ms)), body)?;
                Ok(None)
            });
        }
    };
    engine::once(context, known, key, request, order.paid_at_ms, dry, |after_ms| {
        engine::record_order(asker, kept, key, &order, after_ms)
    })
}

const ORDERS_FULL: Refusal = Refusal::Later(answer::ORDERS_FULL, refusal::Later { retry_ms: 60_000 });

/// How much an order takes in the directory: a key, or what more is kept of it, or both.
fn wanted(directory: &Directory, key: bool, kept: Option<&KeptOrder>) -> u64 {
    let more = kept.is_some_and(|kept| !directory.has_kept_slot(&kept.key));
    u64::from(key) + u64::from(more)
}

impl Store {
    /// Counts what an order takes in the directory; or refuses it, if there is no room.
    pub(super) fn room_for_order(
        &self,
        directory: &Directory,
        key: bool,
        kept: Option<&KeptOrder>,
    ) -> Result<(), Refusal> {
        for had in 0..wanted(directory, key, kept) {
            if !one_more(&self.counts.orders, self.limits.orders) {
                self.counts.orders.fetch_sub(had, Ordering::Relaxed);
                return Err(ORDERS_FULL);
            }
        }
        Ok(())
    }

    /// Whether there is room for that; nothing is counted.
    pub(super) fn has_room_for_order(&self, directory: &Directory, key: bool, kept: Option<&KeptOrder>) -> bool {
        self.order_count() + wanted(directory, key, kept) <= self.limits.orders
    }

    /// Makes changes of a directory shard that is held, in an epoch that was read since; there was room for them.
    pub(super) fn change_directory(
        &self,
        held: &mut Held<Directory>,
        epoch: u64,
        now_ms: i64,
        part: Option<DirectoryPart>,
        kept: Option<Box<KeptOrder>>,
    ) {
        let from = held.journal.appended_bytes();
        let slot = kept.as_ref().map_or(0, |kept| held.state.kept_slot(&kept.key));
        let kept = kept.map(|kept| DirectoryPart::Kept { now_ms, slot, kept });
        for part in part.into_iter().chain(kept) {
            held.state.apply(&part, held.journal.sequence() + 1);
            held.journal.append(epoch, now_ms, |out, base_ms| write_directory(out, &part, base_ms));
        }
        let appended = held.journal.appended_bytes() - from;
        self.counts.undurable_bytes.fetch_add(appended, Ordering::Relaxed);
    }
}
