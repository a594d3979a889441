//! `/v1/stream`: the newest state per topic and client, at the client's pace.
//!
//! Nothing is queued per client. Every interval, each topic's version is compared with the one
//! last sent; a reader that was slow simply sees the newest state, and what it missed is counted.

mod topic;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::app::App;
use crate::http::{Refusal, known};
use crate::json::from_object;
use topic::{Frame, Subscription, Topic};

const INTERVAL_MS_MIN: u64 = 20;
const INTERVAL_MS_MAX: u64 = 60_000;
const INTERVAL_MS_DEFAULT: u64 = 100;
/// A market may be silent; the stream repeats the feed's state, so that a client can tell.
const SILENCE_LIMIT: Duration = Duration::from_secs(1);
const TOPICS_LIMIT: usize = 1_000;
const MESSAGE_LIMIT: usize = 64 << 10;

/// What a client may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wish {
    subscribe: Vec<String>,
    unsubscribe: Vec<String>,
    interval_ms: Option<u64>,
}

pub async fn upgrade(
    State(app): State<Arc<App>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let upgrade = upgrade.map_err(|e| {
        let hint = "connect with a WebSocket client: ws://HOST/v1/stream";
        Refusal::bad_request(e.body_text(), hint)
    })?;
    Ok(upgrade
        .max_message_size(MESSAGE_LIMIT)
        .on_upgrade(move |socket| async move {
            app.metrics.stream_client(true);
            // A client that went away is the usual end of a stream, not a fault.
            let _gone = Client::new(Arc::clone(&app)).run(socket).await;
            app.metrics.stream_client(false);
        }))
}

struct Client {
    app: Arc<App>,
    subscriptions: Vec<Subscription>,
    interval: Duration,
    spoke: Instant,
}

impl Client {
    fn new(app: Arc<App>) -> Self {
        let interval = Duration::from_millis(INTERVAL_MS_DEFAULT);
        Self {
            app,
            subscriptions: Vec::new(),
            interval,
            spoke: Instant::now(),
        }
    }

    async fn run(mut self, mut socket: WebSocket) -> Result<(), axum::Error> {
        let hello = json!({"type": "hello", "version": env!("CARGO_PKG_VERSION"), "conflated": 0});
        send(&mut socket, &hello).await?;
        let mut ticks = ticks(self.interval);
        loop {
            tokio::select! {
                said = socket.recv() => {
                    let Some(said) = said else { return Ok(()) };
                    let before = self.interval;
                    for reply in self.hear(said?) {
                        send(&mut socket, &reply).await?;
                    }
                    if self.interval != before {
                        ticks = self::ticks(self.interval);
                    }
                }
                _ = ticks.tick() => {
                    for frame in self.news() {
                        send(&mut socket, &frame).await?;
                    }
                }
            }
        }
    }

    /// Takes a wish; answers what was wrong with it.
    fn hear(&mut self, said: Message) -> Vec<Value> {
        let text = match said {
            Message::Text(text) => text,
            Message::Binary(_) => {
                return vec![error("binary messages are not read", "send JSON text")];
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Vec::new(),
        };
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
        self.subscriptions
            .retain(|s| !wish.unsubscribe.contains(&s.name));
        wish.subscribe
            .iter()
            .filter_map(|name| self.subscribe(name).err())
            .collect()
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
            let hint = "topics: movers, feed, signals, book:SYMBOL, bars:SYMBOL, vwap:SYMBOL";
            error(&format!("topic {name:?} is not known"), hint)
        })?;
        let view = self.app.node.market();
        if let Some(symbol) = topic.symbol_mut() {
            match known(&view, symbol) {
                Ok(found) => symbol.clone_from(&found.symbol),
                Err(refusal) => return Err(error(refusal.message(), refusal.hint())),
            }
        }
        self.subscriptions
            .push(Subscription::new(name, topic, &view));
        Ok(())
    }

    /// Everything that changed since the last tick.
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
        let conflated = self
            .subscriptions
            .iter_mut()
            .map(Subscription::take_conflated)
            .sum();
        self.app.metrics.stream_conflated(conflated);
        if !frames.is_empty() {
            self.spoke = Instant::now();
        }
        frames
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

async fn send(socket: &mut WebSocket, frame: &impl Serialize) -> Result<(), axum::Error> {
    let text = serde_json::to_string(frame).map_err(axum::Error::new)?;
    socket.send(Message::Text(text.into())).await
}
