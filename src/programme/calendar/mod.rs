//! The calendar: local days and windows of an IANA time zone, as sorted tables of instants.
//!
//! One definition rules everything here: a local time `L` *begins* at the first instant at which the clock shows `L` or
//! later, and time before `L` *ends* after the last instant at which it shows less. So, where the clock jumps ahead
//! over `L`, both are the instant of the jump; where it is set back and shows `L` twice, a window opens at the first
//! showing and closes at the last. A window is open exactly from the first to the last moment at which the clock reads
//! a time inside it. No difference of 24 hours is ever taken for a day.

mod days;
mod window;
mod zone;

pub use days::Period;
#[cfg(test)]
pub(super) use days::day_number;
pub(super) use days::{date_of, day_of, months_after};
pub(super) use window::{Moment, MonthDay, Rule};
pub use window::{Span, Window};
pub(super) use zone::datetime as reading;
pub(super) use zone::{FIRST_DAY, LAST_DAY};
pub use zone::{UnknownZone, Zone, date};

/// Milliseconds of a day of 24 hours; only for local clock readings, never for distances between instants.
pub(in crate::programme) const DAY_MS: i64 = 86_400_000;
