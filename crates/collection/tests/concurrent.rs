//! Readers beside writers: they never see half a batch, never wait for a sync, and a group of waiting
//! writers shares one.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use collection::disk::DiskFile;
use collection::{
    AsOf, Collection, Disk, MemDisk, Metric, Op, Options, Point, Settings, SyncPolicy,
};

const SETTINGS: Settings = Settings {
    dim: 2,
    metric: Metric::Ip,
    sync: SyncPolicy::Always,
};

fn upsert(id: &str, n: u64) -> Op {
    let (vector, text) = (vec![n as f32, 1.0], format!("twin v{n}"));
    Op::Upsert(Point {
        id: id.into(),
        vector,
        text,
        event_at: n,
        known_at: n,
        ..Point::default()
    })
}

/// A disk whose syncs wait while the gate is shut.
#[derive(Clone, Default)]
struct GatedDisk {
    disk: MemDisk,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicU64,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().expect("gate") = shut;
        self.opened.notify_all();
    }

    fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let shut = self.shut.lock().expect("gate");
        drop(self.opened.wait_while(shut, |shut| *shut).expect("gate"));
    }
}

struct GatedFile(Box<dyn DiskFile>, Arc<Gate>);

impl DiskFile for GatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.pass();
        self.0.sync()
    }
}

impl Disk for GatedDisk {
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

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
        Ok(Box::new(GatedFile(
            self.disk.create(name)?,
            Arc::clone(&self.gate),
        )))
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(GatedFile(
            self.disk.open(name)?,
            Arc::clone(&self.gate),
        )))
    }
    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.disk.truncate(name, len)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
}

#[test]
fn readers_pass_a_stuck_sync_and_writers_share_the_next() {
    let disk = GatedDisk::default();
    let (c, _) = Collection::open_on(disk.clone(), SETTINGS).expect("open");
    c.apply(vec![upsert("a", 1)]).expect("write");
    let passed = disk.gate.waiting.load(Ordering::SeqCst);
    disk.gate.set(true);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| c.apply(vec![upsert("a", 2)]).expect("write"));
        while disk.gate.waiting.load(Ordering::SeqCst) == passed {
            std::thread::yield_now();
        }
        // The writer is inside its sync: every read answers, with what was acknowledged before.
        let hits = c
            .search_dense(&[1.0, 0.0], 5, &AsOf::Now, None)
            .expect("dense");
        assert_eq!((hits.len(), hits[0].score, c.head_seq()), (1, 1.0, 1));
        assert_eq!(
            c.search_text("v1", 5, &AsOf::Now, None)
                .expect("text")
                .len(),
            1
        );
        assert_eq!(
            c.get("a", &AsOf::Now)
                .expect("get")
                .expect("there")
                .seq_from,
            1
        );
        let others: Vec<_> = (0..16)
            .map(|n| (n, format!("b{n}")))
            .map(|(n, id)| {
                (
                    id.clone(),
                    scope.spawn({
                        let c = &c;
                        move || c.apply(vec![upsert(&id, n)]).expect("write")
                    }),
                )
            })
            .collect();
        // They queue behind the stuck one; none can be seen doing so, so give them turns to run.
        (0..2_000).for_each(|_| std::thread::yield_now());
        disk.gate.set(false);
        assert_eq!(first.join().expect("first").seq, 2);
        for (id, other) in others {
            let ack = other.join().expect("other");
            assert!(ack.durable);
            assert_eq!(
                c.get(&id, &AsOf::Now)
                    .expect("get")
                    .expect("there")
                    .seq_from,
                ack.seq
            );
        }
    });
    let syncs = disk.gate.waiting.load(Ordering::SeqCst) - passed;
    assert!((2..=17).contains(&syncs), "{syncs} syncs for 17 batches");
}

/// Every batch gives two points the same revision; whoever reads sees both of one batch, at any
/// instant, and the past stays as it was.
#[test]
fn no_half_batch_and_a_past_that_stays() {
    let (c, _) = Collection::open_on(MemDisk::new(), SETTINGS).expect("open");
    let done = AtomicBool::new(false);
    let next = AtomicU64::new(1);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..300 {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        let ops = vec![upsert("left", n), upsert("right", n)];
                        let ack = c.apply(ops).expect("write");
                        let seen = c.get("left", &AsOf::Seq(ack.seq)).expect("get");
                        assert!(seen.is_some(), "a write is seen by whoever was told of it");
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                let (mut rounds, mut past) = (0u64, None);
                while !done.load(Ordering::Relaxed) || rounds < 50 {
                    rounds += 1;
                    let head = c.head_seq();
                    for as_of in [AsOf::Now, AsOf::Seq(head), AsOf::Known(head)] {
                        let page = c.scroll(None, &as_of, None, 9).expect("scroll");
                        let at: Vec<u64> = page.iter().map(|f| f.point.event_at).collect();
                        assert!(at.is_empty() || (at.len() == 2 && at[0] == at[1]), "{at:?}");
                        let hits = c.search_text("twin", 9, &as_of, None).expect("text");
                        assert!(hits.windows(2).all(|w| w[0].score == w[1].score));
                        assert!(hits.is_empty() || hits.len() == 2);
                    }
                    if head == 0 {
                        continue;
                    }
                    let (seq, seen) = past.get_or_insert_with(|| {
                        (
                            head,
                            c.scroll(None, &AsOf::Seq(head), None, 9).expect("scroll"),
                        )
                    });
                    assert_eq!(
                        c.scroll(None, &AsOf::Seq(*seq), None, 9).expect("scroll"),
                        *seen
                    );
                }
            });
        }
        writers
            .into_iter()
            .for_each(|writer| writer.join().expect("writer"));
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        (c.head_seq(), c.count(&AsOf::Now).expect("count")),
        (900, 2)
    );
}

/// Each checkpoint takes the place of the one before the last, but not while that one is being copied.
#[test]
fn checkpoints_that_become_due_leave_a_copy_its_files() {
    let options = Options {
        checkpoint_bytes: 1,
        ..Options::default()
    };
    let disk = Arc::new(MemDisk::new());
    let (c, _) = Collection::open_with(disk, SETTINGS, options).expect("open");
    c.apply(vec![upsert("a", 1)]).expect("write");
    let to = GatedDisk::default();
    let copy: Arc<dyn Disk> = Arc::new(to.clone());
    to.gate.set(true);
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| c.snapshot(&copy));
        while to.gate.waiting.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        let (began, mut n) = (c.stats().checkpoint_seq, 1);
        // Far more writes than three checkpoints take, were they made meanwhile.
        while c.stats().checkpoint_seq < began + 3 && n < 20_000 {
            n += 1;
            c.apply(vec![upsert("a", n)]).expect("write");
        }
        to.gate.set(false);
        let snapshot = copying.join().expect("thread").expect("a whole copy");
        assert!(snapshot.seq < c.head_seq());
    });
    // What was held back goes on.
    assert_eq!(c.checkpoint().expect("a checkpoint"), c.head_seq());
    let (back, _) = Collection::open_with(copy, SETTINGS, options).expect("the copy opens");
    assert_eq!(back.count(&AsOf::Now).expect("count"), 1);
}
