//! Bytes a member, measured: (resident memory − that of the empty node) / members, at a million members (or as many as are
//! asked for) that each made eight operations (enrol, three check-ins, two orders, two redemptions), and six without the
//! orders, which leaves them one lot of points; or check in every month instead, which leaves twelve lots. The pool remembers one
//! answer a member, which is a window of four for every fourth.
//!
//! Each case runs in a process of its own, so that none inherits another's heap. `cargo bench --bench memory [-- MEMBERS]`,
//! a minute for each million.

use std::process::Command;
use std::sync::Arc;

use tidegate::data::{self, Options, Seed};
use tidegate::programme::{Bundle, BundleFile};
use tidegate::server::clock::HandClock;
use tidegate::server::{Node, SnapshotPolicy};
use tidegate::storage::Disk;
use tidegate::store::{Limits, Scope, Turn};
use tidegate_protocol::code::op;
use tidegate_protocol::operation::{CheckIn, Enrol, RecordOrder, Redeem};
use tidegate_protocol::{Encode, MemberKey, RequestId, Text, batch};

const BATCH: u64 = 250;
const DAY_MS: i64 = 24 * 3_600_000;
const START_MS: i64 = 1_790_000_000_000;

const PROGRAMME: &str = r#"
programme = "memory"
title = { en = "Memory", zh = "内存" }
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["shop"]

[points]
expires = "12 months from grant, to end of month"

[check-in]
points = 10

[earning]
points = 1
per = "1.00"
rounding = "down"

[campaign.first]
title = { en = "First", zh = "第一" }
window = { every = "year", from = "01-01 00:00", until = "12-31 24:00" }
per_member = { times = 5, each = "window", over = "all offers" }

[[campaign.first.offer]]
sku = "SET-1"
title = { en = "Set", zh = "套装" }
price = { points = 1 }
quota = { each = "window", total = 4000000000 }

[campaign.second]
title = { en = "Second", zh = "第二" }
window = { every = "year", from = "01-01 00:00", until = "12-31 24:00" }
per_member = { times = 5, each = "window", over = "all offers" }

[[campaign.second.offer]]
sku = "SET-2"
title = { en = "Set", zh = "套装" }
price = { points = 1 }
quota = { each = "window", total = 4000000000 }
"#;

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it stands there");
    line.split_ascii_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

struct Run {
    members: u64,
    node: Arc<Node>,
    clock: Arc<HandClock>,
    now_ms: i64,
    serial: u64,
    turn: Turn,
    body: Vec<u8>,
    answers: Vec<u8>,
}

impl Run {
    fn new(directory: &std::path::Path, members: u64) -> Run {
        let limits = Limits { answers: members, members, orders: 2 * members, ..Limits::default() };
        let storage = Arc::new(Disk::open(directory).expect("an empty directory"));
        let options = Options { limits, ..Options::default() };
        let opened = data::open(storage, options, Some(Seed::random()), &mut |_| {}).expect("it opens");
        let clock = Arc::new(HandClock::at(START_MS));
        let node = Node::start(opened, clock.clone(), SnapshotPolicy::default(), limits.undurable_bytes);
        let node = node.expect("threads start");
        let file = BundleFile { name: "programme.toml".into(), text: PROGRAMME.into() };
        let bundle = Bundle::from_files(vec![file]).expect("a small bundle");
        let activated = node.activate(bundle, 0, false).unwrap_or_else(|error| panic!("{error}"));
        node.log.watermark.wait(activated.epoch).expect("the log works");
        let (turn, body, answers) = (Turn::default(), Vec::new(), Vec::new());
        Run { members, node, clock, now_ms: START_MS, serial: 0, turn, body, answers }
    }

