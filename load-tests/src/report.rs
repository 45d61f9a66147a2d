//! What a run found: a table for people, JSON for programs, and the machine it ran on.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tidegate_protocol::code;
use tidegate_protocol::operator::SnapshotTaken;

use crate::load::Tally;
use crate::members::Audit;
use crate::scenario::Scenario;

/// Latencies in microseconds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) p9999_us: f64,
    pub(crate) max_us: f64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Latency {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        Latency {
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            p9999_us: at(0.9999),
            max_us: histogram.max() as f64 / 1_000.0,
        }
    }
}

/// What a snapshot within the measured time did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct During {
    /// Members in it.
    pub(crate) members: u64,
    pub(crate) bytes: u64,
    pub(crate) took_ms: u64,
    /// Operations that were under way while it was taken.
    pub(crate) answers: u64,
    /// Their latencies.
    pub(crate) latency: Latency,
    /// The latencies of all others.
    pub(crate) without: Latency,
}

impl During {
    fn new(tally: &Tally, taken: SnapshotTaken) -> During {
        let mut without = tally.response.clone();
        without.subtract(&tally.during_snapshot).expect("a part of it, with the same bounds");
        During {
            members: taken.members,
            bytes: taken.bytes,
            took_ms: taken.took_ms,
            answers: tally.during_snapshot.len(),
            latency: Latency::of(&tally.during_snapshot),
            without: Latency::of(&without),
        }
    }

    fn text(&self) -> String {
        let row = |latency: &Latency| {
            let [p50, p99, p999, worst] =
                [latency.p50_us, latency.p99_us, latency.p999_us, latency.max_us].map(|us| format!("{:>11}", time(us)));
            format!("p50{p50}, p99{p99}, p99.9{p999}, worst{worst}")
        };
        format!(
            "during a snapshot of {} members ({} bytes, {} ms): {}\nwithout it: {}\n",
            self.members,
            self.bytes,
            self.took_ms,
            row(&self.latency),
            row(&self.without)
        )
    }
}

/// One measured load.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    /// The rate asked for; nothing means as fast as it goes.
    pub(crate) rate: Option<f64>,
    pub(crate) offered_per_s: f64,
    pub(crate) ops_per_s: f64,
    pub(crate) granted_per_s: f64,
    /// From the intended start.
    #[serde(flatten)]
    pub(crate) latency: Latency,
    /// From the write.
    pub(crate) service: Latency,
    /// Operations unanswered, answered as the scenario never would be, or wrongly.
    pub(crate) errors: u64,
    /// All answers by code, warm-up included.
    pub(crate) answers: BTreeMap<&'static str, u64>,
    pub(crate) unanswered: u64,
    pub(crate) wrong_bodies: u64,
    pub(crate) frames_not_durable: u64,
    pub(crate) lost: Option<String>,
    /// With `--snapshot`.
    pub(crate) during_snapshot: Option<During>,
    #[serde(flatten)]
    pub(crate) given: Given,
}

/// What the machine gave within the measured time: processor time in cores, and the disk.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Given {
    #[serde(rename = "harness_cores")]
    pub(crate) harness: f64,
    /// The same of our own server.
    #[serde(rename = "server_cores")]
    pub(crate) server: Option<f64>,
    /// What the host of a virtual machine gave to others while it was wanted here, as far as it says so. Whatever waits for a
    /// processor that is away shows in the tail of the latencies, whatever the server does.
    #[serde(rename = "stolen_cores")]
    pub(crate) stolen: Option<f64>,
    /// The part of the time in which the harness's processor went at less than half its speed.
    #[serde(rename = "processor_slowed")]
    pub(crate) slowed: Option<f64>,
    /// The part of the time in which the log waited for the disk, counting waits of 3 ms and longer; as the server says. Every
    /// answer waits as long.
    #[serde(rename = "disk_stalled")]
    pub(crate) stalled: Option<f64>,
}

