//! What happens at the doors when others misbehave: a model that hangs, a page of another site, a
//! file with bad lines, a port that is taken, and a person who wants the end now.

#![allow(
    clippy::disallowed_methods,
    reason = "real processes are awaited in real time"
)]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use common::{Running, arg, ouzel, ouzel_fails};
use serde_json::{Value, json};

/// Three seconds of grace, and as much again for a busy machine.
const END: Duration = Duration::from_secs(8);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// An endpoint that takes every connection and never answers.
fn hung_model() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept() {
            held.push(socket);
        }
    });
    format!("http://{address}")
}

#[test]
fn a_model_that_hangs_stops_nothing_else() {
    let dir = folder();
    let model = hung_model();
    let data = arg(dir.path()).to_owned();
    let mut ouzel = Running::start(&["serve", "--data", &data, "--model-url", &model]);
    let about = |id: &str| json!({"id": id, "text": "Acme cut its profit guidance for the year."});
    ouzel.post("/v1/documents", &about("a"));
    let question = json!({"q": "What did Acme do to its guidance?"});
    for _ in 0..10 {
        let (url, body) = (format!("{}/v1/ask", ouzel.url), question.to_string());
        // The server ends before these are answered.
        std::thread::spawn(move || {
            let asked = ureq::post(&url).send(&body);
            drop(asked);
        });
    }
    std::thread::sleep(Duration::from_secs(1));
    let began = Instant::now();
    let found = ouzel.post("/v1/search", &json!({"q": "profit guidance"}));
    assert_eq!(found["hits"][0]["document_id"], "a");
    ouzel.post("/v1/documents", &about("b"));
    let mut hurried = question.clone();
    hurried["deadline_ms"] = 1_000.into();
    let answer = ouzel.post("/v1/ask", &hurried);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(answer["abstained"], false, "{answer}");
    let skipped = answer["receipt"]["skipped"].to_string();
    assert!(skipped.contains("model"), "{answer}");
    // Ten asks in flight and half a request do not keep it from ending.
    let address = ouzel.url.strip_prefix("http://").expect("plain HTTP");
    let mut half = TcpStream::connect(address).expect("it listens");
    half.write_all(b"POST /v1/search HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{")
        .expect("sent");
    ouzel.signal("TERM");
    assert_eq!(ouzel.ends_within(END), Some(0), "{}", ouzel.said());
}

/// Sends a request as it is; the status line of what comes back.
fn raw(ouzel: &Running, request: &str) -> String {
    let address = ouzel.url.strip_prefix("http://").expect("plain HTTP");
    let mut line = TcpStream::connect(address).expect("it listens");
    line.set_read_timeout(Some(common::PATIENCE))
        .expect("a time-out");
    line.write_all(request.replace("ADDRESS", address).as_bytes())
        .expect("sent");
    let mut said = [0; 64];
    let size = line.read(&mut said).expect("an answer");
    String::from_utf8_lossy(&said[..size]).into_owned()
}

#[test]
fn pages_of_other_sites_are_kept_out() {
    let dir = folder();
    let ouzel = Running::start(&["serve", "--data", arg(dir.path())]);
    let delete = "DELETE /v1/documents/x HTTP/1.1\r\nhost: ADDRESS\r\n";
    let upgrade = "GET /v1/stream HTTP/1.1\r\nhost: ADDRESS\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let evil = "origin: http://evil.example\r\n\r\n";
    let ours = "origin: http://ADDRESS\r\n\r\n";
    for (start, end, status) in [
        (delete, evil, "403"),
        (delete, ours, "404"),
        (delete, "\r\n", "404"),
        (upgrade, evil, "403"),
        (upgrade, ours, "101"),
        (upgrade, "\r\n", "101"),
        (
            "GET /livez HTTP/1.1\r\nhost: evil.example\r\n",
            "\r\n",
            "403",
        ),
    ] {
        let said = raw(&ouzel, &format!("{start}{end}"));
        assert!(
            said.starts_with(&format!("HTTP/1.1 {status}")),
            "{start}{end}{said}"
        );
    }
}

