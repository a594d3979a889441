//! The same reading of every book field, once through our views and once through itch5's handler.
//!
//! Both sums must be equal: a reader that skips a field would be fast and worth nothing.

use std::ops::ControlFlow;

use itch5::MessageHandler;
use itch5::messages as theirs;
use wire::itch50::{Message, Scanned, Side, decode};

/// Adds up what a book needs of one message: references, shares, prices, side, match numbers, time
/// and locate code. 0 for messages that no book reads.
#[inline]
pub fn of_ours(message: &Message<'_>) -> u64 {
    let side = |side: Option<Side>| u64::from(side == Some(Side::Buy));
    let fields = match message {
        Message::AddOrder(m) => order(m.order_reference(), m.shares(), m.price()) ^ side(m.side()),
        Message::AddOrderMpid(m) => {
            order(m.order_reference(), m.shares(), m.price()) ^ side(m.side())
        }
        Message::OrderExecuted(m) => {
            order(m.order_reference(), m.executed_shares(), 0) ^ m.match_number()
        }
        Message::OrderExecutedWithPrice(m) => {
            order(
                m.order_reference(),
                m.executed_shares(),
                m.execution_price(),
            ) ^ m.match_number()
        }
        Message::OrderCancel(m) => order(m.order_reference(), m.cancelled_shares(), 0),
        Message::OrderDelete(m) => m.order_reference(),
        Message::OrderReplace(m) => {
            m.original_order_reference() ^ order(m.new_order_reference(), m.shares(), m.price())
        }
        Message::Trade(m) => {
            order(m.match_number(), m.shares(), m.price()) ^ m.order_reference() ^ side(m.side())
        }
        Message::CrossTrade(m) => order(m.match_number(), 0, m.cross_price()) ^ m.shares(),
        _ => return 0,
    };
    fields ^ message.timestamp_ns() ^ u64::from(message.locate())
}

/// The same of a scanned message; the few that are not about orders go through their views.
#[inline(always)]
pub fn of_scan(scanned: &Scanned<'_>) -> u64 {
    let fields = &scanned.fields;
    if fields.kind == 0 {
        return of_other(scanned.bytes);
    }
    let side = u64::from(fields.side == b'B');
    let numbers = fields.reference ^ fields.second ^ fields.shares ^ u64::from(fields.price) << 20;
    numbers ^ side ^ fields.timestamp_ns ^ u64::from(fields.locate)
}

#[cold]
#[inline(never)]
fn of_other(bytes: &[u8]) -> u64 {
    decode(bytes).map_or(0, |message| of_ours(&message))
}

#[inline]
fn order(reference: u64, shares: u32, price: u32) -> u64 {
    reference ^ u64::from(shares) ^ u64::from(price) << 20
}

/// A handler of itch5 that reads the same fields.
#[derive(Default)]
pub struct Theirs(pub u64);

impl Theirs {
    #[inline]
    fn take(&mut self, fields: u64, time: &theirs::Timestamp, locate: u16) -> ControlFlow<()> {
        self.0 = self
            .0
            .wrapping_add(fields ^ time.to_u64() ^ u64::from(locate));
        ControlFlow::Continue(())
    }
}

#[inline]
fn their_side(side: theirs::BuySellIndicator) -> u64 {
    u64::from(matches!(side, theirs::BuySellIndicator::Buy))
}

impl MessageHandler for Theirs {
    #[inline]
    fn on_add_order_no_mpid_attribution(
        &mut self,
        m: &theirs::AddOrderNoMPIDAttribution,
    ) -> ControlFlow<()> {
        let fields = order(m.order_reference_number(), m.shares(), m.price().into_u32());
        self.take(
            fields ^ their_side(m.buy_sell_indicator()),
            m.timestamp(),
            m.stock_locate(),
        )
    }

    #[inline]
    fn on_add_order_with_mpid_attribution(
        &mut self,
        m: &theirs::AddOrderWithMPIDAttribution,
    ) -> ControlFlow<()> {
        let fields = order(m.order_reference_number(), m.shares(), m.price().into_u32());
        self.take(
            fields ^ their_side(m.buy_sell_indicator()),
            m.timestamp(),
            m.stock_locate(),
        )
    }

    #[inline]
    fn on_order_executed(&mut self, m: &theirs::OrderExecuted) -> ControlFlow<()> {
        let fields = order(m.order_reference_number(), m.executed_shares(), 0);
        self.take(fields ^ m.match_number(), m.timestamp(), m.stock_locate())
    }

    #[inline]
    fn on_order_executed_with_price(
        &mut self,
        m: &theirs::OrderExecutedWithPrice,
    ) -> ControlFlow<()> {
        let price = m.execution_price().into_u32();
        let fields = order(m.order_reference_number(), m.executed_shares(), price);
        self.take(fields ^ m.match_number(), m.timestamp(), m.stock_locate())
    }

    #[inline]
    fn on_order_cancel(&mut self, m: &theirs::OrderCancel) -> ControlFlow<()> {
        let fields = order(m.order_reference_number(), m.cancelled_shares(), 0);
        self.take(fields, m.timestamp(), m.stock_locate())
    }

    #[inline]
    fn on_order_delete(&mut self, m: &theirs::OrderDelete) -> ControlFlow<()> {
        self.take(m.order_reference_number(), m.timestamp(), m.stock_locate())
    }

    #[inline]
    fn on_order_replace(&mut self, m: &theirs::OrderReplace) -> ControlFlow<()> {
        let new = order(
            m.new_order_reference_number(),
            m.shares(),
            m.price().into_u32(),
        );
        let fields = m.original_order_reference_number() ^ new;
        self.take(fields, m.timestamp(), m.stock_locate())
    }

    #[inline]
    fn on_trade(&mut self, m: &theirs::Trade) -> ControlFlow<()> {
        let fields = order(m.match_number(), m.shares(), m.price().into_u32());
        self.take(
            fields ^ m.order_reference_number() ^ their_side(m.buy_sell_indicator()),
            m.timestamp(),
            m.stock_locate(),
        )
    }

    #[inline]
    fn on_cross_trade(&mut self, m: &theirs::CrossTrade) -> ControlFlow<()> {
        let fields = order(m.match_number(), 0, m.cross_price().into_u32()) ^ m.shares();
        self.take(fields, m.timestamp(), m.stock_locate())
    }
}

/// A handler of itch5 that reads nothing: what framing and dispatch alone cost.
pub struct Nothing;

impl MessageHandler for Nothing {}
