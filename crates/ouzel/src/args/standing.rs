//! Arguments of `standing`, and of who watches for answers.

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::URL;

/// What a server that watches for answers may do.
#[derive(Clone, Copy, Debug, Default, ClapArgs)]
pub struct WatchArgs {
    /// Let webhooks of standing questions go to addresses of this machine and of private networks too
    #[arg(long)]
    pub webhook_private: bool,
}

/// Arguments of `standing`.
#[derive(Debug, ClapArgs)]
pub struct StandingArgs {
    /// What to do
    #[command(subcommand)]
    pub command: StandingCommand,
    /// A running server
    #[arg(long, value_name = "URL", default_value = URL, env = "OUZEL_URL", global = true)]
    pub url: String,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What can be done with standing questions.
#[derive(Debug, Subcommand)]
pub enum StandingCommand {
    /// Put a question, in the place of the one of its id
    Add(Box<AddArgs>),
    /// Show the questions that wait, and what became of their webhooks
    List,
    /// Forget questions
    Remove {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Print alerts as they come
    Watch {
        /// Of one question alone
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// End after so many seconds
        #[arg(long = "for", value_name = "SECONDS")]
        for_s: Option<u64>,
    },
}

/// How words are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MatchArg {
    /// All of them
    All,
    /// One is enough
    Any,
    /// In a row
    Phrase,
}

/// Arguments of `standing add`. All that is given must hold.
#[derive(Debug, ClapArgs)]
pub struct AddArgs {
    /// The question's id [default: one is made up]
    #[arg(long)]
    pub id: Option<String>,
    /// What people call it
    #[arg(long)]
    pub name: Option<String>,
    /// Words that a passage must have; those in double quotes in a row
    #[arg(long, value_name = "WORDS")]
    pub text: Option<String>,
    /// How many of the words
    #[arg(long = "match", value_enum, default_value_t = MatchArg::All, requires = "text")]
    pub how: MatchArg,
    /// What a passage must be about, in a sentence
    #[arg(long, value_name = "SENTENCE")]
    pub meaning: Option<String>,
    /// How near to that it must be, -1 to 1 [default: 0.5]
    #[arg(
        long,
        value_name = "COSINE",
        requires = "meaning",
        allow_negative_numbers = true
    )]
    pub min_cosine: Option<f32>,
    /// Conditions on fields, as JSON (docs/filters.md)
    #[arg(long, value_name = "JSON")]
    pub filter: Option<String>,
    /// Symbols of which it must have one
    #[arg(long, value_name = "SYMBOL,..", value_delimiter = ',')]
    pub symbol: Vec<String>,
    /// Sources of which it must have one
    #[arg(long, value_name = "SOURCE,..", value_delimiter = ',')]
    pub source: Vec<String>,
    /// Wait for a market state like this symbol's, of --symbol or of any
    #[arg(long, value_name = "SYMBOL", conflicts_with_all = ["text", "meaning", "filter", "source"])]
    pub state_of: Option<String>,
    /// When that state was [default: now]
    #[arg(long, value_name = "INSTANT", requires = "state_of")]
    pub at: Option<String>,
    /// How near to it, 0 to 2 [default: 0.05]
    #[arg(long, value_name = "DISTANCE", requires = "state_of")]
    pub max_distance: Option<f32>,
    /// Where alerts are posted, signed
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,
    /// What they are signed with, `whsec_..` [default: one is made and printed]
    #[arg(
        long,
        value_name = "SECRET",
        requires = "webhook",
        env = "OUZEL_WEBHOOK_SECRET",
        hide_env_values = true
    )]
    pub secret: Option<String>,
}
