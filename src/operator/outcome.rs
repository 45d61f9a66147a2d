//! `tidegate outcome KEY ID --programme SLUG`: what became of a request.

use std::process::ExitCode;

use serde::Serialize;
use tidegate_client::Client;
use tidegate_protocol::answer::OutcomeView;
use tidegate_protocol::operation::GetOutcome;
use tidegate_protocol::{Body, MemberKey, RequestId, code};

use super::connect::{Connection, Failure, patient, programme, refused};
use super::show::{self, Table};

/// Show what became of a request: whether it was applied, and its first answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tidegate outcome 1234 0190f3c2-7d5e-7c1a-9f0e-5a1b2c3d4e5f --programme monthly-exchange")]
pub struct Outcome {
    /// The member's key: a decimal number, or 32 hexadecimal digits (dashes are passed over).
    key: MemberKey,
    /// The request's id, a UUID.
    id: RequestId,
    /// The programme, by slug.
    #[arg(long, value_name = "SLUG")]
    programme: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Found {
    member: MemberKey,
    id: RequestId,
    verdict: &'static str,
    answer_name: Option<&'static str>,
    answer_body: Option<Body>,
    #[serde(flatten)]
    view: OutcomeView,
}

impl Outcome {
    /// Asks and prints.
    pub fn run(self) -> ExitCode {
        self.connection.run(async |client| self.ask(client).await, Found::text)
    }

    async fn ask(&self, client: &Client) -> Result<Found, Failure> {
        let number = programme(client, &self.programme)?;
        let answer = client.outcome(number, GetOutcome { member: self.key, id: self.id }, patient()).await?;
        let Body::OutcomeView(view) = answer.body else { return refused(answer) };
        let applied = view.state == OutcomeView::APPLIED;
        let verdict = match view.state {
            OutcomeView::APPLIED => "applied",
            OutcomeView::NEVER => "not applied, and never will be",
            OutcomeView::NOT_YET => "not applied so far; it might still come before its deadline",
            OutcomeView::BEYOND_RETENTION => "unknown: the ledger does not reach back that far any more",
            _ => "a state that this command does not know",
        };
        let body = applied.then(|| unhex(view.answer.as_str())).flatten();
        let body = body.and_then(|bytes| Body::decode(view.code, &bytes).ok());
        let answer_name = applied.then(|| code::name(view.code));
        Ok(Found { member: self.key, id: self.id, verdict, answer_name, answer_body: body, view })
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

impl Found {
    fn text(&self) -> String {
        let mut table = Table::default();
        table.pair("minted", show::instant(self.id.time_ms()));
        table.pair("outcome", self.verdict);
        if let Some(name) = self.answer_name {
            table.pair("ledger", self.view.ledger.to_string());
            table.pair("first answer", name);
            let body = self.answer_body.as_ref().and_then(|body| serde_json::to_value(body).ok());
            for (field, value) in body.as_ref().and_then(|body| body.as_object()).into_iter().flatten() {
                table.pair(&format!("  {field}"), value.to_string());
            }
        }
        format!("request {} of member {}\n{table}", self.id, self.member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_read_or_refused() {
        assert_eq!(unhex("00ff7a"), Some(vec![0, 255, 122]));
        assert_eq!((unhex("0"), unhex("zz"), unhex("")), (None, None, Some(vec![])));
    }
}
