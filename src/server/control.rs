//! What operators ask of a running node: status, a snapshot, a programme's version.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_protocol::batch::push_answer;
use tidegate_protocol::code::{self, answer, op};
use tidegate_protocol::operator::{
    Activate, Activated, Fact, Figure, GetResults, GetStatus, PublishQuestion, SnapshotTaken, StatusView, TakeSnapshot,
    VersionConflict,
};
use tidegate_protocol::refusal::{Because, Plain};
use tidegate_protocol::{Decode, List, Prose, Text, decode};

use super::files;
use super::identity::Role;
use super::node::Node;
use super::traffic::Traffic;
use crate::log::Durability;
use crate::store::{ActivationError, Later, bundle};

/// Answers one operator request into `out`. Gives the epoch that the answer waits for. May take long: not for a thread
/// that serves.
pub(super) fn answer(
    node: &Node,
    traffic: &Traffic,
    role: Role,
    index: u16,
    code: u16,
    body: &[u8],
    out: &mut Vec<u8>,
) -> u64 {
    if let Some(refused) = refusal(role, code) {
        push_answer(out, index, refused, &Plain {});
        return 0;
    }
    match code {
        op::GET_STATUS => with_body(index, body, out, |GetStatus { books }, out| {
            // Figures are of the moment, so that they are there when nothing becomes durable; books are of a state (I4).
            let (view, epoch) = status(node, traffic, books != 0);
            push_answer(out, index, answer::STATUS, &view);
            epoch
        }),
        op::TAKE_SNAPSHOT => with_body(index, body, out, |TakeSnapshot {}, out| {
            snapshot(node, index, out);
            0
        }),
        op::LIST_FILES => with_body(index, body, out, |body, out| {
            files::list(node, index, &body, out);
            0
        }),
        op::READ_FILE => with_body(index, body, out, |body, out| {
            files::read(node, index, &body, out);
            0
        }),
        op::CHECK_FILE => with_body(index, body, out, |body, out| {
            files::check(node, index, &body, out);
            0
        }),
        op::PUBLISH_QUESTION => with_body(index, body, out, |body, out| publish(node, index, &body, out)),
        op::GET_RESULTS => with_body(index, body, out, |body: GetResults, out| {
            match node.store.quiz_results(body.programme.as_str(), body.quiz.as_str()) {
                Some((view, epoch)) => {
                    push_answer(out, index, answer::RESULTS, &view);
                    epoch
                }
                None => {
                    push_answer(out, index, answer::NO_SUCH_QUIZ, &Plain {});
                    node.store.programmes_epoch()
                }
            }
        }),
        _ => with_body(index, body, out, |body: Activate, out| activate(node, index, &body, out)),
    }
}

/// The code with which a role is refused an operation, if it is.
pub(super) fn refusal(role: Role, code: u16) -> Option<u16> {
    let admitted = match code {
        op::GET_STATUS => matches!(role, Role::Operator | Role::Observer),
        op::TAKE_SNAPSHOT
        | op::ACTIVATE
        | op::LIST_FILES
        | op::READ_FILE
        | op::CHECK_FILE
        | op::PUBLISH_QUESTION
        | op::GET_RESULTS => role == Role::Operator,
        _ => return Some(answer::UNKNOWN_OPERATION),
    };
    (!admitted).then_some(answer::NOT_ALLOWED)
}

fn with_body<T: Decode<()>>(
    index: u16,
    body: &[u8],
    out: &mut Vec<u8>,
    answered: impl FnOnce(T, &mut Vec<u8>) -> u64,
) -> u64 {
    match decode::<T>(body) {
        Ok(body) => answered(body, out),
        Err(error) => {
            let sentence = Prose::cut(&error.to_string());
            push_answer(out, index, answer::MALFORMED_BODY, &Because { sentence });
            0
        }
    }
}

