//! What the collection says of its own recall is what an outsider measures, and the beam follows it.

use collection::{AsOf, Collection, Effort, MemDisk, Metric, Op, Point, Settings, SyncPolicy};
use stdx::Rng;

const DIM: usize = 32;

#[test]
fn recall_is_measured_and_the_beam_follows() {
    let settings = Settings {
        dim: DIM,
        metric: Metric::L2,
        sync: SyncPolicy::Never,
    };
    let (c, _) = Collection::open_on(MemDisk::new(), settings).expect("open");
    let mut rng = Rng::new(1);
    let mut vector = || (0..DIM).map(|_| rng.normal() as f32).collect::<Vec<f32>>();
    let mut rows = (0..6_000).map(|n| {
        Op::Upsert(Point {
            id: format!("p{n}"),
            vector: vector(),
            known_at: 1,
            ..Point::default()
        })
    });
    c.apply(rows.by_ref().collect()).expect("write");
    drop(rows);
    c.settle();
    assert_eq!(c.recall().samples, 0);
    let start = c.recall().beam;
    // Rows of this kind are far from everything: the first beam does not reach the target.
    let mut asked = 0;
    while c.recall().beam <= start && asked < 200_000 {
        c.search_dense(&vector(), 10, &AsOf::Now, None)
            .expect("search");
        asked += 1;
    }
    assert!(c.recall().beam > start, "after {asked} questions");
    for _ in 0..60_000 {
        c.search_dense(&vector(), 10, &AsOf::Now, None)
            .expect("search");
    }
    let said = c.recall();
    assert!(said.samples > 50 && said.low <= said.mean && said.mean <= said.high);
    let (mut found, questions) = (0, 300);
    for _ in 0..questions {
        let query = vector();
        let ids = |effort| {
            let hits = c.search_dense_with(&query, 10, &AsOf::Now, None, effort);
            let hits = hits.expect("search").into_iter();
            hits.map(|hit| hit.id).collect::<Vec<_>>()
        };
        let (usual, exact) = (ids(Effort::Usual), ids(Effort::Exact));
        found += exact.iter().filter(|id| usual.contains(id)).count();
    }
    let recall = found as f64 / (10 * questions) as f64;
    assert!(
        recall >= 0.95,
        "steered to 0.98, found {recall}, said {said:?}"
    );
}
