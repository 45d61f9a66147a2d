//! `tidegate snapshot`: take a snapshot now.

use std::process::ExitCode;

use tidegate_protocol::Body;
use tidegate_protocol::operator::TakeSnapshot;

use super::connect::{Connection, patient, refused};
use super::show;

/// Take a snapshot of a running server, and wait until it is published.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tidegate snapshot --server 127.0.0.1:4433 --certs ./certs")]
pub struct Snapshot {
    #[command(flatten)]
    connection: Connection,
}

impl Snapshot {
    /// Asks and prints.
    pub fn run(self) -> ExitCode {
        let ask = async |client: &tidegate_client::Client| {
            let answer = client.take_snapshot(TakeSnapshot {}, patient()).await?;
            match answer.body {
                Body::SnapshotTaken(taken) => Ok(taken),
                _ => refused(answer),
            }
        };
        self.connection.run(ask, |taken| {
            format!(
                "{}: {} members, {} bytes, in {} ms; recovery reads the log from epoch {}, at least through {}\n",
                taken.file,
                show::count(taken.members),
                show::count(taken.bytes),
                show::count(taken.took_ms),
                taken.first_epoch,
                taken.last_epoch,
            )
        })
    }
}
