//! Words, stop words and stems.

use std::collections::BTreeSet;

use rust_stemmers::{Algorithm, Stemmer};

/// A run of letters and digits, with what stood before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// As written.
    pub text: &'a str,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// A `$` stands right before it, or one space before: `$AAPL`, `$ aapl`.
    pub cashtag: bool,
}

impl Word<'_> {
    /// Lower case.
    #[must_use]
    pub fn lower(&self) -> String {
        self.text.to_lowercase()
    }

    /// At least one letter, and no lower-case one.
    #[must_use]
    pub fn is_upper(&self) -> bool {
        self.text.chars().any(char::is_uppercase) && !self.text.chars().any(char::is_lowercase)
    }

    /// Begins with an upper-case letter.
    #[must_use]
    pub fn is_capital(&self) -> bool {
        self.text.chars().next().is_some_and(char::is_uppercase)
    }

    /// Begins with a digit.
    #[must_use]
    pub fn is_number(&self) -> bool {
        self.text.starts_with(|c: char| c.is_ascii_digit())
    }
}

/// All words of a text. A number keeps its inner points and commas (`1,250.5`); a possessive
/// `'s` is left off; everything else that is not a letter or digit separates.
#[must_use]
pub fn words(text: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        if !first.is_alphanumeric() {
            continue;
        }
        let number = first.is_ascii_digit();
        let mut end = start + first.len_utf8();
        while let Some(&(at, next)) = chars.peek() {
            let inner = number && matches!(next, '.' | ',') && digit_follows(text, at);
            if !next.is_alphanumeric() && !inner {
                break;
            }
            chars.next();
            end = at + next.len_utf8();
        }
        let cashtag = !number && text[..start].trim_end_matches(' ').ends_with('$') && {
            let gap = start - text[..start].trim_end_matches(' ').len();
            gap <= 1
        };
        let possessive = &text[start..end] == "s"
            && (text[..start].ends_with('\'') || text[..start].ends_with('\u{2019}'))
            && found.last().is_some_and(|w: &Word<'_>| w.end < start);
        if !possessive {
            found.push(Word {
                text: &text[start..end],
                start,
                end,
                cashtag,
            });
        }
    }
    found
}

fn digit_follows(text: &str, at: usize) -> bool {
    text[at..]
        .chars()
        .nth(1)
        .is_some_and(|c| c.is_ascii_digit())
}

/// The distinct stems of a text's telling words: no stop words, no single letters.
#[must_use]
pub fn content_stems(text: &str) -> BTreeSet<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    words(text)
        .iter()
        .map(Word::lower)
        .filter(|w| is_content(w))
        .map(|w| stemmer.stem(&w).into_owned())
        .collect()
}

/// How many of `stems` the texts have between them: as many as their [`content_stems`] have in common with it, for a
/// fraction of the work. A stem begins as its word does, so only words that begin as one of `stems` are stemmed.
#[must_use]
pub fn shared_stems(texts: &[&str], stems: &BTreeSet<String>) -> usize {
    let stemmer = Stemmer::create(Algorithm::English);
    let begins = |word: &Word<'_>| {
        let first = word.text.chars().flat_map(char::to_lowercase).next();
        stems.iter().any(|stem| stem.chars().next() == first)
    };
    let mut found = BTreeSet::new();
    for text in texts {
        for word in words(text).iter().filter(|word| begins(word)) {
            let lower = word.lower();
            if let Some(stem) = stems.get(&*stemmer.stem(&lower))
                && is_content(&lower)
            {
                found.insert(stem);
            }
        }
    }
    found.len()
}

/// Whether a word in lower case tells something.
fn is_content(lower: &str) -> bool {
    let is_long = lower.chars().nth(1).is_some();
    !is_stop(lower) && (is_long || lower.starts_with(|c: char| c.is_ascii_digit()))
}

/// The words in lower case, joined by single spaces with one at each end, so that
/// `contains(" due to ")` finds whole words only.
#[must_use]
pub fn flat(text: &str) -> String {
    let mut flat = String::with_capacity(text.len() + 2);
    flat.push(' ');
    for word in words(text) {
        flat.push_str(&word.lower());
        flat.push(' ');
    }
    flat
}

/// Words that carry no subject: articles, pronouns, prepositions, auxiliaries, question words.
#[must_use]
pub fn is_stop(lower: &str) -> bool {
    STOP.binary_search(&lower).is_ok()
}

/// Sorted, for binary search.
#[rustfmt::skip]
const STOP: &[&str] = &[
    "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at",
    "be", "because", "been", "before", "being", "between", "both", "but", "by", "can", "could",
    "did", "do", "does", "doing", "down", "during", "each", "few", "for", "from", "further",
    "get", "give", "had", "has", "have", "having", "he", "her", "here", "him", "his", "how", "i",
    "if", "in", "into", "is", "it", "its", "just", "me", "more", "most", "my", "no", "nor", "not",
    "of", "off", "on", "once", "only", "or", "other", "our", "out", "over", "own", "please", "s",
    "same", "she", "should", "so", "some", "such", "t", "tell", "than", "that", "the", "their",
    "them", "then", "there", "these", "they", "this", "those", "through", "to", "too", "under",
    "until", "up", "very", "was", "we", "were", "what", "when", "where", "which", "while", "who",
    "whom", "why", "will", "with", "would", "you", "your",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted() {
        assert!(STOP.is_sorted());
    }

    #[test]
    fn words_keep_numbers_and_cashtags() {
        let check = |text: &str, want: &[(&str, bool)]| {
            let got: Vec<_> = words(text).iter().map(|w| (w.text, w.cashtag)).collect();
            assert_eq!(got, want, "{text}");
        };
        check(
            "Apple's Q1: $AAPL up 4.2%, $ fb",
            &[
                ("Apple", false),
                ("Q1", false),
                ("AAPL", true),
                ("up", false),
                ("4.2", false),
                ("fb", true),
            ],
        );
        check("paid $ 5,000.", &[("paid", false), ("5,000", false)]);
        check("naïve Ωmega", &[("naïve", false), ("Ωmega", false)]);
        check("", &[]);
    }

    #[test]
    fn shared_stems_are_those_in_common() {
        let texts = [
            "Dying skies: the news of gently FALLING shares, 1,250.5 of them. Why?",
            "A share fell; Σ early traders lied, generously. 7 I Ωmega ÉCOLE",
            "",
        ];
        for question in texts
            .iter()
            .chain(&["Who lies about 7 falling omega shares?", "a I"])
        {
            let stems = content_stems(question);
            for one in texts {
                for other in texts {
                    let mut all = content_stems(one);
                    all.extend(content_stems(other));
                    let want = stems.intersection(&all).count();
                    assert_eq!(
                        shared_stems(&[one, other], &stems),
                        want,
                        "{question} {one} {other}"
                    );
                }
            }
        }
    }

    #[test]
    fn stems_meet_across_forms() {
        let a = content_stems("Why did the shares fall?");
        let b = content_stems("A falling share");
        assert!(a.is_subset(&b), "{a:?} {b:?}");
    }
}
