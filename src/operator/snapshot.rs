//! `tidegate snapshot`: take a snapshot now.

use std::process::ExitCode;

use tidegate_protocol::Body;
use tidegate_protocol::operator::TakeSnapshot;

use super::connect::{Connection, most_patient, refused};
use super::show;

/// Take a snapshot of a running server, and wait until it is published.
///
/// A server under load takes its time for it, about fifteen times as long as at full speed, so that requests hardly notice. The command
/// waits for as long as the server lets a request take, five minutes; a snapshot that takes longer goes on without it, and `tidegate status`
/// shows when it is there.
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
            let answer = client.take_snapshot(TakeSnapshot {}, most_patient(client)).await?;
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
