//! A session: who may speak, in which order, and what was missed.
//!
//! One side's view of one identity (BeginString and two CompIDs), which outlives its connections.
//! The driver calls [`Session::connected`], then [`Session::receive`] with whatever a socket gave and
//! [`Session::tick`] a few times a second, and takes what there is to do with [`Session::take`]. Where
//! [`Session::owes`] says so it settles with the disk before it sends; while [`Session::is_resending`]
//! it calls [`Session::tick`] again as soon as it has sent.
//! Source: FIX 4.4 with Errata 20030618, volume 2; FIXT 1.1; FIX 4.2 with Errata 20010501; where those
//! leave a choice, what QuickFIX does, since its acceptance definitions are the test.

mod inbound;
mod outbound;
mod resend;
mod rules;

use std::collections::BTreeMap;
use std::io;

use wire::fix::{Message, tag};

pub use outbound::SendError;

use crate::dictionary::Dictionaries;
use crate::store::Store;
use crate::validate::Rules;

const SECOND: u64 = 1_000_000_000;

/// Who starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Waits for a Logon.
    Acceptor,
    /// Sends the first Logon, and asks for this heartbeat interval.
    Initiator {
        /// Seconds.
        heartbeat_s: u32,
    },
}

/// What two sides agreed on before they connect.
#[derive(Clone, Debug)]
pub struct Config {
    /// `FIX.4.2`, `FIX.4.4` or `FIXT.1.1`.
    pub begin_string: String,
    /// Our CompID.
    pub sender: String,
    /// The counterparty's CompID.
    pub target: String,
    /// `DefaultApplVerID` (1137) that FIXT.1.1 needs: `9` is FIX 5.0SP2. `None` for FIX 4.x.
    pub appl_ver_id: Option<String>,
    /// Who starts.
    pub role: Role,
    /// Numbers start again with each Logon.
    pub reset_on_logon: bool,
    /// Numbers start again at this second of the day UTC.
    pub reset_at_s: Option<u32>,
    /// A SendingTime may differ from our clock by so much, either way.
    pub latency_ns_max: u64,
    /// A Logout that nobody answers ends the connection after so long.
    pub logout_ns_limit: u64,
    /// A connection without a Logon ends after so long.
    pub logon_ns_limit: u64,
    /// Longest message taken, bytes.
    pub message_limit: usize,
    /// Most messages held while those before them are missing.
    pub queue_limit: usize,
    /// How strict messages are checked.
    pub rules: Rules,
}

impl Config {
    /// An acceptor with QuickFIX's usual limits.
    #[must_use]
    pub fn acceptor(begin_string: &str, sender: &str, target: &str) -> Self {
        Self {
            begin_string: begin_string.to_owned(),
            sender: sender.to_owned(),
            target: target.to_owned(),
            appl_ver_id: (begin_string == "FIXT.1.1").then(|| "9".to_owned()),
            role: Role::Acceptor,
            reset_on_logon: false,
            reset_at_s: None,
            latency_ns_max: 120 * SECOND,
            logout_ns_limit: 2 * SECOND,
            logon_ns_limit: 10 * SECOND,
            message_limit: 1 << 20,
            queue_limit: 10_000,
            rules: Rules::default(),
        }
    }
}

/// Whose session a message belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// BeginString.
    pub begin_string: Vec<u8>,
    /// The side that received it.
    pub receiver: Vec<u8>,
    /// The side that sent it.
    pub sender: Vec<u8>,
}

impl Identity {
    /// Of a message; `None` when a CompID is missing.
    #[must_use]
    pub fn of(message: &Message<'_>) -> Option<Self> {
        Some(Self {
            begin_string: message.begin_string().to_vec(),
            receiver: message.get(tag::TARGET_COMP_ID)?.value.to_vec(),
            sender: message.get(tag::SENDER_COMP_ID)?.value.to_vec(),
        })
    }
}

/// What happened, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Both sides have logged on.
    LoggedOn,
    /// A message that is not the session's own, whole and valid, in its order.
    Message(Vec<u8>),
    /// The counterparty refused one of ours: the whole Reject.
    Rejected(Vec<u8>),
    /// The connection is over for the session, and why.
    LoggedOut(String),
}

