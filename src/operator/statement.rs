//! `tidegate statement KEY --programme SLUG`: a member's entries in the ledger, page by page.

use std::process::ExitCode;

use serde::Serialize;
use tidegate_client::Client;
use tidegate_protocol::answer::{Cursor, StatementEntry, StatementPoints};
use tidegate_protocol::operation::GetStatement;
use tidegate_protocol::{Body, MemberKey};

use super::connect::{Connection, Failure, patient, programme, refused};
use super::show::{self, Table};

/// Show a member's statement: what happened, the newest first, and what it did to points.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate statement 1234 --programme monthly-exchange
  tidegate statement 1234 --programme monthly-exchange --entries 500 --json")]
pub struct Statement {
    /// The member's key: a decimal number, or 32 hexadecimal digits (dashes are passed over).
    key: MemberKey,
    /// The programme, by slug.
    #[arg(long, value_name = "SLUG")]
    programme: String,
    /// At most so many entries.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    entries: u32,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Found {
    member: MemberKey,
    programme: String,
    entries: Vec<StatementEntry>,
    /// Whether there are more.
    more: bool,
    /// Whether there were more that the log no longer keeps.
    beyond_retention: bool,
}

/// What happened, by the number of its kind.
const KINDS: [&str; 18] = [
    "enrolled",
    "checked in",
    "order",
    "redeemed",
    "time",
    "activity",
    "activity",
    "used a right",
    "birthday",
    "checked in late",
    "zone",
    "tag",
    "answered",
    "was invited",
    "invited",
    "claimed an order",
    "claim granted",
    "received an order",
];

impl Statement {
    /// Asks and prints.
    pub fn run(self) -> ExitCode {
        self.connection.run(async |client| self.ask(client).await, Found::text)
    }

    async fn ask(&self, client: &Client) -> Result<Found, Failure> {
        let number = programme(client, &self.programme)?;
        let (mut entries, mut from) = (Vec::new(), Cursor::default());
        let most = self.entries as usize;
        loop {
            let answer = client.get_statement(number, GetStatement { member: self.key, from }, patient()).await?;
            let Body::StatementView(view) = answer.body else { return refused(answer) };
            entries.extend(view.entries.as_slice().iter().cloned());
            from = view.next;
            if from == Cursor::default() || entries.len() >= most {
                let more = from != Cursor::default() || entries.len() > most;
                entries.truncate(most);
                let (member, programme) = (self.key, self.programme.clone());
                return Ok(Found { member, programme, entries, more, beyond_retention: view.beyond == 1 });
            }
        }
    }
}

impl Found {
    fn text(&self) -> String {
        let mut table = Table::headed(["when", "what", "about", "points", "after", "in detail"]);
        for entry in &self.entries {
            let what = KINDS.get(usize::from(entry.kind).wrapping_sub(1)).copied().unwrap_or("something newer");
            let change = entry.after - entry.before;
            let change = if change > 0 { format!("+{}", show::count(change)) } else { show::count(change) };
            let detail: Vec<String> = entry.points.as_slice().iter().map(detail).collect();
            table.row([
                show::instant(entry.at_ms),
                what.to_owned(),
                entry.about.to_string(),
                change,
                show::count(entry.after),
                detail.join("; "),
            ]);
        }
        let rest = match (self.more, self.beyond_retention) {
            (true, _) => "there are earlier entries: ask for more with --entries\n",
            (false, true) => "there were earlier entries; the log no longer keeps them\n",
            (false, false) => "that is all there is\n",
        };
        format!("statement of member {} of {}\n{table}{rest}", self.member, self.programme)
    }
}

fn detail(points: &StatementPoints) -> String {
    let StatementPoints { kind, points, opens_ms, expires_ms, source } = *points;
    let count = show::count(points);
    let until = if expires_ms == 0 { "never expire".into() } else { format!("expire {}", show::instant(expires_ms)) };
    match kind {
        1 => format!("{count} from {source}, {until}"),
        2 => format!("{count} from {source}, open {}, {until}", show::instant(opens_ms)),
        3 => format!("{count} opened"),
        4 => format!("{count} expired"),
        22 => format!("{count} wait no longer as they did"),
        _ => format!("{count} spent"),
    }
}
