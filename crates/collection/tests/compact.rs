//! A collection whose graph is a compact one: what it finds, how little memory that takes, and what happens when the
//! layout is changed.

use std::sync::Arc;

use collection::{
    AsOf, Collection, Effort, MemDisk, Metric, Op, Options, Point, Settings, SyncPolicy,
};
use stdx::Rng;

const DIM: usize = 128;
const SETTINGS: Settings = Settings {
    dim: DIM,
    metric: Metric::Cosine,
    sync: SyncPolicy::Never,
};

fn open(disk: &MemDisk, compact: bool) -> Collection {
    let options = Options {
        compact,
        ..Options::default()
    };
    let opened = Collection::open_with(Arc::new(disk.clone()), SETTINGS, options);
    opened.expect("open").0
}

/// SYNTHETIC: rows around some centres.
fn near(rng: &mut Rng) -> Vec<f32> {
    let mut at = Rng::new(1_000 + rng.below(50));
    let place = (0..DIM).map(|_| at.normal() as f32);
    place
        .map(|value| value + 0.7 * rng.normal() as f32)
        .collect()
}

fn fill(c: &Collection, ids: std::ops::Range<u64>, rng: &mut Rng) {
    let ids: Vec<u64> = ids.collect();
    for ids in ids.chunks(500) {
        let ops = ids.iter().map(|n| {
            Op::Upsert(Point {
                id: format!("p{n}"),
                vector: near(rng),
                known_at: *n,
                ..Point::default()
            })
        });
        c.apply(ops.collect()).expect("write");
    }
    c.settle();
}

/// Share of the true ten that searches find.
fn recall(c: &Collection) -> f64 {
    let (mut rng, mut found, mut all) = (Rng::new(77), 0, 0);
    for _ in 0..50 {
        let query = near(&mut rng);
        let ask = |effort| c.search_dense_with(&query, 10, &AsOf::Now, None, effort);
        let (beam, exact) = (ask(Effort::Beam(120)), ask(Effort::Exact));
        let (beam, exact) = (beam.expect("search"), exact.expect("search"));
        found += exact.iter().filter(|hit| beam.contains(hit)).count();
        all += exact.len();
    }
    found as f64 / all as f64
}

#[test]
fn a_compact_collection_finds_survives_and_changes_back() {
    let (disk, mut rng) = (MemDisk::new(), Rng::new(1));
    let c = open(&disk, true);
    fill(&c, 0..6_000, &mut rng);
    // Half of them change, so their first versions are passed through.
    fill(&c, 0..3_000, &mut rng);
    assert!(c.stats().linked >= 8_900);
    let before = recall(&c);
    assert!(before > 0.97, "{before}");
    assert!(c.stats().rerank_depth >= 10, "{:?}", c.stats());
    let compact = c.stats().graph_bytes;
    c.checkpoint().expect("checkpoint");
    drop(c);

    let c = open(&disk, true);
    assert!(c.stats().linked >= 8_900, "opened as it was written");
    assert!(recall(&c) >= before);
    fill(&c, 6_000..7_000, &mut rng);
    assert!(recall(&c) > 0.97);
    drop(c);

    // The other layout: made anew from the rows.
    let c = open(&disk, false);
    while !c.is_verified() {
        std::thread::yield_now();
    }
    c.settle();
    assert!(c.stats().linked >= 9_900);
    assert!(recall(&c) > 0.97);
    let wide = c.stats().graph_bytes;
    assert!(wide > 2 * compact, "{wide} {compact}");
}
