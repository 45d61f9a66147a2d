//! Grants and refusals against the quota, over all members (I2).

use std::collections::BTreeMap;

use crate::{Ask, Event, Seen};

/// What the books say at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// The quota.
    pub quota: u64,
    /// Grants that the server counts.
    pub granted: u64,
}

/// Checks grants against the quota. `Err` says what does not hold.
///
/// - No two grants have the same number, none is above the quota, and numbers rise in real time.
/// - The server counts every grant that was told, and beside them only calls without an answer.
/// - "Sold out" was told only where the whole quota can have been granted before it was told.
/// - If somebody was told "sold out", exactly the quota is granted at the end.
pub fn check_quota(events: &[Event], totals: Totals) -> Result<(), String> {
    let Totals { quota, granted } = totals;
    let redeems = || events.iter().filter(|event| event.ask == Ask::Redeem);
    let mut grants = BTreeMap::new();
    for event in redeems() {
        if let Seen::Granted { grant, .. } = event.seen {
            if grant == 0 || grant > quota {
                return Err(format!("grant {grant} of a quota of {quota}: {event:?}"));
            }
            if let Some(other) = grants.insert(grant, event) {
                return Err(format!("grant {grant} was told twice: {other:?} and {event:?}"));
            }
        }
    }
    let mut latest_begin = 0;
    for (grant, event) in &grants {
        if event.ended < latest_begin {
            return Err(format!("grant {grant} ended before one with a smaller number began: {event:?}"));
        }
        latest_begin = latest_begin.max(event.began);
    }
    let told = grants.len() as u64;
    let unknown = redeems().filter(|event| event.seen == Seen::Unknown).count() as u64;
    if granted > quota || granted < told || granted > told + unknown {
        return Err(format!(
            "{granted} grants are counted of a quota of {quota}; {told} were told, {unknown} calls had no answer"
        ));
    }
    for event in redeems().filter(|event| event.seen == Seen::SoldOut) {
        let may_be_granted = redeems()
            .filter(|other| matches!(other.seen, Seen::Granted { .. } | Seen::Unknown) && other.began < event.ended);
        let most = may_be_granted.count() as u64;
        if most < quota {
            return Err(format!("sold out was told when at most {most} of {quota} were granted: {event:?}"));
        }
        if granted != quota {
            return Err(format!("sold out was told, and {granted} of {quota} are granted: {event:?}"));
        }
    }
    Ok(())
}
