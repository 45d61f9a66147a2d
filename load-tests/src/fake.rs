//! A small server for the harness's own tests: the rules of a programme in the simplest way, no log, and lies on demand.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quinn::{Connection, Endpoint, RecvStream, SendStream};
use tidegate::programme::{self, Bundle, Campaign, Numbering, Programme, Span};
use tidegate::server::identity::server_config;
use tidegate_protocol::batch::{self, Entries, Entry, push_answer};
use tidegate_protocol::code::{answer as code, op};
use tidegate_protocol::frame::{self, HEADER_BYTES, Header, Kind};
use tidegate_protocol::hello::Welcome;
use tidegate_protocol::refusal::{Later, NotOpen, Plain};
use tidegate_protocol::{List, MemberKey, RequestId, Text, decode, encode};
use tidegate_protocol::{answer, operation, operator};
use tokio::task::{LocalSet, spawn_local};

/// What the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    /// It tells of a grant that is not in its books.
    ForgetsAGrant,
    /// It gives one unit more than the quota.
    OneTooMany,
    /// It says "sold out" while one unit is free.
    OneTooFew,
    /// It takes points for a grant twice.
    TakesTwice,
    /// It never answers one frame.
    LosesAFrame,
    /// No lie: it refuses every third of its first changes for the moment.
    FullAtFirst,
}

#[derive(Default)]
struct Member {
    balance: i64,
    used: u32,
    checked_in: bool,
    answered: bool,
}

struct State {
    lie: Lie,
    programme: Option<Programme>,
    version: u32,
    members: HashMap<MemberKey, Member>,
    /// By offer and tier; zeros stand for all.
    used: HashMap<(u32, u8), u64>,
    granted: u64,
    /// Numbers of the orders that are recorded.
    orders: HashSet<String>,
    /// And of those that are claimed.
    claimed: HashSet<String>,
    /// Answers to the question, and first places taken.
    answers: u32,
    places: u32,
    frames: u64,
    changes: u64,
}

/// Starts it in a thread of its own; it lives as long as the process.
pub(crate) fn start(certs: &Path, lie: Lie) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    let tls = quinn::crypto::rustls::QuicServerConfig::try_from(server_config(certs).unwrap()).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(LocalSet::new().run_until(async move {
            let config = quinn::ServerConfig::with_crypto(Arc::new(tls));
            let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
            tell.send(endpoint.local_addr().unwrap()).unwrap();
            let state = State {
                lie,
                programme: None,
                version: 0,
                members: HashMap::new(),
                used: HashMap::new(),
                granted: 0,
                orders: HashSet::new(),
                claimed: HashSet::new(),
                answers: 0,
                places: 0,
                frames: 0,
                changes: 0,
            };
            let state = Rc::new(RefCell::new(state));
            while let Some(incoming) = endpoint.accept().await {
                if let Ok(connection) = incoming.await {
                    spawn_local(serve(connection, state.clone()));
                }
            }
        }));
    });
    told.recv().unwrap()
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

async fn serve(connection: Connection, state: Rc<RefCell<State>>) {
    while let Ok((send, receive)) = connection.accept_bi().await {
        spawn_local(stream(send, receive, state.clone()));
    }
}

async fn stream(mut send: SendStream, mut receive: RecvStream, state: Rc<RefCell<State>>) {
    loop {
        let mut head = [0; HEADER_BYTES];
        if receive.read_exact(&mut head).await.is_err() {
            return;
        }
        let header = Header::decode(&head).unwrap();
        let mut body = vec![0; header.length as usize];
        receive.read_exact(&mut body).await.unwrap();
        if takes_snapshot(&header, &body) {
            tokio::time::sleep(SNAPSHOT_TAKES).await;
        }
        let mut out = Vec::new();
        match header.kind {
            Kind::Hello => frame::write(&mut out, Kind::Welcome, 0, 0, |out| encode(&welcome(), out)),
            _ => state.borrow_mut().requests(header.correlation, &body, &mut out),
        }
        if send.write_all(&out).await.is_err() {
            return;
        }
    }
}

/// So long that frames come and go meanwhile.
const SNAPSHOT_TAKES: Duration = Duration::from_millis(60);

