//! Writes by one thread and sixteen, searches now and as of the past, on a real folder.
//!
//! `cargo bench -p collection --bench collection [points]` (default 100,000 of 384 dimensions)

use std::hint::black_box;

use collection::{
    AsOf, Collection, Condition, Filter, Metric, Op, Payload, Point, Settings, SyncPolicy, Value,
};
use stdx::{Clock, Histogram, Rng, SystemClock};

const DIM: usize = 384;

fn main() {
    let count = std::env::args()
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(100_000u64);
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
