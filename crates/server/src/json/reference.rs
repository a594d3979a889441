//! Reference data as files and people write it.

use market::event::Qty;
use node::reference::{Listing, price, read_csv};
use serde::{Deserialize, Serialize};

/// One line of JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    symbol: String,
    name: Option<String>,
    sector: Option<String>,
    cik: Option<String>,
    currency: Option<String>,
    tick_size: Option<serde_json::Number>,
    lot_size: Option<u64>,
    round_lot: Option<u64>,
}

/// Reads CSV with a header, or one JSON object a line.
///
/// # Errors
/// In words, with the line.
pub fn parse(text: &[u8]) -> Result<Vec<Listing>, String> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return read_csv(text);
    }
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(idx, line)| {
            let at = |why: String| format!("line {}: {why}", idx + 1);
            let line: Line = super::from_object(line).map_err(at)?;
            let tick_size = line.tick_size.map(|tick| {
                let tick = tick.to_string();
                price(&tick).ok_or_else(|| at(format!("tick_size {tick} is no price above zero")))
            });
            Ok(Listing {
                symbol: line.symbol,
                name: line.name,
                sector: line.sector,
                cik: line.cik,
                currency: line.currency,
                tick_size: tick_size.transpose()?,
                lot_size: line.lot_size.filter(|lot| *lot > 0).map(Qty),
                round_lot: line.round_lot.filter(|lot| *lot > 0).map(Qty),
            })
        })
        .collect()
}

/// `/v1/reference/{symbol}`.
#[derive(Debug, Serialize)]
pub struct ListingRow {
    symbol: String,
    name: Option<String>,
    sector: Option<String>,
    cik: Option<String>,
    currency: Option<String>,
    tick_size: Option<f64>,
    lot_size: Option<u64>,
    round_lot: Option<u64>,
    revision: u32,
}

impl ListingRow {
    /// A listing of the table `revision`; 0: the feed itself says it.
    #[must_use]
    pub fn new(listing: Listing, revision: u32) -> Self {
        Self {
            symbol: listing.symbol,
            name: listing.name,
            sector: listing.sector,
            cik: listing.cik,
            currency: listing.currency,
            tick_size: listing.tick_size.map(market::event::Price::to_f64),
            lot_size: listing.lot_size.map(|lot| lot.0),
            round_lot: listing.round_lot.map(|lot| lot.0),
            revision,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_json_and_csv_read_alike() {
        let json = br#"{"symbol": "A", "tick_size": 0.01, "lot_size": 100}

{"symbol": "B", "name": "Bee"}"#;
        let csv = b"symbol,name,tick_size,lot_size\nA,,0.01,100\nB,Bee,,\n";
        assert_eq!(parse(json), parse(csv));
        let why = parse(b"{\"symbol\": \"A\"}\n{\"symbol\": 3}").expect_err("refused");
        assert!(why.starts_with("line 2: "), "{why}");
    }
}
