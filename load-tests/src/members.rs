//! The members: made with points before a run, and compared with the server's books after it.

use std::ops::Range;
use std::time::Duration;

use tidegate_protocol::batch::push_entry;
use tidegate_protocol::code::{self, Next, answer, op};
use tidegate_protocol::operation::{Enrol, GetMember, RecordOrder};
use tidegate_protocol::{Text, answer::MemberView, decode};

use crate::bulk::{Ids, bulk};
use crate::lane::{Lane, LaneError};
use crate::load::{ASKED, Numbers, key};
use crate::scenario::{BRAND, CHANNEL, FIRST_POINTS, Name, Scenario, TIERS};

/// Frames in flight while preparing and auditing: enough to keep the server busy, few enough to be polite.
const IN_FLIGHT: u16 = 16;
const DEADLINE_MS: u32 = 30_000;
/// Orders were paid so long before they are recorded.
const PAID_BEFORE_MS: i64 = 60_000;
/// How often, and how soon, what was refused for the moment is asked for again.
const PASSES_MOST: u32 = 600;
const BETWEEN_PASSES: Duration = Duration::from_millis(50);

/// How a list falls into frames.
struct Frames<'a, T> {
    items: &'a [T],
    each: usize,
}

impl<T: Copy> Frames<'_, T> {
    fn count(&self) -> u64 {
        self.items.len().div_ceil(self.each) as u64
    }

    fn of(&self, frame: u64) -> &[T] {
        let start = frame as usize * self.each;
        &self.items[start..(start + self.each).min(self.items.len())]
    }

    /// The item of an answer.
    fn at(&self, frame: u64, index: usize) -> Result<T, LaneError> {
        let found = self.of(frame).get(index).copied();
        found.ok_or_else(|| LaneError::Malformed("an answer's index is beyond its batch".into()))
    }
}

fn in_flight(lane: &Lane) -> usize {
    lane.welcome.in_flight_most.min(IN_FLIGHT).into()
}

fn text(text: &str) -> Text {
    Text::try_from(text).expect("short")
}

/// What a member still lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lack {
    member: u32,
    /// Nothing but the order.
    enrolled: bool,
}

/// Enrols members and gives them their points, by one order each. What the server refuses for the moment is asked for
/// again, with a new id, since such a refusal changed nothing.
pub(crate) async fn prepare(
    lane: &mut Lane,
    ids: &mut Ids,
    scenario: &Scenario,
    programme: u32,
    members: Range<u32>,
) -> Result<(), LaneError> {
    let mut lacking: Vec<Lack> = members.map(|member| Lack { member, enrolled: false }).collect();
    for _ in 0..PASSES_MOST {
        lacking = pass(lane, ids, scenario, programme, &lacking).await?;
        if lacking.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN_PASSES).await;
    }
    Err(LaneError::Unexpected(format!("the server went on refusing to prepare {} members", lacking.len())))
}

/// Asks once for everything lacking; returns what still is.
async fn pass(
    lane: &mut Lane,
    ids: &mut Ids,
    scenario: &Scenario,
    programme: u32,
    lacking: &[Lack],
) -> Result<Vec<Lack>, LaneError> {
    let frames = Frames { items: lacking, each: usize::from(lane.welcome.entries_most / 2).max(1) };
    let in_flight = in_flight(lane);
    let (brand, channel, store) = (text(BRAND), text(CHANNEL), Text::default());
    let build = |frame, ids: &mut Ids, server_ms, out: &mut Vec<u8>| {
        for &Lack { member, .. } in frames.of(frame) {
            // Those that are enrolled are asked again too, so that every answer's index tells its member.
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
    // Enrolments that were refused for the moment let their orders be refused for good; both are asked for again.
    let mut still = Vec::new();
    let answered = |frame, reply: tidegate_protocol::batch::Answer<'_>| {
        let lack = frames.at(frame, usize::from(reply.index / 2))?;
        let later = code::row(reply.code).is_some_and(|row| row.next == Next::SameId);
        let right = match reply.index % 2 {
            0 => reply.code == answer::ENROLLED || lack.enrolled && reply.code == answer::ALREADY_ENROLLED || later,
            _ if reply.code == answer::RECORDED => true,
            _ => {
                still.push(Lack { enrolled: true, ..lack });
                later || reply.code == answer::NO_SUCH_MEMBER
            }
        };
        let (name, member) = (code::name(reply.code), key(lack.member));
        let unexpected = || LaneError::Unexpected(format!("preparing member {member} was answered `{name}`"));
        right.then_some(()).ok_or_else(unexpected)
    };
    bulk(lane, ids, in_flight, frames.count(), build, answered).await?;
    Ok(still)
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
    /// Grants in the books.
    pub(crate) used: u64,
    /// Members who answered a quiz's question right.
    pub(crate) right: u64,
    /// Members who have what one of its first places brings.
    pub(crate) first_places: u64,
}

impl Audit {
    /// Adds another lane's.
    pub(crate) fn add(&mut self, other: Audit) {
        self.members += other.members;
        self.wrong += other.wrong;
        self.used += other.used;
        self.right += other.right;
        self.first_places += other.first_places;
        self.first = self.first.take().or(other.first);
    }

    fn compare(&mut self, scenario: &Scenario, numbers: &Numbers, member: u32, told: u32, view: &MemberView) {
        let limits = view.limits.as_slice().iter();
        let used: u32 = limits.filter(|limit| limit.campaign == numbers.campaign).map(|limit| limit.used).sum();
        let mut balance = scenario.points(member) + i64::from(told) * scenario.change(member);
        let used = if scenario.redeems() { used } else { scenario.times(member, view.balance).unwrap_or(u32::MAX) };
        if scenario.name == Name::Quiz && told > 0 && scenario.is_right(member) {
            self.right += 1;
            let first = view.balance - balance == FIRST_POINTS;
            self.first_places += u64::from(first);
            balance += if first { FIRST_POINTS } else { 0 };
        }
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
    let members: Vec<u32> = members.collect();
    let frames = Frames { items: &members, each: lane.welcome.entries_most.into() };
    let in_flight = in_flight(lane);
    let mut audit = Audit::default();
    let build = |frame, ids: &mut Ids, server_ms, out: &mut Vec<u8>| {
        for &member in frames.of(frame) {
            let body = GetMember { member: key(member) };
            push_entry(out, op::GET_MEMBER, numbers.programme, DEADLINE_MS, ids.mint(server_ms), &body);
        }
        frames.of(frame).len() as u16
    };
    let answered = |frame, reply: tidegate_protocol::batch::Answer<'_>| {
        let member = frames.at(frame, reply.index.into())?;
        let unexpected = |what: &str| LaneError::Unexpected(format!("asking for member {}: {what}", key(member)));
        if reply.code != answer::MEMBER {
            return Err(unexpected(code::name(reply.code)));
        }
        let view = decode::<MemberView>(reply.body).map_err(|error| unexpected(&error.to_string()))?;
        audit.compare(scenario, numbers, member, told[(member - first) as usize] & !ASKED, &view);
        Ok(())
    };
    bulk(lane, ids, in_flight, frames.count(), build, answered).await?;
    Ok(audit)
}