fn snapshot(node: &Node, index: u16, out: &mut Vec<u8>) {
    match node.take_snapshot().blocking_recv() {
        Ok(Ok((entry, took))) => {
            let body = SnapshotTaken {
                first_epoch: entry.first_epoch,
                last_epoch: entry.last_epoch,
                members: entry.members,
                bytes: entry.bytes,
                took_ms: took.as_millis() as u64,
                file: Text::try_from(entry.path().as_str()).unwrap_or_default(),
            };
            push_answer(out, index, answer::SNAPSHOT_TAKEN, &body);
        }
        Ok(Err(error)) => {
            let sentence = Prose::cut(&error.to_string());
            push_answer(out, index, answer::SNAPSHOT_FAILED, &Because { sentence });
        }
        Err(_) => {
            let sentence = Prose::cut("the server is going");
            push_answer(out, index, answer::SNAPSHOT_FAILED, &Because { sentence });
        }
    }
}

fn publish(node: &Node, index: u16, body: &PublishQuestion, out: &mut Vec<u8>) -> u64 {
    if let Some(later) = node.later().or_else(|| node.store.busy()) {
        later.refusal().answer(index, out);
        return 0;
    }
    match node.publish_question(body) {
        Ok((published, epoch)) => {
            push_answer(out, index, answer::QUESTION_PUBLISHED, &published);
            epoch
        }
        Err(error) => {
            let sentence = Prose::cut(&error.to_string());
            push_answer(out, index, answer::QUESTION_REFUSED, &Because { sentence });
            // It tells of a version, and of questions that may not be durable yet.
            let results = node.store.quiz_results(body.programme.as_str(), body.quiz.as_str());
            results.map_or_else(|| node.store.programmes_epoch(), |(_, epoch)| epoch)
        }
    }
}

fn activate(node: &Node, index: u16, body: &Activate, out: &mut Vec<u8>) -> u64 {
    // A bundle may be long: what waits for the disk stays bounded by operators too.
    if let Some(later) = node.later().or_else(|| node.store.busy()) {
        // Without room even those who only read would wait for it.
        later.refusal().answer(index, out);
        return 0;
    }
    let activated = bundle(body.files.as_slice())
        .map_err(ActivationError::Bundle)
        .and_then(|bundle| node.activate(bundle, body.replaces, body.dry_run != 0));
    match activated {
        Ok(activated) => {
            let warnings = activated.warnings.iter().map(|warning| Prose::cut(warning));
            let body =
                Activated { programme: activated.programme, version: activated.version, warnings: List::cut(warnings) };
            push_answer(out, index, answer::ACTIVATED, &body);
            // A dry run, like a conflict, tells of versions that may not be durable yet.
            activated.epoch.max(node.store.programmes_epoch())
        }
        Err(ActivationError::Version { in_force }) => {
            push_answer(out, index, answer::VERSION_CONFLICT, &VersionConflict { in_force });
            node.store.programmes_epoch()
        }
        Err(ActivationError::Behind) => {
            Later::Busy.refusal().answer(index, out);
            0
        }
        Err(error) => {
            let sentence = Prose::cut(&error.to_string());
            push_answer(out, index, answer::BUNDLE_REFUSED, &Because { sentence });
            0
        }
    }
}

