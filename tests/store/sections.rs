//! Sections that read well one by one, but are no state together: missing, repeated, or of things that are not there (I7).

use tidegate::store::{ActivationError, ActivationRecord, Limits, Section, SectionKind, Store};
use tidegate_protocol::Prose;
use tidegate_protocol::code::answer;

use super::bytes::{empty, lived};
use super::{Client, NOON_MS, bundle, club, hot, opened_with, options};

/// The state that sections make, to its last check.
fn state_of(sections: &[Section]) -> Result<(), &'static str> {
    let store = empty();
    sections.iter().try_for_each(|section| store.restore(section))?;
    store.restored()?;
    store.caught_up()
}

/// The sections with one of a kind as `change` leaves it.
fn with(kind: SectionKind, change: impl FnOnce(&mut Section)) -> Vec<Section> {
    let (_, mut sections) = lived();
    change(sections.iter_mut().find(|section| section.kind == kind).unwrap());
    sections
}

#[test]
fn a_state_without_one_of_its_sections_is_refused() {
    let (_, sections) = lived();
    assert_eq!(state_of(&sections), Ok(()));
    for left_out in 0..sections.len() {
        let kind = sections[left_out].kind;
        let mut rest = sections.clone();
        rest.remove(left_out);
        let why = match kind {
            SectionKind::Block | SectionKind::Quiz | SectionKind::WideBlock => "a campaign whose block is missing",
            SectionKind::Programme => "members, orders or quotas of a programme that is not there",
            SectionKind::MembersHead | SectionKind::DirectoryHead => "a chunk before the head of its shard",
            SectionKind::FirstMembersHead | SectionKind::FirstMembers => unreachable!("nothing writes them"),
            SectionKind::Members => "other members than are counted",
            // Nothing counts them: what is lost without a trace is the checksums' to find.
            SectionKind::Directory | SectionKind::Kept => continue,
        };
        assert_eq!(state_of(&rest), Err(why), "{kind:?}");
    }
    // A shard without members has a head too.
    let heads =
        |section: &Section| section.kind != SectionKind::Directory && section.kind != SectionKind::DirectoryHead;
    let without: Vec<Section> = sections.into_iter().filter(heads).collect();
    assert_eq!(state_of(&without), Err("an end before the heads of all shards"));
}

#[test]
fn a_state_with_one_of_its_sections_twice_is_refused() {
    let (_, sections) = lived();
    for repeated in 0..sections.len() {
        let kind = sections[repeated].kind;
        let mut more = sections.clone();
        more.insert(repeated, sections[repeated].clone());
        let why = match kind {
            SectionKind::Programme => "a programme that is there already, or before those that it follows",
            SectionKind::Block
            | SectionKind::Quiz
            | SectionKind::WideBlock
            | SectionKind::MembersHead
            | SectionKind::DirectoryHead => "the head of a place that has one already",
            SectionKind::FirstMembersHead | SectionKind::FirstMembers => unreachable!("nothing writes them"),
            SectionKind::Members => "a chunk of members that is empty, too long, or behind one that is not full",
            SectionKind::Directory | SectionKind::Kept => {
                "a chunk of orders that is empty, too long, or behind one that is not full"
            }
        };
        assert_eq!(state_of(&more), Err(why), "{kind:?}");
    }
}

#[test]
fn a_member_twice_in_its_shard_is_refused() {
    let twice = with(SectionKind::Members, |section| {
        let count = u16::from_le_bytes([section.body[0], section.body[1]]);
        section.body[..2].copy_from_slice(&(2 * count).to_le_bytes());
        section.body.extend_from_within(2..);
    });
    assert_eq!(state_of(&twice), Err("a member that is there twice"));
}

#[test]
fn a_counter_of_no_campaign_is_refused() {
    let forged = with(SectionKind::Members, |section| {
        let counters = LISTS + 1 + ONE_LOT.len() + 8 + 6;
        assert_eq!(section.body[counters..counters + 5], [3, 1, 0, 1, 0], "one counter, of campaign 1");
        section.body[counters + 3] = 0;
    });
    assert_eq!(state_of(&forged), Err("a counter of no campaign"));
}

/// Where the count of the first member's lists stands: behind the count of members, and its key, programme, mark, balance, earned, newest,
/// day, streaks and tier.
const LISTS: usize = 2 + 16 + 4 + 16 + 8 + 8 + 12 + 4 + 4 + 1;
/// The head of the first list.
const ONE_LOT: [u8; 3] = [1, 1, 0];

#[test]
fn lots_that_are_not_the_balance_and_lists_out_of_order_are_refused() {
    let forged = |at: usize, byte: u8| {
        with(SectionKind::Members, |section| {
            assert_eq!(section.body[LISTS..LISTS + 4], [2, 1, 1, 0], "two lists, the first of one lot");
            section.body[at] = byte;
        })
    };
    let points = LISTS + 4;
    assert_eq!(state_of(&forged(points, 41)), Err("lots that are not the balance, or of no points"));
    assert_eq!(state_of(&forged(points + 7, 0x80)), Err("points of a member that are no number"));
    assert_eq!(state_of(&forged(LISTS + 1, 99)), Err("a list of a member that a newer Tidegate may know"));
    let disorder = Err("lists of a member that are out of order, or empty");
    assert_eq!([state_of(&forged(LISTS + 1, 3)), state_of(&forged(LISTS + 2, 0))], [disorder, disorder]);
    let debt = with(SectionKind::Members, |section| {
        let balance = 2 + 16 + 4 + 16;
        section.body[balance..balance + 8].copy_from_slice(&i64::MIN.to_le_bytes());
    });
    assert_eq!(state_of(&debt), Err("points of a member that are no number"));
}

