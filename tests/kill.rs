//! I3, I4: a real server is killed a hundred times under full load, and everything it acknowledged is there, once.

#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "kill/cycles.rs"]
mod cycles;
mod process;

#[tokio::test]
async fn a_hundred_kills_under_full_load_lose_nothing_and_repeat_nothing() {
    let mut kills = 0;
    let round = cycles::round(100, 0, || kills += 1).await;
    assert!(kills == 100 && round.acknowledged > 200_000, "{kills} kills, {round:?}");
}
