//! Power loss at every storage call of a script over all operations: what was told is there, nothing is there by half, and the
//! server goes on (I1, I3, I4, I6). The same where calls fail, and where a disk lies. And four planted bugs, each of which this must find.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod asking;
#[path = "crash/errors.rs"]
mod errors;
#[path = "crash/life.rs"]
mod life;
mod lying;
#[path = "crash/script.rs"]
mod script;

use std::sync::Arc;

use asking::{ask, ledger_has, request};
use life::{Answered, Life, Plant, balances, options, views};
use script::{Ask, Step, script};
use tidegate::data::{self, Opened};
use tidegate::log::LogPages;
use tidegate::storage::{Loss, Memory, Storage};
use tidegate::store::{Section, SectionKind, Store};
use tidegate_protocol::answer::{AlreadyRecorded, Recorded};
use tidegate_protocol::code::{answer, name, op};

const SEED: u64 = 20_261_120;

/// What the script comes to when nothing goes wrong.
struct Reference {
    steps: Vec<Step>,
    /// The hash of the state after so many steps.
    hashes: Vec<String>,
    /// What everybody has at the end.
    views: Vec<String>,
    /// The storage calls it takes.
    calls: u64,
    end_ms: i64,
}

fn reference() -> Reference {
    let steps = script(SEED);
    let memory = Memory::new();
    let mut life = Life::begin(&memory, Plant::Nothing).unwrap();
    let mut hashes = vec![life.opened.store.books().state_hash];
    life.drive(&steps, 0, |store| hashes.push(store.books().state_hash)).unwrap();
    let end_ms = last_ms(&steps);
    let views = views(&life.opened.store, end_ms);
    Reference { steps, hashes, views, calls: memory.calls(), end_ms }
}

fn last_ms(steps: &[Step]) -> i64 {
    let at = |step: &Step| match step {
        Step::Ask(ask) => ask.now_ms,
        Step::Activate { now_ms, .. } | Step::Maintain { now_ms } => *now_ms,
        Step::Snapshot { during, now_ms } => during.last().map_or(*now_ms, |ask| ask.now_ms),
        Step::Publish | Step::Turn => 0,
    };
    steps.iter().map(at).max().unwrap_or(0)
}

/// Lives until power is lost at a call.
fn live_until(call: u64, reference: &Reference, plant: Plant) -> (Memory, life::History) {
    let memory = Memory::new();
    memory.crash_at(call);
    let history = match Life::begin(&memory, plant) {
        Err(_) => life::History::default(),
        Ok(mut life) => {
            let _ = life.drive(&reference.steps, 0, |_| {});
            life.history
        }
    };
    (memory, history)
}

/// Opens what survived; gives it and how many steps its state holds.
fn reopen(survivor: &Memory, history: &life::History, reference: &Reference) -> Result<(Life, usize), String> {
    let life = Life::begin(survivor, Plant::Nothing).map_err(|lost| format!("it does not open: {}", lost.0))?;
    let books = life.opened.store.books();
    if !books.balance() {
        return Err(format!("the books do not balance: {books:?}"));
    }
    let held = (history.promised..=history.begun).rev().find(|steps| reference.hashes[*steps] == books.state_hash);
    match held {
        Some(steps) => Ok((life, steps)),
        None => {
            let older = reference.hashes.iter().rposition(|hash| *hash == books.state_hash);
            let (promised, begun) = (history.promised, history.begun);
            Err(format!("the state is that of {older:?} steps; told were {promised}, begun {begun}"))
        }
    }
}

/// Asks everything again that a state of so many steps holds: the same bytes must get the same answer, or be refused as stale when the
/// ledger has the entry; an order must be known under its first ledger id, whatever the request's id.
fn ask_again(
    store: &Store,
    pages: &LogPages,
    history: &life::History,
    steps: usize,
    now_ms: i64,
) -> Result<(), String> {
    let held = history.answered.iter().filter(|it| it.changed && it.steps <= steps);
    for (number, answered) in (0..).zip(held) {
        let Ask { programme, op, order, bytes, .. } = &answered.ask;
        let again = match order {
            Some(order) => ask(store, now_ms, &request(*op, *programme, asking::id(now_ms, 1 << 40 | number), order)),
            None => ask(store, now_ms, bytes),
        };
        let fits = match again.code {
            answer::ALREADY_RECORDED => {
                let (first, again) = (answered.told.read::<Recorded>(), again.read::<AlreadyRecorded>());
                first.ledger == again.ledger
            }
            // Forgotten: paid too long ago to be taken for a new one, or its number was used again since.
            answer::TOO_OLD | answer::KEY_CONFLICT => {
                order.is_some_and(|order| order.paid_at_ms <= now_ms - script::REMEMBER_MS)
            }
            answer::STALE => {
                let body =
                    tidegate_protocol::operation::GetOutcome { member: member_of(answered), id: answered.ask.id };
                let outcome =
                    ask(store, now_ms, &request(op::GET_OUTCOME, *programme, asking::id(now_ms, number), &body));
                outcome.search.is_some_and(|search| ledger_has(pages, &search))
            }
            code => code == answered.told.code && again.body == answered.told.body && order.is_none(),
        };
        if !fits {
            let (code, first) = (name(again.code), name(answered.told.code));
            return Err(format!("asked again after {steps} steps, `{code}` instead of `{first}`: {:?}", answered.ask));
        }
    }
    Ok(())
}

