//! The API of docs/api.md as a client meets it: documents, searches, answers, refusals, health,
//! metrics, the stream, and what is left after a power cut.

mod common;

use std::collections::HashSet;
use std::net::TcpStream;

use common::{Running, arg, ouzel_fails};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

fn serve(dir: &tempfile::TempDir) -> Running {
    Running::start(&["serve", "--data", arg(dir.path())])
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

const BREAD: &str = "Flour prices rose. The mill in Łódź — the largest — stopped at noon.";

#[test]
fn documents_of_every_shape_come_back_as_they_were() {
    let dir = folder();
    let ouzel = serve(&dir);
    let one = json!({
        "id": "news/2024/01/breads & cakes?#1", "title": "Mill stops", "text": BREAD, "source": "wire",
        "symbols": ["flr"], "url": "http://127.0.0.1/a", "event_at": "2024-01-02T11:00:00Z",
        "known_at": "2024-01-02T11:00:05.000000001Z",
    });
    let said = ouzel.post("/v1/documents", &one);
    assert_eq!((&said["stored"], &said["chunks"]), (&1.into(), &1.into()));
    assert_eq!(
        (&said["durable"], &said["rejected"]),
        (&true.into(), &json!([]))
    );
    ouzel.post(
        "/v1/documents",
        &json!([{"id": "b", "text": "two"}, {"id": 7, "text": "three"}]),
    );
    ouzel.post(
        "/v1/documents",
        &json!({"documents": [{"id": "c", "text": "日本語のテキスト 🍞"}]}),
    );
    let lines = "{\"id\": \"d\", \"text\": \"four\"}\n\n{\"id\": \"e\", \"text\": \"five\"}\n";
    assert_eq!(
        ouzel.expect("POST", "/v1/documents", lines, 200)["stored"],
        2
    );
    let back = ouzel.get("/v1/documents/news/2024/01/breads%20&%20cakes%3F%231");
    for key in ["id", "title", "text", "source", "url"] {
        assert_eq!(back[key], one[key], "{key}");
    }
    assert_eq!(
        back["symbols"],
        json!(["FLR"]),
        "symbols are written in upper case"
    );
    assert_eq!(back["event_at"], "2024-01-02T11:00:00.000000000Z");
    assert_eq!(back["known_at"], one["known_at"]);
    assert_eq!(ouzel.get("/v1/documents/c")["text"], "日本語のテキスト 🍞");
    assert_eq!(ouzel.get("/v1/documents/7")["text"], "three");
    let listed = ouzel.get("/v1/documents?limit=10");
    let rows = listed["documents"].as_array().expect("rows");
    assert_eq!(rows.len(), 6);
    assert!(
        rows.iter().all(|row| row["text"].is_null()),
        "a list is without texts"
    );
    assert_eq!(rows[5]["id"], one["id"], "newest known first");
    let of_symbol = ouzel.get("/v1/documents?symbol=flr");
    assert_eq!(of_symbol["documents"].as_array().map(Vec::len), Some(1));
}

/// A bulk keeps what is good and names what is not.
#[test]
fn a_bulk_names_what_it_refuses() {
    let dir = folder();
    let ouzel = serve(&dir);
    let bulk = json!([{"id": "good", "text": "kept"}, {"id": "empty", "text": " "}, {"text": "no id"},
        {"id": "late", "text": "x", "known_at": "tomorrow"}]);
    let said = ouzel.post("/v1/documents", &bulk);
    assert_eq!(said["stored"], 1);
    let rejected = said["rejected"].as_array().expect("rows");
    let places: Vec<&Value> = rejected.iter().map(|row| &row["index"]).collect();
    assert_eq!(places, [1, 2, 3]);
    let reason = |idx: usize| rejected[idx]["reason"].as_str().expect("words").to_owned();
    assert!(reason(0).contains("`text`"), "{}", reason(0));
    assert!(reason(1).contains("id"), "{}", reason(1));
    assert!(reason(2).contains("tomorrow"), "{}", reason(2));
    // A line that is no JSON costs itself alone, the first one too.
    let lines = "{oops\n{\"id\": \"l\", \"text\": \"kept\"}\n[\"p\", \"q\"]\n";
    let said = ouzel.expect("POST", "/v1/documents", lines, 200);
    assert_eq!(
        (&said["stored"], &said["rejected_count"]),
        (&1.into(), &2.into())
    );
}

#[test]
fn versions_are_kept_and_deletion_is_one_of_them() {
    let dir = folder();
    let ouzel = serve(&dir);
    let version = |text: &str, at: &str| json!({"id": "v", "text": text, "known_at": at});
    let long = "The first version is long. ".repeat(200);
    ouzel.post("/v1/documents", &version(&long, "2024-01-01T00:00:00Z"));
    ouzel.post(
        "/v1/documents",
        &version("The second is short.", "2024-01-03T00:00:00Z"),
    );
    let at = |as_of: &str| ouzel.get(&format!("/v1/documents/v?as_of={as_of}"))["text"].clone();
    assert_eq!(at("2024-01-02"), long.as_str());
    assert_eq!(at("2024-01-03"), "The second is short.");
    assert_eq!(ouzel.get("/v1/documents/v")["text"], "The second is short.");
    ouzel.refused("GET", "/v1/documents/v?as_of=2023-12-31", "", 404);
    let said = ouzel.expect("DELETE", "/v1/documents/v", "", 200);
    assert_eq!(said["deleted"], true);
    assert!(said["seq"].as_u64().is_some());
    ouzel.refused("GET", "/v1/documents/v", "", 404);
    ouzel.refused("DELETE", "/v1/documents/v", "", 404);
    assert_eq!(at("2024-01-02"), long.as_str(), "the past is not changed");
    let found = ouzel.post("/v1/search", &json!({"q": "second short"}));
    assert_eq!(found["hits"], json!([]));
}

fn stock(ouzel: &Running) {
    let at = |hour: u32| format!("2024-03-01T{hour:02}:00:00Z");
    ouzel.post(
        "/v1/documents",
        &json!([
            {"id": "cut", "text": "Acme cut its profit guidance for the year after weak orders.",
             "symbols": ["ACME"], "source": "wire", "known_at": at(10)},
            {"id": "cake", "text": "A recipe for carrot cake with walnuts.", "source": "kitchen",
             "known_at": at(11)},
            {"id": "raise", "text": "Borg lifted its earnings forecast on strong demand.",
             "symbols": ["BORG"], "source": "wire", "known_at": at(12)},
        ]),
    );
}

#[test]
fn searches_by_meaning_by_words_and_by_filters() {
    let dir = folder();
    let ouzel = serve(&dir);
    stock(&ouzel);
    let ids = |body: Value| -> Vec<String> {
        let found = ouzel.post("/v1/search", &body);
        let hits = found["hits"].as_array().expect("hits");
        hits.iter()
            .map(|hit| hit["document_id"].as_str().expect("an id").to_owned())
            .collect()
    };
    for mode in ["hybrid", "dense", "text"] {
        let best = ids(json!({"q": "profit guidance cut", "k": 1, "mode": mode}));
        assert_eq!(best, ["cut"], "{mode}");
    }
    let meant = ids(json!({"q": "dessert baking instructions", "k": 1, "mode": "dense"}));
    assert_eq!(meant, ["cake"]);
    assert!(ids(json!({"q": "dessert baking instructions", "mode": "text"})).is_empty());
    assert_eq!(ids(json!({"q": "earnings", "symbol": "borg"})), ["raise"]);
    assert_eq!(
        ids(json!({"q": "earnings profit", "symbols": ["ACME", "BORG"]})).len(),
        2
    );
    assert_eq!(ids(json!({"q": "profit", "source": "kitchen"})), ["cake"]);
    let early = ids(json!({"q": "earnings forecast", "as_of": "2024-03-01T10:30:00Z"}));
    assert_eq!(early, ["cut"], "nothing known later is found");
    let found = ouzel.post("/v1/search", &json!({"q": "profit guidance", "k": 1}));
    let hit = &found["hits"][0];
    let (start, end) = (
        hit["start"].as_u64().expect("at"),
        hit["end"].as_u64().expect("at"),
    );
    let text = ouzel.get("/v1/documents/cut")["text"]
        .as_str()
        .expect("text")
        .to_owned();
    assert_eq!(hit["text"], text[start as usize..end as usize]);
    assert_eq!(
        (&hit["ranks"]["dense"], &hit["ranks"]["text"]),
        (&1.into(), &1.into())
    );
    assert!(found["receipt"]["stages_us"]["total"].as_u64().is_some());
}

#[test]
fn questions_that_mean_the_same_share_lists_where_that_is_wanted() {
    let dir = folder();
    let ouzel = Running::start(&[
        "serve",
        "--data",
        arg(dir.path()),
        "--semantic-cache",
        "0.8",
    ]);
    stock(&ouzel);
    let asked = |q: &str| ouzel.post("/v1/search", &json!({"q": q}));
    let first = "What is known about the profit guidance of Acme?";
    assert!(asked(first)["receipt"]["cache"].is_null());
    let found = asked("What do we know about the profit guidance of Acme?");
    let cache = &found["receipt"]["cache"];
    assert_eq!(
        (&cache["kind"], &cache["question"]),
        (&json!("semantic"), &json!(first))
    );
    assert!(
        asked("What do we know about the profit guidance of Borg?")["receipt"]["cache"].is_null()
    );
    ouzel.post(
        "/v1/documents",
        &json!({"id": "new", "text": "Acme has new profit guidance."}),
    );
    let found = asked("What do we know on the profit guidance of Acme?");
    assert!(
        found["receipt"]["cache"].is_null(),
        "a write makes it untrue"
    );
    let (_, metrics) = ouzel.call("GET", "/metrics", "");
    let line = r#"ouzel_cache_lookups_total{cache="semantic",outcome="hit"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn answers_come_whole_or_streamed_and_are_the_same() {
    let dir = folder();
    let ouzel = serve(&dir);
    stock(&ouzel);
    let mut body = json!({"q": "What did Acme do to its guidance?", "k": 2});
    let whole = ouzel.post("/v1/ask", &body);
    assert_eq!(whole["abstained"], false);
    assert_eq!(whole["citations"][0]["document_id"], "cut");
    for key in [
        "as_of",
        "asked_at",
        "stream",
        "memory",
        "flags",
        "models",
        "stages_us",
        "skipped",
    ] {
        assert!(
            whole["receipt"].get(key).is_some(),
            "the receipt has no {key}"
        );
    }
    body["stream"] = true.into();
    let (status, text) = ouzel.call("POST", "/v1/ask", &body.to_string());
    assert_eq!(status, 200, "{text}");
    let events = events(&text);
    let (last, tokens) = events.split_last().expect("events");
    assert_eq!(last.0, "answer");
    assert!(
        tokens.iter().all(|(name, _)| name == "token") && !tokens.is_empty(),
        "{text}"
    );
    let told: String = tokens
        .iter()
        .filter_map(|(_, data)| data["text"].as_str())
        .collect();
    assert_eq!(told, last.1["answer"].as_str().expect("words"));
    for key in ["answer", "abstained", "citations", "facts"] {
        assert_eq!(last.1[key], whole[key], "{key}");
    }
    let nothing = ouzel.post(
        "/v1/ask",
        &json!({"q": "Who won the chess final in Reykjavik?"}),
    );
    assert_eq!(
        (&nothing["abstained"], &nothing["citations"]),
        (&true.into(), &json!([]))
    );
}

fn events(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    let event = |block: &str| {
        let data = serde_json::from_str(&field(block, "data:")).expect("JSON data");
        (field(block, "event:"), data)
    };
    blocks.map(event).collect()
}

#[test]
fn what_cannot_be_done_is_refused_in_words() {
    let dir = folder();
    let ouzel = serve(&dir);
    let refusals = [
        ("POST", "/v1/ask", "{\"q\": ", 400),
        ("POST", "/v1/ask", "{\"question\": \"why?\"}", 400),
        ("POST", "/v1/ask", "{\"q\": \"\"}", 400),
        (
            "POST",
            "/v1/ask",
            "{\"q\": \"why?\", \"as_of\": \"yesterday\"}",
            400,
        ),
        ("POST", "/v1/ask", "{\"q\": \"why?\", \"k\": -1}", 400),
        (
            "POST",
            "/v1/search",
            "{\"q\": \"a\", \"mode\": \"psychic\"}",
            400,
        ),
        ("POST", "/v1/search", "", 400),
        ("POST", "/v1/search", "[\"positional\"]", 400),
        ("POST", "/v1/documents", "hello", 400),
        ("POST", "/v1/documents", "{\"id\": \"a\"}", 400),
        ("POST", "/v1/documents", "", 400),
        ("POST", "/v1/days", "date,ticker\n", 400),
        ("GET", "/v1/documents/none", "", 404),
        ("GET", "/v1/documents/none?as_of=soon", "", 400),
        ("GET", "/v1/documents?limit=0", "", 400),
        ("GET", "/v1/documents?colour=red", "", 400),
        ("GET", "/v1/book/NONE", "", 404),
        ("GET", "/v1/bars/NONE", "", 404),
        ("GET", "/v1/vwap?symbol=NONE", "", 404),
        ("GET", "/v1/signals?symbol=NONE", "", 404),
        ("GET", "/v1/symbols?sort=luck", "", 400),
        ("GET", "/v1/symbols?limit=many", "", 400),
        ("GET", "/v1/nothing", "", 404),
        ("PUT", "/v1/documents", "{}", 405),
        ("GET", "/v1/ask", "", 405),
        ("GET", "/v1/stream", "", 400),
    ];
    for (method, path, body, status) in refusals {
        ouzel.refused(method, path, body, status);
    }
    let said = ouzel.refused(
        "POST",
        "/v1/ask",
        "{\"q\": \"why?\", \"as_of\": \"yesterday\"}",
        400,
    );
    let message = said["message"].as_str().expect("words");
    assert!(message.contains("\"yesterday\""), "{message}");
    let many = ouzel.refused(
        "POST",
        "/v1/search",
        &json!({"q": "a", "k": 1_000_000}).to_string(),
        400,
    );
    assert!(
        many["message"].as_str().is_some_and(|m| m.contains('k')),
        "{many}"
    );
    ouzel.get("/livez");
}

#[test]
fn a_body_over_the_limit_is_refused_and_the_server_lives() {
    let dir = folder();
    let ouzel = serve(&dir);
    let long = json!({"id": "long", "text": "word ".repeat(1 << 19)}).to_string();
    let said = ouzel.refused("POST", "/v1/documents", &long, 400);
    assert!(
        said["message"]
            .as_str()
            .is_some_and(|m| m.contains("bytes")),
        "{said}"
    );
    // Past what any bulk may be, in bytes and in documents.
    let huge = " ".repeat(17 << 20);
    ouzel.refused("POST", "/v1/documents", &huge, 413);
    let many = format!("[{}1]", "1,".repeat(1 << 20));
    let said = ouzel.refused("POST", "/v1/documents", &many, 413);
    assert!(
        said["message"]
            .as_str()
            .is_some_and(|m| m.contains("20000 documents")),
        "{said}"
    );
    let lines = "{\"i\":1}\n".repeat(20_000);
    let said = ouzel.expect("POST", "/v1/documents", &lines, 400);
    assert_eq!(said["rejected_count"], 20_000);
    assert_eq!(said["rejected"].as_array().map(Vec::len), Some(100));
    ouzel.get("/readyz");
}

#[test]
fn health_metrics_and_the_description_are_sound() {
    let dir = folder();
    let ouzel = serve(&dir);
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(ouzel.get(path)["status"], "ok");
    }
    ouzel.post("/v1/search", &json!({"q": "a"}));
    let (status, page) = ouzel.call("GET", "/metrics", "");
    assert_eq!(status, 200);
    check_metrics(&page);
    let described = ouzel.get("/openapi.json");
    assert!(
        described["openapi"]
            .as_str()
            .is_some_and(|v| v.starts_with("3.1"))
    );
    let paths = described["paths"].as_object().expect("paths");
    let table = include_str!("../../../docs/api.md");
    for call in [
        "symbols",
        "book",
        "bars",
        "vwap",
        "signals",
        "feed",
        "rejected",
        "documents",
        "search",
        "ask",
    ] {
        assert!(table.contains(&format!("/v1/{call}")));
        let prefix = format!("/v1/{call}");
        assert!(
            paths.keys().any(|path| path.starts_with(&prefix)),
            "{call} is not described"
        );
    }
    for (path, calls) in paths {
        for (method, call) in calls.as_object().expect("methods") {
            assert!(
                call["responses"].is_object(),
                "{method} {path} has no responses"
            );
            assert!(
                call["summary"].is_string(),
                "{method} {path} has no summary"
            );
        }
    }
    check_references(&described, &described);
    let (status, console) = ouzel.call("GET", "/", "");
    assert!(status == 200 && console.contains("<html"), "{status}");
}

