//! Batches: many members' requests in one frame, each answered on its own.
//!
//! `REQUESTS` body:
//!
//! | offset | size | field | |
//! |---:|---:|---|---|
//! | 0 | 2 | count | entries, at most what `WELCOME` states |
//! | 2 | 2 | zero | |
//! | 4 | | entries | back to back |
//!
//! An entry:
//!
//! | offset | size | field | |
//! |---:|---:|---|---|
//! | 0 | 2 | code | [`crate::code::op`] |
//! | 2 | 2 | zero | |
//! | 4 | 4 | programme | its number, from `WELCOME`; 0 for operations that have none |
//! | 8 | 4 | deadline | milliseconds after the id's time; beyond it the request is never applied |
//! | 12 | 4 | length | bytes of the body |
//! | 16 | 16 | id | UUIDv7 |
//! | 32 | length | body | [`crate::operation`], [`crate::operator`] |
//!
//! `ANSWERS` body:
//!
//! | offset | size | field | |
//! |---:|---:|---|---|
//! | 0 | 8 | server time | milliseconds since 1970, to mint ids from |
//! | 8 | 2 | count | answers |
//! | 10 | 2 | zero | |
//! | 12 | | answers | back to back, in any order |
//!
//! An answer:
//!
//! | offset | size | field | |
//! |---:|---:|---|---|
//! | 0 | 2 | index | of the entry it answers, from 0 |
//! | 2 | 2 | code | [`crate::code::answer`] |
//! | 4 | 4 | length | bytes of the body |
//! | 8 | length | body | [`crate::answer`], [`crate::refusal`], [`crate::operator`] |

use crate::{Encode, RequestId, encode};

/// Bytes before the first entry of a `REQUESTS` body.
pub const REQUESTS_HEAD_BYTES: usize = 4;
/// Bytes of an entry before its body.
pub const ENTRY_HEAD_BYTES: usize = 32;
/// Bytes before the first answer of an `ANSWERS` body.
pub const ANSWERS_HEAD_BYTES: usize = 12;
/// Bytes of an answer before its body.
pub const ANSWER_HEAD_BYTES: usize = 8;
/// The most entries a batch may have.
pub const ENTRIES_MOST: usize = 256;

/// A batch whose entries cannot be told apart any more; it fails its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBatch {
    /// The bytes end inside an entry, or go on behind the last.
    #[error("the batch's entries do not fill its frame exactly")]
    Length,
    /// Reserved bytes are not zero.
    #[error("reserved bytes of the batch are not zero")]
    Reserved,
    /// More entries than allowed.
    #[error("a batch of {0} entries; at most {ENTRIES_MOST} are allowed")]
    Entries(u16),
}

/// One request as it stands in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What is asked, [`crate::code::op`].
    pub code: u16,
    /// The programme's number.
    pub programme: u32,
    /// Milliseconds after the id's time.
    pub deadline_ms: u32,
    /// The request's id.
    pub id: RequestId,
    /// The operation's bytes, not yet decoded.
    pub body: &'a [u8],
}

/// One answer as it stands in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Which entry it answers.
    pub index: u16,
    /// What became of it, [`crate::code::answer`].
    pub code: u16,
    /// The answer's bytes, not yet decoded.
    pub body: &'a [u8],
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// A head, its body, and what follows.
type Taken<'a, const HEAD: usize> = (&'a [u8; HEAD], &'a [u8], &'a [u8]);

/// Splits `rest` at a head of `HEAD` bytes whose body length stands at `length_at`.
fn take<const HEAD: usize>(rest: &[u8], length_at: usize) -> Result<Taken<'_, HEAD>, BadBatch> {
    let (head, rest) = rest.split_first_chunk::<HEAD>().ok_or(BadBatch::Length)?;
    let length = u32_at(head, length_at) as usize;
    let (body, rest) = rest.split_at_checked(length).ok_or(BadBatch::Length)?;
    Ok((head, body, rest))
}

/// The entries of a `REQUESTS` body, one by one; ends after the first error.
pub struct Entries<'a> {
    rest: &'a [u8],
    left: u16,
}