/// Everything that can be told of a node in numbers.
pub(super) fn figures(node: &Node, traffic: &Traffic) -> Vec<(String, i64)> {
    let (log, head) = node.log.counters();
    let (stalls, stalled) = node.log.stalls();
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let snapshots = node.snapshots();
    let newest = *snapshots.newest.lock();
    let mut figures: Vec<(&str, u64)> = vec![
        ("members", node.store.member_count()),
        ("orders_remembered", node.store.order_count()),
        ("undurable_bytes", node.store.undurable_bytes()),
        ("epoch_filling", node.store.filling_epoch()),
        ("epoch_durable", node.log.watermark.durable()),
        ("log_epoch", head.epoch),
        ("log_epochs", log.epochs),
        ("log_blocks", log.blocks),
        ("log_closing_blocks", log.closing_blocks),
        ("log_fdatasyncs", log.fdatasyncs),
        ("log_bytes", log.bytes),
        ("log_stalls", stalls),
        ("log_stalled_us", stalled.as_micros() as u64),
        ("log_room_bytes", node.log.room()),
        ("snapshots_taken", load(&snapshots.taken)),
        ("snapshots_failed", load(&snapshots.failed)),
        ("snapshot_under_way_bytes", load(&snapshots.under_way_bytes)),
        ("snapshot_rests", load(&snapshots.rests)),
        ("snapshot_first_epoch", newest.map_or(0, |entry| entry.first_epoch)),
        ("snapshot_last_epoch", newest.map_or(0, |entry| entry.last_epoch)),
        ("snapshot_bytes", newest.map_or(0, |entry| entry.bytes)),
        ("recovery_epochs", node.recovery.epochs),
        ("recovery_records", node.recovery.records),
        ("connections", load(&traffic.connections)),
        ("connections_refused", load(&traffic.connections_refused)),
        ("connections_fenced", load(&traffic.connections_fenced)),
        ("streams_failed", load(&traffic.streams_failed)),
        ("peers_too_slow", load(&traffic.peers_too_slow)),
        ("frames", load(&traffic.frames)),
        ("requests", load(&traffic.requests)),
        ("durability_interval_ms", interval_ms(node.durability)),
        ("uptime_s", node.started.elapsed().as_secs()),
    ];
    if let Some(resident) = resident_bytes() {
        figures.push(("resident_bytes", resident));
    }
    let signed = [
        ("connections_open", traffic.connections_open.load(Ordering::Relaxed)),
        ("snapshot_taken_ms", newest.map_or(0, |entry| entry.taken_ms)),
        ("server_ms", node.clock.now_ms()),
        ("clock_step_ms", node.clock_step_ms()),
        ("draining", i64::from(node.is_draining())),
    ];
    let counts = figures.into_iter().map(|(name, value)| (name, i64::try_from(value).unwrap_or(i64::MAX)));
    counts.chain(signed).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// How much of what is told a crash may take back, as time; 0 where nothing.
fn interval_ms(durability: Durability) -> u64 {
    match durability {
        Durability::Fsync => 0,
        Durability::Interval(interval) => interval.as_millis() as u64,
    }
}

/// Memory that the process holds, where the system tells it.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The status, and the epoch it waits for.
fn status(node: &Node, traffic: &Traffic, books: bool) -> (StatusView, u64) {
    let mut epoch = 0;
    let mut all = figures(node, traffic);
    let answers = node.store.answers_given();
    all.extend(answers.into_iter().map(|(code, count)| (format!("answers_{}", code::name(code)), count as i64)));
    let (_, head) = node.log.counters();
    let durability = match node.durability {
        Durability::Fsync => "fsync".to_owned(),
        Durability::Interval(interval) => format!("interval={}ms", interval.as_millis()),
    };
    let mut facts = vec![
        ("durability".to_owned(), durability),
        ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("chain_head".to_owned(), head.to_string()),
        ("lineage".to_owned(), node.store.shape().lineage.to_string()),
    ];
    for active in node.store.programmes() {
        facts.push((format!("programme_{}", active.programme.slug), format!("version {}", active.version)));
    }
    if books {
        let books = node.store.books();
        epoch = books.epoch;
        let balance = if books.balance() { "yes" } else { "NO" };
        facts.push(("state_hash".to_owned(), books.state_hash.clone()));
        facts.push(("books_balance".to_owned(), balance.to_owned()));
        all.push(("books_epoch".to_owned(), books.epoch as i64));
        all.extend(books.swept_through_s.map(|second| ("books_swept_through_s".to_owned(), i64::from(second))));
        for programme in &books.programmes {
            let slug = &programme.programme;
            for (name, value) in [
                ("members", programme.members as i64),
                ("issued", programme.issued),
                ("spent", programme.spent),
                ("expired", programme.expired),
                ("pending", programme.pending),
                ("live", programme.live),
                ("granted", programme.granted as i64),
            ] {
                all.push((format!("books_{name}_{slug}"), value));
            }
            facts.extend(programme.faults.iter().map(|fault| (format!("fault_{slug}"), fault.clone())));
        }
    }
    let name = |name: &str| Text::try_from(name).unwrap_or_default();
    let view = StatusView {
        figures: List::cut(all.iter().map(|(of, value)| Figure { name: name(of), value: *value })),
        facts: List::cut(facts.iter().map(|(of, value)| Fact { name: name(of), value: Prose::cut(value) })),
    };
    (view, epoch)
}

/// A node and its traffic, as other threads see them.
pub(super) type Watched = (Arc<Node>, Arc<Traffic>);
