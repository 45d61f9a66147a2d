//! A server with one shipped programme, spoken to over QUIC as a gateway does, whose clock the test moves.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tidegate::data::{self, Options, Seed};
use tidegate::operator::certs;
use tidegate::programme::Bundle;
use tidegate::server::clock::{Clock as _, HandClock};
use tidegate::server::identity::{Scope, server_config};
use tidegate::server::{Endpoint, Node, SnapshotPolicy};
use tidegate::storage::Memory;
use tidegate::store::Limits;
use tidegate_client::{Answer, CallOptions, Client, ClientOptions, client_config};
use tidegate_protocol::answer::{ClaimView, LotsView, MemberView, ProfileView, QuizView, StandingView};
use tidegate_protocol::code::{Applied, row};
use tidegate_protocol::operation::{
    AcceptInvitation, AnswerQuestion, Cancel, CheckIn, ClaimOrder, Confirm, ConfirmPart, ConfirmReceipt, Enrol, Field,
    GetClaim, GetLots, GetMember, GetProfile, GetQuiz, GetQuotas, GetStanding, Hold, MakeUp, OfferCount, OrderLine,
    RecordActivity, RecordCheckIn, RecordOrder, RecordOrderLines, Redeem, ReportOrder, SetBirthday, SetTag, SetZone,
    TenderLine, UseRight,
};
use tidegate_protocol::operator::{GetResults, PublishQuestion, ResultsView};
use tidegate_protocol::{Body, List, MemberKey, Proof, Prose, RequestId, Text};
use tokio::sync::Notify;

/// A checkout: offers of one campaign, and what is asked for beside.
#[derive(Clone, Copy, Default)]
pub struct Basket {
    pub campaign: &'static str,
    pub offers: &'static [(&'static str, u32)],
    pub store: &'static str,
    /// Points that pay part of these lines: their SKU, category and yuan.
    pub points: i64,
    pub lines: &'static [(&'static str, &'static str, i64)],
    pub rights: &'static [&'static str],
}

/// The server, the gateway, and the clock between them.
pub struct Stage {
    clock: Arc<HandClock>,
    zone: TimeZone,
    /// A brand and a channel of the programme.
    brand: &'static str,
    channel: &'static str,
    node: Arc<Node>,
    client: Client,
    operator: Client,
    minted: AtomicU64,
    drain: Arc<Notify>,
    server: Option<JoinHandle<()>>,
    _certs: tempfile::TempDir,
}

