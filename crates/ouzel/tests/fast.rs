//! FORTS FAST captures through `ouzel replay`: three lines, one market.

#![allow(
    clippy::disallowed_methods,
    reason = "real processes are awaited in real time"
)]

mod common;

use std::path::PathBuf;

use common::{arg, ouzel_fails, ouzel_json, shared};
use serde_json::Value;

fn forts(name: &str) -> Option<PathBuf> {
    shared(&format!("market/fast/forts_20130801/{name}"))
}

#[test]
fn three_lines_are_replayed_as_one_market() {
    let files = [
        "increment_a.dat",
        "increment_b.dat",
        "snapshot.dat",
        "templates.xml",
    ];
    let [Some(a), Some(b), Some(snapshots), Some(templates)] = files.map(forts) else {
        return;
    };
    let names = std::env::temp_dir().join(format!("ouzel-forts-names-{}", std::process::id()));
    std::fs::write(&names, "49634118 RIU3\n49630790\tLKU3\n").expect("a temporary file");
    let replay = |line_a: &PathBuf, line_b: &PathBuf| -> Value {
        ouzel_json(&[
            "replay",
            arg(line_a),
            "--line-b",
            arg(line_b),
            "--snapshots",
            arg(&snapshots),
            "--templates",
            arg(&templates),
            "--utc-offset",
            "14400",
            "--names",
            arg(&names),
            "--json",
            "--top",
            "20",
        ])
    };
    let said = replay(&a, &b);
    assert_eq!(said["kind"], "fast", "{said}");
    assert_eq!(
        (&said["instruments"], &said["rejected"], &said["lost"]),
        (&11.into(), &0.into(), &0.into()),
        "{said}"
    );
    let rows = said["symbols"].as_array().expect("symbols");
    assert!(rows.iter().all(|row| row["integrity"] == "ok"), "{said}");
    let row = rows
        .iter()
        .find(|row| row["symbol"] == "RIU3")
        .expect("named");
    assert!(
        row["ts_event"].as_str() > Some("2013-08-01T10:30"),
        "UTC, not Moscow: {row}"
    );
    assert!(
        row["bid"].as_f64() > Some(130_000.0) && row["bid"].as_f64() < row["ask"].as_f64(),
        "{row}"
    );
    let note = |said: &Value| {
        said["notes"].as_array().expect("notes").iter().any(|note| {
            note.as_str()
                .is_some_and(|note| note.contains("snapshots equal the book rebuilt"))
        })
    };
    assert!(note(&said), "{said}");
    // The same bytes, the same result; and either line may be the first.
    assert_eq!(said["digest"], replay(&a, &b)["digest"]);
    assert_eq!(said["books"], replay(&b, &a)["books"]);
    // Without snapshots nothing is called good.
    let alone = ouzel_json(&["replay", arg(&a), "--templates", arg(&templates), "--json"]);
    let rows = alone["symbols"].as_array().expect("symbols");
    assert!(
        !rows.is_empty() && rows.iter().all(|row| row["integrity"] == "stale"),
        "{alone}"
    );
    // Another feed's bytes are refused in plain words.
    let refused = ouzel_fails(&["replay", arg(&templates), "--templates", arg(&templates)]);
    assert!(refused.contains("no message of"), "{refused}");
    std::fs::remove_file(&names).expect("it was there");
}

/// A line's datagrams, each behind the time that it says it was sent at.
fn datagrams(
    plan: &std::sync::Arc<wire::fast11::Plan>,
    line: usize,
    bytes: &[u8],
) -> Vec<(u64, usize, Vec<u8>)> {
    let limits = wire::fast11::Limits::default();
    let mut decoder = wire::fast11::Decoder::new(std::sync::Arc::clone(plan), limits);
    let (mut start, mut at, mut sent, mut all) = (0, 0, 0, Vec::new());
    while let Ok((record, used)) = decoder.decode(&bytes[at..]) {
        if at > start && plan.is_reset(record.template_id()) {
            all.push((sent, line, bytes[start..at].to_vec()));
            start = at;
        }
        let slot = record.shape().slot_of_id(52);
        sent = slot.and_then(|slot| record.u64(slot)).unwrap_or(sent);
        at += used;
    }
    all.push((sent, line, bytes[start..at].to_vec()));
    all
}

/// The recorded datagrams over sockets into `ouzel serve`: the books of a replay.
#[test]
fn three_lines_from_sockets_are_served_as_they_are_replayed() {
    let files = ["increment_a.dat", "increment_b.dat", "snapshot.dat"];
    let [Some(a), Some(b), Some(snapshots)] = files.map(forts) else {
        return;
    };
    let templates = forts("templates.xml").expect("beside the others");
    let replayed = ouzel_json(&[
        "replay",
        arg(&a),
        "--line-b",
        arg(&b),
        "--snapshots",
        arg(&snapshots),
        "--templates",
        arg(&templates),
        "--utc-offset",
        "14400",
        "--json",
        "--top",
        "20",
    ]);
    let xml = std::fs::read_to_string(&templates).expect("text");
    let plan = std::sync::Arc::new(wire::fast11::Plan::from_xml(&xml).expect("templates"));
    let mut all = Vec::new();
    for (line, path) in [&a, &b, &snapshots].into_iter().enumerate() {
        all.extend(datagrams(
            &plan,
            line,
            &std::fs::read(path).expect("readable"),
        ));
    }
    all.sort_by_key(|(sent, line, _)| (*sent, *line));
    let lines = [(); 3].map(|()| {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.local_addr().expect("bound").to_string()
    });
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = common::Running::start(&[
        "serve",
        "--data",
        arg(dir.path()),
        "--fast-a",
        &lines[0],
        "--fast-b",
        &lines[1],
        "--fast-snapshots",
        &lines[2],
        "--fast-templates",
        arg(&templates),
        "--fast-utc-offset",
        "14400",
    ]);
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    for (_, line, bytes) in &all {
        sender.send_to(bytes, &lines[*line]).expect("sent");
        std::thread::sleep(std::time::Duration::from_micros(100));
    }
    let rows = replayed["symbols"].as_array().expect("symbols");
    assert_eq!(rows.len(), 11);
    for row in rows {
        let symbol = row["symbol"].as_str().expect("a name");
        let book = ouzel.until(&format!("/v1/book/{symbol}?depth=1"), |book| {
            book["integrity"] == "ok" && book["bids"][0]["price"] == row["bid"]
        });
        assert_eq!(book["asks"][0]["price"], row["ask"], "{book} {row}");
    }
    let feed = ouzel.get("/v1/feed");
    assert_eq!(
        (&feed["lost"], &feed["rejected"]),
        (&0.into(), &0.into()),
        "{feed}"
    );
}
