//! The word pieces of the model: text to dense number, by an open-addressed table over the vocabulary's own text.

use std::hash::Hasher;

use crate::error::Error;

/// Places after its own at which a piece may stand: in a table half full a handful are common.
const STEPS_LIMIT: usize = 1_000;

/// A piece is a line of the vocabulary; its number is the line's number, from 0.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    text: Box<str>,
    /// Start of every line in `text`, and one past the end.
    starts: Vec<u32>,
    /// Number of the piece plus one at its hash or after it; zero is free. Half full at most.
    table: Vec<u32>,
    /// Longest piece in bytes: nothing longer needs to be looked up.
    pub piece_size_max: usize,
    pub unknown: u32,
    pub first: u32,
    pub last: u32,
}

impl Vocabulary {
    /// Reads one piece a line. `[UNK]`, `[CLS]` and `[SEP]` must be among them, and none may be there twice.
    pub fn read(text: &str) -> Result<Self, Error> {
        let count = text.split('\n').count();
        let mut found = Self {
            text: text.into(),
            starts: Vec::with_capacity(count + 1),
            table: vec![0; (2 * count).next_power_of_two()],
            piece_size_max: 0,
            unknown: 0,
            first: 0,
            last: 0,
        };
        u32::try_from(text.len() + 1).map_err(|_| fault("is over 4 GB long"))?;
        let mut start = 0;
        for (number, piece) in text.split('\n').enumerate() {
            found.starts.push(start);
            start += piece.len() as u32 + 1;
            found.piece_size_max = found.piece_size_max.max(piece.len());
            let at = found.slot(piece.as_bytes());
            let steps = at.wrapping_sub(hash(piece.as_bytes())) & (found.table.len() - 1);
            if steps > STEPS_LIMIT {
                return Err(fault(
                    "has pieces that were made to fall together in a table",
                ));
            }
            // Two lines alike would leave one of the numbers without a meaning.
            if found.table[at] != 0 {
                return Err(fault(&format!("has the piece `{piece}` twice")));
            }
            found.table[at] = number as u32 + 1;
        }
        found.starts.push(start);
        let mark = |piece: &str| {
            found
                .number(piece.as_bytes())
                .ok_or_else(|| fault(&format!("has no `{piece}`, as BERT's have")))
        };
        (found.unknown, found.first, found.last) = (mark("[UNK]")?, mark("[CLS]")?, mark("[SEP]")?);
        Ok(found)
    }

    /// Number of pieces.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of `piece`, if it is in the vocabulary.
    pub fn number(&self, piece: &[u8]) -> Option<u32> {
        self.table[self.slot(piece)].checked_sub(1)
    }

    /// The piece of a number.
    pub fn piece_text(&self, number: usize) -> &str {
        &self.text[self.starts[number] as usize..self.starts[number + 1] as usize - 1]
    }

    /// Where `piece` is in the table, or the free place where it would go.
    fn slot(&self, piece: &[u8]) -> usize {
        let mask = self.table.len() - 1;
        let mut at = hash(piece) & mask;
        while let Some(number) = self.table[at].checked_sub(1) {
            if self.piece(number) == piece {
                break;
            }
            at = (at + 1) & mask;
        }
        at
    }

    fn piece(&self, number: u32) -> &[u8] {
        let start = self.starts[number as usize] as usize;
        let rest = &self.text.as_bytes()[start..];
        // While the table is filled the next start is not known yet; the line feed tells as well.
        let end = match self.starts.get(number as usize + 1) {
            Some(next) => *next as usize - 1 - start,
            None => rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len()),
        };
        &rest[..end]
    }
}

fn fault(what: &str) -> Error {
    Error::Pieces {
        what: what.to_owned(),
    }
}

/// The rustc compiler's word-at-a-time hash: pieces are short. Whoever makes a vocabulary can make them fall together, so their steps
/// are counted when it is read; texts only look pieces up.
struct Words(u64);

impl Hasher for Words {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let mixed = self.0.rotate_left(5) ^ u64::from_le_bytes(word);
            self.0 = mixed.wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }
}

fn hash(piece: &[u8]) -> usize {
    let mut words = Words(piece.len() as u64);
    words.write(piece);
    words.finish() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_piece_and_no_other() {
        let lines: Vec<String> = (0..3000)
            .map(|n| format!("{}{n}", ["", "##"][n % 2]))
            .collect();
        let text = format!("[UNK]\n[CLS]\n[SEP]\n{}", lines.join("\n"));
        let vocabulary = Vocabulary::read(&text).unwrap();
        for (number, line) in text.split('\n').enumerate() {
            assert_eq!(vocabulary.number(line.as_bytes()), Some(number as u32));
        }
        for other in ["", "##", "3000", "##2", "[PAD]"] {
            assert_eq!(vocabulary.number(other.as_bytes()), None, "{other}");
        }
        assert_eq!(
            (vocabulary.unknown, vocabulary.first, vocabulary.last),
            (0, 1, 2)
        );
    }

    #[test]
    fn refuses_a_vocabulary_without_marks_or_with_twins() {
        assert!(Vocabulary::read("a\nb").is_err());
        assert!(Vocabulary::read("[UNK]\n[CLS]\n[SEP]\na\na").is_err());
    }
}
