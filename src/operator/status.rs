//! `tidegate status`: the state of a running server, as named figures and facts.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Serialize;
use tidegate_client::Client;
use tidegate_protocol::Body;
use tidegate_protocol::operator::{GetStatus, StatusView};

use super::connect::{Connection, Failure, patient, refused};
use super::show::{self, Table};

/// Show the state of a running server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate status
  tidegate status --books --json | jq .figures.fdatasyncs")]
pub struct Status {
    /// Walk all members: the hash of the whole state, and whether the books balance. Stops decisions meanwhile, about
    /// 0.2 s for a million members.
    #[arg(long)]
    books: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Figures and facts by name.
#[derive(Debug, Serialize)]
pub struct Named {
    /// Counts, bytes, epochs, times.
    pub figures: BTreeMap<String, i64>,
    /// Hashes, versions, names.
    pub facts: BTreeMap<String, String>,
}

impl From<&StatusView> for Named {
    fn from(view: &StatusView) -> Named {
        let figures = view.figures.as_slice().iter().map(|figure| (figure.name.to_string(), figure.value));
        let facts = view.facts.as_slice().iter().map(|fact| (fact.name.to_string(), fact.value.as_str().to_owned()));
        Named { figures: figures.collect(), facts: facts.collect() }
    }
}

impl Status {
    /// Asks and prints.
    pub fn run(self) -> ExitCode {
        self.connection.run(async |client| named(client, self.books).await, Named::text)
    }
}

/// Asks a server for its status.
pub async fn named(client: &Client, books: bool) -> Result<Named, Failure> {
    let answer = client.status(GetStatus { books: books.into() }, patient()).await?;
    match &answer.body {
        Body::StatusView(view) => Ok(Named::from(view)),
        _ => refused(answer),
    }
}

impl Named {
    /// One table for each first word of the names.
    fn text(&self) -> String {
        let mut groups: BTreeMap<&str, Table> = BTreeMap::new();
        let facts = self.facts.iter().map(|(name, value)| (name, value.clone()));
        let figures = self.figures.iter().map(|(name, value)| (name, figure(name, *value)));
        for (name, value) in facts.chain(figures) {
            let group = name.split(['_', '.', '/', ' ', '-']).next().unwrap_or_default();
            groups.entry(group).or_default().pair(name, value);
        }
        let groups: Vec<String> = groups.values().map(Table::to_string).collect();
        groups.join("\n")
    }
}

/// A figure as its name says: an instant, or a count.
fn figure(name: &str, value: i64) -> String {
    if name.ends_with("_at_ms") && value > 0 { show::instant(value) } else { show::count(value) }
}
