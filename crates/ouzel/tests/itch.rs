//! Real NASDAQ bytes through the commands: frames from the wire, and the start of a day.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{Running, arg, nanos, ouzel, ouzel_json, shared};
use serde_json::Value;
use wire::itch50::{self, Message};

const LIVE: &str = "market/itch/omi_nasdaq_live_20230822";
const PCAP_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

fn live(name: &str) -> Option<PathBuf> {
    shared(&format!("{LIVE}/{name}.pcap"))
}

fn replay(path: &Path) -> Value {
    ouzel_json(&["replay", arg(path), "--json"])
}

#[test]
fn every_captured_frame_is_replayed_as_what_it_says() {
    // Name, instruments, rejected: an order that nobody added contradicts the book, and no more.
    let expected = [
        ("AddOrderNoMpidAttributionMessage", 1, 0),
        ("MarketParticipantPositionMessage", 0, 0),
        ("NetOrderImbalanceIndicatorMessage", 1, 0),
        ("OrderDeleteMessage", 1, 1),
        ("OrderExecutedMessage", 1, 1),
        ("OrderReplaceMessage", 1, 1),
        ("StockTradingActionMessage", 1, 0),
    ];
    for (name, instruments, rejected) in expected {
        let Some(path) = live(name) else { return };
        let said = replay(&path);
        assert_eq!(said["kind"], "pcap");
        assert_eq!(said["instruments"], instruments, "{name}: {said}");
        assert_eq!(said["rejected"], rejected, "{name}: {said}");
        assert_eq!(said["lost"], 0, "{name}: {said}");
        assert!(
            said["messages"].as_u64() > Some(14_000_000),
            "{name}: {said}"
        );
        assert_eq!(said["digest"], replay(&path)["digest"], "{name}");
        for row in said["symbols"].as_array().expect("symbols") {
            // Joined in mid-session: no symbol may claim that its book is whole.
            assert_eq!(row["integrity"], "stale", "{name}");
            let at = &row["ts_event"];
            assert!(
                at.is_null() || at.as_str() > Some("2023-08-22T13:29"),
                "{name}: {at}"
            );
        }
    }
    let row = |name: &str| replay(&live(name).expect("there"))["symbols"][0].clone();
    let ivoo = row("AddOrderNoMpidAttributionMessage");
    assert_eq!(
        (&ivoo["symbol"], &ivoo["bid"]),
        (&"IVOO".into(), &87.39.into())
    );
    let amc = row("StockTradingActionMessage");
    assert_eq!(
        (&amc["symbol"], &amc["state"]),
        (&"AMC".into(), &"trading".into())
    );
}

/// Two frames with four million messages between them: what lies between is counted as lost, and
/// what comes after is in the book.
#[test]
fn a_jump_in_numbers_is_a_counted_loss() {
    let Some(path) = live("Multiple.Packets") else {
        return;
    };
    let said = replay(&path);
    assert_eq!(said["gaps"], 1);
    assert!(
        said["lost"].as_u64().is_some_and(|lost| lost > 4_000_000),
        "{said}"
    );
    let meta = &said["symbols"].as_array().expect("rows")[..];
    let meta = meta
        .iter()
        .find(|row| row["symbol"] == "META")
        .expect("META");
    assert_eq!(meta["integrity"], "stale");
    assert!(meta["bid"].is_number() && meta["ask"].is_number(), "{meta}");
}

/// Frames that somebody wrapped anew, without numbers: nothing is made up from them.
#[test]
fn frames_without_numbers_are_passed_over_and_it_is_said() {
    let folder = "market/itch/omi_nasdaq_rewrapped_20230822";
    let Some(path) = shared(&format!("{folder}/AddOrderNoMPID.pcap")) else {
        return;
    };
    let said = replay(&path);
    assert_eq!(
        (&said["messages"], &said["instruments"]),
        (&0.into(), &0.into())
    );
    let note = said["notes"][0].as_str().expect("a note");
    assert!(
        note.starts_with("5 packets were read and none brought a message"),
        "{note}"
    );
}

#[test]
fn the_start_of_a_day_names_98_instruments_and_the_cut() {
    let Some(path) = shared("market/itch/nasdaq_20190130_sod_101msg.itch") else {
        return;
    };
    let said = replay(&path);
    assert_eq!(said["kind"], "itch");
    assert_eq!(
        (&said["messages"], &said["instruments"]),
        (&101.into(), &98.into())
    );
    assert_eq!((&said["rejected"], &said["gaps"]), (&0.into(), &0.into()));
    let note = said["notes"][0].as_str().expect("a note");
    assert!(note.contains("cut") && note.contains("byte 4081"), "{note}");
    let shown = ouzel(&["replay", arg(&path)]);
    let text = String::from_utf8(shown.stdout).expect("UTF-8");
    assert!(
        text.contains("98 instruments") && text.contains("note: the file was cut"),
        "{text}"
    );
    let digest = ouzel(&["replay", arg(&path), "--digest"]);
    let digest = String::from_utf8(digest.stdout).expect("UTF-8");
    assert_eq!(digest.trim(), said["digest"].as_str().expect("a digest"));
}

