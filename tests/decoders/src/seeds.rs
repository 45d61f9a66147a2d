//! What fuzzing begins with: golden vectors, fixtures of released formats, shipped programmes, and files made here.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use tidegate::data::{self, Options, Seed};
use tidegate::log::{LogWriter, PlaceId as LogPlace, PlaceTail};
use tidegate::programme::{Bundle, BundleFile};
use tidegate::storage::Memory;
use tidegate::store::{Limits, Scope, Turn};
use tidegate_protocol::batch;
use tidegate_protocol::code::op;
use tidegate_protocol::frame::{self, Kind};
use tidegate_protocol::operation::{
    AcceptInvitation, AnswerQuestion, Cancel, CheckIn, ClaimOrder, Confirm, ConfirmPart, ConfirmReceipt, DryRun, Field,
    GetCampaign, GetClaim, GetHolds, GetLots, GetMember, GetProfile, GetQuiz, GetQuotas, GetStanding, Hold, OfferCount,
    OrderLine, RecordActivity, RecordOrder, RecordOrderLines, Redeem, ReportOrder, SetTag, SetZone, TenderLine,
    UseRight,
};
use tidegate_protocol::{Encode, List, MemberKey, Proof, Text, encode};

use crate::mend::ALL;
use crate::{bundle, log, state};

/// An input of a target, and what it is called.
#[derive(Debug)]
pub struct Seeded {
    /// The target.
    pub target: &'static str,
    /// The file's name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where the committed corpus is.
pub fn corpus() -> PathBuf {
    root().join("fuzz/corpus")
}

/// All seeds; the same every time.
pub fn all() -> Vec<Seeded> {
    let mut seeds = Seeds::default();
    seeds.wire();
    seeds.log();
    seeds.replay();
    seeds.directory();
    seeds.bundles();
    seeds.0
}

#[derive(Default)]
struct Seeds(Vec<Seeded>);

impl Seeds {
    fn add(&mut self, target: &'static str, name: &str, bytes: Vec<u8>) {
        let name = format!("seed-{name}");
        assert!(
            !self.0.iter().any(|seed| (seed.target, &seed.name) == (target, &name)),
            "{name} of {target} is one seed"
        );
        self.0.push(Seeded { target, name, bytes });
    }

    /// For files with checksums: as it stands, and put right whatever changes.
    fn add_masked(&mut self, target: &'static str, name: &str, file: &[u8]) {
        for (mask, how) in [(0, "as-is"), (ALL, "mended")] {
            self.add(target, &format!("{name}-{how}"), [&[mask], file].concat());
        }
    }

    fn wire(&mut self) {
        for (at, vector) in golden("frames").iter().enumerate() {
            let answers = vector["frame"] == "ANSWERS" || vector["frame"] == "DRAINING";
            self.add(if answers { "answers" } else { "requests" }, &format!("frame-{at}"), hex(vector));
        }
        for (at, vector) in golden("invalid").iter().enumerate() {
            let what = vector["what"].as_str().unwrap_or_default();
            let target = if what.contains("answer") { "answers" } else { "requests" };
            let kind = if target == "answers" { Kind::Answers } else { Kind::Requests };
            let bytes = if what == "header" { hex(vector) } else { framed(kind, &hex(vector)) };
            self.add(target, &format!("invalid-{at}"), bytes);
        }
        for (at, vector) in golden("hello").iter().enumerate() {
            let (target, kind) = match vector["body"].as_str() {
                Some("Hello") => ("requests", Kind::Hello),
                Some("Welcome") => ("answers", Kind::Welcome),
                _ => ("answers", Kind::HelloRefused),
            };
            self.add(target, &format!("{kind:?}-{at}").to_lowercase(), framed(kind, &hex(vector)));
        }
        let batch = |entries: &[_], first| state::requests(entries, state::NOW_MS, first);
        let operations = golden("operations");
        let entries = operations.iter().map(|vector| (vector["code"].as_u64().unwrap_or(0) as u16, hex(vector)));
        self.add("requests", "every-operation", framed(Kind::Requests, &batch(&entries.collect::<Vec<_>>(), 100)));
        self.add("requests", "a-story", framed(Kind::Requests, &batch(&state::story(), 0)));
        self.add("requests", "more-of-it", framed(Kind::Requests, &batch(&more(), 100)));
        for vector in golden("answers") {
            let (name, body) = (vector["answer"].as_str().unwrap_or("unnamed"), hex(&vector));
            let mut bytes = Vec::new();
            let start = batch::start_answers(&mut bytes);
            bytes.extend_from_slice(&[0, 0]);
            bytes.extend_from_slice(&(vector["code"].as_u64().unwrap_or(0) as u16).to_le_bytes());
            bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&body);
            batch::finish_answers(&mut bytes, start, state::NOW_MS, 1);
            self.add("answers", name, framed(Kind::Answers, &bytes));
        }
    }

