//! Seeds, run and run again; and planted bugs, each of which they must find.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate::planted::Bug;
use tidegate_simulation::{Counts, Outcome, Plan, run, shrink};

/// Seeds of one `cargo test`. The first is moved now and then, so that what is tried does not stay the same for ever.
const SEEDS: Range<u64> = 1..2_001;

/// Does something with each seed, on all processors; what came of all of them, or the first that failed.
fn each<T: Send>(seeds: Range<u64>, work: impl Fn(u64) -> Result<T, String> + Sync) -> Result<Vec<T>, String> {
    let next = AtomicU64::new(seeds.start);
    let work = || -> Result<Vec<T>, String> {
        let mut done = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(done);
            }
            done.push(work(seed)?);
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().expect("a run does not panic")?);
        }
        Ok(all)
    })
}

/// Runs seeds; the first that fails, in words that say how to see it again.
fn all(seeds: Range<u64>) -> Result<Counts, String> {
    let counts = each(seeds, |seed| {
        let plan = Plan::of(seed);
        let outcome = run(&plan);
        match outcome.failure {
            Some(why) => Err(format!("seed {seed}: {why}\n{}", shrink(&plan))),
            None => Ok(outcome.counts),
        }
    })?;
    let mut sum = Counts::default();
    counts.iter().for_each(|counts| sum.add(counts));
    Ok(sum)
}

#[test]
fn every_seed_holds_the_invariants() {
    let sum = all(SEEDS).unwrap_or_else(|why| panic!("{why}"));
    println!("{sum:#?}");
    let seeds = SEEDS.end - SEEDS.start;
    // That it has tried what it is for.
    assert!(sum.decided >= 1_000 * seeds && sum.applied > 50 * seeds && sum.meanwhile > 100 * seeds, "{sum:?}");
    assert!(sum.crashes >= seeds && sum.snapshots >= 2 * seeds && sum.restarts >= seeds, "{sum:?}");
    assert!(sum.early > seeds && sum.taken_back > 0 && sum.held_back > 0, "{sum:?}");
    assert!(sum.crashes_in_recovery > 0 && sum.fenced > 0 && sum.refused > 0 && sum.survived > 0, "{sum:?}");
    assert!(sum.backups > seeds / 4 && sum.restores > seeds / 4, "{sum:?}");
    for answer in [
        "enrolled",
        "checked-in",
        "recorded",
        "granted",
        "already-recorded",
        "already-enrolled",
        "already-checked-in",
        "no-such-member",
        "not-yet-open",
        "closed",
        "tier-not-admitted",
        "not-enough-points",
        "limit-reached",
        "sold-out",
        "too-old",
        "paid-in-the-future",
        "key-conflict",
        "id-conflict",
        "stale",
        "expired",
        "id-ahead",
        "id-malformed",
        "deadline-too-long",
        "busy",
        "draining",
        "storage-full",
        "members-full",
        "member",
        "campaign",
        "outcome",
    ] {
        assert!(
            sum.answers.get(answer).is_some_and(|count| *count > 0),
            "nobody was answered `{answer}`: {:?}",
            sum.answers
        );
    }
}

/// Seeds that are run twice, each a shorter way.
const SEEDS_TWICE: Range<u64> = 1..501;

#[test]
fn the_same_seed_gives_the_same_trace() {
    let traces = each(SEEDS_TWICE, |seed| {
        let [first, again]: [Outcome; 2] = std::array::from_fn(|_| run(&Plan { requests: 300, ..Plan::of(seed) }));
        if first == again { Ok(first.trace) } else { Err(format!("seed {seed} is not the same twice")) }
    });
    let seen: BTreeSet<String> = traces.unwrap_or_else(|why| panic!("{why}")).into_iter().collect();
    assert_eq!(seen.len() as u64, SEEDS_TWICE.end - SEEDS_TWICE.start, "every seed is another run");
}

/// The most seeds that a planted bug may survive.
const SEEDS_TO_FIND: u64 = 200;

/// Seeds until a planted bug shows, and how it does.
fn found(bug: Bug) -> (u64, String) {
    for seed in 1..=SEEDS_TO_FIND {
        let plan = Plan { bug: Some(bug), ..Plan::of(seed) };
        // A bug may also break an assertion.
        match std::panic::catch_unwind(|| run(&plan)) {
            Ok(Outcome { failure: Some(why), .. }) => return (seed, why),
            Ok(_) => {}
            Err(panic) => {
                let why = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".into());
                return (seed, why);
            }
        }
    }
    panic!("{bug:?} survives {SEEDS_TO_FIND} seeds");
}

macro_rules! canaries {
    ($($name:ident: $bug:ident, $shows:literal;)*) => {
        $(#[test]
        fn $name() {
            let (seeds, why) = found(Bug::$bug);
            println!("{:?} is found by seed {seeds}: {why}", Bug::$bug);
            assert!(why.contains($shows), "{:?} shows as: {why}", Bug::$bug);
        })*
    };
}

canaries! {
    canary_a_reply_before_its_fsync_is_found: EarlyPublish, "I4";
    canary_a_skipped_fsync_is_found: SkippedFsync, "";
    canary_a_skipped_checksum_is_found: SkippedChecksum, "";
    canary_a_dropped_deduplication_is_found: DroppedDeduplication, "";
    canary_a_cut_off_by_one_is_found: CutOffByOne, "I4";
    canary_an_early_manifest_is_found: EarlyManifest, "";
    canary_a_unit_returned_twice_is_found: UnitReturnedTwice, "";
    canary_an_activation_revealed_early_is_found: EarlyActivation, "I4";
    canary_a_deadline_judged_before_the_remembered_answer_is_found: DeadlineFirst, "";
    canary_a_forgotten_flag_is_found: ForgottenFlag, "told as durable";
    canary_an_interval_that_is_not_kept_is_found: EndlessInterval, "were taken back";
}
