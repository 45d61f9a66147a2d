//! The thread that decides has a processor to itself, if an operator says so.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod process;

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use process::{PATIENCE, Server, Site, shipped, within_patience};
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

/// What each other thread may use, by name; the thread that decides has the processor, and no other may use it.
fn others(server: &Server, processor: &Processor) -> BTreeMap<String, Vec<Vec<usize>>> {
    let mut threads: BTreeMap<String, Vec<Vec<usize>>> = BTreeMap::new();
    for thread in fs::read_dir(format!("/proc/{}/task", server.id())).unwrap() {
        let folder = thread.unwrap().path();
        let read = |file: &str| fs::read_to_string(folder.join(file));
        // A thread may end meanwhile.
        let (Ok(name), Ok(status)) = (read("comm"), read("status")) else { continue };
        let (name, may_use) = (name.trim().to_owned(), allowed(&status));
        if folder.file_name().unwrap().to_str().unwrap() == server.id().to_string() {
            assert_eq!(may_use, [processor.number()], "the thread that decides");
        } else {
            assert!(!may_use.contains(&processor.number()) && !may_use.is_empty(), "{name}: {may_use:?}");
            threads.entry(name).or_default().push(may_use);
        }
    }
    threads
}

#[test]
fn the_thread_that_decides_has_its_processor_to_itself() {
    let Some(processor) = Processor::first() else {
        return println!("one processor only: there is nothing to share out");
    };
    let site = Site::new(&[shipped("monthly-exchange")]);
    let server = site.serve(&["--processor", &processor.number().to_string()]);
    // One thread for what takes time may be left of the start. A second one is made behind it, once two questions meet.
    let began = Instant::now();
    let threads = loop {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(server.ask(&["snapshot"]).status.code(), Some(0)));
            }
        });
        let threads = others(&server, &processor);
        if threads.get("tokio-rt-worker").is_some_and(|workers| workers.len() > 1) {
            break threads;
        }
        assert!(began.elapsed() < PATIENCE, "no second thread was made: {threads:?}");
    };
    for name in ["flusher", "log-spares", "housekeeping", "http"] {
        assert!(threads.contains_key(name), "{name} is one of them: {threads:?}");
    }
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
