//! From a seed that fails to the least of it that still does: fewer requests, fewer kinds of faults.

use crate::world::{FAULTS, Plan, run};

/// Says how to see a failure again, with what it does not need left out.
pub fn shrink(plan: &Plan) -> String {
    // The same thing must fail: its first words, without the numbers.
    let kind = |plan: &Plan| {
        let why = run(plan).failure?;
        Some(why.chars().filter(|c| !c.is_ascii_digit()).take(40).collect::<String>())
    };
    let failed = kind(plan);
    let mut least = Plan { aloud: false, ..plan.clone() };
    for fault in FAULTS {
        let mut tried = least.clone();
        tried.without.push(fault);
        if !least.without.contains(&fault) && kind(&tried) == failed {
            least = tried;
        }
    }
    while least.requests > 8 {
        let tried = Plan { requests: least.requests / 2, ..least.clone() };
        if kind(&tried) != failed {
            break;
        }
        least = tried;
    }
    let without: Vec<String> = least.without.iter().map(|fault| format!("{fault:?}").to_lowercase()).collect();
    let without = if without.is_empty() { String::new() } else { format!(" --without {}", without.join(",")) };
    let (seed, requests) = (least.seed, least.requests);
    format!(
        "seed={seed} replay: cargo run -p tidegate-simulation -- --seed {seed} --requests {requests}{without} --trace"
    )
}
