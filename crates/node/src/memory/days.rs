//! Past trading days as points: exact prices in the payload, the day's shape as the vector.
//!
//! A day is known from its close on, never before, so that an answer about a past instant cannot
//! see how that day ended.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use collection::{
    AsOf, Collection, Condition, Error, Filter, Op, Payload, Point, Recovery, Settings, Value,
};
use rag::{Fault, Mover, SymbolFacts};

/// Length of a day's shape: return, range, overnight gap, change of volume, all logarithms.
pub const SHAPE_DIM: usize = 4;

const DAY_NS: u64 = 86_400_000_000_000;
/// A New York close in winter, UTC; in summer it is an hour earlier, so this never looks ahead.
pub const CLOSE_AFTER_MIDNIGHT_NS: u64 = 21 * 3_600_000_000_000;
/// How far back the previous close is looked for: long weekends and closures.
const PREVIOUS_DAYS: u64 = 12;
const BATCH: usize = 512;

/// One symbol's day.
#[derive(Clone, Debug, PartialEq)]
pub struct DayBar {
    /// Venue symbol.
    pub symbol: String,
    /// Midnight UTC at the start of the day.
    pub day_ns: u64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Traded quantity.
    pub volume: f64,
}

impl DayBar {
    /// When the whole day is known.
    #[must_use]
    pub fn known_at(&self) -> u64 {
        self.day_ns + CLOSE_AFTER_MIDNIGHT_NS
    }
}

/// Day bars of many symbols, as of any instant.
pub struct Days {
    collection: Collection,
    /// Every symbol with a day: questions name symbols far more often than days are stored.
    symbols: RwLock<BTreeSet<String>>,
}

impl Days {
    /// The collection itself.
    #[must_use]
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// Opens or makes the collection in `dir`.
    ///
    /// # Errors
    /// As the collection says.
    pub fn open(dir: &Path, settings: Settings) -> Result<(Self, Recovery), Error> {
        let (collection, recovery) = Collection::open(dir, settings)?;
        let stored = collection.scroll(None, &AsOf::Now, None, usize::MAX)?;
        let symbols = stored.iter().filter_map(|found| symbol(&found.point));
        let symbols = RwLock::new(symbols.map(str::to_owned).collect());
        Ok((
            Self {
                collection,
                symbols,
            },
            recovery,
        ))
    }