/// The same file gives the same account through both doors, and the good lines are stored.
#[test]
fn a_bad_line_costs_itself_alone_through_both_doors() {
    let dir = folder();
    let file = dir.path().join("news.jsonl");
    let lines = "{\"id\": \"a\", \"text\": \"one\"}\n{oops\n[\"b\", \"two\"]\n{\"text\": \"no id\"}\n\
        {\"id\": \"c\", \"text\": \"three\"}\n";
    std::fs::write(&file, lines).expect("written");
    let server = Running::start(&["serve", "--data", arg(&dir.path().join("served"))]);
    let local = dir.path().join("local");
    let account = |to: &[&str]| -> Value {
        let done = ouzel(&[&["ingest", arg(&file), "--json"], to].concat());
        assert_eq!(done.status.code(), Some(1), "something was refused");
        let out = String::from_utf8_lossy(&done.stdout).into_owned();
        serde_json::from_str(out.trim()).unwrap_or_else(|e| panic!("{e}: {out}"))
    };
    let there = account(&["--url", &server.url]);
    let here = account(&["--data", arg(&local)]);
    assert_eq!(there, here);
    assert_eq!(
        (&here["stored"], &here["rejected_count"]),
        (&2.into(), &3.into())
    );
    let rows = here["rejected"].as_array().expect("rows");
    let mut of_line: Vec<(u64, &str)> = rows
        .iter()
        .map(|row| {
            (
                row["line"].as_u64().expect("a line"),
                row["reason"].as_str().expect("words"),
            )
        })
        .collect();
    of_line.sort_unstable();
    assert_eq!(
        of_line.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        [2, 3, 4]
    );
    assert!(of_line[2].1.contains("--number"), "{}", of_line[2].1);
    // Nothing good at all is an account too, not a failure without one.
    std::fs::write(&file, "{\"text\": \"no id\"}\n").expect("written");
    let none = account(&["--url", &server.url]);
    assert_eq!(
        (&none["stored"], &none["rejected_count"]),
        (&0.into(), &1.into())
    );
}

#[test]
fn a_dead_lane_is_told_and_ends_the_demo() {
    let done = ouzel(&[
        "demo",
        "--core",
        "9999",
        "--for",
        "20",
        "--listen",
        "127.0.0.1:0",
    ]);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(
        said.contains("lane died") && said.contains("9999"),
        "{said}"
    );
}

#[test]
fn a_taken_port_is_told_before_anything_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = taken.local_addr().expect("address").to_string();
    let began = Instant::now();
    let said = ouzel_fails(&["demo", "--listen", &address]);
    assert!(said.starts_with("ouzel: cannot listen on"), "{said}");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let dir = folder();
    let documents = dir.path().join("news.jsonl");
    std::fs::write(&documents, "{\"id\": \"a\", \"text\": \"one\"}\n").expect("written");
    let data = dir.path().join("data");
    let serve = ["serve", "--data", arg(&data), "--listen", &address];
    let done = ouzel(&[&serve[..], &["--documents", arg(&documents)]].concat());
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(!done.status.success() && !out.contains("stored"), "{out}");
}

#[test]
fn a_second_signal_ends_it_at_once_and_leaves_nothing() {
    let model = hung_model();
    let mut ouzel = Running::start(&[
        "demo",
        "--symbols",
        "8",
        "--rate",
        "2000",
        "--model-url",
        &model,
    ]);
    let left = std::env::temp_dir().join(format!("ouzel-demo-{}", ouzel.pid()));
    assert!(left.is_dir());
    let address = ouzel.url.strip_prefix("http://").expect("plain HTTP");
    let mut half = TcpStream::connect(address).expect("it listens");
    half.write_all(b"GET /livez HTTP/1.1\r\nhost: ")
        .expect("sent");
    std::thread::sleep(Duration::from_millis(200));
    ouzel.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    ouzel.signal("INT");
    assert_eq!(ouzel.ends_within(END), Some(130), "{}", ouzel.said());
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert!(!left.exists(), "{} is left", left.display());
}

#[test]
fn a_sleeping_capture_is_probed_and_does_not_hold_up_the_end() {
    let dir = folder();
    let capture = dir.path().join("lines.txt");
    let line = |at: u64| {
        format!(
            "{at} {{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":1,\"s\":\"BTCUSDT\",\"t\":1,\"p\":\"1.0\",\"q\":\"1.0\",\"T\":1,\"m\":true}}}}\n"
        )
    };
    let start = 1_723_161_256_000_000_000;
    std::fs::write(&capture, line(start) + &line(start + 3_600_000_000_000)).expect("written");
    let data = dir.path().join("data");
    let mut ouzel = Running::start(&["serve", "--data", arg(&data), "--capture", arg(&capture)]);
    let ready = ouzel.get("/readyz");
    let names: Vec<&Value> = ready["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|c| &c["name"])
        .collect();
    assert!(names.contains(&&json!("capture")), "{ready}");
    ouzel.signal("TERM");
    assert_eq!(ouzel.ends_within(END), Some(0), "{}", ouzel.said());
}
