//! What trimming gave up is given back by the checkpoints that follow: rows and texts of forgotten versions leave the disk, and
//! no answer that can still be asked for changes, whenever the power goes.

mod watched;

use std::path::Path;
use std::sync::Arc;

use collection::{
    AsOf, Collection, Disk, Effort, Error, MemDisk, Metric, Op, Options, Point, Recovery, Settings,
    SyncPolicy, Until, restore,
};
use stdx::Rng;
use watched::Watched;

const DIM: usize = 24;
const SETTINGS: Settings = Settings {
    dim: DIM,
    metric: Metric::Cosine,
    sync: SyncPolicy::Never,
};
const NEVER: Options = Options {
    checkpoint_bytes: u64::MAX,
    hot_rows: u64::MAX,
    exact_rows: 0,
    compact: false,
    log_bytes: u64::MAX,
    tail_rows: u64::MAX,
    epoch: None,
};
const IDS: u64 = 1_000;

fn open(disk: &MemDisk) -> (Collection, Recovery) {
    Collection::open_with(Arc::new(disk.clone()), SETTINGS, NEVER).expect("open")
}

fn copied(disk: &MemDisk, is_meant: impl Fn(&str) -> bool) -> MemDisk {
    let copy = MemDisk::new();
    for name in disk.list().expect("names") {
        if is_meant(&name) {
            copy.put(&name, disk.read(&name).expect("bytes"));
        }
    }
    copy
}

fn log_only(disk: &MemDisk) -> MemDisk {
    copied(disk, |name| name.ends_with(".seg"))
}

/// A version of every id, known at `round`.
fn write_round(c: &Collection, round: u64, rng: &mut Rng) {
    for from in (0..IDS).step_by(250) {
        let ops = (from..from + 250).map(|n| {
            Op::Upsert(Point {
                id: format!("n{n}"),
                vector: (0..DIM).map(|_| rng.f64() as f32 - 0.5).collect(),
                text: format!("round{round} word{} {}", n % 7, "filler ".repeat(20)),
                known_at: round,
                ..Point::default()
            })
        });
        c.apply(ops.collect()).expect("write");
    }
    c.sync().expect("sync");
}

fn block_bytes(disk: &dyn Disk) -> u64 {
    let names = disk.list().expect("names");
    let blocks = names.iter().filter(|name| name.ends_with(".blocks"));
    blocks.map(|name| disk.size(name).expect("size")).sum()
}

fn assert_same(a: &Collection, b: &Collection, instants: &[AsOf]) {
    assert_eq!(a.digest().expect("digest"), b.digest().expect("digest"));
    let mut rng = Rng::new(5);
    for as_of in instants {
        assert_eq!(
            a.count(as_of).expect("count"),
            b.count(as_of).expect("count")
        );
        let query: Vec<f32> = (0..DIM).map(|_| rng.f64() as f32 - 0.5).collect();
        let dense = |c: &Collection| c.search_dense_with(&query, 10, as_of, None, Effort::Exact);
        assert_eq!(dense(a).expect("dense"), dense(b).expect("dense"));
        let text = |c: &Collection| c.search_text("word3 round18", 10, as_of, None);
        assert_eq!(text(a).expect("text"), text(b).expect("text"));
        let scroll = |c: &Collection| c.scroll(None, as_of, Some("n2"), 50);
        assert_eq!(scroll(a).expect("scroll"), scroll(b).expect("scroll"));
        let vector = |c: &Collection| c.vector("n77", as_of);
        assert_eq!(vector(a).expect("vector"), vector(b).expect("vector"));
    }
    assert_eq!(
        a.history("n7").expect("history"),
        b.history("n7").expect("history")
    );
}

/// Whether usual searches find what exact ones do, nearly always.
fn assert_found(c: &Collection) {
    c.settle();
    let (mut found, mut rng) = (0, Rng::new(8));
    for _ in 0..30 {
        let query: Vec<f32> = (0..DIM).map(|_| rng.f64() as f32 - 0.5).collect();
        let ask = |effort| {
            let hits = c.search_dense_with(&query, 10, &AsOf::Now, None, effort);
            hits.expect("search")
        };
        let usual = ask(Effort::Beam(200));
        found += ask(Effort::Exact)
            .iter()
            .filter(|hit| usual.contains(hit))
            .count();
    }
    assert!(found >= 285, "{found} of 300");
}

