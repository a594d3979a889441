//! Reference data as it was loaded: the rows that lanes calculate with, and the text beside them.

use std::collections::HashMap;
use std::io::Read;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use market::event::{Price, Qty, Terms};
use market::reference::{Row, Table, padded};

/// What a file says of one symbol. Absent is unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// Venue text.
    pub symbol: String,
    /// Company or contract.
    pub name: Option<String>,
    /// Sector in words.
    pub sector: Option<String>,
    /// Registry number at the SEC.
    pub cik: Option<String>,
    /// ISO 4217 code or the venue's own.
    pub currency: Option<String>,
    /// Smallest price increment.
    pub tick_size: Option<Price>,
    /// Quantity traded in whole multiples.
    pub lot_size: Option<Qty>,
    /// Quantity below which an order is an odd lot.
    pub round_lot: Option<Qty>,
}

impl Listing {
    /// How it trades.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            tick_size: self.tick_size,
            lot_size: self.lot_size,
            round_lot: self.round_lot,
            currency: self.currency.as_deref().and_then(Terms::currency_of),
        }
    }

    /// With what the feed says, where it is silent itself.
    #[must_use]
    pub fn with_feed(mut self, feed: &Terms) -> Self {
        let terms = feed.updated(&self.terms());
        (self.tick_size, self.lot_size) = (terms.tick_size, terms.lot_size);
        self.round_lot = terms.round_lot;
        let currency = terms.currency.map(|text| {
            let text = String::from_utf8_lossy(&text).into_owned();
            text.trim_end().to_owned()
        });
        self.currency = self.currency.or(currency);
        self
    }
}

/// What was loaded, and what a lane is to have.
#[derive(Debug, Default)]
struct Loaded {
    table: Arc<Table>,
    listings: HashMap<String, Listing>,
    /// Sectors by number; 0 is none.
    sectors: Vec<String>,
    /// Tables that a lane may still hold: a lane never frees one.
    retired: Vec<Arc<Table>>,
}

/// The reference data of a node. Loading replaces all of it; lanes take it over between two packets.
#[derive(Debug, Default)]
pub struct ReferenceStore {
    loaded: RwLock<Loaded>,
    revision: AtomicU32,
}

impl ReferenceStore {
    /// Puts listings in force for events from `since_ns` on. The number of the new table.
    pub fn load(&self, listings: Vec<Listing>, since_ns: u64) -> u32 {
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let revision = self.revision.load(Ordering::Acquire) + 1;
        let mut sectors = vec![String::new()];
        let rows = listings.iter().enumerate().map(|(line, listing)| {
            let sector = listing.sector.as_deref().map_or(0, |sector| {
                let known = sectors.iter().position(|known| known == sector);
                known.unwrap_or_else(|| {
                    sectors.push(sector.to_owned());
                    sectors.len() - 1
                })
            });
            let row = Row {
                tick_size: listing.tick_size,
                lot_size: listing.lot_size,
                round_lot: listing.round_lot,
                currency: currency_of(listing.currency.as_deref().unwrap_or_default()),
                sector: u16::try_from(sector).unwrap_or(0),
                line: u32::try_from(line).unwrap_or(u32::MAX),
                revision,
            };
            (padded(&listing.symbol), row)
        });
        let table = Arc::new(Table::new(revision, since_ns, rows.collect()));
        let old = std::mem::replace(&mut loaded.table, table);
        loaded.retired.push(old);
        loaded.retired.retain(|table| Arc::strong_count(table) > 1);
        loaded.sectors = sectors;
        loaded.listings = listings
            .into_iter()
            .map(|listing| (listing.symbol.clone(), listing))
            .collect();
        self.revision.store(revision, Ordering::Release);
        revision
    }

    /// The number of the table in force; 0 before the first.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.revision.load(Ordering::Acquire)
    }

    /// The table in force.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&loaded.table)
    }

    /// What was loaded of a symbol.
    #[must_use]
    pub fn find(&self, symbol: &str) -> Option<Listing> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.listings.get(symbol).cloned()
    }

    /// Calls `each` with all that was loaded, in order of symbols.
    pub fn for_each(&self, mut each: impl FnMut(&Listing)) {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let mut listings: Vec<&Listing> = loaded.listings.values().collect();
        listings.sort_unstable_by(|a, b| a.symbol.cmp(&b.symbol));
        listings.into_iter().for_each(&mut each);
    }

    /// The other symbols of a symbol's sector, in order; none where it has no sector.
    #[must_use]
    pub fn peers(&self, symbol: &str) -> Vec<String> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let sector = loaded.listings.get(symbol).and_then(|l| l.sector.as_ref());
        let Some(sector) = sector else {
            return Vec::new();
        };
        let of_it = loaded
            .listings
            .values()
            .filter(|l| l.sector.as_ref() == Some(sector) && l.symbol != symbol);
        let mut peers: Vec<String> = of_it.map(|listing| listing.symbol.clone()).collect();
        peers.sort_unstable();
        peers
    }

    /// How many symbols, how many sectors.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        (
            loaded.listings.len(),
            loaded.sectors.len().saturating_sub(1),
        )
    }
}

fn currency_of(text: &str) -> [u8; 4] {
    let mut padded = [b' '; 4];
    for (place, byte) in padded.iter_mut().zip(text.bytes().filter(u8::is_ascii)) {
        *place = byte;
    }
    padded
}

