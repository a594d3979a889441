//! `ouzel eval`: how well retrieval does on judged questions, by the path that answers them in earnest.
//!
//! A corpus is stored in a data folder of its own as any document is: cut, embedded, logged, indexed. Its queries
//! are then asked as searches, by words, by meaning and both.

mod corpus;
mod fields;
mod measure;
mod report;
mod vectors;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args as ClapArgs, Subcommand};
use collection::SyncPolicy;
use embed::Role;
use rag::ingest::embedded_texts;
use rag::{
    Asker, Facts, Mode, Mover, Receipt, Rerank, SearchRequest, StreamHead, SymbolFacts, SymbolName,
};

use crate::args::{EmbedArgs, RerankArgs};
use crate::words::WordArgs;
use crate::{compose, print};
use corpus::{Corpus, Query, Reading};
use measure::Measures;
use report::{Filter, Lists, Report, Reranked};
use vectors::Vectors;

/// Documents asked for: the deepest measure is recall at 100.
const DEPTH: usize = 100;

/// How long a query waits for a cross-encoder: it is measured by what it says, not by how soon.
const RERANK_WAIT_NS: u64 = 60_000_000_000;

/// Arguments of `eval`.
#[derive(Debug, ClapArgs)]
pub struct EvalArgs {
    /// What to measure.
    #[command(subcommand)]
    pub what: What,
}

impl EvalArgs {
    /// Whether the caller wants JSON.
    #[must_use]
    pub fn json(&self) -> bool {
        match &self.what {
            What::Retrieval(args) => args.json,
        }
    }
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Rank a judged corpus by words, by meaning and by both
    #[command(after_help = "\
The folder is in BEIR's layout: corpus.jsonl (an object a line: id, text, and if it has them title, ticker or tickers,
company, date or ts, doc_period, source), queries.jsonl (id, text, and if it has them ticker, date, as_of), and qrels.tsv or
qrels/test.tsv (query-id, corpus-id, score, with tabs between). Any of the first two may end in .gz. Several sets over one
corpus are NAME_queries.jsonl and NAME_qrels.tsv.

Examples:
  ouzel eval retrieval --corpus scifact
  ouzel eval retrieval --corpus scifact --embed-model models/bge-small-en-v1.5
  ouzel eval retrieval --corpus wire --set headline --without-titles --cache vectors --json")]
    Retrieval(RetrievalArgs),
}

/// Arguments of `eval retrieval`.
#[derive(Debug, ClapArgs)]
pub struct RetrievalArgs {
    /// The folder with corpus, queries and judgements
    #[arg(long, value_name = "DIR")]
    pub corpus: PathBuf,
    /// Which queries, where the folder has several sets: NAME_queries.jsonl and NAME_qrels.tsv
    #[arg(long, value_name = "NAME")]
    pub set: Option<String>,
    /// Leave titles out: for queries that were made of them
    #[arg(long)]
    pub without_titles: bool,
    /// Where vectors are kept from one run to the next
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Whose vectors
    #[command(flatten)]
    pub embed: EmbedArgs,
    /// How words are read and ranked
    #[command(flatten)]
    pub words: WordArgs,
    /// The cross-encoder: hybrid lists are measured as it puts them, too
    #[command(flatten)]
    pub rerank: RerankArgs,
    /// Print one JSON object: bm25, dense, hybrid, filters, and with a cross-encoder reranked
    #[arg(long)]
    pub json: bool,
}

/// Measures and prints.
pub fn run(args: &EvalArgs) -> Result<ExitCode> {
    match &args.what {
        What::Retrieval(args) => retrieval(args),
    }
}

