//! Random templates, and random messages that fit them.

use std::format;
use std::string::String;
use std::vec::Vec;

use roxmltree::{Document, Node};
use stdx::Rng;

use super::naive::initial_value;
use crate::fast11::OwnedValue;

const TYPES: [&str; 8] = [
    "uInt32",
    "int32",
    "uInt64",
    "int64",
    "decimal",
    "string",
    "unicode",
    "byteVector",
];

pub struct Generator {
    rng: Rng,
    fields: u32,
}

impl Generator {
    pub fn new(rng: Rng) -> Self {
        Self { rng, fields: 0 }
    }

    /// Template 1, which may refer to "Part" (2) and hold any message; 3 resets.
    pub fn templates(&mut self) -> String {
        let main = self.body(2, true);
        let part = self.body(1, false);
        let dictionary = self.dictionary();
        format!(
            "<templates><template name=\"Main\" id=\"1\"{dictionary}>{main}</template>\
             <template name=\"Part\" id=\"2\">{part}</template>\
             <template name=\"Reset\" id=\"3\" reset=\"Y\"/></templates>"
        )
    }

    fn body(&mut self, depth: u64, may_refer: bool) -> String {
        (0..1 + self.rng.below(6))
            .map(|_| match self.rng.below(10) {
                0 if depth > 0 => self.group("group", depth),
                1 if depth > 0 => self.group("sequence", depth),
                2 if may_refer => String::from("<templateRef name=\"Part\"/>"),
                3 if may_refer && self.rng.chance(0.3) => String::from("<templateRef/>"),
                _ => self.field(),
            })
            .collect()
    }

    fn group(&mut self, kind: &str, depth: u64) -> String {
        let inner = self.body(depth - 1, false);
        let (name, presence, dictionary) = (self.name(), self.presence(), self.dictionary());
        let length = match (kind, self.rng.below(3)) {
            ("sequence", 0) => format!(
                "<length name=\"N{name}\">{}</length>",
                self.operator("uInt32", "")
            ),
            ("sequence", 1) => format!("<length>{}</length>", self.operator("uInt32", "")),
            _ => String::new(),
        };
        let ty = if self.rng.chance(0.2) {
            "<typeRef name=\"Ty\"/>"
        } else {
            ""
        };
        format!("<{kind} name=\"{name}\"{presence}{dictionary}>{ty}{length}{inner}</{kind}>")
    }

    fn field(&mut self) -> String {
        let ty = *self.rng.pick(&TYPES);
        let (name, presence) = (self.name(), self.presence());
        if ty == "decimal" && self.rng.chance(0.4) {
            let exponent = self.operator("exponent", presence);
            let mantissa = self.operator("int64", "");
            return format!(
                "<decimal name=\"{name}\"{presence}><exponent>{exponent}</exponent><mantissa>{mantissa}</mantissa></decimal>"
            );
        }
        let operator = self.operator(ty, presence);
        let (ty, charset) = match ty {
            "unicode" => ("string", " charset=\"unicode\""),
            ty => (ty, ""),
        };
        format!("<{ty} name=\"{name}\"{charset}{presence}>{operator}</{ty}>")
    }

    fn operator(&mut self, ty: &str, presence: &str) -> String {
        let mut kinds = std::vec!["", "constant", "default", "copy", "delta"];
        match ty {
            "string" | "unicode" | "byteVector" => kinds.push("tail"),
            "decimal" => {}
            _ => kinds.push("increment"),
        }
        let kind = *self.rng.pick(&kinds);
        let must = kind == "constant" || (kind == "default" && presence.is_empty());
        let value = if must || self.rng.chance(0.5) {
            let text = match ty {
                "decimal" => *self.rng.pick(&["0", "1.50", "-200", "0.001"]),
                "string" | "unicode" => *self.rng.pick(&["", "A", "GEH6"]),
                "byteVector" => *self.rng.pick(&["", "00", "CAFE80"]),
                "exponent" => *self.rng.pick(&["0", "-2", "7"]),
                _ => *self.rng.pick(&["0", "1", "3"]),
            };
            format!(" value=\"{text}\"")
        } else {
            String::new()
        };
        let shared = if matches!(kind, "" | "constant" | "default") || self.rng.chance(0.7) {
            String::new()
        } else {
            format!(" key=\"{ty}{}\"{}", self.rng.below(2), self.dictionary())
        };
        if kind.is_empty() {
            String::new()
        } else {
            format!("<{kind}{value}{shared}/>")
        }
    }

    fn name(&mut self) -> String {
        self.fields += 1;
        format!("f{}", self.fields)
    }

