//! An IANA time zone with the starts of its local days from 2020 through 2045 laid out in a table.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use super::DAY_MS;

/// 2020-01-01 and 2046-01-01 as days since 1970-01-01: what the tables cover.
pub(in crate::programme) const FIRST_DAY: i32 = 18_262;
pub(in crate::programme) const LAST_DAY: i32 = 27_759;

/// Tables by day that one programme has at most: 38 KB each.
const TABLES_MOST: u32 = 256;

/// Instants between which changes of the offset are listed: a year and more around the tables.
const COVERED_MS: std::ops::Range<i64> = (FIRST_DAY as i64 - 400) * DAY_MS..(LAST_DAY as i64 + 400) * DAY_MS;

/// The local clock readings the calendar knows, in ms since 1970-01-01 00:00 of that clock: years −9998 to 9998.
const LOCAL_MS: std::ops::RangeInclusive<i64> = -377_673_580_800_000..=253_370_764_800_000;

/// No time zone of this name in the IANA database that is built in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone \"{0}\"; give an IANA name such as \"Asia/Shanghai\" or \"America/New_York\"")]
pub struct UnknownZone(pub String);

/// An IANA time zone. Cheap to clone.
#[derive(Clone)]
pub struct Zone {
    name: Arc<str>,
    tz: TimeZone,
    /// Instants at which the offset changes, around the days of the tables, with the offset from then on. Most readings are
    /// far from all of them, so that tables of thousands of days are made without asking the database for each.
    changes: Arc<[(i64, Offset)]>,
    /// How many more tables by day are made for it.
    tables: Arc<AtomicU32>,
    /// Starts of the local days `FIRST_DAY..=LAST_DAY`, ascending; two are equal where a date was skipped.
    days: Arc<[i64]>,
}

impl Zone {
    /// The zone of this IANA name, from the built-in database, so that every machine computes the same instants.
    pub fn new(name: &str) -> Result<Zone, UnknownZone> {
        let tz = TimeZoneDatabase::bundled().get(name).map_err(|_| UnknownZone(name.to_owned()))?;
        let name: Arc<str> = tz.iana_name().unwrap_or(name).into();
        let first = instant(COVERED_MS.start - 1);
        let changes = tz.following(first).map(|change| (change.timestamp().as_millisecond(), change.offset()));
        let changes = changes.take_while(|(ms, _)| COVERED_MS.contains(ms));
        let changes = std::iter::once((COVERED_MS.start, tz.to_offset(first))).chain(changes).collect();
        let tables = Arc::new(AtomicU32::new(TABLES_MOST));
        let mut zone = Zone { name, tz, changes, tables, days: Arc::from([]) };
        zone.days = (FIRST_DAY..=LAST_DAY).map(|day| zone.begins(i64::from(day) * DAY_MS)).collect();
        Ok(zone)
    }

    /// Whether one more table of all days may be made for this zone of a programme; what has none is worked out each time, and comes to
    /// the same.
    pub(in crate::programme) fn takes_table(&self) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        self.tables.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    /// The IANA name, as the database spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The local day of an instant, as days since 1970-01-01: the last day that has begun. It never goes back, also
    /// where the clock is set back over midnight.
    pub fn local_day(&self, ms: i64) -> i32 {
        let first = self.days[0];
        let last = self.days.len() - 1;
        if ms < first || ms >= self.days[last] {
            return self.local_day_exact(ms);
        }
        let mut index = (((ms - first) / DAY_MS) as usize).min(last - 1);
        while self.days[index] > ms {
            index -= 1;
        }
        while self.days[index + 1] <= ms {
            index += 1;
        }
        FIRST_DAY + index as i32
    }

    /// The instant at which a local day begins, in ms since the Unix epoch.
    pub fn day_start_ms(&self, day: i32) -> i64 {
        match usize::try_from(i64::from(day) - i64::from(FIRST_DAY)).ok().and_then(|index| self.days.get(index)) {
            Some(start) => *start,
            None => self.begins(i64::from(day) * DAY_MS),
        }
    }

