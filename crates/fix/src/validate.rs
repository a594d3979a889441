//! One message against the dictionaries: the first thing that is wrong with it.

use std::collections::HashSet;

use wire::fix::{
    Field, FieldError, FieldFault, Fields, GroupError, Message, parse_bool, parse_char, parse_date,
    parse_decimal, parse_int, parse_time_of_day, parse_timestamp, tag,
};

use crate::dictionary::{Block, Dictionaries, FieldDef, Group, Kind};

/// What is wrong with a message, as a session-level Reject says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// `SessionRejectReason` (373).
    pub reason: u32,
    /// `RefTagID` (371); may be zero or negative when that is what was sent.
    pub ref_tag: Option<i64>,
    /// `Text` (58).
    pub text: &'static str,
}

impl Violation {
    const fn new(reason: u32, ref_tag: u32, text: &'static str) -> Self {
        Self {
            reason,
            ref_tag: Some(ref_tag as i64),
            text,
        }
    }

    pub(crate) const fn required(tag: u32) -> Self {
        Self::new(1, tag, "Required tag missing")
    }

    pub(crate) const fn value(tag: Option<u32>) -> Self {
        Self {
            reason: 5,
            ref_tag: match tag {
                Some(tag) => Some(tag as i64),
                None => None,
            },
            text: "Value is incorrect (out of range) for this tag",
        }
    }

    pub(crate) const fn format(tag: u32) -> Self {
        Self::new(6, tag, "Incorrect data format for value")
    }

    const fn count(tag: u32) -> Self {
        Self::new(16, tag, "Incorrect NumInGroup count for repeating group")
    }

    pub(crate) const MSG_TYPE: Self = Self {
        reason: 11,
        ref_tag: None,
        text: "Invalid MsgType",
    };
    pub(crate) const COMP_ID: Self = Self {
        reason: 9,
        ref_tag: None,
        text: "CompID problem",
    };
    pub(crate) const SENDING_TIME: Self = Self {
        reason: 10,
        ref_tag: None,
        text: "SendingTime accuracy problem",
    };
}

/// How strict a session is.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Refuse a tag without a value.
    pub fields_have_values: bool,
    /// Refuse tags from 5000 on that the dictionary does not know.
    pub user_defined_fields: bool,
    /// Refuse tags below 5000 that the message does not have in the dictionary.
    pub unknown_fields: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            fields_have_values: true,
            user_defined_fields: true,
            unknown_fields: true,
        }
    }
}

/// The first user-defined tag.
const USER_DEFINED: u32 = 5000;

/// Checks `message`.
pub(crate) fn check(
    message: &Message<'_>,
    dictionaries: &Dictionaries,
    rules: Rules,
) -> Result<(), Violation> {
    let block = dictionaries
        .message(message.msg_type())
        .ok_or(Violation::MSG_TYPE)?;
    let check = Check {
        dictionaries,
        rules,
        msg_type: message.msg_type(),
        block,
    };
    check.fields(message)
}

struct Check<'a> {
    dictionaries: &'a Dictionaries,
    rules: Rules,
    msg_type: &'a [u8],
    block: &'a Block,
}

