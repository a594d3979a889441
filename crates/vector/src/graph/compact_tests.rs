//! Compact graphs, and what is measured of rows before and after they are linked.

use stdx::Rng;

use super::tests::{Threads, Twin, bytes, clustered};
use super::*;

const FOUR: Layout = Layout::Compact(Width::Four);
const EIGHT: Layout = Layout::Compact(Width::Eight);

fn graph(layout: Layout, metric: Metric, dim: usize, rows: &[f32]) -> Graph {
    let frame = Frame::new(metric, dim, &rows[..rows.len().min(500 * dim)], 7);
    let settings = Settings {
        layout,
        ..Settings::default()
    };
    Graph::new(frame, settings)
}

fn twin(layout: Layout, metric: Metric, dim: usize, rows: &[f32], team: &dyn Team) -> Twin {
    let mut twin = Twin::of(graph(layout, metric, dim, rows));
    twin.insert(rows, team);
    twin
}

#[test]
fn a_compact_slot_is_a_sixth_of_a_wide_one() {
    let bytes = |layout| graph(layout, Metric::L2, 384, &[]).slot_bytes();
    assert_eq!(bytes(Layout::Wide), 2_240);
    assert_eq!((bytes(FOUR), bytes(EIGHT)), (384, 576));
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn finds_what_exact_search_finds() {
    for (layout, metric, dim) in [
        (FOUR, Metric::Cosine, 100),
        (FOUR, Metric::L2, 384),
        (EIGHT, Metric::L2, 48),
        (EIGHT, Metric::Ip, 70),
    ] {
        let mut all = clustered(&mut Rng::new(11), 3_100, dim);
        if metric == Metric::Cosine {
            all.chunks_mut(dim)
                .for_each(|row| crate::normalise(row).unwrap());
        }
        let (queries, rows) = all.split_at(100 * dim);
        let twin = twin(layout, metric, dim, rows, &Alone);
        let recall = twin.recall_reranked(queries, (80, 30));
        assert!(recall > 0.97, "{layout:?} {metric:?} {dim}: {recall}");
        let filtered = twin.recall(queries, 80, |slot| slot % 10 == 0);
        assert!(filtered > 0.75, "{layout:?} {metric:?} {dim}: {filtered}");
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn rows_leave_and_others_come() {
    let (mut rng, dim) = (Rng::new(9), 100);
    let all = clustered(&mut rng, 4_200, dim);
    let (queries, rows) = all.split_at(200 * dim);
    let mut twin = twin(FOUR, Metric::L2, dim, &rows[..3_000 * dim], &Alone);
    let before = twin.recall_reranked(queries, (60, 30));
    let gone: Vec<u32> = (0..3_000).filter(|slot| slot % 3 == 1).collect();
    twin.delete(&gone, &Alone);
    let left = twin.recall_reranked(queries, (60, 30));
    twin.insert(&rows[3_000 * dim..], &Alone);
    let after = twin.recall_reranked(queries, (60, 30));
    assert!(
        left > before - 0.015 && after > before - 0.015,
        "{before} {left} {after}"
    );
    assert!(twin.graph.slots() < 3_300, "{}", twin.graph.slots());
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn the_same_bytes_at_any_number_of_threads_and_with_any_instructions() {
    let dim = 40;
    let rows = clustered(&mut Rng::new(3), 900, dim);
    let gone: Vec<u32> = (0..600).filter(|slot| slot % 3 == 0).collect();
    let run = |team: &dyn Team, kernels: Option<Kernels>| {
        let mut graph = graph(FOUR, Metric::L2, dim, &rows);
        if let Some(kernels) = kernels {
            // As long as the program: tests are few, and so are the kernels.
            graph.kernels = Box::leak(Box::new(kernels));
        }
        graph.insert(&rows[..600 * dim], team);
        graph.delete(&gone, team);
        graph.insert(&rows[600 * dim..], team);
        bytes(&graph)
    };
    let alone = run(&Alone, None);
    assert!(alone == run(&Threads(3), None));
    for kernels in Kernels::available() {
        assert!(alone == run(&Alone, Some(kernels)));
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn a_compact_graph_is_its_bytes() {
    let dim = 72;
    let rows = clustered(&mut Rng::new(14), 1_200, dim);
    for layout in [FOUR, EIGHT] {
        let mut graph = graph(layout, Metric::L2, dim, &rows);
        graph.insert(&rows[..1_000 * dim], &Alone);
        graph.delete(&(0..90).collect::<Vec<_>>(), &Alone);
        graph.set_tuning(Tuning {
            depth: 17,
            recall: 0.75,
            rows: 1_000,
        });
        let pieces = graph.pieces().map(Piece::copied).collect();
        let mut opened = Graph::open(&graph.head(), pieces).expect("what was written");
        assert_eq!(
            (opened.settings(), opened.tuning()),
            (graph.settings(), graph.tuning())
        );
        assert_eq!(opened.depth(20), 34);
        let more = &rows[1_000 * dim..];
        assert_eq!(opened.insert(more, &Alone), graph.insert(more, &Alone));
        assert!(bytes(&opened) == bytes(&graph) && opened.head() == graph.head());
        // The pieces of the one are not those of another.
        let mut other = graph.head();
        other[60] = if layout == FOUR { 8 } else { 4 };
        let pieces = graph.pieces().map(Piece::copied).collect();
        assert!(matches!(
            Graph::open(&other, pieces),
            Err(BadGraph::Damaged(_))
        ));
    }
}

/// The first version ended its fixed part where the second has layout and tuning.
#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn a_head_of_the_first_version_opens() {
    let dim = 64;
    let rows = clustered(&mut Rng::new(14), 500, dim);
    let mut graph = graph(Layout::Wide, Metric::L2, dim, &rows);
    graph.insert(&rows, &Alone);
    let mut head = graph.head();
    head[8] = 1;
    head.drain(64..80);
    let pieces = graph.pieces().map(Piece::copied).collect();
    let opened = Graph::open(&head, pieces).expect("an older head");
    assert!(opened.head() == graph.head() && opened.tuning().is_none());
    assert_eq!(opened.depth(10), 23);
}

/// SYNTHETIC: rows of a circle, so close together that half a byte does not tell them apart.
fn circle(rng: &mut Rng, n: usize, dim: usize) -> Vec<f32> {
    let axes: Vec<f32> = (0..2 * dim).map(|_| rng.normal() as f32).collect();
    let mut rows = Vec::with_capacity(n * dim);
    for _ in 0..n {
        let (y, x) = (rng.f64() as f32 * std::f32::consts::TAU).sin_cos();
        rows.extend((0..dim).map(|i| x * axes[i] + y * axes[dim + i]));
    }
    rows
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn a_sample_says_how_wide_rows_must_be() {
    let (mut rng, dim) = (Rng::new(2), 64);
    let (easy, hard) = (
        clustered(&mut rng, 2_000, dim),
        circle(&mut rng, 8_000, dim),
    );
    let chosen = |rows: &[f32]| Layout::compact(&Frame::new(Metric::L2, dim, rows, 7), rows, 0.99);
    assert_eq!((chosen(&easy), chosen(&hard)), (FOUR, EIGHT));
    let none = Frame::new(Metric::L2, dim, &[], 7);
    assert_eq!(Layout::compact(&none, &[], 0.99), FOUR);
}

/// Rows that come later lie far from the centre and close together: the depth of before does not do.
#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn data_that_drifts_asks_for_more_depth() {
    let (mut rng, dim) = (Rng::new(2), 64);
    let rows = clustered(&mut rng, 1_500, dim);
    let mut twin = twin(FOUR, Metric::L2, dim, &rows, &Alone);
    let tuned = |twin: &Twin, recent: &[u32]| {
        let mut ranks = Ranks::default();
        let row = |slot: u32| &twin.rows[slot as usize * dim..][..dim];
        let asked = twin.graph.questions(recent);
        ranks.add(
            &twin.graph,
            &asked,
            |_| true,
            row,
            &mut WalkScratch::default(),
        );
        ranks.tuning(0.98, 0)
    };
    let before = tuned(&twin, &[]);
    let mut far = clustered(&mut rng, 500, dim);
    far.iter_mut().for_each(|value| *value += 20.0);
    twin.insert(&far, &Alone);
    let recent: Vec<u32> = (1_500..2_000).collect();
    let after = tuned(&twin, &recent);
    assert!(after.depth > before.depth + 5, "{before:?} {after:?}");
    assert_eq!(after, tuned(&twin, &recent), "the same draws");
}
