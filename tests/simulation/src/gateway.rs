//! A simulated gateway: the real client's table of calls, and what its callers were told.

use std::collections::BTreeSet;

use tidegate_client::CallError;
use tidegate_client::table::{Finished, Limits, Reply, Request, Table};
use tidegate_protocol::RequestId;
use tidegate_protocol::batch::Answers;
use tidegate_protocol::code::{Applied, answer, row};
use tidegate_protocol::frame::{FLAG_NOT_DURABLE, HEADER_BYTES, Header, Kind};

use crate::dice::Dice;
use crate::model::{Ask, Asked};
use crate::{asking, claims, holds, quizzes, wire};

/// What a call came to, as its caller was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It changed the state, and that is durable.
    Applied,
    /// It changed the state, and a crash could still take it back.
    AppliedEarly,
    /// It did not, and never will.
    Never,
    /// Nobody can say, or it asked for nothing to change.
    Open,
}

/// A gateway and the members that ask through it.
pub struct Gateway {
    /// Its instance.
    pub instance: [u8; 16],
    /// Its newest session.
    pub session: u64,
    /// Its connection, by number.
    pub connection: Option<u64>,
    table: Table<Asked>,
    dice: Dice,
    /// Server time minus the gateway's.
    offset_ms: i64,
    sent: Vec<Asked>,
    held: Vec<holds::Held>,
    minted: u64,
}

const LIMITS: Limits =
    Limits { entries_most: 4, body_bytes_most: 1 << 16, in_flight_most: 4, ahead_ms_most: 5_000, queue_most: 64 };

/// Members there may be, enrolled or not.
pub const MEMBERS: u64 = 14;

impl Gateway {
    /// A gateway that was never connected.
    pub fn new(number: u8, dice: Dice) -> Gateway {
        let table = Table::new(LIMITS);
        Gateway {
            instance: [number; 16],
            session: 0,
            connection: None,
            table,
            dice,
            offset_ms: 0,
            sent: Vec::new(),
            held: Vec::new(),
            minted: u64::from(number) << 32,
        }
    }

    /// Welcomed: the server's time is known.
    pub fn welcomed(&mut self, connection: u64, server_ms: i64, mono_ms: i64) {
        self.connection = Some(connection);
        self.offset_ms = server_ms - mono_ms;
        self.table.set_limits(LIMITS);
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.connection = None;
        self.table.disconnected();
    }

    /// A caller asks something.
    pub fn ask(
        &mut self,
        programmes: u32,
        campaigns: &dyn Fn(u32) -> u32,
        offers: &dyn Fn(u32) -> Vec<(u32, u32)>,
        mono_ms: i64,
    ) -> Option<Asked> {
        let server_ms = mono_ms + self.offset_ms;
        let programme = 1 + self.dice.below(u64::from(programmes)) as u32;
        let member = self.dice.below(MEMBERS);
        let deadline_ms = *self.dice.one(&[500, 30_000, 300_000, 300_000, 300_000]);
        let (mut id, mut deadline_ms) = (self.mint(server_ms), deadline_ms);
        match self.dice.below(60) {
            0 | 1 => {
                let off_ms = *self.dice.one(&[4_990, 6_000, -250, -60_000, -400_000]);
                id = self.mint(server_ms + off_ms);
            }
            2 => id.0[6] = 0x40,
            3 => deadline_ms = 300_001,
            4 => id = self.dice.clone_of(&self.sent).map_or(id, |asked: Asked| asked.id),
            _ => {}
        }
        // First there must be members.
        let young = self.sent.len() < 30 && self.dice.chance(50);
        let ask = match if young { 0 } else { self.dice.below(42) } {
            0..2 => Ask::Enrol,
            2..6 => Ask::CheckIn,
            6..10 => Ask::Order(asking::order(&mut self.dice, server_ms, 120)),
            20 | 21 => Ask::Act(asking::act(&mut self.dice, server_ms, 60)),
            23 if self.dice.chance(50) => asking::birthday(&mut self.dice),
            22 => Ask::UseRight(asking::right(&mut self.dice)),
            23 => Ask::GetStanding,
            26..29 => quizzes::ask(&mut self.dice),
            31 => Ask::GetStatement,
            29 | 30 => Ask::Accept(self.dice.below(MEMBERS + 1)),
            32..36 => {
                let last = &self.sent[self.sent.len().saturating_sub(24)..];
                let (member, ask) = claims::ask(&mut self.dice, server_ms, member, last);
                return self.submit(Asked { programme, member, id, deadline_ms, ask }, mono_ms);
            }
            36..42 => {
                let (member, ask) = holds::ask(&mut self.dice, member, &offers(programme), &self.held);
                return self.submit(Asked { programme, member, id, deadline_ms, ask }, mono_ms);
            }
            24 | 25 => asking::days(&mut self.dice, server_ms),
            10..16 => {
                let beyond = u64::from(self.dice.chance(5));
                let campaign = 1 + self.dice.below(u64::from(campaigns(programme)) + beyond) as u32;
                Ask::Redeem(campaign, 1 + self.dice.below(2 + beyond) as u32)
            }
            16 => {
                if self.dice.chance(50) {
                    Ask::GetMember
                } else {
                    Ask::GetLots
                }
            }
            17 => {
                let beyond = u64::from(self.dice.chance(5));
                Ask::GetCampaign(1 + self.dice.below(u64::from(campaigns(programme)) + beyond) as u32)
            }
            18 => Ask::GetOutcome(self.dice.clone_of(&self.sent).map_or(id, |asked: Asked| asked.id)),
            _ => {
                // The same request, once more, as a caller that lost track would.
                let again = self.dice.clone_of(&self.sent)?;
                return self.submit(again, mono_ms);
            }
        };
        // The deadline counts from the id's time.
        self.submit(Asked { programme, member, id, deadline_ms, ask }, mono_ms)
    }

