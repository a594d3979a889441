//! Rows that are asked for least leave the graph for lists on disk and come back when they are asked for again; no answer
//! misses them meanwhile, and what is opened again has them all.

use std::sync::Arc;

use collection::disk::Disk;
use collection::{
    AsOf, Collection, Condition, Effort, Filter, MemDisk, Metric, Op, Options, Payload, Point,
    Settings, SyncPolicy, Value, Wanted,
};
use stdx::Rng;

const DIM: usize = 32;
const SETTINGS: Settings = Settings {
    dim: DIM,
    metric: Metric::L2,
    sync: SyncPolicy::Never,
};
const OPTIONS: Options = Options {
    checkpoint_bytes: u64::MAX,
    hot_rows: 6_000,
    compact: false,
    log_bytes: u64::MAX,
};
/// Clusters, so that few bits a component tell neighbours apart.
const CENTRES: u64 = 300;

fn near(centre: u64, rng: &mut Rng) -> Vec<f32> {
    let mut at = Rng::new(1_000 + centre);
    let place = (0..DIM).map(|_| 4.0 * at.normal() as f32);
    place.map(|value| value + rng.normal() as f32).collect()
}

fn open(disk: &MemDisk) -> (Collection, collection::Recovery) {
    Collection::open_with(Arc::new(disk.clone()), SETTINGS, OPTIONS).expect("open")
}

fn fill(c: &Collection, ids: std::ops::Range<u64>, rng: &mut Rng) {
    let ids: Vec<u64> = ids.collect();
    for ids in ids.chunks(500) {
        let ops = ids.iter().map(|n| {
            let payload = [("tag".to_owned(), Value::Int((n % 20) as i64))];
            Op::Upsert(Point {
                id: format!("p{n}"),
                vector: near(n % CENTRES, rng),
                payload: Payload(payload.into()),
                known_at: *n,
                ..Point::default()
            })
        });
        c.apply(ops.collect()).expect("write");
    }
    c.settle();
    c.sync().expect("sync");
}

