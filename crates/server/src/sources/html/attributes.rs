//! The attributes of a tag, counted before the tokenizer reads them.
//!
//! It compares each attribute with all before it, and one tag may bring millions.

/// Most attributes of a tag.
pub const LIMIT: usize = 1_024;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Outside,
    TagName,
    /// Between attributes.
    Between,
    Name,
    AfterName,
    BeforeValue,
    Quoted(u8),
    Unquoted,
}

/// Where in a tag we are, as the HTML standard's tokenizer has it (13.2.5).
#[derive(Default)]
pub struct Attributes {
    state: State,
    count: usize,
}

impl Attributes {
    /// A tag begins; its `<` is read.
    pub fn begin(&mut self) {
        (self.state, self.count) = (State::TagName, 0);
    }

    /// It was none, or has ended.
    pub fn end(&mut self) {
        self.state = State::Outside;
    }

    /// Whether a tag has begun and not ended.
    pub fn is_open(&self) -> bool {
        self.state != State::Outside
    }

    /// Reads on; whether the tag is still within the limit.
    pub fn read(&mut self, text: &str) -> bool {
        for byte in text.bytes() {
            self.step(byte);
        }
        self.count <= LIMIT
    }

    fn step(&mut self, byte: u8) {
        let is_space = byte.is_ascii_whitespace();
        self.state = match (self.state, byte) {
            (State::Outside, _) => State::Outside,
            (State::Quoted(quote), _) if byte == quote => State::Between,
            (State::Quoted(quote), _) => State::Quoted(quote),
            (_, b'>') => State::Outside,
            (State::BeforeValue, b'"' | b'\'') => State::Quoted(byte),
            (State::BeforeValue, _) if is_space => State::BeforeValue,
            (State::BeforeValue, _) => State::Unquoted,
            (State::Unquoted, _) if is_space => State::Between,
            (State::Unquoted, _) => State::Unquoted,
            (State::Name | State::AfterName, b'=') => State::BeforeValue,
            (State::Name | State::AfterName, _) if is_space => State::AfterName,
            (_, b'/') => State::Between,
            (State::TagName | State::Between, _) if is_space => State::Between,
            (State::TagName, _) => State::TagName,
            (State::Name, _) => State::Name,
            (State::Between | State::AfterName, _) => {
                self.count += 1;
                State::Name
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_counted_as_the_standard_has_them() {
        for (tag, count, is_open) in [
            ("a>", 0, false),
            ("a b c=d e = 'f g' h=\"i>j\"k/l m", 7, true),
            ("a b='>' c=/d/e f", 3, true),
            ("a/b/c>", 2, false),
            ("br/>x y z", 0, false),
        ] {
            let mut attributes = Attributes::default();
            attributes.begin();
            attributes.read(tag);
            assert_eq!(
                (attributes.count, attributes.is_open()),
                (count, is_open),
                "{tag}"
            );
        }
    }
}
