//! Bytes of records and sections: what is written reads back, and no bytes at all make a reader panic (I7).

use proptest::prelude::*;
use tidegate::engine::{
    BadRecord, Block, BlockPart, CELLS_HELD, Cell, CellEnded, CellHeld, CellName, CellUse, Change, Counter,
    DirectoryPart, EFFECTS_MOST, Effect, Effects, Found, KEPT_BYTES, KeptOrder, KeyEntry, LedgerAt, LotName,
    MemberPart, NEVER_S, Pending, PlaceId, PlaceKind, Plan, QUOTAS_MOST, Question, Record, Right, Run, read_record,
    write_block, write_directory, write_member,
};
use tidegate::programme::{Birthday, Each};
use tidegate::snapshot::SnapshotReader;
use tidegate::storage::Memory;
use tidegate::store::{Limits, LoggedTail, Section, SectionKind, Store, activations};
use tidegate_protocol::{List, MemberKey, Prose, RequestId, Text};

use super::{Client, NOON_MS, SEED, bundle, club, hot, opened_with, options};

const BASE_MS: i64 = 1_700_000_000_000;

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<u32>(), any::<[u8; 16]>())
            .prop_map(|(programme, key)| Change::Enrolled { programme, key: MemberKey(key) }),
        (any::<i32>(), any::<u16>()).prop_map(|(day, streak)| Change::CheckedIn { day, streak }),
        (any::<u16>(), any::<[u8; 16]>(), any::<i64>(), any::<i64>()).prop_map(
            |(channel, fingerprint, paid_at_ms, amount_minor)| Change::Ordered {
                channel,
                fingerprint,
                paid_at_ms,
                amount_minor,
            }
        ),
        (any::<u16>(), any::<u16>(), any::<u64>()).prop_map(|(campaign, offer, grant)| Change::Redeemed {
            campaign,
            offer,
            grant
        }),
        Just(Change::Settled),
        (any::<u16>(), any::<i64>(), any::<Option<[u8; 16]>>())
            .prop_map(|(activity, happened_ms, fingerprint)| { Change::Acted { activity, happened_ms, fingerprint } }),
        (any::<u16>(), any::<u32>()).prop_map(|(number, left)| Change::UsedRight { number, left }),
        any::<i16>().prop_map(|from_year| Change::SaidBirthday { from_year }),
        (any::<i32>(), any::<u16>()).prop_map(|(day, streak)| Change::FilledIn { day, streak }),
        any::<u16>().prop_map(|zone| Change::ChangedZone { zone }),
        any::<(u16, bool)>().prop_map(|(number, on)| Change::Tagged { number, on }),
        any::<(u16, u32, u8, bool, u16, u32)>().prop_map(|(quiz, question, option, right, left, place)| {
            Change::Answered { quiz, question, option, right, left, place }
        }),
        any::<([u8; 16], u32)>()
            .prop_map(|(inviter, until_s)| Change::Invited { inviter: MemberKey(inviter), until_s }),
        any::<[u8; 16]>().prop_map(|invitee| Change::Introduced { invitee: MemberKey(invitee) }),
        (any::<u16>(), any::<[u8; 16]>(), found()).prop_map(|(channel, fingerprint, found)| Change::Claimed {
            channel,
            fingerprint,
            found
        }),
        any::<(u16, [u8; 16], i64, i64)>().prop_map(|(channel, fingerprint, paid_at_ms, amount_minor)| {
            Change::ClaimGranted { channel, fingerprint, paid_at_ms, amount_minor }
        }),
        any::<(u16, [u8; 16], i64, u32)>().prop_map(|(channel, fingerprint, happened_ms, opens_s)| {
            Change::Received { channel, fingerprint, happened_ms, opens_s }
        }),
        (any::<u32>(), 0i64..1 << 40).prop_map(|(due_s, money_minor)| Change::Held { due_s, money_minor }),
        any::<[u8; 16]>().prop_map(|id| Change::Confirmed { hold: RequestId(id) }),
        any::<[u8; 16]>().prop_map(|id| Change::Cancelled { hold: RequestId(id) }),
        any::<[u8; 16]>().prop_map(|id| Change::Lapsed { hold: RequestId(id) }),
    ]
}

fn found() -> impl Strategy<Value = Found> {
    prop_oneof![
        any::<u32>().prop_map(|until_s| Found::Waits { until_s }),
        any::<(i64, i64)>().prop_map(|(paid_at_ms, amount_minor)| Found::Own { paid_at_ms, amount_minor }),
        any::<u16>().prop_map(|left| Found::Wrong { left }),
    ]
}

