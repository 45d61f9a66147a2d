//! The load harness: starts a server (or takes one that runs), loads it over QUIC, measures from the intended start, and
//! compares the server's books with every answer it got.
//!
//! It speaks the wire itself, frame by frame, instead of through the client for gateways: the client's comforts would be
//! a good part of what is measured.

#![forbid(unsafe_code)]

mod bulk;
mod desk;
#[cfg(test)]
mod fake;
mod lane;
mod load;
mod members;
mod options;
mod pace;
mod pacer;
mod report;
mod run;
mod scenario;
mod server;
mod template;
mod walk;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use options::Options;
use tidegate::operator::serve::Serve;
use tokio::task::LocalSet;

/// Load a Tidegate server, measure it, and check its books.
#[derive(Debug, Parser)]
#[command(name = "load-tests", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    hidden: Option<Hidden>,
    #[command(flatten)]
    options: Options,
}

/// What the harness starts itself as.
#[derive(Debug, Subcommand)]
enum Hidden {
    /// The server of a run.
    #[command(hide = true)]
    Serve(Serve),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Hidden::Serve(serve)) = cli.hidden {
        return serve.run();
    }
    if let Err(sentence) = cli.options.check() {
        eprintln!("load-tests: {sentence}");
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("load-tests: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let report = match runtime.block_on(LocalSet::new().run_until(run::run(&cli.options))) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("load-tests: {error}");
            return ExitCode::FAILURE;
        }
    };
    print!("{}", report.text());
    if let Some(file) = &cli.options.json {
        let json = serde_json::to_string_pretty(&report).expect("figures and texts are JSON");
        if let Err(error) = std::fs::write(file, json + "\n") {
            eprintln!("load-tests: writing {}: {error}", file.display());
            return ExitCode::FAILURE;
        }
    }
    if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
