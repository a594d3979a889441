//! How much is kept, and copies of it.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use node::EmbeddingLimits;
use node::memory::{EXACT_PASSAGES, document_limits};

use super::TargetArgs;

/// Bounds of what the documents take in memory and on disk.
#[derive(Clone, Debug, ClapArgs)]
pub struct LimitArgs {
    /// Passages up to which a search by meaning compares all of them, so that it is exact, and finds the same when it is asked
    /// again as of then. Beyond, a graph is walked; 0: as soon as that pays
    #[arg(long, value_name = "PASSAGES", default_value_t = EXACT_PASSAGES)]
    pub exact_passages: u64,
    /// Passages that the graph in memory may have, some 2.2 KB each; those in the fewest answers beyond
    /// it move to lists on disk, with 65 bytes each in memory, and are searched there [default: all]
    #[arg(long, value_name = "PASSAGES", value_parser = clap::value_parser!(u64).range(4_096..))]
    pub hot_passages: Option<u64>,
    /// Keep the graph in a sixth of the memory, some 0.4 KB a passage, for searches that take a few times as long
    #[arg(long)]
    pub compact: bool,
    /// Passages that may wait to be linked, compared one by one meanwhile, before who stores more has to wait: bounds
    /// what a bulk costs searches [default: any number]
    #[arg(long, value_name = "PASSAGES", value_parser = clap::value_parser!(u64).range(1_024..))]
    pub tail_passages: Option<u64>,
    /// MiB that the log of documents may have before its oldest segments go, as far as checkpoints stand for
    /// them: `ouzel restore --as-of` reaches less far back then [default: no limit]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(64..=1 << 30))]
    pub log_limit: Option<u64>,
    /// Texts that may wait for the embedder; a question beyond it gets 429, or is answered by words alone
    #[arg(long, value_name = "TEXTS", default_value_t = EmbeddingLimits::default().waiting)]
    pub embed_queue: usize,
    /// MiB of vectors that are kept for texts that come again; 0: none
    #[arg(long, value_name = "MIB", default_value_t = EmbeddingLimits::default().kept_bytes >> 20,
        value_parser = clap::value_parser!(u64).range(..=1 << 20))]
    pub embed_cache: u64,
    /// Answer a question from the lists of an earlier one that claims the same and whose vector is this near, 0.8 to 1; the answer
    /// says so (docs/answers.md) [default: each question has lists of its own]
    #[arg(long, value_name = "COSINE", value_parser = cosine)]
    pub semantic_cache: Option<f32>,
}

fn cosine(text: &str) -> Result<f32, String> {
    let read: Result<f32, _> = text.parse();
    let within = read.ok().filter(|cosine| (0.8..=1.0).contains(cosine));
    within.ok_or_else(|| "between 0.8 and 1".to_owned())
}

impl From<&LimitArgs> for EmbeddingLimits {
    fn from(args: &LimitArgs) -> Self {
        Self {
            waiting: args.embed_queue,
            kept_bytes: args.embed_cache << 20,
            ..Self::default()
        }
    }
}

impl From<&LimitArgs> for collection::Options {
    fn from(args: &LimitArgs) -> Self {
        let all = document_limits();
        Self {
            exact_rows: args.exact_passages,
            compact: args.compact,
            hot_rows: args.hot_passages.unwrap_or(all.hot_rows),
            tail_rows: args.tail_passages.unwrap_or(all.tail_rows),
            log_bytes: args.log_limit.map_or(all.log_bytes, |mib| mib << 20),
            ..all
        }
    }
}

/// Arguments of `restore`.
#[derive(Debug, ClapArgs)]
pub struct RestoreArgs {
    /// The data folder to copy
    #[arg(long, default_value = "ouzel-data", value_name = "DIR")]
    pub data: PathBuf,
    /// An empty folder, made where there is none
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Only what was known by this instant (RFC 3339, or ns)
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `backup`.
#[derive(Debug, ClapArgs)]
pub struct BackupArgs {
    /// What the copy is called: letters, digits, `-`, `_` and `.`
    pub name: String,
    /// Which server
    #[command(flatten)]
    pub target: TargetArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `trim`.
#[derive(Debug, ClapArgs)]
pub struct TrimArgs {
    /// The earliest instant that can be asked about from then on
    #[arg(long, value_name = "INSTANT")]
    pub known_before: String,
    /// Where to forget
    #[command(flatten)]
    pub target: TargetArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
