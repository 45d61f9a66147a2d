//! The load itself: one lane, frames of requests, as fast as it goes or on a schedule.
//!
//! **Closed loop** (`--max`): as many frames in flight as allowed; a frame starts when it is written.
//! **Open loop** (`--rate`): frame k of a lane is meant to start at t0 + k·interval, whatever the server does. Latency
//! counts from there, so that a server that stalls is charged for everything it held up.
//!
//! Answers are read by code and index, one in [`SAMPLE`] grants in full.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tidegate_protocol::batch::Answers;
use tidegate_protocol::code::answer;
use tidegate_protocol::frame::{FLAG_NOT_DURABLE, Kind};
use tidegate_protocol::{MemberKey, RequestId, answer::Granted, decode};

use crate::bulk::Ids;
use crate::lane::{Lane, LaneError};
use crate::pacer::Pacer;
use crate::scenario::{Name, Scenario};
use crate::template::{Own, Template};
use crate::walk::{Spread, Walk};

/// Of so many orders one is told twice.
const TOLD_TWICE: u64 = 16;
/// One in so many grants is decoded in full and checked against the price list.
const SAMPLE: u64 = 1_024;
/// Codes are below this.
const CODES: usize = 0x600;
/// In a member's tally: it was decided on with the window open. The bits below count its grants.
pub(crate) const ASKED: u32 = 1 << 31;

/// The number of the programme, its campaign and its offers, as the server gave them.
#[derive(Debug, Clone)]
pub(crate) struct Numbers {
    pub(crate) programme: u32,
    pub(crate) campaign: u32,
    /// By index of the scenario's offers.
    pub(crate) offers: Vec<u32>,
}

/// How to load.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) batch: u16,
    pub(crate) in_flight: usize,
    /// Operations a second over all lanes; `None` for as fast as it goes.
    pub(crate) rate: Option<f64>,
    pub(crate) lanes: usize,
    pub(crate) begin: Instant,
    /// What starts before is warm-up.
    pub(crate) measure: Instant,
    pub(crate) end: Instant,
    /// How long answers are waited for after that.
    pub(crate) patience: Duration,
    pub(crate) spread: Spread,
    pub(crate) seed: u64,
    /// Orders are numbered from here on.
    pub(crate) order_numbers: u64,
}

/// What the progress bar shows.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) answers: Cell<u64>,
    pub(crate) granted: Cell<u64>,
    /// The newest frame's latency, microseconds.
    pub(crate) latency_us: Cell<u64>,
    /// When a snapshot was asked for, and when it was published.
    pub(crate) snapshot: Cell<(Option<Instant>, Option<Instant>)>,
}

impl Live {
    /// Whether something that was under way between these instants met the snapshot.
    fn met_snapshot(&self, from: Instant, to: Instant) -> bool {
        match self.snapshot.get() {
            (Some(asked), published) => asked <= to && published.is_none_or(|published| from <= published),
            (None, _) => false,
        }
    }
}

/// What one lane, or all of them, saw.
pub(crate) struct Tally {
    /// Operations meant to start within the measured time.
    pub(crate) offered: u64,
    /// Operations answered within the measured time.
    pub(crate) answered: u64,
    /// Of those, grants.
    pub(crate) granted: u64,
    /// All answers by code, warm-up included.
    pub(crate) codes: Vec<u64>,
    /// Operations without an answer.
    pub(crate) unanswered: u64,
    /// Grants whose body was not what it should be.
    pub(crate) wrong: u64,
    /// Frames of answers sent before they were durable.
    pub(crate) not_durable: u64,
    /// From the intended start, nanoseconds.
    pub(crate) response: Histogram<u64>,
    /// Of those, the ones that met a snapshot.
    pub(crate) during_snapshot: Histogram<u64>,
    /// From the write, nanoseconds.
    pub(crate) service: Histogram<u64>,
    /// Why the lane was lost, if it was.
    pub(crate) lost: Option<String>,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        let histogram = || Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("the bounds are good");
        Tally {
            offered: 0,
            answered: 0,
            granted: 0,
            codes: vec![0; CODES],
            unanswered: 0,
            wrong: 0,
            not_durable: 0,
            response: histogram(),
            during_snapshot: histogram(),
            service: histogram(),
            lost: None,
        }
    }

    /// Adds another lane's.
    pub(crate) fn add(&mut self, other: &Tally) {
        self.offered += other.offered;
        self.answered += other.answered;
        self.granted += other.granted;
        self.codes.iter_mut().zip(&other.codes).for_each(|(all, more)| *all += more);
        self.unanswered += other.unanswered;
        self.wrong += other.wrong;
        self.not_durable += other.not_durable;
        self.response.add(&other.response).expect("the same bounds");
        self.during_snapshot.add(&other.during_snapshot).expect("the same bounds");
        self.service.add(&other.service).expect("the same bounds");
        self.lost = self.lost.take().or_else(|| other.lost.clone());
    }
}

