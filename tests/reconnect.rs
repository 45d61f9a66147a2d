//! I3: a batch whose connection dies, however it dies, is sent again under the same ids: what was told once is told again, byte
//! by byte, and nothing is applied twice.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod process;
#[allow(dead_code, reason = "a part of it is used here")]
#[path = "bad_input/raw.rs"]
mod raw;

use process::{Server, Site};
use raw::{Raw, Stream};
use tidegate_protocol::answer::MemberView;
use tidegate_protocol::batch::{Answers, finish_requests, push_entry, start_requests};
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::frame::{self, Kind};
use tidegate_protocol::hello::{Hello, VERSIONS, Welcome};
use tidegate_protocol::operation::{CheckIn, Enrol, GetMember, RecordOrder, Redeem};
use tidegate_protocol::{LedgerId, MemberKey, RequestId, Text, decode, encode};

const BUNDLE: &str = include_str!("history/history.toml");
const ROUNDS: u64 = 50;
/// Members in a batch; each has as many requests as are remembered of one member.
const MEMBERS: u64 = 12;

/// How a connection dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// Closed by the client, once it has the answers.
    AfterAnswers,
    /// Closed by the client, as soon as the batch is written.
    AtOnce,
    /// The client is gone without a word, the batch on its way.
    WithoutAWord,
    /// The same, in the middle of the frame.
    WithinTheFrame,
    /// The server is killed.
    Killed,
}

/// A client instance: its sessions follow each other.
struct Gateway<'a> {
    site: &'a Site,
    instance: [u8; 16],
    session: u64,
}

impl Gateway<'_> {
    async fn connect(&mut self, server: &Server) -> (Raw, Stream, Welcome) {
        self.session += 1;
        let hello = Hello {
            version_min: VERSIONS.0,
            version_max: VERSIONS.1,
            instance: self.instance,
            session: self.session,
            name: Text::default(),
        };
        let raw = Raw::connect(server.address, &self.site.certs(), "gateway").await;
        let mut stream = raw.stream().await;
        stream.write(Kind::Hello, 0, |out| encode(&hello, out)).await;
        let (kind, body) = stream.read().await.unwrap();
        assert_eq!(kind, Kind::Welcome, "session {}", self.session);
        (raw, stream, decode(&body).unwrap())
    }

    /// Sends the batch in a new session; gives the answers, by entry.
    async fn asks(&mut self, server: &Server, batch: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let (_raw, mut stream, _) = self.connect(server).await;
        stream.send.write_all(batch).await.unwrap();
        answers(&mut stream).await
    }
}

async fn answers(stream: &mut Stream) -> Vec<(u16, Vec<u8>)> {
    let (kind, body) = stream.read().await.unwrap();
    assert_eq!(kind, Kind::Answers);
    let mut answers: Vec<_> = Answers::new(&body).unwrap().map(Result::unwrap).collect();
    answers.sort_by_key(|answer| answer.index);
    answers.iter().map(|answer| (answer.code, answer.body.to_vec())).collect()
}

fn first_member(round: u64) -> u64 {
    1_000 + round * MEMBERS
}

/// A frame of requests that all change something, for members of this round alone.
fn batch(round: u64, programme: u32, now_ms: i64) -> Vec<u8> {
    let mut entries = 0u64;
    let mut body = Vec::new();
    let start = start_requests(&mut body);
    let mut id = || {
        entries += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&(round << 16 | entries).to_be_bytes());
        RequestId::mint(now_ms, random)
    };
    for number in first_member(round)..first_member(round + 1) {
        let member = MemberKey::from_number(number);
        push_entry(&mut body, op::ENROL, programme, 60_000, id(), &Enrol { member });
        push_entry(&mut body, op::CHECK_IN, programme, 60_000, id(), &CheckIn { member });
        push_entry(&mut body, op::RECORD_ORDER, programme, 60_000, id(), &order(number, now_ms));
        push_entry(&mut body, op::REDEEM, programme, 60_000, id(), &Redeem { member, campaign: 1, offer: 1 });
    }
    finish_requests(&mut body, start, 4 * MEMBERS as u16);
    let mut bytes = Vec::new();
    frame::write(&mut bytes, Kind::Requests, 0, round, |out| out.extend_from_slice(&body));
    bytes
}

