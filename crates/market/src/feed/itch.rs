//! NASDAQ ITCH 5.0 to normalised events.
//!
//! ITCH names instruments by a locate code that holds for one day; a dense array turns it into our
//! id. Times are nanoseconds since the venue's midnight, prices have four decimals. What ITCH
//! calls *cancel* is our reduce. Each message gives at most one event.

use std::collections::HashMap;

use wire::itch50::{self, BookFields, Message, StockDirectory};

use crate::event::{
    Auction, Collar, Event, Imbalance, Instrument, InstrumentId, OrderId, Price, Qty, ShortSale,
    Side, Stamp, Terms, TradingState, VenueEvent, VenuePhase,
};

const NANOS_PER_DAY: u64 = 86_400_000_000_000;
const NOT_LISTED: u32 = u32::MAX;
/// ITCH prices have four decimals.
const PRICE_DECIMALS: u8 = 4;

/// What one message means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A market fact. `listed` says that the instrument is new and to be opened first.
    Event {
        /// Which instrument.
        instrument: InstrumentId,
        /// When and where in the feed.
        stamp: Stamp,
        /// What happened.
        event: Event,
        /// The instrument was created or renamed by this message.
        listed: bool,
    },
    /// The directory named an instrument.
    Listed {
        /// Which instrument.
        instrument: InstrumentId,
        /// Venue time, ns UTC.
        ts_event: u64,
    },
    /// A fact about the whole market.
    Venue {
        /// When and where in the feed.
        stamp: Stamp,
        /// What happened.
        event: VenueEvent,
    },
    /// Well-formed, without meaning for books, prints or states.
    Nothing {
        /// Venue time, ns UTC.
        ts_event: u64,
    },
}

/// Takes the four kinds of events that are nearly all of a session without their detour through an
/// [`Event`]: writing one to memory and reading it back costs as much as translating it.
pub trait Orders {
    /// What the taker says of an event.
    type Outcome;
    /// See [`Event::Add`].
    fn add(
        &mut self,
        instrument: InstrumentId,
        id: OrderId,
        side: Side,
        price: Price,
        qty: Qty,
    ) -> Self::Outcome;
    /// See [`Event::Reduce`].
    fn reduce(&mut self, instrument: InstrumentId, id: OrderId, qty: Qty) -> Self::Outcome;
    /// See [`Event::Delete`].
    fn delete(&mut self, instrument: InstrumentId, id: OrderId) -> Self::Outcome;
    /// See [`Event::Replace`].
    fn replace(
        &mut self,
        instrument: InstrumentId,
        old: OrderId,
        id: OrderId,
        price: Price,
        qty: Qty,
    ) -> Self::Outcome;
}

/// Why a message has no meaning here. The caller counts it and flags the instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItchFault {
    /// Not an ITCH 5.0 message.
    #[error(transparent)]
    Malformed(#[from] wire::itch50::DecodeError),
    /// A side that is neither `B` nor `S`.
    #[error("order message with a side that is neither B nor S")]
    Side,
    /// A day has 86,400 seconds.
    #[error("message time is beyond the end of the day")]
    Time,
    /// A trading state that the specification does not have.
    #[error("trading action with an unknown state {0:#04x}")]
    State(u8),
    /// A short-sale test, halt action or venue phase that the specification does not have.
    #[error("ITCH message {:?} with an unknown code {code:#04x}", char::from(*.kind))]
    Code {
        /// The message's type.
        kind: u8,
        /// The code.
        code: u8,
    },
}

/// Translates one session's messages and keeps its directory.
#[derive(Clone, Debug)]
pub struct Normaliser {
    midnight_ns: u64,
    by_locate: Vec<u32>,
    instruments: Vec<Instrument>,
    /// By padded symbol. Read only when an instrument is new to the session.
    by_symbol: HashMap<[u8; 16], u32>,
    without_meaning: u64,
}

