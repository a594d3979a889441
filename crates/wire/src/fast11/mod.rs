//! FAST 1.1 (FIX Adapted for Streaming), driven by the venue's own template file.
//!
//! Templates are compiled once into a [`Plan`]: fields become rows of one table, every segment
//! (template, group, sequence element) a range of it, every dictionary entry a number. A
//! [`Decoder`] walks the plan with its own tables, taken at start and reused, so that decoding a
//! message allocates nothing once they are warm. Text is copied once, from its stop-bit form into
//! the decoder's arena; [`Record`] is a view over those tables until the next message.
//!
//! What is read: every field type and operator of the specification, nullable and mandatory
//! fields, decimals with one operator or two, groups, sequences, static and dynamic template
//! references, dictionaries (global, template, type, named) and reset. Errors carry the
//! specification's codes. Byte map and limits: `docs/formats/fast11.md`. Source: *FAST
//! Specification*, version 1.x.1 (1.1), sections 4 (templates), 6 (operators), 10 (encoding).
//!
//! ```
//! use wire::fast11::{Decoder, Limits, Plan, Value};
//!
//! let plan = Plan::from_xml(r#"<templates>
//!     <template id="1" name="Quote">
//!         <uInt32 name="MsgSeqNum" id="34"><increment/></uInt32>
//!         <decimal name="Price" id="44"><delta/></decimal>
//!     </template></templates>"#)?;
//! let price = plan.template(1).and_then(|shape| shape.slot_of_id(44)).ok_or("no price")?;
//! let mut decoder = Decoder::new(plan.into(), Limits::default());
//! // Presence map: template 1 and a sequence number are here; 7; 2 decimals, mantissa 1,025.
//! let (message, used) = decoder.decode(&[0b1110_0000, 0x81, 0x87, 0xFE, 0x08, 0x81])?;
//! assert_eq!((message.template_id(), used), (1, 6));
//! assert_eq!(message.get(price), Some(Value::Decimal { exponent: -2, mantissa: 1_025 }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compile;
mod decoder;
mod error;
mod operators;
mod plan;
mod record;
mod stream;
#[cfg(test)]
mod tests;
mod writer;

pub use decoder::{Decoder, Limits};
pub use error::{Code, Error, TemplateError};
pub use plan::{FieldShape, Plan, Shape, Slot};
pub use record::{Record, Records, Value};
pub use writer::{OwnedValue, WriteError, Writer};
