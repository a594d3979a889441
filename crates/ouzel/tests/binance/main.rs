//! Real Binance captures through a WebSocket server into `ouzel serve`: books, bars and VWAPs over
//! HTTP equal a naive recomputation, however late the snapshot comes and when the line breaks.

#![allow(
    clippy::disallowed_methods,
    reason = "real processes are awaited in real time"
)]

#[path = "../common/mod.rs"]
mod common;
mod tape;
mod venue;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Running, arg, e9, nanos, ouzel_json, shared};
use serde_json::Value;
use tape::{NaiveBar, Tape, Trade};
use venue::{Program, Rest, Venue};

const SECOND: u64 = 1_000_000_000;
const SPOT: [(&str, &str); 2] = [
    ("spot_btcusdt_20240808", "BTCUSDT"),
    ("spot_btcusdt_20240809", "BTCUSDT"),
];
const BTC: (&str, &str) = ("usdm_btcusdt_20240808", "BTCUSDT");
const ETH: (&str, &str) = ("usdm_ethusdt_20240808", "ETHUSDT");

fn serve(venue: &Venue, dir: &tempfile::TempDir, with_rest: bool) -> Running {
    let mut args = vec![
        "serve",
        "--data",
        arg(dir.path()),
        "--binance",
        &venue.stream,
    ];
    if with_rest {
        args.extend(["--binance-rest", &venue.rest]);
    }
    Running::start(&args)
}

#[allow(
    clippy::single_range_in_vec_init,
    reason = "one part, which is a range"
)]
fn all(count: usize) -> Program {
    Program {
        parts: vec![0..count],
        hold_at: None,
    }
}

/// Waits until `count` messages were read and every book is in step.
fn until_read(ouzel: &Running, count: usize) {
    ouzel.until("/v1/feed", |feed| {
        feed["lines"][0]["packets"] == count && feed["state"] == "live"
    });
}

fn assert_book(ouzel: &Running, symbol: &str, naive: &tape::Sides) {
    let book = ouzel.get(&format!("/v1/book/{symbol}?depth=10"));
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
    assert_eq!(
        (&book["integrity"], &book["crossed"]),
        (&"ok".into(), &false.into()),
        "{symbol}"
    );
}

fn assert_bars(ouzel: &Running, symbol: &str, trades: &[Trade]) {
    // The last bar of a second closes when the venue has been quiet for a while.
    let naive = tape::bars(trades, SECOND);
    let path = |span: &str| format!("/v1/bars/{symbol}?span={span}&limit=10000");
    ouzel.until(&path("1s"), |said| {
        said["bars"]
            .as_array()
            .is_some_and(|bars| bars.len() >= naive.len())
    });
    for (span, span_ns) in [("1s", SECOND), ("60s", 60 * SECOND)] {
        let mut naive = tape::bars(trades, span_ns);
        let said = ouzel.get(&path(span));
        let rows = said["bars"].as_array().expect("bars");
        let volume = |row: &Value| (row["volume"].as_f64().expect("a number") * 1e8).round() as u64;
        for row in rows {
            let start_ns = nanos(&row["start"]);
            let bar = naive
                .remove(&start_ns)
                .unwrap_or_else(|| panic!("no trades in {row}"));
            let got = NaiveBar {
                open: e9(&row["open"]),
                high: e9(&row["high"]),
                low: e9(&row["low"]),
                close: e9(&row["close"]),
                volume: volume(row),
                trades: row["trades"].as_u64().expect("a count"),
                ..bar
            };
            assert_eq!(got, bar, "{symbol} {row}");
            assert_eq!(
                i128::from(e9(&row["vwap"])),
                bar.notional / i128::from(bar.volume)
            );
        }
        // What is missing had not ended: the newest minute.
        let allowed = usize::from(span_ns > SECOND);
        assert!(
            naive.len() <= allowed,
            "{symbol} {span}: {} bars are missing",
            naive.len()
        );
    }
}

/// Every value is exact, flagged or not, also where the stream was held up while its snapshot was
/// awaited: event time stands still then.
fn assert_vwaps(ouzel: &Running, symbol: &str, trades: &[Trade]) {
    let mut trades = trades.to_vec();
    trades.sort_by_key(|trade| trade.at_ns);
    let said = ouzel.get(&format!("/v1/vwap?symbol={symbol}&limit=10000"));
    assert_eq!(
        (&said["window"], &said["step"]),
        (&"1m".into(), &"100ms".into())
    );
    let rows = said["values"].as_array().expect("values");
    assert!(rows.len() > 1_500, "{symbol}: {} values", rows.len());
    let mut before = None;
    for row in rows {
        let end_ns = nanos(&row["end"]);
        let (notional, volume, count) = tape::window(&trades, end_ns, 60 * SECOND);
        assert_eq!(row["notional_e9"], notional.to_string(), "{symbol} {row}");
        assert_eq!(
            (row["volume"].as_f64().expect("a number") * 1e8).round() as u64,
            volume
        );
        assert_eq!(row["trades"], count, "{symbol} {row}");
        assert_eq!(
            row["vwap_e9"].as_i64().map(i128::from),
            Some(notional / i128::from(volume))
        );
        // A reader gets the newest at each publish: steps may be passed over, never repeated.
        let step = before.replace(end_ns).map(|before| end_ns - before);
        let whole = step.is_none_or(|step| step > 0 && step % (SECOND / 10) == 0);
        assert!(whole, "{symbol}: a step of {step:?}");
    }
}

