//! Market data over FIX: sessions for configured counterparties, requests, snapshots and updates.
//!
//! One task a connection. It reads the counterparty, lets time pass, and drains an outlet of its own
//! in which books conflate while the socket is busy; so a slow reader sees newer books, never older
//! ones late, and prints that found no room are counted and told as news. Rules of engagement:
//! `docs/fix.md`.

mod config;
mod connection;
mod desk;
mod entries;
mod request;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::fix::{FileStore, Session, Status};
use node::Node;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use config::{ConfigError, Counterparty, FixConfig, Version};

use crate::app::{Check, Probe};
use crate::metrics::Page;

/// Connections at once, logged on or not.
const CONNECTIONS_LIMIT: usize = 256;

/// The door: its sessions, which outlive their connections.
pub struct FixDoor {
    node: Arc<Node>,
    sessions: Vec<Place>,
    connections: AtomicUsize,
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
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// One session and its name.
struct Place {
    name: String,
    session: Mutex<Session<FileStore>>,
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Session<FileStore>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FixDoor {
    /// Opens the stores of all sessions.
    ///
    /// # Errors
    /// When a dictionary or a store cannot be read.
    pub fn open(node: Arc<Node>, config: &FixConfig) -> Result<Self, ConfigError> {
        let sessions = config.sessions()?;
        let sessions = sessions
            .into_iter()
            .map(|session| Place {
                name: session.config().target.clone(),
                session: Mutex::new(session),
            })
            .collect();
        Ok(Self {
            node,
            sessions,
            connections: AtomicUsize::new(0),
            counters: Counters::default(),
        })
    }

    /// Takes connections until told to stop; then logs everybody out.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(
        self: Arc<Self>,
        listener: TcpListener,
        mut stopped: watch::Receiver<bool>,
    ) -> io::Result<()> {
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => accepted?.0,
                _ = stopped.changed() => return Ok(()),
            };
            if self.connections.load(Ordering::Relaxed) >= CONNECTIONS_LIMIT {
                continue;
            }
            self.connections.fetch_add(1, Ordering::Relaxed);
            let (door, stopped) = (Arc::clone(&self), stopped.clone());
            tokio::spawn(async move {
                // A counterparty that goes away is the usual end, and its session knows it.
                let _gone = connection::serve(&door, stream, stopped).await;
                door.connections.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }

    fn statuses(&self) -> Vec<(&str, Status)> {
        let status = |place: &Place| place.lock().status();
        let named = self.sessions.iter();
        named.map(|p| (p.name.as_str(), status(p))).collect()
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
        type Row = (&'static str, &'static str, &'static str, fn(&Status) -> u64);
        let rows: [Row; 9] = [
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
        let statuses = self.statuses();
        for (name, kind, help, read) in rows {
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
        page.family(
            "ouzel_fix_strangers_total",
            "counter",
            "Connections that named no session of ours, or one in use.",
        );
        page.sample(
            "ouzel_fix_strangers_total",
            &[],
            counters.strangers.load(Ordering::Relaxed),
        );
    }
}

/// Binds the door.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}