#[test]
fn rows_and_texts_of_trimmed_versions_leave_the_disk() {
    let (disk, mut rng) = (MemDisk::new(), Rng::new(1));
    let (c, _) = open(&disk);
    (0..20).for_each(|round| write_round(&c, round, &mut rng));
    c.settle();
    c.checkpoint().expect("checkpoint");
    let before = block_bytes(&disk);
    c.apply(vec![Op::Trim { known_before: 16 }]).expect("trim");
    let instants = [AsOf::Now, AsOf::Known(16), AsOf::Known(18)];
    let (twin, _) = open(&log_only(&disk));
    c.checkpoint().expect("checkpoint");
    // The older checkpoint stands for the time before: its files are there until it goes.
    assert!(block_bytes(&disk) > before);
    assert_same(&c, &twin, &instants);
    write_round(&c, 20, &mut rng);
    write_round(&twin, 20, &mut Rng::new(0));
    drop(twin);
    c.settle();
    c.checkpoint().expect("checkpoint");
    let after = block_bytes(&disk);
    assert!(after * 3 < before, "{before} bytes, then {after}");
    let (twin, _) = open(&log_only(&disk));
    assert_same(&c, &twin, &instants);
    assert_found(&c);
    let digest = c.digest().expect("digest");
    drop(c);
    let (again, recovery) = open(&disk);
    assert_eq!(recovery.set_aside, Vec::<String>::new());
    assert!(recovery.checkpoint_seq > 80);
    assert_same(&again, &twin, &instants);
    assert!(matches!(
        again.count(&AsOf::Known(15)),
        Err(Error::Trimmed { .. })
    ));
    assert_found(&again);
    assert!(!again.was_graph_rebuilt());
    // More goes when more is trimmed, also of what was written anew before.
    again
        .apply(vec![Op::Trim { known_before: 20 }])
        .expect("trim");
    for _ in 0..2 {
        write_round(&again, 21, &mut rng);
        again.settle();
        again.checkpoint().expect("checkpoint");
    }
    assert!(block_bytes(&disk) * 2 < after);
    assert_same(&again, &open(&log_only(&disk)).0, &[AsOf::Now]);
    // A snapshot of it is whole and restores.
    let copy: Arc<dyn Disk> = Arc::new(MemDisk::new());
    again.snapshot(&copy).expect("snapshot");
    let to: Arc<dyn Disk> = Arc::new(MemDisk::new());
    let restored = restore(&copy, &to, SETTINGS, Until::Head).expect("restore");
    assert_eq!(restored.is_as_said, Some(true));
    // As the older of the two checkpoints has it, too.
    drop(again);
    let names = disk.list().expect("names");
    let newest = names.iter().filter(|name| name.ends_with(".tables")).max();
    let newest = newest.expect("tables");
    let older = copied(&disk, |name| name != newest);
    let (older, recovery) = open(&older);
    assert_eq!(recovery.set_aside, Vec::<String>::new());
    assert_ne!(older.digest().expect("digest"), digest);
    assert_same(&older, &open(&log_only(&disk)).0, &[AsOf::Now]);
}

/// A graph made anew has no rows that were given back, and none of them is asked for.
#[test]
fn a_graph_that_is_lost_later_is_made_of_what_is_left() {
    let (disk, mut rng) = (MemDisk::new(), Rng::new(2));
    let (c, _) = open(&disk);
    (0..12).for_each(|round| write_round(&c, round, &mut rng));
    c.settle();
    c.checkpoint().expect("checkpoint");
    let before = block_bytes(&disk);
    c.apply(vec![Op::Trim { known_before: 10 }]).expect("trim");
    c.checkpoint().expect("checkpoint");
    write_round(&c, 12, &mut rng);
    c.checkpoint().expect("checkpoint");
    drop(c);
    let rest = copied(&disk, |name| name != "graph");
    assert!(block_bytes(&rest) * 3 < before * 2);
    let (again, _) = open(&rest);
    assert_found(&again);
    let stats = again.stats();
    assert!(stats.linked >= 12_700 && stats.hot < 5_000, "{stats:?}");
    assert_same(
        &again,
        &open(&log_only(&disk)).0,
        &[AsOf::Now, AsOf::Known(11)],
    );
}

