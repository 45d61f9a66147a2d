//! Claims of orders by their numbers: through which channels, for how long, upon which proof, and how many guesses a member has.

use super::calendar::Period;
use super::caps::{self, Giving};
use super::compile::{choice, duration};
use super::reader::Value;
use super::terms::Lives;
use super::{Channel, OrderRules, source};

const DAY_MS: i64 = 86_400_000;
const GUESSES_MOST: i64 = 1_000;

/// What a programme makes of members who say that an order is their own.
#[derive(Debug, Clone)]
pub struct ClaimRules {
    /// Numbers of the channels whose orders can be claimed, by their names' order in the file.
    pub(super) channels: Vec<u16>,
    /// How long after it was paid an order can be claimed.
    pub within_ms: i64,
    /// How long a claim waits for an order that is not known yet.
    pub wait_ms: i64,
    /// Whether the claim's proof must be the order's.
    pub proof: bool,
    /// How many claims that are not granted at once a member has in each of which period.
    pub guesses: u32,
    /// The period.
    pub each: Period,
    /// How the points are given: as many as orders give, multiplied by what multiplies claims.
    pub giving: Giving,
}

impl ClaimRules {
    /// Whether orders of the channel of this number can be claimed.
    pub fn admits(&self, channel: u16) -> bool {
        self.channels.contains(&channel)
    }
}

/// What the section refers to.
pub(super) struct Scope<'s> {
    pub(super) channels: &'s [Channel],
    pub(super) orders: OrderRules,
    /// Whether orders give points.
    pub(super) has_orders: bool,
    /// Whether orders are capped.
    pub(super) earning_caps: bool,
    pub(super) lives: &'s Lives<'s>,
}

/// The section `[claim]`.
pub(super) fn read(value: &Value, scope: &Scope) -> Option<ClaimRules> {
    let known = ["channels", "within", "wait", "proof", "guesses", "cap", "clock", "expires", "pending"];
    let fields = value.table(&known)?;
    if !scope.has_orders {
        value.error("orders give nothing, so that there is nothing to claim", "add [earning]");
    }
    let example = "channels = [\"douyin\"]: through which orders can be claimed";
    let channels = fields.need("channels", example).and_then(|value| channels(&value, scope.channels));
    let days = |key, example| {
        let bounds = (60_000, 366 * DAY_MS, "1m to 366d");
        fields.need(key, example).and_then(|value| duration(&value, bounds))
    };
    let within_ms = days("within", "within = \"30d\": how long after it was paid an order can be claimed");
    let wait_ms = days("wait", "wait = \"7d\": how long a claim waits for an order that is not known yet");
    if let Some(long) = fields.get("within").filter(|_| within_ms.is_some_and(|ms| ms > scope.orders.remember_ms)) {
        let days = scope.orders.remember_ms as f64 / DAY_MS as f64;
        long.error(
            "orders are forgotten before they could be claimed for the last time",
            format!("write at most \"{days}d\", or let [orders] remember them for longer"),
        );
    }
    let proof = fields.need("proof", "proof = \"required\", or proof = \"none\": who types a number first has it");
    let proof = proof.and_then(|value| choice(&value, &[("required", true), ("none", false)]));
    let guesses = fields.need("guesses", "guesses = { times = 5, each = \"day\" }").and_then(|value| guesses(&value));
    let giving = caps::giving(&fields, source::CLAIM, scope.lives.terms(&fields), Some("paid"));
    if scope.earning_caps && giving.as_ref().is_some_and(|giving| giving.caps.is_empty()) {
        value.warn(
            "what a cap of [earning] holds back of an order can be claimed",
            "add a cap of its own to [claim], or leave that of [earning] out",
        );
    }
    let (guesses, each) = guesses?;
    Some(ClaimRules {
        channels: channels?,
        within_ms: within_ms?,
        wait_ms: wait_ms?,
        proof: proof?,
        guesses,
        each,
        giving: giving?,
    })
}

fn channels(value: &Value, declared: &[Channel]) -> Option<Vec<u16>> {
    let names = value.names()?;
    if names.is_empty() {
        value.error("`channels` is empty", "name at least one, or leave [claim] out");
        return None;
    }
    let mut numbers = Vec::new();
    for name in names {
        let Some(channel) = declared.iter().find(|channel| channel.slug == name) else {
            value.error(format!("the channel \"{name}\" is not declared"), "add it to the programme's `channels`");
            return None;
        };
        numbers.push(channel.number);
    }
    Some(numbers)
}

/// `{ times = 5, each = "day" }`.
fn guesses(value: &Value) -> Option<(u32, Period)> {
    let fields = value.table(&["times", "each"])?;
    let times = fields.need("times", "times = 5").and_then(|value| value.integer(1..=GUESSES_MOST));
    let periods = [("day", Period::Day), ("week", Period::Week), ("month", Period::Month), ("life", Period::Life)];
    let each = fields.need("each", "each = \"day\"").and_then(|value| choice(&value, &periods));
    Some((times? as u32, each?))
}
