//! What the first version of the formats wrote is read for ever, and lifted to what there is today: members' records of kinds 1 to 4,
//! and the sections of a shard of members, kinds 3 and 4. These bytes were written by that version. And the bytes of today's records, which
//! stay what they are.

use tidegate::engine::{
    BlockPart, CellEnded, CellHeld, CellName, Change, Counter, DirectoryPart, Effect, Effects, Found, KeptOrder,
    KeyEntry, LedgerAt, LotName, MemberPart, MemberSlot, NEVER_S, Pending, PlaceId, PlaceKind, Plan, Question, Record,
    Right, Run, Waiting, read_record, write_block, write_directory, write_member,
};
use tidegate::programme::{Birthday, Each};
use tidegate::store::{Section, SectionKind};
use tidegate_protocol::{LedgerId, List, MemberKey, Proof, Prose, RequestId, Text};

use super::bytes::{empty, lived};

const BASE_MS: i64 = 1_700_000_000_000;

fn bytes(hex: &str) -> Vec<u8> {
    let hex: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn part(forgets: Option<u32>, after: i64, tier: u8, change: Change, effects: &[Effect]) -> MemberPart {
    MemberPart {
        slot: 7,
        forgets,
        now_ms: BASE_MS + 5,
        version: 3,
        id: RequestId([9; 16]),
        hash: 0x1122_3344_5566_7788,
        previous: LedgerAt { epoch: 41, offset: 512 },
        after,
        tier,
        change,
        effects: Effects::from_slice(effects),
    }
}

#[test]
fn records_of_the_first_version_are_lifted() {
    let granted = |points| Effect::Granted { points, name: LotName::PLAIN };
    let spent = Effect::Spent { points: 10 };
    let used = |offer| Effect::Used(Counter { campaign: 2, offer, period: 20_000, used: 4 });
    let redeemed = |grant| Change::Redeemed { campaign: 2, offer: 9, grant };
    let ordered = Change::Ordered { channel: 3, fingerprint: [8; 16], paid_at_ms: BASE_MS, amount_minor: 12_300 };
    let cases = [
        (RECORDS[0], part(None, 0, 1, Change::Enrolled { programme: 1, key: MemberKey([5; 16]) }, &[])),
        (RECORDS[1], part(Some(11), 30, 2, Change::CheckedIn { day: 20_001, streak: 6 }, &[granted(10)])),
        (RECORDS[2], part(None, 130, 2, ordered, &[granted(100)])),
        (RECORDS[3], part(None, 120, 0, redeemed(77), &[spent])),
        (RECORDS[4], part(Some(7), 110, 0, redeemed(78), &[spent, used(0)])),
        (RECORDS[5], part(None, 100, 0, redeemed(79), &[spent, used(9)])),
    ];
    for (hex, part) in cases {
        let bytes = bytes(hex);
        assert_eq!(read_record(&bytes, BASE_MS), Ok((Record::Member(part), bytes.len())));
    }
}

#[test]
fn sections_of_the_first_version_are_put_back() {
    // The same six members, written today: but for their lots' source they are what they were.
    let (_, sections) = lived();
    let store = empty();
    let others =
        sections.iter().filter(|section| !matches!(section.kind, SectionKind::Members | SectionKind::MembersHead));
    let (before, after): (Vec<_>, Vec<_>) =
        others.partition(|section| matches!(section.kind, SectionKind::Block | SectionKind::Programme));
    before.into_iter().for_each(|section| store.restore(section).unwrap());
    for (shard, (head, members)) in SECTIONS.iter().enumerate() {
        let place = PlaceId::new(PlaceKind::Members, shard);
        for (kind, hex) in [(SectionKind::FirstMembersHead, head), (SectionKind::FirstMembers, members)] {
            store.restore(&Section { kind, place, sequence: 9, body: bytes(hex) }).unwrap();
        }
    }
    after.into_iter().for_each(|section| store.restore(section).unwrap());
    store.restored().unwrap();
    let books = store.books();
    assert!(books.balance(), "{books:?}");
    let club = &books.programmes[0];
    assert_eq!((club.members, club.issued, club.spent, club.live), (6, 300, 60, 240));
}

#[test]
fn the_bytes_of_records_of_questions_stay_what_they_are() {
    let text = |text: &str| Text::try_from(text).unwrap();
    let question = Question {
        number: 7,
        lane: 3,
        slug: text("q-7"),
        text: Prose::cut("哪个？"),
        options: List::cut([text("A"), text("B")]),
        right: 1,
        opens_ms: BASE_MS,
        closes_ms: BASE_MS + 60_000,
    };
    let parts = [
        BlockPart::Published { now_ms: BASE_MS + 5, question: Box::new(question) },
        BlockPart::QuestionForgotten { now_ms: BASE_MS + 5, number: 7 },
    ];
    for (part, hex) in parts.into_iter().zip(QUESTIONS) {
        let mut written = Vec::new();
        write_block(&mut written, &part, BASE_MS);
        assert_eq!(written, bytes(hex), "{}", written.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        assert_eq!(read_record(&written, BASE_MS), Ok((Record::Block(part), written.len())));
    }
}

const QUESTIONS: [&str; 2] = [
    "34002305000000070000000303712d3709000000e593aae4b8aaefbc9f020001410142010068e5cf8b0100006052e6cf8b01 \
     0000",
    "0b00240500000007000000",
];

#[test]
fn the_bytes_of_records_of_kind_5_stay_what_they_are() {
    let name = |expires_s, slides| LotName { expires_s, source: 2, slides };
    let pended = Pending { points: 300, opens_s: 1_800_000_000, name: name(1_900_000_000, false) };
    let used = Effect::Used(Counter { campaign: 2, offer: 9, period: -3, used: 200 });
    let all = [
        Effect::Slid { to_s: 1_850_000_000 },
        Effect::Opened { points: 127, through_s: 1_800_000_000 },
        Effect::Expired { points: 128, through_s: 1_800_000_001 },
        Effect::Granted { points: 1 << 40, name: name(NEVER_S, true) },
        Effect::Pended(pended),
        Effect::Spent { points: 0 },
        used,
    ];
    let ordered = Change::Ordered { channel: 3, fingerprint: [8; 16], paid_at_ms: BASE_MS, amount_minor: 12_300 };
    let unasked = MemberPart {
        id: RequestId::default(),
        hash: 0,
        ..part(None, -70, 0, Change::Settled, &[Effect::Expired { points: 70, through_s: 1_800_000_001 }])
    };
    let claimed = |found| Change::Claimed { channel: 3, fingerprint: [8; 16], found };
    let cases = [
        part(None, 0, 1, Change::Enrolled { programme: 1, key: MemberKey([5; 16]) }, &[]),
        part(Some(11), 30, 2, Change::CheckedIn { day: 20_001, streak: 6 }, &all),
        part(None, 130, 2, ordered, &[Effect::Granted { points: 100, name: name(1_900_000_000, false) }]),
        part(
            None,
            110,
            1,
            Change::Redeemed { campaign: 2, offer: 9, grant: 300 },
            &[Effect::Spent { points: 10 }, used],
        ),
        unasked,
    ];
    let right = Effect::RightGiven(Right { number: 3, count: 200, expires_s: 1_800_000_002 });
    let standing = [
        right,
        Effect::RightUsed { number: 3 },
        Effect::RightsExpired { count: 1 << 20, through_s: 1_800_000_003 },
        Effect::Planned(Plan { what: Plan::REVIEW, at_s: 1_800_000_004 }),
        Effect::Progressed { measure: 2, day: 20_600, value: -300 },
        Effect::ProgressForgotten { from: 20_500 },
        Effect::Birthday(Birthday { month: 2, day: 29, from_year: 2026, said_on: 20_600 }),
    ];
    let acted = |fingerprint| Change::Acted { activity: 64, happened_ms: BASE_MS, fingerprint };
    let later = [
        part(None, 110, 1, acted(None), &standing),
        part(None, 110, 1, acted(Some([8; 16])), &[]),
        part(None, 110, 1, Change::UsedRight { number: 3, left: 300 }, &[Effect::RightUsed { number: 3 }]),
        part(None, 110, 1, Change::SaidBirthday { from_year: -2 }, &[]),
    ];
    let days = [
        Effect::Ran(Run { last: 20_600, days: 300 }),
        Effect::DaysKnown { after: -5 },
        Effect::ZoneSet { zone: 65 },
        Effect::Tagged { number: 66, on: true },
        Effect::BonusOwed { points: 300 },
    ];
    let kept = [
        part(None, 110, 1, Change::FilledIn { day: 20_599, streak: 9 }, &days),
        part(None, 110, 1, Change::ChangedZone { zone: 65 }, &[]),
        part(None, 110, 1, Change::Tagged { number: 66, on: false }, &[Effect::Tagged { number: 66, on: false }]),
        part(
            None,
            110,
            1,
            Change::Answered { quiz: 67, question: 900, option: 3, right: true, left: 2, place: 300 },
            &[Effect::Used(Counter { campaign: 65_532, offer: 541, period: 900, used: 0x8000_0001 })],
        ),
        part(
            None,
            110,
            1,
            Change::Invited { inviter: MemberKey([6; 16]), until_s: 1_800_000_005 },
            &[Effect::Invited { inviter: MemberKey([6; 16]) }, Effect::InvitedUntil { until_s: 1_800_000_005 }],
        ),
        MemberPart {
            id: RequestId::default(),
            hash: 0,
            ..part(None, 110, 1, Change::Introduced { invitee: MemberKey([7; 16]) }, &[])
        },
    ];
    let of_orders = [
        part(None, 110, 1, claimed(Found::Waits { until_s: 1_800_000_006 }), &[]),
        part(
            None,
            110,
            1,
            claimed(Found::Own { paid_at_ms: BASE_MS, amount_minor: 12_300 }),
            &[Effect::Granted { points: 100, name: name(NEVER_S, false) }],
        ),
        part(None, 110, 1, claimed(Found::Wrong { left: 300 }), &[used]),
        MemberPart {
            id: RequestId::default(),
            hash: 0,
            ..part(
                None,
                110,
                1,
                Change::ClaimGranted { channel: 3, fingerprint: [8; 16], paid_at_ms: BASE_MS, amount_minor: 12_300 },
                &[],
            )
        },
        part(
            None,
            110,
            1,
            Change::Received { channel: 3, fingerprint: [8; 16], happened_ms: BASE_MS, opens_s: 1_800_000_007 },
            &[Effect::Unpended { points: 300, at: 258 }, Effect::Pended(pended)],
        ),
    ];
    let limit = Counter { campaign: 2, offer: 1 << 13 | 9, period: 20_000, used: 4 };
    let held = [
        part(
            None,
            110,
            1,
            Change::Held { due_s: 1_800_000_000, money_minor: 12_790 },
            &[
                Effect::HoldBegun { due_s: 1_800_000_000, grace_s: 604_800 },
                Effect::OfferHeld { campaign: 2, offer: 9, count: 3, points: 300 },
                Effect::WindowHeld { period: 20_001, money_minor: 990 },
                Effect::CellsHeld { slots: [7, 258, u32::MAX] },
                Effect::LimitHeld(limit),
                Effect::RightHeld { number: 5 },
                Effect::TenderHeld { points: 200 },
                Effect::PointsHeld { points: 1_100 },
            ],
        ),
        part(
            None,
            110,
            1,
            Change::Confirmed { hold: RequestId([4; 16]) },
            &[
                Effect::HeldSpent { at: 1, points: 300 },
                Effect::HeldRightUsed { at: 1, number: 5 },
                Effect::HeldExpired { at: 1, through_s: 1_700_000_005, points: 20 },
                Effect::HoldEnded { at: 1, through_s: 1_700_000_005, back: 780 },
            ],
        ),
        part(
            None,
            110,
            1,
            Change::Cancelled { hold: RequestId([4; 16]) },
            &[Effect::Used(limit), Effect::HoldEnded { at: 0, through_s: 1_700_000_005, back: 1_100 }],
        ),
        MemberPart {
            id: RequestId::default(),
            hash: 0,
            ..part(
                None,
                110,
                1,
                Change::Lapsed { hold: RequestId([4; 16]) },
                &[Effect::HoldEnded { at: 0, through_s: 1_800_000_000, back: 1_100 }],
            )
        },
    ];
    let all = cases.into_iter().chain(later).chain(kept).chain(of_orders).chain(held);
    for (part, hex) in all.zip(TODAY) {
        let mut written = Vec::new();
        write_member(&mut written, &part, BASE_MS);
        assert_eq!(written, bytes(hex), "{}", written.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        assert_eq!(read_record(&written, BASE_MS), Ok((Record::Member(part), written.len())));
    }
}

const TODAY: [&str; 24] = [
    "4c00050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000000101010000000505050505050505050505050505050500",
    "7b00050107000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     00003c020b00000002214e00000600070680c2446e037f00d2496b04800101d2496b01808080808020ffffffff028002ac02 \
     00d2496b00b33f71020005000702000900fdffffffc801",
    "6300050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000840202030300080808080808080808080808080808080068e5cf8b0100000c3000000000000001016400b33f710200",
    "4c00050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000dc01010402000900ac0202050a0702000900fdffffffc801",
    "270005020700000005000000030000002900000000000000000200008b01000501044601d2496b",
    "74000500070000000500000003000000090909090909090909090909090909098877665544332211290000000000000000 \
     020000dc01010640000068e5cf8b01000007080300c80102d2496b0903000a80804003d2496b0b010004d2496b0c027850 \
     0000d7040d145000000e021dea0778500000",
    "53000500070000000500000003000000090909090909090909090909090909098877665544332211290000000000000000 \
     020000dc01010740000068e5cf8b0100000808080808080808080808080808080800",
    "40000500070000000500000003000000090909090909090909090909090909098877665544332211290000000000000000 \
     020000dc0101080300ac0201090300",
    "3b000500070000000500000003000000090909090909090909090909090909098877665544332211290000000000000000 \
     020000dc010109feff00",
    "5500050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000dc01010a775000000900050f785000002c0110fbffffff1141001242000115ac02",
    "3b00050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000dc01010b410000",
    "4000050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000dc01010c4200000112420000",
    "5300050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000dc01010d43008403000003010200ac020107fcff1d02840300008180808008",
    "6300050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000dc01010e0606060606060606060606060606060605d2496b0213060606060606060606060606060606061405d2496b",
    "31000502070000000500000003000000290000000000000000020000dc01010f0707070707070707070707070707070700",
    "5000050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000dc0101100300080808080808080808080808080808080006d2496b00",
    "6400050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000dc010110030008080808080808080808080808080808010068e5cf8b0100000c30000000000000010164ffffffff0200",
    "5900050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000dc010110030008080808080808080808080808080808022c01010702000900fdffffffc801",
    "43000502070000000500000003000000290000000000000000020000dc010111030008080808080808080808080808080808 \
     0068e5cf8b0100000c3000000000000000",
    "6900050007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
     0000dc0101120300080808080808080808080808080808080068e5cf8b01000007d2496b0216ac02020102ac0200d2496b00 \
     b33f710200",
    "74000500070000000500000003000000090909090909090909090909090909098877665544332211290000000000000000020000dc01011300d2496bf663081700d2496b80f52418020009000300ac0219214e0000de071a0207000000020100001b02000920204e0000041c05001dc8011ecc08",
    "64000500070000000500000003000000090909090909090909090909090909098877665544332211290000000000000000020000dc01011404040404040404040404040404040404041f0100ac02200100050022010005f153651421010005f153658c06",
    "5c000500070000000500000003000000090909090909090909090909090909098877665544332211290000000000000000020000dc01011504040404040404040404040404040404020702000920204e00000421000005f15365cc08",
    "3a000502070000000500000003000000290000000000000000020000dc010116040404040404040404040404040404040121000000d2496bcc08",
];

#[test]
fn the_bytes_of_records_of_orders_stay_what_they_are() {
    let ledger = |kind| LedgerId { lineage: 2, place: PlaceId::new(kind, 3).to_u32(), sequence: 4_211 };
    let entry = |kind| KeyEntry::new([8; 16], 0x1122, 1, BASE_MS + 1, ledger(kind));
    let at = |slot| Some(MemberSlot { shard: 3, slot });
    let waiting = Waiting { opens_s: 1_800_000_000, name: LotName { expires_s: NEVER_S, source: 1, slides: false } };
    let kept = KeptOrder {
        key: [8; 16],
        proof: Proof([9; 16]),
        amount_minor: 12_300,
        base: 123,
        given: 246,
        paid_at_ms: BASE_MS,
        owner: at(258),
        claimant: None,
        until_s: 1_700_000_100,
        waiting: Some(waiting),
        programme: 1,
        channel: 3,
        known: true,
        claimed: false,
    };
    let waits = KeptOrder { claimant: at(7), programme: 1, channel: 3, until_s: 1_700_000_100, ..KeptOrder::FREE };
    let now_ms = BASE_MS + 5;
    for kind in [PlaceKind::Members, PlaceKind::Directory] {
        assert_eq!(entry(kind).ledger(), ledger(kind));
    }
    let parts = [
        DirectoryPart::Taken { now_ms, slot: 7, entry: entry(PlaceKind::Members) },
        DirectoryPart::Taken { now_ms, slot: 7, entry: entry(PlaceKind::Directory) },
        DirectoryPart::Forgot { now_ms, programme: 1, through_ms: BASE_MS },
        DirectoryPart::Kept { now_ms, slot: 7, kept: Box::new(kept) },
        DirectoryPart::Kept { now_ms, slot: 8, kept: Box::new(waits) },
        DirectoryPart::KeptForgot { now_ms, through_s: 1_700_000_000 },
    ];
    for (part, hex) in parts.into_iter().zip(ORDERS) {
        let mut written = Vec::new();
        write_directory(&mut written, &part, BASE_MS);
        assert_eq!(written, bytes(hex), "{}", written.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        assert_eq!(read_record(&written, BASE_MS), Ok((Record::Directory(part), written.len())));
    }
}

const ORDERS: [&str; 6] = [
    "3300400500000007000000080808080808080808080808080808082211000000000000731000000000030001f15365010002 \
     00",
    "3300400500000007000000080808080808080808080808080808082211000000000000731000000080030001f15365010002 \
     00",
    "13004105000000010000000068e5cf8b010000",
    "6b0042050000000700000008080808080808080808080808080808090909090909090909090909090909090c300000000000 \
     007b00000000000000f6000000000000000068e5cf8b010000020100000300ffffffffffff64f1536500d2496bffffffff01 \
     00010003000500",
    "6b00420500000008000000000000000000000000000000000000000000000000000000000000000000000000000000000000 \
     00000000000000000000000000000000000000000000000000ffffffffffff07000000030064f15365000000000000000000 \
     00010003000000",
    "0b00430500000000f15365",
];

const RECORDS: [&str; 6] = [
    "5100010007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
        00000000000000000000010000000505050505050505050505050505050501",
    "4f00020107000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
        00001e000000000000000b000000214e000006000a0000000000000002",
    "6700030007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
        000082000000000000000300080808080808080808080808080808080068e5cf8b0100000c30000000000000640000000000 \
        000002",
    "5000040007000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
        00007800000000000000020009000a000000000000004d00000000000000",
    "5c00040307000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
        00006e0000000000000007000000020009000a000000000000004e00000000000000204e000004000000",
    "5800040407000000050000000300000009090909090909090909090909090909887766554433221129000000000000000002 \
        00006400000000000000020009000a000000000000004f00000000000000204e000004000000",
];

/// Head and members of both shards.
const SECTIONS: [(&str, &str); 2] = [
    (
        "008df8089d010000020000000000000000000000000000000000000000000000000000000300000000000000960000000000 \
        00001e00000000000000",
        "0300000000000000000000000000000000010100000000000000000000000000000000000000280000000000000032000000 \
        000000000200000000000000b8000000000000800000000001010001000000345000000100000002019d08f88d0070008000 \
        000000000004cebffbc75e20f1bf010000000000000000000000000000000000000000000000010000000000000001000000 \
        01000000019d08f88d007000800000000000000676e76e9f75913ef703000000000000002800000000000000f6ffffffffff \
        ffff020000000000000001000000040000000000000000000000000000000000000201000000000000000000000000000000 \
        00000000280000000000000032000000000000000200000000000000c8010000000000800000000001010001000000345000 \
        000100000002019d08f88d00700080000000000000073839de7f6a51a5840400000000000000000000000000000000000000 \
        0000000001000000000000000100000001000000019d08f88d007000800000000000000932bb74a25061ad57060000000000 \
        00002800000000000000f6ffffffffffffff0300000000000000010000000400000000000000000000000000000000000004 \
        0100000000000000000000000000000000000000280000000000000032000000000000000200000000000000d80200000000 \
        00800000000001010001000000345000000100000002019d08f88d007000800000000000000df8debd89a9e8358307000000 \
        000000000000000000000000000000000000000001000000000000000100000001000000019d08f88d007000800000000000 \
        000f6bcd4d46b52dc32509000000000000002800000000000000f6ffffffffffffff05000000000000000100000004000000",
    ),
    (
        "008df8089d010000020000000000000000000000000000000000000000000000000000000300000000000000960000000000 \
        00001e00000000000000",
        "0300000000000000000000000000000000000100000000000000000000000000000000000000280000000000000032000000 \
        000000000200000000000000b8000000000000800000000001010001000000345000000100000002019d08f88d0070008000 \
        00000000000104b53e7c8093ed2f010000000000000000000000000000000000000000000000010000000000000001000000 \
        01000000019d08f88d0070008000000000000003673c4d5b93176ea403000000000000002800000000000000f6ffffffffff \
        ffff010000000000000001000000040000000000000000000000000000000000000301000000000000000000000000000000 \
        00000000280000000000000032000000000000000200000000000000c8010000000000800000000001010001000000345000 \
        000100000002019d08f88d007000800000000000000af45770d4550b03d20400000000000000000000000000000000000000 \
        0000000001000000000000000100000001000000019d08f88d007000800000000000000ceed1d0154a879c0c060000000000 \
        00002800000000000000f6ffffffffffffff0400000000000000010000000400000000000000000000000000000000000005 \
        0100000000000000000000000000000000000000280000000000000032000000000000000200000000000000d80200000000 \
        00800000000001010001000000345000000100000002019d08f88d00700080000000000000102d430df4812b462a07000000 \
        000000000000000000000000000000000000000001000000000000000100000001000000019d08f88d007000800000000000 \
        001262354ac7d23b0db409000000000000002800000000000000f6ffffffffffffff06000000000000000100000004000000",
    ),
];

#[test]
fn the_bytes_of_records_of_what_is_held_stay_what_they_are() {
    let now_ms = BASE_MS + 5;
    let name = CellName { period: 20_001, offer: 9, store: 3, tier: 2, each: Each::Day };
    let parts = [
        BlockPart::Opened { now_ms, slot: 258, name, carried: 7 },
        BlockPart::Opened { now_ms, slot: 258, name: CellName::of_window(20_001, 9, 2), carried: 0 },
        BlockPart::Held {
            now_ms,
            due_s: 1_800_000_000,
            cells: vec![CellHeld { slot: 7, used: 9, units: 3 }, CellHeld { slot: 258, used: 3, units: 3 }],
        },
        BlockPart::Ended {
            now_ms,
            due_s: 1_800_000_000,
            cells: vec![CellEnded { slot: 7, confirmed: 2, returned: 1 }],
        },
        BlockPart::Lapsed { now_ms, through_s: 1_800_000_000 },
    ];
    for (part, hex) in parts.into_iter().zip(HELD) {
        let mut written = Vec::new();
        write_block(&mut written, &part, BASE_MS);
        assert_eq!(written, bytes(hex), "{}", written.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        assert_eq!(read_record(&written, BASE_MS), Ok((Record::Block(part), written.len())));
    }
}

const HELD: [&str; 5] = [
    "1900250500000002010000214e000009000201030007000000",
    "1200200500000002010000214e0000090002",
    "240026020500000000d2496b070000000900000003000000020100000300000003000000",
    "180027010500000000d2496b070000000200000001000000",
    "0b00280500000000d2496b",
];
