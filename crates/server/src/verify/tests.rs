//! Whatever is changed in a receipt is told: by the seal where the changer has no key, and by the store itself where the
//! claim can be looked up.

use std::sync::Arc;

use collection::{Options, SyncPolicy};
use node::Settings;
use rag::{Document, Question, SearchRequest};
use stdx::ManualClock;

use super::*;
use crate::json::answer::{AnswerRow, Helpers, SearchBody, search};

const NOW: u64 = 1_772_463_600_000_000_000;
const HOUR: u64 = 3_600_000_000_000;

fn node(dir: &std::path::Path, now: u64) -> Node {
    let settings = Settings {
        dir: dir.to_path_buf(),
        sync: SyncPolicy::Never,
        limits: Options::default(),
        embedding: node::EmbeddingLimits::default(),
    };
    Node::open(&settings, Arc::new(ManualClock::at(now))).expect("opens")
}

fn store(node: &Node, id: &str, text: &str, known_at: u64) {
    let document = Document {
        id: id.into(),
        text: text.into(),
        event_at: known_at,
        known_at,
        ..Document::default()
    };
    node.asker(None).ingest(&document).expect("stores");
}

fn filled(dir: &std::path::Path) -> Node {
    let node = node(dir, NOW);
    let old = "The harbour of Ystad will be dredged in May. Größere Schiffe follow.";
    store(&node, "port", old, NOW - HOUR);
    store(&node, "mill", "The mill of Ystad burned down.", NOW - HOUR);
    node
}

fn answer(node: &Node, as_of: Option<u64>) -> Value {
    let question = Question {
        as_of,
        ..Question::new("When will the harbour of Ystad be dredged?")
    };
    let answer = node.asker(None).ask(&question, &mut |_| true);
    let row = AnswerRow::sealed(answer.expect("answers"), seal(node).expect("a key"));
    serde_json::to_value(row).expect("JSON")
}

fn outcome(node: &Node, told: &Value) -> Outcome {
    verify(node, told).expect("checks").outcome
}

/// The names of the checks that differ.
fn differing(node: &Node, told: &Value) -> Vec<String> {
    let checks = verify(node, told).expect("checks").checks.into_iter();
    let differ = checks.filter(|check| check.outcome == Outcome::Differs);
    differ.map(|check| check.name).collect()
}

/// Every value that can be changed, as a pointer to it.
fn leaves(value: &Value, at: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| leaves(value, &format!("{at}/{name}"), all)),
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .enumerate()
            .for_each(|(idx, value)| leaves(value, &format!("{at}/{idx}"), all)),
        _ => all.push(at.to_owned()),
    }
}

fn changed(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(format!("{text}x")),
        Value::Number(number) => Value::from(number.as_f64().unwrap_or(0.0) + 1.0),
        Value::Array(_) => Value::from(vec!["invented"]),
        _ => Value::from("invented"),
    }
}

#[test]
fn every_changed_field_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let node = filled(dir.path());
    let told = answer(&node, None);
    assert_eq!(outcome(&node, &told), Outcome::Verified);
    assert_eq!(outcome(&node, &told["receipt"]), Outcome::Verified);
    let mut all = Vec::new();
    leaves(&told["receipt"], "/receipt", &mut all);
    assert!(all.len() > 35, "{all:?}");
    for shown in [
        "answer",
        "citations/0/quote",
        "citations/0/start",
        "citations/0/known_at",
    ] {
        all.push(format!("/{shown}"));
    }
    for at in all {
        let mut other = told.clone();
        let place = other.pointer_mut(&at).expect("a field");
        *place = changed(place);
        assert_eq!(outcome(&node, &other), Outcome::Differs, "{at}");
        let (name, parent) = at.rsplit_once('/').map(|(p, n)| (n, p)).expect("a path");
        let mut less = told.clone();
        if let Some(Value::Object(fields)) = less.pointer_mut(parent)
            && at.starts_with("/receipt/")
        {
            fields.remove(name);
            assert_eq!(outcome(&node, &less), Outcome::Differs, "without {at}");
        }
    }
}

