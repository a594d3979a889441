//! One normalised market fact, and the quantities it is made of.

mod auction;
mod number;
mod venue;

pub use auction::{Auction, Collar, Imbalance, Official};
pub use number::{InstrumentId, Notional, OrderId, Price, Qty};
pub use venue::{Band, LimitState, ShortSale, VenueEvent, VenuePhase};

/// Which half of the book an order rests in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Buyers.
    Bid,
    /// Sellers.
    Ask,
}

impl Side {
    /// The other half.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }
}

/// When and where in the venue's order a fact happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The venue's sequence number of the message (ITCH over MoldUDP64: message number from 1;
    /// Binance: last update id).
    pub seq: u64,
    /// Matching engine time, ns UTC.
    pub ts_event: u64,
    /// Our receive time, ns UTC (kernel stamp where there is one). May be before `ts_event` when
    /// clocks disagree.
    pub ts_recv: u64,
}

/// What the venue lets people do in an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum TradingState {
    /// No state message seen yet.
    #[default]
    Unknown,
    /// Continuous trading.
    Trading,
    /// Orders are accepted and quotes shown, nothing trades (ITCH 'Q').
    QuotationOnly,
    /// A short pause, usually a volatility pause (ITCH 'P').
    Paused,
    /// Halted (ITCH 'H').
    Halted,
}

/// One market fact about one instrument. Each verb says how the book changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A new order rests. L3.
    Add {
        /// Unique in the feed session.
        order_id: OrderId,
        /// Where it rests.
        side: Side,
        /// Its limit.
        price: Price,
        /// What it shows.
        qty: Qty,
    },
    /// An order shows `qty` less; at zero it is gone. No trade. L3.
    Reduce {
        /// The resting order.
        order_id: OrderId,
        /// By how much.
        qty: Qty,
    },
    /// An order is gone. No trade. L3.
    Delete {
        /// The resting order.
        order_id: OrderId,
    },
    /// `old_order_id` is gone and `order_id` rests on the same side, with a new time priority. L3.
    Replace {
        /// The order that leaves.
        old_order_id: OrderId,
        /// The order that comes.
        order_id: OrderId,
        /// Its limit.
        price: Price,
        /// What it shows.
        qty: Qty,
    },
    /// A resting order now shows `qty` at `price`, on its side. It keeps its time priority if the
    /// price stays and the quantity does not grow. L3.
    Amend {
        /// The resting order.
        order_id: OrderId,
        /// Its new limit.
        price: Price,
        /// What it shows now; zero is refused ([`Event::Delete`]).
        qty: Qty,
    },
    /// A resting order trades `qty` and shows that much less. L3.
    Execute {
        /// The resting order.
        order_id: OrderId,
        /// How much traded.
        qty: Qty,
        /// The trade's price where it differs from the order's (ITCH 'C'); `None`: the order's.
        price: Option<Price>,
        /// False: not to be counted in volume or shown as a print (ITCH 'C' non-printable).
        printable: bool,
        /// The venue's number of the match.
        match_id: u64,
    },
    /// A price level now shows `qty` in all; zero removes it. L2.
    Level {
        /// Which half.
        side: Side,
        /// The level.
        price: Price,
        /// The new total.
        qty: Qty,
    },
    /// The book of this instrument is emptied.
    Clear,
    /// A trade that changes no displayed order (hidden order, or a feed that prints separately).
    Trade {
        /// The side that removed liquidity, where the venue says so.
        aggressor: Option<Side>,
        /// The print's price.
        price: Price,
        /// The print's quantity.
        qty: Qty,
        /// The venue's number of the match.
        match_id: u64,
    },
    /// An auction print. Zero quantity means that the auction found no match.
    Cross {
        /// The print's price.
        price: Price,
        /// The print's quantity.
        qty: Qty,
        /// The venue's number of the match.
        match_id: u64,
        /// Which auction, where the venue says so.
        auction: Option<Auction>,
    },
    /// An earlier print is cancelled. No book changes; published windows stand.
    Bust {
        /// Which print.
        match_id: u64,
    },
    /// An earlier print is amended. No book changes; published windows stand.
    Correction {
        /// Which print.
        match_id: u64,
        /// What it should have said.
        price: Price,
        /// What it should have said.
        qty: Qty,
    },
    /// The trading state changes.
    State {
        /// The new state.
        state: TradingState,
        /// The venue's reason code, ASCII, space padded.
        reason: [u8; 4],
    },
    /// What an auction would do if it were held now. No book changes.
    Imbalance(Imbalance),
    /// The venue calls a price its official one of the day. Nobody need have traded at it.
    Official(Official),
    /// The range in which the auction that ends a pause may print.
    Collar(Collar),
    /// The range in which trades may happen now (LULD, price limits of futures).
    Band(Band),
    /// The market rests at an edge of its band, or no longer does.
    Limit(LimitState),
    /// The short-sale price test (Reg SHO) is imposed, goes on or ends.
    ShortSale(ShortSale),
    /// Trading of the instrument is interrupted on this venue alone, or goes on.
    OperationalHalt {
        /// True: interrupted.
        is_halted: bool,
    },
}

