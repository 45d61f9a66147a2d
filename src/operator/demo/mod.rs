//! `tidegate demo`: a sales event on real orders, with a kill in the middle, in about a minute.
//!
//! Everything stands in a temporary directory, the server is a process of its own, and both are gone when the demo ends,
//! however it ends. It succeeds only if everything that was told is there, and exactly the quota was granted.

mod event;
mod flood;
mod orders;
mod programme;
mod proof;
mod replay;
mod screen;
mod server;

use std::path::Path;
use std::process::ExitCode;

use tidegate_client::{Answer, CallError};
use tokio::signal::unix::{SignalKind, signal};

use super::certs::CertsError;
use super::connect::Failure;
use super::show;
use screen::Screen;

/// Watch a sales event on real orders: a flood, a kill in the middle, and nothing lost. Takes about a minute.
///
/// Makes certificates, starts a server as a process of its own on a temporary directory, enrols the members of 30,000 real
/// orders and replays them, opens a monthly exchange window to a flood of requests over QUIC, kills the server with SIGKILL
/// in the middle, starts it again, finishes the event, and compares what was told with what is there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tidegate demo

Exit codes: 0 everything held; 1 something did not, and is named. Ctrl-C ends it and cleans up.")]
pub struct Demo {
    /// Print the result as JSON; progress then goes to standard error.
    #[arg(long)]
    json: bool,
}

/// What can keep the demo from its end.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error(transparent)]
    Certificates(#[from] CertsError),
    #[error("the server is in trouble: {0}")]
    Server(String),
    #[error(transparent)]
    Operator(#[from] Failure),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{asked} was answered `{answered}`: {body}")]
    Answer { asked: &'static str, answered: &'static str, body: String },
    #[error("interrupted; the server is stopped and the temporary directory removed")]
    Interrupted,
}

impl Trouble {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Trouble {
        let path = path.display().to_string();
        move |source| Trouble::File { path, source }
    }

    fn answer(asked: &'static str, answer: &Answer) -> Trouble {
        let body = serde_json::to_string(&answer.body).unwrap_or_default();
        Trouble::Answer { asked, answered: answer.name(), body }
    }
}

impl Demo {
    /// Runs it.
    pub fn run(self) -> ExitCode {
        let screen = Screen::new(self.json);
        match self.perform(&screen) {
            Ok(report) => {
                if self.json {
                    show::say_json(&report);
                } else {
                    show::say(&report.text());
                }
                if report.holds() { ExitCode::SUCCESS } else { ExitCode::from(1) }
            }
            Err(trouble) => {
                screen.clear();
                eprintln!("tidegate demo: {trouble}");
                ExitCode::from(1)
            }
        }
    }

    fn perform(&self, screen: &Screen) -> Result<event::Report, Trouble> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Trouble::file(Path::new("the runtime")))?;
        let directory = tempfile::Builder::new().prefix("tidegate-demo-").tempdir();
        let directory = directory.map_err(Trouble::file(&std::env::temp_dir()))?;
        // The server lives within the event: when that is dropped, half way or not, the server is killed.
        let performed = runtime.block_on(async {
            tokio::select! {
                report = event::perform(directory.path(), screen) => report,
                () = interrupted() => Err(Trouble::Interrupted),
            }
        });
        let path = directory.path().to_owned();
        directory.close().map_err(Trouble::file(&path))?;
        performed
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn interrupted() {
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        }
        // A system without signals ends the process without asking.
        _ => std::future::pending().await,
    }
}
