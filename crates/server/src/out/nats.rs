//! Published frames to NATS: one subject a kind and symbol, `ouzel.trade.AAPL`.
//!
//! One thread with a runtime of its own, so that a broker that hangs holds up neither the market nor the
//! doors. Frames are taken from the outlet in batches; a batch ends with a message to ourselves, and
//! when that comes back the broker has had the whole batch. When the connection broke meanwhile, nobody
//! knows: the batch counts as uncertain and as a hole, which the next message of each subject tells.
//! While there is no connection nothing is taken, and the outlet meets its policy.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::client::PublishErrorKind;
use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, HeaderMap, ServerAddr, Subject, Subscriber};
use futures_util::StreamExt;
use market::pipeline::session_name;
use node::Node;
use node::outlet::{FarSide, Kind, Laned, Outlet};

use super::Health;
use super::broker::{Address, Message, Messages, Stream, token};
use super::thread::Thread;
use crate::connect::Backoff;

/// Frames in flight: what a broken connection makes uncertain.
const BATCH: usize = 1_024;
/// Between two looks at the connection, and at whether to stop.
const LOOK: Duration = Duration::from_millis(100);
/// A batch whose echo takes longer is uncertain: the connection is made again.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a broker complained of is shown this long.
const COMPLAINT: Duration = Duration::from_secs(10);
/// At the end, what waits is still sent for so long.
const FAREWELL: Duration = Duration::from_secs(1);
/// The run of the server and the number of the message on its subject.
const HEADER_SEQ: &str = "Ouzel-Seq";
/// Frames of the lane lost since the message before.
const HEADER_DROPPED: &str = "Ouzel-Dropped";

/// Where to, and what.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `nats://host:4222`, `tls://..`, with user and password where wanted; several servers of one cluster
    /// are separated by commas.
    pub url: String,
    /// A file of credentials (JWT and seed).
    pub credentials: Option<PathBuf>,
    /// The first words of every subject.
    pub prefix: String,
    /// What is sent.
    pub stream: Stream,
}

