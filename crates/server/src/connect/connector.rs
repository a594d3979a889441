//! One venue's connections: each is kept up, subscribed, read, and watched for silence.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use node::{DepthLane, Node};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::pressure::Pressure;
use super::status::Status;
use super::venue::{Signs, Venue};
use super::{Backoff, rest};

/// A venue that takes the connection and says nothing is tried again after this long; one that does
/// not take a request is given up after as long.
const PATIENCE: Duration = Duration::from_secs(15);
/// A connection that held so long was a success: the next wait is short again.
const STEADY: Duration = Duration::from_secs(5);
/// The largest message: whole books of thousands of levels are some megabytes.
const MESSAGE_BYTES: usize = 16 << 20;
const TICK: Duration = Duration::from_millis(100);

/// Where to connect and for what.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose feed it is.
    pub venue: Venue,
    /// WebSocket addresses.
    pub urls: Vec<String>,
    /// Symbols to subscribe to after connecting; an address may hold others already.
    pub symbols: Vec<String>,
    /// `GET {rest}?symbol=BTCUSDT&limit=1000` answers a depth snapshot (Binance).
    pub rest: Option<String>,
    /// Silence after which the venue is taken for dead; `None`: the venue's own.
    pub silence: Option<Duration>,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Keeps every connection up until `stop` changes.
pub async fn run(
    node: Arc<Node>,
    lane: DepthLane,
    settings: Settings,
    status: Arc<Status>,
    stop: watch::Receiver<bool>,
) {
    let mut signs = settings.venue.signs();
    if let Some(silence) = settings.silence {
        signs.silence = silence;
        signs.ping_after = signs.ping_after.map(|after| after.min(silence / 2));
    }
    let lane = Arc::new(Mutex::new(lane));
    let mut tasks = tokio::task::JoinSet::new();
    for idx in 0..settings.urls.len() {
        let link = Link {
            node: Arc::clone(&node),
            lane: Arc::clone(&lane),
            settings: settings.clone(),
            signs,
            status: Arc::clone(&status),
            idx,
        };
        tasks.spawn(link.keep_up(stop.clone()));
    }
    while tasks.join_next().await.is_some() {}
}

struct Link {
    node: Arc<Node>,
    /// One lane shared by all connections of a venue.
    lane: Arc<Mutex<DepthLane>>,
    settings: Settings,
    signs: Signs,
    status: Arc<Status>,
    idx: usize,
}

impl Link {
    async fn keep_up(self, mut stop: watch::Receiver<bool>) {
        let url = self.settings.urls[self.idx].clone();
        let seed = self.node.clock().now_ns() ^ ((self.idx as u64) << 56);
        let mut backoff = Backoff::new(seed);
        while !*stop.borrow() {
            let began = Instant::now();
            let read = tokio::select! {
                read = self.connect_and_read(&url) => read,
                _ = stop.changed() => return,
            };
            if began.elapsed() >= STEADY {
                backoff.succeed();
            }
            self.lost(&url, read.err());
            tokio::select! {
                () = tokio::time::sleep(backoff.fail()) => {}
                _ = stop.changed() => return,
            }
        }
    }

    fn lost(&self, url: &str, why: Option<tungstenite::Error>) {
        let why = why.map_or("the venue closed the stream".to_owned(), |e| e.to_string());
        let now = self.node.clock().now_ns();
        self.lane().interrupt(&self.node, now);
        self.tell(|link| {
            link.failures += 1;
            link.is_up = false;
            link.trouble = Some(format!("{url}: {why}"));
        });
    }