    /// How many days are stored.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.collection.stats().points
    }

    /// Stores days; one that is there already is replaced.
    ///
    /// # Errors
    /// When the log refuses; batches before the failing one are stored.
    pub fn store(&self, bars: &[DayBar]) -> Result<(), Fault> {
        let mut ordered: Vec<&DayBar> = bars.iter().collect();
        ordered.sort_by(|a, b| {
            a.day_ns
                .cmp(&b.day_ns)
                .then_with(|| a.symbol.cmp(&b.symbol))
        });
        let mut previous = std::collections::HashMap::new();
        let mut ops = Vec::with_capacity(BATCH);
        for bar in ordered {
            let before = previous.insert(bar.symbol.as_str(), bar).cloned();
            let before = before.or_else(|| self.before(&bar.symbol, bar.day_ns));
            ops.push(Op::Upsert(point(bar, before.as_ref())));
            if ops.len() == BATCH {
                self.write(std::mem::take(&mut ops))?;
            }
        }
        if !ops.is_empty() {
            self.write(ops)?;
        }
        let mut symbols = self.symbols.write().unwrap_or_else(PoisonError::into_inner);
        symbols.extend(bars.iter().map(|bar| bar.symbol.clone()));
        Ok(())
    }

    fn write(&self, ops: Vec<Op>) -> Result<(), Fault> {
        let ack = self.collection.apply(ops);
        ack.map(drop)
            .map_err(|e| Fault::unavailable("memory", e.to_string()))
    }

    fn before(&self, symbol: &str, day_ns: u64) -> Option<DayBar> {
        let gte = day_ns.saturating_sub(PREVIOUS_DAYS * DAY_NS);
        self.range(symbol, gte, day_ns.checked_sub(1)?, &AsOf::Now)
            .pop()
    }

    /// Days of `symbol` that start in `[from_ns, to_ns]` and were known as of the instant, oldest
    /// first.
    fn range(&self, symbol: &str, from_ns: u64, to_ns: u64, as_of: &AsOf) -> Vec<DayBar> {
        let value = Value::Str(symbol.to_owned());
        let must = vec![
            Condition::Any {
                field: "symbol".to_owned(),
                values: vec![value],
            },
            Condition::EventAt {
                gte: Some(from_ns),
                lte: Some(to_ns),
            },
        ];
        let filter = Filter {
            must,
            must_not: Vec::new(),
        };
        let found = self
            .collection
            .scroll(Some(&filter), as_of, None, usize::MAX);
        // A poisoned collection has no days to show; /readyz says why.
        let found = found.unwrap_or_default();
        let mut bars: Vec<DayBar> = found.iter().filter_map(|s| bar(&s.point)).collect();
        bars.sort_by_key(|bar| bar.day_ns);
        bars
    }

    /// The newest day of `symbol` known as of the instant, with the one before it.
    #[must_use]
    pub fn newest(&self, symbol: &str, as_of: Option<u64>) -> Option<(DayBar, Option<DayBar>)> {
        let at = as_of.map_or(AsOf::Now, AsOf::Known);
        let to_ns = as_of.unwrap_or(u64::MAX);
        let recent = to_ns.saturating_sub(PREVIOUS_DAYS * DAY_NS);
        let mut bars = self.range(symbol, if as_of.is_some() { recent } else { 0 }, to_ns, &at);
        let last = bars.pop()?;
        Some((last, bars.pop()))
    }

    /// The newest known day as facts for an answer.
    #[must_use]
    pub fn facts(&self, symbol: &str, as_of: Option<u64>) -> Option<SymbolFacts> {
        let (day, before) = self.newest(symbol, as_of)?;
        Some(SymbolFacts {
            symbol: day.symbol.clone(),
            at: day.known_at(),
            last: Some(day.close),
            open: Some(before.as_ref().map_or(day.open, |b| b.close)),
            open_at: Some(before.as_ref().map_or(day.day_ns, DayBar::known_at)),
            volume: Some(day.volume),
            integrity: "ok".to_owned(),
            ..SymbolFacts::default()
        })
    }

    /// Symbols by the size of their newest known day's change.
    #[must_use]
    pub fn movers(&self, as_of: Option<u64>, n: usize) -> Vec<Mover> {
        let mut movers: Vec<Mover> = self
            .symbols()
            .iter()
            .filter_map(|symbol| {
                let facts = self.facts(symbol, as_of)?;
                Some(Mover {
                    symbol: symbol.clone(),
                    move_bp: facts.change_bp()?,
                    at: facts.at,
                })
            })
            .collect();
        let newest = movers.iter().map(|m| m.at).max().unwrap_or(0);
        movers.retain(|m| m.at == newest);
        movers.sort_by(|a, b| b.move_bp.abs().total_cmp(&a.move_bp.abs()));
        movers.truncate(n);
        movers
    }

    /// How many symbols have a day.
    #[must_use]
    pub fn symbol_count(&self) -> usize {
        let symbols = self.symbols.read().unwrap_or_else(PoisonError::into_inner);
        symbols.len()
    }

    /// Every symbol with a day.
    #[must_use]
    pub fn symbols(&self) -> Vec<String> {
        let symbols = self.symbols.read().unwrap_or_else(PoisonError::into_inner);
        symbols.iter().cloned().collect()
    }
}

/// Reads `date,ticker,open,high,low,close[,adj_close],volume` with a header line.
///
/// # Errors
/// A sentence with the line's number and what is wrong in it; nothing is returned then.
pub fn read_csv(reader: impl Read) -> Result<Vec<DayBar>, String> {
    let mut table = csv::Reader::from_reader(reader);
    let headers = table
        .headers()
        .map_err(|e| format!("day bars: {e}"))?
        .clone();
    let column = |names: &[&str]| -> Result<usize, String> {
        let found = headers.iter().position(|h| names.contains(&h.trim()));
        found.ok_or_else(|| {
            format!(
                "day bars: no column {}; the header has {}",
                names.join(" or "),
                headers.iter().collect::<Vec<_>>().join(", ")
            )
        })
    };
    let date = column(&["date"])?;
    let symbol = column(&["ticker", "symbol"])?;
    let numbers = ["open", "high", "low", "close", "volume"].map(|name| column(&[name]));
    let [open, high, low, close, volume] = numbers;
    let (open, high, low, close, volume) = (open?, high?, low?, close?, volume?);
    let mut bars = Vec::new();
    for (idx, row) in table.records().enumerate() {
        let line = idx + 2;
        let row = row.map_err(|e| format!("day bars, line {line}: {e}"))?;
        let number = |column: usize| -> Result<f64, String> {
            let text = row.get(column).unwrap_or_default();
            let value = text
                .trim()
                .parse::<f64>()
                .ok()
                .filter(|v| v.is_finite() && *v >= 0.0);
            value.ok_or_else(|| {
                format!("day bars, line {line}: {text:?} is not a price or quantity")
            })
        };
        let text = row.get(date).unwrap_or_default().trim();
        let day = text.parse::<jiff::civil::Date>().ok().and_then(midnight_ns);
        bars.push(DayBar {
            symbol: row.get(symbol).unwrap_or_default().trim().to_owned(),
            day_ns: day.ok_or_else(|| {
                format!("day bars, line {line}: {text:?} is not a date; write 2014-01-28")
            })?,
            open: number(open)?,
            high: number(high)?,
            low: number(low)?,
            close: number(close)?,
            volume: number(volume)?,
        });
    }
    Ok(bars)
}