impl Stage {
    /// Opens with a bundle of `programmes/`, at a reading of its zone's clock such as `2026-01-05 12:00`.
    pub async fn open(bundle_name: &str, reading: &str) -> Stage {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let bundle = Bundle::read(&root.join("programmes").join(bundle_name)).unwrap();
        let certs = tempfile::tempdir().unwrap();
        certs::make(certs.path(), &Scope::All).unwrap();
        let limits = Limits { members: 1_000, orders: 10_000, answers: 4_000, ..Limits::default() };
        let options = Options { shards: 2, limits, ..Options::default() };
        let opened = data::open(Arc::new(Memory::new()), options, Some(Seed::random()), &mut |_| {}).unwrap();
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let clock = Arc::new(HandClock::at(instant_ms(&zone, reading)));
        let (brand, channel) = match bundle_name {
            "tea-tiers" => ("tea-house", "store"),
            "tea-shop" => ("house", "store"),
            "hotpot-levels" => ("hotpot", "store"),
            _ => ("house", "mall"),
        };
        let node = Node::start(opened, clock.clone(), SnapshotPolicy::default(), limits.undurable_bytes).unwrap();
        let activated = node.activate(bundle, 0, false).unwrap();
        node.log.watermark.wait(activated.epoch).unwrap();
        let (tell, told) = mpsc::channel();
        let (drain, tls) = (Arc::new(Notify::new()), server_config(certs.path()).unwrap());
        let (serving, drained) = (Arc::clone(&node), Arc::clone(&drain));
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let endpoint = Endpoint::bind("127.0.0.1:0".parse().unwrap(), tls, serving).unwrap();
                tell.send(endpoint.address().unwrap()).unwrap();
                endpoint.run(drained).await.unwrap();
            });
        });
        let tls = client_config(certs.path(), "gateway").unwrap();
        let address = told.recv().unwrap();
        let client = Client::connect(ClientOptions::new(vec![address], "localhost", tls)).await.unwrap();
        let tls = client_config(certs.path(), "operator").unwrap();
        let operator = Client::connect(ClientOptions::new(vec![address], "localhost", tls)).await.unwrap();
        Stage {
            clock,
            zone,
            brand,
            channel,
            node,
            client,
            operator,
            minted: AtomicU64::new(0),
            drain,
            server: Some(server),
            _certs: certs,
        }
    }

    /// Moves the clock on to a reading, and lets the gateway learn of it as it learns of any time: by an answer.
    pub async fn at(&mut self, reading: &str) {
        self.clock.set(instant_ms(&self.zone, reading));
        self.client.get_member(1, GetMember { member: MemberKey::from_number(0) }, self.patient()).await.unwrap();
    }

    /// Ids that rise: the clock stands still, and of several in one millisecond none is to fall below its member's mark.
    fn patient(&self) -> CallOptions {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.minted.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let id = Some(RequestId::mint(self.client.server_ms(), random));
        CallOptions { deadline: Duration::from_secs(30), id }
    }

    /// The instant of a reading, ms since 1970.
    pub fn instant_ms(&self, reading: &str) -> i64 {
        instant_ms(&self.zone, reading)
    }

    pub async fn enrol(&self, member: u64) -> Body {
        self.client.enrol(1, Enrol { member: MemberKey::from_number(member) }, self.patient()).await.unwrap().body
    }

    pub async fn check_in(&self, member: u64) -> Body {
        self.client.check_in(1, CheckIn { member: MemberKey::from_number(member) }, self.patient()).await.unwrap().body
    }

    /// A new member says who invited it.
    pub async fn accept(&self, member: u64, inviter: u64) -> Answer {
        let [member, inviter] = [member, inviter].map(MemberKey::from_number);
        self.client.accept_invitation(1, AcceptInvitation { member, inviter }, self.patient()).await.unwrap()
    }

    /// An operator publishes a question.
    pub async fn publish(&self, question: Question) -> Answer {
        self.operator.publish_question(self.question(question), self.patient()).await.unwrap()
    }

    pub async fn publish_as_gateway(&self, question: Question) -> Answer {
        self.client.publish_question(self.question(question), self.patient()).await.unwrap()
    }

    fn question(&self, (quiz, question, right, options, opens, closes): Question) -> PublishQuestion {
        let text = |text: &str| Text::try_from(text).unwrap();
        PublishQuestion {
            programme: text("live-quiz"),
            quiz: text(quiz),
            question: text(question),
            text: Prose::cut("A or B?"),
            options: List::cut(options.iter().map(|option| text(option))),
            right: text(right),
            opens_ms: self.instant_ms(opens),
            closes_ms: self.instant_ms(closes),
        }
    }

    pub async fn answer(&self, member: u64, quiz: &str, question: &str, answer: &str) -> Body {
        self.answer_answer(member, quiz, question, answer).await.body
    }

    pub async fn answer_answer(&self, member: u64, quiz: &str, question: &str, answer: &str) -> Answer {
        let [quiz, question, answer] = [quiz, question, answer].map(|text| Text::try_from(text).unwrap());
        let body = AnswerQuestion { member: MemberKey::from_number(member), quiz, question, answer };
        self.client.answer_question(1, body, self.patient()).await.unwrap()
    }

    pub async fn quiz(&self, quiz: &str) -> QuizView {
        let body = self.client.get_quiz(1, GetQuiz { quiz: Text::try_from(quiz).unwrap() }, self.patient()).await;
        let Body::QuizView(view) = body.unwrap().body else { panic!("no quiz") };
        view
    }

    pub async fn results(&self, quiz: &str) -> ResultsView {
        let [programme, quiz] = ["live-quiz", quiz].map(|text| Text::try_from(text).unwrap());
        let Body::ResultsView(view) =
            self.operator.results(GetResults { programme, quiz }, self.patient()).await.unwrap().body
        else {
            panic!("no results")
        };
        view
    }

    /// A check-in that happened at a reading of the clock that has passed.
    pub async fn checked_in_at(&self, member: u64, reading: &str) -> Answer {
        let body = RecordCheckIn { member: MemberKey::from_number(member), happened_ms: self.instant_ms(reading) };
        self.client.record_check_in(1, body, self.patient()).await.unwrap()
    }

    /// A missed day is made up for: a date such as `2026-06-01`.
    pub async fn make_up(&self, member: u64, date: &str) -> Answer {
        let body = MakeUp { member: MemberKey::from_number(member), day: local_day(date) };
        self.client.make_up(1, body, self.patient()).await.unwrap()
    }

    pub async fn set_zone(&self, member: u64, zone: &str) -> Answer {
        let body = SetZone { member: MemberKey::from_number(member), zone: Text::try_from(zone).unwrap() };
        self.client.set_zone(1, body, self.patient()).await.unwrap()
    }

    pub async fn set_tag(&self, member: u64, tag: &str, on: bool) -> Answer {
        let (member, tag) = (MemberKey::from_number(member), Text::try_from(tag).unwrap());
        self.client.set_tag(1, SetTag { member, tag, on: u8::from(on) }, self.patient()).await.unwrap()
    }

    pub async fn profile(&self, member: u64) -> ProfileView {
        let asked = GetProfile { member: MemberKey::from_number(member) };
        let body = self.client.get_profile(1, asked, self.patient()).await.unwrap().body;
        let Body::ProfileView(view) = body else { panic!("{body:?}") };
        view
    }

    /// An order of so many yuan, paid now.
    pub async fn order(&self, member: u64, number: &str, yuan: i64) -> Body {
        self.record(member, number, yuan, self.clock.now_ms()).await
    }

    /// The same, paid at a reading of the clock that has passed.
    pub async fn order_paid(&self, member: u64, number: &str, yuan: i64, reading: &str) -> Body {
        self.record(member, number, yuan, self.instant_ms(reading)).await
    }

    async fn record(&self, member: u64, number: &str, yuan: i64, paid_at_ms: i64) -> Body {
        let order = self.paid(self.channel, member, number, yuan, paid_at_ms);
        self.client.record_order(1, order, self.patient()).await.unwrap().body
    }

    /// An order paid now through a channel.
    pub async fn order_through(&self, channel: &str, member: u64, number: &str, yuan: i64) -> Answer {
        let order = self.paid(channel, member, number, yuan, self.clock.now_ms());
        self.client.record_order(1, order, self.patient()).await.unwrap()
    }

    fn paid(&self, channel: &str, member: u64, number: &str, yuan: i64, paid_at_ms: i64) -> RecordOrder {
        let text = |text: &str| Text::try_from(text).unwrap();
        RecordOrder {
            member: MemberKey::from_number(member),
            paid_at_ms,
            amount_minor: yuan * 100,
            brand: text(self.brand),
            channel: text(channel),
            store: Text::default(),
            number: text(number),
        }
    }

    /// The platform tells of an order that was paid now; its proof is of zeros for none.
    pub async fn report(&self, number: &str, yuan: i64, proof: u8) -> Answer {
        self.report_through("douyin", number, yuan, proof).await
    }

    pub async fn report_through(&self, channel: &str, number: &str, yuan: i64, proof: u8) -> Answer {
        let text = |text: &str| Text::try_from(text).unwrap();
        let body = ReportOrder {
            paid_at_ms: self.clock.now_ms(),
            amount_minor: yuan * 100,
            brand: text(self.brand),
            channel: text(channel),
            store: Text::default(),
            number: text(number),
            proof: Proof([proof; 16]),
        };
        self.client.report_order(1, body, self.patient()).await.unwrap()
    }

    pub async fn claim(&self, member: u64, number: &str, proof: u8) -> Answer {
        self.claim_through("douyin", member, number, proof).await
    }

    pub async fn claim_through(&self, channel: &str, member: u64, number: &str, proof: u8) -> Answer {
        let [channel, number] = [channel, number].map(|text| Text::try_from(text).unwrap());
        let body = ClaimOrder { member: MemberKey::from_number(member), channel, number, proof: Proof([proof; 16]) };
        self.client.claim_order(1, body, self.patient()).await.unwrap()
    }

    pub async fn claim_view(&self, member: u64, number: &str) -> ClaimView {
        self.claim_view_through("douyin", member, number).await
    }

    pub async fn claim_view_through(&self, channel: &str, member: u64, number: &str) -> ClaimView {
        let [channel, number] = [channel, number].map(|text| Text::try_from(text).unwrap());
        let asked = GetClaim { member: MemberKey::from_number(member), channel, number };
        let body = self.client.get_claim(1, asked, self.patient()).await.unwrap().body;
        let Body::ClaimView(view) = body else { panic!("{body:?}") };
        view
    }

    /// A checkout is held.
    pub async fn hold(&self, member: u64, basket: Basket) -> Answer {
        let text = |text: &str| Text::try_from(text).unwrap();
        let Basket { campaign, offers, store, points, lines, rights } = basket;
        let mut counts = Vec::new();
        for (sku, count) in offers {
            let (campaign, offer) = self.offer(campaign, sku);
            counts.push(OfferCount { campaign, offer, count: *count });
        }
        let line = |(sku, category, yuan): &(&str, &str, i64)| TenderLine {
            sku: text(sku),
            category: text(category),
            amount_minor: yuan * 100,
        };
        let body = Hold {
            member: MemberKey::from_number(member),
            for_ms: 0,
            store: text(store),
            points,
            lines: List::cut(lines.iter().map(line)),
            offers: List::cut(counts),
            rights: List::cut(rights.iter().map(|right| text(right))),
        };
        self.client.hold(1, body, self.patient()).await.unwrap()
    }

    pub async fn confirm(&self, member: u64, hold: RequestId) -> Answer {
        let body = Confirm { member: MemberKey::from_number(member), hold };
        self.client.confirm(1, body, self.patient()).await.unwrap()
    }

    /// So many of some offers, and so many of the points that pay part of an order.
    pub async fn confirm_part(
        &self,
        member: u64,
        hold: RequestId,
        (campaign, offers): (&str, &[(&str, u32)]),
        points: i64,
    ) -> Answer {
        let counts = offers.iter().map(|(sku, count)| {
            let (campaign, offer) = self.offer(campaign, sku);
            OfferCount { campaign, offer, count: *count }
        });
        let (offers, rights, member) = (List::cut(counts), List::default(), MemberKey::from_number(member));
        self.client.confirm_part(1, ConfirmPart { member, hold, points, offers, rights }, self.patient()).await.unwrap()
    }

    pub async fn cancel(&self, member: u64, hold: RequestId) -> Answer {
        let body = Cancel { member: MemberKey::from_number(member), hold };
        self.client.cancel(1, body, self.patient()).await.unwrap()
    }

    /// Of each quota of a campaign: how many there are, are used, and of these held.
    pub async fn quotas(&self, campaign: &str) -> Vec<(i64, u64, u64)> {
        let body = GetQuotas { campaign: 0, slug: Text::try_from(campaign).unwrap() };
        let body = self.client.get_quotas(1, body, self.patient()).await.unwrap().body;
        let Body::QuotasView(view) = body else { panic!("{body:?}") };
        view.quotas.as_slice().iter().map(|quota| (quota.total, quota.used, quota.held)).collect()
    }

    fn offer(&self, campaign: &str, sku: &str) -> (u32, u32) {
        let active = self.node.store.programmes().into_iter().next().unwrap();
        let campaign = active.programme.campaign_by_slug(campaign).unwrap();
        (campaign.number, campaign.offer_by_sku(sku).unwrap().number)
    }

    /// A member received an order at a reading of the clock.
    pub async fn received(&self, member: u64, number: &str, reading: &str) -> Answer {
        let [channel, number] = [self.channel, number].map(|text| Text::try_from(text).unwrap());
        let happened_ms = self.instant_ms(reading);
        let body = ConfirmReceipt { member: MemberKey::from_number(member), happened_ms, channel, number };
        self.client.confirm_receipt(1, body, self.patient()).await.unwrap()
    }

    pub async fn redeem(&self, member: u64, campaign: u32, offer: u32) -> Body {
        let body = Redeem { member: MemberKey::from_number(member), campaign, offer };
        self.client.redeem(1, body, self.patient()).await.unwrap().body
    }

    /// One of a campaign's offer, both by name.
    pub async fn redeem_named(&self, member: u64, campaign: &str, sku: &str) -> Body {
        let (campaign, offer) = self.offer(campaign, sku);
        self.redeem(member, campaign, offer).await
    }

    /// An order with lines.
    pub async fn sale(&self, member: u64, sale: Sale) -> Body {
        self.sale_answer(member, sale).await.body
    }

    pub async fn sale_answer(&self, member: u64, sale: Sale) -> Answer {
        let text = |text: &str| Text::try_from(text).unwrap();
        let line = |(category, amount_minor): &(&str, i64)| OrderLine {
            sku: text("SKU"),
            category: text(category),
            quantity: 1,
            amount_minor: *amount_minor,
            coupon_minor: sale.coupon_minor,
            points_minor: sale.points_minor,
        };
        let order = RecordOrderLines {
            member: MemberKey::from_number(member),
            paid_at_ms: sale.paid_at.map_or_else(|| self.clock.now_ms(), |reading| self.instant_ms(reading)),
            freight_minor: sale.freight_minor,
            brand: text(sale.brand),
            channel: text(sale.channel),
            store: text(sale.store),
            number: text(sale.number),
            lines: List::cut(sale.lines.iter().take(sale.count).map(line)),
        };
        self.client.record_order_lines(1, order, self.patient()).await.unwrap()
    }

    /// An activity that happens now.
    pub async fn act(&self, member: u64, activity: &str, key: &str, fields: &[(&str, i64)]) -> Body {
        self.act_answer(member, activity, key, fields).await.body
    }

    pub async fn act_answer(&self, member: u64, activity: &str, key: &str, fields: &[(&str, i64)]) -> Answer {
        self.acted(member, activity, key, self.clock.now_ms(), fields).await
    }

    pub async fn acted(
        &self,
        member: u64,
        activity: &str,
        key: &str,
        happened_ms: i64,
        fields: &[(&str, i64)],
    ) -> Answer {
        let text = |text: &str| Text::try_from(text).unwrap();
        let fields = fields.iter().map(|(name, value)| Field { name: text(name), value: *value });
        let (member, fields) = (MemberKey::from_number(member), List::cut(fields));
        let body = RecordActivity { member, happened_ms, activity: text(activity), key: text(key), fields };
        self.client.record_activity(1, body, self.patient()).await.unwrap()
    }

    pub async fn set_birthday(&self, member: u64, month: u8, day: u8) -> Answer {
        let body = SetBirthday { member: MemberKey::from_number(member), month, day };
        self.client.set_birthday(1, body, self.patient()).await.unwrap()
    }

    pub async fn use_right(&self, member: u64, right: &str) -> Body {
        self.use_right_answer(member, right).await.body
    }

    pub async fn use_right_answer(&self, member: u64, right: &str) -> Answer {
        let body = UseRight { member: MemberKey::from_number(member), right: Text::try_from(right).unwrap() };
        self.client.use_right(1, body, self.patient()).await.unwrap()
    }

    pub async fn standing(&self, member: u64) -> StandingView {
        let asked = GetStanding { member: MemberKey::from_number(member) };
        let body = self.client.get_standing(1, asked, self.patient()).await.unwrap().body;
        let Body::StandingView(view) = body else { panic!("{body:?}") };
        view
    }

    /// Rights, how many of each (0: as often as it likes), and when they expire.
    pub async fn rights(&self, member: u64) -> Vec<(String, u32, i64)> {
        let rights = self.standing(member).await.rights;
        rights.as_slice().iter().map(|right| (right.slug.to_string(), right.count, right.expires_ms)).collect()
    }

    /// The code of a refusal.
    pub fn refused(&self, answer: Answer) -> u16 {
        assert!(row(answer.code).is_some_and(|row| row.applied != Applied::Yes), "{answer:?}");
        answer.code
    }

    pub async fn member(&self, member: u64) -> MemberView {
        let asked = GetMember { member: MemberKey::from_number(member) };
        let body = self.client.get_member(1, asked, self.patient()).await.unwrap().body;
        let Body::MemberView(view) = body else { panic!("{body:?}") };
        view
    }

    pub async fn lots(&self, member: u64) -> LotsView {
        let asked = GetLots { member: MemberKey::from_number(member) };
        let body = self.client.get_lots(1, asked, self.patient()).await.unwrap().body;
        let Body::LotsView(view) = body else { panic!("{body:?}") };
        view
    }

    /// Points and the instants at which they expire, in the order in which they are spent.
    pub async fn expiries(&self, member: u64) -> Vec<(i64, i64)> {
        self.lots(member).await.lots.as_slice().iter().map(|lot| (lot.points, lot.expires_ms)).collect()
    }

    /// Ends it; the books balance.
    pub async fn close(mut self) {
        let books = self.node.store.books();
        assert!(books.balance(), "{books:?}");
        self.drain.notify_one();
        self.node.drain();
        self.server.take().unwrap().join().unwrap();
        self.node.stop().unwrap();
    }
}

