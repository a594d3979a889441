//! What is asked of the texts.

use super::analyse::{Analyser, has_lower_case};
use super::terms::Terms;

/// Words to rank by and phrases that must occur.
///
/// `rate "basis points" fed` ranks by all four words, as if there were no marks; the marks say that only texts
/// with "basis points" in a row may answer. Words of a phrase are read like any others: stemmed, and a
/// stop word stands for one word of any kind. A phrase of nothing but stop words says nothing. A mark without
/// a partner is a mark of inches: what follows it is plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextQuery {
    pub(super) terms: Terms,
    pub(super) phrases: Vec<Phrase>,
    size_bytes: usize,
}

/// Terms in a row: which of the query's, and how many words after the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phrase(pub(super) Vec<(usize, u32)>);

impl TextQuery {
    /// Words alone: marks are passed over.
    #[must_use]
    pub fn plain(text: &str, analyser: &Analyser) -> Self {
        Self {
            terms: analyser.read(text),
            phrases: Vec::new(),
            size_bytes: text.len(),
        }
    }

    /// All of `text` as one phrase, and nothing else of it; quotes within are passed over.
    #[must_use]
    pub fn phrase(text: &str, analyser: &Analyser) -> Self {
        Self::parse(&format!("\"{}\"", text.replace('"', " ")), analyser)
    }

    /// The words, each once.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Whether there is a phrase in it.
    #[must_use]
    pub fn has_phrases(&self) -> bool {
        !self.phrases.is_empty()
    }

    /// The words of phrases: a text without one of them has not all phrases.
    pub fn words_of_phrases(&self) -> impl Iterator<Item = &str> {
        let words = self.phrases.iter().flat_map(|phrase| &phrase.0);
        words.map(|&(term, _)| self.terms.text(term))
    }

    /// Whether all phrases occur in a text of these terms.
    #[must_use]
    pub fn phrases_occur_in(&self, text: &Terms) -> bool {
        self.phrases.iter().all(|phrase| {
            phrase.occurs(|term, places| {
                places.clear();
                // A word that the text has not stands nowhere in it.
                places.extend(text.places(self.terms.text(term)).unwrap_or_default());
            })
        })
    }

    /// Bytes of what was typed.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Words, and phrases in double quotes.
    #[must_use]
    pub fn parse(text: &str, analyser: &Analyser) -> Self {
        let mut query = Self::plain(text, analyser);
        let mixed_case = has_lower_case(text);
        let mut parts = text.split('"').skip(1);
        // What follows the last mark is no phrase: either it is closed, or it has no partner.
        while let (Some(quoted), Some(_)) = (parts.next(), parts.next()) {
            let phrase = analyser.gather(quoted, mixed_case, |found| {
                let mut first = None;
                let words = found.in_order().filter_map(|(term, place)| {
                    let offset = place - *first.get_or_insert(place);
                    Some((query.terms.position(term)?, offset))
                });
                words.collect::<Vec<_>>()
            });
            if !phrase.is_empty() {
                query.phrases.push(Phrase(phrase));
            }
        }
        query
    }
}

impl Phrase {
    /// Whether the phrase occurs, given the places of each of its words.
    pub(super) fn occurs(&self, mut places: impl FnMut(usize, &mut Vec<u32>)) -> bool {
        let (mut starts, mut found) = (Vec::new(), Vec::new());
        for (at, &(term, offset)) in self.0.iter().enumerate() {
            places(term, &mut found);
            if at == 0 {
                std::mem::swap(&mut starts, &mut found);
            } else {
                starts.retain(|start| found.binary_search(&start.saturating_add(offset)).is_ok());
            }
        }
        !starts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::TextSettings;

    fn phrases(text: &str) -> Vec<Vec<(String, u32)>> {
        let query = TextQuery::parse(text, &Analyser::new(&TextSettings::default()));
        assert_eq!(query.terms, crate::text::analyse(text), "{text:?}");
        let terms: Vec<_> = query.terms.iter().map(|t| t.text.to_owned()).collect();
        let words = |phrase: &Phrase| {
            let words = phrase.0.iter().map(|&(term, at)| (terms[term].clone(), at));
            words.collect()
        };
        query.phrases.iter().map(words).collect()
    }

    #[test]
    fn quotes_make_phrases() {
        let word = |text: &str, at| (text.to_owned(), at);
        let basis = vec![word("basi", 0), word("point", 1)];
        let cut = vec![word("cut", 0), word("rate", 3)];
        let two = "\"basis points\" \"the cut of the rate\"";
        assert_eq!(phrases(two), [basis, cut.clone()]);
        assert_eq!(phrases("rates \"cut the a rates\" fed"), [cut]);
        assert_eq!(phrases("a \"halt\""), [vec![word("halt", 0)]]);
    }

    #[test]
    fn marks_without_a_phrase_are_passed_over() {
        for text in [
            "6\" pipe",
            "\"\"",
            "\"of the\" rates",
            "\"",
            "a \"",
            "no marks",
        ] {
            assert!(phrases(text).is_empty(), "{text:?}");
        }
        assert_eq!(phrases("\"halt\" 6\" pipe").len(), 1);
    }
}
