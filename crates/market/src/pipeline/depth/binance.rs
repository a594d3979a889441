//! Binance: differences stitched to a snapshot over HTTP, trades, best prices to compare with.

use std::collections::VecDeque;

use wire::binance::{self, AggTrade, BookTicker, Depth, Message, Snapshot};

use super::TickerCheck;
use super::common::{Common, Print};
use crate::event::{InstrumentId, Price, Side, Stamp};
use crate::feed::SyncState;
use crate::feed::binance::{DepthConfig, DepthOutcome, DepthSync};
use crate::pipeline::RejectReason;

/// Best prices kept until the difference that reaches them.
const TICKERS: usize = 4_096;

/// What is kept of each symbol beside its chain.
#[derive(Debug)]
struct Extra {
    tickers: VecDeque<(u64, i64, i64)>,
    has_trades: bool,
}

#[derive(Debug)]
pub(super) struct Binance {
    pub(super) sync: DepthSync,
    extras: Vec<Extra>,
    pub(super) check: TickerCheck,
}

impl Binance {
    pub(super) fn new(config: DepthConfig, instruments_limit: usize) -> Self {
        Self {
            sync: DepthSync::new(config, instruments_limit),
            extras: Vec::with_capacity(instruments_limit),
            check: TickerCheck::default(),
        }
    }

    pub(super) fn read(
        &mut self,
        common: &mut Common,
        ts_recv: u64,
        json: &[u8],
    ) -> Result<(), RejectReason> {
        match binance::parse(json)? {
            Message::Depth(depth) => self.depth(common, ts_recv, &depth),
            Message::BookTicker(ticker) => self.ticker(common, &ticker),
            Message::Trade(trade) => {
                let id = self.instrument(common, trade.symbol);
                self.extras[id.0 as usize].has_trades = true;
                // Insurance fund and liquidation transfers are no market prices.
                if trade.cause.is_none_or(|cause| cause == "MARKET") {
                    let agg = AggTrade {
                        stream: None,
                        symbol: trade.symbol,
                        agg_trade_id: trade.trade_id,
                        first_trade_id: trade.trade_id,
                        last_trade_id: trade.trade_id,
                        price_e9: trade.price_e9,
                        qty_e8: trade.qty_e8,
                        event_ns: trade.event_ns,
                        trade_ns: trade.trade_ns,
                        buyer_is_maker: trade.buyer_is_maker,
                    };
                    print(common, id, ts_recv, &agg);
                }
            }
            Message::AggTrade(trade) => {
                let id = self.instrument(common, trade.symbol);
                // A connection with both streams tells every trade twice.
                if !self.extras[id.0 as usize].has_trades {
                    print(common, id, ts_recv, &trade);
                }
            }
            Message::Snapshot(snapshot) if snapshot.stream.is_none() => {
                let owner = self.sync.owner_of(&snapshot);
                let id = owner.ok_or(RejectReason::SnapshotOwner)?;
                self.take_snapshot(common, id, ts_recv, &snapshot)?;
            }
            Message::Snapshot(_) | Message::Other(_) => common.unread += 1,
        }
        Ok(())
    }

    pub(super) fn answer(
        &mut self,
        common: &mut Common,
        symbol: &str,
        ts_recv: u64,
        json: &[u8],
    ) -> Result<(), RejectReason> {
        let id = self.instrument(common, symbol);
        match binance::parse(json) {
            Ok(Message::Snapshot(snapshot)) => self.take_snapshot(common, id, ts_recv, &snapshot),
            Ok(_) => Err(RejectReason::SnapshotOwner),
            Err(error) => Err(error.into()),
        }
    }

    fn depth(&mut self, common: &mut Common, ts_recv: u64, depth: &Depth<'_>) {
        let id = self.instrument(common, depth.symbol);
        let ts_event = depth.transaction_ns.unwrap_or(depth.event_ns);
        common.observe_book(ts_event, ts_recv);
        let was_synced = self.sync.state(id) == SyncState::Synced;
        let outcome = self.sync.depth(id, ts_recv, depth, |stamp, event| {
            common.part(id, stamp, &event);
        });
        if outcome == DepthOutcome::Applied && was_synced {
            self.compare(common, id, depth.final_update_id);
        }
        common.settle(id, self.sync.state(id));
    }

    fn take_snapshot(
        &mut self,
        common: &mut Common,
        id: InstrumentId,
        ts_recv: u64,
        snapshot: &Snapshot<'_>,
    ) -> Result<(), RejectReason> {
        let outcome = self.sync.snapshot(id, ts_recv, snapshot, |stamp, event| {
            common.part(id, stamp, &event);
        });
        self.forget_tickers(id);
        common.settle(id, self.sync.state(id));
        Ok(outcome?)
    }

