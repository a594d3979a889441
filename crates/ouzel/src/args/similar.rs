//! Arguments of `similar`.

use clap::{Args as ClapArgs, ValueEnum};

use super::URL;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShapeArg {
    /// The course of the price through the window
    Price,
    /// The course of the volume
    Volume,
}

/// Arguments of `similar`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ouzel similar --symbol AAPL
  ouzel similar --symbol AAPL --at 2014-01-28T20:59:00Z --window 30s --outcomes 1m,5m,30m
  ouzel similar --symbol AAPL --shape price --window 5m --same-symbol --json")]
pub struct SimilarArgs {
    /// Whose moment
    #[arg(long)]
    pub symbol: String,
    /// The moment's end; nothing known later is used [default: now]
    #[arg(long, value_name = "INSTANT")]
    pub at: Option<String>,
    /// How long a moment is; of past ones that overlap the nearest is shown
    #[arg(long, value_name = "LENGTH", default_value = "10s")]
    pub window: String,
    /// How long after each moment to look at the price
    #[arg(
        long,
        value_name = "LENGTHS",
        value_delimiter = ',',
        default_value = "1m,5m,30m"
    )]
    pub outcomes: Vec<String>,
    /// Compare the course of a series through the window instead of the states at its end
    #[arg(long, value_name = "SERIES")]
    pub shape: Option<ShapeArg>,
    /// Only past moments of the same symbol
    #[arg(long)]
    pub same_symbol: bool,
    /// Moments at most
    #[arg(short, long, default_value_t = 10)]
    pub k: usize,
    /// A running server
    #[arg(long, value_name = "URL", default_value = URL, env = "OUZEL_URL")]
    pub url: String,
    /// Print one JSON object: symbol, at, moments, outcomes
    #[arg(long)]
    pub json: bool,
}
