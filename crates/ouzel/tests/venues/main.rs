//! Recorded Kraken, Coinbase and OKX sessions through WebSocket servers into one `ouzel serve`:
//! books over HTTP equal a naive recomputation, and wrong checksums, garbage, cuts, silence, slow
//! lines and endless messages are seen, counted and survived.

#![allow(
    clippy::disallowed_methods,
    reason = "real processes are awaited in real time"
)]

#[path = "../common/mod.rs"]
mod common;
mod session;
mod venue;

use common::{Running, arg, ouzel_json, shared};
use serde_json::Value;
use session::{Books, Sides, apply, received};
use venue::{Step, Venue};

const KRAKEN: &str = "KRAKEN.ws.50.0";
const COINBASE: &str = "COINBASE.ws.28.0";
const OKX: &str = "OKX.ws.1.0";

fn books_of(texts: &[String]) -> Books {
    let mut books = Books::new();
    for text in texts {
        apply(&mut books, text);
    }
    books
}

fn serve(dir: &tempfile::TempDir, more: &[&str]) -> Running {
    Running::start(&[&["serve", "--data", arg(dir.path())], more].concat())
}

fn link(feed: &Value, name: &str) -> Value {
    let links = feed["links"].as_array().expect("links");
    let found = links.iter().find(|link| link["name"] == name);
    found.cloned().unwrap_or(Value::Null)
}

fn assert_book(ouzel: &Running, symbol: &str, naive: &Sides) {
    let path = format!("/v1/book/{}?depth=10", symbol.replace('/', "%2F"));
    let book = ouzel.get(&path);
    let shown = |side: &str| -> Vec<(i64, i64)> {
        let levels = book[side].as_array().expect("levels");
        let qty = |level: &Value| (level["qty"].as_f64().expect("a number") * 1e8).round() as i64;
        levels
            .iter()
            .map(|l| (l["price_e9"].as_i64().expect("exact"), qty(l)))
            .collect()
    };
    let level = |(price, qty): (&i64, &i64)| (*price, *qty);
    let bids: Vec<_> = naive[0].iter().rev().take(10).map(level).collect();
    let asks: Vec<_> = naive[1].iter().take(10).map(level).collect();
    assert_eq!(shown("bids"), bids, "{symbol} bids");
    assert_eq!(shown("asks"), asks, "{symbol} asks");
    assert_eq!(book["integrity"], "ok", "{symbol}");
}

/// The value of one metric of a connector.
fn metric(ouzel: &Running, name: &str, connector: &str) -> f64 {
    let (_, page) = ouzel.call("GET", "/metrics", "");
    let start = format!("{name}{{connector=\"{connector}\"}} ");
    let mut lines = page.lines();
    let value = lines.find_map(|line| line.strip_prefix(&start));
    value
        .and_then(|v| v.parse().ok())
        .unwrap_or_else(|| panic!("no {start}: {page}"))
}

