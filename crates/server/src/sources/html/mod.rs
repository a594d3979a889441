//! HTML to text that keeps its structure: headings, paragraphs, lists, and tables row by row.
//!
//! The tokens of a browser's tokenizer are read once, without a tree: what people write is full of tags that
//! are never closed, and here a new cell ends the one before, a new row the row. Headings become `# ..`, list
//! items `- ..`, a table one line a row with ` | ` between its cells, and a blank line stands between blocks:
//! what the chunker reads as structure. A table that only places text becomes its text.

mod attributes;
mod table;
mod writer;

use std::cell::{Cell, RefCell};

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use html5ever::tokenizer::states::{Rawtext, Rcdata, ScriptData};
use html5ever::tokenizer::{
    BufferQueue, CharacterTokens, EndTag, ParseError, StartTag, Tag, TagToken, Token, TokenSink,
    TokenSinkResult, Tokenizer, TokenizerOpts,
};

use attributes::Attributes;
use writer::Writer;

/// Bytes in which a page's own word about its encoding must stand.
const PRESCAN: usize = 1_024;
/// A longer page is not read: a text may have a mebibyte.
const BYTES_LIMIT: usize = 8 << 20;
/// Bytes that are given to the tokenizer at once.
const PIECE: usize = 4_096;

/// What a page says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its title, where it has one.
    pub title: Option<String>,
    /// Its text.
    pub text: String,
    /// What inline XBRL says of the filer (`dei:` names), as in `("dei:TradingSymbol", "AAPL")`.
    pub facts: Vec<(String, String)>,
}

/// Reads a page or a part of one.
///
/// # Errors
/// In words, when it is too long, or a tag has too many attributes.
pub fn read(html: &str) -> Result<Page, String> {
    if html.len() > BYTES_LIMIT {
        return Err("the page is longer than 8 MiB".to_owned());
    }
    let mut feeder = Feeder {
        tokenizer: Tokenizer::new(Reader::default(), TokenizerOpts::default()),
        attributes: Attributes::default(),
    };
    let mut rest = html;
    while !rest.is_empty() {
        let next = rest.bytes().skip(1).position(|byte| byte == b'<');
        let (stretch, behind) = rest.split_at(next.map_or(rest.len(), |at| at + 1));
        feeder.stretch(stretch)?;
        rest = behind;
    }
    feeder.tokenizer.end();
    Ok(feeder.tokenizer.sink.finish())
}

/// Gives text to the tokenizer, and stops before a tag that would take it hours.
struct Feeder {
    tokenizer: Tokenizer<Reader>,
    attributes: Attributes,
}

impl Feeder {
    /// Text with no `<` but perhaps the first character, which is the only one that can begin a tag.
    fn stretch(&mut self, text: &str) -> Result<(), String> {
        let (begin, mut rest) = text.split_at(usize::from(text.starts_with('<')));
        self.piece(begin)?;
        let is_tag = rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        if is_tag && !begin.is_empty() && !self.attributes.is_open() {
            self.attributes.begin();
        }
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.floor_char_boundary(PIECE));
            self.piece(piece)?;
            rest = behind;
        }
        Ok(())
    }

    fn piece(&mut self, text: &str) -> Result<(), String> {
        if !self.attributes.read(text) {
            let limit = attributes::LIMIT;
            return Err(format!(
                "a tag of the page has more than {limit} attributes"
            ));
        }
        let before = self.tokenizer.sink.tokens.get();
        let input = BufferQueue::default();
        input.push_back(text.into());
        // A script's end hands the word back; what follows it is read on.
        while !input.is_empty() {
            let _script = self.tokenizer.feed(&input);
        }
        // Within a tag the tokenizer tells nothing: it has ended, or was none but a script's text or a comment's.
        if self.tokenizer.sink.tokens.get() != before {
            self.attributes.end();
        }
        Ok(())
    }
}

/// Bytes as text: by a byte order mark, the `charset` of the answer's header or of the page, as UTF-8 where they are
/// that, and else as Windows-1252, which is what browsers take such pages for.
#[must_use]
pub fn decode(bytes: &[u8], content_type: Option<&str>) -> String {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(PRESCAN)]);
    let named = content_type.and_then(charset).or_else(|| charset(&head));
    let is_utf8 = std::str::from_utf8(bytes).is_ok();
    let fallback = if is_utf8 { UTF_8 } else { WINDOWS_1252 };
    let encoding = named.filter(|named| *named != UTF_8 || is_utf8);
    encoding.unwrap_or(fallback).decode(bytes).0.into_owned()
}

