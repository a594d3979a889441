//! Whose vectors: the packaged model's, a folder's, or an endpoint's.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser};

use super::TargetArgs;

/// The model that turns texts into vectors; a data folder has those of one model. Commands without these options read the variables.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct EmbedArgs {
    /// A folder with a BERT-family model, in place of the packaged one: config.json, tokenizer.json or vocab.txt, and
    /// model.safetensors or model.onnx (docs/embedding.md)
    #[arg(
        long,
        value_name = "DIR",
        env = "OUZEL_EMBED_MODEL",
        conflicts_with = "embed_url"
    )]
    pub embed_model: Option<PathBuf>,
    /// What such a model wants before what is looked for, in place of what its folder says
    #[arg(
        long,
        value_name = "TEXT",
        env = "OUZEL_EMBED_QUERY_PREFIX",
        requires = "embed_model"
    )]
    pub embed_query_prefix: Option<String>,
    /// What such a model wants before what is stored, in place of what its folder says
    #[arg(
        long,
        value_name = "TEXT",
        env = "OUZEL_EMBED_PASSAGE_PREFIX",
        requires = "embed_model"
    )]
    pub embed_passage_prefix: Option<String>,
    /// An OpenAI-compatible endpoint that embeds texts, in place of the packaged model
    #[arg(long, value_name = "URL", env = "OUZEL_EMBED_URL")]
    pub embed_url: Option<String>,
    /// The model's name there
    #[arg(
        long,
        value_name = "NAME",
        env = "OUZEL_EMBED_NAME",
        default_value = "default"
    )]
    pub embed_name: String,
    /// Environment variable that holds the key, so that it is never in a process list
    #[arg(long, value_name = "VARIABLE", default_value = "OUZEL_EMBED_KEY")]
    pub embed_key_env: String,
    /// The folder of the model whose vectors the data folder had before: questions about its instants are embedded by it
    #[arg(long, value_name = "DIR", env = "OUZEL_EMBED_BEFORE_MODEL")]
    pub embed_before_model: Option<PathBuf>,
    /// What stood before what is looked for with it, where that was not what its folder says
    #[arg(
        long,
        value_name = "TEXT",
        env = "OUZEL_EMBED_BEFORE_QUERY_PREFIX",
        requires = "embed_before_model"
    )]
    pub embed_before_query_prefix: Option<String>,
    /// What stood before what is stored with it, where that was not what its folder says
    #[arg(
        long,
        value_name = "TEXT",
        env = "OUZEL_EMBED_BEFORE_PASSAGE_PREFIX",
        requires = "embed_before_model"
    )]
    pub embed_before_passage_prefix: Option<String>,
    /// The endpoint of the model whose vectors the folder had before: questions about its instants are embedded there
    #[arg(long, value_name = "URL", env = "OUZEL_EMBED_BEFORE_URL")]
    pub embed_before_url: Option<String>,
    /// The model's name there
    #[arg(
        long,
        value_name = "NAME",
        env = "OUZEL_EMBED_BEFORE_NAME",
        default_value = "default"
    )]
    pub embed_before_name: String,
    /// Environment variable that holds the key of that endpoint
    #[arg(
        long,
        value_name = "VARIABLE",
        default_value = "OUZEL_EMBED_BEFORE_KEY"
    )]
    pub embed_before_key_env: String,
}

#[derive(Parser)]
struct Alone {
    #[command(flatten)]
    embed: EmbedArgs,
}

impl EmbedArgs {
    /// What the environment says; a variable that cannot be read ends the program in words.
    pub fn of_env() -> Self {
        Alone::parse_from(["ouzel"]).embed
    }
}

/// Arguments of `models`.
#[derive(Debug, ClapArgs)]
pub struct ModelsArgs {
    /// Drop the vectors of an earlier model, or of one to come; only in a folder that no server has open (--data)
    #[arg(long, value_name = "MODEL", requires = "data")]
    pub forget: Option<String>,
    /// Which server or folder
    #[command(flatten)]
    pub target: TargetArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
