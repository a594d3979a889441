//! The changes of a collection, read one entry after the other as they become durable.

use std::time::Duration;

use crate::codec::read_batch;
use crate::log::{KIND_BATCH, LogTail};
use crate::{Collection, Error, Op};

/// One that follows. It keeps neither writers nor readers waiting, and its backlog is the log itself.
pub struct Follower {
    tail: Box<dyn LogTail>,
}

impl Collection {
    /// Follows what becomes durable, from entry `from` on.
    #[must_use]
    pub fn follow(&self, from: u64) -> Follower {
        Follower {
            tail: self.log_tail(from),
        }
    }
}

impl Follower {
    /// The number of the entry it waits for.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.tail.next_seq()
    }

    /// Waits at most `timeout` for entries that it has not given, and gives `visit` all of them in order, as they were
    /// asked for: an entry that is no change comes with none. Says how many; an entry whose visit says `false` is the last.
    ///
    /// # Errors
    /// `Trimmed` when the next entry is no longer in the log, `Ahead` when the log was cut back behind it, `Corrupt`.
    pub fn next(
        &mut self,
        timeout: Duration,
        visit: &mut dyn FnMut(u64, Vec<Op>) -> bool,
    ) -> Result<u64, Error> {
        let (before, mut goes_on) = (self.next_seq(), true);
        let outcome = self.tail.next(timeout, &mut |entry| {
            if !goes_on {
                return Err(stopped());
            }
            let ops = match entry.kind {
                KIND_BATCH => read_batch(entry.body).map_err(|why| Error::Corrupt {
                    file: format!("entry {}", entry.seq),
                    offset: why.at as u64,
                    reason: why.what.to_owned(),
                })?,
                _ => Vec::new(),
            };
            goes_on = visit(entry.seq, ops);
            Ok(())
        });
        match outcome {
            Err(_) if !goes_on => {}
            outcome => drop(outcome?),
        }
        Ok(self.next_seq() - before)
    }
}

/// Ends a look at the log whose visitor has enough; nobody is shown it.
fn stopped() -> Error {
    Error::Poisoned {
        reason: "the reader has enough".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemDisk, Metric, Point, Settings, SyncPolicy};

    const NOW: Duration = Duration::ZERO;

    fn collection(sync: SyncPolicy) -> Collection {
        let settings = Settings {
            dim: 1,
            metric: Metric::L2,
            sync,
        };
        let opened = Collection::open_on(MemDisk::new(), settings);
        opened.expect("opens").0
    }

    fn put(collection: &Collection, id: &str) -> u64 {
        let point = Point {
            id: id.into(),
            vector: vec![0.5],
            ..Point::default()
        };
        let ack = collection.apply(vec![Op::Upsert(point)]);
        ack.expect("stores").seq
    }

    #[test]
    fn entries_come_once_and_in_order_and_can_be_left_for_later() {
        let collection = collection(SyncPolicy::Always);
        let first = put(&collection, "a");
        put(&collection, "b");
        let mut follower = collection.follow(first);
        let mut seen = Vec::new();
        let mut see = |follower: &mut Follower, goes_on: bool| {
            let count = follower.next(NOW, &mut |seq, ops| {
                seen.extend(ops.into_iter().map(|op| match op {
                    Op::Upsert(point) => (seq, point.id, point.vector),
                    other => panic!("{other:?}"),
                }));
                goes_on
            });
            count.expect("reads")
        };
        assert_eq!(see(&mut follower, false), 1);
        assert_eq!(see(&mut follower, true), 1);
        assert_eq!(see(&mut follower, true), 0);
        put(&collection, "c");
        assert_eq!(see(&mut follower, true), 1);
        let ids: Vec<&str> = seen.iter().map(|(_, id, _)| id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert!(seen.iter().all(|(_, _, vector)| vector == &[0.5]));
        assert_eq!(seen[2].0, first + 2);
    }

    #[test]
    fn what_is_not_durable_is_not_given() {
        let collection = collection(SyncPolicy::Never);
        let first = put(&collection, "a");
        let mut follower = collection.follow(first);
        let count = |follower: &mut Follower| follower.next(NOW, &mut |_, _| true);
        assert_eq!(count(&mut follower).expect("reads"), 0);
        collection.sync().expect("syncs");
        assert_eq!(count(&mut follower).expect("reads"), 1);
    }
}