fn charset(text: &str) -> Option<&'static Encoding> {
    let lower = text.to_ascii_lowercase();
    let at = lower.find("charset=").map(|at| at + 8)?;
    let name = lower[at..].trim_start_matches(['"', '\'']);
    let end = name.find(['"', '\'', ';', ' ', '>', '/']);
    Encoding::for_label(&name.as_bytes()[..end.unwrap_or(name.len())])
}

/// Takes tokens, and says what the next characters are.
#[derive(Default)]
struct Reader {
    /// Tokens so far; errors are none.
    tokens: Cell<u64>,
    writer: RefCell<Writer>,
    /// The element whose content is not shown, and how many of its name are open.
    hidden: RefCell<Option<(String, usize)>>,
    in_title: Cell<bool>,
    title: RefCell<String>,
    facts: RefCell<Vec<(String, String)>>,
    /// Whether characters belong to the last fact.
    in_fact: Cell<bool>,
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let is_error = matches!(token, ParseError(_));
        self.tokens.set(self.tokens.get() + u64::from(!is_error));
        match token {
            CharacterTokens(text) => self.text(&text),
            TagToken(tag) if tag.kind == StartTag => return self.start(&tag),
            TagToken(tag) if tag.kind == EndTag => self.end_tag(&tag.name),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Reader {
    fn text(&self, text: &str) {
        if self.in_fact.get()
            && let Some((_, value)) = self.facts.borrow_mut().last_mut()
        {
            value.push_str(text);
        }
        if self.in_title.get() {
            self.title.borrow_mut().push_str(text);
        } else if self.hidden.borrow().is_none() {
            self.writer.borrow_mut().text(text);
        }
    }

    fn start(&self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        if name == "ix:nonnumeric"
            && let Some(fact) = attribute(tag, "name").filter(|n| n.starts_with("dei:"))
        {
            self.facts
                .borrow_mut()
                .push((fact.to_owned(), String::new()));
            self.in_fact.set(true);
        }
        let raw = match name {
            "title" => Some(Rcdata),
            "textarea" => Some(Rcdata),
            "style" | "noscript" | "iframe" | "noembed" | "noframes" | "xmp" => Some(Rawtext),
            "script" => Some(ScriptData),
            _ => None,
        };
        // Tags of vector drawings may close themselves, and a title in them is not the page's.
        self.in_title
            .set(name == "title" && self.title.borrow().is_empty());
        let mut hidden = self.hidden.borrow_mut();
        match &mut *hidden {
            Some((of, depth)) if of == name && !tag.self_closing => *depth += 1,
            Some(_) => {}
            None if is_hidden(tag) && !tag.self_closing => *hidden = Some((name.to_owned(), 1)),
            None => self
                .writer
                .borrow_mut()
                .start(name, |key| attribute(tag, key)),
        }
        match raw {
            Some(raw) if !tag.self_closing => TokenSinkResult::RawData(raw),
            _ => TokenSinkResult::Continue,
        }
    }

    fn end_tag(&self, name: &str) {
        if name == "title" {
            self.in_title.set(false);
        }
        if name == "ix:nonnumeric" {
            self.in_fact.set(false);
        }
        let mut hidden = self.hidden.borrow_mut();
        match &mut *hidden {
            Some((of, depth)) if of == name => {
                *depth -= 1;
                if *depth == 0 {
                    *hidden = None;
                }
            }
            Some(_) => {}
            None => self.writer.borrow_mut().end(name),
        }
    }

    fn finish(self) -> Page {
        let facts = self.facts.into_inner().into_iter();
        let title = squeezed(&self.title.into_inner());
        Page {
            title: Some(title).filter(|title| !title.is_empty()),
            text: self.writer.into_inner().finish(),
            facts: facts
                .map(|(name, value)| (name, squeezed(&value)))
                .collect(),
        }
    }
}

fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    let found = tag.attrs.iter().find(|a| &*a.name.local == name);
    found.map(|attribute| &*attribute.value)
}

/// Elements whose content nobody sees. One that is never closed would hide the rest, so only those count that people
/// and programs do close.
fn is_hidden(tag: &Tag) -> bool {
    const NAMES: [&str; 13] = [
        "script",
        "style",
        "template",
        "noscript",
        "iframe",
        "noembed",
        "noframes",
        "xmp",
        "textarea",
        "title",
        "svg",
        "select",
        "ix:header",
    ];
    const CLOSED: [&str; 6] = ["div", "span", "p", "table", "section", "font"];
    let is_none = |style: &str| {
        let style: String = style.to_ascii_lowercase().split_whitespace().collect();
        style.contains("display:none")
    };
    NAMES.contains(&&*tag.name)
        || (CLOSED.contains(&&*tag.name) && attribute(tag, "style").is_some_and(is_none))
}

/// White space runs as single spaces, none at the ends.
pub(super) fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
