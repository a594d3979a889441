//! As of any entry and any instant, every question equals a naive twin that keeps all ops in a list
//! and answers by the definition: the last turn of each id, by knowledge and then arrival, among those
//! that had arrived and were known. Ops come late, delete, revise and delete by filter.

use std::collections::BTreeMap;

use collection::{
    AsOf, Collection, Condition, Filter, MemDisk, Metric, Op, Payload, Point, Settings, SyncPolicy,
    Value,
};
use stdx::Rng;
use vector::arch::Kernels;

const DIM: usize = 8;
const WORDS: u64 = 12;

#[derive(Clone)]
struct Turn {
    seq: u64,
    known_at: u64,
    id: String,
    point: Option<Point>,
    slot: u32,
}

#[derive(Default)]
struct Naive {
    seq: u64,
    slots: u32,
    turns: Vec<Turn>,
}

impl Naive {
    fn apply(&mut self, ops: &[Op]) {
        self.seq += 1;
        for op in ops {
            match op {
                Op::Upsert(point) => {
                    self.push(&point.id, point.known_at, Some(point.clone()));
                    self.slots += 1;
                }
                Op::Trim { .. } => unreachable!("these batches trim nothing"),
                Op::Delete { id, known_at } => self.push(id, *known_at, None),
                Op::DeleteWhere { filter, known_at } => {
                    let gone = self.visible(&AsOf::Known(*known_at));
                    let gone: Vec<String> = gone
                        .iter()
                        .filter(|turn| turn.point.as_ref().is_some_and(|p| filter.matches(p)))
                        .map(|turn| turn.id.clone())
                        .collect();
                    gone.iter().for_each(|id| self.push(id, *known_at, None));
                }
            }
        }
    }

    fn push(&mut self, id: &str, known_at: u64, point: Option<Point>) {
        let turn = Turn {
            seq: self.seq,
            known_at,
            id: id.into(),
            point,
            slot: self.slots,
        };
        self.turns.push(turn);
    }

    /// Visible versions by id.
    fn visible(&self, as_of: &AsOf) -> Vec<Turn> {
        let mut last: BTreeMap<&str, &Turn> = BTreeMap::new();
        for turn in &self.turns {
            let counts = match *as_of {
                AsOf::Now => true,
                AsOf::Seq(seq) => turn.seq <= seq,
                AsOf::Known(t) => turn.known_at <= t,
            };
            if counts
                && last
                    .get(&*turn.id)
                    .is_none_or(|held| held.known_at <= turn.known_at)
            {
                last.insert(&turn.id, turn);
            }
        }
        last.into_values()
            .filter(|turn| turn.point.is_some())
            .cloned()
            .collect()
    }

    fn matching(&self, as_of: &AsOf, filter: Option<&Filter>) -> Vec<Turn> {
        let mut turns = self.visible(as_of);
        turns.retain(|turn| filter.is_none_or(|f| f.matches(turn.point())));
        turns
    }
}