/// The recorded snapshot answers the first request; a later one gets the book as it is then.
fn recorded_then_computed(tape: &Arc<Tape>, first: &str) -> Rest {
    let (tape, first) = (Arc::clone(tape), first.to_owned());
    Box::new(move |symbol, sent, nth| match nth {
        0 => first.clone(),
        _ => tape.rest(&first, symbol, sent),
    })
}

/// Everything of one symbol, with its snapshot from REST.
fn check_rest(
    files: &[(&str, &str)],
    hold_at: Option<usize>,
    rest: impl Fn(&Arc<Tape>, &str) -> Rest,
) {
    let Some(mut tape) = Tape::read(files) else {
        return;
    };
    let first = tape.take_snapshot();
    let tape = Arc::new(tape);
    let count = tape.lines.len();
    let program = Program {
        hold_at,
        ..all(count)
    };
    let venue = Venue::open(Arc::clone(&tape), program, rest(&tape, &first));
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = serve(&venue, &dir, true);
    until_read(&ouzel, count);
    let symbols = ouzel.get("/v1/symbols");
    let rows = symbols["symbols"].as_array().expect("symbols");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["symbol"], "BTCUSDT");
    assert!(
        venue.asked()[0].ends_with("/depth?symbol=BTCUSDT&limit=1000"),
        "{:?}",
        venue.asked()
    );
    assert_book(&ouzel, "BTCUSDT", &tape.book(&first, "BTCUSDT", count).1);
    let trades = tape.trades("BTCUSDT", 0..count);
    assert_bars(&ouzel, "BTCUSDT", &trades);
    assert_vwaps(&ouzel, "BTCUSDT", &trades);
    let feed = ouzel.get("/v1/feed");
    // Where the stream waits for its snapshot, none is refused; where it does not, the first is.
    let (asked, is_held) = (venue.asked().len(), hold_at.is_some());
    assert_eq!(feed["rejected"] == 0, is_held, "{feed}");
    assert_eq!(asked == 1, is_held, "asked {asked} times");
    assert!(feed["gaps"] == 0 || !is_held, "{feed}");
    ouzel.get("/readyz");
}

#[test]
fn spot_through_midnight_with_a_snapshot_from_rest() {
    check_rest(&SPOT, Some(2_000), recorded_then_computed);
}

#[test]
fn futures_with_a_snapshot_from_rest() {
    check_rest(&[BTC], Some(2_000), recorded_then_computed);
}

/// The stream runs ahead of the answer: differences wait and are stitched to it when it comes.
#[test]
fn a_late_snapshot_is_stitched_to_the_differences_kept() {
    check_rest(&SPOT[..1], Some(15_000), |tape, first| {
        let (tape, first) = (Arc::clone(tape), first.to_owned());
        Box::new(move |symbol, _, _| {
            std::thread::sleep(Duration::from_millis(500));
            tape.rest(&first, symbol, 3_000)
        })
    });
}

/// The stream was too long for what is kept meanwhile: the answer fits nothing, a newer one does.
#[test]
fn a_snapshot_too_late_to_fit_is_asked_for_again() {
    check_rest(&SPOT[..1], None, |tape, first| {
        let (tape, first) = (Arc::clone(tape), first.to_owned());
        Box::new(move |symbol, sent, nth| {
            if nth > 0 {
                return tape.rest(&first, symbol, sent);
            }
            std::thread::sleep(Duration::from_millis(1_500));
            first.clone()
        })
    });
}

#[test]
fn a_snapshot_within_the_stream_needs_no_rest() {
    let Some(tape) = Tape::read(&SPOT[..1]) else {
        return;
    };
    let tape = Arc::new(tape);
    let count = tape.lines.len();
    let venue = Venue::open(
        Arc::clone(&tape),
        all(count),
        Box::new(|_, _, _| String::new()),
    );
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = serve(&venue, &dir, false);
    until_read(&ouzel, count);
    let snapshot = tape
        .lines
        .iter()
        .find(|line| line.is_snapshot())
        .expect("one");
    assert_book(
        &ouzel,
        "BTCUSDT",
        &tape.book(&snapshot.json, "BTCUSDT", count).1,
    );
    let trades = tape.trades("BTCUSDT", 0..count);
    assert_bars(&ouzel, "BTCUSDT", &trades);
    assert_vwaps(&ouzel, "BTCUSDT", &trades);
}

