//! IEX-TP to events: books by level (DEEP) or of best quotes (TOPS), prints, states, auctions.
//!
//! One stream, whose messages are numbered from 1 in a session. The first arrival of a number wins;
//! a number that is passed over is lost at once, since nothing is asked for again here:
//! [`IexPipeline`](crate::pipeline::IexPipeline) puts the packets of two lines in order before. A session ends where another begins, or where the
//! numbers begin again with the stream's first byte, as they do when IEX's test system starts anew.
//!
//! A DEEP book is whole at a level update that says that its change is complete. TOPS tells the best
//! of both sides at once: the levels of before are taken away. A trade in a cross at one price is an
//! auction print; who took liquidity IEX does not say.
//!
//! Not given on, and counted in [`IexFeed::unread`]: the end of an auction, retail interest.

mod lines;
#[cfg(test)]
mod tests;
mod translate;

use std::collections::HashMap;

use wire::iextp::{self, HEADER_SIZE, Message, Packet, PriceLevelUpdate, QuoteUpdate, protocol};

use crate::event::{Event, InstrumentId, Price, Qty, Side, Stamp, VenueEvent, VenuePhase};
use crate::publish::{FeedState, FeedStatus, LineStatus};
pub(crate) use lines::Lines;
use translate::{event_of, phase_of, price_of};

/// Where the symbol stands in every message that has one.
const SYMBOL: std::ops::Range<usize> = 10..18;

/// Why a packet or message could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IexFault {
    /// Not a packet, or not a message of DEEP 1.0 or TOPS 1.6.
    #[error(transparent)]
    Malformed(#[from] iextp::Error),
    /// A packet of another protocol or channel than the first.
    #[error("IEX-TP packet of protocol {protocol:#06x}, channel {channel}: another stream")]
    Stream {
        /// Its protocol.
        protocol: u16,
        /// Its channel.
        channel: u32,
    },
    /// A code that the specification does not have.
    #[error("IEX message {:?} with an unknown code {code:#04x}", char::from(*.kind))]
    Code {
        /// The message's type.
        kind: u8,
        /// The code.
        code: u8,
    },
    /// A price that no book could hold.
    #[error("IEX message {:?} with a price beyond 9.2e9", char::from(*.kind))]
    Price {
        /// The message's type.
        kind: u8,
    },
}

/// Who takes what the feed gives.
pub trait Handler {
    /// The instrument of this name; `round_lot` where the directory said it.
    fn list(&mut self, symbol: &str, round_lot: Option<Qty>) -> InstrumentId;

    /// An event; its book is whole when `is_last`.
    fn event(&mut self, id: InstrumentId, stamp: Stamp, event: &Event, is_last: bool);

    /// A fact about the whole market.
    fn venue(&mut self, stamp: Stamp, event: VenueEvent);

    /// A message without an event: time passed.
    fn observe(&mut self, stamp: Stamp);

    /// Messages `[from_seq, to_seq)` will never come.
    fn lost(&mut self, from_seq: u64, to_seq: u64);

    /// Another session begins: all that was told is void.
    fn restart(&mut self);

    /// A message that could not be used, and of whom it was.
    fn refused(&mut self, id: Option<InstrumentId>, ts_recv: u64, fault: IexFault, bytes: &[u8]);
}

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To the session that is known.
    Known,
    /// To one that begins with it.
    Begins,
    /// To nothing that is known yet, or any more.
    Elsewhere,
}

/// An instrument and the best quote that TOPS told last.
#[derive(Clone, Copy, Debug)]
struct Listing {
    id: InstrumentId,
    best: [Option<Price>; 2],
}

/// Packets of one stream, in order of arrival.
#[derive(Debug, Default)]
pub struct IexFeed {
    /// Protocol and channel, as the first packet had them.
    stream: Option<(u16, u32)>,
    session: Option<u32>,
    next_seq: u64,
    sent_ns: u64,
    by_symbol: HashMap<iextp::Symbol, Listing>,
    has_lost: bool,
    has_ended: bool,
    packets: u64,
    wins: u64,
    last_recv_ns: u64,
    messages: u64,
    unread: u64,
    restarts: u64,
    gaps: u64,
    lost: u64,
    strangers: u64,
}

