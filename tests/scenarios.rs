//! Programmes as brands run them, over QUIC, on a clock that the test moves: balances, lots, quotas and refusals. `docs/programmes.md` says
//! which of them runs which rule, and the test here holds it to that.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[path = "scenarios/claims.rs"]
mod claims;
#[path = "scenarios/days.rs"]
mod days;
#[path = "scenarios/earning.rs"]
mod earning;
#[path = "scenarios/quiz.rs"]
mod quiz;
#[path = "scenarios/referral.rs"]
mod referral;
#[path = "scenarios/shop.rs"]
mod shop;
#[path = "scenarios/stage.rs"]
mod stage;
#[path = "scenarios/standing.rs"]
mod standing;
#[path = "scenarios/windows.rs"]
mod windows;

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
    let files = std::fs::read_dir(root.join("tests/scenarios")).unwrap();
    let source: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
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
