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
  tidegate status --books --json | jq .figures.log_fdatasyncs")]
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

/// Where a figure or fact is shown: under the first word of its name, which may be one or many.
fn group(name: &str) -> &str {
    let word = name.split('_').next().unwrap_or_default();
    word.strip_suffix('s').unwrap_or(word)
}

impl Named {
    /// One table for each group; what stands alone comes first, together.
    fn text(&self) -> String {
        let facts = self.facts.iter().map(|(name, value)| (name, value.clone()));
        let figures = self.figures.iter().map(|(name, value)| (name, figure(name, *value)));
        let mut groups: BTreeMap<&str, Vec<(&String, String)>> = BTreeMap::new();
        for (name, value) in facts.chain(figures) {
            groups.entry(group(name)).or_default().push((name, value));
        }
        let (alone, groups): (Vec<_>, Vec<_>) = groups.into_values().partition(|group| group.len() == 1);
        let tables = [alone.concat()].into_iter().chain(groups).map(|group| {
            let mut table = Table::default();
            group.into_iter().for_each(|(name, value)| table.pair(name, value));
            table.to_string()
        });
        tables.collect::<Vec<_>>().join("\n")
    }
}

/// No span that is reported lasts 30 years, and no instant lies before 2001.
const INSTANTS_FROM_MS: i64 = 1_000_000_000_000;

/// A figure as its name says: an instant, or a count.
fn figure(name: &str, value: i64) -> String {
    if name.ends_with("_ms") && value >= INSTANTS_FROM_MS { show::instant(value) } else { show::count(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_grouped_and_what_stands_alone_comes_first() {
        let figures = [("log_bytes", 4_608), ("log_epochs", 2), ("server_ms", 1_795_140_000_000), ("clock_step_ms", 5)];
        let figures = figures.map(|(name, value)| (name.to_owned(), value)).into();
        let named = Named { figures, facts: [("version".to_owned(), "0.1.0".to_owned())].into() };
        let text = named.text();
        let groups: Vec<&str> = text.split("\n\n").collect();
        assert_eq!(groups.len(), 2, "{text}");
        assert!(groups[0].contains("2026-11-20T02:00:00Z") && groups[0].contains("clock_step_ms  5"), "{text}");
        assert_eq!(groups[1], "  log_bytes   4,608\n  log_epochs  2\n");
    }
}
