//! `/v1/stream`: the newest state per topic and client, and the numbered stream, at the client's pace.
//!
//! Nothing is queued per client. Every interval, each topic's version is compared with the one
//! last sent; a reader that was slow simply sees the newest state, and what it missed is counted.
//! Prints, bars and signals are read from one bounded history, each client at its own place: none is
//! skipped, and a client that comes back goes on where it was, or is told what it cannot have.

mod alerts;
pub mod history;
mod socket;
mod tape;
mod topic;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::app::App;
use crate::http::{Refusal, known};
use crate::json::from_object;
use alerts::Alerts;
use socket::{Said, Socket};
use tape::Tape;
use topic::{Frame, Subscription, Topic};

pub use history::History;
pub use socket::Doors;

const INTERVAL_MS_MIN: u64 = 20;
const INTERVAL_MS_MAX: u64 = 60_000;
const INTERVAL_MS_DEFAULT: u64 = 100;
/// A market may be silent; the stream repeats the feed's state, so that a client can tell.
const SILENCE_LIMIT: Duration = Duration::from_secs(1);
const TOPICS_LIMIT: usize = 1_000;
const MESSAGE_LIMIT: usize = 64 << 10;
/// Clients at once.
pub const CLIENTS_LIMIT: usize = 1_024;
/// The subprotocol whose frames are `docs/formats/ouzel-frames.md`.
const BINARY: &str = "ouzel.frames.v1";
/// Between two questions whether the client is there.
const PING: Duration = Duration::from_secs(15);
/// A client that has said nothing for so long, not even that it is there, is gone.
const PATIENCE: Duration = Duration::from_secs(45);
/// Batches of the numbered stream sent in one turn; the client's own messages are heard in between.
const ROUNDS: usize = 16;

/// What a client may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wish {
    subscribe: Vec<String>,
    unsubscribe: Vec<String>,
    interval_ms: Option<u64>,
    resume: Option<Resume>,
}

/// Where a client was before it lost its connection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resume {
    /// As `hello` named it.
    session: String,
    /// The last number that it has.
    after: u64,
}

pub async fn upgrade(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let served = Arc::clone(&app);
    app.doors
        .open(request, &[BINARY], MESSAGE_LIMIT, |socket| async move {
            served.metrics.stream_client(true);
            // A client that went away is the usual end of a stream, not a fault.
            let _gone = Client::new(Arc::clone(&served)).run(socket).await;
            served.metrics.stream_client(false);
        })
}

struct Client {
    app: Arc<App>,
    subscriptions: Vec<Subscription>,
    tape: Tape,
    alerts: Alerts,
    interval: Duration,
    spoke: Instant,
    is_binary: bool,
    /// Instruments of which a binary client has heard the meaning.
    named: usize,
}

impl Client {
    fn new(app: Arc<App>) -> Self {
        let interval = Duration::from_millis(INTERVAL_MS_DEFAULT);
        Self {
            app,
            subscriptions: Vec::new(),
            tape: Tape::default(),
            alerts: Alerts::default(),
            interval,
            spoke: Instant::now(),
            is_binary: false,
            named: 0,
        }
    }

