//! Parts: what an outcome changes, one for each place it touches. A part is complete: applying it needs no rules.

use arrayvec::ArrayVec;
use tidegate_protocol::{MemberKey, RequestId};

use super::effect::{Effect, Effects};
use super::kept::KeptOrder;
use super::keyed::KeyEntry;
use super::member::LedgerAt;
use super::question::Question;
use super::quota::CellName;

/// The most quota cells that one redemption can change.
pub const QUOTAS_MOST: usize = 8;

/// The change of one member, and at once its entry in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberPart {
    /// The member's slot in its shard.
    pub slot: u32,
    /// The slot of the member that forgets its smallest remembered id to make room, the same member or another.
    pub forgets: Option<u32>,
    /// The decision's instant.
    pub now_ms: i64,
    /// The programme's version that decided.
    pub version: u32,
    /// The request; of zeros where nobody asked.
    pub id: RequestId,
    /// Keyed hash of the request's code, programme and body.
    pub hash: u64,
    /// The member's entry before this one.
    pub previous: LedgerAt,
    /// Points after.
    pub after: i64,
    /// The tier's number after; 0 where it was not kept, and stays what it was.
    pub tier: u8,
    /// What happened.
    pub change: Change,
    /// What came of it.
    pub effects: Effects,
}

impl MemberPart {
    /// Whether its answer takes a place in the member's window: it was asked for, by an id and no natural key.
    pub fn is_remembered(&self) -> bool {
        let keyed = matches!(self.change, Change::Ordered { .. } | Change::Acted { fingerprint: Some(_), .. });
        !keyed && !self.change.is_unasked()
    }

    /// Whether by it an invited member has qualified, so that its inviter has a part of the outcome too.
    pub fn introduces(&self) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::InvitedUntil { until_s: 0 }))
    }

    /// What the effects add to the balance, all in all. What stood before is a number wherever a part was decided or read.
    pub fn delta(&self) -> i64 {
        self.effects.iter().fold(0i64, |sum, effect| sum.wrapping_add(effect.delta()))
    }

    /// Points before; `None` if no number was.
    pub fn before(&self) -> Option<i64> {
        let delta = self.effects.iter().try_fold(0i64, |sum, effect| sum.checked_add(effect.delta()))?;
        self.after.checked_sub(delta)
    }
}

/// What happened to a member. What came of it stands in the effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change {
    /// It came to be, in a slot that was free.
    Enrolled {
        /// The programme's number.
        programme: u32,
        /// The brand's key.
        key: MemberKey,
    },
    /// It checked in.
    CheckedIn {
        /// The local day.
        day: i32,
        /// Days in a row, this one included.
        streak: u16,
    },
    /// It checked in for a day before its last.
    FilledIn {
        /// The local day.
        day: i32,
        /// Days in a row up to its last day.
        streak: u16,
    },
    /// Its days are counted in another zone.
    ChangedZone {
        /// The zone's number; 0 for the programme's.
        zone: u16,
    },
    /// It was given a tag, or lost it.
    Tagged {
        /// The tag's number.
        number: u16,
        /// Whether it has it now.
        on: bool,
    },
    /// It paid an order.
    Ordered {
        /// The channel's number.
        channel: u16,
        /// The order's keyed fingerprint, as in the directory.
        fingerprint: [u8; 16],
        /// When it was paid.
        paid_at_ms: i64,
        /// What was paid, minor units.
        amount_minor: i64,
    },
    /// It answered a question of a quiz.
    Answered {
        /// The quiz's number among the sources of points.
        quiz: u16,
        /// The question's number in its quiz.
        question: u32,
        /// The index of the option.
        option: u8,
        /// Whether it is the right one.
        right: bool,
        /// How often it may answer it still.
        left: u16,
        /// Which of the first right answers it is; 0 if it is none of those that have something beside.
        place: u32,
    },
    /// It said that an order is its own.
    Claimed {
        /// The channel's number.
        channel: u16,
        /// The order's keyed fingerprint, as in the directory.
        fingerprint: [u8; 16],
        /// What the claim met.
        found: Found,
    },
    /// An order came for which its claim waited, and is its own. It did not ask for that itself.
    ClaimGranted {
        /// The channel's number.
        channel: u16,
        /// The order's keyed fingerprint.
        fingerprint: [u8; 16],
        /// When it was paid.
        paid_at_ms: i64,
        /// What of it counts, minor units.
        amount_minor: i64,
    },
    /// It received an order.
    Received {
        /// The channel's number.
        channel: u16,
        /// The order's keyed fingerprint.
        fingerprint: [u8; 16],
        /// When.
        happened_ms: i64,
        /// The second at which its points open, or opened.
        opens_s: u32,
    },
    /// It said who invited it.
    Invited {
        /// Who did.
        inviter: MemberKey,
        /// The second until which it has to qualify.
        until_s: u32,
    },
    /// A member that it invited has qualified. It did not ask for that itself.
    Introduced {
        /// Who has.
        invitee: MemberKey,
    },
    /// It redeemed an offer.
    Redeemed {
        /// The campaign's number.
        campaign: u16,
        /// The offer's number.
        offer: u16,
        /// Which grant of this offer in this window, from 1.
        grant: u64,
    },
    /// It did something that the programme declares.
    Acted {
        /// The activity's number among the sources of points.
        activity: u16,
        /// When it happened.
        happened_ms: i64,
        /// The keyed fingerprint of its natural key, as in the directory, if it has one.
        fingerprint: Option<[u8; 16]>,
    },
    /// It used one of a right.
    UsedRight {
        /// The right's number.
        number: u16,
        /// How many are left.
        left: u32,
    },
    /// It said its birthday.
    SaidBirthday {
        /// The first year in which it counts.
        from_year: i16,
    },
    /// Something is held for it, under its request's id.
    Held {
        /// The second until which it is.
        due_s: u32,
        /// What the offers cost in money, minor units.
        money_minor: i64,
    },
    /// What was held is its own, or part of it.
    Confirmed {
        /// The id of the request that held it.
        hold: RequestId,
    },
    /// What was held is given back.
    Cancelled {
        /// The id of the request that held it.
        hold: RequestId,
    },
    /// What was held is given back, as its time is over. It did not ask for that itself.
    Lapsed {
        /// The id of the request that held it.
        hold: RequestId,
    },
    /// Time, or a new version of the rules, did what it was to do: lots expired, pending points opened, a tier was left.
    #[default]
    Settled,
}

