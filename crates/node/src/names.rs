//! Company names by ticker: a packaged table of large US companies, and whatever a feed adds.

use std::collections::BTreeMap;

/// Ticker to company name.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<String, String>);

/// S&P 500 constituents; see `assets/README.md` for the source.
const PACKAGED: &str = include_str!("../assets/us-names.csv");

impl Names {
    /// The packaged table.
    #[must_use]
    pub fn packaged() -> Self {
        let mut names = Self::default();
        let mut reader = csv::Reader::from_reader(PACKAGED.as_bytes());
        for row in reader.records().flatten() {
            if let (Some(symbol), Some(name)) = (row.get(0), row.get(1)) {
                names.insert(symbol, name);
            }
        }
        names
    }

    /// Adds or replaces one name.
    pub fn insert(&mut self, symbol: &str, name: &str) {
        self.0.insert(symbol.to_owned(), name.to_owned());
    }

    /// The name of `symbol`, if known.
    #[must_use]
    pub fn get(&self, symbol: &str) -> Option<&str> {
        self.0.get(symbol).map(String::as_str)
    }

    /// Every pair, by ticker.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(symbol, name)| (symbol.as_str(), name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packaged_table_knows_large_companies() {
        let names = Names::packaged();
        assert_eq!(names.get("AAPL"), Some("Apple Inc."));
        assert_eq!(names.get("BRK.B"), Some("Berkshire Hathaway"));
        assert!(names.iter().count() > 490);
    }
}
