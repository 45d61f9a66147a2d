//! The rules at work, apart from everything else: `decide` reads and answers, `apply` is the only code that changes state.
//!
//! Promises: no clock, no I/O, no randomness, no lock; the same state, programme, request and instant give the same
//! outcome. A decision names every change as a part for one place; live and in recovery the same `apply` makes it.
//! Never: looks at the programme while applying, so that recovery does not depend on today's rules.

mod admit;
mod check_in;
mod enrol;
mod member;
mod order;
mod part;
mod place;
mod quota;
mod record;
mod redeem;
mod refusal;

pub use admit::{AHEAD_MS_MOST, Admission, DEADLINE_MS_MOST, Request, admit};
pub use check_in::check_in;
pub use enrol::enrol;
pub use member::{Counter, Counters, LedgerAt, Member, Remembered};
pub use order::{Known, OrderEntry, OrderKey, Ordered, record_order};
pub use part::{BlockPart, CellUse, Change, DirectoryPart, MemberPart, QUOTAS_MOST};
pub use place::{PlaceId, PlaceKind};
pub use quota::{Block, Cell, CellName};
pub use record::{BadRecord, Record, read_record, write_block, write_directory, write_member};
pub use redeem::{Redemption, redeem};
pub use refusal::Refusal;

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
