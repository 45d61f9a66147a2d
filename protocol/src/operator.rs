//! What operators and observers can ask, and what they are told.

use serde::Serialize;

use crate::{Decode, Encode, List, Prose, Text};

/// The state of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetStatus {
    /// 1 to walk all members and state the hash of the whole state and the sums of the books, which stops decisions for
    /// as long as it takes (about 0.2 s for a million members); 0 otherwise.
    pub books: u8,
}

/// Take a snapshot now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct TakeSnapshot {}

/// Put a programme bundle in force.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Activate {
    /// The version that this one replaces: compare and set. 0 if the programme is new.
    pub replaces: u32,
    /// 1 to only check and compile it; nothing changes.
    pub dry_run: u8,
    /// The bundle's files.
    pub files: List<BundleFile, 64>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct BundleFile {
    /// Its name within the bundle.
    pub name: Text,
    /// Its contents.
    pub contents: Prose<{ 1 << 20 }>,
}

/// Code `status`: named figures, so that later servers can say more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize)]
pub struct StatusView {
    /// Counts, bytes, epochs, times.
    pub figures: List<Figure, 4096>,
    /// What is no number: hashes, versions, names.
    pub facts: List<Fact, 1024>,
}

/// A number and its name, unit at the name's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Figure {
    /// For example `log_bytes`.
    pub name: Text,
    /// Its value.
    pub value: i64,
}

/// A text and its name.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Fact {
    /// For example `state_hash`.
    pub name: Text,
    /// Its value.
    pub value: Prose<512>,
}

/// Code `snapshot-taken`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct SnapshotTaken {
    /// The first epoch that recovery from it reads.
    pub first_epoch: u64,
    /// The last epoch that it needs.
    pub last_epoch: u64,
    /// Members in it.
    pub members: u64,
    /// Its size.
    pub bytes: u64,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    /// Its file.
    pub file: Text,
}

/// Code `activated`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Activated {
    /// The programme's number.
    pub programme: u32,
    /// The version now in force (or that would be, in a dry run).
    pub version: u32,
    /// Warnings of the check, for a person.
    pub warnings: List<Prose<1024>, 256>,
}

/// Code `version-conflict`: another version is in force than the one to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct VersionConflict {
    /// The version in force; 0 if the programme is unknown.
    pub in_force: u32,
}

/// A question of a quiz, published or changed. One that was answered already can only be made to close at another time.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct PublishQuestion {
    /// The programme's slug.
    pub programme: Text,
    /// The quiz's slug.
    pub quiz: Text,
    /// The question's slug: of the operator's choosing, once in its quiz.
    pub question: Text,
    /// What is asked, for people.
    pub text: Prose<1024>,
    /// What can be answered; 2 to 16, each once.
    pub options: List<Text, 16>,
    /// The right one of them.
    pub right: Text,
    /// When it opens.
    pub opens_ms: i64,
    /// When it closes.
    pub closes_ms: i64,
}

/// Code `question-published`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct QuestionPublished {
    /// Its number in its quiz.
    pub number: u32,
    /// 1 if it was there already and was changed, else 0.
    pub changed: u8,
}

/// What a quiz's questions were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetResults {
    /// The programme's slug.
    pub programme: Text,
    /// The quiz's slug.
    pub quiz: Text,
}

/// Code `results`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ResultsView {
    /// The questions that are published, the newest first.
    pub questions: List<QuestionResults, 256>,
}

/// What a question was answered.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct QuestionResults {
    /// Its number in its quiz.
    pub number: u32,
    /// Its slug.
    pub question: Text,
    /// What is asked.
    pub text: Prose<1024>,
    /// When it opens, or opened.
    pub opens_ms: i64,
    /// When it closes, or closed.
    pub closes_ms: i64,
    /// The first places that are taken.
    pub places_taken: u32,
    /// By option: how often it was answered.
    pub options: List<OptionResult, 16>,
}

/// How often an option was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct OptionResult {
    /// The option.
    pub option: Text,
    /// 1 if it is the right one, else 0.
    pub right: u8,
    /// How often.
    pub times: u32,
}
