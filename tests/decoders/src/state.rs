//! A small state that the decoders work on: one programme, six members, orders and grants.

use std::sync::{Arc, OnceLock};

use tidegate::programme::{Bundle, BundleFile};
use tidegate::store::{HashKeys, Limits, Scope, Section, Shape, Store, Turn};
use tidegate_protocol::code::op;
use tidegate_protocol::operation::{
    AcceptInvitation, AnswerQuestion, Cancel, CheckIn, ClaimOrder, Confirm, ConfirmReceipt, Enrol, Field, Hold, MakeUp,
    OfferCount, RecordActivity, RecordCheckIn, RecordOrder, Redeem, ReportOrder, SetBirthday, SetTag, SetZone,
    UseRight,
};
use tidegate_protocol::operator::PublishQuestion;
use tidegate_protocol::{Encode, List, MemberKey, Proof, Prose, RequestId, Text, batch};

/// 2026-03-20 10:00 in Shanghai: the hot offer has just opened.
pub(crate) const NOW_MS: i64 = 1_773_972_000_000;
/// The directory's shape.
pub(crate) const SHAPE: Shape = Shape { shards: 2, keys: HashKeys { short: [5; 16], long: [6; 16] }, lineage: 0 };
/// The directory's id.
pub(crate) const DIRECTORY: [u8; 16] = *b"tidegate-storing";

const PROGRAMME: &str = r#"
programme = "club"
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["mall"]
tags = ["koc"]
earning = { points = 1, per = "1.00", rounding = "down", pending = "0d from receipt, to end of day, or 3d from grant, to end of day" }
points = { expires = "1 month from last activity, to end of month" }
orders = { remember = "30d" }
[tiers]
by = "spend"
over = "12 months"
keeps = "1 month from entry, to end of month"
grace = "9d"
falls = "by one"
again = "each year"
[[tier]]
slug = "basic"
from = "0"
[[tier]]
slug = "gold"
from = "40.00"
entry = { points = 20, right = "drink", count = 2 }
rights = ["discount"]
[right.drink]
expires = "30d from grant, to end of day"
[right.discount]
expires = "never"
[benefit.monthly]
points = 5
each = "month"
first = "at once"
tiers = ["gold"]
[benefit.stayed]
points = 9
after = "7d from enrolment, to end of day"
[check-in]
points = 5
pending = "0d from grant, to end of day"
expires = "never"
late = "2d"
make_up = { within = "7d", card = "drink", earns = true }
zones = ["America/New_York"]
[birthday]
change = "after 30d"
leap_day = "03-01"
[multipliers]
stacking = "best"
rounding = "down"
[multipliers.by.birthday]
factor = "2"
on = ["orders", "activities"]
birthday = "week"
clock = "paid"
[activity.read]
points = 2
when = { minutes = 4 }
clock = "arrival"
cap = [{ points = 4, each = "day" }, { times = 9, each = "life" }]
[claim]
channels = ["mall"]
within = "20d"
wait = "2d"
proof = "required"
guesses = { times = 9, each = "day" }
[referral]
within = "7d"
until = "30d"
qualifies = { activity = "read" }
per_inviter = { times = { basic = 1, gold = 2 }, each = "month" }
inviter = { points = 6 }
invitee = { right = "drink" }
[quiz.daily]
right = 3
took_part = 1
first = { places = 2, points = 4 }
[campaign.hot]
window = { every = "month", from = "20 10:00", until = "last 24:00" }
per_member = [{ times = 4, each = "window", over = "all offers" }, { times = 9, each = "life", over = "each offer" }]
quota = [{ each = "window", total = 30, by_tier = { basic = 30 } }, { each = "day", total = 30 }]
[[campaign.hot.offer]]
sku = "HOT"
price = { points = 10 }
quota = { each = "window", total = 30, unsold = "carried" }
"#;

/// An empty state of the same shape, with room for little.
pub(crate) fn empty() -> Store {
    let limits = Limits { members: 64, orders: 64, answers: 64, ..Limits::default() };
    Store::new(SHAPE, limits, 1)
}