#[test]
fn power_may_go_while_blocks_are_written_anew() {
    let watched = Watched::new(false);
    let mut rng = Rng::new(3);
    let opened = Collection::open_with(Arc::new(watched.clone()), SETTINGS, NEVER);
    let (c, _) = opened.expect("open");
    (0..10).for_each(|round| write_round(&c, round, &mut rng));
    c.settle();
    c.checkpoint().expect("checkpoint");
    let start = watched.images.lock().expect("images").len();
    for round in 10..13 {
        let known_before = round - 2;
        c.apply(vec![Op::Trim { known_before }]).expect("trim");
        write_round(&c, round, &mut rng);
        c.settle();
        c.checkpoint().expect("checkpoint");
    }
    let images = watched.images.lock().expect("images").clone();
    let mut rewritten = 0;
    for (step, image) in images.iter().enumerate().skip(start) {
        // Most steps follow each other by one file: one in four, and the last ones.
        if step % 4 != 0 && step + 8 < images.len() {
            continue;
        }
        let (again, recovery) = self::open(image);
        let (plain, _) = self::open(&log_only(image));
        assert_eq!(recovery.set_aside, Vec::<String>::new(), "step {step}");
        assert_eq!(
            again.digest().expect("digest"),
            plain.digest().expect("digest"),
            "step {step}"
        );
        let names = image.list().expect("names");
        rewritten += usize::from(names.iter().any(|name| name.contains('-')));
    }
    assert!(rewritten >= 4, "{rewritten} of {}", images.len() - start);
}

/// Files of format 1 open, and the next checkpoint goes on from them.
#[test]
fn a_checkpoint_of_format_1_opens() {
    let settings = Settings {
        dim: 1,
        metric: Metric::L2,
        sync: SyncPolicy::Never,
    };
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/collection/v1-checkpoint");
    let disk = MemDisk::new();
    for entry in std::fs::read_dir(folder).expect("testdata is part of the repository") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy();
        disk.put(&name, std::fs::read(&path).expect("bytes"));
    }
    let open = |disk: &MemDisk| {
        let opened = Collection::open_with(Arc::new(disk.clone()), settings, NEVER);
        opened.expect("open")
    };
    let (c, recovery) = open(&disk);
    assert_eq!((recovery.checkpoint_seq, recovery.records), (14, 14));
    assert_eq!(recovery.set_aside, Vec::<String>::new());
    assert_eq!(c.digest().expect("digest"), 0x133f_d623_e7d4_09eb);
    assert_eq!(c.count(&AsOf::Now).expect("count"), 3_000);
    assert_eq!(c.count(&AsOf::Known(99)).expect("count"), 100);
    assert_eq!(
        c.vector("2999", &AsOf::Now).expect("vector"),
        Some(vec![2_999.0])
    );
    // All but a tenth of what its blocks have is forgotten, and given back.
    let before = block_bytes(&disk);
    let ids = (0..2_900).map(|n| Op::Delete {
        id: n.to_string(),
        known_at: 5_000,
    });
    c.apply(ids.collect()).expect("delete");
    c.apply(vec![Op::Trim {
        known_before: 6_000,
    }])
    .expect("trim");
    c.settle();
    c.checkpoint().expect("checkpoint");
    for n in 0..2u8 {
        let point = Point {
            id: format!("new{n}"),
            vector: vec![f32::from(n)],
            known_at: 7_000,
            ..Point::default()
        };
        c.apply(vec![Op::Upsert(point)]).expect("write");
        c.checkpoint().expect("checkpoint");
    }
    let after = block_bytes(&disk);
    assert!(after * 3 < before, "{before} bytes, then {after}");
    let digest = c.digest().expect("digest");
    drop(c);
    let (again, recovery) = open(&disk);
    assert_eq!(recovery.checkpoint_seq, 18);
    assert_eq!(again.digest().expect("digest"), digest);
    assert_eq!(
        again.vector("2950", &AsOf::Now).expect("vector"),
        Some(vec![2_950.0])
    );
}
