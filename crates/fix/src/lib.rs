//! FIX sessions: what two sides owe each other before any market data is said.
//!
//! A [`Session`] takes bytes and time and gives bytes and events; it opens no socket and reads no
//! clock, so a test plays a whole day in a millisecond. It checks messages by a [`Dictionaries`]
//! (QuickFIX's XML format) and keeps numbers and sent messages in a [`Store`], of which [`FileStore`]
//! outlives the process. What the messages mean (market data, an echo) is the caller's.
#![forbid(unsafe_code)]

mod dictionary;
mod greeting;
mod session;
mod store;
mod validate;

pub use dictionary::{Dictionaries, Dictionary, DictionaryError};
pub use greeting::{Greeting, greet};
pub use session::{Config, Event, Identity, Output, Role, SendError, Session, Status};
pub use store::{FileStore, MemoryStore, Store};
pub use validate::{Rules, Violation};