impl Normaliser {
    /// A normaliser for the day that starts at `midnight_ns` (venue's midnight, ns UTC).
    #[must_use]
    pub fn new(midnight_ns: u64, instruments_limit: usize) -> Self {
        Self {
            midnight_ns,
            by_locate: vec![NOT_LISTED; usize::from(u16::MAX) + 1],
            instruments: Vec::with_capacity(instruments_limit),
            by_symbol: HashMap::with_capacity(instruments_limit),
            without_meaning: 0,
        }
    }

    /// Every instrument named so far; its index is its id.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The instrument with this locate code.
    #[must_use]
    #[inline]
    pub fn locate(&self, locate: u16) -> Option<InstrumentId> {
        let id = self.by_locate[usize::from(locate)];
        (id != NOT_LISTED).then_some(InstrumentId(id))
    }

    /// The instrument that a message which could not be decoded would be about: locate stands at
    /// the same place in all of them.
    #[must_use]
    pub fn suspect_of(&self, bytes: &[u8]) -> Option<InstrumentId> {
        let &[high, low] = bytes.get(1..3)?.first_chunk::<2>()?;
        self.locate(u16::from_be_bytes([high, low]))
    }

    /// What a message says of the venue as a whole, if it does.
    pub fn venue_fact(&self, seq: u64, ts_recv: u64, bytes: &[u8]) -> Option<(Stamp, VenueEvent)> {
        let ts_event = self.event_time(bytes)?;
        let event = venue_event(&itch50::decode(bytes).ok()?).ok()??;
        let stamp = Stamp {
            seq,
            ts_event,
            ts_recv,
        };
        Some((stamp, event))
    }

    /// When a message that can be decoded happened, ns UTC.
    #[inline]
    pub fn event_time(&self, bytes: &[u8]) -> Option<u64> {
        let header = itch50::decode(bytes).ok()?.header();
        (header.timestamp_ns < NANOS_PER_DAY).then_some(self.midnight_ns + header.timestamp_ns)
    }

    /// Messages that were well-formed and had no meaning here.
    #[must_use]
    pub fn without_meaning(&self) -> u64 {
        self.without_meaning
    }

    /// Forgets locate codes for a new session; instruments keep their ids and names.
    pub fn clear(&mut self) {
        self.by_locate.fill(NOT_LISTED);
    }

    /// Translates one message.
    ///
    /// # Errors
    /// When the bytes are not a message, or say something that the specification does not allow.
    #[inline]
    pub fn translate(
        &mut self,
        seq: u64,
        ts_recv: u64,
        bytes: &[u8],
    ) -> Result<Meaning, ItchFault> {
        let message = itch50::decode(bytes)?;
        let header = message.header();
        if header.timestamp_ns >= NANOS_PER_DAY {
            return Err(ItchFault::Time);
        }
        let ts_event = self.midnight_ns + header.timestamp_ns;
        let stamp = Stamp {
            seq,
            ts_event,
            ts_recv,
        };
        let event = match message {
            Message::AddOrder(m) => {
                let price = Price::from_e4(m.price());
                add(m.order_reference(), side_of(m.side())?, price, m.shares())
            }
            Message::AddOrderMpid(m) => {
                let price = Price::from_e4(m.price());
                add(m.order_reference(), side_of(m.side())?, price, m.shares())
            }
            Message::StockDirectory(m) => {
                let (instrument, _) = self.create(header.locate, Some(m.stock()));
                self.instruments[instrument.0 as usize].terms = terms_of(m);
                return Ok(Meaning::Listed {
                    instrument,
                    ts_event,
                });
            }
            _ => match order_event(&message).map_or_else(|| other_event(&message), Ok)? {
                Some(event) => event,
                None => {
                    if let Some(event) = venue_event(&message)? {
                        return Ok(Meaning::Venue { stamp, event });
                    }
                    self.without_meaning += 1;
                    return Ok(Meaning::Nothing { ts_event });
                }
            },
        };
        // A locate code is created if need be: named by the message, else `#` and the code.
        let (instrument, listed) = match self.locate(header.locate) {
            Some(instrument) => (instrument, false),
            None => self.create(header.locate, stock_of(&message)),
        };
        Ok(Meaning::Event {
            instrument,
            stamp,
            event,
            listed,
        })
    }

