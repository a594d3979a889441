//! Writers of answers: any endpoint that speaks the OpenAI chat protocol.

mod breaker;
mod embeddings;
mod openai;

pub use embeddings::EmbeddingModel;
pub use openai::{ChatModel, ChatSettings};