impl<'a> Entries<'a> {
    /// Reads the head; the entries are checked as they are taken.
    pub fn new(body: &'a [u8]) -> Result<Entries<'a>, BadBatch> {
        let (head, rest) = body.split_first_chunk::<REQUESTS_HEAD_BYTES>().ok_or(BadBatch::Length)?;
        let left = u16_at(head, 0);
        if u16_at(head, 2) != 0 {
            return Err(BadBatch::Reserved);
        }
        if usize::from(left) > ENTRIES_MOST {
            return Err(BadBatch::Entries(left));
        }
        Ok(Entries { rest, left })
    }

    /// Entries not yet taken.
    pub fn left(&self) -> u16 {
        self.left
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, BadBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let trailing = !std::mem::take(&mut self.rest).is_empty();
            return trailing.then_some(Err(BadBatch::Length));
        }
        self.left -= 1;
        let taken = take::<ENTRY_HEAD_BYTES>(self.rest, 12).and_then(|(head, body, rest)| {
            if u16_at(head, 2) != 0 {
                return Err(BadBatch::Reserved);
            }
            self.rest = rest;
            let id = RequestId(head[16..32].try_into().expect("sixteen bytes"));
            Ok(Entry { code: u16_at(head, 0), programme: u32_at(head, 4), deadline_ms: u32_at(head, 8), id, body })
        });
        if taken.is_err() {
            (self.left, self.rest) = (0, &[]);
        }
        Some(taken)
    }
}

/// Starts a `REQUESTS` body; [`finish_requests`] fills in the count.
pub fn start_requests(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; REQUESTS_HEAD_BYTES]);
    out.len() - REQUESTS_HEAD_BYTES
}

/// Appends one entry.
pub fn push_entry<T: Encode>(out: &mut Vec<u8>, code: u16, programme: u32, deadline_ms: u32, id: RequestId, body: &T) {
    let start = out.len();
    out.extend_from_slice(&[0; ENTRY_HEAD_BYTES]);
    encode(body, out);
    let length = (out.len() - start - ENTRY_HEAD_BYTES) as u32;
    let head = &mut out[start..start + ENTRY_HEAD_BYTES];
    head[0..2].copy_from_slice(&code.to_le_bytes());
    head[4..8].copy_from_slice(&programme.to_le_bytes());
    head[8..12].copy_from_slice(&deadline_ms.to_le_bytes());
    head[12..16].copy_from_slice(&length.to_le_bytes());
    head[16..32].copy_from_slice(&id.0);
}

/// Fills in the count of a `REQUESTS` body that began at `start`.
pub fn finish_requests(out: &mut [u8], start: usize, count: u16) {
    out[start..start + 2].copy_from_slice(&count.to_le_bytes());
}

/// The answers of an `ANSWERS` body, one by one; ends after the first error.
pub struct Answers<'a> {
    /// The server's time when it sent them, milliseconds since 1970.
    pub server_ms: i64,
    rest: &'a [u8],
    left: u16,
}

impl<'a> Answers<'a> {
    /// Reads the head; the answers are checked as they are taken.
    pub fn new(body: &'a [u8]) -> Result<Answers<'a>, BadBatch> {
        let (head, rest) = body.split_first_chunk::<ANSWERS_HEAD_BYTES>().ok_or(BadBatch::Length)?;
        let server_ms = i64::from_le_bytes(head[0..8].try_into().expect("eight bytes"));
        if u16_at(head, 10) != 0 {
            return Err(BadBatch::Reserved);
        }
        Ok(Answers { server_ms, rest, left: u16_at(head, 8) })
    }

    /// Answers not yet taken.
    pub fn left(&self) -> u16 {
        self.left
    }
}

impl<'a> Iterator for Answers<'a> {
    type Item = Result<Answer<'a>, BadBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let trailing = !std::mem::take(&mut self.rest).is_empty();
            return trailing.then_some(Err(BadBatch::Length));
        }
        self.left -= 1;
        match take::<ANSWER_HEAD_BYTES>(self.rest, 4) {
            Ok((head, body, rest)) => {
                self.rest = rest;
                Some(Ok(Answer { index: u16_at(head, 0), code: u16_at(head, 2), body }))
            }
            Err(error) => {
                (self.left, self.rest) = (0, &[]);
                Some(Err(error))
            }
        }
    }
}

/// Starts an `ANSWERS` body; [`finish_answers`] fills in time and count.
pub fn start_answers(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; ANSWERS_HEAD_BYTES]);
    out.len() - ANSWERS_HEAD_BYTES
}

/// Appends one answer.
pub fn push_answer<T: Encode>(out: &mut Vec<u8>, index: u16, code: u16, body: &T) {
    let start = out.len();
    out.extend_from_slice(&[0; ANSWER_HEAD_BYTES]);
    encode(body, out);
    let length = (out.len() - start - ANSWER_HEAD_BYTES) as u32;
    let head = &mut out[start..start + ANSWER_HEAD_BYTES];
    head[0..2].copy_from_slice(&index.to_le_bytes());
    head[2..4].copy_from_slice(&code.to_le_bytes());
    head[4..8].copy_from_slice(&length.to_le_bytes());
}

/// Fills in the head of an `ANSWERS` body that began at `start`.
pub fn finish_answers(out: &mut [u8], start: usize, server_ms: i64, count: u16) {
    out[start..start + 8].copy_from_slice(&server_ms.to_le_bytes());
    out[start + 8..start + 10].copy_from_slice(&count.to_le_bytes());
}