    async fn connect_and_read(&self, url: &str) -> Result<(), tungstenite::Error> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        let connecting = connect_async_with_config(url, Some(config), true);
        let connected = timeout(PATIENCE, connecting).await.map_err(|_| slow())?;
        let (mut socket, _) = connected?;
        self.tell(|link| link.is_up = true);
        let requests = self.settings.venue.subscribe(&self.settings.symbols);
        say(&mut socket, requests).await?;
        self.lane().connected(self.node.clock().now_ns());
        let mut pressure = Pressure::default();
        let mut ticks = tokio::time::interval(TICK);
        let (mut heard, mut pinged) = (Instant::now(), Instant::now());
        loop {
            pressure.wait(&self.node).await;
            let again = tokio::select! {
                // What waits to be read was said before now: time passes only once it is read, or
                // our own delay would look like the venue's silence and close windows too early.
                biased;
                said = socket.next() => {
                    let Some(said) = said else { return Ok(()) };
                    heard = Instant::now();
                    match said? {
                        Message::Text(text) => self.message(text.as_bytes()),
                        Message::Binary(bytes) => self.message(&bytes),
                        Message::Close(_) => return Ok(()),
                        // The library has put the answer to a ping in line.
                        Message::Ping(_) => { socket.flush().await?; Vec::new() }
                        Message::Pong(_) | Message::Frame(_) => Vec::new(),
                    }
                }
                _ = ticks.tick() => {
                    if heard.elapsed() > self.signs.silence {
                        return Err(silent());
                    }
                    self.tick()
                }
            };
            for symbol in again {
                say(&mut socket, self.settings.venue.resubscribe(&symbol)).await?;
            }
            let quiet = heard.max(pinged).elapsed();
            if let (Some(after), Some(ping)) = (self.signs.ping_after, self.settings.venue.ping())
                && quiet >= after
            {
                pinged = Instant::now();
                say(&mut socket, vec![ping]).await?;
            }
        }
    }

    fn lane(&self) -> MutexGuard<'_, DepthLane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message; the symbols to subscribe again.
    fn message(&self, bytes: &[u8]) -> Vec<String> {
        let now = self.node.clock().now_ns();
        self.status.with(self.idx, |link| {
            link.messages += 1;
            link.last_recv_ns = Some(now);
        });
        let mut lane = self.lane();
        lane.message(&self.node, now, bytes);
        self.requests(&mut lane)
    }

    fn tick(&self) -> Vec<String> {
        let now = self.node.clock().now_ns();
        let mut lane = self.lane();
        lane.tick(&self.node, now);
        let again = self.requests(&mut lane);
        drop(lane);
        self.tell(|_| {});
        again
    }

    fn requests(&self, lane: &mut DepthLane) -> Vec<String> {
        while let Some(symbol) = lane.next_snapshot() {
            self.fetch(symbol);
        }
        std::iter::from_fn(|| lane.next_resubscribe()).collect()
    }

    /// Changes this connection's state and shows it to readers.
    fn tell(&self, change: impl FnOnce(&mut node::market::LinkView)) {
        let lane = self.lane();
        let (number, check) = (lane.lane(), lane.pipeline().depth_check());
        let refusal = lane.pipeline().refusal().map(str::to_owned);
        drop(lane);
        let link = self.status.with(self.idx, |link| {
            link.lane = number;
            link.check = check;
            if let Some(words) = refusal {
                link.trouble = Some(format!("the venue refused a request: {words}"));
            }
            change(link);
        });
        self.node.market_mut().set_link(link);
    }

    /// Fetches a snapshot beside the stream; the lane asks again when it does not come.
    fn fetch(&self, symbol: String) {
        let Some(address) = self.settings.rest.clone() else {
            return;
        };
        let (node, lane) = (Arc::clone(&self.node), Arc::clone(&self.lane));
        let (status, idx) = (Arc::clone(&self.status), self.idx);
        tokio::task::spawn_blocking(move || match rest::depth(&address, &symbol) {
            Ok(body) => {
                let now = node.clock().now_ns();
                let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
                lane.snapshot(&node, now, &symbol, &body);
            }
            Err(why) => {
                status.with(idx, |link| link.trouble = Some(why));
            }
        });
    }
}

async fn say(socket: &mut Socket, requests: Vec<String>) -> Result<(), tungstenite::Error> {
    for request in requests {
        let sending = socket.send(Message::text(request));
        timeout(PATIENCE, sending).await.map_err(|_| slow())??;
    }
    Ok(())
}

fn slow() -> tungstenite::Error {
    let words = "the venue takes too long to answer";
    std::io::Error::new(std::io::ErrorKind::TimedOut, words).into()
}

fn silent() -> tungstenite::Error {
    let words = "the venue has been silent too long";
    std::io::Error::new(std::io::ErrorKind::TimedOut, words).into()
}