    fn log(&mut self) {
        let memory = Memory::new();
        let mut writer = LogWriter::create(Arc::new(memory.clone()), log::IDENTITY, log::options()).expect("a log");
        for epoch in 1..=14u64 {
            let long = if epoch.is_multiple_of(3) { 700 } else { 20 };
            let tail = |place: u64| PlaceTail {
                place: LogPlace(place as u32 * 7),
                first_sequence: epoch * 100 + place,
                base_ms: state::NOW_MS,
                count: 2,
                records: (0..long + epoch).map(|i| (i * 31 + place) as u8).collect(),
            };
            let tails: Vec<_> = (0..1 + epoch % 3).map(tail).collect();
            writer.append(epoch, &tails).and_then(|()| writer.sync()).expect("memory takes it");
            if epoch % 5 == 0 {
                writer.close_block().expect("memory takes it");
            }
        }
        let segments: Vec<Vec<u8>> =
            (1..=3).map(|number| memory.bytes(&log::path(number)).expect("it is there")).collect();
        self.add_masked("log", "three-segments", &lengthened(&segments));
        self.add_masked("log", "one-segment", &lengthened(&segments[..1]));
        self.add_masked("log", "a-later-one-missing", &lengthened(&[segments[0].clone(), segments[2].clone()]));
        let mut torn = segments.clone();
        torn[1][3000..].fill(0);
        self.add_masked("log", "torn-in-the-middle", &lengthened(&torn));
        let fixture = std::fs::read(root().join("tests/fixtures/log-segment-v1.bin")).expect("a fixture");
        self.add_masked("log", "fixture", &lengthened(&[fixture]));
    }

    fn replay(&mut self) {
        let store = state::store();
        let mut out = Vec::new();
        // On the next day; times count from the base that all inputs share.
        let now_ms = state::NOW_MS + 86_400_000;
        let bytes = state::requests(&more(), now_ms, 100);
        store.execute(&mut Turn::default(), now_ms, &bytes, &Scope::All, None, &mut out).expect("a batch");
        let mut all = Vec::new();
        for tail in store.cut().tails {
            let (kind, index) = (tail.place.kind() as u8, tail.place.index() as u8);
            let mut bytes = vec![kind << 6 | index, 2];
            bytes.extend_from_slice(&(tail.tail.records.len() as u16).to_le_bytes());
            bytes.extend_from_slice(&tail.tail.records);
            all.extend_from_slice(&bytes);
            self.add("replay", &format!("{kind}-{index}"), bytes);
        }
        self.add("replay", "an-epoch", all);
    }

