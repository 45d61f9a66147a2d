//! Random rules of claims, as the model reads them and as the TOML that the engine compiles; and random claims, reports and receipts.

use std::fmt::Write as _;

use crate::asking;
use crate::dice::Dice;
use crate::earning::Caps;
use crate::ladder::Each;
use crate::model::{Ask, Asked, NOBODY};
use crate::rules::CHANNELS;
use crate::terms::Terms;

/// What is made of members who claim orders.
#[derive(Debug, Clone)]
pub struct Claims {
    /// Through which channels.
    pub channels: Vec<&'static str>,
    /// How long after its payment.
    pub within_ms: i64,
    /// How long a claim waits.
    pub wait_ms: i64,
    /// Whether a proof is asked for.
    pub proof: bool,
    /// So many guesses …
    pub times: u32,
    /// … in each of this.
    pub each: Each,
    /// Caps.
    pub caps: Caps,
    /// Terms of the points.
    pub terms: Terms,
}

/// Numbers of orders that are claimed, so that claims meet orders.
pub const NUMBERS: u64 = 40;

impl Claims {
    /// Some, or none.
    pub fn random(dice: &mut Dice, tiers: usize, campaign: &str) -> Option<Claims> {
        let channels: Vec<&'static str> = CHANNELS.into_iter().filter(|_| dice.chance(70)).collect();
        (!channels.is_empty() && dice.chance(80)).then(|| Claims {
            channels,
            within_ms: *dice.one(&[60_500, 7_200_000, 86_400_000]),
            wait_ms: *dice.one(&[60_500, 7_200_000, 86_400_000]),
            proof: dice.chance(70),
            times: dice.between(1, 6) as u32,
            each: *dice.one(&[Each::Day, Each::Day, Each::Week, Each::Month, Each::Life]),
            caps: Caps::random(dice),
            terms: Terms::random(dice, tiers, campaign),
        })
    }

    /// Its section of the file.
    pub fn to_toml(&self, tiers: &[(&'static str, i64)]) -> String {
        let Claims { channels, within_ms, wait_ms, proof, times, each, caps, terms } = self;
        let proof = if *proof { "required" } else { "none" };
        let each = match each {
            Each::Day => "day",
            Each::Week => "week",
            Each::Month => "month",
            _ => "life",
        };
        let mut out = String::new();
        let _ = writeln!(
            out,
            "[claim]\nchannels = [\"{}\"]\nwithin = \"{within_ms}ms\"\nwait = \"{wait_ms}ms\"\nproof = \"{proof}\"\n\
             guesses = {{ times = {times}, each = \"{each}\" }}",
            channels.join("\", \"")
        );
        out + &terms.to_toml(tiers) + &caps.to_toml(Some("paid"))
    }
}

/// A claim, a report, a receipt, an order that was claimed, or a look at a claim; most often of what was asked of before, and of the same
/// member.
pub fn ask(dice: &mut Dice, now_ms: i64, member: u64, before: &[Asked]) -> (u64, Ask) {
    let known: Vec<(u64, &String, &String)> = before.iter().filter_map(order_of).collect();
    let (member, channel, number) = if !known.is_empty() && dice.chance(60) {
        let (of, channel, number) = *dice.one(&known);
        let same = of != NOBODY && dice.chance(80);
        (if same { of } else { member }, channel.clone(), number.clone())
    } else {
        let channel = if dice.chance(3) { "nowhere" } else { *dice.one(&CHANNELS) };
        let number = if dice.chance(2) { String::new() } else { format!("{}", dice.below(NUMBERS)) };
        (member, channel.to_owned(), number)
    };
    let mut order = asking::order(dice, now_ms, NUMBERS);
    (order.channel, order.number) = (channel.clone(), number.clone());
    let ask = match dice.below(12) {
        0..4 => Ask::Claim { channel, number, proof: proof(dice) },
        4..7 => {
            (order.lines, order.freight_minor) = (None, 0);
            return (NOBODY, Ask::Report(order, proof(dice)));
        }
        7..9 => {
            let back_ms = *dice.one(&[0, 0, 3_600_000, 90_000_000, -700_000]);
            Ask::Receive { channel, number, happened_ms: now_ms - back_ms }
        }
        9 => Ask::GetClaim { channel, number },
        _ => Ask::Order(order),
    };
    (member, ask)
}

/// The order that a request is about, and whose it would be.
fn order_of(asked: &Asked) -> Option<(u64, &String, &String)> {
    match &asked.ask {
        Ask::Claim { channel, number, .. } => Some((asked.member, channel, number)),
        Ask::Order(order) | Ask::Report(order, _) => Some((asked.member, &order.channel, &order.number)),
        _ => None,
    }
}

fn proof(dice: &mut Dice) -> u8 {
    *dice.one(&[1, 1, 1, 1, 2, 0])
}