fn member_of(answered: &Answered) -> tidegate_protocol::MemberKey {
    asking::member(answered.ask.member)
}

/// Everything that must hold of what survived.
fn check(survivor: &Memory, history: &life::History, reference: &Reference) -> Result<(), String> {
    let (mut life, steps) = reopen(survivor, history, reference)?;
    let Opened { store, flusher, .. } = &life.opened;
    for ((programme, member), balance) in balances(history, steps) {
        let own = format!("{programme}/{member}: {balance} ");
        if !views(store, 0).iter().any(|view| view.starts_with(&own)) {
            return Err(format!("after {steps} steps no member reads `{own}`"));
        }
    }
    let now_ms = last_ms(&reference.steps[..steps]);
    ask_again(store, &flusher.state().pages, history, steps, now_ms)?;
    if store.books().state_hash != reference.hashes[steps] {
        return Err("asking again changed the state".into());
    }
    life.drive(&reference.steps, steps, |_| {}).map_err(|lost| format!("it does not go on: {}", lost.0))?;
    let store = &life.opened.store;
    if !store.books().balance() || views(store, reference.end_ms) != reference.views {
        return Err(format!("gone on from {steps} steps, the end differs: {:?}", views(store, reference.end_ms)));
    }
    Ok(())
}

/// Tries a loss at every call; the first thing that does not hold.
fn at_every_call(plant: Plant, survive: impl Fn(u64, &Memory) -> Vec<Memory>) -> Result<u64, String> {
    let reference = reference();
    for call in 1..=reference.calls + 1 {
        let (memory, history) = live_until(call, &reference, plant);
        for survivor in survive(call, &memory) {
            check(&survivor, &history, &reference).map_err(|why| format!("power lost at call {call}: {why}"))?;
        }
    }
    Ok(reference.calls)
}

#[test]
fn the_script_asks_for_everything() {
    let reference = reference();
    let memory = Memory::new();
    let mut life = Life::begin(&memory, Plant::Nothing).unwrap();
    life.drive(&reference.steps, 0, |_| {}).unwrap();
    let changed = |code: u16| life.history.answered.iter().filter(|it| it.told.code == code && it.changed).count();
    for code in [answer::ENROLLED, answer::CHECKED_IN, answer::RECORDED, answer::GRANTED] {
        assert!(changed(code) >= 10, "{} changed the state {} times", name(code), changed(code));
    }
    let given = life.opened.store.answers_given();
    println!("{} calls, {:?}", reference.calls, given.iter().map(|(code, n)| (name(*code), *n)).collect::<Vec<_>>());
    for code in [
        answer::ALREADY_RECORDED,
        answer::ALREADY_ENROLLED,
        answer::ALREADY_CHECKED_IN,
        answer::NO_SUCH_MEMBER,
        answer::TIER_NOT_ADMITTED,
        answer::NOT_ENOUGH_POINTS,
        answer::LIMIT_REACHED,
        answer::SOLD_OUT,
        answer::TOO_OLD,
        answer::KEY_CONFLICT,
        answer::ID_CONFLICT,
        answer::STALE,
        answer::EXPIRED,
        answer::MEMBER,
        answer::CAMPAIGN,
    ] {
        assert!(given.iter().any(|(given, _)| *given == code), "nobody was answered {}", name(code));
    }
    assert_eq!(life.opened.snapshotter.manifest().snapshots.len(), 2);
    let paths = memory.paths();
    assert!(paths.iter().any(|path| path.starts_with("archive/")), "the log is archived: {paths:?}");
    assert!(life.opened.flusher.state().counters().0.segments > 4, "segments rotate");
}

#[test]
fn nothing_told_is_lost_when_unsynced_bytes_are_lost() {
    at_every_call(Plant::Nothing, |_, memory| vec![memory.power_loss(Loss::Lost)]).unwrap();
}

