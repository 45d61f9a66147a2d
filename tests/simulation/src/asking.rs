//! Random orders, activities and uses of rights, some of them wrong.

use crate::claims::NUMBERS;
use crate::dice::Dice;
use crate::earning::{ACTIVITIES, ACTIVITY_AHEAD_MS, CATEGORIES, STORES};
use crate::model::{Act, Ask, Line, Order};
use crate::rules::{AHEAD_MS, CHANNELS, MEMBERS_ZONES, TAGS};

/// How long ago something is said to have happened.
const BACK_MS: [i64; 6] = [0, 1_000, 3_600_000, 90_000_000, 250_000_000, 300_000_000];

/// An order that comes in at an instant, with one of so many numbers.
pub fn order(dice: &mut Dice, now_ms: i64, numbers: u64) -> Order {
    let channel = if dice.chance(4) { "nowhere" } else { *dice.one(&CHANNELS) };
    let number = if dice.chance(2) { String::new() } else { order_number(dice, numbers) };
    let back_ms = *dice.one(&BACK_MS);
    let paid_at_ms = if dice.chance(3) { now_ms + AHEAD_MS + 60_000 } else { now_ms - back_ms };
    let paid_at_ms = if dice.chance(5) { now_ms + AHEAD_MS / 2 } else { paid_at_ms };
    let store = if dice.chance(60) { *dice.one(&STORES) } else { "" };
    let lines = dice.chance(40).then(|| (0..dice.below(4)).map(|_| line(dice)).collect());
    let amount_minor = match lines {
        None if dice.chance(3) => -1,
        None => dice.between(0, 20_000),
        Some(_) => 0,
    };
    let freight_minor = if lines.is_some() { dice.between(0, 900) } else { 0 };
    Order { channel: channel.into(), number, paid_at_ms, amount_minor, store: store.into(), freight_minor, lines }
}

/// One of so many, and often one that is claimed.
fn order_number(dice: &mut Dice, numbers: u64) -> String {
    let of = if dice.chance(25) { NUMBERS } else { numbers };
    format!("{}", dice.below(of))
}

fn line(dice: &mut Dice) -> Line {
    let category = if dice.chance(70) { *dice.one(&CATEGORIES) } else { "" };
    let amount_minor = dice.between(0, 9_000);
    let coupon_minor = if dice.chance(2) { amount_minor + 1 } else { dice.between(0, amount_minor / 3) };
    let points_minor = dice.between(0, amount_minor / 3);
    let quantity = u32::from(!dice.chance(1));
    Line { category: category.into(), quantity, amount_minor, coupon_minor, points_minor }
}

/// An activity that comes in at an instant; if it has a key, one of so many.
pub fn act(dice: &mut Dice, now_ms: i64, keys: u64) -> Act {
    let activity = if dice.chance(4) { "nothing" } else { *dice.one(&ACTIVITIES) };
    let key = if dice.chance(50) { String::new() } else { format!("{}", dice.below(keys)) };
    let back_ms = *dice.one(&BACK_MS[..4]);
    let happened_ms = if dice.chance(3) { now_ms + ACTIVITY_AHEAD_MS + 1 } else { now_ms - back_ms };
    let minutes = (!dice.chance(5)).then(|| dice.between(-1, 12));
    Act { activity: activity.into(), key, happened_ms, minutes }
}

/// The slug of a right, perhaps of none.
pub fn right(dice: &mut Dice) -> String {
    (*dice.one(&["drink", "drink", "discount", "nothing"])).into()
}

/// A check-in that comes in late, a missed day made up for, another zone, a tag, or a look at them.
pub fn days(dice: &mut Dice, now_ms: i64) -> Ask {
    match dice.below(8) {
        0..3 => {
            let ahead_ms = *dice.one(&[0, 0, 0, 0, AHEAD_MS, AHEAD_MS + 1]);
            Ask::RecordCheckIn(now_ms + ahead_ms - *dice.one(&BACK_MS))
        }
        3..5 => Ask::MakeUp(now_ms.div_euclid(86_400_000) as i32 - dice.between(-1, 9) as i32),
        5 => Ask::SetZone((*dice.one(&MEMBERS_ZONES)).into()),
        6 if dice.chance(30) => Ask::SetZone((*dice.one(&["Asia/Shanghai", "Europe/Paris", "Mars/Base"])).into()),
        6 => Ask::SetTag((*dice.one(&[TAGS[0], TAGS[1], "nothing"])).into(), dice.chance(70)),
        _ => Ask::GetProfile,
    }
}

/// A birthday, most often one of March, perhaps none.
pub fn birthday(dice: &mut Dice) -> Ask {
    let (month, day) = *dice.one(&[(3, 8), (3, 20), (4, 1), (2, 29), (2, 30), (13, 1), (6, 0)]);
    Ask::SetBirthday(month, day)
}
