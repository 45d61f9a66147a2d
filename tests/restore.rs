//! I4, I7: backups of a real server under load, restores to an epoch and an instant, and a past that cannot be edited unseen.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod process;

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use process::{Server, Site, shipped, tidegate, within_patience};
use serde_json::Value;
use tidegate_client::{CallOptions, Client};
use tidegate_protocol::MemberKey;
use tidegate_protocol::operation::{CheckIn, Enrol};

const SLUG: &str = "check-in";

fn patient() -> CallOptions {
    CallOptions { deadline: Duration::from_secs(30), id: None }
}

fn site() -> Site {
    Site::new(&[shipped(SLUG)])
}

async fn enrol(client: &Client, from: u64, count: u64) {
    let programme = client.programme(SLUG).unwrap();
    for number in from..from + count {
        let member = MemberKey::from_number(number);
        assert_eq!(client.enrol(programme, Enrol { member }, patient()).await.unwrap().name(), "enrolled");
        assert_eq!(client.check_in(programme, CheckIn { member }, patient()).await.unwrap().name(), "checked-in");
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// What a command that must go well says.
fn said(output: Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    json(&output)
}

/// The sentence of a command that must be refused.
fn refused(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr }).into_owned()
}

fn backup(server: &Server, to: &Path, more: &[&str]) -> Output {
    let arguments = [&["backup", to.to_str().unwrap(), "--json"], more].concat();
    server.ask(&arguments)
}

fn restore(from: &Path, to: &Path, more: &[&str]) -> Output {
    within_patience(tidegate(&["restore", "--json"]).args(more).arg(from).arg(to))
}

fn verify(directory: &Path, more: &[&str]) -> Output {
    within_patience(tidegate(&["verify", "--json"]).args(more).arg(directory))
}

/// A quiet server's newest epoch, its state's hash, and the head of its chain.
fn state(server: &Server) -> (u64, String, String) {
    let status = said(server.ask(&["status", "--books", "--json"]));
    let fact = |name: &str| status["facts"][name].as_str().unwrap().to_owned();
    (status["figures"]["books_epoch"].as_u64().unwrap(), fact("state_hash"), fact("chain_head"))
}

#[tokio::test]
async fn a_restore_to_an_epoch_gives_the_state_that_the_server_had_there() {
    let site = site();
    let server = site.serve(&[]);
    let client = server.client("gateway").await;
    let mut states = Vec::new();
    let copy = site.path().join("backup");
    for round in 0..4 {
        enrol(&client, round * 100, 20).await;
        states.push(state(&server));
        if round == 1 {
            said(server.ask(&["snapshot", "--json"]));
        }
        if round % 2 == 1 {
            said(backup(&server, &copy, &["--snapshot-every", "0s"]));
        }
    }
    let verified = said(verify(&copy, &["--head", &states[2].2]));
    assert_eq!(verified["chain"]["confirmed"], Value::from(states[2].2.clone()), "{verified}");
    for (number, (epoch, hash, head)) in states.iter().enumerate() {
        let target = site.path().join(format!("restored-{number}"));
        let restored = said(restore(&copy, &target, &["--until", &epoch.to_string()]));
        assert_eq!(
            (&restored["books"]["state_hash"], &restored["head"]),
            (&hash.as_str().into(), &head.as_str().into())
        );
        assert_eq!(restored["lineage"], 1);
        said(verify(&target, &["--head", head]));
    }
    // The same by instants: that of an epoch's newest change, up to just before the next change.
    let fresh = site.path().join("by-instant");
    let newest = said(restore(&copy, &fresh, &["--until", &states[1].0.to_string(), "--dry-run"]))["newest"].clone();
    let found = said(restore(&copy, &fresh, &["--until", newest.as_str().unwrap()]));
    assert_eq!(
        (&found["books"]["state_hash"], &found["more"]),
        (&states[1].1.as_str().into(), &true.into()),
        "{found}"
    );
    // What was restored is served, goes on, and says that the past is another.
    drop(server);
    let restored = Site::new(&[shipped(SLUG)]);
    said(restore(&copy, &restored.data(), &["--until", &states[0].0.to_string(), "--lineage", "7"]));
    let server = restored.serve(&[]);
    assert_eq!(state(&server).1, states[0].1);
    let client = server.client("gateway").await;
    assert_eq!(client.welcome().lineage, 7);
    enrol(&client, 100, 5).await;
    let sentence = refused(backup(&server, &copy, &[]));
    assert!(sentence.contains("lineage 7"), "{sentence}");
    let (.., head) = state(&server);
    said(server.ask(&["verify", "--online", "--json", "--head", &head]));
}

