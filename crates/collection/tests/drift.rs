//! Data that drifts away from what the graph's codes were made for: a new graph takes the old one's place, while it is
//! written to and searched. SYNTHETIC rows.

use std::sync::Arc;

use collection::{
    AsOf, Collection, Effort, MemDisk, Metric, Op, Options, Point, Settings, SyncPolicy,
};
use stdx::Rng;

const DIM: usize = 64;
/// Where the rows that come later lie, many times as far off as they lie apart: by the codes of before, a beam of 120 finds a third of the ten
/// nearest of them, and a compact graph ranks them so badly that no depth mends it.
const FAR: f32 = 45.0;
const SETTINGS: Settings = Settings {
    dim: DIM,
    metric: Metric::L2,
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

/// A row around one of fifty places, all of them around `centre`.
fn near(rng: &mut Rng, centre: f32) -> Vec<f32> {
    let mut at = Rng::new(1_000 + rng.below(50));
    let place = (0..DIM).map(|_| centre + at.normal() as f32);
    place
        .map(|value| value + 0.7 * rng.normal() as f32)
        .collect()
}

/// Writes rows, and asks for one of each batch as soon as it is there.
fn fill(c: &Collection, ids: std::ops::Range<u64>, centre: f32, rng: &mut Rng) {
    let ids: Vec<u64> = ids.collect();
    for ids in ids.chunks(500) {
        let rows: Vec<Vec<f32>> = ids.iter().map(|_| near(rng, centre)).collect();
        let ops = ids.iter().zip(&rows).map(|(n, row)| {
            Op::Upsert(Point {
                id: format!("p{n}"),
                vector: row.clone(),
                known_at: *n,
                ..Point::default()
            })
        });
        c.apply(ops.collect()).expect("write");
        let found = c.search_dense(&rows[0], 1, &AsOf::Now, None);
        assert_eq!(found.expect("search")[0].point.id, format!("p{}", ids[0]));
    }
}

/// Share of the true ten that searches find.
fn recall(c: &Collection, centre: f32) -> f64 {
    let (mut rng, mut found, mut all) = (Rng::new(77), 0, 0);
    for _ in 0..50 {
        let query = near(&mut rng, centre);
        let ask = |effort| c.search_dense_with(&query, 10, &AsOf::Now, None, effort);
        let (beam, exact) = (ask(Effort::Beam(120)), ask(Effort::Exact));
        let (beam, exact) = (beam.expect("search"), exact.expect("search"));
        found += exact.iter().filter(|hit| beam.contains(hit)).count();
        all += exact.len();
    }
    found as f64 / all as f64
}

#[test]
fn a_graph_of_other_data_is_made_anew() {
    for compact in [false, true] {
        let (disk, mut rng) = (MemDisk::new(), Rng::new(1));
        let c = open(&disk, compact);
        fill(&c, 0..4_500, 0.0, &mut rng);
        fill(&c, 4_500..23_000, FAR, &mut rng);
        c.settle();
        let stats = c.stats();
        assert_eq!(stats.graph_renewals, 1, "{compact}: {stats:?}");
        assert!(stats.linked >= 22_700, "{stats:?}");
        for centre in [0.0, FAR] {
            let found = recall(&c, centre);
            let least = if compact { 0.95 } else { 0.85 };
            assert!(found > least, "{compact} {centre}: {found}");
        }
        let digest = c.digest().expect("digest");
        c.checkpoint().expect("checkpoint");
        drop(c);
        let again = open(&disk, compact);
        assert!(!again.was_graph_rebuilt());
        assert_eq!(again.stats().graph_renewals, 0);
        assert_eq!(again.digest().expect("digest"), digest);
        assert!(recall(&again, FAR) > 0.85);
    }
}

#[test]
fn a_graph_of_the_same_data_stays() {
    let (disk, mut rng) = (MemDisk::new(), Rng::new(2));
    let c = open(&disk, true);
    fill(&c, 0..21_500, 0.0, &mut rng);
    c.settle();
    assert_eq!(c.stats().graph_renewals, 0);
}
