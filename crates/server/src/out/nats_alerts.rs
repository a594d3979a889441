//! Alerts of standing questions to NATS: `PREFIX.standing.QUESTION`, with `Nats-Msg-Id`, by which a JetStream stream
//! leaves out what it has.
//!
//! A connection of its own, apart from the one of the frames: alerts wait for their echo one batch at a time, and while
//! there is none they are sent again, so one may arrive twice. What is beyond the bound is given up and counted.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, HeaderMap, ServerAddr, Subject, Subscriber};
use futures_util::StreamExt;
use node::standing::{Alert, Hold, Sink};

use super::broker::{Stream, token};
use super::nats::{Said, Settings, StartError, options, servers};
use super::thread::Thread;
use crate::json::standing::AlertRow;

/// Alerts that may wait for the broker; of more the oldest go.
const WAITING_LIMIT: usize = 16_384;
const BATCH: usize = 256;
const LOOK: Duration = Duration::from_millis(20);
/// A batch that the broker has not taken by then is sent again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends alerts for as long as it lives.
pub struct NatsAlerts {
    waiting: Arc<Waiting>,
    _thread: Thread,
}

#[derive(Default)]
struct Waiting {
    /// In the order of their coming, which two threads decide: not that of their numbers.
    alerts: Mutex<VecDeque<Held>>,
    dropped: AtomicU64,
}

type Held = (Arc<Alert>, Option<Hold>);

impl Waiting {
    /// The alerts that have waited longest.
    fn batch(&self) -> Vec<Arc<Alert>> {
        let alerts = self.lock();
        let first = alerts.iter().take(BATCH);
        first.map(|(alert, _)| Arc::clone(alert)).collect()
    }

    /// Lets go a batch that was sent. Some of it may have been given up meanwhile.
    fn settle(&self, batch: &[Arc<Alert>]) {
        let mut alerts = self.lock();
        for sent in batch {
            alerts.pop_front_if(|(first, _)| Arc::ptr_eq(first, sent));
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Held>> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NatsAlerts {
    /// Connects, again and again where it must.
    ///
    /// # Errors
    /// As for the frames.
    pub fn start(url: &str, credentials: Option<&Path>, prefix: &str) -> Result<Self, StartError> {
        let settings = Settings {
            url: url.to_owned(),
            credentials: credentials.map(Path::to_path_buf),
            prefix: prefix.to_owned(),
            stream: Stream::default(),
        };
        let servers = servers(url)?;
        let options = options(&settings, Said::default())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let waiting = Arc::new(Waiting::default());
        let stop = Arc::new(AtomicBool::new(false));
        let (given, told, prefix) = (Arc::clone(&waiting), Arc::clone(&stop), settings.prefix);
        let thread = Thread::spawn("nats-alerts", stop, move || {
            runtime.block_on(work(&given, servers, options, &prefix, &told));
        });
        Ok(Self {
            waiting,
            _thread: thread.map_err(StartError::Thread)?,
        })
    }
}

impl Sink for NatsAlerts {
    fn take(&self, alert: &Arc<Alert>, hold: Option<Hold>) {
        let waiting = &self.waiting;
        let mut alerts = waiting.lock();
        if alerts.len() == WAITING_LIMIT {
            alerts.pop_front();
            let dropped = waiting.dropped.fetch_add(1, Ordering::Relaxed);
            if dropped == 0 {
                eprintln!(
                    "warning: NATS: {WAITING_LIMIT} alerts wait for the broker; the oldest are given up"
                );
            }
        }
        alerts.push_back((Arc::clone(alert), hold));
    }
}

async fn work(
    waiting: &Waiting,
    servers: Vec<ServerAddr>,
    options: ConnectOptions,
    prefix: &str,
    stop: &AtomicBool,
) {
    let client = match options.connect(servers).await {
        Ok(client) => client,
        Err(why) => {
            eprintln!("warning: NATS: alerts are not sent: {why}");
            return;
        }
    };
    let mut line = match Line::open(client, prefix).await {
        Ok(line) => line,
        Err(why) => {
            eprintln!("warning: NATS: alerts are not sent: {why}");
            return;
        }
    };
    while !stop.load(Ordering::Acquire) {
        let batch = waiting.batch();
        if batch.is_empty() || line.client.connection_state() != State::Connected {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        let before = line.connects();
        let sent = tokio::time::timeout(PATIENCE, line.send(&batch)).await;
        // An echo on another connection says nothing of what was sent on the one before.
        if matches!(sent, Ok(true)) && line.connects() == before {
            waiting.settle(&batch);
        }
    }
}

/// The connection, and how a batch is known to have arrived: a message to ourselves behind it comes back.
struct Line<'a> {
    client: Client,
    prefix: &'a str,
    inbox: Subject,
    echoes: Subscriber,
    batches: u64,
}

impl<'a> Line<'a> {
    async fn open(client: Client, prefix: &'a str) -> Result<Self, String> {
        let inbox = client.new_inbox();
        let echoes = client.subscribe(inbox.clone()).await;
        Ok(Self {
            inbox: inbox.into(),
            echoes: echoes.map_err(|e| e.to_string())?,
            client,
            prefix,
            batches: 0,
        })
    }

    fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Acquire)
    }

    /// Publishes alerts and waits until the broker has had all of them; whether it has.
    async fn send(&mut self, batch: &[Arc<Alert>]) -> bool {
        for alert in batch {
            let subject = format!(
                "{}.standing.{}",
                self.prefix,
                token(&alert.standing.question.id)
            );
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", alert.id.as_str());
            // Rows of ours have no map keys or numbers that JSON cannot hold.
            let body = serde_json::to_vec(&AlertRow::of(alert)).expect("rows are JSON");
            let published = self
                .client
                .publish_with_headers(subject, headers, body.into());
            if published.await.is_err() {
                return false;
            }
        }
        self.batches += 1;
        let number = self.batches.to_string();
        let asked = self
            .client
            .publish(self.inbox.clone(), number.clone().into());
        if asked.await.is_err() {
            return false;
        }
        while let Some(echo) = self.echoes.next().await {
            if echo.payload == number.as_bytes() {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use node::standing::{Arrival, Question, Standing, StateArrival};

    use super::*;

    fn alert(n: u64) -> Arc<Alert> {
        let standing = Standing {
            question: Question::default(),
            after_seq: 0,
            definition: "{}".into(),
        };
        let state = StateArrival {
            symbol: "ACM".to_owned(),
            end_ns: n,
            known_ns: n,
            distance: 0.0,
        };
        Arc::new(Alert {
            id: n.to_string(),
            n,
            standing: Arc::new(standing),
            at: 0,
            of: Arrival::State(state),
        })
    }

    /// Documents and states are told by two threads, so number 6 may come before number 5.
    #[test]
    fn what_was_sent_goes_and_nothing_else_in_whatever_order_it_came() {
        let waiting = Waiting::default();
        let all: Vec<_> = [6, 5, 8, 7].map(alert).into();
        let waits = |alerts: &[Arc<Alert>]| {
            let held = alerts.iter().map(|alert| (Arc::clone(alert), None));
            waiting.lock().extend(held);
        };
        let left = || -> Vec<u64> { waiting.batch().iter().map(|alert| alert.n).collect() };
        waits(&all[..2]);
        let batch = waiting.batch();
        waits(&all[2..]);
        waiting.settle(&batch);
        assert_eq!(left(), [8, 7]);
        let batch = waiting.batch();
        waiting.lock().pop_front();
        waits(&[alert(1)]);
        waiting.settle(&batch);
        assert_eq!(left(), [1], "the oldest was given up meanwhile");
    }
}
