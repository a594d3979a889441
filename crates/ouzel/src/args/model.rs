//! Who writes answers, and who ranks passages.

use clap::Args as ClapArgs;

use super::RerankArgs;

/// The writer of answers; without one, answers are put together from quotes.
#[derive(Clone, Debug, ClapArgs)]
pub struct ModelArgs {
    /// An OpenAI-compatible endpoint that writes answers
    #[arg(long, value_name = "URL", env = "OUZEL_MODEL_URL")]
    pub model_url: Option<String>,
    /// The model's name there
    #[arg(
        long,
        value_name = "NAME",
        env = "OUZEL_MODEL",
        default_value = "default"
    )]
    pub model: String,
    /// Environment variable that holds the key, so that it is never in a process list
    #[arg(long, value_name = "VARIABLE", default_value = "OUZEL_MODEL_KEY")]
    pub model_key_env: String,
    /// The cross-encoder
    #[command(flatten)]
    pub rerank: RerankArgs,
}
