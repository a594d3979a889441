//! Writes by one thread and sixteen, searches now and as of the past, on a real folder.
//!
//! `cargo bench -p collection --bench collection [points]` (default 100,000 of 384 dimensions)
//! `... trim [points]`: bytes on disk before and after four fifths of the history are trimmed, and what searches notice
//! `... backlog [points]`: searches while most rows are not linked yet, and how fast they are linked
//! `... held [points]`: the same with writers held while 20,000 rows wait for the graph

use std::hint::black_box;
use std::sync::Arc;

use collection::{
    AsOf, Collection, Condition, Filter, FsDisk, Metric, Op, Options, Payload, Point, Settings,
    SyncPolicy, Value,
};
use stdx::{Clock, Histogram, Rng, SystemClock};

const DIM: usize = 384;

fn main() {
    let count = std::env::args()
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(100_000u64);
    if std::env::args().any(|arg| arg == "trim") {
        return trim(count);
    }
    if std::env::args().any(|arg| arg == "backlog") {
        return backlog(count, u64::MAX);
    }
    if std::env::args().any(|arg| arg == "held") {
        return backlog(count, 20_000);
    }
    writes();
    let dir = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        dim: DIM,
        metric: Metric::Cosine,
        sync: SyncPolicy::Never,
    };
    let (c, _) = Collection::open(dir.path(), settings).expect("open");
    let mut rng = Rng::new(3);
    let start = SystemClock.now_ns();
    for batch in 0..count.div_ceil(100) {
        let ops = (0..100)
            .map(|n| Op::Upsert(point(&mut rng, batch * 100 + n)))
            .collect();
        c.apply(ops).expect("write");
    }
    let ns = SystemClock.now_ns() - start;
    println!(
        "load         {:.0} points/s in batches of 100",
        count as f64 * 1e9 / ns as f64
    );
    searches(&c, count, &mut rng);
    let start = SystemClock.now_ns();
    c.settle();
    let ns = SystemClock.now_ns() - start;
    println!("link the rest {:.1} s", ns as f64 / 1e9);
    let start = SystemClock.now_ns();
    c.checkpoint().expect("checkpoint");
    let ns = SystemClock.now_ns() - start;
    println!("checkpoint   {:.2} s", ns as f64 / 1e9);
    println!("{:?}", c.stats());
    let query = point(&mut rng, 0).vector;
    drop(c);
    for _ in 0..3 {
        let start = SystemClock.now_ns();
        let (c, recovery) = Collection::open(dir.path(), settings).expect("reopen");
        let opened_ns = SystemClock.now_ns() - start;
        black_box(c.search_dense(&query, 10, &AsOf::Now, None).expect("dense"));
        let ns = SystemClock.now_ns() - start;
        println!(
            "reopen       {:.1} ms, first query after {:.1} ms, {} batches, checkpoint of {}",
            opened_ns as f64 / 1e6,
            ns as f64 / 1e6,
            recovery.records,
            recovery.checkpoint_seq
        );
    }
}

fn open(dir: &std::path::Path, tail_rows: u64) -> Collection {
    let settings = Settings {
        dim: DIM,
        metric: Metric::Cosine,
        sync: SyncPolicy::Never,
    };
    let options = Options {
        tail_rows,
        ..Options::default()
    };
    let disk = FsDisk::open(dir).expect("disk");
    let opened = Collection::open_with(Arc::new(disk), settings, options);
    opened.expect("open").0
}

/// Every id in five versions, the first four of which are trimmed.
fn trim(count: u64) {
    let dir = tempfile::tempdir().expect("a folder");
    let c = open(dir.path(), u64::MAX);
    let (mut rng, ids) = (Rng::new(4), count / 5);
    for n in (0..count).step_by(100) {
        let ops = (n..n + 100).map(|n| {
            let id = (n % ids).to_string();
            let known_at = n / ids;
            Op::Upsert(Point {
                id,
                known_at,
                ..point(&mut rng, n)
            })
        });
        c.apply(ops.collect()).expect("write");
    }
    c.settle();
    c.checkpoint().expect("checkpoint");
    show_bytes("before trimming", dir.path());
    let mut idle = Histogram::new();
    (0..400).for_each(|_| idle.record(search_ns(&c, &mut rng)));
    c.apply(vec![Op::Trim { known_before: 4 }]).expect("trim");
    let mut beside = Histogram::new();
    for n in 0..6 {
        let start = SystemClock.now_ns();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| c.checkpoint().expect("checkpoint"));
            while !writer.is_finished() {
                beside.record(search_ns(&c, &mut rng));
            }
        });
        let s = (SystemClock.now_ns() - start) as f64 / 1e9;
        show_bytes(&format!("checkpoint {n}, {s:.2} s"), dir.path());
        let op = Op::Upsert(point(&mut rng, count + n));
        c.apply(vec![op]).expect("write");
    }
    show_latency("idle", &idle);
    show_latency("beside checkpoints", &beside);
}

fn show_bytes(when: &str, dir: &std::path::Path) {
    let mut by_kind = std::collections::BTreeMap::<String, u64>::new();
    for entry in std::fs::read_dir(dir).expect("folder").flatten() {
        let path = entry.path();
        let kind = path.extension().or(path.file_name());
        let kind = kind.map(|kind| kind.to_string_lossy().into_owned());
        // A folder's entry has a name; one that went meanwhile has no bytes.
        *by_kind.entry(kind.unwrap_or_default()).or_default() +=
            entry.metadata().map_or(0, |data| data.len());
    }
    let shown = by_kind.iter();
    let shown = shown.map(|(kind, bytes)| format!("{kind} {:.1} MB", *bytes as f64 / 1e6));
    println!("{when}: {}", shown.collect::<Vec<_>>().join(", "));
}

