//! Messages about the market and its instruments (specification 1.1 and 1.2).

use super::field::{argument_type, field_value, getter, message, to_wire, wire_type};

/// The two-letter issue sub-type.
pub type IssueSubtype = super::Alpha<2>;
/// The four-letter reason of a trading action.
pub type Reason = super::Alpha<4>;

message! {
    /// A point of the venue's day (1.1).
    SystemEvent = b'S', 12;
    /// `O` start of messages, `S` start of system hours, `Q` start of market hours, `M` end of
    /// market hours, `E` end of system hours, `C` end of messages.
    event_code: code,
}

message! {
    /// An instrument of the day: binds `locate` to a symbol (1.2.1).
    StockDirectory = b'R', 39;
    /// The symbol.
    stock: Stock,
    /// Listing market and tier, e.g. `Q` NASDAQ Global Select, `N` NYSE, space not available.
    market_category: code,
    /// `N` normal, `D` deficient, `E` delinquent, `Q` bankrupt, `S` suspended, and combinations.
    financial_status: code,
    /// Shares in a round lot.
    round_lot_size: u32,
    /// `Y` when only round lots are accepted, else `N`.
    round_lots_only: code,
    /// Security class, e.g. `C` common stock, `A` depositary share, `Q` fund unit.
    issue_classification: code,
    /// Security sub-type, e.g. `Z` not applicable, `E` exchange traded fund.
    issue_subtype: IssueSubtype,
    /// `P` production, `T` test.
    authenticity: code,
    /// `Y` when a firm may not sell short without locating shares (Reg SHO threshold list).
    short_sale_threshold: code,
    /// `Y` when the instrument is set up for an IPO release.
    ipo_flag: code,
    /// Limit-up limit-down tier `1` or `2`, space when not applicable.
    luld_tier: code,
    /// `Y` for an exchange traded product.
    etp_flag: code,
    /// Leverage factor of an exchange traded product; 0 when unleveraged.
    etp_leverage: u32,
    /// `Y` for an inverse exchange traded product.
    inverse_indicator: code,
}

message! {
    /// A change of an instrument's trading state (1.2.2).
    StockTradingAction = b'H', 25;
    /// The symbol.
    stock: Stock,
    /// `H` halted, `P` paused, `Q` quotation only, `T` trading.
    trading_state: code,
    /// Kept as it came.
    reserved: code,
    /// Why, e.g. `T1` news pending, `LUDP` volatility pause.
    reason: Reason,
}

message! {
    /// Short sale price test of Reg SHO (1.2.3).
    RegShoRestriction = b'Y', 20;
    /// The symbol.
    stock: Stock,
    /// `0` no test, `1` in effect by an intraday fall, `2` remains in effect.
    action: code,
}

message! {
    /// A market maker's state in an instrument (1.2.4).
    MarketParticipantPosition = b'L', 26;
    /// The firm.
    mpid: Mpid,
    /// The symbol.
    stock: Stock,
    /// `Y` when a primary market maker.
    primary_market_maker: code,
    /// `N` normal, `P` passive, `S` syndicate, `R` pre-syndicate, `L` penalty.
    market_maker_mode: code,
    /// `A` active, `E` excused, `W` withdrawn, `S` suspended, `D` deleted.
    participant_state: code,
}

message! {
    /// The day's market-wide circuit breaker levels (1.2.5.1).
    MwcbDeclineLevel = b'V', 35;
    /// First breaker, in 1e-8 index points.
    level_1: u64,
    /// Second breaker, in 1e-8 index points.
    level_2: u64,
    /// Third breaker, in 1e-8 index points.
    level_3: u64,
}

message! {
    /// A market-wide circuit breaker level was breached (1.2.5.2).
    MwcbStatus = b'W', 12;
    /// `1`, `2` or `3`.
    breached_level: code,
}

message! {
    /// When quoting starts for an initial public offering (1.2.6).
    IpoQuotingPeriodUpdate = b'K', 28;
    /// The symbol.
    stock: Stock,
    /// Seconds since midnight at which quoting starts.
    release_time_s: u32,
    /// `A` anticipated, `C` cancelled or postponed.
    release_qualifier: code,
    /// Offering price in 1e-4.
    price: u32,
}

message! {
    /// Price range of the auction that ends a limit-up limit-down pause (1.2.7).
    LuldAuctionCollar = b'J', 35;
    /// The symbol.
    stock: Stock,
    /// Reference price of the collar, in 1e-4.
    reference_price: u32,
    /// Upper limit, in 1e-4.
    upper_price: u32,
    /// Lower limit, in 1e-4.
    lower_price: u32,
    /// Number of extensions of the auction so far.
    extension: u32,
}

message! {
    /// Trading of an instrument is interrupted on one venue only (1.2.8).
    OperationalHalt = b'h', 21;
    /// The symbol.
    stock: Stock,
    /// `Q` NASDAQ, `B` BX, `X` PSX.
    market_code: code,
    /// `H` halted, `T` trading again.
    halt_action: code,
}
