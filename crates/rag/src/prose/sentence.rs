//! Sentences, by punctuation and layout.
//!
//! A sentence ends at `.`, `!` or `?` (and closing quotes) before white space, unless the stop
//! belongs to an abbreviation, an initial or a number, or the next word goes on in lower case. A
//! stop that stands alone between spaces (tokenised tweets) always ends one. A blank line, or a
//! line that begins a list item, ends one too.

use std::ops::Range;

use super::word::is_stop;

/// Spans that tile `text`: each sentence with the white space that follows it. Empty for an empty
/// text.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = 0;
    let mut run = Run { end: 0, next: 0 };
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = at + c.len_utf8();
        let cut = match c {
            '.' | '!' | '?' | '…' => {
                if after > run.end {
                    run = Run::from(text, after);
                }
                end_of_sentence(text, start, at, &run)
            }
            '。' | '！' | '？' => Some(after),
            '\n' => line_break(text, after),
            _ => None,
        };
        let Some(cut) = cut else { continue };
        let end = cut + blank_len(&text[cut..]);
        spans.push(start..end);
        start = end;
        while chars.peek().is_some_and(|&(next, _)| next < end) {
            chars.next();
        }
    }
    if start < text.len() {
        spans.push(start..text.len());
    }
    spans
}

/// The span without white space at its ends.
#[must_use]
pub fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let slice = &text[span.clone()];
    let start = span.start + (slice.len() - slice.trim_start().len());
    let end = span.end - (slice.len() - slice.trim_end().len());
    start..end.max(start)
}

/// What follows a stop, found once for all stops of a run: a million dots in a row are read once.
struct Run {
    /// Where its stops and closing marks end.
    end: usize,
    /// Where the next word begins.
    next: usize,
}

impl Run {
    fn from(text: &str, after: usize) -> Self {
        let closers = text[after..]
            .find(|c: char| !matches!(c, '.' | '!' | '?' | '"' | '\'' | ')' | ']' | '”' | '’'))
            .unwrap_or(text.len() - after);
        let end = after + closers;
        let next = text.len() - text[end..].trim_start().len();
        Self { end, next }
    }
}

/// Where the sentence that has a stop at `at` ends; `None` when the stop does not end it.
fn end_of_sentence(text: &str, start: usize, at: usize, run: &Run) -> Option<usize> {
    let end = run.end;
    let mut rest = text[end..].chars();
    match rest.next() {
        None => return Some(end),
        Some(c) if !c.is_whitespace() => return None,
        Some(_) => {}
    }
    let alone = text[start..at].ends_with(char::is_whitespace);
    if alone || !text[at..].starts_with('.') {
        return Some(end);
    }
    let next = &text[run.next..];
    if next.starts_with(char::is_lowercase) || is_abbreviation(&text[start..at], next) {
        return None;
    }
    Some(end)
}

/// Longer words are no abbreviations.
const ABBREVIATION_BYTES: usize = 48;

fn is_abbreviation(before: &str, next: &str) -> bool {
    let near = before.ceil_char_boundary(before.len().saturating_sub(ABBREVIATION_BYTES));
    let word = before[near..]
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '"' | '“'))
        .next()
        .unwrap_or("");
    let listed = |list: &[&str]| list.iter().any(|a| word.eq_ignore_ascii_case(a));
    if listed(COMPANY) {
        // "Acme Corp. The company ..." is two sentences, "Acme Corp. Chairman Smith" is one.
        let opener = next.split(|c: char| !c.is_alphanumeric()).next();
        return !opener.is_some_and(|w| is_stop(&w.to_lowercase()) || w == "Shares");
    }
    if listed(NUMBERED) {
        return next.starts_with(|c: char| c.is_ascii_digit());
    }
    if near > 0 && word.len() == before.len() - near {
        return false;
    }
    let single = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
    // An inner stop between letters: U.S, i.e, p.m. Numbers such as 4.5 do end sentences.
    let dotted = word.contains('.') && word.chars().all(|c| c.is_alphabetic() || c == '.');
    single || dotted || listed(ABBREVIATIONS)
}

const COMPANY: &[&str] = &["inc", "corp", "ltd", "co", "cos", "llc", "plc"];

#[rustfmt::skip]
const NUMBERED: &[&str] = &[
    "no", "nos", "fig", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct",
    "nov", "dec",
];

#[rustfmt::skip]
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "approx", "est", "dept", "gen",
    "gov", "sen", "rep", "mln", "bln", "dlrs", "cts", "shr",
];

/// A line break ends a sentence when a blank line or a list item follows.
fn line_break(text: &str, after: usize) -> Option<usize> {
    let rest = text[after..].trim_start_matches([' ', '\t', '\r']);
    let item = ["- ", "* ", "• ", "# "]
        .iter()
        .any(|mark| rest.starts_with(mark));
    (rest.starts_with('\n') || item).then_some(after)
}

fn blank_len(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, want: &[&str]) {
        let got: Vec<&str> = sentences(text)
            .into_iter()
            .map(|s| text[s].trim())
            .collect();
        assert_eq!(got, want);
    }

    #[test]
    fn punctuation_and_layout_end_sentences() {
        check("", &[]);
        check("One. Two! Three?", &["One.", "Two!", "Three?"]);
        check(
            "Apple Inc. fell 4.5 pct. It rose.",
            &["Apple Inc. fell 4.5 pct.", "It rose."],
        );
        check(
            "The U.S. Senate met. Mr. Cook left.",
            &["The U.S. Senate met.", "Mr. Cook left."],
        );
        check(
            "He said \"no.\" Then he left.",
            &["He said \"no.\"", "Then he left."],
        );
        check(
            "wow . great stock research",
            &["wow .", "great stock research"],
        );
        check(
            "Head\n\nBody text\n- item one\n- item two",
            &["Head", "Body text", "- item one", "- item two"],
        );
        check("中文。第二句。", &["中文。", "第二句。"]);
    }

    /// A megabyte of it would take minutes if each stop looked for the end of its run.
    #[test]
    fn a_long_run_of_stops_is_read_once() {
        for tail in ["x", " x", " X", "  "] {
            let text = ".".repeat(1 << 20) + tail;
            let spans = sentences(&text);
            assert_eq!(spans.last().map(|span| span.end), Some(text.len()));
        }
    }

    proptest! {
        #[test]
        fn sentences_tile_any_text(text in "\\PC{0,80}([.!?\\n ]{0,3}\\PC{0,20}){0,6}") {
            let spans = sentences(&text);
            let joined: String = spans.iter().map(|s| &text[s.clone()]).collect();
            prop_assert_eq!(&joined, &text);
            // The naive twin looks anew at what follows each stop.
            for (at, c) in text.char_indices().filter(|(_, c)| ".!?".contains(*c)) {
                let alone = Run::from(&text, at + c.len_utf8());
                let start = spans.iter().find(|s| s.contains(&at)).map_or(0, |s| s.start);
                if let Some(end) = end_of_sentence(&text, start, at, &alone) {
                    let end = end + blank_len(&text[end..]);
                    prop_assert!(spans.iter().any(|s| s.end == end), "{at} {end} {spans:?}");
                }
            }
            prop_assert!(spans.iter().all(|s| !s.is_empty()));
            for span in spans {
                let inner = trimmed(&text, span.clone());
                prop_assert!(span.start <= inner.start && inner.end <= span.end);
            }
        }
    }
}
