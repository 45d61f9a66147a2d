//! `tidegate activate DIR`: put a programme bundle in force on a running server.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use tidegate_client::Client;
use tidegate_protocol::operator::{self, Activated};
use tidegate_protocol::{Body, List, Prose, Text};

use super::connect::{Connection, Failure, patient, refused};
use crate::programme::Bundle;

/// Put a programme bundle in force, between two requests; `--dry-run` only checks it on the server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate check programmes/flash-sale            # first here, without a server
  tidegate activate programmes/flash-sale --dry-run
  tidegate activate programmes/flash-sale         # replaces the version in force
  tidegate activate programmes/flash-sale --replaces 3   # only if version 3 is in force")]
pub struct Activate {
    /// The bundle: a directory with a programme.toml.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The version it replaces; 0 for a new programme [default: the one in force now].
    #[arg(long, value_name = "N")]
    replaces: Option<u32>,
    /// Only check and compile it on the server; nothing changes.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Done {
    slug: String,
    replaces: u32,
    dry_run: bool,
    #[serde(flatten)]
    activated: Activated,
}

impl Activate {
    /// Asks and prints.
    pub fn run(self) -> ExitCode {
        self.connection.run(async |client| self.ask(client).await, Done::text)
    }

    async fn ask(&self, client: &Client) -> Result<Done, Failure> {
        let input = |error: &dyn std::fmt::Display| Failure::Input(format!("{}: {error}", self.directory.display()));
        let bundle = Bundle::read(&self.directory).map_err(|error| input(&error))?;
        let slug = bundle.slug().map_err(|report| input(&report))?;
        let replaces = self.replaces.unwrap_or_else(|| version_in_force(client, &slug));
        let answer = put_in_force(client, &bundle, replaces, self.dry_run).await?;
        match answer.body {
            Body::Activated(activated) => Ok(Done { slug, replaces, dry_run: self.dry_run, activated }),
            _ => refused(answer),
        }
    }
}

/// The version of a programme that WELCOME named; 0 if it named none.
pub fn version_in_force(client: &Client, slug: &str) -> u32 {
    let welcome = client.welcome();
    let known = welcome.programmes.as_slice().iter().find(|known| known.slug.as_str() == slug);
    known.map_or(0, |known| known.version)
}

/// Sends a bundle.
pub async fn put_in_force(
    client: &Client,
    bundle: &Bundle,
    replaces: u32,
    dry_run: bool,
) -> Result<tidegate_client::Answer, Failure> {
    let files = bundle.files().iter().map(|file| {
        let too_long = |error| Failure::Input(format!("`{}` is too long a file name: {error}", file.name));
        let contents = Prose::try_from(file.text.clone()).expect("a bundle is at most 1 MiB");
        Ok(operator::BundleFile { name: Text::try_from(file.name.as_str()).map_err(too_long)?, contents })
    });
    let files = List::cut(files.collect::<Result<Vec<_>, Failure>>()?);
    Ok(client.activate(operator::Activate { replaces, dry_run: dry_run.into(), files }, patient()).await?)
}

impl Done {
    fn text(&self) -> String {
        let Activated { programme, version, .. } = self.activated;
        let slug = &self.slug;
        let mut text: String =
            self.activated.warnings.as_slice().iter().map(|warning| format!("{}\n", warning.as_str())).collect();
        text += &match (self.dry_run, self.replaces) {
            (true, _) => format!("{slug}: it compiles, and would be version {version}; nothing changed\n"),
            (false, 0) => format!("{slug}: version {version} is in force, as programme number {programme}\n"),
            (false, before) => format!("{slug}: version {version} is in force in place of version {before}\n"),
        };
        text
    }
}
