//! All points of a programme expire at one midnight, while members go on redeeming: what a request waits before it, and while the sweep
//! writes down what expired.
//!
//! Every member has points that live on, and a lot that expires at the midnight. Frames of 64 redemptions come on a schedule, whatever the
//! answers take (open loop); a frame's latency runs from its scheduled instant to the sync that lets its answers be told. There is no
//! network: store, log, disk and housekeeping are those of a server. `cargo bench --bench midnight [-- MEMBERS [RATE]]`, a million members
//! and 300,000 redemptions a second if not said otherwise.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tidegate::data::{self, Options, Seed};
use tidegate::programme::{Bundle, BundleFile};
use tidegate::server::clock::HandClock;
use tidegate::server::{Node, SnapshotPolicy};
use tidegate::storage::Disk;
use tidegate::store::{Limits, Scope, Turn};
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::operation::{CheckIn, Enrol, RecordOrder, Redeem};
use tidegate_protocol::{Encode, MemberKey, RequestId, Text, batch};

const BATCH: u64 = 64;
/// 2026-12-31 10:00 in Shanghai, and the midnight after it.
const START_MS: i64 = 1_798_682_400_000;
const MIDNIGHT_MS: i64 = START_MS + 14 * 3_600_000;
/// Before the midnight; behind it, at most so long.
const BEFORE: Duration = Duration::from_secs(10);
const BEHIND: Duration = Duration::from_secs(300);

const PROGRAMME: &str = r#"
programme = "midnight"
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["shop"]

[check-in]
points = 10
expires = "on 12-31"

[earning]
points = 1
per = "1.00"
rounding = "down"
expires = "never"

[campaign.always]
window = { every = "day", from = "00:00", until = "24:00" }

[[campaign.always.offer]]
sku = "SET-1"
price = { points = 1 }
quota = { each = "window", total = 4000000000 }
"#;

struct Run {
    node: Arc<Node>,
    clock: Arc<HandClock>,
    members: u64,
    serial: u64,
    turn: Turn,
    body: Vec<u8>,
    answers: Vec<u8>,
}

impl Run {
    fn new(directory: &std::path::Path, members: u64) -> Run {
        let limits = Limits { answers: members, members, orders: members, ..Limits::default() };
        let storage = Arc::new(Disk::open(directory).expect("an empty directory"));
        let options = Options { limits, ..Options::default() };
        let opened = data::open(storage, options, Some(Seed::random()), &mut |_| {}).expect("it opens");
        let clock = Arc::new(HandClock::at(START_MS));
        // No snapshot comes between.
        let policy = SnapshotPolicy { every: Duration::from_secs(86_400), log_bytes: u64::MAX };
        let node = Node::start(opened, clock.clone(), policy, limits.undurable_bytes).expect("threads start");
        let file = BundleFile { name: "programme.toml".into(), text: PROGRAMME.into() };
        let bundle = Bundle::from_files(vec![file]).expect("a small bundle");
        let activated = node.activate(bundle, 0, false).unwrap_or_else(|error| panic!("{error}"));
        node.log.watermark.wait(activated.epoch).expect("the log works");
        Run { node, clock, members, serial: 0, turn: Turn::default(), body: Vec::new(), answers: Vec::new() }
    }

    /// One frame of requests by these members; gives the epoch that they wait for.
    fn frame<T: Encode>(
        &mut self,
        now_ms: i64,
        (code, expected): (u16, u16),
        members: &[u64],
        body: impl Fn(u64) -> T,
    ) -> u64 {
        self.body.clear();
        let (start, count) = (batch::start_requests(&mut self.body), members.len() as u16);
        for member in members.iter().copied() {
            self.serial += 1;
            let mut random = [0; 10];
            random[2..].copy_from_slice(&self.serial.to_be_bytes());
            batch::push_entry(&mut self.body, code, 1, 60_000, RequestId::mint(now_ms, random), &body(member));
        }
        batch::finish_requests(&mut self.body, start, count);
        self.answers.clear();
        let at = batch::start_answers(&mut self.answers);
        let store = &self.node.store;
        let executed = store.execute(&mut self.turn, now_ms, &self.body, &Scope::All, None, &mut self.answers);
        let executed = executed.expect("a batch as it should be");
        batch::finish_answers(&mut self.answers, at, now_ms, executed.count);
        let answers = batch::Answers::new(&self.answers).expect("answers");
        assert!(answers.into_iter().all(|answer| answer.is_ok_and(|answer| answer.code == expected)));
        self.node.log.doorbell.ring();
        executed.epoch
    }