    fn submit(&mut self, asked: Asked, mono_ms: i64) -> Option<Asked> {
        let until_ms = asked.id.time_ms() - self.offset_ms + i64::from(asked.deadline_ms);
        let deadline_ms = until_ms.max(mono_ms + 1) as u64;
        let request = Request { id: asked.id, entry: wire::entry(&asked), deadline_ms, waiter: asked.clone() };
        self.table.submit(request).ok()?;
        if self.sent.len() < 400 {
            self.sent.push(asked.clone());
        }
        Some(asked)
    }

    fn mint(&mut self, server_ms: i64) -> RequestId {
        self.minted += 1;
        let mut random = [0; 10];
        // Some ids of one millisecond fall before others that were minted earlier.
        random[0] = self.dice.below(256) as u8;
        random[2..].copy_from_slice(&self.minted.to_be_bytes());
        RequestId::mint(server_ms, random)
    }

    /// The next frame to send, if there is one.
    pub fn frame(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.table.next_frame(&mut out).then_some(out)
    }

    /// Takes a frame of the server's. What ended: the request, and what its caller was told.
    pub fn receive(&mut self, frame: &[u8], mono_ms: i64) -> Vec<(Asked, End)> {
        let header = Header::decode(frame.first_chunk().expect("a whole frame")).expect("a frame of the server's");
        if header.kind == Kind::Draining {
            self.table.drain();
            return Vec::new();
        }
        let answers = Answers::new(&frame[HEADER_BYTES..]).expect("answers");
        self.offset_ms = answers.server_ms - mono_ms;
        let durable = header.flags & FLAG_NOT_DURABLE == 0;
        let mut finished = Vec::new();
        self.table
            .answers(header.correlation, answers, durable, mono_ms as u64, &mut finished)
            .expect("answers that read");
        let ended: Vec<(Asked, End)> = finished.into_iter().map(ended).collect();
        for (asked, _) in ended.iter().filter(|(_, end)| matches!(end, End::Applied | End::AppliedEarly)) {
            holds::remember(&mut self.held, asked);
        }
        ended
    }

    /// Lets time do its work.
    pub fn due(&mut self, mono_ms: i64) -> Vec<(Asked, End)> {
        let mut finished = Vec::new();
        self.table.due(mono_ms as u64, &mut finished);
        finished.into_iter().map(ended).collect()
    }

    /// When time has work to do next.
    pub fn next_due_ms(&self) -> Option<i64> {
        self.table.next_due_ms().map(|ms| ms as i64)
    }
}

fn ended((asked, result): Finished<Asked>) -> (Asked, End) {
    let end =
        match &result {
            Ok(Reply { code, durable, .. }) if row(*code).is_some_and(|row| row.applied == Applied::Yes) => {
                if *durable { End::Applied } else { End::AppliedEarly }
            }
            Ok(Reply { code, .. }) => {
                let refused = row(*code).is_some_and(|row| row.applied == Applied::No);
                // A conflict tells of this request only, not of another under the same id; and numbers of orders are used again
                // here once they are forgotten, so that what conflicts may have been recorded before.
                let conflicts = [answer::ID_CONFLICT, answer::KEY_CONFLICT].contains(code);
                if refused && !conflicts && changes(&asked) { End::Never } else { End::Open }
            }
            Err(CallError::Expired { .. }) if changes(&asked) => End::Never,
            Err(_) => End::Open,
        };
    (asked, end)
}

fn changes(asked: &Asked) -> bool {
    matches!(
        asked.ask,
        Ask::Enrol
            | Ask::CheckIn
            | Ask::Order(_)
            | Ask::Redeem(..)
            | Ask::Act(_)
            | Ask::UseRight(_)
            | Ask::SetBirthday(..)
            | Ask::RecordCheckIn(_)
            | Ask::MakeUp(_)
            | Ask::SetZone(_)
            | Ask::SetTag(..)
            | Ask::Answer { .. }
            | Ask::Accept(_)
            | Ask::Claim { .. }
            | Ask::Report(..)
            | Ask::Receive { .. }
            | Ask::Hold(_)
            | Ask::Confirm(_)
            | Ask::ConfirmPart(..)
            | Ask::Cancel(_)
    )
}

/// Requests that were told to be never applied.
pub type Never = BTreeSet<(u32, u64, RequestId)>;

impl Dice {
    fn clone_of<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| self.one(of).clone())
    }
}
