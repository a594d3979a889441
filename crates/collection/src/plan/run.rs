//! Doing what was planned.

use roaring::RoaringBitmap;
use vector::Hit;
use vector::graph::{Graph, Sketch, WalkScratch};

use super::dense::Dense;
use super::explain::{Explain, Part, Watch};
use super::{Costs, Known, Plan, plan};
use crate::Filter;
use crate::payload::{Estimate, PayloadIndex, Rows};

/// Codes of neighbours that a visit estimates.
const LINKS: u64 = 32;
/// Above this many slots a set is asked as it is: making it ready would take longer than the walk.
const DENSE_SLOTS_MAX: u32 = 1 << 22;

/// Which version a graph's slot holds, and where a version's row is.
pub trait Slots {
    /// The version at a slot of the graph.
    fn version(&self, slot: u32) -> u32;

    /// The slot of a version's row; `None` when it is not in the graph.
    fn slot(&self, version: u32) -> Option<u32>;
}

/// Every version lies at the slot of its own number.
#[derive(Clone, Copy, Debug)]
pub struct Same;

impl Slots for Same {
    #[inline]
    fn version(&self, slot: u32) -> u32 {
        slot
    }

    #[inline]
    fn slot(&self, version: u32) -> Option<u32> {
        Some(version)
    }
}

/// Memory that a thread keeps between searches.
#[derive(Debug, Default)]
pub struct PlanScratch {
    dense: Dense,
    /// The graph's own.
    pub walk: WalkScratch,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Made as the graph wants it: of unit length under cosine.
    pub vector: &'a [f32],
    /// Answers.
    pub k: usize,
    /// Beam that gives the recall wanted without a filter.
    pub ef: usize,
    /// What has to hold.
    pub filter: &'a Filter,
    /// How many versions are visible.
    pub visible: u64,
    /// Versions from this one on are not in the graph.
    pub below: u32,
}

/// The `k` nearest of a graph's rows that are visible and pass, nearest first: as many as there are,
/// if fewer. `Hit::slot` is the graph's. With sketches of its rows, what passes is compared by them
/// first. `now` gives ns of any clock, for the explanation only.
pub fn search<R: Rows, S: Slots>(
    (graph, sketch): (&Graph, Option<&Sketch>),
    slots: &S,
    (index, rows): (&PayloadIndex, &R),
    ask: &Ask<'_>,
    now: &dyn Fn() -> u64,
    scratch: &mut PlanScratch,
) -> (Vec<Hit>, Explain) {
    let mut watch = Watch::new(now);
    let costs = Costs::of_dim(graph.frame().dim());
    let estimate = index.estimate(ask.filter, rows, ask.visible);
    let mut known = Known {
        rows: graph.len() as u64,
        passing: estimate,
        k: ask.k,
        ef: ask.ef,
        has_sketch: sketch.is_some(),
        select_slots: index.select_slots(ask.filter, rows),
    };
    let explain = Explain::of(plan(&known, &costs), estimate);
    let mut run = Run {
        graph,
        sketch,
        slots,
        rows,
        ask,
        scratch,
        explain,
    };
    watch.step("estimate");
    if let Plan::WalkThenCheck { ef } = run.explain.plan {
        if let Some(hits) = run.walk_then_check(ef, &mut watch) {
            return run.told(hits, watch);
        }
        run.explain.tried.push(run.explain.plan);
    }
    let (set, looked) = index.select_counted(ask.filter, rows);
    run.explain.looked += looked;
    run.explain.matched = Some(set.len());
    watch.step("select");
    let visible_share = ask.visible as f64 / f64::from(index.len().max(1));
    let here = ask.below.checked_sub(1).map_or(0, |last| set.rank(last));
    known.passing = Estimate::exactly((here as f64 * visible_share).round() as u64);
    known.select_slots = 0;
    run.explain.plan = plan(&known, &costs);
    if let Plan::Walk { ef, max_visits } = run.explain.plan {
        if let Some(hits) = run.walk_in(&set, (ef, max_visits), &mut watch) {
            return run.told(hits, watch);
        }
        run.explain.tried.push(run.explain.plan);
        run.explain.plan = Plan::Among;
    }
    let hits = run.among(set.iter(), &mut watch);
    run.told(hits, watch)
}

