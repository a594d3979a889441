//! Instrument definitions of the three versions: the same facts in three layouts.

use zerocopy::little_endian::{I32, U16, U32, U64};

use super::field::{
    Code, OptI8, OptI16, OptI32, OptU8, OptU16, OptU32, Price, Reserved, Text, Time, record,
};

record! {
    /// An instrument, as version 1 tells it (schema `definition`).
    DefinitionV1, 360;
    /// When Databento received it.
    ts_recv: Time,
    /// Smallest price step.
    min_price_increment: Price,
    /// Factor from the venue's price to the displayed one, 1e-9.
    display_factor: Price,
    /// When it stops trading.
    expiration: Time,
    /// When it starts trading.
    activation: Time,
    /// Highest price allowed.
    high_limit_price: Price,
    /// Lowest price allowed.
    low_limit_price: Price,
    /// Half of the price band.
    max_price_variation: Price,
    /// The settlement price of the day before.
    trading_reference_price: Price,
    /// Contract size in units of measure, 1e-9.
    unit_of_measure_qty: Price,
    /// Value of one price step.
    min_price_increment_amount: Price,
    /// Factor for legs of a spread, 1e-9.
    price_ratio: Price,
    /// The venue's eligibility bits.
    inst_attrib_value: OptI32,
    /// Instrument number of the underlying.
    underlying_id: U32,
    /// The venue's own number.
    raw_instrument_id: U32,
    /// Levels of the implied book.
    market_depth_implied: OptI32,
    /// Levels of the book.
    market_depth: OptI32,
    /// The venue's segment.
    market_segment_id: OptU32,
    /// Largest order.
    max_trade_vol: OptU32,
    /// Smallest order.
    min_lot_size: OptI32,
    /// Smallest block trade.
    min_lot_size_block: OptI32,
    /// Round lot.
    min_lot_size_round_lot: OptI32,
    /// Smallest trade.
    min_trade_vol: OptU32,
    /// Reserved.
    reserved_1: Reserved<4>,
    /// Quantity of one contract.
    contract_multiplier: OptI32,
    /// Daily decay of the contract's quantity.
    decay_quantity: OptI32,
    /// Fixed size of the contract.
    original_contract_size: OptI32,
    /// Reserved.
    reserved_2: Reserved<4>,
    /// Day of the reference price, days since 1970.
    trading_reference_date: OptU16,
    /// The venue's channel id.
    appl_id: OptI16,
    /// Year of maturity.
    maturity_year: OptU16,
    /// Day on which the decay starts, days since 1970.
    decay_start_date: OptU16,
    /// Databento's channel.
    channel_id: OptU16,
    /// Currency of prices.
    currency: Text<4>,
    /// Currency of settlement.
    settl_currency: Text<4>,
    /// Strategy type.
    secsubtype: Text<6>,
    /// The symbol.
    raw_symbol: Text<22>,
    /// The venue's group.
    group: Text<21>,
    /// The venue.
    exchange: Text<5>,
    /// The underlying asset's code.
    asset: Text<7>,
    /// ISO classification.
    cfi: Text<7>,
    /// The venue's type of security.
    security_type: Text<7>,
    /// Unit of the contract size.
    unit_of_measure: Text<31>,
    /// Symbol of the underlying.
    underlying: Text<21>,
    /// Currency of the strike.
    strike_price_currency: Text<4>,
    /// `F`uture, `K` stock, `C`all, `P`ut, `S`pread, ..
    instrument_class: Code,
    /// Reserved.
    reserved_3: Reserved<2>,
    /// Strike of an option.
    strike_price: Price,
    /// Reserved.
    reserved_4: Reserved<6>,
    /// The venue's matching rule; `F` first in, first out.
    match_algorithm: Code,
    /// The venue's trading status.
    md_security_trading_status: OptU8,
    /// Price denominator.
    main_fraction: OptU8,
    /// Digits of a fractional price.
    price_display_format: OptU8,
    /// What kind of price the settlement is.
    settl_price_type: OptU8,
    /// Price sub-denominator.
    sub_fraction: OptU8,
    /// The venue's product code.
    underlying_product: OptU8,
    /// `A`dded, `M`odified, `D`eleted.
    security_update_action: Code,
    /// Month of maturity.
    maturity_month: OptU8,
    /// Day of maturity.
    maturity_day: OptU8,
    /// Week of maturity.
    maturity_week: OptU8,
    /// `Y` when a user made it.
    user_defined_instrument: Code,
    /// Unit of the multiplier.
    contract_multiplier_unit: OptI8,
    /// Schedule of an energy contract.
    flow_schedule_type: OptI8,
    /// The venue's tick table.
    tick_rule: OptU8,
    /// Reserved.
    reserved_5: Reserved<3>,
}

