//! Binance messages as they came: every line is a message, and depth updates chain without a hole.

use wire::binance::{self, Depth, Message};

use crate::{Counts, recording, recording_unpacked};

/// Counts the messages of a recording of one instrument and checks its chain of depth updates.
fn check(name: &str, symbol: &str, want: &str) {
    let Some(file) = recording_unpacked(&format!("crypto/binance/{name}.gz")) else {
        return;
    };
    let mut counts = Counts::default();
    let mut before: Option<Depth<'_>> = None;
    for line in file
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let space = line
            .iter()
            .position(|byte| *byte == b' ')
            .expect("a receive time goes first");
        let message = binance::parse(&line[space + 1..])
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)));
        let (kind, of) = match message {
            Message::Depth(depth) => {
                if let Some(before) = before {
                    match depth.previous_final_update_id {
                        Some(previous) => assert_eq!(previous, before.final_update_id),
                        None => assert_eq!(depth.first_update_id, before.final_update_id + 1),
                    }
                }
                before = Some(depth);
                ("depthUpdate", depth.symbol)
            }
            Message::BookTicker(ticker) => {
                assert!(ticker.bid.price_e9 < ticker.ask.price_e9);
                ("bookTicker", ticker.symbol)
            }
            Message::Trade(trade) => ("trade", trade.symbol),
            Message::AggTrade(trade) => ("aggTrade", trade.symbol),
            Message::Snapshot(snapshot) => {
                assert_eq!((snapshot.bids.len(), snapshot.asks.len()), (1_000, 1_000));
                ("snapshot", symbol)
            }
            Message::Other(_) => ("other", symbol),
        };
        assert_eq!(of, symbol);
        counts.add(kind);
    }
    assert_eq!(counts.text(), want, "{name}");
}

#[test]
fn spot() {
    check(
        "spot_btcusdt_20240808",
        "BTCUSDT",
        "bookTicker 28040, depthUpdate 3451, snapshot 1, trade 9757",
    );
    check(
        "spot_btcusdt_20240809",
        "BTCUSDT",
        "bookTicker 45134, depthUpdate 3044, trade 10147",
    );
}

#[test]
fn usd_m_futures() {
    check(
        "usdm_btcusdt_20240808",
        "BTCUSDT",
        "bookTicker 66089, depthUpdate 6551, snapshot 1, trade 21313",
    );
    check(
        "usdm_ethusdt_20240808",
        "ETHUSDT",
        "bookTicker 53992, depthUpdate 6586, snapshot 1, trade 14076",
    );
}

/// Older recordings of many instruments, with aggregate trades and candles among them.
#[test]
fn other_recordings() {
    let files = [
        (
            "BINANCE.ws.1.0",
            "aggTrade 2, bookTicker 84, depthUpdate 177, other 2",
        ),
        (
            "BINANCE_FUTURES.ws.1.0",
            "aggTrade 91, bookTicker 613, depthUpdate 764, other 67",
        ),
    ];
    for (name, want) in files {
        let Some(file) = recording(&format!("crypto/cryptofeed/{name}")) else {
            return;
        };
        let text = String::from_utf8(file).expect("text");
        let mut counts = Counts::default();
        for line in text.lines() {
            let Some((_, json)) = line
                .split_once(": ")
                .filter(|(_, json)| json.starts_with('{'))
            else {
                continue;
            };
            counts.add(match binance::parse(json.as_bytes()).expect(json) {
                Message::Depth(_) => "depthUpdate",
                Message::BookTicker(_) => "bookTicker",
                Message::Trade(_) => "trade",
                Message::AggTrade(_) => "aggTrade",
                Message::Snapshot(_) => "snapshot",
                Message::Other(_) => "other",
            });
        }
        assert_eq!(counts.text(), want, "{name}");
    }
}