/// What the driver has to do: write `bytes`, hand out `events`, then close if asked to.
#[derive(Debug, Default)]
pub struct Output {
    /// Whole messages for the socket.
    pub bytes: Vec<u8>,
    /// What happened.
    pub events: Vec<Event>,
    /// Close the connection once `bytes` are written.
    pub close: bool,
}

/// What a session did, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Both sides have logged on and nobody has logged out.
    pub logged_on: bool,
    /// The number that our next message gets.
    pub next_sender: u64,
    /// The number that the counterparty's next message must have.
    pub next_target: u64,
    /// Messages sent, those sent again not counted.
    pub sent: u64,
    /// Messages taken in order.
    pub received: u64,
    /// Messages sent again on request.
    pub resent: u64,
    /// Gaps that we filled in place of messages.
    pub gap_fills: u64,
    /// Resend requests that we sent.
    pub resend_requests: u64,
    /// Messages that we rejected.
    pub rejects: u64,
    /// Bytes that were no message.
    pub garbled: u64,
    /// Logons.
    pub logons: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No connection.
    Down,
    /// Connected, no Logon yet.
    Waiting,
    /// Both logged on.
    Up,
    /// We sent a Logout and wait for theirs.
    Leaving,
}

/// One session.
pub struct Session<S> {
    config: Config,
    dictionaries: Dictionaries,
    store: S,
    phase: Phase,
    inbox: Vec<u8>,
    output: Output,
    scratch: Vec<u8>,
    /// Messages ahead of the expected one, by number.
    queue: BTreeMap<u64, Vec<u8>>,
    heartbeat_ns: u64,
    /// Since when the phase lasts.
    phase_ns: u64,
    sent_ns: u64,
    received_ns: u64,
    /// Test requests sent since the counterparty last spoke.
    tests: u32,
    /// The end of the range asked for again, and when.
    requested: Option<(u64, u64)>,
    /// What is still to be sent again.
    resending: Option<resend::Rest>,
    status: Status,
}

impl<S: Store> Session<S> {
    /// A session that is not connected. It goes on with the numbers of its store.
    #[must_use]
    pub fn new(config: Config, dictionaries: Dictionaries, store: S) -> Self {
        Self {
            scratch: vec![0; config.message_limit],
            config,
            dictionaries,
            store,
            phase: Phase::Down,
            inbox: Vec::new(),
            output: Output::default(),
            queue: BTreeMap::new(),
            heartbeat_ns: 0,
            phase_ns: 0,
            sent_ns: 0,
            received_ns: 0,
            tests: 0,
            requested: None,
            resending: None,
            status: Status::default(),
        }
    }

