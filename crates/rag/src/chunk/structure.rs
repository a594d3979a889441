//! What a text's lines say of its structure: headings, tables with what stands above them, and prose.
//!
//! A heading is a line `# ..` that begins a paragraph; a table is a run of lines with ` | ` between cells. Text without either is prose from end to
//! end, and is cut as if this module did not exist.

use std::ops::Range;

use super::{BYTES_LIMIT, cut_of};
use crate::prose::{sentences, words};

/// Bytes of a table that stays whole; a longer one is cut between rows.
pub const TABLE_BYTES_LIMIT: usize = 3_000;
/// A longer line is no heading.
const HEADING_BYTES_LIMIT: usize = 200;
/// What may stand above a table and belong to it: a title, units, a note. Each of so many words, and so many of them.
const CAPTION_WORDS: usize = 20;
const CAPTION_UNITS: usize = 5;
/// Rows, and bytes of them, that name the columns of a table.
const HEAD_ROWS: usize = 4;
const HEAD_BYTES: usize = 400;

/// What is never cut: a sentence, or a table with its caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Where it is.
    pub span: Range<usize>,
    /// Whether a heading begins it.
    pub is_section: bool,
    /// Whether it is a table, or part of one.
    pub is_table: bool,
    /// Caption and column names, for a part of a table that does not begin with them.
    pub lead: Option<Range<usize>>,
}

impl Unit {
    const fn of(span: Range<usize>) -> Self {
        Self {
            span,
            is_section: false,
            is_table: false,
            lead: None,
        }
    }
}

/// Kinds of lines that stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Prose,
    Heading,
    Table,
}

/// Units that tile `text`.
pub fn units(text: &str) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut heading: Option<Range<usize>> = None;
    for (kind, block) in blocks(text) {
        let mut first = units.len();
        match kind {
            Kind::Heading => {
                let start = heading.map_or(block.start, |heading| heading.start);
                heading = Some(start..block.end);
                continue;
            }
            Kind::Prose => units.extend(prose(text, block)),
            Kind::Table => {
                // A heading right above it is caption enough.
                let captions = if heading.is_none() {
                    captions(text, &units)
                } else {
                    0
                };
                first -= captions;
                let above = units.split_off(first);
                let start = above.first().map_or(block.start, |unit| unit.span.start);
                let is_section = above.iter().any(|unit| unit.is_section);
                units.extend(table(text, start, block));
                units[first].is_section = is_section;
            }
        }
        if let Some(heading) = heading.take() {
            begin_with(text, &mut units, first, heading);
        }
    }
    if let Some(heading) = heading {
        let end = units.len();
        begin_with(text, &mut units, end, heading);
    }
    units
}

/// Puts a heading in front of the unit at `at`, or before it as a unit of its own where both are too long for one.
fn begin_with(text: &str, units: &mut Vec<Unit>, at: usize, heading: Range<usize>) {
    if let Some(unit) = units.get_mut(at) {
        let limit = if unit.is_table {
            TABLE_BYTES_LIMIT
        } else {
            BYTES_LIMIT
        };
        if unit.span.end - heading.start <= limit {
            unit.span.start = heading.start;
            unit.is_section = true;
            return;
        }
    }
    let mut pieces = pieces(text, heading);
    pieces[0].is_section = true;
    units.splice(at..at, pieces);
}

/// Lines of one kind that follow each other, with the blank lines behind them.
fn blocks(text: &str) -> Vec<(Kind, Range<usize>)> {
    let mut blocks: Vec<(Kind, Range<usize>)> = Vec::new();
    let mut lines = text.split_inclusive('\n').peekable();
    let (mut at, mut was_blank) = (0, true);
    while let Some(line) = lines.next() {
        let span = at..at + line.len();
        at = span.end;
        let is_blank = line.trim().is_empty();
        let kind = match blocks.last() {
            Some((kind, _)) if is_blank => *kind,
            Some((Kind::Table, _)) if is_row(line) && !was_blank => Kind::Table,
            // In the middle of a paragraph, `# of shares` is none.
            last if is_heading(line)
                && (was_blank || last.is_some_and(|(kind, _)| *kind == Kind::Heading)) =>
            {
                Kind::Heading
            }
            // A line alone may have a bar in it.
            _ if is_row(line) && lines.peek().is_some_and(|next| is_row(next)) => Kind::Table,
            _ => Kind::Prose,
        };
        match blocks.last_mut() {
            Some((last, block))
                if *last == kind && (kind != Kind::Table || is_blank || !was_blank) =>
            {
                block.end = span.end;
            }
            _ => blocks.push((kind, span)),
        }
        was_blank = is_blank;
    }
    blocks
}

