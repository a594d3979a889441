//! Candidates against estimates in plain arithmetic, kernels against each other, and what is ordered again
//! against the exact scan.

use std::sync::LazyLock;

use proptest::prelude::*;
use stdx::Rng;

use super::*;
use crate::cases::{cases, most};
use crate::{Metric, top_k};

const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];
const WIDTHS: [Bits; 2] = [Bits::One, Bits::Four];

fn normal(rng: &mut Rng, count: usize, dim: usize, metric: Metric) -> Vec<f32> {
    let mut rows: Vec<f32> = (0..count * dim).map(|_| rng.normal() as f32).collect();
    if metric == Metric::Cosine {
        for row in rows.chunks_exact_mut(dim) {
            let _zero = crate::normalise(row);
        }
    }
    rows
}

fn filled(frame: &Frame, bits: Bits, kernels: &'static Kernels, rows: &[f32]) -> FlatCodes {
    let mut codes = FlatCodes::with_kernels(frame.clone(), bits, kernels);
    rows.chunks_exact(frame.dim())
        .for_each(|row| codes.push(row));
    codes
}

fn all_kernels() -> &'static [Kernels] {
    static ALL: LazyLock<Vec<Kernels>> = LazyLock::new(Kernels::available);
    &ALL
}

fn bits_of(hits: &[Hit]) -> Vec<(u32, u32)> {
    hits.iter().map(|h| (h.slot, h.score.to_bits())).collect()
}

/// Rows of few values, of none, of all sizes a float has, and queries of the same kind.
fn case() -> impl Strategy<Value = (usize, Vec<f32>, Vec<f32>, Vec<bool>, usize)> {
    let dim = prop_oneof![4 => 1usize..=70, 2 => Just(128usize), 1 => Just(most(200, 64))];
    (dim, 0usize..=most(70, 34)).prop_flat_map(|(dim, n)| {
        let value = || {
            prop_oneof![
                4 => -2.0f32..2.0, 2 => Just(0.0f32), 1 => Just(1.0f32), 1 => Just(1e-42f32), 1 => -500.0f32..500.0
            ]
        };
        (
            Just(dim),
            prop::collection::vec(value(), dim * n),
            prop::collection::vec(value(), dim),
            prop::collection::vec(any::<bool>(), n),
            0usize..12,
        )
    })
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn every_kernel_gives_the_same_candidates_and_they_are_the_lowest(
        (dim, rows, query, seen, count) in case(),
        has_sample in any::<bool>(),
    ) {
        for (metric, bits) in [Metric::L2, Metric::Ip].into_iter().flat_map(|m| WIDTHS.map(|b| (m, b))) {
            let sample = if has_sample { &rows[..] } else { &[] };
            let frame = Frame::new(metric, dim, sample, 3);
            let twin = filled(&frame, bits, &all_kernels()[0], &rows);
            let mut scratch = CodesScratch::default();
            let all = twin.candidates(&query, seen.len(), |_| true, &mut scratch);
            prop_assert_eq!(all.len(), seen.len());
            let mut want = all;
            want.retain(|hit| seen[hit.slot as usize]);
            want.truncate(count);
            for kernels in all_kernels() {
                let codes = filled(&frame, bits, kernels, &rows);
                let visible = |slot: u32| seen[slot as usize];
                let got = codes.candidates(&query, count, visible, &mut scratch);
                prop_assert_eq!(bits_of(&got), bits_of(&want), "{} {:?}", kernels.name, bits);
            }
        }
    }

    /// With all rows as candidates the answer is that of the exact scan.
    #[test]
    fn ordering_all_candidates_again_is_the_exact_scan((dim, rows, query, seen, k) in case()) {
        for (metric, bits) in [Metric::L2, Metric::Ip].into_iter().flat_map(|m| WIDTHS.map(|b| (m, b))) {
            let frame = Frame::new(metric, dim, &rows, 3);
            let codes = filled(&frame, bits, Kernels::get(), &rows);
            let visible = |slot: u32| seen[slot as usize];
            let row = |slot: u32| &rows[slot as usize * dim..][..dim];
            let mut scratch = CodesScratch::default();
            let got = codes.search(&query, (k, rows.len()), visible, row, &mut scratch);
            let want = top_k(metric, dim, &rows, &query, k, visible);
            prop_assert_eq!(bits_of(&got), bits_of(&want));
        }
    }
}

