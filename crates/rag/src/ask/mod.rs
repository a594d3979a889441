//! The join: one question against the market's facts and the documents known by then.

mod moving;
mod plain;
mod retrieve;
mod run;
mod shock;
mod why;
mod write;

pub(crate) use run::Run;
pub use shock::{Explained, PeerNews, Shock};

use crate::cache::Kept;
use crate::facts::Facts;
use crate::fault::Fault;
use crate::memory::Memory;
use crate::model::{Embed, Model, Rerank};
use crate::query::rewrite;
use crate::receipt::{Receipt, sha256};
use crate::semantic::Semantic;
use crate::settings::{QUESTION_BYTES_LIMIT, Settings, TURNS_LIMIT};

/// What a person asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// In plain words.
    pub q: String,
    /// The symbol meant, when the caller knows it; otherwise it is read from `q`.
    pub symbol: Option<String>,
    /// Answer as one could have at this instant; `None`: now, or the instant named in `q`.
    pub as_of: Option<u64>,
    /// How many citations at most; 0: the default of the settings.
    pub k: usize,
    /// Time allowed; parts are skipped, the re-rank first, to keep it.
    pub deadline_ms: Option<u64>,
    /// What was asked before, oldest first: "why did it fall?" is understood from there.
    pub conversation: Vec<String>,
}

impl Question {
    /// A question about now, with defaults.
    #[must_use]
    pub fn new(q: impl Into<String>) -> Self {
        Self {
            q: q.into(),
            ..Self::default()
        }
    }
}

/// What we say, and why it may be believed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Plain text; `[1]` refers to the first of `citations`.
    pub answer: String,
    /// No evidence supports an answer: `answer` says so and `citations` is empty.
    pub abstained: bool,
    /// Verbatim evidence, in the order of their numbers.
    pub citations: Vec<Citation>,
    /// Market facts the answer rests on.
    pub facts: Vec<Fact>,
    /// What it was made from.
    pub receipt: Receipt,
}

/// Verbatim evidence: `document.text[start..end] == quote`, checked before it is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation {
    /// The user's key of the document.
    pub document_id: String,
    /// Its headline.
    pub title: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// First byte of the quote in the document's text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The words themselves.
    pub quote: String,
    /// When what it tells happened, ns UTC.
    pub event_at: u64,
    /// When it became known, ns UTC; never after the question's `as_of`.
    pub known_at: u64,
    /// The memory's key of the chunk that it is in.
    pub chunk_id: String,
    /// The write that made this version, as the memory numbers them.
    pub seq: u64,
    /// Strength of the evidence, 0 to 1.
    pub score: f32,
}

/// One sentence about the market.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// Which symbol.
    pub symbol: String,
    /// The sentence.
    pub text: String,
    /// Event time, ns UTC.
    pub at: u64,
    /// How far to trust it.
    pub integrity: String,
}

/// Everything a question needs, borrowed for the time of the call.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    /// Where documents live.
    pub memory: &'a dyn Memory,
    /// What the market says.
    pub facts: &'a dyn Facts,
    /// Text to vector.
    pub embed: &'a dyn Embed,
    /// The writer; `None`: extractive answers.
    pub model: Option<&'a dyn Model>,
    /// The cross-encoder; `None`: lists stay as they were joined.
    pub rerank: Option<&'a dyn Rerank>,
    /// Time.
    pub clock: &'a dyn stdx::Clock,
    /// Lists of earlier questions; `None`: every list is asked for.
    pub kept: Option<&'a Kept>,
    /// Earlier questions by their meaning, whose lists in `kept` answer others that mean the same; `None`: each question is
    /// searched by its own words.
    pub semantic: Option<&'a Semantic>,
    /// Weights and windows.
    pub settings: Settings,
}

impl<'a> Asker<'a> {
    /// An asker with default settings.
    #[must_use]
    pub fn new(
        memory: &'a dyn Memory,
        facts: &'a dyn Facts,
        embed: &'a dyn Embed,
        model: Option<&'a dyn Model>,
        clock: &'a dyn stdx::Clock,
    ) -> Self {
        Self {
            memory,
            facts,
            embed,
            model,
            rerank: None,
            clock,
            kept: None,
            semantic: None,
            settings: Settings::default(),
        }
    }

    /// Answers a question. `on_text` gets the answer's text in pieces, only ever text that passed
    /// its checks; returning false ends the call with [`Fault::Stopped`].
    ///
    /// # Errors
    /// When the question is empty or over long, when no search at all could be made, or when the
    /// reader went away. A failing model or embedder is no error: the receipt says what was skipped.
    pub fn ask(
        &self,
        question: &Question,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Answer, Fault> {
        let earlier = &question.conversation;
        if let Some(long) = earlier.iter().position(|q| q.len() > QUESTION_BYTES_LIMIT) {
            let what =
                format!("`conversation` item {long} has more than {QUESTION_BYTES_LIMIT} bytes");
            return Err(Fault::invalid(
                what,
                "send the questions alone, not answers",
            ));
        }
        if earlier.len() > TURNS_LIMIT {
            let what = format!("`conversation` has {} items", earlier.len());
            let hint = format!("send the last {TURNS_LIMIT} questions at most");
            return Err(Fault::invalid(what, hint));
        }
        let names = self.facts.names();
        let Some(q) = rewrite::standalone(&question.q, earlier, &names) else {
            return Run::start(self, question)?.answer(on_text);
        };
        let whole = Question {
            q: q.clone(),
            conversation: Vec::new(),
            ..question.clone()
        };
        let mut run = Run::start(self, &whole)?;
        run.receipt.question_sha256 = sha256(question.q.as_bytes());
        run.receipt.rewritten = Some(q);
        run.answer(on_text)
    }
}
