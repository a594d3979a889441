//! IEX, MDP 3.0 and DBN through the running server: what comes over sockets, pipes and from files is
//! served as it is replayed, and the feeds' own directories are reference data.

#![allow(
    clippy::disallowed_methods,
    reason = "real processes are awaited in real time"
)]

mod common;
#[path = "../../engine/tests/common/mdp3.rs"]
mod mdp3;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::{Running, arg, ouzel_json, shared};
use serde_json::{Value, json};

const ESH4: &str = "market/dbn/nautilus/esh4-glbx-mdp3-20231225.mbo.dbn.zst";

/// Addresses that are free now.
fn lines<const N: usize>() -> [String; N] {
    let sockets = [(); N].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
    sockets.map(|socket| socket.local_addr().expect("bound").to_string())
}

/// The book of ES as all records leave it.
fn assert_esh4(ouzel: &Running) {
    let feed = ouzel.until("/v1/feed", |feed| feed["next_seq"] == 68_793);
    assert_eq!((&feed["rejected"], &feed["lost"]), (&0.into(), &0.into()));
    let book = ouzel.get("/v1/book/ESH4?depth=1");
    let best = (&book["bids"][0]["price"], &book["asks"][0]["price"]);
    assert_eq!(best, (&json!(4_810.0), &json!(4_810.25)), "{book}");
    assert_eq!(book["integrity"], "ok", "{book}");
}

/// The rows of `/v1/symbols` by their symbols.
fn rows(ouzel: &Running) -> BTreeMap<String, Value> {
    let said = ouzel.get("/v1/symbols?limit=1000");
    let rows = said["symbols"].as_array().expect("rows").iter();
    let named = rows.map(|row| {
        (
            row["symbol"].as_str().expect("a name").to_owned(),
            row.clone(),
        )
    });
    named.collect()
}

fn assert_same(served: &Value, replayed: &Value) {
    for field in ["symbol", "bid", "ask", "last", "open", "volume"] {
        assert_eq!(
            served[field], replayed[field],
            "{field}: {served} {replayed}"
        );
    }
}

#[test]
fn dbn_is_served_from_a_file_a_pipe_and_a_server() {
    let Some(path) = shared(ESH4) else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let data = |name: &str| dir.path().join(name);
    let file = data("file");
    let from_file = Running::start(&["serve", "--data", arg(&file), "--dbn", arg(&path)]);
    assert_esh4(&from_file);
    let replayed = ouzel_json(&["replay", arg(&path), "--json"]);
    assert_same(&rows(&from_file)["ESH4"], &replayed["symbols"][0]);
    drop(from_file);

    let piped = std::fs::File::open(&path).expect("readable");
    let pipe = data("pipe");
    let args = ["serve", "--data", arg(&pipe), "--dbn", "-"];
    let from_pipe = Running::start_fed(&args, Stdio::from(piped));
    assert_esh4(&from_pipe);
    let ready = from_pipe.get("/readyz");
    assert!(ready.to_string().contains("stream 1 has ended"), "{ready}");
    drop(from_pipe);

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let server = data("server");
    let from_server = Running::start(&["serve", "--data", arg(&server), "--dbn", &address]);
    let (mut wire, _) = listener.accept().expect("it connects");
    let packed = std::fs::read(&path).expect("readable");
    wire.write_all(&packed).expect("it reads");
    assert_esh4(&from_server);
    // The connection is still open, and says so.
    let ready = from_server.get("/readyz");
    assert!(
        ready.to_string().contains("stream 1 is being read"),
        "{ready}"
    );

    // The same file as a capture, as fast as it goes.
    let capture = data("capture");
    let args = [
        "serve",
        "--data",
        arg(&capture),
        "--capture",
        arg(&path),
        "--speed",
        "0",
    ];
    assert_esh4(&Running::start(&args));
}