impl Check<'_> {
    fn fields(&self, message: &Message<'_>) -> Result<(), Violation> {
        let (header, trailer) = (self.dictionaries.header(), self.dictionaries.trailer());
        let mut seen = HashSet::from([tag::BEGIN_STRING, tag::BODY_LENGTH, tag::CHECK_SUM]);
        let mut in_body = false;
        let mut fields = message.fields();
        while let Some(field) = fields.next() {
            let field = field.map_err(|error| unreadable(message, error))?;
            let is_header = header.members.contains(&field.tag);
            if is_header && in_body {
                let text = "Tag specified out of required order";
                return Err(Violation::new(14, field.tag, text));
            }
            in_body |= !is_header;
            if !seen.insert(field.tag) {
                return Err(Violation::new(13, field.tag, "Tag appears more than once"));
            }
            let owner = [header, self.block, trailer]
                .into_iter()
                .find(|block| block.members.contains(&field.tag));
            self.field(&field, owner.is_some())?;
            if let Some(group) = owner.and_then(|block| block.groups.get(&field.tag)) {
                fields = self.group(message, fields, field, group)?;
            }
        }
        let required = [header, self.block, trailer]
            .into_iter()
            .flat_map(|block| &block.required);
        match required.copied().find(|tag| !seen.contains(tag)) {
            Some(tag) => Err(Violation::required(tag)),
            None => Ok(()),
        }
    }

    /// One field by itself; `known` says whether the message may have it.
    fn field(&self, field: &Field<'_>, known: bool) -> Result<(), Violation> {
        if field.value.is_empty() {
            if self.rules.fields_have_values {
                return Err(Violation::new(
                    4,
                    field.tag,
                    "Tag specified without a value",
                ));
            }
            return Ok(());
        }
        let def = self.dictionaries.field(self.msg_type, field.tag);
        if let Some(def) = def {
            value(field, def)?;
        }
        let strict = if field.tag >= USER_DEFINED {
            self.rules.user_defined_fields
        } else {
            self.rules.unknown_fields
        };
        if known || !strict {
            return Ok(());
        }
        Err(match def {
            None => Violation::new(0, field.tag, "Invalid tag number"),
            Some(_) => Violation::new(2, field.tag, "Tag not defined for this message type"),
        })
    }

    /// The entries behind `count`; gives the fields behind them.
    fn group<'m>(
        &self,
        message: &Message<'m>,
        fields: Fields<'m>,
        count: Field<'m>,
        group: &Group,
    ) -> Result<Fields<'m>, Violation> {
        let format = |_| Violation::format(count.tag);
        let mut rest = fields;
        let told = count.uint().map_err(format)?;
        // The count first: what is wrong inside an entry matters less than which entries there are.
        let entries = fields.group(count, &group.tags).map_err(format)?;
        if entries
            .into_iter()
            .any(|entry| matches!(entry, Err(GroupError::Count { .. })))
        {
            return Err(Violation::count(count.tag));
        }
        let mut found = 0;
        loop {
            let start = rest;
            match rest.next() {
                Some(Ok(first)) if first.tag == group.delimiter => {
                    found += 1;
                    self.field(&first, true)?;
                    rest = self.entry(message, rest, first, group)?;
                }
                Some(Ok(first)) if group.tags.contains(&first.tag) => {
                    let text = "Repeating group fields out of order";
                    return Err(Violation::new(15, first.tag, text));
                }
                Some(Err(error)) => return Err(unreadable(message, error)),
                _ if found == told => return Ok(start),
                _ => return Err(Violation::count(count.tag)),
            }
        }
    }

    fn entry<'m>(
        &self,
        message: &Message<'m>,
        mut rest: Fields<'m>,
        first: Field<'m>,
        group: &Group,
    ) -> Result<Fields<'m>, Violation> {
        let mut seen = HashSet::from([first.tag]);
        loop {
            let before = rest;
            let field = match rest.next() {
                Some(Err(error)) => return Err(unreadable(message, error)),
                Some(Ok(field))
                    if field.tag != group.delimiter && group.block.members.contains(&field.tag) =>
                {
                    field
                }
                _ => {
                    let required = group.block.required.iter().copied();
                    return match required.into_iter().find(|tag| !seen.contains(tag)) {
                        Some(tag) => Err(Violation::required(tag)),
                        None => Ok(before),
                    };
                }
            };
            if !seen.insert(field.tag) {
                return Err(Violation::new(13, field.tag, "Tag appears more than once"));
            }
            self.field(&field, true)?;
            if let Some(inner) = group.block.groups.get(&field.tag) {
                rest = self.group(message, rest, field, inner)?;
            }
        }
    }
}

/// Whether a message is so garbled that it must be ignored rather than rejected.
pub(crate) fn is_garbled(message: &Message<'_>) -> bool {
    message
        .fields()
        .filter_map(Result::err)
        .any(|error| match error.fault {
            FieldFault::Tag => tag_text(message, error).is_none(),
            _ => true,
        })
}

/// The tag as a number, where it is one at all.
fn tag_text(message: &Message<'_>, error: FieldError) -> Option<i64> {
    let field = &message.bytes()[error.at..];
    let end = field.iter().position(|&byte| byte == b'=')?;
    parse_int(&field[..end]).ok()
}

fn unreadable(message: &Message<'_>, error: FieldError) -> Violation {
    Violation {
        reason: 0,
        ref_tag: tag_text(message, error),
        text: "Invalid tag number",
    }
}

fn value(field: &Field<'_>, def: &FieldDef) -> Result<(), Violation> {
    let text = field.value;
    let good = match def.kind {
        Kind::Text | Kind::Words => true,
        Kind::Int => parse_int(text).is_ok(),
        // Larger than we hold is still a number; only its syntax is judged here.
        Kind::Float => !matches!(
            parse_decimal(text, 0),
            Err(wire::fix::ValueFault::Syntax | wire::fix::ValueFault::Empty)
        ),
        Kind::Char => parse_char(text).is_ok(),
        Kind::Bool => parse_bool(text).is_ok(),
        Kind::Timestamp => parse_timestamp(text).is_ok(),
        Kind::Time => parse_time_of_day(text).is_ok(),
        Kind::Date => parse_date(text).is_ok(),
    };
    if !good {
        return Err(Violation::format(field.tag));
    }
    if def.values.is_empty() || field.tag == tag::MSG_TYPE {
        return Ok(());
    }
    let allowed = match def.kind {
        Kind::Words => text
            .split(|&byte| byte == b' ')
            .all(|word| def.values.contains(word)),
        _ => def.values.contains(text),
    };
    if allowed {
        Ok(())
    } else {
        Err(Violation::value(Some(field.tag)))
    }
}
