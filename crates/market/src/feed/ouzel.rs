//! Published frames as Ouzel's own messages, and back: the sender's numbers stay the sender's.
//!
//! Nothing is rounded: a frame read back equals the frame written, but for a lane above 65,535 and for
//! what a later version added.

use wire::ouzel::{self as wire_frame, Head, MESSAGE_SIZE_MAX, Message};

use crate::event::{Instrument, InstrumentId, Price, Qty, Side, Stamp, Terms, TradingState};
use crate::publish::{
    ActivityBar, Amendment, AmendmentKind, Bar, BarRule, BookTop, FeedState, FeedStatus, Frame,
    Integrity, Level, LineStatus, Lost, Refreshed, RuleName, Signal, SignalKind, TOP_LEVELS,
    TradePrint, Vwap,
};

/// Room for one message.
pub type Buffer = [u8; MESSAGE_SIZE_MAX];

/// An empty buffer.
#[must_use]
pub const fn buffer() -> Buffer {
    [0; MESSAGE_SIZE_MAX]
}

/// Writes `frame` of `lane` into `buffer`; the message. `None`: version 1 does not carry
/// measures, joined prints and the trading status beside the book's state.
pub fn write<'b>(lane: usize, frame: &Frame, buffer: &'b mut Buffer) -> Option<&'b [u8]> {
    let lane = u16::try_from(lane).unwrap_or(u16::MAX);
    Some(match frame {
        Frame::Instrument(instrument) => put(symbol(lane, instrument).bytes(), buffer),
        Frame::Book(top) => book(lane, top, buffer),
        Frame::Trade(trade) => {
            let head = head(
                wire_frame::KIND_TRADE,
                trade.integrity,
                lane,
                trade.instrument,
            );
            let print = print(trade);
            put(wire_frame::Trade { head, print }.bytes(), buffer)
        }
        Frame::Bar(closed) => put(bar(lane, closed).bytes(), buffer),
        Frame::Vwap(newest) => put(vwap(lane, newest).bytes(), buffer),
        Frame::Signal(raised) => put(signal(lane, raised).bytes(), buffer),
        Frame::Feed(status) => put(feed(lane, status).bytes(), buffer),
        Frame::Dropped { count } => {
            let head = Head::new(wire_frame::KIND_DROPPED, 0, lane, 0);
            let count = (*count).into();
            put(wire_frame::Dropped { head, count }.bytes(), buffer)
        }
        Frame::Activity(activity) => put(activity_bar(lane, activity).bytes(), buffer),
        Frame::Amendment(amended) => put(amendment(lane, amended).bytes(), buffer),
        Frame::Lost(lost) => {
            let (from, to) = (lost.from_seq, lost.to_seq);
            let loss = loss(wire_frame::KIND_LOST, lane, from, to, lost.after_ns);
            put(loss.bytes(), buffer)
        }
        Frame::Refreshed(fresh) => {
            let (seq, until) = (fresh.seq, fresh.until_ns);
            let loss = loss(wire_frame::KIND_REFRESHED, lane, seq, until, fresh.after_ns);
            put(loss.bytes(), buffer)
        }
        Frame::Measure(_)
        | Frame::State(_)
        | Frame::Joined(_)
        | Frame::Status(_)
        | Frame::Venue(_) => return None,
    })
}

fn put<'b>(bytes: &[u8], buffer: &'b mut Buffer) -> &'b [u8] {
    buffer[..bytes.len()].copy_from_slice(bytes);
    &buffer[..bytes.len()]
}

fn head(kind: u8, integrity: Integrity, lane: u16, id: InstrumentId) -> Head {
    Head::new(kind, integrity_code(integrity), lane, id.0)
}

/// How the border and files write it.
#[must_use]
pub fn integrity_code(integrity: Integrity) -> u8 {
    match integrity {
        Integrity::Ok => 0,
        Integrity::Suspect => 1,
        Integrity::Recovering => 2,
        Integrity::Stale => 3,
    }
}