fn is_row(line: &str) -> bool {
    line.contains(" | ")
}

fn is_heading(line: &str) -> bool {
    let rest = line.trim_start_matches('#');
    (1..=6).contains(&(line.len() - rest.len()))
        && rest.starts_with(' ')
        && line.len() <= HEADING_BYTES_LIMIT
        && !rest.trim().is_empty()
}

/// Sentences, over-long ones in pieces.
fn prose(text: &str, block: Range<usize>) -> Vec<Unit> {
    let found = sentences(&text[block.clone()]).into_iter();
    let found = found.map(|span| block.start + span.start..block.start + span.end);
    found.flat_map(|span| pieces(text, span)).collect()
}

/// A span cut at white space, or between characters where there is none, until no piece is too long; at least one.
fn pieces(text: &str, span: Range<usize>) -> Vec<Unit> {
    let (mut units, mut start) = (Vec::new(), span.start);
    while let Some(cut) = cut_of(&text[start..span.end]) {
        units.push(Unit::of(start..start + cut));
        start += cut;
    }
    units.push(Unit::of(start..span.end));
    units
}

/// How many of the last units belong to the table that follows them.
fn captions(text: &str, units: &[Unit]) -> usize {
    let is_caption = |unit: &&Unit| {
        let said = text[unit.span.clone()].trim();
        // THE BUCKLE, INC. is no sentence.
        let is_sentence = said.ends_with(['.', '!', '?', ';']) && said.contains(char::is_lowercase);
        let is_short = unit.span.len() <= HEADING_BYTES_LIMIT && words(said).len() <= CAPTION_WORDS;
        !unit.is_table && is_short && !is_sentence
    };
    let above = units.iter().rev().take(CAPTION_UNITS);
    above.take_while(is_caption).count()
}

/// A table from its caption on: whole, or cut between rows where it is too long.
fn table(text: &str, start: usize, block: Range<usize>) -> Vec<Unit> {
    let mut units = vec![Unit::of(start..block.start)];
    let head = head(text, start, &block);
    for line in text[block.clone()].split_inclusive('\n') {
        let from = units.last().map_or(start, |unit| unit.span.end);
        let end = from + line.len();
        let last = units
            .last_mut()
            .filter(|unit| end - unit.span.start <= TABLE_BYTES_LIMIT);
        if let Some(unit) = last {
            unit.span.end = end;
            continue;
        }
        units.extend(pieces(text, from..end));
    }
    units.retain(|unit| !unit.span.is_empty());
    for (at, unit) in units.iter_mut().enumerate() {
        unit.is_table = true;
        unit.lead = (at > 0).then(|| head.clone());
    }
    units
}

/// Caption and the rows before the first with a figure that is no year: what a part of a table is about.
fn head(text: &str, start: usize, block: &Range<usize>) -> Range<usize> {
    let mut end = block.start;
    for line in text[block.clone()].split_inclusive('\n').take(HEAD_ROWS) {
        let mut cells = line.split('|').skip(1);
        if cells.any(is_figure) || end + line.len() - start > HEAD_BYTES {
            break;
        }
        end += line.len();
    }
    start..text.floor_char_boundary(end.min(start + HEAD_BYTES))
}

/// `$1,234` and `5.6%`, but not `2024` and not `November 2, 2024`.
fn is_figure(cell: &str) -> bool {
    let cell = cell.trim();
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let is_year =
        digits == 4 && cell.len() == 4 && (cell.starts_with("19") || cell.starts_with("20"));
    digits > 0 && !is_year && !cell.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests;
