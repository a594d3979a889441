//! What was measured, as JSON and as a table. Writing to a text does not fail, so what `write!` answers is let go.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::measure::Measures;

/// The three lists.
#[derive(Clone, Copy, Debug)]
pub struct Lists {
    pub bm25: Measures,
    pub dense: Measures,
    pub hybrid: Measures,
}

/// The lists under one filter.
pub struct Filter {
    pub by: String,
    pub lists: Lists,
}

/// The hybrid lists as a cross-encoder puts them.
pub struct Reranked {
    pub model: String,
    pub measures: Measures,
    /// Queries that it, or a list, did not answer.
    pub skipped: usize,
    pub why: Option<String>,
}

/// Everything that is printed.
pub struct Report {
    pub documents: usize,
    pub empty: usize,
    pub chunks: u64,
    pub queries: usize,
    pub hopeless: usize,
    /// Words and meaning unfiltered; both together as a search joins them.
    pub lists: Lists,
    pub filters: Vec<Filter>,
    pub reranked: Option<Reranked>,
}

impl Report {
    pub fn json(&self) -> Value {
        let filters = self.filters.iter().map(|filter| {
            let mut row = lists(&filter.lists);
            row["by"] = json!(filter.by);
            row
        });
        let mut all = lists(&self.lists);
        if let Some(reranked) = &self.reranked {
            all["reranked"] = measures(&reranked.measures);
            all["reranked"]["model"] = json!(reranked.model);
            all["reranked"]["queries_skipped"] = json!(reranked.skipped);
        }
        all["filters"] = filters.collect();
        all["documents"] = json!(self.documents);
        all["documents_without_text"] = json!(self.empty);
        all["chunks"] = json!(self.chunks);
        all["queries"] = json!(self.queries);
        all["queries_without_relevant"] = json!(self.hopeless);
        all
    }

    pub fn table(&self) -> String {
        let mut out = format!(
            "{} documents in {} chunks, {} queries",
            self.documents, self.chunks, self.queries
        );
        if self.empty > 0 {
            let _ = write!(out, "; {} records without text", self.empty);
        }
        if self.hopeless > 0 {
            let _ = write!(
                out,
                "; {} queries without a relevant document",
                self.hopeless
            );
        }
        out.push_str("\n\n                nDCG@10  Recall@10  Recall@100  MRR@10\n");
        rows(&mut out, &self.lists);
        if let Some(reranked) = &self.reranked {
            row(&mut out, "reranked", reranked.measures);
            if let Some(why) = &reranked.why {
                let _ = writeln!(
                    out,
                    "{} queries were not re-ranked: {why}",
                    reranked.skipped
                );
            }
        }
        for filter in &self.filters {
            let _ = writeln!(out, "\nfiltered by {}", filter.by);
            rows(&mut out, &filter.lists);
        }
        out.trim_end().to_owned()
    }
}

fn rows(out: &mut String, lists: &Lists) {
    for (name, m) in [
        ("bm25", lists.bm25),
        ("dense", lists.dense),
        ("hybrid", lists.hybrid),
    ] {
        row(out, name, m);
    }
}

fn row(out: &mut String, name: &str, m: Measures) {
    let _ = writeln!(
        out,
        "{name:<14} {:>8.4} {:>10.4} {:>11.4} {:>7.4}",
        m.ndcg_10, m.recall_10, m.recall_100, m.mrr_10
    );
}

fn lists(lists: &Lists) -> Value {
    json!({
        "bm25": measures(&lists.bm25),
        "dense": measures(&lists.dense),
        "hybrid": measures(&lists.hybrid),
    })
}

fn measures(m: &Measures) -> Value {
    json!({
        "ndcg@10": m.ndcg_10,
        "recall@10": m.recall_10,
        "recall@100": m.recall_100,
        "mrr@10": m.mrr_10,
    })
}
