//! Published frames to Kafka: a topic for each kind, the symbol as key, so that a symbol keeps its order.
//!
//! One thread. The producer is idempotent and waits for all replicas: it sends again until a broker
//! answers, and a broker writes nothing twice. What it has not confirmed is bounded; beyond that nothing
//! is taken, and the outlet meets its policy. A message that is given up (too large, an unknown topic, a
//! producer that must begin anew) is a hole, told by the next message of each key. A producer that gets
//! nothing through although a broker answers begins anew: one behind a broker that came back without
//! its data can wait for ever.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use market::pipeline::session_name;
use node::Node;
use node::outlet::{FarSide, Laned, Outlet};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};

use super::Health;
use super::broker::{Message, Messages, Stream};
use super::thread::Thread;

/// Messages that may be under way; a broker that is gone holds no more than these.
const UNDER_WAY: usize = 16_384;
/// Frames taken at once.
const BATCH: usize = 1_024;
/// Longest wait for a frame, and for a report.
const LOOK: Duration = Duration::from_millis(20);
/// At the end, what is under way is still waited for so long.
const FAREWELL: Duration = Duration::from_secs(1);
/// Between two producers, when one had to end.
const AGAIN: Duration = Duration::from_secs(1);
/// Nothing confirmed for so long, while messages are under way, is looked into.
const STALL: Duration = Duration::from_secs(5);
/// Where a new producer did not help, the next one comes later: at most after so long.
const STALL_MAX: Duration = Duration::from_secs(80);
/// A broker that works says what it has within this.
const PROBE: Duration = Duration::from_secs(2);

/// Where to, and what.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `host:9092`, several with commas between.
    pub brokers: String,
    /// The first part of every topic.
    pub prefix: String,
    /// Settings of librdkafka beyond ours, by its names.
    pub options: Vec<(String, String)>,
    /// What is sent.
    pub stream: Stream,
}

/// Why it does not start. A broker that cannot be reached is none of these: it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error("Kafka: a setting cannot be used; see librdkafka's CONFIGURATION.md")]
    Settings(#[from] KafkaError),
    /// Frames cannot wait on disk.
    #[error("Kafka: the folder for frames that wait cannot be used")]
    Spill(#[source] io::Error),
    /// The system gave no thread.
    #[error("Kafka gets no thread; raise the limit on processes (ulimit -u)")]
    Thread(#[source] io::Error),
}

/// The running sender. Dropping it waits a second at most for what is under way, and stops.
pub struct Kafka {
    _thread: Thread,
}

impl Kafka {
    /// Opens an outlet named `kafka` and sends all of it.
    ///
    /// # Errors
    /// When the settings cannot be used or the thread cannot be had.
    pub fn start(node: &Arc<Node>, settings: &Settings) -> Result<Self, StartError> {
        let config = config(settings);
        let reports = Reports::default();
        let producer: Sender = config.create_with_context(reports.clone())?;
        let session = session_name(node.clock().now_ns());
        let stop = Arc::new(AtomicBool::new(false));
        let stream = &settings.stream;
        let worker = Worker {
            outlet: stream.open(node, "kafka").map_err(StartError::Spill)?,
            node: Arc::clone(node),
            messages: Messages::new(stream.format),
            prefix: settings.prefix.clone(),
            brokers: settings.brokers.clone(),
            session: String::from_utf8_lossy(&session).into_owned(),
            config,
            reports,
            producer,
            unsaid: BTreeMap::new(),
            far: FarSide {
                connects: 1,
                ..FarSide::default()
            },
            stop: Arc::clone(&stop),
            health: Health::default(),
            watch: Watch::new(Instant::now()),
        };
        let thread = Thread::spawn("kafka", stop, move || worker.work());
        let thread = thread.map_err(StartError::Thread)?;
        Ok(Self { _thread: thread })
    }
}

fn config(settings: &Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", "ouzel")
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("compression.type", "lz4")
        // The partition of a key is the one that Java clients choose.
        .set("partitioner", "murmur2_random")
        // A message waits for its broker as long as it takes.
        .set("message.timeout.ms", "0")
        .set("queue.buffering.max.messages", (2 * UNDER_WAY).to_string())
        .set("reconnect.backoff.max.ms", "10000")
        .set_log_level(RDKafkaLogLevel::Emerg);
    for (name, value) in &settings.options {
        config.set(name, value);
    }
    config
}

type Sender = BaseProducer<Reports>;

/// What the producer reports, from within its calls.
#[derive(Clone, Default)]
struct Reports(Arc<Inner>);

#[derive(Default)]
struct Inner {
    confirmed: AtomicU64,
    /// Given up, by lane.
    failed: Mutex<BTreeMap<usize, u64>>,
    /// What was last complained of, if no message was confirmed since.
    complaint: Mutex<Option<String>>,
}

impl Reports {
    /// Keeps the first complaint: while a broker is away many follow, which say the same otherwise.
    fn complain(&self, why: &str) {
        let why = why.split(" (after ").next().unwrap_or(why);
        lock(&self.0.complaint).get_or_insert_with(|| why.to_owned());
    }

    fn lost(&self, lane: usize, error: &KafkaError) {
        *lock(&self.0.failed).entry(lane).or_default() += 1;
        self.complain(&error.to_string());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientContext for Reports {
    fn error(&self, _error: KafkaError, reason: &str) {
        self.complain(reason);
    }

    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}
}

impl ProducerContext for Reports {
    /// The lane.
    type DeliveryOpaque = usize;

    fn delivery(&self, report: &DeliveryResult<'_>, lane: usize) {
        match report {
            Ok(_) => {
                self.0.confirmed.fetch_add(1, Ordering::Relaxed);
                *lock(&self.0.complaint) = None;
            }
            Err((error, _)) => self.lost(lane, error),
        }
    }
}

/// Of a client that only asks.
struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, _error: KafkaError, _reason: &str) {}

    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}
}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _report: &DeliveryResult<'_>, (): ()) {}
}

