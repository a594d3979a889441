//! A topic of Kafka whose messages are documents.
//!
//! An offset is stored for commit once the log has the message's documents, so that a message is lost by no crash; one that
//! is read again is found to be there already.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};

use super::{Intake, message};
use crate::out::thread::Thread;

/// Longest wait for a message.
const LOOK: Duration = Duration::from_millis(200);
/// After memory could not take a message.
const AGAIN: Duration = Duration::from_secs(2);
/// While nothing comes and something was wrong, the brokers are asked so often whether they are there.
const PROBE: Duration = Duration::from_secs(5);

/// Where and what.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:9092`, several with commas between.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// The consumer group, whose offsets say how far we are.
    pub group: String,
    /// Settings of librdkafka beyond ours, by its names.
    pub options: Vec<(String, String)>,
}

/// Why it does not start. A broker that cannot be reached is none of these: it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum KafkaStartError {
    /// A setting cannot be used.
    #[error("Kafka: a setting cannot be used; see librdkafka's CONFIGURATION.md")]
    Settings(#[from] KafkaError),
    /// The system gave no thread.
    #[error("Kafka gets no thread; raise the limit on processes (ulimit -u)")]
    Thread(#[from] io::Error),
}

/// The running reader. Dropping it commits how far it got, and stops.
pub struct KafkaSource {
    _thread: Thread,
}

impl KafkaSource {
    /// Reads a topic from where the group is, or else from its beginning.
    ///
    /// # Errors
    /// When the settings cannot be used or the thread cannot be had.
    pub fn start(settings: &KafkaSettings, intake: Intake) -> Result<Self, KafkaStartError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &settings.brokers)
            .set("client.id", "ouzel")
            .set("group.id", &settings.group)
            .set("auto.offset.reset", "earliest")
            // What is stored for it is committed each second and at the end; storing is up to us.
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            .set("enable.auto.offset.store", "false")
            .set("reconnect.backoff.max.ms", "10000")
            .set_log_level(RDKafkaLogLevel::Emerg);
        for (name, value) in &settings.options {
            config.set(name, value);
        }
        let consumer: BaseConsumer<Quiet> = config.create_with_context(Quiet)?;
        consumer.subscribe(&[&settings.topic])?;
        let stop = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            consumer,
            intake,
            stop: Arc::clone(&stop),
            probed: None,
        };
        let thread = Thread::spawn("kafka-in", stop, move || reader.read())?;
        Ok(Self { _thread: thread })
    }
}

/// What librdkafka says is told by what is read.
struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, _error: KafkaError, _reason: &str) {}

    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}
}

impl ConsumerContext for Quiet {}

struct Reader {
    consumer: BaseConsumer<Quiet>,
    intake: Intake,
    stop: Arc<AtomicBool>,
    probed: Option<Instant>,
}

impl Reader {
    fn read(mut self) {
        while !self.is_stopped() {
            match self.consumer.poll(LOOK) {
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) => self.intake.status().fails(&format!("Kafka: {error}")),
                None => self.probe(),
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Until memory has it: the messages behind it wait, as those of its partition must.
    fn take(&self, message: &BorrowedMessage<'_>) {
        let (topic, partition) = (message.topic(), message.partition());
        let place = format!("{topic}[{partition}]@{}", message.offset());
        let payload = message.payload().unwrap_or_default();
        while let Err(fault) = message::take(&self.intake, &place, payload) {
            self.intake.status().fails(&fault.to_string());
            if self.is_stopped() {
                return;
            }
            std::thread::sleep(AGAIN);
        }
        if let Err(error) = self.consumer.store_offset_from_message(message) {
            // The partition went to another reader of the group, who reads it again.
            self.intake.status().fails(&format!("Kafka: {error}"));
        }
    }

    /// Nothing came: that is well where a broker answers.
    fn probe(&mut self) {
        let is_well = self
            .intake
            .status()
            .with(|counts| counts.trouble.is_none() && counts.last_success.is_some());
        let is_early = self.probed.is_some_and(|last| last.elapsed() < PROBE);
        if is_well || is_early {
            return;
        }
        self.probed = Some(Instant::now());
        match self.consumer.fetch_metadata(None, Duration::from_secs(2)) {
            Ok(_) => self.intake.status().works(self.intake.now()),
            Err(error) => self.intake.status().fails(&format!("Kafka: {error}")),
        }
    }
}
