//! Members who ask for this and that, all at once, through a few gateways.

use std::time::Duration;

use tidegate_client::CallOptions;

use crate::{Ask, Session};

/// A pseudo-random sequence that is the same for ever (splitmix64).
#[derive(Debug, Clone, Copy)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// One who asks for this and that, `count` times, on behalf of any of `members`. Some calls wait only briefly, so that a server
/// that is away leaves them without an answer.
pub async fn wander(session: Session, seed: u64, members: u64, count: usize) {
    let mut dice = Dice(seed);
    for _ in 0..count {
        let member = dice.below(members);
        let ask = match dice.below(16) {
            0..2 => Ask::Enrol,
            2..4 => Ask::CheckIn,
            4..8 => order(dice.below(60) as u8),
            8..12 => Ask::Redeem,
            _ => Ask::Get,
        };
        let deadline = Duration::from_millis(if dice.below(4) == 0 { 60 + dice.below(400) } else { 20_000 });
        session.ask(member, ask, CallOptions { deadline, id: None }).await;
    }
}

/// What an order is worth follows from its number: the same number twice is the same order.
fn order(number: u8) -> Ask {
    Ask::Order { number, points: 1 + i64::from(number) % 30 }
}
