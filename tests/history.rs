//! I2, I3, I4: what concurrent gateways were told by a server that is killed again and again can be told by one that decides one request
//! after the other, and quotas are exact.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod playing;
mod process;

use playing::{BUNDLE, Size, play};
use process::Site;

#[tokio::test]
async fn histories_of_a_server_that_is_killed_are_linearizable_and_quotas_exact() {
    const KILLS: usize = 12;
    let size = Size { gateways: 4, callers: 8, calls: 400, members: 120 };
    let site = Site::with(&[BUNDLE]);
    let mut server = site.serve(&["--snapshot-every", "1s"]);
    let playing = play(&site, size, 1).await;
    for kill in 1..=KILLS {
        playing.reaches(kill, KILLS + 1).await;
        server.kill();
        server = site.serve(&["--snapshot-every", "1s"]);
    }
    let tally = playing.ends().await;
    println!("{tally:?}");
    assert!(tally.events == size.total() && tally.unknown > 0 && tally.sold_out > 0, "{tally:?}");
}
