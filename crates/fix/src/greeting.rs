//! A connection before it is known whose it is.

use wire::fix::{Found, find};

use crate::session::Identity;

/// Whose a new connection is, as far as its first bytes tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// More bytes are needed.
    More,
    /// Its first message names this session; hand the same bytes to it.
    Of(Identity),
    /// Its first bytes are no message with CompIDs: close it without a word.
    Stranger,
}

/// Looks at the first bytes of a connection, which may have `limit` bytes.
#[must_use]
pub fn greet(bytes: &[u8], limit: usize) -> Greeting {
    match find(bytes, limit) {
        Found::More { .. } => Greeting::More,
        Found::Garbled(_) => Greeting::Stranger,
        Found::Message(message) => match Identity::of(&message) {
            Some(identity) => Greeting::Of(identity),
            None => Greeting::Stranger,
        },
    }
}
