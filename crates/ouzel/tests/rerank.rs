//! `--rerank-url`: a cross-encoder behind an endpoint, as searches, answers, `verify` and `eval` see it.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Running, arg, ouzel, ouzel_json};
use serde_json::{Value, json};

/// An endpoint that likes the word `tug`, until it hangs.
struct Ranker {
    url: String,
    hangs: Arc<AtomicBool>,
}

impl Ranker {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let hangs = Arc::new(AtomicBool::new(false));
        let is_hung = Arc::clone(&hangs);
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for socket in listener.incoming().flatten() {
                if is_hung.load(Ordering::SeqCst) {
                    held.push(socket);
                } else {
                    answer(socket);
                }
            }
        });
        Self { url, hangs }
    }
}

fn answer(mut socket: TcpStream) {
    let mut reader = BufReader::new(socket.try_clone().expect("clones"));
    let (mut length, mut line) = (0, String::new());
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).expect("reads");
        if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let asked: Value = serde_json::from_slice(&body).expect("JSON");
    let documents = asked["documents"].as_array().expect("documents");
    let score = |text: &Value| f64::from(u8::from(text.to_string().contains("tug")));
    let results = documents.iter().enumerate();
    let results = results.map(|(at, text)| json!({"index": at, "relevance_score": score(text)}));
    let said = json!({"results": results.collect::<Vec<_>>()}).to_string();
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
    // A client that has gone does not mind.
    let _gone = write!(socket, "{head}content-length: {}\r\n\r\n{said}", said.len());
}

const DOCUMENTS: &[(&str, &str)] = &[
    ("plan", "The harbour of Ystad will be dredged in May."),
    (
        "tug",
        "The harbour of Ystad will be dredged in May, said the master of a tug that waits there.",
    ),
    ("bread", "Flour prices rose and the mill stopped at noon."),
];
const Q: &str = "When will the harbour of Ystad be dredged?";

fn best(found: &Value) -> &str {
    found["hits"][0]["document_id"].as_str().expect("a hit")
}

#[test]
fn a_search_and_an_answer_are_re_ranked_and_can_be_verified() {
    let ranker = Ranker::start();
    let dir = tempfile::tempdir().expect("a folder");
    let (data, file) = (dir.path().join("data"), dir.path().join("told.json"));
    let flags = ["--rerank-url", &ranker.url, "--rerank-name", "tugs"];
    let server = Running::start(&[&["serve", "--data", arg(&data)], &flags[..]].concat());
    for (id, text) in DOCUMENTS {
        server.post("/v1/documents", &json!({"id": id, "text": text}));
    }
    let body = json!({"q": Q, "fold_copies": false});
    let found = server.post("/v1/search", &body);
    assert_eq!(best(&found), "tug");
    assert_eq!(found["hits"][0]["rerank_score"], 1.0);
    let receipt = &found["receipt"];
    assert_eq!(receipt["models"]["rerank"], "endpoint:tugs");
    assert_eq!(receipt["reranked"][0]["score"], 1.0);
    assert_eq!(
        receipt["reranked"][0]["chunk_id"],
        found["hits"][0]["chunk_id"]
    );
    let told = server.post("/v1/ask", &json!({"q": Q}));
    assert_eq!(told["citations"][0]["document_id"], "tug");
    for told in [&found, &told] {
        std::fs::write(&file, told.to_string()).expect("writes");
        let verdict = ouzel(&["verify", arg(&file), "--url", &server.url]);
        assert_eq!(verdict.status.code(), Some(0));
    }
    // The order is a claim of the receipt like any other.
    let mut other = found.clone();
    other["receipt"]["reranked"][0]["score"] = json!(0.5);
    std::fs::write(&file, other.to_string()).expect("writes");
    let verdict = ouzel(&["verify", arg(&file), "--url", &server.url]);
    assert_eq!(verdict.status.code(), Some(3));
    let (_, metrics) = server.call("GET", "/metrics", "");
    assert!(metrics.contains("stage=\"rerank\""), "{metrics}");

    ranker.hangs.store(true, Ordering::SeqCst);
    let body = json!({"q": Q, "fold_copies": false, "deadline_ms": 300});
    let found = server.post("/v1/search", &body);
    assert_eq!(best(&found), "plan");
    assert_eq!(found["receipt"]["skipped"], json!(["rerank: deadline"]));
    assert!(found["receipt"]["models"]["rerank"].is_null());
    let found = server.post("/v1/search", &json!({"q": Q, "fold_copies": false}));
    assert_eq!(
        best(&found),
        "plan",
        "without a deadline it is not waited for without end"
    );
    drop(server);

    ranker.hangs.store(false, Ordering::SeqCst);
    let here = [&["search", Q, "--data", arg(&data), "--json"], &flags[..]].concat();
    assert_eq!(
        ouzel_json(&here)["receipt"]["models"]["rerank"],
        "endpoint:tugs"
    );
    let plain = ouzel_json(&["search", Q, "--data", arg(&data), "--json"]);
    assert!(
        plain["receipt"]["models"]["rerank"].is_null(),
        "off by default"
    );
    let bare = ["ask", Q, "--data", arg(&data), "--json"];
    let told = ouzel_json(&[&bare, &flags[..]].concat());
    assert_eq!(told["citations"][0]["document_id"], "tug");
}

#[test]
fn eval_prints_what_it_makes_of_the_lists() {
    let ranker = Ranker::start();
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, lines: &[String]| {
        std::fs::write(dir.path().join(name), lines.join("\n")).expect("writes");
    };
    let document = |(id, text): &(&str, &str)| json!({"_id": id, "text": text}).to_string();
    let documents: Vec<String> = DOCUMENTS.iter().map(document).collect();
    write("corpus.jsonl", &documents);
    write(
        "queries.jsonl",
        &[json!({"_id": "q", "text": Q}).to_string()],
    );
    write(
        "qrels.tsv",
        &["query-id\tcorpus-id\tscore".into(), "q\ttug\t1".into()],
    );
    let corpus = ["eval", "retrieval", "--corpus", arg(dir.path())];
    let flags = ["--rerank-url", &ranker.url];
    let report = ouzel_json(&[&corpus[..], &["--json"], &flags[..]].concat());
    assert_eq!(report["reranked"]["mrr@10"], 1.0);
    assert_eq!(report["hybrid"]["mrr@10"], 0.5);
    assert_eq!(report["reranked"]["queries_skipped"], 0);
    assert!(ouzel_json(&[&corpus[..], &["--json"]].concat())["reranked"].is_null());
    let gone = ["--rerank-url", "http://127.0.0.1:1"];
    let table = ouzel(&[&corpus[..], &gone[..]].concat());
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(
        table.contains("1 queries were not re-ranked: rerank:"),
        "{table}"
    );
}