impl IexFeed {
    /// Before the first packet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one packet.
    ///
    /// # Errors
    /// When it, or its end, could not be used: count it and go on. What of a cut packet was not
    /// read is lost when the next one comes.
    pub fn packet(
        &mut self,
        ts_recv: u64,
        bytes: &[u8],
        handler: &mut impl Handler,
    ) -> Result<(), IexFault> {
        let packet = Packet::parse(bytes)?;
        let stream = (packet.protocol(), packet.channel());
        let is_known = matches!(stream.0, protocol::TOPS | protocol::DEEP);
        if !is_known || *self.stream.get_or_insert(stream) != stream {
            self.strangers += 1;
            let (protocol, channel) = stream;
            return Err(IexFault::Stream { protocol, channel });
        }
        self.packets += 1;
        self.last_recv_ns = self.last_recv_ns.max(ts_recv);
        if !self.follow(&packet, handler) {
            return Ok(());
        }
        let before = self.next_seq;
        let mut seq = packet.first_seq();
        for block in packet.blocks() {
            let block = block?;
            if seq >= self.next_seq {
                self.next_seq = seq.saturating_add(1);
                self.messages += 1;
                self.message(seq, ts_recv, block, handler);
            }
            seq = seq.saturating_add(1);
        }
        self.wins += u64::from(self.next_seq > before);
        Ok(())
    }

    /// Sessions and gaps; false for a packet of a session that is over.
    fn follow(&mut self, packet: &Packet<'_>, handler: &mut impl Handler) -> bool {
        let is_newer = packet.send_time_ns() > self.sent_ns;
        let starts = packet.first_seq() <= 1 && packet.stream_offset() == 0 && self.next_seq > 1;
        let is_other = self.session.is_some_and(|known| known != packet.session());
        if is_other || starts {
            if !is_newer {
                return false;
            }
            self.restart(handler);
        }
        self.session = Some(packet.session());
        self.sent_ns = self.sent_ns.max(packet.send_time_ns());
        self.next_seq = self.next_seq.max(1);
        let first = packet.first_seq();
        if first > self.next_seq {
            handler.lost(self.next_seq, first);
            self.gaps += 1;
            self.lost += first - self.next_seq;
            self.next_seq = first;
            self.has_lost = true;
        }
        true
    }

    /// Where a packet belongs, before it is read.
    pub(crate) fn place(&self, packet: &Packet<'_>) -> Place {
        let is_ours = self.stream == Some((packet.protocol(), packet.channel()));
        let starts = packet.first_seq() <= 1 && packet.stream_offset() == 0 && self.next_seq > 1;
        let is_other = self.session != Some(packet.session());
        match is_ours && packet.send_time_ns() > self.sent_ns && (is_other || starts) {
            true => Place::Begins,
            false if is_ours && !is_other => Place::Known,
            false => Place::Elsewhere,
        }
    }