#[test]
fn nothing_told_is_lost_when_unsynced_bytes_are_kept() {
    at_every_call(Plant::Nothing, |_, memory| vec![memory.power_loss(Loss::Kept)]).unwrap();
}

#[test]
fn nothing_told_is_lost_when_unsynced_bytes_are_torn() {
    let seeds = |call: u64| (0..8).map(move |at| Loss::Torn { seed: call * 31 + at });
    at_every_call(Plant::Nothing, |call, memory| seeds(call).map(|loss| memory.power_loss(loss)).collect()).unwrap();
}

#[test]
fn nothing_told_is_lost_when_the_process_is_killed() {
    at_every_call(Plant::Nothing, |_, memory| vec![memory.process_restart()]).unwrap();
}

/// That a planted bug is found, and how it shows.
fn is_found(plant: Plant, shows: &str) {
    let found = at_every_call(plant, |_, memory| vec![memory.power_loss(Loss::Lost)]);
    let why = found.expect_err("the planted bug is found");
    assert!(why.contains(shows), "{plant:?} shows as: {why}");
}

#[test]
fn a_skipped_fsync_is_found() {
    is_found(Plant::SkippedFsync, "told were");
}

#[test]
fn an_early_reply_is_found() {
    is_found(Plant::EarlyReply, "told were");
}

#[test]
fn a_manifest_published_too_early_is_found() {
    is_found(Plant::EarlyManifest, "acknowledged data is missing");
}

/// The state as a recovery would bring it back that forgets something without a word.
fn recovered_without(store: &Store, forget: impl Fn(Section) -> Option<Section>) -> Store {
    let forgetful = Store::new(store.shape(), options().limits, 1);
    let copied = store.copy(|section| {
        if let Some(section) = forget(section) {
            forgetful.restore(&section).map_err(std::io::Error::other)?;
        }
        Ok(())
    });
    copied.unwrap();
    forgetful
}

/// A section of members without their remembered answers; nobody's mark is raised.
fn without_answers(section: Section) -> Section {
    /// Bytes of a member before its lists, of what is in each, and of an answer.
    const MEMBER: usize = 73;
    const LISTED: [usize; 4] = [0, 14, 18, 12];
    const ANSWER: usize = 64;
    if section.kind != SectionKind::Members {
        return section;
    }
    let mut body = section.body[..2].to_vec();
    let mut rest = &section.body[2..];
    while !rest.is_empty() {
        let mut answers_at = MEMBER + 1;
        for _ in 0..rest[MEMBER] {
            let [number, low, high] = rest[answers_at..answers_at + 3] else { panic!("the head of a list") };
            answers_at += 3 + LISTED[usize::from(number)] * usize::from(u16::from_le_bytes([low, high]));
        }
        body.extend_from_slice(&rest[..answers_at]);
        body.push(0);
        rest = &rest[answers_at + 1 + usize::from(rest[answers_at]) * ANSWER..];
    }
    Section { body, ..section }
}

#[test]
fn a_dropped_deduplication_is_found() {
    let reference = reference();
    let (memory, history) = live_until(reference.calls / 2, &reference, Plant::Nothing);
    let (life, steps) = reopen(&memory.power_loss(Loss::Lost), &history, &reference).unwrap();
    let Opened { store, flusher, .. } = &life.opened;
    let pages = flusher.state().pages.clone();
    let now_ms = last_ms(&reference.steps[..steps]);
    let whole = recovered_without(store, Some);
    assert_eq!(whole.books().state_hash, store.books().state_hash);
    assert_eq!(ask_again(&whole, &pages, &history, steps, now_ms), Ok(()));

    let without_windows = recovered_without(store, |section| Some(without_answers(section)));
    assert!(ask_again(&without_windows, &pages, &history, steps, now_ms).is_err(), "windows were dropped");
    let without_orders = recovered_without(store, |section| {
        let orders = section.kind == SectionKind::Directory;
        (!orders).then_some(section)
    });
    assert!(ask_again(&without_orders, &pages, &history, steps, now_ms).is_err(), "orders were dropped");
}

#[test]
fn a_directory_reads_back_the_same_without_being_opened() {
    let reference = reference();
    let (memory, history) = live_until(reference.calls + 1, &reference, Plant::Nothing);
    let survivor = memory.power_loss(Loss::Lost);
    let storage: Arc<dyn Storage> = Arc::new(survivor.clone());
    let calls = survivor.calls();
    let (store, ..) = data::inspect(&storage, options().limits, &mut |_| {}).unwrap();
    assert_eq!(survivor.calls(), calls, "looking changes nothing");
    let hash = store.books().state_hash;
    let (life, _) = reopen(&survivor, &history, &reference).unwrap();
    assert_eq!(hash, life.opened.store.books().state_hash);
}