record! {
    /// An instrument, as version 2 tells it (schema `definition`).
    DefinitionV2, 400;
    /// When Databento received it.
    ts_recv: Time,
    /// Smallest price step.
    min_price_increment: Price,
    /// Factor from the venue's price to the displayed one, 1e-9.
    display_factor: Price,
    /// When it stops trading.
    expiration: Time,
    /// When it starts trading.
    activation: Time,
    /// Highest price allowed.
    high_limit_price: Price,
    /// Lowest price allowed.
    low_limit_price: Price,
    /// Half of the price band.
    max_price_variation: Price,
    /// The settlement price of the day before.
    trading_reference_price: Price,
    /// Contract size in units of measure, 1e-9.
    unit_of_measure_qty: Price,
    /// Value of one price step.
    min_price_increment_amount: Price,
    /// Factor for legs of a spread, 1e-9.
    price_ratio: Price,
    /// Strike of an option.
    strike_price: Price,
    /// The venue's eligibility bits.
    inst_attrib_value: OptI32,
    /// Instrument number of the underlying.
    underlying_id: U32,
    /// The venue's own number.
    raw_instrument_id: U32,
    /// Levels of the implied book.
    market_depth_implied: OptI32,
    /// Levels of the book.
    market_depth: OptI32,
    /// The venue's segment.
    market_segment_id: OptU32,
    /// Largest order.
    max_trade_vol: OptU32,
    /// Smallest order.
    min_lot_size: OptI32,
    /// Smallest block trade.
    min_lot_size_block: OptI32,
    /// Round lot.
    min_lot_size_round_lot: OptI32,
    /// Smallest trade.
    min_trade_vol: OptU32,
    /// Quantity of one contract.
    contract_multiplier: OptI32,
    /// Daily decay of the contract's quantity.
    decay_quantity: OptI32,
    /// Fixed size of the contract.
    original_contract_size: OptI32,
    /// Day of the reference price, days since 1970.
    trading_reference_date: OptU16,
    /// The venue's channel id.
    appl_id: OptI16,
    /// Year of maturity.
    maturity_year: OptU16,
    /// Day on which the decay starts, days since 1970.
    decay_start_date: OptU16,
    /// Databento's channel.
    channel_id: OptU16,
    /// Currency of prices.
    currency: Text<4>,
    /// Currency of settlement.
    settl_currency: Text<4>,
    /// Strategy type.
    secsubtype: Text<6>,
    /// The symbol.
    raw_symbol: Text<71>,
    /// The venue's group.
    group: Text<21>,
    /// The venue.
    exchange: Text<5>,
    /// The underlying asset's code.
    asset: Text<7>,
    /// ISO classification.
    cfi: Text<7>,
    /// The venue's type of security.
    security_type: Text<7>,
    /// Unit of the contract size.
    unit_of_measure: Text<31>,
    /// Symbol of the underlying.
    underlying: Text<21>,
    /// Currency of the strike.
    strike_price_currency: Text<4>,
    /// `F`uture, `K` stock, `C`all, `P`ut, `S`pread, ..
    instrument_class: Code,
    /// The venue's matching rule; `F` first in, first out.
    match_algorithm: Code,
    /// The venue's trading status.
    md_security_trading_status: OptU8,
    /// Price denominator.
    main_fraction: OptU8,
    /// Digits of a fractional price.
    price_display_format: OptU8,
    /// What kind of price the settlement is.
    settl_price_type: OptU8,
    /// Price sub-denominator.
    sub_fraction: OptU8,
    /// The venue's product code.
    underlying_product: OptU8,
    /// `A`dded, `M`odified, `D`eleted.
    security_update_action: Code,
    /// Month of maturity.
    maturity_month: OptU8,
    /// Day of maturity.
    maturity_day: OptU8,
    /// Week of maturity.
    maturity_week: OptU8,
    /// `Y` when a user made it.
    user_defined_instrument: Code,
    /// Unit of the multiplier.
    contract_multiplier_unit: OptI8,
    /// Schedule of an energy contract.
    flow_schedule_type: OptI8,
    /// The venue's tick table.
    tick_rule: OptU8,
    /// Reserved.
    reserved: Reserved<10>,
}

