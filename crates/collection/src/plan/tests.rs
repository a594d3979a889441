//! Plans, and searches against comparing everything.

use proptest::prelude::*;
use stdx::Rng;
use vector::Metric;
use vector::graph::{Alone, Frame, Graph, Settings, Sketch};

use super::*;
use crate::payload::{Estimate, PayloadIndex, Rows};
use crate::{Condition, Filter, Payload, Point, Value};

const DIM: usize = 16;
const COUNT: u32 = 6_000;
/// Rows lie around so many centres, one after the other.
const REGIONS: u32 = 30;

struct World {
    graph: Graph,
    rows: Vec<f32>,
    points: Vec<Point>,
    index: PayloadIndex,
    rng: Rng,
}

impl Rows for World {
    fn is_visible(&self, slot: u32) -> bool {
        slot % 11 != 3
    }

    fn holds(&self, condition: &Condition, slot: u32) -> bool {
        condition.holds(&self.points[slot as usize])
    }

    fn with_prefix(&self, prefix: &str) -> Box<dyn Iterator<Item = u32> + '_> {
        let prefix = prefix.to_owned();
        let is_it = move |slot: &u32| self.points[*slot as usize].id.starts_with(&prefix);
        Box::new((0..COUNT).filter(is_it))
    }
}

impl World {
    fn new() -> Self {
        let mut rng = Rng::new(3);
        let centres: Vec<f32> = normal(&mut rng, REGIONS as usize * DIM);
        let (mut rows, mut points) = (Vec::new(), Vec::new());
        for n in 0..COUNT {
            let region = n % REGIONS;
            let centre = &centres[region as usize * DIM..][..DIM];
            let noise = normal(&mut rng, DIM);
            rows.extend(centre.iter().zip(noise).map(|(c, x)| 4.0 * c + x));
            let percent = rng.below(100) as i64;
            let text = if percent < 90 {
                "x".repeat(300)
            } else {
                "y".repeat(300)
            };
            let fields = [
                ("percent", Value::Int(percent)),
                ("region", Value::Int(i64::from(region))),
                ("text", Value::Str(text)),
            ];
            points.push(Point {
                id: format!("id{n}"),
                payload: Payload(fields.map(|(name, value)| (name.into(), value)).into()),
                event_at: u64::from(n),
                ..Point::default()
            });
        }
        let frame = Frame::new(Metric::L2, DIM, &rows, 7);
        let mut graph = Graph::new(frame, Settings::default());
        graph.insert(&rows, &Alone);
        let mut index = PayloadIndex::default();
        for (slot, point) in (0..).zip(&points) {
            index.push(slot, &point.payload, point.event_at);
        }
        Self {
            graph,
            rows,
            points,
            index,
            rng,
        }
    }

    /// A query near a row of the region.
    fn query(&mut self, region: u32) -> Vec<f32> {
        let row = region + REGIONS * self.rng.below(u64::from(COUNT / REGIONS)) as u32;
        let row = &self.rows[row as usize * DIM..][..DIM];
        let noise = normal(&mut self.rng, DIM);
        row.iter()
            .zip(noise)
            .map(|(x, noise)| x + 0.5 * noise)
            .collect()
    }

    /// Searches, checks that what comes back may, and says which share of the nearest it is.
    fn check(&self, query: &[f32], k: usize, filter: &Filter) -> (f64, Explain) {
        self.check_with(None, query, k, filter)
    }

    fn check_with(
        &self,
        sketch: Option<&Sketch>,
        query: &[f32],
        k: usize,
        filter: &Filter,
    ) -> (f64, Explain) {
        let visible = (0..COUNT).filter(|&slot| self.is_visible(slot));
        let ask = Ask {
            vector: query,
            k,
            ef: 60,
            filter,
            visible: visible.clone().count() as u64,
            below: COUNT,
        };
        let mut scratch = PlanScratch::default();
        let clock = std::cell::Cell::new(0);
        let now = || {
            clock.set(clock.get() + 1);
            clock.get()
        };
        let (hits, explain) = search(
            (&self.graph, sketch),
            &Same,
            (&self.index, self),
            &ask,
            &now,
            &mut scratch,
        );
        let passing = visible.filter(|&slot| filter.matches(&self.points[slot as usize]));
        let passing: Vec<u32> = passing.collect();
        assert_eq!(hits.len(), k.min(passing.len()), "{filter:?} {explain:?}");
        assert!(hits.iter().all(|hit| passing.contains(&hit.slot)));
        assert!(hits.is_sorted_by(|a, b| a.score <= b.score));
        let steps: u64 = explain.steps.iter().map(|step| step.ns).sum();
        assert_eq!(steps, clock.get() - 1, "all time is in a step: {explain:?}");
        let rows = passing.into_iter();
        let exact = self.graph.search_among(query, k, rows, &mut scratch.walk);
        let found = exact.iter().filter(|hit| hits.contains(hit)).count();
        let recall = if exact.is_empty() {
            1.0
        } else {
            found as f64 / exact.len() as f64
        };
        (recall, explain)
    }
}

fn below(field: &str, bound: i64) -> Condition {
    Condition::Any {
        field: field.into(),
        values: (0..bound).map(Value::Int).collect(),
    }
}

