//! The one binary: `tidegate --help` says what it can do.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tidegate::operator::{certs::Certs, check::Check, serve::Serve};

/// A points and campaign engine: atomic, exact, durable.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Tidegate {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Certs(Certs),
    Check(Check),
    Serve(Serve),
}

fn main() -> ExitCode {
    match Tidegate::parse().command {
        Command::Certs(command) => match command.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("tidegate certs: {error}");
                ExitCode::FAILURE
            }
        },
        Command::Check(command) => command.run(),
        Command::Serve(command) => command.run(),
    }
}