    /// What the two sides agreed on.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whose messages it takes.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            begin_string: self.config.begin_string.clone().into_bytes(),
            receiver: self.config.sender.clone().into_bytes(),
            sender: self.config.target.clone().into_bytes(),
        }
    }

    /// What it did.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            logged_on: self.phase == Phase::Up,
            next_sender: self.store.next_sender(),
            next_target: self.store.next_target(),
            ..self.status
        }
    }

    /// Whether a connection is there: a second one must be refused.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.phase != Phase::Down
    }

    /// Whether application messages may be sent.
    #[must_use]
    pub fn is_logged_on(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Whether more is to be sent again than was put together: it follows at the next
    /// [`Session::tick`]s. What is new is better held back until then, or the counterparty must hold it.
    #[must_use]
    pub fn is_resending(&self) -> bool {
        self.resending.is_some()
    }

    /// Whether [`Session::settle`] is due before what was taken may be sent.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.store.owes()
    }

    /// Waits for the disk where the store was asked to. Blocks: call it where that harms nobody.
    ///
    /// # Errors
    ///
    /// When the store failed: what was taken must not be sent, and the connection must end.
    pub fn settle(&mut self) -> io::Result<()> {
        self.store.settle()
    }

    /// A connection was made. An initiator's Logon is to be taken at once.
    pub fn connected(&mut self, now_ns: u64) {
        self.inbox.clear();
        self.output = Output::default();
        self.queue.clear();
        self.requested = None;
        self.resending = None;
        self.tests = 0;
        self.enter(Phase::Waiting, now_ns);
        (self.sent_ns, self.received_ns) = (now_ns, now_ns);
        self.start_day(now_ns);
        if let Role::Initiator { heartbeat_s } = self.config.role {
            self.heartbeat_ns = u64::from(heartbeat_s) * SECOND;
            if self.config.reset_on_logon {
                let kept = self.store.reset(now_ns);
                self.kept(kept);
            }
            self.logon(self.config.reset_on_logon, None, now_ns);
        }
    }

    /// The connection is gone, for whatever reason.
    pub fn disconnected(&mut self, now_ns: u64) {
        if self.phase != Phase::Down {
            self.enter(Phase::Down, now_ns);
        }
        self.resending = None;
        // Numbers learned since the last take count: the counterparty will not say them again.
        let kept = self.store.commit();
        self.kept(kept);
    }

    /// What there is to do. All of it has been committed to the store, which may owe a settlement.
    pub fn take(&mut self) -> Output {
        let kept = self.store.commit();
        self.kept(kept);
        std::mem::take(&mut self.output)
    }

    fn enter(&mut self, phase: Phase, now_ns: u64) {
        self.phase = phase;
        self.phase_ns = now_ns;
    }

    /// Ends the connection without another word.
    fn close(&mut self, why: impl Into<String>) {
        if !self.output.close {
            self.output.close = true;
            self.output.events.push(Event::LoggedOut(why.into()));
        }
    }

    /// A store that fails ends the connection: what it cannot keep must not be sent.
    fn kept(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.output.bytes.clear();
            self.close(format!("the session's store failed: {error}"));
        }
    }

    /// Numbers start again when the agreed second of the day lies between then and now.
    fn start_day(&mut self, now_ns: u64) -> bool {
        let Some(at_s) = self.config.reset_at_s else {
            return false;
        };
        const DAY: u64 = 86_400 * SECOND;
        let shift = u64::from(at_s) * SECOND;
        let day = |ns: u64| (ns.saturating_sub(shift)) / DAY;
        if day(self.store.reset_ns()) >= day(now_ns) {
            return false;
        }
        let kept = self.store.reset(now_ns);
        self.kept(kept);
        true
    }

    /// Lets time pass: heartbeats, test requests, time-outs, a new day; goes on with a resend.
    pub fn tick(&mut self, now_ns: u64) {
        self.resend_on(now_ns);
        let lasted = now_ns.saturating_sub(self.phase_ns);
        match self.phase {
            Phase::Down => {}
            Phase::Waiting if lasted >= self.config.logon_ns_limit => self.close("no Logon"),
            Phase::Waiting => {}
            Phase::Leaving if lasted >= self.config.logout_ns_limit => {
                self.close("Logout was not answered");
            }
            Phase::Leaving => {}
            Phase::Up => {
                if self.day_is_over(now_ns) {
                    self.logout(Some("the trading day is over"), now_ns);
                } else {
                    self.pulse(now_ns);
                }
            }
        }
    }

    fn day_is_over(&self, now_ns: u64) -> bool {
        let Some(at_s) = self.config.reset_at_s else {
            return false;
        };
        let day = |ns: u64| ns.saturating_sub(u64::from(at_s) * SECOND) / (86_400 * SECOND);
        day(self.store.reset_ns()) < day(now_ns)
    }

    /// Heartbeat after silence of ours, test request after 1.2 intervals of theirs, the end after 2.4.
    fn pulse(&mut self, now_ns: u64) {
        let interval = self.heartbeat_ns;
        if interval == 0 {
            return;
        }
        let unheard = now_ns.saturating_sub(self.received_ns);
        let unsaid = now_ns.saturating_sub(self.sent_ns);
        if unheard >= interval * 12 / 5 {
            self.close("the counterparty is silent");
        } else if unheard >= interval * 6 / 5 * u64::from(self.tests + 1) {
            self.tests += 1;
            self.test_request(b"TEST", now_ns);
        } else if unsaid >= interval && self.tests == 0 {
            self.heartbeat(None, now_ns);
        }
    }
}
