//! Passages for a query: by meaning, by words, or both joined.

mod copies;

use std::collections::HashSet;

use crate::ask::{Asker, Question, Run};
use crate::fault::Fault;
use crate::memory::{Passage, Search};
use crate::rank::{Wish, order};
use crate::receipt::{Receipt, SpanSeen};

/// What to search for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// In plain words.
    pub q: String,
    /// How many hits at most; 0: 10.
    pub k: usize,
    /// Only documents tagged with any of these.
    pub symbols: Vec<String>,
    /// Only documents from any of these.
    pub sources: Vec<String>,
    /// Only what was known by then.
    pub as_of: Option<u64>,
    /// Only what happened at or after this instant.
    pub event_from: Option<u64>,
    /// Only what happened at or before this instant.
    pub event_to: Option<u64>,
    /// Which lists to use.
    pub mode: Mode,
    /// One hit a document, its best passage, instead of one a passage.
    pub fold: bool,
    /// One hit for one piece of news: copies of it are folded, the version that was known first is shown, and the others
    /// are listed with it.
    pub fold_copies: bool,
    /// Time allowed; parts are skipped, the re-rank first, to keep it.
    pub deadline_ms: Option<u64>,
    /// Nothing but words: companies and times are not read from them.
    pub literal: bool,
}

/// Which lists a search uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Both, joined by weighted scores and ordered by what the question names, then by a cross-encoder where there is one.
    #[default]
    Hybrid,
    /// Meaning alone.
    Dense,
    /// Words alone.
    Text,
}

/// Hits, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchAnswer {
    /// Best first.
    pub hits: Vec<SearchHit>,
    /// What they were made from.
    pub receipt: Receipt,
}

/// One passage and where each list had it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchHit {
    /// The passage; its `score` is the joined score of its ranks.
    pub passage: Passage,
    /// Rank in the list by meaning, from 1.
    pub rank_dense: Option<usize>,
    /// Rank in the list by words, from 1.
    pub rank_text: Option<usize>,
    /// What a cross-encoder said of it; hits that have one come first, by it.
    pub rerank: Option<f32>,
    /// The other documents that say the same in the same words, earliest known first.
    pub also: Vec<Copied>,
}

/// A copy of a hit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// The user's key.
    pub document_id: String,
    /// Where it comes from.
    pub source: Option<String>,
    /// When it became known, ns UTC.
    pub known_at: u64,
}

/// Passages that are looked at for each document asked for.
const PASSAGES: usize = 4;
/// Hits when the request does not say how many.
const K_DEFAULT: usize = 10;

impl Asker<'_> {
    /// Finds passages. In hybrid mode a list that fails or has no time left is skipped, and the
    /// receipt says so.
    ///
    /// # Errors
    /// When the request is empty or over long, or when no list could be had.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchAnswer, Fault> {
        let question = Question {
            q: request.q.clone(),
            as_of: request.as_of,
            k: request.k,
            deadline_ms: request.deadline_ms,
            ..Question::default()
        };
        let mut run = Run::start(self, &question)?;
        let vector = if request.mode == Mode::Text {
            None
        } else {
            run.vector(&request.q)?
        };
        if request.mode == Mode::Dense && vector.is_none() {
            let why = run.receipt.skipped.join("; ");
            return Err(Fault::unavailable("embedder", why));
        }
        let k = if request.k == 0 { K_DEFAULT } else { request.k };
        // Fusion needs more than it returns: a passage may be deep in one list and first in none.
        let depth = if request.fold { k * PASSAGES } else { k };
        let search = Search {
            k: depth.max(self.settings.search_limit),
            as_of: run.searched_at,
            symbols: request.symbols.clone(),
            sources: request.sources.clone(),
            event_from: request.event_from,
            event_to: request.event_to,
            generation: None,
        };
        let (vector, q) = (vector.as_deref(), request.q.as_str());
        let found = if request.mode == Mode::Hybrid && !request.literal {
            let wish = Wish::of(&run.query, run.now_ns);
            let mut found = run.retrieve_wished(vector, q, &search, request.mode, &wish)?;
            order(&mut found, &wish, &self.settings);
            found
        } else {
            run.retrieve(vector, q, &search, request.mode)?
        };
        let found = match request.mode {
            Mode::Hybrid => run.reranked(found, |candidate| &candidate.passage),
            Mode::Dense | Mode::Text => found.into_iter().map(|c| (c, None)).collect(),
        };
        let mut seen = HashSet::new();
        let folded = found
            .into_iter()
            .filter(|(c, _)| !request.fold || seen.insert(c.passage.document_id.clone()));
        let folded = folded.map(|(candidate, score)| SearchHit {
            passage: candidate.passage,
            rank_dense: candidate.rank_dense,
            rank_text: candidate.rank_text,
            rerank: score,
            also: Vec::new(),
        });
        let hits = match request.fold_copies {
            true => copies::folded(folded, k),
            false => folded.take(k).collect(),
        };
        run.watch.lap(&mut run.receipt.stages_us.assemble);
        let spans = hits.iter().map(|hit| SpanSeen::from(&hit.passage));
        run.seal(spans.collect());
        run.receipt.stages_us.total = run.watch.total_us();
        Ok(SearchAnswer {
            hits,
            receipt: run.receipt,
        })
    }
}