    /// Gives an order's coming, shrinking, leaving or replacing to `orders`: instrument, event time
    /// and what `orders` said. `None`, and nothing happened, for everything else, a message that is
    /// at fault or opens an instrument included: [`Normaliser::translate`] treats all.
    #[inline(always)]
    pub fn pass<O: Orders>(
        &self,
        bytes: &[u8],
        orders: &mut O,
    ) -> Option<(InstrumentId, u64, O::Outcome)> {
        let message = itch50::decode(bytes).ok()?;
        let header = message.header();
        let id = self.locate(header.locate)?;
        if header.timestamp_ns >= NANOS_PER_DAY {
            return None;
        }
        let outcome = match message {
            Message::AddOrder(m) => {
                let (price, qty) = (Price::from_e4(m.price()), Qty(m.shares().into()));
                let side = side_of(m.side()).ok()?;
                orders.add(id, OrderId(m.order_reference()), side, price, qty)
            }
            Message::OrderDelete(m) => orders.delete(id, OrderId(m.order_reference())),
            Message::OrderReplace(m) => {
                let (price, qty) = (Price::from_e4(m.price()), Qty(m.shares().into()));
                let old = OrderId(m.original_order_reference());
                orders.replace(id, old, OrderId(m.new_order_reference()), price, qty)
            }
            Message::OrderCancel(m) => {
                let qty = Qty(m.cancelled_shares().into());
                orders.reduce(id, OrderId(m.order_reference()), qty)
            }
            _ => return None,
        };
        Some((id, self.midnight_ns + header.timestamp_ns, outcome))
    }

    /// [`Normaliser::pass`] of a message whose fields were scanned.
    #[inline(always)]
    pub fn pass_fields<O: Orders>(
        &self,
        fields: &BookFields,
        orders: &mut O,
    ) -> Option<(InstrumentId, u64, O::Outcome)> {
        let id = self.locate(fields.locate)?;
        if fields.timestamp_ns >= NANOS_PER_DAY {
            return None;
        }
        let order = OrderId(fields.reference);
        let (price, qty) = (Price::from_e4(fields.price), Qty(fields.shares));
        let outcome = match fields.kind {
            b'A' | b'F' => {
                let side = match fields.side {
                    b'B' => Side::Bid,
                    b'S' => Side::Ask,
                    _ => return None,
                };
                orders.add(id, order, side, price, qty)
            }
            b'D' => orders.delete(id, order),
            b'U' => orders.replace(id, order, OrderId(fields.second), price, qty),
            b'X' => orders.reduce(id, order, qty),
            _ => return None,
        };
        Some((id, self.midnight_ns + fields.timestamp_ns, outcome))
    }

    #[cold]
    fn create(&mut self, locate: u16, stock: Option<&str>) -> (InstrumentId, bool) {
        let mut code = [0; 6];
        let name = match stock.filter(|stock| !stock.is_empty()) {
            Some(stock) => stock,
            None => code_name(locate, &mut code),
        };
        let known = self.by_locate[usize::from(locate)];
        let symbol = Instrument::new(InstrumentId(0), name, 0, PRICE_DECIMALS).symbol;
        let id = if known == NOT_LISTED {
            // A new session may give a known symbol another code.
            let same = self.by_symbol.get(&symbol).copied();
            same.unwrap_or(self.instruments.len() as u32)
        } else {
            known
        };
        let instrument = Instrument::new(InstrumentId(id), name, 0, PRICE_DECIMALS);
        match self.instruments.get_mut(id as usize) {
            Some(slot) => {
                if self.by_symbol.get(&slot.symbol) == Some(&id) {
                    self.by_symbol.remove(&slot.symbol);
                }
                *slot = instrument;
            }
            None => self.instruments.push(instrument),
        }
        self.by_symbol.insert(symbol, id);
        self.by_locate[usize::from(locate)] = id;
        (InstrumentId(id), true)
    }
}

