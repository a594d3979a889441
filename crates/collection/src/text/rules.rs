//! What a collection's texts go by, kept with the collection.

use std::fmt;

use super::settings::{Language, StopWords, TextSettings};
use super::{Analyser, Bm25};

/// How a collection reads and ranks texts. Fixed when it is created: an index of stems is of no use to whole
/// words, and scores of yesterday should be those of today.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextRules {
    /// How words become terms.
    pub reading: TextSettings,
    /// How texts rank that no search gives other knobs for.
    pub bm25: Bm25,
}

/// The largest `k1` that is taken: from there on repetition counts in full.
const K1_MAX: f32 = 1000.0;
const STOP_NONE: u8 = 0;
const STOP_ENGLISH: u8 = 1;
const STOP_LIST: u8 = 2;

impl TextRules {
    /// What is wrong with the knobs; `None` where nothing is.
    #[must_use]
    pub fn flaw(&self) -> Option<String> {
        let Bm25 { k1, b } = self.bm25;
        if !(0.0..=K1_MAX).contains(&k1) {
            return Some(format!("k1 is {k1}, not within 0 to {K1_MAX}"));
        }
        if !(0.0..=1.0).contains(&b) {
            return Some(format!("b is {b}, not within 0 to 1"));
        }
        match &self.reading.stop_words {
            StopWords::List(words) if words.iter().any(|w| w.is_empty() || w.contains('\0')) => {
                Some("a stop word is empty or has a zero in it".to_owned())
            }
            _ => None,
        }
    }

    /// As they are kept: nothing where they are the default. Byte map: `docs/formats/collection-log.md`.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        if *self == Self::default() {
            return Vec::new();
        }
        let mut bytes = Vec::new();
        bytes.extend(self.bm25.k1.to_le_bytes());
        bytes.extend(self.bm25.b.to_le_bytes());
        bytes.push(self.reading.stemming.map_or(0, |language| language as u8));
        match &self.reading.stop_words {
            StopWords::None => bytes.push(STOP_NONE),
            StopWords::English => bytes.push(STOP_ENGLISH),
            StopWords::List(words) => {
                bytes.push(STOP_LIST);
                for word in words.iter() {
                    bytes.extend(word.as_bytes());
                    bytes.push(0);
                }
            }
        }
        bytes
    }

    /// From what [`to_bytes`](Self::to_bytes) made; `None` for anything else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let (k1, rest) = bytes.split_first_chunk()?;
        let (b, rest) = rest.split_first_chunk()?;
        let [language, stop, words @ ..] = rest else {
            return None;
        };
        let stemming = match language {
            0 => None,
            number => Some(Language::numbered(*number)?),
        };
        let stop_words = match (*stop, words) {
            (STOP_NONE, []) => StopWords::None,
            (STOP_ENGLISH, []) => StopWords::English,
            (STOP_LIST, words) => {
                let words = std::str::from_utf8(words).ok()?;
                StopWords::list(words.split_terminator('\0'))
            }
            _ => return None,
        };
        let rules = Self {
            reading: TextSettings {
                stemming,
                stop_words,
            },
            bm25: Bm25 {
                k1: f32::from_le_bytes(*k1),
                b: f32::from_le_bytes(*b),
            },
        };
        rules.flaw().is_none().then_some(rules)
    }
}

impl fmt::Display for TextRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reading.stemming {
            Some(language) => write!(f, "{language:?} stems, ")?,
            None => write!(f, "whole words, ")?,
        }
        match &self.reading.stop_words {
            StopWords::None => write!(f, "no stop words")?,
            StopWords::English => write!(f, "English stop words")?,
            StopWords::List(words) => write!(f, "{} own stop words", words.len())?,
        }
        write!(f, ", k1 {}, b {}", self.bm25.k1, self.bm25.b)
    }
}

/// Rules with the reader that they make.
pub(crate) struct TextReader {
    pub(crate) rules: TextRules,
    pub(crate) analyser: Analyser,
}

impl TextReader {
    pub(crate) fn new(rules: TextRules) -> Self {
        Self {
            analyser: Analyser::new(&rules.reading),
            rules,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(k1: f32, stemming: Option<Language>, stop_words: StopWords) -> TextRules {
        TextRules {
            reading: TextSettings {
                stemming,
                stop_words,
            },
            bm25: Bm25 { k1, b: 0.5 },
        }
    }

    #[test]
    fn rules_are_read_as_they_were_written() {
        for rules in [
            TextRules::default(),
            rules(1.2, None, StopWords::None),
            rules(1.2, Some(Language::German), StopWords::English),
            rules(
                0.0,
                Some(Language::Turkish),
                StopWords::list(["der", "die", "und"]),
            ),
            rules(0.0, None, StopWords::list([])),
        ] {
            let bytes = rules.to_bytes();
            assert_eq!(bytes.is_empty(), rules == TextRules::default());
            assert_eq!(TextRules::from_bytes(&bytes).as_ref(), Some(&rules));
            for cut in 1..bytes.len().min(10) {
                assert_eq!(TextRules::from_bytes(&bytes[..cut]), None, "{rules}");
            }
        }
    }

    #[test]
    fn knobs_out_of_range_are_flaws() {
        for k1 in [-0.1, f32::NAN, f32::INFINITY] {
            let rules = rules(k1, None, StopWords::None);
            assert!(rules.flaw().is_some_and(|why| why.contains("k1")));
            assert_eq!(TextRules::from_bytes(&rules.to_bytes()), None);
        }
        let mut rules = TextRules::default();
        rules.bm25.b = 1.5;
        assert!(rules.flaw().is_some_and(|why| why.contains('b')));
    }
}