impl Change {
    /// Whether it happened to a member that did not ask for it.
    pub fn is_unasked(&self) -> bool {
        matches!(
            self,
            Change::Settled | Change::Introduced { .. } | Change::ClaimGranted { .. } | Change::Lapsed { .. }
        )
    }
}

/// What a claim met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing: it waits for its order.
    Waits {
        /// The second until which it does.
        until_s: u32,
    },
    /// The member's own order.
    Own {
        /// When it was paid.
        paid_at_ms: i64,
        /// What of it counts, minor units.
        amount_minor: i64,
    },
    /// What is not known to be the member's own.
    Wrong {
        /// How many guesses are left.
        left: u16,
    },
}

/// Units of a quota cell that are held from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellHeld {
    /// The cell's slot in its block.
    pub slot: u32,
    /// Units used, after; those that are held are among them.
    pub used: u32,
    /// Units that are held.
    pub units: u32,
}

/// Units of a quota cell that are held no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellEnded {
    /// The cell's slot in its block.
    pub slot: u32,
    /// Units that are granted.
    pub confirmed: u32,
    /// Units that are given back.
    pub returned: u32,
}

/// A quota cell after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellUse {
    /// The cell's slot in its block.
    pub slot: u32,
    /// Units used, after.
    pub used: u32,
}

/// The change of one campaign's quotas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockPart {
    /// A window's cell came to be, empty, in a slot that was free.
    Opened {
        /// The decision's instant.
        now_ms: i64,
        /// Its slot.
        slot: u32,
        /// Its name.
        name: CellName,
        /// Units that came over from the window before.
        carried: u32,
    },
    /// Units are held until a second.
    Held {
        /// The decision's instant.
        now_ms: i64,
        /// The second.
        due_s: u32,
        /// Every cell that they count in.
        cells: Vec<CellHeld>,
    },
    /// Units that were held until a second are confirmed, or given back.
    Ended {
        /// The decision's instant.
        now_ms: i64,
        /// The second.
        due_s: u32,
        /// Every cell that they count in.
        cells: Vec<CellEnded>,
    },
    /// Units whose time was over by a second are given back.
    Lapsed {
        /// The decision's instant.
        now_ms: i64,
        /// The second.
        through_s: u32,
    },
    /// One grant.
    Granted {
        /// The decision's instant.
        now_ms: i64,
        /// Every cell it counts in; the first is the offer's own.
        cells: ArrayVec<CellUse, QUOTAS_MOST>,
    },
    /// A question of a quiz was published, or one that was there changed.
    Published {
        /// The decision's instant.
        now_ms: i64,
        /// As it is from now on.
        question: Box<Question>,
    },
    /// A question whose cells are folded is known no longer.
    QuestionForgotten {
        /// The decision's instant.
        now_ms: i64,
        /// Its number.
        number: u32,
    },
    /// A cell of a window long closed went into the campaign's totals.
    Folded {
        /// The decision's instant.
        now_ms: i64,
        /// Its slot, free from now on.
        slot: u32,
    },
}

/// The change of one shard of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryPart {
    /// A natural key is taken: an order's, or an activity's.
    Taken {
        /// The decision's instant.
        now_ms: i64,
        /// The slot; what was there is forgotten already.
        slot: u32,
        /// The key and what it stands for.
        entry: KeyEntry,
    },
    /// Of an order something more is kept than its key.
    Kept {
        /// The decision's instant.
        now_ms: i64,
        /// The slot; what was there is of the same order, or forgotten already.
        slot: u32,
        /// What is kept from now on.
        kept: Box<KeptOrder>,
    },
    /// What was kept until `through_s` is forgotten for ever.
    KeptForgot {
        /// The decision's instant.
        now_ms: i64,
        /// The new mark.
        through_s: u32,
    },
    /// What happened in a programme at or before `through_ms` is forgotten for ever.
    Forgot {
        /// The decision's instant.
        now_ms: i64,
        /// The programme's number.
        programme: u32,
        /// The new mark.
        through_ms: i64,
    },
}
