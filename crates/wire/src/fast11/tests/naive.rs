//! The slow and obvious decoder: it reads the template file anew for every field, keeps previous
//! values in a map by name, and presence maps as lists. Refusals carry no code.

use std::borrow::ToOwned;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use roxmltree::{Document, Node};

use crate::fast11::OwnedValue;

type Fields = Vec<Option<OwnedValue>>;
type Map = VecDeque<bool>;

pub struct Naive<'d> {
    document: &'d Document<'d>,
    /// By dictionary and key; the type's name beside the value, `None` for empty.
    previous: HashMap<String, (String, Option<OwnedValue>)>,
    template: Option<u32>,
    slots: usize,
    pub last: Option<(u32, Fields, usize)>,
}

/// Where a field stands.
#[derive(Clone, Copy)]
struct Place<'d> {
    dictionary: &'d str,
    template: &'d str,
    ty: &'d str,
    depth: usize,
}

fn inner<'d>(node: Node<'d, 'd>) -> impl Iterator<Item = Node<'d, 'd>> {
    node.children().filter(Node::is_element)
}

fn name<'d>(node: Node<'d, 'd>) -> &'d str {
    node.tag_name().name()
}

fn entity(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().position(|byte| *byte >= 0x80)? + 1;
    let (entity, rest) = bytes.split_at(end);
    *bytes = rest;
    Some(entity.iter().map(|byte| byte & 0x7F).collect())
}

fn integer(bytes: &mut &[u8], is_signed: bool) -> Option<i128> {
    let digits = entity(bytes)?;
    if digits.len() > 10 {
        return None;
    }
    let all = digits
        .iter()
        .fold(0, |all, digit| all * 128 + i128::from(*digit));
    let is_negative = is_signed && digits[0] >= 64;
    Some(if is_negative {
        all - 128_i128.pow(digits.len() as u32)
    } else {
        all
    })
}

fn nullable(value: i128, is_nullable: bool) -> Option<i128> {
    match value {
        0 if is_nullable => None,
        1.. if is_nullable => Some(value - 1),
        _ => Some(value),
    }
}

fn holds(ty: &str, value: i128) -> bool {
    match ty {
        "uInt32" | "length" => u32::try_from(value).is_ok(),
        "int32" | "exponent" => i32::try_from(value).is_ok(),
        "uInt64" => u64::try_from(value).is_ok(),
        _ => i64::try_from(value).is_ok(),
    }
}

fn int_value(ty: &str, value: i128) -> Option<OwnedValue> {
    if !holds(ty, value) {
        return None;
    }
    Some(match ty {
        "uInt32" | "uInt64" | "length" => OwnedValue::Unsigned(value as u64),
        _ => OwnedValue::Signed(value as i64),
    })
}

fn as_int(value: &OwnedValue) -> i128 {
    match value {
        OwnedValue::Unsigned(value) => (*value).into(),
        OwnedValue::Signed(value) => (*value).into(),
        other => panic!("{other:?} is no integer"),
    }
}

fn as_run(value: &OwnedValue) -> &[u8] {
    match value {
        OwnedValue::Text(bytes) | OwnedValue::Bytes(bytes) => bytes,
        other => panic!("{other:?} is no run"),
    }
}

fn decimal(exponent: i128, mantissa: i128) -> Option<OwnedValue> {
    let exponent = i8::try_from(exponent)
        .ok()
        .filter(|e| (-63..=63).contains(e))?;
    let mantissa = mantissa.try_into().ok()?;
    Some(OwnedValue::Decimal { exponent, mantissa })
}

fn run_value(ty: &str, bytes: Vec<u8>) -> Option<OwnedValue> {
    match ty {
        "byteVector" => Some(OwnedValue::Bytes(bytes)),
        "unicode" if String::from_utf8(bytes.clone()).is_err() => None,
        _ => Some(OwnedValue::Text(bytes)),
    }
}