impl Run {
    pub(crate) fn new(
        scenario: &Scenario,
        rate: Option<f64>,
        tally: &Tally,
        measured: Duration,
        given: Given,
        taken: Option<SnapshotTaken>,
    ) -> Run {
        let seconds = measured.as_secs_f64();
        let codes = || (0..).zip(&tally.codes).filter(|(_, count)| **count > 0);
        let unexpected: u64 = codes().filter(|(code, _)| !scenario.expects(*code)).map(|(_, count)| count).sum();
        Run {
            rate,
            offered_per_s: tally.offered as f64 / seconds,
            ops_per_s: tally.answered as f64 / seconds,
            granted_per_s: tally.granted as f64 / seconds,
            latency: Latency::of(&tally.response),
            service: Latency::of(&tally.service),
            errors: unexpected + tally.unanswered + tally.wrong + u64::from(tally.lost.is_some()),
            answers: codes().map(|(code, count)| (code::name(code), *count)).collect(),
            unanswered: tally.unanswered,
            wrong_bodies: tally.wrong,
            frames_not_durable: tally.not_durable,
            lost: tally.lost.clone(),
            during_snapshot: taken.map(|taken| During::new(tally, taken)),
            given,
        }
    }

    /// What went wrong, if anything did.
    pub(crate) fn finding(&self) -> Option<String> {
        let rate = self.rate.map_or("max".into(), |rate| rate.to_string());
        let lost = self.lost.as_ref().map_or(String::new(), |lost| format!("; {lost}"));
        (self.errors > 0).then(|| {
            let (errors, unanswered, wrong) = (self.errors, self.unanswered, self.wrong_bodies);
            format!(
                "{errors} errors at rate {rate}: {unanswered} unanswered, {wrong} wrong bodies, {:?}{lost}",
                self.answers
            )
        })
    }
}

/// The books against the answers.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Books {
    /// Grants the answers told of.
    pub(crate) told: u64,
    /// Grants in the campaign's books.
    pub(crate) granted: u64,
    /// min(quota, eligible demand).
    pub(crate) expected: u64,
    /// The members one by one.
    pub(crate) audit: Audit,
    /// What is wrong, in words; empty if all is right.
    pub(crate) findings: Vec<String>,
}

impl Books {
    /// When the server could not be asked any more.
    pub(crate) fn incomparable(error: &dyn std::error::Error, runs: &[Run]) -> Books {
        let mut findings: Vec<String> = runs.iter().filter_map(Run::finding).collect();
        findings.push(format!("the books could not be compared: {error}"));
        Books { findings, ..Books::default() }
    }
}

/// The whole report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    pub(crate) members: u32,
    pub(crate) connections: u16,
    pub(crate) batch: u16,
    pub(crate) in_flight: u16,
    pub(crate) spread: String,
    pub(crate) seed: u64,
    /// The processor that our own server decided on and the harness kept off.
    pub(crate) processor: Option<usize>,
    pub(crate) warm_up_s: f64,
    pub(crate) duration_s: f64,
    /// How long enrolling and giving points took.
    pub(crate) prepared_s: f64,
    /// Operations a second while preparing.
    pub(crate) prepared_ops_per_s: f64,
    /// The last run's figures, at the top.
    #[serde(flatten)]
    pub(crate) last: Run,
    pub(crate) runs: Vec<Run>,
    pub(crate) books: Books,
    pub(crate) machine: Machine,
    pub(crate) ok: bool,
}