/// Prometheus text: each family is announced once before its samples, and every value is a number.
fn check_metrics(page: &str) {
    let (mut announced, mut samples) = (HashSet::new(), HashSet::new());
    for line in page.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a kind");
            assert!(
                ["counter", "gauge", "histogram", "summary"].contains(&kind),
                "{line}"
            );
            assert!(announced.insert(name.to_owned()), "announced twice: {line}");
        } else if !line.starts_with('#') {
            let (key, value) = line.rsplit_once(' ').expect("a key and a value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(samples.insert(key.to_owned()), "said twice: {line}");
            let name = key.split('{').next().unwrap_or_default();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|s| name.strip_suffix(s));
            let known = announced.contains(name) || family.is_some_and(|f| announced.contains(f));
            assert!(known, "not announced: {line}");
        }
    }
    assert!(announced.iter().all(|name| name.starts_with("ouzel_")) && announced.len() > 5);
    assert!(page.ends_with('\n'));
}

/// Every `$ref` leads somewhere.
fn check_references(node: &Value, root: &Value) {
    match node {
        Value::Object(map) => {
            if let Some(target) = map.get("$ref").and_then(Value::as_str) {
                let pointer = target.strip_prefix('#').expect("a place in this document");
                assert!(root.pointer(pointer).is_some(), "{target} leads nowhere");
            }
            map.values().for_each(|value| check_references(value, root));
        }
        Value::Array(items) => items.iter().for_each(|value| check_references(value, root)),
        _ => {}
    }
}

