//! Prints and bars as columns. Nothing is a float: a price is a decimal of nine places, exactly the integer
//! that the market keeps, and a quantity is a whole number of units with its decimals beside it.

use std::sync::{Arc, OnceLock};

use arrow_array::builder::{
    BooleanBuilder, Decimal128Builder, StringBuilder, TimestampNanosecondBuilder, UInt8Builder,
    UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use market::event::{Instrument, Price, Side};
use market::publish::{Bar, Frame, Integrity, TradePrint};
use node::market::words::integrity;
use wire::ouzel::{KIND_BAR, KIND_TRADE};

/// Places of a price: units of 1e-9.
const SCALE: i8 = 9;
/// Digits of a price: a 64-bit integer has no more.
const PRICE_DIGITS: u8 = 19;
/// Digits of a sum of price times quantity: as many as 128 bits hold.
const NOTIONAL_DIGITS: u8 = 38;

/// What can be read as columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// Every print.
    Trades,
    /// Every closed bar of a fixed span.
    Bars,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Trades, Self::Bars];

    /// As paths and tickets say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Bars => "bars",
        }
    }

    /// The table of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The kind of message that its rows come from.
    pub(super) fn wire_kind(self) -> u8 {
        match self {
            Self::Trades => KIND_TRADE,
            Self::Bars => KIND_BAR,
        }
    }

    /// Names and types of its columns; the same for every batch.
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        static TRADES: OnceLock<SchemaRef> = OnceLock::new();
        static BARS: OnceLock<SchemaRef> = OnceLock::new();
        let (kept, fields): (_, fn() -> Vec<Field>) = match self {
            Self::Trades => (&TRADES, trade_fields),
            Self::Bars => (&BARS, bar_fields),
        };
        Arc::clone(kept.get_or_init(|| Arc::new(Schema::new(fields()))))
    }
}

fn price_type() -> DataType {
    DataType::Decimal128(PRICE_DIGITS, SCALE)
}

fn notional_type() -> DataType {
    DataType::Decimal128(NOTIONAL_DIGITS, SCALE)
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

fn column(name: &str, of: DataType) -> Field {
    Field::new(name, of, false)
}

fn trade_fields() -> Vec<Field> {
    vec![
        column("n", DataType::UInt64),
        column("symbol", DataType::Utf8),
        column("lane", DataType::UInt16),
        column("seq", DataType::UInt64),
        column("ts_event", time_type()),
        column("ts_recv", time_type()),
        column("price", price_type()),
        column("qty", DataType::UInt64),
        column("qty_decimals", DataType::UInt8),
        Field::new("aggressor", DataType::Utf8, true),
        column("cross", DataType::Boolean),
        column("match_id", DataType::UInt64),
        column("integrity", DataType::Utf8),
    ]
}

fn bar_fields() -> Vec<Field> {
    vec![
        column("n", DataType::UInt64),
        column("symbol", DataType::Utf8),
        column("lane", DataType::UInt16),
        column("start", time_type()),
        column("end", time_type()),
        column("open", price_type()),
        column("high", price_type()),
        column("low", price_type()),
        column("close", price_type()),
        column("volume", DataType::UInt64),
        column("qty_decimals", DataType::UInt8),
        column("notional", notional_type()),
        column("trades", DataType::UInt32),
        column("integrity", DataType::Utf8),
    ]
}

/// Whose row it is.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    /// The row's number.
    pub n: u64,
    /// The lane that published it.
    pub lane: usize,
    /// As people know it.
    pub symbol: &'a str,
    /// What its quantities mean.
    pub instrument: &'a Instrument,
}

/// Rows on their way to a batch.
pub struct Rows {
    table: Table,
    count: usize,
    common: Common,
    trades: Trades,
    bars: Bars,
}

/// Columns that both tables have.
#[derive(Default)]
struct Common {
    n: UInt64Builder,
    symbol: StringBuilder,
    lane: UInt16Builder,
    qty: UInt64Builder,
    qty_decimals: UInt8Builder,
    integrity: StringBuilder,
}

struct Trades {
    seq: UInt64Builder,
    ts_event: TimestampNanosecondBuilder,
    ts_recv: TimestampNanosecondBuilder,
    price: Decimal128Builder,
    aggressor: StringBuilder,
    cross: BooleanBuilder,
    match_id: UInt64Builder,
}

struct Bars {
    start: TimestampNanosecondBuilder,
    end: TimestampNanosecondBuilder,
    prices: [Decimal128Builder; 4],
    notional: Decimal128Builder,
    trades: UInt32Builder,
}

fn times() -> TimestampNanosecondBuilder {
    TimestampNanosecondBuilder::new().with_data_type(time_type())
}

fn prices() -> Decimal128Builder {
    Decimal128Builder::new().with_data_type(price_type())
}

/// Instants are kept as signed numbers: good until the year 2262.
fn instant(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

impl Rows {
    /// No rows of `table` yet.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self {
            table,
            count: 0,
            common: Common::default(),
            trades: Trades {
                seq: UInt64Builder::new(),
                ts_event: times(),
                ts_recv: times(),
                price: prices(),
                aggressor: StringBuilder::new(),
                cross: BooleanBuilder::new(),
                match_id: UInt64Builder::new(),
            },
            bars: Bars {
                start: times(),
                end: times(),
                prices: [prices(), prices(), prices(), prices()],
                notional: Decimal128Builder::new().with_data_type(notional_type()),
                trades: UInt32Builder::new(),
            },
        }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes a frame of this table; false for any other frame.
    pub fn push(&mut self, whose: Whose<'_>, frame: &Frame) -> bool {
        match (self.table, frame) {
            (Table::Trades, Frame::Trade(print)) => {
                self.common.push(whose, print.qty.0, print.integrity);
                self.trades.push(print);
            }
            (Table::Bars, Frame::Bar(bar)) => {
                self.common.push(whose, bar.volume.0, bar.integrity);
                self.bars.push(bar);
            }
            _ => return false,
        }
        self.count += 1;
        true
    }

    /// All rows as one batch; none are left.
    ///
    /// # Errors
    /// When the columns do not fit the schema: a fault of ours.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.count = 0;
        let columns = match self.table {
            Table::Trades => self.trades.finish(&mut self.common),
            Table::Bars => self.bars.finish(&mut self.common),
        };
        RecordBatch::try_new(self.table.schema(), columns)
    }
}

