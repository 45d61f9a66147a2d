//! The flags.

use std::net::SocketAddr;
use std::path::PathBuf;

use tidegate::server::{Processor, ProcessorError};

use crate::scenario::Name;
use crate::walk::Spread;

/// Load a Tidegate server, measure it, and check its books.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// What to run.
    #[arg(long, value_enum, default_value = "redeem-granted")]
    pub(crate) scenario: Name,
    /// Operations a second, on a schedule (open loop).
    #[arg(long, value_name = "N", default_value_t = 100_000.0)]
    pub(crate) rate: f64,
    /// Several rates, one run each, as a table (only with redeem-granted).
    #[arg(long, value_name = "N,N", value_delimiter = ',', conflicts_with_all = ["rate", "max"])]
    pub(crate) rates: Vec<f64>,
    /// As fast as it goes instead (closed loop).
    #[arg(long, conflicts_with = "rate")]
    pub(crate) max: bool,
    /// Seconds that are measured.
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub(crate) duration: f64,
    /// Seconds before that, left out of all figures but `answers`.
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    pub(crate) warm_up: f64,
    /// Seconds to wait for the last answers.
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub(crate) patience: f64,
    /// Members, all enrolled and given points before the run.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub(crate) members: u32,
    /// Seconds to leave the server alone before each load, as it is before an event: it makes log ready ahead.
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    pub(crate) settle: f64,
    /// How requests fall on members.
    #[arg(long, value_enum, default_value = "uniform")]
    pub(crate) spread: Spread,
    /// Connections, with one stream each.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) connections: u16,
    /// Operations a frame; with 1 there are never two in a frame.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) batch: u16,
    /// The most frames in flight on a connection.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    pub(crate) in_flight: u16,
    /// Pieces of the flash sale's item.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) pieces: u64,
    /// Have the server take a snapshot after a third of the measured time, and tell latencies during it apart.
    #[arg(long)]
    pub(crate) snapshot: bool,
    /// The same seed asks for the same members in the same order.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write the results as JSON to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// A server that is running already; else one is started, as a process of its own.
    #[arg(long, value_name = "ADDR", requires = "certs")]
    pub(crate) server: Option<SocketAddr>,
    /// Its certificates, as `tidegate certs` makes them: ca, gateway, operator.
    #[arg(long, value_name = "DIR")]
    pub(crate) certs: Option<PathBuf>,
    /// Where the started server keeps its data [default: a temporary directory, removed afterwards].
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub(crate) data: Option<PathBuf>,
    /// The program to start as the server, another build's `tidegate` say [default: the server of this very build].
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    pub(crate) program: Option<PathBuf>,
    /// The processor that the started server decides on and the harness keeps off, or `any`: both run where the kernel puts
    /// them [default: the first, where there are others].
    #[arg(long, value_name = "N", conflicts_with = "server", value_parser = placement)]
    pub(crate) processor: Option<Placement>,
    /// More flags for the started server, for example `--server-flag=--snapshot-every=30s`.
    #[arg(long, value_name = "FLAG", conflicts_with = "server", allow_hyphen_values = true)]
    pub(crate) server_flag: Vec<String>,
}

/// Where the started server decides.
#[derive(Debug, Clone)]
pub(crate) enum Placement {
    /// Wherever the kernel puts it.
    Any,
    /// Here, and the harness elsewhere.
    On(Processor),
}

fn placement(text: &str) -> Result<Placement, ProcessorError> {
    if text == "any" { Ok(Placement::Any) } else { text.parse().map(Placement::On) }
}

impl Options {
    /// The processor of a server that is started; `None` for wherever the kernel puts it.
    pub(crate) fn server_processor(&self) -> Option<Processor> {
        match &self.processor {
            None => Processor::first(),
            Some(Placement::Any) => None,
            Some(Placement::On(processor)) => Some(processor.clone()),
        }
    }

    /// The rates to run, one after another; `None` for as fast as it goes.
    pub(crate) fn loads(&self) -> Vec<Option<f64>> {
        match (&self.rates[..], self.max) {
            ([], true) => vec![None],
            ([], false) => vec![Some(self.rate)],
            (rates, _) => rates.iter().copied().map(Some).collect(),
        }
    }

    /// What no parser of a single flag can see.
    pub(crate) fn check(&self) -> Result<(), String> {
        let positive = |rate: &f64| rate.is_finite() && *rate > 0.0;
        if !self.loads().iter().flatten().all(positive) {
            return Err("--rate and --rates take numbers above 0".into());
        }
        let waits = [self.warm_up, self.patience, self.settle];
        let hour = |seconds: &f64| (0.0..=3_600.0).contains(seconds);
        if !(positive(&self.duration) && self.duration <= 86_400.0 && waits.iter().all(hour)) {
            return Err(
                "--duration takes seconds above 0, at most a day; --warm-up, --patience and --settle at most an hour"
                    .into(),
            );
        }
        if self.rates.len() > 1 && self.scenario != Name::RedeemGranted {
            return Err(format!("--rates: {} can be run only once on the same members", self.scenario.as_str()));
        }
        let pairs = matches!(self.scenario, Name::OrderClaims | Name::HoldConfirm);
        if pairs && !self.batch.is_multiple_of(2) {
            let scenario = self.scenario.as_str();
            return Err(format!("{scenario} sends two requests that belong together: --batch takes an even number"));
        }
        if u32::from(self.connections) > self.members {
            return Err("there must be at least one member for each connection".into());
        }
        Ok(())
    }
}
