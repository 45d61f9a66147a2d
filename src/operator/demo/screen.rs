//! What the viewer sees: lines with the time since the start, and one line that changes where there is a terminal.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Tells the viewer how far things are.
pub struct Screen {
    began: Instant,
    /// Hidden where standard error is no terminal.
    live: ProgressBar,
    /// Whether standard output is kept for JSON.
    json: bool,
    terminal: bool,
}

impl Screen {
    /// An empty one.
    pub fn new(json: bool) -> Screen {
        let live = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        live.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is right"));
        let terminal = std::io::stderr().is_terminal();
        if terminal {
            live.set_draw_target(ProgressDrawTarget::stderr());
        }
        Screen { began: Instant::now(), live, json, terminal }
    }

    /// A line that stays.
    pub fn tell(&self, line: &str) {
        let line = format!("[{:5.1} s] {line}\n", self.began.elapsed().as_secs_f64());
        self.live.suspend(|| if self.json { eprint!("{line}") } else { super::show::say(&line) });
    }

    /// How often the changing line should change: seldom where each change stays as a line.
    pub fn every(&self) -> Duration {
        Duration::from_millis(if self.terminal { 200 } else { 1_000 })
    }

    /// The line that changes.
    pub fn now(&self, line: String) {
        if self.terminal {
            self.live.set_message(line);
            self.live.tick();
        } else {
            self.tell(&line);
        }
    }

    /// Takes the changing line away.
    pub fn clear(&self) {
        self.live.finish_and_clear();
        self.live.reset();
    }

    /// Since the start.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
