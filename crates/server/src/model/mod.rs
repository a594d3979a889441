//! Writers of answers and makers of vectors: any endpoint that speaks OpenAI's protocol. Cross-encoders: any that ranks
//! as Cohere's, Jina's, vLLM's or TEI's does.

mod breaker;
mod embeddings;
mod endpoint;
mod openai;
mod rerank;

pub use embeddings::EmbeddingModel;
pub use endpoint::ChatSettings;
pub use openai::ChatModel;
pub use rerank::{RerankBody, RerankModel, RerankSettings};
