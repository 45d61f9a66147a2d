//! How a decision becomes a member's part: who asked, what it gives, and what every activity brings with it.

use tidegate_protocol::code::answer;

use super::Context;
use super::admit::Request;
use super::effect::{Effect, Effects};
use super::lots::{LOTS_MOST, LotName, second_of};
use super::member::{LedgerAt, Member};
use super::part::{Change, MemberPart};
use super::pending::Pending;
use super::refusal::Refusal;
use crate::programme::{LotTerms, Occasion};

/// The most points that one outcome gives, so that sums over members and shards stay below 2^63.
const POINTS_MOST: i64 = 1_000_000_000_000;

/// What points are given for.
pub(super) struct Given {
    /// The source of the lot.
    pub(super) source: u16,
    /// The channel's number; 0 where there is none.
    pub(super) channel: u16,
    /// When it happened, which can be before it is decided.
    pub(super) happened_ms: i64,
}

impl MemberPart {
    /// The part of a member that asked for something and is granted it: with what any activity brings, that lots which
    /// slide expire later, and then with these effects.
    pub(super) fn of(
        context: &Context<'_>,
        slot: u32,
        member: &Member,
        request: &Request,
        change: Change,
        effects: Effects,
    ) -> MemberPart {
        let mut part = MemberPart {
            slot,
            forgets: None,
            now_ms: context.now_ms,
            version: context.version,
            id: request.id,
            hash: request.hash,
            // Known when it is applied.
            previous: LedgerAt::default(),
            after: 0,
            tier: tier_number(context, member.earned),
            change,
            effects,
        };
        part.after = member.balance() + part.delta();
        if let Some(to_s) = context.programme.points.slides_to(&context.programme.zone, context.now_ms)
            && member.lots().would_slide(to_s)
        {
            part.effects.insert(0, Effect::Slid { to_s });
        }
        part
    }

    /// Gives the points of a rule, multiplied by whatever applies, on the terms that the rule states. `member` is as it was before the
    /// part.
    pub(super) fn grant(
        &mut self,
        context: &Context<'_>,
        member: &Member,
        points: i64,
        terms: &LotTerms,
        given: &Given,
    ) -> Result<(), Refusal> {
        let tier = context.programme.tier_of(member.earned);
        let Given { source, channel, happened_ms } = *given;
        let occasion = Occasion { source, tier, channel, happened_ms, now_ms: context.now_ms };
        let points = context.programme.multipliers.points(points, &occasion);
        if points == 0 {
            return Ok(());
        }
        let (given, fresh) = self.given();
        let all = given.checked_add(points).filter(|all| *all <= POINTS_MOST);
        all.and_then(|all| member.room_for(all)).ok_or(Refusal::Plain(answer::INVALID_AMOUNT))?;
        let zone = &context.programme.zone;
        let opens_ms = terms.opens_ms(zone, context.now_ms);
        let expiry = terms.expires(zone, tier, opens_ms.unwrap_or(context.now_ms));
        let name = LotName { expires_s: expiry.at_s, source, slides: expiry.slides };
        let (effect, known) = match opens_ms {
            None => (Effect::Granted { points, name }, member.lots().has(name)),
            Some(opens_ms) => {
                // Not before its instant: a second that has begun by then.
                let opens_s = second_of(opens_ms.saturating_add(999));
                let known = member.pending().any(|pending| (pending.opens_s, pending.name) == (opens_s, name));
                (Effect::Pended(Pending { points, opens_s, name }), known)
            }
        };
        if !known && member.lot_count() + fresh >= LOTS_MOST {
            return Err(Refusal::Plain(answer::TOO_MANY_LOTS));
        }
        self.effects.push(effect);
        self.after += effect.delta();
        self.tier = tier_number(context, member.earned + self.delta().max(0));
        Ok(())
    }

    /// Points given so far, and by how many effects.
    fn given(&self) -> (i64, usize) {
        let given = self.effects.iter().filter_map(|effect| match effect {
            Effect::Granted { points, .. } | Effect::Pended(Pending { points, .. }) => Some(*points),
            _ => None,
        });
        given.fold((0, 0), |(sum, count), points| (sum + points, count + 1))
    }
}

/// The number of the tier for so many points earned.
pub(super) fn tier_number(context: &Context<'_>, earned: i64) -> u8 {
    context.programme.tiers[context.programme.tier_of(earned)].number
}
