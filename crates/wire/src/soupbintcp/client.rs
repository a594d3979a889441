//! The client's end: login, numbers, heartbeats both ways, the end.

use super::{
    Error, HEARTBEAT_NS, LoginAccepted, LoginRequest, Packet, RejectReason, SILENCE_NS, split,
};

/// Time limits of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// How long the answer to a login may take, ns.
    pub login_timeout_ns: u64,
    /// Own silence before a heartbeat is sent, ns.
    pub heartbeat_ns: u64,
    /// The server's silence after which it counts as gone, ns.
    pub silence_ns: u64,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            login_timeout_ns: 5_000_000_000,
            heartbeat_ns: HEARTBEAT_NS,
            silence_ns: SILENCE_NS,
        }
    }
}

/// What a server's packet means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEvent<'a> {
    /// The login holds.
    Accepted(LoginAccepted),
    /// The login does not hold: close, and log in otherwise or not at all.
    Rejected(RejectReason),
    /// A numbered message.
    Message {
        /// Its number.
        seq: u64,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// A message without a number.
    Unsequenced(&'a [u8]),
    /// The session is over: close.
    Ended,
    /// A packet that only a client sends, or data before the login holds: close.
    OutOfPlace(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LoginSent,
    Open,
    Over,
}

/// A client's session over one connection. Feed it bytes and time; send what it asks for.
#[derive(Clone, Debug)]
pub struct ClientSession {
    config: ClientConfig,
    state: State,
    next_seq: u64,
    sent_ns: u64,
    heard_ns: u64,
}

impl ClientSession {
    /// A session whose `request` is sent at `now_ns`, as the first packet of the connection.
    #[must_use]
    pub fn new(config: ClientConfig, request: &LoginRequest, now_ns: u64) -> Self {
        Self {
            config,
            state: State::LoginSent,
            next_seq: request.seq,
            sent_ns: now_ns,
            heard_ns: now_ns,
        }
    }

    /// The number of the next sequenced message: log in with it after a lost connection.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Reads the first packet of `bytes`: what it means, if anything, and how many bytes to drop;
    /// `None` while it is not whole.
    ///
    /// # Errors
    /// When the bytes cannot be a packet: close the connection.
    pub fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        now_ns: u64,
    ) -> Result<Option<(Option<ClientEvent<'a>>, usize)>, Error> {
        let Some((packet, size)) = split(bytes)? else {
            return Ok(None);
        };
        self.heard_ns = self.heard_ns.max(now_ns);
        Ok(Some((self.take(packet), size)))
    }

    fn take<'a>(&mut self, packet: Packet<'a>) -> Option<ClientEvent<'a>> {
        Some(match (packet, self.state) {
            (Packet::Debug(_), _) | (Packet::ServerHeartbeat, State::Open) => return None,
            (_, State::Over) => ClientEvent::OutOfPlace(packet.kind()),
            (Packet::LoginAccepted(accepted), State::LoginSent) => {
                self.state = State::Open;
                self.next_seq = accepted.seq;
                ClientEvent::Accepted(accepted)
            }
            (Packet::LoginRejected(reason), State::LoginSent) => {
                self.state = State::Over;
                ClientEvent::Rejected(reason)
            }
            (Packet::Sequenced(bytes), State::Open) => {
                let seq = self.next_seq;
                // A hostile server may start at the last number there is.
                self.next_seq = self.next_seq.wrapping_add(1);
                ClientEvent::Message { seq, bytes }
            }
            (Packet::Unsequenced(bytes), State::Open) => ClientEvent::Unsequenced(bytes),
            (Packet::EndOfSession, State::Open) => {
                self.state = State::Over;
                ClientEvent::Ended
            }
            (packet, _) => {
                self.state = State::Over;
                ClientEvent::OutOfPlace(packet.kind())
            }
        })
    }

    /// A heartbeat to send now, if one is due.
    pub fn heartbeat(&mut self, now_ns: u64) -> Option<Packet<'static>> {
        let is_due = now_ns >= self.sent_ns.saturating_add(self.config.heartbeat_ns);
        (self.state == State::Open && is_due).then(|| {
            self.sent_ns = now_ns;
            Packet::ClientHeartbeat
        })
    }

    /// Something else was sent at `now_ns`: it counts as a heartbeat.
    pub fn sent(&mut self, now_ns: u64) {
        self.sent_ns = self.sent_ns.max(now_ns);
    }

    /// True when the login was not answered in time or the server fell silent: close.
    #[must_use]
    pub fn is_gone(&self, now_ns: u64) -> bool {
        let limit = match self.state {
            State::LoginSent => self.config.login_timeout_ns,
            State::Open | State::Over => self.config.silence_ns,
        };
        now_ns > self.heard_ns.saturating_add(limit)
    }
}
