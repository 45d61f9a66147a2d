//! A member: points, tier, streak, what was used of limits, and the answers remembered for it.
//!
//! The layout is tuned for bytes, since there are millions of members: 112 bytes each, and 64 for a remembered answer.

use tidegate_protocol::{LedgerId, MemberKey, RequestId};

use super::part::{Change, MemberPart};

/// Where an entry of the ledger stands: the epoch that holds it, and its offset in the tail of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerAt {
    /// 0 where there is none.
    pub epoch: u64,
    /// Bytes from the start of the tail.
    pub offset: u32,
}

/// How often a member used a limit in one window. Campaign 0 is an unused counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// The campaign's number.
    pub campaign: u16,
    /// The offer's number; 0 where the limit is over all offers.
    pub offer: u16,
    /// The local day on which the window opened.
    pub period: i32,
    /// How often it was used.
    pub used: u32,
}

/// A member's counters: one for each (campaign, offer), for the newest period used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::box_collection, reason = "eight bytes instead of 24 in every member, for the few that need more")]
pub struct Counters {
    inline: [Counter; 2],
    more: Option<Box<Vec<Counter>>>,
}

impl Counters {
    /// All counters in use, in the order they came into use.
    pub fn iter(&self) -> impl Iterator<Item = &Counter> {
        let more = self.more.as_deref().map_or(&[][..], Vec::as_slice);
        self.inline.iter().chain(more).filter(|counter| counter.campaign != 0)
    }

    /// How often the limit was used in the window that opened on `period`.
    ///
    /// A counter of an earlier window counts nothing. A counter of a later one means that the calendar was changed
    /// backwards by a new version: it counts, so that no limit is renewed by that.
    pub fn used(&self, campaign: u16, offer: u16, period: i32) -> u32 {
        self.iter()
            .find(|counter| (counter.campaign, counter.offer) == (campaign, offer) && counter.period >= period)
            .map_or(0, |counter| counter.used)
    }

    /// Adds a counter that has no predecessor, without looking for one.
    pub fn push(&mut self, counter: Counter) {
        match self.inline.iter_mut().find(|c| c.campaign == 0) {
            Some(free) => *free = counter,
            None => self.more.get_or_insert_default().push(counter),
        }
    }

    /// Sets a counter, in the place of its predecessor.
    pub fn set(&mut self, counter: Counter) {
        let more = self.more.as_deref_mut().map_or(&mut [][..], Vec::as_mut_slice);
        let named = |c: &&mut Counter| (c.campaign, c.offer) == (counter.campaign, counter.offer);
        if let Some(slot) = self.inline.iter_mut().chain(more).find(named) {
            *slot = counter;
        } else {
            self.push(counter);
        }
    }
}

/// A member as it stands in its slot.
#[derive(Debug, Clone)]
pub struct Member {
    /// The brand's key for it.
    pub key: MemberKey,
    /// The largest request id that is forgotten.
    pub mark: RequestId,
    /// Points that can be spent.
    pub balance: i64,
    /// Points earned over its life; decides the tier.
    pub earned: i64,
    newest_epoch: u64,
    /// What it used of limits.
    pub counters: Counters,
    newest_offset: u32,
    /// Where its newest remembered answer stands in its shard's pool; in no format and no hash.
    pub answers: u32,
    /// The local day of the last check-in; `i32::MIN` before the first.
    pub last_day: i32,
    /// The newest tick in which any of its remembered ids was minted, as its shard counts ticks; in no format and no hash.
    pub newest_tick: u32,
    programme: u16,
    /// Days in a row, up to `last_day`.
    pub streak: u16,
    /// The longest streak.
    pub streak_best: u16,
    /// The tier's number, as of the last change; decisions derive it anew from `earned`.
    pub tier: u8,
    /// How many answers are remembered for it; in no format and no hash.
    pub answers_held: u8,
}

impl Default for Member {
    /// Nobody: of no programme.
    fn default() -> Member {
        Member::new(0, MemberKey([0; 16]), 0)
    }
}

impl Member {
    /// A member as enrolment makes it.
    pub fn new(programme: u32, key: MemberKey, tier: u8) -> Member {
        Member {
            key,
            mark: RequestId::default(),
            balance: 0,
            earned: 0,
            newest_epoch: 0,
            newest_offset: 0,
            answers: u32::MAX,
            counters: Counters::default(),
            last_day: i32::MIN,
            newest_tick: 0,
            programme: u16::try_from(programme).expect("programmes are numbered from 1, one by one"),
            streak: 0,
            streak_best: 0,
            tier,
            answers_held: 0,
        }
    }

