//! The year that a question is about: `FY2022`, `in 2021`, `2023 Q2`, `between 2020 and 2022`.
//!
//! Filings and figures go by years. Of several the last one is meant: a change from one year to another is told in
//! the later report.

use jiff::civil::date;
use jiff::tz::TimeZone;

use crate::prose::words;
use crate::query::Span;

/// Years that are taken for years; other numbers of four digits are amounts.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2100;

/// The last calendar year that a text names, whole.
#[must_use]
pub fn year(text: &str) -> Option<Span> {
    let found = words(text);
    let years = found.iter().filter_map(|word| year_of(&word.lower()));
    let year = years.max()?;
    let start = |year: i16| {
        let midnight = date(year, 1, 1).to_zoned(TimeZone::UTC).ok()?;
        u64::try_from(midnight.timestamp().as_nanosecond()).ok()
    };
    Some(Span {
        from: start(year)?,
        to: start(year + 1)? - 1,
        relative: false,
    })
}

/// `2022`, `fy2022`, `2022q3`, `fy2022q3`, `2022's`.
fn year_of(word: &str) -> Option<i16> {
    let word = word.strip_suffix("'s").unwrap_or(word);
    let word = word.strip_prefix("fy").unwrap_or(word);
    let year = match word.split_once('q') {
        Some((year, "1" | "2" | "3" | "4")) => year,
        Some(_) => return None,
        None => word,
    };
    let whole = year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit());
    let year = year.parse().ok().filter(|_| whole)?;
    YEARS.contains(&year).then_some(year)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_NS: u64 = 365 * 86_400_000_000_000;

    #[test]
    fn the_last_year_named_is_meant() {
        let years = |text: &str| year(text).map(|span| 1970 + span.from / YEAR_NS);
        for text in [
            "What is the FY2018 capital expenditure?",
            "revenue from FY2017 to FY2018",
            "growth in 2018 over 2017",
            "net income in 2018Q3",
            "as of FY2018Q1",
            "on August 30, 2018",
            "2018's dividend",
        ] {
            assert_eq!(years(text), Some(2018), "{text}");
        }
        for text in [
            "",
            "in Q2",
            "2,018 shares",
            "$20180",
            "1800 stores",
            "FY18",
            "2018x",
        ] {
            assert_eq!(years(text), None, "{text}");
        }
    }

    #[test]
    fn a_year_is_whole() {
        let span = year("1970").expect("a year");
        assert_eq!((span.from, span.to), (0, YEAR_NS - 1));
    }
}
