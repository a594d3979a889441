//! Measures, activity bars and joined prints of a real capture equal a recomputation from what the
//! venue sent.

mod common;

use std::io::Read;

use market::event::{InstrumentId, Price, Qty, Side};
use market::pipeline::{DepthPipeline, DepthVenue, PipelineConfig};
use market::publish::{ActivityBar, BarRule, Frame, JoinedPrint, Measure, Quote, SignRule};
use market::window::MeasureConfig;
use wire::binance::{Message, parse};

const STEP_NS: u64 = 100_000_000;
const LENGTH_NS: u64 = 2_000_000_000;
/// How far differences run behind trades, as the pipeline has it.
const LAG_NS: u64 = 1_000_000_000;

/// What came, in the order in which it came.
#[derive(Default)]
struct Seen {
    /// Time, price, quantity, taker.
    trades: Vec<(u64, i64, u64, Side)>,
    /// Since when, and the quote in force when each trade came.
    quotes: Vec<Quote>,
    in_force: Vec<Option<Quote>>,
    measures: Vec<Measure>,
    joined: Vec<JoinedPrint>,
    activity: Vec<ActivityBar>,
    watermark: u64,
    /// Quotes with their own times, for the join.
    told: Vec<Quote>,
}

fn lines(name: &str) -> Option<String> {
    let file = common::shared(&format!("crypto/binance/{name}.gz"))?;
    let bytes = std::fs::read(file).expect("it exists");
    let mut text = String::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
    decoder
        .read_to_string(&mut text)
        .expect("a whole gzip file");
    Some(text)
}

fn replay(name: &str) -> Option<Seen> {
    let text = lines(name)?;
    let mut pipeline = DepthPipeline::new(
        DepthVenue::Binance,
        &PipelineConfig {
            instruments_limit: 1,
            levels_reserve: 16_384,
            measure: Some(MeasureConfig {
                length_ns: LENGTH_NS,
                step_ns: STEP_NS,
                ema_steps: 20,
            }),
            activity: vec![BarRule::Ticks(100), BarRule::Volume(Qty(500_000_000))],
            join_tolerance_ns: Some(u64::MAX),
            ..PipelineConfig::default()
        },
    );
    let mut seen = Seen::default();
    for line in text.lines() {
        let (ts_recv, json) = line.split_once(' ').expect("time, space, text");
        let ts_recv = ts_recv.parse().expect("digits");
        let message = parse(json.as_bytes()).expect("every line is good");
        pipeline
            .message(ts_recv, json.as_bytes())
            .expect("every line is good");
        match message {
            Message::Trade(trade) if trade.cause.is_none_or(|cause| cause == "MARKET") => {
                seen.watermark = seen.watermark.max(trade.trade_ns);
                let taker = if trade.buyer_is_maker {
                    Side::Ask
                } else {
                    Side::Bid
                };
                let at = trade.trade_ns;
                let quote = seen
                    .told
                    .iter()
                    .rev()
                    .find(|quote| quote.since_ns <= at)
                    .copied();
                seen.in_force.push(quote);
                seen.trades
                    .push((at, trade.price_e9, trade.qty_e8 as u64, taker));
            }
            Message::Depth(depth) => {
                let at = depth.transaction_ns.unwrap_or(depth.event_ns);
                seen.watermark = seen.watermark.max(at - LAG_NS);
                seen.depth(&pipeline);
            }
            Message::Snapshot(_) => seen.depth(&pipeline),
            _ => {}
        }
        let mut frames = Vec::new();
        pipeline.publish(&mut frames);
        for frame in frames {
            match frame {
                Frame::Measure(measure) => seen.measures.push(measure),
                Frame::Joined(joined) => seen.joined.push(joined),
                Frame::Activity(bar) => seen.activity.push(bar),
                _ => {}
            }
        }
    }
    assert_eq!(pipeline.late_measures().dropped, seen.late_prints());
    assert_eq!(pipeline.dropped(), 0);
    Some(seen)
}

impl Seen {
    fn depth(&mut self, pipeline: &DepthPipeline) {
        let Some(top) = pipeline
            .book_top(InstrumentId(0))
            .filter(|top| top.stamp.seq > 0)
        else {
            return;
        };
        let best = |count: u8, levels: &[market::publish::Level]| {
            (count > 0).then(|| (levels[0].price, levels[0].qty))
        };
        let mut quote = Quote {
            since_ns: top.stamp.ts_event,
            bid: best(top.bid_count, &top.bids),
            ask: best(top.ask_count, &top.asks),
        };
        let last = self.told.last().copied().unwrap_or_default();
        if (last.bid, last.ask) == (quote.bid, quote.ask) {
            return;
        }
        quote.since_ns = quote.since_ns.max(last.since_ns);
        self.told.push(quote);
        // One that is late holds from the start of the open step.
        let start_ns = self.watermark / STEP_NS * STEP_NS;
        let last_ns = self.quotes.last().map_or(0, |quote| quote.since_ns);
        quote.since_ns = top.stamp.ts_event.max(start_ns).max(last_ns);
        self.quotes.push(quote);
    }