fn stream(ouzel: &Running) -> WebSocket<TcpStream> {
    let address = ouzel.url.strip_prefix("http://").expect("plain HTTP");
    let line = TcpStream::connect(address).expect("it listens");
    line.set_read_timeout(Some(common::PATIENCE))
        .expect("a time-out");
    client(format!("ws://{address}/v1/stream"), line)
        .expect("a WebSocket")
        .0
}

fn read(socket: &mut WebSocket<TcpStream>) -> Value {
    loop {
        match socket.read().expect("a frame") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn read_type(socket: &mut WebSocket<TcpStream>, kind: &str) -> Value {
    loop {
        let frame = read(socket);
        if frame["type"] == kind {
            return frame;
        }
    }
}

#[test]
fn the_stream_says_what_is_followed_and_what_cannot_be() {
    let ouzel = Running::start(&["demo", "--symbols", "8", "--rate", "2000", "--for", "60"]);
    let symbols = ouzel.until("/v1/symbols", |said| {
        let rows = said["symbols"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        rows.len() == 8 && rows.iter().all(|row| !row["last"].is_null())
    });
    let symbol = symbols["symbols"][0]["symbol"]
        .as_str()
        .expect("a name")
        .to_owned();
    let mut socket = stream(&ouzel);
    let hello = read(&mut socket);
    assert_eq!(hello["type"], "hello");
    assert!(hello["version"].is_string());
    let say = |socket: &mut WebSocket<TcpStream>, wish: Value| {
        socket.send(Message::text(wish.to_string())).expect("sent");
    };
    let book = format!("book:{symbol}");
    say(
        &mut socket,
        json!({"subscribe": ["movers", "feed", book], "interval_ms": 50}),
    );
    let movers = read_type(&mut socket, "movers");
    assert_eq!(movers["symbols"].as_array().map(Vec::len), Some(8));
    assert_eq!(read_type(&mut socket, "feed")["venue"]["simulated"], true);
    let shown = read_type(&mut socket, "book");
    assert_eq!(shown["symbol"], symbol.as_str());
    assert!(shown["bids"][0]["price_e9"].is_i64());
    say(
        &mut socket,
        json!({"subscribe": [format!("bars:{symbol}"), format!("vwap:{}", symbol.to_lowercase())]}),
    );
    assert_eq!(read_type(&mut socket, "bar")["symbol"], symbol.as_str());
    let first = read_type(&mut socket, "vwap");
    assert_eq!(first["symbol"], symbol.as_str());
    let second = read_type(&mut socket, "vwap");
    assert!(
        second["end"].as_str() > first["end"].as_str(),
        "sent twice: {second}"
    );
    for wrong in [
        json!({"subscribe": ["weather"]}),
        json!({"subscribe": ["book:NONE"]}),
        json!({"subscribed": []}),
    ] {
        say(&mut socket, wrong.clone());
        let error = read_type(&mut socket, "error");
        let is_helpful = ["message", "hint"].iter().all(|key| error[key].is_string());
        assert!(is_helpful, "{wrong}: {error}");
    }
    let all = json!([
        "movers",
        "feed",
        format!("bars:{symbol}"),
        format!("vwap:{}", symbol.to_lowercase()),
        book
    ]);
    say(
        &mut socket,
        json!({"unsubscribe": all, "subscribe": ["weather"]}),
    );
    read_type(&mut socket, "error");
    let silence = Some(std::time::Duration::from_millis(500));
    socket
        .get_ref()
        .set_read_timeout(silence)
        .expect("a time-out");
    assert!(socket.read().is_err(), "nothing is followed any more");
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let dir = folder();
    let ouzel = serve(&dir);
    stock(&ouzel);
    ouzel.post("/v1/documents", &json!({"id": "late", "text": BREAD}));
    ouzel.expect("DELETE", "/v1/documents/cake", "", 200);
    let before = ouzel.get("/v1/documents");
    ouzel.kill();
    let ouzel = serve(&dir);
    assert_eq!(ouzel.greeting["chunks"], 3);
    assert_eq!(ouzel.get("/v1/documents"), before);
    assert_eq!(ouzel.get("/v1/documents/late")["text"], BREAD);
    ouzel.refused("GET", "/v1/documents/cake", "", 404);
    let found = ouzel.post("/v1/search", &json!({"q": "profit guidance cut", "k": 1}));
    assert_eq!(found["hits"][0]["document_id"], "cut");
}

#[test]
fn one_folder_has_one_server_and_one_port_has_one_listener() {
    let dir = folder();
    let ouzel = serve(&dir);
    let said = ouzel_fails(&[
        "serve",
        "--data",
        arg(dir.path()),
        "--listen",
        "127.0.0.1:0",
        "--json",
    ]);
    let error: Value = serde_json::from_str(said.trim()).expect("one JSON object");
    let message = error["error"]["message"].as_str().expect("words");
    assert!(
        message.contains("in use by another ouzel process"),
        "{message}"
    );
    assert!(
        message.contains("--data") && message.contains("--url"),
        "{message}"
    );
    let other = folder();
    let address = ouzel.url.strip_prefix("http://").expect("plain HTTP");
    let said = ouzel_fails(&["serve", "--data", arg(other.path()), "--listen", address]);
    assert!(
        said.starts_with("ouzel: cannot listen on") && said.contains("--listen"),
        "{said}"
    );
    let nobody = ouzel_fails(&["ask", "why?", "--url", "http://127.0.0.1:9", "--json"]);
    assert!(
        nobody.contains("no server answers") && nobody.contains("ouzel serve"),
        "{nobody}"
    );
    let empty = ouzel_fails(&[
        "search",
        "a",
        "--data",
        arg(other.path().join("no").as_path()),
    ]);
    assert!(
        empty.contains("is not a data folder") && empty.contains("ouzel ingest"),
        "{empty}"
    );
}
