//! What must not be skipped, numbered and kept for a while: prints, bars and signals of all lanes, and
//! the names they need. Clients read it at their own pace and go on after a break where they were.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use market::feed::ouzel::{self, Buffer};
use market::pipeline::{Store, session_name};
use node::Node;
use node::outlet::{Kind, Kinds, Laned, SlowPolicy};

/// Bytes kept: minutes of a busy market, hours of a quiet one.
const STORE_BYTES: usize = 64 << 20;
/// Frames that may wait to be numbered.
const CAPACITY: usize = 65_536;
const BATCH: usize = 4_096;

/// The numbered stream of this run of the server. Numbers start at 1.
pub struct History {
    session: [u8; 10],
    inner: Mutex<Inner>,
}

struct Inner {
    store: Store,
    buffer: Box<Buffer>,
}

impl History {
    /// An empty one of the run that began at `now_ns`.
    #[must_use]
    pub fn new(now_ns: u64) -> Self {
        Self {
            session: session_name(now_ns),
            inner: Mutex::new(Inner {
                store: Store::new(STORE_BYTES, 1),
                buffer: Box::new(ouzel::buffer()),
            }),
        }
    }

    /// The run's name.
    #[must_use]
    pub fn session(&self) -> [u8; 10] {
        self.session
    }

    /// The same as text; it is ASCII.
    #[must_use]
    pub fn session_text(&self) -> String {
        String::from_utf8_lossy(&self.session).into_owned()
    }

    /// The number that the next message will get.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.lock().store.next_seq()
    }

    /// The number of the oldest message kept.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.lock().store.oldest()
    }

    /// Hands messages from number `from` on to `f`, `limit` at most, and answers the number after the
    /// last one. What is older than the oldest kept is passed over.
    pub fn read(&self, from: u64, limit: u64, f: &mut dyn FnMut(u64, &[u8])) -> u64 {
        let inner = self.lock();
        let from = from.max(inner.store.oldest());
        let to = inner.store.next_seq().min(from.saturating_add(limit));
        for seq in from..to {
            if let Some(message) = inner.store.get(seq) {
                f(seq, message);
            }
        }
        to.max(from)
    }

    fn keep(&self, batch: &[Laned]) {
        let Inner { store, buffer } = &mut *self.lock();
        for (lane, frame) in batch {
            if let Some(message) = ouzel::write(*lane, frame, buffer) {
                store.keep(message);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Numbers what the node publishes, for as long as the task lives.
pub async fn follow(history: Arc<History>, node: Arc<Node>) {
    let kinds = Kinds::of(&[Kind::Trade, Kind::Bar, Kind::Signal]);
    let outlets = node.outlets();
    let mut outlet = outlets.open_for("stream", SlowPolicy::DropWithMark, CAPACITY, kinds);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        outlet.ready().await;
        outlet.take(BATCH, &mut batch);
        history.keep(&batch);
        batch.clear();
        // A burst must not keep this thread from its clients.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::publish::Frame;

    #[test]
    fn it_is_read_from_any_number_and_in_parts() {
        let history = History::new(1);
        let batch: Vec<Laned> = (1..=10)
            .map(|count| (0, Frame::Dropped { count }))
            .collect();
        history.keep(&batch);
        let mut seen = Vec::new();
        assert_eq!(history.read(4, 3, &mut |seq, _| seen.push(seq)), 7);
        assert_eq!(history.read(7, 100, &mut |seq, _| seen.push(seq)), 11);
        assert_eq!(history.read(11, 100, &mut |seq, _| seen.push(seq)), 11);
        assert_eq!(seen, (4..=10).collect::<Vec<u64>>());
        assert_eq!((history.oldest(), history.next_seq()), (1, 11));
    }
}