/// Meaning of an instrument's numbers; one per symbol a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Our dense id.
    pub id: InstrumentId,
    /// Venue text, ASCII, space padded.
    pub symbol: [u8; 16],
    /// Decimal digits of `Qty`: 0 for shares, 8 for Binance spot.
    pub qty_decimals: u8,
    /// Decimal digits in which prices are shown.
    pub price_decimals: u8,
    /// What the venue's own directory says of it.
    pub terms: Terms,
}

/// How an instrument trades, as the venue's own directory has it; `None` where it does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Terms {
    /// Smallest price increment.
    pub tick_size: Option<Price>,
    /// Orders are for whole multiples of it, in the instrument's units.
    pub lot_size: Option<Qty>,
    /// Orders below it are odd lots, in the instrument's units; no multiple is asked for.
    pub round_lot: Option<Qty>,
    /// ISO 4217 code or the venue's own, ASCII, space padded.
    pub currency: Option<[u8; 4]>,
}

impl Terms {
    /// What `newer` says, and where it is silent what was known.
    #[must_use]
    pub fn updated(&self, newer: &Self) -> Self {
        Self {
            tick_size: newer.tick_size.or(self.tick_size),
            lot_size: newer.lot_size.or(self.lot_size),
            round_lot: newer.round_lot.or(self.round_lot),
            currency: newer.currency.or(self.currency),
        }
    }

    /// The currency that a text names; `None` for an empty one, and what does not fit four bytes.
    #[must_use]
    pub fn currency_of(text: &str) -> Option<[u8; 4]> {
        let text = text.trim();
        let fits = (1..=4).contains(&text.len()) && text.is_ascii();
        let mut padded = [b' '; 4];
        fits.then(|| padded[..text.len()].copy_from_slice(text.as_bytes()))?;
        Some(padded)
    }
}

impl Instrument {
    /// An instrument named `symbol`, cut at 16 bytes.
    #[must_use]
    pub fn new(id: InstrumentId, symbol: &str, qty_decimals: u8, price_decimals: u8) -> Self {
        let mut padded = [b' '; 16];
        let n = symbol.len().min(16);
        padded[..n].copy_from_slice(&symbol.as_bytes()[..n]);
        Self {
            id,
            symbol: padded,
            qty_decimals,
            price_decimals,
            terms: Terms::default(),
        }
    }

    /// The symbol without its padding; empty if the venue sent something that is not ASCII.
    #[must_use]
    pub fn symbol(&self) -> &str {
        std::str::from_utf8(&self.symbol)
            .map(str::trim_end)
            .unwrap_or("")
    }
}
