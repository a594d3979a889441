//! Coinbase: books whose loss only trades and heartbeats tell.

use wire::coinbase::{self, Heartbeat, Match, Message, Snapshot, Update};

use super::common::{Common, Print as Reported};
use crate::event::{InstrumentId, Side, Stamp};
use crate::feed::binance::DepthConfig;
use crate::feed::coinbase::{CoinbaseSync, Print};
use crate::feed::stream_sync::{Outcome, StreamSync};
use crate::pipeline::RejectReason;

#[derive(Debug)]
pub(super) struct Coinbase {
    pub(super) sync: CoinbaseSync,
    pub(super) trades_old: u64,
}

impl Coinbase {
    pub(super) fn new(config: DepthConfig, instruments_limit: usize) -> Self {
        Self {
            sync: CoinbaseSync::new(StreamSync::new(config, instruments_limit)),
            trades_old: 0,
        }
    }

    pub(super) fn read(
        &mut self,
        common: &mut Common,
        ts_recv: u64,
        json: &[u8],
    ) -> Result<(), RejectReason> {
        match coinbase::parse(json)? {
            Message::Snapshot(snapshot) => self.snapshot(common, ts_recv, &snapshot),
            Message::Update(update) => return self.update(common, ts_recv, &update),
            Message::Match(trade) => return self.trade(common, ts_recv, &trade),
            Message::Heartbeat(beat) => return self.heartbeat(common, ts_recv, &beat),
            Message::Failure(failure) => {
                let words = failure.reason.or(failure.message);
                common.refused(words.unwrap_or("no reason given"));
            }
            Message::Other(_) => common.unread += 1,
        }
        Ok(())
    }

    fn snapshot(&mut self, common: &mut Common, ts_recv: u64, snapshot: &Snapshot<'_>) {
        let id = self.instrument(common, snapshot.product, ts_recv);
        self.sync.snapshot(id, ts_recv, snapshot, |stamp, event| {
            common.part(id, stamp, &event);
        });
        common.settle(id, self.sync.sync.state(id));
    }

    fn update(
        &mut self,
        common: &mut Common,
        ts_recv: u64,
        update: &Update<'_>,
    ) -> Result<(), RejectReason> {
        let id = self.instrument(common, update.product, ts_recv);
        common.observe_book(update.event_ns, ts_recv);
        let (outcome, stamp) = self.sync.update(id, ts_recv, update, |stamp, event| {
            common.part(id, stamp, &event);
        });
        match outcome {
            Outcome::Applied => common.settle(id, self.sync.sync.state(id)),
            Outcome::Broken => {
                self.void(common, id, stamp);
                return Err(RejectReason::OutOfOrder);
            }
            Outcome::Early | Outcome::Old => {}
        }
        Ok(())
    }

    fn trade(
        &mut self,
        common: &mut Common,
        ts_recv: u64,
        trade: &Match<'_>,
    ) -> Result<(), RejectReason> {
        let id = self.instrument(common, trade.product, ts_recv);
        let stamp = Stamp {
            seq: trade.sequence,
            ts_event: trade.trade_ns,
            ts_recv,
        };
        let place = self.sync.trade(id, ts_recv, trade);
        if place == Print::Old {
            self.trades_old += u64::from(!trade.is_past);
            return Ok(());
        }
        if place == Print::AfterGap {
            common.events.lost(id, trade.trade_ns);
            self.void(common, id, stamp);
        }
        let aggressor = if trade.maker_is_buy {
            Side::Ask
        } else {
            Side::Bid
        };
        let print = Reported {
            price_e9: trade.price_e9,
            qty_e8: trade.qty_e8,
            aggressor,
            match_id: trade.trade_id,
        };
        common.print(id, stamp, &print);
        match place {
            Print::AfterGap => Err(RejectReason::Missing),
            Print::Next | Print::Old => Ok(()),
        }
    }

    fn heartbeat(
        &mut self,
        common: &mut Common,
        ts_recv: u64,
        beat: &Heartbeat<'_>,
    ) -> Result<(), RejectReason> {
        let id = self.instrument(common, beat.product, ts_recv);
        common.observe_book(beat.event_ns, ts_recv);
        if self.sync.heartbeat(id, ts_recv, beat) {
            return Ok(());
        }
        let stamp = Stamp {
            seq: beat.sequence,
            ts_event: beat.event_ns,
            ts_recv,
        };
        common.events.lost(id, beat.event_ns);
        self.void(common, id, stamp);
        Err(RejectReason::Missing)
    }

    fn void(&mut self, common: &mut Common, id: InstrumentId, stamp: Stamp) {
        common.void(id, stamp);
        common.settle(id, self.sync.sync.state(id));
    }

    fn instrument(&mut self, common: &mut Common, product: &str, now_ns: u64) -> InstrumentId {
        common.instrument(product, || self.sync.open(now_ns))
    }
}
