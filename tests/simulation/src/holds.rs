//! Random holds, most often of what there is, and their ends, most often of what is held.

use tidegate_protocol::RequestId;

use crate::asking;
use crate::dice::Dice;
use crate::earning::CATEGORIES;
use crate::model::{Ask, Asked, Basket};
use crate::shop::STORES;

/// What was held, as its member was told: who holds it, under which id, and what that is.
pub type Held = (u64, RequestId, Basket);

/// Remembers what was held, the newest few.
pub fn remember(held: &mut Vec<Held>, asked: &Asked) {
    let Ask::Hold(basket) = &asked.ask else { return };
    if held.len() == 6 {
        held.remove(0);
    }
    held.push((asked.member, asked.id, basket.clone()));
}

/// A hold, the end of one, or a look at them. `offers` are those that there are: of which campaign, and which of it.
pub fn ask(dice: &mut Dice, member: u64, offers: &[(u32, u32)], held: &[Held]) -> (u64, Ask) {
    if held.is_empty() || dice.chance(55) {
        return (member, Ask::Hold(basket(dice, offers)));
    }
    // The newest are the likeliest to be held still.
    let newest = &held[held.len() - dice.between(1, held.len() as i64) as usize..];
    let (of, id, basket) = dice.one(newest).clone();
    let member = if dice.chance(97) { of } else { member };
    let ask = match dice.below(8) {
        0..2 => Ask::Confirm(id),
        2..5 => Ask::ConfirmPart(id, part(dice, &basket)),
        5..7 => Ask::Cancel(id),
        _ => Ask::GetHolds,
    };
    (member, ask)
}

fn basket(dice: &mut Dice, offers: &[(u32, u32)]) -> Basket {
    let few = *dice.one(&[0, 1, 1, 1, 1, 1, 2, 2, 3]);
    let mut all: Vec<(u32, u32, u32)> = (0..few).map(|_| offer(dice, offers)).collect();
    if dice.chance(90) {
        all.sort_unstable();
        all.dedup_by_key(|it| (it.0, it.1));
    }
    let store = if dice.chance(70) { *dice.one(&STORES) } else { "" };
    let store = if dice.chance(1) { "nowhere" } else { store };
    let pays = dice.chance(15);
    let lines = (0..if pays { dice.between(1, 3) } else { 0 })
        .map(|_| ((*dice.one(&CATEGORIES)).to_owned(), if dice.chance(1) { -1 } else { dice.between(0, 90) }))
        .collect();
    let points = if pays || dice.chance(1) { dice.between(-1, 30) } else { 0 };
    let rights = if few == 0 || dice.chance(10) { vec![asking::right(dice)] } else { Vec::new() };
    let for_ms = *dice.one(&[0, 0, 700, 60_000, 600_000, 600_000, 3_600_000, 3_600_000]);
    let for_ms = if dice.chance(2) { 7_200_001 } else { for_ms };
    Basket { for_ms, store: store.into(), points, lines, offers: all, rights }
}

fn offer(dice: &mut Dice, offers: &[(u32, u32)]) -> (u32, u32, u32) {
    let count = *dice.one(&[1, 1, 1, 1, 1, 2, 3]);
    let count = if dice.chance(1) { *dice.one(&[0, 65_536]) } else { count };
    match dice.below(50) {
        0 => (9, 1, count),
        1 => (1, 9, count),
        _ if offers.is_empty() => (1, 1, count),
        _ => {
            let (campaign, offer) = *dice.one(offers);
            (campaign, offer, count)
        }
    }
}

/// Some of what was held, now and then more.
fn part(dice: &mut Dice, held: &Basket) -> Basket {
    let mut offers = Vec::new();
    for (campaign, offer, count) in &held.offers {
        let some = if dice.chance(4) { count + 1 } else { dice.between(1, i64::from(*count)) as u32 };
        if dice.chance(80) {
            offers.push((*campaign, *offer, some));
        }
    }
    let rights = held.rights.iter().filter(|_| dice.chance(60)).cloned().collect();
    let points = if held.points > 0 { dice.between(0, held.points + 1) } else { 0 };
    Basket { for_ms: 0, store: String::new(), points, lines: Vec::new(), offers, rights }
}