    fn presence(&mut self) -> &'static str {
        if self.rng.chance(0.5) {
            " presence=\"optional\""
        } else {
            ""
        }
    }

    fn dictionary(&mut self) -> String {
        match self.rng.below(6) {
            0 => String::from(" dictionary=\"template\""),
            1 => String::from(" dictionary=\"type\""),
            2 => String::from(" dictionary=\"own\""),
            _ => String::new(),
        }
    }

    /// A message of any template that the document has.
    pub fn message(&mut self, document: &Document<'_>) -> (u32, Vec<Option<OwnedValue>>) {
        let id = *self.rng.pick(&[1, 1, 1, 1, 2, 2, 3]);
        (id, self.values_of(document, id))
    }

    fn values_of(&mut self, document: &Document<'_>, id: u32) -> Vec<Option<OwnedValue>> {
        let nodes = document.root_element().children();
        let is_it = |node: &Node<'_, '_>| node.attribute("id") == Some(&format!("{id}"));
        self.values(document, nodes.clone().find(is_it).expect("there"))
    }

    fn values(&mut self, document: &Document<'_>, node: Node<'_, '_>) -> Vec<Option<OwnedValue>> {
        let mut values = Vec::new();
        for child in node.children() {
            let is_absent = child.attribute("presence").is_some() && self.rng.chance(0.3);
            values.push(match child.tag_name().name() {
                "length" | "typeRef" => continue,
                "templateRef" if child.attribute("name").is_some() => {
                    values.extend(self.values_of(document, 2));
                    continue;
                }
                "templateRef" => Some(OwnedValue::Message(2, self.values_of(document, 2))),
                _ if is_absent => None,
                "group" => Some(OwnedValue::Group(self.values(document, child))),
                "sequence" => {
                    let length = child
                        .children()
                        .find(|node| node.tag_name().name() == "length");
                    let constant = length
                        .and_then(constant_of)
                        .map(|text| text.parse().expect("small"));
                    let count = constant.unwrap_or_else(|| self.rng.below(4));
                    let records = (0..count).map(|_| self.values(document, child));
                    Some(OwnedValue::Sequence(records.collect()))
                }
                ty => Some(self.value(child, ty)),
            });
        }
        values
    }

    fn value(&mut self, node: Node<'_, '_>, ty: &str) -> OwnedValue {
        let rng = &mut self.rng;
        if ty == "decimal" {
            let part = |name| {
                node.children()
                    .find(|child| child.tag_name().name() == name)
            };
            let fixed = |name| part(name).and_then(constant_of);
            if let Some(text) = constant_of(node) {
                return initial_value(ty, text);
            }
            let exponent = fixed("exponent").map(|text| text.parse().expect("small"));
            let mantissa = fixed("mantissa").map(|text| text.parse().expect("small"));
            return OwnedValue::Decimal {
                exponent: exponent.unwrap_or_else(|| rng.below(127) as i8 - 63),
                mantissa: mantissa.unwrap_or_else(|| rng.next_u64() as i64 >> rng.below(64)),
            };
        }
        let ty = if node.attribute("charset").is_some() {
            "unicode"
        } else {
            ty
        };
        if let Some(text) = constant_of(node) {
            return initial_value(ty, text);
        }
        let shift = rng.below(64);
        match ty {
            "uInt32" => OwnedValue::Unsigned(u64::from(rng.next_u64() as u32 >> (shift / 2))),
            "int32" => OwnedValue::Signed(i64::from(rng.next_u64() as i32 >> (shift / 2))),
            "uInt64" => OwnedValue::Unsigned(rng.next_u64() >> shift),
            "int64" => OwnedValue::Signed(rng.next_u64() as i64 >> shift),
            "string" => OwnedValue::Text(
                rng.pick(&["", "A", "GEH6", "GEM6", "\0", "ESM6", "LONGER TEXT"])
                    .as_bytes()
                    .into(),
            ),
            "unicode" => OwnedValue::Text(
                rng.pick(&["", "A", "\u{440}\u{443}\u{431}", "\u{440}", "\u{4AC}x"])
                    .as_bytes()
                    .into(),
            ),
            _ => OwnedValue::Bytes(
                (0..rng.below(5))
                    .map(|_| *rng.pick(&[0, 0x80, 7]))
                    .collect(),
            ),
        }
    }
}

fn constant_of<'d>(node: Node<'d, 'd>) -> Option<&'d str> {
    node.children()
        .find(|child| child.tag_name().name() == "constant")
        .and_then(|constant| constant.attribute("value"))
}
