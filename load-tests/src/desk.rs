//! The operator's side of a run: the programme put in force, the campaign's numbers and books.

use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tidegate_client::{Answer, CallError, CallOptions, Client, ClientOptions, Loss, client_config};
use tidegate_protocol::answer::CampaignView;
use tidegate_protocol::operation::GetCampaign;
use tidegate_protocol::operator::{
    Activate, BundleFile, GetResults, GetStatus, PublishQuestion, SnapshotTaken, TakeSnapshot,
};
use tidegate_protocol::{Body, List, Prose, Text};

use tidegate::operator::connect::most_patient;

use crate::load::Numbers;
use crate::scenario::{CAMPAIGN, QUESTION, QUIZ, Scenario};
use crate::server::Server;

/// What an operator could not do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    #[error("as operator: {0}")]
    Connect(#[from] Loss),
    #[error("certificates: {0}")]
    Tls(#[from] tidegate_client::tls::TlsError),
    #[error("{what}: {source}")]
    Call { what: &'static str, source: CallError },
    #[error("{what} was answered `{name}`: {body}")]
    Refused { what: &'static str, name: &'static str, body: String },
    #[error("the campaign lacks the offer {0}")]
    NoOffer(String),
}

/// Before a late window opens, this much time passes after the load began.
const OPENS_AFTER: Duration = Duration::from_secs(2);

/// The operator's connection, and the numbers it found.
pub(crate) struct Desk {
    client: Client,
    scenario: Rc<Scenario>,
    pub(crate) numbers: Numbers,
}

fn refused(what: &'static str, answer: &Answer) -> DeskError {
    DeskError::Refused { what, name: answer.name(), body: format!("{:?}", answer.body) }
}

impl Desk {
    /// Puts the scenario's programme in force where it is not, and finds its numbers.
    pub(crate) async fn open(server: &Server, scenario: Rc<Scenario>) -> Result<Desk, DeskError> {
        let tls = client_config(&server.certs, "operator")?;
        let options = ClientOptions {
            name: Text::try_from("load-tests").expect("short"),
            ..ClientOptions::new(vec![server.address], "localhost", tls)
        };
        let client = Client::connect(options).await?;
        let numbers = Numbers { programme: 0, campaign: 0, offers: Vec::new() };
        let mut desk = Desk { client, scenario, numbers };
        desk.numbers.programme = match desk.client.programme(&desk.scenario.slug) {
            Some(number) => number,
            None => desk.activate(desk.scenario.bundle(None), 0).await?,
        };
        let view = desk.campaign().await?;
        desk.numbers.campaign = view.number;
        for offer in 0..desk.scenario.offers() {
            let sku = desk.scenario.sku(offer);
            let found = view.offers.as_slice().iter().find(|view| view.sku.as_str() == sku);
            desk.numbers.offers.push(found.ok_or(DeskError::NoOffer(sku))?.number);
        }
        Ok(desk)
    }

    async fn activate(&self, bundle: String, replaces: u32) -> Result<u32, DeskError> {
        let name = Text::try_from("programme.toml").expect("short");
        let file = BundleFile { name, contents: bundle.try_into().expect("a bundle of ours is short") };
        let body = Activate { replaces, dry_run: 0, files: List::cut([file]) };
        let what = "activating the programme";
        let answer = self.client.activate(body, CallOptions::default()).await;
        let answer = answer.map_err(|source| DeskError::Call { what, source })?;
        match answer.body {
            Body::Activated(activated) => Ok(activated.programme),
            _ => Err(refused(what, &answer)),
        }
    }

    /// The campaign's books.
    pub(crate) async fn campaign(&self) -> Result<CampaignView, DeskError> {
        let slug = Text::try_from(CAMPAIGN).expect("short");
        let (what, body) = ("looking at the campaign", GetCampaign { campaign: 0, slug });
        let answer = self.client.get_campaign(self.numbers.programme, body, CallOptions::default()).await;
        let answer = answer.map_err(|source| DeskError::Call { what, source })?;
        match answer.body {
            Body::CampaignView(view) => Ok(view),
            _ => Err(refused(what, &answer)),
        }
    }

    /// Has the server take a snapshot; gives it once it is published.
    pub(crate) async fn snapshot(&self) -> Result<SnapshotTaken, DeskError> {
        let what = "taking a snapshot";
        let answer = self.client.take_snapshot(TakeSnapshot {}, most_patient(&self.client)).await;
        let answer = answer.map_err(|source| DeskError::Call { what, source })?;
        match answer.body {
            Body::SnapshotTaken(taken) => Ok(taken),
            _ => Err(refused(what, &answer)),
        }
    }

    /// Seconds that the log has waited for the disk in long waits, since the server started.
    pub(crate) async fn stalled_s(&self) -> Result<f64, DeskError> {
        let what = "looking at the status";
        let answer = self.client.status(GetStatus { books: 0 }, CallOptions::default()).await;
        let answer = answer.map_err(|source| DeskError::Call { what, source })?;
        let Body::StatusView(view) = &answer.body else { return Err(refused(what, &answer)) };
        let figure = view.figures.as_slice().iter().find(|figure| figure.name.as_str() == "log_stalled_us");
        figure.map(|figure| figure.value as f64 / 1e6).ok_or_else(|| refused(what, &answer))
    }

    /// Publishes the quiz's question: open from now on.
    pub(crate) async fn publish_question(&self) -> Result<(), DeskError> {
        let (text, now_ms) = (|text: &str| Text::try_from(text).expect("short"), self.client.server_ms());
        let body = PublishQuestion {
            programme: text(&self.scenario.slug),
            quiz: text(QUIZ),
            question: text(QUESTION),
            text: Prose::cut("A or B?"),
            options: List::cut([text("A"), text("B")]),
            right: text("B"),
            opens_ms: now_ms - 1_000,
            closes_ms: now_ms + 86_400_000,
        };
        let what = "publishing the question";
        let answer = self.client.publish_question(body, CallOptions::default()).await;
        let answer = answer.map_err(|source| DeskError::Call { what, source })?;
        if matches!(answer.body, Body::QuestionPublished(_)) { Ok(()) } else { Err(refused(what, &answer)) }
    }

    /// The first places of the question that are taken, and how often it was answered.
    pub(crate) async fn question_results(&self) -> Result<(u64, u64), DeskError> {
        let text = |text: &str| Text::try_from(text).expect("short");
        let (what, body) =
            ("looking at the results", GetResults { programme: text(&self.scenario.slug), quiz: text(QUIZ) });
        let answer = self.client.results(body, CallOptions::default()).await;
        let answer = answer.map_err(|source| DeskError::Call { what, source })?;
        let Body::ResultsView(view) = &answer.body else { return Err(refused(what, &answer)) };
        let question = view.questions.as_slice().first().ok_or_else(|| refused(what, &answer))?;
        let answers = question.options.as_slice().iter().map(|option| u64::from(option.times)).sum();
        Ok((question.places_taken.into(), answers))
    }

    /// Lets the window open soon, at a whole second.
    pub(crate) async fn open_window(&self) -> Result<(), DeskError> {
        let soon = self.client.server_ms() / 1_000 + 1 + OPENS_AFTER.as_secs() as i64;
        let opens = Timestamp::from_second(soon).expect("the server's time is one");
        let version = self.campaign().await?.version;
        self.activate(self.scenario.bundle(Some(opens)), version).await.map(|_| ())
    }
}
