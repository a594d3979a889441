//! Binance over WebSocket: connect, read, fetch snapshots when the depth chain asks for one,
//! reconnect with growing waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use node::{DepthLane, Node};
use tokio::sync::watch;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{self, Message};

use super::Backoff;
use super::wait_for_readers;
use crate::app::{Check, Probe};

/// A venue that is silent this long is taken for dead; Binance pings every 20 s.
const SILENCE: Duration = Duration::from_secs(60);
/// A venue that takes the connection and says nothing is tried again after this long.
const PATIENCE: Duration = Duration::from_secs(15);
const SNAPSHOT_LIMIT: u32 = 1_000;
const SNAPSHOT_BYTES: u64 = 32 << 20;
const TICK: Duration = Duration::from_millis(100);

/// Where to connect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// WebSocket addresses, raw or combined streams.
    pub urls: Vec<String>,
    /// `GET {rest}?symbol=BTCUSDT&limit=1000` answers a depth snapshot.
    pub rest: Option<String>,
}

/// What the connections have seen, for health and logs.
#[derive(Debug, Default)]
pub struct Status {
    connected: AtomicU64,
    messages: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl Status {
    /// Messages received on all connections.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    fn fail(&self, why: String) {
        *self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// Health of the connections, `wanted` of them.
    #[must_use]
    pub fn probe(self: &Arc<Self>, wanted: usize) -> Probe {
        let status = Arc::clone(self);
        let read = Box::new(move || {
            let connected = status.connected.load(Ordering::Relaxed);
            let last = status
                .last_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let why = last
                .map(|why| format!("; last trouble: {why}"))
                .unwrap_or_default();
            Check {
                ok: connected as usize == wanted,
                detail: format!(
                    "{connected} of {wanted} connections, {} messages{why}",
                    status.messages()
                ),
            }
        });
        Probe {
            name: "binance",
            read,
        }
    }
}

/// One lane shared by all connections of a venue.
type SharedLane = Arc<Mutex<DepthLane>>;

/// Keeps every connection up until `stop` changes.
pub async fn run(
    node: Arc<Node>,
    lane: DepthLane,
    settings: Settings,
    status: Arc<Status>,
    stop: watch::Receiver<bool>,
) {
    let lane = Arc::new(Mutex::new(lane));
    let mut tasks = tokio::task::JoinSet::new();
    for url in settings.urls.clone() {
        let link = Link {
            node: Arc::clone(&node),
            lane: Arc::clone(&lane),
            rest: settings.rest.clone(),
            status: Arc::clone(&status),
        };
        tasks.spawn(link.keep_up(url, stop.clone()));
    }
    while tasks.join_next().await.is_some() {}
}

struct Link {
    node: Arc<Node>,
    lane: SharedLane,
    rest: Option<String>,
    status: Arc<Status>,
}

impl Link {
    async fn keep_up(self, url: String, mut stop: watch::Receiver<bool>) {
        let mut backoff = Backoff::default();
        while !*stop.borrow() {
            let read = tokio::select! {
                read = self.connect_and_read(&url, &mut backoff) => read,
                _ = stop.changed() => return,
            };
            let why = read
                .err()
                .map_or("the venue closed the stream".to_owned(), |e| e.to_string());
            self.status.fail(format!("{url}: {why}"));
            self.lane().interrupt(&self.node);
            tokio::select! {
                () = tokio::time::sleep(backoff.fail()) => {}
                _ = stop.changed() => return,
            }
        }
    }

    async fn connect_and_read(
        &self,
        url: &str,
        backoff: &mut Backoff,
    ) -> Result<(), tungstenite::Error> {
        let connecting = tokio::time::timeout(PATIENCE, connect_async(url)).await;
        let timed_out = || std::io::Error::from(std::io::ErrorKind::TimedOut);
        let (mut socket, _) = connecting.map_err(|_| timed_out())??;
        let _connected = Connected::new(&self.status);
        let mut ticks = tokio::time::interval(TICK);
        let mut heard = tokio::time::Instant::now();
        loop {
            wait_for_readers(&self.node).await;
            tokio::select! {
                // What waits to be read was said before now: time passes only once it is read, or
                // our own delay would look like the venue's silence and close windows too early.
                biased;
                said = socket.next() => {
                    let Some(said) = said else { return Ok(()) };
                    heard = tokio::time::Instant::now();
                    match said? {
                        Message::Text(text) => {
                            backoff.succeed();
                            self.message(text.as_bytes());
                        }
                        Message::Binary(bytes) => self.message(&bytes),
                        Message::Close(_) => return Ok(()),
                        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                    }
                }
                _ = ticks.tick() => {
                    if heard.elapsed() > SILENCE {
                        return Err(timed_out().into());
                    }
                    self.tick();
                }
            }
        }
    }

    fn lane(&self) -> MutexGuard<'_, DepthLane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn message(&self, bytes: &[u8]) {
        self.status.messages.fetch_add(1, Ordering::Relaxed);
        let now = self.node.clock().now_ns();
        let mut lane = self.lane();
        lane.message(&self.node, now, bytes);
        while let Some(symbol) = lane.next_snapshot() {
            self.fetch(symbol);
        }
    }

    fn tick(&self) {
        let now = self.node.clock().now_ns();
        let mut lane = self.lane();
        lane.tick(&self.node, now);
        while let Some(symbol) = lane.next_snapshot() {
            self.fetch(symbol);
        }
    }

    /// Fetches a snapshot beside the stream; the lane asks again when it does not come.
    fn fetch(&self, symbol: String) {
        let Some(rest) = self.rest.clone() else {
            return;
        };
        let (node, lane) = (Arc::clone(&self.node), Arc::clone(&self.lane));
        let status = Arc::clone(&self.status);
        tokio::task::spawn_blocking(move || {
            let url = format!("{rest}?symbol={symbol}&limit={SNAPSHOT_LIMIT}");
            match get(&url) {
                Ok(body) => {
                    let now = node.clock().now_ns();
                    let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
                    lane.snapshot(&node, now, &symbol, &body);
                }
                Err(why) => status.fail(format!("{url}: {why}")),
            }
        });
    }
}

fn get(url: &str) -> Result<Vec<u8>, ureq::Error> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .build();
    let mut response = ureq::Agent::new_with_config(config).get(url).call()?;
    response
        .body_mut()
        .with_config()
        .limit(SNAPSHOT_BYTES)
        .read_to_vec()
}

/// Counts a connection for as long as it lives.
struct Connected<'a>(&'a Status);

impl<'a> Connected<'a> {
    fn new(status: &'a Status) -> Self {
        status.connected.fetch_add(1, Ordering::Relaxed);
        Self(status)
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.connected.fetch_sub(1, Ordering::Relaxed);
    }
}
