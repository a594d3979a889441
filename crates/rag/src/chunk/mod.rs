//! A document cut into pieces that one vector can stand for.
//!
//! Sentences are packed until about 160 words; a paragraph's end closes a chunk early once it has
//! 120. Chunks tile the text: joined again they are the text, byte for byte, so a span in a chunk
//! is a span in the document. The title is not part of any chunk; it is put in front only for
//! embedding, where a passage such as "The company cut its forecast" would otherwise lose its
//! subject.

use std::ops::Range;

use crate::prose::{sentences, words};

/// Words at which a paragraph's end closes a chunk.
const WORDS_MIN: usize = 120;
/// Words after which no sentence is added.
const WORDS_LIMIT: usize = 180;
/// Bytes after which no sentence is added: for text without spaces between words.
const BYTES_LIMIT: usize = 1_400;

/// Spans that tile `text`, in order; each at most 1,400 bytes. Empty for an empty text.
#[must_use]
pub fn chunks(text: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut open: Option<(Range<usize>, usize)> = None;
    for unit in units(text) {
        let count = words(&text[unit.clone()]).len();
        let paragraph = text[unit.clone()]
            .trim_end_matches([' ', '\t', '\r'])
            .ends_with("\n\n");
        let (span, total) = match open.take() {
            Some((span, total))
                if total + count <= WORDS_LIMIT && unit.end - span.start <= BYTES_LIMIT =>
            {
                (span.start..unit.end, total + count)
            }
            Some((span, _)) => {
                spans.push(span);
                (unit, count)
            }
            None => (unit, count),
        };
        if paragraph && total >= WORDS_MIN {
            spans.push(span);
        } else {
            open = Some((span, total));
        }
    }
    spans.extend(open.map(|(span, _)| span));
    spans
}

/// What is embedded for a chunk: the title, if any, in front.
#[must_use]
pub fn embedded_text(title: Option<&str>, chunk: &str) -> String {
    match title.map(str::trim).filter(|t| !t.is_empty()) {
        Some(title) => format!("{title}\n{}", chunk.trim()),
        None => chunk.trim().to_owned(),
    }
}

/// Sentences, with over-long ones cut at white space, or between characters where there is none.
fn units(text: &str) -> Vec<Range<usize>> {
    let mut units = Vec::new();
    for sentence in sentences(text) {
        let mut start = sentence.start;
        while let Some(cut) = cut_of(&text[start..sentence.end]) {
            units.push(start..start + cut);
            start += cut;
        }
        units.push(start..sentence.end);
    }
    units
}

/// Where to cut a unit that is too long: `None` when it is not.
fn cut_of(unit: &str) -> Option<usize> {
    let found = words(unit);
    let by_words = found.get(WORDS_LIMIT).map(|w| w.start);
    let limit = by_words.unwrap_or(unit.len()).min(BYTES_LIMIT);
    if limit == unit.len() {
        return None;
    }
    let limit = unit.floor_char_boundary(limit);
    let space = unit[..limit]
        .rfind(char::is_whitespace)
        .map(|at| at + unit[at..].chars().next().map_or(1, char::len_utf8));
    space.or(Some(limit)).filter(|&cut| cut > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tiles(text: &str) {
        let spans = chunks(text);
        let mut end = 0;
        for span in &spans {
            assert_eq!(span.start, end);
            assert!(
                span.end > span.start && span.end - span.start <= BYTES_LIMIT,
                "{span:?}"
            );
            assert!(text.is_char_boundary(span.end));
            end = span.end;
        }
        assert_eq!(end, text.len());
    }

    #[test]
    fn a_short_text_is_one_chunk() {
        assert_eq!(chunks("Apple cut its forecast."), vec![0..23]);
        assert!(chunks("").is_empty());
    }

    #[test]
    fn long_text_is_cut_between_sentences() {
        let text = "The quick brown fox jumps over the lazy dog again. ".repeat(60);
        let spans = chunks(&text);
        tiles(&text);
        assert_eq!(spans.len(), 4, "{spans:?}");
        for span in &spans {
            assert!(text[span.clone()].trim_end().ends_with('.'));
            assert!(words(&text[span.clone()]).len() <= WORDS_LIMIT);
        }
    }

    #[test]
    fn a_paragraph_closes_a_chunk_that_is_long_enough() {
        let paragraph = "word ".repeat(125);
        let text = format!("{}.\n\n{}.", paragraph.trim(), "tail ".repeat(30).trim());
        assert_eq!(chunks(&text).len(), 2);
    }

    #[test]
    fn text_without_spaces_is_cut_between_characters() {
        tiles(&"语".repeat(3_000));
        tiles(&"x".repeat(5_000));
    }

    proptest! {
        #[test]
        fn chunks_tile_any_text(parts in prop::collection::vec("\\PC{0,60}[ .\\n]{0,3}", 0..80)) {
            tiles(&parts.concat());
        }
    }
}
