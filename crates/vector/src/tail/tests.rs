use proptest::prelude::*;
use stdx::Rng;

use super::*;
use crate::cases::{cases, most};
use crate::graph::{Alone, Team};
use crate::{Metric, normalise, top_k};

fn normal(rng: &mut Rng, dim: usize) -> Vec<f32> {
    (0..dim).map(|_| rng.normal() as f32).collect()
}

/// A tail of `rows` whose slots are their numbers.
fn tail(metric: Metric, dim: usize, sample: &[f32], rows: &[f32]) -> Tail {
    let mut tail = Tail::new(Frame::new(metric, dim, sample, 3));
    for (slot, row) in (0..).zip(rows.chunks_exact(dim)) {
        tail.push(slot, row);
    }
    tail
}

fn unit(metric: Metric, rows: &mut [f32], dim: usize) {
    if metric == Metric::Cosine {
        for row in rows.chunks_exact_mut(dim) {
            if normalise(row).is_err() {
                row[0] = 1.0;
            }
        }
    }
}

fn any_float() -> impl Strategy<Value = f32> {
    prop_oneof![
        20 => -2.0f32..2.0,
        2 => Just(0.0f32),
        2 => Just(1.0f32),
        1 => (0u32..0x0080_0000).prop_map(f32::from_bits),
    ]
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn equals_the_exact_scan(
        (dim, rows, query) in (1usize..most(150, 20), 0usize..most(150, 40)).prop_flat_map(|(dim, n)| (
            Just(dim),
            prop::collection::vec(any_float(), dim * n),
            prop::collection::vec(any_float(), dim),
        )),
        seen in prop::collection::vec(any::<bool>(), 150),
        k in 0usize..20,
        gone in 0usize..80,
        scale in prop_oneof![4 => Just(1.0f32), 1 => Just(1e-20), 1 => Just(1e-42), 1 => Just(1e18)],
        is_centred in any::<bool>(),
    ) {
        for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
            let mut rows: Vec<f32> = rows.iter().map(|value| value * scale).collect();
            let mut query = query.clone();
            unit(metric, &mut rows, dim);
            unit(metric, &mut query, dim);
            let sample = if is_centred { &rows[..rows.len() / 2 / dim * dim] } else { &[] };
            let mut tail = tail(metric, dim, sample, &rows);
            let count = tail.len();
            let gone = gone.min(count);
            tail.remove_front(gone);
            prop_assert_eq!(tail.len(), count - gone);
            let mut scratch = TailScratch::default();
            let row = |slot: u32| &rows[slot as usize * dim..(slot as usize + 1) * dim];
            let visible = |slot: u32| seen[slot as usize];
            let got = tail.search((&query, k), visible, row, &Alone, &mut scratch);
            let want = top_k(metric, dim, &rows, &query, k, |slot| {
                slot as usize >= gone && visible(slot)
            });
            prop_assert_eq!(&got, &want);
            let got = tail.search((&query, k), visible, row, &Together, &mut scratch);
            prop_assert_eq!(got, want);
        }
    }
}

/// A thread a job.
struct Together;

impl Team for Together {
    fn run(&self, count: usize, job: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|threads| {
            for n in 0..count {
                threads.spawn(move || job(n));
            }
        });
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn rows_far_outside_the_sample_are_found() {
    let (mut rng, dim) = (Rng::new(4), 96);
    let sample = normal(&mut rng, dim * 100);
    let mut rows = normal(&mut rng, dim * 200);
    for (n, row) in rows.chunks_exact_mut(dim).enumerate() {
        let scale = [1.0, 1e4, 1e9, 1e19][n % 4];
        row.iter_mut().for_each(|value| *value *= scale);
    }
    let tail = tail(Metric::L2, dim, &sample, &rows);
    let row = |slot: u32| &rows[slot as usize * dim..(slot as usize + 1) * dim];
    let mut scratch = TailScratch::default();
    for slot in 0..8 {
        let got = tail.search((row(slot), 5), |_| true, row, &Alone, &mut scratch);
        assert_eq!(got, top_k(Metric::L2, dim, &rows, row(slot), 5, |_| true));
    }
}

/// Bounds of random pairs are never passed, and are as far off as they are said to be.
#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn bounds_hold_and_are_tight() {
    let mut rng = Rng::new(6);
    for dim in [2, 3, 20, 63, 64, 66, 100, 384, 1000, 4096] {
        let rows = normal(&mut rng, dim * 320);
        let (queries, seeds) = if dim > 1000 { (2, 2) } else { (16, 8) };
        let deviations: Vec<f64> = (0..seeds)
            .flat_map(|seed| {
                let queries = normal(&mut rng, dim * queries);
                deviations(dim, &rows, &queries, seed)
            })
            .collect();
        let count = deviations.len() as f64;
        let mean = deviations.iter().sum::<f64>() / count;
        let squares = deviations.iter().map(|d| (d - mean).powi(2)).sum::<f64>();
        let least = deviations.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(least > 0.0, "{dim}: {least}");
        if dim >= 64 {
            assert!((5.0..6.5).contains(&mean), "{dim}: {mean}");
            let deviation = (squares / count).sqrt();
            assert!((0.8..1.1).contains(&deviation), "{dim}: {deviation}");
        }
    }
}

