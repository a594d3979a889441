//! Snapshots of all ITCH books over a GLIMPSE connection: the last rung of recovery, with sockets.
//!
//! ```text
//!  lane thread                                   glimpse thread (one for all lanes of a feed)
//!  Refreshed<ItchPipeline>  --- "wanted" ring -->  connect, log in, read to the end of snapshot
//!     packet: untouched                                         |  time-outs, size limit, checks
//!     tick:   ask / offer   <-- snapshot ring ---  Arc<Snapshot>'
//! ```
//!
//! The lane's thread makes no system call for it, waits for nothing and frees nothing: it asks by
//! pushing a number into a ring and looks for an answer at each tick. When one is there it loads all
//! books at once, which takes about as long as so many live messages; meanwhile packets wait in the
//! socket's buffer. When to ask, how long to wait and how much to keep is the pipeline's business
//! ([`market::pipeline::SnapshotConfig`]); how to fetch is [`GlimpseConfig`]'s.
//!
//! [`GlimpseServer`] is the other end: it serves the snapshots that somebody else makes.
//! Format: `docs/formats/soupbintcp.md`.

mod client;
mod fetch;
mod refreshed;
mod server;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use client::{GlimpseClient, SnapshotLink};
pub use fetch::{FetchError, fetch};
pub use refreshed::{Refreshable, Refreshed};
pub use server::{GlimpseServer, Provider, ServeConfig, ServeCounts};
use wire::soupbintcp::ClientConfig;

/// Where and how snapshots are fetched.
#[derive(Clone, Debug)]
pub struct GlimpseConfig {
    /// The server.
    pub server: SocketAddr,
    /// At most 6 printable ASCII characters.
    pub username: String,
    /// At most 10 printable ASCII characters.
    pub password: String,
    /// How long the connection may take to stand.
    pub connect_timeout: Duration,
    /// How long a snapshot may take in all, from connecting to its end.
    pub timeout: Duration,
    /// Login, heartbeats and silence.
    pub session: ClientConfig,
    /// A snapshot beyond so many bytes is refused: two more than its own for each message. Each
    /// snapshot that is held anywhere takes that much at most, and two may be at once.
    pub bytes_limit: usize,
}

impl GlimpseConfig {
    /// No name, 5 s to connect, 25 s in all, 1 GiB: a day's most orders take about 100 MB.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        Self {
            server,
            username: String::new(),
            password: String::new(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(25),
            session: ClientConfig::default(),
            bytes_limit: 1 << 30,
        }
    }
}

/// All books as of one message, as a server told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The first live message that it does not hold.
    pub next_seq: u64,
    /// ITCH messages, each behind two bytes of length, without the end of snapshot.
    pub frames: Vec<u8>,
    /// How many.
    pub messages: u64,
}

impl Snapshot {
    /// Adds a message, as a snapshot's maker tells it; the end of snapshot sets the number to go on
    /// from instead. False, and nothing happened, when it is neither.
    pub fn push(&mut self, message: &[u8]) -> bool {
        let Some(length) = wire::itchfile::length_prefix(message) else {
            return false;
        };
        if message[0] == wire::glimpse::END_KIND {
            return match wire::glimpse::decode(message) {
                Ok(wire::glimpse::Snapshot::End { next_seq }) => {
                    self.next_seq = next_seq;
                    true
                }
                _ => false,
            };
        }
        self.frames.extend_from_slice(&length);
        self.frames.extend_from_slice(message);
        self.messages += 1;
        true
    }
}

/// What a client did so far, for metrics and health. Written by its thread.
#[derive(Debug, Default)]
pub struct GlimpseStatus {
    fetches: AtomicU64,
    failures: AtomicU64,
    loaded: AtomicU64,
    refused: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    took_ns: AtomicU64,
    is_fetching: AtomicBool,
    trouble: Mutex<Option<String>>,
}

/// A [`GlimpseStatus`] as of one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlimpseView {
    /// Connections tried.
    pub fetches: u64,
    /// Of them, those without a whole snapshot.
    pub failures: u64,
    /// Snapshots that lanes have loaded; each lane counts.
    pub loaded: u64,
    /// Snapshots that a lane could not use: too old for what it had kept.
    pub refused: u64,
    /// Messages of the newest snapshot.
    pub messages: u64,
    /// Bytes of the newest snapshot.
    pub bytes: u64,
    /// How long the newest snapshot took to fetch, ns.
    pub took_ns: u64,
    /// A connection is being tried or read now.
    pub is_fetching: bool,
    /// Why the newest try failed; `None` after a success.
    pub trouble: Option<String>,
}

impl GlimpseStatus {
    /// All counters now.
    #[must_use]
    pub fn view(&self) -> GlimpseView {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        GlimpseView {
            fetches: of(&self.fetches),
            failures: of(&self.failures),
            loaded: of(&self.loaded),
            refused: of(&self.refused),
            messages: of(&self.messages),
            bytes: of(&self.bytes),
            took_ns: of(&self.took_ns),
            is_fetching: self.is_fetching.load(Ordering::Relaxed),
            trouble: trouble.clone(),
        }
    }

    fn began(&self) {
        self.is_fetching.store(true, Ordering::Relaxed);
        self.fetches.fetch_add(1, Ordering::Relaxed);
    }

    fn done(&self, outcome: &Result<Snapshot, FetchError>, took_ns: u64) {
        self.is_fetching.store(false, Ordering::Relaxed);
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(snapshot) => {
                self.messages.store(snapshot.messages, Ordering::Relaxed);
                let bytes = snapshot.frames.len() as u64;
                self.bytes.store(bytes, Ordering::Relaxed);
                self.took_ns.store(took_ns, Ordering::Relaxed);
                *trouble = None;
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                *trouble = Some(error.with_cause());
            }
        }
    }
}