#[test]
fn three_venues_at_once_give_the_recorded_books() {
    let (Some(kraken), Some(coinbase), Some(okx)) =
        (received(KRAKEN), received(COINBASE), received(OKX))
    else {
        return;
    };
    let dir = tempfile::tempdir().expect("a folder");
    let mut args = Vec::new();
    let mut venues = Vec::new();
    let all = [("kraken", kraken), ("coinbase", coinbase), ("okx", okx)];
    for (name, texts) in &all {
        let script = vec![
            Step::Asked("subscribe"),
            Step::Say(texts.clone()),
            Step::Hold,
        ];
        let venue = Venue::open(vec![script]);
        args.extend([format!("--{name}-url"), venue.url.clone()]);
        for symbol in books_of(texts).keys() {
            args.extend([format!("--{name}"), symbol.clone()]);
        }
        venues.push(venue);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ouzel = serve(&dir, &args);
    for (name, texts) in &all {
        ouzel.until("/v1/feed", |feed| {
            let link = link(feed, name);
            link["messages"].as_u64() >= Some(texts.len() as u64) && link["state"] == "live"
        });
        for (symbol, sides) in &books_of(texts) {
            assert_book(&ouzel, symbol, sides);
        }
        assert_eq!(metric(&ouzel, "ouzel_connector_up", name), 1.0);
        assert_eq!(metric(&ouzel, "ouzel_connector_failures_total", name), 0.0);
        assert!(metric(&ouzel, "ouzel_connector_age_seconds", name) < 60.0);
    }
    let checksums = "ouzel_connector_checksums_total";
    assert_eq!(metric(&ouzel, checksums, "kraken"), 4_269.0);
    assert_eq!(metric(&ouzel, checksums, "okx"), 290.0);
    assert_eq!(
        metric(&ouzel, "ouzel_connector_checksum_failures_total", "kraken"),
        0.0
    );
    for (venue, (name, texts)) in venues.iter().zip(&all) {
        let asked = venue.asked().join(" ");
        for symbol in books_of(texts).keys() {
            assert!(asked.contains(symbol.as_str()), "{name}: {asked}");
        }
    }
    let venue = &ouzel.get("/v1/feed")["venue"];
    assert_eq!(venue["label"], "Kraken, Coinbase, OKX");
    ouzel.get("/readyz");
    // A name with its venue means the same.
    let plain = ouzel.get("/v1/book/BTC-USDT");
    assert_eq!(ouzel.get("/v1/book/okx:BTC-USDT")["bids"], plain["bids"]);
}

/// A checksum that differs: the symbol recovers, the others do not, and it is subscribed again.
#[test]
fn a_wrong_checksum_is_seen_and_mended_by_subscribing_again() {
    let Some(texts) = received(KRAKEN) else {
        return;
    };
    let pair = "XMR/USD";
    let half = texts.len() / 2;
    let is_change = |text: &String| text.contains(pair) && text.contains("\"c\":\"");
    let at = half + texts[half..].iter().position(is_change).expect("many");
    let (head, sum) = texts[at].split_once("\"c\":\"").expect("a checksum");
    let digit = if sum.starts_with('1') { '2' } else { '1' };
    let wrong = format!("{head}\"c\":\"{digit}{}", &sum[1..]);
    // Decimals of the pair's prices, as the venue writes them.
    let digits = head.split("[[\"").nth(1).expect("a level");
    let digits = digits.split('"').next().expect("a price");
    let digits = digits.len() - digits.find('.').expect("a point") - 1;
    let before = books_of(&texts[..=at]);
    let mut first = texts[..at].to_vec();
    first.push(wrong);
    let venue = Venue::open(vec![vec![
        Step::Asked("\"trade\""),
        Step::Say(first),
        Step::Hold,
        Step::Asked("\"subscribe\""),
        Step::Say(vec![session::kraken_snapshot(&before[pair], pair, digits)]),
        Step::Say(texts[at + 1..].to_vec()),
        Step::Hold,
    ]]);
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = serve(&dir, &["--kraken", pair, "--kraken-url", &venue.url]);
    let shown = |symbol: &str| format!("/v1/book/{}", symbol.replace('/', "%2F"));
    ouzel.until(&shown(pair), |book| {
        book["integrity"] == "recovering" && book["bids"][0].is_null()
    });
    let other = ouzel.get(&shown("ADA/XBT"));
    assert_eq!(other["integrity"], "ok");
    ouzel.until("/v1/feed", |feed| feed["state"] == "recovering");
    venue.go_on();
    ouzel.until("/v1/feed", |feed| {
        link(feed, "kraken")["messages"].as_u64() > Some(texts.len() as u64)
            && feed["state"] == "live"
    });
    for (symbol, sides) in &books_of(&texts) {
        assert_book(&ouzel, symbol, sides);
    }
    assert_eq!(
        metric(&ouzel, "ouzel_connector_checksum_failures_total", "kraken"),
        1.0
    );
    assert!(metric(&ouzel, "ouzel_connector_resubscribes_total", "kraken") >= 1.0);
    let asked = venue.asked();
    let again: Vec<&String> = asked
        .iter()
        .filter(|text| text.contains("unsubscribe"))
        .collect();
    assert!(
        !again.is_empty() && again.iter().all(|text| text.contains(pair)),
        "{asked:?}"
    );
}

/// Garbage costs itself, an endless message and a silent server the connection, a slow line
/// nothing; what was shown is flagged until a connection brings the books again.
#[test]
fn garbage_cuts_silence_slow_lines_and_endless_messages_are_survived() {
    let Some(texts) = received(OKX) else { return };
    let half = texts.len() / 2;
    let mut first = texts[..half].to_vec();
    first.extend([
        "{nonsense".to_owned(),
        "[1,".to_owned(),
        "\u{7f}".repeat(5_000),
    ]);
    let endless = "x".repeat(17 << 20);
    let (slow, rest) = texts.split_at(40);
    let mut scripts = vec![
        vec![Step::Asked("subscribe"), Step::Say(first), Step::Hold],
        vec![
            Step::Asked("subscribe"),
            Step::Say(vec![endless]),
            Step::Silence,
        ],
        vec![Step::Silence],
    ];
    let mut last = vec![Step::Asked("subscribe")];
    last.extend(slow.iter().map(|text| match text.len() {
        0..300 => Step::Dribble(text.clone()),
        _ => Step::Say(vec![text.clone()]),
    }));
    last.extend([Step::Say(rest.to_vec()), Step::Hold]);
    scripts.push(last);
    let venue = Venue::open(scripts);
    let dir = tempfile::tempdir().expect("a folder");
    let symbols = [
        "--okx",
        "BTC-USDT",
        "--okx",
        "UNI-USD-SWAP",
        "--okx",
        "BTC-USD-220527",
    ];
    let ouzel = serve(
        &dir,
        &[&symbols[..], &["--okx-url", &venue.url, "--silence", "2"]].concat(),
    );
    ouzel.until("/v1/feed", |feed| {
        feed["rejected"] == 3 && link(feed, "okx")["is_up"] == true
    });
    for (symbol, sides) in &books_of(&texts[..half]) {
        assert_book(&ouzel, symbol, sides);
    }
    // Nothing was said for longer than the silence allowed, but pings were answered.
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(metric(&ouzel, "ouzel_connector_failures_total", "okx"), 0.0);
    venue.go_on();
    ouzel.until("/v1/book/BTC-USDT", |book| {
        book["integrity"] == "recovering"
    });
    ouzel.until("/v1/feed", |feed| {
        link(feed, "okx")["failures"].as_u64() >= Some(3) && feed["state"] == "live"
    });
    ouzel.until("/v1/feed", |feed| {
        link(feed, "okx")["messages"].as_u64() >= Some((half + 3 + texts.len()) as u64)
    });
    for (symbol, sides) in &books_of(&texts) {
        assert_book(&ouzel, symbol, sides);
    }
    ouzel.get("/readyz");
    let trouble = link(&ouzel.get("/v1/feed"), "okx")["trouble"].clone();
    assert!(
        trouble.as_str().is_some_and(|why| why.contains("silent")),
        "{trouble}"
    );
}

/// The same recordings through `ouzel replay`: the golden facts of the manifest, and one digest.
#[test]
fn recordings_are_replayed() {
    let folder = "market/crypto/cryptofeed";
    let dir = tempfile::tempdir().expect("a folder");
    for (name, kind, messages, instruments, checksums) in [
        (KRAKEN, "kraken", 4_321, 10, 4_269),
        (COINBASE, "coinbase", 9_946, 10, 0),
        (OKX, "okx", 410, 3, 290),
    ] {
        let Some(file) = shared(&format!("{folder}/{name}")) else {
            return;
        };
        let once = ouzel_json(&["replay", arg(&file), "--json"]);
        assert_eq!(
            (&once["kind"], &once["messages"]),
            (&kind.into(), &messages.into())
        );
        assert_eq!(
            (&once["rejected"], &once["gaps"]),
            (&0.into(), &0.into()),
            "{name}"
        );
        assert_eq!(once["instruments"], instruments, "{name}");
        let check = &once["depth_check"];
        assert_eq!(
            (&check["checksums"], &check["checksums_unequal"]),
            (&checksums.into(), &0.into())
        );
        assert_eq!(
            ouzel_json(&["replay", arg(&file), "--json"])["digest"],
            once["digest"],
            "{name}"
        );
    }
    // Answers over HTTP are in a log of their own; joined, they are stitched by their times.
    for (name, instruments) in [("BINANCE", 4), ("BINANCE_FUTURES", 4)] {
        let parts = ["http.0.0", "ws.1.0"].map(|part| shared(&format!("{folder}/{name}.{part}")));
        let [Some(http), Some(ws)] = parts else {
            return;
        };
        let joined = dir.path().join(name);
        let read = |path| std::fs::read(path).expect("readable");
        std::fs::write(&joined, [read(http), read(ws)].concat()).expect("written");
        let once = ouzel_json(&["replay", arg(&joined), "--json"]);
        assert_eq!(once["instruments"], instruments, "{name}");
        assert_eq!(
            (&once["kind"], &once["gaps"]),
            (&"binance".into(), &0.into()),
            "{name}: {once}"
        );
    }
}
