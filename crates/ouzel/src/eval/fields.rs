//! What a record's fields mean, by the names that they usually have.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use rag::{Document, SymbolName};
use serde_json::{Map, Value};
use server::json::parse_instant;

pub type Row = Map<String, Value>;

const ID: &[&str] = &["_id", "id"];
const TEXT: &[&str] = &["text", "body", "contents"];
const QUESTION: &[&str] = &["text", "query", "question"];
const TITLE: &[&str] = &["title", "headline"];
const SYMBOL: &[&str] = &["symbols", "tickers", "symbol", "ticker"];
const COMPANY: &[&str] = &["company", "company_name"];
const INSTANT: &[&str] = &["event_at", "ts", "date", "published_at", "time", "known_at"];
const PERIOD: &[&str] = &["doc_period", "period", "fiscal_year", "year"];

/// Titles are kept to what a document may have; the rest stands in front of the text.
const TITLE_BYTES: usize = 2_048;
const SYMBOLS: usize = 64;
const DAY_NS: u64 = 86_400_000_000_000;

/// What a query's record says beside its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub symbols: Vec<String>,
    /// The day, as its first and last instant.
    pub day: Option<(u64, u64)>,
    pub as_of: Option<u64>,
}

/// A document; without a word its text is empty.
///
/// # Errors
/// Which field is missing or cannot be read.
pub fn document(row: &Row, without_title: bool) -> Result<Document, String> {
    let id = id(row)?;
    let text = match find(row, TEXT) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Null) => String::new(),
        Some(_) => return Err("its text is not a string".to_owned()),
        None => return Err(format!("no field {}", TEXT.join(" or "))),
    };
    let title = words(row, TITLE).filter(|_| !without_title);
    let (title, text) = match title {
        Some(title) if text.is_empty() => (None, title),
        Some(title) if title.len() > TITLE_BYTES => (None, format!("{title}\n{text}")),
        title => (title, text),
    };
    let event_at = instant(row)?.unwrap_or(0);
    Ok(Document {
        fields: rag::Fields::default(),
        id,
        title,
        text,
        source: words(row, &["source"]),
        symbols: symbols(row),
        url: words(row, &["url"]),
        event_at,
        known_at: event_at,
    })
}

/// The company of a record with one symbol.
pub fn name(row: &Row, symbols: &[String]) -> Option<SymbolName> {
    let [symbol] = symbols else { return None };
    Some(SymbolName {
        symbol: symbol.clone(),
        name: Some(words(row, COMPANY)?),
    })
}

/// A query's id and words.
///
/// # Errors
/// Which field is missing.
pub fn query(row: &Row) -> Result<(String, String), String> {
    let id = id(row)?;
    let text = words(row, QUESTION).ok_or(format!("no field {}", QUESTION.join(" or ")))?;
    Ok((id, text))
}

/// What a query's fields ask for.
///
/// # Errors
/// A time that cannot be read.
pub fn asked(row: &Row) -> Result<Asked, String> {
    let as_of = words(row, &["as_of"])
        .map(|at| parse_instant(&at))
        .transpose();
    let day = words(row, &["date", "day"])
        .map(|at| parse_instant(&at))
        .transpose()?;
    Ok(Asked {
        symbols: symbols(row),
        day: day.map(|at| {
            let midnight = at - at % DAY_NS;
            (midnight, midnight.saturating_add(DAY_NS - 1))
        }),
        as_of: as_of?,
    })
}

fn find<'a>(row: &'a Row, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| row.get(*name))
}

fn id(row: &Row) -> Result<String, String> {
    match find(row, ID) {
        Some(Value::String(id)) if !id.trim().is_empty() => Ok(id.clone()),
        Some(Value::Number(id)) => Ok(id.to_string()),
        Some(_) => Err("its id is neither text nor a number".to_owned()),
        None => Err(format!("no field {}", ID.join(" or "))),
    }
}

/// The first of these fields that has words in it.
fn words(row: &Row, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match row.get(*name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    })
}

