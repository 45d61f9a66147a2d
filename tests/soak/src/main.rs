//! The kill cycles of `tests/kill.rs`, for as long as one likes: in rounds, each with its own data directory and seed.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "it shares its cycles with tests, and stops where something does not hold")]

#[path = "../../kill/cycles.rs"]
mod cycles;
#[path = "../../process/mod.rs"]
mod process;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

/// Kill a real server under full load, again and again; add up what it survived.
///
/// Works in rounds: a new data directory, members, load from 192 callers, then kills (SIGKILL) while it answers. At the end
/// of a round every acknowledged change must be there exactly once, all balances must be the sums of what was
/// told, and `tidegate verify` must find every snapshot lead to the same state. Ends with 1 as soon as
/// something does not hold; the seed of the round was told at its begin.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  cargo build --release --workspace
  target/release/soak --cycles 2000 --state kills.json

Stopped and started again it goes on where it was; only whole rounds count.")]
struct Soak {
    /// Go on until so many cycles stand in the state file.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    cycles: u64,
    /// Kills in a round.
    #[arg(long, value_name = "N", default_value_t = 100)]
    round: u64,
    /// The first round's seed, where there is no state file yet; each round takes the next.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where the sums stand, as JSON.
    #[arg(long, value_name = "FILE", default_value = "kills.json")]
    state: PathBuf,
}

/// What all rounds came to.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Sums {
    cycles: u64,
    rounds: u64,
    acknowledged: u64,
    next_seed: u64,
}

fn main() -> ExitCode {
    match Soak::parse().run() {
        Ok(sums) => {
            println!("{}", serde_json::to_string(&sums).unwrap());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Soak {
    fn run(&self) -> Result<Sums, String> {
        let program = process::program();
        if !program.exists() {
            let program = program.display();
            return Err(format!(
                "there is no {program}; build it beside this program: cargo build --release --workspace"
            ));
        }
        let mut sums =
            read(&self.state)?.unwrap_or(Sums { cycles: 0, rounds: 0, acknowledged: 0, next_seed: self.seed });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
        let style = ProgressStyle::with_template("[{bar:40}] {pos} of {len} kills, {eta} left").unwrap();
        let bar = ProgressBar::new(self.cycles).with_style(style).with_position(sums.cycles);
        while sums.cycles < self.cycles {
            eprintln!("round with seed {}", sums.next_seed);
            let round = runtime.block_on(cycles::round(self.round, sums.next_seed, || bar.inc(1)));
            sums.cycles += self.round;
            sums.rounds += 1;
            sums.acknowledged += round.acknowledged;
            sums.next_seed += 1;
            write(&self.state, &sums)?;
        }
        Ok(sums)
    }
}

fn read(path: &Path) -> Result<Option<Sums>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let sums = serde_json::from_str(&text);
            sums.map(Some).map_err(|error| format!("{} is no state of this program: {error}", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Written beside and renamed, so that a stop in between loses nothing.
fn write(path: &Path, sums: &Sums) -> Result<(), String> {
    let fresh = path.with_extension("new");
    let text = serde_json::to_string(sums).unwrap() + "\n";
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, path))
        .map_err(|e| format!("{}: {e}", path.display()))
}
