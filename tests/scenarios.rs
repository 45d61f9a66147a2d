//! Programmes as brands run them, over QUIC, on a clock that the test moves: balances, lots, quotas and refusals. `docs/programmes.md` says
//! which of them runs which rule, and the last test holds it to that.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[path = "scenarios/stage.rs"]
mod stage;

use stage::Stage;
use tidegate_protocol::Body;

const DECEMBER: u32 = 1;
const LIPSTICK: u32 = 1;
const POWDER: u32 = 2;

/// Points are saved all year and exchanged in December; none expires before the window meant for it, and all the rest with its end.
#[tokio::test]
async fn saved_all_year_and_exchanged_in_december() {
    let mut stage = Stage::open("december-exchange", "2026-01-05 12:00").await;
    let (this_year_ms, next_year_ms) = (stage.instant_ms("2027-01-01 00:00"), stage.instant_ms("2028-01-01 00:00"));
    stage.enrol(1).await;
    stage.order(1, "T-1", 900).await;
    stage.at("2026-06-18 20:00").await;
    stage.order(1, "T-2", 600).await;
    stage.check_in(1).await;
    // Of one year, whenever they were earned; the check-in's by themselves.
    assert_eq!(stage.expiries(1).await, [(1_500, this_year_ms), (1, this_year_ms)]);

    stage.at("2026-11-30 23:59:59.999").await;
    let Body::NotOpen(told) = stage.redeem(1, DECEMBER, LIPSTICK).await else { panic!("it opens in December") };
    assert_eq!(told.opens_ms, stage.instant_ms("2026-12-01 00:00"));
    stage.at("2026-12-01 00:00").await;
    let Body::Granted(granted) = stage.redeem(1, DECEMBER, LIPSTICK).await else { panic!("it is open") };
    assert_eq!((granted.before, granted.after, granted.grant), (1_501, 701, 1));

    // What is earned now is for the next year, and is spent last.
    stage.at("2026-12-15 10:00").await;
    stage.order(1, "T-3", 300).await;
    assert_eq!(stage.expiries(1).await, [(700, this_year_ms), (1, this_year_ms), (300, next_year_ms)]);
    stage.at("2026-12-31 23:59:59.999").await;
    let Body::Granted(granted) = stage.redeem(1, DECEMBER, POWDER).await else {
        panic!("it is open to its last moment")
    };
    assert_eq!((granted.before, granted.after), (1_001, 501));
    let Body::LimitReached(told) = stage.redeem(1, DECEMBER, POWDER).await else { panic!("twice in a window") };
    assert_eq!((told.times, told.used, told.again_ms), (2, 2, stage.instant_ms("2027-12-01 00:00")));
    assert_eq!(stage.expiries(1).await, [(200, this_year_ms), (1, this_year_ms), (300, next_year_ms)]);

    stage.at("2027-01-01 00:00").await;
    assert_eq!(stage.expiries(1).await, [(300, next_year_ms)]);
    let view = stage.member(1).await;
    assert_eq!((view.balance, view.earned), (300, 1_801));
    stage.at("2027-12-01 00:00").await;
    let Body::NotEnoughPoints(told) = stage.redeem(1, DECEMBER, POWDER).await else { panic!("300 are left") };
    assert_eq!((told.balance, told.shortfall), (300, 200));
    stage.close().await;
}

/// Each line of the table in `docs/programmes.md`: the rule, its bundle, its test.
#[test]
fn the_table_of_rules_says_what_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/programmes.md")).unwrap();
    let table = page
        .split("| rule | bundle | test |\n|---|---|---|\n")
        .nth(1)
        .expect("the table")
        .split("\n\n")
        .next()
        .unwrap();
    let source = std::fs::read_to_string(root.join("tests/scenarios.rs")).unwrap();
    let mut tests = Vec::new();
    for line in table.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, bundle, test] = cells[..] else { panic!("three cells: {line}") };
        assert!(root.join("programmes").join(bundle).join("programme.toml").exists(), "there is no bundle of {line}");
        assert!(source.contains(&format!("async fn {test}()")), "there is no test of {line}");
        assert!(source.contains(&format!("Stage::open(\"{bundle}\"")), "nothing opens the bundle of {line}");
        tests.push(test.to_owned());
    }
    let written = source.matches("#[tokio::test]\nasync fn ").count();
    assert_eq!(tests.len(), written, "every scenario has its line");
}