/// A round lot that is all that is accepted is a lot; otherwise single shares are.
fn terms_of(directory: &StockDirectory) -> Terms {
    let round_lot = Some(Qty(directory.round_lot_size().into())).filter(|lot| lot.0 > 0);
    Terms {
        lot_size: match directory.round_lots_only() {
            b'Y' => round_lot,
            _ => Some(Qty(1)),
        },
        round_lot,
        ..Terms::default()
    }
}

/// `#` and the decimal digits of a locate code, without allocating.
fn code_name(locate: u16, buffer: &mut [u8; 6]) -> &str {
    let mut at = buffer.len();
    let mut rest = locate;
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    at -= 1;
    buffer[at] = b'#';
    std::str::from_utf8(&buffer[at..]).unwrap_or("#")
}

#[inline]
fn add(reference: u64, side: Side, price: Price, shares: u32) -> Event {
    Event::Add {
        order_id: OrderId(reference),
        side,
        price,
        qty: Qty(u64::from(shares)),
    }
}

#[inline]
fn side_of(side: Option<itch50::Side>) -> Result<Side, ItchFault> {
    match side {
        Some(itch50::Side::Buy) => Ok(Side::Bid),
        Some(itch50::Side::Sell) => Ok(Side::Ask),
        None => Err(ItchFault::Side),
    }
}

/// Events of resting orders, which carry no symbol.
#[inline]
fn order_event(message: &Message<'_>) -> Option<Option<Event>> {
    let event = match message {
        Message::OrderDelete(m) => Event::Delete {
            order_id: OrderId(m.order_reference()),
        },
        Message::OrderReplace(m) => Event::Replace {
            old_order_id: OrderId(m.original_order_reference()),
            order_id: OrderId(m.new_order_reference()),
            price: Price::from_e4(m.price()),
            qty: Qty(u64::from(m.shares())),
        },
        Message::OrderExecuted(m) => Event::Execute {
            order_id: OrderId(m.order_reference()),
            qty: Qty(u64::from(m.executed_shares())),
            price: None,
            printable: true,
            match_id: m.match_number(),
        },
        Message::OrderExecutedWithPrice(m) => Event::Execute {
            order_id: OrderId(m.order_reference()),
            qty: Qty(u64::from(m.executed_shares())),
            price: Some(Price::from_e4(m.execution_price())),
            printable: m.printable() != b'N',
            match_id: m.match_number(),
        },
        Message::OrderCancel(m) => Event::Reduce {
            order_id: OrderId(m.order_reference()),
            qty: Qty(u64::from(m.cancelled_shares())),
        },
        _ => return None,
    };
    Some(Some(event))
}

