//! What the viewer sees: lines with the time since the start, and one line that changes where there is a terminal.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Tells the viewer how far things are.
pub struct Screen {
    began: Instant,
    /// The line that changes, while there is one.
    live: RefCell<Option<ProgressBar>>,
    /// Whether standard output is kept for JSON.
    json: bool,
    terminal: bool,
}

impl Screen {
    /// An empty one.
    pub fn new(json: bool) -> Screen {
        let terminal = std::io::stderr().is_terminal();
        Screen { began: Instant::now(), live: RefCell::new(None), json, terminal }
    }

    /// A line that stays.
    pub fn tell(&self, line: &str) {
        self.clear();
        let line = format!("[{:5.1} s] {line}\n", self.began.elapsed().as_secs_f64());
        if self.json { eprint!("{line}") } else { super::show::say(&line) }
    }

    /// How often the changing line should change: seldom where each change stays as a line.
    pub fn every(&self) -> Duration {
        Duration::from_millis(if self.terminal { 200 } else { 1_000 })
    }

    /// The line that changes.
    pub fn now(&self, line: String) {
        if !self.terminal {
            return self.tell(&line);
        }
        let mut live = self.live.borrow_mut();
        let live = live.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is right");
            ProgressBar::new_spinner().with_style(style)
        });
        live.set_message(line);
        live.tick();
    }

    /// Takes the changing line away.
    pub fn clear(&self) {
        if let Some(live) = self.live.borrow_mut().take() {
            live.finish_and_clear();
        }
    }

    /// Since the start.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
