//! Arguments of `evidence`.

use clap::Args as ClapArgs;

use super::URL;

/// Arguments of `evidence`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ouzel evidence
  ouzel evidence --symbol AAPL -n 3
  ouzel evidence --follow
  ouzel evidence --follow --json | jq -r .answer")]
pub struct EvidenceArgs {
    /// Only shocks of this symbol
    #[arg(long)]
    pub symbol: Option<String>,
    /// Shocks at most
    #[arg(short = 'n', long, default_value_t = 5)]
    pub limit: usize,
    /// Go on, and print each shock as it is told
    #[arg(short, long)]
    pub follow: bool,
    /// A running server
    #[arg(long, value_name = "URL", default_value = URL, env = "OUZEL_URL")]
    pub url: String,
    /// Print one JSON object a line: a bundle as in docs/api.md
    #[arg(long)]
    pub json: bool,
}
