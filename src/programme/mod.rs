//! Programme files: what a brand's people write, compiled to what the engine compares.
//!
//! A [`Bundle`] (a directory's files, one hash) and a [`Numbering`] (numbers given once, never reused) compile to a
//! [`Compiled`] programme of integers and sorted tables. Compiling is pure: no clock, no I/O, the time zone data is the
//! one built in, so that every machine compiles the same text to the same rules. The hot path only compares; it never
//! parses and never asks a calendar within the years the tables cover. Everything wrong with a file comes back as a
//! [`Report`] of findings with file, line, column and what would be right; no input panics.

mod activities;
mod awards;
mod benefits;
mod birthday;
mod bundle;
mod calendar;
mod campaigns;
mod caps;
mod check_in;
mod claims;
mod compile;
mod describe;
mod earning;
mod expiry;
mod finding;
mod grammar;
mod holds;
mod ladder;
mod limits;
mod money;
mod multipliers;
mod names;
mod numbering;
mod prices;
mod punctuation;
mod quizzes;
mod quotas;
mod reader;
mod referral;
mod rights;
mod rules;
mod tender;
mod terms;
mod tiers;
mod windows;

pub use activities::{Activity, Threshold};
pub use awards::Award;
pub use benefits::{Benefit, Due};
pub use birthday::{Birthday, BirthdayRules};
pub use bundle::{Bundle, BundleError, BundleFile};
pub use calendar::{Period, Span, UnknownZone, Window, Zone, date};
pub use caps::{Cap, Giving, Most};
pub use check_in::{CheckIn, MakeUpRule};
pub use claims::ClaimRules;
pub use compile::{Compiled, compile};
pub use earning::{Counts, Earning, Sold};
pub use expiry::{Expires, LotTerms, Rolling};
pub use finding::{Finding, Report, Severity};
pub use ladder::{Falls, Ladder, Measure};
pub use money::{Currency, Rounding};
pub use multipliers::{Calendar, Multipliers, Occasion};
pub use numbering::{Numbering, NumberingError};
pub use quizzes::{First, Quiz};
pub(crate) use quotas::CELLS_MOST;
pub use referral::{Deed, Qualifies, Referral};
pub use rights::{Right, RightCount};
pub use rules::{
    Campaign, Channel, Each, ForStore, HoldRules, LimitOver, MemberLimit, Offer, OrderRules, Price, Programme, Quota,
    Store, Tag, Tender, Title, source,
};
pub use terms::PointRules;
pub use tiers::Tier;