    fn directory(&mut self) {
        let memory = Memory::new();
        let options =
            Options { shards: 2, limits: Limits::default(), log: log_options(), workers: 0, ..Options::default() };
        let seed = Seed { directory: state::DIRECTORY, keys: state::SHAPE.keys };
        let mut opened = data::open(Arc::new(memory.clone()), options, Some(seed), &mut |_| {}).expect("a directory");
        for section in state::sections() {
            opened.store.restore(section).expect("its own sections fit");
        }
        for _ in 0..2 {
            let written = opened.snapshotter.write(state::NOW_MS, |_| {}).expect("memory takes it");
            let durable = opened.flusher.state().watermark.durable().max(opened.store.filling_epoch());
            let head = opened.flusher.state().counters().1;
            opened.snapshotter.publish(written, durable, head, &[]).expect("memory takes it");
        }
        for path in memory.paths() {
            let bytes = memory.bytes(&path).expect("it is there");
            match path.as_str() {
                "MANIFEST" => self.add_masked("manifest", "own", &bytes),
                _ if path.ends_with(".snap") => self.add_masked("snapshot", "own", &bytes),
                _ => {}
            }
        }
        let fixtures = root().join("tests/fixtures/data-v1");
        for (target, name) in [
            ("manifest", "MANIFEST"),
            ("snapshot", "snapshots--00000000000000000011.snap"),
            ("snapshot", "snapshots--00000000000000000017.snap"),
        ] {
            let file = std::fs::File::open(fixtures.join(format!("{name}.gz"))).expect("a fixture");
            let mut bytes = Vec::new();
            GzDecoder::new(file).read_to_end(&mut bytes).expect("a fixture unpacks");
            self.add_masked(target, &format!("fixture-{}", &name[name.len().saturating_sub(7)..]), &bytes);
        }
    }

    fn bundles(&mut self) {
        for slug in ["check-in", "flash-sale", "monthly-exchange"] {
            let bundle = Bundle::read(&root().join("programmes").join(slug)).expect("a shipped programme");
            let (main, others): (Vec<&BundleFile>, Vec<_>) =
                bundle.files().iter().partition(|file| file.name == "programme.toml");
            let mut text = main[0].text.clone();
            for file in others {
                text.push(bundle::BETWEEN);
                text.push_str(&format!("{}\n{}", file.name, file.text));
            }
            self.add("bundle", slug, text.into_bytes());
        }
        let own = state::sections().iter().find_map(|section| {
            let record = tidegate::store::ActivationRecord::read(&section.body).ok()?;
            Some(record.files.as_slice().first()?.contents.as_str().to_owned())
        });
        self.add("bundle", "own", own.expect("the state has a programme").into_bytes());
    }
}

fn log_options() -> tidegate::log::LogOptions {
    tidegate::log::LogOptions { segment_bytes: 1 << 16, max_epoch_bytes: 1 << 14, block_bytes: 4096, ..log::options() }
}

