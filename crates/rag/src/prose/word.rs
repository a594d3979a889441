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
/// fraction of the work. Only words that begin as one of `stems` are stemmed.
#[must_use]
pub fn shared_stems(texts: &[&str], stems: &BTreeSet<String>) -> usize {
    let stemmer = Stemmer::create(Algorithm::English);
    let beginnings = Beginnings::of(stems);
    let mut found = BTreeSet::new();
    for text in texts {
        for word in words(text).iter().filter(|word| beginnings.has(word.text)) {
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

/// How stems begin. A stem begins as its word does, by two letters, but that a `y` may have become an `i` ("dying", "die").
struct Beginnings {
    /// For each first letter or digit of ASCII a bit for each second letter, or all of them.
    seconds: [u32; 128],
    /// First characters beyond ASCII.
    others: Vec<char>,
}

impl Beginnings {
    fn of(stems: &BTreeSet<String>) -> Self {
        let mut beginnings = Self {
            seconds: [0; 128],
            others: Vec::new(),
        };
        for stem in stems {
            let mut chars = stem.chars();
            match chars.next() {
                Some(first) if first.is_ascii() => {
                    let second = chars.next().and_then(|second| u8::try_from(second).ok());
                    beginnings.seconds[first as usize] |= Self::bit(second).unwrap_or(u32::MAX);
                }
                first => beginnings.others.extend(first),
            }
        }
        beginnings
    }

    /// Whether a word, which is not empty, may have one of the stems; if in doubt.
    fn has(&self, word: &str) -> bool {
        let bytes = word.as_bytes();
        if !bytes[0].is_ascii() {
            let first = word.chars().flat_map(char::to_lowercase).next();
            return first.is_some_and(|first| match u8::try_from(first) {
                Ok(byte) if byte.is_ascii() => self.seconds[usize::from(byte)] != 0,
                _ => self.others.contains(&first),
            });
        }
        let seconds = self.seconds[usize::from(bytes[0].to_ascii_lowercase())];
        seconds & Self::bit(bytes.get(1).copied()).unwrap_or(u32::MAX) != 0
    }

    /// `None` of what is no letter of ASCII: it says nothing.
    fn bit(second: Option<u8>) -> Option<u32> {
        let letter = second?.to_ascii_lowercase();
        let letter = if letter == b'y' { b'i' } else { letter };
        letter.is_ascii_lowercase().then(|| 1 << (letter - b'a'))
    }
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
    use proptest::prelude::*;

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
            "Skies, skis, idly tied ties; aed oed eing is ugly. By 10 and 1b the K\u{212a}elvin İzmir naïve n\u{e9}e 1,2",
            "Dyed eyes, yelling dies lying tying only singly a1 o2 x-ray kelvin izmir cried cries cry yen y",
            "",
        ];
        for question in texts.iter().chain(&[
            "Who lies about 7 falling omega shares?",
            "a I",
            "sky die lie tie kelvin nee",
        ]) {
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

    proptest! {
        #[test]
        fn shared_stems_are_those_in_common_of_any_words(
            asked in "([a-eiyA-CY]{1,4}(s|ed|ing|ly|ies|y|er)? ){0,30}",
            told in "([a-eiyA-CY\u{e9}]{1,4}(s|ed|ing|ly|ies|y|er)? ){0,60}",
        ) {
            let stems = content_stems(&asked);
            let want = stems.intersection(&content_stems(&told)).count();
            prop_assert_eq!(shared_stems(&[&told], &stems), want);
        }
    }

    #[test]
    fn stems_meet_across_forms() {
        let a = content_stems("Why did the shares fall?");
        let b = content_stems("A falling share");
        assert!(a.is_subset(&b), "{a:?} {b:?}");
    }
}