    fn ticker(&mut self, common: &mut Common, ticker: &BookTicker<'_>) {
        let id = self.instrument(common, ticker.symbol);
        let tickers = &mut self.extras[id.0 as usize].tickers;
        if tickers.len() == TICKERS {
            tickers.pop_front();
        }
        tickers.push_back((ticker.update_id, ticker.bid.price_e9, ticker.ask.price_e9));
    }

    fn compare(&mut self, common: &Common, id: InstrumentId, update_id: u64) {
        let tickers = &mut self.extras[id.0 as usize].tickers;
        let mut newest = None;
        while let Some(&(ticker_id, bid, ask)) = tickers.front()
            && ticker_id <= update_id
        {
            newest = Some((Price(bid), Price(ask)));
            tickers.pop_front();
        }
        if let (Some((bid, ask)), Some(book)) = (newest, common.book(id)) {
            let best = |side| book.best(side).map(|level| level.price);
            self.check.checked += 1;
            let is_equal = best(Side::Bid) == Some(bid) && best(Side::Ask) == Some(ask);
            self.check.equal += u64::from(is_equal);
        }
    }

    /// Tickers of what a snapshot already holds cannot be compared with what follows.
    fn forget_tickers(&mut self, id: InstrumentId) {
        let last = self.sync.last_update_id(id);
        let tickers = &mut self.extras[id.0 as usize].tickers;
        while tickers
            .front()
            .is_some_and(|&(ticker_id, ..)| ticker_id <= last)
        {
            tickers.pop_front();
        }
    }

    fn instrument(&mut self, common: &mut Common, symbol: &str) -> InstrumentId {
        common.instrument(symbol, || {
            self.extras.push(Extra {
                tickers: VecDeque::with_capacity(TICKERS),
                has_trades: false,
            });
            self.sync.open()
        })
    }
}

fn print(common: &mut Common, id: InstrumentId, ts_recv: u64, trade: &AggTrade<'_>) {
    let stamp = Stamp {
        seq: trade.last_trade_id,
        ts_event: trade.trade_ns,
        ts_recv,
    };
    let aggressor = if trade.buyer_is_maker {
        Side::Ask
    } else {
        Side::Bid
    };
    let print = Print {
        price_e9: trade.price_e9,
        qty_e8: trade.qty_e8,
        aggressor,
        match_id: trade.agg_trade_id,
    };
    common.print(id, stamp, &print);
}

#[cfg(test)]
mod tests {
    use crate::pipeline::PipelineConfig;
    use crate::pipeline::depth::{DepthPipeline, DepthVenue};
    use crate::publish::Frame;

    const SECOND: u64 = 1_000_000_000;
    /// The venue's clock; ours is two years on, as where a recorded session is played.
    const VENUE_MS: u64 = 1_723_075_200_000;
    const OURS: u64 = 1_795_392_000 * SECOND;

    fn difference(at: u64, first: u64, last: u64) -> String {
        let time = VENUE_MS + at;
        format!(
            "{{\"e\":\"depthUpdate\",\"E\":{time},\"s\":\"BTCUSDT\",\"U\":{first},\"u\":{last},\
             \"b\":[[\"100.0\",\"{last}\"]],\"a\":[[\"101.0\",\"1\"]]}}"
        )
    }

    fn trade(at: u64, id: u64) -> String {
        let time = VENUE_MS + at;
        format!(
            "{{\"e\":\"trade\",\"E\":{time},\"s\":\"BTCUSDT\",\"t\":{id},\"p\":\"100.5\",\
             \"q\":\"1\",\"T\":{time},\"m\":true,\"M\":true}}"
        )
    }

    /// The answer was made when the venue had said more than had reached us.
    #[test]
    fn a_snapshot_ahead_of_every_difference_makes_nothing_late() {
        let mut pipeline = DepthPipeline::new(DepthVenue::Binance, &PipelineConfig::default());
        let mut now_ns = OURS;
        let mut frames = Vec::new();
        let mut say = |pipeline: &mut DepthPipeline, text: String| {
            now_ns += SECOND / 1_000;
            pipeline
                .message(now_ns, text.as_bytes())
                .expect("well formed");
            pipeline.publish(&mut frames);
        };
        say(&mut pipeline, trade(0, 1));
        say(&mut pipeline, difference(100, 1, 10));
        let snapshot = br#"{"lastUpdateId":50,"bids":[["99.0","1"]],"asks":[["101.0","2"]]}"#;
        let taken = pipeline.snapshot("BTCUSDT", OURS + SECOND / 100, snapshot);
        assert_eq!(taken, Ok(()));
        say(&mut pipeline, difference(200, 11, 20));
        say(&mut pipeline, difference(300, 21, 60));
        for n in 0..40 {
            say(&mut pipeline, trade(400 + n * 250, 2 + n));
        }
        assert_eq!(pipeline.late().0.dropped, 0);
        let is_second = |frame: &&Frame| match frame {
            Frame::Bar(bar) => bar.end_ns - bar.start_ns == SECOND,
            _ => false,
        };
        assert_eq!(frames.iter().filter(is_second).count(), 10);
    }
}
