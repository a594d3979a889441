//! Text as terms: lower-case words, stemmed, without the most common ones.
//!
//! What a desk writes stays whole: `BRK.B`, `U.S.`, `AT&T`, `1,234.5`. A word is a run of letters and
//! digits, joined by
//! - a dot between digits, or before a single letter (`3.14`, `brk.b`; but `end.Start` is two words),
//! - a comma between digits, which is dropped (`1,234` is `1234`),
//! - an ampersand or apostrophe between letters or digits (`at&t`, `it's`).
//!
//! Stop words are dropped, except as a cashtag (`$ON`) or in capitals within mixed-case text (`shares of
//! ON fell`): then they are tickers. The same function reads texts and queries.

use std::borrow::Cow;
use std::cell::RefCell;

use rust_stemmers::{Algorithm, Stemmer};

/// Bytes of a term, at most; longer runs are cut, so that junk cannot fill the index.
const TERM_BYTES_LIMIT: usize = 64;

/// Sorted.
const STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
];

/// The terms of a text, sorted, with how often each occurs. One buffer holds all of them, because a
/// text has a hundred and an allocation for each was most of the cost of reading it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    buffer: Box<str>,
    spans: Box<[Span]>,
    /// All occurrences: the length BM25 normalises by.
    pub total: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
    count: u16,
}

impl Terms {
    /// Each term once, ascending, with its count.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.spans
            .iter()
            .map(|span| (span.of(&self.buffer), span.count))
    }
}

impl Span {
    fn of<'a>(&self, buffer: &'a str) -> &'a str {
        &buffer[self.start as usize..self.end as usize]
    }
}

/// Reads a text or a query.
pub(crate) fn analyse(text: &str) -> Terms {
    thread_local! {
        static STEMMER: Stemmer = Stemmer::create(Algorithm::English);
        static WORK: RefCell<(String, String, Vec<Span>)> = RefCell::default();
    }
    let mixed_case = text.chars().any(char::is_lowercase);
    WORK.with_borrow_mut(|(buffer, lower, spans)| {
        buffer.clear();
        spans.clear();
        each_word(text, |word| {
            lower.clear();
            lower_case(word.text, lower);
            let ticker = word.cashtag || (mixed_case && is_capitals(word.text));
            if !ticker && STOP_WORDS.binary_search(&lower.as_str()).is_ok() {
                return;
            }
            let start = buffer.len() as u32;
            STEMMER.with(|stemmer| buffer.push_str(&stem(stemmer, cut(lower))));
            spans.push(Span {
                start,
                end: buffer.len() as u32,
                count: 1,
            });
        });
        let total = spans.len() as u32;
        spans.sort_unstable_by(|a, b| a.of(buffer).cmp(b.of(buffer)));
        spans.dedup_by(|next, first| {
            let same = next.of(buffer) == first.of(buffer);
            if same {
                first.count = first.count.saturating_add(1);
            }
            same
        });
        Terms {
            buffer: buffer.as_str().into(),
            spans: spans.as_slice().into(),
            total,
        }
    })
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

/// Names with marks or digits in them are no English words: only a possessive ending goes.
fn stem<'w>(stemmer: &Stemmer, word: &'w str) -> Cow<'w, str> {
    let bare = word.strip_suffix("'s").unwrap_or(word);
    if bare.chars().all(|c| c.is_alphabetic() || c == '\'') {
        stemmer.stem(bare)
    } else {
        Cow::Borrowed(bare)
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

    fn check(text: &str, want: &[&str]) {
        let mut got: Vec<String> = Vec::new();
        for (term, count) in analyse(text).iter() {
            got.extend(std::iter::repeat_n(term.to_string(), count as usize));
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
    fn stop_words_are_sorted_and_terms_are_short() {
        assert!(STOP_WORDS.is_sorted());
        let long = analyse(&"\u{e9}".repeat(500));
        assert!(long.iter().all(|(term, _)| term.len() <= TERM_BYTES_LIMIT));
        let many = analyse(&"a1 ".repeat(70_000));
        assert_eq!(many.iter().collect::<Vec<_>>(), [("a1", u16::MAX)]);
        assert_eq!(many.total, 70_000);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,40}") {
            let terms = analyse(&text);
            prop_assert!(terms.iter().map(|(term, _)| term).is_sorted_by(|a, b| a < b));
            let sum: u32 = terms.iter().map(|(_, count)| u32::from(count)).sum();
            prop_assert_eq!(sum, terms.total);
        }
    }
}
