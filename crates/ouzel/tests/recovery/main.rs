//! `ouzel serve` against a venue over real sockets, in trouble: both lines lose more than the request
//! server keeps, the feed is joined in mid-session, the snapshot server is away, somebody else sends to
//! the group, the lines or the process stand still. What the user sees in between, and that every book
//! is the venue's afterwards.
#![allow(
    clippy::disallowed_methods,
    reason = "real processes are awaited in real time"
)]

#[path = "../common/mod.rs"]
mod common;
mod exchange;

use std::net::UdpSocket;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Running, arg};
use exchange::{Market, SESSION, anywhere, free_port};
use serde_json::Value;

fn metric(ouzel: &Running, name: &str) -> f64 {
    let (_, page) = ouzel.call("GET", "/metrics", "");
    let line = page
        .lines()
        .find(|line| line.split(' ').next() == Some(name))
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    let value = line.rsplit(' ').next().expect("a value");
    value.parse().expect("a number")
}

fn until_said(ouzel: &Running, words: &str) {
    let began = std::time::Instant::now();
    while !ouzel.said().contains(words) {
        assert!(began.elapsed() < common::PATIENCE, "{}", ouzel.said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn check(health: &Value, name: &str) -> (bool, String) {
    let checks = health["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no check {name}: {health}"));
    let detail = found["detail"].as_str().expect("words").to_owned();
    (found["ok"] == true, detail)
}

#[test]
fn both_lines_cut_for_longer_than_anybody_keeps() {
    let market = Market::open();
    let first = market.snapshots(anywhere());
    let address = first.address();
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = market.serve(&dir, address, &[]);
    ouzel.until("/v1/feed", |feed| feed["state"] == "live");
    ouzel.get("/readyz");
    // The snapshot server is away while the lines are: the loss lasts, and is told.
    drop(first);
    let before = ouzel.get("/v1/feed");
    market.cut_for(1_000);
    let feed = ouzel.until("/v1/feed", |feed| feed["state"] == "refreshing");
    assert!(feed["lost"].as_u64() > before["lost"].as_u64(), "{feed}");
    let health = ouzel.expect("GET", "/readyz", "", 503);
    let (is_ok, words) = check(&health, "feed");
    assert!(
        !is_ok && words.starts_with("books are stale until"),
        "{words}"
    );
    let symbols = ouzel.get("/v1/symbols");
    for row in symbols["symbols"].as_array().expect("symbols") {
        assert_eq!(row["integrity"], "stale", "{row}");
    }
    ouzel.until("/v1/feed", |feed| {
        feed["snapshots_failed"].as_u64() >= Some(2)
    });
    let (_, words) = check(&ouzel.expect("GET", "/readyz", "", 503), "snapshots");
    assert!(
        words.contains("cannot connect to the snapshot server"),
        "{words}"
    );
    until_said(&ouzel, "books wait for a snapshot: cannot connect");
    // It comes back: every book is whole, at once and without a restart.
    let second = market.snapshots(address);
    ouzel.until("/v1/feed", |feed| feed["state"] == "live");
    ouzel.get("/readyz");
    market.end();
    market.check_books(&ouzel);
    assert!(second.counts().served.load(Ordering::Relaxed) > 0);
    assert!(metric(&ouzel, "ouzel_glimpse_failures_total") >= 2.0);
    assert!(metric(&ouzel, "ouzel_feed_refreshed_total") >= 1.0);
    assert!(metric(&ouzel, "ouzel_glimpse_snapshot_bytes") > 10_000.0);
    until_said(&ouzel, "books were loaded from a snapshot");
}

#[test]
fn a_feed_joined_in_mid_session_by_two_lanes() {
    let market = Market::open();
    std::thread::sleep(Duration::from_millis(1_500));
    let server = market.snapshots(anywhere());
    let address = server.address();
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = market.serve(&dir, address, &["--lanes", "2"]);
    let feed = ouzel.until("/v1/feed", |feed| {
        feed["state"] == "live" && feed["refreshed"] == 1
    });
    assert!(feed["lost"].as_u64() > Some(1_000), "{feed}");
    std::thread::sleep(Duration::from_millis(300));
    market.end();
    market.check_books(&ouzel);
    ouzel.get("/readyz");
    assert_eq!(metric(&ouzel, "ouzel_glimpse_loaded_total"), 2.0);
}

/// The command that speaks, and the one that listens, as the help of both says.
#[test]
fn two_processes_and_a_cut_between_them() {
    let [a, b, requests] = [(); 3].map(|()| free_port().to_string());
    let glimpse = std::net::TcpListener::bind(anywhere())
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .to_string();
    let mut venue = std::process::Command::new(env!("CARGO_BIN_EXE_ouzel"))
        .args(["venue", "--line-a", &a, "--line-b", &b])
        .args(["--retransmit", &requests, "--glimpse", &glimpse])
        .args(["--symbols", "20", "--rate", "3000", "--loss", "1"])
        .args(["--history", "300", "--cut-after", "3", "--cut-for", "1"])
        .args(["--for", "12", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = Running::start(&[
        "serve",
        "--data",
        arg(dir.path()),
        "--itch-a",
        &a,
        "--itch-b",
        &b,
        "--interface",
        "127.0.0.1",
        "--retransmit",
        &requests,
        "--glimpse",
        &glimpse,
    ]);
    // The cut alone is three thousand messages; whoever came after it has missed more.
    ouzel.until("/v1/feed", |feed| {
        feed["lost"].as_u64() > Some(300)
            && feed["refreshed"].as_u64() >= Some(1)
            && feed["state"] == "live"
    });
    let symbols = ouzel.get("/v1/symbols");
    let rows = symbols["symbols"].as_array().expect("symbols");
    assert_eq!(rows.len(), 20);
    assert!(venue.wait().expect("it ends").success());
    let mut said = String::new();
    let mut out = venue.stdout.take().expect("piped");
    std::io::Read::read_to_string(&mut out, &mut said).expect("text");
    let summary: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    assert!(summary["snapshots"].as_u64() >= Some(1), "{summary}");
    let feed = ouzel.until("/v1/feed", |feed| feed["state"] == "ended");
    let messages = summary["messages"].as_u64().expect("a count");
    assert_eq!(feed["next_seq"], messages + 1, "{feed}");
}

/// Garbage, and a stranger who lies about sessions and numbers: told in every place where an operator
/// looks, and without effect on any book.
#[test]
fn somebody_else_sends_to_the_group() {
    let market = Market::open();
    let server = market.snapshots(anywhere());
    let address = server.address();
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = market.serve(&dir, address, &[]);
    ouzel.until("/v1/feed", |feed| feed["state"] == "live");
    let before = ouzel.get("/v1/feed");
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let say = |bytes: &[u8]| {
        stranger.send_to(bytes, market.lines[0]).expect("sent");
    };
    for n in 0..300u64 {
        say(b"garbage");
        say(&wire::moldudp64::heartbeat(*b"EVIL000001", 1));
        say(&wire::moldudp64::heartbeat(SESSION, u64::MAX - n));
        std::thread::sleep(Duration::from_millis(2));
    }
    let feed = ouzel.until("/v1/feed", |feed| {
        feed["lines"][0]["malformed"].as_u64() >= Some(300) && feed["state"] == "live"
    });
    assert_eq!(feed["lost"], before["lost"], "{feed}");
    assert!(feed["rejected"].as_u64() >= Some(600), "{feed}");
    assert!(metric(&ouzel, "ouzel_line_malformed_total{line=\"A\"}") >= 300.0);
    let rejected = ouzel.get("/v1/rejected");
    let rows = rejected["rejected"].as_array().expect("rows");
    assert!(
        rows.iter().any(|row| row["bytes_hex"] == "67617262616765"),
        "{rejected}"
    );
    until_said(&ouzel, "packets or messages could not be used");
    ouzel.get("/readyz");
    market.end();
    market.check_books(&ouzel);
}

/// Both lines say nothing at all: nobody is told that old books are good.
#[test]
fn a_silence_of_both_lines_is_not_ready_and_flagged() {
    let market = Market::open();
    let server = market.snapshots(anywhere());
    let address = server.address();
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = market.serve(&dir, address, &[]);
    ouzel.until("/v1/feed", |feed| feed["state"] == "live");
    let symbols = ouzel.get("/v1/symbols");
    let symbol = symbols["symbols"][0]["symbol"]
        .as_str()
        .expect("a name")
        .to_owned();
    let path = format!("/v1/book/{symbol}");
    ouzel.until(&path, |book| book["integrity"] == "ok");
    market.cut(true);
    ouzel.until(&path, |book| book["integrity"] == "recovering");
    let health = ouzel.until("/readyz", |health| health["status"] != "ok");
    let (is_ok, words) = check(&health, "feed");
    assert!(!is_ok && words.starts_with("silent for"), "{words}");
    market.cut(false);
    ouzel.until("/readyz", |health| health["status"] == "ok");
    market.end();
    market.check_books(&ouzel);
}

/// The whole process stands still, as on a machine that swaps or is moved: the histogram shows it, no
/// window is late for it, and nothing is lost.
#[test]
fn a_process_that_stood_still_goes_on() {
    let market = Market::open();
    let server = market.snapshots(anywhere());
    let address = server.address();
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = market.serve(&dir, address, &[]);
    ouzel.until("/v1/feed", |feed| feed["state"] == "live");
    ouzel.signal("STOP");
    std::thread::sleep(Duration::from_millis(1_200));
    ouzel.signal("CONT");
    let feed = ouzel.until("/v1/feed", |feed| {
        feed["latency_ns"]["max"].as_u64() > Some(500_000_000)
    });
    assert_eq!(
        metric(&ouzel, "ouzel_lane_clock_steps_total"),
        0.0,
        "{feed}"
    );
    market.end();
    market.check_books(&ouzel);
    ouzel.get("/readyz");
}
