//! Readers that stop reading: the market goes on, others are served, and what such a reader missed
//! is counted. Each takes the time that the server gives it.

#![allow(
    clippy::disallowed_methods,
    reason = "real processes are awaited in real time"
)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::Running;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};
use wire::fix::{Found, Precision, Writer, find, tag};

/// Fast enough to fill every buffer between the server and a reader within seconds.
fn demo(more: &[&str]) -> (Running, Vec<String>) {
    let args = ["demo", "--symbols", "40", "--rate", "10000", "--for", "180"];
    let ouzel = Running::start(&[&args[..], more].concat());
    let said = ouzel.until("/v1/symbols", |said| {
        let rows = said["symbols"].as_array().map(Vec::as_slice);
        rows.is_some_and(|rows| rows.len() == 40 && rows.iter().all(|row| !row["last"].is_null()))
    });
    let rows = said["symbols"].as_array().expect("rows").iter();
    let name = |row: &Value| row["symbol"].as_str().expect("a name").to_owned();
    let symbols = rows.map(name).collect();
    (ouzel, symbols)
}

fn metric(ouzel: &Running, name: &str) -> u64 {
    let (_, page) = ouzel.call("GET", "/metrics", "");
    let lines = page.lines().filter(|line| line.starts_with(name));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    values.sum()
}

fn stream(ouzel: &Running, wish: &Value) -> WebSocket<TcpStream> {
    let address = ouzel.url.strip_prefix("http://").expect("plain HTTP");
    let line = TcpStream::connect(address).expect("it listens");
    line.set_read_timeout(Some(common::PATIENCE))
        .expect("a time-out");
    let (mut socket, _) = client(format!("ws://{address}/v1/stream"), line).expect("a WebSocket");
    socket.send(Message::text(wish.to_string())).expect("sent");
    socket
}

/// Event times, ns UTC, of the next `count` books.
fn books(socket: &mut WebSocket<TcpStream>, count: usize) -> Vec<u64> {
    let mut times = Vec::new();
    while times.len() < count {
        let Message::Text(text) = socket.read().expect("a frame") else {
            continue;
        };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        if frame["type"] == "book" {
            times.push(common::nanos(&frame["ts_event"]));
        }
    }
    times
}

#[test]
fn a_websocket_client_that_stops_reading_holds_nobody_up_and_gets_the_newest_when_it_is_back() {
    const STALL: Duration = Duration::from_secs(10);
    let (ouzel, symbols) = demo(&[]);
    let topics: Vec<String> = symbols.iter().map(|name| format!("book:{name}")).collect();
    let wish = json!({"subscribe": topics, "interval_ms": 20});
    let mut stalled = stream(&ouzel, &wish);
    let before = books(&mut stalled, 40);
    let next_seq = |ouzel: &Running| {
        ouzel.get("/v1/feed")["next_seq"]
            .as_u64()
            .expect("a number")
    };
    let (from, began) = (next_seq(&ouzel), Instant::now());
    std::thread::sleep(STALL);
    // The market went on at its pace, and another client is served at once.
    let passed = next_seq(&ouzel) - from;
    assert!(
        passed > 20_000,
        "{passed} messages in {:?}",
        began.elapsed()
    );
    let mut other = stream(
        &ouzel,
        &json!({"subscribe": [topics[0]], "interval_ms": 20}),
    );
    let asked = Instant::now();
    let fresh = books(&mut other, 3);
    assert!(asked.elapsed() < STALL, "{:?}", asked.elapsed());
    assert!(fresh[0] > before[0]);
    assert_eq!(ouzel.call("GET", "/readyz", "").0, 200);
    // What lay in the sockets comes first; behind it stands the present, and nothing of the time between.
    let resumed = Instant::now();
    let mut newest = before[0];
    let mut leap = 0;
    while newest < fresh[2] {
        let at = books(&mut stalled, 1)[0];
        leap = leap.max(at.saturating_sub(newest));
        newest = newest.max(at);
        assert!(resumed.elapsed() < common::PATIENCE, "it never catches up");
    }
    println!("a leap of {} ms", leap / 1_000_000);
    assert!(
        leap > 1_000_000_000,
        "everything was queued: a leap of {leap} ns"
    );
}

