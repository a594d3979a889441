//! A model's text on its way to the reader: one sentence at a time, each checked before it is
//! shown.
//!
//! A sentence passes when all numbers in brackets are passages we gave, everything in double
//! quotes is verbatim in one of them, every figure occurs in its passages, the market facts or the
//! question, and at least half of its telling words do. A sentence without a number must be
//! carried by the market facts alone. What does not pass is left out and counted. Numbers are
//! rewritten to the order of first use, so that [1] is the first citation of the answer.

use std::collections::BTreeSet;

use crate::prose::{content_stems, sentences, words};

/// Share of a sentence's telling words that its sources must have.
const SUPPORT_MIN: f32 = 0.5;

/// Gathers a model's pieces of text and lets whole, supported sentences through.
pub struct Gate<'a> {
    facts: &'a str,
    passages: &'a [String],
    buffer: String,
    shown: String,
    /// Passage indices in order of first use.
    used: Vec<usize>,
    removed: usize,
}

impl<'a> Gate<'a> {
    /// `facts`: market facts and question, as one text. `passages`: titles and texts, in order of
    /// their numbers.
    #[must_use]
    pub fn new(facts: &'a str, passages: &'a [String]) -> Self {
        Self {
            facts,
            passages,
            buffer: String::new(),
            shown: String::new(),
            used: Vec::new(),
            removed: 0,
        }
    }

    /// Takes a piece of text; returns what may be shown now.
    pub fn push(&mut self, piece: &str) -> String {
        self.buffer.push_str(piece);
        self.drain(false)
    }

    /// Takes the end of the text; returns what may be shown of the rest.
    pub fn finish(&mut self) -> String {
        self.drain(true)
    }

    /// Everything shown.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Passage indices (from 0) in the order of their new numbers.
    #[must_use]
    pub fn used(&self) -> &[usize] {
        &self.used
    }

    /// Sentences left out.
    #[must_use]
    pub fn removed(&self) -> usize {
        self.removed
    }

    fn drain(&mut self, all: bool) -> String {
        let spans = marked_sentences(&self.buffer);
        // The last sentence may go on, and a bracket that has just opened may be the number of
        // the sentence before it.
        let open = spans
            .last()
            .is_some_and(|s| self.buffer[s.clone()].trim_start().starts_with('['));
        let held = if all { 0 } else { 1 + usize::from(open) };
        let whole = spans.len().saturating_sub(held);
        let mut shown = String::new();
        let mut end = 0;
        for span in spans.into_iter().take(whole) {
            end = span.end;
            let sentence = self.buffer[span].trim().to_owned();
            if sentence.is_empty() {
                continue;
            }
            match self.supported(&sentence) {
                true => {
                    let text = self.renumber(&sentence);
                    if !self.shown.is_empty() {
                        shown.push(' ');
                        self.shown.push(' ');
                    }
                    shown.push_str(&text);
                    self.shown.push_str(&text);
                }
                false => self.removed += 1,
            }
        }
        self.buffer.drain(..end);
        shown
    }

    fn supported(&self, sentence: &str) -> bool {
        let (bare, numbers) = split_marks(sentence);
        if numbers.iter().any(|&n| n == 0 || n > self.passages.len()) {
            return false;
        }
        let mut sources: Vec<&str> = numbers
            .iter()
            .map(|&n| self.passages[n - 1].as_str())
            .collect();
        if !quotes(&bare)
            .iter()
            .all(|quote| sources.iter().any(|s| s.contains(quote)))
        {
            return false;
        }
        sources.push(self.facts);
        let known: BTreeSet<String> = sources.iter().flat_map(|s| content_stems(s)).collect();
        let figures: BTreeSet<&str> = sources.iter().flat_map(|s| figures(s)).collect();
        if !figures_of(&bare)
            .iter()
            .all(|f| figures.contains(f.as_str()))
        {
            return false;
        }
        let stems = content_stems(&bare);
        let supported = stems.intersection(&known).count() as f32;
        !stems.is_empty() && supported / stems.len() as f32 >= SUPPORT_MIN
    }

    /// Rewrites `[n]` to the order of first use.
    fn renumber(&mut self, sentence: &str) -> String {
        let mut text = String::with_capacity(sentence.len());
        let mut rest = sentence;
        while let Some((before, number, after)) = next_mark(rest) {
            text.push_str(before);
            let idx = number - 1;
            let place = self.used.iter().position(|&u| u == idx).unwrap_or_else(|| {
                self.used.push(idx);
                self.used.len() - 1
            });
            text.push_str(&format!("[{}]", place + 1));
            rest = after;
        }
        text.push_str(rest);
        text
    }
}

