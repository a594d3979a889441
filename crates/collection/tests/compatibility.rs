//! Today's build reads the files of every format version kept in `testdata/collection/`.
//!
//! To add a version: `OUZEL_WRITE_GOLDEN=1 cargo test -p collection --test compatibility`, once, and
//! commit the file with the numbers it prints. A file that is there is never written again.

use std::path::{Path, PathBuf};

use collection::{
    AsOf, Collection, Condition, Filter, FsDisk, MemDisk, Metric, Op, Payload, Place, Point,
    Settings, Shape, SyncPolicy, Value,
};

const SETTINGS: Settings = Settings {
    dim: 3,
    metric: Metric::Cosine,
    sync: SyncPolicy::Always,
};
const FILE: &str = "00000000000000000000.seg";

fn folder(version: &str) -> PathBuf {
    let collections = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/collection");
    collections.join(version)
}

/// The bytes that were kept of a version, and the collection that they are today.
fn kept(version: &str, batches: &dyn Fn() -> Vec<Vec<Op>>) -> Collection {
    let path = folder(version).join(FILE);
    if std::env::var_os("OUZEL_WRITE_GOLDEN").is_some() && !path.exists() {
        let dir = tempfile::tempdir().expect("a folder");
        let disk = FsDisk::open(dir.path()).expect("a disk");
        let (c, _) = Collection::open_on(disk, SETTINGS).expect("open");
        for ops in batches() {
            c.apply(ops).expect("write");
        }
        std::fs::create_dir_all(folder(version)).expect("create");
        std::fs::copy(dir.path().join(FILE), &path).expect("copy");
    }
    let bytes = std::fs::read(&path).expect("testdata is part of the repository");
    let disk = MemDisk::new();
    disk.put(FILE, bytes.clone());
    let (c, recovery) = Collection::open_on(disk, SETTINGS).expect("open");
    let records = batches().len() as u64;
    assert_eq!((recovery.records, recovery.cut_bytes), (records, 0));

    // The same ops written today are the same bytes: the format did not move.
    let disk = MemDisk::new();
    let (today, _) = Collection::open_on(disk.clone(), SETTINGS).expect("open");
    for ops in batches() {
        today.apply(ops).expect("write");
    }
    assert_eq!(collection::Disk::read(&disk, FILE).expect("read"), bytes);
    c
}

fn point(id: &str, known_at: u64, text: &str, payload: Vec<(&str, Value)>) -> Op {
    let payload = payload
        .into_iter()
        .map(|(field, value)| (field.to_owned(), value))
        .collect();
    Op::Upsert(Point {
        id: id.into(),
        vector: vec![1.0, known_at as f32, -0.5],
        text: text.into(),
        payload: Payload(payload),
        event_at: known_at - 1,
        known_at,
    })
}

/// Every kind of op, value and condition.
fn batches() -> Vec<Vec<Op>> {
    let list = Value::List(vec!["a".into(), Value::List(vec![Value::Int(-7)])]);
    let everything = Filter {
        must: vec![
            Condition::Any {
                field: "tags".into(),
                values: vec!["a".into(), Value::Bool(true)],
            },
            Condition::Range {
                field: "n".into(),
                gte: Some(Value::Int(0)),
                lte: None,
            },
            Condition::EventAt {
                gte: None,
                lte: Some(50),
            },
        ],
        must_not: vec![Condition::Id("keep".into())],
    };
    vec![
        vec![
            point(
                "doc#0",
                10,
                "Trading in BRK.B halted",
                vec![("tags", list.clone()), ("n", Value::Float(1.5))],
            ),
            point(
                "keep#0",
                10,
                "\u{fc}ber news",
                vec![("tags", list), ("n", Value::Int(3))],
            ),
        ],
        vec![point(
            "doc#0",
            20,
            "Trading resumed",
            vec![("ok", Value::Bool(true))],
        )],
        vec![point("late", 15, "It came late", vec![])],
        vec![Op::Delete {
            id: "late".into(),
            known_at: 30,
        }],
        vec![Op::DeleteWhere {
            filter: everything,
            known_at: 12,
        }],
    ]
}

#[test]
fn version_1() {
    let c = kept("v1", &batches);
    assert_eq!(
        c.digest().expect("digest"),
        DIGEST,
        "the state that version 1 meant"
    );

    let shown = |as_of: AsOf| -> Vec<String> {
        let page = c.scroll(None, &as_of, None, 9).expect("scroll");
        page.iter()
            .map(|found| format!("{} {}", found.point.id, found.point.text))
            .collect()
    };
    assert_eq!(
        shown(AsOf::Now),
        ["doc#0 Trading resumed", "keep#0 \u{fc}ber news"]
    );
    assert_eq!(
        shown(AsOf::Known(11)),
        ["doc#0 Trading in BRK.B halted", "keep#0 \u{fc}ber news"]
    );
    assert_eq!(shown(AsOf::Known(12)), ["keep#0 \u{fc}ber news"]);
    assert_eq!(shown(AsOf::Seq(3)).len(), 3);
    let hits = c
        .search_text("brk.b halt", 3, &AsOf::Known(11), None)
        .expect("text");
    assert_eq!(hits[0].id, "doc#0");
    assert!((c.vector("doc#0", &AsOf::Now).expect("get").expect("there")[1] - 0.998).abs() < 1e-3);
}

/// What came later: places, shapes, and conditions of conditions.
fn places() -> Vec<Vec<Op>> {
    let at = |lat, lon| Place { lat, lon };
    let zurich = at(47.3769, 8.5417);
    let geo = |shape| Condition::Geo {
        field: "at".into(),
        shape,
    };
    let around = geo(Shape::Circle {
        centre: zurich,
        radius_m: 200_000.0,
    });
    let alps = geo(Shape::Box {
        south: 44.0,
        west: 5.0,
        north: 48.0,
        east: 16.0,
    });
    let triangle = geo(Shape::Polygon(vec![
        at(40.0, 0.0),
        at(60.0, 0.0),
        at(50.0, 9.0),
    ]));
    let several = Condition::Count {
        field: "at".into(),
        gte: Some(2),
        lte: None,
    };
    let exists = Condition::Exists { field: "at".into() };
    let two_of_them = Condition::AtLeast {
        count: 2,
        of: vec![around, alps, triangle],
    };
    let filter = Filter {
        must: vec![two_of_them, exists],
        must_not: vec![Condition::Filter(Filter {
            must: vec![several],
            must_not: vec![],
        })],
    };
    let munich = Value::Geo(at(48.1372, 11.5755));
    vec![
        vec![
            point("zurich", 10, "", vec![("at", Value::Geo(zurich))]),
            point("bern", 10, "", vec![("at", Value::Geo(at(46.948, 7.4474)))]),
            point("munich", 10, "", vec![("at", munich.clone())]),
            point(
                "both",
                10,
                "",
                vec![("at", Value::List(vec![munich, Value::Geo(zurich)]))],
            ),
        ],
        vec![Op::DeleteWhere {
            filter,
            known_at: 20,
        }],
    ]
}

#[test]
fn version_1_with_places() {
    let c = kept("v1-places", &places);
    let page = c.scroll(None, &AsOf::Now, None, 9).expect("scroll");
    let ids: Vec<&str> = page.iter().map(|found| found.point.id.as_str()).collect();
    assert_eq!(ids, ["both", "munich"]);
    assert_eq!(c.digest().expect("digest"), PLACES_DIGEST);
}

const PLACES_DIGEST: u64 = 4_048_934_148_474_358_333;
const DIGEST: u64 = 16_377_790_255_981_678_257;