fn effect() -> impl Strategy<Value = Effect> {
    let points = || prop_oneof![3 => 0..1_000i64, 1 => 0..=i64::MAX];
    let second = || prop_oneof![any::<u32>(), Just(NEVER_S)];
    let name = (second(), 0u16..1 << 15, any::<bool>()).prop_map(|(expires_s, source, slides)| LotName {
        expires_s,
        source,
        slides,
    });
    prop_oneof![
        (points(), name.clone()).prop_map(|(points, name)| Effect::Granted { points, name }),
        (points(), second(), name).prop_map(|(points, opens_s, name)| Effect::Pended(Pending {
            points,
            opens_s,
            name
        })),
        (points(), second()).prop_map(|(points, through_s)| Effect::Opened { points, through_s }),
        (points(), second()).prop_map(|(points, through_s)| Effect::Expired { points, through_s }),
        points().prop_map(|points| Effect::Spent { points }),
        second().prop_map(|to_s| Effect::Slid { to_s }),
        (1u16.., any::<u16>(), any::<i32>(), any::<u32>())
            .prop_map(|(campaign, offer, period, used)| Effect::Used(Counter { campaign, offer, period, used })),
        (any::<u16>(), any::<u32>(), second()).prop_map(|(number, count, expires_s)| Effect::RightGiven(Right {
            number,
            count,
            expires_s
        })),
        any::<u16>().prop_map(|number| Effect::RightUsed { number }),
        (any::<u64>(), second()).prop_map(|(count, through_s)| Effect::RightsExpired { count, through_s }),
        (any::<u16>(), second()).prop_map(|(what, at_s)| Effect::Planned(Plan { what, at_s })),
        (any::<u8>(), any::<i32>(), any::<i64>()).prop_map(|(measure, day, value)| Effect::Progressed {
            measure,
            day,
            value
        }),
        any::<i32>().prop_map(|from| Effect::ProgressForgotten { from }),
        (points(), any::<u16>()).prop_map(|(points, at)| Effect::Unpended { points, at }),
        any::<(i32, u16)>().prop_map(|(last, days)| Effect::Ran(Run { last, days })),
        any::<i32>().prop_map(|after| Effect::DaysKnown { after }),
        any::<u16>().prop_map(|zone| Effect::ZoneSet { zone }),
        points().prop_map(|points| Effect::BonusOwed { points }),
        any::<(u16, bool)>().prop_map(|(number, on)| Effect::Tagged { number, on }),
        any::<[u8; 16]>().prop_map(|inviter| Effect::Invited { inviter: MemberKey(inviter) }),
        any::<u32>().prop_map(|until_s| Effect::InvitedUntil { until_s }),
        (any::<u8>(), any::<u8>(), any::<i16>(), any::<i32>()).prop_map(|(month, day, from_year, said_on)| {
            Effect::Birthday(Birthday { month, day, from_year, said_on })
        }),
        held_effect(),
    ]
}

/// Effects on what is held.
fn held_effect() -> impl Strategy<Value = Effect> {
    let points = || prop_oneof![3 => 0..1_000i64, 1 => 0..=i64::MAX];
    let at = || prop_oneof![3 => Just(0u16), 1 => any::<u16>()];
    prop_oneof![
        any::<(u32, u32)>().prop_map(|(due_s, grace_s)| Effect::HoldBegun { due_s, grace_s }),
        (any::<(u16, u16, u16)>(), points()).prop_map(|((campaign, offer, count), points)| Effect::OfferHeld {
            campaign,
            offer,
            count,
            points
        }),
        (any::<i32>(), points()).prop_map(|(period, money_minor)| Effect::WindowHeld { period, money_minor }),
        prop::collection::vec(0..u32::MAX, 0..=CELLS_HELD).prop_map(|cells| {
            let mut slots = [u32::MAX; CELLS_HELD];
            slots[..cells.len()].copy_from_slice(&cells);
            Effect::CellsHeld { slots }
        }),
        (1u16.., any::<u16>(), any::<i32>(), any::<u32>())
            .prop_map(|(campaign, offer, period, used)| Effect::LimitHeld(Counter { campaign, offer, period, used })),
        any::<u16>().prop_map(|number| Effect::RightHeld { number }),
        points().prop_map(|points| Effect::TenderHeld { points }),
        points().prop_map(|points| Effect::PointsHeld { points }),
        (at(), points()).prop_map(|(at, points)| Effect::HeldSpent { at, points }),
        (at(), any::<u16>()).prop_map(|(at, number)| Effect::HeldRightUsed { at, number }),
        (at(), any::<u32>(), points()).prop_map(|(at, through_s, points)| Effect::HeldExpired {
            at,
            through_s,
            points
        }),
        (at(), any::<u32>(), points()).prop_map(|(at, through_s, back)| Effect::HoldEnded { at, through_s, back }),
    ]
}