fn symbols(row: &Row) -> Vec<String> {
    let mut symbols: Vec<String> = match find(row, SYMBOL) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => {
            let many = many.iter().filter_map(Value::as_str);
            many.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    symbols
        .iter_mut()
        .for_each(|s| *s = s.trim().to_uppercase());
    symbols.retain(|s| !s.is_empty());
    symbols.truncate(SYMBOLS);
    symbols
}

/// When it happened; of a period, when that was over.
fn instant(row: &Row) -> Result<Option<u64>, String> {
    for name in INSTANT {
        let found = match row.get(*name) {
            Some(Value::String(text)) if !text.trim().is_empty() => parse_instant(text),
            Some(Value::Number(number)) => parse_instant(&number.to_string()),
            _ => continue,
        };
        return found.map(Some).map_err(|why| format!("{name}: {why}"));
    }
    let period = find(row, PERIOD).map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    Ok(period.and_then(|period| period_end(&period)))
}

/// The last instant of `2022`, `FY2022`, `2022Q3`, `Q3 2022`; `None` for anything else.
fn period_end(period: &str) -> Option<u64> {
    let period = period.trim().to_uppercase();
    let period = period.strip_prefix("FY").unwrap_or(&period).trim();
    let (year, quarter) = match period.split_once('Q') {
        None => (period, 4),
        Some(("", rest)) => {
            let (quarter, year) = rest.split_at_checked(1)?;
            (year.trim(), quarter.parse().ok()?)
        }
        Some((year, quarter)) => (year.trim(), quarter.trim().parse().ok()?),
    };
    let year: i16 = year
        .parse()
        .ok()
        .filter(|year| (1970..2200).contains(year))?;
    let last: Date = match quarter {
        1..=4 => date(year, quarter * 3, 1).last_of_month(),
        _ => return None,
    };
    let next = last.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(u64::try_from(next.timestamp().as_nanosecond()).ok()? - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Row {
        serde_json::from_str(text).expect("an object")
    }

    #[test]
    fn records_of_several_layouts_are_documents() {
        let beir = document(&row(r#"{"_id": "a", "title": "T", "text": "x"}"#), false);
        let beir = beir.expect("reads");
        assert_eq!((beir.id.as_str(), beir.title.as_deref()), ("a", Some("T")));
        let wire = row(
            r#"{"id": 7, "ts": "1987-02-26T15:01:01.790", "title": "T", "body": "x", "tickers": ["bac"]}"#,
        );
        let story = document(&wire, true).expect("reads");
        assert_eq!((story.id.as_str(), story.title), ("7", None));
        assert_eq!(story.symbols, ["BAC"]);
        assert_eq!(story.event_at / DAY_NS, 6265);
        let bare = document(&row(r#"{"id": "a", "title": "T", "text": ""}"#), false);
        assert_eq!(bare.expect("reads").text, "T");
        assert!(document(&row(r#"{"id": "a"}"#), false).is_err());
        assert!(document(&row(r#"{"text": "a"}"#), false).is_err());
    }

    #[test]
    fn a_period_ends_with_its_last_instant() {
        let end = |text: &str| period_end(text).map(|at| (at + 1) / DAY_NS);
        assert_eq!(end("1970"), Some(365));
        assert_eq!(end("FY1970"), Some(365));
        assert_eq!(end("1970Q1"), Some(90));
        assert_eq!(end("Q2 1970"), Some(181));
        for text in ["", "next year", "1970Q5", "Q", "12"] {
            assert_eq!(end(text), None, "{text}");
        }
    }

    #[test]
    fn a_query_may_ask_for_a_symbol_and_a_day() {
        let asked = asked(&row(
            r#"{"id": "q", "text": "why", "ticker": "BAC", "date": "1970-01-02"}"#,
        ));
        let asked = asked.expect("reads");
        assert_eq!(asked.symbols, ["BAC"]);
        assert_eq!(asked.day, Some((DAY_NS, 2 * DAY_NS - 1)));
    }
}
