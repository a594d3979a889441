//! What every request can reach.

use std::sync::Arc;

use node::Node;
use rag::{Model, Rerank, Semantic};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fix_door::FixDoor;
use crate::metrics::Metrics;
use crate::risk::Desk;
use crate::sources::{self, Status};
use crate::standing::{Outbox, Watch};
use crate::stream::{CLIENTS_LIMIT, Doors, History};

/// Searches, reads and writes that may run at once; more wait, and many more are refused.
const WORKERS: usize = 8;
/// Questions to an outside model that may run at once. They have places of their own: a model that hangs
/// must not stop anything else.
const WRITERS: usize = 8;
const WAITING_LIMIT: usize = 256;
/// Bulks that may be in memory at once; a body is read only after its place is there.
const BULKS: usize = 4;

/// The server's state.
pub struct App {
    /// The machine's data.
    pub node: Arc<Node>,
    /// The writer of answers, if one is configured.
    pub model: Option<Arc<dyn Model>>,
    /// The cross-encoder, if one is configured.
    pub rerank: Option<Arc<dyn Rerank>>,
    /// Questions by their meaning, if those that mean the same share lists.
    pub semantic: Option<Semantic>,
    /// Pre-trade checks.
    pub risk: Desk,
    /// Counters and histograms of the doors.
    pub metrics: Metrics,
    /// Prints, bars and signals, numbered, for the stream's clients.
    pub history: Arc<History>,
    /// Who may connect to the stream.
    pub(crate) doors: Doors,
    probes: Vec<Probe>,
    fix: Option<Arc<FixDoor>>,
    sources: Vec<Arc<Status>>,
    outbox: Option<Arc<Outbox>>,
    workers: Places,
    writers: Places,
    bulks: Places,
}

/// A bounded number of places, and of those who wait for one.
struct Places {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// A place in use; others wait until it is dropped.
pub struct Place {
    _running: OwnedSemaphorePermit,
    _waiting: OwnedSemaphorePermit,
}

/// Why work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// Too much waits already.
    Busy,
    /// The work itself failed in a way that is our fault.
    Broken,
}

impl Places {
    fn new(running: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running)),
            waiting: Arc::new(Semaphore::new(WAITING_LIMIT)),
        }
    }

    async fn take(&self) -> Result<Place, Undone> {
        let waiting = self.waiting.clone().try_acquire_owned();
        let waiting = waiting.map_err(|_| Undone::Busy)?;
        let running = self.running.clone().acquire_owned().await;
        Ok(Place {
            _running: running.map_err(|_| Undone::Busy)?,
            _waiting: waiting,
        })
    }
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
            history: Arc::new(History::new(node.clock().now_ns())),
            doors: Doors::new(CLIENTS_LIMIT),
            node,
            model,
            rerank: None,
            semantic: None,
            risk: Desk::default(),
            metrics: Metrics::default(),
            probes,
            fix: None,
            sources: Vec::new(),
            outbox: None,
            workers: Places::new(WORKERS),
            writers: Places::new(WRITERS),
            bulks: Places::new(BULKS),
        }
    }

    /// The same with a cross-encoder, where there is one.
    #[must_use]
    pub fn with_rerank(mut self, rerank: Option<Arc<dyn Rerank>>) -> Self {
        self.rerank = rerank;
        self
    }

    /// The same with one list for questions that mean the same, where that is wanted.
    #[must_use]
    pub fn with_semantic(mut self, semantic: Option<Semantic>) -> Self {
        self.semantic = semantic;
        self
    }

    /// Whether questions wait for something outside.
    pub(crate) fn waits(&self) -> bool {
        self.model.is_some() || self.rerank.is_some()
    }

    /// The same with the FIX door's health and numbers.
    #[must_use]
    pub fn with_fix(mut self, door: Arc<FixDoor>) -> Self {
        self.probes.push(door.probe());
        self.fix = Some(door);
        self
    }

    /// The same with the health and numbers of what brings documents.
    #[must_use]
    pub fn with_sources(mut self, sources: Vec<Arc<Status>>) -> Self {
        if !sources.is_empty() {
            self.probes.push(sources::probe(&sources));
        }
        self.sources = sources;
        self
    }

    pub(crate) fn sources(&self) -> &[Arc<Status>] {
        &self.sources
    }

    /// The same with the numbers of webhooks.
    #[must_use]
    pub fn with_standing(mut self, watch: &Watch) -> Self {
        self.outbox = Some(watch.outbox());
        self
    }

    pub(crate) fn outbox(&self) -> Option<&Outbox> {
        self.outbox.as_deref()
    }

    pub(crate) fn fix(&self) -> Option<&FixDoor> {
        self.fix.as_deref()
    }

    /// Every part's health.
    #[must_use]
    pub fn checks(&self) -> Vec<(&'static str, Check)> {
        self.probes
            .iter()
            .map(|probe| (probe.name, (probe.read)()))
            .collect()
    }

    /// Runs blocking work on a bounded number of threads.
    ///
    /// # Errors
    /// When too much is waiting, or the work panicked.
    pub async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let place = self.workers.take().await?;
        self.work_at(place, job).await
    }

    /// Runs blocking work at a place that was taken before.
    ///
    /// # Errors
    /// When the work panicked.
    pub async fn work_at<T: Send + 'static>(
        self: &Arc<Self>,
        place: Place,
        job: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let app = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            job(&app)
        });
        done.await.map_err(|_panic| Undone::Broken)
    }

    /// A place to call the model from.
    ///
    /// # Errors
    /// When too many questions wait for the model.
    pub async fn writer(&self) -> Result<Place, Undone> {
        self.writers.take().await
    }

    /// A place to hold the body of a bulk.
    ///
    /// # Errors
    /// When too many bulks wait.
    pub async fn bulk(&self) -> Result<Place, Undone> {
        self.bulks.take().await
    }
}