/// How far each bound is off, in standard deviations of its estimate.
fn deviations(dim: usize, rows: &[f32], queries: &[f32], seed: u64) -> Vec<f64> {
    let mut tail = Tail::new(Frame::new(Metric::L2, dim, rows, seed));
    rows.chunks_exact(dim).for_each(|row| tail.push(0, row));
    let mut scratch = TailScratch::default();
    let mut deviations = Vec::new();
    for query in queries.chunks_exact(dim) {
        let TailScratch {
            frame,
            query: prepared,
            planes,
            ..
        } = &mut scratch;
        tail.frame.query(tail.kernels, query, prepared, frame);
        planes.set(tail.kernels, frame.values());
        let length = prepared.norm().sqrt();
        let asked = Asked::new(&scratch.query, &scratch.planes, &tail.frame);
        let mut share = Share::default();
        let bounds = (0..tail.blocks().len().div_ceil(SHARE)).flat_map(|n| {
            share.bounds((&tail, &asked), (n, 1), &Limit::new(), &|_| true);
            share.bounds.concat()
        });
        for (n, (row, bound)) in rows.chunks_exact(dim).zip(bounds).enumerate() {
            let distance = tail.distance(tail.kernels.l2_squared(query, row), Stretch::default());
            let inside = tail.frame.bring(tail.kernels, row, &mut scratch.frame);
            let row_length = tail.kernels.dot(inside, inside).sqrt();
            let (piece, at) = (&tail.pieces[n / PIECE_ROWS], n % PIECE_ROWS);
            let closer = piece.closer(tail.kernels, &asked, at, distance);
            assert!(
                closer.is_some_and(|bound| bound <= distance),
                "{dim}: {closer:?} {distance}"
            );
            // Four even levels lose 0.1188 of a normal component's square (Max): sqrt(1 / 0.8812 - 1).
            let spread = 2.0 * 0.367 * length * row_length / (inside.len() as f32).sqrt();
            deviations.push(f64::from((distance - bound) / spread));
        }
    }
    deviations
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn few_whole_rows_are_read() {
    let (mut rng, dim) = (Rng::new(5), 128);
    // Around sixteen centres, so that there is something to be near to.
    let centres = normal(&mut rng, dim * 16);
    let mut near = |n: usize| -> Vec<f32> {
        let centre = &centres[n % 16 * dim..(n % 16 + 1) * dim];
        centre
            .iter()
            .map(|c| c + 0.5 * rng.normal() as f32)
            .collect()
    };
    let rows: Vec<f32> = (0..4_000).flat_map(&mut near).collect();
    let tail = tail(Metric::L2, dim, &rows, &rows);
    let row = |slot: u32| &rows[slot as usize * dim..(slot as usize + 1) * dim];
    let mut scratch = TailScratch::default();
    for n in 0..16 {
        let query = near(n);
        let got = tail.search((&query, 10), |_| true, row, &Alone, &mut scratch);
        assert_eq!(got, top_k(Metric::L2, dim, &rows, &query, 10, |_| true));
        assert!(
            (10..=300).contains(&scratch.compared),
            "{}",
            scratch.compared
        );
    }
}

#[test]
#[should_panic(expected = "rows that are here")]
fn rows_that_never_came_cannot_go() {
    tail(Metric::L2, 1, &[], &[1.0, 2.0]).remove_front(3);
}