/// Prints and states; `None` for what has no meaning here.
fn other_event(message: &Message<'_>) -> Result<Option<Event>, ItchFault> {
    let event = match message {
        // The side of a 'P' is that of the hidden order and has been always B since 2014.
        Message::Trade(m) => Event::Trade {
            aggressor: None,
            price: Price::from_e4(m.price()),
            qty: Qty(u64::from(m.shares())),
            match_id: m.match_number(),
        },
        Message::CrossTrade(m) => Event::Cross {
            price: Price::from_e4(m.cross_price()),
            qty: Qty(m.shares()),
            match_id: m.match_number(),
            auction: auction_of(m.cross_type()),
        },
        Message::BrokenTrade(m) => Event::Bust {
            match_id: m.match_number(),
        },
        Message::StockTradingAction(m) => Event::State {
            state: match m.trading_state() {
                b'T' => TradingState::Trading,
                b'Q' => TradingState::QuotationOnly,
                b'P' => TradingState::Paused,
                b'H' => TradingState::Halted,
                other => return Err(ItchFault::State(other)),
            },
            reason: padded(m.reason()),
        },
        Message::Noii(m) => Event::Imbalance(Imbalance {
            auction: auction_of(m.cross_type()),
            paired: Qty(m.paired_shares()),
            unpaired: Qty(m.imbalance_shares()),
            side: match m.imbalance_direction() {
                b'B' => Some(Side::Bid),
                b'S' => Some(Side::Ask),
                _ => None,
            },
            reference: price_unless_zero(m.reference_price()),
            near: price_unless_zero(m.near_price()),
            far: price_unless_zero(m.far_price()),
        }),
        Message::LuldAuctionCollar(m) => Event::Collar(Collar {
            reference: Price::from_e4(m.reference_price()),
            lower: Price::from_e4(m.lower_price()),
            upper: Price::from_e4(m.upper_price()),
            extensions: m.extension(),
        }),
        Message::RegShoRestriction(m) => Event::ShortSale(match m.action() {
            b'0' => ShortSale::Free,
            b'1' => ShortSale::Restricted,
            b'2' => ShortSale::StillRestricted,
            code => return Err(ItchFault::Code { kind: b'Y', code }),
        }),
        Message::OperationalHalt(m) => Event::OperationalHalt {
            is_halted: match m.halt_action() {
                b'H' => true,
                b'T' => false,
                code => return Err(ItchFault::Code { kind: b'h', code }),
            },
        },
        _ => return Ok(None),
    };
    Ok(Some(event))
}

/// Facts about the whole market.
#[cold]
fn venue_event(message: &Message<'_>) -> Result<Option<VenueEvent>, ItchFault> {
    Ok(Some(match message {
        Message::SystemEvent(m) => VenueEvent::Phase(match m.event_code() {
            b'O' => VenuePhase::Started,
            b'S' => VenuePhase::Open,
            b'Q' => VenuePhase::Regular,
            b'M' => VenuePhase::AfterRegular,
            b'E' => VenuePhase::Closed,
            b'C' => VenuePhase::Finished,
            code => return Err(ItchFault::Code { kind: b'S', code }),
        }),
        // Index points in 1e-8; a level beyond i64 is no index.
        Message::MwcbDeclineLevel(m) => {
            let levels = [m.level_1(), m.level_2(), m.level_3()];
            let price =
                |level: u64| Price(i64::try_from(level).unwrap_or(i64::MAX).saturating_mul(10));
            VenueEvent::BreakerLevels(levels.map(price))
        }
        Message::MwcbStatus(m) => match m.breached_level() {
            level @ b'1'..=b'3' => VenueEvent::Breaker {
                level: level - b'0',
            },
            code => return Err(ItchFault::Code { kind: b'W', code }),
        },
        _ => return Ok(None),
    }))
}

fn auction_of(cross_type: u8) -> Option<Auction> {
    match cross_type {
        b'O' => Some(Auction::Opening),
        b'C' => Some(Auction::Closing),
        b'H' => Some(Auction::Reopening),
        b'A' => Some(Auction::Extended),
        b'I' => Some(Auction::Intraday),
        _ => None,
    }
}

/// ITCH says zero where no price could be computed.
fn price_unless_zero(units: u32) -> Option<Price> {
    (units > 0).then(|| Price::from_e4(units))
}

fn padded(reason: &str) -> [u8; 4] {
    let mut bytes = [b' '; 4];
    for (slot, byte) in bytes.iter_mut().zip(reason.bytes()) {
        *slot = byte;
    }
    bytes
}

