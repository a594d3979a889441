//! The server's end: judges a login by its owner's answer, numbers messages, keeps time.

use super::{
    Error, HEARTBEAT_NS, LoginAccepted, LoginRequest, Packet, RejectReason, SILENCE_NS, split,
};

/// Time limits of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// How long a new connection may stay without a login, ns (section 1.3: 30 seconds).
    pub login_timeout_ns: u64,
    /// Own silence before a heartbeat is sent, ns.
    pub heartbeat_ns: u64,
    /// The client's silence after which it counts as gone, ns.
    pub silence_ns: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            login_timeout_ns: 30_000_000_000,
            heartbeat_ns: HEARTBEAT_NS,
            silence_ns: SILENCE_NS,
        }
    }
}

/// What a client's packet means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent<'a> {
    /// Answer with [`ServerSession::accept`] or [`ServerSession::reject`].
    Login(LoginRequest),
    /// A message without a number.
    Unsequenced(&'a [u8]),
    /// The client leaves: close.
    Logout,
    /// A packet that only a server sends, a second login, or data before one: close.
    OutOfPlace(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Asked,
    Open,
    Over,
}

/// A server's session over one connection.
#[derive(Clone, Debug)]
pub struct ServerSession {
    config: ServerConfig,
    state: State,
    next_seq: u64,
    sent_ns: u64,
    heard_ns: u64,
}

impl ServerSession {
    /// A session over a connection that was accepted at `now_ns`.
    #[must_use]
    pub fn new(config: ServerConfig, now_ns: u64) -> Self {
        Self {
            config,
            state: State::Waiting,
            next_seq: 1,
            sent_ns: now_ns,
            heard_ns: now_ns,
        }
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
    ) -> Result<Option<(Option<ServerEvent<'a>>, usize)>, Error> {
        let Some((packet, size)) = split(bytes)? else {
            return Ok(None);
        };
        self.heard_ns = self.heard_ns.max(now_ns);
        let event = match (packet, self.state) {
            (Packet::Debug(_), _) | (Packet::ClientHeartbeat, State::Open) => None,
            (Packet::LoginRequest(request), State::Waiting) => {
                self.state = State::Asked;
                Some(ServerEvent::Login(request))
            }
            (Packet::Unsequenced(bytes), State::Open) => Some(ServerEvent::Unsequenced(bytes)),
            (Packet::LogoutRequest, State::Open) => {
                self.state = State::Over;
                Some(ServerEvent::Logout)
            }
            (packet, _) => {
                self.state = State::Over;
                Some(ServerEvent::OutOfPlace(packet.kind()))
            }
        };
        Ok(Some((event, size)))
    }

    /// Lets the client in; the next sequenced message will have number `seq`. Send what it returns.
    pub fn accept(&mut self, session: [u8; 10], seq: u64, now_ns: u64) -> Packet<'static> {
        (self.state, self.next_seq, self.sent_ns) = (State::Open, seq, now_ns);
        Packet::LoginAccepted(LoginAccepted { session, seq })
    }

    /// Turns the client away. Send what it returns, then close.
    pub fn reject(&mut self, reason: RejectReason) -> Packet<'static> {
        self.state = State::Over;
        Packet::LoginRejected(reason)
    }

    /// The next numbered message, to be sent at `now_ns`; `None` unless the client is logged in.
    pub fn sequenced<'a>(&mut self, message: &'a [u8], now_ns: u64) -> Option<Packet<'a>> {
        (self.state == State::Open).then(|| {
            self.next_seq += 1;
            self.sent_ns = now_ns;
            Packet::Sequenced(message)
        })
    }

    /// The number of the next sequenced message.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// A heartbeat to send now, if one is due.
    pub fn heartbeat(&mut self, now_ns: u64) -> Option<Packet<'static>> {
        let is_due = now_ns >= self.sent_ns.saturating_add(self.config.heartbeat_ns);
        (self.state == State::Open && is_due).then(|| {
            self.sent_ns = now_ns;
            Packet::ServerHeartbeat
        })
    }

    /// Ends the session. Send what it returns, then close.
    pub fn end(&mut self) -> Packet<'static> {
        self.state = State::Over;
        Packet::EndOfSession
    }

    /// True when no login came in time or the client fell silent: close.
    #[must_use]
    pub fn is_gone(&self, now_ns: u64) -> bool {
        let limit = match self.state {
            State::Waiting => self.config.login_timeout_ns,
            State::Asked | State::Open | State::Over => self.config.silence_ns,
        };
        now_ns > self.heard_ns.saturating_add(limit)
    }
}