/// A run from the stream; the outer `None` refuses, the inner one is null.
fn run(bytes: &mut &[u8], ty: &str, is_nullable: bool) -> Option<Option<Vec<u8>>> {
    if ty != "string" {
        let raw = integer(bytes, false)?;
        let Some(length) = nullable(raw, is_nullable) else {
            return Some(None);
        };
        let length = usize::try_from(u32::try_from(length).ok()?).ok()?;
        let run = bytes.get(..length)?.to_vec();
        *bytes = &bytes[length..];
        return (run.len() <= 4_096).then_some(Some(run));
    }
    let mut text = entity(bytes)?;
    if is_nullable {
        if text == [0] {
            return Some(None);
        }
        if text[0] == 0 {
            text.remove(0);
            // A zero before any other text is overlong.
            if text[0] != 0 {
                return None;
            }
        }
    }
    match &text[..] {
        [0] => Some(Some(Vec::new())),
        [0, 0] => Some(Some([0].into())),
        [0, ..] => None,
        _ if text.len() > 4_096 => None,
        _ => Some(Some(text)),
    }
}

impl<'d> Naive<'d> {
    pub fn new(document: &'d Document<'d>) -> Self {
        Self {
            document,
            previous: HashMap::new(),
            template: None,
            slots: 0,
            last: None,
        }
    }

    pub fn reset(&mut self) {
        self.previous.clear();
        self.template = None;
    }

    pub fn decode(&mut self, all: &[u8]) -> Option<(u32, Fields, usize)> {
        let mut bytes = all;
        self.slots = 0;
        let (id, fields) = self.message(&mut bytes, 0)?;
        self.last = Some((id, fields, all.len() - bytes.len()));
        self.last.clone()
    }

    fn message(&mut self, bytes: &mut &[u8], depth: usize) -> Option<(u32, Fields)> {
        let mut map = map_of(bytes)?;
        if map.pop_front() == Some(true) {
            self.template = Some(integer(bytes, false)?.try_into().ok()?);
        }
        let id = self.template?;
        let is_it = |node: &Node<'_, '_>| node.attribute("id") == Some(&id.to_string());
        let node = inner(self.document.root_element()).find(is_it)?;
        if node.attribute("reset").is_some() {
            self.reset();
        }
        let template = node.attribute("name").expect("named");
        let dictionary = node.attribute("dictionary").unwrap_or("global");
        let place = Place {
            dictionary,
            template,
            ty: type_of(node).unwrap_or("any"),
            depth,
        };
        self.slots += self.width(node);
        let fields = self.segment(node, bytes, &mut map, place)?;
        Some((id, fields))
    }

    /// Fields of a segment, with those of static references.
    fn width(&self, node: Node<'d, 'd>) -> usize {
        let own = inner(node).filter(|child| !matches!(name(*child), "length" | "typeRef"));
        own.map(|child| match (name(child), child.attribute("name")) {
            ("templateRef", Some(target)) => self.width(self.target(target)),
            _ => 1,
        })
        .sum()
    }

    fn target(&self, wanted: &str) -> Node<'d, 'd> {
        inner(self.document.root_element())
            .find(|node| node.attribute("name") == Some(wanted))
            .expect("a known template")
    }

    fn segment(
        &mut self,
        node: Node<'d, 'd>,
        bytes: &mut &[u8],
        map: &mut Map,
        place: Place<'d>,
    ) -> Option<Fields> {
        if place.depth > 16 || self.slots > 16_384 {
            return None;
        }
        let mut fields = Vec::new();
        for child in inner(node) {
            match (name(child), child.attribute("name")) {
                ("length" | "typeRef", _) => {}
                ("templateRef", None) if place.depth >= 16 => return None,
                ("templateRef", None) => {
                    let (id, inner) = self.message(bytes, place.depth + 1)?;
                    fields.push(Some(OwnedValue::Message(id, inner)));
                }
                ("templateRef", Some(wanted)) => {
                    let target = self.target(wanted);
                    let place = Place {
                        dictionary: target.attribute("dictionary").unwrap_or("global"),
                        template: wanted,
                        ty: type_of(target).unwrap_or(place.ty),
                        ..place
                    };
                    fields.extend(self.segment(target, bytes, map, place)?);
                }
                _ => fields.push(self.field(child, bytes, map, place)?),
            }
        }
        Some(fields)
    }

