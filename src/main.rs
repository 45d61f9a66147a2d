//! The one binary: `tidegate --help` says what it can do.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tidegate::operator::{
    activate::Activate, backup::Backup, campaign::Campaign, certs::Certs, check::Check, demo::Demo, explain::Explain,
    inspect::Inspect, member::Member, outcome::Outcome, quiz::Quiz, restore::Restore, serve::Serve, snapshot::Snapshot,
    statement::Statement, status::Status, verify::Verify,
};

/// A points and campaign engine: atomic, exact, durable.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "A first run, by hand:
  tidegate certs certs
  tidegate check programmes/monthly-exchange
  tidegate serve --data data --certs certs --programme programmes/monthly-exchange
  tidegate campaign monthly-gift --programme monthly-exchange      # in another terminal

Exit codes: 0 it went well; 1 it was refused, or a problem was found; 2 wrong usage."
)]
struct Tidegate {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(Demo),
    Certs(Certs),
    Check(Check),
    Serve(Serve),
    Status(Status),
    Campaign(Campaign),
    Member(Member),
    Statement(Statement),
    Explain(Explain),
    Outcome(Outcome),
    Quiz(Quiz),
    Snapshot(Snapshot),
    Activate(Activate),
    Backup(Backup),
    Restore(Restore),
    Verify(Verify),
    Inspect(Inspect),
}

fn main() -> ExitCode {
    match Tidegate::parse().command {
        Command::Demo(command) => command.run(),
        Command::Certs(command) => match command.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("tidegate certs: {error}");
                ExitCode::FAILURE
            }
        },
        Command::Check(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Campaign(command) => command.run(),
        Command::Member(command) => command.run(),
        Command::Statement(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Outcome(command) => command.run(),
        Command::Quiz(command) => command.run(),
        Command::Snapshot(command) => command.run(),
        Command::Activate(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Inspect(command) => command.run(),
    }
}