impl Report {
    /// The table for people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{}: {} members ({}), {} connections x {} frames in flight, {} operations a frame, {} s after {} s of warm-up\n",
            self.scenario,
            self.members,
            self.spread,
            self.connections,
            self.in_flight,
            self.batch,
            self.duration_s,
            self.warm_up_s
        );
        let _ = writeln!(
            text,
            "members prepared in {:.1} s ({:.0} operations/s){}\n",
            self.prepared_s,
            self.prepared_ops_per_s,
            self.processor.map_or(String::new(), |number| format!("; the server decides on processor {number}"))
        );
        let head = [
            "rate",
            "offered/s",
            "answered/s",
            "granted/s",
            "p50",
            "p90",
            "p99",
            "p99.9",
            "p99.99",
            "worst",
            "errors",
            "cores h+s",
            "stolen",
            "slowed",
            "disk",
        ];
        let rows: Vec<[String; 15]> = self.runs.iter().map(row).collect();
        for row in std::iter::once(head.map(str::to_owned)).chain(rows) {
            let cells: Vec<String> = row.iter().map(|cell| format!("{cell:>11}")).collect();
            let _ = writeln!(text, "{}", cells.join(""));
        }
        self.runs.iter().filter_map(|run| run.during_snapshot.as_ref()).for_each(|during| {
            let _ = write!(text, "\n{}", during.text());
        });
        let answers: Vec<String> = self.last.answers.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let _ = writeln!(text, "\nanswers: {}", answers.join(", "));
        let books = &self.books;
        let _ = writeln!(
            text,
            "books: {} grants told, {} in the campaign, {} in {} members",
            books.told, books.granted, books.audit.used, books.audit.members
        );
        match &books.findings[..] {
            [] => text.push_str("the books balance: every acknowledged change is there, and nothing else\n"),
            findings => findings.iter().for_each(|finding| {
                let _ = writeln!(text, "WRONG: {finding}");
            }),
        }
        text
    }
}

fn row(run: &Run) -> [String; 15] {
    let rate = run.rate.map_or("max".into(), |rate| format!("{rate:.0}"));
    let per_s = |value: f64| format!("{value:.0}");
    let cores = |cores: Option<f64>| cores.map_or("?".into(), |cores| format!("{cores:.2}"));
    let part = |part: Option<f64>| part.map_or("?".into(), |part| format!("{:.2}%", 100.0 * part));
    let Given { harness, server, stolen, slowed, stalled } = run.given;
    let latency = &run.latency;
    [
        rate,
        per_s(run.offered_per_s),
        per_s(run.ops_per_s),
        per_s(run.granted_per_s),
        time(latency.p50_us),
        time(latency.p90_us),
        time(latency.p99_us),
        time(latency.p999_us),
        time(latency.p9999_us),
        time(latency.max_us),
        run.errors.to_string(),
        format!("{harness:.2}+{}", cores(server)),
        cores(stolen),
        part(slowed),
        part(stalled),
    ]
}

fn time(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.0}us"),
        us if us < 1_000_000.0 => format!("{:.2}ms", us / 1_000.0),
        us => format!("{:.2}s", us / 1_000_000.0),
    }
}

/// The machine's facts, as far as it tells them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    cpus: usize,
    cpu: String,
    memory_bytes: u64,
    kernel: String,
}

impl Machine {
    pub(crate) fn read() -> Machine {
        let file = |path| fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            line.split_once(':').map(|(_, value)| value.trim().to_owned())
        };
        let memory =
            value(&file("/proc/meminfo"), "MemTotal").and_then(|kib| kib.split(' ').next()?.parse::<u64>().ok());
        Machine {
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            cpu: value(&file("/proc/cpuinfo"), "model name").unwrap_or_default(),
            memory_bytes: memory.unwrap_or(0) * 1_024,
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// Processor seconds a process has used; `None` if it cannot be read.
pub(crate) fn processor_seconds(process: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in parentheses that may hold anything; user and system time are the 14th and 15th.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let second = rustix::param::clock_ticks_per_second() as f64;
    Some((ticks(11)? + ticks(12)?) as f64 / second)
}

/// Processor seconds of this machine that its host gave to others while they were wanted here; `None` if it cannot be read.
pub(crate) fn stolen_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    // The first line is the sum of all processors: user, nice, system, idle, iowait, irq, softirq, steal.
    let ticks: u64 = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().nth(7)?.parse().ok()?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_a_unit_that_fits() {
        assert_eq!([12.4, 1_234.0, 2_500_000.0].map(time), ["12us", "1.23ms", "2.50s"]);
    }

    #[test]
    fn own_processor_time_can_be_read() {
        assert!(processor_seconds("self").is_some_and(|seconds| seconds >= 0.0));
        assert_eq!(processor_seconds("none-such"), None);
    }

    #[test]
    fn what_the_host_took_can_be_read_and_never_falls() {
        let before = stolen_seconds().expect("Linux tells it, be it zero");
        assert!(stolen_seconds().is_some_and(|after| after >= before && before >= 0.0));
    }
}