    fn part(&mut self, node: Node<'d, 'd>, bytes: &mut &[u8], place: Place<'d>) -> Option<Fields> {
        let mut map = if self.needs_map(node) {
            map_of(bytes)?
        } else {
            Map::new()
        };
        self.segment(node, bytes, &mut map, place)
    }

    fn needs_map(&self, node: Node<'d, 'd>) -> bool {
        inner(node).any(|child| {
            let is_optional = child.attribute("presence") == Some("optional");
            let has_bit = |node: Node<'d, 'd>, is_optional| {
                inner(node).any(|operator| match name(operator) {
                    "constant" => is_optional,
                    "default" | "copy" | "increment" | "tail" => true,
                    _ => false,
                })
            };
            match name(child) {
                "length" | "typeRef" => false,
                "templateRef" => child
                    .attribute("name")
                    .is_some_and(|wanted| self.needs_map(self.target(wanted))),
                "group" => is_optional,
                "sequence" => {
                    inner(child).any(|node| name(node) == "length" && has_bit(node, is_optional))
                }
                "decimal" => {
                    has_bit(child, is_optional)
                        || inner(child)
                            .any(|part| has_bit(part, is_optional && name(part) == "exponent"))
                }
                _ => has_bit(child, is_optional),
            }
        })
    }

