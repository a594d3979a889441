//! Prometheus text: counters and histograms of the doors, and the state of lanes and memory, read
//! when somebody scrapes.

mod evidence;
mod lanes;
mod links;
mod models;
mod outlets;
mod page;
mod sources;
mod standing;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rag::Stages;
use stdx::Histogram;

use crate::app::App;
pub(crate) use page::Page;

/// Bucket bounds in seconds; the first three are those of requirement A54.
const BOUNDS_S: [f64; 12] = [
    0.000_05, 0.000_1, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0,
];

/// What the doors count.
#[derive(Default)]
pub struct Metrics {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    requests: BTreeMap<(String, u16), u64>,
    latency: BTreeMap<String, Histogram>,
    stages: BTreeMap<(&'static str, &'static str), Histogram>,
    abstained: u64,
    answered: u64,
    stream_clients: u64,
    stream_conflated: u64,
}

impl Metrics {
    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One request is done.
    pub fn request(&self, route: &str, status: u16, elapsed_ns: u64) {
        self.with(|inner| {
            *inner
                .requests
                .entry((route.to_owned(), status))
                .or_default() += 1;
            inner
                .latency
                .entry(route.to_owned())
                .or_default()
                .record(elapsed_ns);
        });
    }

    /// One answer was given.
    pub fn answer(&self, kind: &'static str, stages: &Stages, abstained: bool) {
        let parts = [
            ("facts", stages.facts),
            ("embed", stages.embed),
            ("dense", stages.dense),
            ("text", stages.text),
            ("fuse", stages.fuse),
            ("rerank", stages.rerank),
            ("assemble", stages.assemble),
            ("answer", stages.answer),
            ("verify", stages.verify),
            ("total", stages.total),
        ];
        self.with(|inner| {
            for (stage, us) in parts {
                inner
                    .stages
                    .entry((kind, stage))
                    .or_default()
                    .record(us.saturating_mul(1_000));
            }
            if kind == "ask" {
                let counter = if abstained {
                    &mut inner.abstained
                } else {
                    &mut inner.answered
                };
                *counter += 1;
            }
        });
    }

    /// A stage of something that is no search and no answer took so long.
    pub fn stage(&self, kind: &'static str, stage: &'static str, spent: Duration) {
        let ns = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        self.with(|inner| inner.stages.entry((kind, stage)).or_default().record(ns));
    }