/// The estimates have no bias and are as far off as the module says, also without a sample, where no half
/// holds what the rows need.
#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn estimates_are_near_the_truth() {
    let mut rng = Rng::new(6);
    let (dims, count) = ([100, 384, 1000, 4096], 300);
    for (dim, scale) in dims
        .into_iter()
        .flat_map(|dim| [1.0f32, 300.0].map(|scale| (dim, scale)))
    {
        let mut rows = normal(&mut rng, count + 1, dim, Metric::L2);
        rows.iter_mut().for_each(|value| *value *= scale);
        let (query, rows) = rows.split_at(dim);
        let frame = Frame::new(Metric::L2, dim, &[], 3);
        for bits in WIDTHS {
            let codes = filled(&frame, bits, Kernels::get(), rows);
            assert_eq!(
                codes.far.is_empty(),
                bits == Bits::Four || dim as f32 * scale * scale < HALF_MAX
            );
            let mut scratch = CodesScratch::default();
            let hits = codes.candidates(query, count, |_| true, &mut scratch);
            let (mut sum, mut squares, mut usual) = (0.0, 0.0, 0.0);
            for hit in &hits {
                let row = &rows[hit.slot as usize * dim..][..dim];
                let truth = f64::from(Kernels::get().l2_squared(query, row));
                let off = f64::from(hit.score) - truth;
                (sum, squares, usual) = (sum + off, squares + off * off, usual + truth / 2.0);
            }
            let (n, mean) = (hits.len() as f64, usual / hits.len() as f64);
            let width = if bits == Bits::One { 1.0 } else { 1.0 / 7.0 };
            let expected = 1.6 * mean / (dim as f64).sqrt() * width;
            assert!(
                (squares / n).sqrt() < 1.3 * expected,
                "{dim} {bits:?} {expected}"
            );
            assert!(
                (sum / n).abs() < 0.3 * expected,
                "{dim} {bits:?} {}",
                sum / n
            );
        }
    }
}

/// Of rows without any structure, the hardest there are.
#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn candidates_hold_the_nearest() {
    let mut rng = Rng::new(8);
    let (dim, count) = (384, 5_000);
    for metric in METRICS {
        let rows = normal(&mut rng, count, dim, metric);
        let queries = normal(&mut rng, 8, dim, metric);
        let frame = Frame::new(metric, dim, &rows[..dim * count / 5], 3);
        for (bits, depth) in [(Bits::One, 500), (Bits::Four, 40)] {
            let codes = filled(&frame, bits, Kernels::get(), &rows);
            let mut scratch = CodesScratch::default();
            let row = |slot: u32| &rows[slot as usize * dim..][..dim];
            let mut found = 0;
            for query in queries.chunks_exact(dim) {
                let got = codes.search(query, (10, depth), |_| true, row, &mut scratch);
                let want = top_k(metric, dim, &rows, query, 10, |_| true);
                found += want.iter().filter(|hit| got.contains(hit)).count();
            }
            assert!(found >= 76, "{metric:?} {bits:?}: {found} of 80");
        }
    }
}

#[test]
fn rows_without_a_square_are_candidates() {
    let frame = Frame::new(Metric::Ip, 3, &[], 1);
    for bits in WIDTHS {
        let mut codes = FlatCodes::new(frame.clone(), bits);
        assert!(codes.is_empty() && codes.size_bytes() == 0);
        for row in [[1.0f32, 0.0, 0.0], [3e38, 3e38, 3e38], [0.0; 3]] {
            codes.push(&row);
        }
        let mut scratch = CodesScratch::default();
        let hits = codes.candidates(&[0.0, 1.0, 0.0], 1, |_| true, &mut scratch);
        assert_eq!(hits.len(), 1, "{bits:?}");
        assert_eq!(hits[0].slot, 1, "{bits:?}");
        assert!(
            codes
                .candidates(&[1.0; 3], 0, |_| true, &mut scratch)
                .is_empty()
        );
    }
}

/// More rows than a piece holds.
#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn pieces_follow_each_other() {
    let (dim, count) = (1, 500_000);
    let rows: Vec<f32> = (0..count).map(|n| n as f32).collect();
    let frame = Frame::new(Metric::L2, dim, &rows, 1);
    let codes = filled(&frame, Bits::Four, Kernels::get(), &rows);
    assert!(codes.pieces.len() > 2);
    let mut scratch = CodesScratch::default();
    for slot in [0, 99_999, 300_000, count as u32 - 1] {
        let hits = codes.candidates(&[1.0], 1, |seen| seen == slot, &mut scratch);
        assert_eq!(hits[0].slot, slot);
    }
}
