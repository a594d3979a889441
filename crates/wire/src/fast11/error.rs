//! What can be wrong, with the codes of the specification's appendix.

use alloc::string::String;

/// A template file that cannot be compiled. Fix the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Not XML.
    #[error("FAST templates are not XML: {0}")]
    Xml(String),
    /// S1: not what the template syntax allows.
    #[error("FAST S1: line {line}: {what}")]
    Syntax {
        /// Line of the template file, from 1.
        line: u32,
        /// What is wrong there.
        what: String,
    },
    /// S2: an operator that the field's type does not have.
    #[error("FAST S2: line {line}: operator <{operator}> cannot be used on this type")]
    Operator {
        /// Line of the template file, from 1.
        line: u32,
        /// The operator.
        operator: String,
    },
    /// S3: an initial value that is not of the field's type.
    #[error("FAST S3: line {line}: \"{value}\" is not a value of this type")]
    Initial {
        /// Line of the template file, from 1.
        line: u32,
        /// The value given.
        value: String,
    },
    /// S4: a constant without a value.
    #[error("FAST S4: line {line}: a constant needs a value")]
    Constant {
        /// Line of the template file, from 1.
        line: u32,
    },
    /// S5: a mandatory field's default without a value.
    #[error("FAST S5: line {line}: the default of a mandatory field needs a value")]
    Default {
        /// Line of the template file, from 1.
        line: u32,
    },
    /// D8: a reference to a template that the file does not have.
    #[error("FAST D8: line {line}: there is no template \"{name}\"")]
    Reference {
        /// Line of the template file, from 1.
        line: u32,
        /// The name looked for.
        name: String,
    },
    /// Larger or deeper than the limits allow, or a template that contains itself.
    #[error("FAST templates pass a limit: {what}")]
    Limit {
        /// Which.
        what: &'static str,
    },
}

/// Why a message cannot be decoded or encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Code {
    /// The bytes end inside a message.
    #[error("the bytes end inside a message")]
    Cut,
    /// A limit of ours was passed.
    #[error("passes the limit of {0}")]
    Limit(&'static str),
    /// D2: an integer outside its type.
    #[error("D2: integer outside its type")]
    D2,
    /// D4: the previous value is of another type.
    #[error("D4: previous value of another type")]
    D4,
    /// D5: a mandatory field is absent and has no value before or at first.
    #[error("D5: mandatory field absent without previous or initial value")]
    D5,
    /// D6: a mandatory field is absent and its previous value is empty.
    #[error("D6: mandatory field absent with an empty previous value")]
    D6,
    /// D7: more is to be cut from the base value than it has.
    #[error("D7: subtraction longer than the base value")]
    D7,
    /// D9: no template has this identifier.
    #[error("D9: unknown template {0}: is the template file the venue's present one?")]
    D9(u32),
    /// R1: a decimal's exponent or mantissa outside its range.
    #[error("R1: decimal outside its range")]
    R1,
    /// R2: text that is not UTF-8.
    #[error("R2: text is not UTF-8")]
    R2,
    /// R6: an integer in more bytes than it needs (refused only by a strict decoder).
    #[error("R6: overlong integer")]
    R6,
    /// R7: a presence map in more bytes than it needs (strict).
    #[error("R7: overlong presence map")]
    R7,
    /// R8: a presence map with more bits than fields (strict).
    #[error("R8: presence map with bits left over")]
    R8,
    /// R9: a string in an overlong form.
    #[error("R9: overlong string")]
    R9,
}

/// A message that cannot be decoded. The dictionary may hold half of it: drop the rest of the
/// datagram, and reset the decoder unless the next datagram starts with a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "FAST message is bad at byte {offset}: {code} (template {template_id:?}, field id {field_id:?})"
)]
pub struct Error {
    /// What is wrong.
    pub code: Code,
    /// Where reading stopped, from the first byte given.
    pub offset: usize,
    /// The template, once it was known.
    pub template_id: Option<u32>,
    /// The `id` of the field being read, where it has one.
    pub field_id: Option<u32>,
}
