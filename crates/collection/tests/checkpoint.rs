//! Checkpoints change no answer: what is opened from one equals what the whole log gives, whatever happens to the
//! files and whenever the power goes.

mod watched;

use std::sync::Arc;

use collection::disk::Fault;
use collection::{
    AsOf, Collection, Condition, Disk, Effort, Error, Filter, MemDisk, Metric, Op, Options,
    Payload, Point, Settings, SyncPolicy, Until, Value, restore,
};
use stdx::Rng;
use watched::Watched;

const DIM: usize = 24;
const SETTINGS: Settings = Settings {
    dim: DIM,
    metric: Metric::Cosine,
    sync: SyncPolicy::Never,
};
/// None by themselves.
const NEVER: Options = Options {
    checkpoint_bytes: u64::MAX,
    hot_rows: u64::MAX,
    exact_rows: 0,
    compact: false,
    log_bytes: u64::MAX,
    tail_rows: u64::MAX,
    epoch: None,
};

fn vector(rng: &mut Rng) -> Vec<f32> {
    (0..DIM).map(|_| rng.f64() as f32 - 0.5).collect()
}

/// Upserts of new and old ids, deletions, knowledge that comes late.
fn batch(rng: &mut Rng, count: usize) -> Vec<Op> {
    let ops = (0..count).map(|_| {
        let id = format!("n{}", rng.below(6_000));
        let known_at = rng.below(1_000_000);
        if rng.chance(0.08) {
            return Op::Delete { id, known_at };
        }
        let words = (0..3).map(|_| format!("w{}", rng.below(40)));
        let text = words.collect::<Vec<_>>().join(" ");
        let payload = [("tag".to_owned(), Value::Int(rng.below(9) as i64))];
        Op::Upsert(Point {
            id,
            vector: vector(rng),
            text,
            payload: Payload(payload.into()),
            event_at: known_at / 2,
            known_at,
        })
    });
    ops.collect()
}

fn write(c: &Collection, rng: &mut Rng, batches: usize) {
    for _ in 0..batches {
        c.apply(batch(rng, 100)).expect("write");
    }
    c.sync().expect("sync");
}

fn open(disk: &MemDisk, options: Options) -> (Collection, collection::Recovery) {
    Collection::open_with(Arc::new(disk.clone()), SETTINGS, options).expect("open")
}

/// The log alone, as it would be without any checkpoint.
fn log_only(disk: &MemDisk) -> MemDisk {
    let only = MemDisk::new();
    for name in disk.list().expect("names") {
        if name.ends_with(".seg") {
            only.put(&name, disk.read(&name).expect("bytes"));
        }
    }
    only
}

/// Every kind of question gives the same, now and as of the past.
fn assert_same(a: &Collection, b: &Collection) {
    assert_eq!(a.head_seq(), b.head_seq());
    assert_eq!(a.digest().expect("digest"), b.digest().expect("digest"));
    a.settle();
    b.settle();
    let mut rng = Rng::new(5);
    let tag = Filter {
        must: vec![Condition::Any {
            field: "tag".into(),
            values: vec![Value::Int(3)],
        }],
        ..Filter::default()
    };
    let instants = [
        AsOf::Now,
        AsOf::Seq(a.head_seq() / 2),
        AsOf::Known(400_000),
        AsOf::Known(0),
    ];
    for as_of in instants {
        assert_eq!(
            a.count(&as_of).expect("count"),
            b.count(&as_of).expect("count")
        );
        for filter in [None, Some(&tag)] {
            let query = vector(&mut rng);
            for effort in [Effort::Usual, Effort::Exact] {
                let ask = |c: &Collection| c.search_dense_with(&query, 10, &as_of, filter, effort);
                assert_eq!(
                    ask(a).expect("dense"),
                    ask(b).expect("dense"),
                    "{as_of:?} {effort:?}"
                );
            }
            let text = |c: &Collection| c.search_text("w1 w2", 10, &as_of, filter);
            assert_eq!(text(a).expect("text"), text(b).expect("text"));
            let scroll = |c: &Collection| c.scroll(filter, &as_of, Some("n2"), 50);
            assert_eq!(scroll(a).expect("scroll"), scroll(b).expect("scroll"));
        }
        for n in 0..40 {
            let id = format!("n{n}");
            assert_eq!(
                a.get(&id, &as_of).expect("get"),
                b.get(&id, &as_of).expect("get")
            );
        }
    }
    assert_eq!(
        a.history("n7").expect("history"),
        b.history("n7").expect("history")
    );
}

