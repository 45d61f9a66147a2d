//! Every decoder: gives back what was encoded, refuses every truncation and every trailing byte, never panics.

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_protocol::batch::{Answers, Entries, finish_answers, finish_requests};
use tidegate_protocol::batch::{push_answer, push_entry, start_answers, start_requests};
use tidegate_protocol::frame::{HEADER_BYTES, Header, Kind};
use tidegate_protocol::{
    Blob, Body, Decode, Encode, LedgerId, List, MemberKey, Prose, RequestId, Text, code, decode, encode,
};
use tidegate_protocol::{answer::*, files::*, hello::*, operation::*, operator::*, refusal::*};

/// Any value of a type.
trait Arb: Sized + Debug + 'static {
    fn arb() -> BoxedStrategy<Self>;
}

macro_rules! arb_any {
    ($($ty:ty)*) => { $(impl Arb for $ty { fn arb() -> BoxedStrategy<Self> { any::<$ty>().boxed() } })* };
}

arb_any! { u8 u16 u32 u64 i32 i64 [u8; 16] [u8; 32] }

impl Arb for Text {
    fn arb() -> BoxedStrategy<Self> {
        ".{0,16}".prop_map(|text| Text::try_from(text.as_str()).expect("16 characters have at most 64 bytes")).boxed()
    }
}

impl<const MOST: usize> Arb for Prose<MOST> {
    fn arb() -> BoxedStrategy<Self> {
        ".{0,40}".prop_map(|text| Prose::cut(&text)).boxed()
    }
}

impl<const MOST: usize> Arb for Blob<MOST> {
    fn arb() -> BoxedStrategy<Self> {
        vec(any::<u8>(), 0..40).prop_map(|bytes| Blob::try_from(bytes).expect("no place takes less")).boxed()
    }
}

impl<T: Arb, const MOST: usize> Arb for List<T, MOST> {
    fn arb() -> BoxedStrategy<Self> {
        vec(T::arb(), 0..4).prop_map(List::cut).boxed()
    }
}

impl Arb for MemberKey {
    fn arb() -> BoxedStrategy<Self> {
        any::<[u8; 16]>().prop_map(MemberKey).boxed()
    }
}

impl Arb for RequestId {
    fn arb() -> BoxedStrategy<Self> {
        any::<[u8; 16]>().prop_map(RequestId).boxed()
    }
}

/// What every layout promises of one value and its bytes.
fn keeps_its_promises<T: Encode + Decode<()> + PartialEq + Debug>(value: &T) -> Result<(), TestCaseError> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes);
    let again = decode::<T>(&bytes);
    prop_assert_eq!(again.as_ref(), Ok(value));
    for end in 0..bytes.len() {
        prop_assert!(decode::<T>(&bytes[..end]).is_err(), "cut at {}", end);
    }
    bytes.push(0);
    prop_assert!(decode::<T>(&bytes).is_err(), "a trailing byte");
    Ok(())
}

macro_rules! fields {
    (@any $field:ident) => { <_ as Arb>::arb() };
    () => { Just(()) };
    ($($field:ident)+) => { ($(fields!(@any $field),)+) };

}

macro_rules! bodies {
    ($($test:ident: $ty:ident { $($field:ident),* })*) => {
        $(impl Arb for $ty {
            fn arb() -> BoxedStrategy<Self> {
                fields!($($field)*).prop_map(|($($field,)*)| $ty { $($field),* }).boxed()
            }
        })*

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(96))]
            $(#[test]
            fn $test(value in <$ty as Arb>::arb(), bytes in vec(any::<u8>(), 0..160)) {
                keeps_its_promises(&value)?;
                any_bytes::<$ty>(&bytes)?;
            })*
        }
    };
}

bodies! {
    hello: Hello { version_min, version_max, instance, session, name }
    programme_name: ProgrammeName { number, version, slug }
    welcome: Welcome {
        version, server_ms, directory, lineage, body_bytes_most, entries_most, in_flight_most, deadline_ms_most,
        ahead_ms_most, programmes
    }
    hello_refused: HelloRefused { reason, version_min, version_max, retry_ms, progress_per_mille, sentence }

    enrol: Enrol { member }
    check_in: CheckIn { member }
    record_order: RecordOrder { member, paid_at_ms, amount_minor, brand, channel, store, number }
    redeem: Redeem { member, campaign, offer }
    get_member: GetMember { member }
    get_campaign: GetCampaign { campaign, slug }
    get_outcome: GetOutcome { member, id }
    get_lots: GetLots { member }
    get_status: GetStatus { books }
    take_snapshot: TakeSnapshot {}
    bundle_file: BundleFile { name, contents }
    activate: Activate { replaces, dry_run, files }
    list_files: ListFiles { from_segment }
    read_file: ReadFile { kind, number, offset, bytes }
    check_file: CheckFile { kind, number, known_epoch, known_hash }

    ledger_id: LedgerId { lineage, place, sequence }
    enrolled: Enrolled { ledger, version, tier }
    checked_in: CheckedIn { ledger, version, day, streak, before, after }
    recorded: Recorded { ledger, version, tier, before, after }
    already_recorded: AlreadyRecorded { ledger }
    granted: Granted { ledger, version, grant, before, after }
    limit_use: LimitUse { campaign, offer, period, used }
    member_view: MemberView {
        balance, earned, tier, tier_slug, streak, streak_best, last_day, mark, limits
    }
    quota_use: QuotaUse { offer, tier, period, total, used }
    offer_view: OfferView { number, granted, sku }
    refusal_count: RefusalCount { code, count }
    campaign_view: CampaignView {
        number, version, epoch, state, period, opens_ms, closes_ms, granted_ever, slug, quotas, offers, refusals
    }
    outcome_view: OutcomeView { state, code, ledger, answer }
    figure: Figure { name, value }
    fact: Fact { name, value }
    status_view: StatusView { figures, facts }
    snapshot_taken: SnapshotTaken { first_epoch, last_epoch, members, bytes, took_ms, file }
    activated: Activated { programme, version, warnings }
    version_conflict: VersionConflict { in_force }
    snapshot_file: SnapshotFile { first_epoch, last_epoch, bytes, members, taken_ms, hash }
    segment_file: SegmentFile { number, bytes, used_bytes, previous_epoch }
    files_view: FilesView {
        directory, lineage, shards, key_short, key_long, head_epoch, head_hash, snapshots, segments
    }
    file_bytes: FileBytes { bytes }
    file_checked: FileChecked { bytes, epochs, previous_epoch, previous_hash, epoch, hash, torn }

    plain: Plain {}
    already_checked_in: AlreadyCheckedIn { day, streak, next_ms }
    not_open: NotOpen { opens_ms, epoch, hold_ms }
    tier_not_admitted: TierNotAdmitted { tier, admitted, missing }
    not_enough_points: NotEnoughPoints { price, balance, shortfall }
    limit_reached: LimitReached { times, used, again_ms }
    sold_out: SoldOut { offer, tier, again_ms, epoch, hold_ms }
    too_old: TooOld { after_ms }
    paid_in_the_future: PaidInTheFuture { until_ms }
    key_conflict: KeyConflict { ledger }
    stale: Stale { mark }
    clock: Clock { server_ms }
    later: Later { retry_ms }
    because: Because { sentence }
}

