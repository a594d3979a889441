//! Records about the stream itself: symbol mappings, errors, system messages.

use super::field::{OptU8, Text, Time, record};

record! {
    /// A name of an instrument over a span of time, as version 1 tells it.
    SymbolMappingV1, 80;
    /// The symbol asked for.
    stype_in_symbol: Text<22>,
    /// What it stands for.
    stype_out_symbol: Text<22>,
    /// Reserved.
    reserved: super::field::Reserved<4>,
    /// From when, ns UTC.
    start_ts: Time,
    /// Until when, ns UTC, exclusive.
    end_ts: Time,
}

record! {
    /// A name of an instrument over a span of time, as versions 2 and 3 tell it.
    SymbolMappingV2, 176;
    /// How the symbol asked for is meant: Databento's number.
    stype_in: OptU8,
    /// The symbol asked for.
    stype_in_symbol: Text<71>,
    /// How the answer is meant: Databento's number.
    stype_out: OptU8,
    /// What it stands for.
    stype_out_symbol: Text<71>,
    /// From when, ns UTC.
    start_ts: Time,
    /// Until when, ns UTC, exclusive.
    end_ts: Time,
}

record! {
    /// An error of a live stream, as version 1 tells it.
    ErrorV1, 80;
    /// What is wrong.
    err: Text<64>,
}

record! {
    /// An error of a live stream, as versions 2 and 3 tell it.
    ErrorV2, 320;
    /// What is wrong.
    err: Text<302>,
    /// Databento's number of it.
    code: OptU8,
    /// 1 when no further error follows.
    is_last: OptU8,
}

record! {
    /// A heartbeat or message of a live stream, as version 1 tells it.
    SystemV1, 80;
    /// The text; `Heartbeat` for a heartbeat.
    msg: Text<64>,
}

record! {
    /// A heartbeat or message of a live stream, as versions 2 and 3 tell it.
    SystemV2, 320;
    /// The text.
    msg: Text<303>,
    /// Databento's number of it; 0 is a heartbeat.
    code: OptU8,
}

/// A symbol mapping in the layout of any version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolMapping<'a> {
    /// Version 1.
    V1(&'a SymbolMappingV1),
    /// Versions 2 and 3.
    V2(&'a SymbolMappingV2),
}

impl<'a> SymbolMapping<'a> {
    /// The symbol asked for.
    #[must_use]
    pub fn stype_in_symbol(self) -> &'a str {
        match self {
            Self::V1(record) => record.stype_in_symbol.get(),
            Self::V2(record) => record.stype_in_symbol.get(),
        }
    }

    /// What it stands for.
    #[must_use]
    pub fn stype_out_symbol(self) -> &'a str {
        match self {
            Self::V1(record) => record.stype_out_symbol.get(),
            Self::V2(record) => record.stype_out_symbol.get(),
        }
    }
}