#[test]
fn a_checkpoint_changes_no_answer() {
    let (disk, mut rng) = (MemDisk::new(), Rng::new(1));
    let (c, _) = open(&disk, NEVER);
    // Past the start of the graph and the first blocks.
    write(&c, &mut rng, 60);
    c.settle();
    assert_eq!(c.checkpoint().expect("checkpoint"), 60);
    write(&c, &mut rng, 40);
    assert_eq!(c.checkpoint().expect("checkpoint"), 100);
    write(&c, &mut rng, 7);
    let (twin, recovery) = open(&log_only(&disk), NEVER);
    assert_eq!(recovery.checkpoint_seq, 0);
    // The live one, whose blocks lie in files by now.
    assert_same(&c, &twin);
    drop(c);
    let (again, recovery) = open(&disk, NEVER);
    assert_eq!((recovery.checkpoint_seq, recovery.records), (100, 107));
    assert_eq!(recovery.set_aside, Vec::<String>::new());
    let linked = again.stats().linked;
    assert!(
        linked >= 4_096,
        "the graph was opened, not made anew: {linked}"
    );
    assert_same(&again, &twin);
    // And it goes on.
    let ops = batch(&mut rng, 300);
    again.apply(ops.clone()).expect("write");
    twin.apply(ops).expect("write");
    assert_eq!(again.checkpoint().expect("checkpoint"), 108);
    assert_same(&again, &twin);
    assert!(!again.was_graph_rebuilt());
}

#[test]
fn a_growing_log_makes_checkpoints_by_itself() {
    let (disk, mut rng) = (MemDisk::new(), Rng::new(2));
    let options = Options {
        checkpoint_bytes: 200_000,
        ..NEVER
    };
    let (c, _) = open(&disk, options);
    write(&c, &mut rng, 80);
    while c.stats().checkpoint_seq == 0 {
        std::thread::yield_now();
    }
    assert_eq!(c.checkpoint_failure(), None);
    drop(c);
    let (again, recovery) = open(&disk, options);
    assert!(recovery.checkpoint_seq > 0);
    assert_same(&again, &open(&log_only(&disk), NEVER).0);
}

#[test]
fn power_may_go_at_any_step_of_a_checkpoint() {
    let watched = Watched::new(true);
    let mut rng = Rng::new(3);
    let open = |disk: Watched| Collection::open_with(Arc::new(disk), SETTINGS, NEVER);
    let (c, _) = open(watched.clone()).expect("open");
    for _ in 0..3 {
        write(&c, &mut rng, 22);
        c.settle();
        c.checkpoint().expect("checkpoint");
    }
    let (twin, _) = self::open(&log_only(&watched.disk), NEVER);
    let images = watched.images.lock().expect("images").clone();
    assert!(images.len() > 100);
    // Most steps follow each other by a few bytes: one in seven, and the last ones.
    let last = images.len() - 24;
    let looked_at = |step: usize| step.is_multiple_of(7) || step > last;
    for (step, image) in images.iter().enumerate() {
        if !looked_at(step) {
            continue;
        }
        let (again, _) = self::open(image, NEVER);
        let (plain, _) = self::open(&log_only(image), NEVER);
        let digests = (
            again.digest().expect("digest"),
            plain.digest().expect("digest"),
        );
        assert_eq!(digests.0, digests.1, "step {step}");
        if again.head_seq() == twin.head_seq() && step % 35 == 0 {
            assert_same(&again, &twin);
        }
    }
}

#[test]
fn a_full_disk_costs_a_checkpoint_and_nothing_else() {
    let (disk, mut rng) = (MemDisk::new(), Rng::new(4));
    let (c, _) = open(&disk, NEVER);
    write(&c, &mut rng, 50);
    disk.fail_next(Fault::ShortWrite(100));
    let error = c.checkpoint().expect_err("a full disk");
    assert!(matches!(error, Error::Checkpoint { .. }), "{error}");
    assert!(c.checkpoint_failure().is_some());
    write(&c, &mut rng, 1);
    assert_eq!(c.checkpoint().expect("room again"), 51);
    assert_eq!(c.checkpoint_failure(), None);
    let names = disk.list().expect("names");
    assert!(
        !names.iter().any(|name| name.ends_with(".tmp")),
        "{names:?}"
    );
    drop(c);
    let (again, _) = open(&disk, NEVER);
    assert_same(&again, &open(&log_only(&disk), NEVER).0);
}