/// Arbitrary bytes are refused, or are a value that gives the same bytes back.
fn any_bytes<T: Encode + Decode<()>>(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = decode::<T>(bytes) {
        let mut again = Vec::new();
        encode(&value, &mut again);
        prop_assert_eq!(again, bytes);
    }
    Ok(())
}

type Part = (u16, u32, u32, [u8; 16], GetCampaign);

fn requests(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let start = start_requests(&mut bytes);
    for (code, programme, deadline_ms, id, body) in parts {
        push_entry(&mut bytes, *code, *programme, *deadline_ms, RequestId(*id), body);
    }
    finish_requests(&mut bytes, start, parts.len() as u16);
    bytes
}

fn answers(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let start = start_answers(&mut bytes);
    for (index, (code, .., body)) in parts.iter().enumerate() {
        push_answer(&mut bytes, index as u16, *code, body);
    }
    finish_answers(&mut bytes, start, 1_700_000_000_000, parts.len() as u16);
    bytes
}

fn entries_are_good(bytes: &[u8]) -> bool {
    Entries::new(bytes).is_ok_and(|mut entries| entries.all(|entry| entry.is_ok()))
}

fn answers_are_good(bytes: &[u8]) -> bool {
    Answers::new(bytes).is_ok_and(|mut answers| answers.all(|answer| answer.is_ok()))
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    vec((u16::arb(), u32::arb(), u32::arb(), <[u8; 16]>::arb(), GetCampaign::arb()), 0..6)
}

proptest! {
    #[test]
    fn headers(length in 0..=1_u32 << 20, correlation in 0..1_u64 << 63, kind in 0..6_usize, bytes in any::<[u8; HEADER_BYTES]>()) {
        let kinds = [Kind::Hello, Kind::Welcome, Kind::HelloRefused, Kind::Requests, Kind::Answers, Kind::Draining];
        let header = Header { length, kind: kinds[kind], flags: 0, correlation };
        prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
        if let Ok(header) = Header::decode(&bytes) {
            prop_assert_eq!(header.encode(), bytes);
        }
    }

    #[test]
    fn batches_of_requests(parts in parts(), noise in vec(any::<u8>(), 0..200)) {
        let mut bytes = requests(&parts);
        let entries: Vec<_> = Entries::new(&bytes).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(entries.len(), parts.len());
        for (entry, (code, programme, deadline_ms, id, body)) in entries.iter().zip(&parts) {
            let head = (entry.code, entry.programme, entry.deadline_ms, entry.id.0);
            prop_assert_eq!(head, (*code, *programme, *deadline_ms, *id));
            prop_assert_eq!(&decode::<GetCampaign>(entry.body), &Ok(*body));
        }
        for end in 0..bytes.len() {
            prop_assert!(!entries_are_good(&bytes[..end]), "cut at {}", end);
        }
        bytes.push(0);
        prop_assert!(!entries_are_good(&bytes), "a trailing byte");
        entries_are_good(&noise);
    }

    #[test]
    fn batches_of_answers(parts in parts(), noise in vec(any::<u8>(), 0..200)) {
        let mut bytes = answers(&parts);
        let codes: Vec<_> = Answers::new(&bytes).unwrap().map(|answer| answer.unwrap().code).collect();
        prop_assert_eq!(codes, parts.iter().map(|part| part.0).collect::<Vec<_>>());
        for end in 0..bytes.len() {
            prop_assert!(!answers_are_good(&bytes[..end]), "cut at {}", end);
        }
        bytes.push(0);
        prop_assert!(!answers_are_good(&bytes), "a trailing byte");
        answers_are_good(&noise);
    }

    #[test]
    fn answers_by_code(code in 0..0x600_u16, bytes in vec(any::<u8>(), 0..160)) {
        match Body::decode(code, &bytes) {
            Ok(body) => {
                let mut again = Vec::new();
                body.encode(&mut again);
                prop_assert_eq!(again, bytes);
                prop_assert_eq!(body.name() == "unknown", code::row(code).is_none());
            }
            Err(_) => prop_assert!(code::row(code).is_some()),
        }
    }
}
