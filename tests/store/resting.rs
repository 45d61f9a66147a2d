//! A node's snapshots let requests go first, unless it is about to go itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tidegate::server::clock::HandClock;
use tidegate::server::{Node, SnapshotPolicy};
use tidegate_protocol::MemberKey;

use super::*;

const PROGRAMME: &str = r#"
programme = "club"
title = { en = "Club", zh = "会员" }
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["shop"]
earning = { points = 1, per = "1.00", rounding = "down" }
check-in = { points = 5 }
"#;
/// So many that a copy of them takes many looks.
const MEMBERS: u64 = 50_000;
const UNDURABLE_BYTES: u64 = 512 << 10;

/// Enrols these, and waits for each hundred, for as long as it may.
fn enrol(node: &Node, numbers: impl Iterator<Item = u64>, may: impl Fn() -> bool) {
    for number in numbers.take_while(|_| may()) {
        let body = Enrol { member: MemberKey::from_number(number) };
        let told = asking::ask(&node.store, NOON_MS, &request(op::ENROL, 1, id(NOON_MS, number), &body));
        node.log.doorbell.ring();
        if number % 100 == 0 {
            node.log.watermark.wait(told.epoch).unwrap();
        }
    }
}

/// Ends who enrols, also where a check failed.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_snapshot_rests_while_requests_come_and_not_on_the_way_out() {
    let opened = open(&Memory::new(), options(4, Limits::default()));
    let never = SnapshotPolicy { every: Duration::from_secs(3600), log_bytes: u64::MAX };
    let node = Node::start(opened, Arc::new(HandClock::at(NOON_MS)), never, UNDURABLE_BYTES).unwrap();
    node.activate(bundle(PROGRAMME), 0, false).unwrap();
    enrol(&node, 1..=MEMBERS, || true);
    // Of a snapshot beside which requests came; on a busy machine they may not.
    let rests_of_one = || loop {
        let (rests, log_bytes) = (node.snapshots().rests.load(Ordering::Relaxed), node.log.counters().0.bytes);
        let (taken, _) = node.take_snapshot().blocking_recv().unwrap().unwrap();
        if node.log.counters().0.bytes > log_bytes {
            break (taken.first_epoch, node.snapshots().rests.load(Ordering::Relaxed) - rests);
        }
    };
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _ends = Ends(&done);
        scope.spawn(|| enrol(&node, MEMBERS + 1.., || !done.load(Ordering::Relaxed)));
        // Nor within the few looks of a short one.
        let first_epoch = (0..50).map(|_| rests_of_one()).find(|(_, rests)| *rests > 0).expect("requests go first").0;
        node.hurry();
        let (later, rests) = rests_of_one();
        assert!(later > first_epoch, "another snapshot");
        assert_eq!(rests, 0, "it is about to go");
    });
    node.stop().unwrap();
}
