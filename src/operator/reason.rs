//! An answer in words: which condition failed and what would unlock it, or what came of it.

use tidegate_protocol::Body;
use tidegate_protocol::code::row;

use super::show;
use crate::programme::date;

/// The reason of an answer, and what would unlock what it refused; empty where nothing is known to.
pub(super) fn reason(code: u16, body: Option<&Body>) -> (String, String) {
    let meaning = row(code).map_or("A code that this command does not know.", |row| row.meaning).to_owned();
    let Some(body) = body else { return (meaning, String::new()) };
    let at = |instant_ms: i64| show::instant(instant_ms);
    let again = |again_ms: i64| match again_ms {
        0 => "it does not come again by itself".to_owned(),
        again_ms => format!("from {} on", at(again_ms)),
    };
    match body {
        Body::AlreadyCheckedIn(told) => (
            format!("{meaning} It is {}, day {} of the streak.", date(told.day), told.streak),
            format!("the next local day, from {} on", at(told.next_ms)),
        ),
        Body::NotOpen(told) => (meaning, again(told.opens_ms)),
        Body::TierNotAdmitted(told) => {
            let unlock = match told.admitted {
                0 => "another tier".to_owned(),
                tier => format!("tier number {tier}, for which {} more is needed", show::count(told.missing)),
            };
            (format!("{meaning} It is in tier number {}.", told.tier), unlock)
        }
        Body::NotEnoughPoints(told) => (
            format!("{meaning} It has {} and needs {}.", show::count(told.balance), show::count(told.price)),
            format!("{} more points", show::count(told.shortfall)),
        ),
        Body::LimitReached(told) => (
            format!("{meaning} {} of {} are used.", show::count(told.used), show::count(told.times)),
            again(told.again_ms),
        ),
        Body::SoldOut(told) => (meaning, again(told.again_ms)),
        Body::TooOld(told) => {
            (format!("{meaning} Only what happened after {} counts.", at(told.after_ms)), String::new())
        }
        Body::PaidInTheFuture(told) => (meaning, format!("an instant not after {}", at(told.until_ms))),
        Body::FieldMissing(told) => (meaning, format!("the field `{}`", told.field.as_str())),
        Body::NotReached(told) => (
            format!("{meaning} `{}` is {}.", told.field.as_str(), show::count(told.told)),
            format!("`{}` of {} or more", told.field.as_str(), show::count(told.least)),
        ),
        Body::BirthdayLocked(told) => (meaning, again(told.until_ms)),
        Body::DayOutOfReach(told) if told.from <= told.until => {
            (meaning, format!("a day from {} to {}", date(told.from), date(told.until)))
        }
        Body::KeyConflict(told) => (format!("{meaning} The first is entry {}.", told.ledger), String::new()),
        Body::Later(told) => (meaning, format!("come back after {} ms", told.retry_ms)),
        Body::Because(told) => (format!("{meaning} {}", told.sentence.as_str()), String::new()),
        other => (format!("{meaning}{}", points(other)), String::new()),
    }
}

/// What an answer that succeeds says of points.
fn points(body: &Body) -> String {
    let (before, after) = match body {
        Body::CheckedIn(told) => (told.before, told.after),
        Body::Recorded(told) => (told.before, told.after),
        Body::ActivityRecorded(told) => (told.before, told.after),
        Body::Granted(told) => (told.before, told.after),
        Body::InvitationAccepted(told) => (told.before, told.after),
        Body::ReceiptConfirmed(told) => (told.before, told.after),
        _ => return String::new(),
    };
    match after - before {
        0 => format!(" The balance stays {} points.", show::count(after)),
        change => {
            let sign = if change > 0 { "+" } else { "" };
            format!(
                " The balance goes from {} to {} points ({sign}{}).",
                show::count(before),
                show::count(after),
                show::count(change)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::code::answer;
    use tidegate_protocol::refusal::{DayOutOfReach, LimitReached, NotEnoughPoints, Plain};

    use super::*;

    #[test]
    fn a_refusal_says_what_fails_and_what_would_unlock_it() {
        let told = Body::NotEnoughPoints(NotEnoughPoints { price: 1_200, balance: -5, shortfall: 1_205 });
        let (why, unlock) = reason(answer::NOT_ENOUGH_POINTS, Some(&told));
        assert_eq!(why, "The member has fewer points than the price. It has -5 and needs 1,200.");
        assert_eq!(unlock, "1,205 more points");
        let told = Body::LimitReached(LimitReached { times: 1, used: 1, again_ms: 0 });
        assert_eq!(reason(answer::LIMIT_REACHED, Some(&told)).1, "it does not come again by itself");
        let none = Body::DayOutOfReach(DayOutOfReach { from: 5, until: 4 });
        assert_eq!(reason(answer::DAY_OUT_OF_REACH, Some(&none)).1, "");
        let plain = reason(answer::NO_CHECK_IN, Some(&Body::Plain(Plain {})));
        assert_eq!(plain, ("The programme has no check-in.".to_owned(), String::new()));
        assert_eq!(reason(0x7fff, None).0, "A code that this command does not know.");
    }
}