    /// The instant as local date, time and offset: `2026-11-20 10:00:00 +08:00`.
    pub fn show(&self, ms: i64) -> String {
        let instant = instant(ms);
        let offset = self.tz.to_offset(instant);
        let local = offset.to_datetime(instant);
        let minutes = offset.seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        format!("{} {sign}{:02}:{:02}", local.strftime("%Y-%m-%d %H:%M:%S"), minutes.abs() / 60, minutes.abs() % 60)
    }

    /// The offset of a clock reading that is days away from any change, so that it shows once and the offset is plain.
    fn settled_offset(&self, local_ms: i64) -> Option<Offset> {
        if !COVERED_MS.contains(&local_ms) {
            return None;
        }
        // No offset moves a reading by more than a day and some hours.
        let behind = self.changes.partition_point(|(ms, _)| *ms <= local_ms);
        let near = |at: usize| self.changes.get(at).is_some_and(|(ms, _)| (ms - local_ms).abs() <= 2 * DAY_MS);
        let before = behind.checked_sub(1)?;
        (!near(before) && !near(behind)).then(|| self.changes[before].1)
    }

    /// The first instant at which the clock shows `local_ms` or later.
    pub(in crate::programme) fn begins(&self, local_ms: i64) -> i64 {
        if let Some(offset) = self.settled_offset(local_ms) {
            return local_ms - i64::from(offset.seconds()) * 1000;
        }
        let local = datetime(local_ms);
        let ambiguous = self.tz.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                at_offset(local, offset)
            }
            AmbiguousOffset::Gap { before, .. } => self.change_until(at_offset(local, before)),
        }
    }

    /// The instant after the last at which the clock shows less than `local_ms`.
    pub(super) fn ends(&self, local_ms: i64) -> i64 {
        if let Some(offset) = self.settled_offset(local_ms) {
            return local_ms - i64::from(offset.seconds()) * 1000;
        }
        let local = datetime(local_ms);
        let ambiguous = self.tz.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => at_offset(local, offset),
            AmbiguousOffset::Gap { before, .. } => self.change_until(at_offset(local, before)),
            AmbiguousOffset::Fold { before, after } => {
                let second = at_offset(local, after);
                // Set back exactly to this reading: nothing less is shown the second time.
                if self.change_until(second) == second { at_offset(local, before) } else { second }
            }
        }
    }

    /// The last change of the zone's offset at or before an instant.
    fn change_until(&self, ms: i64) -> i64 {
        let change = self.tz.preceding(instant(ms.saturating_add(1))).next();
        change.map_or(ms, |change| change.timestamp().as_millisecond())
    }

    fn local_day_exact(&self, ms: i64) -> i32 {
        let instant = instant(ms);
        let local = self.tz.to_offset(instant).to_datetime(instant);
        let mut day = local_ms(local).div_euclid(DAY_MS) as i32;
        while i64::from(day + 1) * DAY_MS < *LOCAL_MS.end() && self.begins(i64::from(day + 1) * DAY_MS) <= ms {
            day += 1;
        }
        day
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.name).finish()
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

/// A clock reading as ms since 1970-01-01 00:00 of the same clock.
pub(super) fn local_ms(local: DateTime) -> i64 {
    at_offset(local, Offset::UTC)
}

/// The clock reading of so many ms since 1970-01-01 00:00 of that clock; beyond the calendar, its last or first.
pub(in crate::programme) fn datetime(local_ms: i64) -> DateTime {
    Offset::UTC.to_datetime(instant(local_ms))
}

/// A local day as its date, from days since 1970-01-01; beyond the calendar, its last or first.
pub fn date(day: i32) -> String {
    datetime(i64::from(day) * DAY_MS).date().to_string()
}

/// The instant, kept a year inside what timestamps and readings can say, so that no offset leads out.
fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms.clamp(*LOCAL_MS.start(), *LOCAL_MS.end())).expect("well inside a timestamp's range")
}

fn at_offset(local: DateTime, offset: Offset) -> i64 {
    let timestamp = offset.to_timestamp(local).expect("readings are kept a year inside the calendar");
    timestamp.as_millisecond()
}
