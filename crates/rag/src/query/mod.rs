//! What a question asks, read by rules: which symbols, which instant, why or what, up or down.
//!
//! Rules and not a model, because a wrong reading must be explainable and the same tomorrow.

pub mod class;
pub mod names;
mod period;
pub mod rewrite;
mod style;
mod vocabulary;
pub mod when;

use std::collections::BTreeSet;

pub use class::{Class, Direction};
pub use names::{Mention, Names};
pub use style::Style;
pub use when::Span;

use crate::prose::{content_stems, word::is_stop, words};

/// A question, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What kind of answer is wanted.
    pub class: Class,
    /// How it is put.
    pub style: Style,
    /// Symbols meant, in order of mention; the caller's own choice first.
    pub symbols: Vec<String>,
    /// Capitalised names that are no symbol we know, lower case: `bankamerica`.
    pub entities: Vec<String>,
    /// Those of them that are written like a symbol, as written: `ZZZZ`.
    pub tickers: Vec<String>,
    /// The direction the question takes for granted.
    pub direction: Option<Direction>,
    /// The time the question names.
    pub when: Option<Span>,
    /// The year that figures are asked of.
    pub year: Option<Span>,
    /// Stems of its telling words.
    pub stems: BTreeSet<String>,
}

impl Query {
    /// Reads a question. `now_ns` is the instant that "today" refers to.
    #[must_use]
    pub fn read(q: &str, symbol: Option<&str>, names: &Names, now_ns: u64) -> Self {
        let mut symbols: Vec<String> = symbol
            .map(str::trim)
            .filter(|s| !s.is_empty())
            .map(|s| s.trim_start_matches('$').to_uppercase())
            .into_iter()
            .collect();
        for mention in names.in_question(q) {
            if !symbols.contains(&mention.symbol) {
                symbols.push(mention.symbol);
            }
        }
        let entities = if symbols.is_empty() {
            entities(q)
        } else {
            Vec::new()
        };
        let tickers = tickers(q, &entities);
        let known = !symbols.is_empty() || !entities.is_empty();
        Self {
            class: Class::of(q, known),
            style: Style::of(q),
            direction: Direction::of(q),
            when: when::find(q, now_ns),
            year: period::year(q),
            stems: content_stems(q),
            symbols,
            entities,
            tickers,
        }
    }
}

/// The entities that stand in the question in capitals, as short as symbols are. Read only beside
/// a `why`: elsewhere capitals are mostly abbreviations.
fn tickers(q: &str, entities: &[String]) -> Vec<String> {
    if Class::of(q, true) != Class::WhyMoved {
        return Vec::new();
    }
    let found = words(q);
    let written = |entity: &String| {
        let word = found
            .iter()
            .find(|w| w.lower() == *entity && w.is_upper())?;
        let short = word.text.len() <= 5 && word.text.chars().all(|c| c.is_ascii_alphabetic());
        short.then(|| word.text.to_owned())
    };
    entities.iter().filter_map(written).collect()
}

/// Capitalised words after the first one that are neither stop words nor calendar words.
pub(crate) fn entities(q: &str) -> Vec<String> {
    let found = words(q);
    let shouted = found.iter().all(|w| w.is_upper() || w.is_number());
    let mut entities = Vec::new();
    for word in found.iter().skip(1) {
        let lower = word.lower();
        let name = word.is_capital() && !shouted && !is_stop(&lower) && !when::is_calendar(&lower);
        let generic =
            ["inc", "corp", "co", "ltd", "plc", "utc", "ceo", "us"].contains(&lower.as_str());
        if name && !generic && !entities.contains(&lower) {
            entities.push(lower);
        }
    }
    entities
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::SymbolName;
    use proptest::prelude::*;

    #[test]
    fn a_why_question_is_understood_whole() {
        let names = Names::new(&[SymbolName {
            symbol: "AAPL".into(),
            name: Some("Apple Inc.".into()),
        }]);
        let now = 1_400_000_000_000_000_000;
        let query = Query::read("Why did Apple fall on 28 January 2014?", None, &names, now);
        assert_eq!(query.class, Class::WhyMoved);
        assert_eq!(query.symbols, ["AAPL"]);
        assert_eq!(query.direction, Some(Direction::Down));
        let when = query.when.expect("a date is named");
        assert_eq!(when.to - when.from, 86_400_000_000_000 - 1);
        let other = Query::read("Why did BankAmerica Corp shares fall?", None, &names, now);
        assert_eq!(
            (other.class, other.entities),
            (Class::WhyMoved, vec!["bankamerica".into()])
        );
    }

    proptest! {
        #[test]
        fn any_question_is_read_without_panic(q in "\\PC{0,120}", at in any::<u64>()) {
            let names = Names::new(&[SymbolName { symbol: "ALL".into(), name: Some("All & Co".into()) }]);
            let _ = Query::read(&q, None, &names, at);
        }

        #[test]
        fn any_mix_of_our_own_words_is_read_without_panic(
            q in "((why|WHY|in the last|ago|on|January|24th|2014|99999999999|2014-13-45|at 25:99|\\$|ALL|stock|é|,|minutes|0) ?){0,12}",
            at in any::<u64>(),
        ) {
            let names = Names::new(&[SymbolName { symbol: "ALL".into(), name: Some("All & Co".into()) }]);
            let _ = Query::read(&q, None, &names, at);
        }
    }
}
