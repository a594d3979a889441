//! Records about instruments beside their definition: status, auction imbalance, statistics.

use zerocopy::little_endian::{I32, U16, U32};

use super::field::{Code, OptI32, Price, Quantity, Reserved, Size, Time, record};

record! {
    /// The trading state (schema `status`).
    Status, 40;
    /// When Databento received it.
    ts_recv: Time,
    /// What changed: see [`status_action`](super::status_action).
    action: U16,
    /// Why: Databento's number; 0 none.
    reason: U16,
    /// A further effect: 0 none, 1 no cancel, 2 session change, 3 and 4 implied matching on, off.
    trading_event: U16,
    /// `Y`, `N`, or `~` where the venue does not say.
    is_trading: Code,
    /// `Y`, `N`, or `~` where the venue does not say.
    is_quoting: Code,
    /// `Y`, `N`, or `~` where the venue does not say.
    is_short_sell_restricted: Code,
    /// Reserved.
    reserved: Reserved<7>,
}

record! {
    /// What is known of an auction to come (schema `imbalance`).
    Imbalance, 112;
    /// When Databento received it.
    ts_recv: Time,
    /// The reference price.
    ref_price: Price,
    /// When the auction will be.
    auction_time: Time,
    /// Where both auction and continuous orders would clear.
    cont_book_clr_price: Price,
    /// Where auction orders alone would clear.
    auct_interest_clr_price: Price,
    /// Reserved for the venue.
    ssr_filling_price: Price,
    /// Where the auction would match.
    ind_match_price: Price,
    /// Highest price allowed.
    upper_collar: Price,
    /// Lowest price allowed.
    lower_collar: Price,
    /// What would match at the reference price.
    paired_qty: Size,
    /// What would not.
    total_imbalance_qty: Size,
    /// The part of it from market orders.
    market_imbalance_qty: Size,
    /// What is left of it after the auction.
    unpaired_qty: Size,
    /// The venue's code of the auction; `~` unknown.
    auction_type: Code,
    /// The side of the imbalance: `A`sk, `B`id or `N`one.
    side: Code,
    /// The venue's status of the auction.
    auction_status: u8,
    /// The venue's freeze status.
    freeze_status: u8,
    /// How often the auction was extended.
    num_extensions: u8,
    /// The side of the unpaired quantity.
    unpaired_side: Code,
    /// The venue's code; `~` none.
    significant_imbalance: Code,
    /// Reserved.
    reserved: Reserved<1>,
}

record! {
    /// A statistic of versions 1 and 2 (schema `statistics`).
    StatisticsV1, 64;
    /// When Databento received it.
    ts_recv: Time,
    /// What time it is about.
    ts_ref: Time,
    /// Its value, if it is a price.
    price: Price,
    /// Its value, if it is a quantity.
    quantity: OptI32,
    /// The venue's number of the message.
    sequence: U32,
    /// Venue send time before `ts_recv`, ns.
    ts_in_delta: I32,
    /// Which statistic: Databento's number.
    stat_type: U16,
    /// The venue's channel.
    channel_id: U16,
    /// 1 new, 2 withdrawn.
    update_action: u8,
    /// The venue's further flags.
    stat_flags: u8,
    /// Reserved.
    reserved: Reserved<6>,
}

record! {
    /// A statistic of version 3 (schema `statistics`).
    StatisticsV3, 80;
    /// When Databento received it.
    ts_recv: Time,
    /// What time it is about.
    ts_ref: Time,
    /// Its value, if it is a price.
    price: Price,
    /// Its value, if it is a quantity.
    quantity: Quantity,
    /// The venue's number of the message.
    sequence: U32,
    /// Venue send time before `ts_recv`, ns.
    ts_in_delta: I32,
    /// Which statistic: Databento's number.
    stat_type: U16,
    /// The venue's channel.
    channel_id: U16,
    /// 1 new, 2 withdrawn.
    update_action: u8,
    /// The venue's further flags.
    stat_flags: u8,
    /// Reserved.
    reserved: Reserved<18>,
}