/// The linker writes its files on a thread of its own: what it has not finished is not a checkpoint's to remove.
#[test]
fn a_checkpoint_removes_its_own_unfinished_files_and_no_others() {
    let (disk, mut rng) = (MemDisk::new(), Rng::new(10));
    let (c, _) = open(&disk, NEVER);
    // Too few for a graph: nobody writes one.
    write(&c, &mut rng, 3);
    let of_the_linker = ["cold.tmp", "graph.tmp"];
    let of_a_crash = ["0000000016.blocks.tmp", "00000000000000000001.tables.tmp"];
    for name in of_the_linker.iter().chain(&of_a_crash) {
        disk.put(name, vec![1]);
    }
    c.checkpoint().expect("checkpoint");
    let names = disk.list().expect("names");
    let unfinished = names.iter().filter(|name| name.ends_with(".tmp"));
    assert_eq!(unfinished.collect::<Vec<_>>(), of_the_linker);
}

/// A log of 16 MiB segments, of which the first goes: what it has gained since the checkpoint is what counts.
#[test]
fn a_log_whose_start_went_has_grown_all_the_same() {
    let settings = Settings {
        dim: 4_096,
        ..SETTINGS
    };
    let options = Options {
        log_bytes: 1 << 20,
        ..NEVER
    };
    let disk = Arc::new(MemDisk::new());
    let (c, _) = Collection::open_with(disk, settings, options).expect("open");
    let write = |batches: usize| {
        for _ in 0..batches {
            let ops = (0..100).map(|n| {
                Op::Upsert(Point {
                    id: format!("n{n}"),
                    vector: vec![1.0; 4_096],
                    ..Point::default()
                })
            });
            c.apply(ops.collect()).expect("write");
        }
    };
    for _ in 0..2 {
        write(11);
        c.checkpoint().expect("checkpoint");
    }
    let bytes = c.stats().log_bytes;
    assert!(bytes < 20 << 20, "the first segment went: {bytes}");
    // Nothing came since, also by the keeper's count.
    assert_eq!(c.checkpoint_after(1).expect("none is due"), None);
    write(1);
    let due = c.checkpoint_after(1 << 20).expect("checkpoint");
    assert_eq!(due, Some(23));
}

