//! Who ranks passages once more.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use rag::settings::RERANK_LIMIT;

/// A cross-encoder, which reads question and passage together; without one, lists stay as they were joined.
#[derive(Clone, Debug, ClapArgs)]
pub struct RerankArgs {
    /// An endpoint that ranks passages: Cohere, Jina, vLLM, llama.cpp, TEI; asked at URL/v1/rerank, or at URL where that ends in /rerank
    #[arg(long, value_name = "URL", env = "OUZEL_RERANK_URL")]
    pub rerank_url: Option<String>,
    /// The model's name there
    #[arg(
        long,
        value_name = "NAME",
        env = "OUZEL_RERANK_NAME",
        default_value = "default"
    )]
    pub rerank_name: String,
    /// A file that holds the key, so that it is never in a process list [default: the variable OUZEL_RERANK_KEY]
    #[arg(long, value_name = "FILE")]
    pub rerank_key_file: Option<PathBuf>,
    /// What passages are called: `documents` (Cohere, Jina, vLLM, llama.cpp) or `texts` (TEI, asked at URL/rerank)
    #[arg(
        long,
        value_name = "FORM",
        env = "OUZEL_RERANK_BODY",
        value_enum,
        default_value = "documents"
    )]
    pub rerank_body: BodyArg,
    /// Passages of one question that it is given, the first of the list
    #[arg(long, value_name = "N", env = "OUZEL_RERANK_TOP", default_value_t = 50,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=RERANK_LIMIT as u64))]
    pub rerank_top: usize,
}

/// What passages are called in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BodyArg {
    /// With model and top_n
    Documents,
    /// With truncate
    Texts,
}
