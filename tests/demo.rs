//! The demo, as whoever clones this sees it first: it must end by itself, say that everything held, and mean it.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// About ten times what it takes: a hang shows as a failure, not as a wait.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn the_demo_holds_what_it_promises() {
    let output = tempfile::NamedTempFile::new().unwrap();
    // One position for both, so that neither writes over the other.
    let out = output.reopen().unwrap();
    let err = out.try_clone().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .arg("demo")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .unwrap();
    let began = Instant::now();
    let status = loop {
        match demo.try_wait().unwrap() {
            Some(status) => break status,
            None if began.elapsed() > PATIENCE => {
                demo.kill().unwrap();
                panic!("the demo did not end: {}", std::fs::read_to_string(output.path()).unwrap());
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let said = std::fs::read_to_string(output.path()).unwrap();
    assert!(status.success(), "{status}: {said}");
    assert!(said.contains("Everything held.") && !said.contains("FAILS"), "{said}");
    let told = said.lines().filter(|line| line.trim_end().ends_with("holds")).count();
    assert!(told >= 17, "{told} checks: {said}");
    assert!(said.contains("SIGKILL"), "it tells of the kill: {said}");
}