    /// One operation of every member.
    fn all<T: Encode>(&mut self, code: u16, expected: u16, body: impl Fn(u64, i64) -> T) {
        for first in (0..self.members).step_by(BATCH as usize) {
            self.body.clear();
            let start = batch::start_requests(&mut self.body);
            for member in first..self.members.min(first + BATCH) {
                self.serial += 1;
                let mut random = [0; 10];
                random[2..].copy_from_slice(&self.serial.to_be_bytes());
                let id = RequestId::mint(self.now_ms, random);
                batch::push_entry(&mut self.body, code, 1, 60_000, id, &body(member, self.now_ms));
            }
            batch::finish_requests(&mut self.body, start, BATCH.min(self.members - first) as u16);
            self.answers.clear();
            let at = batch::start_answers(&mut self.answers);
            let store = &self.node.store;
            let executed = store.execute(&mut self.turn, self.now_ms, &self.body, &Scope::All, None, &mut self.answers);
            let executed = executed.expect("a batch as it should be");
            batch::finish_answers(&mut self.answers, at, self.now_ms, executed.count);
            let answers = batch::Answers::new(&self.answers).expect("answers");
            assert!(answers.into_iter().all(|answer| answer.is_ok_and(|answer| answer.code == expected)));
            self.node.log.doorbell.ring();
            self.node.log.watermark.wait(executed.epoch).expect("the log works");
            self.now_ms += 1;
            self.clock.set(self.now_ms);
        }
    }

    fn pass(&mut self, days: i64) {
        self.now_ms += days * DAY_MS;
        self.clock.set(self.now_ms);
    }
}

fn order(member: u64, which: u64, now_ms: i64) -> RecordOrder {
    let text = |text: &str| Text::try_from(text).expect("short");
    RecordOrder {
        member: MemberKey::from_number(member),
        paid_at_ms: now_ms - 1000,
        amount_minor: 12_300,
        brand: text("house"),
        channel: text("shop"),
        store: Text::default(),
        number: text(&format!("{which}-{member}")),
    }
}

/// What members do beside enrolling and redeeming.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    what: &'static str,
    check_ins: u64,
    /// Between two of them.
    days: i64,
    orders: u64,
}

const CASES: [Case; 3] = [
    Case { name: "orders", what: "with two orders", check_ins: 3, days: 1, orders: 2 },
    Case { name: "one", what: "without orders, one lot", check_ins: 3, days: 1, orders: 0 },
    Case { name: "twelve", what: "without orders, twelve monthly lots", check_ins: 12, days: 30, orders: 0 },
];

fn measure(members: u64, case: Case) {
    use tidegate_protocol::code::answer;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut run = Run::new(directory.path(), members);
    let empty = resident_bytes();
    let key = MemberKey::from_number;
    run.all(op::ENROL, answer::ENROLLED, |member, _| Enrol { member: key(member) });
    for _ in 0..case.check_ins {
        run.pass(case.days);
        run.all(op::CHECK_IN, answer::CHECKED_IN, |member, _| CheckIn { member: key(member) });
    }
    for which in 0..case.orders {
        run.all(op::RECORD_ORDER, answer::RECORDED, |member, now_ms| order(member, which, now_ms));
    }
    for campaign in 1..=2 {
        run.all(op::REDEEM, answer::GRANTED, |member, _| Redeem { member: key(member), campaign, offer: 1 });
    }
    let full = resident_bytes();
    let per_member = (full - empty) as f64 / members as f64;
    println!("{}: {per_member:.1} bytes a member ({} MiB empty, {} MiB full)", case.what, empty >> 20, full >> 20);
    run.node.stop().expect("the log works");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let members = |text: &String| text.parse().expect("a number of members");
    match &arguments[..] {
        [name, count] => {
            let case = CASES.into_iter().find(|case| case.name == name).expect("one of the cases");
            measure(members(count), case);
        }
        others => {
            let count = others.first().map_or(1_000_000, members);
            let own = std::env::current_exe().expect("the running binary");
            for case in CASES {
                // As docs/operating.md recommends, and as the load tests start their servers.
                let status = Command::new(&own)
                    .args([case.name, &count.to_string()])
                    .env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
                    .status()
                    .expect("it starts again");
                assert!(status.success());
            }
        }
    }
}
