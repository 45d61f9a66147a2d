//! `simulate`: runs seeds, says what did not hold and how to see it again, and sums up what has run.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tidegate_simulation::{Fault, Plan, run, shrink};

/// Run the server and its gateways over a simulated disk, network and clock, seed by seed, against the model of the rules.
///
/// Every seed decides at least 1,000 requests and crashes at least once; it is held to the invariants I1 to I9. The same
/// seed gives the same run on every machine.
///
/// Examples:
///   simulate --seeds 2000                     two thousand seeds from 1 on
///   simulate --seeds 20000 --state soak.json  the next twenty thousand behind those that the file counts
///   simulate --seed 17 --trace                one seed, line by line
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
struct Arguments {
    /// Run this seed only.
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "state"])]
    seed: Option<u64>,
    /// Print everything that happens in it.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Requests that a seed decides, at least.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    requests: u64,
    /// Leave these faults out.
    #[arg(long, value_name = "FAULT", value_delimiter = ',')]
    without: Vec<Fault>,
    /// How many seeds to run.
    #[arg(long, value_name = "N", default_value_t = 100)]
    seeds: u64,
    /// The first of them [default: 1, or the next that the state file has not counted].
    #[arg(long, value_name = "N")]
    from: Option<u64>,
    /// Threads.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// A file that sums up all runs with it; a run that is broken off is gone on with by the next.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Say it as JSON.
    #[arg(long)]
    json: bool,
}

/// What has run, over all runs with one state file.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Sum {
    /// The first seed that was not run.
    next_seed: u64,
    seeds: u64,
    requests: u64,
    crashes: u64,
    snapshots: u64,
    epochs: u64,
    damaged: u64,
    /// Seeds that failed.
    failed: Vec<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) => one(&arguments, seed),
        None => many(&arguments),
    }
}

fn plan(arguments: &Arguments, seed: u64) -> Plan {
    let without = arguments.without.clone();
    Plan { requests: arguments.requests, without, aloud: arguments.trace, ..Plan::of(seed) }
}

fn one(arguments: &Arguments, seed: u64) -> ExitCode {
    let plan = plan(arguments, seed);
    let outcome = run(&plan);
    if arguments.json {
        let told = serde_json::json!({ "seed": seed, "trace": outcome.trace, "counts": outcome.counts, "failure": outcome.failure });
        println!("{told:#}");
    } else {
        println!("trace {}, {:#?}", outcome.trace, outcome.counts);
    }
    let Some(why) = outcome.failure else { return ExitCode::SUCCESS };
    eprintln!("seed {seed}: {why}");
    if !arguments.trace {
        eprintln!("{}", shrink(&plan));
    }
    ExitCode::FAILURE
}

fn many(arguments: &Arguments) -> ExitCode {
    let mut sum = match read(arguments) {
        Ok(sum) => sum,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let first = arguments.from.unwrap_or(sum.next_seed.max(1));
    let bar = ProgressBar::new(arguments.seeds).with_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {per_sec}, {eta} left {msg}").expect("a template"),
    );
    let (next, left) = (AtomicU64::new(first), first + arguments.seeds);
    let ran = Mutex::new((&mut sum, Instant::now()));
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= left {
                        return;
                    }
                    let plan = plan(arguments, seed);
                    let outcome = run(&plan);
                    let mut guard = ran.lock().expect("no thread panics here");
                    let (sum, saved) = &mut *guard;
                    sum.add(seed, &outcome.counts);
                    if let Some(why) = outcome.failure {
                        sum.failed.push(seed);
                        bar.suspend(|| eprintln!("seed {seed}: {why}\n{}", shrink(&plan)));
                    }
                    bar.inc(1);
                    // A soak that is broken off loses a few seconds of seeds, run again by the next.
                    if saved.elapsed() > Duration::from_secs(10) {
                        sum.next_seed = seed.saturating_sub(u64::from(arguments.threads)).max(first);
                        write(arguments, sum);
                        *saved = Instant::now();
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    sum.next_seed = left;
    write(arguments, &sum);
    say(arguments, &sum);
    if sum.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Sum {
    fn add(&mut self, _seed: u64, counts: &tidegate_simulation::Counts) {
        self.seeds += 1;
        self.requests += counts.decided;
        self.crashes += counts.crashes + counts.crashes_in_recovery;
        self.snapshots += counts.snapshots;
        self.epochs += counts.epochs;
        self.damaged += counts.refused + counts.survived;
    }
}

fn read(arguments: &Arguments) -> Result<Sum, String> {
    let Some(path) = arguments.state.as_ref().filter(|path| path.exists()) else { return Ok(Sum::default()) };
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text)
        .map_err(|error| format!("{} is not a state file of this program: {error}", path.display()))
}

fn write(arguments: &Arguments, sum: &Sum) {
    let Some(path) = &arguments.state else { return };
    let fresh = path.with_extension("new");
    let text = serde_json::to_string_pretty(sum).expect("counts are JSON");
    let written = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, path));
    if let Err(error) = written {
        eprintln!("the state could not be written to {}: {error}", path.display());
    }
}

fn say(arguments: &Arguments, sum: &Sum) {
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(sum).expect("counts are JSON"));
        return;
    }
    println!(
        "{} seeds: {} requests, {} epochs, {} crashes, {} snapshots, {} damaged directories; {} seeds failed {:?}",
        sum.seeds,
        sum.requests,
        sum.epochs,
        sum.crashes,
        sum.snapshots,
        sum.damaged,
        sum.failed.len(),
        sum.failed
    );
}
