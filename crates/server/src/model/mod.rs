//! Writers of answers: any endpoint that speaks the OpenAI chat protocol.

mod openai;

pub use openai::{ChatModel, ChatSettings};
