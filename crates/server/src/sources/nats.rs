//! A subject of NATS whose messages are documents.
//!
//! By JetStream a message is acknowledged once the log has its documents: what is not is delivered again, and found to be
//! there already. Core NATS keeps nothing for a reader that is away.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::{self, AckKind, consumer::pull};
use async_nats::{Client, ConnectOptions, ServerAddr};
use futures_util::StreamExt;
use rag::Fault;
use tokio::sync::watch;

use super::{Intake, message};
use crate::connect::Backoff;

/// A message whose documents take longer is delivered again: a megabyte of text is some seconds of embedding.
const ACK_WAIT: Duration = Duration::from_secs(120);
/// Messages under way to us.
const UNDER_WAY: i64 = 256;
/// After memory could not take a message.
const AGAIN: Duration = Duration::from_secs(2);
/// Between two looks at the connection while nothing comes.
const LOOK: Duration = Duration::from_secs(2);

/// Where and what.
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// `nats://host:4222`, several servers of one cluster with commas between.
    pub url: String,
    /// A file of credentials (JWT and seed).
    pub credentials: Option<PathBuf>,
    /// A subject; it may have wildcards.
    pub subject: String,
    /// The durable consumer of the JetStream stream that keeps the subject; `None`: core NATS.
    pub durable: Option<String>,
}

/// Reads until `stop` changes.
pub async fn follow(settings: NatsSettings, intake: Intake, mut stop: watch::Receiver<bool>) {
    let mut backoff = Backoff::new(intake.now());
    while !*stop.borrow() {
        let read = Reader {
            settings: &settings,
            intake: &intake,
        };
        let why = tokio::select! {
            why = read.read() => why,
            _ = stop.changed() => return,
        };
        if intake.status().with(|counts| counts.trouble.is_none()) {
            backoff.succeed();
        }
        intake.status().fails(&format!("NATS: {why}"));
        tokio::select! {
            () = tokio::time::sleep(backoff.fail()) => {}
            _ = stop.changed() => return,
        }
    }
}

struct Reader<'a> {
    settings: &'a NatsSettings,
    intake: &'a Intake,
}

impl Reader<'_> {
    /// Connects and reads; why it ended.
    async fn read(&self) -> String {
        let client = match self.connect().await {
            Ok(client) => client,
            Err(why) => return why,
        };
        let read = match &self.settings.durable {
            Some(name) => self.durable(client, name).await,
            None => self.plain(client).await,
        };
        read.err()
            .unwrap_or_else(|| "the subscription ended".to_owned())
    }

    async fn connect(&self) -> Result<Client, String> {
        let servers = self.settings.url.split(',').map(|one| one.trim().parse());
        let servers = servers.collect::<Result<Vec<ServerAddr>, _>>();
        let servers = servers.map_err(|e| format!("the address cannot be read: {e}"))?;
        let mut options = ConnectOptions::new()
            .name("ouzel")
            .connection_timeout(Duration::from_secs(5))
            .ping_interval(Duration::from_secs(5));
        if let Some(path) = &self.settings.credentials {
            let text = tokio::task::block_in_place(|| std::fs::read_to_string(path));
            let unread = |e| format!("the credentials in {} cannot be read: {e}", path.display());
            options = options
                .credentials(&text.map_err(unread)?)
                .map_err(unread)?;
        }
        options.connect(servers).await.map_err(|e| e.to_string())
    }

    async fn plain(&self, client: Client) -> Result<(), String> {
        let subject = self.settings.subject.clone();
        let mut messages = client.subscribe(subject).await.map_err(|e| e.to_string())?;
        self.intake.status().works(self.intake.now());
        let mut count = 0_u64;
        loop {
            let Ok(next) = tokio::time::timeout(LOOK, messages.next()).await else {
                self.is_connected(&client)?;
                continue;
            };
            let Some(message) = next else { return Ok(()) };
            count += 1;
            let place = format!("{} #{count} of this connection", message.subject);
            while let Err(fault) = self.take(&place, &message.payload).await? {
                self.intake.status().fails(&fault.to_string());
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    async fn durable(&self, client: Client, name: &str) -> Result<(), String> {
        let subject = &self.settings.subject;
        let js = jetstream::new(client.clone());
        let stream = js.stream_by_subject(subject.as_str()).await;
        let stream = stream.map_err(|e| {
            format!("no stream that keeps {subject} is to be had ({e}); make one, or leave --nats-in-durable out")
        })?;
        let config = pull::Config {
            durable_name: Some(name.to_owned()),
            filter_subject: subject.clone(),
            ack_wait: ACK_WAIT,
            max_ack_pending: UNDER_WAY,
            ..pull::Config::default()
        };
        let consumer = js.create_consumer_on_stream(config, stream.as_str()).await;
        let consumer = consumer.map_err(|e| format!("no consumer {name}: {e}"))?;
        let mut messages = consumer.messages().await.map_err(|e| e.to_string())?;
        self.intake.status().works(self.intake.now());
        loop {
            let Ok(next) = tokio::time::timeout(LOOK, messages.next()).await else {
                self.is_connected(&client)?;
                continue;
            };
            let Some(message) = next else { return Ok(()) };
            let message = message.map_err(|e| e.to_string())?;
            let number = message.info().map(|info| info.stream_sequence);
            let place = format!("{} #{}", message.subject, number.unwrap_or_default());
            let answer = match self.take(&place, &message.payload).await? {
                Ok(()) => AckKind::Ack,
                Err(fault) => {
                    self.intake.status().fails(&fault.to_string());
                    AckKind::Nak(Some(AGAIN))
                }
            };
            // One that is lost with its connection comes again, and is there already.
            message.ack_with(answer).await.map_err(|e| e.to_string())?;
        }
    }

    fn is_connected(&self, client: &Client) -> Result<(), String> {
        if client.connection_state() == State::Connected {
            return Ok(());
        }
        Err("no connection".to_owned())
    }

    /// Embedding blocks; the outer error is a defect of ours.
    async fn take(&self, place: &str, payload: &[u8]) -> Result<Result<(), Fault>, String> {
        let (intake, place) = (Arc::new(self.intake.clone()), place.to_owned());
        let payload = payload.to_vec();
        let taken = tokio::task::spawn_blocking(move || message::take(&intake, &place, &payload));
        taken.await.map_err(|e| e.to_string())
    }
}
