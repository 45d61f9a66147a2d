//! The rules at work, apart from everything else: `decide` reads and answers, `apply` is the only code that changes state.
//!
//! Promises: no clock, no I/O, no randomness, no lock; the same state, programme, request and instant give the same
//! outcome. A decision names every change as a part for one place; live and in recovery the same `apply` makes it.
//! Never: looks at the programme while applying, so that recovery does not depend on today's rules.

mod activity;
mod admit;
mod birthday;
mod check_in;
mod claim;
mod counters;
mod days;
mod draft;
mod effect;
mod enrol;
mod held;
mod hold;
mod kept;
mod keyed;
mod lots;
mod member;
mod offer;
mod order;
mod part;
mod pending;
mod place;
mod plans;
mod profile;
mod progress;
mod question;
mod quiz;
mod quota;
mod receipt;
mod record;
mod redeem;
mod referral;
mod refusal;
mod remembered;
mod right_use;
mod rights;
mod settle;
mod standing;
mod tender;

pub use activity::record_activity;
pub use admit::{AHEAD_MS_MOST, Admission, DEADLINE_MS_MOST, Request, admit};
pub use birthday::set_birthday;
pub use check_in::{check_in, known_from, make_up, record_check_in, zone};
pub use claim::{Report, claim_order, claim_state, guesses, report_order};
pub use counters::Counter;
pub use days::Run;
pub use draft::{Asker, cap_used};
pub use effect::{CELLS_HELD, EFFECTS_MOST, Effect, Effects};
pub use enrol::enrol;
pub use held::{HeldLimit, HeldOffer, Hold};
pub use hold::{BlockChanges, Blocks, cancel, confirm, hold};
pub use kept::{KEPT_BYTES, KeptOrder, MemberSlot, Waiting};
pub use keyed::{KeyEntry, Keyed, Known, NaturalKey, answer_once, once};
pub use lots::{LOTS_MOST, Lot, LotName, Lots, NEVER_S, second_of};
pub use member::{LedgerAt, Member};
pub use offer::{campaign_epoch, carried, limit_offer};
pub use order::{Order, record_order};
pub use part::{BlockPart, CellEnded, CellHeld, CellUse, Change, DirectoryPart, Found, MemberPart, QUOTAS_MOST};
pub use pending::Pending;
pub use place::{PlaceId, PlaceKind};
pub use plans::Plan;
pub use profile::{set_tag, set_zone};
pub use progress::Bucket;
pub use question::{LANES, OPTIONS, Question};
pub use quiz::answer_question;
pub use quota::{Block, Cell, CellName, QUESTIONS_MOST};
pub use receipt::confirm_receipt;
pub use record::{BadRecord, Record, read_record, write_block, write_directory, write_member};
pub use redeem::{Counted, redeem};
pub use referral::{Invitation, Inviter, accept_invitation, introduce, introductions, may_introduce};
pub use refusal::Refusal;
pub use remembered::Remembered;
pub use right_use::use_right;
pub use rights::Right;
pub use settle::{is_settled, seen_at, settle};
pub use standing::{Standing, standing, stands};

/// Campaigns are numbered below it: what counters count from here on are no campaigns.
pub const CAMPAIGNS_BELOW: u16 = draft::counted::FROM;

/// What every decision is given beside the state.
pub struct Context<'a> {
    /// The rules in force.
    pub programme: &'a crate::programme::Programme,
    /// The programme's number.
    pub number: u32,
    /// Its version, counted up by every activation.
    pub version: u32,
    /// When the version came in force, milliseconds since 1970.
    pub activated_ms: i64,
    /// The decision's instant, milliseconds since 1970.
    pub now_ms: i64,
}