/// Why it does not start. A broker that cannot be reached is none of these: it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be read.
    #[error("NATS: the address cannot be read; write nats://host:4222")]
    Address(#[source] io::Error),
    /// The prefix is no subject.
    #[error(
        "NATS: {0:?} cannot begin a subject; use words of letters, digits, - and _ with dots between"
    )]
    Prefix(String),
    /// The credentials cannot be read.
    #[error("NATS: the credentials in {} cannot be read", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Frames cannot wait on disk.
    #[error("NATS: the folder for frames that wait cannot be used")]
    Spill(#[source] io::Error),
    /// The system gave no thread.
    #[error("NATS gets no thread; raise the limit on processes (ulimit -u)")]
    Thread(#[source] io::Error),
}

/// The running sender. Dropping it sends what waits, for a second at most, and stops.
pub struct Nats {
    _thread: Thread,
}

impl Nats {
    /// Opens an outlet named `nats` and sends all of it.
    ///
    /// # Errors
    /// When the settings cannot be used or the thread cannot be had.
    pub fn start(node: &Arc<Node>, settings: &Settings) -> Result<Self, StartError> {
        let stream = &settings.stream;
        let servers = servers(&settings.url)?;
        let hosts: Vec<String> = servers.iter().map(shown).collect();
        let said = Said::default();
        let options = options(settings, said.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let stop = Arc::new(AtomicBool::new(false));
        let session = session_name(node.clock().now_ns());
        let names = Names {
            prefix: settings.prefix.clone(),
            session: String::from_utf8_lossy(&session).into_owned(),
        };
        let outlet = stream.open(node, "nats").map_err(StartError::Spill)?;
        let worker = Worker {
            outlet,
            node: Arc::clone(node),
            messages: Messages::new(stream.format),
            host: hosts.join(", "),
            far: FarSide::default(),
            unsaid: BTreeMap::new(),
            batches: 0,
            said,
            stop: Arc::clone(&stop),
            health: Health::default(),
        };
        let thread = Thread::spawn("nats", stop, move || {
            runtime.block_on(worker.work(servers, options, names))
        });
        let thread = thread.map_err(StartError::Thread)?;
        Ok(Self { _thread: thread })
    }
}

pub(super) fn servers(url: &str) -> Result<Vec<ServerAddr>, StartError> {
    let read = |one: &str| one.trim().parse::<ServerAddr>();
    let servers = url.split(',').map(read).collect::<Result<Vec<_>, _>>();
    servers.map_err(StartError::Address)
}

/// Without a user's name or password, which have no place in a log.
fn shown(server: &ServerAddr) -> String {
    format!("{}:{}", server.host(), server.port())
}

pub(super) fn options(settings: &Settings, said: Said) -> Result<ConnectOptions, StartError> {
    let is_word = |word: &str| !word.is_empty() && token(word) == word;
    if !settings.prefix.split('.').all(is_word) {
        return Err(StartError::Prefix(settings.prefix.clone()));
    }
    let backoff = Mutex::new((0, Backoff::new(u64::from(std::process::id()))));
    let delay = move |attempts: usize| {
        let (last, backoff) = &mut *backoff.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts <= *last {
            backoff.succeed();
        }
        *last = attempts;
        backoff.fail()
    };
    let options = ConnectOptions::new()
        .name("ouzel")
        .retry_on_initial_connect()
        .max_reconnects(None)
        .connection_timeout(Duration::from_secs(5))
        .ping_interval(Duration::from_secs(5))
        .reconnect_delay_callback(delay)
        .event_callback(move |event| {
            said.hear(&event);
            async {}
        });
    let Some(path) = &settings.credentials else {
        return Ok(options);
    };
    let refused = |source| StartError::Credentials {
        path: path.clone(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(refused)?;
    options.credentials(&text).map_err(refused)
}

/// What the broker or the connection last complained of.
#[derive(Clone, Default)]
pub(super) struct Said(Arc<Mutex<Option<(Instant, String)>>>);

impl Said {
    fn hear(&self, event: &Event) {
        let complaint = match event {
            Event::ServerError(error) => error.to_string(),
            Event::ClientError(error) => error.to_string(),
            _ => return,
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Instant::now(), complaint));
    }

    pub fn recent(&self) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = last.as_ref().filter(|(at, _)| at.elapsed() < COMPLAINT);
        fresh.map(|(_, complaint)| complaint.clone())
    }
}

struct Worker {
    node: Arc<Node>,
    outlet: Outlet,
    messages: Messages,
    host: String,
    far: FarSide,
    /// Frames by lane that no mark has told of yet.
    unsaid: BTreeMap<usize, u64>,
    batches: u64,
    said: Said,
    stop: Arc<AtomicBool>,
    health: Health,
}

/// The connection, and how a batch is known to have arrived: a message to ourselves behind it comes back.
pub(super) struct Wire {
    pub client: Client,
    inbox: Subject,
    echoes: Subscriber,
}

/// Subject, headers and body of a message.
pub(super) type Outgoing = (Subject, HeaderMap, Vec<u8>);

/// The wire, and how frames are called on it.
struct Line {
    wire: Wire,
    names: Names,
    subjects: HashMap<Arc<Address>, Subject>,
}

impl Worker {
    async fn work(mut self, servers: Vec<ServerAddr>, options: ConnectOptions, names: Names) {
        let mut line = match open(servers, options, names).await {
            Ok(line) => line,
            Err(why) => {
                self.fails(&why);
                return;
            }
        };
        let mut batch: Vec<Laned> = Vec::with_capacity(BATCH);
        while !self.is_stopped() {
            if !self.is_connected(&line) {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            if tokio::time::timeout(LOOK, self.outlet.ready())
                .await
                .is_ok()
            {
                self.turn(&mut line, &mut batch).await;
            }
        }
        let until = Instant::now() + FAREWELL;
        while line.wire.client.connection_state() == State::Connected && Instant::now() < until {
            if self.outlet.take(BATCH, &mut batch) == 0 {
                break;
            }
            let sent = self.send(&mut line, &batch);
            // What is not through by then is lost with the process, as the log says of the outlet.
            let _in_time = tokio::time::timeout_at(until.into(), sent).await;
            batch.clear();
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn is_connected(&mut self, line: &Line) -> bool {
        let is_connected = line.wire.client.connection_state() == State::Connected;
        if !is_connected {
            let why = self.said.recent();
            self.fails(&why.unwrap_or_else(|| "no connection".to_owned()));
        }
        is_connected
    }

    fn fails(&mut self, why: &str) {
        let why = format!("NATS at {}: {why}", self.host);
        self.health.fails(&self.outlet, why);
    }

    /// Takes a batch, sends it and learns what became of it.
    async fn turn(&mut self, line: &mut Line, batch: &mut Vec<Laned>) {
        self.outlet.take(BATCH, batch);
        let before = line.wire.connects();
        let outcome = self.send(line, batch).await;
        let after = line.wire.connects();
        self.far.connects = after;
        match outcome {
            Ok(sent) if before == after => self.confirmed(sent),
            _ => self.uncertain(batch),
        }
        self.outlet.far_side(self.far);
        batch.clear();
        let complaint = match outcome {
            Err(why) => Some(why.to_owned()),
            Ok(_) => self.said.recent(),
        };
        match complaint {
            Some(why) => self.fails(&why),
            None => self.health.works(&self.outlet),
        }
    }

    /// Sends the batch and waits for its echo; how many messages those were.
    async fn send(&mut self, line: &mut Line, batch: &[Laned]) -> Result<u64, &'static str> {
        self.batches += 1;
        let holes = self.unsaid.iter();
        let mut messages: Vec<Message> = holes
            .filter_map(|(lane, count)| self.messages.mark(*lane, *count))
            .collect();
        for (lane, frame) in batch {
            match self.messages.put(&self.node, *lane, frame) {
                Some(message) => messages.push(message),
                None => self.far.refused += 1,
            }
        }
        let sent = messages.len() as u64;
        let number = self.batches.to_string();
        let (begun, client) = (Instant::now(), line.wire.client.clone());
        let mut through = pin!(line.through(messages, &number));
        loop {
            let looked = tokio::time::timeout(LOOK, &mut through).await;
            if let Ok(outcome) = looked {
                let refused = outcome?;
                self.far.refused += refused;
                return Ok(sent - refused);
            }
            if client.connection_state() != State::Connected {
                let why = self.said.recent();
                let why = why.unwrap_or_else(|| "the connection broke".to_owned());
                let why = format!("NATS at {}: {why}", self.host);
                self.health.fails(&self.outlet, why);
            }
            if begun.elapsed() > PATIENCE {
                return Err("no echo: may this user publish and subscribe to _INBOX.>?");
            }
            if self.stop.load(Ordering::Acquire) && begun.elapsed() > FAREWELL {
                return Err("stopped before the broker had all");
            }
        }
    }

    fn confirmed(&mut self, sent: u64) {
        self.far.confirmed += sent;
        self.messages.settle(true);
        self.unsaid.clear();
    }

    /// Nobody knows whether the batch arrived: its lanes have a hole.
    fn uncertain(&mut self, batch: &[Laned]) {
        self.messages.settle(false);
        let frames = batch.iter();
        for (lane, _) in frames.filter(|(_, frame)| Kind::of(frame) != Kind::Dropped) {
            self.messages.lose(*lane, 1);
            *self.unsaid.entry(*lane).or_default() += 1;
            self.far.uncertain += 1;
        }
    }
}

async fn open(
    servers: Vec<ServerAddr>,
    options: ConnectOptions,
    names: Names,
) -> Result<Line, String> {
    Ok(Line {
        wire: Wire::open(servers, options).await?,
        names,
        subjects: HashMap::new(),
    })
}

impl Wire {
    /// Connects, in its own time, and listens to itself.
    pub async fn open(servers: Vec<ServerAddr>, options: ConnectOptions) -> Result<Self, String> {
        let client = options.connect(servers).await.map_err(|e| e.to_string())?;
        let inbox = client.new_inbox();
        let echoes = client.subscribe(inbox.clone()).await;
        Ok(Self {
            inbox: inbox.into(),
            echoes: echoes.map_err(|e| e.to_string())?,
            client,
        })
    }

    /// Connections made so far: an echo on another one says nothing of what was sent on the one before.
    pub fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Acquire)
    }

    /// Publishes the messages and waits until the batch's number comes back; how many cannot be sent at all (too large,
    /// say) and were passed over.
    pub async fn through(
        &mut self,
        messages: Vec<Outgoing>,
        number: &str,
    ) -> Result<u64, &'static str> {
        let gone = "the client has ended";
        let mut refused = 0;
        for (subject, headers, body) in messages {
            let published = self
                .client
                .publish_with_headers(subject, headers, body.into());
            match published.await {
                Ok(()) => {}
                Err(error) if error.kind() == PublishErrorKind::Send => return Err(gone),
                Err(_) => refused += 1,
            }
        }
        let number = number.to_owned();
        let asked = self
            .client
            .publish(self.inbox.clone(), number.clone().into());
        asked.await.map_err(|_| gone)?;
        loop {
            let echo = self.echoes.next().await.ok_or(gone)?;
            if echo.payload == number.as_bytes() {
                return Ok(refused);
            }
        }
    }
}

impl Line {
    async fn through(&mut self, messages: Vec<Message>, number: &str) -> Result<u64, &'static str> {
        let outgoing = messages.into_iter().map(|message| {
            let headers = self.names.headers(&message);
            (self.subject(&message), headers, message.payload)
        });
        let outgoing: Vec<Outgoing> = outgoing.collect();
        self.wire.through(outgoing, number).await
    }

    fn subject(&mut self, message: &Message) -> Subject {
        if let Some(known) = self.subjects.get(&message.address) {
            return known.clone();
        }
        let subject = Subject::from(self.names.subject(&message.address));
        let address = Arc::clone(&message.address);
        self.subjects.insert(address, subject.clone());
        subject
    }
}

