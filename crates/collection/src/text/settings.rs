//! How a collection's texts are read.

use std::sync::Arc;

use rust_stemmers::{Algorithm, Stemmer};

/// How words become terms: the same for texts and queries, and fixed for the life of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSettings {
    /// Whose endings are cut off; `None` keeps words as they are written.
    pub stemming: Option<Language>,
    /// The words that are not indexed.
    pub stop_words: StopWords,
}

impl Default for TextSettings {
    /// English, for both.
    fn default() -> Self {
        Self {
            stemming: Some(Language::English),
            stop_words: StopWords::English,
        }
    }
}

/// Which words are too common to index. Those left out keep their place, so that a phrase knows of
/// the gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopWords {
    /// Lucene's 33 words of English.
    English,
    /// Every word is indexed.
    None,
    /// These words, in lower case and before stemming.
    List(Arc<[Box<str>]>),
}

impl StopWords {
    /// These words, in any case and order.
    #[must_use]
    pub fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words: Vec<Box<str>> = words
            .into_iter()
            .map(|word| word.to_lowercase().into())
            .collect();
        words.sort_unstable();
        words.dedup();
        Self::List(words.into())
    }

    pub(super) fn has(&self, word: &str) -> bool {
        match self {
            Self::English => ENGLISH.binary_search(&word).is_ok(),
            Self::None => false,
            Self::List(words) => words.binary_search_by(|held| (**held).cmp(word)).is_ok(),
        }
    }
}

/// Sorted.
const ENGLISH: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
];

/// The languages that Snowball's stemmers know. The numbers are those of
/// `docs/formats/text-segment.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "a language's name says it all")]
pub enum Language {
    Arabic = 1,
    Danish = 2,
    Dutch = 3,
    English = 4,
    Finnish = 5,
    French = 6,
    German = 7,
    Greek = 8,
    Hungarian = 9,
    Italian = 10,
    Norwegian = 11,
    Portuguese = 12,
    Romanian = 13,
    Russian = 14,
    Spanish = 15,
    Swedish = 16,
    Tamil = 17,
    Turkish = 18,
}

impl Language {
    const ALL: [Self; 18] = [
        Self::Arabic,
        Self::Danish,
        Self::Dutch,
        Self::English,
        Self::Finnish,
        Self::French,
        Self::German,
        Self::Greek,
        Self::Hungarian,
        Self::Italian,
        Self::Norwegian,
        Self::Portuguese,
        Self::Romanian,
        Self::Russian,
        Self::Spanish,
        Self::Swedish,
        Self::Tamil,
        Self::Turkish,
    ];

    /// The language of that number in files.
    pub(super) fn numbered(number: u8) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|language| *language as u8 == number)
    }

    /// The language of that English name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|language| format!("{language:?}").eq_ignore_ascii_case(name))
    }

    /// Every language's English name.
    #[must_use]
    pub fn names() -> Vec<String> {
        Self::ALL
            .iter()
            .map(|l| format!("{l:?}").to_lowercase())
            .collect()
    }

    pub(super) fn stemmer(self) -> Stemmer {
        Stemmer::create(match self {
            Self::Arabic => Algorithm::Arabic,
            Self::Danish => Algorithm::Danish,
            Self::Dutch => Algorithm::Dutch,
            Self::English => Algorithm::English,
            Self::Finnish => Algorithm::Finnish,
            Self::French => Algorithm::French,
            Self::German => Algorithm::German,
            Self::Greek => Algorithm::Greek,
            Self::Hungarian => Algorithm::Hungarian,
            Self::Italian => Algorithm::Italian,
            Self::Norwegian => Algorithm::Norwegian,
            Self::Portuguese => Algorithm::Portuguese,
            Self::Romanian => Algorithm::Romanian,
            Self::Russian => Algorithm::Russian,
            Self::Spanish => Algorithm::Spanish,
            Self::Swedish => Algorithm::Swedish,
            Self::Tamil => Algorithm::Tamil,
            Self::Turkish => Algorithm::Turkish,
        })
    }
}

/// Grows when the same settings begin to read the same text differently, so that an index of the
/// old terms is not searched for the new ones.
const ANALYSIS_VERSION: u8 = 1;

impl TextSettings {
    /// A number that indexes carry, to be opened by the settings that wrote them and no others.
    pub(super) fn fingerprint(&self) -> u32 {
        let mut hash = crc32fast::Hasher::new();
        hash.update(&[
            ANALYSIS_VERSION,
            self.stemming.map_or(0, |language| language as u8),
        ]);
        match &self.stop_words {
            StopWords::None => hash.update(&[0]),
            StopWords::English => hash.update(&[1]),
            StopWords::List(words) => {
                hash.update(&[2]);
                for word in words.iter() {
                    hash.update(word.as_bytes());
                    hash.update(&[0]);
                }
            }
        }
        hash.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_english_list_is_sorted() {
        assert!(ENGLISH.is_sorted());
    }

    #[test]
    fn other_settings_are_another_index() {
        let default = TextSettings::default();
        let own = |words: &[&str]| TextSettings {
            stop_words: StopWords::list(words.iter().copied()),
            ..default.clone()
        };
        let prints = [
            default.fingerprint(),
            own(&["ab", "c"]).fingerprint(),
            own(&["a", "bc"]).fingerprint(),
            TextSettings {
                stemming: Some(Language::German),
                ..default.clone()
            }
            .fingerprint(),
            TextSettings {
                stemming: None,
                stop_words: StopWords::None,
            }
            .fingerprint(),
        ];
        for (at, print) in prints.iter().enumerate() {
            assert!(!prints[..at].contains(print));
        }
        assert_eq!(
            own(&["C", "ab"]).fingerprint(),
            own(&["ab", "c"]).fingerprint()
        );
    }
}
