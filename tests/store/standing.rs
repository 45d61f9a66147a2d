//! Tiers, rights, benefits and activities in the store: what a new version does to whom, and what is due before it; live and recovered
//! alike (I5).

use tidegate::storage::Loss;
use tidegate::store::ActivationError;
use tidegate_protocol::answer::StandingView;
use tidegate_protocol::operation::{Field, GetStanding, RecordActivity, SetBirthday, UseRight};
use tidegate_protocol::{List, MemberKey, Text};

use super::*;

/// A programme with something of everything; gold from so many yuan spent within a month.
pub(super) fn club(gold_from: i64) -> String {
    format!(
        r#"
programme = "club"
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["mall"]
earning = {{ points = 1, per = "1.00", rounding = "down", cap = [{{ points = 90, each = "day" }}], clock = "paid" }}
check-in = {{ points = 5 }}
birthday = {{ change = "after 2d", leap_day = "03-01" }}
[tiers]
by = "spend"
over = "month"
keeps = "1 month from entry, to end of month"
grace = "3d"
falls = "to fit"
again = "each month"
[[tier]]
slug = "basic"
from = "0"
[[tier]]
slug = "gold"
from = "{gold_from}.00"
entry = {{ points = 20, right = "drink", count = 2 }}
[right.drink]
expires = "2d from grant, to end of day"
[benefit.weekly]
points = 3
each = "week"
first = "at once"
tiers = ["gold"]
[activity.read]
points = 2
when = {{ minutes = 4 }}
[campaign.hot]
window = {{ every = "day", from = "00:00", until = "24:00" }}
[[campaign.hot.offer]]
sku = "A"
price = {{ points = 10 }}
gives = {{ right = "drink" }}
[[campaign.hot.offer]]
sku = "B"
price = {{ points = 1 }}
"#
    )
}

impl Client<'_> {
    pub(super) fn standing(&mut self, member: u64) -> StandingView {
        self.ask(op::GET_STANDING, &GetStanding { member: MemberKey::from_number(member) }).read()
    }

    pub(super) fn read(&mut self, member: u64, key: &str) -> u16 {
        let minutes = Field { name: Text::try_from("minutes").unwrap(), value: 4 };
        let body = RecordActivity {
            member: MemberKey::from_number(member),
            happened_ms: self.now_ms,
            activity: Text::try_from("read").unwrap(),
            key: Text::try_from(key).unwrap(),
            fields: List::cut([minutes]),
        };
        self.ask(op::RECORD_ACTIVITY, &body).code
    }

    pub(super) fn use_drink(&mut self, member: u64) -> u16 {
        let body = UseRight { member: MemberKey::from_number(member), right: Text::try_from("drink").unwrap() };
        self.ask(op::USE_RIGHT, &body).code
    }

    pub(super) fn born(&mut self, member: u64, month: u8, day: u8) -> u16 {
        self.ask(op::SET_BIRTHDAY, &SetBirthday { member: MemberKey::from_number(member), month, day }).code
    }
}

fn tier(client: &mut Client, member: u64) -> String {
    client.standing(member).tier_slug.to_string()
}

#[test]
fn a_new_version_moves_members_from_its_instant_on_whoever_looks_first() {
    let (_memory, opened) = opened_with(&club(100), options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    for member in 0..3 {
        client.enrol(member);
        client.order(member, &format!("{member}"), 60);
    }
    assert_eq!(tier(&mut client, 0), "basic");
    // 60 yuan are gold from now on: the first is swept, the second asks, the third only looks, days later.
    opened.store.activate(bundle(&club(50)), 1, false, client.now_ms).unwrap();
    let version_ms = client.now_ms;
    client.now_ms += 3 * DAY_MS;
    opened.store.sweep(version_ms + 1, 1);
    client.check_in(1);
    let all: Vec<StandingView> = (0..3).map(|member| client.standing(member)).collect();
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    assert_eq!((all[0].tier_slug.as_str(), all[0].count), ("gold", 6_000));
    // What came with the entry is of that instant, and is gone after two days; the week's points came twice.
    assert_eq!(all[0].rights.as_slice(), []);
    let balances: Vec<i64> = (0..3).map(|member| client.member(member).balance).collect();
    assert_eq!(balances, [60 + 20 + 2 * 3, 60 + 20 + 2 * 3 + 5, 60 + 20 + 2 * 3]);
    while opened.store.sweep(client.now_ms, 100) > 0 {}
    assert!(opened.store.books().balance());
    assert_eq!(
        (0..3).map(|member| client.standing(member)).collect::<Vec<_>>(),
        all,
        "and written down it is the same"
    );
}

#[test]
fn what_is_due_is_decided_by_the_version_before() {
    let (_memory, mut opened) = opened_with(&club(100), options(2, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    for member in 0..40 {
        client.enrol(member);
        client.order(member, &format!("{member}"), 100);
    }
    assert_eq!(tier(&mut client, 7), "gold");
    // March was enough, April is not: held to the end of April, and then three days of grace.
    client.now_ms += 21 * DAY_MS;
    for member in 0..40 {
        client.order(member, &format!("april-{member}"), 60);
    }
    let may_4_ms = 1_777_824_000_000;
    client.now_ms = may_4_ms;
    // By the next version April would have been enough; but at its instant they have fallen.
    loop {
        match store.activate(bundle(&club(50)), 1, false, client.now_ms) {
            Ok(_) => break,
            Err(ActivationError::Behind) => drain(&mut opened),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((tier(&mut client, 7), client.standing(7).count), ("basic".to_owned(), 0));
    assert!(store.books().balance());
}

#[test]
fn who_has_a_little_of_everything_is_recovered_as_it_was() {
    let memory = lived();
    let opened = open(&memory, options(2, Limits::default()));
    assert!(opened.recovery.records > 0 && opened.recovery.snapshot.is_some());
    let (books, live) = (opened.store.books(), lived_books());
    assert!(books.balance(), "{books:?}");
    assert_eq!((books.state_hash, books.programmes), (live.state_hash, live.programmes));
}

fn lived_books() -> tidegate::store::Books {
    let memory = Memory::new();
    let mut opened = data::open(Arc::new(memory), options(2, Limits::default()), Some(SEED), &mut |_| {}).unwrap();
    live(&mut opened);
    opened.store.books()
}

/// A directory whose members have something of everything, in snapshots and behind them.
pub(super) fn lived() -> Memory {
    let memory = Memory::new();
    let mut opened =
        data::open(Arc::new(memory.clone()), options(2, Limits::default()), Some(SEED), &mut |_| {}).unwrap();
    live(&mut opened);
    opened.flusher.close().unwrap();
    memory.power_loss(Loss::Kept)
}

fn live(opened: &mut Opened) {
    let store = opened.store.clone();
    store.activate(bundle(&club(40)), 0, false, NOON_MS - DAY_MS).unwrap();
    let mut client = Client::new(&store);
    for round in 0..4u64 {
        for member in 0..4 + round {
            client.enrol(member);
            client.born(member, 2, 29);
            client.order(member, &format!("{round}-{member}"), 30 + member as i64 * 9);
            client.read(member, if member % 2 == 0 { "" } else { "once" });
            client.redeem(member, 1, 1 + (member % 2) as u32);
            client.use_drink(member);
            drain(opened);
        }
        client.now_ms += 13 * DAY_MS;
        store.sweep(client.now_ms, 3);
        drain(opened);
        if (1..3).contains(&round) {
            snapshot(opened, |_| {});
        }
    }
}
