//! The whole of it, against exact search.

use proptest::prelude::*;
use stdx::Rng;

use super::index::CHUNK;
use super::*;
use crate::cases::cases;
use crate::graph::{Alone, Frame, Team};
use crate::{Metric, top_k};

/// Rows around centres that may wander.
struct World {
    dim: usize,
    rows: Vec<f32>,
}

impl World {
    fn new(seed: u64, dim: usize, count: usize, drift: f32) -> Self {
        let mut rng = Rng::new(seed);
        let mut centres: Vec<Vec<f32>> = (0..24).map(|_| normal(&mut rng, dim, 1.0)).collect();
        let mut rows = Vec::new();
        for n in 0..count {
            let centre = &mut centres[n % 24];
            let step = normal(&mut rng, dim, drift);
            centre.iter_mut().zip(&step).for_each(|(c, s)| *c += s);
            let off = normal(&mut rng, dim, 0.7);
            rows.extend(centre.iter().zip(&off).map(|(c, o)| c + o));
        }
        Self { dim, rows }
    }

    fn row(&self, slot: u32) -> &[f32] {
        &self.rows[slot as usize * self.dim..][..self.dim]
    }

    fn index(&self, settings: Settings, slots: &[u32], team: &dyn Team) -> Index {
        let sample: Vec<f32> = slots
            .iter()
            .flat_map(|&slot| self.row(slot))
            .copied()
            .collect();
        let frame = Frame::new(Metric::L2, self.dim, &sample, 9);
        let mut index = Index::new(frame, settings, &sample, slots.len(), team);
        index.insert(slots, |slot| self.row(slot), team);
        index
    }

    /// Recall@10 over some rows as queries, among `slots`.
    fn recall(&self, index: &Index, slots: &[u32], effort: Effort) -> f64 {
        let mut scratch = SearchScratch::default();
        let (mut hits, mut all) = (0, 0);
        for &query in slots.iter().step_by(slots.len().div_ceil(60)) {
            let visible = |slot: u32| slot != query && slots.binary_search(&slot).is_ok();
            let exact = top_k(
                Metric::L2,
                self.dim,
                &self.rows,
                self.row(query),
                10,
                visible,
            );
            let got = index.search(
                self.row(query),
                10,
                effort,
                |slot| slot != query,
                &mut scratch,
            );
            let is_hit = |slot: u32| got.hits.iter().any(|hit| hit.slot == slot);
            hits += exact.iter().filter(|hit| is_hit(hit.slot)).count();
            all += exact.len();
        }
        hits as f64 / all as f64
    }
}

fn normal(rng: &mut Rng, dim: usize, scale: f32) -> Vec<f32> {
    let root = (dim as f32).sqrt();
    (0..dim)
        .map(|_| rng.normal() as f32 * scale / root)
        .collect()
}

fn settings(rows_per_list: usize, bits: usize) -> Settings {
    Settings {
        rows_per_list,
        bits,
    }
}

/// Every live slot is in exactly one list, and nothing else is; lists keep their bounds.
fn check_lists(index: &Index, live: &[u32]) {
    let mut seen: Vec<u32> = Vec::new();
    for (n, rows) in index.lists.iter().enumerate() {
        for slot in rows.blocks.slots() {
            assert_eq!(index.homes.get(&slot), Some(&(n as u32)));
            seen.push(slot);
        }
        let bytes = super::fine::FineShape::new(index.frame.padded(), index.settings.bits).bytes();
        assert_eq!(rows.fine.len(), rows.blocks.len() * bytes);
        assert!(rows.blocks.len() <= index.settings.most());
    }
    seen.sort_unstable();
    assert_eq!(seen, live);
    assert_eq!(
        (index.len(), index.centroids.len()),
        (live.len(), index.lists.len())
    );
}

struct Two;