fn symbol(lane: u16, instrument: &Instrument) -> wire_frame::Symbol {
    wire_frame::Symbol {
        head: head(wire_frame::KIND_SYMBOL, Integrity::Ok, lane, instrument.id),
        symbol: instrument.symbol,
        qty_decimals: instrument.qty_decimals,
        price_decimals: instrument.price_decimals,
        reserved: [0; 2],
    }
}

fn book<'b>(lane: u16, top: &BookTop, buffer: &'b mut Buffer) -> &'b [u8] {
    let mark = |is_so: bool, bit| if is_so { bit } else { 0 };
    let book = wire_frame::Book {
        head: head(wire_frame::KIND_BOOK, top.integrity, lane, top.instrument),
        seq: top.stamp.seq.into(),
        ts_event: top.stamp.ts_event.into(),
        ts_recv: top.stamp.ts_recv.into(),
        bid_count: 0,
        ask_count: 0,
        state: match top.state {
            TradingState::Unknown => 0,
            TradingState::Trading => 1,
            TradingState::QuotationOnly => 2,
            TradingState::Paused => 3,
            TradingState::Halted => 4,
        },
        marks: mark(top.locked, wire_frame::BOOK_LOCKED)
            | mark(top.crossed, wire_frame::BOOK_CROSSED),
    };
    let last = top.last.as_ref().map(|last| wire_frame::Last {
        print: print(last),
        integrity: integrity_code(last.integrity),
        reserved: [0; 3],
    });
    let side = |levels: &'_ [Level; TOP_LEVELS], count: u8| {
        let levels = *levels;
        levels
            .into_iter()
            .take(usize::from(count))
            .map(|level| wire_frame::Level {
                price: level.price.0.into(),
                qty: level.qty.0.into(),
                orders: level.orders.into(),
            })
    };
    let bids = side(&top.bids, top.bid_count);
    let asks = side(&top.asks, top.ask_count);
    wire_frame::write_book(buffer, &book, bids, asks, last.as_ref())
        .expect("ten levels a side fit a message")
}

fn print(trade: &TradePrint) -> wire_frame::Print {
    wire_frame::Print {
        seq: trade.stamp.seq.into(),
        ts_event: trade.stamp.ts_event.into(),
        ts_recv: trade.stamp.ts_recv.into(),
        price: trade.price.0.into(),
        qty: trade.qty.0.into(),
        match_id: trade.match_id.into(),
        aggressor: match trade.aggressor {
            None => 0,
            Some(Side::Bid) => 1,
            Some(Side::Ask) => 2,
        },
        cross: u8::from(trade.cross),
        reserved: [0; 2],
    }
}

fn bar(lane: u16, bar: &Bar) -> wire_frame::Bar {
    wire_frame::Bar {
        head: head(wire_frame::KIND_BAR, bar.integrity, lane, bar.instrument),
        start_ns: bar.start_ns.into(),
        end_ns: bar.end_ns.into(),
        open: bar.open.0.into(),
        high: bar.high.0.into(),
        low: bar.low.0.into(),
        close: bar.close.0.into(),
        volume: bar.volume.0.into(),
        notional: bar.notional.into(),
        trades: bar.trades.into(),
        family: 0,
        reserved: [0; 7],
        rule: 0.into(),
    }
}

fn activity_bar(lane: u16, activity: &ActivityBar) -> wire_frame::Bar {
    let (family, rule) = match activity.rule {
        BarRule::Ticks(prints) => (1, i128::from(prints)),
        BarRule::Volume(qty) => (2, i128::from(qty.0)),
        BarRule::Notional(notional) => (3, notional),
        BarRule::Session(silence_ns) => (4, i128::from(silence_ns)),
    };
    wire_frame::Bar {
        family,
        rule: rule.into(),
        ..bar(lane, &activity.bar)
    }
}

fn vwap(lane: u16, vwap: &Vwap) -> wire_frame::Vwap {
    wire_frame::Vwap {
        head: head(wire_frame::KIND_VWAP, vwap.integrity, lane, vwap.instrument),
        end_ns: vwap.end_ns.into(),
        length_ns: vwap.length_ns.into(),
        notional: vwap.notional.into(),
        volume: vwap.volume.0.into(),
        trades: vwap.trades.into(),
    }
}