#[tokio::test]
async fn a_backup_under_load_is_consistent_and_brought_up_to_date() {
    let site = site();
    let server = site.serve(&[]);
    let client = server.client("gateway").await;
    enrol(&client, 0, 50).await;
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let load = tokio::spawn(async move {
        let mut next = 1_000;
        while !told.load(Ordering::Relaxed) {
            enrol(&client, next, 10).await;
            next += 10;
        }
        next
    });
    let copy = site.path().join("backup");
    let (ask, to) = (server.address.to_string(), copy.to_str().unwrap().to_owned());
    let certs = site.certs();
    // The commands run beside the load, which is this runtime's.
    let copied = tokio::task::spawn_blocking(move || {
        let run = |more: &[&str]| {
            let mut command = tidegate(&["backup", &to, "--json", "--server", &ask, "--certs"]);
            said(within_patience(command.arg(&certs).args(more)))
        };
        let first = run(&[]);
        (first, run(&[]), run(&["--mib-per-second", "1"]))
    });
    let (first, second, third) = copied.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    let heads = [&first, &second, &third].map(|said| said["head"].as_str().unwrap().to_owned());
    for head in &heads {
        said(verify(&copy, &["--head", head]));
    }
    let copied = [&first, &second].map(|said| said["copied_bytes"].as_u64().unwrap());
    assert!(0 < copied[1], "{copied:?}");
    let target = site.path().join("restored");
    let restored = said(restore(&copy, &target, &[]));
    assert_eq!(restored["head"].as_str(), Some(heads[2].as_str()));
}

#[tokio::test]
async fn an_edited_past_with_every_checksum_right_is_found_by_its_head() {
    let site = site();
    let mut server = site.serve(&[]);
    let client = server.client("gateway").await;
    enrol(&client, 0, 30).await;
    let (epoch, _, head) = state(&server);
    drop(client);
    assert!(server.stop().success());
    said(verify(&site.data(), &["--head", &head]));
    // Another history of the same directory: restored to before, and gone on with otherwise. All its checksums are right.
    let other = Site::new(&[shipped(SLUG)]);
    said(restore(&site.data(), &other.data(), &["--until", &(epoch / 2).to_string()]));
    let mut server = other.serve(&[]);
    let client = server.client("gateway").await;
    enrol(&client, 500, 40).await;
    drop(client);
    assert!(server.stop().success());
    said(verify(&other.data(), &[]));
    let sentence = refused(verify(&other.data(), &["--head", &head]));
    assert!(sentence.contains("as it was seen before") || sentence.contains("seen durable"), "{sentence}");
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_before_anything_is_made() {
    let site = site();
    let server = site.serve(&[]);
    let client = server.client("gateway").await;
    enrol(&client, 0, 5).await;
    let copy = site.path().join("backup");
    said(backup(&server, &copy, &[]));
    let (epoch, ..) = state(&server);
    let fresh = site.path().join("fresh");
    let full = site.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("letter.txt"), "dear").unwrap();

    let refusals = [
        (restore(&copy, &full, &[]), "is not empty"),
        (restore(&site.path().join("nowhere"), &fresh, &[]), "is no data directory"),
        (restore(&copy, &fresh, &["--until", &(epoch + 1_000).to_string()]), "leave --until away"),
        (restore(&copy, &fresh, &["--until", "2001-01-01T00:00:00Z"]), "nothing that old"),
        (restore(&copy, &fresh, &["--lineage", "0"]), "does not lie above"),
        (restore(&site.data(), &fresh, &[]), "in use by process"),
        (backup(&server, &full, &[]), "no backup, and not empty"),
        (backup(&server, &site.data(), &[]), "in use by process"),
        (server.ask(&["backup", fresh.to_str().unwrap(), "--as", "gateway"]), "not-allowed"),
        (server.ask(&["verify", "--online", "--head", &format!("{}:{}", epoch, "00".repeat(32))]), "seen before"),
        (verify(&copy, &["--head", &format!("{}:{}", epoch + 9, "00".repeat(32))]), "seen durable"),
    ];
    for (output, expected) in refusals {
        let sentence = refused(output);
        assert!(sentence.contains(expected), "{expected}: {sentence}");
    }
    assert!(!fresh.join("MANIFEST").exists());
    let wrong = within_patience(tidegate(&["verify", "--head", "12:zz"]).arg(&copy));
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    // A backup is never served.
    let backed = Site::new(&[]);
    std::fs::rename(&copy, backed.data()).unwrap();
    let sentence = backed.refused(&[]);
    assert!(sentence.contains("this is a backup"), "{sentence}");
}
