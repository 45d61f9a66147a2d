//! The golden vectors: bytes beside what they mean, for clients in other languages. Once released, a line never changes.
//!
//! `TIDEGATE_WRITE_GOLDEN=1 cargo test -p tidegate-protocol --test golden` writes the files anew.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, to_string};
use tidegate_protocol::batch::{Answers, Entries, finish_answers, finish_requests};
use tidegate_protocol::batch::{push_answer, push_entry, start_answers, start_requests};
use tidegate_protocol::code::{self, op};
use tidegate_protocol::frame::{self, FLAG_NOT_DURABLE, HEADER_BYTES, Header, Kind};
use tidegate_protocol::{
    Body, Decode, Encode, LedgerId, List, MemberKey, Proof, Prose, RequestId, Text, decode, encode,
};
use tidegate_protocol::{answer::*, files::*, hello::*, operation::*, operator::*, refusal::*};

const NOW_MS: i64 = 1_792_461_600_000;
const DAY: i32 = 20_745;
const HASH: [u8; 32] = [0x5a; 32];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn text(text: &str) -> Text {
    text.try_into().unwrap()
}

fn member() -> MemberKey {
    MemberKey::from_number(10_001)
}

fn id() -> RequestId {
    RequestId::mint(NOW_MS, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
}

fn ledger() -> LedgerId {
    LedgerId { lineage: 1, place: 17, sequence: 4_211 }
}

/// Compares with the file, or writes it when asked to.
fn settle(file: &str, lines: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    let now = format!("[\n{}\n]\n", lines.join(",\n"));
    if std::env::var_os("TIDEGATE_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    for (kept, now) in kept.lines().zip(now.lines()) {
        assert_eq!(kept, now, "{file}: a released layout never changes");
    }
    assert_eq!(kept, now, "{file}");
}

/// One body, after a proof that its bytes give it back.
fn case<T: Encode + Decode<()> + Serialize + PartialEq + Debug>(body: &str, codes: &str, value: T) -> String {
    let mut bytes = Vec::new();
    encode(&value, &mut bytes);
    assert_eq!(decode::<T>(&bytes).unwrap(), value);
    let (hex, fields) = (hex(&bytes), to_string(&value).unwrap());
    format!(r#"{{"body": "{body}", {codes}"hex": "{hex}", "fields": {fields}}}"#)
}

fn hellos() -> Vec<String> {
    let hello =
        Hello { version_min: 1, version_max: 1, instance: *b"gateway-instance", session: 3, name: text("gw-1") };
    let programmes = List::cut([
        ProgrammeName { number: 1, version: 4, slug: text("loreal-club") },
        ProgrammeName { number: 2, version: 1, slug: text("flash") },
    ]);
    let welcome = Welcome {
        version: 1,
        server_ms: NOW_MS,
        directory: *b"directory-of-now",
        lineage: 1,
        body_bytes_most: 1 << 20,
        entries_most: 256,
        in_flight_most: 64,
        deadline_ms_most: 60_000,
        ahead_ms_most: 5_000,
        programmes,
    };
    let refused = HelloRefused {
        reason: HelloRefused::VERSION,
        version_min: 1,
        version_max: 1,
        retry_ms: 0,
        progress_per_mille: 0,
        sentence: Prose::cut("this server speaks version 1; the client offers 2 to 3"),
    };
    let starting = HelloRefused {
        reason: HelloRefused::STARTING,
        version_min: 1,
        version_max: 1,
        retry_ms: 120,
        progress_per_mille: 730,
        sentence: Prose::cut("the server is recovering its data: log, 46 of 100 bytes"),
    };
    let refusals = [case("HelloRefused", "", refused), case("HelloRefused", "", starting)];
    [case("Hello", "", hello), case("Welcome", "", welcome)].into_iter().chain(refusals).collect()
}

fn operations() -> Vec<String> {
    let order = RecordOrder {
        member: member(),
        paid_at_ms: NOW_MS - 60_000,
        amount_minor: 39_900,
        brand: text("loreal"),
        channel: text("tmall"),
        store: text("上海旗舰店"),
        number: text("TM-2026-000123"),
    };
    let plain = RecordOrder { amount_minor: 0, brand: text(""), store: text(""), ..order };
    let line = OrderLine {
        sku: text("LRL-SERUM-30"),
        category: text("护肤"),
        quantity: 2,
        amount_minor: 79_800,
        coupon_minor: 5_000,
        points_minor: 1_200,
    };
    let lines = RecordOrderLines {
        member: member(),
        paid_at_ms: NOW_MS - 60_000,
        freight_minor: 1_000,
        brand: text("loreal"),
        channel: text("tmall"),
        store: text(""),
        number: text("TM-2026-000124"),
        lines: List::cut([
            line,
            OrderLine { category: text(""), quantity: 1, coupon_minor: 0, points_minor: 0, ..line },
        ]),
    };
    let activity = RecordActivity {
        member: member(),
        happened_ms: NOW_MS - 5_000,
        activity: text("read-article"),
        key: text("article-77/10001"),
        fields: List::cut([Field { name: text("minutes"), value: 4 }]),
    };
    let plain_activity = RecordActivity { key: text(""), fields: List::cut([]), ..activity.clone() };
    let file = BundleFile { name: text("programme.toml"), contents: Prose::cut("programme = \"club\"\n") };
    let question = PublishQuestion {
        programme: text("live-quiz"),
        quiz: text("daily"),
        question: text("2026-11-20"),
        text: Prose::cut("今天是什么色号？"),
        options: List::cut([text("A"), text("B")]),
        right: text("B"),
        opens_ms: NOW_MS,
        closes_ms: NOW_MS + 60_000,
    };
    let claim = ClaimOrder { member: member(), channel: text("douyin"), number: text("D-77"), proof: Proof([9; 16]) };
    let report = ReportOrder {
        paid_at_ms: NOW_MS - 60_000,
        amount_minor: 12_345,
        brand: text("house"),
        channel: text("douyin"),
        store: text(""),
        number: text("D-77"),
        proof: Proof([9; 16]),
    };
    let offers =
        List::cut([OfferCount { campaign: 2, offer: 1, count: 2 }, OfferCount { campaign: 5, offer: 3, count: 1 }]);
    let hold = Hold {
        member: member(),
        for_ms: 900_000,
        store: text("长沙-01"),
        points: 500,
        lines: List::cut([TenderLine { sku: text("TEA-1"), category: text("tea"), amount_minor: 8_000 }]),
        offers: offers.clone(),
        rights: List::cut([text("free-drink")]),
    };
    let part = ConfirmPart {
        member: member(),
        hold: id(),
        points: 300,
        offers: List::cut([OfferCount { campaign: 2, offer: 1, count: 1 }]),
        rights: List::cut([]),
    };
    let mut inner = Vec::new();
    encode(&CheckIn { member: member() }, &mut inner);
    let dry_run = DryRun { member: member(), code: op::CHECK_IN, body: inner.try_into().unwrap() };
    let operation = |code: u16| {
        let (_, name, _) = code::OPERATIONS.iter().find(|row| row.0 == code).unwrap();
        format!(r#""operation": "{name}", "code": {code}, "#)
    };
    vec![
        case("Enrol", &operation(op::ENROL), Enrol { member: member() }),
        case("Enrol", &operation(op::ENROL), Enrol { member: MemberKey([0xff; 16]) }),
        case("CheckIn", &operation(op::CHECK_IN), CheckIn { member: member() }),
        case("RecordOrder", &operation(op::RECORD_ORDER), order),
        case("RecordOrder", &operation(op::RECORD_ORDER), plain),
        case("Redeem", &operation(op::REDEEM), Redeem { member: member(), campaign: 2, offer: 1 }),
        case("RecordOrderLines", &operation(op::RECORD_ORDER_LINES), lines),
        case("RecordActivity", &operation(op::RECORD_ACTIVITY), activity),
        case("RecordActivity", &operation(op::RECORD_ACTIVITY), plain_activity),
        case("UseRight", &operation(op::USE_RIGHT), UseRight { member: member(), right: text("free-drink") }),
        case("SetBirthday", &operation(op::SET_BIRTHDAY), SetBirthday { member: member(), month: 2, day: 29 }),
        case(
            "RecordCheckIn",
            &operation(op::RECORD_CHECK_IN),
            RecordCheckIn { member: member(), happened_ms: NOW_MS - 86_400_000 },
        ),
        case("MakeUp", &operation(op::MAKE_UP), MakeUp { member: member(), day: DAY - 2 }),
        case("SetZone", &operation(op::SET_ZONE), SetZone { member: member(), zone: text("America/Los_Angeles") }),
        case("SetTag", &operation(op::SET_TAG), SetTag { member: member(), tag: text("koc"), on: 1 }),
        case(
            "AnswerQuestion",
            &operation(op::ANSWER_QUESTION),
            AnswerQuestion { member: member(), quiz: text("daily"), question: text("2026-11-20"), answer: text("B") },
        ),
        case(
            "AcceptInvitation",
            &operation(op::ACCEPT_INVITATION),
            AcceptInvitation { member: member(), inviter: MemberKey::from_number(77) },
        ),
        case("ClaimOrder", &operation(op::CLAIM_ORDER), claim),
        case("ReportOrder", &operation(op::REPORT_ORDER), report),
        case(
            "ConfirmReceipt",
            &operation(op::CONFIRM_RECEIPT),
            ConfirmReceipt {
                member: member(),
                happened_ms: NOW_MS,
                channel: text("tmall"),
                number: text("T-20260918-1"),
            },
        ),
        case(
            "GetClaim",
            &operation(op::GET_CLAIM),
            GetClaim { member: member(), channel: text("douyin"), number: text("D-77") },
        ),
        case("DryRun", &operation(op::DRY_RUN), dry_run),
        case("Hold", &operation(op::HOLD), hold),
        case("Confirm", &operation(op::CONFIRM), Confirm { member: member(), hold: id() }),
        case("ConfirmPart", &operation(op::CONFIRM_PART), part),
        case("Cancel", &operation(op::CANCEL), Cancel { member: member(), hold: id() }),
        case("GetHolds", &operation(op::GET_HOLDS), GetHolds { member: member() }),
        case("GetQuotas", &operation(op::GET_QUOTAS), GetQuotas { campaign: 0, slug: text("monthly-gift") }),
        case("GetMember", &operation(op::GET_MEMBER), GetMember { member: member() }),
        case("GetCampaign", &operation(op::GET_CAMPAIGN), GetCampaign { campaign: 0, slug: text("monthly-gift") }),
        case("GetOutcome", &operation(op::GET_OUTCOME), GetOutcome { member: member(), id: id() }),
        case("GetLots", &operation(op::GET_LOTS), GetLots { member: member() }),
        case("GetStanding", &operation(op::GET_STANDING), GetStanding { member: member() }),
        case("GetProfile", &operation(op::GET_PROFILE), GetProfile { member: member() }),
        case(
            "GetStatement",
            &operation(op::GET_STATEMENT),
            GetStatement { member: member(), from: Cursor { epoch: 911, offset: 4_096, seal: 77 } },
        ),
        case("GetQuiz", &operation(op::GET_QUIZ), GetQuiz { quiz: text("daily") }),
        case("GetStatus", &operation(op::GET_STATUS), GetStatus { books: 1 }),
        case("TakeSnapshot", &operation(op::TAKE_SNAPSHOT), TakeSnapshot {}),
        case("Activate", &operation(op::ACTIVATE), Activate { replaces: 3, dry_run: 0, files: List::cut([file]) }),
        case("ListFiles", &operation(op::LIST_FILES), ListFiles { from_segment: 57 }),
        case("ReadFile", &operation(op::READ_FILE), ReadFile { kind: 2, number: 57, offset: 524_288, bytes: 524_288 }),
        case(
            "CheckFile",
            &operation(op::CHECK_FILE),
            CheckFile { kind: 2, number: 57, known_epoch: 912, known_hash: HASH },
        ),
        case("PublishQuestion", &operation(op::PUBLISH_QUESTION), question),
        case(
            "GetResults",
            &operation(op::GET_RESULTS),
            GetResults { programme: text("live-quiz"), quiz: text("daily") },
        ),
    ]
}

fn files() -> [Body; 3] {
    let snapshot = SnapshotFile {
        first_epoch: 900,
        last_epoch: 912,
        bytes: 180_000_000,
        members: 1_000_000,
        taken_ms: NOW_MS,
        hash: HASH,
    };
    let segment = SegmentFile { number: 57, bytes: 67_108_864, used_bytes: 12_800, previous_epoch: 899 };
    let files = FilesView {
        directory: *b"directory-of-now",
        lineage: 1,
        shards: 64,
        key_short: [3; 16],
        key_long: [4; 16],
        head_epoch: 912,
        head_hash: HASH,
        snapshots: List::cut([snapshot]),
        segments: List::cut([segment]),
    };
    let checked = FileChecked {
        bytes: 12_800,
        epochs: 13,
        previous_epoch: 899,
        previous_hash: [1; 32],
        epoch: 912,
        hash: HASH,
        torn: Prose::cut(""),
    };
    let bytes = b"TIDESEGM".to_vec().try_into().unwrap();
    [Body::FilesView(files), Body::FileBytes(FileBytes { bytes }), Body::FileChecked(checked)]
}

fn views() -> [Body; 11] {
    let member = MemberView {
        balance: 1_200,
        earned: 5_400,
        tier: 2,
        tier_slug: text("gold"),
        streak: 3,
        streak_best: 9,
        last_day: DAY,
        mark: RequestId([0; 16]),
        limits: List::cut([LimitUse { campaign: 2, offer: 0, period: DAY, used: 1 }]),
    };
    let campaign = CampaignView {
        number: 2,
        version: 4,
        epoch: 77,
        state: 1,
        period: DAY,
        opens_ms: NOW_MS,
        closes_ms: NOW_MS + 86_400_000,
        granted_ever: 12_345,
        slug: text("monthly-gift"),
        quotas: List::cut([QuotaUse { offer: 1, tier: 0, period: DAY, total: 5_000, used: 4_999 }]),
        offers: List::cut([OfferView { number: 1, granted: 4_999, sku: text("LRL-SET-0001") }]),
        refusals: List::cut([RefusalCount { code: code::answer::SOLD_OUT, count: 9 }]),
    };
    let outcome = OutcomeView {
        state: OutcomeView::APPLIED,
        code: code::answer::ENROLLED,
        ledger: ledger(),
        answer: Prose::cut("010000001100000073100000000000000400000001"),
    };
    let lots = LotsView {
        balance: 1_200,
        pending: 30,
        lots: List::cut([
            LotView {
                points: 1_200,
                opens_ms: 0,
                expires_ms: NOW_MS + 7_776_000_000,
                slides: 1,
                source: text("orders"),
            },
            LotView { points: 30, opens_ms: NOW_MS + 604_800_000, expires_ms: 0, slides: 0, source: text("check-in") },
        ]),
    };
    let standing = StandingView {
        tier: 2,
        tier_slug: text("gold"),
        measure: 2,
        count: 620_000,
        until_ms: NOW_MS + 31_536_000_000,
        grace: 0,
        keep: 500_000,
        next_tier: 3,
        next_slug: text("platinum"),
        missing: 380_000,
        birthday_month: 2,
        birthday_day: 29,
        birthday_from: 2026,
        rights: List::cut([
            RightView { slug: text("ten-percent-off"), count: 0, expires_ms: 0 },
            RightView { slug: text("free-drink"), count: 2, expires_ms: NOW_MS + 2_592_000_000 },
        ]),
        benefits: List::cut([BenefitView { slug: text("monthly-points"), due_ms: NOW_MS + 864_000_000 }]),
        caps: List::cut([CapView { rule: text("read-article"), each: 1, of: 1, most: 20, used: 5 }]),
    };
    let profile = ProfileView {
        zone: text("America/Los_Angeles"),
        today: DAY,
        checked_in: 1,
        next_ms: NOW_MS + 50_400_000,
        runs: List::cut([RunView { last: DAY - 5, days: 12 }]),
        reach: DAY - 7,
        cards: 2,
        tags: List::cut([text("koc")]),
        invited: 1,
        invited_by: MemberKey::from_number(77),
        invited_until_ms: NOW_MS + 2_592_000_000,
        introduced: 2,
        introduced_most: 10,
    };
    let question = QuestionView {
        slug: text("2026-11-20"),
        text: Prose::cut("今天是什么色号？"),
        options: List::cut([text("A"), text("B")]),
        opens_ms: NOW_MS,
        closes_ms: NOW_MS + 60_000,
        places_left: 12,
        right: text(""),
    };
    let quiz = QuizView { slug: text("daily"), attempts: 1, places: 100, questions: List::cut([question]) };
    let results = QuestionResults {
        number: 7,
        question: text("2026-11-20"),
        text: Prose::cut("今天是什么色号？"),
        opens_ms: NOW_MS,
        closes_ms: NOW_MS + 60_000,
        places_taken: 88,
        options: List::cut([
            OptionResult { option: text("A"), right: 0, times: 1_204 },
            OptionResult { option: text("B"), right: 1, times: 88 },
        ]),
    };
    let results = ResultsView { questions: List::cut([results]) };
    let entry = StatementEntry {
        ledger: ledger(),
        at_ms: NOW_MS,
        version: 4,
        kind: 3,
        about: text("tmall"),
        before: 15,
        after: 414,
        tier: 2,
        points: List::cut([StatementPoints {
            kind: 1,
            points: 399,
            opens_ms: 0,
            expires_ms: NOW_MS + 7_776_000_000,
            source: text("orders"),
        }]),
    };
    let next = Cursor { epoch: 911, offset: 4_096, seal: 77 };
    let statement = StatementView { entries: List::cut([entry]), next, beyond: 0 };
    let status = StatusView {
        figures: List::cut([Figure { name: text("members"), value: 1_000_000 }]),
        facts: List::cut([Fact { name: text("state_hash"), value: Prose::cut("9f86d081884c7d65") }]),
    };
    let activated = Activated { programme: 1, version: 5, warnings: List::cut([Prose::cut("a window is empty")]) };
    [
        Body::MemberView(member),
        Body::CampaignView(campaign),
        Body::OutcomeView(outcome),
        Body::LotsView(lots),
        Body::StandingView(standing),
        Body::ProfileView(profile),
        Body::QuizView(quiz),
        Body::ResultsView(results),
        Body::StatementView(statement),
        Body::StatusView(status),
        Body::Activated(activated),
    ]
}

/// One body of each kind.
fn bodies() -> Vec<Body> {
    let (ledger, version) = (ledger(), 4);
    let mut bodies = vec![
        Body::Enrolled(Enrolled { ledger, version, tier: 1 }),
        Body::CheckedIn(CheckedIn { ledger, version, day: DAY, streak: 3, before: 10, after: 15 }),
        Body::Recorded(Recorded { ledger, version, tier: 2, before: 15, after: 414 }),
        Body::Granted(Granted { ledger, version, grant: 4_999, before: 2_400, after: 1_200 }),
        Body::AlreadyRecorded(AlreadyRecorded { ledger }),
        Body::ActivityRecorded(ActivityRecorded { ledger, version, tier: 2, before: 15, after: 20 }),
        Body::RightUsed(RightUsed { ledger, version, left: 1 }),
        Body::BirthdaySet(BirthdaySet { ledger, version, from_year: 2026 }),
        Body::ZoneSet(ZoneSet { ledger, version }),
        Body::TagSet(TagSet { ledger, version }),
        Body::Answered(Answered { ledger, version, right: 1, place: 3, left: 0, before: 2, after: 62 }),
        Body::InvitationAccepted(InvitationAccepted {
            ledger,
            version,
            until_ms: NOW_MS + 2_592_000_000,
            before: 20,
            after: 70,
        }),
        Body::OrderClaimed(OrderClaimed { ledger, version, tier: 2, before: 20, after: 389 }),
        Body::ClaimWaits(ClaimWaits { ledger, version, until_ms: NOW_MS + 604_800_000 }),
        Body::ClaimWrong(ClaimWrong { ledger, version, left: 4 }),
        Body::OrderReported(OrderReported { ledger, version, waited: 1, until_ms: NOW_MS + 2_592_000_000 }),
        Body::ReceiptConfirmed(ReceiptConfirmed {
            ledger,
            version,
            opens_ms: NOW_MS + 604_800_000,
            before: 20,
            after: 20,
        }),
        Body::Held(Held {
            ledger,
            version,
            until_ms: NOW_MS + 900_000,
            money_minor: 12_790,
            before: 2_400,
            after: 1_200,
        }),
        Body::Confirmed(Confirmed { ledger, version, spent: 1_000, before: 1_200, after: 1_400 }),
        Body::Cancelled(Cancelled { ledger, version, gone: 30, before: 1_200, after: 2_370 }),
        Body::HoldsView(HoldsView {
            holds: List::cut([HoldView {
                hold: id(),
                until_ms: NOW_MS + 900_000,
                points: 1_200,
                tender: 500,
                money_minor: 12_790,
                offers: List::cut([HeldOfferView {
                    campaign: 2,
                    offer: 1,
                    count: 2,
                    period: DAY,
                    points: 350,
                    money_minor: 6_395,
                }]),
                rights: List::cut([text("free-drink")]),
            }]),
        }),
        Body::QuotasView(QuotasView {
            campaign: 2,
            epoch: 77,
            quotas: List::cut([QuotaView {
                offer: 1,
                tier: 0,
                each: 1,
                store: text("长沙-01"),
                period: DAY,
                total: 50,
                used: 49,
                held: 3,
            }]),
        }),
        Body::TenderRefused(TenderRefused { least: 100, step: 50, most: 4_000 }),
        Body::ClaimView(ClaimView { state: 1, until_ms: NOW_MS + 604_800_000, guesses_left: 4 }),
        Body::WouldBe(WouldBe { code: code::answer::NO_CHECK_IN, body: Vec::new().try_into().unwrap() }),
        Body::QuestionPublished(QuestionPublished { number: 7, changed: 0 }),
        Body::SnapshotTaken(SnapshotTaken {
            first_epoch: 900,
            last_epoch: 912,
            members: 1_000_000,
            bytes: 180_000_000,
            took_ms: 740,
            file: text("snapshot-0000000912"),
        }),
        Body::VersionConflict(VersionConflict { in_force: 4 }),
        Body::Plain(Plain {}),
        Body::AlreadyCheckedIn(AlreadyCheckedIn { day: DAY, streak: 3, next_ms: NOW_MS + 50_400_000 }),
        Body::NotOpen(NotOpen { opens_ms: NOW_MS + 1_000, epoch: 77, hold_ms: 1_000 }),
        Body::TierNotAdmitted(TierNotAdmitted { tier: 1, admitted: 2, missing: 600 }),
        Body::NotEnoughPoints(NotEnoughPoints { price: 1_200, balance: -5, shortfall: 1_205 }),
        Body::LimitReached(LimitReached { times: 1, used: 1, again_ms: 0 }),
        Body::SoldOut(SoldOut { offer: 1, tier: 0, again_ms: NOW_MS + 2_592_000_000, epoch: 78, hold_ms: 30_000 }),
        Body::TooOld(TooOld { after_ms: NOW_MS - 7_776_000_000 }),
        Body::PaidInTheFuture(PaidInTheFuture { until_ms: NOW_MS + 5_000 }),
        Body::KeyConflict(KeyConflict { ledger }),
        Body::FieldMissing(FieldMissing { field: text("minutes") }),
        Body::BirthdayLocked(BirthdayLocked { until_ms: NOW_MS + 31_536_000_000 }),
        Body::NotReached(NotReached { field: text("minutes"), told: 3, least: 4 }),
        Body::DayOutOfReach(DayOutOfReach { from: DAY - 7, until: DAY - 1 }),
        Body::Stale(Stale { mark: id() }),
        Body::Clock(Clock { server_ms: NOW_MS }),
        Body::Later(Later { retry_ms: 250 }),
        Body::Because(Because { sentence: Prose::cut("the body has 3 bytes; `Redeem` has 24") }),
    ];
    bodies.extend(views());
    bodies.extend(files());
    bodies
}

/// One line for each code.
fn answers() -> Vec<String> {
    let bodies = bodies();
    let line = |row: &code::Row| {
        let body = bodies.iter().find(|body| body.name() == row.body).expect("every code's body has a vector");
        let mut bytes = Vec::new();
        body.encode(&mut bytes);
        assert_eq!(Body::decode(row.code, &bytes).as_ref(), Ok(body), "{}", row.name);
        let (hex, fields) = (hex(&bytes), to_string(body).unwrap());
        format!(
            r#"{{"body": "{}", "answer": "{}", "code": {}, "hex": "{hex}", "fields": {fields}}}"#,
            row.body, row.name, row.code
        )
    };
    code::ANSWERS.iter().map(line).collect()
}

fn framed(kind: Kind, flags: u8, correlation: u64, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write(&mut bytes, kind, flags, correlation, body);
    bytes
}

fn requests() -> Vec<u8> {
    framed(Kind::Requests, 0, 42, |out| {
        let start = start_requests(out);
        push_entry(out, op::REDEEM, 1, 2_000, id(), &Redeem { member: member(), campaign: 2, offer: 1 });
        push_entry(out, 0x7777, 1, 2_000, id(), &Plain {});
        finish_requests(out, start, 2);
    })
}

fn answered(flags: u8) -> Vec<u8> {
    framed(Kind::Answers, flags, 42, |out| {
        let start = start_answers(out);
        push_answer(out, 1, code::answer::UNKNOWN_OPERATION, &Plain {});
        let granted = Granted { ledger: ledger(), version: 4, grant: 4_999, before: 2_400, after: 1_200 };
        push_answer(out, 0, code::answer::GRANTED, &granted);
        finish_answers(out, start, NOW_MS, 2);
    })
}

/// A frame, taken apart by the crate's own decoders.
fn frame_case(name: &str, bytes: &[u8]) -> String {
    let header = Header::decode(bytes.first_chunk().unwrap()).unwrap();
    let body = &bytes[HEADER_BYTES..];
    assert_eq!(header.length as usize, body.len());
    let parts: Vec<String> = match header.kind {
        Kind::Requests => Entries::new(body).unwrap().map(Result::unwrap).map(entry_line).collect(),
        Kind::Answers => Answers::new(body).unwrap().map(Result::unwrap).map(answer_line).collect(),
        _ => Vec::new(),
    };
    let server_ms = match header.kind {
        Kind::Answers => format!(r#""server_ms": {}, "#, Answers::new(body).unwrap().server_ms),
        _ => String::new(),
    };
    let (bytes, kind, Header { length, flags, correlation, .. }) = (hex(bytes), header.kind as u8, header);
    let head = format!(r#""length": {length}, "kind": {kind}, "flags": {flags}, "correlation": {correlation}"#);
    format!(r#"{{"frame": "{name}", "hex": "{bytes}", {head}, {server_ms}"parts": [{}]}}"#, parts.join(", "))
}

fn entry_line(entry: tidegate_protocol::batch::Entry<'_>) -> String {
    let (code, programme, deadline_ms, id) = (entry.code, entry.programme, entry.deadline_ms, entry.id);
    let body = hex(entry.body);
    format!(
        r#"{{"code": {code}, "programme": {programme}, "deadline_ms": {deadline_ms}, "id": "{id}", "body": "{body}"}}"#
    )
}

fn answer_line(answer: tidegate_protocol::batch::Answer<'_>) -> String {
    format!(r#"{{"index": {}, "code": {}, "body": "{}"}}"#, answer.index, answer.code, hex(answer.body))
}

fn frames() -> Vec<String> {
    let empty = framed(Kind::Requests, 0, (1 << 63) - 1, |out| {
        let start = start_requests(out);
        finish_requests(out, start, 0);
    });
    let hello = Hello { version_min: 1, version_max: 1, instance: [7; 16], session: 1, name: text("gw-1") };
    vec![
        frame_case("HELLO", &framed(Kind::Hello, 0, 0, |out| encode(&hello, out))),
        frame_case("REQUESTS", &requests()),
        frame_case("REQUESTS", &empty),
        frame_case("ANSWERS", &answered(0)),
        frame_case("ANSWERS", &answered(FLAG_NOT_DURABLE)),
        frame_case("DRAINING", &framed(Kind::Draining, 0, 0, |_| {})),
    ]
}

/// The first error that reading these bytes meets, as the whole of them is one `what`.
fn refusal(what: &str, bytes: &[u8]) -> Option<String> {
    match what {
        "header" => Header::decode(bytes.first_chunk().unwrap()).err().map(|error| error.to_string()),
        "requests" => match Entries::new(bytes) {
            Err(error) => Some(error.to_string()),
            Ok(mut entries) => entries.find_map(Result::err).map(|error| error.to_string()),
        },
        "answers" => match Answers::new(bytes) {
            Err(error) => Some(error.to_string()),
            Ok(mut answers) => answers.find_map(Result::err).map(|error| error.to_string()),
        },
        "Redeem" => decode::<Redeem>(bytes).err().map(|error| error.to_string()),
        "RecordOrder" => decode::<RecordOrder>(bytes).err().map(|error| error.to_string()),
        "Activate" => decode::<Activate>(bytes).err().map(|error| error.to_string()),
        other => panic!("no decoder for {other}"),
    }
}

/// Valid bytes with the byte at `at` set to `to`.
fn set(bytes: &[u8], at: usize, to: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] = to;
    bytes
}

fn invalid() -> Vec<String> {
    let (requests, answered) = (requests(), answered(0));
    let (head, requests, answers) = (&requests[..16], &requests[16..], &answered[16..]);
    let with = |bytes: &[u8], more: &[u8]| [bytes, more].concat();
    let mut redeem = Vec::new();
    encode(&Redeem { member: member(), campaign: 2, offer: 1 }, &mut redeem);
    let order = [&[0; 16][..], &[0; 16], &[65], &[b'a'; 65]].concat();
    let not_utf8 = [&[0; 16][..], &[0; 16], &[1, 0xff], &[0, 0, 0]].concat();
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("header", "a kind that is none", set(head, 4, 9)),
        ("header", "a body beyond the limit", set(head, 2, 0x11)),
        ("header", "a flag that is none", set(head, 5, 2)),
        ("header", "the flag of answers on requests", set(head, 5, 1)),
        ("header", "reserved bytes", set(head, 7, 1)),
        ("header", "a correlation of 2^63", set(head, 15, 0x80)),
        ("requests", "no head", requests[..3].to_vec()),
        ("requests", "reserved bytes of the head", set(requests, 3, 1)),
        ("requests", "too many entries", set(requests, 1, 2)),
        ("requests", "more entries counted than there are", set(requests, 0, 3)),
        ("requests", "fewer entries counted than there are", set(requests, 0, 1)),
        ("requests", "reserved bytes of an entry", set(requests, 6, 1)),
        ("requests", "a body longer than the frame", set(requests, 18, 1)),
        ("requests", "cut in the last entry", requests[..requests.len() - 1].to_vec()),
        ("requests", "bytes behind the last entry", with(requests, &[0])),
        ("answers", "no head", answers[..11].to_vec()),
        ("answers", "reserved bytes of the head", set(answers, 11, 1)),
        ("answers", "more answers counted than there are", set(answers, 8, 3)),
        ("answers", "cut in the last answer", answers[..answers.len() - 1].to_vec()),
        ("answers", "bytes behind the last answer", with(answers, &[0])),
        ("Redeem", "empty", Vec::new()),
        ("Redeem", "one byte short", redeem[..23].to_vec()),
        ("Redeem", "one byte more", with(&redeem, &[0])),
        ("RecordOrder", "a text of 65 bytes", order),
        ("RecordOrder", "a text that is not UTF-8", not_utf8),
        ("Activate", "a list of 65 items", [&[0; 5][..], &[65, 0]].concat()),
        ("Activate", "a file longer than allowed", [&[0; 5][..], &[1, 0, 1, b'a'], &[1, 0, 16, 0]].concat()),
        ("Activate", "a length that lies", [&[0; 5][..], &[1, 0, 1, b'a'], &[0, 0, 16, 0], &[b'x'; 9]].concat()),
    ];
    let line = |(what, name, bytes): &(&str, &str, Vec<u8>)| {
        let error = refusal(what, bytes).unwrap_or_else(|| panic!("{what}, {name}: not refused"));
        format!(
            r#"{{"what": "{what}", "case": "{name}", "hex": "{}", "error": {}}}"#,
            hex(bytes),
            to_string(&error).unwrap()
        )
    };
    cases.iter().map(line).collect()
}

#[test]
fn golden_vectors_stand() {
    settle("hello.json", &hellos());
    settle("operations.json", &operations());
    settle("answers.json", &answers());
    settle("frames.json", &frames());
    settle("invalid.json", &invalid());
}

#[test]
fn every_operation_and_answer_has_a_vector() {
    let codes = |lines: &[String]| -> BTreeSet<u64> {
        lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["code"].as_u64().unwrap()).collect()
    };
    assert_eq!(codes(&operations()), code::OPERATIONS.iter().map(|row| row.0.into()).collect());
    assert_eq!(codes(&answers()), code::ANSWERS.iter().map(|row| row.code.into()).collect());
}

#[test]
fn the_kept_frames_decode_part_by_part() {
    let kept = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/frames.json")).unwrap();
    for case in serde_json::from_str::<Vec<Value>>(&kept).unwrap() {
        let bytes = unhex(case["hex"].as_str().unwrap());
        let line: Value = serde_json::from_str(&frame_case(case["frame"].as_str().unwrap(), &bytes)).unwrap();
        assert_eq!(line, case);
    }
}
