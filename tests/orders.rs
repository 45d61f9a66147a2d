//! A year of real orders through a programme whose points expire with the month three months on and whose tiers are by a year's spending, while
//! members spend: every balance and tier that an answer tells, and every total of the books, against a computation that knows no engine, no zone
//! and no instant, only the dates as they are written in the file.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod asking;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asking::{ask, bundle, id, member, request, text};
use flate2::read::GzDecoder;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tidegate::data::{self, Options, Seed};
use tidegate::storage::Memory;
use tidegate::store::Limits;
use tidegate_protocol::Encode;
use tidegate_protocol::answer::{Granted, MemberView, Recorded};
use tidegate_protocol::code::{answer, op};
use tidegate_protocol::operation::{Enrol, GetMember, RecordOrder, Redeem};
use tidegate_protocol::refusal::NotEnoughPoints;

const ORDERS: &[u8] = include_bytes!("data/journey-orders.csv.gz");
/// What the tiers take within a year, in minor units; what the cup costs in each; and what is given to who enters it.
const FROM_MINOR: [i64; 3] = [0, 30_000, 150_000];
const PRICES: [i64; 3] = [150, 140, 120];
const ENTRY: [i64; 3] = [0, 10, 75];
/// Months that points live beside that in which they are given.
const MONTHS: i32 = 3;

/// The columns: member_id, order_no, paid_at, store, amount_cents.
type Row = (u64, String, String, String, i64);

/// A member's points by the month in which they were given, counted from the year 0.
#[derive(Default)]
struct Due {
    by_month: BTreeMap<i32, i64>,
    earned: i64,
    spent: i64,
    expired: i64,
    /// By year: what was spent in money.
    paid_minor: BTreeMap<i32, i64>,
    tier: usize,
}

impl Due {
    /// What is left in a month: what was given longer ago is gone.
    fn balance(&mut self, month: i32) -> i64 {
        while let Some(first) = self.by_month.first_entry().filter(|first| *first.key() + MONTHS < month) {
            self.expired += first.remove();
        }
        self.by_month.values().sum()
    }

    /// An order of a year: its points, and those of every tier that it leads into. A tier of the year before is held to the end of the next.
    fn order(&mut self, year: i32, amount_minor: i64) -> i64 {
        let paid = self.paid_minor.entry(year).or_default();
        *paid += amount_minor;
        let reached = FROM_MINOR.iter().rposition(|from| *from <= *paid).unwrap();
        let entered: i64 = (self.tier + 1..=reached).map(|tier| ENTRY[tier]).sum();
        self.tier = self.tier.max(reached);
        amount_minor / 100 + entered
    }

    /// The tier that its best year came to.
    fn best(&self) -> usize {
        let most = self.paid_minor.values().max().copied().unwrap_or(0);
        FROM_MINOR.iter().rposition(|from| *from <= most).unwrap()
    }

    fn spend(&mut self, mut points: i64) {
        self.spent += points;
        while points > 0 {
            let mut first = self.by_month.first_entry().unwrap();
            let taken = points.min(*first.get());
            *first.get_mut() -= taken;
            points -= taken;
            if *first.get() == 0 {
                first.remove();
            }
        }
    }
}

fn month_of(date: &str) -> i32 {
    let (year, month) = (date[..4].parse::<i32>().unwrap(), date[5..7].parse::<i32>().unwrap());
    year * 12 + month - 1
}

fn programme(stores: &BTreeSet<&str>) -> String {
    let channels: Vec<String> = stores.iter().map(|store| format!("\"{store}\"")).collect();
    format!(
        r#"
programme = "journey"
zone = "America/New_York"
currency = "USD"
brands = ["house"]
channels = [{}]
[tiers]
by = "spend"
over = "year"
keeps = "0 months from entry, to end of year"
falls = "to fit"
[[tier]]
slug = "first"
from = "0"
[[tier]]
slug = "second"
from = "{}.00"
entry = {{ points = {} }}
[[tier]]
slug = "third"
from = "{}.00"
entry = {{ points = {} }}
[points]
expires = "{MONTHS} months from grant, to end of month"
[earning]
points = 1
per = "1.00"
rounding = "down"
[campaign.always]
window = {{ every = "day", from = "00:00", until = "24:00" }}
[[campaign.always.offer]]
sku = "CUP"
price = {{ first = {{ points = {} }}, second = {{ points = {} }}, third = {{ points = {} }} }}
"#,
        channels.join(", "),
        FROM_MINOR[1] / 100,
        ENTRY[1],
        FROM_MINOR[2] / 100,
        ENTRY[2],
        PRICES[0],
        PRICES[1],
        PRICES[2],
    )
}

