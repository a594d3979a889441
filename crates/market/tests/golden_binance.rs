//! Real Binance captures: the book agrees with the venue's own best prices wherever it can, and
//! bars and VWAP equal a recomputation from the trades.

mod common;

use std::collections::BTreeMap;
use std::io::Read;

use market::event::{InstrumentId, Price, Side};
use market::feed::binance::SyncState;
use market::pipeline::{DepthPipeline, DepthVenue, PipelineConfig};
use market::publish::{Bar, Frame, Integrity, Vwap};

const STEP_NS: u64 = 100_000_000;
const LENGTH_NS: u64 = 10_000_000_000;

/// Lines of a capture: receive time and text.
fn lines(name: &str) -> Option<Vec<(u64, Vec<u8>)>> {
    let file = common::shared(&format!("crypto/binance/{name}.gz"))?;
    let bytes = std::fs::read(file).expect("it exists");
    let mut text = Vec::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
    decoder.read_to_end(&mut text).expect("a whole gzip file");
    let lines = text
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty());
    let parsed = lines.map(|line| {
        let space = line
            .iter()
            .position(|&byte| byte == b' ')
            .expect("time, space, text");
        let time = std::str::from_utf8(&line[..space]).expect("digits");
        (time.parse().expect("digits"), line[space + 1..].to_vec())
    });
    Some(parsed.collect())
}

fn config() -> PipelineConfig {
    PipelineConfig {
        instruments_limit: 4,
        levels_reserve: 16_384,
        vwap_length_ns: LENGTH_NS,
        vwap_step_ns: STEP_NS,
        ..PipelineConfig::default()
    }
}

struct Replay {
    pipeline: DepthPipeline,
    bars: Vec<Bar>,
    vwaps: Vec<Vwap>,
    /// Time, price, quantity of every market trade, in feed order.
    trades: Vec<(u64, i64, u64)>,
}

fn replay(names: &[&str]) -> Option<Replay> {
    let mut replay = Replay {
        pipeline: DepthPipeline::new(DepthVenue::Binance, &config()),
        bars: Vec::new(),
        vwaps: Vec::new(),
        trades: Vec::new(),
    };
    let mut last = 0;
    for name in names {
        for (ts_recv, text) in lines(name)? {
            replay.line(ts_recv, &text);
            last = ts_recv;
        }
    }
    replay.pipeline.tick(last + 120_000_000_000);
    replay.drain();
    Some(replay)
}

impl Replay {
    fn line(&mut self, ts_recv: u64, text: &[u8]) {
        self.pipeline
            .message(ts_recv, text)
            .expect("every line is good");
        if let Ok(wire::binance::Message::Trade(trade)) = wire::binance::parse(text)
            && trade.cause.is_none_or(|cause| cause == "MARKET")
        {
            let qty = u64::try_from(trade.qty_e8).expect("not negative");
            self.trades.push((trade.trade_ns, trade.price_e9, qty));
        }
        self.drain();
    }

    fn drain(&mut self) {
        let mut frames = Vec::new();
        self.pipeline.publish(&mut frames);
        for frame in frames {
            match frame {
                Frame::Bar(bar) => self.bars.push(bar),
                Frame::Vwap(vwap) => self.vwaps.push(vwap),
                Frame::Dropped { .. } => panic!("the sink is never full"),
                _ => {}
            }
        }
    }

