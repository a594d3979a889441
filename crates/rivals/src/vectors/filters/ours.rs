//! Ours as the bench asks it: the graph, its sketches, an index of payloads, and the planner.

use collection::payload::{PayloadIndex, Rows};
use collection::plan::{Ask, Explain, Plan, PlanScratch, Same, search};
use collection::{Condition, Filter, Payload, Point, Value};
use vector::flat::Scan;
use vector::graph::{Graph, Sketch};
use vector::{Metric, Scratch};

use super::Kind;
use crate::measure::median;
use crate::vectors::graph::sets::{self, Set};
use crate::vectors::graph::{K, built};

/// Rows found that are ordered again by their whole rows.
const RERANK: usize = 20;

/// What the planner did, over many queries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    compared: usize,
    walked: usize,
    checked: usize,
    gave_up: usize,
    distances: u64,
}

impl Told {
    fn add(&mut self, explain: &Explain) {
        match explain.plan {
            Plan::Among => self.compared += 1,
            Plan::Walk { .. } => self.walked += 1,
            Plan::WalkThenCheck { .. } => self.checked += 1,
        }
        self.gave_up += explain.tried.len();
        self.distances += explain.parts.iter().map(|part| part.distances).sum::<u64>();
    }
}

/// The graph and the index over all kinds' fields.
pub struct Ours {
    metric: Metric,
    graph: Graph,
    sketch: Sketch,
    index: PayloadIndex,
    points: Points,
}

struct Points(Vec<Point>);

impl Rows for Points {
    fn is_visible(&self, _slot: u32) -> bool {
        true
    }

    fn holds(&self, condition: &Condition, slot: u32) -> bool {
        condition.holds(&self.0[slot as usize])
    }

    fn with_prefix(&self, prefix: &str) -> Box<dyn Iterator<Item = u32> + '_> {
        let prefix = prefix.to_owned();
        let points = (0..).zip(&self.0);
        let starting = points.filter(move |(_, point)| point.id.starts_with(&prefix));
        Box::new(starting.map(|(slot, _)| slot))
    }
}

impl Ours {
    /// The graph over all rows, and an index of the kinds' tags.
    pub fn new(set: &Set, metric: Metric, kinds: &[Kind]) -> Self {
        let (mut points, mut index) = (Vec::new(), PayloadIndex::default());
        for slot in 0..set.count() as u32 {
            let field = |kind: &Kind| {
                let tag = if kind.passes[slot as usize] {
                    "in"
                } else {
                    "out"
                };
                (kind.name.clone(), Value::from(tag))
            };
            let mut payload: Payload = Payload(kinds.iter().map(field).collect());
            let text = "long".repeat(75);
            payload
                .0
                .insert("number".into(), Value::Int(i64::from(slot)));
            payload.0.insert("text".into(), Value::Str(text));
            let point = Point {
                id: slot.to_string(),
                payload,
                ..Point::default()
            };
            index.push(slot, &point.payload, point.event_at);
            points.push(point);
        }
        let (graph, _) = built(metric, set);
        Self {
            metric,
            sketch: Sketch::of(&graph),
            graph,
            index,
            points: Points(points),
        }
    }

    /// What the steps of plans cost here: `collection::plan::Costs` is made from these.
    pub fn tell_costs(&self, set: &Set) {
        let number = |lte: usize| Condition::Range {
            field: "number".into(),
            gte: None,
            lte: Some(Value::Int(lte as i64)),
        };
        let text = Condition::Any {
            field: "text".into(),
            values: vec!["else".repeat(75).as_str().into()],
        };
        let (few, some, half) = (is_in("random_1"), is_in("random_10"), is_in("random_50"));
        let rows = set.count();
        let sketch = Some(&self.sketch);
        let tell = |what: &str, sketch, step, must: Vec<Condition>, count| {
            let each = self.step_ns(set, sketch, step, must, count);
            eprintln!("a {what} costs {each:.2} ns");
        };
        tell(
            "row of 1 % by sketch",
            sketch,
            "compare",
            vec![few.clone()],
            rows / 100,
        );
        tell(
            "row of 10 % by sketch",
            sketch,
            "compare",
            vec![some],
            rows / 10,
        );
        tell("row", None, "compare", vec![few], 0);
        tell("visit", sketch, "walk", vec![half.clone()], 0);
        tell("64 slots", sketch, "prepare", vec![half.clone()], rows / 64);
        tell(
            "slot",
            sketch,
            "select",
            vec![number(rows / 20), half],
            rows / 20,
        );
        let both = vec![number(rows / 2), is_in("region_10")];
        tell("estimate of two conditions", sketch, "estimate", both, 1);
        tell("look", sketch, "select", vec![text], rows);
    }

    /// The median time of a step over `count`, or over the distances computed when that is 0.
    fn step_ns(
        &self,
        set: &Set,
        sketch: Option<&Sketch>,
        step: &str,
        must: Vec<Condition>,
        count: usize,
    ) -> f64 {
        let filter = Filter {
            must,
            must_not: Vec::new(),
        };
        let (mut scratch, mut each) = (PlanScratch::default(), Vec::new());
        for query in set.queries.chunks_exact(set.dim).take(50) {
            let ask = self.ask(query, 100, &filter);
            let start = std::time::Instant::now();
            let now = || start.elapsed().as_nanos() as u64;
            let points = (&self.index, &self.points);
            let parts = (&self.graph, sketch);
            let (_, explain) = search(parts, &Same, points, &ask, &now, &mut scratch);
            let distances: u64 = explain.parts.iter().map(|part| part.distances).sum();
            let count = if count == 0 {
                distances as f64
            } else {
                count as f64
            };
            let steps = explain.steps.iter().filter(|done| done.name == step);
            each.extend(steps.map(|done| done.ns as f64 / count));
        }
        median(&each)
    }

    fn ask<'a>(&self, query: &'a [f32], ef: usize, filter: &'a Filter) -> Ask<'a> {
        Ask {
            vector: query,
            k: RERANK,
            ef,
            filter,
            visible: self.points.0.len() as u64,
            below: self.points.0.len() as u32,
        }
    }

    /// All queries, one after the other.
    pub fn search(
        &self,
        set: &Set,
        kind: &Kind,
        effort: usize,
        (scratch, rerank): &mut (PlanScratch, Scratch),
        told: &mut Told,
    ) -> (f64, Vec<Vec<u32>>) {
        let filter = Filter {
            must: vec![is_in(&kind.name)],
            must_not: Vec::new(),
        };
        let start = sets::cpu_seconds();
        let queries = set.queries.chunks_exact(set.dim);
        let ids = queries
            .map(|query| {
                let ask = self.ask(query, effort, &filter);
                let points = (&self.index, &self.points);
                let (hits, explain) = search(
                    (&self.graph, Some(&self.sketch)),
                    &Same,
                    points,
                    &ask,
                    &|| 0,
                    scratch,
                );
                told.add(&explain);
                let mut scan = Scan::new(self.metric, query, K, rerank);
                scan.slots(hits.iter().map(|hit| hit.slot), |slot| set.row(slot));
                scan.finish().iter().map(|hit| hit.slot).collect()
            })
            .collect();
        (sets::cpu_seconds() - start, ids)
    }
}

fn is_in(field: &str) -> Condition {
    Condition::Any {
        field: field.into(),
        values: vec!["in".into()],
    }
}
