//! Text as terms: lower-case words, stemmed, without the most common ones.
//!
//! What a desk writes stays whole: `BRK.B`, `U.S.`, `AT&T`, `1,234.5`. A word is a run of letters and
//! digits, joined by
//! - a dot between digits, or before a single letter (`3.14`, `brk.b`; but `end.Start` is two words),
//! - a comma between digits, which is dropped (`1,234` is `1234`),
//! - an ampersand or apostrophe between letters or digits (`at&t`, `it's`).
//!
//! Stop words are dropped but counted, except as a cashtag (`$ON`) or in capitals within mixed-case text (`shares of
//! ON fell`): then they are tickers. The same function reads texts and queries.

use std::borrow::Cow;
use std::cell::RefCell;

use rust_stemmers::Stemmer;

use super::settings::{StopWords, TextSettings};
use super::terms::{Gathered, Terms};

/// Bytes of a term, at most; longer runs are cut, so that junk cannot fill the index.
const TERM_BYTES_LIMIT: usize = 64;

/// Reads texts and queries by a collection's settings.
pub struct Analyser {
    stemmer: Option<Stemmer>,
    stop_words: StopWords,
}

impl Default for Analyser {
    fn default() -> Self {
        Self::new(&TextSettings::default())
    }
}

impl Analyser {
    /// A reader by these settings.
    #[must_use]
    pub fn new(settings: &TextSettings) -> Self {
        Self {
            stemmer: settings.stemming.map(super::Language::stemmer),
            stop_words: settings.stop_words.clone(),
        }
    }

    /// Reads a text or a query.
    #[must_use]
    pub fn read(&self, text: &str) -> Terms {
        self.gather(text, has_lower_case(text), Gathered::terms)
    }

    /// Reads `text`, a part of one that has lower-case letters or not.
    pub(super) fn gather<T>(
        &self,
        text: &str,
        mixed_case: bool,
        take: impl FnOnce(&mut Gathered) -> T,
    ) -> T {
        thread_local! {
            static WORK: RefCell<(String, Gathered)> = RefCell::default();
        }
        WORK.with_borrow_mut(|(lower, gathered)| {
            gathered.clear();
            let mut place = 0;
            each_word(text, |word| {
                lower.clear();
                lower_case(word.text, lower);
                let ticker = word.cashtag || (mixed_case && is_capitals(word.text));
                if ticker || !self.stop_words.has(lower) {
                    gathered.push(&self.stem(cut(lower)), place);
                }
                place += 1;
            });
            take(gathered)
        })
    }

    /// Names with marks or digits in them are no words: only a possessive ending goes.
    fn stem<'w>(&self, word: &'w str) -> Cow<'w, str> {
        let Some(stemmer) = &self.stemmer else {
            return Cow::Borrowed(word);
        };
        let bare = word.strip_suffix("'s").unwrap_or(word);
        if bare.chars().all(|c| c.is_alphabetic() || c == '\'') {
            stemmer.stem(bare)
        } else {
            Cow::Borrowed(bare)
        }
    }
}

/// Reads a text or a query by the default settings.
#[cfg(test)]
pub(crate) fn analyse(text: &str) -> Terms {
    thread_local! {
        static ANALYSER: Analyser = Analyser::default();
    }
    ANALYSER.with(|analyser| analyser.read(text))
}

pub(super) fn has_lower_case(text: &str) -> bool {
    text.chars().any(char::is_lowercase)
}

fn lower_case(word: &str, out: &mut String) {
    if word.is_ascii() {
        out.extend(
            word.bytes()
                .filter(|b| *b != b',')
                .map(|b| char::from(b.to_ascii_lowercase())),
        );
    } else {
        let chars = word
            .chars()
            .filter(|c| *c != ',')
            .flat_map(char::to_lowercase);
        out.extend(chars.map(|c| if c == '\u{2019}' { '\'' } else { c }));
    }
}

struct Word<'a> {
    text: &'a str,
    /// Written with a dollar sign before its first letter.
    cashtag: bool,
}

fn each_word<'a>(text: &'a str, mut found: impl FnMut(Word<'a>)) {
    let mut before = ' ';
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        if !first.is_alphanumeric() {
            before = first;
            continue;
        }
        let mut end = start + first.len_utf8();
        let mut last = first;
        while let Some(&(at, next)) = chars.peek() {
            let joined = next.is_alphanumeric() || joins(last, next, &text[at + next.len_utf8()..]);
            if !joined {
                break;
            }
            chars.next();
            end = at + next.len_utf8();
            last = next;
        }
        let cashtag = before == '$' && first.is_alphabetic();
        found(Word {
            text: &text[start..end],
            cashtag,
        });
        before = last;
    }
}

