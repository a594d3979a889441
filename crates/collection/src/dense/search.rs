//! One question to graph and tail.

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use vector::flat::Scan;
use vector::graph::WalkScratch;
use vector::ivf::SearchScratch;
use vector::tail::TailScratch;
use vector::{Hit, Scratch};

use super::{Dense, Linked, NONE};
use crate::beside::Together;
use crate::payload::Rows;
use crate::plan::{self, Explain, Part, Plan, PlanScratch, Slots, Step};
use crate::state::{Seen, State};
use crate::{AsOf, Filter};

/// How hard a dense search looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// What suits most: a walk where there is a graph, as wide as measured recall asks for, see
    /// [`RecallEstimate`](crate::RecallEstimate).
    #[default]
    Usual,
    /// A walk with a beam of this many rows; more finds more and costs more.
    Beam(usize),
    /// Compares every row that passes.
    Exact,
}

/// A checked question.
pub(crate) struct Ask<'a> {
    pub query: &'a [f32],
    pub k: usize,
    pub as_of: &'a AsOf,
    pub filter: Option<&'a Filter>,
    pub effort: Effort,
    /// ns of any clock, for the explanation.
    pub now: &'a dyn Fn() -> u64,
}

/// Answers that the usual beam is meant for.
const USUAL_K: usize = 10;
/// What a visit in the graph costs, in scattered reads of a whole row.
const VISIT_ROWS: f64 = 8.0;
/// Codes of neighbours that a visit estimates.
const LINKS: u64 = 32;
/// Rows of the tail whose payloads are looked at one by one; for more the index is asked.
const TAIL_LOOKS: u32 = 64;
/// Rows that are compared by their codes, each after the other, in the time that one row anywhere takes.
const CODES_A_ROW: u64 = 12;

#[derive(Default)]
struct Mine {
    plan: PlanScratch,
    tail: TailScratch,
    cold: SearchScratch,
    flat: Scratch,
}

thread_local! {
    static MINE: RefCell<Mine> = RefCell::default();
}

/// The `k` nearest visible points that pass, nearest first, ties to the earlier arrival, and how they were found. Scores are
/// those of whole rows.
pub(crate) fn nearest(dense: &Dense, state: &State, ask: &Ask<'_>) -> (Vec<Hit>, Explain) {
    MINE.with(|mine| match mine.try_borrow_mut() {
        Ok(mut mine) => search(dense, state, ask, &mut mine),
        Err(_) => search(dense, state, ask, &mut Mine::default()),
    })
}

fn search(dense: &Dense, state: &State, ask: &Ask<'_>, mine: &mut Mine) -> (Vec<Hit>, Explain) {
    let k = ask.k.min(state.version_count() as usize);
    let beam = match ask.effort {
        Effort::Exact => None,
        Effort::Usual => Some(dense.watch.beam() * k.max(USUAL_K) / USUAL_K),
        Effort::Beam(beam) => Some(beam.max(k)),
    };
    let linked = dense.read();
    let seen = state.seen(ask.as_of);
    let coded = linked.as_ref().filter(|linked| linked.is_coded_alone());
    if let Some(linked) = coded.filter(|_| ask.effort != Effort::Exact) {
        let looked = Looked {
            state,
            linked,
            ask,
            seen: &seen,
            k,
        };
        return looked.compared(mine);
    }
    let share = state.visible_share(ask.as_of);
    let walk = linked.as_ref().zip(beam);
    let walk =
        walk.filter(|(linked, beam)| ask.filter.is_some() || walk_pays(linked.count, *beam, share));
    let Some((linked, beam)) = walk else {
        let slots = ask.filter.map(|filter| state.matching(ask.as_of, filter));
        return exact(state, ask, k, slots, mine);
    };
    let looked = Looked {
        state,
        linked,
        ask,
        seen: &seen,
        k,
    };
    let (mut found, mut explain) = match ask.filter {
        Some(filter) => looked.planned(filter, beam, share, &mut mine.plan),
        None => looked.walked(beam, &mut mine.plan.walk),
    };
    let reads = looked.cold(&mut found, share, &mut explain, &mut mine.cold);
    dense.cold_reads.fetch_add(reads, Ordering::Relaxed);
    let mut scan = Scan::new(state.metric(), ask.query, k, &mut mine.flat);
    let row = |slot| state.row(slot);
    scan.slots(found.into_iter(), row);
    looked.tail(&mut scan, &mut explain, &mut mine.tail);
    let hits = scan.finish();
    linked.touch(hits.iter().map(|hit| hit.slot));
    let is_plain = *ask.as_of == AsOf::Now && ask.filter.is_none() && k <= USUAL_K;
    if is_plain && ask.effort == Effort::Usual {
        let rows = mine.plan.walk.visits * VISIT_ROWS as usize;
        (dense.watch).answered(state, ask.query, k, &hits, rows);
    }
    (hits, explain)
}

