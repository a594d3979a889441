//! The meaning of single messages.

use wire::iextp::{
    AuctionInformation, Message, OptPrice, ShortSale as WireShortSale, Symbol, SystemEvent,
    TradeReport, TradingStatus, sale,
};

use super::IexFault;
use crate::event::{
    Auction, Collar, Event, Imbalance, Official, Price, Qty, ShortSale, Side, TradingState,
    VenuePhase,
};

/// IEX prices have four decimals.
const UNIT: i64 = Price::SCALE / 10_000;

pub(super) fn price_of(kind: u8, units: i64) -> Result<Price, IexFault> {
    let price = units.checked_mul(UNIT).map(Price);
    price.ok_or(IexFault::Price { kind })
}

pub(super) fn phase_of(system: &SystemEvent) -> Result<VenuePhase, IexFault> {
    Ok(match system.event {
        b'O' => VenuePhase::Started,
        b'S' => VenuePhase::Open,
        b'R' => VenuePhase::Regular,
        b'M' => VenuePhase::AfterRegular,
        b'E' => VenuePhase::Closed,
        b'C' => VenuePhase::Finished,
        code => return Err(unknown(system.kind, code)),
    })
}

/// Whose, and what: most messages are one event.
type Meaning = (Symbol, [Option<Event>; 2]);

/// What messages of a symbol mean that change no book; `None`: nothing here.
pub(super) fn event_of(message: Message<'_>) -> Result<Option<Meaning>, IexFault> {
    let (symbol, event) = match message {
        Message::TradeReport(trade) => (trade.symbol, print_of(trade)?),
        Message::TradeBreak(broken) => {
            let match_id = broken.trade_id.get();
            (broken.symbol, Event::Bust { match_id })
        }
        Message::TradingStatus(status) => (status.symbol, state_of(status)?),
        Message::OperationalHalt(halt) => {
            let is_halted = match halt.status {
                b'O' => true,
                b'N' => false,
                code => return Err(unknown(halt.kind, code)),
            };
            (halt.symbol, Event::OperationalHalt { is_halted })
        }
        Message::OfficialPrice(told) => {
            let price = price_of(told.kind, told.price.get())?;
            let official = match told.price_type {
                b'Q' => Official::Opening(price),
                b'M' => Official::Closing(price),
                code => return Err(unknown(told.kind, code)),
            };
            (told.symbol, Event::Official(official))
        }
        Message::ShortSale(test) => (test.symbol, Event::ShortSale(short_sale_of(test)?)),
        Message::AuctionInformation(told) => {
            return Ok(Some((told.symbol, auction_of(told)?)));
        }
        _ => return Ok(None),
    };
    Ok(Some((symbol, [Some(event), None])))
}

fn print_of(trade: &TradeReport) -> Result<Event, IexFault> {
    let price = price_of(trade.kind, trade.price.get())?;
    let (qty, match_id) = (Qty(trade.size.get().into()), trade.trade_id.get());
    Ok(if trade.flags & sale::SINGLE_PRICE_CROSS != 0 {
        Event::Cross {
            price,
            qty,
            match_id,
            auction: None,
        }
    } else {
        Event::Trade {
            aggressor: None,
            price,
            qty,
            match_id,
        }
    })
}

fn state_of(status: &TradingStatus) -> Result<Event, IexFault> {
    let state = match status.status {
        b'T' => TradingState::Trading,
        b'H' => TradingState::Halted,
        b'P' => TradingState::Paused,
        // Orders for the auction that ends a halt are taken, nothing trades.
        b'O' => TradingState::QuotationOnly,
        code => return Err(unknown(status.kind, code)),
    };
    let mut reason = [b' '; 4];
    for (slot, byte) in reason.iter_mut().zip(status.reason.as_str().bytes()) {
        *slot = byte;
    }
    Ok(Event::State { state, reason })
}

fn short_sale_of(test: &WireShortSale) -> Result<ShortSale, IexFault> {
    Ok(match (test.status, test.detail) {
        (0, _) => ShortSale::Free,
        (1, b'C') => ShortSale::StillRestricted,
        (1, _) => ShortSale::Restricted,
        (code, _) => return Err(unknown(test.kind, code)),
    })
}

fn auction_of(told: &AuctionInformation) -> Result<[Option<Event>; 2], IexFault> {
    let price = |price: &OptPrice| {
        let price = price.get().map(|units| price_of(told.kind, units));
        price.transpose()
    };
    let reference = price(&told.reference_price)?;
    let imbalance = Event::Imbalance(Imbalance {
        auction: match told.auction_type {
            b'O' => Some(Auction::Opening),
            b'C' => Some(Auction::Closing),
            b'I' => Some(Auction::Ipo),
            b'H' | b'V' => Some(Auction::Reopening),
            code => return Err(unknown(told.kind, code)),
        },
        paired: Qty(told.paired_shares.get().into()),
        unpaired: Qty(told.imbalance_shares.get().into()),
        side: match told.imbalance_side {
            b'B' => Some(Side::Bid),
            b'S' => Some(Side::Ask),
            _ => None,
        },
        reference,
        near: price(&told.indicative_clearing_price)?,
        far: price(&told.auction_book_clearing_price)?,
    });
    let edges = (
        price(&told.collar_reference_price)?,
        price(&told.lower_auction_collar)?,
        price(&told.upper_auction_collar)?,
    );
    let collar = match edges {
        (Some(reference), Some(lower), Some(upper)) => Some(Event::Collar(Collar {
            reference,
            lower,
            upper,
            extensions: told.extension_number.into(),
        })),
        _ => None,
    };
    Ok([Some(imbalance), collar])
}

fn unknown(kind: u8, code: u8) -> IexFault {
    IexFault::Code { kind, code }
}
