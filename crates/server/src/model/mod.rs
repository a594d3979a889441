//! Writers of answers and makers of vectors: any endpoint that speaks OpenAI's protocol.

mod breaker;
mod embeddings;
mod endpoint;
mod openai;

pub use embeddings::EmbeddingModel;
pub use endpoint::ChatSettings;
pub use openai::ChatModel;
