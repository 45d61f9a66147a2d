//! I2, I3, I4: a server that is stopped and goes on, is told to go, or is told to go while it takes a snapshot: nothing is lost, nothing is
//! done twice, and it ends with 0.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod playing;
mod process;

use std::time::Duration;

use playing::{BUNDLE, Size, play};
use process::{Site, tidegate, within_patience};
use rustix::process::Signal;
use tidegate_client::CallOptions;
use tidegate_history::Seen;
use tidegate_protocol::operator::TakeSnapshot;

const SIZE: Size = Size { gateways: 2, callers: 4, calls: 300, members: 40 };

/// Every way to the state leads to the same one.
fn verifies(site: &Site) {
    let verified = within_patience(tidegate(&["verify"]).arg(site.data()));
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}

#[tokio::test]
async fn a_server_that_stood_still_for_ten_seconds_goes_on_and_loses_nothing() {
    // All at the same time: they stand still together.
    let stops = (0..5).map(|seed| async move {
        let site = Site::with(&[BUNDLE]);
        let mut server = site.serve(&["--snapshot-every", "1s"]);
        let playing = play(&site, SIZE, seed).await;
        playing.reaches(1, 3).await;
        server.signal(Signal::STOP);
        // What the callers wait for meanwhile is chance; this one is surely left without an answer.
        assert_eq!(playing.redeems(Duration::from_millis(300)).await, Seen::Unknown);
        tokio::time::sleep(Duration::from_secs(10)).await;
        server.signal(Signal::CONT);
        let tally = playing.ends().await;
        assert_eq!(tally.events, SIZE.total() + 1, "{tally:?}");
        server.kill();
        verifies(&site);
    });
    together(stops).await;
}

#[tokio::test]
async fn a_server_that_is_told_to_go_answers_what_it_decided_and_loses_nothing() {
    let goings = (0..5).map(|seed| async move {
        let site = Site::with(&[BUNDLE]);
        let mut server = site.serve(&["--snapshot-every", "1s"]);
        let playing = play(&site, SIZE, seed).await;
        playing.reaches(1, 3).await;
        server.signal(Signal::TERM);
        assert_eq!(ended(&mut server).await, Some(0), "it drains");
        verifies(&site);
        let _server = site.serve(&[]);
        let tally = playing.ends().await;
        assert_eq!(tally.events, SIZE.total(), "{tally:?}");
    });
    together(goings).await;
}

#[tokio::test]
async fn a_server_that_is_told_to_go_while_it_takes_a_snapshot_ends_well() {
    let goings = (0..5).map(|seed| async move {
        let site = Site::with(&[BUNDLE]);
        let mut server = site.serve(&["--snapshot-every", "1h"]);
        let operator = site.client("operator").await;
        let playing = play(&site, SIZE, seed).await;
        playing.reaches(1, 3).await;
        let asked = tokio::spawn(async move {
            let options = CallOptions { deadline: Duration::from_secs(1), id: None };
            operator.take_snapshot(TakeSnapshot {}, options).await
        });
        // Before, within or after it: a moment later each time.
        tokio::time::sleep(Duration::from_millis(seed)).await;
        server.signal(Signal::TERM);
        assert_eq!(ended(&mut server).await, Some(0), "it drains");
        let _ = asked.await.unwrap();
        verifies(&site);
        let _server = site.serve(&[]);
        let tally = playing.ends().await;
        assert_eq!(tally.events, SIZE.total(), "{tally:?}");
    });
    together(goings).await;
}

/// The exit code, without standing in the way of the others meanwhile.
async fn ended(server: &mut process::Server) -> Option<i32> {
    while !server.has_ended() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.ended().code()
}

async fn together(tasks: impl Iterator<Item = impl Future<Output = ()> + 'static>) {
    let local = tokio::task::LocalSet::new();
    let tasks: Vec<_> = tasks.map(|task| local.spawn_local(task)).collect();
    local
        .run_until(async {
            for task in tasks {
                task.await.unwrap();
            }
        })
        .await;
}
