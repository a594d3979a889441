//! What a desk does with a running server: asks before it sends an order, stops everything, and puts
//! other reference data in force.

#![allow(
    clippy::disallowed_methods,
    reason = "real processes are awaited in real time"
)]

mod common;

use common::{Running, arg};
use serde_json::{Value, json};

/// A symbol of the demo and its last price.
fn priced(ouzel: &Running) -> (String, f64) {
    let rows = ouzel.until("/v1/symbols", |said| {
        let rows = said["symbols"].as_array().map(Vec::as_slice);
        let is_priced = |row: &Value| !row["last"].is_null() && row["integrity"] == "ok";
        rows.is_some_and(|rows| rows.iter().any(is_priced))
    });
    let rows = rows["symbols"].as_array().expect("rows");
    let row = rows
        .iter()
        .find(|row| !row["last"].is_null() && row["integrity"] == "ok")
        .expect("one has a price");
    let symbol = row["symbol"].as_str().expect("a name").to_owned();
    let price = row["last"]
        .as_f64()
        .or(row["last"]["price"].as_f64())
        .expect("a price");
    (symbol, price)
}

fn metric(ouzel: &Running, line: &str) -> Option<u64> {
    let (_, page) = ouzel.call("GET", "/metrics", "");
    let found = page.lines().find(|said| said.starts_with(line))?;
    found.rsplit(' ').next()?.parse().ok()
}

#[test]
fn orders_are_checked_against_the_market_the_limits_and_the_switch() {
    let ouzel = Running::start(&[
        "demo",
        "--symbols",
        "4",
        "--rate",
        "2000",
        "--loss",
        "0",
        "--for",
        "120",
    ]);
    let (symbol, price) = priced(&ouzel);
    let ask = |price: f64, qty: u32| {
        let order =
            json!({"account": "desk", "symbol": symbol, "side": "buy", "price": price, "qty": qty});
        ouzel.post("/v1/risk/check", &order)
    };
    let good = ask(price, 100);
    assert_eq!(
        (&good["accepted"], &good["reason"]),
        (&true.into(), &Value::Null),
        "{good}"
    );
    // Five percent is the collar until another is set.
    let far = ask((price * 1.5 * 100.0).round() / 100.0, 100);
    assert_eq!(
        (&far["accepted"], &far["reason"]),
        (&false.into(), &"collar".into()),
        "{far}"
    );
    let large = ask(price, 1_000_000);
    assert_eq!(large["reason"], "size", "{large}");
    let filled = ouzel.post(
        "/v1/risk/fill",
        &json!({"account": "desk", "symbol": symbol, "side": "buy", "qty": 60}),
    );
    assert_eq!(
        (&filled["position"], &filled["open_buy"]),
        (&60.0.into(), &40.0.into())
    );

    let mut limits = ouzel.get("/v1/risk")["limits"].clone();
    assert_eq!(limits["notional_max"], 1_000_000.0, "{limits}");
    limits["position_max"] = 150.into();
    ouzel.post("/v1/risk/limits", &limits);
    let much = ask(price, 100);
    assert_eq!(much["reason"], "position", "{much}");
    ouzel.post("/v1/risk/kill", &json!({"on": true}));
    assert_eq!(ask(price, 1)["reason"], "killed");
    assert_eq!(ouzel.get("/v1/risk")["killed"], true);
    assert_eq!(metric(&ouzel, "ouzel_risk_killed"), Some(1));
    ouzel.post("/v1/risk/kill", &json!({"on": false}));
    let again = ask(price, 1);
    assert_eq!(again["accepted"], true, "{again}");

    for (verdict, count) in [
        ("allowed", 2),
        ("collar", 1),
        ("size", 1),
        ("position", 1),
        ("killed", 1),
    ] {
        let line = format!("ouzel_risk_verdicts_total{{verdict=\"{verdict}\"}}");
        assert_eq!(metric(&ouzel, &line), Some(count), "{line}");
    }
    let said = ouzel.get("/v1/risk/verdicts");
    let rows = said["verdicts"].as_array().expect("rows");
    let seqs: Vec<u64> = rows.iter().filter_map(|row| row["seq"].as_u64()).collect();
    assert_eq!(
        seqs,
        (1..=9).collect::<Vec<_>>(),
        "each decision has its record: {said}"
    );
    assert_eq!(
        rows.last().map(|row| &row["digest"]),
        Some(&again["digest"])
    );
    ouzel.refused("POST", "/v1/risk/check", r#"{"account": "desk"}"#, 400);
    let dropped = metric(
        &ouzel,
        "ouzel_late_events_total{window=\"bars\",outcome=\"dropped\"}",
    );
    assert_eq!(dropped, Some(0));
}

#[test]
fn a_hang_up_puts_the_file_as_it_is_now_in_force() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, file) = (dir.path().join("data"), dir.path().join("listings.csv"));
    let record = dir.path().join("verdicts.jsonl");
    std::fs::write(&file, "symbol,name,tick_size\nACME,Acme Anvils,0.01\n").expect("written");
    let args = ["serve", "--data", arg(&data), "--reference", arg(&file)];
    let ouzel = Running::start(&[&args[..], &["--risk-record", arg(&record)]].concat());
    assert_eq!(ouzel.get("/v1/reference/ACME")["name"], "Acme Anvils");
    ouzel.refused("GET", "/v1/reference/NEWCO", "", 404);

    std::fs::write(
        &file,
        "symbol,name,tick_size\nACME,Acme,0.05\nNEWCO,New,1\n",
    )
    .expect("written");
    ouzel.signal("HUP");
    let row = ouzel.until("/v1/reference/ACME", |row| row["name"] == "Acme");
    assert_eq!(row["tick_size"], 0.05);
    assert_eq!(ouzel.get("/v1/reference/NEWCO")["name"], "New");

    // A file that cannot be read is told and changes nothing.
    std::fs::write(&file, "symbol,name,tick_size\nACME,Acme,free\n").expect("written");
    ouzel.signal("HUP");
    let began = std::time::Instant::now();
    while !ouzel.said().contains("reference data unchanged") {
        assert!(began.elapsed() < common::PATIENCE, "{}", ouzel.said());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(ouzel.said().contains("line 2"), "{}", ouzel.said());
    assert_eq!(ouzel.get("/v1/reference/ACME"), row);

    // No market, no reference price: the verdict says so, and is in the file before it is answered.
    let order = json!({"account": "desk", "symbol": "ACME", "side": "sell", "price": 10, "qty": 1});
    let verdict = ouzel.post("/v1/risk/check", &order);
    assert_eq!(verdict["reason"], "no_reference", "{verdict}");
    let kept = std::fs::read_to_string(&record).expect("it exists");
    let kept: Value = serde_json::from_str(kept.trim()).expect("one JSON object");
    assert_eq!(kept, verdict);
}