fn takes_snapshot(header: &Header, body: &[u8]) -> bool {
    let first = || Entries::new(body).ok()?.next()?.ok();
    header.kind == Kind::Requests && first().is_some_and(|entry| entry.code == op::TAKE_SNAPSHOT)
}

fn welcome() -> Welcome {
    Welcome {
        version: 1,
        server_ms: now_ms(),
        directory: [1; 16],
        lineage: 1,
        body_bytes_most: 1 << 20,
        entries_most: 256,
        in_flight_most: 64,
        deadline_ms_most: 60_000,
        ahead_ms_most: 5_000,
        programmes: List::default(),
    }
}

impl State {
    fn requests(&mut self, correlation: u64, body: &[u8], out: &mut Vec<u8>) {
        let entries: Vec<Entry<'_>> = Entries::new(body).unwrap().map(Result::unwrap).collect();
        self.frames += u64::from(entries[0].code == op::REDEEM);
        if self.lie == Lie::LosesAFrame && self.frames == 7 {
            self.frames += 1;
            return;
        }
        frame::write(out, Kind::Answers, 0, correlation, |out| {
            let start = batch::start_answers(out);
            for (index, entry) in entries.iter().enumerate() {
                self.request(index as u16, entry, out);
            }
            batch::finish_answers(out, start, now_ms(), entries.len() as u16);
        });
    }

    fn request(&mut self, index: u16, entry: &Entry<'_>, out: &mut Vec<u8>) {
        let (ledger, version) = (Default::default(), self.version);
        assert!(entry.id.is_v7() && (entry.id.time_ms() - now_ms()).abs() < 30_000);
        self.changes += 1;
        if self.lie == Lie::FullAtFirst
            && self.changes < 2_000
            && self.changes.is_multiple_of(3)
            && entry.code < op::REDEEM
        {
            return push_answer(out, index, code::STORAGE_FULL, &Later { retry_ms: 10 });
        }
        match entry.code {
            op::ENROL => {
                let enrol: operation::Enrol = decode(entry.body).unwrap();
                if self.members.contains_key(&enrol.member) {
                    return push_answer(out, index, code::ALREADY_ENROLLED, &Plain {});
                }
                self.members.insert(enrol.member, Member::default());
                push_answer(out, index, code::ENROLLED, &answer::Enrolled { ledger, version, tier: 1 });
            }
            op::RECORD_ORDER => {
                let order: operation::RecordOrder = decode(entry.body).unwrap();
                let Some(member) = self.members.get_mut(&order.member) else {
                    return push_answer(out, index, code::NO_SUCH_MEMBER, &Plain {});
                };
                if !self.orders.insert(order.number.to_string()) {
                    return push_answer(out, index, code::ALREADY_RECORDED, &answer::AlreadyRecorded { ledger });
                }
                member.balance += order.amount_minor / 100;
                let body = answer::Recorded { ledger, version, tier: 1, before: 0, after: member.balance };
                push_answer(out, index, code::RECORDED, &body);
            }
            op::CLAIM_ORDER => {
                let claim: operation::ClaimOrder = decode(entry.body).unwrap();
                let number = claim.number.to_string();
                assert!(self.orders.contains(&number), "an order goes before its claim");
                if !self.claimed.insert(number) && self.lie != Lie::TakesTwice {
                    return push_answer(out, index, code::ALREADY_CLAIMED, &Plain {});
                }
                let member = self.members.get_mut(&claim.member).unwrap();
                let before = member.balance;
                member.balance += 2;
                let body = answer::OrderClaimed { ledger, version, tier: 1, before, after: member.balance };
                push_answer(out, index, code::ORDER_CLAIMED, &body);
            }
            op::CHECK_IN => self.check_in(index, &decode(entry.body).unwrap(), out),
            op::ANSWER_QUESTION => self.answer(index, &decode(entry.body).unwrap(), out),
            op::PUBLISH_QUESTION => {
                push_answer(
                    out,
                    index,
                    code::QUESTION_PUBLISHED,
                    &operator::QuestionPublished { number: 1, changed: 0 },
                );
            }
            op::GET_RESULTS => self.results(index, out),
            op::REDEEM => self.redeem(index, &decode(entry.body).unwrap(), out),
            op::GET_MEMBER => self.member(index, &decode(entry.body).unwrap(), out),
            op::GET_CAMPAIGN => self.campaign(index, out),
            op::ACTIVATE => {
                let activate: operator::Activate = decode(entry.body).unwrap();
                assert_eq!(activate.replaces, self.version);
                let files = activate.files.as_slice().iter().map(|file| programme::BundleFile {
                    name: file.name.as_str().into(),
                    text: file.contents.as_str().into(),
                });
                let bundle = Bundle::from_files(files.collect()).unwrap();
                self.programme = Some(programme::compile(&bundle, &Numbering::default()).unwrap().programme);
                self.version += 1;
                let body = operator::Activated { programme: 1, version: self.version, warnings: List::default() };
                push_answer(out, index, code::ACTIVATED, &body);
            }
            op::TAKE_SNAPSHOT => {
                let members = self.members.len() as u64;
                let file = Text::default();
                let body =
                    operator::SnapshotTaken { first_epoch: 1, last_epoch: 1, members, bytes: 0, took_ms: 0, file };
                push_answer(out, index, code::SNAPSHOT_TAKEN, &body);
            }
            other => panic!("the harness asked for {other:#x}"),
        }
    }

