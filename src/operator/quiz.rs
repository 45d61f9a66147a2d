//! `tidegate quiz`: questions published while the programme runs, closed early, and what they were answered.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use tidegate_client::Client;
use tidegate_protocol::operator::{GetResults, PublishQuestion, QuestionPublished, QuestionResults, ResultsView};
use tidegate_protocol::{Body, List, Prose, Text};

use super::connect::{Connection, Failure, patient, refused};
use super::show::{self, Table};
use super::time::{duration, instant_ms};

/// Publish a quiz's question, close one early, or see what was answered.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate quiz publish daily 2026-11-20 --programme live-quiz --text \"Which shade is today's?\" \\
      --option A --option B --right B --for 60s            # opens now
  tidegate quiz results daily --programme live-quiz
  tidegate quiz close daily 2026-11-20 --programme live-quiz")]
pub struct Quiz {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    Publish(Publish),
    Close(Close),
    Results(Results),
}

/// Publish a question, or change one that nobody has answered yet.
#[derive(Debug, clap::Args)]
struct Publish {
    #[command(flatten)]
    of: Of,
    /// The question's id: of your choosing, once in its quiz.
    question: String,
    /// What is asked, for people.
    #[arg(long, default_value = "")]
    text: String,
    /// An option; say it again for each of 2 to 16.
    #[arg(long = "option", value_name = "ANSWER", required = true)]
    options: Vec<String>,
    /// The right one of them. It stays on the server until the question is closed.
    #[arg(long, value_name = "ANSWER")]
    right: String,
    /// When it opens, such as 2026-11-20T20:00:00+08:00 [default: now].
    #[arg(long, value_name = "INSTANT", value_parser = instant_ms)]
    opens: Option<i64>,
    /// When it closes.
    #[arg(long, value_name = "INSTANT", value_parser = instant_ms, conflicts_with = "open_for", required_unless_present = "open_for")]
    closes: Option<i64>,
    /// How long it is open, such as 60s or 10m.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    open_for: Option<Duration>,
    #[command(flatten)]
    connection: Connection,
}

/// Close a question before its time; what was answered counts.
#[derive(Debug, clap::Args)]
struct Close {
    #[command(flatten)]
    of: Of,
    /// The question's id.
    question: String,
    #[command(flatten)]
    connection: Connection,
}