fn show_latency(when: &str, h: &Histogram) {
    let ms = |q| h.quantile(q).unwrap_or(0) as f64 / 1e6;
    println!("{when}: p50 {:.2} p99 {:.2} ms", ms(0.5), ms(0.99));
}

fn search_ns(c: &Collection, rng: &mut Rng) -> u64 {
    let query = vector(rng);
    let start = SystemClock.now_ns();
    black_box(c.search_dense(&query, 10, &AsOf::Now, None).expect("dense"));
    SystemClock.now_ns() - start
}

/// Vectors alone, loaded far faster than they are linked.
fn backlog(count: u64, tail_rows: u64) {
    let dir = tempfile::tempdir().expect("a folder");
    let c = open(dir.path(), tail_rows);
    let mut rng = Rng::new(5);
    let start = SystemClock.now_ns();
    for n in (0..count).step_by(500) {
        let ops = (n..n + 500).map(|n| {
            Op::Upsert(Point {
                id: n.to_string(),
                vector: vector(&mut rng),
                ..Point::default()
            })
        });
        c.apply(ops.collect()).expect("write");
    }
    let s = |start: u64| (SystemClock.now_ns() - start) as f64 / 1e9;
    println!("load {:.0} rows/s", count as f64 / s(start));
    let (start, from) = (SystemClock.now_ns(), c.stats().linked);
    let mut slow = Histogram::new();
    (0..100).for_each(|_| slow.record(search_ns(&c, &mut rng)));
    println!("{} of {count} rows linked when searches begin", from);
    show_latency("backlog", &slow);
    c.settle();
    let rate = (c.stats().linked - from) as f64 / s(start);
    println!("linked {rate:.0} rows/s, the last after {:.1} s", s(start));
    let mut idle = Histogram::new();
    (0..400).for_each(|_| idle.record(search_ns(&c, &mut rng)));
    show_latency("linked", &idle);
}

fn writes() {
    for threads in [1u64, 16] {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            dim: DIM,
            metric: Metric::Cosine,
            sync: SyncPolicy::Always,
        };
        let (c, _) = Collection::open(dir.path(), settings).expect("open");
        let each = 2_000 / threads;
        let start = SystemClock.now_ns();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let c = &c;
                scope.spawn(move || {
                    let mut rng = Rng::new(thread);
                    for n in 0..each {
                        let op = Op::Upsert(point(&mut rng, thread * each + n));
                        c.apply(vec![op]).expect("write");
                    }
                });
            }
        });
        let ns = SystemClock.now_ns() - start;
        let rate = (threads * each) as f64 * 1e9 / ns as f64;
        println!("apply        {rate:.0} synced batches/s by {threads} threads");
    }
}

/// A hundred words from a vocabulary with a long tail, like prose.
fn point(rng: &mut Rng, n: u64) -> Point {
    let words: Vec<String> = (0..100).map(|_| word(rng)).collect();
    let payload = [
        ("symbol".to_owned(), Value::Str(format!("S{}", n % 100))),
        ("n".to_owned(), Value::Int(n as i64)),
    ];
    Point {
        id: format!("document-{}#{}", n / 10, n % 10),
        vector: vector(rng),
        text: words.join(" "),
        payload: Payload(payload.into()),
        event_at: n,
        known_at: n,
    }
}

fn word(rng: &mut Rng) -> String {
    format!("w{}", (rng.f64().powi(4) * 30_000.0) as u64)
}

fn vector(rng: &mut Rng) -> Vec<f32> {
    (0..DIM).map(|_| rng.f64() as f32 - 0.5).collect()
}

fn searches(c: &Collection, count: u64, rng: &mut Rng) {
    let head = c.head_seq();
    let symbol = Condition::Any {
        field: "symbol".into(),
        values: vec!["S7".into()],
    };
    let one_percent = Filter {
        must: vec![symbol],
        must_not: Vec::new(),
    };
    let half = Condition::EventAt {
        gte: Some(count / 2),
        lte: None,
    };
    let half = Filter {
        must: vec![half],
        must_not: Vec::new(),
    };
    let cases = [
        ("now", AsOf::Now, None),
        ("known head", AsOf::Known(count), None),
        ("seq head", AsOf::Seq(head), None),
        ("known half", AsOf::Known(count / 2), None),
        ("filter 1%", AsOf::Now, Some(&one_percent)),
        ("filter 50%", AsOf::Now, Some(&half)),
    ];
    for (name, as_of, filter) in cases {
        let (mut dense, mut text) = (Histogram::new(), Histogram::new());
        for _ in 0..60 {
            let query = vector(rng);
            let start = SystemClock.now_ns();
            black_box(c.search_dense(&query, 10, &as_of, filter).expect("dense"));
            dense.record(SystemClock.now_ns() - start);
            let query: Vec<String> = (0..4).map(|_| word(rng)).collect();
            let query = query.join(" ");
            let start = SystemClock.now_ns();
            black_box(c.search_text(&query, 10, &as_of, filter).expect("text"));
            text.record(SystemClock.now_ns() - start);
        }
        let ms = |h: &Histogram, q| h.quantile(q).unwrap_or(0) as f64 / 1e6;
        println!(
            "{name:<12} dense p50 {:.2} p99 {:.2} ms   text p50 {:.2} p99 {:.2} ms",
            ms(&dense, 0.5),
            ms(&dense, 0.99),
            ms(&text, 0.5),
            ms(&text, 0.99),
        );
    }
}