    fn check_in(&mut self, index: u16, check_in: &operation::CheckIn, out: &mut Vec<u8>) {
        let (ledger, version) = (Default::default(), self.version);
        let member = self.members.get_mut(&check_in.member).unwrap();
        if std::mem::replace(&mut member.checked_in, true) && self.lie != Lie::TakesTwice {
            return push_answer(out, index, code::ALREADY_CHECKED_IN, &Plain {});
        }
        member.balance += 5;
        let (before, after) = (member.balance - 5, member.balance);
        push_answer(
            out,
            index,
            code::CHECKED_IN,
            &answer::CheckedIn { ledger, version, day: 1, streak: 1, before, after },
        );
    }

    fn answer(&mut self, index: u16, asked: &operation::AnswerQuestion, out: &mut Vec<u8>) {
        let (ledger, version) = (Default::default(), self.version);
        let places = self.programme.as_ref().unwrap().quizzes[0].first.unwrap().places;
        let places = if self.lie == Lie::OneTooMany { places + 1 } else { places };
        let member = self.members.get_mut(&asked.member).unwrap();
        if std::mem::replace(&mut member.answered, true) {
            return push_answer(out, index, code::LIMIT_REACHED, &Plain {});
        }
        let (right, before) = (asked.answer.as_str() == "B", member.balance);
        let first = right && self.places < places;
        member.balance += if right { 11 } else { 1 } + if first { 50 } else { 0 };
        self.answers += 1;
        self.places += u32::from(first);
        let (right, place, after) = (right.into(), if first { self.places } else { 0 }, member.balance);
        let body = answer::Answered { ledger, version, right, place, left: 0, before, after };
        push_answer(out, index, code::ANSWERED, &body);
    }

    fn results(&self, index: u16, out: &mut Vec<u8>) {
        let option = operator::OptionResult { option: Text::default(), right: 1, times: self.answers };
        let question = operator::QuestionResults {
            number: 1,
            question: Text::default(),
            text: Default::default(),
            opens_ms: 0,
            closes_ms: 0,
            places_taken: self.places,
            options: List::cut([option]),
        };
        push_answer(out, index, code::RESULTS, &operator::ResultsView { questions: List::cut([question]) });
    }