fn signal(lane: u16, signal: &Signal) -> wire_frame::Signal {
    let mut message = wire_frame::Signal {
        head: head(
            wire_frame::KIND_SIGNAL,
            signal.integrity,
            lane,
            signal.instrument,
        ),
        seq: signal.stamp.seq.into(),
        ts_event: signal.stamp.ts_event.into(),
        ts_recv: signal.stamp.ts_recv.into(),
        code: 0,
        reserved: [0; 3],
        reason: [b' '; 4],
        from: 0.into(),
        to: 0.into(),
        span_ns: 0.into(),
        size: 0.into(),
        rule: [b' '; 24],
    };
    match signal.kind {
        SignalKind::Jump {
            from,
            to,
            span_ns,
            move_bp,
        } => {
            message.code = 1;
            (message.from, message.to) = (from.0.into(), to.0.into());
            (message.span_ns, message.size) = (span_ns.into(), move_bp.into());
        }
        SignalKind::Halt { reason } => (message.code, message.reason) = (2, reason),
        SignalKind::Resume => message.code = 3,
        SignalKind::Rule { rule, value_e9 } => {
            message.code = 4;
            message.from = value_e9.into();
            let name = rule.as_str().as_bytes();
            message.rule[..name.len()].copy_from_slice(name);
        }
    }
    message
}

fn amendment(lane: u16, amended: &Amendment) -> wire_frame::Amendment {
    let (code, price, qty) = match amended.kind {
        AmendmentKind::Bust => (1, 0, 0),
        AmendmentKind::Correction { price, qty } => (2, price.0, qty.0),
    };
    let (integrity, id) = (amended.integrity, amended.instrument);
    wire_frame::Amendment {
        head: head(wire_frame::KIND_AMENDMENT, integrity, lane, id),
        seq: amended.stamp.seq.into(),
        ts_event: amended.stamp.ts_event.into(),
        ts_recv: amended.stamp.ts_recv.into(),
        match_id: amended.match_id.into(),
        code,
        reserved: [0; 7],
        price: price.into(),
        qty: qty.into(),
    }
}

fn loss(kind: u8, lane: u16, from_seq: u64, to: u64, after_ns: u64) -> wire_frame::Loss {
    wire_frame::Loss {
        head: Head::new(kind, 0, lane, 0),
        from_seq: from_seq.into(),
        to: to.into(),
        after_ns: after_ns.into(),
    }
}

fn feed(lane: u16, status: &FeedStatus) -> wire_frame::Feed {
    let line = |line: &LineStatus| wire_frame::Line {
        packets: line.packets.into(),
        wins: line.wins.into(),
        duplicates: line.duplicates.into(),
        missed: line.missed.into(),
        malformed: line.malformed.into(),
        kernel_drops: line.kernel_drops.into(),
        last_recv_ns: line.last_recv_ns.into(),
    };
    wire_frame::Feed {
        head: Head::new(wire_frame::KIND_FEED, 0, lane, 0),
        state: match status.state {
            FeedState::Joining => 0,
            FeedState::Live => 1,
            FeedState::Recovering => 2,
            FeedState::Ended => 3,
            FeedState::Refreshing => 4,
        },
        reserved: [0; 3],
        next_seq: status.next_seq.into(),
        head_seq: status.head_seq.into(),
        lines: [line(&status.lines[0]), line(&status.lines[1])],
        gaps: status.gaps.into(),
        requested: status.requested.into(),
        recovered: status.recovered.into(),
        lost: status.lost.into(),
        rejected: status.rejected.into(),
        refuted: status.refuted.into(),
        snapshots_asked: status.snapshots_asked.into(),
        snapshots_failed: status.snapshots_failed.into(),
        refreshed: status.refreshed.into(),
        unresolved: status.unresolved.into(),
    }
}

