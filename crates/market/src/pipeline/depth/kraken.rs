//! Kraken: books with checksums, trades without numbers.

use wire::kraken::{self, Book, Message, Trades};

use super::common::{Common, Print};
use crate::event::{InstrumentId, Side, Stamp};
use crate::feed::binance::DepthConfig;
use crate::feed::kraken::KrakenSync;
use crate::feed::stream_sync::{Outcome, StreamSync};
use crate::pipeline::RejectReason;

#[derive(Debug)]
pub(super) struct Kraken {
    pub(super) sync: KrakenSync,
    trades: u64,
}

impl Kraken {
    pub(super) fn new(config: DepthConfig, instruments_limit: usize) -> Self {
        Self {
            sync: KrakenSync::new(StreamSync::new(config, instruments_limit)),
            trades: 0,
        }
    }

    pub(super) fn read(
        &mut self,
        common: &mut Common,
        ts_recv: u64,
        json: &[u8],
    ) -> Result<(), RejectReason> {
        match kraken::parse(json)? {
            Message::Book(book) => self.book(common, ts_recv, &book)?,
            Message::Trades(trades) => self.trades(common, ts_recv, &trades),
            Message::Status(status) => {
                if let Some(words) = status.error {
                    common.refused(words);
                }
            }
            Message::Heartbeat | Message::Pong => {}
            Message::Other(_) => common.unread += 1,
        }
        Ok(())
    }

    fn book(
        &mut self,
        common: &mut Common,
        ts_recv: u64,
        book: &Book<'_>,
    ) -> Result<(), RejectReason> {
        let id = self.instrument(common, book.pair, ts_recv);
        if let Some(ts_event) = book.event_ns {
            common.observe_book(ts_event, ts_recv);
        }
        let (outcome, stamp) = self.sync.book(id, ts_recv, book, |stamp, event| {
            common.part(id, stamp, &event);
        });
        if outcome != Outcome::Applied {
            return Ok(());
        }
        while let Some(event) = common.book(id).and_then(|book| self.sync.trim(id, book)) {
            common.part(id, stamp, &event);
        }
        let is_equal = match common.book(id) {
            Some(levels) => self.sync.verify(id, ts_recv, levels, book.checksum),
            None => true,
        };
        if !is_equal {
            common.void(id, stamp);
        }
        common.settle(id, self.sync.sync.state(id));
        if is_equal {
            Ok(())
        } else {
            Err(RejectReason::Checksum)
        }
    }

    fn trades(&mut self, common: &mut Common, ts_recv: u64, trades: &Trades<'_>) {
        let id = self.instrument(common, trades.pair, ts_recv);
        for trade in trades {
            // The venue numbers no trades in this version; ours only tells them apart.
            self.trades += 1;
            let stamp = Stamp {
                seq: self.trades,
                ts_event: trade.trade_ns,
                ts_recv,
            };
            let aggressor = if trade.is_buy { Side::Bid } else { Side::Ask };
            let print = Print {
                price_e9: trade.price_e9,
                qty_e8: trade.qty_e8,
                aggressor,
                match_id: self.trades,
            };
            common.print(id, stamp, &print);
        }
    }

    fn instrument(&mut self, common: &mut Common, pair: &str, now_ns: u64) -> InstrumentId {
        common.instrument(pair, || self.sync.open(now_ns))
    }
}
