//! A quiz's question: published while the programme runs, open for a time, with its right answer, which only the server knows.

use tidegate_protocol::{List, Malformed, Prose, Text, decode, encode};

/// The fewest and the most options of a question.
pub const OPTIONS: std::ops::RangeInclusive<usize> = 2..=16;

/// Questions of one quiz that can be open at a time: a member's answers to each are counted by themselves.
pub const LANES: u8 = 8;

/// A question as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its number in its quiz, given once, from 1.
    pub number: u32,
    /// Which of the member's counters counts answers to it: no other question of the same one is open with it, or before it.
    pub lane: u8,
    /// Its id.
    pub slug: Text,
    /// What is asked, for people.
    pub text: Prose<1024>,
    /// What can be answered.
    pub options: List<Text, 16>,
    /// The index of the right one.
    pub right: u8,
    /// From this instant on it can be answered …
    pub opens_ms: i64,
    /// … and until this one.
    pub closes_ms: i64,
}

impl Question {
    /// Its bytes, as logs and snapshots hold them: in the layout of the wire's bodies.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Question { number, lane, slug, text, options, right, opens_ms, closes_ms } = self;
        let mut bytes = Vec::new();
        encode(&(number, lane, slug, text, options, right, opens_ms, closes_ms), &mut bytes);
        bytes
    }

    /// Reads them.
    pub fn read(bytes: &[u8]) -> Result<Question, Malformed> {
        let (number, lane, slug, text, options, right, opens_ms, closes_ms) = decode(bytes)?;
        Ok(Question { number, lane, slug, text, options, right, opens_ms, closes_ms })
    }

    /// Whether it can be one: numbered, with options of which one is right, open for some time.
    pub fn holds(&self) -> bool {
        let options = self.options.as_slice().len();
        let numbered = (1..i32::MAX as u32).contains(&self.number) && self.lane < LANES;
        numbered && OPTIONS.contains(&options) && usize::from(self.right) < options && self.opens_ms < self.closes_ms
    }

    /// The number that cells and counters know it by, in the place of a window's day.
    pub fn period(&self) -> i32 {
        self.number as i32
    }

    /// The offer that cells know an option by.
    pub fn offer(option: usize) -> u16 {
        option as u16 + 1
    }
}