struct Run<'a, R, S> {
    graph: &'a Graph,
    sketch: Option<&'a Sketch>,
    slots: &'a S,
    rows: &'a R,
    ask: &'a Ask<'a>,
    scratch: &'a mut PlanScratch,
    explain: Explain,
}

impl<R: Rows, S: Slots> Run<'_, R, S> {
    /// `None` when too few of those found pass.
    fn walk_then_check(&mut self, ef: usize, watch: &mut Watch<'_>) -> Option<Vec<Hit>> {
        let Ask { vector, k, .. } = *self.ask;
        let visible = |slot: u32| self.rows.is_visible(self.slots.version(slot));
        let found = self
            .graph
            .search(vector, ef, ef, visible, &mut self.scratch.walk);
        let ns = watch.step("walk");
        self.part(found.len() as u64, ns);
        let mut hits = Vec::with_capacity(k);
        for hit in found {
            if hits.len() == k {
                break;
            }
            self.explain.looked += 1;
            if passes(self.ask.filter, self.rows, self.slots.version(hit.slot)) {
                hits.push(hit);
            }
        }
        watch.step("check");
        (hits.len() == k).then_some(hits)
    }

    /// Walks counting only what is in the set.
    fn walk_in(
        &mut self,
        set: &RoaringBitmap,
        effort: (usize, usize),
        watch: &mut Watch<'_>,
    ) -> Option<Vec<Hit>> {
        if set.max().is_some_and(|last| last >= DENSE_SLOTS_MAX) {
            return self.walk(effort, |version| set.contains(version), watch);
        }
        let mut dense = std::mem::take(&mut self.scratch.dense);
        dense.fill(set);
        watch.step("prepare");
        let hits = self.walk(effort, |version| dense.has(version), watch);
        self.scratch.dense = dense;
        hits
    }

    /// `None` when it gave up or did not reach as many as there are.
    fn walk(
        &mut self,
        effort: (usize, usize),
        is_in: impl Fn(u32) -> bool,
        watch: &mut Watch<'_>,
    ) -> Option<Vec<Hit>> {
        let Ask { vector, k, .. } = *self.ask;
        let visible = |slot: u32| {
            let version = self.slots.version(slot);
            is_in(version) && self.rows.is_visible(version)
        };
        let walk = &mut self.scratch.walk;
        let hits = self.graph.search_bounded(vector, k, effort, visible, walk);
        let ns = watch.step("walk");
        self.part(hits.as_ref().map_or(0, |hits| hits.len() as u64), ns);
        hits.filter(|hits| hits.len() == k)
    }

    fn among(&mut self, versions: impl Iterator<Item = u32>, watch: &mut Watch<'_>) -> Vec<Hit> {
        let Ask { vector, k, .. } = *self.ask;
        let mut compared = 0;
        let visible = versions.filter(|&version| self.rows.is_visible(version));
        let slots = visible.filter_map(|version| self.slots.slot(version));
        let slots = slots.inspect(|_| compared += 1);
        let walk = &mut self.scratch.walk;
        let hits = match self.sketch {
            Some(sketch) => self
                .graph
                .search_among_sketched(vector, k, slots, sketch, walk),
            None => self.graph.search_among(vector, k, slots, walk),
        };
        let read = self.sketch.map(|_| walk.visits as u64);
        let ns = watch.step("compare");
        self.explain.parts.push(Part {
            name: "graph",
            rows: self.graph.len() as u64,
            candidates: compared,
            distances: read.unwrap_or(compared),
            estimates: read.map_or(0, |_| compared),
            ns,
        });
        hits
    }

    fn part(&mut self, candidates: u64, ns: u64) {
        let visits = self.scratch.walk.visits as u64;
        self.explain.parts.push(Part {
            name: "graph",
            rows: self.graph.len() as u64,
            candidates,
            distances: visits,
            estimates: visits * LINKS,
            ns,
        });
    }

    fn told(mut self, hits: Vec<Hit>, watch: Watch<'_>) -> (Vec<Hit>, Explain) {
        self.explain.steps = watch.steps;
        (hits, self.explain)
    }
}

/// Whether a version passes, by looking at it.
pub(crate) fn passes(filter: &Filter, rows: &impl Rows, version: u32) -> bool {
    filter.must.iter().all(|c| rows.holds(c, version))
        && !filter.must_not.iter().any(|c| rows.holds(c, version))
}
