//! Market data over FIX: sessions for configured counterparties, requests, snapshots and updates.
//!
//! One task a connection. Waits for a disk (`sync`, a file written anew) are taken to threads that may block, and what
//! is sent again goes out in pieces, so neither holds up another session. It reads the counterparty, lets time pass, and drains an outlet of its own
//! in which books conflate while the socket is busy; so behind what the socket already holds a slow
//! reader sees the newest books, and prints that found no room are counted and told as news. Rules of engagement:
//! `docs/fix.md`.

mod config;
mod connection;
mod desk;
mod entries;
mod request;
mod say;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::fix::{FileStore, Identity, Session, Status};
use node::Node;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use config::{ConfigError, Counterparty, FixConfig, Version};

use crate::app::{Check, Probe};
use crate::metrics::Page;

/// A family of the metrics page: name, kind, help, and where the number is.
type Row = (&'static str, &'static str, &'static str, fn(&Status) -> u64);

/// What is told of each session.
const ROWS: [Row; 9] = [
    (
        "ouzel_fix_logged_on",
        "gauge",
        "Whether a FIX session is logged on.",
        |s| u64::from(s.logged_on),
    ),
    (
        "ouzel_fix_next_sender_seq",
        "gauge",
        "The number of our next message.",
        |s| s.next_sender,
    ),
    (
        "ouzel_fix_next_target_seq",
        "gauge",
        "The number that the counterparty's next message must have.",
        |s| s.next_target,
    ),
    (
        "ouzel_fix_sent_total",
        "counter",
        "Messages sent, those sent again not counted.",
        |s| s.sent,
    ),
    (
        "ouzel_fix_received_total",
        "counter",
        "Messages taken in order.",
        |s| s.received,
    ),
    (
        "ouzel_fix_resent_total",
        "counter",
        "Messages sent again on request.",
        |s| s.resent,
    ),
    (
        "ouzel_fix_resend_requests_total",
        "counter",
        "Gaps of the counterparty's that we asked to fill.",
        |s| s.resend_requests,
    ),
    (
        "ouzel_fix_rejects_total",
        "counter",
        "Messages that we rejected.",
        |s| s.rejects,
    ),
    (
        "ouzel_fix_garbled_total",
        "counter",
        "Runs of bytes that were no message.",
        |s| s.garbled,
    ),
];

/// Connections at once, logged on or not.
const CONNECTIONS_LIMIT: usize = 256;
/// After an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A Logout waits two seconds for its answer; nobody gets longer than this.
const FAREWELL_LIMIT: Duration = Duration::from_secs(3);

/// What a socket may hold that its reader has not taken: it is old when it is read. Left alone the
/// kernel grows it to megabytes, which are seconds of a market.
const SEND_BYTES_LIMIT: u32 = 64 << 10;
const BACKLOG: u32 = 128;

/// The door: its sessions, which outlive their connections.
pub struct FixDoor {
    node: Arc<Node>,
    sessions: Vec<Arc<Place>>,
    counters: Counters,
}

/// What the application over the sessions did.
#[derive(Default)]
struct Counters {
    snapshots: AtomicU64,
    updates: AtomicU64,
    refusals: AtomicU64,
    news: AtomicU64,
    strangers: AtomicU64,
    refused: AtomicU64,
    stalled: AtomicU64,
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// One session, and what is asked about it without waiting for it.
struct Place {
    name: String,
    identity: Identity,
    /// Of the last step: the session itself may be waiting for a disk.
    status: Mutex<Status>,
    session: Mutex<Session<FileStore>>,
}

impl Place {
    fn new(session: Session<FileStore>) -> Self {
        Self {
            name: session.config().target.clone(),
            identity: session.identity(),
            status: Mutex::new(session.status()),
            session: Mutex::new(session),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Session<FileStore>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, session: &Session<FileStore>) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = session.status();
    }

    fn status(&self) -> Status {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FixDoor {
    /// Opens the stores of all sessions.
    ///
    /// # Errors
    /// When a dictionary or a store cannot be read.
    pub fn open(node: Arc<Node>, config: &FixConfig) -> Result<Self, ConfigError> {
        let sessions = config.sessions()?;
        let places = sessions.into_iter().map(Place::new);
        Ok(Self {
            node,
            sessions: places.map(Arc::new).collect(),
            counters: Counters::default(),
        })
    }

    /// Takes connections until told to stop; then logs everybody out, and ends when they are gone.
    pub async fn run(self: Arc<Self>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
        let mut visits = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = visits.join_next() => continue,
                _ = stopped.changed() => break,
            };
            let Ok((stream, _)) = accepted else {
                // A client that left again, or no descriptors: neither is for ever.
                add(&self.counters.refused);
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            if visits.len() >= CONNECTIONS_LIMIT {
                add(&self.counters.refused);
                continue;
            }
            let (door, stopped) = (Arc::clone(&self), stopped.clone());
            visits.spawn(async move {
                // A counterparty that goes away is the usual end, and its session knows it.
                let _gone = connection::serve(&door, stream, stopped).await;
            });
        }
        drop(listener);
        let farewell = async { while visits.join_next().await.is_some() {} };
        // Who does not take the Logout is cut off.
        let _late = tokio::time::timeout(FAREWELL_LIMIT, farewell).await;
    }

    fn statuses(&self) -> Vec<(&str, Status)> {
        let named = self.sessions.iter();
        named.map(|p| (p.name.as_str(), p.status())).collect()
    }

    /// Who is logged on, for `/readyz`. A door without visitors is healthy.
    #[must_use]
    pub fn probe(self: &Arc<Self>) -> Probe {
        let door = Arc::clone(self);
        let read = Box::new(move || {
            let statuses = door.statuses();
            let on = statuses.iter().filter(|(_, status)| status.logged_on);
            Check {
                ok: true,
                detail: format!("{} of {} sessions logged on", on.count(), statuses.len()),
            }
        });
        Probe { name: "fix", read }
    }

    pub(crate) fn page(&self, page: &mut Page) {
        let statuses = self.statuses();
        for (name, kind, help, read) in ROWS {
            page.family(name, kind, help);
            for (session, status) in &statuses {
                page.sample(name, &[("session", session)], read(status));
            }
        }
        let counters = &self.counters;
        page.family(
            "ouzel_fix_market_data_total",
            "counter",
            "Market data messages by kind.",
        );
        for (kind, counter) in [
            ("snapshot", &counters.snapshots),
            ("update", &counters.updates),
            ("refusal", &counters.refusals),
            ("news", &counters.news),
        ] {
            let count = counter.load(Ordering::Relaxed);
            page.sample("ouzel_fix_market_data_total", &[("kind", kind)], count);
        }
        let rest = [
            (
                "ouzel_fix_strangers_total",
                "Connections that named no session of ours, or one in use.",
                &counters.strangers,
            ),
            (
                "ouzel_fix_refused_total",
                "Connections beyond the limit, or that could not be accepted.",
                &counters.refused,
            ),
            (
                "ouzel_fix_stalled_total",
                "Connections closed because the reader took nothing for ten seconds.",
                &counters.stalled,
            ),
        ];
        for (name, help, counter) in rest {
            page.family(name, "counter", help);
            page.sample(name, &[], counter.load(Ordering::Relaxed));
        }
    }
}

/// Binds the door.
///
/// # Errors
/// When the address is taken or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    // Connections inherit it.
    socket.set_send_buffer_size(SEND_BYTES_LIMIT)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