/// A frame in flight.
struct Slot {
    intended: Instant,
    sent: Instant,
    members: Vec<u32>,
    busy: bool,
}

/// The orders of a lane: numbered one by one, paid some time before, and every sixteenth told twice.
struct Orders {
    newest: u64,
    last: Option<(u32, Own)>,
    /// The one that was told just now.
    told: Option<(u32, u64)>,
}

impl Orders {
    /// The claim of the order that was told just now.
    fn claim(&self) -> (u32, Own) {
        let (member, number) = self.told.expect("an order goes before its claim");
        (member, Own::Claim { number })
    }

    /// The next order, and notes that it is told.
    fn next(&mut self, member: u32, server_ms: i64) -> (u32, Own) {
        let next = self.drawn(member, server_ms);
        if let (member, Own::Order { number, .. }) = next {
            self.told = Some((member, number));
        }
        next
    }

    /// The next order, of this member or, if it is told again, of the last's.
    fn drawn(&mut self, member: u32, server_ms: i64) -> (u32, Own) {
        self.newest += 1;
        if let Some(again) = self.last.take()
            && self.newest.is_multiple_of(TOLD_TWICE)
        {
            return again;
        }
        // Out of order: what comes in later may have been paid earlier.
        let paid_at_ms = server_ms - (self.newest % 7) as i64 * 1_000;
        let next = (member, Own::Order { paid_at_ms, number: self.newest });
        self.last = Some(next);
        next
    }
}

/// One lane's load.
pub(crate) struct Load {
    scenario: Rc<Scenario>,
    numbers: Rc<Numbers>,
    plan: Rc<Plan>,
    template: Template,
    walk: Walk,
    orders: Orders,
    slots: Vec<Slot>,
    free: Vec<u16>,
    /// Of the members of this lane: grants told, and [`ASKED`].
    pub(crate) told: Vec<u32>,
    members: Range<u32>,
    interval: Duration,
    next_due: Instant,
    pub(crate) tally: Tally,
    live: Rc<Live>,
}

impl Load {
    /// A load on `members`, whose grants so far are `told`; lane `index` of the plan's.
    pub(crate) fn new(
        scenario: Rc<Scenario>,
        numbers: Rc<Numbers>,
        plan: Rc<Plan>,
        index: usize,
        members: Range<u32>,
        told: Vec<u32>,
        live: Rc<Live>,
    ) -> Load {
        let batch = usize::from(plan.batch);
        let now = Instant::now();
        let slot = |_| Slot { intended: now, sent: now, members: vec![0; batch], busy: false };
        // Frames a second of one lane; the lanes are shifted against each other, so that they take turns.
        let per_lane = plan.rate.map(|rate| rate / f64::from(plan.batch) / plan.lanes as f64);
        let interval = per_lane.map_or(Duration::ZERO, |frames| Duration::from_secs_f64(1.0 / frames));
        let shift = interval.mul_f64(index as f64 / plan.lanes as f64);
        Load {
            template: Template::new(scenario.name, plan.batch, &numbers),
            walk: Walk::new(members.clone(), plan.spread, plan.seed.wrapping_mul(1_000_003) + index as u64),
            // Numbers of two lanes, or two runs, never meet: the upper half is this one's.
            orders: Orders { newest: plan.order_numbers + ((index as u64) << 40), last: None, told: None },
            slots: (0..plan.in_flight).map(slot).collect(),
            free: (0..plan.in_flight as u16).rev().collect(),
            told,
            members,
            interval,
            next_due: plan.begin + shift,
            tally: Tally::new(),
            live,
            scenario,
            numbers,
            plan,
        }
    }