#[test]
fn what_definitions_say_is_reference_data_and_orders_are_held_to_it() {
    let Some(path) = shared("market/dbn/databento_dbn/test_data.definition.v3.dbn.zst") else {
        return;
    };
    let dir = tempfile::tempdir().expect("a folder");
    let loaded = dir.path().join("listings.csv");
    let text = "symbol,name,tick_size\nMSFT,Microsoft,0.05\n";
    std::fs::write(&loaded, text).expect("written");
    let (bare, named) = (dir.path().join("a"), dir.path().join("b"));
    let ouzel = Running::start(&["serve", "--data", arg(&bare), "--dbn", arg(&path)]);
    let row = ouzel.until("/v1/reference/MSFT", |row| row["symbol"] == "MSFT");
    // This definition has a round lot, and neither a tick nor a currency.
    let said = (&row["revision"], &row["round_lot"], &row["tick_size"]);
    assert_eq!(said, (&0.into(), &100.into(), &Value::Null), "{row}");
    assert_eq!(risk_reason(&ouzel, "MSFT", 300.01), "no_reference");

    // A file's word goes before the feed's, and the feed's stands where the file is silent.
    let args = ["serve", "--data", arg(&named), "--dbn", arg(&path)];
    let ouzel = Running::start(&[&args[..], &["--reference", arg(&loaded)]].concat());
    let row = ouzel.until("/v1/reference/MSFT", |row| row["round_lot"].is_number());
    let both = (&row["name"], &row["tick_size"], &row["round_lot"]);
    assert_eq!(both, (&json!("Microsoft"), &json!(0.05), &json!(100)));
    assert_eq!(row["revision"], 1, "{row}");
    assert_eq!(risk_reason(&ouzel, "MSFT", 300.01), "tick");
    // On a tick, and no market to compare with.
    assert_eq!(risk_reason(&ouzel, "MSFT", 300.05), "no_reference");
}

/// Why an order of a hundred would be refused.
fn risk_reason(ouzel: &Running, symbol: &str, price: f64) -> Value {
    let order =
        json!({"account": "desk", "symbol": symbol, "side": "buy", "price": price, "qty": 100});
    ouzel.post("/v1/risk/check", &order)["reason"].clone()
}

/// The UDP payloads of a packed capture.
fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let packed = std::fs::read(path).expect("readable");
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(&packed[..])
        .read_to_end(&mut bytes)
        .expect("whole gzip");
    let records = wire::pcap::Reader::new(&bytes).expect("a capture");
    let records = records.map_while(Result::ok);
    let udp = |record| wire::pcap::udp(&record).expect("UDP only").payload.to_vec();
    records.map(udp).collect()
}

