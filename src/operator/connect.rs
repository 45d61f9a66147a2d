//! What all online commands share: how they reach a server, and how they tell what went wrong.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use tidegate_client::tls::TlsError;
use tidegate_client::{Answer, CallError, CallOptions, Client, ClientOptions, Loss, client_config};
use tidegate_protocol::{Body, Text, code};

use super::show;

/// Where the server is, and as whom to speak to it.
#[derive(Debug, Clone, clap::Args)]
pub struct Connection {
    /// The server, as HOST:PORT; HOST must be a name or address in its certificate.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4433")]
    pub server: String,
    /// The directory of certificates, as made by `tidegate certs DIR`.
    #[arg(long, value_name = "DIR", default_value = "./certs")]
    pub certs: PathBuf,
    /// The certificate to show: NAME.pem and NAME.key in that directory.
    #[arg(long = "as", value_name = "NAME", default_value = "operator")]
    pub identity: String,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Why an online command has no answer to show.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server's address cannot be resolved.
    #[error("`{address}` is no address of a server: {why}; write HOST:PORT, such as 127.0.0.1:4433")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The certificates cannot be used.
    #[error(transparent)]
    Certificates(#[from] TlsError),
    /// No server welcomed us.
    #[error("no connection to {address} as `{identity}`: {loss}")]
    NoConnection {
        /// The server.
        address: String,
        /// The certificate shown.
        identity: String,
        /// What was heard last.
        loss: Loss,
    },
    /// The certificate covers no such programme, or the server has none.
    #[error("there is no programme `{slug}` for this certificate; there are: {known}")]
    Programme {
        /// What was asked for.
        slug: String,
        /// What WELCOME named.
        known: String,
    },
    /// The call ended without an answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The server refused.
    #[error("{}", refusal(.0))]
    Refused(Box<Answer>),
    /// A file or an argument cannot be sent.
    #[error("{0}")]
    Input(String),
    /// The system gave no runtime.
    #[error("the system refuses to start a runtime: {0}")]
    Runtime(#[from] std::io::Error),
}

fn refusal(answer: &Answer) -> String {
    let meaning = code::row(answer.code).map_or("A code that this command does not know.", |row| row.meaning);
    let name = answer.name();
    match &answer.body {
        Body::Because(because) => format!("{name}: {meaning} {}", because.sentence.as_str()),
        Body::Plain(_) | Body::Unknown(_) => format!("{name}: {meaning}"),
        body => format!("{name}: {meaning} {}", serde_json::to_string(body).unwrap_or_default()),
    }
}

#[derive(Serialize)]
struct FailureShown<'a> {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a Body>,
}

/// Tells a failure, as JSON on standard output or as a sentence on standard error, and gives exit code 1.
pub fn tell(json: bool, failure: &Failure) -> ExitCode {
    if json {
        let refused = match failure {
            Failure::Refused(answer) => Some(answer),
            _ => None,
        };
        let answer = refused.map(|answer| answer.name());
        let body = refused.map(|answer| &answer.body);
        show::say_json(&FailureShown { error: failure.to_string(), answer, body });
    } else {
        eprintln!("error: {failure}");
    }
    ExitCode::from(1)
}

impl Connection {
    /// Connects, asks, and shows: `ask` gives what is to be printed, by `text` or as JSON.
    pub fn run<T: Serialize>(
        &self,
        ask: impl AsyncFnOnce(&Client) -> Result<T, Failure>,
        text: impl FnOnce(&T) -> String,
    ) -> ExitCode {
        match self.ask(ask) {
            Ok(found) if self.json => show::say_json(&found),
            Ok(found) => show::say(&text(&found)),
            Err(failure) => return tell(self.json, &failure),
        }
        ExitCode::SUCCESS
    }

    /// Connects and asks.
    pub(super) fn ask<T>(&self, ask: impl AsyncFnOnce(&Client) -> Result<T, Failure>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let client = self.connect().await?;
            ask(&client).await
        })
    }

    /// Connects as the flags say.
    pub async fn connect(&self) -> Result<Client, Failure> {
        let mut options =
            ClientOptions::new(self.addresses()?, self.host(), client_config(&self.certs, &self.identity)?);
        options.streams = 1;
        options.name = Text::try_from("tidegate command").expect("it is shorter than 64 bytes");
        options.connect_within = std::time::Duration::from_secs(5);
        Client::connect(options).await.map_err(|loss| Failure::NoConnection {
            address: self.server.clone(),
            identity: self.identity.clone(),
            loss,
        })
    }

    fn addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        let failure = |why: String| Failure::Address { address: self.server.clone(), why };
        let found: Vec<SocketAddr> =
            self.server.to_socket_addrs().map_err(|error| failure(error.to_string()))?.collect();
        if found.is_empty() { Err(failure("it has no address".into())) } else { Ok(found) }
    }

    /// The name that the server's certificate must carry.
    fn host(&self) -> &str {
        let host = self.server.rsplit_once(':').map_or(self.server.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// The number of a programme this client may use.
pub fn programme(client: &Client, slug: &str) -> Result<u32, Failure> {
    client.programme(slug).ok_or_else(|| {
        let welcome = client.welcome();
        let known: Vec<String> = welcome.programmes.as_slice().iter().map(|known| known.slug.to_string()).collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        Failure::Programme { slug: slug.into(), known }
    })
}

/// How commands call: an operator can wait.
pub fn patient() -> CallOptions {
    CallOptions { deadline: std::time::Duration::from_secs(60), id: None }
}

/// How they call for what takes a whole file: as long as the server allows.
pub fn most_patient(client: &Client) -> CallOptions {
    let deadline = std::time::Duration::from_millis(client.welcome().deadline_ms_most.into());
    CallOptions { deadline, id: None }
}

/// An answer whose body is none of those hoped for.
pub fn refused<T>(answer: Answer) -> Result<T, Failure> {
    Err(Failure::Refused(Box::new(answer)))
}
