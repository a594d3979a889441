//! Template XML to a plan (section 4 of the specification).

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use roxmltree::{Document, Node, ParsingOptions};

use super::error::TemplateError;
use super::operators::Decimal;
use super::plan::{
    BytesType, DEPTH_LIMIT, FIELDS_LIMIT, Field, Initial, IntType, Kind, Operator, Plan, Rule,
    Segment, Template,
};

const NODES_LIMIT: u32 = 1 << 20;
/// Namespaces that are FAST's own; elements of others are notes for other programs.
const NAMESPACES: [&str; 2] = [
    "http://www.fixprotocol.org/ns/fast/td/",
    "http://www.fixprotocol.org/ns/template-definition",
];
const OPERATORS: [(&str, Operator); 6] = [
    ("constant", Operator::Constant),
    ("default", Operator::Default),
    ("copy", Operator::Copy),
    ("increment", Operator::Increment),
    ("delta", Operator::Delta),
    ("tail", Operator::Tail),
];

pub(super) fn compile(xml: &str) -> Result<Plan, TemplateError> {
    let options = ParsingOptions {
        nodes_limit: NODES_LIMIT,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(xml, options)
        .map_err(|error| TemplateError::Xml(error.to_string()))?;
    let root = document.root_element();
    let nodes: Vec<Node<'_, '_>> = match root.tag_name().name() {
        "templates" => elements(root).collect(),
        "template" => [root].into(),
        other => return Err(syntax(root, format!("<{other}> where <templates> belongs"))),
    };
    let mut names = BTreeMap::new();
    for node in &nodes {
        if node.tag_name().name() != "template" {
            return Err(unknown(*node));
        }
        names.insert(required(*node, "name")?, *node);
    }
    let mut compiler = Compiler {
        names,
        entries: BTreeMap::new(),
        plan: Plan {
            templates: Vec::new(),
            segments: Vec::new(),
            fields: Vec::new(),
            entries: 1,
        },
        waiting: 0,
    };
    for node in nodes {
        compiler.template(node)?;
    }
    let mut plan = compiler.plan;
    plan.templates.sort_by_key(|template| template.id);
    if let Some(pair) = plan.templates.windows(2).find(|two| two[0].id == two[1].id) {
        let what = format!("two templates have id {}", pair[0].id);
        return Err(syntax(root, what));
    }
    Ok(plan)
}

/// What a place in the file inherits.
#[derive(Clone, Copy)]
struct Scope<'d> {
    dictionary: &'d str,
    /// The template in which the fields stand.
    template: &'d str,
    /// The application type, for dictionaries by type.
    ty: &'d str,
    depth: usize,
}

struct Compiler<'d, 'i> {
    names: BTreeMap<&'d str, Node<'d, 'i>>,
    /// Entries by dictionary and key.
    entries: BTreeMap<(String, String), u32>,
    plan: Plan,
    /// Fields of segments that are not finished.
    waiting: usize,
}

impl<'d, 'i> Compiler<'d, 'i> {
    fn template(&mut self, node: Node<'d, 'i>) -> Result<(), TemplateError> {
        let name = required(node, "name")?;
        let scope = Scope {
            dictionary: inherited(node, "dictionary").unwrap_or("global"),
            template: name,
            ty: type_of(node).unwrap_or("any"),
            depth: 0,
        };
        let segment = self.segment(node, scope)?;
        let Some(id) = node.attribute("id") else {
            // Without an identifier it is there for references alone; compiling it checked it.
            return Ok(());
        };
        let id = id
            .parse()
            .map_err(|_| syntax(node, format!("template id \"{id}\" is no number")))?;
        // The attribute of the session control profile, or, as venues write it, a plain one.
        let mut attributes = node.attributes();
        let resets = attributes.any(|attribute| {
            attribute.name() == "reset"
                && matches!(attribute.value(), "yes" | "Y" | "T" | "true" | "1")
        });
        self.plan.templates.push(Template {
            id,
            name: name.into(),
            segment,
            resets,
        });
        Ok(())
    }