/// Compares the slots that pass; all that are visible where there is no filter.
fn exact(
    state: &State,
    ask: &Ask<'_>,
    k: usize,
    slots: Option<Vec<u32>>,
    mine: &mut Mine,
) -> (Vec<Hit>, Explain) {
    let start = (ask.now)();
    let mut scan = Scan::new(state.metric(), ask.query, k, &mut mine.flat);
    let mut compared = 0;
    let row = |slot| state.row(slot);
    match slots {
        Some(slots) => {
            compared = slots.len() as u64;
            scan.slots(slots.into_iter(), row);
        }
        None => state.each_visible(ask.as_of, |slots| {
            scan.slots(slots.inspect(|_| compared += 1), row);
        }),
    }
    let hits = scan.finish();
    let ns = (ask.now)().saturating_sub(start);
    let explain = Explain {
        matched: ask.filter.map(|_| compared),
        parts: vec![Part {
            name: "rows",
            rows: state.version_count(),
            candidates: compared,
            distances: compared,
            estimates: 0,
            ns,
        }],
        steps: vec![Step {
            name: "compare",
            ns,
        }],
        ..Explain::new(Plan::Among, compared)
    };
    (hits, explain)
}

/// One question and what it looks at.
struct Looked<'a> {
    state: &'a State,
    linked: &'a Linked,
    ask: &'a Ask<'a>,
    seen: &'a Seen<'a>,
    k: usize,
}

impl Looked<'_> {
    /// All that pass, compared: by their codes first, or whole where they are few.
    fn compared(&self, mine: &mut Mine) -> (Vec<Hit>, Explain) {
        let Self { state, ask, k, .. } = *self;
        let rows = state.version_count();
        let selected = ask
            .filter
            .map(|filter| state.payload().select(filter, self.seen));
        let few = selected.as_ref();
        if let Some(few) = few.filter(|set| set.len() * CODES_A_ROW <= rows) {
            let slots = few.iter().filter(|&slot| self.seen.is_visible(slot));
            return exact(state, ask, k, Some(slots.collect()), mine);
        }
        let start = (ask.now)();
        let mut explain = Explain::new(Plan::Among, rows);
        explain.matched = selected.as_ref().map(|set| set.len());
        let mut scan = Scan::new(state.metric(), ask.query, k, &mut mine.flat);
        let compared = match selected {
            None => self.behind(
                &mut scan,
                &|slot| self.seen.is_visible(slot),
                &mut mine.tail,
            ),
            Some(set) => {
                let passes = |slot| set.contains(slot) && self.seen.is_visible(slot);
                self.behind(&mut scan, &passes, &mut mine.tail)
            }
        };
        let hits = scan.finish();
        let ns = (ask.now)().saturating_sub(start);
        explain.parts.push(Part {
            name: "codes",
            rows,
            candidates: rows,
            distances: compared,
            estimates: u64::from(self.linked.coded()),
            ns,
        });
        explain.steps.push(Step {
            name: "compare",
            ns,
        });
        (hits, explain)
    }

    /// Compares the rows behind the graph that pass, and says how many of them whole.
    fn behind(
        &self,
        scan: &mut Scan<'_>,
        passes: &(dyn Fn(u32) -> bool + Sync),
        scratch: &mut TailScratch,
    ) -> u64 {
        let row = |slot| self.state.row(slot);
        let tail = &self.linked.tail;
        let hits = tail.search((self.ask.query, self.k), passes, row, &Together, scratch);
        scan.slots(hits.iter().map(|hit| hit.slot), row);
        let head = self.state.version_count() as u32;
        let rest = (self.linked.coded()..head).filter(|&slot| passes(slot));
        let mut compared = scratch.compared as u64;
        scan.slots(rest.inspect(|_| compared += 1), row);
        compared
    }

    /// Rows found by their bytes, some more than asked for, for whole rows to choose from.
    fn depth(&self) -> usize {
        self.linked.depth(self.k)
    }

    /// The versions that a walk finds.
    fn walked(&self, beam: usize, scratch: &mut WalkScratch) -> (Vec<u32>, Explain) {
        let start = (self.ask.now)();
        let visible = |slot| InGraph(self).is_visible(self.linked.version(slot));
        let graph = &self.linked.graph;
        let hits = graph.search(self.ask.query, self.depth(), beam, visible, scratch);
        let ns = (self.ask.now)().saturating_sub(start);
        let visits = scratch.visits as u64;
        let max_visits = usize::MAX;
        let explain = Explain {
            parts: vec![Part {
                name: "graph",
                rows: graph.len() as u64,
                candidates: hits.len() as u64,
                distances: visits,
                estimates: visits * LINKS,
                ns,
            }],
            steps: vec![Step { name: "walk", ns }],
            ..Explain::new(
                Plan::Walk {
                    ef: beam,
                    max_visits,
                },
                self.state.version_count(),
            )
        };
        (self.versions(&hits), explain)
    }

    /// The versions of the graph that pass, by the plan that is cheapest.
    fn planned(
        &self,
        filter: &Filter,
        beam: usize,
        share: f64,
        scratch: &mut PlanScratch,
    ) -> (Vec<u32>, Explain) {
        let ask = plan::Ask {
            vector: self.ask.query,
            k: self.depth(),
            ef: beam,
            filter,
            below: self.linked.count,
            visible: (share * self.state.version_count() as f64).ceil() as u64,
        };
        let Linked { graph, .. } = self.linked;
        // Only rows of the graph: the others are asked for elsewhere.
        let index = (self.state.payload(), &InGraph(self));
        let (hits, explain) = plan::search(
            (graph, self.linked.sketch.as_ref()),
            self.linked,
            index,
            &ask,
            self.ask.now,
            scratch,
        );
        (self.versions(&hits), explain)
    }

    fn versions(&self, hits: &[Hit]) -> Vec<u32> {
        let versions = hits.iter().map(|hit| self.linked.version(hit.slot));
        versions.collect()
    }

    /// Adds the cold rows that may be among the nearest, and says how many fine codes were read for that.
    fn cold(
        &self,
        found: &mut Vec<u32>,
        share: f64,
        explain: &mut Explain,
        scratch: &mut SearchScratch,
    ) -> u64 {
        let Some(cold) = &self.linked.cold else {
            return 0;
        };
        let start = (self.ask.now)();
        let mut look = |share: f64, passes: &dyn Fn(u32) -> bool| {
            cold.search(
                self.ask.query,
                self.k + self.k / 2 + 8,
                share,
                passes,
                scratch,
            )
        };
        let seen = self.seen;
        let cold_found = match self.ask.filter {
            None => look(share, &|slot| seen.is_visible(slot)),
            Some(filter) => {
                let set = self.state.payload().select(filter, seen);
                let share = set.len() as f64 / self.state.version_count().max(1) as f64;
                look(share, &|slot| set.contains(slot) && seen.is_visible(slot))
            }
        };
        found.extend(cold_found.hits.iter().map(|hit| hit.slot));
        // One that is on its way may be in both.
        found.sort_unstable();
        found.dedup();
        let ns = (self.ask.now)().saturating_sub(start);
        let counts = cold_found.counts;
        explain.parts.push(Part {
            name: "cold",
            rows: cold.len(),
            candidates: cold_found.hits.len() as u64,
            distances: counts.cold_reads as u64,
            estimates: counts.rows as u64,
            ns,
        });
        explain.steps.push(Step { name: "cold", ns });
        counts.cold_reads as u64
    }

    /// Compares what the graph does not have.
    fn tail(&self, scan: &mut Scan<'_>, explain: &mut Explain, scratch: &mut TailScratch) {
        let start = (self.ask.now)();
        let (from, coded) = (self.linked.count, self.linked.coded());
        let head = self.state.version_count() as u32;
        if from == head {
            return;
        }
        let mut look = |passes: &(dyn Fn(u32) -> bool + Sync)| self.behind(scan, passes, scratch);
        let seen = self.seen;
        let compared = match self.ask.filter {
            None => look(&|slot| seen.is_visible(slot)),
            Some(filter) if head - from <= TAIL_LOOKS => {
                look(&|slot| seen.is_visible(slot) && plan::passes(filter, seen, slot))
            }
            Some(filter) => {
                let set = self.state.payload().select(filter, seen);
                look(&|slot| set.contains(slot) && seen.is_visible(slot))
            }
        };
        let ns = (self.ask.now)().saturating_sub(start);
        explain.parts.push(Part {
            name: "tail",
            rows: u64::from(head - from),
            candidates: u64::from(head - from),
            distances: compared,
            estimates: u64::from(coded - from),
            ns,
        });
        explain.steps.push(Step { name: "tail", ns });
    }
}