    fn check_windows(&self) {
        let mut naive: BTreeMap<(u64, u64), Bar> = BTreeMap::new();
        for span in config().bar_ns {
            for &(ts, price, qty) in &self.trades {
                let start_ns = ts / span * span;
                let price = Price(price);
                let bar = naive.entry((span, start_ns)).or_insert(Bar {
                    instrument: InstrumentId(0),
                    start_ns,
                    end_ns: start_ns + span,
                    open: price,
                    high: price,
                    low: price,
                    close: price,
                    volume: Default::default(),
                    notional: 0,
                    trades: 0,
                    integrity: Integrity::Ok,
                });
                bar.high = bar.high.max(price);
                bar.low = bar.low.min(price);
                bar.close = price;
                bar.volume.0 += qty;
                bar.notional += i128::from(price.0) * i128::from(qty);
                bar.trades += 1;
            }
        }
        let got: BTreeMap<(u64, u64), Bar> = self
            .bars
            .iter()
            .map(|bar| {
                let integrity = Integrity::Ok;
                (
                    (bar.end_ns - bar.start_ns, bar.start_ns),
                    Bar { integrity, ..*bar },
                )
            })
            .collect();
        assert_eq!(got.len(), self.bars.len(), "no bar is emitted twice");
        assert_eq!(got, naive);
        assert!(self.vwaps.len() > 1_500, "{}", self.vwaps.len());
        let mut sorted = self.trades.clone();
        sorted.sort_unstable();
        for vwap in &self.vwaps {
            let from = sorted.partition_point(|trade| trade.0 + LENGTH_NS < vwap.end_ns);
            let to = sorted.partition_point(|trade| trade.0 < vwap.end_ns);
            let window = &sorted[from..to];
            let notional = window
                .iter()
                .map(|&(_, p, q)| i128::from(p) * i128::from(q))
                .sum();
            let volume = window.iter().map(|trade| trade.2).sum();
            let count = window.len() as u32;
            assert_eq!(
                (vwap.notional, vwap.volume.0, vwap.trades),
                (notional, volume, count)
            );
        }
        let (bars, vwap) = self.pipeline.late();
        assert_eq!((bars.dropped, vwap.dropped), (0, 0));
    }

    fn check_book(&self, checked: u64, equal: u64) {
        let id = InstrumentId(0);
        assert_eq!(self.pipeline.sync(id).1, SyncState::Synced);
        assert_eq!(self.pipeline.status().gaps, 0);
        let check = self.pipeline.check();
        assert_eq!((check.checked, check.equal), (checked, equal));
        let book = self.pipeline.book(id).expect("one symbol");
        assert!(!book.is_crossed() && book.depth(Side::Bid) > 500);
        assert_eq!(self.pipeline.growths(), 0);
    }
}

#[test]
fn spot_btcusdt_through_midnight() {
    let names = ["spot_btcusdt_20240808", "spot_btcusdt_20240809"];
    let Some(replay) = replay(&names) else { return };
    replay.check_book(5_736, 5_734);
    replay.check_windows();
}

#[test]
fn usdm_btcusdt() {
    let Some(replay) = replay(&["usdm_btcusdt_20240808"]) else {
        return;
    };
    replay.check_book(5_695, 5_667);
    replay.check_windows();
}

#[test]
fn usdm_ethusdt() {
    let Some(replay) = replay(&["usdm_ethusdt_20240808"]) else {
        return;
    };
    replay.check_windows();
    let check = replay.pipeline.check();
    assert!(check.equal * 1_000 >= check.checked * 990, "{check:?}");
}

/// A capture that goes on where another stopped has no snapshot: its book starts from differences
/// and stays stale, also in its bars.
#[test]
fn without_a_snapshot_the_book_is_stale() {
    let Some(replay) = replay(&["spot_btcusdt_20240809"]) else {
        return;
    };
    let id = InstrumentId(0);
    assert_eq!(replay.pipeline.sync(id).1, SyncState::DiffsOnly);
    let top = replay.pipeline.book_top(id).expect("one symbol");
    assert_eq!(top.integrity, Integrity::Stale);
    assert!(
        replay
            .bars
            .iter()
            .all(|bar| bar.integrity >= Integrity::Recovering)
    );
    replay.check_windows();
}

/// Two symbols on one connection are kept apart.
#[test]
fn two_symbols_at_once() {
    let (Some(btc), Some(eth)) = (
        lines("usdm_btcusdt_20240808"),
        lines("usdm_ethusdt_20240808"),
    ) else {
        return;
    };
    let mut merged: Vec<_> = btc.into_iter().chain(eth).collect();
    merged.sort_by_key(|line| line.0);
    let mut pipeline = DepthPipeline::new(DepthVenue::Binance, &config());
    for (ts_recv, text) in merged {
        pipeline
            .message(ts_recv, &text)
            .expect("each snapshot finds its symbol");
    }
    for name in ["BTCUSDT", "ETHUSDT"] {
        let found = pipeline.instruments().iter().find(|i| i.symbol() == name);
        let id = found.expect("listed").id;
        assert_eq!(pipeline.sync(id).1, SyncState::Synced);
    }
    assert_eq!(pipeline.status().gaps, 0);
}
