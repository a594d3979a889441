//! Every order in which threads may meet at the collection's locks, tried by loom on the code that runs:
//! `RUSTFLAGS="--cfg loom" cargo test -p collection --lib --target-dir target/loom models`.
//!
//! What is looked for: a wait that nobody ends, a write that is acknowledged and not in the log, one that follows a fence, an
//! entry that a follower misses. Graph and tables lie behind reader-writer locks of the standard library, which are held over no
//! other lock here, and are not part of the models.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use loom::model::Builder;
use loom::thread;
use vector::Metric;

use crate::checkpoint::Keeper;
use crate::commit::Committer;
use crate::dense::Dense;
use crate::disk::{Disk, MemDisk};
use crate::log::{Entry, LocalLog, Log};
use crate::state::{Change, State, prepare};
use crate::text::Analyser;
use crate::{Error, Op, Point, SyncPolicy, TextRules};

/// Times that a thread is interrupted where it need not be: more find nothing more in practice, and take days.
const INTERRUPTIONS: usize = 3;

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(INTERRUPTIONS);
    builder.check(model);
}

fn committer(policy: SyncPolicy) -> Arc<Committer> {
    let disk: Arc<dyn Disk> = Arc::new(MemDisk::new());
    let (mut log, _) = LocalLog::open(disk).expect("open");
    let entry = Entry {
        seq: 0,
        kind: 1,
        body: &[],
    };
    log.append(0, &[entry]).expect("append");
    log.sync().expect("sync");
    let state = Arc::new(RwLock::new(State::new(
        1,
        Metric::L2,
        &TextRules::default(),
    )));
    let keeper = Arc::new(Keeper::new(u64::MAX, 0, 0));
    let dense = Arc::new(Dense::default());
    let log = Box::new(log);
    Arc::new(Committer::new(policy, 0, state, dense, keeper, log))
}

fn change(id: &str) -> Vec<Change> {
    let op = Op::Upsert(Point {
        id: id.into(),
        vector: vec![1.0],
        ..Point::default()
    });
    vec![prepare(op, Metric::L2, &Analyser::default())]
}

/// Entries that the log has.
fn entries(committer: &Committer) -> u64 {
    committer.log_reader().next_seq() - 1
}

#[test]
fn writers_that_meet_are_all_acknowledged() {
    for policy in [SyncPolicy::Always, SyncPolicy::Never] {
        check(move || {
            let committer = committer(policy);
            let other = Arc::clone(&committer);
            let writer = thread::spawn(move || other.commit(vec![1], change("a")).expect("commit"));
            let mine = committer.commit(vec![2], change("b")).expect("commit");
            assert!(committer.sync().expect("sync") >= mine.seq);
            let theirs = writer.join().expect("writer");
            assert_eq!(mine.seq + theirs.seq, 3);
            assert_eq!(committer.sync().expect("sync"), 2);
            assert_eq!(entries(&committer), 2);
        });
    }
}

#[test]
fn nothing_follows_a_fence() {
    check(|| {
        let committer = committer(SyncPolicy::Always);
        // Three, so that one may lead with the entry of another that waits.
        let writers = ["a", "b", "c"].map(|id| {
            let committer = Arc::clone(&committer);
            thread::spawn(move || committer.commit(vec![1], change(id)))
        });
        let last = committer.fence(1).expect("fence");
        let mut acknowledged = 0;
        for writer in writers {
            match writer.join().expect("writer") {
                Ok(ack) => {
                    assert!(ack.seq <= last);
                    acknowledged += 1;
                }
                Err(Error::Fenced { epoch: 0, by: 1 }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((entries(&committer), acknowledged), (last, last));
    });
}

#[test]
fn who_asks_for_a_checkpoint_is_answered() {
    check(|| {
        let keeper = Arc::new(Keeper::new(10, 0, 0));
        let serving = Arc::clone(&keeper);
        let server = thread::spawn(move || {
            let mut made = 0;
            serving.serve(|| {
                made += 1;
                Ok(made)
            });
            made
        });
        let asking = Arc::clone(&keeper);
        let asker = thread::spawn(move || asking.ask_and_hold().map(|held| held.0));
        keeper.grown(20);
        keeper.close();
        let made = server.join().expect("server");
        match asker.join().expect("asker") {
            Ok(seq) => assert!(seq >= 1 && seq <= made),
            Err(reason) => assert!(reason.contains("ended"), "{reason}"),
        }
    });
}

#[test]
fn a_follower_misses_nothing() {
    check(|| {
        let disk: Arc<dyn Disk> = Arc::new(MemDisk::new());
        let (mut log, _) = LocalLog::open(disk).expect("open");
        let mut tail = log.tail(0);
        let writer = thread::spawn(move || {
            for seq in 0..2 {
                let entry = Entry {
                    seq,
                    kind: 2,
                    body: &[7],
                };
                log.append(0, &[entry]).expect("append");
                log.sync().expect("sync");
            }
        });
        let mut seqs = Vec::new();
        while seqs.len() < 2 {
            let mut take = |entry: Entry<'_>| {
                seqs.push(entry.seq);
                Ok(())
            };
            let count = tail.next(Duration::ZERO, &mut take).expect("next");
            assert!(count > 0, "ended with entries that were not given");
        }
        assert_eq!(seqs, [0, 1]);
        writer.join().expect("writer");
    });
}

#[test]
fn who_waits_for_the_linker_is_let_go() {
    check(|| {
        let dense = Arc::new(Dense::default());
        let linking = Arc::clone(&dense);
        let linker = thread::spawn(move || crate::dense::link_nothing(&linking));
        let waiting = Arc::clone(&dense);
        let waiter = thread::spawn(move || {
            waiting.settle();
            waiting.save()
        });
        dense.arrived(crate::dense::LINK_FROM);
        dense.close();
        linker.join().expect("linker");
        waiter.join().expect("waiter").expect("saved or ended");
        // What a search reads of the two is never ahead of what arrived.
        assert!(dense.linked_count() <= crate::dense::LINK_FROM);
    });
}
