//! The members: made with points before a run, and compared with the server's books after it.

use std::ops::Range;

use tidegate_protocol::batch::push_entry;
use tidegate_protocol::code::{self, answer, op};
use tidegate_protocol::operation::{Enrol, GetMember, RecordOrder};
use tidegate_protocol::{Text, answer::MemberView, decode};

use crate::bulk::{Ids, bulk};
use crate::lane::{Lane, LaneError};
use crate::load::{ASKED, Numbers, key};
use crate::scenario::{BRAND, CHANNEL, Scenario, TIERS};

/// Frames in flight while preparing and auditing: enough to keep the server busy, few enough to be polite.
const IN_FLIGHT: u16 = 16;
const DEADLINE_MS: u32 = 30_000;
/// Orders were paid so long before they are recorded.
const PAID_BEFORE_MS: i64 = 60_000;

/// How members fall into frames.
struct Frames {
    members: Range<u32>,
    each: u32,
}

impl Frames {
    fn count(&self) -> u64 {
        self.members.len().div_ceil(self.each as usize) as u64
    }

    /// The members of a frame.
    fn of(&self, frame: u64) -> Range<u32> {
        let start = self.members.start + frame as u32 * self.each;
        start..(start + self.each).min(self.members.end)
    }
}

fn in_flight(lane: &Lane) -> usize {
    lane.welcome.in_flight_most.min(IN_FLIGHT).into()
}

fn text(text: &str) -> Text {
    Text::try_from(text).expect("short")
}

/// Enrols members and gives them their points, by one order each.
pub(crate) async fn prepare(
    lane: &mut Lane,
    ids: &mut Ids,
    scenario: &Scenario,
    programme: u32,
    members: Range<u32>,
) -> Result<(), LaneError> {
    let frames = Frames { members, each: u32::from(lane.welcome.entries_most / 2).max(1) };
    let in_flight = in_flight(lane);
    let (brand, channel, store) = (text(BRAND), text(CHANNEL), Text::default());
    let build = |frame, ids: &mut Ids, server_ms, out: &mut Vec<u8>| {
        for member in frames.of(frame) {
            push_entry(out, op::ENROL, programme, DEADLINE_MS, ids.mint(server_ms), &Enrol { member: key(member) });
            let order = RecordOrder {
                member: key(member),
                paid_at_ms: server_ms - PAID_BEFORE_MS,
                amount_minor: scenario.points(member) * 100,
                brand,
                channel,
                store,
                number: text(&format!("L-{member}")),
            };
            push_entry(out, op::RECORD_ORDER, programme, DEADLINE_MS, ids.mint(server_ms), &order);
        }
        frames.of(frame).len() as u16 * 2
    };
    let answered = |frame, reply: tidegate_protocol::batch::Answer<'_>| {
        let (what, right) = match reply.index % 2 {
            0 => ("enrolment", reply.code == answer::ENROLLED),
            _ => ("order", reply.code == answer::RECORDED),
        };
        let member = frames.of(frame).start + u32::from(reply.index / 2);
        let name = code::name(reply.code);
        right
            .then_some(())
            .ok_or_else(|| LaneError::Unexpected(format!("the {what} of member {} was answered `{name}`", key(member))))
    };
    bulk(lane, ids, in_flight, frames.count(), build, answered).await
}

/// What an audit found.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub(crate) struct Audit {
    /// Members compared.
    pub(crate) members: u64,
    /// Members whose books differ from what was acknowledged.
    pub(crate) wrong: u64,
    /// The first of them, in words.
    pub(crate) first: Option<String>,
    /// Redemptions in the books.
    pub(crate) used: u64,
}

impl Audit {
    /// Adds another lane's.
    pub(crate) fn add(&mut self, other: Audit) {
        self.members += other.members;
        self.wrong += other.wrong;
        self.used += other.used;
        self.first = self.first.take().or(other.first);
    }

    fn compare(&mut self, scenario: &Scenario, numbers: &Numbers, member: u32, told: u32, view: &MemberView) {
        let limits = view.limits.as_slice().iter();
        let used: u32 = limits.filter(|limit| limit.campaign == numbers.campaign).map(|limit| limit.used).sum();
        let balance = scenario.points(member) - i64::from(told) * scenario.price(member);
        let tier = TIERS[scenario.tier(member)].0;
        self.members += 1;
        self.used += u64::from(used);
        if (view.balance, used, view.tier_slug.as_str()) != (balance, told, tier) {
            self.wrong += 1;
            self.first.get_or_insert_with(|| {
                format!(
                    "member {}: balance {}, used {used}, tier {}; by the answers it must be {balance}, {told}, {tier}",
                    key(member),
                    view.balance,
                    view.tier_slug
                )
            });
        }
    }
}

/// Compares every member's balance, use of the limit and tier with what the answers said.
pub(crate) async fn audit(
    lane: &mut Lane,
    ids: &mut Ids,
    scenario: &Scenario,
    numbers: &Numbers,
    members: Range<u32>,
    told: &[u32],
) -> Result<Audit, LaneError> {
    let first = members.start;
    let frames = Frames { members, each: lane.welcome.entries_most.into() };
    let in_flight = in_flight(lane);
    let mut audit = Audit::default();
    let build = |frame, ids: &mut Ids, server_ms, out: &mut Vec<u8>| {
        for member in frames.of(frame) {
            let body = GetMember { member: key(member) };
            push_entry(out, op::GET_MEMBER, numbers.programme, DEADLINE_MS, ids.mint(server_ms), &body);
        }
        frames.of(frame).len() as u16
    };
    let answered = |frame, reply: tidegate_protocol::batch::Answer<'_>| {
        let member = frames.of(frame).start + u32::from(reply.index);
        let unexpected = |what: &str| LaneError::Unexpected(format!("asking for member {}: {what}", key(member)));
        if reply.code != answer::MEMBER {
            return Err(unexpected(code::name(reply.code)));
        }
        let view = decode::<MemberView>(reply.body).map_err(|error| unexpected(&error.to_string()))?;
        let told = told.get((member - first) as usize).ok_or_else(|| unexpected("an index beyond the batch"))?;
        audit.compare(scenario, numbers, member, told & !ASKED, &view);
        Ok(())
    };
    bulk(lane, ids, in_flight, frames.count(), build, answered).await?;
    Ok(audit)
}
