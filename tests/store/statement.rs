//! Statements: a member's entries page by page, to whom a cursor was given and to nobody else, and what lies beyond retention.

use tidegate::server::statement::{ENTRIES_MOST, page};
use tidegate::store::{Scope, Search, Turn};
use tidegate_protocol::answer::{Cursor, StatementView};
use tidegate_protocol::batch::{self, Answers};
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::GetStatement;

use super::*;

/// A page, or the code with which it is refused.
fn statement(opened: &Opened, programme: u32, member: u64, from: Cursor) -> Result<StatementView, u16> {
    let body = GetStatement { member: asking::member(member), from };
    let bytes = request(op::GET_STATEMENT, programme, id(NOON_MS, 1), &body);
    let mut out = Vec::new();
    let start = batch::start_answers(&mut out);
    let done = opened.store.execute(&mut Turn::default(), NOON_MS, &bytes, &Scope::All, None, &mut out).unwrap();
    let [Search::Statement(search)] = &done.searches[..] else {
        batch::finish_answers(&mut out, start, NOON_MS, 1);
        return Err(Answers::new(&out).unwrap().next().unwrap().unwrap().code);
    };
    let programmes = opened.store.programmes();
    let (keys, active) = (opened.store.shape().keys, &programmes[programme as usize - 1]);
    Ok(page(&opened.flusher.state().pages, &keys, &active.programme, search).unwrap())
}

/// The kinds of a member's newest entries, the newest first.
pub(super) fn kinds(opened: &mut Opened, member: u64) -> Vec<u8> {
    drain(opened);
    let view = statement(opened, 1, member, Cursor::default()).unwrap();
    view.entries.as_slice().iter().map(|entry| entry.kind).collect()
}

#[test]
fn a_statement_goes_back_page_by_page_to_the_enrolment() {
    let (_memory, mut opened) = opened_with(&club("club", &hot(9, 9, 9, 9)), options(1, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    for member in [1, 2] {
        client.enrol(member);
        for number in 0..70 {
            client.order(member, &format!("{member}-{number}"), 10);
        }
        client.redeem(member, 1, 1);
        client.check_in(member);
    }
    drain(&mut opened);
    let (mut entries, mut from, mut pages) = (Vec::new(), Cursor::default(), 0);
    loop {
        let view = statement(&opened, 1, 1, from).unwrap();
        assert!(view.entries.as_slice().len() <= ENTRIES_MOST && view.beyond == 0);
        entries.extend(view.entries.as_slice().iter().cloned());
        (from, pages) = (view.next, pages + 1);
        if from == Cursor::default() {
            break;
        }
        // Nobody else has use of it, and no other place can be asked for.
        assert_eq!(statement(&opened, 1, 2, from), Err(answer::NO_SUCH_PAGE));
        for other in [Cursor { offset: from.offset + 1, ..from }, Cursor { epoch: from.epoch + 1, ..from }] {
            assert_eq!(statement(&opened, 1, 1, other), Err(answer::NO_SUCH_PAGE));
        }
    }
    assert_eq!((pages, entries.len()), (3, 73));
    let kinds: Vec<u8> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!((kinds[0], kinds[1], kinds[2], kinds[72]), (2, 4, 3, 1));
    assert!(entries.windows(2).all(|pair| pair[0].before == pair[1].after));
    assert_eq!((entries[0].after, entries[72].before), (client.member(1).balance, 0));
    assert_eq!(entries[1].about.as_str(), "HOT");
    let spent = entries[1].points.as_slice()[0];
    assert_eq!((spent.kind, spent.points), (5, 10));
    let came = entries[2].points.as_slice()[0];
    assert_eq!((came.kind, came.points, came.source.as_str()), (1, 10, "orders"));
    assert_eq!(entries[2].about.as_str(), "mall");
    assert_eq!(statement(&opened, 1, 9, Cursor::default()), Err(answer::NO_SUCH_MEMBER));
}

#[test]
fn a_statement_says_where_the_log_no_longer_reaches() {
    let (memory, options) = (Memory::new(), options(1, Limits::default()));
    let retention = Retention { bytes: 0, age_ms: None };
    let log =
        LogOptions { segment_bytes: 1 << 16, block_bytes: 1 << 12, max_epoch_bytes: 1 << 14, retention, ..options.log };
    let mut opened = open(&memory, Options { log, ..options });
    opened.store.activate(bundle(&club("club", "")), 0, false, NOON_MS - DAY_MS).unwrap();
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    for number in 0..600 {
        client.order(1, &format!("{number}"), 10);
        drain(&mut opened);
    }
    snapshot(&mut opened, |_| {});
    for number in 600..1_200 {
        client.order(1, &format!("{number}"), 10);
        drain(&mut opened);
    }
    snapshot(&mut opened, |_| {});
    snapshot(&mut opened, |_| {});
    opened.flusher.state().pages.drop_archived(NOON_MS, false).unwrap();
    let (mut entries, mut from) = (0, Cursor::default());
    let beyond = loop {
        let view = statement(&opened, 1, 1, from).unwrap();
        entries += view.entries.as_slice().len();
        from = view.next;
        if from == Cursor::default() {
            break view.beyond;
        }
    };
    assert_eq!(beyond, 1, "{entries} entries");
    assert!((1..1_201).contains(&entries), "{entries}");
}