    /// The instructions within `node` as a segment of their own.
    fn segment(&mut self, node: Node<'d, 'i>, scope: Scope<'d>) -> Result<u32, TemplateError> {
        let mut fields = Vec::new();
        self.instructions(node, scope, &mut fields)?;
        self.waiting -= fields.len();
        let start = self.plan.fields.len() as u32;
        let has_map = fields.iter().any(|field| field.kind.has_bit());
        self.plan.fields.append(&mut fields);
        self.plan.segments.push(Segment {
            fields: start..self.plan.fields.len() as u32,
            has_map,
        });
        Ok(self.plan.segments.len() as u32 - 1)
    }

    fn instructions(
        &mut self,
        node: Node<'d, 'i>,
        scope: Scope<'d>,
        fields: &mut Vec<Field>,
    ) -> Result<(), TemplateError> {
        if scope.depth > DEPTH_LIMIT {
            return Err(TemplateError::Limit {
                what: "16 levels of nesting (does a template contain itself?)",
            });
        }
        for child in elements(node) {
            match child.tag_name().name() {
                "typeRef" => {}
                "length" if node.tag_name().name() == "sequence" => {}
                "templateRef" => match child.attribute("name") {
                    None => self.push(fields, child, Kind::Dynamic)?,
                    Some(name) => self.inline(child, name, scope, fields)?,
                },
                _ => {
                    let kind = self.kind(child, scope)?;
                    self.push(fields, child, kind)?;
                }
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        fields: &mut Vec<Field>,
        node: Node<'d, 'i>,
        kind: Kind,
    ) -> Result<(), TemplateError> {
        self.waiting += 1;
        if self.plan.fields.len() + self.waiting > FIELDS_LIMIT
            || fields.len() >= usize::from(u16::MAX)
        {
            return Err(TemplateError::Limit {
                what: "65,536 fields",
            });
        }
        let named = match kind {
            Kind::Dynamic => "",
            _ => required(node, "name")?,
        };
        // A sequence is found by its length's identifier, which for FIX is the tag of the group.
        let id = match node.tag_name().name() {
            "sequence" => elements(node)
                .find(|child| child.tag_name().name() == "length")
                .and_then(|length| length.attribute("id"))
                .or_else(|| node.attribute("id")),
            _ => node.attribute("id"),
        };
        fields.push(Field {
            name: named.into(),
            id: id.and_then(|id| id.parse().ok()),
            kind,
        });
        Ok(())
    }

    /// A static reference: the other template's instructions, as if they stood here.
    fn inline(
        &mut self,
        node: Node<'d, 'i>,
        name: &'d str,
        scope: Scope<'d>,
        fields: &mut Vec<Field>,
    ) -> Result<(), TemplateError> {
        let Some(&target) = self.names.get(name) else {
            return Err(TemplateError::Reference {
                line: line(node),
                name: name.to_owned(),
            });
        };
        let inner = Scope {
            dictionary: inherited(target, "dictionary").unwrap_or("global"),
            template: name,
            ty: type_of(target).unwrap_or(scope.ty),
            depth: scope.depth + 1,
        };
        self.instructions(target, inner, fields)
    }

    fn kind(&mut self, node: Node<'d, 'i>, scope: Scope<'d>) -> Result<Kind, TemplateError> {
        let is_optional = is_optional(node)?;
        let inner = Scope {
            dictionary: node.attribute("dictionary").unwrap_or(scope.dictionary),
            ty: type_of(node).unwrap_or(scope.ty),
            depth: scope.depth + 1,
            ..scope
        };
        let name = required(node, "name")?;
        Ok(match node.tag_name().name() {
            "uInt32" => self.int(node, IntType::U32, is_optional, scope)?,
            "int32" => self.int(node, IntType::I32, is_optional, scope)?,
            "uInt64" => self.int(node, IntType::U64, is_optional, scope)?,
            "int64" => self.int(node, IntType::I64, is_optional, scope)?,
            "length" => self.int(node, IntType::U32, is_optional, scope)?,
            "string" => {
                let ty = match node.attribute("charset") {
                    None | Some("ascii") => BytesType::Ascii,
                    Some("unicode") => BytesType::Unicode,
                    Some(other) => return Err(syntax(node, format!("no charset \"{other}\""))),
                };
                Kind::Bytes(
                    ty,
                    self.rule(node, name, is_optional, scope, bytes_value(ty))?,
                )
            }
            "byteVector" => {
                let value = bytes_value(BytesType::Bytes);
                let rule = self.rule(node, name, is_optional, scope, value)?;
                Kind::Bytes(BytesType::Bytes, rule)
            }
            "decimal" => self.decimal(node, name, is_optional, scope)?,
            "group" => Kind::Group {
                segment: self.segment(node, inner)?,
                is_optional,
            },
            "sequence" => Kind::Sequence {
                length: Box::new(self.length(node, name, is_optional, inner)?),
                segment: self.segment(node, inner)?,
            },
            _ => return Err(unknown(node)),
        })
    }

    fn int(
        &mut self,
        node: Node<'d, 'i>,
        ty: IntType,
        is_optional: bool,
        scope: Scope<'d>,
    ) -> Result<Kind, TemplateError> {
        let name = required(node, "name")?;
        let rule = self.rule(node, name, is_optional, scope, int_value(ty))?;
        Ok(Kind::Int(ty, rule))
    }

    /// A sequence's length: an element of its own, or implied with a name that nothing shares.
    fn length(
        &mut self,
        node: Node<'d, 'i>,
        name: &str,
        is_optional: bool,
        scope: Scope<'d>,
    ) -> Result<Rule, TemplateError> {
        let mut lengths = elements(node).filter(|child| child.tag_name().name() == "length");
        let Some(length) = lengths.next() else {
            return Ok(Rule {
                operator: Operator::None,
                is_optional,
                entry: 0,
                initial: Initial::None,
            });
        };
        let implied = format!("{name}\u{1}length");
        let key = length.attribute("name").unwrap_or(&implied);
        self.rule(length, key, is_optional, scope, int_value(IntType::U32))
    }

    fn decimal(
        &mut self,
        node: Node<'d, 'i>,
        name: &str,
        is_optional: bool,
        scope: Scope<'d>,
    ) -> Result<Kind, TemplateError> {
        let part = |name| elements(node).find(|child| child.tag_name().name() == name);
        let (exponent, mantissa) = (part("exponent"), part("mantissa"));
        if exponent.is_none() && mantissa.is_none() {
            let rule = self.rule(node, name, is_optional, scope, decimal_value)?;
            return Ok(Kind::Decimal(rule));
        }
        let mut rule = |part: Option<_>, what, is_optional, ty| match part {
            None => Ok(Rule {
                operator: Operator::None,
                is_optional,
                entry: 0,
                initial: Initial::None,
            }),
            Some(part) => {
                let key = format!("{name}\u{1}{what}");
                self.rule(part, &key, is_optional, scope, int_value(ty))
            }
        };
        let exponent = rule(exponent, "exponent", is_optional, IntType::I32)?;
        let mantissa = rule(mantissa, "mantissa", false, IntType::I64)?;
        Ok(Kind::SplitDecimal(Box::new((exponent, mantissa))))
    }

    /// The operator within a field, with its dictionary entry and initial value.
    fn rule(
        &mut self,
        node: Node<'d, 'i>,
        key: &str,
        is_optional: bool,
        scope: Scope<'d>,
        parse: impl Fn(&str) -> Option<Initial>,
    ) -> Result<Rule, TemplateError> {
        let is_part = |name: &str| matches!(name, "exponent" | "mantissa" | "length" | "typeRef");
        let mut rule = Rule {
            operator: Operator::None,
            is_optional,
            entry: 0,
            initial: Initial::None,
        };
        let mut inner = elements(node).filter(|child| !is_part(child.tag_name().name()));
        let Some(child) = inner.next() else {
            return Ok(rule);
        };
        if let Some(second) = inner.next() {
            return Err(syntax(second, "a field has one operator".to_owned()));
        }
        let name = child.tag_name().name();
        let operator = OPERATORS.iter().find(|(known, _)| *known == name);
        rule.operator = operator.ok_or_else(|| unknown(child))?.1;
        let is_wrong = match rule.operator {
            Operator::Increment => parse("1").is_none_or(|value| !matches!(value, Initial::Int(_))),
            Operator::Tail => parse("").is_none_or(|value| !matches!(value, Initial::Bytes(_))),
            _ => false,
        };
        if is_wrong {
            return Err(TemplateError::Operator {
                line: line(child),
                operator: name.to_owned(),
            });
        }
        if let Some(value) = child.attribute("value") {
            rule.initial = parse(value).ok_or_else(|| TemplateError::Initial {
                line: line(child),
                value: value.to_owned(),
            })?;
        }
        match (rule.operator, &rule.initial) {
            (Operator::Constant, Initial::None) => {
                return Err(TemplateError::Constant { line: line(child) });
            }
            (Operator::Default, Initial::None) if !is_optional => {
                return Err(TemplateError::Default { line: line(child) });
            }
            (Operator::Constant | Operator::Default, _) => return Ok(rule),
            _ => {}
        }
        rule.entry = self.entry(child, key, scope);
        Ok(rule)
    }

    /// The number of a dictionary entry: the same for the same dictionary and key.
    fn entry(&mut self, operator: Node<'d, 'i>, name: &str, scope: Scope<'d>) -> u32 {
        let dictionary = operator.attribute("dictionary").unwrap_or(scope.dictionary);
        let dictionary = match dictionary {
            "template" => format!("template\u{1}{}", scope.template),
            "type" => format!("type\u{1}{}", scope.ty),
            other => other.to_owned(),
        };
        let key = operator.attribute("key").unwrap_or(name);
        let key = match operator.attribute("ns") {
            None => key.to_owned(),
            Some(ns) => format!("{ns}\u{1}{key}"),
        };
        let next = self.plan.entries;
        let entry = *self.entries.entry((dictionary, key)).or_insert(next);
        self.plan.entries = next.max(entry + 1);
        entry
    }
}

fn elements<'d, 'i>(node: Node<'d, 'i>) -> impl Iterator<Item = Node<'d, 'i>> {
    node.children().filter(|child| {
        let is_ours = |ns: &str| NAMESPACES.iter().any(|known| ns.starts_with(known));
        child.is_element() && child.tag_name().namespace().is_none_or(is_ours)
    })
}

fn inherited<'d>(node: Node<'d, '_>, name: &str) -> Option<&'d str> {
    node.ancestors()
        .filter(Node::is_element)
        .find_map(|node| node.attribute(name))
}

fn type_of<'d>(node: Node<'d, '_>) -> Option<&'d str> {
    elements(node)
        .find(|child| child.tag_name().name() == "typeRef")
        .and_then(|child| child.attribute("name"))
}

fn required<'d>(node: Node<'d, '_>, name: &str) -> Result<&'d str, TemplateError> {
    node.attribute(name)
        .ok_or_else(|| syntax(node, format!("<{}> without {name}", node.tag_name().name())))
}

fn is_optional(node: Node<'_, '_>) -> Result<bool, TemplateError> {
    match node.attribute("presence") {
        None | Some("mandatory") => Ok(false),
        Some("optional") => Ok(true),
        Some(other) => Err(syntax(node, format!("no presence \"{other}\""))),
    }
}

fn line(node: Node<'_, '_>) -> u32 {
    node.document().text_pos_at(node.range().start).row
}

fn syntax(node: Node<'_, '_>, what: String) -> TemplateError {
    TemplateError::Syntax {
        line: line(node),
        what,
    }
}

fn unknown(node: Node<'_, '_>) -> TemplateError {
    syntax(
        node,
        format!("<{}> is not known here", node.tag_name().name()),
    )
}

fn int_value(ty: IntType) -> impl Fn(&str) -> Option<Initial> {
    move |text| {
        let value = text.trim().parse::<i128>().ok()?;
        ty.holds(value).then_some(Initial::Int(value))
    }
}

fn bytes_value(ty: BytesType) -> impl Fn(&str) -> Option<Initial> {
    move |text| {
        let bytes = match ty {
            BytesType::Ascii if !text.is_ascii() => return None,
            BytesType::Ascii | BytesType::Unicode => text.as_bytes().into(),
            BytesType::Bytes => hexadecimal(text)?,
        };
        Some(Initial::Bytes(bytes))
    }
}

fn hexadecimal(text: &str) -> Option<Box<[u8]>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// A decimal in text, with the mantissa free of trailing zeros.
fn decimal_value(text: &str) -> Option<Initial> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) || fraction.len() > 63 {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let mut mantissa = digits.parse::<i128>().ok()?;
    let mut exponent = -(fraction.len() as i128);
    while mantissa != 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        exponent += 1;
    }
    if mantissa == 0 {
        exponent = 0;
    }
    let value = Decimal::new(exponent, mantissa).ok()?;
    Some(Initial::Decimal {
        exponent: value.exponent,
        mantissa: value.mantissa,
    })
}
