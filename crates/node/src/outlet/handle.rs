//! The reader's end.

use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::Duration;

use super::Laned;
use super::registry::{FarSide, Inner, Registry, Shared};

/// Reads what the node publishes, at its own pace. Dropping it closes it; its counters stay in
/// [`Outlets::totals`](super::Outlets::totals).
pub struct Outlet {
    shared: Arc<Shared>,
    registry: Arc<Registry>,
}

impl Outlet {
    pub(super) fn new(shared: Arc<Shared>, registry: Arc<Registry>) -> Self {
        Self { shared, registry }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The name that it was opened with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Unique in this process.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.shared.id
    }

    /// The oldest frame that waits, if any, and its lane. For many frames [`Outlet::take`] is cheaper.
    #[allow(
        clippy::should_implement_trait,
        reason = "an outlet does not end: None means nothing yet"
    )]
    pub fn next(&mut self) -> Option<Laned> {
        let mut one = Vec::with_capacity(1);
        self.take(1, &mut one);
        one.pop()
    }

    /// Appends what waits to `frames`, oldest first and `limit` at most; how many those were.
    pub fn take(&mut self, limit: usize, frames: &mut Vec<Laned>) -> usize {
        if let Some(spill) = &self.shared.spill {
            return spill.take(&self.shared, limit, frames);
        }
        let mut inner = self.shared.lock();
        let before = frames.len();
        let waiting = std::iter::from_fn(|| inner.queue.pop()).take(limit);
        frames.extend(waiting);
        self.shared.press(&mut inner);
        frames.len() - before
    }

    /// Waits for a frame on this thread, at most `timeout`; whether one is there.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let mut inner = self.shared.lock();
        let is_empty = |inner: &mut Inner| self.shared.waiting(inner) == 0;
        if !is_empty(&mut inner) {
            return true;
        }
        inner.is_waited_for = true;
        let waited = self
            .shared
            .filled
            .wait_timeout_while(inner, timeout, is_empty);
        let mut inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        inner.is_waited_for = false;
        !is_empty(&mut inner)
    }

    /// Waits for a frame in an async task. May be dropped and asked again at any time.
    pub async fn ready(&mut self) {
        poll_fn(|cx| {
            let mut inner = self.shared.lock();
            if self.shared.waiting(&inner) > 0 {
                return Poll::Ready(());
            }
            inner.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Keeps what the part behind this outlet says of the frames: all so far, not what is new.
    pub fn far_side(&self, far: FarSide) {
        self.shared.lock().far = Some(far);
    }

    /// Says what is wrong behind this outlet, for people who look at the node; until
    /// [`Outlet::recovered`].
    pub fn trouble(&self, why: impl Into<String>) {
        self.shared.set_trouble(Some(why.into()));
    }

    /// All is well behind this outlet.
    pub fn recovered(&self) {
        self.shared.set_trouble(None);
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.registry.close(&self.shared);
        if let Some(spill) = &self.shared.spill {
            spill.close(&self.shared);
        }
    }
}