    async fn run(mut self, mut socket: Socket) -> io::Result<()> {
        self.is_binary = socket.protocol() == Some(BINARY);
        say(&mut socket, &self.hello());
        socket.flush().await?;
        let mut ticks = ticks(self.interval);
        let mut pings = self::ticks(PING);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                said = socket.hear() => {
                    heard = Instant::now();
                    let before = self.interval;
                    match said? {
                        None => return Ok(()),
                        Some(Said::Close(code)) => return socket.close(code, "").await,
                        Some(Said::Ping(bytes)) => socket.pong(&bytes),
                        Some(Said::Pong) => {}
                        Some(Said::Text(text)) => {
                            self.hear(&text).iter().for_each(|reply| say(&mut socket, reply));
                        }
                        Some(Said::Binary(_)) => {
                            say(&mut socket, &error("binary messages are not read", "send JSON text"));
                        }
                    }
                    if self.interval != before {
                        ticks = self::ticks(self.interval);
                    }
                }
                _ = ticks.tick() => self.tick(&mut socket).await?,
                _ = pings.tick() => {
                    if heard.elapsed() > PATIENCE {
                        return socket.close(1008, "no answer to pings").await;
                    }
                    socket.ping();
                }
            }
            socket.flush().await?;
        }
    }

    fn hello(&self) -> Value {
        let history = &self.app.history;
        json!({
            "type": "hello", "version": env!("CARGO_PKG_VERSION"), "conflated": 0,
            "session": history.session_text(), "next": history.next_seq(),
        })
    }

    /// Takes a wish; answers what was wrong with it.
    fn hear(&mut self, text: &str) -> Vec<Value> {
        let wish = match from_object::<Wish>(text.as_bytes()) {
            Ok(wish) => wish,
            Err(e) => {
                let hint = "send {\"subscribe\": [\"movers\"], \"interval_ms\": 100}";
                return vec![error(&format!("the message cannot be read: {e}"), hint)];
            }
        };
        if let Some(ms) = wish.interval_ms {
            self.interval = Duration::from_millis(ms.clamp(INTERVAL_MS_MIN, INTERVAL_MS_MAX));
        }
        self.unsubscribe(&wish.unsubscribe);
        if let Some(resume) = &wish.resume {
            self.tape
                .resume(&resume.session, resume.after, &self.app.history);
        }
        wish.subscribe
            .iter()
            .filter_map(|name| self.subscribe(name).err())
            .collect()
    }

    fn unsubscribe(&mut self, names: &[String]) {
        let app = Arc::clone(&self.app);
        let view = app.node.market();
        let is_left = |s: &Subscription| names.contains(&s.name);
        for left in self.subscriptions.iter().filter(|s| is_left(s)) {
            self.tape.leave(&left.topic, &view);
            self.alerts.leave(&left.topic);
        }
        self.subscriptions.retain(|s| !is_left(s));
    }

    fn subscribe(&mut self, name: &str) -> Result<(), Value> {
        if self.subscriptions.iter().any(|s| s.name == name) {
            return Ok(());
        }
        if self.subscriptions.len() >= TOPICS_LIMIT {
            let what = format!("{TOPICS_LIMIT} topics are subscribed already");
            return Err(error(
                &what,
                "unsubscribe some, or open a second connection",
            ));
        }
        let mut topic = Topic::parse(name).ok_or_else(|| {
            let hint = "topics: movers, feed, signals, trades, bars, evidence, alerts, book:SYMBOL, trades:SYMBOL, \
                bars:SYMBOL, vwap:SYMBOL, measure:SYMBOL, state:SYMBOL, evidence:SYMBOL, alerts:QUESTION";
            error(&format!("topic {name:?} is not known"), hint)
        })?;
        let is_json = matches!(topic, Topic::Movers | Topic::Evidence(_) | Topic::Alerts(_));
        if self.is_binary && is_json {
            let hint = "connect without the subprotocol, or follow books and bars";
            return Err(error(&format!("topic {name:?} is JSON only"), hint));
        }
        let app = Arc::clone(&self.app);
        let view = app.node.market();
        if let Some(symbol) = topic.symbol_mut() {
            match known(&view, symbol) {
                Ok(found) => symbol.clone_from(&found.symbol),
                Err(refusal) => return Err(error(refusal.message(), refusal.hint())),
            }
        }
        self.tape.follow(&topic, &view, &app.history);
        self.alerts.follow(&topic, app.node.standing().alerts());
        self.subscriptions
            .push(Subscription::new(name, topic, &app.node));
        Ok(())
    }

    /// Sends what is new: newest states, then the numbered stream until the client has it all.
    async fn tick(&mut self, socket: &mut Socket) -> io::Result<()> {
        if self.is_binary {
            self.binary_news()
                .iter()
                .for_each(|packet| socket.binary(packet));
        } else {
            self.news().iter().for_each(|frame| say(socket, frame));
            let alerts = self.alerts.news(self.app.node.standing().alerts());
            alerts.iter().for_each(|alert| say(socket, alert));
        }
        for _ in 0..ROUNDS {
            if !self.numbered(socket) {
                break;
            }
            socket.flush().await?;
        }
        socket.flush().await
    }

    /// One batch of the numbered stream; whether more waits.
    fn numbered(&mut self, socket: &mut Socket) -> bool {
        let app = Arc::clone(&self.app);
        if self.is_binary {
            let mut packets = Vec::new();
            let is_more = self.tape.packets(&app.history, &mut packets);
            packets.iter().for_each(|packet| socket.binary(packet));
            return is_more;
        }
        let node = Arc::clone(&app.node);
        let show = |frames: &[_]| tape::rows(&node.market(), frames);
        let (rows, is_more) = self.tape.rows(&app.history, show);
        rows.iter().for_each(|row| say(socket, row));
        is_more
    }

    /// Every state that changed since the last tick.
    fn news(&mut self) -> Vec<Frame> {
        let view = self.app.node.market();
        let mut frames: Vec<Frame> = self
            .subscriptions
            .iter_mut()
            .flat_map(|s| s.news(&view))
            .collect();
        if frames.is_empty() && self.spoke.elapsed() > SILENCE_LIMIT {
            let feed = self.subscriptions.iter_mut().find(|s| s.is_feed());
            frames.extend(feed.map(|s| s.again(&view)));
        }
        drop(view);
        let node = &self.app.node;
        frames.extend(self.subscriptions.iter_mut().flat_map(|s| s.evidence(node)));
        self.count_conflated();
        if !frames.is_empty() {
            self.spoke = Instant::now();
        }
        frames
    }

    /// The same as messages, after the names that they need: at most one packet of each.
    fn binary_news(&mut self) -> Vec<Vec<u8>> {
        let session = self.app.history.session();
        let view = self.app.node.market();
        let mut packets = Vec::new();
        if !self.subscriptions.is_empty() && self.named < view.symbols().len() {
            let names = topic::names(&view, self.named);
            self.named = view.symbols().len();
            packets.push(tape::states(session, &names));
        }
        let states: Vec<Vec<u8>> = self
            .subscriptions
            .iter_mut()
            .flat_map(|s| s.states(&view))
            .collect();
        drop(view);
        if !states.is_empty() {
            packets.push(tape::states(session, &states));
        }
        self.count_conflated();
        packets
    }

    fn count_conflated(&mut self) {
        let conflated = self
            .subscriptions
            .iter_mut()
            .map(Subscription::take_conflated)
            .sum();
        self.app.metrics.stream_conflated(conflated);
    }
}

fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut ticks = interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

fn error(message: &str, hint: &str) -> Value {
    json!({"type": "error", "message": message, "hint": hint})
}

/// Queues one JSON message.
fn say(socket: &mut Socket, frame: &impl Serialize) {
    // Rows of ours have no map keys or numbers that JSON cannot hold.
    let text = serde_json::to_string(frame).expect("rows are JSON");
    socket.text(&text);
}
