//! Rows that are asked for least leave the graph for lists on disk and come back when they are asked for again; no answer
//! misses them meanwhile, and what is opened again has them all.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use collection::disk::{Disk, DiskFile};
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
    exact_rows: 0,
    compact: false,
    log_bytes: u64::MAX,
    tail_rows: u64::MAX,
    epoch: None,
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
    // The linker's turn has ended when a save of it is done: a row that is asked for while it goes on may come back with
    // it, and is cold again when the lists on disk are opened.
    c.checkpoint().expect("checkpoint");
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

/// A disk that takes every file but the graph, for a while.
struct NoGraph {
    disk: MemDisk,
    refuses: Arc<AtomicBool>,
}

impl Disk for NoGraph {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.disk.read(name)
    }
    fn size(&self, name: &str) -> io::Result<u64> {
        self.disk.size(name)
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        if name.starts_with("graph") && self.refuses.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.create(name)
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.disk.truncate(name, len)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
}

/// What opens finds every row in the graph on disk or among the cold ones. A row that no graph on disk has stays where it is.
#[test]
fn no_row_goes_cold_while_the_graph_cannot_be_written() {
    let refuses = Arc::new(AtomicBool::new(true));
    let disk = NoGraph {
        disk: MemDisk::new(),
        refuses: Arc::clone(&refuses),
    };
    let options = Options {
        hot_rows: 2_000,
        ..OPTIONS
    };
    let (c, _) = Collection::open_with(Arc::new(disk), SETTINGS, options).expect("open");
    let mut rng = Rng::new(4);
    fill(&c, 0..10_500, &mut rng);
    // A batch is linked once what followed the one before is done.
    fill(&c, 10_500..11_100, &mut rng);
    fill(&c, 11_100..11_700, &mut rng);
    assert_eq!(c.stats().cold, 0, "no graph is on disk");
    let failed = c.checkpoint().expect_err("the graph cannot be written");
    assert!(failed.to_string().contains("graph"), "{failed}");
    refuses.store(false, Ordering::SeqCst);
    wait_for("rows go cold", || {
        fill(&c, 11_700..12_000, &mut rng);
        c.stats().cold >= 8_192
    });
}

#[test]
fn a_limit_of_hot_rows_under_the_inner_product_is_refused_by_name() {
    let settings = Settings {
        metric: Metric::Ip,
        ..SETTINGS
    };
    let open = |options| Collection::open_with(Arc::new(MemDisk::new()), settings, options);
    let refused = open(OPTIONS).err().expect("refused");
    assert!(matches!(refused, collection::Error::Unsupported { .. }));
    let said = refused.to_string();
    assert!(said.contains("hot_rows") && said.contains("inner product"));
    assert!(open(Options::default()).is_ok());
}

/// However fast rows come, no search has more to compare one by one than it was said, and the acknowledgement tells how many.
#[test]
fn writers_are_held_while_too_many_rows_wait_for_the_graph() {
    let options = Options {
        hot_rows: u64::MAX,
        tail_rows: 1_000,
        ..OPTIONS
    };
    let (c, _) = Collection::open_with(Arc::new(MemDisk::new()), SETTINGS, options).expect("open");
    let mut rng = Rng::new(6);
    for from in (0..12_000u64).step_by(100) {
        let ops = (from..from + 100).map(|n| {
            Op::Upsert(Point {
                id: format!("p{n}"),
                vector: near(n % CENTRES, &mut rng),
                ..Point::default()
            })
        });
        let ack = c.apply(ops.collect()).expect("write");
        // The graph begins with 4,096 rows.
        let limit = if from < 4_096 { 4_200 } else { 1_000 };
        assert!(ack.unlinked <= limit, "{} after {from}", ack.unlinked);
        let stats = c.stats();
        assert!(stats.versions - stats.linked <= ack.unlinked);
    }
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