/// What members may do on the next day.
fn more() -> Vec<(u16, Vec<u8>)> {
    fn body<T: Encode>(body: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(body, &mut bytes);
        bytes
    }
    let text = |text: &str| Text::try_from(text).expect("a short text");
    let member = MemberKey::from_number;
    let order = RecordOrder {
        member: member(2),
        paid_at_ms: state::NOW_MS,
        amount_minor: 123_456,
        brand: text("house"),
        channel: text("mall"),
        store: text(""),
        number: text("a-new-one"),
    };
    let line = OrderLine {
        sku: text("S"),
        category: text("tea"),
        quantity: 1,
        amount_minor: 900,
        coupon_minor: 100,
        points_minor: 50,
    };
    let lines = RecordOrderLines {
        member: member(2),
        paid_at_ms: state::NOW_MS,
        freight_minor: 10,
        brand: text("house"),
        channel: text("mall"),
        store: text(""),
        number: text("with-lines"),
        lines: List::cut([line, line]),
    };
    let [quiz, question] = [text("daily"), text("q-1")];
    let activity = RecordActivity {
        member: member(5),
        happened_ms: state::NOW_MS,
        activity: text("read"),
        key: text("new"),
        fields: List::cut([Field { name: text("minutes"), value: 5 }]),
    };
    let channel = text("mall");
    let report = ReportOrder {
        paid_at_ms: state::NOW_MS - 1,
        amount_minor: 4_200,
        brand: text("house"),
        channel,
        store: text(""),
        number: text("W-3"),
        proof: Proof([3; 16]),
    };
    let receipt = ConfirmReceipt { member: member(2), happened_ms: state::NOW_MS, channel, number: text("2") };
    let id = state::nth_id(state::NOW_MS, 16);
    let offers = List::cut([OfferCount { campaign: 1, offer: 1, count: 1 }]);
    let hold = Hold {
        member: member(3),
        for_ms: 60_000,
        store: text(""),
        points: 100,
        lines: List::cut([TenderLine { sku: text("S"), category: text("tea"), amount_minor: 900 }]),
        offers: offers.clone(),
        rights: List::cut([text("drink")]),
    };
    let part = ConfirmPart { member: member(2), hold: id, points: 0, offers, rights: List::default() };
    let dry = body(&CheckIn { member: member(1) }).try_into().expect("it is short");
    let dry_run = DryRun { member: member(1), code: op::CHECK_IN, body: dry };
    vec![
        (op::CHECK_IN, body(&CheckIn { member: member(1) })),
        (op::RECORD_ORDER, body(&order)),
        (op::REDEEM, body(&Redeem { member: member(3), campaign: 1, offer: 1 })),
        (op::GET_MEMBER, body(&GetMember { member: member(1) })),
        (op::GET_CAMPAIGN, body(&GetCampaign { campaign: 0, slug: text("hot") })),
        (op::GET_LOTS, body(&GetLots { member: member(1) })),
        (op::GET_STANDING, body(&GetStanding { member: member(1) })),
        (op::ACCEPT_INVITATION, body(&AcceptInvitation { member: member(77), inviter: member(1) })),
        (op::ANSWER_QUESTION, body(&AnswerQuestion { member: member(6), quiz, question, answer: text("A") })),
        (op::GET_QUIZ, body(&GetQuiz { quiz })),
        (op::CLAIM_ORDER, body(&ClaimOrder { member: member(2), channel, number: text("R-0"), proof: Proof([1; 16]) })),
        (op::REPORT_ORDER, body(&report)),
        (op::CONFIRM_RECEIPT, body(&receipt)),
        (op::GET_CLAIM, body(&GetClaim { member: member(1), channel, number: text("W-1") })),
        (op::DRY_RUN, body(&dry_run)),
        (op::HOLD, body(&hold)),
        (op::CONFIRM, body(&Confirm { member: member(1), hold: id })),
        (op::CONFIRM_PART, body(&part)),
        (op::CANCEL, body(&Cancel { member: member(2), hold: id })),
        (op::GET_HOLDS, body(&GetHolds { member: member(2) })),
        (op::GET_QUOTAS, body(&GetQuotas { campaign: 1, slug: text("") })),
        (op::SET_ZONE, body(&SetZone { member: member(1), zone: text("America/New_York") })),
        (op::SET_TAG, body(&SetTag { member: member(1), tag: text("koc"), on: 0 })),
        (op::GET_PROFILE, body(&GetProfile { member: member(2) })),
        (op::RECORD_ORDER_LINES, body(&lines)),
        (op::RECORD_ACTIVITY, body(&activity)),
        (op::USE_RIGHT, body(&UseRight { member: member(4), right: text("drink") })),
        (op::REDEEM, body(&Redeem { member: member(3), campaign: 1, offer: 1 })),
        (op::ENROL, body(&tidegate_protocol::operation::Enrol { member: member(77) })),
    ]
}

fn framed(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write(&mut bytes, kind, 0, 1, |out| out.extend_from_slice(body));
    bytes
}

/// Segments with their lengths before them, without the zeros at their ends.
fn lengthened(segments: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for segment in segments {
        let end = segment.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1).min(log::SEGMENT);
        bytes.extend_from_slice(&(end as u16).to_le_bytes());
        bytes.extend_from_slice(&segment[..end]);
    }
    bytes
}

fn golden(name: &str) -> Vec<serde_json::Value> {
    let path = root().join(format!("protocol/golden/{name}.json"));
    let text = std::fs::read_to_string(path).expect("a golden vector");
    serde_json::from_str(&text).expect("golden vectors are JSON")
}

fn hex(vector: &serde_json::Value) -> Vec<u8> {
    let digits = vector["hex"].as_str().unwrap_or_default();
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hex")).collect()
}
