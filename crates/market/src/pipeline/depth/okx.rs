//! OKX: books chained by numbers and checked by sums, trades with numbers.

use wire::okx::{self, Book, Message, Trades};

use super::common::{Common, Print};
use crate::event::{InstrumentId, Side, Stamp};
use crate::feed::binance::DepthConfig;
use crate::feed::okx::OkxSync;
use crate::feed::stream_sync::{Outcome, StreamSync};
use crate::pipeline::RejectReason;

#[derive(Debug)]
pub(super) struct Okx {
    pub(super) sync: OkxSync,
    /// The newest trade of each instrument: a new subscription may tell it again.
    newest: Vec<u64>,
    pub(super) trades_old: u64,
}

impl Okx {
    pub(super) fn new(config: DepthConfig, instruments_limit: usize) -> Self {
        Self {
            sync: OkxSync::new(StreamSync::new(config, instruments_limit)),
            newest: Vec::with_capacity(instruments_limit),
            trades_old: 0,
        }
    }

    pub(super) fn read(
        &mut self,
        common: &mut Common,
        ts_recv: u64,
        json: &[u8],
    ) -> Result<(), RejectReason> {
        match okx::parse(json)? {
            Message::Book(book) => self.book(common, ts_recv, &book)?,
            Message::Trades(trades) => self.trades(common, ts_recv, &trades),
            Message::Status(status) => {
                if status.event == "error" {
                    common.refused(status.message.unwrap_or("no reason given"));
                }
            }
            Message::Pong => {}
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
        let id = self.instrument(common, book.instrument, ts_recv);
        common.observe_book(book.event_ns, ts_recv);
        let (outcome, stamp) = self.sync.book(id, ts_recv, book, |stamp, event| {
            common.part(id, stamp, &event);
        });
        let refused = match (outcome, common.book(id)) {
            (Outcome::Early | Outcome::Old, _) => return Ok(()),
            (Outcome::Broken, _) => Some(RejectReason::OutOfOrder),
            (Outcome::Applied, Some(levels)) => {
                let is_equal = self.sync.verify(id, ts_recv, levels, book.checksum);
                (!is_equal).then_some(RejectReason::Checksum)
            }
            (Outcome::Applied, None) => None,
        };
        if refused.is_some() {
            common.void(id, stamp);
        }
        common.settle(id, self.sync.sync.state(id));
        refused.map_or(Ok(()), Err)
    }

    fn trades(&mut self, common: &mut Common, ts_recv: u64, trades: &Trades<'_>) {
        let id = self.instrument(common, trades.instrument, ts_recv);
        for trade in trades {
            let newest = &mut self.newest[id.0 as usize];
            if trade.trade_id <= *newest {
                self.trades_old += 1;
                continue;
            }
            *newest = trade.trade_id;
            let stamp = Stamp {
                seq: trade.trade_id,
                ts_event: trade.trade_ns,
                ts_recv,
            };
            let aggressor = if trade.is_buy { Side::Bid } else { Side::Ask };
            let print = Print {
                price_e9: trade.price_e9,
                qty_e8: trade.qty_e8,
                aggressor,
                match_id: trade.trade_id,
            };
            common.print(id, stamp, &print);
        }
    }

    fn instrument(&mut self, common: &mut Common, name: &str, now_ns: u64) -> InstrumentId {
        common.instrument(name, || {
            self.newest.push(0);
            self.sync.open(now_ns)
        })
    }
}