/// How things are called on the broker.
struct Names {
    prefix: String,
    session: String,
}

impl Names {
    fn subject(&self, address: &Address) -> String {
        format!(
            "{}.{}.{}",
            self.prefix,
            address.kind.name(),
            token(&address.key)
        )
    }

    fn headers(&self, message: &Message) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let seq = format!("{} {}", self.session, message.n);
        headers.insert(HEADER_SEQ, seq);
        if message.dropped > 0 {
            headers.insert(HEADER_DROPPED, message.dropped.to_string());
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, prefix: &str) -> Settings {
        Settings {
            url: url.to_owned(),
            credentials: None,
            prefix: prefix.to_owned(),
            stream: Stream::default(),
        }
    }

    #[test]
    fn passwords_stay_out_of_the_log() {
        let all = servers("nats://me:secret@one:4222,tls://two").expect("addresses");
        let shown: Vec<String> = all.iter().map(shown).collect();
        assert_eq!(shown, ["one:4222", "two:4222"]);
        let why = servers("nats://me:secret@[")
            .map(drop)
            .expect_err("refused");
        assert!(!why.to_string().contains("secret"), "{why}");
    }

    #[test]
    fn a_prefix_that_is_no_subject_is_refused() {
        for bad in ["", ".", "a..b", "a.>", "a b", "a.*"] {
            let refused = options(&settings("nats://a", bad), Said::default());
            assert!(matches!(refused, Err(StartError::Prefix(_))), "{bad:?}");
        }
        assert!(options(&settings("nats://a", "desk.ouzel"), Said::default()).is_ok());
    }

    #[test]
    fn a_symbol_is_one_token() {
        let names = Names {
            prefix: "ouzel".to_owned(),
            session: "OZ1".to_owned(),
        };
        let address = Address {
            kind: Kind::Trade,
            key: "BRK.B".to_owned(),
        };
        assert_eq!(names.subject(&address), "ouzel.trade.BRK%2EB");
    }
}