    /// A WebSocket client came (`true`) or went.
    pub fn stream_client(&self, came: bool) {
        self.with(|inner| {
            let count = &mut inner.stream_clients;
            *count = if came {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
        });
    }

    /// States that a WebSocket client never saw because newer ones replaced them.
    pub fn stream_conflated(&self, count: u64) {
        self.with(|inner| inner.stream_conflated += count);
    }

    /// The whole page.
    #[must_use]
    pub fn page(&self, app: &App) -> String {
        let mut page = Page::default();
        self.with(|inner| doors(inner, &mut page));
        lanes::lanes(&app.node.market(), &mut page);
        links::links(&app.node.market(), app.node.clock().now_ns(), &mut page);
        outlets::outlets(&app.node, &mut page);
        sources::sources(app, &mut page);
        lanes::clock(&mut page);
        if let Some(fix) = app.fix() {
            fix.page(&mut page);
        }
        risk(app, &mut page);
        memory(app, &mut page);
        states(app, &mut page);
        evidence::evidence(app, &mut page);
        standing::standing(app, &mut page);
        page.finish()
    }
}

fn doors(inner: &Inner, page: &mut Page) {
    page.family(
        "ouzel_http_requests_total",
        "counter",
        "HTTP requests by route and status.",
    );
    for ((route, status), count) in &inner.requests {
        let status = status.to_string();
        page.sample(
            "ouzel_http_requests_total",
            &[("route", route), ("status", &status)],
            *count,
        );
    }
    let name = "ouzel_http_request_duration_seconds";
    page.family(name, "histogram", "Time from request to response.");
    for (route, histogram) in &inner.latency {
        page.histogram(name, &[("route", route)], histogram, &BOUNDS_S);
    }
    let name = "ouzel_answer_stage_seconds";
    page.family(
        name,
        "histogram",
        "Time in each stage of a search or an answer.",
    );
    for ((kind, stage), histogram) in &inner.stages {
        page.histogram(
            name,
            &[("kind", kind), ("stage", stage)],
            histogram,
            &BOUNDS_S,
        );
    }
    page.family(
        "ouzel_answers_total",
        "counter",
        "Answers given, by outcome.",
    );
    page.sample(
        "ouzel_answers_total",
        &[("outcome", "cited")],
        inner.answered,
    );
    page.sample(
        "ouzel_answers_total",
        &[("outcome", "abstained")],
        inner.abstained,
    );
    page.family(
        "ouzel_stream_clients",
        "gauge",
        "WebSocket clients connected.",
    );
    page.sample("ouzel_stream_clients", &[], inner.stream_clients);
    let name = "ouzel_stream_conflated_total";
    page.family(
        name,
        "counter",
        "States replaced by newer ones before a client was sent them.",
    );
    page.sample(name, &[], inner.stream_conflated);
}

fn risk(app: &App, page: &mut Page) {
    let name = "ouzel_risk_verdicts_total";
    page.family(
        name,
        "counter",
        "Pre-trade checks by verdict: allowed, or the reason against.",
    );
    for (verdict, count) in app.risk.verdicts() {
        page.sample(name, &[("verdict", verdict)], count);
    }
    let name = "ouzel_risk_killed";
    page.family(name, "gauge", "Whether the kill switch for all is thrown.");
    let (_, is_killed, _) = app.risk.state();
    page.sample(name, &[], u64::from(is_killed));
}

fn memory(app: &App, page: &mut Page) {
    let stats = app.node.documents().collection().stats();
    page.family(
        "ouzel_memory_sequence",
        "gauge",
        "Last entry of the documents' log.",
    );
    page.sample("ouzel_memory_sequence", &[], stats.head_seq);
    page.family(
        "ouzel_memory_chunks",
        "gauge",
        "Chunks that are searchable now.",
    );
    page.sample("ouzel_memory_chunks", &[], stats.points);
    page.family(
        "ouzel_memory_versions",
        "gauge",
        "Chunk versions kept for as-of reads.",
    );
    page.sample("ouzel_memory_versions", &[], stats.versions);
    let name = "ouzel_memory_bytes";
    page.family(
        name,
        "gauge",
        "Memory of the documents' vectors, texts and indexes, about.",
    );
    page.sample(name, &[], stats.memory_bytes);
    let name = "ouzel_memory_linked";
    page.family(
        name,
        "gauge",
        "Chunk versions in the graph; the others are compared one by one.",
    );
    page.sample(name, &[], stats.linked);
    let name = "ouzel_memory_checkpoint_sequence";
    page.family(
        name,
        "gauge",
        "Entry of the last checkpoint of the documents' log.",
    );
    page.sample(name, &[], stats.checkpoint_seq);
    let name = "ouzel_memory_graph_renewals_total";
    let what = "Graphs that were made anew because the documents had drifted away from what their codes were made for.";
    page.family(name, "counter", what);
    page.sample(name, &[], stats.graph_renewals);
    let name = "ouzel_memory_checkpoint_failed";
    page.family(
        name,
        "gauge",
        "Whether the last checkpoint could not be written.",
    );
    let failed = app.node.documents().collection().checkpoint_failure();
    page.sample(name, &[], u8::from(failed.is_some()));
    recall(&app.node.documents().collection().recall(), page);
    let embedding = app.node.embedding().counts();
    kept(app.node.kept(), &embedding, page);
    if let Some(semantic) = &app.semantic {
        lookups("semantic", semantic.counts(), page);
    }
    embedder(&embedding.queue, page);
    models::models(app, page);
}

/// Market states.
fn states(app: &App, page: &mut Page) {
    let counts = app.node.moments().counts();
    let node::moments::KeepCounts {
        written,
        lost,
        failed,
    } = app.node.moments().kept();
    let newest_s = counts.newest_ns as f64 / 1e9;
    for (name, kind, what, value) in [
        (
            "ouzel_states",
            "gauge",
            "Market states that are searchable now.",
            counts.states as f64,
        ),
        (
            "ouzel_states_bytes",
            "gauge",
            "Memory of the market states, about.",
            counts.bytes as f64,
        ),
        (
            "ouzel_states_left_total",
            "counter",
            "Market states that left because of the limit.",
            counts.left as f64,
        ),
        (
            "ouzel_states_stale_total",
            "counter",
            "Market states left out because a newer one of the symbol was there.",
            counts.stale as f64,
        ),
        (
            "ouzel_states_written_total",
            "counter",
            "Market states written to files in this run.",
            written as f64,
        ),
        (
            "ouzel_states_lost_total",
            "counter",
            "Market states that left the memory before they could be written to a file.",
            lost as f64,
        ),
        (
            "ouzel_states_write_failed",
            "gauge",
            "Whether market states could not be written the last time.",
            f64::from(u8::from(failed.is_some())),
        ),
        (
            "ouzel_states_newest_seconds",
            "gauge",
            "End of the newest market state, seconds UTC.",
            newest_s,
        ),
    ] {
        page.family(name, kind, what);
        page.sample(name, &[], value);
    }
}

/// Turns at the embedder.
fn embedder(counts: &node::QueueCounts, page: &mut Page) {
    let name = "ouzel_embed_waiting";
    page.family(name, "gauge", "Texts that wait for the embedder.");
    page.sample(name, &[], counts.waiting);
    let name = "ouzel_embed_wait_seconds_total";
    let what = "Time that texts waited for the embedder, all together.";
    page.family(name, "counter", what);
    page.sample(name, &[], counts.waited_ns as f64 / 1e9);
    for (name, what, count) in [
        (
            "ouzel_embed_passes_total",
            "Passes of the embedder; texts that queued meanwhile share one.",
            counts.passes,
        ),
        ("ouzel_embed_texts_total", "Texts embedded.", counts.texts),
        (
            "ouzel_embed_refused_total",
            "Texts refused because too many waited.",
            counts.refused,
        ),
        (
            "ouzel_embed_late_total",
            "Texts whose turn at the embedder did not come in time.",
            counts.late,
        ),
    ] {
        page.family(name, "counter", what);
        page.sample(name, &[], count);
    }
}

/// Searches whose lists were kept from an earlier question: `hit` where they were still true, `stale` where the memory
/// had moved on.
fn kept(counts: rag::KeptCounts, embedding: &node::EmbeddingCounts, page: &mut Page) {
    let name = "ouzel_cache_lookups_total";
    let what = "Lookups in a cache, by outcome; the ratio of hits is hit over all.";
    page.family(name, "counter", what);
    lookups("search", counts, page);
    for (outcome, count) in [("hit", embedding.hits), ("miss", embedding.misses)] {
        page.sample(name, &[("cache", "embedding"), ("outcome", outcome)], count);
    }
}

fn lookups(cache: &str, counts: rag::KeptCounts, page: &mut Page) {
    for (outcome, count) in [
        ("hit", counts.hits),
        ("stale", counts.stale),
        ("miss", counts.misses),
    ] {
        let labels = [("cache", cache), ("outcome", outcome)];
        page.sample("ouzel_cache_lookups_total", &labels, count);
    }
}

/// How much of the truth vector searches find, measured on those that are asked.
fn recall(recall: &collection::RecallEstimate, page: &mut Page) {
    let name = "ouzel_recall_samples_total";
    page.family(
        name,
        "counter",
        "Vector searches that were also answered exactly.",
    );
    page.sample(name, &[], recall.samples);
    let name = "ouzel_recall_beam";
    page.family(
        name,
        "gauge",
        "Rows that a vector search keeps in view, steered to a recall of 0.98.",
    );
    page.sample(name, &[], recall.beam);
    if recall.samples > 0 {
        let name = "ouzel_recall_at_k";
        page.family(
            name,
            "gauge",
            "Share of the true nearest found: mean and 95 % interval.",
        );
        for (bound, value) in [
            ("mean", recall.mean),
            ("low", recall.low),
            ("high", recall.high),
        ] {
            page.sample(name, &[("bound", bound)], value);
        }
    }
}