#[cold]
fn stock_of<'a>(message: &Message<'a>) -> Option<&'a str> {
    match message {
        Message::AddOrder(m) => Some(m.stock()),
        Message::AddOrderMpid(m) => Some(m.stock()),
        Message::Trade(m) => Some(m.stock()),
        Message::CrossTrade(m) => Some(m.stock()),
        Message::StockTradingAction(m) => Some(m.stock()),
        Message::RegShoRestriction(m) => Some(m.stock()),
        Message::OperationalHalt(m) => Some(m.stock()),
        Message::LuldAuctionCollar(m) => Some(m.stock()),
        Message::Noii(m) => Some(m.stock()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::itch50::{AddOrder, Header, OrderDelete, Stock};

    fn header(locate: u16, timestamp_ns: u64) -> Header {
        Header {
            locate,
            tracking: 0,
            timestamp_ns,
        }
    }

    #[test]
    fn an_unknown_locate_gets_a_name_of_its_own() {
        let mut normaliser = Normaliser::new(1_000, 4);
        let delete = OrderDelete::new(header(42, 5), 7);
        let expected = Meaning::Event {
            instrument: InstrumentId(0),
            stamp: Stamp {
                seq: 9,
                ts_event: 1_005,
                ts_recv: 3,
            },
            event: Event::Delete {
                order_id: OrderId(7),
            },
            listed: true,
        };
        assert_eq!(normaliser.translate(9, 3, delete.as_bytes()), Ok(expected));
        assert_eq!(normaliser.instruments()[0].symbol(), "#42");
        let stock = Stock::new("META").expect("fits");
        let order = AddOrder::new(header(65_535, 5), 7, itch50::Side::Sell, 10, stock, 12_345);
        let Ok(Meaning::Event {
            instrument, event, ..
        }) = normaliser.translate(1, 1, order.as_bytes())
        else {
            panic!("an order is an event")
        };
        assert_eq!(
            normaliser.instruments()[instrument.0 as usize].symbol(),
            "META"
        );
        let add = add(7, Side::Ask, Price(1_234_500_000), 10);
        assert_eq!(event, add);
        assert_eq!(code_name(65_535, &mut [0; 6]), "#65535");
        assert_eq!(code_name(0, &mut [0; 6]), "#0");
    }

    #[test]
    fn faults_are_typed() {
        let mut normaliser = Normaliser::new(0, 4);
        let stock = Stock::new("A").expect("fits");
        let mut bytes = [0; 36];
        let order = AddOrder::new(header(1, 5), 7, itch50::Side::Buy, 10, stock, 1);
        bytes.copy_from_slice(order.as_bytes());
        bytes[19] = b'X';
        assert_eq!(normaliser.translate(1, 1, &bytes), Err(ItchFault::Side));
        let late = AddOrder::new(header(1, NANOS_PER_DAY), 7, itch50::Side::Buy, 10, stock, 1);
        assert_eq!(
            normaliser.translate(1, 1, late.as_bytes()),
            Err(ItchFault::Time)
        );
        assert!(matches!(
            normaliser.translate(1, 1, b""),
            Err(ItchFault::Malformed(_))
        ));
        assert_eq!(normaliser.suspect_of(b"A"), None);
    }

    #[test]
    fn a_new_session_keeps_ids_by_symbol() {
        let mut normaliser = Normaliser::new(0, 4);
        let directory = |locate, stock: &str| {
            StockDirectory::new(
                header(locate, 1),
                Stock::new(stock).expect("fits"),
                b'Q',
                b'N',
                100,
                b'N',
                b'C',
                wire::itch50::IssueSubtype::new("Z").expect("fits"),
                b'P',
                b'N',
                b'N',
                b'1',
                b'N',
                0,
                b'N',
            )
        };
        for (locate, stock, id) in [(1, "A", 0), (2, "B", 1)] {
            let got = normaliser.translate(1, 1, directory(locate, stock).as_bytes());
            assert_eq!(
                got,
                Ok(Meaning::Listed {
                    instrument: InstrumentId(id),
                    ts_event: 1
                })
            );
        }
        normaliser.clear();
        let got = normaliser.translate(1, 1, directory(1, "B").as_bytes());
        assert_eq!(
            got,
            Ok(Meaning::Listed {
                instrument: InstrumentId(1),
                ts_event: 1
            })
        );
    }
}
