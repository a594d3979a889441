//! Up to a number of rows every search is exact: what codes and bounds leave over is what comparing all rows gives,
//! scores to the bit, as of any instant, under any filter, before and after reopening. One row more, and a graph is made.

use std::sync::Arc;

use collection::plan::Plan;
use collection::{
    AsOf, Collection, Condition, Effort, Filter, MemDisk, Metric, Op, Options, Payload, Point,
    Settings, SyncPolicy, Value, Wanted,
};
use stdx::Rng;

const DIM: usize = 96;
const SETTINGS: Settings = Settings {
    dim: DIM,
    metric: Metric::Cosine,
    sync: SyncPolicy::Never,
};
const EXACT: u64 = 9_000;

fn open(disk: &MemDisk) -> Collection {
    let options = Options {
        exact_rows: EXACT,
        ..Options::default()
    };
    let opened = Collection::open_with(Arc::new(disk.clone()), SETTINGS, options);
    let collection = opened.expect("opens").0;
    collection.settle();
    collection
}

/// Rows around some places, one in ten the same as another one.
fn vector(rng: &mut Rng) -> Vec<f32> {
    let mut place = Rng::new(rng.below(40));
    let is_copy = rng.chance(0.1);
    let mut noise = Rng::new(if is_copy { 7 } else { rng.next_u64() });
    let parts = (0..DIM).map(|_| place.normal() as f32 + 0.5 * noise.normal() as f32);
    parts.collect()
}

/// New points and new versions of old ones, known in the order of their numbers.
fn fill(c: &Collection, rng: &mut Rng, until: u64) {
    while c.stats().versions < until {
        let known_at = c.head_seq() + 1;
        let ops = (0..50).map(|_| {
            let id = format!("n{}", rng.below(6_000));
            if rng.chance(0.05) {
                return Op::Delete { id, known_at };
            }
            let payload = [("tag".to_owned(), Value::Int(rng.below(50) as i64))];
            Op::Upsert(Point {
                id,
                vector: vector(rng),
                payload: Payload(payload.into()),
                known_at,
                ..Point::default()
            })
        });
        c.apply(ops.collect()).expect("writes");
    }
    c.settle();
}

fn tags(tags: std::ops::Range<i64>) -> Filter {
    Filter {
        must: vec![Condition::Any {
            field: "tag".to_owned(),
            values: tags.map(Value::Int).collect(),
        }],
        must_not: Vec::new(),
    }
}

/// What was found, scores by their bits, and which parts were searched.
type Told = (Vec<(String, u32)>, Plan, Vec<&'static str>);

fn ask(c: &Collection, wanted: &Wanted<'_>) -> Told {
    let (found, explain) = c.explain_dense(wanted, &|| 0).expect("answers");
    let found = found.into_iter().map(|hit| (hit.id, hit.score.to_bits()));
    let parts = explain.parts.iter().map(|part| part.name);
    (found.collect(), explain.plan, parts.collect())
}

/// Asks many questions and holds each against all rows compared whole; says how many were answered by codes.
fn compare(c: &Collection, rng: &mut Rng) -> usize {
    let filters = [None, Some(tags(0..1)), Some(tags(3..40))];
    let instants = [
        AsOf::Now,
        AsOf::Seq(c.head_seq() / 2),
        AsOf::Known(40),
        AsOf::Known(u64::MAX),
    ];
    let mut by_codes = 0;
    for n in 0..48 {
        let vector = vector(rng);
        let wanted = Wanted {
            vector: &vector,
            k: *rng.pick(&[1, 10, 200]),
            as_of: &instants[n % 4],
            filter: filters[n % 3].as_ref(),
            effort: Effort::Usual,
        };
        let (found, plan, parts) = ask(c, &wanted);
        let truth = ask(
            c,
            &Wanted {
                effort: Effort::Exact,
                ..wanted
            },
        );
        assert_eq!(plan, Plan::Among);
        assert_eq!(
            found, truth.0,
            "{:?} {:?} {}",
            wanted.as_of, wanted.filter, wanted.k
        );
        by_codes += usize::from(parts == ["codes"]);
    }
    by_codes
}

#[test]
fn every_search_is_exact_until_there_are_too_many_rows() {
    let disk = MemDisk::new();
    let mut rng = Rng::new(5);
    let c = open(&disk);
    fill(&c, &mut rng, 1_000);
    assert_eq!(compare(&c, &mut rng), 0, "so few are compared whole");
    fill(&c, &mut rng, 8_000);
    assert!(compare(&c, &mut rng) > 24);
    assert_eq!((c.stats().linked, c.stats().hot), (0, 0));
    c.checkpoint().expect("writes");
    drop(c);

    let c = open(&disk);
    assert!(compare(&c, &mut rng) > 24);
    fill(&c, &mut rng, EXACT + 1);
    assert!(c.stats().linked > 8_000, "a graph of all");
    let vector = vector(&mut rng);
    let wanted = Wanted {
        vector: &vector,
        k: 10,
        as_of: &AsOf::Now,
        filter: None,
        effort: Effort::Beam(60),
    };
    assert!(matches!(ask(&c, &wanted).1, Plan::Walk { .. }));
    c.checkpoint().expect("writes");
    drop(c);

    let (c, recovery) = Collection::open_with(
        Arc::new(disk.clone()),
        SETTINGS,
        Options {
            exact_rows: 2 * EXACT,
            ..Options::default()
        },
    )
    .expect("opens");
    c.settle();
    assert!(recovery.set_aside.is_empty());
    assert!(compare(&c, &mut rng) > 24, "the graph on disk is not used");
}
