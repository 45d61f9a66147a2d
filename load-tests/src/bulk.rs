//! Many requests of any kind over one lane, pipelined: to prepare members before a run, and to audit the books after.

use std::time::Instant;

use tidegate_protocol::RequestId;
use tidegate_protocol::batch::{Answer, Answers, finish_requests, start_requests};
use tidegate_protocol::frame::{self, Kind};

use crate::lane::{Lane, LaneError};
use crate::walk::Random;

/// The server's time and the randomness of ids, for one lane.
pub(crate) struct Ids {
    began: Instant,
    /// The server's time at `began`, as well as it is known: every reading is old by its way, so the largest is the best.
    server_ms: i64,
    random: Random,
}

impl Ids {
    pub(crate) fn new(server_ms: i64, seed: u64) -> Ids {
        Ids { began: Instant::now(), server_ms, random: Random::new(seed) }
    }

    /// Takes in the time of an answer.
    #[inline]
    pub(crate) fn read(&mut self, server_ms: i64, now: Instant) {
        self.server_ms = self.server_ms.max(server_ms - self.since(now));
    }

    #[inline]
    fn since(&self, now: Instant) -> i64 {
        now.saturating_duration_since(self.began).as_millis() as i64
    }

    /// The server's time, milliseconds since 1970.
    #[inline]
    pub(crate) fn server_ms(&self, now: Instant) -> i64 {
        self.server_ms + self.since(now)
    }

    /// A new id of this server time.
    #[inline]
    pub(crate) fn mint(&mut self, server_ms: i64) -> RequestId {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.random.next().to_le_bytes());
        random[8..].copy_from_slice(&self.random.next().to_le_bytes()[..2]);
        RequestId::mint(server_ms, random)
    }
}

/// Sends `frames` frames, at most `in_flight` at a time. `build` appends the entries of a frame and returns how many;
/// `answered` takes each answer with its frame's number.
pub(crate) async fn bulk(
    lane: &mut Lane,
    ids: &mut Ids,
    in_flight: usize,
    frames: u64,
    mut build: impl FnMut(u64, &mut Ids, i64, &mut Vec<u8>) -> u16,
    mut answered: impl FnMut(u64, Answer<'_>) -> Result<(), LaneError>,
) -> Result<(), LaneError> {
    let malformed = |error: &dyn std::fmt::Display| LaneError::Malformed(error.to_string());
    let (mut sent, mut done, mut out) = (0, 0, Vec::new());
    while done < frames {
        let server_ms = ids.server_ms(Instant::now());
        while sent < frames && sent - done < in_flight as u64 {
            frame::write(&mut out, Kind::Requests, 0, sent, |out| {
                let start = start_requests(out);
                let count = build(sent, ids, server_ms, out);
                finish_requests(out, start, count);
            });
            sent += 1;
        }
        if !out.is_empty() {
            lane.write(&out).await?;
            out.clear();
        }
        lane.frames.read().await?;
        while let Some((header, body)) = lane.frames.frame()? {
            if header.kind != Kind::Answers {
                return Err(LaneError::Lost(format!("the server sent {:?}", header.kind)));
            }
            let answers = Answers::new(body).map_err(|error| malformed(&error))?;
            ids.read(answers.server_ms, Instant::now());
            for answer in answers {
                answered(header.correlation, answer.map_err(|error| malformed(&error))?)?;
            }
            done += 1;
        }
    }
    Ok(())
}