/// Sentences, with marks such as ` [1]` that follow the stop joined to the sentence before.
fn marked_sentences(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut joined: Vec<std::ops::Range<usize>> = Vec::new();
    for mut span in sentences(text) {
        let mut marks = 0;
        let mut rest = text[span.clone()].trim_start();
        while rest.starts_with('[')
            && let Some((_, _, after)) = next_mark(rest).filter(|(before, ..)| before.is_empty())
        {
            let after = after.strip_prefix('.').unwrap_or(after).trim_start();
            marks = text[span.clone()].len() - after.len();
            rest = after;
        }
        if marks > 0
            && let Some(last) = joined.last_mut()
        {
            last.end = span.start + marks;
            span.start = last.end;
        }
        if !span.is_empty() {
            joined.push(span);
        }
    }
    joined
}

/// The next `[n]`: what is before it, the number, what is after it.
fn next_mark(text: &str) -> Option<(&str, usize, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find('[').map(|at| from + at) {
        let digits = text[open + 1..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let close = open + 1 + digits;
        if digits > 0
            && text[close..].starts_with(']')
            && let Ok(number) = text[open + 1..close].parse()
        {
            return Some((&text[..open], number, &text[close + 1..]));
        }
        from = open + 1;
    }
    None
}

fn split_marks(sentence: &str) -> (String, Vec<usize>) {
    let (mut bare, mut numbers) = (String::new(), Vec::new());
    let mut rest = sentence;
    while let Some((before, number, after)) = next_mark(rest) {
        bare.push_str(before);
        numbers.push(number);
        rest = after;
    }
    bare.push_str(rest);
    (bare, numbers)
}

/// Texts between double quotes; an open one runs to the end.
fn quotes(text: &str) -> Vec<&str> {
    let is_mark = |c: char| matches!(c, '"' | '“' | '”' | '„');
    text.split(is_mark)
        .skip(1)
        .step_by(2)
        .map(|q| q.trim_end_matches(['.', ',']).trim())
        .collect()
}

/// Numbers as written, without separators for thousands.
fn figures(text: &str) -> impl Iterator<Item = &str> {
    words(text)
        .into_iter()
        .filter(|w| w.is_number())
        .map(|w| w.text)
}

fn figures_of(text: &str) -> Vec<String> {
    figures(text).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FACTS: &str =
        "AAPL fell 4.21 % (170.42 to 163.25) within 1.8 s at 14:31:02Z. Why did AAPL fall?";

    fn run(text: &str, piece: usize) -> (String, Vec<usize>, usize) {
        let passages = vec![
            "Apple cuts forecast. Apple cut its revenue forecast to 84 billion dollars.".to_owned(),
            "Suppliers of Apple reported fewer orders.".to_owned(),
        ];
        let mut gate = Gate::new(FACTS, &passages);
        let mut streamed = String::new();
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(piece) {
            streamed.push_str(&gate.push(&piece.iter().collect::<String>()));
        }
        streamed.push_str(&gate.finish());
        assert_eq!(streamed, gate.shown());
        (streamed, gate.used().to_vec(), gate.removed())
    }

    fn check(text: &str, want: &str, used: &[usize], removed: usize) {
        for piece in [1, 7, 1_000] {
            assert_eq!(
                run(text, piece),
                (want.to_owned(), used.to_vec(), removed),
                "{text} by {piece}"
            );
        }
    }

    #[test]
    fn supported_sentences_pass_and_are_renumbered() {
        check(
            "Suppliers reported fewer orders [2]. Apple cut its revenue forecast to 84 billion [1].",
            "Suppliers reported fewer orders [1]. Apple cut its revenue forecast to 84 billion [2].",
            &[1, 0],
            0,
        );
        check(
            "Apple cut its forecast. [1] AAPL fell 4.21 %.",
            "Apple cut its forecast. [1] AAPL fell 4.21 %.",
            &[0],
            0,
        );
        check(
            "Apple \"cut its revenue forecast\" [1].",
            "Apple \"cut its revenue forecast\" [1].",
            &[0],
            0,
        );
    }

    #[test]
    fn inventions_are_left_out() {
        check("Apple cut its forecast to 90 billion [1].", "", &[], 1);
        check("Apple \"slashed its forecast\" [1].", "", &[], 1);
        check("The chief executive was arrested in Paris [1].", "", &[], 1);
        check("Apple cut its forecast [7].", "", &[], 1);
        check("Analysts expect a rebound soon.", "", &[], 1);
        check(
            "AAPL fell 4.21 %. Buy it tomorrow.",
            "AAPL fell 4.21 %.",
            &[],
            1,
        );
    }

    proptest! {
        #[test]
        fn any_text_passes_or_is_left_out_without_panic(text in "(\\PC{0,30}|\\[|\\]|[0-9]|\\[1\\]|\\. |\"){0,20}", piece in 1usize..9) {
            run(&text, piece);
        }
    }
}