/// Column names that mean the same, without case, spaces or underscores.
const COLUMNS: [(&str, &[&str]); 8] = [
    ("symbol", &["symbol", "ticker", "actsymbol"]),
    ("name", &["name", "securityname", "security", "companyname"]),
    ("sector", &["sector", "gicssector"]),
    ("cik", &["cik"]),
    ("currency", &["currency"]),
    ("tick_size", &["ticksize", "tick"]),
    ("lot_size", &["lotsize", "lot"]),
    ("round_lot", &["roundlot", "roundlotsize"]),
];

/// Reads CSV with a header that names a symbol column and any of name, sector, cik, currency,
/// `tick_size`, `lot_size`, `round_lot`; other columns are passed over, and so is the row that ends the listings
/// of NASDAQ with their time of creation.
///
/// # Errors
/// In words, with the line.
pub fn read_csv(reader: impl Read) -> Result<Vec<Listing>, String> {
    let mut reader = csv::Reader::from_reader(reader);
    let header = reader.headers().map_err(|e| e.to_string())?.clone();
    let plain = |text: &str| -> String {
        let kept = text.chars().filter(|c| c.is_alphanumeric());
        kept.flat_map(char::to_lowercase).collect()
    };
    let place = |field: &str| {
        let (_, names) = COLUMNS.iter().find(|(known, _)| *known == field)?;
        names
            .iter()
            .find_map(|name| header.iter().position(|column| plain(column) == *name))
    };
    let symbol = place("symbol").ok_or("the header names no column `symbol`")?;
    let fields = ["name", "sector", "cik", "currency"].map(place);
    let [name, sector, cik, currency] = fields;
    let [tick, lot, round_lot] = ["tick_size", "lot_size", "round_lot"].map(place);
    let mut listings = Vec::new();
    for (idx, record) in reader.records().enumerate() {
        let line = idx + 2;
        let record = record.map_err(|e| e.to_string())?;
        let text = |column: Option<usize>| {
            let text = record.get(column?).map(str::trim)?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        let Some(symbol) = text(Some(symbol)) else {
            continue;
        };
        if symbol.starts_with("File Creation Time") {
            continue;
        }
        let at = |what: &str| format!("line {line}, {symbol}: {what}");
        listings.push(Listing {
            name: text(name),
            sector: text(sector),
            cik: text(cik),
            currency: text(currency),
            tick_size: text(tick)
                .map(|text| price(&text).ok_or_else(|| at("tick_size is no price above zero")))
                .transpose()?,
            lot_size: text(lot)
                .map(|text| whole(&text).ok_or_else(|| at("lot_size is no whole number")))
                .transpose()?,
            round_lot: text(round_lot)
                .map(|text| whole(&text).ok_or_else(|| at("round_lot is no whole number")))
                .transpose()?,
            symbol,
        });
    }
    Ok(listings)
}

/// Exact decimal, up to nine digits behind the point.
#[must_use]
pub fn price(text: &str) -> Option<Price> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let units: i64 = format!("{fraction:0<9}").parse().ok()?;
    let whole: i64 = whole.parse().ok()?;
    let price = whole.checked_mul(Price::SCALE)?.checked_add(units)?;
    (price > 0).then_some(Price(price))
}

fn whole(text: &str) -> Option<Qty> {
    let text = text.strip_suffix(".0").unwrap_or(text);
    text.parse().ok().filter(|lot| *lot > 0).map(Qty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_read_under_the_names_that_files_use() {
        let text = "Symbol,Security,GICS Sector,CIK,Tick Size,Round Lot Size\n\
                    AAPL,Apple Inc.,Information Technology,0000320193,0.01,100\n\
                    F,Ford,Consumer,,,\n\
                    File Creation Time: 0801202621:32,,,,,\n";
        let listings = read_csv(text.as_bytes()).expect("it reads");
        assert_eq!(listings.len(), 2);
        assert_eq!(listings[0].tick_size, Some(Price(10_000_000)));
        assert_eq!(listings[0].round_lot, Some(Qty(100)));
        assert_eq!(listings[0].cik.as_deref(), Some("0000320193"));
        assert_eq!((listings[0].lot_size, listings[1].round_lot), (None, None));
        let store = ReferenceStore::default();
        assert_eq!(store.load(listings, 0), 1);
        let table = store.table();
        let row = table.find(&padded("AAPL")).expect("a row");
        assert_eq!((row.revision, row.sector, store.count()), (1, 1, (2, 2)));
        assert_eq!(store.load(Vec::new(), 5), 2);
        assert!(store.find("AAPL").is_none() && store.table().is_empty());
        assert_eq!(table.len(), 2, "whoever holds the old table still may");
    }

    #[test]
    fn the_feeds_word_stands_where_the_file_is_silent() {
        let listing = Listing {
            symbol: "ESH4".to_owned(),
            tick_size: Some(Price(5)),
            ..Listing::default()
        };
        let feed = Terms {
            tick_size: Some(Price(7)),
            round_lot: Some(Qty(1)),
            currency: Terms::currency_of("USD"),
            ..Terms::default()
        };
        let joined = listing.with_feed(&feed);
        assert_eq!(
            (joined.tick_size, joined.round_lot),
            (Some(Price(5)), Some(Qty(1)))
        );
        assert_eq!(
            (joined.lot_size, joined.currency.as_deref()),
            (None, Some("USD"))
        );
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let read = |text: &str| read_csv(text.as_bytes()).expect_err("refused");
        assert!(read("name\nApple\n").contains("no column `symbol`"));
        assert!(read("symbol,tick_size\nA,0.01\nB,abc\n").contains("line 3, B: tick_size"));
        assert!(read("symbol,lot_size\nA,1.5\n").contains("line 2, A: lot_size"));
        assert_eq!(price("0.0000000001"), None);
        assert_eq!(price("12"), Some(Price(12_000_000_000)));
    }
}