fn is(field: &str, value: Value) -> Condition {
    Condition::Any {
        field: field.into(),
        values: vec![value],
    }
}

fn must(condition: Condition) -> Filter {
    Filter {
        must: vec![condition],
        must_not: vec![],
    }
}

#[test]
fn finds_the_nearest_of_what_passes() {
    let mut world = World::new();
    let mut walked = 0;
    for (percent, k) in [
        (0, 5),
        (1, 10),
        (1, 100),
        (10, 10),
        (50, 10),
        (95, 10),
        (100, 10),
    ] {
        let filter = must(below("percent", percent));
        let mut sum = 0.0;
        for n in 0..20 {
            let query = world.query(n);
            let (recall, explain) = world.check(&query, k, &filter);
            sum += recall;
            assert_eq!(explain.parts.len(), 1 + explain.tried.len());
            walked += usize::from(matches!(explain.plan, Plan::Walk { .. }));
        }
        assert!(sum / 20.0 > 0.95, "{percent} % {k}: {sum}");
    }
    assert!(walked >= 40, "{walked}");
}

#[test]
fn sketches_save_most_of_the_reading() {
    let mut world = World::new();
    let sketch = Sketch::of(&world.graph);
    let (mut sum, mut read) = (0.0, 0);
    for n in 0..20 {
        let query = world.query(n);
        let filter = must(below("percent", 10));
        let (recall, explain) = world.check_with(Some(&sketch), &query, 10, &filter);
        sum += recall;
        assert_eq!(explain.plan, Plan::Among);
        let [part] = explain.parts[..] else {
            panic!("one part: {explain:?}");
        };
        assert_eq!(
            (part.estimates, part.candidates > 400),
            (part.candidates, true)
        );
        read += part.distances;
    }
    assert!(sum / 20.0 > 0.98, "{sum}");
    assert!(read < 20 * 250, "{read}");
}

#[test]
fn a_walk_away_from_what_passes_is_given_up() {
    let mut world = World::new();
    let regions = |range: std::ops::Range<i64>| Condition::Any {
        field: "region".into(),
        values: range.map(Value::Int).collect(),
    };
    // Half of the rows, none of them near.
    let far = must(regions(15..30));
    let (mut given_up, mut near) = (0, 0);
    for n in 0..15 {
        let query = world.query(n);
        let (recall, explain) = world.check(&query, 10, &far);
        if let [Plan::Walk { max_visits, .. }] = explain.tried[..] {
            given_up += 1;
            assert_eq!((recall, explain.plan), (1.0, Plan::Among));
            assert!(explain.parts[0].distances <= max_visits as u64);
        }
        let (_, explain) = world.check(&query, 10, &must(regions(0..15)));
        near += usize::from(explain.tried.is_empty());
    }
    assert!(given_up > 0, "none was given up");
    assert_eq!(near, 15, "none has to be when what passes is near");
}

#[test]
fn what_no_index_answers_is_looked_at_after_the_walk() {
    let mut world = World::new();
    let query = world.query(2);
    let common = must(is("text", "x".repeat(300).as_str().into()));
    let (recall, explain) = world.check(&query, 10, &common);
    assert!(
        matches!(explain.plan, Plan::WalkThenCheck { .. }),
        "{explain:?}"
    );
    assert_eq!((explain.matched, explain.tried.len()), (None, 0));
    assert!(explain.looked < 60 && recall > 0.8, "{recall} {explain:?}");
    // Thought to be as common, and nobody has it.
    let never = must(is("text", "z".repeat(300).as_str().into()));
    let (_, explain) = world.check(&query, 10, &never);
    assert!(
        matches!(explain.tried[..], [Plan::WalkThenCheck { .. }]),
        "{explain:?}"
    );
    assert_eq!((explain.plan, explain.matched), (Plan::Among, Some(0)));
}

proptest! {
    #[test]
    fn plans_cost_what_they_say(
        rows in 0u64..3_000_000,
        share in 0.0f64..=1.0,
        k in 1usize..200,
        ef in 1usize..500,
        has_sketch in any::<bool>(),
        select_slots in prop_oneof![Just(0), 0u64..10_000_000],
    ) {
        let passing = Estimate::exactly((rows as f64 * share) as u64);
        let known = Known {
            rows,
            passing,
            k,
            ef,
            has_sketch,
            select_slots,
        };
        let costs = Costs::of_dim(384);
        let among_ns = costs.among_ns(&known);
        match plan(&known, &costs) {
            Plan::Among => {
                let visits = ef.max(k) as f64 / share.max(1e-9);
                let set_ns = rows as f64 / 64.0 * costs.word_ns;
                let is_few = passing.likely <= k as u64;
                prop_assert!(is_few || among_ns <= visits * costs.visit_ns * 1.01 + set_ns);
            }
            Plan::Walk { ef: beam, max_visits } => {
                prop_assert_eq!(beam, ef.max(k));
                prop_assert!(max_visits as f64 * costs.visit_ns <= among_ns);
                prop_assert!(max_visits >= beam, "a bound below the beam is no walk");
            }
            Plan::WalkThenCheck { ef } => {
                prop_assert!(select_slots > 0 && ef >= k.min(rows as usize));
            }
        }
    }
}

fn normal(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.normal() as f32).collect()
}