/// Share of the true ten that usual searches find.
fn recall(c: &Collection, as_of: &AsOf, filter: Option<&Filter>, rng: &mut Rng) -> f64 {
    let (mut found, mut all) = (0, 0);
    for _ in 0..60 {
        let query = near(rng.below(CENTRES), rng);
        let ask = |effort| {
            let hits = c.search_dense_with(&query, 10, as_of, filter, effort);
            hits.expect("search")
        };
        let (usual, exact) = (ask(Effort::Beam(160)), ask(Effort::Exact));
        assert!(
            usual
                .iter()
                .enumerate()
                .all(|(n, hit)| usual[..n].iter().all(|other| other.id != hit.id))
        );
        found += exact.iter().filter(|hit| usual.contains(hit)).count();
        all += exact.len();
    }
    found as f64 / all as f64
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..200_000_000u64 {
        if is_so() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("never: {what}");
}

#[test]
fn rows_go_cold_and_come_back() {
    let (disk, mut rng) = (MemDisk::new(), Rng::new(1));
    let (c, _) = open(&disk);
    fill(&c, 0..12_000, &mut rng);
    assert_eq!(
        c.stats().cold,
        0,
        "little over what the graph may have: nothing is moved yet"
    );
    fill(&c, 12_000..24_000, &mut rng);
    // One batch more, and the linker looks.
    wait_for("rows go cold", || {
        fill(&c, 24_000..24_300, &mut rng);
        c.stats().cold >= 8_192
    });
    let stats = c.stats();
    assert!(stats.linked > 24_000);
    let tag = Filter {
        must: vec![Condition::Any {
            field: "tag".into(),
            values: vec![Value::Int(3)],
        }],
        ..Filter::default()
    };
    for as_of in [AsOf::Now, AsOf::Seq(20), AsOf::Known(9_000)] {
        for filter in [None, Some(&tag)] {
            let recall = recall(&c, &as_of, filter, &mut rng);
            assert!(recall >= 0.95, "{recall} {as_of:?} {filter:?}");
        }
    }
    assert!(c.stats().cold_reads > stats.cold_reads);
    // The answer says what it looked at.
    let query = near(3, &mut rng);
    let wanted = Wanted {
        vector: &query,
        k: 10,
        as_of: &AsOf::Now,
        filter: None,
        effort: Effort::Usual,
    };
    let (_, explain) = c.explain_dense(&wanted, &|| 0).expect("search");
    let parts: Vec<&str> = explain.parts.iter().map(|part| part.name).collect();
    assert!(
        parts.contains(&"graph") && parts.contains(&"cold"),
        "{parts:?}"
    );

    // What is opened again has them all, from the files.
    c.checkpoint().expect("checkpoint");
    let cold = c.stats().cold;
    drop(c);
    let (c, recovery) = open(&disk);
    assert_eq!(recovery.set_aside, Vec::<String>::new());
    assert_eq!(c.stats().cold, cold);
    assert!(recall(&c, &AsOf::Now, None, &mut rng) >= 0.95);
    assert!(!c.was_graph_rebuilt());

    // Asked for again and again, a cold row comes back with the next batch.
    let before = c.stats().cold;
    for _ in 0..6 {
        for centre in 0..CENTRES {
            let query = near(centre, &mut Rng::new(7));
            c.search_dense(&query, 10, &AsOf::Now, None)
                .expect("search");
        }
    }
    wait_for("rows come back", || {
        fill(&c, 30_000..30_300, &mut rng);
        c.stats().cold < before
    });
    assert!(recall(&c, &AsOf::Now, None, &mut rng) >= 0.95);

    // A flipped bit among the cold rows: found, and all is linked again.
    c.checkpoint().expect("checkpoint");
    drop(c);
    let mut bytes = disk.read("cold").expect("bytes");
    let at = bytes.len() / 2;
    bytes[at] ^= 16;
    disk.put("cold", bytes);
    let (c, recovery) = open(&disk);
    wait_for("the damage is found", || c.is_verified());
    assert!(c.was_graph_rebuilt() || !recovery.set_aside.is_empty());
    c.settle();
    assert!(recall(&c, &AsOf::Now, None, &mut rng) >= 0.95);
}

/// What nobody can ask for any more is forgotten everywhere, and no answer that can be asked for changes.
#[test]
fn trimmed_history_changes_no_answer_behind_the_horizon() {
    let plain = Options {
        hot_rows: u64::MAX,
        compact: false,
        log_bytes: 1 << 20,
        ..OPTIONS
    };
    let disk = MemDisk::new();
    let open = || {
        Collection::open_with(Arc::new(disk.clone()), SETTINGS, plain)
            .expect("open")
            .0
    };
    let c = open();
    let mut rng = Rng::new(2);
    let version = |id: u64, known_at: u64, rng: &mut Rng| {
        Op::Upsert(Point {
            id: format!("p{id}"),
            vector: near(id % CENTRES, rng),
            text: format!("word{}", id % 7),
            known_at,
            ..Point::default()
        })
    };
    // Every id in four versions, some deleted.
    for round in 0..4 {
        for from in (0..3_000).step_by(500) {
            let mut ops: Vec<Op> = (from..from + 500)
                .map(|id| version(id, 100 * round + id % 100, &mut rng))
                .collect();
            ops.extend((from..from + 20).map(|id| Op::Delete {
                id: format!("p{id}"),
                known_at: 100 * round + 99,
            }));
            c.apply(ops).expect("write");
        }
    }
    c.settle();
    let instants = [
        AsOf::Now,
        AsOf::Known(250),
        AsOf::Known(299),
        AsOf::Known(1_000),
    ];
    let all = |c: &Collection| {
        instants.map(|as_of| {
            let mut rng = Rng::new(9);
            let query = near(rng.below(CENTRES), &mut rng);
            let dense = c.search_dense_with(&query, 20, &as_of, None, Effort::Exact);
            let text = c.search_text("word3", 20, &as_of, None).expect("text");
            let ids: Vec<String> = text.into_iter().map(|hit| hit.id).collect();
            (dense.expect("dense"), ids, c.count(&as_of).expect("count"))
        })
    };
    let before = all(&c);
    let versions = c.history("p7").expect("history").len();
    let ack = c.apply(vec![Op::Trim { known_before: 250 }]).expect("trim");
    assert_eq!(all(&c), before);
    assert!(c.history("p7").expect("history").len() < versions);
    for early in [AsOf::Known(249), AsOf::Seq(ack.seq - 1)] {
        let refused = c.count(&early).expect_err("trimmed");
        assert!(
            matches!(refused, collection::Error::Trimmed { .. }),
            "{refused}"
        );
    }
    // The linker takes them out as it goes on, and their places are taken again.
    let mut n = 10_000;
    wait_for("rows leave the graph", || {
        let ops = (n..n + 300).map(|id| version(id, 2_000, &mut rng));
        c.apply(ops.collect()).expect("write");
        n += 300;
        c.settle();
        c.stats().hot + 4_000 < c.stats().linked
    });
    assert!(recall(&c, &AsOf::Known(299), None, &mut rng) >= 0.95);
    // Checkpoints stand for the log's beginning, which goes.
    for _ in 0..3 {
        let ops = (0..3_000).map(|id| version(id, 3_000, &mut rng));
        c.apply(ops.collect()).expect("write");
        c.checkpoint().expect("checkpoint");
    }
    let digest = c.digest().expect("digest");
    let now = all(&c)[0].clone();
    drop(c);
    let again = open();
    assert_eq!(again.digest().expect("digest"), digest);
    assert_eq!(all(&again)[0], now);
    assert!(again.count(&AsOf::Known(249)).is_err());
    again.settle();
    assert!(recall(&again, &AsOf::Now, None, &mut rng) >= 0.95);
}