/// The sender's lane and the frame; `None` for a kind or a signal that this version does not know.
#[must_use]
pub fn read(message: &Message<'_>) -> Option<(usize, Frame)> {
    let head = message.head();
    let id = InstrumentId(head.instrument.get());
    let integrity = integrity_of(head.integrity);
    let frame = match message {
        Message::Symbol(m) => Frame::Instrument(Instrument {
            id,
            symbol: m.symbol,
            qty_decimals: m.qty_decimals,
            price_decimals: m.price_decimals,
            terms: Terms::default(),
        }),
        Message::Book(view) => Frame::Book(read_book(id, integrity, view)),
        Message::Trade(m) => Frame::Trade(read_print(id, integrity, &m.print)),
        Message::Bar(m) => read_bar(id, integrity, m)?,
        Message::Vwap(m) => Frame::Vwap(Vwap {
            instrument: id,
            end_ns: m.end_ns.get(),
            length_ns: m.length_ns.get(),
            notional: m.notional.get(),
            volume: Qty(m.volume.get()),
            trades: m.trades.get(),
            integrity,
        }),
        Message::Signal(m) => Frame::Signal(read_signal(id, integrity, m)?),
        Message::Feed(m) => Frame::Feed(read_feed(m)),
        Message::Dropped(m) => Frame::Dropped {
            count: m.count.get(),
        },
        Message::Amendment(m) => Frame::Amendment(Amendment {
            instrument: id,
            stamp: stamp(m.seq.get(), m.ts_event.get(), m.ts_recv.get()),
            match_id: m.match_id.get(),
            kind: match m.code {
                1 => AmendmentKind::Bust,
                2 => AmendmentKind::Correction {
                    price: Price(m.price.get()),
                    qty: Qty(m.qty.get()),
                },
                _ => return None,
            },
            integrity,
        }),
        Message::Lost(m) => Frame::Lost(Lost {
            from_seq: m.from_seq.get(),
            to_seq: m.to.get(),
            after_ns: m.after_ns.get(),
        }),
        Message::Refreshed(m) => Frame::Refreshed(Refreshed {
            seq: m.from_seq.get(),
            after_ns: m.after_ns.get(),
            until_ns: m.to.get(),
        }),
        Message::Unknown(_) => return None,
    };
    Some((usize::from(head.lane.get()), frame))
}

/// What [`integrity_code`] wrote. A code of a later version is not trusted.
#[must_use]
pub fn integrity_of(code: u8) -> Integrity {
    match code {
        0 => Integrity::Ok,
        1 => Integrity::Suspect,
        2 => Integrity::Recovering,
        _ => Integrity::Stale,
    }
}

fn stamp(seq: u64, ts_event: u64, ts_recv: u64) -> Stamp {
    Stamp {
        seq,
        ts_event,
        ts_recv,
    }
}

fn read_book(id: InstrumentId, integrity: Integrity, view: &wire_frame::BookView<'_>) -> BookTop {
    let book = view.book;
    let side = |sent: &[wire_frame::Level]| {
        let mut levels = [Level::default(); TOP_LEVELS];
        for (level, sent) in levels.iter_mut().zip(sent) {
            *level = Level {
                price: Price(sent.price.get()),
                qty: Qty(sent.qty.get()),
                orders: sent.orders.get(),
            };
        }
        (levels, sent.len().min(TOP_LEVELS) as u8)
    };
    let ((bids, bid_count), (asks, ask_count)) = (side(view.bids), side(view.asks));
    BookTop {
        instrument: id,
        stamp: stamp(book.seq.get(), book.ts_event.get(), book.ts_recv.get()),
        bids,
        asks,
        bid_count,
        ask_count,
        locked: book.marks & wire_frame::BOOK_LOCKED != 0,
        crossed: book.marks & wire_frame::BOOK_CROSSED != 0,
        integrity,
        state: match book.state {
            1 => TradingState::Trading,
            2 => TradingState::QuotationOnly,
            3 => TradingState::Paused,
            4 => TradingState::Halted,
            _ => TradingState::Unknown,
        },
        last: view
            .last
            .map(|last| read_print(id, integrity_of(last.integrity), &last.print)),
    }
}

