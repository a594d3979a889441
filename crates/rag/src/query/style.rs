//! How a search is put: as a question, as a statement, or as words.
//!
//! A sentence carries a meaning that a vector can be of; a few words are mostly there to be found.

use crate::prose::words;

/// How a search is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// Asks: a question mark, or a word that begins questions.
    Question,
    /// Says: ends like a sentence.
    Statement,
    /// Names: everything else, headlines among it.
    Keywords,
}

impl Style {
    /// Reads it off the words and marks.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let trimmed = text.trim_end();
        let first = words(trimmed).first().map(|word| word.lower());
        let asks = first.is_some_and(|word| ASKING.contains(&word.as_str()));
        if asks || trimmed.contains('?') {
            Self::Question
        } else if trimmed.ends_with(['.', '!']) {
            Self::Statement
        } else {
            Self::Keywords
        }
    }
}

#[rustfmt::skip]
const ASKING: &[&str] = &[
    "what", "who", "whom", "whose", "when", "where", "which", "why", "how", "did", "does", "do",
    "is", "are", "was", "were", "has", "have", "had", "can", "could", "will", "would", "should",
    "explain", "tell", "describe", "what's", "who's", "how's",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_told_apart() {
        for (text, want) in [
            (
                "What is the company paid on a cost-plus contract?",
                Style::Question,
            ),
            ("why did AAPL move", Style::Question),
            ("In 2022, which segment grew?", Style::Question),
            ("Aspirin inhibits the production of PGE2.", Style::Statement),
            ("red lion inns files plans offering", Style::Keywords),
            ("guidance cut", Style::Keywords),
            ("", Style::Keywords),
        ] {
            assert_eq!(Style::of(text), want, "{text}");
        }
    }
}