/// The versions that are in the graph, as of the instant asked.
struct InGraph<'a>(&'a Looked<'a>);

impl Rows for InGraph<'_> {
    #[inline]
    fn is_visible(&self, slot: u32) -> bool {
        // A row being linked has no version yet; it is in the tail.
        slot < self.0.linked.count && self.0.seen.is_visible(slot)
    }

    fn holds(&self, condition: &crate::Condition, slot: u32) -> bool {
        self.0.seen.holds(condition, slot)
    }

    fn with_prefix(&self, prefix: &str) -> Box<dyn Iterator<Item = u32> + '_> {
        self.0.seen.with_prefix(prefix)
    }
}

impl Slots for Linked {
    #[inline]
    fn version(&self, slot: u32) -> u32 {
        self.versions.get(slot as usize).copied().unwrap_or(NONE)
    }

    #[inline]
    fn slot(&self, version: u32) -> Option<u32> {
        let slot = self.slots.get(version as usize).copied();
        slot.filter(|&slot| slot != NONE)
    }
}

/// Whether a walk is less work than comparing all that is visible: it visits about the beam over the share that is.
fn walk_pays(linked: u32, beam: usize, share: f64) -> bool {
    let visits = beam as f64 / share.max(1e-9);
    visits * VISIT_ROWS < f64::from(linked) * share
}