    /// The outer `None` refuses, the inner one is absence.
    fn field(
        &mut self,
        node: Node<'d, 'd>,
        bytes: &mut &[u8],
        map: &mut Map,
        place: Place<'d>,
    ) -> Option<Option<OwnedValue>> {
        let is_optional = node.attribute("presence") == Some("optional");
        let within = Place {
            dictionary: node.attribute("dictionary").unwrap_or(place.dictionary),
            ty: type_of(node).unwrap_or(place.ty),
            depth: place.depth + 1,
            ..place
        };
        let part = |wanted| inner(node).find(|child| name(*child) == wanted);
        let label = node.attribute("name").expect("named");
        match name(node) {
            "group" => {
                if is_optional && map.pop_front() != Some(true) {
                    return Some(None);
                }
                self.slots += self.width(node);
                Some(Some(OwnedValue::Group(self.part(node, bytes, within)?)))
            }
            "sequence" => {
                let length = match part("length") {
                    None => nullable(integer(bytes, false)?, is_optional)
                        .map(|n| int_value("length", n).ok_or(())),
                    Some(length) => {
                        let key = length
                            .attribute("name")
                            .map_or(format!("{label}-length"), ToOwned::to_owned);
                        self.value(length, "length", &key, is_optional, bytes, map, within)?
                            .map(Ok)
                    }
                };
                let Some(length) = length else {
                    return Some(None);
                };
                let length = as_int(&length.ok()?);
                if length > 1_024 {
                    return None;
                }
                self.slots += self.width(node) * length as usize;
                let records: Option<Vec<_>> = (0..length)
                    .map(|_| self.part(node, bytes, within))
                    .collect();
                Some(Some(OwnedValue::Sequence(records?)))
            }
            "decimal" if part("exponent").is_some() || part("mantissa").is_some() => {
                let exponent_key = format!("{label}-exponent");
                let exponent = match part("exponent") {
                    Some(part) => self.value(
                        part,
                        "exponent",
                        &exponent_key,
                        is_optional,
                        bytes,
                        map,
                        place,
                    )?,
                    None => match nullable(integer(bytes, true)?, is_optional) {
                        None => None,
                        Some(value) => Some(int_value("exponent", value)?),
                    },
                };
                let Some(exponent) = exponent else {
                    return Some(None);
                };
                let mantissa_key = format!("{label}-mantissa");
                let mantissa = match part("mantissa") {
                    Some(part) => {
                        self.value(part, "mantissa", &mantissa_key, false, bytes, map, place)??
                    }
                    None => int_value("mantissa", integer(bytes, true)?)?,
                };
                decimal(as_int(&exponent), as_int(&mantissa)).map(Some)
            }
            ty => {
                let ty = if node.attribute("charset") == Some("unicode") {
                    "unicode"
                } else {
                    ty
                };
                self.value(node, ty, label, is_optional, bytes, map, place)
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place that knows everything is the point of a twin"
    )]
    fn value(
        &mut self,
        node: Node<'d, 'd>,
        ty: &str,
        label: &str,
        is_optional: bool,
        bytes: &mut &[u8],
        map: &mut Map,
        place: Place<'d>,
    ) -> Option<Option<OwnedValue>> {
        let operator = inner(node).find(|child| name(*child) != "length");
        let kind = operator.map_or("none", name);
        let initial = operator.and_then(|operator| operator.attribute("value"));
        let initial = initial.map(|text| initial_value(ty, text));
        let key = operator.map(|operator| {
            let dictionary = match operator.attribute("dictionary").unwrap_or(place.dictionary) {
                "template" => format!("template {}", place.template),
                "type" => format!("type {}", place.ty),
                other => other.to_owned(),
            };
            let key = operator.attribute("key").unwrap_or(label);
            format!(
                "{dictionary}/{}/{key}",
                operator.attribute("ns").unwrap_or("")
            )
        });
        let key = key.unwrap_or_default();
        let kept = self.previous.get(&key).cloned();
        let types = match ty {
            "length" => "uInt32",
            "exponent" => "int32",
            "mantissa" => "int64",
            ty => ty,
        };
        let is_other = kept
            .as_ref()
            .is_some_and(|(held, value)| held != types && value.is_some());
        let kept = kept.map(|(_, value)| value);
        let bit = match kind {
            "none" | "delta" => true,
            "constant" if !is_optional => false,
            _ => map.pop_front() == Some(true),
        };
        let sent = |bytes: &mut &[u8]| sent_value(bytes, ty, is_optional);
        let value = match (kind, bit) {
            ("none", _) | ("default", true) => return sent(bytes),
            ("constant", bit) => return Some(initial.filter(|_| bit || !is_optional)),
            ("default", false) => return Some(initial),
            ("copy" | "increment", true) => sent(bytes)?,
            ("copy" | "increment" | "tail", false) => {
                if is_other {
                    return None;
                }
                match kept {
                    Some(Some(value)) if kind == "increment" => {
                        let next = as_int(&value) + 1;
                        Some(int_value(ty, next).unwrap_or_else(|| smallest(ty)))
                    }
                    Some(Some(value)) => Some(value),
                    None if initial.is_some() => initial,
                    _ if is_optional => None,
                    _ => return None,
                }
            }
            ("tail", true) => match run(bytes, ty, is_optional)? {
                None => None,
                Some(_) if is_other => return None,
                Some(tail) => {
                    let base = kept.flatten().or(initial);
                    let base = base.as_ref().map_or(&[][..], as_run);
                    let mut whole = base[..base.len().saturating_sub(tail.len())].to_vec();
                    whole.extend(tail);
                    Some(run_value(ty, whole)?)
                }
            },
            ("delta", _) => match self.delta(ty, is_optional, bytes, kept, initial, is_other)? {
                None => return Some(None),
                value => value,
            },
            other => panic!("{other:?}"),
        };
        self.previous.insert(key, (types.to_owned(), value.clone()));
        Some(value)
    }

    fn delta(
        &self,
        ty: &str,
        is_optional: bool,
        bytes: &mut &[u8],
        kept: Option<Option<OwnedValue>>,
        initial: Option<OwnedValue>,
        is_other: bool,
    ) -> Option<Option<OwnedValue>> {
        let first = integer(bytes, true)?;
        let Some(first) = nullable(first, is_optional) else {
            return Some(None);
        };
        let base = || match kept {
            _ if is_other => None,
            Some(None) => None,
            Some(value) => Some(value),
            None => Some(initial),
        };
        match ty {
            "decimal" => {
                let second = integer(bytes, true)?;
                let base = base()?.unwrap_or(OwnedValue::Decimal {
                    exponent: 0,
                    mantissa: 0,
                });
                let OwnedValue::Decimal { exponent, mantissa } = base else {
                    panic!("{base:?}")
                };
                decimal(i128::from(exponent) + first, i128::from(mantissa) + second).map(Some)
            }
            "string" | "unicode" | "byteVector" => {
                let cut = i32::try_from(first).ok()?;
                let part = run(bytes, ty, false)??;
                let base = base()?;
                let base = base.as_ref().map_or(&[][..], as_run);
                let whole = if cut >= 0 {
                    [base.get(..base.len().checked_sub(cut as usize)?)?, &part].concat()
                } else {
                    [&part, base.get((-i64::from(cut) - 1) as usize..)?].concat()
                };
                if whole.len() > 4_096 {
                    return None;
                }
                run_value(ty, whole).map(Some)
            }
            _ => {
                let base = base()?.as_ref().map_or(0, as_int);
                int_value(ty, base + first).map(Some)
            }
        }
    }
}

fn smallest(ty: &str) -> OwnedValue {
    match ty {
        "int32" | "exponent" => OwnedValue::Signed(i32::MIN.into()),
        "int64" | "mantissa" => OwnedValue::Signed(i64::MIN),
        _ => OwnedValue::Unsigned(0),
    }
}

fn sent_value(bytes: &mut &[u8], ty: &str, is_optional: bool) -> Option<Option<OwnedValue>> {
    match ty {
        "decimal" => {
            let exponent = integer(bytes, true)?;
            let Some(exponent) = nullable(exponent, is_optional) else {
                return Some(None);
            };
            i32::try_from(exponent).ok()?;
            decimal(exponent, integer(bytes, true)?).map(Some)
        }
        "string" | "unicode" | "byteVector" => match run(bytes, ty, is_optional)? {
            None => Some(None),
            Some(run) => run_value(ty, run).map(Some),
        },
        _ => {
            let is_signed = !matches!(ty, "uInt32" | "uInt64" | "length");
            match nullable(integer(bytes, is_signed)?, is_optional) {
                None => Some(None),
                Some(value) => int_value(ty, value).map(Some),
            }
        }
    }
}

pub fn initial_value(ty: &str, text: &str) -> OwnedValue {
    match ty {
        "decimal" => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            let mut exponent = -(fraction.len() as i8);
            let mut mantissa: i64 = format!("{whole}{fraction}").parse().expect("digits");
            while mantissa != 0 && mantissa % 10 == 0 {
                mantissa /= 10;
                exponent += 1;
            }
            OwnedValue::Decimal {
                exponent: if mantissa == 0 { 0 } else { exponent },
                mantissa,
            }
        }
        "string" | "unicode" => OwnedValue::Text(text.as_bytes().to_vec()),
        "byteVector" => {
            let pairs = text.as_bytes().chunks(2);
            let byte = |pair: &[u8]| {
                u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex")
            };
            OwnedValue::Bytes(pairs.map(byte).collect())
        }
        _ => int_value(ty, text.parse().expect("digits")).expect("in range"),
    }
}

fn map_of(bytes: &mut &[u8]) -> Option<Map> {
    let entity = entity(bytes)?;
    Some(
        entity
            .iter()
            .flat_map(|byte| (0..7).rev().map(move |k| byte >> k & 1 == 1))
            .collect(),
    )
}

fn type_of<'d>(node: Node<'d, 'd>) -> Option<&'d str> {
    inner(node)
        .find(|child| name(*child) == "typeRef")?
        .attribute("name")
}
