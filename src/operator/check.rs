//! `tidegate check DIR…`: what is wrong with a bundle, its rules said back, and when its windows next open and close.
//!
//! Reads the directories and nothing else, changes nothing. Exit code 0: all compile, perhaps with warnings; 1: at
//! least one does not; 2: wrong usage.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;

use crate::programme::{Bundle, Campaign, Finding, Numbering, Programme, Severity, Span, compile};

/// Check programme bundles before they are activated.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Directories, each with a programme.toml.
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// The instant from which next openings are shown, such as 2026-11-20T10:00:00+08:00; now if left out.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

impl Check {
    /// Checks each directory and prints what it found.
    pub fn run(self) -> ExitCode {
        let at_ms = self.at.unwrap_or_else(Timestamp::now).as_millisecond();
        let checked: Vec<Checked> = self.dirs.iter().map(|dir| Checked::new(dir, at_ms)).collect();
        let text = if self.json {
            serde_json::to_string_pretty(&checked).expect("texts and numbers are always JSON") + "\n"
        } else {
            checked.iter().map(Checked::text).collect::<Vec<_>>().join("\n")
        };
        // A reader that has gone away changes nothing about the verdict.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
        if checked.iter().all(|checked| checked.ok) { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }
}

/// What is known about one directory.
#[derive(Debug, Serialize)]
struct Checked {
    dir: String,
    ok: bool,
    /// Why the directory is no bundle, if it is none.
    unreadable: Option<String>,
    findings: Vec<Finding>,
    programme: Option<Rules>,
}

#[derive(Debug, Serialize)]
struct Rules {
    slug: String,
    zone: String,
    /// BLAKE3 of the bundle, in hex.
    hash: String,
    sentences: Vec<Sentence>,
    windows: Vec<Opening>,
}

#[derive(Debug, Serialize)]
struct Sentence {
    en: String,
    zh: String,
}

/// When a campaign's window is open, or is next.
#[derive(Debug, Serialize)]
struct Opening {
    campaign: String,
    open_now: bool,
    /// Of the window open now, else of the next.
    opens: Option<Instant>,
    closes: Option<Instant>,
    /// Of the one after the window open now.
    opens_again: Option<Instant>,
}

#[derive(Debug, Serialize)]
struct Instant {
    ms: i64,
    local: String,
    utc: String,
}

impl Instant {
    fn new(programme: &Programme, ms: i64) -> Instant {
        let utc = Timestamp::from_millisecond(ms).map(|utc| utc.to_string()).unwrap_or_default();
        Instant { ms, local: programme.zone.show(ms), utc }
    }

