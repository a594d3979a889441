//! What can go wrong on the way from a question to an answer, sorted by what the caller does next.

/// Why a call into this crate, or into a seam it calls, did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The input breaks a stated limit: change it and ask again.
    #[error("{what}; {hint}")]
    Invalid {
        /// What is wrong and where.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// A part is down or overloaded: the same call may succeed later.
    #[error("{part} is unavailable: {what}; try again, or look at its log if it stays so")]
    Unavailable {
        /// Which part: `memory`, `embedder`, `model`, `facts`.
        part: &'static str,
        /// What it reported.
        what: String,
    },
    /// More waits for a part than it takes: the same call may succeed in a second.
    #[error("{part} is busy: {what}; try again in a second")]
    Busy {
        /// Which part.
        part: &'static str,
        /// What it reported.
        what: String,
    },
    /// The part did not finish by the deadline it was given.
    #[error("{part} passed its deadline; allow more time or leave it out")]
    Deadline {
        /// Which part.
        part: &'static str,
    },
    /// The reader of a streamed answer went away; nothing is left to do.
    #[error("the reader of the answer went away")]
    Stopped,
}

impl Fault {
    /// An input fault.
    #[must_use]
    pub fn invalid(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Invalid {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// A part that is down.
    #[must_use]
    pub fn unavailable(part: &'static str, what: impl Into<String>) -> Self {
        Self::Unavailable {
            part,
            what: what.into(),
        }
    }
}
