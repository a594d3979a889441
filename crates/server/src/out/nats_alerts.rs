//! Alerts of standing questions to NATS: `PREFIX.standing.QUESTION`, with `Nats-Msg-Id`, by which a JetStream stream
//! leaves out what it has.
//!
//! A connection of its own, apart from the one of the frames: alerts wait for their echo one batch at a time, and while
//! there is none they are sent again, so one may arrive twice. What is beyond the bound, or cannot be sent at all, is given
//! up and counted.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{ConnectOptions, HeaderMap, ServerAddr};
use node::Node;
use node::standing::{Alert, BrokerTally, Hold, Sink};

use super::broker::{Stream, token};
use super::nats::{Outgoing, Said, Settings, StartError, Wire, options, servers};
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
    tally: Arc<BrokerTally>,
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
    pub fn start(
        node: &Node,
        url: &str,
        credentials: Option<&Path>,
        prefix: &str,
    ) -> Result<Self, StartError> {
        let settings = Settings {
            url: url.to_owned(),
            credentials: credentials.map(Path::to_path_buf),
            prefix: prefix.to_owned(),
            stream: Stream::default(),
        };
        let servers = servers(url)?;
        let said = Said::default();
        let options = options(&settings, said.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let waiting = Arc::new(Waiting {
            tally: Arc::clone(node.standing().broker()),
            ..Waiting::default()
        });
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            waiting: Arc::clone(&waiting),
            prefix: settings.prefix,
            said,
            warned: String::new(),
            batches: 0,
        };
        let told = Arc::clone(&stop);
        let thread = Thread::spawn("nats-alerts", stop, move || {
            runtime.block_on(worker.work(servers, options, &told));
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
            let dropped = waiting.tally.dropped.fetch_add(1, Ordering::Relaxed);
            if dropped == 0 {
                eprintln!(
                    "warning: NATS: {WAITING_LIMIT} alerts wait for the broker; the oldest are given up"
                );
            }
        }
        alerts.push_back((Arc::clone(alert), hold));
    }
}

struct Worker {
    waiting: Arc<Waiting>,
    prefix: String,
    said: Said,
    /// What was last complained of, which is said once.
    warned: String,
    batches: u64,
}

impl Worker {
    async fn work(mut self, servers: Vec<ServerAddr>, options: ConnectOptions, stop: &AtomicBool) {
        let mut wire = match Wire::open(servers, options).await {
            Ok(wire) => wire,
            Err(why) => return self.warn(format!("alerts are not sent: {why}")),
        };
        while !stop.load(Ordering::Acquire) {
            let batch = self.waiting.batch();
            let is_connected = wire.client.connection_state() == State::Connected;
            if batch.is_empty() || !is_connected || !self.send(&mut wire, &batch).await {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// Publishes alerts and waits until the broker has had all of them; whether it has.
    async fn send(&mut self, wire: &mut Wire, batch: &[Arc<Alert>]) -> bool {
        self.batches += 1;
        let (before, number) = (wire.connects(), self.batches.to_string());
        let outgoing: Vec<Outgoing> = batch.iter().map(|alert| self.message(alert)).collect();
        let sent = tokio::time::timeout(PATIENCE, wire.through(outgoing, &number)).await;
        if let Some(why) = self.said.recent() {
            // What the broker forbids it has had as well: only this tells.
            self.warn(why);
        }
        match sent {
            Ok(Ok(refused)) if wire.connects() == before => {
                self.waiting.settle(batch);
                if refused > 0 {
                    self.waiting
                        .tally
                        .refused
                        .fetch_add(refused, Ordering::Relaxed);
                    self.warn("an alert is larger than the broker takes (max_payload)".to_owned());
                }
                true
            }
            _ => false,
        }
    }

    fn message(&self, alert: &Alert) -> Outgoing {
        let question = token(&alert.standing.question.id);
        let subject = format!("{}.standing.{question}", self.prefix);
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", alert.id.as_str());
        // Rows of ours have no map keys or numbers that JSON cannot hold.
        let body = serde_json::to_vec(&AlertRow::of(alert)).expect("rows are JSON");
        (subject.into(), headers, body)
    }

    fn warn(&mut self, why: String) {
        if why != self.warned {
            eprintln!("warning: NATS: {why}");
            self.warned = why;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    use node::standing::{Arrival, Question, Standing, StateArrival};

    use super::*;

    fn alert(n: u64) -> Arc<Alert> {
        alert_of(n, "ACM")
    }

    fn alert_of(n: u64, symbol: &str) -> Arc<Alert> {
        let standing = Standing {
            question: Question::default(),
            after_seq: 0,
            definition: "{}".into(),
        };
        let state = StateArrival {
            symbol: symbol.to_owned(),
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

    /// A broker of one client that takes 1,000 bytes: gives each message to who subscribed, until it has given one;
    /// messages with headers.
    fn broker(listener: &TcpListener) -> usize {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut lines = BufReader::new(stream.try_clone().expect("two ends"));
        let info = r#"{"server_id":"A","version":"2.10.0","max_payload":1000,"headers":true}"#;
        write!(stream, "INFO {info}\r\n").expect("writes");
        let (mut with_headers, mut sid) = (0, String::new());
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).expect("reads");
            let words: Vec<&str> = line.split_whitespace().collect();
            let size = words.last().and_then(|word| word.parse().ok());
            let mut body = |size: Option<usize>| {
                let mut body = vec![0; size.expect("a size") + 2];
                lines.read_exact(&mut body).expect("reads");
                body
            };
            match words[0] {
                "PING" => stream.write_all(b"PONG\r\n").expect("writes"),
                "SUB" => sid = words[2].to_owned(),
                "HPUB" => {
                    body(size);
                    with_headers += 1;
                }
                "PUB" => {
                    let body = body(size);
                    let size = body.len() - 2;
                    write!(stream, "MSG {} {sid} {size}\r\n", words[1]).expect("writes");
                    stream.write_all(&body).expect("writes");
                    return with_headers;
                }
                _ => {}
            }
        }
    }

    /// One alert that no broker of such a limit will ever take used to stop all behind it.
    #[test]
    fn an_alert_that_is_too_large_is_counted_and_the_others_are_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let url = format!("nats://{}", listener.local_addr().expect("an address"));
        let dir = tempfile::tempdir().expect("a folder");
        let settings = node::Settings {
            dir: dir.path().to_path_buf(),
            sync: collection::SyncPolicy::Never,
            limits: collection::Options::default(),
            embedding: node::EmbeddingLimits::default(),
        };
        let node = Node::open(&settings, Arc::new(stdx::SystemClock)).expect("opens");
        let alerts = NatsAlerts::start(&node, &url, None, "ouzel").expect("starts");
        {
            let mut waiting = alerts.waiting.lock();
            waiting.extend([&"X".repeat(2_000), "ACM"].map(|symbol| (alert_of(1, symbol), None)));
        }
        assert_eq!(broker(&listener), 1);
        while !alerts.waiting.lock().is_empty() {
            std::thread::yield_now();
        }
        let counts = node.standing().counts();
        assert_eq!((counts.broker_dropped, counts.broker_refused), (0, 1));
    }
}
