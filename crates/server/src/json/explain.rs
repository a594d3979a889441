//! How a search was done, at the border.

use collection::plan::{Explain, Plan, Step};
use collection::text::TextExplain;
use node::memory::Told;
use serde::Serialize;

/// Both lists of a search.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainRow {
    dense: Option<DenseRow>,
    text: Option<TextRow>,
}

impl From<Told> for ExplainRow {
    fn from(told: Told) -> Self {
        Self {
            dense: told.dense.map(DenseRow::from),
            text: told.text.map(TextRow::from),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct DenseRow {
    plan: PlanRow,
    tried: Vec<PlanRow>,
    estimate: EstimateRow,
    matched: Option<u64>,
    looked: u64,
    parts: Vec<DensePartRow>,
    steps: Vec<StepRow>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
enum PlanRow {
    /// Compare all that passes.
    Among,
    /// Walk the graph among what passes.
    Walk { ef: usize, max_visits: usize },
    /// Walk the graph, then look at what was found.
    WalkThenCheck { ef: usize },
}

impl From<Plan> for PlanRow {
    fn from(plan: Plan) -> Self {
        match plan {
            Plan::Among => Self::Among,
            Plan::Walk { ef, max_visits } => Self::Walk { ef, max_visits },
            Plan::WalkThenCheck { ef } => Self::WalkThenCheck { ef },
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
struct EstimateRow {
    low: u64,
    likely: u64,
    high: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct DensePartRow {
    name: &'static str,
    rows: u64,
    candidates: u64,
    distances: u64,
    estimates: u64,
    us: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct StepRow {
    name: &'static str,
    us: f64,
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}

fn steps(steps: Vec<Step>) -> Vec<StepRow> {
    let row = |step: Step| StepRow {
        name: step.name,
        us: us(step.ns),
    };
    steps.into_iter().map(row).collect()
}

impl From<Explain> for DenseRow {
    fn from(told: Explain) -> Self {
        let part = |part: collection::plan::Part| DensePartRow {
            name: part.name,
            rows: part.rows,
            candidates: part.candidates,
            distances: part.distances,
            estimates: part.estimates,
            us: us(part.ns),
        };
        Self {
            plan: told.plan.into(),
            tried: told.tried.into_iter().map(PlanRow::from).collect(),
            estimate: EstimateRow {
                low: told.estimate.low,
                likely: told.estimate.likely,
                high: told.estimate.high,
            },
            matched: told.matched,
            looked: told.looked,
            parts: told.parts.into_iter().map(part).collect(),
            steps: steps(told.steps),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct TextRow {
    terms: Vec<TermRow>,
    phrases: usize,
    texts: u64,
    mean_length: f64,
    statistics: &'static str,
    matched: Option<u64>,
    parts: Vec<TextPartRow>,
    steps: Vec<StepRow>,
}

#[derive(Clone, Debug, Serialize)]
struct TermRow {
    term: String,
    count: u16,
    texts: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct TextPartRow {
    name: &'static str,
    texts: u64,
    terms: usize,
    windows_skipped: u64,
    windows_read: u64,
    candidates: u64,
}

impl From<TextExplain> for TextRow {
    fn from(told: TextExplain) -> Self {
        let term = |term: collection::text::TermTold| TermRow {
            term: term.text,
            count: term.count,
            texts: term.texts,
        };
        let part = |part: collection::text::TextPart| TextPartRow {
            name: part.name,
            texts: part.texts,
            terms: part.terms,
            windows_skipped: part.work.windows_skipped,
            windows_read: part.work.windows_read,
            candidates: part.work.candidates,
        };
        Self {
            terms: told.terms.into_iter().map(term).collect(),
            phrases: told.phrases,
            texts: told.texts,
            mean_length: (told.mean_length * 1e3).round() / 1e3,
            statistics: told.statistics,
            matched: told.matched,
            parts: told.parts.into_iter().map(part).collect(),
            steps: steps(told.steps),
        }
    }
}