#[test]
fn tops_over_two_lines_is_served_as_it_is_replayed() {
    let Some(path) = shared("market/iex/TOPS16.pcapng.gz") else {
        return;
    };
    let replayed = ouzel_json(&["replay", arg(&path), "--json", "--top", "1000"]);
    let [a, b] = lines();
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = Running::start(&[
        "serve",
        "--data",
        arg(dir.path()),
        "--iex-a",
        &a,
        "--iex-b",
        &b,
    ]);
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a port");
    for (idx, packet) in payloads(&path).iter().enumerate() {
        // Each line loses what the other brings.
        for (line, address) in [&a, &b].into_iter().enumerate() {
            if idx == 0 || idx % 5 != line {
                sender.send_to(packet, address).expect("sent");
            }
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    let feed = ouzel.until("/v1/feed", |feed| feed["next_seq"] == 57_675);
    let losses = (&feed["lost"], &feed["gaps"], &feed["rejected"]);
    assert_eq!(losses, (&0.into(), &0.into(), &0.into()), "{feed}");
    let all = replayed["symbols"].as_array().expect("symbols");
    let served = rows(&ouzel);
    assert_eq!((served.len(), all.len()), (1_000, 1_000));
    for row in all {
        assert_same(&served[row["symbol"].as_str().expect("a name")], row);
    }
    // The directory told the round lots of ten securities.
    let asked = |symbol: &&String| ouzel.call("GET", &format!("/v1/reference/{symbol}"), "").0;
    let quoted = served.iter().filter(|(_, row)| !row["last"].is_null());
    let known: Vec<&String> = quoted
        .map(|(symbol, _)| symbol)
        .filter(|s| asked(s) == 200)
        .collect();
    assert!((1..=10).contains(&known.len()), "{known:?}");
    let row = ouzel.get(&format!("/v1/reference/{}", known[0]));
    assert!(
        row["round_lot"].as_u64() > Some(0) && row["lot_size"].is_null(),
        "{row}"
    );

    let capture = dir.path().join("capture");
    let args = [
        "serve",
        "--data",
        arg(&capture),
        "--capture",
        arg(&path),
        "--speed",
        "0",
    ];
    let played = Running::start(&args);
    played.until("/v1/feed", |feed| feed["next_seq"] == 57_675);
}

#[test]
fn an_mdp3_channel_is_served_from_its_lines_and_loops() {
    let [a, b, snapshots, definitions] = lines();
    let dir = tempfile::tempdir().expect("a folder");
    let schema = mdp3::schema_path();
    let ouzel = Running::start(&[
        "serve",
        "--data",
        arg(dir.path()),
        "--mdp3-a",
        &a,
        "--mdp3-b",
        &b,
        "--mdp3-snapshots",
        &snapshots,
        "--mdp3-definitions",
        &definitions,
        "--mdp3-schema",
        arg(&schema),
    ]);
    let mut channel = mdp3::Channel::new(9, 3, 1_795_392_000_000_000_000);
    let names = ["ESU6", "NQU6", "RTYU6"];
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let send = |bytes: &[u8], address: &str| {
        sender.send_to(bytes, address).expect("sent");
    };
    for step in 0..1_000 {
        // Whoever was heard of before its definition is called by its number until then.
        if let Some(at) = [0, 300, 600].iter().position(|at| *at == step) {
            send(&channel.definition(at, names[at]), &definitions);
        }
        let packet = channel.increment();
        for (line, address) in [&a, &b].into_iter().enumerate() {
            if step % 6 != line {
                send(&packet, address);
            }
        }
        if step % 10 == 9 {
            send(&channel.snapshot(step / 10 % 3), &snapshots);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    for at in 0..3 {
        send(&channel.snapshot(at), &snapshots);
    }
    let feed = ouzel.until("/v1/feed", |feed| feed["next_seq"] == channel.seq() + 1);
    assert_eq!(
        (&feed["lost"], &feed["rejected"]),
        (&0.into(), &0.into()),
        "{feed}"
    );
    for (at, name) in names.iter().enumerate() {
        let book = ouzel.until(&format!("/v1/book/{name}?depth=10"), |book| {
            book["integrity"] == "ok"
        });
        for (side, levels) in ["bids", "asks"].iter().zip(&channel.books[at]) {
            let served = book[side].as_array().expect("levels").iter();
            let served = served.map(|level| (level["price_e9"].as_i64(), level["qty"].as_f64()));
            let sent = levels.iter();
            let sent = sent.map(|(price, qty)| (Some(*price), Some(*qty as f64)));
            assert!(served.eq(sent), "{name} {side}: {book}");
        }
        let row = ouzel.get(&format!("/v1/reference/{name}"));
        assert_eq!(
            (&row["tick_size"], &row["currency"]),
            (&json!(0.25), &json!("USD")),
            "{row}"
        );
        assert_eq!(risk_reason(&ouzel, name, 4_800.1), "tick");
    }
    let refused = common::ouzel_fails(&["serve", "--mdp3-a", &a]);
    assert!(refused.contains("--mdp3-schema"), "{refused}");
}

/// A real session with one print more, ten seconds behind the last: `/metrics` counts it.
#[test]
fn late_prints_of_a_websocket_venue_are_counted() {
    let Some(path) = shared("market/crypto/binance/spot_btcusdt_20240808.gz") else {
        return;
    };
    let packed = std::fs::read(path).expect("readable");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&packed[..])
        .read_to_string(&mut text)
        .expect("text");
    let lines: Vec<&str> = text.lines().take(20_000).collect();
    let is_trade = |line: &&&str| line.contains("\"e\":\"trade\"");
    let last = lines.iter().rfind(is_trade).expect("it traded");
    let place = last.find("\"T\":").expect("a time") + 4;
    let (before, rest) = last.split_at(place);
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .expect("more follows");
    let at_ms: u64 = rest[..digits].parse().expect("digits");
    let late = format!("{before}{}{}", at_ms - 10_000, &rest[digits..]);
    let ts_recv: u64 = lines[lines.len() - 1]
        .split(' ')
        .next()
        .expect("a time")
        .parse()
        .expect("digits");
    let (_, json) = late.split_once(' ').expect("time and text");
    let dir = tempfile::tempdir().expect("a folder");
    let counts = |name: &str, text: &str| {
        let (file, data) = (
            dir.path().join(name),
            dir.path().join(format!("{name}-data")),
        );
        std::fs::write(&file, text).expect("written");
        let args = [
            "serve",
            "--data",
            arg(&data),
            "--capture",
            arg(&file),
            "--speed",
            "0",
        ];
        let ouzel = Running::start(&[&args[..], &["--measures", "2s/100ms"]].concat());
        ouzel.until("/readyz", |said| {
            said.to_string().contains("has ended after")
        });
        let (_, page) = ouzel.call("GET", "/metrics", "");
        ["bars", "vwap", "measures"].map(|window| {
            let name = "ouzel_late_events_total";
            let of = |outcome: &str| {
                let start = format!("{name}{{window=\"{window}\",outcome=\"{outcome}\"}} ");
                let line = page.lines().find_map(|line| line.strip_prefix(&start));
                line.expect("told").parse::<u64>().expect("a number")
            };
            // Quotes may be late for measures: only prints are dropped there.
            of("dropped")
                + if window == "measures" {
                    0
                } else {
                    of("applied")
                }
        })
    };
    let whole = lines.join("\n");
    assert_eq!(counts("whole", &whole), [0, 0, 0]);
    let more = format!("{whole}\n{} {json}\n", ts_recv + 1);
    // Two lengths of bars, each of which counts it.
    assert_eq!(counts("late", &more), [2, 1, 1]);
}
