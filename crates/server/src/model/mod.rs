//! Writers of answers: any endpoint that speaks the OpenAI chat protocol.

mod breaker;
mod openai;

pub use openai::{ChatModel, ChatSettings};
