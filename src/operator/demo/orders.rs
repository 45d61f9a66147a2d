//! Real orders, carried in the binary, moved to the present; and what they must come to, computed without the engine.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit};

use super::programme::{TIERS, Tier, ZONE};

/// `tests/data/README.md` says where they come from.
const SLICE: &[u8] = include_bytes!("../../../tests/data/orders.csv.gz");

/// One order.
#[derive(Debug, Clone)]
pub struct Order {
    /// The household.
    pub member: u64,
    /// The basket's number.
    pub number: String,
    /// When it was paid, moved by whole weeks, milliseconds since 1970.
    pub paid_at_ms: i64,
    /// The store's number.
    pub store: String,
    /// What was paid, cents.
    pub amount_minor: i64,
}

/// The columns of the file: member_id, order_no, paid_at, store, amount_cents.
type Row = (u64, String, String, String, i64);

/// The orders, moved by whole weeks so that the last was paid at least an hour before `now`. Each keeps its weekday and
/// its local time, across changes of the clock.
pub fn replayable(now: Timestamp) -> Vec<Order> {
    let zone = TimeZone::get(ZONE).expect("the time zones are built in");
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(SLICE));
    let rows: Vec<Row> = reader.deserialize().collect::<Result<_, _>>().expect("the slice was read when it was made");
    let paid_at = |row: &Row| row.2.parse::<DateTime>().expect("so were its times");
    let last = rows.iter().map(paid_at).max().expect("the slice has orders");
    let latest = zone.to_datetime(now - Span::new().hours(1));
    let weeks = latest.since((Unit::Week, last)).expect("both lie within a few decades").get_weeks();
    let order = |row: Row| {
        let local = paid_at(&row).checked_add(Span::new().weeks(weeks)).expect("a few decades are no bound");
        let paid_at_ms = zone.to_timestamp(local).expect("so is the zone").as_millisecond();
        let (member, number, _, store, amount_minor) = row;
        Order { member, number, paid_at_ms, store, amount_minor }
    };
    rows.into_iter().map(order).collect()
}

/// What a member must have when all orders are recorded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Due {
    /// Points earned: one for each full dollar of each order.
    pub earned: i64,
    /// How often the member can and may redeem.
    pub redemptions: u64,
}

impl Due {
    /// The tier that so many points reach.
    pub fn tier(&self) -> Tier {
        let reached = TIERS.iter().rev().find(|tier| tier.from <= self.earned);
        *reached.unwrap_or(&TIERS[0])
    }
}

/// What each member must have, from the orders alone.
pub fn due(orders: &[Order], times_most: u64) -> BTreeMap<u64, Due> {
    let mut due: BTreeMap<u64, Due> = BTreeMap::new();
    for order in orders {
        due.entry(order.member).or_default().earned += order.amount_minor / 100;
    }
    for due in due.values_mut() {
        due.redemptions = times_most.min((due.earned / due.tier().price).unsigned_abs());
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_keep_weekday_and_local_time_and_end_in_the_past() {
        // New York is at daylight time here, and most of the orders were paid at standard time.
        for now in ["2026-07-01T12:00:00Z", "2026-11-23T23:30:00Z", "2027-03-14T07:30:00Z"] {
            let now: Timestamp = now.parse().unwrap();
            let orders = replayable(now);
            let zone = TimeZone::get(ZONE).unwrap();
            let local = |order: &Order| zone.to_datetime(Timestamp::from_millisecond(order.paid_at_ms).unwrap());
            assert_eq!(orders.len(), 30_000);
            let first = local(&orders[0]);
            assert_eq!(first.time().to_string(), "11:53:26", "{now}");
            assert_eq!(first.weekday(), jiff::civil::Weekday::Sunday, "{now}");
            let age = now.as_millisecond() - orders.iter().map(|order| order.paid_at_ms).max().unwrap();
            assert!((3_600_000..=3_600_000 + 8 * 86_400_000).contains(&age), "{now}: {age}");
        }
    }

    #[test]
    fn what_is_due_follows_from_the_orders() {
        let due = due(&replayable(Timestamp::from_second(1_800_000_000).unwrap()), 150);
        assert_eq!(due.len(), 2_224);
        assert_eq!(due.values().map(|due| due.earned).sum::<i64>(), 870_252);
        assert!(
            due.values().all(|due| due.redemptions <= 150 && due.redemptions as i64 * due.tier().price <= due.earned)
        );
    }
}