#[test]
fn a_year_of_real_orders_comes_to_what_the_file_says() {
    let mut reader = csv::Reader::from_reader(GzDecoder::new(ORDERS));
    let rows: Vec<Row> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 155_848);
    let zone = TimeZone::get("America/New_York").unwrap();
    let instant = |local: &str| zone.to_timestamp(local.parse::<DateTime>().unwrap()).unwrap().as_millisecond();
    let stores: BTreeSet<&str> = rows.iter().map(|row| row.3.as_str()).collect();

    let limits = Limits { members: 10_000, orders: 200_000, answers: 4_000, ..Limits::default() };
    let options = Options { limits, workers: 0, ..Options::default() };
    let mut opened = data::open(Arc::new(Memory::new()), options, Some(Seed::random()), &mut |_| {}).unwrap();
    let store = opened.store.clone();
    let start_ms = instant("2017-01-01T00:00:00");
    store.activate(bundle(&programme(&stores)), 0, false, start_ms).unwrap();

    let (mut due, mut minted, mut now_ms) = (BTreeMap::<u64, Due>::new(), 0, start_ms);
    let put = |now_ms: i64, bytes: Vec<u8>| ask(&store, now_ms, &bytes);
    for (at, (who, number, paid_at, shop, amount_minor)) in rows.iter().enumerate() {
        let month = month_of(paid_at);
        now_ms = now_ms.max(instant(paid_at));
        let mut asked = |code: u16, body: &dyn Put| {
            minted += 1;
            put(now_ms, body.request(code, id(now_ms, minted)))
        };
        let known = due.entry(*who).or_insert_with(|| {
            assert_eq!(asked(op::ENROL, &Enrol { member: member(*who) }).code, answer::ENROLLED);
            Due::default()
        });
        let order = RecordOrder {
            member: member(*who),
            paid_at_ms: now_ms,
            amount_minor: *amount_minor,
            brand: text("house"),
            channel: text(shop),
            store: text(shop),
            number: text(number),
        };
        let before = known.balance(month);
        let points = known.order(month.div_euclid(12), *amount_minor);
        *known.by_month.entry(month).or_default() += points;
        known.earned += points;
        let told: Recorded = asked(op::RECORD_ORDER, &order).read();
        let tier = known.tier as u8 + 1;
        assert_eq!(
            (told.before, told.after, told.tier),
            (before, before + points, tier),
            "order {number} of {who} at {paid_at}"
        );
        // Now and then a member spends, or learns that it cannot.
        if at % 7 == 0 {
            let told = asked(op::REDEEM, &Redeem { member: member(*who), campaign: 1, offer: 1 });
            let balance = known.balance(month);
            let price = PRICES[known.tier];
            if balance >= price {
                known.spend(price);
                let told: Granted = told.read();
                assert_eq!((told.before, told.after), (balance, balance - price), "{who} at {paid_at}");
            } else {
                assert_eq!((told.code, told.read::<NotEnoughPoints>().balance), (answer::NOT_ENOUGH_POINTS, balance));
            }
        }
        if at % 500 == 0 {
            // The sweep falls behind on purpose: what it did not come to holds all the same.
            store.sweep(now_ms, 40);
            while store.is_dirty() || store.has_ended_epochs() {
                opened.flusher.turn().unwrap();
            }
        }
    }
    let dates = ["2018-01-01T00:00:00", "2018-02-28T23:59:59", "2018-03-31T23:59:59", "2018-04-01T00:00:00"];
    // A year without orders: by its end nobody has kept a tier.
    for date in dates.into_iter().chain(["2018-12-31T23:59:59", "2019-01-01T00:00:00"]) {
        now_ms = instant(date);
        if date == "2019-01-01T00:00:00" {
            due.values_mut().for_each(|known| known.tier = 0);
        }
        for (who, known) in &mut due {
            minted += 1;
            let view: MemberView =
                put(now_ms, GetMember { member: member(*who) }.request(op::GET_MEMBER, id(now_ms, minted))).read();
            let (balance, tier) = (known.balance(month_of(date)), known.tier as u8 + 1);
            assert_eq!((view.balance, view.earned, view.tier), (balance, known.earned, tier), "{who} at {date}");
        }
        while store.sweep(now_ms, 10_000) > 0 {
            while store.is_dirty() || store.has_ended_epochs() {
                opened.flusher.turn().unwrap();
            }
        }
        let (books, sum) = (store.books(), |of: fn(&Due) -> i64| due.values().map(of).sum::<i64>());
        assert!(books.balance(), "{books:?}");
        let journey = &books.programmes[0];
        assert_eq!(
            (journey.issued, journey.spent, journey.expired),
            (sum(|it| it.earned), sum(|it| it.spent), sum(|it| it.expired))
        );
        assert_eq!(journey.live, sum(|it| it.by_month.values().sum()));
    }
    let tiers = |tier: usize| due.values().filter(|known| known.best() == tier).count();
    assert!((0..3).all(|tier| tiers(tier) > 100), "members of every tier: {:?}", [0, 1, 2].map(tiers));
    let all: i64 = due.values().map(|known| known.earned).sum();
    let spent: i64 = due.values().map(|known| known.spent).sum();
    assert!(
        spent > all / 3 && due.values().map(|known| known.expired).sum::<i64>() > all / 10,
        "both happen: {spent} of {all}"
    );
}

/// A body as a batch of one.
trait Put {
    fn request(&self, code: u16, id: tidegate_protocol::RequestId) -> Vec<u8>;
}

impl<T: Encode> Put for T {
    fn request(&self, code: u16, id: tidegate_protocol::RequestId) -> Vec<u8> {
        request(code, 1, id, self)
    }
}