    /// Trades behind the step in which event time stood.
    fn late_prints(&self) -> u64 {
        let mut latest = 0;
        let late = self.trades.iter().filter(|(at, ..)| {
            latest = latest.max(*at);
            at / STEP_NS < latest / STEP_NS
        });
        late.count() as u64
    }

    fn check(&self, got: &Measure) {
        let (start, end) = (got.end_ns - LENGTH_NS, got.end_ns);
        let inside = self
            .trades
            .iter()
            .filter(|(at, ..)| (start..end).contains(at));
        let inside: Vec<_> = inside.collect();
        let volume = |taker: Option<Side>| {
            let of = inside
                .iter()
                .filter(|t| taker.is_none_or(|taker| taker == t.3));
            Qty(of.map(|t| t.2).sum())
        };
        let notional: i128 = inside
            .iter()
            .map(|t| i128::from(t.1) * i128::from(t.2))
            .sum();
        let (high, low) = (
            inside.iter().map(|t| t.1).max(),
            inside.iter().map(|t| t.1).min(),
        );
        assert_eq!(got.trades as usize, inside.len());
        assert_eq!((got.volume, got.notional), (volume(None), notional));
        assert_eq!(
            (got.bought, got.sold),
            (volume(Some(Side::Bid)), volume(Some(Side::Ask)))
        );
        assert_eq!(
            got.extremes,
            high.zip(low).map(|(h, l)| (Price(h), Price(l)))
        );
        if let Some(deviation) = got.deviation {
            let n = inside.len() as f64;
            let base = inside[0].1;
            let from = |t: &&&(u64, i64, u64, Side)| (t.1 - base) as f64;
            let mean = inside.iter().map(|t| from(&t)).sum::<f64>() / n;
            let square = inside
                .iter()
                .map(|t| (from(&t) - mean).powi(2))
                .sum::<f64>()
                / n;
            assert!((deviation.0 as f64 - square.sqrt()).abs() < 2.0 + square.sqrt() * 1e-9);
        }
        let place = self.quotes.iter().rposition(|quote| quote.since_ns < end);
        assert_eq!(
            got.quote,
            place.map_or_else(Quote::default, |place| self.quotes[place])
        );
        let changes = self
            .quotes
            .iter()
            .filter(|quote| (start..end).contains(&quote.since_ns));
        assert_eq!(got.quotes as usize, changes.count());
        let (mut sum, mut total) = (0i128, 0u64);
        for (idx, quote) in self.quotes.iter().enumerate() {
            let until = self
                .quotes
                .get(idx + 1)
                .map_or(u64::MAX, |next| next.since_ns);
            let (from, until) = (quote.since_ns.max(start), until.min(end));
            if let Some(spread) = quote.spread().filter(|_| from < until) {
                sum += i128::from(spread.0) * i128::from(until - from);
                total += until - from;
            }
        }
        let mean = sum
            .checked_div(i128::from(total))
            .map(|mean| Price(mean as i64));
        assert_eq!(got.spread_mean, mean);
    }
}

#[test]
fn measures_of_a_real_market_equal_a_recomputation() {
    for name in ["spot_btcusdt_20240808", "usdm_ethusdt_20240808"] {
        let Some(mut seen) = replay(name) else {
            return;
        };
        assert!(
            seen.measures.len() > 1_000,
            "{} measures",
            seen.measures.len()
        );
        assert!(seen.quotes.len() > 1_000, "{} quotes", seen.quotes.len());
        let late: Vec<u64> = {
            let mut latest = 0;
            let behind = |(at, ..): &&(u64, i64, u64, Side)| {
                latest = latest.max(*at);
                at / STEP_NS < latest / STEP_NS
            };
            seen.trades
                .iter()
                .filter(behind)
                .map(|trade| trade.0)
                .collect()
        };
        seen.trades.retain(|trade| !late.contains(&trade.0));
        for measure in seen.measures.iter().step_by(7) {
            seen.check(measure);
        }
    }
}

#[test]
fn prints_of_a_real_market_meet_the_quote_in_force() {
    let Some(seen) = replay("spot_btcusdt_20240808") else {
        return;
    };
    assert_eq!(seen.joined.len(), seen.trades.len());
    for ((joined, trade), quote) in seen.joined.iter().zip(&seen.trades).zip(&seen.in_force) {
        assert_eq!(
            (joined.print.stamp.ts_event, joined.print.price.0),
            (trade.0, trade.1)
        );
        assert_eq!(joined.quote, *quote);
        assert_eq!(joined.sign, Some((trade.3, SignRule::Venue)));
    }
    assert!(seen.in_force.iter().flatten().count() > 9_000);
    let ticks = seen
        .activity
        .iter()
        .filter(|bar| bar.rule == BarRule::Ticks(100));
    assert_eq!(ticks.count(), seen.trades.len() / 100);
    for (bar, trades) in seen
        .activity
        .iter()
        .filter(|bar| bar.rule == BarRule::Ticks(100))
        .zip(seen.trades.chunks_exact(100))
    {
        let notional: i128 = trades
            .iter()
            .map(|t| i128::from(t.1) * i128::from(t.2))
            .sum();
        assert_eq!((bar.bar.trades, bar.bar.notional), (100, notional));
        assert_eq!(
            (bar.bar.open.0, bar.bar.close.0),
            (trades[0].1, trades[99].1)
        );
    }
}