/// Since when nothing was confirmed.
struct Watch {
    confirmed: u64,
    since: Instant,
    patience: Duration,
}

impl Watch {
    const fn new(now: Instant) -> Self {
        Self {
            confirmed: 0,
            since: now,
            patience: STALL,
        }
    }

    /// Whether it is time to ask what is wrong; then not again before as much time has passed.
    fn is_due(&mut self, confirmed: u64, waits: bool, now: Instant) -> bool {
        if confirmed != self.confirmed {
            (self.confirmed, self.patience) = (confirmed, STALL);
        } else if waits {
            let is_due = now.duration_since(self.since) >= self.patience;
            if is_due {
                self.since = now;
            }
            return is_due;
        }
        self.since = now;
        false
    }

    fn replaced(&mut self, now: Instant) {
        self.since = now;
        self.patience = (self.patience * 2).min(STALL_MAX);
    }
}

struct Worker {
    node: Arc<Node>,
    outlet: Outlet,
    messages: Messages,
    prefix: String,
    brokers: String,
    session: String,
    config: ClientConfig,
    reports: Reports,
    producer: Sender,
    /// Frames by lane that no mark has told of yet.
    unsaid: BTreeMap<usize, u64>,
    far: FarSide,
    stop: Arc<AtomicBool>,
    health: Health,
    watch: Watch,
}

impl Worker {
    fn work(mut self) {
        let mut batch: Vec<Laned> = Vec::with_capacity(BATCH);
        while !self.stop.load(Ordering::Acquire) {
            if self.has_room() {
                self.outlet.wait(LOOK);
                self.send(&mut batch);
                self.producer.poll(Duration::ZERO);
            } else {
                self.producer.poll(LOOK);
            }
            self.settle();
            if let Some((_, why)) = self.producer.client().fatal_error() {
                self.begin_anew(&why);
            }
            self.look_after();
        }
        let until = Instant::now() + FAREWELL;
        while self.has_room() && self.send(&mut batch) > 0 && Instant::now() < until {
            self.producer.poll(Duration::ZERO);
        }
        // What is not through by then is lost with the process.
        let _in_time = self
            .producer
            .flush(until.saturating_duration_since(Instant::now()));
        self.settle();
        self.producer
            .purge(PurgeConfig::default().queue().inflight());
    }

    fn under_way(&self) -> usize {
        usize::try_from(self.producer.in_flight_count()).unwrap_or(0)
    }

    fn has_room(&self) -> bool {
        self.under_way() < UNDER_WAY
    }

    /// A producer that waits while brokers work is replaced. One whose brokers are away is right to wait.
    fn look_after(&mut self) {
        let (confirmed, waits) = (self.far.confirmed, self.under_way() > 0);
        if self.watch.is_due(confirmed, waits, Instant::now()) && self.a_broker_answers() {
            self.watch.replaced(Instant::now());
            self.begin_anew(
                "nothing was confirmed although a broker answers; the producer begins anew",
            );
        }
    }