/// Whether `mark` joins the word that ends in `last` to what follows.
fn joins(last: char, mark: char, rest: &str) -> bool {
    let mut ahead = rest.chars();
    let Some(next) = ahead.next().filter(|c| c.is_alphanumeric()) else {
        return false;
    };
    match mark {
        '.' if last.is_numeric() => next.is_numeric(),
        '.' => next.is_alphabetic() && !ahead.next().is_some_and(char::is_alphanumeric),
        ',' => last.is_numeric() && next.is_numeric(),
        '&' | '\'' | '\u{2019}' => last.is_alphanumeric(),
        _ => false,
    }
}

fn is_capitals(word: &str) -> bool {
    word.len() > 1 && word.chars().all(|c| !c.is_alphabetic() || c.is_uppercase())
}

fn cut(word: &str) -> &str {
    let mut end = word.len().min(TERM_BYTES_LIMIT);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    &word[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::Language;

    fn check(text: &str, want: &[&str]) {
        let mut got: Vec<String> = Vec::new();
        for term in analyse(text).iter() {
            got.extend(std::iter::repeat_n(
                term.text.to_string(),
                term.count as usize,
            ));
        }
        let mut want: Vec<&str> = want.to_vec();
        want.sort_unstable();
        assert_eq!(got, want, "{text:?}");
    }

    #[test]
    fn words() {
        check(
            "Halted trading; trades HALT",
            &["halt", "trade", "trade", "halt"],
        );
        check("BRK.B and brk.b vs BRK", &["brk.b", "brk.b", "vs", "brk"]);
        check(
            "The end.Start of U.S. news",
            &["end", "start", "u.s", "news"],
        );
        check(
            "amazon.com 3.14% 1,234.50 2014-06-30",
            &["amazon", "com", "3.14", "1234.50", "2014", "06", "30"],
        );
        check("AT&T's S&P company\u{2019}s", &["at&t", "s&p", "compani"]);
        check("$AAPL, $5 #tsla", &["aapl", "5", "tsla"]);
        check(
            "M\u{fc}nchen \u{130}stanbul",
            &["m\u{fc}nchen", "i\u{307}stanbul"],
        );
        check("", &[]);
        check("... $ & '", &[]);
    }

    #[test]
    fn tickers_that_are_stop_words() {
        check("shares of ON fell on it", &["share", "on", "fell"]);
        check("$on it", &["on"]);
        check("WHAT IS ON", &["what"]);
    }

    #[test]
    fn stop_words_leave_a_gap() {
        let terms = analyse("Cut of the rates, a cut");
        let places: Vec<_> = terms.iter().map(|t| (t.text, t.places.to_vec())).collect();
        assert_eq!(places, [("cut", vec![0, 5]), ("rate", vec![3])]);
    }

    #[test]
    fn terms_are_short_and_counts_end() {
        let long = analyse(&"\u{e9}".repeat(500));
        assert!(long.iter().all(|t| t.text.len() <= TERM_BYTES_LIMIT));
        let many = analyse(&"a1 ".repeat(70_000));
        let counts: Vec<_> = many
            .iter()
            .map(|t| (t.text, t.count, t.places.len()))
            .collect();
        assert_eq!(counts, [("a1", u16::MAX, usize::from(u16::MAX))]);
        assert_eq!(many.total, 70_000);
    }

    #[test]
    fn settings_change_what_is_read() {
        let read = |settings: &TextSettings, text: &str| -> Vec<String> {
            let terms = Analyser::new(settings).read(text);
            terms.iter().map(|term| term.text.to_owned()).collect()
        };
        let german = TextSettings {
            stemming: Some(Language::German),
            stop_words: StopWords::list(["Der", "die"]),
        };
        assert_eq!(
            read(&german, "Die Aktien der Banken in Berlin"),
            ["akti", "bank", "berlin", "in"]
        );
        let exact = TextSettings {
            stemming: None,
            stop_words: StopWords::None,
        };
        assert_eq!(
            read(&exact, "The bank's trades"),
            ["bank's", "the", "trades"]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,40}") {
            let terms = analyse(&text);
            prop_assert!(terms.iter().map(|term| term.text).is_sorted_by(|a, b| a < b));
            let sum: u32 = terms.iter().map(|term| u32::from(term.count)).sum();
            prop_assert_eq!(sum, terms.total);
            for (at, term) in terms.iter().enumerate() {
                prop_assert!(term.places.is_sorted_by(|a, b| a < b));
                prop_assert_eq!(terms.position(term.text), Some(at));
            }
        }
    }
}