    /// The programme's number.
    pub fn programme(&self) -> u32 {
        u32::from(self.programme)
    }

    /// Makes the change that a part states. `at` is where the part stands in the log.
    pub fn apply(&mut self, part: &MemberPart, at: LedgerAt) {
        match part.change {
            Change::Enrolled { .. } => {}
            Change::CheckedIn { day, streak, points, tier } => {
                self.last_day = day;
                self.streak = streak;
                self.streak_best = self.streak_best.max(streak);
                self.earn(points, tier);
            }
            Change::Ordered { points, tier, .. } => self.earn(points, tier),
            Change::Redeemed { price, limit, .. } => {
                self.balance -= price;
                if let Some(counter) = limit {
                    self.counters.set(counter);
                }
            }
        }
        assert_eq!(self.balance, part.after, "a part states the balance it leads to");
        (self.newest_epoch, self.newest_offset) = (at.epoch, at.offset);
    }

    /// Its newest entry in the ledger.
    pub fn newest(&self) -> LedgerAt {
        LedgerAt { epoch: self.newest_epoch, offset: self.newest_offset }
    }

    /// Sets its newest entry, as a snapshot states it.
    pub fn set_newest(&mut self, at: LedgerAt) {
        (self.newest_epoch, self.newest_offset) = (at.epoch, at.offset);
    }

    fn earn(&mut self, points: i64, tier: u8) {
        self.balance += points;
        self.earned += points;
        self.tier = tier;
    }

    /// Raises the mark to an id that is no longer remembered.
    pub fn forget(&mut self, id: RequestId) {
        self.mark = self.mark.max(id);
    }
}

/// An answer that changed state, kept so that a retry gets it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Remembered {
    /// The request's id.
    pub id: RequestId,
    /// Keyed hash of code, programme and body.
    pub hash: u64,
    /// The entry's sequence in its place.
    pub sequence: u64,
    /// Points after.
    pub after: i64,
    /// Points added (or, negative, taken).
    pub change: i64,
    /// What else the answer says, by code: the tier; day and streak; the grant's number.
    pub detail: u64,
    /// The programme's version that decided.
    pub version: u32,
    /// The answer's code.
    pub code: u16,
    /// The lineage of the entry's ledger id.
    pub lineage: u16,
}

impl Remembered {
    /// The answer that a part stands for; `None` where the operation has a natural key and takes no window.
    pub fn from_part(part: &MemberPart, sequence: u64, lineage: u16) -> Option<Remembered> {
        use tidegate_protocol::code::answer;
        let (code, change, detail) = match part.change {
            Change::Enrolled { tier, .. } => (answer::ENROLLED, 0, u64::from(tier)),
            Change::CheckedIn { day, streak, points, .. } => {
                (answer::CHECKED_IN, points, u64::from(day as u32) << 32 | u64::from(streak))
            }
            Change::Ordered { .. } => return None,
            Change::Redeemed { price, grant, .. } => (answer::GRANTED, -price, grant),
        };
        let MemberPart { id, hash, after, version, .. } = *part;
        Some(Remembered { id, hash, sequence, after, change, detail, version, code, lineage })
    }

    /// Whether it can be given again: an answer that is remembered, whose points before are a number.
    pub fn can_be_given(&self) -> bool {
        use tidegate_protocol::code::answer;
        let code = matches!(self.code, answer::ENROLLED | answer::CHECKED_IN | answer::GRANTED);
        code && self.after.checked_sub(self.change).is_some()
    }

    /// Appends the answer as it was given the first time.
    pub fn answer(&self, place: u32, index: u16, out: &mut Vec<u8>) {
        use tidegate_protocol::answer::{CheckedIn, Enrolled, Granted};
        use tidegate_protocol::{batch::push_answer, code::answer};
        let ledger = LedgerId { lineage: u32::from(self.lineage), place, sequence: self.sequence };
        let (version, after, before) = (self.version, self.after, self.after - self.change);
        match self.code {
            answer::ENROLLED => {
                push_answer(out, index, self.code, &Enrolled { ledger, version, tier: self.detail as u8 })
            }
            answer::CHECKED_IN => {
                let (day, streak) = ((self.detail >> 32) as u32 as i32, self.detail as u32);
                push_answer(out, index, self.code, &CheckedIn { ledger, version, day, streak, before, after });
            }
            _ => {
                assert_eq!(self.code, answer::GRANTED, "only three answers are remembered");
                push_answer(out, index, self.code, &Granted { ledger, version, grant: self.detail, before, after });
            }
        }
    }
}

const _: () = assert!(size_of::<Remembered>() == 64);
const _: () = assert!(size_of::<Member>() == 112);