/// What a quiz's questions were answered, option by option.
#[derive(Debug, clap::Args)]
struct Results {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
struct Of {
    /// The quiz, by slug: its programme declares it as [quiz.SLUG].
    quiz: String,
    /// The programme, by slug.
    #[arg(long, value_name = "SLUG")]
    programme: String,
}

#[derive(Serialize)]
struct Published {
    question: String,
    opens_ms: i64,
    closes_ms: i64,
    #[serde(flatten)]
    published: QuestionPublished,
}

#[derive(Serialize)]
struct Shown {
    quiz: String,
    #[serde(flatten)]
    view: ResultsView,
}

impl Quiz {
    /// Asks and prints.
    pub fn run(self) -> ExitCode {
        match self.task {
            Task::Publish(task) => task.connection.run(async |client| task.ask(client).await, Published::text),
            Task::Close(task) => task.connection.run(async |client| task.ask(client).await, Published::text),
            Task::Results(task) => task.connection.run(
                async |client| {
                    let (quiz, view) = (task.of.quiz.clone(), task.of.results(client).await?);
                    Ok(Shown { quiz, view })
                },
                Shown::text,
            ),
        }
    }
}

fn text(what: &str, text: &str) -> Result<Text, Failure> {
    Text::try_from(text).map_err(|error| Failure::Input(format!("`{text}` cannot be {what}: {error}")))
}

impl Of {
    async fn results(&self, client: &Client) -> Result<ResultsView, Failure> {
        let body = GetResults { programme: text("a slug", &self.programme)?, quiz: text("a slug", &self.quiz)? };
        let answer = client.results(body, patient()).await?;
        let Body::ResultsView(view) = answer.body else { return refused(answer) };
        Ok(view)
    }
}

async fn publish(client: &Client, body: PublishQuestion) -> Result<Published, Failure> {
    let (question, opens_ms, closes_ms) = (body.question.to_string(), body.opens_ms, body.closes_ms);
    let answer = client.publish_question(body, patient()).await?;
    let Body::QuestionPublished(published) = answer.body else { return refused(answer) };
    Ok(Published { question, opens_ms, closes_ms, published })
}

impl Publish {
    async fn ask(&self, client: &Client) -> Result<Published, Failure> {
        let opens_ms = self.opens.unwrap_or_else(|| client.server_ms());
        let length_ms = self.open_for.map_or(0, |length| i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
        let closes_ms = self.closes.unwrap_or_else(|| opens_ms.saturating_add(length_ms));
        if self.options.len() > 16 {
            return Err(Failure::Input(format!("there are {} options; a question has at most 16", self.options.len())));
        }
        let options: Vec<Text> =
            self.options.iter().map(|option| text("an option", option)).collect::<Result<_, _>>()?;
        let asked = Prose::try_from(self.text.clone())
            .map_err(|error| Failure::Input(format!("the question's text is too long: {error}")))?;
        let body = PublishQuestion {
            programme: text("a slug", &self.of.programme)?,
            quiz: text("a slug", &self.of.quiz)?,
            question: text("a question's id", &self.question)?,
            text: asked,
            options: List::cut(options),
            right: text("an option", &self.right)?,
            opens_ms,
            closes_ms,
        };
        publish(client, body).await
    }
}

impl Close {
    async fn ask(&self, client: &Client) -> Result<Published, Failure> {
        let view = self.of.results(client).await?;
        let found = view.questions.as_slice().iter().find(|known| known.question.as_str() == self.question);
        let Some(found) = found else {
            return Err(Failure::Input(format!("quiz `{}` has no question `{}`", self.of.quiz, self.question)));
        };
        let now_ms = client.server_ms();
        if found.closes_ms <= now_ms {
            let closed = show::instant(found.closes_ms);
            return Err(Failure::Input(format!("question `{}` closed at {closed} already", self.question)));
        }
        if found.opens_ms >= now_ms {
            let opens = show::instant(found.opens_ms);
            return Err(Failure::Input(format!(
                "question `{}` opens at {opens}; until then publish it anew with other contents or times",
                self.question
            )));
        }
        let options = found.options.as_slice();
        let right = options.iter().find(|option| option.right == 1).map(|option| option.option).unwrap_or_default();
        let body = PublishQuestion {
            programme: text("a slug", &self.of.programme)?,
            quiz: text("a slug", &self.of.quiz)?,
            question: found.question,
            text: found.text.clone(),
            options: List::cut(options.iter().map(|option| option.option)),
            right,
            opens_ms: found.opens_ms,
            closes_ms: now_ms,
        };
        publish(client, body).await
    }
}

impl Published {
    fn text(&self) -> String {
        let what = if self.published.changed == 1 { "is changed" } else { "is published" };
        let (opens, closes) = (show::instant(self.opens_ms), show::instant(self.closes_ms));
        format!("question {} {what}: open from {opens} until {closes}\n", self.question)
    }
}

impl Shown {
    fn text(&self) -> String {
        let questions = self.view.questions.as_slice();
        if questions.is_empty() {
            return format!("quiz {}: no question is published\n", self.quiz);
        }
        questions.iter().map(one).collect::<Vec<_>>().join("\n")
    }
}

fn one(question: &QuestionResults) -> String {
    let mut table = Table::default();
    if !question.text.as_str().is_empty() {
        table.pair("asked", question.text.as_str());
    }
    table.pair("opens", show::instant(question.opens_ms));
    table.pair("closes", show::instant(question.closes_ms));
    table.pair("first places taken", show::count(question.places_taken));
    let mut options = Table::headed(["option", "right", "times"]);
    for option in question.options.as_slice() {
        let right = if option.right == 1 { "right" } else { "" };
        options.row([option.option.to_string(), right.to_owned(), show::count(option.times)]);
    }
    format!("question {}\n{table}\n{options}", question.question)
}
