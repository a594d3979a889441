//! What every request can reach.

use std::sync::Arc;

use node::Node;
use rag::Model;
use tokio::sync::Semaphore;

use crate::metrics::Metrics;

/// Questions and searches that may run at once; more wait, and many more are refused.
const WORKERS: usize = 8;
const WAITING_LIMIT: usize = 256;

/// The server's state.
pub struct App {
    /// The machine's data.
    pub node: Arc<Node>,
    /// The writer of answers, if one is configured.
    pub model: Option<Arc<dyn Model>>,
    /// Counters and histograms of the doors.
    pub metrics: Metrics,
    probes: Vec<Probe>,
    workers: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// One part's health, read when somebody asks.
pub struct Probe {
    /// Which part.
    pub name: &'static str,
    /// Reads it.
    pub read: Box<dyn Fn() -> Check + Send + Sync>,
}

/// What a probe found.
#[derive(Clone, Debug)]
pub struct Check {
    /// Whether the part does its work.
    pub ok: bool,
    /// What it says.
    pub detail: String,
}

impl App {
    /// A server over `node`.
    #[must_use]
    pub fn new(node: Arc<Node>, model: Option<Arc<dyn Model>>, probes: Vec<Probe>) -> Self {
        Self {
            node,
            model,
            metrics: Metrics::default(),
            probes,
            workers: Arc::new(Semaphore::new(WORKERS)),
            waiting: Arc::new(Semaphore::new(WAITING_LIMIT)),
        }
    }

    /// Every part's health.
    #[must_use]
    pub fn checks(&self) -> Vec<(&'static str, Check)> {
        self.probes
            .iter()
            .map(|probe| (probe.name, (probe.read)()))
            .collect()
    }

    /// Runs blocking work on a bounded number of threads; `None` when too much is waiting.
    pub async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let _place = self.waiting.clone().try_acquire_owned().ok()?;
        let worker = self.workers.clone().acquire_owned().await.ok()?;
        let app = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let _worker = worker;
            job(&app)
        });
        done.await.ok()
    }
}
