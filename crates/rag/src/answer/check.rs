//! A model's text on its way to the reader: one sentence at a time, each checked before it is
//! shown.
//!
//! A sentence passes when all numbers in brackets are passages we gave and `ground` finds the rest
//! of it in them or in the market facts. What does not pass is left out and counted. Numbers are
//! rewritten to the order of first use, so that [1] is the first citation of the answer.

use super::ground::Ground;
use crate::prose::sentences;

/// Bytes of a token at most, with room: English has four, other scripts and figures more.
const TOKEN_BYTES: usize = 16;

/// Gathers a model's pieces of text and lets whole, supported sentences through.
pub struct Gate {
    ground: Ground,
    /// What has come and was not judged yet.
    buffer: String,
    /// Bytes of `buffer` that were looked at and ended no sentence.
    read: usize,
    /// Bytes that may still come.
    room: usize,
    full: bool,
    shown: String,
    /// Passage indices in order of first use.
    used: Vec<usize>,
    removed: usize,
}

impl Gate {
    /// `facts`: market facts, as one text. `passages`: titles and texts, in order of their
    /// numbers. Of a text longer than `tokens_limit` tokens can be, the rest is not read.
    #[must_use]
    pub fn new(facts: &str, question: &str, passages: &[String], tokens_limit: usize) -> Self {
        Self {
            ground: Ground::new(facts, question, passages),
            buffer: String::new(),
            read: 0,
            room: tokens_limit.saturating_mul(TOKEN_BYTES),
            full: false,
            shown: String::new(),
            used: Vec::new(),
            removed: 0,
        }
    }

    /// Takes a piece of text; returns what may be shown now.
    pub fn push(&mut self, piece: &str) -> String {
        if self.full {
            return String::new();
        }
        let taken = piece.floor_char_boundary(self.room);
        self.full = taken < piece.len();
        self.room -= taken;
        self.buffer.push_str(&piece[..taken]);
        // Only a stop, a mark or the space after one can make a sentence whole.
        let ends = |c: char| c.is_whitespace() || ".!?…。！？]".contains(c);
        if !self.full && !self.buffer[self.read..].contains(ends) {
            self.read = self.buffer.len();
            return String::new();
        }
        let shown = self.drain(false);
        self.read = self.buffer.len();
        shown
    }

    /// Takes the end of the text; returns what may be shown of the rest.
    pub fn finish(&mut self) -> String {
        self.drain(true)
    }

    /// Takes a break in the text; returns what may be shown of the whole sentences before it.
    pub fn settle(&mut self) -> String {
        self.drain(false)
    }

    /// More came than an answer may have; it was not read.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full
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
        let Some(cited) = numbers
            .iter()
            .map(|n| n.checked_sub(1))
            .collect::<Option<Vec<_>>>()
        else {
            return false;
        };
        self.ground.carries(&bare, &cited)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FACTS: &str = "AAPL fell 4.21 % (170.42 to 163.25) within 1.8 s at 14:31:02Z.";

    fn run(text: &str, piece: usize) -> (String, Vec<usize>, usize) {
        let passages = vec![
            "Apple cuts forecast. Apple cut its revenue forecast to 84 billion dollars.".to_owned(),
            "Suppliers of Apple reported fewer orders.".to_owned(),
        ];
        let mut gate = Gate::new(FACTS, "Why did AAPL fall?", &passages, 220);
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

    #[test]
    fn text_without_an_end_costs_no_more_than_its_limit() {
        let passages = vec!["Apple cut its forecast.".to_owned()];
        let mut gate = Gate::new(FACTS, "", &passages, 220);
        for _ in 0..4_000_000 {
            assert_eq!(gate.push("x"), "");
        }
        assert!(gate.is_full() && gate.buffer.len() == 220 * TOKEN_BYTES);
        assert_eq!((gate.finish().as_str(), gate.removed()), ("", 1));
        // A piece that does not fit ends at a character.
        let mut gate = Gate::new(FACTS, "", &passages, 1);
        gate.push(&"é".repeat(100));
        assert!(gate.is_full() && gate.buffer.len() == 16);
    }

    #[test]
    fn what_was_read_is_not_read_again() {
        let passages = vec!["Apple cut its forecast.".to_owned()];
        let mut gate = Gate::new(FACTS, "", &passages, 1 << 20);
        for _ in 0..200_000 {
            gate.push("x");
        }
        assert_eq!((gate.read, gate.buffer.len()), (200_000, 200_000));
    }

    proptest! {
        #[test]
        fn any_text_passes_or_is_left_out_without_panic(text in "(\\PC{0,30}|\\[|\\]|[0-9]|\\[1\\]|\\. |\"){0,20}", piece in 1usize..9) {
            run(&text, piece);
        }
    }
}