/// A question: its quiz, its id, the right answer, all options, and from when until when it is open.
pub type Question = (&'static str, &'static str, &'static str, &'static [&'static str], &'static str, &'static str);

/// An order with lines: by default from Taobao, of the brand `house`, paid now.
#[derive(Debug, Clone, Copy)]
pub struct Sale {
    pub channel: &'static str,
    pub brand: &'static str,
    pub store: &'static str,
    pub number: &'static str,
    pub paid_at: Option<&'static str>,
    /// Category and amount of each line.
    pub lines: [(&'static str, i64); 4],
    pub count: usize,
    /// Of each line.
    pub coupon_minor: i64,
    pub points_minor: i64,
    pub freight_minor: i64,
}

impl Sale {
    pub fn of(lines: &[(&'static str, i64)]) -> Sale {
        let mut all = [("", 0); 4];
        all[..lines.len()].copy_from_slice(lines);
        Sale {
            channel: "taobao",
            brand: "house",
            store: "",
            number: "1",
            paid_at: None,
            lines: all,
            count: lines.len(),
            coupon_minor: 0,
            points_minor: 0,
            freight_minor: 0,
        }
    }
}

fn instant_ms(zone: &TimeZone, reading: &str) -> i64 {
    let reading: DateTime = reading.replace(' ', "T").parse().unwrap();
    zone.to_timestamp(reading).unwrap().as_millisecond()
}

/// A date as days since 1970-01-01.
pub fn local_day(date: &str) -> i32 {
    let date: jiff::civil::Date = date.parse().unwrap();
    jiff::civil::Date::constant(1970, 1, 1).until(date).unwrap().get_days()
}