    /// Asked through a client of its own: the one that waits may be what is wrong.
    fn a_broker_answers(&self) -> bool {
        let probe = self.config.create_with_context(Quiet);
        probe.is_ok_and(|probe: BaseProducer<Quiet>| {
            probe.client().fetch_metadata(None, PROBE).is_ok()
        })
    }

    /// Hands a batch to the producer, marks first; how many frames those were.
    fn send(&mut self, batch: &mut Vec<Laned>) -> usize {
        for (lane, count) in std::mem::take(&mut self.unsaid) {
            if let Some(mark) = self.messages.mark(lane, count) {
                self.hand_over(lane, &mark);
            }
        }
        let taken = self.outlet.take(BATCH, batch);
        for (lane, frame) in batch.drain(..) {
            match self.messages.put(&self.node, lane, &frame) {
                Some(message) => self.hand_over(lane, &message),
                None => self.far.refused += 1,
            }
        }
        // The producer sends again until the broker has it, or reports each message that failed.
        self.messages.settle(true);
        taken
    }

    fn hand_over(&mut self, lane: usize, message: &Message) {
        let topic = format!("{}.{}", self.prefix, message.address.kind.name());
        let seq = format!("{} {}", self.session, message.n);
        let dropped = message.dropped.to_string();
        let mut headers = OwnedHeaders::new_with_capacity(2).insert(Header {
            key: "ouzel-seq",
            value: Some(&seq),
        });
        if message.dropped > 0 {
            headers = headers.insert(Header {
                key: "ouzel-dropped",
                value: Some(&dropped),
            });
        }
        let record = BaseRecord::with_opaque_to(&topic, lane)
            .key(&message.address.key)
            .payload(&message.payload)
            .headers(headers);
        if let Err((error, _)) = self.producer.send(record) {
            self.reports.lost(lane, &error);
        }
    }

    /// Takes over what the producer reported.
    fn settle(&mut self) {
        self.far.confirmed = self.reports.0.confirmed.load(Ordering::Relaxed);
        for (lane, count) in std::mem::take(&mut *lock(&self.reports.0.failed)) {
            self.messages.lose(lane, count);
            *self.unsaid.entry(lane).or_default() += count;
            self.far.uncertain += count;
        }
        self.outlet.far_side(self.far);
        let complaint = lock(&self.reports.0.complaint).clone();
        match complaint {
            Some(why) => {
                let why = format!("Kafka at {}: {why}", self.brokers);
                self.health.fails(&self.outlet, why);
            }
            None => self.health.works(&self.outlet),
        }
    }

    /// The producer cannot go on, for instance because the broker forgot it: what was under way is a hole.
    fn begin_anew(&mut self, why: &str) {
        *lock(&self.reports.0.complaint) = Some(why.to_owned());
        self.producer
            .purge(PurgeConfig::default().queue().inflight());
        let _reported = self.producer.flush(AGAIN);
        self.settle();
        match self.config.create_with_context(self.reports.clone()) {
            Ok(producer) => {
                self.producer = producer;
                self.far.connects += 1;
            }
            // The same settings were good at the start: the system is short of something.
            Err(error) => self.reports.complain(&error.to_string()),
        }
        std::thread::sleep(AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_that_gets_nothing_through_is_looked_into_ever_more_seldom() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut watch = Watch::new(start);
        assert!(!watch.is_due(7, true, at(100)), "something was confirmed");
        assert!(!watch.is_due(7, true, at(104)));
        assert!(watch.is_due(7, true, at(105)));
        assert!(!watch.is_due(7, true, at(106)), "asked a moment ago");
        watch.replaced(at(106));
        assert!(!watch.is_due(7, true, at(115)));
        assert!(watch.is_due(7, true, at(116)));
        assert!(!watch.is_due(8, true, at(117)), "it helped");
        assert!(!watch.is_due(8, false, at(200)), "nothing is under way");
        assert!(!watch.is_due(8, true, at(204)));
        assert!(watch.is_due(8, true, at(205)));
        for _ in 0..9 {
            watch.replaced(at(205));
        }
        assert!(!watch.is_due(8, true, at(284)));
        assert!(watch.is_due(8, true, at(285)));
    }
}
