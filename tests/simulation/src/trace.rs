//! What happened, line by line: hashed always, so that two runs of a seed can be compared; printed when asked for.

use blake3::Hasher;

/// The trace of one run.
#[derive(Debug, Default)]
pub struct Trace {
    hasher: Hasher,
    lines: u64,
    aloud: bool,
}

impl Trace {
    /// A trace that is printed as it goes, or only hashed.
    pub fn new(aloud: bool) -> Trace {
        Trace { aloud, ..Trace::default() }
    }

    /// Notes what happened.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        let line = line();
        self.hasher.update(line.as_bytes());
        self.hasher.update(b"\n");
        self.lines += 1;
        if self.aloud {
            println!("{:6} {line}", self.lines);
        }
    }

    /// The hash so far.
    pub fn hash(&self) -> String {
        self.hasher.finalize().to_hex()[..16].to_owned()
    }
}
