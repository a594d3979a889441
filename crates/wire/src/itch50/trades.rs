//! Prints and auction data (specification 1.5 to 1.8).

use super::field::{argument_type, field_value, getter, message, to_wire, wire_type};

message! {
    /// A trade against an order that was never displayed (1.5.1).
    Trade = b'P', 44;
    /// 0 since 2010.
    order_reference: u64,
    /// Side of the non-displayed order; always buy since 2014, whatever it was.
    side: side,
    /// Shares traded.
    shares: u32,
    /// The symbol.
    stock: Stock,
    /// Trade price in 1e-4.
    price: u32,
    /// The trade's number, unique for the day.
    match_number: u64,
}

message! {
    /// The bulk print of an auction (1.5.2).
    CrossTrade = b'Q', 40;
    /// Shares matched.
    shares: u64,
    /// The symbol.
    stock: Stock,
    /// Auction price in 1e-4.
    cross_price: u32,
    /// The trade's number, unique for the day.
    match_number: u64,
    /// `O` opening, `C` closing, `H` IPO or halted instrument, `A` extended trading close.
    cross_type: code,
}

message! {
    /// A trade is void (1.5.3). The book does not change.
    BrokenTrade = b'B', 19;
    /// The void trade.
    match_number: u64,
}

message! {
    /// Net order imbalance and indicative prices before an auction (1.6).
    Noii = b'I', 50;
    /// Shares that would match at the current reference price.
    paired_shares: u64,
    /// Shares that would not.
    imbalance_shares: u64,
    /// `B` buy, `S` sell, `N` none, `O` insufficient orders, `P` paused.
    imbalance_direction: code,
    /// The symbol.
    stock: Stock,
    /// Clearing price of auction orders alone, in 1e-4.
    far_price: u32,
    /// Clearing price of auction and continuous orders, in 1e-4.
    near_price: u32,
    /// Price at which the shares above are counted, in 1e-4.
    reference_price: u32,
    /// `O` opening, `C` closing, `H` IPO or halted instrument, `A` extended trading close.
    cross_type: code,
    /// How far the near price is from the nearest of the book, as a code from `L` to `C`; space
    /// when it cannot be said.
    price_variation: code,
}

message! {
    /// Retail interest inside the spread (1.7).
    RetailPriceImprovement = b'N', 20;
    /// The symbol.
    stock: Stock,
    /// `B` buy side, `S` sell side, `A` both, `N` none.
    interest_flag: code,
}

message! {
    /// Price discovery of a direct listing with capital raise (1.8).
    DirectListingPriceDiscovery = b'O', 48;
    /// The symbol.
    stock: Stock,
    /// `Y` when the instrument may be released for trading, `N` when not.
    open_eligibility: code,
    /// 20 % below the registration statement's lower price, in 1e-4.
    minimum_price: u32,
    /// 80 % above the registration statement's highest price, in 1e-4.
    maximum_price: u32,
    /// Price at which the auction would execute now, in 1e-4.
    near_execution_price: u32,
    /// When that price was last set, in ns since midnight.
    near_execution_time_ns: u64,
    /// Lower price collar, in 1e-4.
    lower_price: u32,
    /// Upper price collar, in 1e-4.
    upper_price: u32,
}