#[test]
fn two_symbols_of_one_connection_are_kept_apart() {
    let (Some(mut btc), Some(mut eth)) = (Tape::read(&[BTC]), Tape::read(&[ETH])) else {
        return;
    };
    let firsts = [btc.take_snapshot(), eth.take_snapshot()];
    let tape = Arc::new(
        Tape::read(&[BTC, ETH])
            .expect("both exist")
            .without_snapshots(),
    );
    let count = tape.lines.len();
    let (told, of) = (Arc::clone(&tape), firsts.clone());
    let rest: Rest = Box::new(move |symbol, sent, _| {
        told.rest(&of[usize::from(symbol == "ETHUSDT")], symbol, sent)
    });
    let venue = Venue::open(
        Arc::clone(&tape),
        Program {
            hold_at: Some(2_000),
            ..all(count)
        },
        rest,
    );
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = serve(&venue, &dir, true);
    until_read(&ouzel, count);
    for (symbol, first) in ["BTCUSDT", "ETHUSDT"].into_iter().zip(&firsts) {
        assert_book(&ouzel, symbol, &tape.book(first, symbol, count).1);
        let trades = tape.trades(symbol, 0..count);
        assert_bars(&ouzel, symbol, &trades);
        assert_vwaps(&ouzel, symbol, &trades);
    }
}

/// While the line is down nothing claims to be in order; afterwards a new snapshot mends the book.
#[test]
fn a_broken_line_is_flagged_and_mended() {
    let Some(mut tape) = Tape::read(&SPOT[..1]) else {
        return;
    };
    let first = tape.take_snapshot();
    let tape = Arc::new(tape);
    let count = tape.lines.len();
    // What was said while nobody listened: about a minute.
    let (before, after) = (count / 2, count / 2 + 8_000);
    let program = Program {
        parts: vec![0..before, after..count],
        hold_at: Some(2_000),
    };
    let venue = Venue::open(
        Arc::clone(&tape),
        program,
        recorded_then_computed(&tape, &first),
    );
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = serve(&venue, &dir, true);
    until_read(&ouzel, before);
    assert_book(&ouzel, "BTCUSDT", &tape.book(&first, "BTCUSDT", before).1);
    venue.go_on();
    ouzel.until("/v1/feed", |feed| feed["state"] == "recovering");
    let book = ouzel.until("/v1/book/BTCUSDT", |book| book["integrity"] != "ok");
    assert_eq!(book["integrity"], "recovering");
    let health = ouzel.expect("GET", "/readyz", "", 503);
    let check = health["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .find(|c| c["name"] == "binance");
    let detail = check.expect("a check of the feed")["detail"]
        .as_str()
        .expect("words");
    assert!(detail.starts_with("0 of 1 connections"), "{detail}");
    venue.go_on();
    until_read(&ouzel, count - (after - before));
    assert_eq!(venue.sent.load(Ordering::Acquire), count);
    assert_book(&ouzel, "BTCUSDT", &tape.book(&first, "BTCUSDT", count).1);
    let feed = ouzel.get("/v1/feed");
    assert_eq!(feed["gaps"], 1, "{feed}");
    assert!(venue.asked().len() >= 2);
    ouzel.get("/readyz");
}

/// The golden facts of the captures' manifest, through the command.
#[test]
fn replays_agree_with_the_venues_own_best_prices() {
    let folder = "market/crypto/binance";
    let Some(usdm) = shared(&format!("{folder}/usdm_btcusdt_20240808.gz")) else {
        return;
    };
    let dir = tempfile::tempdir().expect("a folder");
    let spot = dir.path().join("spot.gz");
    let mut joined = std::fs::File::create(&spot).expect("a file");
    for (name, _) in SPOT {
        let part = shared(&format!("{folder}/{name}.gz")).expect("beside the other");
        // Two gzip members are one gzip file.
        joined
            .write_all(&std::fs::read(part).expect("readable"))
            .expect("written");
    }
    for (file, checked, equal) in [(&spot, 5_736, 5_734), (&usdm, 5_695, 5_667)] {
        let once = ouzel_json(&["replay", arg(file), "--json"]);
        let check = &once["ticker_check"];
        assert_eq!(
            (&check["checked"], &check["equal"]),
            (&checked.into(), &equal.into())
        );
        assert_eq!((&once["rejected"], &once["gaps"]), (&0.into(), &0.into()));
        let again = ouzel_json(&["replay", arg(file), "--json"]);
        for key in [
            "digest",
            "books_digest",
            "frames_digest",
            "messages",
            "bars",
            "vwaps",
        ] {
            assert_eq!(once[key], again[key], "{key}");
        }
    }
}