fn retrieval(args: &RetrievalArgs) -> Result<ExitCode> {
    // What is wrong with it is said now, and not behind minutes of work.
    let rerank = compose::rerank(&args.rerank)?;
    let reading = Reading {
        dir: &args.corpus,
        set: args.set.as_deref(),
        without_titles: args.without_titles,
    };
    let corpus = reading.read()?;
    let folder = tempfile::tempdir().context("cannot make a folder for the index; set TMPDIR")?;
    let rules = args.words.rules()?;
    let node = compose::open_node_for(
        folder.path(),
        SyncPolicy::Never,
        (
            node::memory::document_limits(),
            node::EmbeddingLimits::default(),
        ),
        rules.as_ref(),
        (&args.embed, false),
    )?;
    let vectors = Vectors::open(&node, node.embedding().dim(), args.cache.as_deref())?;
    let facts = Listed {
        names: &corpus.names,
    };
    let asker = Asker {
        embed: &vectors,
        facts: &facts,
        ..node.asker(None)
    };
    store(&corpus, &asker, &vectors)?;
    let chunks = node.documents().collection().stats().points;
    node.documents().collection().settle();
    let mut report = measure(&corpus, &asker, chunks)?;
    if let Some(model) = rerank {
        report.reranked = Some(reranked(&corpus, &asker, model.as_ref())?);
    }
    if args.json {
        print::json(&report.json());
    } else {
        print::line(report.table());
    }
    Ok(ExitCode::SUCCESS)
}

/// Embeds on all cores, then stores as any document is stored.
fn store(corpus: &Corpus, asker: &Asker<'_>, vectors: &Vectors<'_>) -> Result<()> {
    let texts = corpus.documents.iter().flat_map(embedded_texts);
    let questions = corpus.queries.iter().map(|q| q.text.clone());
    for (role, texts) in [
        (Role::Passage, texts.collect::<Vec<_>>()),
        (Role::Question, questions.collect()),
    ] {
        let progress = Progress::start("embedded");
        vectors.learn(role, &texts, &|done, all| progress.tell(done, all))?;
    }
    let progress = Progress::start("stored");
    for (idx, document) in corpus.documents.iter().enumerate() {
        let stored = asker.ingest(document);
        stored.with_context(|| format!("document {:?} cannot be stored", document.id))?;
        progress.tell(idx + 1, corpus.documents.len());
    }
    Ok(())
}

fn measure(corpus: &Corpus, asker: &Asker<'_>, chunks: u64) -> Result<Report> {
    let plain = |mode| SearchRequest {
        mode,
        ..SearchRequest::default()
    };
    let literal = |mode| SearchRequest {
        literal: true,
        ..plain(mode)
    };
    let lists = |filter: &dyn Fn(&Query, SearchRequest) -> SearchRequest, words: bool| {
        let request = |mode| if words { plain(mode) } else { literal(mode) };
        let mode = |mode| mean(corpus, asker, |q| filter(q, request(mode)));
        Ok::<_, anyhow::Error>(Lists {
            bm25: mode(Mode::Text)?,
            dense: mode(Mode::Dense)?,
            hybrid: mode(Mode::Hybrid)?,
        })
    };
    let none = lists(&|_, request| request, false)?;
    let words = lists(&|_, request| request, true)?;
    let mut filters = vec![
        Filter {
            by: "nothing".to_owned(),
            lists: none,
        },
        Filter {
            by: "the question's own words".to_owned(),
            lists: words,
        },
    ];
    if let Some(by) = fields_asked(corpus) {
        filters.push(Filter {
            by: format!("fields of the query: {by}"),
            lists: lists(&filtered, true)?,
        });
    }
    Ok(Report {
        documents: corpus.documents.len(),
        empty: corpus.empty,
        chunks,
        queries: corpus.queries.len(),
        hopeless: corpus.hopeless,
        lists: Lists {
            hybrid: words.hybrid,
            ..none
        },
        filters,
        reranked: None,
    })
}

/// The hybrid lists as a cross-encoder puts them. A question that it did not answer counts as it was, and is counted.
fn reranked(corpus: &Corpus, asker: &Asker<'_>, model: &dyn Rerank) -> Result<Reranked> {
    let asker = Asker {
        rerank: Some(model),
        settings: rag::Settings {
            rerank_wait_ns: RERANK_WAIT_NS,
            ..asker.settings
        },
        ..*asker
    };
    let mut skipped = Vec::new();
    let progress = Progress::start("re-ranked");
    let measured = corpus.queries.iter().enumerate().map(|(idx, query)| {
        let (measures, receipt) = asked(query, &asker, SearchRequest::default())?;
        skipped.extend(receipt.skipped.into_iter().take(1));
        progress.tell(idx + 1, corpus.queries.len());
        Ok(measures)
    });
    let measures = Measures::mean(&measured.collect::<Result<Vec<_>>>()?);
    Ok(Reranked {
        model: model.id().to_owned(),
        measures,
        skipped: skipped.len(),
        why: skipped.into_iter().next(),
    })
}