/// The frame with the burst alone, as a capture of its own.
fn burst(path: &Path, folder: &Path) -> PathBuf {
    let bytes = std::fs::read(path).expect("readable");
    let mut at = PCAP_HEADER;
    let mut longest = &bytes[..0];
    while at < bytes.len() {
        let size = bytes[at + 8..at + 12].try_into().expect("four bytes");
        let end = at + RECORD_HEADER + u32::from_le_bytes(size) as usize;
        if end - at > longest.len() {
            longest = &bytes[at..end];
        }
        at = end;
    }
    let target = folder.join("burst.pcap");
    let capture = [&bytes[..PCAP_HEADER], longest].concat();
    std::fs::write(&target, capture).expect("written");
    target
}

/// Price in billionths: shares and orders.
type Levels = BTreeMap<i64, (u64, u32)>;

/// META's orders in a capture, added up.
fn naive_levels(path: &Path) -> [Levels; 2] {
    let bytes = std::fs::read(path).expect("readable");
    let mut sides = <[Levels; 2]>::default();
    for record in wire::pcap::Reader::new(&bytes).expect("a capture") {
        let record = record.expect("whole");
        let udp = wire::pcap::udp(&record).expect("UDP");
        let packet = wire::moldudp64::Packet::parse(udp.payload).expect("MoldUDP64");
        for message in packet.messages() {
            let (side, price, shares) = match itch50::decode(message.expect("whole")) {
                Ok(Message::AddOrder(m)) => (m.side(), m.price(), m.shares()),
                Ok(Message::AddOrderMpid(m)) => (m.side(), m.price(), m.shares()),
                other => panic!("not an order: {other:?}"),
            };
            let side = &mut sides[usize::from(side == Some(itch50::Side::Sell))];
            let level = side.entry(i64::from(price) * 100_000).or_default();
            level.0 += u64::from(shares);
            level.1 += 1;
        }
    }
    sides
}

#[test]
fn a_served_capture_shows_its_book() {
    let Some(path) = live("Multiple.Packets") else {
        return;
    };
    let dir = tempfile::tempdir().expect("a folder");
    let capture = burst(&path, dir.path());
    let data = dir.path().join("data");
    let ouzel = Running::start(&[
        "serve",
        "--data",
        arg(&data),
        "--capture",
        arg(&capture),
        "--speed",
        "0",
    ]);
    let rows = |book: &Value, side: &str| -> Vec<(i64, u64, u32)> {
        let levels = book[side].as_array().expect("levels");
        let row = |level: &Value| {
            let orders = level["orders"].as_u64().expect("a count");
            let shares = level["qty"].as_f64().expect("a number") as u64;
            (
                level["price_e9"].as_i64().expect("exact"),
                shares,
                orders as u32,
            )
        };
        levels.iter().map(row).collect()
    };
    let naive = naive_levels(&capture);
    let level = |(price, (shares, orders)): (&i64, &(u64, u32))| (*price, *shares, *orders);
    let bids: Vec<_> = naive[0].iter().rev().take(10).map(level).collect();
    let asks: Vec<_> = naive[1].iter().take(10).map(level).collect();
    assert!(bids.len() + asks.len() > 5, "{bids:?} {asks:?}");
    let whole = bids.len() + asks.len();
    let book = ouzel.until("/v1/book/META", |book| {
        let shown = |side: &str| book[side].as_array().map_or(0, Vec::len);
        shown("bids") + shown("asks") == whole
    });
    assert_eq!((rows(&book, "bids"), rows(&book, "asks")), (bids, asks));
    assert_eq!(
        (&book["symbol"], &book["integrity"]),
        (&"META".into(), &"stale".into())
    );
    let delay_ns = nanos(&book["ts_recv"]).abs_diff(nanos(&book["ts_event"]));
    assert!(
        delay_ns < 1_000_000_000,
        "the session's midnight is New York's: {delay_ns} ns"
    );
    assert_eq!(
        ouzel.get("/v1/book/meta")["symbol"],
        "META",
        "people write lower case"
    );
    let feed = ouzel.get("/v1/feed");
    assert_eq!(
        (&feed["next_seq"], &feed["rejected"]),
        (&19_009_155.into(), &0.into()),
        "{feed}"
    );
}