    /// The next number to be taken; 0 before the first packet.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    fn restart(&mut self, handler: &mut impl Handler) {
        self.restarts += 1;
        self.next_seq = 1;
        (self.has_lost, self.has_ended) = (false, false);
        for listing in self.by_symbol.values_mut() {
            listing.best = [None; 2];
        }
        handler.restart();
    }

    fn message(&mut self, seq: u64, ts_recv: u64, bytes: &[u8], handler: &mut impl Handler) {
        let outcome = match iextp::decode(bytes) {
            Ok(message) => {
                let stamp = Stamp {
                    seq,
                    ts_event: message.timestamp_ns(),
                    ts_recv,
                };
                self.translate(stamp, message, handler)
            }
            Err(error) => Err(error.into()),
        };
        if let Err(fault) = outcome {
            let symbol = bytes.get(SYMBOL).and_then(|symbol| {
                let symbol = std::str::from_utf8(symbol).ok()?;
                iextp::Symbol::new(symbol.trim_end())
            });
            let listing = symbol.and_then(|symbol| self.by_symbol.get(&symbol));
            handler.refused(listing.map(|listing| listing.id), ts_recv, fault, bytes);
        }
    }

    fn translate(
        &mut self,
        stamp: Stamp,
        message: Message<'_>,
        handler: &mut impl Handler,
    ) -> Result<(), IexFault> {
        match message {
            Message::PriceLevelUpdate(level) => return self.level(stamp, level, handler),
            Message::QuoteUpdate(quote) => return self.quote(stamp, quote, handler),
            Message::SystemEvent(system) => {
                let phase = phase_of(system)?;
                self.has_ended |= phase == VenuePhase::Finished;
                handler.venue(stamp, VenueEvent::Phase(phase));
                handler.observe(stamp);
            }
            Message::SecurityDirectory(directory) => {
                let lot = Qty(directory.round_lot_size.get().into());
                let lot = Some(lot).filter(|lot| lot.0 > 0);
                let id = handler.list(directory.symbol.as_str(), lot);
                let best = [None; 2];
                let listing = self.by_symbol.entry(directory.symbol);
                listing.or_insert(Listing { id, best });
                handler.observe(stamp);
            }
            message => match event_of(message)? {
                Some((symbol, events)) => {
                    let id = self.listing(symbol, handler).id;
                    for event in events.into_iter().flatten() {
                        handler.event(id, stamp, &event, true);
                    }
                }
                None => {
                    self.unread += 1;
                    handler.observe(stamp);
                }
            },
        }
        Ok(())
    }

    #[inline]
    fn level(
        &mut self,
        stamp: Stamp,
        level: &PriceLevelUpdate,
        handler: &mut impl Handler,
    ) -> Result<(), IexFault> {
        let event = Event::Level {
            side: match level.kind {
                b'8' => Side::Bid,
                _ => Side::Ask,
            },
            price: price_of(level.kind, level.price.get())?,
            qty: Qty(level.size.get().into()),
        };
        let id = self.listing(level.symbol, handler).id;
        let is_whole = level.flags & iextp::event_flag::COMPLETE != 0;
        handler.event(id, stamp, &event, is_whole);
        Ok(())
    }

    /// Both sides at once: the book is whole behind the last change.
    fn quote(
        &mut self,
        stamp: Stamp,
        quote: &QuoteUpdate,
        handler: &mut impl Handler,
    ) -> Result<(), IexFault> {
        let told = |price: &iextp::OptPrice, size: u32| {
            let price = price.get().filter(|_| size > 0);
            let price = price.map(|units| price_of(quote.kind, units)).transpose()?;
            Ok::<_, IexFault>(price.map(|price| (price, Qty(size.into()))))
        };
        let sides = [
            (Side::Bid, told(&quote.bid_price, quote.bid_size.get())?),
            (Side::Ask, told(&quote.ask_price, quote.ask_size.get())?),
        ];
        let listing = self.listing(quote.symbol, handler);
        let id = listing.id;
        let mut changes = [None; 4];
        for (idx, (side, told)) in sides.into_iter().enumerate() {
            let before = std::mem::replace(&mut listing.best[idx], told.map(|(price, _)| price));
            let gone = before.filter(|before| told.is_none_or(|(price, _)| price != *before));
            let qty = Qty(0);
            changes[2 * idx] = gone.map(|price| Event::Level { side, price, qty });
            changes[2 * idx + 1] = told.map(|(price, qty)| Event::Level { side, price, qty });
        }
        let Some(last) = changes.iter().rposition(Option::is_some) else {
            handler.observe(stamp);
            return Ok(());
        };
        for (idx, change) in changes.iter().enumerate() {
            if let Some(event) = change {
                handler.event(id, stamp, event, idx == last);
            }
        }
        Ok(())
    }

    /// A symbol that no directory named is listed where it is first met.
    #[inline]
    fn listing(&mut self, symbol: iextp::Symbol, handler: &mut impl Handler) -> &mut Listing {
        self.by_symbol.entry(symbol).or_insert_with(|| Listing {
            id: handler.list(symbol.as_str(), None),
            best: [None; 2],
        })
    }

    /// Where the stream stands.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        FeedStatus {
            state: match (self.session, self.has_ended, self.has_lost) {
                (None, ..) => FeedState::Joining,
                (_, true, _) => FeedState::Ended,
                (_, _, true) => FeedState::Refreshing,
                _ => FeedState::Live,
            },
            next_seq: self.next_seq,
            head_seq: self.next_seq,
            lines: [
                LineStatus {
                    packets: self.packets,
                    wins: self.wins,
                    last_recv_ns: self.last_recv_ns,
                    ..LineStatus::default()
                },
                LineStatus::default(),
            ],
            gaps: self.gaps,
            lost: self.lost,
            ..FeedStatus::default()
        }
    }

    /// Messages taken, of all sessions.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages that say nothing of books, prints or states.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Sessions after the first.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Packets of other streams.
    #[must_use]
    pub fn strangers(&self) -> u64 {
        self.strangers
    }
}

/// Whether a datagram is an IEX-TP packet of DEEP or TOPS, to the last byte.
#[must_use]
pub fn is_iex(datagram: &[u8]) -> bool {
    Packet::parse(datagram).is_ok_and(|packet| {
        matches!(packet.protocol(), protocol::TOPS | protocol::DEEP)
            && datagram.len() == HEADER_SIZE + packet.payload().len()
    })
}
