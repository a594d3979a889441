//! BERT's WordPiece: text to the numbers of vocabulary pieces.
//!
//! Clean the text, put ideographs apart, decompose and drop accents, lower the case, split at white space and
//! punctuation, then take the longest known piece again and again. It runs as one pass over the characters and stops at
//! the limit of tokens, so a text of any size costs no more than the part that is used.
//!
//! Text is only ever text: `[SEP]` written in a document is five characters, not a mark. Otherwise the numbers
//! equal those of the reference tokenizer. Source: google-research/bert, tokenization.py.

use unicode_categories::UnicodeCategories;
use unicode_normalization::UnicodeNormalization;

use crate::error::Error;
use crate::vocabulary::Vocabulary;

/// A longer word is unknown as a whole, as in the reference.
const WORD_CHARS_MAX: usize = 100;

/// Turns text into the numbers that the model reads.
#[derive(Debug)]
pub struct Tokenizer {
    vocabulary: Vocabulary,
    rules: WordRules,
}

/// What happens to characters before words are split, as BERT's tokenizers may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordRules {
    /// Lower case only (`do_lower_case`).
    pub lowercase: bool,
    /// Without accents; decomposed, as the reference does it.
    pub strip_accents: bool,
    /// Each ideograph is a word (`tokenize_chinese_chars`).
    pub ideographs: bool,
}

impl WordRules {
    /// Those of the uncased models.
    pub const UNCASED: Self = Self {
        lowercase: true,
        strip_accents: true,
        ideographs: true,
    };
}

impl Tokenizer {
    /// Reads a vocabulary of one piece a line.
    ///
    /// # Errors
    ///
    /// [`Error::Pieces`] when a mark (`[UNK]`, `[CLS]`, `[SEP]`) is missing or a piece is there twice.
    pub fn from_vocabulary(text: &str) -> Result<Self, Error> {
        Ok(Self {
            vocabulary: Vocabulary::read(text)?,
            rules: WordRules::UNCASED,
        })
    }

    /// The same vocabulary by other rules.
    #[must_use]
    pub fn with_rules(mut self, rules: WordRules) -> Self {
        self.rules = rules;
        self
    }

    /// Pieces of the vocabulary.
    pub fn pieces(&self) -> usize {
        self.vocabulary.len()
    }

    /// A piece of the vocabulary by its number.
    ///
    /// # Panics
    /// When there is none of that number.
    pub fn piece(&self, number: usize) -> &str {
        self.vocabulary.piece_text(number)
    }

    /// How words are read.
    pub fn rules(&self) -> WordRules {
        self.rules
    }

    /// `[UNK]`, `[CLS]` and `[SEP]`, which stand for no word.
    pub(crate) fn marks(&self) -> [u32; 3] {
        let vocabulary = &self.vocabulary;
        [vocabulary.unknown, vocabulary.first, vocabulary.last]
    }

    /// Appends `[CLS]`, the pieces of `text` and `[SEP]` to `tokens`, `limit` (at least 2) of them at most; what does
    /// not fit is cut from the end of the text.
    pub fn encode(&self, text: &str, limit: usize, tokens: &mut Vec<u32>) {
        let mut pieces = Pieces {
            vocabulary: &self.vocabulary,
            tokens_max: tokens.len() + limit.max(2) - 1,
            tokens,
            word: Word::default(),
            spelled: String::new(),
        };
        pieces.tokens.push(self.vocabulary.first);
        if self.rules == WordRules::UNCASED {
            pieces.take_all(normalised(text));
        } else {
            pieces.take_all(normalised_by(self.rules, text));
        }
        tokens.push(self.vocabulary.last);
    }

    /// Number of tokens of the whole text, both marks included and nothing cut.
    pub fn count(&self, text: &str) -> usize {
        let mut tokens = Vec::new();
        self.encode(text, usize::MAX / 2, &mut tokens);
        tokens.len()
    }
}

/// The word being read.
#[derive(Default)]
struct Word {
    text: String,
    char_count: usize,
}

struct Pieces<'a> {
    vocabulary: &'a Vocabulary,
    tokens: &'a mut Vec<u32>,
    /// Length of `tokens` at which no further piece is wanted.
    tokens_max: usize,
    word: Word,
    /// A later part of a word, as the vocabulary spells it.
    spelled: String,
}

