//! The log as a shard's writers and followers use it: who may write, who follows, and how a collection moves from one to the
//! other while it is written to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use collection::disk::Fault;
use collection::log::{Entry, LocalLog};
use collection::{
    AsOf, Collection, Disk, Error, FsDisk, Log, LogTail, MemDisk, Metric, Op, Options, Point,
    Settings, SyncPolicy,
};

const SETTINGS: Settings = Settings {
    dim: 2,
    metric: Metric::L2,
    sync: SyncPolicy::Always,
};
/// Long enough that only a hang reaches it.
const LONG: Duration = Duration::from_secs(60);

fn body(seq: u64) -> Vec<u8> {
    vec![seq as u8; 1 + seq as usize % 50]
}

fn append(log: &mut LocalLog, epoch: u64, count: u64) -> Result<(), Error> {
    for _ in 0..count {
        let seq = log.next_seq();
        let body = body(seq);
        let entry = Entry {
            seq,
            kind: 2,
            body: &body,
        };
        log.append(epoch, &[entry])?;
    }
    Ok(())
}

fn local(disk: &MemDisk) -> LocalLog {
    let log = LocalLog::open_sized(Arc::new(disk.clone()), 400);
    log.expect("open").0
}

/// What is there to follow now.
fn next(tail: &mut dyn LogTail, timeout: Duration) -> Result<Vec<u64>, Error> {
    let mut seqs = Vec::new();
    let count = tail.next(timeout, &mut |entry| {
        assert_eq!(entry.body, body(entry.seq));
        seqs.push(entry.seq);
        Ok(())
    })?;
    assert_eq!(count as usize, seqs.len());
    Ok(seqs)
}

#[test]
fn a_former_writer_is_refused_also_after_reopening() {
    let disk = MemDisk::new();
    let mut log = local(&disk);
    append(&mut log, 0, 3).expect("nobody was barred");
    log.fence(5).expect("fence");
    let bytes = log.size_bytes();
    let refused = append(&mut log, 4, 1).expect_err("a former writer");
    assert!(
        matches!(refused, Error::Fenced { epoch: 4, by: 5 }),
        "{refused}"
    );
    assert_eq!((log.next_seq(), log.size_bytes()), (3, bytes));
    append(&mut log, 5, 1).expect("the writer");
    log.sync().expect("sync");
    drop(log);
    let mut log = local(&disk);
    assert_eq!((log.epoch(), log.next_seq()), (5, 4));
    assert!(append(&mut log, 0, 1).is_err());
    assert!(matches!(
        log.fence(4).expect_err("back"),
        Error::Fenced { .. }
    ));
    log.fence(5).expect("as it stands");
    append(&mut log, 6, 1).expect("a later writer");
    // Damage is not taken for a log that nobody fenced.
    let mut bytes = disk.read("fence").expect("fence");
    bytes[13] ^= 1;
    disk.put("fence", bytes);
    let damaged = LocalLog::open(Arc::new(disk)).map(|_| ());
    let damaged = damaged.expect_err("damaged");
    assert!(matches!(damaged, Error::Corrupt { .. }), "{damaged}");
}

#[test]
fn a_fence_whose_sync_failed_bars_here_and_may_be_gone_after() {
    let disk = MemDisk::new();
    let mut log = local(&disk);
    log.fence(1).expect("fence");
    disk.fail_next(Fault::Sync);
    log.fence(2).expect_err("the disk fails");
    assert!(append(&mut log, 1, 1).is_err(), "not certain, so barred");
    drop(log);
    let after = disk.crash(|_, _| 0);
    assert_eq!(local(&after).epoch(), 1);
    // What was left over is in nobody's way.
    local(&after).fence(3).expect("fence");
    assert_eq!(local(&after).epoch(), 3);
}

#[test]
fn a_tail_gives_each_durable_entry_once() {
    let disk = MemDisk::new();
    let mut log = local(&disk);
    append(&mut log, 0, 20).expect("append");
    log.sync().expect("sync");
    let mut tail = log.tail(3);
    assert_eq!(
        next(&mut *tail, LONG).expect("next"),
        (3..20).collect::<Vec<_>>()
    );
    append(&mut log, 0, 5).expect("append");
    // A segment that began made what was before it durable, and nothing did the rest yet.
    let mut all = next(&mut *tail, Duration::ZERO).expect("next");
    assert_eq!(20 + all.len() as u64, log.reader().next_seq());
    assert!(all.len() < 5);
    log.sync().expect("sync");
    all.extend(next(&mut *tail, LONG).expect("next"));
    assert_eq!(all, [20, 21, 22, 23, 24]);
    // One that fails comes again.
    append(&mut log, 0, 2).expect("append");
    log.sync().expect("sync");
    let failed = tail.next(LONG, &mut |entry| match entry.seq {
        25 => Ok(()),
        _ => Err(Error::Unfinished),
    });
    assert!(matches!(failed, Err(Error::Unfinished)));
    assert_eq!(next(&mut *tail, LONG).expect("next"), [26]);
    // What was let go, and what was cut away, is not passed over in silence.
    log.drop_before(20, 0).expect("drop");
    let first = log.first_seq();
    let gone = next(&mut *log.tail(0), LONG).expect_err("gone");
    assert!(
        matches!(gone, Error::Trimmed { first: f } if f == first),
        "{gone}"
    );
    log.truncate_to(26).expect("cut");
    let cut = next(&mut *tail, LONG).expect_err("cut back");
    assert!(matches!(cut, Error::Ahead { asked: 27, .. }), "{cut}");
    // A log that is closed keeps nobody.
    let mut tail = log.tail(26);
    drop(log);
    assert_eq!(next(&mut *tail, LONG).expect("next"), []);
}