prop_compose! {
    fn member_part()(
        slot: u32, forgets: Option<u32>, after_base: u32, version: u32, id: [u8; 16], hash: u64, epoch: u64, offset: u32,
        before: i64, tier: u8, change in change(), effects in prop::collection::vec(effect(), 0..=EFFECTS_MOST),
    ) -> MemberPart {
        // What comes of it, and what stood before, are numbers.
        let (mut after, mut delta) = (before, 0i64);
        let fits = |effect: &Effect| {
            let sums = after.checked_add(effect.delta()).zip(delta.checked_add(effect.delta()));
            (after, delta) = sums.unwrap_or((after, delta));
            sums.is_some()
        };
        let effects: Effects = effects.into_iter().take_while(fits).collect();
        let previous = LedgerAt { epoch, offset };
        let now_ms = BASE_MS + i64::from(after_base);
        let (id, hash) = if change.is_unasked() { Default::default() } else { (RequestId(id), hash) };
        MemberPart { slot, forgets, now_ms, version, id, hash, previous, after, tier, change, effects }
    }
}

fn cell_name() -> impl Strategy<Value = CellName> {
    let each = prop_oneof![3 => Just(Each::Window), 1 => prop::sample::select(Each::ALL.to_vec())];
    (any::<i32>(), any::<u16>(), prop_oneof![3 => Just(0), 1 => any::<u16>()], any::<u8>(), each)
        .prop_map(|(period, offer, store, tier, each)| CellName { period, offer, store, tier, each })
}

fn block_part() -> impl Strategy<Value = BlockPart> {
    let now = || any::<u32>().prop_map(|after| BASE_MS + i64::from(after));
    prop_oneof![
        (now(), any::<u32>(), cell_name(), prop_oneof![Just(0), any::<u32>()])
            .prop_map(|(now_ms, slot, name, carried)| BlockPart::Opened { now_ms, slot, name, carried }),
        (now(), any::<u32>(), prop::collection::vec(any::<(u32, u32, u32)>(), 0..=96)).prop_map(
            |(now_ms, due_s, cells)| {
                let cells = cells.into_iter().map(|(slot, used, units)| CellHeld { slot, used, units }).collect();
                BlockPart::Held { now_ms, due_s, cells }
            }
        ),
        (now(), any::<u32>(), prop::collection::vec(any::<(u32, u32, u32)>(), 0..=96)).prop_map(
            |(now_ms, due_s, cells)| {
                let ended = |(slot, confirmed, returned)| CellEnded { slot, confirmed, returned };
                BlockPart::Ended { now_ms, due_s, cells: cells.into_iter().map(ended).collect() }
            }
        ),
        (now(), any::<u32>()).prop_map(|(now_ms, through_s)| BlockPart::Lapsed { now_ms, through_s }),
        (now(), prop::collection::vec(any::<(u32, u32)>(), 1..=QUOTAS_MOST)).prop_map(|(now_ms, cells)| {
            let cells = cells.into_iter().map(|(slot, used)| CellUse { slot, used }).collect();
            BlockPart::Granted { now_ms, cells }
        }),
        (now(), any::<u32>()).prop_map(|(now_ms, slot)| BlockPart::Folded { now_ms, slot }),
        (now(), any::<u32>()).prop_map(|(now_ms, number)| BlockPart::QuestionForgotten { now_ms, number }),
        (now(), any::<(u32, u8, u8, i64, i64)>(), prop::collection::vec(".{0,9}", 0..=16), ".{0,200}").prop_map(
            |(now_ms, (number, lane, right, opens_ms, closes_ms), options, text)| {
                let options = List::cut(options.iter().map(|option| Text::try_from(option.as_str()).unwrap()));
                let (slug, text) = (Text::try_from("q-1").unwrap(), Prose::cut(&text));
                let question = Question { number, lane, slug, text, options, right, opens_ms, closes_ms };
                BlockPart::Published { now_ms, question: Box::new(question) }
            }
        ),
    ]
}

fn directory_part() -> impl Strategy<Value = DirectoryPart> {
    let now = || any::<u32>().prop_map(|after| BASE_MS + i64::from(after));
    let entry = prop::collection::vec(any::<u8>(), 40)
        .prop_map(|bytes| KeyEntry::from_bytes(bytes.as_slice().try_into().unwrap()));
    prop_oneof![
        (now(), any::<u32>(), entry).prop_map(|(now_ms, slot, entry)| DirectoryPart::Taken { now_ms, slot, entry }),
        (now(), any::<u32>(), any::<i64>()).prop_map(|(now_ms, programme, through_ms)| DirectoryPart::Forgot {
            now_ms,
            programme,
            through_ms
        }),
        (now(), any::<u32>(), kept()).prop_map(|(now_ms, slot, kept)| DirectoryPart::Kept {
            now_ms,
            slot,
            kept: Box::new(kept)
        }),
        (now(), any::<u32>()).prop_map(|(now_ms, through_s)| DirectoryPart::KeptForgot { now_ms, through_s }),
    ]
}