fn order(number: u64, now_ms: i64) -> RecordOrder {
    let text = |text: &str| Text::try_from(text).unwrap();
    RecordOrder {
        member: MemberKey::from_number(number),
        paid_at_ms: now_ms - 1_000,
        amount_minor: 10_000,
        brand: text("house"),
        channel: text("mall"),
        store: Text::default(),
        number: text(&number.to_string()),
    }
}

/// What of an answer is the same whenever it is given: all of what changed something, but of an order, which has a key of its own and is
/// told to be recorded already, its entry in the ledger; of a refusal its code.
fn lasting(told: &(u16, Vec<u8>)) -> (u16, Vec<u8>) {
    const LEDGER_ID_BYTES: usize = 16;
    match told.0 {
        answer::RECORDED | answer::ALREADY_RECORDED => {
            let entry = &told.1[..LEDGER_ID_BYTES];
            let _: LedgerId = decode(entry).unwrap();
            (answer::RECORDED, entry.to_vec())
        }
        answer::ENROLLED | answer::CHECKED_IN | answer::GRANTED => told.clone(),
        code => (code, Vec::new()),
    }
}

#[tokio::test]
async fn i3_a_batch_that_is_sent_again_is_told_the_same_bytes() {
    let site = Site::with(&[BUNDLE]);
    let mut server = site.serve(&["--snapshot-every", "1s"]);
    let mut gateway = Gateway { site: &site, instance: uuid::Uuid::new_v4().into_bytes(), session: 0 };
    let mut told_first = 0;
    for round in 0..ROUNDS {
        let ways = [Death::AfterAnswers, Death::AtOnce, Death::WithoutAWord, Death::WithinTheFrame, Death::Killed];
        let death = ways[round as usize % ways.len()];
        let (raw, mut stream, welcome) = gateway.connect(&server).await;
        let programme = welcome.programmes.as_slice()[0].number;
        let bytes = batch(round, programme, welcome.server_ms);
        let sent = if death == Death::WithinTheFrame { bytes.len() / 2 } else { bytes.len() };
        stream.send.write_all(&bytes[..sent]).await.unwrap();
        let mut first = None;
        match death {
            Death::AfterAnswers => {
                first = Some(answers(&mut stream).await);
                raw.connection.close(0u32.into(), b"");
            }
            Death::AtOnce => raw.connection.close(0u32.into(), b""),
            // Neither dropped nor heard of again: a peer that is gone closes nothing.
            Death::WithoutAWord | Death::WithinTheFrame => {
                tokio::task::yield_now().await;
                std::mem::forget((raw, stream));
            }
            Death::Killed => {
                tokio::time::sleep(std::time::Duration::from_millis(round % 7)).await;
                server.kill();
                server = site.serve(&["--snapshot-every", "1s"]);
            }
        }
        let again = gateway.asks(&server, &bytes).await;
        let once_more = gateway.asks(&server, &bytes).await;
        let lasts = |told: &[(u16, Vec<u8>)]| told.iter().map(lasting).collect::<Vec<_>>();
        assert_eq!(lasts(&again), lasts(&once_more), "round {round}, {death:?}");
        if let Some(first) = first {
            assert_eq!(lasts(&first), lasts(&again), "round {round}, {death:?}");
            told_first += 1;
        }
        applied_once(&mut gateway, &server, programme, round).await;
    }
    assert!(told_first >= 10);
}

/// Each member has what one batch gives.
async fn applied_once(gateway: &mut Gateway<'_>, server: &Server, programme: u32, round: u64) {
    let (_raw, mut stream, welcome) = gateway.connect(server).await;
    let mut body = raw::Batch::default();
    for number in first_member(round)..first_member(round + 1) {
        let member = MemberKey::from_number(number);
        body = body.with(op::GET_MEMBER, programme, welcome.server_ms, &GetMember { member });
    }
    for (code, view) in stream.ask(&body).await {
        assert_eq!(code, answer::MEMBER);
        let view: MemberView = decode(&view).unwrap();
        // A check-in, an order, and a redemption for as long as there was any.
        let used = view.limits.as_slice().first().map_or(0, |limit| limit.used);
        assert!(used <= 1, "round {round}: {used} redemptions of one request");
        assert_eq!((view.earned, view.balance), (105, 105 - 10 * i64::from(used)), "round {round}");
    }
}