impl Turn {
    fn point(&self) -> &Point {
        self.point.as_ref().expect("visible turns are versions")
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// BM25 in `f64` by the textbook, over the visible texts.
fn bm25(visible: &[Turn], query: &str, text: &str) -> f64 {
    let count = visible.len() as f64;
    let total: usize = visible
        .iter()
        .map(|turn| words(&turn.point().text).len())
        .sum();
    let mean = total as f64 / count;
    let length = words(text).len() as f64;
    let score = |word: &str| {
        let df = visible
            .iter()
            .filter(|turn| words(&turn.point().text).contains(&word))
            .count();
        let tf = words(text).iter().filter(|w| **w == word).count() as f64;
        let idf = (1.0 + (count - df as f64 + 0.5) / (df as f64 + 0.5)).ln();
        idf * tf * 1.9 / (tf + 0.9 * (0.6 + 0.4 * length / mean))
    };
    words(query).into_iter().map(score).sum()
}

fn text(rng: &mut Rng) -> String {
    let count = rng.below(9);
    let words: Vec<String> = (0..count)
        .map(|_| format!("w{}", rng.below(WORDS)))
        .collect();
    words.join(" ")
}

fn vector(rng: &mut Rng) -> Vec<f32> {
    // Few values make ties.
    let mut vector: Vec<f32> = (0..DIM).map(|_| rng.below(3) as f32 - 1.0).collect();
    vector[0] = 1.0;
    vector
}

fn filter(rng: &mut Rng) -> Filter {
    let condition = |rng: &mut Rng| match rng.below(5) {
        0 => Condition::Any {
            field: "tag".into(),
            values: (0..rng.below(3))
                .map(|_| Value::Str(format!("t{}", rng.below(4))))
                .collect(),
        },
        1 => Condition::Any {
            field: "n".into(),
            values: vec![Value::Int(rng.below(6) as i64)],
        },
        2 => Condition::Range {
            field: "n".into(),
            gte: rng.chance(0.5).then(|| Value::Float(rng.f64() * 6.0)),
            lte: rng.chance(0.5).then(|| Value::Int(rng.below(6) as i64)),
        },
        3 => Condition::EventAt {
            gte: Some(rng.below(30)),
            lte: Some(20 + rng.below(60)),
        },
        _ => Condition::Id(format!("id{}", rng.below(3))),
    };
    let must = (0..1 + rng.below(2)).map(|_| condition(rng)).collect();
    let must_not = if rng.chance(0.3) {
        vec![condition(rng)]
    } else {
        Vec::new()
    };
    Filter { must, must_not }
}

/// `late` is how much comes late, or ahead.
fn op(rng: &mut Rng, clock: u64, late: f64) -> Op {
    let id = format!("id{}", rng.below(30));
    let known_at = if !rng.chance(late) {
        clock
    } else {
        rng.below(clock + 5)
    };
    match rng.below(20) {
        0..=3 => Op::Delete { id, known_at },
        4 => Op::DeleteWhere {
            filter: filter(rng),
            known_at,
        },
        _ => {
            let tags = (0..rng.below(3)).map(|_| Value::Str(format!("t{}", rng.below(4))));
            let payload = [
                ("tag".to_owned(), Value::List(tags.collect())),
                ("n".to_owned(), Value::Int(rng.below(6) as i64)),
            ];
            Op::Upsert(Point {
                id,
                vector: vector(rng),
                text: text(rng),
                payload: Payload(payload.into()),
                event_at: rng.below(80),
                known_at,
            })
        }
    }
}

fn check_dense(c: &Collection, naive: &Naive, as_of: &AsOf, f: Option<&Filter>, rng: &mut Rng) {
    let (query, k) = (vector(rng), rng.below(12) as usize);
    let unit = |v: &[f32]| {
        let mut v = v.to_vec();
        vector::normalise(&mut v).expect("not zero");
        v
    };
    let mut want: Vec<(f32, u32, String)> = naive
        .matching(as_of, f)
        .into_iter()
        .map(|turn| {
            let score = Kernels::get().dot(&unit(&query), &unit(&turn.point().vector));
            (score, turn.slot, turn.id)
        })
        .collect();
    want.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    want.truncate(k);
    let got = c.search_dense(&query, k, as_of, f).expect("a good query");
    let got: Vec<(f32, &str)> = got.iter().map(|hit| (hit.score, hit.id.as_str())).collect();
    let want: Vec<(f32, &str)> = want
        .iter()
        .map(|(score, _, id)| (*score, id.as_str()))
        .collect();
    assert_eq!(got, want, "{as_of:?} {f:?}");
}

fn check_text(c: &Collection, naive: &Naive, as_of: &AsOf, f: Option<&Filter>, rng: &mut Rng) {
    let (query, k) = (text(rng), 1 + rng.below(12) as usize);
    let visible = naive.visible(as_of);
    let mut want: Vec<(f64, u32, String, String)> = naive
        .matching(as_of, f)
        .into_iter()
        .map(|turn| {
            let score = bm25(&visible, &query, &turn.point().text);
            (score, turn.slot, turn.id.clone(), turn.point().text.clone())
        })
        .filter(|(score, ..)| *score > 0.0)
        .collect();
    want.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let got = c.search_text(&query, k, as_of, f).expect("a good query");
    assert_eq!(got.len(), want.len().min(k), "{as_of:?} {f:?} {query:?}");
    for (rank, hit) in got.iter().enumerate() {
        let (score, ..) = want
            .iter()
            .find(|w| w.2 == hit.id)
            .expect("a visible match");
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-5 * a.abs().max(b.abs());
        assert!(close(f64::from(hit.score), *score), "{} {score}", hit.score);
        assert!(
            close(want[rank].0, *score),
            "rank {rank}: {score}, best left {}",
            want[rank].0
        );
        if let Some(next) = got.get(rank + 1)
            && next.score == hit.score
        {
            let slot = |id: &str| want.iter().find(|w| w.2 == id).map(|w| w.1);
            assert!(
                slot(&hit.id) < slot(&next.id),
                "ties go to the earlier arrival"
            );
        }
    }
}

fn check_points(c: &Collection, naive: &Naive, as_of: &AsOf, f: Option<&Filter>, rng: &mut Rng) {
    let visible = naive.visible(as_of);
    assert_eq!(c.count(as_of).expect("count"), visible.len() as u64);
    let id = format!("id{}", rng.below(30));
    let want = visible.iter().find(|turn| turn.id == id);
    let got = c.get(&id, as_of).expect("get");
    assert_eq!(
        got.as_ref().map(|g| g.seq_from),
        want.map(|turn| turn.seq),
        "{id} {as_of:?}"
    );
    if let (Some(got), Some(want)) = (got, want) {
        let bare = Point {
            vector: Vec::new(),
            ..want.point().clone()
        };
        assert_eq!(*got.point, bare);
    }
    let (mut pages, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = c.scroll(f, as_of, after.as_deref(), 3).expect("scroll");
        let Some(last) = page.last() else { break };
        after = Some(last.point.id.clone());
        pages.extend(page.into_iter().map(|found| found.point.id.clone()));
    }
    let matching = naive.matching(as_of, f);
    assert_eq!(
        pages,
        matching
            .iter()
            .map(|turn| turn.id.clone())
            .collect::<Vec<_>>()
    );
}

/// Each version of a history is what `get` shows inside its intervals and not at their ends.
fn check_history(c: &Collection, naive: &Naive, id: &str) {
    let mut want: Vec<&Turn> = naive.turns.iter().filter(|turn| turn.id == id).collect();
    want.sort_by_key(|turn| turn.known_at);
    let history = c.history(id).expect("history");
    assert_eq!(history.len(), want.len());
    for (version, turn) in history.iter().zip(want) {
        assert_eq!(
            (version.seq_from, version.known_at),
            (turn.seq, turn.known_at)
        );
        assert_eq!(version.point.is_some(), turn.point.is_some());
        let shown = |as_of| c.get(id, &as_of).expect("get").map(|found| found.point);
        if version.known_to != Some(version.known_at) {
            assert_eq!(shown(AsOf::Known(version.known_at)), version.point);
        }
        if version.seq_to != Some(version.seq_from) {
            assert_eq!(shown(AsOf::Seq(version.seq_from)), version.point);
            if let Some(seq_to) = version.seq_to {
                assert_eq!(shown(AsOf::Seq(seq_to - 1)), version.point);
            }
        }
    }
}

#[test]
fn every_question_equals_the_naive_twin() {
    for seed in 0..24 {
        let mut rng = Rng::new(seed);
        let settings = Settings {
            dim: DIM,
            metric: Metric::Cosine,
            sync: SyncPolicy::Never,
        };
        let disk = MemDisk::new();
        let (c, _) = Collection::open_on(disk.clone(), settings).expect("open");
        let mut naive = Naive::default();
        // Much is late, or nothing, or something after a while.
        let late = |step| [0.3, 0.0, 0.002 * step as f64][seed as usize % 3];
        for step in 0..120 {
            let ops: Vec<Op> = (0..1 + rng.below(4))
                .map(|_| op(&mut rng, 10 + step, late(step)))
                .collect();
            naive.apply(&ops);
            let ack = c.apply(ops).expect("good ops");
            assert_eq!(ack.seq, naive.seq);
            for _ in 0..4 {
                let as_of = match rng.below(4) {
                    0 => AsOf::Now,
                    1 => AsOf::Seq(rng.below(naive.seq + 1)),
                    2 => AsOf::Known(rng.below(step + 20)),
                    _ => *rng.pick(&[AsOf::Known(u64::MAX), AsOf::Seq(naive.seq), AsOf::Known(0)]),
                };
                let chosen = rng.chance(0.5).then(|| filter(&mut rng));
                let chosen = chosen.as_ref();
                check_dense(&c, &naive, &as_of, chosen, &mut rng);
                check_text(&c, &naive, &as_of, chosen, &mut rng);
                check_points(&c, &naive, &as_of, chosen, &mut rng);
            }
        }
        (0..30).for_each(|id| check_history(&c, &naive, &format!("id{id}")));
        let digest = c.digest().expect("digest");
        drop(c);
        let (again, recovery) = Collection::open_on(disk, settings).expect("reopen");
        assert_eq!((recovery.records, recovery.cut_bytes), (120, 0));
        assert_eq!(
            again.digest().expect("digest"),
            digest,
            "seed {seed}: same log, same state"
        );
        check_points(&again, &naive, &AsOf::Known(60), None, &mut rng);
    }
}

/// Without deletes by filter, which look at what is there, what is known as of an instant does not
/// depend on the order of arrival.
#[test]
fn knowledge_does_not_depend_on_arrival() {
    let mut rng = Rng::new(5);
    // Each instant once: equal instants are ordered by arrival.
    let mut ops: Vec<Op> = (0..60)
        .map(|at| {
            let id = format!("id{}", rng.below(5));
            if rng.chance(0.3) {
                return Op::Delete { id, known_at: at };
            }
            Op::Upsert(Point {
                id,
                vector: vector(&mut rng),
                known_at: at,
                ..Point::default()
            })
        })
        .collect();
    let shown = |ops: &[Op]| {
        let settings = Settings {
            dim: DIM,
            metric: Metric::L2,
            sync: SyncPolicy::Never,
        };
        let (c, _) = Collection::open_on(MemDisk::new(), settings).expect("open");
        ops.iter().for_each(|op| {
            c.apply(vec![op.clone()]).expect("good op");
        });
        let at = |t| c.scroll(None, &AsOf::Known(t), None, 99).expect("scroll");
        let views: Vec<Vec<Point>> = (0..61)
            .map(|t| at(t).iter().map(|found| (*found.point).clone()).collect())
            .collect();
        views
    };
    let want = shown(&ops);
    for _ in 0..10 {
        rng.shuffle(&mut ops);
        assert_eq!(shown(&ops), want);
    }
}
