//! Standing questions: a question that waits for its answers, told of each document and market state as it comes.
//!
//! Matching reads the log of documents as it becomes durable, apart from those who store and those who ask. An alert is
//! told at least once: how far matching got is on disk, no further than what was delivered, and a later run goes on from
//! there; the same alert has the same id each time.

mod alert;
mod file;
mod mark;
mod matcher;
mod question;
mod questions;
mod rows;
mod states;
#[cfg(test)]
mod tests;
mod watcher;

pub use alert::{Alert, AlertLog, AlertsSince, Arrival, DocumentArrival, StateArrival};
pub use file::{Kept, QUESTIONS_FILE};
pub use mark::{Hold, MARK_FILE};
pub use matcher::{Answered, Matcher, Standing};
pub use question::{Meaning, Passing, Question, StateWish, Words};
pub use questions::{
    BrokerTally, NewQuestion, QUESTIONS_LIMIT, ReadQuestion, RenewQuestion, StandingCounts,
    StandingError, StandingQuestions,
};
pub use states::StateWatcher;
pub use watcher::{Sink, WatchError, Watcher};

/// Gives a vector unit length, as those of passages have.
///
/// # Errors
/// In words, where it has a component that is no number, or no direction.
pub fn unit(vector: &mut [f32]) -> Result<(), String> {
    vector::check(vector).map_err(|why| why.to_string())?;
    vector::normalise(vector).map_err(|why| why.to_string())
}