/// Any bit of any file of a checkpoint: it is noticed, named and out of the way, and the log says the same.
#[test]
fn flipped_bits_are_found_and_change_no_answer() {
    let (disk, mut rng) = (MemDisk::new(), Rng::new(6));
    let (c, _) = open(&disk, NEVER);
    for _ in 0..2 {
        write(&c, &mut rng, 55);
        c.settle();
        c.checkpoint().expect("checkpoint");
    }
    drop(c);
    let (twin, _) = open(&log_only(&disk), NEVER);
    let names = disk.list().expect("names");
    let mut found = [0; 3];
    for round in 0..24 {
        let damaged = disk.crash(|_, unsynced| unsynced);
        let kinds = [".tables", ".blocks", "graph"];
        let kind = kinds[round % 3];
        let of_kind: Vec<&String> = names.iter().filter(|name| name.ends_with(kind)).collect();
        let name = of_kind[rng.below(of_kind.len() as u64) as usize];
        let mut bytes = damaged.read(name).expect("bytes");
        let at = rng.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << rng.below(8);
        damaged.put(name, bytes);
        let (again, recovery) = open(&damaged, NEVER);
        let mut was_found = !recovery.set_aside.is_empty();
        // What is read where it lies is verified beside the first questions.
        while !again.is_verified() {
            std::thread::yield_now();
        }
        was_found |= again.was_graph_rebuilt();
        let again = match again.count(&AsOf::Now) {
            Err(Error::Damaged { what }) => {
                assert!(what.contains(name.as_str()), "{what}");
                was_found = true;
                drop(again);
                open(&damaged, NEVER).0
            }
            _ => again,
        };
        assert_same(&again, &twin);
        found[round % 3] += usize::from(was_found);
    }
    // The rest hit the zeros between sections or an older checkpoint.
    assert!(found.iter().all(|&found| found >= 2), "{found:?}");
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let (one, other) = (MemDisk::new(), MemDisk::new());
    for (disk, seed) in [(&one, 7), (&other, 8)] {
        let (c, _) = open(disk, NEVER);
        write(&c, &mut Rng::new(seed), 3);
        c.checkpoint().expect("checkpoint");
    }
    for name in other.list().expect("names") {
        if name.ends_with(".tables") {
            one.put(&name, other.read(&name).expect("bytes"));
        }
    }
    let opened = Collection::open_with(Arc::new(one), SETTINGS, NEVER);
    let error = opened.err().expect("another log's checkpoint");
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

#[test]
fn a_snapshot_is_the_collection_and_restores_to_any_entry() {
    let (disk, mut rng) = (MemDisk::new(), Rng::new(9));
    let (c, _) = open(&disk, NEVER);
    write(&c, &mut rng, 50);
    c.settle();
    let copy: Arc<dyn Disk> = Arc::new(MemDisk::new());
    let snapshot = c.snapshot(&copy).expect("snapshot");
    assert_eq!(
        (snapshot.seq, snapshot.digest),
        (50, c.digest().expect("digest"))
    );
    // What comes later is not in it.
    write(&c, &mut rng, 5);
    let restored = |until: Until| {
        let to = MemDisk::new();
        let at: Arc<dyn Disk> = Arc::new(to.clone());
        restore(&copy, &at, SETTINGS, until).map(|restored| (restored, to))
    };
    let (all, to) = restored(Until::Head).expect("restore");
    assert_eq!(
        (all.seq, all.digest, all.is_as_said),
        (50, snapshot.digest, Some(true))
    );
    let (again, recovery) = open(&to, NEVER);
    assert_eq!(recovery.checkpoint_seq, 50);
    assert!(again.stats().linked >= 4_096);
    drop(again);
    for seq in [0, 1, 33, 50] {
        let (then, to) = restored(Until::Seq(seq)).expect("restore");
        let twin = MemDisk::new();
        let (plain, _) = open(&twin, NEVER);
        let mut rng = Rng::new(9);
        for _ in 0..seq {
            plain.apply(batch(&mut rng, 100)).expect("write");
        }
        assert_eq!(then.digest, plain.digest().expect("digest"), "{seq}");
        assert_eq!(open(&to, NEVER).0.head_seq(), seq);
    }
    let ahead = restored(Until::Seq(51)).map(|_| ()).expect_err("not there");
    assert!(
        matches!(
            ahead,
            Error::Ahead {
                asked: 51,
                head: 50
            }
        ),
        "{ahead}"
    );
    // The first entry has something known after the start of time.
    assert_eq!(restored(Until::Known(0)).expect("restore").0.seq, 0);
    assert_eq!(
        restored(Until::Known(u64::MAX - 1)).expect("restore").0.seq,
        50
    );
    // Neither into a folder with files, nor from a copy that was not finished, nor with a page that was changed.
    let refused = restore(&copy, &copy, SETTINGS, Until::Head).expect_err("files");
    assert!(matches!(refused, Error::NotEmpty { .. }), "{refused}");
    let page = String::from_utf8(copy.read("snapshot").expect("page")).expect("text");
    let broken = MemDisk::new();
    copy.list()
        .expect("names")
        .iter()
        .for_each(|name| broken.put(name, copy.read(name).expect("bytes")));
    broken.put("snapshot", page.replace("seq 50", "seq 51").into_bytes());
    let from: Arc<dyn Disk> = Arc::new(broken.clone());
    let to: Arc<dyn Disk> = Arc::new(MemDisk::new());
    let refused = restore(&from, &to, SETTINGS, Until::Head).expect_err("changed");
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
    broken.put("snapshot.unfinished", Vec::new());
    let refused = Collection::open_with(from, SETTINGS, NEVER)
        .err()
        .expect("unfinished");
    assert!(matches!(refused, Error::Unfinished), "{refused}");
}
