//! Simple Binary Encoding 1.0, driven by the venue's own message schema.
//!
//! A [`Schema`] is compiled once from XML. A [`Message`] is then a view over the caller's bytes: a
//! field is one load at a known offset, made when it is asked for; nothing is allocated and nothing
//! copied. [`Schema::parse`] walks every repeating group and variable-length field once, so that
//! reading afterwards cannot leave the message.
//!
//! What is read: all primitive types in both byte orders, arrays, optional and constant presence,
//! enumerations and sets (as their numbers), composites, references, repeating groups with any
//! dimension composite, groups in groups, variable-length data, and other versions of a message
//! (fields, groups and data newer than the message are absent; a longer block is stepped over).
//! Byte map and limits: `docs/formats/sbe.md`. Source: *Simple Binary Encoding*, FIX Trading
//! Community, version 1.0 with errata.
//!
//! ```
//! use wire::sbe::{Schema, Value};
//!
//! let schema = Schema::from_xml(r#"<messageSchema id="1" version="0" byteOrder="littleEndian">
//!   <types><composite name="messageHeader">
//!     <type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint16"/>
//!     <type name="schemaId" primitiveType="uint16"/><type name="version" primitiveType="uint16"/>
//!   </composite></types>
//!   <message name="Tick" id="7"><field name="Qty" id="38" type="uint32"/></message>
//! </messageSchema>"#)?;
//! let message = schema.parse(&[4, 0, 7, 0, 1, 0, 0, 0, 100, 0, 0, 0])?;
//! let qty = message.shape().slot_of_id(38).ok_or("no quantity")?;
//! assert_eq!(message.root().get(qty), Some(Value::Unsigned(100)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compile;
mod plan;
#[cfg(test)]
mod tests;
mod view;
mod writer;

pub use plan::{FieldShape, GroupSlot, Schema, SchemaError, Shape, Slot};
pub use view::{Array, Block, Error, Group, Message, Value};
pub use writer::{OwnedBlock, WriteError, write};