impl Team for Two {
    fn run(&self, count: usize, job: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            scope.spawn(|| (0..count).filter(|n| n % 2 == 1).for_each(job));
            (0..count).filter(|n| n % 2 == 0).rev().for_each(job);
        });
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn with_all_lists_the_answer_is_nearly_exact() {
    let world = World::new(1, 96, 3_000, 0.0);
    let slots: Vec<u32> = (0..3_000).collect();
    for (bits, floor) in [(4, 0.85), (6, 0.95), (8, 0.985)] {
        let index = world.index(settings(64, bits), &slots, &Alone);
        check_lists(&index, &slots);
        let all = Effort::probes(index.lists());
        let recall = world.recall(&index, &slots, all);
        assert!(recall >= floor, "{bits}: {recall}");
        let mut scratch = SearchScratch::default();
        let query = world.row(77);
        let row = |slot| world.row(slot);
        let found = index.search_reranked(query, 10, (all, 60), |_| true, row, &mut scratch);
        let exact = top_k(Metric::L2, 96, &world.rows, query, 10, |_| true);
        assert_eq!(found.hits, exact, "{bits}");
        assert_eq!(
            (found.counts.lists, found.counts.rows),
            (index.lists(), 3_000)
        );
        let reads = (found.counts.cold_reads, found.counts.whole_reads);
        assert!(reads.0 < 1_000 && reads.1 <= reads.0, "{reads:?}");
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn scores_are_those_of_the_metric() {
    let mut world = World::new(2, 40, 500, 0.0);
    for row in world.rows.chunks_exact_mut(40) {
        crate::normalise(row).unwrap();
    }
    let slots: Vec<u32> = (0..500).collect();
    let frame = Frame::new(Metric::Cosine, 40, &world.rows, 3);
    let mut index = Index::new(frame, settings(32, 8), &world.rows, 500, &Alone);
    index.insert(&slots, |slot| world.row(slot), &Alone);
    let mut scratch = SearchScratch::default();
    for query in [0u32, 99, 431] {
        let effort = Effort::probes(index.lists());
        let found = index.search(
            world.row(query),
            5,
            effort,
            |slot| slot % 2 == 1,
            &mut scratch,
        );
        let exact = top_k(Metric::Cosine, 40, &world.rows, world.row(query), 5, |s| {
            s % 2 == 1
        });
        assert_eq!(found.hits[0].slot, exact[0].slot);
        assert!(found.hits.iter().all(|hit| hit.slot % 2 == 1));
        assert!((found.hits[0].score - exact[0].score).abs() < 0.01);
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn the_bytes_are_the_index_at_any_size_of_team() {
    let world = World::new(3, 70, 2_500, 0.0);
    let slots: Vec<u32> = (0..2_500).collect();
    let index = world.index(settings(48, 6), &slots, &Alone);
    let bytes = index.to_bytes();
    assert_eq!(bytes, world.index(settings(48, 6), &slots, &Two).to_bytes());
    let segment = Segment::open(&bytes).unwrap();
    assert_eq!((segment.len(), segment.lists()), (2_500, index.lists()));
    assert_eq!(segment.fine_range().start % 4096, 0);
    assert!(segment.hot_range().end <= segment.fine_range().start);
    let mut scratch = SearchScratch::default();
    for query in [5u32, 1_000, 2_400] {
        let ask = |effort| {
            let mut scratch = SearchScratch::default();
            index.search(world.row(query), 10, effort, |_| true, &mut scratch)
        };
        for effort in [
            Effort::probes(4),
            Effort {
                slack: 0.5,
                ..Effort::probes(9)
            },
        ] {
            let got = segment.search(world.row(query), 10, effort, |_| true, &mut scratch);
            assert_eq!(got, ask(effort));
        }
    }
    let mut again = Index::of(&segment).unwrap();
    check_lists(&again, &slots);
    assert_eq!(again.to_bytes(), bytes);
    again.delete(&[7], |slot| world.row(slot));
    assert_eq!(again.len(), 2_499);
}

#[test]
fn nothing_and_little() {
    let frame = Frame::new(Metric::L2, 5, &[], 1);
    let mut index = Index::new(frame, settings(16, 4), &[], 1_000, &Alone);
    let mut scratch = SearchScratch::default();
    let mut ask = |index: &Index| {
        let bytes = index.to_bytes();
        let segment = Segment::open(bytes.as_slice()).unwrap();
        let effort = Effort::probes(3);
        let got = segment.search(&[0.1; 5], 4, effort, |_| true, &mut scratch);
        got.hits.iter().map(|hit| hit.slot).collect::<Vec<_>>()
    };
    assert!(ask(&index).is_empty());
    let rows = [[1.0f32; 5], [2.0; 5], [2.0; 5]];
    let row = |slot: u32| rows[slot as usize % 3].as_slice();
    index.insert(&[30, u32::MAX, 4], row, &Alone);
    // u32::MAX is 0 mod 3.
    assert_eq!(ask(&index), [30, u32::MAX, 4]);
    index.insert(&[30, 30], row, &Alone);
    assert_eq!(index.len(), 3);
    index.delete(&[30, 4, 99], row);
    assert_eq!(ask(&index), [u32::MAX]);
    // A hundred equal rows: lists are split all the same.
    let many: Vec<u32> = (0..100).map(|n| 3 * n + 1).collect();
    index.insert(&many, row, &Alone);
    let mut live = many.clone();
    live.push(u32::MAX);
    check_lists(&index, &live);
    index.delete(&live, row);
    assert!(index.is_empty() && ask(&index).is_empty());
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn what_a_search_needs_is_measured_and_kept() {
    let world = World::new(4, 64, 4_000, 0.0);
    let slots: Vec<u32> = (0..4_000).collect();
    let frame = Frame::new(Metric::L2, 64, &world.rows, 9);
    let wide = |target| Settings::chosen(&frame, 50, &world.rows, target, &Alone).bits;
    assert_eq!((wide(0.2), wide(0.9999)), (4, 8));
    assert!(WIDTHS.contains(&wide(0.95)));
    let mut index = world.index(settings(50, 8), &slots, &Alone);
    let row = |slot| world.row(slot);
    assert_eq!(index.tuning(), None);
    let (low, high) = (index.tune(0.7, row, &Alone), index.tune(0.95, row, &Two));
    assert!(
        low.probes < high.probes && high.probes < index.lists(),
        "{low:?} {high:?}"
    );
    assert!(low.recall >= 0.7 && high.recall >= 0.95);
    let recall = world.recall(&index, &slots, high.effort());
    assert!(
        (recall - f64::from(high.recall)).abs() < 0.04,
        "{recall} {high:?}"
    );
    assert_eq!(
        Segment::open(index.to_bytes()).unwrap().tuning(),
        Some(high)
    );
    let most = index.tune(2.0, row, &Alone);
    assert_eq!(most.probes, index.lists());
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn drifting_rows_are_found_as_by_a_fresh_build() {
    let world = World::new(6, 64, 12_000, 0.06);
    let half: Vec<u32> = (0..3_000).collect();
    let mut index = world.index(settings(40, 8), &half, &Alone);
    let lists = index.lists();
    let row = |slot| world.row(slot);
    // A window that moves on: what is old goes, the rest follows the drift.
    for chunk in 3..12u32 {
        let new: Vec<u32> = (chunk * 1_000..(chunk + 1) * 1_000).collect();
        index.insert(&new, row, &Alone);
        let old: Vec<u32> = ((chunk - 3) * 1_000..(chunk - 2) * 1_000).collect();
        index.delete(&old, row);
    }
    let live: Vec<u32> = (9_000..12_000).collect();
    check_lists(&index, &live);
    assert!(index.lists() < 2 * lists, "{} of {lists}", index.lists());
    let fresh = world.index(settings(40, 8), &live, &Alone);
    let effort = Effort::probes(12);
    let (moved, built) = (
        world.recall(&index, &live, effort),
        world.recall(&fresh, &live, effort),
    );
    assert!(built > 0.9 && moved >= built - 0.005, "{moved} {built}");
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    #[cfg_attr(miri, ignore = "many rows, and nothing here is unsafe but kernels that other tests run")]
    fn each_live_slot_is_in_one_list(
        steps in prop::collection::vec((0u32..700, 1u32..300, any::<bool>()), 1..14),
        bits in prop::sample::select(&WIDTHS[..]),
    ) {
        let world = World::new(8, 24, 1_000, 0.03);
        let first: Vec<u32> = (0..100).collect();
        let mut index = world.index(settings(16, bits), &first, &Alone);
        let mut live: std::collections::BTreeSet<u32> = first.into_iter().collect();
        for (from, count, inserts) in steps {
            let slots: Vec<u32> = (from..from + count).collect();
            if inserts {
                index.insert(&slots, |slot| world.row(slot), &Alone);
                live.extend(&slots);
            } else {
                index.delete(&slots, |slot| world.row(slot));
                slots.iter().for_each(|slot| { live.remove(slot); });
            }
            let live: Vec<u32> = live.iter().copied().collect();
            check_lists(&index, &live);
        }
        let bytes = index.to_bytes();
        let again = Index::of(&Segment::open(bytes.as_slice()).unwrap()).unwrap();
        prop_assert_eq!(again.to_bytes(), bytes);
    }

    /// Bytes that were changed are refused or give some answer.
    #[test]
    #[cfg_attr(miri, ignore = "many rows, and nothing here is unsafe but kernels that other tests run")]
    fn damage_never_panics(
        hits in prop::collection::vec((0usize..1 << 20, any::<u8>()), 1..6),
        in_front in any::<bool>(),
        cut in prop::option::of(0usize..1 << 20),
    ) {
        let world = World::new(5, 32, 300, 0.0);
        let slots: Vec<u32> = (0..300).collect();
        let mut bytes = world.index(settings(32, 8), &slots, &Alone).to_bytes();
        for (at, value) in hits {
            let len = if in_front { 2_048 } else { bytes.len() };
            bytes[at % len] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut % bytes.len());
        }
        if let Ok(segment) = Segment::open(bytes.as_slice()) {
            let mut scratch = SearchScratch::default();
            let found = segment.search(world.row(3), 10, Effort::probes(20), |_| true, &mut scratch);
            prop_assert!(found.hits.len() <= 10);
            if let Ok(mut index) = Index::of(&segment) {
                let more: Vec<u32> = (200..400).collect();
                let row = |slot: u32| world.row(slot % 300);
                index.insert(&more, row, &Alone);
                index.delete(&more, row);
            }
        }
    }
}

#[test]
fn what_is_no_segment_is_said_to_be_none() {
    let open = |bytes: &[u8]| Segment::open(bytes.to_vec()).err();
    assert_eq!(open(b""), Some(BadIvf::Unknown));
    let world = World::new(5, 32, 100, 0.0);
    let slots: Vec<u32> = (0..100).collect();
    let bytes = world.index(settings(32, 4), &slots, &Alone).to_bytes();
    assert_eq!(open(&bytes), None);
    assert_eq!(
        open(&bytes[..bytes.len() - 1]),
        Some(BadIvf::Damaged("length"))
    );
    let mut other = bytes.clone();
    other[8] = 2;
    assert_eq!(open(&other), Some(BadIvf::Unknown));
    let mut odd = vec![0];
    odd.extend_from_slice(&bytes);
    assert_eq!(Segment::open(&odd[1..]).err(), Some(BadIvf::Unaligned));
    assert_eq!(CHUNK, 1024);
}
