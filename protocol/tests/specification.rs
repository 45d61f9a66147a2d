//! `docs/wire-format.md` names every code, every body and every field that there is.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate_protocol::code::{ANSWERS, Applied, Next, OPERATIONS};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn specification() -> String {
    std::fs::read_to_string(root().join("../docs/wire-format.md")).unwrap()
}

#[test]
fn every_operation_has_its_row() {
    let specification = specification();
    for (code, name, body) in OPERATIONS {
        let row = format!("| 0x{code:04x} | {name} | `{body}` |");
        assert!(specification.contains(&row), "docs/wire-format.md lacks {row}");
    }
    let constants = include_str!("../src/code.rs").split("pub mod close").next().unwrap().matches("pub const").count();
    assert_eq!(constants - 1, OPERATIONS.len(), "every operation stands in OPERATIONS");
}

#[test]
fn every_answer_has_its_row() {
    let specification = specification();
    for row in ANSWERS {
        let applied = match row.applied {
            Applied::Yes => "yes",
            Applied::Before => "before",
            Applied::No => "no",
            Applied::NotNow => "not now",
        };
        let next = match row.next {
            Next::Done => "done",
            Next::SameId => "same id",
            Next::NewId => "new id",
            Next::Correct => "correct",
        };
        let line =
            format!("| 0x{:04x} | {} | {applied} | {next} | `{}` | {} |\n", row.code, row.name, row.body, row.meaning);
        assert!(specification.contains(&line), "docs/wire-format.md lacks {line}");
    }
}

#[test]
fn codes_and_names_are_given_once() {
    for (at, row) in ANSWERS.iter().enumerate() {
        let same = |other: &&tidegate_protocol::code::Row| other.code == row.code || other.name == row.name;
        assert_eq!(ANSWERS.iter().skip(at).filter(same).count(), 1, "{}", row.name);
    }
}

#[test]
fn every_field_of_every_body_has_its_row() {
    let specification = specification();
    for file in ["hello.json", "operations.json", "answers.json"] {
        let kept = std::fs::read_to_string(root().join("golden").join(file)).unwrap();
        for case in serde_json::from_str::<Vec<Value>>(&kept).unwrap() {
            let name = case["body"].as_str().unwrap();
            let (_, section) = specification.split_once(&format!("\n### {name}\n")).unwrap();
            let section = section.split("\n### ").next().unwrap();
            for field in case["fields"].as_object().unwrap().keys() {
                assert!(section.contains(&format!("| `{field}` |")), "{name} lacks `{field}`");
            }
        }
    }
}