/// Any bytes, as far as they are what is kept of an order.
fn kept() -> impl Strategy<Value = KeptOrder> {
    prop::collection::vec(any::<u8>(), KEPT_BYTES).prop_map(|bytes| {
        let mut bytes: [u8; KEPT_BYTES] = bytes.try_into().unwrap();
        (bytes[47], bytes[55], bytes[90], bytes[94], bytes[95]) = (bytes[47] >> 1, bytes[55] >> 1, 1, bytes[94] % 8, 0);
        if bytes[94] & 4 == 0 {
            bytes[80..90].fill(0);
        }
        KeptOrder::from_bytes(&bytes).unwrap()
    })
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        member_part().prop_map(Record::Member),
        block_part().prop_map(Record::Block),
        directory_part().prop_map(Record::Directory),
    ]
}

fn write(record: &Record, out: &mut Vec<u8>) {
    match record {
        Record::Member(part) => write_member(out, part, BASE_MS),
        Record::Block(part) => write_block(out, part, BASE_MS),
        Record::Directory(part) => write_directory(out, part, BASE_MS),
    }
}

fn kind() -> impl Strategy<Value = SectionKind> {
    (1u8..=11).prop_map(|kind| SectionKind::from_u8(kind).unwrap())
}

fn place() -> impl Strategy<Value = PlaceId> {
    let kinds = [PlaceKind::Programmes, PlaceKind::Members, PlaceKind::Directory, PlaceKind::Block];
    (prop::sample::select(kinds.to_vec()), prop_oneof![4 => 0usize..3, 1 => 0usize..1 << 24])
        .prop_map(|(kind, index)| PlaceId::new(kind, index))
}

pub(super) fn empty() -> Store {
    Store::new(tidegate::store::Shape { shards: 2, keys: SEED.keys, lineage: 0 }, Limits::default(), 1)
}