/// The sections of the state.
pub(crate) fn sections() -> &'static [Section] {
    static SECTIONS: OnceLock<Vec<Section>> = OnceLock::new();
    SECTIONS.get_or_init(|| copied(&lived()))
}

/// The state, put back from its sections.
pub(crate) fn store() -> Arc<Store> {
    let store = empty();
    sections().iter().for_each(|section| store.restore(section).expect("its own sections fit"));
    Arc::new(store)
}

/// A state's sections.
pub(crate) fn copied(store: &Store) -> Vec<Section> {
    let mut sections = Vec::new();
    let copied = store.copy(|section| {
        sections.push(section);
        Ok(())
    });
    copied.expect("nothing is written");
    sections
}

/// A state that sections give; `Err` says which did not fit, and why.
pub(crate) fn restored(sections: &[Section]) -> Result<Store, (usize, &'static str)> {
    let store = empty();
    for (at, section) in sections.iter().enumerate() {
        store.restore(section).map_err(|why| (at, why))?;
    }
    store.restored().map_err(|why| (sections.len(), why))?;
    Ok(store)
}

/// A batch with one entry for each, of bodies that are encoded already; ids are minted at `now_ms` and follow from `first` and the
/// entry's index.
pub(crate) fn requests(entries: &[(u16, Vec<u8>)], now_ms: i64, first: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let start = batch::start_requests(&mut bytes);
    for (number, (code, body)) in (first..).zip(entries) {
        bytes.extend_from_slice(&code.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        for number in [1, 60_000, body.len() as u32] {
            bytes.extend_from_slice(&u32::to_le_bytes(number));
        }
        bytes.extend_from_slice(&nth_id(now_ms, number).0);
        bytes.extend_from_slice(body);
    }
    batch::finish_requests(&mut bytes, start, entries.len() as u16);
    bytes
}

/// Ids of a batch rise, so that none falls below its member's mark.
pub(crate) fn nth_id(now_ms: i64, number: u8) -> RequestId {
    RequestId::mint(now_ms + i64::from(number), [number; 10])
}

/// The requests that made the state.
pub(crate) fn story() -> Vec<(u16, Vec<u8>)> {
    fn body<T: Encode>(body: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        tidegate_protocol::encode(body, &mut bytes);
        bytes
    }
    let text = |text: &str| Text::try_from(text).expect("a short text");
    let mut story = Vec::new();
    for number in 1..=6 {
        let member = MemberKey::from_number(number);
        story.push((op::ENROL, body(&Enrol { member })));
        story.push((op::CHECK_IN, body(&CheckIn { member })));
        let order = RecordOrder {
            member,
            paid_at_ms: NOW_MS - 1_000,
            amount_minor: 5_000,
            brand: text("house"),
            channel: text("mall"),
            store: text("S-1"),
            number: text(&number.to_string()),
        };
        story.push((op::RECORD_ORDER, body(&order)));
        let key = if number.is_multiple_of(2) { "" } else { "A-1" };
        let activity = RecordActivity {
            member,
            happened_ms: NOW_MS - 2_000,
            activity: text("read"),
            key: text(key),
            fields: List::cut([Field { name: text("minutes"), value: 4 }]),
        };
        story.push((op::RECORD_ACTIVITY, body(&activity)));
        story.push((op::SET_BIRTHDAY, body(&SetBirthday { member, month: 2, day: 29 })));
        story.push((op::USE_RIGHT, body(&UseRight { member, right: text("drink") })));
        let inviter = MemberKey::from_number(number / 2);
        story.push((op::ACCEPT_INVITATION, body(&AcceptInvitation { member, inviter })));
        let [quiz, question, answer] = [text("daily"), text("q-1"), text(if number < 4 { "A" } else { "B" })];
        story.push((op::ANSWER_QUESTION, body(&AnswerQuestion { member, quiz, question, answer })));
        story.push((op::SET_TAG, body(&SetTag { member, tag: text("koc"), on: 1 })));
        // One that is known, one that waits, one that is wrong; and the member's own, which it has received.
        let proof = Proof([number as u8; 16]);
        let reported = text(&format!("R-{}", number / 2));
        let report = ReportOrder {
            paid_at_ms: NOW_MS - 1_000,
            amount_minor: 7_000,
            brand: text("house"),
            channel: text("mall"),
            store: text(""),
            number: reported,
            proof,
        };
        story.push((op::REPORT_ORDER, body(&report)));
        for number in [reported, text(&format!("W-{number}"))] {
            story.push((op::CLAIM_ORDER, body(&ClaimOrder { member, channel: text("mall"), number, proof })));
        }
        let own = text(&number.to_string());
        let receipt = ConfirmReceipt { member, happened_ms: NOW_MS, channel: text("mall"), number: own };
        story.push((op::CONFIRM_RECEIPT, body(&receipt)));
        story.push((op::REDEEM, body(&Redeem { member, campaign: 1, offer: 1 })));
        // One that is confirmed, one that is given back, and for all of them one that is held on.
        let hold = Hold {
            member,
            for_ms: 0,
            store: text(""),
            points: 0,
            lines: List::default(),
            offers: List::cut([OfferCount { campaign: 1, offer: 1, count: 1 }]),
            rights: List::cut([text("drink")]),
        };
        let of_one = nth_id(NOW_MS, story.len() as u8);
        for _ in 0..2 {
            story.push((op::HOLD, body(&hold)));
        }
        match number % 3 {
            0 => story.push((op::CONFIRM, body(&Confirm { member, hold: of_one }))),
            1 => story.push((op::CANCEL, body(&Cancel { member, hold: of_one }))),
            _ => {}
        }
        if number.is_multiple_of(2) {
            story.push((op::SET_ZONE, body(&SetZone { member, zone: text("America/New_York") })));
            story.push((op::RECORD_CHECK_IN, body(&RecordCheckIn { member, happened_ms: NOW_MS - 40_000_000 })));
        } else {
            // Before it enrolled, on the first day; between, on the second.
            story.push((op::MAKE_UP, body(&MakeUp { member, day: (NOW_MS / 86_400_000) as i32 })));
        }
    }
    story
}

/// A day later everybody does the same again, whatever state they are in: each request has an answer, and the state sections.
pub(crate) fn live_on(store: &Store) {
    // A server's time is never before that of its state.
    let (tomorrow_ms, story) = (store.latest_ms().max(NOW_MS + 86_400_000), story());
    let (bytes, mut out) = (requests(&story, tomorrow_ms, 100), Vec::new());
    let start = batch::start_answers(&mut out);
    store.execute(&mut Turn::default(), tomorrow_ms, &bytes, &Scope::All, None, &mut out).expect("a batch");
    batch::finish_answers(&mut out, start, tomorrow_ms, story.len() as u16);
    let answers = batch::Answers::new(&out).expect("a batch of answers");
    assert_eq!(answers.filter(Result::is_ok).count(), story.len());
    let again = restored(&copied(store)).unwrap_or_else(|(section, why)| panic!("section {section}: {why}"));
    assert_eq!(again.books().state_hash, store.books().state_hash, "another snapshot holds what came of it");
}

fn lived() -> Store {
    let store = empty();
    let file = BundleFile { name: "programme.toml".into(), text: PROGRAMME.into() };
    let bundle = Bundle::from_files(vec![file]).expect("a bundle");
    store.activate(bundle, 0, false, NOW_MS - 86_400_000).expect("a programme");
    let text = |text: &str| Text::try_from(text).expect("a short text");
    let question = PublishQuestion {
        programme: text("club"),
        quiz: text("daily"),
        question: text("q-1"),
        text: Prose::cut("A or B?"),
        options: List::cut([text("A"), text("B")]),
        right: text("A"),
        opens_ms: NOW_MS,
        closes_ms: NOW_MS + 100_000_000,
    };
    store.publish_question(&question, NOW_MS - 1).expect("a question");
    let mut out = Vec::new();
    store
        .execute(&mut Turn::default(), NOW_MS, &requests(&story(), NOW_MS, 0), &Scope::All, None, &mut out)
        .expect("a batch");
    // Six orders, four that were reported, and one activity: the odd members' share one key, the first has it. And what is kept of the
    // ten orders, and of six claims that wait.
    assert_eq!((store.member_count(), store.order_count()), (6, 27), "the story came to pass");
    store
}