impl Common {
    fn push(&mut self, whose: Whose<'_>, qty: u64, integrity_of: Integrity) {
        self.n.append_value(whose.n);
        self.symbol.append_value(whose.symbol);
        self.lane
            .append_value(u16::try_from(whose.lane).unwrap_or(u16::MAX));
        self.qty.append_value(qty);
        self.qty_decimals
            .append_value(whose.instrument.qty_decimals);
        self.integrity.append_value(integrity(integrity_of));
    }

    fn head(&mut self) -> [ArrayRef; 3] {
        [
            Arc::new(self.n.finish()),
            Arc::new(self.symbol.finish()),
            Arc::new(self.lane.finish()),
        ]
    }

    fn quantity(&mut self) -> [ArrayRef; 2] {
        [
            Arc::new(self.qty.finish()),
            Arc::new(self.qty_decimals.finish()),
        ]
    }

    fn tail(&mut self) -> ArrayRef {
        Arc::new(self.integrity.finish())
    }
}

impl Trades {
    fn push(&mut self, print: &TradePrint) {
        self.seq.append_value(print.stamp.seq);
        self.ts_event.append_value(instant(print.stamp.ts_event));
        self.ts_recv.append_value(instant(print.stamp.ts_recv));
        self.price.append_value(print.price.0.into());
        self.aggressor
            .append_option(print.aggressor.map(|side| match side {
                Side::Bid => "buy",
                Side::Ask => "sell",
            }));
        self.cross.append_value(print.cross);
        self.match_id.append_value(print.match_id);
    }

    fn finish(&mut self, common: &mut Common) -> Vec<ArrayRef> {
        let mut columns = common.head().to_vec();
        columns.push(Arc::new(self.seq.finish()));
        columns.push(Arc::new(self.ts_event.finish()));
        columns.push(Arc::new(self.ts_recv.finish()));
        columns.push(Arc::new(self.price.finish()));
        columns.extend(common.quantity());
        columns.push(Arc::new(self.aggressor.finish()));
        columns.push(Arc::new(self.cross.finish()));
        columns.push(Arc::new(self.match_id.finish()));
        columns.push(common.tail());
        columns
    }
}

impl Bars {
    fn push(&mut self, bar: &Bar) {
        self.start.append_value(instant(bar.start_ns));
        self.end.append_value(instant(bar.end_ns));
        let of: [Price; 4] = [bar.open, bar.high, bar.low, bar.close];
        for (column, price) in self.prices.iter_mut().zip(of) {
            column.append_value(price.0.into());
        }
        self.notional.append_value(bar.notional);
        self.trades.append_value(bar.trades);
    }

    fn finish(&mut self, common: &mut Common) -> Vec<ArrayRef> {
        let mut columns = common.head().to_vec();
        columns.push(Arc::new(self.start.finish()));
        columns.push(Arc::new(self.end.finish()));
        for column in &mut self.prices {
            columns.push(Arc::new(column.finish()));
        }
        columns.extend(common.quantity());
        columns.push(Arc::new(self.notional.finish()));
        columns.push(Arc::new(self.trades.finish()));
        columns.push(common.tail());
        columns
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Decimal128Type;
    use market::event::{InstrumentId, Qty};

    use super::*;

    #[test]
    fn numbers_stay_what_they_are() {
        let instrument = Instrument::new(InstrumentId(3), "BTCUSDT", 8, 2);
        let bar = Bar {
            instrument: instrument.id,
            start_ns: 1,
            end_ns: 2,
            open: Price(i64::MAX),
            high: Price(i64::MAX),
            low: Price(-1),
            close: Price(123_456_789),
            volume: Qty(u64::MAX),
            notional: i128::from(i64::MAX) * i128::from(u32::MAX),
            trades: 7,
            integrity: Integrity::Stale,
        };
        let whose = Whose {
            n: 9,
            lane: 1,
            symbol: "binance:BTCUSDT",
            instrument: &instrument,
        };
        let mut rows = Rows::new(Table::Bars);
        assert!(rows.push(whose, &Frame::Bar(bar)));
        assert!(!rows.push(whose, &Frame::Dropped { count: 1 }));
        let batch = rows.finish().expect("a batch");
        assert_eq!((batch.num_rows(), rows.len()), (1, 0));
        let decimal = |name: &str| {
            let column = batch.column_by_name(name).expect("a column");
            column.as_primitive::<Decimal128Type>().value_as_string(0)
        };
        assert_eq!(decimal("open"), "9223372036.854775807");
        assert_eq!(decimal("low"), "-0.000000001");
        assert_eq!(decimal("close"), "0.123456789");
        let notional = i128::from(i64::MAX) * i128::from(u32::MAX);
        assert_eq!(decimal("notional").replace('.', ""), notional.to_string());
    }

    #[test]
    fn no_column_is_a_float() {
        for table in Table::ALL {
            let schema = table.schema();
            assert!(schema.fields().iter().all(|f| !f.data_type().is_floating()));
        }
    }
}
