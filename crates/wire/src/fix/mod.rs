//! FIX tag=value: messages of FIX 4.4, and of FIX 5.0SP2 over FIXT.1.1, as text on a stream.
//!
//! A message is `8=..|9=length|35=..| fields |10=checksum|`, each field `tag=value` closed by SOH
//! (0x01). [`find`] cuts whole messages with a good length and checksum out of what a socket gave;
//! a [`Message`] is a view over those bytes whose fields come in their order, and a [`Writer`] fills
//! a caller's buffer and patches length and checksum. Nothing is allocated and nothing is copied on
//! the way in. Which fields a message must have is the business of a dictionary, not of this module.
//! Byte map: `docs/formats/fix.md`. Source: FIX 4.4 with Errata 20030618, volumes 1 and 2; FIX
//! Session Protocol FIXT 1.1; FIX TagValue Encoding 1.0.
//!
//! ```
//! use wire::fix::{Found, Writer, find, tag};
//!
//! let mut buffer = [0; 256];
//! let mut writer = Writer::new(&mut buffer, b"FIX.4.4", b"0");
//! writer.uint(tag::MSG_SEQ_NUM, 2).text(tag::SENDER_COMP_ID, b"OUZEL");
//! let bytes = writer.finish().expect("fits");
//! assert_eq!(bytes, b"8=FIX.4.4\x019=19\x0135=0\x0134=2\x0149=OUZEL\x0110=233\x01");
//!
//! let Found::Message(message) = find(bytes, 4096) else { panic!("whole") };
//! assert_eq!(message.msg_type(), b"0");
//! assert_eq!(message.require(tag::MSG_SEQ_NUM)?.uint()?, 2);
//! # Ok::<(), wire::fix::FieldError>(())
//! ```

mod data;
mod field;
mod frame;
mod group;
mod message;
pub mod tag;
#[cfg(test)]
mod tests;
mod value;
mod writer;

pub use data::data_tag_of;
pub use field::{Field, FieldError, FieldFault};
pub use frame::{Fault, Found, Frames, Garbled, find};
pub use group::{Group, GroupError};
pub use message::{Fields, Message};
pub use value::{
    ValueFault, parse_bool, parse_char, parse_date, parse_decimal, parse_int, parse_time_of_day,
    parse_timestamp, parse_uint,
};
pub use writer::{Precision, WriteError, Writer};

/// The byte that closes each field.
pub const SOH: u8 = 0x01;
/// Decimals of a price as this crate and those above hold it: units of 1e-9.
pub const PRICE_DECIMALS: u8 = 9;
/// Bytes of `10=ddd` and its SOH, the end of each message.
const TRAILER_SIZE: usize = 7;
