//! `ouzel eval retrieval` on a corpus small enough to know the answers of, and on broken ones.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const CORPUS: &[&str] = &[
    r#"{"_id": "acme22", "title": "Acme annual report", "text": "Revenue was 20 million dollars.", "ticker": "ACME", "company": "Acme Industries", "doc_period": 2022}"#,
    r#"{"_id": "acme21", "title": "Acme annual report", "text": "Revenue was 19 million dollars.", "ticker": "ACME", "company": "Acme Industries", "doc_period": 2021}"#,
    r#"{"_id": "rival22", "title": "Rival annual report", "text": "Revenue was 90 million dollars.", "ticker": "RIVL", "company": "Rival Works", "doc_period": 2022}"#,
    r#"{"_id": "weather", "title": "", "text": "It rained in the mountains, and rivers rose."}"#,
    r#"{"_id": "empty", "title": "", "text": ""}"#,
];
const QUERIES: &[&str] = &[
    r#"{"_id": "q1", "text": "What was the revenue of Acme Industries in FY2022?", "ticker": "ACME"}"#,
    r#"{"_id": "q2", "text": "rain and rivers"}"#,
    r#"{"_id": "q3", "text": "this one was not judged"}"#,
];
const QRELS: &[&str] = &[
    "query-id\tcorpus-id\tscore",
    "q1\tacme22\t1",
    "q2\tweather\t2",
    "q2\tacme21\t0",
];

fn write(dir: &Path, name: &str, lines: &[&str]) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
    std::fs::write(path, lines.join("\n")).expect("writes");
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "corpus.jsonl", CORPUS);
    write(dir.path(), "queries.jsonl", QUERIES);
    write(dir.path(), "qrels.tsv", QRELS);
    dir
}

fn eval(dir: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.args(["eval", "retrieval", "--corpus"]).arg(dir);
    command.args(more).output().expect("ouzel runs")
}

fn measured(dir: &Path, more: &[&str]) -> Value {
    let output = eval(dir, &[&["--json"], more].concat());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

#[test]
fn a_corpus_of_known_answers_is_measured() {
    let dir = folder();
    let report = measured(dir.path(), &[]);
    for list in ["bm25", "dense", "hybrid"] {
        for measure in ["ndcg@10", "recall@10", "recall@100", "mrr@10"] {
            let value = report[list][measure].as_f64().expect("a number");
            assert!((0.0..=1.0).contains(&value), "{list} {measure}");
        }
        assert_eq!(report[list]["recall@10"], 1.0, "{list}");
    }
    assert_eq!(report["hybrid"]["ndcg@10"], 1.0);
    assert_eq!(report["queries"], 2);
    assert_eq!(report["documents"], 4);
    assert_eq!(report["documents_without_text"], 1);
    let by: Vec<&str> = report["filters"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|filter| filter["by"].as_str())
        .collect();
    assert_eq!(
        by,
        [
            "nothing",
            "the question's own words",
            "fields of the query: symbol"
        ]
    );
    let table = eval(dir.path(), &[]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("hybrid           1.0000"), "{table}");
}

#[test]
fn layouts_of_beir_and_sets_over_one_corpus_are_read() {
    let dir = folder();
    let plain = measured(dir.path(), &[]);
    std::fs::create_dir(dir.path().join("qrels")).expect("makes");
    std::fs::rename(
        dir.path().join("qrels.tsv"),
        dir.path().join("qrels/test.tsv"),
    )
    .expect("moves");
    let cache = dir.path().join("cache");
    let cache = cache.to_str().expect("text");
    assert_eq!(measured(dir.path(), &["--cache", cache]), plain);
    assert_eq!(measured(dir.path(), &["--cache", cache]), plain);
    write(dir.path(), "wire_queries.jsonl", QUERIES);
    write(dir.path(), "wire_qrels.tsv", &QRELS[1..]);
    assert_eq!(
        measured(dir.path(), &["--set", "wire", "--cache", cache]),
        plain
    );
    std::fs::remove_file(dir.path().join("queries.jsonl")).expect("removes");
    complains(dir.path(), &[], &["several sets", "--set wire"]);
}

#[test]
fn words_are_ranked_as_told() {
    let dir = folder();
    let cut = measured(
        dir.path(),
        &["--text-stop-words", "none", "--text-stemming", "none"],
    );
    assert_eq!(cut["queries"], 2);
    complains(dir.path(), &["--text-b", "2"], &["b is 2"]);
    complains(
        dir.path(),
        &["--text-stemming", "klingon"],
        &["klingon", "german"],
    );
}

fn complains(dir: &Path, more: &[&str], wants: &[&str]) {
    let output = eval(dir, more);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{errors}");
    for want in wants {
        assert!(errors.contains(want), "{want:?} is not in {errors}");
    }
}

#[test]
fn what_is_broken_is_told_with_its_place() {
    let check = |name: &str, lines: &[&str], wants: &[&str]| {
        let dir = folder();
        write(dir.path(), name, lines);
        complains(dir.path(), &[], wants);
    };
    check(
        "corpus.jsonl",
        &[CORPUS[0], "{\"_id\": "],
        &["corpus.jsonl:2", "not JSON"],
    );
    check("corpus.jsonl", &["[1]"], &["corpus.jsonl:1", "object"]);
    check(
        "corpus.jsonl",
        &["{\"_id\": \"a\"}"],
        &["corpus.jsonl:1", "no field text"],
    );
    check(
        "corpus.jsonl",
        &[CORPUS[0], CORPUS[0]],
        &["corpus.jsonl:2", "acme22"],
    );
    check("corpus.jsonl", &[""], &["corpus.jsonl", "empty"]);
    check(
        "queries.jsonl",
        &["{\"_id\": \"q1\"}"],
        &["queries.jsonl:1", "no field text"],
    );
    check("queries.jsonl", &[QUERIES[0]], &["qrels.tsv:3", "q2"]);
    check(
        "qrels.tsv",
        &[QRELS[0], "q1\tnobody\t1"],
        &["qrels.tsv", "nobody", "q1"],
    );
    check(
        "qrels.tsv",
        &[QRELS[0], "q1 acme22 1"],
        &["qrels.tsv:2", "tabs"],
    );
    check(
        "qrels.tsv",
        &[QRELS[0], "q1\tacme22\tvery"],
        &["qrels.tsv:2", "very"],
    );
    check("qrels.tsv", &[QRELS[0]], &["qrels.tsv", "judges nothing"]);
    check("qrels.tsv", &["q1\tacme22\t0"], &["no relevant document"]);
}

#[test]
fn what_is_missing_is_named() {
    for name in ["corpus.jsonl", "queries.jsonl", "qrels.tsv"] {
        let dir = folder();
        std::fs::remove_file(dir.path().join(name)).expect("removes");
        complains(dir.path(), &[], &[name]);
    }
    complains(Path::new("/no/such/folder"), &[], &["not a folder"]);
}
