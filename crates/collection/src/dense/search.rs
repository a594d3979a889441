//! One question to graph and tail.

use std::cell::RefCell;

use vector::flat::Scan;
use vector::graph::WalkScratch;
use vector::tail::TailScratch;
use vector::{Hit, Scratch};

use super::{Dense, Linked};
use crate::state::{Bits, State};
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
}

/// Answers that the usual beam is meant for.
const USUAL_K: usize = 10;
/// What a visit in the graph costs, in scattered reads of a whole row.
const VISIT_ROWS: f64 = 8.0;

#[derive(Default)]
struct Mine {
    walk: WalkScratch,
    tail: TailScratch,
    flat: Scratch,
    passing: Bits,
}

thread_local! {
    static MINE: RefCell<Mine> = RefCell::default();
}

/// The `k` nearest visible points that pass, nearest first, ties to the earlier arrival. Scores are those of
/// whole rows.
pub(crate) fn nearest(dense: &Dense, state: &State, ask: &Ask<'_>) -> Vec<Hit> {
    MINE.with(|mine| match mine.try_borrow_mut() {
        Ok(mut mine) => search(dense, state, ask, &mut mine),
        Err(_) => search(dense, state, ask, &mut Mine::default()),
    })
}

fn search(dense: &Dense, state: &State, ask: &Ask<'_>, mine: &mut Mine) -> Vec<Hit> {
    let k = ask.k.min(state.version_count() as usize);
    let (passing, share) = match ask.filter {
        Some(filter) => {
            let slots = state.matching(ask.as_of, filter);
            let share = slots.len() as f64 / state.version_count().max(1) as f64;
            (Some(slots), share)
        }
        None => (None, state.visible_share(ask.as_of)),
    };
    let linked = dense.read();
    let beam = match ask.effort {
        Effort::Exact => None,
        Effort::Usual => Some(dense.watch.beam() * k.max(USUAL_K) / USUAL_K),
        Effort::Beam(beam) => Some(beam.max(k)),
    };
    let walk = linked.as_ref().zip(beam);
    let walk = walk.filter(|(linked, beam)| walk_pays(linked.count, *beam, share));
    let Some((linked, beam)) = walk else {
        let mut scan = Scan::new(state.metric(), ask.query, k, &mut mine.flat);
        let row = |slot| state.row(slot);
        match passing {
            Some(slots) => scan.slots(slots.into_iter(), row),
            None => state.each_visible(ask.as_of, |slots| scan.slots(slots, row)),
        }
        return scan.finish();
    };
    let Mine {
        walk,
        tail,
        flat,
        passing: bits,
    } = mine;
    if let Some(slots) = &passing {
        bits.fill_from(slots);
    }
    let lens = state.lens(ask.as_of);
    let passes = |slot: u32| match passing {
        Some(_) => bits.has(slot),
        None => lens.has(slot),
    };
    let found = walk_graph(linked, ask, beam, k, &passes, walk);
    let mut scan = Scan::new(state.metric(), ask.query, k, flat);
    let row = |slot| state.row(slot);
    scan.slots(found, row);
    let coded = linked.tail.search(ask.query, k, passes, row, tail);
    scan.slots(coded.iter().map(|hit| hit.slot), row);
    let rest = linked.coded()..state.version_count() as u32;
    scan.slots(rest.filter(|&slot| passes(slot)), row);
    let hits = scan.finish();
    let is_plain = *ask.as_of == AsOf::Now && ask.filter.is_none() && k <= USUAL_K;
    if is_plain && ask.effort == Effort::Usual {
        let rows = walk.visits * VISIT_ROWS as usize;
        (dense.watch).answered(state, ask.query, k, &hits, rows);
    }
    hits
}

/// The versions that a walk finds, some more than `k`, for whole rows to choose from.
fn walk_graph(
    linked: &Linked,
    ask: &Ask<'_>,
    beam: usize,
    k: usize,
    passes: &impl Fn(u32) -> bool,
    scratch: &mut WalkScratch,
) -> impl Iterator<Item = u32> {
    // A row being linked has no version yet; it is in the tail.
    let version = |slot: u32| linked.versions.get(slot as usize).copied();
    let visible =
        |slot| version(slot).is_some_and(|version| version < linked.count && passes(version));
    let depth = k + k / 2 + 8;
    let hits = linked
        .graph
        .search(ask.query, depth, beam, visible, scratch);
    hits.into_iter().filter_map(move |hit| version(hit.slot))
}

/// Whether a walk is less work than comparing all that pass: it visits about the beam over the share that passes.
fn walk_pays(linked: u32, beam: usize, share: f64) -> bool {
    let visits = beam as f64 / share.max(1e-9);
    visits * VISIT_ROWS < f64::from(linked) * share
}
