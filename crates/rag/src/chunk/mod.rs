//! A document cut into pieces that one vector can stand for.
//!
//! Sentences are packed until about 160 words; a paragraph's end closes a chunk early once it has
//! 120. A heading closes one that has 60 and begins the next. A table stays whole with its caption, in a chunk of its own where
//! it does not fit: up to 3,000 bytes, beyond which it is cut between rows and its parts are embedded with caption and
//! column names. Chunks tile the text: joined again they are the text, byte for byte, so a span in a chunk
//! is a span in the document. The title is not part of any chunk; it is put in front only for
//! embedding, where a passage such as "The company cut its forecast" would otherwise lose its
//! subject.

use std::ops::Range;

use crate::prose::words;

mod structure;

use structure::{Unit, units};

/// Words at which a paragraph's end closes a chunk.
const WORDS_MIN: usize = 120;
/// Words at which a heading closes a chunk.
const WORDS_SECTION: usize = 60;
/// Words after which no sentence is added.
const WORDS_LIMIT: usize = 180;
/// Bytes after which no sentence is added: for text without spaces between words.
const BYTES_LIMIT: usize = 1_400;

/// A piece of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// Caption and column names of the table of which it is a part that does not begin with them.
    pub lead: Option<Range<usize>>,
}

/// Chunks that tile `text`, in order; each at most 1,400 bytes, or 3,000 where it holds a table. Empty for an empty text.
#[must_use]
pub fn chunks(text: &str) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut open: Option<(Chunk, usize)> = None;
    for unit in units(text) {
        let count = words(&text[unit.span.clone()]).len();
        let paragraph = text[unit.span.clone()]
            .trim_end_matches([' ', '\t', '\r'])
            .ends_with("\n\n");
        let (chunk, total) = match open.take() {
            Some((mut chunk, total)) if joins(&chunk, total, &unit, count) => {
                chunk.span.end = unit.span.end;
                (chunk, total + count)
            }
            before => {
                chunks.extend(before.map(|(chunk, _)| chunk));
                let Unit { span, lead, .. } = unit;
                (Chunk { span, lead }, count)
            }
        };
        if paragraph && total >= WORDS_MIN {
            chunks.push(chunk);
        } else {
            open = Some((chunk, total));
        }
    }
    chunks.extend(open.map(|(chunk, _)| chunk));
    chunks
}

/// Whether a unit goes into the chunk before it.
fn joins(chunk: &Chunk, total: usize, unit: &Unit, count: usize) -> bool {
    let begins_anew = unit.lead.is_some() || (unit.is_section && total >= WORDS_SECTION);
    !begins_anew && total + count <= WORDS_LIMIT && unit.span.end - chunk.span.start <= BYTES_LIMIT
}

/// What is embedded for a chunk: the title, if any, and the head of its table in front.
#[must_use]
pub fn embedded_text(title: Option<&str>, text: &str, chunk: &Chunk) -> String {
    let lead = chunk.lead.clone().map(|lead| &text[lead]);
    let parts = [title, lead, Some(&text[chunk.span.clone()])];
    let parts = parts.into_iter().flatten().map(str::trim);
    let said: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    said.join("\n")
}

/// Where to cut a unit that is too long: `None` when it is not.
fn cut_of(unit: &str) -> Option<usize> {
    // No further than it may reach: a text of many pieces is not read whole for each.
    let found = words(&unit[..unit.floor_char_boundary(BYTES_LIMIT + 1)]);
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
        let mut end = 0;
        for Chunk { span, lead } in chunks(text) {
            let limit = if text.contains(" | ") {
                structure::TABLE_BYTES_LIMIT
            } else {
                BYTES_LIMIT
            };
            assert!(lead.is_none_or(|lead| lead.end <= span.start));
            assert_eq!(span.start, end);
            assert!(
                span.end > span.start && span.end - span.start <= limit,
                "{span:?}"
            );
            assert!(text.is_char_boundary(span.end));
            end = span.end;
        }
        assert_eq!(end, text.len());
    }

    fn spans(text: &str) -> Vec<Range<usize>> {
        chunks(text).into_iter().map(|chunk| chunk.span).collect()
    }

    #[test]
    fn a_short_text_is_one_chunk() {
        assert_eq!(spans("Apple cut its forecast."), vec![0..23]);
        assert!(chunks("").is_empty());
    }

    #[test]
    fn long_text_is_cut_between_sentences() {
        let text = "The quick brown fox jumps over the lazy dog again. ".repeat(60);
        let spans = spans(&text);
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

        #[test]
        fn chunks_tile_any_structure(parts in prop::collection::vec("(#{1,3} )?[a-c]{0,9}( \\| [0-9]{0,900}){0,3}[.\n]{0,3}", 0..80)) {
            tiles(&parts.concat());
        }
    }
}
