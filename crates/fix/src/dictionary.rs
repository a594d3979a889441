//! What messages may look like: a data dictionary in QuickFIX's XML format.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use roxmltree::{Document, Node};

/// Nested components and groups beyond this are a loop.
const DEPTH_LIMIT: usize = 24;

/// Why a text is no dictionary.
#[derive(Debug, thiserror::Error)]
pub enum DictionaryError {
    /// Not well-formed XML.
    #[error("the dictionary is no XML: give a file in QuickFIX's format")]
    Xml(#[from] roxmltree::Error),
    /// Something that the format has is not there.
    #[error("the dictionary has no usable {what}{at}: give a file in QuickFIX's format")]
    Missing {
        /// What.
        what: &'static str,
        /// Where, as ` in NAME`, or empty.
        at: String,
    },
}

fn missing(what: &'static str, name: &str) -> DictionaryError {
    let at = if name.is_empty() {
        String::new()
    } else {
        format!(" in {name}")
    };
    DictionaryError::Missing { what, at }
}

/// How a field's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Several words; each must be one of the allowed values.
    Words,
    /// A whole number.
    Int,
    /// A decimal.
    Float,
    /// One byte.
    Char,
    /// `Y` or `N`.
    Bool,
    /// A UTC date and time.
    Timestamp,
    /// A UTC time of day.
    Time,
    /// A date.
    Date,
}

/// One field.
#[derive(Clone, Debug)]
pub struct FieldDef {
    /// How its value is written.
    pub kind: Kind,
    /// The values allowed; empty means any.
    pub values: HashSet<Vec<u8>>,
}

/// The fields that may stand in a message, a header or a group.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Those that must be there, in the dictionary's order.
    pub required: Vec<u32>,
    /// Those that may be there.
    pub members: HashSet<u32>,
    /// Groups by the tag of their count.
    pub groups: HashMap<u32, Group>,
}

/// A repeating group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The tag that starts each entry.
    pub delimiter: u32,
    /// What an entry may have.
    pub block: Block,
    /// All tags of an entry, those of groups inside it included.
    pub tags: Vec<u32>,
}

/// One version's fields, header, trailer and messages.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    fields: HashMap<u32, FieldDef>,
    header: Block,
    trailer: Block,
    messages: HashMap<Vec<u8>, Block>,
}

impl Dictionary {
    /// Reads a dictionary.
    ///
    /// # Errors
    ///
    /// When the text is not in QuickFIX's format.
    pub fn parse(text: &str) -> Result<Self, DictionaryError> {
        let document = Document::parse(text)?;
        let reader = Reader::new(&document)?;
        let mut dictionary = Self::default();
        for field in reader.section("fields")? {
            let number = number(field)?;
            dictionary.fields.insert(number, field_def(field));
        }
        for (name, block) in [
            ("header", &mut dictionary.header),
            ("trailer", &mut dictionary.trailer),
        ] {
            // A dictionary of applications alone has neither.
            if let Ok(members) = reader.section(name) {
                reader.members(members, true, block, 0)?;
            }
        }
        for message in reader.section("messages")? {
            let name = message.attribute("name").unwrap_or_default();
            let msg_type = message
                .attribute("msgtype")
                .ok_or_else(|| missing("msgtype", name))?;
            let mut block = Block::default();
            reader.members(elements(message), true, &mut block, 0)?;
            let key = msg_type.as_bytes().to_vec();
            dictionary.messages.insert(key, block);
        }
        Ok(dictionary)
    }
}

struct Reader<'a> {
    root: Node<'a, 'a>,
    numbers: HashMap<&'a str, u32>,
    components: HashMap<&'a str, Node<'a, 'a>>,
}

fn elements<'a>(node: Node<'a, 'a>) -> Vec<Node<'a, 'a>> {
    node.children().filter(Node::is_element).collect()
}

fn number(field: Node<'_, '_>) -> Result<u32, DictionaryError> {
    let name = field.attribute("name").unwrap_or_default();
    field
        .attribute("number")
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| missing("field number", name))
}

impl<'a> Reader<'a> {
    fn new(document: &'a Document<'a>) -> Result<Self, DictionaryError> {
        let root = document.root_element();
        let mut reader = Self {
            root,
            numbers: HashMap::new(),
            components: HashMap::new(),
        };
        for field in reader.section("fields")? {
            let name = field.attribute("name").unwrap_or_default();
            reader.numbers.insert(name, number(field)?);
        }
        for component in reader.section("components").unwrap_or_default() {
            let name = component.attribute("name").unwrap_or_default();
            reader.components.insert(name, component);
        }
        Ok(reader)
    }

    fn section(&self, name: &'static str) -> Result<Vec<Node<'a, 'a>>, DictionaryError> {
        let found = self.root.children().find(|node| node.has_tag_name(name));
        found.map(elements).ok_or_else(|| missing(name, ""))
    }

