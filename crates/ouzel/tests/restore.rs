//! `ouzel restore`: the copy of a data folder answers as the folder did, and as of an instant as it did then.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn ouzel(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.current_dir(dir).args(words);
    command.output().expect("ouzel runs")
}

fn said(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&text).expect("one JSON object")
}

#[test]
fn a_copy_answers_as_the_folder_did() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    // One after the other: a copy as of an instant ends where the log first says something later.
    let documents = [
        (
            "a",
            "Acme cut its forecast because demand was weak.",
            "2026-01-02T10:00:00Z",
        ),
        ("b", "Acme raised its forecast.", "2026-01-05T10:00:00Z"),
    ];
    for (id, text, known_at) in documents {
        let line = serde_json::json!({"id": id, "text": text, "known_at": known_at});
        std::fs::write(dir.join("n.jsonl"), format!("{line}\n")).expect("write");
        let stored = ouzel(dir, &["ingest", "n.jsonl", "--data", "one"]);
        assert!(stored.status.success());
    }
    let copied = said(&ouzel(
        dir,
        &["restore", "--data", "one", "--to", "two", "--json"],
    ));
    assert_eq!(copied["documents"]["entry"], 2);
    let again = said(&ouzel(
        dir,
        &["restore", "--data", "two", "--to", "three", "--json"],
    ));
    assert_eq!(copied, again);
    let then = [
        "restore",
        "--data",
        "one",
        "--to",
        "then",
        "--json",
        "--as-of",
        "2026-01-03T00:00:00Z",
    ];
    assert_eq!(said(&ouzel(dir, &then))["documents"]["entry"], 1);
    let found = |data: &str| {
        let found = ouzel(dir, &["search", "forecast", "--data", data]);
        String::from_utf8_lossy(&found.stdout).into_owned()
    };
    assert_eq!(found("one"), found("two"));
    assert!(found("two").contains("raised") && !found("then").contains("raised"));
    let full = ouzel(dir, &["restore", "--data", "one", "--to", "two"]);
    assert!(!full.status.success());
    let error = String::from_utf8_lossy(&full.stderr).into_owned();
    assert!(
        error.contains("not empty") && error.contains("two"),
        "{error}"
    );
}