    fn all<T: Encode>(&mut self, codes: (u16, u16), body: impl Fn(u64) -> T) {
        for first in (0..self.members).step_by(BATCH as usize) {
            let members: Vec<u64> = (first..self.members.min(first + BATCH)).collect();
            let epoch = self.frame(START_MS, codes, &members, &body);
            // Far below what may wait.
            if first / BATCH % 64 == 63 {
                self.node.log.watermark.wait(epoch).expect("the log works");
            }
        }
    }

    /// Redemptions on a schedule until `over` says so, the clock of the server running on from `from_ms`.
    fn redeem(
        &mut self,
        rate: u64,
        from_ms: i64,
        over: impl Fn(Duration, &Node) -> bool,
    ) -> (Histogram<u64>, Duration) {
        let (sent, due) = mpsc::channel::<(Instant, u64)>();
        let node = Arc::clone(&self.node);
        let waits = std::thread::spawn(move || {
            let mut latencies = Histogram::new(3).expect("a histogram");
            for (scheduled, epoch) in due {
                node.log.watermark.wait(epoch).expect("the log works");
                latencies.saturating_record(scheduled.elapsed().as_micros() as u64);
            }
            latencies
        });
        let (began, every) = (Instant::now(), Duration::from_nanos(1_000_000_000 * BATCH / rate));
        let (mut scheduled, mut looked) = (began, began);
        loop {
            while Instant::now() < scheduled {
                std::thread::yield_now();
            }
            let now_ms = from_ms + began.elapsed().as_millis() as i64;
            self.clock.set(now_ms);
            let (first, members) = (self.serial.wrapping_mul(0x9e37_79b9_7f4a_7c15), self.members);
            let chosen: [u64; BATCH as usize] = std::array::from_fn(|nth| {
                first.wrapping_add((nth as u64).wrapping_mul(0x2545_f491_4f6c_dd1d)) % members
            });
            let codes = (op::REDEEM, answer::GRANTED);
            let redeem = |member| Redeem { member: MemberKey::from_number(member), campaign: 1, offer: 1 };
            let epoch = self.frame(now_ms, codes, &chosen, redeem);
            sent.send((scheduled, epoch)).expect("it waits");
            scheduled += every;
            if looked.elapsed() > Duration::from_millis(200) {
                looked = Instant::now();
                if over(began.elapsed(), &self.node) {
                    break;
                }
            }
        }
        drop(sent);
        (waits.join().expect("it waits to the end"), began.elapsed())
    }
}

fn report(what: &str, (latencies, took): &(Histogram<u64>, Duration)) {
    let ms = |quantile| latencies.value_at_quantile(quantile) as f64 / 1000.0;
    let rate = latencies.len() as f64 * BATCH as f64 / took.as_secs_f64();
    println!(
        "{what}: {:.1} s, {rate:.0} redemptions a second; p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, most {:.2} ms",
        took.as_secs_f64(),
        ms(0.5),
        ms(0.99),
        ms(0.999),
        latencies.max() as f64 / 1000.0
    );
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter(|it| it != "--bench").map(|it| it.parse().expect("a number"));
    let (members, rate) = (numbers.next().unwrap_or(1_000_000), numbers.next().unwrap_or(300_000));
    let directory = tempfile::tempdir_in(".").expect("a temporary directory");
    let mut run = Run::new(directory.path(), members);
    let text = |text: &str| Text::try_from(text).expect("short");
    run.all((op::ENROL, answer::ENROLLED), |member| Enrol { member: MemberKey::from_number(member) });
    run.all((op::CHECK_IN, answer::CHECKED_IN), |member| CheckIn { member: MemberKey::from_number(member) });
    run.all((op::RECORD_ORDER, answer::RECORDED), |member| RecordOrder {
        member: MemberKey::from_number(member),
        paid_at_ms: START_MS - 1000,
        amount_minor: 10_000_000,
        brand: text("house"),
        channel: text("shop"),
        store: Text::default(),
        number: text(&member.to_string()),
    });
    println!("{members} members, each with a lot of 10 points that expires at midnight");
    let before = run.redeem(rate, MIDNIGHT_MS - 60_000, |took, _| took >= BEFORE);
    report("before midnight", &before);
    // Asking the books would stop everything.
    let behind =
        run.redeem(rate, MIDNIGHT_MS, |took, node| node.store.swept_through_ms() > MIDNIGHT_MS || took >= BEHIND);
    report("from midnight until the sweep is done", &behind);
    let books = run.node.store.books();
    let expired = books.programmes[0].expired;
    assert!(books.balance(), "{books:?}");
    println!("{expired} points expired, and the books balance");
    run.node.stop().expect("the log works");
}