/// The fields by which queries can be filtered; `None` where they or the documents have none.
fn fields_asked(corpus: &Corpus) -> Option<String> {
    let tagged = corpus.documents.iter().any(|d| !d.symbols.is_empty());
    let dated = corpus.documents.iter().any(|d| d.event_at > 0);
    let asked = |of: fn(&Query) -> bool| corpus.queries.iter().any(of);
    let mut fields = Vec::new();
    if tagged && asked(|q| !q.asked.symbols.is_empty()) {
        fields.push("symbol");
    }
    if dated && asked(|q| q.asked.day.is_some()) {
        fields.push("date");
    }
    if dated && asked(|q| q.asked.as_of.is_some()) {
        fields.push("as_of");
    }
    (!fields.is_empty()).then(|| fields.join(", "))
}

fn filtered(query: &Query, request: SearchRequest) -> SearchRequest {
    SearchRequest {
        symbols: query.asked.symbols.clone(),
        event_from: query.asked.day.map(|day| day.0),
        event_to: query.asked.day.map(|day| day.1),
        as_of: query.asked.as_of,
        ..request
    }
}

fn mean(
    corpus: &Corpus,
    asker: &Asker<'_>,
    request: impl Fn(&Query) -> SearchRequest,
) -> Result<Measures> {
    let measured = corpus.queries.iter();
    let measured = measured.map(|query| Ok(asked(query, asker, request(query))?.0));
    Ok(Measures::mean(&measured.collect::<Result<Vec<_>>>()?))
}

fn asked(query: &Query, asker: &Asker<'_>, request: SearchRequest) -> Result<(Measures, Receipt)> {
    let request = SearchRequest {
        q: query.text.clone(),
        k: DEPTH,
        fold: true,
        ..request
    };
    let found = asker.search(&request);
    let found = found.with_context(|| format!("query {:?} cannot be asked", query.id))?;
    let hits = found.hits.iter();
    let ids: Vec<&str> = hits.map(|h| h.passage.document_id.as_str()).collect();
    Ok((Measures::of(&ids, &query.relevant), found.receipt))
}

/// No market: only who is listed.
struct Listed<'a> {
    names: &'a [SymbolName],
}

impl Facts for Listed<'_> {
    fn as_of_facts(&self, _: &str, _: Option<u64>) -> Option<SymbolFacts> {
        None
    }

    fn movers(&self, _: Option<u64>, _: usize) -> Vec<Mover> {
        Vec::new()
    }

    fn symbols(&self) -> Vec<SymbolName> {
        self.names.to_vec()
    }

    fn stream_head(&self) -> Option<StreamHead> {
        None
    }
}

/// Tells how far it has got, every few seconds.
struct Progress {
    what: &'static str,
    started: Instant,
    told_s: std::sync::atomic::AtomicU64,
}

/// Between two lines.
const TOLD_EVERY_S: u64 = 5;

impl Progress {
    fn start(what: &'static str) -> Self {
        Self {
            what,
            started: Instant::now(),
            told_s: std::sync::atomic::AtomicU64::new(0),
        }
    }

    fn tell(&self, done: usize, all: usize) {
        use std::sync::atomic::Ordering::Relaxed;
        let (now, told) = (self.started.elapsed().as_secs(), self.told_s.load(Relaxed));
        if now < told + TOLD_EVERY_S {
            return;
        }
        if self
            .told_s
            .compare_exchange(told, now, Relaxed, Relaxed)
            .is_ok()
        {
            let what = self.what;
            print::progress(&format!("{what} {done} of {all} in {now} s"));
        }
    }
}