fn read_print(id: InstrumentId, integrity: Integrity, print: &wire_frame::Print) -> TradePrint {
    TradePrint {
        instrument: id,
        stamp: stamp(print.seq.get(), print.ts_event.get(), print.ts_recv.get()),
        price: Price(print.price.get()),
        qty: Qty(print.qty.get()),
        aggressor: match print.aggressor {
            1 => Some(Side::Bid),
            2 => Some(Side::Ask),
            _ => None,
        },
        cross: print.cross != 0,
        match_id: print.match_id.get(),
        integrity,
    }
}

fn read_bar(id: InstrumentId, integrity: Integrity, m: &wire_frame::Bar) -> Option<Frame> {
    let bar = Bar {
        instrument: id,
        start_ns: m.start_ns.get(),
        end_ns: m.end_ns.get(),
        open: Price(m.open.get()),
        high: Price(m.high.get()),
        low: Price(m.low.get()),
        close: Price(m.close.get()),
        volume: Qty(m.volume.get()),
        notional: m.notional.get(),
        trades: m.trades.get(),
        integrity,
    };
    let rule = m.rule.get();
    let rule = match m.family {
        0 => return Some(Frame::Bar(bar)),
        1 => BarRule::Ticks(u32::try_from(rule).ok()?),
        2 => BarRule::Volume(Qty(u64::try_from(rule).ok()?)),
        3 => BarRule::Notional(rule),
        4 => BarRule::Session(u64::try_from(rule).ok()?),
        _ => return None,
    };
    Some(Frame::Activity(ActivityBar { rule, bar }))
}

fn read_signal(
    id: InstrumentId,
    integrity: Integrity,
    signal: &wire_frame::Signal,
) -> Option<Signal> {
    let kind = match signal.code {
        1 => SignalKind::Jump {
            from: Price(signal.from.get()),
            to: Price(signal.to.get()),
            span_ns: signal.span_ns.get(),
            move_bp: signal.size.get(),
        },
        2 => SignalKind::Halt {
            reason: signal.reason,
        },
        3 => SignalKind::Resume,
        4 => SignalKind::Rule {
            rule: RuleName::new(std::str::from_utf8(&signal.rule).ok()?.trim_end())?,
            value_e9: signal.from.get(),
        },
        _ => return None,
    };
    Some(Signal {
        instrument: id,
        stamp: stamp(
            signal.seq.get(),
            signal.ts_event.get(),
            signal.ts_recv.get(),
        ),
        kind,
        integrity,
    })
}

fn read_feed(feed: &wire_frame::Feed) -> FeedStatus {
    let line = |line: &wire_frame::Line| LineStatus {
        packets: line.packets.get(),
        wins: line.wins.get(),
        duplicates: line.duplicates.get(),
        missed: line.missed.get(),
        malformed: line.malformed.get(),
        kernel_drops: line.kernel_drops.get(),
        last_recv_ns: line.last_recv_ns.get(),
    };
    FeedStatus {
        state: match feed.state {
            1 => FeedState::Live,
            2 => FeedState::Recovering,
            3 => FeedState::Ended,
            4 => FeedState::Refreshing,
            _ => FeedState::Joining,
        },
        next_seq: feed.next_seq.get(),
        head_seq: feed.head_seq.get(),
        lines: [line(&feed.lines[0]), line(&feed.lines[1])],
        gaps: feed.gaps.get(),
        requested: feed.requested.get(),
        recovered: feed.recovered.get(),
        lost: feed.lost.get(),
        rejected: feed.rejected.get(),
        refuted: feed.refuted.get(),
        snapshots_asked: feed.snapshots_asked.get(),
        snapshots_failed: feed.snapshots_failed.get(),
        refreshed: feed.refreshed.get(),
        unresolved: feed.unresolved.get(),
    }
}

#[cfg(test)]
mod tests;
