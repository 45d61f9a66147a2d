//! Programme files: what a brand's people write, compiled to what the engine compares.
//!
//! A [`Bundle`] (a directory's files, one hash) and a [`Numbering`] (numbers given once, never reused) compile to a
//! [`Compiled`] programme of integers and sorted tables. Compiling is pure: no clock, no I/O, the time zone data is the
//! one built in, so that every machine compiles the same text to the same rules. The hot path only compares; it never
//! parses and never asks a calendar within the years the tables cover. Everything wrong with a file comes back as a
//! [`Report`] of findings with file, line, column and what would be right; no input panics.

mod bundle;
mod calendar;
mod campaigns;
mod compile;
mod describe;
mod expiry;
mod finding;
mod grammar;
mod money;
mod multipliers;
mod numbering;
mod punctuation;
mod reader;
mod rules;
mod terms;
mod windows;

pub use bundle::{Bundle, BundleError, BundleFile};
pub use calendar::{Span, UnknownZone, Window, Zone, date};
pub use compile::{Compiled, compile};
pub use expiry::{Expires, LotTerms};
pub use finding::{Finding, Report, Severity};
pub use money::{Currency, Earning, Rounding};
pub use multipliers::{Multipliers, Occasion};
pub use numbering::{Numbering, NumberingError};
pub use rules::{
    Campaign, Channel, CheckIn, LimitOver, MemberLimit, Offer, OrderRules, Programme, Quota, Tier, Title, source,
};
pub use terms::PointRules;
