//! Limits: how often one member may redeem in a campaign, in each window, day, week or month, or over its life.
//!
//! All of them hold at once. Promises that no two of a campaign count the same; never counts anything itself.

use super::compile::choice;
use super::quotas::EACH;
use super::reader::Value;
use super::{Each, LimitOver, MemberLimit, Offer};

/// As many as a redemption counts for its member.
const LIMITS_MOST: usize = 5;
const TIMES_MOST: i64 = 1_000_000;
/// What a member's counter by day, week, month or life has room for beside what it is by.
const OFFERS_MOST: u32 = 8_191;

/// `per_member = { times = 1, each = "window", over = "all offers" }`, or a list of such.
pub(super) fn read(value: &Value) -> Option<Vec<MemberLimit>> {
    let items = value.one_or_list()?;
    if items.len() > LIMITS_MOST {
        value.error(format!("there are {} limits", items.len()), format!("a campaign has at most {LIMITS_MOST}"));
        return None;
    }
    let mut limits: Vec<MemberLimit> = Vec::new();
    let mut whole = true;
    for item in items {
        let Some(limit) = limit(&item) else {
            whole = false;
            continue;
        };
        if limits.iter().any(|other| (other.each, other.over) == (limit.each, limit.over)) {
            item.error("this limit is there twice", "keep one of them");
            whole = false;
        }
        limits.push(limit);
    }
    whole.then_some(limits)
}

fn limit(value: &Value) -> Option<MemberLimit> {
    let fields = value.table(&["times", "each", "over"])?;
    let times = fields.need("times", "times = 1").and_then(|value| value.integer(1..=TIMES_MOST));
    let each = fields.need("each", "each = \"window\"").and_then(|value| choice(&value, &EACH));
    let over = fields.need("over", "over = \"all offers\" or over = \"each offer\"").and_then(|value| {
        choice(&value, &[("all offers", LimitOver::AllOffers), ("each offer", LimitOver::EachOffer)])
    });
    Some(MemberLimit { times: times? as u32, each: each?, over: over? })
}

/// Whether what the limits count of the offers can be counted; reported where it cannot.
pub(super) fn can_count(value: &Value, limits: &[MemberLimit], offers: &[Offer]) -> bool {
    let by_window = limits.iter().all(|limit| limit.each == Each::Window);
    let beyond = offers.iter().find(|offer| offer.number > OFFERS_MOST && !by_window);
    if let Some(offer) = beyond {
        value.at_key().error(
            format!(
                "the offer \"{}\" has the number {}; limits for each day, week, month or life count offers up to {OFFERS_MOST}",
                offer.sku, offer.number
            ),
            "write it in another campaign, or limit by window alone",
        );
    }
    beyond.is_none()
}