/// A small state, and the sections that hold it.
pub(super) fn lived() -> (std::sync::Arc<Store>, Vec<Section>) {
    let (_, opened) = opened_with(&club("club", &hot(1, 9, 9, 9)), options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    for member in 0..6 {
        client.enrol(member);
        client.order(member, &format!("{member}"), 50);
        client.redeem(member, 1, 1);
    }
    let mut sections = Vec::new();
    let copied = opened.store.copy(|section| {
        sections.push(section);
        Ok(())
    });
    copied.unwrap();
    (opened.store, sections)
}

proptest! {
    #[test]
    fn a_record_reads_back(records in prop::collection::vec(record(), 1..5)) {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| write(record, &mut bytes));
        let mut rest = bytes.as_slice();
        for record in &records {
            let (read, used) = read_record(rest, BASE_MS).unwrap();
            prop_assert_eq!(&read, record);
            rest = &rest[used..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn no_bytes_make_the_reader_of_records_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), base_ms: i64) {
        if let Ok((_, used)) = read_record(&bytes, base_ms) {
            prop_assert!((3..=bytes.len()).contains(&used));
        }
    }

    #[test]
    fn a_record_cut_short_or_changed_is_an_error_or_another_record(record in record(), at: prop::sample::Index, bit in 0u8..8) {
        let mut bytes = Vec::new();
        write(&record, &mut bytes);
        let at = at.index(bytes.len());
        prop_assert!(read_record(&bytes[..at], BASE_MS).is_err());
        bytes[at] ^= 1 << bit;
        prop_assert_ne!(read_record(&bytes, BASE_MS).map(|(read, _)| read), Ok(record));
    }

    #[test]
    fn no_section_makes_the_store_panic(
        kind in kind(), place in place(), sequence: u64, body in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let _ = empty().restore(&Section { kind, place, sequence, body });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_changed_section_makes_the_store_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut: Option<prop::sample::Index>, swap: Option<prop::sample::Index>,
    ) {
        let (_, mut sections) = lived();
        for (section, at, byte) in changes {
            let section = section.index(sections.len());
            let body = &mut sections[section].body;
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Some(cut) = cut {
            let section = cut.index(sections.len());
            let half = sections[section].body.len() / 2;
            sections[section].body.truncate(half);
        }
        if let Some(swap) = swap {
            let other = swap.index(sections.len());
            sections.swap(0, other);
        }
        let store = empty();
        let _ = sections.iter().try_for_each(|section| store.restore(section));
    }

    #[test]
    fn no_record_makes_a_recovery_panic(
        records in prop::collection::vec((place(), record()), 1..20), small: bool, activation in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let (store, _) = lived();
        for (place, record) in records {
            let record = if small { fitting(record) } else { record };
            let mut bytes = Vec::new();
            write(&record, &mut bytes);
            if place.kind() == PlaceKind::Programmes {
                bytes.clone_from(&activation);
            }
            for first_sequence in 0..24 {
                let records = &bytes;
                let tail = LoggedTail { epoch: 9, lineage: 0, place, first_sequence, base_ms: BASE_MS, count: 1, records };
                let _ = store.replay(&tail);
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_of_snapshots_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), whole: bool) {
        let memory = Memory::new();
        let bytes = if whole { [b"TGSNAPS1", bytes.as_slice()].concat() } else { bytes };
        memory.set_bytes("snapshots/1.snap", bytes);
        if let Ok(mut reader) = SnapshotReader::open(&memory, "snapshots/1.snap") {
            while let Ok(Some(_)) = reader.next_section() {}
        }
    }
}

/// A part of the first member that leads to `after`.
fn simple(number: u8, after: i64, change: Change, effects: &[Effect]) -> MemberPart {
    MemberPart {
        slot: 0,
        forgets: None,
        now_ms: NOON_MS,
        version: 1,
        id: RequestId::mint(NOON_MS, [number; 10]),
        hash: 1,
        previous: LedgerAt::default(),
        after,
        tier: 1,
        change,
        effects: Effects::from_slice(effects),
    }
}

#[test]
fn a_record_whose_points_are_no_number_is_refused() {
    let redeemed = Change::Redeemed { campaign: 1, offer: 1, grant: 1 };
    let granted = |points| Effect::Granted { points, name: LotName::PLAIN };
    for (effect, after) in
        [(Effect::Spent { points: -1 }, 0), (Effect::Spent { points: 1 }, i64::MAX), (granted(-1), 0)]
    {
        let mut bytes = Vec::new();
        write_member(&mut bytes, &simple(1, after, redeemed, &[effect]), NOON_MS);
        assert_eq!(read_record(&bytes, NOON_MS), Err(BadRecord::Value(5)));
    }
}

/// A tail of one record for a shard of members.
fn member_tail(store: &Store, shard: usize, first_sequence: u64, part: &MemberPart) -> Result<(), String> {
    let mut records = Vec::new();
    write_member(&mut records, part, part.now_ms);
    let place = PlaceId::new(PlaceKind::Members, shard);
    let base_ms = part.now_ms;
    let tail = LoggedTail { epoch: 9, lineage: 0, place, first_sequence, base_ms, count: 1, records: &records };
    store.replay(&tail).map_err(|error| error.why)
}

#[test]
fn records_that_no_snapshot_would_take_are_refused() {
    let (_memory, opened) = opened_with(&club("club", &hot(1, 9, 9, 9)), options(1, Limits::default()));
    let store = &opened.store;
    let part =
        |slot, number, after, change, effects: &[Effect]| MemberPart { slot, ..simple(number, after, change, effects) };
    let enrolled = |key| Change::Enrolled { programme: 1, key: MemberKey::from_number(key) };
    let refused = "it names a slot, points or an answer that are not there, or a member that is there already";
    assert_eq!(member_tail(store, 0, 1, &part(0, 1, 0, enrolled(7), &[])), Ok(()));
    assert_eq!(member_tail(store, 0, 2, &part(1, 2, 0, enrolled(7), &[])), Err(refused.into()), "enrolled twice");
    // With the enrolment four answers, as many as a member is remembered with; the fifth has to forget one.
    let check_in = |number: u8| Change::CheckedIn { day: number.into(), streak: 1 };
    let five = [Effect::Granted { points: 5, name: LotName::PLAIN }];
    for number in 2..=4 {
        let after = 5 * i64::from(number - 1);
        assert_eq!(member_tail(store, 0, number.into(), &part(0, number, after, check_in(number), &five)), Ok(()));
    }
    let fifth = part(0, 5, 20, check_in(5), &five);
    assert_eq!(member_tail(store, 0, 5, &fifth), Err(refused.into()), "remembers nothing less");
    assert_eq!(member_tail(store, 0, 5, &MemberPart { forgets: Some(0), ..fifth }), Ok(()));
}

/// What comes of points is held to the points that are there: nothing that does not fit changes anything.
#[test]
fn effects_that_do_not_fit_the_points_are_refused() {
    let (_memory, opened) = opened_with(&club("club", &hot(1, 9, 9, 9)), options(1, Limits::default()));
    let store = &opened.store;
    let name = |expires_s| LotName { expires_s, source: 1, slides: false };
    let enrolled = Change::Enrolled { programme: 1, key: MemberKey::from_number(7) };
    let pended = Effect::Pended(Pending { points: 9, opens_s: 2_000, name: name(3_000) });
    let some = [Effect::Granted { points: 5, name: name(1_000) }, pended];
    assert_eq!(member_tail(store, 0, 1, &simple(1, 5, enrolled, &some)), Ok(()));
    let settled = |after, effects: &[Effect]| {
        let part = simple(0, after, Change::Settled, effects);
        member_tail(store, 0, 2, &MemberPart { id: RequestId::default(), hash: 0, ..part })
    };
    let expired = |points, through_s| Effect::Expired { points, through_s };
    let opened = |points, through_s| Effect::Opened { points, through_s };
    let before = store.books().state_hash;
    for (after, effects) in [
        (4, vec![expired(1, 1_000)]),
        (0, vec![expired(5, 999)]),
        (9, vec![opened(4, 2_000)]),
        (14, vec![opened(9, 1_999)]),
        (-1, vec![Effect::Spent { points: 6 }]),
        (6, vec![expired(5, 1_000)]),
        (i64::MAX, vec![Effect::Granted { points: i64::MAX - 5, name: name(1) }]),
        (5, vec![Effect::Pended(Pending { points: i64::MAX - 9, opens_s: 1, name: name(1) })]),
    ] {
        assert!(settled(after, &effects).is_err(), "{effects:?}");
    }
    assert_eq!(store.books().state_hash, before);
    // In the order in which they are said: what opens now can be expired by then.
    assert_eq!(settled(0, &[expired(5, 3_000), opened(9, 3_000), expired(9, 3_000)]), Ok(()));
    assert!(store.books().balance(), "{:?}", store.books());
}

/// A tail of one record for the first block.
fn granted_tail(store: &Store, first_sequence: u64, cells: &[(u32, u32)]) -> Result<(), String> {
    let cells = cells.iter().map(|(slot, used)| CellUse { slot: *slot, used: *used }).collect();
    block_tail(store, first_sequence, BlockPart::Granted { now_ms: NOON_MS, cells })
}

fn block_tail(store: &Store, first_sequence: u64, part: BlockPart) -> Result<(), String> {
    let mut records = Vec::new();
    write_block(&mut records, &part, NOON_MS);
    let place = PlaceId::new(PlaceKind::Block, 0);
    let tail =
        LoggedTail { epoch: 9, lineage: 0, place, first_sequence, base_ms: NOON_MS, count: 1, records: &records };
    store.replay(&tail).map_err(|error| error.why)
}

#[test]
fn a_grant_that_counts_twice_in_a_cell_and_a_cell_that_is_open_already_are_refused() {
    let (store, _) = lived();
    // Three cells, and six grants in all of them.
    let next = 10;
    let refused = Err("it does not fit the cells that are open".into());
    assert_eq!(granted_tail(&store, next, &[(0, 7), (0, 7)]), refused);
    assert_eq!(granted_tail(&store, next, &[(0, 7), (1, 7), (0, 8)]), refused);
    // The offer's own cell of March, which is open in slot 0.
    let period = store.programmes()[0].programme.zone.local_day(NOON_MS);
    let name = CellName::of_window(period, 1, 0);
    assert_eq!(block_tail(&store, next, BlockPart::Opened { now_ms: NOON_MS, slot: 3, name, carried: 0 }), refused);
    assert_eq!(granted_tail(&store, next, &[(0, 7), (1, 7), (2, 7)]), Ok(()));
    // Neither that again, nor one that leaves the next out.
    let again = "it does not follow record 10 of this place, which came before it";
    assert_eq!(granted_tail(&store, next, &[(0, 8), (1, 8), (2, 8)]), Err(again.into()));
    assert_eq!(
        granted_tail(&store, next + 2, &[(0, 8), (1, 8), (2, 8)]),
        Err("records 11 to 11 of this place are missing".into())
    );
    assert_eq!(granted_tail(&store, next + 1, &[(0, 8), (1, 8), (2, 8)]), Ok(()));
}

#[test]
fn a_grant_beyond_what_a_cell_counts_is_refused() {
    let name = CellName::of_window(1, 1, 0);
    let full = Block::restore(vec![Some(Cell { name, used: u32::MAX, carried: 0 })], 0, 0, i32::MIN);
    let cells = [CellUse { slot: 0, used: 0 }].into_iter().collect();
    assert!(!full.takes(&BlockPart::Granted { now_ms: NOON_MS, cells }));
}

#[test]
fn a_section_with_an_answer_that_nobody_can_be_given_is_refused() {
    let (_, sections) = lived();
    // Of the answer that ends the section: points after, change and code.
    let forged: [(usize, &[u8]); 3] =
        [(4, &0x0101u16.to_le_bytes()), (4, &0u16.to_le_bytes()), (32, &i64::MIN.to_le_bytes())];
    for (from_the_end, bytes) in forged {
        let store = empty();
        let put = sections.iter().cloned().try_for_each(|mut section| {
            if section.kind == SectionKind::Members {
                let at = section.body.len() - from_the_end;
                section.body[at..at + bytes.len()].copy_from_slice(bytes);
                // What is granted takes points: with this change of one, the points before fall off the end.
                if from_the_end == 32 {
                    section.body[at + 8..at + 16].copy_from_slice(&1i64.to_le_bytes());
                }
            }
            store.restore(&section)
        });
        assert_eq!(put, Err("a remembered answer that was never given"));
    }
}

/// Puts the sections back with one of them changed, each by turns; whatever is wrong with it must be said.
fn refused_with(change: impl Fn(&mut Section), why: &'static str) {
    let (_, sections) = lived();
    for forged in 0..sections.len() {
        let store = empty();
        let put = sections.iter().cloned().enumerate().try_for_each(|(index, mut section)| {
            if index == forged {
                change(&mut section);
            }
            store.restore(&section)
        });
        assert_eq!(put, Err(why), "{:?}", sections[forged].kind);
    }
}

#[test]
fn a_section_of_a_sequence_that_no_place_reaches_is_refused() {
    refused_with(|section| section.sequence = u64::MAX, "a sequence that no place reaches");
    refused_with(|section| section.sequence = (1 << 47) + 1, "a sequence that no place reaches");
}

#[test]
fn a_section_of_another_kind_of_place_is_refused() {
    let other = |place: PlaceId| match place.kind() {
        PlaceKind::Programmes => PlaceId::new(PlaceKind::Members, place.index()),
        PlaceKind::Members => PlaceId::new(PlaceKind::Directory, place.index()),
        PlaceKind::Directory => PlaceId::new(PlaceKind::Block, place.index()),
        PlaceKind::Block => PlaceId::PROGRAMMES,
    };
    refused_with(|section| section.place = other(section.place), "a section of another kind of place");
}

/// Puts the sections back, those of a kind changed.
fn put_back(kind: SectionKind, change: impl Fn(&mut Section)) -> (Store, Result<(), &'static str>) {
    let (_, sections) = lived();
    let store = empty();
    let put = sections.into_iter().try_for_each(|mut section| {
        if section.kind == kind {
            change(&mut section);
        }
        store.restore(&section)
    });
    (store, put)
}

#[test]
fn a_section_of_another_shard_is_refused() {
    for (kind, place) in [(SectionKind::Members, PlaceKind::Members), (SectionKind::Directory, PlaceKind::Directory)] {
        // Of two shards, as `empty` has them.
        let (_, put) = put_back(kind, |section| section.place = PlaceId::new(place, 1 - section.place.index()));
        assert_eq!(put, Err("members or orders of another shard"), "{kind:?}");
    }
}

#[test]
fn a_block_of_another_campaign_is_refused() {
    // Behind the time of the last change: programme, then campaign.
    for at in [8, 12] {
        let (_, put) = put_back(SectionKind::Block, |section| section.body[at] += 1);
        assert_eq!(put, Err("a block of another campaign"), "{at}");
    }
}

#[test]
fn a_member_with_more_answers_than_are_kept_is_refused() {
    // A member's section ends with its answers of 64 bytes, behind their count.
    let answer = 64;
    let (_, put) = put_back(SectionKind::Members, |section| {
        let len = section.body.len();
        let count = (1..=4).find(|count| usize::from(section.body[len - count * answer - 1]) == *count);
        let at = len - count.expect("the last member remembers something") * answer - 1;
        section.body[at] = 5;
        let last = section.body[len - answer..].to_vec();
        section.body.truncate(at + 1);
        (0..5).for_each(|_| section.body.extend_from_slice(&last));
    });
    assert_eq!(put, Err("more answers than a member is remembered with"));
}

#[test]
fn a_section_from_behind_the_end_of_its_place_is_found_before_anything_is_decided() {
    for kind in [SectionKind::MembersHead, SectionKind::Members, SectionKind::DirectoryHead, SectionKind::Directory] {
        let (store, put) = put_back(kind, |section| section.sequence += 1);
        assert_eq!(put, Ok(()));
        // A head gives its place the sequence that it states.
        let head = matches!(kind, SectionKind::MembersHead | SectionKind::DirectoryHead);
        let wanted = if head { Ok(()) } else { Err("a section from behind the end of its place") };
        assert_eq!(store.caught_up(), wanted, "{kind:?}");
    }
    // Where the log has a record of the place, it tells where that led.
    let (store, put) = put_back(SectionKind::Block, |section| section.sequence += 4);
    assert_eq!((put, granted_tail(&store, 10, &[(0, 7), (1, 7), (2, 7)])), (Ok(()), Ok(())), "passed over as known");
    assert_eq!(store.caught_up(), Err("a section from behind the end of its place"));
}

#[test]
fn a_copy_waits_for_what_was_activated_while_it_was_made() {
    let (store, _) = lived();
    let activated = std::cell::Cell::new(None);
    let newest = store.copy(|section| {
        if section.kind == SectionKind::DirectoryHead && activated.get().is_none() {
            let changed = bundle(&club("club", &hot(1, 9, 9, 8)));
            store.activate(changed, 1, false, NOON_MS + 1).expect("a second version");
            activated.set(Some(store.programmes_epoch()));
        }
        Ok(())
    });
    assert!(activated.get().is_some_and(|epoch| newest.is_ok_and(|newest| newest >= epoch)));
}

#[test]
fn activations_end_with_the_first_that_is_none() {
    for length in [0, 1, 4, 5, 90] {
        let mut records = vec![length, 0, 0, 0, 96];
        records.extend([0; 40]);
        let read: Vec<_> = activations(&records).take(3).collect();
        assert!(matches!(read[..], [Err(_)]), "{length}: {read:?}");
    }
}

/// The record with numbers small enough to come near what is there.
fn fitting(record: Record) -> Record {
    match record {
        Record::Member(part) => {
            let forgets = part.forgets.map(|slot| slot % 5);
            Record::Member(MemberPart { slot: part.slot % 5, forgets, after: part.after % 60, ..part })
        }
        Record::Block(BlockPart::Granted { now_ms, mut cells }) => {
            for cell in &mut cells {
                (cell.slot, cell.used) = (cell.slot % 4, cell.used % 9);
            }
            Record::Block(BlockPart::Granted { now_ms, cells })
        }
        Record::Block(BlockPart::Opened { now_ms, slot, name, carried }) => {
            Record::Block(BlockPart::Opened { now_ms, slot: slot % 100, name, carried })
        }
        Record::Block(BlockPart::Held { now_ms, due_s, mut cells }) => {
            cells.truncate(2);
            for cell in &mut cells {
                (cell.slot, cell.used, cell.units) = (cell.slot % 4, cell.used % 9, cell.units % 3);
            }
            Record::Block(BlockPart::Held { now_ms, due_s: due_s % 3, cells })
        }
        Record::Block(BlockPart::Ended { now_ms, due_s, mut cells }) => {
            cells.truncate(2);
            for cell in &mut cells {
                (cell.slot, cell.confirmed, cell.returned) = (cell.slot % 4, cell.confirmed % 3, cell.returned % 3);
            }
            Record::Block(BlockPart::Ended { now_ms, due_s: due_s % 3, cells })
        }
        Record::Block(BlockPart::Lapsed { now_ms, through_s }) => {
            Record::Block(BlockPart::Lapsed { now_ms, through_s: through_s % 3 })
        }
        Record::Block(BlockPart::Published { now_ms, mut question }) => {
            question.number %= 3;
            Record::Block(BlockPart::Published { now_ms, question })
        }
        Record::Block(BlockPart::QuestionForgotten { now_ms, number }) => {
            Record::Block(BlockPart::QuestionForgotten { now_ms, number: number % 3 })
        }
        Record::Block(BlockPart::Folded { now_ms, slot }) => {
            Record::Block(BlockPart::Folded { now_ms, slot: slot % 5 })
        }
        Record::Directory(DirectoryPart::Taken { now_ms, slot, entry }) => {
            Record::Directory(DirectoryPart::Taken { now_ms, slot: slot % 9, entry })
        }
        Record::Directory(DirectoryPart::Kept { now_ms, slot, mut kept }) => {
            kept.programme %= 3;
            Record::Directory(DirectoryPart::Kept { now_ms, slot: slot % 3, kept })
        }
        Record::Directory(part @ DirectoryPart::KeptForgot { .. }) => Record::Directory(part),
        Record::Directory(DirectoryPart::Forgot { programme, .. }) => {
            Record::Directory(DirectoryPart::Forgot { now_ms: BASE_MS, programme: programme % 3, through_ms: NOON_MS })
        }
    }
}