record! {
    /// An instrument, or one leg of a strategy, as version 3 tells it (schema `definition`).
    DefinitionV3, 520;
    /// When Databento received it.
    ts_recv: Time,
    /// Smallest price step.
    min_price_increment: Price,
    /// Factor from the venue's price to the displayed one, 1e-9.
    display_factor: Price,
    /// When it stops trading.
    expiration: Time,
    /// When it starts trading.
    activation: Time,
    /// Highest price allowed.
    high_limit_price: Price,
    /// Lowest price allowed.
    low_limit_price: Price,
    /// Half of the price band.
    max_price_variation: Price,
    /// Contract size in units of measure, 1e-9.
    unit_of_measure_qty: Price,
    /// Value of one price step.
    min_price_increment_amount: Price,
    /// Factor for legs of a spread, 1e-9.
    price_ratio: Price,
    /// Strike of an option.
    strike_price: Price,
    /// The venue's own number.
    raw_instrument_id: U64,
    /// Price of the leg, for a tied strategy.
    leg_price: Price,
    /// Delta of the leg, 1e-9.
    leg_delta: Price,
    /// The venue's eligibility bits.
    inst_attrib_value: OptI32,
    /// Instrument number of the underlying.
    underlying_id: U32,
    /// Levels of the implied book.
    market_depth_implied: OptI32,
    /// Levels of the book.
    market_depth: OptI32,
    /// The venue's segment.
    market_segment_id: OptU32,
    /// Largest order.
    max_trade_vol: OptU32,
    /// Smallest order.
    min_lot_size: OptI32,
    /// Smallest block trade.
    min_lot_size_block: OptI32,
    /// Round lot.
    min_lot_size_round_lot: OptI32,
    /// Smallest trade.
    min_trade_vol: OptU32,
    /// Quantity of one contract.
    contract_multiplier: OptI32,
    /// Daily decay of the contract's quantity.
    decay_quantity: OptI32,
    /// Fixed size of the contract.
    original_contract_size: OptI32,
    /// Instrument number of the leg.
    leg_instrument_id: U32,
    /// Price ratio of the leg.
    leg_ratio_price_numerator: I32,
    /// Price ratio of the leg.
    leg_ratio_price_denominator: I32,
    /// Quantity ratio of the leg.
    leg_ratio_qty_numerator: I32,
    /// Quantity ratio of the leg.
    leg_ratio_qty_denominator: I32,
    /// Instrument number of the leg's underlying.
    leg_underlying_id: U32,
    /// The venue's channel id.
    appl_id: OptI16,
    /// Year of maturity.
    maturity_year: OptU16,
    /// Day on which the decay starts, days since 1970.
    decay_start_date: OptU16,
    /// Databento's channel.
    channel_id: OptU16,
    /// Legs of the strategy.
    leg_count: U16,
    /// Which leg this record is about, from 0.
    leg_index: U16,
    /// Currency of prices.
    currency: Text<4>,
    /// Currency of settlement.
    settl_currency: Text<4>,
    /// Strategy type.
    secsubtype: Text<6>,
    /// The symbol.
    raw_symbol: Text<71>,
    /// The venue's group.
    group: Text<21>,
    /// The venue.
    exchange: Text<5>,
    /// The underlying asset's code.
    asset: Text<11>,
    /// ISO classification.
    cfi: Text<7>,
    /// The venue's type of security.
    security_type: Text<7>,
    /// Unit of the contract size.
    unit_of_measure: Text<31>,
    /// Symbol of the underlying.
    underlying: Text<21>,
    /// Currency of the strike.
    strike_price_currency: Text<4>,
    /// Symbol of the leg.
    leg_raw_symbol: Text<71>,
    /// `F`uture, `K` stock, `C`all, `P`ut, `S`pread, ..
    instrument_class: Code,
    /// The venue's matching rule; `F` first in, first out.
    match_algorithm: Code,
    /// Price denominator.
    main_fraction: OptU8,
    /// Digits of a fractional price.
    price_display_format: OptU8,
    /// Price sub-denominator.
    sub_fraction: OptU8,
    /// The venue's product code.
    underlying_product: OptU8,
    /// `A`dded, `M`odified, `D`eleted.
    security_update_action: Code,
    /// Month of maturity.
    maturity_month: OptU8,
    /// Day of maturity.
    maturity_day: OptU8,
    /// Week of maturity.
    maturity_week: OptU8,
    /// `Y` when a user made it.
    user_defined_instrument: Code,
    /// Unit of the multiplier.
    contract_multiplier_unit: OptI8,
    /// Schedule of an energy contract.
    flow_schedule_type: OptI8,
    /// The venue's tick table.
    tick_rule: OptU8,
    /// Class of the leg.
    leg_instrument_class: Code,
    /// Side of the leg.
    leg_side: Code,
    /// Reserved.
    reserved: Reserved<17>,
}

