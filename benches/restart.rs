//! How fast a directory is recovered: from a snapshot, and from the log alone, on one thread and on several, by turns, each
//! in a process of its own.
//!
//! `cargo bench --bench restart -- [MEMBERS [ROUNDS]]`, a million members and three rounds if nothing is said. Each member has
//! enrolled, checked in and made an order; for the log it has redeemed eight times besides: twenty records a member.
//! `… -- make snapshot|log DIR MEMBERS` only makes a directory, `… -- read DIR WORKERS` only reads one.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use tidegate::data::{self, Opened, Options, Seed};
use tidegate::programme::{Bundle, BundleFile};
use tidegate::storage::Disk;
use tidegate::store::{Limits, Scope, Turn};
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::operation::{CheckIn, Enrol, RecordOrder, Redeem};
use tidegate_protocol::{Encode, MemberKey, RequestId, Text, batch};

const BATCH: u64 = 250;
/// Requests in an epoch: what a million a second make in a millisecond.
const EPOCH: u64 = 1_000;
const START_MS: i64 = 1_790_000_000_000;

const PROGRAMME: &str = r#"
programme = "restart"
title = { en = "Restart", zh = "重启" }
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["shop"]

[check-in]
points = 10

[earning]
points = 1
per = "1.00"
rounding = "down"

[campaign.year]
title = { en = "Year", zh = "全年" }
window = { every = "year", from = "01-01 00:00", until = "12-31 24:00" }
per_member = { times = 100, each = "window", over = "all offers" }

[[campaign.year.offer]]
sku = "SET"
title = { en = "Set", zh = "套装" }
price = { points = 1 }
quota = { each = "window", total = 4000000000 }
"#;

/// A directory that is being filled.
struct Filling {
    opened: Opened,
    members: u64,
    now_ms: i64,
    serial: u64,
}

impl Filling {
    fn new(directory: &Path, members: u64) -> Filling {
        let storage = Arc::new(Disk::open(directory).expect("an empty directory"));
        let limits = Limits { members, ..Limits::default() };
        let options = Options { limits, ..Options::default() };
        let mut opened = data::open(storage, options, Some(Seed::random()), &mut |_| {}).expect("it opens");
        let file = BundleFile { name: "programme.toml".into(), text: PROGRAMME.into() };
        let bundle = Bundle::from_files(vec![file]).expect("a small bundle");
        opened.store.activate(bundle, 0, false, START_MS).unwrap_or_else(|error| panic!("{error}"));
        while opened.store.has_ended_epochs() || opened.store.is_dirty() {
            opened.flusher.turn().expect("the log works");
        }
        Filling { opened, members, now_ms: START_MS, serial: 0 }
    }

    /// One operation of every member, in an order that finds no neighbours together.
    fn all<T: Encode>(&mut self, code: u16, expected: u16, body: impl Fn(u64) -> T) {
        let (mut turn, mut bytes, mut answers) = (Turn::default(), Vec::new(), Vec::new());
        for first in (0..self.members).step_by(BATCH as usize) {
            bytes.clear();
            let start = batch::start_requests(&mut bytes);
            let last = (first + BATCH).min(self.members);
            for number in first..last {
                let member = number.wrapping_mul(7_919) % self.members;
                self.serial += 1;
                let mut random = [0; 10];
                random[2..].copy_from_slice(&self.serial.to_be_bytes());
                let id = RequestId::mint(self.now_ms, random);
                batch::push_entry(&mut bytes, code, 1, 60_000, id, &body(member));
            }
            batch::finish_requests(&mut bytes, start, (last - first) as u16);
            answers.clear();
            let at = batch::start_answers(&mut answers);
            let executed = self.opened.store.execute(&mut turn, self.now_ms, &bytes, &Scope::All, None, &mut answers);
            batch::finish_answers(&mut answers, at, self.now_ms, executed.expect("a batch as it should be").count);
            let answers = batch::Answers::new(&answers).expect("answers");
            assert!(answers.into_iter().all(|answer| answer.is_ok_and(|answer| answer.code == expected)));
            if last.is_multiple_of(EPOCH) || last == self.members {
                self.opened.flusher.turn().expect("the log works");
                self.now_ms += 1;
            }
        }
    }

    fn enrolled_with_points(&mut self) {
        let (key, paid_at_ms) = (MemberKey::from_number, START_MS - 1_000);
        let text = |text: &str| Text::try_from(text).expect("short");
        self.all(op::ENROL, answer::ENROLLED, |member| Enrol { member: key(member) });
        self.all(op::CHECK_IN, answer::CHECKED_IN, |member| CheckIn { member: key(member) });
        self.all(op::RECORD_ORDER, answer::RECORDED, |member| RecordOrder {
            member: key(member),
            paid_at_ms,
            amount_minor: 12_300,
            brand: text("house"),
            channel: text("shop"),
            store: Text::default(),
            number: text(&format!("{member}")),
        });
    }
}

fn make(what: &str, directory: &Path, members: u64) {
    let mut filling = Filling::new(directory, members);
    filling.enrolled_with_points();
    if what == "snapshot" {
        let written = filling.opened.snapshotter.write(filling.now_ms, |_| {}).expect("a snapshot");
        filling.opened.flusher.turn().expect("the log works");
        let log = filling.opened.flusher.state();
        let (durable, head) = (log.watermark.durable(), log.counters().1);
        filling.opened.snapshotter.publish(written, durable, head, &[]).expect("a manifest");
    } else {
        for _ in 0..8 {
            filling.all(op::REDEEM, answer::GRANTED, |member| Redeem {
                member: MemberKey::from_number(member),
                campaign: 1,
                offer: 1,
            });
        }
    }
    filling.opened.flusher.close().expect("the log works");
}

/// Seconds that recovery took, members and records there were.
fn read(directory: &Path, workers: usize) -> (f64, u64, u64) {
    let storage = Arc::new(Disk::open(directory).expect("a directory that was made"));
    let options = Options { workers, ..Options::default() };
    let began = Instant::now();
    let opened = data::open(storage, options, None, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    let took = began.elapsed().as_secs_f64();
    (took, opened.store.member_count(), opened.recovery.records)
}

fn own(arguments: &[&str]) -> String {
    let own = std::env::current_exe().expect("the running binary");
    // As docs/operating.md recommends, and as the load tests start their servers.
    let output = Command::new(&own).args(arguments).env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1").output();
    let output = output.expect("it starts again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn compare(members: u64, rounds: u32) {
    let workers = Options::default().workers.to_string();
    for what in ["snapshot", "log"] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().to_str().expect("a plain path");
        own(&["make", what, path, &members.to_string()]);
        for _ in 0..rounds {
            for workers in ["0", &workers] {
                println!("{what}, {workers} workers: {}", own(&["read", path, workers]));
            }
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match arguments[..] {
        ["make", what, directory, members] => make(what, Path::new(directory), number(members)),
        ["read", directory, workers] => {
            let (took, members, records) = read(Path::new(directory), number(workers) as usize);
            let (of_members, of_records) = (members as f64 / took / 1e6, records as f64 / took / 1e6);
            println!("{took:.2} s, {of_members:.2} M members/s, {of_records:.2} M records/s");
        }
        [] => compare(1_000_000, 3),
        [members] => compare(number(members), 3),
        [members, rounds, ..] => compare(number(members), number(rounds) as u32),
    }
}