#[test]
fn a_tail_waits_for_a_writer() {
    let dir = tempfile::tempdir().expect("folder");
    let disk: Arc<dyn Disk> = Arc::new(FsDisk::open(dir.path()).expect("disk"));
    let (mut log, _) = LocalLog::open_sized(disk, 5_000).expect("open");
    let mut tail = log.tail(0);
    let follower = std::thread::spawn(move || {
        let mut all = Vec::new();
        while all.len() < 2_000 {
            all.extend(next(&mut *tail, LONG).expect("next"));
        }
        all
    });
    for _ in 0..200 {
        append(&mut log, 0, 10).expect("append");
        log.sync().expect("sync");
    }
    let all = follower.join().expect("follower");
    assert_eq!(all, (0..2_000).collect::<Vec<_>>());
}

fn point(id: String) -> Op {
    Op::Upsert(Point {
        id,
        vector: vec![1.0, 2.0],
        ..Point::default()
    })
}

fn in_epoch(disk: &Arc<dyn Disk>, epoch: Option<u64>) -> Result<Collection, Error> {
    let options = Options {
        epoch,
        ..Options::default()
    };
    Collection::open_with(Arc::clone(disk), SETTINGS, options).map(|opened| opened.0)
}

#[test]
fn a_collection_that_was_taken_over_answers_and_stores_nothing() {
    let disk: Arc<dyn Disk> = Arc::new(MemDisk::new());
    let c = in_epoch(&disk, Some(1)).expect("open");
    c.apply(vec![point("a".into())]).expect("write");
    assert_eq!(c.fence(1).expect("its own"), 1);
    c.apply(vec![point("b".into())]).expect("write");
    assert_eq!(c.fence(2).expect("fence"), 2);
    let refused = c.apply(vec![point("c".into())]).expect_err("barred");
    assert!(
        matches!(refused, Error::Fenced { epoch: 1, by: 2 }),
        "{refused}"
    );
    assert_eq!(c.count(&AsOf::Now).expect("count"), 2);
    assert_eq!(c.poison(), None);
    assert_eq!(c.sync().expect("all is durable"), 2);
    drop(c);
    let refused = in_epoch(&disk, Some(1)).err().expect("a former writer");
    assert!(matches!(refused, Error::Fenced { .. }), "{refused}");
    let c = in_epoch(&disk, Some(2)).expect("the later writer");
    assert_eq!(c.apply(vec![point("c".into())]).expect("write").seq, 3);
}

/// Every write that was acknowledged is in the copy and none that was refused, whatever was on its way.
#[test]
fn a_collection_moves_while_it_is_written_to() {
    for sync in [SyncPolicy::Always, SyncPolicy::Never] {
        let settings = Settings { sync, ..SETTINGS };
        let from: Arc<dyn Disk> = Arc::new(MemDisk::new());
        let to: Arc<dyn Disk> = Arc::new(MemDisk::new());
        let (c, _) = Collection::open_with(from, settings, Options::default()).expect("open");
        let running = AtomicBool::new(true);
        let (last, acknowledged) = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..2)
                .map(|writer| {
                    let (c, running) = (&c, &running);
                    scope.spawn(move || {
                        let mut acknowledged = Vec::new();
                        for n in 0.. {
                            match c.apply(vec![point(format!("{writer}-{n}"))]) {
                                Ok(ack) => acknowledged.push((ack.seq, format!("{writer}-{n}"))),
                                Err(Error::Fenced { by: 7, .. }) => break,
                                Err(error) => panic!("{error}"),
                            }
                            assert!(running.load(Ordering::Relaxed), "written after the move");
                            // A mover that gets no processor must not find millions of entries.
                            (0..n / 100).for_each(|_| std::thread::yield_now());
                        }
                        acknowledged
                    })
                })
                .collect();
            while c.head_seq() < 200 {
                std::thread::yield_now();
            }
            let last = c.hand_over(&to, 7).expect("move");
            let acknowledged: Vec<_> = writers
                .into_iter()
                .flat_map(|writer| writer.join().expect("writer"))
                .collect();
            running.store(false, Ordering::Relaxed);
            (last, acknowledged)
        });
        assert_eq!(acknowledged.len() as u64, last);
        let moved = in_epoch(&to, None).expect("open");
        assert_eq!(moved.head_seq(), last);
        assert_eq!(moved.digest().expect("digest"), c.digest().expect("digest"));
        for (seq, id) in &acknowledged {
            let found = moved.get(id, &AsOf::Now).expect("get").expect("stored");
            assert_eq!(found.seq_from, *seq);
        }
        assert!(in_epoch(&to, Some(6)).is_err());
    }
}