/// An instrument in the layout of any version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition<'a> {
    /// Version 1.
    V1(&'a DefinitionV1),
    /// Version 2.
    V2(&'a DefinitionV2),
    /// Version 3.
    V3(&'a DefinitionV3),
}

/// A field that all versions have under the same name.
macro_rules! same {
    ($($(#[$doc:meta])* $name:ident -> $answer:ty = $of:expr;)*) => {
        impl<'a> Definition<'a> {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(self) -> $answer {
                    match self {
                        Self::V1(record) => $of(&record.$name),
                        Self::V2(record) => $of(&record.$name),
                        Self::V3(record) => $of(&record.$name),
                    }
                }
            )*
        }
    };
}

same! {
    /// The symbol.
    raw_symbol -> &'a str = Text::get;
    /// Currency of prices.
    currency -> &'a str = Text::get;
    /// The venue.
    exchange -> &'a str = Text::get;
    /// The venue's type of security.
    security_type -> &'a str = Text::get;
    /// Symbol of the underlying.
    underlying -> &'a str = Text::get;
    /// Unit of the contract size.
    unit_of_measure -> &'a str = Text::get;
    /// Smallest price step, 1e-9.
    min_price_increment -> Option<i64> = Price::get;
    /// Contract size in units of measure, 1e-9.
    unit_of_measure_qty -> Option<i64> = Price::get;
    /// Strike of an option, 1e-9.
    strike_price -> Option<i64> = Price::get;
    /// Highest price allowed, 1e-9.
    high_limit_price -> Option<i64> = Price::get;
    /// Lowest price allowed, 1e-9.
    low_limit_price -> Option<i64> = Price::get;
    /// When it stops trading, ns UTC.
    expiration -> Option<u64> = Time::get;
    /// When it starts trading, ns UTC.
    activation -> Option<u64> = Time::get;
    /// Round lot.
    min_lot_size_round_lot -> Option<i32> = OptI32::get;
    /// Quantity of one contract.
    contract_multiplier -> Option<i32> = OptI32::get;
    /// `F`uture, `K` stock, `C`all, `P`ut, `S`pread, ..
    instrument_class -> u8 = |code: &Code| code.0;
    /// `A`dded, `M`odified, `D`eleted.
    security_update_action -> u8 = |code: &Code| code.0;
}