impl Pieces<'_> {
    fn is_full(&self) -> bool {
        self.tokens.len() >= self.tokens_max
    }

    fn take_all(&mut self, characters: impl Iterator<Item = char>) {
        for character in characters {
            if self.is_full() {
                break;
            }
            self.take(character);
        }
        self.end_word();
    }

    fn take(&mut self, character: char) {
        if character.is_whitespace() {
            return self.end_word();
        }
        if is_punctuation(character) {
            self.end_word();
            self.push(character);
            return self.end_word();
        }
        self.push(character);
    }

    fn push(&mut self, character: char) {
        self.word.char_count += 1;
        if self.word.char_count <= WORD_CHARS_MAX {
            self.word.text.push(character);
        }
    }

    /// Splits the word into its longest known pieces, or makes it unknown if a part of it has none.
    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        if word.char_count > 0 && !self.is_full() {
            let before = self.tokens.len();
            if word.char_count > WORD_CHARS_MAX || !self.split(&word.text) {
                self.tokens.truncate(before);
                self.tokens.push(self.vocabulary.unknown);
            }
            self.tokens.truncate(self.tokens_max);
        }
        self.word = Word {
            text: word.text,
            char_count: 0,
        };
        self.word.text.clear();
    }

    fn split(&mut self, word: &str) -> bool {
        let mut rest = word;
        let mut prefix = "";
        while !rest.is_empty() {
            self.spelled.clear();
            self.spelled.push_str(prefix);
            self.spelled.push_str(rest);
            let mut end = self.spelled.len().min(self.vocabulary.piece_size_max);
            let number = loop {
                if end <= prefix.len() {
                    return false;
                }
                let candidate = &self.spelled.as_bytes()[..end];
                let whole = self.spelled.is_char_boundary(end);
                if let Some(number) = self.vocabulary.number(candidate).filter(|_| whole) {
                    break number;
                }
                end -= 1;
            };
            self.tokens.push(number);
            rest = &rest[end - prefix.len()..];
            prefix = "##";
        }
        true
    }
}

/// The text as an uncased vocabulary was made from it: cleaned, without accents, lower case.
fn normalised(text: &str) -> impl Iterator<Item = char> {
    cleaned(text, true)
        .nfd()
        .filter(|character| character.is_ascii() || !character.is_mark_nonspacing())
        .flat_map(char::to_lowercase)
}

/// As [`normalised`] for any rules, with a call a character.
fn normalised_by(rules: WordRules, text: &str) -> Box<dyn Iterator<Item = char> + '_> {
    let mut characters: Box<dyn Iterator<Item = char>> = Box::new(cleaned(text, rules.ideographs));
    if rules.strip_accents {
        let kept = |character: &char| character.is_ascii() || !character.is_mark_nonspacing();
        characters = Box::new(characters.nfd().filter(kept));
    }
    if rules.lowercase {
        characters = Box::new(characters.flat_map(char::to_lowercase));
    }
    characters
}

/// Without control characters, white space as spaces, and these around each ideograph that shall be a word.
fn cleaned(text: &str, ideographs: bool) -> impl Iterator<Item = char> {
    text.chars()
        .filter(|character| !is_dropped(*character))
        .flat_map(move |character| {
            let space = (ideographs && is_ideograph(character)).then_some(' ');
            let character = if character.is_whitespace() {
                ' '
            } else {
                character
            };
            space.into_iter().chain([character]).chain(space)
        })
}

/// Control and format characters, and the replacement character, carry no meaning.
fn is_dropped(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => false,
        ' '..='~' => false,
        '\u{fffd}' => true,
        _ => character.is_other(),
    }
}

fn is_punctuation(character: char) -> bool {
    character.is_ascii_punctuation() || (!character.is_ascii() && character.is_punctuation())
}