    fn redeem(&mut self, index: u16, redeem: &operation::Redeem, out: &mut Vec<u8>) {
        let programme = self.programme.as_ref().unwrap();
        let campaign = programme.campaign(redeem.campaign).unwrap();
        let member = self.members.get_mut(&redeem.member).unwrap();
        let spent_nothing = member.balance + i64::from(member.used) * 9;
        let tier = programme.tier_of(spent_nothing);
        if !matches!(campaign.window.at(now_ms()), Span::Open { .. }) {
            return push_answer(out, index, code::NOT_YET_OPEN, &NotOpen { opens_ms: 0, epoch: 1, hold_ms: 0 });
        }
        if member.used >= campaign.limits[0].times {
            return push_answer(out, index, code::LIMIT_REACHED, &Plain {});
        }
        let cells = cells(campaign, redeem.offer, programme.tiers[tier].number);
        let slack = |total: u64| match self.lie {
            Lie::OneTooMany => total + 1,
            Lie::OneTooFew => total - 1,
            _ => total,
        };
        if cells.iter().any(|(cell, total)| self.used.get(cell).copied().unwrap_or(0) >= slack(*total)) {
            return push_answer(out, index, code::SOLD_OUT, &Plain {});
        }
        let price = campaign.offer(redeem.offer).unwrap().prices[tier].unwrap().points;
        let body = answer::Granted {
            ledger: Default::default(),
            version: self.version,
            grant: self.granted + 1,
            before: member.balance,
            after: member.balance - price,
        };
        push_answer(out, index, code::GRANTED, &body);
        let first = self.granted == 0;
        if first && self.lie == Lie::ForgetsAGrant {
            self.lie = Lie::None;
            return;
        }
        member.balance -= if first && self.lie == Lie::TakesTwice { 2 * price } else { price };
        member.used += 1;
        self.granted += 1;
        for (cell, _) in cells {
            *self.used.entry(cell).or_default() += 1;
        }
    }

    fn member(&self, index: u16, get: &operation::GetMember, out: &mut Vec<u8>) {
        let programme = self.programme.as_ref().unwrap();
        let member = &self.members[&get.member];
        let tier = &programme.tiers[programme.tier_of(member.balance + i64::from(member.used) * 9)];
        let limit =
            answer::LimitUse { campaign: programme.campaigns[0].number, offer: 0, period: 1, used: member.used };
        let body = answer::MemberView {
            balance: member.balance,
            earned: member.balance,
            tier: tier.number,
            tier_slug: Text::try_from(tier.slug.as_str()).unwrap(),
            streak: 0,
            streak_best: 0,
            last_day: i32::MIN,
            mark: RequestId::default(),
            limits: List::cut((member.used > 0).then_some(limit)),
        };
        push_answer(out, index, code::MEMBER, &body);
    }

    fn campaign(&self, index: u16, out: &mut Vec<u8>) {
        let campaign = &self.programme.as_ref().unwrap().campaigns[0];
        let offer = |offer: &programme::Offer| answer::OfferView {
            number: offer.number,
            granted: 0,
            sku: Text::try_from(offer.sku.as_str()).unwrap(),
        };
        let mut quotas: HashMap<(u32, u8), u64> = HashMap::new();
        for offer in &campaign.offers {
            for tier in 0..4 {
                quotas.extend(cells(campaign, offer.number, tier));
            }
        }
        let quota = |(cell, total): (&(u32, u8), &u64)| answer::QuotaUse {
            offer: cell.0,
            tier: cell.1,
            period: 1,
            total: *total as i64,
            used: self.used.get(cell).copied().unwrap_or(0),
        };
        let body = answer::CampaignView {
            number: campaign.number,
            version: self.version,
            epoch: 1,
            state: 1,
            period: 1,
            opens_ms: 0,
            closes_ms: 0,
            granted_ever: self.granted,
            slug: Text::try_from(campaign.slug.as_str()).unwrap(),
            quotas: List::cut(quotas.iter().map(quota)),
            offers: List::cut(campaign.offers.iter().map(offer)),
            refusals: List::default(),
        };
        push_answer(out, index, code::CAMPAIGN, &body);
    }
}

/// The cells a grant uses up, with their totals.
fn cells(campaign: &Campaign, offer: u32, tier: u8) -> Vec<((u32, u8), u64)> {
    let of_offer = &campaign.offer(offer).unwrap().quotas;
    let named = campaign.quotas.iter().map(|quota| (0, quota)).chain(of_offer.iter().map(|quota| (offer, quota)));
    named
        .filter(|(_, quota)| quota.tier.is_none_or(|only| only == tier))
        .map(|(offer, quota)| ((offer, quota.tier.unwrap_or(0)), quota.total))
        .collect()
}