    /// Adds `nodes` to `block`. What an optional component requires is required only with it, which a
    /// check of single fields cannot see: `required` says whether all components around are required.
    fn members(
        &self,
        nodes: Vec<Node<'a, 'a>>,
        required: bool,
        block: &mut Block,
        depth: usize,
    ) -> Result<(), DictionaryError> {
        if depth > DEPTH_LIMIT {
            return Err(missing("end of nested components", ""));
        }
        for node in nodes {
            let name = node.attribute("name").unwrap_or_default();
            let needed = required && node.attribute("required") == Some("Y");
            if node.has_tag_name("component") {
                let component = self.components.get(name);
                let component = component.ok_or_else(|| missing("component", name))?;
                self.members(elements(*component), needed, block, depth + 1)?;
                continue;
            }
            let tag = *self
                .numbers
                .get(name)
                .ok_or_else(|| missing("field", name))?;
            block.members.insert(tag);
            if needed {
                block.required.push(tag);
            }
            if node.has_tag_name("group") {
                let group = self.group(node, depth + 1)?;
                block.groups.insert(tag, group);
            }
        }
        Ok(())
    }

    fn group(&self, node: Node<'a, 'a>, depth: usize) -> Result<Group, DictionaryError> {
        let mut block = Block::default();
        self.members(elements(node), true, &mut block, depth)?;
        let delimiter = self.first(node, depth)?;
        let mut tags: Vec<u32> = block.members.iter().copied().collect();
        for inner in block.groups.values() {
            tags.extend(&inner.tags);
        }
        Ok(Group {
            delimiter,
            block,
            tags,
        })
    }

    /// The first field of a group, which may stand in a component.
    fn first(&self, node: Node<'a, 'a>, depth: usize) -> Result<u32, DictionaryError> {
        let empty = || missing("first field of a group", "");
        let first = elements(node).first().copied().ok_or_else(empty)?;
        let name = first.attribute("name").unwrap_or_default();
        if first.has_tag_name("component") && depth <= DEPTH_LIMIT {
            let component = self.components.get(name).copied().ok_or_else(empty)?;
            return self.first(component, depth + 1);
        }
        self.numbers.get(name).copied().ok_or_else(empty)
    }
}

fn field_def(node: Node<'_, '_>) -> FieldDef {
    let values = elements(node)
        .iter()
        .filter_map(|value| value.attribute("enum"))
        .map(|value| value.as_bytes().to_vec())
        .collect();
    FieldDef {
        kind: kind(node.attribute("type").unwrap_or_default()),
        values,
    }
}

fn kind(name: &str) -> Kind {
    match name {
        "INT" | "LENGTH" | "SEQNUM" | "NUMINGROUP" | "DAYOFMONTH" | "TAGNUM" => Kind::Int,
        "FLOAT" | "PRICE" | "QTY" | "AMT" | "PRICEOFFSET" | "PERCENTAGE" => Kind::Float,
        "CHAR" => Kind::Char,
        "BOOLEAN" => Kind::Bool,
        "UTCTIMESTAMP" | "TIME" => Kind::Timestamp,
        "UTCTIMEONLY" => Kind::Time,
        "UTCDATEONLY" | "UTCDATE" | "LOCALMKTDATE" | "DATE" => Kind::Date,
        "MULTIPLEVALUESTRING" | "MULTIPLESTRINGVALUE" | "MULTIPLECHARVALUE" => Kind::Words,
        _ => Kind::Text,
    }
}

/// The dictionaries of a session: one for FIX 4.2 or 4.4, two where FIXT.1.1 carries FIX 5.0SP2.
#[derive(Clone, Debug)]
pub struct Dictionaries {
    transport: Arc<Dictionary>,
    application: Arc<Dictionary>,
}

impl Dictionaries {
    /// One dictionary for header, session messages and the rest: FIX 4.2 and 4.4.
    #[must_use]
    pub fn one(dictionary: Dictionary) -> Self {
        let both = Arc::new(dictionary);
        Self {
            transport: Arc::clone(&both),
            application: both,
        }
    }

    /// A transport (FIXT.1.1) and an application (FIX 5.0SP2).
    #[must_use]
    pub fn two(transport: Dictionary, application: Dictionary) -> Self {
        Self {
            transport: Arc::new(transport),
            application: Arc::new(application),
        }
    }

    /// What we speak ourselves: session messages, market data, security lists and news.
    ///
    /// # Panics
    ///
    /// Never: the texts are part of the program, and a test reads them.
    #[must_use]
    pub fn packaged(begin_string: &[u8]) -> Self {
        let read = |text| Dictionary::parse(text).expect("a test reads the packaged dictionaries");
        match begin_string {
            b"FIXT.1.1" => Self::two(
                read(include_str!("../dictionaries/fixt11.xml")),
                read(include_str!("../dictionaries/fix50sp2.xml")),
            ),
            b"FIX.4.2" => Self::one(read(include_str!("../dictionaries/fix42.xml"))),
            _ => Self::one(read(include_str!("../dictionaries/fix44.xml"))),
        }
    }

    /// A field as a message of this kind may know it: the session's own messages know only the
    /// transport's.
    pub(crate) fn field(&self, msg_type: &[u8], tag: u32) -> Option<&FieldDef> {
        let application = self.application.messages.contains_key(msg_type);
        let field = self.transport.fields.get(&tag);
        match field {
            None if application => self.application.fields.get(&tag),
            _ => field,
        }
    }

    pub(crate) fn header(&self) -> &Block {
        &self.transport.header
    }

    pub(crate) fn trailer(&self) -> &Block {
        &self.transport.trailer
    }

    pub(crate) fn message(&self, msg_type: &[u8]) -> Option<&Block> {
        let message = self.application.messages.get(msg_type);
        message.or_else(|| self.transport.messages.get(msg_type))
    }
}
