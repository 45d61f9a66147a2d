//! The thread that decides has a processor to itself, if an operator says so.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod process;

use std::collections::BTreeMap;
use std::fs;

use process::{Site, shipped, within_patience};
use tidegate::server::Processor;

/// The processors that a thread may use, in the kernel's words: `0-3,7`.
fn allowed(status: &str) -> Vec<usize> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        from.parse::<usize>().unwrap()..=to.parse().unwrap()
    };
    list.split(',').flat_map(range).collect()
}

#[test]
fn the_thread_that_decides_has_its_processor_to_itself() {
    let Some(processor) = Processor::first() else {
        return println!("one processor only: there is nothing to share out");
    };
    let site = Site::new(&[shipped("monthly-exchange")]);
    let server = site.serve(&["--processor", &processor.number().to_string()]);
    // Threads that are made when they are needed: one is left of the start, more are made for questions at the same time.
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(server.ask(&["snapshot"]).status.code(), Some(0)));
        }
    });
    let mut threads: BTreeMap<String, Vec<Vec<usize>>> = BTreeMap::new();
    for thread in fs::read_dir(format!("/proc/{}/task", server.id())).unwrap() {
        let folder = thread.unwrap().path();
        let name = fs::read_to_string(folder.join("comm")).unwrap().trim().to_owned();
        let may_use = allowed(&fs::read_to_string(folder.join("status")).unwrap());
        if folder.file_name().unwrap().to_str().unwrap() == server.id().to_string() {
            assert_eq!(may_use, [processor.number()], "the thread that decides");
        } else {
            assert!(!may_use.contains(&processor.number()) && !may_use.is_empty(), "{name}: {may_use:?}");
            threads.entry(name).or_default().push(may_use);
        }
    }
    for name in ["flusher", "log-spares", "housekeeping", "http", "tokio-rt-worker"] {
        assert!(threads.contains_key(name), "{name} is one of them: {threads:?}");
    }
    assert!(threads["tokio-rt-worker"].len() > 1, "one at least was made behind the start: {threads:?}");
}

#[test]
fn a_processor_that_is_not_there_is_refused_before_anything_is_made() {
    let site = Site::new(&[]);
    let refused = within_patience(&mut site.command(&["--processor", "4096"]));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("processor 4096 is none that this process may use; it may use"), "{said}");
    assert!(!site.data().exists(), "no data directory was made");
}
