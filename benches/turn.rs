//! What a turn costs without network and disk: decode, lock, decide, apply, append, answer. Batches of 64 over 100,000
//! members, so that members come from memory and not from the cache.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::programme::{Bundle, BundleFile};
use tidegate::store::{HashKeys, Limits, Scope, Shape, Store, Turn};
use tidegate_protocol::code::op;
use tidegate_protocol::operation::{CheckIn, Enrol, GetMember, RecordOrder, Redeem};
use tidegate_protocol::{Encode, MemberKey, RequestId, Text, batch};

const MEMBERS: u64 = 100_000;
const BATCH: u64 = 64;
const NOW_MS: i64 = 1_790_000_000_000;

const PROGRAMME: &str = r#"
programme = "bench"
title = { en = "Bench", zh = "基准" }
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["shop"]

[[tier]]
slug = "basic"
title = { en = "Basic", zh = "普通" }
from = 0

[check-in]
points = 1

[earning]
points = 1
per = "1.00"
rounding = "down"

[campaign.sale]
title = { en = "Sale", zh = "促销" }
window = { every = "year", from = "01-01 00:00", until = "12-31 24:00" }
per_member = { times = 1000000, each = "window", over = "all offers" }
quota = { each = "window", total = 4000000000 }

[[campaign.sale.offer]]
sku = "SET-1"
title = { en = "Set", zh = "套装" }
price = { points = 1 }
quota = { each = "window", total = 4000000000, by_tier = { basic = 4000000000 } }
"#;

/// A store and a stream of batches.
struct Bench {
    store: Store,
    turn: Turn,
    body: Vec<u8>,
    answers: Vec<u8>,
    now_ms: i64,
    serial: u64,
    random: u64,
}

impl Bench {
    fn new() -> Bench {
        let keys = HashKeys { short: [1; 16], long: [2; 16] };
        let store =
            Store::new(Shape { shards: 64, keys, lineage: 0 }, Limits { answers: MEMBERS, ..Limits::default() }, 1);
        let file = BundleFile { name: "programme.toml".into(), text: PROGRAMME.into() };
        let bundle = Bundle::from_files(vec![file]).expect("a small bundle");
        store.activate(bundle, 0, false, NOW_MS).unwrap_or_else(|error| panic!("{error}"));
        let mut bench = Bench {
            store,
            turn: Turn::default(),
            body: Vec::new(),
            answers: Vec::new(),
            now_ms: NOW_MS,
            serial: 0,
            random: 1,
        };
        for first in (0..MEMBERS).step_by(BATCH as usize) {
            bench.batch(op::ENROL, |at, _| Enrol { member: MemberKey::from_number(first + at) });
            bench.batch(op::RECORD_ORDER, |at, serial| order(first + at, serial, 100_000_000_000, NOW_MS));
        }
        bench
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    fn member(&mut self) -> MemberKey {
        MemberKey::from_number(self.below(MEMBERS))
    }

    /// A fifth of the members comes four times of five, so that theirs are most of the remembered answers.
    fn skewed_member(&mut self) -> MemberKey {
        let hot = MEMBERS / 5;
        MemberKey::from_number(if self.below(5) < 4 { self.below(hot) } else { hot + self.below(MEMBERS - hot) })
    }

    /// Runs one batch of one operation.
    fn batch<T: Encode>(&mut self, code: u16, mut body: impl FnMut(u64, u64) -> T) {
        self.body.clear();
        let start = batch::start_requests(&mut self.body);
        for at in 0..BATCH {
            self.serial += 1;
            let mut random = [0; 10];
            random[2..].copy_from_slice(&self.serial.to_be_bytes());
            let id = RequestId::mint(self.now_ms, random);
            batch::push_entry(&mut self.body, code, 1, 60_000, id, &body(at, self.serial));
        }
        batch::finish_requests(&mut self.body, start, BATCH as u16);
        self.now_ms += i64::from(self.serial.is_multiple_of(1024));
        self.answers.clear();
        let executed =
            self.store.execute(&mut self.turn, self.now_ms, &self.body, &Scope::All, None, &mut self.answers);
        assert!(executed.is_ok_and(|executed| executed.count == BATCH as u16));
        if self.store.undurable_bytes() > 1 << 18 {
            let cut = self.store.cut();
            self.store.made_durable(cut);
        }
    }
}

fn order(member: u64, serial: u64, amount_minor: i64, now_ms: i64) -> RecordOrder {
    RecordOrder {
        member: MemberKey::from_number(member),
        paid_at_ms: now_ms - 1000,
        amount_minor,
        brand: Text::try_from("house").expect("short"),
        channel: Text::try_from("shop").expect("short"),
        store: Text::default(),
        number: Text::try_from(format!("{serial:016}").as_str()).expect("short"),
    }
}

fn turns(criterion: &mut Criterion) {
    let mut bench = Bench::new();
    let mut group = criterion.benchmark_group("turn of 64");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("redeem", |bencher| {
        bencher.iter(|| {
            let members: Vec<MemberKey> = (0..BATCH).map(|_| bench.member()).collect();
            bench.batch(op::REDEEM, |at, _| Redeem { member: members[at as usize], campaign: 1, offer: 1 });
        });
    });
    group.bench_function("get member", |bencher| {
        bencher.iter(|| {
            let members: Vec<MemberKey> = (0..BATCH).map(|_| bench.member()).collect();
            bench.batch(op::GET_MEMBER, |at, _| GetMember { member: members[at as usize] });
        });
    });
    group.bench_function("check in, refused", |bencher| {
        bencher.iter(|| {
            let members: Vec<MemberKey> = (0..BATCH).map(|_| bench.member()).collect();
            bench.batch(op::CHECK_IN, |at, _| CheckIn { member: members[at as usize] });
        });
    });
    group.bench_function("check in", |bencher| {
        let mut next = 0;
        bencher.iter(|| {
            // Another day, once all have checked in.
            bench.now_ms += if next == 0 { 24 * 3_600_000 } else { 0 };
            bench
                .batch(op::CHECK_IN, |at, _| CheckIn { member: MemberKey::from_number((next + at) * 1_237 % MEMBERS) });
            next = (next + BATCH) % (MEMBERS - MEMBERS % BATCH);
        });
    });
    group.bench_function("record order", |bencher| {
        bencher.iter(|| {
            let members: Vec<u64> = (0..BATCH).map(|_| bench.serial % MEMBERS).collect();
            let now_ms = bench.now_ms;
            bench.batch(op::RECORD_ORDER, |at, serial| order(members[at as usize], serial, 100, now_ms));
        });
    });
    group.bench_function("redeem, skewed", |bencher| {
        bencher.iter(|| {
            let members: Vec<MemberKey> = (0..BATCH).map(|_| bench.skewed_member()).collect();
            bench.batch(op::REDEEM, |at, _| Redeem { member: members[at as usize], campaign: 1, offer: 1 });
        });
    });
    group.finish();
}

criterion_group!(benches, turns);
criterion_main!(benches);