fn midnight_ns(date: jiff::civil::Date) -> Option<u64> {
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    u64::try_from(midnight.as_nanosecond()).ok()
}

fn point(day: &DayBar, before: Option<&DayBar>) -> Point {
    let mut payload = Payload::default();
    payload
        .0
        .insert("symbol".to_owned(), Value::Str(day.symbol.clone()));
    for (name, value) in [
        ("open", day.open),
        ("high", day.high),
        ("low", day.low),
        ("close", day.close),
        ("volume", day.volume),
    ] {
        payload.0.insert(name.to_owned(), Value::Float(value));
    }
    Point {
        id: format!("{}/1d/{}", day.symbol, day.day_ns / DAY_NS),
        vector: shape(day, before).to_vec(),
        text: String::new(),
        payload,
        event_at: day.day_ns,
        known_at: day.known_at(),
    }
}

/// Scale-free, so that days of different symbols and years can be compared.
fn shape(day: &DayBar, before: Option<&DayBar>) -> [f32; SHAPE_DIM] {
    let reference = before.map_or(day.open, |b| b.close);
    let volume_before = before.map_or(day.volume, |b| b.volume);
    [
        log_ratio(day.close, reference),
        log_ratio(day.high, day.low),
        log_ratio(day.open, reference),
        log_ratio(day.volume, volume_before),
    ]
}

fn log_ratio(a: f64, b: f64) -> f32 {
    if a > 0.0 && b > 0.0 {
        (a / b).ln() as f32
    } else {
        0.0
    }
}

fn symbol(point: &Point) -> Option<&str> {
    match point.payload.0.get("symbol") {
        Some(Value::Str(symbol)) => Some(symbol),
        _ => None,
    }
}

fn bar(point: &Point) -> Option<DayBar> {
    let number = |name: &str| match point.payload.0.get(name) {
        Some(Value::Float(value)) => Some(*value),
        _ => None,
    };
    Some(DayBar {
        symbol: symbol(point)?.to_owned(),
        day_ns: point.event_at,
        open: number("open")?,
        high: number("high")?,
        low: number("low")?,
        close: number("close")?,
        volume: number("volume")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "date,ticker,open,high,low,close,adj_close,volume\n\
        2014-01-27,AAPL,78.5,79.2,77.9,78.6,73.1,138719700\n\
        2014-01-28,AAPL,72.6,73.5,71.7,72.3,67.3,266380800\n";

    #[test]
    fn a_day_is_known_from_its_close_on() {
        let bars = read_csv(CSV.as_bytes()).expect("reads");
        let dir = tempfile::tempdir().expect("dir");
        let settings = crate::memory::day_settings(collection::SyncPolicy::Never);
        let (days, _) = Days::open(dir.path(), settings).expect("opens");
        days.store(&bars).expect("stores");
        let close = bars[1].known_at();
        let at = |as_of| days.facts("AAPL", as_of).and_then(|f| f.last);
        assert_eq!(at(Some(close)), Some(72.3));
        assert_eq!(at(Some(close - 1)), Some(78.6));
        assert_eq!(at(Some(bars[0].known_at() - 1)), None);
        let movers = days.movers(Some(close), 5);
        assert!((movers[0].move_bp - -801.5).abs() < 0.1, "{movers:?}");
        assert_eq!(days.symbols(), ["AAPL"]);
    }

    #[test]
    fn bad_rows_are_named() {
        let check = |csv: &str, word: &str| {
            let why = read_csv(csv.as_bytes()).expect_err("refused");
            assert!(why.contains(word), "{why}");
        };
        check("date,ticker,open\n", "no column high");
        check(
            "date,ticker,open,high,low,close,volume\n2014-99-01,A,1,1,1,1,1\n",
            "line 2",
        );
        check(
            "date,ticker,open,high,low,close,volume\n2014-01-01,A,1,x,1,1,1\n",
            "\"x\"",
        );
    }
}