#[test]
fn two_cells_of_one_name_are_refused() {
    // Behind the time, programme and campaign: granted, folded, folded through, and the cells with a byte before each.
    let cells = 8 + 4 + 4 + 8 + 8 + 4;
    let forged = with(SectionKind::Block, |section| {
        let first = section.body[cells + 4..][..12].to_vec();
        assert_eq!(first[0], 1, "a cell in use");
        let count = u32::from_le_bytes(section.body[cells..][..4].try_into().unwrap());
        section.body[cells..][..4].copy_from_slice(&(count + 1).to_le_bytes());
        section.body.extend(first);
    });
    assert_eq!(state_of(&forged), Err("two cells of one name"));
}

#[test]
fn orders_of_a_programme_that_is_not_there_are_refused() {
    let (_, sections) = lived();
    let key = sections.iter().find(|section| section.kind == SectionKind::Directory).unwrap().body[2..18].to_vec();
    let forged = with(SectionKind::Directory, |section| {
        // The programme is the half of the entry's first number that is not its key.
        let at = section.body[2..].windows(2).skip(key.len()).position(|pair| pair == [1, 0]).unwrap();
        section.body[2 + key.len() + at] = 9;
    });
    assert_eq!(state_of(&forged), Err("members, orders or quotas of a programme that is not there"));
    let marks = with(SectionKind::DirectoryHead, |section| {
        section.body.truncate(8);
        section.body.extend(3u32.to_le_bytes());
        section.body.extend([0; 3 * 8]);
    });
    assert_eq!(state_of(&marks), Err("members, orders or quotas of a programme that is not there"));
}

/// The sections with the programme's record as `change` leaves it.
fn with_record(change: impl FnOnce(&mut ActivationRecord)) -> Vec<Section> {
    with(SectionKind::Programme, |section| {
        let mut record = ActivationRecord::read(&section.body).unwrap();
        change(&mut record);
        section.body = record.to_bytes();
    })
}

#[test]
fn a_programme_beyond_what_is_counted_is_refused() {
    // What is not refused here could not be written into the next snapshot.
    let forged = with_record(|record| {
        // As long as it may be, so that there is no room for the offer that the bundle has and it has not.
        let text = record.numbering.as_str().replacen("\"HOT\":1", "\"\":1", 1);
        let slug = "o".repeat((1 << 20) - text.len());
        record.numbering = Prose::try_from(text.replacen("\"\":1", &format!("\"{slug}\":1"), 1)).unwrap();
    });
    assert_eq!(state_of(&forged), Err("a bundle beyond what is counted"));
}

#[test]
fn two_programmes_of_one_slug_are_refused() {
    let (_, mut sections) = lived();
    let at = sections.iter().position(|section| section.kind == SectionKind::Programme).unwrap();
    let mut second = ActivationRecord::read(&sections[at].body).unwrap();
    second.programme = 2;
    second.blocks = Default::default();
    sections.insert(at + 1, Section { body: second.to_bytes(), ..sections[at].clone() });
    assert_eq!(state_of(&sections), Err("a programme of another's slug"));
}

/// The state that forged sections make.
fn store_of(sections: &[Section]) -> Store {
    let store = empty();
    sections.iter().try_for_each(|section| store.restore(section)).unwrap();
    store.restored().unwrap();
    store.caught_up().unwrap();
    store
}

#[test]
fn i2_a_cell_that_counts_no_further_is_sold_out() {
    let unlimited = "[campaign.year]\nwindow = { every = \"year\", from = \"01-01 00:00\", until = \"12-31 24:00\" }\n\
                     [[campaign.year.offer]]\nsku = \"SET\"\nprice = { points = 1 }\n";
    let (_memory, opened) = opened_with(&club("club", unlimited), options(2, Limits::default()));
    let mut client = Client::new(&opened.store);
    client.enrol(1);
    client.order(1, "1", 50);
    assert_eq!(client.redeem(1, 1, 1).code, answer::GRANTED);
    let mut sections = Vec::new();
    let copied = opened.store.copy(|mut section| {
        if section.kind == SectionKind::Block {
            // The section ends with what is used of its one cell.
            let used = section.body.len() - 4;
            assert_eq!(section.body[used..], 1u32.to_le_bytes());
            section.body[used..].copy_from_slice(&u32::MAX.to_le_bytes());
        }
        sections.push(section);
        Ok(())
    });
    copied.unwrap();
    assert_eq!(Client::new(&store_of(&sections)).numbered(1).redeem(1, 1, 1).code, answer::SOLD_OUT);
}

#[test]
fn i9_a_member_who_checked_in_at_the_end_of_time_is_refused() {
    // Behind count, key, programme, mark, balance, earned and newest.
    let last_day = 2 + 16 + 4 + 16 + 8 + 8 + 12;
    let forged = with(SectionKind::Members, |section| {
        assert_eq!(section.body[last_day..last_day + 4], i32::MIN.to_le_bytes());
        section.body[last_day..last_day + 4].copy_from_slice(&i32::MAX.to_le_bytes());
    });
    let store = store_of(&forged);
    let mut client = Client::new(&store).numbered(1);
    let codes: Vec<u16> = (0..6).map(|member| client.check_in(member).code).collect();
    let refused = codes.iter().filter(|code| **code == answer::ALREADY_CHECKED_IN).count();
    assert_eq!(refused, 1, "{codes:?}");
}

#[test]
fn a_programme_without_a_next_version_is_refused_another() {
    let store = store_of(&with_record(|record| record.version = u32::MAX));
    let again = store.activate(bundle(&club("club", &hot(1, 9, 9, 9))), u32::MAX, false, NOON_MS);
    assert!(matches!(&again, Err(ActivationError::Bounds(why)) if why.contains("versions")), "{again:?}");
}
