//! The same state live and recovered, from log, snapshots and both, whatever was going on; and what is damaged or missing is named.

use std::io::{Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tidegate::data::{self, OpenError, Options, Seed};
use tidegate::log::{LogError, LogOptions};
use tidegate::snapshot::Manifest;
use tidegate::storage::{Loss, Memory};
use tidegate::store::{Limits, SectionKind, Store};
use tidegate_protocol::answer::{LotsView, MemberView};
use tidegate_protocol::code::answer;

use super::asking::{Dice, bundle};
use super::{Client, DAY_MS, NOON_MS, SEED, claims, club, drain, holds, hot, open, opened_with, options, snapshot};

/// A random request of a random member.
fn random_request(client: &mut Client<'_>, dice: &mut Dice, members: u64) {
    let member = dice.below(members);
    match dice.below(10) {
        0..4 => client.enrol(member),
        4..6 => client.check_in(member),
        6..8 => client.order(member, &format!("{}", dice.below(2_000)), dice.below(400) as i64),
        _ => client.redeem(member, 1, 1 + dice.below(2) as u32),
    };
}

#[test]
fn a_recovered_state_is_the_live_one_to_the_last_byte() {
    for seed in 0..6 {
        // Few answers for many members; more than a chunk of them and of orders in each shard.
        let limits = Limits { answers: 300, ..Limits::default() };
        let (memory, mut opened) = opened_with(&club("club", &hot(3, 600, 500, 300)), options(2, limits));
        let store = opened.store.clone();
        let mut dice = Dice(seed);
        let mut client = Client::new(&store);
        for round in 1..=4 {
            for _ in 0..300 {
                client.now_ms += dice.below(3 * 3_600_000) as i64;
                random_request(&mut client, &mut dice, 400 * round);
                if dice.below(20) == 0 {
                    opened.flusher.turn().unwrap();
                }
            }
            store.maintain(client.now_ms);
            // Enough that chunks fill while the one before is written.
            let mut left = 1_500;
            snapshot(&mut opened, |_| {
                for _ in 0..left.min(300) {
                    random_request(&mut client, &mut dice, 2_000 * round);
                    left -= 1;
                }
            });
            recovers(&memory, &store, limits);
            (0..100).for_each(|_| random_request(&mut client, &mut dice, 2_000));
            drain(&mut opened);
            recovers(&memory, &store, limits);
        }
        assert!(store.member_count() > 600, "{} members are too few", store.member_count());
    }
}

/// That what a power loss leaves is the state of `store`.
fn recovers(memory: &Memory, store: &Store, limits: Limits) {
    let books = store.books();
    assert!(books.balance(), "{books:?}");
    let found = [0, 1, 2, 5].map(|workers| {
        let again = open(&memory.power_loss(Loss::Lost), Options { workers, ..options(2, limits) });
        assert!(again.recovery.snapshot.is_some() && again.recovery.passed_over.is_empty());
        let expected = tidegate::store::Books { epoch: again.store.books().epoch, ..books.clone() };
        assert_eq!(again.store.books(), expected, "{workers} workers");
        assert_eq!(again.store.member_count(), store.member_count());
        assert_eq!(again.store.order_count(), store.order_count());
        again.recovery
    });
    assert!(found.iter().all(|recovery| *recovery == found[0]), "the number of workers changes nothing: {found:?}");
}

/// A directory with two snapshots and log behind them; its state's hash.
fn with_two_snapshots() -> (Memory, String) {
    let (memory, mut opened) = opened_with(&club("club", &hot(1, 9, 9, 9)), options(2, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    for round in 0..3 {
        for member in round * 10..round * 10 + 10 {
            client.enrol(member);
            client.order(member, &format!("{member}"), 50);
            client.redeem(member, 1, 1);
        }
        drain(&mut opened);
        if round < 2 {
            snapshot(&mut opened, |_| {});
        }
    }
    (memory.power_loss(Loss::Lost), store.books().state_hash)
}

fn newest_snapshot(memory: &Memory) -> String {
    memory.paths().into_iter().rfind(|path| path.starts_with("snapshots/")).unwrap()
}

#[test]
fn a_damaged_snapshot_is_passed_over_and_takes_no_good_ones_place() {
    let (memory, hash) = with_two_snapshots();
    let newest = newest_snapshot(&memory);
    let mut bytes = memory.bytes(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    memory.set_bytes(&newest, bytes);
    let mut opened = open(&memory, options(2, Limits::default()));
    assert_eq!(opened.store.books().state_hash, hash);
    assert!(opened.recovery.passed_over[0].contains(&newest), "{:?}", opened.recovery.passed_over);
    let good = opened.recovery.snapshot.unwrap();
    Client::new(&opened.store).numbered(5).enrol(99);
    drain(&mut opened);
    snapshot(&mut opened, |_| {});
    let kept = &opened.snapshotter.manifest().snapshots;
    assert_eq!((kept.len(), kept[1]), (2, good));
    assert!(memory.bytes(&newest).is_none(), "what nobody names is removed");
}

#[test]
fn two_damaged_snapshots_are_refused_by_name() {
    let (memory, _) = with_two_snapshots();
    for path in memory.paths().iter().filter(|path| path.starts_with("snapshots/")) {
        let mut bytes = memory.bytes(path).unwrap();
        bytes.truncate(60);
        memory.set_bytes(path, bytes);
    }
    let refused = data::open(Arc::new(memory.clone()), options(2, Limits::default()), None, &mut |_| {});
    let Err(OpenError::Snapshot(error)) = refused else { panic!("damage was opened") };
    assert!(error.to_string().contains(&newest_snapshot(&memory)), "{error}");
}

#[test]
fn a_log_that_ends_before_a_snapshot_is_refused() {
    let (memory, mut opened) = opened_with(&club("club", ""), options(2, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    drain(&mut opened);
    let segment = "log/00000000000000000001.log";
    let old = memory.bytes(segment).unwrap();
    snapshot(&mut opened, |_| drop(client.check_in(1)));
    memory.set_bytes(segment, old);
    let refused = data::open(Arc::new(memory.clone()), options(2, Limits::default()), None, &mut |_| {});
    let Err(OpenError::Log(LogError::Damaged { expected, .. })) = refused else { panic!("the log was long enough") };
    assert!(expected.contains("seen durable"), "{expected}");
    // A manifest of version 1 has no head; its snapshots tell.
    let manifest = Manifest { head: None, ..Manifest::read(&memory).unwrap().unwrap() };
    manifest.write(&memory).unwrap();
    let refused = data::open(Arc::new(memory), options(2, Limits::default()), None, &mut |_| {});
    let Err(OpenError::LogTooShort { needed, found, .. }) = refused else { panic!("the log was long enough") };
    assert!(found < needed, "{found} {needed}");
}

#[test]
fn a_second_snapshot_of_one_epoch_leaves_the_first_alone() {
    // As many calls as a snapshot takes, and more.
    for call in 1..20 {
        let (memory, mut opened) = opened_with(&club("club", ""), options(2, Limits::default()));
        Client::new(&opened.store).enrol(1);
        drain(&mut opened);
        snapshot(&mut opened, |_| {});
        let hash = opened.store.books().state_hash;
        // Decided, but in no epoch that was cut: the second one would hold it.
        Client::new(&opened.store).enrol(2);
        memory.crash_at(memory.calls() + call);
        let log = opened.flusher.state();
        let durable = log.watermark.durable();
        if let Ok(written) = opened.snapshotter.write(NOON_MS, |_| {})
            && written.entry.last_epoch <= durable
        {
            let _ = opened.snapshotter.publish(written, durable, log.counters().1, &[]);
        }
        let again = open(&memory.power_loss(Loss::Lost), options(2, Limits::default()));
        assert_eq!(again.store.books().state_hash, hash);
        assert!(again.recovery.passed_over.is_empty(), "{:?}", again.recovery.passed_over);
    }
}

#[test]
fn a_programme_that_grows_after_another_was_added_is_in_a_snapshot() {
    let (memory, mut opened) = opened_with(&club("club", &hot(1, 9, 9, 9)), options(2, Limits::default()));
    opened.store.activate(bundle(&club("other", &hot(1, 9, 9, 9))), 0, false, NOON_MS).unwrap();
    let more = format!("{}{}", hot(1, 9, 9, 9), hot(1, 9, 9, 9).replace("campaign.hot", "campaign.more"));
    opened.store.activate(bundle(&club("club", &more)), 1, false, NOON_MS).unwrap();
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    client.enrol(1);
    client.order(1, "1", 100);
    assert_eq!(client.redeem(1, 2, 1).code, answer::GRANTED);
    drain(&mut opened);
    snapshot(&mut opened, |_| {});
    let again = open(&memory.power_loss(Loss::Lost), options(2, Limits::default()));
    assert!(again.recovery.passed_over.is_empty(), "{:?}", again.recovery.passed_over);
    assert_eq!(again.store.books().state_hash, store.books().state_hash);
    assert_eq!(Client::new(&again.store).campaign(2).granted_ever, 1);
}

#[test]
fn a_programme_that_is_added_while_a_snapshot_is_taken_does_not_spoil_it() {
    let (memory, mut opened) = opened_with(&club("club", ""), options(2, Limits::default()));
    let store = opened.store.clone();
    (1..=300).for_each(|number| drop(Client::new(&store).numbered(number).enrol(number)));
    drain(&mut opened);
    let mut sections = 0;
    snapshot(&mut opened, |store| {
        sections += 1;
        match sections {
            4 => drop(store.activate(bundle(&club("other", "")), 0, false, NOON_MS).unwrap()),
            5..=12 => {
                let client = Client { programme: 2, ..Client::new(store).numbered(1_000 + sections) };
                drop({ client }.enrol(1_000 + sections));
            }
            _ => {}
        }
    });
    assert_eq!(store.programmes().len(), 2);
    recovers(&memory, &store, Limits::default());
}

#[test]
fn a_snapshot_ends_however_fast_the_state_grows() {
    let (memory, mut opened) = opened_with(&club("club", ""), options(2, Limits::default()));
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    (1..=300).for_each(|number| drop(client.enrol(number)));
    drain(&mut opened);
    let mut sections = 0;
    snapshot(&mut opened, |_| {
        sections += 1;
        // More than a chunk of each shard, for a while.
        if sections < 20 {
            (0..300).for_each(|number| drop(client.enrol(sections * 1_000 + number)));
        }
    });
    assert!(sections < 20, "{sections} sections of two shards with few members");
    recovers(&memory, &store, Limits::default());
}

#[test]
fn what_follows_a_snapshot_behind_empty_epochs_is_not_passed_over() {
    let (memory, mut opened) = opened_with(&club("club", ""), options(2, Limits::default()));
    Client::new(&opened.store).enrol(1);
    drain(&mut opened);
    for _ in 0..5 {
        assert_eq!(opened.flusher.turn().unwrap(), 0, "nothing is to be written");
    }
    snapshot(&mut opened, |_| {});
    let memory = memory.power_loss(Loss::Lost);
    let mut opened = open(&memory, options(2, Limits::default()));
    Client::new(&opened.store).numbered(2).check_in(1);
    drain(&mut opened);
    let again = open(&memory.power_loss(Loss::Lost), options(2, Limits::default()));
    assert_eq!(Client::new(&again.store).member(1).balance, 5);
    assert_eq!(again.store.books().state_hash, opened.store.books().state_hash);
}

/// The committed directory.
pub(super) fn golden() -> Memory {
    lived(SEED, 4)
}

/// Small, so that a few changes fill segments.
pub(super) fn small() -> Options {
    let options = options(2, Limits::default());
    let (segment_bytes, max_epoch_bytes, block_bytes) = (8_192, 3_584, 1_024);
    Options { log: LogOptions { segment_bytes, max_epoch_bytes, block_bytes, ..options.log }, ..options }
}

/// A small directory with all that a directory has: archived segments and such in use, and two snapshots from the third round on.
pub(super) fn lived(seed: Seed, rounds: u64) -> Memory {
    let memory = Memory::new();
    let mut opened = data::open(Arc::new(memory.clone()), small(), Some(seed), &mut |_| {}).unwrap();
    opened.store.activate(bundle(&club("club", &hot(2, 5, 5, 4))), 0, false, NOON_MS - DAY_MS).unwrap();
    let store = opened.store.clone();
    let mut client = Client::new(&store);
    for round in 0..rounds {
        for member in 0..4 + round {
            client.enrol(member);
            client.check_in(member);
            client.order(member, &format!("{round}-{member}"), 20 + member as i64);
            client.redeem(member, 1, 1 + (member % 2) as u32);
            drain(&mut opened);
        }
        client.now_ms += DAY_MS;
        if (1..3).contains(&round) {
            snapshot(&mut opened, |_| {});
        }
    }
    opened.flusher.close().unwrap();
    memory.power_loss(Loss::Kept)
}

/// A committed directory.
fn fixture(version: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(version)
}

/// Opens a committed directory, as whatever version wrote it.
fn opened_from(folder: &std::path::Path) -> tidegate::data::Opened {
    let memory = Memory::new();
    let storage: Arc<dyn tidegate::storage::Storage> = Arc::new(memory.clone());
    ["log", "archive", "snapshots"].into_iter().for_each(|folder| storage.make_dir(folder).unwrap());
    storage.sync_dir("").unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(name) = name.strip_suffix(".gz") else { continue };
        let mut bytes = Vec::new();
        GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_end(&mut bytes).unwrap();
        memory.set_bytes(&name.replace("--", "/"), bytes);
    }
    let opened = open(&memory, options(64, Limits::default()));
    assert!(opened.recovery.snapshot.is_some() && opened.recovery.closed && opened.recovery.records > 0);
    assert_eq!(opened.store.shape().shards, 2, "a directory keeps its shards");
    assert!(opened.store.books().balance(), "{:?}", opened.store.books());
    opened
}

/// What a state of the first version shows, as that version told it: members and campaigns, word for word.
fn shown(store: &Store) -> String {
    let mut client = Client::new(store);
    let members: Vec<MemberView> = (0..7).map(|member| client.member(member)).collect();
    let campaign = client.campaign(1);
    serde_json::to_string_pretty(&serde_json::json!({ "members": members, "campaign": campaign })).unwrap()
}

/// The same of a state with lots, which the first version did not have, at an instant at which some have expired and some opened.
fn shown_with_lots(store: &Store) -> String {
    let mut client = Client { now_ms: LOOKED_MS, ..Client::new(store) };
    let members: Vec<MemberView> = (0..7).map(|member| client.member(member)).collect();
    let lots: Vec<LotsView> = (0..7).map(|member| client.lots(member)).collect();
    let campaign = client.campaign(1);
    serde_json::to_string_pretty(&serde_json::json!({ "members": members, "lots": lots, "campaign": campaign }))
        .unwrap()
}

const LOOKED_MS: i64 = NOON_MS + 5 * DAY_MS;

/// Directories of version 1 stay readable for ever: this one was written by the first, and so was what it shows.
#[test]
fn a_directory_of_version_1_is_read() {
    let folder = fixture("data-v1");
    let opened = opened_from(&folder);
    assert_eq!(shown(&opened.store), std::fs::read_to_string(folder.join("shown.json")).unwrap().trim());
}

/// And those of version 2, whose members have lots.
#[test]
fn a_directory_of_version_2_is_read() {
    let folder = fixture("data-v2");
    let opened = opened_from(&folder);
    assert_eq!(shown_with_lots(&opened.store), std::fs::read_to_string(folder.join("shown.json")).unwrap().trim());
}

/// And those written since members have tiers that are held, rights, plans, what a ladder counts, and birthdays.
#[test]
fn a_directory_with_standings_is_read() {
    let folder = fixture("data-v3");
    let opened = opened_from(&folder);
    assert_eq!(shown_with_standings(&opened.store), std::fs::read_to_string(folder.join("shown.json")).unwrap().trim());
}

fn shown_with_standings(store: &Store) -> String {
    let mut client = Client { now_ms: NOON_MS + 55 * DAY_MS, ..Client::new(store) };
    let members: Vec<MemberView> = (0..7).map(|member| client.member(member)).collect();
    let lots: Vec<LotsView> = (0..7).map(|member| client.lots(member)).collect();
    let standings: Vec<_> = (0..7).map(|member| client.standing(member)).collect();
    let shown = serde_json::json!({ "members": members, "lots": lots, "standings": standings });
    serde_json::to_string_pretty(&shown).unwrap()
}

/// And those written since members have days, tags, invitations, and quizzes questions.
#[test]
fn a_directory_with_what_is_said_and_asked_is_read() {
    let folder = fixture("data-v4");
    let opened = opened_from(&folder);
    assert_eq!(shown_with_profiles(&opened.store), std::fs::read_to_string(folder.join("shown.json")).unwrap().trim());
}

fn shown_with_profiles(store: &Store) -> String {
    let mut client = Client { now_ms: NOON_MS + 11 * DAY_MS, ..Client::new(store) };
    let members: Vec<MemberView> = (0..7).map(|member| client.member(member)).collect();
    let lots: Vec<LotsView> = (0..7).map(|member| client.lots(member)).collect();
    let profiles: Vec<_> = (0..7).map(|member| client.profile(member)).collect();
    let shown = serde_json::json!({ "members": members, "lots": lots, "profiles": profiles, "quiz": client.quiz() });
    serde_json::to_string_pretty(&shown).unwrap()
}

/// And those written since orders are claimed and received.
#[test]
fn a_directory_with_claims_is_read() {
    let folder = fixture("data-v5");
    let opened = opened_from(&folder);
    assert_eq!(claims::shown(&opened.store), std::fs::read_to_string(folder.join("shown.json")).unwrap().trim());
}

/// And those written since what a checkout needs is held.
#[test]
fn a_directory_with_holds_is_read() {
    let folder = fixture("data-v6");
    let opened = opened_from(&folder);
    assert_eq!(holds::shown(&opened.store), std::fs::read_to_string(folder.join("shown.json")).unwrap().trim());
    assert!(opened.store.books().balance());
}

/// Run by hand, once a version: `cargo test --test store -- --ignored write_the_directory`.
#[test]
#[ignore = "writes the committed directory anew"]
fn write_the_directory_with_holds() {
    let (memory, folder) = (holds::lived(), fixture("data-v6"));
    std::fs::create_dir_all(&folder).unwrap();
    for path in memory.paths() {
        let file = std::fs::File::create(folder.join(format!("{}.gz", path.replace('/', "--")))).unwrap();
        let mut packed = GzEncoder::new(file, Compression::best());
        packed.write_all(&memory.bytes(&path).unwrap()).unwrap();
        packed.finish().unwrap();
    }
    std::fs::write(folder.join("shown.json"), holds::shown(&opened_from(&folder).store) + "\n").unwrap();
}

#[test]
fn members_and_quotas_of_a_programme_that_is_not_there_are_refused() {
    let (_memory, opened) = opened_with(&club("club", &hot(1, 10, 10, 10)), options(4, Limits::default()));
    Client::new(&opened.store).enrol(1);
    let mut sections = Vec::new();
    let put = |section| {
        sections.push(section);
        Ok(())
    };
    opened.store.copy(put).unwrap();
    let restore = |kinds: &[SectionKind]| {
        let store = Store::new(opened.store.shape(), Limits::default(), 1);
        let wanted = sections.iter().filter(|section| kinds.contains(&section.kind));
        wanted.map(|section| store.restore(section)).collect::<Result<Vec<()>, _>>().and_then(|_| store.restored())
    };
    use SectionKind::{Block, DirectoryHead, Members, MembersHead, Programme};
    assert_eq!(restore(&[Block, Programme, MembersHead, Members, DirectoryHead]), Ok(()));
    let refused = Err("members, orders or quotas of a programme that is not there");
    assert_eq!(restore(&[Block]), refused);
    assert_eq!(restore(&[MembersHead]), refused);
    assert_eq!(restore(&[Members]), refused);
}
