//! A real server on a real disk that is full: what changes is refused by name, reads and the snapshot of before stay, and everything
//! goes on by itself when there is room.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tidegate_client::{CallOptions, Client};
use tidegate_protocol::code::answer;
use tidegate_protocol::operation::{Enrol, GetMember};
use tidegate_protocol::operator::{Activate, BundleFile, TakeSnapshot};
use tidegate_protocol::{Body, List, Prose};

use super::well::enrol;
use super::{MEMBER, checking_in, member};

/// A hang shows as a failure, not as a wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// A segment of the log is 64 MiB: there is room for one, and, once the ballast is gone, for the next.
const DISK_MIB: u64 = 160;
const BALLAST_MIB: u64 = 80;
/// Of comment in a programme's file: each version of it takes so much log.
const VERSION_BYTES: usize = 900 << 10;

/// A small disk that only a namespace of its own sees, and a process that keeps it there.
struct SmallDisk {
    keeper: Child,
    mount: PathBuf,
}

impl SmallDisk {
    /// Mounts it; `None` where the system lets nobody but root do that.
    fn mounted_at(mount: PathBuf) -> Option<SmallDisk> {
        std::fs::create_dir_all(&mount).unwrap();
        let script = "mount -t tmpfs -o size=${1}m tmpfs \"$0\" && echo mounted && exec sleep 600";
        let mut keeper = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .arg(&mount)
            .arg(DISK_MIB.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut said = [0; 7];
        let heard = std::io::Read::read_exact(keeper.stdout.as_mut().unwrap(), &mut said);
        if heard.is_err() || &said != b"mounted" {
            let _ = keeper.kill();
            let _ = keeper.wait();
            return None;
        }
        Some(SmallDisk { keeper, mount })
    }

    /// What to write before a command, so that it sees the disk.
    fn entering(&self) -> Vec<String> {
        let keeper = self.keeper.id().to_string();
        ["nsenter", "--target", &keeper, "--user", "--mount", "--preserve-credentials"].map(str::to_owned).to_vec()
    }

    /// The disk, as others may see it.
    fn seen(&self, name: &str) -> PathBuf {
        let inside = self.mount.strip_prefix("/").unwrap();
        Path::new("/proc").join(self.keeper.id().to_string()).join("root").join(inside).join(name)
    }

    /// Fills so much of it, or as much as there is.
    fn fill(&self, name: &str, bytes: u64) {
        let mut file = std::fs::File::create(self.seen(name)).unwrap();
        let mut left = bytes;
        while left > 0 && file.write_all(&vec![7; left.min(1 << 12) as usize]).is_ok() {
            left -= left.min(1 << 12);
        }
    }

    fn empty(&self, name: &str) {
        std::fs::remove_file(self.seen(name)).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// The next version of a programme nobody is in, most of it comment.
async fn activate(operator: &Client, replaces: u32) -> Body {
    let comment = format!("# {replaces}{}\n", "-".repeat(VERSION_BYTES));
    let text = format!(
        "{comment}programme = \"bulk\"\nzone = \"Asia/Shanghai\"\ncurrency = \"CNY\"\nbrands = [\"house\"]\n[check-in]\npoints = 1\n"
    );
    let file = BundleFile { name: "programme.toml".try_into().unwrap(), contents: Prose::try_from(text).unwrap() };
    let body = Activate { replaces, dry_run: 0, files: List::try_from(vec![file]).unwrap() };
    // Shorter than the hint of `storage-full`, so that the client gives it to us instead of waiting.
    let options = CallOptions { deadline: Duration::from_millis(900), id: None };
    operator.activate(body, options).await.unwrap().body
}

async fn waits_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "not in a minute: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn soon() -> CallOptions {
    CallOptions { deadline: Duration::from_millis(900), id: None }
}

#[tokio::test]
async fn a_real_disk_that_is_full_refuses_changes_and_snapshots_and_loses_nothing() {
    let mut site = checking_in();
    let Some(disk) = SmallDisk::mounted_at(site.data()) else {
        // The disk in memory shows the same of all but the system's own errors.
        return println!("no namespace of its own can be had here: not tried on a real disk");
    };
    site.before = disk.entering();
    disk.fill("ballast", BALLAST_MIB << 20);
    let mut server = site.serve(&[]);
    enrol(&server, MEMBER).await;
    let (client, operator) = (server.client("gateway").await, server.client("operator").await);
    let programme = client.programme("check-in").unwrap();
    let Body::SnapshotTaken(stood) =
        operator.take_snapshot(TakeSnapshot {}, CallOptions::default()).await.unwrap().body
    else {
        panic!("there is room for a first snapshot")
    };

    let mut version = 0;
    while let Body::Activated(activated) = activate(&operator, version).await {
        version = activated.version;
        assert!(version < 100, "the log is never full");
    }
    assert!(version > 10, "there was room for versions: {version}");
    waits_until("changes are refused for want of room", async || {
        let enrolled = client.enrol(programme, Enrol { member: member(99) }, soon()).await;
        enrolled.is_ok_and(|told| told.code == answer::STORAGE_FULL)
    })
    .await;
    let reads = client.get_member(programme, GetMember { member: member(MEMBER) }, CallOptions::default()).await;
    assert!(matches!(reads.unwrap().body, Body::MemberView(_)), "reads go on");

    disk.fill("rest", u64::MAX);
    for _ in 0..2 {
        let failed = operator.take_snapshot(TakeSnapshot {}, CallOptions::default()).await.unwrap().body;
        let Body::Because(because) = failed else { panic!("{failed:?}") };
        assert!(because.sentence.as_str().contains("No space left on device"), "{}", because.sentence.as_str());
    }
    let snapshots = std::fs::read_dir(disk.seen("snapshots")).unwrap().map(|entry| entry.unwrap().file_name());
    let snapshots: Vec<_> = snapshots.collect();
    assert!(stood.file.as_str().ends_with(snapshots[0].to_str().unwrap()) && snapshots.len() == 1, "{snapshots:?}");

    disk.empty("rest");
    disk.empty("ballast");
    waits_until("changes are taken again", async || {
        let enrolled = client.enrol(programme, Enrol { member: member(99) }, soon()).await;
        enrolled.is_ok_and(|told| told.code == answer::ENROLLED)
    })
    .await;
    let taken = operator.take_snapshot(TakeSnapshot {}, CallOptions::default()).await.unwrap().body;
    assert!(matches!(taken, Body::SnapshotTaken(_)), "{taken:?}");
    server.kill();
    let server = site.serve(&[]);
    let client = server.client("gateway").await;
    for number in [MEMBER, 99] {
        let read = client.get_member(programme, GetMember { member: member(number) }, CallOptions::default()).await;
        assert!(matches!(read.unwrap().body, Body::MemberView(_)), "member {number} is there");
    }
}