    /// Loads until the plan's end, and waits for the last answers.
    pub(crate) async fn run(&mut self, lane: &mut Lane, ids: &mut Ids) {
        if let Err(error) = self.drive(lane, ids).await {
            self.tally.lost = Some(error.to_string());
        }
        let busy = self.slots.iter().filter(|slot| slot.busy).count() as u64;
        self.tally.unanswered += busy * u64::from(self.plan.batch);
    }

    async fn drive(&mut self, lane: &mut Lane, ids: &mut Ids) -> Result<(), LaneError> {
        let pacer = Pacer::new().map_err(|error| LaneError::Lost(error.to_string()))?;
        let too_late = tokio::time::sleep_until((self.plan.end + self.plan.patience).into());
        tokio::pin!(too_late);
        let mut out = Vec::with_capacity(self.plan.in_flight * self.template.frame_bytes());
        loop {
            let wake = self.fill(ids, &mut out);
            if !out.is_empty() {
                lane.write(&out).await?;
                out.clear();
            }
            if wake.is_none() && self.free.len() == self.slots.len() {
                return Ok(());
            }
            let wait = async {
                match wake {
                    Some(instant) if !self.free.is_empty() => pacer.until(instant).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                read = lane.frames.read() => read?,
                woken = wait => woken.map_err(|error| LaneError::Lost(error.to_string()))?,
                () = &mut too_late => return Ok(()),
            }
            self.take(lane, ids)?;
        }
    }

    /// Appends every frame that is due and has a slot; returns when the next is due, or nothing once the end has come.
    fn fill(&mut self, ids: &mut Ids, out: &mut Vec<u8>) -> Option<Instant> {
        let now = Instant::now();
        let closed = self.plan.rate.is_none();
        if closed {
            self.next_due = now;
        }
        let server_ms = ids.server_ms(now);
        while self.next_due <= now && self.next_due < self.plan.end {
            let Some(slot) = self.free.pop() else { break };
            self.frame(slot, now, server_ms, ids, out);
            if !closed {
                self.next_due += self.interval;
            }
        }
        (self.next_due < self.plan.end).then_some(self.next_due)
    }

    fn frame(&mut self, at: u16, now: Instant, server_ms: i64, ids: &mut Ids, out: &mut Vec<u8>) {
        let slot = &mut self.slots[usize::from(at)];
        (slot.intended, slot.sent, slot.busy) = (self.next_due, now, true);
        if slot.intended >= self.plan.measure {
            self.tally.offered += u64::from(self.plan.batch);
        }
        let (walk, scenario, numbers) = (&mut self.walk, &self.scenario, &self.numbers);
        let (orders, mut members) = (&mut self.orders, slot.members.iter_mut());
        let (mut nth, mut held) = (0, (0, RequestId::default()));
        self.template.append(out, at.into(), || {
            nth += 1;
            let second = matches!(scenario.name, Name::OrderClaims | Name::HoldConfirm) && nth % 2 == 0;
            let (mut member, id) = (if second { 0 } else { walk.next() }, ids.mint(server_ms));
            let own = match scenario.name {
                Name::CheckInMidnight => Own::Nothing,
                Name::Quiz => Own::Answer(scenario.is_right(member)),
                Name::HoldConfirm if second => {
                    member = held.0;
                    Own::Confirm(held.1)
                }
                Name::HoldConfirm => {
                    held = (member, id);
                    Own::Held(numbers.offers[scenario.offer(member) as usize])
                }
                Name::OrderClaims if second => {
                    let own;
                    (member, own) = orders.claim();
                    own
                }
                Name::OrderStorm | Name::OrderClaims => {
                    let own;
                    (member, own) = orders.next(member, server_ms);
                    own
                }
                _ => Own::Offer(numbers.offers[scenario.offer(member) as usize]),
            };
            *members.next().expect("as many as entries") = member;
            (id, key(member), own)
        });
    }

    /// Takes every whole frame of answers that was read.
    fn take(&mut self, lane: &mut Lane, ids: &mut Ids) -> Result<(), LaneError> {
        let now = Instant::now();
        while let Some((header, body)) = lane.frames.frame()? {
            if header.kind != Kind::Answers {
                return Err(LaneError::Lost(format!("the server sent {:?}", header.kind)));
            }
            self.tally.not_durable += u64::from(header.flags & FLAG_NOT_DURABLE);
            let answers = Answers::new(body).map_err(|error| LaneError::Malformed(error.to_string()))?;
            ids.read(answers.server_ms, now);
            self.answers(header.correlation, answers, now)?;
        }
        Ok(())
    }

    fn answers(&mut self, correlation: u64, answers: Answers<'_>, now: Instant) -> Result<(), LaneError> {
        let malformed = |what: &str| LaneError::Malformed(what.into());
        let busy = self.slots.get(correlation as usize).is_some_and(|slot| slot.busy);
        if !busy || answers.left() != self.plan.batch {
            return Err(malformed("answers to no frame in flight, or too few of them"));
        }
        let granted = usize::from(self.scenario.granted());
        let before = self.tally.codes[granted];
        for answer in answers {
            let answer = answer.map_err(|error| malformed(&error.to_string()))?;
            let slot = &self.slots[correlation as usize];
            let member =
                *slot.members.get(usize::from(answer.index)).ok_or_else(|| malformed("an index beyond the batch"))?;
            self.answer(member, answer.code, answer.body);
        }
        let granted = self.tally.codes[granted] - before;
        let slot = &mut self.slots[correlation as usize];
        slot.busy = false;
        self.free.push(correlation as u16);

        let count = u64::from(self.plan.batch);
        let response = now.saturating_duration_since(slot.intended).as_nanos() as u64;
        if slot.intended >= self.plan.measure {
            let service = now.saturating_duration_since(slot.sent).as_nanos() as u64;
            self.tally.response.saturating_record_n(response, count);
            if self.live.met_snapshot(slot.intended, now) {
                self.tally.during_snapshot.saturating_record_n(response, count);
            }
            self.tally.service.saturating_record_n(service, count);
        }
        if now >= self.plan.measure && now < self.plan.end {
            self.tally.answered += count;
            self.tally.granted += granted;
        }
        self.live.answers.set(self.live.answers.get() + count);
        self.live.granted.set(self.live.granted.get() + granted);
        self.live.latency_us.set(response / 1_000);
        Ok(())
    }

    #[inline]
    fn answer(&mut self, member: u32, code: u16, body: &[u8]) {
        let told = &mut self.told[(member - self.members.start) as usize];
        match self.tally.codes.get_mut(usize::from(code)) {
            Some(count) => *count += 1,
            None => self.tally.wrong += 1,
        }
        if code == self.scenario.granted() {
            *told = (*told + 1) | ASKED;
            if code == answer::GRANTED && self.tally.codes[usize::from(code)] % SAMPLE == 1 {
                let price = self.scenario.price(member);
                let right = decode::<Granted>(body).is_ok_and(|granted| granted.before - granted.after == price);
                self.tally.wrong += u64::from(!right);
            }
        } else if code == answer::SOLD_OUT || code == answer::LIMIT_REACHED {
            *told |= ASKED;
        }
    }
}

/// The key of a member: members are numbered from 1 on the wire.
#[inline]
pub(crate) fn key(member: u32) -> MemberKey {
    MemberKey::from_number(u64::from(member) + 1)
}