/// One message of a FIX 4.4 session.
fn fix(seq: u64, kind: &[u8], body: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let mut buffer = [0; 8_192];
    let mut writer = Writer::new(&mut buffer, b"FIX.4.4", kind);
    writer
        .text(tag::SENDER_COMP_ID, b"CLIENT44")
        .text(tag::TARGET_COMP_ID, b"OUZEL")
        .uint(tag::MSG_SEQ_NUM, seq)
        .timestamp(tag::SENDING_TIME, now.as_nanos() as u64, Precision::Millis);
    body(&mut writer);
    writer.finish().expect("fits").to_vec()
}

#[test]
fn a_fix_client_that_stops_reading_is_closed_and_counted_and_its_session_goes_on() {
    let (ouzel, symbols) = demo(&["--fix", "0"]);
    let address = ouzel.greeting["fix"]
        .as_str()
        .expect("an address")
        .to_owned();
    let logon = |seq: u64| {
        fix(seq, b"A", |w| {
            w.uint(tag::ENCRYPT_METHOD, 0).uint(tag::HEART_BT_INT, 0);
        })
    };
    let mut line = TcpStream::connect(&address).expect("it listens");
    line.set_read_timeout(Some(common::PATIENCE))
        .expect("a time-out");
    line.write_all(&logon(1)).expect("sent");
    let request = fix(2, b"V", |w| {
        // Every change of every book as a whole snapshot.
        w.text(tag::MD_REQ_ID, b"all")
            .char(tag::SUBSCRIPTION_REQUEST_TYPE, b'1')
            .uint(tag::MARKET_DEPTH, 0)
            .uint(tag::MD_UPDATE_TYPE, 0)
            .uint(tag::NO_MD_ENTRY_TYPES, 2)
            .char(tag::MD_ENTRY_TYPE, b'0')
            .char(tag::MD_ENTRY_TYPE, b'1')
            .uint(tag::NO_RELATED_SYM, symbols.len() as u64);
        for symbol in &symbols {
            w.text(tag::SYMBOL, symbol.as_bytes());
        }
    });
    line.write_all(&request).expect("sent");
    // It reads once, so it is known to be served, and never again.
    let mut bytes = vec![0; 4_096];
    let size = line.read(&mut bytes).expect("an answer");
    let Found::Message(first) = find(&bytes[..size], 65_536) else {
        panic!("a whole message")
    };
    assert_eq!(first.msg_type(), b"A");

    let from = ouzel.get("/v1/feed")["next_seq"]
        .as_u64()
        .expect("a number");
    let began = Instant::now();
    while metric(&ouzel, "ouzel_fix_stalled_total") == 0 {
        assert!(began.elapsed() < 2 * common::PATIENCE, "it is never closed");
        std::thread::sleep(Duration::from_millis(200));
    }
    let passed = ouzel.get("/v1/feed")["next_seq"]
        .as_u64()
        .expect("a number")
        - from;
    println!("closed after {:?}, {passed} messages", began.elapsed());
    assert!(passed > 20_000, "the market waited: {passed} messages");
    assert_eq!(ouzel.call("GET", "/readyz", "").0, 200);

    // The session's next connection goes on with its numbers: our third message is expected.
    drop(line);
    let mut line = TcpStream::connect(&address).expect("it listens");
    line.set_read_timeout(Some(common::PATIENCE))
        .expect("a time-out");
    line.write_all(&logon(3)).expect("sent");
    let size = line.read(&mut bytes).expect("an answer");
    let Found::Message(again) = find(&bytes[..size], 65_536) else {
        panic!("a whole message")
    };
    assert_eq!(again.msg_type(), b"A");
    let seq = again
        .require(tag::MSG_SEQ_NUM)
        .and_then(|field| field.uint());
    assert!(seq.is_ok_and(|seq| seq > 2), "{again:?}");
}