#[test]
fn who_has_the_key_is_told_by_the_store() {
    let dir = tempfile::tempdir().expect("a folder");
    let node = filled(dir.path());
    let told = answer(&node, Some(NOW));
    let check = |at: &str, to: Value, name: &str| {
        let mut other = told["receipt"].clone();
        *other.pointer_mut(at).expect("a field") = to;
        let seal = seal(&node).expect("a key").of(canonical(&other).as_bytes());
        other[SEAL] = Value::from(seal);
        assert_eq!(differing(&node, &other), [name], "{at}");
    };
    let head = node.documents().head().seq;
    check("/memory/seq_end", Value::from(head + 1), "sequence");
    check("/memory/seq", Value::from(head + 1), "sequence");
    check("/as_of", Value::from(NOW - HOUR), "instants");
    check("/memory/instant", Value::from(NOW - 2 * HOUR), "instants");
    check("/spans/0/sha256", Value::from("00"), "span 1");
    check("/spans/0/document_id", Value::from("mill"), "span 1");
    check("/spans/0/end", Value::from(9), "span 1");
    check("/spans/0/event_at", Value::from(NOW), "span 1");
}

#[test]
fn later_revisions_and_deletions_leave_a_receipt_as_it_was() {
    let dir = tempfile::tempdir().expect("a folder");
    let told = answer(&filled(dir.path()), None);
    let later = node(dir.path(), NOW + HOUR);
    store(&later, "port", "The harbour will not be dredged.", NOW + 9);
    later.documents().delete("mill", NOW + 10).expect("deletes");
    assert_eq!(outcome(&later, &told), Outcome::Verified);
    // The same answer, asked again as of the instant that the receipt names.
    let instant = told["receipt"]["memory"]["instant"].clone();
    let instant: Instant = serde_json::from_value(instant).expect("an instant");
    let again = answer(&later, Some(instant.0));
    assert_eq!(again["citations"], told["citations"]);
    // What was trimmed cannot be checked, and nothing else can be said.
    later.trim(NOW + HOUR).expect("trims");
    assert_eq!(outcome(&later, &told), Outcome::Unknown);
}

#[test]
fn another_folder_does_not_vouch() {
    let (one, other) = (tempfile::tempdir(), tempfile::tempdir());
    let (one, other) = (one.expect("a folder"), other.expect("a folder"));
    let told = answer(&filled(one.path()), None);
    let other = filled(other.path());
    assert_eq!(differing(&other, &told), ["seal"]);
    assert_eq!(
        outcome(&other, &serde_json::json!({"q": 1})),
        Outcome::Differs
    );
}

#[test]
fn a_search_is_checked_hit_by_hit() {
    let dir = tempfile::tempdir().expect("a folder");
    let node = filled(dir.path());
    let body: SearchBody = serde_json::from_str(r#"{"q": "Ystad"}"#).expect("a body");
    let row = search(&node, body, Helpers::default())
        .expect("searches")
        .row;
    let mut told = serde_json::to_value(row).expect("JSON");
    assert_eq!(told["hits"].as_array().map(Vec::len), Some(2));
    assert_eq!(outcome(&node, &told), Outcome::Verified);
    told["hits"][1]["text"] = Value::from("The mill of Ystad stands.");
    assert_eq!(differing(&node, &told), ["hits 2"]);
    let request = SearchRequest {
        q: "Ystad".into(),
        ..SearchRequest::default()
    };
    let paths = node.asker(None).search(&request).expect("searches");
    let paths = paths.receipt.paths;
    assert!(paths.dense.is_some_and(|path| path.starts_with("among")));
    assert!(
        paths
            .text
            .is_some_and(|path| path.contains("statistics by"))
    );
}
