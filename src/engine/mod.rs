//! The rules at work, apart from everything else: `decide` reads and answers, `apply` is the only code that changes state.
//!
//! Promises: no clock, no I/O, no randomness, no lock; the same state, programme, request and instant give the same
//! outcome. A decision names every change as a part for one place; live and in recovery the same `apply` makes it.
//! Never: looks at the programme while applying, so that recovery does not depend on today's rules.

mod admit;
mod check_in;
mod counters;
mod effect;
mod enrol;
mod grant;
mod lots;
mod member;
mod order;
mod part;
mod pending;
mod place;
mod quota;
mod record;
mod redeem;
mod refusal;
mod remembered;
mod settle;

pub use admit::{AHEAD_MS_MOST, Admission, DEADLINE_MS_MOST, Request, admit};
pub use check_in::check_in;
pub use counters::Counter;
pub use effect::{EFFECTS_MOST, Effect, Effects};
pub use enrol::enrol;
pub use lots::{LOTS_MOST, Lot, LotName, Lots, NEVER_S, second_of};
pub use member::{LedgerAt, Member};
pub use order::{Known, OrderEntry, OrderKey, Ordered, record_order};
pub use part::{BlockPart, CellUse, Change, DirectoryPart, MemberPart, QUOTAS_MOST};
pub use pending::Pending;
pub use place::{PlaceId, PlaceKind};
pub use quota::{Block, Cell, CellName};
pub use record::{BadRecord, Record, read_record, write_block, write_directory, write_member};
pub use redeem::{Redemption, redeem};
pub use refusal::Refusal;
pub use remembered::Remembered;
pub use settle::{seen_at, settle};

/// What every decision is given beside the state.
pub struct Context<'a> {
    /// The rules in force.
    pub programme: &'a crate::programme::Programme,
    /// The programme's number.
    pub number: u32,
    /// Its version, counted up by every activation.
    pub version: u32,
    /// The decision's instant, milliseconds since 1970.
    pub now_ms: i64,
}