/// The CJK blocks that the reference splits character by character (not kana, not Hangul).
fn is_ideograph(character: char) -> bool {
    matches!(character as u32,
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F
        | 0x2B740..=0x2B81F | 0x2B920..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECES: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\nbook\n##ing\n##s\n.\n5\n##5\ncafe\n\u{4e2d}\n$\n[\nsep\n]";

    fn check(text: &str, expected: &[&str]) {
        let tokenizer = Tokenizer::from_vocabulary(PIECES).unwrap();
        let mut tokens = Vec::new();
        tokenizer.encode(text, 64, &mut tokens);
        let lines: Vec<&str> = PIECES.split('\n').collect();
        let found: Vec<&str> = tokens.iter().map(|token| lines[*token as usize]).collect();
        assert_eq!(found[0], "[CLS]");
        assert_eq!(found[found.len() - 1], "[SEP]");
        assert_eq!(&found[1..found.len() - 1], expected, "{text:?}");
    }

    #[test]
    fn splits_into_longest_pieces() {
        check("", &[]);
        check("The bookings.", &["the", "book", "##ing", "##s", "."]);
        check("books\u{a0}the\tthe", &["book", "##s", "the", "the"]);
        check("$55", &["$", "5", "##5"]);
        check("bookx the", &["[UNK]", "the"]);
        check("CAF\u{c9} cafe\u{301}", &["cafe", "cafe"]);
        check(
            "the\u{4e2d}\u{4e2d}book",
            &["the", "\u{4e2d}", "\u{4e2d}", "book"],
        );
        check("th\u{200b}e\0 \u{fffd}", &["the"]);
        check("[SEP]", &["[", "sep", "]"]);
    }

    #[test]
    fn rules_are_those_of_the_model() {
        let cased = WordRules {
            lowercase: false,
            strip_accents: false,
            ideographs: false,
        };
        let lines = "[UNK]\n[CLS]\n[SEP]\nThe\nthe\ncaf\u{e9}\ncafe\n\u{4e2d}\n##\u{4e2d}\nCafe";
        let tokens = |rules, text: &str| {
            let tokenizer = Tokenizer::from_vocabulary(lines).unwrap().with_rules(rules);
            let mut tokens = Vec::new();
            tokenizer.encode(text, 64, &mut tokens);
            tokens[1..tokens.len() - 1].to_vec()
        };
        assert_eq!(
            tokens(cased, "The the caf\u{e9} \u{4e2d}\u{4e2d}"),
            [3, 4, 5, 7, 8]
        );
        let kept = WordRules {
            strip_accents: false,
            ..WordRules::UNCASED
        };
        assert_eq!(tokens(kept, "THE CAF\u{c9} \u{4e2d}\u{4e2d}"), [4, 5, 7, 7]);
        let bare = WordRules {
            lowercase: false,
            ..WordRules::UNCASED
        };
        assert_eq!(tokens(bare, "The Caf\u{e9}"), [3, 9]);
        assert_eq!(tokens(WordRules::UNCASED, "The Caf\u{e9}"), [4, 6]);
    }

    #[test]
    fn a_word_of_over_a_hundred_characters_is_unknown() {
        check(
            &"5".repeat(100),
            &{
                let mut pieces = vec!["##5"; 100];
                pieces[0] = "5";
                pieces
            }[..62],
        );
        check(&format!("{} 5", "5".repeat(101)), &["[UNK]", "5"]);
    }

    #[test]
    fn cuts_at_the_limit() {
        let tokenizer = Tokenizer::from_vocabulary(PIECES).unwrap();
        for limit in 2..12 {
            let mut tokens = vec![7];
            tokenizer.encode("the bookings the books", limit, &mut tokens);
            assert_eq!(tokens.len(), 1 + limit.min(9), "{limit}");
            assert_eq!(tokens.last(), Some(&3));
        }
        assert_eq!(tokenizer.count("the bookings the books"), 9);
    }

    proptest! {
        #[test]
        fn any_text_gives_tokens_within_the_limit(text in "\\PC{0,200}|[a-z5.$ \u{300}-\u{360}]{0,200}", limit in 2_usize..40) {
            let tokenizer = Tokenizer::from_vocabulary(PIECES).unwrap();
            let mut tokens = Vec::new();
            tokenizer.encode(&text, limit, &mut tokens);
            prop_assert!((2..=limit).contains(&tokens.len()));
            prop_assert!(tokens.len() == limit || tokens.len() == tokenizer.count(&text));
        }

        #[test]
        fn any_characters_do_not_panic(characters in proptest::collection::vec(any::<char>(), 0..300)) {
            let text: String = characters.into_iter().collect();
            let tokenizer = Tokenizer::from_vocabulary(PIECES).unwrap();
            prop_assert!(tokenizer.count(&text) >= 2);
        }
    }
}