    fn text(&self) -> String {
        format!("{} ({})", self.local, self.utc)
    }
}

impl Checked {
    fn new(dir: &Path, at_ms: i64) -> Checked {
        let name = dir.display().to_string();
        let bundle = match Bundle::read(dir) {
            Ok(bundle) => bundle,
            Err(error) => {
                let unreadable = Some(error.to_string());
                return Checked { dir: name, ok: false, unreadable, findings: Vec::new(), programme: None };
            }
        };
        match compile(&bundle, &Numbering::default()) {
            Ok(compiled) => {
                let programme = Some(Rules::new(&compiled.programme, at_ms));
                Checked { dir: name, ok: true, unreadable: None, findings: compiled.warnings, programme }
            }
            Err(report) => {
                Checked { dir: name, ok: false, unreadable: None, findings: report.findings, programme: None }
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: String| writeln!(text, "{line}").expect("a String takes every line");
        if let Some(reason) = &self.unreadable {
            line(format!("{}: error: {reason}", self.dir));
        }
        for finding in &self.findings {
            line(format!("{}/{finding}", self.dir.trim_end_matches('/')));
        }
        if let Some(rules) = &self.programme {
            line(format!("{}: programme {} in {}, bundle {}", self.dir, rules.slug, rules.zone, &rules.hash[..16]));
            for sentence in &rules.sentences {
                line(format!("  {}\n  {}", sentence.en, sentence.zh));
            }
            for opening in &rules.windows {
                line(format!("  {}: {}", opening.campaign, opening.text()));
            }
        }
        let count = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        let errors = count(Severity::Error) + usize::from(self.unreadable.is_some());
        let counted = |number, what| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        let warnings = count(Severity::Warning);
        line(format!("{}: {}, {}", self.dir, counted(errors, "error"), counted(warnings, "warning")));
        text
    }
}

impl Rules {
    fn new(programme: &Programme, at_ms: i64) -> Rules {
        let hash = programme.bundle_hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let said = programme.describe().into_iter();
        Rules {
            slug: programme.slug.clone(),
            zone: programme.zone.name().to_owned(),
            hash,
            sentences: said.map(|title| Sentence { en: title.en, zh: title.zh }).collect(),
            windows: programme.campaigns.iter().map(|campaign| Opening::new(programme, campaign, at_ms)).collect(),
        }
    }
}

impl Opening {
    fn new(programme: &Programme, campaign: &Campaign, at_ms: i64) -> Opening {
        let window = &campaign.window;
        let instant = |ms| Some(Instant::new(programme, ms));
        // From the instant a window opens, and from the one it closes, the window itself says what comes next.
        let next_after = |ms| match window.at(ms) {
            Span::NotYet { opens_ms } | Span::Between { next_opens_ms: opens_ms, .. } | Span::Open { opens_ms, .. } => {
                Some(opens_ms)
            }
            Span::Ended { .. } => None,
        };
        let closing_of = |ms| match window.at(ms) {
            Span::Open { closes_ms, .. } => Some(closes_ms),
            _ => None,
        };
        let campaign = campaign.slug.clone();
        match window.at(at_ms) {
            Span::Open { opens_ms, closes_ms, .. } => Opening {
                campaign,
                open_now: true,
                opens: instant(opens_ms),
                closes: instant(closes_ms),
                opens_again: next_after(closes_ms).and_then(instant),
            },
            _ => {
                let opens_ms = next_after(at_ms);
                let closes = opens_ms.and_then(closing_of).and_then(instant);
                Opening { campaign, open_now: false, opens: opens_ms.and_then(instant), closes, opens_again: None }
            }
        }
    }

    fn text(&self) -> String {
        match (&self.opens, &self.closes) {
            (_, Some(closes)) if self.open_now => {
                let again = self.opens_again.as_ref();
                let again =
                    again.map_or("does not open again".to_owned(), |again| format!("opens again {}", again.text()));
                format!("open now, closes {}, {again}", closes.text())
            }
            (Some(opens), Some(closes)) => format!("next opens {}, closes {}", opens.text(), closes.text()),
            _ => "does not open again".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(dir: &Path, at: &str) -> Checked {
        Checked::new(dir, at.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn shipped(at: &str) -> String {
        let checked = checked(&Path::new(env!("CARGO_MANIFEST_DIR")).join("programmes/monthly-exchange"), at);
        checked.programme.unwrap().windows[0].text()
    }

    #[test]
    fn the_next_opening_and_closing_are_shown_in_local_time_and_utc() {
        assert_eq!(
            shipped("2026-11-20T09:59:59+08:00"),
            "next opens 2026-11-20 10:00:00 +08:00 (2026-11-20T02:00:00Z), closes 2026-12-01 00:00:00 +08:00 (2026-11-30T16:00:00Z)"
        );
        assert_eq!(
            shipped("2026-11-20T10:00:00+08:00"),
            "open now, closes 2026-12-01 00:00:00 +08:00 (2026-11-30T16:00:00Z), \
             opens again 2026-12-20 10:00:00 +08:00 (2026-12-20T02:00:00Z)"
        );
    }

    #[test]
    fn a_wrong_bundle_is_named_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let nothing = checked(dir.path(), "2026-11-20T10:00:00Z");
        assert!(!nothing.ok);
        assert!(nothing.text().contains("error: the bundle has no programme.toml"), "{}", nothing.text());
        std::fs::write(dir.path().join("programme.toml"), "programm = \"p\"\n").unwrap();
        let wrong = checked(dir.path(), "2026-11-20T10:00:00Z");
        let first = format!("{}/programme.toml:1:1: error: unknown key `programm`; did you mean", dir.path().display());
        assert!(!wrong.ok && wrong.text().starts_with(&first), "{}", wrong.text());
        assert!(wrong.text().ends_with("5 errors, 0 warnings\n"), "{}", wrong.text());
        std::fs::write(dir.path().join("programme.toml"), b"a = \"\xff\"").unwrap();
        let binary = checked(dir.path(), "2026-11-20T10:00:00Z").text();
        assert!(binary.contains("programme.toml is not UTF-8 text at byte 5; save it as UTF-8"), "{binary}");
    }

    #[test]
    fn the_json_holds_findings_sentences_and_windows() {
        let at = "2026-11-20T10:00:00+08:00";
        let checked = checked(&Path::new(env!("CARGO_MANIFEST_DIR")).join("programmes/flash-sale"), at);
        let json: serde_json::Value = serde_json::to_value(&checked).unwrap();
        assert_eq!(json["ok"], true);
        assert_eq!(json["programme"]["slug"], "flash-sale");
        assert_eq!(json["programme"]["windows"][0]["opens"]["utc"], "2026-12-08T12:00:00Z");
        assert!(json["programme"]["sentences"].as_array().unwrap().len() > 4);
    }
}
